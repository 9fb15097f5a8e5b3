"""Functions of NumPy over our memory.

A function of NumPy that has no operator of ours runs at once, in the calling thread, on NumPy arrays that
show the memory of its arguments. Those arrays are lent for the call (`_lent.pyx`) where it is a plain one; and
where no argument is of a class that NumPy would ask, what it does then is called directly.
"""

import functools

import numpy as np

cimport numpy as cnp
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE

from .._array cimport Array, decref, incref, is_constant, steal
from .._export cimport adopt
from .._invoke cimport is_watched
from ._calls cimport LAST_PLAIN, face, given, given_array, given_scalar, has_place, is_recording, record_call
from ._calls cimport number_of, taken, taken_to_write, wrote
from ._lent cimport base_of, lend, part_of, settle, take_back
from ._vectorcall cimport count_of, dict_of, name_of, names_count, takes_vectorcall, tuple_of, vectorcall

from ..errors import wrap as of_both_classes

__all__ = ["Own", "Small", "Through", "described", "own", "with_small"]

cnp.import_array()

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        BFLOAT16

cdef extern from "Python.h":
    bint PyList_CheckExact(PyObject*)
    bint PyTuple_CheckExact(PyObject*)
    bint PyLong_CheckExact(PyObject*)
    bint PyFloat_CheckExact(PyObject*)
    bint PyUnicode_CheckExact(PyObject*)

cdef enum:
    MOST = 8    # arguments of a call that takes the short way
    MANY = 16   # arrays in it
    FEW = 4096  # elements
    NESTED = 2  # lists in lists that the short way looks into

