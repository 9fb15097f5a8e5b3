"""Resolves a function and the types of its operands to an inner loop.

A function is a `numpy.ufunc` (NumPy's, SciPy's, a user's), the name of one of our own loops (`OWN`),
`("cast", dtype code)`, or `("call", ufunc)` to call a ufunc instead of taking its loop. The table
`functions`/`data`/`types` of a ufunc is public (numpy/ufuncobject.h); its loops need no GIL, take strides
and give NumPy's results bit for bit. Half types are declared as NumPy does and computed by the loop for
float32. Where a table lacks the loop that NumPy's dispatch names, the ufunc itself is called, with the GIL.
"""

import sys

import numpy as np

cimport numpy as cnp
from cpython.exc cimport PyErr_SetObject
from libc.stdint cimport int64_t, intptr_t, uintptr_t

from ._cast cimport cast_loop
from .dtypes import DTYPES, code_of, numpy_dtype
from .errors import DTypeError, message, problem

cnp.import_array()

cdef extern from "numpy/ufuncobject.h" nogil:
    ctypedef struct PyUFuncObject:
        int nin
        int nout
        int nargs
        Loop* functions
        void** data
        int ntypes
        const char* types

cdef extern from "loops.hpp" namespace "mxcy" nogil:
    ctypedef struct LoopAndData:
        Loop loop
        void* data
    Loop find_own_loop(int which, int dtype)
    const char* take_loop_failure()
    enum:
        OWN_EQUAL, OWN_NOT_EQUAL, OWN_LESS, OWN_LESS_EQUAL, OWN_GREATER, OWN_GREATER_EQUAL
        OWN_LOGICAL_AND, OWN_LOGICAL_OR, OWN_LOGICAL_XOR, OWN_LOGICAL_NOT
        OWN_RELU, OWN_SIGMOID, OWN_INTEGER_POWER, OWN_TRUNCATE_DIVIDE, OWN_ROUND_AWAY, OWN_RINT_DOWN
        OWN_TRUNCATE_POWER, OWN_MODULO
        OWN_SUM_OF_PRODUCTS, OWN_DIFFERENCE_OF_PRODUCTS, OWN_PRODUCT_PLUS, OWN_PRODUCT_MINUS, OWN_MINUS_PRODUCT
        OWN_ERF, OWN_GELU, OWN_GELU_GRAD, OWN_ELU, OWN_ELU_GRAD

cdef extern from "products.hpp" namespace "mxcy" nogil:
    Loop find_integer_product(int dtype)
    Loop find_small_product(int dtype)
    const PackedLoops* find_packed_product(int dtype)
    ThinPlan find_thin_product(int dtype)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        BOOL, FLOAT16, BFLOAT16, FLOAT32, FLOAT64, N_DTYPES

cdef extern from "Python.h":
    void* error_set "PyErr_Occurred"() nogil

cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(type cls, cnp.dtype descr, int nd, const cnp.npy_intp* dims,
                                const cnp.npy_intp* strides, void* data, int flags, object obj)

# name -> (number, inputs); results have the dtype of the operands.
OWN = {
    "equal": (OWN_EQUAL, 2), "not_equal": (OWN_NOT_EQUAL, 2), "less": (OWN_LESS, 2),
    "less_equal": (OWN_LESS_EQUAL, 2), "greater": (OWN_GREATER, 2), "greater_equal": (OWN_GREATER_EQUAL, 2),
    "logical_and": (OWN_LOGICAL_AND, 2), "logical_or": (OWN_LOGICAL_OR, 2),
    "logical_xor": (OWN_LOGICAL_XOR, 2), "logical_not": (OWN_LOGICAL_NOT, 1),
    "relu": (OWN_RELU, 1), "sigmoid": (OWN_SIGMOID, 1),
    "truncate_power": (OWN_TRUNCATE_POWER, 2), "modulo": (OWN_MODULO, 2),
    "truncate_divide": (OWN_TRUNCATE_DIVIDE, 2), "round_away": (OWN_ROUND_AWAY, 1),
    "rint_down": (OWN_RINT_DOWN, 1),
    "sum_of_products": (OWN_SUM_OF_PRODUCTS, 4), "difference_of_products": (OWN_DIFFERENCE_OF_PRODUCTS, 4),
    "product_plus": (OWN_PRODUCT_PLUS, 3), "product_minus": (OWN_PRODUCT_MINUS, 3),
    "minus_product": (OWN_MINUS_PRODUCT, 3),
    "erf": (OWN_ERF, 1), "gelu": (OWN_GELU, 1), "gelu_grad": (OWN_GELU_GRAD, 2),
    "elu": (OWN_ELU, 2), "elu_grad": (OWN_ELU_GRAD, 4),
}  # fmt: skip

