"""Recurrent cells: one step of a recurrent network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import ndarray as nd
from ..._paths import also, names_from
from ...errors import AssertedArgumentError, problem
from ..block import Block
from ..hybrid import HybridBlock
from ..nn import LeakyReLU
from .sequences import first_states, formatted, masked, reversed_steps, state_of

__all__ = [
    "GRUCell", "HybridRecurrentCell", "LSTMCell", "RNNCell", "RecurrentCell",
    *also("BidirectionalCell DropoutCell HybridSequentialRNNCell ModifierCell ResidualCell SequentialRNNCell "
          "ZoneoutCell"),
]  # fmt: skip
__getattr__ = names_from(__name__, "mxcy.gluon.rnn", "mxcy.base")

# The names under which cells of other people import them.
_format_sequence = formatted
_get_begin_state = first_states
_mask_sequence_variable_length = masked
_reverse_sequences = reversed_steps


class RecurrentCell(Block):
    """Base of cells: `output, states = cell(inputs, states)`."""

    def __init__(self, prefix: str | None = None, params: Any = None):
        super().__init__(prefix=prefix, params=params)
        self._modified = False
        self.reset()

    def reset(self) -> None:
        """Start to count steps, before another sequence."""
        self._init_counter = -1
        self._counter = -1
        for cell in self._children.values():
            if isinstance(cell, RecurrentCell):
                cell.reset()

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """Return shape and layout of each state."""
        raise NotImplementedError(f"{type(self).__name__} must define state_info")

    def _refuse_modified(self) -> None:
        if self._modified:
            text = "after applying modifier cells the base cell cannot be called directly"
            raise AssertedArgumentError(problem("begin_state", None, text, "call the modifier cell instead"))

    def begin_state(self, batch_size: int = 0, func: Callable = nd.zeros, **kwargs: Any) -> list:
        """Return the states before the first step, made by `func(name=..., shape=..., **kwargs)`."""
        self._refuse_modified()
        states = []
        for info in self.state_info(batch_size):
            self._init_counter += 1
            name = f"{self._prefix}begin_state_{self._init_counter}"
            states.append(state_of(func, name, dict(info or {}) | kwargs))
        return states

    def unroll(self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
               merge_outputs: bool | None = None, valid_length: Any = None) -> tuple[Any, list]:  # fmt: skip
        """Return (outputs, states) of a whole sequence.

        Parameters
        ----------
        length : number of steps.
        inputs : an array in this layout, or a list of steps.
        begin_state : states before the first step; zeros by default.
        merge_outputs : whether outputs are one array, or a list of steps (False, None).
        valid_length : for each sample the number of steps that count: outputs behind are 0, and states are
            those after the last one that counts.
        """
        self.reset()
        inputs, axis, F, size = formatted(length, inputs, layout, False)
        states = first_states(self, F, begin_state, inputs, size, axis)
        outputs, history = [], []
        for i in range(length):
            output, states = self(inputs[i], states)
            outputs.append(output)
            history.append(states)
        if valid_length is not None:
            states = [
                F.SequenceLast(F.stack(*parts, axis=0), sequence_length=valid_length,
                               use_sequence_length=True, axis=0)
                for parts in zip(*history, strict=True)
            ]  # fmt: skip
            outputs = masked(F, outputs, length, valid_length, axis, True)
        return formatted(length, outputs, layout, merge_outputs)[0], states

    def _get_activation(self, F: Any, inputs: Any, activation: Any, **kwargs: Any) -> Any:
        """An activation by name, or a block."""
        if activation in ("tanh", "relu", "sigmoid", "softsign"):
            return getattr(F, activation)(inputs, **kwargs)
        if isinstance(activation, str):
            return F.Activation(inputs, act_type=activation, **kwargs)
        if isinstance(activation, LeakyReLU):
            return F.LeakyReLU(inputs, act_type="leaky", slope=activation._alpha, **kwargs)
        return activation(inputs, **kwargs)

    def forward(self, inputs: Any, states: Any) -> Any:
        """Make a step."""
        self._counter += 1
        return super().forward(inputs, states)


class HybridRecurrentCell(RecurrentCell, HybridBlock):
    """Base of cells that can be hybridized."""

    def hybrid_forward(self, F, x, *args, **kwargs):
        """See `HybridBlock.hybrid_forward`."""
        raise NotImplementedError(f"{type(self).__name__} must define hybrid_forward")


class GatedCell(HybridRecurrentCell):
    """Base of cells with `gates` products of the inputs and as many of the hidden state."""

    gates = 1
    i2h_weight: Any

    def _build(self, hidden_size: int, input_size: int, initializers: tuple) -> None:
        self._hidden_size = hidden_size
        self._input_size = input_size
        rows = self.gates * hidden_size
        shapes = {"i2h_weight": (rows, input_size), "h2h_weight": (rows, hidden_size),
                  "i2h_bias": (rows,), "h2h_bias": (rows,)}  # fmt: skip
        for (name, shape), init in zip(shapes.items(), initializers, strict=True):
            setattr(self, name, self.params.get(name, shape=shape, init=init, allow_deferred_init=True))

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """See `RecurrentCell.state_info`."""
        return [{"shape": (batch_size, self._hidden_size), "__layout__": "NC"}]

    def _alias(self) -> str:
        return type(self).__name__.removesuffix("Cell").lower()

    def __repr__(self) -> str:
        rows, columns = self.i2h_weight.shape
        return f"{type(self).__name__}({columns or None} -> {rows}{self._detail()})"

    def _detail(self) -> str:
        return ""

    def _products(self, F, inputs, hidden, i2h_weight, h2h_weight, i2h_bias, h2h_bias):
        """What the inputs and the hidden state give to all gates."""
        prefix, rows = f"t{self._counter}_", self.gates * self._hidden_size
        i2h = F.FullyConnected(data=inputs, weight=i2h_weight, bias=i2h_bias, num_hidden=rows,
                               name=prefix + "i2h")  # fmt: skip
        h2h = F.FullyConnected(data=hidden, weight=h2h_weight, bias=h2h_bias, num_hidden=rows,
                               name=prefix + "h2h")  # fmt: skip
        return prefix, i2h, h2h


class RNNCell(GatedCell):
    """Elman's cell: act(W x + b + V h + c) (Elman 1990)."""

    def __init__(self, hidden_size: int, activation: Any = "tanh", i2h_weight_initializer: Any = None,
                 h2h_weight_initializer: Any = None, i2h_bias_initializer: Any = "zeros",
                 h2h_bias_initializer: Any = "zeros", input_size: int = 0, prefix: str | None = None,
                 params: Any = None):  # fmt: skip
        super().__init__(prefix=prefix, params=params)
        self._activation = activation
        self._build(hidden_size, input_size, (i2h_weight_initializer, h2h_weight_initializer,
                                              i2h_bias_initializer, h2h_bias_initializer))  # fmt: skip

    def _detail(self) -> str:
        return f", {self._activation}"

    def hybrid_forward(self, F, inputs, states, i2h_weight, h2h_weight, i2h_bias, h2h_bias):
        """See `HybridBlock.hybrid_forward`."""
        prefix, i2h, h2h = self._products(F, inputs, states[0], i2h_weight, h2h_weight, i2h_bias, h2h_bias)
        total = F.elemwise_add(i2h, h2h, name=prefix + "plus0")
        output = self._get_activation(F, total, self._activation, name=prefix + "out")
        return output, [output]


