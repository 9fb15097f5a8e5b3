"""`numpy.lib.stride_tricks`: views of overlapping windows, without copies."""

from math import prod

import numpy as _np

from .._calls import as_array
from .._foreign import broadcast_shapes
from .._functions import Through
from .._shapes import broadcast_to
from .._through import broadcast_arrays

__all__ = ["as_strided", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "sliding_window_view"]


class _View(Through):
    """A function that makes a view of our array; `layout` tells its shape and strides."""

    def __init__(self, function, layout):
        super().__init__(function)
        self.layout = layout

    def compute(self, args, kwargs):
        array, shape, strides, writeable = self.layout(*args, **kwargs)
        view = array._strided(0, shape, strides)
        return view if writeable else view._broadcast_view(view.shape)


def _as_strided(x, shape=None, strides=None, subok=False, writeable=True):
    array = as_array(x)
    shape = array.shape if shape is None else shape
    if strides is None:
        strides = array.strides
        if array._c_contiguous:
            extents = tuple(shape) if hasattr(shape, "__iter__") else (shape,)
            strides = tuple([array.itemsize * prod(extents[i + 1 :]) for i in range(len(extents))])
    return array, shape, strides, writeable


def _windows(x, window_shape, axis=None, *, subok=False, writeable=False):
    array = as_array(x)
    # NumPy finds the layout, and what is wrong with the arguments, without an element.
    hollow = _np.broadcast_to(_np.empty((), array.dtype), array.shape)
    shape = _np.lib.stride_tricks.sliding_window_view(hollow, window_shape, axis).shape
    axes = range(array.ndim)
    if axis is not None:
        axes = _np.lib.array_utils.normalize_axis_tuple(axis, array.ndim, allow_duplicate=True)
    return array, shape, array.strides + tuple(array.strides[axis] for axis in axes), writeable


as_strided = _View(_np.lib.stride_tricks.as_strided, _as_strided)
sliding_window_view = _View(_np.lib.stride_tricks.sliding_window_view, _windows)
