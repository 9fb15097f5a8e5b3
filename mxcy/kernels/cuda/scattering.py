"""Writing to the places that arrays of integers name, of which several may be the same.

The points are sorted by place, stably: of those with one place the last stays, or their sum is added. Sums
are made from pieces of as many sorted points as there are pieces, about. What lies in one piece is added in
the order of points, as on the CPU; of a place whose points go on into more pieces, each gives its part, and
these are added in order. So results are the same every time.
"""

from __future__ import annotations

import functools
import math
import struct

from ..._array import Array
from ..._gpu import LETTERS, Scratch, launch
from ...dtypes import DTYPES
from ._compiler import get_kernel
from ._functions import TYPES, convert, load
from ._merge import SortPlan, place_code
from ._spaces import Walk, normalise
from .indexing import BITS, Address, index_lines, layout, move, sides
from .reduction import MAX_GRID, THREADS, read_element, write_element

__all__ = ["KERNELS"]

UINT32, INT64, UINT64, FLOAT32 = 6, 7, 8, 11
FEWEST = 8  # points of a piece

_LAST = """
def kernel(size, n, inner, {parameters}, keys, order, x, v):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    while e < size:
        i = e // inner
        rest = e - i * inner
        key = keys[i]
        if i == n - i64(1) or keys[i + 1] != key:
{outside}
{place}
            point = i64(order[i])
{value}
{move}
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""

_SUMS = """
def kernel(size, n, inner, piece, {parameters}, keys, order, x, v, heads, tails):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    while e < size:
        c = e // inner
        rest = e - c * inner
{outside}
        i = c * piece
        end = min(i + piece, n)
        while i < end:
            key = keys[i]
{place}
            goes_on = i > i64(0) and keys[i - 1] == key
            total = {none}
            if not goes_on:
                total = {old}
            while i < end and keys[i] == key:
                point = i64(order[i])
{value}
                total = {add}
                i += i64(1)
            if goes_on:
                {to_heads}
            elif i == end and end < n and keys[end] == key:
                {to_tails}
            else:
                {to_x}
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""

