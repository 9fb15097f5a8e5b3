"""Random arrays from Philox4x32-10: the numbers of `kernels.cpu`, to the last bit.

The CPU computes 16 blocks of four words side by side and stores the first words of all of them, then the
second ones, and so on; element e here takes its word from the same place. Sums and products are rounded one
by one, as the CPU rounds them.
"""

from __future__ import annotations

import functools
import struct

from ..._gpu import LETTERS, launch
from ._compiler import get_kernel
from ._functions import convert, store
from .reduction import MAX_GRID, THREADS

__all__ = ["KERNELS"]

UNIFORM, NORMAL, EXPONENTIAL, BERNOULLI, INTEGERS = range(5)
INT64, FLOAT32, FLOAT64 = 7, 11, 12

_PHILOX = """
        x0 = u32(block)
        x1 = u32(block >> u64(32))
        x2 = u32(stream)
        x3 = u32(stream >> u64(32))
        low = u32(seed)
        high = u32(seed >> u64(32))
        for turn in range(10):
            a = u64(0xD2511F53) * u64(x0)
            b = u64(0xCD9E8D57) * u64(x2)
            x0 = u32(u32(b >> u64(32)) ^ x1 ^ low)
            x2 = u32(u32(a >> u64(32)) ^ x3 ^ high)
            x1 = u32(b)
            x3 = u32(a)
            low = u32(u64(low) + u64(0x9E3779B9))
            high = u32(u64(high) + u64(0xBB67AE85))
"""

_SOURCE = """
def kernel(size, seed, stream, p_a, p_b, below, limit, first, out):
    e = i64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    while e < size:
        group = e // i64({per_group})
        within = e - group * i64({per_group})
        row = within // i64(16)
        block = u64(group * i64(16) + within - row * i64(16))
{philox}
{body}
        out[e] = {store}
        e += i64(cuda.gridDim.x) * cuda.blockDim.x
"""

# Words as the CPU joins them: `w` the element's own, `pair` the one that a normal number takes with it.
_WORD_32 = ["w = x0 if row == 0 else (x1 if row == 1 else (x2 if row == 2 else x3))"]
_WORD_64 = [
    "w01 = u64(x0) << u64(32) | u64(x1)",
    "w23 = u64(x2) << u64(32) | u64(x3)",
    "w = w01 if row == 0 else w23",
]


@functools.cache
def functions() -> str:
    """Source of the functions of numbers that the distributions share, for both float types."""
    made = []
    for kind, word, signed, mantissa, bits, terms, sines, half, angle, ulp in (
        ("f32", "u32", "i32", 23, 32, 4, 4, 0x3F3504F3, 1.46291807926715968e-9, 2.0**-32),
        ("f64", "u64", "i64", 52, 64, 10, 8, 0x3FE6A09E667F3BCD, 3.40612158008655460e-19, 2.0**-64),
    ):
        mask = (1 << mantissa) - 1
        series = "\n".join(
            f"    total = add_{kind}(mul_{kind}(total, z), {kind}(1) / {kind}({2 * k + 1}))"
            for k in range(terms - 1, -1, -1)
        )
        waves = "\n".join(
            f"    {x} = {kind}(1) - mul_{kind}(mul_{kind}({x}, z), {kind}(1) / {kind}({divisor}))"
            for k in range(sines, 0, -1)
            for x, divisor in (("s", 2 * k * (2 * k + 1)), ("c", (2 * k + 1) * (2 * k + 2)))
        )
        made.append(f"""
def logarithm_{kind}(x):
    shifted = {word}({kind}_to_bits_{kind}(x) - {word}({half}))
    exponent = {kind}({signed}({signed}(shifted) >> {signed}({mantissa})))
    m = bits_to_{kind}_{kind}({word}((shifted & {word}({mask})) + {word}({half})))
    s = (m - {kind}(1)) / (m + {kind}(1))
    z = mul_{kind}(s, s)
    total = {kind}(1) / {kind}({2 * terms + 1})
{series}
    return add_{kind}(mul_{kind}(exponent, {kind}(0.693147180559945309417)), mul_{kind}({kind}(2) * s, total))

def unit_{kind}(w):
    half = {kind}({signed}(w >> {word}(1)))
    low = {kind}({signed}(w & {word}(1)))
    return ({kind}(2) * half + low + {kind}(0.5)) * {kind}({ulp!r})

def wave_{kind}(w, sine):
    quadrant = {word}({word}(w + {word}({1 << (bits - 3)})) >> {word}({bits - 2}))
    turn = {signed}({word}(w - {word}(quadrant << {word}({bits - 2}))))
    x = mul_{kind}({kind}(turn), {kind}({angle!r}))
    z = mul_{kind}(x, x)
    s = {kind}(1)
    c = {kind}(1)
{waves}
    s = mul_{kind}(s, x)
    c = {kind}(1) - mul_{kind}(c, z) / {kind}(2)
    odd = (quadrant & {word}(1)) != {word}(0)
    one = c if odd else s
    two = s if odd else c
    if sine:
        return -one if (quadrant & {word}(2)) != {word}(0) else one
    return -two if ({word}(quadrant + {word}(1)) & {word}(2)) != {word}(0) else two
""")
    text = "".join(made)
    return (
        text.replace("_to_bits_f32", "_to_bits")
        .replace("_to_bits_f64", "_to_bits")
        .replace("bits_to_f32_f32", "bits_to_f32")
        .replace("bits_to_f64_f64", "bits_to_f64")
    )


