"""Initial values of parameters, chosen by the name of the parameter.

An initializer is called with an `InitDesc`, which is the name of an array, and the array. A variable's
own initializer (`sym.Variable(..., init=...)`) comes first; then the end of the name decides: `weight` is
what subclasses define by `_init_weight`, `bias`, `beta` and `min` are 0, `gamma` and `max` are 1.
"""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from . import random
from .errors import ArgumentError, ArgumentTypeError, ShapeError, message, problem
from .ndarray import NDArray
from .registry import get_alias_func, get_create_func, get_register_func

__all__ = [
    "Bilinear",
    "Constant",
    "InitDesc",
    "Initializer",
    "MSRAPrelu",
    "Normal",
    "One",
    "Uniform",
    "Xavier",
    "Zero",
    "alias",
    "create",
    "register",
]


class InitDesc(str):
    """The name of an array to initialize, with the attributes of its variable.

    `global_init` is the initializer of all arrays, for one that is chosen for some and delegates to it.
    """

    __slots__ = ("attrs", "global_init")

    attrs: dict[str, str]
    global_init: Initializer | None

    def __new__(cls, name: str, attrs: dict[str, str] | None = None, global_init: Initializer | None = None):
        new = super().__new__(cls, name)
        new.attrs = attrs or {}
        new.global_init = global_init
        return new


# The end of a name -> the method that fills the array.
BY_SUFFIX = {
    "weight": "_init_weight",
    "bias": "_init_bias",
    "gamma": "_init_gamma",
    "beta": "_init_beta",
    "min": "_init_zero",
    "max": "_init_one",
    "weight_quantize": "_init_quantized_weight",
    "bias_quantize": "_init_quantized_bias",
}
# The same for names that are plain strings, as programs of 2015 call it.
BY_SUFFIX_OF_STRINGS = {
    "bias": "_init_bias",
    "gamma": "_init_gamma",
    "beta": "_init_beta",
    "weight": "_init_weight",
    "moving_mean": "_init_zero",
    "moving_var": "_init_one",
    "moving_inv_var": "_init_zero",
    "moving_avg": "_init_zero",
    "min": "_init_zero",
    "max": "_init_one",
}


