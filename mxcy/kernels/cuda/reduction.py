"""Reductions: every block folds a piece of the reduced elements for some results, in a fixed tree.

A block has KX lanes over results and RX lanes over reduced elements. Where the reduced elements are close
together in memory the lanes of a warp run along them, else along the results, so that reads coalesce in both
cases. Results with too few blocks are split into segments whose results a second kernel folds. Nothing
depends on timing: the same call gives the same bits.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..._array import Array
from ..._compile import Layout
from ..._gpu import LETTERS, SIMULATED, Scratch, attribute, launch
from ...dtypes import DTYPES
from ._compiler import get_kernel
from ._functions import TYPES, convert, expression, load, name_of, store
from ._generate import COMPLEX, literal, step_lines
from ._spaces import Walk, normalise

__all__ = ["arg_reduce", "elements", "no_kernel", "read_element", "reduce", "write_element"]

THREADS = 32 if SIMULATED else 256
UNROLL = 4
MOST_SEGMENTS = 4 if SIMULATED else 4096
MAX_GRID = 1 << 20


# --- sizes --------------------------------------------------------------------------------------------------


def _power_of_two(n: int) -> int:
    return 1 << max(n.bit_length() - 1, 0)


def lanes_along(n: int) -> int:
    """Return how many lanes share a line of n neighbours: some elements for each, but whole sectors."""
    return min(THREADS, max(_power_of_two(max(n // 8, 1)), min(_power_of_two(max(n, 1)), 4)))


def lanes(kept: int, reduced: int, along_reduced: bool) -> tuple[int, int]:
    """Return (lanes over results, lanes over reduced elements) of a block."""
    if along_reduced:
        over = lanes_along(reduced)
        return THREADS // over, over
    over = min(THREADS, 1 << max(kept - 1, 0).bit_length())
    if reduced >= 8 * THREADS // 32:
        over = min(over, 32)
    return over, THREADS // over


def segments(kept: int, reduced: int, kx: int, rx: int, device: int) -> int:
    """Return into how many pieces the reduced elements are split."""
    blocks = -(-kept // kx)
    wanted = 16 * max(attribute(device, 16), 1)
    if blocks >= wanted // 2:
        return 1
    return max(1, min(-(-wanted // blocks), reduced // (rx * UNROLL * 2), MOST_SEGMENTS))


def along_reduced(kept_steps: list[int], reduced_steps: list[int], kept_extents: list, reduced_extents: list):
    """Whether the reduced elements of the first operand are closer together than the results are."""
    near = min(
        (abs(s) for s, n in zip(reduced_steps, reduced_extents, strict=True) if s and n > 1), default=0
    )
    far = min((abs(s) for s, n in zip(kept_steps, kept_extents, strict=True) if s and n > 1), default=0)
    return far == 0 or (near != 0 and near <= far)


# --- source -------------------------------------------------------------------------------------------------

_IDENTITIES = {
    "maximum": ("-infinity", "low"),
    "fmax": ("infinity - infinity", "low"),
    "minimum": ("infinity", "high"),
    "fmin": ("infinity - infinity", "high"),
    "logaddexp": ("-infinity", "low"),
}


def identity_of(function: Any, identity: Any, code: int) -> str:
    """Return the source of a value that changes nothing."""
    if identity is not None:
        return literal(identity, code, code)
    dtype = DTYPES[code]
    floating, integer = _IDENTITIES[name_of(function)]
    if dtype.kind == "f":
        return f"{TYPES[code]}({floating})"
    if dtype.kind == "b":
        return str(integer == "high")
    limits = np.iinfo(dtype)
    return f"{TYPES[code]}({limits.min if integer == 'low' else limits.max})"


def shared_type(code: int) -> str:
    """Return the source of the type of a shared array of values."""
    return "dt_u8" if code == 0 else f"dt_{TYPES[code]}"


def read_element(code: int, pointer: str, offset: str) -> str:
    """Return the source of the value of an element."""
    if code in COMPLEX:
        return f"{TYPES[code]}(complex({pointer}[2 * ({offset})], {pointer}[2 * ({offset}) + 1]))"
    return load(code, f"{pointer}[{offset}]")


def write_element(code: int, pointer: str, offset: str, value: str) -> list[str]:
    """Return the lines that write an element."""
    if code in COMPLEX:
        return [f"{pointer}[2 * ({offset})] = {value}.real", f"{pointer}[2 * ({offset}) + 1] = {value}.imag"]
    return [f"{pointer}[{offset}] = {store(code, value)}"]


class _Source:
    """One kernel: reads with `map_layout` (None: as it is), folds with `function`, ends with `end_layout`."""

    def __init__(
        self,
        function,
        code,
        identity,
        codes,
        map_layout,
        end_layout,
        out_code,
        initial,
        kept,
        reduced,
        kx,
        rx,
        near,
    ):
        self.function, self.code, self.identity, self.codes = function, code, identity, codes
        self.map, self.end, self.out_code, self.initial = map_layout, end_layout, out_code, initial
        self.kept, self.reduced, self.kx, self.rx, self.near = kept, reduced, kx, rx, near
        self.parameters = ["K", "R", "S"]
        self.signature = "qqq"

    def fold(self, a: str, b: str) -> str:
        return expression(self.function, (self.code, self.code), self.code, [a, b])

    def _parameters(self) -> None:
        for walk in (self.kept, self.reduced):
            self.parameters += walk.parameters
            self.signature += "q" * len(walk.parameters)
        for j, (_, code) in enumerate(self.codes):
            self.parameters.append(f"p{j}")
            self.signature += "P" + LETTERS[code]
        self.parameters.append("out")
        self.signature += "P" + LETTERS[self.out_code]

    def _scalars(self, layout: Any, name: str) -> list[str]:
        lines = []
        for k, (_, _, stored) in enumerate(layout.scalars if layout is not None else ()):
            if stored in COMPLEX:
                self.parameters += [f"{name}{k}_real", f"{name}{k}_imag"]
                self.signature += COMPLEX[stored]
                lines.append(f"    {name}{k} = {TYPES[stored]}(complex({name}{k}_real, {name}{k}_imag))")
            else:
                self.parameters.append(f"{name}{k}")
                self.signature += LETTERS[stored]
        return lines

    def element(self, position: str, into: str, lane: str) -> list[str]:
        """Lines that fold the element at a position of the reduced space into an accumulator."""
        count = len(self.codes)
        lines = self.reduced.lines(position, [f"r{j}{lane}" for j in range(count)], lane)
        for j, (k, code) in enumerate(self.codes):  # operand j is input k of the program
            lines.append(f"x{k}{lane} = {read_element(code, f'p{j}', f'b{j} + r{j}{lane}')}")
        value = f"x{self.codes[0][0]}{lane}"
        if self.map is not None:
            lines += step_lines(self.map, lane)
            value = f"y0{lane}"
        return [*lines, f"{into} = {self.fold(into, value)}"]

    def build(self) -> tuple[str, str]:
        self._parameters()
        head = self._scalars(self.map, "c")
        head += self._scalars(self.end, "d")
        rx, kx = self.rx, self.kx
        place = (
            ["reduce_lane = t % RX", "kept_lane = t // RX"]
            if self.near
            else ["kept_lane = t % KX", "reduce_lane = t // KX"]
        )
        place = [line.replace("RX", str(rx)).replace("KX", str(kx)) for line in place]
        partner = 1 if self.near else kx
        boolean = self.code == 0

        def held(index: str) -> str:
            return load(self.code, f"shared[{index}]") if boolean else f"shared[{index}]"

        body = [f"k = i64(kb) * {kx} + kept_lane"]
        body += [f"a{i} = {self.identity}" for i in range(UNROLL)]
        inner = self.kept.lines("k", [f"b{j}" for j in range(len(self.codes))])
        inner += [f"step = i64(S) * {rx}", f"r = i64(cuda.blockIdx.y) * {rx} + reduce_lane"]
        inner.append(f"while r + {UNROLL - 1} * step < R:")
        for i in range(UNROLL):
            inner += [f"    {line}" for line in self.element(f"(r + {i} * step)", f"a{i}", f"_{i}")]
        inner += [f"    r += {UNROLL} * step", "while r < R:"]
        inner += [f"    {line}" for line in self.element("r", "a0", "_0")]
        inner.append("    r += step")
        body += ["if k < K:", *[f"    {line}" for line in inner]]
        left, right = self.fold("a0", "a1"), self.fold("a2", "a3")
        body += [f"a0 = {left}", f"a2 = {right}", f"a0 = {self.fold('a0', 'a2')}"]
        body += [f"shared[t] = {store(self.code, 'a0')}", "cuda.syncthreads()"]
        half = rx // 2
        while half:
            body += [f"if reduce_lane < {half}:"]
            body += [f"    left = {held('t')}", f"    right = {held(f't + {half * partner}')}"]
            body += [f"    shared[t] = {store(self.code, self.fold('left', 'right'))}", "cuda.syncthreads()"]
            half //= 2
        body += ["if reduce_lane == 0 and k < K:", *[f"    {line}" for line in self.finish(held("t"))]]
        body += ["cuda.syncthreads()", "kb += cuda.gridDim.x"]
        lines = [f"def kernel({', '.join(self.parameters)}):", *head]
        lines += [f"    shared = cuda.shared.array({THREADS}, {shared_type(self.code)})"]
        lines += ["    t = i64(cuda.threadIdx.x)", *[f"    {line}" for line in place]]
        lines += ["    kb = i64(cuda.blockIdx.x)", f"    while kb * {kx} < K:"]
        lines += [f"        {line}" for line in body]
        return "\n".join(lines) + "\n", self.signature

    def finish(self, value: str) -> list[str]:
        """Lines that write a result: to its place in the target, or (no `end`) as it is to the scratch."""
        if self.end is None:
            return write_element(self.code, "out", "k * S + cuda.blockIdx.y", value)
        lines = [f"x0_e = {value}"]
        if self.initial is not None:
            lines.append(f"x0_e = {self.fold(self.initial, 'x0_e')}")
        made = "x0_e"
        if isinstance(self.end, Layout):
            lines += _end_lines(self.end)
            made = "y0_e"
        elif self.out_code != self.code:
            made = convert(self.code, self.out_code, made)
        lines += self.kept.lines("k", ["unused"] * len(self.codes) + ["place"])
        return lines + write_element(self.out_code, "out", "place", made)


def _end_lines(layout: Layout) -> list[str]:
    """The steps of the last program; its scalars are named apart from those of the first one."""
    import re

    return [re.sub(r"\bc(\d+)\b", r"d\1", line) for line in step_lines(layout, "_e")]


class _Plain:
    """The end of a reduction without a program."""

    scalars: tuple = ()


# --- plans --------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=4096)
def _layout(program: Any) -> Layout:
    return Layout(*program.source)


@functools.lru_cache(maxsize=4096)
def _plan(
    name,
    function,
    code,
    identity,
    program,
    end,
    out_code,
    initial,
    codes,
    shape,
    steps,
    is_reduced,
    out_steps,
    device,
):
    """Return (kernels with grids and blocks, their integers, scratch bytes, whether there are two)."""
    kept_axes = [d for d in range(len(shape)) if not is_reduced[d]]
    reduced_axes = [d for d in range(len(shape)) if is_reduced[d]]
    kept_extents, kept_steps = normalise(
        [shape[d] for d in kept_axes], [*[[s[d] for d in kept_axes] for s in steps], list(out_steps)]
    )
    reduced_extents, reduced_steps = normalise(
        [shape[d] for d in reduced_axes], [[s[d] for d in reduced_axes] for s in steps]
    )
    kept, reduced = Walk("k", kept_extents, kept_steps), Walk("r", reduced_extents, reduced_steps)
    near = along_reduced(kept_steps[0], reduced_steps[0], kept_extents, reduced_extents)
    kx, rx = lanes(kept.size, reduced.size, near)
    pieces = segments(kept.size, reduced.size, kx, rx, device)
    none = identity_of(function, identity, code)
    start = None if initial is None else literal(initial, code, code)
    map_layout = None if program is None else _layout(program)
    end_layout = _Plain() if end is None else _layout(end)
    grid = min(-(-kept.size // kx), MAX_GRID)
    if pieces == 1:
        source = _Source(
            function, code, none, codes, map_layout, end_layout, out_code, start, kept, reduced, kx, rx, near
        )
        kernel = get_kernel(name, *source.build(), device)
        numbers = [kept.size, reduced.size, 1, *kept.arguments, *reduced.arguments]
        return [(kernel, (grid, 1), THREADS, numbers)], 0
    first = _Source(function, code, none, codes, map_layout, None, code, None, kept, reduced, kx, rx, near)
    kernel = get_kernel(name, *first.build(), device)
    numbers = [kept.size, reduced.size, pieces, *kept.arguments, *reduced.arguments]
    made = [(kernel, (grid, pieces), THREADS, numbers)]
    whole = [s * 1 for s in kept_steps[-1]]
    inner = [pieces]
    for extent in reversed(kept_extents[1:]):
        inner.insert(0, inner[0] * extent)
    kept2 = Walk("k", kept_extents, [inner if kept_extents else [], whole])
    reduced2 = Walk("r", [pieces], [[1]])
    kx2, rx2 = lanes(kept.size, pieces, True)
    second = _Source(
        function, code, none, ((0, code),), None, end_layout, out_code, start, kept2, reduced2, kx2, rx2, True
    )
    kernel = get_kernel(name, *second.build(), device)
    numbers = [kept.size, pieces, 1, *kept2.arguments, *reduced2.arguments]
    made.append((kernel, (min(-(-kept.size // kx2), MAX_GRID), 1), THREADS, numbers))
    return made, kept.size * pieces * DTYPES[code].itemsize


def elements(strides: tuple, code: int) -> tuple:
    """Return steps in elements from steps in bytes."""
    size = DTYPES[code].itemsize
    return tuple([s // size for s in strides])


def broadcast_steps(x: Array, shape: tuple) -> tuple:
    """Return the steps, in elements, of an array broadcast to a shape."""
    own, missing = x.shape, len(shape) - x.ndim
    if missing < 0:
        return ()
    steps = elements(x.strides, x._dtype_code)
    return (0,) * missing + tuple(
        [0 if n == 1 and full != 1 else s for n, s, full in zip(own, steps, shape[missing:], strict=True)]
    )


def reduce(
    name,
    loop,
    program,
    end,
    identity,
    initial,
    inputs,
    target,
    shape,
    is_reduced,
    keepdims,
    scalars,
    end_scalars,
):
    """Fold the elements of arrays (mapped by a program) along the axes marked in `is_reduced`."""
    if target.size == 0:
        return
    arrays = [x for x in inputs if isinstance(x, Array)]
    codes = tuple([(k, x._dtype_code) for k, x in enumerate(inputs) if isinstance(x, Array)])
    steps = tuple([broadcast_steps(x, shape) for x in arrays])
    out = elements(target.strides, target._dtype_code)
    if keepdims:
        out = tuple([s for s, gone in zip(out, is_reduced, strict=True) if not gone])
    elif len(out) != len(shape) - sum(is_reduced):
        out = ()
    made, scratch = _plan(
        name,
        loop.function,
        loop.stored[0],
        identity,
        program,
        end,
        target._dtype_code,
        initial,
        codes,
        shape,
        steps,
        is_reduced,
        out,
        arrays[0]._context_code & 0xFF,
    )
    scalars, end_scalars = _numbers(scalars), _numbers(end_scalars)
    launches = []
    for i, (kernel, grid, block, numbers) in enumerate(made):
        first, last = i == 0, i == len(made) - 1
        arguments = [*numbers, *(arrays if first else [Scratch()]), target if last else Scratch()]
        arguments += scalars if first else []
        arguments += end_scalars if last else []
        launches.append((kernel, grid, block, arguments))
    launch(name, [target], arrays, launches, scratch)


def _numbers(scalars: list) -> list:
    """Parameters for numbers: a complex one is two."""
    found = []
    for value in scalars:
        found += [value.real, value.imag] if isinstance(value, (complex, np.complexfloating)) else [value]
    return found


# --- positions of extremes ----------------------------------------------------------------------------------

_ARG = """
def kernel(K, R, {parameters}, p0, out):
    best = cuda.shared.array({threads}, {shared})
    where = cuda.shared.array({threads}, dt_i64)
    t = i64(cuda.threadIdx.x)
    reduce_lane = t % {rx}
    kept_lane = t // {rx}
    kb = i64(cuda.blockIdx.x)
    while kb * {kx} < K:
        k = kb * {kx} + kept_lane
        a = {zero}
        i = i64(-1)
        if k < K:
{kept}
            r = reduce_lane
            while r < R:
{reduced}
                x = {read}
                if i < i64(0) or {better}:
                    a = x
                    i = r
                r += i64({rx})
        best[t] = {store}
        where[t] = i
        cuda.syncthreads()
        half = {rx} // 2
        while half > 0:
            if reduce_lane < half:
                a = {held}
                i = where[t]
                x = {other}
                j = where[t + half]
                if j >= i64(0) and (i < i64(0) or {better} or (j < i and {level})):
                    best[t] = best[t + half]
                    where[t] = j
            cuda.syncthreads()
            half //= 2
        if reduce_lane == 0 and k < K:
{kept}
            out[place] = {result}
        cuda.syncthreads()
        kb += cuda.gridDim.x
