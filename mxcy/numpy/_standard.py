"""Functions of NumPy's with the keywords that the array API standard has besides, over NumPy's arrays."""

from __future__ import annotations

from typing import Any

import numpy as _np

__all__ = ["argsort", "fftfreq", "rfftfreq", "sort"]


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
