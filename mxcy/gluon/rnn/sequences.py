"""Sequences as one array or as lists of steps, for arrays and symbols."""

from __future__ import annotations

from typing import Any

from ... import ndarray as nd
from ... import symbol as sym
from ..._array import Array
from ...errors import AssertedArgumentError, message, problem
from ...switches import is_np_array
from ...symbol import Symbol
from ..nesting import converted

__all__ = ["first_states", "formatted", "masked", "reversed_steps", "state_of"]

TENSORS = (Array, Symbol)


def module_of(value: Any) -> Any:
    """mx.nd or mx.sym, whichever has the operators of a value."""
    return sym if isinstance(value, Symbol) else nd


def formatted(length: int | None, inputs: Any, layout: str, merge: bool | None,
              in_layout: str | None = None) -> tuple[Any, int, Any, int]:  # fmt: skip
    """Return (sequence, axis of time, mx.nd or mx.sym, batch size or 0).

    With `merge` the sequence is one array, with False a list of steps, with None it stays what it is.
    """
    if inputs is None:
        text = "unroll(inputs=None) has been deprecated; create input variables outside of unroll"
        raise AssertedArgumentError(problem("unroll", "inputs", text))
    axis = layout.find("T")
    in_axis = axis if in_layout is None else in_layout.find("T")
    if isinstance(inputs, TENSORS):
        F = module_of(inputs)
        size = inputs.shape[layout.find("N")] if F is nd else 0  # type: ignore[union-attr]
        if merge is False:
            inputs = steps_of(F, inputs, in_axis, length)
        elif axis != in_axis:
            inputs = F.swapaxes(inputs, dim1=axis, dim2=in_axis)
        return inputs, axis, F, size
    if length is not None and len(inputs) != length:
        raise AssertedArgumentError(message("unroll", "inputs", f"{length} steps", len(inputs)))
    F = module_of(inputs[0])
    size = inputs[0].shape[0] if F is nd else 0
    if merge is True:
        inputs = F.stack(*inputs, axis=axis)
    return inputs, axis, F, size


def steps_of(F: Any, inputs: Any, axis: int, length: int | None) -> list:
    """A sequence as a list of steps."""
    if F is nd:
        if length is not None and inputs.shape[axis] != length:
            raise AssertedArgumentError(message("unroll", "inputs", f"{length} steps", inputs.shape[axis]))
        length = inputs.shape[axis]
    elif len(inputs.list_outputs()) != 1:
        text = "a group of symbols is no sequence; convert it to a list"
        raise AssertedArgumentError(problem("unroll", "inputs", text))
    found = F.split(inputs, axis=axis, num_outputs=length, squeeze_axis=True)
    return list(found) if isinstance(found, (list, Symbol)) else [found]


def zeros_for(inputs: Any, axis: int) -> Any:
    """A function that makes states of symbols, whose batch is as large as that of the inputs."""

    def make(shape: tuple, name: str | None = None, **_: Any) -> Symbol:
        step = inputs if isinstance(inputs, Symbol) else inputs[0]
        if isinstance(inputs, Symbol):
            step = sym.squeeze(sym.slice_axis(inputs, axis=axis, begin=0, end=1), axis=axis)
        axes = tuple(range(1, len(shape)))
        for one in axes:
            step = sym.slice_axis(step, axis=one, begin=0, end=1)
        return sym.broadcast_axis(sym.zeros_like(step), axis=axes, size=shape[1:], name=name)

    return make


def masked(F: Any, data: Any, length: int, valid_length: Any, axis: int, merge: bool) -> Any:
    """A sequence with zeros behind its valid length."""
    whole = data if isinstance(data, TENSORS) else F.stack(*data, axis=axis)
    whole = F.SequenceMask(whole, sequence_length=valid_length, use_sequence_length=True, axis=axis)
    return whole if merge else steps_of(F, whole, axis, length)


def reversed_steps(steps: Any, length: int, valid_length: Any = None) -> list:
    """The steps in opposite order; with a valid length, only those before it."""
    if valid_length is None:
        return list(reversed(list(steps)))
    F = module_of(steps[0])
    turned = F.SequenceReverse(F.stack(*steps, axis=0), sequence_length=valid_length,
                               use_sequence_length=True)  # fmt: skip
    return steps_of(F, turned, 0, length)


def first_states(cell: Any, F: Any, given: Any, inputs: Any, batch_size: int, axis: int = 1) -> list:
    """The states before the first step: those given, else zeros; `axis` is that of time in one array."""
    if given is not None:
        return given
    if F is not nd:
        return cell.begin_state(func=zeros_for(inputs, axis))
    context = inputs.context if isinstance(inputs, Array) else inputs[0].context
    with context:
        return cell.begin_state(func=nd.zeros, batch_size=batch_size)


def state_of(func: Any, name: str, info: dict) -> Any:
    """A state made by a function of mx.nd or mx.sym, or by one of the user's."""
    if func in (nd.zeros, nd.ones):
        made = func(**{key: value for key, value in info.items() if key != "__layout__"})
        return converted(made, is_np_array())
    if func in (sym.zeros, sym.ones):
        labels = {"__layout__": info.pop("__layout__")} if "__layout__" in info else None
        return func(name=name, attr=labels, **info)
    return func(name=name, **info)
