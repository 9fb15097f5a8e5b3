"""What an iterator gives (`DataBatch`), says that it gives (`DataDesc`), and is (`DataIter`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import AssertedArgumentError, message
from ..ndarray import NDArray

__all__ = ["DataBatch", "DataDesc", "DataIter"]


class _NameAndShape(NamedTuple):
    name: str
    shape: tuple[int, ...]


class DataDesc(_NameAndShape):
    """Name, shape, dtype and layout of one array of a batch.

    It is also the pair (name, shape), and equal to it: dtype and layout do not take part.
    """

    dtype: Any
    layout: str | None

    def __new__(cls, name: str, shape: Sequence[int], dtype: Any = np.float32, layout: str | None = "NCHW"):
        new = super().__new__(cls, name, shape)  # type: ignore[arg-type]
        new.dtype = dtype
        new.layout = layout
        return new

    def __repr__(self) -> str:
        return f"DataDesc[{self.name},{self.shape},{self.dtype},{self.layout}]"

    def __getnewargs__(self):
        return self.name, self.shape, self.dtype, self.layout

    @staticmethod
    def get_batch_axis(layout: str | None) -> int:
        """Return which dimension of a layout such as "NCHW" is the batch: 0 without a layout, -1 if none."""
        return 0 if layout is None else layout.find("N")

    @staticmethod
    def get_list(shapes: Sequence, types: Sequence | None) -> list[DataDesc]:
        """Return descriptions from (name, shape) pairs and (name, dtype) pairs."""
        if types is None:
            return [DataDesc(name, shape) for name, shape in shapes]
        dtypes = dict(types)
        return [DataDesc(name, shape, dtypes[name]) for name, shape in shapes]


class DataBatch:
    """Arrays of one batch.

    Parameters
    ----------
    data, label : lists of NDArray, in the order of the iterator's `provide_data` and `provide_label`.
    pad : number of rows at the end that only fill the batch; predictions for them are dropped.
    index : numbers of the rows in the source.
    bucket_key, provide_data, provide_label : which network a batch of this shape is for, in bucketing.
    """

    def __init__(self, data: list, label: list | None = None, pad: int | None = None, index: Any = None,
                 bucket_key: Any = None, provide_data: list | None = None,
                 provide_label: list | None = None):  # fmt: skip
        if not (data is None or isinstance(data, (list, tuple))):
            raise not_a_list("data", data)
        if not (label is None or isinstance(label, (list, tuple))):
            raise not_a_list("label", label)
        self.data = data
        self.label = label
        self.pad = pad
        self.index = index
        self.bucket_key = bucket_key
        self.provide_data = provide_data
        self.provide_label = provide_label

    def __str__(self) -> str:
        data = [x.shape for x in self.data or []]
        label = [x.shape for x in self.label] if self.label else None
        return f"{type(self).__name__}: data shapes: {data} label shapes: {label}"


def not_a_list(argument: str, value: Any) -> AssertedArgumentError:
    """The error for a batch of something else than arrays in a list."""
    expected = "a list of NDArrays"
    return AssertedArgumentError(message("DataBatch", argument, expected, type(value).__name__))


class DataIter:
    """Base class of iterators over batches.

    A subclass gives `provide_data` and `provide_label` (lists of `DataDesc`), `reset`, and either `next`
    or the parts from which `next` is made here: `iter_next`, `getdata`, `getlabel`, `getindex`, `getpad`.
    """

    provide_data: list[DataDesc]
    provide_label: list[DataDesc]

    def __init__(self, batch_size: int = 0):
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[DataBatch]:
        return self

    def __next__(self) -> DataBatch:
        return self.next()

    def reset(self) -> None:
        """Go back to the first batch."""

    def next(self) -> DataBatch:
        """Return the next batch; raise StopIteration after the last one."""
        if not self.iter_next():
            raise StopIteration
        return DataBatch(data=self.getdata(), label=self.getlabel(), pad=self.getpad(), index=self.getindex())

    def iter_next(self) -> bool:
        """Move to the next batch and return whether there is one."""
        return False

    def getdata(self) -> list[NDArray]:
        """Return the data arrays of the current batch."""
        return []

    def getlabel(self) -> list[NDArray]:
        """Return the label arrays of the current batch."""
        return []

    def getindex(self) -> Any:
        """Return the numbers of the rows of the current batch, None if the iterator does not know them."""
        return None

    def getpad(self) -> int | None:
        """Return how many rows at the end only fill the batch."""
        return 0
