"""New arrays. `device=` is that of the array API, `ctx=` that of MXNet's `mx.np`."""

from __future__ import annotations

from typing import Any

import numpy as _np

from .._array import Array
from .._array import empty as _empty
from .._array import from_dlpack as _from_dlpack
from .._index import set_readonly
from ..context import Context, current_context
from ..errors import ArgumentTypeError, DTypeError, message
from ..kernels import cpu as kernels
from ..ndarray._placement import context_code
from . import _small_made, _small_shapes, _standard
from ._calls import as_array, is_array, unwrap, wrap, wrap_last
from ._functions import Through, own, with_small
from ._kinds import Made
from ._ndarray import FACE
from ._protocols import context_named
from ._recorded import CONSTANT
from ._small_made import (
    arange,
    array,
    asanyarray,
    asarray,
    ascontiguousarray,
    asfortranarray,
    diag_indices,
    frombuffer,
    ones,
    zeros,
)
from ._small_methods import Slow

__all__ = [
    "arange", "array", "asanyarray", "asarray", "asarray_chkfinite", "ascontiguousarray", "asfortranarray",
    "astype", "copy", "empty", "empty_like", "eye", "from_dlpack", "frombuffer", "fromfile", "fromfunction",
    "fromiter", "fromregex", "fromstring", "full", "full_like", "genfromtxt", "geomspace", "identity",
    "indices", "linspace", "loadtxt", "logspace", "ones", "ones_like", "require", "tri", "zeros",
    "zeros_like", "bartlett", "blackman", "diag_indices", "hamming", "hanning", "kaiser", "load",
    "tril_indices", "triu_indices",
]  # fmt: skip

CPU = 0x100


def _code(device: Any, ctx: Any) -> int:
    """The core's number of the place of a new array."""
    place = device if device is not None else ctx
    if place is None:
        context = current_context()
        return CPU if context.device_typeid == 1 else context_code(context)
    return context_code(context_named(place))


def _placed(x: Any, device: Any, ctx: Any) -> Any:
    """The array on the place that was asked for."""
    code = _code(device, ctx)
    if code == x._context_code:
        return x
    return x.as_in_context(Context(Context.devtype2str[code >> 8], code & 0xFF))


def _shaped(shape: Any, dtype: Any, order: str, device: Any, ctx: Any) -> Any:
    """A new array with undefined contents."""
    if not isinstance(shape, (int, tuple, list)):
        shape = unwrap(shape)
        shape = shape.tolist() if isinstance(shape, _np.ndarray) else shape
    dtype = float if dtype is None else dtype
    if order == "C":
        return _empty(shape, dtype, FACE, _code(device, ctx))
    if order != "F":
        raise ValueError(f"only 'C' or 'F' order is permitted, got {order!r}")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return _empty(shape[::-1], dtype, FACE, _code(device, ctx))._transpose_view()


def empty(shape, dtype=None, order="C", ctx=None, *, device=None, like=None):
    """A new array with undefined contents, of float64 by default."""
    return _shaped(shape, dtype, order, device, ctx)


def _zeros(shape, dtype=None, order="C", *, device=None, like=None, ctx=None):
    """A new array of zeros, of float64 by default."""
    return kernels.fill(_shaped(shape, dtype, order, device, ctx), 0)


def _ones(shape, dtype=None, order="C", *, device=None, like=None, ctx=None):
    """A new array of ones, of float64 by default."""
    return kernels.fill(_shaped(shape, dtype, order, device, ctx), 1)


def full(shape, fill_value, dtype=None, order="C", *, device=None, like=None, ctx=None):
    """A new array filled with a value, of its dtype by default."""
    if order == "C" and device is None and ctx is None:
        found = _small_shapes.filled(shape, dtype, fill_value)
        if found is not None:
            return found
    if not isinstance(fill_value, (int, float, complex)):
        fill_value = as_array(fill_value)
    if dtype is None:
        dtype = fill_value.dtype if isinstance(fill_value, Array) else _np.asarray(fill_value).dtype
    return _filled(_shaped(shape, dtype, order, device, ctx), fill_value)


def _filled(result: Any, value: Any) -> Any:
    """The array with a value in it, converted as by `astype` (assignment refuses NaN for integers)."""
    if isinstance(value, (float, complex)) and result.dtype.kind != "c":
        value = _np.asarray(value).astype(result.dtype) if result.size else 0
    result[...] = value
    return result


