"""Pooling, and how windows lie at the ends of the data."""

import numpy as np

from ... import symbol as sym
from ..reader import imports


def halves(n, reach, stride):
    """Return the padding (before, behind) each spatial axis of windows that reach over some elements."""
    count, mode = len(reach), n.get("auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        pads = n.get("pads") or [0] * (2 * count)
        return tuple(pads[:count]), tuple(pads[count:])
    if mode == "VALID":
        return (0,) * count, (0,) * count
    total = [max((-(-extent // step) - 1) * step + size - extent, 0)
             for extent, size, step in zip(n.extents(0)[2:], reach, stride, strict=True)]  # fmt: skip
    small, large = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    return (small, large) if mode == "SAME_UPPER" else (large, small)


def rounded_up(n, kernel, stride, before, behind):
    """Whether the padding behind is what windows need whose number is rounded up."""
    extents = n.shape(0)[2:]
    for extent, size, step, first, last in zip(extents, kernel, stride, before, behind, strict=True):
        if first == last:
            if extent is None or (extent + 2 * first - size) % step:
                return False
            continue
        if extent is None or last < first:
            return False
        if (extent + first + last - size) // step != -(-(extent + 2 * first - size) // step):
            return False
    return True


@imports("MaxPool", "AveragePool", "LpPool")
def pool(n):
    kind = {"MaxPool": "max", "AveragePool": "avg", "LpPool": "lp"}[n.kind]
    kernel = tuple(n.get("kernel_shape"))
    count = len(kernel)
    n.need(all(d == 1 for d in n.get("dilations") or [1]), "dilations", "1", n.get("dilations"))
    n.need(len(n.outputs) == 1, "Indices", "one result", "two")
    stride = tuple(n.get("strides") or (1,) * count)
    before, behind = halves(n, kernel, stride)
    counted = bool(n.get("count_include_pad", 0))
    attrs = {"kernel": kernel, "stride": stride, "pool_type": kind}
    x = n[0]
    if kind == "lp":
        attrs["p_value"] = n.get("p", 2)
        x = sym.abs(x)
    if kind == "avg":
        attrs["count_include_pad"] = counted
    if before == behind or (not counted and rounded_up(n, kernel, stride, before, behind)):
        full = before != behind or (n.get("ceil_mode", 0) and not dropped(n, kernel, stride, before))
        attrs |= {"pad": before, "pooling_convention": "full" if full else "valid"}
        return sym.Pooling(x, name=n.name, **attrs)
    n.need(not n.get("ceil_mode", 0), "pads", "the same before and behind with ceil_mode", (before, behind))
    return unevenly(n, x, kind, before, behind, counted, attrs)


def dropped(n, kernel, stride, pad):
    """Whether windows that rounding up adds begin behind the data of each axis: those do not count."""
    axes = zip(n.shape(0)[2:], kernel, stride, pad, strict=True)
    last = [None if extent is None else -(-(extent + 2 * p - size) // step) * step - p - extent
            for extent, size, step, p in axes]  # fmt: skip
    behind = [place is not None and place >= 0 for place in last]
    n.need(all(behind) or not any(behind), "ceil_mode", "the same for all axes", n.shape(0))
    return all(behind)


def unevenly(n, x, kind, before, behind, counted, attrs):
    """Pooling with a border that differs before and behind the data: it is made of numbers."""
    widths = [width for pair in zip(before, behind, strict=True) for width in pair]

    def bordered(x, value):
        return sym.Pad(x, mode="constant", pad_width=(0, 0, 0, 0, *widths), constant_value=value)

    if kind == "max":
        return sym.Pooling(bordered(x, float(np.finfo("float32").min)), name=n.name, **attrs)
    if kind == "lp" or counted:
        return sym.Pooling(bordered(x, 0.0), name=n.name, **attrs)
    share = sym.Pooling(bordered(sym.ones_like(x), 0.0), **attrs)
    return sym.broadcast_div(sym.Pooling(bordered(x, 0.0), **attrs), share, name=n.name)


@imports("GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool")
def global_pool(n):
    kind = {"GlobalMaxPool": "max", "GlobalAveragePool": "avg", "GlobalLpPool": "lp"}[n.kind]
    attrs = {"p_value": n.get("p", 2)} if kind == "lp" else {}
    shape = n.shape(0)
    kernel = (1,) * (len(shape) - 2 if shape is not None else 2)
    x = sym.abs(n[0]) if kind == "lp" else n[0]
    return sym.Pooling(x, kernel=kernel, global_pool=True, pool_type=kind, name=n.name, **attrs)
