"""Residual networks (He et al. 2015), and those with activations before the weights (He et al. 2016)."""

from __future__ import annotations

from typing import Any

from ....errors import AssertedArgumentError, message
from ... import nn
from ...hybrid import HybridBlock
from ..model_store import with_parameters
from .classifier import Classifier

__all__ = [
    "BasicBlockV1",
    "BasicBlockV2",
    "BottleneckV1",
    "BottleneckV2",
    "ResNetV1",
    "ResNetV2",
    "get_resnet",
    "resnet18_v1",
    "resnet34_v1",
    "resnet50_v1",
    "resnet101_v1",
    "resnet152_v1",
    "resnet18_v2",
    "resnet34_v2",
    "resnet50_v2",
    "resnet101_v2",
    "resnet152_v2",
]


def _conv3x3(channels: int, stride: int, in_channels: int) -> nn.Conv2D:
    """A convolution that keeps the size of pictures, or halves it; libraries import it by MXNet's name."""
    return nn.Conv2D(channels, 3, stride, 1, use_bias=False, in_channels=in_channels)


def shortcut(channels: int, stride: int, in_channels: int) -> nn.Conv2D:
    """A convolution of single pixels, for a shortcut between different numbers of channels."""
    return nn.Conv2D(channels, 1, stride, use_bias=False, in_channels=in_channels)


