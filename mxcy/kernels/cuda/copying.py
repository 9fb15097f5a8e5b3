"""Copies, conversions, fills, sequences, selections, joining and splitting."""

from __future__ import annotations

import functools
import struct
from typing import Any

import numpy as np

from ..._array import Array, empty
from ..._gpu import transfer
from ..._pointwise import compile_program, invoke
from ...dtypes import DTYPES
from ._functions import convert, truth
from ._layout import Custom
from .pointwise import Body, run_program
from .transposing import transpose

__all__ = ["KERNELS", "copy_into", "fill"]

INT64, FLOAT64 = 7, 12
HALVES = (9, 10)
GPU = 2


@functools.cache
def _copy_program(source: int, target: int):
    return compile_program(1, [(("cast", target), (0,))], [1], [source], name="copy")


def _convert_into(target: Array, source: Array) -> None:
    """Copy between arrays of one device, with conversion and broadcasting."""
    view = source if source.shape == target.shape else source._broadcast_view(target.shape)
    if transpose(target, view):
        return
    program = _copy_program(source._dtype_code, target._dtype_code)
    invoke(program, [view], [target])


def copy_into(target: Array, source: Array) -> None:
    """Copy with conversion and broadcasting, from any device to any other."""
    if target._context_code == source._context_code:
        _convert_into(target, source)
        return
    if target._context_code >> 8 != GPU and source._context_code >> 8 != GPU:
        _convert_into(target, source)
        return
    if not source._c_contiguous or source._dtype_code != target._dtype_code:
        plain = empty(source.shape, target.dtype, 0, source._context_code)
        _convert_into(plain, source)
        source = plain
    if target._c_contiguous and target.shape == source.shape:
        transfer(target, source)
        return
    here = empty(source.shape, target.dtype, 0, target._context_code)
    transfer(here, source)
    _convert_into(target, here)


def _copy(outputs: list, inputs: list, parameters: bytes) -> None:
    copy_into(outputs[0], inputs[0])


# --- fills ------------------------------------------------------------------------------------------------


@functools.cache
def _fill_program(target: int, kind: Any):
    return compile_program(1, [(("cast", target), (0,))], [1], [kind], name="fill")


def fill(target: Array, value: bool | int | float | complex) -> None:
    """Set every element to a number, converted like an array of it."""
    kind: Any = type(value)
    run_program(_fill_program(target._dtype_code, kind), [value], [target])


def _fill(outputs: list, inputs: list, parameters: bytes) -> None:
    # FillParams: the value's bytes, its dtype
    code = parameters[16]
    value = np.frombuffer(parameters[: DTYPES[code].itemsize], DTYPES[code])[0].item()
    fill(outputs[0], value)


# --- sequences --------------------------------------------------------------------------------------------


def in_order(target: Array) -> Array:
    """Return an array in C order to compute in: the target, or one that must be copied to it."""
    return target if target._c_contiguous else empty(target.shape, target.dtype, 0, target._context_code)


def _run_in_order(body: Body, inputs: list, target: Array, scalars: tuple) -> None:
    plain = in_order(target)
    if plain.size:
        body.run(inputs, [plain], scalars)
    if plain is not target:
        _convert_into(target, plain)


@functools.cache
def _sequence_body(code: int, integer: bool) -> Body:
    kind, number = (INT64, "i64") if integer else (FLOAT64, "f64")

    def lines(lane: str) -> list[str]:
        # start + step * term, rounded after each step as on the CPU
        term = f"{number}(index{lane} // c2)"
        sum_of = f"c0 + {term} * c1" if integer else f"add_f64(c0, mul_f64({term}, c1))"
        made = sum_of if integer else f"(c3 if index{lane} == c4 else {sum_of})"
        return [f"y0{lane} = {convert(kind, code, number + '(' + made + ')')}"]

    scalars = [kind, kind, INT64] + ([] if integer else [FLOAT64, INT64])
    return Body("arange", Custom([], [code], scalars, lines))


def _sequence(outputs: list, inputs: list, parameters: bytes) -> None:
    # SequenceParams: start, step, last; integer_start, integer_step, repeat; integer, has_last
    found = struct.unpack("dddqqq??", parameters[:50])
    start, step, last, int_start, int_step, repeat, integer, has_last = found
    target = outputs[0]
    body = _sequence_body(target._dtype_code, integer)
    if integer:
        scalars: tuple = (int_start, int_step, repeat)
    else:
        scalars = (start, step, repeat, last, target.size - 1 if has_last else -1)
    _run_in_order(body, [], target, scalars)


@functools.cache
def _eye_body(code: int) -> Body:
    def lines(lane: str) -> list[str]:
        place = f"index{lane} % c1 - index{lane} // c1 == c0"
        return [f"y0{lane} = {convert(0, code, f'({place})')}"]

    return Body("eye", Custom([], [code], [INT64, INT64], lines))


def _eye(outputs: list, inputs: list, parameters: bytes) -> None:
    (diagonal,) = struct.unpack("q", parameters)
    target = outputs[0]
    _run_in_order(_eye_body(target._dtype_code), [], target, (diagonal, max(target.shape[1], 1)))


# --- selections -------------------------------------------------------------------------------------------


@functools.cache
def _where_body(condition: int, code: int) -> Body:
    def lines(lane: str) -> list[str]:
        chosen = f"(x0{lane} & u16(32767)) != u16(0)"  # a half number as it is in memory
        if condition not in HALVES:
            chosen = truth(condition, f"x0{lane}")
        return [f"y0{lane} = x1{lane} if {chosen} else x2{lane}"]

    return Body("where", Custom([condition, code, code], [code], [], lines))


def _where(outputs: list, inputs: list, parameters: bytes) -> None:
    condition, left, _ = inputs
    _where_body(condition._dtype_code, left._dtype_code).run(list(inputs), list(outputs))


# --- joining and splitting ----------------------------------------------------------------------------------


def _parts(whole: Array, pieces: list, axis: int):
    """Pairs of (view of the whole, piece)."""
    start = 0
    for piece in pieces:
        offset = start * whole.strides[axis]
        yield whole._strided(offset, piece.shape, whole.strides), piece
        start += piece.shape[axis]


def _join(outputs: list, inputs: list, parameters: bytes) -> None:
    (axis,) = struct.unpack("i", parameters)
    for part, piece in _parts(outputs[0], inputs, axis):
        _convert_into(part, piece)


def _split(outputs: list, inputs: list, parameters: bytes) -> None:
    (axis,) = struct.unpack("i", parameters)
    for part, piece in _parts(inputs[0], outputs, axis):
        _convert_into(piece, part)


KERNELS = {
    "copy": _copy,
    "fill": _fill,
    "_zeros": _fill,
    "_ones": _fill,
    "arange": _sequence,
    "eye": _eye,
    "where": _where,
    "concat": _join,
    "split": _split,
}
