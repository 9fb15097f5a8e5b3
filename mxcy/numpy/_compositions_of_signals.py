"""Recorded as other functions: statistics by order, interpolation, convolution, Fourier transforms.

Each stands for the function of the same name, as in `_compositions.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as _np

from . import _reductions, _shapes, _through, fft
from . import _ufuncs as u
from ._functions import own
from ._recorded import Rule

__all__ = ["COMPOSITIONS", "give_rules"]

r, s, t = _reductions, _shapes, _through


def _conj(x: Any) -> Any:
    return x.conj() if x.dtype.kind == "c" else x


def _along(axis: int, ndim: int, part: Any) -> tuple:
    """The index of a part along an axis."""
    return (slice(None),) * (axis % ndim) + (part,)


# --- order ------------------------------------------------------------------------------------------------
def quantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *,
             weights=None, interpolation=None):  # fmt: skip
    method = interpolation or method
    axes = tuple(range(a.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple([i % a.ndim for i in axes])
    kept = [i for i in range(a.ndim) if i not in axes]
    lines = s.reshape(s.transpose(a, (*kept, *axes)), (*[a.shape[i] for i in kept], -1))
    n = lines.shape[-1]
    if weights is not None:
        found = _weighted(lines, q, _weight_lines(weights, a, axes, kept), method)
        return s.reshape(found, found.shape[: _np.ndim(q)] + _left(a, axes)) if keepdims else found
    # Of 0, 1, …, n - 1 the quantile is the place between two elements, whatever the method.
    places = _np.quantile(_np.arange(float(n)), _np.asarray(q), method=method)
    low = _np.floor(places).astype(int)
    share = (places - low).astype(lines.dtype if lines.dtype.kind == "f" else float)
    ordered = t.sort(lines, -1)
    found = t.take(ordered, low, -1) * (1 - share) + t.take(ordered, _np.minimum(low + 1, n - 1), -1) * share
    found = s.moveaxis(found, tuple(range(-low.ndim, 0)), tuple(range(low.ndim))) if low.ndim else found
    return s.reshape(found, low.shape + _left(a, axes)) if keepdims else found


def _left(a: Any, axes: tuple) -> tuple:
    """The shape with the axes kept as those of one element."""
    return tuple([1 if i in axes else a.shape[i] for i in range(a.ndim)])


def _weight_lines(weights: Any, a: Any, axes: tuple, kept: list) -> Any:
    """The weights of the elements, lines as those of the elements; they may be given for the axes alone."""
    w = _np.asarray(weights)
    if w.shape != a.shape:
        w = w.transpose(_np.argsort(axes)).reshape([n if i in axes else 1 for i, n in enumerate(a.shape)])
        w = _np.broadcast_to(w, a.shape)
    return w.transpose((*kept, *axes)).reshape(*[a.shape[i] for i in kept], -1)


def _weighted(lines: Any, q: Any, weights: Any, method: str) -> Any:
    """Quantiles along lines: with weights they are elements, those that NumPy chooses among the ranks."""
    ranks = _np.argsort(_np.argsort(_np.asarray(lines), -1, stable=True), -1).astype(float)
    quantile: Any = _np.quantile  # its types leave weights out
    chosen = quantile(ranks, _np.asarray(q), axis=-1, method=method, weights=weights).astype(int)
    shape = chosen.shape
    places = _np.moveaxis(chosen.reshape(-1, *lines.shape[:-1]), 0, -1)
    return s.reshape(s.moveaxis(t.take_along_axis(t.sort(lines, -1), places, -1), -1, 0), shape)


def percentile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *,
               weights=None, interpolation=None):  # fmt: skip
    method = interpolation or method
    return quantile(a, _np.asarray(q) / 100, axis, method=method, keepdims=keepdims, weights=weights)


def select(condlist, choicelist, default=0):
    found = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        found = u.where(condition, choice, found)
    return found


def compress(condition, a, axis=None, out=None):
    places = _np.flatnonzero(_np.asarray(condition))
    return t.take(s.reshape(a, (-1,)) if axis is None else a, places, 0 if axis is None else axis)


def extract(condition, arr):
    return t.take(s.reshape(arr, (-1,)), _np.flatnonzero(_np.asarray(condition)), 0)


# --- interpolation and differences ------------------------------------------------------------------------
def interp(x, xp, fp, left=None, right=None, period=None):
    if period is not None:
        period = abs(period)
        x, xp = u.remainder(x, period), u.remainder(xp, period)
        order = _np.argsort(_np.asarray(xp))
        xp, fp = t.take(xp, order), t.take(fp, order)
        xp = t.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        return interp(x, xp, t.concatenate([fp[-1:], fp, fp[:1]]))
    at, points = _np.asarray(x), _np.asarray(xp)
    low = _np.clip(_np.searchsorted(points, at, "right") - 1, 0, max(len(points) - 2, 0))
    high = _np.minimum(low + 1, len(points) - 1)
    x0, y0 = t.take(xp, low), t.take(fp, low)
    width = t.take(xp, high) - x0
    found = y0 + (t.take(fp, high) - y0) * ((x - x0) / (width + (width == 0)))
    found = u.where(at < points[0], fp[0] if left is None else left, found)
    return u.where(at > points[-1], fp[-1] if right is None else right, found)


def polyval(p, x):
    found = x * 0
    for coefficient in p:  # Horner's rule, as in NumPy
        found = found * x + coefficient
    return found


def gradient(f, *varargs, axis=None, edge_order=1):
    axes = tuple(range(f.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    steps = [1.0] * len(axes) if not varargs else list(varargs) * (len(axes) if len(varargs) == 1 else 1)
    found = [_slope(f, step, i % f.ndim, edge_order) for step, i in zip(steps, axes, strict=True)]
    return found[0] if len(found) == 1 else tuple(found)


def _slope(f: Any, step: Any, axis: int, edge_order: int) -> Any:
    """Derivatives along an axis: central ones inside, one-sided ones at both ends."""
    n = f.shape[axis]
    steps = t.diff(step) if getattr(step, "ndim", 0) else _np.full(n - 1, float(step))
    wide = tuple([-1 if i == axis else 1 for i in range(f.ndim)])

    def part(begin: int, end: Any) -> Any:
        return f[_along(axis, f.ndim, slice(begin, end))]

    def edge(places: Any, first: Any, second: Any) -> Any:
        """The slope at the first of three neighbours, steps apart."""
        a, b, c = [part(i, i + 1 if i != -1 else None) for i in places]
        if edge_order == 1:
            return (b - a) / first
        total = first + second
        return (
            -a * (2 * first + second) / (first * total)
            + b * total / (first * second)
            - c * first / (second * total)
        )

    before, after = s.reshape(steps[:-1], wide), s.reshape(steps[1:], wide)
    ahead, behind = part(2, None) * before * before, part(0, -2) * after * after
    here = part(1, -1) * (after * after - before * before)
    inner = (ahead - behind + here) / (before * after * (before + after))
    third = 2 if edge_order == 2 else 1
    first = edge((0, 1, third), steps[0], steps[min(1, n - 2)])
    last = edge((-1, -2, -third - 1), -steps[-1], -steps[max(-2, 1 - n)])
    return t.concatenate([first, inner, last], axis)


# --- convolution --------------------------------------------------------------------------------------------
@own
def convolution_of(a, v):
    """`numpy.convolve(a, v)`, all of it."""
    return t.convolve(a, v)


def _convolution_grad(g: Any, like: Any, other: Any) -> Any:
    n = other.shape[0]
    found = convolution_of(g, t.flip(_conj(other)))[n - 1 : n - 1 + like.shape[0]]
    return found.real if like.dtype.kind != "c" and found.dtype.kind == "c" else found


def _part_of(full: Any, n: int, m: int, mode: Any, start: int) -> Any:
    short, long = min(n, m), max(n, m)
    if mode == "valid":
        return full[short - 1 : long]
    return full[start : start + long] if mode == "same" else full


def convolve(a, v, mode="full"):
    n, m = a.shape[0], v.shape[0]
    return _part_of(convolution_of(a, v), n, m, mode, (min(n, m) - 1) // 2)


def correlate(a, v, mode="valid"):
    n, m = a.shape[0], v.shape[0]
    start = m // 2 - (m % 2 == 0) if m <= n else n // 2
    return _part_of(convolution_of(a, t.flip(_conj(v))), n, m, mode, start)


# --- Fourier transforms ---------------------------------------------------------------------------------
_SWAPPED = {None: "forward", "backward": "forward", "forward": None, "ortho": "ortho"}


@own
def forward(a, axis, norm):
    """`numpy.fft.fft` of as many elements as there are."""
    return fft.fft(a, None, axis, norm)


@own
def inverse(a, axis, norm):
    """`numpy.fft.ifft` of as many elements as there are."""
    return fft.ifft(a, None, axis, norm)


def _adjoint(transform: Any) -> Any:
    """The gradient of a transform: the other direction, with the other scaling."""

    def grad(g: Any, like_a: Any, axis: Any, norm: Any) -> Any:
        found = transform(g, axis, _SWAPPED[norm])
        return found if like_a.dtype.kind == "c" else found.real.astype(like_a.dtype)

    return grad


def _resized(a: Any, n: Any, axis: int) -> Any:
    """An array cut, or filled with zeros, to a length along an axis."""
    have = a.shape[axis]
    if n is None or n == have:
        return a
    if n < have:
        return a[_along(axis, a.ndim, slice(n))]
    widths = [(0, 0)] * a.ndim
    widths[axis] = (0, n - have)
    return t.pad(a, widths)


def fft_(a, n=None, axis=-1, norm=None, out=None):
    return forward(_resized(a, n, axis), axis, norm)


def ifft_(a, n=None, axis=-1, norm=None, out=None):
    return inverse(_resized(a, n, axis), axis, norm)


def rfft(a, n=None, axis=-1, norm=None, out=None):
    whole = fft_(a, n, axis, norm)
    return whole[_along(axis, whole.ndim, slice(whole.shape[axis] // 2 + 1))]


def irfft(a, n=None, axis=-1, norm=None, out=None):
    n = 2 * (a.shape[axis] - 1) if n is None else n
    half = _resized(a, n // 2 + 1, axis)
    rest = t.flip(half[_along(axis, a.ndim, slice(1, (n + 1) // 2))], axis)
    whole = t.concatenate([half, u.conjugate(rest)], axis)
    return inverse(whole, axis, norm).real


def hfft(a, n=None, axis=-1, norm=None, out=None):
    return irfft(u.conjugate(a), n, axis, _SWAPPED[norm])


def ihfft(a, n=None, axis=-1, norm=None, out=None):
    return u.conjugate(rfft(a, n, axis, _SWAPPED[norm]))


def _extents(a: Any, extents: Any, axes: Any) -> tuple[list, list]:
    """Lengths and axes of a transform over several axes."""
    if axes is None:
        axes = range(-len(extents), 0) if extents is not None else range(a.ndim)
    axes = [i % a.ndim for i in axes]
    return [None] * len(axes) if extents is None else list(extents), axes


def _over(transform: Any, a: Any, lengths: Any, axes: Any, norm: Any) -> Any:
    for n, axis in zip(reversed(lengths), reversed(axes), strict=True):
        a = transform(a, n, axis, norm)
    return a


def fftn(a, s=None, axes=None, norm=None, out=None):
    return _over(fft_, a, *_extents(a, s, axes), norm)


def ifftn(a, s=None, axes=None, norm=None, out=None):
    return _over(ifft_, a, *_extents(a, s, axes), norm)


def fft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    return fftn(a, s, axes, norm)


def ifft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    return ifftn(a, s, axes, norm)


def rfftn(a, s=None, axes=None, norm=None, out=None):
    lengths, axes = _extents(a, s, axes)
    return _over(fft_, rfft(a, lengths[-1], axes[-1], norm), lengths[:-1], axes[:-1], norm)


def irfftn(a, s=None, axes=None, norm=None, out=None):
    lengths, axes = _extents(a, s, axes)
    return irfft(_over(ifft_, a, lengths[:-1], axes[:-1], norm), lengths[-1], axes[-1], norm)


def rfft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    return rfftn(a, s, axes, norm)


def irfft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    return irfftn(a, s, axes, norm)


def fftshift(x, axes=None):
    axes = tuple(range(x.ndim)) if axes is None else (axes,) if isinstance(axes, int) else tuple(axes)
    return t.roll(x, tuple([x.shape[i] // 2 for i in axes]), axes)


def ifftshift(x, axes=None):
    axes = tuple(range(x.ndim)) if axes is None else (axes,) if isinstance(axes, int) else tuple(axes)
    return t.roll(x, tuple([-(x.shape[i] // 2) for i in axes]), axes)


COMPOSITIONS: dict[Any, Any] = {
    t.quantile: quantile,
    t.percentile: percentile,
    t.select: select,
    t.compress: compress,
    t.extract: extract,
    t.interp: interp,
    t.polyval: polyval,
    t.gradient: gradient,
    t.convolve: convolve,
    t.correlate: correlate,
    fft.fft: fft_,
    fft.ifft: ifft_,
    fft.rfft: rfft,
    fft.irfft: irfft,
    fft.hfft: hfft,
    fft.ihfft: ihfft,
    fft.fftn: fftn,
    fft.ifftn: ifftn,
    fft.fft2: fft2,
    fft.ifft2: ifft2,
    fft.rfftn: rfftn,
    fft.irfftn: irfftn,
    fft.rfft2: rfft2,
    fft.irfft2: irfft2,
    fft.fftshift: fftshift,
    fft.ifftshift: ifftshift,
}


def give_rules() -> None:
    """Give the functions that the others are made of their gradients."""
    gradients = {
        "a": lambda g, like_a, v: _convolution_grad(g, like_a, v),
        "v": lambda g, a, like_v: _convolution_grad(g, like_v, a),
    }
    convolution_of.rule = Rule(gradients, ("a", "v"))  # type: ignore[attr-defined]
    forward.rule = Rule({"a": _adjoint(inverse)}, ("a", "axis", "norm"))  # type: ignore[attr-defined]
    inverse.rule = Rule({"a": _adjoint(forward)}, ("a", "axis", "norm"))  # type: ignore[attr-defined]