_HALVES = (FLOAT16, BFLOAT16)
# Neighbours of a half number are not those of a float.
_NEEDS_HALF_LOOP = frozenset({"nextafter", "spacing"})
# Loops of these clear the floating-point status in NumPy, so that NaN raises nothing.
_CLEARS = frozenset(
    "equal not_equal less less_equal greater greater_equal maximum minimum fmax fmin sign "
    "logical_and logical_or logical_xor logical_not isnan isinf isfinite signbit copysign floor_divide remainder fmod divmod modf "
    "floor ceil rint trunc absolute".split()
)
_WEAK = {int: int, float: float, complex: complex, bool: np.dtype(np.bool_)}

# Nanoseconds for one float32 element in the first-level cache, rounded up to what memory allows.
_COSTS = {
    0.6: "divide true_divide sqrt exp log floor ceil rint trunc maximum minimum fmax fmin reciprocal",
    1.0: "exp2 log2 tanh sin cos sigmoid expm1 log1p log10 erf gelu gelu_grad elu",
    2.5: "tan sinh cosh arcsin arccos arctan arcsinh arccosh arctanh cbrt floor_divide truncate_divide",
    6.0: "power float_power truncate_power arctan2 hypot remainder mod fmod modulo divmod logaddexp logaddexp2 "
    "gcd lcm ldexp frexp modf",
}
_COST_OF = {name: cost for cost, names in _COSTS.items() for name in names.split()}
_CHEAP = 0.3
_PRODUCT_COSTS = {"float32": 0.015, "float64": 0.03, "complex64": 0.06, "complex128": 0.12}
_UNKNOWN = 20.0

cdef dict _resolved = {}
cdef dict _tables = {}


cdef class ResolvedLoop:
    """One inner loop, the types that go in and out of it, and how to tell that it failed."""

    @property
    def address(self):
        """Address of the loop, for the table of the inline path."""
        return <uintptr_t>self.loop

    @property
    def data_address(self):
        """Address that the loop gets as its last argument."""
        return <uintptr_t>self.data

    @property
    def may_fail(self):
        """Whether the loop can report an error."""
        return self.failed != NULL


def resolve(function, tuple types):
    """Return the loop of a function for operands of these types.

    `types` holds a dtype code for each operand, or `int`, `float`, `complex`, `bool` for a Python scalar.
    Raises `DTypeError` where the function takes no such operands.
    """
    key = (function, types)
    found = _resolved.get(key)
    if found is None:
        if isinstance(function, str):
            found = _find_own(function, types)
        elif isinstance(function, tuple):
            found = _find_pair(function[0], function[1], types)
        else:
            found = _find_ufunc(function, types)
        (<ResolvedLoop>found).function = function
        _resolved[key] = found  # for ever: queued operations point into the ufunc
    return found


def _find_pair(kind, what, tuple types):
    if kind == "cast":
        return find_cast(types[0] if isinstance(types[0], int) else code_of(types[0]), what)
    declared = _declare(what, types)
    return _through_ufunc(what, declared, tuple(_compute_code(code) for code in declared))


# --- our own loops ----------------------------------------------------------------------------------
cdef ResolvedLoop _new(Loop loop, void* data, tuple declared, tuple stored, int n_inputs, float cost_ns):
    cdef ResolvedLoop found = ResolvedLoop.__new__(ResolvedLoop)
    found.loop, found.data = loop, data
    found.declared, found.stored = declared, stored
    found.n_inputs = n_inputs
    found.cost_ns = cost_ns
    return found


cdef ResolvedLoop find_cast(int source, int target):
    """The loop that converts between two dtypes."""
    codes = (source, target)
    return _new(cast_loop(source, target), NULL, codes, codes, 1, _CHEAP)


cdef _compute_code(int code):
    return FLOAT32 if code == FLOAT16 or code == BFLOAT16 else code


cdef ResolvedLoop _find_own(str name, tuple types):
    which, n_inputs = OWN[name]
    if len(types) != n_inputs:
        raise DTypeError(message(name, None, f"{n_inputs} operands", len(types)))
    codes = {t for t in types if isinstance(t, int) and not isinstance(t, bool)}
    if len(codes) != 1:
        hint = "convert one with astype"
        raise DTypeError(message(name, None, "operands of one dtype", _names(types), hint))
    code = codes.pop()
    stored = _compute_code(code)
    cdef Loop loop = find_own_loop(which, stored)
    if loop == NULL:
        raise _no_loop(name, types)
    count = n_inputs + 1
    cdef ResolvedLoop found = _new(loop, NULL, (code,) * count, (stored,) * count, n_inputs,
                                   _cost(name, (stored,) * count))
    if which == OWN_SIGMOID:
        found.keeps = _LoopAndData(resolve(np.exp, (stored,)))
        found.data = &(<_LoopAndData>found.keeps).value
    return found


