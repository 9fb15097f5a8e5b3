"""Cells made of other cells: in a row, in both directions, with dropout, zoneout and shortcuts."""

from __future__ import annotations

from typing import Any

from .. import symbol as sym
from ..errors import AssertedArgumentError, message, problem
from ..symbol import Symbol
from .cells import BaseRNNCell, RNNParams
from .sequences import formatted, split_steps, zeros_for

__all__ = [
    "BidirectionalCell",
    "DropoutCell",
    "ModifierCell",
    "ResidualCell",
    "SequentialRNNCell",
    "ZoneoutCell",
]


class Composed(BaseRNNCell):
    """Base of cells that are made of several."""

    _cells: list[BaseRNNCell]

    @property
    def state_info(self) -> list[dict]:
        """See `BaseRNNCell.state_info`."""
        return [info for cell in self._cells for info in cell.state_info]

    def begin_state(self, **kwargs: Any) -> list[Symbol]:  # type: ignore[override]
        """See `BaseRNNCell.begin_state`."""
        self._refuse_modified()
        return [state for cell in self._cells for state in cell.begin_state(**kwargs)]

    def unpack_weights(self, args: dict) -> dict:
        """See `BaseRNNCell.unpack_weights`."""
        for cell in self._cells:
            args = cell.unpack_weights(args)
        return args

    def pack_weights(self, args: dict) -> dict:
        """See `BaseRNNCell.pack_weights`."""
        for cell in self._cells:
            args = cell.pack_weights(args)
        return args

    def _take(self, cell: BaseRNNCell, override: bool) -> None:
        """Share variables with a cell."""
        if override:
            if not cell._own_params:
                text = "either specify params for the outer cell or for the inner ones, not both"
                raise AssertedArgumentError(problem(type(self).__name__, "params", text))
            cell.params._params.update(self.params._params)
        self.params._params.update(cell.params._params)


class SequentialRNNCell(Composed):
    """Cells one upon the other."""

    def __init__(self, params: RNNParams | None = None):
        self._cells = []
        super().__init__(prefix="", params=params)
        self._override_cell_params = params is not None

    def add(self, cell: BaseRNNCell) -> None:
        """Put a cell at the end."""
        self._cells.append(cell)
        self._take(cell, self._override_cell_params)

    def __call__(self, inputs: Any, states: list) -> tuple[Any, list]:
        """Make a step of all cells."""
        self._counter += 1
        after: list = []
        for cell in self._cells:
            count = len(cell.state_info)
            inputs, new = cell(inputs, states[len(after) : len(after) + count])
            after += new
        return inputs, after

    def unroll(self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
               merge_outputs: bool | None = None) -> tuple[Any, list]:  # fmt: skip
        """See `BaseRNNCell.unroll`: each cell takes the whole sequence, then the next one."""
        self.reset()
        if begin_state is None:
            begin_state = self.begin_state(func=zeros_for(inputs, layout.find("T")))
        after: list = []
        start = 0
        for i, cell in enumerate(self._cells):
            count = len(cell.state_info)
            merge = merge_outputs if i == len(self._cells) - 1 else None
            inputs, new = cell.unroll(length, inputs, begin_state[start : start + count], layout, merge)
            start += count
            after += new
        return inputs, after


class DropoutCell(BaseRNNCell):
    """Dropout of the inputs, between cells."""

    def __init__(self, dropout: float, prefix: str = "dropout_", params: RNNParams | None = None):
        super().__init__(prefix, params)
        if not isinstance(dropout, (int, float)):
            raise AssertedArgumentError(message("DropoutCell", "dropout", "a number", type(dropout).__name__))
        self.dropout = dropout

    @property
    def state_info(self) -> list[dict]:
        """There are no states."""
        return []

    def __call__(self, inputs: Any, states: list) -> tuple[Any, list]:
        """Make a step."""
        return (sym.Dropout(data=inputs, p=self.dropout) if self.dropout > 0 else inputs), states

    def unroll(self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
               merge_outputs: bool | None = None) -> tuple[Any, list]:  # fmt: skip
        """See `BaseRNNCell.unroll`; one symbol is dropped at once."""
        self.reset()
        inputs, _ = formatted(length, inputs, layout, merge_outputs)
        if isinstance(inputs, Symbol):
            return self(inputs, [])
        return super().unroll(length, inputs, begin_state or [], layout, merge_outputs)


class ModifierCell(BaseRNNCell):
    """Base of cells that change what another one does; that one is not called directly any more."""

    def __init__(self, base_cell: BaseRNNCell):
        super().__init__()
        base_cell._modified = True
        self.base_cell = base_cell

    @property
    def params(self) -> RNNParams:
        """The variables of the cell inside."""
        self._own_params = False
        return self.base_cell.params

    @property
    def state_info(self) -> list[dict]:
        """See `BaseRNNCell.state_info`."""
        return self.base_cell.state_info

    def begin_state(self, func: Any = sym.zeros, **kwargs: Any) -> list[Symbol]:
        """See `BaseRNNCell.begin_state`."""
        self._refuse_modified()
        self.base_cell._modified = False
        try:
            return self.base_cell.begin_state(func=func, **kwargs)
        finally:
            self.base_cell._modified = True

    def reset(self) -> None:
        """See `BaseRNNCell.reset`."""
        super().reset()
        if hasattr(self, "base_cell"):
            self.base_cell.reset()

    def unpack_weights(self, args: dict) -> dict:
        """See `BaseRNNCell.unpack_weights`."""
        return self.base_cell.unpack_weights(args)

    def pack_weights(self, args: dict) -> dict:
        """See `BaseRNNCell.pack_weights`."""
        return self.base_cell.pack_weights(args)


