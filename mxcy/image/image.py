"""Pictures as arrays (height, width, channels): reading, scaling, cutting, turning.

Sizes are (width, height), positions (x, y), as in MXNet. Random functions draw from the generators that
MXNet draws from (Python's `random`, for angles NumPy's), in its order: a seed gives the same parts.
"""

from __future__ import annotations

import math
import os
import random
import warnings
from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np

from .. import ndarray as nd
from .._array import Array
from .._paths import also, names_from
from ..errors import (
    ArgumentError,
    AssertedArgumentError,
    DTypeError,
    FormatError,
    OperandTypeError,
    ShapeError,
    message,
    problem,
    wrap,
)
from ..ndarray import NDArray
from ..util import is_np_array
from . import codec

__all__ = [
    "center_crop",
    "color_normalize",
    "copyMakeBorder",
    "fixed_crop",
    "imdecode",
    "imread",
    "imresize",
    "imrotate",
    "random_crop",
    "random_rotate",
    "random_size_crop",
    "resize_short",
    "scale_down",
    *also("Augmenter BrightnessJitterAug CastAug CenterCropAug ColorJitterAug ColorNormalizeAug "),
    *also("ContrastJitterAug CreateAugmenter ForceResizeAug HorizontalFlipAug HueJitterAug ImageIter "),
    *also("LightingAug RandomCropAug RandomGrayAug RandomOrderAug RandomSizedCropAug ResizeAug "),
    *also("SaturationJitterAug SequentialAug"),
]

__getattr__ = names_from(__name__, "mxcy.image")  # which MXNet keeps in this module

NEAREST, BILINEAR, CUBIC, AREA, LANCZOS, AUTOMATIC, RANDOM = 0, 1, 2, 3, 4, 9, 10


def array_of(values: np.ndarray) -> Any:
    """Return an array of a NumPy array's dtype: of `mx.np` where `is_np_array` says so, else of `mx.nd`."""
    if is_np_array():
        from .. import numpy as mx_np

        return mx_np.array(values, dtype=values.dtype)
    return nd.array(values, dtype=values.dtype)


def as_array(image: np.ndarray, out: NDArray | None = None) -> NDArray:
    """Return a picture of NumPy as an array of its dtype, or write it to `out`; see `array_of`."""
    if out is None:
        return array_of(image)
    out[:] = image
    return out


def imread(filename: str | os.PathLike, flag: int = 1, to_rgb: bool = True, out: Any = None) -> NDArray:
    """Return the picture in a file; see `imdecode`."""
    try:
        with open(filename, "rb") as stream:
            data = stream.read()
    except OSError as error:
        raise wrap(error) from None
    try:
        return as_array(codec.decode(data, flag, bool(to_rgb)), out)
    except FormatError as error:
        raise FormatError(f"imread({os.fspath(filename)}): {error}") from None


def imdecode(buf: Any, flag: int = 1, to_rgb: bool = True, out: NDArray | None = None) -> NDArray:
    """Return the picture in the bytes of a file, uint8 (height, width, channels).

    `buf`: bytes or an array of them. `flag`: 1 for three channels, 0 for one, -1 for those of the file.
    `to_rgb`: the order of the channels, else BGR. Pictures of cameras are turned as their EXIF data say,
    where these come before any head of JFIF. Raises FormatError for what is no picture.
    """
    if isinstance(buf, Array):
        buf = buf.asnumpy()
    if not isinstance(buf, (bytes, bytearray, memoryview, np.ndarray)):
        expected = "bytes, a bytearray or an array of uint8"
        raise ArgumentError(message("imdecode", "buf", expected, type(buf).__name__))
    return as_array(codec.decode(np.ascontiguousarray(buf) if isinstance(buf, np.ndarray) else buf,
                                 flag, bool(to_rgb)), out)  # fmt: skip


def interpolation(interp: int, sizes: Sequence[int] = ()) -> int:
    """Return which of OpenCV's methods (0 to 4) is meant by `interp`.

    9: cubic where a picture grows, area where it shrinks, else bilinear; `sizes` are the old and the new
    (height, width). 10: any.
    """
    if interp == AUTOMATIC:
        if not sizes:
            return CUBIC
        height, width, new_height, new_width = sizes
        if new_height > height and new_width > width:
            return CUBIC
        return AREA if new_height < height and new_width < width else BILINEAR
    if interp == RANDOM:
        return random.randint(0, 4)
    if interp not in (NEAREST, BILINEAR, CUBIC, AREA, LANCZOS):
        raise ArgumentError(message("imresize", "interp", "0 to 4, 9 or 10", interp))
    return interp


_get_interp_method = interpolation  # the name that libraries import


# Where OpenCV 5 gives other last digits than the one in MXNet, or none.
OWN_RESIZE = {
    "uint8": (CUBIC,),
    "float32": (BILINEAR, CUBIC),
    "float64": (BILINEAR, CUBIC),
    "int8": (NEAREST, BILINEAR, CUBIC, AREA, LANCZOS),
}


