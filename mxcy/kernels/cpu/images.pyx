"""Images in other sizes."""

from libc.stdint cimport int64_t

from ..._array cimport Array
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport KernelContext
from ..._launch cimport contiguous, launch, operand, result

from .copying import copy

__all__ = ["image_hue", "image_resize"]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/images.hpp" namespace "mxcy" nogil:
    const int EXACT, NEAREST, UPWARDS, FIXED, FIXED_EVEN, FIXED_PAIRS
    cdef cppclass ResizeParams:
        int64_t images, height, width, channels, rows, columns, row_taps, column_taps
        int rounding
    int image_resize_kernel(KernelContext&)
    cdef cppclass HueParams:
        int64_t pixels
        double turn
    int image_hue_kernel(KernelContext&)

ROUNDINGS = {
    "exact": EXACT, "nearest": NEAREST, "upwards": UPWARDS, "fixed": FIXED, "fixed even": FIXED_EVEN,
    "fixed pairs": FIXED_PAIRS,
}


def image_resize(x, rows, columns, rounding, out=None):
    """Return images x (n, h, w, channels) whose rows and columns are weighted sums of those of x.

    rows, columns: (places, weights) of the elements of x that each one is made of, int64 and float64 arrays
    (count, taps). rounding: "exact", "nearest" or "upwards" (whole numbers; where halves go), "fixed", "fixed
    even" or "fixed pairs" (bytes, as OpenCV rounds them: weights are 2048ths, and with pairs some low bits of
    two rows are dropped).
    """
    cdef Array images = operand("image_resize", "data", x)
    cdef Array high = operand("image_resize", "rows", rows[0]), wide = operand("image_resize", "columns", columns[0])
    cdef ResizeParams p
    cdef int64_t dims[4]
    p.images, p.height, p.width, p.channels = images.shape
    p.rows, p.row_taps = high.shape
    p.columns, p.column_taps = wide.shape
    p.rounding = ROUNDINGS[rounding]
    dims[0], dims[1], dims[2], dims[3] = p.images, p.rows, p.columns, p.channels
    cdef Array target = result("image_resize", images, out, 4, dims, images.dtype_code), plain = target
    if not target.c_contiguous:
        plain = result("image_resize", images, None, 4, dims, images.dtype_code)
    inputs = [contiguous(a) for a in (images, high, rows[1], wide, columns[1])]
    launch(image_resize_kernel, "image_resize", [plain], inputs, &p, sizeof(p),
           500 + 2.0 * target.size * p.row_taps * p.column_taps)
    return target if plain is target else copy(plain, target)


def image_hue(x, turn):
    """Return pixels x (..., 3) of red, green and blue with `turn` circles added to their hue."""
    cdef Array pixels = operand("image_hue", "data", x)
    cdef HueParams p
    p.pixels, p.turn = pixels.size // 3, turn
    cdef Array made = result("image_hue", pixels, None, pixels.ndim_, pixels.dims, pixels.dtype_code)
    launch(image_hue_kernel, "image_hue", [made], [contiguous(pixels)], &p, sizeof(p), 300 + 8.0 * pixels.size)
    return made
