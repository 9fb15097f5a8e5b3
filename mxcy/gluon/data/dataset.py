"""Data sets: samples by number."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from ..._array import Array
from ...errors import ArgumentTypeError, AssertedArgumentError, message
from ...recordio import MXIndexedRecordIO
from .sampler import FilterSampler, SequentialSampler

__all__ = ["ArrayDataset", "Dataset", "RecordFileDataset", "SimpleDataset"]


class Dataset:
    """Base class. A subclass defines `__getitem__` and `__len__`."""

    def __getitem__(self, idx: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__")

    def filter(self, fn: Callable[[Any], bool]) -> Dataset:
        """Return the samples for which a function is true."""
        return Sampled(self, FilterSampler(fn, self))

    def shard(self, num_shards: int, index: int) -> Dataset:
        """Return one of `num_shards` parts; the first ones have one sample more if they are not equal."""
        if not 0 <= index < num_shards:
            raise AssertedArgumentError(message("shard", "index", f"a number below {num_shards}", index))
        size, more = divmod(len(self), num_shards)
        start = size * index + min(index, more)
        return Sampled(self, SequentialSampler(size + (index < more), start))

    def take(self, count: int | None) -> Dataset:
        """Return the first `count` samples, or all for None."""
        return Sampled(self, SequentialSampler(len(self) if count is None else min(count, len(self))))

    def sample(self, sampler: Any) -> Dataset:
        """Return the samples of the numbers that a sampler gives."""
        return Sampled(self, sampler)

    def transform(self, fn: Callable, lazy: bool = True) -> Dataset:
        """Return the samples after a function, called when they are read, or now with `lazy=False`."""
        changed = Transformed(self, fn)
        return changed if lazy else SimpleDataset([changed[i] for i in range(len(changed))])

    def transform_first(self, fn: Callable, lazy: bool = True) -> Dataset:
        """As `transform`, for the first part of each sample: the data, not the label."""
        return self.transform(First(fn), lazy)


class SimpleDataset(Dataset):
    """A list, or anything with numbers and a length, as a data set."""

    def __init__(self, data: Sequence):
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, idx: int) -> Any:
        return self._data[idx]


class ArrayDataset(Dataset):
    """Several arrays of one length, whose rows with one number make a sample."""

    def __init__(self, *args: Any):
        if not args:
            raise AssertedArgumentError(message("ArrayDataset", None, "at least one array", "none"))
        self._length = len(args[0])
        for i, data in enumerate(args):
            if len(data) != self._length:
                expected = f"{self._length} samples"
                raise AssertedArgumentError(message("ArrayDataset", f"args[{i}]", expected, len(data)))
        # Rows of numbers are numbers, as programs expect of labels.
        self._data = [x.asnumpy() if isinstance(x, Array) and x.ndim == 1 else x for x in args]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, idx: int) -> Any:
        if len(self._data) == 1:
            return self._data[0][idx]
        return tuple([data[idx] for data in self._data])


class RecordFileDataset(Dataset):
    """The records of a file, bytes, by the lines of its index: that of the same name with .idx."""

    def __init__(self, filename: str | os.PathLike):
        self.filename = os.fspath(filename)
        self.idx_file = os.path.splitext(self.filename)[0] + ".idx"
        self._record = MXIndexedRecordIO(self.idx_file, self.filename, "r")

    def __getitem__(self, idx: int) -> Any:
        # Worker processes read too: positions are not kept in the file's handle.
        return self._record.read_at(self._record.position_of(self._record.keys[idx]))

    def __len__(self) -> int:
        return len(self._record.keys)


class Sampled(Dataset):
    """Some samples of a data set."""

    def __init__(self, dataset: Dataset, sampler: Any):
        if not hasattr(sampler, "__iter__"):
            got = type(sampler).__name__
            raise ArgumentTypeError(message("sample", "sampler", "a Sampler", got))
        self._dataset = dataset
        self._indices = list(sampler)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, idx: int) -> Any:
        return self._dataset[self._indices[idx]]


class Transformed(Dataset):
    """The samples of a data set after a function."""

    def __init__(self, dataset: Dataset, fn: Callable):
        self._dataset = dataset
        self._fn = fn

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, idx: int) -> Any:
        item = self._dataset[idx]
        return self._fn(*item) if isinstance(item, tuple) else self._fn(item)


class First:
    """A function of the first part of a sample."""

    def __init__(self, fn: Callable):
        self._fn = fn

    def __call__(self, x: Any, *rest: Any) -> Any:
        return (self._fn(x), *rest) if rest else self._fn(x)


class _DownloadedDataset(Dataset):
    """Base of data sets in a folder, which programs extend: `_get_data` fills `_data` and `_label`.

    Parameters
    ----------
    root : the folder, which is made if it is not there.
    transform : function of (data, label), or None.
    """

    def __init__(self, root: str | os.PathLike, transform: Callable | None):
        self._transform = transform
        self._data: Any = None
        self._label: Any = None
        self._root = os.path.expanduser(root)
        os.makedirs(self._root, exist_ok=True)
        self._get_data()

    def __getitem__(self, idx: int) -> Any:
        sample = self._data[idx], self._label[idx]
        return sample if self._transform is None else self._transform(*sample)

    def __len__(self) -> int:
        return len(self._label)

    def _get_data(self) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define _get_data")


# MXNet's names for these.
_LazyTransformDataset = Transformed
_SampledDataset = Sampled
_TransformFirstClosure = First
