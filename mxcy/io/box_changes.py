"""What `ImageDetRecordIter` does to pictures with boxes: borders, parts, mirroring, colours, fitting.

Boxes are rows of class, left, top, right, bottom as shares of width and height, and more.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import ArgumentError, message
from .changes import grey_of, limited, method_of, scaled, shifted, shorter
from .draws import Draws
from .parameters import DetectionChanges

__all__ = ["change_boxed", "check_samplers", "fitted_size"]

RANGES = ("scales", "aspect_ratios", "overlaps", "sample_coverages", "object_coverages")


def check_samplers(name: str, p: DetectionChanges) -> None:
    """Raise ArgumentError unless there is a range of each kind for every sampler."""
    names = [f"{side}_crop_{kind}" for kind in RANGES for side in ("min", "max")]
    for argument in (*names, "max_crop_trials"):
        if len(getattr(p, argument)) not in (1, p.num_crop_sampler):
            expected = f"1 or num_crop_sampler={p.num_crop_sampler} values"
            raise ArgumentError(message(name, argument, expected, getattr(p, argument)))
    if p.rand_crop_prob > 0:
        for sampler in range(p.num_crop_sampler):
            for kind in RANGES:
                low, high = range_of(p, kind, sampler)
                if low > high:
                    raise ArgumentError(message(name, f"min_crop_{kind}", f"at most {high}", low))


def range_of(p: DetectionChanges, kind: str, sampler: int) -> tuple[float, float]:
    """The range of one kind for a sampler."""
    values = (getattr(p, f"{side}_crop_{kind}") for side in ("min", "max"))
    low, high = (v[sampler if len(v) > 1 else 0] for v in values)
    return low, high


def change_boxed(image: np.ndarray, boxes: np.ndarray, p: DetectionChanges,
                 draws: Draws) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return a picture (RGB) and its boxes after random changes."""
    boxes = boxes.copy()
    if p.resize > 0:
        height, width = image.shape[:2]
        size = shorter((height, width), p.resize)
        image = scaled(image, size, method_of(p.inter_method, (height, width), size, draws))
    image = colored(image, p, draws)
    if draws.happens(p.rand_mirror_prob):
        image = np.ascontiguousarray(image[:, ::-1])
        boxes[:, (1, 3)] = 1 - boxes[:, (3, 1)]
    if p.max_pad_scale > 1 and draws.happens(p.rand_pad_prob):
        image, boxes = padded(image, boxes, p, draws)
    if draws.happens(p.rand_crop_prob):
        image, boxes = cropped(image, boxes, p, draws)
    return image, boxes


def colored(image: np.ndarray, p: DetectionChanges, draws: Draws) -> np.ndarray:
    """A picture after random changes of its colours."""
    by = []
    for kind in ("hue", "saturation", "illumination"):
        limit, probability = getattr(p, f"max_random_{kind}"), getattr(p, f"random_{kind}_prob")
        by.append(int(draws.between(-limit, limit)) if draws.happens(probability) else 0)
    if any(by):
        image = shifted(image, by)
    if draws.happens(p.random_contrast_prob):
        factor = np.float32(1 + draws.between(-p.max_random_contrast, p.max_random_contrast))
        image = limited(image * factor + (1 - factor) * np.float32(grey_of(image).mean()))
    return image


def padded(image: np.ndarray, boxes: np.ndarray, p: DetectionChanges,
           draws: Draws) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """A picture with a border, somewhere in the larger whole."""
    height, width, channels = image.shape
    scale = draws.between(1, p.max_pad_scale)
    high, wide = int(height * scale), int(width * scale)
    top, left = draws.whole(0, high - height), draws.whole(0, wide - width)
    whole = np.full((high, wide, channels), p.fill_value, np.uint8)
    whole[top : top + height, left : left + width] = image
    boxes[:, (1, 3)] = (boxes[:, (1, 3)] * width + left) / wide
    boxes[:, (2, 4)] = (boxes[:, (2, 4)] * height + top) / high
    return whole, boxes


