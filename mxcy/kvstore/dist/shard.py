"""`Shard`: what one server keeps and does. No sockets, no threads: frames in, frames out.

Consistency. "sequential": a round of a unit is applied when all members sent theirs, and a pull waits for
the round that its sender has pushed: it sees exactly the pushes of all earlier rounds. "eventual": what
arrives is applied; a pull waits for its own sender's pushes and, with `staleness` s, until no member is
more than s rounds behind.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import ndarray as nd
from ... import optimizer as optimizers
from ...errors import ArgumentError, MXNetError, StateError, message, problem
from ...optimizer.updater import rebuild
from .arena import Arena, folder
from .codecs import rows_encoded
from .frames import PART, SHARED, Codec, Frame, Kind, entries
from .gather import Gather
from .states import arrays_of, restored, structure_of, viewed
from .unit import Unit

__all__ = ["SMALL", "Shard"]

SMALL = 32 << 10  # values up to here travel in frames within a machine too
Out = list[tuple[int, Frame]]


class Pull:
    """A pull that waits until all its units may be read."""

    __slots__ = ("frame", "left", "sender")

    def __init__(self, sender: int, frame: Frame, left: int):
        self.sender, self.frame, self.left = sender, frame, left


class Shard:
    """Units and the rounds that arrive for them.

    Parameters
    ----------
    name : of its shared memory; what is there already is taken over.
    senders : highest number of senders.
    custom : function that makes an updater of bytes, where the job allows it.
    """

    def __init__(self, name: str, senders: int, custom: Callable[[bytes], Any] | None = None):
        self.name, self.senders = name, senders
        self.sequential = True
        self.staleness: int | None = None
        self.members: list[int] = []
        self.epoch = -1
        self.threshold = 0.5
        self.units: dict[int, Unit] = {}
        self.local: set[int] = set()  # senders that see this shared memory
        self.updater: Any = None
        self.bases: dict[int, int] = {}  # count of each unit when the optimizer came
        self.described: Any = None  # the optimizer, or the bytes of an updater
        self.carries = True
        self.settle: Callable[[], None] = lambda: None
        self.again: set[int] = set()  # senders that have to send again what is not applied
        self._custom = custom
        self._done: dict[int, list[tuple[int, int]]] = {}
        self._out: Out = []
        self.counters = {"pushes": 0, "pulls": 0, "repeated": 0, "bytes_in": 0, "bytes_out": 0, "updates": 0}
        self._since = time.monotonic()
        self.port = 0
        self.arena = Arena(name)
        self._journal = (folder() / f"{name}.journal").open("a+b", buffering=0)
        self._load()

    # -- what is kept -----------------------------------------------------------------------------------

    def _note(self, **line: Any) -> None:
        """Add to the journal. It is in the page cache at once, so it survives the process."""
        self._journal.write(json.dumps(line).encode() + b"\n")

    def _load(self) -> None:
        self._journal.seek(0)
        for raw in self._journal.read().splitlines():
            try:
                line = json.loads(raw)
            except ValueError:
                continue  # the last line of a process that was killed while it wrote
            if "unit" in line and "key" in line:
                self._add_unit(line)
            elif "states" in line:
                self.units[line["unit"]].map_states(self.arena, line["states"])
                self.units[line["unit"]].about["structure"] = line["structure"]
            elif "bases" in line:
                bases = {int(unit): count for unit, count in line["bases"].items()}
                if "optimizer" in line:
                    self._adopt(line["optimizer"], bases)
                else:
                    self._adopt_function(base64.b64decode(line["updater"]), bases)
            elif "threshold" in line:
                self.threshold = line["threshold"]
            elif "port" in line:
                self.port = line["port"]
            elif "epoch" in line:
                self._consist(**line)
            else:
                self._loaded(line)
        # Sides of a file that was there are behind `used`: what is taken from now on is new.
        self.arena.used = self.arena.size
        if hasattr(self.updater, "optimizer"):
            self._resume()

    def _loaded(self, line: dict) -> None:
        """A line of the journal that is a subclass's."""

    def _resume(self) -> None:
        """Counts and states of the optimizer, as they were when the values were made valid."""
        optimizer = self.updater.optimizer
        for unit in self.units.values():
            updates = unit.count - self.bases.get(unit.id, 0)
            if updates > 0:
                counts = optimizer._index_update_count  # it may have come with some from a file
                counts[unit.key] = counts.get(unit.key, optimizer.begin_num_update) + updates
                optimizer.num_update = max(optimizer.num_update, counts[unit.key])
            if "structure" in unit.about:
                state = restored(unit.about["structure"], unit.states)
                self.updater.states[unit.key] = state
                self.updater.states_synced[unit.key] = True

    def close(self) -> None:
        """Forget everything, and remove the shared memory."""
        self._journal.close()
        (folder() / f"{self.name}.journal").unlink(missing_ok=True)
        self.units.clear()
        self.arena.close()

    def release(self) -> None:
        """Let go of files as a killed process would: they stay, with what they hold."""
        self._journal.close()
        self.units.clear()
        self.arena.release()

    def bound(self, port: int) -> None:
        """The service has this port: it takes it again when it comes back."""
        if port != self.port:
            self.port = port
            self._note(port=port)

    def joined(self, sender: int, local: bool, body: dict) -> dict:
        """A peer said hello; one of the same machine is told where the values lie."""
        if not 0 <= sender < self.senders:
            raise ArgumentError(message("KVStore", "sender", f"less than {self.senders}", sender))
        (self.local.add if local else self.local.discard)(sender)
        return {"arena": self.name} if local else {}

    def pong(self, sender: int, frame: Frame) -> dict:
        """Nothing more is told every second."""
        return {}

    def tick(self, now: float) -> Out:
        """Nothing happens by itself."""
        return []

    # -- frames -----------------------------------------------------------------------------------------

    def handle(self, sender: int, frame: Frame, shared: Callable[[int, int], Any] | None = None) -> Out:
        """Take a frame in; return what goes out, each with its receiver.

        `shared(start, length)` reads the sender's shared memory. Errors of a frame go back to its sender.
        """
        try:
            if frame.kind == Kind.PUSH:
                self._push(sender, frame, shared)
            elif frame.kind == Kind.PULL:
                self._pull(sender, frame)
            elif frame.kind == Kind.CALL:
                result, parts = self._call(sender, frame)
                answer = Frame(Kind.RESULT, request=frame.request, body=result, parts=parts)
                self._out.append((sender, answer))
            else:
                raise ArgumentError(problem("KVStore", "frame", f"no server takes {frame.kind.name}"))
        except MXNetError as error:
            body = {"error": type(error).__name__, "text": str(error)}
            self._out.append((sender, Frame(Kind.ERROR, request=frame.request, body=body)))
        return self._flush()

    def _flush(self) -> Out:
        for receiver, pairs in self._done.items():
            body = entries(len(pairs))
            body["unit"], body["round"] = zip(*pairs, strict=True)
            self._out.append((receiver, Frame(Kind.DONE, body=body)))
        self._done = {}
        out, self._out = self._out, []
        return out

    def _unit(self, number: int) -> Unit:
        unit = self.units.get(number)
        if unit is None:
            raise StateError(problem("KVStore", "key", f"unit {number:#x} has not been inited", "call init"))
        return unit

    # -- push -------------------------------------------------------------------------------------------

    def _push(self, sender: int, frame: Frame, shared: Any) -> None:
        self.counters["pushes"] += 1
        ready: list[tuple[Unit, Any]] = []
        memories = [memoryview(part) for part in frame.parts]
        try:
            for number, round_, offset, size, start, length, part, codec in frame.body.tolist():
                unit = self._unit(number)
                self._fits(unit, offset, size, codec)
                if unit.rounds[sender] >= round_ > 0 or (round_ == 0 and unit.count):
                    self.counters["repeated"] += 1
                    self._done.setdefault(sender, []).append((number, round_))
                    continue
                if part == SHARED:
                    if shared is None:
                        text = "shared memory of another machine"
                        raise ArgumentError(problem("KVStore", "push", text))
                    data = shared(start, length)
                else:
                    data = memories[part][start : start + length]
                self.counters["bytes_in"] += length
                which = round_ if self.sequential and round_ else (sender, round_)
                if self._gather(unit, which).add(sender, offset, size, codec, data):
                    ready.append((unit, which))
        finally:
            self._apply(ready)

    def _fits(self, unit: Unit, offset: int, size: int, codec: int) -> None:
        inside = offset + size <= unit.nbytes and not (offset | size) % unit.dtype.itemsize
        if not inside or (codec == Codec.ROWS and (size != unit.nbytes or not unit.width)):
            text = f"bytes {offset} to {offset + size} of key {unit.key!r}, which has {unit.nbytes}"
            raise ArgumentError(problem("KVStore", "push", text))

    def _gather(self, unit: Unit, which: Any) -> Gather:
        gather = unit.gathers.get(which)
        if gather is None:
            order = [which[0]] if isinstance(which, tuple) else self.members
            place = self._place_of_sum(unit, which)
            gather = Gather(order, unit.size, unit.dtype, self.threshold, unit.width, place)
            unit.gathers[which] = gather
        return gather

    def _place_of_sum(self, unit: Unit, which: Any) -> Callable[[], np.ndarray] | None:
        """Without an updater the sum is the next value, and is computed where that lies."""
        following = not isinstance(which, tuple) and all(unit.rounds[m] == which - 1 for m in self.members)
        return unit.next_value if following and self.updater is None else None

    def _apply(self, ready: list[tuple[Unit, Any]]) -> None:
        """Apply complete rounds that are next; each may make the one after it next."""
        while ready:
            batch = [pair for pair in dict.fromkeys(ready) if self._is_next(*pair)]
            gathers = [unit.gathers.pop(which) for unit, which in batch]
            rounds = [which[1] if isinstance(which, tuple) else which for _, which in batch]
            units = [unit for unit, _ in batch]
            given = [i for i, round_ in enumerate(rounds) if round_]
            if given:
                self._update([(units[i], gathers[i]) for i in given])
            ready = []
            for unit, which, gather, round_ in zip(
                units, (w for _, w in batch), gathers, rounds, strict=True
            ):
                if round_:
                    unit.count += 1
                    unit.rounds[gather.order] = round_
                    ready.append((unit, (which[0], round_ + 1) if isinstance(which, tuple) else round_ + 1))
                else:
                    unit.weight = gather.total()
                self._keep(unit)
                for s in gather.order:
                    self._done.setdefault(s, []).append((unit.id, round_))
            for unit in units:
                self._wake(unit)

    def _is_next(self, unit: Unit, which: Any) -> bool:
        gather = unit.gathers.get(which)
        if gather is None or gather.left:
            return False
        round_ = which[1] if isinstance(which, tuple) else which
        return not round_ or all(unit.rounds[s] == round_ - 1 for s in gather.order)

    def _update(self, batch: list[tuple[Unit, Gather]]) -> None:
        self.counters["updates"] += len(batch)
        if self.updater is None:
            if not self.sequential:
                for unit, _ in batch:
                    unit.failed = "there is no updater, which dist_async needs; call set_optimizer"
                return
            for unit, gather in batch:
                unit.weight = gather.total()
            return
        keys, grads, weights = [], [], []
        for unit, gather in batch:
            if not isinstance(unit.weight, nd.NDArray):
                unit.weight = nd.from_numpy(unit.value.copy())
            total = gather.total()
            keys.append(unit.key)
            grads.append(self._gradient(total, gather))
            weights.append(unit.weight)
        try:
            if getattr(self.updater, "aggregate_updates", False):
                self.updater(keys, grads, weights)
            else:
                for each in zip(keys, grads, weights, strict=True):
                    self.updater(*each)
        except Exception as error:
            for unit, _ in batch:
                unit.failed = f"the updater failed: {type(error).__name__}: {error}"

    def _gradient(self, total: np.ndarray, gather: Gather) -> Any:
        return nd.from_numpy(total[:])  # a view, so that the sum itself stays writable

    def _keep(self, unit: Unit) -> None:
        """Make what was computed valid."""
        if isinstance(unit.weight, nd.NDArray):
            state = getattr(self.updater, "states", {}).get(unit.key)
            arrays = [viewed(x) for x in arrays_of(state)]
            if arrays and "structure" not in unit.about:
                self._place(unit, structure_of(state), arrays)
            unit.keep(viewed(unit.weight), arrays)
        elif unit.weight is not None:
            unit.keep(unit.weight, [])
            unit.weight = None

    def _place(self, unit: Unit, structure: Any, arrays: list[np.ndarray]) -> None:
        unit.about["structure"] = structure
        self._note(**unit.place_states(self.arena, arrays), structure=structure)

    # -- pull -------------------------------------------------------------------------------------------

    def _may_read(self, unit: Unit, sender: int, round_: int) -> bool:
        if unit.rounds[sender] < round_:
            return False
        if self.sequential or self.staleness is None:
            return True
        return round_ - min(int(unit.rounds[m]) for m in self.members) <= self.staleness

    def _pull(self, sender: int, frame: Frame) -> None:
        self.counters["pulls"] += 1
        pull = Pull(sender, frame, 0)
        for number, round_, *_ in frame.body.tolist():
            unit = self._unit(number)
            if unit.failed is None and not self._may_read(unit, sender, round_):
                unit.waiting = [
                    w for w in unit.waiting if (w[0].sender, w[0].frame.request) != (sender, frame.request)
                ]
                unit.waiting.append((pull, round_))
                pull.left += 1
        if not pull.left:
            self._answer(pull)

    def _wake(self, unit: Unit) -> None:
        waiting, unit.waiting = unit.waiting, []
        for pull, round_ in waiting:
            if unit.failed is None and not self._may_read(unit, pull.sender, round_):
                unit.waiting.append((pull, round_))
                continue
            pull.left -= 1
            if not pull.left:
                self._answer(pull)

    def _answer(self, pull: Pull) -> None:
        asked = pull.frame.body
        for number in asked["unit"].tolist():
            failed = self.units[number].failed
            if failed is not None:
                text = problem("KVStore", f"key {self.units[number].key!r}", failed)
                body = {"error": "MXNetError", "text": text}
                self._out.append((pull.sender, Frame(Kind.ERROR, request=pull.frame.request, body=body)))
                return
        if len(asked) == 1 and asked["codec"][0] == Codec.ROWS:
            self._answer_rows(pull)
            return
        small = entries(len(asked))
        small["unit"] = asked["unit"]
        buffer: list[bytes] = []
        at = count = 0
        for number in asked["unit"].tolist():
            unit = self.units[number]
            if pull.sender in self.local and unit.nbytes > SMALL:
                small[count] = (number, unit.count, 0, unit.nbytes, unit.start, unit.nbytes, SHARED, 0)
                count += 1
            elif unit.nbytes <= PART:
                small[count] = (number, unit.count, 0, unit.nbytes, at, unit.nbytes, 0, 0)
                count += 1
                buffer.append(unit.value.tobytes())
                at += unit.nbytes
            else:
                self._answer_in_parts(pull, unit)
            self.counters["bytes_out"] += unit.nbytes
        if count:
            parts = [b"".join(buffer)] if buffer else []
            frame = Frame(Kind.VALUE, request=pull.frame.request, body=small[:count], parts=parts)
            self._out.append((pull.sender, frame))

    def _answer_in_parts(self, pull: Pull, unit: Unit) -> None:
        raw = unit.lend()
        for offset in range(0, unit.nbytes, PART):
            data = raw[offset : offset + PART].data
            body = entries(1)
            body[0] = (unit.id, unit.count, offset, len(data), 0, len(data), 0, 0)
            frame = Frame(Kind.VALUE, request=pull.frame.request, body=body, parts=[data])
            self._out.append((pull.sender, frame))

    def _answer_rows(self, pull: Pull) -> None:
        """Some rows of one unit: the request holds their indices."""
        frame = pull.frame
        unit = self.units[int(frame.body["unit"][0])]
        start, length, part = (int(frame.body[name][0]) for name in ("start", "length", "part"))
        indices = np.frombuffer(bytes(memoryview(frame.parts[part])[start : start + length]), np.int64)
        height = unit.size // max(unit.width, 1)
        if not unit.width or (len(indices) and not 0 <= indices.min() <= indices.max() < height):
            text = f"rows outside 0 to {height - 1} of key {unit.key!r}"
            body: Any = {"error": "ArrayIndexError", "text": problem("row_sparse_pull", "row_ids", text)}
            self._out.append((pull.sender, Frame(Kind.ERROR, request=frame.request, body=body)))
            return
        data = rows_encoded(indices, unit.value.reshape(-1, unit.width)[indices])
        body = entries(1)
        body[0] = (unit.id, unit.count, 0, len(data), 0, len(data), 0, Codec.ROWS)
        self.counters["bytes_out"] += len(data)
        self._out.append((pull.sender, Frame(Kind.VALUE, request=frame.request, body=body, parts=[data])))

    # -- calls ------------------------------------------------------------------------------------------

    def _call(self, sender: int, frame: Frame) -> tuple[dict, list]:
        method = CALLS.get(str(frame.body.get("method")))
        if method is None:
            raise ArgumentError(message("KVStore", "method", "one of " + ", ".join(CALLS), frame.body))
        try:
            result = getattr(self, method)(sender, frame) or {}
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            if isinstance(error, MXNetError):
                raise
            text = f"{frame.body.get('method')}: {error!r}"
            raise ArgumentError(problem("KVStore", "call", text)) from None
        return result if isinstance(result, tuple) else (result, [])

    def _init(self, sender: int, frame: Frame) -> None:
        """Make units. Their values come as pushes of round 0."""
        for given in frame.body["units"]:
            about = {name: given[name] for name in ("unit", "key", "size", "dtype", "width", "server")}
            if about["unit"] not in self.units:
                self._note(**self._add_unit(about).about)

    def _add_unit(self, about: dict) -> Unit:
        unit = self.units[about["unit"]] = Unit(self.arena, about, self.senders)
        unit.settle = lambda: self.settle()
        return unit

    def _members(self, sender: int, frame: Frame) -> Any:
        """Take over who contributes. Rounds that are open begin anew, without those who are gone."""
        epoch, members = int(frame.body["epoch"]), [int(m) for m in frame.body["members"]]
        if epoch <= self.epoch:
            return
        if not members or not all(0 <= m < self.senders for m in members):
            raise ArgumentError(message("KVStore", "members", f"senders below {self.senders}", members))
        changed = self.epoch >= 0 and members != self.members
        old, new = self.members, [m for m in members if m not in self.members]
        self._consist(epoch, members, bool(frame.body["sequential"]), frame.body["staleness"])
        self._note(epoch=epoch, members=members, sequential=self.sequential, staleness=self.staleness)
        if changed:
            for unit in self.units.values():
                unit.gathers.clear()
                self._level(unit, old, new)
                self._wake(unit)
            self.again.update(members)

    def _consist(self, epoch: int, members: list[int], sequential: bool, staleness: int | None) -> None:
        self.epoch, self.members = epoch, members
        self.sequential, self.staleness = sequential, staleness

    def _level(self, unit: Unit, old: list[int], new: list[int]) -> None:
        """A member that comes anew goes on from the round where the others are, or the last of them."""
        if self.sequential:
            unit.rounds[self.members] = unit.rounds[self.members].max()
        elif new and old:
            unit.rounds[new] = np.maximum(unit.rounds[new], unit.rounds[old].min())

    def _optimizer(self, sender: int, frame: Frame) -> Any:
        described = frame.body["optimizer"]
        if described != self.described:
            bases = self._counts()
            self._adopt(described, bases)
            self._note(optimizer=described, bases=bases)

    def _counts(self) -> dict[int, int]:
        return {unit.id: unit.count for unit in self.units.values()}

    def _adopt(self, described: dict, bases: dict[int, int]) -> None:
        optimizer = rebuild(described, optimizers.create("sgd"))
        self._begin(optimizers.get_updater(optimizer), described, bases)

    def _adopt_function(self, content: bytes, bases: dict[int, int]) -> None:
        assert self._custom is not None
        try:
            updater = self._custom(content)
        except Exception as error:
            text = f"the server cannot load it: {type(error).__name__}: {error}"
            hint = "is what it needs installed there?"
            raise ArgumentError(problem("set_updater", "updater", text, hint)) from None
        self._begin(updater, content, bases)

    def _begin(self, updater: Any, described: Any, bases: dict[int, int]) -> None:
        """Update by it from now on, without the states of the one before."""
        self.updater, self.described, self.bases = updater, described, bases
        for unit in self.units.values():
            unit.weight = None
            unit.about.pop("structure", None)
            unit.failed = None

    def _updater_of(self, sender: int, frame: Frame) -> Any:
        if self._custom is None:
            text = "this job takes no updaters of its own"
            raise StateError(
                problem("set_updater", None, text, "start it with custom_updaters=True, or use set_optimizer")
            )
        content = bytes(frame.parts[0])
        if content != self.described:  # all workers call this
            bases = self._counts()
            self._adopt_function(content, bases)
            self._note(updater=base64.b64encode(content).decode(), bases=bases)

    def _compress(self, sender: int, frame: Frame) -> Any:
        self.threshold = float(frame.body["threshold"])
        self._note(threshold=self.threshold)

    def _rounds(self, sender: int, frame: Frame) -> Any:
        """Where the caller is with some units, for one that comes back."""
        return {"rounds": [int(self._unit(int(n)).rounds[sender]) for n in frame.body["units"]]}

    def _states(self, sender: int, frame: Frame) -> Any:
        """The state of each unit: its structure, and its arrays in the parts; and updates by key."""
        if not hasattr(self.updater, "states"):
            text = "there is no optimizer"
            raise StateError(problem("save_optimizer_states", None, text, "call set_optimizer"))
        found, parts = [], []
        for unit in self.units.values():
            arrays = unit.states if "structure" in unit.about else []
            listed = [[x.dtype.str, list(x.shape)] for x in arrays]
            found.append([unit.id, unit.about.get("structure"), listed])
            parts += [x.tobytes() for x in arrays]
        counts = self.updater.optimizer._index_update_count
        return {"states": found, "counts": list(counts.items())}, parts

    def _set_states(self, sender: int, frame: Frame) -> Any:
        if not hasattr(self.updater, "states"):
            text = "there is no optimizer"
            raise StateError(problem("load_optimizer_states", None, text, "call set_optimizer"))
        parts = iter(frame.parts)
        for number, structure, arrays in frame.body["states"]:
            unit = self._unit(number)
            values = [np.frombuffer(next(parts), dtype).reshape(shape) for dtype, shape in arrays]
            state = restored(structure, values)
            self.updater.states[unit.key] = state
            self.updater.states_synced[unit.key] = True
            if values:
                self._place(unit, structure, values)

    def _stats(self, sender: int, frame: Frame) -> Any:
        """Keys, bytes, rates and lag: one line of the dashboard."""
        seconds = max(time.monotonic() - self._since, 1e-9)
        rounds = [unit.rounds[self.members] for unit in self.units.values() if self.members]
        behind = [int(each.max() - each.min()) for each in rounds]
        kept = sum(unit.nbytes for unit in self.units.values())
        rate = (self.counters["bytes_in"] + self.counters["bytes_out"]) / seconds
        return self.counters | {
            "keys": len(self.units),
            "bytes": kept,
            "bytes_per_second": rate,
            "lag": max(behind, default=0),
            "waiting": sum(len(unit.waiting) for unit in self.units.values()),
        }


CALLS = {  # methods that workers call, by the names on the wire
    "init": "_init",
    "members": "_members",
    "optimizer": "_optimizer",
    "updater": "_updater_of",
    "compression": "_compress",
    "rounds": "_rounds",
    "states": "_states",
    "set_states": "_set_states",
    "stats": "_stats",
}
