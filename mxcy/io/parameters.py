"""Parameters of the image iterators, by name, with MXNet's defaults; values may be text, as in its files."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_type_hints

from ..errors import ArgumentError, message
from ..ops._attributes import Attribute, Numbers, Shape

__all__ = ["Colors", "DetectionChanges", "Detections", "Normalisation", "PictureChanges", "Reading", "taken"]

T = TypeVar("T")


def taken(cls: type[T], name: str, given: dict[str, Any]) -> T:
    """Return a group of parameters, taken out of what was given to an iterator of this name."""
    hints = get_type_hints(cls, include_extras=True)
    values = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.name in given:
            value = given.pop(field.name)
            if hints[field.name] is bool and isinstance(value, int):
                value = bool(value)  # MXNet's programs write 0 and 1
            if isinstance(value, os.PathLike):
                value = os.fspath(value)
            if value is None and hints[field.name] is str:
                continue
            values[field.name] = Attribute(field.name, hints[field.name]).parse(name, value)
    return cls(**values)


@dataclass
class Reading:
    """Which samples come, in which order, by how many threads.

    path_imgrec : a file of records, several between semicolons, or a folder; paths may be URLs of fsspec.
    path_imgidx : the index of the file, without which the heads of all records are read at the start.
    path_imglist : a file of lines "key<tab>label…<tab>path"; labels come from it by the ids of records.
    label_width : numbers in a label.
    preprocess_threads : how many threads of the engine's IO lane decode.
    part_index, num_parts : take one of several parts.
    shuffle, seed, shuffle_chunk_seed : whether each epoch has its own order, and which.
    seed_aug : for another choice of random changes.
    round_batch : whether the last batch is filled from the next epoch, which goes on behind what was taken.
    prefetch_buffer : how many batches are made ahead.
    skip_damaged : leave out what is no record, and count it (`stats()["skipped"]`), instead of an error; not
        with an index. Pictures that cannot be decoded are errors all the same.
    verbose : log how many records there are. shuffle_chunk_size, device_id, ctx, aug_seq : accepted.
    """

    path_imgrec: str = ""
    path_imgidx: str = ""
    path_imglist: str = ""
    label_width: int = 1
    preprocess_threads: int = 4
    num_parts: int = 1
    part_index: int = 0
    shuffle: bool = False
    seed: int = 0
    shuffle_chunk_size: int = 0
    shuffle_chunk_seed: int = 0
    seed_aug: int | None = None
    round_batch: bool = True
    prefetch_buffer: int = 4
    skip_damaged: bool = False
    verbose: bool = True
    device_id: int = 0
    ctx: str = "gpu"
    aug_seq: str = ""

    def check(self, name: str) -> None:
        """Raise ArgumentError for what makes no sense."""
        if not self.path_imgrec:
            raise ArgumentError(message(name, "path_imgrec", "the path of a file of records", "none"))
        for argument in ("preprocess_threads", "prefetch_buffer"):
            if getattr(self, argument) < 1:
                raise ArgumentError(message(name, argument, "at least 1", getattr(self, argument)))
        if self.aug_seq not in ("", "aug_default", "det_aug_default"):
            expected = "the usual changes, 'aug_default' or 'det_aug_default'"
            raise ArgumentError(message(name, "aug_seq", expected, repr(self.aug_seq)))


@dataclass
class Colors:
    """Random changes of colours.

    brightness, contrast, saturation : factors from 1 - x to 1 + x, in a random order.
    random_h, random_s, random_l : up to x is added to hue, saturation and lightness.
    pca_noise : standard deviation of noise along the principal colours.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    pca_noise: float = 0.0
    random_h: int = 0
    random_s: int = 0
    random_l: int = 0


@dataclass
class PictureChanges:
    """Scaling, turning and cutting.

    resize : length to which the shorter edge is scaled first; -1: as it is.
    inter_method : 0 nearest pixel, 1 bilinear, 2 cubic, 3 area, 4 Lanczos, 9 by the sizes, 10 random.
    max_rotate_angle, rotate : degrees, up to which, or by which, pictures are turned.
    max_shear_ratio : up to which they are sheared.
    max_random_scale, min_random_scale, max_img_size, min_img_size : by which they are scaled, and limits.
    max_aspect_ratio, min_aspect_ratio : change of width over height: from the one to the other or,
        without min_aspect_ratio, from 1 - max_aspect_ratio to 1 + max_aspect_ratio.
    pad, fill_value : a border, and what it and the corners of turned pictures are filled with.
    random_resized_crop, max_random_area, min_random_area : a part of such a share of the area, and of a
        random aspect ratio, is scaled to data_shape.
    max_crop_size, min_crop_size : a square of such a size is scaled to data_shape.
    rand_crop : cut at a random place, not in the middle.
    """

    resize: int = -1
    rand_crop: bool = False
    random_resized_crop: bool = False
    max_rotate_angle: int = 0
    max_aspect_ratio: float = 0.0
    min_aspect_ratio: float | None = None
    max_shear_ratio: float = 0.0
    max_crop_size: int = -1
    min_crop_size: int = -1
    max_random_scale: float = 1.0
    min_random_scale: float = 1.0
    max_random_area: float = 1.0
    min_random_area: float = 1.0
    max_img_size: float = 1e10
    min_img_size: float = 0.0
    rotate: int = -1
    fill_value: int = 255
    inter_method: int = 1
    pad: int = 0

    def ratios(self) -> tuple[float, float]:
        """The least and the largest change of width over height."""
        if self.min_aspect_ratio is None:
            return 1 - self.max_aspect_ratio, 1 + self.max_aspect_ratio
        return self.min_aspect_ratio, self.max_aspect_ratio

    def turns(self) -> bool:
        """Whether pictures are turned, sheared or scaled at random."""
        defaults = PictureChanges()
        names = ("max_random_scale", "min_random_scale", "max_img_size", "min_img_size")
        by_ratio = not self.random_resized_crop and self.ratios() != (1, 1)
        return (
            self.max_rotate_angle > 0
            or self.rotate > 0
            or self.max_shear_ratio > 0
            or by_ratio
            or any(getattr(self, name) != getattr(defaults, name) for name in names)
        )


