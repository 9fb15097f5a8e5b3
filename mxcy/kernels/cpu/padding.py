"""Padding, made of fills, strided copies and `take`."""

from __future__ import annotations

import numpy as np

from ... import _array
from ..._launch import empty_like
from ...errors import ArgumentError, ArgumentTypeError, ShapeError, message
from .copying import copy, fill
from .indexing import take, take_grad

__all__ = ["pad", "pad_grad"]


def pad(x, pad_width, mode="constant", constant_value=0, out=None):
    """Return x with `pad_width[d] = (before, after)` elements added along axis d.

    Modes: "constant", "edge" (the nearest element), "reflect" (mirrored at the edge, which is not
    repeated; at most length - 1 elements).
    """
    if not isinstance(x, _array.Array):
        raise ArgumentTypeError(message("pad", "x", "an array", type(x).__name__))
    widths = _check_widths(x, pad_width, mode)
    if mode == "constant":
        if out is None:
            shape = [n + before + after for n, (before, after) in zip(x.shape, widths, strict=True)]
            out = empty_like(x, shape)
        fill(out, constant_value)
        copy(x, _inside(out, widths))
        return out
    for axis, (length, pair) in enumerate(zip(x.shape, widths, strict=True)):
        if any(pair):
            x = take(x, _sources(length, pair, mode), axis=axis)
    return copy(x, out)


def pad_grad(g, pad_width, mode="constant", out=None):
    """Return the gradient of `pad` with respect to x, from the gradient of its result."""
    if mode == "constant":
        return copy(_inside(g, pad_width), out)
    for axis, pair in enumerate(pad_width):
        if any(pair):
            shape = list(g.shape)
            shape[axis] -= sum(pair)
            g = take_grad(g, _sources(shape[axis], pair, mode), shape, axis=axis)
    return copy(g, out)


def _inside(padded, widths):
    """Return a view of what is not padding."""
    offset = sum(before * stride for (before, _), stride in zip(widths, padded.strides, strict=True))
    shape = [n - before - after for n, (before, after) in zip(padded.shape, widths, strict=True)]
    return padded._strided(offset, shape, padded.strides)


def _check_widths(x, pad_width, mode):
    """Return pad widths as a list of pairs of integers that fit x and the mode."""
    widths = [(int(before), int(after)) for before, after in pad_width]
    if len(widths) != x.ndim or any(width < 0 for pair in widths for width in pair):
        expected = f"{x.ndim} pairs of numbers of at least 0"
        raise ArgumentError(message("pad", "pad_width", expected, pad_width))
    if mode not in ("constant", "edge", "reflect"):
        raise ArgumentError(message("pad", "mode", "constant, edge or reflect", repr(mode)))
    for length, pair in zip(x.shape, widths, strict=True):
        most = max(pair)
        if (mode == "reflect" and most and most >= length) or (mode == "edge" and most and not length):
            expected = f"at most {max(length - 1, 0)} for an axis of length {length}"
            raise ShapeError(message("pad", "pad_width", expected, most))
    return widths


def _sources(length, pair, mode):
    """Return the position in x of every element along a padded axis."""
    return np.pad(np.arange(length), pair, mode=mode)
