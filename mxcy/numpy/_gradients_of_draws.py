"""Gradients of random numbers with respect to the parameters of their distributions.

A number is a function of the parameters and of noise that does not depend on them; `y` is the number.
"""

from __future__ import annotations

from typing import Any

from . import _ufuncs as u
from . import random
from ._gradients import fit
from ._recorded import WITHOUT_GRADIENT, Rule

__all__ = ["give_rules"]


class Draw(Rule):
    """The rule of a function that draws numbers, with MXNet's keywords for place and dtype."""

    def apply(self, function: Any, args: tuple, kwargs: dict) -> Any:
        """Draw the numbers and enter them on the tape."""
        known = {name: x for name, x in kwargs.items() if name not in ("ctx", "device", "dtype")}
        found = super().apply(function, args, known)
        dtype = kwargs.get("dtype")
        return found if dtype is None else found.astype(dtype)


def _shifted(g: Any, like_loc: Any) -> Any:
    return fit(g, like_loc)


def _stretched(g: Any, y: Any, loc: Any, scale: Any) -> Any:
    return fit(g * (y - loc) / scale, scale)


def _by_the_scale(g: Any, y: Any, scale: Any) -> Any:
    return fit(g * y / scale, scale)


def _root(g: Any, y: Any, a: Any) -> Any:
    return fit(-g * y * u.log(y) / a, a)


DRAWS: dict[Any, tuple[dict, dict]] = {
    **{
        function: ({"loc": _shifted, "scale": _stretched}, {"loc": 0.0, "scale": 1.0, "size": None})
        for function in (random.normal, random.logistic, random.gumbel, random.laplace)
    },
    random.lognormal: (
        {
            "mean": lambda g, y, mean: fit(g * y, mean),
            "sigma": lambda g, y, mean, sigma: fit(g * y * (u.log(y) - mean) / sigma, sigma),
        },
        {"mean": 0.0, "sigma": 1.0, "size": None},
    ),
    random.uniform: (
        {
            "low": lambda g, y, low, high: fit(g * (high - y) / (high - low), low),
            "high": lambda g, y, low, high: fit(g * (y - low) / (high - low), high),
        },
        {"low": 0.0, "high": 1.0, "size": None},
    ),
    random.rayleigh: ({"scale": _by_the_scale}, {"scale": 1.0, "size": None}),
    random.exponential: ({"scale": _by_the_scale}, {"scale": 1.0, "size": None}),
    random.weibull: ({"a": _root}, {"a": 1.0, "size": None}),
    random.power: ({"a": _root}, {"a": 1.0, "size": None}),
    random.pareto: (
        {"a": lambda g, y, a: fit(-g * (y + 1) * u.log1p(y) / a, a)},
        {"a": 1.0, "size": None},
    ),
}


def give_rules() -> None:
    """Give the distributions their gradients."""
    for function, (gradients, defaults) in DRAWS.items():
        function.rule = Draw(gradients, tuple(defaults), defaults)
    for name in ("beta", "binomial", "chisquare", "choice", "f", "gamma", "multinomial", "poisson"):
        getattr(random, name).rule = WITHOUT_GRADIENT
