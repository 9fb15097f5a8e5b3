"""Planes of images of another size: means and bilinear interpolation."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Literal

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Shape
from ._cases import case, raises, uniform
from ._declare import layer, op
from ._operator import describe


# --- references ----------------------------------------------------------------------------------------
def line_matrix(size, count, way):
    """(count, size): what the elements of the made line are of the given one."""
    found = np.zeros((count, size))
    for i in range(count):
        if way == "mean":
            first, end = i * size // count, -(-(i + 1) * size // count)
            found[i, first:end] = 1 / (end - first)
            continue
        if way == "corners":
            place = i * (size - 1) / max(count - 1, 1)
        else:
            place = max((i + 0.5) * size / count - 0.5, 0) if count > 1 else 0
        low = min(int(place), size - 1)
        found[i, low] += 1 - (place - low)
        found[i, min(low + 1, size - 1)] += place - low
    return found


def resampled_reference(x, inner, way, back=False):
    made = x
    for axis, count in ((2, inner[0]), (3, inner[1])):
        size = x.shape[axis]
        m = line_matrix(count, size, way).T if back else line_matrix(size, count, way)
        made = np.moveaxis(np.tensordot(m, made, (1, axis)), 0, axis)
    return made


# --- operators -----------------------------------------------------------------------------------------
def check_planes(name, data):
    if len(data) != 4:
        expected = "4 dimensions (n, channels, height, width)"
        raise ShapeError(message(name, "data", expected, describe(data)))


@op(
    grad=(lambda g, data, way, back: _resampled(g, data, way=way, back=not back), None),
    kinds="f",
    shape=lambda data, like: (*data[:2], *like[2:]),
    shape_only=("data", "like"),
    ref=lambda x, like, way, back: resampled_reference(x, like.shape[2:], way, back),
    cases=[
        case(uniform(2, 2, 3, 5), uniform(1, 1, 4, 2), way=way, back=back)
        for way in ("mean", "pixels", "corners")
        for back in (False, True)
    ],
)
def _resampled(data, like, *, way: Literal["mean", "pixels", "corners"], back: bool, out):
    """data in the height and width of `like`; with `back` by the transposed map of that from like's size."""
    return kernels.resample(data, like.shape[2:], way, back, out=out)


def adaptive_size(output_size):
    if len(output_size) == 2:
        return output_size
    return output_size * 2 if len(output_size) == 1 else (1, 1)


@layer(
    kinds="f",
    ref=lambda x, output_size=(): resampled_reference(x, adaptive_size(output_size), "mean"),
    cases=[
        case(uniform(2, 2, 5, 6)),
        case(uniform(2, 2, 5, 6), output_size=(3,)),
        case(uniform(2, 1, 5, 4), output_size=(2, 7)),
        raises(
            ShapeError,
            uniform(2, 5, 6),
            match="_contrib_AdaptiveAvgPooling2D(data): expected 4 dimensions (n, channels, height, width)",
        ),
        raises(
            ArgumentError,
            uniform(2, 2, 5, 6),
            output_size=(-1, 2),
            match="AdaptiveAvgPooling2D(output_size): expected extents of at least 1, got (-1, 2)",
        ),
    ],
)
class _contrib_AdaptiveAvgPooling2D:
    """Means of data (n, channels, h, w) over `output_size` parts of each plane, as equal as can be.

    output_size: (height, width), one number for both, or nothing for the mean of a plane.
    """

    output_size: Shape = ()

    def check(self):
        if any(extent < 1 for extent in self.output_size):
            op, expected = "_contrib_AdaptiveAvgPooling2D", "extents of at least 1"
            raise ArgumentError(message(op, "output_size", expected, self.output_size))

    def size(self):
        return adaptive_size(self.output_size)

    def infer(self, out, data):
        if data is None:
            return (data,), (None,)
        check_planes("_contrib_AdaptiveAvgPooling2D", data)
        return (data,), ((*data[:2], *self.size()),)

    def forward(self, data, *, out):
        return kernels.resample(data, self.size(), "mean", out=out)

    def backward(self, g, data):
        return _resampled(g, data, way="mean", back=True)


Mode = Literal["size", "odd_scale", "like", "to_even_down", "to_even_up", "to_odd_down", "to_odd_up"]
RESIZE = "_contrib_BilinearResize2D"


