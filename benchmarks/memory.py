"""How much memory five networks take: plans by strategy, beside MXNet's, and what running them takes.

    python benchmarks/memory.py                          figure 7 of the MXNet paper as a table
    python benchmarks/memory.py --chart figure7.svg      and as a chart
    python benchmarks/memory.py --real 8 ResNet-50       resident memory and time of runs, batch 8

A plan holds results; arguments, their gradients and states are the caller's arrays. `none`: every result
has a buffer of its own; `live`: the most that is in use at once, which no plan for the same order can
undercut. MXNet's number is what its own executor prints (`debug_str`), without its subgraph fusion.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from _networks import NETWORKS, shapes

ROOT = Path(__file__).resolve().parent.parent
STRATEGIES = ("none", "inplace", "coshare", "both")
MIB = float(1 << 20)
RETURNED = {"MALLOC_MMAP_THRESHOLD_": "65536"}  # freed memory goes back at once, and is not counted as used
PART = 3  # recomputation has a budget of one part in so many


# --- the peer --------------------------------------------------------------------------------------------
def peer(batch: int) -> None:
    """In MXNet's interpreter: print what it allocates, forward and forward+backward."""
    import mxnet

    found = {}
    for name, (make, _) in NETWORKS.items():
        net = make(mxnet.sym)
        found[name] = []
        for request in ("null", "write"):
            executor = net.simple_bind(mxnet.cpu(), grad_req=request, **shapes(name, batch))
            found[name].append(int(re.findall(r"Total (\d+) MB", executor.debug_str())[-1]))
    print(json.dumps(found))


def ask_peer(batch: int) -> dict:
    python = ROOT / ".peers/mxnet/bin/python"
    if not python.is_file():
        return {}
    command = [python, __file__, "--peer", "--batch", str(batch)]
    environment = {**os.environ, "MXNET_SUBGRAPH_BACKEND": "NONE"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}


# --- plans -----------------------------------------------------------------------------------------------
def networks(names: list[str]):
    import mxcy as mx

    for name in names or NETWORKS:
        with mx.name.NameManager():
            yield name, NETWORKS[name][0](mx.sym)


def plans(batch: int, names: list[str]) -> list[dict]:
    """Print the table; return its rows."""
    theirs = ask_peer(batch)
    columns = (*STRATEGIES, "live", "/live", "fused", "budget", "MXNet", "/MXNet")
    print(f"{f'MiB, batch {batch}':<22}" + "".join(f"{column:>9}" for column in columns))
    rows = []
    for name, net in networks(names):
        for train in (False, True):
            row = plan_row(net, shapes(name, batch), train)
            row |= {"network": name, "train": train, "mxnet": theirs.get(name, (None, None))[train]}
            rows.append(row)
            print(line_of(row))
    return rows


