"""The methods of arrays that are functions of the namespace, and the attributes that are views."""

from __future__ import annotations

import operator
from typing import Any

import numpy as _np

from . import _conversions, _products, _reductions, _shapes, _through, _ufuncs
from ._calls import unwrap, wrap
from ._flags import set_flags
from ._kinds import method
from ._small_methods import Slow, SmallMethods

__all__ = ["Methods"]

_NOTHING: Any = _np._NoValue
FEW = 4096  # elements of an array for which NumPy's way is short
_of = _np.ndarray


def _of_scalars(name: str) -> Any:
    """An attribute of results without axes, which arrays do not have."""
    return property(lambda self: getattr(self._shown(), name), doc=f"`{name}` of NumPy's scalars.")


class Methods(SmallMethods):
    """Methods of `mxcy.numpy.ndarray`; each is the function of the same name with the array first."""

    __slots__ = ()

    # Attributes.

    @property
    def base(self):
        """None, or for a view an array over all of the memory that it is a part of."""
        return _conversions.base_of(self)

    @property
    def ctypes(self):
        """What foreign functions need: NumPy's object, of a view that it keeps."""
        return self.view_numpy(writable=not self._readonly).ctypes

    @property
    def __array_interface__(self):
        """Where the elements are and how they lie, for libraries that ask for that (Pillow does)."""
        if self.context.device_type != "cpu" or self.dtype.isbuiltin != 1:
            raise AttributeError("__array_interface__ is for NumPy's dtypes in main memory")
        return self.view_numpy(writable=not self._readonly).__array_interface__

    def to_numpy(self):
        """A view of the elements as NumPy's array, as tables and plots ask for it (a copy from a GPU)."""
        return self.__array__()

    # What NumPy's scalars have and its arrays have not.

    is_integer = _of_scalars("is_integer")
    as_integer_ratio = _of_scalars("as_integer_ratio")
    hex = _of_scalars("hex")
    bit_count = _of_scalars("bit_count")
    numerator = _of_scalars("numerator")
    denominator = _of_scalars("denominator")

    # Values.

    def tofile(self, fid, sep="", format="%s"):
        """Write the elements to a file."""
        unwrap(self).tofile(fid, sep, format)

    def dumps(self):
        """The array as a pickle."""
        return _conversions.dumps(self)

    def dump(self, file):
        """Write the array to a file as a pickle."""
        _conversions.dump(self, file)

    # Copies and conversions.

    def __deepcopy__(self, memo):
        return super().__deepcopy__(memo) if self._c_contiguous else _conversions.copy(self, "K")

    def setfield(self, val, dtype, offset=0):
        """Write a part of each element."""
        self.getfield(dtype, offset)[...] = val

    def setflags(self, write=None, align=None, uic=None):
        """Say whether the array may be written."""
        set_flags(self, write, align, uic)

    def fill(self, value):
        """Set every element to a number."""
        self[...] = value if type(value) in (int, float, bool) else _conversions.number(value, self.dtype)

    # Shapes.

    def resize(self, *shape, refcheck=True):
        """Refused unless the number of elements stays: memory is shared with the engine."""
        _conversions.resize(self, shape[0] if len(shape) == 1 else shape)

    # Reductions.

    def var(self, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=_NOTHING, mean=_NOTHING,
            correction=_NOTHING):  # fmt: skip
        """Variance of the elements along axes."""
        options = {"where": where, "mean": mean, "correction": correction}
        return _reductions.var(self, axis, dtype, out, ddof, keepdims, **options)

    def std(self, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=_NOTHING, mean=_NOTHING,
            correction=_NOTHING):  # fmt: skip
        """Standard deviation of the elements along axes."""
        options = {"where": where, "mean": mean, "correction": correction}
        return _reductions.std(self, axis, dtype, out, ddof, keepdims, **options)

    @method(_of.cumsum, FEW)
    def cumsum(self, axis=None, dtype=None, out=None):
        """Running sums along an axis."""
        return _reductions.cumsum(self, axis, dtype, out)

    @method(_of.cumprod, FEW)
    def cumprod(self, axis=None, dtype=None, out=None):
        """Running products along an axis."""
        return _reductions.cumprod(self, axis, dtype, out)

    @method(_of.trace)
    def trace(self, offset=0, axis1=0, axis2=1, dtype=None, out=None):
        """Sum of a diagonal."""
        return _through.trace(self, offset, axis1, axis2, dtype, out)

    # Order and choice.

    def sort(self, axis=-1, kind=None, order=None, *, stable=None):
        """Sort along an axis in place."""
        _conversions.in_place(self, "sort", axis, kind, order, stable=stable)

    def partition(self, kth, axis=-1, kind="introselect", order=None):
        """Put the kth smallest element in its place, smaller ones before it, in place."""
        _conversions.in_place(self, "partition", unwrap(kth), axis, kind, order)

    @method(_of.argpartition)
    def argpartition(self, kth, axis=-1, kind="introselect", order=None):
        """Positions that put the kth smallest element in its place."""
        return _through.argpartition(self, kth, axis, kind, order)

    @method(_of.searchsorted)
    def searchsorted(self, v, side="left", sorter=None):
        """Where values would be inserted to keep the order."""
        return _through.searchsorted(self, v, side, sorter)

    def put(self, indices, values, mode="raise"):
        """Write the elements at positions in the flattened array."""
        _through.put(self, indices, values, mode)

    @method(_of.choose)
    def choose(self, choices, out=None, mode="raise"):
        """Elements of the arrays that the elements of this one choose."""
        return _through.choose(self, choices, out, mode)

    @method(_of.compress)
    def compress(self, condition, axis=None, out=None):
        """The entries along an axis where a condition holds."""
        return _through.compress(condition, self, axis, out)

    # Elements.

    @method(_of.round)
    def round(self, decimals=0, out=None):
        """The elements rounded to a number of decimals."""
        return _through.round(self, decimals, out)


