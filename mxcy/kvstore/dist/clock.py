"""`Clock`: the time in which a process could have heard of others."""

from __future__ import annotations

import time

__all__ = ["Clock"]

LONGEST = 1.0


class Clock:
    """Seconds like those of `time.monotonic`, of which a pause of this process counts one at most.

    Who was stopped, or did not get a processor, must not conclude that all the others were silent.

    Attributes
    ----------
    now : moves on with each `turn`.
    """

    def __init__(self) -> None:
        self._last = self.now = time.monotonic()

    def turn(self) -> float:
        """Called at least once a second while the process runs; returns `now`."""
        last, self._last = self._last, time.monotonic()
        self.now += min(self._last - last, LONGEST)
        return self.now
