"""Lays out a pointwise program: from steps over values to loops over registers.

A *value* is what an input holds or a step computes. It has a declared dtype, the one NumPy would give it,
and a stored dtype, the one its register holds: float32 for a half type until the program ends, so that a
program rounds once, where its result is written (or not at all, if the result shall be float32). Python
scalars are weak: each use gives them the dtype that NumPy's promotion finds, in a cell that is filled at
compile time (`Const`) or at the call.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._contract import contracted
from ._loops import ResolvedLoop, resolve
from .dtypes import DTYPES, code_of
from .errors import ArgumentError, DTypeError, message

__all__ = ["COMPARISONS", "Const", "Layout"]

_FLOAT64 = code_of(np.float64)
_KINDS = (bool, int, float, complex)
COMPARISONS = frozenset({np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal})


class Const:
    """A constant operand of a step: a Python scalar (weak) or a NumPy scalar (of its own dtype)."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value

    def __repr__(self) -> str:
        return f"Const({self.value!r})"

    @property
    def type(self) -> Any:
        """A dtype code, or the Python type of a weak scalar."""
        if isinstance(self.value, np.generic):
            return code_of(self.value.dtype)
        for kind in _KINDS:
            if isinstance(self.value, kind):
                return kind
        raise DTypeError(message("Const", "value", "a number", repr(self.value)))


class _Value:
    """What a register holds, and where."""

    __slots__ = ("constant", "declared", "register", "stored", "type")

    def __init__(self, type: Any, register: tuple[str, int], stored: int | None = None):
        self.type = type  # dtype code, or a Python type for a weak scalar given at the call
        self.declared = type if isinstance(type, int) else None
        self.stored = self.declared if stored is None else stored
        self.register = register
        self.constant: Any = None


