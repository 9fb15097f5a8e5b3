"""Updates of single parameters, as MXNet's optimizers make them.

Every one reads a weight and its gradient, writes its states in place, and returns the new weight.
`clip_gradient` below 0 does not clip. Those whose names start with `mp_` keep a float32 copy of a weight in
half precision, which is what they update.
"""

from typing import Any

import numpy as np

from ..errors import DTypeError, ShapeError
from ._cases import case, given, raises, uniform
from ._sparse import FTRL, lazy_rules
from ._trace import Value, cast, own
from ._update import Update, clipped, either, maximum, minimum, rounded, update
from .reduction import norm

__all__ = [
    "adam_update",
    "ftml_update",
    "ftrl_update",
    "lamb_update_phase1",
    "lamb_update_phase2",
    "mp_lamb_update_phase1",
    "mp_lamb_update_phase2",
    "mp_nag_mom_update",
    "mp_sgd_mom_update",
    "mp_sgd_update",
    "nag_mom_update",
    "rmsprop_update",
    "rmspropalex_update",
    "sgd_mom_update",
    "sgd_update",
    "signsgd_update",
    "signum_update",
]

sqrt, square, absolute, sign = either("sqrt"), either("square"), either("absolute"), either("sign")

CLIP: dict[str, Any] = {"lr": 0.1, "wd": 0.01, "rescale_grad": 0.5, "clip_gradient": 0.3}
SINGLE = np.dtype(np.float32)
POSITIVE: dict[str, Any] = {"low": 0.1, "high": 2.0}
LARGE: dict = {"low": 4.0, "high": 6.0}
SMALL: dict = {"low": -1.0, "high": 1.0}


def half(*shape):
    return uniform(*shape, dtype="float16")


def single(*shape, **options):
    return uniform(*shape, dtype="float32", **options)


def descend(grad, weight, wd, rescale_grad, clip_gradient):
    """The gradient as most optimizers take it: scaled, clipped, then with weight decay."""
    return clipped(grad * rescale_grad, clip_gradient) + weight * wd


def decayed(grad, weight, wd, rescale_grad, clip_gradient):
    """The gradient as others take it: scaled, with weight decay, then clipped."""
    return clipped(grad * rescale_grad + weight * wd, clip_gradient)


def widened(grad):
    """Inside a body: a half-precision gradient in float32."""
    return cast(grad, SINGLE) if isinstance(grad, Value) else grad


# --- gradient descent ------------------------------------------------------------------------------------
@update(
    storage=lazy_rules(0),
    cases=[
        case(uniform(3, 4), uniform(3, 4), lr=0.1),
        case(uniform(3), uniform(3), **CLIP),
        raises(ShapeError, uniform(2), uniform(3), lr=0.1, match="expected shape (2,), got (3,)"),
    ],
)  # fmt: skip
def sgd_update(weight, grad, *, lr: float, wd: float = 0.0, rescale_grad: float = 1.0,
               clip_gradient: float = -1.0, lazy_update: bool = True):  # fmt: skip
    """weight - lr (clip(rescale_grad grad) + wd weight). `lazy_update` is accepted: gradients are dense."""
    return weight - descend(grad, weight, wd, rescale_grad, clip_gradient) * lr


@update(
    states=("mom",),
    storage=lazy_rules(1),
    cases=[
        case(uniform(3, 4), uniform(3, 4), uniform(3, 4), lr=0.1),
        case(uniform(3), uniform(3), uniform(3), momentum=0.9, **CLIP),
        raises(ShapeError, uniform(2), uniform(2), uniform(3), lr=0.1, match="expected shape (2,), got (3,)"),
    ],
)  # fmt: skip
def sgd_mom_update(weight, grad, mom, *, lr: float, momentum: float = 0.0, wd: float = 0.0,
                   rescale_grad: float = 1.0, clip_gradient: float = -1.0,
                   lazy_update: bool = True):  # fmt: skip
    """weight + mom, after mom became momentum mom - lr (clip(rescale_grad grad) + wd weight)."""
    moved = mom * momentum - descend(grad, weight, wd, rescale_grad, clip_gradient) * lr
    return weight + moved, moved


