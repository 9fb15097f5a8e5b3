"""What the engine promises, case by case. Orders are forced with events; nothing here sleeps."""

import gc
import inspect
import threading
import weakref

import pytest
from engine_parts import (
    BIG,
    SECONDS,
    SMALL,
    nothing_left,  # noqa: F401 (a fixture of every test here)
    run_in_thread,
    threaded,
    written,
    zeros,
)

import mxcy.engine
from mxcy import _engine, _engine_serial, _engine_threaded, _testing
from mxcy.errors import ArgumentError, EngineError

# --- the interface -------------------------------------------------------------------------------


def test_both_engines_have_one_interface():
    assert _engine_serial.__all__ == _engine_threaded.__all__
    for name in _engine_threaded.__all__:
        mine, twin = getattr(_engine_threaded, name), getattr(_engine_serial, name)
        if inspect.isfunction(mine):
            assert inspect.signature(mine) == inspect.signature(twin), name
        else:
            assert mine is twin


def test_selected_engine_is_what_the_module_exports():
    selected = _engine_serial if _engine.engine() == "serial" else _engine_threaded

    assert all(getattr(_engine, name) is getattr(selected, name) for name in selected.__all__)


@pytest.mark.parametrize("engine", [_engine_threaded, _engine_serial])
def test_bad_arguments_are_refused_at_the_call(engine):
    with pytest.raises(ArgumentError, match="lane"):
        engine.push(print, lane="gpu")
    with pytest.raises(TypeError, match="callable"):
        engine.push(3)
    with pytest.raises(TypeError):
        engine.push(print, writes=[3])
    with pytest.raises(ArgumentError, match="operations"):
        engine.set_bound(operations=0)


def test_versions_count_the_operations_that_write():
    a, b = zeros(), zeros()
    _testing.mix([a], [b], cost_ns=SMALL)
    _testing.mix([a], [b], cost_ns=BIG)
    _testing.mix([a, a], [a, b])
    _engine.push(lambda: None, reads=[b], writes=[a])
    _engine.push(lambda: _testing.mix([a], [b]), writes=[a])
    _engine.waitall()

    assert (a.version, b.version) == (6, 0)


def test_bulk_restores_the_size():
    before = mxcy.engine.set_bulk_size(7)
    with mxcy.engine.bulk(3):
        assert mxcy.engine.set_bulk_size(3) == 3
    assert mxcy.engine.set_bulk_size(before) == 7
    with pytest.raises(TypeError, match="size"):
        mxcy.engine.set_bulk_size("many")


# --- order ---------------------------------------------------------------------------------------


def test_variable_that_is_read_and_written_is_written():
    a = zeros()
    _testing.mix([a], [a], 1)
    _testing.mix([a], [a, a], 1)

    assert _testing.words(a) == [6, 6]


def test_duplicates_collapse():
    a, b = zeros(), zeros()
    _testing.mix([a, a], [b, b, b], 1)
    _engine.push(lambda: None, reads=[a, a, b], writes=[b, b])
    _engine.wait(a, True)
    _engine.wait(b, True)

    assert _testing.words(a) == [4, 4]
    assert not a.pending and not b.pending


def test_many_operands_collapse_like_few():
    variables = [zeros() for _ in range(40)]
    _engine.push(lambda: None, reads=variables * 2, writes=variables[:20] * 3)
    _engine.waitall()

    assert [var.version for var in variables] == [1] * 20 + [0] * 20
    assert not any(var.pending for var in variables)


@threaded
def test_write_waits_for_all_earlier_reads():
    source = zeros()
    sinks = [zeros() for _ in range(3)]
    with written(*sinks):
        for sink in sinks:
            _testing.mix([sink], [source], 1)
        _testing.mix([source], [], 5)
        assert source.pending
    assert [_testing.words(sink) for sink in sinks] == [[1, 1]] * 3
    assert _testing.words(source) == [5, 5]


