"""Are whole networks faster than with PyTorch, MXNet and onnxruntime: images per second and peak memory?

    python benchmarks/networks.py [NETWORK ...] [--modes prediction training]
                                  [--peers torch mxnet onnxruntime] [--rounds N] [--cores] [--json FILE]

Figure 6 of the MXNet paper. Every contender is a process of its own, which runs when it is told to; two
threads each. Training computes the gradients of all parameters, not that of the images; onnxruntime only
predicts. `wanted` is how many times as fast as the best peer we want to be; memory is the resident memory
of the process at the peak of the steps, parameters, images and libraries included, and its ratio is that to
the leanest peer's. `--cores` compares two threads of ours with one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median

from _contenders import BATCHES, CONTENDERS, Contender, serve
from _networks import NETWORKS

MODES = ("prediction", "training")
WANTED = {  # by mode: how many times as fast as the best peer, how much of the leanest one's memory
    "AlexNet": {"prediction": (1.3, 0.8), "training": (1.5, 0.8)},
    "GoogLeNet": {"prediction": (1.3, 0.8), "training": (1.4, 1.0)},
    "VGG-A": {"prediction": (2.0, 1.0), "training": (2.2, 1.0)},
    "OverFeat": {"prediction": (1.4, 1.0), "training": (1.5, 1.0)},
    "ResNet-50": {"prediction": (1.1, 0.8), "training": (1.2, 1.0)},
}


def in_turn(contenders: dict[str, Contender], rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Run all in turn; return the median seconds of a step and the peaks in MiB, and end them."""
    times: dict[str, list[float]] = {key: [] for key in contenders}
    for number in range(rounds + 2):
        for key, contender in contenders.items():
            taken = contender.ask("run")
            if number >= 2:  # the first rounds choose kernels and take memory from the system
                times[key].append(taken)
    peaks = {key: contender.ask("peak") / 2**20 for key, contender in contenders.items()}
    for contender in contenders.values():
        contender.close()
    return {key: median(found) for key, found in times.items()}, peaks


def compare(name: str, mode: str, peers: list[str], rounds: int) -> dict:
    """Print and return images per second and peaks of all contenders."""
    names = ["mxcy", *(peer for peer in peers if mode == "prediction" or peer != "onnxruntime")]
    found = {key: Contender(key, name, mode, 2) for key in names}
    present = {key: contender for key, contender in found.items() if contender.present}
    seconds, peaks = in_turn(present, rounds)
    rates = {key: BATCHES[name] / taken for key, taken in seconds.items()}
    faster, leaner = WANTED[name][mode]
    for label, unit, best, wanted, values in (
        (f"{name} ({BATCHES[name]})", "images/s", max, f">= {faster:.1f}x", rates),
        (mode, "MiB", min, f"<= {leaner:.1f}x", peaks),
    ):
        columns = "".join(f"{values[key]:>13,.1f}" if key in values else f"{'-':>13}" for key in CONTENDERS)
        others = [values[key] for key in values if key != "mxcy"]
        ratio = f"{values['mxcy'] / best(others):.2f}x" if others else "-"
        print(f"{label:<16}{unit:<9}{columns}{ratio:>10}{wanted:>10}", flush=True)
    return {
        "network": name,
        "mode": mode,
        "batch": BATCHES[name],
        "images_per_second": rates,
        "peak_mib": peaks,
    }


def compare_cores(name: str, mode: str, rounds: int) -> dict:
    """Print and return images per second with one and with two threads."""
    found = {str(threads): Contender("mxcy", name, mode, threads) for threads in (1, 2)}
    seconds, _ = in_turn(found, rounds)
    rates = {threads: BATCHES[name] / taken for threads, taken in seconds.items()}
    ratio = rates["2"] / rates["1"]
    label = f"{name} ({BATCHES[name]}) {mode}"
    print(f"{label:<32}{rates['1']:>13.1f}{rates['2']:>13.1f}{ratio:>9.2f}x{'>= 1.8x':>10}", flush=True)
    return {"network": name, "mode": mode, "batch": BATCHES[name], "images_per_second_of_threads": rates}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    peers = [name for name in CONTENDERS if name != "mxcy"]
    parser.add_argument("--peers", nargs="*", choices=peers, default=peers)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cores", action="store_true", help="compare one thread with two")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        *what, threads = options.serve
        return serve(*what, int(threads))
    pairs = [(name, mode) for name in options.names or NETWORKS for mode in options.modes]
    if options.cores:
        print(f"{'images/s (batch)':<32}{'1 thread':>13}{'2 threads':>13}{'ratio':>10}{'wanted':>10}")
        rows = [compare_cores(name, mode, options.rounds) for name, mode in pairs]
    else:
        titles = "".join(f"{name:>13}" for name in CONTENDERS)
        print(f"{'network (batch)':<25}{titles}{'to best':>10}{'wanted':>10}")
        rows = [compare(name, mode, options.peers, options.rounds) for name, mode in pairs]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    return None


if __name__ == "__main__":
    main()
