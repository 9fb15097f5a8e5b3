"""Parts of the distributed store without processes: frames, codes, sums, slices, units."""

import itertools
import os
import struct
import zlib

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxcy as mx
from mxcy.kvstore.dist import _streams
from mxcy.kvstore.dist.arena import Arena, View, folder, new_name, remove_job, sweep, tag
from mxcy.kvstore.dist.clock import Clock
from mxcy.kvstore.dist.codecs import Compression, decode_into, rows_decoded, rows_encoded
from mxcy.kvstore.dist.frames import ENTRY, HEADER, PART, Codec, Frame, Kind, decode, encode, entries
from mxcy.kvstore.dist.gather import Gather
from mxcy.kvstore.dist.shard import Shard
from mxcy.kvstore.dist.slices import slices


@pytest.fixture
def shard():
    core = Shard(f"mxcy-{new_name()}-s0", 4)
    yield core
    core.close()


def call(core, sender=0, **body):
    return core.handle(sender, Frame(Kind.CALL, request=1, body=body))


def begin(core, members=(0, 1), size=4, sequential=True, staleness=None):
    call(core, method="members", epoch=0, members=list(members), sequential=sequential, staleness=staleness)
    about = {"unit": 7, "key": "w", "size": size, "dtype": "float32", "width": 1, "server": 0}
    call(core, method="init", units=[about])
    push(core, 0, 0, np.ones(size, "f"))


def push(core, sender, round_, values):
    data = np.ascontiguousarray(values, "f").tobytes()
    body = entries(1)
    body[0] = (7, round_, 0, len(data), 0, len(data), 0, 0)
    return core.handle(sender, Frame(Kind.PUSH, body=body, parts=[data]))


def pull(core, sender, round_, request=9):
    body = entries(1)
    body["unit"], body["round"] = 7, round_
    return core.handle(sender, Frame(Kind.PULL, request=request, body=body))


def value_in(out):
    (frame,) = [frame for _, frame in out if frame.kind == Kind.VALUE]
    return np.frombuffer(frame.parts[0], "f").tolist()


# --- frames --------------------------------------------------------------------------------------


def test_frames_come_back_as_they_were():
    body = entries(2)
    body["unit"], body["length"], body["start"] = [3, 4], [2, 3], [0, 2]
    frame = Frame(Kind.PUSH, 5, 2, 77, 99, body, [b"abcde"])
    back = decode(encode(frame))

    assert (back.kind, back.sender, back.stream, back.number, back.request) == (Kind.PUSH, 5, 2, 77, 99)
    assert (back.body == body).all()
    assert back.parts == [b"abcde"]
    assert decode(encode(Frame(Kind.CALL, body={"a": [1, "x"]}))).body == {"a": [1, "x"]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m[:1], "parts"),
        (lambda m: [m[0][:-1], *m[1:]], "header"),
        (lambda m: [b"XXXX" + m[0][4:], *m[1:]], "magic"),
        (lambda m: [m[0][:4] + b"\x09" + m[0][5:], *m[1:]], "protocol 9"),
        (lambda m: [m[0][:5] + b"\xff" + m[0][6:], *m[1:]], "kind"),
        (lambda m: [m[0], m[1] + b"x", *m[2:]], "damaged"),
        (lambda m: m[:2], "without its part"),
        (lambda m: [*m[:2], b"ab"], "ends after"),
    ],
)
def test_damaged_frames_are_refused(change, says):
    body = entries(1)
    body["length"] = 5
    with pytest.raises(mx.MXNetError, match=says):
        decode(change(encode(Frame(Kind.PUSH, body=body, parts=[b"abcde"]))))


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(0, 255), st.booleans())
def test_any_bytes_are_a_frame_or_refused(parts, kind, framed):
    if framed:
        body = parts[0] if parts else b""
        count = len(body) // ENTRY.itemsize
        header = HEADER.pack(b"MXcy", 1, kind, 0, 0, 0, 0, 0, count, zlib.crc32(body))
        parts = [header, body, *parts[1:]]
    try:
        assert isinstance(decode(parts), Frame)
    except mx.MXNetError:
        pass


