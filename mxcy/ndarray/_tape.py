"""The tape: which operators made an array, and what their gradients need.

An array that depends on one with a gradient carries a *place*: (node, output, version of its buffer). A
node refers to the places of its inputs, and keeps the values that the gradient rule of its operator reads
under an alias without a place. So references only lead backwards, from an array to what it was made
from, and never return: counting them frees everything, which matters because arrays are not seen by
Python's collector of cycles.

Versions count the writes to a buffer. A value that the rule needs and that was overwritten since, or an
array that was written through another view of its memory, raises instead of giving a wrong gradient.
"""

from __future__ import annotations

import itertools
import sys
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from .._array import Array, as_face, empty, overlay
from .._export import count_write, is_exported, set_watcher, storage_nbytes
from .._failures import calling_place
from .._invoke import set_autograd
from .._locks import new_lock
from ..errors import ArgumentTypeError, StateError, message, problem
from ..graph.arithmetic import Arithmetic
from ..kernels import cpu as kernels
from ..ops import _storage
from ..ops._operator import Cache

__all__ = [
    "OFF",
    "RECORDING",
    "REPLAYING",
    "STATE",
    "Flat",
    "Leaf",
    "Node",
    "apply",
    "note_write",
    "place_of",
    "set_mode",
    "written_on_purpose",
]

# What a thread does with operators: compute; compute and record; compute for a gradient that is not
# recorded, where an operator that returns its operand need not copy it.
OFF, RECORDING, REPLAYING = 0, 1, 2

Place = tuple[Any, int, int | None]


class State(threading.local):
    """What one thread does."""

    mode = OFF
    train = False
    session: Session | None = None


class Session:
    """Lives as long as anything that was recorded between two changes of mode, to know when nothing is."""

    __slots__ = ("__weakref__",)
    count = 0

    def __init__(self) -> None:
        with _lock:
            Session.count += 1
            _tell_core()

    def __del__(self) -> None:
        with _lock:
            Session.count -= 1
            if not Session.count:
                _writes.clear()
                _prints.clear()
                _meant.clear()
            _tell_core()


class Fingerprint(NamedTuple):
    """What a buffer held at a version, and where the export was made through which it may change."""

    buffer: Any  # kept, so that no other buffer gets its number
    version: int
    checksum: int
    place: tuple | None


STATE = State()
_lock = new_lock()  # guards Session.count, _recorders and _writes; a destructor may run inside it
_recorders = 0  # threads that record
_writes: dict[int, Any] = {}  # buffer -> the line that last wrote it, while there are sessions
_prints: dict[int, Fingerprint] = {}  # buffer -> what it held while others could write it
_meant: dict[int, tuple[int, int]] = {}  # buffer -> versions before and after `written_on_purpose`
_numbers = itertools.count()
_plans = Cache()
_shells = Cache()
WRITES_KEPT = 10_000


def _tell_core() -> None:
    set_autograd(_recorders > 0, Session.count > 0)
    set_watcher(note_export if Session.count else None)


def set_mode(mode: int, train: bool) -> tuple[int, bool]:
    """Set what this thread does; return what it did."""
    global _recorders
    was = STATE.mode, STATE.train
    STATE.train = train
    if mode != was[0]:
        with _lock:
            _recorders += (mode == RECORDING) - (was[0] == RECORDING)
            _tell_core()
        STATE.mode = mode
        STATE.session = Session() if mode == RECORDING else None
    return was


# --- nodes ----------------------------------------------------------------------------------------
class Leaf:
    """The place of an array that a gradient was attached to: a buffer for it, and how it is filled."""

    __slots__ = ("fresh", "grad", "req")

    def __init__(self, grad: Any, req: str):
        self.grad = grad
        self.req = req
        self.fresh = False  # whether a gradient was computed since somebody last looked


