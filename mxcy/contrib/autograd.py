"""The first interface of autograd, from before `mx.autograd`: sections for recording, gradient functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .. import autograd
from ..autograd import mark_variables
from ..errors import AssertedArgumentError, message
from ..ndarray import NDArray, zeros_like

__all__ = [
    "TrainingStateScope",
    "backward",
    "compute_gradient",
    "grad",
    "grad_and_loss",
    "mark_variables",
    "set_is_training",
    "test_section",
    "train_section",
]


def set_is_training(is_train: bool) -> bool:
    """Set whether to record and to train, both at once; return whether it was recorded before."""
    autograd.set_training(is_train)
    return autograd.set_recording(is_train)


class TrainingStateScope:
    """A block in which operations are recorded for training, or neither."""

    def __init__(self, enter_state: bool):
        self._state = enter_state
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(set_is_training(self._state))

    def __exit__(self, *error: object) -> None:
        set_is_training(self._before.pop())


def train_section() -> TrainingStateScope:
    """Return a block that records and trains."""
    return TrainingStateScope(True)


def test_section() -> TrainingStateScope:
    """Return a block that neither records nor trains."""
    return TrainingStateScope(False)


def backward(
    outputs: Sequence[NDArray], out_grads: Sequence | None = None, retain_graph: bool = False
) -> None:
    """Compute the gradients of a list of outputs by the marked variables."""
    if not isinstance(outputs, (list, tuple)):
        expected = "a list of NDArrays"
        raise AssertedArgumentError(message("backward", "outputs", expected, type(outputs).__name__))
    autograd.backward(outputs, out_grads, retain_graph)


def compute_gradient(outputs: Sequence[NDArray]) -> None:
    """Compute the gradients of outputs; `backward` is its later name."""
    backward(outputs)


def grad_and_loss(func: Callable, argnum: int | list[int] | None = None) -> Callable:
    """Return a function that returns the gradients of `func` by its arguments, and its result.

    Gradients are by all arguments, or by those at the places `argnum`.

    >>> from mxcy import nd
    >>> grads, loss = grad_and_loss(lambda x: x * x)(nd.array([3.0]))
    >>> grads[0].asscalar(), loss.asscalar()
    (np.float32(6.0), np.float32(9.0))
    """

    @functools.wraps(func)
    def wrapped(*args: Any) -> tuple[list[NDArray], Any]:
        places = range(len(args)) if argnum is None else argnum if isinstance(argnum, list) else [argnum]
        variables = [args[place] for place in places]
        for x in variables:
            if not isinstance(x, NDArray):
                raise AssertedArgumentError(message("grad_and_loss", "args", "NDArrays", type(x).__name__))
        grads = [zeros_like(x) for x in variables]
        mark_variables(variables, grads)
        with train_section():
            outputs = func(*args)
        compute_gradient([outputs] if isinstance(outputs, NDArray) else outputs)
        return grads, outputs

    return wrapped


def grad(func: Callable, argnum: int | list[int] | None = None) -> Callable:
    """Return a function that returns the gradients of `func` by its arguments."""
    both = grad_and_loss(func, argnum)

    @functools.wraps(both)
    def wrapped(*args: Any) -> list[NDArray]:
        return both(*args)[0]

    return wrapped