# --- codes ---------------------------------------------------------------------------------------


def two_bits_one_by_one(residual, values, threshold):
    """MXNet's rule, element by element; (codes as they lie in memory, what arrives)."""
    words, arrives = [], []
    for x in range(0, len(values), 16):
        word = bytearray(4)
        for i in range(x, min(x + 16, len(values))):
            residual[i] = np.float32(residual[i] + values[i])
            code, sent = 0, 0.0
            if residual[i] >= threshold:
                code, sent = 3, threshold
            elif residual[i] <= -threshold:
                code, sent = 2, -threshold
            residual[i] = np.float32(residual[i] - np.float32(sent))
            word[(i - x) // 4] |= code << (6 - 2 * ((i - x) % 4))
            arrives.append(sent)
        words.append(bytes(word))
    return b"".join(words), np.array(arrives, "f")


@pytest.mark.parametrize("size", [1, 15, 16, 17, 1000])
def test_two_bits_are_those_of_mxnet(size):
    rng = np.random.default_rng(size)
    compression, residual = Compression("2bit", 0.5), np.zeros(size, "f")
    for _ in range(4):
        grad = rng.normal(scale=0.6, size=size).astype("f")
        expected, arrives = two_bits_one_by_one(residual, grad, 0.5)
        codec, data = compression.encode(1, grad)

        assert codec == Codec.TWO_BIT
        assert data.tobytes() == expected
        out = np.empty(size, "f")
        decode_into(out, codec, data, 0.5, add=False)

        assert (out == arrives).all()
        assert (compression.residuals[1] == residual).all()


def test_residual_and_what_was_sent_are_the_sum_of_the_gradients():
    rng = np.random.default_rng(0)
    compression, sent, given_ = Compression("2bit", 0.25), np.zeros(64, "f"), np.zeros(64, "f")
    for _ in range(50):
        grad = rng.integers(-8, 9, 64).astype("f") / 16  # sums of these are exact
        given_ += grad
        decode_into(sent, *compression.encode(0, grad), 0.25, add=True)

    assert (sent + compression.residuals[0] == given_).all()


@pytest.mark.parametrize(("kind", "dtype"), [("fp16", np.float16), ("bf16", ml_dtypes.bfloat16)])
def test_half_types_round_and_halve(kind, dtype):
    grad = np.linspace(-3, 3, 101).astype("f")
    codec, data = Compression(kind).encode(0, grad)
    out = np.ones(101, "f")
    decode_into(out, codec, data, 0, add=True)

    assert len(data) == 202
    assert (out == 1 + grad.astype(dtype).astype("f")).all()


def test_what_cannot_be_compressed_is_sent_as_it_is():
    assert Compression("2bit").encode(0, np.ones(3))[0] == Codec.PLAIN
    with pytest.raises(ValueError, match="2bit"):
        Compression("3bit")
    with pytest.raises(ValueError, match="more than 0"):
        Compression("2bit", -1)
    with pytest.raises(mx.MXNetError, match="bytes"):
        decode_into(np.ones(3, "f"), Codec.PLAIN, b"123", 0, add=False)


@pytest.mark.parametrize(
    "data",
    [b"", b"123"]
    + [np.int64(count).tobytes() for count in (-1, 1 << 60)]
    + [rows_encoded([5], np.ones((1, 2), "f"))],
)
def test_rows_from_outside_are_checked(data):
    with pytest.raises(mx.MXNetError):
        rows_decoded(data, np.dtype("f"), 2, 4)


# --- sums ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_sums_do_not_depend_on_arrival(order):
    size = PART // 4 + 1000
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=size).astype("f") for _ in range(3)]
    gather = Gather([0, 1, 2], size, np.dtype("f"), 0.5, 0)
    for sender in order:
        whole = parts[sender].view(np.uint8)
        if sender == 1:  # in two frames, of which the second comes twice
            gather.add(sender, PART, 4000, Codec.PLAIN, whole[PART:])
            gather.add(sender, PART, 4000, Codec.PLAIN, whole[PART:])
            gather.add(sender, 0, PART, Codec.PLAIN, whole[:PART])
        else:
            gather.add(sender, 0, size * 4, Codec.PLAIN, whole)

    assert not gather.left
    assert (gather.total() == (parts[0] + parts[1]) + parts[2]).all()


