"""AlexNet (Krizhevsky et al. 2012), as in "One weird trick for parallelizing convolutional networks"."""

from __future__ import annotations

from typing import Any

from ... import nn
from ..model_store import with_parameters
from .classifier import Classifier

__all__ = ["AlexNet", "alexnet"]

# (channels, size of the kernel, stride, padding), or None for pooling.
LAYERS = [(64, 11, 4, 2), None, (192, 5, 1, 2), None, (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1), None]


class AlexNet(Classifier):
    """AlexNet for pictures of 224 x 224 pixels."""

    def __init__(self, classes: int = 1000, **kwargs: Any):
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            with self.features.name_scope():
                for layer in LAYERS:
                    if layer is None:
                        self.features.add(nn.MaxPool2D(pool_size=3, strides=2))
                    else:
                        self.features.add(nn.Conv2D(*layer, activation="relu"))
                self.features.add(nn.Flatten())
                for _ in range(2):
                    self.features.add(nn.Dense(4096, activation="relu"), nn.Dropout(0.5))
            self.output = nn.Dense(classes)


def alexnet(pretrained: bool = False, ctx: Any = None, root: str | None = None, **kwargs: Any) -> AlexNet:
    """Return an AlexNet, with parameters from a file in `root` if `pretrained`."""
    return with_parameters(AlexNet(**kwargs), "alexnet", pretrained, ctx, root)
