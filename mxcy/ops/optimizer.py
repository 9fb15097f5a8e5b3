"""Updates of parameters: each is one pointwise program that also writes the optimizer's state in place.

`out` is usually the weight itself, which is then updated in place too.  Without `out` the new weight is
returned and the state is written all the same, as in MXNet.
"""

from functools import cache

import numpy as np

from .._pointwise import Program, invoke
from ..dtypes import DTYPES, code_of
from ..errors import ShapeError
from ._cases import case, raises, uniform
from ._declare import ZERO, op
from ._layer import equal_shapes
from ._trace import SCALAR, trace, ufunc


def descend(grad, weight, wd, rescale_grad, bounds):
    """The gradient as every optimizer here takes it: scaled, clipped, then with weight decay."""
    step = grad * rescale_grad
    if bounds:
        low, high = bounds.values()
        step = ufunc.minimum(ufunc.maximum(step, low), high)
    return step + weight * wd


def sgd(weight, grad, lr, wd, rescale_grad, **bounds):
    return weight - descend(grad, weight, wd, rescale_grad, bounds) * lr


def sgd_mom(weight, grad, mom, lr, momentum, wd, rescale_grad, **bounds):
    moved = mom * momentum - descend(grad, weight, wd, rescale_grad, bounds) * lr
    return weight + moved, moved


@cache
def update_program(body, tensors: int, code: int, names: tuple[str, ...]) -> Program:
    """Compile the body for arrays of one dtype and run-time numbers with these names."""
    steps = trace(body, [DTYPES[code]] * tensors + [None] * len(names), dict.fromkeys(names, SCALAR))
    return steps.compile([code] * tensors + [float] * len(names))


def run_update(body, arrays: tuple, states: tuple, out, clip_gradient: float, **scalars: float):
    """Push one update of `arrays[0]`; negative `clip_gradient` means none. Return the new weight."""
    if clip_gradient >= 0:
        scalars |= {"low": -clip_gradient, "high": clip_gradient}
    program = update_program(body, len(arrays), code_of(arrays[0].dtype), tuple(scalars))
    return invoke(program, [*arrays, *map(float, scalars.values())], [out, *states])[0]


def step_reference(weight, grad, wd, rescale_grad, clip_gradient):
    grad = grad * rescale_grad
    if clip_gradient >= 0:
        grad = np.clip(grad, -clip_gradient, clip_gradient)
    return grad + wd * weight


def sgd_reference(weight, grad, lr, wd=0.0, rescale_grad=1.0, clip_gradient=-1.0, lazy_update=True):
    return weight - lr * step_reference(weight, grad, wd, rescale_grad, clip_gradient)


@op(
    grad=ZERO, ref=sgd_reference, kinds="f",
    infer=lambda shapes, attrs, outs: equal_shapes("sgd_update", shapes, outs),
    cases=[
        case(uniform(3, 4), uniform(3, 4), lr=0.1),
        case(uniform(3), uniform(3), lr=0.1, wd=0.01, rescale_grad=0.5, clip_gradient=0.3),
        raises(ShapeError, uniform(2), uniform(3), lr=0.1, match="expected shape (2,), got (3,)"),
    ],
)  # fmt: skip
def sgd_update(weight, grad, *, lr: float, wd: float = 0.0, rescale_grad: float = 1.0,
               clip_gradient: float = -1.0, lazy_update: bool = True, out):  # fmt: skip
    """weight - lr (clip(rescale_grad grad) + wd weight). `clip_gradient` below 0 does not clip."""
    return run_update(sgd, (weight, grad), (), out, clip_gradient, lr=lr, wd=wd, rescale_grad=rescale_grad)


def sgd_mom_reference(weight, grad, mom, lr, momentum=0.0, wd=0.0, rescale_grad=1.0, clip_gradient=-1.0,
                      lazy_update=True):  # fmt: skip
    return weight + momentum * mom - lr * step_reference(weight, grad, wd, rescale_grad, clip_gradient)


@op(
    grad=ZERO, ref=sgd_mom_reference, kinds="f",
    infer=lambda shapes, attrs, outs: equal_shapes("sgd_mom_update", shapes, outs),
    cases=[
        case(uniform(3, 4), uniform(3, 4), uniform(3, 4), lr=0.1),
        case(uniform(3), uniform(3), uniform(3), lr=0.1, momentum=0.9, wd=0.01, rescale_grad=0.5,
             clip_gradient=0.3),
        raises(ShapeError, uniform(2), uniform(2), uniform(3), lr=0.1, match="expected shape (2,), got (3,)"),
    ],
)  # fmt: skip
def sgd_mom_update(weight, grad, mom, *, lr: float, momentum: float = 0.0, wd: float = 0.0,
                   rescale_grad: float = 1.0, clip_gradient: float = -1.0, lazy_update: bool = True,
                   out):  # fmt: skip
    """weight + mom, after mom became momentum mom - lr (clip(rescale_grad grad) + wd weight)."""
    return run_update(sgd_mom, (weight, grad, mom), (mom,), out, clip_gradient, lr=lr, momentum=momentum,
                      wd=wd, rescale_grad=rescale_grad)  # fmt: skip
