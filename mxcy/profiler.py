"""What ran when: operations by thread, waits, memory, and what a program marks itself.

    mx.profiler.set_config(filename="profile.json", aggregate_stats=True)
    mx.profiler.set_state("run")
    ...
    mx.profiler.set_state("stop")
    mx.profiler.dump()          # open the file in https://ui.perfetto.dev or chrome://tracing
    print(mx.profiler.dumps())  # a table

Times come from the engine's hook (`mx.engine.set_hook`), which the profiler takes while it runs. A bound
graph is a few operations named `graph`, each with many nodes; with a `mx.mon.Monitor` installed, or
`set_monitor_callback`, nodes run one by one and have their names.
"""

from __future__ import annotations

import atexit
import json
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from . import _engine
from ._files import replacing
from ._invoke import set_fast_path
from ._locks import new_lock
from .errors import ArgumentError, ArgumentTypeError, AssertedArgumentError, MXNetError, message
from .ops.custom import WATCHERS

__all__ = [
    "Counter",
    "Domain",
    "Event",
    "Frame",
    "Marker",
    "Task",
    "dump",
    "dump_profile",
    "dumps",
    "pause",
    "profiler_set_config",
    "profiler_set_state",
    "resume",
    "scope",
    "set_config",
    "set_state",
    "start",
    "stop",
]

MOST_EVENTS = 1_000_000  # of which a trace is made: the last ones
OPERATOR, WAIT, MEMORY, CUSTOM = "operator", "wait", "Device Storage", "Custom Operator"
MARKS = {"global": "g", "process": "p", "thread": "t", "task": "t", "marker": "t"}
SORTS = {"total": 1, "avg": 4, "min": 2, "max": 3, "count": 0}

_config: dict[str, Any] = {
    "profile_all": False,
    "profile_symbolic": True,
    "profile_imperative": True,
    "profile_memory": True,
    "profile_api": True,
    "filename": "profile.json",
    "continuous_dump": True,
    "dump_period": 1.0,
    "aggregate_stats": False,
    "profile_process": "worker",
}


class _Record:
    """What has been seen: events of the trace, and for each category and name count, total, least, most."""

    def __init__(self) -> None:
        self.lock = new_lock()
        self.events: deque[tuple] = deque(maxlen=MOST_EVENTS)
        self.times: dict[str, dict[str, list[float]]] = {}
        self.memory: dict[str, dict[str, list[float]]] = {}
        self.state = "stop"
        self.paused = False
        self.prefix = threading.local()
        self.author = ("", 0)  # the operator in Python that runs, and since when

    @property
    def active(self) -> bool:
        return self.state == "run" and not self.paused

    def span(self, category: str, name: str, thread: int, start_ns: int, end_ns: int) -> None:
        """Something that took its time in a thread."""
        with self.lock:
            self.events.append(("X", category, name, thread, start_ns, end_ns - start_ns))
            self._add(self.times, category, name, (end_ns - start_ns) / 1e6)

    def value(self, category: str, name: str, value: float) -> None:
        """A number that changes with time; memory is in kB."""
        table = self.memory if category == MEMORY else self.times
        with self.lock:
            self.events.append(("C", category, name, 0, time.monotonic_ns(), value))
            self._add(table, category, name, value)

    def mark(self, category: str, name: str, scope: str) -> None:
        """A moment."""
        with self.lock:
            self.events.append(("i", category, name, threading.get_ident(), time.monotonic_ns(), scope))

    def _add(self, table: dict, category: str, name: str, value: float) -> None:
        if not _config["aggregate_stats"]:
            return
        found = table.setdefault(category, {}).setdefault(name, [0, 0.0, value, value])
        found[0] += 1
        found[1] += value
        found[2] = min(found[2], value)
        found[3] = max(found[3], value)

    def take(self, operations: list[tuple]) -> None:
        """The engine's hook."""
        everything = _config["profile_all"]
        operators = everything or _config["profile_symbolic"] or _config["profile_imperative"]
        waits = everything or _config["profile_api"]
        author, since = self.author
        for name, lane, thread, start_ns, end_ns in operations:
            category = WAIT if lane == "wait" else OPERATOR
            if category == OPERATOR and author and start_ns >= since:
                category, name = CUSTOM, f"{author}::{name}"
            if waits if category == WAIT else operators:
                self.span(category, name, thread, start_ns, end_ns)
        if everything or _config["profile_memory"]:
            self.value(MEMORY, "Memory: cpu/0", _engine._pool()["held"] / 1000)


_record = _Record()


