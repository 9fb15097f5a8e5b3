"""Running results along an axis, in the same order every time.

A block has lanes over lines and lanes over their elements, each lane ITEMS neighbours: it folds them, the
lanes of a line combine in a fixed tree (Hillis and Steele, 1986), and what a tile gives is carried to the
next. Where lines are few and long each is cut into segments: their totals come first, then the running
results of these, then those of the elements, each segment beginning with what was before it.
"""

from __future__ import annotations

import functools

from ..._gpu import LETTERS, Scratch, launch
from ...dtypes import DTYPES
from ._compiler import get_kernel
from ._functions import TYPES, expression, load, store
from ._spaces import Walk, normalise
from .reduction import (
    MAX_GRID,
    THREADS,
    along_reduced,
    elements,
    read_element,
    segments,
    shared_type,
    write_element,
)

__all__ = ["accumulate"]

ITEMS = 4

_SOURCE = """
def kernel(K, N, segment, x_step, out_step, {parameters}, p0, {pointers}):
    totals = cuda.shared.array({threads}, {shared})
    t = i64(cuda.threadIdx.x)
    {lanes}
    kb = i64(cuda.blockIdx.x)
    while kb * {kx} < K:
        k = kb * {kx} + kept_lane
        base = i64(0)
        place = i64(0)
        if k < K:
{walk}
        begin = i64(cuda.blockIdx.y) * segment
        end = min(N, begin + segment)
        carried = {zero}
        there = False
{carry}
        start = begin
        while start < end:
            first = start + lane * i64({items})
            last = min(first + i64({items}), end)
            valid = k < K and first < end
            a = {zero}
            if valid:
                a = {read_first}
                i = first + i64(1)
                while i < last:
                    b = {read}
                    a = {fold_ab}
                    i += i64(1)
            totals[t] = {store_a}
            step = i64(1)
            while step < {rx}:
                cuda.syncthreads()
                b = {zero}
                if lane >= step:
                    b = {held_before}
                cuda.syncthreads()
                if lane >= step:
                    a = {fold_ba}
                    totals[t] = {store_a}
                step = step * i64(2)
            cuda.syncthreads()
{write}
            a = {held_last}
            carried = {fold_ca} if there else a
            there = True
            cuda.syncthreads()
            start += i64({tile})
{finish}
        kb += cuda.gridDim.x
"""

# What a lane begins with is what is carried, and what the lanes before it gave.
_WRITE = """
if valid:
    a = {read_first}
    if lane > 0:
        b = {held_one}
        if there:
            b = {fold_cb}
        a = {fold_ba}
    elif there:
        a = {fold_ca}
    i = first
    {write_a}
    i += i64(1)
    while i < last:
        b = {read}
        a = {fold_ab}
        {write_a}
        i += i64(1)
"""

_CARRY = """
if k < K and cuda.blockIdx.y > 0:
    carried = {read_carry}
    there = True
"""


def _indented(text: str, depth: int) -> str:
    return "\n".join(" " * depth + line for line in text.strip("\n").split("\n"))


