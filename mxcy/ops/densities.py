"""Densities of samples, or their logarithms, by parameters that hold for a block of samples each.

A parameter of shape (n,) belongs to samples of shape (n, ...).  Values follow the usual formulas (see
scipy.stats); gamma's beta is a rate here, as in MXNet.
"""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Any

import numpy as np

from ..errors import ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, given, raises, special, uniform
from ._declare import elementwise, op
from ._operator import describe, find
from ._trace import ufunc
from .arithmetic import broadcast_mul
from .exponential import digamma, gammaln, log, square
from .reduction import sum as total
from .shape import expand_dims

__all__ = [
    "random_pdf_dirichlet",
    "random_pdf_exponential",
    "random_pdf_gamma",
    "random_pdf_generalized_negative_binomial",
    "random_pdf_negative_binomial",
    "random_pdf_normal",
    "random_pdf_poisson",
    "random_pdf_uniform",
]

LOG_ROOT_TWO_PI = float(np.log(2 * np.pi) / 2)


# --- a parameter beside its samples ----------------------------------------------------------------------
def beside(parameter, sample):
    """The parameter as a view that broadcasts to the samples."""
    return parameter.reshape(*parameter.shape, *(1,) * (sample.ndim - parameter.ndim))


@op(
    grad=(lambda g, data: _sum_behind(g, data), None),
    shape=lambda data, like: like,
    shape_only=("like",),
    free=("like",),
    ref=lambda data, like: np.broadcast_to(beside(data, like), like.shape),
    kinds="f",
    cases=[
        case(uniform(2), uniform(2, 3, 2)),
        case(uniform(2, 3), uniform(2, 3)),
        case(uniform(0), uniform(0, 2)),
    ],
)
def _beside(data, like, *, out):
    """data, repeated along the axes that `like` has behind its own."""
    view = data._reshape_view((*data.shape, *(1,) * (like.ndim - data.ndim)))
    if view is None:
        view = kernels.copy(data)._reshape_view((*data.shape, *(1,) * (like.ndim - data.ndim)))
    return kernels.copy(view._broadcast_view(like.shape), out=out)


@op(
    grad=(lambda g, data: _beside(g, data), None),
    shape=lambda data, like: like,
    shape_only=("like",),
    free=("like",),
    ref=lambda data, like: data.sum(tuple(range(like.ndim, data.ndim))),
    kinds="f",
    cases=[case(uniform(2, 3, 2), uniform(2)), case(uniform(2, 3), uniform(2, 3))],
)
def _sum_behind(data, like, *, out):
    """data, summed over the axes behind those of `like`."""
    if data.ndim == like.ndim:
        return kernels.copy(data, out=out)
    attrs = find("sum").parse_attrs({"axis": tuple(range(like.ndim, data.ndim))})
    return find("sum").compute([data], attrs, None if out is None else [out])[0]


# --- logarithms of densities, element by element -----------------------------------------------------------
def uniform_slopes(x, low, high):
    width = 1 / (high - low)
    return None, width, -width


def normal_slopes(x, mu, sigma):
    z = (x - mu) / sigma
    return -z / sigma, z / sigma, (square(z) - 1) / sigma


def gamma_slopes(x, alpha, beta):
    return (alpha - 1) / x - beta, log(beta) + log(x) - digamma(alpha), alpha / beta - x


def exponential_slopes(x, lam):
    return -lam, 1 / lam - x


def poisson_slopes(x, lam):
    return None, x / lam - 1


def negative_binomial_slopes(x, k, p):
    return None, digamma(x + k) - digamma(k) + log(p), k / p - x / (1 - p)


def generalized_slopes(x, mu, alpha):
    k, p = 1 / alpha, 1 / (mu * alpha + 1)
    _, by_k, by_p = negative_binomial_slopes(x, k, p)
    return None, -by_p * alpha * square(p), -by_k * square(k) - by_p * mu * square(p)


