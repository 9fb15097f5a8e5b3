"""Moving the steps of sequences that differ in length: a thread for each element of the result."""

from __future__ import annotations

import functools
import struct

from ..._gpu import LETTERS, launch
from ._compiler import get_kernel
from ._functions import convert, load
from .indexing import BITS
from .reduction import MAX_GRID, THREADS

__all__ = ["KERNELS"]

INT64 = 7
MASK, REVERSE, LAST, BACK = range(4)

_SOURCE = """
def kernel(size, steps, in_steps, batch, inner, even, odd, x, {length}out):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    while e < size:
        i = e // inner
        step = {step}
        sample = {sample}
        length = {whole}
        {read}
        source = {source}
        made = even if e % i64(2) == i64(0) else odd
        if source >= i64(0):
            made = x[({place}) * inner + e - i * inner]
        out[e] = made
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""

_SOURCES = {
    MASK: "step if step < length else i64(-1)",
    REVERSE: "length - i64(1) - step if step < length else step",
    LAST: "length - i64(1)",
    BACK: "i64(0) if step == length - i64(1) else i64(-1)",
}


@functools.lru_cache(maxsize=128)
def _kernel(code: int, mode: int, batch_first: bool, length: int | None, device: int):
    least = 1 if mode in (LAST, BACK) else 0
    whole = "steps" if mode == BACK else "in_steps"
    read = "pass"
    if length is not None:
        given = convert(length, INT64, load(length, "lengths[sample]"))
        read = f"length = max(i64({least}), min({given}, length))"
    source = _SOURCE.format(
        length="" if length is None else "lengths, ",
        step="i % steps" if batch_first else "i // batch",
        sample="i // steps" if batch_first else "i % batch",
        whole=whole,
        read=read,
        source=_SOURCES[mode],
        place="sample * in_steps + source" if batch_first else "source * batch + sample",
    )
    letter = LETTERS[code]
    signature = (
        f"qqqqq{letter}{letter}P{letter}" + ("" if length is None else "P" + LETTERS[length]) + f"P{letter}"
    )
    return get_kernel("sequence", source, signature, device)


def _sequence(outputs: list, inputs: list, parameters: bytes) -> None:
    # SequenceParams: steps, in_steps, batch, inner; mode; batch_first, has_length; value, one element
    steps, in_steps, batch, inner, mode, batch_first, _ = struct.unpack("qqqqi??", parameters[:38])
    target = outputs[0]
    if target.size == 0:
        return
    item = min(target.itemsize, 8)
    halves = target.itemsize // item  # complex128 is moved as two numbers
    values = [int.from_bytes(parameters[at : at + item], "little") for at in (38, 38 + item * (halves - 1))]
    size = target.size * halves
    length = inputs[1]._dtype_code if len(inputs) > 1 else None
    kernel = _kernel(BITS[item], mode, batch_first, length, target._context_code & 0xFF)
    arguments = [size, steps, in_steps, batch, inner * halves, *values, *inputs, target]
    launches = [(kernel, min(-(-size // THREADS), MAX_GRID), THREADS, arguments)]
    launch("sequence", [target], list(inputs), launches)


KERNELS = {"sequence": _sequence}