@update(
    states=("weight32",), full=("weight32",),
    cases=[
        case(half(3, 4), half(3, 4), single(3, 4), lr=0.1),
        case(half(3), half(3), single(3), **CLIP),
        raises(DTypeError, half(3), half(3), half(3), lr=0.1, match="expected dtype float32"),
    ],
)  # fmt: skip
def mp_sgd_update(weight, grad, weight32, *, lr: float, wd: float = 0.0, rescale_grad: float = 1.0,
                  clip_gradient: float = -1.0, lazy_update: bool = True):  # fmt: skip
    """`sgd_update` of weight32; the result has the dtype of weight."""
    new = weight32 - descend(widened(grad), weight32, wd, rescale_grad, clip_gradient) * lr
    return new, new


@update(
    states=("mom", "weight32"), full=("mom", "weight32"),
    cases=[
        case(half(3, 4), half(3, 4), single(3, 4), single(3, 4), lr=0.1),
        case(half(3), half(3), single(3), single(3), momentum=0.9, **CLIP),
    ],
)  # fmt: skip
def mp_sgd_mom_update(weight, grad, mom, weight32, *, lr: float, momentum: float = 0.0, wd: float = 0.0,
                      rescale_grad: float = 1.0, clip_gradient: float = -1.0,
                      lazy_update: bool = True):  # fmt: skip
    """`sgd_mom_update` of weight32; the result has the dtype of weight."""
    moved = mom * momentum - descend(widened(grad), weight32, wd, rescale_grad, clip_gradient) * lr
    new = weight32 + moved
    return new, moved, new


def nesterov(weight, grad, mom, lr, momentum, wd, rescale_grad, clip_gradient):
    """As in MXNet the weight decay of the momentum is that of the new weight."""
    g = clipped(grad * rescale_grad, clip_gradient)
    mom = mom * momentum
    step = (g + weight * wd) * lr
    new = weight + (mom * momentum - step * (1 + momentum))
    return new, mom - (g + new * wd) * lr


@update(
    states=("mom",),
    cases=[
        case(uniform(3, 4), uniform(3, 4), uniform(3, 4), lr=0.1, momentum=0.5),
        case(uniform(3), uniform(3), uniform(3), momentum=0.9, **CLIP),
    ],
)  # fmt: skip
def nag_mom_update(weight, grad, mom, *, lr: float, momentum: float = 0.0, wd: float = 0.0,
                   rescale_grad: float = 1.0, clip_gradient: float = -1.0):  # fmt: skip
    """Nesterov's step: mom becomes momentum mom - lr g, the weight moves by momentum mom - lr g.

    Here g = clip(rescale_grad grad) + wd weight, for mom with the new weight.
    """
    return nesterov(weight, grad, mom, lr, momentum, wd, rescale_grad, clip_gradient)


@update(
    states=("mom", "weight32"), full=("mom", "weight32"),
    cases=[
        case(half(3, 4), half(3, 4), single(3, 4), single(3, 4), lr=0.1, momentum=0.5),
        case(half(3), half(3), single(3), single(3), momentum=0.9, **CLIP),
    ],
)  # fmt: skip
def mp_nag_mom_update(weight, grad, mom, weight32, *, lr: float, momentum: float = 0.0, wd: float = 0.0,
                      rescale_grad: float = 1.0, clip_gradient: float = -1.0):  # fmt: skip
    """`nag_mom_update` of weight32; the result has the dtype of weight."""
    new, moved = nesterov(weight32, widened(grad), mom, lr, momentum, wd, rescale_grad, clip_gradient)
    return new, moved, new


@update(
    cases=[case(uniform(3, 4), uniform(3, 4), lr=0.1), case(uniform(3), uniform(3), **CLIP)],
)  # fmt: skip
def signsgd_update(weight, grad, *, lr: float, wd: float = 0.0, rescale_grad: float = 1.0,
                   clip_gradient: float = -1.0):  # fmt: skip
    """weight - lr (sign(grad) + wd weight)."""
    return weight - (sign(clipped(grad * rescale_grad, clip_gradient)) + weight * wd) * lr


@update(
    states=("mom",),
    cases=[
        case(uniform(3, 4), uniform(3, 4), uniform(3, 4), lr=0.1, momentum=0.5),
        case(uniform(3), uniform(3), uniform(3), momentum=0.9, wd_lh=0.1, **CLIP),
    ],
)  # fmt: skip
def signum_update(weight, grad, mom, *, lr: float, momentum: float = 0.0, wd: float = 0.0,
                  rescale_grad: float = 1.0, clip_gradient: float = -1.0, wd_lh: float = 0.0):  # fmt: skip
    """weight (1 - lr wd_lh) + lr sign(mom), after mom became momentum mom - (1 - momentum) g."""
    moved = mom * momentum - descend(grad, weight, wd, rescale_grad, clip_gradient) * (1 - momentum)
    return weight - weight * (lr * wd_lh) + sign(moved) * lr, moved


