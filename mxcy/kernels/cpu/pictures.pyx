"""Parts of pictures of NumPy into rows of batches, in one pass and without the interpreter's lock."""

from libc.stdint cimport int8_t, int64_t, uint8_t

import numpy as np

from ...errors import ShapeError, message

__all__ = ["place_picture"]


cdef extern from "mxcy/kernels/cpu/pictures.hpp" namespace "mxcy" nogil:
    cdef enum PictureType:
        PICTURE_FLOAT, PICTURE_UINT8, PICTURE_INT8
    cdef cppclass PicturePart:
        const uint8_t* pixels
        int64_t height, width, row_bytes
        int channels
        int64_t top, left, part_height, part_width
        int64_t grid_height, grid_width, window_top, window_left
        int64_t out_height, out_width
        bint mirror
        PictureType type
        float scale[4]
        float shift[4]
        void* out
    void c_place "mxcy::place_picture" (const PicturePart&) except +


cdef object refuse(str argument, object expected, object got):
    return ShapeError(message("place_picture", argument, expected, got))


def place_picture(image, out, part, grid, window, bint mirror=False, scale=None, shift=None):
    """Write a part of a picture, scaled bilinearly, mirrored and normalised.

    image: uint8 (height, width, 1, 3 or 4 channels), pixels of a row next to each other. out: float32, uint8
    or int8 (channels, rows, columns) in C order. part: (top, left, height, width) in the image; grid:
    (height, width) to which it is scaled; window: (top, left) of the piece of the grid that is written.
    scale, shift: of each channel; out = value * scale + shift, limited and rounded for int8, the value
    itself for uint8.
    The values are those of OpenCV's bilinear interpolation of bytes.
    """
    cdef const uint8_t[:, :, :] pixels = image
    cdef PicturePart p
    cdef const uint8_t[:, :, ::1] bytes_out
    cdef const int8_t[:, :, ::1] signed_out
    cdef const float[:, :, ::1] float_out
    cdef int c
    if not image.size or not out.size:
        raise refuse("image", "pixels in image and out", f"shapes {image.shape} and {out.shape}")
    if out.dtype == np.float32:
        float_out = out
        p.type, p.out = PICTURE_FLOAT, <void*>&float_out[0, 0, 0]
    elif out.dtype == np.uint8:
        bytes_out = out
        p.type, p.out = PICTURE_UINT8, <void*>&bytes_out[0, 0, 0]
    else:
        signed_out = out
        p.type, p.out = PICTURE_INT8, <void*>&signed_out[0, 0, 0]
    p.height, p.width, p.channels = image.shape
    p.pixels, p.row_bytes = &pixels[0, 0, 0], pixels.strides[0]
    p.top, p.left, p.part_height, p.part_width = part
    p.grid_height, p.grid_width = grid
    p.window_top, p.window_left = window
    p.out_height, p.out_width = out.shape[1:]
    if p.channels not in (1, 3, 4) or out.shape[0] != p.channels:
        raise refuse("image", f"{out.shape[0]} channels, 1, 3 or 4", p.channels)
    if pixels.strides[2] != 1 or pixels.strides[1] != p.channels or p.row_bytes < p.width * p.channels:
        raise refuse("image", "pixels next to each other", f"strides {image.strides}")
    if not (0 <= p.top and 0 <= p.left and 0 < p.part_height <= p.height - p.top
            and 0 < p.part_width <= p.width - p.left):
        raise refuse("part", f"a part of {p.height} x {p.width} pixels", tuple(part))
    if not (0 <= p.window_top <= p.grid_height - p.out_height
            and 0 <= p.window_left <= p.grid_width - p.out_width):
        raise refuse("window", f"a place for {out.shape[1:]} in {tuple(grid)}", tuple(window))
    p.mirror = mirror
    for c in range(4):
        p.scale[c], p.shift[c] = 1, 0
    if scale is not None:
        for c in range(p.channels):
            p.scale[c], p.shift[c] = scale[c], shift[c]
    with nogil:
        c_place(p)