def _set_real(x: Any, value: Any) -> None:
    """x.real = value"""
    x.real[...] = _np.asarray(unwrap(value))  # which converts: -1 is a number for uint8, too


def _set_imag(x: Any, value: Any) -> None:
    """x.imag = value"""
    if x.dtype.kind != "c":
        raise TypeError("array does not have imaginary part to set")
    x.imag[...] = _np.asarray(unwrap(value))


def _get_advanced(x: Any, key: Any) -> Any:
    """x[key] by NumPy."""
    return wrap(unwrap(x)[unwrap(key)])


def _as_dtype(x: Any, dtype: Any) -> Any:
    """x.view(dtype) by NumPy."""
    return wrap(unwrap(x).view(dtype))


def _getfield(x: Any, dtype: Any, offset: Any = 0) -> Any:
    """x.getfield(dtype, offset) by NumPy."""
    return wrap(unwrap(x).getfield(dtype, offset))


# What is called where a method has no way of its own for small arrays, or that is not for them.
_USUAL: dict[str, Any] = {
    "transpose": _shapes.transpose,
    "sqrt": _ufuncs.sqrt,
    "ravel": _shapes.ravel,
    "squeeze": _shapes.squeeze,
    "swapaxes": _shapes.swapaxes,
    "view": _conversions.view,
    "matrix_transpose": _shapes.matrix_transpose,
    "real": _through.real,
    "set_real": staticmethod(_set_real),
    "imag": _through.imag,
    "set_imag": staticmethod(_set_imag),
    "get_advanced": method(operator.getitem)(_get_advanced),
    "as_dtype": method(_of.view)(_as_dtype),
    "clip": method(_of.clip, FEW)(_ufuncs.clip),
    "conjugate": _ufuncs.conjugate,
    "copyto": _through.copyto,
    "argsort": method(_of.argsort)(_through.argsort),
    "byteswap": _conversions.byteswap,
    "diagonal": method(_of.diagonal)(_through.diagonal),
    "flatten": method(_of.flatten, FEW)(_conversions.flatten),
    "getfield": method(_of.getfield)(_getfield),
    "nonzero": method(_of.nonzero)(_through.nonzero),
    "repeat": method(_of.repeat)(_through.repeat),
    "dot": method(_of.dot, FEW)(_products.dot),
    "take": method(_of.take)(_through.take),
    "reshape": _shapes.reshape,
    "copy": _conversions.copy,
    "astype": method(_of.astype, FEW)(_conversions.astype),
    "sum": method(_of.sum, FEW)(_reductions.sum),
    "prod": method(_of.prod, FEW)(_reductions.prod),
    "max": method(_of.max, FEW)(_reductions.max),
    "min": method(_of.min, FEW)(_reductions.min),
    "any": method(_of.any, FEW)(_reductions.any),
    "all": method(_of.all, FEW)(_reductions.all),
    "mean": method(_of.mean, FEW)(_reductions.mean),
    "argmax": method(_of.argmax, FEW)(_reductions.argmax),
    "argmin": method(_of.argmin, FEW)(_reductions.argmin),
}
for _name, _function in _USUAL.items():
    setattr(Slow, _name, _function)
