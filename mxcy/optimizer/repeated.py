"""Updates that are the same as last time, as one operation of the engine.

What an update pushes depends on its arrays and its numbers (rates, factors). When both are those of the
call before, it is recorded, and from then on pushed as one operation until one of them changes. Records are
kept here and not in the optimizer, whose fields are what programs save and copy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from .. import autograd
from .._segment import Recording, Segment
from ..ndarray import NDArray

__all__ = ["repeat"]


class Record:
    """The last update of an optimizer, and its segment from the second time on."""

    __slots__ = ("arrays", "numbers", "segment")

    def __init__(self, arrays: list[NDArray], numbers: Any):
        self.arrays = arrays
        self.numbers = numbers
        self.segment: Segment | None = None

    def fits(self, arrays: list[NDArray], numbers: Any) -> bool:
        """Whether this is an update of these very arrays with these numbers."""
        if numbers != self.numbers or len(arrays) != len(self.arrays):
            return False
        return all(map(_is, arrays, self.arrays))


_records: WeakKeyDictionary[Any, dict[int, Record]] = WeakKeyDictionary()
SHORT_NS = 300_000  # what takes less is done sooner here than handed to another thread
_FEW = 64  # groups of parameters that one optimizer updates


def _is(a: Any, b: Any) -> bool:
    return a is b


def repeat(optimizer: Any, push: Callable[[], None], arrays: Sequence[NDArray], numbers: Any) -> None:
    """Call `push`, or do what it did with the same arrays and numbers.

    `arrays` and `numbers` are all that it depends on.
    """
    if autograd.is_recording():
        push()
        return
    known = _records.setdefault(optimizer, {})
    arrays = list(arrays)
    record = known.get(id(arrays[0]))
    if record is None or not record.fits(arrays, numbers):
        push()
        if len(known) >= _FEW:
            known.clear()
        known[id(arrays[0])] = Record(arrays, numbers)
        return
    if record.segment is None:
        recording = Recording()
        if not recording.add(push, "in an update of parameters"):
            push()
            return
        record.segment = recording.finish()
        record.segment.here = record.segment.cost_ns < SHORT_NS
    record.segment.run()
