"""Batches made ahead, on the IO threads of the engine.

A batch is a job of several pieces. They wait in one queue, and a place that is free takes the next; there are
as many places as threads are wanted. What is in a piece is decided when it is queued, so results do not
depend on the threads. Batches leave in their order; at most `depth` are made ahead (while nobody takes one,
nothing more is begun).
"""

from __future__ import annotations

import functools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from .. import profiler
from .._engine import io_threads, push
from .rounds import Rounds

__all__ = ["Job", "Pipeline"]


class Job:
    """What makes a batch: `make` for each of its pieces, in any order and side by side, then `result`."""

    pieces = 0  # how many
    size = 0  # how many samples

    def make(self, piece: int, place: Any) -> None:
        """Make a piece in a place, which nobody else uses meanwhile."""
        raise NotImplementedError(f"{type(self).__name__} must define make")

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
        self._depth = depth
        self._pieces = _Pieces(places)
        self._queue: deque[tuple[dict, _Running | None]] = deque()  # None: the end of an epoch
        self._ended = False
        self._started = time.perf_counter()
        self._samples = self._batches = 0
        self._waited = 0.0

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
        running = _Running(job)
        self._pieces.add([_Work(running, piece) for piece in range(job.pieces)])
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
        begin = time.monotonic_ns()
        running.wait()
        end = time.monotonic_ns()
        profiler.waited("wait_for_batch", begin, end)
        self._waited += (end - begin) / 1e9
        result = running.result()
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
                running.cancelled = True  # its pieces do nothing
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
            "working_s": self._pieces.worked(),
        }  # fmt: skip
        self._samples = self._batches = 0
        self._waited = 0.0
        return found


class _Running:
    """A job under way. Its errors are kept here, not by the engine: they belong to who takes the batch."""

    def __init__(self, job: Job):
        self.job = job
        self.cancelled = False
        self._left = job.pieces
        self._done = threading.Event()
        self._error: BaseException | None = None

    def finish(self, error: BaseException | None) -> None:
        """Count a piece. Called by one thread at a time."""
        self._error = self._error or error
        self._left -= 1
        if not self._left:
            self._done.set()

    def wait(self) -> None:
        """Wait for all pieces."""
        self._done.wait()

    def result(self) -> Any:
        """Return the batch, or raise what went wrong."""
        if self._error is not None:
            raise self._error
        return self.job.result()


class _Work:
    """A piece of a job."""

    def __init__(self, running: _Running, piece: int):
        self.running = running
        self._piece = piece

    def run(self, place: Any) -> BaseException | None:
        """Make the piece; return what went wrong."""
        if not self.running.cancelled:
            try:
                self.running.job.make(self._piece, place)
            except Exception as error:
                return error
        return None


class _Pieces:
    """The queue of pieces, and the places that take them."""

    def __init__(self, places: list):
        self._lock = threading.Lock()  # guards all that follows
        self._waiting: deque[_Work] = deque()
        self._free = list(places)
        self._seconds = 0.0
        self._own = threading.local()  # .starts: this thread is in `_start`
        io_threads(len(places) + 1)  # one is left for others

    def add(self, works: list[_Work]) -> None:
        """Queue pieces."""
        with self._lock:
            self._waiting.extend(works)
        self._start()

    def _start(self) -> None:
        """Give pieces to free places."""
        if getattr(self._own, "starts", False):  # a push that ran the piece at once: the loop below goes on
            return
        self._own.starts = True
        try:
            while found := self._next():
                push(functools.partial(self._run, *found), lane="io", name="make_batch")
        finally:
            self._own.starts = False

    def _next(self) -> tuple[_Work, Any] | None:
        """A piece and a place for it, if there are both."""
        with self._lock:
            if self._waiting and self._free:
                return self._waiting.popleft(), self._free.pop()
        return None

    def _run(self, work: _Work, place: Any) -> None:
        begin = time.perf_counter()
        error = work.run(place)
        with self._lock:
            self._seconds += time.perf_counter() - begin
            self._free.append(place)
            work.running.finish(error)
        self._start()

    def worked(self) -> float:
        """Return the seconds that pieces took since the last call, of all threads."""
        with self._lock:
            seconds, self._seconds = self._seconds, 0.0
        return seconds
