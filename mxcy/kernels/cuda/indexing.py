"""Reading and writing the places that arrays of integers name.

Elements that are read belong to one thread each. What writes to places that may coincide is in `scattering`.
"""

from __future__ import annotations

import functools
import struct

from ..._array import Array
from ..._gpu import LETTERS, launch, trap
from ...dtypes import DTYPES
from ._compiler import get_kernel
from ._functions import convert, load
from ._spaces import Walk, normalise
from .copying import in_order
from .reduction import MAX_GRID, THREADS, elements

__all__ = ["BITS", "KERNELS", "Address", "index_lines", "layout", "move", "sides"]

INT64 = 7
CLIP, WRAP, RAISE, STRICT = 0, 1, 2, 3
# Elements that are only moved: unsigned integers of their size; complex128 as two.
BITS = {1: 2, 2: 4, 4: 6, 8: 8}


def index_lines(name: str, read: str, extent: str, mode: int) -> list[str]:
    """Lines that bring an index into range; RAISE and STRICT leave the operation's number in the trap."""
    lines = [f"{name} = {read}"]
    if mode == CLIP:
        return [*lines, f"{name} = max(i64(0), min({name}, {extent} - i64(1)))"]
    if mode == WRAP:
        return [*lines, f"{name} = {name} % {extent}"]
    if mode != STRICT:
        lines += [f"if {name} < i64(0):", f"    {name} += {extent}"]
    return [
        *lines,
        f"if {name} < i64(0) or {name} >= {extent}:",
        "    trap[0] = number",
        f"    {name} = i64(0)",
    ]


_GATHER = """
def kernel(size, number, trap, {parameters}, {pointers}):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    while e < size:
{body}
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""


def _indented(lines: list[str], depth: int) -> str:
    return "\n".join(" " * depth + line for line in lines)


def move(code: int, target: str, at: str, source: str, place: str) -> list[str]:
    """Return the lines that move one element."""
    if DTYPES[code].kind == "c":
        return [f"{target}[2 * ({at}) + {h}] = {source}[2 * ({place}) + {h}]" for h in (0, 1)]
    return [f"{target}[{at}] = {source}[{place}]"]


def sides(x: tuple, v: tuple, indices: list, n_outer: int, n_indexed: int):
    """Spaces of the axes around the indexed ones (x, v) and of the points (v, indices), then the extents and
    steps of the indexed axes. An array is given as its shape and its steps in elements.
    """
    (x_shape, x_steps), (v_shape, v_steps) = x, v
    n_inner = len(x_shape) - n_outer - n_indexed
    n_points = len(v_shape) - n_outer - n_inner
    shape = v_shape[n_outer : n_outer + n_points]
    around = [*range(n_outer), *range(len(x_shape) - n_inner, len(x_shape))]
    around_v = [*range(n_outer), *range(len(v_shape) - n_inner, len(v_shape))]
    outside = normalise(
        [x_shape[d] for d in around],
        [[x_steps[d] for d in around], [v_steps[d] for d in around_v]],
        keep_order=True,
    )
    steps = [list(v_steps[n_outer : n_outer + n_points])]
    for own, strides in indices:
        extra = max(len(own) - n_points, 0)
        own, strides = own[extra:], strides[extra:]
        missing = n_points - len(own)
        steps.append(
            [0] * missing
            + [
                0 if n == 1 and full != 1 else s
                for n, s, full in zip(own, strides, shape[missing:], strict=True)
            ]
        )
    points = normalise(shape, steps, keep_order=True)
    along = [(x_shape[n_outer + k], x_steps[n_outer + k]) for k in range(n_indexed)]
    return Walk("a", *outside), Walk("b", *points), along


def layout(x: Array) -> tuple:
    """Return the shape of an array and its steps in elements."""
    return x.shape, elements(x.strides, x._dtype_code)


@functools.lru_cache(maxsize=1024)
def _kernel(code, codes, mode, a_key, b_key, a_parameters, b_parameters, device):
    """Element e: its point is e // inner, its place e % inner."""
    outside, points = _walk(a_key, a_parameters), _walk(b_key, b_parameters)
    parameters = [*outside.parameters, *points.parameters]
    for k in range(len(codes)):
        parameters += [f"extent{k}", f"step{k}"]
    pointers = ["x", "v", *[f"index{k}" for k in range(len(codes))]]
    body = ["i = e // inner", "rest = e - i * inner", *outside.lines("rest", ["xa", "va"])]
    body += [*points.lines("i", ["vp", *[f"ip{k}" for k in range(len(codes))]]), "xp = xa"]
    for k, index in enumerate(codes):
        read = convert(index, INT64, load(index, f"index{k}[ip{k}]"))
        body += [*index_lines(f"j{k}", read, f"extent{k}", mode), f"xp += j{k} * step{k}"]
    body += move(code, "v", "va + vp", "x", "xp")
    source = _GATHER.format(
        parameters=", ".join([*parameters, "inner"]), pointers=", ".join(pointers), body=_indented(body, 8)
    )
    signature = "qiPi" + "q" * (len(parameters) + 1) + ("P" + LETTERS[code]) * 2
    return get_kernel("take", source, signature + "".join("P" + LETTERS[c] for c in codes), device)


