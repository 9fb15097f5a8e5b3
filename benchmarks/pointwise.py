"""Is sqrt(a*a+b*b)*0.5+tanh(a) as one program at most 0.5x NumPy's time, and not slower than torch.compile?

    python benchmarks/pointwise.py [--json FILE]

One thread and two threads are two runs, as the number of workers is fixed at the start. Also: time to
push an addition of 10^7 elements, thin broadcasts, half types, strided operands.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

import numpy as np
from _turns import Peer, Table, arguments, finish, serve

N = 10_000_000


def inputs():
    rng = np.random.default_rng(0)
    return rng.random(N, np.float32), rng.random(N, np.float32)


def peer():
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    a, b = (torch.from_numpy(x) for x in inputs())

    def eager():
        return torch.sqrt(a * a + b * b) * 0.5 + torch.tanh(a)

    compiled = torch.compile(lambda a, b: torch.sqrt(a * a + b * b) * 0.5 + torch.tanh(a))
    compiled(a, b)
    rows = torch.ones(1_000_000, 3), torch.ones(3)
    serve({
        "eager": (eager, 1), "compiled": (lambda: compiled(a, b), 1), "add": (lambda: a + b, 1),
        "thin": (lambda: rows[0] + rows[1], 1),
    })  # fmt: skip


def numpy_expression(a, b):
    return np.sqrt(a * a + b * b) * np.float32(0.5) + np.tanh(a)


def program_of(code):
    from mxcy._pointwise import Const, compile_program

    steps = [
        (np.multiply, [0, 0]), (np.multiply, [1, 1]), (np.add, [2, 3]), (np.sqrt, [4]),
        (np.multiply, [5, Const(0.5)]), (np.tanh, [0]), (np.add, [6, 7]),
    ]  # fmt: skip
    return compile_program(2, steps, [8], [code, code])


def run(options, threads):
    from mxcy._pointwise import compile_program, invoke

    from mxcy import _array

    table = Table(f"10^7 float32, {threads} worker{'s' * (threads > 1)}")
    torch = Peer("torch", __file__, threads)
    a, b = inputs()
    x, y = _array.from_numpy(a), _array.from_numpy(b)
    program, add = program_of(11), compile_program(2, [(np.add, [0, 1])], [2], [11, 11])

    def wait(program, *operands):
        return lambda: invoke(program, operands)[0].wait_to_read()

    assert np.array_equal(np.asarray(invoke(program, [x, y])[0]), numpy_expression(a, b)), "not NumPy's bits"
    table.row("sqrt(a*a+b*b)*0.5+tanh(a)", {
        "mxcy": wait(program, x, y), "numpy": lambda: numpy_expression(a, b),
        "torch": torch.timer("eager"), "torch.compile": torch.timer("compiled"),
    })  # fmt: skip
    contenders = {"mxcy": wait(add, x, y), "numpy": lambda: a + b, "torch": torch.timer("add")}
    table.row("a + b, result in fresh memory", contenders)
    thin, three = np.ones((1_000_000, 3), "f4"), np.ones(3, "f4")
    p, q = _array.from_numpy(thin), _array.from_numpy(three)
    table.row("(10^6, 3) + (3,)", {
        "mxcy": wait(add, p, q), "numpy": lambda: thin + three, "torch": torch.timer("thin"),
    })  # fmt: skip
    half = a[: N // 10].astype("f2"), b[: N // 10].astype("f2")
    hx, hy = (_array.from_numpy(h) for h in half)
    halves = compile_program(2, [(np.add, [0, 1])], [2], [9, 9])
    table.row("float16 a + b, 10^6", {"mxcy": wait(halves, hx, hy), "numpy": lambda: half[0] + half[1]})
    square = a[:9_000_000].reshape(3000, 3000)
    s = _array.from_numpy(square)
    turned = s._transpose_view((1, 0))
    table.row("m + m.T, (3000, 3000)", {"mxcy": wait(add, s, turned), "numpy": lambda: square + square.T})
    if threads > 1:
        push(a, b)
    torch.close()
    finish(options, table)


def push(a, b):
    """How long the call takes that starts an addition of 10^7 elements: the first, and others while it runs.

    Before the first 120 MB have gone through the caches and the interpreter waits in them: beside it the
    same wait is followed by NumPy adding four numbers, and by a call that does nothing.
    """
    import mxcy as mx

    few = np.ones(4)
    a, b = mx.nd.array(a), mx.nd.array(b)
    firsts = {"mxcy": lambda: a + b, "numpy, 4 elements": lambda: few + few, "an empty call": lambda: None}
    times = {name: [] for name in firsts}
    running, next_ones = [], []
    for _ in range(50):
        for name, call in firsts.items():
            start = time.perf_counter()
            first = call()
            times[name].append(time.perf_counter() - start)
            start = time.perf_counter()
            second = a + b
            if name == "mxcy":
                running.append(time.perf_counter() - start)
                start = time.perf_counter()
                third = a + b
                next_ones.append(time.perf_counter() - start)
                del third
            mx.nd.waitall()
            del first, second
    medians = ", ".join(f"{name} {statistics.median(t) * 1e6:.2f}" for name, t in times.items())
    second, third = (statistics.median(found) * 1e6 for found in (running, next_ones))
    print(f"  push of a + b, 10^7, while it runs: {second:.2f} us at once, then {third:.2f} us")
    print(f"  after a wait for 120 MB: {medians} us")


def main():
    options = arguments(__doc__)
    if options.peer:
        peer()
        return
    threads = os.environ.get("MXCY_NUM_THREADS")
    if threads:
        run(options, int(threads))
        return
    for threads in ("1", "2"):
        subprocess.run(
            [sys.executable, *sys.argv], env={**os.environ, "MXCY_NUM_THREADS": threads}, check=True
        )


if __name__ == "__main__":
    main()
