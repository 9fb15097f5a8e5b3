"""Rounding, signs and bounds."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ArgumentTypeError
from ._cases import case, given, raises, uniform
from ._declare import ZERO, elementwise
from ._elementwise import saturated_scalar
from ._sparse import keeps
from ._storage import KEEPS
from ._trace import own, ufunc

HALVES = given([-2.5, -1.5, -1.2, -0.5, 0.5, 0.7, 1.5, 2.5])
ANY = [HALVES, uniform(3, 4), uniform(0, 2), uniform()]
SPECIAL = given([1.0, 0.0, -2.0, np.nan, np.inf, -np.inf])
NOT_ZERO = [uniform(3, 4, avoid=(0,)), uniform(0, 2), given([-2, 3, 1])]


@elementwise(grad=lambda g, data: g * sign(data), kinds="iuf", ref=np.abs, storage=KEEPS, cases=NOT_ZERO)
def abs(data):
    """Absolute value of every element."""
    return ufunc.absolute(data)


@elementwise(
    grad=ZERO, ref=lambda x: np.where(np.isnan(x), 0, np.sign(x)),
    storage=KEEPS,
    cases=[*NOT_ZERO, given([0, 1])],
)
def sign(data):
    """-1, 0 or 1 by the sign of every element; 0 for NaN."""
    return own.greater(data, 0) - own.less(data, 0)


@elementwise(
    grad=lambda g: -g, kinds="iufc", ref=np.negative, storage=KEEPS, cases=[uniform(3, 4), uniform(0, 2)],
)
def negative(data):
    """-x of every element."""
    return ufunc.negative(data)


@elementwise(grad=ZERO, ref=np.ceil, storage=KEEPS, cases=ANY)
def ceil(data):
    """The smallest integer not below every element."""
    return ufunc.ceil(data)


@elementwise(grad=ZERO, ref=np.floor, storage=KEEPS, cases=ANY)
def floor(data):
    """The largest integer not above every element."""
    return ufunc.floor(data)


@elementwise(grad=ZERO, ref=np.trunc, storage=KEEPS, cases=ANY)
def trunc(data):
    """Every element rounded towards zero."""
    return ufunc.trunc(data)


@elementwise(grad=ZERO, ref=np.trunc, storage=KEEPS, cases=ANY)
def fix(data):
    """Every element rounded towards zero."""
    return ufunc.trunc(data)


@elementwise(grad=ZERO, ref=lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5), storage=KEEPS, cases=ANY)
def round(data):
    """Every element rounded to the nearest integer, halves away from zero."""
    return ufunc.positive(data) if data.is_integer else own.round_away(data)


@elementwise(grad=ZERO, ref=lambda x: np.ceil(x - 0.5), storage=KEEPS, cases=ANY)
def rint(data):
    """Every element rounded to the nearest integer, halves downwards (as MXNet does)."""
    return ufunc.positive(data) if data.is_integer else own.rint_down(data)


@elementwise(
    grad=lambda g, data, a_min, a_max: g * (data >= a_min) * (data <= a_max),
    ref=lambda x, a_min, a_max: np.clip(x, a_min, a_max),
    storage=keeps(lambda attrs: attrs["a_min"] <= 0 <= attrs["a_max"]),
    numbers=saturated_scalar,
    cases=[
        case(uniform(3, 4, avoid=(-1, 1)), a_min=-1, a_max=1),
        case(uniform(0, 2), a_min=0, a_max=1),
        case(given([1, 5, 9]), a_min=2, a_max=8),
        case(given([0, 5, 127]), a_min=-3, a_max=300.5),
        raises(ArgumentTypeError, uniform(2), a_min=1, match="clip(a_max): missing"),
    ],
)
def clip(data, *, a_min: float, a_max: float):
    """Every element moved into [a_min, a_max]."""
    return ufunc.minimum(ufunc.maximum(data, a_min), a_max)


@elementwise(grad=ZERO, ref=np.isnan, cases=[SPECIAL, uniform(0, 2)], kinds="f")
def _contrib_isnan(data):
    """1 where an element is NaN, else 0."""
    return own.not_equal(data, data)


@elementwise(grad=ZERO, ref=np.isinf, cases=[SPECIAL, uniform(0, 2)], kinds="f")
def _contrib_isinf(data):
    """1 where an element is infinite, else 0."""
    return own.equal(ufunc.absolute(data), float("inf"))


@elementwise(grad=ZERO, ref=np.isfinite, cases=[SPECIAL, uniform(0, 2)], kinds="f")
def _contrib_isfinite(data):
    """1 where an element is neither infinite nor NaN, else 0."""
    return own.less(ufunc.absolute(data), float("inf"))
