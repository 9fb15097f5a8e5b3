"""What training loops of programs import from `mx.model`: how a store or an updater changes parameters.

Arrays come as lists with one entry for each parameter: a list of its copies, or gradients, on all devices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ndarray import NDArray
from .stores import reduce_gradients, store_for

__all__ = ["_create_kvstore", "_initialize_kvstore", "_update_params", "_update_params_on_kvstore"]


def _create_kvstore(kvstore: Any, num_device: int, arg_params: dict[str, NDArray]) -> tuple[Any, bool]:
    """Return (store or None, whether it runs the optimizer) for None, a name or a store."""
    return store_for(kvstore, num_device, arg_params)


def _initialize_kvstore(kvstore: Any, param_arrays: Sequence, arg_params: dict[str, NDArray],
                        param_names: Sequence[str], update_on_kvstore: bool) -> None:  # fmt: skip
    """Give parameters to a store; one that updates them copies them to all devices."""
    for name, copies in zip(param_names, param_arrays, strict=True):
        value = arg_params[name]
        if update_on_kvstore and value.stype == "default":
            kvstore.broadcast(name, value, out=copies)
        else:
            kvstore.init(name, value)


def _update_params_on_kvstore(param_arrays: Sequence, grad_arrays: Sequence, kvstore: Any,
                              param_names: Sequence[str]) -> None:  # fmt: skip
    """Push gradients to a store that updates parameters, and pull these."""
    for i, (copies, gradients) in enumerate(zip(param_arrays, grad_arrays, strict=True)):
        if gradients[0] is not None:
            reduce_gradients(kvstore, param_names[i], gradients, -i, copies)


def _update_params(param_arrays: Sequence, grad_arrays: Sequence, updater: Callable, num_device: int,
                   kvstore: Any = None, param_names: Sequence[str] = ()) -> None:  # fmt: skip
    """Update the copies of each device, by the sums of the gradients if there is a store.

    The updater sees parameter i on device k as i * num_device + k, so that each copy has a state.
    """
    updates: list[list] = [[] for _ in range(num_device)]
    for i, (copies, gradients) in enumerate(zip(param_arrays, grad_arrays, strict=True)):
        if gradients[0] is None:
            continue
        if kvstore is not None:
            reduce_gradients(kvstore, param_names[i], gradients, -i)
        for k, (weight, gradient) in enumerate(zip(copies, gradients, strict=True)):
            updates[k].append((i * num_device + k, gradient, weight))
    for of_device in updates:
        if of_device:
            updater(*map(list, zip(*of_device, strict=True)))
