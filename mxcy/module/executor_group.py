"""`ExecutorGroup`: what a module is bound to: executors on shared parameters, one for each shape of batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._paths import names_from
from ..context import Context
from ..errors import ArgumentError, message
from ..executor import Executor, bind, simple_bind
from ..io import DataBatch, DataDesc
from ..ndarray import NDArray
from ..symbol import Symbol

__all__ = ["ExecutorGroup"]

__getattr__ = names_from(__name__, "mxcy.module.device_group", "mxcy.executor_manager")  # MXNet's names

SHAPES_KEPT = 8  # executors for other shapes of batches that are kept; the one used longest ago goes


class ExecutorGroup:
    """Executors of one symbol on one device.

    The first one has the arrays; a batch of another shape gets an executor of its own, with the same
    parameters and gradients, which is kept for the next batch of that shape.
    """

    def __init__(self, symbol: Symbol, context: Context, data_shapes: list[DataDesc],
                 label_shapes: list[DataDesc], param_names: list[str], grad_req: dict[str, str],
                 group2ctx: dict[str, Context] | None = None,
                 shared: ExecutorGroup | None = None):  # fmt: skip
        self.symbol = symbol
        self.context = context
        self.param_names = param_names
        self._bound_labels = label_shapes
        self.label_names = [desc.name for desc in label_shapes]
        arguments = set(symbol.list_arguments())
        inputs = [desc for desc in [*data_shapes, *label_shapes] if desc.name in arguments]
        shapes = {desc.name: desc.shape for desc in inputs}
        dtypes = {desc.name: desc.dtype for desc in inputs}
        executor = simple_bind(symbol, context, grad_req, dtypes, None, group2ctx, None, None, None, shapes)
        if shared is not None:
            executor = with_parameters_of(shared.executor, executor, param_names, grad_req, group2ctx)
        self._executors: dict[tuple, Executor] = {}
        self._monitors: list[Any] = []
        self._use(executor, data_shapes, label_shapes)

    # -- shapes -----------------------------------------------------------------------------------------

    def _use(self, executor: Executor, data_shapes: list[DataDesc], label_shapes: list[DataDesc]) -> None:
        self._executors[shapes_of(data_shapes, label_shapes)] = self.executor = executor
        self.data_shapes = data_shapes
        self.label_shapes = label_shapes
        self.arguments = executor.arg_dict
        self.gradients = executor.grad_dict

    def reshape(self, data_shapes: list[DataDesc], label_shapes: list[DataDesc]) -> None:
        """Go on with batches of these shapes. Raises BindError if parameters would have other shapes."""
        found = self._executors.pop(shapes_of(data_shapes, label_shapes), None)
        if found is None:
            found = self._reshaped(data_shapes, label_shapes)
            for monitor in self._monitors:
                monitor.install(found)
        self._use(found, data_shapes, label_shapes)
        if len(self._executors) > SHAPES_KEPT:
            del self._executors[next(iter(self._executors))]

    def _reshaped(self, data_shapes: list[DataDesc], label_shapes: list[DataDesc]) -> Executor:
        """Labels and states without a given shape follow the data; parameters must not change."""
        arguments = self.symbol.list_arguments()
        shapes = {d.name: tuple(d.shape) for d in [*data_shapes, *label_shapes] if d.name in arguments}
        inferred = dict(zip(arguments, self.symbol.infer_shape_partial(**shapes)[0], strict=True))
        free = [name for name in arguments if name not in self.param_names and name not in shapes]
        shapes |= {name: inferred[name] for name in free if inferred[name] and 0 not in inferred[name]}
        return self.executor.reshape(allow_up_sizing=True, **shapes)  # type: ignore[arg-type]

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the outputs."""
        return [(name, out.shape) for name, out in self.executor.output_dict.items()]

    # -- running ----------------------------------------------------------------------------------------

    def forward(self, batch: DataBatch, is_train: bool, backward: bool = False) -> None:
        """Copy a batch into the arguments and compute the outputs, and with `backward` the gradients.

        A batch is anything with a list `data`: programs often make one of a namedtuple.
        """
        data = described("data", self.data_shapes, batch.data, getattr(batch, "provide_data", None))
        label = self.label_shapes
        labels = getattr(batch, "label", None)
        if self._bound_labels and labels:
            given = getattr(batch, "provide_label", None)
            label = described("label", label or self._bound_labels, labels, given)
        elif data is not self.data_shapes:
            label = []  # their shapes follow from the data
        if data is not self.data_shapes or label is not self.label_shapes:
            self.reshape(data, label)
        self._load(self.data_shapes, batch.data)
        if self.label_shapes and labels:
            self._load(self.label_shapes, labels)
        if backward:
            self.executor.forward_backward()
        else:
            self.executor.forward(is_train=is_train)

    def _load(self, descs: list[DataDesc], values: Sequence) -> None:
        for desc, value in zip(descs, values, strict=True):
            if desc.name in self.arguments:
                self.arguments[desc.name][:] = value

    def input_grads(self) -> list[NDArray | None]:
        """Gradients of the data."""
        return [self.gradients.get(desc.name) for desc in self.data_shapes]

    def install_monitor(self, monitor: Any) -> None:
        """Let a monitor look at all results, also of executors for other shapes."""
        self._monitors.append(monitor)
        for executor in self._executors.values():
            monitor.install(executor)


def shapes_of(*descs: list[DataDesc]) -> tuple:
    return tuple(tuple(tuple(desc.shape) for desc in part) for part in descs)


def described(kind: str, bound: list[DataDesc], values: Sequence, given: list | None) -> list[DataDesc]:
    """The descriptions for these arrays: the bound ones themselves if the shapes are theirs.

    Raises ArgumentError if there are more or fewer arrays than the module was bound to.
    """
    if len(values) != len(bound):
        names = ", ".join(desc.name for desc in bound)
        raise ArgumentError(message("forward", kind, f"{len(bound)} arrays ({names})", len(values)))
    if all(tuple(desc.shape) == value.shape for desc, value in zip(bound, values, strict=True)):
        return bound
    if given:
        return [desc if isinstance(desc, DataDesc) else DataDesc(*desc) for desc in given]
    return [
        DataDesc(desc.name, value.shape, desc.dtype, desc.layout)
        for desc, value in zip(bound, values, strict=True)
    ]


def with_parameters_of(source: Executor, executor: Executor, names: list[str], grad_req: dict[str, str],
                       group2ctx: dict[str, Context] | None) -> Executor:  # fmt: skip
    """An executor like the second one, on the parameters, gradients and states of the first one.

    Arrays of other shapes or dtypes stay the second one's own.
    """

    def shared(own: dict, theirs: dict, only: set[str]) -> dict:
        taken = {}
        for name, value in own.items():
            other = theirs.get(name) if name in only else None
            fits = other is not None and value is not None and alike(other, value)
            taken[name] = other if fits else value
        return taken

    params = set(names)
    args = shared(executor.arg_dict, source.arg_dict, params)
    grads = shared(executor.grad_dict, source.grad_dict, params)
    states = shared(executor.aux_dict, source.aux_dict, set(executor.aux_dict))
    grads = {name: grad for name, grad in grads.items() if grad is not None}
    return bind(executor._symbol, executor._ctx, args, grads, grad_req, states, group2ctx)


def alike(a: NDArray, b: NDArray) -> bool:
    return (a.shape, np.dtype(a.dtype)) == (b.shape, np.dtype(b.dtype))