# --- steps scaled by averages of squares -------------------------------------------------------------
def averages(g, mean, var, beta1, beta2):
    """New moving averages of the gradient and of its square."""
    return mean * beta1 + g * (1 - beta1), var * beta2 + square(g) * (1 - beta2)


@update(
    states=("mean", "var"),
    storage=lazy_rules(2),
    cases=[
        case(uniform(3, 4), uniform(3, 4), uniform(3, 4), uniform(3, 4, **POSITIVE), lr=0.1),
        case(uniform(3), uniform(3), uniform(3), uniform(3, **POSITIVE), beta1=0.8, epsilon=1e-3, **CLIP),
    ],
)  # fmt: skip
def adam_update(weight, grad, mean, var, *, lr: float, beta1: float = 0.9, beta2: float = 0.999,
                epsilon: float = 1e-8, wd: float = 0.0, rescale_grad: float = 1.0,
                clip_gradient: float = -1.0, lazy_update: bool = True):  # fmt: skip
    """weight - lr mean / (sqrt(var) + epsilon), with moving averages of g and its square."""
    g = decayed(grad, weight, wd, rescale_grad, clip_gradient)
    mean, var = averages(g, mean, var, beta1, beta2)
    return weight - mean * lr / (sqrt(var) + epsilon), mean, var


def adamw(weight, grad, mean, var, rescale_grad, lr, eta, beta1, beta2, epsilon, wd, clip_gradient):
    """Loss scaling that overflowed shows as a scale of 0, infinity or NaN: then nothing changes."""
    finite = same(rescale_grad * 0, 0) * differ(rescale_grad, 0)
    bound = largest(rescale_grad)
    scale = fmax(fmin(rescale_grad, bound), -bound) * finite
    g = clipped(grad * scale, clip_gradient)
    new_mean, new_var = averages(g, mean, var, beta1, beta2)
    step = (new_mean * lr / (sqrt(new_var) + epsilon) + weight * wd) * eta
    return (weight - step * finite, mean + (new_mean - mean) * finite, var + (new_var - var) * finite)


def largest(x):
    """A large finite number of the dtype of x."""
    return 6e4 if isinstance(x, Value) and x.dtype.itemsize == 2 else 3e38


fmax, fmin = either("fmax"), either("fmin")


def same(x, y):
    return own.equal(x, y) if isinstance(x, Value) else (x == y) * 1.0


def differ(x, y):
    return own.not_equal(x, y) if isinstance(x, Value) else (x != y) * 1.0


ADAMW: dict[str, Any] = {"lr": 0.1, "eta": 0.5}


@update(
    name="_adamw_update", states=("mean", "var"), single=("rescale_grad",),
    cases=[
        case(uniform(3, 4), uniform(3, 4), uniform(3, 4), uniform(3, 4, **POSITIVE), given([0.5]), **ADAMW),
        case(uniform(3), uniform(3), uniform(3), uniform(3, **POSITIVE), given([2.0]), wd=0.1,
             clip_gradient=0.3, **ADAMW),
        case(uniform(3), uniform(3), uniform(3), uniform(3, **POSITIVE), given([0.0]), **ADAMW),
    ],
)  # fmt: skip
def adamw_update(weight, grad, mean, var, rescale_grad, *, lr: float, beta1: float = 0.9,
                 beta2: float = 0.999, epsilon: float = 1e-8, wd: float = 0.0, eta: float,
                 clip_gradient: float = -1.0):  # fmt: skip
    """weight - eta (lr mean / (sqrt(var) + epsilon) + wd weight) (Loshchilov, Hutter 2017).

    rescale_grad is an array of one element; nothing changes if it is 0, infinite or NaN.
    """
    return adamw(weight, grad, mean, var, rescale_grad, lr, eta, beta1, beta2, epsilon, wd, clip_gradient)


@update(
    name="_mp_adamw_update", states=("mean", "var", "weight32"), single=("rescale_grad",),
    full=("mean", "var", "weight32", "rescale_grad"),
    cases=[
        case(half(3), half(3), single(3), single(3, **POSITIVE), single(3), given([2.0], "float32"),
             wd=0.1, clip_gradient=0.3, **ADAMW),
    ],
)  # fmt: skip
def mp_adamw_update(weight, grad, mean, var, weight32, rescale_grad, *, lr: float, beta1: float = 0.9,
                    beta2: float = 0.999, epsilon: float = 1e-8, wd: float = 0.0, eta: float,
                    clip_gradient: float = -1.0):  # fmt: skip
    """`_adamw_update` of weight32; the result has the dtype of weight."""
    new, mean, var = adamw(weight32, widened(grad), mean, var, rescale_grad, lr, eta, beta1, beta2, epsilon,
                           wd, clip_gradient)  # fmt: skip
    return new, mean, var, new