def resized_size(extents, height=1, width=1, scale_height=None, scale_width=None, mode="size"):
    """The height and width that a plane of these extents gets."""
    found = []
    for n, size, scale in zip(extents, (height, width), (scale_height, scale_width), strict=True):
        if mode == "size":
            found.append(size if scale is None else int(n * scale))
        elif mode == "odd_scale":
            found.append(int(n * scale) if n % 2 == 0 else int((n - 1) * scale) + 1)
        else:
            wanted, step = mode.endswith("up"), int(n % 2 != ("odd" in mode))
            found.append(n + step if wanted else n - step)
    return tuple(found)


def resize_reference(x, like=None, align_corners=True, mode="size", **attrs):
    size = like.shape[2:] if mode == "like" else resized_size(x.shape[2:], mode=mode, **attrs)
    return resampled_reference(x, size, "corners" if align_corners else "pixels")


@layer(
    kinds="f",
    ref=resize_reference,
    cases=[
        case(uniform(2, 2, 3, 4), height=5, width=3),
        case(uniform(2, 2, 3, 4), height=5, width=3, align_corners=False),
        case(uniform(2, 1, 5, 4), scale_height=0.5, scale_width=1.7),
        case(uniform(1, 2, 5, 4), scale_height=2.0, scale_width=0.5, mode="odd_scale"),
        *(
            case(uniform(1, 1, 5, 4), mode=mode)
            for mode in ("to_even_down", "to_even_up", "to_odd_down", "to_odd_up")
        ),
        case(uniform(1, 2, 3, 4), uniform(1, 1, 2, 5), mode="like"),
        raises(ShapeError, uniform(3, 4), match=f"{RESIZE}(data): expected 4 dimensions"),
        raises(
            ArgumentError,
            uniform(1, 1, 3, 4),
            height=0,
            match=f"{RESIZE}(height): expected at least 1, got 0",
        ),
        raises(
            ArgumentError,
            uniform(1, 1, 3, 4),
            mode="odd_scale",
            match=f"{RESIZE}(scale_height): expected a number",
        ),
    ],
)
class _contrib_BilinearResize2D:
    """data (n, channels, h, w) in another height and width, by bilinear interpolation.

    mode: "size" as `height` and `width` say, or `scale_height` and `scale_width` times the given one;
    "odd_scale" as scales say, of an odd extent all but its last element; "like" as the second input;
    "to_even_down" and its relatives to the next even or odd extent.  With `align_corners` the outermost
    elements keep their places, else elements are squares and their centres count.
    """

    height: int = 1
    width: int = 1
    scale_height: float | None = None
    scale_width: float | None = None
    mode: Mode = "size"
    align_corners: bool = True

    def check(self):
        scales = (self.scale_height, self.scale_width)
        for name, size in (("height", self.height), ("width", self.width)):
            if size < 1:
                raise ArgumentError(message(RESIZE, name, "at least 1", size))
        needed = self.mode == "odd_scale" or (self.mode == "size" and scales != (None, None))
        for name, scale in zip(("scale_height", "scale_width"), scales, strict=True):
            if needed and (scale is None or scale <= 0):
                raise ArgumentError(message(RESIZE, name, "a number above 0", scale))

    def inputs(self):
        return ("data", "like") if self.mode == "like" else ("data",)

    def way(self):
        return "corners" if self.align_corners else "pixels"

    def size(self, data, like):
        if self.mode == "like":
            return like[2:]
        scales = (self.scale_height, self.scale_width)
        return resized_size(data[2:], self.height, self.width, *scales, self.mode)

    def infer(self, out, *shapes):
        if any(s is None or None in s for s in shapes):
            return shapes, (None,)
        for shape in shapes:
            check_planes(RESIZE, shape)
        size = self.size(shapes[0], shapes[-1])
        if min(size) < 1:
            expected = "a size or scale that leaves elements"
            raise ShapeError(message(RESIZE, "data", expected, describe(shapes[0])))
        return shapes, ((*shapes[0][:2], *size),)

    def forward(self, data, like=None, *, out):
        size = self.size(data.shape, None if like is None else like.shape)
        return kernels.resample(data, size, self.way(), out=out)

    def backward(self, g, data):
        return _resampled(g, data, way=self.way(), back=True)
