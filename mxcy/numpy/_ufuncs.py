"""The universal functions of the namespace, by name."""

from typing import Any

import numpy as _np

from .._array import Array
from ..dtypes import code_of
from ..kernels import cpu as kernels
from . import _small_shapes
from ._functions import Through, with_small
from ._ufunc import elementwise

_FLOATS = (code_of(_np.float32), code_of(_np.float64))

__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "add",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_count",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "cbrt",
    "ceil",
    "clip",
    "conj",
    "conjugate",
    "copysign",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "divide",
    "divmod",
    "equal",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "float_power",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frexp",
    "gcd",
    "greater",
    "greater_equal",
    "heaviside",
    "hypot",
    "invert",
    "isfinite",
    "isinf",
    "isnan",
    "isnat",
    "lcm",
    "ldexp",
    "left_shift",
    "less",
    "less_equal",
    "log",
    "log10",
    "log1p",
    "log2",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "mod",
    "modf",
    "multiply",
    "negative",
    "nextafter",
    "not_equal",
    "positive",
    "pow",
    "power",
    "rad2deg",
    "radians",
    "reciprocal",
    "remainder",
    "right_shift",
    "rint",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "spacing",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "true_divide",
    "where",
    "trunc",
]

absolute = elementwise(_np.absolute)
add = elementwise(_np.add)
arccos = elementwise(_np.arccos)
arccosh = elementwise(_np.arccosh)
arcsin = elementwise(_np.arcsin)
arcsinh = elementwise(_np.arcsinh)
arctan = elementwise(_np.arctan)
arctan2 = elementwise(_np.arctan2)
arctanh = elementwise(_np.arctanh)
bitwise_and = elementwise(_np.bitwise_and)
bitwise_count = elementwise(_np.bitwise_count)
bitwise_or = elementwise(_np.bitwise_or)
bitwise_xor = elementwise(_np.bitwise_xor)
cbrt = elementwise(_np.cbrt)
ceil = elementwise(_np.ceil)
conjugate = elementwise(_np.conjugate)
copysign = elementwise(_np.copysign)
cos = elementwise(_np.cos)
cosh = elementwise(_np.cosh)
deg2rad = elementwise(_np.deg2rad)
degrees = elementwise(_np.degrees)
divide = elementwise(_np.divide)
divmod = elementwise(_np.divmod)
equal = elementwise(_np.equal)
exp = elementwise(_np.exp)
exp2 = elementwise(_np.exp2)
expm1 = elementwise(_np.expm1)
fabs = elementwise(_np.fabs)
float_power = elementwise(_np.float_power)
floor = elementwise(_np.floor)
floor_divide = elementwise(_np.floor_divide)
fmax = elementwise(_np.fmax)
fmin = elementwise(_np.fmin)
fmod = elementwise(_np.fmod)
frexp = elementwise(_np.frexp)
gcd = elementwise(_np.gcd)
greater = elementwise(_np.greater)
greater_equal = elementwise(_np.greater_equal)
heaviside = elementwise(_np.heaviside)
hypot = elementwise(_np.hypot)
invert = elementwise(_np.invert)
isfinite = elementwise(_np.isfinite)
isinf = elementwise(_np.isinf)
isnan = elementwise(_np.isnan)
isnat = elementwise(_np.isnat)  # which says that numbers are not times
lcm = elementwise(_np.lcm)
ldexp = elementwise(_np.ldexp)
left_shift = elementwise(_np.left_shift)
less = elementwise(_np.less)
less_equal = elementwise(_np.less_equal)
log = elementwise(_np.log)
log10 = elementwise(_np.log10)
log1p = elementwise(_np.log1p)
log2 = elementwise(_np.log2)
logaddexp = elementwise(_np.logaddexp)
logaddexp2 = elementwise(_np.logaddexp2)
logical_and = elementwise(_np.logical_and)
logical_not = elementwise(_np.logical_not)
logical_or = elementwise(_np.logical_or)
logical_xor = elementwise(_np.logical_xor)
maximum = elementwise(_np.maximum)
minimum = elementwise(_np.minimum)
modf = elementwise(_np.modf)
multiply = elementwise(_np.multiply)
negative = elementwise(_np.negative)
nextafter = elementwise(_np.nextafter)
not_equal = elementwise(_np.not_equal)
positive = elementwise(_np.positive)
power = elementwise(_np.power)
rad2deg = elementwise(_np.rad2deg)
radians = elementwise(_np.radians)
reciprocal = elementwise(_np.reciprocal)
remainder = elementwise(_np.remainder)
right_shift = elementwise(_np.right_shift)
rint = elementwise(_np.rint)
sign = elementwise(_np.sign)
signbit = elementwise(_np.signbit)
sin = elementwise(_np.sin)
sinh = elementwise(_np.sinh)
spacing = elementwise(_np.spacing)
sqrt = elementwise(_np.sqrt)
square = elementwise(_np.square)
subtract = elementwise(_np.subtract)
tan = elementwise(_np.tan)
tanh = elementwise(_np.tanh)
trunc = elementwise(_np.trunc)

