"""Convolutions as layers, in one, two and three dimensions, and their transposes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import symbol as sym
from ..._paths import also, names_from
from ...errors import AssertedArgumentError, message
from ..hybrid import HybridBlock
from .activations import Activation

__all__ = [
    "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose",
    *also("AvgPool1D AvgPool2D AvgPool3D GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D "
          "GlobalMaxPool2D GlobalMaxPool3D MaxPool1D MaxPool2D MaxPool3D ReflectionPad2D"),
]  # fmt: skip
__getattr__ = names_from(__name__, "mxcy.gluon.nn", "mxcy.base")


def extents(name: str, argument: str, value: Any, count: int) -> tuple[int, ...]:
    """One number for each dimension, from one for all or from several."""
    found = [int(value)] * count if isinstance(value, (int, np.integer)) else list(value)
    if len(found) != count:
        raise AssertedArgumentError(message(name, argument, f"a number or {count} of them", value))
    return tuple(found)


class Convolution(HybridBlock):
    """What all convolutions share.

    Parameters
    ----------
    channels : outputs.
    kernel_size, strides, padding, dilation : numbers for each dimension, or one for all.
    groups : parts of the channels that are convolved apart.
    layout : the order of the axes: N is the batch, C the channels.
    activation : name of an activation, or None.
    use_bias, weight_initializer, bias_initializer : as named.
    in_channels : inputs; by default they follow from the data.
    """

    dimensions = 2
    layouts: tuple[str, ...] = ()
    op_name = "Convolution"

    def _build(self, channels: int, kernel_size: Any, strides: Any, padding: Any, dilation: Any, groups: int,
               layout: str, activation: str | None, use_bias: bool, weight_initializer: Any,
               bias_initializer: Any, in_channels: int, output_padding: Any = None) -> None:  # fmt: skip
        name = type(self).__name__
        if layout not in self.layouts:
            raise AssertedArgumentError(message(name, "layout", " or ".join(self.layouts), repr(layout)))

        def each(argument: str, value: Any) -> tuple[int, ...]:
            return extents(name, argument, value, self.dimensions)

        self._channels = channels
        self._in_channels = in_channels
        self._kwargs = {
            "kernel": each("kernel_size", kernel_size),
            "stride": each("strides", strides),
            "dilate": each("dilation", dilation),
            "pad": each("padding", padding),
            "num_filter": channels,
            "num_group": groups,
            "no_bias": not use_bias,
            "layout": layout,
        }
        if output_padding is not None:
            self.outpad = self._kwargs["adj"] = each("output_padding", output_padding)
        with self.name_scope():
            shape = self._weight_shape(layout, in_channels)
            self.weight = self.params.get("weight", shape=shape, init=weight_initializer,
                                          allow_deferred_init=True)  # fmt: skip
            self.bias = None
            if use_bias:
                self.bias = self.params.get("bias", shape=(channels,), init=bias_initializer,
                                            allow_deferred_init=True)  # fmt: skip
            self.act = None if activation is None else Activation(activation, prefix=activation + "_")

    def _weight_shape(self, layout: str, in_channels: int) -> tuple[int, ...]:
        """The shape of the weight, 0 for what follows from the data."""
        shape = [-1] * (self.dimensions + 2)  # unknown, with NumPy's shapes as well
        shape[layout.find("N")] = 1
        shape[layout.find("C")] = in_channels or -1
        out = getattr(sym, self.op_name)(sym.var("data", shape=tuple(shape)), **self._kwargs)
        return tuple(max(extent, 0) for extent in out.infer_shape_partial()[0][1])

    def hybrid_forward(self, F, x, weight, bias=None):
        """See `HybridBlock.hybrid_forward`."""
        given = (x, weight) if bias is None else (x, weight, bias)
        out = getattr(F, self.op_name)(*given, name="fwd", **self._kwargs)
        return out if self.act is None else self.act(out)

    def _alias(self) -> str:
        return "conv"

    def __repr__(self) -> str:
        shape: Any = self.weight.shape
        k: dict[str, Any] = self._kwargs
        ones = (1,) * self.dimensions
        text = f"{type(self).__name__}({shape[1] or None} -> {shape[0]}, kernel_size={k['kernel']}"
        text += f", stride={k['stride']}"
        text += f", padding={k['pad']}" if any(k["pad"]) else ""  # type: ignore[arg-type]
        text += f", dilation={k['dilate']}" if k["dilate"] != ones else ""
        text += f", groups={k['num_group']}" if k["num_group"] != 1 else ""
        text += ", bias=False" if self.bias is None else ""
        return text + (f", {self.act})" if self.act else ")")


class Conv1D(Convolution):
    """Convolution over one dimension; see `Conv2D`."""

    dimensions, layouts = 1, ("NCW",)

    def __init__(self, channels: int, kernel_size: Any, strides: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1, layout: str = "NCW", activation: str | None = None,
                 use_bias: bool = True, weight_initializer: Any = None, bias_initializer: Any = "zeros",
                 in_channels: int = 0, **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._build(channels, kernel_size, strides, padding, dilation, groups, layout, activation, use_bias,
                    weight_initializer, bias_initializer, in_channels)  # fmt: skip


class Conv2D(Convolution):
    """Convolution over two dimensions.

    Parameters
    ----------
    channels : outputs.
    kernel_size, strides, padding, dilation : numbers for each dimension, or one for all.
    groups : parts of the channels that are convolved apart.
    layout : "NCHW" or "NHWC".
    activation : name of an activation, or None.
    use_bias, weight_initializer, bias_initializer : as named.
    in_channels : inputs; by default they follow from the data.
    """

    dimensions, layouts = 2, ("NCHW", "NHWC")

    def __init__(self, channels: int, kernel_size: Any, strides: Any = (1, 1), padding: Any = (0, 0),
                 dilation: Any = (1, 1), groups: int = 1, layout: str = "NCHW",
                 activation: str | None = None, use_bias: bool = True, weight_initializer: Any = None,
                 bias_initializer: Any = "zeros", in_channels: int = 0, **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._build(channels, kernel_size, strides, padding, dilation, groups, layout, activation, use_bias,
                    weight_initializer, bias_initializer, in_channels)  # fmt: skip


class Conv3D(Convolution):
    """Convolution over three dimensions; see `Conv2D`."""

    dimensions, layouts = 3, ("NCDHW", "NDHWC")

    def __init__(self, channels: int, kernel_size: Any, strides: Any = (1, 1, 1), padding: Any = (0, 0, 0),
                 dilation: Any = (1, 1, 1), groups: int = 1, layout: str = "NCDHW",
                 activation: str | None = None, use_bias: bool = True, weight_initializer: Any = None,
                 bias_initializer: Any = "zeros", in_channels: int = 0, **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._build(channels, kernel_size, strides, padding, dilation, groups, layout, activation, use_bias,
                    weight_initializer, bias_initializer, in_channels)  # fmt: skip


class Conv1DTranspose(Convolution):
    """The transpose of a convolution over one dimension; see `Conv2DTranspose`."""

    dimensions, layouts, op_name = 1, ("NCW",), "Deconvolution"

    def __init__(self, channels: int, kernel_size: Any, strides: Any = 1, padding: Any = 0,
                 output_padding: Any = 0, dilation: Any = 1, groups: int = 1, layout: str = "NCW",
                 activation: str | None = None, use_bias: bool = True, weight_initializer: Any = None,
                 bias_initializer: Any = "zeros", in_channels: int = 0, **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._build(channels, kernel_size, strides, padding, dilation, groups, layout, activation, use_bias,
                    weight_initializer, bias_initializer, in_channels, output_padding)  # fmt: skip


class Conv2DTranspose(Convolution):
    """The transpose of a convolution over two dimensions, which makes pictures larger; see `Conv2D`.

    `output_padding` is added to one side of the output.
    """

    dimensions, layouts, op_name = 2, ("NCHW", "NHWC"), "Deconvolution"

    def __init__(self, channels: int, kernel_size: Any, strides: Any = (1, 1), padding: Any = (0, 0),
                 output_padding: Any = (0, 0), dilation: Any = (1, 1), groups: int = 1, layout: str = "NCHW",
                 activation: str | None = None, use_bias: bool = True, weight_initializer: Any = None,
                 bias_initializer: Any = "zeros", in_channels: int = 0, **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._build(channels, kernel_size, strides, padding, dilation, groups, layout, activation, use_bias,
                    weight_initializer, bias_initializer, in_channels, output_padding)  # fmt: skip


class Conv3DTranspose(Convolution):
    """The transpose of a convolution over three dimensions; see `Conv2DTranspose`."""

    dimensions, layouts, op_name = 3, ("NCDHW", "NDHWC"), "Deconvolution"

    def __init__(self, channels: int, kernel_size: Any, strides: Any = (1, 1, 1), padding: Any = (0, 0, 0),
                 output_padding: Any = (0, 0, 0), dilation: Any = (1, 1, 1), groups: int = 1,
                 layout: str = "NCDHW", activation: str | None = None, use_bias: bool = True,
                 weight_initializer: Any = None, bias_initializer: Any = "zeros", in_channels: int = 0,
                 **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._build(channels, kernel_size, strides, padding, dilation, groups, layout, activation, use_bias,
                    weight_initializer, bias_initializer, in_channels, output_padding)  # fmt: skip


_Conv = Convolution  # which libraries derive from and ask for
