# cython: cdivision=True, c_api_binop_methods=True
"""The compiled array core: storage, the fast path of small operations, Python's protocols.

An `Array` is a view (offset, shape, signed strides, dtype) of the buffer of one engine variable.
Classes that users see are *faces*: Python subclasses without fields of their own. Three things make
`a + b` on small arrays several times cheaper than NumPy's:

* Number slots are C functions of any two operands (`c_api_binop_methods`): no method is looked up.
* Instances of a face come from a pool of freed ones. For this the destructor of the class is replaced;
  a user's subclass of a face still goes through Python's own and then ours.
* Operators on small arrays run at once in the calling thread (`_invoke`).

Views are in `_index`, NumPy and buffers in `_export`. They import this module, which imports them last.
"""

from cpython.buffer cimport Py_buffer
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int16_t, int64_t, uint8_t, uintptr_t
from libc.string cimport memcpy

from ._engine cimport CVar, var_handle, var_new, var_release, wait

import operator as _operator

from .dtypes import DTYPES, code_of
from .errors import ArgumentError, ArgumentTypeError, OutOfMemory, ShapeError, message, problem
from .switches import is_np_shape

cdef extern from "faces.hpp":
    bint is_heap_type "mxcy_is_heap_type"(Type*)
    void leave_collector "mxcy_leave_collector"(Type*)
    void clear_weakrefs "mxcy_clear_weakrefs"(PyObject*)
    void* PyMem_Malloc(size_t)
    void PyMem_Free(void*)

cdef extern from "strided.hpp" namespace "mxcy" nogil:
    int64_t checked_bytes(int, const int64_t*, int64_t)
    void c_strides(int, const int64_t*, int64_t, int64_t*)
    bint is_c_contiguous(int, const int64_t*, const int64_t*, int64_t)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    const uint8_t* ITEMSIZE

cdef enum:
    CPU = 0x100  # context of cpu(0): device type << 8 | device id

SLOTS = (
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "power", "matmul", "divmod",
    "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift",
    "less", "less_equal", "equal", "not_equal", "greater", "greater_equal",
    "negative", "positive", "absolute", "invert",
)

cdef int n_faces = 0
cdef tuple ELEMENT_CLASSES = tuple(dtype.type for dtype in DTYPES)


# --- objects ------------------------------------------------------------------------------------

cdef void deallocate(PyObject* p) noexcept:
    """tp_dealloc of the core class and of every face."""
    cdef Type* kind = type_of(p)
    cdef Type* base = kind
    cdef Face* f = &faces[(<Array>p).face]
    cdef bint owns_type
    clear_weakrefs(p)
    if (<Array>p).grad_info is not NULL:
        decref(<PyObject*>(<Array>p).grad_info)
    if (<Array>p).var is not NULL:
        var_release((<Array>p).var)
    if (<Array>p).dims is not (<Array>p).inline_dims:
        PyMem_Free((<Array>p).dims)
    if kind is f.type and f.pooled < POOL_SIZE:
        f.pool[f.pooled] = p
        f.pooled += 1
        if is_heap_type(kind):
            decref(<PyObject*>kind)
        return
    # An instance of a heap type owns a reference to it. Python's destructor of a user's subclass
    # drops it, but not if the class whose destructor it calls (this one) is a heap type as well.
    while base.tp_dealloc is not deallocate:
        base = base.tp_base
    owns_type = is_heap_type(base)
    kind.tp_free(p)
    if owns_type:
        decref(<PyObject*>kind)


cdef int place_dims(PyObject* p, int ndim) except -1:
    """Makes room for the shape and strides of an array that has none, or those of another rank."""
    cdef int64_t* dims = (<Array>p).inline_dims
    if ndim > 4:
        dims = <int64_t*>PyMem_Malloc(2 * ndim * sizeof(int64_t))
        if dims is NULL:
            raise OutOfMemory(problem("empty", None, "no memory for an array's shape"))
    if (<Array>p).dims is not (<Array>p).inline_dims:
        PyMem_Free((<Array>p).dims)
    (<Array>p).dims = dims
    (<Array>p).ndim_ = ndim
    return 0


