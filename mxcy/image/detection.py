"""Changes of pictures with boxes, for detection: `CreateDetAugmenter` makes the usual list of them.

A label is a float array (objects, 5 or more): class, then left, top, right, bottom as shares of the width
and the height.
"""

from __future__ import annotations

import logging
import math
import random
import warnings
from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np

from .. import ndarray as nd
from .._paths import also, names_from
from ..errors import ArgumentError, ArgumentTypeError, AssertedArgumentError, message
from ..ndarray import NDArray
from .augment import (
    MEAN,
    STD,
    Augmenter,
    CastAug,
    ColorNormalizeAug,
    Described,
    ForceResizeAug,
    ResizeAug,
    of_colors,
    of_imagenet,
)
from .image import copyMakeBorder, fixed_crop

__all__ = [
    "CreateDetAugmenter",
    "CreateMultiRandCropAugmenter",
    "DetAugmenter",
    "DetBorrowAug",
    "DetHorizontalFlipAug",
    "DetRandomCropAug",
    "DetRandomPadAug",
    "DetRandomSelectAug",
    *also("ImageDetIter"),
]

__getattr__ = names_from(__name__, "mxcy.image")  # which MXNet keeps in this module

ISOLATED = 16  # OpenCV's border that is filled, and does not look beyond a part of a picture


class DetAugmenter(Described):
    """Base class: a subclass defines `__call__(src, label)`, which returns both after the change."""

    def __call__(self, src: NDArray, label: np.ndarray) -> tuple[NDArray, np.ndarray]:
        raise NotImplementedError(f"{type(self).__name__} must define __call__")


class DetBorrowAug(DetAugmenter):
    """A change that leaves boxes where they are."""

    def __init__(self, augmenter: Augmenter):
        if not isinstance(augmenter, Augmenter):
            got = type(augmenter).__name__
            raise ArgumentTypeError(message("DetBorrowAug", "augmenter", "an Augmenter", got))
        super().__init__(augmenter=augmenter.dumps())
        self.augmenter = augmenter

    def dumps(self) -> Any:
        """See `Described.dumps`."""
        return [type(self).__name__.lower(), self.augmenter.dumps()]

    def __call__(self, src: NDArray, label: np.ndarray) -> tuple[NDArray, np.ndarray]:
        return self.augmenter(src), label


class DetRandomSelectAug(DetAugmenter):
    """One of several changes, or none with probability `skip_prob`."""

    def __init__(self, aug_list: Any, skip_prob: float = 0):
        super().__init__(skip_prob=skip_prob)
        self.aug_list = list(aug_list) if isinstance(aug_list, (list, tuple)) else [aug_list]
        for change in self.aug_list:
            if not isinstance(change, DetAugmenter):
                got = type(change).__name__
                raise ArgumentError(message("DetRandomSelectAug", "aug_list", "DetAugmenters", got))
        self.skip_prob = skip_prob if self.aug_list else 1

    def dumps(self) -> Any:
        """See `Described.dumps`."""
        return [type(self).__name__.lower(), [x.dumps() for x in self.aug_list]]

    def __call__(self, src: NDArray, label: np.ndarray) -> tuple[NDArray, np.ndarray]:
        if random.random() < self.skip_prob:
            return src, label
        random.shuffle(self.aug_list)
        return self.aug_list[0](src, label)


class DetHorizontalFlipAug(DetAugmenter):
    """Mirrors pictures and boxes, with probability `p`."""

    def __init__(self, p: float):
        super().__init__(p=p)
        self.p = p

    def __call__(self, src: NDArray, label: np.ndarray) -> tuple[NDArray, np.ndarray]:
        if random.random() < self.p:
            src = nd.flip(src, axis=1)
            label[:, (1, 3)] = 1.0 - label[:, (3, 1)]
        return src, label


def areas(boxes: np.ndarray) -> np.ndarray:
    """Areas of boxes (n, 4 or more)."""
    return np.maximum(0, boxes[:, 2] - boxes[:, 0]) * np.maximum(0, boxes[:, 3] - boxes[:, 1])


def checked_range(caller: str, argument: str, given: Any) -> Any:
    """Return a range, of one number twice."""
    if isinstance(given, (tuple, list)):
        return given
    if not isinstance(given, Number):
        expected = "a number or two"
        raise AssertedArgumentError(message(caller, argument, expected, type(given).__name__))
    logging.info("Using fixed %s: %s in %s", argument, given, caller)
    return given, given


