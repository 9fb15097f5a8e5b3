# cython: cdivision=True
"""Arrays as NumPy arrays, buffers and pickles, and NumPy arrays as arrays.

The rule of exports: memory that somebody outside the engine can see must not be raced. So an export
first waits (a read-only one for the writes, a writable one for reads and writes), and while it lives the
variable's counter makes the engine finish conflicting operations before their calls return. An export
ends when the object that holds it goes: the base of a NumPy array, a buffer, a DLPack tensor.
`__array_interface__` is not offered, because a tuple has no end.
"""

cimport cython
cimport numpy as cnp
from cpython.buffer cimport (
    PyBUF_ANY_CONTIGUOUS, PyBUF_C_CONTIGUOUS, PyBUF_F_CONTIGUOUS, PyBUF_FORMAT, PyBUF_FULL_RO, PyBUF_ND,
    PyBUF_STRIDES, PyBUF_WRITABLE, Py_buffer,
)
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.string cimport memcpy
from libc.stdint cimport (
    int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t,
)

from ._array cimport CONSTANT, MAX_NDIM, Array, adopt_var, checked_nbytes, incref, lent, steal
from ._engine cimport CVar, var_ensure_data, var_import, var_new, var_release, wait

import copy as _copy
import warnings
from pickle import PickleBuffer

import numpy as np

from . import _array, _gpu
from .dtypes import DTYPES, code_of
from .errors import ArgumentError, ArgumentTypeError, ShapeError, message, problem

cdef extern from "strided.hpp" namespace "mxcy" nogil:
    bint byte_bounds(int, const int64_t*, const int64_t*, int64_t, int64_t*, int64_t*)
    bint is_f_contiguous(int, const int64_t*, const int64_t*, int64_t)
    void copy_dense(int, const int64_t*, const char*, const int64_t*, int64_t, char*)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    cdef enum:
        BOOL, INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, UINT64
        FLOAT16, BFLOAT16, FLOAT32, FLOAT64, COMPLEX64, COMPLEX128
    const uint8_t* ITEMSIZE

cdef extern from "numpy/arrayobject.h":
    ctypedef struct NumpyType "PyTypeObject":
        pass
    NumpyType PyArray_Type
    # Takes over the reference to the dtype.
    ctypedef struct Descr "PyArray_Descr":
        pass
    void PyArray_ScalarAsCtype(object scalar, void* to)
    int PyArray_DescrConverter(object, Descr**) except 0
    object PyArray_NewFromDescr(NumpyType*, Descr* dtype, int ndim, const int64_t* shape,
                                const int64_t* strides, char* data, int flags, PyObject*)

cdef extern from "Python.h":
    Py_ssize_t references "Py_REFCNT"(PyObject*)

cdef extern from *:
    """
    #define mxcy_numpy_base(a) PyArray_BASE((PyArrayObject*)(a))
    """
    PyObject* numpy_base "mxcy_numpy_base"(PyObject*)
    bint is_numpy "PyArray_Check"(PyObject*)

cdef enum:
    FEW_BYTES = 8192
    OWN_REFERENCES = 3  # those of `adopt` and what calls it, and of a tuple of results

cnp.import_array()


# --- what an export is --------------------------------------------------------------------------

cdef int wait_until_free(CVar* var, bint for_write) except -1:
    wait(var, for_write)  # also delivers warnings of operations that are done
    while not (var.idle() if for_write else var.readable()):
        wait(var, for_write)
    return 0


# By variable: how many writable exports of it have begun since somebody asked, and how many ask. Changed with
# the GIL held.
cdef dict watched = {}


def watch_exports(arrays):
    """Begin to count the writable exports of these arrays' buffers.

    Returns a list for each whose first element is the count. The arrays must live until `forget_exports`.
    """
    cdef Array x
    counts = [watched.setdefault(<uintptr_t>x.var, [0, 0]) for x in arrays]
    for count in counts:
        count[1] += 1
    return counts


