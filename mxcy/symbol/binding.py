"""From symbols to executors and gradients.

Executors lie above symbols in the layers, but MXNet's programs call `symbol.bind`. So these methods import
the executor when they are called, the one upward import of symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..context import current_context
from ..dtypes import code_of, numpy_dtype
from ..errors import ArgumentError, ArgumentTypeError, ShapeError, message
from ..graph.estimate import estimate
from ..graph.expression import Expression, Names
from ..graph.gradient import gradient
from ..graph.ir import Graph
from ..graph.plan_memory import Plan
from ..ops import ones_like
from . import text
from .inference import given_shape

__all__ = ["Binding"]


class Binding:
    """The methods of symbols that lead to values and gradients."""

    __slots__ = ()
    _graph: Graph

    def bind(
        self,
        ctx: Any,
        args: Any,
        args_grad: Any = None,
        grad_req: Any = "write",
        aux_states: Any = None,
        group2ctx: dict | None = None,
        shared_exec: Any = None,
    ) -> Any:
        """Return an executor on the arrays given.

        Parameters
        ----------
        ctx : where it runs.
        args : arrays of all arguments, in order or by name.
        args_grad : arrays that gradients are written to, in order (None: not wanted) or by name.
        grad_req : "write", "add" or "null", for all arguments, in order, or by name.
        aux_states : arrays of the auxiliary states, in order or by name.
        group2ctx : contexts of the nodes that have the attribute `ctx_group`, by group; all of the type of
            `ctx`. Values are copied where they pass from one context to another.
        shared_exec : an executor with which the new one shares the memory of results; one of them runs
            after the other.

        Raises BindError that names all arrays that are missing or do not fit. Arrays under names that
        the symbol does not have are ignored, with a warning.
        """
        from ..executor import bind

        return bind(self, ctx, args, args_grad, grad_req, aux_states, group2ctx, shared_exec)

    def simple_bind(
        self,
        ctx: Any,
        grad_req: Any = "write",
        type_dict: dict | None = None,
        stype_dict: dict | None = None,
        group2ctx: dict | None = None,
        shared_arg_names: Sequence[str] | None = None,
        shared_exec: Any = None,
        shared_buffer: dict | None = None,
        **kwargs: Sequence[int],
    ) -> Any:
        """Return an executor on new arrays of zeros, from the shapes of some arguments.

        >>> import mxcy as mx
        >>> y = mx.sym.FullyConnected(mx.sym.Variable("x"), num_hidden=3, name="fc")
        >>> y.simple_bind(mx.cpu(), x=(2, 5)).arg_dict["fc_weight"].shape
        (3, 5)

        Parameters
        ----------
        type_dict : dtypes of arguments by name; others follow, or are float32.
        stype_dict : storage types of arguments by name; others are those of the variables. Gradients have
            the storage that they are computed in.
        shared_arg_names, shared_buffer : names of the arguments that are taken from `shared_exec` where
            it has them in the same shape and dtype, and a dict of arrays to take arguments from and put
            them in.
        **kwargs : shapes of arguments by name.
        """
        from ..executor import simple_bind

        return simple_bind(
            self,
            ctx,
            grad_req,
            type_dict,
            stype_dict,
            group2ctx,
            shared_arg_names,
            shared_exec,
            shared_buffer,
            kwargs,
        )

    def memory(
        self,
        shapes: Mapping[str, Sequence],
        train: bool = False,
        dtypes: Mapping[str, Any] | None = None,
        strategy: str = "both",
        fusion: bool = True,
        paths: int = 1,
        mirror: bool = False,
        budget: int | None = None,
    ) -> Plan:
        """Plan the memory that an executor takes for its results, without allocating any.

        Parameters
        ----------
        shapes : shapes of arguments by name, from which those of all others follow.
        train : whether gradients of all arguments are computed, into arrays of the caller.
        dtypes : dtypes of arguments by name; float32 where nothing says another.
        strategy : "none", "inplace", "coshare" or "both".
        fusion : whether elementwise operators that follow each other run as one.
        paths : how many small nodes shall be able to run in parallel; memory is shared less for it.
        mirror : whether backward computes again what is quick to compute, as with the environment variable
            MXNET_BACKWARD_DO_MIRROR. (The attribute `force_mirroring` chooses single nodes.)
        budget : bytes that results may take; backward computes as much again as that needs, if it can, as
            with MXCY_MEMORY_BUDGET.

        Returns a plan with `total`, `largest_live`, `unplanned` (bytes) and `table()`. Raises ShapeError
        that names what has no known shape, and ArgumentError for a surplus name or another strategy.
        """
        names = [node.name for node in self._graph.variables]
        for name in (*shapes, *(dtypes or {})):
            if name not in names:
                raise ArgumentError(text.unknown_name("memory", "shapes", "an argument", name, names))
        known = {n: given_shape(n.name, shapes[n.name]) for n in self._graph.variables if n.name in shapes}
        types = {
            n: numpy_dtype(code_of((dtypes or {})[n.name]))
            for n in self._graph.variables
            if n.name in (dtypes or {})
        }
        found = estimate(self._graph, known, types, train, strategy, fusion, paths, mirror, budget)
        if isinstance(found, list):
            listed = ", ".join(found[:10]) + (" …" if len(found) > 10 else "")
            raise ShapeError(
                message("memory", "shapes", "shapes from which all others follow", f"none of {listed}")
            )
        return found

    def eval(self, ctx: Any = None, **kwargs: Any) -> list:
        """Return the outputs for arrays given by the names of the arguments."""
        return self.bind(ctx or current_context(), kwargs, grad_req="null").forward()

    def gradient(self, wrt: Sequence[str]) -> Any:
        """Return a symbol with the gradient of the sum of all outputs by each of these arguments.

        It is a graph of the same operators, so that it has a gradient again.
        """
        if isinstance(wrt, str):
            wrt = [wrt]
        variables = {node.name: node for node in self._graph.arguments}
        for name in wrt:
            if not isinstance(name, str):
                raise ArgumentTypeError(message("gradient", "wrt", "names of arguments", repr(name)))
            if name not in variables:
                raise ArgumentError(
                    text.unknown_name("gradient", "wrt", "an argument", name, list(variables))
                )
        names = Names("_head_gradient")
        ones = [ones_like(Expression(head, names)).entry for head in self._graph.heads]
        make: Callable[[Graph], Any] = type(self)
        return make(Graph(gradient(self._graph, [variables[name] for name in wrt], ones)))
