"""Batches made by a pool of `multiprocessing`: what data loaders of other libraries extend.

`DataLoader` itself does not use this. Libraries that were written for MXNet subclass `_MultiWorkerIter` of
`mxnet.gluon.data.dataloader` and give its pool other work.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

from ..._array import Array
from ...context import Context
from ...switches import is_np_array
from ..nesting import converted

__all__ = ["MultiWorkerIter", "as_in_context"]


def as_in_context(data: Any, ctx: Context) -> Any:
    """Return arrays, or arrays in lists of lists, on a context."""
    if isinstance(data, Array):
        return data.as_in_context(ctx)
    return [as_in_context(part, ctx) for part in data] if isinstance(data, (list, tuple)) else data


class MultiWorkerIter:
    """Iterates over batches that a pool makes, up to `prefetch` of them ahead.

    Parameters
    ----------
    worker_pool : a pool of processes (whose results are pickled) or, with a `dataset`, of threads.
    batchify_fn, dataset : passed to `worker_fn` after the numbers of the samples of a batch.
    batch_sampler : gives these numbers.
    worker_fn : returns a batch, pickled without a `dataset`.
    data_loader : kept alive.
    timeout : seconds to wait for a batch.
    """

    def __init__(self, worker_pool: Any, batchify_fn: Callable, batch_sampler: Any, pin_memory: bool = False,
                 pin_device_id: int = 0, worker_fn: Callable | None = None, prefetch: int = 0,
                 dataset: Any = None, data_loader: Any = None, timeout: float = 120):  # fmt: skip
        self._worker_pool = worker_pool
        self._batchify_fn = batchify_fn
        self._batch_sampler = batch_sampler
        self._data_buffer: dict[int, Any] = {}
        self._rcvd_idx = 0
        self._sent_idx = 0
        self._iter = iter(batch_sampler)
        self._worker_fn = worker_fn
        self._pin_memory = pin_memory
        self._pin_device_id = pin_device_id
        self._dataset = dataset
        self._data_loader = data_loader
        self._timeout = timeout
        for _ in range(prefetch):
            self._push_next()

    def __len__(self) -> int:
        return len(self._batch_sampler)

    def _push_next(self) -> None:
        """Give the pool the next batch, if there is one."""
        samples = next(self._iter, None)
        if samples is None:
            return
        work = (samples, self._batchify_fn, self._dataset)
        self._data_buffer[self._sent_idx] = self._worker_pool.apply_async(self._worker_fn, work)
        self._sent_idx += 1

    def __next__(self) -> Any:
        self._push_next()
        if self._rcvd_idx == self._sent_idx:
            raise StopIteration
        result = self._data_buffer.pop(self._rcvd_idx).get(self._timeout)
        self._rcvd_idx += 1
        batch = pickle.loads(result) if self._dataset is None else result
        if is_np_array():  # a switch of this thread, which workers do not know
            batch = converted(batch, True)
        if self._pin_memory:
            batch = as_in_context(batch, Context("cpu_pinned", self._pin_device_id))
        return batch

    def next(self) -> Any:
        """Return the next batch."""
        return self.__next__()

    def __iter__(self) -> Iterator:
        return self
