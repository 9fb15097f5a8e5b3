"""Recurrent layers: whole sequences by the fused operator `RNN`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from ... import ndarray as nd
from ... import symbol as sym
from ..._array import Array
from ...errors import ArgumentError, AssertedArgumentError, ShapeError, message, problem
from ..hybrid import HybridBlock
from . import combined_cells, rnn_cell
from .sequences import TENSORS, state_of

__all__ = ["GRU", "LSTM", "RNN"]

GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}
PARAMETER = re.compile(r"(l|r)(\d+)_(i2h|h2h|h2r)_(weight|bias)\Z")


class RecurrentLayer(HybridBlock):
    """What all recurrent layers share.

    Parameters
    ----------
    hidden_size, num_layers, bidirectional, dropout : of the network; dropout is between layers.
    layout : "TNC" or "NTC": the order of time, batch and channels.
    input_size : inputs of a step; by default they follow from the data.
    initializers : of i2h_weight, h2h_weight, i2h_bias and h2h_bias.

    Called with inputs it returns the outputs, with inputs and states (outputs, states).
    """

    def __init__(self, mode: str, hidden_size: int, num_layers: int, layout: str, dropout: float,
                 bidirectional: bool, input_size: int, initializers: tuple, dtype: Any,
                 projection: tuple = (None, None), clip: tuple = (None, None, False),
                 use_sequence_length: bool = False, **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        if layout not in ("TNC", "NTC"):
            raise AssertedArgumentError(
                message(type(self).__name__, "layout", "'TNC' or 'NTC'", repr(layout))
            )
        if mode not in GATES:
            raise ArgumentError(message(type(self).__name__, "activation", "'relu' or 'tanh'", mode[4:]))
        self._mode = mode
        self._hidden_size = hidden_size
        self._num_layers = num_layers
        self._layout = layout
        self._dropout = dropout
        self._dir = 2 if bidirectional else 1
        self._input_size = input_size
        self._initializers = initializers
        self._dtype = dtype
        self._projection_size, h2r_initializer = projection
        self._clip = clip
        self._use_sequence_length = use_sequence_length
        self._gates = GATES[mode]
        self._skip_states = False
        for name, shape in self._shapes(input_size).items():
            kind = name.split("_", 1)[1]
            init = h2r_initializer if kind == "h2r_weight" else initializers[KINDS.index(kind)]
            setattr(self, name, self.params.get(name, shape=shape, init=init, allow_deferred_init=True,
                                                dtype=dtype))  # fmt: skip

    def _shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """The shapes of all parameters for so many inputs, in MXNet's order."""
        rows, out = self._gates * self._hidden_size, self._projection_size or self._hidden_size
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self._num_layers):
            for way in ("l", "r")[: self._dir]:
                start = f"{way}{layer}_"
                shapes |= {start + "i2h_weight": (rows, inputs), start + "h2h_weight": (rows, out),
                           start + "i2h_bias": (rows,), start + "h2h_bias": (rows,)}  # fmt: skip
                if self._projection_size:
                    shapes[start + "h2r_weight"] = (out, self._hidden_size)
            inputs = out * self._dir
        return shapes

    def infer_shape(self, inputs: Any, *args: Any) -> None:
        """Set the shapes of the parameters from that of the inputs."""
        for name, shape in self._shapes(inputs.shape[2]).items():
            getattr(self, name).shape = shape

    def __repr__(self) -> str:
        shape = self.l0_i2h_weight.shape  # type: ignore[attr-defined]
        text = f"{type(self).__name__}({shape[1] or None} -> {shape[0] // self._gates}, {self._layout}"
        text += f", num_layers={self._num_layers}" if self._num_layers != 1 else ""
        text += f", dropout={self._dropout}" if self._dropout != 0 else ""
        return text + (", bidirectional)" if self._dir == 2 else ")")

    def _collect_params_with_prefix(self, prefix: str = "") -> dict[str, Any]:
        """Parameters under the names that they have in a row of cells, as in MXNet's files."""
        prefix = f"{prefix}." if prefix else ""
        found = {}
        for name, value in self._reg_params.items():
            way, layer, gate, kind = PARAMETER.match(name).groups()  # type: ignore[union-attr]
            cell = f"{layer}.{way}_cell" if self._dir == 2 else layer
            found[f"{prefix}_unfused.{cell}.{gate}_{kind}"] = value
        return found

    def cast(self, dtype: Any) -> None:
        """See `Block.cast`."""
        super().cast(dtype)
        self._dtype = dtype

    # -- states -----------------------------------------------------------------------------------------

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """Return shape, layout and dtype of each state."""
        sizes = [self._projection_size or self._hidden_size]
        sizes += [self._hidden_size] if self._mode == "lstm" else []
        count = self._num_layers * self._dir
        return [{"shape": (count, batch_size, size), "__layout__": "LNC", "dtype": self._dtype}
                for size in sizes]  # fmt: skip

    def begin_state(self, batch_size: int = 0, func: Callable = nd.zeros, **kwargs: Any) -> list:
        """Return the states before the first step, made by `func`."""
        states = []
        for i, info in enumerate(self.state_info(batch_size)):
            states.append(state_of(func, f"{self.prefix}h0_{i}", info | kwargs))
        return states

    # -- running ----------------------------------------------------------------------------------------

    def __call__(self, inputs: Any, states: Any = None, sequence_length: Any = None) -> Any:
        """Return outputs, or with states (outputs, states)."""
        self._skip_states = states is None
        if isinstance(inputs, Array) and inputs.ndim != 3:
            expected = f"three dimensions in the order {self._layout}"
            raise ShapeError(message(type(self).__name__, "inputs", expected, inputs.shape))
        if states is None:
            if isinstance(inputs, Array):
                size = inputs.shape[self._layout.find("N")]
                states = self.begin_state(size, ctx=inputs.context, dtype=inputs.dtype)
            else:
                states = self.begin_state(func=partial(zeros_like_batch, inputs, self._layout))
        states = [states] if isinstance(states, TENSORS) else states
        if self._use_sequence_length:
            return super().__call__(inputs, states, sequence_length)
        return super().__call__(inputs, states)

    def hybrid_forward(self, F, inputs, states, sequence_length=None, **params):
        """See `HybridBlock.hybrid_forward`."""
        if F is nd:
            size = inputs.shape[self._layout.find("N")]
            for state, info in zip(states, self.state_info(size), strict=True):
                if state.shape != info["shape"]:
                    raise ArgumentError(message("RNN", "states", f"shape {info['shape']}", state.shape))
        inputs = F.swapaxes(inputs, 0, 1) if self._layout == "NTC" else inputs
        names = sorted(params, key=lambda name: (name.endswith("bias"), list(self._reg_params).index(name)))
        packed = F.concat(*[F.reshape(params[name], shape=(-1,)) for name in names], dim=0)
        lengths = [sequence_length] if self._use_sequence_length else []
        low, high, nan = self._clip
        found = F.RNN(inputs, packed, *states, *lengths, use_sequence_length=self._use_sequence_length,
                      state_size=self._hidden_size, projection_size=self._projection_size,
                      num_layers=self._num_layers, bidirectional=self._dir == 2, p=self._dropout,
                      state_outputs=True, mode=self._mode, lstm_state_clip_min=low,
                      lstm_state_clip_max=high, lstm_state_clip_nan=nan)  # fmt: skip
        outputs, after = found[0], [found[i + 1] for i in range(len(states))]
        outputs = F.swapaxes(outputs, 0, 1) if self._layout == "NTC" else outputs
        return outputs if self._skip_states else (outputs, after)

    def _unfuse(self) -> Any:
        """The same network as a row of cells, with the same parameters."""
        if self._projection_size or any(self._clip[:2]):
            raise AssertedArgumentError(problem("_unfuse", None, "not with projection or clipped states"))
        kinds = {"rnn_relu": rnn_cell.RNNCell, "rnn_tanh": rnn_cell.RNNCell, "lstm": rnn_cell.LSTMCell,
                 "gru": rnn_cell.GRUCell}  # fmt: skip
        options: dict[str, Any] = dict(
            zip([f"{k}_initializer" for k in KINDS], self._initializers, strict=True)
        )
        if self._mode.startswith("rnn_"):
            options["activation"] = self._mode[4:]
        stack = combined_cells.HybridSequentialRNNCell(prefix=self.prefix, params=self.params)
        inputs = self._input_size
        with stack.name_scope():
            for layer in range(self._num_layers):
                cells = [kinds[self._mode](self._hidden_size, prefix=f"{way}{layer}_", input_size=inputs,
                                           **options) for way in ("l", "r")[: self._dir]]  # fmt: skip
                stack.add(cells[0] if self._dir == 1 else combined_cells.BidirectionalCell(*cells))
                if self._dropout > 0 and layer != self._num_layers - 1:
                    stack.add(combined_cells.DropoutCell(self._dropout))
                inputs = self._hidden_size * self._dir
        return stack


