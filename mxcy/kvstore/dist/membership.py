"""`Membership`: what the coordinator knows: who is in the job, the keys, barriers, who has fallen silent.

Workers are numbered 0 to n - 1. A wait that does not end within its time is answered with an error that
names who is missing. A worker that is not heard of for `lost_after` seconds is lost: the job then fails with
its name, or, if it is elastic, goes on without it under a new epoch.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ArgumentError, MXNetError, ShapeError, StateError, message, problem
from .frames import Frame, Kind

__all__ = ["Membership", "Options"]

Out = list[tuple[int, Frame]]


@dataclass
class Options:
    """How a job behaves. Seconds: `join` until all workers are there, `timeout` of any other wait,
    `lost_after` silence. `most`: an elastic job takes workers until there are so many."""

    workers: int = 1
    servers: int = 1
    kind: str = "dist_sync"
    levels: tuple[str, str] = ("sequential", "sequential")
    staleness: int | None = None
    elastic: bool = False
    most: int = 0
    custom_updaters: bool = False
    join: float = 60.0
    timeout: float = 600.0
    lost_after: float = 15.0

    @property
    def room(self) -> int:
        """Numbers for workers: of those that the job begins with, and of those that may come."""
        return max(self.workers, self.most) if self.elastic else self.workers

    def to_dict(self) -> dict:
        """Return it as JSON holds it."""
        return asdict(self)

    @staticmethod
    def of(fields: dict) -> Options:
        """Return what `to_dict` gave."""
        return Options(**fields | {"levels": tuple(fields["levels"])})


@dataclass
class Worker:
    """What is known of one worker."""

    rank: int
    machine: str = ""
    host: str = ""
    pid: int = 0
    heard: float = 0.0
    state: str = "awaited"  # joined, left, lost; spare: may come, and nobody waits for it
    aggregator: bool = False  # whether it has one on its machine

    def __str__(self) -> str:
        return f"worker {self.rank}" + (f" (process {self.pid} on {self.host})" if self.pid else "")


@dataclass
class Meeting:
    """A wait of all workers for each other."""

    what: str
    until: float
    here: dict[int, Frame] = field(default_factory=dict)
    specs: dict[int, Any] = field(default_factory=dict)


class Membership:
    """The core of the coordinator.

    Parameters
    ----------
    options : of the job.
    endpoints : of the servers, by number.
    path : of a file that keeps what a new coordinator needs when this one is killed.
    """

    def __init__(self, options: Options, endpoints: dict[int, str] | None = None, path: Path | None = None):
        self.options = options
        self.endpoints = dict(endpoints or {})
        self.workers = [Worker(rank) for rank in range(options.room)]
        for worker in self.workers[options.workers :]:
            worker.state = "spare"
        self.sums: bool | None = None  # whether machines send one sum; known when all have joined
        self.again: set[int] = set()
        self.carries = False
        self.epoch = 0
        self.failed: dict | None = None
        self.keys: dict[Any, dict] = {}
        self.met = -1  # number of the last meeting that ended well
        self.how: dict | None = None  # kind, levels and staleness, as the first worker wants them
        self._first = ""
        self._meetings: dict[Any, Meeting] = {}
        self._now = time.monotonic()
        self._out: Out = []
        self.port = 0
        self._path, self._kept = path, b""
        self._load()

    # -- what is kept -----------------------------------------------------------------------------------

    def _keep(self) -> None:
        state = {
            "workers": [[w.machine, w.host, w.pid, w.state, w.aggregator] for w in self.workers],
            "endpoints": list(self.endpoints.items()),
            "keys": list(self.keys.items()),
            "epoch": self.epoch,
            "failed": self.failed,
            "how": self.how,
            "met": self.met,
            "port": self.port,
            "sums": self.sums,
        }
        content = json.dumps(state).encode()
        if self._path is not None and content != self._kept:
            self._kept = content
            new = self._path.with_suffix(".new")
            new.write_bytes(content)
            new.replace(self._path)

    def _load(self) -> None:
        if self._path is None or not self._path.exists():
            return
        state = json.loads(self._path.read_bytes())
        now = time.monotonic()
        for worker, fields in zip(self.workers, state["workers"], strict=True):
            worker.machine, worker.host, worker.pid, worker.state, worker.aggregator = fields
            worker.heard = now
        self.endpoints, self.keys = dict(state["endpoints"]), dict(state["keys"])
        self.epoch, self.failed, self.how = state["epoch"], state["failed"], state["how"]
        self.port, self.met, self.sums = state["port"], state["met"], state["sums"]

    def bound(self, port: int) -> None:
        """The service has this port."""
        self.port = port
        self._keep()

    # -- the core's interface ---------------------------------------------------------------------------

    def joined(self, sender: int, local: bool, body: dict) -> dict:
        """A peer said hello."""
        if not 0 <= sender < 2 * self.options.room:
            expected = f"a rank below {self.options.room}"
            raise ArgumentError(message("KVStore", "rank", expected, sender))
        return {}

    def handle(self, sender: int, frame: Frame, shared: Any = None) -> Out:
        """Take a frame in; return what goes out, each with its receiver."""
        try:
            method = METHODS.get(str((frame.body or {}).get("method"))) if frame.kind == Kind.CALL else None
            if sender >= self.options.room:
                raise ArgumentError(message("KVStore", "rank", f"a rank below {self.options.room}", sender))
            if method is None:
                raise ArgumentError(
                    problem("KVStore", "frame", "the coordinator takes calls of workers only")
                )
            if self.failed is not None:
                self._error([(sender, frame)], self.failed)
            else:
                method(self, self.workers[sender], frame)
        except (MXNetError, KeyError, TypeError, ValueError) as error:
            name = type(error).__name__ if isinstance(error, MXNetError) else "ArgumentError"
            self._error([(sender, frame)], {"error": name, "text": str(error)})
        return self._flush()

    def pong(self, sender: int, frame: Frame) -> dict:
        """What a worker is told every second."""
        if sender < len(self.workers):
            self.workers[sender].heard = self._now
        return {
            "epoch": self.epoch,
            "members": self.members(),
            "left": [str(w) for w in self.workers if w.state == "left"],
            "dead": sum(w.state == "lost" for w in self.workers),
            "failed": self.failed,
            "endpoints": {str(i): e for i, e in self.endpoints.items()},
        }

    def tick(self, now: float) -> Out:
        """Find who has fallen silent, and which waits are over."""
        self._now = now
        limit = self.options.lost_after
        silent = [w for w in self.workers if w.state == "joined" and now - w.heard > limit]
        for worker in silent:
            self._lose(worker, f"has not been heard of for {limit:g} s")
        for key, meeting in list(self._meetings.items()):
            if now > meeting.until:
                del self._meetings[key]
                missing = [str(w) for w in self._present() if w.rank not in meeting.here]
                text = f"{meeting.what}: {', '.join(missing)} did not arrive in time"
                body = {"error": "MXNetError", "text": problem("KVStore", None, text)}
                self._error(list(meeting.here.items()), body)
        return self._flush()

    def close(self) -> None:
        """Remove what is kept."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def release(self) -> None:
        """Leave what is kept where it is."""

    # -- members ----------------------------------------------------------------------------------------

    def _present(self) -> list[Worker]:
        return [w for w in self.workers if w.state in ("awaited", "joined")]

    def machines(self) -> list[str]:
        """Machines in the order of their first worker."""
        return list(dict.fromkeys(w.machine for w in self.workers if w.state != "lost"))

    def aggregated(self) -> bool:
        """Whether the workers of a machine send one sum: if there are several, and each has an aggregator.

        All must do the same: the servers wait either for the sums of machines or for workers.
        """
        if self.sums is not None:
            return self.sums
        first = self.how["levels"][0] if self.how else self.options.levels[0]
        workers = [w for w in self.workers if w.state != "spare"]
        several = len({w.machine for w in workers}) > 1
        return first == "sequential" and several and all(w.aggregator for w in workers)

    def members(self) -> dict:
        """Who contributes to a round: `upper` to the servers', `machines` to each machine's."""
        present = self._present()
        names = list(dict.fromkeys(w.machine for w in self.workers if w.state != "spare"))
        machines = {name: [w.rank for w in present if w.machine == name] for name in names}
        ranks = [w.rank for w in present]
        if self.aggregated():
            upper = [self.options.room + names.index(name) for name in names if machines[name]]
        else:
            upper = ranks
        return {"upper": upper, "machines": machines, "ranks": ranks}

    def _lose(self, worker: Worker, why: str) -> None:
        worker.state = "lost"
        if not self.options.elastic or not self._present():
            text = problem("KVStore", None, f"{worker} {why}", "the job stops; elastic=True would go on")
            self.failed = {"error": "MXNetError", "text": text}
            for meeting in self._meetings.values():
                self._error(list(meeting.here.items()), self.failed)
            self._meetings.clear()
            return
        self.epoch += 1
        for key in list(self._meetings):
            self._meet(key)

    # -- meetings ---------------------------------------------------------------------------------------

    def _arrive(
        self, key: Any, what: str, worker: Worker, frame: Frame, seconds: float, spec: Any = None
    ) -> None:
        meeting = self._meetings.get(key)
        if meeting is None:
            meeting = self._meetings[key] = Meeting(what, self._now + seconds)
        meeting.here[worker.rank] = frame
        meeting.specs[worker.rank] = spec
        self._meet(key)

    def _meet(self, key: Any) -> None:
        """Answer all who wait if nobody is missing."""
        meeting = self._meetings[key]
        if any(w.rank not in meeting.here for w in self._present()):
            return
        del self._meetings[key]
        waiting = list(meeting.here.items())
        if key[0] == "join":
            self.sums = self.aggregated()
            self._answer(waiting, self._joined_all())
        elif key[0] == "declare":
            try:
                found = self._declared(meeting.specs, key[1])
                self.met = max(self.met, key[1])
                self._answer(waiting, {"keys": found, "met": self.met})
            except MXNetError as error:
                self._error(waiting, {"error": type(error).__name__, "text": str(error)})
        else:
            self.met = max(self.met, key[1])
            self._answer(waiting, {})

    def _join(self, worker: Worker, frame: Frame) -> None:
        if worker.state == "lost":
            raise StateError(problem("KVStore", None, f"{worker} was given up", "begin a new job"))
        machine = str(frame.body["machine"])
        late = worker.state == "spare" and self.sums is not None
        aggregator, machines = bool(frame.body["aggregator"]), [w.machine for w in self.workers]
        if late and self.sums and not (aggregator and machine in machines):
            text = f"{machine} has no aggregator: the job began without this machine"
            raise StateError(problem("KVStore", None, text, "begin it with all machines"))
        worker.machine, worker.host, worker.aggregator = machine, str(frame.body["host"]), aggregator
        worker.pid, worker.heard = int(frame.body["pid"]), self._now
        again, worker.state = worker.state not in ("awaited", "spare"), "joined"
        how = {name: frame.body[name] for name in ("kind", "levels", "staleness")}
        if self.how is None:
            self.how, self._first = how, str(worker)
        elif how != self.how:
            text = message("create", None, f"{self.how}, as {self._first} has", f"{how} from {worker}")
            self.failed = {"error": "ArgumentError", "text": text}
            waiting = [*self._meetings.pop(("join",), Meeting("", 0)).here.items(), (worker.rank, frame)]
            self._error(waiting, self.failed)
            return
        if late:
            self.epoch += 1
        if late or (again and ("join",) not in self._meetings):
            self._answer([(worker.rank, frame)], self._joined_all() | {"again": True})
            return
        self._arrive(("join",), "the start", worker, frame, self.options.join)

    def _joined_all(self) -> dict:
        return {
            "epoch": self.epoch,
            "members": self.members(),
            "aggregated": self.aggregated(),
            "again": False,
            "met": self.met,
            "endpoints": {str(i): e for i, e in self.endpoints.items()},
        }

    def _barrier(self, worker: Worker, frame: Frame) -> None:
        number = int(frame.body["number"])
        if number <= self.met:  # it was answered, and the answer was lost
            self._answer([(worker.rank, frame)], {})
            return
        self._arrive(("barrier", number), f"barrier {number}", worker, frame, self.options.timeout)

    def _declare(self, worker: Worker, frame: Frame) -> None:
        specs = frame.body["keys"]
        names = [spec["key"] for spec in specs]
        repeated = frame.body.get("again") or int(frame.body["number"]) <= self.met
        if repeated and all(known(k) in self.keys for k in names):
            found = [self.keys[known(k)] for k in names]
            self._answer([(worker.rank, frame)], {"keys": found, "met": self.met})
            return
        for name in names:
            if known(name) in self.keys:
                raise StateError(problem("init", "key", f"duplicate init of key {name!r}"))
        key = ("declare", int(frame.body["number"]), *map(known, names))
        what = f"init of {', '.join(map(repr, names[:5]))}" + (" …" if len(names) > 5 else "")
        self._arrive(key, what, worker, frame, self.options.timeout, specs)

    def _declared(self, specs: dict[int, list[dict]], meeting: int) -> list[dict]:
        """Give new keys their numbers; shapes and dtypes of all workers must agree."""
        first = min(specs)
        for rank, listed in specs.items():
            for mine, theirs in zip(specs[first], listed, strict=True):
                for what in ("shape", "dtype"):
                    if mine[what] != theirs[what]:
                        expected = f"{what} {mine[what]}, as {self.workers[first]} has"
                        got = f"{theirs[what]} from {self.workers[rank]}"
                        raise ShapeError(message("init", f"key {mine['key']!r}", expected, got))
        for spec in specs[first]:
            self.keys[known(spec["key"])] = spec | {"number": len(self.keys), "meeting": meeting}
        return [self.keys[known(spec["key"])] for spec in specs[first]]

    def _leave(self, worker: Worker, frame: Frame) -> None:
        worker.state = "left"
        if self.options.elastic and self._present():
            self.epoch += 1
        self._answer([(worker.rank, frame)], {})
        for key in list(self._meetings):
            if self._meetings[key].here and self.options.elastic:
                self._meet(key)

    def _report(self, worker: Worker, frame: Frame) -> None:
        workers = [{"rank": w.rank, "state": w.state, "host": w.host, "pid": w.pid} for w in self.workers]
        self._answer(
            [(worker.rank, frame)], {"workers": workers, "keys": len(self.keys), "epoch": self.epoch}
        )

    # -- answers ----------------------------------------------------------------------------------------

    def _answer(self, waiting: list[tuple[int, Frame]], body: dict) -> None:
        for rank, frame in waiting:
            self._out.append((rank, Frame(Kind.RESULT, request=frame.request, body=body)))

    def _error(self, waiting: list[tuple[int, Frame]], body: dict) -> None:
        for rank, frame in waiting:
            self._out.append((rank, Frame(Kind.ERROR, request=frame.request, body=body)))

    def _flush(self) -> Out:
        out, self._out = self._out, []
        if out:
            self._keep()
        return out

    def finished(self) -> bool:
        """Whether nobody is left who joined."""
        return not self._present()


def known(key: Any) -> str:
    """A key as JSON keeps its type: 3 and "3" are two keys."""
    return repr(key)


METHODS = {
    "join": Membership._join,
    "barrier": Membership._barrier,
    "declare": Membership._declare,
    "leave": Membership._leave,
    "report": Membership._report,
}
