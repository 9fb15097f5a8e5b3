"""Jobs of several workers over real sockets: sums, consistency, faults and what comes from outside."""

import contextlib
import os
import random
import socket
import threading

import numpy as np
import pytest
import zmq
from conftest import FULL
from dist_jobs import run_workers, thread_job

import mxcy as mx
from mxcy.kvstore.dist.arena import folder
from mxcy.kvstore.dist.codecs import Compression, decode_into
from mxcy.kvstore.dist.connection import error_of
from mxcy.kvstore.dist.frames import Frame, Kind, decode, encode, entries
from mxcy.kvstore.dist.session import COORDINATOR
from mxcy.optimizer.updater import describe

SIZES = {"small": 20, "big": 300_000}  # big is split over the servers, and its parts travel in frames


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch):
    monkeypatch.setenv("MXNET_KVSTORE_BIGARRAY_BOUND", "100000")
    before = set(threading.enumerate())
    yield
    left = list(folder().glob(f"mxcy-{os.getpid()}-*"))
    for path in left:
        path.unlink()

    assert left == []
    assert not [t for t in set(threading.enumerate()) - before if t.name.startswith("mxcy-kvstore")]


def declare(session, sizes=None, dtype="float32", value=1.0):
    sizes = sizes or SIZES
    specs = [{"key": k, "shape": [n], "dtype": dtype} for k, n in sizes.items()]
    session.declare(specs, lambda name: np.full(sizes[name], value, dtype))
    return [session.key("test", k) for k in sizes]


def pulled(session, keys):
    outs = {key.name: np.empty(key.size, key.dtype) for key in keys}
    session.pull(keys).into(outs)
    return outs


def use(session, name, **params):
    """Let the servers use an optimizer; all workers call this."""
    if session.rank == 0:
        session.call_all("optimizer", optimizer=describe(mx.optimizer.create(name, **params)))
    session.barrier()


def gradient(rank, round_, key):
    return np.random.default_rng([rank, round_, len(key.name)]).normal(size=key.size).astype("f")


@pytest.mark.parametrize("machines", [1, 2])
def test_rounds_are_sums_in_the_order_of_workers(machines):
    def body(session):
        keys = declare(session)
        for round_ in range(3):
            session.push([(key, gradient(session.rank, round_, key)) for key in keys])
            outs = pulled(session, keys)
            for key in keys:
                g = [gradient(rank, round_, key) for rank in range(4)]
                total = (g[0] + g[1]) + (g[2] + g[3]) if machines == 2 else ((g[0] + g[1]) + g[2]) + g[3]

                assert (outs[key.name] == total).all()

    with thread_job(workers=4, machines=machines) as job:
        run_workers(job, body)


@pytest.mark.parametrize("machines", [1, 2])
def test_weights_are_those_of_one_worker_with_the_sum(machines):
    """Bit for bit, with momentum, as an optimizer in this process does it."""

    def body(session):
        keys = declare(session)
        use(session, "sgd", learning_rate=0.1, momentum=0.9, wd=0.01)
        for round_ in range(4):
            session.push([(key, gradient(session.rank, round_, key)) for key in keys])
            outs = pulled(session, keys)
        return outs, session.states()

    with thread_job(workers=2, machines=machines) as job:
        (first, states), (second, _) = run_workers(job, body)
    updater = mx.optimizer.get_updater(mx.optimizer.create("sgd", learning_rate=0.1, momentum=0.9, wd=0.01))
    for name, size in SIZES.items():
        weight = mx.nd.ones(size)
        for round_ in range(4):
            key = type("Key", (), {"name": name, "size": size})
            total = gradient(0, round_, key) + gradient(1, round_, key)
            updater(name, mx.nd.array(total), weight)

        assert (first[name] == weight.asnumpy()).all()
        assert (second[name] == first[name]).all()
        assert (states[name].asnumpy() == updater.states[name].asnumpy()).all()


