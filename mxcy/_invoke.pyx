# cython: cdivision=True
"""The fast path: operators on plain arrays without a Python-level step, small ones in the calling thread.

Operands of one dtype and shape (or an array and a number) whose variables have no pending
writer are handed to the inner loop at once. The GIL is what makes that safe: pushes need it, so nothing
can become pending between the check and the loop. The output is fresh, or has no pending reader either.
Where that is not so, or the operands are large, the loop is pushed to the engine as a program of one step.
Everything else goes to the operator that the face has registered.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from libc.math cimport fabs, isinf
from libc.stdint cimport int64_t, uint8_t, uintptr_t
from libc.string cimport memcpy

from ._array cimport (
    CONSTANT, DTYPE_COUNT, FLOOR_DIVIDE, GREATER_EQUAL, LESS, MULTIPLY, NUMBER_LEFT, NUMBER_RIGHT, ONE_ARRAY, POWER,
    REMAINDER, TWO_ARRAYS, Array, FastLoop, LoopFunction, Type,
    adopt_var, allocate, decref, faces, incref, is_constant, lent, require_writable, type_of,
)
from ._engine cimport CVar, report_fp_flags, var_ensure_data, var_new, var_release

cimport numpy as cnp

from ._array import SLOTS
from .dtypes import DTYPES
from .errors import ArgumentError, ArgumentTypeError, message, problem

cdef extern from *:
    """
    #define mxcy_numbers(type) ((void**)(type)->tp_as_number)  // function pointers, one after the other
    #define mxcy_leave_concat(type) ((type)->tp_as_sequence->sq_inplace_concat = NULL)
    """
    void** number_slots "mxcy_numbers"(Type*)
    void leave_concat "mxcy_leave_concat"(Type*)
    Type PyFloat_Type, PyLong_Type
    double PyFloat_AS_DOUBLE(PyObject*)
    long long PyLong_AsLongLongAndOverflow(PyObject*, int*) except? -1
    Py_ssize_t references "Py_REFCNT"(PyObject*)

cdef extern from "faces.hpp":
    bint is_referred_to "mxcy_is_referred_to"(PyObject*)

cdef extern from "strided.hpp" namespace "mxcy" nogil:
    void c_strides(int, const int64_t*, int64_t, int64_t*)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    cdef enum:
        BOOL, INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, UINT64
        FLOAT16, BFLOAT16, FLOAT32, FLOAT64
    const uint8_t* ITEMSIZE

cdef extern from "fp_status.hpp" namespace "mxcy" nogil:
    int take_fp_flags()

cdef extern from "numpy/arrayobject.h":
    void PyArray_ScalarAsCtype(object scalar, void* to)

cnp.import_array()

cdef Type* element_types[DTYPE_COUNT]  # of NumPy's scalars; NULL for a dtype that is not NumPy's own
for _code, _dtype in enumerate(DTYPES):
    element_types[<int>_code] = <Type*><void*>_dtype.type if _dtype.isbuiltin == 1 else NULL

cdef bint enabled = True
cdef bint tracking = False  # a thread records: operators on arrays with grad_info are for the tape
cdef bint watching = False  # the tape holds values: it wants to see what is done in place
cdef const char* slot_names[64]
cdef const char* scalar_names[64]  # of operators on results without axes, in warnings
cdef list _slot_bytes = [name.encode() for name in SLOTS]
cdef list _scalar_bytes = [b"scalar " + name for name in _slot_bytes]


cdef bint same_shape(PyObject* a, PyObject* b) noexcept:
    cdef int i
    if (<Array>a).ndim_ != (<Array>b).ndim_ or (<Array>a).size != (<Array>b).size:
        return False
    for i in range((<Array>a).ndim_):
        if (<Array>a).dims[i] != (<Array>b).dims[i]:
            return False
    return True


cdef bint is_watched() noexcept:
    return watching or not enabled


cdef bint is_enabled() noexcept:
    return enabled


cdef char* readable_data(PyObject* p) noexcept:
    """The elements, if they can be read here and now in one run, and autograd need not know; else NULL."""
    cdef char* data
    if not enabled or not (<Array>p).c_contiguous or not (<Array>p).var.readable() or (<Array>p).var.on_gpu():
        return NULL
    if (<Array>p).grad_info is not NULL and tracking:
        return NULL
    data = (<Array>p).var.data.load()
    if data is NULL:  # never written
        return NULL
    return data + (<Array>p).offset


cdef bint store_int(long long value, int code, char* out) noexcept:
    """Writes an integer as an element; false if the dtype does not hold it exactly."""
    if code == FLOAT32 and -(1 << 24) <= value <= 1 << 24:
        (<float*>out)[0] = <float>value
    elif code == FLOAT64 and -(1LL << 53) <= value <= 1LL << 53:
        (<double*>out)[0] = <double>value
    elif code == INT32 and -(1LL << 31) <= value < 1LL << 31 or code == UINT32 and 0 <= value < 1LL << 32:
        (<int*>out)[0] = <int>value
    elif code == INT64 or code == UINT64 and value >= 0:
        (<long long*>out)[0] = value
    elif code == INT8 and -128 <= value < 128 or code == UINT8 and 0 <= value < 256:
        out[0] = <char>value
    elif code == INT16 and -32768 <= value < 32768 or code == UINT16 and 0 <= value < 65536:
        (<short*>out)[0] = <short>value
    else:
        return False
    return True


cdef bint store_scalar(PyObject* scalar, int code, char* out) except? False:
    """Writes a Python number as an element; false if NumPy would do more than convert it."""
    cdef double value
    cdef long long integer
    cdef int overflow = 0
    if is_element(scalar, code):
        PyArray_ScalarAsCtype(<object>scalar, out)
        return True
    if type_of(scalar) is &PyFloat_Type:
        value = PyFloat_AS_DOUBLE(scalar)
        if code == FLOAT64:
            (<double*>out)[0] = value
            return True
        if code == FLOAT32 and (1e-37 < fabs(value) < 3e38 or value == 0 or isinf(value) or value != value):
            (<float*>out)[0] = <float>value
            return True
        return False
    integer = PyLong_AsLongLongAndOverflow(scalar, &overflow)
    return overflow == 0 and store_int(integer, code, out)


cdef bint element_as(PyObject* p, int code, char* out) noexcept:
    """Writes the element of an array without axes in a dtype that NumPy would choose for both; false if it would not."""
    cdef char* data
    cdef int own = (<Array>p).dtype_code
    if (<Array>p).ndim_ != 0 or own != code and code != FLOAT64:
        return False
    data = readable_data(p)
    if data is NULL:
        return False
    if own == code:
        memcpy(out, data, ITEMSIZE[code])
    elif own == INT64:
        (<double*>out)[0] = <double>(<long long*>data)[0]
    elif own == INT32:
        (<double*>out)[0] = (<int*>data)[0]
    elif own == FLOAT32:
        (<double*>out)[0] = (<float*>data)[0]
    elif own == BOOL:
        (<double*>out)[0] = data[0] != 0
    else:
        return False
    return True


cdef int form_of_two(PyObject* left, PyObject* right, int slot, bint inplace, char* scalar) noexcept:
    """How two arrays are given to a loop: one of them as a number, if it is a single element for the other."""
    if slot == POWER or not faces[(<Array>left).face].scalars:
        return TWO_ARRAYS
    if element_as(right, (<Array>left).dtype_code, scalar):
        return NUMBER_RIGHT
    if not inplace and element_as(left, (<Array>right).dtype_code, scalar):
        return NUMBER_LEFT
    return TWO_ARRAYS


cdef bint is_element(PyObject* p, int code) noexcept:
    """Whether this is a NumPy scalar of the dtype."""
    return type_of(p) is element_types[code]


cdef bint is_number(PyObject* p) noexcept:
    return type_of(p) is &PyFloat_Type or type_of(p) is &PyLong_Type


cdef PyObject* fresh_like(PyObject* x, int face, uint8_t code, char** data) except NULL:
    """An array of the shape of `x` (C order) with its buffer present."""
    cdef CVar* var = var_new((<Array>x).size * ITEMSIZE[code], (<Array>x).var.context)
    cdef PyObject* p
    cdef int i
    cdef int ndim = (<Array>x).ndim_
    if ndim > 4:
        made = adopt_var(var, face, 0, ndim, (<Array>x).dims, NULL, code, False)
        data[0] = var_ensure_data(var)
        p = <PyObject*>made
        incref(p)
        return p
    try:
        p = allocate(face)
    except BaseException:
        var_release(var)
        raise
    (<Array>p).var = var
    (<Array>p).grad_info = NULL
    (<Array>p).offset = 0
    (<Array>p).size = (<Array>x).size
    (<Array>p).dims = (<Array>p).inline_dims
    (<Array>p).ndim_ = ndim
    (<Array>p).dtype_code = code
    (<Array>p).c_contiguous = (<Array>p).whole = True
    (<Array>p).face = face
    (<Array>p).read_only = CONSTANT if ndim == 0 and faces[face].scalars else 0
    for i in range(ndim):
        (<Array>p).inline_dims[i] = (<Array>x).dims[i]
    c_strides(ndim, (<Array>x).dims, ITEMSIZE[code], (<Array>p).inline_dims + ndim)
    data[0] = var.data.load()
    if data[0] is NULL:
        try:
            data[0] = var_ensure_data(var)
        except BaseException:
            decref(p)
            raise
    return p


cdef inline PyObject* push(PyObject* x, PyObject* y, PyObject* target, int slot, int form,
                           const char* scalar) except? NULL:
    """The same through the engine, where operands are large, pending or of different shapes or layouts.

    NULL if they want more care, or nobody has imported `_fast_loops`.
    """
    if lent.push_loop is NULL or not may_push(x) or form == TWO_ARRAYS and not may_push(y):
        return NULL
    return lent.push_loop(x, y, target, slot, form, scalar)


cdef inline bint may_push(PyObject* p) noexcept:
    return not (<Array>p).var.on_gpu() and ((<Array>p).grad_info is NULL or not tracking)


cdef PyObject* run_fast(PyObject* left, PyObject* right, int slot, bint inplace) except? NULL:
    """The result (in place: `left`) as a new reference; NULL if this is not for the fast path.

    At least one operand is an array; in place the left one is.
    """
    cdef PyObject* x = left
    cdef PyObject* y = right
    cdef PyObject* result
    cdef char* args[3]
    cdef char scalar[16]
    cdef Py_ssize_t strides[3]
    cdef Py_ssize_t n
    cdef FastLoop* loop
    cdef int code, flags
    cdef int form = TWO_ARRAYS
    cdef bint alike = True, is_stored = False
    cdef const char* name = slot_names[slot]
    if not enabled or inplace and watching:
        return NULL
    if type_of(left) is type_of(right):
        alike = same_shape(left, right)
        if not alike or (<Array>left).dtype_code != (<Array>right).dtype_code:
            form = form_of_two(left, right, slot, inplace, scalar)
            is_stored = form != TWO_ARRAYS
            x = right if form == NUMBER_LEFT else left
            alike = alike or is_stored
    elif is_number(left):
        x = right
        form = NUMBER_LEFT
    elif is_number(right):
        form = NUMBER_RIGHT
    elif isinstance(<object>left, Array):
        if not is_element(right, (<Array>left).dtype_code):
            return NULL
        form = NUMBER_RIGHT
    else:
        if not is_element(left, (<Array>right).dtype_code):
            return NULL
        x = right
        form = NUMBER_LEFT
    code = (<Array>x).dtype_code
    if form == TWO_ARRAYS:
        if (<Array>y).dtype_code != code:
            return NULL
    elif is_stored:
        pass
    elif slot == POWER:
        # NumPy has its own code for some exponents. The one worth the trouble here is 2, for which it
        # multiplies (complex numbers in another way than `multiply` does).
        if x is right or code == BOOL or code > FLOAT64 or not is_number(right) or not is_two(right):
            return NULL
        if code < FLOAT16 and faces[(<Array>x).face].scalars and type_of(right) is &PyFloat_Type:
            return NULL  # by NumPy's rules a float
        slot, name, form, y = MULTIPLY, "square", TWO_ARRAYS, x
    elif not store_scalar(right if form == NUMBER_RIGHT else left, code, scalar):
        return NULL
    n = (<Array>x).size
    loop = &faces[(<Array>x).face].loops[slot][code]
    if loop.limit == 0 or inplace and loop.out != code:
        return NULL
    if n >= loop.limit or not alike:
        return push(x, y, left if inplace else NULL, slot, form, scalar)
    strides[0] = strides[1] = ITEMSIZE[code]
    args[0] = args[1] = readable_data(x)
    if form == TWO_ARRAYS and args[0] is not NULL and y is not x:
        args[1] = readable_data(y)
    if args[0] is NULL or args[1] is NULL or inplace and not can_overwrite(left, y, form):
        return push(x, y, left if inplace else NULL, slot, form, scalar)
    if form == NUMBER_RIGHT:
        args[1], strides[1] = scalar, 0
    elif form == NUMBER_LEFT:
        args[0], strides[0] = scalar, 0
    strides[2] = ITEMSIZE[loop.out]
    if (<Array>x).ndim_ == 0:  # as NumPy gives elements without axes to its loops: the one of powers looks
        strides[0] = strides[1] = strides[2] = 0
    if inplace:
        result, args[2] = left, args[0]
        incref(result)
    else:
        result = fresh_like(x, (<Array>x).face, loop.out, &args[2])
    take_fp_flags()  # what other code of this thread has left behind
    loop.function(args, &n, strides, loop.data)
    flags = take_fp_flags()
    (<Array>result).var.version += 1
    if flags:
        if name is slot_names[slot] and is_constant(<Array>x) and (form != TWO_ARRAYS or is_constant(<Array>y)):
            name = scalar_names[slot]
        try:
            report_fp_flags(name, flags)
        except BaseException:
            decref(result)
            raise
    return result


cdef inline bint is_two(PyObject* number) noexcept:
    cdef int overflow = 0
    if type_of(number) is &PyFloat_Type:
        return PyFloat_AS_DOUBLE(number) == 2.0
    return PyLong_AsLongLongAndOverflow(number, &overflow) == 2


cdef inline bint can_overwrite(PyObject* x, PyObject* y, int form) noexcept:
    if not (<Array>x).var.idle() or (<Array>x).read_only:
        return False
    # The same elements may be read and written at once; shifted ones may not.
    return (form != TWO_ARRAYS or (<Array>y).var is not (<Array>x).var
            or (<Array>y).offset == (<Array>x).offset)


cdef PyObject* run_fast_unary(PyObject* x, int slot) except? NULL:
    cdef char* args[2]
    cdef Py_ssize_t strides[2]
    cdef FastLoop* loop = &faces[(<Array>x).face].loops[slot][(<Array>x).dtype_code]
    cdef PyObject* result
    cdef Py_ssize_t n = (<Array>x).size
    cdef int flags
    if not enabled or loop.limit == 0:
        return NULL
    args[0] = readable_data(x) if n < loop.limit else NULL
    if args[0] is NULL:
        return push(x, x, NULL, slot, ONE_ARRAY, NULL)
    strides[0] = ITEMSIZE[(<Array>x).dtype_code]
    strides[1] = ITEMSIZE[loop.out]
    result = fresh_like(x, (<Array>x).face, loop.out, &args[1])
    take_fp_flags()  # what other code of this thread has left behind
    loop.function(args, &n, strides, loop.data)
    flags = take_fp_flags()
    (<Array>result).var.version += 1
    if flags:
        try:
            report_fp_flags(slot_names[slot], flags)
        except BaseException:
            decref(result)
            raise
    return result


cdef PyObject* returned(object result) noexcept:
    incref(<PyObject*>result)
    return <PyObject*>result


# For LESS to GREATER_EQUAL, the bits of `order_of` for which they are true.
cdef int TRUE_FOR[6]
TRUE_FOR[:] = [1, 3, 2, 13, 4, 6]


cdef PyObject* compared(PyObject* left, PyObject* right, int slot) except? NULL:
    """The truth value of a comparison of two elements without axes, as sorting asks for many; NULL: not for here."""
    cdef int order, code = (<Array>left).dtype_code
    cdef FastLoop* loop = &faces[(<Array>left).face].loops[slot][code]
    cdef char* data
    cdef char* other
    cdef PyObject* result
    if (<Array>left).ndim_ != 0 or (<Array>right).ndim_ != 0 or (<Array>right).dtype_code != code:
        return NULL
    if code != FLOAT64 and code != INT64 or loop.limit == 0 or loop.out != BOOL:  # as in `mx.nd`
        return NULL
    data, other = readable_data(left), readable_data(right)
    if data is NULL or other is NULL:
        return NULL
    if code == FLOAT64:
        order = order_of((<double*>data)[0], (<double*>other)[0])
    else:
        order = order_of((<int64_t*>data)[0], (<int64_t*>other)[0])
    result = truth_value(left, &data)
    data[0] = TRUE_FOR[slot - LESS] & order != 0
    (<Array>result).var.version += 1
    return result


# The last result of `compared`. Loops ask whether it is true and drop it, and it is the next one again.
cdef PyObject* last_truth = NULL


cdef PyObject* truth_value(PyObject* like, char** data) except NULL:
    """A result without axes for a truth value, with its buffer present."""
    global last_truth
    cdef PyObject* made = last_truth
    if made is not NULL and references(made) == 1 and is_untouched(<Array>made, (<Array>like).face):
        data[0] = (<Array>made).var.data.load()
    else:
        made = fresh_like(like, (<Array>like).face, BOOL, data)
        if last_truth is not NULL:
            decref(last_truth)
        last_truth = made
    incref(made)
    return made


cdef inline bint is_untouched(Array x, int face) noexcept:
    """Whether nothing tells a result that nobody holds from a new one: others may have changed or shared it."""
    return (x.face == face and x.dtype_code == BOOL and x.ndim_ == 0 and x.read_only == CONSTANT and x.offset == 0
            and x.grad_info is NULL and x.var.refs.load() == 1 and x.var.idle() and not is_referred_to(<PyObject*>x))


ctypedef fused Number:
    double
    int64_t


cdef inline int order_of(Number a, Number b) noexcept:
    """A bit for less, equal, greater or neither, found without a branch: nobody could foresee which it takes."""
    return <int>(a < b) | <int>(a == b) << 1 | <int>(a > b) << 2 | <int>(a != a or b != b) << 3


cdef PyObject* binary(PyObject* left, PyObject* right, int slot) except NULL:
    cdef PyObject* result = NULL
    if LESS <= slot <= GREATER_EQUAL and type_of(left) is type_of(right):
        result = compared(left, right, slot)
    if result is NULL:
        result = run_fast(left, right, slot, False)
    if result is not NULL:
        return result
    cdef int face = (<Array>left).face if isinstance(<object>left, Array) else (<Array>right).face
    cdef PyObject* function = faces[face].operators[slot]
    if function is NULL:
        return returned(NotImplemented)
    return returned((<object>function)(<object>left, <object>right))


cdef PyObject* inplace(PyObject* left, PyObject* right, int slot) except NULL:
    cdef PyObject* result = run_fast(left, right, slot, True)
    if result is not NULL:
        return result
    cdef PyObject* function = faces[(<Array>left).face].operators[slot]
    if function is NULL:
        return returned(NotImplemented)
    if is_constant(<Array>left):  # as for numbers, a name gets another value
        return binary(left, right, slot)
    require_writable(<Array>left, SLOTS[slot])
    return returned((<object>function)(<object>left, <object>right, out=<object>left))


cdef PyObject* unary(PyObject* x, int slot) except NULL:
    cdef PyObject* result = run_fast_unary(x, slot)
    if result is not NULL:
        return result
    cdef PyObject* function = faces[(<Array>x).face].operators[slot]
    result_of = NotImplemented if function is NULL else (<object>function)(<object>x)
    if result_of is NotImplemented:  # which Python does not expect from one operand
        kind = type(<object>x).__name__
        text = f"bad operand type: {kind} of {(<object>x).dtype}"
        raise ArgumentTypeError(problem(SLOTS[slot], None, text))
    return returned(result_of)


def _slot(name):
    """Return the number of an operator slot."""
    if name not in SLOTS:
        raise ArgumentError(message("slot", None, f"one of {', '.join(SLOTS)}", repr(name)))
    return SLOTS.index(name)


def signature(inputs, bint shapes=False):
    """Return a key of the faces and dtypes (`shapes`: and shapes) of arrays, None if some are not arrays."""
    cdef int64_t cells[64]
    cdef int used = 0, ndim
    cdef Array x
    for given in inputs:
        if not isinstance(given, Array):
            return None
        x = <Array>given
        ndim = x.ndim_ if shapes else 0
        if used + 1 + ndim > 64:
            parts = [signature((a,), shapes) for a in inputs]
            return None if None in parts else tuple(parts)
        cells[used] = x.face | x.dtype_code << 8 | ndim << 16
        memcpy(cells + used + 1, x.dims, ndim * sizeof(int64_t))
        used += 1 + ndim
    return PyBytes_FromStringAndSize(<char*>cells, used * sizeof(int64_t))


# Place of each binary operator in PyNumberMethods.
BINARY_SLOTS = {
    0: "add", 1: "sub", 2: "mul", 3: "mod", 4: "divmod", 5: "pow", 11: "lshift", 12: "rshift", 13: "and",
    14: "xor", 15: "or", 29: "floordiv", 30: "truediv", 34: "matmul",
}


def inherit_operators(cls):
    """Give a face the C functions of the core for the operators that it does not define.

    Python's own inheritance puts a function there that looks the method up by name, which doubles the
    time of a small operation. It also takes `+=` for what joins sequences, too, and would ask it again when
    no operand can add: `x` would then be the answer, NotImplemented.
    """
    leave_concat(<Type*><void*>cls)
    for place, name in BINARY_SLOTS.items():
        methods = (f"__{name}__", f"__r{name}__")
        if all(getattr(cls, method) is getattr(Array, method) for method in methods):
            number_slots(<Type*><void*>cls)[<int>place] = number_slots(<Type*><void*>Array)[<int>place]


def set_operator(int face, name, function):
    """Make `function` the operator of a face for the slot `name` (one of SLOTS, NumPy's names).

    It is called as function(a, b) with the operands as they stand (one may be foreign), with out=a for
    the in-place form, and may return NotImplemented. None removes it.
    """
    cdef int slot = _slot(name)
    cdef PyObject* old = faces[face].operators[slot]
    if function is None:
        faces[face].operators[slot] = NULL
    else:
        incref(<PyObject*>function)
        faces[face].operators[slot] = <PyObject*>function
    if old is not NULL:
        decref(old)


def set_fast_loop(int face, name, int dtype_code, uintptr_t function, uintptr_t data, int out_code,
                  limit=None, float cost_ns=1, bint clears=False):
    """Give a slot the inner loop (NumPy's signature) for operands of one dtype; address 0 removes it.

    The loop must need no GIL, raise no Python exception, and take some 20 microseconds at most for `limit`
    elements (chosen by slot and dtype if not given); larger operands are pushed. `cost_ns` is the time of
    an element, `clears` says that the loop may clear the floating-point status.
    """
    cdef int slot = _slot(name)
    if not (0 <= dtype_code < DTYPE_COUNT and 0 <= out_code < DTYPE_COUNT):
        expected = f"codes below {DTYPE_COUNT}"
        raise ArgumentError(message("set_fast_loop", "dtype_code", expected, (dtype_code, out_code)))
    cdef FastLoop* loop = &faces[face].loops[slot][dtype_code]
    if limit is None:
        slow = slot in (FLOOR_DIVIDE, REMAINDER, POWER) or dtype_code in (FLOAT16, BFLOAT16)
        limit = 1024 if slow else 16384
    loop.function = <LoopFunction>function
    loop.data = <void*>data
    loop.out = out_code
    loop.cost_ns = cost_ns
    loop.clears = clears
    loop.limit = <int64_t>limit + 1 if function else 0


def set_fast_path(bint on):
    """Switch the fast path on or off (a profiler wants to see every operation); return how it was."""
    global enabled
    was = enabled
    enabled = on
    return was


def set_autograd(bint any_tracking, bint any_watching):
    """Set what the fast path leaves to autograd."""
    global tracking, watching
    tracking, watching = any_tracking, any_watching


for _number, _name in enumerate(_slot_bytes):
    slot_names[<int>_number] = <const char*><bytes>_name
    scalar_names[<int>_number] = <const char*><bytes>_scalar_bytes[_number]
lent.binary = binary
lent.inplace = inplace
lent.unary = unary