# Other names.
abs = absolute
acos = arccos
acosh = arccosh
asin = arcsin
asinh = arcsinh
atan = arctan
atan2 = arctan2
atanh = arctanh
bitwise_invert = invert
bitwise_left_shift = left_shift
bitwise_not = invert
bitwise_right_shift = right_shift
conj = conjugate
mod = remainder
pow = power
true_divide = divide

# Of Python's operators, by the names of `_array.SLOTS`.
BY_SLOT = {
    "add": add,
    "subtract": subtract,
    "multiply": multiply,
    "divide": divide,
    "floor_divide": floor_divide,
    "remainder": remainder,
    "power": power,
    "divmod": divmod,
    "bitwise_and": bitwise_and,
    "bitwise_or": bitwise_or,
    "bitwise_xor": bitwise_xor,
    "left_shift": left_shift,
    "right_shift": right_shift,
    "less": less,
    "less_equal": less_equal,
    "equal": equal,
    "not_equal": not_equal,
    "greater": greater,
    "greater_equal": greater_equal,
    "negative": negative,
    "positive": positive,
    "absolute": absolute,
    "invert": invert,
}

_NOTHING: Any = _np._NoValue
_limited = elementwise(_np._core.umath.clip)  # type: ignore[attr-defined]
_clip = Through(_np.clip)


def _clip_few(a, a_min=_NOTHING, a_max=_NOTHING, out=None, **kwargs):
    return _np.clip(a, a_min, None if a_max is _NOTHING is not a_min else a_max, out, **kwargs)


@with_small(_small_shapes.clip, few=Through(_clip_few), whole=True)
def clip(
    a, a_min=_np._NoValue, a_max=_np._NoValue, out=None, *, min=_np._NoValue, max=_np._NoValue, **kwargs
):
    """The elements limited to a range; without `a_max` (as in the standard of arrays) only from below."""
    if a_max is _NOTHING and a_min is not _NOTHING:
        a_max = None
    if isinstance(a, Array) and out is None and not kwargs and min is _NOTHING and max is _NOTHING:
        if a._dtype_code in _FLOATS:  # for integers NumPy looks whether a bound is one at all
            if type(a_min) is float and type(a_max) is float:
                return _limited(a, a_min, a_max)
            if (a_min is None) != (a_max is None):
                return minimum(a, a_max) if a_min is None else maximum(a, a_min)
    given = {"a_min": a_min, "a_max": a_max, "min": min, "max": max}
    kwargs.update({name: x for name, x in given.items() if x is not _NOTHING})
    return _clip(a, out=out, **kwargs)


_where = Through(_np.where)


@with_small(_small_shapes.where, 3, few=_where)
def where(condition, x=_NOTHING, y=_NOTHING, /):
    """Elements of x where a condition holds, of y elsewhere; of a condition alone where it holds."""
    if x is _NOTHING and y is _NOTHING:
        return _where(condition)
    operands = (condition, x, y)
    if all(isinstance(a, Array) and a._c_contiguous for a in operands):
        if (
            condition._dtype_code == 0
            and x._dtype_code == y._dtype_code
            and max(x.ndim, condition.ndim, y.ndim)
        ):
            return kernels.where(condition, x, y)
    return _where(*[a for a in operands if a is not _NOTHING])
