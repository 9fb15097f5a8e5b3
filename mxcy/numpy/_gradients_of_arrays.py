"""The gradients of functions that are not universal: shapes, sums, choice, products.

Arguments of rules are as in `_gradients.py`, and those of the function by name.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as _np

from . import _conversions, _creation, _products, _reductions, _shapes, _through, linalg
from . import _ufuncs as u
from ._gradients import fit
from ._recorded import CONSTANT, Rule, put_item

__all__ = ["give_rules"]

r, s, t = _reductions, _shapes, _through


# --- shapes -----------------------------------------------------------------------------------------
def _reshaped(g: Any, like_a: Any, order: str = "C") -> Any:
    return s.reshape(g, like_a.shape, order or "C")


def _transposed(g: Any, axes: Any) -> Any:
    return s.transpose(g) if axes is None else s.transpose(g, tuple(_np.argsort([a % g.ndim for a in axes])))


def _pieces(g: Any, arrays: Any, axis: Any) -> list:
    """What flows to each array that was concatenated."""
    if axis is None:
        sizes = [x.size for x in arrays]
        parts = t.split(g, _np.cumsum(sizes)[:-1].tolist())
        return [s.reshape(part, x.shape) for part, x in zip(parts, arrays, strict=True)]
    return t.split(g, _np.cumsum([x.shape[axis] for x in arrays])[:-1].tolist(), axis)


def _unstacked(g: Any, arrays: Any, axis: Any) -> list:
    return [g[(slice(None),) * (axis % g.ndim) + (i,)] for i in range(len(arrays))]


def _joined(g: Any, axis: Any) -> Any:
    return t.concatenate(list(g), axis)


def _shown_once(g: Any, like: Any, axis: Any, repeats: Any) -> Any:
    """The sum over repetitions of each element, `repeats` times along an axis (None: flattened)."""
    flat = s.reshape(g, (-1,)) if axis is None else g
    axis = 0 if axis is None else axis % g.ndim
    extent = like.size if like.ndim != flat.ndim or flat is not g else like.shape[axis]
    index = _np.repeat(_np.arange(extent), repeats)
    shape = (*flat.shape[:axis], extent, *flat.shape[axis + 1 :])
    found = put_item(flat, (slice(None),) * axis + (index,), shape)
    return s.reshape(found, like.shape)


def _untiled(g: Any, like_A: Any, reps: Any) -> Any:
    reps = tuple(reps) if isinstance(reps, (tuple, list)) else (reps,)
    ndim = max(len(reps), like_A.ndim)
    reps = (1,) * (ndim - len(reps)) + reps
    shape = (1,) * (ndim - like_A.ndim) + like_A.shape
    g = s.reshape(g, tuple(n for pair in zip(reps, shape, strict=True) for n in pair))
    return s.reshape(r.sum(g, axis=tuple(range(0, 2 * ndim, 2))), like_A.shape)


def _cropped(g: Any, like_array: Any, pad_width: Any) -> Any:
    """As in MXNet, elements that were repeated at the edges have the gradient of the original alone."""
    pairs = _np.broadcast_to(_np.asarray(pad_width), (like_array.ndim, 2))
    return g[tuple(slice(int(p[0]), int(p[0]) + n) for p, n in zip(pairs, like_array.shape, strict=True))]


def _rolled(g: Any, shift: Any, axis: Any) -> Any:
    back = tuple(-n for n in shift) if isinstance(shift, (tuple, list)) else -shift
    return t.roll(g, back, axis)


def _from_diagonal(g: Any, like_a: Any, offset: int, axis1: int, axis2: int) -> Any:
    """A diagonal in an array of zeros."""
    rows, columns = like_a.shape[axis1], like_a.shape[axis2]
    first, second = max(0, -offset), max(0, offset)
    n = max(0, min(rows - first, columns - second))
    index = [slice(None)] * like_a.ndim
    a1, a2 = axis1 % like_a.ndim, axis2 % like_a.ndim
    rest = [like_a.shape[i] for i in range(like_a.ndim) if i not in (a1, a2)]
    del index
    place = (..., _np.arange(first, first + n), _np.arange(second, second + n))
    whole = put_item(g, place, (*rest, rows, columns))
    return s.moveaxis(whole, (-2, -1), (a1, a2))


def _trace_grad(g: Any, like_a: Any, offset: int, axis1: int, axis2: int) -> Any:
    rows, columns = like_a.shape[axis1], like_a.shape[axis2]
    n = max(0, min(rows - max(0, -offset), columns - max(0, offset)))
    spread = s.broadcast_to(g[..., None], (*g.shape, n))
    return _from_diagonal(spread, like_a, offset, axis1, axis2)


def _diag_grad(g: Any, like_v: Any, k: int) -> Any:
    return t.diagonal(g, k) if like_v.ndim == 1 else _from_diagonal(g, like_v, k, 0, 1)


SHAPES: dict[Any, dict] = {
    s.reshape: {"a": lambda g, like_a, order: _reshaped(g, like_a, order)},
    s.ravel: {"a": lambda g, like_a, order: _reshaped(g, like_a, order)},
    _conversions.flatten: {"a": lambda g, like_a, order: _reshaped(g, like_a, order)},
    s.transpose: {"a": lambda g, axes: _transposed(g, axes)},
    s.matrix_transpose: {"x": lambda g: s.matrix_transpose(g)},
    s.swapaxes: {"a": lambda g, axis1, axis2: s.swapaxes(g, axis1, axis2)},
    s.moveaxis: {"a": lambda g, source, destination: s.moveaxis(g, destination, source)},
    s.expand_dims: {"a": lambda g, like_a: s.reshape(g, like_a.shape)},
    s.squeeze: {"a": lambda g, like_a: s.reshape(g, like_a.shape)},
    s.broadcast_to: {"array": lambda g, like_array: fit(g, like_array)},
    t.concatenate: {"arrays": lambda g, like_arrays, axis: _pieces(g, like_arrays, axis)},
    t.stack: {"arrays": lambda g, like_arrays, axis: _unstacked(g, like_arrays, axis)},
    t.split: {"ary": lambda g, axis: _joined(g, axis)},
    t.array_split: {"ary": lambda g, axis: _joined(g, axis)},
    t.repeat: {"a": lambda g, like_a, repeats, axis: _shown_once(g, like_a, axis, repeats)},
    t.tile: {"A": lambda g, like_A, reps: _untiled(g, like_A, reps)},
    t.pad: {"array": lambda g, like_array, pad_width: _cropped(g, like_array, pad_width)},
    t.flip: {"m": lambda g, axis: t.flip(g, axis)},
    t.fliplr: {"m": lambda g: t.fliplr(g)},
    t.flipud: {"m": lambda g: t.flipud(g)},
    t.roll: {"a": lambda g, shift, axis: _rolled(g, shift, axis)},
    t.rot90: {"m": lambda g, k, axes: t.rot90(g, -k, axes)},
    t.diagonal: {
        "a": lambda g, like_a, offset, axis1, axis2: _from_diagonal(g, like_a, offset, axis1, axis2)
    },
    t.trace: {"a": lambda g, like_a, offset, axis1, axis2: _trace_grad(g, like_a, offset, axis1, axis2)},
    t.diag: {"v": lambda g, like_v, k: _diag_grad(g, like_v, k)},
    t.diagflat: {"v": lambda g, like_v, k: s.reshape(t.diagonal(g, k), like_v.shape)},
    t.tril: {"m": lambda g, like_m, k: fit(t.tril(g, k), like_m)},
    t.triu: {"m": lambda g, like_m, k: fit(t.triu(g, k), like_m)},
    t.atleast_1d: {"arys": lambda g, like_arys: s.reshape(g, like_arys.shape)},
    t.atleast_2d: {"arys": lambda g, like_arys: s.reshape(g, like_arys.shape)},
    t.atleast_3d: {"arys": lambda g, like_arys: s.reshape(g, like_arys.shape)},
    _creation.copy: {"a": lambda g: g},
    _conversions.copy: {"a": lambda g: g},
    _conversions.astype: {"a": lambda g, like_a: fit(g, like_a)},
    _creation.astype: {"x": lambda g, like_x: fit(g, like_x)},
    t.real: {"val": lambda g, like_val: fit(g, like_val)},
    t.imag: {"val": lambda g, like_val: fit(g * 1j, like_val)},
}


# --- sums and choice --------------------------------------------------------------------------------
def _spread(g: Any, like: Any, axis: Any, keepdims: Any) -> Any:
    """The gradient of a reduction, repeated along the axes that were reduced."""
    if like.ndim and keepdims is not True:
        given = range(like.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        axes = {i % like.ndim for i in given}
        g = s.reshape(g, tuple([1 if i in axes else n for i, n in enumerate(like.shape)]))
    return s.broadcast_to(g, like.shape)


def _extent(like: Any, axis: Any) -> int:
    if axis is None:
        return like.size
    return math.prod([like.shape[i] for i in (axis if isinstance(axis, tuple) else (axis,))])


def _sum_grad(g: Any, like_a: Any, axis: Any, keepdims: Any) -> Any:
    return fit(_spread(g, like_a, axis, keepdims), like_a)


def _mean_grad(g: Any, like_a: Any, axis: Any, keepdims: Any) -> Any:
    spread = _spread(g, like_a, axis, keepdims)
    return (spread.astype(like_a.dtype) if like_a.dtype.kind == "f" else spread) / _extent(like_a, axis)


def _extreme_grad(g: Any, y: Any, a: Any, axis: Any, keepdims: Any) -> Any:
    hit = a == _spread(y, a, axis, keepdims)
    share = r.sum(hit, axis=axis, keepdims=True)
    return fit(_spread(g, a, axis, keepdims) * hit / share, a)


def _prod_grad(g: Any, y: Any, a: Any, axis: Any, keepdims: Any) -> Any:
    return fit(_spread(g * y, a, axis, keepdims) / a, a)


def _var_grad(g: Any, a: Any, axis: Any, ddof: Any, keepdims: Any) -> Any:
    deviation = a - r.mean(a, axis=axis, keepdims=True)
    return fit(_spread(g, a, axis, keepdims) * deviation * (2.0 / (_extent(a, axis) - ddof)), a)


def _std_grad(g: Any, y: Any, a: Any, axis: Any, ddof: Any, keepdims: Any) -> Any:
    return _var_grad(g / (2 * y), a, axis, ddof, keepdims)


def _cumsum_grad(g: Any, like_a: Any, axis: Any) -> Any:
    along = 0 if axis is None else axis
    back = t.flip(r.cumsum(t.flip(g, along), along), along)
    return fit(s.reshape(back, like_a.shape), like_a)


def _cumprod_grad(g: Any, y: Any, a: Any, axis: Any) -> Any:
    flat = s.reshape(a, (-1,)) if axis is None else a
    along = 0 if axis is None else axis
    back = t.flip(r.cumsum(t.flip(g * y, along), along), along) / flat
    return s.reshape(back, a.shape)


def _ordered_grad(g: Any, a: Any, axis: Any, descending: bool) -> Any:
    flat = s.reshape(a, (-1,)) if axis is None else a
    along = -1 if axis is None else axis
    g = t.flip(g, along) if descending else g
    places = _np.argsort(flat.asnumpy(), along, kind="stable")
    grid: list = list(_np.indices(places.shape, sparse=True))
    grid[along] = places
    return s.reshape(put_item(g, tuple(grid), flat.shape), a.shape)


def _diff_grad(g: Any, like_a: Any, n: Any, axis: Any) -> Any:
    for _ in range(1 if n is None else n):
        width = [(0, 0)] * g.ndim
        width[axis] = (1, 1)
        g = -t.diff(t.pad(g, width), axis=axis)
    return fit(g, like_a)


def _take_grad(g: Any, like_a: Any, indices: Any, axis: Any, mode: Any) -> Any:
    shape = (like_a.size,) if axis is None else like_a.shape
    along = 0 if axis is None else axis % like_a.ndim
    index = _np.asarray(indices)
    if mode == "wrap":
        index = index % shape[along]
    elif mode == "clip":
        index = index.clip(0, shape[along] - 1)
    return s.reshape(put_item(g, (slice(None),) * along + (index,), shape), like_a.shape)


def _along_grad(g: Any, like_arr: Any, indices: Any, axis: Any) -> Any:
    index = _np.asarray(indices)
    shape = (like_arr.size,) if axis is None else like_arr.shape
    along = 0 if axis is None else axis % like_arr.ndim
    grid: list = list(_np.indices(index.shape, sparse=True))
    grid[along] = index
    return s.reshape(put_item(g, tuple(grid), shape), like_arr.shape)


def _clip_grad(g: Any, a: Any, a_min: Any, a_max: Any, min: Any, max: Any) -> Any:
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    inside: Any = True
    if low is not None:
        inside = a >= low
    if high is not None:
        inside = (a <= high) & inside
    return fit(g * inside, a)


def _where_grad(g: Any, condition: Any, like: Any, first: bool) -> Any:
    zero = g * 0
    return fit(u.where(condition, g, zero) if first else u.where(condition, zero, g), like)


SUMS: dict[Any, dict] = {
    r.sum: {"a": _sum_grad},
    r.mean: {"a": _mean_grad},
    r.prod: {"a": _prod_grad},
    r.max: {"a": _extreme_grad},
    r.min: {"a": _extreme_grad},
    r.var: {"a": _var_grad},
    r.std: {"a": _std_grad},
    r.cumsum: {"a": _cumsum_grad},
    r.cumprod: {"a": _cumprod_grad},
    t.sort: {"a": _ordered_grad},
    t.diff: {"a": _diff_grad},
    t.take: {"a": _take_grad},
    t.take_along_axis: {"arr": _along_grad},
    u.clip: {"a": _clip_grad},
    u.where: {
        "condition": lambda: None,  # small changes of it change nothing
        "x": lambda g, condition, like_x: _where_grad(g, condition, like_x, True),
        "y_": lambda g, condition, like_y_: _where_grad(g, condition, like_y_, False),
    },
    t.sinc: {"x": lambda g, y, x: g * (u.cos(_np.pi * x) - y) / (x + (x == 0))},
}


# --- products ---------------------------------------------------------------------------------------
def _swapped(x: Any) -> Any:
    return s.swapaxes(x, -1, -2)


def _conj(x: Any) -> Any:
    return x.conj() if x.dtype.kind == "c" else x


def _matmul_first(g: Any, like_a: Any, b: Any) -> Any:
    b = _conj(b)
    if like_a.ndim == 1 and b.ndim == 1:
        return fit(g * b, like_a)
    if b.ndim == 1:
        return fit(g[..., None] * b, like_a)
    if like_a.ndim == 1:
        return fit(_products.matmul(b, g[..., None])[..., 0], like_a)
    return fit(_products.matmul(g, _swapped(b)), like_a)


def _matmul_second(g: Any, a: Any, like_b: Any) -> Any:
    a = _conj(a)
    if a.ndim == 1 and like_b.ndim == 1:
        return fit(g * a, like_b)
    if a.ndim == 1:
        return fit(a[:, None] * g[..., None, :], like_b)
    if like_b.ndim == 1:
        return fit(_products.matmul(_swapped(a), g[..., None])[..., 0], like_b)
    return fit(_products.matmul(_swapped(a), g), like_b)


def _dot_first(g: Any, like_a: Any, b: Any) -> Any:
    if like_a.ndim == 0 or b.ndim == 0:
        return fit(g * _conj(b), like_a)
    if b.ndim <= 2:
        return _matmul_first(g, like_a, b)
    return t.tensordot(g, _conj(b), (list(range(like_a.ndim - 1, g.ndim)), [*range(b.ndim - 2), b.ndim - 1]))


def _dot_second(g: Any, a: Any, like_b: Any) -> Any:
    if a.ndim == 0 or like_b.ndim == 0:
        return fit(g * _conj(a), like_b)
    if a.ndim == 1 and like_b.ndim == 1:
        return g * _conj(a)
    n = a.ndim - 1
    found = t.tensordot(_conj(a), g, (list(range(n)), list(range(n))))  # contracted axis first
    return s.moveaxis(found, 0, -2) if like_b.ndim > 1 else found


def _tensordot_axes(like_a: Any, like_b: Any, axes: Any) -> tuple[list, list]:
    if isinstance(axes, int):
        return list(range(like_a.ndim - axes, like_a.ndim)), list(range(axes))
    first, second = axes
    first = [first] if isinstance(first, int) else list(first)
    second = [second] if isinstance(second, int) else list(second)
    return [i % like_a.ndim for i in first], [i % like_b.ndim for i in second]


def _tensordot_first(g: Any, like_a: Any, b: Any, axes: Any) -> Any:
    of_a, of_b = _tensordot_axes(like_a, b, 2 if axes is None else axes)
    kept_a = [i for i in range(like_a.ndim) if i not in of_a]
    kept_b = [i for i in range(b.ndim) if i not in of_b]
    found = t.tensordot(g, _conj(b), (list(range(len(kept_a), g.ndim)), kept_b))
    order = [of_a[of_b.index(i)] for i in sorted(of_b)]
    return s.transpose(found, tuple(_np.argsort([*kept_a, *order]).tolist()))


def _tensordot_second(g: Any, a: Any, like_b: Any, axes: Any) -> Any:
    of_a, of_b = _tensordot_axes(a, like_b, 2 if axes is None else axes)
    kept_a = [i for i in range(a.ndim) if i not in of_a]
    kept_b = [i for i in range(like_b.ndim) if i not in of_b]
    found = t.tensordot(_conj(a), g, (kept_a, list(range(len(kept_a)))))
    order = [of_b[of_a.index(i)] for i in sorted(of_a)]
    return s.transpose(found, tuple(_np.argsort([*order, *kept_b]).tolist()))


def _solve_first(g: Any, y: Any, a: Any, like_b: Any) -> Any:
    flow = linalg.solve(_swapped(_conj(a)), g)
    if like_b.ndim == 1:
        return fit(-flow[..., None] * _conj(y)[..., None, :], a)
    return fit(-_products.matmul(flow, _swapped(_conj(y))), a)


def _inv_grad(g: Any, y: Any) -> Any:
    back = _swapped(_conj(y))
    return -_products.matmul(_products.matmul(back, g), back)


def _det_grad(g: Any, y: Any, a: Any) -> Any:
    return (g * y)[..., None, None] * _swapped(linalg.inv(a))


def _slogdet_grad(g: Any, a: Any) -> Any:
    return g[1][..., None, None] * _swapped(linalg.inv(a))


def _cholesky_grad(g: Any, y: Any) -> Any:
    n = y.shape[-1]
    half = _np.tril(_np.ones((n, n), y.dtype)) - 0.5 * _np.eye(n, dtype=y.dtype)
    inner = _products.matmul(_swapped(y), g) * half
    inner = (inner + _swapped(inner)) * 0.5
    back = linalg.inv(y)
    return _products.matmul(_products.matmul(_swapped(back), inner), back)


def _eigh_grad(g: Any, y: Any) -> Any:
    values, vectors = y
    g_values, g_vectors = g
    n = values.shape[-1]
    apart = values[..., None, :] - values[..., :, None] + _np.eye(n)
    inner = _products.matmul(_swapped(vectors), g_vectors) * (1 - _np.eye(n)) / apart
    inner = inner + g_values[..., None] * _np.eye(n)
    found = _products.matmul(_products.matmul(vectors, inner), _swapped(vectors))
    return (found + _swapped(found)) * 0.5


def _outer_grad(g: Any, other: Any, like: Any, first: bool) -> Any:
    flat = s.reshape(_conj(other), (-1,))
    found = _products.matmul(g, flat) if first else _products.matmul(flat, g)
    return s.reshape(found, like.shape)


PRODUCTS: dict[Any, dict] = {
    _products.matmul: {
        "x1": lambda g, like_x1, x2: _matmul_first(g, like_x1, x2),
        "x2": lambda g, x1, like_x2: _matmul_second(g, x1, like_x2),
    },
    _products.dot: {
        "a": lambda g, like_a, b: _dot_first(g, like_a, b),
        "b": lambda g, a, like_b: _dot_second(g, a, like_b),
    },
    _products.vecdot: {
        "x1": lambda g, like_x1, x2: fit(g[..., None] * x2, like_x1),
        "x2": lambda g, x1, like_x2: fit(g[..., None] * x1, like_x2),
    },
    t.inner: {
        "a": lambda g, like_a, b: _inner_grad(g, like_a, b, True),
        "b": lambda g, a, like_b: _inner_grad(g, like_b, a, False),
    },
    t.vdot: {
        "a": lambda g, like_a, b: s.reshape(g * b, like_a.shape),
        "b": lambda g, a, like_b: s.reshape(g * a, like_b.shape),
    },
    t.outer: {
        "a": lambda g, like_a, b: _outer_grad(g, b, like_a, True),
        "b": lambda g, a, like_b: _outer_grad(g, a, like_b, False),
    },
    t.tensordot: {"a": _tensordot_first, "b": _tensordot_second},
    linalg.inv: {"a": _inv_grad},
    linalg.det: {"a": _det_grad},
    linalg.slogdet: {"a": _slogdet_grad},
    linalg.cholesky: {"a": _cholesky_grad},
    linalg.solve: {
        "a": _solve_first,
        "b": lambda g, a, like_b: fit(linalg.solve(_swapped(_conj(a)), g), like_b),
    },
    linalg.eigh: {"a": _eigh_grad},
}


def _inner_grad(g: Any, like: Any, other: Any, first: bool) -> Any:
    if like.ndim == 0 or other.ndim == 0:
        return fit(g * other, like)
    n, m = like.ndim - 1, other.ndim - 1
    if first:
        return t.tensordot(g, other, (list(range(n, n + m)), list(range(m))))
    return t.tensordot(g, other, (list(range(m)), list(range(m))))


# --- flat functions, and where the names of arguments come from ----------------------------------------
FLAT = (
    r.any, r.all, r.argmax, r.argmin, t.argsort, t.argpartition, t.argwhere, t.array_equal, t.array_equiv,
    t.allclose, t.isclose, t.iscomplexobj, t.isrealobj, t.iscomplex, t.isreal, t.isneginf, t.isposinf,
    t.count_nonzero, t.nonzero, t.flatnonzero, t.searchsorted, t.digitize, t.bincount, t.ndim, t.size,
    t.shape, t.round, t.around, t.fix, t.isin, t.array_repr, t.array_str, t.array2string, t.result_type,
    t.can_cast, t.shares_memory, t.may_share_memory, t.lexsort, t.nanargmax, t.nanargmin, t.histogram,
    t.unique, t.isscalar, t.iterable, t.min_scalar_type, t.common_type, t.save, t.savez, t.savetxt,
    _creation.zeros_like, _creation.ones_like, _creation.empty_like, _creation.full_like,
    linalg.matrix_rank,
)  # fmt: skip

# Arguments of NumPy's functions whose signature cannot be asked for.
_SIGNATURES: dict[Any, dict[str, Any]] = {
    t.concatenate: {"arrays": None, "axis": 0},
    u.where: {"condition": None, "x": None, "y_": None},
    t.atleast_1d: {"arys": None},
    t.atleast_2d: {"arys": None},
    t.atleast_3d: {"arys": None},
    t.inner: {"a": None, "b": None},
    t.vdot: {"a": None, "b": None},
    _products.vecdot: {"x1": None, "x2": None},
}


def _signature(function: Any) -> dict[str, Any]:
    """Names of the arguments of a function and what they are by default."""
    found = _SIGNATURES.get(function)
    if found is not None:
        return found
    defaults = {}
    for name, parameter in inspect.signature(function.function).parameters.items():
        plain = parameter.default is inspect.Parameter.empty or parameter.default is _np._NoValue
        defaults[name] = None if plain else parameter.default
    return defaults


def give_rules() -> None:
    """Give the functions their rules."""
    for table in (SHAPES, SUMS, PRODUCTS):
        for function, gradients in table.items():
            defaults = _signature(function)
            function.rule = Rule(gradients, tuple(defaults), defaults)
    for function in FLAT:
        function.rule = CONSTANT
