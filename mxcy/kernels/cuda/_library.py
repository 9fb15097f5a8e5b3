"""What kernel sources use beside Python: types, functions of numbers, wide loads, 32-bit division.

`namespace()` gives the names, for Numba's compiler or (NUMBA_ENABLE_CUDASIM=1) for its simulator. Functions
of floats are those of NVIDIA's libdevice; the rest is written here once, for all types, as text, and in the
simulator runs on NumPy's scalars.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from ..._gpu import SIMULATED

__all__ = ["define", "namespace", "signature_types", "version"]

# Functions of libdevice, by its names; those for float32 end in f.
_NAMES = """exp exp2 expm1 log log2 log10 log1p sqrt cbrt sin cos tan asin acos atan sinh cosh tanh asinh
acosh atanh floor ceil trunc rint round fabs erf erfc erfinv tgamma lgamma atan2 hypot pow fmod copysign
nextafter fmin fmax"""
MATH = _NAMES.split()
INTEGERS = ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")
FLOATS = ("f32", "f64")

# For each float type in place of F.
FLOAT_FUNCTIONS = """
def maximum_F(a, b):
    return a if a >= b or a != a else b

def minimum_F(a, b):
    return a if a <= b or a != a else b

def maximum_number_F(a, b):
    return a if a >= b or b != b else b

def minimum_number_F(a, b):
    return a if a <= b or b != b else b

def sign_F(x):
    if x != x:
        return x
    return F(x > F(0)) - F(x < F(0))

def round_away_F(x):
    return round_F(x)

def rint_down_F(x):
    low, high = floor_F(x), ceil_F(x)
    return low if x - low <= high - x else high

def sigmoid_F(x):
    z = exp_F(-fabs_F(x))
    return (z if x < F(0) else F(1)) / (F(1) + z)

def gelu_F(x):
    return x * F(0.5) * (erf_F(x * F(0.7071067811865476)) + F(1))

def gelu_grad_F(x, g):
    density = exp_F(x * x * F(-0.5)) * F(0.3989422804014327)
    return g * ((erf_F(x * F(0.7071067811865476)) + F(1)) * F(0.5) + x * density)

def elu_F(x, a):
    return x if x > F(0) else expm1_F(x) * a

def elu_grad_F(x, y, a, g):
    return g * (F(1) if x > F(0) else y + a)

def logaddexp_F(a, b):
    if a == b:
        return a + F(0.6931471805599453)
    d = a - b
    if d != d:
        return d
    return maximum_F(a, b) + log1p_F(exp_F(-fabs_F(d)))

def floor_divide_F(a, b):
    if b == F(0):
        return a / b
    m = fmod_F(a, b)
    d = (a - m) / b
    if m != F(0) and (b < F(0)) != (m < F(0)):
        d -= F(1)
    if d == F(0):
        return copysign_F(F(0), a / b)
    whole = floor_F(d)
    return whole + F(1) if d - whole > F(0.5) else whole

def remainder_F(a, b):
    m = fmod_F(a, b)
    if b == F(0):
        return m
    if m == F(0):
        return copysign_F(F(0), b)
    return m + b if (b < F(0)) != (m < F(0)) else m

def modulo_F(a, b):
    if b == F(0):
        return F(0)
    m = fmod_F(a, b)
    return m + b if m != F(0) and (m < F(0)) != (b < F(0)) else m

def psi_F(x):
    if x == F(0):
        return copysign_F(F(infinity), -x)
    reflected = F(0)
    if x < F(0):
        part = x - floor_F(x)
        if part == F(0):
            return F(infinity) - F(infinity)
        turn = F(3.141592653589793) * part
        reflected = F(3.141592653589793) * cos_F(turn) / sin_F(turn)
        x = F(1) - x
    shift = F(0)
    while x < F(10):
        shift += F(1) / x
        x += F(1)
    r = F(1) / x
    s = r * r
    tail = s * (F(1 / 12) - s * (F(1 / 120) - s * (F(1 / 252) - s * (F(1 / 240) - s * F(1 / 132)))))
    return log_F(x) - F(0.5) * r - tail - shift - reflected