def waited(name: str, start_ns: int, end_ns: int) -> None:
    """Note a wait of this thread that the engine does not see (times of `time.monotonic_ns`)."""
    if _record.active and (_config["profile_all"] or _config["profile_api"]):
        _record.span(WAIT, name, threading.get_ident(), start_ns, end_ns)


# --- running ----------------------------------------------------------------------------------------


def set_config(**kwargs: Any) -> None:
    """Set what is profiled; what is not named keeps its value.

    Parameters
    ----------
    filename : of the trace.
    profile_all : everything that follows.
    profile_symbolic, profile_imperative : operations; they are left out if neither is wanted.
    profile_memory : the bytes that arrays hold, at each wait.
    profile_api : waits.
    aggregate_stats : whether to keep the numbers that `dumps` shows.
    continuous_dump, dump_period, profile_process : accepted for programs that were written for MXNet.
    """
    checked = {}
    for key, value in kwargs.items():
        if key not in _config:
            raise ArgumentError(message("set_config", key, f"one of {', '.join(_config)}", repr(value)))
        checked[key] = _setting(key, value)
    _config.update(checked)


def _setting(key: str, value: Any) -> Any:
    kind = type(_config[key])
    if kind is bool and str(value).lower() in ("true", "false", "1", "0"):
        return str(value).lower() in ("true", "1")
    if kind is float and isinstance(value, (int, float)) and value > 0:
        return float(value)
    if kind is str and isinstance(value, str) and (key == "filename" or value in ("worker", "server")):
        return value
    expected = {bool: "True or False", float: "seconds", str: "a name"}[kind]
    raise ArgumentTypeError(message("set_config", key, expected, repr(value)))


def set_state(state: str = "stop", profile_process: str = "worker") -> None:
    """Let the profiler `run`, or `stop` it."""
    if state not in ("run", "stop"):
        raise ArgumentError(message("set_state", "state", "'run' or 'stop'", repr(state)))
    _switch(state, _record.paused and state == "run")


def start() -> None:
    """Let the profiler run."""
    set_state("run")


def stop() -> None:
    """Stop the profiler."""
    set_state("stop")


def pause(profile_process: str = "worker") -> None:
    """Leave out what happens from now on, until `resume`."""
    _switch(_record.state, True)


def resume(profile_process: str = "worker") -> None:
    """Go on after `pause`."""
    _switch(_record.state, False)


def _switch(state: str, paused: bool) -> None:
    before = _record.active
    _record.state, _record.paused = state, paused
    if before != _record.active:
        _engine.set_hook(_record.take if _record.active else None)
        WATCHERS[:] = [_of_author] if _record.active else []
        set_fast_path(not _record.active)  # what it computes is not pushed, so the hook misses it


@contextmanager
def _of_author(name: str, inputs: Sequence, results: Sequence) -> Iterator[None]:
    """Show what an operator written in Python calls under its name; the whole of it is `pure_python`."""
    _settle(inputs)  # what makes them is not the operator's
    _engine.set_hook(_record.take)  # hands over what was done before
    outer, _record.author = _record.author, (name, time.monotonic_ns())
    try:
        yield
    finally:
        _settle(results)
        begin, end = _record.author[1], time.monotonic_ns()
        if _record.active:
            _engine.set_hook(_record.take)
            _record.span(CUSTOM, f"{name}::pure_python", threading.get_ident(), begin, end)
        _record.author = outer


def _settle(arrays: Sequence) -> None:
    for array in arrays:
        try:
            array.wait_to_read()
        except MXNetError:  # whoever reads it will be told
            pass


@contextmanager
def scope(name: str = "<unk>:", append_mode: bool = True) -> Iterator[None]:
    """Show a block of code as one span, and put `name` before the names that it marks.

    With `append_mode` names of the scopes around it come first.
    """
    outer = getattr(_record.prefix, "text", "")
    name = name if name.endswith(":") else name + ":"
    _record.prefix.text = outer + name if append_mode else name
    span = Event(_record.prefix.text.rstrip(":"))
    span.category, span.name = "scope", _record.prefix.text.rstrip(":")
    span.start()
    try:
        yield
    finally:
        span.stop()
        _record.prefix.text = outer


def autostart() -> None:
    """Run from here to the end of the program, and write the file then: MXNET_PROFILER_AUTOSTART=1."""
    set_state("run")
    atexit.register(dump)


# --- results ----------------------------------------------------------------------------------------


