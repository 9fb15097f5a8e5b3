"""Do calls of mxcy.numpy on small arrays take at most half of NumPy's time, and none more than 1.5x?

    python benchmarks/numpy_small.py [--json FILE] [--size N]

At 100 elements ten common functions are wanted at 0.5x NumPy's time, at 1,000 the loop's own time and 150 ns.
The loop's own time is what NumPy takes longer for that many elements than for two, with a result that is
there already (`out=`), so that its call and its allocation are left out. From ours the time of a function
that does nothing is taken off. These are shortest rounds in seconds of the processor.
"""

from __future__ import annotations

import math
import time

import numpy
from _turns import Table, arguments, finish, seconds

import mxcy.numpy

LOOPS = 2000
ROUNDS = 50  # of which the shortest counts
ALLOWED_NS = 150  # beside the loop, at 1,000 elements
# The ten functions that are to be fast, and others that must not be slow.
COMMON = [
    "a + b",
    "a * 2.0",
    "a < b",
    "exp(a)",
    "sqrt(a)",
    "maximum(a, b)",
    "a.sum()",
    "a.max()",
    "-a",
    "a += b",
]


def cases(np, size):
    """Yield (name, function) over arrays of a namespace."""
    values = numpy.linspace(0.1, 1, size)
    a, b, c = np.array(values), np.array(values), np.array(values)
    whole, mask, index = np.arange(size), np.array(values > 0.5), np.array([0, size // 2, size - 1])
    matrix = np.array(values[: size // 4 * 4].reshape(4, -1))

    def in_place():
        nonlocal c
        c += b

    def assign():
        c[1:] = b[1:]

    yield from {
        "a + b": lambda: a + b,
        "a * 2.0": lambda: a * 2.0,
        "a < b": lambda: a < b,
        "exp(a)": lambda: np.exp(a),
        "sqrt(a)": lambda: np.sqrt(a),
        "maximum(a, b)": lambda: np.maximum(a, b),
        "a.sum()": lambda: a.sum(),
        "a.max()": lambda: a.max(),
        "-a": lambda: -a,
        "a += b": in_place,
        "add(a, b)": lambda: np.add(a, b),
        "add(a, b, out=c)": lambda: np.add(a, b, out=c),
        "a ** 2": lambda: a**2,
        "matrix + row": lambda: matrix + matrix[0],
        "np.sum(matrix, axis=0)": lambda: np.sum(matrix, axis=0),
        "a.mean()": lambda: a.mean(),
        "a.std()": lambda: a.std(),
        "a.argmax()": lambda: a.argmax(),
        "cumsum(a)": lambda: np.cumsum(a),
        "a @ b": lambda: a @ b,
        "matrix @ matrix.T": lambda: matrix @ matrix.T,
        "dot(a, b)": lambda: np.dot(a, b),
        "where(mask, a, b)": lambda: np.where(mask, a, b),
        "clip(a, 0.2, 0.8)": lambda: np.clip(a, 0.2, 0.8),
        "concatenate([a, b])": lambda: np.concatenate([a, b]),
        "stack([a, b])": lambda: np.stack([a, b]),
        "zeros(size)": lambda: np.zeros(size),
        "ones(size)": lambda: np.ones(size),
        "arange(size)": lambda: np.arange(size),
        "array(a)": lambda: np.array(a),
        "asarray(a)": lambda: np.asarray(a),
        "a.copy()": lambda: a.copy(),
        "whole.astype(float)": lambda: whole.astype(float),
        "a.reshape(4, -1)": lambda: a[: size // 4 * 4].reshape(4, -1),
        "matrix.T": lambda: matrix.T,
        "a[3]": lambda: a[3],
        "float(a[3])": lambda: float(a[3]),
        "a[1:-1]": lambda: a[1:-1],
        "a[mask]": lambda: a[mask],
        "a[index]": lambda: a[index],
        "c[1:] = b[1:]": assign,
        "sort(a)": lambda: np.sort(a),
        "argsort(a)": lambda: np.argsort(a),
        "unique(a)": lambda: np.unique(a),
        "a.any()": lambda: mask.any(),
        "allclose(a, b)": lambda: np.allclose(a, b),
        "linalg.norm(a)": lambda: np.linalg.norm(a),
        "repr(a[:3])": lambda: repr(a[:3]),
    }.items()


def loops_alone(size):
    """The ten functions of NumPy with results that are there already, by name."""
    values = numpy.linspace(0.1, 1, size)
    a, b, c = values.copy(), values.copy(), values.copy()
    truth, one = numpy.zeros(size, bool), numpy.zeros(())
    return {
        "a + b": lambda: numpy.add(a, b, out=c),
        "a * 2.0": lambda: numpy.multiply(a, 2.0, out=c),
        "a < b": lambda: numpy.less(a, b, out=truth),
        "exp(a)": lambda: numpy.exp(a, out=c),
        "sqrt(a)": lambda: numpy.sqrt(a, out=c),
        "maximum(a, b)": lambda: numpy.maximum(a, b, out=c),
        "a.sum()": lambda: numpy.add.reduce(a, out=one),
        "a.max()": lambda: numpy.maximum.reduce(a, out=one),
        "-a": lambda: numpy.negative(a, out=c),
        "a += b": lambda: numpy.add(c, b, out=c),
    }


def shortest(functions):
    """The shortest times of a call of each, in turn."""
    found = [math.inf] * len(functions)
    for _ in range(ROUNDS):
        for place, function in enumerate(functions):
            found[place] = min(found[place], seconds(function, LOOPS, time.process_time))
    return found


def beside_loops(size):
    """Print how much longer the ten functions take than their loops; return the rows."""
    ours = dict(cases(mxcy.numpy, size))
    many, few = loops_alone(size), loops_alone(2)
    rows, over = [], []
    print(f"{size} elements: beside the loop (ns, shortest rounds)")
    for name in COMMON:
        taken, whole, fixed, nothing = shortest([ours[name], many[name], few[name], lambda: None])
        loop, taken = whole - fixed, taken - nothing
        rows.append({"row": f"{name}: beside the loop", "seconds": {"mxcy": taken, "loop": loop}})
        more = (taken - loop) * 1e9
        print(f"  {name:34s} mxcy {taken * 1e9:7.0f}   loop {loop * 1e9:7.0f}   and {more:5.0f}", flush=True)
        if more > ALLOWED_NS:
            over.append(name)
    print(f"  more than {ALLOWED_NS} ns beside the loop: {', '.join(over) or 'none'}")
    return rows


def main():
    options = arguments(__doc__, "size")
    tables = []
    for size in [int(options.size)] if options.size else (10, 100, 1000):
        table = Table(f"{size} elements", "us")
        for (name, ours), (_, theirs) in zip(cases(mxcy.numpy, size), cases(numpy, size), strict=True):
            marked = f"{name} *" if name in COMMON else name
            table.row(marked, {"mxcy": ours, "numpy": theirs}, LOOPS, 5)
        tables.append(table)
        slow = [r["row"] for r in table.rows if r["seconds"]["mxcy"] > 1.5 * r["seconds"]["numpy"]]
        print(f"  above 1.5x: {', '.join(slow) or 'none'}")
        if size >= 1000:
            table.rows += beside_loops(size)
    finish(options, *tables)


if __name__ == "__main__":
    main()
