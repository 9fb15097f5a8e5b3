"""The scalar bodies of pointwise steps, as expressions of kernel source.

Values have the stored dtype of their register (`_compile.py`). In kernels a bool is a bool, the two half
types are their 16 bits, and everything else has the type of its name (`f32`, `i8`). Integer arithmetic wraps
and rounds as NumPy's loops do; what an expression needs (`exp_f32`, `remainder_i32`) is in `_library`.
"""

from __future__ import annotations

from ...dtypes import DTYPES
from ...errors import DTypeError, problem

__all__ = ["TYPES", "convert", "expression", "load", "store"]

BOOL, FLOAT16, BFLOAT16, FLOAT32, FLOAT64, COMPLEX64, COMPLEX128 = 0, 9, 10, 11, 12, 13, 14
# Names of the types of values, by dtype code.
TYPES = (
    "b1", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "u16", "u16", "f32", "f64", "c64", "c128",
)  # fmt: skip

_COMPARE = {
    "equal": "==",
    "not_equal": "!=",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
}

# Functions of floats by NumPy's, SciPy's or our name: the name of the library's function of as many operands.
_SAME_NAME = """exp exp2 expm1 log log2 log10 log1p sqrt cbrt sin cos tan sinh cosh tanh floor ceil trunc rint
hypot fmod copysign nextafter erf erfc erfinv logaddexp sigmoid psi round_away rint_down sign floor_divide
remainder modulo gelu gelu_grad elu elu_grad"""
_MATH = {name: name for name in _SAME_NAME.split()} | {
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "arctan2": "atan2",
    "power": "pow",
    "float_power": "pow",
    "gammaln": "lgamma",
    "gamma": "tgamma",
    "expit": "sigmoid",
    "absolute": "fabs",
    "fabs": "fabs",
    "digamma": "psi",
}

# Other bodies: name -> {kinds: expression}; b bool, i and u integers, f floats, c complex.
_BODIES: dict[str, dict[str, str]] = {
    "add": {"b": "{0} or {1}", "iufc": "{0} + {1}"},
    "subtract": {"iufc": "{0} - {1}"},
    "multiply": {"b": "{0} and {1}", "iufc": "{0} * {1}"},
    "divide": {"fc": "{0} / {1}"},
    "floor_divide": {"iu": "floor_divide_{T}({0}, {1})"},
    "remainder": {"iu": "remainder_{T}({0}, {1})"},
    "modulo": {"iu": "remainder_{T}({0}, {1})"},
    "fmod": {"iu": "fmod_{T}({0}, {1})"},
    "truncate_divide": {"iu": "truncate_divide_{T}({0}, {1})"},
    "power": {"b": "{0} or not {1}", "iu": "power_{T}({0}, {1})", "c": "power_c128({0}, {1})"},
    "truncate_power": {"iu": "power_{T}({0}, {1})"},
    "maximum": {"b": "{0} or {1}", "iu": "{0} if {0} >= {1} else {1}", "f": "maximum_{T}({0}, {1})"},
    "minimum": {"b": "{0} and {1}", "iu": "{0} if {0} <= {1} else {1}", "f": "minimum_{T}({0}, {1})"},
    "fmax": {"b": "{0} or {1}", "iu": "{0} if {0} >= {1} else {1}", "f": "maximum_number_{T}({0}, {1})"},
    "fmin": {"b": "{0} and {1}", "iu": "{0} if {0} <= {1} else {1}", "f": "minimum_number_{T}({0}, {1})"},
    "negative": {"iufc": "-{0}"},
    "positive": {"biufc": "{0}"},
    "conjugate": {"biuf": "{0}", "c": "{0}.conjugate()"},
    "absolute": {"bu": "{0}", "i": "{0} if {0} >= {T}(0) else -{0}", "c": "hypot_{R}({0}.real, {0}.imag)"},
    "square": {"b": "{0}", "iufc": "{0} * {0}"},
    "reciprocal": {"f": "{T}(1) / {0}", "iu": "truncate_divide_{T}({T}(1), {0})"},
    "sign": {"u": "{0} > {T}(0)", "i": "{T}({0} > {T}(0)) - {T}({0} < {T}(0))"},
    "floor": {"biu": "{0}"},
    "ceil": {"biu": "{0}"},
    "trunc": {"biu": "{0}"},
    "rint": {"biu": "{0}"},
    "degrees": {"f": "{0} * {T}(57.29577951308232)"},
    "rad2deg": {"f": "{0} * {T}(57.29577951308232)"},
    "radians": {"f": "{0} * {T}(0.017453292519943295)"},
    "deg2rad": {"f": "{0} * {T}(0.017453292519943295)"},
    "isnan": {"biu": "False", "f": "{0} != {0}", "c": "{0}.real != {0}.real or {0}.imag != {0}.imag"},
    "isinf": {"biu": "False", "f": "fabs_{T}({0}) == {T}(infinity)"},
    "isfinite": {"biu": "True", "f": "fabs_{T}({0}) < {T}(infinity)"},
    "signbit": {"f": "copysign_{T}({T}(1), {0}) < {T}(0)"},
    "relu": {"iuf": "{T}(0) if {0} < {T}(0) else {0}"},
    "clip": {"iuf": "minimum_{T}(maximum_{T}({0}, {1}), {2})"},
    "bitwise_and": {"b": "{0} and {1}", "iu": "{0} & {1}"},
    "bitwise_or": {"b": "{0} or {1}", "iu": "{0} | {1}"},
    "bitwise_xor": {"b": "{0} != {1}", "iu": "{0} ^ {1}"},
    "invert": {"b": "not {0}", "iu": "~{0}"},
    "left_shift": {"iu": "{0} << {1}"},
    "right_shift": {"iu": "{0} >> {1}"},
    "logical_and": {"biufc": "{0t} and {1t}"},
    "logical_or": {"biufc": "{0t} or {1t}"},
    "logical_xor": {"biufc": "{0t} != {1t}"},
    "logical_not": {"biufc": "not {0t}"},
}
_TRUTHS = frozenset(
    ["isnan", "isinf", "isfinite", "signbit", "logical_and", "logical_or", "logical_xor", "logical_not"]
)  # results are truth values, whatever the dtype of the operands