def forget_exports(arrays):
    """End what `watch_exports` has begun for these arrays."""
    cdef Array x
    for x in arrays:
        count = watched[<uintptr_t>x.var]
        count[1] -= 1
        if not count[1]:
            del watched[<uintptr_t>x.var]


cdef int begin_export(CVar* var, bint writable) except -1:
    wait(var, writable)  # with nothing to undo if this raises
    # Counted before the last look: what other threads push while this one waits is then complete when their
    # calls return. It may still run when this wait ends, so the state has the last word.
    if writable:
        if watched:
            count = watched.get(<uintptr_t>var)
            if count is not None:
                count[0] += 1
        var.exports_write.fetch_add(1)
    else:
        var.exports_read.fetch_add(1)
    if var.data.load() is not NULL and (var.idle() if writable else var.readable()):
        return 0
    try:
        wait_until_free(var, writable)
        var_ensure_data(var)
    except BaseException:
        end_export(var, writable)
        raise
    return 0


# What is told of every array of which a writable export begins, or None: what is written through an export
# raises no version, and autograd wants to know.
cdef object watcher = None


def set_watcher(function):
    """Set what is called with every array of which a writable export begins; None for nothing."""
    global watcher
    watcher = function


def is_exported(Array x):
    """Whether others (NumPy, DLPack, a buffer) may write the buffer of an array at any time."""
    return x.var.exports_write.load() > 0


def storage_nbytes(Array x):
    """How many bytes the buffer of an array has, of which the array may be a part."""
    return x.var.nbytes


def count_write(Array x):
    """Count a write that no operation did: one through an export, found afterwards."""
    x.var.version += 1


cdef int tell(Array x, int own) except -1:
    """Tell the watcher that a writable export of an array has begun.

    `own` is how many references to the buffer the array and its export hold: without others nobody has
    kept the buffer, as when a new array is filled.
    """
    if watcher is not None and x.var.refs.load() > own:
        watcher(x)
    return 0


cdef void end_export(CVar* var, bint writable) noexcept:
    if writable:
        var.exports_write.fetch_sub(1)
    else:
        var.exports_read.fetch_sub(1)


@cython.final
@cython.internal
@cython.freelist(64)
cdef class Export:
    """Base of a NumPy array over our memory: holds the buffer, ends the export."""

    cdef CVar* var
    cdef bint writable

    def __dealloc__(self):
        if self.var is not NULL:
            end_export(self.var, self.writable)
            var_release(self.var)


cdef inline char* element(Array x) except NULL:
    """The first element. The buffer must be there or not be in use by an operation."""
    cdef char* data = x.var.data.load()
    if x.var.on_gpu():
        raise ArgumentError(problem("array", None, "the elements are in the memory of a GPU", "asnumpy() copies them"))
    if data is NULL:
        data = var_ensure_data(x.var)
    return data + x.offset


cdef PyObject* descrs[15]  # the dtypes of NumPy, by code
for _code, _dtype in enumerate(DTYPES):
    descrs[<int>_code] = <PyObject*>_dtype


cdef object wrap(Array x, object base, bint writable):
    """A NumPy array over the elements of `x` that keeps `base` alive."""
    incref(descrs[x.dtype_code])
    cdef int flags = cnp.NPY_ARRAY_WRITEABLE if writable else 0
    array = PyArray_NewFromDescr(
        &PyArray_Type, <Descr*>descrs[x.dtype_code], x.ndim_, x.dims, x.dims + x.ndim_, element(x), flags, NULL
    )
    Py_INCREF(base)
    cnp.PyArray_SetBaseObject(array, base)
    return array


cpdef object view_numpy(Array x, bint writable):
    """Return a NumPy array over the memory of `x`, an export as long as it lives."""
    if writable and x.read_only:
        raise ArgumentError(problem("view_numpy", "writable", "the array is a read-only view", "copy it first"))
    if x.var.on_gpu():
        if writable:
            element(x)  # which refuses
        return _gpu.to_numpy(x)
    begin_export(x.var, writable)
    cdef Export export = Export.__new__(Export)
    x.var.refs.fetch_add(1)
    export.var = x.var
    export.writable = writable
    if writable:
        tell(x, 2)
    return wrap(x, export, writable)


