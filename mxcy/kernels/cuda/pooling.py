"""Pooling and its gradients: a thread for each element that is written."""

from __future__ import annotations

import functools
import struct

from ..._gpu import LETTERS, launch
from ._compiler import get_kernel
from ._functions import TYPES, convert
from .reduction import MAX_GRID, THREADS

__all__ = ["KERNELS"]

MAX, AVG, SUM, POWER = range(4)

_NAMES = "inner, i0, i1, i2, o0, o1, o2, k0, k1, k2, s0, s1, s2, p0, p1, p2"  # PoolParams, in order

# The window at o along an axis: where it begins and ends in the input, and its size for averages.
_WINDOW = """
            first{d} = w{d} * s{d} - p{d}
            last{d} = min(first{d} + k{d}, i{d} + p{d})
            begin{d} = max(first{d}, i64(0))
            end{d} = max(min(last{d}, i{d}), begin{d})
            size{d} = {size}
"""

# Runs over the window's elements: `at` is the place in the input.
_OVER = """
            a = begin0
            while a < end0:
                b = begin1
                while b < end1:
                    c = begin2
                    while c < end2:
                        at = (((outer * i0 + a) * i1 + b) * i2 + c) * inner + lane
{body}
                        c += i64(1)
                    b += i64(1)
                a += i64(1)
"""

_OF_WINDOWS = """
def kernel(size, {names}, {pointers}, out):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    while e < size:
        for once in range(1):
            lane = e % inner
            rest = e // inner
            w2 = rest % o2
            rest = rest // o2
            w1 = rest % o1
            rest = rest // o1
            w0 = rest % o0
            outer = rest // o0
{windows}
{start}
{over}
{finish}
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""

# An element of the input goes through the windows that hold it.
_OF_INPUT = """
def kernel(size, {names}, {pointers}, out):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    while e < size:
        lane = e % inner
        rest = e // inner
        c_own = rest % i2
        rest = rest // i2
        b_own = rest % i1
        rest = rest // i1
        a_own = rest % i0
        outer = rest // i0
        total = {T}(0)
        w0 = max(i64(0), (a_own + p0 - k0 + s0) // s0)
        while w0 < o0 and w0 * s0 - p0 <= a_own:
            w1 = max(i64(0), (b_own + p1 - k1 + s1) // s1)
            while w1 < o1 and w1 * s1 - p1 <= b_own:
                w2 = max(i64(0), (c_own + p2 - k2 + s2) // s2)
                while w2 < o2 and w2 * s2 - p2 <= c_own:
                    window = (((outer * o0 + w0) * o1 + w1) * o2 + w2) * inner + lane
{body}
                    w2 += i64(1)
                w1 += i64(1)
            w0 += i64(1)
        out[e] = {store}
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""


def _windows(count_pad: bool, depth: int) -> str:
    text = ""
    for d in range(3):
        size = f"last{d} - first{d}" if count_pad else f"end{d} - begin{d}"
        text += _WINDOW.format(d=d, size=size)
    return _indent(text, depth)


def _indent(text: str, depth: int) -> str:
    return "\n".join(" " * depth + line if line.strip() else line for line in text.split("\n"))


def _lines(depth: int, *lines: str) -> str:
    return "\n".join(" " * depth + line for line in lines)


_SIZE = "max(i64(1), size0 * size1 * size2)"


@functools.lru_cache(maxsize=256)
def _kernel(name: str, code: int, mode: int, power: int, count_pad: bool, positive: bool, device: int):
    wide = 12 if code == 12 else 11
    kind = TYPES[wide]
    read = lambda pointer, at: convert(code, wide, f"{pointer}[{at}]")
    shared = {"names": _NAMES, "T": kind}
    find = _lines(
        24,
        f"v = {read('x', 'at')}",
        "if v > best or place < i64(0) and v == v:",
        "    best = v",
        "    place = at",
    )
    lowest = _lines(12, f"best = {kind}(-infinity)", "place = i64(-1)")
    if name == "Pooling" and mode == MAX:
        body = _lines(24, f"v = {read('x', 'at')}", "best = v if v > best else best")
        low = "-1.7976931348623157e308" if wide == 12 else "-3.4028234663852886e38"
        source = _OF_WINDOWS.format(
            pointers="x",
            windows=_windows(count_pad, 0),
            start=_lines(12, f"best = {kind}({low})"),
            over=_OVER.format(body=body),
            finish=_lines(12, f"out[e] = {convert(wide, code, 'best')}"),
            **shared,
        )
    elif name == "Pooling":
        raised = {1: "v", 2: "v * v", 3: "v * v * v"}[power if mode == POWER else 1]
        body = _lines(24, f"v = {read('x', 'at')}", f"total += {raised}")
        made = "total"
        if mode == AVG:
            made = f"(total / {kind}({_SIZE}))"
        elif mode == POWER and power > 1:
            made = f"{'sqrt' if power == 2 else 'cbrt'}_{kind}(total)"
        source = _OF_WINDOWS.format(
            pointers="x",
            windows=_windows(count_pad, 0),
            start=_lines(12, f"total = {kind}(0)"),
            over=_OVER.format(body=body),
            finish=_lines(12, f"out[e] = {convert(wide, code, made)}"),
            **shared,
        )
    elif name == "Pooling_pick":
        source = _OF_WINDOWS.format(
            pointers="values, x",
            windows=_windows(count_pad, 0),
            start=lowest,
            over=_OVER.format(body=find),
            finish=_lines(
                12, "out[e] = values[place] if place >= i64(0) else " + convert(wide, code, f"{kind}(0)")
            ),
            **shared,
        )
    elif mode == MAX:
        above = f" and best > {kind}(0)" if positive else ""
        body = _windows(False, 8) + "\n" + _indent(lowest + "\n" + _OVER.format(body=find), 8)
        body += "\n" + _lines(20, f"if place == e{above}:", f"    total += {read('g', 'window')}")
        source = _OF_INPUT.format(pointers="g, x", body=body, store=convert(wide, code, "total"), **shared)
    else:
        part = read("g", "window")
        if mode == AVG:
            part += f" / {kind}({_SIZE})"
        body = _windows(count_pad, 8) + "\n" + _lines(20, f"total += {part}")
        source = _OF_INPUT.format(pointers="g", body=body, store=convert(wide, code, "total"), **shared)
    pointers = 2 if name == "Pooling_pick" or (name == "Pooling_backward" and mode == MAX) else 1
    signature = "q" * 17 + ("P" + LETTERS[code]) * (pointers + 1)
    return get_kernel(name, source, signature, device)


def _run(name: str):
    def run(outputs: list, inputs: list, parameters: bytes) -> None:
        # PoolParams: outer, inner; in, out, kernel, stride, pad; mode, power; count_pad, positive
        numbers = struct.unpack("17qii??", parameters[:146])
        mode, power, count_pad, positive = numbers[17:]
        target = outputs[0]
        if target.size == 0:
            return
        if name == "Pooling_backward" and len(inputs) == 2:
            mode = MAX
        device = target._context_code & 0xFF
        kernel = _kernel(name, target._dtype_code, mode, power, count_pad, positive, device)
        arguments = [target.size, *numbers[1:17], *inputs, target]
        grid = min(-(-target.size // THREADS), MAX_GRID)
        launch(name, [target], list(inputs), [(kernel, grid, THREADS, arguments)])

    return run


KERNELS = {name: _run(name) for name in ("Pooling", "Pooling_backward", "Pooling_pick")}
