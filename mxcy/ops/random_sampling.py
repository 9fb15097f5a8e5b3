"""Random numbers from distributions with parameters: numbers for a whole array, or arrays of them."""

from typing import Any

import numpy as np

from .._array import face_of
from .._launch import push_numpy
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import DType, Place, Shape
from ._cases import Draw, case, given, integers, raises, uniform
from ._declare import ZERO, op
from ._elementwise import kind_of
from ._operator import describe, find
from .creation import target
from .detection import copied
from .random import DRAWN, FLOAT32, LIKE

__all__ = [
    "random_gamma",
    "random_generalized_negative_binomial",
    "random_negative_binomial",
    "random_poisson",
    "sample_exponential",
    "sample_gamma",
    "sample_generalized_negative_binomial",
    "sample_multinomial",
    "sample_negative_binomial",
    "sample_normal",
    "sample_poisson",
    "sample_uniform",
]

INT32 = np.dtype("int32")
LIMITS = {
    "alpha": (lambda value: value > 0, "a number above 0"),
    "beta": (lambda value: value > 0, "a number above 0"),
    "lam": (lambda value: value >= 0, "a number of at least 0"),
    "k": (lambda value: value >= 0, "a number of at least 0"),
    "mu": (lambda value: value >= 0, "a number of at least 0"),
    "p": (lambda value: 0 < value <= 1, "a number above 0 and at most 1"),
}


def check(op_name: str, parameters: dict) -> tuple:
    """The numbers, if the distribution has them as parameters."""
    for name, value in parameters.items():
        allowed, expected = LIMITS[name]
        if op_name.endswith("generalized_negative_binomial") and name == "alpha":
            allowed, expected = LIMITS["lam"]
        if not allowed(value):
            raise ArgumentError(message(op_name, name, expected, value))
    return tuple(parameters.values())


def drawn(distribution: str, parameters: dict, shape, dtype, ctx, face, out):
    """Fill an array by numbers that share their parameters."""
    values = check(f"_random_{distribution}", parameters)
    dtype = FLOAT32 if dtype is None else dtype
    out = target(shape or (1,), dtype, face, ctx, out)
    return kernels.sample(distribution, values, out.shape, out.dtype, 0, out.context, out=out)


def drawn_like(distribution: str, parameters: dict, data, out):
    values = check(f"_random_{distribution}_like", parameters)
    out = find("zeros_like").compute([data], {})[0] if out is None else out
    return kernels.sample(distribution, values, out.shape, out.dtype, 0, out.context, out=out)


# --- one pair of parameters ----------------------------------------------------------------------------
@op(
    name="_random_gamma",
    **DRAWN,
    cases=[
        case(shape=(40, 50)),
        case(alpha=0.5, beta=2.0, shape=(2000,), dtype="float64"),
        case(shape=(0, 2)),
        raises(ArgumentError, alpha=0, shape=(2,), match="_random_gamma(alpha): expected a number above 0"),
    ],
)
def random_gamma(
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    shape: Shape = (),
    ctx: Place = None,
    dtype: DType = None,
    out,
    face,
):
    """Numbers from the gamma distribution with shape alpha and scale beta."""
    return drawn("gamma", {"alpha": alpha, "beta": beta}, shape, dtype, ctx, face, out)


@op(
    name="_random_poisson",
    **DRAWN,
    cases=[
        case(shape=(40, 50)),
        case(lam=50.0, shape=(2000,)),
        raises(ArgumentError, lam=-1, shape=(2,), match="(lam): expected a number of at least 0"),
    ],
)
def random_poisson(*, lam: float = 1.0, shape: Shape = (), ctx: Place = None, dtype: DType = None, out, face):
    """Numbers from the Poisson distribution with mean lam."""
    return drawn("poisson", {"lam": lam}, shape, dtype, ctx, face, out)


@op(
    name="_random_negative_binomial",
    **DRAWN,
    cases=[case(k=4, p=0.3, shape=(2000,)), case(shape=(0, 2)), raises(ArgumentError, p=0, match="(p)")],
)
def random_negative_binomial(
    *, k: int = 1, p: float = 1.0, shape: Shape = (), ctx: Place = None, dtype: DType = None, out, face
):
    """Failures before k successes, where a trial succeeds with probability p."""
    return drawn("negative_binomial", {"k": k, "p": p}, shape, dtype, ctx, face, out)


