"""Sums, products, quotients, remainders and powers, of two arrays or of an array and a number.

Of two arrays there are two operators: `broadcast_*`, and `elemwise_*` (or `_power`, `_mod`, ...), whose
operands MXNet infers from each other and which symbols use for `+`.  With a number there is one operator
for each side it can stand on.  The number is first converted to the dtype of the array, as C does.
"""

import functools
import math
import operator
from functools import lru_cache
from typing import Any

import numpy as np

from .._pointwise import invoke
from ..dtypes import DTYPES, code_of
from ..errors import ArgumentTypeError, DTypeError, ShapeError
from ..kernels import cpu as kernels
from . import exponential, rounding
from ._binary import BinaryFunction
from ._cases import case, given, raises, uniform
from ._declare import elementwise, op
from ._layer import equal_shapes
from ._sparse import ADDS, ALIKE, BY_LINES, MULTIPLIES, SUMS, keeps
from ._storage import KEEPS
from ._trace import own, trace, ufunc
from .reduction import _sum_like as sum_like

PAIRS = [
    case(uniform(3, 4), uniform(3, 4)),
    case(uniform(3, 4), uniform(4)),
    case(uniform(2, 1, 3), uniform(4, 1)),
    case(uniform(1), uniform(1)),
    case(uniform(0, 3), uniform(1, 3)),
]
POSITIVE = [
    case(uniform(3, 4, low=0.5), uniform(3, 4)),
    case(uniform(2, 1, 3, low=0.5), uniform(4, 1)),
    case(uniform(0, 3), uniform(1, 3)),
]
DIVISORS = [
    case(uniform(3, 4), uniform(3, 4, low=1, high=3)),
    case(uniform(2, 1, 3), uniform(4, 1, low=1, high=3)),
    case(uniform(0, 3), uniform(1, 3, low=1, high=2)),
]
NOT_EQUAL = [
    case(uniform(3, 4, distinct=True), given(np.linspace(-1.97, 1.9, 12).reshape(3, 4))),
    case(uniform(2, 1, 3, distinct=True), given([[-1.51], [0.01], [0.34], [1.1]])),
]
MISMATCH = [
    raises(ShapeError, uniform(2, 3), uniform(4), match="shapes (2, 3) and (4,) do not broadcast"),
    raises(DTypeError, uniform(2), uniform(2, dtype="int8"), match="expected dtype"),
]
ONE = [case(uniform(3, 4), scalar=1.5), case(uniform(2), scalar=-2), case(uniform(0, 2), scalar=2)]
ONE_POSITIVE = [case(uniform(3, 4, low=0.5), scalar=1.5), case(uniform(2, low=1), scalar=2)]
NOT_A_NUMBER = [*ONE, raises(ArgumentTypeError, uniform(2), scalar=[1], match="(scalar): expected a number")]


def quotient(a, b):
    """a / b, for integers truncated as C does."""
    return own.truncate_divide(a, b) if _integer(a) or _integer(b) else ufunc.true_divide(a, b)


def power_of(a, b):
    """a to the power of b, for integers truncated."""
    return own.truncate_power(a, b) if _integer(a) or _integer(b) else ufunc.power(a, b)


def modulo_of(a, b):
    """Remainder with the sign of the divisor; 0 for a divisor of 0."""
    return own.modulo(a, b)


def _integer(value):
    return getattr(value, "is_integer", False) is True  # of Python 3.12 on, int has a method of this name


def power_reference(a, b):
    if np.result_type(a, b).kind in "iu":
        return np.trunc(np.power(np.asarray(a, float), b))
    return np.power(a, b)


def divide_reference(a, b):
    """C's division: integers truncate towards zero."""
    if np.result_type(a, b).kind in "iu":
        return np.trunc(np.true_divide(a, b))
    return np.true_divide(a, b)


