"""Convolutions and their gradients as matrix products over gathered patches.

For some images at a time the patches under the kernel become the columns of a matrix (images, groups,
channels * kernel, positions), and cuBLAS multiplies; a kernel of one element on every place needs no
gathering. Sums over images and patches are taken in a fixed order.
"""

from __future__ import annotations

import functools
import struct
from math import prod

import numpy as np

from ..._array import Array, empty
from ..._gpu import LETTERS, launch
from ..._pointwise import compile_program, invoke
from ..._reduce import reduce
from ...dtypes import DTYPES
from ._compiler import get_kernel
from .products import matmul
from .reduction import MAX_GRID, THREADS

__all__ = ["KERNELS"]

COLUMNS_BYTES = 256 << 20  # of patches at a time


class _Geometry:
    """ConvolutionParams."""

    inside: tuple
    out: tuple
    kernel: tuple
    stride: tuple
    dilate: tuple
    pad: tuple

    def __init__(self, parameters: bytes):
        numbers = struct.unpack("22q?", parameters[:177])
        self.images, self.groups, self.channels, self.filters = numbers[:4]
        names = ("inside", "out", "kernel", "stride", "dilate", "pad")
        for k, name in enumerate(names):
            setattr(self, name, numbers[4 + 3 * k : 7 + 3 * k])
        self.relu = numbers[22]
        self.positions, self.taps = prod(self.out), prod(self.kernel)
        self.rows = self.channels * self.taps
        self.plain = self.taps == 1 and self.pad == (0, 0, 0) and self.stride == (1, 1, 1)

    def numbers(self) -> list[int]:
        return [self.taps, *self.inside, *self.out, *self.kernel[1:], *self.stride, *self.dilate, *self.pad]

    def pieces(self, item: int):
        """Ranges of images whose patches are gathered together."""
        each = max(1, COLUMNS_BYTES // max(item * self.groups * self.rows * self.positions, 1))
        for first in range(0, self.images, each):
            yield first, min(each, self.images - first)


_NAMES = (
    "taps, i0, i1, i2, o0, o1, o2, k1, k2, s0, s1, s2, d0, d1, d2, p0, p1, p2"  # Geometry.numbers, in order
)

_GATHER = f"""
def kernel(size, {_NAMES}, x, columns):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    positions = o0 * o1 * o2
    while e < size:
        line = div(e, positions)
        o = e - line * positions
        plane = div(line, taps)
        k = line - plane * taps
        kd = div(k, k1 * k2)
        kh = div(k - kd * k1 * k2, k2)
        kw = k - (kd * k1 + kh) * k2
        od = div(o, o1 * o2)
        oh = div(o - od * o1 * o2, o2)
        ow = o - (od * o1 + oh) * o2
        a = od * s0 - p0 + kd * d0
        b = oh * s1 - p1 + kh * d1
        c = ow * s2 - p2 + kw * d2
        inside = a >= i64(0) and a < i0 and b >= i64(0) and b < i1 and c >= i64(0) and c < i2
        value = ZERO
        if inside:
            value = x[((plane * i0 + a) * i1 + b) * i2 + c]
        columns[e] = value
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""

_SPREAD = f"""
def kernel(size, k0, {_NAMES}, columns, x):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    positions = o0 * o1 * o2
    while e < size:
        rest = div(e, i2)
        c = e - rest * i2
        row = div(rest, i1)
        b = rest - row * i1
        plane = div(row, i0)
        a = row - plane * i0
        total = ZERO
        for kd in range(k0):
            od = a + p0 - kd * d0
            if od < i64(0) or od >= o0 * s0 or od % s0 != i64(0):
                continue
            for kh in range(k1):
                oh = b + p1 - kh * d1
                if oh < i64(0) or oh >= o1 * s1 or oh % s1 != i64(0):
                    continue
                for kw in range(k2):
                    ow = c + p2 - kw * d2
                    if ow < i64(0) or ow >= o2 * s2 or ow % s2 != i64(0):
                        continue
                    tap = plane * taps + (kd * k1 + kh) * k2 + kw
                    o = (div(od, s0) * o1 + div(oh, s1)) * o2 + div(ow, s2)
                    total += columns[tap * positions + o]
        x[e] = total
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""

_DIV = "def div(a, b):\n    return {body}\n"


@functools.lru_cache(maxsize=64)
def _kernel(spread: bool, code: int, wide: bool, device: int):
    kind = "f64" if code == 12 else "f32"
    source = (_SPREAD if spread else _GATHER).replace("ZERO", f"{kind}(0)")
    body = "a // b" if wide else "i64(div32(u32(a), u32(b)))"
    signature = "q" * (20 if spread else 19) + ("P" + LETTERS[code]) * 2
    name = "convolution_data_grad" if spread else "convolution"
    return get_kernel(name, source, signature, device, _DIV.format(body=body))


def _part(x: Array, shape: tuple, offset: int = 0) -> Array:
    """A dense view of a shape, `offset` elements into an array in C order."""
    steps = [x.itemsize]
    for extent in reversed(shape[1:]):
        steps.insert(0, steps[0] * max(extent, 1))
    return x._strided(offset * x.itemsize, shape, tuple(steps))


def _grid(size: int) -> int:
    return min(-(-size // THREADS), MAX_GRID)


def _gather(g: _Geometry, x: Array, first: int, count: int) -> Array:
    """Patches of some images: (count, groups, channels * taps, positions)."""
    shape = (count, g.groups, g.rows, g.positions)
    inside = prod(g.inside)
    images = _part(x, (count, g.groups, g.channels, inside), first * g.groups * g.channels * inside)
    if g.plain:
        return images._reshape_view(shape)
    columns = empty(shape, x.dtype, 0, x._context_code)
    size = prod(shape)
    kernel = _kernel(False, x._dtype_code, size >= 1 << 31, x._context_code & 0xFF)
    arguments = [size, *g.numbers(), images, columns]
    launch("convolution", [columns], [images], [(kernel, _grid(size), THREADS, arguments)])
    return columns


@functools.lru_cache(maxsize=16)
def _ending(code: int, bias: bool, relu: bool):
    steps: list = [(np.add, (0, 1))] if bias else []
    if relu:
        steps.append(("relu", (2 if bias else 0,)))
    count = 2 if bias else 1
    return compile_program(count, steps, [count - 1 + len(steps)], [code] * count, name="convolution")


def _finish(out: Array, planes: int, size: int, bias: list, relu: bool) -> None:
    """Add a number to every plane, and cut off what is negative."""
    if not bias and not relu:
        return
    view = _part(out, (out.size // max(planes * size, 1), planes, size))
    operands = [view, *(b._reshape_view((planes, 1)) for b in bias)]
    invoke(_ending(out._dtype_code, bool(bias), relu), operands, [view])


def _forward(outputs: list, inputs: list, parameters: bytes) -> None:
    g, (out,), (x, weight, *bias) = _Geometry(parameters), outputs, inputs
    if out.size == 0:
        return
    filters = _part(weight, (1, g.groups, g.filters, g.rows))
    for first, count in g.pieces(x.itemsize):
        shape = (count, g.groups, g.filters, g.positions)
        target = _part(out, shape, first * g.groups * g.filters * g.positions)
        matmul("convolution", filters, _gather(g, x, first, count), target)
    _finish(out, g.groups * g.filters, g.positions, bias, g.relu)


def _data_gradient(outputs: list, inputs: list, parameters: bytes) -> None:
    g, (out,), (heads, weight, *bias) = _Geometry(parameters), outputs, inputs
    if out.size == 0:
        return
    filters = _part(weight, (1, g.groups, g.filters, g.rows))._transpose_view((0, 1, 3, 2))
    plane = prod(g.inside)
    for first, count in g.pieces(out.itemsize):
        shape = (count, g.groups, g.filters, g.positions)
        head = _part(heads, shape, first * g.groups * g.filters * g.positions)
        images = _part(out, (count, g.groups, g.channels, plane), first * g.groups * g.channels * plane)
        columns_shape = (count, g.groups, g.rows, g.positions)
        if g.plain:
            matmul("convolution_data_grad", filters, head, images._reshape_view(columns_shape))
            continue
        columns = empty(columns_shape, out.dtype, 0, out._context_code)
        matmul("convolution_data_grad", filters, head, columns)
        wide = max(columns.size, out.size) >= 1 << 31
        kernel = _kernel(True, out._dtype_code, wide, out._context_code & 0xFF)
        size = images.size
        arguments = [size, g.kernel[0], *g.numbers(), columns, images]
        launches = [(kernel, _grid(size), THREADS, arguments)]
        launch("convolution_data_grad", [images], [columns], launches)
    _finish(out, g.groups * g.channels, plane, bias, g.relu)


def _weight_gradient(outputs: list, inputs: list, parameters: bytes) -> None:
    g, (out,), (heads, x) = _Geometry(parameters), outputs, inputs
    if out.size == 0:
        return
    each = (g.groups, g.filters, g.rows)
    parts = empty((g.images, *each), out.dtype, 0, out._context_code)
    for first, count in g.pieces(x.itemsize):
        shape = (count, g.groups, g.filters, g.positions)
        head = _part(heads, shape, first * g.groups * g.filters * g.positions)
        columns = _gather(g, x, first, count)._transpose_view((0, 1, 3, 2))
        target = _part(parts, (count, *each), first * prod(each))
        matmul("convolution_weight_grad", head, columns, target)
    reduce(
        np.add, parts, 0, False, DTYPES[out._dtype_code], out=_part(out, each), name="convolution_weight_grad"
    )


KERNELS = {
    "convolution": _forward,
    "convolution_data_grad": _data_gradient,
    "convolution_weight_grad": _weight_gradient,
}
