"""Updates of several parameters in one call, and what optimizers ask about all of them at once.

The arrays come parameter by parameter: weight, gradient, states of the first, then those of the second.
"""

from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..kernels import cpu as kernels
from ._attributes import Numbers, Shape
from ._cases import case, given, raises, uniform
from ._declare import ZERO, elementwise, op
from ._trace import own, ufunc
from ._update import updates
from .exponential import square
from .optimizer import (
    adamw_update,
    half,
    lamb_update,
    mp_adamw_update,
    mp_lamb_update,
    mp_sgd_mom_update,
    mp_sgd_update,
    sgd_mom_update,
    sgd_update,
    single,
)
from .reduction import min as lowest
from .reduction import sum as total
from .rounding import _contrib_isfinite as isfinite

__all__ = [
    "all_finite",
    "multi_all_finite",
    "multi_lars",
    "multi_mp_sgd_mom_update",
    "multi_mp_sgd_update",
    "multi_sgd_mom_update",
    "multi_sgd_update",
    "multi_sum_sq",
    "preloaded_multi_mp_sgd_mom_update",
    "preloaded_multi_mp_sgd_update",
    "preloaded_multi_sgd_mom_update",
    "preloaded_multi_sgd_update",
]

RATES = {"lrs": "lr", "wds": "wd"}
TWO: dict[str, Any] = {"lrs": (0.1, 0.2), "wds": (0.01, 0.0), "num_weights": 2}
LOADED = (given([0.1, 0.2], "float32"), given([0.01, 0.0], "float32"))


# --- gradient descent ------------------------------------------------------------------------------------
@updates(
    one=sgd_update, lists=RATES,
    cases=[
        case(uniform(3, 4), uniform(3, 4), uniform(2), uniform(2), **TWO),
        case(uniform(3), uniform(3), lrs=0.1, wds=0.0, clip_gradient=0.3),
        raises(ArgumentError, uniform(3), lrs=0.1, wds=0.0, match="expected 2 arrays, got 1"),
        raises(ArgumentError, uniform(3), uniform(3), lrs=(1, 1), wds=0.0, match="expected 1 numbers"),
    ],
)  # fmt: skip
def multi_sgd_update(*data, lrs: Numbers, wds: Numbers, rescale_grad: float = 1.0,
                     clip_gradient: float = -1.0, num_weights: int = 1):  # fmt: skip
    """`sgd_update` of each (weight, grad)."""


@updates(
    one=sgd_mom_update, lists=RATES,
    cases=[case(*[uniform(3, 4)] * 3, *[uniform(2)] * 3, momentum=0.9, **TWO)],
)  # fmt: skip
def multi_sgd_mom_update(*data, lrs: Numbers, wds: Numbers, momentum: float = 0.0, rescale_grad: float = 1.0,
                         clip_gradient: float = -1.0, num_weights: int = 1):  # fmt: skip
    """`sgd_mom_update` of each (weight, grad, mom)."""


@updates(
    one=mp_sgd_update, lists=RATES,
    cases=[case(half(3, 4), half(3, 4), single(3, 4), half(2), half(2), single(2), **TWO)],
)  # fmt: skip
def multi_mp_sgd_update(*data, lrs: Numbers, wds: Numbers, rescale_grad: float = 1.0,
                        clip_gradient: float = -1.0, num_weights: int = 1):  # fmt: skip
    """`mp_sgd_update` of each (weight, grad, weight32)."""


@updates(
    one=mp_sgd_mom_update, lists=RATES,
    cases=[case(*[half(3)] * 2, *[single(3)] * 2, *[half(2)] * 2, *[single(2)] * 2, momentum=0.9, **TWO)],
)  # fmt: skip
def multi_mp_sgd_mom_update(*data, lrs: Numbers, wds: Numbers, momentum: float = 0.0,
                            rescale_grad: float = 1.0, clip_gradient: float = -1.0,
                            num_weights: int = 1):  # fmt: skip
    """`mp_sgd_mom_update` of each (weight, grad, mom, weight32)."""


@updates(
    one=sgd_update, lists={}, preloaded=("lr", "wd"),
    cases=[
        case(*[single(3, 4)] * 2, *[single(2)] * 2, *LOADED, num_weights=2),
        raises(ShapeError, *[uniform(2)] * 2, *LOADED, match="expected shape (1,), got (2,)"),
    ],
)  # fmt: skip
def preloaded_multi_sgd_update(*data, rescale_grad: float = 1.0, clip_gradient: float = -1.0,
                               num_weights: int = 1):  # fmt: skip
    """`multi_sgd_update` with learning rates and weight decays in two arrays at the end."""


