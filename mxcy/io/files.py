"""Iterators over files of numbers: `CSVIter`, `MNISTIter`."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..errors import ArgumentError, FormatError, ShapeError, message, wrap
from .batch import DataBatch, DataDesc
from .idx import read_idx
from .rounds import MXDataIter, Rounds, dtype_or, without_unknown

__all__ = ["CSVIter", "MNISTIter"]


class ArrayIter(MXDataIter):
    """Batches of rows of two arrays of NumPy."""

    def __init__(self, rounds: Rounds, data: np.ndarray, label: np.ndarray, names: tuple[str, str]):
        self._data = data
        self._label = label
        size = rounds.batch_size
        super().__init__(rounds, DataDesc(names[0], (size, *data.shape[1:]), data.dtype.type),
                         DataDesc(names[1], (size, *label.shape[1:]), label.dtype.type))  # fmt: skip

    def _batch_of(self, rows: np.ndarray, pad: int) -> DataBatch:
        arrays = []
        for source in (self._data, self._label):
            values = source[rows]
            values[rows < 0] = 0
            arrays.append(nd.array(values, dtype=values.dtype))
        return DataBatch(arrays[:1], arrays[1:], pad, rows.astype(np.uint64))


class CSVIter(ArrayIter):
    """Batches of rows of files of comma-separated numbers.

    Parameters
    ----------
    data_csv, label_csv : paths; without labels they are 0.
    data_shape, label_shape : of a row.
    batch_size : rows in a batch.
    round_batch : whether the last batch is filled by the first rows, which the next epoch then leaves out.
    dtype : of data and labels, float32 by default.
    data_name, label_name : names of the arrays.

    Raises FormatError that names file and row of what is no number.
    """

    def __init__(self, data_csv: str | os.PathLike, data_shape: Sequence[int], batch_size: int,
                 label_csv: Any = "NULL", label_shape: Sequence[int] = (1,), round_batch: bool = True,
                 prefetch_buffer: int = 4, ctx: str = "gpu", dtype: Any = None, data_name: str = "data",
                 label_name: str = "softmax_label", **unknown: Any):  # fmt: skip
        check_batch_size("CSVIter", batch_size)
        without_unknown("CSVIter", unknown, ("data_csv", "data_shape", "batch_size", "label_csv",
                                             "label_shape", "round_batch", "dtype"))  # fmt: skip
        kind = dtype_or(dtype, np.float32)
        data = read_csv(data_csv, data_shape, kind)
        label_shape = () if tuple(label_shape) == (1,) else tuple(label_shape)
        if label_csv in (None, "NULL"):
            label = np.zeros((len(data), *label_shape), kind)
        else:
            label = read_csv(label_csv, label_shape, kind)
        if len(label) != len(data):
            expected = f"{len(data)} rows, as in {os.fspath(data_csv)}"
            raise ShapeError(message("CSVIter", "label_csv", expected, len(label)))
        rounds = Rounds(len(data), batch_size, round_batch)
        super().__init__(rounds, data, label, (data_name, label_name))


def check_batch_size(name: str, batch_size: int) -> None:
    """Raise ArgumentError unless a batch has a row."""
    if batch_size < 1:
        raise ArgumentError(message(name, "batch_size", "at least 1", batch_size))


def read_csv(path: Any, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """Return the numbers in a file, each row of a shape."""
    parsed = dtype if dtype.kind in "iu" or dtype == np.float64 else np.dtype(np.float32)
    try:
        rows = np.loadtxt(path, parsed, comments=None, delimiter=",", ndmin=2)
    except OSError as error:
        raise wrap(error) from None
    except ValueError as error:
        raise FormatError(message("CSVIter", os.fspath(path), "numbers between commas", str(error))) from None
    if rows.shape[0] == 0 or rows.shape[1] != math.prod(shape):
        expected = f"rows of {math.prod(shape)} numbers, as shape {tuple(shape)} needs"
        got = f"{rows.shape[0]} rows of {rows.shape[1]}"
        raise ShapeError(message("CSVIter", os.fspath(path), expected, got))
    return rows.astype(dtype, copy=False).reshape(len(rows), *shape)


class MNISTIter(ArrayIter):
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
        rounds = Rounds(size, batch_size, round_batch=False, drop=True)
        super().__init__(rounds, data.reshape(shape), labels[rows].astype(kind), (data_name, label_name))
