"""Cells made of other cells: in a row, in both directions, with dropout, zoneout and shortcuts."""

from __future__ import annotations

from typing import Any

from ... import ndarray as nd
from ...errors import AssertedArgumentError, message, problem
from ..block import indented
from .rnn_cell import HybridRecurrentCell, RecurrentCell
from .sequences import TENSORS, first_states, formatted, masked, reversed_steps

__all__ = [
    "BidirectionalCell",
    "DropoutCell",
    "HybridSequentialRNNCell",
    "ModifierCell",
    "ResidualCell",
    "SequentialRNNCell",
    "ZoneoutCell",
]


class Row:
    """What both rows of cells share."""

    _children: dict[str, Any]
    _counter: int

    def __repr__(self) -> str:
        inner = "\n".join(f"({i}): {indented(repr(cell), 2)}" for i, cell in self._children.items())
        return f"{type(self).__name__}(\n{inner}\n)"

    def add(self, cell: Any) -> None:
        """Put a cell at the end."""
        self.register_child(cell)  # type: ignore[attr-defined]

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """See `RecurrentCell.state_info`."""
        return [info for cell in self._children.values() for info in cell.state_info(batch_size)]

    def begin_state(self, **kwargs: Any) -> list:  # type: ignore[override]
        """See `RecurrentCell.begin_state`."""
        self._refuse_modified()  # type: ignore[attr-defined]
        return [state for cell in self._children.values() for state in cell.begin_state(**kwargs)]

    def __call__(self, inputs: Any, states: list) -> tuple[Any, list]:
        """Make a step of all cells."""
        self._counter += 1
        after: list = []
        for cell in self._children.values():
            count = len(cell.state_info())
            inputs, new = cell(inputs, states[len(after) : len(after) + count])
            after += new
        return inputs, after

    def unroll(self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
               merge_outputs: bool | None = None, valid_length: Any = None) -> tuple[Any, list]:  # fmt: skip
        """See `RecurrentCell.unroll`: each cell takes the whole sequence, then the next one."""
        self.reset()  # type: ignore[attr-defined]
        inputs, axis, F, size = formatted(length, inputs, layout, None)
        begin = first_states(self, F, begin_state, inputs, size, axis)
        cells, after = list(self._children.values()), []
        start = 0
        for i, cell in enumerate(cells):
            count = len(cell.state_info())
            merge = merge_outputs if i == len(cells) - 1 else None
            inputs, states = cell.unroll(length, inputs=inputs, begin_state=begin[start : start + count],
                                         layout=layout, merge_outputs=merge,
                                         valid_length=valid_length)  # fmt: skip
            start += count
            after += states
        return inputs, after

    def __getitem__(self, i: int) -> Any:
        return self._children[str(i)]

    def __len__(self) -> int:
        return len(self._children)


class SequentialRNNCell(Row, RecurrentCell):  # type: ignore[misc]
    """Cells one upon the other."""


class HybridSequentialRNNCell(Row, HybridRecurrentCell):  # type: ignore[misc]
    """Hybrid cells one upon the other."""

    def hybrid_forward(self, F, inputs, states):
        """See `HybridBlock.hybrid_forward`."""
        return self(inputs, states)


class DropoutCell(HybridRecurrentCell):
    """Dropout of the inputs, between cells."""

    def __init__(self, rate: float, axes: Any = (), prefix: str | None = None, params: Any = None):
        super().__init__(prefix, params)
        if not isinstance(rate, (int, float)):
            raise AssertedArgumentError(message("DropoutCell", "rate", "a number", type(rate).__name__))
        self._rate = rate
        self._axes = axes

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rate={self._rate}, axes={self._axes})"

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """There are no states."""
        return []

    def _alias(self) -> str:
        return "dropout"

    def hybrid_forward(self, F, inputs, states):
        """See `HybridBlock.hybrid_forward`."""
        if self._rate > 0:
            inputs = F.Dropout(data=inputs, p=self._rate, axes=self._axes, name=f"t{self._counter}_fwd")
        return inputs, states

    def unroll(self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
               merge_outputs: bool | None = None, valid_length: Any = None) -> tuple[Any, list]:  # fmt: skip
        """See `RecurrentCell.unroll`; one array is dropped at once."""
        self.reset()
        inputs, _, F, _ = formatted(length, inputs, layout, merge_outputs)
        if isinstance(inputs, TENSORS):
            return self.hybrid_forward(F, inputs, begin_state or [])
        return super().unroll(length, inputs, begin_state, layout, merge_outputs)


class ModifierCell(HybridRecurrentCell):
    """Base of cells that change what another one does; that one is not called directly any more."""

    def __init__(self, base_cell: Any):
        if base_cell._modified:
            text = f"cell {base_cell.name} is already modified; one cell cannot be modified twice"
            raise AssertedArgumentError(problem(type(self).__name__, "base_cell", text))
        base_cell._modified = True
        super().__init__(prefix=base_cell.prefix + self._alias(), params=None)
        self.base_cell = base_cell

    @property
    def params(self) -> Any:
        """The parameters of the cell inside."""
        return self.base_cell.params

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """See `RecurrentCell.state_info`."""
        return self.base_cell.state_info(batch_size)

    def begin_state(self, func: Any = nd.zeros, **kwargs: Any) -> list:  # type: ignore[override]
        """See `RecurrentCell.begin_state`."""
        self._refuse_modified()
        self.base_cell._modified = False
        try:
            return self.base_cell.begin_state(func=func, **kwargs)
        finally:
            self.base_cell._modified = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_cell})"


