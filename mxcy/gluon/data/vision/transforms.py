"""Transformations of pictures, as blocks. Pictures are arrays (height, width, channels), one or several."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from .... import ndarray as nd
from ....errors import AssertedArgumentError, message
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
    "RandomLighting",
    "RandomSaturation",
    "ToTensor",
]

GRAY = (0.299, 0.587, 0.114)  # how bright red, green and blue are (ITU-R BT.601)


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
        # Both swaps leave leading axes where they are: h w c -> c w h -> c h w.
        moved = F.swapaxes(F.swapaxes(F.cast(x, dtype="float32"), dim1=-3, dim2=-1), dim1=-2, dim2=-1)
        return moved / 255.0


class Normalize(HybridBlock):
    """(x - mean) / std of each channel, for (..., channels, height, width)."""

    def __init__(self, mean: Any = 0.0, std: Any = 1.0):
        super().__init__()
        mean, std = [np.asarray(v, np.float32).reshape(-1, 1, 1) for v in (mean, std)]
        self.mean = self.params.get_constant("mean", nd.array(mean))
        self.std = self.params.get_constant("std", nd.array(std))
        self.initialize()

    def hybrid_forward(self, F, x, mean, std):
        """See `HybridBlock.hybrid_forward`."""
        return F.broadcast_div(F.broadcast_sub(x, mean), std)


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


def size_of(size: Any) -> tuple[int, int]:
    """(width, height) from one number or two."""
    return (size, size) if isinstance(size, int) else tuple(size)


def cut(x: NDArray, left: int, top: int, width: int, height: int) -> NDArray:
    """A part of pictures (..., height, width, channels)."""
    rows, columns = x.shape[-3:-1]
    if left < 0 or top < 0 or left + width > columns or top + height > rows:
        expected = f"a part of {columns} x {rows} pixels"
        raise AssertedArgumentError(message("crop", None, expected, f"{width} x {height} at {left}, {top}"))
    return x[..., top : top + height, left : left + width, :]


class CropResize(Block):
    """The part of pictures that begins at (x, y). Scaling to another `size` is not there."""

    def __init__(self, x: int, y: int, width: int, height: int, size: Any = None, interpolation: Any = None):
        super().__init__()
        if size is not None and size_of(size) != (width, height):
            raise AssertedArgumentError(message("CropResize", "size", "that of the part", size))
        self._box = x, y, width, height

    def forward(self, x: Any) -> Any:
        """See `Block.forward`."""
        return cut(x, *self._box)


class CenterCrop(Block):
    """The middle of pictures, of `size` (a number, or width and height)."""

    def __init__(self, size: Any, interpolation: int = 1):
        super().__init__()
        self._size = size_of(size)

    def forward(self, x: Any) -> Any:
        """See `Block.forward`."""
        rows, columns = x.shape[-3:-1]
        width, height = self._size
        return cut(x, (columns - width) // 2, (rows - height) // 2, width, height)


class RandomCrop(Block):
    """A part of pictures somewhere, of `size`, after `pad` zeros were put around them."""

    def __init__(self, size: Any, pad: int | None = None, pad_value: float = 0, interpolation: int = 1):
        super().__init__()
        self._size = size_of(size)
        self._pad = pad
        self._pad_value = pad_value

    def forward(self, x: Any) -> Any:
        """See `Block.forward`."""
        if self._pad:
            rows, columns = x.shape[-3] + 2 * self._pad, x.shape[-2] + 2 * self._pad
            shape = (*x.shape[:-3], rows, columns, x.shape[-1])
            wide = nd.full(shape, self._pad_value, dtype=x.dtype)
            wide[..., self._pad : -self._pad, self._pad : -self._pad, :] = x
            x = wide
        width, height = self._size
        left = random.randint(0, max(x.shape[-2] - width, 0))
        return cut(x, left, random.randint(0, max(x.shape[-3] - height, 0)), width, height)


class RandomFlipLeftRight(Block):
    """Mirrors pictures, with probability `p`."""

    axis = -2

    def __init__(self, p: float = 0.5):
        super().__init__()
        self.p = p

    def forward(self, x: Any) -> Any:
        """See `Block.forward`."""
        return nd.flip(x, axis=x.ndim + self.axis) if random.random() < self.p else x


class RandomFlipTopBottom(RandomFlipLeftRight):
    """Turns pictures upside down, with probability `p`."""

    axis = -3


def gray(x: NDArray) -> NDArray:
    """How bright every pixel is, (..., height, width, 1)."""
    return (x.astype("float32") * nd.array(GRAY)).sum(axis=-1, keepdims=True)


class RandomFactor(Block):
    """Base of changes by a random factor from max(0, 1 - size) to 1 + size."""

    def __init__(self, size: float):
        super().__init__()
        self._range = max(0.0, 1 - size), 1 + size

    def forward(self, x: Any) -> Any:
        """See `Block.forward`."""
        return self.change(x.astype("float32"), random.uniform(*self._range)).astype(x.dtype)

    def change(self, x: NDArray, factor: float) -> NDArray:
        """Return the pictures after a change by a factor."""
        raise NotImplementedError(f"{type(self).__name__} must define change")


class RandomBrightness(RandomFactor):
    """Makes pictures darker or brighter."""

    def __init__(self, brightness: float):
        super().__init__(brightness)

    def change(self, x: NDArray, factor: float) -> NDArray:
        """See `RandomFactor.change`."""
        return x * factor  # type: ignore[return-value]


class RandomContrast(RandomFactor):
    """Changes the contrast of pictures."""

    def __init__(self, contrast: float):
        super().__init__(contrast)

    def change(self, x: NDArray, factor: float) -> NDArray:
        """See `RandomFactor.change`."""
        return x * factor + gray(x).mean() * (1 - factor)


class RandomSaturation(RandomFactor):
    """Makes colours weaker or stronger."""

    def __init__(self, saturation: float):
        super().__init__(saturation)

    def change(self, x: NDArray, factor: float) -> NDArray:
        """See `RandomFactor.change`."""
        return x * factor + gray(x) * (1 - factor)  # type: ignore[return-value]


class RandomColorJitter(Block):
    """Random brightness, contrast and saturation, in a random order."""

    def __init__(self, brightness: float = 0, contrast: float = 0, saturation: float = 0, hue: float = 0):
        super().__init__()
        if hue:
            raise AssertedArgumentError(message("RandomColorJitter", "hue", "0", hue))
        self._changes = [kind(size) for kind, size in ((RandomBrightness, brightness),
                         (RandomContrast, contrast), (RandomSaturation, saturation)) if size]  # fmt: skip

    def _check_containers(self) -> None:
        """The changes have no parameters."""

    def forward(self, x: Any) -> Any:
        """See `Block.forward`."""
        for change in random.sample(self._changes, len(self._changes)):
            x = change(x)
        return x


class RandomLighting(Block):
    """Adds noise of standard deviation `alpha` along the principal colours (Krizhevsky et al. 2012)."""

    VALUES = (55.46, 4.794, 1.148)
    VECTORS = ((-0.5675, 0.7192, 0.4009), (-0.5808, -0.0045, -0.8140), (-0.5836, -0.6948, 0.4203))

    def __init__(self, alpha: float):
        super().__init__()
        self._alpha = alpha

    def forward(self, x: Any) -> Any:
        """See `Block.forward`."""
        drawn = np.array([random.gauss(0, self._alpha) for _ in range(3)]) * self.VALUES
        return (x.astype("float32") + nd.array(np.array(self.VECTORS) @ drawn)).astype(x.dtype)


class RandomGray(Block):
    """Makes pictures gray, with probability `p`."""

    def __init__(self, p: float = 0.5):
        super().__init__()
        self.p = p

    def forward(self, x: Any) -> Any:
        """See `Block.forward`."""
        return nd.tile(gray(x), (1,) * (x.ndim - 1) + (3,)).astype(x.dtype) if random.random() < self.p else x
