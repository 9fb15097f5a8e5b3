"""Sorting lines of keys: tiles in shared memory by a bitonic network, then merges of runs twice as long.

Keys are unsigned integers, or pairs of them that are compared one after the other; what they stand for, and
what becomes of the sorted places, are lines of source of the user. Equal keys keep their order: within a tile
places decide, and in a merge the earlier run comes first. Each block of a merge makes one tile of a result:
a search along the diagonal of the two runs (Green, McColl, Bader: GPU Merge Path, 2012) finds its elements.
Runs are merged only as far as the elements that are wanted.
"""

from __future__ import annotations

from typing import Any

from ..._gpu import LETTERS, SIMULATED, Scratch
from ...dtypes import DTYPES
from ._compiler import get_kernel
from ._functions import TYPES

__all__ = ["SortPlan", "place_code"]

THREADS = 8 if SIMULATED else 256
TILE = 16 if SIMULATED else 1024  # elements; of pairs half as many, which leaves the same shared memory
MAX_GRID = 1 << 30
UINT32, INT64 = 6, 7

# A segment is P neighbouring slots of a tile: all of it, or one of several short lines.
_TILE_KERNEL = """
def kernel(blocks, K, N, keep, {parameters}):
    {shared}
    places = cuda.shared.array({tile}, dt_i32)
    t = i64(cuda.threadIdx.x)
    tiles = (N + i64({segment} - 1)) // i64({segment})
    block = i64(cuda.blockIdx.x)
    while block < blocks:
        slot = t
        while slot < {tile}:
            part = block * i64({tile} // {segment}) + slot // {segment}
            k = part // tiles
            i = (part - k * tiles) * i64({segment}) + slot % {segment}
            {pads}
            if k < K and i < N:
{read}
            {fill}
            places[slot] = i32(slot)
            slot += i64({threads})
        width = i64(2)
        while width <= {segment}:
            step = width // i64(2)
            while step > 0:
                cuda.syncthreads()
                pair = t
                while pair < {tile} // 2:
                    low = i64(2) * pair - (pair & (step - i64(1)))
                    high = low + step
                    rising = (low & i64({segment} - 1) & width) == 0
                    {low}
                    {high}
                    place_low = places[low]
                    place_high = places[high]
                    swaps = {after} or ({level} and place_low > place_high)
                    if swaps == rising:
                        {swap}
                        places[low] = place_high
                        places[high] = place_low
                    pair += i64({threads})
                step = step // i64(2)
            width = width * i64(2)
        cuda.syncthreads()
        slot = t
        while slot < {tile}:
            part = block * i64({tile} // {segment}) + slot // {segment}
            k = part // tiles
            first = (part - k * tiles) * i64({segment})
            rank = first + slot % {segment}
            if k < K and rank < N and rank < first + keep:
                place = first + i64(places[slot]) % {segment}
                {key}
{write}
            slot += i64({threads})
        cuda.syncthreads()
        block += cuda.gridDim.x
"""

