"""Matrix products: cuBLAS for floating point, a kernel of our own for the rest and where there is no cuBLAS.

float16 and bfloat16 are summed in float32. float32 is computed in float32; MXCY_CUDA_TF32=1 lets the tensor
cores round its operands to TF32.
"""

from __future__ import annotations

import functools
import os
from itertools import product
from pathlib import Path

from ..._array import Array
from ..._gpu import LETTERS, SIMULATED, launch
from ...dtypes import DTYPES
from ._compiler import get_kernel
from ._functions import TYPES, convert
from ._spaces import normalise
from .blas import gemm, open_blas
from .reduction import read_element, write_element

__all__ = ["matmul"]

SIDE = 4 if SIMULATED else 16  # of the square of results that a block computes
# Codes of cuBLAS for dtypes: of the data, and of computing.
DATA = {9: 2, 10: 14, 11: 0, 12: 1, 13: 4, 14: 5}
COMPUTE = {9: 68, 10: 68, 11: 68, 12: 70, 13: 68, 14: 70}
TF32 = 77


@functools.cache
def _library() -> bool:
    """Open cuBLAS, from the system or from NVIDIA's wheels; return whether it is there."""
    if SIMULATED:
        return False
    names = ["libcublas.so.13", "libcublas.so.12"]
    try:
        import nvidia
    except ImportError:
        pass
    else:
        for root in map(Path, nvidia.__path__):
            names = [os.fspath(path) for path in sorted(root.glob("**/libcublas.so.*"))] + names
    return any(open_blas(name) for name in names)


def matmul(name: str, a: Array, b: Array, out: Array) -> None:
    """Multiply arrays (..., m, n) and (..., n, p) of one dtype into (..., m, p), which overlaps neither."""
    if out.size == 0:
        return
    code = out._dtype_code
    if not a.shape[-1] or code not in DATA or not _library():
        _own(name, code, a, b, out)
        return
    turned, calls = _plan(code, *[(x.shape, x.strides) for x in (a, b, out)], _compute_type(code))
    arrays = [a, b, out] if turned else [b, a, out]
    for offsets, numbers in calls:
        gemm(name, arrays, offsets, numbers)


def _compute_type(code: int) -> int:
    return TF32 if code == 11 and os.environ.get("MXCY_CUDA_TF32") == "1" else COMPUTE[code]


