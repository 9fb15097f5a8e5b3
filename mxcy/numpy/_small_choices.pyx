# cython: cdivision=True
"""Small arrays indexed by arrays, sorted and joined, at once: see `_small.pyx`."""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

cimport numpy as cnp

from .._array cimport MAX_NDIM, Array, new_like, new_view
from .._export cimport adopt
from .._invoke cimport readable_data, same_shape
from ._calls cimport face
from ._lent cimport lend, take_back
from ._small cimport copied, is_here, is_ours

__all__ = ["argsort", "concatenate", "ravel_multi_index", "sort", "stack", "unravel_index"]

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        BOOL, INT64, BFLOAT16
    const uint8_t* ITEMSIZE

cdef enum:
    FEW = 4096          # elements
    FEW_BYTES = 16384   # up to which a new buffer is there at once

cnp.import_array()

# By the name of a way to sort, NumPy's number of it.
cdef dict kinds = {None: 0, "quicksort": 0, "heapsort": 1, "mergesort": 2, "stable": 2}
cdef tuple CASTINGS = ("same_kind", "unsafe", "safe", "equiv", "no")

# --- choices ------------------------------------------------------------------------------------------
cdef Array chosen(Array x, Array key):
    """x[key] for a vector of booleans or of integers over the first axis, or None."""
    cdef char* data
    cdef char* where
    cdef char* to
    cdef int64_t row, i, count = 0, index
    cdef int64_t shape[MAX_NDIM]
    cdef Array made
    if key.ndim_ != 1 or x.ndim_ == 0 or key.size > FEW or x.grad_info is not NULL:
        return None
    if key.dtype_code != INT64 and (key.dtype_code != BOOL or key.size != x.dims[0]):
        return None
    data, where = readable_data(<PyObject*>x), readable_data(<PyObject*>key)
    if data is NULL or where is NULL or x.size == 0:
        return None
    row = x.size // x.dims[0] * ITEMSIZE[x.dtype_code]
    if key.dtype_code == BOOL:
        for i in range(key.size):
            count += where[i] != 0
    else:
        count = key.size
        if row != 8 and not are_within(<int64_t*>where, count, x.dims[0]):
            return None  # said by who takes the usual way
    if count * row > FEW_BYTES:
        return None
    memcpy(shape, x.dims, x.ndim_ * sizeof(int64_t))
    shape[0] = count
    made = new_like(x, x.ndim_, shape, x.dtype_code)
    to = made.var.data.load()
    if key.dtype_code == BOOL and row == 8:  # without branches
        i = index = 0
        while index < count:
            (<int64_t*>to)[index] = (<int64_t*>data)[i]
            index += where[i] != 0
            i += 1
        made.var.version += 1
        return made
    if key.dtype_code == INT64 and row == 8:
        if not gathered(<int64_t*>to, <int64_t*>data, <int64_t*>where, count, x.dims[0]):
            return None
        made.var.version += 1
        return made
    for i in range(key.size):
        if key.dtype_code == BOOL:
            if not where[i]:
                continue
            index = i
        else:
            index = (<int64_t*>where)[i]
            index += x.dims[0] if index < 0 else 0
        move(to, data + index * row, row)
        to += row
    made.var.version += 1
    return made


cdef bint gathered(int64_t* to, const int64_t* data, const int64_t* places, int64_t count, int64_t extent) noexcept:
    """Copies elements of 8 bytes from places; false if one is no index of the axis."""
    cdef int64_t i, index
    for i in range(count):
        index = places[i]
        index += extent if index < 0 else 0
        if index < 0 or index >= extent:
            return False
        to[i] = data[index]
    return True


cdef bint are_within(const int64_t* places, int64_t count, int64_t extent) noexcept:
    """Whether numbers are indices of an axis."""
    cdef int64_t i
    cdef bint outside = False
    for i in range(count):
        outside |= (places[i] < -extent) | (places[i] >= extent)
    return not outside