cdef int64_t checked_nbytes(int ndim, const int64_t* shape, uint8_t dtype_code) except -1:
    cdef int64_t nbytes = checked_bytes(ndim, shape, ITEMSIZE[dtype_code])
    if nbytes < 0:
        expected = f"dimensions from 0 and less than 2**63 bytes of {DTYPES[dtype_code]}"
        raise ShapeError(message("empty", "shape", expected, tuple([shape[i] for i in range(ndim)])))
    return nbytes


cdef Array adopt_var(CVar* var, int face, int64_t offset, int ndim, const int64_t* shape,
                     const int64_t* strides, uint8_t dtype_code, uint8_t read_only):
    cdef PyObject* p
    cdef Array x
    cdef int64_t size = 1
    cdef int i
    try:
        p = allocate(face)
    except BaseException:
        var_release(var)
        raise
    (<Array>p).var = var
    (<Array>p).grad_info = NULL
    (<Array>p).face = face
    (<Array>p).dims = (<Array>p).inline_dims
    x = <Array>steal(p)
    place_dims(p, ndim)
    for i in range(ndim):
        x.dims[i] = shape[i]
        size *= shape[i]
    if strides is NULL:
        c_strides(ndim, shape, ITEMSIZE[dtype_code], x.dims + ndim)
        x.c_contiguous = True
    else:
        memcpy(x.dims + ndim, strides, ndim * sizeof(int64_t))
        x.c_contiguous = is_c_contiguous(ndim, shape, strides, ITEMSIZE[dtype_code])
    x.offset = offset
    x.size = size
    x.dtype_code = dtype_code
    x.read_only = read_only
    x.whole = x.c_contiguous and x.size * ITEMSIZE[dtype_code] >= <int64_t>var.nbytes
    return x


cdef bint needs_axis(int face, int ndim):  # whether no axes become one: in `mx.nd`, without `np_shape`
    return ndim == 0 and not faces[face].zero_dim and not is_np_shape()


cdef Array allocate_array(int face, int16_t where, int ndim, const int64_t* shape, uint8_t code, bint fix=False):
    cdef int64_t one = 1
    if needs_axis(face, ndim):
        ndim, shape = 1, &one
    cdef uint8_t fixed = CONSTANT if fix and ndim == 0 else 0
    return adopt_var(var_new(checked_nbytes(ndim, shape, code), where), face, 0, ndim, shape, NULL, code, fixed)


cdef Array new_array(int face, int ndim, const int64_t* shape, uint8_t dtype_code):
    return allocate_array(face, CPU, ndim, shape, dtype_code)


cdef Array new_like(Array like, int ndim, const int64_t* shape, uint8_t dtype_code):
    return allocate_array(like.face, like.var.context, ndim, shape, dtype_code, faces[like.face].scalars)


cdef Array new_view(Array base, int64_t offset, int ndim, const int64_t* shape, const int64_t* strides):
    cdef int64_t one = 1, step = ITEMSIZE[base.dtype_code]
    if needs_axis(base.face, ndim):
        ndim, shape, strides = 1, &one, &step
    base.var.refs.fetch_add(1)
    return adopt_var(base.var, base.face, offset, ndim, shape, strides, base.dtype_code, base.read_only)


cdef int read_shape(object source, int64_t* shape, bint any_sign=False) except -1:
    cdef int ndim = 0
    if not isinstance(source, (tuple, list)):
        source = tuple(source) if hasattr(source, "__iter__") and getattr(source, "ndim", 1) else (source,)
    if len(source) > MAX_NDIM:
        raise ShapeError(message("empty", "shape", f"at most {MAX_NDIM} dimensions", len(source)))
    for n in source:
        try:
            shape[ndim] = _operator.index(n)
        except TypeError:
            raise ArgumentTypeError(message("empty", "shape", "integers", repr(n))) from None
        except OverflowError:
            raise ShapeError(message("empty", "shape", "dimensions below 2**63", n)) from None
        if shape[ndim] < 0 and not any_sign:
            raise ShapeError(message("empty", "shape", "no negative dimensions", tuple(source)))
        ndim += 1
    return ndim

cdef int require_writable(Array x, str op) except -1:
    if x.read_only and not is_constant(x):  # one that an operator has just made and fills
        raise ArgumentError(problem(op, None, "the array is a read-only view", "copy it first"))
    return 0


