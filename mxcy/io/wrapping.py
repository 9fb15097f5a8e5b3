"""Iterators over the batches of other iterators: `ResizeIter`, `PrefetchingIter`."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ..errors import AssertedArgumentError, StateError, message, problem
from .batch import DataBatch, DataDesc, DataIter

__all__ = ["PrefetchingIter", "ResizeIter"]


class Wrapping(DataIter):
    """An iterator whose parts of a batch come from `current_batch`."""

    current_batch: Any = None

    def next(self) -> DataBatch:
        """See `DataIter.next`."""
        if not self.iter_next():
            raise StopIteration
        return self._current

    @property
    def _current(self) -> DataBatch:
        if self.current_batch is None:
            text, hint = "no batch yet", "call next or iter_next first"
            raise StateError(problem(type(self).__name__, None, text, hint))
        return self.current_batch

    def getdata(self) -> list:
        """Return the data arrays of the current batch."""
        return self._current.data

    def getlabel(self) -> Any:
        """Return the label arrays of the current batch."""
        return self._current.label

    def getindex(self) -> Any:
        """Return the numbers of the rows of the current batch."""
        return self._current.index

    def getpad(self) -> int | None:
        """Return how many rows at the end only fill the batch."""
        return self._current.pad


class ResizeIter(Wrapping):
    """Epochs of `size` batches, whatever the length of another iterator's.

    `reset_internal`: whether `reset` begins that one's epoch anew too; else it goes on where it is.
    """

    def __init__(self, data_iter: DataIter, size: int, reset_internal: bool = True):
        super().__init__(data_iter.batch_size)
        self.data_iter = data_iter
        self.size = size
        self.reset_internal = reset_internal
        self.cur = 0
        self.provide_data = data_iter.provide_data
        self.provide_label = data_iter.provide_label
        if hasattr(data_iter, "default_bucket_key"):
            self.default_bucket_key = data_iter.default_bucket_key

    def reset(self) -> None:
        """Begin the next epoch."""
        self.cur = 0
        if self.reset_internal:
            self.data_iter.reset()

    def iter_next(self) -> bool:
        """See `DataIter.iter_next`."""
        if self.cur >= self.size:
            return False
        try:
            self.current_batch = self.data_iter.next()
        except StopIteration:
            self.data_iter.reset()
            self.current_batch = self.data_iter.next()
        self.cur += 1
        return True

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on from here."""
        return {"cur": self.cur, "inner": self.data_iter.get_state()}  # type: ignore[attr-defined]

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `get_state` was called."""
        self.cur = state["cur"]
        self.data_iter.set_state(state["inner"])  # type: ignore[attr-defined]


class PrefetchingIter(Wrapping):
    """Makes the next batch in other threads while this one is used; joins several iterators.

    Parameters
    ----------
    iters : an iterator, or several: a batch has the arrays of all of them.
    rename_data, rename_label : for each iterator a dict of new names.

    What an iterator raises is raised by the call that asks for its batch.
    """

    def __init__(
        self, iters: Any, rename_data: list[dict] | None = None, rename_label: list[dict] | None = None
    ):
        self.iters = list(iters) if isinstance(iters, (list, tuple)) else [iters]
        self.n_iter = len(self.iters)
        if not self.iters:
            raise AssertedArgumentError(message("PrefetchingIter", "iters", "at least one iterator", "none"))
        self.rename_data = rename_data
        self.rename_label = rename_label
        super().__init__(self.provide_data[0][1][0])
        self._pool = ThreadPoolExecutor(self.n_iter, "mxcy-prefetch")
        self._states: list = []
        self._pending: list[Future] = []
        self._fetch()

    @property
    def provide_data(self) -> list[DataDesc]:  # type: ignore[override]
        """Descriptions of the data arrays of a batch."""
        return self._described("provide_data", self.rename_data)

    @property
    def provide_label(self) -> list[DataDesc]:  # type: ignore[override]
        """Descriptions of the label arrays of a batch."""
        return self._described("provide_label", self.rename_label)

    def _described(self, which: str, names: list[dict] | None) -> list[DataDesc]:
        found = []
        for number, data in enumerate(self.iters):
            for x in getattr(data, which):
                desc = x if isinstance(x, DataDesc) else DataDesc(*x)
                if names is not None:
                    desc = DataDesc(names[number][desc.name], desc.shape, desc.dtype, desc.layout)
                found.append(desc)
        return found

    def _fetch(self) -> None:
        """Have the next batch of each made."""
        self._states = [x.get_state() if hasattr(x, "get_state") else None for x in self.iters]
        self._pending = [self._pool.submit(next_or_none, x) for x in self.iters]

    def reset(self) -> None:
        """Begin the next epoch, when the batches under way are made."""
        for future in self._pending:
            future.exception()
        for data in self.iters:
            data.reset()
        self._fetch()

    def iter_next(self) -> bool:
        """See `DataIter.iter_next`."""
        batches = [future.result() for future in self._pending]
        ended = [batch is None for batch in batches]
        if all(ended):
            return False
        if any(ended) or len({batch.pad for batch in batches}) > 1:
            got = ["the end" if batch is None else f"pad {batch.pad}" for batch in batches]
            expected = "iterators of the same number of rows"
            raise AssertedArgumentError(message("PrefetchingIter", "iters", expected, ", ".join(got)))
        self.current_batch = DataBatch(
            [x for batch in batches for x in batch.data], [x for batch in batches for x in batch.label or ()],
            batches[0].pad, batches[0].index, provide_data=self.provide_data,
            provide_label=self.provide_label,
        )  # fmt: skip
        self._fetch()
        return True

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on behind the batch that was given last."""
        for data in self.iters:
            if not hasattr(data, "get_state"):
                got = type(data).__name__
                raise AssertedArgumentError(message("get_state", "iters", "iterators with get_state", got))
        return {"inner": self._states}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `get_state` was called."""
        for future in self._pending:
            future.exception()
        for data, inner in zip(self.iters, state["inner"], strict=True):
            data.set_state(inner)
        self._fetch()

    def __del__(self) -> None:
        pool = getattr(self, "_pool", None)
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


def next_or_none(data: DataIter) -> DataBatch | None:
    """The next batch, None after the last one."""
    try:
        return data.next()
    except StopIteration:
        return None
