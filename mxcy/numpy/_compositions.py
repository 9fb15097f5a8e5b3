"""Functions whose gradient is that of other functions: while they are recorded, they are made of those.

Each stands for the function of the same name, and takes its arguments as far as they have a gradient.
"""

from __future__ import annotations

import string
from typing import Any

import numpy as _np

from ..errors import StateError, problem
from . import (
    _compositions_of_signals,
    _creation,
    _gradients_of_factors,
    _products,
    _reductions,
    _shapes,
    _through,
    linalg,
)
from . import _ufuncs as u
from ._calls import as_array
from ._functions import own
from ._gradients import fit
from ._recorded import Rule, stripped

__all__ = ["COMPOSITIONS", "Composition", "give_rules"]

r, s, t = _reductions, _shapes, _through


class Composition:
    """The rule of a function that is recorded as other functions."""

    def __init__(self, function: Any):
        self.function = function

    def apply(self, function: Any, args: tuple, kwargs: dict) -> Any:
        """Do the call by other functions."""
        return self.function(*args, **kwargs)


# --- joining and cutting ------------------------------------------------------------------------------
def vstack(tup, *, dtype=None, casting="same_kind"):
    return t.concatenate([t.atleast_2d(x) for x in tup], 0)


def hstack(tup, *, dtype=None, casting="same_kind"):
    arrays = [t.atleast_1d(x) for x in tup]
    return t.concatenate(arrays, 0 if arrays and arrays[0].ndim == 1 else 1)


def dstack(tup):
    return t.concatenate([t.atleast_3d(x) for x in tup], 2)


def column_stack(tup):
    return t.concatenate([x if x.ndim >= 2 else s.reshape(x, (-1, 1)) for x in tup], 1)


def append(arr, values, axis=None):
    return t.concatenate([arr, values], axis)


def vsplit(ary, indices_or_sections):
    return t.split(ary, indices_or_sections, 0)


def hsplit(ary, indices_or_sections):
    return t.split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


def dsplit(ary, indices_or_sections):
    return t.split(ary, indices_or_sections, 2)


def unstack(x, /, *, axis=0):
    return tuple(s.moveaxis(x, axis, 0))


def delete(arr, obj, axis=None):
    flat = s.reshape(arr, (-1,)) if axis is None else arr
    along = 0 if axis is None else axis
    kept = _np.delete(_np.arange(flat.shape[along]), _np.asarray(obj) if not isinstance(obj, slice) else obj)
    return t.take(flat, kept, along)


def rollaxis(a, axis, start=0):
    axis, start = axis % a.ndim, start + a.ndim if start < 0 else start
    return s.moveaxis(a, axis, start - (axis < start))


def broadcast_arrays(*args, subok=False):
    shape = _np.broadcast_shapes(*[x.shape for x in args])
    return tuple(s.broadcast_to(x, shape) for x in args)


def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    n = len(xi)
    made = [s.reshape(x, (1,) * i + (-1,) + (1,) * (n - i - 1)) for i, x in enumerate(xi)]
    if indexing == "xy" and n > 1:
        made[0] = s.reshape(xi[0], (1, -1) + (1,) * (n - 2))
        made[1] = s.reshape(xi[1], (-1, 1) + (1,) * (n - 2))
    return tuple(made) if sparse else broadcast_arrays(*made)


# --- sums -----------------------------------------------------------------------------------------------
def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    if weights is None:
        found = r.mean(a, axis, keepdims=keepdims)
        return (found, _creation.full_like(found, a.size / found.size)) if returned else found
    if weights.shape != a.shape and axis is not None:
        weights = s.reshape(weights, tuple([a.shape[i] if i == axis % a.ndim else 1 for i in range(a.ndim)]))
    total = r.sum(a * weights, axis, keepdims=keepdims)
    scale = r.sum(s.broadcast_to(weights, a.shape), axis, keepdims=keepdims)
    return (total / scale, scale) if returned else total / scale


def ptp(a, axis=None, out=None, keepdims=False):
    return r.max(a, axis, keepdims=keepdims) - r.min(a, axis, keepdims=keepdims)


