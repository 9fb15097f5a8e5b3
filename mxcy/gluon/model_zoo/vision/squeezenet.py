"""SqueezeNets (Iandola et al. 2016)."""

from __future__ import annotations

from typing import Any

from ....errors import AssertedArgumentError, message
from ... import nn
from ...contrib.nn import HybridConcurrent
from ..model_store import with_parameters
from .classifier import Classifier

__all__ = ["SqueezeNet", "get_squeezenet", "squeezenet1_0", "squeezenet1_1"]

# The first convolution, then the channels of fire modules, None for pooling.
VERSIONS: dict[str, Any] = {
    "1.0": ((96, 7), [None, 16, 16, 32, None, 32, 48, 48, 64, None, 64]),
    "1.1": ((64, 3), [None, 16, 16, None, 32, 32, None, 48, 48, 64, 64]),
}


def convolution(channels: int, kernel: int, padding: int = 0) -> nn.HybridSequential:
    """A convolution and relu."""
    out = nn.HybridSequential(prefix="")
    out.add(nn.Conv2D(channels, kernel, padding=padding), nn.Activation("relu"))
    return out


def fire(channels: int) -> nn.HybridSequential:
    """Few channels, then four times as many by kernels of two sizes."""
    out = nn.HybridSequential(prefix="")
    out.add(convolution(channels, 1))
    paths = HybridConcurrent(axis=1, prefix="")
    paths.add(convolution(4 * channels, 1), convolution(4 * channels, 3, 1))
    out.add(paths)
    return out


class SqueezeNet(Classifier):
    """SqueezeNet of a version, "1.0" or "1.1"."""

    def __init__(self, version: str, classes: int = 1000, **kwargs: Any):
        super().__init__(**kwargs)
        if version not in VERSIONS:
            raise AssertedArgumentError(message("SqueezeNet", "version", "'1.0' or '1.1'", repr(version)))
        (channels, kernel), modules = VERSIONS[version]
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(nn.Conv2D(channels, kernel, strides=2), nn.Activation("relu"))
            for width in modules:
                pool = width is None
                self.features.add(nn.MaxPool2D(3, 2, ceil_mode=True) if pool else fire(width))
            self.features.add(nn.Dropout(0.5))
            self.output = nn.HybridSequential(prefix="")
            self.output.add(nn.Conv2D(classes, kernel_size=1), nn.Activation("relu"), nn.AvgPool2D(13),
                            nn.Flatten())  # fmt: skip


def get_squeezenet(version: str, pretrained: bool = False, ctx: Any = None, root: str | None = None,
                   **kwargs: Any) -> SqueezeNet:  # fmt: skip
    """Return a SqueezeNet; see `alexnet`."""
    return with_parameters(SqueezeNet(version, **kwargs), f"squeezenet{version}", pretrained, ctx, root)


def squeezenet1_0(**kwargs: Any) -> SqueezeNet:
    """Return a SqueezeNet 1.0."""
    return get_squeezenet("1.0", **kwargs)


def squeezenet1_1(**kwargs: Any) -> SqueezeNet:
    """Return a SqueezeNet 1.1."""
    return get_squeezenet("1.1", **kwargs)
