# cython: cdivision=True
"""Views: basic indexing, reshape, transpose, broadcast. All of them alias; none touches an element.

A key of integers, slices, None and one ellipsis is parsed here. Any other key (lists, arrays, booleans)
goes to the face: `_get_advanced(key)`, `_set_advanced(key, value)`. Writing to a basic key makes the view
and calls the face's `_set_basic(view, value)`.
"""

cimport cython
from cpython.object cimport PyObject
from cpython.slice cimport PySlice_AdjustIndices, PySlice_Unpack
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from ._engine cimport CVar, var_new, var_release
from ._invoke cimport is_element, is_number, is_watched, readable_data, store_scalar
from ._array cimport (
    CONSTANT, MAX_NDIM, Array,
    adopt_var, allocate, faces, incref, is_constant, lent, new_like, new_view, place_dims, read_shape,
    require_writable, steal, type_of,
)

from .errors import ArgumentError, ArgumentTypeError, ArrayIndexError, AxisError, ShapeError, message, problem, wrap

cdef extern from "Python.h":
    bint PyLong_CheckExact(object)
    long long PyLong_AsLongLongAndOverflow(object, int*) except? -1
    bint PyBool_Check(object)
    bint PyTuple_CheckExact(object)
    bint PySlice_Check(object)
    bint PyIndex_Check(object)
    Py_ssize_t PyNumber_AsSsize_t(object, object) except? -1

cdef extern from "strided.hpp" namespace "mxcy" nogil:
    bint reshape_strides(int, const int64_t*, const int64_t*, int64_t, int, const int64_t*, int64_t*)
    bint byte_bounds(int, const int64_t*, const int64_t*, int64_t, int64_t*, int64_t*)
    bint views_may_overlap(int64_t, int, const int64_t*, const int64_t*, int64_t,
                           int64_t, int, const int64_t*, const int64_t*, int64_t)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        BOOL
    const uint8_t* ITEMSIZE


cdef struct View:
    int64_t offset
    int ndim
    int64_t shape[MAX_NDIM]
    int64_t strides[MAX_NDIM]


# --- keys ---------------------------------------------------------------------------------------

cdef int is_integer(object item) except -1:
    """Whether an item of a key is an integer; arrays and booleans, ours or NumPy's, are not."""
    if PyLong_CheckExact(item):
        return 1
    if not PyIndex_Check(item) or PyBool_Check(item) or hasattr(item, "__setitem__"):
        return 0
    return getattr(getattr(item, "dtype", None), "kind", "i") != "b"


cdef int is_basic(object item) except -1:
    return item is None or PySlice_Check(item) or is_integer(item)


cdef int take_integer(View* v, Array x, int axis, object item) except -1:
    cdef int64_t extent = x.dims[axis]
    cdef int64_t index = PyNumber_AsSsize_t(item, ArrayIndexError)
    if index < -extent or index >= extent:
        text = f"index {index} is out of bounds for axis {axis} with size {extent}"
        raise ArrayIndexError(problem("getitem", "key", text))
    if index < 0:
        index += extent
    v.offset += index * x.dims[x.ndim_ + axis]
    return 0


cdef int take_slice(View* v, Array x, int axis, object item) except -1:
    cdef Py_ssize_t start, stop, step, length
    try:
        PySlice_Unpack(item, &start, &stop, &step)
    except (TypeError, ValueError) as error:
        raise wrap(error) from None
    length = PySlice_AdjustIndices(x.dims[axis], &start, &stop, step)
    if length > 0:
        v.offset += start * x.dims[x.ndim_ + axis]
    append_axis(v, length, step * x.dims[x.ndim_ + axis])
    return 0


cdef int append_axis(View* v, int64_t extent, int64_t stride) except -1:
    if v.ndim == MAX_NDIM:
        raise ArrayIndexError(message("getitem", "key", f"a result of at most {MAX_NDIM} axes", "more"))
    v.shape[v.ndim] = extent
    v.strides[v.ndim] = stride
    v.ndim += 1
    return 0


cdef int keep_axes(View* v, Array x, int begin, int end) except -1:
    cdef int axis
    for axis in range(begin, end):
        append_axis(v, x.dims[axis], x.dims[x.ndim_ + axis])
    return 0