def zeros_like_batch(inputs: Any, layout: str, shape: tuple, name: str | None = None, **_: Any) -> Any:
    """A state of a symbol, for as many samples as the inputs have."""
    inputs = sym.swapaxes(inputs, 0, 1) if layout == "NTC" else inputs
    column = sym.slice(inputs, begin=(0, None, 0), end=(1, None, 1))
    return sym.broadcast_axis(sym.zeros_like(column), axis=(0, 2), size=(shape[0], shape[2]), name=name)


KINDS = ("i2h_weight", "h2h_weight", "i2h_bias", "h2h_bias")


class RNN(RecurrentLayer):
    """Layers of `RNNCell`; see `LSTM`."""

    def __init__(self, hidden_size: int, num_layers: int = 1, activation: str = "relu", layout: str = "TNC",
                 dropout: float = 0, bidirectional: bool = False, i2h_weight_initializer: Any = None,
                 h2h_weight_initializer: Any = None, i2h_bias_initializer: Any = "zeros",
                 h2h_bias_initializer: Any = "zeros", input_size: int = 0, dtype: Any = "float32",
                 **kwargs: Any):  # fmt: skip
        inits = (i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer)
        super().__init__("rnn_" + activation, hidden_size, num_layers, layout, dropout, bidirectional,
                         input_size, inits, dtype, **kwargs)  # fmt: skip


