"""`Unit`: a small key, or one server's slice of a big one; what a server keeps of it, and where.

Every applied round is written to shared memory twice over: to the side that is not valid, and then one
word makes it valid. So a server that is killed at any moment comes back with the weights, the states of
the optimizer and the numbers of the rounds that belong together, and nothing is applied twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .arena import ALIGN, Arena
from .gather import Gather
from .slices import dtype_named

__all__ = ["Unit"]


class Unit:
    """Value, rounds and what waits.

    Attributes
    ----------
    about : id, key, size (elements), dtype, width (elements of a row, or 0), as in the journal.
    count : applied updates.
    rounds : last applied round of each sender.
    value : the flat value that is valid, in shared memory.
    """

    def __init__(self, arena: Arena, about: dict, senders: int):
        self.about = about
        self.id, self.key, self.size = about["unit"], about["key"], about["size"]
        self.dtype, self.width = dtype_named(about["dtype"]), about["width"]
        self.nbytes = self.size * self.dtype.itemsize
        self.weight: Any = None  # NDArray of an updater
        self.failed: str | None = None
        self.lent = [False, False]  # whether parts of a side may be on their way to readers
        self.settle: Callable[[], None] = lambda: None  # copies what is on its way
        self.gathers: dict[Any, Gather] = {}
        self.waiting: list[Any] = []  # pulls
        self.senders = senders
        fresh = "place" not in about
        room = ALIGN + -(-self.nbytes // ALIGN) * ALIGN
        words = 8 * (1 + 2 * (1 + senders))
        if fresh:
            about["place"] = arena.take(words), arena.take(2 * room)
        meta, base = about["place"]
        self._meta = arena.bytes(meta, words).view(np.int64)
        self._sides = []
        for side in (0, 1):
            start = base + side * room
            serial = arena.bytes(start, 8).view(np.int64)
            data = arena.bytes(start + ALIGN, self.nbytes).view(self.dtype)
            self._sides.append((serial, data, start + ALIGN))
        self._states: list[tuple[np.ndarray, np.ndarray]] = []  # of each array of the state, both sides
        self.rounds = np.zeros(senders, np.int64)
        self.count = 0
        if not fresh:
            self._restore()

    # -- rounds -----------------------------------------------------------------------------------------

    def keep(self, value: np.ndarray, states: list[np.ndarray]) -> None:
        """Make a value, the states and the rounds the valid ones."""
        side = 1 - self._side
        data = self._claim(self.count)
        if value.ctypes.data != data.ctypes.data:
            data[...] = value
        for kept, state in zip(self._states, states, strict=True):
            kept[side][...] = state
        self._meta[0] = side | self._write_rounds() << 1

    def keep_rounds(self) -> None:
        """Make the rounds the valid ones, with the value and the states that are."""
        self._meta[0] = self._side | self._write_rounds() << 1

    def _write_rounds(self) -> int:
        """Write count and rounds where the valid ones are not; return which place that is."""
        which = 1 - (int(self._meta[0]) >> 1)
        words = self._meta[1 + which * (1 + self.senders) :]
        words[0] = self.count
        words[1 : 1 + self.senders] = self.rounds
        return which

    @property
    def _side(self) -> int:
        """Which of the two values is valid."""
        return int(self._meta[0]) & 1

    def next_value(self) -> np.ndarray:
        """Where the value after the valid one may be computed in place, before `keep`."""
        return self._claim(self.count + 1)

    def _claim(self, count: int) -> np.ndarray:
        """The side that is not valid, to write update number `count` to."""
        side = 1 - self._side
        if self.lent[side]:
            self.settle()
            self.lent[side] = False
        serial, data, _ = self._sides[side]
        serial[0] = count  # before the data: a reader who copies meanwhile sees that it has changed
        return data

    def lend(self) -> np.ndarray:
        """The bytes of the valid value, for parts that are sent later."""
        self.lent[self._side] = True
        return self.value.view(np.uint8)

    def _restore(self) -> None:
        words = self._meta[1 + (int(self._meta[0]) >> 1) * (1 + self.senders) :]
        self.count = int(words[0])
        self.rounds[:] = words[1 : 1 + self.senders]

    @property
    def value(self) -> np.ndarray:
        """The valid value."""
        return self._sides[self._side][1]

    @property
    def start(self) -> int:
        """Where the valid value lies in shared memory."""
        return self._sides[self._side][2]

    # -- states -----------------------------------------------------------------------------------------

    def place_states(self, arena: Arena, states: list[np.ndarray]) -> dict:
        """Take room for states; return what the journal says about it."""
        described = [
            [x.dtype.str, list(x.shape), [arena.take(x.nbytes), arena.take(x.nbytes)]] for x in states
        ]
        self.map_states(arena, described)
        for kept, state in zip(self._states, states, strict=True):
            kept[0][...] = kept[1][...] = state
        return {"unit": self.id, "states": described}

    def map_states(self, arena: Arena, described: list) -> None:
        """Find the room for states that the journal tells of."""
        self._states = []
        for dtype, shape, starts in described:
            sides = []
            for start in starts:
                raw = arena.bytes(start, int(np.prod(shape)) * np.dtype(dtype).itemsize)
                sides.append(raw.view(dtype).reshape(shape))
            self._states.append((sides[0], sides[1]))

    @property
    def states(self) -> list[np.ndarray]:
        """The valid arrays of the state."""
        side = self._side
        return [kept[side] for kept in self._states]
