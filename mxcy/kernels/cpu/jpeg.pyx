"""Windows of JPEG pictures, decoded without the interpreter's lock by libjpeg-turbo.

The package is built with it if the compiler finds it (Debian: libjpeg-dev); `HAS_JPEG` says so.
"""

from libc.stdint cimport int64_t, uint8_t

import numpy as np

from ...errors import ShapeError, message

__all__ = ["HAS_JPEG", "jpeg_head", "jpeg_window"]


cdef extern from "mxcy/kernels/cpu/jpeg.hpp" namespace "mxcy" nogil:
    const int JPEG_TEXT
    cdef cppclass JpegHead:
        int64_t height, width
        bint usual
    cdef cppclass JpegWindow:
        const uint8_t* data
        size_t nbytes
        int factor, channels
        int64_t top, left, bottom, right
        uint8_t* pixels
        int64_t height, width
    bint has_jpeg()
    int read_jpeg_head(const uint8_t*, size_t, JpegHead*, char*)
    int read_jpeg_window(const JpegWindow&, char*)


HAS_JPEG = has_jpeg()


def jpeg_head(data):
    """Return (height, width, whether it is grey or of three colours) of a JPEG; ValueError for what is none."""
    cdef const uint8_t[::1] content = data
    cdef JpegHead head
    cdef char text[JPEG_TEXT]
    if not content.shape[0] or read_jpeg_head(&content[0], content.shape[0], &head, text):
        raise ValueError(text.decode("latin1") if content.shape[0] else "no bytes")
    return head.height, head.width, head.usual


def jpeg_window(data, int factor, image, rows, columns):
    """Decode some rows and columns of a JPEG, shrunk by a factor, into `image`; ValueError for a damaged one.

    image: uint8 (height, width, 1 or 3 channels: RGB) in C order, of the whole picture's size divided by the
    factor (1, 2, 4, 8) and rounded up. rows, columns: (first, end). What is outside stays, or is overwritten.
    """
    cdef const uint8_t[::1] content = data
    cdef uint8_t[:, :, ::1] pixels = image
    cdef JpegWindow w
    cdef char text[JPEG_TEXT]
    cdef int status
    if not content.shape[0]:
        raise ValueError("no bytes")
    w.data, w.nbytes = &content[0], content.shape[0]
    w.height, w.width, w.channels = image.shape
    w.factor, w.pixels = factor, &pixels[0, 0, 0]
    w.top, w.bottom = rows
    w.left, w.right = columns
    if not (0 <= w.top < w.bottom <= w.height and 0 <= w.left < w.right <= w.width):
        expected = f"a window of {w.height} x {w.width} pixels"
        raise ShapeError(message("jpeg_window", "rows, columns", expected, (rows, columns)))
    if w.channels not in (1, 3) or factor not in (1, 2, 4, 8):
        raise ShapeError(message("jpeg_window", "image", "1 or 3 channels, shrunk by 1, 2, 4 or 8", w.channels))
    with nogil:
        status = read_jpeg_window(w, text)
    if status:
        raise ValueError(text.decode("latin1"))