cdef int take(View* v, Array x, int axis, object item) except -1:
    """Applies one item of a key to an axis; returns how many axes it uses up."""
    if item is None:
        append_axis(v, 1, 0)
        return 0
    if axis >= x.ndim_:
        text = f"too many indices: array is {x.ndim_}-dimensional"
        raise ArrayIndexError(problem("getitem", "key", text))
    if PySlice_Check(item):
        take_slice(v, x, axis, item)
    else:
        take_integer(v, x, axis, item)
    return 1


cdef int parse(View* v, Array x, object key) except -1:
    """Fills in the view that a key selects; returns 0 if the key is not basic."""
    cdef int axis = 0, used = 0
    cdef bint seen_ellipsis = False
    v.offset = x.offset
    v.ndim = 0
    if not PyTuple_CheckExact(key):
        if key is Ellipsis or x.ndim_ == 0 and not faces[x.face].zero_dim and key == slice(None):
            key = ()
        elif is_basic(key):
            axis = take(v, x, 0, key)
            keep_axes(v, x, axis, x.ndim_)
            return 1
        else:
            return 0
    for item in <tuple>key:
        if item is Ellipsis:
            if seen_ellipsis:
                raise ArrayIndexError(message("getitem", "key", "at most one ellipsis ('...')", key))
            seen_ellipsis = True
        elif not is_basic(item):
            return 0
        elif item is not None:
            used += 1
    if used > x.ndim_:
        text = f"too many indices: array is {x.ndim_}-dimensional, but {used} were indexed"
        raise ArrayIndexError(problem("getitem", "key", text))
    for item in <tuple>key:
        if item is Ellipsis:
            keep_axes(v, x, axis, axis + x.ndim_ - used)
            axis += x.ndim_ - used
        else:
            axis += take(v, x, axis, item)
    keep_axes(v, x, axis, x.ndim_)
    return 1


cdef bint place_of(Array x, object key, int64_t* offset) except -1:
    """Where the element is that a key of integers names; false for other keys, and for what is wrong."""
    cdef int i
    offset[0] = x.offset
    if PyLong_CheckExact(key):
        return x.ndim_ == 1 and step_to(x, 0, key, offset)
    if not PyTuple_CheckExact(key) or len(<tuple>key) != x.ndim_ or x.ndim_ == 0:
        return False
    for i in range(x.ndim_):
        item = (<tuple>key)[i]
        if not PyLong_CheckExact(item) or not step_to(x, i, item, offset):
            return False
    return True


cdef inline bint step_to(Array x, int axis, object item, int64_t* offset) except -1:
    cdef int overflow = 0
    cdef int64_t extent = x.dims[axis], index = PyLong_AsLongLongAndOverflow(item, &overflow)
    if index < 0:
        index += extent
    if overflow or index < 0 or index >= extent:
        return False
    offset[0] += index * x.dims[x.ndim_ + axis]
    return True


cdef PyObject* get_item(PyObject* p, PyObject* key) except NULL:
    cdef View v
    cdef Array x = <Array>p
    cdef int64_t offset
    if x.grad_info is not NULL:
        result = x._get_recorded(<object>key)
    elif faces[x.face].scalars and place_of(x, <object>key, &offset):
        return new_constant(x, offset)
    elif parse(&v, x, <object>key):
        if v.ndim == 0 and faces[x.face].scalars and not has_ellipsis(<object>key):
            result = constant(x, v.offset)
        else:
            result = viewed(x, &v)
    else:
        result = x._get_advanced(<object>key)
    incref(<PyObject*>result)
    return <PyObject*>result


cdef int set_item(PyObject* p, PyObject* key, PyObject* value) except -1:
    cdef Array x = <Array>p
    if store_element(x, <object>key, <object>value):
        return 0
    if not is_constant(x):
        return assign(x, <object>key, <object>value)
    # The standard of arrays knows no scalars: `result[()] = 0` or `result[result > 1] = 1` must work.
    x.read_only = False
    try:
        return assign(x, <object>key, <object>value)
    finally:
        x.read_only = CONSTANT