# --- addition --------------------------------------------------------------------------------------
@elementwise(
    twin="elemwise_add",
    grad=(lambda g, lhs: sum_like(g, lhs), lambda g, rhs: sum_like(g, rhs)),
    kinds="iufc",
    ref=np.add,
    twin_storage=ADDS,
    cases=PAIRS + MISMATCH,
)
def broadcast_add(lhs, rhs):
    """Sum of two arrays, broadcast to one shape."""
    return lhs + rhs


@elementwise(
    grad=(lambda g: g, lambda g: g),
    kinds="iufc",
    ref=np.add,
    storage=ADDS,
    cases=[case(uniform(3, 4), uniform(3, 4))],
)
def _grad_add(lhs, rhs):
    """Sum of two gradients of one array."""
    return lhs + rhs


@elementwise(
    grad=lambda g: g, kinds="iufc", ref=lambda x, scalar: x + scalar,
    storage=keeps(lambda attrs: attrs["scalar"] == 0),
    cases=NOT_A_NUMBER,
)
def _plus_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """data + scalar."""
    return data + scalar


add = BinaryFunction("add", broadcast_add, _plus_scalar, None, operator.add)


@lru_cache(256)
def sum_program(count, code):
    """The program that adds this many arrays in one pass."""
    steps = trace(lambda *arrays: functools.reduce(operator.add, arrays), [DTYPES[code]] * count, {})
    return steps.compile([code] * count, [code])


@op(
    grad=lambda g, args: [g] * len(args),
    ref=lambda *args: functools.reduce(np.add, args),
    kinds="iufc",
    in_place=True,
    storage=SUMS,
    cases=[
        case(*[uniform(3, 4)] * 3),
        case(uniform(2)),
        case(*[uniform(2)] * 20),
        raises(ShapeError, uniform(2), uniform(3), match="add_n(arg1): expected shape (2,), got (3,)"),
    ],
    infer=lambda in_shapes, attrs, outs: equal_shapes("add_n", in_shapes, outs),
)
def add_n(*args, out):
    """Sum of any number of arrays of one shape, in one pass over up to 16 of them."""
    code = code_of(args[0].dtype)
    while len(args) > 16:
        args = (*invoke(sum_program(16, code), args[:16]), *args[16:])
    if len(args) == 1:
        return kernels.copy(args[0], out=out)
    return invoke(sum_program(len(args), code), args, None if out is None else [out])[0]


# --- subtraction ------------------------------------------------------------------------------------
@elementwise(
    twin="elemwise_sub",
    grad=(lambda g, lhs: sum_like(g, lhs), lambda g, rhs: sum_like(-g, rhs)),
    kinds="iufc",
    ref=np.subtract,
    twin_storage=ADDS,
    cases=PAIRS + MISMATCH,
)
def broadcast_sub(lhs, rhs):
    """Difference of two arrays, broadcast to one shape."""
    return lhs - rhs


@elementwise(
    grad=lambda g: g, kinds="iufc", ref=lambda x, scalar: x - scalar,
    storage=keeps(lambda attrs: attrs["scalar"] == 0),
    cases=ONE,
)
def _minus_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """data - scalar."""
    return data - scalar


@elementwise(grad=lambda g: -g, kinds="iufc", ref=lambda x, scalar: scalar - x, cases=ONE)
def _rminus_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """scalar - data."""
    return scalar - data


subtract = BinaryFunction("subtract", broadcast_sub, _minus_scalar, _rminus_scalar, operator.sub)


# --- multiplication -----------------------------------------------------------------------------------
@elementwise(
    twin="elemwise_mul",
    grad=(lambda g, lhs, rhs: sum_like(g * rhs, lhs), lambda g, lhs, rhs: sum_like(g * lhs, rhs)),
    kinds="iufc",
    ref=np.multiply,
    storage=BY_LINES, twin_storage=MULTIPLIES,
    cases=PAIRS + MISMATCH,
)
def broadcast_mul(lhs, rhs):
    """Product of two arrays, broadcast to one shape."""
    return lhs * rhs


