"""Channels: frames come as they were, and nothing else comes at all."""

import contextlib
import os
import random
import socket

import numpy as np
import pytest
from conftest import FULL
from dist_jobs import run_workers, thread_job

from mxcy.errors import FormatError
from mxcy.kvstore.dist.channel import CHUNK, KEY_BYTES, Channel, Pool
from mxcy.kvstore.dist.frames import PART, Frame, Kind, decode, encode, entries

NAME, KEY = bytes(range(16)), bytes(range(KEY_BYTES))


@contextlib.contextmanager
def pair(find=lambda name: KEY, place=None):
    """A worker's end and a server's end."""
    near, far = socket.socketpair()
    ends = Channel(Unix(near), NAME, KEY, place=place), Channel(Unix(far), find=find)
    try:
        yield ends
    finally:
        for end in ends:
            end.close()


class Unix:
    """A socket of a pair, which knows no TCP_NODELAY."""

    def __init__(self, inner):
        self.inner = inner

    def setsockopt(self, *option):
        pass

    def __getattr__(self, name):
        return getattr(self.inner, name)


def carried(source, sink):
    """What comes out when everything has been sent."""
    found = []
    while source.pending():
        source.flush()
        found += sink.receive()
    return found


def frame_with(*parts):
    body = entries(len(parts))
    body["length"] = [len(part) for part in parts]
    body["part"] = range(len(parts))
    return Frame(Kind.PUSH, 3, 1, 2, 9, body, list(parts))


SIZES = [[], [0], [1], [CHUNK], [CHUNK + 1, 0, 7], [3 * PART + 5, 100], [PART // 16, PART]]


@pytest.mark.parametrize("sizes", SIZES)
def test_frames_arrive_as_they_were_in_both_directions(sizes):
    frames = [frame_with(*(os.urandom(n) for n in sizes)) for _ in range(3)]
    with pair() as (worker, server):
        for source, sink in ((worker, server), (server, worker)):
            for frame in frames:
                source.put(encode(frame))
            found = [decode(message) for message in carried(source, sink)]

            assert [f.body.tobytes() for f in found] == [f.body.tobytes() for f in frames]
            assert [[bytes(p) for p in f.parts] for f in found] == [list(f.parts) for f in frames]
            assert found[0].request == 9


def test_a_part_is_opened_where_it_is_wanted():
    out = np.zeros(2 * CHUNK, np.uint8)

    def place(header, body, lengths):
        return [memoryview(out)] if lengths == [len(out)] else None

    with pair(place=place) as (worker, server):
        worker.put(encode(Frame(Kind.PING)))
        carried(worker, server)
        data = os.urandom(len(out))
        server.put(encode(frame_with(data)))
        server.put(encode(frame_with(b"other")))
        found = carried(server, worker)

    assert out.tobytes() == data
    assert bytes(found[1][2]) == b"other"


def test_what_waits_keeps_its_value_when_it_is_settled():
    data = np.arange(8 * PART, dtype=np.uint8)
    before = data.tobytes()
    with pair() as (worker, server):
        worker.put(encode(frame_with(memoryview(data))))
        worker.flush()  # as much as the socket takes
        worker.settle()
        data[:] = 0
        found = server.receive()
        found += carried(worker, server)

    assert bytes(found[0][2]) == before


def wire(*frames):
    """The bytes that a worker sends, with the name."""
    near, far = socket.socketpair()
    worker = Channel(Unix(near), NAME, KEY)
    far.setblocking(False)
    raw = b""
    for frame in frames:
        worker.put(encode(frame))
    while worker.pending():
        worker.flush()
        with contextlib.suppress(BlockingIOError):
            while True:
                raw += far.recv(1 << 20)
    worker.close()
    far.close()
    return raw


def taken(raw, find=lambda name: KEY):
    """What a server makes of bytes on the wire."""
    near, far = socket.socketpair()
    server = Channel(Unix(far), find=find)
    near.sendall(raw)
    try:
        return server.receive()
    finally:
        near.close()
        server.close()


FIRST, SECOND = frame_with(b"first" * 50), frame_with(b"second" * 50)


def test_altered_repeated_and_missing_records_end_the_connection():
    rng = random.Random(1)
    good = wire(FIRST, SECOND)
    one = len(wire(FIRST))
    assert len(taken(good)) == 2
    for bad in (good[:16] + good[one:], good[:one] + good[16:one], good[:16] + good[one:] + good[16:one]):
        with pytest.raises(FormatError, match="not sealed with its key|a head of"):
            taken(bad)
    for _ in range(2000 if FULL else 100):
        raw = bytearray(good)
        at = rng.randrange(16, len(raw))
        raw[at] ^= 1 << rng.randrange(8)
        try:
            found = taken(bytes(raw))  # a longer length waits for bytes that never come
            assert len(found) < 2
        except FormatError:
            pass


def test_who_cannot_name_a_connection_gets_no_key():
    def find(name):
        raise FormatError("nobody")

    with pytest.raises(FormatError):
        taken(wire(FIRST), find)
    with pytest.raises(FormatError):
        taken(wire(FIRST), lambda name: bytes(KEY_BYTES))


def test_buffers_are_used_again_when_nobody_refers_to_them():
    pool = Pool()
    first, second = pool.take(PART), pool.take(PART - 1)
    address = np.frombuffer(first, np.uint8).ctypes.data

    assert address != np.frombuffer(second, np.uint8).ctypes.data

    part = np.frombuffer(first, np.uint8)[5:]
    del first
    assert address != np.frombuffer(pool.take(PART), np.uint8).ctypes.data

    del part
    assert address == np.frombuffer(pool.take(PART), np.uint8).ctypes.data


def test_strangers_and_replays_on_the_port_of_channels_harm_nothing():
    rng = random.Random(2)

    def body(session):
        spec = {"key": "w", "shape": [400_000], "dtype": "float32"}
        session.declare([spec], lambda name: np.zeros(400_000, "f"))
        key = session.key("test", "w")
        for round_ in range(1, 4):
            for raw in (b"", NAME, rng.randbytes(400), wire(FIRST), b"GET / HTTP/1.0\r\n\r\n"):
                knock(job, raw)
            session.push([(key, np.full(key.size, round_, "f"))])
            out = np.empty(key.size, "f")
            session.pull([key]).into({"w": out})

            assert (out == round_).all()
            assert session.connections.links[0].channel is not None

    with thread_job(workers=1, servers=1, apart=True) as job:
        run_workers(job, body)
        counters = job.servers[0].counters

    assert counters["refused"] > 0


def knock(job, raw):
    with socket.create_connection(("127.0.0.1", job.servers[0].channel_port)) as stranger:
        stranger.sendall(raw)
