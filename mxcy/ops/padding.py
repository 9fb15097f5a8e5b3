"""Padding, diagonals, and blocks moved between depth and space."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Literal

import numpy as np

from .._launch import empty_like
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Shape
from ._cases import case, raises, uniform
from ._declare import op
from ._elementwise import normalize_axis
from ._operator import describe
from .slicing import apart

Mode = Literal["constant", "edge", "reflect"]


def pairs(pad_width):
    """(before, after) for every axis."""
    return list(zip(pad_width[::2], pad_width[1::2], strict=True))


def pad_shape(data, mode, pad_width):
    if len(pad_width) != 2 * len(data) or any(width < 0 for width in pad_width):
        expected = f"{2 * len(data)} numbers from 0 up, (before, after) for every axis"
        raise ShapeError(message("Pad", "pad_width", expected, pad_width))
    for axis, (widths, extent) in enumerate(zip(pairs(pad_width), data, strict=True)):
        if mode == "reflect" and any(width >= extent and width for width in widths):
            raise ShapeError(message("Pad", "pad_width", f"widths below {extent} on axis {axis}", widths))
    return tuple(
        before + extent + after for (before, after), extent in zip(pairs(pad_width), data, strict=True)
    )


@op(
    grad=lambda g, mode, pad_width: _pad_grad(g, mode=mode, pad_width=pad_width),
    shape=pad_shape,
    ref=lambda x, mode, pad_width, constant_value=0.0: np.pad(
        x, pairs(pad_width), mode, **({"constant_values": constant_value} if mode == "constant" else {})
    ),
    cases=[
        case(uniform(1, 1, 2, 2), mode="constant", pad_width=(0, 0, 0, 0, 1, 1, 2, 0), constant_value=5),
        case(uniform(1, 2, 3, 3), mode="edge", pad_width=(0, 0, 0, 0, 1, 2, 2, 1)),
        case(uniform(1, 2, 3, 3), mode="reflect", pad_width=(0, 0, 0, 0, 1, 2, 2, 1)),
        case(uniform(0, 2), mode="constant", pad_width=(1, 1, 0, 0)),
        raises(
            ShapeError,
            uniform(2, 2),
            mode="edge",
            pad_width=(1, 1),
            match="Pad(pad_width): expected 4 numbers",
        ),
    ],
)
def Pad(data, *, mode: Mode, pad_width: Shape, constant_value: float = 0.0, out):
    """data with a border: of one value, of the edge's values, or of what lies within, reflected.

    pad_width has (before, after) for every axis, one after the other.
    """
    return kernels.pad(data, pairs(pad_width), mode, constant_value, out=out)


def pad_grad_shape(data, pad_width):
    return tuple(
        extent - before - after for (before, after), extent in zip(pairs(pad_width), data, strict=True)
    )


def pad_grad_reference(g, mode, pad_width):
    shape = pad_grad_shape(g.shape, pad_width)
    places = np.pad(
        np.arange(np.prod(shape)).reshape(shape),
        pairs(pad_width),
        mode,
        **({"constant_values": -1} if mode == "constant" else {}),
    )
    total = np.zeros(int(np.prod(shape)), g.dtype)
    np.add.at(total, places[places >= 0], g[places >= 0])
    return total.reshape(shape)


@op(
    grad=lambda g, mode, pad_width: Pad(g, mode=mode, pad_width=pad_width),
    shape=pad_grad_shape,
    kinds="iuf",
    ref=pad_grad_reference,
    cases=[
        case(uniform(1, 1, 4, 5), mode="constant", pad_width=(0, 0, 0, 0, 1, 1, 2, 0)),
        case(uniform(1, 1, 5, 6), mode="edge", pad_width=(0, 0, 0, 0, 1, 1, 2, 1)),
        case(uniform(1, 1, 5, 6), mode="reflect", pad_width=(0, 0, 0, 0, 1, 1, 2, 1)),
    ],
)
def _pad_grad(data, *, mode: Mode, pad_width: Shape, out):
    """The gradient of Pad: what lies on the border is added to where it came from."""
    return kernels.pad_grad(data, pairs(pad_width), mode, out=out)


# --- diagonals -----------------------------------------------------------------------------------------
def diagonal_length(rows, columns, k):
    length = min(rows + min(k, 0), columns - max(k, 0))
    return max(length, 0)


def diag_shape(data, k, axis1, axis2):
    if len(data) == 1:
        return (data[0] + abs(k),) * 2
    a, b = (normalize_axis("diag", axis, len(data), n) for axis, n in ((axis1, "axis1"), (axis2, "axis2")))
    if a == b:
        raise ArgumentError(message("diag", "axis2", "an axis other than axis1", axis2))
    rest = tuple(extent for i, extent in enumerate(data) if i not in (a, b))
    return (*rest, diagonal_length(data[a], data[b], k))


def diagonal_view(x, k, axis1, axis2):
    """The diagonal of x over two axes, as the last axis of a view."""
    a, b = normalize_axis("diag", axis1, x.ndim), normalize_axis("diag", axis2, x.ndim)
    shape, strides = x.shape, x.strides
    start = -k * strides[a] if k < 0 else k * strides[b]
    length = diagonal_length(shape[a], shape[b], k)
    rest = [i for i in range(x.ndim) if i not in (a, b)]
    return x._strided(
        start if length else 0,
        (*(shape[i] for i in rest), length),
        (*(strides[i] for i in rest), strides[a] + strides[b]),
    )


def diag_reference(x, k=0, axis1=0, axis2=1):
    return np.diag(x, k) if x.ndim == 1 else np.diagonal(x, k, axis1, axis2)


def zeros_with_diagonal(values, shape, k, axis1, axis2, out):
    values = apart(values, out)
    out = empty_like(values, shape) if out is None else out
    kernels.fill(out, 0)
    kernels.copy(values, out=diagonal_view(out, k, axis1, axis2))
    return out


@op(
    grad=lambda g, data, k, axis1, axis2: _diag_back(g, data, k=k, axis1=axis1, axis2=axis2),
    shape=diag_shape,
    ref=diag_reference,
    cases=[
        case(uniform(3)),
        case(uniform(3), k=-1),
        case(uniform(3, 4)),
        case(uniform(3, 4), k=1),
        case(uniform(2, 3, 4), k=-1, axis1=1, axis2=2),
        case(uniform(2, 3, 4), axis1=2, axis2=0),
        raises(
            ArgumentError,
            uniform(2, 2),
            axis1=1,
            axis2=1,
            match="diag(axis2): expected an axis other than axis1",
        ),
    ],
)
def diag(data, *, k: int = 0, axis1: int = 0, axis2: int = 1, out):
    """The diagonal of data over two axes (as the last axis), or a matrix with a vector as its diagonal."""
    if data.ndim == 1:
        return zeros_with_diagonal(data, diag_shape(data.shape, k, 0, 1), k, 0, 1, out)
    view = diagonal_view(data, k, axis1, axis2)
    if view.size == 0 and data.size:
        raise ArgumentError(message("diag", "k", f"a diagonal of shape {describe(data.shape)}", k))
    return kernels.copy(view, out=out)


def diag_back_reference(g, like, k=0, axis1=0, axis2=1):
    if like.ndim == 1:
        return np.diagonal(g, k)
    total = np.zeros(like.shape, g.dtype)
    places = np.arange(g.shape[-1])
    np.moveaxis(total, (axis1, axis2), (-2, -1))[..., places + max(-k, 0), places + max(k, 0)] = g
    return total


@op(
    grad=(lambda g, k, axis1, axis2: diag(g, k=k, axis1=axis1, axis2=axis2), None),
    ref=diag_back_reference,
    shape=lambda data, like: like,
    shape_only=("like",),
    free=("like",),
    dtype=lambda data: data,
    cases=[case(uniform(3), uniform(3, 4)), case(uniform(2, 2), uniform(2, 3, 4), k=-1, axis1=1, axis2=2)],
)
def _diag_back(data, like, *, k: int = 0, axis1: int = 0, axis2: int = 1, out):
    """Zeros of the shape of `like` with data as the diagonal; for a vector, the diagonal of data."""
    if like.ndim == 1:
        return kernels.copy(diagonal_view(data, k, 0, 1), out=out)
    return zeros_with_diagonal(data, like.shape, k, axis1, axis2, out)


# --- depth and space -----------------------------------------------------------------------------------
def check_block(op, block_size):
    if block_size < 1:
        raise ArgumentError(message(op, "block_size", "at least 1", block_size))


def depth_shape(data, block_size):
    check_block("depth_to_space", block_size)
    if len(data) != 4 or data[1] % block_size**2 or 0 in data[1:]:
        expected = f"(n, channels, height, width) with channels divisible by {block_size**2}"
        raise ShapeError(message("depth_to_space", "data", expected, describe(data)))
    n, c, h, w = data
    return (n, c // block_size**2, h * block_size, w * block_size)


def rearranged(x, folded, axes, shape, out):
    """x folded, its axes permuted, and unfolded to `shape`."""
    view = x._reshape_view(folded)
    view = kernels.copy(x)._reshape_view(folded) if view is None else view
    moved = kernels.copy(view._transpose_view(axes))._reshape_view(shape)
    return moved if out is None else kernels.copy(moved, out=out)


@op(
    grad=lambda g, block_size: space_to_depth(g, block_size=block_size),
    shape=depth_shape,
    ref=lambda x, block_size: (
        x.reshape(len(x), block_size, block_size, -1, *x.shape[2:])
        .transpose(0, 3, 4, 1, 5, 2)
        .reshape(depth_shape(x.shape, block_size))
    ),
    cases=[
        case(uniform(2, 8, 2, 3), block_size=2),
        raises(ShapeError, uniform(1, 3, 2, 2), block_size=2, match="expected (n, channels, height, width)"),
        raises(ArgumentError, uniform(1, 4, 2, 2), block_size=0, match="depth_to_space(block_size)"),
    ],
)
def depth_to_space(data, *, block_size: int, out):
    """Channels moved into blocks of block_size × block_size pixels."""
    n, c, h, w = data.shape
    folded = (n, block_size, block_size, c // block_size**2, h, w)
    return rearranged(data, folded, (0, 3, 4, 1, 5, 2), depth_shape(data.shape, block_size), out)


def space_shape(data, block_size):
    check_block("space_to_depth", block_size)
    uneven = len(data) != 4 or data[2] % block_size or data[3] % block_size
    if uneven or 0 in data[1:]:
        expected = f"(n, channels, height, width) with height and width divisible by {block_size}"
        raise ShapeError(message("space_to_depth", "data", expected, describe(data)))
    n, c, h, w = data
    return (n, c * block_size**2, h // block_size, w // block_size)


@op(
    grad=lambda g, block_size: depth_to_space(g, block_size=block_size),
    shape=space_shape,
    ref=lambda x, block_size: (
        x.reshape(*x.shape[:2], x.shape[2] // block_size, block_size, x.shape[3] // block_size, block_size)
        .transpose(0, 3, 5, 1, 2, 4)
        .reshape(space_shape(x.shape, block_size))
    ),
    cases=[
        case(uniform(2, 2, 4, 6), block_size=2),
        raises(ShapeError, uniform(1, 3, 3, 2), block_size=2, match="expected (n, channels, height, width)"),
        raises(ArgumentError, uniform(1, 4, 2, 2), block_size=0, match="space_to_depth(block_size)"),
    ],
)
def space_to_depth(data, *, block_size: int, out):
    """Blocks of block_size × block_size pixels moved into channels."""
    shape, (n, c, h, w) = space_shape(data.shape, block_size), data.shape
    folded = (n, c, h // block_size, block_size, w // block_size, block_size)
    return rearranged(data, folded, (0, 3, 5, 1, 2, 4), shape, out)