class Initializer:
    """Base class. A subclass defines `_init_weight(name, array)`.

    Its constructor passes its arguments on as keywords, so that `dumps` can write them down.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, **kwargs: Any):
        self._kwargs = kwargs
        self._verbose = False
        self._print_func: Callable[[NDArray], Any] = root_mean_square

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Initializer):
            return NotImplemented
        return type(self) is type(other) and self._kwargs == other._kwargs

    def __call__(self, desc: str, arr: NDArray) -> None:
        """Fill an array by its name. Raises ArgumentError for a name that says nothing."""
        if not isinstance(desc, str):
            raise ArgumentTypeError(message("Initializer", "desc", "an InitDesc", type(desc).__name__))
        if not isinstance(arr, NDArray):
            raise ArgumentTypeError(message("Initializer", "arr", "an NDArray", type(arr).__name__))
        if not isinstance(desc, InitDesc):
            self._fill_by_string(desc, arr)
            return
        if desc.global_init is None:
            desc.global_init = self
        own = desc.attrs.get("__init__")
        if own:
            create(own)._init_weight(desc, arr)
            self._report(desc, own, arr)
            return
        suffix, method = self._method(desc, BY_SUFFIX)
        method(desc, arr)
        self._report(desc, suffix, arr)

    def _fill_by_string(self, name: str, arr: NDArray) -> None:
        warnings.warn(
            "Calling initializer with init(str, NDArray) has been deprecated. "
            "Please use init(mx.init.InitDesc(...), NDArray) instead.",
            DeprecationWarning, stacklevel=3,
        )  # fmt: skip
        if name.startswith("upsampling"):
            self._init_bilinear(name, arr)
        elif name.startswith("stn_loc") and name.endswith("weight"):
            self._init_zero(name, arr)
        elif name.startswith("stn_loc") and name.endswith("bias"):
            self._init_loc_bias(name, arr)
        else:
            self._method(name, BY_SUFFIX_OF_STRINGS)[1](name, arr)

    def _method(self, name: str, by_suffix: dict[str, str]) -> tuple[str, Callable]:
        for suffix, method in by_suffix.items():
            if name.endswith(suffix):
                return suffix, getattr(self, method)
        return "default", self._init_default

    def set_verbosity(self, verbose: bool = False, print_func: Callable[[NDArray], Any] | None = None):
        """Log each array that is filled, with what `print_func` makes of it; return self."""
        self._verbose = verbose
        self._print_func = print_func or root_mean_square
        return self

    def _report(self, desc: str, init: str, arr: NDArray) -> None:
        if self._verbose:
            logging.info("Initialized %s as %s: %s", desc, init, self._print_func(arr))

    def dumps(self) -> str:
        """Return name and arguments as JSON, from which `create` makes an equal initializer.

        >>> Normal(0.5).dumps()
        '["normal", {"sigma": 0.5}]'
        """
        return json.dumps([type(self).__name__.lower(), self._kwargs])

    # -- kinds of parameters ----------------------------------------------------------------------------

    def _init_weight(self, name: str, arr: NDArray) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define _init_weight")

    def _init_zero(self, _: str, arr: NDArray) -> None:
        arr[:] = 0

    def _init_one(self, _: str, arr: NDArray) -> None:
        arr[:] = 1

    def _init_bias(self, _: str, arr: NDArray) -> None:
        arr[:] = 0

    def _init_gamma(self, _: str, arr: NDArray) -> None:
        arr[:] = 1

    def _init_beta(self, _: str, arr: NDArray) -> None:
        arr[:] = 0

    def _init_quantized_weight(self, _: str, arr: NDArray) -> None:
        random.randint(-127, 127, arr.shape, dtype="int32").copyto(arr)

    def _init_quantized_bias(self, _: str, arr: NDArray) -> None:
        arr[:] = 0

    def _init_loc_bias(self, _: str, arr: NDArray) -> None:
        if arr.shape != (6,):
            raise ShapeError(message("Initializer", "stn_loc_bias", "shape (6,)", arr.shape))
        arr[:] = np.array([1.0, 0, 0, 0, 1.0, 0])

    def _init_bilinear(self, _: str, arr: NDArray) -> None:
        """The filter that interpolates between pixels when a layer scales pictures up."""
        height, width = arr.shape[-2:]
        half = math.ceil(width / 2)
        centre = (2 * half - 1 - half % 2) / (2 * half)
        across = 1 - np.abs(np.arange(width) / half - centre)
        down = 1 - np.abs(np.arange(height) / half - centre)
        arr[:] = np.broadcast_to(np.outer(down, across), arr.shape).astype(np.float32)

    def _init_default(self, name: str, _: NDArray) -> None:
        ends = ", ".join(BY_SUFFIX)
        text = f"unknown initialization pattern for {str(name)!r}, which ends in none of {ends}"
        hint = "set it with sym.Variable(..., init=...)"
        raise ArgumentError(problem("Initializer", "desc", text, hint))


def root_mean_square(arr: NDArray) -> str:
    """What the log shows of an array."""
    values = arr.asnumpy()
    return str((np.linalg.norm(values) / math.sqrt(values.size)).astype(values.dtype))


register = get_register_func(Initializer, "initializer")
alias = get_alias_func(Initializer, "initializer")
create = get_create_func(Initializer, "initializer")


@register
@alias("zeros")
class Zero(Initializer):
    """All weights 0."""

    def _init_weight(self, name: str, arr: NDArray) -> None:
        arr[:] = 0


@register
@alias("ones")
class One(Initializer):
    """All weights 1."""

    def _init_weight(self, name: str, arr: NDArray) -> None:
        arr[:] = 1


@register
class Constant(Initializer):
    """All weights one number, or the values of an array of their shape."""

    def __init__(self, value: Any):
        super().__init__(value=value)
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self.dumps() == other.dumps()

    def _init_weight(self, name: str, arr: NDArray) -> None:
        arr[:] = np.asarray(self.value) if isinstance(self.value, list) else self.value

    def dumps(self) -> str:
        """See `Initializer.dumps`."""
        value = self.value
        if isinstance(value, NDArray):
            value = value.asnumpy()
        if isinstance(value, np.ndarray | np.generic):
            value = value.tolist()
        return json.dumps([type(self).__name__.lower(), {"value": value}])


@register
class Uniform(Initializer):
    """Weights uniform between -scale and scale."""

    def __init__(self, scale: float = 0.07):
        super().__init__(scale=scale)
        self.scale = scale

    def _init_weight(self, name: str, arr: NDArray) -> None:
        random.uniform(-self.scale, self.scale, arr.shape, out=arr)


@register
class Normal(Initializer):
    """Weights normal around 0 with standard deviation sigma."""

    def __init__(self, sigma: float = 0.01):
        super().__init__(sigma=sigma)
        self.sigma = sigma

    def _init_weight(self, name: str, arr: NDArray) -> None:
        random.normal(0, self.sigma, arr.shape, out=arr)


@register
class Xavier(Initializer):
    """Random weights of the size that keeps the variance of activations or of gradients through layers.

    Parameters
    ----------
    rnd_type : "uniform" between -s and s, or "gaussian" with standard deviation s,
        where s = sqrt(magnitude / n).
    factor_type : n is the number of inputs of a unit ("in"), of its outputs ("out"), or their mean ("avg").
    magnitude : see above.

    Inputs are counted by the second dimension and outputs by the first, each times the size of the kernel
    (the further dimensions). Raises ShapeError for arrays of fewer than two dimensions.
    """

    def __init__(self, rnd_type: str = "uniform", factor_type: str = "avg", magnitude: float = 3):
        super().__init__(rnd_type=rnd_type, factor_type=factor_type, magnitude=magnitude)
        self.rnd_type = rnd_type
        self.factor_type = factor_type
        self.magnitude = float(magnitude)

    def _init_weight(self, name: str, arr: NDArray) -> None:
        shape = arr.shape
        if len(shape) < 2:
            raise ShapeError(message("Xavier", str(name), "at least 2 dimensions", f"shape {shape}"))
        kernel = math.prod(shape[2:])
        fan_in, fan_out = shape[1] * kernel, shape[0] * kernel
        factors = {"in": fan_in, "out": fan_out, "avg": (fan_in + fan_out) / 2}
        if self.factor_type not in factors:
            expected = "'in', 'out' or 'avg'"
            raise ArgumentError(message("Xavier", "factor_type", expected, repr(self.factor_type)))
        scale = math.sqrt(self.magnitude / factors[self.factor_type])
        if self.rnd_type == "uniform":
            random.uniform(-scale, scale, shape, out=arr)
        elif self.rnd_type == "gaussian":
            random.normal(0, scale, shape, out=arr)
        else:
            raise ArgumentError(message("Xavier", "rnd_type", "'uniform' or 'gaussian'", repr(self.rnd_type)))


@register
class MSRAPrelu(Xavier):
    """Xavier's weights, gaussian, for layers followed by PReLU (or ReLU: slope 0), after He et al. 2015."""

    def __init__(self, factor_type: str = "avg", slope: float = 0.25):
        super().__init__("gaussian", factor_type, 2.0 / (1 + slope**2))
        self._kwargs = {"factor_type": factor_type, "slope": slope}


@register
class Bilinear(Initializer):
    """The filter that scales pictures up, for deconvolutions."""

    def _init_weight(self, name: str, arr: NDArray) -> None:
        self._init_bilinear(name, arr)
