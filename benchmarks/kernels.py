"""Are copies, gathers, softmax, sorting and random fills faster than NumPy's (and PyTorch's)?

    python benchmarks/kernels.py [--json FILE]

Rows are timed in turn; each number is the best of several runs. With PyTorch importable (or in
`.peers/torch`, run by that interpreter in a process of its own), its times stand beside.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def best(function, repeats=7):
    """Return the shortest of several times, in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def ours():
    """Yield (name, our function, NumPy's function)."""
    import numpy as np

    from mxcy import _array
    from mxcy.kernels import cpu as kernels

    def done(x):
        x.wait_to_read()

    rng = np.random.default_rng(0)
    big = rng.standard_normal((3000, 3000)).astype("f4")
    x, out = _array.from_numpy(big), _array.from_numpy(big)
    target = np.empty_like(big)
    yield "copy 9e6", lambda: done(kernels.copy(x, out)), lambda: np.copyto(target, big)
    turned = x._transpose_view((1, 0))
    yield "copy transposed", lambda: done(kernels.copy(turned, out)), lambda: np.copyto(target, big.T)
    half, columns = np.empty((3000, 1500), "f4"), kernels.full((3000, 1500), 0, "float32")
    yield (
        "copy [:, ::2]",
        lambda: done(kernels.copy(x[:, ::2], columns)),
        lambda: np.copyto(half, big[:, ::2]),
    )
    halves = kernels.full((3000, 3000), 0, "float16")
    yield "float32 to float16", lambda: done(kernels.astype(x, "float16", halves)), lambda: big.astype("f2")
    rows = rng.integers(0, 3000, 3000)
    indices = _array.from_numpy(rows)
    yield (
        "take rows",
        lambda: done(kernels.take(x, indices, 0, out=out)),
        lambda: np.take(big, rows, 0, target, "clip"),
    )
    flat, places = big.ravel(), rng.integers(0, big.size, 2_000_000)
    line, points = _array.from_numpy(flat), _array.from_numpy(places)
    yield (
        "take 2e6 elements",
        lambda: done(kernels.take(line, points)),
        lambda: np.take(flat, places, mode="clip"),
    )
    sums, counts = np.zeros(1000, "f4"), rng.integers(0, 1000, 1_000_000)
    ones, bins = rng.standard_normal(1_000_000).astype("f4"), _array.from_numpy(counts)
    values, kept = _array.from_numpy(ones), _array.from_numpy(sums)
    yield (
        "scatter_add 1e6",
        lambda: done(kernels.scatter_add(kept, bins, values)),
        lambda: np.add.at(sums, counts, ones),
    )

    def softmax(a, axis):
        e = np.exp(a - a.max(axis, keepdims=True))
        return e / e.sum(axis, keepdims=True)

    yield "softmax axis 1", lambda: done(kernels.softmax(x, 1, out=out)), lambda: softmax(big, 1)
    yield "softmax axis 0", lambda: done(kernels.softmax(x, 0, out=out)), lambda: softmax(big, 0)
    yield "sort lines", lambda: done(kernels.sort(x[:300], 1)), lambda: np.sort(big[:300], 1)
    yield (
        "argsort lines",
        lambda: done(kernels.argsort(x[:300], 1)),
        lambda: np.argsort(big[:300], 1, kind="stable"),
    )
    generator = np.random.default_rng(0)
    shape = (3000, 3000)
    yield (
        "uniform",
        lambda: done(kernels.random_uniform(out=out)),
        lambda: generator.random(shape, "f4", target),
    )
    yield (
        "normal",
        lambda: done(kernels.random_normal(out=out)),
        lambda: generator.standard_normal(shape, "f4", target),
    )


TORCH = """
import json, sys, time
import torch
torch.set_num_threads(int(sys.argv[1]))
def best(f, repeats=7):
    times = []
    for _ in range(repeats):
        start = time.perf_counter(); f(); times.append(time.perf_counter() - start)
    return min(times) * 1e3
x = torch.randn(3000, 3000); out = torch.empty_like(x); half = torch.empty(3000, 1500)
f16 = torch.empty(3000, 3000, dtype=torch.float16)
rows = torch.randint(0, 3000, (3000,)); places = torch.randint(0, x.numel(), (2000000,))
flat, sums = x.ravel(), torch.zeros(1000)
bins, ones = torch.randint(0, 1000, (1000000,)), torch.randn(1000000)
print(json.dumps({
    "copy 9e6": best(lambda: out.copy_(x)), "copy transposed": best(lambda: out.copy_(x.T)),
    "copy [:, ::2]": best(lambda: half.copy_(x[:, ::2])), "float32 to float16": best(lambda: f16.copy_(x)),
    "take rows": best(lambda: torch.index_select(x, 0, rows, out=out)),
    "take 2e6 elements": best(lambda: flat[places]),
    "scatter_add 1e6": best(lambda: sums.index_add_(0, bins, ones)),
    "softmax axis 1": best(lambda: torch.softmax(x, 1, out=out)),
    "softmax axis 0": best(lambda: torch.softmax(x, 0, out=out)),
    "sort lines": best(lambda: torch.sort(x[:300], 1)),
    "argsort lines": best(lambda: torch.argsort(x[:300], 1)),
    "uniform": best(lambda: out.uniform_()), "normal": best(lambda: out.normal_()),
}))
"""


def torch_times(threads):
    """Return PyTorch's times by name, or nothing where it is not installed."""
    peer = ROOT / ".peers" / "torch" / "bin" / "python"
    python = os.fspath(peer) if peer.is_file() else sys.executable
    done = subprocess.run([python, "-c", TORCH, str(threads)], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the times there as well")
    arguments = parser.parse_args()
    from mxcy import _engine

    peer = torch_times(_engine.num_workers())
    print(f"{'':22}{'mxcy ms':>9}{'NumPy':>9}{'ratio':>7}{'PyTorch':>9}{'ratio':>7}")
    table = {}
    for name, run, reference in ours():
        run(), reference()
        mine, numpy, other = best(run), best(reference), peer.get(name)
        table[name] = {"mxcy": mine, "numpy": numpy, "torch": other}
        beside = f"{other:9.2f}{mine / other:7.2f}" if other else ""
        print(f"{name:22}{mine:9.2f}{numpy:9.2f}{mine / numpy:7.2f}{beside}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
