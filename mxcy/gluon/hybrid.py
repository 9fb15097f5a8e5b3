"""`HybridBlock`: a block that is written once for arrays and symbols, and runs as a graph if wanted."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any

from .. import autograd
from .. import ndarray as nd
from .. import symbol as sym
from ..errors import ArgumentError, MXNetError, StateError, problem
from ..ndarray import NDArray
from ..symbol import Symbol
from ._shapes import known
from .block import Block
from .cached import CachedGraph
from .nesting import converted, flatten, has_numpy, kinds, regroup
from .parameter import DeferredInitializationError, ParameterDict

__all__ = ["HybridBlock"]


class HybridBlock(Block):
    """A block whose `hybrid_forward(F, x, ..., **params)` works on arrays (F is mx.nd) and symbols (mx.sym).

    After `hybridize()` the first call traces it into a symbol, and it runs on executors from then on: without
    Python between operators, fused, and with planned memory.

    Parameters: see `Block`.
    """

    def __init__(self, prefix: str | None = None, params: ParameterDict | None = None):
        super().__init__(prefix, params)
        self._cached_graph: Any = ()  # (input symbols, output symbol)
        self._cached_op: CachedGraph | None = None
        self._cached_op_args: list[tuple[bool, Any]] = []  # (whether it is an input, position or parameter)
        self._in_format: Any = None
        self._seen: Any = None  # what `_trace` was not yet asked for
        self._out_format: Any = None
        self._active = False
        self._flags: dict[str, Any] = {}
        self._callback: Callable | None = None
        self._monitor_all = False

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if isinstance(value, HybridBlock):
            self._clear_cached_op()

    def register_child(self, block: Block, name: str | None = None) -> None:
        """See `Block.register_child`; raises ArgumentError for blocks that are not hybrid."""
        if not isinstance(block, HybridBlock):
            text = f"children must be HybridBlocks too, but {block} is of type {type(block).__name__}"
            hint = "if you are using Sequential, try HybridSequential instead"
            raise ArgumentError(problem(type(self).__name__, None, text, hint))
        super().register_child(block, name)
        self._clear_cached_op()

    def hybridize(self, active: bool = True, backend: str | None = None, clear: bool = True,
                  static_alloc: bool = False, static_shape: bool = False, inline_limit: int = 2,
                  forward_bulk_size: int | None = None, backward_bulk_size: int | None = None,
                  **kwargs: Any) -> None:  # fmt: skip
        """Run as a graph from the next call on, or not.

        `static_alloc`, `static_shape`, `inline_limit` and the sizes are accepted: buffers are always kept for
        the shapes that came before. `clear=False` keeps a graph that was traced. There is one backend, which
        optimises every graph; another one that is asked for is logged, as MXNet does where it has it not.
        """
        if backend is not None:
            logging.getLogger(__name__).warning("hybridize: there is no backend %r", backend)
        self._active = active
        self._flags = {"static_alloc": static_alloc, "static_shape": static_shape}
        if clear:
            self._clear_cached_op()
        if active and (self._forward_hooks or self._forward_pre_hooks):
            warnings.warn(
                f'"{self}" is being hybridized while still having forward hook/pre-hook. If "{self}" is a '
                "child of HybridBlock, the hooks will not take effect.", stacklevel=2,
            )  # fmt: skip
        super().hybridize(active, static_alloc=static_alloc, static_shape=static_shape,
                          inline_limit=inline_limit, forward_bulk_size=forward_bulk_size,
                          backward_bulk_size=backward_bulk_size)  # fmt: skip

    def optimize_for(self, x: Any, *args: Any, backend: str | None = None, clear: bool = False,
                     static_alloc: bool = False, static_shape: bool = False, inline_limit: int = 2,
                     forward_bulk_size: int | None = None, backward_bulk_size: int | None = None,
                     **kwargs: Any) -> None:  # fmt: skip
        """Make the graph for these inputs, without computing it; see `hybridize`.

        Raises ArgumentError without a backend, which may be any: there is one, and graphs are always its own.
        """
        if not backend:
            raise ArgumentError(problem("optimize_for", "backend", 'Must specify "backend" to optimize_for'))
        self.hybridize(True, backend, clear, static_alloc, static_shape, inline_limit, forward_bulk_size,
                       backward_bulk_size)  # fmt: skip
        if not kinds([x, *args])[1] or has_numpy([x, *args]):
            self(x, *args)
        else:
            self._build_cache(x, *args)

    def cast(self, dtype: Any) -> None:
        """See `Block.cast`."""
        self._clear_cached_op()
        super().cast(dtype)

    def register_op_hook(self, callback: Callable, monitor_all: bool = False) -> None:
        """Call `callback(node, operator, array)` with the results of every operator of the graph."""
        self._callback = callback
        self._monitor_all = monitor_all
        if self._cached_op is not None:
            self._cached_op.callback = self._monitor()
        super().register_op_hook(callback, monitor_all)

    def _monitor(self) -> tuple[Callable, bool] | None:
        if self._callback is None:
            return None
        operators = {}
        for node in self._cached_graph[1]._graph.nodes:
            if node.op is not None:
                operators.update(dict.fromkeys(node.output_names(), node.op.name))
                for i, name in enumerate(node.op.input_names(node.attrs)):
                    operators[f"{node.name}_{name}"] = operators[f"{node.name}_input{i}"] = node.op.name
        callback = self._callback

        def show(name: str, x: NDArray) -> None:
            if name in operators:  # variables are shown as inputs of operators
                callback(name, operators[name], x)

        return show, self._monitor_all

    # -- tracing ----------------------------------------------------------------------------------------

    def _clear_cached_op(self) -> None:
        vars(self).update(_cached_graph=(), _cached_op=None, _cached_op_args=[])

    def _get_graph(self, *args: Any) -> tuple[list[Symbol], Symbol]:
        """(inputs, outputs) as symbols, traced when they are first needed."""
        if not self._cached_graph:
            flat, form = flatten(args, "input")
            self._trace([arg is not None for arg in flat], form, has_numpy(args))
        return self._cached_graph

    def _trace(self, given: list[bool], form: Any, numpy: bool) -> None:
        """Make the graph for inputs of a format, of which some are not None; `numpy`: of arrays of mx.np."""
        self._in_format = form
        count = sum(given)
        if not count:
            raise ArgumentError(problem(type(self).__name__, None, "all arguments are None"))
        names = iter(["data"] if count == 1 else [f"data{i}" for i in range(count)])
        inputs = [sym.var(next(names)) if is_given else None for is_given in given]
        if numpy:
            inputs = [None if x is None else x.as_np_ndarray() for x in inputs]
        heads, self._out_format = flatten(self._traced(regroup(inputs, form)), "output")
        self._cached_graph = [x for x in inputs if x is not None], sym.Group(heads)

    def _traced(self, inputs: list) -> Any:
        params = {name: parameter.var() for name, parameter in self._reg_params.items()}
        if has_numpy(inputs):
            params = {name: variable.as_np_ndarray() for name, variable in params.items()}
        with self.name_scope():
            return self.hybrid_forward(sym, *inputs, **params)

    def _build_cache(self, *args: Any) -> None:
        """Make the graph and find the parameters that are its inputs."""
        data, out = self._get_graph(*args)
        positions = {x.name: i for i, x in enumerate(data)}
        params = self.collect_params()
        names = out.list_inputs()
        for name in names:
            if name not in params and name not in positions:
                raise ArgumentError(
                    problem(type(self).__name__, None, f"unknown input {name!r} of the graph")
                )
        unused = [i for name, i in positions.items() if name not in names]
        for i in unused:
            text = f"The {i}-th input to HybridBlock is not used by any computation. Is this intended?"
            warnings.warn(text, stacklevel=5)
        idle = [name for name in params if name not in names]
        if idle:
            text = f"Parameter {', '.join(idle)} is not used by any computation. Is this intended?"
            warnings.warn(text, stacklevel=5)
        used = [params[name] for name in names if name in params]
        if any(parameter._deferred_init for parameter in used):
            self._deferred_infer_shape(*args)
            for parameter in used:
                parameter._finish_deferred_init()
        self._cached_op_args = [
            (True, positions[name]) if name in positions else (False, params[name]) for name in names
        ]
        self._cached_op = CachedGraph(out, names, list(positions))  # type: ignore[arg-type]
        self._cached_op.callback = self._monitor()

    def _call_cached_op(self, *args: Any) -> Any:
        if self._cached_op is None:
            self._build_cache(*args)
        flat, form = flatten(args, "input")
        if form != self._in_format:
            shorter, longer = sorted((form, self._in_format), key=len)
            if longer[: len(shorter)] != shorter or any(part != -1 for part in longer[len(shorter) :]):
                text = f"the structure of the arguments is not that of the first call: {form}"
                text += f", first {self._in_format}"
                raise ArgumentError(problem(type(self).__name__, None, text))
        given = [x for x in flat if x is not None]
        context = given[0].context
        arrays = [given[which] if is_input else which.data(context)
                  for is_input, which in self._cached_op_args]  # fmt: skip
        numpy = has_numpy(given)
        run: Any = self._cached_op.interpret if numpy else self._cached_op  # type: ignore[union-attr]
        return regroup(run(converted(arrays, numpy)), self._out_format)

    # -- inference --------------------------------------------------------------------------------------

    def _deferred_infer_shape(self, *args: Any) -> None:
        try:
            self.infer_shape(*args)
        except UnknownError:
            if not self._children:
                raise
            self._run_once(*args)  # layers that know their shapes themselves set them
        except MXNetError as error:
            text = f"deferred initialization failed because shape cannot be inferred. {error}"
            raise ArgumentError(problem(type(self).__name__, None, text)) from error

    def _run_once(self, *args: Any) -> None:
        """Compute the outputs without graphs, for what that does to the parameters of blocks inside."""
        active: list[Any] = []
        self.apply(lambda block: active.append(block) if getattr(block, "_active", False) else None)
        for block in active:
            block._active = False
        try:
            with autograd.pause():
                HybridBlock.forward(self, *args)
        finally:
            for block in active:
                block._active = True

    def _infer_attrs(self, infer: str, attribute: str, *args: Any) -> None:
        inputs, out = self._get_graph(*args)
        flat = [x for x in flatten(args, "input")[0] if x is not None]
        given = {x.name: getattr(value, attribute) for x, value in zip(inputs, flat, strict=True)
                 if x.name in out.list_inputs()}  # fmt: skip
        of_arguments, _, of_states = getattr(out, f"{infer}_partial")(**given)
        found = dict(zip(out.list_arguments(), of_arguments, strict=True))
        found |= dict(zip(out.list_auxiliary_states(), of_states, strict=True))
        used = [p for p in self.collect_params().values() if p.name in found]
        is_known = known if attribute == "shape" else lambda value: value is not None
        missing = [p.name for p in used if not is_known(found[p.name])]
        if missing:
            text = f"the {attribute}s of {', '.join(missing)} do not follow from the inputs"
            raise UnknownError(problem(infer, None, text))
        for parameter in used:
            setattr(parameter, attribute, found[parameter.name])

    def infer_shape(self, *args: Any) -> None:
        """Set the shapes of the parameters from those of inputs."""
        self._infer_attrs("infer_shape", "shape", *args)

    def infer_type(self, *args: Any) -> None:
        """Set the dtypes of the parameters from those of inputs."""
        self._infer_attrs("infer_type", "dtype", *args)

    # -- files ------------------------------------------------------------------------------------------

    def export(self, path: str, epoch: int = 0, remove_amp_cast: bool = True) -> tuple[str, str]:
        """Write `path-symbol.json` and `path-0000.params`, which `SymbolBlock.imports` and Module load."""
        if not self._cached_graph and self._seen is not None:
            self._trace(*self._seen)
            self._build_cache()
        if not self._cached_graph or not self._cached_op_args:
            hint = "call hybridize() and then run forward once before"
            raise UnhybridizedError(problem("export", None, "there is no graph", hint))
        out = self._cached_graph[1]
        out.save(f"{path}-symbol.json", remove_amp_cast=remove_amp_cast)
        states = set(out.list_auxiliary_states())
        values = {}
        for is_input, parameter in self._cached_op_args:
            if not is_input:
                kind = "aux" if parameter.name in states else "arg"
                values[f"{kind}:{parameter.name}"] = parameter._reduce()
        nd.save(f"{path}-{epoch:04d}.params", values)
        return f"{path}-symbol.json", f"{path}-{epoch:04d}.params"

    # -- running ----------------------------------------------------------------------------------------

    def forward(self, x: Any, *args: Any) -> Any:
        """Compute the outputs for arrays, or the graph for symbols."""
        if self._active and not args and isinstance(x, NDArray):
            with x.context:
                return self._call_cached_op(x)
        symbols, arrays, devices = kinds([x, *args])
        if symbols and arrays:
            text = "the inputs are NDArrays and Symbols; all must be of one kind"
            raise ArgumentError(problem(type(self).__name__, None, text))
        if symbols:
            return self._traced([x, *args])
        if not arrays:
            text = "expected at least one NDArray or Symbol among the inputs"
            raise ArgumentError(problem(type(self).__name__, None, text))
        context = x.context if isinstance(x, NDArray) else devices[0]
        numpy = not isinstance(x, NDArray) and has_numpy([x, *args])
        if self._active and numpy and not self._cached_graph:
            flat, form = flatten([x, *args], "input")
            self._seen = [arg is not None for arg in flat], form, True
        with context:
            if self._active and not numpy:
                if len(devices) > 1:
                    text = f"the inputs are on several devices: {devices}"
                    raise ArgumentError(problem(type(self).__name__, None, text))
                return self._call_cached_op(x, *args)
            try:
                params = self._params_on(context, numpy)
            except DeferredInitializationError:
                self._deferred_infer_shape(x, *args)
                for parameter in self.params.values():
                    parameter._finish_deferred_init()
                params = self._params_on(context, numpy)
            return self.hybrid_forward(nd, x, *args, **params)

    def _params_on(self, context: Any, numpy: bool) -> dict:
        """The block's own parameters on a device, as arrays of mx.np or mx.nd."""
        return {name: converted(p.data(context), numpy) for name, p in self._reg_params.items()}

    def hybrid_forward(self, F: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs with the operators of F, mx.nd or mx.sym. Subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} must define hybrid_forward")


class UnknownError(ArgumentError):
    """Shapes or dtypes of parameters do not follow from those of the inputs."""


class UnhybridizedError(StateError, RuntimeError):
    """A block is exported that has no graph."""
