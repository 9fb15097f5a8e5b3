"""Methods and constructors with a way for small arrays (`_small.pyx`), tried before the usual one."""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from .._array cimport MAX_NDIM, Array, lent, new_view, steal
from .._export cimport read_view
from ._calls cimport face, given, taken
from ._small cimport (
    ALL, ANY, MAX, MIN, PROD, SUM, assign_array, assign_number, averaged, cast, chosen, copied, is_ours, position,
    reduced, reduced_along,
)
from ._small_shapes cimport limited, raveled, squeezed, swapped, viewed

import numpy as np

from ..dtypes import code_of
from ._small import matmul
from ._small_shapes import filled, on_cpu

__all__ = ["Slow", "SmallMethods", "array", "asanyarray", "asarray", "norm", "ones", "zeros"]

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        INT64, FLOAT32, FLOAT64


class Slow:
    """What is called where there is no small way: a function for each; the modules that have them set them."""


cdef object _slow = Slow


def norm(x):
    """Return the root of the sum of squares of floats, None for what is not for here."""
    if not is_ours(x) or not (<Array>x).c_contiguous or (<Array>x).dtype_code not in (FLOAT32, FLOAT64):
        return None
    flat = x._reshape_view((-1,))
    made = matmul(flat, flat)
    return None if made is None else _slow.sqrt(made)


def zeros(shape, dtype=None, order="C", *, device=None, like=None, ctx=None):
    """A new array of zeros, of float64 by default."""
    made = None
    if order == "C" and device is None and ctx is None:
        made = filled(shape, float if dtype is None else dtype, 0)
    return _slow.zeros(shape, dtype, order, device=device, ctx=ctx) if made is None else made


def ones(shape, dtype=None, order="C", *, device=None, like=None, ctx=None):
    """A new array of ones, of float64 by default."""
    made = None
    if order == "C" and device is None and ctx is None:
        made = filled(shape, float if dtype is None else dtype, 1)
    return _slow.ones(shape, dtype, order, device=device, ctx=ctx) if made is None else made


cdef tuple PLAIN = (int, float, bool, list, tuple)


def array(object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0, like=None, device=None, ctx=None):
    """An array of the values of `object`: numbers, nested sequences, arrays, what has `__array__`.

    Without `dtype` it is the one that NumPy finds: int64, float64, complex128 or bool for Python's numbers.
    `copy=False` raises ValueError where a copy is needed, `copy=None` copies only then.
    """
    if copy is True and order == "K" and ndmin == 0 and device is None and ctx is None:
        if dtype is None and is_ours(object):
            made = copied(<Array>object)
            if made is not None:
                return made
        elif type(object) in PLAIN and on_cpu():
            return given(np.array(taken(object, []), dtype), [])
    return _slow.array(object, dtype, copy=copy, order=order, ndmin=ndmin, device=device, ctx=ctx)


def asarray(a, dtype=None, order=None, *, device=None, copy=None, like=None, ctx=None):
    """The array itself if it is one with this dtype and order; otherwise an array of its values."""
    if dtype is None and not copy and device is None and ctx is None:
        if isinstance(a, Array) and (<Array>a).face == face():
            if order is None or (<Array>a).c_contiguous and order in ("C", "K", "A"):
                return a
    return _slow.asarray(a, dtype, order, device=device, copy=copy, ctx=ctx)


def asanyarray(a, dtype=None, order=None, *, device=None, copy=None, like=None):
    """As `asarray`: the classes of arrays are not told apart."""
    if dtype is None and order is None and not copy and device is None:
        if isinstance(a, Array) and (<Array>a).face == face():
            return a
    return asarray(a, dtype, order, device=device, copy=copy)


cdef Array small(Array x, int kind, axis, tuple args, dict kwargs):
    """A reduction without other arguments than `axis` and `keepdims`."""
    cdef Array made
    if args or len(kwargs) > 1 or kwargs and type(kwargs.get("keepdims")) is not bool or x.ndim_ == 0 and kwargs:
        return None
    cdef bint keep = bool(kwargs) and kwargs["keepdims"]
    if axis is None:
        made = reduced(x, kind)
    else:
        made = reduced_along(x, kind, axis) if type(axis) is int and -3 < axis < 3 else None
    if made is None or not keep:
        return made
    made = made._reshape_view([1 if axis is None or i == axis % x.ndim_ else x.dims[i] for i in range(x.ndim_)])
    made.read_only = 0
    return made


cdef bint is_all(Array x, axis) except -1:
    """Whether all elements lie along an axis: None, or the only one."""
    return axis is None or x.ndim_ == 1 and type(axis) is int and (axis == 0 or axis == -1)


