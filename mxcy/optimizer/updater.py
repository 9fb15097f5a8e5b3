"""`Updater`: an optimizer with the states of its parameters.

States are saved as an ordinary `.params` file, which `nd.load` reads, here and in MXNet: the arrays, and
one array of bytes called `index` that holds JSON, which says what they belong to. There is no pickle in
it, so a file from elsewhere cannot run code.

    {"format": "mxcy-updater", "version": 1,
     "states": [[key, structure], ...],       null: no state; "3": array `3`; [...]: a tuple of these
     "optimizer": null or {"name": "sgd", "fields": {...}, "scheduler": null or {"name", "fields"},
                           "counts": [[device, [[index, updates], ...]], ...]}}
"""

from __future__ import annotations

import copy
import io
import json
from contextlib import suppress
from typing import Any

import numpy as np

from .. import lr_scheduler as schedulers
from .. import ndarray as nd
from ..errors import FormatError, message, problem
from ..ndarray import NDArray
from .optimizer import Optimizer
from .pickles import Fields, read_pickle
from .steps import Stepping

__all__ = ["Updater", "get_updater"]

FORMAT, VERSION = "mxcy-updater", 1
BEGINNING = b"\x12"  # of every .params file, and of no pickle
COUNTS = {"_all_index_update_counts", "_index_update_count"}
OF_MXNET = {"sym_info", "param_dict", "lr_scheduler", "allow_np_array"} | COUNTS
LEFT_OUT = {"sym_info", "param_dict", "lr_scheduler"}  # fields of optimizers that are made anew


