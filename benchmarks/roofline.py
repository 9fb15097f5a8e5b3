"""How close does each layer of a network come to what the machine can do?

    python benchmarks/roofline.py [NETWORK ...] [--modes prediction training] [--rounds N] [--rows N]

The machine's peaks are measured first: the rate of a large product of matrices, by NumPy's or our own,
whichever is faster, and the bandwidth of a copy too large for the caches. Then every step of the bound
network runs by itself. Its bound is the time that its arithmetic (in the direct form; Winograd's
convolutions do with less, so that they may exceed it) or its operands and results would take at the peaks,
and its share is the bound over its time. The longest steps come first; the last row is that of the rest.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from math import prod
from statistics import median

import numpy as np
from _contenders import BATCHES
from _networks import NETWORKS, shapes

import mxcy as mx
from mxcy.executor.program import Step

MODES = ("prediction", "training")


def seconds(function: Callable[[], object], rounds: int) -> float:
    """The median time of a call whose work is done when it returns."""
    times = []
    for number in range(rounds + 1):
        begin = time.perf_counter()
        function()
        mx.nd.waitall()
        if number:
            times.append(time.perf_counter() - begin)
    return median(times)


def peaks(rounds: int = 5) -> tuple[float, float]:
    """Operations and bytes per second."""
    drawn = [np.random.default_rng(0).standard_normal((2048, 2048), np.float32) for _ in range(2)]
    ours = [mx.nd.array(x) for x in drawn]
    result = mx.nd.zeros((2048, 2048))
    fastest = min(
        seconds(lambda: np.matmul(*drawn), rounds), seconds(lambda: mx.nd.dot(*ours, out=result), rounds)
    )
    source, target = mx.nd.ones(32 << 20), mx.nd.zeros(32 << 20)
    copied = seconds(lambda: source.copyto(target), rounds)
    return 2 * 2048**3 / fastest, 2 * 4 * (32 << 20) / copied


def bind(name: str, train: bool) -> tuple[Callable[[], None], list[Step]]:
    """A function that runs a network, and the steps that it consists of."""
    net, known = NETWORKS[name][0](mx.sym), shapes(name, BATCHES[name])
    wanted = {n: "write" if train and n not in known else "null" for n in net.list_arguments()}
    executor = net.simple_bind(mx.cpu(), grad_req=wanted, **known)
    rng = np.random.default_rng(0)
    for key, array in executor.arg_dict.items():
        array[:] = 1 if "label" in key else rng.standard_normal(array.shape, dtype=np.float32) * 0.02
    for key, array in executor.aux_dict.items():
        array[:] = float("var" in key)

    def run() -> None:
        executor.forward(is_train=train)
        if train:
            executor.backward()
        mx.nd.waitall()

    run()
    program = executor._program
    return run, (program.both if train else program.forward).steps


def operations(step: Step) -> float:
    """Multiplications and additions of a convolution or a product; zero for others, which wait for memory."""
    name, inputs, outs = step.op.name, [x.shape for x in step.inputs], [x.shape for x in step.outs]
    if name == "_convolutions":  # of the same data with several weights
        return sum(2 * prod(out) * prod(inputs[1][1:]) for out in outs)
    if "onvolution" in name:
        first, second = inputs[:2]
        if name == "_convolution_weight_grad":  # (head gradient, data) to the weight
            return 2 * prod(first) * prod(outs[0][1:])
        heads = first if name == "_convolution_data_grad" else outs[0]
        pooled = 4 if name == "_convolution_relu_maxima" else 1  # of what is computed is written
        return 2 * pooled * prod(heads) * prod(second[1:])
    if name == "FullyConnected":
        return 2 * prod(outs[0]) * inputs[1][1]
    if name == "dot":
        together = prod(inputs[0]) * prod(inputs[1]) / prod(outs[0])
        return 2 * prod(outs[0]) * together**0.5
    return 0


def report(name: str, mode: str, peak: tuple[float, float], rounds: int, rows: int) -> None:
    """Print the steps of a network, the longest first."""
    train = mode == "training"
    run, steps = bind(name, train)
    whole = seconds(run, rounds)
    found = []
    for step in steps:
        taken = seconds(lambda step=step: step.run(train), rounds)
        work, nbytes = operations(step), sum(4 * prod(x.shape) for x in (*step.inputs, *step.outs))
        bound = max(work / peak[0], nbytes / peak[1])
        found.append((taken, bound, work, nbytes, f"{step.op.name} {step.name}"))
    found.sort(reverse=True)
    rest = found[rows:]
    if rest:
        sums = [sum(row[k] for row in rest) for k in range(4)]
        found[rows:] = [(*sums, f"{len(rest)} others")]
    total, bound = sum(row[0] for row in found), sum(row[1] for row in found)
    print(
        f"{name} ({BATCHES[name]}) {mode}: {whole * 1e3:.1f} ms; steps by themselves {total * 1e3:.1f} ms, ",
        end="",
    )
    print(f"{bound / total:.0%} of the machine")
    for taken, least, work, nbytes, label in found:
        rate, speed = work / taken * 1e-9, nbytes / taken * 1e-9
        print(f"  {taken * 1e3:8.2f} ms {rate:7.0f} GFLOP/s {speed:6.1f} GB/s {least / taken:6.0%}  {label}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=15, help="steps to print of each network")
    options = parser.parse_args()
    peak = peaks()
    print(f"the machine: {peak[0] * 1e-9:.0f} GFLOP/s, {peak[1] * 1e-9:.1f} GB/s")
    for name in options.names or NETWORKS:
        for mode in options.modes:
            report(name, mode, peak, options.rounds, options.rows)


if __name__ == "__main__":
    main()
