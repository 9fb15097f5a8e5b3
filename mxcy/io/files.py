"""Iterators over files of numbers: `CSVIter`, `MNISTIter`."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..errors import ArgumentError, FormatError, ShapeError, message
from ..ops._attributes import read_shape
from .batch import DataBatch, DataDesc
from .idx import read_idx
from .rounds import MXDataIter, Rounds, dtype_or, without_unknown
from .text_rows import BadLine, TextRows

__all__ = ["CSVIter", "MNISTIter"]


class CSVIter(MXDataIter):
    """Batches of rows of files of comma-separated numbers, which may be larger than memory.

    Parameters
    ----------
    data_csv, label_csv : paths, or URLs that fsspec opens; without labels they are 0.
    data_shape, label_shape : of a row.
    batch_size : rows in a batch.
    round_batch : whether the last batch is filled by the first rows, which the next epoch then leaves out.
    dtype : of data and labels, float32 by default. What lies behind the point of integers is cut off.
    data_name, label_name : names of the arrays.

    Raises FormatError that names file and line of what is no number, when its rows are wanted.
    """

    def __init__(self, data_csv: str | os.PathLike, data_shape: Sequence[int], batch_size: int,
                 label_csv: Any = "NULL", label_shape: Sequence[int] = (1,), round_batch: bool = True,
                 prefetch_buffer: int = 4, ctx: str = "gpu", dtype: Any = None, data_name: str = "data",
                 label_name: str = "softmax_label", **unknown: Any):  # fmt: skip
        check_batch_size("CSVIter", batch_size)
        without_unknown("CSVIter", unknown, ("data_csv", "data_shape", "batch_size", "label_csv",
                                             "label_shape", "round_batch", "dtype"))  # fmt: skip
        kind = dtype_or(dtype, np.float32)
        data_shape, label_shape = read_shape(data_shape), read_shape(label_shape)
        self._data = csv_rows(data_csv, data_shape, kind)
        self._label: TextRows | None = None
        self._label_shape = () if label_shape == (1,) else label_shape
        if label_csv not in (None, "NULL"):
            self._label = csv_rows(label_csv, self._label_shape, kind)
            if len(self._label) != len(self._data):
                expected = f"{len(self._data)} rows, as in {os.fspath(data_csv)}"
                raise ShapeError(message("CSVIter", "label_csv", expected, len(self._label)))
        self._kind = kind
        super().__init__(Rounds(len(self._data), batch_size, round_batch),
                         DataDesc(data_name, (batch_size, *data_shape), kind.type),
                         DataDesc(label_name, (batch_size, *self._label_shape), kind.type))  # fmt: skip

    def _batch_of(self, rows: np.ndarray, pad: int) -> DataBatch:
        wanted = np.maximum(rows, 0)
        data = self._data.take(wanted)
        if self._label is None:
            label = np.zeros((len(rows), *self._label_shape), self._kind)
        else:
            label = self._label.take(wanted)
        arrays = []
        for values in (data, label):
            values[rows < 0] = 0
            arrays.append(nd.array(values, dtype=values.dtype))
        return DataBatch(arrays[:1], arrays[1:], pad, rows.astype(np.uint64))


def check_batch_size(name: str, batch_size: int) -> None:
    """Raise ArgumentError unless a batch has a row."""
    if batch_size < 1:
        raise ArgumentError(message(name, "batch_size", "at least 1", batch_size))


def csv_rows(path: Any, shape: tuple[int, ...], dtype: np.dtype) -> TextRows:
    """Return the rows of a file, each of a shape."""
    parsed = dtype if dtype.kind in "iu" or dtype == np.float64 else np.dtype(np.float32)
    columns = math.prod(shape)

    def parse(lines: list[bytes]) -> np.ndarray:
        try:
            rows = numbers(lines, parsed)
        except ValueError:
            raise first_bad(lines, parsed) from None
        if rows.shape[1] != columns:
            expected = f"rows of {columns} numbers, as shape {shape} needs"
            got = f"{len(rows)} rows of {rows.shape[1]}"
            raise ShapeError(message("CSVIter", os.fspath(path), expected, got))
        return rows.astype(dtype, copy=False).reshape(len(rows), *shape)

    rows = TextRows("CSVIter", os.fspath(path), parse, lambda block, numbers: block[numbers], np.concatenate)
    rows.take(np.zeros(1, np.int64))  # what is no such file is refused at once
    return rows


def numbers(lines: list[bytes], dtype: np.dtype) -> np.ndarray:
    """The rows of text as numbers; what lies behind the point of integers is cut off.

    A row may end with a comma.
    """
    lines = [line.removesuffix(b",") for line in lines]
    if not all(map(bytes.strip, lines)):  # which NumPy passes over
        raise ValueError("nothing before a comma")
    options: dict[str, Any] = {"comments": None, "delimiter": ",", "ndmin": 2}
    try:
        return np.loadtxt(lines, dtype, **options)
    except ValueError:
        if dtype.kind not in "iu":
            raise
    values = np.trunc(np.loadtxt(lines, np.float64, **options))
    limits = np.iinfo(dtype)
    if not ((values >= limits.min) & (values <= limits.max)).all():
        raise ValueError(f"a number is not in the range of {dtype}")
    return values.astype(dtype)


def first_bad(lines: list[bytes], dtype: np.dtype) -> BadLine:
    """Which line cannot be parsed with those before it."""
    width = None
    for number, line in enumerate(lines):
        try:
            row = numbers([line], dtype)
        except ValueError as error:
            return BadLine(number, f"numbers between commas ({error})")
        width = row.shape[1] if width is None else width
        if row.shape[1] != width:
            return BadLine(number, f"numbers between commas, {width} as in the rows before")
    return BadLine(0, "numbers between commas")


class MNISTIter(MXDataIter):
    """Batches of the pictures of MNIST, or of others in its format (IDX), from 0 to 1.

    Parameters
    ----------
    image, label : paths; files may be gzipped.
    batch_size : pictures in a batch; those that do not fill one are left out.
    shuffle, seed : whether to shuffle, once; another seed gives another order.
    flat : batches (n, pixels) rather than (n, 1, height, width).
    num_parts, part_index : take one of several equal parts.
    data_name, label_name : names of the arrays.
    """

    def __init__(self, image: str | os.PathLike = "./train-images-idx3-ubyte",
                 label: str | os.PathLike = "./train-labels-idx1-ubyte", batch_size: int = 128,
                 shuffle: bool = True, flat: bool = False, seed: int = 0, silent: bool = False,
                 num_parts: int = 1, part_index: int = 0, prefetch_buffer: int = 4, ctx: str = "gpu",
                 dtype: Any = None, data_name: str = "data", label_name: str = "softmax_label",
                 **unknown: Any):  # fmt: skip
        check_batch_size("MNISTIter", batch_size)
        # Old programs give the shape that `flat` says.
        unknown.pop("input_shape", unknown.pop("data_shape", None))
        without_unknown("MNISTIter", unknown, ("image", "label", "batch_size", "shuffle", "flat", "seed"))
        images, labels = read_idx(image), read_idx(label)
        if images.ndim != 3 or images.dtype != np.uint8:
            expected = "uint8 (pictures, height, width)"
            got = f"{images.dtype} {images.shape}"
            raise FormatError(message("MNISTIter", os.fspath(image), expected, got))
        if labels.shape != images.shape[:1]:
            expected = f"{len(images)} labels"
            raise FormatError(message("MNISTIter", os.fspath(label), expected, f"shape {labels.shape}"))
        if not 0 <= part_index < num_parts:
            expected = f"a number below num_parts={num_parts}"
            raise ArgumentError(message("MNISTIter", "part_index", expected, part_index))
        size = len(images) // num_parts
        rows = np.arange(size * part_index, size * (part_index + 1))
        if shuffle:
            np.random.default_rng(seed).shuffle(rows)
        kind = dtype_or(dtype, np.float32)
        # Divided by 256, not by 255: what MXNet does.
        data = (images[rows].astype(np.float32) * np.float32(1 / 256)).astype(kind, copy=False)
        shape = (size, math.prod(images.shape[1:])) if flat else (size, 1, *images.shape[1:])
        self._data, self._label = data.reshape(shape), labels[rows].astype(kind)
        super().__init__(Rounds(size, batch_size, round_batch=False, drop=True),
                         DataDesc(data_name, (batch_size, *shape[1:]), kind.type),
                         DataDesc(label_name, (batch_size,), kind.type))  # fmt: skip

    def _batch_of(self, rows: np.ndarray, pad: int) -> DataBatch:
        arrays = [nd.array(source[rows], dtype=source.dtype) for source in (self._data, self._label)]
        return DataBatch(arrays[:1], arrays[1:], pad, rows.astype(np.uint64))