def operand_view(Array x):
    """Return a NumPy array over the memory of `x` without waiting and without counting an export.

    For the callable of an operation that the engine runs with `x` among its reads or writes; it must not
    outlive that call.
    """
    return wrap(x, x, not x.read_only)


cpdef object to_numpy(Array x, dtype, copy):
    """`__array__`: a view (writable unless `x` is not), or a copy if asked for or needed (as from a GPU)."""
    cdef Descr* found
    if x.var.on_gpu():
        if copy is not None and not copy:
            element(x)  # which refuses
        values = _gpu.to_numpy(x)
        return values if dtype is None else values.astype(dtype, copy=False)
    if dtype is not None:
        PyArray_DescrConverter(dtype, &found)
        dtype = steal(<PyObject*>found)
        if <PyObject*>dtype is not descrs[x.dtype_code] and dtype != DTYPES[x.dtype_code]:
            if copy is not None and not copy:
                expected = f"dtype {DTYPES[x.dtype_code]} with copy=False"
                raise ArgumentError(message("__array__", "dtype", expected, dtype, "allow the copy"))
            return view_numpy(x, False).astype(dtype)
    if copy:
        return copied_numpy(x)
    return view_numpy(x, not x.read_only)


def copied_numpy(Array x):
    """Return a new NumPy array with the values of `x`."""
    if x.var.on_gpu():
        return _gpu.to_numpy(x)
    result = np.empty(x.shape, DTYPES[x.dtype_code])
    wait_until_free(x.var, False)
    # With the GIL, because what makes this safe against inline operations of other threads is the GIL.
    cdef char* target = cnp.PyArray_BYTES(result)
    copy_dense(x.ndim_, x.dims, element(x), x.dims + x.ndim_, ITEMSIZE[x.dtype_code], target)
    return result


# --- arrays from NumPy --------------------------------------------------------------------------

cdef Array import_memory(char* data, object owner, int face, int ndim, const int64_t* shape,
                         const int64_t* strides, int dtype_code, bint read_only, bint shared=True,
                         int context=0x100):
    cdef int64_t low, high
    cdef CVar* var
    if not byte_bounds(ndim, shape, strides, ITEMSIZE[dtype_code], &low, &high):
        raise ShapeError(problem("import", "strides", "the elements do not fit into the address space"))
    var = var_import(data + low, high - low, owner)
    var.context = context
    if shared:
        var.exports_write.fetch_add(1)
    return adopt_var(var, face, -low, ndim, shape, strides, dtype_code, read_only)


cdef Array new_exact(int face, int ndim, const int64_t* shape, int dtype_code, int context):
    """A new array with its buffer present; takes 0-d as it is, whatever the face."""
    cdef CVar* var = var_new(checked_nbytes(ndim, shape, dtype_code), context)
    x = adopt_var(var, face, 0, ndim, shape, NULL, dtype_code, False)
    var_ensure_data(var)
    return x


def from_numpy(a, int face, bint copy):
    """Return an array with the values of `a` (`copy`), or over its memory."""
    if not isinstance(a, np.ndarray):
        raise ArgumentTypeError(message("from_numpy", "a", "a NumPy array", type(a).__name__))
    cdef cnp.ndarray source = a
    cdef int code = code_of(source.dtype)
    cdef int ndim = cnp.PyArray_NDIM(source)
    cdef Array x
    if ndim > MAX_NDIM:
        raise ShapeError(message("from_numpy", "a", f"at most {MAX_NDIM} dimensions", ndim))
    if not copy:
        return over_numpy(source, code, face)
    x = new_exact(face, ndim, <int64_t*>cnp.PyArray_DIMS(source), code, 0x100)
    cnp.PyArray_CopyInto(wrap(x, x, True), source)
    x.var.version += 1
    return x


