"""Which calls of mxcy.numpy take more than 1.5x of NumPy's time?

    python benchmarks/numpy_all.py [--json FILE] [--size N] [--only TEXT] [--above RATIO]

Every expression of tests/numpy_calls.txt that works on vectors or matrices of so many elements (10, 1,000 and
10^6), once for each, and random numbers. A call that seems slow is timed again, more often.
"""

from __future__ import annotations

import re
import statistics
import warnings
from pathlib import Path

import numpy
from _turns import ROOT, Table, arguments, finish, seconds

import mxcy.numpy
from mxcy import nd

SECONDS = 0.002  # for a round of one contender
RANDOM = [
    "random()", "integers(0, 9, N)", "random(N)", "normal(size=N)", "standard_normal(N)", "uniform(0, 2, N)",
    "exponential(size=N)", "poisson(3, N)", "choice(x, 5)", "permutation(x)", "shuffle(out)",
]  # fmt: skip
# Kept out: they end the process, wait for input, or are about texts of all elements at large sizes.
TEXTS = re.compile(r"array2string|array_repr|array_str|tolist|list\(|sorted|reversed|min\(v\)|max\(x\)|any\(x\)"
                   r"|all\(v\)|%|\{x|nditer|vectorize|lambda|fromfunction|s in x|_array\(x\)|savetxt")  # fmt: skip
# More than the square of the elements' number, or of their memory.
GROWING = re.compile(r"outer|kron|diagflat|vander|hypot_outer|meshgrid|ix_|unpackbits|poly|roots|convolve|"
                     r"correlate|np\.diag\(|corrcoef|cov|isin|histogram2d|np\.r_\['|svd|linalg|choose|insert\(A"
                     r"|np\.array\(\[\[|np\.tri\(|interp\(u, np|tile|einsum\('ij->|tensordot|dot\(X, Y|matmul")  # fmt: skip


def operands(np, size, rank):
    """What the names of a call stand for: vectors (rank 1) or square matrices of about `size` elements."""
    rng = numpy.random.default_rng(0)
    side = int(size**0.5)
    shape = (size,) if rank == 1 else (side, side)
    draw = lambda *shape: np.array(rng.random(shape) + 0.1)  # noqa: E731
    square = draw(side, side) + np.eye(side)
    line = size if rank == 1 else side
    found = {name: draw(*shape) for name in ("x", "X", "Y", "y", "z", "f")}
    found |= {"v": draw(line), "w": draw(line), "V": draw(line), "W": draw(line), "out": np.zeros(shape)}
    found |= {"u": draw(line), "uu": draw(line) + 0.1, "A": square, "B": draw(side, side), "S": square}
    found |= {"n": np.array(rng.integers(0, max(side, 1), shape)), "m": found["x"] > 0.5}
    found |= {"counts": np.array(rng.integers(0, 4, line)), "places": np.array(rng.integers(0, side, side))}
    found |= {"s": 2, "t": 3, "k": 1, "count": 3, "flag": True, "dtype": "float32", "maybe_dtype": None}
    found |= {"axis": 0, "axes": None, "order": "C", "method": "linear", "casting": "same_kind", "percent": 30}
    found |= {"fraction": 0.3, "mode": "clip", "side": "left", "span": "same", "widths": 1, "initial": 1}
    found |= {"shape": (-1,), "new_shape": shape, "length": None, "kind": None, "norm": None, "N": size}
    found |= {"key": slice(1, None), "ord_of_norm": None, "rng": np.random.default_rng(0)}
    return found | {"np": np, "operator": __import__("operator"), "math": __import__("math")}


def calls():
    """The expressions, in the order of the table."""
    text = (ROOT / "tests" / "numpy_calls.txt").read_text()
    whole, _, rest = text.partition("# statements")
    lines = (whole + rest.partition("# similar")[2]).splitlines()
    found = [line for line in lines if line and not line.startswith("#") and ".foo" not in line]
    return [*dict.fromkeys(found), *[f"rng.{call}" for call in RANDOM]]


def prepared(call, size):
    """Functions of ours and of NumPy for a call, None if NumPy does not take it."""
    for rank in (1, 2):
        theirs, ours = operands(numpy, size, rank), operands(mxcy.numpy, size, rank)
        try:
            function = eval(f"lambda: {call}", theirs)
            function()
        except Exception:
            continue
        return eval(f"lambda: {call}", ours), function
    return None


def compared(ours, theirs, rounds):
    """Median times of both, in turn."""
    taken = [seconds(f) for f in (ours, theirs)]
    times = [], []
    for _ in range(rounds):
        for place, function in enumerate((ours, theirs)):
            loops = max(1, min(1000, int(SECONDS / max(taken[place], 1e-9))))
            times[place].append(seconds(function, loops))
    return [statistics.median(t) for t in times]


def finished(function):
    def run():
        result = function()
        nd.waitall()
        return result

    return run


def main():
    options = arguments(__doc__, "size", "only", "above")
    above = float(options.above or 1.5)
    warnings.simplefilter("ignore")
    numpy.seterr(all="ignore")
    tables = []
    for size in [int(options.size)] if options.size else (10, 1000, 10**6):
        table = Table(f"{size} elements", "us")
        count = 0
        for call in calls():
            if options.only and options.only not in call:
                continue
            if size > 1000 and (TEXTS.search(call) or GROWING.search(call)):
                continue
            pair = prepared(call, size)
            if pair is None:
                continue
            ours, theirs = (finished(pair[0]) if size > 10000 else pair[0]), pair[1]
            count += 1
            try:
                mine, other = compared(ours, theirs, 3)
            except Exception as error:
                print(f"  {call}: {error!r}")
                continue
            if mine > above * other:
                mine, other = compared(ours, theirs, 9)
            if mine > above * other:
                print(f"  {call:60s} mxcy {mine * 1e6:9.2f}   numpy {other * 1e6:9.2f} ({mine / other:5.2f}x its time)")
            table.rows.append({"row": call, "seconds": {"mxcy": mine, "numpy": other}})
        slow = sum(r["seconds"]["mxcy"] > above * r["seconds"]["numpy"] for r in table.rows)
        ratios = sorted(r["seconds"]["mxcy"] / r["seconds"]["numpy"] for r in table.rows)
        middle = statistics.median(ratios) if ratios else 0
        print(f"  {count} calls, {slow} above {above}x of NumPy's time, median {middle:.2f}x", flush=True)
        tables.append(table)
    finish(options, *tables)


if __name__ == "__main__":
    main()