def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    if isinstance(axis, tuple):
        kept = [i for i in range(a.ndim) if i not in [k % a.ndim for k in axis]]
        lines = s.reshape(s.moveaxis(a, axis, range(-len(axis), 0)), (*[a.shape[i] for i in kept], -1))
        found = median(lines, -1)
        return s.expand_dims(found, axis) if keepdims else found
    flat = s.reshape(a, (-1,)) if axis is None else a
    along = 0 if axis is None else axis
    n = flat.shape[along]
    middle = t.take(t.sort(flat, along), [(n - 1) // 2, n // 2], along)
    found = r.mean(middle, along)
    if not keepdims:
        return found
    return s.reshape(found, (1,) * a.ndim) if axis is None else s.expand_dims(found, axis)


def nansum(a, axis=None, dtype=None, out=None, keepdims=False):
    return r.sum(_zero_for_nan(a), axis, keepdims=keepdims)


def _zero_for_nan(a: Any) -> Any:
    return u.where(u.isnan(a), _np.zeros((), a.dtype), a)


def nanmean(a, axis=None, dtype=None, out=None, keepdims=False):
    count = r.sum(u.logical_not(u.isnan(a)), axis, keepdims=keepdims)
    return nansum(a, axis, keepdims=keepdims) / count


def nanmax(a, axis=None, out=None, keepdims=False):
    return r.max(u.where(u.isnan(a), -_np.inf, a), axis, keepdims=keepdims)


def nanmin(a, axis=None, out=None, keepdims=False):
    return r.min(u.where(u.isnan(a), _np.inf, a), axis, keepdims=keepdims)


def cumulative_sum(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    return _with_initial(r.cumsum(x, 0 if axis is None else axis), axis, include_initial, 0.0)


def cumulative_prod(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
    return _with_initial(r.cumprod(x, 0 if axis is None else axis), axis, include_initial, 1.0)


def _with_initial(found: Any, axis: Any, wanted: bool, value: float) -> Any:
    if not wanted:
        return found
    along = 0 if axis is None else axis
    shape = [1 if i == along % found.ndim else n for i, n in enumerate(found.shape)]
    return t.concatenate([_creation.full(shape, value, found.dtype), found], along)


def trapezoid(y, x=None, dx=1.0, axis=-1):
    ahead = [slice(None)] * y.ndim
    behind = list(ahead)
    ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
    steps = dx if x is None else t.diff(x)
    if x is not None and y.ndim > 1 and x.ndim == 1:
        steps = s.reshape(steps, tuple([-1 if i == axis % y.ndim else 1 for i in range(y.ndim)]))
    return r.sum(steps * (y[tuple(ahead)] + y[tuple(behind)]) / 2.0, axis)


def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    """Operands that are recorded are not written, so that `copy=False` copies, too."""
    return u.where(u.isfinite(x), x, t.nan_to_num.compute((stripped(x), True, nan, posinf, neginf), {}))


def ediff1d(ary, to_end=None, to_begin=None):
    flat = s.reshape(ary, (ary.size,))
    inner = t.diff(flat) if flat.size > 1 else flat[:0]
    around = [None if x is None else s.ravel(as_array(x)).astype(ary.dtype) for x in (to_begin, to_end)]
    return t.concatenate([x for x in (around[0], inner, around[1]) if x is not None])


# --- products -------------------------------------------------------------------------------------------
def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = s.moveaxis(a, axisa, -1), s.moveaxis(b, axisb, -1)
    extents = (a.shape[-1], b.shape[-1])
    if not set(extents) <= {2, 3}:
        raise ValueError("incompatible dimensions for cross product\n(dimension must be 2 or 3)")
    if extents == (3, 3):
        i, k = [1, 2, 0], [2, 0, 1]
        return s.moveaxis(a[..., i] * b[..., k] - a[..., k] * b[..., i], -1, axisc)
    z = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    if extents == (2, 2):
        return z
    if extents == (3, 2):
        x, y = -a[..., 2] * b[..., 1], a[..., 2] * b[..., 0]
    else:
        x, y = a[..., 1] * b[..., 2], -a[..., 0] * b[..., 2]
    return s.moveaxis(t.stack([x, y, z], -1), -1, axisc)


def kron(a, b):
    ndim = max(a.ndim, b.ndim)
    first, second = (1,) * (ndim - a.ndim) + a.shape, (1,) * (ndim - b.ndim) + b.shape
    spread = s.reshape(a, tuple([n for m in first for n in (m, 1)]))
    other = s.reshape(b, tuple([n for m in second for n in (1, m)]))
    return s.reshape(spread * other, tuple([n * m for n, m in zip(first, second, strict=True)]))


def multi_dot(arrays, *, out=None):
    found = arrays[0]
    for x in arrays[1:]:
        found = _products.dot(found, x)
    return found


def matrix_power(a, n):
    if n < 0:
        a, n = linalg.inv(a), -n
    found = s.broadcast_to(_creation.eye(a.shape[-1], dtype=a.dtype), a.shape)
    for _ in range(n):
        found = _products.matmul(found, a)
    return found


def pinv(a, rcond=None, hermitian=False, *, rtol=None):
    """For matrices of full rank."""
    turned = s.matrix_transpose(a)
    if a.shape[-2] >= a.shape[-1]:
        return linalg.solve(_products.matmul(turned, a), turned)
    return s.matrix_transpose(linalg.solve(_products.matmul(a, turned), a))


def eigvalsh(a, UPLO="L"):
    return linalg.eigh(a, UPLO)[0]


def linalg_trace(x, /, *, offset=0, dtype=None):
    return t.trace(x, offset, -2, -1)


def linalg_diagonal(x, /, *, offset=0):
    return t.diagonal(x, offset, -2, -1)


def linalg_cross(x1, x2, /, *, axis=-1):
    return cross(x1, x2, axis=axis)


@own
def einsum_of(subscripts, operands):
    """`numpy.einsum` with its operands in one list."""
    return t.einsum(subscripts, *operands)


def einsum(subscripts, *operands, out=None, dtype=None, order="K", casting="safe", optimize=False):
    if not isinstance(subscripts, str):
        text = "no gradient for lists of axes"
        raise StateError(problem("einsum", "subscripts", text, "write letters"))
    subscripts = _spelled(subscripts.replace(" ", ""), [x.ndim for x in operands])
    if "->" not in subscripts:
        letters = sorted(set(subscripts) - {","})
        subscripts += "->" + "".join(c for c in letters if subscripts.count(c) == 1)
    return einsum_of(subscripts, list(operands))


def _spelled(subscripts: str, ranks: list[int]) -> str:
    """Subscripts with letters in the place of each ellipsis."""
    if "..." not in subscripts:
        return subscripts
    sources, arrow, result = subscripts.partition("->")
    terms = sources.split(",")
    hidden = [ndim - len(term.replace("...", "")) for term, ndim in zip(terms, ranks, strict=True)]
    most = max(n for term, n in zip(terms, hidden, strict=True) if "..." in term)
    free = [c for c in string.ascii_letters if c not in subscripts][:most]
    spelled = [
        term.replace("...", "".join(free[most - n :])) for term, n in zip(terms, hidden, strict=True)
    ]
    if not arrow:
        joined = "".join(sources.replace("...", "").split(","))
        result = "..." + "".join(c for c in sorted(set(joined)) if joined.count(c) == 1)
    return ",".join(spelled) + "->" + result.replace("...", "".join(free))


def _einsum_grad(g: Any, operands: list, subscripts: str) -> list:
    sources, result = subscripts.split("->")
    terms = sources.split(",")
    found = []
    for i, term in enumerate(terms):
        operand, once = operands[i], "".join(dict.fromkeys(term))
        others = [(terms[k], _conj(operands[k])) for k in range(len(terms)) if k != i] + [(result, g)]
        known = {c for text, _ in others for c in text}
        for c in once:
            if c not in known:
                n = operand.shape[term.index(c)]
                others.append((c, _creation.ones(n, g.dtype)))
        source = ",".join(text for text, _ in others)
        part = einsum_of(f"{source}->{once}", [x for _, x in others])
        if once != term:  # of an axis that is named twice only the diagonal counts
            part = _on_diagonals(once, term, part, operand)
        found.append(fit(part, operand))
    return found


def _on_diagonals(once: str, term: str, part: Any, operand: Any) -> Any:
    """A gradient on the diagonals of axes that a term names twice, with zeros around it."""
    free = iter(c for c in string.ascii_letters if c not in term)
    names, pairs, equal = "", [], []
    for c, extent in zip(term, operand.shape, strict=True):
        if c in names:
            other = next(free)
            pairs.append(c + other)
            equal.append(_creation.eye(extent, dtype=part.dtype))
            names += other
        else:
            names += c
    return einsum_of(",".join([once, *pairs]) + "->" + names, [part, *equal])


def _conj(x: Any) -> Any:
    return x.conj() if x.dtype.kind == "c" else x


COMPOSITIONS: dict[Any, Any] = {
    t.vstack: vstack,
    t.hstack: hstack,
    t.dstack: dstack,
    t.column_stack: column_stack,
    t.append: append,
    t.vsplit: vsplit,
    t.hsplit: hsplit,
    t.dsplit: dsplit,
    t.unstack: unstack,
    t.delete: delete,
    t.rollaxis: rollaxis,
    t.broadcast_arrays: broadcast_arrays,
    t.meshgrid: meshgrid,
    t.average: average,
    t.ptp: ptp,
    t.median: median,
    t.nansum: nansum,
    t.nanmean: nanmean,
    t.nanmax: nanmax,
    t.nanmin: nanmin,
    t.cumulative_sum: cumulative_sum,
    t.cumulative_prod: cumulative_prod,
    t.trapezoid: trapezoid,
    t.ediff1d: ediff1d,
    t.nan_to_num: nan_to_num,
    t.cross: cross,
    t.kron: kron,
    t.einsum: einsum,
    linalg.multi_dot: multi_dot,
    linalg.matrix_power: matrix_power,
    linalg.pinv: pinv,
    linalg.eigvalsh: eigvalsh,
    linalg.trace: linalg_trace,
    linalg.diagonal: linalg_diagonal,
    linalg.outer: t.outer,
    linalg.cross: linalg_cross,
}


def give_rules() -> None:
    """Give the functions their rules."""
    for table in (COMPOSITIONS, _compositions_of_signals.COMPOSITIONS, _gradients_of_factors.COMPOSITIONS):
        for function, made_of in table.items():
            function.rule = Composition(made_of)
    _compositions_of_signals.give_rules()
    _gradients_of_factors.give_rules()
    einsum_of.rule = Rule({"operands": _einsum_grad}, ("subscripts", "operands"))  # type: ignore
