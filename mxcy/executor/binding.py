"""`bind` and `simple_bind`: executors on the user's arrays, or on new ones."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..context import Context
from ..errors import ArgumentTypeError, message
from ..graph.ir import Node
from ..graph.place import place
from ..graph.storage import gradient_storage, stype_of
from ..ndarray import NDArray
from ..ndarray._creation import blank
from .arguments import (
    Arrays,
    Problems,
    check,
    check_contexts,
    check_placement,
    check_surplus,
    dtypes_of,
    gather,
    requests,
    shapes_of,
)
from .executor import Executor

__all__ = ["bind", "simple_bind", "without_collection"]


@contextmanager
def without_collection() -> Iterator[None]:
    """Make objects without the garbage collector, which would walk a growing graph again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@without_collection()
def bind(
    symbol: Any,
    ctx: Any,
    args: Any,
    args_grad: Any = None,
    grad_req: Any = "write",
    aux_states: Any = None,
    group2ctx: Mapping | None = None,
    shared_exec: Executor | None = None,
) -> Executor:
    """Return an executor of a symbol on the arrays given; see `Symbol.bind`."""
    if not isinstance(ctx, Context):
        raise ArgumentTypeError(message("bind", "ctx", "a Context", type(ctx).__name__))
    graph = symbol._graph
    problems = Problems(graph)
    arguments = gather(problems, "args", graph.arguments, args, optional=False)
    states = gather(problems, "aux_states", graph.states, aux_states, optional=False)
    grads = gather(problems, "args_grad", graph.arguments, args_grad, optional=True)
    reqs = requests(problems, graph.arguments, grad_req)
    grads = [grad if req != "null" else None for grad, req in zip(grads, reqs, strict=True)]
    check_placement(problems, ctx, group2ctx)
    _check_shared(problems, shared_exec)
    if not group2ctx:
        check_contexts(problems, ctx, arguments, grads, states)
    check(problems, arguments, grads, states)
    problems.check(stacklevel=4)
    return Executor(symbol, ctx, arguments, grads, reqs, states, group2ctx, shared_exec, problems.inferred)


@without_collection()
def simple_bind(
    symbol: Any,
    ctx: Any,
    grad_req: Any,
    type_dict: Mapping | None,
    stype_dict: Mapping | None,
    group2ctx: Mapping | None,
    shared_arg_names: Sequence[str] | None,
    shared_exec: Executor | None,
    shared_buffer: dict | None,
    shapes: Mapping[str, Any],
) -> Executor:
    """Return an executor of a symbol on new arrays; see `Symbol.simple_bind`."""
    graph = symbol._graph
    problems = Problems(graph)
    if not isinstance(ctx, Context):
        raise ArgumentTypeError(message("simple_bind", "ctx", "a Context", type(ctx).__name__))
    reqs = requests(problems, graph.arguments, grad_req)
    check_placement(problems, ctx, group2ctx)
    _check_shared(problems, shared_exec)
    check_surplus(problems, "type_dict", graph.variables, type_dict or {})
    check_surplus(problems, "stype_dict", graph.variables, stype_dict or {})
    for name, stype in (stype_dict or {}).items():
        if stype not in (None, "default", "csr", "row_sparse"):
            problems.add(f"stype_dict '{name}' expected 'default', 'csr' or 'row_sparse', got {stype!r}")
    if problems.found:
        problems.check()
    found = shapes_of(problems, shapes)
    problems.check(stacklevel=4)
    dtypes = dtypes_of(problems, type_dict or {})
    given = _Given(shared_arg_names, shared_exec, shared_buffer)
    contexts = place(graph, ctx, group2ctx)[1] if group2ctx else {}

    stypes = {node: (stype_dict or {}).get(node.name) or stype_of(node) for node in graph.variables}

    def new(node: Node, stype: str) -> NDArray:
        return blank(found[node], ctx=contexts.get(node, ctx), dtype=dtypes[node], stype=stype)

    def make(node: Node) -> NDArray:
        shared = given.take(node.name, found[node], dtypes[node])
        fits = shared is not None and shared.stype == stypes[node]
        return shared if fits else new(node, stypes[node])  # type: ignore[return-value]

    args: Arrays = [given.put(node.name, make(node)) for node in graph.arguments]
    states: Arrays = [new(node, "default") for node in graph.states]
    wanted = [node for node, req in zip(graph.arguments, reqs, strict=True) if req != "null"]
    made = dict(zip(wanted, gradient_storage(graph, wanted, stypes, found), strict=True))
    grads: Arrays = [new(node, made[node]) if node in made else None for node in graph.arguments]
    return Executor(symbol, ctx, args, grads, reqs, states, group2ctx, shared_exec, problems.inferred)


def _check_shared(problems: Problems, executor: Any) -> None:
    if executor is not None and not isinstance(executor, Executor):
        problems.add(f"shared_exec expected an Executor, got {type(executor).__name__}")


class _Given:
    """Arguments that a new executor takes over from another one, or from a dict that several share."""

    def __init__(self, names: Sequence[str] | None, executor: Executor | None, buffer: dict | None):
        self._own = {name: executor.arg_dict.get(name) for name in names or ()} if executor else {}
        self._buffer = buffer

    def take(self, name: str, shape: tuple, dtype: np.dtype) -> NDArray | None:
        """Return the array of this name, if it has this shape and dtype."""
        found = self._own.get(name)
        if found is None and self._buffer is not None:
            found = self._buffer.get(name)
        return found if found is not None and (found.shape, np.dtype(found.dtype)) == (shape, dtype) else None

    def put(self, name: str, value: NDArray) -> NDArray:
        """Enter an array for others."""
        if self._buffer is not None:
            self._buffer[name] = value
        return value