cdef Array picked(Array x, tuple keys):
    """x[keys] for arrays of integers of one shape, for the first axes; or None."""
    cdef int64_t shape[MAX_NDIM]
    cdef int64_t row, place, i, index
    cdef const int64_t* places[MAX_NDIM]
    cdef int n = <int>len(keys), k
    cdef Array first, made
    cdef char* data = readable_data(<PyObject*>x)
    cdef char* to
    if n == 0 or n > x.ndim_ or data is NULL or x.size == 0 or not are_alike(keys):
        return None
    first = <Array>keys[0]
    row = ITEMSIZE[x.dtype_code]
    for k in range(n, x.ndim_):
        row *= x.dims[k]
    if first.dtype_code != INT64 or first.ndim_ == 0 or first.ndim_ + x.ndim_ > 8 or first.size * row > FEW_BYTES:
        return None
    for k in range(n):  # before anything is made: what is wrong is said by who takes the usual way
        places[k] = <int64_t*>readable_data(<PyObject*>keys[k])
        if not are_within(places[k], first.size, x.dims[k]):
            return None
    memcpy(shape, first.dims, first.ndim_ * sizeof(int64_t))
    memcpy(shape + first.ndim_, x.dims + n, (x.ndim_ - n) * sizeof(int64_t))
    made = new_like(x, first.ndim_ + x.ndim_ - n, shape, x.dtype_code)
    to = made.var.data.load()
    for i in range(first.size):
        place = 0
        for k in range(n):
            index = places[k][i]
            place = place * x.dims[k] + (index + x.dims[k] if index < 0 else index)
        move(to, data + place * row, row)
        to += row
    made.var.version += 1
    return made


def unravel_index(indices=None, shape=None, order="C"):
    """The index in an array of a shape for each position in it flattened; None for what is not for here."""
    cdef int64_t dims[MAX_NDIM]
    cdef int64_t steps[2 * MAX_NDIM]
    cdef int64_t total = 1, i, left
    cdef int n, k, rank
    cdef Array x, made
    cdef int64_t* to
    if not is_ours(indices) or type(shape) is not tuple or order != "C":
        return None
    x, n = <Array>indices, <int>len(<tuple>shape)
    rank = x.ndim_
    if x.dtype_code != INT64 or rank == 0 or rank > 3 or not 0 < n <= 4 or x.size * n * 8 > FEW_BYTES:
        return None
    for k in range(n):
        extent = (<tuple>shape)[k]
        if type(extent) is not int or not 0 < extent < 1 << 15:
            return None
        dims[k] = extent
        total *= dims[k]
    places = <int64_t*>readable_data(<PyObject*>x)
    if places is NULL:
        return None
    for i in range(x.size):
        if not 0 <= places[i] < total:
            return None  # said by who takes the usual way
    memcpy(steps, x.dims, rank * sizeof(int64_t))
    steps[rank] = n
    made = new_like(x, rank + 1, steps, INT64)
    to = <int64_t*>made.var.data.load()
    for i in range(x.size):
        left = places[i]
        for k in range(n - 1, -1, -1):
            to[n * i + k] = left % dims[k]
            left //= dims[k]
    made.var.version += 1
    memcpy(steps + rank, made.dims + rank + 1, rank * sizeof(int64_t))
    return tuple([new_view(made, 8 * k, rank, steps, steps + rank) for k in range(n)])


def ravel_multi_index(multi_index=None, dims=None, mode="raise", order="C"):
    """The positions in an array of a shape flattened of indices in it; None for what is not for here."""
    cdef const int64_t* places[MAX_NDIM]
    cdef int64_t extents[MAX_NDIM]
    cdef int64_t i, at, place
    cdef int n, k
    cdef bint clips = mode == "clip"
    cdef Array first, made
    cdef int64_t* to
    if type(multi_index) is not tuple or type(dims) is not tuple or order != "C" or not (clips or mode == "raise"):
        return None
    n = <int>len(<tuple>dims)
    if not 0 < n <= 4 or len(<tuple>multi_index) != n or not are_alike(multi_index):
        return None
    first = <Array>(<tuple>multi_index)[0]
    if first.dtype_code != INT64 or first.ndim_ == 0 or first.size * 8 > FEW_BYTES:
        return None
    for k in range(n):
        extent = (<tuple>dims)[k]
        if type(extent) is not int or not 0 < extent < 1 << 15:
            return None
        extents[k] = extent
        places[k] = <int64_t*>readable_data(<PyObject*>(<tuple>multi_index)[k])
    for k in range(n):
        for i in range(0 if clips else first.size):
            if not 0 <= places[k][i] < extents[k]:
                return None  # said by who takes the usual way
    made = new_like(first, first.ndim_, first.dims, INT64)
    to = <int64_t*>made.var.data.load()
    for i in range(first.size):
        place = 0
        for k in range(n):
            at = places[k][i]
            place = place * extents[k] + (0 if at < 0 else extents[k] - 1 if at >= extents[k] else at)
        to[i] = place
    made.var.version += 1
    return made


cdef inline void move(char* to, const char* source, int64_t nbytes) noexcept:
    if nbytes == 8:
        (<int64_t*>to)[0] = (<int64_t*>source)[0]
    else:
        memcpy(to, source, nbytes)


