"""Which calls of mxcy.numpy take more than 1.5x of NumPy's time?

    python benchmarks/numpy_all.py [--json FILE] [--size N] [--only TEXT] [--above RATIO]

Every expression of tests/numpy_calls.txt that works on vectors or matrices of so many elements (10, 1,000 and
10^6), once for each, and random numbers. Both take short rounds in turn; the shortest counts, of up to 1,000
elements in seconds of the processor, so that other processes hardly matter. A call that seems slow is timed
again, longer.
"""

from __future__ import annotations

import math
import operator
import re
import statistics
import time
import warnings

import numpy
from _turns import ROOT, Table, arguments, finish, seconds

import mxcy.numpy
from mxcy import nd

SECONDS = 0.0005  # for a round of one contender
ROUNDS = 10
MORE_ROUNDS = 60  # of what seems slow
RANDOM = [
    "random()", "integers(0, 9, N)", "random(N)", "normal(size=N)", "standard_normal(N)", "uniform(0, 2, N)",
    "exponential(size=N)", "poisson(3, N)", "choice(x, 5)", "permutation(x)", "shuffle(out)",
]  # fmt: skip
# For few elements only: texts and Python's objects, and what grows faster than the number of elements.
FOR_FEW = re.compile(
    r"array2string|array_repr|array_str|tolist|list\(|sorted|reversed|min\(v\)|max\(x\)|any\(x\)|all\(v\)|%|"
    r"\{x|nditer|vectorize|lambda|fromfunction|s in x|outer|kron|diagflat|vander|meshgrid|ix_|unpackbits|"
    r"poly|roots|convolve|correlate|np\.diag\(|corrcoef|cov|isin|histogram2d|np\.r_\['|svd|linalg|choose|"
    r"insert\(A|unstack|np\.array\(\[\[|np\.tri\(|interp\(u, np|tile|einsum\('ij->|tensordot|dot\(X, Y|matmul"
)


def operands(np, size, rank):
    """What the names of a call stand for: vectors (rank 1) or square matrices of about `size` elements."""
    rng = numpy.random.default_rng(0)
    side = int(size**0.5)
    shape, line = ((size,), size) if rank == 1 else ((side, side), side)

    def draw(*extents):
        return np.array(rng.random(extents) + 0.1)

    square = draw(side, side) + np.eye(side)
    return {
        **{name: draw(*shape) for name in ("x", "X", "Y", "y", "z", "f")},
        **{name: draw(line) for name in ("v", "w", "V", "W", "u", "uu")},
        "out": np.zeros(shape), "A": square, "B": draw(side, side), "S": square, "m": draw(*shape) > 0.5,
        "n": np.array(rng.integers(0, max(side, 1), shape)), "counts": np.array(rng.integers(0, 4, line)),
        "places": np.array(rng.integers(0, side, side)), "rng": np.random.default_rng(0), "N": size,
        "s": 2, "t": 3, "k": 1, "count": 3, "flag": True, "dtype": "float32", "maybe_dtype": None, "axis": 0,
        "axes": None, "order": "C", "method": "linear", "casting": "same_kind", "percent": 30, "initial": 1,
        "fraction": 0.3, "mode": "clip", "side": "left", "span": "same", "widths": 1, "shape": (-1,),
        "new_shape": shape, "length": None, "kind": None, "norm": None, "key": slice(1, None),
        "ord_of_norm": None, "np": np, "operator": operator, "math": math,
    }  # fmt: skip


def calls(size):
    """The expressions, in the order of the table."""
    text = (ROOT / "tests" / "numpy_calls.txt").read_text()
    whole, _, rest = text.partition("# statements")
    lines = (whole + rest.partition("# similar")[2]).splitlines()
    found = [line for line in lines if line and not line.startswith("#") and ".foo" not in line]
    found = [*dict.fromkeys(found), *[f"rng.{call}" for call in RANDOM]]
    return [call for call in found if size <= 1000 or not FOR_FEW.search(call)]


def prepared(call, size):
    """Functions of ours and of NumPy for a call, None if NumPy does not take it."""
    for rank in (1, 2):
        theirs, ours = operands(numpy, size, rank), operands(mxcy.numpy, size, rank)
        try:
            function = eval(f"lambda: {call}", theirs)
            function()
        except Exception:  # whatever NumPy says: the call is for other operands
            continue
        mine = eval(f"lambda: {call}", ours)
        return (finished(mine), finished(function)) if size > 10000 else (mine, function)
    return None


def finished(function):
    """A function that also waits for its result (NumPy's, too: an empty wait takes as long as a call)."""

    def run():
        result = function()
        nd.waitall()
        return result

    return run


def compared(pair, rounds, clock):
    """The shortest times of both, in turn."""
    shortest = [math.inf, math.inf]
    loops = [1, 1]
    for number in range(rounds + 1):
        for place, function in enumerate(pair):
            taken = seconds(function, loops[place], clock)
            if number:  # the first round fills caches and says how long a call takes
                shortest[place] = min(shortest[place], taken)
            else:
                taken = seconds(function, 3, clock)
                loops[place] = max(1, min(1000, int(SECONDS / max(taken, 1e-7))))
    return shortest


def measure(table, size, only, above):
    """Time all calls and print the slow ones."""
    clock = time.process_time if size <= 1000 else time.perf_counter
    for call in calls(size):
        pair = prepared(call, size) if only in call else None
        if pair is None:
            continue
        mine, other = compared(pair, ROUNDS, clock)
        if mine > above * 0.9 * other:
            mine, other = compared(pair, MORE_ROUNDS, clock)
        if mine > above * other:
            times = f"mxcy {mine * 1e6:9.2f}   numpy {other * 1e6:9.2f}"
            print(f"  {call:60s} {times} ({mine / other:5.2f}x its time)", flush=True)
        table.rows.append({"row": call, "seconds": {"mxcy": mine, "numpy": other}})


def main():
    options = arguments(__doc__, "size", "only", "above")
    above = float(options.above or 1.5)
    warnings.simplefilter("ignore")
    numpy.seterr(all="ignore")
    tables = []
    for size in [int(options.size)] if options.size else (10, 1000, 10**6):
        table = Table(f"{size} elements", "us", "shortest rounds")
        measure(table, size, options.only or "", above)
        ratios = [r["seconds"]["mxcy"] / r["seconds"]["numpy"] for r in table.rows]
        slow = sum(r > above for r in ratios)
        said = f"  {len(ratios)} calls, {slow} above {above}x of NumPy's time"
        print(f"{said}, median {statistics.median(ratios):.2f}x", flush=True)
        tables.append(table)
    finish(options, *tables)


if __name__ == "__main__":
    main()