def dump(finished: bool = True, profile_process: str = "worker") -> None:
    """Write the trace to the file of `set_config`; `finished` also stops the profiler and forgets it.

    Operations that still run are not in it: wait for them before, with `mx.nd.waitall`.
    """
    if finished:
        set_state("stop")
    elif _record.active:
        _engine.set_hook(_record.take)  # hands over what has been done until now
    with _record.lock:
        events = list(_record.events)
        if finished:
            _record.events.clear()
    trace = {"traceEvents": _trace(events), "displayTimeUnit": "ms"}
    with replacing(_config["filename"]) as file:
        file.write(json.dumps(trace).encode())


def _trace(events: list[tuple]) -> list[dict]:
    """Events as the trace event format has them: a process for each category, a lane for each thread."""
    processes = {OPERATOR: 0, WAIT: 0, MEMORY: 0}
    threads: dict[int, int] = {0: 0}
    made = []
    for phase, category, name, thread, start_ns, extra in sorted(events, key=lambda event: event[4]):
        pid = processes.setdefault(category, len(processes))
        event = {"name": name, "cat": category, "ph": phase, "ts": start_ns / 1000, "pid": pid}
        event["tid"] = threads.setdefault(thread, len(threads))
        if phase == "X":
            event["dur"] = extra / 1000
        elif phase == "C":
            event["args"] = {name: extra}
        else:
            event["s"] = extra
        made.append(event)
    known = {thread.ident: thread.name for thread in threading.enumerate()}
    heads = [_head("process_name", 0, 0, "cpu/0")]
    heads += [_head("process_name", pid, 0, name) for name, pid in processes.items() if pid]
    used = {(event["pid"], event["tid"]) for event in made if event["ph"] == "X"}
    for ident, number in threads.items():
        for pid in sorted(pid for pid, tid in used if tid == number):
            heads.append(_head("thread_name", pid, number, known.get(ident, f"worker {number}")))
    return heads + made


def _head(kind: str, pid: int, tid: int, name: str) -> dict:
    return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "args": {"name": name}}


def dumps(reset: bool = False, format: str = "table", sort_by: str = "total", ascending: bool = False) -> str:
    """Return count, total, least, most and mean by category and name, which `aggregate_stats` collects.

    Parameters
    ----------
    reset : whether to forget them.
    format : "table" or "json"; both give times in ms and memory in kB.
    sort_by : "total", "avg", "min", "max" or "count".
    ascending : whether the least comes first.
    """
    for argument, value, choices in (("format", format, ("table", "json")), ("sort_by", sort_by, SORTS)):
        if value not in choices:
            expected = f"one of {', '.join(choices)}"
            raise AssertedArgumentError(message("dumps", argument, expected, repr(value)))
    if _record.active:
        _engine.set_hook(_record.take)  # hands over what has been done until now
    with _record.lock:
        times = _sorted(_record.times, sort_by, ascending)
        memory = _sorted(_record.memory, sort_by, ascending)
        if reset:
            _record.times.clear()
            _record.memory.clear()
    return _json(times, memory) if format == "json" else _table(times, memory)


def _sorted(table: dict, sort_by: str, ascending: bool) -> dict[str, list[tuple]]:
    """For each category its (name, count, total, least, most, mean), sorted."""
    column = SORTS[sort_by] + 1
    rows = {}
    for category in sorted(table):
        found = [(name, *numbers, numbers[1] / numbers[0]) for name, numbers in table[category].items()]
        rows[category] = sorted(found, key=lambda row: row[column], reverse=not ascending)
    return rows


def _json(times: dict, memory: dict) -> str:
    def entries(table: dict, names: tuple) -> dict:
        return {
            category: {name: {key: row[column] for key, column in names} for name, *row in rows}
            for category, rows in table.items()
        }

    shared = (("Min", 2), ("Max", 3), ("Avg", 4))
    return json.dumps(
        {
            "Time": entries(times, (("Count", 0), ("Total", 1), *shared)),
            "Memory": entries(memory, (("Count", 0), *shared)),
            "Unit": {"Time": "ms", "Memory": "kB"},
        },
        indent=4,
    )


def _table(times: dict, memory: dict) -> str:
    lines = ["", "Profile Statistics:", "\tNote the difference in units for different entries."]
    use = ["Min Use  (kB)", "Max Use  (kB)", "Avg Use  (kB)"]
    spent = ["Time (ms)", "Min Time (ms)", "Max Time (ms)", "Avg Time (ms)"]
    for table, titles, first in ((memory, use, 3), (times, spent, 2)):
        for category, rows in table.items():
            lines += [category, "================="]
            for row in (["Name", "Total Count", *titles], ["----", "-----------", *map(_rule, titles)]):
                lines.append(f"{row[0]:<25}{row[1]:>16}" + "".join(f"{cell:>17}" for cell in row[2:]))
            for name, count, *numbers in rows:
                cells = "".join(f"{number:>17.4f}" for number in numbers[first - 2 :])
                lines.append(f"{name:<25}{count:>16}{cells}")
            lines.append("")
    return "\n".join(lines) + "\n"


