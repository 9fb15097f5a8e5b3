"""Pooling.

ONNX counts what lies behind the data differently from runtime to runtime, so windows that reach over the
end are made by explicit padding: MXNet's mean counts its padding, but not what lies behind that.
"""

import numpy as np

from ...ops.pooling import extent_of
from ..writer import exports
from .layers import channels_back, channels_first, per_axis

GLOBAL = {"max": "GlobalMaxPool", "avg": "GlobalAveragePool", "lp": "GlobalLpPool"}


@exports("Pooling", "Pooling_v1")
def pooling(g, attrs, x):
    layout = attrs.get("layout")
    data = channels_first(g, x, layout)
    y = whole(g, attrs, data) if attrs["global_pool"] else windows(g, attrs, data)
    return channels_back(g, y, x.rank, layout)


def whole(g, attrs, x):
    """One window over everything."""
    kind = attrs["pool_type"]
    if kind == "sum" or (kind == "lp" and attrs["p_value"] == 1):
        return g("ReduceSum", x, g.ints(*range(2, x.rank)), keepdims=1)
    g.need(kind != "lp" or attrs["p_value"] == 2, "p_value", "1 or 2", attrs["p_value"])
    return g(GLOBAL[kind], x, p=attrs["p_value"] if kind == "lp" else None)


def windows(g, attrs, x):
    """Windows that move over the data."""
    kind, kernel, convention = attrs["pool_type"], attrs["kernel"], attrs["pooling_convention"]
    stride, pad = per_axis(attrs["stride"], len(kernel), 1), per_axis(attrs["pad"], len(kernel), 0)
    behind, ceiling = beyond(g, x, kernel, stride, pad, convention)
    ceil_mode = 1 if ceiling else None
    if kind == "max":
        return g("MaxPool", x, kernel_shape=kernel, strides=stride, pads=(*pad, *added(pad, behind)),
                 ceil_mode=ceil_mode)  # fmt: skip
    counted = attrs.get("count_include_pad") is not False
    if kind == "lp" and attrs["p_value"] != 1:
        g.need(attrs["p_value"] == 2, "p_value", "1 or 2", attrs["p_value"])  # others keep signs in MXNet
        return g("LpPool", x, kernel_shape=kernel, strides=stride, pads=(*pad, *added(pad, behind)),
                 p=attrs["p_value"])  # fmt: skip
    if kind == "avg":
        if counted and any(pad) and (any(behind) or ceiling):
            edges = (0, 0, *pad)
            x, pad = g("Pad", x, g.ints(*edges, *edges), g.constant(0, x.dtype)), (0,) * len(pad)
            counted = False
        elif any(behind) or not any(pad):
            counted = False
        return g("AveragePool", x, kernel_shape=kernel, strides=stride, pads=(*pad, *added(pad, behind)),
                 count_include_pad=int(counted), ceil_mode=ceil_mode)  # fmt: skip
    g.need(not ceiling, "dynamic", "fixed extents for pooling_convention 'full'", x.extents)
    size = x.dtype.type(np.prod(kernel))
    mean = g("AveragePool", x, kernel_shape=kernel, strides=stride, pads=(*pad, *added(pad, behind)),
             count_include_pad=1)  # fmt: skip
    return g("Mul", mean, g.constant(size))


def added(pad, behind):
    """Padding at the end of each axis."""
    return tuple(a + b for a, b in zip(pad, behind, strict=True))


def beyond(g, x, kernel, stride, pad, convention):
    """Return how far windows reach over the padding of each axis, and whether the runtime is to find out."""
    if convention == "valid":
        return (0,) * len(kernel), False
    extents = x.extents[2:]
    if None in extents:
        g.need(
            convention == "full", "dynamic", f"fixed extents for pooling_convention {convention!r}", extents
        )
        return (0,) * len(kernel), True
    name = "v1" if g.kind == "Pooling_v1" else convention
    found = []
    for extent, size, step, width in zip(extents, kernel, stride, pad, strict=True):
        count = extent_of(convention, extent, size, step, width)
        if name == "v1":
            count = min(count, (extent + 2 * width - 1) // step + 1)
        found.append(max((count - 1) * step + size - extent - 2 * width, 0))
        g.need(width + found[-1] < size, "stride", f"windows that reach the data, of {size}", step)
    return tuple(found), False


@exports("_contrib_AdaptiveAvgPooling2D")
def adaptive_pooling(g, attrs, x):
    size = attrs["output_size"] or (1, 1)
    size = size * 2 if len(size) == 1 else size
    if size == (1, 1):
        return g("GlobalAveragePool", x)
    height, width = g.fixed(x, 2, 3)
    rows, columns = means(height, size[0], x.dtype), means(width, size[1], x.dtype)
    return g("MatMul", g("MatMul", g.constant(rows), x), g.constant(columns.T))


def means(extent, count, dtype):
    """The matrix that averages `extent` elements in `count` windows, which may overlap."""
    found = np.zeros((count, extent), dtype)
    for i in range(count):
        begin, end = i * extent // count, -(-(i + 1) * extent // count)
        found[i, begin:end] = 1 / (end - begin)
    return found
