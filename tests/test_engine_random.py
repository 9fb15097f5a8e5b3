"""Random programs give exactly the result of a plain loop, whatever runs beside what."""

import os
import random
import threading

import pytest
from engine_cases import Engine, Model, forget_errors, random_step

from mxcy import _engine, _engine_serial

DEFAULT_OPERATIONS, DEFAULT_BYTES = 10_000, 1 << 34


@pytest.fixture
def bound():
    """Sets the bounds of the engine for one test."""
    yield _engine.set_bound
    _engine.set_bound(DEFAULT_OPERATIONS, DEFAULT_BYTES)


def run_program(seed, *, push=None, length=60, fork_at=None):
    """Run a random program on the engine and on the model; return both, unread."""
    rng = random.Random(seed)
    names = list(range(rng.randint(1, 8)))
    engine, model = Engine(names), Model(names)
    for k in range(1, length + 1):
        if k == fork_at:
            fork_here(engine, model)
        event = rng.random()
        if event < 0.03:
            name = rng.choice(names)
            engine.renew(name)
            model.renew(name)
        elif event < 0.06:
            name = rng.choice(names)
            assert engine.result(name) == model.result(name), f"seed {seed}, step {k}"
        else:
            step = random_step(rng, names, k)
            engine.push(step, *([push] if push else []))
            model.push(step)
    return engine, model


def check(seed, engine, model):
    for name in model.words:
        assert engine.result(name) == model.result(name), f"seed {seed}, variable {name}"
    forget_errors()
    assert _engine.counters() == {"operations": 0, "nbytes": 0, "unseen_errors": 0}


def fork_here(engine, model):
    """Fork with operations in flight: the child has all that was pushed, and can push more."""
    child = os.fork()
    if child == 0:
        try:
            for step_number in range(1000, 1010):
                step = random_step(random.Random(step_number), list(model.words), step_number)
                engine.push(step)
                model.push(step)
            good = all(engine.result(name) == model.result(name) for name in model.words)
            os._exit(0 if good else 1)
        except BaseException:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_random_programs_give_the_serial_result(promised):
    for seed in range(promised(400, 8000)):
        check(seed, *run_program(seed))


def test_random_programs_with_room_for_one_operation(promised, bound):
    bound(operations=1)
    for seed in range(promised(50, 1000)):
        check(seed, *run_program(f"one {seed}"))


def test_random_programs_with_room_for_few_bytes(promised, bound):
    bound(nbytes=150)
    for seed in range(promised(50, 1000)):
        check(seed, *run_program(f"bytes {seed}"))


def test_random_programs_forked_in_the_middle(promised):
    for seed in range(promised(15, 200)):
        check(seed, *run_program(f"fork {seed}", fork_at=30))


def test_serial_twin_gives_the_serial_result(promised):
    """Python operations go to the twin; the native ones run where the process was told."""
    for seed in range(promised(50, 1000)):
        rng = random.Random(seed)
        engine, model = Engine(range(4)), Model(range(4))
        for k in range(1, 40):
            step = random_step(rng, range(4), k)
            step.python = True
            step.options = {"priority": step.options["priority"]}
            engine.push(step, _engine_serial)
            model.push(step)
        check(seed, engine, model)


def push_from_thread(seed, own, shared, engine, log, order):
    """Steps on variables of this thread go out at any time; those on shared ones under the lock `order`,
    so that the log has them in the order of their pushes."""
    rng = random.Random(seed)
    for number in range(40):
        k = 1 + number + 1000 * own[0]
        if rng.random() < 0.4:
            step = random_step(rng, own + shared, k)
            with order:
                log.append(step)
                engine.push(step)
        else:
            step = random_step(rng, own, k)
            log.append(step)
            engine.push(step)


@pytest.mark.parametrize("operations", [1, 3, DEFAULT_OPERATIONS])
def test_threads_that_push_at_once_give_the_result_of_their_order(promised, bound, operations):
    bound(operations=operations)
    for seed in range(promised(10, 150)):
        shared, owns = [0, 1], [[10, 11, 12], [20, 21, 22], [30, 31, 32]]
        names = sum(owns, shared)
        engine, model, log, order = Engine(names), Model(names), [], threading.Lock()
        threads = [
            threading.Thread(target=push_from_thread, args=(f"{seed} {own}", own, shared, engine, log, order))
            for own in owns
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for step in log:
            model.push(step)
        check(seed, engine, model)