class LSTMCell(GatedCell):
    """Long short-term memory (Hochreiter, Schmidhuber 1997); states are the hidden state and the memory.

    The four gates are those of input, forgetting, the new memory and output.
    """

    gates = 4

    def __init__(self, hidden_size: int, i2h_weight_initializer: Any = None,
                 h2h_weight_initializer: Any = None, i2h_bias_initializer: Any = "zeros",
                 h2h_bias_initializer: Any = "zeros", input_size: int = 0, prefix: str | None = None,
                 params: Any = None, activation: Any = "tanh",
                 recurrent_activation: Any = "sigmoid"):  # fmt: skip
        super().__init__(prefix=prefix, params=params)
        self._activation = activation
        self._recurrent_activation = recurrent_activation
        self._build(hidden_size, input_size, (i2h_weight_initializer, h2h_weight_initializer,
                                              i2h_bias_initializer, h2h_bias_initializer))  # fmt: skip

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """See `RecurrentCell.state_info`."""
        return super().state_info(batch_size) * 2

    def hybrid_forward(self, F, inputs, states, i2h_weight, h2h_weight, i2h_bias, h2h_bias):
        """See `HybridBlock.hybrid_forward`."""
        prefix, i2h, h2h = self._products(F, inputs, states[0], i2h_weight, h2h_weight, i2h_bias, h2h_bias)
        gates = F.SliceChannel(F.elemwise_add(i2h, h2h, name=prefix + "plus0"), num_outputs=4,
                               name=prefix + "slice")  # fmt: skip
        kinds = (self._recurrent_activation,) * 2 + (self._activation, self._recurrent_activation)
        i, f, c, o = [self._get_activation(F, gates[k], kind, name=prefix + "ifco"[k])
                      for k, kind in enumerate(kinds)]  # fmt: skip
        kept = F.elemwise_mul(f, states[1], name=prefix + "mul0")
        new = F.elemwise_mul(i, c, name=prefix + "mul1")
        memory = F.elemwise_add(kept, new, name=prefix + "state")
        shown = self._get_activation(F, memory, self._activation, name=prefix + "activation0")
        output = F.elemwise_mul(o, shown, name=prefix + "out")
        return output, [output, memory]


