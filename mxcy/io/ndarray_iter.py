"""`NDArrayIter`: batches of arrays that are in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ndarray as nd
from ..errors import (
    ArgumentError,
    ArgumentTypeError,
    AssertedArgumentError,
    ShapeError,
    StateError,
    message,
    problem,
    wrap,
)
from ..ndarray import NDArray
from .batch import DataBatch, DataDesc, DataIter

__all__ = ["NDArrayIter"]

LAST_BATCH = ("pad", "discard", "roll_over")


class NDArrayIter(DataIter):
    """Batches of rows of arrays in memory.

    Parameters
    ----------
    data, label : an NDArray, an array of NumPy, an h5py.Dataset, or a list or dict of these; label may be
        None. Rows are along the axis that `layout` calls N. What is no NDArray becomes float32; a
        dataset is read batch by batch; csr arrays give csr batches, with "discard". Arrays of a dict come in
        the order of their names; those of a list are called `_0_data`, `_1_data`, ….
    batch_size : rows in a batch.
    shuffle : whether each epoch has its own order, from NumPy's global generator.
    last_batch_handle : what becomes of the rows that do not fill a batch. "pad": rows from the start of
        the epoch fill it, `pad` of the batch counts them. "discard": they are left out. "roll_over": they
        begin the next epoch, and `pad` of that batch counts them.
    data_name, label_name : names of arrays that come without one.
    layout : layout that the descriptions state.

    Raises ShapeError if the arrays differ in their number of rows.
    """

    def __init__(self, data: Any, label: Any = None, batch_size: int = 1, shuffle: bool = False,
                 last_batch_handle: str = "pad", data_name: str = "data", label_name: str = "softmax_label",
                 layout: str = "NCHW"):  # fmt: skip
        if last_batch_handle not in LAST_BATCH:
            expected = "one of " + ", ".join(map(repr, LAST_BATCH))
            got = repr(last_batch_handle)
            raise ArgumentError(message("NDArrayIter", "last_batch_handle", expected, got))
        if batch_size < 1:
            raise ArgumentError(message("NDArrayIter", "batch_size", "at least 1", batch_size))
        super().__init__(batch_size)
        self._axis = layout.find("N") if layout and "N" in layout else 0
        self._data = named_arrays("data", data, data_name)
        self._label = named_arrays("label", label, label_name)
        if not self._data:
            raise AssertedArgumentError(message("NDArrayIter", "data", "at least one array", "none"))
        if last_batch_handle != "discard" and any(is_csr(x) for _, x in [*self._data, *self._label]):
            got = repr(last_batch_handle)
            text = message("NDArrayIter", "last_batch_handle", "'discard' for csr arrays", got)
            raise wrap(NotImplementedError(text))
        self.num_data = check_rows([*self._data, *self._label], self._axis)
        self.num_source = len(self.data_list)
        # Rows that follow each other are then slices of arrays.
        arrays = [x for _, x in [*self._data, *self._label]]
        self._sliced = self._axis == 0 and not any(isinstance(x, Dataset) for x in arrays)
        self.shuffle = shuffle
        self.last_batch_handle = last_batch_handle
        self.layout = layout
        self.idx = np.arange(self.num_data)
        self._order = self.idx.copy()
        self.hard_reset()

    @property
    def provide_data(self) -> list[DataDesc]:  # type: ignore[override]
        """Descriptions of the data arrays of a batch."""
        return self._describe(self._data)

    @property
    def provide_label(self) -> list[DataDesc]:  # type: ignore[override]
        """Descriptions of the label arrays of a batch."""
        return self._describe(self._label)

    @property
    def data(self) -> list[tuple[str, NDArray]]:
        """Names and arrays of the data, in the order of this epoch."""
        return self._ordered(self._data)

    @property
    def label(self) -> list[tuple[str, NDArray]]:
        """Names and arrays of the labels, in the order of this epoch."""
        return self._ordered(self._label)

    @property
    def data_list(self) -> list[NDArray]:
        """All arrays, of the data and then of the labels, which programs also write."""
        return [x for _, x in [*self._data, *self._label]]

    def _describe(self, arrays: list) -> list[DataDesc]:
        axis, size = self._axis, self.batch_size
        return [
            DataDesc(name, (*x.shape[:axis], size, *x.shape[axis + 1 :]), x.dtype, layout=self.layout)
            for name, x in arrays
        ]

    def _ordered(self, arrays: list) -> list[tuple[str, Any]]:
        if not self.shuffle:
            return list(arrays)
        rows = nd.array(self._order, dtype=np.int64)
        return [(name, x if isinstance(x, Dataset) else self._take(x, rows)) for name, x in arrays]

    # -- epochs -----------------------------------------------------------------------------------------

    def hard_reset(self) -> None:
        """Begin a new epoch, without rows left over from the last one."""
        self._tail = self._order[:0]
        self._begin()

    def reset(self) -> None:
        """Begin a new epoch."""
        self._begin()

    def _begin(self) -> None:
        """Lay out the epoch: rows left over, then all rows in their order, from which `cursor` counts."""
        if self.shuffle:
            # MXNet shuffles the numbers of the last epoch and applies them to the rows in the last order;
            # so does this, to give the same batches for the same seed.
            np.random.shuffle(self.idx)
            self._order = self._order[self.idx]
        self._epoch = np.concatenate([self._tail, self._order])
        self._rolled = len(self._tail)
        self._tail = self._order[:0]
        self.cursor = -self.batch_size - self._rolled

    def iter_next(self) -> bool:
        """See `DataIter.iter_next`."""
        self.cursor += self.batch_size
        left = self.num_data - self.cursor
        if self.last_batch_handle == "pad":
            return left > 0
        if left >= self.batch_size:
            return True
        if left > 0 and self.last_batch_handle == "roll_over":
            self._tail = self._epoch[self.cursor + self._rolled :].copy()
        return False

    def next(self) -> DataBatch:
        """See `DataIter.next`."""
        if not self.iter_next():
            raise StopIteration
        rows = self._rows()
        data, label = self._batch(self._data, rows), self._batch(self._label, rows)
        return DataBatch(data=data, label=label, pad=self.getpad(), index=None)

    def getdata(self) -> list[NDArray]:
        """See `DataIter.getdata`."""
        return self._batch(self._data, self._rows())

    def getlabel(self) -> list[NDArray]:
        """See `DataIter.getlabel`."""
        return self._batch(self._label, self._rows())

    def getpad(self) -> int:
        """Return how many rows of the current batch were added to fill it, or were left over before."""
        if self.last_batch_handle == "pad":
            return max(0, self.cursor + self.batch_size - self.num_data)
        return -self.cursor if -self.batch_size < self.cursor < 0 else 0

    def _rows(self) -> NDArray | slice:
        """Numbers of the rows of the current batch; a slice where they follow each other."""
        start = self.cursor + self._rolled
        if self.cursor >= self.num_data:
            raise StateError(problem("NDArrayIter", None, "the epoch has ended", "call reset first"))
        if start < 0:
            raise StateError(problem("NDArrayIter", None, "no batch yet", "call next or iter_next first"))
        if not self.shuffle and 0 <= self.cursor <= self.num_data - self.batch_size:
            return slice(self.cursor, self.cursor + self.batch_size)
        rows = self._epoch[start : start + self.batch_size]
        if len(rows) < self.batch_size:
            rows = np.take(self._epoch, np.arange(start, start + self.batch_size), mode="wrap")
        return nd.array(rows, dtype=np.int64)

    def _batch(self, arrays: list, rows: NDArray | slice) -> list[NDArray]:
        if self._sliced and isinstance(rows, slice):
            return [x[rows].copy() for _, x in arrays]  # a batch may be changed in place
        return [self._take(x, rows) for _, x in arrays]

    def _take(self, x: Any, rows: NDArray | slice) -> NDArray:
        if isinstance(rows, slice) and not isinstance(x, Dataset):
            if self._axis == 0:
                return x[rows].copy()
            return nd.slice_axis(x, axis=self._axis, begin=rows.start, end=rows.stop)
        numbers = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows.asnumpy()
        if isinstance(x, Dataset):
            return x.take(numbers, self._axis)
        if is_csr(x):
            return nd.sparse.csr_matrix(x.asscipy()[numbers])
        return nd.take(x, rows, axis=self._axis)

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on from here, in this or another process."""
        order = {"idx": self.idx, "order": self._order, "epoch": self._epoch, "tail": self._tail}
        kept = {key: rows.copy() for key, rows in order.items()}
        return {**kept, "rolled": self._rolled, "cursor": self.cursor}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `get_state` was called on an iterator of the same arguments."""
        if len(state["order"]) != self.num_data:
            expected = f"the state of an iterator over {self.num_data} rows"
            raise ArgumentError(message("set_state", "state", expected, len(state["order"])))
        kept = (np.array(state[key]) for key in ("idx", "order", "epoch", "tail"))
        self.idx, self._order, self._epoch, self._tail = kept
        self._rolled, self.cursor = state["rolled"], state["cursor"]


class Dataset:
    """An h5py.Dataset, read batch by batch."""

    dtype = np.float32

    def __init__(self, source: Any):
        self._source = source
        self.shape = tuple(source.shape)
        self.ndim = len(self.shape)

    def take(self, rows: np.ndarray, axis: int) -> NDArray:
        """Return rows along an axis. Datasets are read in the order of their rows, each once."""
        sorted_, places = np.unique(rows, return_inverse=True)
        part = self._source[(slice(None),) * axis + (sorted_,)]
        return nd.array(np.take(part, places, axis=axis))


def named_arrays(argument: str, value: Any, default_name: str) -> list[tuple[str, NDArray]]:
    """Return (name, NDArray) pairs of what a user gave as data or label."""
    if value is None:
        return []
    if isinstance(value, (NDArray, np.ndarray)) or is_dataset(value):
        value = [value]
    if isinstance(value, list):
        several = len(value) > 1
        value = {f"_{i}_{default_name}" if several else default_name: x for i, x in enumerate(value)}
    elif not isinstance(value, dict):
        expected = "an NDArray, an array of NumPy, or a list or dict of these"
        raise ArgumentTypeError(message("NDArrayIter", argument, expected, type(value).__name__))
    return [(name, as_array(argument, name, value[name])) for name in sorted(value)]


def is_csr(x: Any) -> bool:
    """Whether an array keeps rows of some elements."""
    return getattr(x, "stype", "default") == "csr"


def is_dataset(value: Any) -> bool:
    """Whether something is an h5py.Dataset, without an import of h5py."""
    return type(value).__name__ == "Dataset" and type(value).__module__.startswith("h5py.")


def as_array(argument: str, name: str, value: Any) -> Any:
    """Return an array as it is, or what is none as one of float32."""
    if is_dataset(value):
        value = Dataset(value)
    elif not isinstance(value, NDArray):
        try:
            value = nd.array(value)
        except (TypeError, ValueError):
            got = f"{type(value).__name__} for {name!r}"
            raise ArgumentTypeError(message("NDArrayIter", argument, "arrays", got)) from None
    if value.ndim == 0:
        expected = "rows along the first axis"
        raise ShapeError(message("NDArrayIter", argument, expected, f"shape () for {name!r}"))
    return value


def check_rows(arrays: list[tuple[str, Any]], axis: int) -> int:
    """Return the number of rows of the first array; raise ShapeError if others have fewer.

    MXNet leaves out the rows that others have more.
    """
    for name, x in arrays:
        if x.ndim <= axis:
            expected, got = f"rows along axis {axis}", f"{x.ndim} axes of {name!r}"
            raise ShapeError(message("NDArrayIter", "layout", expected, got))
    counts = {name: x.shape[axis] for name, x in arrays}
    rows = arrays[0][1].shape[axis]
    if min(counts.values()) < rows:
        listed = ", ".join(f"{count} in {name!r}" for name, count in counts.items())
        raise ShapeError(message("NDArrayIter", "data", "as many rows in every array", listed))
    if rows == 0:
        raise ShapeError(message("NDArrayIter", "data", "at least one row", "none"))
    return rows