def test_rows_are_added_up_alone_and_with_whole_arrays():
    rows = {0: ([0, 2], [[1, 2], [3, 4]]), 1: ([2, 3], [[5, 6], [7, 8]])}
    encoded = {s: rows_encoded(np.array(i), np.array(r, "f")) for s, (i, r) in rows.items()}
    gather = Gather([0, 1], 8, np.dtype("f"), 0.5, 2)
    for sender in (1, 0):
        gather.add(sender, 0, 32, Codec.ROWS, encoded[sender])
    indices, values = gather.rows()

    assert indices.tolist() == [0, 2, 3]
    assert values.tolist() == [[1, 2], [8, 10], [7, 8]]
    assert gather.total().tolist() == [1, 2, 0, 0, 8, 10, 7, 8]
    for first in (0, 1):
        mixed = Gather([0, 1], 8, np.dtype("f"), 0.5, 2)
        for sender in (first, 1 - first):
            if sender == 0:
                mixed.add(0, 0, 32, Codec.ROWS, encoded[0])
            else:
                mixed.add(1, 0, 32, Codec.PLAIN, np.ones(8, "f").tobytes())

        assert mixed.rows() is None
        assert mixed.total().tolist() == [2, 3, 1, 1, 4, 5, 1, 1]


@given(st.lists(st.integers(0, 40), max_size=3), st.integers(1, 5), st.integers(1, 300))
def test_slices_cover_a_key_once(shape, servers, bound):
    width, cut = slices(11, tuple(shape), servers, bound)
    size = int(np.prod(shape))

    assert [s.start for s in cut] + ([size] if size else []) == ([0] + [s.stop for s in cut] if size else [])
    assert len({s.unit for s in cut}) == len(cut)
    assert all(0 <= s.server < servers for s in cut)
    assert not width or all(s.start % width == 0 for s in cut)


# --- one server ----------------------------------------------------------------------------------


def test_a_round_is_applied_once_when_all_have_pushed(shard):
    begin(shard)

    assert value_in(pull(shard, 0, 0)) == [1] * 4
    assert push(shard, 0, 1, [1, 2, 3, 4]) == []
    assert push(shard, 0, 1, [9, 9, 9, 9]) == []
    assert pull(shard, 0, 1) == []
    out = push(shard, 1, 1, [10, 20, 30, 40])

    assert value_in(out) == [11, 22, 33, 44]
    assert {s for s, f in out if f.kind == Kind.DONE} == {0, 1}
    again = push(shard, 0, 1, [1, 2, 3, 4])

    assert [f.kind for _, f in again] == [Kind.DONE]
    assert shard.counters["repeated"] == 1
    assert value_in(pull(shard, 1, 1)) == [11, 22, 33, 44]


def test_rounds_that_come_early_wait(shard):
    begin(shard)
    push(shard, 0, 2, [5] * 4)
    push(shard, 1, 2, [5] * 4)

    assert pull(shard, 1, 2) == []
    push(shard, 0, 1, [1] * 4)
    out = push(shard, 1, 1, [1] * 4)

    assert value_in(out) == [10] * 4
    assert value_in(pull(shard, 0, 2)) == [10] * 4


def test_eventual_consistency_applies_what_comes_and_may_bound_the_distance(shard):
    begin(shard, sequential=False, staleness=1)
    described = mx.optimizer.updater.describe(mx.optimizer.create("test"))
    call(shard, method="optimizer", optimizer=described)
    push(shard, 0, 1, [1] * 4)

    assert value_in(pull(shard, 0, 1)) == [2] * 4
    push(shard, 0, 2, [1] * 4)

    assert pull(shard, 0, 2) == []
    assert value_in(push(shard, 1, 1, [5] * 4)) == [8] * 4


