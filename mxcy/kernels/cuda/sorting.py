"""Sorting along an axis: stable in both directions, NaN counts as larger than any number."""

from __future__ import annotations

import functools
import struct

from ..._gpu import LETTERS, launch
from ...dtypes import DTYPES
from ._functions import convert
from ._merge import SortPlan
from ._spaces import Walk, normalise
from .copying import fill
from .reduction import elements, read_element, write_element

__all__ = ["KERNELS"]

INT64 = 7
UNSIGNED = {1: 2, 2: 4, 4: 6, 8: 8}  # dtype codes by size
INFINITIES = {9: 0x7C00, 10: 0x7F80, 11: 0x7F800000, 12: 0x7FF0000000000000}
PARTS = {13: 11, 14: 12}  # of complex numbers

# A float's bits as an unsigned integer of the same order; both zeros are equal, NaN comes last.
_FLOAT_KEY = """
def float_key(bits):
    magnitude = {T}(bits & {T}({rest}))
    if magnitude > {T}({infinity}):
        return {T}({all})
    if magnitude == {T}(0):
        return {T}({sign})
    return {T}(~bits) if bits & {T}({sign}) else {T}(bits | {T}({sign}))
"""


def _key(code: int, element: str) -> str:
    """The source of the key of an element as it is in memory."""
    bits = 8 * DTYPES[code].itemsize
    name = f"u{bits}"
    if code == 0:
        return f"(u8(1) if {element} != u8(0) else u8(0))"
    if code in INFINITIES:
        raw = element if bits == 16 else f"f{bits}_to_bits({element})"
        return f"float_key({raw})"
    if DTYPES[code].kind == "i":
        return f"{name}({name}({element}) ^ {name}({1 << bits - 1}))"
    return element


def _functions(code: int) -> str:
    if code not in INFINITIES:
        return ""
    bits = 8 * DTYPES[code].itemsize
    sign = 1 << bits - 1
    return _FLOAT_KEY.format(
        T=f"u{bits}", rest=sign - 1, infinity=INFINITIES[code], all=2 * sign - 1, sign=sign
    )


def _read(code: int, ascending: bool) -> list[str]:
    """Lines that set the key of element i of line k."""
    part = PARTS.get(code, code)
    name = f"u{8 * DTYPES[part].itemsize}"
    places = [f"2 * (xo + i * x_step) + {h}" for h in (0, 1)] if code in PARTS else ["xo + i * x_step"]
    keys = [_key(part, f"x[{place}]") for place in places]
    return [f"key{h} = {key if ascending else f'{name}(~{key})'}" for h, key in enumerate(keys)]


def _write(code: int, out_codes: tuple, roles: tuple) -> list[str]:
    """Lines that write what is asked for of the element at `place`, which is number `rank` of line k."""
    lines = []
    for m, (role, out) in enumerate(zip(roles, out_codes, strict=True)):
        if role == "mask":
            lines += write_element(out, f"y{m}", f"o{m} + place * step{m}", convert(0, out, "True"))
        elif role == "values":
            value = read_element(code, "x", "xo + place * x_step")
            lines += write_element(code, f"y{m}", f"o{m} + rank * step{m}", value)
        else:
            value = convert(INT64, out, "place")
            lines += write_element(out, f"y{m}", f"o{m} + rank * step{m}", value)
    return lines


@functools.lru_cache(maxsize=512)
def _plan(code, out_codes, roles, ascending, shape, axis, steps, keep, device):
    """Return (kernel, grid, block, integers, whether arrays follow, scratch) each, and bytes of scratch."""
    others = [d for d in range(len(shape)) if d != axis]
    extents, merged = normalise([shape[d] for d in others], [[s[d] for d in others] for s in steps])
    walk = Walk("k", extents, merged)
    names = ["xo", *[f"o{m}" for m in range(len(roles))]]
    own = ["x_step", *[f"step{m}" for m in range(len(roles))]]
    parameters = [*own, *walk.parameters, "x", *[f"y{m}" for m in range(len(roles))]]
    signature = "q" * (len(own) + len(walk.parameters)) + "P" + LETTERS[code]
    signature += "".join("P" + LETTERS[out] for out in out_codes)
    place = walk.lines("k", names)
    part = PARTS.get(code, code)
    plan = SortPlan(
        "sort",
        UNSIGNED[DTYPES[part].itemsize],
        code in PARTS,
        place + _read(code, ascending),
        place + _write(code, out_codes, roles),
        parameters,
        signature,
        _functions(part),
    )
    launches, scratch = plan.launches(walk.size, shape[axis], keep, device)
    numbers = [*[s[axis] for s in steps], *walk.arguments]
    return [
        (*first, [*n, *(numbers if own else [])], own, memory) for *first, n, own, memory in launches
    ], scratch


def _sort(outputs: list, inputs: list, parameters: bytes) -> None:
    # SortParams: axis; k; ascending, values, indices, mask
    axis, keep, ascending, values, indices, mask = struct.unpack("i4xq????", parameters[:20])
    x = inputs[0]
    if x.size == 0:
        return
    roles = tuple([r for r, there in (("values", values), ("indices", indices), ("mask", mask)) if there])
    steps = tuple([elements(a.strides, a._dtype_code) for a in (x, *outputs)])
    codes = tuple([y._dtype_code for y in outputs])
    made, scratch = _plan(
        x._dtype_code, codes, roles, ascending, x.shape, axis, steps, keep, x._context_code & 0xFF
    )
    if mask:
        fill(outputs[-1], 0)
    launches = [
        (*first, [*numbers, *((x, *outputs) if own else ()), *memory])
        for *first, numbers, own, memory in made
    ]
    launch("sort", list(outputs), [x], launches, scratch, updates=mask)


KERNELS = {"sort": _sort}
