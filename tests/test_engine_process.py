"""Exit, fork and Ctrl-C: what only a process of its own can show.

Starting Python and importing costs far more than a script does, so one process, `nursery`, imports
everything and forks for each script; a forked interpreter ends like any other.
"""

import os
import random
import subprocess
import sys
import textwrap

import pytest

from mxcy import _engine

SECONDS = 60

threaded = pytest.mark.skipif(_engine.engine() == "serial", reason="there is one thread")

HEADER = """
import os, signal, sys, threading
from mxcy import _engine, _testing

def zeros():
    var = _engine.Var(16)
    _testing.zero(var)
    return var
"""

NURSERY = """
import gc, select
import numpy
from mxcy import _engine, _testing
scripts, status = eval(sys.stdin.read()), []
for script in scripts:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        os.close(reader)
        os.close(writer)
        break
    os.close(writer)
    output = b""
    while True:
        if not select.select([reader], [], [], {seconds})[0]:
            os.kill(child, 9)
            output += b"hangs"
            break
        some = os.read(reader, 65536)
        if not some:
            break
        output += some
    os.close(reader)
    status.append((os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output.decode()))
else:
    print(status)
    sys.exit()
del scripts, status
exec(script)
"""


def run_scripts(scripts):
    """(exit code, output) of each script."""
    source = HEADER + NURSERY.format(seconds=SECONDS)
    result = subprocess.run(
        [sys.executable, "-c", source],
        input=repr([HEADER + textwrap.dedent(script) for script in scripts]),
        capture_output=True,
        text=True,
        timeout=SECONDS + 10 * len(scripts),
    )
    assert result.stderr == ""
    assert result.returncode == 0
    return eval(result.stdout)


def run_script(script, first="", **environment):
    """The same for one script, in a process that starts from nothing; `first` runs before the imports."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(first) + HEADER + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, **environment},
    )
    return result.returncode, result.stdout, result.stderr


# --- scripts of random statements ----------------------------------------------------------------

STATEMENTS = [
    "_testing.mix([a], [b], 1)",
    "_testing.mix([a], [b], 1, spin_ns=200_000)",
    "_testing.mix([b], [a, c], 1, cost_ns=10)",
    "_testing.mix([c], [c], 1, grain=1, lane='io')",
    "_engine.push(lambda: None, [a], [b])",
    "_engine.push(lambda: _testing.mix([c], [], 1), [a], [b], lane='io')",
    "_engine.push(lambda: _engine.wait(b), [b], [a])",
    "_engine.wait(a)",
    "_engine.waitall()",
    "a = zeros()",
    "c = b",
    "del keep[:]; keep.append(a)",
    "threading.Thread(target=lambda: [_testing.mix([b], [a], 1) for _ in range(5)]).start()",
    "threading.Thread(target=_engine.wait, args=(a,), daemon=True).start()",
    "threading.Thread(target=push_forever, args=(zeros(),), daemon=True).start()",
    "d = zeros(); catch(lambda: (_testing.mix([d], [], 1, fail=1), _engine.wait(d)))",
    "d = zeros(); catch(lambda: (_engine.push(lambda: 1 / 0, [a], [d]), _engine.wait(d)))",
    "child = os.fork(); child or _testing.mix([a], [b], 1); child and os.waitpid(child, 0)",
    "_engine.set_bound(operations=2)",
    "_engine.set_hook(keep.append)",
    "_engine.stop()",
    "import atexit; atexit.register(lambda: _testing.mix([a], [b], 1))",
    "thread_local = threading.local(); thread_local.var = a",
    "loop = [a]; loop.append(loop)",
]
DEFINITIONS = """
def catch(function):
    try:
        function()
    except (ValueError, ZeroDivisionError):
        pass

def push_forever(var):
    pause = threading.Event()
    while not pause.wait(0.0002):
        _testing.mix([var], [], 1)