def _lanes(kept: int, length: int, near: bool) -> tuple[int, int]:
    """Return (lanes over lines, lanes over the elements of each) of a block."""
    if near:
        over = min(THREADS, 1 << max(-(-length // ITEMS) - 1, 0).bit_length())
        return THREADS // over, over
    over = min(THREADS, 32, 1 << max(kept - 1, 0).bit_length())
    return over, THREADS // over


def _kernel(name, function, code, walk, kx, rx, near, kind, device):
    """kind: whole, total (gives the totals of segments), rest (each segment has one before it)."""
    partner = 1 if near else kx

    def fold(a: str, b: str) -> str:
        return expression(function, (code, code), code, [a, b])

    def held(index: str) -> str:
        return load(code, f"totals[{index}]")

    pieces = {
        "read_first": read_element(code, "p0", "base + first * x_step"),
        "read": read_element(code, "p0", "base + i * x_step"),
        "fold_ab": fold("a", "b"),
        "fold_ba": fold("b", "a"),
        "fold_ca": fold("carried", "a"),
        "fold_cb": fold("carried", "b"),
        "store_a": store(code, "a"),
        "held_before": held(f"t - step * {partner}"),
        "held_one": held(f"t - {partner}"),
        "held_last": held(f"t + ({rx - 1} - lane) * {partner}"),
        "write_a": "; ".join(write_element(code, "out", "place + i * out_step", "a")),
        "zero": "False" if code == 0 else f"{TYPES[code]}(0)",
        "read_carry": read_element(code, "carry", "k * (i64(cuda.gridDim.y) - 1) + cuda.blockIdx.y - 1"),
    }
    end = write_element(code, "out", "k * cuda.gridDim.y + cuda.blockIdx.y", "carried")
    source = _SOURCE.format(
        **pieces,
        parameters=", ".join(walk.parameters),
        pointers="carry, out" if kind == "rest" else "out",
        threads=THREADS,
        shared=shared_type(code),
        lanes=f"lane = t % {rx}; kept_lane = t // {rx}"
        if near
        else f"kept_lane = t % {kx}; lane = t // {kx}",
        kx=kx,
        rx=rx,
        items=ITEMS,
        tile=rx * ITEMS,
        walk=_indented("\n".join(walk.lines("k", ["base", "place"])), 12),
        carry=_indented(_CARRY.format(**pieces), 8) if kind == "rest" else "",
        write="" if kind == "total" else _indented(_WRITE.format(**pieces), 12),
        finish=_indented(f"if k < K and lane == 0:\n    {'; '.join(end)}", 8) if kind == "total" else "",
    ).replace("out_step, , p0", "out_step, p0")
    pointers = ("P" + LETTERS[code]) * (3 if kind == "rest" else 2)
    return get_kernel(name, source, "q" * (5 + len(walk.parameters)) + pointers, device)


@functools.lru_cache(maxsize=1024)
def _plan(name, function, code, shape, x_steps, out_steps, along, device):
    """Return (kernel, grid, integers, roles of the addresses) of each launch, and bytes of scratch memory."""
    axes = [d for d in range(len(shape)) if d != along]
    extents, steps = normalise(
        [shape[d] for d in axes], [[x_steps[d] for d in axes], [out_steps[d] for d in axes]]
    )
    walk, length = Walk("k", extents, steps), shape[along]
    near = along_reduced(steps[0], [x_steps[along]], extents, [length])
    kx, rx = _lanes(walk.size, length, near)
    pieces = segments(walk.size, length, kx, rx, device)
    piece = -(-length // (pieces * rx * ITEMS)) * rx * ITEMS  # whole tiles
    pieces = -(-length // piece)
    grid = min(-(-walk.size // kx), MAX_GRID)
    numbers = [walk.size, length, piece, x_steps[along], out_steps[along], *walk.arguments]
    make = functools.partial(_kernel, name, function, code)
    if pieces == 1:
        return [(make(walk, kx, rx, near, "whole", device), (grid, 1), numbers, "xo")], 0
    before = pieces - 1  # the total of the last segment is not needed
    total = (make(walk, kx, rx, near, "total", device), (grid, before), numbers, "xs")
    over = Walk(
        "k", [walk.size] if walk.size > 1 else [], [[before], [before]] if walk.size > 1 else [[], []]
    )
    kx2, rx2 = _lanes(walk.size, before, True)
    running = make(over, kx2, rx2, True, "whole", device)
    middle = (
        running,
        (min(-(-walk.size // kx2), MAX_GRID), 1),
        [walk.size, before, -(-before // (rx2 * ITEMS)) * rx2 * ITEMS, 1, 1, *over.arguments],
        "ss",
    )
    rest = (make(walk, kx, rx, near, "rest", device), (grid, pieces), numbers, "xso")
    return [total, middle, rest], walk.size * before * DTYPES[code].itemsize


def accumulate(name, loop, x, out, along):
    """Write running results along one axis."""
    code = x._dtype_code
    if x.size == 0:
        return
    x_steps, out_steps = elements(x.strides, code), elements(out.strides, code)
    device = x._context_code & 0xFF
    made, scratch = _plan(name, loop.function, code, x.shape, x_steps, out_steps, along, device)
    address = {"x": x, "o": out, "s": Scratch()}
    launches = [
        (kernel, grid, THREADS, [*numbers, *[address[role] for role in roles]])
        for kernel, grid, numbers, roles in made
    ]
    launch(name, [out], [x], launches, scratch)
