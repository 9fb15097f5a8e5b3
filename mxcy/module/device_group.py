"""`DataParallelExecutorGroup`: a symbol bound on several devices, for modules that programs write themselves.

`Module` uses a `ParallelGroup`; this one has the arguments and methods that MXNet's has.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from .. import ndarray as nd
from ..context import cpu
from ..errors import AssertedArgumentError, BindError, message
from ..io import DataBatch, DataDesc
from ..ndarray import NDArray
from ..symbol import Symbol
from .inputs import descriptions, grad_requests
from .parallel_group import ParallelGroup, groups_of

__all__ = ["DataParallelExecutorGroup"]


class DataParallelExecutorGroup(ParallelGroup):
    """Executors of one symbol, each of which gets a part of every batch.

    Parameters
    ----------
    symbol : the network.
    contexts : devices.
    workload : the share of each device.
    data_shapes, label_shapes : `DataDesc`s, or (name, shape) pairs.
    param_names : arguments that are parameters.
    for_training : whether there are gradients.
    inputs_need_grad : whether there are those of the data, too.
    shared_group : a group whose parameters this one is to use.
    logger : where it writes.
    fixed_param_names : parameters without gradients.
    grad_req : "write", "add" or "null", or a list or dict for the arguments.
    state_names : arguments that keep their values from batch to batch.
    group2ctxs : devices of the nodes with the attribute `ctx_group`.
    """

    def __init__(self, symbol: Symbol, contexts: Sequence, workload: Sequence[float], data_shapes: Sequence,
                 label_shapes: Sequence | None, param_names: Sequence[str], for_training: bool,
                 inputs_need_grad: bool, shared_group: ParallelGroup | None = None, logger: Any = logging,
                 fixed_param_names: Sequence[str] | None = None, grad_req: Any = "write",
                 state_names: Sequence[str] | None = None, group2ctxs: Any = None):  # fmt: skip
        self.arg_names = symbol.list_arguments()
        self.output_names = symbol.list_outputs()
        self.workload = workload
        self.for_training = for_training
        self.inputs_need_grad = inputs_need_grad
        self.logger = logger
        self.fixed_param_names = list(fixed_param_names or ())
        self.state_names = list(state_names or ())
        data, label = described("data", data_shapes), described("label", label_shapes)
        self.data_names = [desc.name for desc in data]
        requests = grad_requests(grad_req, self.arg_names, param_names, self.data_names,
                                 self.fixed_param_names, for_training, inputs_need_grad)  # fmt: skip
        super().__init__(symbol, list(contexts), list(workload), data, label, list(param_names), requests,
                         groups_of(group2ctxs, len(contexts)), shared_group)  # fmt: skip
        # What is no parameter, by name, for each device; groups with shared parameters have one list.
        first = getattr(shared_group, "shared_data_arrays", None)
        self.shared_data_arrays: list[dict[str, NDArray]] = first or [{} for _ in contexts]
        for known, executor in zip(self.shared_data_arrays, self.execs, strict=True):
            for name in self.arg_names:
                if name not in param_names:
                    known.setdefault(name, executor.arg_dict[name])

    # -- shapes -----------------------------------------------------------------------------------------

    def reshape(self, data_shapes: Sequence, label_shapes: Sequence | None) -> None:
        """Go on with batches of these shapes. Raises BindError if parameters would have other shapes."""
        super().reshape(described("data", data_shapes), described("label", label_shapes))

    def get_output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Return names and shapes of the outputs, as they are when they are put together."""
        return self.output_shapes

    # -- parameters -------------------------------------------------------------------------------------

    @property
    def state_arrays(self) -> list[list[NDArray]]:
        """The copies of every state."""
        return [self.copies(name) for name in self.state_names]

    def set_params(self, arg_params: dict[str, NDArray], aux_params: dict[str, NDArray],
                   allow_extra: bool = False) -> None:  # fmt: skip
        """Copy values to all devices. Raises BindError for names that are no parameters or states."""
        for given, auxiliary, known in ((arg_params, False, self.arg_names),
                                        (aux_params, True, self.aux_names)):  # fmt: skip
            surplus = sorted((given or {}).keys() - set(known))
            if surplus and not allow_extra:
                expected = "names of arguments and auxiliary states"
                raise BindError(message("set_params", "names", expected, ", ".join(surplus)))
            for name in [n for n in known if given and n in given]:
                for copy in self.copies(name, auxiliary):
                    copy[:] = given[name]

    def get_params(self, arg_params: dict[str, NDArray], aux_params: dict[str, NDArray]) -> None:
        """Write parameters and auxiliary states, the means over all devices, into given arrays."""
        for names, auxiliary, targets in ((self.param_names, False, arg_params),
                                          (self.aux_names, True, aux_params)):  # fmt: skip
            for name in names:
                copies = [x.as_in_context(cpu()) for x in self.copies(name, auxiliary)]
                mean = copies[0] if len(copies) == 1 else nd.add_n(*copies) / len(copies)
                mean.astype(targets[name].dtype).copyto(targets[name])

    def get_states(self, merge_multi_context: bool = True) -> list:
        """Return the states, as `get_outputs`."""
        return self.states(self.state_names, merge_multi_context)

    def set_states(self, states: Sequence | None = None, value: Any = None) -> None:
        """Set the states, to what `get_states(False)` returned or all to one number."""
        if (states is None) == (value is None):
            expected = "either states or a value"
            raise AssertedArgumentError(message("set_states", "states", expected, "both or none"))
        for i, copies in enumerate(self.state_arrays):
            for k, copy in enumerate(copies):
                copy[:] = value if states is None else states[i][k]

    # -- running ----------------------------------------------------------------------------------------

    def forward(self, data_batch: DataBatch, is_train: bool | None = None, backward: bool = False) -> None:
        """Compute the outputs for a batch; `is_train` is by default whether it is bound for training."""
        super().forward(data_batch, self.for_training if is_train is None else is_train, backward)

    def backward(self, out_grads: Any = None) -> None:
        """Compute the gradients; `out_grads` are those of the outputs."""
        if not self.for_training:
            raise AssertedArgumentError(message("backward", "for_training", "True in bind", "False"))
        super().backward(out_grads)

    def get_outputs(self, merge_multi_context: bool = True, begin: int = 0, end: int | None = None) -> list:
        """Return outputs; without `merge_multi_context` for each the list of its parts."""
        return self.outputs(merge_multi_context)[begin:end]

    def get_input_grads(self, merge_multi_context: bool = True) -> list:
        """Return the gradients of the data, as `get_outputs`."""
        if not self.inputs_need_grad:
            text = message("get_input_grads", "inputs_need_grad", "True in bind", "False")
            raise AssertedArgumentError(text)
        return self.input_grads(merge_multi_context)


def described(kind: str, shapes: Sequence | None) -> list[DataDesc]:
    """Descriptions of what is described, whatever its names."""
    return descriptions(kind, [shape[0] for shape in shapes or ()], shapes or [], False)
