# cython: cdivision=True
"""Universal functions: NumPy's loops, run at once over small arrays, by the engine over others.

Small arrays of one dtype and shape (or an array and a number) that nobody writes go to the inner loop in the
calling thread, as Python's operators do (`_invoke`). Other arrays go to the block machine as a program of one
step, where they fuse with what follows. What is left (`where`, `casting`, `dtype`, `order`, results of
another dtype, objects) is NumPy's own function over the same memory.
"""

import functools

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t

import numpy as np

from .._array cimport (
    CONSTANT, DTYPE_COUNT, Array, FastLoop, LoopFunction, Type, decref, faces, incref, new_array, steal, type_of,
)
from .._engine cimport report_fp_flags
from .._invoke cimport (
    element_as, fresh_like, is_element, is_enabled, is_watched, is_number, readable_data, same_shape, store_scalar,
)
from .._loops cimport ResolvedLoop
from .._pointwise cimport Program, invoke
from ._functions import described
from ._calls cimport face, given, has_place, is_recording, record_call, taken, taken_to_write, wrote
from ._lent cimport lend, take_back
from ._order cimport inverse, layout, ordered
from ._vectorcall cimport count_of, dict_of, name_of, names_count, takes_vectorcall, tuple_of, vectorcall

from .._array import as_face, from_numpy
from .._export import constant
from .._fast_loops import may_raise
from .._loops import resolve
from .._pointwise import compile_program
from ..dtypes import DTYPES, code_of
from ..errors import DTypeError

__all__ = ["elementwise", "ufunc"]

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        BOOL, INT64, FLOAT16, BFLOAT16, FLOAT64
    const uint8_t* ITEMSIZE

cdef extern from "fp_status.hpp" namespace "mxcy" nogil:
    int take_fp_flags()

cdef enum:
    INLINE_NS = 15000
    FEW = 4096  # elements
    MOST = 4    # operands

cdef object _missing = object()
cdef tuple NUMBERS = (int, float, complex, bool)


cdef int OUR_FACE = -1
cdef Type* OUR_TYPE = NULL


def set_face(int number):
    """Set the face of the arrays that small calls are for."""
    global OUR_FACE, OUR_TYPE
    OUR_FACE, OUR_TYPE = number, faces[number].type


