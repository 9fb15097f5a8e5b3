"""Functions of the namespace on autograd's tape.

A function (`_ufunc.ufunc`, `_calls.Through`, `_calls.Own`) has a `rule`: how the gradients of its operands
are made of that of its result, in functions of the same namespace, so that gradients have gradients. The
names of a rule's arguments say what it reads, and nothing else is kept: `g` is the gradient of the result,
`y` the result, `like_a` the shape and dtype of operand a, other names are arguments of the function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as _np

from .._array import Array, as_face
from .._export import count_write
from .._index import same_view
from ..errors import StateError, problem
from ..kernels import cpu as kernels
from ..ndarray import _tape
from ..ndarray._tape import (
    RECORDING,
    STATE,
    Node,
    Session,
    alias,
    note_write,
    place_of,
    refuse_integers,
    refuse_leaves,
    shell,
)

__all__ = [
    "CONSTANT", "WITHOUT_GRADIENT", "Rule", "as_other_face", "get_item", "record", "set_item", "stripped",
    "wrote",
]  # fmt: skip


class _Constant:
    """The rule of functions whose result does not change with small changes of their operands.

    Other functions take the result as a constant. `backward` of the result itself gives zeros.
    """

    def apply(self, function: Any, args: tuple, kwargs: dict) -> Any:
        """Compute the function and remember what of."""
        result = function.compute(stripped(args), stripped(kwargs))
        if kwargs.get("out") is None:
            _enter(_tape.Flat(function.__name__), result, (args, kwargs))
        return result


class _WithoutGradient:
    """The rule of functions without a gradient: `backward` says so if it comes to one."""

    def apply(self, function: Any, args: tuple, kwargs: dict) -> Any:
        """Compute the function and enter it on the tape."""
        if kwargs.get("out") is not None:
            raise no_gradient(function.__name__)
        result = function.compute(stripped(args), stripped(kwargs))
        _enter(_Missing(function.__name__), result, (args, kwargs))
        return result


class _Missing:
    """A use of a function without gradient; stands on the tape in the place of an operator."""

    def __init__(self, name: str):
        self.name = name

    def gradient(self, g_outputs: list, inputs: list, outputs: list, attrs: Any, wanted: Sequence) -> list:
        """See `Operator.gradient`."""
        raise no_gradient(self.name)


CONSTANT = _Constant()
WITHOUT_GRADIENT = _WithoutGradient()


def _enter(use: Any, result: Any, arguments: tuple) -> None:
    """Give the arrays of a result places on the tape, each with a node of its own."""
    results = result if isinstance(result, (tuple, list)) else (result,)
    arrays = [y for y in results if isinstance(y, Array) and y._tape is None]
    if not arrays or STATE.mode != RECORDING:
        return
    places = [place for place in map(place_of, _arrays_in(arguments)) if place is not None]
    if places:
        for y in arrays:
            y._tape = (Node(use, None, places), 0, y._version)


def _arrays_in(values: Any) -> list:
    """All arrays among arguments and in lists of them."""
    if isinstance(values, Array):
        return [values]
    if type(values) is dict:
        values = values.values()
    elif type(values) not in (list, tuple):
        return []
    return [x for value in values for x in _arrays_in(value)]


def is_recording() -> bool:
    """Whether this thread records."""
    return STATE.mode == RECORDING


def wrote(x: Any) -> None:
    """Take note of a write, for arrays that autograd keeps."""
    if Session.count:
        note_write(x, STATE.mode == RECORDING)


def stripped(values: Any) -> Any:
    """Arguments with arrays that are not on the tape."""
    if isinstance(values, Array):
        return alias(values) if values._tape is not None else values
    if type(values) in (list, tuple):
        return type(values)(stripped(x) for x in values)
    if type(values) is dict:
        return {name: stripped(x) for name, x in values.items()}
    return values


def record(function: Any, args: tuple, kwargs: dict) -> Any:
    """Do a call of which at least one argument may be on the tape, and enter it there."""
    if isinstance(function, tuple):
        raise no_gradient(f"{function[0].__name__}.{function[1]}")
    rule = function.rule
    if rule is None:
        raise no_gradient(function.__name__)
    return rule.apply(function, args, kwargs)


def no_gradient(name: str) -> StateError:
    hint = "detach() its arguments, or call it outside record()"
    return StateError(problem(name, None, "the function has no gradient", hint))


class Rule:
    """Gradients of a function: operand -> function of what its argument names say."""

    def __init__(self, gradients: dict[str, Callable], names: Sequence[str], defaults: dict | None = None):
        self.gradients = gradients
        self.names = tuple(names)
        self.defaults = defaults or {}
        self.reads = {name: tuple(inspect.signature(f).parameters) for name, f in gradients.items()}

    def apply(self, function: Any, args: tuple, kwargs: dict) -> Any:
        """Compute the function and enter it on the tape."""
        out = kwargs.get("out")
        out = out[0] if isinstance(out, tuple) else out
        if out is not None:
            refuse_leaves(function.__name__, [out])
        bound = dict(zip(self.names, args, strict=False))
        bound.update({name: x for name, x in kwargs.items() if name != "out"})
        use = Use(self, function.__name__, bound)
        use.refuse_others()
        places = [place_of(x) for x in use.tensors]
        if not any(places):
            return function.compute(stripped(args), stripped(kwargs))
        node = Node(use, None, places)
        use.keep_operands(node, places, out)
        result = function.compute(stripped(args), stripped(kwargs))
        if out is not None:
            result = out
        _link(use, node, result)
        return result


def _link(use: Use, node: Node, result: Any) -> None:
    """Give results their places on the tape."""
    several = isinstance(result, (tuple, list))
    results = list(result) if several else [result]
    node.visible = len(results)
    if "y" in use.read:
        for i, y in enumerate(results):
            node.saved.append((True, i, _tape.kept_alias(y), None, y._version))
    if several:
        for i, y in enumerate(results):
            node.shells.append((True, i, shell(y)))
    for i, y in enumerate(results):
        if isinstance(y, Array) and _np.dtype(y.dtype).kind in "fciubV":
            y._tape = (node, i, y._version)
    use.several = several
    use.tensors = []


class Use:
    """A use of a function; stands on the tape in the place of an operator."""

    def __init__(self, rule: Rule, name: str, bound: dict):
        self.name = name
        self.rule = rule
        self.several = False
        self.tensors: list = []
        self.bound = {key: bound.get(key, default) for key, default in rule.defaults.items()} | bound
        self.holes: dict[str, Any] = {}
        for operand in rule.gradients:
            value = self.bound.get(operand)
            if isinstance(value, Array):
                self.holes[operand] = self._add(value)
            elif isinstance(value, (list, tuple)):
                self.holes[operand] = [self._add(x) if isinstance(x, Array) else None for x in value]
        self.read = {name for operand in self.holes for name in rule.reads[operand]}

    def _add(self, x: Any) -> int:
        self.tensors.append(x)
        return len(self.tensors) - 1

    def refuse_others(self) -> None:
        """Raise StateError if an argument that the rule does not know is on the tape."""
        for name, value in self.bound.items():
            values = value if isinstance(value, (list, tuple)) else [value]
            if name not in self.holes and any(place_of(x) is not None for x in values):
                text = f"the function has no gradient with respect to {name}"
                raise StateError(problem(self.name, name, text, "detach() it"))

    def keep_operands(self, node: Node, places: list, out: Any) -> None:
        """Save what the rule reads of the operands, and replace arrays by their positions."""
        for operand, hole in self.holes.items():
            positions = hole if isinstance(hole, list) else [hole]
            for i in positions:
                if i is None:
                    continue
                x = self.tensors[i]
                if operand in self.read:
                    node.saved.append(_tape._kept(i, x, places[i], out))
                elif f"like_{operand}" in self.read:
                    node.shells.append((False, i, shell(x)))
            self.bound[operand] = None if not isinstance(hole, list) else list(self.bound[operand])
        node.line = _tape.calling_instruction() if node.saved else None

    def gradient(self, g_outputs: list, inputs: list, outputs: list, attrs: Any, wanted: Sequence) -> list:
        """See `Operator.gradient`."""
        found: list = [None] * len(wanted)
        values: dict[str, Any] = dict(self.bound)
        for operand, hole in self.holes.items():
            if isinstance(hole, list):
                given = self.bound[operand]
                value: Any = [x if i is None else inputs[i] for x, i in zip(given, hole, strict=True)]
            else:
                value = inputs[hole]
            values[operand] = values[f"like_{operand}"] = value
        values["g"] = g_outputs if self.several else g_outputs[0]
        values["y"] = outputs if self.several else outputs[0]
        for operand, hole in self.holes.items():
            positions = hole if isinstance(hole, list) else [hole]
            if not any(i is not None and wanted[i] for i in positions):
                continue
            reads = self.rule.reads[operand]
            got = self.rule.gradients[operand](*[values.get(name) for name in reads])
            for i, g in zip(positions, got if isinstance(hole, list) else [got], strict=True):
                if i is not None and wanted[i]:
                    found[i] = g
        return found


# --- indexing -------------------------------------------------------------------------------------
class Linear:
    """A linear function with one result on the tape: what its transpose gives to each operand."""

    def __init__(self, name: str, *transposed: Callable):
        self.name = name
        self.transposed = transposed

    def gradient(self, g_outputs, inputs, outputs, attrs, wanted):
        """See `Operator.gradient`."""
        return [f(g_outputs[0]) if want else None for f, want in zip(self.transposed, wanted, strict=True)]

    def link(self, places: list, result: Any) -> Any:
        """Enter the result on the tape."""
        if STATE.mode == RECORDING and any(places):
            result._tape = (Node(self, None, places), 0, result._version)
        return result


def frozen(key: Any) -> Any:
    """A key that does not change when the arrays in it do."""
    if isinstance(key, tuple):
        return tuple(frozen(item) for item in key)
    if isinstance(key, Array):
        return key.asnumpy()
    return _np.array(key) if isinstance(key, (list, _np.ndarray)) else key


def get_item(x: Any, key: Any) -> Any:
    """Return x[key], on the tape if this thread records."""
    if STATE.mode != RECORDING or x._tape is None:
        return alias(x)[key]
    place, key, shape = place_of(x), frozen(key), x.shape
    return Linear("getitem", lambda g: put_item(g, key, shape)).link([place], alias(x)[key])


def put_item(g: Any, key: Any, shape: tuple) -> Any:
    """Return zeros of a shape with g added at [key]."""
    result = kernels.full(shape, 0, g.dtype, g._face)
    view = result._view(key)
    if view is None:
        _np.add.at(result.view_numpy(writable=True), key, g.view_numpy())
        count_write(result)
    else:
        kernels.copy(alias(g), out=view)
    return Linear("getitem_backward", lambda h: get_item(h, key)).link([place_of(g)], result)


def set_item(x: Any, key: Any, value: Any) -> None:
    """Do x[key] = value where x or value may be on the tape."""
    if STATE.mode != RECORDING:
        alias(x)[key] = alias(value) if isinstance(value, Array) else value
        note_write(x)
        return
    refuse_leaves("setitem", [x])
    value_place = place_of(value)
    if value_place is not None:
        refuse_integers(x, key)
    place = x._tape if _completes(x, key, value) else place_of(x)
    key = frozen(key)
    alias(x)[key] = alias(value) if isinstance(value, Array) else value
    note_write(x, forget=True)
    if place is not None or value_place is not None:
        like = None if value_place is None else shell(value)
        Linear("setitem", lambda g: erase(g, key), lambda g: fit(get_item(g, key), like)).link(
            [place, value_place], x
        )


def erase(g: Any, key: Any) -> Any:
    """Return a copy of g with zeros at [key]."""
    result = kernels.copy(alias(g))
    result[key] = 0
    return Linear("setitem_backward", lambda h: erase(h, key)).link([place_of(g)], result)


def _completes(x: Any, key: Any, value: Any) -> bool:
    """Whether this ends `x[key] += ...`, which has written x[key] through a view and now assigns it."""
    if x._tape is None or not isinstance(value, Array) or x._tape[0].inputs is None:
        return False
    view = x._view(key)
    return view is not None and same_view(view, value) and x._version == x._tape[2] + 1


def fit(g: Any, like: Any) -> Any:
    """Sum a gradient over the axes along which an operand was broadcast, in the operand's dtype."""
    from ._gradients import fit as fitted  # which is made of functions that need this module

    return fitted(g, like)


# --- other faces ------------------------------------------------------------------------------------
def as_other_face(x: Any, face: str) -> Any:
    """Return a view of an array in the class of `mx.nd` or `mx.np`, on the tape if the array is."""
    from ..ndarray.ndarray import FACE as ND
    from ._ndarray import FACE as NP

    back = {"nd": "np", "np": "nd"}[face]
    shape = x.shape
    made = as_face(x, {"nd": ND, "np": NP}[face])
    if x._tape is not None and x._tape[2] is None and made.shape == shape:
        # The gradient is attached to both, which stand for one leaf.
        made._tape = x._tape
        return made
    place = place_of(x) if STATE.mode == RECORDING else None
    turned = Linear(f"as_{face}_ndarray", lambda g: as_other_face(g, back).reshape(shape))
    return turned.link([place], made)