_MERGE_KERNEL = """
def kernel(blocks, K, N, keep, width, {parameters}):
    {shared}
    split = cuda.shared.array(2, dt_i64)
    t = i64(cuda.threadIdx.x)
    of_pair = (min(i64(2) * width, keep) + i64({tile} - 1)) // i64({tile})
    of_line = (N + i64(2) * width - i64(1)) // (i64(2) * width) * of_pair
    block = i64(cuda.blockIdx.x)
    while block < blocks:
        k = block // of_line
        rest = block - k * of_line
        start = rest // of_pair * (i64(2) * width)
        begin = rest % of_pair * i64({tile})
        left = k * N + start
        right = left + width
        n_left = min(width, keep, N - start)
        n_right = max(i64(0), min(width, keep, N - start - width))
        if t < 2:
            diagonal = min(begin + t * i64({tile}), n_left + n_right)
            low = max(i64(0), diagonal - n_right)
            high = min(diagonal, n_left)
            while low < high:
                middle = (low + high) // i64(2)
                {middle_left}
                {middle_right}
                if {right_first}:
                    high = middle
                else:
                    low = middle + i64(1)
            split[t] = low
        cuda.syncthreads()
        left += split[0]
        right += min(begin, n_left + n_right) - split[0]
        of_left = split[1] - split[0]
        count = min(i64({tile}), max(i64(0), n_left + n_right - begin))
        slot = t
        while slot < count:
            source = left + slot if slot < of_left else right + slot - of_left
            {load}
            slot += i64({threads})
        cuda.syncthreads()
        slot = t
        while slot < count:
            {own}
            source = left + slot
            low = of_left
            high = count
            if slot >= of_left:
                source = right + slot - of_left
                low = i64(0)
                high = of_left
            first = low
            while low < high:
                middle = (low + high) // i64(2)
                {middle_shared}
                if {smaller} if slot < of_left else {not_larger}:
                    low = middle + i64(1)
                else:
                    high = middle
            inside = slot + low - first if slot < of_left else slot - of_left + low
            rank = start + begin + inside
            if begin + inside < keep:
                place = i64(from_places[source])
{write}
            slot += i64({threads})
        cuda.syncthreads()
        block += cuda.gridDim.x
"""


def _indented(lines: list[str], depth: int) -> str:
    return "\n".join(" " * depth + line for line in lines)


def place_code(N: int) -> int:
    """Return the dtype code of places on a line of N elements."""
    return UINT32 if N < 1 << 32 else INT64