class DetRandomCropAug(DetAugmenter):
    """A random part that shows enough of every object that it touches; others go.

    Parameters
    ----------
    min_object_covered : every object in the part must be there by more than this share.
    aspect_ratio_range, area_range : of the part: width over height, and its share of the picture.
    min_eject_coverage : objects that remain by no more than this share are removed.
    max_attempts : random parts that are tried; if none will do, the picture stays as it is.
    """

    def __init__(
        self,
        min_object_covered: float = 0.1,
        aspect_ratio_range: Any = (0.75, 1.33),
        area_range: Any = (0.05, 1.0),
        min_eject_coverage: float = 0.3,
        max_attempts: int = 50,
    ):
        aspect_ratio_range = checked_range("DetRandomCropAug", "aspect_ratio_range", aspect_ratio_range)
        area_range = checked_range("DetRandomCropAug", "area_range", area_range)
        super().__init__(min_object_covered=min_object_covered, aspect_ratio_range=aspect_ratio_range,
                         area_range=area_range, min_eject_coverage=min_eject_coverage,
                         max_attempts=max_attempts)  # fmt: skip
        self.min_object_covered = min_object_covered
        self.min_eject_coverage = min_eject_coverage
        self.max_attempts = max_attempts
        self.aspect_ratio_range = aspect_ratio_range
        self.area_range = area_range
        self.enabled = enabled("DetRandomCropAug", area_range, 0.0, aspect_ratio_range)

    def __call__(self, src: NDArray, label: np.ndarray) -> tuple[NDArray, np.ndarray]:
        found = self._part(label, *src.shape[:2]) if self.enabled else None
        if found is None:
            return src, label
        box, label = found
        return fixed_crop(src, *box), label

    def _part(self, label: np.ndarray, height: int, width: int) -> tuple[tuple, np.ndarray] | None:
        """(x, y, width and height of a part, the labels in it)."""
        least, most = (share * height * width for share in self.area_range)
        for _ in range(self.max_attempts):
            ratio = random.uniform(*self.aspect_ratio_range)
            if ratio <= 0:
                continue
            h, max_h = (round(math.sqrt(area / ratio)) for area in (least, most))
            if round(max_h * ratio) > width:
                max_h = int((width + 0.4999999) / ratio)
            max_h = min(max_h, height)
            h = random.randint(h, max_h) if h < max_h else max_h
            w = round(h * ratio)
            if w * h < least:
                h += 1
            elif w * h > most:
                h -= 1
            w = round(h * ratio)
            if not (least <= w * h <= most and w <= width and h <= height):
                continue
            y, x = random.randint(0, max(0, height - h)), random.randint(0, max(0, width - w))
            if self._shows_enough(label, (x, y, x + w, y + h), height, width):
                inside = self._inside(label, (x, y, w, h), height, width)
                if inside is not None:
                    return (x, y, w, h), inside
        return None

    def _shows_enough(self, label: np.ndarray, box: tuple, height: int, width: int) -> bool:
        """Whether every object that is in a part is there by more than `min_object_covered`."""
        left, top, right, bottom = box
        if (right - left) * (bottom - top) < 2:
            return False
        of_objects = areas(label[:, 1:])
        label, of_objects = (x[of_objects * width * height > 2] for x in (label, of_objects))
        shown = label[:, 1:5].copy()
        shown[:, :2] = np.maximum(shown[:, :2], (left / width, top / height))
        shown[:, 2:] = np.minimum(shown[:, 2:], (right / width, bottom / height))
        shares = areas(shown) / of_objects
        shares = shares[shares > 0]
        return shares.size > 0 and shares.min() > self.min_object_covered

    def _inside(self, label: np.ndarray, part: tuple, height: int, width: int) -> np.ndarray | None:
        """The labels as shares of a part, without objects that hardly are in it; None if none is left."""
        x, y, w, h = (value / whole for value, whole in zip(part, (width, height) * 2, strict=True))
        found = label.copy()
        found[:, (1, 3)] = (found[:, (1, 3)] - x) / w
        found[:, (2, 4)] = (found[:, (2, 4)] - y) / h
        found[:, 1:5] = np.clip(found[:, 1:5], 0, 1)
        whole = areas(label[:, 1:])
        shares = np.divide(areas(found[:, 1:]) * w * h, whole, out=np.zeros_like(whole), where=whole > 0)
        kept = (found[:, 3] > found[:, 1]) & (found[:, 4] > found[:, 2]) & (shares > self.min_eject_coverage)
        return found[kept] if kept.any() else None


def enabled(caller: str, area_range: Sequence[float], above: float, ratios: Sequence[float]) -> bool:
    """Whether ranges make sense; a change without sense is skipped, with a warning."""
    for name, given, bad in (
        ("area_range", area_range, area_range[1] <= above or area_range[0] > area_range[1]),
        ("aspect_ratio_range", ratios, ratios[0] > ratios[1] or ratios[0] <= 0),
    ):
        if bad:
            warnings.warn(f"Skip {caller} due to invalid {name}: {given}", stacklevel=3)
            return False
    return True


