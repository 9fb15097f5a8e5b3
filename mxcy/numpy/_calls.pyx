"""What goes to NumPy and comes back: our memory as NumPy's arrays, and NumPy's results as ours.

What a function of NumPy returns is an array again: a view where NumPy returns a view, so that memory is
shared exactly as in NumPy.
"""

import numpy as np

cimport numpy as cnp
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from .._array cimport CONSTANT, DTYPE_COUNT, Array, is_constant, new_array
from .._export cimport adopt, constant, read_view

from .._array import from_numpy
from .._export import count_write
from ..dtypes import DTYPES
from ..errors import ArgumentTypeError, DTypeError, message

__all__ = [
    "as_array", "as_numpy_has_it", "constant_of", "given_numbers", "holds_no_numbers", "is_array", "set_hooks",
    "unwrap", "wrap", "wrap_last",
]  # fmt: skip

cnp.import_array()

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    const uint8_t* ITEMSIZE

cdef PyObject* scalar_types[DTYPE_COUNT]  # NumPy's, by code; NULL for a dtype that is not NumPy's own
for _code, _dtype in enumerate(DTYPES):
    scalar_types[<int>_code] = <PyObject*>_dtype.type if _dtype.isbuiltin == 1 else NULL

cdef int FACE = -1
cdef object _record = None   # records a call: (function, args, kwargs)
cdef object _recording = None
cdef object _note_write = None
cdef frozenset _KINDS = frozenset("biufc")
cdef type _generic = np.generic

cdef enum:
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
cdef object number_of(Array x):
    """NumPy's scalar for a result without axes: its functions take some numbers but no arrays."""
    return read_view(x)[()]


cdef object taken(object x, list seen):
    return taken_at(x, seen, 0)


cdef object taken_at(object x, list seen, int depth):
    cdef list items
    cdef bint changed = False
    if isinstance(x, Array):
        if (<Array>x).face != FACE:
            raise foreign(x)
        if is_constant(<Array>x):
            return number_of(<Array>x)
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
        return given_scalar(result)
    if isinstance(result, tuple):
        items = [given(item, seen) for item in result]
        return type(result)(*items) if hasattr(result, "_fields") else tuple(items)
    if type(result) is list:
        return [given(item, seen) for item in result]
    return result


cdef object given_scalar(object result):
    """NumPy's scalar as a result without axes, unless it is no number."""
    cdef object kind = type(result)
    cdef int code
    cdef Array made
    for code in range(DTYPE_COUNT - 1, -1, -1):
        if scalar_types[code] is <PyObject*>kind:
            made = new_array(FACE, 0, NULL, code)
            # All of NumPy's numbers begin with what every object begins with, and their value follows.
            memcpy(made.var.data.load(), <char*><PyObject*>result + sizeof(PyObject), ITEMSIZE[code])
            made.var.version += 1
            made.read_only = CONSTANT
            return made
    if cnp.PyArray_DescrFromScalar(result).type_num <= LAST_PLAIN or is_number(result.dtype):
        return constant(result, FACE)
    return result


cdef bint is_number(object dtype) except -1:
    return dtype.kind in _KINDS and dtype.itemsize <= (16 if dtype.kind == "c" else 8) or dtype in DTYPES


cdef object given_array(object result):
    """What a function has returned, an array of NumPy that is not of the plainest kind."""
    if type(result) is not np.ndarray:
        result = np.asarray(result)
    if not is_number(result.dtype):
        hint = "numpy itself has arrays of objects, texts and times"
        raise DTypeError(message("array", "dtype", "a type of numbers", result.dtype, hint))
    return adopt(result, FACE)


def unwrap(x):
    """Return a NumPy array over an array (a container: with such in it); other things as they are."""
    if isinstance(x, Array) and (<Array>x).face == FACE:
        return read_view(x)
    return taken(x, [])


def as_numpy_has_it(x):
    """Return an argument as functions of NumPy get it: as `unwrap`, but results without axes are numbers."""
    return taken(x, [])


def holds_no_numbers(x):
    """Whether something is an array or a scalar of NumPy's that has objects, texts, dates or records."""
    if isinstance(x, _generic) or cnp.PyArray_Check(x):
        return not is_number(x.dtype)
    return False


cpdef object given_numbers(object result):
    """As `wrap`, but arrays without numbers stay NumPy's: for what NumPy did with such operands of its own."""
    if type(result) is tuple or type(result) is list:
        return type(result)([given_numbers(item) for item in result])
    return result if holds_no_numbers(result) else given(result, [])


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
