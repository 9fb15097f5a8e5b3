"""Jobs over real sockets in which parts fail: what workers see must be what their consistency promises."""

import contextlib
import random
import socket
import threading
import time
from functools import partial

import numpy as np
import pytest
from conftest import FULL
from dist_jobs import SECONDS, at_once, declare, nothing_is_left, pulled, run_workers, thread_job, use

import mxcy as mx
from mxcy.kvstore.dist import connection
from mxcy.kvstore.dist.arena import Arena, View, new_name


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    with nothing_is_left(monkeypatch):
        yield


# Jobs wait more than they compute: several at a time.
SEEDS = [range(i, i + 8) for i in range(0, 40, 8)] if FULL else [range(1)]
FAULTS = [None, "server", "coordinator", "aggregator", "link", "frames"]


def disturb(job, fault, seed, stop):
    """Break something now and then until `stop` is set.

    Ever more rarely: on a busy machine workers come back more slowly than others are quick to break things.
    """
    rng, calm = random.Random(seed), 1.0
    while fault and not stop.wait(calm * rng.uniform(0.05, 0.3)):
        calm *= 1.1
        if fault == "server":
            job.restart(rng.randrange(len(job.servers)))
        elif fault == "coordinator":
            job.restart_coordinator()
        elif fault == "aggregator" and job.aggregators:
            job.restart_aggregator(rng.choice(sorted(job.aggregators)))
        elif fault == "link":
            link = rng.choice(job.links)
            link.cut()
            stop.wait(rng.uniform(0.0, 0.3))
            link.mend()


def run_history(body, fault, seed, machines, **how):
    with thread_job(workers=2, machines=machines, links=fault == "link", faulty=fault == "frames") as job:
        stop = threading.Event()
        thread = threading.Thread(target=disturb, args=(job, fault, seed, stop))
        thread.start()
        try:
            return run_workers(job, body, **how)
        finally:
            stop.set()
            thread.join()


def check_sequential(program, fault, seed, machines):
    """A pull sees exactly the pushes of all earlier rounds: without an updater, the last one's sum."""

    def body(session):
        keys = {key.name: key for key in declare(session, {"a": 5, "b": 9000}, value=-1.0)}
        rounds = dict.fromkeys(keys, 0)
        for name, pulls in program:
            rounds[name] += 1
            value = rounds[name] * 10 + session.rank
            session.push([(keys[name], np.full(keys[name].size, value, "f"))])
            if pulls or (session.rank + rounds[name]) % 3 == 0:
                for key in keys.values():
                    r = rounds[key.name]

                    assert (pulled(session, [key])[key.name] == (20 * r + 1 if r else -1)).all()
        session.flush()
        session.barrier()

    run_history(body, fault, seed, machines)


def check_eventual(program, fault, seed, machines, staleness):
    """What is pulled counts the pushes of each worker: it never goes back, and all are there at the end.

    With a bound on the distance all workers push the keys in one order, or they would wait for each other.
    """

    def body(session):
        keys = {key.name: key for key in declare(session, {"a": 2, "b": 20_000}, "float64", 0.0)}
        use(session, "test")
        pushed, seen = dict.fromkeys(keys, 0), {name: np.zeros(key.size) for name, key in keys.items()}
        shift = session.rank if staleness is None else 0
        for name, pulls in program[shift:] + program[:shift]:
            own = np.zeros(keys[name].size)
            own[session.rank :: 2] = 1
            session.push([(keys[name], own)])
            pushed[name] += 1
            if pulls:
                value = pulled(session, [keys[name]])[name]

                assert (value >= seen[name]).all()
                assert (value[session.rank :: 2] == pushed[name]).all()
                assert staleness is None or (value >= pushed[name] - staleness).all()
                seen[name] = value
        session.flush()
        session.barrier()
        return {name: (pulled(session, [key])[name], pushed[name]) for name, key in keys.items()}

    how = {"kind": "dist_async", "staleness": staleness}
    for found in run_history(body, fault, seed, machines, **how):
        for value, count in found.values():
            assert (value == count).all()


def random_program(seed):
    """(key to push, whether to pull), 40 times."""
    rng = random.Random(seed)
    return [(rng.choice("ab"), rng.random() < 0.6) for _ in range(40)]


@pytest.mark.parametrize("seeds", SEEDS, ids=lambda seeds: f"seeds{seeds[0]}")
@pytest.mark.parametrize(
    ("fault", "machines"), [(f, m) for f in FAULTS for m in (1, 2) if f != "aggregator" or m > 1]
)
def test_histories_of_dist_sync_are_sequential(fault, machines, seeds):
    at_once(lambda seed: check_sequential(random_program(seed), fault, seed, machines), seeds)