def test_sequential_within_machines_and_eventual_between_them():
    """A pull has all earlier rounds of its own machine, and of the other what has come; in the end all."""
    rounds = 5

    def body(session):
        [key] = declare(session, {"w": 8}, "float64", 0.0)
        use(session, "test")
        mine, other = (0, 1) if session.rank < 2 else (1, 0)
        seen = np.zeros(2)
        for round_ in range(1, rounds + 1):
            own = np.zeros(8)
            own[mine::2] = 1
            session.push([(key, own)])
            value = pulled(session, [key])["w"].reshape(4, 2)

            assert (value == value[0]).all()
            assert value[0, mine] == 2 * round_
            assert value[0, other] in range(0, 2 * rounds + 1, 2)
            assert (value[0] >= seen).all()
            seen = value[0]
        session.flush()
        session.barrier()
        return pulled(session, [key])["w"]

    with thread_job(workers=4, machines=2) as job:
        found = run_workers(job, body, consistency=("sequential", "eventual"))

    assert all((value == 2 * rounds).all() for value in found)


@pytest.mark.parametrize("aggregators", [0, 1, 2])
def test_machines_may_have_no_aggregators(aggregators):
    def body(session):
        keys = declare(session, value=0.0)
        for round_ in range(2):
            session.push([(key, gradient(session.rank, round_, key)) for key in keys])
            found = pulled(session, keys)
        return session.aggregated, found

    with thread_job(workers=2, machines=2, aggregators=aggregators) as job:
        results = run_workers(job, body)
    for aggregated, found in results:
        assert aggregated == (aggregators == 2)
        for name, size in SIZES.items():
            key = type("Key", (), {"name": name, "size": size})

            assert (found[name] == gradient(0, 1, key) + gradient(1, 1, key)).all()


@pytest.mark.parametrize("kind", ["fp16", "2bit"])
@pytest.mark.parametrize("machines", [1, 2])
def test_compression_is_after_the_sums_of_machines(kind, machines):
    def body(session):
        keys = declare(session, value=0.0)
        session.set_compression(Compression(kind, 0.5))
        session.barrier()
        found = []
        for round_ in range(3):
            session.push([(key, gradient(session.rank, round_, key)) for key in keys])
            found.append(pulled(session, keys))
        return found

    with thread_job(workers=4, machines=machines) as job:
        results = run_workers(job, body)
    for name, size in SIZES.items():
        key = type("Key", (), {"name": name, "size": size})
        groups = [[0, 1], [2, 3]] if machines == 2 else [[0], [1], [2], [3]]
        codes = [Compression(kind, 0.5) for _ in groups]
        for round_ in range(3):
            total = np.zeros(size, "f")
            for code, ranks in zip(codes, groups, strict=True):
                grad = gradient(ranks[0], round_, key)
                for rank in ranks[1:]:
                    grad = grad + gradient(rank, round_, key)
                codec, data = code.encode(0, grad)
                decode_into(total, codec, data, 0.5, add=True)

            assert all((found[round_][name] == total).all() for found in results)


# --- histories -----------------------------------------------------------------------------------

SEEDS = range(40 if FULL else 1)
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


def check_eventual(program, fault, seed, machines):
    """What is pulled counts the pushes of each worker: it never goes back, and all are there at the end."""

    def body(session):
        keys = {key.name: key for key in declare(session, {"a": 2, "b": 20_000}, "float64", 0.0)}
        use(session, "test")
        pushed, seen = dict.fromkeys(keys, 0), {name: np.zeros(key.size) for name, key in keys.items()}
        for name, pulls in program[session.rank :] + program[: session.rank]:
            own = np.zeros(keys[name].size)
            own[session.rank :: 2] = 1
            session.push([(keys[name], own)])
            pushed[name] += 1
            if pulls:
                value = pulled(session, [keys[name]])[name]

                assert (value >= seen[name]).all()
                assert (value[session.rank :: 2] == pushed[name]).all()
                seen[name] = value
        session.flush()
        session.barrier()
        return {name: (pulled(session, [key])[name], pushed[name]) for name, key in keys.items()}

    for found in run_history(body, fault, seed, machines, kind="dist_async"):
        for value, count in found.values():
            assert (value == count).all()