class DetRandomPadAug(DetAugmenter):
    """Puts a random border around pictures, so that objects become smaller.

    `aspect_ratio_range`, `area_range`: of the result: width over height, and its area over the picture's.
    """

    def __init__(self, aspect_ratio_range: Any = (0.75, 1.33), area_range: Any = (1.0, 3.0),
                 max_attempts: int = 50, pad_val: Any = (128, 128, 128)):  # fmt: skip
        if not isinstance(pad_val, (list, tuple)):
            pad_val = checked_range("DetRandomPadAug", "pad_val", pad_val)[:1] * 3
        aspect_ratio_range = checked_range("DetRandomPadAug", "aspect_ratio_range", aspect_ratio_range)
        area_range = checked_range("DetRandomPadAug", "area_range", area_range)
        super().__init__(aspect_ratio_range=aspect_ratio_range, area_range=area_range,
                         max_attempts=max_attempts, pad_val=pad_val)  # fmt: skip
        self.pad_val = pad_val
        self.aspect_ratio_range = aspect_ratio_range
        self.area_range = area_range
        self.max_attempts = max_attempts
        self.enabled = enabled("DetRandomPadAug", area_range, 1.0, aspect_ratio_range)

    def __call__(self, src: NDArray, label: np.ndarray) -> tuple[NDArray, np.ndarray]:
        height, width = src.shape[:2]
        found = self._place(height, width) if self.enabled else None
        if found is None:
            return src, label
        x, y, w, h = found
        label = label.copy()
        label[:, (1, 3)] = (label[:, (1, 3)] * width + x) / w
        label[:, (2, 4)] = (label[:, (2, 4)] * height + y) / h
        src = copyMakeBorder(src, y, h - y - height, x, w - x - width, ISOLATED, values=self.pad_val)
        return src, label

    def _place(self, height: int, width: int) -> tuple | None:
        """x and y of the picture in the result, and width and height of that."""
        least, most = (share * height * width for share in self.area_range)
        for _ in range(self.max_attempts):
            ratio = random.uniform(*self.aspect_ratio_range)
            if ratio <= 0:
                continue
            h, max_h = (round(math.sqrt(area / ratio)) for area in (least, most))
            if round(h * ratio) < width:
                h = int((width + 0.499999) / ratio)
            h = min(max(h, height), max_h)
            if h < max_h:
                h = random.randint(h, max_h)
            w = round(h * ratio)
            if h - height < 2 or w - width < 2:
                continue
            y, x = random.randint(0, max(0, h - height)), random.randint(0, max(0, w - width))
            return x, y, w, h
        return None


def CreateMultiRandCropAugmenter(
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = (0.75, 1.33),
    area_range: Any = (0.05, 1.0),
    min_eject_coverage: Any = 0.3,
    max_attempts: Any = 50,
    skip_prob: float = 0,
) -> DetRandomSelectAug:
    """Return a choice among several `DetRandomCropAug`: an argument may be a list of one for each."""
    names = ("min_object_covered", "aspect_ratio_range", "area_range", "min_eject_coverage", "max_attempts")
    given = (min_object_covered, aspect_ratio_range, area_range, min_eject_coverage, max_attempts)
    lists = [x if isinstance(x, list) else [x] for x in given]
    count = max(map(len, lists))
    for name, values in zip(names, lists, strict=True):
        if len(values) not in (1, count):
            expected = f"1 or {count} values"
            raise AssertedArgumentError(message("CreateMultiRandCropAugmenter", name, expected, len(values)))
    full = (values * count if len(values) == 1 else values for values in lists)
    return DetRandomSelectAug([DetRandomCropAug(*x) for x in zip(*full, strict=True)], skip_prob)


def CreateDetAugmenter(
    data_shape: Sequence[int],
    resize: int = 0,
    rand_crop: float = 0,
    rand_pad: float = 0,
    rand_gray: float = 0,
    rand_mirror: bool = False,
    mean: Any = None,
    std: Any = None,
    brightness: float = 0,
    contrast: float = 0,
    saturation: float = 0,
    pca_noise: float = 0,
    hue: float = 0,
    inter_method: int = 2,
    min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = (0.75, 1.33),
    area_range: Any = (0.05, 3.0),
    min_eject_coverage: Any = 0.3,
    max_attempts: Any = 50,
    pad_val: Any = (127, 127, 127),
) -> list[DetAugmenter]:
    """Return the list of changes for detection, for pictures of `data_shape` (channels, height, width).

    `rand_crop`, `rand_pad`: probabilities of `DetRandomCropAug` and `DetRandomPadAug`, whose arguments
    follow; those of several croppers may be lists. The others are those of `CreateAugmenter`.
    """
    found: list[DetAugmenter] = [DetBorrowAug(ResizeAug(resize, inter_method))] if resize > 0 else []
    if rand_crop > 0:
        found.append(
            CreateMultiRandCropAugmenter(
                min_object_covered,
                aspect_ratio_range,
                area_range,
                min_eject_coverage,
                max_attempts,
                1 - rand_crop,
            )
        )
    if rand_mirror > 0:
        found.append(DetHorizontalFlipAug(0.5))
    if rand_pad > 0:
        pad = DetRandomPadAug(aspect_ratio_range, (1.0, area_range[1]), max_attempts, pad_val)
        found.append(DetRandomSelectAug([pad], 1 - rand_pad))
    size: Any = (data_shape[2], data_shape[1])
    changes: list[Augmenter] = [ForceResizeAug(size, inter_method), CastAug()]
    changes += of_colors(brightness, contrast, saturation, hue, pca_noise, rand_gray)
    mean, std = of_imagenet("mean", mean, MEAN, np.array), of_imagenet("std", std, STD, np.array)
    if mean is not None or std is not None:
        changes.append(ColorNormalizeAug(mean, std))
    return found + [DetBorrowAug(change) for change in changes]
