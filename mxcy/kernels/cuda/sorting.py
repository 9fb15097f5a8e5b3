"""Sorting along an axis: every element counts those that come before it, which is its place.

This is stable in both directions and needs no memory, at the price of n steps for each of n elements.
"""

from __future__ import annotations

import functools
import struct

from ..._gpu import LETTERS, launch
from ...dtypes import DTYPES
from ._compiler import get_kernel
from ._functions import convert, load, store
from ._spaces import Walk, normalise
from .reduction import MAX_GRID, THREADS, elements, no_kernel

__all__ = ["KERNELS"]

INT64, FLOAT32 = 7, 11

_SOURCE = """
def kernel(size, N, keep, x_step, {steps}, {parameters}, x, {pointers}):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    while e < size:
        k = e // N
        i = e - k * N
{place}
        a = {own}
        rank = i64(0)
        j = i64(0)
        while j < N:
            b = {other}
            if {before} or ({level} and j < i):
                rank += i64(1)
            j += i64(1)
{write}
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""


@functools.lru_cache(maxsize=512)
def _plan(code, out_codes, roles, ascending, shape, axis, steps, device):
    others = [d for d in range(len(shape)) if d != axis]
    extents, merged = normalise([shape[d] for d in others], [[s[d] for d in others] for s in steps])
    walk = Walk("k", extents, merged)
    wide = FLOAT32 if code in (9, 10) else code
    read = lambda at: convert(code, wide, load(code, f"x[xo + {at} * x_step]"))
    left, right = ("u8(b)", "u8(a)") if code == 0 else ("b", "a")
    before, level = f"{left} {'<' if ascending else '>'} {right}", f"{left} == {right}"
    if DTYPES[wide].kind == "f":  # NaN is larger than any number
        if ascending:
            before = "(b < a or (a != a and b == b))"
        else:
            before = "(b > a or (b != b and a == a))"
        level = "(b == a or (a != a and b != b))"
    write = []
    for m, (role, out) in enumerate(zip(roles, out_codes, strict=True)):
        if role == "mask":
            mask = store(out, convert(0, out, "(rank < keep)"))
            write.append(f"        y{m}[o{m} + i * step{m}] = {mask}")
            continue
        value = "x[xo + i * x_step]" if role == "values" else store(out, convert(INT64, out, "i"))
        write += ["        if rank < keep:", f"            y{m}[o{m} + rank * step{m}] = {value}"]
    names = ["xo", *[f"o{m}" for m in range(len(roles))]]
    source = _SOURCE.format(
        steps=", ".join(f"step{m}" for m in range(len(roles))),
        parameters=", ".join(walk.parameters),
        pointers=", ".join(f"y{m}" for m in range(len(roles))),
        own=read("i"),
        other=read("j"),
        before=before,
        level=level,
        write="\n".join(write),
        place="\n".join(" " * 8 + line for line in walk.lines("k", names)),
    ).replace(", , x", ", x")
    signature = "qqqq" + "q" * (len(roles) + len(walk.parameters)) + "P" + LETTERS[code]
    signature += "".join("P" + LETTERS[out] for out in out_codes)
    return get_kernel("sort", source, signature, device), walk.size, walk.arguments


def _sort(outputs: list, inputs: list, parameters: bytes) -> None:
    # SortParams: axis; k; ascending, values, indices, mask
    axis, keep, ascending, values, indices, mask = struct.unpack("i4xq????", parameters[:20])
    x = inputs[0]
    if x.size == 0:
        return
    if DTYPES[x._dtype_code].kind == "c":
        raise no_kernel("sort", x._dtype_code)
    roles = tuple([r for r, there in (("values", values), ("indices", indices), ("mask", mask)) if there])
    arrays = [x, *outputs]
    codes = tuple([y._dtype_code for y in outputs])
    steps = tuple([elements(a.strides, a._dtype_code) for a in arrays])
    kernel, lines, numbers = _plan(
        x._dtype_code, codes, roles, ascending, x.shape, axis, steps, x._context_code & 0xFF
    )
    along = [s[axis] for s in steps]
    arguments = [lines * x.shape[axis], x.shape[axis], keep, *along, *numbers, *arrays]
    grid = min(-(-x.size // THREADS), MAX_GRID)
    launch("sort", list(outputs), [x], [(kernel, grid, THREADS, arguments)])


KERNELS = {"sort": _sort}
