"""Transformations of pictures, as blocks. Pictures are arrays (height, width, channels), one or several.

Those of one operator are hybrid, and run as a part of a graph; those that choose a part in Python are not.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from .... import image
from .... import ndarray as nd
from ....errors import ArgumentError, DTypeError, message
from ....ndarray import NDArray
from ...block import Block
from ...hybrid import HybridBlock
from ...nn import HybridSequential, Sequential

__all__ = [
    "Cast",
    "CenterCrop",
    "Compose",
    "CropResize",
    "HybridCompose",
    "HybridRandomApply",
    "Normalize",
    "RandomApply",
    "RandomBrightness",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomFlipLeftRight",
    "RandomFlipTopBottom",
    "RandomGray",
    "RandomHue",
    "RandomLighting",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomSaturation",
    "Resize",
    "Rotate",
    "ToTensor",
]


class Compose(Sequential):
    """Transformations one after the other; hybrid ones in a row run as one graph."""

    def __init__(self, transforms: list):
        super().__init__()
        row: list[HybridBlock] = []
        for transform in [*transforms, None]:
            if isinstance(transform, HybridBlock):
                row.append(transform)
                continue
            if len(row) > 1:
                together = HybridSequential()
                together.add(*row)
                together.hybridize()
                self.add(together)
            elif row:
                self.add(row[0])
            row = []
            if transform is not None:
                self.add(transform)


class HybridCompose(HybridSequential):
    """Hybrid transformations one after the other, as a graph."""

    def __init__(self, transforms: list):
        super().__init__()
        self.add(*transforms)
        self.hybridize()


class Cast(HybridBlock):
    """Converts to another dtype."""

    def __init__(self, dtype: Any = "float32"):
        super().__init__()
        self._dtype = dtype

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.cast(x, dtype=self._dtype)


class ToTensor(HybridBlock):
    """Bytes (..., height, width, channels) as float32 from 0 to 1, (..., channels, height, width)."""

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.image.to_tensor(x)


class Normalize(HybridBlock):
    """(x - mean) / std of each channel, for (..., channels, height, width)."""

    def __init__(self, mean: Any = 0.0, std: Any = 1.0):
        super().__init__()
        self._mean, self._std = (tuple(np.ravel(v).tolist()) for v in (mean, std))

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.image.normalize(x, mean=self._mean, std=self._std)


def check_float32(name: str, x: Any) -> None:
    """Raise TypeError for pictures of another dtype."""
    if x.dtype != np.float32:
        got = np.dtype(x.dtype).name
        raise DTypeError(message(name, "x", "float32", got, "call it after ToTensor"))


class Rotate(Block):
    """Turns pictures (..., channels, height, width) of float32; see `mx.image.imrotate`."""

    def __init__(self, rotation_degrees: float, zoom_in: bool = False, zoom_out: bool = False):
        super().__init__()
        self._args = rotation_degrees, zoom_in, zoom_out

    def forward(self, x: Any) -> Any:
        """See `Block.forward`."""
        check_float32("Rotate", x)
        return image.imrotate(x, *self._args)


class RandomRotation(Block):
    """Turns pictures as `Rotate`, by angles between two limits, with a probability."""

    def __init__(self, angle_limits: Any, zoom_in: bool = False, zoom_out: bool = False,
                 rotate_with_proba: float = 1.0):  # fmt: skip
        super().__init__()
        low, high = angle_limits
        if low >= high:
            expected = "two numbers, the smaller one first"
            raise ArgumentError(message("RandomRotation", "angle_limits", expected, angle_limits))
        if not 0 <= rotate_with_proba <= 1:
            expected = "a number from 0 to 1"
            raise ArgumentError(message("RandomRotation", "rotate_with_proba", expected, rotate_with_proba))
        self._args = angle_limits, zoom_in, zoom_out
        self._probability = rotate_with_proba

    def forward(self, x: Any) -> Any:
        """See `Block.forward`."""
        if np.random.random() > self._probability:
            return x
        check_float32("RandomRotation", x)
        return image.random_rotate(x, *self._args)


def size_of(size: Any) -> tuple[int, int]:
    """(width, height) from one number or two."""
    return (size, size) if isinstance(size, (int, np.integer)) else tuple(size)


def one_by_one(function: Any, x: NDArray, *args: Any) -> NDArray:
    """A function of a picture, for one or for each of several."""
    if x.ndim == 3:
        return function(x, *args)[0]
    return nd.stack(*[function(part, *args)[0] for part in x])  # type: ignore[return-value]


class RandomResizedCrop(Block):
    """A part of random size and proportions, scaled to `size` (a number, or width and height).

    `scale`: range of its share of the picture; `ratio`: of width over height.
    """

    def __init__(self, size: Any, scale: Any = (0.08, 1.0), ratio: Any = (3.0 / 4.0, 4.0 / 3.0),
                 interpolation: int = 1):  # fmt: skip
        super().__init__()
        self._args = size_of(size), scale, ratio, interpolation

    def forward(self, x: Any) -> Any:
        """See `Block.forward`."""
        return one_by_one(image.random_size_crop, x, *self._args)


class CropResize(HybridBlock):
    """The part of pictures that begins at (x, y), scaled to `size` if that is given."""

    def __init__(self, x: int, y: int, width: int, height: int, size: Any = None, interpolation: Any = None):
        super().__init__()
        self._box = x, y, width, height
        self._size = size
        self._interpolation = 1 if interpolation is None else interpolation

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        left, top, width, height = self._box
        part = F.image.crop(x, x=left, y=top, width=width, height=height)
        if self._size:
            part = F.image.resize(part, size=self._size, keep_ratio=False, interp=self._interpolation)
        return part


class CenterCrop(Block):
    """The middle of pictures, of `size` (a number, or width and height); scaled up if they are too small."""

    def __init__(self, size: Any, interpolation: int = 1):
        super().__init__()
        self._args = size_of(size), interpolation

    def forward(self, x: Any) -> Any:
        """See `Block.forward`."""
        return one_by_one(image.center_crop, x, *self._args)


class RandomCrop(Block):
    """A part of pictures from anywhere, of `size`, after `pad` pixels of a value were put around them."""

    def __init__(self, size: Any, pad: int | None = None, pad_value: float = 0, interpolation: int = 1):
        super().__init__()
        self._args = size_of(size), interpolation
        self._pad = pad
        self._pad_value = pad_value

    def forward(self, x: Any) -> Any:
        """See `Block.forward`."""
        return one_by_one(self._cut, x)

    def _cut(self, x: NDArray) -> tuple[NDArray, tuple]:
        if self._pad:
            pad = self._pad
            x = image.copyMakeBorder(x, pad, pad, pad, pad, value=self._pad_value)
        return image.random_crop(x, *self._args)


class Resize(HybridBlock):
    """Scales pictures to `size`: a number or (width, height).

    `keep_ratio`: a number is the length of the shorter edge.
    """

    def __init__(self, size: Any, keep_ratio: bool = False, interpolation: int = 1):
        super().__init__()
        self._size = size
        self._keep = keep_ratio
        self._interpolation = interpolation

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.image.resize(x, size=self._size, keep_ratio=self._keep, interp=self._interpolation)


class RandomFlipLeftRight(HybridBlock):
    """Mirrors pictures, with probability 1/2."""

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.image.random_flip_left_right(x)


class RandomFlipTopBottom(HybridBlock):
    """Turns pictures upside down, with probability 1/2."""

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.image.random_flip_top_bottom(x)


class RandomBrightness(HybridBlock):
    """Makes pictures darker or brighter, by a factor from max(0, 1 - brightness) to 1 + brightness."""

    def __init__(self, brightness: float):
        super().__init__()
        self._args = limits(brightness)

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.image.random_brightness(x, **self._args)


def limits(size: float) -> dict[str, float]:
    """The range of a random factor around 1."""
    return {"min_factor": max(0, 1 - size), "max_factor": 1 + size}


class RandomContrast(HybridBlock):
    """Changes the contrast of pictures, by a factor from max(0, 1 - contrast) to 1 + contrast."""

    def __init__(self, contrast: float):
        super().__init__()
        self._args = limits(contrast)

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.image.random_contrast(x, **self._args)


class RandomSaturation(HybridBlock):
    """Makes colours weaker or stronger, by a factor from max(0, 1 - saturation) to 1 + saturation."""

    def __init__(self, saturation: float):
        super().__init__()
        self._args = limits(saturation)

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.image.random_saturation(x, **self._args)


class RandomHue(HybridBlock):
    """Turns the colours, by a factor from max(0, 1 - hue) to 1 + hue."""

    def __init__(self, hue: float):
        super().__init__()
        self._args = limits(hue)

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.image.random_hue(x, **self._args)


class RandomColorJitter(HybridBlock):
    """Random brightness, contrast, saturation and hue, in a random order."""

    def __init__(self, brightness: float = 0, contrast: float = 0, saturation: float = 0, hue: float = 0):
        super().__init__()
        self._args = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.image.random_color_jitter(x, **self._args)


class RandomLighting(HybridBlock):
    """Adds noise of standard deviation `alpha` along the principal colours (Krizhevsky et al. 2012)."""

    def __init__(self, alpha: float):
        super().__init__()
        self._alpha = alpha

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.image.random_lighting(x, alpha_std=self._alpha)


class RandomGray(Block):
    """Makes pictures grey, with probability `p`."""

    def __init__(self, p: float = 0.5):
        super().__init__()
        self._grey = image.RandomGrayAug(p)

    def forward(self, x: Any) -> Any:
        """See `Block.forward`."""
        return self._grey(x.astype("float32")).astype(x.dtype)


class RandomApply(Sequential):
    """Transformations that are made with a probability, all or none."""

    def __init__(self, transforms: Any, p: float = 0.5):
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, x: Any, *args: Any) -> Any:
        """See `Block.forward`."""
        return x if self.p < random.random() else self.transforms(x, *args)


class HybridRandomApply(RandomApply):
    """As `RandomApply`, for hybrid transformations."""
