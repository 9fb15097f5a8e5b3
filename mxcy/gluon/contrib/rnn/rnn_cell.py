"""Dropout with one mask for all steps, LSTM with a projection, and unrolling as a loop of the graph."""

from __future__ import annotations

from typing import Any

from ....errors import AssertedArgumentError, problem
from ...rnn import BidirectionalCell, HybridRecurrentCell, ModifierCell
from ...rnn.sequences import TENSORS, first_states, formatted, masked

__all__ = ["LSTMPCell", "VariationalDropoutCell", "dynamic_unroll"]


class VariationalDropoutCell(ModifierCell):
    """Dropout of inputs, first states and outputs by masks that stay for the whole sequence.

    (Gal, Ghahramani 2016.) Masks are drawn at the first step; `reset()`, which `unroll` calls, forgets them.
    """

    def __init__(self, base_cell: Any, drop_inputs: float = 0.0, drop_states: float = 0.0,
                 drop_outputs: float = 0.0):  # fmt: skip
        if drop_states and isinstance(base_cell, BidirectionalCell):
            text = "a BidirectionalCell has no steps; put VariationalDropoutCell around the cells inside"
            raise AssertedArgumentError(problem("VariationalDropoutCell", "base_cell", text))
        super().__init__(base_cell)
        self.drop_inputs = drop_inputs
        self.drop_states = drop_states
        self.drop_outputs = drop_outputs
        self._masks: dict[str, Any] = {}

    def _alias(self) -> str:
        return "vardrop"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p_out = {self.drop_outputs}, p_state = {self.drop_states})"

    def reset(self) -> None:
        """See `RecurrentCell.reset`; the next step draws other masks."""
        super().reset()
        self._masks = {}

    def _dropped(self, F: Any, kind: str, rate: float, x: Any) -> Any:
        if not rate:
            return x
        if kind not in self._masks:
            self._masks[kind] = F.Dropout(F.ones_like(x), p=rate)
        return x * self._masks[kind]

    def hybrid_forward(self, F, inputs, states):
        """See `HybridBlock.hybrid_forward`."""
        hidden, *others = states
        hidden = self._dropped(F, "states", self.drop_states, hidden)
        inputs = self._dropped(F, "inputs", self.drop_inputs, inputs)
        output, after = self.base_cell(inputs, [hidden, *others])
        return self._dropped(F, "outputs", self.drop_outputs, output), after

    def unroll(self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
               merge_outputs: bool | None = None, valid_length: Any = None) -> tuple[Any, list]:  # fmt: skip
        """See `RecurrentCell.unroll`; without dropout of states, inputs and outputs are dropped at once."""
        if self.drop_states:
            return super().unroll(length, inputs, begin_state, layout, merge_outputs, valid_length)
        self.reset()
        inputs, axis, F, size = formatted(length, inputs, layout, True)
        states = first_states(self, F, begin_state, inputs, size, axis)
        if self.drop_inputs:
            inputs = F.Dropout(inputs, p=self.drop_inputs, axes=(axis,))
        outputs, states = self.base_cell.unroll(length, inputs, states, layout, merge_outputs=True,
                                                valid_length=valid_length)  # fmt: skip
        if self.drop_outputs:
            outputs = F.Dropout(outputs, p=self.drop_outputs, axes=(axis,))
        merge = isinstance(outputs, TENSORS) if merge_outputs is None else merge_outputs
        if valid_length is not None:
            return masked(F, outputs, length, valid_length, axis, merge), states
        return formatted(length, outputs, layout, merge)[0], states