class Node:
    """One use of an operator. `inputs` is None when it has been freed."""

    __slots__ = ("attrs", "hidden", "inputs", "line", "number", "op", "saved", "session", "shells", "visible")

    def __init__(self, op: Any, attrs: Any, inputs: Sequence[Place | None], visible: int = 1):
        self.number = next(_numbers)
        self.op = op
        self.attrs = attrs
        self.inputs: Sequence[Place | None] | None = inputs
        self.visible = visible
        self.hidden: tuple[int, ...] = ()  # hidden outputs that recorded gradients have read
        self.saved: list[tuple] = []  # (is output, position, alias, place, version or None for any)
        self.shells: list[tuple] = []  # (is output, position, array of the shape alone)
        self.line: tuple[CodeType, int] | None = None
        self.session = STATE.session

    def free(self) -> None:
        """Let go of everything that the gradient needs."""
        self.inputs = self.session = None
        self.saved = self.shells = []

    def values(self, recorded: bool) -> tuple[list, list]:
        """(inputs, outputs) that the gradient rule reads, None for others; on the tape if `recorded`."""
        inputs: list = [None] * len(self.inputs or ())
        outputs: list = [None] * (self.visible if self.attrs is None else self.op.num_outputs(self.attrs))
        for is_output, position, shell in self.shells:
            (outputs if is_output else inputs)[position] = shell
        if recorded and len(outputs) > self.visible:
            self.hidden = self.op.hidden_heads(self.attrs)
        for is_output, position, kept, place, version in self.saved:
            changed = version is not None and kept._version != version and not _was_meant(kept, version)
            if changed or (version is not None and changed_outside(kept)):
                raise StateError(self._overwritten(is_output, position, kept))
            value = kept
            traced = position < self.visible or position in self.hidden if is_output else place is not None
            if recorded and traced:
                value = alias(kept)
                value._tape = (self, position, version) if is_output else place
            (outputs if is_output else inputs)[position] = value
        return inputs, outputs

    def _overwritten(self, is_output: bool, position: int, kept: Any) -> str:
        what = "result, made in" if is_output else f"operand {position}, used in"
        text = f"its {what}{at(self.line)} was overwritten{writer_of(kept)} and is needed for the gradient"
        return problem(self.op.name, None, text, "write to a copy, or after backward()")


class Flat:
    """The use of a function that has steps alone: its result has a place to go back from, to zeros, and is
    a constant to what uses it."""

    def __init__(self, name: str):
        self.name = name

    def gradient(self, g_outputs: list, inputs: list, outputs: list, attrs: Any, wanted: Sequence) -> list:
        """See `Operator.gradient`."""
        return [None] * len(wanted)


def writer_of(x: Any) -> str:
    """Text for the line that wrote an array last, as far as it is known."""
    found = _prints.get(x._storage_id)
    if found is not None and found.place is not None:
        return f' through an export made in "{found.place[0]}", line {found.place[1]}'
    written = _writes.get(x._storage_id)
    return f' by "{written[0]}", line {written[1]}' if written else ""


def at(line: tuple[CodeType, int] | None) -> str:
    """Text for the line of an instruction."""
    if line is None:
        return ""
    code, instruction = line
    for start, end, number in code.co_lines():
        if start <= instruction < end:
            return f' "{code.co_filename}", line {number},'
    return ""