@op(
    name="_random_generalized_negative_binomial",
    **DRAWN,
    cases=[
        case(mu=2.0, alpha=0.3, shape=(2000,)),
        case(shape=(0, 2)),
        raises(ArgumentError, mu=-1, match="(mu)"),
    ],
)
def random_generalized_negative_binomial(
    *,
    mu: float = 1.0,
    alpha: float = 1.0,
    shape: Shape = (),
    ctx: Place = None,
    dtype: DType = None,
    out,
    face,
):
    """Numbers of mean mu and variance mu + alpha mu²: Poisson numbers with gamma distributed means."""
    parameters = {"mu": mu, "alpha": alpha}
    return drawn("generalized_negative_binomial", parameters, shape, dtype, ctx, face, out)


@op(**LIKE, cases=[case(uniform(40, 50)), case(uniform(2000), lam=2.0)])
def _random_exponential_like(data, *, lam: float = 1.0, out):
    """Numbers from the exponential distribution with rate lam, in the shape and dtype of data."""
    if not lam > 0:
        raise ArgumentError(message("_random_exponential_like", "lam", "more than 0", lam))
    out = find("zeros_like").compute([data], {})[0] if out is None else out
    return kernels.sample("exponential", (lam,), out.shape, out.dtype, 0, out.context, out=out)


@op(**LIKE, cases=[case(uniform(40, 50)), case(uniform(2000), alpha=3.0)])
def _random_gamma_like(data, *, alpha: float = 1.0, beta: float = 1.0, out):
    """Numbers from the gamma distribution, in the shape and dtype of data."""
    return drawn_like("gamma", {"alpha": alpha, "beta": beta}, data, out)


@op(**LIKE, cases=[case(uniform(40, 50)), case(uniform(2000), lam=20.0)])
def _random_poisson_like(data, *, lam: float = 1.0, out):
    """Numbers from the Poisson distribution, in the shape and dtype of data."""
    return drawn_like("poisson", {"lam": lam}, data, out)


@op(**LIKE, cases=[case(uniform(40, 50), p=0.5), case(uniform(2000), k=3, p=0.4)])
def _random_negative_binomial_like(data, *, k: int = 1, p: float = 1.0, out):
    """Numbers from the negative binomial distribution, in the shape and dtype of data."""
    return drawn_like("negative_binomial", {"k": k, "p": p}, data, out)


@op(**LIKE, cases=[case(uniform(40, 50)), case(uniform(2000), mu=3.0)])
def _random_generalized_negative_binomial_like(data, *, mu: float = 1.0, alpha: float = 1.0, out):
    """Numbers from the generalised negative binomial distribution, in the shape and dtype of data."""
    return drawn_like("generalized_negative_binomial", {"mu": mu, "alpha": alpha}, data, out)


# --- parameters for every sample -----------------------------------------------------------------------
def extended(parameter: tuple, shape: tuple) -> tuple:
    """The shape of the parameters, then that of the numbers drawn for each."""
    return (*parameter, *shape)


MANY: dict[str, Any] = {
    "grad": ZERO,
    "ref": None,
    "dtype": lambda dtype: FLOAT32 if dtype is None else dtype,
    "kinds": "iuf",
}


def many(distribution: str, parameters: tuple, shape, dtype, out):
    parameters = tuple([x if is_real(x) else kernels.astype(x, FLOAT32) for x in parameters])
    dtype = FLOAT32 if dtype is None else dtype
    return kernels.sample(distribution, parameters, shape, dtype, out=out)


def is_real(x) -> bool:
    return kind_of(x.dtype) == "f"


def positive(*shape: int, high: float = 3.0) -> Draw:
    return uniform(*shape, low=0.5, high=high)


@op(
    name="_sample_uniform",
    **MANY,
    shape=lambda low, high, shape: extended(low, shape),
    cases=[
        case(positive(2), positive(2), shape=(3,)),
        case(positive(2, 3), positive(2, 3)),
        raises(ShapeError, positive(2), positive(3), match="arrays of one shape"),
    ],
)
def sample_uniform(low, high, *, shape: Shape = (), dtype: DType = None, out):
    """Numbers drawn evenly from [low, high), `shape` of them for every element of the parameters."""
    return many("uniform", (low, high), shape, dtype, out)


