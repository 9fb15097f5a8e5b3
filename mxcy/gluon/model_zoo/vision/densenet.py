"""DenseNets (Huang et al. 2016)."""

from __future__ import annotations

from typing import Any

from ... import nn
from ...contrib.nn import HybridConcurrent, Identity
from ..model_store import with_parameters
from .classifier import Classifier

__all__ = ["DenseNet", "densenet121", "densenet161", "densenet169", "densenet201", "get_densenet"]

densenet_spec = {
    121: (64, 32, [6, 12, 24, 16]),
    161: (96, 48, [6, 12, 36, 24]),
    169: (64, 32, [6, 12, 32, 32]),
    201: (64, 32, [6, 12, 48, 32]),
}


def normalised(out: nn.HybridSequential, *convolution: Any, **options: Any) -> None:
    """Add normalisation, relu, and a convolution."""
    out.add(nn.BatchNorm(), nn.Activation("relu"))
    if convolution:
        out.add(nn.Conv2D(*convolution, use_bias=False, **options))  # type: ignore[misc]


def dense_layer(growth_rate: int, bn_size: int, dropout: float) -> HybridConcurrent:
    """A layer whose outputs are added to its inputs as new channels."""
    new = nn.HybridSequential(prefix="")
    normalised(new, bn_size * growth_rate, 1)
    normalised(new, growth_rate, 3, padding=1)
    if dropout:
        new.add(nn.Dropout(dropout))
    out = HybridConcurrent(axis=1, prefix="")
    out.add(Identity(), new)
    return out


def dense_block(count: int, bn_size: int, growth_rate: int, dropout: float, stage: int) -> Any:
    """Several dense layers."""
    out = nn.HybridSequential(prefix=f"stage{stage}_")
    with out.name_scope():
        for _ in range(count):
            out.add(dense_layer(growth_rate, bn_size, dropout))
    return out


class DenseNet(Classifier):
    """Blocks of layers each of which sees the outputs of all before it.

    Parameters
    ----------
    num_init_features, growth_rate : channels at first, and new ones of each layer.
    block_config : layers of each block.
    bn_size : new channels before the large kernel, in units of growth_rate.
    """

    def __init__(self, num_init_features: int, growth_rate: int, block_config: list[int], bn_size: int = 4,
                 dropout: float = 0, classes: int = 1000, **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(nn.Conv2D(num_init_features, 7, 2, 3, use_bias=False))
            normalised(self.features)
            self.features.add(nn.MaxPool2D(pool_size=3, strides=2, padding=1))
            channels = num_init_features
            for i, count in enumerate(block_config):
                self.features.add(dense_block(count, bn_size, growth_rate, dropout, i + 1))
                channels += count * growth_rate
                if i != len(block_config) - 1:
                    channels //= 2
                    transition = nn.HybridSequential(prefix="")
                    normalised(transition, channels, 1)
                    transition.add(nn.AvgPool2D(pool_size=2, strides=2))
                    self.features.add(transition)
            normalised(self.features)
            self.features.add(nn.AvgPool2D(pool_size=7), nn.Flatten())
            self.output = nn.Dense(classes)


def get_densenet(num_layers: int, pretrained: bool = False, ctx: Any = None, root: str | None = None,
                 **kwargs: Any) -> DenseNet:  # fmt: skip
    """Return a DenseNet of 121, 161, 169 or 201 layers; see `alexnet`."""
    net = DenseNet(*densenet_spec[num_layers], **kwargs)
    return with_parameters(net, f"densenet{num_layers}", pretrained, ctx, root)


def densenet121(**kwargs: Any) -> DenseNet:
    """Return a DenseNet of 121 layers."""
    return get_densenet(121, **kwargs)


def densenet161(**kwargs: Any) -> DenseNet:
    """Return a DenseNet of 161 layers."""
    return get_densenet(161, **kwargs)


def densenet169(**kwargs: Any) -> DenseNet:
    """Return a DenseNet of 169 layers."""
    return get_densenet(169, **kwargs)


def densenet201(**kwargs: Any) -> DenseNet:
    """Return a DenseNet of 201 layers."""
    return get_densenet(201, **kwargs)