cdef bint store_element(Array x, object key, object value) except -1:
    """Writes a number to the element that a key of integers names, at once; false if that takes more."""
    cdef int64_t offset
    cdef char* to
    cdef char* source
    cdef PyObject* v = <PyObject*>value
    if x.read_only or x.grad_info is not NULL or x.var.on_gpu() or not faces[x.face].scalars:
        return False
    if is_watched() or not x.var.idle() or not place_of(x, key, &offset):
        return False
    to = x.var.data.load()
    if to is NULL:
        return False
    if is_number(v) or is_element(v, x.dtype_code):
        if x.dtype_code == BOOL or not store_scalar(v, x.dtype_code, to + offset):
            return False
    elif isinstance(value, Array):
        if (<Array>value).ndim_ != 0 or (<Array>value).dtype_code != x.dtype_code or (<Array>value).grad_info is not NULL:
            return False
        source = readable_data(v)
        if source is NULL:
            return False
        memcpy(to + offset, source, ITEMSIZE[x.dtype_code])
    elif x.dtype_code == BOOL and (value is True or value is False):
        to[offset] = value is True
    else:
        return False
    x.var.version += 1
    return True


cdef int assign(Array x, key, value) except -1:
    cdef View v
    require_writable(x, "setitem")
    if x.grad_info is not NULL or isinstance(value, Array) and (<Array>value).grad_info is not NULL:
        x._set_recorded(key, value)
    elif parse(&v, x, key):
        made = new_view(x, v.offset, v.ndim, v.shape, v.strides)
        if v.ndim == 0 and faces[x.face].scalars and not has_ellipsis(key):
            x._set_element(made, value)
        else:
            x._set_basic(made, value)
    else:
        x._set_advanced(key, value)
    return 0


cdef bint has_ellipsis(object key) noexcept:
    if PyTuple_CheckExact(key):
        for item in <tuple>key:
            if item is Ellipsis:
                return True
        return False
    return key is Ellipsis


cdef PyObject* new_constant(Array x, int64_t offset) except NULL:
    cdef CVar* var
    cdef PyObject* p
    cdef int64_t item = ITEMSIZE[x.dtype_code]
    cdef char* data = x.var.data.load()
    if data is NULL or x.var.on_gpu() or not x.var.readable():
        made = constant(x, offset)
        incref(<PyObject*>made)
        return <PyObject*>made
    var = var_new(item, x.var.context)
    try:
        p = allocate(x.face)
    except BaseException:
        var_release(var)
        raise
    (<Array>p).var = var
    (<Array>p).grad_info = NULL
    (<Array>p).offset = 0
    (<Array>p).size = 1
    (<Array>p).dims = (<Array>p).inline_dims
    (<Array>p).ndim_ = 0
    (<Array>p).dtype_code = x.dtype_code
    (<Array>p).c_contiguous = (<Array>p).whole = True
    (<Array>p).face = x.face
    (<Array>p).read_only = CONSTANT
    if item == 8:
        (<int64_t*>var.data.load())[0] = (<int64_t*>(data + offset))[0]
    else:
        memcpy(var.data.load(), data + offset, item)
    var.version += 1
    return p


cdef Array constant(Array x, int64_t offset):
    """The element at an offset, which later writes do not change."""
    cdef CVar* var
    cdef Array made
    if not x.var.on_gpu():
        var = var_new(ITEMSIZE[x.dtype_code], x.var.context)
        made = adopt_var(var, x.face, 0, 0, x.dims, NULL, x.dtype_code, CONSTANT)
    else:
        made = new_like(x, 0, x.dims, x.dtype_code)
    if x.var.readable() and not x.var.on_gpu() and x.var.data.load() is not NULL:
        memcpy(made.var.data.load(), x.var.data.load() + offset, ITEMSIZE[x.dtype_code])
        made.var.version += 1
    else:
        made.read_only = False
        new_view(x, offset, 0, x.dims, x.dims)._copy_to(made)
        made.read_only = CONSTANT
    return made


def view(Array x, key):
    """Return the view of `x` that a basic key selects; None for other keys."""
    cdef View v
    return viewed(x, &v) if parse(&v, x, key) else None


