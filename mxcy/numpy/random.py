"""`mxcy.numpy.random`: NumPy's generators, whose numbers become arrays; a seed gives NumPy's own stream."""

from __future__ import annotations

from typing import Any

import numpy as _np

from ._calls import Through, as_array, constant_of, unwrap

_random: Any = _np.random

BitGenerator = _random.BitGenerator
MT19937 = _random.MT19937
PCG64 = _random.PCG64
PCG64DXSM = _random.PCG64DXSM
Philox = _random.Philox
SFC64 = _random.SFC64
SeedSequence = _random.SeedSequence


class _Drawing:
    """A generator of NumPy's. Methods take and return arrays; `size=None` gives numbers without axes."""

    _kind: Any
    _writes = frozenset({"shuffle"})

    def __init__(self, *args: Any, **kwargs: Any):
        self._own = self._kind(*[unwrap(x) for x in args], **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_own":
            raise AttributeError(name)
        found = getattr(self._own, name)
        if not callable(found) or isinstance(found, BitGenerator):
            return found
        method = Drawn(found, (0, "x") if name in self._writes else ())
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


class Drawn(Through):
    """A function of a generator. Its numbers are drawn at once."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("ctx", None)  # of MXNet's functions, as is a dtype where NumPy's have none
        kwargs.pop("device", None)
        legacy = getattr(self.function, "__self__", None) is _random.mtrand._rand
        if legacy and "dtype" in kwargs and self.__name__ != "randint":
            dtype = kwargs.pop("dtype")
            result = super().__call__(*args, **kwargs)
            return result if dtype is None else as_array(result).astype(dtype)
        result = super().__call__(*args, **kwargs)
        if isinstance(result, float) and not isinstance(result, _np.generic):
            return constant_of(_np.float64(result))
        if isinstance(result, int) and not isinstance(result, (bool, _np.generic)):
            return constant_of(_np.int64(result))
        return result


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
    return _restored(Generator, _random.default_rng(unwrap(seed)))


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
    _random.seed(unwrap(seed))


def bytes(length: int) -> Any:
    """Return so many random bytes."""
    return _random.bytes(length)


beta = Drawn(_random.beta)
binomial = Drawn(_random.binomial)
chisquare = Drawn(_random.chisquare)
choice = Drawn(_random.choice)
dirichlet = Drawn(_random.dirichlet)
exponential = Drawn(_random.exponential)
f = Drawn(_random.f)
gamma = Drawn(_random.gamma)
geometric = Drawn(_random.geometric)
gumbel = Drawn(_random.gumbel)
hypergeometric = Drawn(_random.hypergeometric)
laplace = Drawn(_random.laplace)
logistic = Drawn(_random.logistic)
lognormal = Drawn(_random.lognormal)
logseries = Drawn(_random.logseries)
multinomial = Drawn(_random.multinomial)
multivariate_normal = Drawn(_random.multivariate_normal)
negative_binomial = Drawn(_random.negative_binomial)
noncentral_chisquare = Drawn(_random.noncentral_chisquare)
noncentral_f = Drawn(_random.noncentral_f)
normal = Drawn(_random.normal)
pareto = Drawn(_random.pareto)
permutation = Drawn(_random.permutation)
poisson = Drawn(_random.poisson)
power = Drawn(_random.power)
rand = Drawn(_random.rand)
randint = Drawn(_random.randint)
randn = Drawn(_random.randn)
random = Drawn(_random.random)
random_integers = Drawn(_random.random_integers)
random_sample = Drawn(_random.random_sample)
ranf = Drawn(_random.ranf)
rayleigh = Drawn(_random.rayleigh)
sample = Drawn(_random.sample)
shuffle = Drawn(_random.shuffle, writes=(0, "x"))
standard_cauchy = Drawn(_random.standard_cauchy)
standard_exponential = Drawn(_random.standard_exponential)
standard_gamma = Drawn(_random.standard_gamma)
standard_normal = Drawn(_random.standard_normal)
standard_t = Drawn(_random.standard_t)
triangular = Drawn(_random.triangular)
uniform = Drawn(_random.uniform)
vonmises = Drawn(_random.vonmises)
wald = Drawn(_random.wald)
weibull = Drawn(_random.weibull)
zipf = Drawn(_random.zipf)