def test_a_server_that_was_killed_has_all_that_it_has_answered(shard):
    begin(shard)
    described = mx.optimizer.updater.describe(mx.optimizer.create("sgd", learning_rate=0.5, momentum=0.5))
    call(shard, method="optimizer", optimizer=described)
    twin = Shard(f"mxcy-{new_name()}-s0", 4)
    begin(twin)
    call(twin, method="optimizer", optimizer=described)
    for round_ in (1, 2, 3):
        for sender in (0, 1):
            push(twin, sender, round_, [sender + round_] * 4)
            push(shard, sender, round_, [sender + round_] * 4)
            if sender == 0:
                push(shard, 0, round_ + 1, [100] * 4)  # is lost with the process: it was not answered
                shard.release()
                shard = Shard(shard.name, 4)
                push(shard, 0, round_, [round_] * 4)
        kept = value_in(pull(shard, 0, round_))

        assert kept == value_in(pull(twin, 1, round_))
        assert [s.tolist() for s in shard.units[7].states] == [s.tolist() for s in twin.units[7].states]
    twin.close()
    shard.close()


def test_a_server_that_was_killed_goes_on_with_functions_and_counts_that_came():
    """An updater of the program is kept with the values; updates of a loaded optimizer are counted on."""
    name = f"mxcy-{new_name()}-s0"
    shard = Shard(name, 4, lambda content: eval(content))
    begin(shard)
    frame = Frame(
        Kind.CALL, body={"method": "updater"}, parts=[b"lambda key, grad, weight: weight.__iadd__(2 * grad)"]
    )
    shard.handle(0, frame)
    shard.release()
    shard = Shard(name, 4, lambda content: eval(content))
    push(shard, 0, 1, [1] * 4)

    assert value_in(pull(shard, 0, 0)) == [1] * 4
    push(shard, 1, 1, [2] * 4)

    assert value_in(pull(shard, 0, 1)) == [7] * 4
    adam = mx.optimizer.create("adam")
    adam._index_update_count["w"] = 100
    call(shard, method="optimizer", optimizer=mx.optimizer.updater.describe(adam))
    for sender in (0, 1):
        push(shard, sender, 2, [1] * 4)
    shard.release()
    shard = Shard(name, 4, lambda content: eval(content))

    assert shard.updater.optimizer._index_update_count == {"w": 101}
    shard.close()


def test_functions_that_cannot_be_loaded_are_errors():
    shard = Shard(f"mxcy-{new_name()}-s0", 4, lambda content: eval(content))
    begin(shard)
    out = shard.handle(0, Frame(Kind.CALL, body={"method": "updater"}, parts=[b"nosuch"]))

    assert "the server cannot load it: NameError" in error_in(out)
    shard.close()


def test_a_lost_member_ends_the_round(shard):
    begin(shard, members=(0, 1, 2))
    push(shard, 1, 1, [3] * 4)
    pull(shard, 1, 1)
    call(shard, method="members", epoch=1, members=[0, 1], sequential=True, staleness=None)

    assert shard.again == {0, 1}
    push(shard, 0, 1, [1] * 4)

    assert value_in(push(shard, 1, 1, [3] * 4)) == [4] * 4


def error_in(out):
    (frame,) = [frame for _, frame in out if frame.kind == Kind.ERROR]
    return frame.body["text"]