class Layout:
    """The registers and loops of one program; see native/program.hpp for how they run.

    If it `contracts`, products have no loops of their own where sums read them.
    """

    def __init__(self, n_inputs, steps, outputs, in_dtypes, out_dtypes=None, contracts=False):
        if len(in_dtypes) != n_inputs:
            raise ArgumentError(message("compile_program", "in_dtypes", f"{n_inputs} dtypes", len(in_dtypes)))
        self.in_types = tuple(
            t if t in _KINDS else code_of(t) if not isinstance(t, int) else t for t in in_dtypes
        )
        self.values = [_Value(t, ("input", i)) for i, t in enumerate(self.in_types)]
        self.steps: list[tuple[ResolvedLoop, list[tuple[str, int]]]] = []
        self.constants: list[tuple[Any, int, int]] = []  # value, declared and stored dtype
        self.scalars: list[tuple[int, int, int]] = []  # input, declared and stored dtype
        self.temporaries: list[int] = []  # stored dtype of each
        self.casts: dict[tuple, tuple[str, int]] = {}
        self.comparison_only = [t is int for t in self.in_types]
        for function, operands in steps:
            self._add(function, operands)
        self.out_codes = self._bind_outputs(outputs, out_dtypes)
        if contracts:
            self.steps = contracted(self.steps)
        self._assign_slots()
        self.cost_ns = 0.1 + sum(loop.cost_ns for loop, _ in self.steps)

    def _add(self, function, operands):
        operands = [self._operand(o) for o in operands]
        types = tuple(o.type for o in operands)
        loop = resolve(function, self._without_overflow(function, operands, types))
        registers = []
        for position, operand in enumerate(operands):
            registers.append(self._read(operand, loop.declared[position], loop.stored[position]))
            if function not in COMPARISONS and operand.register[0] == "input":
                self.comparison_only[operand.register[1]] = False
        for declared, stored in zip(
            loop.declared[loop.n_inputs :], loop.stored[loop.n_inputs :], strict=True
        ):
            register = self._temporary(stored)
            value = _Value(declared, register, stored)
            self.values.append(value)
            registers.append(register)
        self.steps.append((loop, registers))

    def _operand(self, operand):
        if not isinstance(operand, Const):
            return self.values[operand]
        value = _Value(operand.type, ("constant", -1))
        value.constant = operand.value
        return value

    def _without_overflow(self, function, operands, types):
        """Compare with infinity instead of an integer constant that the dtype cannot hold."""
        if function not in COMPARISONS or int not in types:
            return types
        position = types.index(int)
        other = types[1 - position]
        constant = operands[position]
        if constant.register[0] != "constant" or not isinstance(other, int) or DTYPES[other].kind not in "iu":
            return types
        if fits(constant.constant, other):
            return types
        constant.constant = np.copysign(np.inf, constant.constant)
        constant.type = constant.declared = constant.stored = _FLOAT64
        return tuple(o.type for o in operands)

    def _read(self, value, declared, stored):
        """The register that holds `value` as `stored`."""
        kind, index = value.register
        if kind == "constant":
            self.constants.append((value.constant, declared, stored))
            return ("constant", len(self.constants) - 1)
        if value.declared is None:  # a scalar of the call
            entry = (index, declared, stored)
            if entry not in self.scalars:
                self.scalars.append(entry)
            return ("scalar", self.scalars.index(entry))
        if value.stored == stored:
            return value.register
        return self._cast(value.register, value.stored, stored)

    def _cast(self, register, source, target):
        key = (register, target)
        if key not in self.casts:
            made = self._temporary(target)
            self.steps.append((resolve(("cast", target), (source,)), [register, made]))
            self.casts[key] = made
        return self.casts[key]

    def _temporary(self, code):
        self.temporaries.append(code)
        return ("temporary", len(self.temporaries) - 1)

    # --- results ---------------------------------------------------------------------------------------
    def _bind_outputs(self, outputs, out_dtypes):
        """Make each result's register an output: the computing step writes it, or a cast does."""
        codes, bound = [], {}
        for i, number in enumerate(outputs):
            value = self.values[number]
            if value.declared is None:
                value = self._as_array_value(value)
            wanted = None if out_dtypes is None else out_dtypes[i]
            code = (
                value.declared if wanted is None else wanted if isinstance(wanted, int) else code_of(wanted)
            )
            codes.append(code)
            kind = value.register[0]
            if kind == "temporary" and value.stored == code and value.register not in bound:
                bound[value.register] = ("output", i)
                continue
            self.steps.append((resolve(("cast", code), (value.stored,)), [value.register, ("output", i)]))
        for _, registers in self.steps:
            registers[:] = [bound.get(r, r) for r in registers]
        return tuple(codes)

    def _as_array_value(self, value):
        """A scalar of the call that is itself a result, in the dtype that NumPy gives an array of it."""
        code = code_of(np.result_type(value.type))
        return _Value(code, self._read(value, code, code))

    def _assign_slots(self):
        """Give temporaries block buffers; a result may take over the buffer of an operand that ends there."""
        last = {}
        for number, (_, registers) in enumerate(self.steps):
            last.update((r, number) for r in registers if r[0] == "temporary")
        self.slots = [0] * len(self.temporaries)
        free: list[int] = []
        self.n_slots = 0
        live: set[tuple[str, int]] = set()
        for number, (loop, registers) in enumerate(self.steps):
            operands, results = registers[: loop.n_inputs], registers[loop.n_inputs :]
            ending = [r for r in dict.fromkeys(operands) if r in live and last[r] == number]
            size = {DTYPES[loop.stored[i]].itemsize for i in range(len(registers))}
            in_place = len(results) == 1 and len(size) == 1
            if in_place:
                free += [self.slots[r[1]] for r in ending]
            for r in results:
                if r[0] == "temporary":
                    if not free:
                        free.append(self.n_slots)
                        self.n_slots += 1
                    self.slots[r[1]] = free.pop()
                    live.add(r)
            if not in_place:
                free += [self.slots[r[1]] for r in ending]
            free += [self.slots[r[1]] for r in results if r in live and last[r] == number]
            live -= {r for r in registers if last.get(r) == number}
        sizes = [DTYPES[code].itemsize for code in self.temporaries]
        self.slot_itemsize = max(sizes, default=0)

    def order(self, register):
        """The number of a register in the compiled program."""
        kind, index = register
        first = 0
        for name, count in (
            ("input", len(self.in_types)),
            ("output", len(self.out_codes)),
            ("scalar", len(self.scalars)),
            ("constant", len(self.constants)),
            ("temporary", len(self.temporaries)),
        ):
            if name == kind:
                return first + index
            first += count
        raise KeyError(kind)

    @property
    def last_reads(self):
        """Of each input, the number of the last step that reads it, or -1."""
        last = [-1] * len(self.in_types)
        for number, (loop, registers) in enumerate(self.steps):
            for kind, index in registers[: loop.n_inputs]:
                if kind == "input":
                    last[index] = number
        return last

    @property
    def first_writes(self):
        """Of each output, the number of the step that writes it."""
        first = {}
        for number, (loop, registers) in enumerate(self.steps):
            for register in registers[loop.n_inputs :]:
                first.setdefault(register, number)
        return [first["output", i] for i in range(len(self.out_codes))]


_LIMITS = {
    code: (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    for code, dtype in enumerate(DTYPES)
    if dtype.kind in "biu"
}


def fits(value, code):
    """Whether an integer is in the range of an integer dtype."""
    low, high = _LIMITS[code]
    return low <= value <= high
