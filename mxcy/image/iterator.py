"""`ImageIter`: batches of pictures, from records or from files, each sample made in Python."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from .. import recordio
from .._array import Array
from ..errors import (
    ArgumentError,
    AssertedArgumentError,
    FormatError,
    MXNetError,
    message,
    problem,
    wrap,
)
from ..io import DataBatch, DataDesc, DataIter
from ..ndarray import NDArray
from . import image
from .augment import CreateAugmenter

__all__ = ["ImageIter"]

LAST_BATCH = ("pad", "discard", "roll_over")


class ImageIter(DataIter):
    """Batches (n, channels, height, width) of float32 pictures with their labels.

    Parameters
    ----------
    batch_size : pictures in a batch.
    data_shape : (3, height, width) of a picture after all changes.
    label_width : numbers in a label.
    path_imgrec, path_imgidx : a file of records, and its index, which shuffling and parts need.
    path_imglist : a file of lines "key<tab>label…<tab>path", instead of records, or giving their labels.
    imglist : a list of [label…, path], instead of that file.
    path_root : the folder of the paths.
    shuffle : whether each epoch has its own order, from Python's `random`.
    part_index, num_parts : take one of several equal parts.
    aug_list : changes of the pictures; by default those that `CreateAugmenter` makes of `kwargs`.
    data_name, label_name, dtype : names of the arrays; dtype of the labels.
    last_batch_handle : "pad": pictures from the start fill the last batch, `pad` counts them. "discard": it
        is left out. "roll_over": it begins the next epoch.

    A subclass may replace `next_sample`, `read_image`, `imdecode`, `check_valid_image`,
    `augmentation_transform` and `postprocess_data`.
    """

    def __init__(self, batch_size: int, data_shape: Sequence[int], label_width: int = 1,
                 path_imgrec: Any = None, path_imglist: Any = None, path_root: Any = None,
                 path_imgidx: Any = None, shuffle: bool = False, part_index: int = 0, num_parts: int = 1,
                 aug_list: list | None = None, imglist: list | None = None, data_name: str = "data",
                 label_name: str = "softmax_label", dtype: str = "float32",
                 last_batch_handle: str = "pad", **kwargs: Any):  # fmt: skip
        super().__init__(batch_size)
        if not (path_imgrec or path_imglist or isinstance(imglist, list)):
            expected = "path_imgrec, path_imglist or imglist"
            raise AssertedArgumentError(message(type(self).__name__, None, expected, "none of them"))
        if dtype not in ("int32", "float32", "int64", "float64"):
            expected = "int32, int64, float32 or float64"
            raise AssertedArgumentError(message(type(self).__name__, "dtype", expected, dtype))
        if last_batch_handle not in LAST_BATCH:
            expected = "one of " + ", ".join(map(repr, LAST_BATCH))
            got = repr(last_batch_handle)
            raise ArgumentError(message(type(self).__name__, "last_batch_handle", expected, got))
        self.dtype = dtype
        self.check_data_shape(data_shape)
        self.imgrec, self.imgidx = self._records(path_imgrec, path_imgidx)
        self.imglist = self._list(path_imglist, imglist)
        self.path_root = path_root
        self.data_shape = tuple(data_shape)
        self.label_width = label_width
        labels = (batch_size, label_width) if label_width > 1 else (batch_size,)
        self.provide_data = [DataDesc(data_name, (batch_size, *data_shape))]
        self.provide_label = [DataDesc(label_name, labels)]
        self.shuffle = shuffle
        self.last_batch_handle = last_batch_handle
        self.seq = self._sequence(shuffle, part_index, num_parts)
        self.num_image = None if self.seq is None else len(self.seq)
        self.auglist = CreateAugmenter(data_shape, **kwargs) if aug_list is None else aug_list
        self._left: tuple[NDArray, NDArray, int] | None = None  # of the last epoch, and how many rows
        self.hard_reset()

    def _records(self, path: Any, path_index: Any) -> tuple[Any, list | None]:
        """(file of records, its keys), None for what is not there."""
        if not path:
            return None, None
        logging.info("%s: loading recordio %s...", type(self).__name__, path)
        if not path_index:
            return recordio.MXRecordIO(path, "r"), None
        records = recordio.MXIndexedRecordIO(path_index, path, "r")
        return records, list(records.keys)

    def _list(self, path: Any, given: list | None) -> dict[Any, tuple[NDArray, str]] | None:
        """(label, path of the picture) by key."""
        if path:
            logging.info("%s: loading image list %s...", type(self).__name__, path)
            return read_list(path, self.dtype)
        if not isinstance(given, list):
            return None
        logging.info("%s: loading image list...", type(self).__name__)
        found = {}
        for number, (*label, name) in enumerate(given, 1):
            values = label[0] if len(label) == 1 else label
            found[str(number)] = image.array_of(np.atleast_1d(np.asarray(values, self.dtype))), name
        return found

    def _sequence(self, shuffle: bool, part_index: int, num_parts: int) -> list | None:
        """The keys of the samples; None where records are read in the order of their file."""
        if not 0 <= part_index < num_parts:
            expected = f"a number below num_parts={num_parts}"
            raise AssertedArgumentError(message(type(self).__name__, "part_index", expected, part_index))
        if self.imgrec is None:
            keys = list(self.imglist or ())
        elif self.imgidx is not None:
            keys = self.imgidx
        elif shuffle or num_parts > 1:
            text = "shuffling and parts need the index of the records"
            raise AssertedArgumentError(problem(type(self).__name__, "path_imgidx", text))
        else:
            return None
        size = len(keys) // num_parts
        return keys[part_index * size : (part_index + 1) * size] if num_parts > 1 else keys

    # -- epochs -----------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Begin a new epoch; with "roll_over" by the pictures that are left over."""
        left = self._left
        self.hard_reset()
        if self.last_batch_handle == "roll_over":
            self._left = left

    def hard_reset(self) -> None:
        """Begin a new epoch, without pictures that are left over."""
        if self.shuffle and self.seq is not None:
            random.shuffle(self.seq)
        if self.imgrec is not None:
            self.imgrec.reset()
        self.cur = 0
        self._ended = False
        self._left = None

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on from here, in this or another process."""
        left = None
        if self._left is not None:
            data, label, count = self._left
            left = data.asnumpy(), label.asnumpy(), count
        position = self.imgrec.tell() if self.imgrec is not None and self.seq is None else None
        order = None if self.seq is None else list(self.seq)
        return {"order": order, "cur": self.cur, "position": position, "ended": self._ended, "left": left}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `get_state` was called on an iterator of the same arguments."""
        if state["order"] is not None:
            if self.seq is None or len(state["order"]) != len(self.seq):
                expected = f"the state of an iterator over {self.num_image} pictures"
                raise ArgumentError(message("set_state", "state", expected, len(state["order"])))
            self.seq = list(state["order"])
        elif self.imgrec is not None:
            self.imgrec.seek_to(state["position"])
        self.cur = state["cur"]
        self._ended = state["ended"]
        left = state["left"]
        self._left = None if left is None else (nd.array(left[0]), nd.array(left[1]), left[2])

    def next_sample(self) -> tuple[Any, bytes]:
        """Return (label, bytes of the picture) of the next sample; StopIteration after the last one."""
        if self._ended:
            raise StopIteration
        if self.seq is None:
            record = self.imgrec.read()
            if record is None:
                self.imgrec.reset()
                raise StopIteration
            header, data = recordio.unpack(record)
            return header.label, data
        if self.cur >= len(self.seq):
            self.cur = 0
            raise StopIteration
        key = self.seq[self.cur]
        self.cur += 1
        if self.imgrec is None:
            label, name = self.imglist[key]  # type: ignore[index]
            return label, self.read_image(name)
        header, data = recordio.unpack(self.imgrec.read_idx(key))
        return header.label if self.imglist is None else self._label_of(key), data

    def _label_of(self, key: Any) -> NDArray:
        try:
            return self.imglist[key][0]  # type: ignore[index]
        except KeyError:
            expected = f"a label for the record of key {key}"
            raise wrap(KeyError(message(type(self).__name__, "path_imglist", expected, "none"))) from None

    def next(self) -> DataBatch:
        """See `DataIter.next`."""
        if self._left is not None:
            data, label, filled = self._left
            # A subclass may have given the arrays another shape in between.
            rolled = True
        else:
            data, label = self._empty()
            filled = self._fill(data, label, 0)
            rolled = False
            if filled == 0:
                raise StopIteration
        pad = self.batch_size - filled
        if pad:
            if self.last_batch_handle == "discard":
                self._ended = True
                raise StopIteration
            if self.last_batch_handle == "roll_over" and not rolled:
                self._left = data, label, filled
                raise StopIteration
            self._left = None
            self._fill(data, label, filled)
            self._ended = self.last_batch_handle == "pad"
        return DataBatch([data], [label], pad=pad)

    def _empty(self) -> tuple[NDArray, NDArray]:
        """Arrays for a batch."""
        shapes = (x.shape for x in (self.provide_data[0], self.provide_label[0]))
        data, label = (image.array_of(np.zeros(shape, np.float32)) for shape in shapes)
        return data, label

    def _fill(self, data: NDArray, label: NDArray, start: int) -> int:
        """Write samples to a batch from a row on, and return the row behind the last of them."""
        row = start
        while row < self.batch_size:
            try:
                labels, encoded = self.next_sample()
            except StopIteration:
                break
            made = self._made(self.imdecode(encoded), labels)
            if made is not None:
                self._store(data, label, row, *made)
                row += 1
        return row

    def _made(self, picture: NDArray, label: Any) -> tuple[NDArray, Any] | None:
        """(picture, label) of a sample after the changes; None for one that is to be left out."""
        try:
            self.check_valid_image(picture)
        except RuntimeError as error:
            left_out(error)
            return None
        return self.augmentation_transform(picture), label

    def _store(self, data: NDArray, labels: NDArray, row: int, picture: NDArray, label: Any) -> None:
        """Write a sample to a row of a batch."""
        made = self.postprocess_data(picture)
        if made.shape != data.shape[1:]:
            expected = f"pictures {data.shape[1:]} after all changes"
            raise ArgumentError(message(type(self).__name__, "data_shape", expected, made.shape))
        data[row] = made
        values = label.asnumpy() if isinstance(label, Array) else np.asarray(label)
        labels[row] = values[0] if labels.ndim == 1 and values.shape == (1,) else values

    # -- steps that subclasses may replace -------------------------------------------------------------

    def check_data_shape(self, data_shape: Sequence[int]) -> None:
        """Raise ValueError unless the shape is (3, height, width)."""
        if len(data_shape) != 3 or data_shape[0] != 3:
            expected = "(3, height, width)"
            raise ArgumentError(message(type(self).__name__, "data_shape", expected, tuple(data_shape)))

    def check_valid_image(self, data: Any) -> None:
        """Raise RuntimeError for a picture that is to be left out."""
        if len(data[0].shape) == 0:
            raise MXNetError(message(type(self).__name__, None, "a picture", "an array without pixels"))

    def imdecode(self, s: bytes) -> NDArray:
        """Return a picture from its bytes; FormatError that names the sample if they are broken."""
        try:
            return image.imdecode(s)
        except FormatError as error:
            key = None if self.seq is None else self.seq[self.cur - 1]
            if self.imglist is not None and key is not None:
                place = f"filename: {self.imglist[key][1]}"
            else:
                place = f"index: {key}" if key is not None else f"before byte {self.imgrec.tell()}"
            raise FormatError(f"Broken image {place}, {error}") from None

    def read_image(self, fname: str) -> bytes:
        """Return the bytes of a picture file."""
        try:
            with open(os.path.join(self.path_root or "", fname), "rb") as stream:
                return stream.read()
        except OSError as error:
            raise wrap(error) from None

    def augmentation_transform(self, data: NDArray) -> NDArray:
        """Return a picture after the changes."""
        for change in self.auglist:
            data = change(data)
        return data

    def postprocess_data(self, datum: NDArray) -> NDArray:
        """Return a picture (height, width, channels) with its channels first."""
        return nd.transpose(datum, axes=(2, 0, 1))


def left_out(error: RuntimeError) -> None:
    """Log why a sample is left out."""
    logging.debug("Invalid image, skipping:  %s", error)


def read_list(path: Any, dtype: Any = "float32") -> dict[int, tuple[NDArray, str]]:
    """Return (label, path of the picture) by key, of a file of lines "key<tab>label…<tab>path"."""
    found = {}
    try:
        with open(path, "rb") as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                try:
                    key, *label, name = line.decode().strip().split("\t")
                    found[int(key)] = nd.array(np.array(label, dtype=np.float64), dtype=dtype), name
                except (ValueError, OverflowError):
                    expected = "a key, labels and a path between tabs"
                    raise FormatError(message("imglist", f"{path}:{number}", expected, repr(line))) from None
    except OSError as error:
        raise wrap(error) from None
    return found