def _walk(key: tuple, parameters: tuple) -> Walk:
    """A walk with the source of another one."""
    prefix, ndim, count, wide = key
    made = Walk(prefix, [1] * ndim, [[1] * ndim] * count)
    made.wide = wide
    assert tuple(made.parameters) == parameters
    return made


class Address:
    """The trap of a device, and the number of an operation there."""

    def __init__(self, device: int, name: str):
        self.address, self.number = trap(device, name)


def _take(outputs: list, inputs: list, parameters: bytes) -> None:
    # IndexParams: n_outer, n_indexed, mode, axes
    n_outer, n_indexed, mode = struct.unpack("iii", parameters[:12])
    (x, *indices), v = inputs, outputs[0]
    if v.size == 0:
        return
    outside, points, along = sides(
        layout(x), layout(v), [layout(index) for index in indices], n_outer, n_indexed
    )
    device = x._context_code & 0xFF
    code = x._dtype_code if DTYPES[x._dtype_code].kind == "c" else BITS[x.itemsize]
    codes = tuple([index._dtype_code for index in indices])
    walks = (outside.key, points.key, tuple(outside.parameters), tuple(points.parameters))
    kernel = _kernel(code, codes, mode, *walks, device)
    place = Address(device, "take")
    numbers = [*outside.arguments, *points.arguments, *[n for pair in along for n in pair], outside.size]
    arguments = [v.size, place.number, place.address, *numbers, x, v, *indices]
    grid = min(-(-v.size // THREADS), MAX_GRID)
    launch("take", [v], [x, *indices], [(kernel, grid, THREADS, arguments)])


# --- one element of every line ------------------------------------------------------------------------------

_PICK = """
def kernel(size, extent, step, number, trap, {parameters}, x, v, index):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    while e < size:
{body}
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""


@functools.lru_cache(maxsize=512)
def _pick_kernel(name, code, index_code, mode, ndim, wide, put, device):
    walk = Walk("k", [1] * ndim, [[1] * ndim] * 3)
    walk.wide = wide
    body = walk.lines("e", ["vo", "xo", "io"])
    body += index_lines("j", convert(index_code, INT64, load(index_code, "index[io]")), "extent", mode)
    body.append("xo += j * step")
    body += move(code, "x", "xo", "v", "vo") if put else move(code, "v", "vo", "x", "xo")
    source = _PICK.format(parameters=", ".join(walk.parameters), body=_indented(body, 8)).replace(
        ", , x", ", x"
    )
    signature = "qqqiPi" + "q" * len(walk.parameters) + ("P" + LETTERS[code]) * 2 + "P" + LETTERS[index_code]
    return get_kernel(name, source, signature, device)


def _picked(name: str, x: Array, v: Array, index: Array, parameters: bytes, put: bool) -> None:
    axis, mode = struct.unpack("ii", parameters[:8])
    if v.size == 0:
        return
    x_steps, v_steps, i_steps = (elements(a.strides, a._dtype_code) for a in (x, v, index))
    extents, steps = normalise(v.shape, [list(v_steps), list(x_steps), list(i_steps)], leading=1)
    walk = Walk("k", extents, steps)
    device = x._context_code & 0xFF
    code = x._dtype_code if DTYPES[x._dtype_code].kind == "c" else BITS[x.itemsize]
    kernel = _pick_kernel(name, code, index._dtype_code, mode, walk.ndim, walk.wide, put, device)
    place = Address(device, name)
    arguments = [
        walk.size,
        x.shape[axis],
        x_steps[axis],
        place.number,
        place.address,
        *walk.arguments,
        x,
        v,
        index,
    ]
    launches = [(kernel, min(-(-walk.size // THREADS), MAX_GRID), THREADS, arguments)]
    if put:
        launch(name, [x], [v, index], launches, updates=True)
    else:
        launch(name, [v], [x, index], launches)


def _pick(outputs: list, inputs: list, parameters: bytes) -> None:
    _picked("pick", inputs[0], outputs[0], inputs[1], parameters, False)


def _place(outputs: list, inputs: list, parameters: bytes) -> None:
    _picked("pick_grad", outputs[0], inputs[0], inputs[1], parameters, True)


# --- one hot ------------------------------------------------------------------------------------------------

_ONE_HOT = """
def kernel(size, depth, on, off, {parameters}, index, out):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    while e < size:
        k = e // depth
{place}
        out[e] = on if {read} == e - k * depth else off
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""


@functools.lru_cache(maxsize=512)
def _one_hot_kernel(code, index_code, ndim, wide, device):
    walk = Walk("k", [1] * ndim, [[1] * ndim])
    walk.wide = wide
    source = _ONE_HOT.format(
        parameters=", ".join(walk.parameters),
        place=_indented(walk.lines("k", ["io"]), 8),
        read=convert(index_code, INT64, load(index_code, "index[io]")),
    ).replace(", , index", ", index")
    letter = LETTERS[code]
    signature = f"qq{letter}{letter}" + "q" * len(walk.parameters) + "P" + LETTERS[index_code] + "P" + letter
    return get_kernel("one_hot", source, signature, device)


def _one_hot(outputs: list, inputs: list, parameters: bytes) -> None:
    # OneHotParams: on, off as elements
    target, index = outputs[0], inputs[0]
    if target.size == 0:
        return
    plain = in_order(target)
    code = BITS[min(target.itemsize, 8)]
    size = target.itemsize
    if size == 16:
        raise _complex(target)
    on, off = (int.from_bytes(parameters[at : at + size], "little") for at in (0, 16))
    extents, steps = normalise(
        index.shape, [list(elements(index.strides, index._dtype_code))], keep_order=True
    )
    walk = Walk("k", extents, steps)
    kernel = _one_hot_kernel(code, index._dtype_code, walk.ndim, walk.wide, target._context_code & 0xFF)
    arguments = [target.size, target.shape[-1], on, off, *walk.arguments, index, plain]
    launch(
        "one_hot", [plain], [index], [(kernel, min(-(-target.size // THREADS), MAX_GRID), THREADS, arguments)]
    )
    if plain is not target:
        from .copying import copy_into

        copy_into(target, plain)


def _complex(x: Array):
    from .reduction import no_kernel

    return no_kernel("one_hot", x._dtype_code)


KERNELS = {
    "take": _take,
    "pick": _pick,
    "pick_grad": _place,
    "one_hot": _one_hot,
}