def random_program(seed):
    """(key to push, whether to pull), 40 times."""
    rng = random.Random(seed)
    return [(rng.choice("ab"), rng.random() < 0.6) for _ in range(40)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("fault", "machines"), [(f, m) for f in FAULTS for m in (1, 2) if f != "aggregator" or m > 1]
)
def test_histories_of_dist_sync_are_sequential(fault, machines, seed):
    check_sequential(random_program(seed), fault, seed, machines)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("fault", [f for f in FAULTS if f != "aggregator"])
def test_histories_of_dist_async_lose_and_repeat_nothing(fault, seed):
    check_eventual(random_program(seed), fault, seed, 1)


# --- what goes wrong -----------------------------------------------------------------------------


def test_who_never_arrives_is_named_in_time():
    with thread_job(workers=2) as job:
        job.options.join = 1.0
        with pytest.raises(mx.MXNetError, match="worker 1 did not arrive in time"):
            job.session(0)


def test_wrong_keys_and_shapes_are_named():
    def body(session):
        shape = [3 + session.rank]
        with pytest.raises(mx.MXNetError, match=r"shape \[3\], as worker 0 .* got \[4\] from worker 1"):
            session.declare([{"key": "w", "shape": shape, "dtype": "float32"}], lambda name: np.ones(3, "f"))
        with pytest.raises(mx.MXNetError, match="key 'smal' has not been inited; call init first"):
            session.key("push", "smal")
        declare(session)
        with pytest.raises(mx.MXNetError, match="did you mean 'small'"):
            session.key("push", "smal")
        with pytest.raises(mx.MXNetError, match="duplicate init of key 'small'"):
            declare(session)

    with thread_job() as job:
        run_workers(job, body)


def test_who_leaves_a_round_is_named():
    def body(session):
        keys = declare(session)
        if session.rank == 0:
            session.push([(key, gradient(0, 0, key)) for key in keys])
            with pytest.raises(mx.MXNetError, match="worker 1 .* has left the job"):
                pulled(session, keys)

    with thread_job() as job:
        run_workers(job, body)


@pytest.mark.parametrize("elastic", [False, True])
def test_a_lost_worker_ends_the_job_or_the_others_go_on(elastic):
    silent = threading.Event()

    def body(session):
        keys = declare(session)
        if session.rank == 1:
            session.connections.close()  # as a process that was killed
            silent.wait()
            return
        session.push([(key, np.full(key.size, 5, "f")) for key in keys])
        try:
            if elastic:
                assert all((value == 5).all() for value in pulled(session, keys).values())
                assert session.dead == 1
            else:
                with pytest.raises(mx.MXNetError, match="worker 1 .* has not been heard of for 4 s"):
                    pulled(session, keys)
        finally:
            silent.set()

    with thread_job(elastic=elastic, lost_after=4.0) as job:
        run_workers(job, body)


@pytest.mark.parametrize("machines", [1, 2])
@pytest.mark.parametrize("kind", ["dist_sync", "dist_async"])
def test_a_worker_joins_a_running_job(kind, machines):
    """From the round where the others are it is one of them: sums have its part, and nothing is missing."""
    meeting, late = threading.Barrier(3), []

    def rounds(session, keys, count):
        for _ in range(count):
            session.push([(key, np.full(key.size, 10.0**session.rank, "f")) for key in keys])
            pulled(session, keys)

    def together(session, keys):
        meeting.wait(60)  # the third has come
        rounds(session, keys, 2)
        session.flush()
        session.barrier()
        return pulled(session, keys)

    def body(session):
        keys = declare(session, value=0.0)
        use(session, "test")
        rounds(session, keys, 3)
        session.barrier()
        meeting.wait(60)
        return together(session, keys)

    def third():
        meeting.wait(60)
        session = job.session(2, kind=kind)
        try:
            late.append(together(session, declare(session, value=0.0)))
        finally:
            session.close()

    with thread_job(workers=2, machines=machines, elastic=True, most=3) as job:
        thread = threading.Thread(target=third)
        thread.start()
        try:
            results = run_workers(job, body, kind=kind)
        finally:
            meeting.abort()
            thread.join()
    for found in results + late:
        for value in found.values():
            assert (value == 3 * 11 + 2 * 111).all()
    assert len(late) == 1


