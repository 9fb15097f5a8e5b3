"""Convolutions that learn where they read (Dai et al. 2017, Zhu et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import AssertedArgumentError, message
from ..hybrid import HybridBlock
from ..nn import Activation

__path__: list[str] = []  # MXNet has modules inside, which are this one
__all__ = ["DeformableConvolution", "ModulatedDeformableConvolution"]

Sizes = int | Sequence[int]


class DeformableConvolution(HybridBlock):
    """A convolution whose kernel is displaced by what another convolution of the data computes.

    Parameters
    ----------
    channels, kernel_size, strides, padding, dilation, groups, use_bias, in_channels, activation : as of
        `nn.Conv2D`.
    num_deformable_group : groups of channels with displacements of their own.
    layout : "NCHW".
    weight_initializer, bias_initializer : of the convolution.
    offset_weight_initializer, offset_bias_initializer, offset_use_bias : of the displacements; zeros, so that
        it starts as an ordinary convolution.
    op_name, adj : accepted, as in MXNet.
    prefix, params : see `Block`.
    """

    deformable_conv_weight: Any
    planes = 2  # of displacements for each element of the kernel: rows and columns
    offset_first = True  # the order of the parameters, as MXNet has it

    def __init__(self, channels: int, kernel_size: Sizes = (1, 1), strides: Sizes = (1, 1),
                 padding: Sizes = (0, 0), dilation: Sizes = (1, 1), groups: int = 1,
                 num_deformable_group: int = 1, layout: str = "NCHW", use_bias: bool = True,
                 in_channels: int = 0, activation: str | None = None, weight_initializer: Any = None,
                 bias_initializer: Any = "zeros", offset_weight_initializer: Any = "zeros",
                 offset_bias_initializer: Any = "zeros", offset_use_bias: bool = True,
                 op_name: str = "DeformableConvolution", adj: Any = None, prefix: str | None = None,
                 params: Any = None):  # fmt: skip
        super().__init__(prefix=prefix, params=params)
        if layout != "NCHW":
            raise AssertedArgumentError(message(type(self).__name__, "layout", "'NCHW'", repr(layout)))
        kernel, stride, pad, dilate = [both(value) for value in (kernel_size, strides, padding, dilation)]
        size = kernel[0] * kernel[1] * num_deformable_group
        self._displaced = 2 * size
        shared = {"kernel": kernel, "stride": stride, "pad": pad, "dilate": dilate, "num_group": groups,
                  "layout": layout}  # fmt: skip
        self._offset = shared | {"num_filter": self.planes * size, "no_bias": not offset_use_bias}
        self._convolution = shared | {"num_filter": channels, "no_bias": not use_bias,
                                      "num_deformable_group": num_deformable_group}  # fmt: skip
        with self.name_scope():
            shape = (self.planes * size, in_channels // groups, *kernel)
            offset = ("offset", shape, offset_weight_initializer,
                      offset_bias_initializer if offset_use_bias else None)  # fmt: skip
            own = ("deformable_conv", (channels, 0, *kernel), weight_initializer,
                   bias_initializer if use_bias else None)  # fmt: skip
            for part in (offset, own) if self.offset_first else (own, offset):
                self._add(*part)
            self.act = Activation(activation, prefix=activation + "_") if activation else None

    def _add(self, name: str, shape: tuple, weight_init: Any, bias_init: Any) -> None:
        weight = self.params.get(f"{name}_weight", shape=shape, init=weight_init, allow_deferred_init=True)
        setattr(self, f"{name}_weight", weight)
        if bias_init is not None:
            bias = self.params.get(f"{name}_bias", shape=shape[:1], init=bias_init, allow_deferred_init=True)
            setattr(self, f"{name}_bias", bias)

    def _alias(self) -> str:
        return "deformable_conv"

    def __repr__(self) -> str:
        attrs = self._convolution
        channels, inner = attrs["num_filter"], self.deformable_conv_weight.shape[1]
        text = f"{inner or None} -> {channels}, kernel_size={attrs['kernel']}, stride={attrs['stride']}"
        shown = {"padding": attrs["pad"], "dilation": attrs["dilate"], "groups": attrs["num_group"]}
        usual = {"padding": (0, 0), "dilation": (1, 1), "groups": 1}
        text += "".join([f", {name}={value}" for name, value in shown.items() if value != usual[name]])
        text += ", bias=False" if attrs["no_bias"] else ""
        return f"{type(self).__name__}({text}{f', {self.act}' if self.act else ''})"

    def hybrid_forward(self, F, x, offset_weight, deformable_conv_weight, offset_bias=None,
                       deformable_conv_bias=None):  # fmt: skip
        """See `HybridBlock.hybrid_forward`."""
        bias = [] if offset_bias is None else [offset_bias]
        offset = F.Convolution(x, offset_weight, *bias, **self._offset)
        bias = [] if deformable_conv_bias is None else [deformable_conv_bias]
        out = self._convolved(F, x, offset, [deformable_conv_weight, *bias])
        return self.act(out) if self.act else out

    def _convolved(self, F: Any, x: Any, offset: Any, params: list) -> Any:
        return F.contrib.DeformableConvolution(x, offset, *params, name="fwd", **self._convolution)


class ModulatedDeformableConvolution(DeformableConvolution):
    """`DeformableConvolution` that also learns how much each place counts: from 0 to 2."""

    planes = 3
    offset_first = False

    def _alias(self) -> str:
        return "modulated_deformable_conv"

    def _convolved(self, F: Any, x: Any, offset: Any, params: list) -> Any:
        places = F.slice_axis(offset, axis=1, begin=0, end=self._displaced)
        mask = F.sigmoid(F.slice_axis(offset, axis=1, begin=self._displaced, end=None)) * 2
        return F.contrib.ModulatedDeformableConvolution(x, places, mask, *params, name="fwd",
                                                        **self._convolution)  # fmt: skip


def both(value: Sizes) -> tuple[int, ...]:
    """A number as two of them."""
    return (value, value) if isinstance(value, int) else tuple(value)
