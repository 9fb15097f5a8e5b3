"""`ParallelGroup`: what a module is bound to: an `ExecutorGroup` for each of its devices.

Each device gets a part of every batch, in proportion to its share of the work. Outputs are put together
again along the axis of the batch; parameters have a copy on each device.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from .. import ndarray as nd
from ..context import Context
from ..errors import ArgumentError, AssertedArgumentError, message
from ..io import DataBatch, DataDesc
from ..ndarray import NDArray
from ..symbol import Symbol
from .executor_group import ExecutorGroup, described

__all__ = ["ParallelGroup", "groups_of"]


def split(size: int, shares: Sequence[float]) -> list[slice]:
    """Return the part of a batch for each share of the work. Raises ArgumentError if one would be empty."""
    counts = [round(size * share / sum(shares)) for share in shares]
    counts[-1] += max(size - sum(counts), 0)
    ends = [min(sum(counts[: i + 1]), size) for i in range(len(counts))]
    parts = [slice(begin, end) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
    if any(part.start >= part.stop for part in parts):
        expected = f"a batch for {len(shares)} devices"
        raise ArgumentError(message("bind", "data_shapes", expected, f"batch size {size}"))
    return parts


def part_of(value: Any, axis: int, part: slice) -> Any:
    """The part of an array for one device; the array itself if it has no axis of the batch."""
    if axis < 0 or (part.start == 0 and part.stop == value.shape[axis]):
        return value
    if axis == 0:
        return value[part]
    return nd.slice_axis(value, axis=axis, begin=part.start, end=part.stop)


def batch_axis(desc: DataDesc) -> int:
    """The axis of the batch, -1 if there is none."""
    return DataDesc.get_batch_axis(desc.layout)


class ParallelGroup:
    """Executor groups on several devices; see `ExecutorGroup`, which does the work of each."""

    def __init__(self, symbol: Symbol, contexts: list[Context], shares: Sequence[float],
                 data_shapes: list[DataDesc], label_shapes: list[DataDesc], param_names: list[str],
                 grad_req: dict[str, str], group2ctxs: list[dict | None],
                 shared: ParallelGroup | None = None):  # fmt: skip
        self.symbol = symbol
        self.shares = shares
        self.param_names = param_names
        self.grad_req = grad_req
        self.label_names = [desc.name for desc in label_shapes]
        self._bound_labels = label_shapes
        self._output_axes = [DataDesc.get_batch_axis(symbol[name].attr("__layout__"))
                             for name in symbol.list_outputs()]  # fmt: skip
        self._set_shapes(data_shapes, label_shapes)
        self.groups = [
            ExecutorGroup(symbol, ctx, self._parted(data_shapes, i), self._parted(label_shapes, i),
                          param_names, grad_req, group2ctxs[i],
                          None if shared is None else shared.groups[i])  # type: ignore[has-type]
            for i, ctx in enumerate(contexts)
        ]  # fmt: skip

    # -- shapes -----------------------------------------------------------------------------------------

    def _set_shapes(self, data_shapes: list[DataDesc], label_shapes: list[DataDesc]) -> None:
        self.data_shapes = data_shapes
        self.label_shapes = label_shapes
        self.batch_size = data_shapes[0].shape[max(0, batch_axis(data_shapes[0]))]
        self.slices = split(self.batch_size, self.shares)

    def _parted(self, descs: list[DataDesc], i: int) -> list[DataDesc]:
        """The descriptions of the parts of one device."""
        if len(self.slices) == 1:
            return descs
        part = self.slices[i]
        parted = []
        for desc in descs:
            axis, shape = batch_axis(desc), list(desc.shape)
            if axis >= 0:
                shape[axis] = part.stop - part.start
            parted.append(DataDesc(desc.name, tuple(shape), desc.dtype, desc.layout))
        return parted

    def reshape(self, data_shapes: list[DataDesc], label_shapes: list[DataDesc]) -> None:
        """Go on with batches of these shapes. Raises BindError if parameters would have other shapes."""
        self._set_shapes(data_shapes, label_shapes)
        for i, group in enumerate(self.groups):
            group.reshape(self._parted(data_shapes, i), self._parted(label_shapes, i))

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the outputs, as they are when they are put together."""
        found = self.groups[0].output_shapes
        if len(self.groups) == 1:
            return found
        whole = []
        for (name, shape), axis in zip(found, self._output_axes, strict=True):
            extents = list(shape)
            if axis >= 0:
                extents[axis] = self.batch_size
            whole.append((name, tuple(extents)))
        return whole

    # -- parameters -------------------------------------------------------------------------------------

    def copies(self, name: str, auxiliary: bool = False) -> list[NDArray]:
        """The copies of a parameter, or of an auxiliary state, one for each device."""
        if auxiliary:
            return [group.executor.aux_dict[name] for group in self.groups]
        return [group.arguments[name] for group in self.groups]

    def gradients(self, name: str) -> list[NDArray]:
        """The gradients of a parameter, one for each device; none if it is not trained."""
        return [g for group in self.groups if (g := group.gradients[name]) is not None]

    @property
    def execs(self) -> list:
        """The executor of each device, as MXNet's programs know them."""
        return [group.executor for group in self.groups]

    @property
    def param_arrays(self) -> list[list[NDArray]]:
        """The copies of every parameter."""
        return [self.copies(name) for name in self.param_names]

    @property
    def grad_arrays(self) -> list[list[NDArray | None]]:
        """The gradients of every parameter on each device."""
        return [[group.gradients[name] for group in self.groups] for name in self.param_names]

    @property
    def aux_arrays(self) -> list[list[NDArray]]:
        """The copies of every auxiliary state."""
        return [self.copies(name, True) for name in self.aux_names]

    @property
    def aux_names(self) -> list[str]:
        """Names of the auxiliary states."""
        return self.symbol.list_auxiliary_states()

    @property
    def contexts(self) -> list[Context]:
        """The devices."""
        return [group.context for group in self.groups]

    @property
    def data_arrays(self) -> list[list[tuple[slice, NDArray]]]:
        """For each input of the data the part of the batch and the argument of every device."""
        return self._parts_of(self.data_shapes)

    @property
    def label_arrays(self) -> list[list[tuple[slice, NDArray]]] | None:
        """As `data_arrays`, for the labels; None without any."""
        return self._parts_of(self.label_shapes) or None

    def _parts_of(self, descs: list[DataDesc]) -> list[list[tuple[slice, NDArray]]]:
        found = [desc for desc in descs if desc.name in self.groups[0].arguments]
        return [
            [(part, g.arguments[desc.name]) for part, g in zip(self.slices, self.groups, strict=True)]
            for desc in found
        ]

    @property
    def input_grad_arrays(self) -> list[list[NDArray | None]]:
        """The gradients of the data on each device."""
        return self.input_grads(merged=False)

    # -- running ----------------------------------------------------------------------------------------

    def forward(self, batch: DataBatch, is_train: bool, backward: bool = False) -> None:
        """Copy the parts of a batch to the devices and compute the outputs, and with `backward` the
        gradients.
        """
        if len(self.groups) == 1:
            group = self.groups[0]
            group.forward(batch, is_train, backward)
            if group.data_shapes is not self.data_shapes or group.label_shapes is not self.label_shapes:
                self._set_shapes(group.data_shapes, group.label_shapes)
            return
        data = described("data", self.data_shapes, batch.data, getattr(batch, "provide_data", None))
        labels = getattr(batch, "label", None) or []
        label = self.label_shapes
        if labels and self._bound_labels:
            bound = label or self._bound_labels
            label = described("label", bound, labels, getattr(batch, "provide_label", None))
        elif data is not self.data_shapes:
            label = []
        if data is not self.data_shapes or label is not self.label_shapes:
            self.reshape(data, label)
        for i, group in enumerate(self.groups):
            group.forward(self._part(batch.data, labels, i), is_train, backward)

    def _part(self, data: Sequence, labels: Sequence, i: int) -> Any:
        """The batch of one device."""
        part = self.slices[i]

        def parts(values: Sequence, descs: list[DataDesc]) -> list:
            return [part_of(v, batch_axis(d), part) for v, d in zip(values, descs, strict=False)]

        return SimpleNamespace(data=parts(data, self.data_shapes), label=parts(labels, self.label_shapes))

    def backward(self, out_grads: Any = None) -> None:
        """Compute the gradients on every device."""
        if len(self.groups) == 1:
            self.groups[0].executor.backward(out_grads)
            return
        for group, part in zip(self.groups, self.slices, strict=True):
            given = out_grads
            if given is not None:
                given = [given] if isinstance(given, NDArray) else given
                given = [part_of(g, axis, part) for g, axis in zip(given, self._output_axes, strict=True)]
            group.executor.backward(given)

    def outputs(self, merged: bool = True) -> list:
        """The outputs; not merged: for each output the list of its parts."""
        found = [list(parts) for parts in zip(*[g.executor.outputs for g in self.groups], strict=True)]
        return self._merged(found, self._output_axes) if merged else found

    def input_grads(self, merged: bool = True) -> list:
        """The gradients of the data, as `outputs`."""
        found = [list(parts) for parts in zip(*[g.input_grads() for g in self.groups], strict=True)]
        return self._merged(found, [batch_axis(d) for d in self.data_shapes]) if merged else found

    def states(self, names: list[str], merged: bool = True) -> list:
        """The arrays of arguments that keep their values, as `outputs`."""
        found = [self.copies(name) for name in names]
        return self._merged(found, [0] * len(names)) if merged else found

    def _merged(self, found: list[list], axes: list[int]) -> list:
        if len(self.groups) == 1:
            return [parts[0] for parts in found]
        first = self.groups[0].context
        return [
            nd.concat(*[x.as_in_context(first) for x in parts], dim=axis) if axis >= 0 else parts[0]
            for parts, axis in zip(found, axes, strict=True)
        ]

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False,
                      names: list[str] | None = None) -> None:  # fmt: skip
        """Add the outputs of every device to a metric; `names` are those of the labels."""
        names = self.label_names if names is None else names
        for i, group in enumerate(self.groups):
            given = labels[i] if pre_sliced else labels
            if not pre_sliced and len(self.groups) > 1:
                axes = [batch_axis(d) for d in self.label_shapes] or [0] * len(labels)
                given = [part_of(v, a, self.slices[i]) for v, a in zip(labels, axes, strict=False)]
            outputs = dict(zip(self.symbol.list_outputs(), group.executor.outputs, strict=True))
            eval_metric.update_dict(dict(zip(names, given, strict=False)), outputs)

    def install_monitor(self, monitor: Any) -> None:
        """Let a monitor look at all results of all devices."""
        for group in self.groups:
            group.install_monitor(monitor)


def groups_of(given: Any, count: int) -> list[dict | None]:
    """The devices of the groups of nodes for each of the module's devices.

    A list has a dict for each; in one dict the values are a device, or a list with one for each.
    """
    if not given:
        return [None] * count
    if isinstance(given, dict):
        split_up: list[dict | None] = [{} for _ in range(count)]
        for name, devices in given.items():
            found = list(devices) if isinstance(devices, (list, tuple)) else [devices]
            found = found * count if len(found) == 1 else found
            check_length(f"group2ctxs[{name!r}]", found, count)
            for i, device in enumerate(found):
                split_up[i][name] = Context(device)  # type: ignore[index]
        return split_up
    found = list(given)
    check_length("group2ctxs", found, count)
    return [{name: first_of(device) for name, device in group.items()} for group in found]


def first_of(device: Any) -> Context:
    """A device, where a list with one entry stands for the entry."""
    return Context(device[0] if isinstance(device, (list, tuple)) else device)


def check_length(argument: str, found: list, count: int) -> None:
    """Raise unless there is an entry for each device."""
    if len(found) != count:
        raise AssertedArgumentError(message("Module", argument, f"{count}, one for each device", len(found)))
