"""Kernel source of pointwise programs: one kernel for each layout class of the operands.

A thread handles `width` neighbouring elements of the innermost axis at a time (wide loads and stores of
16 bytes where every operand is dense there), and strides over the grid. Along the innermost axis an operand
is dense (`v`), repeats one element (`0`), or has a step (`s`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._compile import Layout
from ..._gpu import LETTERS
from ...dtypes import DTYPES
from ._functions import TYPES, convert, expression, load, store
from ._layout import Custom

COMPLEX = {13: "ff", 14: "dd"}

__all__ = ["generate_pointwise", "literal", "step_lines"]


def literal(value: Any, declared: int, stored: int) -> str:
    """Return the source of a constant, converted as the CPU does."""
    element = np.asarray(value).astype(DTYPES[declared]).astype(DTYPES[stored])[()]
    kind = DTYPES[stored].kind
    if kind == "b":
        return str(bool(element))
    if kind == "c":
        return f"{TYPES[stored]}(complex({_real(element.real)}, {_real(element.imag)}))"
    return f"{TYPES[stored]}({_real(element) if kind == 'f' else int(element)})"


def _real(x: Any) -> str:
    x = float(x)
    if x != x:
        return "(infinity - infinity)"
    if x in (float("inf"), float("-inf")):
        return "infinity" if x > 0 else "-infinity"
    return repr(x)


def step_lines(layout: Layout | Custom, lane: str) -> list[str]:
    """Return the lines that compute a program's steps for one element, from x{k}{lane} to y{k}{lane}."""
    if isinstance(layout, Custom):
        return layout.body(lane)
    names = {"input": "x", "output": "y", "temporary": "t"}
    constants = [literal(*entry) for entry in layout.constants]

    def spell(register: tuple[str, int]) -> str:
        kind, index = register
        if kind == "constant":
            return constants[index]
        return f"c{index}" if kind == "scalar" else f"{names[kind]}{index}{lane}"

    lines = []
    for loop, registers in layout.steps:
        operands = [spell(r) for r in registers[: loop.n_inputs]]
        function = loop.function
        if isinstance(function, tuple) and function[0] == "cast":
            made = convert(loop.stored[0], loop.stored[1], operands[0])
        else:
            made = expression(function, loop.stored[: loop.n_inputs], loop.stored[loop.n_inputs], operands)
        lines.append(f"{spell(registers[loop.n_inputs])} = {made}")
    return lines


def read_lines(k: int, code: int, pointer: str, offset: str, width: int, lane: int = 0) -> list[str]:
    """Return the lines that read operand k: `width` elements, or one (width 0: the same for all lanes)."""
    if DTYPES[code].kind == "c":
        pair = f"complex({pointer}[2 * ({offset})], {pointer}[2 * ({offset}) + 1])"
        return [f"x{k}_{lane} = {TYPES[code]}({pair})"]
    if width == 1:
        return [f"x{k}_{lane} = {load(code, f'{pointer}[{offset}]')}"]
    lines = [f"v{k} = load{width}({pointer}, {offset})"]
    return lines + [f"x{k}_{i} = {load(code, f'v{k}[{i}]')}" for i in range(width)]


def write_lines(k: int, code: int, pointer: str, offset: str, width: int) -> list[str]:
    """Return the lines that write result k."""
    if DTYPES[code].kind == "c":
        return [f"{pointer}[2 * ({offset})] = y{k}_0.real", f"{pointer}[2 * ({offset}) + 1] = y{k}_0.imag"]
    if width == 1:
        return [f"{pointer}[{offset}] = {store(code, f'y{k}_0')}"]
    lanes = ", ".join(store(code, f"y{k}_{i}") for i in range(width))
    return [f"store{width}({pointer}, {offset}, ({lanes}))"]