@elementwise(
    grad=lambda g, scalar: g * scalar, kinds="iufc", ref=lambda x, scalar: x * scalar,
    storage=KEEPS,
    cases=ONE,
)
def _mul_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """data * scalar."""
    return data * scalar


multiply = BinaryFunction("multiply", broadcast_mul, _mul_scalar, None, operator.mul)


# --- division ------------------------------------------------------------------------------------------
@elementwise(
    twin="elemwise_div",
    grad=(
        lambda g, lhs, rhs: sum_like(g / rhs, lhs),
        lambda g, lhs, rhs: sum_like(-g * lhs / (rhs * rhs), rhs),
    ),
    kinds="iufc",
    ref=divide_reference,
    storage=BY_LINES,
    cases=DIVISORS + MISMATCH,
)
def broadcast_div(lhs, rhs):
    """Quotient of two arrays, broadcast to one shape; integers truncate towards zero."""
    return quotient(lhs, rhs)


@elementwise(
    grad=lambda g, scalar: g / scalar,
    kinds="iufc",
    storage=KEEPS,
    cases=ONE,
    ref=lambda x, scalar: divide_reference(x, scalar),
)
def _div_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """data / scalar."""
    return quotient(data, scalar)


@elementwise(
    grad=lambda g, data, scalar: g * (-scalar / (data * data)),
    kinds="iufc",
    ref=lambda x, scalar: divide_reference(scalar, x),
    cases=ONE_POSITIVE,
)
def _rdiv_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """scalar / data."""
    return quotient(scalar, data)


divide = BinaryFunction("divide", broadcast_div, _div_scalar, _rdiv_scalar, operator.truediv)


# --- remainder -----------------------------------------------------------------------------------------
@elementwise(
    grad=lambda g: g,
    grad_check="what flows through integers is 0, by definition",
    ref=lambda x: np.zeros_like(x) if x.dtype.kind in "iub" else x,
    cases=[uniform(3, 4), uniform(0, 2)],
)
def _unless_integer(data):
    """data as it is; zeros of integers, through whose remainders no gradient flows."""
    return data * 0 if data.is_integer else ufunc.positive(data)


@elementwise(
    twin="_mod",
    grad=(
        lambda g, lhs: sum_like(_unless_integer(g), lhs),
        lambda g, lhs, rhs: sum_like(-_unless_integer(g) * rounding.floor(lhs / rhs), rhs),
    ),
    ref=np.remainder,
    cases=DIVISORS + MISMATCH,
)
def broadcast_mod(lhs, rhs):
    """Remainder of two arrays, with the sign of the divisor, broadcast to one shape."""
    return modulo_of(lhs, rhs)


@elementwise(
    grad=lambda g: _unless_integer(g), ref=lambda x, scalar: np.remainder(x, scalar), cases=ONE
)
def _mod_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """data % scalar."""
    return modulo_of(data, scalar)


@elementwise(
    grad=lambda g, data, scalar: _unless_integer(g) * -rounding.floor(scalar / data),
    cases=ONE_POSITIVE,
    ref=lambda x, scalar: np.remainder(scalar, x),
)
def _rmod_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """scalar % data."""
    return modulo_of(scalar, data)


modulo = BinaryFunction("modulo", broadcast_mod, _mod_scalar, _rmod_scalar, operator.mod)


# --- powers --------------------------------------------------------------------------------------------
def power_base(g, lhs, rhs):
    return sum_like(g * rhs * lhs ** (rhs - 1), lhs)


def power_exponent(g, lhs, rhs, y):
    return sum_like(g * y * exponential.log(lhs), rhs)


@elementwise(
    twin="_power",
    grad=(power_base, power_exponent),
    kinds="iufc",
    ref=power_reference,
    cases=POSITIVE + MISMATCH,
)
def broadcast_power(lhs, rhs):
    """lhs to the power of rhs, broadcast to one shape."""
    return power_of(lhs, rhs)