def _body(distribution: int, wide: bool) -> tuple[list[str], str]:
    """(lines, value)."""
    kind, drop, fraction = ("f64", 11, 2.0**-53) if wide else ("f32", 8, 2.0**-24)
    word = "u64" if wide else "u32"
    if distribution == UNIFORM:
        unit = f"{kind}(i64(w >> {word}({drop}))) * {kind}({fraction!r})"
        return [
            f"unit = {unit}",
            f"y = add_{kind}({kind}(p_a), mul_{kind}({kind}(p_b - p_a), unit))",
            f"y = y if y < {kind}(below) else {kind}(below)",
        ], "y"
    if distribution == NORMAL:
        if wide:
            words = ["radius_word, angle_word = w01, w23", "is_sine = row == 1"]
        else:
            words = [
                "radius_word = x0 if row < 2 else x2",
                "angle_word = x1 if row < 2 else x3",
                "is_sine = row == 1 or row == 3",
            ]
        return [
            *words,
            f"radius = sqrt_{kind}({kind}(-2) * logarithm_{kind}(unit_{kind}(radius_word)))",
            f"y = mul_{kind}(radius, wave_{kind}(angle_word, is_sine))",
            f"y = add_{kind}({kind}(p_a), mul_{kind}({kind}(p_b), y))",
        ], "y"
    if distribution == EXPONENTIAL:
        return [f"y = -{kind}(p_a) * logarithm_{kind}(unit_{kind}(w))"], "y"
    if distribution == BERNOULLI:
        return ["y = f32(p_a) if u64(w) < limit else f32(0)"], "y"
    return [
        "offset = mulhi_u64(w, limit) if limit != u64(0) else w",
        "y = i64(u64(first) + u64(offset))",
    ], "y"


@functools.lru_cache(maxsize=128)
def _kernel(distribution: int, code: int, device: int):
    in_double = code == FLOAT64 and distribution in (UNIFORM, NORMAL, EXPONENTIAL)
    wide = in_double or distribution == INTEGERS
    kind = INT64 if distribution == INTEGERS else FLOAT64 if in_double else FLOAT32
    lines, value = _body(distribution, wide)
    lines = (_WORD_64 if wide else _WORD_32) + lines
    source = _SOURCE.format(
        per_group=32 if wide else 64,
        philox=_PHILOX,
        body="\n".join(" " * 8 + line for line in lines),
        store=store(code, convert(kind, code, value)),
    )
    return get_kernel("random", source, "qQQdddQqP" + LETTERS[code], device, functions())


def _random(outputs: list, inputs: list, parameters: bytes) -> None:
    # RandomParams: seed, stream; distribution; a, b, below; limit; first
    seed, stream, distribution, a, b, below, limit, first = struct.unpack("QQi4xdddQq", parameters[:64])
    target = outputs[0]
    if target.size == 0:
        return
    if distribution != UNIFORM:
        below = 0.0  # not set
    kernel = _kernel(distribution, target._dtype_code, target._context_code & 0xFF)
    arguments = [target.size, seed, stream, a, b, below, limit, first, target]
    launch("random", [target], [], [(kernel, min(-(-target.size // THREADS), MAX_GRID), THREADS, arguments)])


KERNELS = {"random": _random}