cdef CVar* own_var(object base) noexcept:
    """The variable whose memory a NumPy array shows, if it is one of ours."""
    cdef PyObject* p = <PyObject*>base
    while p is not NULL and is_numpy(p):
        p = numpy_base(p)
    if p is NULL:
        return NULL
    base = <object>p
    if isinstance(base, Export):
        return (<Export>base).var
    if isinstance(base, memoryview) and isinstance(base.obj, Array):
        return (<Array>base.obj).var
    return NULL


cdef Array over_numpy(cnp.ndarray source, int code, int face, bint shared=True):
    cdef bint read_only = not cnp.PyArray_ISWRITEABLE(source)
    cdef char* data = cnp.PyArray_BYTES(source)
    cdef int ndim = cnp.PyArray_NDIM(source)
    cdef int64_t* shape = <int64_t*>cnp.PyArray_DIMS(source)
    cdef int64_t* strides = <int64_t*>cnp.PyArray_STRIDES(source)
    if cnp.PyArray_ISBYTESWAPPED(source) or not cnp.PyArray_ISALIGNED(source):
        expected = "an aligned array in the machine's byte order with copy=False"
        raise ArgumentError(message("from_numpy", "a", expected, f"dtype {source.dtype.str}", "copy it"))
    own = own_var(source)
    if own is not NULL:  # our own memory comes back: with the same variable it stays in order
        own.refs.fetch_add(1)
        return adopt_var(own, face, data - own.data.load(), ndim, shape, strides, code, read_only)
    return import_memory(data, source, face, ndim, shape, strides, code, read_only, shared)


# --- functions of NumPy -------------------------------------------------------------------------

cpdef object read_view(Array x):
    """Return a NumPy array over the memory of `x` for a function that reads it and may return a view of it.

    It says that it may be written if `x` may, for that view; who writes takes `view_numpy(writable=True)`.
    """
    if x.var.on_gpu():
        return _gpu.to_numpy(x)
    begin_export(x.var, False)
    cdef Export export = Export.__new__(Export)
    x.var.refs.fetch_add(1)
    export.var = x.var
    return wrap(x, export, not x.read_only)


def hold(view, Array x, bint writable):
    """Give a NumPy array without a base one that holds the buffer of `x`, and ends the export that has begun."""
    cdef Export export = Export.__new__(Export)
    x.var.refs.fetch_add(1)
    export.var = x.var
    export.writable = writable
    Py_INCREF(export)
    cnp.PyArray_SetBaseObject(view, export)


cpdef object adopt(a, int face, int held=0):
    """Return an array over what a function of NumPy has returned: a view of ours, or memory of its own.

    Memory that nobody else can reach becomes the array's; small pieces are copied, which is cheaper. Memory
    that somebody may hold stays shared. `held`: references of the caller, who drops them afterwards.
    """
    cdef cnp.ndarray source = a
    cdef int code = number_code(source)
    cdef Array x
    cdef int ndim = cnp.PyArray_NDIM(source)
    if code < 0:
        code = code_of(source.dtype)
    if ndim > MAX_NDIM:
        raise ShapeError(message("from_numpy", "a", f"at most {MAX_NDIM} dimensions", ndim))
    if not cnp.PyArray_ISBEHAVED_RO(source):
        return from_numpy(source, face, True)
    cdef bint alone = is_alone(source, held)
    if alone and cnp.PyArray_NBYTES(source) <= FEW_BYTES and cnp.PyArray_IS_C_CONTIGUOUS(source):
        x = new_exact(face, ndim, <int64_t*>cnp.PyArray_DIMS(source), code, 0x100)
        memcpy(element(x), cnp.PyArray_BYTES(source), x.nbytes)
        x.var.version += 1
        x.read_only = ndim > 0 and not cnp.PyArray_ISWRITEABLE(source)  # without axes: no constant
        return x
    return over_numpy(source, code, face, not alone)


cdef int number_code(cnp.ndarray a) noexcept:
    """The code of the dtype of NumPy's array, -1 if that takes a closer look."""
    cdef int number = cnp.PyArray_TYPE(a)
    return codes_by_number[number] if 0 <= number < 32 else -1