@elementwise(
    grad=lambda g, data, scalar: g * (scalar * data ** (scalar - 1)),
    kinds="iufc",
    ref=lambda x, scalar: power_reference(x, scalar),
    cases=ONE_POSITIVE,
)
def _power_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """data to the power of scalar."""
    return power_of(data, scalar)


@elementwise(
    grad=lambda g, y, scalar: g * (y * float(np.log(scalar))),
    kinds="iufc",
    ref=lambda x, scalar: power_reference(scalar, x),
    cases=ONE_POSITIVE,
)
def _rpower_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """scalar to the power of data."""
    return power_of(scalar, data)


class Power(BinaryFunction):
    """`BinaryFunction` with MXNet's names of the operands of a power."""

    def __call__(self, base: Any, exp: Any, out: Any = None) -> Any:  # type: ignore[override]
        return super().__call__(base, exp, out)


power = Power("power", broadcast_power, _power_scalar, _rpower_scalar, operator.pow)


# --- larger, smaller, hypotenuse -----------------------------------------------------------------------
@elementwise(
    twin="_maximum", twin_storage=ALIKE,
    grad=(
        lambda g, lhs, rhs: sum_like(g * (lhs >= rhs), lhs),
        lambda g, lhs, rhs: sum_like(g * (lhs < rhs), rhs),
    ),
    ref=np.maximum,
    cases=NOT_EQUAL + MISMATCH,
)
def broadcast_maximum(lhs, rhs):
    """The larger of two arrays, broadcast to one shape; NaN where either is."""
    return ufunc.maximum(lhs, rhs)


@elementwise(
    grad=lambda g, data, scalar: g * (data >= scalar), ref=lambda x, scalar: np.maximum(x, scalar), cases=ONE
)
def _maximum_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """The larger of data and scalar."""
    return ufunc.maximum(data, scalar)


maximum = BinaryFunction("maximum", broadcast_maximum, _maximum_scalar, None, max)


@elementwise(
    twin="_minimum", twin_storage=ALIKE,
    grad=(
        lambda g, lhs, rhs: sum_like(g * (lhs <= rhs), lhs),
        lambda g, lhs, rhs: sum_like(g * (lhs > rhs), rhs),
    ),
    ref=np.minimum,
    cases=NOT_EQUAL + MISMATCH,
)
def broadcast_minimum(lhs, rhs):
    """The smaller of two arrays, broadcast to one shape; NaN where either is."""
    return ufunc.minimum(lhs, rhs)


@elementwise(
    grad=lambda g, data, scalar: g * (data <= scalar), ref=lambda x, scalar: np.minimum(x, scalar), cases=ONE
)
def _minimum_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """The smaller of data and scalar."""
    return ufunc.minimum(data, scalar)


minimum = BinaryFunction("minimum", broadcast_minimum, _minimum_scalar, None, min)


@elementwise(
    twin="_hypot", twin_storage=ALIKE,
    grad=(lambda g, lhs, y: sum_like(g * lhs / y, lhs), lambda g, rhs, y: sum_like(g * rhs / y, rhs)),
    ref=np.hypot,
    cases=POSITIVE + MISMATCH,
)
def broadcast_hypot(lhs, rhs):
    """sqrt(lhs² + rhs²) without overflow, broadcast to one shape."""
    return ufunc.hypot(lhs, rhs)


@elementwise(
    grad=lambda g, data, y: g * data / y, ref=lambda x, scalar: np.hypot(x, scalar), cases=ONE_POSITIVE
)
def _hypot_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """sqrt(data² + scalar²)."""
    return ufunc.hypot(data, scalar)


hypot = BinaryFunction("hypot", broadcast_hypot, _hypot_scalar, None, math.hypot)
