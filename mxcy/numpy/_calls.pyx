"""NumPy's functions over our memory.

A function of NumPy that has no operator of ours runs at once, in the calling thread, on NumPy arrays that
show the memory of its arguments. What it returns is an array again: a view where NumPy returns a view, so
that memory is shared exactly as in NumPy.
"""

import functools

import numpy as np

cimport numpy as cnp
from cpython.object cimport PyObject

from .._array cimport Array, decref, incref, steal
from .._export cimport adopt, constant, read_view
from ._vectorcall cimport count_of, dict_of, name_of, names_count, takes_vectorcall, tuple_of, vectorcall

from .._array import from_numpy
from .._export import count_write
from ..dtypes import DTYPES
from ..errors import ArgumentTypeError, DTypeError, message, problem
from ..errors import wrap as of_both_classes

__all__ = ["Own", "Small", "Through", "as_array", "constant_of", "is_array", "own", "set_hooks", "unwrap", "with_small", "wrap"]

cnp.import_array()

cdef int FACE = -1
cdef object _record = None   # records a call: (function, args, kwargs)
cdef object _recording = None
cdef object _note_write = None
cdef frozenset _KINDS = frozenset("biufc")
cdef type _generic = np.generic

cdef enum:
    LAST_PLAIN = 12  # NumPy's number of float64: up to here all types are ours
    MOST = 8  # arguments of a call that takes the short way
    DEEP = 64  # more lists in lists than an array has axes: NumPy says what is wrong with them (or holds itself)


def set_hooks(int number, recording, record, note_write):
    """Set the face of arrays, and what the tape does.

    `recording()` says whether this thread records; `record(function, args, kwargs)` does a call with
    operands on the tape; `note_write(x)` is told of arrays that were written.
    """
    global FACE, _record, _recording, _note_write
    FACE, _recording, _record, _note_write = number, recording, record, note_write


cdef int face() noexcept:
    return FACE


cdef bint has_place(object values) except -1:
    """Whether an array in a tuple or a list of arguments (or in a list in it) is on the tape."""
    return has_place_at(values, 0)


cdef bint has_place_at(object values, int depth) except -1:
    for x in values:
        if isinstance(x, Array):
            if (<Array>x).grad_info is not NULL:
                return True
        elif isinstance(x, (list, tuple)) and x and depth < DEEP and has_place_at(x, depth + 1):
            return True
    return False


cdef bint is_recording() except -1:
    return _recording()


cdef object record_call(object function, tuple args, dict kwargs):
    return _record(function, args, kwargs)


cdef int wrote(Array x) except -1:
    count_write(x)
    _note_write(x)
    return 0


# --- arguments ------------------------------------------------------------------------------------
cdef object taken(object x, list seen):
    return taken_at(x, seen, 0)


cdef object taken_at(object x, list seen, int depth):
    cdef list items
    cdef bint changed = False
    if isinstance(x, Array):
        if (<Array>x).face != FACE:
            raise foreign(x)
        view = read_view(x)
        seen.append(view)
        seen.append(x)
        return view
    if (type(x) is list or isinstance(x, tuple)) and depth < DEEP:
        items = []
        for item in x:
            found = taken_at(item, seen, depth + 1)
            changed = changed or found is not item
            items.append(found)
        return (items if type(x) is list else tuple(items)) if changed else x
    if type(x) is slice:
        return slice(*[taken_at(item, seen, depth + 1) for item in (x.start, x.stop, x.step)])
    return x


cdef object taken_to_write(object x, list seen):
    if isinstance(x, tuple):
        return tuple([taken_to_write(item, seen) for item in x])
    if not isinstance(x, Array):
        return x
    if (<Array>x).face != FACE:
        raise foreign(x)
    if (<Array>x).read_only:
        raise ValueError("output array is read-only")
    view = x.view_numpy(True)
    seen.append(view)
    seen.append(x)
    return view


