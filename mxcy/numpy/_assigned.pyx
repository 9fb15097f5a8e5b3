"""Assignment to parts of arrays where the core does not do it itself: by NumPy, or by a copy that is pushed.

It is compiled so that what NumPy warns of points at the line of the program that assigns.
"""

import operator

import numpy as np

from .._array cimport Array
from .._export cimport view_numpy
from ._calls cimport face, taken

from .._export import count_write
from .._index import same_view
from ..errors import wrap as of_both_classes
from ..kernels import cpu as kernels
from ._kinds import method

__all__ = ["set_advanced", "set_element", "set_slowly"]

cdef tuple NUMBERS = (int, float, complex, np.generic)


cdef int assign(Array x, key, value) except -1:
    """Write elements through NumPy."""
    view, value = view_numpy(x, True), taken(value, [])
    try:
        view[key] = value
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise of_both_classes(error) from None
    count_write(x)
    return 0


cdef bint fits(value, Array view) except -1:
    """Whether a value is an array of ours that a copy assigns: its shape broadcasts to that of the view."""
    cdef Array source
    cdef int i, beyond
    if not isinstance(value, Array) or (<Array>value).face != face():
        return False
    source = <Array>value
    beyond = view.ndim_ - source.ndim_
    if source.dtype_code != view.dtype_code or beyond < 0:
        return False
    for i in range(source.ndim_):
        if source.dims[i] != 1 and source.dims[i] != view.dims[beyond + i]:
            return False
    return True


def set_slowly(self, view, value):
    """Assign to a view of the array."""
    if not fits(value, view):
        assign(view, ..., value)
    elif not same_view(value, view):
        kernels.copy(value, out=view)
    self._wrote()


def set_element(self, view, value):
    """Assign to a view without axes."""
    if isinstance(value, NUMBERS) or getattr(value, "ndim", 1) == 0:
        self._set_basic(view, value)
    else:  # some arrays with one element are taken, by some dtypes
        assign(view, (), value)
        self._wrote()


def _set_by_key(self, key, value):
    """Assign to the elements that a key of arrays or lists selects."""
    assign(self, taken(key, []), value)
    self._wrote()


set_advanced = method(operator.setitem, writes=(0,))(_set_by_key)