# --- order and joining --------------------------------------------------------------------------------
def sort(x, axis=-1, kind=None, order=None, *, stable=None, descending=False):
    """Return an array of ours sorted along an axis, None for what is not for here."""
    if not is_for_sort(x, axis, kind, order, stable, descending):
        return None
    cdef Array made = copied(<Array>x)
    if made is not None:
        sort_in_place(made, axis, kind)
    return made


cdef int sort_in_place(Array x, int axis, kind) except -1:
    cdef PyObject* view = lend(x, True)
    try:
        cnp.PyArray_Sort(<object>view, axis, <cnp.NPY_SORTKIND><int>kinds[kind])
    finally:
        take_back(view, x, True)
    return 0


def argsort(x, axis=-1, kind=None, order=None, *, stable=None, descending=False):
    """Return the positions that sort an array of ours along an axis, None for what is not for here."""
    cdef PyObject* view
    if not is_for_sort(x, axis, kind, order, stable, descending) or not is_here(<Array>x):
        return None
    view = lend(<Array>x, False)
    try:
        return adopt(cnp.PyArray_ArgSort(<object>view, axis, <cnp.NPY_SORTKIND><int>kinds[kind]), face())
    finally:
        take_back(view, <Array>x, False)


cdef bint is_for_sort(x, axis, kind, order, stable, descending) except -1:
    """Whether these are arguments of the usual ways to sort a small array."""
    if not is_ours(x) or (<Array>x).size > FEW or (<Array>x).dtype_code == BFLOAT16:
        return False
    if type(axis) is not int or not -(<Array>x).ndim_ <= axis < (<Array>x).ndim_:
        return False
    return order is None and stable is None and descending is False and (kind is None or type(kind) is str and kind in kinds)


def stack(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """Return arrays of one shape as the entries of a new first axis; None for what is not for here."""
    cdef int64_t shape[MAX_NDIM]
    cdef Array x, made, first = None
    cdef int64_t nbytes
    cdef char* to
    if type(axis) is not int or axis != 0 or out is not None or dtype is not None or casting not in CASTINGS:
        return None
    if not are_alike(arrays):
        return None
    first = <Array>arrays[0]
    nbytes = first.size * ITEMSIZE[first.dtype_code]
    if first.ndim_ > 3 or nbytes * len(arrays) > FEW_BYTES:
        return None
    shape[0] = len(arrays)
    memcpy(shape + 1, first.dims, first.ndim_ * sizeof(int64_t))
    made = new_like(first, first.ndim_ + 1, shape, first.dtype_code)
    to = made.var.data.load()
    for given in arrays:
        memcpy(to, readable_data(<PyObject*>given), nbytes)
        to += nbytes
    made.var.version += 1
    return made


cdef bint are_alike(arrays) except -1:
    """Whether this is a list or tuple of arrays of ours of one shape and dtype, whose elements are there."""
    cdef Array first
    if type(arrays) is not list and type(arrays) is not tuple or len(arrays) == 0 or not is_ours(arrays[0]):
        return False
    first = <Array>arrays[0]
    for given in arrays:
        if not is_ours(given) or (<Array>given).dtype_code != first.dtype_code:
            return False
        if not same_shape(<PyObject*>given, <PyObject*>first) or readable_data(<PyObject*>given) is NULL:
            return False
    return True


def concatenate(arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind"):
    """Return vectors (or stacks of rows) one behind the other; None for what is not for here."""
    cdef Array x, first = None, made
    cdef int64_t shape[MAX_NDIM]
    cdef int64_t total = 0
    cdef char* to
    cdef int i
    if type(axis) is not int or axis != 0 or out is not None or dtype is not None or casting not in CASTINGS:
        return None
    if type(arrays) is not list and type(arrays) is not tuple:
        return None
    for given in arrays:
        if not is_ours(given):
            return None
        x = <Array>given
        if first is None:
            first = x
            if x.ndim_ == 0:
                return None
            memcpy(shape, x.dims, x.ndim_ * sizeof(int64_t))
            shape[0] = 0
        if x.ndim_ != first.ndim_ or x.dtype_code != first.dtype_code or readable_data(<PyObject*>x) is NULL:
            return None
        for i in range(1, x.ndim_):
            if x.dims[i] != first.dims[i]:
                return None
        shape[0] += x.dims[0]
        total += x.size
    if first is None or total * ITEMSIZE[first.dtype_code] > FEW_BYTES:
        return None
    made = new_like(first, first.ndim_, shape, first.dtype_code)
    to = made.var.data.load()
    for given in arrays:
        x = <Array>given
        memcpy(to, readable_data(<PyObject*>x), x.size * ITEMSIZE[x.dtype_code])
        to += x.size * ITEMSIZE[x.dtype_code]
    made.var.version += 1
    return made