def plan_row(net, known: dict, train: bool) -> dict:
    made = {name: net.memory(known, train, strategy=name, fusion=False) for name in STRATEGIES}
    row = {name: plan.total / MIB for name, plan in made.items()}
    row["live"] = made["both"].largest_live / MIB
    row["fused"] = net.memory(known, train).total / MIB
    row["budget"] = net.memory(known, train, budget=made["both"].total // PART).total / MIB if train else None
    return row


def line_of(row: dict) -> str:
    numbers = [row[name] for name in (*STRATEGIES, "live")]
    cells = [f"{number:>9.1f}" for number in numbers] + [f"{row['both'] / row['live']:>9.3f}"]
    for key in ("fused", "budget", "mxnet"):
        cells.append(f"{row[key]:>9.1f}" if row[key] is not None else f"{'':>9}")
    if row["mxnet"] is not None:
        cells.append(f"{row['both'] / row['mxnet']:>9.2f}")
    label = f"{row['network']} {'training' if row['train'] else 'prediction'}"
    return f"{label:<22}" + "".join(cells)


def chart(rows: list[dict], file: Path) -> None:
    """Bars as in the paper's figure: prediction left, training right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.5))
    for axes, train in zip(figure.subplots(1, 2), (False, True), strict=True):
        chosen = [row for row in rows if row["train"] is train]
        keys = [*STRATEGIES, "fused", *(["budget"] if train else []), "mxnet"]
        for position, key in enumerate(keys):
            places = [number + (position + 0.5) / (len(keys) + 1) for number in range(len(chosen))]
            heights = [(row[key] or 0) / 1024 for row in chosen]
            axes.bar(places, heights, 0.9 / (len(keys) + 1), label="MXNet 1.9.1" if key == "mxnet" else key)
        axes.set_xticks([n + 0.5 for n in range(len(chosen))], [row["network"] for row in chosen])
        axes.set_ylabel("GiB")
        axes.set_title("forward and backward" if train else "forward")
        axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(file)


# --- real runs -------------------------------------------------------------------------------------------
def bound(net, known: dict, train: bool, budget: int | None = None):
    """An executor with random parameters."""
    import numpy as np

    import mxcy as mx

    os.environ["MXCY_MEMORY_BUDGET"] = str(budget or "")
    executor = net.simple_bind(mx.cpu(), grad_req="write" if train else "null", **known)
    rng = np.random.default_rng(0)
    for name, array in executor.arg_dict.items():
        array[:] = 1 if "label" in name else rng.standard_normal(array.shape, dtype=np.float32) * 0.02
    for array in executor.grad_arrays:
        if array is not None:
            array[:] = 0
    mx.nd.waitall()
    return executor


def step(executor, train: bool) -> float:
    import mxcy as mx

    begin = time.perf_counter()
    executor.forward(is_train=train)
    if train:
        executor.backward()
    mx.nd.waitall()
    return time.perf_counter() - begin


def resident(key: str = "VmRSS") -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) << 10


def measure(name: str, batch: int, train: bool, part: int) -> dict:
    """In a process of its own: the resident memory that a run adds, at its peak and without workspaces.

    Workspaces are what the pool hands out beyond the plan; kernels touch a part of what they ask for.
    """
    from mxcy import _engine

    net = next(networks([name]))[1]
    step(bound(net, shapes(name, 1), train), train)  # code, threads, and what is made once
    budget = net.memory(shapes(name, batch), train).total // part if part else None
    executor = bound(net, shapes(name, batch), train, budget)
    _engine._pool(limit=1, trim=True, peak=True)
    before = resident()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    step(executor, train)
    usage = _engine._pool(peak=True)
    return {
        "plan": executor._program.nbytes / MIB,
        "workspaces": (usage["peak"] - usage["held"]) / MIB,
        "peak": (resident("VmHWM") - before) / MIB,
        "rest": (resident() - before) / MIB,  # when workspaces have gone back
    }


def real(batch: int, names: list[str]) -> list[dict]:
    """Print what runs take; return the rows."""
    columns = f"{'plan':>9}{'peak':>9}{'workspaces':>12}{'the rest':>10}{'/plan':>8}"
    print(f"\n{f'MiB, batch {batch}':<32}{columns}")
    rows = []
    for name in names or NETWORKS:
        for train, part in ((False, 0), (True, 0), (True, PART)):
            command = [sys.executable, __file__, "--measure", name, str(batch), str(int(train)), str(part)]
            done = subprocess.run(command, env={**os.environ, **RETURNED}, stdout=subprocess.PIPE, check=True)
            row = json.loads(done.stdout.splitlines()[-1])
            kind = "training" if train else "prediction"
            label = f"{name} {kind}{f', budget 1/{part}' if part else ''}"
            cells = f"{row['plan']:>9.1f}{row['peak']:>9.1f}{row['workspaces']:>12.1f}"
            cells += f"{row['rest']:>10.1f}{row['rest'] / row['plan']:>8.3f}"
            print(f"{label:<32}{cells}", flush=True)
            rows.append({"run": label, "batch": batch, **row})
    return rows


def recomputation(batch: int, names: list[str], rounds: int) -> list[dict]:
    """Print how much longer a training step takes with a budget, in turn."""
    from statistics import median

    print(f"\n{f'step of training, batch {batch}':<32}{'all kept':>12}{f'budget 1/{PART}':>12}{'ratio':>9}")
    rows = []
    for name, net in networks(names):
        known = shapes(name, batch)
        total = net.memory(known, True).total
        pair = [bound(net, known, True), bound(net, known, True, total // PART)]
        times: list[list[float]] = [[], []]
        for number in range(rounds + 1):
            for executor, found in zip(pair, times, strict=True):
                taken = step(executor, True)
                if number:  # the first round takes memory from the system
                    found.append(taken)
        ratio = median(b / a for a, b in zip(*times, strict=True))
        print(f"{name:<32}{median(times[0]):>10.3f} s{median(times[1]):>10.3f} s{ratio:>9.2f}", flush=True)
        rows.append({"network": name, "batch": batch, "ratio": ratio})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--batch", type=int, default=64, help="of the plans")
    parser.add_argument("--chart", type=Path, help="draw the plans into this file (extra viz)")
    parser.add_argument("--real", type=int, metavar="BATCH", help="run the networks with this batch as well")
    parser.add_argument("--rounds", type=int, default=5, help="timed steps of each executor")
    parser.add_argument("--json", type=Path, help="write all rows to this file")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        peer(options.batch)
    elif options.measure:
        name, *numbers = options.measure
        print(json.dumps(measure(name, *map(int, numbers))))
    else:
        rows = {"plans": plans(options.batch, options.names)}
        if options.chart:
            chart(rows["plans"], options.chart)
        if options.real:
            rows["runs"] = real(options.real, options.names)
            rows["recomputation"] = recomputation(options.real, options.names, options.rounds)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
