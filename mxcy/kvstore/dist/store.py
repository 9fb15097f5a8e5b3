"""`DistKVStore`: the stores "dist_sync", "dist_async", "dist_device_sync" of one worker.

A push or pull is an operation of the engine on the arrays that it reads or writes: a gradient travels as
soon as it is there, while others are still computed, and a program waits only where it reads what was
pulled. Pushes and pulls of one key keep their order.
"""

from __future__ import annotations

import atexit
import copy
import os
import weakref
from typing import Any

import numpy as np

from ... import _engine
from ... import ndarray as nd
from ... import optimizer as optimizers
from ..._export import operand_view
from ..._files import replacing
from ...context import cpu
from ...errors import AssertedArgumentError, MXNetError, ShapeError, StateError, message, problem, wrap
from ...ndarray import NDArray
from ...optimizer.updater import describe
from ..compression import params_of
from ..local import KVStore
from .codecs import Compression
from .session import Session
from .slices import Key

__all__ = ["DistKVStore"]

BUCKET = 64 << 10  # arrays up to here travel together
CPU = cpu()
STORES: weakref.WeakSet = weakref.WeakSet()


class DistKVStore(KVStore):
    """Arrays by key that all workers of a job share. Made by `create`.

    Parameters
    ----------
    type : the name given to `create`.
    session : this worker's part in the job.
    close : called when the store is closed.
    """

    def __init__(self, type: str, session: Session, close: Any = None):
        super().__init__(type)
        self._session = session
        self._close = close
        self._orders = session.orders
        self._process = os.getpid()
        STORES.add(self)

    @property
    def alone(self) -> bool:
        """Whether it began its job, whose only worker this process is."""
        return self._close is not None

    def __repr__(self) -> str:
        keys = len(self._session.keys)
        return f"<KVStore {self._type}: worker {self.rank} of {self.num_workers}, {keys} keys>"

    # -- values -----------------------------------------------------------------------------------------

    def init(self, key: Any, value: Any) -> None:
        """Keep the values of the worker with rank 0. All workers call this, with the same keys and shapes."""
        given = dict(self._firsts(key, value))
        specs = [
            {"key": k, "shape": list(x.shape), "dtype": np.dtype(x.dtype).name} for k, x in given.items()
        ]
        self._session.declare(specs, lambda name: given[name].asnumpy().reshape(-1))
        for k in given:
            self._orders[k] = _engine.Var()

    def push(self, key: Any, value: Any, priority: int = 0) -> None:
        """Add up the values of each key over devices and workers; give the sum to the updater, or keep it.

        A round of a key ends when all workers have pushed it ("dist_sync"), or with each push ("dist_async").
        """
        grouped: dict[Any, list[NDArray]] = {}
        for k, values in self._pairs("push", key, value):
            self._known("push", k, values)
            grouped.setdefault(k, []).extend(values)
        self._session.train()
        bucket: list[tuple[Key, NDArray]] = []
        for k, values in grouped.items():
            found = self._session.keys[k]
            if any(is_sparse(x) for x in values):
                self._push_rows(found, values)
                continue
            near = [x.as_in_context(CPU) for x in values]
            merged = near[0] if len(near) == 1 else nd.add_n(*near)
            if np.dtype(merged.dtype) != found.dtype:
                merged = merged.astype(found.dtype)
            if found.size * found.dtype.itemsize <= BUCKET:
                bucket.append((found, merged))
            else:
                self._send([(found, merged)], priority)
        if bucket:
            self._send(bucket, priority)

    def _send(self, given: list[tuple[Key, NDArray]], priority: int) -> None:
        session = self._session

        def run() -> None:
            session.push([(key, operand_view(x).reshape(-1)) for key, x in given])

        reads = [x.var_handle() for _, x in given]
        orders = [self._orders[key.name] for key, _ in given]
        _engine.push(run, reads, orders, priority=priority, name="KVStore.push")

    def pull(self, key: Any, out: Any = None, priority: int = 0, ignore_sparse: bool = True) -> None:
        """Copy what is kept under each key, after this worker's pushes so far, to all dense arrays of `out`.

        MXNetError for sparse ones with `ignore_sparse=False`: `row_sparse_pull` is for these, as in MXNet.
        """
        if out is None:
            raise AssertedArgumentError(message("pull", "out", "an NDArray or a list", "None"))
        bucket: list[tuple[Key, list[NDArray]]] = []
        for k, targets in self._pairs("pull", key, out):
            dense = [x for x in targets if not is_sparse(x)]
            if not ignore_sparse and len(dense) < len(targets):
                text = f"{self._type} does not pull whole arrays to sparse ones"
                raise MXNetError(problem("pull", "out", text, "use row_sparse_pull"))
            targets = dense
            self._known("pull", k, targets)
            found = self._session.keys[k]
            if not targets:
                continue
            if found.size * found.dtype.itemsize <= BUCKET:
                bucket.append((found, targets))
            else:
                self._receive([(found, targets)], priority)
        if bucket:
            self._receive(bucket, priority)

    def _receive(self, wanted: list[tuple[Key, list[NDArray]]], priority: int) -> None:
        session, asked = self._session, []
        orders = [self._orders[key.name] for key, _ in wanted]
        landings = [(key, landing(key, targets)) for key, targets in wanted]

        def ask() -> None:
            asked.append(session.pull([key for key, _ in wanted]))

        def receive() -> None:
            views = {key.name: operand_view(x) for key, x in landings}
            flat = {name: np.ascontiguousarray(view).reshape(-1) for name, view in views.items()}
            asked[0].into(flat)
            for name, view in views.items():
                if not view.flags.c_contiguous:
                    view[...] = flat[name].reshape(view.shape)

        _engine.push(ask, (), orders, priority=priority, name="KVStore.ask")
        writes = [x.var_handle() for _, x in landings]
        _engine.push(receive, orders, writes, priority=priority, lane="io", name="KVStore.pull")
        for (_, x), (_, targets) in zip(landings, wanted, strict=True):
            for target in targets:
                if target is not x:
                    x.copyto(target)

    def row_sparse_pull(self, key: Any, out: Any = None, priority: int = 0, row_ids: Any = None) -> None:
        """Copy rows of what is kept to arrays; all other rows of these are zero.

        `row_ids`: an array of row numbers for each array of `out` (in lists as these are), or one for all;
        they may repeat.
        """
        for k, target, rows in self._rows_wanted(key, out, row_ids):
            found = self._session.keys[k]
            _engine.wait(self._orders[k])
            indices = np.unique(rows.asnumpy().reshape(-1).astype(np.int64))
            values = self._session.pull_rows(found, indices)()
            put_rows(target, indices, values.reshape(len(indices), *found.shape[1:]))

    def _push_rows(self, key: Key, values: list[NDArray]) -> None:
        """Rows of all devices, added up in the order of the devices."""
        parts = [rows_of(x, key.width) for x in values]
        indices = np.unique(np.concatenate([part[0] for part in parts]))
        total = np.zeros((len(indices), key.width), key.dtype)
        for found, rows in parts:
            total[np.searchsorted(indices, found)] += rows
        _engine.wait(self._orders[key.name])
        self._session.push([(key, (indices, total))])

    # -- updates ----------------------------------------------------------------------------------------

    def set_updater(self, updater: Any) -> None:
        """Let the servers run `updater(key, sum, stored)`, where the job takes functions of programs.

        Servers run code of others only if the job was begun with `custom_updaters`; otherwise this raises
        StateError. `set_optimizer` needs no such permission: optimizers travel as names and numbers.
        """
        self._send_function(updater)

    _set_updater = set_updater

    def _send_function(self, updater: Any) -> None:
        if not self._session.options.custom_updaters:
            text = "the servers of this job take no functions"
            if isinstance(updater, optimizers.Updater):
                text += f", such as the optimizer {type(updater.optimizer).__name__}"
            hint = "use an optimizer of the package, or launch with --custom-updaters"
            raise StateError(problem("set_updater", None, text, hint))
        from ray import cloudpickle

        self._session.call_all("updater", [cloudpickle.dumps(updater)])

    def set_optimizer(self, optimizer: optimizers.Optimizer) -> None:
        """Let the servers run an optimizer. They get its name, its numbers and its multipliers.

        One that the program has defined, or that has a scheduler of the program, is code: see `set_updater`.
        """
        self._give(optimizer)
        self._updater = optimizers.get_updater(optimizer)

    def _give(self, optimizer: optimizers.Optimizer) -> None:
        sent = copy.copy(optimizer)
        sent.param_dict, sent.sym_info = {}, ()
        for which in ("lr_mult", "wd_mult"):
            own = {index: getattr(p, which) for index, p in optimizer.param_dict.items()}
            setattr(sent, which, getattr(optimizer, which) | own)
        if all(is_ours(one) for one in (optimizer, optimizer.lr_scheduler)):
            self._session.call_all("optimizer", optimizer=describe(sent))
        else:
            self._send_function(optimizers.get_updater(sent))

    def set_gradient_compression(self, compression_params: dict) -> None:
        """Compress what is sent to the servers; see `Compression`. All workers call this."""
        compression = Compression(**params_of(compression_params))
        self._session.set_compression(compression)

    def save_optimizer_states(self, fname: str, dump_optimizer: bool = False) -> None:
        """Write the states of the servers' optimizers to a file, as a store of one machine would."""
        updater = self._with_states("save_optimizer_states")
        self._drain()
        updater.states, counts = self._session.states()
        updater.states_synced = dict.fromkeys(updater.states, True)
        optimizer = updater.optimizer  # whose copies on the servers are those that update
        optimizer._index_update_count.update(counts)
        optimizer.num_update = max([optimizer.num_update, *counts.values()])
        content = updater.get_states(dump_optimizer)
        with replacing(fname) as stream:
            stream.write(content)

    def load_optimizer_states(self, fname: str) -> None:
        """Give the servers the states of a file."""
        updater = self._with_states("load_optimizer_states")
        try:
            with open(fname, "rb") as stream:
                content = stream.read()
        except OSError as error:
            raise wrap(error) from None
        before = updater.optimizer
        updater.set_states(content)
        self._drain()
        if updater.optimizer is not before:
            self._give(updater.optimizer)
        self._session.set_states(updater.states)

    # -- workers ----------------------------------------------------------------------------------------

    @property
    def rank(self) -> int:
        """The number of this worker."""
        return self._session.rank

    @property
    def num_workers(self) -> int:
        """How many workers the job has; of an elastic one, how many there are now."""
        options = self._session.options
        return len(self._session.members["ranks"]) if options.elastic else options.workers

    def num_dead_node(self, node_id: int = 0, timeout: float = 60) -> int:
        """Return how many workers are lost. The arguments are MXNet's and change nothing."""
        return self._session.dead

    def barrier(self) -> None:
        """Wait until all workers are here and what they have pushed is on its way."""
        self._drain()
        self._session.barrier()

    _barrier = barrier

    def dashboard(self) -> str:
        """Return one line for each server: keys, bytes kept, rate, rounds between first and last worker."""
        lines = []
        for server, (found, _) in zip(self._session.shards, self._session.call_all("stats"), strict=True):
            rate = found["bytes_per_second"] / 1e6
            lines.append(
                f"server {server}: {found['keys']} keys, {found['bytes'] / 1e6:.1f} MB, {rate:.1f} MB/s, "
                f"lag {found['lag']}, {found['updates']} updates, {found['repeated']} repeated"
            )
        return "\n".join(lines)

    def _drain(self) -> None:
        """Wait until the engine has run this store's operations."""
        for order in self._orders.values():
            _engine.wait(order, True)

    def close(self) -> None:
        """Leave the job: what was pushed is sent first. A program's end does this too."""
        close, self._close = self._close, None
        if self._session.open:
            try:
                self._drain()
            except MXNetError:
                pass  # it was told to whoever reads what it was for
            self._session.close()
        if close is not None:
            close()

    # -- arguments --------------------------------------------------------------------------------------

    def _known(self, call: str, key: Any, arrays: list[NDArray]) -> None:
        found = self._session.key(call, key)
        for x in arrays:
            if x.shape != found.shape:
                raise ShapeError(message(call, f"key {key!r}", f"shape {found.shape}", x.shape))


