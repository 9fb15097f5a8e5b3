"""Exponentials, logarithms, roots and powers of one array, and the gamma and error functions."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from .._launch import empty_like, push_numpy
from ..errors import ArgumentTypeError, DTypeError
from . import arithmetic
from ._cases import case, given, raises, special, uniform
from ._declare import elementwise, op
from ._storage import KEEPS
from ._trace import own, ufunc

ANY = [uniform(3, 4), uniform(), uniform(0, 2), uniform(2, 1, 3)]
POSITIVE = [uniform(3, 4, low=0.3, high=3), uniform(low=1, high=2), uniform(0, 2, low=1)]
NOT_ZERO = [uniform(3, 4, low=0.5), uniform(4, low=-2, high=-0.5), uniform(0, 2, low=1)]


@elementwise(
    grad=lambda g, y: g * y,
    ref=np.exp,
    cases=[
        *ANY,
        raises(DTypeError, given([True], "bool"), match="exp(data): expected a dtype that is integer or"),
        raises(ArgumentTypeError, match="exp(data): expected an NDArray or a Symbol, got nothing"),
    ],
)
def exp(data):
    """e to the power of every element."""
    return ufunc.exp(data)


@elementwise(grad=lambda g, y: g * (y + 1), ref=np.expm1, storage=KEEPS, cases=ANY)
def expm1(data):
    """exp(x) - 1, accurate near 0."""
    return ufunc.expm1(data)


@elementwise(grad=lambda g, data: g / data, ref=np.log, cases=POSITIVE)
def log(data):
    """Natural logarithm of every element."""
    return ufunc.log(data)


@elementwise(grad=lambda g, data: g / data * (1 / float(np.log(10))), ref=np.log10, cases=POSITIVE)
def log10(data):
    """Logarithm to base 10."""
    return ufunc.log10(data)


@elementwise(grad=lambda g, data: g / data * (1 / float(np.log(2))), ref=np.log2, cases=POSITIVE)
def log2(data):
    """Logarithm to base 2."""
    return ufunc.log2(data)


@elementwise(grad=lambda g, data: g / (data + 1), ref=np.log1p, storage=KEEPS, cases=POSITIVE)
def log1p(data):
    """log(1 + x), accurate near 0."""
    return ufunc.log1p(data)


@elementwise(grad=lambda g, y: g / y * 0.5, ref=np.sqrt, storage=KEEPS, cases=POSITIVE)
def sqrt(data):
    """Square root of every element."""
    return ufunc.sqrt(data)


@elementwise(grad=lambda g, data, y: g * y / data * -0.5, ref=lambda x: 1 / np.sqrt(x), cases=POSITIVE)
def rsqrt(data):
    """1 / sqrt(x)."""
    return 1.0 / ufunc.sqrt(data)


@elementwise(grad=lambda g, y: g / (y * y) * (1 / 3), ref=np.cbrt, storage=KEEPS, cases=NOT_ZERO)
def cbrt(data):
    """Cube root of every element."""
    return ufunc.cbrt(data)


@elementwise(grad=lambda g, data, y: g * y / data * (-1 / 3), ref=lambda x: 1 / np.cbrt(x), cases=NOT_ZERO)
def rcbrt(data):
    """1 / cbrt(x)."""
    return 1.0 / ufunc.cbrt(data)


@elementwise(grad=lambda g, data: g * data * 2.0, kinds="iufc", ref=np.square, storage=KEEPS, cases=ANY)
def square(data):
    """x² of every element."""
    return ufunc.square(data)


@elementwise(grad=lambda g, y: -(g * y * y), ref=lambda x: arithmetic.divide_reference(1, x), cases=NOT_ZERO)
def reciprocal(data):
    """1 / x; integers truncate towards zero."""
    return arithmetic.quotient(1, data)


@elementwise(
    grad=lambda g, data: g * exp(-(data * data)) * float(2 / np.sqrt(np.pi)),
    ref=lambda x: special.erf(x),
    cases=ANY,
)
def erf(data):
    """Error function of every element."""
    return ufunc.erf(data) if data.is_integer else own.erf(data)


@elementwise(
    grad=lambda g, y: g * exp(y * y) * float(np.sqrt(np.pi) / 2),
    ref=lambda x: special.erfinv(x),
    cases=[uniform(3, 4, low=-0.9, high=0.9), uniform(0, 2)],
)
def erfinv(data):
    """Inverse of the error function."""
    return ufunc.erfinv(data)


@elementwise(
    grad=lambda g, data, y: g * y * digamma(data), ref=lambda x: special.gamma(x), cases=POSITIVE
)
def gamma(data):
    """Gamma function of every element."""
    return ufunc.gamma(data)


@elementwise(
    grad=lambda g, data: g * digamma(data), ref=lambda x: special.gammaln(x), cases=POSITIVE
)
def gammaln(data):
    """Logarithm of the absolute value of the gamma function."""
    return ufunc.gammaln(data)


@elementwise(
    grad=lambda g, data: g * _polygamma(data, n=1),
    ref=lambda x: special.digamma(x),
    cases=POSITIVE,
    kinds="f",
)
def digamma(data):
    """Derivative of the logarithm of the gamma function."""
    return ufunc.digamma(data)


def polygamma(n, x):
    """Derivative n of digamma, computed in float64."""
    return np.asarray(special.polygamma(n, x.astype(np.float64))).astype(x.dtype)


@op(
    grad=lambda g, data, n: g * _polygamma(data, n=n + 1),
    kinds="f",
    ref=lambda x, n: special.polygamma(n, x),
    cases=[case(row, n=n) for row in POSITIVE for n in (1, 2)],
)
def _polygamma(data, *, n: int, out):
    """Derivative n of the digamma function; SciPy has it as a function, not as a ufunc with loops."""
    out = empty_like(data, data.shape) if out is None else out
    push_numpy(lambda x, y: np.copyto(y, polygamma(n, x)), [data], [out], "_polygamma")
    return out
