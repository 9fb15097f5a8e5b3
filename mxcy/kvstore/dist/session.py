"""`Session`: one worker in a job: its connections, the keys it knows, what it sends and asks for.

Calls come from threads of the engine; none of them blocks except `Pulled.into`, `declare`, `barrier` and the
like, which wait for others.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...errors import ArrayIndexError, MXNetError, StateError, closest, problem
from . import _streams
from .arena import Arena
from .codecs import Compression, rows_decoded, rows_encoded
from .connection import Connections, Request
from .frames import SHARED, Codec, Frame, Kind, entries
from .membership import Options
from .parts import push_frames
from .service import Ticket
from .shard import SMALL
from .slices import Key, Slice, big, key_of
from .states import arrays_of, restored, structure_of

__all__ = ["COORDINATOR", "Pulled", "Session"]

COORDINATOR = 1 << 16  # number of its link; servers have 0, 1, …
AGGREGATOR = COORDINATOR + 1
SILENT_SECONDS = 60.0
LEAVE_SECONDS = 5.0  # without an answer, and without anything on its way


class Pulled:
    """A pull on its way."""

    def __init__(self, session: Session, keys: list[Key]):
        self._session, self._keys = session, keys
        self._requests: list[tuple[Request, list[tuple[Key, Slice]]]] = []

    def into(self, outs: dict[Any, np.ndarray]) -> None:
        """Wait for the values and copy each to the array given for its key's name."""
        for request, wanted in self._requests:
            request.sinks = {s.unit: outs[key.name][s.start : s.stop].view(np.uint8) for key, s in wanted}
        for request, wanted in self._requests:
            while True:
                request.wait(self._session.options.timeout, partial(self._session.late, wanted))
                by_unit: dict[int, list] = {}
                for entry in request.result:
                    by_unit.setdefault(entry[0], []).append(entry)
                if all(self._copy(request, by_unit[s.unit], s, outs[key.name]) for key, s in wanted):
                    break
                request = self._session.ask(wanted)  # the server overwrote it while it was copied

    def _copy(self, request: Request, found: list, piece: Slice, out: np.ndarray) -> bool:
        target = out[piece.start : piece.stop].view(np.uint8)
        view = request.link.view if request.link is not None else None
        for _, count, offset, size, start, data, _ in found:
            if isinstance(data, int):
                assert view is not None
                _streams.copy(target, view.bytes(start, size))
                if int(view.bytes(start - 64, 8).view(np.int64)[0]) != count:
                    return False
            else:
                came = np.frombuffer(data, np.uint8)
                if came.ctypes.data != target.ctypes.data + offset:  # a channel put it there already
                    target[offset : offset + size] = came
        return True