def is_ours(thing: Any) -> bool:
    """Whether the class of an object is one that servers have."""
    return thing is None or type(thing).__module__.partition(".")[0] == __name__.partition(".")[0]


def is_sparse(x: NDArray) -> bool:
    return getattr(x, "stype", "default") != "default"


def rows_of(x: NDArray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(indices, flat rows) of a gradient; of a dense one all rows."""
    if not is_sparse(x):
        values = x.asnumpy().reshape(-1, width)
        return np.arange(len(values)), values
    indices = x.indices.asnumpy().astype(np.int64)
    return indices, x.data.asnumpy().reshape(len(indices), width)


def put_rows(target: NDArray, indices: np.ndarray, rows: np.ndarray) -> None:
    if is_sparse(target):
        made = nd.sparse.row_sparse_array((rows, indices), shape=target.shape, dtype=target.dtype)
        made.copyto(target)
        return
    dense = np.zeros(target.shape, rows.dtype)
    dense[indices] = rows
    nd.array(dense, dtype=target.dtype).copyto(target)


def landing(key: Key, targets: list[NDArray]) -> NDArray:
    """The array that a value is copied to when it comes: a target if it can take it as it is."""
    for x in targets:
        if x.context.device_type != "gpu" and np.dtype(x.dtype) == key.dtype:
            return x
    return nd.empty(key.shape, ctx=CPU, dtype=key.dtype)


def close_all() -> None:
    """Close the stores of this process; a fork's copies are not its own."""
    for store in list(STORES):
        if store._process == os.getpid():
            store.close()


atexit.register(close_all)  # before the engine's, which waits for operations
