"""Images in other sizes, by the weights of OpenCV's interpolations."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from .._launch import array_beside
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Shape
from ._cases import case, raises, uniform
from ._declare import ZERO, op
from ._operator import describe
from .linalg import fold
from .shape import product

NEAREST, LINEAR, CUBIC, AREA, LANCZOS = range(5)
RESIZE = "_image_resize"


# --- weights: (places, weights) of the elements that every new element is made of -----------------------
def scale_of(n, size):
    """How many old elements a new one stands for, rounded as OpenCV rounds it."""
    return 1 / (size / n)


def nearest_axis(n, size):
    places = np.minimum(np.floor(np.arange(size) * scale_of(n, size)).astype(int), n - 1)
    return places[:, None], np.ones((size, 1))


def linear_axis(n, size, by_area, keeps_weights):
    """`keeps_weights`: both weights stay where only one element is left, which changes how bytes round."""
    scale = scale_of(n, size)
    at = np.arange(size)
    if by_area:  # what OpenCV takes where an area would be less than an element
        low = np.floor(at * scale).astype(int)
        part = (at + 1 - (low + 1) * (size / n)).astype(np.float32)
        part = np.where(part <= 0, 0, part - np.floor(part))
    else:
        place = ((at + 0.5) * scale - 0.5).astype(np.float32)
        low = np.floor(place).astype(int)
        part = place - low
    if not keeps_weights:
        part = np.where((low < 0) | (low >= n - 1), 0, part)
    return np.clip(np.stack([low, low + 1], 1), 0, n - 1), np.stack([1 - part, part], 1)


def window_axis(n, size, taps, weights):
    """Places around those of the new elements, and weights of the distance from the first to its left."""
    place = ((np.arange(size) + 0.5) * scale_of(n, size) - 0.5).astype(np.float32)
    low = np.floor(place).astype(int)
    places = low[:, None] + np.arange(taps) - (taps // 2 - 1)
    return np.clip(places, 0, n - 1), weights((place - low).astype(np.float32)[:, None])


def cubic_weights(x, a=-0.75):
    def near(t):
        return ((a + 2) * t - (a + 3)) * t * t + 1

    t = x + 1
    found = np.concatenate([((a * t - 5 * a) * t + 8 * a) * t - 4 * a, near(x), near(1 - x)], 1)
    return np.concatenate([found, 1 - found.sum(1, keepdims=True)], 1)


def lanczos_weights(x):
    distance = x + 3 - np.arange(8)
    found = np.sinc(distance) * np.sinc(distance / 4)
    return np.where(x < 1e-7, np.arange(8) == 3, found / found.sum(1, keepdims=True))


def area_axis(n, size):
    """Every new element is the mean of what lies below it, parts of elements included."""
    scale = n / size
    taps = int(np.ceil(scale)) + 1
    edges = np.arange(size) * scale
    places = np.floor(edges + 1e-9).astype(int)[:, None] + np.arange(taps)
    share = np.minimum(places + 1, (edges + scale)[:, None]) - np.maximum(places, edges[:, None])
    share = np.where(share < 1e-6, 0, share)
    return np.clip(places, 0, n - 1), share / share.sum(1, keepdims=True)


def axes_of(extents, sizes, interp):
    """(axis of rows, axis of columns, rounding of bytes)."""
    scales = [n / size for n, size in zip(extents, sizes, strict=True)]
    if interp == LINEAR and scales == [2.0, 2.0]:
        interp = AREA
    if interp == NEAREST:
        return *map(nearest_axis, extents, sizes), "nearest"
    if interp == AREA and min(scales) >= 1:
        return *map(area_axis, extents, sizes), "upwards" if scales == [2.0, 2.0] else "nearest"
    if interp in (LINEAR, AREA):
        return *map(linear_axis, extents, sizes, [interp == AREA] * 2, (True, False)), "fixed pairs"
    # Cubic sums are weighed in floating point there, Lanczos ones in whole numbers.
    taps, weights, rounding = (
        (4, cubic_weights, "fixed even") if interp == CUBIC else (8, lanczos_weights, "fixed")
    )
    return *map(window_axis, extents, sizes, [taps] * 2, [weights] * 2), rounding


# --- operator ------------------------------------------------------------------------------------------
def new_size(shape, size, keep_ratio):
    """(height, width) of the result."""
    if len(size) == 2:
        return size[1], size[0]
    height, width = shape[-3], shape[-2]
    if not keep_ratio:
        return size[0], size[0]
    if height > width:
        return int(height * size[0] / width), size[0]
    return size[0], int(width * size[0] / height)


def resized_shape(data, size, keep_ratio, interp):
    if len(size) not in (1, 2) or min(size) < 1:
        raise ArgumentError(message(RESIZE, "size", "one or two extents of at least 1", size))
    if interp not in range(5):
        expected = "0 (nearest), 1 (linear), 2 (cubic), 3 (area) or 4 (Lanczos)"
        raise ArgumentError(message(RESIZE, "interp", expected, interp))
    if len(data) not in (3, 4) or 0 in data[-3:-1]:
        expected = "shape (height, width, channels) or (n, height, width, channels)"
        raise ShapeError(message(RESIZE, "data", expected, describe(data)))
    return (*data[:-3], *new_size(data, size, keep_ratio), data[-1])


def resize_reference(x, size, keep_ratio=False, interp=1):
    target = new_size(x.shape, size if isinstance(size, tuple) else (size,), keep_ratio)
    *axes, rounding = axes_of(x.shape[-3:-1], target, interp)
    fixed = x.dtype.kind == "u" and rounding.startswith("fixed")
    matrices = []
    for (places, weights), n in zip(axes, x.shape[-3:-1], strict=True):
        matrix = np.zeros((len(places), n))
        np.add.at(
            matrix, (np.arange(len(places))[:, None], places), np.rint(weights * 2048) if fixed else weights
        )
        matrices.append(matrix)
    found = np.einsum("ih,jw,...hwc->...ijc", *matrices, x.astype(np.float64))
    if x.dtype.kind == "f":
        return found
    if fixed and rounding == "fixed":
        found = np.floor(found / 2048**2 + 0.5)
    elif fixed and rounding == "fixed even":
        found = found / 2048**2
    elif fixed:
        lines = np.einsum("jw,...hwc->...hjc", matrices[1], x.astype(np.float64)) // 16
        places, weights = axes[0][0], np.rint(axes[0][1] * 2048)[:, :, None, None]
        parts = [np.take(lines, places[:, k], -3) * weights[:, k] // 65536 for k in range(2)]
        found = (parts[0] + parts[1] + 2) // 4
    elif rounding == "upwards" and x.dtype.kind == "u":
        found = np.floor(found + 0.5)
    limits = np.iinfo(x.dtype)
    return np.clip(np.rint(found), limits.min, limits.max).astype(x.dtype)


IMAGE = uniform(4, 6, 3, low=0, high=100)


@op(
    grad=ZERO,
    kinds="iuf",
    shape=resized_shape,
    ref=resize_reference,
    cases=[
        case(IMAGE, size=(7, 3)),
        case(uniform(2, 4, 6, 3, low=0, high=100), size=3),
        case(IMAGE, size=(5,), keep_ratio=True),
        case(IMAGE, size=(3, 2)),
        *(case(IMAGE, size=(4, 3), interp=k) for k in (0, 2, 4)),
        *(case(IMAGE, size=(9, 5), interp=k) for k in (0, 2, 3, 4)),
        *(case(IMAGE, size=size, interp=3) for size in ((3, 2), (4, 3))),
        raises(ArgumentError, IMAGE, size=(), match=f"{RESIZE}(size): expected one or two extents"),
        raises(ArgumentError, IMAGE, size=(0, 2), match=f"{RESIZE}(size): expected one or two extents"),
        raises(ArgumentError, IMAGE, size=2, interp=9, match=f"{RESIZE}(interp): expected 0 (nearest)"),
        raises(ShapeError, uniform(4, 5), size=2, match=f"{RESIZE}(data): expected shape (height, width"),
    ],
)
def _image_resize(data, *, size: Shape = (), keep_ratio: bool = False, interp: int = 1, out):
    """An image (h, w, channels), or several (n, h, w, channels), in another size.

    size: (width, height), or one extent for both; with `keep_ratio` it is that of the shorter edge, and the
    other follows.  interp: 0 takes the nearest element, 1 is bilinear, 2 bicubic, 3 takes means of areas, 4
    Lanczos over 8 elements.  Bytes are rounded as OpenCV rounds them.
    """
    target = new_size(data.shape, size, keep_ratio)
    rows, columns, rounding = axes_of(data.shape[-3:-1], target, interp)
    if data.dtype != np.uint8:
        rounding = "nearest" if np.dtype(data.dtype).kind in "iu" else "exact"
    axes = [
        (array_beside(data, places.astype(np.int64)), array_beside(data, weights.astype(np.float64)))
        for places, weights in (rows, columns)
    ]
    made = kernels.image_resize(fold(data, (product(data.shape[:-3]), *data.shape[-3:])), *axes, rounding)
    made = fold(made, (*data.shape[:-3], *target, data.shape[-1]))
    return made if out is None else kernels.copy(made, out=out)