cdef int8_t codes_by_number[32]
codes_by_number[:] = [-1] * 32
for _code, _dtype in enumerate(DTYPES):
    if _dtype.isbuiltin == 1:
        codes_by_number[<int>_dtype.num] = _code


cdef bint is_alone(cnp.ndarray a, int held) noexcept:
    """Whether an array that a function has just returned is the only way to its memory."""
    cdef PyObject* base = numpy_base(<PyObject*>a)
    if base is NULL:
        return references(<PyObject*>a) <= OWN_REFERENCES + held
    return is_numpy(base) and numpy_base(base) is NULL and references(base) <= 1


cpdef object constant(value, int face):
    """Return a result without axes, as a function of NumPy returns scalars; nobody can change it."""
    cdef int number = cnp.PyArray_DescrFromScalar(value).type_num
    cdef int code = codes_by_number[number] if 0 <= number < 32 else -1
    cdef Array x = new_exact(face, 0, NULL, code_of(value.dtype) if code < 0 else code, 0x100)
    PyArray_ScalarAsCtype(value, element(x))
    x.var.version += 1
    x.read_only = CONSTANT
    return x


# --- copies and pickles -------------------------------------------------------------------------

cdef Array copied_array(Array x):
    if x.var.on_gpu():
        return as_class(type(x), copied_on_gpu(x))
    cdef Array result = new_exact(x.face, x.ndim_, x.dims, x.dtype_code, x.var.context)
    wait_until_free(x.var, False)
    copy_dense(x.ndim_, x.dims, element(x), x.dims + x.ndim_, ITEMSIZE[x.dtype_code], element(result))
    result.var.version += 1
    return as_class(type(x), result)


cdef Array as_class(cls, Array x):
    """`x`, or a view of it in a user's subclass of its face."""
    if cls is type(x):
        return x
    view = cls.__new__(cls)
    Array.__init__(view, x)
    return view


def copied(Array x, memo=None):
    """`__copy__`, and with a memo `__deepcopy__`: the values are copied either way."""
    result = copied_array(x)
    fields = getattr(x, "__dict__", None)
    if fields:
        result.__dict__.update(fields if memo is None else _copy.deepcopy(fields, memo))
    return result


def reduce(Array x, protocol):
    """`__reduce_ex__`: class, bytes in C order (out of band from protocol 5), dtype, shape."""
    values = view_numpy(x, False) if x.c_contiguous else copied_numpy(x)
    values = values.reshape(-1).view(np.uint8)
    data = PickleBuffer(values) if protocol >= 5 else values.tobytes()
    arguments = (type(x), data, DTYPES[x.dtype_code].name, x.shape, x.var.context)
    return _array.rebuild, arguments, getattr(x, "__dict__", None) or None


def rebuild(cls, data, dtype, shape, int context):
    """Return the array that a pickle describes."""
    cdef int face = _array.face_of(cls)
    values = np.frombuffer(data, np.uint8).view(DTYPES[code_of(dtype)]).reshape(shape)
    cdef Array x = from_numpy(values, face, True)
    if context >> 8 == 2:  # back to the GPU that it came from
        _gpu.require(context & 0xFF)
        result = new_exact(face, x.ndim_, x.dims, x.dtype_code, context)
        _gpu.transfer(result, x)
        return as_class(cls, result)
    x.var.context = context
    return as_class(cls, x)


def size_of(Array x):
    """`__sizeof__`: the object, and the buffer unless this is a view of a part of it."""
    own = type(x).__basicsize__ + (16 * x.ndim_ if x.ndim_ > 4 else 0)
    return own + (x.nbytes if <size_t>x.nbytes == x.var.nbytes else 0)


# --- values and buffers -------------------------------------------------------------------------