"""


@functools.lru_cache(maxsize=1024)
def _arg_plan(kind, code, out_code, shape, steps, is_reduced, out_steps, device):
    kept_axes = [d for d in range(len(shape)) if not is_reduced[d]]
    reduced_axes = [d for d in range(len(shape)) if is_reduced[d]]
    kept_steps: list[list[int]]
    kept_extents, kept_steps = normalise(
        [shape[d] for d in kept_axes], [[steps[d] for d in kept_axes], list(out_steps)]
    )
    reduced_extents, reduced_steps = normalise(
        [shape[d] for d in reduced_axes], [[steps[d] for d in reduced_axes]], keep_order=True
    )
    kept, reduced = Walk("k", kept_extents, kept_steps), Walk("r", reduced_extents, reduced_steps)
    kx, rx = lanes(kept.size, reduced.size, True)
    wide = 11 if code in (9, 10) else code  # half numbers compare as float32
    sign = ">" if kind == "argmax" else "<"
    left, right = ("u8(x)", "u8(a)") if code == 0 else ("x", "a")
    better = f"{left} {sign} {right}"
    level = f"{left} == {right}"
    if DTYPES[wide].kind == "f":  # NaN comes first
        better = f"(x {sign} a or (x != x and a == a))"
        level = "(x == a or (x != x and a != a))"
    indent = " " * 16
    source = _ARG.format(
        parameters=", ".join(kept.parameters + reduced.parameters),
        threads=THREADS,
        rx=rx,
        kx=kx,
        shared=shared_type(wide),
        zero="False" if code == 0 else f"{TYPES[wide]}(0)",
        kept="\n".join(" " * 12 + line for line in kept.lines("k", ["base", "place"])),
        reduced="\n".join(indent + line for line in reduced.lines("r", ["inside"])),
        read=convert(code, wide, load(code, "p0[base + inside]")),
        better=better,
        level=level,
        store=store(wide, "a"),
        held=load(wide, "best[t]"),
        other=load(wide, "best[t + half]"),
        result=store(out_code, convert(7, out_code, "where[t]")),
    )
    signature = "qq" + "q" * (len(kept.parameters) + len(reduced.parameters))
    signature += "P" + LETTERS[code] + "P" + LETTERS[out_code]
    source = source.replace("K, R, , p0", "K, R, p0")
    kernel = get_kernel(kind, source, signature, device)
    numbers = [kept.size, reduced.size, *kept.arguments, *reduced.arguments]
    return kernel, min(-(-kept.size // kx), MAX_GRID), numbers


def arg_reduce(kind, x, target, is_reduced, keepdims):
    """Find the position of the first extreme element along the axes marked in `is_reduced`."""
    if target.size == 0:
        return
    out = elements(target.strides, target._dtype_code)
    if keepdims:
        out = tuple([s for s, gone in zip(out, is_reduced, strict=True) if not gone])
    elif len(out) != x.ndim - sum(is_reduced):
        out = ()
    code = x._dtype_code
    if DTYPES[code].kind == "c":
        raise no_kernel(kind, code)
    kernel, grid, numbers = _arg_plan(
        kind,
        code,
        target._dtype_code,
        x.shape,
        elements(x.strides, code),
        is_reduced,
        out,
        x._context_code & 0xFF,
    )
    launch(kind, [target], [x], [(kernel, grid, THREADS, [*numbers, x, target])])


def no_kernel(name: str, code: int) -> Exception:
    """Return the error for a dtype that a kernel does not take."""
    from ...errors import DTypeError, problem

    text = f"there is no GPU kernel for {DTYPES[code].name}"
    return DTypeError(problem(name, None, text, "copy the array to mx.cpu() for it"))