@updates(
    one=sgd_mom_update, lists={}, preloaded=("lr", "wd"),
    cases=[case(*[single(3, 4)] * 3, *[single(2)] * 3, *LOADED, momentum=0.9, num_weights=2)],
)  # fmt: skip
def preloaded_multi_sgd_mom_update(*data, momentum: float = 0.0, rescale_grad: float = 1.0,
                                   clip_gradient: float = -1.0, num_weights: int = 1):  # fmt: skip
    """`multi_sgd_mom_update` with learning rates and weight decays in two arrays at the end."""


@updates(
    one=mp_sgd_update, lists={}, preloaded=("lr", "wd"),
    cases=[case(half(3), half(3), single(3), half(2), half(2), single(2), *LOADED, num_weights=2)],
)  # fmt: skip
def preloaded_multi_mp_sgd_update(*data, rescale_grad: float = 1.0, clip_gradient: float = -1.0,
                                  num_weights: int = 1):  # fmt: skip
    """`multi_mp_sgd_update` with learning rates and weight decays in two arrays at the end."""


@updates(
    one=mp_sgd_mom_update, lists={}, preloaded=("lr", "wd"),
    cases=[case(*[half(3)] * 2, *[single(3)] * 2, *[half(2)] * 2, *[single(2)] * 2, *LOADED, momentum=0.9,
                num_weights=2)],
)  # fmt: skip
def preloaded_multi_mp_sgd_mom_update(*data, momentum: float = 0.0, rescale_grad: float = 1.0,
                                      clip_gradient: float = -1.0, num_weights: int = 1):  # fmt: skip
    """`multi_mp_sgd_mom_update` with learning rates and weight decays in two arrays at the end."""


# --- AdamW -------------------------------------------------------------------------------------------------
STEPS = {"lrs": "lr", "wds": "wd", "etas": "eta"}
POSITIVE: dict[str, Any] = {"low": 0.1, "high": 2.0}


@updates(
    name="_multi_adamw_update", one=adamw_update, lists=STEPS, shared=1,
    cases=[case(*[uniform(3, **POSITIVE)] * 4, *[uniform(2, **POSITIVE)] * 4, given([0.5]), etas=(0.5, 1.0),
                **TWO)],
)  # fmt: skip
def multi_adamw_update(*data, lrs: Numbers, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8,
                       wds: Numbers, etas: Numbers, clip_gradient: float = -1.0,
                       num_weights: int = 1):  # fmt: skip
    """`_adamw_update` of each (weight, grad, mean, var); rescale_grad comes last."""


@updates(
    name="_multi_mp_adamw_update", one=mp_adamw_update, lists=STEPS, shared=1,
    cases=[case(*[half(3)] * 2, *[single(3, **POSITIVE)] * 3, *[half(2)] * 2, *[single(2, **POSITIVE)] * 3,
                given([0.5], "float32"), etas=(0.5, 1.0), **TWO)],
)  # fmt: skip
def multi_mp_adamw_update(*data, lrs: Numbers, beta1: float = 0.9, beta2: float = 0.999,
                          epsilon: float = 1e-8, wds: Numbers, etas: Numbers, clip_gradient: float = -1.0,
                          num_weights: int = 1):  # fmt: skip
    """`_mp_adamw_update` of each (weight, grad, mean, var, weight32); rescale_grad comes last."""


# --- LAMB --------------------------------------------------------------------------------------------------
LAMB = {"learning_rates": "lr", "wds": "wd", "step_count": "t"}
LAMB_TWO: dict[str, Any] = {
    "learning_rates": (0.1, 0.2),
    "wds": (0.01, 0.0),
    "step_count": (1, 2),
    "num_tensors": 2,
}


@updates(
    name="_multi_lamb_update", one=lamb_update, lists=LAMB, count="num_tensors",
    cases=[
        case(*[uniform(3, **POSITIVE)] * 4, *[uniform(2, **POSITIVE)] * 4, lower_bound=0.5, **LAMB_TWO),
    ],
)  # fmt: skip
def multi_lamb_update(*data, learning_rates: Numbers, beta1: float = 0.9, beta2: float = 0.999,
                      epsilon: float = 1e-6, wds: Numbers, rescale_grad: float = 1.0,
                      lower_bound: float = -1.0, upper_bound: float = -1.0, clip_gradient: float = -1.0,
                      bias_correction: bool = True, step_count: Shape,
                      num_tensors: int = 1):  # fmt: skip
    """Both phases of LAMB for each (weight, grad, mean, var)."""