def test_wrong_frames_are_errors_and_change_nothing(shard):
    begin(shard)
    body = entries(1)
    body[0] = (99, 1, 0, 16, 0, 16, 0, 0)

    assert "has not been inited" in error_in(shard.handle(0, Frame(Kind.PUSH, body=body, parts=[bytes(16)])))
    for rest in [(8, 16, 0, 16, 0, 0), (0, 16, 0, 3, 0, 0), (0, 16, 0, 16, 0, 9), (1, 2, 0, 2, 0, 0),
                 (0, 16, 0, 16, 2**32 - 1, 0), (0, 16, 0, 16, 0, 4)]:  # fmt: skip
        body[0] = (7, 1, *rest)

        assert error_in(shard.handle(0, Frame(Kind.PUSH, body=body, parts=[bytes(16)])))
    for method in ("none", "init", "states", "updater"):
        assert error_in(call(shard, method=method)), method
    for method, wrong in [
        ("init", {"units": [{}]}),
        ("optimizer", {"optimizer": {"name": "nosuch"}}),
        ("rounds", {"units": ["x"]}),
        ("members", {"epoch": 5, "members": [77]}),
    ]:
        assert error_in(call(shard, method=method, **wrong)), method
    push(shard, 0, 1, [1] * 4)

    assert value_in(push(shard, 1, 1, [2] * 4) + pull(shard, 0, 1)) == [3] * 4


# --- shared memory -------------------------------------------------------------------------------


def test_shared_memory_grows_and_is_checked():
    name = f"mxcy-{new_name()}-w0"
    arena, view = Arena(name), View(name)
    first = arena.take(100)
    arena.bytes(first, 4)[:] = 7
    big = arena.take(20 << 20)
    arena.bytes(big, 1)[:] = 9

    assert view.bytes(first, 4).tolist() == [7] * 4
    assert view.bytes(big, 1)[0] == 9
    with pytest.raises(mx.MXNetError, match="bytes at"):
        view.bytes(1 << 40, 1)
    with pytest.raises(mx.MXNetError, match="expected"):
        View("../etc/passwd")
    arena.close()

    assert not (folder() / name).exists()


def test_what_dead_processes_left_is_swept_away():
    name = f"mxcy-{2**22 + 5}-{tag()}deadbeef-s0"  # no process has such a number
    (folder() / name).write_bytes(b"x")
    own = Arena(f"mxcy-{new_name()}-s0")
    sweep()

    assert not (folder() / name).exists()
    assert own.path.exists()
    remove_job(own.name[5:-3])

    assert not own.path.exists()
    own.release()


def test_jobs_of_other_machines_are_swept_away_when_they_are_old_and_closed():
    other = f"{int(tag(), 16) ^ 1:04x}"
    arenas = [Arena(f"mxcy-{2**22 + 5}-{other}{i:08x}-s0") for i in range(3)]
    for arena in arenas[:2]:
        os.utime(arena.path, (0, 0))
    for arena in arenas[1:]:
        arena.release()
    sweep()
    there = [arena.path.exists() for arena in arenas]
    for arena in arenas:
        arena.close()

    assert there == [True, False, True]  # open; old; closed just now


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32"])
@pytest.mark.parametrize("size", [0, 1, 7, 1000, 1 << 16, (1 << 17) + 13])
def test_streamed_sums_and_copies_are_those_of_numpy(dtype, size):
    """At any alignment; the last two sizes are written past the caches."""
    rng = np.random.default_rng(size)
    for offset in (0, 1, 5):
        a, b, out = (rng.integers(-9, 9, size + offset).astype(dtype)[offset:] / 4 for _ in range(3))
        a, b, out = (x.astype(dtype) for x in (a, b, out))
        expected = a + b
        _streams.add(out, a, b)

        assert (out == expected).all()
        _streams.add(a, a, b)

        assert (a == expected).all()
        room = np.zeros(size + offset, dtype)
        _streams.copy(room[offset:].view(np.uint8), b.tobytes())

        assert (room[offset:] == b).all()
        assert not room[:offset].any()
    with pytest.raises(mx.MXNetError, match="expected"):
        _streams.copy(bytearray(3), b"four")


def test_a_pause_counts_a_second_at_most(monkeypatch):
    times = iter([10.0, 10.3, 50.0, 50.5])
    monkeypatch.setattr("mxcy.kvstore.dist.clock.time.monotonic", lambda: next(times))
    clock = Clock()

    assert [clock.turn() for _ in range(3)] == pytest.approx([10.3, 11.3, 11.8])


def test_header_is_forty_bytes():
    assert HEADER.size == 40 == struct.calcsize(HEADER.format)
