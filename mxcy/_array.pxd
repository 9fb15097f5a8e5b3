# The compiled array core: a view (offset, shape, signed strides, dtype) of a variable's buffer.
from cpython.buffer cimport Py_buffer
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t
from ._engine cimport CVar, Tensor


cdef class Array:
    cdef CVar* var              # owned reference; never null after construction
    cdef int64_t offset         # bytes from var.data
    cdef readonly int64_t size  # elements
    cdef int64_t* dims          # ndim extents, then ndim strides in bytes
    cdef int64_t inline_dims[8] # room for up to 4 dimensions
    cdef int ndim_
    cdef uint8_t dtype_code     # native/dtype.hpp
    cdef uint8_t c_contiguous
    cdef uint8_t face           # index of the Python class that instances and results have
    cdef uint8_t read_only      # 1: a view of imported memory that must not be written, or CONSTANT
    cdef uint8_t whole          # whoever writes all of it replaces the buffer: nobody reads the rest
    cdef void* grad_info        # PyObject* owned by autograd (tape node, gradient buffer), or NULL
    cdef object __weakref__


# A new array of the given face (0: the core class itself) whose contents are undefined, C order.
# In new_array and new_view, 0 dimensions become shape (1,) for a face without 0-d arrays.
cdef Array new_array(int face, int ndim, const int64_t* shape, uint8_t dtype_code)
# The same on the device of `like`, with its face. What operations make their results with.
cdef Array new_like(Array like, int ndim, const int64_t* shape, uint8_t dtype_code)
# A view of `base` with other offset, shape and strides (bytes).
cdef Array new_view(Array base, int64_t offset, int ndim, const int64_t* shape, const int64_t* strides)
# An array over `var`, whose reference it takes over (also when this fails). Takes 0-d as it is.
cdef Array adopt_var(CVar* var, int face, int64_t offset, int ndim, const int64_t* shape,
                     const int64_t* strides, uint8_t dtype_code, uint8_t read_only)
# Bytes of an array of this shape; OverflowError-proof (raises ShapeError, never wraps).
cdef int64_t checked_nbytes(int ndim, const int64_t* shape, uint8_t dtype_code) except -1
# Reads a shape (an int or a sequence of ints) into `shape`, room for 32; returns the dimensions.
cdef int read_shape(object source, int64_t* shape, bint any_sign=*) except -1
# Makes room for the shape and strides of an array that has none, or those of another rank.
cdef int place_dims(PyObject* p, int ndim) except -1
# Raises ArgumentError if `x` is a view of read-only memory. For every function with out=.
cdef int require_writable(Array x, str op) except -1


# --- faces: the Python classes that instances have ----------------------------------------------

cdef extern from *:
    """
    // A new reference made in C, returned as an object without counting it once more.
    #define mxcy_steal(reference) (reference)
    """
    ctypedef struct Type "PyTypeObject":
        void (*tp_dealloc)(PyObject*) noexcept
        PyObject* (*tp_alloc)(Type*, Py_ssize_t) noexcept
        void (*tp_free)(void*) noexcept
        Type* tp_base
    object steal "mxcy_steal"(PyObject*)
    Type* type_of "Py_TYPE"(PyObject*)
    PyObject* revive "PyObject_Init"(PyObject*, Type*)
    void decref "Py_DECREF"(PyObject*)
    void incref "Py_INCREF"(PyObject*)

cdef enum:
    MAX_FACES = 16
    POOL_SIZE = 2048
    MAX_NDIM = 32
    DTYPE_COUNT = 15
    CONSTANT = 2  # in `read_only`: an element without axes, as NumPy's functions return

cdef enum Slot:
    ADD, SUBTRACT, MULTIPLY, TRUE_DIVIDE, FLOOR_DIVIDE, REMAINDER, POWER, MATMUL, DIVMOD
    BITWISE_AND, BITWISE_OR, BITWISE_XOR, LEFT_SHIFT, RIGHT_SHIFT
    LESS, LESS_EQUAL, EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL  # in the order of Py_LT ... Py_GE
    NEGATIVE, POSITIVE, ABSOLUTE, INVERT
    SLOT_COUNT

# How the operands of a fast loop are given.
cdef enum Form:
    TWO_ARRAYS, NUMBER_RIGHT, NUMBER_LEFT, ONE_ARRAY, FORM_COUNT

# NumPy's inner loop signature.
ctypedef void (*LoopFunction)(char** args, const Py_ssize_t* dimensions, const Py_ssize_t* strides,
                              void* data) noexcept

cdef struct FastLoop:
    LoopFunction function
    void* data
    int64_t limit  # sizes from here on are not for the calling thread; 0 if there is no loop
    uint8_t out    # dtype of the result
    bint clears    # may clear the floating-point status
    float cost_ns  # of one element

cdef struct Face:
    Type* type
    bint zero_dim
    bint scalars                       # results without axes are constants, as NumPy's scalars
    int pooled
    PyObject* pool[POOL_SIZE]          # freed objects of exactly this class
    PyObject* operators[SLOT_COUNT]    # Python callables, or NULL
    FastLoop loops[SLOT_COUNT][DTYPE_COUNT]

cdef Face faces[MAX_FACES]

# A bare object of a face: everything but its weak references is undefined.
cdef inline PyObject* allocate(int face) except NULL:
    cdef Face* f = &faces[face]
    if f.pooled > 0:
        f.pooled -= 1
        return revive(f.pool[f.pooled], f.type)
    cdef PyObject* p = f.type.tp_alloc(f.type, 0)
    if p is NULL:
        raise MemoryError
    return p


# What the modules above lend to the class: they import this one, so it cannot import them first.
cdef struct Lent:
    PyObject* (*binary)(PyObject* left, PyObject* right, int slot) except NULL
    PyObject* (*inplace)(PyObject* left, PyObject* right, int slot) except NULL
    PyObject* (*unary)(PyObject* x, int slot) except NULL
    # Pushes a fast loop: see `_pointwise.push_loop`.
    PyObject* (*push_loop)(PyObject* x, PyObject* y, PyObject* target, int slot, int form,
                           const char* scalar) except? NULL
    PyObject* (*get_item)(PyObject* x, PyObject* key) except NULL
    int (*set_item)(PyObject* x, PyObject* key, PyObject* value) except -1
    int (*get_buffer)(PyObject* x, Py_buffer* view, int flags) except -1
    void (*release_buffer)(PyObject* x, Py_buffer* view) noexcept
    PyObject* (*scalar)(PyObject* x) except NULL

cdef Lent lent

# Whether this is a result without axes of a face where those are constants.
cdef inline bint is_constant(Array x) noexcept:
    return x.read_only == CONSTANT and x.ndim_ == 0 and faces[x.face].scalars
