"""Comparisons of two arrays, or of an array and a number: 0 and 1 in the dtype of the operands.

By NumPy's rules (`mxcy.numpy`) they give booleans.  No gradient flows through them.
"""

import operator

import numpy as np

from ..errors import ShapeError
from ._binary import BinaryFunction
from ._cases import case, given, raises, uniform
from ._declare import ZERO, elementwise
from ._sparse import keeps
from ._trace import own

PAIRS = [
    case(uniform(3, 4), uniform(3, 4)),
    case(given([[1, 2, 3], [4, 5, 6]]), given([1, 5, 3])),
    case(uniform(0, 3), uniform(1, 3)),
    raises(ShapeError, uniform(2, 3), uniform(4), match="shapes (2, 3) and (4,) do not broadcast"),
]
ONE = [case(given([0, 1, 2, 1]), scalar=1), case(uniform(0, 2), scalar=2.0)]


@elementwise(twin="_equal", grad=ZERO, kinds="biuf", ref=np.equal, cases=PAIRS)
def broadcast_equal(lhs, rhs):
    """1 where two arrays are equal, broadcast to one shape, else 0."""
    return own.equal(lhs, rhs)


@elementwise(
    grad=ZERO, kinds="biuf", ref=lambda x, scalar: x == scalar,
    storage=keeps(lambda attrs: attrs["scalar"] != 0),
    cases=ONE,
)
def _equal_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """1 where data == scalar, else 0."""
    return own.equal(data, scalar)


@elementwise(twin="_not_equal", grad=ZERO, kinds="biuf", ref=np.not_equal, cases=PAIRS)
def broadcast_not_equal(lhs, rhs):
    """1 where two arrays differ, broadcast to one shape, else 0."""
    return own.not_equal(lhs, rhs)


@elementwise(
    grad=ZERO, kinds="biuf", ref=lambda x, scalar: x != scalar,
    storage=keeps(lambda attrs: attrs["scalar"] == 0),
    cases=ONE,
)
def _not_equal_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """1 where data != scalar, else 0."""
    return own.not_equal(data, scalar)


@elementwise(twin="_greater", grad=ZERO, kinds="biuf", ref=np.greater, cases=PAIRS)
def broadcast_greater(lhs, rhs):
    """1 where lhs is greater than rhs, broadcast to one shape, else 0."""
    return own.greater(lhs, rhs)


@elementwise(
    grad=ZERO, kinds="biuf", ref=lambda x, scalar: x > scalar,
    storage=keeps(lambda attrs: attrs["scalar"] >= 0),
    cases=ONE,
)
def _greater_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """1 where data > scalar, else 0."""
    return own.greater(data, scalar)


@elementwise(twin="_greater_equal", grad=ZERO, kinds="biuf", ref=np.greater_equal, cases=PAIRS)
def broadcast_greater_equal(lhs, rhs):
    """1 where lhs is greater than or equal to rhs, broadcast to one shape, else 0."""
    return own.greater_equal(lhs, rhs)


@elementwise(
    grad=ZERO, kinds="biuf", ref=lambda x, scalar: x >= scalar,
    storage=keeps(lambda attrs: attrs["scalar"] > 0),
    cases=ONE,
)
def _greater_equal_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """1 where data >= scalar, else 0."""
    return own.greater_equal(data, scalar)


@elementwise(twin="_lesser", grad=ZERO, kinds="biuf", ref=np.less, cases=PAIRS)
def broadcast_lesser(lhs, rhs):
    """1 where lhs is less than rhs, broadcast to one shape, else 0."""
    return own.less(lhs, rhs)


@elementwise(
    grad=ZERO, kinds="biuf", ref=lambda x, scalar: x < scalar,
    storage=keeps(lambda attrs: attrs["scalar"] <= 0),
    cases=ONE,
)
def _lesser_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """1 where data < scalar, else 0."""
    return own.less(data, scalar)


@elementwise(twin="_lesser_equal", grad=ZERO, kinds="biuf", ref=np.less_equal, cases=PAIRS)
def broadcast_lesser_equal(lhs, rhs):
    """1 where lhs is less than or equal to rhs, broadcast to one shape, else 0."""
    return own.less_equal(lhs, rhs)


@elementwise(
    grad=ZERO, kinds="biuf", ref=lambda x, scalar: x <= scalar,
    storage=keeps(lambda attrs: attrs["scalar"] < 0),
    cases=ONE,
)
def _lesser_equal_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """1 where data <= scalar, else 0."""
    return own.less_equal(data, scalar)


# A number on the left: 2 > x is x < 2.
equal = BinaryFunction("equal", broadcast_equal, _equal_scalar, None, operator.eq)
not_equal = BinaryFunction("not_equal", broadcast_not_equal, _not_equal_scalar, None, operator.ne)
greater = BinaryFunction("greater", broadcast_greater, _greater_scalar, _lesser_scalar, operator.gt)
greater_equal = BinaryFunction(
    "greater_equal", broadcast_greater_equal, _greater_equal_scalar, _lesser_equal_scalar, operator.ge
)
lesser = BinaryFunction("lesser", broadcast_lesser, _lesser_scalar, _greater_scalar, operator.lt)
lesser_equal = BinaryFunction(
    "lesser_equal", broadcast_lesser_equal, _lesser_equal_scalar, _greater_equal_scalar, operator.le
)