@dataclass
class Normalisation:
    """(x - mean) * scale / std of each channel, and random changes of it.

    mean_img : a file with the mean picture, made from the data if it is not there.
    mirror, rand_mirror : left and right exchanged; at random, for half of the pictures.
    max_random_contrast : a factor from 1 - x to 1 + x. max_random_illumination : up to x is added.
    """

    mirror: bool = False
    rand_mirror: bool = False
    mean_img: str = ""
    mean_r: float = 0.0
    mean_g: float = 0.0
    mean_b: float = 0.0
    mean_a: float = 0.0
    std_r: float = 1.0
    std_g: float = 1.0
    std_b: float = 1.0
    std_a: float = 1.0
    scale: float = 1.0
    max_random_contrast: float = 0.0
    max_random_illumination: float = 0.0


@dataclass
class Detections:
    """Labels of the detection iterator.

    label_width : numbers in every label, -1 if they differ. label_pad_width : length to which labels are
    filled up, at least; 0: that of the longest. label_pad_value : with what.
    """

    label_width: int = -1
    label_pad_width: int = 0
    label_pad_value: float = -1.0


@dataclass
class DetectionChanges:
    """Changes of pictures with boxes.

    rand_crop_prob, num_crop_sampler, max_crop_trials : how often a part is cut, by how many samplers, in
        how many attempts. Ranges of each sampler: min_crop_scales, max_crop_scales (share of the area),
        min_crop_aspect_ratios, max_crop_aspect_ratios, and of what an object must reach:
        min_crop_overlaps, max_crop_overlaps (intersection over union with the part),
        min_crop_sample_coverages, max_crop_sample_coverages (share of the part that it covers),
        min_crop_object_coverages, max_crop_object_coverages (share of it that is in the part).
    crop_emit_mode, emit_overlap_thresh : objects are dropped whose centre is outside of the part
        ("center"), or of which less than the threshold is inside ("overlap").
    rand_pad_prob, max_pad_scale : how often a border is put around, and up to which size of the whole.
    max_random_hue, random_hue_prob and the like : what is added to hue, saturation and lightness, or
        to 1 for the contrast, and how often.
    rand_mirror_prob : how often left and right are exchanged.
    resize : length to which the shorter edge is scaled first. resize_mode : how pictures fit data_shape:
        "force" scales both edges, "shrink" and "fit" keep the proportions; "shrink" never enlarges.
    """

    resize: int = -1
    rand_crop_prob: float = 0.0
    min_crop_scales: Numbers = (0.0,)
    max_crop_scales: Numbers = (1.0,)
    min_crop_aspect_ratios: Numbers = (1.0,)
    max_crop_aspect_ratios: Numbers = (1.0,)
    min_crop_overlaps: Numbers = (0.0,)
    max_crop_overlaps: Numbers = (1.0,)
    min_crop_sample_coverages: Numbers = (0.0,)
    max_crop_sample_coverages: Numbers = (1.0,)
    min_crop_object_coverages: Numbers = (0.0,)
    max_crop_object_coverages: Numbers = (1.0,)
    num_crop_sampler: int = 1
    crop_emit_mode: Literal["center", "overlap"] = "center"
    emit_overlap_thresh: float = 0.3
    max_crop_trials: Shape = (25,)
    rand_pad_prob: float = 0.0
    max_pad_scale: float = 1.0
    max_random_hue: int = 0
    random_hue_prob: float = 0.0
    max_random_saturation: int = 0
    random_saturation_prob: float = 0.0
    max_random_illumination: int = 0
    random_illumination_prob: float = 0.0
    max_random_contrast: float = 0.0
    random_contrast_prob: float = 0.0
    rand_mirror_prob: float = 0.0
    fill_value: int = 127
    inter_method: int = 1
    resize_mode: Literal["force", "shrink", "fit"] = "force"
