"""Sums, means and extrema; products of matrices."""

import numpy as np

from ..writer import Value, exports

REDUCTIONS = {"sum": "ReduceSum", "mean": "ReduceMean", "max": "ReduceMax", "min": "ReduceMin",
              "prod": "ReduceProd"}  # fmt: skip


def axes_of(attrs, rank):
    """The axes that an operator reduces."""
    axis = attrs["axis"]
    chosen = range(rank) if axis is None or axis == () else (axis,) if isinstance(axis, int) else axis
    axes = {n % rank for n in chosen}
    return sorted(set(range(rank)) - axes if attrs.get("exclude") and axis not in (None, ()) else axes)


def reduce(g, kind, x, axes, keepdims):
    """Reduce axes; a result without axes has one of one element, as in MXNet."""
    if kind == "ReduceSum":
        y = g(kind, x, g.ints(*axes), keepdims=int(keepdims))
    else:
        y = g(kind, x, axes=axes, keepdims=int(keepdims))
    return y if keepdims or g.results[0].rank == 0 else at_least_one(g, y)


def at_least_one(g, y):
    """Return y in one dimension where the result of the node has one element and ONNX's none."""
    return g.reshape(y, 1) if g.results[0].extents == (1,) else y


@exports(*REDUCTIONS)
def reduction(g, attrs, x):
    axes = axes_of(attrs, x.rank)
    return reduce(g, REDUCTIONS[g.kind], x, axes, attrs["keepdims"]) if axes else g("Identity", x)


@exports("norm")
def norm(g, attrs, x):
    kind = {1: "ReduceL1", 2: "ReduceL2"}[attrs["ord"]]
    return g.cast(reduce(g, kind, x, axes_of(attrs, x.rank), attrs["keepdims"]), g.results[0].dtype)


@exports("moments")
def moments(g, attrs, x):
    axes = axes_of({"axis": attrs["axes"]}, x.rank)
    centred = g("Sub", x, g("ReduceMean", x, axes=axes, keepdims=1))
    return [
        reduce(g, "ReduceMean", part, axes, attrs["keepdims"]) for part in (x, g("Mul", centred, centred))
    ]


@exports("argmax", "argmin")
def arg_extremum(g, attrs, x):
    kind = "ArgMax" if g.kind == "argmax" else "ArgMin"
    axis = attrs["axis"]
    if axis is None:
        y = g(kind, g.reshape(x, -1), axis=0, keepdims=1)
        y = g.reshape(y, *[1] * x.rank) if attrs["keepdims"] else y
    else:
        y = g(kind, x, axis=axis % x.rank, keepdims=int(attrs["keepdims"]))
        y = y if attrs["keepdims"] else at_least_one(g, y)
    return g.cast(y, g.results[0].dtype)


@exports("argmax_channel")
def argmax_channel(g, attrs, x):
    return g.cast(g("ArgMax", x, axis=x.rank - 1, keepdims=0), g.results[0].dtype)


@exports("_np_cumsum")
def cumsum(g, attrs, x):
    axis = attrs["axis"]
    data = g.reshape(x, -1) if axis is None else x
    y = g("CumSum", data, g.constant((axis or 0) % x.rank, "int64"))
    return g.cast(y, g.results[0].dtype) if g.results[0].dtype != x.dtype else y


# --- products ---------------------------------------------------------------------------------------------
def turned(g, x: Value, swapped):
    """x with its last two axes exchanged."""
    return g("Transpose", x, perm=(*range(x.rank - 2), x.rank - 1, x.rank - 2)) if swapped else x


@exports("batch_dot")
def batch_dot(g, attrs, a, b):
    return g("MatMul", turned(g, a, attrs["transpose_a"]), turned(g, b, attrs["transpose_b"]))


@exports("_linalg_gemm2")
def gemm2(g, attrs, a, b):
    g.need(attrs["axis"] in (-2, a.rank - 2), "axis", "-2", attrs["axis"])
    y = g("MatMul", turned(g, a, attrs["transpose_a"]), turned(g, b, attrs["transpose_b"]))
    return y if attrs["alpha"] == 1 else g("Mul", y, g.constant(attrs["alpha"], a.dtype))


@exports("_linalg_gemm")
def gemm(g, attrs, a, b, c):
    y = gemm2(g, attrs, a, b)
    return g("Add", y, c if attrs["beta"] == 1 else g("Mul", c, g.constant(attrs["beta"], a.dtype)))


def rolled(g, x, first_last):
    """x with the first axis at the end, or the last one at the beginning."""
    order = (*range(1, x.rank), 0) if first_last else (x.rank - 1, *range(x.rank - 1))
    return Value(g("Transpose", x, perm=order), [x.extents[axis] for axis in order], x.dtype)


@exports("dot")
def dot(g, attrs, a, b):
    a = rolled(g, a, True) if attrs["transpose_a"] and a.rank > 1 else a
    b = rolled(g, b, False) if attrs["transpose_b"] and b.rank > 1 else b
    if b.rank <= 2:
        y = g("MatMul", a, b)
        return at_least_one(g, y) if a.rank == b.rank == 1 else y
    columns = g.reshape(b, 0, -1)
    return g.reshape(g("MatMul", a, columns), *g.extents(a)[:-1], *g.extents(b)[1:])


@exports("khatri_rao")
def khatri_rao(g, attrs, *factors):
    (columns,) = g.fixed(factors[0], 1)
    y = factors[0]
    for factor in factors[1:]:
        pairs = g("Mul", g("Unsqueeze", y, g.ints(1)), g("Unsqueeze", factor, g.ints(0)))
        y = g.reshape(pairs, -1, columns)
    return y


@exports("_linalg_sumlogdiag")
def sumlogdiag(g, attrs, x):
    (n,) = g.fixed(x, -1)
    mask = g.constant(np.eye(n, dtype=x.dtype))
    diagonal = g("ReduceSum", g("Mul", x, mask), g.ints(x.rank - 1), keepdims=0)
    return at_least_one(g, g("ReduceSum", g("Log", diagonal), g.ints(x.rank - 2), keepdims=0))
