"""Arrays made from nothing or of the shape of another one, and random numbers."""

import numpy as np

from ...ops.shape import product
from ..package import package
from ..writer import exports


def filled(g, number):
    """An array of the result's shape that holds one number."""
    result = g.results[0]
    return g("ConstantOfShape", g.ints(*g.fixed(result)), value=np.full(1, number, result.dtype))


exports("_zeros", "_zeros_without_dtype")(lambda g, attrs: filled(g, 0))
exports("_ones")(lambda g, attrs: filled(g, 1))
exports("_full")(lambda g, attrs: filled(g, attrs["value"]))


def alike(number):
    def translation(g, attrs, x):
        shape = g.ints(*x.extents) if x.fixed else g("Shape", x)
        return g("ConstantOfShape", shape, value=np.full(1, number, x.dtype))

    return translation


exports("zeros_like")(alike(0))
exports("ones_like")(alike(1))


@exports("_arange")
def arange(g, attrs):
    start, stop = attrs["start"], attrs["stop"]
    start, stop = (0, start) if stop is None else (start, stop)
    values = np.repeat(np.arange(start, stop, attrs["step"]), attrs["repeat"])
    return g.constant(values.astype(g.results[0].dtype))


@exports("_linspace")
def linspace(g, attrs):
    values = np.linspace(attrs["start"], attrs["stop"], attrs["num"], endpoint=attrs["endpoint"])
    return g.constant(values.astype(g.results[0].dtype))


@exports("_eye")
def eye(g, attrs):
    return g.constant(np.eye(attrs["N"], attrs["M"] or None, attrs["k"], g.results[0].dtype))


@exports("_contrib_arange_like")
def arange_like(g, attrs, x):
    axis, start, step, result = attrs["axis"], attrs["start"], attrs["step"], g.results[0]
    if x.fixed or (axis is not None and x.extents[axis] is not None):
        count = product(x.extents) if axis is None else x.extents[axis]
        places = np.arange(count) // attrs["repeat"]
        values = g.constant((start + step * places).astype(result.dtype))
    else:
        count = g("Size", x) if axis is None else g("Squeeze", g.extent(x, axis), g.ints(0))
        places = g("Range", g.constant(0, "int64"), count, g.constant(1, "int64"))
        places = g("Div", places, g.constant(attrs["repeat"], "int64"))
        scaled = g("Mul", g.cast(places, result.dtype), g.constant(step, result.dtype))
        values = g("Add", scaled, g.constant(start, result.dtype))
    if axis is not None:
        return values
    return g.reshape(values, *x.extents) if x.fixed else g("Reshape", values, g("Shape", x))


# --- random numbers ---------------------------------------------------------------------------------------
def code(dtype):
    """The number of a dtype in ONNX."""
    return package().helper.np_dtype_to_tensor_dtype(dtype)


@exports("_random_uniform")
def random_uniform(g, attrs):
    result = g.results[0]
    return g("RandomUniform", shape=g.fixed(result), low=float(attrs["low"]), high=float(attrs["high"]),
             dtype=code(result.dtype))  # fmt: skip


@exports("_random_normal")
def random_normal(g, attrs):
    result = g.results[0]
    return g("RandomNormal", shape=g.fixed(result), mean=float(attrs["loc"]), scale=float(attrs["scale"]),
             dtype=code(result.dtype))  # fmt: skip


@exports("_random_uniform_like")
def random_uniform_like(g, attrs, x):
    return g("RandomUniformLike", x, low=float(attrs["low"]), high=float(attrs["high"]), dtype=code(x.dtype))


@exports("_random_normal_like")
def random_normal_like(g, attrs, x):
    return g(
        "RandomNormalLike", x, mean=float(attrs["loc"]), scale=float(attrs["scale"]), dtype=code(x.dtype)
    )


@exports("_sample_multinomial")
def sample_multinomial(g, attrs, x):
    g.need(not attrs["get_prob"], "get_prob", "False", True)
    count = product(attrs["shape"])
    rows = x if x.rank == 2 else g.reshape(x, 1, -1)
    drawn = g.cast(
        g("Multinomial", g("Log", rows), sample_size=count, dtype=code(np.dtype("int32"))), "int64"
    )
    named = g.cast(drawn, g.results[0].dtype)
    extents = [-1 if extent is None else extent for extent in g.results[0].extents]
    return g.reshape(named, *extents)