cdef PyObject* scalar(PyObject* p) except NULL:
    """The value of an array with one element, as a Python number."""
    cdef Array x = <Array>p
    cdef char* at
    cdef int code = x.dtype_code
    if x.var.on_gpu():
        value = _gpu.to_numpy(x).reshape(())[()]
        value = float(value) if code == BFLOAT16 else value.item()
        incref(<PyObject*>value)
        return <PyObject*>value
    wait_until_free(x.var, False)
    at = element(x)
    if code == FLOAT32:
        value = (<float*>at)[0]
    elif code == FLOAT64:
        value = (<double*>at)[0]
    elif code == INT64:
        value = (<int64_t*>at)[0]
    elif code == INT32:
        value = (<int32_t*>at)[0]
    elif code == BOOL:
        value = at[0] != 0
    elif code == BFLOAT16:
        value = float(wrap(x, x, False).reshape(())[()])
    else:
        value = wrap(x, x, False).item()
    incref(<PyObject*>value)
    return <PyObject*>value


def real_part(value):
    """Return the real part of a complex number for what takes real ones, with NumPy's warning."""
    text = "Casting complex values to real discards the imaginary part"
    warnings.warn(text, np.exceptions.ComplexWarning, stacklevel=2)
    return value.real


cdef const char* FORMATS[15]
FORMATS[:] = [b"?", b"b", b"B", b"h", b"H", b"i", b"I", b"l" if sizeof(long) == 8 else b"q",
              b"L" if sizeof(long) == 8 else b"Q", b"e", NULL, b"f", b"d", b"Zf", b"Zd"]


cdef int check_layout(Array x, int flags) except -1:
    cdef bint c_order = x.c_contiguous
    cdef bint f_order = is_f_contiguous(x.ndim_, x.dims, x.dims + x.ndim_, ITEMSIZE[x.dtype_code])
    if flags & PyBUF_WRITABLE and x.read_only:
        raise BufferError(problem("buffer", None, "the array is a read-only view", "copy it first"))
    if ((flags & PyBUF_STRIDES) != PyBUF_STRIDES and not c_order
            or (flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS and not c_order
            or (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS and not f_order
            or (flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS and not (c_order or f_order)):
        text = f"the array is not contiguous (strides {x.strides})"
        raise BufferError(problem("buffer", None, text, "copy it first"))
    if flags & PyBUF_FORMAT and FORMATS[x.dtype_code] is NULL:
        raise BufferError(problem("buffer", None, "buffers have no format for bfloat16", "use view_numpy()"))
    return 0


cdef int get_buffer(PyObject* p, Py_buffer* view, int flags) except -1:
    cdef Array x = <Array>p
    check_layout(x, flags)
    # memoryview() asks for everything and never for writability, but is expected to give it.
    cdef bint wants_all = (flags & PyBUF_FULL_RO) == PyBUF_FULL_RO
    cdef bint writable = flags & PyBUF_WRITABLE or wants_all and not x.read_only
    begin_export(x.var, writable)
    if writable:
        try:
            tell(x, 1)
        except BaseException:
            end_export(x.var, writable)
            raise
    view.buf = element(x)
    view.len = x.nbytes
    view.itemsize = ITEMSIZE[x.dtype_code]
    view.readonly = not writable
    view.ndim = x.ndim_
    view.format = <char*>FORMATS[x.dtype_code] if flags & PyBUF_FORMAT else NULL
    view.shape = <Py_ssize_t*>x.dims if flags & PyBUF_ND else NULL
    view.strides = <Py_ssize_t*>(x.dims + x.ndim_) if (flags & PyBUF_STRIDES) == PyBUF_STRIDES else NULL
    view.suboffsets = NULL
    view.internal = <void*><uintptr_t>writable
    return 0


cdef void release_buffer(PyObject* p, Py_buffer* view) noexcept:
    end_export((<Array>p).var, <uintptr_t>view.internal != 0)


cdef Array copied_on_gpu(Array x):
    """A copy in C order on the same GPU."""
    cdef Array whole = new_exact(x.face, x.ndim_, x.dims, x.dtype_code, x.var.context)
    _gpu.transfer(whole, x if x.c_contiguous else from_numpy(_gpu.to_numpy(x), x.face, True))
    return whole


lent.scalar = scalar
lent.get_buffer = get_buffer
lent.release_buffer = release_buffer
