"""Methods and constructors with a way for small arrays (`_small.pyx`), tried before the usual one."""

from cpython.long cimport PyLong_FromLongLong
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t, uint8_t

from .._array cimport MAX_NDIM, Array, is_constant, lent, new_view, steal
from .._export cimport read_view
from .._invoke cimport readable_data
from ._calls cimport face, given, taken
from ._small cimport (
    ALL, ANY, MAX, MIN, PROD, SUM, assign_array, assign_number, averaged, cast, chosen, copied, is_ours, position,
    reduced, reduced_along,
)
from ._small_shapes cimport filled, filled_with, limited, on_cpu, raveled, squeezed, swapped, viewed
from ._small_values cimport array_of

import numpy as np

from .._index import entries, set_shape
from ..dtypes import DTYPES, code_of
from ..errors import ArgumentTypeError, problem
from ._flags import Flags
from ._small import matmul, stack

__all__ = ["Slow", "SmallMethods", "array", "asanyarray", "asarray", "norm", "ones", "zeros"]

cdef extern from "strided.hpp" namespace "mxcy" nogil:
    void c_strides(int, const int64_t*, int64_t, int64_t*)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    const uint8_t* ITEMSIZE
    enum:
        BOOL, INT64, FLOAT32, FLOAT64


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
cdef type _type = type
# Dtypes by what they are called.
cdef dict codes = {float: FLOAT64, int: INT64, bool: BOOL}
for _code, _dtype in enumerate(DTYPES):
    if _dtype.isbuiltin == 1:
        codes[_dtype], codes[_dtype.type], codes[_dtype.name] = _code, _code, _code

cdef enum:
    UNKNOWN = -2
    FEW = 4096  # elements


def array(object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0, like=None, device=None, ctx=None):
    """An array of the values of `object`: numbers, nested sequences, arrays, what has `__array__`.

    Without `dtype` it is the one that NumPy finds: int64, float64, complex128 or bool for Python's numbers.
    `copy=False` raises ValueError where a copy is needed, `copy=None` copies only then.
    """
    cdef int code
    if copy is True and order == "K" and ndmin == 0 and device is None and ctx is None:
        if isinstance(object, Array):
            if dtype is None and is_ours(object):
                made = copied(<Array>object)
                if made is not None:
                    return made
        elif type(object) in PLAIN and on_cpu():
            made = None
            code = known_code(dtype)
            if code != UNKNOWN:
                made = array_of(object, code)
                if made is None and dtype is None and type(object) is list:
                    made = stack(object)
            return given(np.array(taken(object, []), dtype), []) if made is None else made
    if device is None and ctx is None and (type(object) in PLAIN or is_few(object)):
        return _slow.made_array(object, dtype, copy=copy, order=order, ndmin=ndmin)
    return _slow.array(object, dtype, copy=copy, order=order, ndmin=ndmin, device=device, ctx=ctx)


cdef bint is_few(object x) noexcept:
    """Whether this is an array of ours with so few elements that NumPy's way is the short one."""
    return is_ours(x) and (<Array>x).size <= FEW


cdef int known_code(dtype) except -3:
    """The number of a dtype, -1 for None, UNKNOWN if that takes a closer look."""
    if dtype is None:
        return -1
    if type(dtype) is type or type(dtype) is str or isinstance(dtype, np.dtype):
        return codes.get(dtype, UNKNOWN)
    return UNKNOWN


def asarray(a, dtype=None, order=None, *, device=None, copy=None, like=None, ctx=None):
    """The array itself if it is one with this dtype and order; otherwise an array of its values."""
    if dtype is None and copy is None and device is None and ctx is None:
        if isinstance(a, Array):
            if (<Array>a).face == face():
                if order is None or (<Array>a).c_contiguous and order in ("C", "K", "A"):
                    return a
        elif order is None and type(a) in PLAIN:
            return array(a)
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


cdef list listed(Array x):
    """The numbers of a vector, None for what is not for here."""
    cdef char* data = readable_data(<PyObject*>x)
    cdef int64_t i
    if data is NULL:
        return None
    if x.dtype_code == FLOAT64:
        return [(<double*>data)[i] for i in range(x.size)]
    return [(<int64_t*>data)[i] for i in range(x.size)] if x.dtype_code == INT64 else None