def calling_instruction() -> tuple[CodeType, int] | None:
    """The instruction outside this package that is being executed."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return frame.f_code, frame.f_lasti


_PACKAGE = __file__[: -len("ndarray/_tape.py")]


# --- recording ------------------------------------------------------------------------------------
def place_of(x: Any) -> Place | None:
    """Return where the value of an array comes from, None if it is a constant.

    Raises StateError if the array has a place but was written through another view since.
    """
    place = x._tape if isinstance(x, Array) else None
    if place is None:
        return None
    node, _, version = place
    if version is None:
        return place
    if node.inputs is None or type(node.op) is Flat:  # freed by backward: from now on a constant
        return None
    if version != x._version:
        written = _writes.get(x._storage_id)
        by = f' by "{written[0]}", line {written[1]}' if written else " through another view of its memory"
        text = f"an operand, made by {node.op.name}, was overwritten{by}"
        raise StateError(problem("autograd", None, text, "write to a copy, or to the array itself"))
    return place


def apply(op: Any, inputs: Sequence, attrs: Any, out: Any, by: Any = None) -> Any:
    """Compute an operator and, where an operand has a place, enter it on the tape.

    `by` computes it if not its own `compute` does.
    """
    by = op.compute if by is None else by
    if STATE.mode == REPLAYING:
        if op.identity and out is None and attrs is op._defaults and len(inputs) == 2:
            if inputs[0].shape == inputs[1].shape:
                return inputs[0]
        return returned(op, attrs, compute(op, inputs, attrs, out, by), out)
    places = [place_of(x) for x in inputs] if STATE.mode == RECORDING else ()
    if not any(places):
        return returned(op, attrs, compute(op, inputs, attrs, out, by), out)
    visible = op.num_visible(attrs)
    node = Node(op, attrs, places, visible)
    plan = _plan(op, attrs, places) if op.needs else None
    if plan is not None:
        _save_inputs(node, plan, inputs, out)
    results = (
        by(inputs, attrs, is_train=STATE.train) if out is None else compute(op, inputs, attrs, out, by)
    )
    if plan is not None or visible > 1:
        _save_outputs(node, plan, results)
    if visible == 1:
        result = results[0]
        result._tape = (node, 0, result._version)
        return result if out is None else out
    for index in range(visible):
        results[index]._tape = (node, index, results[index]._version)
    return results[:visible] if out is None else out


def _save_inputs(node: Node, plan: tuple, inputs: Sequence, out: Any) -> None:
    """Save what the rule reads of the operands, before `out` is written."""
    whole, shapes, results, _ = plan
    if whole or results:
        node.line = calling_instruction()
    states = len(inputs) - len(node.op.aux_names(node.attrs))
    for i in whole:
        if i >= states:  # the operator itself writes them
            node.saved.append((False, i, alias(inputs[i]), None, None))
        elif inputs[i] is not None:
            node.saved.append(_kept(i, inputs[i], node.inputs[i], out))  # type: ignore[index]
    for i in shapes:
        if inputs[i] is not None:
            node.shells.append((False, i, shell(inputs[i])))


def _save_outputs(node: Node, plan: tuple | None, results: Sequence) -> None:
    """Save what the rule reads of the results. Of one of several, gradients of zero may be asked for."""
    if plan is not None:
        for i in plan[2]:
            if results[i] is None:  # a mask that prediction has no use for
                continue
            node.saved.append((True, i, kept_alias(results[i]), None, results[i]._version))
        for i in plan[3]:
            node.shells.append((True, i, shell(results[i])))
    if node.visible > 1:
        for i in range(node.visible):
            node.shells.append((True, i, shell(results[i])))


def compute(op: Any, inputs: Sequence, attrs: Any, out: Any, by: Any = None) -> list:
    """Run an operator, into `out` if it is not None; constants written over places remove them."""
    by = op.compute if by is None else by
    if out is None:
        return by(inputs, attrs, is_train=STATE.train)
    outs = listed(op, out)
    if any(map(_storage.stored, outs)):
        by = partial(_storage.compute, op)
    if STATE.mode == RECORDING:
        refuse_leaves(op.name, outs)
    results = by(inputs, attrs, outs + [None] * (op.num_outputs(attrs) - len(outs)), is_train=STATE.train)
    for x in outs:
        note_write(x, STATE.mode == RECORDING)
    return results


def listed(op: Any, out: Any) -> list:
    """`out` as a list of arrays."""
    outs = list(out) if isinstance(out, (list, tuple)) else [out]
    for given in outs:
        if not isinstance(given, Array):
            raise ArgumentTypeError(message(op.name, "out", "an NDArray", type(given).__name__))
    return outs


def returned(op: Any, attrs: Any, results: list, out: Any) -> Any:
    """What a call of an operator returns."""
    if out is not None:
        return out
    visible = op.num_visible(attrs)
    return results[0] if visible == 1 else results[:visible]


def refuse_leaves(name: str, arrays: Iterable) -> None:
    """Raise StateError if a gradient is attached to one of the arrays that are to be written."""
    for x in arrays:
        if x._tape is not None and x._tape[2] is None:
            text = "an array with an attached gradient is written while it is recorded"
            raise StateError(problem(name, None, text, "do this outside record(), or use a new array"))


def refuse_integers(x: Any, key: Any) -> None:
    """Raise StateError, in MXNet's words, if part of an array that holds no fractions is to be written.

    For values whose gradients are recorded, and arrays that are not. MXNet refuses all such writes; here
    those of floating dtypes are recorded.
    """
    if x._tape is None and np.dtype(x.dtype).kind in "biu" and not _whole(key):
        text = "Inplace operations (+=, -=, x[:]=, etc) are not supported when recording with autograd"
        hint = "convert the array with astype('float32'), or write outside record()"
        raise StateError(problem("setitem", None, f"{text} for arrays of {np.dtype(x.dtype)}", hint))


def _whole(key: Any) -> bool:
    """Whether a key is [:], [...] or the like."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(x is None or x is Ellipsis or (isinstance(x, slice) and _every(x)) for x in parts)


def _every(part: slice) -> bool:
    return part.start is None and part.stop is None and part.step is None


def note_write(x: Any, forget: bool = False) -> None:
    """Take note that all of an array was written, with the line, and keep (or `forget`) its place."""
    place = x._tape
    if place is not None and place[2] is not None:
        x._tape = None if forget else (place[0], place[1], x._version)
    if Session.count:
        with _lock:
            if len(_writes) >= WRITES_KEPT:
                _writes.clear()
            _writes[x._storage_id] = calling_place()


def _kept(position: int, x: Any, place: Place | None, out: Any) -> tuple:
    """How an operand is saved: as a copy if the operator is going to overwrite it."""
    if out is not None:
        buffers = [y._storage_id for y in (out if isinstance(out, (list, tuple)) else (out,))]
        if x._storage_id in buffers:
            copy = kernels.copy(x)
            return False, position, copy, place, copy._version
    return False, position, kept_alias(x), place, x._version


