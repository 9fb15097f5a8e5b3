"""Normalisations and softmax."""

import numpy as np

from ..writer import Value, Writer, exports


def number(g, value, x):
    """A number as a constant of the dtype of x."""
    return g.constant(value, x.dtype)


@exports("BatchNorm", "BatchNorm_v1")
def batch_norm(g, attrs, x, gamma, beta, mean, variance):
    axis = attrs.get("axis", 1) % x.rank
    if attrs["fix_gamma"]:
        gamma = g.constant(np.ones(g.fixed(gamma), gamma.dtype))
    order = list(range(x.rank))
    order.insert(1, order.pop(axis))
    data = x if axis == 1 else g("Transpose", x, perm=order)
    y = g("BatchNormalization", data, gamma, beta, mean, variance, epsilon=float(attrs["eps"]),
          momentum=float(attrs["momentum"]))  # fmt: skip
    return y if axis == 1 else g("Transpose", y, perm=np.argsort(order).tolist())


@exports("InstanceNorm")
def instance_norm(g, attrs, x, gamma, beta):
    return g("InstanceNormalization", x, gamma, beta, epsilon=float(attrs["eps"]))


def standardised(g, x, axes, eps, like):
    """x without its mean, over its standard deviation."""
    centred = g("Sub", x, g("ReduceMean", x, axes=axes, keepdims=1))
    variance = g("ReduceMean", g("Mul", centred, centred), axes=axes, keepdims=1)
    return g("Div", centred, g("Sqrt", g("Add", variance, number(g, eps, like))))


@exports("LayerNorm")
def layer_norm(g, attrs, x, gamma, beta):
    axis = attrs["axis"] % x.rank
    y = standardised(g, x, [axis], attrs["eps"], x)
    if axis < x.rank - 1:
        gamma, beta = (g.reshape(p, -1, *[1] * (x.rank - 1 - axis)) for p in (gamma, beta))
    return g("Add", g("Mul", y, gamma), beta)


@exports("GroupNorm")
def group_norm(g, attrs, x, gamma, beta):
    groups = attrs["num_groups"]
    y = standardised(g, g.reshape(x, 0, groups, -1), [2], attrs["eps"], x)
    gamma, beta = (g.reshape(p, 1, groups, 1) for p in (gamma, beta))
    y = g("Add", g("Mul", y, gamma), beta)
    return g("Reshape", y, g("Shape", x) if not x.fixed else g.ints(*x.extents))


@exports("LRN")
def lrn(g, attrs, x):
    return g("LRN", x, alpha=float(attrs["alpha"]), beta=float(attrs["beta"]), bias=float(attrs["knorm"]),
             size=attrs["nsize"])  # fmt: skip


@exports("L2Normalization")
def l2_normalization(g, attrs, x):
    first, end = {"instance": (1, x.rank), "channel": (1, 2), "spatial": (2, x.rank)}[attrs["mode"]]
    total = g("ReduceSum", g("Mul", x, x), g.ints(*range(first, end)), keepdims=1)
    return g("Div", x, g("Sqrt", g("Add", total, number(g, attrs["eps"], x))))


# --- softmax ----------------------------------------------------------------------------------------------
def steps_below(g: Writer, length: str, count, rank: int, axis: int) -> str:
    """Return where the places along an axis are below lengths, in a shape that broadcasts."""
    steps = g("Range", g.constant(0, "int64"), first(g, count), g.constant(1, "int64"))
    return g("Less", g.reshape(steps, -1, *[1] * (rank - 1 - axis)), length)


def first(g: Writer, count) -> str:
    """Return an extent as a scalar."""
    if isinstance(count, int):
        return g.constant(count, "int64")
    return g("Squeeze", count, g.ints(0))


def _cooled(g, attrs, x):
    temperature = attrs.get("temperature")
    return g("Div", x, number(g, temperature, x)) if temperature not in (None, 1.0) else x


def _typed(g, y, x):
    result = g.results[0].dtype
    return y if result == x.dtype else g.cast(y, result)


@exports("softmax", "log_softmax")
def softmax(g, attrs, x, *length):
    axis = attrs["axis"] % x.rank
    kind = "Softmax" if g.kind == "softmax" else "LogSoftmax"
    data = _cooled(g, attrs, x)
    if not length:
        return _typed(g, g(kind, data, axis=axis), x)
    steps = g("Unsqueeze", g.cast(length[0], "int64"), g.ints(axis))
    kept = steps_below(g, steps, g.extent(x, axis), x.rank, axis)
    least = number(g, np.finfo(x.dtype).min, x)
    y = g(kind, g("Where", kept, data, least), axis=axis)
    return _typed(g, g("Where", kept, y, number(g, 0, x)), x)


@exports("softmin")
def softmin(g, attrs, x):
    return _typed(g, g("Softmax", g("Neg", _cooled(g, attrs, x)), axis=attrs["axis"] % x.rank), x)


def over_examples(g, x: Value) -> str:
    """Softmax over all elements of an example."""
    if x.rank == 2:
        return g("Softmax", x, axis=1)
    rows = g("Softmax", g("Flatten", x, axis=1), axis=1)
    return g("Reshape", rows, g("Shape", x))


@exports("SoftmaxOutput")
def softmax_output(g, attrs, x, *label):
    if attrs["multi_output"]:
        return g("Softmax", x, axis=1)
    return g("Softmax", x, axis=x.rank - 1) if attrs["preserve_shape"] else over_examples(g, x)


@exports("SoftmaxActivation")
def softmax_activation(g, attrs, x):
    return g("Softmax", x, axis=1) if attrs["mode"] == "channel" else over_examples(g, x)