def ftml_numbers(attrs):
    beta1, beta2, t = rounded(attrs["beta1"]), rounded(attrs["beta2"]), attrs["t"]
    bound = attrs["clip_grad"]
    kept = {k: attrs[k] for k in ("epsilon", "wd", "rescale_grad")} | {"beta1": beta1, "beta2": beta2}
    first, second = (1 - beta1**t) / attrs["lr"], 1 - beta2**t
    return kept | {"first": first, "second": second, "clip_grad": None if bound < 0 else bound}


def ftml(weight, grad, d, v, z, beta1, beta2, epsilon, wd, rescale_grad, first, second, clip_grad):
    g = decayed(grad, weight, wd, rescale_grad, clip_grad)
    v = v * beta2 + square(g) * (1 - beta2)
    new_d = (sqrt(v / second) + epsilon) * first
    z = z * beta1 + g * (1 - beta1) - (new_d - d * beta1) * weight
    return -z / new_d, new_d, v, z


@update(
    states=("d", "v", "z"), numbers=ftml_numbers, body=ftml,
    cases=[
        case(*[uniform(3, 4, **POSITIVE)] * 5, lr=0.1, t=1),
        case(*[uniform(3, **POSITIVE)] * 5, lr=0.1, t=3, wd=0.01, rescale_grad=0.5, clip_grad=0.3),
    ],
)  # fmt: skip
def ftml_update(weight, grad, d, v, z, *, lr: float, beta1: float = 0.6, beta2: float = 0.999,
                epsilon: float = 1e-8, t: int, wd: float = 0.0, rescale_grad: float = 1.0,
                clip_grad: float = -1.0):  # fmt: skip
    """Follow the moving leader (Zheng, Kwok 2017); `t` counts the updates from 1."""


@update(
    states=("z", "n"),
    storage=FTRL,
    cases=[
        case(uniform(3, 4), uniform(3, 4), uniform(3, 4), uniform(3, 4, **POSITIVE), lr=0.1),
        case(uniform(3), uniform(3), uniform(3), uniform(3, **POSITIVE), lamda1=0.5, beta=2.0, **CLIP),
    ],
)  # fmt: skip
def ftrl_update(weight, grad, z, n, *, lr: float, lamda1: float = 0.01, beta: float = 1.0, wd: float = 0.0,
                rescale_grad: float = 1.0, clip_gradient: float = -1.0):  # fmt: skip
    """Follow the regularized leader: weights whose |z| is at most lamda1 become 0 (McMahan et al. 2013)."""
    g = clipped(grad * rescale_grad, clip_gradient)
    new_n = n + square(g)
    z = z + g - (sqrt(new_n) - sqrt(n)) * weight / lr
    shrunk = sign(z) * maximum(absolute(z) - lamda1, 0)
    return -shrunk / ((sqrt(new_n) + beta) / lr + wd), z, new_n


@update(
    states=("n",),
    cases=[
        case(uniform(3, 4), uniform(3, 4), uniform(3, 4, **POSITIVE), lr=0.1),
        case(uniform(3), uniform(3), uniform(3, **POSITIVE), gamma1=0.9, clip_weights=0.5, **CLIP),
    ],
)  # fmt: skip
def rmsprop_update(weight, grad, n, *, lr: float, gamma1: float = 0.95, epsilon: float = 1e-8,
                   wd: float = 0.0, rescale_grad: float = 1.0, clip_gradient: float = -1.0,
                   clip_weights: float = -1.0):  # fmt: skip
    """weight - lr g / sqrt(n + epsilon), with n the moving average of squares (Tieleman, Hinton 2012)."""
    g = decayed(grad, weight, wd, rescale_grad, clip_gradient)
    n = n * gamma1 + square(g) * (1 - gamma1)
    return clipped(weight - g * lr / sqrt(n + epsilon), clip_weights), n