class SortPlan:
    """The launches that sort K lines of N elements each, of which the first `keep` are wanted.

    read: lines that set key0 (and key1) of type `key` from k, the number of the line, and i, the element's.
    write: lines that use k, rank and place, for every rank below `keep`. Both use `parameters`, of types
    `signature`, and `functions`.
    """

    def __init__(
        self,
        name: str,
        key: int,
        pair: bool,
        read: list[str],
        write: list[str],
        parameters: list[str],
        signature: str,
        functions: str = "",
    ):
        self.name, self.type, self.key, self.parts = name, TYPES[key], key, range(2 if pair else 1)
        self.read, self.write, self.functions = read, write, functions
        self.parameters, self.signature = parameters, signature
        self.tile = TILE // len(self.parts)

    # --- source -------------------------------------------------------------------------------------------

    def _each(self, line: str) -> str:
        """One statement for each part of a key."""
        return "; ".join(line.format(h=h) for h in self.parts)

    def _before(self, a: str, b: str) -> str:
        """Whether key `a` is smaller; names of keys end in the number of their part."""
        if len(self.parts) == 1:
            return f"({a}0 < {b}0)"
        return f"({a}0 < {b}0 or ({a}0 == {b}0 and {a}1 < {b}1))"

    def _names(self) -> dict[str, Any]:
        return {
            "tile": self.tile,
            "threads": THREADS,
            "shared": self._each(f"keys{{h}} = cuda.shared.array({self.tile}, dt_{self.type})"),
        }

    def _moves(self, final: bool) -> list[str]:
        """Lines that write a sorted element: the user's, or to the memory between two merges."""
        if final:
            return self.write
        return [self._each("to_keys{h}[k * N + rank] = key{h}"), "to_places[k * N + rank] = TYPE(place)"]

    def _tile_source(self, segment: int, final: bool, place: int) -> str:
        highest = f"{self.type}({2 ** (8 * self._bytes()) - 1})"
        return _TILE_KERNEL.format(
            **self._names(),
            parameters=", ".join([*self.parameters, *([] if final else self._buffers("to"))]),
            segment=segment,
            pads=self._each(f"key{{h}} = {highest}"),
            fill=self._each("keys{h}[slot] = key{h}"),
            read=_indented(self.read, 16),
            low=self._each("low_key{h} = keys{h}[low]"),
            high=self._each("high_key{h} = keys{h}[high]"),
            after=self._before("high_key", "low_key"),
            level=" and ".join(f"low_key{h} == high_key{h}" for h in self.parts),
            swap=self._each("keys{h}[low] = high_key{h}; keys{h}[high] = low_key{h}"),
            key=self._each("key{h} = keys{h}[slot]"),
            write=_indented(self._moves(final), 16).replace("TYPE", TYPES[place]),
        )

    def _merge_source(self, final: bool, place: int) -> str:
        return _MERGE_KERNEL.format(
            **self._names(),
            parameters=", ".join(
                [
                    *(self.parameters if final else []),
                    *self._buffers("from"),
                    *([] if final else self._buffers("to")),
                ]
            ),
            middle_left=self._each("a{h} = from_keys{h}[left + middle]"),
            middle_right=self._each("b{h} = from_keys{h}[right + diagonal - i64(1) - middle]"),
            right_first=self._before("b", "a"),
            load=self._each("keys{h}[slot] = from_keys{h}[source]"),
            own=self._each("key{h} = keys{h}[slot]"),
            middle_shared=self._each("other{h} = keys{h}[middle]"),
            smaller=self._before("other", "key"),
            not_larger=f"not {self._before('key', 'other')}",
            write=_indented(self._moves(final), 16).replace("TYPE", TYPES[place]),
        )

    def _buffers(self, prefix: str) -> list[str]:
        return [*[f"{prefix}_keys{h}" for h in self.parts], f"{prefix}_places"]

    def _bytes(self) -> int:
        return int(self.type[1:]) // 8

    # --- launches -----------------------------------------------------------------------------------------

    def launches(self, K: int, N: int, keep: int, device: int) -> tuple[list[tuple], int]:
        """Return (kernel, grid, block, numbers, whether `parameters` follow, scratch) each, and the bytes of
        scratch memory. The arguments of a launch come in this order.
        """
        place = place_code(N)
        runs = self._runs(K * N, DTYPES[place].itemsize)
        final = self.tile >= N
        segment = min(self.tile, 1 << max(N - 1, 1).bit_length())
        kernel = self._kernel(
            self._tile_source(segment, final, place), "qqqq", True, place, not final, device
        )
        blocks = -(-K * -(-N // segment) // (self.tile // segment))
        made = [self._launch(kernel, blocks, [K, N, keep], True, [] if final else runs[0])]
        width = self.tile
        while not final:
            final = 2 * width >= N
            kernel = self._kernel(self._merge_source(final, place), "qqqqq", final, place, 2 - final, device)
            blocks = K * -(-N // (2 * width)) * -(-min(2 * width, keep) // self.tile)
            memory = runs[0] if final else [*runs[0], *runs[1]]
            made.append(self._launch(kernel, blocks, [K, N, keep, width], final, memory))
            width, runs = 2 * width, runs[::-1]
        return made, 0 if len(made) == 1 else self._scratch(K * N, DTYPES[place].itemsize)[-1]

    def _kernel(self, source: str, numbers: str, own: bool, place: int, buffers: int, device: int):
        runs = "".join("P" + LETTERS[self.key] for _ in self.parts) + "P" + LETTERS[place]
        signature = numbers + (self.signature if own else "") + runs * buffers
        return get_kernel(self.name, source, signature, device, self.functions if own else "")

    def _launch(self, kernel: Any, blocks: int, numbers: list[int], own: bool, memory: list) -> tuple:
        return kernel, min(blocks, MAX_GRID), THREADS, [blocks, *numbers], own, memory

    def _scratch(self, size: int, place: int) -> list[int]:
        """Offsets of keys and places of the two sets of runs, and their end."""
        offsets = [0]
        for _ in range(2):
            for item in [*[self._bytes() for _ in self.parts], place]:
                offsets.append(offsets[-1] + -(-size * item // 256) * 256)
        return offsets

    def _runs(self, size: int, place: int) -> list[list[Scratch]]:
        offsets, n = self._scratch(size, place), len(self.parts) + 1
        return [[Scratch(at) for at in offsets[:n]], [Scratch(at) for at in offsets[n : 2 * n]]]
