"""Reading and writing the places that arrays of integers name.

Elements that are read belong to one thread each. Where several values go to one place a thread takes all
points in their order, so that the last one stays, and sums come out the same every time.
"""

from __future__ import annotations

import functools
import struct

from ..._array import Array
from ..._gpu import LETTERS, launch, trap
from ...dtypes import DTYPES
from ._compiler import get_kernel
from ._functions import TYPES, convert, load, store
from ._spaces import Walk, normalise
from .copying import in_order
from .reduction import MAX_GRID, THREADS, elements

__all__ = ["KERNELS"]

INT64 = 7
CLIP, WRAP, RAISE = 0, 1, 2
# Elements that are only moved: unsigned integers of their size; complex128 as two.
BITS = {1: 2, 2: 4, 4: 6, 8: 8}


def index_lines(name: str, read: str, extent: str, mode: int) -> list[str]:
    """Lines that bring an index into range; RAISE leaves the operation's number in the trap."""
    lines = [f"{name} = {read}"]
    if mode == CLIP:
        return [*lines, f"{name} = max(i64(0), min({name}, {extent} - i64(1)))"]
    if mode == WRAP:
        return [*lines, f"{name} = {name} % {extent}"]
    return [
        *lines,
        f"if {name} < i64(0):",
        f"    {name} += {extent}",
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

_ORDERED = """
def kernel(size, points, number, trap, {parameters}, {pointers}):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    while e < size:
{first}
        i = i64(0)
        while i < points:
{body}
            i += i64(1)
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""


def _indented(lines: list[str], depth: int) -> str:
    return "\n".join(" " * depth + line for line in lines)


def _move(code: int, target: str, at: str, source: str, place: str, add: bool) -> list[str]:
    """Lines that move one element, or add it up."""
    if not add:
        if DTYPES[code].kind == "c":
            return [f"{target}[2 * ({at}) + {h}] = {source}[2 * ({place}) + {h}]" for h in (0, 1)]
        return [f"{target}[{at}] = {source}[{place}]"]
    if DTYPES[code].kind == "c":
        return [f"{target}[2 * ({at}) + {h}] += {source}[2 * ({place}) + {h}]" for h in (0, 1)]
    if code == 0:
        return [f"{target}[{at}] = {target}[{at}] | {source}[{place}]"]
    wide = 11 if code in (9, 10) else code
    both = [convert(code, wide, f"{pointer}[{where}]") for pointer, where in ((target, at), (source, place))]
    return [f"{target}[{at}] = {store(code, convert(wide, code, f'{TYPES[wide]}({both[0]} + {both[1]})'))}"]


def _sides(x: Array, v: Array, indices: list, n_outer: int, n_indexed: int):
    """Spaces of the axes around the indexed ones (x, v) and of the points (v, indices), in elements."""
    n_inner = x.ndim - n_outer - n_indexed
    x_steps, v_steps = (elements(a.strides, a._dtype_code) for a in (x, v))
    n_points = v.ndim - n_outer - n_inner
    shape = v.shape[n_outer : n_outer + n_points]
    around = [*range(n_outer), *range(x.ndim - n_inner, x.ndim)]
    around_v = [*range(n_outer), *range(v.ndim - n_inner, v.ndim)]
    outside = normalise(
        [x.shape[d] for d in around],
        [[x_steps[d] for d in around], [v_steps[d] for d in around_v]],
        keep_order=True,
    )
    steps = [list(v_steps[n_outer : n_outer + n_points])]
    for index in indices:
        own, strides = index.shape, elements(index.strides, index._dtype_code)
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
    along = [(x.shape[n_outer + k], x_steps[n_outer + k]) for k in range(n_indexed)]
    return Walk("a", *outside), Walk("b", *points), along


@functools.lru_cache(maxsize=1024)
def _kernel(name, code, codes, mode, a_key, b_key, a_parameters, b_parameters, kind, device):
    """kind: gather, scatter or add. Element e of a gather: its point is e // inner, its place e % inner."""
    outside, points = _walk(a_key, a_parameters), _walk(b_key, b_parameters)
    parameters, along = [*outside.parameters, *points.parameters], []
    for k in range(len(codes)):
        parameters += [f"extent{k}", f"step{k}"]
    pointers = ["x", "v", *[f"index{k}" for k in range(len(codes))]]
    along = points.lines("i", ["vp", *[f"ip{k}" for k in range(len(codes))]])
    along.append("xp = xa")
    for k, index in enumerate(codes):
        read = convert(index, INT64, load(index, f"index{k}[ip{k}]"))
        along += [*index_lines(f"j{k}", read, f"extent{k}", mode), f"xp += j{k} * step{k}"]
    if kind == "gather":
        parameters.append("inner")
        body = ["i = e // inner", "rest = e - i * inner", *outside.lines("rest", ["xa", "va"]), *along]
        body += _move(code, "v", "va + vp", "x", "xp", False)
        source = _GATHER.format(
            parameters=", ".join(parameters), pointers=", ".join(pointers), body=_indented(body, 8)
        )
        signature = "qiPi"
    else:
        body = [*along, *_move(code, "x", "xp", "v", "va + vp", kind == "add")]
        source = _ORDERED.format(
            parameters=", ".join(parameters),
            pointers=", ".join(pointers),
            body=_indented(body, 12),
            first=_indented(outside.lines("e", ["xa", "va"]), 8),
        )
        signature = "qqiPi"
    signature += "q" * len(parameters) + ("P" + LETTERS[code]) * 2 + "".join("P" + LETTERS[c] for c in codes)
    return get_kernel(name, source, signature, device)


def _walk(key: tuple, parameters: tuple) -> Walk:
    """A walk with the source of another one."""
    prefix, ndim, count, wide = key
    made = Walk(prefix, [1] * ndim, [[1] * ndim] * count)
    made.wide = wide
    assert tuple(made.parameters) == parameters
    return made


class _Address:
    """An address that is not an array's: the trap of a device."""

    def __init__(self, device: int, name: str):
        self.address, self.number = trap(device, name)


def _index(name: str, x: Array, v: Array, indices: list, parameters: bytes, kind: str) -> None:
    # IndexParams: n_outer, n_indexed, mode, axes
    n_outer, n_indexed, mode = struct.unpack("iii", parameters[:12])
    if v.size == 0:
        return
    outside, points, along = _sides(x, v, indices, n_outer, n_indexed)
    device = x._context_code & 0xFF
    code = x._dtype_code if kind == "add" or DTYPES[x._dtype_code].kind == "c" else BITS[x.itemsize]
    codes = tuple([index._dtype_code for index in indices])
    kernel = _kernel(
        name,
        code,
        codes,
        mode,
        outside.key,
        points.key,
        tuple(outside.parameters),
        tuple(points.parameters),
        kind,
        device,
    )
    place = _Address(device, name)
    numbers = [*outside.arguments, *points.arguments]
    for extent, step in along:
        numbers += [extent, step]
    if kind == "gather":
        size = v.size
        arguments = [size, place.number, place.address, *numbers, outside.size]
    else:
        size = outside.size
        arguments = [size, points.size, place.number, place.address, *numbers]
    grid = min(-(-size // THREADS), MAX_GRID)
    launches = [(kernel, grid, THREADS, [*arguments, x, v, *indices])]
    if kind == "gather":
        launch(name, [v], [x, *indices], launches)
    else:
        launch(name, [x], [v, *indices], launches, updates=True)


def _take(outputs: list, inputs: list, parameters: bytes) -> None:
    _index("take", inputs[0], outputs[0], inputs[1:], parameters, "gather")


def _scatter(outputs: list, inputs: list, parameters: bytes) -> None:
    _index("scatter", outputs[0], inputs[0], inputs[1:], parameters, "scatter")


def _scatter_add(outputs: list, inputs: list, parameters: bytes) -> None:
    _index("scatter_add", outputs[0], inputs[0], inputs[1:], parameters, "add")


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
    body += _move(code, "x", "xo", "v", "vo", False) if put else _move(code, "v", "vo", "x", "xo", False)
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
    place = _Address(device, name)
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
    "scatter": _scatter,
    "scatter_add": _scatter_add,
    "pick": _pick,
    "pick_grad": _place,
    "one_hot": _one_hot,
}
