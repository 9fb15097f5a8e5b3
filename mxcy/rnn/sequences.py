"""Sequences of symbols as one symbol or as lists of steps."""

from __future__ import annotations

from typing import Any

from .. import symbol as sym
from ..errors import AssertedArgumentError, message, problem
from ..symbol import Symbol

__all__ = ["formatted", "split_steps", "zeros_for"]


def split_steps(inputs: Symbol, length: int | None, axis: int) -> list[Symbol]:
    """Return the steps of a sequence."""
    if len(inputs.list_outputs()) != 1:
        text = "a group of symbols is no sequence; convert it to a list"
        raise AssertedArgumentError(problem("unroll", "inputs", text))
    return list(sym.split(inputs, axis=axis, num_outputs=length, squeeze_axis=True))


def formatted(length: int | None, inputs: Any, layout: str, merge: bool | None) -> tuple[Any, int]:
    """Return (sequence, axis of time).

    The sequence is one symbol with `merge`, a list of steps with False, and as it is with None.
    """
    if inputs is None:
        text = "unroll(inputs=None) has been deprecated; create input variables outside of unroll"
        raise AssertedArgumentError(problem("unroll", "inputs", text))
    axis = layout.find("T")
    if isinstance(inputs, Symbol):
        return (split_steps(inputs, length, axis) if merge is False else inputs), axis
    if length is not None and len(inputs) != length:
        raise AssertedArgumentError(message("unroll", "inputs", f"{length} steps", len(inputs)))
    if merge is True:
        inputs = sym.Concat(*[sym.expand_dims(step, axis=axis) for step in inputs], dim=axis)
    return inputs, axis


def zeros_for(inputs: Any, axis: int) -> Any:
    """Return a function that makes states before the first step, for as many samples as the inputs have.

    MXNet writes zeros of shape (0, units) there, whose batch follows from what reads them.
    """

    def make(name: str, shape: tuple, **_: Any) -> Symbol:
        step = inputs if isinstance(inputs, Symbol) else inputs[0]
        if isinstance(inputs, Symbol):
            step = sym.squeeze(sym.slice_axis(inputs, axis=axis, begin=0, end=1), axis=axis)
        axes = tuple(range(1, len(shape)))
        if len(shape) == 3:  # of the fused operator: (layers, batch, units)
            column = sym.zeros_like(sym.slice_axis(step, axis=-1, begin=0, end=1))
            column = sym.expand_dims(column, axis=0)
            return sym.broadcast_axis(column, axis=(0, 2), size=(shape[0], shape[2]), name=name)
        for one in axes:
            step = sym.slice_axis(step, axis=one, begin=0, end=1)
        return sym.broadcast_axis(sym.zeros_like(step), axis=axes, size=shape[1:], name=name)

    return make