def cropped(image: np.ndarray, boxes: np.ndarray, p: DetectionChanges,
            draws: Draws) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """A part of a picture that one of the samplers finds; the picture itself if none does."""
    for sampler in draws.order(list(range(p.num_crop_sampler))):
        trials = p.max_crop_trials[sampler if len(p.max_crop_trials) > 1 else 0]
        for _ in range(trials):
            part = part_of(p, sampler, draws)
            if part is None or not fits(part, boxes, p, sampler):
                continue
            kept = emitted(part, boxes, p)
            if not len(kept):
                continue
            height, width = image.shape[:2]
            left, top, right, bottom = part
            y, x = int(top * height), int(left * width)
            cut = image[y : max(y + 1, round(bottom * height)), x : max(x + 1, round(right * width))]
            return np.ascontiguousarray(cut), kept
    return image, boxes


def part_of(p: DetectionChanges, sampler: int, draws: Draws) -> np.ndarray | None:
    """A random part of a sampler: left, top, right, bottom; None if there is none of these proportions."""
    scale = draws.between(*range_of(p, "scales", sampler))
    low, high = range_of(p, "aspect_ratios", sampler)
    if scale <= 0:
        return None
    low, high = max(low, scale * scale), min(high, 1 / (scale * scale))
    if low > high:
        return None
    ratio = math.sqrt(draws.between(low, high))
    width, height = min(1.0, scale * ratio), min(1.0, scale / ratio)
    left, top = draws.between(0, 1 - width), draws.between(0, 1 - height)
    return np.array([left, top, left + width, top + height])


def shared(part: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Areas that boxes share with a part."""
    size = np.minimum(boxes[:, 3:5], part[2:]) - np.maximum(boxes[:, 1:3], part[:2])
    return np.prod(np.maximum(size, 0), axis=1)


def fits(part: np.ndarray, boxes: np.ndarray, p: DetectionChanges, sampler: int) -> bool:
    """Whether a box has, with the part, the shares that the sampler wants."""
    both = shared(part, boxes)
    of_part = np.prod(part[2:] - part[:2])
    of_boxes = np.maximum(np.prod(boxes[:, 3:5] - boxes[:, 1:3], axis=1), 1e-12)
    shares = (
        ("overlaps", both / (of_part + of_boxes - both)),
        ("sample_coverages", both / of_part),
        ("object_coverages", both / of_boxes),
    )
    good = np.ones(len(boxes), bool)
    for kind, share in shares:
        low, high = range_of(p, kind, sampler)
        good &= (share >= low) & (share <= high + 1e-12)
    return bool(good.any())


def emitted(part: np.ndarray, boxes: np.ndarray, p: DetectionChanges) -> np.ndarray:
    """The boxes that stay, as shares of the part."""
    if p.crop_emit_mode == "center":
        middle = (boxes[:, 1:3] + boxes[:, 3:5]) / 2
        kept = ((middle >= part[:2]) & (middle <= part[2:])).all(axis=1)
    else:
        of_boxes = np.maximum(np.prod(boxes[:, 3:5] - boxes[:, 1:3], axis=1), 1e-12)
        kept = shared(part, boxes) / of_boxes > p.emit_overlap_thresh
    found = boxes[kept].copy()
    size = part[2:] - part[:2]
    found[:, 1:3] = (found[:, 1:3] - part[:2]) / size
    found[:, 3:5] = (found[:, 3:5] - part[:2]) / size
    found[:, 1:5] = np.clip(found[:, 1:5], 0, 1)
    return found


def fitted_size(old: tuple[int, int], room: tuple[int, int], mode: str) -> tuple[int, int]:
    """The (height, width) of a picture that is to fit into a room."""
    if mode == "force":
        return room
    scale = min(room[0] / old[0], room[1] / old[1])
    if mode == "shrink":
        scale = min(1.0, scale)
    return max(1, min(room[0], int(old[0] * scale))), max(1, min(room[1], int(old[1] * scale)))
