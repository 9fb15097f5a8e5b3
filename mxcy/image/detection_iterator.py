"""`ImageDetIter`: batches of pictures with boxes."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .._array import Array
from ..errors import ArgumentError, AssertedArgumentError, MXNetError, ShapeError, message
from ..io import DataDesc
from ..ndarray import NDArray
from .augment import MEAN, STD, of_imagenet
from .codec import opencv
from .detection import CreateDetAugmenter
from .iterator import ImageIter, left_out

__all__ = ["ImageDetIter"]


class ImageDetIter(ImageIter):
    """Batches of pictures with boxes: labels are (n, objects, 5 or more), filled up with -1.

    A label in a file is numbers: how many head it (2 or more), how many describe an object, what else the
    head has, then for each object its class, left, top, right, bottom as shares of width and height, and
    more. Objects whose box is empty are left out; a picture without any is skipped.

    The parameters are those of `ImageIter`, `kwargs` those of `CreateDetAugmenter`.
    """

    def __init__(self, batch_size: int, data_shape: Sequence[int], path_imgrec: Any = None,
                 path_imglist: Any = None, path_root: Any = None, path_imgidx: Any = None,
                 shuffle: bool = False, part_index: int = 0, num_parts: int = 1,
                 aug_list: list | None = None, imglist: list | None = None, data_name: str = "data",
                 label_name: str = "label", last_batch_handle: str = "pad", **kwargs: Any):  # fmt: skip
        super().__init__(batch_size, data_shape, path_imgrec=path_imgrec, path_imglist=path_imglist,
                         path_root=path_root, path_imgidx=path_imgidx, shuffle=shuffle,
                         part_index=part_index, num_parts=num_parts, aug_list=[], imglist=imglist,
                         data_name=data_name, label_name=label_name,
                         last_batch_handle=last_batch_handle)  # fmt: skip
        self.auglist = CreateDetAugmenter(data_shape, **kwargs) if aug_list is None else aug_list
        self.label_shape = self._estimate_label_shape()
        self.provide_label = [DataDesc(label_name, (batch_size, *self.label_shape))]

    def _estimate_label_shape(self) -> tuple[int, int]:
        """(most objects in a picture, numbers for an object), by reading all labels."""
        most, width = 0, 5
        self.reset()
        while True:
            try:
                label = self._parse_label(self.next_sample()[0])
            except StopIteration:
                break
            most, width = max(most, label.shape[0]), label.shape[1]
        self.reset()
        return most, width

    def _parse_label(self, label: Any) -> np.ndarray:
        """The objects (n, 5 or more) in a label as it stands in a file."""
        raw = (label.asnumpy() if isinstance(label, Array) else np.asarray(label)).ravel()
        if raw.size < 7:
            raise MXNetError(message("ImageDetIter", "label", "at least 7 numbers", raw.size))
        head, width = int(raw[0]), int(raw[1])
        if head < 2 or width < 5 or (raw.size - head) % width:
            expected = f"a head of {head} and objects of {width} numbers"
            raise MXNetError(message("ImageDetIter", "label", expected, f"{raw.size} numbers"))
        objects = raw[head:].reshape(-1, width)
        valid = (objects[:, 3] > objects[:, 1]) & (objects[:, 4] > objects[:, 2])
        if not valid.any():
            raise MXNetError(message("ImageDetIter", "label", "a box that is not empty", "none"))
        return objects[valid]

    def _check_valid_label(self, label: np.ndarray) -> None:
        """Raise RuntimeError unless there is an object with a class and a box."""
        if label.ndim != 2 or label.shape[1] < 5:
            expected = "objects of at least 5 numbers"
            raise MXNetError(message("ImageDetIter", "label", expected, f"shape {label.shape}"))
        if not ((label[:, 0] >= 0) & (label[:, 3] > label[:, 1]) & (label[:, 4] > label[:, 2])).any():
            raise MXNetError(message("ImageDetIter", "label", "an object with a class and a box", "none"))

    def _empty(self) -> tuple[NDArray, NDArray]:
        data, label = super()._empty()
        label[:] = -1
        return data, label

    def _made(self, picture: NDArray, label: Any) -> tuple[NDArray, Any] | None:
        try:
            self.check_valid_image(picture)
            picture, label = self.augmentation_transform(picture, self._parse_label(label))
            self._check_valid_label(label)
        except RuntimeError as error:
            if isinstance(error, (TypeError, ValueError)):
                raise  # a change that does not work is no reason to leave out the picture
            left_out(error)
            return None
        return picture, label

    def _store(self, data: NDArray, labels: NDArray, row: int, picture: NDArray, label: Any) -> None:
        most, width = labels.shape[1:]
        if len(label) > most or label.shape[1] != width:
            expected = f"at most {most} objects of {width} numbers, as label_shape says"
            raise ShapeError(message("ImageDetIter", "label", expected, f"shape {label.shape}"))
        full = np.full((most, width), -1, np.float32)
        full[: len(label)] = label
        super()._store(data, labels, row, picture, full)

    def augmentation_transform(self, data: NDArray, label: Any = None) -> Any:
        """Return a picture and its objects after the changes."""
        for change in self.auglist:
            data, label = change(data, label)  # type: ignore[call-arg]
        return data, label

    # -- shapes -----------------------------------------------------------------------------------------

    def reshape(self, data_shape: Sequence[int] | None = None, label_shape: Any = None) -> None:
        """Change the shapes of pictures and labels; room for objects can only grow."""
        if data_shape is not None:
            self.check_data_shape(data_shape)
            self.data_shape = tuple(data_shape)
            self.provide_data = [DataDesc(self.provide_data[0].name, (self.batch_size, *data_shape))]
        if label_shape is not None:
            self.check_label_shape(label_shape)
            self.label_shape = tuple(label_shape)  # type: ignore[assignment]
            self.provide_label = [DataDesc(self.provide_label[0].name, (self.batch_size, *label_shape))]

    def check_label_shape(self, label_shape: Sequence[int]) -> None:
        """Raise ValueError unless labels of this shape have room for what there is."""
        most, width = self.label_shape
        if len(label_shape) != 2 or label_shape[0] < most or label_shape[1] != width:
            expected = f"at least {most} objects of {width} numbers"
            raise ArgumentError(message("ImageDetIter", "label_shape", expected, tuple(label_shape)))

    def sync_label_shape(self, it: ImageDetIter, verbose: bool = False) -> ImageDetIter:
        """Give this and another iterator the larger of their label shapes; return the other one."""
        if not isinstance(it, ImageDetIter):
            got = type(it).__name__
            raise AssertedArgumentError(message("sync_label_shape", "it", "an ImageDetIter", got))
        mine, others = self.label_shape, it.label_shape
        if mine[1] != others[1]:
            expected = f"objects of {mine[1]} numbers"
            raise AssertedArgumentError(message("sync_label_shape", "it", expected, others[1]))
        both = max(mine[0], others[0]), mine[1]
        for data, shape in ((self, mine), (it, others)):
            if shape != both:
                data.reshape(None, both)
        if verbose and mine != others:
            logging.info("Resized label_shape to %s.", both)
        return it

    # -- pictures to look at ----------------------------------------------------------------------------

    def draw_next(self, color: Any = None, thickness: int = 2, mean: Any = None, std: Any = None,
                  clip: bool = True, waitKey: int | None = None, window_name: str = "draw_next",
                  id2labels: dict | None = None) -> Iterator[np.ndarray]:  # fmt: skip
        """Yield the samples after the changes as pictures of OpenCV (BGR, uint8), with their boxes drawn.

        `mean`, `std`: what normalisation did, to be undone. `id2labels`: names of the classes. `waitKey`:
        show each in a window, for so many milliseconds.
        """
        cv2 = opencv()
        mean, std = of_imagenet("mean", mean, MEAN, np.array), of_imagenet("std", std, STD, np.array)
        while True:
            try:
                label, encoded = self.next_sample()
            except StopIteration:
                return
            picture, label = self.augmentation_transform(self.imdecode(encoded), self._parse_label(label))
            shown = picture.asnumpy() * (1 if std is None else std) + (0 if mean is None else mean)
            shown = np.clip(shown, 0, 255) if clip else shown
            shown = np.ascontiguousarray(shown[:, :, ::-1].astype(np.uint8))
            draw_boxes(shown, label, color, thickness, id2labels or {})
            if waitKey is not None:
                cv2.imshow(window_name, shown)
                cv2.waitKey(waitKey)
            yield shown


def draw_boxes(shown: np.ndarray, label: np.ndarray, color: Any, thickness: int, names: dict) -> None:
    """Draw the boxes of objects, and the names of their classes, on a picture (BGR)."""
    cv2 = opencv()
    height, width = shown.shape[:2]
    for found in label:
        if found[1] < 0:
            continue
        left, top, right, bottom = (found[1:5] * (width, height, width, height)).astype(int).tolist()
        line = tuple(random.randrange(256) for _ in range(3)) if color is None else tuple(color[::-1])
        cv2.rectangle(shown, (left, top), (right, bottom), line, thickness)
        name = names.get(int(found[0]))
        if name is not None:
            kind, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.5
            high = cv2.getTextSize(str(name), kind, scale, 2)[0][1]
            cv2.putText(shown, str(name), (left + 5, top + high + 5), kind, scale, (255, 255, 255), 2)
