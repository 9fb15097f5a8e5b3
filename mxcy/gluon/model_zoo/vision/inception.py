"""Inception v3 (Szegedy et al. 2015)."""

from __future__ import annotations

from typing import Any

from ... import nn
from ...contrib.nn import HybridConcurrent
from ..model_store import with_parameters
from .classifier import Classifier

__all__ = ["Inception3", "inception_v3"]

# A convolution is (channels, kernel, stride, padding); a branch is a list of them, after a pooling if it
# begins with its name. A list inside a branch holds branches side by side.
TALL, WIDE = ((7, 1), 1, (3, 0)), ((1, 7), 1, (0, 3))


def module_a(pool: int) -> list:
    """The modules at 35 x 35 pixels."""
    return [[(64, 1)], [(48, 1), (64, 5, 1, 2)], [(64, 1), (96, 3, 1, 1), (96, 3, 1, 1)], ["avg", (pool, 1)]]


def module_c(c: int) -> list:
    """The modules at 17 x 17 pixels."""
    return [[(192, 1)], [(c, 1), (c, *WIDE), (192, *TALL)],
            [(c, 1), (c, *TALL), (c, *WIDE), (c, *TALL), (192, *WIDE)], ["avg", (192, 1)]]  # fmt: skip


MODULE_B = [[(384, 3, 2)], [(64, 1), (96, 3, 1, 1), (96, 3, 2)], ["max"]]
MODULE_D = [[(192, 1), (320, 3, 2)], [(192, 1), (192, *WIDE), (192, *TALL), (192, 3, 2)], ["max"]]
PAIR = [[(384, (1, 3), 1, (0, 1))], [(384, (3, 1), 1, (1, 0))]]
MODULE_E = [[(320, 1)], [[(384, 1)], PAIR], [[(448, 1), (384, 3, 1, 1)], PAIR], ["avg", (192, 1)]]

MODULES = {
    "A1_": module_a(32), "A2_": module_a(64), "A3_": module_a(64), "B_": MODULE_B, "C1_": module_c(128),
    "C2_": module_c(160), "C3_": module_c(160), "C4_": module_c(192), "D_": MODULE_D, "E1_": MODULE_E,
    "E2_": MODULE_E,
}  # fmt: skip


def convolution(*options: Any, **named: Any) -> nn.HybridSequential:
    """A convolution, normalisation and relu."""
    out = nn.HybridSequential(prefix="")
    named["use_bias"] = False
    out.add(nn.Conv2D(*options, **named), nn.BatchNorm(epsilon=0.001), nn.Activation("relu"))
    return out


def branch(parts: list) -> nn.HybridSequential:
    """One way through a module."""
    out = nn.HybridSequential(prefix="")
    if isinstance(parts[0], list):
        straight, pair = parts
        out.add(branch(straight), side_by_side(pair, ""))
        return out
    for part in parts:
        if part == "avg":
            out.add(nn.AvgPool2D(pool_size=3, strides=1, padding=1))
        elif part == "max":
            out.add(nn.MaxPool2D(pool_size=3, strides=2))
        else:
            out.add(convolution(*part))
    return out


def side_by_side(branches: list, prefix: str) -> HybridConcurrent:
    """Branches whose outputs are joined."""
    out = HybridConcurrent(axis=1, prefix=prefix)
    with out.name_scope():
        for parts in branches:
            out.add(branch(parts))
    return out


class Inception3(Classifier):
    """Inception v3 for pictures of 299 x 299 pixels."""

    def __init__(self, classes: int = 1000, **kwargs: Any):
        super().__init__(**kwargs)
        with self.name_scope():
            self.features = nn.HybridSequential(prefix="")
            self.features.add(convolution(32, 3, 2), convolution(32, 3), convolution(64, 3, padding=1),
                              nn.MaxPool2D(3, 2), convolution(80, 1), convolution(192, 3),
                              nn.MaxPool2D(3, 2))  # fmt: skip
            for prefix, branches in MODULES.items():
                self.features.add(side_by_side(branches, prefix))
            self.features.add(nn.AvgPool2D(pool_size=8), nn.Dropout(0.5))
            self.output = nn.Dense(classes)


def inception_v3(pretrained: bool = False, ctx: Any = None, root: str | None = None,
                 **kwargs: Any) -> Inception3:  # fmt: skip
    """Return an Inception v3; see `alexnet`."""
    return with_parameters(Inception3(**kwargs), "inceptionv3", pretrained, ctx, root)