@update(
    states=("n", "g", "delta"),
    cases=[
        case(uniform(3, 4), uniform(3, 4), uniform(3, 4, **LARGE), uniform(3, 4, **SMALL),
             uniform(3, 4), lr=0.1),
        case(uniform(3), uniform(3), uniform(3, **LARGE), uniform(3, **SMALL), uniform(3),
             gamma1=0.9, gamma2=0.8, clip_weights=0.5, **CLIP),
    ],
)  # fmt: skip
def rmspropalex_update(weight, grad, n, g, delta, *, lr: float, gamma1: float = 0.95, gamma2: float = 0.9,
                       epsilon: float = 1e-8, wd: float = 0.0, rescale_grad: float = 1.0,
                       clip_gradient: float = -1.0, clip_weights: float = -1.0):  # fmt: skip
    """RMSProp by the moving variance instead of the moving square, with momentum gamma2 (Graves 2013)."""
    step = decayed(grad, weight, wd, rescale_grad, clip_gradient)
    n = n * gamma1 + square(step) * (1 - gamma1)
    g = g * gamma1 + step * (1 - gamma1)
    delta = delta * gamma2 - step * lr / sqrt(n - square(g) + epsilon)
    return clipped(weight + delta, clip_weights), n, g, delta


# --- LAMB --------------------------------------------------------------------------------------------------
def lamb_numbers(attrs):
    bound = attrs["clip_gradient"]
    corrected = attrs["bias_correction"]
    beta1, beta2, t = rounded(attrs["beta1"]), rounded(attrs["beta2"]), attrs["t"]
    kept = {k: attrs[k] for k in ("epsilon", "wd", "rescale_grad")} | {"beta1": beta1, "beta2": beta2}
    first, second = (1 - beta1**t, 1 - beta2**t) if corrected else (1.0, 1.0)
    return kept | {"first": first, "second": second, "clip_gradient": None if bound < 0 else bound}


def lamb_phase1(weight, grad, mean, var, beta1, beta2, epsilon, wd, rescale_grad, first, second,
                clip_gradient):  # fmt: skip
    mean, var = averages(clipped(grad * rescale_grad, clip_gradient), mean, var, beta1, beta2)
    return mean / first / (sqrt(var / second) + epsilon) + weight * wd, mean, var


def mp_lamb_phase1(weight, grad, mean, var, weight32, **numbers):
    return lamb_phase1(weight32, widened(grad), mean, var, **numbers)


@update(
    states=("mean", "var"), numbers=lamb_numbers, body=lamb_phase1,
    cases=[
        case(*[uniform(3, 4, **POSITIVE)] * 4, t=1),
        case(*[uniform(3, **POSITIVE)] * 4, t=3, wd=0.1, rescale_grad=0.5, clip_gradient=0.3),
        case(*[uniform(3, **POSITIVE)] * 4, t=3, bias_correction=False),
    ],
)  # fmt: skip
def lamb_update_phase1(weight, grad, mean, var, *, beta1: float = 0.9, beta2: float = 0.999,
                       epsilon: float = 1e-6, t: int, bias_correction: bool = True, wd: float = 0.0,
                       rescale_grad: float = 1.0, clip_gradient: float = -1.0):  # fmt: skip
    """The direction of a layer's step (You et al. 2019): Adam's, plus wd weight. `t` counts from 1."""


@update(
    states=("mean", "var"), numbers=lamb_numbers, body=mp_lamb_phase1, widens=True,
    full=("mean", "var", "weight32"),
    cases=[case(half(3), half(3), single(3), single(3, **POSITIVE), single(3), t=3, wd=0.1)],
)  # fmt: skip
def mp_lamb_update_phase1(weight, grad, mean, var, weight32, *, beta1: float = 0.9, beta2: float = 0.999,
                          epsilon: float = 1e-6, t: int, bias_correction: bool = True, wd: float = 0.0,
                          rescale_grad: float = 1.0, clip_gradient: float = -1.0):  # fmt: skip
    """`lamb_update_phase1` of weight32, in float32."""


def trust(r1, r2, lower_bound, upper_bound):
    """r1 / r2 with r1 between the bounds; 1 where one of them is 0."""
    if lower_bound is not None:
        r1 = maximum(r1, lower_bound)
    if upper_bound is not None:
        r1 = minimum(r1, upper_bound)
    known = differ(r1, 0) * differ(r2, 0)
    return (r1 * known + (1 - known)) / (r2 * known + (1 - known))