cdef object foreign(object x):
    kind = type(x).__name__
    return ArgumentTypeError(message("numpy", None, "arrays of mxcy.numpy", kind, "call as_np_ndarray()"))


cdef object given(object result, list seen):
    cdef Py_ssize_t i
    if cnp.PyArray_Check(result):
        for i in range(0, len(seen), 2):
            if result is seen[i]:
                return seen[i + 1]
        if cnp.PyArray_CheckExact(result) and cnp.PyArray_TYPE(result) <= LAST_PLAIN:
            return adopt(result, FACE)
        return given_array(result)
    if result is None or type(result) is bool:
        return result
    if isinstance(result, _generic):
        return constant(result, FACE) if is_number(result.dtype) else result
    if isinstance(result, tuple):
        items = [given(item, seen) for item in result]
        return type(result)(*items) if hasattr(result, "_fields") else tuple(items)
    if type(result) is list:
        return [given(item, seen) for item in result]
    return result


cdef bint is_number(object dtype) except -1:
    return dtype.kind in _KINDS and dtype.itemsize <= (16 if dtype.kind == "c" else 8) or dtype in DTYPES


cdef object given_array(object result):
    if type(result) is not np.ndarray:
        result = np.asarray(result)
    if not is_number(result.dtype):
        hint = "numpy itself has arrays of objects, texts and times"
        raise DTypeError(message("array", "dtype", "a type of numbers", result.dtype, hint))
    return adopt(result, FACE)


def unwrap(x):
    """Return a NumPy array over an array (a container: with such in it); other things as they are."""
    return taken(x, [])


def wrap(result):
    """Return what a function of NumPy returned, with arrays of ours in the place of NumPy's."""
    return given(result, [])


def wrap_last(result):
    """As `wrap`, for a caller that holds the array in one variable and does not use it again."""
    if cnp.PyArray_CheckExact(result) and is_number(result.dtype):
        return adopt(result, FACE, 1)
    return given(result, [])


def is_array(x):
    """Return whether x is an array of this namespace."""
    return isinstance(x, Array) and (<Array>x).face == FACE


def constant_of(value):
    """Return a NumPy scalar as a result without axes."""
    return constant(value, FACE)


# --- functions ------------------------------------------------------------------------------------
def described(function):
    """Return what a function of NumPy is for, in a paragraph."""
    text = function.__doc__ or ""
    if not text or not getattr(function, "__module__", "mxcy").startswith("numpy"):
        return text
    paragraphs = [" ".join(p.split()) for p in text.split("\n\n")]
    found = next((p for p in paragraphs if p and not p.startswith(function.__name__ + "(")), "")
    return f"{found}\n\nAs `numpy.{function.__name__}`, over the memory of arrays of ours."


cdef class Through:
    """A function of NumPy that runs at once over the memory of its arguments.

    `writes` are the positions and names of arguments that it writes. `rule` is what autograd does with it:
    see `_tape.py`.
    """

    cdef dict __dict__
    cdef void* vectorcall
    cdef readonly object function
    cdef frozenset writes
    cdef public object rule

    def __init__(self, function, writes=()):
        self.vectorcall = <void*>(called_own if type(self) is Own else called_through)
        if type(self) not in (Own, Small, Through) or writes:
            self.vectorcall = <void*>called_plainly
        functools.update_wrapper(self, function)
        self.__module__ = "mxcy.numpy"
        self.__doc__ = described(function)
        self.function = function
        self.writes = frozenset(writes)

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
        cdef bint plain = not self.writes
        for i in range(len(args)):
            x = args[i]
            if plain or i not in self.writes:
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

    cpdef compute(self, tuple args, dict kwargs):
        """Call the function, without telling autograd."""
        return self.function(*args, **kwargs)


def own(function):
    """Make a function of ours one that autograd knows by name (decorator)."""
    return Own(function)