cdef class ufunc:
    """A universal function over arrays of `mxcy.numpy`; attributes and methods are those of NumPy's.

    `rule` is what autograd does with it, see `_tape.py`.
    """

    cdef dict __dict__
    cdef void* vectorcall
    cdef readonly object function
    cdef FastLoop loops[DTYPE_COUNT]
    cdef int n_in, n_out
    cdef bint widens    # int64 becomes float64, whose loop there is
    cdef bint is_power  # which NumPy computes in other ways for some numbers
    cdef dict programs
    cdef public object rule
    cdef public object reduction   # own `reduce`, or None
    cdef public object running     # own `accumulate`, or None
    cdef const char* c_name
    cdef bytes name_bytes

    def __init__(self, function):
        functools.update_wrapper(self, function, ("__name__",), ())
        self.__doc__ = described(function)
        self.__qualname__ = function.__name__
        self.__module__ = "mxcy.numpy"
        self.function = function
        self.name_bytes = function.__name__.encode()
        self.c_name = self.name_bytes
        self.n_in, self.n_out = function.nin, function.nout
        self.is_power = function in (np.power, np.float_power)
        self.vectorcall = <void*>called
        self.programs = {}
        if self.n_out == 1 and self.n_in <= 2 and function.signature is None:
            for code in range(DTYPE_COUNT):
                if code != FLOAT16 and code != BFLOAT16:
                    self._find_loop(code)
        self.widens = self.n_in == 1 and self.loops[INT64].limit == 0 and self.widens_integers()

    cdef bint widens_integers(self) except -1:
        cdef ResolvedLoop found
        try:
            found = resolve(self.function, (INT64,))
        except DTypeError:
            return False
        return found.declared[0] == FLOAT64 and self.loops[FLOAT64].limit > 0

    def _find_loop(self, int code):
        cdef ResolvedLoop found
        try:
            found = resolve(self.function, (code,) * self.n_in)
        except DTypeError:
            return
        if found.python or found.may_fail or found.declared != found.stored:
            return
        if set(found.declared[: self.n_in]) != {code}:
            return
        cdef FastLoop* loop = &self.loops[code]
        loop.function, loop.data = <LoopFunction>found.loop, found.data
        loop.out = found.declared[self.n_in]
        loop.limit = min(16384, <int64_t>(INLINE_NS / max(found.cost_ns, 0.1))) + 1

    def __call__(self, *args, **kwargs):
        return self.general(args, kwargs)

    cdef PyObject* quick(self, PyObject** args, Py_ssize_t n, PyObject* out) except? NULL:
        """The result over small arrays, NULL for everything else."""
        if n != self.n_in:
            return NULL
        if n == 1:
            return self.one(args[0], out)
        return self.two(args[0], args[1], out) if n == 2 else NULL

    cdef PyObject* result(self, PyObject* x, PyObject* out, FastLoop* loop, char** data) except? NULL:
        """A new reference to what the loop writes: a fresh array, or `out` if that can be written at once."""
        cdef Array target
        if out is <PyObject*>None:
            return fresh_like(x, OUR_FACE, loop.out, data)
        target = <Array>out
        if (target.dtype_code != loop.out or target.face != face() or target.read_only or is_watched()
                or target.grad_info is not NULL or not target.c_contiguous or not target.var.idle()
                or not same_shape(x, out)):
            return NULL
        if target.var is (<Array>x).var and target.offset != (<Array>x).offset:
            return NULL
        data[0] = readable_data(out)
        if data[0] is NULL:
            return NULL
        incref(out)
        return out

    cdef PyObject* one(self, PyObject* x, PyObject* out) except? NULL:
        cdef char* args[2]
        cdef Py_ssize_t strides[2]
        cdef Py_ssize_t n
        cdef FastLoop* loop
        cdef PyObject* result
        if type_of(x) is not OUR_TYPE:
            return self.of_number(x) if is_number(x) and out is <PyObject*>None else NULL
        loop = &self.loops[(<Array>x).dtype_code]
        n = (<Array>x).size
        if n >= loop.limit or (<Array>x).grad_info is not NULL:
            return NULL
        args[0] = readable_data(x)
        if args[0] is NULL:
            return NULL
        strides[0] = ITEMSIZE[(<Array>x).dtype_code]
        strides[1] = ITEMSIZE[loop.out]
        result = self.result(x, out, loop, &args[1])
        if result is NULL:
            return NULL
        return self.run(loop, args, n, strides, result)

    cdef PyObject* of_number(self, PyObject* x) except? NULL:
        """The result for one of Python's numbers."""
        cdef char operand[16]
        cdef char* args[2]
        cdef Py_ssize_t strides[2]
        cdef int code = FLOAT64 if type(<object>x) is float or self.widens else INT64
        cdef FastLoop* loop = &self.loops[code]
        cdef Array made
        if loop.limit == 0 or is_watched() or not store_scalar(x, code, operand):
            return NULL
        made = new_array(OUR_FACE, 0, NULL, loop.out)
        args[0], args[1] = operand, made.var.data.load()
        strides[0] = strides[1] = 0
        made.read_only = CONSTANT
        incref(<PyObject*>made)
        return self.run(loop, args, 1, strides, <PyObject*>made)

    cdef PyObject* two(self, PyObject* a, PyObject* b, PyObject* out) except? NULL:
        cdef PyObject* result
        cdef char* args[3]
        cdef char scalar[16]
        cdef Py_ssize_t strides[3]
        cdef Py_ssize_t n
        cdef FastLoop* loop
        cdef PyObject* x = a
        cdef int code
        if type_of(a) is not OUR_TYPE:
            x = b
            if type_of(b) is not OUR_TYPE:
                return NULL
        code = (<Array>x).dtype_code
        loop = &self.loops[code]
        n = (<Array>x).size
        if n >= loop.limit or (<Array>x).grad_info is not NULL:
            return NULL
        strides[0] = strides[1] = ITEMSIZE[code]
        if type_of(a) is type_of(b):
            if (<Array>b).grad_info is not NULL:
                return NULL
            if (<Array>b).dtype_code != code or not same_shape(a, b):
                return self.with_element(a, b, out)
            if out is not <PyObject*>None and (<Array>b).var is (<Array>out).var:
                if (<Array>b).offset != (<Array>out).offset:
                    return NULL
            args[0], args[1] = readable_data(a), readable_data(b)
        elif not self.scalar_operand(a if x is b else b, code, scalar):
            return NULL
        elif x is a:
            args[0], args[1], strides[1] = readable_data(a), scalar, 0
        else:
            args[0], args[1], strides[0] = scalar, readable_data(b), 0
        if args[0] is NULL or args[1] is NULL:
            return NULL
        strides[2] = ITEMSIZE[loop.out]
        if (<Array>x).ndim_ == 0:  # as NumPy gives elements without axes to its loops: the one of powers looks
            strides[0] = strides[1] = strides[2] = 0
        result = self.result(x, out, loop, &args[2])
        if result is NULL:
            return NULL
        return self.run(loop, args, n, strides, result)

    cdef PyObject* with_element(self, PyObject* a, PyObject* b, PyObject* out) except? NULL:
        """The result for two arrays of which one is a single element that the loop of the other takes."""
        cdef char* args[3]
        cdef char scalar[16]
        cdef Py_ssize_t strides[3]
        cdef PyObject* x = a
        cdef PyObject* result
        cdef FastLoop* loop
        cdef bint right = element_as(b, (<Array>a).dtype_code, scalar)
        if self.is_power or out is not <PyObject*>None:
            return NULL
        if not right:
            if not element_as(a, (<Array>b).dtype_code, scalar):
                return NULL
            x = b
        loop = &self.loops[(<Array>x).dtype_code]
        args[0] = args[1] = readable_data(x)
        if (<Array>x).size >= loop.limit or args[0] is NULL:
            return NULL
        strides[0] = strides[1] = ITEMSIZE[(<Array>x).dtype_code]
        args[1 if right else 0] = scalar
        strides[1 if right else 0] = 0
        strides[2] = ITEMSIZE[loop.out]
        result = self.result(x, out, loop, &args[2])
        if result is NULL:
            return NULL
        return self.run(loop, args, (<Array>x).size, strides, result)

    cdef bint scalar_operand(self, PyObject* number, int code, char* out) except? False:
        if not is_number(number) and not is_element(number, code):
            return False
        return code != BOOL and store_scalar(number, code, out)

    cdef PyObject* run(self, FastLoop* loop, char** args, Py_ssize_t n, Py_ssize_t* strides,
                       PyObject* result) except NULL:
        cdef int flags
        take_fp_flags()  # what other code of this thread has left behind
        loop.function(args, &n, strides, loop.data)
        flags = take_fp_flags()
        (<Array>result).var.version += 1
        if flags:
            try:
                report_fp_flags(self.c_name, flags)
            except BaseException:
                decref(result)
                raise
        return result

    # --- everything else ------------------------------------------------------------------------------
    def general(self, tuple args, dict kwargs):
        """Call with any arguments, on the tape if one of them is."""
        if (has_place(args) or kwargs and has_place(kwargs.values())) and is_recording():
            return record_call(self, args, kwargs)
        return self.compute(args, kwargs)

    cpdef compute(self, tuple args, dict kwargs):
        """Call with any arguments, without telling autograd."""
        cdef object out = None
        if kwargs:
            out = kwargs.get("out", None)
            if len(kwargs) > 1 or out is None and "out" not in kwargs:
                return self.through(args, kwargs)
        cdef Py_ssize_t n = len(args)
        if n == self.n_in + 1 and self.n_out == 1 and out is None:
            out, args = args[self.n_in], args[: self.n_in]
            n -= 1
        if n != self.n_in:
            return self.through(args, kwargs)
        if type(out) is tuple and len(<tuple>out) == 1:
            out = (<tuple>out)[0]
        if out is not None and (self.n_out > 1 or not isinstance(out, Array)):
            return self.through(args, kwargs if "out" in kwargs else {"out": out})
        cdef list operands = arrays_of(args)
        cdef Program program = None if operands is None else self.program(operands)
        if program is None or out is not None and not fits(program, <Array>out, operands):
            return self.through(args, kwargs if out is None else {"out": out})
        found = self.over_few(operands) if out is None and are_few(operands) else None
        return self.push(program, operands, out) if found is None else found

    cdef object over_few(self, list operands):
        """NumPy's own function over few elements, which finds their order sooner; None if it fails."""
        cdef PyObject* views[MOST]
        cdef Py_ssize_t n = len(operands), made = 0, i
        try:
            for i in range(n):
                x = operands[i]
                views[i] = lend(<Array>x, False) if isinstance(x, Array) else <PyObject*>x
                made += 1
            return given(steal(vectorcall(<PyObject*>self.function, views, n, NULL)), [])
        except Exception:
            return None  # what is wrong is said by the usual way
        finally:
            for i in range(made):
                if isinstance(operands[i], Array):
                    take_back(views[i], <Array>operands[i], False)

    cdef object push(self, Program program, list operands, out):
        cdef list results
        order = None if out is not None else layout(operands, converts(program, operands))
        if order is not None:
            operands = [ordered(x, order) for x in operands]
        if program.flags == 0 or out is not None and may_raise():  # what depends on values is told at the call
            results = self.push_and_wait(program, operands, out)
        else:
            results = invoke(program, operands, None if out is None else [out])
        if out is not None:
            wrote_by_engine(out)
            return out
        if (<Array>results[0]).face != face():  # the first operand was a number that became an array
            results = [as_result(x) for x in results]
        if order is not None:
            back = inverse(order)
            results = [x._transpose_view(back) for x in results]
        return results[0] if self.n_out == 1 else tuple(results)

    cdef list push_and_wait(self, Program program, list operands, out):
        """Results without errors. An array that was to be written can be read after one, as in NumPy."""
        if out is None:
            results = invoke(program, operands, None)
            for x in results:
                x.wait_to_read()
            return results
        out.wait_to_read()  # the error of an earlier operation is not this one's
        try:
            results = invoke(program, operands, [out])
            out.wait_to_read()
        except BaseException:
            out.var_handle()._clear()
            raise
        return results

    cdef Program program(self, list operands):
        """The program for operands of these types, None if the machine has none."""
        cdef list types = []
        cdef bint any_array = False
        for x in operands:
            if isinstance(x, Array):
                any_array = True
                types.append((<Array>x).dtype_code)
            else:
                types.append(type(x))
        key = tuple(types)
        found = self.programs.get(key, _missing)
        if found is _missing:
            found = self.compile(key) if any_array else None
            self.programs[key] = found
        return found

    def compile(self, tuple types):
        """Return the program for operands of these types, None if the machine has none."""
        if self.function.signature is not None or _inexact_halves(self.function, types):
            return None
        outputs = list(range(self.n_in, self.n_in + self.n_out))
        try:
            return compile_program(self.n_in, [(self.function, tuple(range(self.n_in)))], outputs, types)
        except DTypeError:
            return None

    def through(self, tuple args, dict kwargs):
        """Call NumPy's function over the memory of the arguments."""
        cdef list seen = [], written = []
        cdef tuple views = tuple([taken(x, seen) for x in args[: self.n_in]])
        views += tuple([taken_to_write(x, written) for x in args[self.n_in :]])
        kwargs = dict(kwargs)
        for name, x in kwargs.items():
            kwargs[name] = taken_to_write(x, written) if name == "out" else taken(x, seen)
        return done(self.function(*views, **kwargs), seen, written)

    # --- methods --------------------------------------------------------------------------------------
    def reduce(self, array, axis=0, dtype=None, out=None, keepdims=False, initial=_missing, where=True):
        """Combine the elements along axes (all of them for None) to one each."""
        kwargs = {"axis": axis, "dtype": dtype, "out": out, "keepdims": keepdims, "where": where}
        if initial is not _missing:
            kwargs["initial"] = initial
        if self.reduction is not None:
            return self.reduction(array, **kwargs)
        return self.method("reduce", (array,), kwargs)

    def accumulate(self, array, axis=0, dtype=None, out=None):
        """Combine the elements along an axis up to each of them."""
        if self.running is not None:
            return self.running(array, axis, dtype, out)
        return self.method("accumulate", (array,), {"axis": axis, "dtype": dtype, "out": out})

    def reduceat(self, array, indices, axis=0, dtype=None, out=None):
        """Combine the elements between neighbouring indices along an axis."""
        return self.method("reduceat", (array, indices), {"axis": axis, "dtype": dtype, "out": out})

    def outer(self, a, b, **kwargs):
        """Apply the function to every pair of an element of a and one of b."""
        return self.method("outer", (a, b), kwargs)

    def at(self, a, indices, *b):
        """Apply the function in place to the elements at indices, once for each time they are given."""
        cdef list seen = [], written = []
        view = taken_to_write(a, written)
        return done(self.function.at(view, taken(indices, seen), *taken(b, seen)), seen, written)

    def method(self, str name, tuple args, dict kwargs):
        """Call a method of NumPy's function over the memory of the arguments."""
        cdef list seen = [], written = []
        if has_place(args) and is_recording():
            return record_call((self, name), args, kwargs)
        kwargs = {key: x for key, x in kwargs.items() if x is not None or key in ("axis", "initial")}
        if kwargs.get("where") is True:
            del kwargs["where"]
        for key, x in kwargs.items():
            kwargs[key] = taken_to_write(x, written) if key == "out" else taken(x, seen)
        views = [taken(x, seen) for x in args]
        return done(getattr(self.function, name)(*views, **kwargs), seen, written)

    def __getattr__(self, name):
        return getattr(self.function, name)

    def __repr__(self):
        return f"<ufunc '{self.__name__}'>"

    def __reduce__(self):
        return self.__name__


