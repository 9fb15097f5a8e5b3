"""Runs of steps as a few operations of the engine.

The arrays of a bound graph never change, so that the operations of a step are the same each time: they
are recorded when the steps first run, and pushed together from then on (_segment.pyx). What is left of a
small graph is one push, which runs at once in the calling thread.

Some steps push something else each time: those that read a gradient given to `backward`, that draw random
numbers, or that look at values. They are run one by one, between segments. A segment also ends after a
step that writes an array of the user's, once it takes long enough: what waits for a gradient need not
wait for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from .._segment import Recording, Segment
from ..ndarray import NDArray

if TYPE_CHECKING:
    from .program import Step

__all__ = ["Schedule"]

SHORT_NS = 500_000  # segments that take less together run in the thread that calls, if they are ready
LONG_NS = 1_000_000  # a segment that takes longer ends where an outside array is written


class Schedule:
    """Steps that run in order, with the effect of pushing one after the other.

    `outside` holds the storage ids of arrays that others than the executor may wait for.
    What `fresh` ones held before does not matter, nor whether it was an error.
    """

    def __init__(
        self, steps: Sequence[Step], outside: frozenset[int] = frozenset(), fresh: Sequence[NDArray] = ()
    ):
        self.steps = steps
        self._fresh = fresh
        self._outside = outside
        # Gradients given to `backward` are put in place of None before each run, the first one included.
        self._given = [any(x is None for x in step.inputs) for step in steps]
        self._parts: dict[bool, list[Callable[[], None]]] = {}

    def run(self, is_train: bool) -> None:
        """Push the steps."""
        parts = self._parts.get(is_train)
        if parts is None:
            parts = self._parts[is_train] = self._record(is_train)
        for part in parts:
            part()

    def _record(self, is_train: bool) -> list[Callable[[], None]]:
        parts: list[Callable[[], None]] = []
        segments: list[Segment] = []
        recording = Recording()

        def close() -> Recording:
            if not len(recording):
                return recording
            segments.append(recording.finish(() if parts else self._fresh))
            parts.append(segments[-1].run)
            return Recording()

        for step, given in zip(self.steps, self._given, strict=True):
            run = partial(step.run, is_train)
            if given or step.mixed or not recording.add(run, step.note()):
                recording = close()
                parts.append(run)
            elif recording.cost_ns > LONG_NS and any(out._storage_id in self._outside for out in step.outs):
                recording = close()
        close()
        if self._fresh and not (segments and parts[0] == segments[0].run):
            parts.insert(0, Recording().finish(self._fresh).run)
        short = sum(segment.cost_ns for segment in segments) < SHORT_NS
        for segment in segments:
            segment.here = short
        return parts
