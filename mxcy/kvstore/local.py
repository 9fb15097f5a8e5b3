"""`KVStore`: the stores "local" and "device", for several devices of one machine.

Values of several devices are added in the order in which they are given, so that the result is the same bit
for bit whatever the number of threads. Sums and copies are operations of the engine: a call returns at once,
and the sum of a gradient runs as soon as that gradient is there, while others are still computed.
"""

from __future__ import annotations

from typing import Any

from .. import ndarray as nd
from .. import optimizer as optimizers
from .._array import Array
from .._files import replacing
from ..errors import (
    ArgumentError,
    ArgumentTypeError,
    AssertedArgumentError,
    MXNetError,
    OperandTypeError,
    ShapeError,
    StateError,
    closest,
    message,
    problem,
    wrap,
)
from ..ndarray import NDArray
from .base import KVStoreBase, unknown_capability
from .compression import Compression, params_of

__all__ = ["KVStore", "create"]

DIST = (
    *("dist", "dist_sync", "dist_device_sync", "dist_sync_device", "dist_device"),
    *("dist_async", "dist_device_async", "dist_async_device"),
)


class KVStore(KVStoreBase):
    """Arrays by key: an int or a str. Made by `create`.

    Calls take one key and a value, or a list of keys and a list of values. A value is an NDArray, or a list
    with one for each device.
    """

    def __init__(self, type: str = "local"):
        self._type = type
        self._stored: dict[Any, NDArray] = {}
        self._key_type: type | None = None  # type: ignore[valid-type]
        self._updater: Any = None
        self._compression: Compression | None = None

    def __repr__(self) -> str:
        return f"<KVStore {self._type}: {len(self._stored)} keys>"

    # -- values -----------------------------------------------------------------------------------------

    def init(self, key: Any, value: Any) -> None:
        """Keep a copy of each value. Every key is initialized once, before it is pushed or pulled."""
        for k, x in self._firsts(key, value):
            if k in self._stored:
                raise duplicate(k)
            self._stored[k] = x.copy()

    def _firsts(self, key: Any, value: Any) -> list[tuple[Any, NDArray]]:
        """(key, its only value) of `init`."""
        found: dict[Any, NDArray] = {}
        for k, values in self._pairs("init", key, value):
            if k in found or len(values) > 1:
                raise duplicate(k)
            found[k] = values[0]
        return list(found.items())

    def push(self, key: Any, value: Any, priority: int = 0) -> None:
        """Add up the values of each key, and give the sum to the updater, or keep it in place of the old one.

        Keys that come several times in one call are added up too. `priority` is accepted: sums run in
        the order in which their values are ready.
        """
        grouped: dict[Any, list[NDArray]] = {}
        for k, values in self._pairs("push", key, value):
            self._known("push", k, values)
            grouped.setdefault(k, []).extend(values)
        for k, values in grouped.items():
            self._merge(k, values)

    def _merge(self, key: Any, values: list[NDArray]) -> None:
        stored = self._stored[key]
        if self._compression is not None:
            values = [self._compression(key, i, x) for i, x in enumerate(values)]
        near = [near_to(x, stored) for x in values]
        if self._updater is None:
            merged = near[0] if len(near) == 1 else None
            if any(x.stype != "default" for x in near) and near[0].stype != stored.stype:
                total = nd.add_n(*near) if merged is None else merged.copy()
                self._stored[key] = total.astype(stored.dtype, copy=False)
            elif len(near) == 1:
                near[0].copyto(stored)
            else:
                nd.add_n(*near, out=stored)
        else:
            # A single value is given as it is: an updater does not change gradients.
            self._updater(key, near[0] if len(near) == 1 else nd.add_n(*near), stored)

    def pull(self, key: Any, out: Any = None, priority: int = 0, ignore_sparse: bool = True) -> None:
        """Copy what is kept under each key to all arrays of `out`; with `ignore_sparse` only to dense ones.

        Rows of sparse ones are what `row_sparse_pull` is for.
        """
        if out is None:
            raise AssertedArgumentError(message("pull", "out", "an NDArray or a list", "None"))
        for k, targets in self._pairs("pull", key, out):
            self._known("pull", k, targets)
            for target in targets:
                if not (ignore_sparse and target.stype != "default"):
                    self._stored[k].copyto(target)

    def pushpull(self, key: Any, value: Any, out: Any = None, priority: int = 0) -> None:
        """`push`, then `pull` to `out`, or to the values themselves."""
        self.push(key, value, priority)
        self.pull(key, value if out is None else out, priority)

    def broadcast(self, key: Any, value: Any, out: Any, priority: int = 0) -> None:
        """`init`, then `pull`."""
        self.init(key, value)
        self.pull(key, out, priority)

    def row_sparse_pull(self, key: Any, out: Any = None, priority: int = 0, row_ids: Any = None) -> None:
        """Copy rows of what is kept under each key to arrays in row-sparse storage, which keep no others.

        `row_ids`: an array of row numbers for each array of `out` (in lists as these are), or one for all;
        they may repeat.
        """
        for k, target, rows in self._rows_wanted(key, out, row_ids):
            self._pull_rows(k, target, rows)

    def _rows_wanted(self, key: Any, out: Any, row_ids: Any) -> list[tuple[Any, NDArray, NDArray]]:
        """(key, array, numbers of its rows) for each array of `row_sparse_pull`."""
        for argument, value in (("out", out), ("row_ids", row_ids)):
            if value is None:
                raise AssertedArgumentError(message("row_sparse_pull", argument, "NDArrays", "None"))
        ids: list[NDArray] = []
        for part in row_ids if isinstance(row_ids, (list, tuple)) else [row_ids]:
            ids += part if isinstance(part, (list, tuple)) else [part]
        ids = [faced("row_sparse_pull", one) for one in ids]
        pairs = self._pairs("row_sparse_pull", key, out)
        for k, targets in pairs:
            self._known("row_sparse_pull", k, targets)
        arrays = [(k, target) for k, targets in pairs for target in targets]
        if len(ids) not in (1, len(arrays)):
            expected = f"1 or {len(arrays)} arrays"
            raise AssertedArgumentError(message("row_sparse_pull", "row_ids", expected, len(ids)))
        rows = ids * len(arrays) if len(ids) == 1 else ids
        return [(k, target, wanted) for (k, target), wanted in zip(arrays, rows, strict=True)]

    def _pull_rows(self, key: Any, target: NDArray, rows: NDArray) -> None:
        stored = self._stored[key]
        for what, x in (("the value kept", stored), ("out", target)):
            if x.stype != "row_sparse":
                got = f"{x.stype} storage of {what} under key {key!r}"
                raise ArgumentError(message("row_sparse_pull", "out", "row-sparse storage", got))
        nd.sparse.retain(stored, rows.as_in_context(stored.context)).copyto(target)

    # -- updates ----------------------------------------------------------------------------------------

    def set_updater(self, updater: Any) -> None:
        """Let `updater(key, sum, stored)` change what is kept by what is pushed."""
        self._updater = updater

    _set_updater = set_updater

    def set_optimizer(self, optimizer: optimizers.Optimizer) -> None:
        """Let an optimizer update what is kept; keys are the indices of its parameters."""
        self.set_updater(optimizers.get_updater(optimizer))

    def save_optimizer_states(self, fname: str, dump_optimizer: bool = False) -> None:
        """Write the states of the optimizer to a file (and the optimizer, if wanted)."""
        content = self._with_states("save_optimizer_states").get_states(dump_optimizer)
        with replacing(fname) as stream:
            stream.write(content)

    def load_optimizer_states(self, fname: str) -> None:
        """Take over the states of a file."""
        updater = self._with_states("load_optimizer_states")
        try:
            with open(fname, "rb") as stream:
                content = stream.read()
        except OSError as error:
            raise wrap(error) from None
        updater.set_states(content)

    def _with_states(self, call: str) -> Any:
        if self._updater is None:
            raise AssertedArgumentError(problem(call, None, "there is no optimizer", "call set_optimizer"))
        return self._updater

    def set_gradient_compression(self, compression_params: dict) -> None:
        """Compress what is pushed, as `Compression` says; only for "device", as in MXNet."""
        if "device" not in self._type:
            text = "gradient compression is not supported for this type of kvstore"
            raise MXNetError(problem("set_gradient_compression", None, text, "create('device') has it"))
        self._compression = Compression(**params_of(compression_params))

    # -- workers ----------------------------------------------------------------------------------------

    @staticmethod
    def is_capable(capability: str) -> bool:
        """See `KVStoreBase.is_capable`."""
        if capability.lower() == KVStoreBase.OPTIMIZER:
            return True
        raise unknown_capability(capability)

    @property
    def type(self) -> str:
        """The name under which the store was made."""
        return self._type

    @property
    def rank(self) -> int:
        """The number of this worker: 0, the only one."""
        return 0

    @property
    def num_workers(self) -> int:
        """How many workers there are: 1."""
        return 1

    def barrier(self) -> None:
        """Wait for all workers: this one is the only one."""

    _barrier = barrier

    # -- arguments --------------------------------------------------------------------------------------

    def _pairs(self, call: str, key: Any, value: Any) -> list[tuple[Any, list[NDArray]]]:
        """(key, list of arrays) for each key."""
        if isinstance(key, (list, tuple)):
            if not isinstance(value, (list, tuple)) or len(value) != len(key):
                got = len(value) if isinstance(value, (list, tuple)) else type(value).__name__
                expected = f"{len(key)} values, one for each key"
                raise AssertedArgumentError(message(call, "value", expected, got))
            return [pair for k, v in zip(key, value, strict=True) for pair in self._pairs(call, k, v)]
        if not isinstance(key, (int, str)) or isinstance(key, bool):
            raise OperandTypeError(message(call, "key", "an int or a str", type(key).__name__))
        kind = str if isinstance(key, str) else int
        if self._key_type not in (None, kind):
            text = f"keys of this store are of type {self._key_type.__name__}, got {key!r}"
            raise AssertedArgumentError(problem(call, "key", text, "do not mix them"))
        self._key_type = kind
        values = [faced(call, x) for x in (value if isinstance(value, (list, tuple)) else [value])]
        if not values:
            raise ArgumentError(message(call, "value", "at least one NDArray", "none"))
        return [(key, values)]

    def _known(self, call: str, key: Any, arrays: list[NDArray]) -> None:
        """Raise unless a key was initialized with arrays of this shape."""
        stored = self._stored.get(key)
        if stored is None:
            near = closest(key, self._stored) if isinstance(key, str) else []
            hint = f"did you mean {near[0]!r}?" if near else "call init first"
            raise ArgumentError(problem(call, "key", f"key {key!r} has not been inited", hint))
        for x in arrays:
            if x.shape != stored.shape:
                raise ShapeError(message(call, f"key {key!r}", f"shape {stored.shape}", x.shape))