_PARTS = """
def kernel(size, n, inner, piece, {parameters}, keys, x, heads, tails):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    while e < size:
        c = e // inner
        rest = e - c * inner
        begin = c * piece
        key = keys[begin + piece]
        begins = c == i64(0) or keys[begin] != key or keys[begin - 1] != key
        if begins and keys[begin + piece - 1] == key:
{outside}
{place}
            total = {tail}
            d = c + i64(1)
            goes_on = True
            while goes_on:
                total = {add_head}
                d += i64(1)
                goes_on = d * piece < n and keys[d * piece] == key
            {to_x}
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""


def _indented(lines: list[str], depth: int) -> str:
    return "\n".join(" " * depth + line for line in lines)


class _Scatter:
    """The kernels for arrays of one layout; `codes` are those of the elements and of the indices."""

    def __init__(self, name, kind, code, codes, x, v, indices, n_outer, n_indexed, mode, device):
        self.name, self.code, self.codes, self.mode, self.device = name, code, codes, mode, device
        self.outside, self.points, self.along = sides(x, v, indices, n_outer, n_indexed)
        n_inner = len(x[0]) - n_outer - n_indexed
        inside = slice(n_outer, len(v[0]) - n_inner)
        self.values = Walk("p", *normalise(v[0][inside], [list(v[1][inside])], keep_order=True))
        self.n, self.inner = self.points.size, self.outside.size
        self.key = UINT32 if math.prod(extent for extent, _ in self.along) < 1 << 32 else UINT64
        self.order = place_code(self.n)
        self.launches: list[tuple] = []
        self.scratch = 0
        self._sort()
        if kind == "last":
            self._last()
        else:
            self._sums()

    def _reserve(self, nbytes: int) -> Scratch:
        found = Scratch(self.scratch)
        self.scratch += -(-nbytes // 256) * 256
        return found

    def _sort(self) -> None:
        n_indices = range(len(self.codes))
        read = self.points.lines("i", ["vp", *[f"ip{k}" for k in n_indices]])
        for k, index in enumerate(self.codes):
            element = convert(index, INT64, load(index, f"index{k}[ip{k}]"))
            read += index_lines(f"j{k}", element, f"extent{k}", self.mode)
            read.append(f"at = at * extent{k} + j{k}" if k else "at = j0")
        read.append(f"key0 = {TYPES[self.key]}(at)")
        write = ["sorted_keys[rank] = key0", f"order[rank] = {TYPES[self.order]}(place)"]
        extents = [f"extent{k}" for k in n_indices]
        parameters = ["number", "trap", *self.points.parameters, *extents]
        parameters += [*[f"index{k}" for k in n_indices], "sorted_keys", "order"]
        signature = "iPi" + "q" * (len(self.points.parameters) + len(extents))
        signature += "".join("P" + LETTERS[code] for code in self.codes)
        signature += "P" + LETTERS[self.key] + "P" + LETTERS[self.order]
        plan = SortPlan(self.name, self.key, False, read, write, parameters, signature)
        made, self.scratch = plan.launches(1, self.n, self.n, self.device)
        self.keys = self._reserve(self.n * DTYPES[self.key].itemsize)
        self.places = self._reserve(self.n * DTYPES[self.order].itemsize)
        place = Address(self.device, self.name)
        own = [place.number, place.address, *self.points.arguments, *[extent for extent, _ in self.along]]
        own += [f"index{k}" for k in n_indices] + [self.keys, self.places]
        for kernel, grid, block, numbers, uses_own, memory in made:
            self.launches.append((kernel, grid, block, [*numbers, *(own if uses_own else []), *memory]))

    def _add(
        self, source: str, pieces: dict, size: int, n: list[int], walks: list[Walk], codes: list, addresses
    ):
        """A launch over `size` elements of the kernel that a source with these pieces defines."""
        extents = [f"extent{k}" for k in range(1, len(self.along))] + [
            f"step{k}" for k in range(len(self.along))
        ]
        parameters = [*[name for walk in walks for name in walk.parameters], *extents]
        numbers = [*[value for walk in walks for value in walk.arguments], *[e for e, _ in self.along[1:]]]
        numbers += [step for _, step in self.along]
        text = source.format(parameters=", ".join(parameters), **pieces).replace(", , ", ", ")
        signature = "q" * (1 + len(n) + len(parameters)) + "".join("P" + LETTERS[code] for code in codes)
        kernel = get_kernel(self.name, text, signature, self.device)
        grid = min(-(-size // THREADS), MAX_GRID)
        self.launches.append((kernel, grid, THREADS, [size, *n, *numbers, *addresses]))

    def _outside(self, depth: int) -> str:
        return _indented(self.outside.lines("rest", ["xa", "va"]), depth)

    def _place(self, depth: int) -> str:
        """Lines that find a place of x from its key."""
        lines, whole = ["xp = xa"], "i64(key)"
        for k in range(len(self.along) - 1, 0, -1):
            lines += [f"q{k} = {whole} // extent{k}", f"xp += ({whole} - q{k} * extent{k}) * step{k}"]
            whole = f"q{k}"
        return _indented([*lines, f"xp += {whole} * step0"], depth)

    def _value(self, depth: int) -> str:
        return _indented(self.values.lines("point", ["vp"]), depth)

    def _last(self) -> None:
        pieces = {
            "outside": self._outside(12),
            "place": self._place(12),
            "value": self._value(12),
            "move": _indented(move(self.code, "x", "xp", "v", "va + vp"), 12),
        }
        codes = [self.key, self.order, self.code, self.code]
        walks = [self.outside, self.values]
        addresses = [self.keys, self.places, "x", "v"]
        self._add(_LAST, pieces, self.n * self.inner, [self.n, self.inner], walks, codes, addresses)

    def _sums(self) -> None:
        code = 2 if self.code == 0 else self.code  # bool is added as the bits that it is
        wide = FLOAT32 if code in (9, 10) else code
        name = TYPES[wide]
        none = f"{name}(-0.0)" if DTYPES[wide].kind == "f" else f"{name}(0)"  # -0.0 + x is x, always
        sign = "|" if self.code == 0 else "+"

        def add(value: str) -> str:
            return f"{name}(total {sign} {value})"

        def write(pointer: str, place: str, to: int, value: str) -> str:
            return "; ".join(write_element(to, pointer, place, value))

        pieces = {
            "outside": self._outside(8),
            "place": self._place(12),
            "value": self._value(16),
            "none": none,
            "old": convert(code, wide, read_element(code, "x", "xp")),
            "add": add(convert(code, wide, read_element(code, "v", "va + vp"))),
            "to_heads": write("heads", "e", wide, "total"),
            "to_tails": write("tails", "e", wide, "total"),
            "to_x": write("x", "xp", code, convert(wide, code, "total")),
        }
        piece = max(FEWEST, 1 << (math.isqrt(self.n).bit_length() - 1))
        count = -(-self.n // piece)
        numbers = [self.n, self.inner, piece]
        partial = 0 if count == 1 else count * self.inner * DTYPES[wide].itemsize
        heads, tails = self._reserve(partial), self._reserve(partial)
        codes = [self.key, self.order, code, code, wide, wide]
        addresses = [self.keys, self.places, "x", "v", heads, tails]
        walks = [self.outside, self.values]
        self._add(_SUMS, pieces, count * self.inner, numbers, walks, codes, addresses)
        if count == 1:
            return
        pieces = {
            "outside": self._outside(12),
            "place": pieces["place"],
            "tail": read_element(wide, "tails", "e"),
            "add_head": add(read_element(wide, "heads", "d * inner + rest")),
            "to_x": pieces["to_x"],
        }
        addresses = [self.keys, "x", heads, tails]
        codes = [self.key, code, wide, wide]
        self._add(_PARTS, pieces, (count - 1) * self.inner, numbers, [self.outside], codes, addresses)


@functools.lru_cache(maxsize=512)
def _plan(*arguments) -> _Scatter:
    return _Scatter(*arguments)


def _write(name: str, kind: str, x: Array, v: Array, indices: list, parameters: bytes) -> None:
    # IndexParams: n_outer, n_indexed, mode, axes
    n_outer, n_indexed, mode = struct.unpack("iii", parameters[:12])
    if v.size == 0:
        return
    moved = kind == "last" and DTYPES[x._dtype_code].kind != "c"
    code = BITS[x.itemsize] if moved else x._dtype_code
    codes = tuple([index._dtype_code for index in indices])
    layouts = tuple([layout(index) for index in indices])
    device = x._context_code & 0xFF
    plan = _plan(name, kind, code, codes, layout(x), layout(v), layouts, n_outer, n_indexed, mode, device)
    arrays = {"x": x, "v": v} | {f"index{k}": index for k, index in enumerate(indices)}
    launches = [
        (*first, [arrays[a] if isinstance(a, str) else a for a in arguments])
        for *first, arguments in plan.launches
    ]
    launch(name, [x], [v, *indices], launches, plan.scratch, updates=True)


def _scatter(outputs: list, inputs: list, parameters: bytes) -> None:
    _write("scatter", "last", outputs[0], inputs[0], inputs[1:], parameters)


def _scatter_add(outputs: list, inputs: list, parameters: bytes) -> None:
    _write("scatter_add", "sum", outputs[0], inputs[0], inputs[1:], parameters)


KERNELS = {"scatter": _scatter, "scatter_add": _scatter_add}
