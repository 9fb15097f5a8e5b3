"""Methods and constructors with a way for small arrays (`_small.pyx`), tried before the usual one."""

from cpython.long cimport PyLong_FromLongLong
from cpython.memoryview cimport PyMemoryView_FromObject
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t, uint8_t

from .._array cimport MAX_NDIM, Array, faces, is_constant, lent, new_view, steal, type_of
from .._export cimport read_view, to_numpy
from .._index cimport entries
from .._invoke cimport readable_data
from ._flags cimport flags_of
from ._flat cimport flat_of
from ._small cimport (
    ALL, ANY, MAX, MIN, PROD, SUM, assign_array, assign_number, averaged, cast, copied, is_ours, position, reduced,
    reduced_along,
)
from ._small_choices cimport chosen, picked
from ._small_copies cimport (
    bytes_of, diagonal_of, field_of, flattened, known_code, may_cast, number_at, places_of, repeated, viewed_as,
    with_bytes_swapped,
)
from ._small_shapes cimport filled_with, limited, raveled, squeezed, swapped, viewed
from ._small_values cimport array_of
from ._vectorcall cimport vectorcall

import numpy as np

from .._index import set_shape
from ..errors import ArgumentTypeError, problem
from ._small import matmul
from ._small_choices import argsort

__all__ = ["Slow", "SmallMethods", "norm"]

cdef extern from "strided.hpp" namespace "mxcy" nogil:
    void c_strides(int, const int64_t*, int64_t, int64_t*)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    const uint8_t* ITEMSIZE
    enum:
        BOOL, INT64, FLOAT32, FLOAT64


class Slow:
    """What is called where there is no small way: a function for each; the modules that have them set them."""


cdef object _slow = Slow
cdef object _NOTHING = np._NoValue
cdef type _type = type


cdef object conjugated(Array x, out):
    """x.conj(out): of what is not complex, the array itself or a copy in `out`."""
    if x.dtype_code > FLOAT64:
        return _slow.conjugate(x) if out is None else _slow.conjugate(x, out)
    if out is None:
        return x
    _slow.copyto(out, x)
    return out


def norm(x):
    """Return the root of the sum of squares of floats, None for what is not for here."""
    if not is_ours(x) or not (<Array>x).c_contiguous or (<Array>x).dtype_code not in (FLOAT32, FLOAT64):
        return None
    flat = x._reshape_view((-1,))
    made = matmul(flat, flat)
    return None if made is None else _slow.sqrt(made)


# --- reductions ---------------------------------------------------------------------------------------
cdef Array small(Array x, int kind, axis, dtype, out, keepdims, initial, where):
    """A reduction without other arguments than `axis`, `keepdims` and a number that it begins with."""
    cdef Array made
    cdef PyObject* begin = NULL
    if dtype is not None or out is not None or where is not True:
        return None
    if initial is not _NOTHING:
        begin = <PyObject*>initial
    if keepdims is not False and (keepdims is not True or x.ndim_ == 0):
        return None
    if axis is None:
        made = reduced(x, kind, begin)
    else:
        made = reduced_along(x, kind, axis, begin) if type(axis) is int and -3 < axis < 3 else None
    if made is None or keepdims is False:
        return made
    made = made._reshape_view([1 if axis is None or i == axis % x.ndim_ else x.dims[i] for i in range(x.ndim_)])
    made.read_only = 0
    return made


# The keywords of reductions that were given, by a bit for each.
cdef tuple KEYWORDS = ("dtype", "out", "keepdims", "initial", "where")
cdef list given_names = [tuple([name for i, name in enumerate(KEYWORDS) if mask >> i & 1]) for mask in range(32)]