class LSTMPCell(HybridRecurrentCell):
    """LSTM whose hidden state is projected to fewer units (Sak et al. 2014).

    States are the projection (batch, projection_size) and the memory (batch, hidden_size). The four gates
    are those of input, forgetting, the new memory and output.
    """

    i2h_weight: Any
    h2r_weight: Any

    def __init__(self, hidden_size: int, projection_size: int, i2h_weight_initializer: Any = None,
                 h2h_weight_initializer: Any = None, h2r_weight_initializer: Any = None,
                 i2h_bias_initializer: Any = "zeros", h2h_bias_initializer: Any = "zeros",
                 input_size: int = 0, prefix: str | None = None, params: Any = None):  # fmt: skip
        super().__init__(prefix=prefix, params=params)
        self._hidden_size = hidden_size
        self._projection_size = projection_size
        rows = 4 * hidden_size
        for name, shape, init in (
            ("i2h_weight", (rows, input_size), i2h_weight_initializer),
            ("h2h_weight", (rows, projection_size), h2h_weight_initializer),
            ("h2r_weight", (projection_size, hidden_size), h2r_weight_initializer),
            ("i2h_bias", (rows,), i2h_bias_initializer),
            ("h2h_bias", (rows,), h2h_bias_initializer),
        ):
            setattr(self, name, self.params.get(name, shape=shape, init=init, allow_deferred_init=True))

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """See `RecurrentCell.state_info`."""
        return [{"shape": (batch_size, size), "__layout__": "NC"}
                for size in (self._projection_size, self._hidden_size)]  # fmt: skip

    def _alias(self) -> str:
        return "lstmp"

    def __repr__(self) -> str:
        rows, columns = self.i2h_weight.shape
        return f"{type(self).__name__}({columns or None} -> {rows} -> {self.h2r_weight.shape[0]})"

    def hybrid_forward(self, F, inputs, states, i2h_weight, h2h_weight, h2r_weight, i2h_bias, h2h_bias):
        """See `HybridBlock.hybrid_forward`."""
        prefix, rows = f"t{self._counter}_", 4 * self._hidden_size
        i2h = F.FullyConnected(inputs, i2h_weight, i2h_bias, num_hidden=rows, name=prefix + "i2h")
        h2h = F.FullyConnected(states[0], h2h_weight, h2h_bias, num_hidden=rows, name=prefix + "h2h")
        parts = F.SliceChannel(i2h + h2h, num_outputs=4, name=prefix + "slice")
        kinds = ("sigmoid", "sigmoid", "tanh", "sigmoid")
        i, f, c, o = [F.Activation(parts[k], act_type=kind, name=prefix + "ifco"[k])
                      for k, kind in enumerate(kinds)]  # fmt: skip
        memory = F.elemwise_add(f * states[1], i * c, name=prefix + "state")
        hidden = F.elemwise_mul(o, F.Activation(memory, act_type="tanh"), name=prefix + "hidden")
        output = F.FullyConnected(hidden, h2r_weight, num_hidden=self._projection_size, no_bias=True,
                                  name=prefix + "out")  # fmt: skip
        return output, [output, memory]


def dynamic_unroll(cell: Any, inputs: Any, begin_state: Any, drop_inputs: float = 0, drop_outputs: float = 0,
                   layout: str = "TNC", valid_length: Any = None) -> tuple[Any, list]:  # fmt: skip
    """Return (outputs, states) of a sequence, by `contrib.foreach`: the graph has one cell, not one a step.

    Parameters
    ----------
    cell, begin_state : the cell, and its states before the first step.
    inputs : one array of steps in this layout; "TNC" is the fastest.
    drop_inputs, drop_outputs : rates of dropout, with one mask for all steps.
    valid_length : for each sample the number of steps that count: outputs behind are 0, and states are those
        after the last one that counts.
    """
    inputs, axis, F, _ = formatted(None, inputs, layout, True)
    if axis != 0:
        inputs = F.swapaxes(inputs, dim1=0, dim2=axis)
    if drop_inputs:
        inputs = F.Dropout(inputs, p=drop_inputs, axes=(0,))
    states = list(begin_state) if isinstance(begin_state, (list, tuple)) else begin_state
    if valid_length is None:
        outputs, states = F.contrib.foreach(cell, inputs, states)
    else:
        states = states if isinstance(states, list) else [states]

        def step(x: Any, held: list) -> tuple[Any, list]:
            *before, count = held
            output, after = cell(x, before)
            runs = F.broadcast_greater(valid_length, count)
            kept = [F.where(runs, new, old) for new, old in zip(after, before, strict=True)]
            return output, [*kept, count + 1]

        outputs, held = F.contrib.foreach(step, inputs, [*states, F.zeros((1,))])
        states = held[:-1]
    if drop_outputs:
        outputs = F.Dropout(outputs, p=drop_outputs, axes=(0,))
    if axis != 0:
        outputs = F.swapaxes(outputs, dim1=0, dim2=axis)
    if valid_length is not None:
        outputs = F.SequenceMask(outputs, sequence_length=valid_length, use_sequence_length=True, axis=axis)
    return outputs, states