cdef class SmallMethods(Array):
    """The methods of `mxcy.numpy.ndarray` that matter for small arrays; the others are in `Methods`."""

    @property
    def T(self):
        """A view with the axes in reverse order."""
        cdef int64_t dims[2 * MAX_NDIM]
        cdef int i, n = self.ndim_
        if self.grad_info is not NULL:
            return _slow.transpose(self)
        for i in range(n):
            dims[i] = self.dims[n - 1 - i]
            dims[n + i] = self.dims[2 * n - 1 - i]
        return new_view(self, self.offset, n, dims, dims + n)

    def sum(self, axis=None, *args, **kwargs):
        """Sum of the elements along axes."""
        made = small(self, SUM, axis, args, kwargs)
        return _slow.sum(self, axis, *args, **kwargs) if made is None else made

    def prod(self, axis=None, *args, **kwargs):
        """Product of the elements along axes."""
        made = small(self, PROD, axis, args, kwargs)
        return _slow.prod(self, axis, *args, **kwargs) if made is None else made

    def max(self, axis=None, *args, **kwargs):
        """Largest element along axes."""
        made = small(self, MAX, axis, args, kwargs)
        return _slow.max(self, axis, *args, **kwargs) if made is None else made

    def min(self, axis=None, *args, **kwargs):
        """Smallest element along axes."""
        made = small(self, MIN, axis, args, kwargs)
        return _slow.min(self, axis, *args, **kwargs) if made is None else made

    def any(self, axis=None, *args, **kwargs):
        """Whether an element along axes is not zero."""
        made = small(self, ANY, axis, args, kwargs)
        return _slow.any(self, axis, *args, **kwargs) if made is None else made

    def all(self, axis=None, *args, **kwargs):
        """Whether no element along axes is zero."""
        made = small(self, ALL, axis, args, kwargs)
        return _slow.all(self, axis, *args, **kwargs) if made is None else made

    def mean(self, axis=None, *args, **kwargs):
        """Mean of the elements along axes."""
        made = None if axis is not None or args or kwargs else averaged(self)
        return _slow.mean(self, axis, *args, **kwargs) if made is None else made

    def argmax(self, axis=None, *args, **kwargs):
        """Position of the first largest element along an axis."""
        made = None if args or kwargs or not is_all(self, axis) else position(self, True)
        return _slow.argmax(self, axis, *args, **kwargs) if made is None else made

    def argmin(self, axis=None, *args, **kwargs):
        """Position of the first smallest element along an axis."""
        made = None if args or kwargs or not is_all(self, axis) else position(self, False)
        return _slow.argmin(self, axis, *args, **kwargs) if made is None else made

    def copy(self, order="C"):
        """A new array with the same elements, in C order by default."""
        made = None if order == "F" else copied(self)
        return _slow.copy(self, order=order) if made is None else made

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        """The elements converted to another dtype, the array itself if `copy=False` and nothing changes."""
        made = None
        if copy and casting == "unsafe" and order == "K":
            made = cast(self, code_of(dtype)) if type(dtype) is type or type(dtype) is str else None
        return _slow.astype(self, dtype, order, casting, copy) if made is None else made

    def reshape(self, *shape, order="C", copy=None):
        """The elements in another shape, a view where that can be."""
        if len(shape) == 1:
            (shape,) = shape
        if self.grad_info is NULL and copy is None and order == "C":
            view = self._reshape_view(shape)
            if view is not None:
                return view
        return _slow.reshape(self, shape, order, copy=copy)

    def squeeze(self, axis=None):
        """A view without axes of extent 1, all of them or those given."""
        made = squeezed(self, axis) if self.grad_info is NULL else None
        return _slow.squeeze(self, axis) if made is None else made

    def transpose(self, *axes):
        """A view with the axes in another order, reversed by default."""
        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
            (axes,) = axes
        return self._transpose_view(axes or None) if self.grad_info is NULL else _slow.transpose(self, axes or None)

    def swapaxes(self, axis1, axis2):
        """A view with two axes exchanged."""
        made = swapped(self, axis1, axis2) if self.grad_info is NULL else None
        return _slow.swapaxes(self, axis1, axis2) if made is None else made

    def ravel(self, order="C"):
        """All elements along one axis, a view where that can be."""
        made = raveled(self) if self.grad_info is NULL and order == "C" else None
        return _slow.ravel(self, order) if made is None else made

    def view(self, dtype=None, type=None):
        """A view of the same memory, perhaps read as another dtype."""
        return viewed(self) if dtype is None and self.grad_info is NULL else _slow.view(self, dtype)

    def clip(self, min=None, max=None, out=None, **kwargs):
        """The elements limited to a range."""
        made = limited(self, min, max) if out is None and not kwargs and self.grad_info is NULL else None
        return _slow.clip(self, min, max, out, **kwargs) if made is None else made

    def take(self, indices, axis=None, out=None, mode="raise"):
        """The entries at indices along an axis."""
        made = None
        if out is None and mode == "raise" and is_ours(indices) and is_ours(self) and is_all(self, axis):
            if (<Array>indices).dtype_code == INT64 and self.ndim_ == 1:
                made = chosen(self, <Array>indices)
        return _slow.take(self, indices, axis, out, mode) if made is None else made

    def item(self, *args):
        """The only element, or the one at a position, as a Python number."""
        if not args and self.size == 1 and not self.var.on_gpu():
            return steal(lent.scalar(<PyObject*>self))
        return read_view(self).item(*args)

    def tolist(self):
        """The elements as nested lists of Python numbers, or one number."""
        return read_view(self).tolist()

    def tobytes(self, order="C"):
        """The elements as bytes."""
        return read_view(self).tobytes(order)

    def _get_advanced(self, key):
        made = chosen(self, <Array>key) if is_ours(key) else None
        return _slow.get_advanced(self, key) if made is None else made

    def _set_basic(self, view, value):
        if is_ours(value):
            if assign_array(<Array>view, <Array>value):
                return
        elif assign_number(<Array>view, <PyObject*>value):
            return
        self._set_slowly(view, value)