cdef class _LoopAndData:
    """A loop that another loop calls; it points here."""

    cdef LoopAndData value

    def __cinit__(self, ResolvedLoop found):
        self.value.loop, self.value.data = found.loop, found.data


# --- ufuncs -----------------------------------------------------------------------------------------
def resolve_product(tuple types):
    """Return the loop of `numpy.matmul` for operands of two dtype codes; its cost is of one multiply-add."""
    key = ("product", types)  # no pointwise step may find it
    cdef ResolvedLoop found = _resolved.get(key)
    if found is not None:
        return found
    declared = _declare(np.matmul, types)
    stored = tuple(_compute_code(code) for code in declared)
    cdef Loop own = find_integer_product(stored[0])
    if own != NULL:
        found = _new(own, NULL, declared, stored, 2, 0)
    else:
        found = _find_in_table(np.matmul, declared, stored)
    if found.python:
        raise _no_loop("matmul", types)
    found.cost_ns = _PRODUCT_COSTS.get(DTYPES[stored[0]].name, 0.3)
    _resolved[key] = found
    return found


def resolve_matrix_loop(ufunc, tuple types):
    """Return the loop of a generalised ufunc of `numpy.linalg` for the dtype codes of its operands."""
    key = (ufunc, types)
    cdef ResolvedLoop found = _resolved.get(key)
    if found is None:
        declared = _declare(ufunc, types)
        found = _resolved[key] = _find_in_table(ufunc, declared, declared)
    return found


cdef ResolvedLoop small_product_of(ResolvedLoop blas):
    """Our own loop for small products of the types of `blas`, or `blas`."""
    key = ("small product", blas.stored[0])
    cdef Loop own
    found = _resolved.get(key)
    if found is None:
        own = find_small_product(blas.stored[0])
        found = blas if own == NULL else _new(own, NULL, blas.declared, blas.stored, 2, blas.cost_ns)
        _resolved[key] = found
    return found


cdef const PackedLoops* packed_product_of(ResolvedLoop blas) noexcept:
    """Our own loops for large products of the types of `blas`, or null."""
    return find_packed_product(blas.stored[0])


cdef ThinPlan thin_product_of(ResolvedLoop blas) noexcept:
    """How products with a thin matrix are computed in the types of `blas`, or null."""
    return find_thin_product(blas.stored[0])


def _find_ufunc(ufunc, tuple types):
    if not isinstance(ufunc, np.ufunc):
        # Numba's DUFunc holds a real one; reading its own memory as one would crash.
        ufunc = getattr(ufunc, "ufunc", ufunc)
    if not isinstance(ufunc, np.ufunc) or ufunc.signature is not None:
        raise DTypeError(message("compile_program", "steps", "an elementwise numpy.ufunc", repr(ufunc)))
    declared = _declare(ufunc, types)
    if ufunc.__name__ in _NEEDS_HALF_LOOP:
        stored = declared
    else:
        stored = tuple(_compute_code(code) for code in declared)
    if ufunc is np.power and stored[0] not in (BOOL,) and DTYPES[stored[0]].kind in "iu":
        return _integer_power(declared, stored)
    return _find_in_table(ufunc, declared, stored)


def _declare(ufunc, tuple types):
    """Codes of operands and results, by NumPy's promotion."""
    if len(types) != ufunc.nin:
        raise DTypeError(message(ufunc.__name__, None, f"{ufunc.nin} operands", len(types)))
    operands = [_WEAK[t] if isinstance(t, type) else numpy_dtype(t) for t in types]
    bfloat = BFLOAT16 in types
    if bfloat:
        operands, bfloat = _without_bfloat16(operands)
    try:
        found = ufunc.resolve_dtypes((*operands, *(None,) * ufunc.nout))
        codes = [_code_of_resolved(d) for d in found]
    except TypeError:
        raise _no_loop(ufunc.__name__, types) from None
    if bfloat:
        codes = [BFLOAT16 if code == FLOAT32 else code for code in codes]
    return tuple(codes)


def _without_bfloat16(list operands):
    """Operands with float32 for bfloat16, and whether float32 results stand for bfloat16.

    ml_dtypes knows no weak scalars, and has loops for some ufuncs only.
    """
    bfloat, single = DTYPES[BFLOAT16], DTYPES[FLOAT32]
    strong = [d for d in operands if isinstance(d, np.dtype)]
    try:
        common = np.result_type(*strong)
    except TypeError:
        common = single
    if common == bfloat:  # small integers join as bfloat16, which float32 holds
        return [single if isinstance(d, np.dtype) else d for d in operands], True
    return [single if d == bfloat else d for d in operands], False


