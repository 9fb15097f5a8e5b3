"""Initial values of parameters, chosen by the name of the parameter.

An initializer is called with an `InitDesc`, which is the name of an array, and the array. A variable's
own initializer (`sym.Variable(..., init=...)`) comes first; then the end of the name decides: `weight` is
what subclasses define by `_init_weight`, `bias`, `beta` and `min` are 0, `gamma` and `max` are 1.
"""

from __future__ import annotations

import json
import logging
import math
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from . import random
from ._array import Array
from .errors import ArgumentError, ArgumentTypeError, AssertedArgumentError, ShapeError, message, problem
from .ndarray import NDArray, load
from .registry import get_alias_func, get_create_func, get_register_func

__all__ = [
    "Bilinear",
    "Constant",
    "FusedRNN",
    "InitDesc",
    "Initializer",
    "LSTMBias",
    "Load",
    "MSRAPrelu",
    "Mixed",
    "Normal",
    "One",
    "Orthogonal",
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
        if not isinstance(arr, Array):
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
        value = self.value.asnumpy() if isinstance(self.value, Array) else self.value
        arr[:] = np.asarray(value) if isinstance(value, list) else value

    def dumps(self) -> str:
        """See `Initializer.dumps`."""
        value = self.value
        if isinstance(value, Array):
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


@register
class Orthogonal(Initializer):
    """Weights whose rows (or columns, if they are fewer) are orthogonal, of length `scale`.

    They are those of a random matrix, of `rand_type` "uniform" or "normal".
    """

    def __init__(self, scale: float = 1.414, rand_type: str = "uniform"):
        super().__init__(scale=scale, rand_type=rand_type)
        self.scale = scale
        self.rand_type = rand_type

    def _init_weight(self, name: str, arr: NDArray) -> None:
        shape = arr.shape[0], math.prod(arr.shape[1:])
        if self.rand_type == "uniform":
            drawn = random.uniform(-1.0, 1.0, shape=shape)
        elif self.rand_type == "normal":
            drawn = random.normal(0.0, 1.0, shape=shape)
        else:
            expected = "'uniform' or 'normal'"
            raise ArgumentError(message("Orthogonal", "rand_type", expected, repr(self.rand_type)))
        left, _, right = np.linalg.svd(drawn.asnumpy(), full_matrices=False)
        basis = left if left.shape == shape else right
        arr[:] = (self.scale * basis).reshape(arr.shape)


@register
class LSTMBias(Initializer):
    """Biases of an LSTM: 0, except `forget_bias` for the forget gate, the second quarter."""

    def __init__(self, forget_bias: float = 1.0):
        super().__init__(forget_bias=forget_bias)
        self.forget_bias = forget_bias

    def _init_weight(self, name: str, arr: NDArray) -> None:
        arr[:] = 0
        hidden = arr.shape[0] // 4
        arr[hidden : 2 * hidden] = self.forget_bias


GATES = {"rnn_relu": ("",), "rnn_tanh": ("",), "lstm": ("_i", "_f", "_c", "_o"), "gru": ("_r", "_z", "_o")}


def rnn_layout(size: int, hidden: int, layers: int, mode: str, bidirectional: bool) -> list[tuple]:
    """(name, shape) of the parts of the one parameter of a fused recurrent network, in order."""
    gates, ways = len(GATES[mode]), ("l", "r") if bidirectional else ("l",)
    # size = ways hidden gates (inputs + hidden + 2) + (layers - 1) ways hidden gates ((ways + 1) hidden + 2)
    upper = (layers - 1) * ((len(ways) + 1) * hidden + 2)
    inputs = size // (len(ways) * hidden * gates) - upper - hidden - 2
    cells = [(layer, way) for layer in range(layers) for way in ways]
    found: list[tuple] = []
    for layer, way in cells:
        width = inputs if layer == 0 else len(ways) * hidden
        for kind, columns in (("i2h", width), ("h2h", hidden)):
            found += [(f"{way}{layer}_{kind}{gate}_weight", (hidden, columns)) for gate in GATES[mode]]
    for layer, way in cells:
        for kind in ("i2h", "h2h"):
            found += [(f"{way}{layer}_{kind}{gate}_bias", (hidden,)) for gate in GATES[mode]]
    if sum(math.prod(shape) for _, shape in found) != size:
        expected = "the number of parameters of such a network"
        raise ShapeError(message("FusedRNN", "parameters", expected, size))
    return found


@register
class FusedRNN(Initializer):
    """The one parameter of a fused recurrent network, part by part.

    Parameters
    ----------
    init : initializer of the parts, or its description; None: that of all arrays.
    num_hidden, num_layers, mode, bidirectional : those of the network.
    forget_bias : bias of the forget gates of an LSTM.
    """

    def __init__(self, init: Any, num_hidden: int, num_layers: int, mode: str, bidirectional: bool = False,
                 forget_bias: float = 1.0):  # fmt: skip
        init = create(init) if isinstance(init, str) else init
        super().__init__(init=None if init is None else init.dumps(), num_hidden=num_hidden,
                         num_layers=num_layers, mode=mode, bidirectional=bidirectional,
                         forget_bias=forget_bias)  # fmt: skip
        self._init = init
        self._network = (num_hidden, num_layers, mode, bidirectional)
        self._forget_bias = forget_bias

    def _init_weight(self, desc: Any, arr: NDArray) -> None:
        start = 0
        for name, shape in rnn_layout(arr.size, *self._network):
            size = math.prod(shape)
            part = arr[start : start + size].reshape(shape)
            if name.endswith("_f_bias"):
                part[:] = self._forget_bias
            else:
                (self._init or desc.global_init)(InitDesc(name, global_init=desc.global_init), part)
            start += size


class Load:
    """Arrays from a file or a dict by their names; others by `default_init`.

    Prefixes `arg:` and `aux:` of the names are cut off.
    """

    def __init__(self, param: Any, default_init: Any = None, verbose: bool = False):
        found = load(param) if isinstance(param, str) else param
        if not isinstance(found, dict):
            raise AssertedArgumentError(message("Load", "param", "a dict of arrays", type(found).__name__))
        self.param = {name.removeprefix("arg:").removeprefix("aux:"): x for name, x in found.items()}
        self.default_init = default_init
        self.verbose = verbose

    def __call__(self, name: str, arr: NDArray) -> None:
        """Fill an array."""
        if name not in self.param:
            if self.default_init is None:
                text = f"cannot initialize {name}: it is not among the loaded parameters"
                raise AssertedArgumentError(problem("Load", None, text, "pass default_init"))
            self.default_init(name, arr)
        elif arr.shape != self.param[name].shape:
            raise AssertedArgumentError(message("Load", name, f"shape {arr.shape}", self.param[name].shape))
        else:
            arr[:] = self.param[name]
        if self.verbose:
            logging.info("Initialized %s by %s", name, "loading" if name in self.param else "default")


class Mixed:
    """The first of several initializers whose pattern matches the start of the name of an array."""

    def __init__(self, patterns: Any, initializers: Any):
        if len(patterns) != len(initializers):
            expected = f"{len(patterns)}, one for each pattern"
            raise AssertedArgumentError(message("Mixed", "initializers", expected, len(initializers)))
        self.map = [(re.compile(p), init) for p, init in zip(patterns, initializers, strict=True)]

    def __call__(self, name: str, arr: NDArray) -> None:
        """Fill an array."""
        for pattern, init in self.map:
            if pattern.match(name):
                init(name, arr)
                return
        text = f"parameter name {str(name)!r} did not match any pattern"
        raise ArgumentError(problem("Mixed", None, text, "add a '.*' pattern at the end"))
