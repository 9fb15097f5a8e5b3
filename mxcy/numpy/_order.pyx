# cython: cdivision=True
"""The order in which NumPy lays out the axes of results in memory, after that of the operands."""

from libc.stdint cimport int64_t, uint8_t

import numpy as np

from .._array cimport Array

__all__ = ["order_of"]

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    const uint8_t* ITEMSIZE

cdef extern from "strided.hpp" namespace "mxcy" nogil:
    bint is_f_contiguous(int, const int64_t*, const int64_t*, int64_t)


cdef object layout(list operands, bint by_iterator=False):
    """The order of axes in which NumPy lays out the result, from the slowest; None for that of C."""
    cdef Array x, first = None
    cdef int ndim = 0
    for given_x in operands:
        if isinstance(given_x, Array):
            x = <Array>given_x
            if not x.c_contiguous and first is None:
                first = x
            ndim = max(ndim, x.ndim_)
    if first is None or ndim < 2:
        return None
    shapes = [(<Array>o).shape for o in operands if isinstance(o, Array)]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        return None  # said by who computes
    # NumPy's way without an iterator: Fortran order however axes of one element are stepped over.
    if not by_iterator and all([not (<Array>o).ndim_ or (<Array>o).shape == shape and _is_fortran(<Array>o)
            for o in operands if isinstance(o, Array)]):
        return list(reversed(range(ndim)))
    order = _order(shape, [_steps(<Array>o, shape) for o in operands if isinstance(o, Array)])
    return None if order == list(range(ndim)) else order


cdef bint _is_fortran(Array x) noexcept:
    return is_f_contiguous(x.ndim_, x.dims, x.dims + x.ndim_, ITEMSIZE[x.dtype_code])


cdef list _steps(Array x, tuple shape):
    """Strides of an operand over the axes of the result, 0 where it is repeated."""
    cdef int missing = len(shape) - x.ndim_, i
    return [0] * missing + [
        0 if x.dims[i] == 1 else x.dims[x.ndim_ + i] for i in range(x.ndim_)
    ]


def _order(shape, steps):
    """Sort axes as NumPy's iterator does: stable, from the last, by the strides of all operands that differ."""
    axes = list(reversed(range(len(shape))))  # fastest first
    for i in range(1, len(axes)):
        place = i
        for k in range(i - 1, -1, -1):
            ambiguous, swap = True, False
            for of in steps:
                here, there = abs(of[axes[i]]), abs(of[axes[k]])
                if here and there:
                    if there <= here:
                        swap = False
                    elif ambiguous:
                        swap = True
                    ambiguous = False
            if not ambiguous:
                if not swap:
                    break
                place = k
        axes.insert(place, axes.pop(i))
    return axes[::-1]


cdef object ordered(x, list order):
    """An operand with its axes in another order."""
    if not isinstance(x, Array) or (<Array>x).ndim_ == 0:
        return x
    cdef Array a = <Array>x
    if a.ndim_ < len(order):
        a = a._reshape_view((1,) * (len(order) - a.ndim_) + a.shape)
        if a is None:
            a = x._copied()._reshape_view((1,) * (len(order) - (<Array>x).ndim_) + x.shape)
    return a._transpose_view(order)


cdef list inverse(list order):
    back = [0] * len(order)
    for place, axis in enumerate(order):
        back[axis] = place
    return back


def order_of(Array x):
    """Return the order of axes in which NumPy reduces this array and lays out what is left; None for that of C."""
    return layout([x], by_iterator=True)