def _code_of_resolved(dtype):
    if dtype.kind not in "biufc" or dtype.itemsize > (16 if dtype.kind == "c" else 8):
        raise TypeError(dtype)
    return code_of(dtype)


cdef ResolvedLoop _integer_power(tuple declared, tuple stored):
    """NumPy's takes the GIL to raise; ours leaves a note that the machine reads."""
    cdef ResolvedLoop found = _new(find_own_loop(OWN_INTEGER_POWER, stored[0]), NULL, declared, stored, 2,
                                   _cost("power", stored))
    found.failed = take_loop_failure
    return found


def _table(ufunc):
    """The ufunc's signatures as tuples of codes; -1 stands for types that arrays cannot have."""
    table = _tables.get(ufunc)
    if table is None:
        codes = {}
        for char in set("".join(ufunc.types)) - set("->"):
            try:
                codes[char] = _code_of_resolved(np.dtype(char))
            except TypeError:
                codes[char] = -1
        table = [tuple(codes[char] for char in line.replace("->", "")) for line in ufunc.types]
        _tables[ufunc] = table
    return table


cdef ResolvedLoop _find_in_table(ufunc, tuple declared, tuple stored):
    cdef PyUFuncObject* c = <PyUFuncObject*><void*>ufunc
    table = _table(ufunc)
    cdef int index = table.index(stored) if stored in table else -1
    if index < 0 or index >= c.ntypes or c.functions[index] == NULL:
        return _through_ufunc(ufunc, declared, stored)
    cdef ResolvedLoop found = _new(c.functions[index], c.data[index] if c.data != NULL else NULL,
                                   declared, stored, ufunc.nin, _cost(ufunc.__name__, stored))
    found.keeps = ufunc
    found.clears = ufunc.__name__ in _CLEARS
    if not _is_trusted(ufunc):
        found.python = True
        found.failed = _python_failure
        found.cost_ns += _UNKNOWN
    return found


def _is_trusted(ufunc):
    """Whether the loops are known to leave the Python error indicator alone."""
    special = sys.modules.get("scipy.special")
    name = ufunc.__name__
    return any(getattr(module, name, None) is ufunc for module in (np, np._core.umath, special))


def _cost(name, tuple stored):
    if name in _COST_OF:
        cost = _COST_OF[name]
    else:
        cost = _CHEAP if isinstance(getattr(np, name, None), np.ufunc) or name in OWN else _UNKNOWN
    return cost * max(DTYPES[code].itemsize for code in stored) / 4


cdef const char* _python_failure() noexcept nogil:
    if error_set() != NULL:
        return "error"
    return NULL


# --- calling the ufunc itself --------------------------------------------------------------------------
cdef class _UfuncCall:
    """A ufunc and the dtypes of its operands, to be called on blocks with the GIL held."""

    cdef object ufunc
    cdef list dtypes

    def __cinit__(self, ufunc, stored):
        self.ufunc = ufunc
        self.dtypes = [numpy_dtype(code) for code in stored]

    cdef call(self, char** args, const intptr_t* dimensions, const intptr_t* strides):
        operands = []
        cdef cnp.npy_intp length = dimensions[0], stride
        for i, dtype in enumerate(self.dtypes):
            stride = strides[i]
            operands.append(_wrap(args[i], dtype, length, stride))
        nin = self.ufunc.nin
        with np.errstate(all="ignore"):
            self.ufunc(*operands[:nin], out=tuple(operands[nin:]), casting="unsafe")


cdef object _wrap(char* data, cnp.dtype dtype, cnp.npy_intp length, cnp.npy_intp stride):
    # The array steals a reference to the dtype; Cython's argument keeps its own.
    cnp.Py_INCREF(dtype)
    return PyArray_NewFromDescr(np.ndarray, dtype, 1, &length, &stride, data, cnp.NPY_ARRAY_WRITEABLE, None)


cdef void _call_ufunc(char** args, const intptr_t* dimensions, const intptr_t* strides,
                      void* data) noexcept with gil:
    try:
        (<_UfuncCall>data).call(args, dimensions, strides)
    except BaseException as error:
        PyErr_SetObject(type(error), error)


cdef ResolvedLoop _through_ufunc(ufunc, tuple declared, tuple stored):
    cdef ResolvedLoop found = _new(_call_ufunc, NULL, declared, stored, ufunc.nin, _UNKNOWN)
    found.keeps = _UfuncCall(ufunc, stored)
    found.data = <void*>found.keeps
    found.python = True
    found.failed = _python_failure
    return found


# --- errors -------------------------------------------------------------------------------------------
def _names(types):
    return "(" + ", ".join(t.__name__ if isinstance(t, type) else numpy_dtype(t).name for t in types) + ")"


def _no_loop(name, types):
    text = f"no loop for operands of dtype {_names(types)}"
    return DTypeError(problem(name, None, text, "convert with astype"))
