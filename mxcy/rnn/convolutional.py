"""Cells over pictures: their products are convolutions (Shi et al. 2015)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from .. import symbol as sym
from ..errors import AssertedArgumentError, message
from ..symbol import Symbol
from .cells import BaseRNNCell, RNNParams

__all__ = ["BaseConvRNNCell", "ConvGRUCell", "ConvLSTMCell", "ConvRNNCell"]

LEAKY = functools.partial(sym.LeakyReLU, act_type="leaky", slope=0.2)


class BaseConvRNNCell(BaseRNNCell):
    """Base of convolutional cells.

    Parameters
    ----------
    input_shape : shape of a step, with the batch: (N, C, H, W).
    num_hidden : channels of the outputs.
    h2h_kernel, h2h_dilate : convolution of the hidden state; extents of the kernel must be odd.
    i2h_kernel, i2h_stride, i2h_pad, i2h_dilate : convolution of the inputs.
    i2h_weight_initializer, h2h_weight_initializer, i2h_bias_initializer, h2h_bias_initializer : of variables.
    activation : name of an activation, or a function; slopes of 0.2 below zero by default.
    prefix, params : see `BaseRNNCell`.
    conv_layout : "NCHW" or "NHWC".
    """

    _usual_prefix = ""

    def __init__(self, input_shape: Sequence[int], num_hidden: int, h2h_kernel: Sequence[int] = (3, 3),
                 h2h_dilate: Sequence[int] = (1, 1), i2h_kernel: Sequence[int] = (3, 3),
                 i2h_stride: Sequence[int] = (1, 1), i2h_pad: Sequence[int] = (1, 1),
                 i2h_dilate: Sequence[int] = (1, 1), i2h_weight_initializer: Any = None,
                 h2h_weight_initializer: Any = None, i2h_bias_initializer: Any = "zeros",
                 h2h_bias_initializer: Any = "zeros", activation: Any = LEAKY, prefix: str | None = None,
                 params: RNNParams | None = None, conv_layout: str = "NCHW"):  # fmt: skip
        super().__init__(prefix=self._usual_prefix if prefix is None else prefix, params=params)
        if any(extent % 2 == 0 for extent in h2h_kernel):
            raise AssertedArgumentError(message(type(self).__name__, "h2h_kernel", "odd extents", h2h_kernel))
        # The hidden state keeps its extents.
        same = tuple([d * (k - 1) // 2 for d, k in zip(h2h_dilate, h2h_kernel, strict=True)])
        self._num_hidden = num_hidden
        self._activation = activation
        self._layout = conv_layout
        self._i2h: dict[str, Any] = {"kernel": i2h_kernel, "stride": i2h_stride, "pad": i2h_pad,
                                     "dilate": i2h_dilate}  # fmt: skip
        self._h2h: dict[str, Any] = {"kernel": h2h_kernel, "stride": (1, 1), "pad": same,
                                     "dilate": h2h_dilate}  # fmt: skip
        step = sym.Convolution(sym.Variable("data"), num_filter=num_hidden, layout=conv_layout, **self._i2h)
        self._state_shape = (0, *step.infer_shape(data=tuple(input_shape))[1][0][1:])
        self._i2h |= {"weight": self.params.get("i2h_weight", init=i2h_weight_initializer),
                      "bias": self.params.get("i2h_bias", init=i2h_bias_initializer)}  # fmt: skip
        self._h2h |= {"weight": self.params.get("h2h_weight", init=h2h_weight_initializer),
                      "bias": self.params.get("h2h_bias", init=h2h_bias_initializer)}  # fmt: skip

    @property
    def state_info(self) -> list[dict]:
        """See `BaseRNNCell.state_info`."""
        return [{"shape": self._state_shape, "__layout__": self._layout}]

    def _convolved(self, inputs: Symbol, hidden: Symbol) -> tuple[str, Symbol, Symbol]:
        """(beginning of names, what the inputs give to all gates, what the hidden state does)."""
        self._counter += 1
        name = f"{self._prefix}t{self._counter}_"
        rows = {"num_filter": self._num_hidden * len(self._gate_names), "layout": self._layout}
        i2h = sym.Convolution(data=inputs, name=name + "i2h", **self._i2h, **rows)
        return name, i2h, sym.Convolution(data=hidden, name=name + "h2h", **self._h2h, **rows)

    def _gates(self, x: Symbol, name: str) -> Symbol:
        axis = self._layout.find("C")
        return sym.SliceChannel(x, num_outputs=len(self._gate_names), axis=axis, name=name)


class ConvRNNCell(BaseConvRNNCell):
    """act(W * x + b + R * h + c), where * convolves; see `BaseConvRNNCell`."""

    _gate_names = ("",)
    _usual_prefix = "ConvRNN_"

    def __call__(self, inputs: Symbol, states: list[Symbol]) -> tuple[Any, list]:
        """Make a step."""
        name, i2h, h2h = self._convolved(inputs, states[0])
        output = self._get_activation(i2h + h2h, self._activation, name=name + "out")
        return output, [output]


class ConvLSTMCell(BaseConvRNNCell):
    """Long short-term memory; states are the hidden state and the memory; see `BaseConvRNNCell`."""

    _gate_names = ("_i", "_f", "_c", "_o")
    _usual_prefix = "ConvLSTM_"

    @property
    def state_info(self) -> list[dict]:
        """See `BaseRNNCell.state_info`."""
        return super().state_info * 2

    def __call__(self, inputs: Symbol, states: list[Symbol]) -> tuple[Any, list]:
        """Make a step."""
        name, i2h, h2h = self._convolved(inputs, states[0])
        gates = self._gates(i2h + h2h, name + "slice")
        kinds = ("sigmoid", "sigmoid", self._activation, "sigmoid")
        i, f, c, o = [self._get_activation(gates[k], kind, name=name + "ifco"[k])
                      for k, kind in enumerate(kinds)]  # fmt: skip
        memory = sym.elemwise_add(f * states[1], i * c, name=name + "state")
        shown = self._get_activation(memory, self._activation)
        output = sym.elemwise_mul(o, shown, name=name + "out")
        return output, [output, memory]


class ConvGRUCell(BaseConvRNNCell):
    """Gated recurrent unit; see `BaseConvRNNCell`."""

    _gate_names = ("_r", "_z", "_o")
    _usual_prefix = "ConvGRU_"

    def __call__(self, inputs: Symbol, states: list[Symbol]) -> tuple[Any, list]:
        """Make a step."""
        name, i2h, h2h = self._convolved(inputs, states[0])
        i2h, h2h = self._gates(i2h, name + "_i2h_slice"), self._gates(h2h, name + "_h2h_slice")
        reset, update = [sym.Activation(i2h[k] + h2h[k], act_type="sigmoid", name=f"{name}_{'rz'[k]}_act")
                         for k in range(2)]  # fmt: skip
        new = self._get_activation(i2h[2] + reset * h2h[2], self._activation, name=name + "_h_act")
        output = sym.elemwise_add((1.0 - update) * new, update * states[0], name=name + "out")
        return output, [output]
