"""Logic on numbers, where everything but 0 is true: 0 and 1 in the dtype of the operands."""

import numpy as np

from ._binary import BinaryFunction
from ._cases import case, given, uniform
from ._declare import ZERO, elementwise
from ._trace import own

PAIRS = [
    case(given([[0, 1, 2, 0], [0, 0, 3, 1]]), given([0, 0, 1, 1])),
    case(given([0, 0, 2, 3]), given([0, 5, 0, 1])),
    case(uniform(0, 3), uniform(1, 3)),
]
ONE = [case(given([0, 1, 2]), scalar=1), case(given([0, 1, 2]), scalar=0), case(uniform(0, 2), scalar=2.0)]


@elementwise(grad=ZERO, kinds="biuf", ref=np.logical_not, cases=[given([0, 1, 2, 0]), uniform(0, 2)])
def logical_not(data):
    """1 where data is 0, else 0."""
    return own.logical_not(data)


@elementwise(twin="_logical_and", grad=ZERO, kinds="biuf", ref=np.logical_and, cases=PAIRS)
def broadcast_logical_and(lhs, rhs):
    """1 where both arrays are not 0, broadcast to one shape, else 0."""
    return own.logical_and(lhs, rhs)


@elementwise(grad=ZERO, kinds="biuf", ref=lambda x, scalar: np.logical_and(x, scalar), cases=ONE)
def _logical_and_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """data and scalar, as 0 and 1."""
    return own.logical_and(data, scalar)


logical_and = BinaryFunction(
    "logical_and", broadcast_logical_and, _logical_and_scalar, None, lambda a, b: bool(a and b)
)


@elementwise(twin="_logical_or", grad=ZERO, kinds="biuf", ref=np.logical_or, cases=PAIRS)
def broadcast_logical_or(lhs, rhs):
    """1 where either array is not 0, broadcast to one shape, else 0."""
    return own.logical_or(lhs, rhs)


@elementwise(grad=ZERO, kinds="biuf", ref=lambda x, scalar: np.logical_or(x, scalar), cases=ONE)
def _logical_or_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """data or scalar, as 0 and 1."""
    return own.logical_or(data, scalar)


logical_or = BinaryFunction(
    "logical_or", broadcast_logical_or, _logical_or_scalar, None, lambda a, b: bool(a or b)
)


@elementwise(twin="_logical_xor", grad=ZERO, kinds="biuf", ref=np.logical_xor, cases=PAIRS)
def broadcast_logical_xor(lhs, rhs):
    """1 where exactly one of two arrays is not 0, broadcast to one shape, else 0."""
    return own.logical_xor(lhs, rhs)


@elementwise(grad=ZERO, kinds="biuf", ref=lambda x, scalar: np.logical_xor(x, scalar), cases=ONE)
def _logical_xor_scalar(data, *, scalar: float = 1.0, is_int: bool = True):
    """data xor scalar, as 0 and 1."""
    return own.logical_xor(data, scalar)


logical_xor = BinaryFunction(
    "logical_xor", broadcast_logical_xor, _logical_xor_scalar, None, lambda a, b: bool(a) != bool(b)
)