a, b, c, keep = zeros(), zeros(), zeros(), []
"""


def random_script(seed):
    rng = random.Random(seed)
    return DEFINITIONS + "\n".join(rng.choices(STATEMENTS, k=rng.randint(1, 25)))


def test_random_scripts_end_with_code_0_and_without_output(promised):
    scripts = [random_script(seed) for seed in range(promised(40, 400))]
    for script, outcome in zip(scripts, run_scripts(scripts), strict=True):
        assert outcome == (0, ""), script


# --- exit ----------------------------------------------------------------------------------------


def test_operations_that_nobody_waits_for_are_finished_at_exit():
    script = """
        a = zeros()
        _testing.mix([a], [], 1, spin_ns=20_000_000)
        _engine.push(lambda: os.write(1, b"written"), reads=[a])
        del a
    """
    assert run_scripts([script]) == [(0, "written")]


def test_queued_operations_may_still_be_pushed_by_exit_functions():
    script = """
        import atexit
        a = zeros()
        def late():
            _testing.mix([a], [], 1)
            os.write(1, str(_testing.words(a)).encode())
        class Late:
            def __del__(self, late=late):
                late()
        atexit.register(late)
        last = Late()
    """
    assert run_scripts([script]) == [(0, "[1, 1][4, 4]")]


@threaded
def test_errors_that_nobody_has_seen_are_printed_at_exit():
    script = """
        a, b = zeros(), zeros()
        _testing.mix([a], [], 1, spin_ns=20_000_000)
        _testing.mix([b], [a], 7, fail=1)
        _testing.mix([zeros()], [b], 1)
    """
    [(code, output)] = run_scripts([script])

    assert code == 0
    assert output.count("mxcy: an operation failed and its result was never read:") == 1
    assert "ValueError: mix(k): expected success, got 7" in output
    assert "in operation 'mix', pushed by" in output


@threaded
def test_exit_does_not_wait_for_ever():
    script = """
        from mxcy import _engine_threaded
        _engine_threaded._EXIT_SECONDS = 0.2
        a = zeros()
        started = threading.Event()
        def stuck():
            started.set()
            threading.Event().wait()
        _engine.push(stuck, writes=[a], lane="io")
        started.wait()
    """
    assert run_scripts([script]) == [(0, "mxcy: exit does not wait any longer for 1 operations\n")]


# --- fork ----------------------------------------------------------------------------------------


def test_forked_process_has_the_values_and_can_push_more():
    script = """
        a = zeros()
        for _ in range(10):
            _testing.mix([a], [], 1)
        child = os.fork()
        _testing.mix([a], [], 1, spin_ns=1000)
        good = _testing.words(a) == [88573] * 2
        if child:
            good = good and os.waitpid(child, 0)[1] == 0
        sys.exit(0 if good else 1)
    """
    assert run_scripts([script]) == [(0, "")]


def test_fork_inside_an_operation():
    script = """
        a, b = zeros(), zeros()
        def operation():
            child = os.fork()
            if child == 0:
                _testing.mix([b], [], 1, spin_ns=1000)
                _testing.mix([a], [b], 1)
                os._exit(0 if _testing.words(a) == [2 + 3 * before] * 2 else 1)
            if os.waitpid(child, 0)[1]:
                os.write(1, b"failed")
        before = 0
        _engine.push(operation, writes=[a])
        before = 1
        _testing.mix([a], [], 1, spin_ns=20_000_000)
        _engine.push(operation, writes=[a])
        _engine.wait(a)
    """
    assert run_scripts([script]) == [(0, "")]


def test_fork_while_another_thread_pushes():
    script = """
        a, stop = zeros(), threading.Event()
        _engine.set_bound(operations=20)
        def push():
            while not stop.is_set():
                _testing.mix([a], [], 1)
                _engine.push(lambda: None, reads=[a])
        thread = threading.Thread(target=push)
        thread.start()
        for _ in range(20):
            child = os.fork()
            if child == 0:
                b = zeros()
                _testing.mix([b], [a], 1)
                _engine.wait(b)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        thread.join()
    """
    assert run_scripts([script]) == [(0, "")]


def test_fork_beside_handlers_that_let_other_threads_run():
    # Registered before the engine's, they run between its own: the interpreter's lock goes round.
    handlers = """
        import os, time
        def pause():
            for _ in range(5):
                time.sleep(0)
        os.register_at_fork(before=pause, after_in_parent=pause)
    """
    script = """
        stop = threading.Event()
        def push():
            while not stop.is_set():
                made = [_engine.Var(1 << 12) for _ in range(100)]
                _testing.mix(made[:1], [], 1)
        thread = threading.Thread(target=push)
        thread.start()
        for _ in range(3):
            child = os.fork()
            if child == 0:
                a = zeros()
                _testing.mix([a], [], 1)
                _engine.wait(a)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        thread.join()
    """
    assert run_script(script, handlers) == (0, "", "")


def test_fork_while_threads_start():
    script = """
        variables = [zeros() for _ in range(3)]
        for _ in range(100):
            _engine.stop()
            for var in variables:
                _testing.mix([var], [var], 1, grain=1, lane='io')
            child = os.fork()
            child or os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
    """
    assert run_script(script) == (0, "", "")


def test_multiprocessing_by_fork():
    script = """
        import multiprocessing
        context = multiprocessing.get_context("fork")
        a = zeros()
        def work(k):
            _testing.mix([a], [], k)
            return _testing.words(a)[0]
        _testing.mix([a], [], 1)
        with context.Pool(2) as pool:
            results = pool.map(work, range(3), chunksize=3)
        assert results == [3, 10, 32], results
    """
    assert run_scripts([script]) == [(0, "")]


# --- Ctrl-C --------------------------------------------------------------------------------------

INTERRUPTED = """
    import time
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs the tests may have it ignored
    started, stopped = threading.Event(), threading.Event()
    def gate():
        started.set()
        stopped.wait()
    a, b = zeros(), zeros()
    _engine.push(gate, writes=[a], lane="io")
    started.wait()
    _engine.set_bound(operations=1)
    def interrupt():
        global sent
        sent = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGALRM, lambda *_: interrupt())
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        {statement}
    except KeyboardInterrupt:
        late = time.monotonic() - sent
    else:
        late = "not interrupted"
    stopped.set()
    _engine.waitall()
    print(late, _testing.words(a), _engine.counters()["operations"], a.pending)