cdef Array reshaped(Array x, object shape):
    """A view of a contiguous array with another shape, which is right; None for others."""
    cdef int64_t dims[2 * MAX_NDIM]
    cdef int64_t known = 1
    cdef Py_ssize_t i, n = 1, unknown = -1
    if not x.c_contiguous or type(shape) is not tuple and type(shape) is not int:
        return None
    if type(shape) is tuple:
        n = len(<tuple>shape)
        if n > 8:
            return None
    for i in range(n):
        extent = (<tuple>shape)[i] if type(shape) is tuple else shape
        if type(extent) is not int or not -1 <= extent <= x.size:
            return None
        dims[i] = extent
        if dims[i] < 0:
            if unknown >= 0:
                return None
            unknown = i
        else:
            known *= dims[i]
        if known > x.size or known == 0:
            return None
    if unknown >= 0:
        dims[unknown] = x.size // known
        known *= dims[unknown]
    if known != x.size:
        return None
    c_strides(<int>n, dims, ITEMSIZE[x.dtype_code], dims + n)
    view = new_view(x, x.offset, <int>n, dims, dims + n)
    view.whole = x.whole
    return view


cdef Array permuted(Array x, tuple axes):
    """A view with its axes in an order that is right; None for others."""
    cdef int64_t dims[2 * MAX_NDIM]
    cdef int i, n = x.ndim_, axis
    cdef unsigned long long seen = 0
    if len(axes) == 1 and type(axes[0]) is tuple:
        axes = axes[0]
    if len(axes) != n:
        return None
    for i in range(n):
        given = axes[i]
        if type(given) is not int or not -n <= given < n:
            return None
        axis = given
        axis += n if axis < 0 else 0
        if seen >> axis & 1:
            return None
        seen |= 1ULL << axis
        dims[i], dims[n + i] = x.dims[axis], x.dims[n + axis]
    return new_view(x, x.offset, n, dims, dims + n)