class LSTM(RecurrentLayer):
    """Layers of `LSTMCell`.

    Parameters
    ----------
    hidden_size, num_layers, bidirectional, dropout : of the network; dropout is between layers.
    layout : "TNC" or "NTC": the order of time, batch and channels.
    input_size : inputs of a step; by default they follow from the data.
    projection_size, h2r_weight_initializer : size of hidden states after a projection.
    state_clip_min, state_clip_max, state_clip_nan : bounds of the memory.
    """

    def __init__(self, hidden_size: int, num_layers: int = 1, layout: str = "TNC", dropout: float = 0,
                 bidirectional: bool = False, input_size: int = 0, i2h_weight_initializer: Any = None,
                 h2h_weight_initializer: Any = None, i2h_bias_initializer: Any = "zeros",
                 h2h_bias_initializer: Any = "zeros", projection_size: int | None = None,
                 h2r_weight_initializer: Any = None, state_clip_min: float | None = None,
                 state_clip_max: float | None = None, state_clip_nan: bool = False, dtype: Any = "float32",
                 **kwargs: Any):  # fmt: skip
        inits = (i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer)
        super().__init__("lstm", hidden_size, num_layers, layout, dropout, bidirectional, input_size, inits,
                         dtype, (projection_size, h2r_weight_initializer),
                         (state_clip_min, state_clip_max, state_clip_nan), **kwargs)  # fmt: skip


class GRU(RecurrentLayer):
    """Layers of `GRUCell`; see `LSTM`."""

    def __init__(self, hidden_size: int, num_layers: int = 1, layout: str = "TNC", dropout: float = 0,
                 bidirectional: bool = False, input_size: int = 0, i2h_weight_initializer: Any = None,
                 h2h_weight_initializer: Any = None, i2h_bias_initializer: Any = "zeros",
                 h2h_bias_initializer: Any = "zeros", dtype: Any = "float32", **kwargs: Any):  # fmt: skip
        inits = (i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer)
        super().__init__("gru", hidden_size, num_layers, layout, dropout, bidirectional, input_size, inits,
                         dtype, **kwargs)  # fmt: skip


_RNNLayer = RecurrentLayer  # which libraries derive from and ask for