@threaded
def test_reads_run_side_by_side():
    a = zeros()
    barrier = threading.Barrier(2)
    for _ in range(2):
        _engine.push(lambda: barrier.wait(SECONDS), reads=[a], lane="io")
    _engine.waitall()


@threaded
def test_wait_for_reads_is_not_held_up_by_readers():
    a, gate = zeros(), zeros()
    with written(gate):
        _engine.push(lambda: None, reads=[a, gate])
        _engine.wait(a)
        assert a.pending


@threaded
def test_wait_is_not_held_up_by_what_is_pushed_later():
    """The later write is pushed by the operation that is waited for, while the wait is on."""
    a, gate = zeros(), zeros()
    with written(gate):

        def operation():
            _testing.mix([a], [gate], 1)

        with written(a):
            join = run_in_thread(lambda: _engine.wait(a))
        join()
        run_in_thread(operation)()
        assert a.pending


@threaded
def test_wait_for_write_waits_for_reads():
    a, b = zeros(), zeros()
    done = []
    with written(b):
        _engine.push(lambda: done.append(1), reads=[a, b])
        join = run_in_thread(lambda: (_engine.wait(a, for_write=True), len(done))[1])
        assert not done
    assert join() == 1


@threaded
def test_priority_orders_what_is_ready():
    order, gate = [], zeros()
    with written(gate):
        for priority in (0, 5, -2, 5, 1):
            _engine.push(lambda p=priority: order.append(p), reads=[gate], priority=priority)
    _engine.waitall()

    assert order == [5, 5, 1, 0, -2]


@threaded
def test_pushing_thread_runs_small_ready_operations_itself():
    threads, a = [], zeros()
    _engine.push(lambda: threads.append(threading.get_ident()), writes=[a])
    with written(a):
        _engine.push(lambda: threads.append(threading.get_ident()), writes=[a])
    _engine.wait(a)

    assert threads[0] == threading.get_ident() != threads[1]


@threaded
def test_io_lane_is_beside_the_others():
    """IO threads block, and everything else goes on."""
    a, b, seen = zeros(), zeros(), []
    with written(a), written(b):
        _testing.mix([zeros()], [], 1)
        _engine.push(lambda: seen.append(threading.current_thread()), lane="io")
        while not seen:
            _engine.wait(zeros())
    assert seen[0] is not threading.current_thread()


def test_parallel_for_covers_the_range_once():
    words = 10_007
    a, b = zeros(words=words), zeros(words=words)
    for grain in (1, 64, 10**6):
        _testing.mix([a], [b], 2, grain=grain)

    assert _testing.words(a) == [26] * words


# --- operations inside operations ----------------------------------------------------------------


def test_operation_may_use_its_own_variables():
    a = zeros()

    def operation():
        _testing.mix([a], [], 1, cost_ns=SMALL)
        _testing.mix([a], [a], 1, cost_ns=BIG)
        _engine.push(lambda: _engine.wait(a), writes=[a])
        _engine.wait(a)
        _engine.wait(a, for_write=True)

    _engine.push(operation, writes=[a])

    assert _testing.words(a) == [5, 5]


@threaded
def test_operation_that_was_queued_may_use_its_own_variables():
    a, b = zeros(), zeros()

    def operation():
        _testing.mix([b], [], 1)
        _testing.mix([a], [a, b], 1)  # has to wait for b, and must not wait for the operation around it
        assert _testing.words(a) == [2, 2]

    with written(a):
        _engine.push(operation, writes=[a])
    assert _testing.words(a) == [2, 2]


@threaded
def test_operation_may_not_write_what_it_only_reads():
    a = zeros()

    def operation():
        _testing.mix([a], [], 1)

    with pytest.raises(EngineError, match=r"mix: writes a variable"):
        _engine.push(operation, reads=[a])