cdef tuple as_tuple(const int64_t* values, int n):
    cdef tuple made = PyTuple_New(n)
    cdef object extent
    cdef int i
    for i in range(n):
        extent = values[i]
        Py_INCREF(extent)
        PyTuple_SET_ITEM(made, i, extent)
    return made

cdef object only_element(Array x, str op):
    if x.size != 1:
        raise ArgumentTypeError(message(op, None, "an array with one element", f"shape {x.shape}"))
    value = steal(lent.scalar(<PyObject*>x))
    return _export.real_part(value) if x.dtype_code > 12 and op != "complex" and is_constant(x) else value


# --- the class ----------------------------------------------------------------------------------

cdef class Array:
    """A view of the buffer of an engine variable. Users see its faces (`mxcy.nd.NDArray`).

    `Array(source)` is a view of all of another array, in the class called. `Array()` is empty, shape (0,).
    """

    __array_priority__ = 1000.0  # NumPy's arrays on the left leave the operation to us

    def __cinit__(self, *args, **kwargs):
        self.face = face_of(type(self))
        self.dims = self.inline_dims
        self.ndim_ = 1
        self.dims[0] = self.size = 0
        self.dims[1] = 4
        self.dtype_code = 11  # float32
        self.c_contiguous = self.whole = True
        self.var = var_new(0, CPU)

    def __init__(self, Array source=None, bint writable=True):
        if source is None:
            return
        if self.var.nbytes != 0 or self.var.exports_read.load() + self.var.exports_write.load() != 0:
            raise ArgumentError(problem("Array", None, "the array has been initialised already"))
        place_dims(<PyObject*>self, source.ndim_)
        memcpy(self.dims, source.dims, 2 * source.ndim_ * sizeof(int64_t))
        source.var.refs.fetch_add(1)
        var_release(self.var)
        self.var, self.offset, self.size = source.var, source.offset, source.size
        self.dtype_code, self.c_contiguous = source.dtype_code, source.c_contiguous
        self.read_only, self.whole = source.read_only or not writable, source.whole

    # Attributes.

    @property
    def shape(self):
        """Extents, a tuple of int."""
        return as_tuple(self.dims, self.ndim_)

    @property
    def strides(self):
        """Bytes from one element to the next along each axis; may be negative or zero."""
        return as_tuple(self.dims + self.ndim_, self.ndim_)

    @property
    def dtype(self):
        """The element type, a `numpy.dtype`."""
        return DTYPES[self.dtype_code]

    @dtype.setter
    def dtype(self, value):
        self._set_dtype(value)  # which some faces have

    @property
    def _dtype_code(self):
        """The element type as a number, that of `DTYPES`."""
        return self.dtype_code

    @property
    def _element_class(self):
        """The element type, a class such as `numpy.float32`."""
        return ELEMENT_CLASSES[self.dtype_code]

    @property
    def ndim(self):
        """Number of axes."""
        return self.ndim_

    @property
    def itemsize(self):
        """Bytes of one element."""
        return ITEMSIZE[self.dtype_code]

    @property
    def nbytes(self):
        """Bytes of all elements."""
        return self.size * ITEMSIZE[self.dtype_code]

    @property
    def _context_code(self):
        """Where the buffer is: device type << 8 | device number."""
        return self.var.context

    @property
    def _storage_id(self):
        """A number that exactly the arrays over the same buffer share while they live."""
        return <uintptr_t>self.var

    @property
    def _c_contiguous(self):
        """Whether the elements lie in one run in C order."""
        return bool(self.c_contiguous)

    @property
    def _readonly(self):
        """Whether this is a view of imported memory that must not be written."""
        return bool(self.read_only)

    # Autograd.

    @property
    def _tape(self):
        """What autograd keeps about the array: where on the tape its value comes from, or None."""
        return None if self.grad_info is NULL else <object><PyObject*>self.grad_info

    @_tape.setter
    def _tape(self, info):
        cdef PyObject* old = <PyObject*>self.grad_info
        self.grad_info = NULL
        if info is not None:
            incref(<PyObject*>info)
            self.grad_info = <void*><PyObject*>info
        if old is not NULL:
            decref(old)

    @property
    def _face(self):
        """The number of the face whose results operators make of the array."""
        return self.face

    @property
    def _version(self):
        """How many operations that write the buffer were pushed so far."""
        return self.var.version

    def _view(self, key):
        """Return the view that a basic key selects, without telling autograd; None for other keys."""
        return _index.view(self, key)

    # The engine.

    def var_handle(self):
        """Return the engine's variable of the buffer, shared by all views of it."""
        return var_handle(self.var)

    def wait_to_read(self):
        """Wait until every write pushed so far is done; raise the error of the one that failed."""
        wait(self.var, False)

    def wait_to_write(self):
        """Wait until every read and write pushed so far is done."""
        wait(self.var, True)

    # Views and items: _index.

    def __getitem__(self, key):
        return steal(lent.get_item(<PyObject*>self, <PyObject*>key))

    def __setitem__(self, key, value):
        lent.set_item(<PyObject*>self, <PyObject*>key, <PyObject*>value)

    def __delitem__(self, key):
        raise ArgumentError(problem("del", None, "cannot delete array elements", "take the others by an index"))

    def __len__(self):
        if self.ndim_ == 0:
            raise ArgumentTypeError(problem("len", None, "a 0-d array has no length", "use .size"))
        return self.dims[0]

    def __iter__(self):
        if self.ndim_ == 0:
            raise ArgumentTypeError(problem("iter", None, "a 0-d array has no axis to iterate over"))
        return (self[i] for i in range(self.dims[0]))

    def _strided(self, offset, shape, strides):
        return _index.strided(self, offset, shape, strides)

    def _reshape_view(self, shape):
        return _index.reshape_view(self, shape)

    def _transpose_view(self, axes=None):
        return _index.transpose_view(self, axes)

    def _broadcast_view(self, shape):
        return _index.broadcast_view(self, shape)

    # Values of arrays with one element.

    def __bool__(self):
        if self.size != 1:
            text = f"the truth value of an array with {self.size} elements is ambiguous"
            raise ArgumentError(problem("bool", None, text, "compare a sum, or use NumPy's any and all"))
        return bool(steal(lent.scalar(<PyObject*>self)))

    def __int__(self):
        return int(only_element(self, "int"))

    def __float__(self):
        return float(only_element(self, "float"))

    def __complex__(self):
        return complex(only_element(self, "complex"))

    def __index__(self):
        scalar_ndim = 0 if faces[self.face].zero_dim else 1
        if self.size != 1 or self.ndim_ > scalar_ndim or DTYPES[self.dtype_code].kind not in "iu":
            expected = "an integer array with one element"
            raise ArgumentTypeError(message("index", None, expected, f"{DTYPES[self.dtype_code]} {self.shape}"))
        return steal(lent.scalar(<PyObject*>self))

    # NumPy, buffers, DLPack, pickle: _export and _dlpack.

    def view_numpy(self, writable=False):
        """Return a NumPy array over the same memory.

        Waits until nothing writes the buffer (`writable`: or reads it). As long as the result lives,
        operations that could race with it complete before their calls return.
        """
        return _export.view_numpy(self, writable)

    def __array__(self, dtype=None, *, copy=None):
        return _export.to_numpy(self, dtype, copy)

    def __getbuffer__(self, Py_buffer* view, int flags):
        view.obj = self
        lent.get_buffer(<PyObject*>self, view, flags)

    def __releasebuffer__(self, Py_buffer* view):
        lent.release_buffer(<PyObject*>self, view)

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        return _dlpack.to_dlpack(self, stream, max_version, dl_device, copy)

    def __dlpack_device__(self): return _dlpack.dlpack_device(self)
    @property
    def __cuda_array_interface__(self): return _dlpack.cuda_interface(self)
    def __reduce_ex__(self, protocol): return _export.reduce(self, protocol)
    def __copy__(self): return _export.copied(self)
    def __deepcopy__(self, memo): return _export.copied(self, memo)
    def __sizeof__(self): return _export.size_of(self)

    # Operators: _invoke.

    def __hash__(self):  # a class with comparisons has none by default
        return <Py_ssize_t>(<uintptr_t><void*>self >> 4)

    def __richcmp__(self, other, int op):
        return steal(lent.binary(<PyObject*>self, <PyObject*>other, LESS + op))

    def __add__(left, right): return steal(lent.binary(<PyObject*>left, <PyObject*>right, ADD))
    def __iadd__(self, other): return steal(lent.inplace(<PyObject*>self, <PyObject*>other, ADD))
    def __sub__(left, right): return steal(lent.binary(<PyObject*>left, <PyObject*>right, SUBTRACT))
    def __isub__(self, other): return steal(lent.inplace(<PyObject*>self, <PyObject*>other, SUBTRACT))
    def __mul__(left, right): return steal(lent.binary(<PyObject*>left, <PyObject*>right, MULTIPLY))
    def __imul__(self, other): return steal(lent.inplace(<PyObject*>self, <PyObject*>other, MULTIPLY))
    def __truediv__(left, right): return steal(lent.binary(<PyObject*>left, <PyObject*>right, TRUE_DIVIDE))
    def __itruediv__(self, other): return steal(lent.inplace(<PyObject*>self, <PyObject*>other, TRUE_DIVIDE))
    def __floordiv__(left, right): return steal(lent.binary(<PyObject*>left, <PyObject*>right, FLOOR_DIVIDE))
    def __ifloordiv__(self, x): return steal(lent.inplace(<PyObject*>self, <PyObject*>x, FLOOR_DIVIDE))
    def __mod__(left, right): return steal(lent.binary(<PyObject*>left, <PyObject*>right, REMAINDER))
    def __imod__(self, other): return steal(lent.inplace(<PyObject*>self, <PyObject*>other, REMAINDER))
    def __matmul__(left, right): return steal(lent.binary(<PyObject*>left, <PyObject*>right, MATMUL))
    def __imatmul__(self, other): return steal(lent.inplace(<PyObject*>self, <PyObject*>other, MATMUL))
    def __and__(left, right): return steal(lent.binary(<PyObject*>left, <PyObject*>right, BITWISE_AND))
    def __iand__(self, other): return steal(lent.inplace(<PyObject*>self, <PyObject*>other, BITWISE_AND))
    def __or__(left, right): return steal(lent.binary(<PyObject*>left, <PyObject*>right, BITWISE_OR))
    def __ior__(self, other): return steal(lent.inplace(<PyObject*>self, <PyObject*>other, BITWISE_OR))
    def __xor__(left, right): return steal(lent.binary(<PyObject*>left, <PyObject*>right, BITWISE_XOR))
    def __ixor__(self, other): return steal(lent.inplace(<PyObject*>self, <PyObject*>other, BITWISE_XOR))
    def __lshift__(left, right): return steal(lent.binary(<PyObject*>left, <PyObject*>right, LEFT_SHIFT))
    def __ilshift__(self, other): return steal(lent.inplace(<PyObject*>self, <PyObject*>other, LEFT_SHIFT))
    def __rshift__(left, right): return steal(lent.binary(<PyObject*>left, <PyObject*>right, RIGHT_SHIFT))
    def __irshift__(self, other): return steal(lent.inplace(<PyObject*>self, <PyObject*>other, RIGHT_SHIFT))

    def __divmod__(left, right): return steal(lent.binary(<PyObject*>left, <PyObject*>right, DIVMOD))

    def __pow__(left, right, modulo):
        if modulo is not None:
            return NotImplemented
        return steal(lent.binary(<PyObject*>left, <PyObject*>right, POWER))

    def __ipow__(self, other): return steal(lent.inplace(<PyObject*>self, <PyObject*>other, POWER))

    def __neg__(self): return steal(lent.unary(<PyObject*>self, NEGATIVE))
    def __pos__(self): return steal(lent.unary(<PyObject*>self, POSITIVE))
    def __abs__(self): return steal(lent.unary(<PyObject*>self, ABSOLUTE))
    def __invert__(self): return steal(lent.unary(<PyObject*>self, INVERT))


