"""`Monitor`: statistics of the arrays of executors while they train."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from . import ndarray as nd
from .errors import AssertedArgumentError, NonFiniteError, message, problem
from .ndarray import NDArray

__all__ = ["FiniteMonitor", "Monitor"]


def size_of_elements(x: NDArray) -> NDArray:
    """The norm over the root of the number of elements."""
    return nd.norm(x) / math.sqrt(x.size)


class Monitor:
    """Looks at outputs, parameters and states of executors every `interval` batches.

    Parameters
    ----------
    interval : batches from one look to the next.
    stat_func : function of an array that returns what is shown, an array or a list of them; by default
        the norm over the root of the size.
    pattern : regular expression of the names of arrays to look at.
    sort : whether to sort what is shown by name.
    monitor_all : whether to look at inputs of operators as well.
    """

    def __init__(self, interval: int, stat_func: Callable | None = None, pattern: str = ".*",
                 sort: bool = False, monitor_all: bool = False):  # fmt: skip
        self.stat_func = stat_func or size_of_elements
        self.interval = interval
        self.activated = False
        self.queue: list[tuple[int, str, Any]] = []
        self.step = 0
        self.exes: list[Any] = []
        self.re_prog = re.compile(pattern)
        self.sort = sort
        self.monitor_all = monitor_all

    def stat_helper(self, name: str, array: NDArray) -> None:
        """Take note of an array, if it is time to. Executors call this for each output."""
        if self.activated and self.re_prog.match(name):
            self.queue.append((self.step, name, self.stat_func(array)))

    def install(self, exe: Any) -> None:
        """Look at an executor from now on."""
        exe.set_monitor_callback(self.stat_helper, self.monitor_all)
        self.exes.append(exe)

    def tic(self) -> None:
        """Start to look, if it is time to. Call it before `forward`."""
        if self.step % self.interval == 0:
            self._wait()
            self.queue = []
            self.activated = True
        self.step += 1

    def toc(self) -> list[tuple[int, str, str]]:
        """Stop, and return (batch, name, text) of everything that was seen."""
        if not self.activated:
            return []
        self._wait()
        for exe in self.exes:
            for arrays in (exe.arg_dict, exe.aux_dict):
                for name, array in arrays.items():
                    self.stat_helper(name, array)
        self.activated = False
        seen = sorted(self.queue, key=lambda entry: entry[1]) if self.sort else self.queue
        self.queue = []
        return [(step, name, shown(values)) for step, name, values in seen]

    def toc_print(self) -> None:
        """Stop, and log everything that was seen."""
        for step, name, text in self.toc():
            logging.info("Batch: %7d %-30s %s", step, name, text)

    def _wait(self) -> None:
        for exe in self.exes:
            for array in (*exe.arg_dict.values(), *exe.aux_dict.values()):
                array.wait_to_read()


class FiniteMonitor(Monitor):
    """Ends training at the first array that holds NaN or infinity, and names it.

        module.fit(..., monitor=mx.mon.FiniteMonitor())

    Inputs and outputs of operators are looked at in the order in which they are computed, then parameters
    after the update. `toc` raises NonFiniteError (a FloatingPointError). Operators do not fuse while a
    monitor looks, so this is for finding a mistake, not for every run.
    """

    def __init__(self, interval: int = 1, pattern: str = ".*", monitor_all: bool = True):
        super().__init__(interval, pattern=pattern, monitor_all=monitor_all)

    def stat_helper(self, name: str, array: NDArray) -> None:
        """Take note of whether all of an array is finite."""
        if self.activated and np.dtype(array.dtype).kind not in "iub" and self.re_prog.match(name):
            self.queue.append((self.step, name, nd.contrib.isfinite(array).astype("float32").min()))

    def toc(self) -> list[tuple[int, str, str]]:
        """Stop looking; raise if something is not finite."""
        step, activated = self.step, self.activated
        queue = self.queue
        super().toc()
        for _, name, good in queue if activated else ():
            if good.asscalar() != 1:
                text = f"{name} is the first array that is not finite, in batch {step - 1}"
                raise NonFiniteError(problem("FiniteMonitor", None, text))
        return []


def shown(values: Any) -> str:
    """The text of the arrays that a statistic is."""
    parts = []
    for value in [values] if isinstance(values, NDArray) else values:
        if not isinstance(value, NDArray):
            expected = "an NDArray or a list of them"
            raise AssertedArgumentError(message("Monitor", "stat_func", expected, type(value).__name__))
        parts.append(str(value.asscalar() if value.shape == (1,) else value.asnumpy()) + "\t")
    return "".join(parts)