cdef object usually(function, Array x, axis, dtype, out, keepdims, initial, where):
    """Call the usual function of a reduction with the keywords that were given."""
    cdef PyObject* args[7]
    cdef int count = 2, mask = 0
    args[0], args[1] = <PyObject*>x, <PyObject*>axis
    if dtype is not None:
        args[count], count, mask = <PyObject*>dtype, count + 1, mask | 1
    if out is not None:
        args[count], count, mask = <PyObject*>out, count + 1, mask | 2
    if keepdims is not False:
        args[count], count, mask = <PyObject*>keepdims, count + 1, mask | 4
    if initial is not _NOTHING:
        args[count], count, mask = <PyObject*>initial, count + 1, mask | 8
    if where is not True:
        args[count], count, mask = <PyObject*>where, count + 1, mask | 16
    names = given_names[mask]
    return steal(vectorcall(<PyObject*>function, args, 2, <PyObject*>names if mask else NULL))


cdef bint is_all(Array x, axis) except -1:
    """Whether all elements lie along an axis: None, or the only one."""
    return axis is None or x.ndim_ == 1 and type(axis) is int and (axis == 0 or axis == -1)


# --- shapes and elements ------------------------------------------------------------------------------
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


cdef Array turned(Array x):
    """A view with the axes in reverse order."""
    cdef int64_t dims[2 * MAX_NDIM]
    cdef int i, n = x.ndim_
    if x.grad_info is not NULL:
        return _slow.transpose(x)
    for i in range(n):
        dims[i] = x.dims[n - 1 - i]
        dims[n + i] = x.dims[2 * n - 1 - i]
    return new_view(x, x.offset, n, dims, dims + n)


cdef Array indexed(Array x, key):
    """x[key] for arrays and lists of integers or booleans, None for what is not for here."""
    if type(key) is list:
        key = array_of(key, -1 if key else INT64)  # NumPy's index without elements is one of integers
    if type(key) is tuple:
        return picked(x, key)
    if not is_ours(key):
        return None
    made = chosen(x, <Array>key)
    return picked(x, (key,)) if made is None and (<Array>key).ndim_ > 1 else made


