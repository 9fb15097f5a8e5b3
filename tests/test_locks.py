"""Locks: what several threads share, and what a forked process finds of it."""

import os
import re
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from engine_parts import SECONDS, run_in_thread

import mxcy as mx
from mxcy import _locks

PACKAGE = Path(mx.__file__).parent

# Locks of processes that do not fork, of threads that a fork ends with all that they guard, and of the
# serial twin, which puts its own right.
OTHERS = {"kvstore/dist", "kernels/cuda", "io/pipeline.py", "_engine_serial.py", "_locks.py"}


def in_child(function):
    """What os.fork's child makes of `function`: whether it returned something true."""
    child = os.fork()
    if child == 0:
        good = False
        try:
            good = function()
        finally:
            os._exit(0 if good else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_lock_that_another_thread_holds_is_free_in_a_forked_process():
    lock, held, done = _locks.new_lock(), threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            assert done.wait(SECONDS)

    join = run_in_thread(hold)
    assert held.wait(SECONDS)
    try:
        assert in_child(lambda: lock.acquire(timeout=1))
        assert not lock.acquire(blocking=False)
    finally:
        done.set()
        join()


def test_lock_of_the_thread_that_forks_stays_its_own():
    lock = _locks.new_lock()
    with lock:
        assert in_child(lambda: not run_in_thread(lambda: lock.acquire(blocking=False))())


def test_all_locks_are_free_in_forked_processes():
    made = re.compile(r"threading\.R?Lock\(|threading\.Condition\(")
    found = {
        path.relative_to(PACKAGE).as_posix()
        for suffix in ("*.py", "*.pyx")
        for path in PACKAGE.rglob(suffix)
        if made.search(path.read_text())
    }
    assert not {name for name in found if not any(name.startswith(other) for other in OTHERS)}


@pytest.mark.parametrize("size", [4, 400])
def test_threads_that_share_an_executor_run_one_after_the_other(size):
    x = mx.sym.Variable("x")
    net = mx.sym.FullyConnected(x, num_hidden=16, name="a")
    net = mx.sym.FullyConnected(mx.sym.Activation(net, act_type="relu"), num_hidden=4, name="b")
    executor = net.simple_bind(mx.cpu(), x=(size, 10))
    for array in executor.arg_arrays:
        array[:] = mx.nd.array(np.random.default_rng(0).random(array.shape))
    head = mx.nd.ones((size, 4))
    executor.forward(is_train=True)
    executor.backward(head)
    expected = [array.asnumpy() for array in (*executor.outputs, *executor.grad_arrays)]

    def run():
        for _ in range(100):
            executor.forward(is_train=True)
            executor.backward(head)
            executor.forward_backward(head)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for join in [run_in_thread(run) for _ in range(3)]:
            join()
    finally:
        sys.setswitchinterval(interval)
    for array, value in zip((*executor.outputs, *executor.grad_arrays), expected, strict=True):
        assert np.allclose(array.asnumpy(), value, rtol=1e-5)
