"""The names that kernel sources use, for Numba's compiler."""

# Numba's names come without types.
# mypy: disable-error-code="attr-defined,no-redef,assignment"

from __future__ import annotations

from typing import Any

from numba import cuda
from numba.cuda import libdevice

try:
    from numba.cuda import types
    from numba.cuda.extending import intrinsic
except ImportError:  # numba-cuda before 0.20
    from numba import types
    from numba.extending import intrinsic
from llvmlite import ir

from ._library import FLOATS, MATH

__all__ = ["names", "parameter_types"]

TYPES = {
    "b1": types.boolean, "i8": types.int8, "u8": types.uint8, "i16": types.int16, "u16": types.uint16,
    "i32": types.int32, "u32": types.uint32, "i64": types.int64, "u64": types.uint64, "f32": types.float32,
    "f64": types.float64, "c64": types.complex64, "c128": types.complex128,
}  # fmt: skip
# Letters of signatures: the types of values, and of elements behind an address.
VALUES = dict(zip("?bBhHiIqQeEfdFD", (
    "b1", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "u16", "u16", "f32", "f64", "c64", "c128",
), strict=True))  # fmt: skip
ELEMENTS = VALUES | {"?": "u8", "F": "f32", "D": "f64"}  # complex numbers are read as pairs


def parameter_types(signature: str) -> tuple:
    """Return Numba's types of the parameters of a kernel."""
    found, address = [], False
    for letter in signature:
        if letter == "P":
            address = True
            continue
        kind = TYPES[(ELEMENTS if address else VALUES)[letter]]
        found.append(types.CPointer(kind) if address else kind)
        address = False
    return tuple(found)


def _bits(kind: Any) -> int:
    return kind.bitwidth


def _lane(number: int) -> ir.Constant:
    return ir.Constant(ir.IntType(32), number)


def _wide_load(n: int):
    @intrinsic
    def load(typingctx, pointer, index):
        element = pointer.dtype

        def generate(context, builder, signature, arguments):
            address = builder.gep(arguments[0], [arguments[1]])
            vector = ir.VectorType(context.get_value_type(element), n)
            found = builder.load(builder.bitcast(address, vector.as_pointer()))
            found.align = n * _bits(element) // 8
            lanes = [builder.extract_element(found, _lane(k)) for k in range(n)]
            return context.make_tuple(builder, signature.return_type, lanes)

        return types.UniTuple(element, n)(pointer, index), generate

    return load


def _wide_store(n: int):
    @intrinsic
    def store(typingctx, pointer, index, lanes):
        element = pointer.dtype

        def generate(context, builder, signature, arguments):
            vector = ir.VectorType(context.get_value_type(element), n)
            made = ir.Constant(vector, ir.Undefined)
            for k in range(n):
                made = builder.insert_element(made, builder.extract_value(arguments[2], k), _lane(k))
            address = builder.gep(arguments[0], [arguments[1]])
            stored = builder.store(made, builder.bitcast(address, vector.as_pointer()))
            stored.align = n * _bits(element) // 8
            return context.get_dummy_value()

        return types.void(pointer, index, types.UniTuple(element, n)), generate

    return store


def _instruction(result: Any, *parameters: Any):
    """An intrinsic of fixed types from a function of (builder, arguments)."""

    def make(emit):
        count = len(parameters)

        def generate(context, builder, signature, arguments):
            return emit(builder, arguments)

        if count == 1:

            @intrinsic
            def one(typingctx, a):
                return result(*parameters), generate

            return one

        @intrinsic
        def two(typingctx, a, b):
            return result(*parameters), generate

        return two

    return make


_I16, _I32, _I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)


@_instruction(types.uint32, types.uint32, types.uint32)
def div32(builder, arguments):
    return builder.udiv(*arguments)


@_instruction(types.float32, types.uint16)
def half_to_f32(builder, arguments):
    return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())


@_instruction(types.uint16, types.float32)
def f32_to_half(builder, arguments):
    return builder.bitcast(builder.fptrunc(arguments[0], ir.HalfType()), _I16)


@_instruction(types.uint16, types.float64)
def f64_to_half(builder, arguments):
    return builder.bitcast(builder.fptrunc(arguments[0], ir.HalfType()), _I16)


@_instruction(types.float32, types.uint32)
def bits_to_f32(builder, arguments):
    return builder.bitcast(arguments[0], ir.FloatType())


@_instruction(types.uint32, types.float32)
def f32_to_bits(builder, arguments):
    return builder.bitcast(arguments[0], _I32)


@_instruction(types.float64, types.uint64)
def bits_to_f64(builder, arguments):
    return builder.bitcast(arguments[0], ir.DoubleType())


@_instruction(types.uint64, types.float64)
def f64_to_bits(builder, arguments):
    return builder.bitcast(arguments[0], _I64)


@_instruction(types.float32, types.uint16)
def bfloat_to_f32(builder, arguments):
    return builder.bitcast(builder.shl(builder.zext(arguments[0], _I32), _I32(16)), ir.FloatType())


@_instruction(types.uint16, types.float32)
def f32_to_bfloat(builder, arguments):
    """Rounds to nearest, ties to even; NaN stays NaN."""
    bits = builder.bitcast(arguments[0], _I32)
    odd = builder.and_(builder.lshr(bits, _I32(16)), _I32(1))
    rounded = builder.lshr(builder.add(bits, builder.add(odd, _I32(0x7FFF))), _I32(16))
    quiet = builder.or_(builder.lshr(bits, _I32(16)), _I32(0x40))
    is_nan = builder.fcmp_unordered("uno", arguments[0], arguments[0])
    return builder.trunc(builder.select(is_nan, quiet, rounded), _I16)


def _f_to_u64(x):
    """Negative numbers wrap, as they do on the CPU."""
    if x < 9223372036854775808.0:
        return types.uint64(types.int64(x))
    return types.uint64(types.int64(x - 9223372036854775808.0)) + types.uint64(9223372036854775808)


def names() -> dict[str, Any]:
    """Return the names."""
    made: dict[str, Any] = dict(TYPES, cuda=cuda, device_function=device_function)
    made.update({f"dt_{name}": kind for name, kind in TYPES.items()})  # as types of shared arrays
    for name in MATH:
        made[f"{name}_f32"] = getattr(libdevice, f"{name}f")
        made[f"{name}_f64"] = getattr(libdevice, name)
    # Rounded one by one, where results must not depend on contraction into fused multiply-adds.
    for kind, letter in zip(FLOATS, ("f", "d"), strict=True):
        made[f"mul_{kind}"] = getattr(libdevice, f"{letter}mul_rn")
        made[f"add_{kind}"] = getattr(libdevice, f"{letter}add_rn")
    made["mulhi_u64"] = libdevice.umul64hi
    for n in (2, 4, 8, 16):
        made[f"load{n}"], made[f"store{n}"] = _wide_load(n), _wide_store(n)
    made.update(
        div32=div32, half_to_f32=half_to_f32, f32_to_half=f32_to_half, f64_to_half=f64_to_half,
        bits_to_f32=bits_to_f32, f32_to_bits=f32_to_bits, bits_to_f64=bits_to_f64, f64_to_bits=f64_to_bits,
        bfloat_to_f32=bfloat_to_f32, f32_to_bfloat=f32_to_bfloat, f_to_u64=device_function(_f_to_u64),
    )  # fmt: skip
    return made


def device_function(function: Any) -> Any:
    """Return a function for use in kernels. Inlined, because compiling it apart would ask for a driver."""
    return cuda.jit(device=True, inline="always")(function)
