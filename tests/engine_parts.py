"""What the tests of the engine share: variables, gates that force an order, an idle engine at the end."""

import threading
from contextlib import contextmanager

import pytest

from mxcy import _engine, _testing

SECONDS = 30  # longer than anything here takes; only a failing test waits so long
BIG, SMALL = 1e9, 10.0  # cost_ns: queued, inline

threaded = pytest.mark.skipif(_engine.engine() == "serial", reason="there is one thread")


@pytest.fixture(autouse=True)
def nothing_left():
    """Every test starts and ends with an idle engine without errors."""
    yield
    _engine.waitall()
    assert _engine.counters() == {"operations": 0, "nbytes": 0, "unseen_errors": 0}


def zeros(*, words=2):
    var = _engine.Var(8 * words)
    _testing.zero(var)
    return var


@contextmanager
def written(*variables):
    """Within the block an operation that writes the variables runs, on an IO thread."""
    started, end = threading.Event(), threading.Event()

    def operation():
        started.set()
        assert end.wait(SECONDS)

    _engine.push(operation, writes=variables, lane="io", name="gate")
    assert started.wait(SECONDS)
    try:
        yield
    finally:
        end.set()


def run_in_thread(function):
    """Start a thread; returns a function that joins it and raises or returns what the function did."""
    outcome = []

    def run():
        try:
            outcome.append((function(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()

    def join():
        thread.join(SECONDS)
        assert not thread.is_alive()
        value, error = outcome[0]
        if error is not None:
            raise error
        return value

    return join