@op(
    name="_sample_normal",
    **MANY,
    shape=lambda mu, sigma, shape: extended(mu, shape),
    cases=[case(positive(2), positive(2), shape=(3, 2)), case(positive(2, 3), positive(2, 3))],
)
def sample_normal(mu, sigma, *, shape: Shape = (), dtype: DType = None, out):
    """Numbers from normal distributions, `shape` of them for every mean mu and deviation sigma."""
    return many("normal", (mu, sigma), shape, dtype, out)


@op(
    name="_sample_gamma",
    **MANY,
    shape=lambda alpha, beta, shape: extended(alpha, shape),
    cases=[case(positive(2), positive(2), shape=(3,)), case(positive(2), positive(2), dtype="float64")],
)
def sample_gamma(alpha, beta, *, shape: Shape = (), dtype: DType = None, out):
    """Numbers from gamma distributions, `shape` of them for every shape alpha and scale beta."""
    return many("gamma", (alpha, beta), shape, dtype, out)


@op(
    name="_sample_exponential",
    **MANY,
    shape=lambda lam, shape: extended(lam, shape),
    cases=[case(positive(2), shape=(3,)), case(positive(2, 3))],
)
def sample_exponential(lam, *, shape: Shape = (), dtype: DType = None, out):
    """Numbers from exponential distributions, `shape` of them for every rate lam."""
    return many("exponential", (lam,), shape, dtype, out)


@op(
    name="_sample_poisson",
    **MANY,
    shape=lambda lam, shape: extended(lam, shape),
    cases=[case(positive(2), shape=(3,)), case(positive(2, 3, high=40.0))],
)
def sample_poisson(lam, *, shape: Shape = (), dtype: DType = None, out):
    """Numbers from Poisson distributions, `shape` of them for every mean lam."""
    return many("poisson", (lam,), shape, dtype, out)


@op(
    name="_sample_negative_binomial",
    **MANY,
    shape=lambda k, p, shape: extended(k, shape),
    cases=[case(positive(2), positive(2, high=0.9), shape=(3,))],
)
def sample_negative_binomial(k, p, *, shape: Shape = (), dtype: DType = None, out):
    """Numbers from negative binomial distributions, `shape` of them for every k and p."""
    return many("negative_binomial", (k, p), shape, dtype, out)


@op(
    name="_sample_generalized_negative_binomial",
    **MANY,
    shape=lambda mu, alpha, shape: extended(mu, shape),
    cases=[case(positive(2), positive(2), shape=(3,))],
)
def sample_generalized_negative_binomial(mu, alpha, *, shape: Shape = (), dtype: DType = None, out):
    """Numbers from generalised negative binomial distributions, `shape` of them for every mu and alpha."""
    return many("generalized_negative_binomial", (mu, alpha), shape, dtype, out)


# --- classes -------------------------------------------------------------------------------------------
def multinomial_grad_reference(g, index, data):
    found = np.zeros_like(data)
    for row in np.ndindex(data.shape[:-1]):
        np.add.at(found[row], index[row].ravel(), (g[row] / data[row][index[row]]).ravel())
    return found


@op(
    grad=None,
    grad_check="belongs to numbers that were drawn; only the first derivative is of use",
    shape=lambda g, index, data: data,
    dtype=lambda g, index, data: data,
    free=("index",),
    kinds="f",
    ref=multinomial_grad_reference,
    cases=[case(uniform(2, 3), integers(2, 3, high=4), uniform(2, 4, low=0.1, high=0.9))],
)
def _sample_multinomial_grad(g, index, data, *, out):
    """The gradient of the logarithms at the classes drawn: g / probability, summed over the draws."""
    rows = {"shape": (*data.shape[:-1], -1)}
    reshape = find("Reshape")
    head, chosen = (reshape.compute([x], reshape.parse_attrs(rows))[0] for x in (g, index))
    along = find("_along").parse_attrs({"axis": data.ndim - 1})
    probabilities = find("_along").compute([data, chosen], along)[0]
    weights = find("broadcast_div").compute([head, probabilities], {})[0]
    return find("_along_grad").compute([weights, chosen, data], along, None if out is None else [out])[0]


