"""`DataLoader`: batches of a data set, made by threads or processes while training goes on."""

from __future__ import annotations

import itertools
import multiprocessing.pool  # MXNet's programs name it without importing it
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np

from ... import ndarray as nd
from ..._array import Array
from ...context import Context
from ...errors import ArgumentError, AssertedArgumentError, EngineError, message, problem
from ...switches import is_np_array
from ..nesting import converted, has_numpy
from .sampler import BatchSampler, RandomSampler, SequentialSampler
from .worker_iterator import MultiWorkerIter as _MultiWorkerIter
from .worker_iterator import as_in_context as _as_in_context

__all__ = ["DataLoader", "default_batchify_fn", "default_mp_batchify_fn"]
__all__ += ["ForkingPickler", "_MultiWorkerIter", "_as_in_context"]  # which libraries import from here


def default_batchify_fn(data: list) -> Any:
    """Return samples as a batch: arrays stacked, numbers as an array, tuples part by part."""
    if isinstance(data[0], Array):
        return converted(nd.stack(*data), is_np_array() or has_numpy(data))
    if isinstance(data[0], tuple):
        return [default_batchify_fn(list(part)) for part in zip(*data, strict=True)]
    values = np.asarray(data)
    return converted(nd.array(values, dtype=values.dtype), is_np_array())


def default_mp_batchify_fn(data: list) -> Any:
    """As `default_batchify_fn`: batches of worker processes arrive as arrays of the same kind."""
    return default_batchify_fn(data)


# What a worker process works on: data set and function, given to it once, when it starts.
_work: tuple[Any, Callable] | None = None


def _start_worker(dataset: Any, batchify: Callable) -> None:
    global _work
    _work = dataset, batchify


def _make_batch(indices: list[int]) -> Any:
    dataset, batchify = _work  # type: ignore[misc]
    return batchify([dataset[i] for i in indices])


class DataLoader:
    """Iterates over batches of a data set.

    Parameters
    ----------
    dataset : samples by number.
    batch_size, shuffle, last_batch : see `BatchSampler`; "keep" by default.
    sampler : gives the numbers of the samples, instead of `shuffle`.
    batch_sampler : gives lists of numbers, instead of all of these.
    batchify_fn : makes a batch of a list of samples.
    num_workers : how many processes (with `thread_pool`: threads) make batches; 0: the calling thread.
    prefetch : batches that are made ahead; twice the number of workers by default.
    timeout : seconds to wait for a batch.
    auto_reload : whether the workers begin the next epoch when one has ended; see `refresh` and `clean`.
    pin_memory, pin_device_id : give batches the context `cpu_pinned`, for copies to a GPU.

    An exception in a worker is raised here, with the worker's traceback; a worker that ends is an
    EngineError.
    """

    def __init__(self, dataset: Any, batch_size: int | None = None, shuffle: bool = False,
                 sampler: Any = None, last_batch: str | None = None, batch_sampler: Any = None,
                 batchify_fn: Callable | None = None, num_workers: int = 0, pin_memory: bool = False,
                 pin_device_id: int = 0, prefetch: int | None = None, thread_pool: bool = False,
                 timeout: float = 120, try_nopython: Any = None,
                 auto_reload: bool = False):  # fmt: skip
        if timeout <= 0:
            raise AssertedArgumentError(message("DataLoader", "timeout", "more than 0 seconds", timeout))
        if batch_sampler is None:
            if batch_size is None:
                text = "batch_size must be specified unless batch_sampler is"
                raise ArgumentError(problem("DataLoader", "batch_size", text))
            if sampler is not None and shuffle:
                text = "shuffle must not be specified if sampler is"
                raise ArgumentError(problem("DataLoader", "shuffle", text))
            if sampler is None:
                sampler = RandomSampler(len(dataset)) if shuffle else SequentialSampler(len(dataset))
            batch_sampler = BatchSampler(sampler, batch_size, last_batch or "keep")
        elif batch_size is not None or shuffle or sampler is not None or last_batch is not None:
            text = "batch_size, shuffle, sampler and last_batch must not be specified if batch_sampler is"
            raise ArgumentError(problem("DataLoader", "batch_sampler", text))
        self._dataset = dataset
        self._batch_sampler = batch_sampler
        self._num_workers = max(0, num_workers)
        self._prefetch = max(1, 2 * self._num_workers if prefetch is None else int(prefetch))
        self._thread_pool = thread_pool
        self._timeout = timeout
        self._batchify_fn = batchify_fn or default_batchify_fn
        self._auto_reload = auto_reload
        self._context = Context("cpu_pinned", pin_device_id) if pin_memory else None
        self._ahead: Iterator | None = None  # an epoch that has been begun
        self._pool: Executor | None = None

    def __len__(self) -> int:
        return len(self._batch_sampler)

    def __iter__(self) -> Iterator:
        if self._context is None:
            return self._batches()
        return (_as_in_context(batch, self._context) for batch in self._batches())

    def _batches(self) -> Iterator:
        if self._num_workers == 0:
            for indices in self._batch_sampler:
                yield self._made(indices)
            return
        if self._ahead is None:
            self.refresh()
        ahead, self._ahead = self._ahead, None
        yield from ahead  # type: ignore[misc]
        if self._auto_reload and self._ahead is None:
            self.refresh()

    def refresh(self) -> None:
        """Have the first batches of the next epoch made, of the data set as it is now."""
        batches = iter(self._batch_sampler)
        waiting = deque(self._submit(indices) for indices in itertools.islice(batches, self._prefetch))
        self._ahead = self._rest(batches, waiting)

    def clean(self) -> None:
        """Drop what `refresh` has had made."""
        self._ahead = None

    def _rest(self, batches: Iterator, waiting: deque[Future]) -> Iterator:
        """The batches of an epoch, of which the first ones are being made."""
        try:
            for indices in batches:
                waiting.append(self._submit(indices))
                yield self._result(waiting.popleft())
            while waiting:
                yield self._result(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()

    def _made(self, indices: list[int]) -> Any:
        return self._batchify_fn([self._dataset[i] for i in indices])

    def _submit(self, indices: list[int]) -> Future:
        if self._thread_pool:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._num_workers)
            return self._pool.submit(self._made, indices)
        if self._pool is None:
            # Forked, so that data sets and functions need not be picklable; the engine sees to forks.
            context = multiprocessing.get_context("fork")
            self._pool = ProcessPoolExecutor(self._num_workers, context, _start_worker,
                                             (self._dataset, self._batchify_fn))  # fmt: skip
        return self._pool.submit(_make_batch, indices)

    def _result(self, future: Future) -> Any:
        try:
            return future.result(self._timeout)
        except BrokenProcessPool:
            self._pool = None
            text = "a worker process ended before its batch was made"
            hint = "it may have had too little memory; try num_workers=0 to see its error"
            raise EngineError(problem("DataLoader", "num_workers", text, hint)) from None
        except FutureTimeout:
            if not future.done():
                text = f"no batch was made in {self._timeout} seconds"
                hint = "set a larger timeout, or num_workers=0 to debug"
                raise EngineError(problem("DataLoader", "timeout", text, hint)) from None
            raise

    def __del__(self) -> None:
        pool = getattr(self, "_pool", None)
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