def kept_alias(x: Any) -> Any:
    """Return a view of an array to keep for a gradient; note what it holds if others may write it."""
    if is_exported(x):
        note_export(x)
    return alias(x)


def note_export(x: Any) -> None:
    """Note what the buffer of an array holds, as others may write it without a new version from now on."""
    found = _prints.get(x._storage_id)
    # All of the buffer: what is kept may be another part of it than this array.
    whole = overlay(alias(x), (storage_nbytes(x),), "uint8", 0, False)
    checksum = zlib.crc32(whole.view_numpy())
    if found is not None and found.version == x._version:
        if found.checksum == checksum:
            return
        count_write(x)  # who has kept what was there before will find it
    with _lock:
        _prints[x._storage_id] = Fingerprint(whole, x._version, checksum, calling_place())


@contextmanager
def written_on_purpose(x: Any) -> Iterator[None]:
    """Write an array between recording and backward: gradients read what is written, as in MXNet."""
    before = x._version
    yield
    if Session.count:
        with _lock:
            first, last = _meant.get(x._storage_id, (before, before))
            _meant[x._storage_id] = (first if last == before else before, x._version)


def _was_meant(x: Any, version: int) -> bool:
    """Whether a buffer was written since it had this version, but only on purpose."""
    first, last = _meant.get(x._storage_id, (0, -1))
    return first <= version and x._version == last


def changed_outside(x: Any) -> bool:
    """Whether the buffer of an array was written through an export since it was kept."""
    found = _prints.get(x._storage_id) if _prints else None
    if found is None or found.version != x._version:
        return False
    return zlib.crc32(found.buffer.view_numpy()) != found.checksum


def alias(x: Any) -> Any:
    """Return a view of all of an array without a place."""
    return x.detach() if _storage.stored(x) else as_face(x, x._face)


def shell(x: Any) -> Any:
    """Return an array of the shape and dtype of x that holds one element: for what reads nothing else."""
    if x.size <= 1:
        return alias(x)
    dtype, shape = Array.dtype.__get__(x), x.shape
    key = (dtype, shape, x._face, x._context_code)
    found = _shells.get(key)
    if found is None:
        one = empty((1,) * len(shape), dtype, x._face, x._context_code)
        found = _shells.add(key, kernels.fill(one, 0)._broadcast_view(shape))
    return found


# --- what a gradient rule needs --------------------------------------------------------------------
class Probe(Arithmetic):
    """Stands for a tensor in a trial run of a gradient rule, and notes how it is used."""

    __slots__ = ("key", "seen")

    def __init__(self, seen: dict, key: tuple[bool, int] | None = None):
        self.seen = seen
        self.key = key

    def _apply(self, op, inputs, attrs, out=None, name=None, **node):
        for position, x in enumerate(inputs):
            if x is not None and x.key is not None:
                argument = op.inputs[0 if op.variadic else position]
                # Of a first operand, `shape_only` may speak of the gradient alone.
                of_shape = argument in op.shape_only and (position > 0 or not op.differentiable)
                self.seen[x.key] = self.seen.get(x.key, True) and of_shape
        made = [Probe(self.seen) for _ in range(op.num_visible(attrs))]
        return made[0] if len(made) == 1 else made


def _plan(op: Any, attrs: Any, places: Sequence) -> tuple | None:
    """(inputs, inputs of which the shape is enough, outputs, outputs ...) to keep; None: nothing."""
    wanted = tuple([place is not None for place in places])
    key = (op, wanted, *attrs.values()) if attrs else (op, wanted)
    try:
        found = _plans.get(key, 0)
    except TypeError:  # a list among the attributes
        return _probe(op, attrs, wanted)
    return _plans.add(key, _probe(op, attrs, wanted)) if found == 0 else found


def _probe(op: Any, attrs: Any, wanted: tuple) -> tuple | None:
    seen: dict[tuple[bool, int], bool] = {}  # (is output, position) -> whether its shape is enough
    inputs = [Probe(seen, (False, i)) for i in range(len(wanted))]
    outputs = [Probe(seen, (True, i)) for i in range(op.num_outputs(attrs))]
    heads = [Probe(seen) for _ in range(op.num_visible(attrs))]
    for found in op.gradient(heads, inputs, outputs, attrs, wanted):
        if found is not None and found.key is not None:
            seen[found.key] = False
    if not seen:
        return None
    kinds = itertools.product((False, True), repeat=2)
    return tuple([[i for (o, i), shape in seen.items() if (o, shape) == kind] for kind in kinds])