cdef PyObject* called(PyObject* callable, PyObject** args, size_t count, PyObject* names) except NULL:
    """Calls a universal function, small arrays first."""
    cdef ufunc self = <ufunc><object>callable
    cdef Py_ssize_t n = count_of(count)
    cdef PyObject* out = <PyObject*>None
    cdef PyObject* made = NULL
    cdef Py_ssize_t named = names_count(names)
    if named == 1 and <object>name_of(names, 0) == "out" and isinstance(<object>args[n], Array):
        out = args[n]
    if named == 0 or out is not <PyObject*>None:
        made = self.quick(args, n, out)
        if made is not NULL:
            return made
    result = self.general(tuple_of(args, n), dict_of(args + n, names))
    incref(<PyObject*>result)
    return <PyObject*>result


def _take_vectorcall():
    cdef ufunc one = ufunc(np.add)
    takes_vectorcall(ufunc, <char*>&one.vectorcall - <char*><PyObject*>one)


_take_vectorcall()


cdef object done(result, list seen, list written):
    for x in written[1::2]:
        wrote(x)
    return given(result, seen + written)


cdef object as_result(Array x):
    cdef Array made = as_face(x, face())
    made.read_only = CONSTANT if made.ndim_ == 0 else 0
    return made


cdef int wrote_by_engine(Array x) except -1:
    x._wrote()
    return 0


