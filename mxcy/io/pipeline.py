"""Batches made ahead, on the IO threads of the engine.

A batch is a job of several pieces, which run in any order and side by side, each in a place of its own. The
pieces of one place run one after the other; there are as many places as threads are wanted. What is in a
piece is decided when it is queued, so results do not depend on the threads. Batches leave in their order; at
most `depth` are made ahead (while nobody takes one, nothing more is begun).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from .._engine import Var, push, wait
from .rounds import Rounds

__all__ = ["Job", "Pipeline"]


class Job:
    """What makes a batch: `pieces` to be called with a place, then `result()`."""

    pieces: Sequence[Callable[[Any], None]] = ()
    size = 0  # how many samples

    def result(self) -> Any:
        """Return the batch, when all pieces are done."""
        raise NotImplementedError(f"{type(self).__name__} must define result")


class Pipeline:
    """Batches of rounds, made ahead.

    `job_of(rows, pad, state)` makes the job of a batch; `places` is a list of what its pieces are given,
    which also says how many of them run at a time.
    """

    def __init__(self, rounds: Rounds, job_of: Callable[..., Job], places: list, depth: int):
        self._rounds = rounds
        self._job_of = job_of
        self._places = [(place, Var()) for place in places]
        self._depth = depth
        self._turn = 0
        self._queue: deque[tuple[dict, _Running | None]] = deque()  # None: the end of an epoch
        self._ended = False
        self._started = time.perf_counter()
        self._samples = self._batches = 0
        self._waited = 0.0
        self._working = _Clock()

    def fill(self) -> None:
        """Begin batches until enough are under way."""
        while len(self._queue) < self._depth:
            state = self._rounds.get_state()
            found = self._rounds.next()
            if found is None:
                self._rounds.reset()
                self._queue.append((state, None))
            else:
                self._queue.append((state, self._begin(self._job_of(*found, state))))

    def _begin(self, job: Job) -> _Running:
        running = _Running(job, len(job.pieces))
        for number, piece in enumerate(job.pieces):
            place, alone = self._places[self._turn % len(self._places)]
            self._turn += 1
            work = _Work(running, number, piece, place, self._working)
            push(work, writes=[alone, running.vars[number]], lane="io", name="make_batch")
        return running

    def take(self) -> Any:
        """Return the next batch, None at the end of the epoch; raise what went wrong with it."""
        if self._ended:
            return None
        self.fill()
        running = self._queue.popleft()[1]
        if running is None:
            self._ended = True
            self.fill()
            return None
        self.fill()
        begin = time.perf_counter()
        result = running.result()
        self._waited += time.perf_counter() - begin
        self._samples += running.job.size
        self._batches += 1
        return result

    def reset(self) -> None:
        """Begin the next epoch."""
        if self._ended:
            self._ended = False  # its first batches are under way
            return
        state = self.get_state()
        self.set_state(state)
        self._rounds.reset()

    def get_state(self) -> dict[str, Any]:
        """Return what `set_state` needs to go on behind the batch that was taken last."""
        state = self._queue[0][0] if self._queue else self._rounds.get_state()
        return {**state, "at_end": self._ended}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `get_state` was called."""
        self.cancel()
        self._rounds.set_state(state)
        self._ended = state.get("at_end", False)

    def cancel(self) -> None:
        """Drop the batches that are under way."""
        for _, running in self._queue:
            if running is not None:
                running.cancelled = True
        self._queue.clear()

    def stats(self) -> dict[str, float]:
        """Return what came since the start or the last call.

        images, batches; seconds; images_per_s; waiting_s: how long `next` waited for batches; working_s:
        the time of all threads that made them.
        """
        now = time.perf_counter()
        seconds, self._started = now - self._started, now
        found = {
            "images": self._samples, "batches": self._batches, "seconds": seconds,
            "images_per_s": self._samples / seconds, "waiting_s": self._waited,
            "working_s": self._working.taken(),
        }  # fmt: skip
        self._samples = self._batches = 0
        self._waited = 0.0
        return found


class _Clock:
    """Seconds added up by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        with self._lock:
            self._seconds += seconds

    def taken(self) -> float:
        with self._lock:
            seconds, self._seconds = self._seconds, 0.0
        return seconds


class _Running:
    """A job under way. Its errors are kept here, not by the engine: they belong to who takes the batch."""

    def __init__(self, job: Job, pieces: int):
        self.job = job
        self.vars = [Var() for _ in range(pieces)]
        self.errors: list[BaseException | None] = [None] * pieces
        self.cancelled = False

    def result(self) -> Any:
        for var in self.vars:
            wait(var)
        for error in self.errors:
            if error is not None:
                raise error
        return self.job.result()


class _Work:
    """A piece as an operation of the engine."""

    def __init__(self, running: _Running, number: int, piece: Callable, place: Any, clock: _Clock):
        self._running = running
        self._number = number
        self._piece = piece
        self._place = place
        self._clock = clock

    def __call__(self) -> None:
        if self._running.cancelled:
            return
        begin = time.perf_counter()
        try:
            self._piece(self._place)
        except Exception as error:
            self._running.errors[self._number] = error
        self._clock.add(time.perf_counter() - begin)
