"""Bytes of picture files as arrays and back, by simplejpeg and OpenCV, which are imported when needed.

JPEG files go to simplejpeg (libjpeg-turbo), which can shrink while it decodes; what it does not take (four
colours, other formats) goes to OpenCV. Both give the pixels that MXNet gives, which does not turn pictures
as their EXIF data say.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np

from ..errors import FormatError, StateError, message, problem

__all__ = ["MOST_PIXELS", "decode", "encode", "opencv", "scale_for"]

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


def decode(data: Any, color: int = 1, rgb: bool = True, shrink: int = 1, buffer: Any = None) -> np.ndarray:
    """Return the picture in the bytes of a file, uint8 (height, width, channels).

    `color`: 1 for three channels, 0 for one, -1 for those of the file. `rgb`: their order, else BGR.
    `shrink`: 2, 4 or 8: a JPEG comes that many times smaller. `buffer`: memory that may hold the result.
    Raises FormatError for what is no picture, and for one of more than `MOST_PIXELS`.
    A picture that is cut short comes with grey where the rest was, as from OpenCV.
    """
    data = memoryview(data).cast("B")
    if data[:3] == JPEG and color >= 0:
        found = _decode_jpeg(data, color, rgb, shrink, buffer)
        if found is not None:
            return found
    return _decode_any(data, color, rgb)


def _decode_jpeg(data: memoryview, color: int, rgb: bool, shrink: int, buffer: Any) -> np.ndarray | None:
    """The picture in a JPEG file; None for what OpenCV is to try."""
    simplejpeg = _simplejpeg()
    if simplejpeg is None:
        return None
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except UNREADABLE:
        return None
    if space not in ("YCbCr", "Gray", "RGB"):
        return None
    check_size(height, width, len(data))
    kind = "GRAY" if color == 0 else "RGB" if rgb else "BGR"
    least = {} if shrink == 1 else {"min_height": -(-height // shrink), "min_width": -(-width // shrink)}
    if buffer is not None and len(buffer) < height * width * 3:
        buffer = None
    try:
        return simplejpeg.decode_jpeg(data, kind, min_factor=1, buffer=buffer, strict=False, **least)
    except UNREADABLE:
        return None


def _decode_any(data: memoryview, color: int, rgb: bool) -> np.ndarray:
    cv2 = opencv()
    flag = {0: cv2.IMREAD_GRAYSCALE, 1: cv2.IMREAD_COLOR}.get(color)
    flag = cv2.IMREAD_UNCHANGED if flag is None else flag | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), flag) if len(data) else None
    except cv2.error as error:
        raise FormatError(problem("imdecode", "buf", f"OpenCV cannot decode it: {error.err}")) from None
    if found is None:
        got = f"{len(data)} bytes that begin with {bytes(data[:8])!r}"
        raise FormatError(message("imdecode", "buf", "the bytes of a picture file", got))
    if found.ndim == 2:
        return found[:, :, None]
    return np.ascontiguousarray(found[:, :, ::-1]) if rgb and found.shape[2] == 3 else found


def check_size(height: int, width: int, nbytes: int) -> None:
    """Raise FormatError for a picture that is too large, or cannot be in so few bytes."""
    pixels, got = height * width, f"{width} x {height}"
    if pixels > MOST_PIXELS:
        raise FormatError(message("imdecode", "buf", f"a picture of at most {MOST_PIXELS} pixels", got))
    if pixels > max(FEW_PIXELS, MOST_PIXELS_PER_BYTE * nbytes):
        expected = f"a picture that fits into {nbytes} bytes"
        raise FormatError(message("imdecode", "buf", expected, got, "the file is damaged"))


def scale_for(data: Any, short: int) -> int:
    """By how much (1, 2, 4, 8) a JPEG may shrink so that its shorter edge is not below `short`."""
    simplejpeg = _simplejpeg()
    if simplejpeg is None or bytes(data[:3]) != JPEG:
        return 1
    try:
        edge = min(simplejpeg.decode_jpeg_header(data, strict=False)[:2])
    except UNREADABLE:
        return 1
    # Other factors of libjpeg-turbo take longer than decoding at full size.
    return next((factor for factor in (8, 4, 2) if -(-edge // factor) >= short), 1)


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
    choice = [options[kind.lower()], quality] if kind.lower() in options else []
    try:
        done, encoded = cv2.imencode(kind, image, choice)
    except cv2.error as error:
        raise FormatError(problem("imencode", "img", f"OpenCV cannot encode it: {error.err}")) from None
    if not done:
        raise FormatError(message("imencode", "img", "an image that OpenCV can encode", kind))
    return encoded.tobytes()