cdef bint fits(Program program, Array out, list operands) except -1:
    """Whether the machine can write the result there as it is: operands are not repeated for it."""
    if out.dtype_code != program.out_dtypes[0] or out.read_only or out.face != face():
        return False
    arrays = [x for x in operands if isinstance(x, Array)]
    for x in arrays:
        if same_shape(<PyObject*>x, <PyObject*>out):
            return True
    try:
        return np.broadcast_shapes(*[x.shape for x in arrays]) == out.shape
    except ValueError:
        return False


cdef bint _inexact_halves(function, tuple types) except -1:
    """Whether loops over float32 may round a half result otherwise than NumPy's own loops do."""
    return FLOAT16 in types and function.__name__ not in EXACT_IN_HALVES


# Functions whose result in float32, rounded to half, is that of NumPy's loop for halves.
EXACT_IN_HALVES = frozenset(
    "add subtract multiply divide true_divide negative positive absolute fabs sqrt square reciprocal "
    "equal not_equal less less_equal greater greater_equal isnan isinf isfinite signbit "
    "copysign sign floor ceil trunc rint logical_and logical_or logical_xor logical_not conjugate".split()
)


cdef list arrays_of(tuple args):
    """Operands as arrays and Python numbers; None if there is something else."""
    cdef list operands = []
    for x in args:
        if isinstance(x, Array):
            if (<Array>x).face != face():
                return None
        elif type(x) in NUMBERS:
            pass
        elif isinstance(x, np.generic) or type(x) is np.ndarray:
            if not is_supported(x.dtype):
                return None
            x = constant(x, face()) if isinstance(x, np.generic) else over(x)
        else:
            return None
        operands.append(x)
    return operands


