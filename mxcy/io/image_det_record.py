"""`ImageDetRecordIter`: batches of pictures with boxes from records."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, FormatError, message
from ..image import codec
from .box_changes import change_boxed, check_samplers, fitted_size
from .changes import Normaliser, Picture, method_of
from .draws import Draws
from .image_record import Place, RecordIter, RecordPictures, checked_shape
from .parameters import Colors, DetectionChanges, Detections, Normalisation, Reading, taken
from .rounds import dtype_or, without_unknown

__all__ = ["ImageDetRecordIter"]

FRONT = 4  # numbers before a label: channels, height and width of the picture, length of the label


class DetectionPictures(RecordPictures):
    """Makes samples with boxes."""

    def __init__(self, name: str, reading: Reading, data_shape: tuple, dtype: np.dtype,
                 normaliser: Normaliser, changes: DetectionChanges, detections: Detections):  # fmt: skip
        super().__init__(name, reading, data_shape, dtype, normaliser, changes, Colors())
        self._width = detections.label_width
        longest = self._longest()
        if 0 < detections.label_pad_width < longest:
            expected = f"at least {longest}, the length of the longest label"
            raise ArgumentError(message(name, "label_pad_width", expected, detections.label_pad_width))
        self.label_size = FRONT + max(longest, detections.label_pad_width)
        self.label_fill = detections.label_pad_value

    def _longest(self) -> int:
        """The most numbers in a label."""
        headers = (self.unpacked(number)[0] for number in range(len(self.records)))
        return max(len(self.given_label(header)) for header in headers)

    def _made(self, header: Any, data: bytes, out: np.ndarray, draws: Draws, place: Place) -> np.ndarray:
        label = self.given_label(header)
        front, boxes = self._boxes(label)
        channels, *room = self.data_shape
        image, _ = codec.decode_for(data, channels, 0, place.memory)
        image, boxes = change_boxed(image, boxes, self._changes, draws)
        picture = Picture(image, method_of(self._changes.inter_method, image.shape[:2], tuple(room), draws))
        height, width = picture.grid = fitted_size(image.shape[:2], tuple(room), self._changes.resize_mode)
        part = out
        if (height, width) != tuple(room):
            out[:] = 0
            part = np.empty((channels, height, width), out.dtype)
        self.normaliser.place(picture, part, draws)
        if part is not out:
            out[:, :height, :width] = part
        made = np.full(self.label_size, self.label_fill, np.float32)
        flat = np.concatenate([front, boxes.ravel()])
        made[:FRONT] = channels, height, width, len(flat)
        made[FRONT : FRONT + len(flat)] = flat
        return made

    def _boxes(self, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(head, boxes) of a label: how many numbers head it, how many an object has, more, the objects."""
        if self._width > 0 and len(label) != self._width:
            expected = f"labels of {self._width} numbers, as label_width says"
            raise FormatError(message(self.name, "label_width", expected, len(label)))
        if len(label) < 2:
            raise FormatError(message(self.name, "label", "at least 2 numbers", len(label)))
        head, width = int(label[0]), int(label[1])
        if head < 2 or width < 5 or len(label) < head or (len(label) - head) % width:
            expected = f"a head of {head} and objects of {width} numbers"
            raise FormatError(message(self.name, "label", expected, f"{len(label)} numbers"))
        return label[:head], label[head:].reshape(-1, width)


class ImageDetRecordIter(RecordIter):
    """Batches of pictures with boxes, in the format of labels that `ImageDetIter` describes.

    Parameters
    ----------
    path_imgrec, data_shape, batch_size, dtype, data_name, label_name : as of `ImageRecordIter`.
    params : see `io.parameters`: `Reading`, `Detections`, `DetectionChanges`, `Normalisation`. Others are
        left out with a message.

    A row of the labels is: channels, height and width of the picture in the batch, length of the label, the
    label, and label_pad_value up to the length of the longest. Pictures that do not fill data_shape
    (resize_mode "shrink" and "fit") stand at its left and top, before zeros.
    """

    def __init__(self, path_imgrec: str | os.PathLike = "", data_shape: Sequence[int] = (),
                 batch_size: int = 0, dtype: Any = None, data_name: str = "data",
                 label_name: str = "softmax_label", **params: Any):  # fmt: skip
        name = type(self).__name__
        detections = taken(Detections, name, params)
        params["path_imgrec"] = os.fspath(path_imgrec)
        reading = taken(Reading, name, params)
        shape = checked_shape(name, data_shape, int(batch_size))
        reading.check(name)
        changes = taken(DetectionChanges, name, params)
        check_samplers(name, changes)
        normalisation = taken(Normalisation, name, params)
        without_unknown(name, params, [*vars(reading), *vars(changes), *vars(normalisation)])
        kind = dtype_or(dtype, np.float32)
        source = DetectionPictures(name, reading, shape, kind, Normaliser(normalisation, shape[0]), changes,
                                   detections)  # fmt: skip
        super().__init__(
            name, reading, source, int(batch_size), (data_name, label_name), (source.label_size,)
        )