def resized(image: np.ndarray, width: int, height: int, interp: int) -> np.ndarray:
    """Return a picture of NumPy scaled by OpenCV."""
    cv2 = codec.opencv()
    if image.ndim != 3 or not image.size:
        expected = "a picture (height, width, channels) that is not empty"
        raise ShapeError(message("imresize", "src", expected, f"shape {image.shape}"))
    if interp in OWN_RESIZE.get(image.dtype.name, ()):
        return nd.image.resize(nd.array(image, dtype=image.dtype), (width, height), False, interp).asnumpy()
    try:
        found = cv2.resize(image, (width, height), interpolation=interp)
    except cv2.error as error:
        text = f"OpenCV cannot scale {image.dtype} of shape {image.shape} to {width} x {height}: {error.err}"
        raise ArgumentError(problem("imresize", None, text)) from None
    return found.reshape(height, width, image.shape[2])


def imresize(src: NDArray, w: int, h: int, interp: int = 1, out: NDArray | None = None) -> NDArray:
    """Return a picture scaled to a width and a height.

    `interp`: 0 nearest pixel, 1 bilinear, 2 cubic, 3 mean of the area, 4 Lanczos, 9 cubic where it grows,
    area where it shrinks, 10 any of 0 to 4.
    """
    if not isinstance(src, Array):
        raise OperandTypeError(message("imresize", "src", "an NDArray", type(src).__name__))
    if w < 1 or h < 1:
        raise ArgumentError(message("imresize", "w, h", "at least 1", (w, h)))
    method = interpolation(interp, (*src.shape[:2], h, w))
    return as_array(resized(src.asnumpy(), w, h, method), out)


def scale_down(src_size: Sequence[int], size: Sequence[int]) -> tuple[int, int]:
    """Return `size` made smaller, in its proportions, until it fits into `src_size`.

    >>> scale_down((640, 480), (720, 120))
    (640, 106)
    """
    width, height = size
    most_width, most_height = src_size
    if most_height < height:
        width, height = width * most_height / height, most_height  # type: ignore[assignment]
    if most_width < width:
        width, height = most_width, height * most_width / width  # type: ignore[assignment]
    return int(width), int(height)


def copyMakeBorder(src: NDArray, top: int, bot: int, left: int, right: int, type: int = 0,
                   value: float = 0.0, values: Any = (), out: NDArray | None = None) -> NDArray:  # fmt: skip
    """Return a picture with a border.

    `type` is OpenCV's: 0 filled by `values` (one for each channel, or `value` for all), 1 mirrored, 2
    mirrored without the edge, 3 the edge repeated, 4 the other side.
    """
    cv2 = codec.opencv()
    filling = [float(v) for v in np.ravel(values)] or [float(value)] * 4
    image = src.asnumpy()
    try:
        found = cv2.copyMakeBorder(image, top, bot, left, right, type, value=filling)
    except cv2.error as error:
        margins = (top, bot, left, right)
        text = f"OpenCV cannot put a border {margins} of type {type} around {image.dtype}: {error.err}"
        raise ArgumentError(problem("copyMakeBorder", None, text)) from None
    return as_array(found.reshape(*found.shape[:2], image.shape[2]), out)


def resize_short(src: NDArray, size: int, interp: int = 2) -> NDArray:
    """Return a picture scaled so that its shorter edge is `size`."""
    height, width = src.shape[:2]
    if height > width:
        new_height, new_width = size * height // width, size
    else:
        new_height, new_width = size, size * width // height
    return imresize(src, new_width, new_height, interp)


def fixed_crop(src: NDArray, x0: int, y0: int, w: int, h: int, size: Any = None, interp: int = 2) -> NDArray:
    """Return a part of a picture, scaled to `size` if that is given."""
    if w < 1 or h < 1:
        raise ArgumentError(message("fixed_crop", "w, h", "at least 1", (w, h)))
    part = src[y0 : y0 + h, x0 : x0 + w]
    if size is None or (w, h) == tuple(size):
        return part
    width, height = size
    return imresize(part, width, height, interp)


def random_crop(src: NDArray, size: Sequence[int], interp: int = 2) -> tuple[NDArray, tuple]:
    """Return (a part of a picture from anywhere, its x, y, width and height); if too small, scaled up."""
    height, width = src.shape[:2]
    w, h = scale_down((width, height), size)
    x, y = random.randint(0, width - w), random.randint(0, height - h)
    return fixed_crop(src, x, y, w, h, size, interp), (x, y, w, h)


def center_crop(src: NDArray, size: Sequence[int], interp: int = 2) -> tuple[NDArray, tuple]:
    """Return (the middle of a picture, its x, y, width and height); scaled up if it is too small."""
    height, width = src.shape[:2]
    w, h = scale_down((width, height), size)
    x, y = (width - w) // 2, (height - h) // 2
    return fixed_crop(src, x, y, w, h, size, interp), (x, y, w, h)


