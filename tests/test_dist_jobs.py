"""Jobs of several workers over real sockets: sums, consistency, faults and what comes from outside."""

import contextlib
import gc
import os
import random
import re
import socket
import threading
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import zmq
from dist_jobs import SECONDS, SIZES, declare, nothing_is_left, pulled, run_workers, thread_job, use

import mxcy as mx
from mxcy.kvstore.dist.codecs import Compression, decode_into
from mxcy.kvstore.dist.connection import error_of
from mxcy.kvstore.dist.frames import Frame, Kind, decode, encode, entries
from mxcy.kvstore.dist.session import COORDINATOR
from mxcy.kvstore.dist.store import DistKVStore


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    with nothing_is_left(monkeypatch):
        yield


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


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="what is mapped is not told here")
@pytest.mark.parametrize("machines", [1, 2])
def test_closed_stores_map_no_shared_memory(machines):
    def body(session):
        keys = declare(session)
        use(session, "sgd", learning_rate=0.1, momentum=0.9)
        session.push([(key, gradient(session.rank, 0, key)) for key in keys])
        pulled(session, keys)

    gc.collect()
    gc.disable()
    try:
        with thread_job(workers=2, machines=machines) as job:
            run_workers(job, body)
        assert f"mxcy-{os.getpid()}-" not in Path("/proc/self/maps").read_text()
    finally:
        gc.enable()


@pytest.mark.parametrize("machines", [1, 2])
def test_weights_are_those_of_one_worker_with_the_sum(machines):
    """Bit for bit, with momentum, as an optimizer in this process does it."""

    def body(session):
        keys = declare(session)
        use(session, "sgd", learning_rate=0.1, momentum=0.9, wd=0.01)
        for round_ in range(4):
            session.push([(key, gradient(session.rank, round_, key)) for key in keys])
            outs = pulled(session, keys)
        return outs, session.states()[0]

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


class Halves(mx.optimizer.Optimizer):
    """An optimizer of a program: weights lose half of the gradient, and the state counts."""

    def create_state(self, index, weight):
        return mx.nd.zeros(weight.shape)

    def update(self, index, weight, grad, state):
        state += 1
        weight -= 0.5 * grad


@pytest.mark.parametrize("allowed", [True, False])
def test_optimizers_of_the_program_run_on_servers_that_take_functions(allowed, tmp_path):
    path = str(tmp_path / "states")

    def body(session):
        store = DistKVStore("dist_sync", session)
        store.init(list(SIZES), [mx.nd.ones(size) for size in SIZES.values()])
        if not allowed:
            with pytest.raises(mx.MXNetError, match="take no functions, such as the optimizer Halves"):
                store.set_optimizer(Halves())
            return
        store.set_optimizer(Halves())
        outs = [mx.nd.zeros(size) for size in SIZES.values()]
        for _ in range(2):
            store.pushpull(list(SIZES), [mx.nd.ones(size) for size in SIZES.values()], out=outs)
        if session.rank == 0:
            store.save_optimizer_states(path)

        assert all((out.asnumpy() == -1).all() for out in outs)

    with thread_job(custom_updaters=allowed) as job:
        run_workers(job, body)
    if allowed:
        assert (mx.nd.load(path)["0"].asnumpy() == 2).all()


def test_training_goes_on_from_saved_states_as_if_it_had_not_ended(tmp_path):
    """Numbers of updates are those of the servers, where the optimizer runs; Adam's steps depend on them."""
    path = str(tmp_path / "states")
    grads = [np.random.default_rng(i).normal(size=SIZES["big"]).astype("f") for i in range(4)]

    def train(store, some, value, load):
        store.init("big", value)
        store.set_optimizer(mx.optimizer.create("adam", learning_rate=0.1))
        if load:
            store.load_optimizer_states(path)
        for grad in some:
            store.push("big", mx.nd.array(grad))
        out = mx.nd.zeros(value.shape)
        store.pull("big", out=out)
        return out

    def part(some, value, load):
        def body(session):
            store = DistKVStore("dist_sync", session)
            out = train(store, some, value, load)
            store.save_optimizer_states(path, dump_optimizer=True)
            return out

        with thread_job(workers=1) as job:
            return run_workers(job, body)[0]

    half = part(grads[:2], mx.nd.ones(SIZES["big"]), False)
    whole = part(grads[2:], half, True)
    expected = train(mx.kv.create(), grads, mx.nd.ones(SIZES["big"]), False)

    assert (whole.asnumpy() == expected.asnumpy()).all()


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


