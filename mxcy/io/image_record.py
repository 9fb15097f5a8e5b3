"""`ImageRecordIter`: batches of pictures from records, made by threads while training goes on."""

from __future__ import annotations

import copy
import functools
import logging
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..errors import ArgumentError, FormatError, message
from ..image import codec
from ..image.iterator import read_list
from ..ops._attributes import read_shape
from ..recordio import unpack
from .batch import DataBatch, DataDesc
from .changes import Normaliser, change_colors, cut_picture
from .draws import Draws, of_batch
from .parameters import Colors, Normalisation, PictureChanges, Reading, taken
from .pipeline import Job, Pipeline
from .records import Records
from .rounds import MXDataIter, Rounds, dtype_or, without_unknown

__all__ = [
    "ImageRecordInt8Iter",
    "ImageRecordIter",
    "ImageRecordIter_v1",
    "ImageRecordUInt8Iter",
    "ImageRecordUInt8Iter_v1",
    "RecordIter",
    "RecordPictures",
]

PIECE = 8  # samples that a thread makes at a time


class Place:
    """What a thread keeps from sample to sample: memory for decoded pictures."""

    def __init__(self) -> None:
        self._memory = np.empty(0, np.uint8)

    def memory(self, nbytes: int) -> np.ndarray:
        """Return memory of at least so many bytes."""
        if len(self._memory) < nbytes:
            self._memory = np.empty(nbytes, np.uint8)
        return self._memory