@threaded
def test_python_worker_that_waits_does_not_keep_others_from_running():
    """The second operation needs a Python worker while the first one, in it, waits for the second."""
    a, b, c, order = zeros(), zeros(), zeros(), []

    def outer():
        with written(c):
            _engine.push(lambda: order.append("inner"), writes=[b, c])
        _engine.wait(b)
        order.append("outer")

    with written(a):
        _engine.push(outer, writes=[a])
    _engine.waitall()

    assert order == ["inner", "outer"]


@threaded
def test_wait_for_something_that_waits_for_this_operation_is_refused():
    """Operation `outer` uses c without saying so; what was pushed before on c has to wait for `outer`."""
    a, b, c, gate = zeros(), zeros(), zeros(), zeros()

    def outer():
        with pytest.raises(EngineError, match="wait: would wait for the end of the operation"):
            _engine.wait(c)
        with pytest.raises(EngineError, match="mix: would wait for the end of the operation"):
            _testing.mix([a], [c])

    with written(gate):
        _engine.push(outer, reads=[gate], writes=[a])
        _testing.mix([b], [a])
        _testing.mix([c], [b])
    _engine.wait(c)


@threaded
def test_waitall_inside_an_operation_is_refused():
    with pytest.raises(EngineError, match="waitall"):
        _engine.push(_engine.waitall, name="outer")


# --- exports and sync ----------------------------------------------------------------------------


@threaded
@pytest.mark.parametrize(("writable", "as_read"), [(True, False), (True, True), (False, False)])
def test_operation_on_an_exported_variable_completes_before_its_call_returns(writable, as_read):
    a, b, gate = zeros(), zeros(), zeros()
    _testing.export(a, 1, writable)
    try:
        operands = ([b], [a, gate]) if as_read else ([a], [gate])
        with written(gate):
            join = run_in_thread(lambda: (_testing.mix(*operands, 1), a.pending, b.pending)[1:])
        assert join() == (False, False)
        _testing.mix(*operands, 1)
        assert not a.pending and not b.pending
        with pytest.raises(ValueError):
            _testing.mix(*operands, fail=1)
    finally:
        _testing.export(a, -1, writable)


@threaded
def test_reading_a_read_only_export_need_not_complete():
    a, b, gate = zeros(), zeros(), zeros()
    _testing.export(a, 1, False)
    with written(gate):
        _testing.mix([b], [a, gate], 1)
        assert b.pending
    _testing.export(a, -1, False)


def test_sync_completes_every_operation():
    a = zeros()
    with mxcy.engine.sync():
        _testing.mix([a], [], 1)
        assert not a.pending
        with pytest.raises(ValueError):
            _testing.mix([a], [], fail=1)


# --- back-pressure -------------------------------------------------------------------------------


@threaded
@pytest.mark.parametrize("bounds", [{"operations": 2}, {"nbytes": 2000}])
def test_push_blocks_while_too_much_is_in_flight(bounds):
    a, pushed = zeros(), []
    reached = threading.Event()

    def push_some():
        for number in range(5):
            if number == 2:
                reached.set()
            _testing.mix([a], [], 1, nbytes=1000)
            pushed.append(number)

    with written(a):
        bound = {key: value + (1 if key == "operations" else 0) for key, value in bounds.items()}
        _engine.set_bound(**bound)
        try:
            join = run_in_thread(push_some)
            assert reached.wait(SECONDS)
            assert _engine.counters()["operations"] <= 3
            assert len(pushed) <= 2
        finally:
            _engine.wait(zeros())
    join()
    _engine.wait(a)
    _engine.set_bound(10_000, 1 << 34)

    assert pushed == list(range(5))


def test_operation_larger_than_the_bound_is_admitted_alone():
    a = zeros()
    _engine.set_bound(nbytes=10)
    try:
        for _ in range(3):
            _testing.mix([a], [], 1, nbytes=1000)
        assert _testing.words(a) == [13, 13]
    finally:
        _engine.set_bound(nbytes=1 << 34)


# --- memory --------------------------------------------------------------------------------------


