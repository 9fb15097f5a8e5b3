"""`FusedRNNCell`: whole sequences by the fused operator `RNN`."""

from __future__ import annotations

import math
from typing import Any

from .. import initializer as init
from .. import ndarray as nd
from .. import symbol as sym
from ..errors import AssertedArgumentError, message
from .cells import BaseRNNCell, GRUCell, LSTMCell, RNNCell, RNNParams
from .combined import BidirectionalCell, DropoutCell, SequentialRNNCell
from .sequences import formatted, zeros_for

__all__ = ["FusedRNNCell"]


class FusedRNNCell(BaseRNNCell):
    """Layers of cells as one operator; it has no single steps.

    Parameters
    ----------
    num_hidden, num_layers, bidirectional, dropout : of the network.
    mode : "rnn_relu", "rnn_tanh", "lstm" or "gru".
    get_next_state : whether `unroll` returns the states.
    forget_bias : bias of the forget gates of an LSTM at the start.
    """

    def __init__(self, num_hidden: int, num_layers: int = 1, mode: str = "lstm", bidirectional: bool = False,
                 dropout: float = 0.0, get_next_state: bool = False, forget_bias: float = 1.0,
                 prefix: str | None = None, params: RNNParams | None = None):  # fmt: skip
        if mode not in init.GATES:
            expected = " or ".join(map(repr, init.GATES))
            raise AssertedArgumentError(message("FusedRNNCell", "mode", expected, repr(mode)))
        super().__init__(prefix=f"{mode}_" if prefix is None else prefix, params=params)
        self._num_hidden = num_hidden
        self._num_layers = num_layers
        self._mode = mode
        self._bidirectional = bidirectional
        self._dropout = dropout
        self._get_next_state = get_next_state
        self._gate_names = init.GATES[mode]
        filled = init.FusedRNN(None, num_hidden, num_layers, mode, bidirectional, forget_bias)
        self._parameter = self.params.get("parameters", init=filled)

    @property
    def state_info(self) -> list[dict]:
        """See `BaseRNNCell.state_info`."""
        shape = ((1 + self._bidirectional) * self._num_layers, 0, self._num_hidden)
        return [{"shape": shape, "__layout__": "LNC"} for _ in range(1 + (self._mode == "lstm"))]

    def _layout(self, size: int) -> list[tuple]:
        """(name, shape) of the parts of a parameter of this size."""
        network = self._num_hidden, self._num_layers, self._mode, self._bidirectional
        return [(self._prefix + name, shape) for name, shape in init.rnn_layout(size, *network)]

    def unpack_weights(self, args: dict) -> dict:
        """Return parameters with an array for each gate instead of the one of the operator."""
        found = dict(args)
        whole = found.pop(self._parameter.name)
        start = 0
        for name, shape in self._layout(whole.size):
            size = math.prod(shape)
            found[name] = whole[start : start + size].reshape(shape).copy()
            start += size
        return found

    def pack_weights(self, args: dict) -> dict:
        """Return parameters with the one of the operator; the opposite of `unpack_weights`."""
        found = dict(args)
        first = found[f"{self._prefix}l0_i2h{self._gate_names[0]}_weight"]
        ways, gates, hidden = 1 + self._bidirectional, len(self._gate_names), self._num_hidden
        upper = (self._num_layers - 1) * ((ways + 1) * hidden + 2)
        size = ways * gates * hidden * (first.shape[1] + hidden + 2 + upper)
        parts = [found.pop(name).reshape((-1,)) for name, _ in self._layout(size)]
        return found | {self._parameter.name: nd.concatenate(parts)}

    def __call__(self, inputs: Any, states: Any) -> Any:
        """There are no single steps: raises NotImplementedError."""
        raise NotImplementedError("FusedRNNCell cannot be stepped. Please use unroll")

    def unroll(self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
               merge_outputs: bool | None = None) -> tuple[Any, list]:  # fmt: skip
        """See `BaseRNNCell.unroll`."""
        self.reset()
        inputs, axis = formatted(length, inputs, layout, True)
        if axis not in (0, 1):
            raise AssertedArgumentError(message("unroll", "layout", "'TNC' or 'NTC'", repr(layout)))
        inputs = sym.swapaxes(inputs, dim1=0, dim2=1) if axis == 1 else inputs
        states = self.begin_state(func=zeros_for(inputs, 0)) if begin_state is None else begin_state
        named = dict(zip(("state", "state_cell"), states, strict=False))
        rnn = sym.RNN(data=inputs, parameters=self._parameter, state_size=self._num_hidden,
                      num_layers=self._num_layers, bidirectional=self._bidirectional, p=self._dropout,
                      state_outputs=self._get_next_state, mode=self._mode, name=self._prefix + "rnn",
                      **named)  # fmt: skip
        outputs, after = rnn, []
        if self._get_next_state:
            outputs, after = rnn[0], [rnn[i + 1] for i in range(len(states))]
        outputs = sym.swapaxes(outputs, dim1=0, dim2=1) if axis == 1 else outputs
        return formatted(length, outputs, layout, merge_outputs)[0], after

    def unfuse(self) -> SequentialRNNCell:
        """Return a row of cells that computes the same; `unpack_weights` gives its parameters."""
        stack = SequentialRNNCell()
        for layer in range(self._num_layers):
            cells = [self._cell(f"{self._prefix}{way}{layer}_") for way in "lr"[: 1 + self._bidirectional]]
            if self._bidirectional:
                l_cell, r_cell = cells
                prefix = f"{self._prefix}bi_l{layer}_"
                stack.add(BidirectionalCell(l_cell, r_cell, output_prefix=prefix))
            else:
                stack.add(cells[0])
            if self._dropout > 0 and layer != self._num_layers - 1:
                stack.add(DropoutCell(self._dropout, prefix=f"{self._prefix}_dropout{layer}_"))
        return stack

    def _cell(self, prefix: str) -> BaseRNNCell:
        if self._mode.startswith("rnn_"):
            return RNNCell(self._num_hidden, activation=self._mode[4:], prefix=prefix)
        return (LSTMCell if self._mode == "lstm" else GRUCell)(self._num_hidden, prefix=prefix)