class ZoneoutCell(ModifierCell):
    """Keeps elements of the last output and of the last states, at random (Krueger et al. 2016)."""

    def __init__(self, base_cell: BaseRNNCell, zoneout_outputs: float = 0.0, zoneout_states: float = 0.0):
        if isinstance(base_cell, BidirectionalCell) or type(base_cell).__name__ == "FusedRNNCell":
            text = f"a {type(base_cell).__name__} has no steps; put ZoneoutCell around cells that have"
            raise AssertedArgumentError(problem("ZoneoutCell", "base_cell", text))
        super().__init__(base_cell)
        self.zoneout_outputs = zoneout_outputs
        self.zoneout_states = zoneout_states
        self.prev_output: Any = None

    def reset(self) -> None:
        """See `BaseRNNCell.reset`."""
        super().reset()
        self.prev_output = None

    def __call__(self, inputs: Any, states: list) -> tuple[Any, list]:
        """Make a step."""
        output, after = self.base_cell(inputs, states)

        def chosen(rate: float, new: Any, old: Any) -> Any:
            return sym.where(sym.Dropout(sym.ones_like(new), p=rate), new, old) if rate else new

        before = sym.zeros_like(output) if self.prev_output is None else self.prev_output
        output = chosen(self.zoneout_outputs, output, before)
        after = [chosen(self.zoneout_states, new, old) for new, old in zip(after, states, strict=True)]
        self.prev_output = output
        return output, after


class ResidualCell(ModifierCell):
    """Adds the inputs to the outputs of a cell (He et al. 2015)."""

    def __call__(self, inputs: Any, states: list) -> tuple[Any, list]:
        """Make a step."""
        output, states = self.base_cell(inputs, states)
        return sym.elemwise_add(output, inputs, name=f"{output.name}_plus_residual"), states

    def unroll(self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
               merge_outputs: bool | None = None) -> tuple[Any, list]:  # fmt: skip
        """See `BaseRNNCell.unroll`."""
        self.reset()
        self.base_cell._modified = False
        try:
            outputs, states = self.base_cell.unroll(length, inputs, begin_state, layout, merge_outputs)
        finally:
            self.base_cell._modified = True
        merge = isinstance(outputs, Symbol) if merge_outputs is None else merge_outputs
        inputs, _ = formatted(length, inputs, layout, merge)
        pairs = [(outputs, inputs)] if merge else list(zip(outputs, inputs, strict=True))
        added = [sym.elemwise_add(a, b, name=f"{a.name}_plus_residual") for a, b in pairs]
        return added[0] if merge else added, states


class BidirectionalCell(Composed):
    """Two cells, one of which reads the sequence from its end; their outputs are joined."""

    def __init__(self, l_cell: BaseRNNCell, r_cell: BaseRNNCell, params: RNNParams | None = None,
                 output_prefix: str = "bi_"):  # fmt: skip
        self._cells = [l_cell, r_cell]
        super().__init__("", params=params)
        self._output_prefix = output_prefix
        for cell in self._cells:
            self._take(cell, params is not None)

    def __call__(self, inputs: Any, states: list) -> Any:
        """There are no single steps: raises NotImplementedError."""
        raise NotImplementedError("Bidirectional cannot be stepped. Please use unroll")

    def unroll(self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
               merge_outputs: bool | None = None) -> tuple[Any, list]:  # fmt: skip
        """See `BaseRNNCell.unroll`. The states are two lists, one of each cell."""
        self.reset()
        steps, axis = formatted(length, inputs, layout, False)
        if begin_state is None:
            begin_state = self.begin_state(func=zeros_for(steps, axis))
        l_cell, r_cell = self._cells
        count = len(l_cell.state_info)
        forward, l_states = l_cell.unroll(length, steps, begin_state[:count], layout, merge_outputs)
        turned = list(reversed(steps))
        backward, r_states = r_cell.unroll(length, turned, begin_state[count:], layout, merge_outputs)
        if merge_outputs is None:
            merge_outputs = isinstance(forward, Symbol) and isinstance(backward, Symbol)
        if merge_outputs:
            backward = sym.reverse(backward, axis=axis)
            return sym.Concat(forward, backward, dim=2, name=f"{self._output_prefix}out"), [
                l_states,
                r_states,
            ]
        forward, backward = [split_steps(x, length, axis) if isinstance(x, Symbol) else list(x)
                             for x in (forward, backward)]  # fmt: skip
        pairs = enumerate(zip(forward, reversed(backward), strict=True))
        outputs = [sym.Concat(a, b, dim=1, name=f"{self._output_prefix}t{i}") for i, (a, b) in pairs]
        return outputs, [l_states, r_states]
