"""Do calls of mxcy.numpy on small arrays take at most half of NumPy's time, and none more than 1.5x?

    python benchmarks/numpy_small.py [--json FILE] [--size N]

At 100 elements ten common functions are wanted at 0.5x NumPy's time, at 1,000 the loop's time and 150 ns.
"""

from __future__ import annotations

import numpy
from _turns import Table, arguments, finish

import mxcy.numpy

LOOPS = 2000
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
    finish(options, *tables)


if __name__ == "__main__":
    main()
