"""One step of a recurrent layer behind its two products, and its gradient: a thread for each element of h.

Operands and formulas are those of the CPU's kernel (`kernels/cpu/rnn_cells.hpp`). Half types are computed in
float32.
"""

from __future__ import annotations

import functools
import re
import struct

from ..._gpu import LETTERS, launch
from ._compiler import get_kernel
from ._functions import TYPES, convert
from .reduction import MAX_GRID, THREADS

__all__ = ["KERNELS"]

FLOAT32, FLOAT64 = 11, 12
RELU, TANH, LSTM, GRU = range(4)

_SOURCE = """
def kernel(count, size, low, high, {pointers}):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    while e < count:
        row = e // size
        column = e - row * size
        g = row * {gates} * size + column
        g4 = row * 4 * size + column
{body}
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""

# READ(k, i): gate i of operand k; ONE(k): the element of an operand of the width of h. PUT and PUT_ONE write
# results in the same way; READ4 and PUT4 are those of an array with four gates beside others with three.
_PLAIN = """
total = ONE(0) + ONE(1)
PUT_ONE(0) = {bent}
"""
_PLAIN_GRAD = """
h = ONE(2)
head = ONE(0) + ONE(1)
PUT_ONE(0) = {slope}
"""
_LSTM = """
gate_in = sigmoid_T(READ(0, 0) + READ(1, 0))
gate_forget = sigmoid_T(READ(0, 1) + READ(1, 1))
value = tanh_T(READ(0, 2) + READ(1, 2))
gate_out = sigmoid_T(READ(0, 3) + READ(1, 3))
cell = gate_forget * ONE(2) + gate_in * value
{clip}
PUT(1, 0) = gate_in
PUT(1, 1) = gate_forget
PUT(1, 2) = value
PUT(1, 3) = gate_out
PUT_ONE(2) = cell
PUT_ONE(0) = gate_out * tanh_T(cell)
"""
_CLIP = "cell = T(high) if cell > T(high) else T(low) if cell < T(low) else cell"
_CLIP_NAN = "cell = T(low) if cell != cell else cell"
_LSTM_GRAD = """
gate_in = READ(2, 0)
gate_forget = READ(2, 1)
value = READ(2, 2)
gate_out = READ(2, 3)
cell = ONE(3)
bent = tanh_T(cell)
head = ONE(0) + ONE(1)
g_cell = ONE(5) + ONE(6) + head * gate_out * (T(1) - bent * bent)
{clip}
PUT(0, 0) = g_cell * value * gate_in * (T(1) - gate_in)
PUT(0, 1) = g_cell * ONE(4) * gate_forget * (T(1) - gate_forget)
PUT(0, 2) = g_cell * gate_in * (T(1) - value * value)
PUT(0, 3) = head * bent * gate_out * (T(1) - gate_out)
PUT_ONE(1) = g_cell * gate_forget
"""
_CLIP_GRAD = "g_cell = T(0) if cell >= T(high) or cell <= T(low) else g_cell"
_GRU = """
reset = sigmoid_T(READ(0, 0) + READ(1, 0))
update = sigmoid_T(READ(0, 1) + READ(1, 1))
recurrent = READ(1, 2)
fresh = tanh_T(READ(0, 2) + reset * recurrent)
PUT4(1, 0) = reset
PUT4(1, 1) = update
PUT4(1, 2) = fresh
PUT4(1, 3) = recurrent
PUT_ONE(0) = fresh + update * (ONE(2) - fresh)
"""
_GRU_GRAD = """
reset = READ4(2, 0)
update = READ4(2, 1)
fresh = READ4(2, 2)
recurrent = READ4(2, 3)
head = ONE(0) + ONE(1) + ONE(4)
g_fresh = head * (T(1) - update) * (T(1) - fresh * fresh)
g_update = head * (ONE(3) - fresh) * update * (T(1) - update)
g_reset = g_fresh * recurrent * reset * (T(1) - reset)
PUT(0, 0) = g_reset
PUT(0, 1) = g_update
PUT(0, 2) = g_fresh
PUT(1, 0) = g_reset
PUT(1, 1) = g_update
PUT(1, 2) = g_fresh * reset
PUT_ONE(2) = head * update
"""


def _text(mode: int, backward: bool, clips: bool, clips_nan: bool) -> str:
    """The body, in the notation above."""
    if mode == LSTM:
        if backward:
            return _LSTM_GRAD.format(clip=_CLIP_GRAD if clips else "pass")
        clip = [_CLIP_NAN] if clips and clips_nan else []
        return _LSTM.format(clip="\n".join([*([_CLIP] if clips else ["pass"]), *clip]))
    if mode == GRU:
        return _GRU_GRAD if backward else _GRU
    if backward:
        slope = "head * (T(1) - h * h)" if mode == TANH else "head if h > T(0) else T(0)"
        return _PLAIN_GRAD.format(slope=slope)
    return _PLAIN.format(bent="tanh_T(total)" if mode == TANH else "total if total > T(0) else T(0)")


@functools.cache
def _kernel(name, mode, backward, clips, clips_nan, in_codes, out_codes, device):
    wide = FLOAT64 if out_codes[0] == FLOAT64 else FLOAT32
    lines = []
    for line in _text(mode, backward, clips, clips_nan).strip("\n").split("\n"):
        line = re.sub(r"(?<![A-Za-z_])T\(|_T\(", lambda m: m[0].replace("T", TYPES[wide]), line)
        line = re.sub(r"READ(4?)\((\d), (\d)\)", r"p\2[g\1 + \3 * size]", line)
        line = re.sub(r"(?<!_)ONE\((\d)\)", r"p\1[e]", line)
        line = re.sub(r"p(\d)\[[^]]*\]", lambda m: convert(in_codes[int(m[1])], wide, m[0]), line)
        if line.startswith("PUT"):
            place, value = line.split(" = ", 1)
            k = int(re.search(r"\((\d)", place)[1])
            place = re.sub(r"PUT_ONE\((\d)\)", r"y\1[e]", place)
            place = re.sub(r"PUT(4?)\((\d), (\d)\)", r"y\2[g\1 + \3 * size]", place)
            line = f"{place} = {convert(wide, out_codes[k], f'({value})')}"
        lines.append(line)
    pointers = [f"p{k}" for k in range(len(in_codes))] + [f"y{k}" for k in range(len(out_codes))]
    source = _SOURCE.format(
        pointers=", ".join(pointers),
        gates={LSTM: 4, GRU: 3}.get(mode, 1),
        body="\n".join(" " * 8 + line for line in lines),
    )
    signature = "qqdd" + "".join("P" + LETTERS[code] for code in (*in_codes, *out_codes))
    return get_kernel(name, source, signature, device)


def _cell(name: str, backward: bool):
    def run(outputs: list, inputs: list, parameters: bytes) -> None:
        # CellParams: batch, size; mode; clips, clips_nan; low, high
        batch, size, mode, clips, clips_nan, low, high = struct.unpack("qqi??dd", parameters[:40])
        count = batch * size
        if count == 0:
            return
        codes = [tuple([x._dtype_code for x in arrays]) for arrays in (inputs, outputs)]
        kernel = _kernel(name, mode, backward, clips, clips_nan, *codes, outputs[0]._context_code & 0xFF)
        arguments = [count, size, low, high, *inputs, *outputs]
        launch(
            name,
            list(outputs),
            list(inputs),
            [(kernel, min(-(-count // THREADS), MAX_GRID), THREADS, arguments)],
        )

    return run


KERNELS = {
    "rnn_cell": _cell("rnn_cell", False),
    "rnn_cell_backward": _cell("rnn_cell_backward", True),
}