@pytest.mark.parametrize("kind", ["fp16", "bf16", "2bit"])
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


@pytest.mark.parametrize(("kind", "dtype"), [("fp16", np.float16), ("bf16", ml_dtypes.bfloat16)])
def test_halves_are_rounded_once_and_added_up_in_float32(kind, dtype):
    """Numbers that both types round differently; the sum keeps what neither type holds."""

    def body(session):
        [key] = declare(session, {"w": 100_001}, value=0.0)  # split over the servers
        session.set_compression(Compression(kind))
        session.barrier()
        session.push([(key, np.linspace(-7, 900 + session.rank, key.size, dtype="f"))])
        return pulled(session, [key])["w"]

    with thread_job() as job:
        results = run_workers(job, body)
    parts = [np.linspace(-7, 900 + rank, 100_001, dtype="f").astype(dtype).astype("f") for rank in (0, 1)]
    assert all((found == parts[0] + parts[1]).all() for found in results)
    assert not (results[0] == results[0].astype(dtype).astype("f")).all()


@pytest.mark.parametrize("staleness", [0, 2])
def test_a_worker_waits_while_another_is_too_many_rounds_behind(staleness):
    """The slow one pushes its first round when the servers say that the fast one waits."""
    waits, rounds = threading.Event(), staleness + 1

    def push(session, key):
        own = np.zeros(key.size)
        own[session.rank :: 2] = 1
        session.push([(key, own)])

    def fast(session, key):
        for round_ in range(1, rounds):
            push(session, key)

            assert pulled(session, [key])["w"].tolist() == [round_, 0]
        push(session, key)
        waiting = session.pull([key])
        found = [stats["waiting"] for stats, _ in session.call_all("stats")]

        assert sum(found) == 1
        waits.set()
        out = {"w": np.empty(2)}
        waiting.into(out)

        assert out["w"].tolist() == [rounds, 1]

    def body(session):
        [key] = declare(session, {"w": 2}, "float64", 0.0)
        use(session, "test")
        if session.rank == 0:
            fast(session, key)
        else:
            waits.wait(SECONDS)
            push(session, key)

            assert pulled(session, [key])["w"].tolist() == [rounds, 1]
        session.barrier()

    with thread_job() as job:
        run_workers(job, body, kind="dist_async", staleness=staleness)


def test_the_dashboard_has_keys_bytes_rate_and_lag_of_each_server():
    line = r"server (\d): (\d) keys, (\d+\.\d) MB, (\d+\.\d) MB/s, lag (\d), (\d+) updates, 0 repeated"

    def body(session):
        store = DistKVStore("dist_async", session)
        store.init(["a", "b", "c"], [mx.nd.zeros(n) for n in (20, 300_000, 50_000)])  # b has two slices
        if session.rank == 0:
            store.set_optimizer(mx.optimizer.create("test"))
        store.barrier()
        for _ in range(3 if session.rank == 0 else 1):
            store.push(["a", "b"], [mx.nd.ones(20), mx.nd.ones(300_000)])
        store.pull("b", out=mx.nd.zeros(300_000))
        store._drain()
        session.flush()
        mx.nd.waitall()
        store.barrier()
        cores = [server.core for server in job.servers]
        moved = [core.counters["bytes_in"] + core.counters["bytes_out"] for core in cores]
        since = [core._since for core in cores]
        early = time.monotonic()
        found = [re.fullmatch(line, text).groups() for text in store.dashboard().split("\n")]
        late = time.monotonic()
        store.barrier()
        rates = [float(one[3]) * 1e6 for one in found]

        # 20 and 50,000 elements on the first server, and half of 300,000 on each; rounds 3 and 1.
        assert [one[:3] + one[4:] for one in found] == [
            ("0", "3", "0.8", "2", "8"), ("1", "1", "0.6", "2", "4")
        ]  # fmt: skip
        for i, nbytes in enumerate(moved):
            assert nbytes >= (4 + 2) * 600_000  # pushed and pulled of b
            assert nbytes / (late - since[i]) - 5e4 <= rates[i] <= nbytes / (early - since[i]) + 5e4

    with thread_job() as job:
        run_workers(job, body, kind="dist_async")


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
