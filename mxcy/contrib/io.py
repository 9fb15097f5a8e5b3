"""`DataLoaderIter`: batches of a Gluon `DataLoader` for `Module`."""

from __future__ import annotations

from typing import Any

from ..io import DataDesc, DataIter
from ..ndarray import NDArray
from ..ndarray._creation import blank

__all__ = ["DataLoaderIter"]


class DataLoaderIter(DataIter):
    """An iterator over the (data, label) batches of a `gluon.data.DataLoader`.

    Parameters
    ----------
    loader : the DataLoader. The first batch tells the batch size.
    data_name, label_name : names of the inputs of the network.
    dtype : of the batches.

    A last batch that is smaller is filled up with zeros, and says so by its `pad`.
    """

    def __init__(self, loader: Any, data_name: str = "data", label_name: str = "softmax_label",
                 dtype: Any = "float32"):  # fmt: skip
        data, label = next(iter(loader))
        super().__init__(data.shape[0])
        self._loader = loader
        self._current: Any = None
        self.dtype = dtype
        self.provide_data = [DataDesc(data_name, data.shape, dtype)]
        self.provide_label = [DataDesc(label_name, label.shape, dtype)]
        self.reset()

    def reset(self) -> None:
        """Go back to the first batch."""
        self._batches = iter(self._loader)

    def iter_next(self) -> bool:
        """Move to the next batch and return whether there is one."""
        self._current = next(self._batches, None)
        return self._current is not None

    def getdata(self) -> list[NDArray]:
        """Return the data of this batch."""
        return [self._full(self._current[0])]

    def getlabel(self) -> list[NDArray]:
        """Return the labels of this batch."""
        return [self._full(self._current[1])]

    def getpad(self) -> int:
        """Return how many rows at the end are not of the data."""
        return self.batch_size - self._current[0].shape[0]

    def getindex(self) -> None:
        """Return nothing: loaders do not tell rows."""

    def _full(self, rows: NDArray) -> NDArray:
        rows = rows.astype(self.dtype)
        if len(rows) == self.batch_size:
            return rows
        full = blank((self.batch_size, *rows.shape[1:]), dtype=self.dtype)
        full[: len(rows)] = rows
        return full