def faced(call: str, x: Any) -> NDArray:
    """An array as NDArray; those of `mx.np` share their values with it."""
    if isinstance(x, NDArray):
        return x
    if isinstance(x, Array):
        return x.as_nd_ndarray()
    raise OperandTypeError(message(call, "value", "NDArrays", type(x).__name__))


def near_to(x: NDArray, other: NDArray) -> NDArray:
    """An array where operations with another one read it: a copy, unless both are in main memory."""
    here, there = x.context, other.context
    if here.device_type.startswith("cpu") and there.device_type.startswith("cpu"):
        return x
    return x.as_in_context(there)


def duplicate(key: Any) -> StateError:
    """The error of a key that is initialized twice."""
    return StateError(problem("init", "key", f"duplicate init of key {key!r}"))


def create(name: str = "local", **options: Any) -> KVStoreBase:
    """Return a store: a registered class, "local" or "device" (which add values alike here), or one of many
    machines ("dist_sync", "dist_async", "dist_device_sync"), whose `options` are those of `dist.create`.

    >>> create("local").num_workers
    1
    """
    if not isinstance(name, str):
        raise ArgumentTypeError(message("create", "name", "a str", type(name).__name__))
    low = name.lower()
    if low in KVStoreBase.kv_registry:
        return KVStoreBase.kv_registry[low]()
    if "dist" not in low and ("local" in low or "device" in low):
        return KVStore(low)
    if low in DIST:
        from . import dist  # Ray and ZeroMQ are needed there only

        return dist.create(low, **options)
    raise ArgumentError(message("create", "name", "'local', 'device' or 'dist_sync'", repr(name)))