class ZoneoutCell(ModifierCell):
    """Keeps elements of the last output and of the last states, at random (Krueger et al. 2016)."""

    def __init__(self, base_cell: Any, zoneout_outputs: float = 0.0, zoneout_states: float = 0.0):
        if isinstance(base_cell, BidirectionalCell):
            text = "a BidirectionalCell has no steps; put ZoneoutCell around the cells inside"
            raise AssertedArgumentError(problem("ZoneoutCell", "base_cell", text))
        super().__init__(base_cell)
        self.zoneout_outputs = zoneout_outputs
        self.zoneout_states = zoneout_states
        self._prev_output: Any = None

    def __repr__(self) -> str:
        rates = f"p_out={self.zoneout_outputs}, p_state={self.zoneout_states}"
        return f"{type(self).__name__}({rates}, {self.base_cell})"

    def _alias(self) -> str:
        return "zoneout"

    def reset(self) -> None:
        """See `RecurrentCell.reset`."""
        super().reset()
        self._prev_output = None

    def hybrid_forward(self, F, inputs, states):
        """See `HybridBlock.hybrid_forward`."""
        output, after = self.base_cell(inputs, states)

        def chosen(rate: float, new: Any, old: Any) -> Any:
            return F.where(F.Dropout(F.ones_like(new), p=rate), new, old) if rate else new

        before = F.zeros_like(output) if self._prev_output is None else self._prev_output
        output = chosen(self.zoneout_outputs, output, before)
        after = [chosen(self.zoneout_states, new, old) for new, old in zip(after, states, strict=True)]
        self._prev_output = output
        return output, after


class ResidualCell(ModifierCell):
    """Adds the inputs to the outputs of a cell (He et al. 2015)."""

    def _alias(self) -> str:
        return "residualcell"

    def hybrid_forward(self, F, inputs, states):
        """See `HybridBlock.hybrid_forward`."""
        output, states = self.base_cell(inputs, states)
        return F.elemwise_add(output, inputs, name=f"t{self._counter}_fwd"), states

    def unroll(self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
               merge_outputs: bool | None = None, valid_length: Any = None) -> tuple[Any, list]:  # fmt: skip
        """See `RecurrentCell.unroll`."""
        self.reset()
        self.base_cell._modified = False
        try:
            outputs, states = self.base_cell.unroll(length, inputs, begin_state, layout, merge_outputs,
                                                    valid_length)  # fmt: skip
        finally:
            self.base_cell._modified = True
        merge = isinstance(outputs, TENSORS) if merge_outputs is None else merge_outputs
        inputs, axis, F, _ = formatted(length, inputs, layout, merge)
        if valid_length is not None:
            inputs = masked(F, inputs, length, valid_length, axis, merge)
        if merge:
            return F.elemwise_add(outputs, inputs), states
        return [F.elemwise_add(a, b) for a, b in zip(outputs, inputs, strict=True)], states


class BidirectionalCell(HybridRecurrentCell):
    """Two cells, one of which reads the sequence from its end; their outputs are joined."""

    _children: dict[str, Any]

    def __init__(self, l_cell: Any, r_cell: Any, output_prefix: str = "bi_"):
        super().__init__(prefix="", params=None)
        self.register_child(l_cell, "l_cell")
        self.register_child(r_cell, "r_cell")
        self._output_prefix = output_prefix

    def __call__(self, inputs: Any, states: Any) -> Any:
        """There are no single steps: raises NotImplementedError."""
        raise NotImplementedError("Bidirectional cannot be stepped. Please use unroll")

    def __repr__(self) -> str:
        l_cell, r_cell = self._children.values()
        return f"{type(self).__name__}(forward={l_cell}, backward={r_cell})"

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """See `RecurrentCell.state_info`."""
        return [info for cell in self._children.values() for info in cell.state_info(batch_size)]

    def begin_state(self, **kwargs: Any) -> list:  # type: ignore[override]
        """See `RecurrentCell.begin_state`."""
        self._refuse_modified()
        return [state for cell in self._children.values() for state in cell.begin_state(**kwargs)]

    def unroll(self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
               merge_outputs: bool | None = None, valid_length: Any = None) -> tuple[Any, list]:  # fmt: skip
        """See `RecurrentCell.unroll`."""
        self.reset()
        inputs, axis, F, size = formatted(length, inputs, layout, False)
        begin = first_states(self, F, begin_state, inputs, size, axis)
        l_cell, r_cell = self._children.values()
        count = len(l_cell.state_info(size))  # type: ignore[attr-defined]
        l_outputs, l_states = l_cell.unroll(  # type: ignore[attr-defined]
            length, inputs, begin[:count], layout, merge_outputs, valid_length
        )
        turned = reversed_steps(inputs, length, valid_length)
        r_outputs, r_states = r_cell.unroll(length, turned, begin[count:], layout, False, valid_length)
        r_outputs = reversed_steps(r_outputs, length, valid_length)
        if merge_outputs is None:
            merge_outputs = isinstance(l_outputs, TENSORS)
            l_outputs = formatted(None, l_outputs, layout, merge_outputs)[0]
        if merge_outputs:
            joined = F.stack(*r_outputs, axis=axis)
            outputs = F.concat(l_outputs, joined, dim=2, name=f"{self._output_prefix}out")
        else:
            pairs = enumerate(zip(l_outputs, r_outputs, strict=True))
            outputs = [F.concat(a, b, dim=1, name=f"{self._output_prefix}t{i}") for i, (a, b) in pairs]
        if valid_length is not None:
            outputs = masked(F, outputs, length, valid_length, axis, merge_outputs)
        return outputs, l_states + r_states