class GRUCell(GatedCell):
    """Gated recurrent unit (Cho et al. 2014), with the reset gate behind the product as in cuDNN."""

    gates = 3

    def __init__(self, hidden_size: int, i2h_weight_initializer: Any = None,
                 h2h_weight_initializer: Any = None, i2h_bias_initializer: Any = "zeros",
                 h2h_bias_initializer: Any = "zeros", input_size: int = 0, prefix: str | None = None,
                 params: Any = None):  # fmt: skip
        super().__init__(prefix=prefix, params=params)
        self._build(hidden_size, input_size, (i2h_weight_initializer, h2h_weight_initializer,
                                              i2h_bias_initializer, h2h_bias_initializer))  # fmt: skip

    def hybrid_forward(self, F, inputs, states, i2h_weight, h2h_weight, i2h_bias, h2h_bias):
        """See `HybridBlock.hybrid_forward`."""
        hidden = states[0]
        prefix, i2h, h2h = self._products(F, inputs, hidden, i2h_weight, h2h_weight, i2h_bias, h2h_bias)
        i2h = F.SliceChannel(i2h, num_outputs=3, name=prefix + "i2h_slice")
        h2h = F.SliceChannel(h2h, num_outputs=3, name=prefix + "h2h_slice")
        reset, update = [
            F.Activation(F.elemwise_add(i2h[k], h2h[k], name=f"{prefix}plus{k}"), act_type="sigmoid",
                         name=f"{prefix}{'rz'[k]}_act") for k in range(2)
        ]  # fmt: skip
        past = F.elemwise_mul(reset, h2h[2], name=prefix + "mul0")
        new = F.Activation(F.elemwise_add(i2h[2], past, name=prefix + "plus2"), act_type="tanh",
                           name=prefix + "h_act")  # fmt: skip
        rest = F.elemwise_sub(F.ones_like(update, name=prefix + "ones_like0"), update, name=prefix + "minus0")
        output = F.elemwise_add(F.elemwise_mul(rest, new, name=prefix + "mul1"),
                                F.elemwise_mul(update, hidden, name=prefix + "mul20"),
                                name=prefix + "out")  # fmt: skip
        return output, [output]