def declared(distribution: str, parameters: str, slopes: Any, ref: Any, cases: list) -> dict:
    """The options of the elementwise logarithm of a density: its gradients come from its slopes."""
    names = ("sample", *parameters.split())

    def rule(position: int) -> Any:
        if len(names) == 2:
            return lambda g, a, b: weighted(g, slopes(a, b)[position])
        return lambda g, a, b, c: weighted(g, slopes(a, b, c)[position])

    rules = tuple(
        None if position == 0 and slopes in COUNTS else rule(position) for position in range(len(names))
    )
    return {"name": f"_log_pdf_{distribution}", "grad": rules, "ref": ref, "cases": cases, "kinds": "f"}


def weighted(g, slope):
    return None if slope is None else g * slope


COUNTS = (uniform_slopes, poisson_slopes, negative_binomial_slopes, generalized_slopes)
POSITIVE = [
    case(uniform(3, 4, low=0.5, high=3), uniform(3, 4, low=0.5, high=2), uniform(3, 4, low=0.5, high=3))
]
BETWEEN = [
    case(given([[0.5, 0.7]], constant=True), uniform(1, 2, low=-1, high=0), uniform(1, 2, low=1, high=2))
]
COUNTED = [
    case(given([[0, 1, 5]], constant=True), uniform(1, 3, low=1, high=3), uniform(1, 3, low=0.2, high=0.8))
]


def log_normal(x, mu, sigma):
    return -(((x - mu) / sigma) ** 2) / 2 - np.log(sigma) - LOG_ROOT_TWO_PI


def log_gamma(x, alpha, beta):
    return alpha * np.log(beta) + (alpha - 1) * np.log(x) - beta * x - special.gammaln(alpha)


def log_poisson(x, lam):
    return x * np.log(lam) - lam - special.gammaln(x + 1)


def log_negative_binomial(x, k, p):
    ways = special.gammaln(x + k) - special.gammaln(x + 1) - special.gammaln(k)
    return ways + k * np.log(p) + x * np.log1p(-p)


def log_generalized(x, mu, alpha):
    return log_negative_binomial(x, 1 / alpha, 1 / (mu * alpha + 1))


@elementwise(
    **declared("uniform", "low high", uniform_slopes, lambda x, a, b: -np.log(b - a) + 0 * x, BETWEEN)
)
def _log_pdf_uniform(a, b, c):
    """-log(c - b), whatever a: MXNet does not ask whether the sample lies between the bounds."""
    return a * 0 - ufunc.log(c - b)


@elementwise(**declared("normal", "mu sigma", normal_slopes, log_normal, POSITIVE))
def _log_pdf_normal(a, b, c):
    """The logarithm of the normal density at a, for mean b and deviation c."""
    z = (a - b) / c
    return -(z * z) * 0.5 - ufunc.log(c) - LOG_ROOT_TWO_PI


@elementwise(**declared("gamma", "alpha beta", gamma_slopes, log_gamma, POSITIVE))
def _log_pdf_gamma(a, b, c):
    """The logarithm of the gamma density at a, for shape b and rate c."""
    return b * ufunc.log(c) + (b - 1) * ufunc.log(a) - c * a - ufunc.gammaln(b)


@elementwise(
    **declared(
        "exponential",
        "lam",
        exponential_slopes,
        lambda x, lam: np.log(lam) - lam * x,
        [case(*row.inputs[:2]) for row in POSITIVE],
    )
)
def _log_pdf_exponential(a, b):
    """The logarithm of the exponential density at a, for rate b."""
    return ufunc.log(b) - b * a


@elementwise(
    **declared("poisson", "lam", poisson_slopes, log_poisson, [case(*row.inputs[:2]) for row in COUNTED])
)
def _log_pdf_poisson(a, b):
    """The logarithm of the Poisson probability of a, for mean b."""
    return a * ufunc.log(b) - b - ufunc.gammaln(a + 1)


