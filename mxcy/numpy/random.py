"""`mxcy.numpy.random`: NumPy's generators, whose numbers become arrays; a seed gives NumPy's own stream."""

from __future__ import annotations

from typing import Any

import numpy as _np

from ._calls import as_array, as_numpy_has_it
from ._foreign import OverNumPys
from ._functions import Through
from ._kinds import Drawn

_random: Any = _np.random

BitGenerator = _random.BitGenerator


class _TakesArrays(OverNumPys):
    """The class of a class over one of NumPy's that takes seeds in arrays of ours."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*as_numpy_has_it(args), **{k: as_numpy_has_it(x) for k, x in kwargs.items()})


class SeedSequence(_random.SeedSequence, metaclass=_TakesArrays):
    """Reproducible seeds from any entropy, as `numpy.random.SeedSequence`."""


class MT19937(_random.MT19937, metaclass=_TakesArrays):
    """The Mersenne Twister, as `numpy.random.MT19937`."""


class PCG64(_random.PCG64, metaclass=_TakesArrays):
    """A permuted congruential generator, as `numpy.random.PCG64`."""


class PCG64DXSM(_random.PCG64DXSM, metaclass=_TakesArrays):
    """A permuted congruential generator with another output function, as `numpy.random.PCG64DXSM`."""


class Philox(_random.Philox, metaclass=_TakesArrays):
    """A generator that counts, as `numpy.random.Philox`."""


class SFC64(_random.SFC64, metaclass=_TakesArrays):
    """A small, fast, chaotic generator, as `numpy.random.SFC64`."""


class _Drawing:
    """A generator of NumPy's. Methods take and return arrays; `size=None` gives numbers."""

    _kind: Any
    _arrays = False  # whether numbers are arrays without axes
    _writes = frozenset({"shuffle"})

    def __init__(self, *args: Any, **kwargs: Any):
        self._own = self._kind(*as_numpy_has_it(args), **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_own":
            raise AttributeError(name)
        found = getattr(self._own, name)
        if not callable(found) or isinstance(found, BitGenerator):
            return found
        method = Drawn(found, _with_places, (0, "x") if name in self._writes else (), self._arrays)
        self.__dict__[name] = method
        return method

    def __dir__(self) -> list[str]:
        return dir(self._own)

    def __reduce__(self):
        return _restored, (type(self), self._own)

    def __repr__(self) -> str:
        return repr(self._own)


def _restored(cls: Any, own: Any) -> Any:
    made = cls.__new__(cls)
    made._own = own
    return made


def _with_places(drawn: Any, *args: Any, **kwargs: Any) -> Any:
    """Draw numbers with keywords of MXNet's functions: places, and a dtype where NumPy's have none."""
    kwargs.pop("ctx", None)
    kwargs.pop("device", None)
    legacy = getattr(drawn.function, "__self__", None) is _random.mtrand._rand
    if not legacy or "dtype" not in kwargs or drawn.__name__ == "randint":
        return Through.__call__(drawn, *args, **kwargs)
    dtype = kwargs.pop("dtype")
    result = Through.__call__(drawn, *args, **kwargs)
    return result if dtype is None else as_array(result).astype(dtype)


def _drawn(function: Any, writes: tuple = ()) -> Any:
    """A function of NumPy's own generator."""
    return Drawn(function, _with_places, writes)


class Generator(_Drawing):
    """Numbers of many distributions from a bit generator, as `numpy.random.Generator`."""

    _kind = _random.Generator

    def spawn(self, n_children: int) -> list:
        """New generators that are independent of this one and of each other."""
        return [_restored(type(self), child) for child in self._own.spawn(n_children)]


class RandomState(_Drawing):
    """Numbers of many distributions as older versions of NumPy draw them."""

    _kind = _random.RandomState


def default_rng(seed: Any = None) -> Generator:
    """Return a generator with the stream that `numpy.random.default_rng` has for this seed."""
    if isinstance(seed, Generator):
        return seed
    return _restored(Generator, _random.default_rng(as_numpy_has_it(seed)))


_legacy = _restored(RandomState, _random.mtrand._rand)


def get_bit_generator() -> Any:
    """Return the bit generator behind the functions of this module, which is NumPy's own."""
    return _random.get_bit_generator()


def set_bit_generator(bitgen: Any) -> None:
    """Replace the bit generator behind the functions of this module, and of NumPy's."""
    _random.set_bit_generator(bitgen)


def get_state(legacy: bool = True) -> Any:
    """Return the state of the bit generator behind the functions of this module."""
    return _random.get_state(legacy)


def set_state(state: Any) -> None:
    """Set the state of the bit generator behind the functions of this module."""
    _random.set_state(state)


def seed(seed: Any = None) -> None:
    """Start the stream of the functions of this module (and of NumPy's) for a seed."""
    _random.seed(as_numpy_has_it(seed))


def bytes(length: int) -> Any:
    """Return so many random bytes."""
    return _random.bytes(length)


beta = _drawn(_random.beta)
binomial = _drawn(_random.binomial)
chisquare = _drawn(_random.chisquare)
choice = _drawn(_random.choice)
dirichlet = _drawn(_random.dirichlet)
exponential = _drawn(_random.exponential)
f = _drawn(_random.f)
gamma = _drawn(_random.gamma)
geometric = _drawn(_random.geometric)
gumbel = _drawn(_random.gumbel)
hypergeometric = _drawn(_random.hypergeometric)
laplace = _drawn(_random.laplace)
logistic = _drawn(_random.logistic)
lognormal = _drawn(_random.lognormal)
logseries = _drawn(_random.logseries)
multinomial = _drawn(_random.multinomial)
_one_multivariate_normal = _drawn(_random.multivariate_normal)


def multivariate_normal(mean: Any, cov: Any, size: Any = None, check_valid: str = "warn", tol: float = 1e-8,
                        dtype: Any = None, ctx: Any = None) -> Any:  # fmt: skip
    """Draw vectors of correlated normal numbers.

    Means and covariances of more axes are batches, which broadcast, as in MXNet: there are `size` draws of
    each.
    """
    if _np.ndim(mean) <= 1 and _np.ndim(cov) <= 2:
        return _one_multivariate_normal(mean, cov, size, check_valid, tol, dtype=dtype)
    means, covariances = _np.asarray(as_numpy_has_it(mean)), _np.asarray(as_numpy_has_it(cov))
    sizes = () if size is None else (size,) if isinstance(size, int) else tuple(size)
    batch = _np.broadcast_shapes(means.shape[:-1], covariances.shape[:-2])
    lower = _np.linalg.cholesky(covariances.astype(_np.float64))
    noise = _random.standard_normal((*sizes, *batch, means.shape[-1]))
    found = as_array(means + (lower @ noise[..., None])[..., 0])
    return found if dtype is None else found.astype(dtype)


negative_binomial = _drawn(_random.negative_binomial)
noncentral_chisquare = _drawn(_random.noncentral_chisquare)
noncentral_f = _drawn(_random.noncentral_f)
normal = _drawn(_random.normal)
pareto = _drawn(_random.pareto)
permutation = _drawn(_random.permutation)
poisson = _drawn(_random.poisson)
power = _drawn(_random.power)
rand = _drawn(_random.rand)
randint = _drawn(_random.randint)
randn = _drawn(_random.randn)
random = _drawn(_random.random)
random_integers = _drawn(_random.random_integers)
random_sample = _drawn(_random.random_sample)
ranf = _drawn(_random.ranf)
rayleigh = _drawn(_random.rayleigh)
sample = _drawn(_random.sample)
shuffle = _drawn(_random.shuffle, writes=(0, "x"))
standard_cauchy = _drawn(_random.standard_cauchy)
standard_exponential = _drawn(_random.standard_exponential)
standard_gamma = _drawn(_random.standard_gamma)
standard_normal = _drawn(_random.standard_normal)
standard_t = _drawn(_random.standard_t)
triangular = _drawn(_random.triangular)
uniform = _drawn(_random.uniform)
vonmises = _drawn(_random.vonmises)
wald = _drawn(_random.wald)
weibull = _drawn(_random.weibull)
zipf = _drawn(_random.zipf)
