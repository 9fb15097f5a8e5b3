"""Functions of NumPy's with what the array API standard or MXNet has besides, over NumPy's arrays."""

from __future__ import annotations

from typing import Any

import numpy as _np

__all__ = [
    "argsort", "blackman", "fftfreq", "hamming", "hanning", "lstsq", "matrix_rank", "named_order", "norm",
    "percentile", "quantile", "rfftfreq", "sort",
]  # fmt: skip


def sort(a, axis=-1, kind=None, order=None, *, stable=None, descending=False):
    """The elements in order along an axis (None: of all of them); NaN comes last, `descending` first."""
    found = _np.sort(a, axis, kind, order, stable=stable)
    return _np.flip(found, -1 if axis is None else axis) if descending else found


def argsort(a, axis=-1, kind=None, order=None, *, stable=None, descending=False):
    """Positions that sort the elements along an axis; `descending` ones are stable."""
    if not descending:
        return _np.argsort(a, axis, kind, order, stable=stable)
    flat, along = (_np.ravel(a), 0) if axis is None else (_np.asarray(a), axis)
    turned = _np.argsort(_np.flip(flat, along), along, order=order, stable=True)
    return flat.shape[along] - 1 - _np.flip(turned, along)


def _of_type(found: Any, dtype: Any) -> Any:
    return found if dtype is None else found.astype(dtype)


def fftfreq(n, d=1.0, device=None, *, dtype=None):
    """The frequencies of the elements of `fft` of n samples, d apart."""
    return _of_type(_np.fft.fftfreq(n, d, device), dtype)


def rfftfreq(n, d=1.0, device=None, *, dtype=None):
    """The frequencies of the elements of `rfft` of n samples, d apart."""
    return _of_type(_np.fft.rfftfreq(n, d, device), dtype)


def blackman(M, dtype=None):
    """The Blackman window of M points, of float64 by default."""
    return _of_type(_np.blackman(M), dtype)


def hamming(M, dtype=None):
    """The Hamming window of M points, of float64 by default."""
    return _of_type(_np.hamming(M), dtype)


def hanning(M, dtype=None):
    """The Hann window of M points, of float64 by default."""
    return _of_type(_np.hanning(M), dtype)


def quantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *,
             weights=None, interpolation=None):  # fmt: skip
    """The values that a part `q` of the elements are below; MXNet calls the method `interpolation`."""
    method = interpolation or method
    return _np.quantile(a, q, axis, out, overwrite_input, method, keepdims, weights=weights)


def percentile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False, *,
               weights=None, interpolation=None):  # fmt: skip
    """The values that `q` percent of the elements are below; MXNet calls the method `interpolation`."""
    method = interpolation or method
    return _np.percentile(a, q, axis, out, overwrite_input, method, keepdims, weights=weights)


def norm(x, ord=None, axis=None, keepdims=False):
    """The norm of vectors or matrices; the orders "inf" and "-inf" are those of the numbers, as in MXNet."""
    return _np.linalg.norm(x, named_order(ord), axis, keepdims)


def named_order(ord):
    """The order of a norm as NumPy has it."""
    return float(ord) if isinstance(ord, str) and ord in ("inf", "-inf") else ord


def lstsq(a, b, rcond=None):
    """The least-squares solution; `rcond="warn"` is -1, as in MXNet and NumPy 1."""
    return _np.linalg.lstsq(a, b, -1 if isinstance(rcond, str) and rcond == "warn" else rcond)


def matrix_rank(A, tol=None, hermitian=False, *, rtol=None):
    """The rank of matrices; that of a vector or a number is an array, too."""
    found = _np.linalg.matrix_rank(A, tol, hermitian, rtol=rtol)
    return _np.int64(found) if isinstance(found, int) else found