class Updater:
    """Applies an optimizer: `updater(index, grad, weight)`. States are made when they are first needed.

    Attributes
    ----------
    states : state of each parameter by index.
    aggregate_updates : whether lists of parameters may be given.
    """

    def __init__(self, optimizer: Optimizer):
        self.optimizer = optimizer
        self.states: dict[Any, Any] = {}
        self.states_synced: dict[Any, bool] = {}
        self.aggregate_updates = optimizer.aggregate_num > 0

    def __call__(self, index: Any, grad: Any, weight: Any) -> None:
        """Update one weight by its gradient, or each of a list."""
        if not isinstance(index, (list, tuple)):
            index, grad, weight = [index], [grad], [weight]
        optimizer, states = self.optimizer, self.states
        if weight:
            optimizer._set_current_context(weight[0].context.device_id)
        for key, w in zip(index, weight, strict=True):
            if key not in states or not self.states_synced[key]:
                self._prepare(key, w)
        together = isinstance(optimizer, Stepping) and optimizer.takes_lists
        if together and not optimizer.one_dtype:  # type: ignore[attr-defined]
            optimizer.update_multi_precision(index, weight, grad, [states[key] for key in index])
            return
        if not self.aggregate_updates and not together:
            for key, w, g in zip(index, weight, grad, strict=True):
                optimizer.update_multi_precision(key, w, g, states[key])
            return
        by_dtype: dict[Any, list] = {}
        for arguments in zip(index, weight, grad, strict=True):
            by_dtype.setdefault(arguments[1].dtype, []).append(arguments)
        size = len(index) if together else optimizer.aggregate_num
        for same in by_dtype.values():
            for start in range(0, len(same), size):
                keys, weights, grads = zip(*same[start : start + size], strict=True)
                optimizer.update_multi_precision(keys, weights, grads, [states[key] for key in keys])

    def _prepare(self, key: Any, weight: NDArray) -> None:
        """Make the state of a parameter, or bring it to the parameter's device."""
        if key not in self.states:
            self.states[key] = self.optimizer.create_state_multi_precision(key, weight)
        elif not self.states_synced[key]:
            self.states[key] = self.sync_state_context(self.states[key], weight.context)
        self.states_synced[key] = True

    def sync_state_context(self, state: Any, context: Any) -> Any:
        """Return a state with its arrays on a device."""
        if isinstance(state, NDArray):
            return state.as_in_context(context)
        if isinstance(state, (tuple, list)):
            return type(state)(self.sync_state_context(part, context) for part in state)
        return state

    def get_states(self, dump_optimizer: bool = False) -> bytes:
        """Return all states as bytes; with `dump_optimizer` the optimizer too, as its name and its fields."""
        arrays: list[NDArray] = []

        def structure(state: Any) -> Any:
            if isinstance(state, (tuple, list)):
                return [structure(part) for part in state]
            if state is None:
                return None
            arrays.append(state)
            return str(len(arrays) - 1)

        index = {
            "format": FORMAT,
            "version": VERSION,
            "states": [[key, structure(state)] for key, state in self.states.items()],
            "optimizer": describe(self.optimizer) if dump_optimizer else None,
        }
        text = np.frombuffer(json.dumps(index).encode(), np.uint8)
        named = {"index": nd.array(text, dtype=np.uint8)} | {str(i): x for i, x in enumerate(arrays)}
        stream = io.BytesIO()
        nd.save(stream, named)
        return stream.getvalue()

    def set_states(self, states: bytes) -> None:
        """Take over the states, and the optimizer if it is there, that `get_states` returned.

        States that MXNet pickled are read too, without running anything in them. Raises FormatError for
        other bytes; then nothing is changed.
        """
        if states and bytes(states[:1]) != BEGINNING:
            self._set_pickled(states)
            return
        arrays, index = read_index(states)

        def restored(state: Any) -> Any:
            if isinstance(state, list):
                return tuple(restored(part) for part in state)
            return None if state is None else arrays[state]

        try:
            found = {key: restored(state) for key, state in index["states"]}
            described = index["optimizer"]
            optimizer = self.optimizer if described is None else rebuild(described, self.optimizer)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise FormatError(problem("set_states", "states", f"the index does not fit: {error}")) from None
        self._adopt(found, optimizer)

    def _set_pickled(self, states: bytes) -> None:
        found, fields = read_pickle(states)
        try:
            optimizer = self.optimizer if fields is None else rebuild(of_mxnet(fields), self.optimizer)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            text = f"the optimizer does not fit: {error}"
            raise FormatError(problem("set_states", "states", text)) from None
        self._adopt(found, optimizer)

    def _adopt(self, states: dict, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.aggregate_updates = optimizer.aggregate_num > 0
        self.states = states
        self.states_synced = dict.fromkeys(states, False)


def read_index(states: bytes) -> tuple[dict[str, NDArray], dict[str, Any]]:
    arrays = nd.load_frombuffer(states, "states")
    try:
        index = json.loads(arrays["index"].asnumpy().tobytes())  # type: ignore[call-overload]
        if (index["format"], index["version"]) == (FORMAT, VERSION):
            return arrays, index  # type: ignore[return-value]
    except (KeyError, TypeError, ValueError, RecursionError):
        pass
    expected = f"states of an updater ({FORMAT} {VERSION})"
    raise FormatError(message("set_states", "states", expected, "something else"))


def describe(optimizer: Optimizer) -> dict[str, Any]:
    """An optimizer as its name and its fields. Keys of dicts keep their type."""
    name = type(optimizer).__name__.lower()
    described: dict[str, Any] = {"name": name, "fields": plain_fields(optimizer), "scheduler": None}
    described["counts"] = pairs(optimizer._all_index_update_counts)
    scheduler = optimizer.lr_scheduler
    if scheduler is not None:
        fields = getattr(scheduler, "__dict__", {})
        described["scheduler"] = described_scheduler(type(scheduler).__name__, fields)
    return described


def plain_fields(thing: Any) -> dict[str, Any]:
    return jsonable({name: value for name, value in vars(thing).items() if name not in OF_MXNET})


def described_scheduler(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """A scheduler as its name and its fields; of a user's class only the fields that JSON can hold.

    The optimizer that loads it has one of that class, which keeps its other fields.
    """
    kept: dict[str, Any] = {}
    for field, value in fields.items():
        with suppress(*([] if name in schedulers.__all__ else [FormatError])):
            kept |= jsonable({field: value})
    return {"name": name, "fields": kept}


def pairs(counts: dict) -> list:
    """Updates by device and index."""
    return [[device, [list(pair) for pair in of_device.items()]] for device, of_device in counts.items()]


def jsonable(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields as JSON holds them; dicts as pairs, so that keys keep their type."""
    plain = {}
    for name, value in fields.items():
        value = {"pairs": list(value.items())} if isinstance(value, dict) else value
        try:
            plain[name] = json.loads(json.dumps(value, default=number))
        except TypeError:
            expected = "fields that JSON can hold"
            raise FormatError(message("get_states", name, expected, type(value).__name__)) from None
    return plain


def number(value: Any) -> Any:
    """A number of NumPy as Python's; raise TypeError for anything else."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no number")


def rebuild(described: dict[str, Any], old: Optimizer) -> Optimizer:
    """The optimizer that was described; its symbol and parameters are the old one's."""
    name = described["name"]
    klass = type(old) if type(old).__name__.lower() == name else Optimizer.opt_registry.get(name)
    if klass is None:
        raise ValueError(f"no optimizer {name!r} is registered")
    new = klass.__new__(klass)
    with suppress(Exception):  # a class of a user's may want arguments
        vars(new).update(vars(klass()))  # fields that an older MXNet did not have yet
    vars(new).update({name: getattr(old, name) for name in LEFT_OUT})
    fill(new, described["fields"])
    counts = {device: dict(map(tuple, of_device)) for device, of_device in described["counts"]}
    new._all_index_update_counts = counts
    new._set_current_context(0)
    new.lr_scheduler = None
    if described["scheduler"] is not None:
        new.lr_scheduler = scheduler_like(described["scheduler"]["name"], old.lr_scheduler)
        fill(new.lr_scheduler, described["scheduler"]["fields"])
    return new


def scheduler_like(name: str, old: Any) -> Any:
    """A scheduler of the class with this name, which a user's own optimizer has to have already."""
    if type(old).__name__ == name:
        return copy.copy(old)
    if name not in schedulers.__all__:
        raise ValueError(f"no scheduler {name!r}; make the optimizer with one before the states are loaded")
    kind = getattr(schedulers, name)
    return kind.__new__(kind)


def of_mxnet(fields: Fields) -> dict[str, Any]:
    """The fields of a pickled optimizer as `describe` would have written them."""

    kept = {name: value for name, value in fields.held.items() if name not in OF_MXNET}
    found: dict[str, Any] = {"name": fields.name.lower(), "fields": jsonable(kept), "scheduler": None}
    scheduler = fields.held.get("lr_scheduler")
    if scheduler is not None:
        found["scheduler"] = described_scheduler(scheduler.name, scheduler.held)
    counts = fields.held.get("_all_index_update_counts") or {0: fields.held["_index_update_count"]}
    return found | {"counts": pairs(counts)}


def fill(thing: Any, fields: dict[str, Any]) -> None:
    """Set fields, but nothing that the class defines, such as a method."""
    for name, value in fields.items():
        if callable(getattr(type(thing), name, None)):
            raise ValueError(f"{name!r} is no field")
        vars(thing)[name] = dict(map(tuple, value["pairs"])) if isinstance(value, dict) else value


def get_updater(optimizer: Optimizer) -> Updater:
    """Return the function `updater(index, grad, weight)` of an optimizer."""
    return Updater(optimizer)
