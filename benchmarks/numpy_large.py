"""How long do functions of mxcy.numpy take on 10^7 elements, beside NumPy's?

    python benchmarks/numpy_large.py [--json FILE]

Wanted: chains of five and more operations 0.35x of NumPy's time, one with a new result 0.7x, in place or into
`out` 1.0x, reductions 0.75x.
"""

from __future__ import annotations

import numpy
from _turns import Table, arguments, finish

import mxcy
import mxcy.numpy

N = 10_000_000


def cases(np, dtype):
    """Yield (name, function) over arrays of a namespace."""
    rng = numpy.random.default_rng(0)
    a, b = np.array(rng.random(N, dtype)), np.array(rng.random(N, dtype))
    out = np.zeros(N, dtype)

    def in_place():
        nonlocal out
        out += a

    yield from {
        "chain: sqrt(a*a + b*b)*0.5 + tanh(a)": lambda: np.sqrt(a * a + b * b) * 0.5 + np.tanh(a),
        "chain: ((a + b)*2 - a)/b + a*b": lambda: ((a + b) * 2.0 - a) / b + a * b,
        "chain: exp(-(a - b)**2/2)*a": lambda: np.exp(-((a - b) ** 2) / 2.0) * a,
        "new: a + b": lambda: a + b,
        "new: exp(a)": lambda: np.exp(a),
        "new: a < b": lambda: a < b,
        "new: where(a < b, a, b)": lambda: np.where(a < b, a, b),
        "new: clip(a, 0.2, 0.8)": lambda: np.clip(a, 0.2, 0.8),
        "new: a.astype(complex)": lambda: a.astype(complex),
        "in place: out += a": in_place,
        "out: add(a, b, out)": lambda: np.add(a, b, out=out),
        "out: sqrt(a, out)": lambda: np.sqrt(a, out=out),
        "a.sum()": lambda: a.sum(),
        "a.mean()": lambda: a.mean(),
        "a.max()": lambda: a.max(),
        "a.std()": lambda: a.std(),
        "a.argmax()": lambda: a.argmax(),
        "a.reshape(1000, -1).sum(axis=0)": lambda: a.reshape(1000, -1).sum(axis=0),
        "a.reshape(1000, -1).sum(axis=1)": lambda: a.reshape(1000, -1).sum(axis=1),
    }.items()


def main():
    options = arguments(__doc__)
    tables = []
    for dtype in ("float32", "float64"):
        table = Table(f"10^7 elements of {dtype}")
        for (name, ours), (_, theirs) in zip(cases(mxcy.numpy, dtype), cases(numpy, dtype), strict=True):

            def finished(function=ours):
                result = function()
                mxcy.nd.waitall()
                return result

            table.row(name, {"mxcy": finished, "numpy": theirs}, 1, 7)
        tables.append(table)
    finish(options, *tables)


if __name__ == "__main__":
    main()