@elementwise(**declared("negative_binomial", "k p", negative_binomial_slopes, log_negative_binomial, COUNTED))
def _log_pdf_negative_binomial(a, b, c):
    """The logarithm of the probability of a failures before b successes, of probability c each."""
    ways = ufunc.gammaln(a + b) - ufunc.gammaln(a + 1) - ufunc.gammaln(b)
    return ways + b * ufunc.log(c) + a * ufunc.log1p(-c)


@elementwise(
    **declared("generalized_negative_binomial", "mu alpha", generalized_slopes, log_generalized, COUNTED)
)
def _log_pdf_generalized_negative_binomial(a, b, c):
    """The logarithm of the probability of a, for mean b and dispersion c."""
    k, p = 1 / c, 1 / (b * c + 1)
    ways = ufunc.gammaln(a + k) - ufunc.gammaln(a + 1) - ufunc.gammaln(k)
    return ways + k * ufunc.log(p) + a * ufunc.log1p(-p)


# --- the public operators ------------------------------------------------------------------------------
def density(distribution: str, sample: Any, parameters: tuple, is_log: bool, out: Any) -> Any:
    """Compute the density of samples, or its logarithm."""
    spread = [_beside.compute([x, sample], {})[0] for x in parameters]
    target = None if out is None else [out]
    made = find(f"_log_pdf_{distribution}").compute([sample, *spread], {}, target)
    return made[0] if is_log else find("exp").compute(made, {}, made)[0]


def backward(slopes: Any, g: Any, y: Any, is_log: bool, sample: Any, *parameters: Any) -> tuple:
    """Gradients of the samples and of the parameters."""
    weight = g if is_log else g * y
    by_sample, *others = slopes(sample, *[_beside(x, sample) for x in parameters])
    sums = [_sum_behind(weight * slope, x) for slope, x in zip(others, parameters, strict=True)]
    return (weighted(weight, by_sample), *sums)


def blocked(op_name: str, sample: tuple, *parameters: tuple) -> tuple:
    """The shape of the samples, whose first extents are those of each parameter."""
    for shape in parameters:
        if sample[: len(shape)] != shape:
            expected = f"a shape with which that of the sample {describe(sample)} begins"
            raise ShapeError(message(op_name, "parameters", expected, describe(shape)))
    return sample


def public(distribution: str, ref: Any, cases: list) -> dict:
    """The options of a public density."""
    name = f"_random_pdf_{distribution}"
    rows = [case(*row.inputs, is_log=is_log) for row in cases for is_log in (False, True)]

    def value(x: Any, *parameters: Any, is_log: bool = False) -> Any:
        found = ref(x, *[beside(p, x) for p in parameters])
        return found if is_log else np.exp(found)

    return {"name": name, "kinds": "f", "ref": value, "cases": rows}


SPREAD = [
    case(uniform(2, 5, low=0.5, high=3), uniform(2, low=0.5, high=2), uniform(2, low=0.5, high=3)),
    case(uniform(2, 1, 2, low=0.5, high=3), uniform(2, 1, low=0.5, high=2), uniform(2, 1, low=0.5, high=3)),
]
SPREAD_COUNTS = [
    case(
        given([[0, 1, 5], [2, 0, 3]], constant=True), uniform(2, low=1, high=3), uniform(2, low=0.2, high=0.8)
    )
]
SPREAD_BETWEEN = [
    case(
        given([[0.5, 0.7], [0.1, 0.2]], constant=True), uniform(2, low=-1, high=0), uniform(2, low=1, high=2)
    )
]


def first_two(rows: list) -> list:
    return [case(*row.inputs[:2]) for row in rows]


@op(
    **public("uniform", lambda x, a, b: -np.log(b - a) + 0 * x, SPREAD_BETWEEN),
    grad=lambda g, y, is_log, sample, low, high: backward(uniform_slopes, g, y, is_log, sample, low, high),
    shape=lambda sample, low, high: blocked("_random_pdf_uniform", sample, low, high),
)
def random_pdf_uniform(sample, low, high, *, is_log: bool = False, out):
    """1 / (high - low); samples outside the bounds are not told apart, as in MXNet."""
    return density("uniform", sample, (low, high), is_log, out)