def _rule(title: str) -> str:
    return "-" * len(title)


# --- what a program marks itself --------------------------------------------------------------------


def _named(name: str) -> str:
    return getattr(_record.prefix, "text", "") + name


class _Span:
    """Something with a beginning and an end."""

    def __init__(self, category: str, name: str):
        self.name = name
        self.category = category
        self._begin: int | None = None

    def start(self) -> None:
        """Begin. Nothing is recorded while the profiler does not run."""
        self._begin = time.monotonic_ns() if _record.active else None

    def stop(self) -> None:
        """End, and record the time since `start`."""
        if self._begin is not None and _record.active:
            end = time.monotonic_ns()
            _record.span(self.category, self.name, threading.get_ident(), self._begin, end)
        self._begin = None

    def __str__(self) -> str:
        return self.name


class Domain:
    """A group of tasks, frames, counters and markers, with lanes of its own in the trace."""

    def __init__(self, name: str):
        self.name = name

    def new_task(self, name: str) -> Task:
        """Return a task of this domain."""
        return Task(self, name)

    def new_frame(self, name: str) -> Frame:
        """Return a frame of this domain."""
        return Frame(self, name)

    def new_counter(self, name: str, value: int | None = None) -> Counter:
        """Return a counter of this domain."""
        return Counter(self, name, value)

    def new_marker(self, name: str) -> Marker:
        """Return a marker of this domain."""
        return Marker(self, name)

    def __str__(self) -> str:
        return self.name


class Task(_Span):
    """A piece of work of one thread, from `start` to `stop`."""

    def __init__(self, domain: Domain, name: str):
        super().__init__(str(domain), _named(name))


class Frame(_Span):
    """One of many passes, from `start` to `stop`."""

    def __init__(self, domain: Domain, name: str):
        super().__init__(f"{domain},frame", _named(name))


class Event(_Span):
    """Something that belongs to no domain, from `start` to `stop`."""

    def __init__(self, name: str):
        super().__init__("event", _named(name))


class Counter:
    """A number that changes with time: `counter += 1`, `counter -= 1`."""

    def __init__(self, domain: Domain, name: str, value: int | None = None):
        self.name = _named(name)
        self._domain = str(domain)
        self._value = 0
        if value is not None:
            self.set_value(value)

    def set_value(self, value: int) -> None:
        """Set the number."""
        self._value = int(value)
        if _record.active:
            _record.value(self._domain, self.name, self._value)

    def increment(self, delta: int = 1) -> None:
        """Add to the number."""
        self.set_value(self._value + int(delta))

    def decrement(self, delta: int = 1) -> None:
        """Subtract from the number."""
        self.set_value(self._value - int(delta))

    def __iadd__(self, delta: int) -> Counter:
        self.increment(delta)
        return self

    def __isub__(self, delta: int) -> Counter:
        self.decrement(delta)
        return self

    def __str__(self) -> str:
        return self.name


class Marker:
    """A moment."""

    def __init__(self, domain: Domain, name: str):
        self.name = _named(name)
        self.domain = domain

    def mark(self, scope: str = "process") -> None:
        """Mark this moment: for everything (`global`), this `process`, `thread`, `task` or `marker`."""
        if scope not in MARKS:
            raise ArgumentError(message("mark", "scope", f"one of {', '.join(MARKS)}", repr(scope)))
        if _record.active:
            _record.mark(f"{self.domain},instant_marker", self.name, MARKS[scope])


# --- names of earlier versions ----------------------------------------------------------------------


def profiler_set_config(mode: str = "symbolic", filename: str = "profile.json") -> None:
    """Use `set_config`."""
    warnings.warn("profiler_set_config is deprecated; use set_config", stacklevel=2)
    set_config(**{f"profile_{mode}": True, "filename": filename})


def profiler_set_state(state: str = "stop") -> None:
    """Use `set_state`."""
    warnings.warn("profiler_set_state is deprecated; use set_state", stacklevel=2)
    set_state(state)


def dump_profile() -> None:
    """Use `dump`."""
    warnings.warn("dump_profile is deprecated; use dump", stacklevel=2)
    dump(True)