def multinomial_gradient(g_outputs, y, data, get_prob):
    if not get_prob or g_outputs[1] is None:
        return None
    return _sample_multinomial_grad(g_outputs[1], y, data)


def multinomial_shape(data, shape, get_prob):
    if not data:
        raise ShapeError(
            message("_sample_multinomial", "data", "probabilities in the last axis", describe(data))
        )
    result = (*data[:-1], *shape)
    return [result, result] if get_prob else result


@op(
    name="_sample_multinomial",
    grad=multinomial_gradient,
    grad_check="the classes are drawn; the gradient of their log probabilities is tested by itself",
    ref=None,
    shape=multinomial_shape,
    dtype=lambda data, get_prob, dtype: [dtype, data] if get_prob else dtype,
    outputs=lambda get_prob: ("output0", "output1") if get_prob else ("output",),
    kinds="f",
    cases=[
        case(given([[0.1, 0.9], [1.0, 0.0]]), shape=(40,)),
        case(given([0.3, 0.3, 0.4]), shape=(2, 3), dtype="float64"),
        case(given([[0.2, 0.3, 0.5]]), shape=(4,), get_prob=True),
    ],
)
def sample_multinomial(data, *, shape: Shape = (), get_prob: bool = False, dtype: DType = INT32, out):
    """Classes drawn with the probabilities in the last axis of data, `shape` of them for every row.

    With `get_prob` also the logarithms of their probabilities, which have a gradient: that of
    the likelihood ratio (Williams, 1992).
    """
    made = kernels.multinomial(data, shape, dtype, get_prob)
    if out is None:
        return made
    return [x if to is None else kernels.copy(x, out=to) for x, to in zip(made, out, strict=True)]


# --- without repetition ----------------------------------------------------------------------------------
def unique_zipfian(key, range_max, count):
    """(the first `count` different classes, how many were drawn for them) of one generator."""
    generator, drawn = np.random.Generator(np.random.Philox(key=key.astype(np.uint64))), np.zeros(0, np.int64)
    while True:
        spread = np.exp(generator.random(2 * count + 64) * np.log1p(range_max))
        drawn = np.concatenate([drawn, np.minimum(spread.astype(np.int64) - 1, range_max - 1)])
        first = np.sort(np.unique(drawn, return_index=True)[1])
        if first.size >= count:
            return drawn[first[:count]], first[count - 1] + 1 if count else 0


def unique_zipfian_shape(range_max, shape):
    name = "_sample_unique_zipfian"
    if len(shape) != 2:
        raise ShapeError(message(name, "shape", "(batch, classes)", shape))
    if shape[1] > range_max:
        raise ArgumentError(message(name, "range_max", f"at least {shape[1]} classes", range_max))
    return [shape, shape[:1]]


@op(
    grad=ZERO,
    ref=None,
    shape=unique_zipfian_shape,
    dtype=lambda: [np.int64, np.int64],
    outputs=("output", "num_tries"),
    cases=[
        case(range_max=5000, shape=(3, 40)),
        raises(ArgumentError, range_max=5, shape=(2, 6), match="(range_max): expected at least 6 classes"),
        raises(ShapeError, range_max=5, shape=(2,), match="(shape): expected (batch, classes)"),
    ],
)
def _sample_unique_zipfian(*, range_max: int, shape: Shape = (), out, face):
    """Different classes from 0 to range_max - 1, (batch, classes); how many were drawn for them, (batch,).

    The chance of a class is (log(class + 2) - log(class + 1)) / log(range_max + 1).
    """
    unique_zipfian_shape(range_max, shape)
    own = face_of(type(out[0])) if face is None else face
    keys = kernels.random_randint(0, 2**62, (shape[0], 2), np.dtype("int64"), own)

    def draw(pairs):
        found = [unique_zipfian(pair, range_max, shape[1]) for pair in pairs]
        classes = np.array([row for row, _ in found], np.int64).reshape(shape)
        return classes, np.array([tries for _, tries in found], np.int64)

    return copied(push_numpy(draw, [keys], None, "_sample_unique_zipfian"), out)