@threaded
def test_variable_may_be_dropped_with_operations_pending():
    gate, sink = zeros(), zeros()
    with written(gate):
        temporary = zeros(words=10_000)
        _testing.mix([temporary], [gate], 1)
        _engine.push(lambda: None, reads=[temporary], writes=[sink])
        del temporary
    _engine.wait(sink)


@threaded
def test_python_references_of_operations_are_dropped():
    class Thing:
        def __call__(self):
            pass

    gate, thing = zeros(), Thing()
    reference = weakref.ref(thing)
    with written(gate):
        _engine.push(thing, reads=[gate])
        del thing
        assert reference() is not None
    _engine.waitall()
    gc.collect()

    assert reference() is None


def test_large_buffers_are_used_again_and_bounded():
    size = 8 << 20
    before = _engine._pool()
    for _ in range(3):
        _testing.zero(_engine.Var(size))
    after = _engine._pool()
    trimmed = _engine._pool(trim=True)

    assert after["held"] == before["held"]
    assert after["cached"] >= size
    assert after["limit"] == before["limit"]
    assert trimmed["cached"] == 0


# --- the profiler's hook -------------------------------------------------------------------------


def test_hook_gets_every_operation_in_batches():
    batches, a = [], zeros()
    _engine.set_hook(batches.append)
    try:
        _testing.mix([a], [], cost_ns=SMALL)
        _testing.mix([a], [], cost_ns=BIG)
        _engine.push(lambda: None, writes=[a], name="mine")
        _engine.wait(a)
        _engine.waitall()
    finally:
        _engine.set_hook(None)
    _testing.mix([a], [], cost_ns=SMALL)
    events = [event for batch in batches for event in batch]
    operations = [event for event in events if event[1] != "wait"]

    assert [name for name, *_ in operations] == ["mix", "mix", "mine"]
    assert all(end >= start > 0 for *_, start, end in events)
    assert {lane for _, lane, *_ in operations} <= {"caller", "cpu", "python"}


@threaded
def test_hook_gets_waits():
    events, a = [], zeros()
    _engine.set_hook(events.extend)
    try:
        while not any(lane == "wait" for _, lane, *_ in events):  # until the wait comes before the end
            go_on = threading.Event()
            _engine.push(go_on.wait, writes=[a], lane="io", name="held")
            threading.Timer(0.01, go_on.set).start()
            _engine.wait(a)
    finally:
        _engine.set_hook(None)
    [(name, _, thread, start, end)] = [event for event in events if event[1] == "wait"]

    assert (name, thread) == ("wait", threading.get_ident())
    assert end > start


@threaded
@pytest.mark.skipif(_engine.num_workers() < 2, reason="one worker is one thread at work")
def test_thread_that_waits_runs_what_nobody_has_begun():
    events, a, me = [], zeros(), threading.get_ident()
    _engine.set_hook(events.extend)
    try:
        for k in range(1, 51):
            for _ in range(_engine.num_workers()):
                _testing.mix([zeros()], [], cost_ns=BIG, spin_ns=5_000_000)
            _testing.mix([a], [], k, cost_ns=1e6)
            _engine.wait(a)
            _engine.waitall()
            if any((name, thread) == ("mix", me) for name, _, thread, *_ in events):
                break
    finally:
        _engine.set_hook(None)

    assert ("mix", me) in {(name, thread) for name, _, thread, *_ in events}
    assert [name for name, *_ in events].count("mix") == k * (1 + _engine.num_workers())


# --- starting and stopping -----------------------------------------------------------------------


def test_engine_stops_and_starts_again():
    a = zeros()
    for k in range(3):
        _testing.mix([a], [], k)
        _engine.stop()
        _engine.start()

    assert _testing.words(a) == [5, 5]


@threaded
def test_threads_that_wait_for_one_variable_are_all_woken():
    for _ in range(20):
        a = zeros()
        with written(a):
            joins = [run_in_thread(lambda: _engine.wait(a)) for _ in range(4)]  # noqa: B023
        for join in joins:
            join()
