"""Recurrent cells whose products are convolutions (Shi et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ....errors import AssertedArgumentError, message
from ...rnn import HybridRecurrentCell

__all__ = [
    "Conv1DGRUCell",
    "Conv1DLSTMCell",
    "Conv1DRNNCell",
    "Conv2DGRUCell",
    "Conv2DLSTMCell",
    "Conv2DRNNCell",
    "Conv3DGRUCell",
    "Conv3DLSTMCell",
    "Conv3DRNNCell",
]

LAYOUTS = {1: "NCW", 2: "NCHW", 3: "NCDHW"}
Sizes = int | Sequence[int]


class ConvCell(HybridRecurrentCell):
    """Base of convolutional cells.

    Parameters
    ----------
    input_shape : shape of a step of one sample, (C, W) for layout "NCW"; C may be 0 and follows from data.
    hidden_channels : channels of the outputs.
    i2h_kernel, i2h_pad, i2h_dilate : convolution of the inputs.
    h2h_kernel, h2h_dilate : convolution of the hidden state; extents of the kernel must be odd.
    i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer : see
        `Parameter`.
    conv_layout : "NCW", "NCHW" or "NCDHW", or with the channels last.
    activation : name of an activation, or a block.
    prefix, params : see `Block`.
    """

    dims: ClassVar[int] = 0
    gates: ClassVar[int] = 1
    states: ClassVar[int] = 1
    i2h_weight: Any

    def __init__(self, input_shape: Sequence[int], hidden_channels: int, i2h_kernel: Sizes, h2h_kernel: Sizes,
                 i2h_pad: Sizes = 0, i2h_dilate: Sizes = 1, h2h_dilate: Sizes = 1,
                 i2h_weight_initializer: Any = None, h2h_weight_initializer: Any = None,
                 i2h_bias_initializer: Any = "zeros", h2h_bias_initializer: Any = "zeros",
                 conv_layout: str | None = None, activation: Any = "tanh", prefix: str | None = None,
                 params: Any = None):  # fmt: skip
        super().__init__(prefix=prefix, params=params)
        self._hidden_channels = hidden_channels
        self._activation = activation
        self._layout = conv_layout or LAYOUTS[self.dims]
        kernel = self._sizes("i2h_kernel", i2h_kernel)
        pad = self._sizes("i2h_pad", i2h_pad)
        dilate = self._sizes("i2h_dilate", i2h_dilate)
        back = self._sizes("h2h_kernel", h2h_kernel)
        back_dilate = self._sizes("h2h_dilate", h2h_dilate)
        if any(extent % 2 == 0 for extent in back):
            got = h2h_kernel
            raise AssertedArgumentError(message(type(self).__name__, "h2h_kernel", "odd extents", got))
        # The hidden state keeps its extents.
        same = tuple([d * (k - 1) // 2 for d, k in zip(back_dilate, back, strict=True)])
        shared = {"stride": (1,) * self.dims, "num_filter": self.gates * hidden_channels,
                  "layout": self._layout}  # fmt: skip
        self._i2h = {"kernel": kernel, "pad": pad, "dilate": dilate} | shared
        self._h2h = {"kernel": back, "pad": same, "dilate": back_dilate} | shared
        self._axis = self._layout.find("C")
        channels = input_shape[self._axis - 1]
        extents = tuple(input_shape[1:] if self._axis == 1 else input_shape[:-1])
        found = tuple([x + 2 * p - d * (k - 1) if x else 0
                       for x, k, p, d in zip(extents, kernel, pad, dilate, strict=True)])  # fmt: skip
        self._state_shape = self._placed(hidden_channels, found)
        rows = (self.gates * hidden_channels,)
        for name, shape, init in (
            ("i2h_weight", rows + self._placed(channels, kernel), i2h_weight_initializer),
            ("h2h_weight", rows + self._placed(hidden_channels, back), h2h_weight_initializer),
            ("i2h_bias", rows, i2h_bias_initializer),
            ("h2h_bias", rows, h2h_bias_initializer),
        ):
            setattr(self, name, self.params.get(name, shape=shape, init=init, allow_deferred_init=True))

    def _sizes(self, name: str, value: Sizes) -> tuple[int, ...]:
        """A number, or one for each dimension, as a tuple."""
        found = (value,) * self.dims if isinstance(value, int) else tuple(value)
        if len(found) != self.dims:
            expected = f"an int or {self.dims} of them"
            raise AssertedArgumentError(message(type(self).__name__, name, expected, value))
        return found

    def _placed(self, channels: int, extents: tuple[int, ...]) -> tuple[int, ...]:
        """Channels and extents in the order of the layout."""
        return (channels, *extents) if self._axis == 1 else (*extents, channels)

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """See `RecurrentCell.state_info`."""
        return [{"shape": (batch_size, *self._state_shape), "__layout__": self._layout}
                for _ in range(self.states)]  # fmt: skip

    def __repr__(self) -> str:
        shape = self.i2h_weight.shape
        channels = shape[1 if self._axis == 1 else -1] or None
        return f"{type(self).__name__}({channels} -> {shape[0]}, {self._activation}, {self._layout})"

    def _convolved(self, F, inputs, hidden, i2h_weight, h2h_weight, i2h_bias, h2h_bias):
        """What the inputs and the hidden state give to all gates."""
        prefix = f"t{self._counter}_"
        i2h = F.Convolution(data=inputs, weight=i2h_weight, bias=i2h_bias, name=prefix + "i2h", **self._i2h)
        h2h = F.Convolution(data=hidden, weight=h2h_weight, bias=h2h_bias, name=prefix + "h2h", **self._h2h)
        return prefix, i2h, h2h


class ConvRNN(ConvCell):
    """act(W * x + b + R * h + c), where * convolves."""

    def _alias(self) -> str:
        return "conv_rnn"

    def hybrid_forward(self, F, inputs, states, i2h_weight, h2h_weight, i2h_bias, h2h_bias):
        """See `HybridBlock.hybrid_forward`."""
        prefix, i2h, h2h = self._convolved(F, inputs, states[0], i2h_weight, h2h_weight, i2h_bias, h2h_bias)
        output = self._get_activation(F, i2h + h2h, self._activation, name=prefix + "out")
        return output, [output]


class ConvLSTM(ConvCell):
    """Long short-term memory; the four gates are those of input, forgetting, the new memory and output."""

    gates = 4
    states = 2

    def _alias(self) -> str:
        return "conv_lstm"

    def hybrid_forward(self, F, inputs, states, i2h_weight, h2h_weight, i2h_bias, h2h_bias):
        """See `HybridBlock.hybrid_forward`."""
        prefix, i2h, h2h = self._convolved(F, inputs, states[0], i2h_weight, h2h_weight, i2h_bias, h2h_bias)
        parts = F.SliceChannel(i2h + h2h, num_outputs=4, axis=self._axis, name=prefix + "slice")
        kinds = ("sigmoid", "sigmoid", self._activation, "sigmoid")
        i, f, c, o = [self._get_activation(F, parts[k], kind, name=prefix + "ifco"[k])
                      for k, kind in enumerate(kinds)]  # fmt: skip
        memory = F.elemwise_add(f * states[1], i * c, name=prefix + "state")
        shown = self._get_activation(F, memory, self._activation)
        output = F.elemwise_mul(o, shown, name=prefix + "out")
        return output, [output, memory]


class ConvGRU(ConvCell):
    """Gated recurrent unit; the three gates are those of resetting, updating and the new state."""

    gates = 3

    def _alias(self) -> str:
        return "conv_gru"

    def hybrid_forward(self, F, inputs, states, i2h_weight, h2h_weight, i2h_bias, h2h_bias):
        """See `HybridBlock.hybrid_forward`."""
        hidden = states[0]
        prefix, i2h, h2h = self._convolved(F, inputs, hidden, i2h_weight, h2h_weight, i2h_bias, h2h_bias)
        i2h = F.SliceChannel(i2h, num_outputs=3, axis=self._axis, name=prefix + "i2h_slice")
        h2h = F.SliceChannel(h2h, num_outputs=3, axis=self._axis, name=prefix + "h2h_slice")
        reset, update = [F.Activation(i2h[k] + h2h[k], act_type="sigmoid", name=f"{prefix}{'rz'[k]}_act")
                         for k in range(2)]  # fmt: skip
        new = self._get_activation(F, i2h[2] + reset * h2h[2], self._activation, name=prefix + "h_act")
        output = F.elemwise_add((1.0 - update) * new, update * hidden, name=prefix + "out")
        return output, [output]


class Conv1DRNNCell(ConvRNN):
    """`ConvRNN` over lines, (C, W); parameters: see `ConvCell`."""

    dims = 1


class Conv2DRNNCell(ConvRNN):
    """`ConvRNN` over planes, (C, H, W); parameters: see `ConvCell`."""

    dims = 2


class Conv3DRNNCell(ConvRNN):
    """`ConvRNN` over volumes, (C, D, H, W); parameters: see `ConvCell`."""

    dims = 3


class Conv1DLSTMCell(ConvLSTM):
    """`ConvLSTM` over lines, (C, W); parameters: see `ConvCell`."""

    dims = 1


class Conv2DLSTMCell(ConvLSTM):
    """`ConvLSTM` over planes, (C, H, W); parameters: see `ConvCell`."""

    dims = 2


class Conv3DLSTMCell(ConvLSTM):
    """`ConvLSTM` over volumes, (C, D, H, W); parameters: see `ConvCell`."""

    dims = 3


class Conv1DGRUCell(ConvGRU):
    """`ConvGRU` over lines, (C, W); parameters: see `ConvCell`."""

    dims = 1


class Conv2DGRUCell(ConvGRU):
    """`ConvGRU` over planes, (C, H, W); parameters: see `ConvCell`."""

    dims = 2


class Conv3DGRUCell(ConvGRU):
    """`ConvGRU` over volumes, (C, D, H, W); parameters: see `ConvCell`."""

    dims = 3
