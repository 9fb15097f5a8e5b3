"""`nd.contrib.foreach`, `while_loop` and `cond`: plain Python loops over arrays, which autograd records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError, AssertedArgumentError, ShapeError, message, problem
from ..graph.structure import flatten, regroup
from ._creation import blank
from .ndarray import NDArray

__all__ = ["cond", "foreach", "while_loop"]


def foreach(body: Callable, data: Any, init_states: Any) -> tuple[Any, Any]:
    """Run a function for every slice of data along axis 0, handing on states.

    >>> import mxcy as mx
    >>> x = mx.nd.array([1, 2, 3])
    >>> outs, states = mx.nd.contrib.foreach(lambda d, s: (d + s, d + s), x, mx.nd.zeros(1))
    >>> outs.asnumpy().ravel().tolist()
    [1.0, 3.0, 6.0]

    `body` takes a slice (of each of the data, if they are a list) and the states; it returns (outputs, new
    states), each an array or nested lists of arrays. Returns (outputs, states): the outputs of all steps
    stacked along axis 0, and the states at the end.
    """
    flat, _ = flatten("foreach", "data", data, NDArray)
    flatten("foreach", "init_states", init_states, NDArray)
    if not flat:
        raise AssertedArgumentError(message("foreach", "data", "at least one array", "none"))
    if len({len(x) for x in flat}) > 1:
        got = " and ".join(str(len(x)) for x in flat)
        raise ShapeError(message("foreach", "data", "arrays of one length along axis 0", got))
    single = isinstance(data, NDArray)
    states, rows, form = init_states, [], None
    for number in range(len(flat[0])):
        outs, states = body(data[number] if single else [x[number] for x in data], states)
        items, form = flatten("foreach", "output of body", outs, NDArray)
        rows.append(items)
    stacked = [ops.stack(*column) for column in zip(*rows, strict=True)]
    return ([] if form is None else regroup(stacked, form)), states


def while_loop(cond: Callable, func: Callable, loop_vars: Any, max_iterations: int | None = None) -> Any:
    """Run a function on variables while a condition on them holds.

    >>> import mxcy as mx
    >>> i = mx.nd.zeros(1)
    >>> outs, i = mx.nd.contrib.while_loop(lambda i: i < 2, lambda i: (i * 10, i + 1), i, 3)
    >>> outs.asnumpy().ravel().tolist()
    [0.0, 10.0, 0.0]

    `cond` takes the variables and returns an array with one element, or a number; `func` takes the
    variables and returns (outputs, new variables), the outputs None, an array or nested lists. Returns
    (outputs, variables): the outputs stacked along axis 0, with `max_iterations` rows that are zero beyond
    the last step (an empty list, if there was no step), and the variables at the end.
    """
    limit = _converted(max_iterations, int, "max_iterations")
    single = isinstance(loop_vars, NDArray)
    variables = [loop_vars] if single else loop_vars
    if not len(variables):
        raise ArgumentError(message("while_loop", "loop_vars", "at least one array", "none"))
    rows: list[list] = []
    form: Any = None
    while len(rows) < limit and _converted(cond(*variables), bool, "cond"):
        outs, new = func(*variables)
        new = [] if new is None else [new] if isinstance(new, NDArray) else list(new)
        if len(new) != len(variables):
            expected = f"{len(variables)} new variables"
            raise ArgumentError(message("while_loop", "func", expected, len(new)))
        variables = new
        items, form = flatten("while_loop", "output of func", [] if outs is None else outs, NDArray)
        rows.append(items)
        if len(items) != len(rows[0]):
            expected = f"{len(rows[0])} outputs, as in the first step"
            raise ArgumentError(message("while_loop", "func", expected, len(items)))
    stacked = [_padded(number, column, limit) for number, column in enumerate(zip(*rows, strict=True))]
    outputs = stacked if form is None else regroup(stacked, form)
    return outputs, variables[0] if single else variables


def cond(pred: Any, then_func: Callable, else_func: Callable) -> Any:
    """Return what `then_func()` returns if `pred` (an array with one element, or a number) is not zero,
    and else what `else_func()` returns.
    """
    return then_func() if _converted(pred, bool, "pred") else else_func()


def _converted(value: Any, kind: type, argument: str) -> Any:
    """A number from one, or from an array with one element."""
    name = "cond" if argument == "pred" else "while_loop"
    if isinstance(value, NDArray):
        value = value.asscalar()
    try:
        return kind(value)
    except (TypeError, ValueError):
        text = f"{type(value).__name__} is no {'truth value' if kind is bool else 'integer'}"
        raise ArgumentError(problem(name, argument, text)) from None


def _padded(number: int, column: tuple, rows: int) -> NDArray:
    """Arrays of one shape, stacked, with zeros below up to so many rows."""
    shapes = [x.shape for x in column]
    if len({*shapes}) > 1:
        got = ", ".join(map(str, dict.fromkeys(shapes)))
        raise ShapeError(message("while_loop", "func", f"one shape of output {number} in all steps", got))
    stacked = ops.stack(*column)
    if len(column) == rows:
        return stacked
    rest = blank((rows - len(column), *shapes[0]), ctx=stacked.context, dtype=np.dtype(stacked.dtype))
    return ops.concat(stacked, rest, dim=0)
