"""Updates of `nd.contrib` as MXNet spells them: lists of arrays, and a scale that may be a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._array import Array
from ..ops import lookup
from . import _creation as creation

__all__ = [
    "adamw_update",
    "mp_adamw_update",
    "multi_adamw_update",
    "multi_lamb_update",
    "multi_mp_adamw_update",
    "multi_mp_lamb_update",
    "reset_arrays",
]


def scale_on(scale: Any, context: Any) -> Any:
    """A scale of gradients as an array of one float32 on a device."""
    if isinstance(scale, Array):
        return scale.as_in_context(context)
    return creation.full((1,), scale, ctx=context)


def interleaved(*lists: Sequence) -> list:
    """The first of each list, then the second of each, and so on."""
    return [array for group in zip(*lists, strict=True) for array in group]


def adamw_update(weight, grad, mean, var, rescale_grad, lr, eta, beta1=0.9, beta2=0.999, epsilon=1e-8, wd=0,
                 clip_gradient=-1, out=None, name=None, **kwargs):  # fmt: skip
    """AdamW's step: see `_adamw_update`. `rescale_grad` is a number or an array of one."""
    scale = scale_on(rescale_grad, weight.context)
    return lookup("_adamw_update")(weight, grad, mean, var, scale, lr=lr, eta=eta, beta1=beta1, beta2=beta2,
                                   epsilon=epsilon, wd=wd, clip_gradient=clip_gradient, out=out,
                                   **kwargs)  # fmt: skip


def mp_adamw_update(weight, grad, mean, var, weight32, rescale_grad, lr, eta, beta1=0.9, beta2=0.999,
                    epsilon=1e-8, wd=0, clip_gradient=-1, out=None, name=None, **kwargs):  # fmt: skip
    """AdamW's step of a float32 copy of the weight."""
    scale = scale_on(rescale_grad, weight.context)
    return lookup("_mp_adamw_update")(weight, grad, mean, var, weight32, scale, lr=lr, eta=eta, beta1=beta1,
                                      beta2=beta2, epsilon=epsilon, wd=wd, clip_gradient=clip_gradient,
                                      out=out, **kwargs)  # fmt: skip


def multi_adamw_update(weights, grads, mean, var, rescale_grad, lrs, wds, etas, out=None, name=None, size=0,
                       **kwargs):  # fmt: skip
    """AdamW's step of several weights."""
    scale = scale_on(rescale_grad, weights[0].context)
    arrays = [*interleaved(weights, grads, mean, var), scale]
    return lookup("_multi_adamw_update")(*arrays, out=out, num_weights=size or len(weights), lrs=lrs, wds=wds,
                                         etas=etas, **kwargs)  # fmt: skip


def multi_mp_adamw_update(weights, grads, mean, var, weights32, rescale_grad, lrs, wds, etas, out=None,
                          name=None, size=0, **kwargs):  # fmt: skip
    """AdamW's step of float32 copies of several weights."""
    scale = scale_on(rescale_grad, weights[0].context)
    arrays = [*interleaved(weights, grads, mean, var, weights32), scale]
    return lookup("_multi_mp_adamw_update")(*arrays, out=out, num_weights=size or len(weights), lrs=lrs,
                                            wds=wds, etas=etas, **kwargs)  # fmt: skip


def multi_lamb_update(weights, grads, mean, var, step_count, lrs, wds, out=None, num_tensors=0, **kwargs):
    """LAMB's step of several weights."""
    arrays = interleaved(weights, grads, mean, var)
    return lookup("_multi_lamb_update")(*arrays, out=out, num_tensors=num_tensors or len(weights),
                                        step_count=step_count, learning_rates=lrs, wds=wds,
                                        **kwargs)  # fmt: skip


def multi_mp_lamb_update(weights, grads, mean, var, weights32, step_count, lrs, wds, out=None, num_tensors=0,
                         **kwargs):  # fmt: skip
    """LAMB's step of float32 copies of several weights."""
    arrays = interleaved(weights, grads, mean, var, weights32)
    return lookup("_multi_mp_lamb_update")(*arrays, out=out, num_tensors=num_tensors or len(weights),
                                           step_count=step_count, learning_rates=lrs, wds=wds,
                                           **kwargs)  # fmt: skip


def reset_arrays(*data: Any, num_arrays: int | None = None) -> None:
    """Set all elements of all arrays to 0."""
    for array in data:
        array[:] = 0