"""


@threaded
@pytest.mark.parametrize(
    "statement",
    [
        "_engine.wait(a)",
        "_engine.wait(a, True)",
        "_engine.waitall()",
        "_testing.mix([a], [], 1)",
        "_testing.export(b, 1, True); _engine.set_bound(2); _testing.mix([b], [a], 1)",
    ],
    ids=["wait", "wait for write", "waitall", "full queue", "export"],
)
def test_waits_can_be_interrupted(statement):
    code, output, errors = run_script(INTERRUPTED.format(statement=statement))

    assert (code, errors) == (0, "")
    late, rest = output.split(" ", 1)
    assert float(late) < 1  # a hundred milliseconds on a machine with nothing else to do
    assert rest == "[0, 0] 0 False\n"


# --- the environment -----------------------------------------------------------------------------


def test_number_of_threads_is_what_the_environment_says():
    code, output, _ = run_script("print(_engine.num_workers())", MXCY_NUM_THREADS="3", MXCY_ENGINE="threaded")

    assert (code, output) == (0, "3\n")


def test_with_one_worker_one_thread_works():
    script = """
        events, a = [], zeros()
        _engine.set_hook(events.extend)
        for k in range(20):
            _testing.mix([zeros()], [], cost_ns=1e6, spin_ns=200_000)
            _testing.mix([a], [], k, cost_ns=1e6)
            _engine.wait(a)
        _engine.waitall()
        _engine.set_hook(None)
        print(threading.get_ident() in {thread for name, _, thread, *_ in events if name == "mix"})
    """
    assert run_script(script, MXCY_NUM_THREADS="1", MXCY_ENGINE="threaded") == (0, "False\n", "")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs affinity")
def test_number_of_threads_follows_the_affinity():
    core = min(os.sched_getaffinity(0))
    source = f"import os; os.sched_setaffinity(0, [{core}])" + HEADER + "print(_engine.num_workers())"
    environment = {k: v for k, v in os.environ.items() if k != "MXCY_NUM_THREADS"}
    result = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, env=environment)

    assert result.stdout == "1\n"


@pytest.mark.parametrize(
    ("mxnets", "own", "expected"),
    [
        ("NaiveEngine", "", "serial"),
        ("NaiveEngine", "threaded", "threaded"),
        ("ThreadedEngine", "", "threaded"),
    ],
)
def test_engine_type_of_mxnet_is_understood(mxnets, own, expected):
    code, output, _ = run_script("print(_engine.engine())", MXNET_ENGINE_TYPE=mxnets, MXCY_ENGINE=own)

    assert (code, output) == (0, f"{expected}\n")


def test_unknown_engine_is_refused():
    code, _, errors = run_script("", MXCY_ENGINE="fast")

    assert code == 1
    assert "MXCY_ENGINE: expected threaded or serial, got fast" in errors


def test_interrupted_child_does_not_disturb_its_parent():
    """A signal for the process group reaches no worker thread."""
    script = """
        a = zeros()
        _testing.mix([a], [], 1, spin_ns=1_000_000)
        seen = []
        signal.signal(signal.SIGUSR1, lambda *_: seen.append(threading.current_thread()))
        os.kill(os.getpid(), signal.SIGUSR1)
        _engine.wait(a)
        assert seen == [threading.main_thread()]
    """
    assert run_scripts([script]) == [(0, "")]
