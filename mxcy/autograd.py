"""`mx.autograd`: gradients of what was computed, as in MXNet 1.9.1.

    x = mx.nd.array([1.0, 2.0])
    x.attach_grad()
    with mx.autograd.record():
        y = (x * x).sum()
    y.backward()
    x.grad  # [2. 4.]

While a thread records, operators on arrays that depend on one with an attached gradient are noted with
the values that their gradient rules read. The rules are those of symbols' graphs, written in operators, so
that a gradient can be recorded and differentiated again, to any order (`grad(..., create_graph=True)`).
What a thread records or trains is its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import symbol
from ._array import Array
from .errors import ArgumentError, ArgumentTypeError, StateError, message, problem
from .ndarray import NDArray, _backward, _tape
from .ndarray._tape import OFF, RECORDING, STATE, Node, alias, set_mode
from .symbol import Symbol

__all__ = [
    "Function",
    "NDArray",
    "Symbol",
    "backward",
    "get_symbol",
    "grad",
    "is_recording",
    "is_training",
    "mark_variables",
    "pause",
    "predict_mode",
    "record",
    "set_recording",
    "set_training",
    "train_mode",
]


# --- what a thread does ---------------------------------------------------------------------------
def is_recording() -> bool:
    """Return whether this thread records."""
    return STATE.mode == RECORDING


def is_training() -> bool:
    """Return whether operators of this thread behave as in training (Dropout drops)."""
    return STATE.train


def set_recording(is_recording: bool) -> bool:
    """Start or stop recording in this thread; return whether it did."""
    return set_mode(RECORDING if is_recording else OFF, STATE.train)[0] == RECORDING


def set_training(train_mode: bool) -> bool:
    """Set whether operators of this thread behave as in training; return whether they did."""
    return set_mode(STATE.mode, bool(train_mode))[1]


class _Scope:
    """A `with` block in which a thread records or not (None: as outside) and trains or not."""

    def __init__(self, recording: bool | None, training: bool | None):
        self._recording = recording
        self._training = training
        self._outside: list[tuple[int, bool]] = []

    def __enter__(self) -> None:
        mode = STATE.mode if self._recording is None else RECORDING if self._recording else OFF
        train = STATE.train if self._training is None else bool(self._training)
        self._outside.append(set_mode(mode, train))

    def __exit__(self, *error: object) -> None:
        set_mode(*self._outside.pop())


def record(train_mode: bool | None = True) -> _Scope:
    """Return a scope in which operators are recorded, behaving as in training unless `train_mode=False`."""
    return _Scope(True, train_mode)


def pause(train_mode: bool | None = False) -> _Scope:
    """Return a scope in which nothing is recorded, inside one of `record`."""
    return _Scope(False, train_mode)


def train_mode() -> _Scope:
    """Return a scope in which operators behave as in training."""
    return _Scope(None, True)


def predict_mode() -> _Scope:
    """Return a scope in which operators behave as in prediction."""
    return _Scope(None, False)


# --- gradients ------------------------------------------------------------------------------------
def _arrays(name: str, argument: str, given: Any, none: bool = False) -> list:
    """One array or several as a list."""
    found = list(given) if isinstance(given, (list, tuple)) else [given]
    for x in found:
        if not isinstance(x, Array) and not (none and x is None):
            raise ArgumentTypeError(message(name, argument, "NDArrays", type(x).__name__))
    return found


def mark_variables(variables: Any, gradients: Any, grad_reqs: Any = "write") -> None:
    """Attach buffers for their gradients to arrays, as `attach_grad` does with new ones."""
    arrays = _arrays("mark_variables", "variables", variables)
    buffers = _arrays("mark_variables", "gradients", gradients)
    reqs = [grad_reqs] * len(arrays) if isinstance(grad_reqs, str) else list(grad_reqs)
    if not len(arrays) == len(buffers) == len(reqs):
        got = f"{len(arrays)}, {len(buffers)} and {len(reqs)}"
        raise ArgumentError(message("mark_variables", None, "as many gradients and grad_reqs", got))
    for x, buffer, req in zip(arrays, buffers, reqs, strict=True):
        x._attach(alias(buffer), req)


def backward(heads: Any, head_grads: Any = None, retain_graph: bool = False, train_mode: bool = True) -> None:
    """Compute the gradients of arrays and put them into `x.grad` of all arrays that have one.

    `head_grads` are the gradients of the heads, ones if not given. The graph is freed unless
    `retain_graph`. Raises StateError for a head that was not recorded, or a graph that was freed.
    """
    given = None if head_grads is None else _arrays("backward", "head_grads", head_grads, none=True)
    _backward.backward(_arrays("backward", "heads", heads), given, retain_graph, train_mode)


def grad(
    heads: Any,
    variables: Any,
    head_grads: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    train_mode: bool = True,
) -> list:
    """Return the gradients of `heads` with respect to `variables` as new arrays.

    Variables are arrays with an attached gradient (which is not touched), or results of recorded
    operators. With `create_graph` the gradients are recorded themselves and can be differentiated; the
    graph is then kept unless `retain_graph=False`. The result is a list, of one variable too, as in MXNet.
    """
    given = None if head_grads is None else _arrays("grad", "head_grads", head_grads, none=True)
    wanted = _arrays("grad", "variables", variables)
    if not wanted:
        raise ArgumentError(message("grad", "variables", "at least one array", "none"))
    return _backward.gradients(
        _arrays("grad", "heads", heads),
        wanted,
        given,
        create_graph if retain_graph is None else retain_graph,
        create_graph,
        train_mode,
    )


def get_symbol(x: Any) -> Any:
    """Return the recorded computation of an array as a Symbol with variables var0, var1, ...

    Raises StateError if it was not recorded, and ArgumentError if it contains what no operator does:
    an index, an assignment or a `Function`.
    """
    if x._tape is None:
        raise StateError(problem("get_symbol", "x", "the array was not recorded"))
    nodes, _ = _backward._reachable("get_symbol", [x._tape[:2]])
    names: list = []
    made: dict = {}

    def variable(place: Any) -> Any:
        if place is not None and place[0] in made:
            return made[place[0]][place[1]]
        names.append(symbol.Variable(f"var{len(names)}"))
        if place is not None:
            made[place[0]] = names[-1:]
        return names[-1]

    for node in nodes:
        operands = tuple([variable(place) for place in node.inputs or ()])
        if node.attrs is not None:
            result = operands[0]._apply(node.op, operands, node.attrs)
        elif hasattr(node.op, "as_symbol"):
            result = node.op.as_symbol(operands)
        else:
            text = f"{node.op.name} is not an operator of symbols"
            raise ArgumentError(problem("get_symbol", "x", text, "use slice, take or reshape of mx.nd"))
        made[node] = [result[i] for i in range(node.visible)]
    return variable(x._tape)


# --- functions with gradients of their own ----------------------------------------------------------
class Function:
    """A function of arrays with a gradient that its author writes.

        class sigmoid(mx.autograd.Function):
            def forward(self, x):
                y = 1 / (1 + mx.nd.exp(-x))
                self.save_for_backward(y)
                return y

            def backward(self, dy):
                (y,) = self.saved_tensors
                return dy * y * (1 - y)

        y = sigmoid()(x)

    `forward` is not recorded. `backward` gets the gradient of every result and returns that of every
    argument (None: no gradient); it is recorded if the gradient is to be differentiated again.
    """

    _saved: tuple = ()

    def forward(self, *inputs: Any) -> Any:
        """Compute the results."""
        raise NotImplementedError

    def backward(self, *output_grads: Any) -> Any:
        """Compute the gradients of the arguments."""
        raise NotImplementedError

    def save_for_backward(self, *arrays: Any) -> None:
        """Keep arrays for `backward`, where they are `self.saved_tensors`."""
        self._saved = arrays

    @property
    def saved_tensors(self) -> tuple:
        """The arrays given to `save_for_backward`."""
        return tuple(self._saved)

    def __call__(self, *inputs: Any) -> Any:
        operands = [alias(x) if isinstance(x, Array) else x for x in inputs]
        was = set_mode(OFF, STATE.train)
        try:
            returned = self.forward(*operands)
        finally:
            set_mode(*was)
        if STATE.mode != RECORDING:
            return returned  # may be symbols: blocks that are hybridised call it with them
        results = [alias(y) for y in _arrays(type(self).__name__, "forward", returned)]
        places = [_tape.place_of(x) for x in inputs]
        if any(places):
            node = Node(_Custom(self, operands, places), None, places, len(results))
            node.shells = [(True, i, _tape.shell(y)) for i, y in enumerate(results)]
            for index, y in enumerate(results):
                y._tape = (node, index, y._version)
        return type(returned)(results) if type(returned) in (list, tuple) else results[0]


class _Custom:
    """Stands on the tape for a use of a `Function`."""

    def __init__(self, function: Function, operands: Sequence, places: Sequence):
        self.name = type(function).__name__
        self._function = function
        by_identity = {id(x): place for x, place in zip(operands, places, strict=True)}
        self._line = _tape.calling_instruction()
        self._saved = [
            (x, None, None)
            if not isinstance(x, Array)
            else (_tape.kept_alias(x), by_identity.get(id(x)), x._version)
            for x in function._saved
        ]

    def gradient(self, g_outputs, inputs, outputs, attrs, wanted):
        """See `Operator.gradient`."""
        saved = []
        for x, place, version in self._saved:
            if version is not None and (x._version != version or _tape.changed_outside(x)):
                by = _tape.writer_of(x)
                text = f"an array that was saved for backward,{_tape.at(self._line)} was overwritten{by}"
                raise StateError(problem(self.name, None, text, "write to a copy, or after backward()"))
            if place is not None and STATE.mode == RECORDING:
                x = alias(x)
                x._tape = place
            saved.append(x)
        self._function._saved = tuple(saved)
        was = set_mode(RECORDING if STATE.mode == RECORDING else OFF, STATE.train)
        try:
            found = self._function.backward(*g_outputs)
        finally:
            set_mode(*was)
        found = list(found) if isinstance(found, (list, tuple)) else [found]
        if len(found) != len(wanted):
            raise ArgumentError(message(self.name, "backward", f"{len(wanted)} gradients", len(found)))
        return found