class PictureJob(Job):
    """A batch of pictures; see `pipeline`. Samples with the number -1 stay 0."""

    def __init__(self, source: RecordPictures, rows: np.ndarray, pad: int, draws: list[Draws]):
        self._source = source
        self._rows = rows.tolist()
        self._pad = pad
        self._draws = draws
        self.size = len(rows) - pad
        self._data = nd.empty((len(rows), *source.data_shape), dtype=source.made_as)
        # Rows are written through NumPy: no operation sees the array before it is given away.
        self._view: Any = self._data.view_numpy(writable=True)
        self._labels = np.full((len(rows), source.label_size), source.label_fill, np.float32)
        if min(self._rows) < 0:
            self._view[rows < 0] = 0
        self._ids = np.zeros(len(rows), np.uint64)
        self.pieces = -(-len(rows) // PIECE)

    def make(self, piece: int, place: Place) -> None:
        """See `Job.make`."""
        for row in range(piece * PIECE, min((piece + 1) * PIECE, len(self._rows))):
            if self._rows[row] >= 0:
                made = self._source.make(self._rows[row], self._view[row], self._draws[row], place)
                self._labels[row], self._ids[row] = made

    def result(self) -> DataBatch:
        """Return the batch."""
        labels = self._labels[:, 0] if self._source.label_size == 1 else self._labels
        data = self._data
        self._view = None
        if self._source.dtype != self._source.made_as:
            data = data.astype(self._source.dtype)
        return DataBatch([data], [nd.array(labels)], self._pad, self._ids)


class RecordPictures:
    """Makes samples of the records of an iterator: reads, decodes, changes and normalises."""

    def __init__(self, name: str, reading: Reading, data_shape: tuple, dtype: np.dtype,
                 normaliser: Normaliser, changes: Any, colors: Colors):  # fmt: skip
        self.name = name
        self.data_shape = data_shape
        self.dtype = dtype
        self.made_as = dtype if dtype in (np.float32, np.uint8, np.int8) else np.dtype(np.float32)
        self.label_size, self.label_fill = reading.label_width, 0.0
        self.records = Records(reading.path_imgrec, reading.path_imgidx, reading.part_index,
                               reading.num_parts, reading.skip_damaged)  # fmt: skip
        self._listed = None
        if reading.path_imglist:
            listed = read_list(reading.path_imglist)
            self._listed = {key: label.asnumpy() for key, (label, _) in listed.items()}
        self.normaliser = normaliser
        self._changes = changes
        self._colors = colors
        self._colored = colors != Colors()

    def make(self, number: int, out: np.ndarray, draws: Draws, place: Place) -> tuple[np.ndarray, int]:
        """Write a picture to a row of a batch; return its label and its id."""
        header, data = self.unpacked(number)
        try:
            label = self._made(header, data, out, draws, place)
        except FormatError as error:
            raise FormatError(f"{error} (record {self.records.place(number)})") from None
        return label, header.id

    def unpacked(self, number: int) -> tuple[Any, bytes]:
        """Return (header, bytes of the picture) of a record."""
        record = self.records.read(number)
        try:
            return unpack(record)
        except FormatError as error:
            raise FormatError(f"{error} (record {self.records.place(number)})") from None

    def _label_of(self, header: Any) -> np.ndarray:
        label = self.given_label(header)
        if len(label) != self.label_size:
            expected = f"labels of {self.label_size} numbers, as label_width says"
            raise FormatError(message(self.name, "label_width", expected, len(label)))
        return label

    def given_label(self, header: Any) -> np.ndarray:
        """Return the label in the list or in the header of a record."""
        if self._listed is not None:
            label = self._listed.get(header.id)
            if label is None:
                expected = f"a label for the record of id {header.id}"
                raise FormatError(message(self.name, "path_imglist", expected, "none"))
        else:
            label = np.atleast_1d(np.asarray(header.label, np.float32))
        return label

    def _made(self, header: Any, data: bytes, out: np.ndarray, draws: Draws, place: Place) -> np.ndarray:
        """Write a picture to a row of a batch; return its label."""
        label = self._label_of(header)
        changes: PictureChanges = self._changes
        channels, *size = self.data_shape
        image, full = codec.open_for(data, channels, max(0, changes.resize), place.memory)
        picture = cut_picture(image, tuple(size), changes, draws, full)  # type: ignore[arg-type]
        if self._colored:
            cut = picture.settle(tuple(size))  # type: ignore[arg-type]
            picture.replace(change_colors(cut, self._colors, draws))
        self.normaliser.place(picture, out, draws)
        return label

    def plain(self) -> RecordPictures:
        """Return the same without normalisation."""
        other = copy.copy(self)
        other.normaliser = Normaliser(Normalisation(), self.data_shape[0])
        return other


class RecordIter(MXDataIter):
    """Base of the iterators over records of pictures, made ahead by a `Pipeline`."""

    def __init__(self, name: str, reading: Reading, source: Any, batch_size: int, names: tuple[str, str],
                 label_shape: tuple):  # fmt: skip
        self._source = source
        self._reading = reading
        count = len(source.records)
        seed = [x % 2**32 for x in (reading.seed, reading.shuffle_chunk_seed)]

        def order(number: int) -> np.ndarray:
            return np.random.default_rng([*seed, number]).permutation(count)

        rounds = Rounds(count, batch_size, reading.round_batch, order=order if reading.shuffle else None)
        # Another seed_aug gives other changes; without one, they follow the seed.
        aug_seed = (reading.seed, 0) if reading.seed_aug is None else (reading.seed_aug, 1)
        places = [Place() for _ in range(reading.preprocess_threads)]
        # Without this iterator in it: one that nobody has goes at once, with what it has made ahead.
        job_of = functools.partial(picture_job, source, aug_seed)
        self._pipeline = Pipeline(rounds, job_of, places, reading.prefetch_buffer)
        super().__init__(rounds, DataDesc(names[0], (batch_size, *source.data_shape), source.dtype.type),
                         DataDesc(names[1], (batch_size, *label_shape)))  # fmt: skip
        if reading.verbose:
            logging.info("%s: %d records in %s", name, count, reading.path_imgrec)
        self._pipeline.fill()

    def iter_next(self) -> bool:
        """See `DataIter.iter_next`."""
        if self._skips_load and self._batch is not None:
            return True
        found = self._pipeline.take()
        if found is None:
            return False
        self._batch = found
        return True

    def reset(self) -> None:
        """Begin the next epoch. Its first batches are under way if the last one has ended."""
        self._pipeline.reset()
        if not self._skips_load:
            self._batch = None

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on from here, in this or another process."""
        return self._pipeline.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `get_state` was called on an iterator of the same arguments."""
        self._pipeline.set_state(state)
        self._batch = None

    def stats(self) -> dict[str, float]:
        """Return what came since the start or the last call: images_per_s, waiting_s, …; see `Pipeline`."""
        return {**self._pipeline.stats(), "skipped": self._source.records.skipped}

    def __del__(self) -> None:
        pipeline = getattr(self, "_pipeline", None)
        if pipeline is not None:
            pipeline.cancel()


def picture_job(
    source: RecordPictures, seed: tuple[int, int], rows: np.ndarray, pad: int, state: dict
) -> PictureJob:
    """Return the job of a batch; see `Pipeline`."""
    return PictureJob(source, rows, pad, of_batch(seed, state, len(rows)))


def checked_shape(name: str, data_shape: Any, batch_size: int) -> tuple[int, int, int]:
    """Return (channels, height, width); ArgumentError for what is none."""
    shape = read_shape(data_shape)
    if len(shape) != 3 or shape[0] not in (1, 3, 4) or min(shape[1:]) < 1:
        expected = "(1, 3 or 4 channels, height, width)"
        raise ArgumentError(message(name, "data_shape", expected, data_shape))
    if batch_size < 1:
        raise ArgumentError(message(name, "batch_size", "at least 1", batch_size))
    return shape  # type: ignore[return-value]


class ImageRecordIter(RecordIter):
    """Batches (n, channels, height, width) of the pictures in a file of records, and of their labels.

    Parameters
    ----------
    path_imgrec : the file of records, as `im2rec` makes it.
    data_shape : (channels, height, width) of a picture in a batch; 1, 3 (RGB) or 4 channels.
    batch_size : pictures in a batch.
    dtype : of the batch, float32 by default; uint8 is the bytes as they are.
    data_name, label_name : names of the arrays.
    params : see `io.parameters`: `Reading` (which samples, in which order, threads), `PictureChanges`
        (resize, rand_crop, …), `Colors`, `Normalisation` (mean_r, std_r, scale, rand_mirror, …). Others
        are left out with a message, as MXNet leaves them out.

    The changes of a picture depend on the seeds and its place in the epoch only, not on the threads.
    Where JPEGs are more than twice as large as `resize` wants, they are shrunk while they are decoded.
    `next` raises FormatError that names the file and the byte of a broken record.
    """

    default_dtype: Any = np.float32

    def __init__(self, path_imgrec: str | os.PathLike = "", data_shape: Sequence[int] = (),
                 batch_size: int = 0, dtype: Any = None, data_name: str = "data",
                 label_name: str = "softmax_label", **params: Any):  # fmt: skip
        name = type(self).__name__
        params["path_imgrec"] = os.fspath(path_imgrec)
        reading = taken(Reading, name, params)
        shape = checked_shape(name, data_shape, int(batch_size))
        reading.check(name)
        changes, colors = taken(PictureChanges, name, params), taken(Colors, name, params)
        if not 0 <= changes.inter_method <= 4 and changes.inter_method not in (9, 10):
            raise ArgumentError(message(name, "inter_method", "0 to 4, 9 or 10", changes.inter_method))
        normalisation = taken(Normalisation, name, params)
        without_unknown(name, params, [*vars(reading), *vars(changes), *vars(colors), *vars(normalisation)])
        normaliser = Normaliser(normalisation, shape[0])
        kind = dtype_or(dtype, self.default_dtype)
        source = RecordPictures(name, reading, shape, kind, normaliser, changes, colors)
        if normalisation.mean_img:
            normaliser.mean_picture = mean_picture(normalisation.mean_img, source)
        labels = (reading.label_width,) if reading.label_width > 1 else ()
        super().__init__(name, reading, source, int(batch_size), (data_name, label_name), labels)


ImageRecordIter_v1 = ImageRecordIter  # MXNet's older iterators, of the same parameters


class ImageRecordUInt8Iter(ImageRecordIter):
    """`ImageRecordIter` with dtype uint8."""

    default_dtype = np.uint8


class ImageRecordInt8Iter(ImageRecordIter):
    """`ImageRecordIter` with dtype int8: the normalised values, limited to -128 to 127."""

    default_dtype = np.int8


ImageRecordUInt8Iter_v1 = ImageRecordUInt8Iter


def mean_picture(path: str, source: RecordPictures) -> np.ndarray:
    """Return the mean picture in a file, or make it from all samples and write the file."""
    if os.path.exists(path):
        found = nd.load(path)
        mean = found.get("mean_img") if isinstance(found, dict) else None
        if mean is None or mean.shape != source.data_shape:
            got = "another file" if mean is None else f"shape {mean.shape}"
            expected = f"mean_img of shape {source.data_shape}"
            raise FormatError(message("mean_img", path, expected, got))
        return mean.asnumpy()
    logging.info("mean_img: making %s", path)
    total, row, place = np.zeros(source.data_shape), np.empty(source.data_shape, np.float32), Place()
    plain, count = source.plain(), len(source.records)
    for number in range(count):
        plain.make(number, row, Draws([0.5]), place)  # the middle of every random range
        total += row
    mean = nd.array(total / count)
    nd.save(path, {"mean_img": mean})
    return mean.asnumpy()
