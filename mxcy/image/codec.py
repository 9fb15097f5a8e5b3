"""Bytes of picture files as arrays and back, by simplejpeg and OpenCV, which are imported when needed.

JPEG files go to simplejpeg (libjpeg-turbo), which can shrink while it decodes; what it does not take (four
colours, other formats) goes to OpenCV. Both give the pixels that MXNet gives; turned are those pictures that
MXNet turns (see `exif`). Where the package was built with libjpeg-turbo, the record iterators have only those
pixels decoded that they want (`open_for`).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import FormatError, StateError, message, problem
from ..kernels.cpu.jpeg import HAS_JPEG, jpeg_head, jpeg_window
from .exif import TRANSPOSED, orientation, turned

__all__ = ["MOST_PIXELS", "Unread", "decode", "decode_for", "encode", "open_for", "opencv"]

MOST_PIXELS = 1 << 27  # a header may claim any size; memory is not asked for beyond this
MOST_PIXELS_PER_BYTE = 1024  # of JPEG: three times what the densest coding reaches
FEW_PIXELS = 1 << 20  # for which that is not looked at
JPEG = b"\xff\xd8\xff"
UNREADABLE = (ValueError, KeyError)  # what simplejpeg raises for damaged headers


@functools.cache
def opencv() -> Any:
    """Return the module cv2. StateError if it is not installed."""
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MOST_PIXELS))  # read when cv2 is imported
    try:
        import cv2
    except ImportError:
        text = "needs OpenCV, which is not installed"
        raise StateError(problem("image", None, text, "pip install mxcy[image]")) from None
    cv2.setNumThreads(0)  # the engine's threads decode several pictures at a time
    return cv2


@functools.cache
def _simplejpeg() -> Any:
    try:
        import simplejpeg
    except ImportError:
        return None
    return simplejpeg


def decode(data: Any, color: int = 1, rgb: bool = True, upright: bool = False) -> np.ndarray:
    """Return the picture in the bytes of a file, uint8 (height, width, channels).

    `color`: 1 for three channels, 0 for one, -1 for those of the file. `rgb`: their order, else BGR.
    `upright`: turn every picture as its EXIF data say, not only those that MXNet turns. Raises FormatError
    for what is no picture, and for one of more than `MOST_PIXELS`.
    A picture that is cut short comes with grey where the rest was, as from OpenCV.
    """
    data = memoryview(data).cast("B")
    if upright:
        return _decode_any(data, color, rgb, upright=True)
    found = _decode_jpeg(data, color, rgb, 0, no_memory) if color >= 0 else None
    image = _decode_any(data, color, rgb) if found is None else found[0]
    return image if color < 0 else turned(image, orientation(data))


class Unread:
    """A JPEG whose size is known, and of which those pixels are made that are wanted.

    shape: (height, width, channels) of the picture, shrunk by a factor.
    """

    def __init__(self, data: memoryview, shape: tuple[int, int, int], factor: int, memory: Callable):
        self.shape = shape
        self._data = data
        self._factor = factor
        self._memory = memory

    def pixels(self, rows: Sequence[int] | None = None, columns: Sequence[int] | None = None) -> np.ndarray:
        """Return the picture, in which only some rows and columns (first, end) need to be right."""
        height, width, channels = self.shape
        room = self._memory(height * width * channels)
        if room is None:
            image = np.empty(self.shape, np.uint8)
        else:
            image = room[: height * width * channels].reshape(self.shape)
        try:
            jpeg_window(self._data, self._factor, image, rows or (0, height), columns or (0, width))
        except ValueError as error:
            # Perhaps something that only OpenCV can do.
            image = _decode_any(self._data, 0 if channels == 1 else 1, True)
            if image.shape != self.shape:
                got = f"{len(self._data)} bytes of JPEG, of which it says: {error}"
                raise FormatError(message("imdecode", "buf", "a whole picture", got)) from None
        return image


def open_for(data: Any, channels: int, short: int,
             memory: Callable[[int], Any]) -> tuple[Unread | np.ndarray, tuple[int, int]]:  # fmt: skip
    """As `decode_for`, but for JPEG the pixels need not be there yet."""
    data = memoryview(data).cast("B")
    if not HAS_JPEG or channels not in (1, 3) or data[:3] != JPEG or orientation(data) > 1:
        return decode_for(data, channels, short, memory)
    try:
        height, width, usual = jpeg_head(data)
    except ValueError:
        usual = False
    if not usual:
        return decode_for(data, channels, short, memory)
    check_size(height, width, len(data))
    factor = factor_for(height, width, short)
    shape = -(-height // factor), -(-width // factor), channels
    return Unread(data, shape, factor, memory), (height, width)


def decode_for(data: Any, channels: int, short: int = 0,
               memory: Callable[[int], Any] | None = None) -> tuple[np.ndarray, tuple[int, int]]:  # fmt: skip
    """Return (picture of so many channels, 1, 3 (RGB) or 4, its (height, width) in the file).

    A JPEG comes smaller by 2, 4 or 8 if its shorter edge is not below `short` then; 0: as it is.
    `memory(nbytes)` may give the memory for the result.
    """
    data = memoryview(data).cast("B")
    color = {1: 0, 3: 1}.get(channels, -1)
    way = orientation(data) if color >= 0 else 1
    found = _decode_jpeg(data, color, True, short, memory or no_memory) if color >= 0 else None
    if found is not None:
        image, size = found
        return turned(image, way), size if way < TRANSPOSED else size[::-1]
    image = turned(_decode_any(data, color, True), way)
    if image.shape[2] != channels:
        expected = f"a picture of {channels} channels"
        raise FormatError(message("imdecode", "buf", expected, image.shape[2]))
    return image, image.shape[:2]  # type: ignore[return-value]


def factor_for(height: int, width: int, short: int) -> int:
    """By how much a JPEG may be shrunk; other factors of libjpeg-turbo take longer than the full size."""
    edge = min(height, width)
    return next((x for x in (8, 4, 2) if short and -(-edge // x) >= short), 1)


def no_memory(nbytes: int) -> Any:
    """Memory of nobody: the decoder takes its own."""
    return None


def _decode_jpeg(data: memoryview, color: int, rgb: bool, short: int,
                 memory: Callable[[int], Any]) -> tuple[np.ndarray, tuple[int, int]] | None:  # fmt: skip
    """(picture, its full size) of a JPEG file; None for what OpenCV is to try."""
    simplejpeg = _simplejpeg()
    if simplejpeg is None or data[:3] != JPEG:
        return None
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except UNREADABLE:
        return None
    if space not in ("YCbCr", "Gray", "RGB"):
        return None
    check_size(height, width, len(data))
    kind = "GRAY" if color == 0 else "RGB" if rgb else "BGR"
    least = {}
    factor = factor_for(height, width, short)
    if factor > 1:
        least = {"min_height": -(-height // factor), "min_width": -(-width // factor)}
    room = memory(height * width * 3)
    try:
        found = simplejpeg.decode_jpeg(data, kind, min_factor=1, buffer=room, strict=False, **least)
    except UNREADABLE:
        return None
    return found, (height, width)


def _decode_any(data: memoryview, color: int, rgb: bool, upright: bool = False) -> np.ndarray:
    cv2 = opencv()
    flag = {0: cv2.IMREAD_GRAYSCALE, 1: cv2.IMREAD_COLOR}.get(color)
    if flag is None:
        flag = cv2.IMREAD_UNCHANGED
    elif not upright:
        flag |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), flag) if len(data) else None
    except cv2.error as error:
        raise FormatError(problem("imdecode", "buf", f"OpenCV cannot decode it: {error.err}")) from None
    if found is None:
        got = f"{len(data)} bytes that begin with {bytes(data[:8])!r}"
        raise FormatError(message("imdecode", "buf", "the bytes of a picture file", got))
    if found.dtype != np.uint8:  # unchanged pictures of 16 bits
        found = (found >> 8).astype(np.uint8)
    if found.ndim == 2:
        return found[:, :, None]
    if not rgb:
        return found
    order = [2, 1, 0, 3][: found.shape[2]]
    return np.ascontiguousarray(found[:, :, order])


def check_size(height: int, width: int, nbytes: int) -> None:
    """Raise FormatError for a picture that is too large, or cannot be in so few bytes."""
    pixels, got = height * width, f"{width} x {height}"
    if pixels > MOST_PIXELS:
        raise FormatError(message("imdecode", "buf", f"a picture of at most {MOST_PIXELS} pixels", got))
    if pixels > max(FEW_PIXELS, MOST_PIXELS_PER_BYTE * nbytes):
        expected = f"a picture that fits into {nbytes} bytes"
        raise FormatError(message("imdecode", "buf", expected, got, "the file is damaged"))


def encode(image: np.ndarray, quality: int = 95, kind: str = ".jpg") -> bytes:
    """Return the bytes of a picture file of uint8 (height, width[, channels: BGR]).

    `quality` is that of JPEG (1 to 100), or the compression of PNG (0 to 9).
    """
    cv2 = opencv()
    options = {
        ".jpg": cv2.IMWRITE_JPEG_QUALITY,
        ".jpeg": cv2.IMWRITE_JPEG_QUALITY,
        ".png": cv2.IMWRITE_PNG_COMPRESSION,
    }
    if kind.lower() == ".png":
        quality = min(quality, 9)  # what OpenCV makes of more, with a warning
    choice = [options[kind.lower()], quality] if kind.lower() in options else []
    try:
        done, encoded = cv2.imencode(kind, image, choice)
    except cv2.error as error:
        raise FormatError(problem("imencode", "img", f"OpenCV cannot encode it: {error.err}")) from None
    if not done:
        raise FormatError(message("imencode", "img", "an image that OpenCV can encode", kind))
    return encoded.tobytes()