cdef class SmallMethods(Array):
    """The methods of `mxcy.numpy.ndarray` that matter for small arrays; the others are in `Methods`."""

    @property
    def T(self):
        """A view with the axes in reverse order."""
        return turned(self)

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
        return flags_of(self)

    @property
    def flat(self):
        """An iterator over all elements, which can be indexed and assigned to."""
        return flat_of(self)

    @flat.setter
    def flat(self, value):
        flat_of(self)[...] = value

    def __iter__(self):
        if self.ndim_ == 0:
            raise ArgumentTypeError(problem("iter", None, "a 0-d array has no axis to iterate over"))
        return entries(self, False)

    def __reversed__(self):
        if self.ndim_ == 0:
            raise ArgumentTypeError(problem("reversed", None, "a 0-d array has no axis to iterate over"))
        return entries(self, True)

    def __array__(self, dtype=None, *, copy=None):
        return to_numpy(self, dtype, copy)

    @property
    def data(self):
        """A memoryview of the elements."""
        return PyMemoryView_FromObject(self)

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

    def conj(self, out=None, /):
        """The complex conjugate."""
        return conjugated(self, out)

    def conjugate(self, out=None, /):
        """The complex conjugate."""
        return conjugated(self, out)

    def dot(self, b, out=None):
        """Product of matrices or vectors."""
        made = matmul(self, b) if out is None and self.grad_info is NULL else None
        return _slow.dot(self, b, out) if made is None else made

    def sum(self, axis=None, dtype=None, out=None, keepdims=False, initial=_NOTHING, where=True):
        """Sum of the elements along axes."""
        made = small(self, SUM, axis, dtype, out, keepdims, initial, where)
        return usually(_slow.sum, self, axis, dtype, out, keepdims, initial, where) if made is None else made

    def prod(self, axis=None, dtype=None, out=None, keepdims=False, initial=_NOTHING, where=True):
        """Product of the elements along axes."""
        made = small(self, PROD, axis, dtype, out, keepdims, initial, where)
        return usually(_slow.prod, self, axis, dtype, out, keepdims, initial, where) if made is None else made

    def max(self, axis=None, out=None, keepdims=False, initial=_NOTHING, where=True):
        """Largest element along axes."""
        made = small(self, MAX, axis, None, out, keepdims, initial, where)
        return usually(_slow.max, self, axis, None, out, keepdims, initial, where) if made is None else made

    def min(self, axis=None, out=None, keepdims=False, initial=_NOTHING, where=True):
        """Smallest element along axes."""
        made = small(self, MIN, axis, None, out, keepdims, initial, where)
        return usually(_slow.min, self, axis, None, out, keepdims, initial, where) if made is None else made

    def any(self, axis=None, out=None, keepdims=False, *, where=True):
        """Whether an element along axes is not zero."""
        made = small(self, ANY, axis, None, out, keepdims, _NOTHING, where)
        return usually(_slow.any, self, axis, None, out, keepdims, _NOTHING, where) if made is None else made

    def all(self, axis=None, out=None, keepdims=False, *, where=True):
        """Whether no element along axes is zero."""
        made = small(self, ALL, axis, None, out, keepdims, _NOTHING, where)
        return usually(_slow.all, self, axis, None, out, keepdims, _NOTHING, where) if made is None else made

    def mean(self, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
        """Mean of the elements along axes."""
        made = None
        if axis is None and dtype is None and out is None and keepdims is False and where is True:
            made = averaged(self)
        return usually(_slow.mean, self, axis, dtype, out, keepdims, _NOTHING, where) if made is None else made

    def argmax(self, axis=None, out=None, *, keepdims=False):
        """Position of the first largest element along an axis."""
        made = None
        if out is None and (keepdims is False or keepdims is True) and is_all(self, axis):
            made = position(self, True, keepdims)
        return usually(_slow.argmax, self, axis, None, out, keepdims, _NOTHING, True) if made is None else made

    def argmin(self, axis=None, out=None, *, keepdims=False):
        """Position of the first smallest element along an axis."""
        made = None
        if out is None and (keepdims is False or keepdims is True) and is_all(self, axis):
            made = position(self, False, keepdims)
        return usually(_slow.argmin, self, axis, None, out, keepdims, _NOTHING, True) if made is None else made

    def copy(self, order="C"):
        """A new array with the same elements, in C order by default."""
        made = copied(self) if order == "C" or order == "K" or order == "A" else None
        return _slow.copy(self, order=order) if made is None else made

    def __copy__(self):
        made = copied(self) if type_of(<PyObject*>self) is faces[self.face].type else None
        if made is not None:
            return made
        return Array.__copy__(self) if self.c_contiguous else _slow.copy(self, "K")

    def flatten(self, order="C"):
        """A copy of all elements along one axis."""
        made = flattened(self) if order == "C" or order == "K" or order == "A" else None
        return _slow.flatten(self, order) if made is None else made

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        """The elements converted to another dtype, the array itself if `copy=False` and nothing changes."""
        cdef int code
        made = None
        if copy and (order == "K" or order == "C" or order == "A"):
            code = known_code(dtype)
            if code >= 0 and may_cast(self.dtype_code, code, casting):
                made = cast(self, code)
        return _slow.astype(self, dtype, order=order, casting=casting, copy=copy) if made is None else made

    def byteswap(self, inplace=False):
        """The elements with their bytes in reverse order."""
        made = with_bytes_swapped(self) if inplace is False else None
        return _slow.byteswap(self, inplace) if made is None else made

    def repeat(self, repeats, axis=None):
        """Every element (or entry along an axis) repeated."""
        made = repeated(self, repeats, axis)
        return _slow.repeat(self, repeats, axis) if made is None else made

    def reshape(self, *shape, order="C", copy=None):
        """The elements in another shape, a view where that can be."""
        cdef Array source = self
        if len(shape) == 1:
            (shape,) = shape
        if self.grad_info is NULL and order == "C" and (copy is None or copy is True) and not is_constant(self):
            if copy is True:
                source = copied(self)
            view = None if source is None else reshaped(source, shape)
            if view is None and copy is None:
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
        if not axes or len(axes) == 1 and axes[0] is None:
            return turned(self)
        if len(axes) == 1 and (isinstance(axes[0], (tuple, list)) or getattr(axes[0], "ndim", 0)):
            axes = tuple(axes[0])
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
        cdef int code = known_code(dtype)
        made = viewed_as(self, code) if code >= 0 and self.ndim_ > 0 else None
        if made is not None:
            return made
        if isinstance(dtype, (str, np.dtype)) or isinstance(dtype, _type) and issubclass(dtype, np.generic):
            return _slow.as_dtype(self, dtype)
        return _slow.view(self, dtype)

    def getfield(self, dtype, offset=0):
        """A view of a part of each element."""
        cdef int code = known_code(dtype)
        made = field_of(self, code, offset) if code >= 0 else None
        return _slow.getfield(self, dtype, offset) if made is None else made

    def diagonal(self, offset=0, axis1=0, axis2=1):
        """A view of a diagonal, which cannot be written."""
        made = diagonal_of(self, offset, axis1, axis2)
        return _slow.diagonal(self, offset, axis1, axis2) if made is None else made

    def clip(self, min=None, max=None, out=None, **kwargs):
        """The elements limited to a range."""
        made = limited(self, min, max) if out is None and not kwargs and self.grad_info is NULL else None
        if made is not None:
            return made
        return _slow.clip(self, min, max, **kwargs) if out is None else _slow.clip(self, min, max, out, **kwargs)

    def take(self, indices, axis=None, out=None, mode="raise"):
        """The entries at indices along an axis."""
        made = None
        if out is None and self.grad_info is NULL and self.ndim_ == 1 and is_all(self, axis):
            if is_ours(indices) and (<Array>indices).dtype_code == INT64 and mode == "raise":
                made = indexed(self, indices)
            elif type(indices) is int and 0 <= indices < self.size and mode in ("raise", "clip", "wrap"):
                made = self[indices]
        if made is not None:
            return made
        return _slow.take(self, indices, axis, mode=mode) if out is None else _slow.take(self, indices, axis, out, mode)

    def item(self, *args):
        """The only element, or the one at a position, as a Python number."""
        if not args and self.size == 1 and not self.var.on_gpu():
            return steal(lent.scalar(<PyObject*>self))
        made = number_at(self, args[0] if len(args) == 1 and type(args[0]) is tuple else args) if args else None
        return read_view(self).item(*args) if made is None else made

    def nonzero(self):
        """The indices of elements that are not zero, an array for each axis."""
        made = places_of(self)
        return _slow.nonzero(self) if made is None else made

    def argsort(self, axis=-1, kind=None, order=None, *, stable=None):
        """Positions that sort the elements along an axis."""
        made = argsort(self, axis, kind, order, stable=stable)
        return _slow.argsort(self, axis, kind, order, stable=stable) if made is None else made

    def tolist(self):
        """The elements as nested lists of Python numbers, or one number."""
        made = listed(self) if self.ndim_ == 1 else None
        return read_view(self).tolist() if made is None else made

    def tobytes(self, order="C"):
        """The elements as bytes."""
        made = bytes_of(self) if order == "C" or order == "K" or order == "A" else None
        return read_view(self).tobytes(order) if made is None else made

    def _get_advanced(self, key):
        made = indexed(self, key)
        return _slow.get_advanced(self, key) if made is None else made

    def _set_basic(self, view, value):
        if is_ours(value):
            if assign_array(<Array>view, <Array>value):
                return
        elif assign_number(<Array>view, <PyObject*>value):
            return
        self._set_slowly(view, value)
