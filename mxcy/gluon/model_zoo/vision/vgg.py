"""VGG networks (Simonyan, Zisserman 2014)."""

from __future__ import annotations

from typing import Any

from ....initializer import Xavier
from ... import nn
from ..model_store import with_parameters
from .classifier import Classifier

__all__ = [
    "VGG",
    "get_vgg",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]

FILTERS = [64, 128, 256, 512, 512]
vgg_spec = {
    11: ([1, 1, 2, 2, 2], FILTERS),
    13: ([2, 2, 2, 2, 2], FILTERS),
    16: ([2, 2, 3, 3, 3], FILTERS),
    19: ([2, 2, 4, 4, 4], FILTERS),
}


class VGG(Classifier):
    """Blocks of `layers` convolutions with `filters` channels each, with `batch_norm` or without."""

    def __init__(self, layers: list[int], filters: list[int], classes: int = 1000, batch_norm: bool = False,
                 **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        dense: dict[str, Any] = {"weight_initializer": "normal", "bias_initializer": "zeros"}
        init = Xavier(rnd_type="gaussian", factor_type="out", magnitude=2)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            for count, channels in zip(layers, filters, strict=True):
                for _ in range(count):
                    self.features.add(nn.Conv2D(channels, 3, padding=1, weight_initializer=init))
                    if batch_norm:
                        self.features.add(nn.BatchNorm())
                    self.features.add(nn.Activation("relu"))
                self.features.add(nn.MaxPool2D(strides=2))
            for _ in range(2):
                self.features.add(nn.Dense(4096, activation="relu", **dense), nn.Dropout(rate=0.5))
            self.output = nn.Dense(classes, **dense)


def get_vgg(num_layers: int, pretrained: bool = False, ctx: Any = None, root: str | None = None,
            **kwargs: Any) -> VGG:  # fmt: skip
    """Return a VGG of 11, 13, 16 or 19 layers; see `alexnet`."""
    net = VGG(*vgg_spec[num_layers], **kwargs)
    suffix = "_bn" if kwargs.get("batch_norm") else ""
    return with_parameters(net, f"vgg{num_layers}{suffix}", pretrained, ctx, root)


def vgg11(**kwargs: Any) -> VGG:
    """Return a VGG of 11 layers."""
    return get_vgg(11, **kwargs)


def vgg13(**kwargs: Any) -> VGG:
    """Return a VGG of 13 layers."""
    return get_vgg(13, **kwargs)


def vgg16(**kwargs: Any) -> VGG:
    """Return a VGG of 16 layers."""
    return get_vgg(16, **kwargs)


def vgg19(**kwargs: Any) -> VGG:
    """Return a VGG of 19 layers."""
    return get_vgg(19, **kwargs)


def vgg11_bn(**kwargs: Any) -> VGG:
    """Return a VGG of 11 layers with batch normalisation."""
    return get_vgg(11, **kwargs | {"batch_norm": True})


def vgg13_bn(**kwargs: Any) -> VGG:
    """Return a VGG of 13 layers with batch normalisation."""
    return get_vgg(13, **kwargs | {"batch_norm": True})


def vgg16_bn(**kwargs: Any) -> VGG:
    """Return a VGG of 16 layers with batch normalisation."""
    return get_vgg(16, **kwargs | {"batch_norm": True})


def vgg19_bn(**kwargs: Any) -> VGG:
    """Return a VGG of 19 layers with batch normalisation."""
    return get_vgg(19, **kwargs | {"batch_norm": True})
