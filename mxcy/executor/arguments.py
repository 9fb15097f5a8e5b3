"""Checks what a graph is bound to, and says at once everything that is wrong with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .._index import may_overlap
from ..context import Context
from ..errors import ArgumentTypeError, BindError, MXNetError, closest, message
from ..graph.infer import complete, infer_dtypes, infer_shapes
from ..graph.ir import Entry, Graph, Node
from ..graph.place import GROUP
from ..ndarray import NDArray
from ..symbol.inference import given_shape

__all__ = [
    "Arrays", "Problems", "check", "check_contexts", "check_placement", "check_surplus", "dtypes_of",
    "gather", "requests", "shapes_of",
]  # fmt: skip

REQUESTS = ("write", "add", "null")

Arrays = list[NDArray | None]

_LISTED = 20  # names that an error lists


class Problems:
    """Collects what is wrong; `check` raises one error for all of it.

    Names that the graph does not have do no harm by themselves, and programs bind one dict of arrays to
    many graphs, as MXNet lets them: they are part of the error if there is one, and else a warning.
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.found: list[str] = []
        self.inferred: dict[str, dict] = {}  # "shape" and "dtype" of every entry, once they are known
        self.surplus: list[str] = []

    def add(self, text: str) -> None:
        if text not in self.found:  # an argument and its gradient have the same ones
            self.found.append(text)

    def check(self, stacklevel: int = 3) -> None:
        """Raise BindError, or warn at the line `stacklevel` calls up; then forget the warning."""
        if self.found:
            raise BindError(f"bind: {'; '.join([*self.found, *self.surplus])}; {self._known()}")
        if self.surplus:
            text = f"bind: ignored {'; '.join(self.surplus)}; {self._known()}"
            warnings.warn(text, stacklevel=stacklevel + 1)
            self.surplus.clear()

    def _known(self) -> str:
        names = [node.name for node in self.graph.arguments]
        states = [node.name for node in self.graph.states]
        return f"arguments are {_list(names)}" + (f"; states are {_list(states)}" if states else "")