@op(
    **public("normal", log_normal, SPREAD),
    grad=lambda g, y, is_log, sample, mu, sigma: backward(normal_slopes, g, y, is_log, sample, mu, sigma),
    shape=lambda sample, mu, sigma: blocked("_random_pdf_normal", sample, mu, sigma),
)
def random_pdf_normal(sample, mu, sigma, *, is_log: bool = False, out):
    """Densities of normal distributions with means mu and deviations sigma."""
    return density("normal", sample, (mu, sigma), is_log, out)


@op(
    **public("gamma", log_gamma, SPREAD),
    grad=lambda g, y, is_log, sample, alpha, beta: backward(gamma_slopes, g, y, is_log, sample, alpha, beta),
    shape=lambda sample, alpha, beta: blocked("_random_pdf_gamma", sample, alpha, beta),
)
def random_pdf_gamma(sample, alpha, beta, *, is_log: bool = False, out):
    """Densities of gamma distributions with shapes alpha and rates beta."""
    return density("gamma", sample, (alpha, beta), is_log, out)


@op(
    **public("exponential", lambda x, lam: np.log(lam) - lam * x, first_two(SPREAD)),
    grad=lambda g, y, is_log, sample, lam: backward(exponential_slopes, g, y, is_log, sample, lam),
    shape=lambda sample, lam: blocked("_random_pdf_exponential", sample, lam),
)
def random_pdf_exponential(sample, lam, *, is_log: bool = False, out):
    """Densities of exponential distributions with rates lam."""
    return density("exponential", sample, (lam,), is_log, out)


@op(
    **public("poisson", log_poisson, first_two(SPREAD_COUNTS)),
    grad=lambda g, y, is_log, sample, lam: backward(poisson_slopes, g, y, is_log, sample, lam),
    shape=lambda sample, lam: blocked("_random_pdf_poisson", sample, lam),
)
def random_pdf_poisson(sample, lam, *, is_log: bool = False, out):
    """Probabilities of counts under Poisson distributions with means lam."""
    return density("poisson", sample, (lam,), is_log, out)


@op(
    **public("negative_binomial", log_negative_binomial, SPREAD_COUNTS),
    grad=lambda g, y, is_log, sample, k, p: backward(negative_binomial_slopes, g, y, is_log, sample, k, p),
    shape=lambda sample, k, p: blocked("_random_pdf_negative_binomial", sample, k, p),
)
def random_pdf_negative_binomial(sample, k, p, *, is_log: bool = False, out):
    """Probabilities of counts of failures before k successes of probability p."""
    return density("negative_binomial", sample, (k, p), is_log, out)


@op(
    **public("generalized_negative_binomial", log_generalized, SPREAD_COUNTS),
    grad=lambda g, y, is_log, sample, mu, alpha: backward(
        generalized_slopes, g, y, is_log, sample, mu, alpha
    ),
    shape=lambda sample, mu, alpha: blocked("_random_pdf_generalized_negative_binomial", sample, mu, alpha),
)
def random_pdf_generalized_negative_binomial(sample, mu, alpha, *, is_log: bool = False, out):
    """Probabilities of counts of mean mu and dispersion alpha."""
    return density("generalized_negative_binomial", sample, (mu, alpha), is_log, out)


# --- Dirichlet: one sample is a vector -------------------------------------------------------------------
def dirichlet_reference(x, alpha, is_log=False):
    extra = x.ndim - alpha.ndim
    alpha = alpha.reshape(*alpha.shape[:-1], *(1,) * extra, alpha.shape[-1])
    whole = special.gammaln(alpha.sum(-1)) - special.gammaln(alpha).sum(-1)
    found = ((alpha - 1) * np.log(x)).sum(-1) + whole
    return found if is_log else np.exp(found)


