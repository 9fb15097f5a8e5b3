"""`x.flat`, `ndenumerate` and `nditer`: iterators over all elements of arrays, wherever they lie."""

cimport cython
from cpython.long cimport PyLong_FromLongLong
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t
from libc.string cimport memset

import numpy as np

from .._array cimport MAX_NDIM, Array, steal
from .._index cimport new_constant
from ._calls cimport given, taken, wrote
from ._small cimport is_ours
from ._small_copies cimport flattened
from ._small_shapes cimport raveled, viewed

__all__ = ["FlatIterator", "ndenumerate", "nditer"]

cdef object numpys_nditer = np.nditer


@cython.final
@cython.freelist(16)
cdef class FlatIterator:
    """All elements of an array in C order, which can be indexed and assigned to."""

    cdef readonly Array base
    cdef Array line    # a view of all elements along one axis, None if that takes a copy
    cdef object flat   # NumPy's, once it is wanted
    cdef int64_t at

    cdef object numpys(self):
        """NumPy's object, over the memory of the array, at the same element."""
        if self.flat is None:
            self.flat = self.base.view_numpy(writable=not self.base.read_only).flat
        return self.flat

    def __iter__(self):
        return self

    def __next__(self):
        if self.at >= self.base.size:
            raise StopIteration
        self.at += 1
        if self.line is not None:
            return steal(new_constant(self.line, self.line.offset + (self.at - 1) * self.line.dims[1]))
        return self[self.at - 1]

    def __len__(self):
        return self.base.size

    def __getitem__(self, key):
        if self.line is not None and (type(key) is int or type(key) is slice):
            found = self.line[key]
            return found if type(key) is int else found.copy()
        if self.line is not None and type(key) is list and are_integers(key):
            return self.line[key]
        return given(self.numpys()[taken(key, [])], [])

    def __setitem__(self, key, value):
        self.numpys()[taken(key, [])] = taken(value, [])
        wrote(self.base)

    def __eq__(self, other):
        if self.line is not None and is_operand(other):
            return self.line == other
        return given(self.numpys() == taken(other, []), [])

    def __ne__(self, other):
        if self.line is not None and is_operand(other):
            return self.line != other
        return given(self.numpys() != taken(other, []), [])

    def __lt__(self, other):
        if self.line is not None and is_operand(other):
            return self.line < other
        return given(self.numpys() < taken(other, []), [])

    def __le__(self, other):
        if self.line is not None and is_operand(other):
            return self.line <= other
        return given(self.numpys() <= taken(other, []), [])

    def __gt__(self, other):
        if self.line is not None and is_operand(other):
            return self.line > other
        return given(self.numpys() > taken(other, []), [])

    def __ge__(self, other):
        if self.line is not None and is_operand(other):
            return self.line >= other
        return given(self.numpys() >= taken(other, []), [])

    __hash__ = None

    def __array__(self, dtype=None, *, copy=None):
        return self.numpys().__array__() if dtype is None else self.numpys().__array__(dtype)

    def _as_array(self):
        """All elements along one axis as `numpy.array` has them: a view where that can be, else one not to write to."""
        cdef Array made = self.copy() if self.line is None else viewed(self.line)
        made.read_only = made.read_only or self.line is None
        return made

    @property
    def index(self):
        """How many elements have been visited."""
        return self.at

    @property
    def coords(self):
        """The index of the next element."""
        cdef list found = []
        cdef int64_t left = self.at
        cdef int i
        for i in range(self.base.ndim_ - 1, -1, -1):
            if i == 0:
                found.append(left)
            else:
                found.append(left % self.base.dims[i])
                left //= self.base.dims[i]
        return tuple(reversed(found))

    def copy(self):
        """A copy of all elements along one axis."""
        made = flattened(self.base)
        return self.base.flatten() if made is None else made


cdef bint are_integers(list key) noexcept:
    for item in key:
        if type(item) is not int:
            return False
    return len(key) > 0


cdef bint is_operand(x) noexcept:
    """Whether a line of elements is compared with this as the iterator is."""
    return type(x) is int or type(x) is float or isinstance(x, Array)


cdef object flat_of(Array x):
    cdef FlatIterator made = FlatIterator.__new__(FlatIterator)
    made.base = x
    made.line = raveled(x) if x.grad_info is NULL else None
    return made


def nditer(op, *args, **kwargs):
    """NumPy's iterator over arrays; it holds views of their memory, which it may write.

    Operands are exported for writing, so that operations on them complete before their calls return
    while the iterator lives.
    """
    if isinstance(op, (list, tuple)):
        op = [x.__array__() if isinstance(x, Array) else x for x in op]
    elif isinstance(op, Array):
        op = op.__array__()
    return numpys_nditer(op, *args, **kwargs)


cdef class ndenumerate:
    """Pairs of an index and the element there."""

    cdef Array x
    cdef object pairs  # NumPy's, for what else it takes
    cdef int64_t left
    cdef int64_t at[MAX_NDIM]
    cdef int64_t offset

    def __init__(self, arr):
        self.x = viewed(<Array>arr) if is_ours(arr) else None
        if self.x is None:
            self.pairs = np.ndenumerate(taken(arr, []))
        else:
            self.left, self.offset = self.x.size, self.x.offset
        memset(self.at, 0, sizeof(self.at))

    def __iter__(self):
        return self

    def __next__(self):
        cdef Array x = self.x
        cdef tuple index
        cdef int i
        if x is None:
            place, value = next(self.pairs)
            return place, given(value, [])
        if self.left == 0:
            raise StopIteration
        index = PyTuple_New(x.ndim_)
        for i in range(x.ndim_):
            number = PyLong_FromLongLong(self.at[i])
            Py_INCREF(number)
            PyTuple_SET_ITEM(index, i, number)
        value = steal(new_constant(x, self.offset))
        self.left -= 1
        for i in range(x.ndim_ - 1, -1, -1):
            self.at[i] += 1
            self.offset += x.dims[x.ndim_ + i]
            if self.at[i] < x.dims[i]:
                break
            self.offset -= self.at[i] * x.dims[x.ndim_ + i]
            self.at[i] = 0
        return index, value
