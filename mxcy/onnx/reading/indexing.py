"""Slices and gathers."""

from ... import symbol as sym
from ..reader import imports


def bound(value, extent=None):
    """A place of ONNX, where very large numbers stand for the end, or the beginning."""
    if extent is None or -extent <= value < extent:
        return None if abs(value) >= 2**31 - 1 else value
    return None


@imports("Slice")
def slice_(n):
    begins, ends = n.numbers(1, "starts"), n.numbers(2, "ends")
    axes = n.numbers(3, "axes") or list(range(len(begins)))
    steps = [int(step) for step in n.values(4)] if n.has(4) else [1] * len(begins)
    x = n[0]
    for i, (begin, end, axis, step) in enumerate(zip(begins, ends, axes, steps, strict=True)):
        name = {"name": n.name} if i == len(axes) - 1 else {}
        if step == 1:
            extent = None if n.shape(0) is None else n.shape(0)[axis]
            first = 0 if extent is not None and begin < -extent else begin
            x = sym.slice_axis(x, axis=axis, begin=first, end=bound(end, extent), **name)
            continue
        place = axis if axis >= 0 else axis + n.rank()
        before = (None,) * place
        first = bound(begin) if step < 0 else begin
        if first == -1 and step < 0:
            first = None
        x = sym.slice(x, begin=(*before, first), end=(*before, bound(end)), step=(*before, step), **name)
    return x


@imports("Gather")
def gather(n):
    axis, places = n.get("axis", 0), n.constant(1)
    if places is not None and places.ndim == 0:
        place = int(places)
        part = sym.slice_axis(n[0], axis=axis, begin=place, end=place + 1 or None)
        if n.shape(0) is not None and n.rank() == 1:
            return part
        return sym.squeeze(part, axis=axis, name=n.name)
    return sym.take(n[0], n[1], axis=axis, mode="wrap", name=n.name)


@imports("GatherElements")
def gather_elements(n):
    axis, shape = n.get("axis", 0), n.shape(1)
    single = shape is not None and shape[axis] == 1
    n.need(single, "indices", f"one place along axis {axis}", shape)
    axis %= len(shape)
    places, x = n[1], n[0]
    others = [i for i in range(len(shape)) if i != axis]
    n.need(all(n.shape(0)[i] == shape[i] for i in others), "indices", "the extents of data elsewhere", shape)
    return sym.pick(x, places, axis=axis, keepdims=True, mode="wrap", name=n.name)


@imports("GatherND")
def gather_nd(n):
    if n.get("batch_dims", 0) == 1 and n.rank(1) == 2 and n.shape(1)[1] == 1:
        lengths = sym.Cast(sym.squeeze(n[1], axis=1) + 1, dtype="float32")
        return sym.SequenceLast(n[0], lengths, use_sequence_length=True, axis=1, name=n.name)
    n.need(not n.get("batch_dims", 0), "batch_dims", "0", n.get("batch_dims"))
    rank = n.rank(1)
    return sym.gather_nd(n[0], sym.transpose(n[1], axes=(rank - 1, *range(rank - 1))), name=n.name)


@imports("OneHot")
def one_hot(n):
    depth, values = int(n.values(1).item()), n.values(2)
    places = sym.Cast(n[0], dtype="float32")
    places = sym.where(places < 0, places + depth, places)
    off, on = values.tolist()
    y = sym.one_hot(places, depth=depth, off_value=off, on_value=on, dtype=values.dtype.name)
    axis, rank = n.get("axis", -1), n.rank()
    if axis in (-1, rank):
        return y
    order = list(range(rank))
    order.insert(axis % (rank + 1), rank)
    return sym.transpose(y, axes=tuple(order), name=n.name)


@imports("ReverseSequence")
def reverse_sequence(n):
    time, batch = n.get("time_axis", 0), n.get("batch_axis", 1)
    n.need((time, batch) in ((0, 1), (1, 0)), "time_axis", "0 or 1, and the other one for the batch", time)
    x = n[0] if time == 0 else sym.SwapAxis(n[0], dim1=0, dim2=1)
    lengths = sym.Cast(n[1], dtype="float32")
    y = sym.SequenceReverse(x, lengths, use_sequence_length=True)
    return y if time == 0 else sym.SwapAxis(y, dim1=0, dim2=1, name=n.name)
