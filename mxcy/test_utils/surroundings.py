"""What tests need around them: defaults, environment variables, repetition, expected exceptions."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import context
from ..errors import AssertedArgumentError, message
from ..io import DataIter
from ..ndarray import waitall

__all__ = [
    "DummyIter", "assert_exception", "default_context", "default_dtype", "discard_stderr", "environment",
    "has_tvm_ops", "is_aarch64_run", "is_cd_run", "is_op_runnable", "list_gpus", "retry",
    "same_symbol_structure", "set_default_context",
]  # fmt: skip


def default_context() -> Any:
    """Return the context of the thread."""
    return context.current_context()


def set_default_context(ctx: Any) -> None:
    """Set the context of the thread."""
    context.Context.default_ctx = ctx


def default_dtype() -> Any:
    """Return float32, the dtype of test data where nothing else is said."""
    return np.float32


def list_gpus() -> range:
    """Return the numbers of the GPUs that can be used."""
    return range(context.num_gpus())


def is_op_runnable() -> bool:
    """Return whether operators run on the context of the thread."""
    return True


def has_tvm_ops() -> bool:
    """Return whether there are operators made by TVM: never."""
    return False


def is_cd_run() -> bool:
    """Return whether tests run for a release, as the variable CD_JOB says."""
    return os.environ.get("CD_JOB", 0) == "1"


def is_aarch64_run() -> bool:
    """Return whether the processor is an ARM of 64 bits."""
    return os.uname().machine in ("aarch64", "arm64")


@contextmanager
def environment(*args: Any) -> Iterator[None]:
    """Set environment variables in a `with` block: a name and a value, or a dict; None removes one.

    Variables that the package reads when it is imported keep what they had then.
    """
    if len(args) == 1 and isinstance(args[0], dict):
        wanted = args[0]
    elif len(args) == 2:
        wanted = {args[0]: args[1]}
    else:
        expected = "a dict, or the name and the value of a variable"
        raise AssertedArgumentError(message("environment", None, expected, f"{len(args)} arguments"))
    before = {name: os.environ.get(name) for name in wanted}
    _set(wanted)
    try:
        yield
    finally:
        waitall()  # what was pushed in the block may still read them
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def discard_stderr() -> Iterator[None]:
    """Throw away what is written to the standard error stream in a `with` block, also by native code."""
    numbers = {2}
    try:
        numbers.add(sys.stderr.fileno())
    except (AttributeError, OSError):  # a stream without a file, as in a notebook
        pass
    kept = {number: os.dup(number) for number in numbers}
    try:
        with open(os.devnull, "w") as nothing:
            for number in numbers:
                os.dup2(nothing.fileno(), number)
        yield
    finally:
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)


def assert_exception(f: Callable, exception_type: type[BaseException], *args: Any, **kwargs: Any) -> None:
    """Raise AssertionError unless a call raises an exception of this class."""
    try:
        f(*args, **kwargs)
    except exception_type:
        return
    raise AssertionError(f"{getattr(f, '__name__', f)} did not raise {exception_type.__name__}")


def retry(n: int) -> Callable:
    """Return a decorator that calls a test up to n times, until no assertion of it fails."""
    if n < 1:
        raise AssertedArgumentError(message("retry", "n", "at least 1", n))

    def decorate(test: Callable) -> Callable:
        @functools.wraps(test)
        def repeated(*args: Any, **kwargs: Any) -> None:
            for remaining in range(n - 1, -1, -1):
                try:
                    test(*args, **kwargs)
                    return
                except AssertionError:
                    if not remaining:
                        raise
                    waitall()

        return repeated

    return decorate


def same_symbol_structure(sym1: Any, sym2: Any) -> bool:
    """Return whether two symbols have the same operators in the same order."""
    kinds = [[node.op.name if node.op else None for node in symbol._graph.nodes] for symbol in (sym1, sym2)]
    return kinds[0] == kinds[1]


class DummyIter(DataIter):
    """Gives the first batch of another iterator again and again, without an end: to measure speed."""

    def __init__(self, real_iter: Any):
        super().__init__(real_iter.batch_size)
        self.real_iter = real_iter
        self.provide_data = real_iter.provide_data
        self.provide_label = real_iter.provide_label
        self.the_batch = next(real_iter)

    def __iter__(self) -> DummyIter:
        return self

    def next(self) -> Any:
        """Return the batch."""
        return self.the_batch
