"""`Aggregator`: level 1. It adds up what the workers of its machine push, and sends one sum to the servers.

To its workers it is a server whose values lie in shared memory; to the servers it is one sender. A round is
done for the workers when the servers have applied it. What it keeps is the residual of the compression,
made valid with the number of the round, so that a killed one comes back and sends the very same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from .codecs import Compression
from .connection import Connections, Request
from .frames import Frame, Kind, entries
from .membership import Options
from .parts import push_frames
from .service import Ticket
from .shard import Out, Pull, Shard
from .unit import Unit

__all__ = ["Aggregator"]


class Aggregator(Shard):
    """The core of a machine's aggregator.

    Parameters
    ----------
    name : of its shared memory.
    options, ticket : of the job.
    endpoints : of the servers.
    """

    def __init__(self, name: str, options: Options, ticket: Ticket, endpoints: dict[int, str]):
        self.options = options
        self._ticket, self._endpoints = ticket, endpoints
        self._up: Connections | None = None
        self._sender = -1
        self._second = True
        self._compression = Compression("none")
        self._finished: deque[Callable[[], None]] = deque()
        self._sending: set[tuple[int, int]] = set()
        self._cached: dict[int, int] = {}  # round of the value that is kept of each unit
        self._fetching: set[int] = set()
        self.wake: Callable[[], None] = lambda: None
        super().__init__(name, 2 * options.room)

    def close(self) -> None:
        """See `Shard.close`."""
        self._hang_up()
        super().close()

    def release(self) -> None:
        """See `Shard.release`."""
        self._hang_up()
        super().release()

    def _hang_up(self) -> None:
        if self._up is not None:
            self._up.close()

    def tick(self, now: float) -> Out:
        """Go on with what the servers have answered."""
        while self._finished:
            self._finished.popleft()()
        return self._flush()

    # -- members and compression ------------------------------------------------------------------------

    def _members(self, sender: int, frame: Frame) -> Any:
        if self._up is None:
            self._call_up(int(frame.body["sender"]), bool(frame.body["second"]))
            self._note(sender=self._sender, second=self._second)
        super()._members(sender, frame)

    def _call_up(self, sender: int, second: bool) -> None:
        self._sender, self._second = sender, second
        self._up = Connections(sender, self._ticket, {"memory": "", "arena": ""})
        for number, endpoint in self._endpoints.items():
            self._up.connect(number, endpoint)

    def _loaded(self, line: dict) -> None:
        if "second" in line:
            self._call_up(line["sender"], line["second"])
        elif "compression" in line:
            self._compression = Compression(line["compression"], line["threshold"])

    def _compress(self, sender: int, frame: Frame) -> Any:
        made = Compression(str(frame.body["type"]), frame.body["threshold"])
        if (made.type, made.threshold) != (self._compression.type, self._compression.threshold):
            self._compression = made
            self._note(compression=made.type, threshold=made.threshold)

    # -- push -------------------------------------------------------------------------------------------

    def _place_of_sum(self, unit: Unit, which: Any) -> None:
        """A sum is sent on: it is not the value that this keeps."""

    def _apply(self, ready: list[tuple[Unit, Any]]) -> None:
        for unit, which in dict.fromkeys(ready):
            if (unit.id, which) not in self._sending and self._is_next(unit, which):
                self._send_sum(unit, which, unit.gathers[which].total())

    def _send_sum(self, unit: Unit, round_: int, total: np.ndarray) -> None:
        if "structure" in unit.about and unit.id not in self._compression.residuals:
            self._compression.residuals[unit.id] = unit.states[0].copy()
        codec, data = self._compression.encode(unit.id, total)
        frames = push_frames(unit.id, round_, unit.nbytes, codec, data)
        self._sending.add((unit.id, round_))
        request = Request(frames, {(unit.id, round_)})
        self._ask(unit, request, lambda: self._sent(unit, round_, request))

    def _ask(self, unit: Unit, request: Request, then: Callable[[], None]) -> None:
        assert self._up is not None

        def answered() -> None:
            self._finished.append(then)
            self.wake()

        request.then = answered
        self._up.send(unit.about["server"], request)

    def _sent(self, unit: Unit, round_: int, request: Request) -> None:
        """The servers have applied a round."""
        self._sending.discard((unit.id, round_))
        gather = unit.gathers.pop(round_, None)
        if self._failed(unit, request.error) or gather is None:
            return
        self.counters["updates"] += 1
        unit.rounds[gather.order] = round_
        residual = self._compression.residuals.get(unit.id)
        if residual is None:
            unit.keep_rounds()
        else:
            if "structure" not in unit.about:
                self._place(unit, 0, [residual])
            unit.count += 1
            unit.keep(unit.value, [residual])
        for sender in gather.order:
            self._done.setdefault(sender, []).append((unit.id, round_))
        self._wake(unit)
        self._apply([(unit, round_ + 1)])

    def _failed(self, unit: Unit, error: BaseException | None) -> bool:
        if error is None:
            return False
        unit.failed = str(error)
        super()._wake(unit)
        return True

    # -- pull -------------------------------------------------------------------------------------------

    def _may_read(self, unit: Unit, sender: int, round_: int) -> bool:
        """Whether the value that is kept will do: it is that of the round, and the servers keep no other."""
        return self._second and unit.rounds[sender] >= round_ and self._cached.get(unit.id, -1) >= round_

    def _pull(self, sender: int, frame: Frame) -> None:
        super()._pull(sender, frame)
        for number in frame.body["unit"].tolist():
            self._fetch(self.units[number])

    def _wake(self, unit: Unit) -> None:
        super()._wake(unit)
        self._fetch(unit)

    def _fetch(self, unit: Unit) -> None:
        """Ask the servers for a value, if a pull waits for nothing else."""
        if unit.id in self._fetching:
            return
        batch = [(pull, round_) for pull, round_ in unit.waiting if unit.rounds[pull.sender] >= round_]
        if not batch:
            return
        unit.waiting = [pair for pair in unit.waiting if pair not in batch]
        self._fetching.add(unit.id)
        body = entries(1)
        round_ = max(int(unit.rounds.max()), 0)
        body["unit"], body["round"] = unit.id, round_
        request = Request([Frame(Kind.PULL, body=body)], wanted=unit.nbytes)
        self._ask(unit, request, lambda: self._fetched(unit, round_, batch, request))

    def _fetched(self, unit: Unit, round_: int, batch: list[tuple[Pull, int]], request: Request) -> None:
        self._fetching.discard(unit.id)
        if request.error is not None:
            unit.failed = str(request.error)
        else:
            value = np.empty(unit.nbytes, np.uint8)
            for _, _, offset, size, _, data, _ in request.result:
                value[offset : offset + size] = np.frombuffer(data, np.uint8)
            unit.count += 1  # what lies in shared memory changes, and readers see by the count that it did
            unit.keep(value.view(unit.dtype), [state.copy() for state in unit.states])
            self._cached[unit.id] = round_
        for pull, _ in batch:
            pull.left -= 1
            if not pull.left:
                self._answer(pull)
        self._wake(unit)
