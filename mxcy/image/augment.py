"""Changes of pictures for training, as objects: `CreateAugmenter` makes the usual list of them.

Random ones draw from the generators that MXNet draws from, in its order. Those behind `CastAug` change
float32 pictures in place.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from .._array import Array
from ..errors import AssertedArgumentError, message
from . import image

__all__ = [
    "Augmenter",
    "BrightnessJitterAug",
    "CastAug",
    "CenterCropAug",
    "ColorJitterAug",
    "ColorNormalizeAug",
    "ContrastJitterAug",
    "CreateAugmenter",
    "ForceResizeAug",
    "HorizontalFlipAug",
    "HueJitterAug",
    "LightingAug",
    "RandomCropAug",
    "RandomGrayAug",
    "RandomOrderAug",
    "RandomSizedCropAug",
    "ResizeAug",
    "SaturationJitterAug",
    "SequentialAug",
]

GRAY = (0.299, 0.587, 0.114)  # how bright red, green and blue are (ITU-R BT.601)
GRAY_HD = (0.21, 0.72, 0.07)  # the same by ITU-R BT.709, which RandomGrayAug takes
# What LightingAug takes for ImageNet: variances and directions of its colours (Krizhevsky et al. 2012).
COLOR_VALUES = np.array([55.46, 4.794, 1.148])
COLOR_VECTORS = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
MEAN = (123.68, 116.28, 103.53)  # of ImageNet, for mean=True and std=True
STD = (58.395, 57.12, 57.375)


class Described:
    """Something with a description in JSON: its name and what it was made with."""

    def __init__(self, **kwargs: Any):
        self._kwargs = {key: plain(value) for key, value in kwargs.items()}

    def dumps(self) -> Any:
        """Return the description; a list, for what is made of several."""
        return json.dumps([type(self).__name__.lower(), self._kwargs])


def plain(value: Any) -> Any:
    """Return arrays as lists, anything else as it is."""
    if isinstance(value, Array):
        value = value.asnumpy()
    return value.tolist() if isinstance(value, np.ndarray) else value


class Augmenter(Described):
    """Base class: a subclass defines `__call__(src)`, which returns the changed picture."""

    def __call__(self, src: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __call__")


class SequentialAug(Augmenter):
    """Several changes one after the other."""

    def __init__(self, ts: list[Augmenter]):
        super().__init__()
        self.ts = ts

    def dumps(self) -> Any:
        """See `Described.dumps`."""
        return [type(self).__name__.lower(), [x.dumps() for x in self.ts]]

    def __call__(self, src: Any) -> Any:
        for change in self.ts:
            src = change(src)
        return src


class RandomOrderAug(SequentialAug):
    """Several changes in a random order."""

    def __call__(self, src: Any) -> Any:
        random.shuffle(self.ts)
        return super().__call__(src)


class ResizeAug(Augmenter):
    """Scales so that the shorter edge is `size`."""

    def __init__(self, size: int, interp: int = 2):
        super().__init__(size=size, interp=interp)
        self.size = size
        self.interp = interp

    def __call__(self, src: Any) -> Any:
        return image.resize_short(src, self.size, self.interp)


class ForceResizeAug(ResizeAug):
    """Scales to `size` (width, height), whatever the proportions."""

    size: Any

    def __call__(self, src: Any) -> Any:
        width, height = self.size
        return image.imresize(src, width, height, self.interp)


class RandomCropAug(ResizeAug):
    """A part of `size` from anywhere; see `random_crop`."""

    def __call__(self, src: Any) -> Any:
        return image.random_crop(src, self.size, self.interp)[0]  # type: ignore[arg-type]


class CenterCropAug(ResizeAug):
    """The middle, of `size`; see `center_crop`."""

    def __call__(self, src: Any) -> Any:
        return image.center_crop(src, self.size, self.interp)[0]  # type: ignore[arg-type]


class RandomSizedCropAug(Augmenter):
    """A part of random size and proportions; see `random_size_crop`."""

    def __init__(self, size: Sequence[int], area: Any, ratio: Sequence[float], interp: int = 2,
                 **deprecated: Any):  # fmt: skip
        super().__init__(size=size, area=area, ratio=ratio, interp=interp)
        self.size = size
        self.area = image.deprecated_area("RandomSizedCropAug", area, deprecated)
        self.ratio = ratio
        self.interp = interp

    def __call__(self, src: Any) -> Any:
        return image.random_size_crop(src, self.size, self.area, self.ratio, self.interp)[0]


class BrightnessJitterAug(Augmenter):
    """Multiplies by a factor from 1 - brightness to 1 + brightness."""

    def __init__(self, brightness: float):
        super().__init__(brightness=brightness)
        self.brightness = brightness

    def __call__(self, src: Any) -> Any:
        src *= 1.0 + random.uniform(-self.brightness, self.brightness)
        return src


class ContrastJitterAug(Augmenter):
    """Blends with the mean brightness: from 1 - contrast to 1 + contrast of the picture."""

    def __init__(self, contrast: float):
        super().__init__(contrast=contrast)
        self.contrast = contrast
        self.coef = nd.array([[GRAY]])

    def __call__(self, src: Any) -> Any:
        share = 1.0 + random.uniform(-self.contrast, self.contrast)
        brightness = nd.sum(src * self.coef) * (3.0 * (1.0 - share) / src.size)
        src *= share
        src += brightness
        return src


class SaturationJitterAug(Augmenter):
    """Blends with the grey picture: from 1 - saturation to 1 + saturation of the picture."""

    def __init__(self, saturation: float):
        super().__init__(saturation=saturation)
        self.saturation = saturation
        self.coef = nd.array([[GRAY]])

    def __call__(self, src: Any) -> Any:
        share = 1.0 + random.uniform(-self.saturation, self.saturation)
        grey = nd.sum(src * self.coef, axis=2, keepdims=True) * (1.0 - share)
        src *= share
        src += grey
        return src


class HueJitterAug(Augmenter):
    """Turns the colours in the YIQ space, by up to `hue` half circles."""

    def __init__(self, hue: float):
        super().__init__(hue=hue)
        self.hue = hue
        self.tyiq = np.array([GRAY, (0.596, -0.274, -0.321), (0.211, -0.523, 0.311)])
        self.ityiq = np.array([[1.0, 0.956, 0.621], [1.0, -0.272, -0.647], [1.0, -1.107, 1.705]])

    def __call__(self, src: Any) -> Any:
        angle = random.uniform(-self.hue, self.hue) * math.pi
        cos, sin = math.cos(angle), math.sin(angle)
        turn = self.ityiq @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ self.tyiq
        return nd.dot(src, nd.array(turn.T))


class ColorJitterAug(RandomOrderAug):
    """Random brightness, contrast and saturation, those that are not 0, in a random order."""

    def __init__(self, brightness: float, contrast: float, saturation: float):
        kinds = ((BrightnessJitterAug, brightness), (ContrastJitterAug, contrast),
                 (SaturationJitterAug, saturation))  # fmt: skip
        super().__init__([kind(size) for kind, size in kinds if size > 0])


class LightingAug(Augmenter):
    """Adds noise along the principal colours (Krizhevsky et al. 2012)."""

    def __init__(self, alphastd: float, eigval: np.ndarray, eigvec: np.ndarray):
        super().__init__(alphastd=alphastd, eigval=eigval, eigvec=eigvec)
        self.alphastd = alphastd
        self.eigval = eigval
        self.eigvec = eigvec

    def __call__(self, src: Any) -> Any:
        drawn = np.random.normal(0, self.alphastd, size=(3,))
        src += nd.array(np.dot(self.eigvec * drawn, self.eigval))
        return src


class ColorNormalizeAug(Augmenter):
    """(x - mean) / std of each channel; None: leave out."""

    def __init__(self, mean: Any, std: Any):
        super().__init__(mean=mean, std=std)
        self.mean, self.std = (x if x is None or isinstance(x, Array) else nd.array(x) for x in (mean, std))

    def __call__(self, src: Any) -> Any:
        return image.color_normalize(src, self.mean, self.std)


class RandomGrayAug(Augmenter):
    """Makes pictures grey, with probability `p`."""

    def __init__(self, p: float):
        super().__init__(p=p)
        self.p = p
        self.mat = nd.array(np.repeat(np.reshape(GRAY_HD, (3, 1)), 3, axis=1))

    def __call__(self, src: Any) -> Any:
        return nd.dot(src, self.mat) if random.random() < self.p else src


class HorizontalFlipAug(Augmenter):
    """Mirrors pictures, with probability `p`."""

    def __init__(self, p: float):
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: Any) -> Any:
        return nd.flip(src, axis=1) if random.random() < self.p else src


class CastAug(Augmenter):
    """Converts to another dtype."""

    def __init__(self, typ: Any = "float32"):
        super().__init__(type=typ)
        self.typ = typ

    def __call__(self, src: Any) -> Any:
        return src.astype(self.typ)


def of_imagenet(name: str, value: Any, usual: tuple, kind: Any = nd.array) -> Any:
    """Return mean or std as an array: `usual` for True, None for None."""
    if value is True:
        return kind(usual)
    if value is not None and (not isinstance(value, (np.ndarray, Array)) or value.shape[0] not in (1, 3)):
        expected = "True, None or an array of 1 or 3 numbers"
        raise AssertedArgumentError(message("CreateAugmenter", name, expected, value))
    return value


def of_colors(brightness: float, contrast: float, saturation: float, hue: float, pca_noise: float,
              rand_gray: float) -> list[Augmenter]:  # fmt: skip
    """Return the changes of colours that are not 0."""
    found: list[Augmenter] = []
    if brightness or contrast or saturation:
        found.append(ColorJitterAug(brightness, contrast, saturation))
    if hue:
        found.append(HueJitterAug(hue))
    if pca_noise > 0:
        found.append(LightingAug(pca_noise, COLOR_VALUES, COLOR_VECTORS))
    if rand_gray > 0:
        found.append(RandomGrayAug(rand_gray))
    return found


def CreateAugmenter(
    data_shape: Sequence[int],
    resize: int = 0,
    rand_crop: bool = False,
    rand_resize: bool = False,
    rand_mirror: bool = False,
    mean: Any = None,
    std: Any = None,
    brightness: float = 0,
    contrast: float = 0,
    saturation: float = 0,
    hue: float = 0,
    pca_noise: float = 0,
    rand_gray: float = 0,
    inter_method: int = 2,
) -> list[Augmenter]:
    """Return the list of changes for pictures of `data_shape` (channels, height, width).

    `resize`: first scale the shorter edge to it. `rand_crop`: a part from anywhere, with `rand_resize` of
    random size; else the middle. `mean`, `std`: numbers of each channel, True for those of ImageNet.
    The other names are those of the changes.
    """
    found: list[Augmenter] = [ResizeAug(resize, inter_method)] if resize > 0 else []
    size = (data_shape[2], data_shape[1])
    if rand_resize and not rand_crop:
        expected = "True with rand_resize"
        raise AssertedArgumentError(message("CreateAugmenter", "rand_crop", expected, rand_crop))
    if rand_resize:
        found.append(RandomSizedCropAug(size, 0.08, (3 / 4, 4 / 3), inter_method))
    elif rand_crop:
        found.append(RandomCropAug(size, inter_method))  # type: ignore[arg-type]
    else:
        found.append(CenterCropAug(size, inter_method))  # type: ignore[arg-type]
    if rand_mirror:
        found.append(HorizontalFlipAug(0.5))
    found.append(CastAug())
    found += of_colors(brightness, contrast, saturation, hue, pca_noise, rand_gray)
    mean, std = of_imagenet("mean", mean, MEAN), of_imagenet("std", std, STD)
    if mean is not None or std is not None:
        found.append(ColorNormalizeAug(mean, std))
    return found