def _like(prototype: Any, dtype: Any, order: str, shape: Any, device: Any, ctx: Any) -> Any:
    """A new array like another one, with its order of axes for "K"."""
    a = as_array(prototype)
    dtype = a.dtype if dtype is None else dtype
    if device is None and ctx is None:
        device = a.context
    if (a._c_contiguous and order in ("K", "A")) or order == "C":
        return _shaped(a.shape if shape is None else shape, dtype, "C", device, ctx)
    # NumPy itself says how the axes of a result without elements of its own would lie.
    made: Any = _np.empty_like
    strides = made(unwrap(a), order=order, shape=shape).strides
    extents = a.shape if shape is None else tuple(_np.broadcast_shapes(shape))
    axes = sorted(range(len(extents)), key=lambda i: (-strides[i], extents[i] == 1, i))
    result = _shaped([extents[i] for i in axes], dtype, "C", device, ctx)
    return result._transpose_view([axes.index(i) for i in range(len(axes))])


@with_small(_small_made.empty_like_few, whole=True)
def empty_like(prototype, /, dtype=None, order="K", subok=True, shape=None, *, device=None, ctx=None):
    """A new array like another one (its shape, dtype and order of axes) with undefined contents."""
    return _like(prototype, dtype, order, shape, device, ctx)


@with_small(_small_made.zeros_like_few, whole=True)
def zeros_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None, ctx=None):
    """A new array of zeros like another one."""
    return kernels.fill(_like(a, dtype, order, shape, device, ctx), 0)


@with_small(_small_made.ones_like_few, whole=True)
def ones_like(a, dtype=None, order="K", subok=True, shape=None, *, device=None, ctx=None):
    """A new array of ones like another one."""
    return kernels.fill(_like(a, dtype, order, shape, device, ctx), 1)


@with_small(_small_made.full_like_few, whole=True)
def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, *, device=None, ctx=None):
    """A new array filled with a value, like another one."""
    return _filled(_like(a, dtype, order, shape, device, ctx), fill_value)


# --- from values ----------------------------------------------------------------------------------
def _array(object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0, like=None, device=None,
           ctx=None):  # fmt: skip
    if is_array(object) and ndmin <= object.ndim and order in ("K", "A", "C"):
        if dtype is None or _np.dtype(dtype) == object.dtype:
            if (order == "K" and copy) or object._c_contiguous or (order == "A" and not copy):
                return _placed(_copied(object) if copy else object, device, ctx)
    if isinstance(object, Array) and not is_array(object):
        object = object.as_np_ndarray()
    shown = unwrap(object)
    made = _np.array(shown, dtype, copy=copy, order=order, ndmin=ndmin)
    if made is shown and is_array(object):
        return _placed(object, device, ctx)
    if (made.dtype.kind not in "biufc" and not _is_bfloat(made.dtype)) or made.dtype.itemsize > 16:
        hint = "numpy itself has arrays of objects, texts and times"
        raise DTypeError(message("array", "dtype", "a type of numbers", made.dtype, hint))
    return _placed(wrap_last(made) if made is not object else as_array(made), device, ctx)


def _is_bfloat(dtype: Any) -> bool:
    return dtype.name == "bfloat16"


def _copied(x: Any) -> Any:
    """A copy with the same order of axes."""
    if x._c_contiguous:
        made = kernels.copy(x)
        if made.ndim == 0:
            set_readonly(made, False)
        return made
    result = _like(x, None, "K", None, None, None)
    return kernels.copy(x, out=result)


def _asarray(a, dtype=None, order=None, *, device=None, copy=None, like=None, ctx=None):
    """The array itself if it is one with this dtype and order; otherwise an array of its values."""
    if is_array(a) and dtype is None and order is None and not copy:
        return _placed(a, device, ctx)
    return array(a, dtype, copy=copy, order="K" if order is None else order, device=device, ctx=ctx)


def asarray_chkfinite(a, dtype=None, order=None):
    """As `asarray`; raise ValueError if an element is NaN or infinite."""
    made = asarray(a, dtype, order)
    _np.asarray_chkfinite(unwrap(made))
    return made


def _require(a, dtype, requirements):
    """`require` of arrays on the tape or elsewhere."""
    shown = unwrap(a)
    made = _np.require(shown, dtype, requirements)
    return a if made is shown and is_array(a) else wrap_last(made)


_required = Made(_np.require, _require)


def require(a, dtype=None, requirements=None, *, like=None):
    """An array of a dtype that has properties: "C", "F", "A" (aligned), "W" (writable), "O" (owns)."""
    return _required(a, dtype, requirements)


