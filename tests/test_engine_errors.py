"""Errors of operations: where they are kept, whom they reach, when they are raised; floating-point flags."""

import inspect
import time
import traceback
import warnings

import numpy as np
import pytest
from engine_parts import (
    BIG,
    SECONDS,
    SMALL,
    nothing_left,  # noqa: F401 (a fixture of every test here)
    threaded,
    written,
    zeros,
)

from mxcy import _engine, _testing
from mxcy.base import MXNetError
from mxcy.errors import OutOfMemory

# --- errors --------------------------------------------------------------------------------------

KINDS = {1: ValueError, 2: TypeError, 3: IndexError, 4: MemoryError, 5: FloatingPointError, 6: RuntimeError,
         7: ZeroDivisionError, 8: OverflowError}  # fmt: skip


@pytest.mark.parametrize("cost_ns", [SMALL, BIG])
@pytest.mark.parametrize("kind", KINDS)
def test_errors_are_numpys_and_ours(kind, cost_ns):
    a = zeros()
    with pytest.raises(KINDS[kind], match=r"mix\(k\): expected success, got 7") as first:
        _testing.mix([a], [], 7, fail=kind, cost_ns=cost_ns)
        _testing.words(a)
    with pytest.raises(KINDS[kind]):
        _testing.words(a)

    assert isinstance(first.value, MXNetError)
    assert any("in operation 'mix'" in note for note in first.value.__notes__)


@threaded
def test_error_names_the_line_that_pushed():
    a, b = zeros(), zeros()
    with written(a):
        _testing.mix([b], [a], fail=1)
    here = inspect.currentframe().f_lineno - 1
    with pytest.raises(ValueError) as caught:
        _testing.words(b)

    assert f'"{__file__}", line {here}, in test_error_names_the_line_that_pushed' in caught.value.__notes__[0]


@threaded
def test_error_of_a_python_operation_has_its_traceback_each_time():
    a = zeros()

    def inner():
        raise KeyError("deep")

    def operation():
        inner()

    with written(a):
        _engine.push(operation, writes=[a])
    for _ in range(2):
        with pytest.raises(KeyError) as caught:
            _engine.wait(a)
        frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert frames[-2:] == ["operation", "inner"]
        assert frames.count("inner") == 1
        assert isinstance(caught.value, MXNetError)


def test_error_flows_to_dependants_which_do_not_run():
    a, b, c, ran = zeros(), zeros(), zeros(), []
    with pytest.raises(ValueError):
        _testing.mix([a], [], fail=1)
        _engine.wait(a)
    _testing.mix([b], [a])
    _engine.push(lambda: ran.append(1), reads=[b], writes=[c])

    assert not ran
    for var in (b, c):
        with pytest.raises(ValueError, match="mix"):
            _engine.wait(var)


def test_first_error_wins():
    a, b = zeros(), zeros()
    for var, kind in ((a, 1), (b, 2)):
        with pytest.raises(KINDS[kind]):
            _testing.mix([var], [], fail=kind)
            _engine.wait(var)
    _testing.mix([a], [b])
    with pytest.raises(ValueError):
        _engine.wait(a)
    c = zeros()
    _testing.mix([c], [b, a])
    with pytest.raises(TypeError):
        _engine.wait(c)


def test_overwriting_clears_an_error():
    a = zeros()
    with pytest.raises(ValueError):
        _testing.mix([a], [], fail=1)
        _engine.wait(a)
    _testing.mix([a], [], 3, overwrites=True)

    assert _testing.words(a) == [3, 3]
    assert not a.failed


def test_operation_that_skips_errors_runs():
    a, ran = zeros(), []
    with pytest.raises(ValueError):
        _testing.mix([a], [], fail=1)
        _engine.wait(a)
    _engine.push(lambda: ran.append(1), reads=[a], skip_errors=True)
    _engine.waitall()

    assert ran == [1]


@threaded
def test_waitall_raises_what_nobody_has_seen_and_only_that():
    a, b, c, gate = zeros(), zeros(), zeros(), zeros()
    with written(gate):
        for var, kind in ((a, 1), (b, 2), (c, 3)):
            _testing.mix([var], [gate], fail=kind)
    with pytest.raises(ValueError):
        _engine.wait(a)
    _engine.wait(gate, for_write=True)
    with pytest.raises(TypeError) as caught:
        _engine.waitall()
    _engine.waitall()

    assert any("also failed: IndexError" in note for note in caught.value.__notes__)
    with pytest.raises(IndexError):
        _engine.wait(c)


@threaded
def test_error_of_a_variable_that_is_gone_is_raised_by_waitall():
    gate = zeros()
    with written(gate):
        _testing.mix([zeros()], [gate], fail=1)
    with pytest.raises(ValueError):
        _engine.waitall()


def test_keyboard_interrupt_in_an_operation_stays_one():
    a = zeros()

    def operation():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _engine.push(operation, writes=[a])
    with pytest.raises(KeyboardInterrupt):
        _engine.wait(a)


def test_buffer_that_cannot_be_had_is_an_out_of_memory_error():
    a = _engine.Var(1 << 60)
    with pytest.raises(OutOfMemory):
        _testing.words(a)


# --- floating-point flags ------------------------------------------------------------------------


@pytest.mark.parametrize("cost_ns", [SMALL, BIG])
def test_flags_warn_once_as_numpy_does(cost_ns):
    a = zeros()
    with pytest.warns(RuntimeWarning, match="^divide by zero encountered in mix$") as caught:
        _testing.mix([a], [], fp_flags=1 | 4, cost_ns=cost_ns)
        _engine.wait(a)
        _engine.wait(a)

    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("cost_ns", [SMALL, BIG])
def test_flags_follow_the_errstate_of_the_push(cost_ns):
    a, calls = zeros(), []
    with np.errstate(all="ignore"):
        _testing.mix([a], [], fp_flags=15, cost_ns=cost_ns)
    with np.errstate(over="call", call=lambda text, flags: calls.append((text, flags))):
        _testing.mix([a], [], fp_flags=2, cost_ns=cost_ns)
    _engine.wait(a)
    with pytest.raises(FloatingPointError, match="invalid value encountered in mix"):
        with np.errstate(invalid="raise"):
            _testing.mix([a], [], fp_flags=8, cost_ns=cost_ns)
        _engine.wait(a)

    assert calls == [("overflow", 2)]


@threaded
def test_flags_of_variables_that_are_gone_are_told_at_a_wait():
    a, gate = zeros(), zeros()
    with written(gate):
        temporary = zeros()
        _testing.mix([temporary], [gate], fp_flags=8)
        _testing.mix([a], [temporary])
        del temporary
    limit = time.monotonic() + SECONDS
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        # The thread that has done the operation holds the variable for a moment more.
        while not told and time.monotonic() < limit:
            _engine.wait(a)
    assert [str(warning.message) for warning in told] == ["invalid value encountered in mix"]


@threaded
def test_warnings_that_are_errors_are_raised_at_the_wait():
    a = zeros()
    _testing.mix([a], [], fp_flags=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning):
            _engine.wait(a)
    _engine.wait(a)