# --- faces --------------------------------------------------------------------------------------

def register_face(cls, *, bint zero_dim, bint scalars=False):
    """Make a subclass of `Array` without fields the class of arrays; return its number.

    `zero_dim=False`: without axes means shape (1,), unless NumPy's shapes are on. `scalars`: results without axes are constants, as
    NumPy's scalars are. The class must have no instances yet, and lives for ever.
    """
    global n_faces
    if not issubclass(cls, Array) or cls.__dictoffset__ or cls.__basicsize__ != Array.__basicsize__:
        raise ArgumentTypeError(message("register_face", "cls", "a subclass of Array with __slots__ = ()", cls))
    if n_faces == MAX_FACES:
        raise ArgumentError(message("register_face", "cls", f"at most {MAX_FACES} faces", n_faces + 1))
    cdef Face* f = &faces[n_faces]
    f.type = <Type*><void*>cls
    f.zero_dim, f.scalars = zero_dim, scalars
    f.type.tp_dealloc = deallocate
    if n_faces > 0:
        leave_collector(f.type)
        _invoke.inherit_operators(cls)
    incref(<PyObject*>cls)
    n_faces += 1
    return n_faces - 1


register_face(Array, zero_dim=True)


def face_of(cls):
    """Return the number of the face that a class is or derives from."""
    for face in range(n_faces - 1, -1, -1):
        if issubclass(cls, <object>faces[face].type): return face
    raise ArgumentTypeError(message("face_of", "cls", "a subclass of Array", cls))


