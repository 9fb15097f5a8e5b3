"""How a kernel moves over data: the geometry of convolutions, and NumPy references."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ._operator import describe

LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}


class Window(NamedTuple):
    """How a kernel moves over the data: a number for every spatial axis."""

    kernel: tuple
    stride: tuple
    dilate: tuple
    pad: tuple
    channels_last: bool

    @property
    def spread(self) -> tuple:
        """From the first to the last element that one use of the kernel reads."""
        return tuple(d * (k - 1) for k, d in zip(self.kernel, self.dilate, strict=True))

    def order(self, first: Any, channels: Any, spatial: tuple) -> tuple:
        """A shape in this layout."""
        return (first, *spatial, channels) if self.channels_last else (first, channels, *spatial)

    def split(self, shape: tuple) -> tuple:
        """(first extent, channels, spatial extents) of a shape in this layout."""
        if self.channels_last:
            return shape[0], shape[-1], shape[1:-1]
        return shape[0], shape[1], shape[2:]


@lru_cache(1024)
def window_of(op: str, kernel, stride, dilate, pad, layout) -> Window:
    """Return the window that attributes describe, after checking them."""
    count = len(kernel)
    if not 1 <= count <= 3:
        raise ArgumentError(message(op, "kernel", "1, 2 or 3 extents", kernel))
    found: list[Any] = []
    for name, value, default, least in (
        ("kernel", kernel, 1, 1), ("stride", stride, 1, 1), ("dilate", dilate, 1, 1), ("pad", pad, 0, 0),
    ):  # fmt: skip
        value = value or (default,) * count
        if len(value) != count or min(value) < least:
            expected = f"{count} numbers of at least {least}, one for each extent of kernel {kernel}"
            raise ArgumentError(message(op, name, expected, value))
        found.append(value)
    if layout is not None and layout not in LAYOUTS[count]:
        expected = f"one of {', '.join(LAYOUTS[count])} for {count} spatial axes"
        raise ArgumentError(message(op, "layout", expected, repr(layout)))
    sizes, stride, dilate, pad = found
    return Window(sizes, stride, dilate, pad, layout is not None and layout[-1] == "C")


def check_counts(op: str, num_filter: int, num_group: int) -> None:
    if num_filter < 1:
        raise ArgumentError(message(op, "num_filter", "at least 1", num_filter))
    if num_group < 1 or num_filter % num_group:
        expected = f"a number that divides num_filter, {num_filter}"
        raise ArgumentError(message(op, "num_group", expected, num_group))


def check_data(op: str, window: Window, num_group: int, data: tuple) -> None:
    """Raise if data has another rank than the window needs, or channels that do not form the groups."""
    rank = len(window.kernel) + 2
    if len(data) != rank:
        expected = f"{rank} dimensions for kernel {window.kernel}"
        raise ShapeError(message(op, "data", expected, describe(data)))
    channels = window.split(data)[1]
    if channels is not None and channels % num_group:
        expected = f"channels divisible by num_group, {num_group}"
        raise ShapeError(message(op, "data", expected, describe(data)))


def convolved(op: str, window: Window, spatial: tuple) -> tuple:
    """The spatial extents of a convolution's output from those of its data, None where unknown."""
    extents: list = []
    for axis, n in enumerate(spatial):
        if n is None:
            extents.append(None)
            continue
        room = n + 2 * window.pad[axis] - window.spread[axis] - 1
        if room < 0:
            expected = f"a kernel that fits into the padded data, {n + 2 * window.pad[axis]} along this axis"
            raise ShapeError(message(op, "kernel", expected, window.spread[axis] + 1))
        extents.append(room // window.stride[axis] + 1)
    return tuple(extents)


def needed(window: Window, spatial: tuple) -> tuple:
    """The spatial extents of data from those of a convolution's output; known where the stride is 1."""
    axes = zip(spatial, window.stride, window.spread, window.pad, strict=True)
    return tuple(None if n is None or s != 1 else n + e - 2 * p for n, s, e, p in axes)


def shared(a: tuple, b: tuple | None) -> tuple:
    """What two shapes of one rank know together; where they contradict, the first one."""
    if b is None or len(a) != len(b):
        return a
    return tuple(y if x is None else x for x, y in zip(a, b, strict=True))


def placed(window, adj, target_shape, spatial):
    """(window, adj) as a target shape sets them: what it lacks is cut off evenly, the odd element behind."""
    if not any(target_shape):
        return window, adj
    pads, adds = [], []
    for axis, (n, target) in enumerate(zip(spatial, target_shape, strict=True)):
        surplus = 0 if n is None else window.stride[axis] * (n - 1) + window.spread[axis] + 1 - target
        if surplus < 0:
            expected = f"at most {target + surplus} along axis {axis}"
            raise ShapeError(message("Deconvolution", "target_shape", expected, target))
        adds.append(surplus % 2)
        pads.append((surplus + 1) // 2)
    return window._replace(pad=tuple(pads)), tuple(adds)


def extended(window, adj, spatial):
    """The spatial extents of a deconvolution's output from those of its data, None where unknown."""
    extents = []
    for n, s, e, p, a in zip(spatial, window.stride, window.spread, window.pad, adj, strict=True):
        extent = None if n is None else s * (n - 1) + e + 1 - 2 * p + a
        if extent is not None and extent < 1:
            raise ShapeError(
                message("Deconvolution", "pad", f"less than is left of {extent + 2 * p} elements", p)
            )
        extents.append(extent)
    return tuple(extents)


# --- references ----------------------------------------------------------------------------------------
def windows(x, kernel, stride, dilate, pad, groups):
    """(n, groups, c / groups, *kernel, *output) of x (n, c, *spatial)."""
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in pad)])
    spread = [d * (k - 1) + 1 for k, d in zip(kernel, dilate, strict=True)]
    axes = tuple(range(2, x.ndim))
    view = np.lib.stride_tricks.sliding_window_view(x, spread, axes)
    view = view[(slice(None), slice(None), *(slice(None, None, s) for s in stride))]
    view = view[(..., *(slice(None, None, d) for d in dilate))]
    count = len(kernel)
    view = np.moveaxis(view, range(2 + count, 2 + 2 * count), range(2, 2 + count))
    return view.reshape(len(x), groups, x.shape[1] // groups, *view.shape[2:])


def convolve(x, w, stride, dilate, pad, groups):
    """The convolution of NumPy arrays with channels first."""
    count = w.ndim - 2
    columns = windows(x, w.shape[2:], stride, dilate, pad, groups)
    filters = w.reshape(groups, len(w) // groups, *w.shape[1:])
    letters = "abc"[:count], "xyz"[:count]
    y = np.einsum("ngi{0}{1},gmi{0}->ngm{1}".format(*letters), columns, filters)
    return y.reshape(len(x), len(w), *y.shape[3:])


def transposed(g, w, spatial, stride, dilate, pad, groups):
    """The gradient of `convolve` with respect to x, of these spatial extents: a sum of shifted products."""
    padded = np.zeros((len(g), w.shape[1] * groups, *(n + 2 * p for n, p in zip(spatial, pad, strict=True))))
    heads = g.reshape(len(g), groups, len(w) // groups, *g.shape[2:])
    filters = w.reshape(groups, len(w) // groups, *w.shape[1:])
    for position in np.ndindex(*w.shape[2:]):
        term = np.einsum("ngm...,gmi->ngi...", heads, filters[(..., *position)])
        place = zip(position, dilate, stride, g.shape[2:], strict=True)
        inside = tuple(slice(i * d, i * d + s * (n - 1) + 1, s) for i, d, s, n in place)
        padded[(slice(None), slice(None), *inside)] += term.reshape(*padded.shape[:2], *g.shape[2:])
    inner = tuple(slice(p, p + n) for p, n in zip(pad, spatial, strict=True))
    return padded[(slice(None), slice(None), *inner)]
