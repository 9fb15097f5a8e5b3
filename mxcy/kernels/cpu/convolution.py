"""Convolution of 1 to 3 dimensions and its two gradients, as products of matrices."""

from __future__ import annotations

from math import prod

from ..._launch import empty_like
from ..._matmul import matmul
from .copying import copy, fill

__all__ = ["convolution", "convolution_data_grad", "convolution_weight_grad"]


def convolution(x, weight, bias, stride, dilate, pad, groups, channels_last, out=None):
    """Return the convolution of x (n, c, *spatial) with weight (m, c / groups, *kernel), plus bias (m,).

    With `channels_last` x is (n, *spatial, c) and weight (m, *kernel, c / groups).
    """
    x, weight = _channels_first(x, channels_last), _channels_first(weight, channels_last)
    spread = [d * (k - 1) for d, k in zip(dilate, weight.shape[2:], strict=True)]
    sizes = [
        (n + 2 * p - e - 1) // s + 1 for n, p, e, s in zip(x.shape[2:], pad, spread, stride, strict=True)
    ]
    padded = _placed(x, [n + 2 * p for n, p in zip(x.shape[2:], pad, strict=True)], pad, (1,) * len(pad))
    columns = _columns(padded, weight.shape[2:], sizes, stride, dilate)
    filters = copy(weight)
    shape = (x.shape[0], weight.shape[0], *sizes)
    result = _products(filters, columns, groups)._reshape_view(shape)
    if bias is not None:
        shift = bias._reshape_view((1, shape[1]) + (1,) * len(sizes))
        result = result + shift
    return copy(_channels_last(result, channels_last), out)


def convolution_data_grad(g, weight, shape, bias, stride, dilate, pad, groups, channels_last, out=None):
    """Return the gradient of `convolution` with respect to x, which has this shape; plus bias (c,)."""
    g, weight = _channels_first(g, channels_last), _channels_first(weight, channels_last)
    sizes = (*shape[1:-1],) if channels_last else (*shape[2:],)
    spread = [d * (k - 1) for d, k in zip(dilate, weight.shape[2:], strict=True)]
    total = [n + e for n, e in zip(sizes, spread, strict=True)]
    before = [e - p for e, p in zip(spread, pad, strict=True)]
    columns = _columns(_placed(g, total, before, stride), weight.shape[2:], sizes, (1,) * len(pad), dilate)
    filters = copy(_turned(copy(weight), groups))
    filters = filters._reshape_view((groups * filters.shape[1], *filters.shape[2:]))
    result = _products(filters, columns, groups)._reshape_view((g.shape[0], filters.shape[0], *sizes))
    if bias is not None:
        result = result + bias._reshape_view((1, filters.shape[0]) + (1,) * len(sizes))
    return copy(_channels_last(result, channels_last), out)


def convolution_weight_grad(g, x, shape, stride, dilate, pad, groups, channels_last, out=None):
    """Return the gradient of `convolution` with respect to weight, which has this shape."""
    g, x = _channels_first(g, channels_last), _channels_first(x, channels_last)
    kernel = (*shape[1:-1],) if channels_last else (*shape[2:],)
    padded = _placed(x, [n + 2 * p for n, p in zip(x.shape[2:], pad, strict=True)], pad, (1,) * len(pad))
    columns = _columns(padded, kernel, g.shape[2:], stride, dilate)
    n, m = g.shape[:2]
    heads = copy(g)._reshape_view((n, groups, m // groups, prod(g.shape[2:])))._transpose_view((1, 2, 0, 3))
    rows = columns._reshape_view((n, groups, columns.shape[1] // groups, columns.shape[2]))
    rows = copy(rows._transpose_view((1, 2, 0, 3)))
    heads = copy(heads)._reshape_view((groups, m // groups, n * columns.shape[2]))
    rows = rows._reshape_view((groups, rows.shape[1], n * columns.shape[2]))
    result = matmul(heads, rows, False, True)._reshape_view((m, x.shape[1] // groups, *kernel))
    return copy(_channels_last(result, channels_last), out)


def _channels_first(x, channels_last):
    if not channels_last:
        return x
    return x._transpose_view((0, x.ndim - 1, *range(1, x.ndim - 1)))


def _channels_last(x, channels_last):
    return x._transpose_view((0, *range(2, x.ndim), 1)) if channels_last else x


def _placed(x, sizes, before, step):
    """Zeros (n, c, *sizes) with the elements of x every `step`, after so many of `before`."""
    wide = fill(empty_like(x, (*x.shape[:2], *sizes)), 0)
    source, target = [0, 0], [0, 0]
    shape = [*x.shape[:2]]
    for length, size, first, s in zip(x.shape[2:], sizes, before, step, strict=True):
        skip = max(0, -(first // s)) if first < 0 else 0
        count = max(0, min(length, (size - first + s - 1) // s) - skip)
        source.append(skip)
        target.append(first + skip * s)
        shape.append(count)
    if 0 in shape:
        return wide
    strides = [s * k for s, k in zip(wide.strides, (1, 1, *step), strict=True)]
    start = sum(i * s for i, s in zip(target, wide.strides, strict=True))
    begin = sum(i * s for i, s in zip(source, x.strides, strict=True))
    copy(x._strided(begin, shape, x.strides), wide._strided(start, shape, strides))
    return wide


def _columns(padded, kernel, sizes, stride, dilate):
    """(n, c * prod(kernel), prod(sizes)): for every output pixel the elements that it is made of."""
    n, c = padded.shape[:2]
    steps = padded.strides[2:]
    strides = (
        *padded.strides[:2],
        *(s * d for s, d in zip(steps, dilate, strict=True)),
        *(s * k for s, k in zip(steps, stride, strict=True)),
    )
    view = padded._strided(0, (n, c, *kernel, *sizes), strides)
    return copy(view)._reshape_view((n, c * prod(kernel), prod(sizes)))


def _products(filters, columns, groups):
    n, rows, pixels = columns.shape
    m = filters.shape[0]
    left = filters._reshape_view((1, groups, m // groups, rows // groups))
    return matmul(left, columns._reshape_view((n, groups, rows // groups, pixels)))


def _turned(weight, groups):
    """(groups, c / groups, m / groups, *kernel reversed)"""
    m, c = weight.shape[:2]
    split = weight._reshape_view((groups, m // groups, *weight.shape[1:]))
    shape, strides = list(split.shape), list(split.strides)
    start = sum((n - 1) * s for n, s in zip(shape[3:], strides[3:], strict=True))
    turned = [strides[0], strides[2], strides[1], *(-s for s in strides[3:])]
    return split._strided(start, (groups, c, m // groups, *shape[3:]), turned)