@with_small(_small_made.copy_few, whole=True)
def copy(a, order="K", subok=False):
    """A new array with the same elements."""
    return array(a, copy=True, order=order)


@own
def astype(x, dtype, /, *, copy=True, device=None):
    """The elements converted to another dtype."""
    if isinstance(x, _np.generic):
        return as_array(x.astype(dtype))[()]
    if not is_array(x):
        raise ArgumentTypeError("Input should be a NumPy array. It is of type " + type(x).__name__)
    return _placed(x.astype(dtype, copy=copy), device, None)


def from_dlpack(x, /, *, device=None, copy=None):
    """An array over the memory of any object that speaks DLPack, or with a copy of its values."""
    return _placed(_from_dlpack(x, FACE, copy), device, None)


# --- sequences ------------------------------------------------------------------------------------
def _by_numpy(function: Any) -> Any:
    """A function of NumPy without operands in our memory."""
    through = Through(function)

    def make(*args, device=None, ctx=None, like=None, **kwargs):
        found = through.compute(args, kwargs)
        if isinstance(found, tuple):
            return tuple([_placed(x, device, ctx) if is_array(x) else x for x in found])
        return _placed(found, device, ctx)

    made = Made(function, make)
    made.rule = CONSTANT  # arguments on the tape are numbers
    return made


_arange = _by_numpy(_np.arange)


def _counted(start, stop, step, dtype, device, ctx):
    """`arange` by NumPy."""
    bounds = (
        (start,) if stop is None and step == 1 else (0, start, step) if stop is None else (start, stop, step)
    )
    if device is None and ctx is None:
        return _arange(*bounds, dtype=dtype)
    return _arange(*bounds, dtype=dtype, device=device, ctx=ctx)


linspace = _by_numpy(_np.linspace)
logspace = _by_numpy(_np.logspace)
geomspace = _by_numpy(_np.geomspace)
eye = _by_numpy(_np.eye)
identity = _by_numpy(_np.identity)
tri = _by_numpy(_np.tri)
indices = _by_numpy(_np.indices)
fromfile = _by_numpy(_np.fromfile)
fromfunction = _by_numpy(_np.fromfunction)
fromiter = _by_numpy(_np.fromiter)
fromregex = _by_numpy(_np.fromregex)
fromstring = _by_numpy(_np.fromstring)
genfromtxt = _by_numpy(_np.genfromtxt)
loadtxt = _by_numpy(_np.loadtxt)
bartlett = _by_numpy(_np.bartlett)
blackman = _by_numpy(_standard.blackman)
hamming = _by_numpy(_standard.hamming)
hanning = _by_numpy(_standard.hanning)
kaiser = _by_numpy(_np.kaiser)
tril_indices = _by_numpy(_np.tril_indices)
triu_indices = _by_numpy(_np.triu_indices)


class _Archive:
    """What `load` returns for .npz files: a mapping from names to arrays, read when they are asked for."""

    def __init__(self, file):
        self._file = file
        self.files = file.files

    def __getitem__(self, name):
        return wrap(self._file[name])

    def __contains__(self, name):
        return name in self._file

    def __iter__(self):
        return iter(self._file)

    def __len__(self):
        return len(self._file)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def keys(self):
        """The names of the arrays."""
        return self._file.keys()

    def values(self):
        """The arrays."""
        return [self[name] for name in self]

    def items(self):
        """Pairs of a name and an array."""
        return [(name, self[name]) for name in self]

    def get(self, name, default=None):
        """The array of a name, or the default."""
        return self[name] if name in self else default  # noqa: SIM401 (this is what get is)

    def close(self):
        """Close the file."""
        self._file.close()


def load(file, mmap_mode=None, allow_pickle=False, *args, **kwargs):
    """Read an array from an .npy file, or several by name from an .npz file."""
    found = _np.load(file, mmap_mode, allow_pickle, *args, **kwargs)
    return _Archive(found) if hasattr(found, "files") else wrap_last(found)


Slow.zeros, Slow.ones = staticmethod(_zeros), staticmethod(_ones)
Slow.array, Slow.asarray = staticmethod(_array), staticmethod(_asarray)
Slow.arange = staticmethod(_counted)
Slow.diag_indices, Slow.frombuffer = _by_numpy(_np.diag_indices), _by_numpy(_np.frombuffer)
Slow.made_array = Made(_np.array, _array)
