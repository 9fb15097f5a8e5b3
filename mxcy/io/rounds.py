"""Which samples are in which batch: epochs over numbered samples, and iterators built on them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import code_of, numpy_dtype
from ..errors import ArgumentError, StateError, closest, message, problem
from .batch import DataBatch, DataDesc, DataIter

__all__ = ["MXDataIter", "Rounds", "dtype_or", "part_of_bytes", "without_unknown"]


class Rounds:
    """Numbers of the samples of batches, pass after pass over all of them.

    With `round_batch`, the last batch of an epoch is filled from the next pass, and the next epoch goes on
    behind what was taken, as in MXNet. Without, it is filled by the numbers in the same places of the batch
    before, by -1 if there is none. `drop`: it is left out.
    `order(number of the pass)` gives the order of a pass.
    """

    def __init__(self, count: int, batch_size: int, round_batch: bool = True, drop: bool = False,
                 order: Callable[[int], np.ndarray] | None = None):  # fmt: skip
        self.count = count
        self.batch_size = batch_size
        self._round = round_batch
        self._drop = drop
        self._order = order or (lambda number: np.arange(count))
        self._begin(0)

    def _begin(self, number: int, position: int = 0) -> None:
        """Begin a pass, perhaps behind its first samples."""
        self._pass = number
        self._rows = self._order(number)
        self._position = position
        self._ended = False
        self._before: np.ndarray | None = None

    def reset(self) -> None:
        """Begin the next epoch."""
        if self._ended and self._round:
            self._ended = False  # the pass has begun with what filled the last batch
        else:
            self._begin(self._pass + 1)

    def next(self) -> tuple[np.ndarray, int] | None:
        """Return (numbers of the samples of the next batch, how many of them only fill it)."""
        left = self.count - self._position
        if self._ended or left <= 0 or (self._drop and left < self.batch_size):
            self._end(0)
            return None
        size = self.batch_size
        if left >= size:
            rows = self._rows[self._position : self._position + size]
            self._position += size
            self._before = None if self._round else rows
            return rows, 0
        rows, pad = self._rows[self._position :], size - left
        if self._round:
            rows = self._filled(rows)
        else:
            before = np.full(size, -1) if self._before is None else self._before
            rows = np.concatenate([rows, before[left:]])
            self._position = self.count
        return rows, pad

    def _filled(self, rows: np.ndarray) -> np.ndarray:
        """A batch with samples of the next pass, of several if they are few."""
        parts, missing = [rows], self.batch_size - len(rows)
        while missing > 0:
            self._begin(self._pass + 1)
            parts.append(self._rows[:missing])
            self._position = len(parts[-1])
            missing -= self._position
        self._ended = True
        return np.concatenate(parts)

    def _end(self, position: int) -> None:
        """End the epoch; with `round_batch` the next one is another pass."""
        if not self._ended:
            if self._round:
                self._begin(self._pass + 1, position)
            self._ended = True

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on from here."""
        before = None if self._before is None else self._before.tolist()
        return {"pass": self._pass, "position": self._position, "ended": self._ended, "before": before}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `get_state` was called."""
        if not 0 <= state["position"] <= self.count:
            expected = f"a position among {self.count} samples"
            raise ArgumentError(message("set_state", "state", expected, state["position"]))
        self._begin(state["pass"], state["position"])
        self._ended = state["ended"]
        self._before = None if state["before"] is None else np.array(state["before"])


class MXDataIter(DataIter):
    """Base of iterators over numbered samples, with one array of data and one of labels.

    A subclass gives `_batch_of(rows, pad)`, which makes a batch of the samples of these numbers.
    """

    def __init__(self, rounds: Rounds, data: DataDesc, label: DataDesc):
        super().__init__(rounds.batch_size)
        self.provide_data = [data]
        self.provide_label = [label]
        self._rounds = rounds
        self._batch: DataBatch | None = None
        self._skips_load = False

    def _batch_of(self, rows: np.ndarray, pad: int) -> DataBatch:
        raise NotImplementedError(f"{type(self).__name__} must define _batch_of")

    def debug_skip_load(self) -> None:
        """Give the first batch again and again, to see how fast a program is without loading."""
        self._skips_load = True
        logging.info("Set debug_skip_load to be true, will simply return first batch")

    def reset(self) -> None:
        """Begin the next epoch."""
        self._rounds.reset()
        if not self._skips_load:
            self._batch = None

    def iter_next(self) -> bool:
        """See `DataIter.iter_next`."""
        if self._skips_load and self._batch is not None:
            return True
        found = self._rounds.next()
        if found is None:
            return False
        self._batch = self._batch_of(*found)
        return True

    def next(self) -> DataBatch:
        """See `DataIter.next`."""
        if not self.iter_next():
            raise StopIteration
        return self._current

    @property
    def _current(self) -> DataBatch:
        if self._batch is None:
            text, hint = "no batch yet", "call next or iter_next first"
            raise StateError(problem(type(self).__name__, None, text, hint))
        return self._batch

    def getdata(self) -> Any:
        """Return the data of the current batch, one array."""
        return self._current.data[0]

    def getlabel(self) -> Any:
        """Return the labels of the current batch, one array."""
        return self._current.label[0]  # type: ignore[index]

    def getindex(self) -> Any:
        """Return the numbers of the samples of the current batch."""
        return self._current.index

    def getpad(self) -> int | None:
        """Return how many samples only fill the current batch."""
        return self._current.pad

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on from here, in this or another process."""
        return self._rounds.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `get_state` was called on an iterator of the same arguments."""
        self._rounds.set_state(state)
        self._batch = None


def part_of_bytes(size: int, part_index: int, num_parts: int, align: int = 1) -> tuple[int, int]:
    """Return where a part of a file begins and ends, as MXNet cuts it; what begins in it is its own."""
    if not 0 <= part_index < num_parts:
        raise ArgumentError(message("part_index", None, f"a number below num_parts={num_parts}", part_index))
    step = -(-size // num_parts)
    step = -(-step // align) * align
    return min(step * part_index, size), min(step * (part_index + 1), size)


def dtype_or(dtype: Any, usual: Any) -> np.dtype:
    """Return NumPy's dtype of a parameter, `usual` for None."""
    return numpy_dtype(code_of(usual if dtype in (None, "None") else dtype))


def without_unknown(name: str, given: dict[str, Any], known: Any) -> None:
    """Log keywords that an iterator does not have: MXNet leaves them out without a word."""
    for key in given:
        near = closest(key, known)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        logging.warning("%s: leaves out the unknown parameter %r%s", name, key, hint)