def _list(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def gather(problems: Problems, what: str, nodes: Sequence[Node], given: Any, optional: bool) -> Arrays:
    """Return the arrays for these variables, in order, from a list or a dict by name."""
    if given is None:
        given = {}
    if isinstance(given, Mapping):
        found = [given.get(node.name) for node in nodes]
        _check_names(problems, what, nodes, given)
    elif isinstance(given, (list, tuple)):
        found = [*given[: len(nodes)], *[None] * (len(nodes) - len(given))]
        if len(given) != len(nodes):
            problems.add(f"expected {len(nodes)} arrays in {what}, got {len(given)}")
            return [None] * len(nodes)
    else:
        expected = "a list or a dict of arrays"
        raise ArgumentTypeError(message("bind", what, expected, type(given).__name__))
    for node, array in zip(nodes, found, strict=True):
        if array is not None and not isinstance(array, NDArray):
            problems.add(f"{what} '{node.name}' expected an NDArray, got {type(array).__name__}")
    missing = [node.name for node, array in zip(nodes, found, strict=True) if array is None]
    if missing and not optional:
        noun = "array" if len(missing) == 1 else "arrays"
        problems.add(f"missing {noun} in {what} for {', '.join(map(repr, missing))}")
    return [array if isinstance(array, NDArray) else None for array in found]


def _check_names(problems: Problems, what: str, nodes: Sequence[Node], given: Mapping) -> None:
    """Find names that several variables have, and those that none has."""
    names = [node.name for node in nodes]
    repeats = bool(given) and len({*names}) < len(names)
    for name in sorted({name for name in names if names.count(name) > 1}) if repeats else ():
        problems.add(f"{names.count(name)} variables have the name '{name}'; give {what} in order")
    check_surplus(problems, what, nodes, given)


def check_surplus(problems: Problems, what: str, nodes: Sequence[Node], given: Mapping) -> None:
    """Find names that no variable has."""
    names = {node.name for node in nodes}
    surplus = [name for name in given if name not in names]
    for name in surplus[:_LISTED]:
        near = closest(str(name), names)
        hint = f" (did you mean {' or '.join(near)}?)" if near else ""
        problems.surplus.append(f"surplus '{name}' in {what}{hint}")
    if len(surplus) > _LISTED:
        problems.surplus.append(f"{len(surplus) - _LISTED} more in {what}")


def requests(problems: Problems, nodes: Sequence[Node], given: Any) -> list[str]:
    """Return for each argument what becomes of its gradient: "write", "add" or "null"."""
    if isinstance(given, str):
        found = [given] * len(nodes)
    elif isinstance(given, Mapping):
        _check_names(problems, "grad_req", nodes, given)
        found = [given.get(node.name, "null") for node in nodes]
    elif isinstance(given, (list, tuple)) and len(given) == len(nodes):
        found = list(given)
    else:
        problems.add(f"expected one grad_req, {len(nodes)} in a list, or a dict, got {given!r}")
        return ["null"] * len(nodes)
    for req in dict.fromkeys(str(req) for req in found):
        if req not in REQUESTS:
            problems.add(f"expected grad_req among {', '.join(REQUESTS)}, got {req!r}")
    return found


def check_placement(problems: Problems, ctx: Context, group2ctx: Mapping[str, Context] | None) -> None:
    """Find groups without a place, and those that belong on another kind of device."""
    for group, place in (group2ctx or {}).items():
        if not isinstance(place, Context):
            problems.add(f"group2ctx '{group}' expected a Context, got {type(place).__name__}")
        elif place.device_type != ctx.device_type:
            problems.add(f"group2ctx '{group}' expected a context of type {ctx.device_type}, got {place}")
    if group2ctx:
        used = dict.fromkeys(node.labels[GROUP] for node in problems.graph.nodes if GROUP in node.labels)
        lacking = [group for group in used if group not in group2ctx]
        if lacking:
            problems.add(f"group2ctx expected a context for {', '.join(map(repr, lacking))}")


def check_contexts(problems: Problems, ctx: Context, args: Arrays, grads: Arrays, states: Arrays) -> None:
    """Find arrays on another device than the executor's."""
    graph = problems.graph
    named = [(f"'{node.name}'", array) for node, array in zip(graph.arguments, args, strict=True)]
    named += [(f"'{node.name}'", array) for node, array in zip(graph.states, states, strict=True)]
    named += [
        (f"gradient of '{node.name}'", array) for node, array in zip(graph.arguments, grads, strict=True)
    ]
    for name, array in named:
        if array is not None and array.context != ctx:
            problems.add(f"{name} expected to be on {ctx}, got {array.context} (or give group2ctx)")


def check(problems: Problems, args: Arrays, grads: Arrays, states: Arrays) -> None:
    """Find arrays that do not fit: shapes and dtypes against the graph, gradients against arguments."""
    graph = problems.graph
    nodes = [*graph.arguments, *graph.states]
    pairs = [(node, array) for node, array in zip(nodes, [*args, *states], strict=True) if array is not None]
    shapes = [(node, array.shape) for node, array in pairs]
    dtypes = [(node, np.dtype(array.dtype)) for node, array in pairs]
    _check_fit(problems, "shape", infer_shapes, shapes)
    _check_fit(problems, "dtype", infer_dtypes, dtypes)
    for node, array, grad in zip(graph.arguments, args, grads, strict=True):
        if array is None or grad is None:
            continue
        if grad.shape != array.shape:
            problems.add(f"gradient of '{node.name}' expected shape {array.shape}, got {grad.shape}")
        if grad.dtype != array.dtype:
            wanted, got = np.dtype(array.dtype), np.dtype(grad.dtype)
            problems.add(f"gradient of '{node.name}' expected dtype {wanted}, got {got}")
    _check_aliases(
        problems, pairs, [(n, g) for n, g in zip(graph.arguments, grads, strict=True) if g is not None]
    )


def _check_fit(problems: Problems, what: str, infer: Any, known: list[tuple[Node, Any]]) -> None:
    """All at once is quick; only if that fails, one after the other, to name each that does not fit."""
    graph = problems.graph
    try:
        problems.inferred[what] = infer(graph, dict(known))
        return
    except MXNetError as error:
        contradiction = str(error)
    fitting: dict[Node, Any] = {}
    values = infer(graph, fitting)
    count = len(problems.found)
    for node, value in known:
        expected = values.get(Entry(node, 0))
        try:
            values = infer(graph, {**fitting, node: value})
            fitting[node] = value
        except MXNetError as error:
            wanted = (
                f"expected {what} {expected}, got {value}" if expected else f"has {what} {value}: {error}"
            )
            problems.add(f"'{node.name}' {wanted}")
    if len(problems.found) == count:
        problems.add(contradiction)


def _check_aliases(problems: Problems, read: list, written: list) -> None:
    """A gradient must share no memory with an argument, a state or another gradient."""
    owners: dict[int, list[tuple[str, NDArray]]] = {}
    for node, array in read:
        owners.setdefault(array._storage_id, []).append((f"'{node.name}'", array))
    for node, array in written:
        others = owners.setdefault(array._storage_id, [])
        shared = next((name for name, other in others if may_overlap(array, other)), None)
        if shared is not None:
            problems.add(f"gradient of '{node.name}' shares memory with {shared}")
        others.append((f"the gradient of '{node.name}'", array))


def _known(graph: Graph, given: Mapping[str, Any], read: Callable) -> dict[Node, Any]:
    return {n: read(n.name, given[n.name]) for n in graph.variables if given.get(n.name) is not None}


def shapes_of(problems: Problems, given: Mapping[str, Any]) -> dict[Node, tuple]:
    """The shape of every variable; raise BindError that names all that do not follow."""
    graph = problems.graph
    check_surplus(problems, "shapes", graph.variables, given)
    values = problems.inferred["shape"] = infer_shapes(graph, _known(graph, given, given_shape))
    found = {node: values.get(Entry(node, 0)) for node in graph.variables}
    unknown = [
        f"'{node.name}' ({shape or 'unknown'})" for node, shape in found.items() if not complete(shape)
    ]
    if unknown:
        problems.add(f"expected shapes from which all others follow, not those of {', '.join(unknown)}")
        problems.check()
    return {node: shape for node, shape in found.items() if shape is not None}


def dtypes_of(problems: Problems, given: Mapping[str, Any]) -> dict[Node, np.dtype]:
    """The dtype of every variable; float32 where nothing says another."""
    graph = problems.graph
    known = _known(graph, given, lambda name, dtype: np.dtype(dtype))
    values = infer_dtypes(graph, known)
    floats = [node for node in graph.variables if values.get(Entry(node, 0)) is None]
    if floats:
        values = infer_dtypes(graph, {**known, **dict.fromkeys(floats, np.dtype(np.float32))})
    problems.inferred["dtype"] = values
    return {node: np.dtype(values[Entry(node, 0)]) for node in graph.variables}
