"""Copies whose source and target have different innermost axes, by squares in shared memory.

Both are read and written along their own innermost axis; the square has a column to spare, so that threads
that read a column of it meet no bank twice.
"""

from __future__ import annotations

import functools

from ..._array import Array
from ..._gpu import LETTERS, SIMULATED, launch
from ._compiler import get_kernel
from ._functions import convert
from ._spaces import Walk, normalise
from .reduction import elements, read_element, shared_type, write_element

__all__ = ["transpose"]

SIDE = 4 if SIMULATED else 32
ROWS = 2 if SIMULATED else 8  # of threads
LEAST = 16 if SIMULATED else 4096  # elements
MAX_GRID = 1 << 30

_SOURCE = """
def kernel(squares, across, down, n_across, n_down, x_step, y_step, {parameters}x, y):
    square = cuda.shared.array(({side}, {side} + 1), {shared})
    column = i64(cuda.threadIdx.x)
    first = i64(cuda.threadIdx.y)
    number = i64(cuda.blockIdx.x)
    while number < squares:
        rest = number // across
        left = (number - rest * across) * i64({side})
        k = rest // down
        top = (rest - k * down) * i64({side})
{walk}
        row = first
        while row < {side}:
            if left + row < n_across and top + column < n_down:
                at = xo + (left + row) * x_step + top + column
                square[row, column] = {value}
            row += i64({rows})
        cuda.syncthreads()
        row = first
        while row < {side}:
            if left + column < n_across and top + row < n_down:
                at = yo + (top + row) * y_step + left + column
                value = {held}
                {write}
            row += i64({rows})
        cuda.syncthreads()
        number += cuda.gridDim.x
"""


@functools.lru_cache(maxsize=1024)
def _plan(shape: tuple, x_steps: tuple, y_steps: tuple):
    """(the axes around, extent and step across, extent and step down), or None if a plain copy does it.

    Across is the innermost axis of the target, down that of the source.
    """
    extents, (y, x) = normalise(shape, [list(y_steps), list(x_steps)])
    if len(extents) < 2 or y[-1] != 1 or x[-1] == 1 or 1 not in x:
        return None
    down = x.index(1)
    if min(extents[-1], extents[down]) < SIDE // 2:
        return None
    around = [d for d in range(len(extents) - 1) if d != down]
    walk = Walk("k", [extents[d] for d in around], [[x[d] for d in around], [y[d] for d in around]])
    return walk, (extents[-1], x[-1]), (extents[down], y[down])


@functools.lru_cache(maxsize=512)
def _kernel(code: int, target: int, walk_key: tuple, parameters: tuple, lines: tuple, device: int):
    boolean = code == 0
    source = _SOURCE.format(
        side=SIDE,
        rows=ROWS,
        shared=shared_type(code),
        parameters="".join(f"{name}, " for name in parameters),
        walk="\n".join(" " * 8 + line for line in lines),
        value=f"u8({read_element(code, 'x', 'at')})" if boolean else read_element(code, "x", "at"),
        held="square[column, row] != u8(0)" if boolean else "square[column, row]",
        write="; ".join(write_element(target, "y", "at", convert(code, target, "value"))),
    )
    signature = "q" * (7 + len(parameters)) + "P" + LETTERS[code] + "P" + LETTERS[target]
    return get_kernel("transpose", source, signature, device)


def transpose(target: Array, source: Array) -> bool:
    """Copy between arrays of one shape on one GPU, if their innermost axes differ; return whether it did."""
    if source.size < LEAST or (source._c_contiguous and target._c_contiguous):
        return False
    if source._storage_id == target._storage_id:  # where they overlap, the plain copy sees to it
        return False
    code, to = source._dtype_code, target._dtype_code
    found = _plan(source.shape, elements(source.strides, code), elements(target.strides, to))
    if found is None:
        return False
    walk, (n_across, x_step), (n_down, y_step) = found
    lines = tuple(walk.lines("k", ["xo", "yo"]))
    kernel = _kernel(code, to, walk.key, tuple(walk.parameters), lines, target._context_code & 0xFF)
    across, down = -(-n_across // SIDE), -(-n_down // SIDE)
    squares = across * down * walk.size
    numbers = [squares, across, down, n_across, n_down, x_step, y_step, *walk.arguments]
    launches = [(kernel, min(squares, MAX_GRID), (SIDE, ROWS), [*numbers, source, target])]
    launch("copy", [target], [source], launches)
    return True