def _face(int face):
    """Check the number of a face."""
    if 0 <= face < n_faces: return face
    raise ArgumentError(message("face", None, f"a number below {n_faces}", face))


def empty(shape, dtype, int face=0, int context=CPU):
    """Return a new array with undefined contents, in C order."""
    cdef int64_t dims[MAX_NDIM]
    cdef int ndim = read_shape(shape, dims)
    if context >> 8 == 2: _gpu.require(context & 0xFF)  # a GPU
    return allocate_array(_face(face), context, ndim, dims, code_of(dtype))


def overlay(Array x, shape, dtype, int64_t offset=0, bint alone=True):
    """Return an array of this shape and dtype over the buffer of `x` from a byte on, with its face.

    Buffers serve arrays one after the other, or side by side. Who writes all of one that is then `alone`
    replaces the buffer, and with it an error that was left there. Raises ShapeError if it does not fit.
    """
    cdef int64_t dims[MAX_NDIM]
    cdef int ndim = read_shape(shape, dims)
    cdef uint8_t code = code_of(dtype)
    if offset < 0 or checked_nbytes(ndim, dims, code) > <int64_t>x.var.nbytes - offset:
        raise ShapeError(message("overlay", "shape", f"at most {x.var.nbytes - offset} bytes", shape))
    x.var.refs.fetch_add(1)
    cdef Array made = adopt_var(x.var, x.face, offset, ndim, dims, NULL, code, x.read_only)
    made.whole = alone
    return made


