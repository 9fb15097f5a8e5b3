"""Shapes: reshape, transpose, join, split, repeat, pad; arrays made from nothing."""

import numpy as np

from ... import symbol as sym
from ..package import package
from ..reader import imports


@imports("Reshape")
def reshape(n):
    shape = n.get("shape") if n.opset < 5 else None
    if shape is None:
        values = n.constant(1)
        shape = inferred(n) if values is None else [int(extent) for extent in values]
    if n.get("allowzero", 0):
        n.need(0 not in shape, "shape", "no extent of 0", shape)
    return sym.Reshape(n[0], shape=tuple(shape) or (1,), name=n.name)


def inferred(n):
    """The shape of a result that is computed from inputs, if inference leaves at most one extent open."""
    shape = n.result()
    known = shape is not None and sum(extent is None for extent in shape) <= 1
    n.need(known, n.inputs[1], "a shape of which at most one extent varies", shape)
    return [-1 if extent is None else extent for extent in shape]


@imports("Flatten")
def flatten(n):
    axis = n.get("axis", 1)
    if axis == 1:
        return sym.Flatten(n[0], name=n.name)
    if axis == 0:
        return sym.Reshape(n[0], shape=(1, -1), name=n.name)
    axis += n.rank() if axis < 0 else 0
    return sym.Reshape(n[0], shape=(int(np.prod(n.extents(0)[:axis])), -1), name=n.name)


@imports("Squeeze")
def squeeze(n):
    axes = n.numbers(1, "axes")
    return sym.squeeze(n[0], axis=tuple(axes) if axes else None, name=n.name)


@imports("Unsqueeze")
def unsqueeze(n):
    axes = n.numbers(1, "axes")
    if len(axes) > 1 and min(axes) < 0:
        rank = n.rank() + len(axes)
        axes = [axis % rank for axis in axes]
    x = n[0]
    for axis in sorted(axes)[:-1]:
        x = sym.expand_dims(x, axis=axis)
    return sym.expand_dims(x, axis=max(axes), name=n.name)


@imports("Transpose")
def transpose(n):
    return sym.transpose(n[0], axes=tuple(n.get("perm") or ()), name=n.name)


@imports("Concat")
def concat(n):
    return sym.concat(*n.symbols(), dim=n.get("axis"), name=n.name)


@imports("Split")
def split(n):
    axis, count = n.get("axis", 0), len(n.outputs)
    sizes = n.numbers(1, "split")
    shape = n.shape(0)
    if sizes is None and shape is not None and shape[axis] is not None and shape[axis] % count:
        part = -(-shape[axis] // count)
        sizes = [part] * (count - 1) + [shape[axis] - part * (count - 1)]
    if sizes is None or len(set(sizes)) == 1:
        return (
            [sym.identity(n[0])]
            if count == 1
            else sym.SliceChannel(n[0], num_outputs=count, axis=axis, name=n.name)
        )
    ends = np.cumsum(sizes).tolist()
    return [
        sym.slice_axis(n[0], axis=axis, begin=end - size, end=end)
        for size, end in zip(sizes, ends, strict=True)
    ]


@imports("Tile")
def tile(n):
    return sym.tile(n[0], reps=tuple(int(count) for count in n.values(1)), name=n.name)


@imports("Expand")
def expand(n):
    values = n.constant(1)
    shape = n.result() if values is None else values.tolist()
    known = shape is not None and None not in shape
    n.need(known, n.inputs[1], "a shape that is a constant", shape)
    return sym.broadcast_mul(n[0], sym.ones(tuple(shape)), name=n.name)


@imports("Pad")
def pad(n):
    widths, value = n.numbers(1, "pads"), n.number(2, "value")
    if n.has(3):
        widths = over_all(widths, [int(axis) for axis in n.values(3)], n.rank())
    half = len(widths) // 2
    pairs = [width for pair in zip(widths[:half], widths[half:], strict=True) for width in pair]
    mode = n.get("mode", "constant")
    n.need(mode in ("constant", "edge", "reflect"), "mode", "constant, edge or reflect", mode)
    n.need(min(widths) >= 0, "pads", "numbers of at least 0", widths)
    return sym.Pad(n[0], mode=mode, pad_width=tuple(pairs), constant_value=value or 0.0, name=n.name)


def over_all(widths, axes, rank):
    """The widths of some axes as those of all."""
    found = [0] * (2 * rank)
    for i, axis in enumerate(axes):
        found[axis % rank], found[axis % rank + rank] = widths[i], widths[i + len(axes)]
    return found


@imports("Shape")
def shape_of(n):
    found = sym.shape_array(n[0], name=n.name)
    if n.get("start", 0) or n.get("end") is not None:
        return sym.slice_axis(found, axis=0, begin=n.get("start", 0), end=n.get("end"))
    return found


@imports("Size")
def size_of(n):
    return sym.size_array(n[0], name=n.name)


# --- random numbers ---------------------------------------------------------------------------------------
def dtype_of(n):
    code = n.get("dtype")
    return "float32" if code is None else np.dtype(package().helper.tensor_dtype_to_np_dtype(code)).name


@imports("RandomUniform")
def random_uniform(n):
    return sym.random.uniform(
        n.get("low", 0.0), n.get("high", 1.0), shape=tuple(n.get("shape")), dtype=dtype_of(n)
    )


@imports("RandomNormal")
def random_normal(n):
    return sym.random.normal(
        n.get("mean", 0.0), n.get("scale", 1.0), shape=tuple(n.get("shape")), dtype=dtype_of(n)
    )


@imports("RandomUniformLike")
def random_uniform_like(n):
    return sym._internal._random_uniform_like(n[0], low=n.get("low", 0.0), high=n.get("high", 1.0))


@imports("RandomNormalLike")
def random_normal_like(n):
    return sym._internal._random_normal_like(n[0], loc=n.get("mean", 0.0), scale=n.get("scale", 1.0))


@imports("Multinomial")
def multinomial(n):
    drawn = sym.sample_multinomial(sym.softmax(n[0]), shape=(n.get("sample_size", 1),))
    return sym.Cast(drawn, dtype="int32", name=n.name)