cdef bint are_few(list operands) noexcept:
    """Whether these are few elements that are there, not all of them in the order of C."""
    cdef bint straight = True
    cdef Array a
    for x in operands:
        if not isinstance(x, Array):
            continue
        a = <Array>x
        straight = straight and a.c_contiguous
        if a.size > FEW or a.dtype_code == BFLOAT16 or a.var.on_gpu() or not a.var.readable() or a.var.data.load() is NULL:
            return False
    return not straight and len(operands) <= MOST and is_enabled()


cdef bint is_supported(object dtype) except -1:
    return dtype.isbuiltin == 1 and dtype.kind in "biufc" and dtype.itemsize <= (16 if dtype.kind == "c" else 8)


cdef object over(x):
    return from_numpy(x, face(), not (x.flags.aligned and x.dtype.isnative))


cdef bint converts(Program program, list operands):
    """Whether NumPy's function converts operands before it computes; it has loops of its own for halves."""
    codes = {(<Array>x).dtype_code for x in operands if isinstance(x, Array)}
    return program.c.steps.size() > 1 and codes != {FLOAT16} and codes != {BFLOAT16}


def elementwise(function):
    """Return the universal function over our arrays of one of NumPy's, SciPy's or Numba's."""
    found = _known.get(function)
    if found is None:
        found = _known[function] = ufunc(function)
    return found


cdef dict _known = {}