@updates(
    name="_multi_mp_lamb_update", one=mp_lamb_update, lists=LAMB, count="num_tensors",
    cases=[
        case(*[half(3)] * 2, *[single(3, **POSITIVE)] * 3, *[half(2)] * 2, *[single(2, **POSITIVE)] * 3,
             upper_bound=0.5, **LAMB_TWO),
    ],
)  # fmt: skip
def multi_mp_lamb_update(*data, learning_rates: Numbers, beta1: float = 0.9, beta2: float = 0.999,
                         epsilon: float = 1e-6, wds: Numbers, rescale_grad: float = 1.0,
                         lower_bound: float = -1.0, upper_bound: float = -1.0, clip_gradient: float = -1.0,
                         bias_correction: bool = True, step_count: Shape,
                         num_tensors: int = 1):  # fmt: skip
    """Both phases of LAMB for each (weight, grad, mean, var, weight32)."""


# --- questions about all parameters ------------------------------------------------------------------------
def squares(x):
    """The sum of the squares of an array as an array of one float32."""
    wide = kernels.astype(x, np.float32)
    return total.compute([square.compute([wide], square.parse_attrs({}))[0]], total.parse_attrs({}))[0]


@op(
    grad=ZERO, kinds="f", shape=lambda num_arrays: (num_arrays,), dtype=lambda: np.float32,
    ref=lambda *data, num_arrays: np.array([np.sum(x**2) for x in data]),
    cases=[case(uniform(3, 4), uniform(2), num_arrays=2), case(uniform(2, 2), num_arrays=1)],
)  # fmt: skip
def multi_sum_sq(*data, num_arrays: int, out):
    """The sum of squares of each array, in float32."""
    return kernels.concat([squares(x) for x in data], 0, out=out)


def lars_reference(lrs, weights, grads, wds, eta, eps, rescale_grad=1.0):
    w, g = np.sqrt(weights), np.sqrt(grads)
    with np.errstate(all="ignore"):
        scaled = lrs * eta * w / (g * rescale_grad + wds * w + eps)
    return np.where((w > 0) & (g > 0), scaled, lrs)


@elementwise(
    grad=ZERO, kinds="f", ref=lars_reference,
    cases=[
        case(*[uniform(4, low=0.1, high=2.0)] * 4, eta=0.1, eps=1e-3),
        case(uniform(2), given([0.0, 1.0]), given([1.0, 0.0]), uniform(2, low=0.1), eta=0.1, eps=1e-3,
             rescale_grad=0.5),
    ],
)  # fmt: skip
def multi_lars(lrs, weights_sum_sq, grads_sum_sq, wds, *, eta: float, eps: float, rescale_grad: float = 1.0):
    """lr eta |w| / (rescale_grad |g| + wd |w| + eps) of each layer; lr where a norm is 0."""
    w, g = ufunc.sqrt(weights_sum_sq), ufunc.sqrt(grads_sum_sq)
    both = own.greater(w, 0) * own.greater(g, 0)
    # Where a norm is 0 the quotient is 1 / 1.
    return lrs * (w * eta * both + (1 - both)) / ((g * rescale_grad + w * wds + eps) * both + (1 - both))


def finite(arrays, init_output, out):
    """1 if all elements are finite, else 0; without `init_output`, times what `out` holds."""
    flags = [isfinite.compute([x], isfinite.parse_attrs({}))[0] for x in arrays if 0 not in x.shape]
    least = [kernels.astype(lowest.compute([f], lowest.parse_attrs({}))[0], np.float32) for f in flags]
    if not init_output and out is not None:
        least.append(out)
    result = lowest.compute([kernels.concat(least, 0)], lowest.parse_attrs({}))[0]
    return result if out is None else kernels.astype(result, np.float32, out=out)


def finite_reference(*data, init_output=True, num_arrays=1):
    return np.array([float(all(np.isfinite(x).all() for x in data))])


@op(
    grad=ZERO, kinds="f", shape=lambda: (1,), dtype=lambda: np.float32, ref=finite_reference,
    cases=[case(uniform(3, 4)), case(given([1.0, np.inf])), case(given([np.nan, 1.0]))],
)  # fmt: skip
def all_finite(data, *, init_output: bool = True, out):
    """1 if all elements are finite, else 0, as an array of one float32."""
    return finite([data], init_output, out)


@op(
    grad=ZERO, kinds="f", shape=lambda: (1,), dtype=lambda: np.float32, ref=finite_reference,
    cases=[case(uniform(3, 4), uniform(2), num_arrays=2),
           case(uniform(2), given([1.0, np.inf]), num_arrays=2)],
)  # fmt: skip
def multi_all_finite(*data, num_arrays: int = 1, init_output: bool = True, out):
    """1 if all elements of all arrays are finite, else 0, as an array of one float32."""
    return finite(data, init_output, out)