@update(
    single=("r1", "r2"),
    cases=[
        case(uniform(3, 4), uniform(3, 4), given([0.7]), given([0.4]), lr=0.1),
        case(uniform(3), uniform(3), given([7.0]), given([0.4]), lr=0.1, lower_bound=0.5, upper_bound=2.0),
        case(uniform(3), uniform(3), given([0.0]), given([0.4]), lr=0.1),
        case(uniform(3), uniform(3), given([0.7]), given([0.0]), lr=0.1),
    ],
)  # fmt: skip
def lamb_update_phase2(weight, g, r1, r2, *, lr: float, lower_bound: float = -1.0,
                       upper_bound: float = -1.0):  # fmt: skip
    """weight - lr r1 / r2 g, for r1 and r2 the norms of the weight and of g; the bounds are those of r1."""
    return weight - g * (trust(r1, r2, lower_bound, upper_bound) * lr)


@update(
    states=("weight32",), single=("r1", "r2"), full=("g", "r1", "r2", "weight32"),
    cases=[case(half(3), single(3), given([0.7], "float32"), given([0.4], "float32"), single(3), lr=0.1)],
)  # fmt: skip
def mp_lamb_update_phase2(weight, g, r1, r2, weight32, *, lr: float, lower_bound: float = -1.0,
                          upper_bound: float = -1.0):  # fmt: skip
    """`lamb_update_phase2` of weight32; the result has the dtype of weight."""
    new = weight32 - g * (trust(r1, r2, lower_bound, upper_bound) * lr)
    return new, new


def both_numbers(attrs):
    """The numbers of both phases."""
    bounds = {name: None if attrs[name] < 0 else attrs[name] for name in ("lower_bound", "upper_bound")}
    return lamb_numbers(attrs) | {"lr": attrs["lr"]} | bounds


class Lamb(Update):
    """Both phases of LAMB; between them the norms of the weight and of the direction."""

    def __init__(self, *args, phases, **options):
        self.phases = phases
        super().__init__(*args, numbers=both_numbers, **options)

    def run(self, inputs, numbers, out):
        """See `Update.run`."""
        first, second = self.phases
        one, two = of_phases(numbers)
        g = first.run(inputs, one, None)
        weight = inputs[4] if len(inputs) > 4 else inputs[0]
        norms = [norm.compute([x], norm.parse_attrs({}))[0] for x in (weight, g)]
        return second.run([inputs[0], g, *norms, *inputs[4:]], two, out)

    def evaluate(self, arrays, numbers):
        """See `Update.evaluate`."""
        first, second = self.phases
        one, two = of_phases(numbers)
        g = first.evaluate(arrays, one)
        norms = np.linalg.norm(arrays[4] if len(arrays) > 4 else arrays[0]), np.linalg.norm(g)
        return second.evaluate([arrays[0], g, *norms, *arrays[4:]], two)


def of_phases(numbers):
    """The numbers of each phase."""
    second = ("lr", "lower_bound", "upper_bound")
    return {k: x for k, x in numbers.items() if k not in second}, {k: numbers[k] for k in second}


@update(
    form=Lamb, name="_lamb_update", states=("mean", "var"), phases=(lamb_update_phase1, lamb_update_phase2),
    cases=[case(*[uniform(3, **POSITIVE)] * 4, lr=0.1, t=2, wd=0.1, lower_bound=0.5)],
)  # fmt: skip
def lamb_update(weight, grad, mean, var, *, lr: float, beta1: float = 0.9, beta2: float = 0.999,
                epsilon: float = 1e-6, t: int, bias_correction: bool = True, wd: float = 0.0,
                rescale_grad: float = 1.0, clip_gradient: float = -1.0, lower_bound: float = -1.0,
                upper_bound: float = -1.0):  # fmt: skip
    """Both phases of LAMB, with the norms that are between them."""


@update(
    form=Lamb, name="_mp_lamb_update", states=("mean", "var", "weight32"), full=("mean", "var", "weight32"),
    phases=(mp_lamb_update_phase1, mp_lamb_update_phase2),
    cases=[case(half(3), half(3), single(3), single(3, **POSITIVE), single(3), lr=0.1, t=2, wd=0.1)],
)  # fmt: skip
def mp_lamb_update(weight, grad, mean, var, weight32, *, lr: float, beta1: float = 0.9, beta2: float = 0.999,
                   epsilon: float = 1e-6, t: int, bias_correction: bool = True, wd: float = 0.0,
                   rescale_grad: float = 1.0, clip_gradient: float = -1.0, lower_bound: float = -1.0,
                   upper_bound: float = -1.0):  # fmt: skip
    """`_lamb_update` of weight32; the result has the dtype of weight."""
