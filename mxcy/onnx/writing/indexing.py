"""Slices, gathers, orders."""

import numpy as np

from ..writer import Value, exports
from .shapes import cut, multiplied

END = 2**31 - 1


def at(g, part):
    """A number, or the name of a vector, as a vector."""
    return g.ints(part) if isinstance(part, int) else part


@exports("slice")
def slice_(g, attrs, x):
    begins, ends, steps = (list(attrs[name] or ()) for name in ("begin", "end", "step"))
    steps = [step or 1 for step in steps] or [1] * len(begins)
    begins = [(0 if step > 0 else END) if n is None else n for n, step in zip(begins, steps, strict=True)]
    ends = [(END if step > 0 else -END) if n is None else n for n, step in zip(ends, steps, strict=True)]
    axes = g.ints(*range(len(begins)))
    return g("Slice", x, g.ints(*begins), g.ints(*ends), axes, g.ints(*steps))


@exports("slice_axis")
def slice_axis(g, attrs, x):
    return cut(g, x, attrs["axis"] % x.rank, attrs["begin"], attrs["end"])


@exports("slice_like")
def slice_like(g, attrs, x, like):
    axes = [n % x.rank for n in attrs["axes"]] or list(range(x.rank))
    ends = g.dims(*(g.extent(like, axis) for axis in axes))
    return g("Slice", x, g.ints(*[0] * len(axes)), ends, g.ints(*axes))


@exports("Crop")
def crop(g, attrs, x, *like):
    size = [g.extent(like[0], 2), g.extent(like[0], 3)] if like else list(attrs["h_w"])
    if attrs["center_crop"]:
        whole = g.fixed(x, 2, 3)
        g.need(all(isinstance(n, int) for n in size), "dynamic", "fixed extents for center_crop", size)
        begin = [(n - m) // 2 for n, m in zip(whole, size, strict=True)]
    else:
        begin = list(attrs["offset"]) or [0, 0]
    ends = [b + n if isinstance(n, int) else g("Add", n, g.ints(b)) for b, n in zip(begin, size, strict=True)]
    return g("Slice", x, g.ints(*begin), g.dims(*ends), g.ints(2, 3))


def within(g, places, extent, mode):
    """Places moved into an axis, as `take` does."""
    if mode == "raise":
        return places
    if mode == "wrap":
        return g("Mod", places, at(g, extent))
    least = g.constant(0, "int64")
    if isinstance(extent, int):
        return g("Clip", places, least, g.constant(extent - 1, "int64"))
    return g("Clip", places, least, g("Squeeze", g("Sub", extent, g.ints(1)), g.ints(0)))


@exports("take")
def take(g, attrs, x, indices):
    axis = attrs["axis"] % x.rank
    places = within(g, g.cast(indices, "int64"), g.extent(x, axis), attrs["mode"])
    return g("Gather", x, places, axis=axis)


@exports("batch_take")
def batch_take(g, attrs, x, indices):
    places = g("Unsqueeze", g.reshape(g.cast(indices, "int64"), -1), g.ints(1))
    return g.reshape(g("GatherElements", x, within(g, places, g.extent(x, 1), "clip"), axis=1), -1)


@exports("pick")
def pick(g, attrs, x, indices):
    axis = -1 if attrs["axis"] is None else attrs["axis"]
    axis %= x.rank
    places = g.cast(indices, "int64")
    if indices.rank < x.rank:
        places = g("Unsqueeze", places, g.ints(axis))
    places = within(g, places, g.extent(x, axis), attrs["mode"])
    y = g("GatherElements", x, places, axis=axis)
    if attrs["keepdims"]:
        return y
    return g("Squeeze", y, g.ints(axis)) if g.results[0].rank < x.rank else y


@exports("gather_nd")
def gather_nd(g, attrs, x, indices):
    order = (*range(1, indices.rank), 0)
    return g("GatherND", x, g("Transpose", g.cast(indices, "int64"), perm=order))


@exports("scatter_nd")
def scatter_nd(g, attrs, x, indices):
    order = (*range(1, indices.rank), 0)
    zeros = g("ConstantOfShape", g.ints(*attrs["shape"]), value=np.zeros(1, x.dtype))
    return g("ScatterND", zeros, g("Transpose", g.cast(indices, "int64"), perm=order), x)


@exports("one_hot")
def one_hot(g, attrs, x):
    dtype = g.results[0].dtype
    values = g.constant([attrs["off_value"], attrs["on_value"]], dtype)
    return g("OneHot", g.cast(x, "int64"), g.constant(attrs["depth"], "int64"), values, axis=-1)


# --- orders -----------------------------------------------------------------------------------------------
def ordered(g, attrs, x, count, ascending):
    """Return (values, places) of the first elements of an axis in order."""
    axis = attrs["axis"]
    if axis is None:
        size = multiplied(g, g.extents(x))
        x, axis = Value(g.reshape(x, -1), (size if isinstance(size, int) else None,), x.dtype), 0
    axis %= x.rank
    many = at(g, count if count else g.extent(x, axis))
    return g("TopK", x, many, axis=axis, largest=int(not ascending), sorted=1, outputs=2)


@exports("topk")
def topk(g, attrs, x):
    kind = attrs["ret_typ"]
    g.need(kind != "mask", "ret_typ", "value, indices or both", "'mask'")
    values, places = ordered(g, attrs, x, attrs["k"], attrs["is_ascend"])
    if kind == "value":
        return values
    named = g.cast(places, g.results[-1].dtype)
    return named if kind == "indices" else [values, named]


@exports("sort")
def sort(g, attrs, x):
    return ordered(g, attrs, x, 0, attrs["is_ascend"])[0]


@exports("argsort")
def argsort(g, attrs, x):
    return g.cast(ordered(g, attrs, x, 0, attrs["is_ascend"])[1], g.results[0].dtype)


@exports("_contrib_index_copy")
def index_copy(g, attrs, old, places, new):
    where = g("Unsqueeze", g.cast(places, "int64"), g.ints(1))
    return g("ScatterND", old, where, new)