def random_size_crop(src: NDArray, size: Sequence[int], area: Any, ratio: Sequence[float], interp: int = 2,
                     **deprecated: Any) -> tuple[NDArray, tuple]:  # fmt: skip
    """Return (a part of random size scaled to `size`, its x, y, width and height).

    `area`: range of the part's share of the picture (or its lower end), `ratio`: range of width over
    height. The middle of the picture, if ten random parts do not fit (Szegedy et al. 2015).
    """
    area = deprecated_area("random_size_crop", area, deprecated)
    least, most = area if np.ndim(area) else (area, 1.0)
    height, width = src.shape[:2]
    for _ in range(10):
        wanted = random.uniform(least, most) * height * width
        proportion = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(wanted * proportion)), round(math.sqrt(wanted / proportion))
        if w <= width and h <= height:
            x, y = random.randint(0, width - w), random.randint(0, height - h)
            return fixed_crop(src, x, y, w, h, size, interp), (x, y, w, h)
    return center_crop(src, size, interp)


def deprecated_area(caller: str, area: Any, given: dict[str, Any]) -> Any:
    """Return the area under its older name, with a warning; AssertionError for other keywords."""
    if "min_area" in given:
        warnings.warn(f"{caller}: min_area is deprecated, use area", DeprecationWarning, stacklevel=3)
        area = given.pop("min_area")
    if given:
        raise AssertedArgumentError(message(caller, None, "no other keywords", ", ".join(given)))
    return area


def color_normalize(src: NDArray, mean: Any, std: Any = None) -> NDArray:
    """Subtract the mean of each channel and divide by the standard deviation, in place; None: leave out."""
    if mean is not None:
        src -= mean
    if std is not None:
        src /= std
    return src


def imrotate(src: NDArray, rotation_degrees: Any, zoom_in: bool = False, zoom_out: bool = False) -> NDArray:
    """Return pictures turned around their middle; what comes from outside is 0.

    `src`: float32, (channels, height, width) with one angle, or (n, channels, height, width) with one or n.
    `zoom_in`: enlarge so that nothing comes from outside; `zoom_out`: shrink so that nothing is lost.
    """
    if zoom_in and zoom_out:
        raise ArgumentError(message("imrotate", "zoom_in, zoom_out", "one of them", "both"))
    if src.dtype != np.float32:
        raise DTypeError(message("imrotate", "src", "float32", np.dtype(src.dtype).name))
    single = src.ndim == 3
    if single and not isinstance(rotation_degrees, Number):
        got = type(rotation_degrees).__name__
        raise DTypeError(message("imrotate", "rotation_degrees", "a number for one picture", got))
    if src.ndim not in (3, 4):
        raise ShapeError(message("imrotate", "src", "3 or 4 dimensions", src.ndim))
    images = src.expand_dims(0) if single else src
    count, _, height, width = images.shape
    if isinstance(rotation_degrees, Number):
        degrees = np.full(count, rotation_degrees, np.float32)
    else:
        degrees = np.asarray(getattr(rotation_degrees, "asnumpy", lambda: rotation_degrees)(), np.float32)
    if len(degrees) != count:
        raise ShapeError(message("imrotate", "rotation_degrees", f"{count} angles", len(degrees)))
    grid = turned_grid(np.deg2rad(degrees), height, width, zoom_in, zoom_out)
    sample: Any = nd.BilinearSampler
    found = sample(images, nd.array(grid, ctx=src.context))
    return found[0] if single else found


def turned_grid(angles: np.ndarray, height: int, width: int, zoom_in: bool, zoom_out: bool) -> np.ndarray:
    """Where the pixels of turned pictures come from, float32 (n, 2, height, width), from -1 to 1."""
    half_height, half_width = (height - 1) / 2, (width - 1) / 2
    y, x = np.mgrid[:height, :width].astype(np.float32)
    y, x = y - np.float32(half_height), x - np.float32(half_width)
    cos, sin = (f(angles)[:, None, None] for f in (np.cos, np.sin))
    grid = np.stack([(x * cos - y * sin) / half_width, (x * sin + y * cos) / half_height], axis=1)
    if zoom_in or zoom_out:
        # The box around the turned picture, from its corners.
        diagonal, corner = np.hypot(height, width), np.arctan(height / width)
        turned = corner + np.abs(angles), corner - np.abs(angles)
        most_x = diagonal * np.maximum(*(np.abs(np.cos(a)) for a in turned))
        most_y = diagonal * np.maximum(*(np.abs(np.sin(a)) for a in turned))
        if zoom_out:
            scale = np.maximum(most_x / width, most_y / height)
        else:
            scale = np.minimum(width / most_x, height / most_y)
        grid *= scale[:, None, None, None]
    return grid.astype(np.float32)


def random_rotate(src: NDArray, angle_limits: Sequence[float], zoom_in: bool = False,
                  zoom_out: bool = False) -> NDArray:  # fmt: skip
    """Return pictures turned by random angles between two limits, in degrees; see `imrotate`."""
    low, high = angle_limits
    angles: Any = np.random.uniform(low, high, None if src.ndim == 3 else src.shape[0])
    return imrotate(src, angles, zoom_in, zoom_out)