def as_array(x, copy=False):
    """Return an array of ours with the elements of x, which is x itself unless `copy`.

    Memory of NumPy's arrays is shared, unless it is not aligned or in another byte order.
    """
    if isinstance(x, Array) and (<Array>x).face == FACE:
        return x._copied() if copy else x
    if isinstance(x, Array):
        raise foreign(x)
    if type(x) is not np.ndarray:
        shown = unwrap(x)
        x = np.asarray(shown)
        copy = copy or x is not shown
    if not is_number(x.dtype):
        hint = "numpy itself has arrays of objects, texts and times"
        raise DTypeError(message("array", "dtype", "a type of numbers", x.dtype, hint))
    return from_numpy(x, FACE, copy or not (x.flags.aligned and x.dtype.isnative))


cdef class Small(Through):
    """A function (`own`: of ours) with a way for small arrays, tried first where it is called with them alone.

    `small(*arguments)` returns None for what is not for it.
    """

    cdef object small
    cdef Py_ssize_t most
    cdef bint own, along

    def __init__(self, function, small, most, own=False, along=False):
        Through.__init__(self, function)
        self.vectorcall = <void*>called_small
        self.small, self.most, self.own, self.along = small, most, own, along

    cpdef compute(self, tuple args, dict kwargs):
        """Call the function, without telling autograd."""
        return self.function(*args, **kwargs) if self.own else Through.compute(self, args, kwargs)


def with_small(small, most=1, along=False):
    """Make a function of ours one that has a way for `most` small arrays, or `along` an axis (decorator)."""
    return lambda function: Small(function, small, most, True, along)


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
    if named == 0 and n == self.most or self.along and n == 1 and named == 1 and is_axis(name_of(names, 0)):
        found = vectorcall(<PyObject*>self.small, args, n + named, NULL)
        if found is not <PyObject*>None:
            return found
        decref(found)
    if self.own:
        return called_own(callable, args, count, names)
    return called_through(callable, args, count, names)


cdef bint is_axis(PyObject* name) except -1:
    return <object>name == "axis"


cdef PyObject* called_through(PyObject* callable, PyObject** args, size_t count, PyObject* names) except NULL:
    """Calls a function of NumPy over the memory of its arguments."""
    cdef PyObject* views[MOST]
    cdef Py_ssize_t n = count_of(count), made = 0, i
    cdef Py_ssize_t total = n + names_count(names)
    cdef list seen = []
    if total > MOST or may_be_recorded(args, total) or has_out(args + n, names):
        return called_plainly(callable, args, count, names)
    try:
        while made < total:
            x = <object>args[made]
            if isinstance(x, Array) and (<Array>x).face == FACE:
                x = read_view(<Array>x)
            elif isinstance(x, (Array, list, tuple)):
                x = taken(x, seen)
            incref(<PyObject*>x)
            views[made] = <PyObject*>x
            made += 1
        x = None
        result = steal(vectorcall(<PyObject*>(<Through><object>callable).function, views, n, names))
        if not is_new(result):
            for i in range(total):
                if views[i] is not args[i]:
                    seen += [<object>views[i], <object>args[i]]
        result = given(result, seen)
        incref(<PyObject*>result)
        return <PyObject*>result
    except Exception as error:
        raise of_both_classes(error) from None
    finally:
        while made > 0:
            made -= 1
            decref(views[made])


cdef bint is_new(object result) noexcept:
    """Whether a result is certainly none of the arguments' views, nor a container with one."""
    return isinstance(result, _generic) or cnp.PyArray_Check(result) and cnp.PyArray_BASE(<cnp.ndarray>result) is NULL


cdef bint has_out(PyObject** named, PyObject* names) except -1:
    cdef Py_ssize_t i
    for i in range(names_count(names)):
        if named[i] is not <PyObject*>None and <object>name_of(names, i) == "out":
            return True
    return False


def _take_vectorcall():
    cdef Through one = Through(np.add)
    for cls in (Through, Own, Small):
        takes_vectorcall(cls, <char*>&one.vectorcall - <char*><PyObject*>one)


_take_vectorcall()