cdef Array viewed(Array x, View* v):
    """The view; for a result without axes that gets some an array of its own, as of NumPy's scalars."""
    if v.ndim == 0 or not is_constant(x):
        return new_view(x, v.offset, v.ndim, v.shape, v.strides)
    cdef Array made = x._copied()
    made.read_only = False
    return new_view(made, made.offset, v.ndim, v.shape, v.strides)


@cython.final
@cython.internal
cdef class Entries:
    """The entries of an array along its first axis, one after the other, or in reverse order."""

    cdef Array x
    cdef int64_t at, left, step
    cdef bint plain  # whether nobody has given the class of the array another `__getitem__`

    def __iter__(self):
        return self

    def __next__(self):
        if self.left <= 0:
            raise StopIteration
        cdef Array x = self.x
        cdef int64_t at = self.at
        self.left -= 1
        self.at += self.step
        if self.plain and x.ndim_ == 1 and at < x.dims[0] and x.grad_info is NULL:
            return steal(new_constant(x, x.offset + at * x.dims[1]))
        return x[at]

    def __length_hint__(self):
        return self.left


cdef object entries(Array x, bint backwards):
    """An iterator over the entries of an array, which has axes, along the first of them."""
    cdef Entries made = Entries.__new__(Entries)
    made.x, made.left = x, x.dims[0]
    made.at = x.dims[0] - 1 if backwards else 0
    made.step = -1 if backwards else 1
    made.plain = faces[x.face].scalars and type_of(<PyObject*>x) is faces[x.face].type
    return made


lent.get_item = get_item
lent.set_item = set_item


# --- other views --------------------------------------------------------------------------------

def strided(Array x, int64_t offset, shape, strides):
    """Return the view with this offset from the first element of `x` and these strides, in bytes.

    It must stay within the elements between the lowest and the highest address of `x`.
    """
    cdef View v
    cdef int64_t low, high, own_low, own_high
    v.ndim = read_shape(shape, v.shape)
    if read_shape(strides, v.strides, True) != v.ndim:
        raise ShapeError(message("strided", "strides", f"{v.ndim} strides for shape {shape}", strides))
    cdef int64_t item = ITEMSIZE[x.dtype_code]
    fits = byte_bounds(v.ndim, v.shape, v.strides, item, &low, &high)
    byte_bounds(x.ndim_, x.dims, x.dims + x.ndim_, item, &own_low, &own_high)
    if not fits or low != high and (low < own_low - offset or high > own_high - offset):
        raise ShapeError(message("strided", None, f"a view within {own_high - own_low} bytes of the array",
                                 f"offset {offset}, shape {shape}, strides {strides}"))
    return new_view(x, x.offset + offset, v.ndim, v.shape, v.strides)


def reshape_view(Array x, shape):
    """Return the view of `x` with another shape (one extent may be -1), or None if that takes a copy."""
    cdef View v
    cdef int64_t known = 1
    cdef int i, unknown = -1
    v.ndim = read_shape(shape, v.shape, True)
    cdef bint fits = True
    for i in range(v.ndim):
        if v.shape[i] == -1 and unknown < 0:
            unknown = i
        elif v.shape[i] < 0:
            expected = "extents from 0, at most one of them -1"
            raise ShapeError(message("reshape", "shape", expected, tuple(shape)))
        else:
            fits = multiply(&known, v.shape[i]) and fits
    if unknown >= 0 and fits and known > 0:
        v.shape[unknown] = x.size // known
        known *= v.shape[unknown]
    if not fits or known != x.size or unknown >= 0 and v.shape[unknown] < 0:
        raise ShapeError(message("reshape", "shape", f"{x.size} elements as in {x.shape}", shape))
    cdef int64_t item = ITEMSIZE[x.dtype_code]
    if not reshape_strides(x.ndim_, x.dims, x.dims + x.ndim_, item, v.ndim, v.shape, v.strides):
        return None
    cdef Array view = new_view(x, x.offset, v.ndim, v.shape, v.strides)
    view.whole = x.whole
    return view