@functools.lru_cache(maxsize=4096)
def _plan(code: int, a: tuple, b: tuple, out: tuple, compute: int) -> tuple[bool, list]:
    """(whether the operands keep their order, offsets and numbers for cuBLAS) from shapes and strides.

    cuBLAS knows columns first, so that it computes the transposed product from the operands swapped.
    """
    item = DTYPES[code].itemsize
    turned = out[0][-1] > 1 and out[1][-1] != item  # the columns of the result are dense
    if turned:
        a, b, out = _transposed(b), _transposed(a), _transposed(out)
    batch = out[0][:-2]
    extents, merged = normalise(batch, [_batch_steps(x, item, batch) for x in (a, b, out)], leading=2)
    inner = extents.pop() if extents else 1
    inside = [own.pop() if own else 0 for own in merged]
    (m, n), p = a[0][-2:], b[0][-1]
    (turn_b, ld_b), (turn_a, ld_a) = (_layout(x[0], x[1], item) for x in (b, a))
    ld_out = max(out[1][-2] // item, p) if m > 1 else p
    shape = [turn_b, turn_a, p, m, n]
    last = [ld_b, inside[1], ld_a, inside[0], ld_out, inside[2], inner, DATA[code], compute, code]
    calls = []
    for place in product(*map(range, extents)):
        of_a, of_b, of_out = (sum(i * s for i, s in zip(place, own, strict=True)) * item for own in merged)
        calls.append(([of_b, of_a, of_out], shape + last))
    return turned, calls


def _transposed(x: tuple) -> tuple:
    return tuple([(*own[:-2], own[-1], own[-2]) for own in x])


def _batch_steps(x: tuple, item: int, batch: tuple) -> list[int]:
    """Steps along the leading axes, in elements, where they broadcast to a shape."""
    own, strides = x[0][:-2], x[1][:-2]
    missing = len(batch) - len(own)
    return [0] * missing + [
        0 if extent == 1 and whole != 1 else stride // item
        for extent, stride, whole in zip(own, strides, batch[missing:], strict=True)
    ]


def _layout(shape: tuple, strides: tuple, item: int) -> tuple[int, int]:
    """(transposed for cuBLAS, leading dimension): rows that are dense are its columns."""
    rows, columns = shape[-2:]
    row, column = (s // item for s in strides[-2:])
    if (columns <= 1 or column == 1) and not (rows > 1 and columns <= 1 and row == 1):
        return 0, max(row if rows > 1 else columns, columns, 1)
    return 1, max(column if columns > 1 else rows, rows, 1)


# --- our own ------------------------------------------------------------------------------------------------

_SOURCE = """
def kernel(M, N, P, am, an, ab, bn, bp, bb, om, op, ob, a, b, out):
    left = cuda.shared.array(({side}, {side}), {shared})
    right = cuda.shared.array(({side}, {side}), {shared})
    y = i64(cuda.threadIdx.y)
    x = i64(cuda.threadIdx.x)
    i = i64(cuda.blockIdx.y) * {side} + y
    j = i64(cuda.blockIdx.x) * {side} + x
    batch = i64(cuda.blockIdx.z)
    total = {zero}
    start = i64(0)
    while start < N:
        u = {zero}
        v = {zero}
        if i < M and start + x < N:
            u = {read_a}
        if j < P and start + y < N:
            v = {read_b}
        left[y, x] = u
        right[y, x] = v
        cuda.syncthreads()
        k = i64(0)
        while k < {side}:
            total = {type}(total + left[y, k] * right[k, x])
            k += i64(1)
        cuda.syncthreads()
        start += i64({side})
    if i < M and j < P:
        {write}
"""


@functools.cache
def _own_kernel(name: str, code: int, device: int):
    wide = 11 if code in (9, 10) else 2 if code == 0 else code  # what is summed; of bool, u8 as "or"
    source = _SOURCE.format(
        side=SIDE,
        shared=f"dt_{TYPES[wide]}",
        zero=f"{TYPES[wide]}(0)",
        type=TYPES[wide],
        read_a=convert(code, wide, read_element(code, "a", "batch * ab + i * am + (start + x) * an")),
        read_b=convert(code, wide, read_element(code, "b", "batch * bb + (start + y) * bn + j * bp")),
        write="; ".join(
            write_element(code, "out", "batch * ob + i * om + j * op", convert(wide, code, "total"))
        ),
    )
    if code == 0:
        source = source.replace("u8(total + ", "u8(total | ").replace("[y, k] * right", "[y, k] & right")
    letter = LETTERS[code]
    return get_kernel(name, source, "q" * 12 + f"P{letter}P{letter}P{letter}", device)


def _own(name: str, code: int, a: Array, b: Array, out: Array) -> None:
    batch = out.shape[:-2]
    steps = [_batch_steps((x.shape, x.strides), x.itemsize, batch) for x in (a, b, out)]
    kernel = _own_kernel("matmul", code, out._context_code & 0xFF)
    extents, merged = normalise(batch, steps, leading=2)
    inner = extents.pop() if extents else 1
    inside = [own.pop() if own else 0 for own in merged]
    (m, n), p = a.shape[-2:], b.shape[-1]
    last = [s // x.itemsize for x in (a, b, out) for s in x.strides[-2:]]
    launches = []
    for place in product(*map(range, extents)):
        for first in range(0, inner, 65535):
            views = [
                _moved(x, (sum(i * s for i, s in zip(place, own, strict=True)) + first * step) * x.itemsize)
                for x, own, step in zip((a, b, out), merged, inside, strict=True)
            ]
            numbers = [m, n, p, *last[:2], inside[0], *last[2:4], inside[1], *last[4:], inside[2]]
            grid = (-(-p // SIDE), -(-m // SIDE), min(inner - first, 65535))
            launches.append((kernel, grid, (SIDE, SIDE), [*numbers, *views]))
    launch(name, [out], [a, b], launches)


def _moved(x: Array, offset: int) -> Array:
    """A view whose first element is `offset` bytes further."""
    return x._strided(offset, (1,) * x.ndim, x.strides) if offset else x
