"""Gradients of factorisations of matrices (`svd`, `qr`, `eig`), and what is made of them: norms, `lstsq`.

Formulas: Giles, "An extended collection of matrix derivative results", 2008; Townsend, "Differentiating the
singular value decomposition", 2016; Walter and Lehmann, "Algorithmic differentiation of linear algebra
functions", 2010.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as _np

from ..errors import StateError, problem
from . import _creation, _products, _reductions, _shapes, _standard, _through, linalg
from . import _ufuncs as u
from ._functions import own
from ._gradients import fit
from ._recorded import Rule

__all__ = ["COMPOSITIONS", "give_rules"]

r, s, t = _reductions, _shapes, _through
matmul = _products.matmul


def _turned(x: Any) -> Any:
    """The conjugate transposed."""
    turned = s.swapaxes(x, -1, -2)
    return turned.conj() if x.dtype.kind == "c" else turned


def _apart(values: Any) -> Any:
    """1 / (values[k] - values[i]) at [i, k], 0 on the diagonal."""
    one = _np.eye(values.shape[-1])
    return (1 - one) / (values[..., None, :] - values[..., :, None] + one)


# --- singular values --------------------------------------------------------------------------------------
@own
def thin_svd(a):
    """`numpy.linalg.svd(a, full_matrices=False)`."""
    return linalg.svd(a, full_matrices=False)


def _svd_grad(g: Any, y: Any, a: Any) -> Any:
    left, values, right = y[0], y[1], _turned(y[2])
    g_left, g_values, g_right = g[0], g[1], _turned(g[2])
    apart = _apart(values * values)
    of_left, of_right = matmul(_turned(left), g_left), matmul(_turned(right), g_right)
    rows, columns = values[..., :, None], values[..., None, :]
    inner = (of_left - _turned(of_left)) * apart * columns + (of_right - _turned(of_right)) * apart * rows
    inner = inner + g_values[..., None] * _np.eye(values.shape[-1])
    if a.dtype.kind == "c":  # the phases of both factors turn together
        inner = inner + (of_left - _turned(of_left)) / (2 * columns) * _np.eye(values.shape[-1])
    found = matmul(matmul(left, inner), _turned(right))
    if a.shape[-2] > values.shape[-1]:
        rest = (g_left - matmul(left, of_left)) / columns
        found = found + matmul(rest, _turned(right))
    if a.shape[-1] > values.shape[-1]:
        rest = (g_right - matmul(right, of_right)) / columns
        found = found + matmul(left, _turned(rest))
    return found


@own
def whole_svd(a):
    """`numpy.linalg.svd(a)`."""
    return linalg.svd(a)


def _determined(x: Any, g: Any, n: int) -> Any:
    """The gradient of the first n columns of unitary x that stands for that of all.

    The others are any basis of what is left: they turn against the first ones, and not among themselves. So
    gradients are right for what does not depend on the choice of that basis, as projections on it.
    """
    if x.shape[-1] == n:
        return g
    first, others = x[..., :n], x[..., n:]
    return g[..., :n] - matmul(others, matmul(_turned(g[..., n:]), first))


def _whole_svd_grad(g: Any, y: Any, a: Any) -> Any:
    n = y[1].shape[-1]
    g_right = _turned(_determined(_turned(y[2]), _turned(g[2]), n))
    return _svd_grad((_determined(y[0], g[0], n), g[1], g_right), (y[0][..., :n], y[1], y[2][..., :n, :]), a)


@own
def values_of(a):
    """`numpy.linalg.svd(a, compute_uv=False)`."""
    return linalg.svd(a, compute_uv=False)


def _values_grad(g: Any, a: Any) -> Any:
    left, _, right = thin_svd(a)
    return matmul(left * g[..., None, :], right)


def svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    if not compute_uv:
        return values_of(a)
    if full_matrices and a.shape[-1] != a.shape[-2]:
        return whole_svd(a)
    return thin_svd(a)


# --- QR -----------------------------------------------------------------------------------------------------
@own
def thin_qr(a):
    """`numpy.linalg.qr(a)`."""
    return linalg.qr(a)


def _qr_grad(g: Any, y: Any) -> Any:
    q, upper = y
    inner = matmul(upper, _turned(g[1])) - matmul(_turned(g[0]), q)
    lower = t.tril(inner, -1)
    symmetric = t.tril(inner) + _turned(lower)
    return _turned(linalg.solve(upper, _turned(g[0] + matmul(q, symmetric))))


@own
def whole_qr(a):
    """`numpy.linalg.qr(a, "complete")`."""
    return linalg.qr(a, "complete")


def _whole_qr_grad(g: Any, y: Any) -> Any:
    n = y[1].shape[-1]
    return _qr_grad((_determined(y[0], g[0], n), g[1][..., :n, :]), (y[0][..., :n], y[1][..., :n, :]))


def qr(a, mode="reduced"):
    if mode not in ("reduced", "r", "complete"):
        raise StateError(problem("qr", "mode", f"no gradient for mode {mode!r}", "take 'reduced'"))
    rows, columns = a.shape[-2:]
    if mode == "complete" and rows > columns:
        return whole_qr(a)
    q, upper = thin_qr(a[..., :rows] if columns > rows else a)
    if columns > rows:  # those behind the square are only turned
        upper = t.concatenate([upper, matmul(_turned(q), a[..., rows:])], -1)
    return upper if mode == "r" else type(linalg.qr(_np.eye(1)))(q, upper)


# --- eigenvalues ------------------------------------------------------------------------------------------
def _eig_grad(g: Any, y: Any, a: Any) -> Any:
    values, vectors = y
    g_values, g_vectors = g
    one = _np.eye(values.shape[-1])
    turned = _turned(vectors)
    inner = matmul(turned, g_vectors)
    scales = r.sum(inner.real * one, -1)
    inner = inner - matmul(turned, vectors) * scales[..., None, :]
    apart = _apart(values)
    inner = inner * (apart.conj() if apart.dtype.kind == "c" else apart) + g_values[..., None] * one
    return fit(linalg.solve(turned, matmul(inner, turned)), a)


def eigvals(a):
    return linalg.eig(a)[0]


def tensorinv(a, ind=2):
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    rows = math.prod(a.shape[ind:])
    return s.reshape(linalg.inv(s.reshape(a, (rows, -1))), a.shape[ind:] + a.shape[:ind])


def tensorsolve(a, b, axes=None):
    if axes is not None:
        last = [k % a.ndim for k in axes]
        a = s.transpose(a, (*[k for k in range(a.ndim) if k not in last], *last))
    shape = a.shape[b.ndim - a.ndim :]
    return s.reshape(linalg.solve(s.reshape(a, (-1, math.prod(shape))), s.reshape(b, (-1,))), shape)


# --- norms and what is left over ----------------------------------------------------------------------------
@own
def usual_norm(x, ord, axis, keepdims):
    """`numpy.linalg.norm`: the sum of absolute values, or the root of that of squares."""
    return linalg.norm(x, ord, axis, keepdims)


def _usual_grad(g: Any, y: Any, x: Any, ord: Any, axis: Any, keepdims: Any) -> Any:
    if not keepdims and axis is not None:
        g, y = s.expand_dims(g, axis), s.expand_dims(y, axis)
    g, y = s.broadcast_to(s.reshape(g, g.shape or (1,) * x.ndim), x.shape), y + (y == 0)
    if ord != 1:
        return fit(g * x / y, x)
    return fit(g * x / (u.absolute(x) + (x == 0)), x)


def norm(x, ord=None, axis=None, keepdims=False):
    ord = _standard.named_order(ord)
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if ord in (None, "fro") or (len(axes) == 1 and ord in (1, 2)):
        return usual_norm(x, ord, axis, keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    size = u.absolute(x)
    if ord in (_np.inf, -_np.inf):
        return (r.max if ord > 0 else r.min)(size, axes[0], keepdims=keepdims)
    if ord == 0:
        return r.sum((size != 0).astype(size.dtype), axes[0], keepdims=keepdims)
    return r.sum(size**ord, axes[0], keepdims=keepdims) ** (1.0 / ord)


def _matrix_norm(x: Any, ord: Any, axes: Any, keepdims: bool) -> Any:
    rows, columns = axes[0] % x.ndim, axes[1] % x.ndim
    if ord in (2, -2, "nuc"):
        values = values_of(s.moveaxis(x, (rows, columns), (-2, -1)))
        found = r.sum(values, -1) if ord == "nuc" else values[..., 0 if ord > 0 else -1]
    else:
        added, compared = (rows, columns) if ord in (1, -1) else (columns, rows)
        sums = r.sum(u.absolute(x), added, keepdims=True)
        found = (r.max if ord > 0 else r.min)(sums, compared, keepdims=True)
    left = [1 if i in (rows, columns) else n for i, n in enumerate(x.shape)]
    kept = [n for i, n in enumerate(x.shape) if i not in (rows, columns)]
    return s.reshape(found, tuple(left if keepdims else kept))


def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    if axis is None:
        found = norm(s.reshape(x, (-1,)), ord, 0)
        return s.reshape(found, (1,) * x.ndim) if keepdims else found
    if isinstance(axis, tuple):
        kept = [i for i in range(x.ndim) if i not in [k % x.ndim for k in axis]]
        lines = s.reshape(s.moveaxis(x, axis, range(-len(axis), 0)), (*[x.shape[i] for i in kept], -1))
        found = norm(lines, ord, -1)
        return s.expand_dims(found, axis) if keepdims else found
    return norm(x, ord, axis, keepdims)


def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    return norm(x, ord, (-2, -1), keepdims)


def cond(x, p=None):
    if p in (None, 2, -2):
        values = values_of(x)
        return values[..., -1] / values[..., 0] if p == -2 else values[..., 0] / values[..., -1]
    return norm(x, p, (-2, -1)) * norm(linalg.inv(x), p, (-2, -1))


def lstsq(a, b, rcond=None):
    """For matrices of full rank."""
    found = matmul(linalg.pinv(a), b)
    rest = b - matmul(a, found)
    left = r.sum(u.square(u.absolute(rest)), 0, keepdims=b.ndim == 1)
    rank = linalg.matrix_rank(a)
    known = a.shape[0] > a.shape[1] and rank == a.shape[1]
    return found, left if known else _creation.empty(0, left.dtype), rank, values_of(a)


COMPOSITIONS: dict[Any, Any] = {
    linalg.svd: svd,
    linalg.svdvals: values_of,
    linalg.qr: qr,
    linalg.eigvals: eigvals,
    linalg.norm: norm,
    linalg.vector_norm: vector_norm,
    linalg.matrix_norm: matrix_norm,
    linalg.cond: cond,
    linalg.lstsq: lstsq,
    linalg.tensorinv: tensorinv,
    linalg.tensorsolve: tensorsolve,
}


def give_rules() -> None:
    """Give the factorisations their gradients."""
    thin_svd.rule = Rule({"a": _svd_grad}, ("a",))  # type: ignore[attr-defined]
    values_of.rule = Rule({"a": _values_grad}, ("a",))  # type: ignore[attr-defined]
    whole_svd.rule = Rule({"a": _whole_svd_grad}, ("a",))  # type: ignore[attr-defined]
    whole_qr.rule = Rule({"a": _whole_qr_grad}, ("a",))  # type: ignore[attr-defined]
    thin_qr.rule = Rule({"a": _qr_grad}, ("a",))  # type: ignore[attr-defined]
    linalg.eig.rule = Rule({"a": _eig_grad}, ("a",))
    usual_norm.rule = Rule({"x": _usual_grad}, ("x", "ord", "axis", "keepdims"))  # type: ignore