class UnitV1(HybridBlock):
    """Base of units that add their input to their output, then apply relu."""

    def __init__(self, channels: int, stride: int, downsample: bool = False, in_channels: int = 0,
                 **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self.body = nn.HybridSequential(prefix="")
        self._fill(channels, stride, in_channels)
        self.downsample = None
        if downsample:
            self.downsample = nn.HybridSequential(prefix="")
            self.downsample.add(shortcut(channels, stride, in_channels), nn.BatchNorm())

    def _fill(self, channels: int, stride: int, in_channels: int) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define _fill")

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        inner = self.body(x)
        residual = x if self.downsample is None else self.downsample(x)
        return F.Activation(residual + inner, act_type="relu")


class BasicBlockV1(UnitV1):
    """Two convolutions of 3 x 3 pixels."""

    def _fill(self, channels: int, stride: int, in_channels: int) -> None:
        self.body.add(_conv3x3(channels, stride, in_channels), nn.BatchNorm(), nn.Activation("relu"),
                      _conv3x3(channels, 1, channels), nn.BatchNorm())  # fmt: skip


class BottleneckV1(UnitV1):
    """A convolution of 3 x 3 pixels of a quarter of the channels, between two of single pixels."""

    def _fill(self, channels: int, stride: int, in_channels: int) -> None:
        few = channels // 4
        self.body.add(nn.Conv2D(few, 1, stride), nn.BatchNorm(), nn.Activation("relu"), _conv3x3(few, 1, few),
                      nn.BatchNorm(), nn.Activation("relu"), nn.Conv2D(channels, 1),
                      nn.BatchNorm())  # fmt: skip


class UnitV2(HybridBlock):
    """Base of units that normalise their input, and add it to their output."""

    def __init__(self, channels: int, stride: int, downsample: bool = False, in_channels: int = 0,
                 **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._steps = self._fill(channels, stride, in_channels)
        self.downsample = shortcut(channels, stride, in_channels) if downsample else None

    def _fill(self, channels: int, stride: int, in_channels: int) -> int:
        """Set bn1, conv1, bn2, ... and return how many there are of each."""
        raise NotImplementedError(f"{type(self).__name__} must define _fill")

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        residual = x
        for i in range(1, self._steps + 1):
            x = F.Activation(getattr(self, f"bn{i}")(x), act_type="relu")
            if i == 1 and self.downsample is not None:
                residual = self.downsample(x)
            x = getattr(self, f"conv{i}")(x)
        return x + residual


class BasicBlockV2(UnitV2):
    """Two convolutions of 3 x 3 pixels, each after normalisation and relu."""

    def _fill(self, channels: int, stride: int, in_channels: int) -> int:
        self.bn1 = nn.BatchNorm()
        self.conv1 = _conv3x3(channels, stride, in_channels)
        self.bn2 = nn.BatchNorm()
        self.conv2 = _conv3x3(channels, 1, channels)
        return 2


class BottleneckV2(UnitV2):
    """`BottleneckV1` with normalisation and relu before each convolution."""

    def _fill(self, channels: int, stride: int, in_channels: int) -> int:
        few = channels // 4
        self.bn1 = nn.BatchNorm()
        self.conv1 = nn.Conv2D(few, 1, 1, use_bias=False)
        self.bn2 = nn.BatchNorm()
        self.conv2 = _conv3x3(few, stride, few)
        self.bn3 = nn.BatchNorm()
        self.conv3 = nn.Conv2D(channels, 1, 1, use_bias=False)
        return 3


class ResNet(Classifier):
    """What both versions share: a first convolution, and stages of units."""

    features: Any

    def _start(self, layers: list[int], channels: list[int], thumbnail: bool) -> None:
        if len(layers) != len(channels) - 1:
            expected = f"{len(layers) + 1}, one more than layers"
            raise AssertedArgumentError(message(type(self).__name__, "channels", expected, len(channels)))
        if thumbnail:
            self.features.add(_conv3x3(channels[0], 1, 0))
        else:
            self.features.add(nn.Conv2D(channels[0], 7, 2, 3, use_bias=False), nn.BatchNorm(),
                              nn.Activation("relu"), nn.MaxPool2D(3, 2, 1))  # fmt: skip

    def _stages(self, block: type, layers: list[int], channels: list[int]) -> None:
        for i, count in enumerate(layers):
            stage = nn.HybridSequential(prefix=f"stage{i + 1}_")
            before, after = channels[i], channels[i + 1]
            with stage.name_scope():
                stride = 2 if i else 1
                stage.add(block(after, stride, after != before, in_channels=before, prefix=""))
                for _ in range(count - 1):
                    stage.add(block(after, 1, False, in_channels=after, prefix=""))
            self.features.add(stage)


class ResNetV1(ResNet):
    """A residual network.

    Parameters
    ----------
    block : class of its units.
    layers : units of each stage.
    channels : channels of the first convolution and of each stage.
    thumbnail : whether pictures are small, and the first convolution does not make them smaller.
    """

    def __init__(self, block: type, layers: list[int], channels: list[int], classes: int = 1000,
                 thumbnail: bool = False, **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self._start(layers, channels, thumbnail)
            self._stages(block, layers, channels)
            self.features.add(nn.GlobalAvgPool2D())
            self.output = nn.Dense(classes, in_units=channels[-1])


class ResNetV2(ResNet):
    """A residual network with activations before the weights; see `ResNetV1`."""

    def __init__(self, block: type, layers: list[int], channels: list[int], classes: int = 1000,
                 thumbnail: bool = False, **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(nn.BatchNorm(scale=False, center=False))
            self._start(layers, channels, thumbnail)
            self._stages(block, layers, channels)
            self.features.add(nn.BatchNorm(), nn.Activation("relu"), nn.GlobalAvgPool2D(), nn.Flatten())
            self.output = nn.Dense(classes, in_units=channels[-1])


FEW, MANY = [64, 64, 128, 256, 512], [64, 256, 512, 1024, 2048]
resnet_spec: dict[int, Any] = {
    18: ("basic_block", [2, 2, 2, 2], FEW),
    34: ("basic_block", [3, 4, 6, 3], FEW),
    50: ("bottle_neck", [3, 4, 6, 3], MANY),
    101: ("bottle_neck", [3, 4, 23, 3], MANY),
    152: ("bottle_neck", [3, 8, 36, 3], MANY),
}
resnet_net_versions = [ResNetV1, ResNetV2]
resnet_block_versions: list[dict] = [
    {"basic_block": BasicBlockV1, "bottle_neck": BottleneckV1},
    {"basic_block": BasicBlockV2, "bottle_neck": BottleneckV2},
]


def get_resnet(version: int, num_layers: int, pretrained: bool = False, ctx: Any = None,
               root: str | None = None, **kwargs: Any) -> ResNet:  # fmt: skip
    """Return a residual network of version 1 or 2, of 18, 34, 50, 101 or 152 layers; see `alexnet`."""
    if num_layers not in resnet_spec:
        expected = f"one of {', '.join(map(str, resnet_spec))}"
        raise AssertedArgumentError(message("get_resnet", "num_layers", expected, num_layers))
    if version not in (1, 2):
        raise AssertedArgumentError(message("get_resnet", "version", "1 or 2", version))
    kind, layers, channels = resnet_spec[num_layers]
    block = resnet_block_versions[version - 1][kind]
    net = resnet_net_versions[version - 1](block, layers, channels, **kwargs)
    return with_parameters(net, f"resnet{num_layers}_v{version}", pretrained, ctx, root)


def resnet18_v1(**kwargs: Any) -> ResNet:
    """Return a residual network of 18 layers, version 1."""
    return get_resnet(1, 18, **kwargs)


def resnet34_v1(**kwargs: Any) -> ResNet:
    """Return a residual network of 34 layers, version 1."""
    return get_resnet(1, 34, **kwargs)


def resnet50_v1(**kwargs: Any) -> ResNet:
    """Return a residual network of 50 layers, version 1."""
    return get_resnet(1, 50, **kwargs)


def resnet101_v1(**kwargs: Any) -> ResNet:
    """Return a residual network of 101 layers, version 1."""
    return get_resnet(1, 101, **kwargs)


def resnet152_v1(**kwargs: Any) -> ResNet:
    """Return a residual network of 152 layers, version 1."""
    return get_resnet(1, 152, **kwargs)


def resnet18_v2(**kwargs: Any) -> ResNet:
    """Return a residual network of 18 layers, version 2."""
    return get_resnet(2, 18, **kwargs)


def resnet34_v2(**kwargs: Any) -> ResNet:
    """Return a residual network of 34 layers, version 2."""
    return get_resnet(2, 34, **kwargs)


def resnet50_v2(**kwargs: Any) -> ResNet:
    """Return a residual network of 50 layers, version 2."""
    return get_resnet(2, 50, **kwargs)


def resnet101_v2(**kwargs: Any) -> ResNet:
    """Return a residual network of 101 layers, version 2."""
    return get_resnet(2, 101, **kwargs)


def resnet152_v2(**kwargs: Any) -> ResNet:
    """Return a residual network of 152 layers, version 2."""
    return get_resnet(2, 152, **kwargs)