cdef object item_at(Array x, int64_t i):
    """The float at a position of those in C order."""
    cdef char* data = readable_data(<PyObject*>x)
    i += x.size if i < 0 else 0
    if data is NULL or i < 0 or i >= x.size:
        return read_view(x).item(i)
    return (<double*>data)[i]


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

    @property
    def mT(self):
        """A view with the last two axes exchanged."""
        if self.ndim_ < 2:
            raise ValueError("matrix transpose with ndim < 2 is undefined")
        made = swapped(self, -1, -2) if self.grad_info is NULL else None
        return _slow.matrix_transpose(self) if made is None else made

    @property
    def shape(self):
        """Extents, a tuple of int; may be assigned."""
        cdef int i
        cdef tuple made = PyTuple_New(self.ndim_)
        for i in range(self.ndim_):
            extent = PyLong_FromLongLong(self.dims[i])
            Py_INCREF(extent)
            PyTuple_SET_ITEM(made, i, extent)
        return made

    @shape.setter
    def shape(self, value):
        set_shape(self, value)

    @property
    def real(self):
        """The real part: a view, or the array itself if it is not complex."""
        return _slow.real(self) if self.dtype_code > FLOAT64 else self

    @real.setter
    def real(self, value):
        _slow.set_real(self, value)

    @property
    def imag(self):
        """The imaginary part: a view, or zeros that cannot be written."""
        made = None
        if self.dtype_code <= FLOAT64 and self.ndim_ > 0 and self.c_contiguous and self.grad_info is NULL:
            zero = False if self.dtype_code == BOOL else 0
            made = filled_with(self.ndim_, <long long*>self.dims, self.dtype_code, zero, self)
        if made is None:
            return _slow.imag(self)
        (<Array>made).read_only = 1
        return made

    @imag.setter
    def imag(self, value):
        _slow.set_imag(self, value)

    @property
    def flags(self):
        """How the elements lie in memory, as NumPy's object of this name; `writeable` can be set."""
        return Flags(self)

    def __iter__(self):
        if self.ndim_ == 0:
            raise ArgumentTypeError(problem("iter", None, "a 0-d array has no axis to iterate over"))
        return entries(self)

    def __float__(self):
        cdef char* data
        if self.ndim_ == 0 and self.dtype_code == FLOAT64:
            data = readable_data(<PyObject*>self)
            if data is not NULL:
                return (<double*>data)[0]
        return Array.__float__(self)

    def __bool__(self):
        cdef char* data = readable_data(<PyObject*>self) if self.ndim_ == 0 else NULL
        if data is not NULL:
            if self.dtype_code == BOOL:
                return data[0] != 0
            if self.dtype_code == FLOAT64:
                return (<double*>data)[0] != 0
        return Array.__bool__(self)

    def __int__(self):
        cdef char* data = readable_data(<PyObject*>self) if self.ndim_ == 0 and self.dtype_code == INT64 else NULL
        return Array.__int__(self) if data is NULL else (<int64_t*>data)[0]

    def __index__(self):
        cdef char* data = readable_data(<PyObject*>self) if self.ndim_ == 0 and self.dtype_code == INT64 else NULL
        return Array.__index__(self) if data is NULL else (<int64_t*>data)[0]

    @property
    def device(self):
        """Where the elements are: "cpu", or "gpu(0)"."""
        return "cpu" if self.var.context == 0x100 else _slow.device(self)

    def conj(self):
        """The complex conjugate."""
        return _slow.conjugate(self) if self.dtype_code > FLOAT64 else self

    def conjugate(self):
        """The complex conjugate."""
        return _slow.conjugate(self) if self.dtype_code > FLOAT64 else self

    def dot(self, b, out=None):
        """Product of matrices or vectors."""
        made = matmul(self, b) if out is None and self.grad_info is NULL else None
        return _slow.dot(self, b, out) if made is None else made

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
        if copy and casting == "unsafe" and order in ("K", "C", "A"):
            made = cast(self, code_of(dtype)) if type(dtype) is type or type(dtype) is str else None
        return _slow.astype(self, dtype, order=order, casting=casting, copy=copy) if made is None else made

    def reshape(self, *shape, order="C", copy=None):
        """The elements in another shape, a view where that can be."""
        if len(shape) == 1:
            (shape,) = shape
        if self.grad_info is NULL and copy is None and order == "C" and not is_constant(self):
            view = reshaped(self, shape)
            if view is None:
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
        if not axes:
            return self.T
        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
            (axes,) = axes
        if self.grad_info is not NULL:
            return _slow.transpose(self, axes or None)
        made = permuted(self, axes) if type(axes) is tuple else None
        return self._transpose_view(axes or None) if made is None else made

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
        if dtype is None and self.grad_info is NULL:
            return viewed(self)
        if isinstance(dtype, (str, np.dtype)) or isinstance(dtype, _type) and issubclass(dtype, np.generic):
            return _slow.as_dtype(self, dtype)
        return _slow.view(self, dtype)

    def clip(self, min=None, max=None, out=None, **kwargs):
        """The elements limited to a range."""
        made = limited(self, min, max) if out is None and not kwargs and self.grad_info is NULL else None
        if made is not None:
            return made
        return _slow.clip(self, min, max, **kwargs) if out is None else _slow.clip(self, min, max, out, **kwargs)

    def take(self, indices, axis=None, out=None, mode="raise"):
        """The entries at indices along an axis."""
        made = None
        if out is None and mode == "raise" and is_ours(indices) and is_ours(self) and is_all(self, axis):
            if (<Array>indices).dtype_code == INT64 and self.ndim_ == 1:
                made = chosen(self, <Array>indices)
        if made is not None:
            return made
        return _slow.take(self, indices, axis, mode=mode) if out is None else _slow.take(self, indices, axis, out, mode)

    def item(self, *args):
        """The only element, or the one at a position, as a Python number."""
        if not args and self.size == 1 and not self.var.on_gpu():
            return steal(lent.scalar(<PyObject*>self))
        if len(args) == 1 and type(args[0]) is int and self.c_contiguous and self.dtype_code == FLOAT64:
            return item_at(self, args[0])
        if len(args) == 1 and type(args[0]) is tuple:
            (args,) = args
        if 0 < len(args) == self.ndim_ and self.grad_info is NULL and all([type(i) is int for i in args]):
            found = self[args]
            return steal(lent.scalar(<PyObject*>found))
        return read_view(self).item(*args)

    def tolist(self):
        """The elements as nested lists of Python numbers, or one number."""
        made = listed(self) if self.ndim_ == 1 else None
        return read_view(self).tolist() if made is None else made

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