def as_face(Array x, int face):
    """Return a view of all of `x` in the class of a face."""
    cdef int64_t one = 1, step = ITEMSIZE[x.dtype_code]
    _face(face)
    cdef bint alone = needs_axis(face, x.ndim_)
    cdef int64_t* shape = &one if alone else x.dims
    cdef int64_t* strides = &step if alone else x.dims + x.ndim_
    x.var.refs.fetch_add(1)
    return adopt_var(x.var, face, x.offset, x.ndim_ + alone, shape, strides, x.dtype_code, x.read_only)


# --- the rest of the interface, from the modules that fill in `lent` ------------------------------

from . import _dlpack, _export, _gpu, _index, _invoke  # noqa: E402


def from_numpy(a, face=0, copy=True):
    """Return an array with the values of a NumPy array, or over its memory."""
    return _export.from_numpy(a, _face(face), copy)


def from_dlpack(x, face=0, copy=None):
    """Return an array over (or, `copy=True`, with the values of) any object that speaks DLPack."""
    return _dlpack.from_dlpack(x, _face(face), copy)


def rebuild(cls, data, dtype, shape, context):
    """Return the array that a pickle describes."""
    return _export.rebuild(cls, data, dtype, shape, context)


def set_operator(face, slot, function):
    """Make `function` the operator of a face for one of SLOTS; see `_invoke.set_operator`."""
    _invoke.set_operator(_face(face), slot, function)


def set_fast_loop(face, slot, dtype_code, function, data, out_code, limit=None, **options):
    """Give one of SLOTS an inner loop for plain operands; see `_invoke.set_fast_loop`."""
    _invoke.set_fast_loop(_face(face), slot, dtype_code, function, data, out_code, limit, **options)