class Session:
    """One worker of a job.

    Parameters
    ----------
    ticket, options : of the job.
    coordinator : its endpoint.
    rank : number of this worker.
    machine : name of this machine: its workers are added up before their sum goes to the servers, where all
        machines have an aggregator.
    aggregator : endpoint of this machine's.
    memory : name of the memory that it shares with others, by default as the machine.
    """

    def __init__(self, ticket: Ticket, options: Options, coordinator: str, rank: int, machine: str,
                 aggregator: str | None = None, memory: str | None = None):  # fmt: skip
        self.ticket, self.options, self.rank = ticket, options, rank
        self.open = True
        self.keys: dict[Any, Key] = {}
        self.orders: dict[Any, Any] = {}  # by key: its pushes and pulls keep their order
        self.compression: Compression | None = None
        self.dead = 0
        self.epoch = 0
        self.members: dict = {}
        self.endpoints: dict[str, str] = {}
        self._left: tuple[int, int] | None = None
        self._slots: dict[int, tuple[int, np.ndarray, Request]] = {}
        self._units: dict[int, tuple[Key, Slice]] = {}
        self.arena = Arena.anew(f"mxcy-{ticket.job}-w", rank)
        hello = {"memory": memory or machine, "arena": self.arena.name}
        self.connections = Connections(rank, ticket, hello, self._pong, self._ping)
        try:
            self.connections.connect(COORDINATOR, coordinator)
            self._join(machine, aggregator)
        except BaseException:
            self.connections.close()
            self.arena.close()
            raise

    def _join(self, machine: str, aggregator: str | None) -> None:
        about: dict[str, Any] = {
            "rank": self.rank,
            "machine": machine,
            "aggregator": aggregator is not None,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "kind": self.options.kind,
            "levels": list(self.options.levels),
            "staleness": self.options.staleness,
        }
        found, _ = self.call(COORDINATOR, "join", None, self.options.join + 5, **about)
        self.members = found["members"]
        self.epoch = found["epoch"]
        self.again = found["again"]
        # Meetings are numbered, and all workers meet in the same order. One that comes back goes through what
        # its program begins with as if it was new; it is let through what the others have behind them.
        self._met, self._behind = -1, int(found["met"])
        self.machine = machine
        self.shards = [int(i) for i in found["endpoints"]]
        for i, endpoint in found["endpoints"].items():
            self.connections.connect(int(i), endpoint)
        self.aggregated = bool(found["aggregated"])
        if self.aggregated:
            self.connections.connect(AGGREGATOR, str(aggregator))
        self.endpoints = found["endpoints"]
        self.tell_members()

    # -- liveness ---------------------------------------------------------------------------------------

    def _ping(self, server: int) -> dict:
        """Called every second for each link, in the thread of the connections."""
        link = self.connections.links[server]
        silent = self.connections.clock.now - link.heard
        limit = max(self.options.lost_after * 2, 30.0) if server == COORDINATOR else SILENT_SECONDS
        if silent > limit and (link.open or server == COORDINATOR):
            text = f"{self._name(server)} has not been heard of for {silent:.0f} s"
            self.connections.fail(MXNetError(problem("KVStore", None, text)))
        return {}

    def _name(self, server: int) -> str:
        if server == COORDINATOR:
            return "the coordinator"
        what = "the aggregator of this machine" if server == AGGREGATOR else f"server {server}"
        return f"{what} ({self.connections.links[server].endpoint})"

    def _pong(self, server: int, body: dict) -> None:
        if server != COORDINATOR:
            return
        self.dead = body["dead"]
        if body["failed"] is not None:
            self.connections.fail(MXNetError(body["failed"]["text"]))
            return
        if not self.members:
            return  # it has not joined yet
        if body["epoch"] > self.epoch:
            self.epoch, self.members = body["epoch"], body["members"]
            self.tell_members(wait=False)
        for i, endpoint in body["endpoints"].items():
            if endpoint != self.endpoints.get(i):
                self.connections.connect(int(i), endpoint)
        self.endpoints = body["endpoints"]
        self._look_for_left(body["left"])

    def _look_for_left(self, left: list[str]) -> None:
        """A wait that began before a worker left, and goes on two answers later, waits for that worker."""
        if not left or self.options.elastic:
            return
        pulls = [r.number for link in self.connections.links.values() for r in link.open.values() if r.wanted]
        oldest = min(pulls, default=0)
        if oldest and self._left is not None and self._left[0] == oldest:
            self._left = (oldest, self._left[1] + 1)
            if self._left[1] >= 3:
                text = f"this worker waits for a round, but {', '.join(left)} has left the job"
                self.connections.fail(MXNetError(problem("KVStore", None, text)))
        else:
            self._left = (oldest, 0)

    def tell_members(self, wait: bool = True) -> None:
        """Tell the servers who contributes."""
        first, second = self.options.levels
        body = {"epoch": self.epoch, "members": self.members["upper"], "sequential": second == "sequential",
                "staleness": self.options.staleness}  # fmt: skip
        requests = {server: self.connections.call(server, "members", **body) for server in self.shards}
        if self.aggregated:
            number = list(self.members["machines"]).index(self.machine)
            mine = {"members": self.members["machines"][self.machine], "sequential": first == "sequential",
                    "second": second == "sequential", "sender": self.options.room + number}  # fmt: skip
            requests[AGGREGATOR] = self.connections.call(AGGREGATOR, "members", **body | mine)
        for server, request in requests.items() if wait else ():
            request.wait(self.options.join, partial(self._silent, server, "members"))

    def late(self, wanted: list[tuple[Key, Slice]]) -> MXNetError:
        """The error of a pull that has taken too long."""
        names = ", ".join(repr(key.name) for key, _ in wanted[:5])
        ranks = self.members["ranks"]
        text = f"no value of {names} for {self.options.timeout:g} s: some of workers {ranks} have not pushed"
        return MXNetError(problem("pull", "key", text))

    def _silent(self, server: int, method: str) -> MXNetError:
        text = f"no answer to {method} from {self._name(server)}"
        return MXNetError(
            problem("KVStore", None, text, "is it running, and does the network let it through?")
        )

    # -- calls ------------------------------------------------------------------------------------------

    def call(self, server: int, method: str, parts: list | None = None, seconds: float | None = None,
             **body: Any) -> tuple[dict, list]:  # fmt: skip
        """Call a server and wait for the answer."""
        request = self.connections.call(server, method, parts, **body)
        limit = self.options.timeout + 5 if seconds is None else seconds
        return request.wait(limit, partial(self._silent, server, method))

    def call_all(self, method: str, parts: list | None = None, **body: Any) -> list[tuple[dict, list]]:
        """Call all servers, and wait for all answers."""
        requests = [self.connections.call(server, method, parts, **body) for server in self.shards]
        return [
            request.wait(self.options.timeout + 5, partial(self._silent, server, method))
            for server, request in zip(self.shards, requests, strict=True)
        ]

    def barrier(self) -> None:
        """Wait for all workers."""
        self._met += 1
        self.call(COORDINATOR, "barrier", number=self._met)

    def train(self) -> None:
        """Meet the others from now on where they are: what a program begins with is done."""
        self._met = max(self._met, self._behind)

    # -- keys -------------------------------------------------------------------------------------------

    def server_of(self, piece: Slice) -> int:
        """The link that leads to a slice."""
        return AGGREGATOR if self.aggregated else piece.server

    def declare(self, specs: list[dict], values: Callable[[Any], np.ndarray]) -> None:
        """Make keys known to all workers; the values are those of rank 0, or of the first of the present."""
        number = self._met + 1
        found, _ = self.call(COORDINATOR, "declare", keys=specs, again=self.again, number=number)
        made = [key_of(spec, len(self.endpoints), big()) for spec in found["keys"]]
        for key in made:
            self.keys[key.name] = key
            self._units.update({s.unit: (key, s) for s in key.slices})
        # The others agreed on these keys in a meeting, and met again when their values were there.
        agreed = max((int(spec["meeting"]) for spec in found["keys"]), default=number)
        if found["met"] > agreed:
            self._met = max(self._met, agreed + 1)
            self._catch_up(made)
            return
        self._met = agreed
        by_server: dict[int, list[dict]] = {}
        for key in made:
            for s in key.slices:
                about = {"unit": s.unit, "key": key.name, "size": s.stop - s.start, "dtype": key.dtype.name,
                         "width": key.width, "server": s.server}  # fmt: skip
                by_server.setdefault(s.server, []).append(about)
        if self.aggregated:
            self.call(AGGREGATOR, "init", units=[one for units in by_server.values() for one in units])
        if self.rank == min(self.members["ranks"]):
            for server, units in by_server.items():
                self.call(server, "init", units=units)
            for key in made:
                self.push([(key, values(key.name))], first=True)
            self.flush()
        self.barrier()

    def _catch_up(self, keys: list[Key]) -> None:
        """Go on with the rounds of keys where this worker was before it came back.

        If it was killed when only some servers had its push, that round is sent again: the others drop it.
        """
        for key in keys:
            calls = [self.call(self.server_of(s), "rounds", units=[s.unit]) for s in key.slices]
            key.pushed = min((found["rounds"][0] for found, _ in calls), default=0)

    def key(self, call: str, name: Any) -> Key:
        """Return a key; StateError if it has not been inited."""
        found = self.keys.get(name)
        if found is None:
            near = (
                closest(name, [k for k in self.keys if isinstance(k, str)]) if isinstance(name, str) else []
            )
            hint = f"did you mean {near[0]!r}?" if near else "call init first"
            raise StateError(problem(call, "key", f"key {name!r} has not been inited", hint))
        return found

    # -- states and compression -------------------------------------------------------------------------

    def set_compression(self, compression: Compression) -> None:
        """Compress from now on what goes to the servers."""
        self.compression = compression
        threshold = compression.threshold
        self.call_all("compression", type=compression.type, threshold=threshold)
        if self.aggregated:
            self.call(AGGREGATOR, "compression", type=compression.type, threshold=threshold)

    def states(self) -> tuple[dict[Any, Any], dict[Any, int]]:
        """Return states and numbers of updates of the optimizer by key, put together from all servers."""
        by_unit: dict[int, Any] = {}
        counts: dict[Any, int] = {}
        for found, parts in self.call_all("states"):
            counts |= dict(map(tuple, found["counts"]))
            rest = iter(parts)
            for unit, structure, arrays in found["states"]:
                values = [np.frombuffer(next(rest), dtype).reshape(shape) for dtype, shape in arrays]
                by_unit[unit] = structure, values
        states = {}
        for key in self.keys.values():
            pieces = [by_unit[s.unit] for s in key.slices]
            if not pieces:
                continue
            columns = zip(*(values for _, values in pieces), strict=True)
            whole = [joined(key, column) for column in columns]
            states[key.name] = restored(pieces[0][0], whole)
        return states, counts

    def set_states(self, states: dict[Any, Any]) -> None:
        """Give the servers the states by key."""
        listed: dict[int, list] = {server: [] for server in self.shards}
        parts: dict[int, list[bytes]] = {server: [] for server in self.shards}
        for name, state in states.items():
            key = self.key("load_optimizer_states", name)
            arrays = [x.asnumpy() for x in arrays_of(state)]
            for s in key.slices:
                own = [x.reshape(-1)[s.start : s.stop] if x.size == key.size else x for x in arrays]
                described = [[x.dtype.str, list(x.shape)] for x in own]
                listed[s.server].append([s.unit, structure_of(state), described])
                parts[s.server] += [x.tobytes() for x in own]
        for server in self.shards:
            self.call(server, "set_states", parts[server], states=listed[server])

    # -- push -------------------------------------------------------------------------------------------

    def push(self, given: list[tuple[Key, Any]], first: bool = False) -> None:
        """Send flat arrays, or (indices, rows), a round of each key; they are copied before this returns."""
        small: dict[int, list[tuple[int, int, int, Codec, Any]]] = {}
        if not first:
            self.train()
        for key, value in given:
            key.pushed += not first
            for s in key.slices:
                codec, data = self._encoded(key, s, value, first)
                server = s.server if first else self.server_of(s)
                size = (s.stop - s.start) * key.dtype.itemsize
                item = (s.unit, 0 if first else key.pushed, size, codec, data)
                if len(data) > SMALL:
                    self._push_large(server, *item)
                else:
                    small.setdefault(server, []).append(item)
        for server, items in small.items():
            self._push_small(server, items)

    def _encoded(self, key: Key, s: Slice, value: Any, first: bool) -> tuple[Codec, Any]:
        if isinstance(value, tuple):
            indices, rows = value
            low, high = s.start // key.width, s.stop // key.width
            chosen = (indices >= low) & (indices < high)
            return Codec.ROWS, rows_encoded(indices[chosen] - low, rows[chosen])
        part = value[s.start : s.stop]
        if self.compression is None or first or self.aggregated:
            return Codec.PLAIN, part.view(np.uint8)
        return self.compression.encode(s.unit, part)

    def _push_small(self, server: int, items: list) -> None:
        """Many small units in one frame."""
        body = entries(len(items))
        at = 0
        rows = []
        for unit, round_, size, codec, data in items:
            rows.append((unit, round_, 0, size, at, len(data), 0, codec))
            at += len(data)
        body[:] = rows
        blob = b"".join(bytes(data) for *_, data in items)
        pairs = {(unit, round_) for unit, round_, *_ in items}
        self.connections.send(server, Request([Frame(Kind.PUSH, body=body, parts=[blob])], pairs))

    def _push_large(
        self, server: int, unit: int, round_: int, size: int, codec: Codec, data: np.ndarray
    ) -> None:
        """One unit: by shared memory, or in frames of about a megabyte."""
        shared = self.connections.links[server].view is not None
        start, place = self._slot(unit, max(size, len(data)), shared)
        _streams.copy(place[: len(data)], data)
        if start >= 0:
            body = entries(1)
            body[0] = (unit, round_, 0, size, start, len(data), SHARED, codec)
            frames = [Frame(Kind.PUSH, body=body)]
        else:
            frames = push_frames(unit, round_, size, codec, place[: len(data)])
        request = Request(frames, {(unit, round_)})
        if unit not in self._slots or self._slots[unit][1] is place:
            self._slots[unit] = start, place, request
        self.connections.send(server, request)

    def _slot(self, unit: int, nbytes: int, shared: bool) -> tuple[int, np.ndarray]:
        """(offset in the shared memory or -1, memory) that stays as it is until a push is applied."""
        start, place, busy = self._slots.get(unit, (-1, None, None))
        if busy is not None and not busy.done():
            return -1, np.empty(nbytes, np.uint8)
        if place is None or (start >= 0) != shared or len(place) < nbytes:
            self._slots.pop(unit, None)
            start = self.arena.take(nbytes) if shared else -1
            place = self.arena.bytes(start, nbytes) if shared else np.empty(nbytes, np.uint8)
        return start, place

    # -- pull -------------------------------------------------------------------------------------------

    def pull(self, keys: list[Key]) -> Pulled:
        """Ask for keys, as they are after this worker's pushes so far."""
        pulled = Pulled(self, keys)
        small: dict[int, list[tuple[Key, Slice]]] = {}
        for key in keys:
            for s in key.slices:
                if (s.stop - s.start) * key.dtype.itemsize > SMALL:
                    pulled._requests.append((self.ask([(key, s)]), [(key, s)]))
                else:
                    small.setdefault(self.server_of(s), []).append((key, s))
        for wanted in small.values():
            pulled._requests.append((self.ask(wanted), wanted))
        return pulled

    def ask(self, wanted: list[tuple[Key, Slice]]) -> Request:
        """Send one request for slices on one server."""
        body = entries(len(wanted))
        body["unit"] = [s.unit for _, s in wanted]
        body["round"] = [key.pushed for key, _ in wanted]
        nbytes = sum((s.stop - s.start) * key.dtype.itemsize for key, s in wanted)
        return self.connections.send(
            self.server_of(wanted[0][1]), Request([Frame(Kind.PULL, body=body)], wanted=nbytes)
        )

    def pull_rows(self, key: Key, indices: np.ndarray) -> Callable[[], np.ndarray]:
        """Ask for rows (unique, in order); return what waits for them."""
        height = key.size // max(key.width, 1)
        if not key.width:
            raise StateError(
                problem("row_sparse_pull", f"key {key.name!r}", "it has no rows that are kept whole")
            )
        if len(indices) and not 0 <= indices[0] <= indices[-1] < height:
            raise ArrayIndexError(problem("row_sparse_pull", "row_ids", f"rows outside 0 to {height - 1}"))
        requests = []
        for s in key.slices:
            low, high = s.start // key.width, s.stop // key.width
            chosen = indices[(indices >= low) & (indices < high)] - low
            body = entries(1)
            body[0] = (s.unit, key.pushed, 0, 0, 0, chosen.nbytes, 0, Codec.ROWS)
            frame = Frame(Kind.PULL, body=body, parts=[chosen.astype(np.int64).tobytes()])
            requests.append((self.connections.send(self.server_of(s), Request([frame], wanted=1)), s))

        def rows() -> np.ndarray:
            parts = []
            for request, s in requests:
                request.wait(self.options.timeout, partial(self.late, [(key, s)]))
                data = request.result[0][5]
                parts.append(rows_decoded(data, key.dtype, key.width, height)[1])
            return np.concatenate(parts) if parts else np.zeros((0, key.width), key.dtype)

        return rows

    # -- the end ----------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Wait until all pushes are applied."""
        for request in self.connections.unapplied():
            server = request.link.number if request.link is not None else COORDINATOR
            request.wait(self.options.timeout, partial(self._silent, server, "push"))

    def _arrived(self, server: int) -> None:
        """Wait until a server has got what was sent to it: as long as something moves."""
        request, link = self.connections.call(server, "rounds", units=[]), self.connections.links[server]
        while True:
            try:
                request.wait(LEAVE_SECONDS, partial(self._silent, server, "rounds"))
                return
            except MXNetError:
                if request.done() or self.connections.clock.now - link.moved > LEAVE_SECONDS:
                    raise

    def close(self) -> None:
        """Leave the job when what was pushed has arrived."""
        self.open = False
        try:
            if self.connections.usable():
                # Streams are in order: who answers this has got what was sent before.
                for server in [AGGREGATOR] if self.aggregated else self.shards:
                    self._arrived(server)
                self.call(COORDINATOR, "leave", seconds=LEAVE_SECONDS)
        except MXNetError:
            pass  # whom it would be told is gone
        finally:
            self.connections.close()
            self._slots.clear()
            self.arena.close()


def joined(key: Key, column: tuple[np.ndarray, ...]) -> np.ndarray:
    """An array of the state from its slices; one that is not of the weight's size is the same in all."""
    if sum(x.size for x in column) == key.size:
        return np.concatenate([x.reshape(-1) for x in column]).reshape(key.shape)
    return column[0]