def dirichlet_shape(sample, alpha):
    if not alpha or len(sample) < len(alpha) or sample[-1] != alpha[-1]:
        expected = f"vectors of {sample[-1] if sample else 0} numbers, as the sample has"
        raise ShapeError(message("_random_pdf_dirichlet", "alpha", expected, describe(alpha)))
    return blocked("_random_pdf_dirichlet", sample[:-1], alpha[:-1])


@op(
    grad=(lambda g, data: _sum_between(g, data), None),
    shape=lambda data, like: like,
    shape_only=("like",),
    free=("like",),
    ref=lambda data, like: np.broadcast_to(
        data.reshape(*data.shape[:-1], *(1,) * (like.ndim - data.ndim), data.shape[-1]), like.shape
    ),
    kinds="f",
    cases=[case(uniform(2, 3), uniform(2, 4, 3)), case(uniform(3), uniform(2, 3))],
)
def _between(data, like, *, out):
    """data, repeated along the axes that `like` has in front of the last one and data has not."""
    shape = (*data.shape[:-1], *(1,) * (like.ndim - data.ndim), data.shape[-1])
    view = data._reshape_view(shape)
    view = kernels.copy(data)._reshape_view(shape) if view is None else view
    return kernels.copy(view._broadcast_view(like.shape), out=out)


@op(
    grad=(lambda g, data: _between(g, data), None),
    shape=lambda data, like: like,
    shape_only=("like",),
    free=("like",),
    ref=lambda data, like: data.sum(tuple(range(like.ndim - 1, data.ndim - 1))),
    kinds="f",
    cases=[case(uniform(2, 4, 3), uniform(2, 3)), case(uniform(2, 3), uniform(2, 3))],
)
def _sum_between(data, like, *, out):
    """data, summed over the axes in front of the last one that `like` has not."""
    if data.ndim == like.ndim:
        return kernels.copy(data, out=out)
    attrs = find("sum").parse_attrs({"axis": tuple(range(like.ndim - 1, data.ndim - 1))})
    return find("sum").compute([data], attrs, None if out is None else [out])[0]


def dirichlet_gradient(g, y, is_log, sample, alpha):
    weight = expand_dims(g if is_log else g * y, axis=-1)
    spread = _between(alpha, sample)
    by_sample = broadcast_mul((spread - 1) / sample, weight)
    whole = digamma(total(spread, axis=-1, keepdims=True))
    slope = find("broadcast_add")(log(sample) - digamma(spread), whole)
    return by_sample, _sum_between(broadcast_mul(slope, weight), alpha)


@op(
    name="_random_pdf_dirichlet",
    grad=dirichlet_gradient,
    shape=dirichlet_shape,
    ref=dirichlet_reference,
    kinds="f",
    cases=[
        case(uniform(2, 3, low=0.1, high=0.9), uniform(2, 3, low=0.5, high=2)),
        case(uniform(2, 4, 3, low=0.1, high=0.9), uniform(2, 3, low=0.5, high=2), is_log=True),
        raises(
            ShapeError,
            uniform(2, 3),
            uniform(2, 4),
            match="_random_pdf_dirichlet(alpha): expected vectors of 3",
        ),
    ],
)
def random_pdf_dirichlet(sample, alpha, *, is_log: bool = False, out):
    """Densities of vectors under Dirichlet distributions with concentrations alpha, in the last axis."""
    spread = _between.compute([alpha, sample], {})[0]
    along = find("sum").parse_attrs({"axis": -1})
    powers = find("broadcast_mul").compute([minus_one(spread), find("log").compute([sample], {})[0]], {})
    terms = find("sum").compute(powers, along)[0]
    whole = gammaln.compute(find("sum").compute([spread], along), {})[0]
    parts = find("sum").compute(gammaln.compute([spread], {}), along)[0]
    constant = find("broadcast_sub").compute([whole, parts], {})[0]
    made = find("broadcast_add").compute([terms, constant], {}, None if out is None else [out])
    return made[0] if is_log else find("exp").compute(made, {}, made)[0]


def minus_one(x):
    return find("_minus_scalar").compute([x], {"scalar": 1.0, "is_int": False})[0]
