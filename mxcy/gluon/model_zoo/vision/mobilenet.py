"""MobileNets (Howard et al. 2017), and MobileNets v2 (Sandler et al. 2018)."""

from __future__ import annotations

from typing import Any

from ... import nn
from ...hybrid import HybridBlock
from ..model_store import with_parameters
from .classifier import Classifier

__all__ = [
    "MobileNet",
    "MobileNetV2",
    "get_mobilenet",
    "get_mobilenet_v2",
    "mobilenet0_25",
    "mobilenet0_5",
    "mobilenet0_75",
    "mobilenet1_0",
    "mobilenet_v2_0_25",
    "mobilenet_v2_0_5",
    "mobilenet_v2_0_75",
    "mobilenet_v2_1_0",
]


class RELU6(HybridBlock):
    """x between 0 and 6."""

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.clip(x, a_min=0, a_max=6, name="relu6")


def convolution(out: Any, channels: int, kernel: int = 1, stride: int = 1, pad: int = 0, groups: int = 1,
                active: bool = True, relu6: bool = False) -> None:  # fmt: skip
    """Add a convolution, normalisation and an activation."""
    out.add(nn.Conv2D(channels, kernel, stride, pad, groups=groups, use_bias=False), nn.BatchNorm(scale=True))
    if active:
        out.add(RELU6() if relu6 else nn.Activation("relu"))


class LinearBottleneck(HybridBlock):
    """Channels `t` times as many, a convolution of each by itself, then few channels again."""

    def __init__(self, in_channels: int, channels: int, t: int, stride: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.use_shortcut = stride == 1 and in_channels == channels
        wide = in_channels * t
        with self.name_scope():
            self.out = nn.HybridSequential()
            convolution(self.out, wide, relu6=True)
            convolution(self.out, wide, 3, stride, 1, groups=wide, relu6=True)
            convolution(self.out, channels, active=False)

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        out = self.out(x)
        return F.elemwise_add(out, x) if self.use_shortcut else out


# (channels, stride) of each pair of convolutions: one of each channel by itself, one of single pixels.
PAIRS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]


class MobileNet(Classifier):
    """MobileNet with `multiplier` times the channels."""

    def __init__(self, multiplier: float = 1.0, classes: int = 1000, **kwargs: Any):
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            with self.features.name_scope():
                width = int(32 * multiplier)
                convolution(self.features, width, 3, 2, 1)
                for channels, stride in PAIRS:
                    convolution(self.features, width, 3, stride, 1, groups=width)
                    width = int(channels * multiplier)
                    convolution(self.features, width)
                self.features.add(nn.GlobalAvgPool2D(), nn.Flatten())
            self.output = nn.Dense(classes)


# (t, channels, how many, stride of the first) of the bottlenecks.
BOTTLENECKS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
               (6, 320, 1, 1)]  # fmt: skip


class MobileNetV2(Classifier):
    """MobileNet v2 with `multiplier` times the channels."""

    def __init__(self, multiplier: float = 1.0, classes: int = 1000, **kwargs: Any):
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="features_")
            with self.features.name_scope():
                width = int(32 * multiplier)
                convolution(self.features, width, 3, 2, 1, relu6=True)
                for t, channels, count, first in BOTTLENECKS:
                    for i in range(count):
                        new = int(channels * multiplier)
                        self.features.add(LinearBottleneck(width, new, t, 1 if i else first))
                        width = new
                convolution(self.features, int(1280 * max(multiplier, 1.0)), relu6=True)
                self.features.add(nn.GlobalAvgPool2D())
            self.output = nn.HybridSequential(prefix="output_")
            with self.output.name_scope():
                self.output.add(nn.Conv2D(classes, 1, use_bias=False, prefix="pred_"), nn.Flatten())


def suffix(multiplier: float) -> str:
    """The multiplier in names of files: 1.0, 0.75, 0.5, 0.25."""
    text = f"{multiplier:.2f}"
    return text[:-1] if text.endswith("0") else text


def get_mobilenet(multiplier: float, pretrained: bool = False, ctx: Any = None, root: str | None = None,
                  **kwargs: Any) -> MobileNet:  # fmt: skip
    """Return a MobileNet; see `alexnet`."""
    net = MobileNet(multiplier, **kwargs)
    return with_parameters(net, f"mobilenet{suffix(multiplier)}", pretrained, ctx, root)


def get_mobilenet_v2(multiplier: float, pretrained: bool = False, ctx: Any = None, root: str | None = None,
                     **kwargs: Any) -> MobileNetV2:  # fmt: skip
    """Return a MobileNet v2; see `alexnet`."""
    net = MobileNetV2(multiplier, **kwargs)
    return with_parameters(net, f"mobilenetv2_{suffix(multiplier)}", pretrained, ctx, root)


def mobilenet1_0(**kwargs: Any) -> MobileNet:
    """Return a MobileNet with all channels."""
    return get_mobilenet(1.0, **kwargs)


def mobilenet0_75(**kwargs: Any) -> MobileNet:
    """Return a MobileNet with 0.75 of the channels."""
    return get_mobilenet(0.75, **kwargs)


def mobilenet0_5(**kwargs: Any) -> MobileNet:
    """Return a MobileNet with half the channels."""
    return get_mobilenet(0.5, **kwargs)


def mobilenet0_25(**kwargs: Any) -> MobileNet:
    """Return a MobileNet with a quarter of the channels."""
    return get_mobilenet(0.25, **kwargs)


def mobilenet_v2_1_0(**kwargs: Any) -> MobileNetV2:
    """Return a MobileNet v2 with all channels."""
    return get_mobilenet_v2(1.0, **kwargs)


def mobilenet_v2_0_75(**kwargs: Any) -> MobileNetV2:
    """Return a MobileNet v2 with 0.75 of the channels."""
    return get_mobilenet_v2(0.75, **kwargs)


def mobilenet_v2_0_5(**kwargs: Any) -> MobileNetV2:
    """Return a MobileNet v2 with half the channels."""
    return get_mobilenet_v2(0.5, **kwargs)


def mobilenet_v2_0_25(**kwargs: Any) -> MobileNetV2:
    """Return a MobileNet v2 with a quarter of the channels."""
    return get_mobilenet_v2(0.25, **kwargs)