@pytest.mark.parametrize("seeds", SEEDS, ids=lambda seeds: f"seeds{seeds[0]}")
@pytest.mark.parametrize("fault", [f for f in FAULTS if f != "aggregator"])
@pytest.mark.parametrize("staleness", [None, 1])
def test_histories_of_dist_async_lose_and_repeat_nothing(fault, seeds, staleness):
    at_once(lambda seed: check_eventual(random_program(seed), fault, seed, 1, staleness), seeds)


def test_barriers_end_though_the_coordinator_comes_back_again_and_again(monkeypatch):
    """Between the two workers of each barrier: the first one's question, or the answer before it, is lost.

    Nobody asks by himself whether all has arrived: it is sent again when the connection is there again.
    """
    monkeypatch.setattr(connection, "PING_SECONDS", SECONDS)

    def body(session):
        for number in range(12):
            if session.rank == number % 2:
                wait_in_coordinator(job, 1 - session.rank)
                for _ in range(1 + number // 4):
                    job.restart_coordinator()
            session.barrier()

    with thread_job(lost_after=SECONDS) as job:
        run_workers(job, body)


def wait_in_coordinator(job, rank):
    """Until a worker waits there for others."""
    until, turn = time.monotonic() + SECONDS, threading.Event()
    while not any(rank in meeting.here for meeting in list(job.coordinator.core._meetings.values())):
        assert time.monotonic() < until
        turn.wait(0.002)


@pytest.mark.parametrize("apart", [False, True])
def test_a_hello_that_is_lost_is_said_again(apart):
    """A link may be cut right after it is made: the server is the one of before, but knows nobody there."""

    def body(session):
        keys = declare(session, value=0.0)
        for round_ in (1, 2):
            for number, server in enumerate(job.servers):
                link = session.connections.links[number]
                with hello_lost(server) as lost:
                    session.connections._asked.append(partial(session.connections._open, link))
                    session.push([(key, np.full(key.size, round_, "f")) for key in keys])
                    assert lost.wait(SECONDS)
            assert all((value == round_).all() for value in pulled(session, keys).values())

    with thread_job(workers=1, apart=apart) as job:
        run_workers(job, body)


@contextlib.contextmanager
def hello_lost(server):
    """A server does not hear the next hello."""
    lost, hear = threading.Event(), server._hello

    def lose(identity, frame):
        server._hello = hear
        lost.set()

    server._hello = lose
    yield lost


class Killed(Exception):
    """What ends the first life of a worker."""


PLACES = ["agreed", "declared", "met", "prepared", "training", "trained"]


@pytest.mark.parametrize(
    ("rank", "place"), [(0, "values"), *((r, place) for r in (0, 1) for place in PLACES)]
)
def test_a_worker_that_comes_back_runs_its_program_from_the_start(rank, place):
    """With all its barriers: it is let through those that the others have behind them."""

    def program(session, here):
        keys = declare(session, value=0.0)
        here("declared")
        session.barrier()
        here("met")
        use(session, "test")
        here("prepared")
        for round_ in range(keys[0].pushed, 4):
            session.push([(key, np.ones(key.size, "f")) for key in keys])
            pulled(session, keys)
            if round_ == 2:
                here("training")
        session.flush()
        here("trained")
        session.barrier()
        return pulled(session, keys)

    def end(now=place, **_):
        if now == place:
            raise Killed

    def killed(session):
        if place == "values":  # before those of the first worker are there
            session.push = lambda *_, **__: end()
        elif place == "agreed":  # in init, where workers meet twice
            session.barrier = end
        with pytest.raises(Killed):
            program(session, end)
        session.connections.close()  # as a process that is gone
        session.arena.release()

    def body(session):
        if session.rank != rank:
            return program(session, id)
        killed(session)
        again = job.session(rank)
        try:
            return program(again, id)
        finally:
            again.close()

    with thread_job(lost_after=SECONDS) as job:
        results = run_workers(job, body)
    assert all((value == 8).all() for found in results for value in found.values())


def test_memory_of_a_worker_that_came_back_is_not_that_of_the_one_before():
    job = new_name()
    first, other = Arena.anew(f"mxcy-{job}-w", 1), Arena.anew(f"mxcy-{job}-w", 11)
    late = View(first.name)
    again = Arena.anew(f"mxcy-{job}-w", 1)

    assert [arena.path.exists() for arena in (first, other, again)] == [False, True, True]
    again.bytes(again.take(4), 4)[:] = 7
    with pytest.raises(mx.MXNetError, match="No such file"):
        late.bytes(0, 4)
    for arena in (first, other, again):
        arena.close()


def test_one_that_comes_back_waits_until_its_port_is_free():
    with thread_job(workers=1, servers=1) as job:
        endpoint = job.coordinator.endpoint
        job.coordinator.stop(keep=True)
        other = socket.create_server(("127.0.0.1", int(endpoint.rsplit(":", 1)[1])))
        back = threading.Thread(target=lambda: setattr(job, "coordinator", job.member({})))
        back.start()
        other.close()
        back.join()

        assert job.coordinator.endpoint == endpoint