"""

# For each integer type in place of I; NEGATIVE_I: whether it has negative numbers.
INTEGER_FUNCTIONS = """
def maximum_I(a, b):
    return a if a >= b else b

def minimum_I(a, b):
    return a if a <= b else b

def floor_divide_I(a, b):
    if b == I(0):
        return I(0)
    if NEGATIVE_I and b == I(MINUS_I):
        return I(-a)
    return I(a // b)

def remainder_I(a, b):
    if b == I(0) or NEGATIVE_I and b == I(MINUS_I):
        return I(0)
    return I(a % b)

def truncate_divide_I(a, b):
    if b == I(0):
        return I(0)
    if NEGATIVE_I and b == I(MINUS_I):
        return I(-a)
    q = I(a // b)
    if NEGATIVE_I and q < I(0) and I(q * b) != a:
        q = I(q + I(1))
    return q

def fmod_I(a, b):
    if b == I(0):
        return I(0)
    return I(a - I(truncate_divide_I(a, b) * b))

def power_I(base, exponent):
    if NEGATIVE_I and exponent < I(0):
        if base == I(1):
            return I(1)
        if base == I(MINUS_I):
            return I(MINUS_I) if exponent & I(1) else I(1)
        return I(0)
    made = I(1)
    while exponent != I(0):
        if exponent & I(1):
            made = I(made * base)
        base = I(base * base)
        exponent = I(exponent >> I(1))
    return made
"""

COMPLEX_FUNCTIONS = """
def power_c128(a, b):
    radius = hypot_f64(f64(a.real), f64(a.imag))
    if b.real == 0 and b.imag == 0:
        return c128(complex(1.0, 0.0))
    if radius == 0:
        return c128(complex(0.0, 0.0))
    turn = atan2_f64(f64(a.imag), f64(a.real))
    log_radius = log_f64(radius)
    size = exp_f64(b.real * log_radius - b.imag * turn)
    angle = b.imag * log_radius + b.real * turn
    return c128(complex(size * cos_f64(angle), size * sin_f64(angle)))
"""


@functools.cache
def version() -> str:
    """Return a text that changes when compiled kernels may: of this file and of the compiler."""
    text = Path(__file__).read_text()
    if SIMULATED:
        return text
    from importlib.metadata import version as release

    return f"{text} numba-cuda {release('numba-cuda')}"


@functools.cache
def namespace() -> dict[str, Any]:
    """Return the names that kernel sources use; made once, as it imports Numba."""
    if SIMULATED:
        from ._simulator import names
    else:
        from ._compiled import names
    made = names()
    made["infinity"] = float("inf")
    for types, text, token in ((FLOATS, FLOAT_FUNCTIONS, "F"), (INTEGERS, INTEGER_FUNCTIONS, "I")):
        for name in types:
            made[f"NEGATIVE_{name}"] = name.startswith("i")
            made[f"MINUS_{name}"] = -1 if name.startswith("i") else 0
            define(made, _for_type(text, token, name))
    define(made, COMPLEX_FUNCTIONS)
    return made


def _for_type(text: str, token: str, name: str) -> str:
    import re

    return re.sub(rf"(?<![A-Za-z]){token}(?![A-Za-z])", name, text)


def define(into: dict[str, Any], text: str) -> None:
    """Add the functions of a source to the names that kernels may use."""
    found: dict[str, Any] = {}
    exec(compile(text, "<kernel library>", "exec"), into, found)
    for name, function in found.items():
        into[name] = into["device_function"](function)


def signature_types(signature: str) -> tuple:
    """Return Numba's types of a kernel's parameters."""
    from ._compiled import parameter_types

    return parameter_types(signature)