cdef bint multiply(int64_t* product, int64_t factor) noexcept:
    if factor != 0 and product[0] > <int64_t>0x7fffffffffffffff // factor:
        return False
    product[0] *= factor
    return True


def set_shape(Array x, shape):
    """Give `x` itself another shape of as many elements, without a copy."""
    cdef Array other = reshape_view(x, shape)
    if other is None:
        raise AttributeError(problem("shape", None, "the elements would have to be copied", "use reshape"))
    become(x, other)


def become(Array x, Array view):
    """Make `x` itself what a view of its memory is."""
    place_dims(<PyObject*>x, view.ndim_)
    memcpy(x.dims, view.dims, 2 * view.ndim_ * sizeof(int64_t))
    x.offset, x.size, x.dtype_code, x.c_contiguous = view.offset, view.size, view.dtype_code, view.c_contiguous


def is_result(Array x):
    """Whether `x` is a result without axes of a face where those are constants."""
    return is_constant(x)


def set_readonly(Array x, bint read_only):
    """Say whether `x` may be written."""
    x.read_only = read_only


def transpose_view(Array x, axes=None):
    """Return the view of `x` with its axes in another order (reversed if not given)."""
    cdef View v
    cdef int64_t order[MAX_NDIM]
    cdef int64_t axis
    cdef int i
    cdef unsigned long long seen = 0
    v.ndim = x.ndim_
    if axes is None:
        for i in range(x.ndim_):
            order[i] = x.ndim_ - 1 - i
    elif read_shape(axes, order, True) != x.ndim_:
        raise ArgumentError(message("transpose", "axes", f"an order of {x.ndim_} axes", axes))
    for i in range(x.ndim_):
        axis = order[i] + x.ndim_ if order[i] < 0 else order[i]
        if axis < 0 or axis >= x.ndim_:
            text = message("transpose", "axes", f"axes below {x.ndim_}", order[i])
            raise AxisError(text, order[i], x.ndim_)
        if seen >> axis & 1:
            raise ArgumentError(message("transpose", "axes", "each axis once", axes))
        seen |= 1ULL << axis
        v.shape[i] = x.dims[axis]
        v.strides[i] = x.dims[x.ndim_ + axis]
    return new_view(x, x.offset, v.ndim, v.shape, v.strides)


def broadcast_view(Array x, shape):
    """Return the view of `x` with a larger shape by NumPy's rules; repeated axes have stride 0."""
    cdef View v
    cdef int i, own
    v.ndim = read_shape(shape, v.shape)
    if v.ndim < x.ndim_:
        raise ShapeError(message("broadcast_to", "shape", f"one that {x.shape} broadcasts to", shape))
    for i in range(v.ndim):
        own = i - (v.ndim - x.ndim_)
        v.strides[i] = x.dims[x.ndim_ + own] if own >= 0 and x.dims[own] != 1 else 0
        if own < 0 or x.dims[own] == v.shape[i]:
            continue
        if x.dims[own] != 1:
            raise ShapeError(message("broadcast_to", "shape", f"one that {x.shape} broadcasts to", shape))
        v.strides[i] = 0
    view = new_view(x, x.offset, v.ndim, v.shape, v.strides)
    view.read_only = True  # several elements are one
    return view


def same_view(Array a, Array b):
    """Return whether two arrays are the same elements in the same order, as the same dtype."""
    cdef int i
    if a.var is not b.var or a.dtype_code != b.dtype_code or a.offset != b.offset or a.ndim_ != b.ndim_:
        return False
    for i in range(a.ndim_):
        if a.dims[i] != b.dims[i] or a.dims[i] > 1 and a.dims[a.ndim_ + i] != b.dims[b.ndim_ + i]:
            return False
    return True


def may_overlap(Array a, Array b):
    """Return whether two arrays may share a byte (exact but for views with several odd strides)."""
    return a.var is b.var and views_may_overlap(
        a.offset, a.ndim_, a.dims, a.dims + a.ndim_, ITEMSIZE[a.dtype_code],
        b.offset, b.ndim_, b.dims, b.dims + b.ndim_, ITEMSIZE[b.dtype_code],
    )