def test_nobody_joins_a_full_job():
    def body(session):
        declare(session)
        with pytest.raises(mx.MXNetError, match="expected a rank below 1, got 1"):
            job.session(1)

    with thread_job(workers=1) as job:
        run_workers(job, body)


def test_other_versions_are_told_so():
    with thread_job(workers=1) as job:
        session = job.session(0)
        link = session.connections.links[COORDINATOR]
        with pytest.raises(mx.MXNetError, match="protocol 9, this is 2; use one version of mxcy everywhere"):
            header, *rest = encode(Frame(Kind.CALL, body={"method": "report"}))
            stranger = knock(job, link.endpoint)
            stranger.send_multipart([header[:4] + b"\x09" + header[5:], *rest])
            raise session_error(stranger)
        session.close()


def knock(job, endpoint):
    """A connection with the keys of the job that has not said hello."""
    client = zmq.Context.instance().socket(zmq.DEALER)
    client.linger, client.rcvtimeo = 0, 5000
    client.curve_serverkey = job.ticket.server_public.encode()
    client.curve_publickey = job.ticket.client_public.encode()
    client.curve_secretkey = job.ticket.client_secret.encode()
    client.connect(endpoint)
    return client


def session_error(client):
    error = error_of(decode(client.recv_multipart()).body)
    client.close()
    return error


def test_garbage_on_the_port_is_dropped_and_counted():
    rng = random.Random(3)

    def body(session):
        keys = declare(session)
        for round_ in range(3):
            throw_garbage(job, rng)
            session.push([(key, gradient(0, round_, key)) for key in keys])
            outs = pulled(session, keys)
            for key in keys:
                assert (outs[key.name] == gradient(0, round_, key)).all()

    with thread_job(workers=1, servers=1) as job:
        run_workers(job, body)
        counters = job.servers[0].counters

    assert counters["refused"] > 0
    assert counters["malformed"] > 0
    assert counters["strangers"] > 0


def throw_garbage(job, rng):
    endpoint = job.servers[0].endpoint
    host, port = endpoint.removeprefix("tcp://").split(":")
    for start in (b"", b"\xff\0\0\0\0\0\0\0\1\x7f\3\0CURVE" + bytes(15), b"GET / HTTP/1.0\r\n\r\n"):
        with socket.create_connection((host, int(port))) as raw:
            raw.sendall(start + rng.randbytes(rng.randrange(1, 500)))
    for keys in ("none", "other"):
        client = zmq.Context.instance().socket(zmq.DEALER)
        client.linger = 0
        if keys == "other":
            client.curve_serverkey = job.ticket.server_public.encode()
            client.curve_publickey, client.curve_secretkey = zmq.curve_keypair()
        client.connect(endpoint)
        with contextlib.suppress(zmq.Again):  # it has been thrown out already
            client.send(b"let me in", zmq.NOBLOCK)
        client.close()
    client = knock(job, endpoint)
    for _ in range(20):
        client.send_multipart([rng.randbytes(rng.randrange(60)) for _ in range(rng.randrange(1, 5))])
    body = entries(1)
    body["length"] = 4
    good = encode(Frame(Kind.PUSH, 0, 1, 1, 1, body, [b"1234"]))
    for _ in range(50):
        parts = [bytearray(part) for part in good]
        for _ in range(rng.randrange(3)):
            part = rng.choice(parts)
            part[rng.randrange(len(part))] = rng.randrange(256)
        client.send_multipart([bytes(part) for part in parts])
    client.send_multipart(encode(Frame(Kind.HELLO, body={"token": "wrong"})))
    client.recv_multipart()  # a question who this is: all that is before has arrived
    client.close()