# Classes that NumPy does not ask what its functions do.
cdef frozenset PLAIN = frozenset([
    bool, complex, bytes, type, type(None), type(Ellipsis), slice, range, np.ndarray, type(lambda: 0), type(len),
    *[getattr(np, name) for name in ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")],
    *[getattr(np, name) for name in ("float16", "float32", "float64", "complex64", "complex128")],
])  # fmt: skip
cdef type _generic = np.generic
cdef object _dtype = np.dtype

def described(function):
    """Return what a function of NumPy is for, in a paragraph."""
    text = function.__doc__ or ""
    if not text or not getattr(function, "__module__", "mxcy").startswith("numpy"):
        return text
    paragraphs = [" ".join(p.split()) for p in text.split("\n\n")]
    found = next((p for p in paragraphs if p and not p.startswith(function.__name__ + "(")), "")
    return f"{found}\n\nAs `numpy.{function.__name__}`, over the memory of arrays of ours."


# --- arrays that are lent ---------------------------------------------------------------------------
cdef struct Loans:
    int count
    bint plain                 # whether NumPy need not ask the class of an argument
    PyObject* arrays[MANY]     # borrowed
    PyObject* views[MANY]
    bint written[MANY]


cdef bint is_ours(PyObject* p) noexcept:
    return isinstance(<object>p, Array) and (<Array>p).face == face()


cdef bint is_plain(PyObject* p) except -1:
    """Whether NumPy does the same as without a class to ask."""
    if PyLong_CheckExact(p) or PyFloat_CheckExact(p) or PyUnicode_CheckExact(p) or p is <PyObject*>None:
        return True
    return type(<object>p) in PLAIN or cnp.PyArray_DescrCheck(<object>p)


cdef object shown(PyObject* p, Loans* loans, bint writable, int depth=0):
    """An argument as NumPy takes it: an array is lent, a list or tuple is one with such."""
    cdef PyObject* view
    cdef list items
    cdef bint changed = False
    if is_ours(p):
        if not writable and is_constant(<Array>p):
            found = number_of(<Array>p)
            loans.plain = loans.plain and type(found) in PLAIN
            return found
        if loans.count == MANY:
            return taken(<object>p, [])
        view = lend(<Array>p, writable)
        loans.arrays[loans.count], loans.views[loans.count], loans.written[loans.count] = p, view, writable
        loans.count += 1
        return <object>view
    if (PyList_CheckExact(p) or PyTuple_CheckExact(p)) and depth < NESTED:
        items = []
        for item in <object>p:
            found = shown(<PyObject*>item, loans, writable, depth + 1)
            changed = changed or found is not item
            items.append(found)
        return (items if PyList_CheckExact(p) else tuple(items)) if changed else <object>p
    if loans.plain and not is_plain(p):
        loans.plain = False
        if isinstance(<object>p, (list, tuple, slice)):
            return taken(<object>p, [])
    return <object>p


cdef object received(object result, Loans* loans):
    """What a function has returned, as `given`; arrays that were lent are those of the arguments."""
    cdef int i
    cdef PyObject* base
    cdef PyObject* found
    if cnp.PyArray_CheckExact(result):
        base = base_of(result)
        for i in range(loans.count):
            if loans.views[i] is <PyObject*>result:
                return <object>loans.arrays[i]
            if loans.views[i] is base:
                found = part_of(result, <Array>loans.arrays[i])
                if found is not NULL:
                    return steal(found)
        if base is not NULL and not owns(base):
            settle_all(loans)
        return adopt(result, face()) if cnp.PyArray_TYPE(result) <= LAST_PLAIN else given_array(result)
    if result is None or type(result) is bool:
        return result
    if isinstance(result, _generic):
        return given_scalar(result)
    if type(result) is tuple:
        return tuple([received(item, loans) for item in <tuple>result])
    if type(result) is list:
        return [received(item, loans) for item in <list>result]
    if isinstance(result, (int, float, str, complex, bytes, _dtype)):
        return result
    settle_all(loans)
    return given(result, pairs(loans))


cdef bint owns(PyObject* base) noexcept:
    """Whether what a view shows is an array with memory of its own."""
    return cnp.PyArray_CheckExact(<object>base) and cnp.PyArray_CHKFLAGS(<cnp.ndarray>base, cnp.NPY_ARRAY_OWNDATA)


cdef int settle_all(Loans* loans) except -1:
    cdef int i
    for i in range(loans.count):
        settle(loans.views[i], <Array>loans.arrays[i], loans.written[i])
    return 0


cdef list pairs(Loans* loans):
    cdef list seen = []
    cdef int i
    for i in range(loans.count):
        seen += [<object>loans.views[i], <object>loans.arrays[i]]
    return seen


cdef int end_all(Loans* loans) except -1:
    cdef int i
    for i in range(loans.count):
        if loans.written[i]:
            wrote(<Array>loans.arrays[i])
        take_back(loans.views[i], <Array>loans.arrays[i], loans.written[i])
    return 0


cdef int place_written(Through self, PyObject** args, Py_ssize_t n, PyObject* names) except -2:
    """The argument that is written, -1 if none is, -3 if that is not for the short way."""
    cdef int found = -1
    cdef Py_ssize_t i
    if self.writes:
        found = 0
    elif 0 <= self.out < n and args[self.out] is not <PyObject*>None:
        found = <int>self.out
    for i in range(n, n + names_count(names)):
        name = <object>name_of(names, i - n)
        if args[i] is not <PyObject*>None and (name == "out" or self.writes and name in self.writes):
            if found > 0 or found == 0 and n > 0:
                return -3
            found = <int>i
    if found < 0:
        return found
    if not is_ours(args[found]) or (<Array>args[found]).read_only or is_watched():
        return -3
    return found


cdef bint is_for_here(PyObject** args, Py_ssize_t total) except -1:
    """Whether no argument is on the tape, in the memory of a GPU or of another face."""
    cdef Py_ssize_t i
    for i in range(total):
        x = <object>args[i]
        if isinstance(x, Array):
            if (<Array>x).grad_info is not NULL or (<Array>x).face != face() or (<Array>x).var.on_gpu():
                return False
        elif isinstance(x, (list, tuple)) and not are_for_here(x, 0):
            return False
    return True


cdef bint are_for_here(object items, int depth) except -1:
    for x in items:
        if isinstance(x, Array):
            if (<Array>x).grad_info is not NULL or (<Array>x).face != face() or (<Array>x).var.on_gpu():
                return False
        elif isinstance(x, (list, tuple)) and (depth + 1 >= NESTED or not are_for_here(x, depth + 1)):
            return False
    return True


cdef PyObject* over_memory(Through self, PyObject** args, Py_ssize_t n, PyObject* names) except? NULL:
    cdef Loans loans
    cdef PyObject* views[MOST]
    cdef Py_ssize_t made = 0, total = n + names_count(names)
    cdef int written
    if total > MOST or not is_for_here(args, total):
        return NULL
    written = place_written(self, args, n, names)
    if written == -3:
        return NULL
    loans.count, loans.plain = 0, True
    try:
        while made < total:
            x = shown(args[made], &loans, made == written)
            incref(<PyObject*>x)
            views[made] = <PyObject*>x
            made += 1
        x = None
        result = steal(vectorcall(<PyObject*>(self.direct if loans.plain else self.function), views, n, names))
        found = received(result, &loans)
        result = None
        incref(<PyObject*>found)
        return <PyObject*>found
    except Exception as error:
        raise of_both_classes(error) from None
    finally:
        while made > 0:
            made -= 1
            decref(views[made])
        end_all(&loans)


# --- functions ------------------------------------------------------------------------------------
# Of functions and methods (after the array) in C that take `out` by position, too.
OUT = {
    "all": 2, "any": 2, "argmax": 2, "argmin": 2, "choose": 2, "clip": 3, "compress": 3, "concatenate": 2,
    "cumprod": 3, "cumsum": 3, "dot": 2, "max": 2, "mean": 3, "min": 2, "prod": 3, "round": 2, "std": 3,
    "sum": 3, "take": 3, "trace": 5, "var": 3,
}  # fmt: skip


def position_of_out(function):
    """Where a function of NumPy takes `out`, if not by keyword only; -1 if nowhere."""
    if isinstance(function, np.ufunc):
        return function.nin
    code = getattr(getattr(function, "_implementation", function), "__code__", None)
    if code is None:
        return OUT.get(function.__name__, -1)
    names = code.co_varnames[: code.co_argcount]
    return names.index("out") - hasattr(function, "__self__") if "out" in names else -1


cdef class Through:
    """A function of NumPy that runs at once over the memory of its arguments.

    `writes` are the positions and names of arguments that it writes. `rule` is what autograd does with it:
    see `_tape.py`.
    """

    def __init__(self, function, writes=()):
        self.vectorcall = <void*>(called_through if type(self) is Through else called_plainly)
        functools.update_wrapper(self, function)
        self.__module__ = "mxcy.numpy"
        self.__doc__ = described(function)
        self.function = function
        self.direct = getattr(function, "_implementation", function)
        self.writes = frozenset(writes)
        self.out = position_of_out(function)

    def __call__(self, *args, **kwargs):
        return self.call(args, kwargs)

    cdef object call(self, tuple args, dict kwargs):
        if (has_place(args) or kwargs and has_place(kwargs.values())) and is_recording():
            return record_call(self, args, kwargs)
        return self.compute(args, kwargs)

    cpdef compute(self, tuple args, dict kwargs):
        """Call the function, without telling autograd."""
        cdef list seen = [], written = []
        cdef list views = []
        cdef int i
        for i in range(len(args)):
            x = args[i]
            if x is None or i != self.out and i not in self.writes:
                views.append(taken(x, seen) if isinstance(x, (Array, list, tuple)) else x)
            else:
                views.append(taken_to_write(x, written))
        if kwargs:
            kwargs = dict(kwargs)
            for name, x in kwargs.items():
                if name == "out" or name in self.writes:
                    kwargs[name] = taken_to_write(x, written)
                elif isinstance(x, (Array, list, tuple)):
                    kwargs[name] = taken(x, seen)
        try:
            result = self.function(*views, **kwargs)
        except Exception as error:
            raise of_both_classes(error) from None
        if written:
            for i in range(1, len(written), 2):
                wrote(written[i])
            seen += written
        views = None
        return given(result, seen)

    def __repr__(self):
        return f"<function {self.__name__} of mxcy.numpy>"

    def __reduce__(self):
        return self.__name__

    def __get__(self, instance, owner):
        return self


cdef class Own(Through):
    """A function of ours; the only thing that happens around it is what autograd wants."""

    def __init__(self, function):
        Through.__init__(self, function)
        self.vectorcall = <void*>called_own

    cpdef compute(self, tuple args, dict kwargs):
        """Call the function, without telling autograd."""
        return self.function(*args, **kwargs)


def own(function):
    """Make a function of ours one that autograd knows by name (decorator)."""
    return Own(function)


cdef class Small(Through):
    """A function (`own`: of ours) with a way for small arrays, tried first where it is called with them alone.

    `small(*arguments)` returns None for what is not for it. `few` is NumPy's function, the next way for them.
    `whole`: `small` takes all arguments of the function, also by keyword.
    """

    cdef object small
    cdef Py_ssize_t most
    cdef bint own, along, whole
    cdef Through few

    def __init__(self, function, small, most=1, own=False, along=False, few=None, whole=False):
        Through.__init__(self, function)
        self.vectorcall = <void*>called_small
        self.small, self.most, self.own, self.along, self.few, self.whole = small, most, own, along, few, whole

    cpdef compute(self, tuple args, dict kwargs):
        """Call the function, without telling autograd."""
        return self.function(*args, **kwargs) if self.own else Through.compute(self, args, kwargs)


def with_small(small, most=1, along=False, few=None, whole=False):
    """Make a function of ours one that has a way for `most` small arrays, or `along` an axis (decorator).

    `few`: NumPy's function, which computes with small arrays where that way does not. `whole`: that way takes
    all arguments of the function, also by keyword.
    """
    return lambda function: Small(function, small, most, True, along, few, whole)


# --- calls ----------------------------------------------------------------------------------------
cdef bint may_be_recorded(PyObject** args, Py_ssize_t total) except -1:
    """Whether an argument is on the tape."""
    cdef Py_ssize_t i
    for i in range(total):
        x = <object>args[i]
        if isinstance(x, Array):
            if (<Array>x).grad_info is not NULL:
                return True
        elif isinstance(x, (list, tuple)) and has_place(x):
            return True
    return False


cdef PyObject* called_plainly(PyObject* callable, PyObject** args, size_t count, PyObject* names) except NULL:
    """Calls a function with the arguments in a tuple and a dictionary."""
    cdef Py_ssize_t n = count_of(count)
    result = (<Through><object>callable).call(tuple_of(args, n), dict_of(args + n, names))
    incref(<PyObject*>result)
    return <PyObject*>result


cdef PyObject* called_own(PyObject* callable, PyObject** args, size_t count, PyObject* names) except NULL:
    """Calls a function of ours."""
    if may_be_recorded(args, count_of(count) + names_count(names)):
        return called_plainly(callable, args, count, names)
    return vectorcall(<PyObject*>(<Through><object>callable).function, args, count, names)


cdef PyObject* called_small(PyObject* callable, PyObject** args, size_t count, PyObject* names) except NULL:
    """Calls a function by its way for small arrays, else by its usual one."""
    cdef Small self = <Small><object>callable
    cdef PyObject* found
    cdef Py_ssize_t named = names_count(names)
    cdef Py_ssize_t n = count_of(count)
    if (self.whole or named == 0 and (n == self.most or self.along and n == 2)
            or self.along and n == 1 and named == 1 and is_axis(name_of(names, 0))):
        if self.whole:
            found = vectorcall(<PyObject*>self.small, args, n, names)
        else:
            found = vectorcall(<PyObject*>self.small, args, n + named, NULL)
        if found is not <PyObject*>None:
            return found
        decref(found)
    if self.few is not None and n > 0 and is_small(args[0]):
        found = over_memory(self.few, args, n, names)
        if found is not NULL:
            return found
    if self.own:
        return called_own(callable, args, count, names)
    return called_through(callable, args, count, names)


cdef bint is_small(PyObject* p) noexcept:
    """Whether this is an array of ours with so few elements that NumPy is the short way."""
    return is_ours(p) and 0 < (<Array>p).size <= FEW and (<Array>p).ndim_ > 0 and (<Array>p).dtype_code != BFLOAT16


cdef bint is_axis(PyObject* name) except -1:
    return <object>name == "axis"


cdef PyObject* called_through(PyObject* callable, PyObject** args, size_t count, PyObject* names) except NULL:
    """Calls a function of NumPy over the memory of its arguments."""
    cdef PyObject* found = over_memory(<Through><object>callable, args, count_of(count), names)
    return found if found is not NULL else called_plainly(callable, args, count, names)


def _take_vectorcall():
    cdef Through one = Through(np.add)
    for cls in (Through, Own, Small):
        takes_vectorcall(cls, <char*>&one.vectorcall - <char*><PyObject*>one)


_take_vectorcall()
