"""`infer_shape` and `infer_type` in the words of MXNet: names, 0 for unknown, lists of results.

With NumPy's shapes (`mx.util.np_shape`) an unknown extent is -1 and an unknown shape None.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..dtypes import code_of, numpy_dtype
from ..errors import ArgumentError, ArgumentTypeError, message
from ..graph.infer import Shape, infer_dtypes, infer_shapes, unknown
from ..graph.ir import Entry, Graph, Node
from ..switches import is_np_shape
from . import text

__all__ = ["dtypes", "given_shape", "shapes"]


def shapes(graph: Graph, args: Sequence, kwargs: Mapping[str, Any], partial: bool):
    """Return the shapes of arguments, outputs and states; see `Symbol.infer_shape`."""
    known = _given(graph, "infer_shape", args, kwargs, given_shape)
    values = infer_shapes(graph, known)
    if not partial and _warn_unknown(graph, values, "shape"):
        return None, None, None
    return _listed(graph, lambda entry: _shown(values.get(entry)))


def dtypes(graph: Graph, args: Sequence, kwargs: Mapping[str, Any], partial: bool):
    """Return the dtypes of arguments, outputs and states, as MXNet's classes; see `Symbol.infer_type`."""
    known = _given(graph, "infer_type", args, kwargs, lambda name, given: numpy_dtype(code_of(given)))
    values = infer_dtypes(graph, known)
    if not partial and _warn_unknown(graph, values, "type"):
        return None, None, None

    def listed(entry: Entry) -> type | None:
        dtype = values.get(entry)
        return None if dtype is None else dtype.type

    return _listed(graph, listed)


def given_shape(name: str, given: Any) -> Shape:
    """Return a shape as given by a user, where 0, -1 and None are unknown extents, and () says nothing.

    With NumPy's shapes, 0 is an extent and () a shape.
    """
    try:
        extents = [-1 if extent is None else operator.index(extent) for extent in given]
    except TypeError:
        raise ArgumentTypeError(message("infer_shape", name, "a tuple of integers", repr(given))) from None
    if is_np_shape():
        return tuple(extent if extent >= 0 else None for extent in extents)
    return tuple(extent if extent > 0 else None for extent in extents) or None


def _given(
    graph: Graph, op: str, args: Sequence, kwargs: Mapping[str, Any], read: Callable
) -> dict[Node, Any]:
    """What the user said of each variable; a name that several variables have means all of them."""
    if args and kwargs:
        raise ArgumentError(message(op, None, "values in order, or by name", "both"))
    if len(args) > len(graph.arguments):
        raise ArgumentError(message(op, None, f"at most {len(graph.arguments)} values", len(args)))
    known = {
        node: read(node.name, v) for node, v in zip(graph.arguments, args, strict=False) if v is not None
    }
    names = [node.name for node in graph.variables]
    for name in kwargs:
        if name not in names:
            raise ArgumentError(text.unknown_name(op, None, "the name of an argument", name, names))
    for node in graph.variables:
        if kwargs.get(node.name) is not None:
            known[node] = read(node.name, kwargs[node.name])
    return known


def _warn_unknown(graph: Graph, values: Mapping[Entry, Any], what: str) -> bool:
    """Say which arguments could not be decided, if any."""
    missing = unknown(values, [Entry(node, 0) for node in graph.variables])
    missing = missing or unknown(values, graph.heads)
    if missing:
        shown = ", ".join(missing[:12]) + (f" and {len(missing) - 12} more" if len(missing) > 12 else "")
        function = f"infer_{what}"
        warnings.warn(
            message(function, None, f"enough known to decide the {what} of {shown}", "less",
                    f"give some of them, or use {function}_partial"),
            stacklevel=4,
        )  # fmt: skip
    return bool(missing)


def _shown(shape: Shape) -> tuple[int, ...] | None:
    if is_np_shape():
        return None if shape is None else tuple(-1 if extent is None else extent for extent in shape)
    return tuple(extent or 0 for extent in shape or ())


def _listed(graph: Graph, value: Callable[[Entry], Any]) -> tuple[list, list, list]:
    arguments = [value(Entry(node, 0)) for node in graph.arguments]
    states = [value(Entry(node, 0)) for node in graph.states]
    return arguments, [value(head) for head in graph.heads], states