def _kind(code: int) -> str:
    return "f" if code in (FLOAT16, BFLOAT16) else DTYPES[code].kind


def name_of(function) -> str:
    """Return the name of a step's function: of a ufunc, of one of our loops, or what is called."""
    if isinstance(function, tuple):
        function = function[1]
    return function if isinstance(function, str) else function.__name__


def expression(function, codes: tuple[int, ...], out: int, operands: list[str]) -> str:
    """Return the source of one step: operands of stored dtypes `codes`, the result of stored dtype `out`."""
    name, code = name_of(function), codes[0]
    kind = _kind(code)
    if code in (FLOAT16, BFLOAT16):
        raise _no_body(name, code)
    if name in _COMPARE and kind != "c":
        left, right = (f"u8({x})" for x in operands) if kind == "b" else operands
        return convert(BOOL, out, f"({left} {_COMPARE[name]} {right})")
    if name in _COMPARE and name in ("equal", "not_equal"):
        return convert(BOOL, out, f"({operands[0]} {_COMPARE[name]} {operands[1]})")
    body = next((text for kinds, text in _BODIES.get(name, {}).items() if kind in kinds), None)
    if body is None and kind == "f" and name in _MATH:
        listed = ", ".join(operands)
        body = f"{_MATH[name]}_{TYPES[code]}({listed})"
    if body is None:
        raise _no_body(name, code)
    if "t}" in body:
        body = body.replace("{0t}", truth(code, operands[0]))
        body = body.replace("{1t}", truth(code, operands[-1]))
    real = "f64" if code == COMPLEX128 else "f32"
    made = "(" + body.format(*operands, T=TYPES[code], R=real) + ")"
    if name in _TRUTHS:
        return convert(BOOL, out, made)
    return f"{TYPES[out]}{made}" if out != BOOL else made


def truth(code: int, value: str) -> str:
    """Return the source of whether a value is not zero."""
    if code == BOOL:
        return value
    if code in (COMPLEX64, COMPLEX128):
        return f"({value}.real != 0 or {value}.imag != 0)"
    return f"({value} != {TYPES[code]}(0))"


def convert(source: int, target: int, value: str) -> str:
    """Return the source of a value converted to another dtype, as `numpy.ndarray.astype` does."""
    if source == target:
        return value
    if source in (FLOAT16, BFLOAT16):
        value = f"half_to_f32({value})" if source == FLOAT16 else f"bfloat_to_f32({value})"
        return convert(FLOAT32, target, value)
    if target == BOOL:
        return truth(source, value)
    if source in (COMPLEX64, COMPLEX128) and target < COMPLEX64:
        return convert(FLOAT32 if source == COMPLEX64 else FLOAT64, target, f"{value}.real")
    if target == FLOAT16 and source == FLOAT64:
        return f"f64_to_half({value})"
    if target in (FLOAT16, BFLOAT16):
        return f"f32_to_{'half' if target == FLOAT16 else 'bfloat'}({convert(source, FLOAT32, value)})"
    name = TYPES[target]
    if _kind(source) == "f" and _kind(target) in "iu" and name != "i64":
        return f"f_to_u64({value})" if name == "u64" else f"{name}(i64({value}))"
    return f"{name}({value})"


def load(code: int, raw: str) -> str:
    """Return the source of the value of an element as it is in memory."""
    return f"({raw} != u8(0))" if code == BOOL else raw


def store(code: int, value: str) -> str:
    """Return the source of what is written to memory for a value."""
    return f"u8({value})" if code == BOOL else value


def _no_body(name: str, code: int) -> DTypeError:
    text = f"there is no GPU kernel for {name} of {DTYPES[code].name}"
    return DTypeError(problem(name, None, text, "copy the arrays to mx.cpu() for it"))