def generate_pointwise(layout: Layout, width: int, ndim: int, wide: bool, modes: str, arrays: list[bool]):
    """Return (source, signature) of a program's kernel.

    `modes` has a letter for each array operand, inputs first; `arrays` says which inputs are arrays.
    Parameters: groups of `width` elements, elements, the extents of all axes but the first one (of the last
    one in groups), the steps in elements of each operand along each axis (of the last one only for `s`),
    addresses, scalars.
    """
    inputs = [k for k, is_array in enumerate(arrays) if is_array]
    codes = [layout.in_types[k] for k in inputs] + list(layout.out_codes)
    parameters, signature = ["n", "size"], "qq"
    for d in range(1, ndim):
        parameters.append(f"e{d}")
        signature += "q"
    for j, mode in enumerate(modes):
        for d in range(ndim):
            if d < ndim - 1 or mode == "s":
                parameters.append(f"s{j}_{d}")
                signature += "q"
    for j, code in enumerate(codes):
        parameters.append(f"p{j}")
        signature += "P" + LETTERS[code]
    lines = []
    for k, (_, _, stored) in enumerate(layout.scalars):
        if stored in COMPLEX:  # by value they would be two parameters all the same
            parameters += [f"c{k}_real", f"c{k}_imag"]
            signature += COMPLEX[stored]
            lines.append(f"    c{k} = {TYPES[stored]}(complex(c{k}_real, c{k}_imag))")
        else:
            parameters.append(f"c{k}")
            signature += LETTERS[stored]
    body = _coordinates(ndim, wide) + _offsets(modes, ndim, width)
    body += _element_lines(layout, inputs, codes, modes, width)
    lines.insert(0, f"def kernel({', '.join(parameters)}):")
    lines.append("    i = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x")
    lines.append("    step = i64(cuda.gridDim.x) * cuda.blockDim.x")
    if width > 1 and ndim == 1:
        lines += [f"    k0 = n * i64({width}) + i", "    if k0 < size:", "        index_0 = k0"]
        lines += [f"        {line}" for line in _offsets(modes, 1, 1)]
        lines += [f"        {line}" for line in _element_lines(layout, inputs, codes, modes, 1)]
    lines.append("    while i < n:")
    if isinstance(layout, Custom):
        lines += [f"        index_{lane} = i * i64({width}) + i64({lane})" for lane in range(width)]
    lines += [f"        {line}" for line in body]
    lines.append("        i += step")
    return "\n".join(lines) + "\n", signature


def _coordinates(ndim: int, wide: bool) -> list[str]:
    """From the number of a group to its place along every axis: k0, k1, ..."""
    lines = []
    rest = "i"
    for d in range(ndim - 1, 0, -1):
        quotient = f"{rest} // e{d}" if wide else f"i64(div32(u32({rest}), u32(e{d})))"
        lines += [f"q{d} = {quotient}", f"k{d} = {rest} - q{d} * e{d}"]
        rest = f"q{d}"
    return [*lines, f"k0 = {rest}"]


def _offsets(modes: str, ndim: int, width: int) -> list[str]:
    lines = []
    last = ndim - 1
    for j, mode in enumerate(modes):
        terms = [f"k{d} * s{j}_{d}" for d in range(last)]
        if mode == "s":
            terms.append(f"k{last} * s{j}_{last}")
        elif mode == "v":
            terms.append(f"k{last} * i64({width})" if width > 1 else f"k{last}")
        lines.append(f"o{j} = {' + '.join(terms) or 'i64(0)'}")
    return lines


def _element_lines(layout: Layout, inputs: list, codes: list, modes: str, width: int) -> list[str]:
    lines = []
    used = None
    if isinstance(layout, Layout):
        used = {r for loop, registers in layout.steps for r in registers[: loop.n_inputs]}
    for j, k in enumerate(inputs):
        if used is not None and ("input", k) not in used:
            continue
        if modes[j] == "0" or width == 1:
            lines += read_lines(k, codes[j], f"p{j}", f"o{j}", 1)
            lines += [f"x{k}_{i} = x{k}_0" for i in range(1, width)]
        else:
            lines += read_lines(k, codes[j], f"p{j}", f"o{j}", width)
    for i in range(width):
        lines += step_lines(layout, f"_{i}")
    for m, code in enumerate(layout.out_codes):
        j = len(inputs) + m
        lines += write_lines(m, code, f"p{j}", f"o{j}", width)
    return lines
