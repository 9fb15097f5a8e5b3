"""RecordIO: byte for byte the real MXNet's files, round trips of any records, damaged files."""

import base64
import json
import os
import pickle
import signal
import struct
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxcy import recordio
from mxcy.errors import ArgumentError, FormatError, MXNetError, StateError
from mxcy.recordio import framing

GOLDEN = Path(__file__).parent / "golden"
RECORDS = [base64.b64decode(text) for text in json.loads((GOLDEN / "records.json").read_text())]

magic = st.just(framing.MAGIC_BYTES)
payloads = st.lists(st.one_of(st.binary(max_size=9), magic), max_size=6).map(b"".join)


def written(folder, records, name="a"):
    with recordio.MXIndexedRecordIO(folder / f"{name}.idx", folder / f"{name}.rec", "w") as writer:
        for key, record in enumerate(records):
            writer.write_idx(key, record)
    return folder / f"{name}.idx", folder / f"{name}.rec"


def test_files_are_those_of_mxnet(tmp_path):
    index, records = written(tmp_path, RECORDS)

    assert records.read_bytes() == (GOLDEN / "records.rec").read_bytes()
    assert index.read_text() == (GOLDEN / "records.idx").read_text()


def test_files_of_mxnet_are_read():
    with recordio.MXIndexedRecordIO(GOLDEN / "records.idx", GOLDEN / "records.rec", "r") as reader:
        assert list(reader) == RECORDS
        assert reader.read() is None
        assert reader.keys == list(range(len(RECORDS)))
        assert [reader.read_idx(key) for key in reversed(reader.keys)] == RECORDS[::-1]
        reader.reset()
        assert [bytes(reader.read_view()) for _ in RECORDS] == RECORDS
    header, data = recordio.unpack(RECORDS[-1])
    assert (header.flag, header.id, header.id2, data) == (3, 8, 2, b"three labels")
    assert header.label.tolist() == [1, 2, 3]
    assert recordio.pack((0, 3.5, 7, 1), b"one label") == RECORDS[-2]
    assert recordio.unpack(RECORDS[-2]) == (recordio.IRHeader(0, 3.5, 7, 1), b"one label")
    assert repr(recordio.IRHeader(0, 3.5, 7, 1)) == "HEADER(flag=0, label=3.5, id=7, id2=1)"
    assert pickle.loads(pickle.dumps(header._replace(label=1.0))).label == 1.0


@given(st.lists(payloads, max_size=8))
def test_any_records_come_back(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("records")
    index, path = written(folder, records)

    assert path.stat().st_size % 4 == 0
    with recordio.MXRecordIO(path, "r") as reader:
        assert list(reader) == records
    with recordio.MXIndexedRecordIO(index, path, "r") as reader:
        assert [reader.read_idx(key) for key in range(len(records))] == records


@given(st.data())
def test_a_changed_byte_gives_an_error_or_other_records(tmp_path_factory, data):
    """No crash and no allocation beyond the file: framing is checked, payloads have no checksum."""
    folder = tmp_path_factory.mktemp("records")
    _, path = written(folder, RECORDS[:8])
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with recordio.MXRecordIO(path, "r") as reader:
        try:
            assert sum(map(len, reader)) <= len(content)
        except FormatError as error:
            assert str(path) in str(error) and "at byte" in str(error)


def test_every_cut_leaves_the_whole_records_before(tmp_path):
    records = [b"first record", b"xxxx" + framing.MAGIC_BYTES + b"yy", b"third"]
    _, path = written(tmp_path, records)
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        found = []
        with recordio.MXRecordIO(path, "r") as reader:
            try:
                found.extend(reader)
                ended = True
            except FormatError:
                ended = False
            while not ended and (record := next_or_none(reader)) is not None:
                found.append(record)
        assert found == records[: len(found)]


def next_or_none(reader):
    try:
        return reader.read()
    except FormatError:
        return None


def test_a_growing_file_is_followed(tmp_path):
    path = tmp_path / "a.rec"
    with recordio.MXRecordIO(path, "w") as writer:
        writer.write(b"one")
        writer.flush()
        with recordio.MXRecordIO(path, "r") as reader:
            assert (reader.read(), reader.read()) == (b"one", None)
            writer.write(b"two")
            writer.flush()
            assert reader.read() == b"two"


def test_threads_share_a_reader(tmp_path):
    records = [bytes([i % 256]) * (i % 50) for i in range(2000)]
    index, path = written(tmp_path, records)
    found = []
    with recordio.MXIndexedRecordIO(index, path, "r") as reader:

        def work(keys):
            found.extend((key, reader.read_idx(key)) for key in keys)

        threads = [threading.Thread(target=work, args=(range(i, 2000, 4),)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == list(enumerate(records))


def test_a_child_must_reset(tmp_path):
    _, path = written(tmp_path, [b"one", b"two"])
    reader = recordio.MXRecordIO(path, "r")
    reader.read()
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            reader.read()
        except RuntimeError as error:
            reader.reset()
            os.write(send, str(error).encode() + b"|" + reader.read())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(receive, 1000).endswith(b"call reset() after a fork|one")
    assert reader.read() == b"two"
    for descriptor in (receive, send):
        os.close(descriptor)
    reader.close()


def test_children_read_by_keys(tmp_path):
    index, path = written(tmp_path, [b"one", b"two", b"three"])
    reader = recordio.MXIndexedRecordIO(index, path, "r")
    assert reader.read() == b"one"
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        found = reader.read_idx(2) + reader.read_idx(0) + reader.read()
        reader.seek(1)
        os.write(send, found + reader.read())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(receive, 100) == b"three" + b"one" + b"two" + b"two"
    assert reader.read() == b"two"  # where the parent goes on stays
    for descriptor in (receive, send):
        os.close(descriptor)
    reader.close()


def test_a_child_does_not_write(tmp_path):
    with recordio.MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "w") as writer:
        writer.write_idx(0, b"one")
        child = os.fork()
        if child == 0:
            try:
                writer.write_idx(1, b"other")
            except RuntimeError:
                writer.close()
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        writer.write_idx(1, b"two")
    with recordio.MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "r") as reader:
        assert reader.keys == [0, 1] and list(reader) == [b"one", b"two"]


def test_heads_are_printed_and_pickled():
    head = recordio.unpack(recordio.pack((0, 4, 2574, 0), b""))[0]
    assert str(head) == "HEADER(flag=0, label=4.0, id=2574, id2=0)"
    assert pickle.loads(pickle.dumps(head)) == head and type(head) is recordio.IRHeader
    assert struct.calcsize(recordio._IR_FORMAT) == recordio._IR_SIZE == 24


@pytest.mark.parametrize("lines", ["0\n1\n", "0 0\n", "0\t0\t1\n"])
def test_an_index_has_tabs_between_key_and_position(tmp_path, lines):
    _, path = written(tmp_path, [b"one", b"two"])
    (tmp_path / "b.idx").write_text(lines)
    with pytest.raises(FormatError, match="expected lines of a key, a tab and a position"):
        recordio.MXIndexedRecordIO(tmp_path / "b.idx", path, "r")


def test_readers_are_pickled(tmp_path):
    index, path = written(tmp_path, [b"one", b"two"])
    with recordio.MXIndexedRecordIO(index, path, "r") as reader:
        again = pickle.loads(pickle.dumps(reader))
        assert again.read_idx(1) == b"two"
        again.close()


def test_keys_may_be_texts(tmp_path):
    paths = tmp_path / "a.idx", tmp_path / "a.rec"
    with recordio.MXIndexedRecordIO(*paths, "w", key_type=str) as writer:
        for key in ("b", "a"):
            writer.write_idx(key, key.encode() * 3)
    with recordio.MXIndexedRecordIO(*paths, "r", key_type=str) as reader:
        assert reader.keys == ["b", "a"]
        assert reader.read_idx("a") == b"aaa"
        assert reader.idx == {"b": 0, "a": 12}


def test_errors_name_file_and_cause(tmp_path):
    index, path = written(tmp_path, [b"one"])
    with pytest.raises(ArgumentError, match="'r' or 'w'"):
        recordio.MXRecordIO(path, "x")
    with pytest.raises(FileNotFoundError) as missing:
        recordio.MXRecordIO(tmp_path / "none", "r")
    assert isinstance(missing.value, MXNetError)
    reader = recordio.MXIndexedRecordIO(index, path, "r")
    with pytest.raises(StateError, match="opened for write"):
        reader.write(b"x")
    with pytest.raises(KeyError, match="a key of"):
        reader.read_idx(7)
    reader.close()
    with pytest.raises(StateError, match="is closed"):
        reader.read()
    index.write_text("0\tx\n")
    with pytest.raises(FormatError, match="lines of a key, a tab and a position"):
        recordio.MXIndexedRecordIO(index, path, "r")
    index.write_text("0\t4\n1\t400\n")
    with recordio.MXIndexedRecordIO(index, path, "r") as reader:
        with pytest.raises(FormatError, match="at byte 4.: expected the magic number"):
            reader.read_idx(0)
        with pytest.raises(FormatError, match="expected the record of key 1"):
            reader.read_idx(1)
    path.write_bytes(struct.pack("<II", framing.MAGIC, 3 << 29 | 4) + b"abcd")
    with (
        recordio.MXRecordIO(path, "r") as reader,
        pytest.raises(FormatError, match="the beginning of a record"),
    ):
        reader.read()
    with pytest.raises(FormatError, match="3 labels"):
        recordio.unpack(struct.pack("<IfQQ", 3, 0, 0, 0) + b"1234")
    with pytest.raises(FormatError, match="24 bytes"):
        recordio.unpack(b"short")


# --- looking at heads, damage, other places -----------------------------------------------------------
@given(st.lists(payloads, max_size=8), st.integers(0, 400), st.integers(0, 400))
def test_positions_are_those_of_the_index(tmp_path_factory, records, begin, end):
    index, path = written(tmp_path_factory.mktemp("records"), records)
    with recordio.MXIndexedRecordIO(index, path, "r") as reader:
        positions = list(reader.idx.values())
        assert reader.positions().tolist() == positions
        assert reader.positions(begin, end).tolist() == [x for x in positions if begin <= x < end]
        assert [bytes(reader.read_at(x)) for x in positions] == records
        assert reader.tell() == 0
        with pytest.raises(FormatError, match="a record, got the end"):
            reader.read_at(reader.nbytes())


@given(st.data())
def test_damage_is_skipped_and_counted_if_asked(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("records")
    records = data.draw(st.lists(payloads, min_size=2, max_size=6))
    index, path = written(folder, records)
    with recordio.MXIndexedRecordIO(index, path, "r") as reader:
        positions = list(reader.idx.values())
    broken = data.draw(st.integers(0, len(records) - 1))
    content = bytearray(path.read_bytes())
    content[positions[broken]] ^= 0xFF
    path.write_bytes(content)
    with recordio.MXRecordIO(path, "r", skip_damaged=True) as reader:
        found = list(reader)
        assert found == records[:broken] + records[broken + 1 :]
        assert reader.skipped == 1
        assert reader.positions().tolist() == positions[:broken] + positions[broken + 1 :]
    with recordio.MXRecordIO(path, "r") as reader, pytest.raises(FormatError, match="at byte"):
        reader.positions()


def test_a_writer_that_is_killed_leaves_whole_records(tmp_path):
    path = tmp_path / "a.rec"
    child = os.fork()
    if child == 0:
        writer = recordio.MXRecordIO(path, "w")
        for number in range(100_000):
            writer.write(str(number).encode() * 7)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    found = []
    with recordio.MXRecordIO(path, "r") as reader:
        try:
            found.extend(reader)
        except FormatError:
            pass
    assert 90_000 < len(found) <= 100_000
    assert all(record == str(number).encode() * 7 for number, record in enumerate(found))


def test_what_is_flushed_can_be_read(tmp_path):
    paths = tmp_path / "a.idx", tmp_path / "a.rec"
    with recordio.MXIndexedRecordIO(*paths, "w") as writer:
        writer.write_idx(3, b"three")
        writer.flush()
        with recordio.MXIndexedRecordIO(*paths, "r") as reader:
            assert reader.read_idx(3) == b"three"
            with pytest.raises(StateError, match="opened for write"):
                reader.flush()


def test_paths_may_be_urls():
    import fsspec

    paths = "memory://folder/a.idx", "memory://folder/a.rec"
    with recordio.MXIndexedRecordIO(*paths, "w") as writer:
        for key, record in enumerate(RECORDS):
            writer.write_idx(key, record)
    assert fsspec.filesystem("memory").cat("/folder/a.rec") == (GOLDEN / "records.rec").read_bytes()
    with recordio.MXIndexedRecordIO(*paths, "r") as reader:
        assert list(reader) == RECORDS
        assert [reader.read_idx(key) for key in reversed(reader.keys)] == RECORDS[::-1]
        assert reader.positions().tolist() == list(reader.idx.values())
        reader.reset()
        assert reader.read() == RECORDS[0]
        again = pickle.loads(pickle.dumps(reader))
        assert again.read() == RECORDS[0]
        again.close()
    with pytest.raises(FileNotFoundError):
        recordio.MXRecordIO("memory://none.rec", "r")


@pytest.mark.full
def test_files_beyond_four_gigabytes(tmp_path):
    paths = tmp_path / "a.idx", tmp_path / "a.rec"
    block = bytes(2**28)
    with recordio.MXIndexedRecordIO(*paths, "w") as writer:
        for key in range(17):
            writer.write_idx(key, block + str(key).encode())
    with recordio.MXIndexedRecordIO(*paths, "r") as reader:
        assert reader.nbytes() > 2**32
        assert len(reader.positions()) == 17
        assert bytes(reader.read_at(reader.position_of(16))[-2:]) == b"16"


def test_an_index_of_a_million_records(tmp_path):
    """How long it takes is printed by benchmarks/recordio.py."""
    count = 1_000_000
    (tmp_path / "a.idx").write_text("".join(f"{key}\t{key * 12}\n" for key in range(count)))
    with recordio.MXRecordIO(tmp_path / "a.rec", "w") as writer:
        writer._file.write(framing.framed(b"x") * count)
    with recordio.MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "r") as reader:
        assert reader.read_idx(count - 1) == b"x"
        assert len(reader.positions()) == count


@pytest.mark.full
def test_the_real_mxnet_reads_ours(tmp_path):
    python = Path(__file__).parent.parent / ".peers" / "mxnet" / "bin" / "python"
    if not python.is_file():
        pytest.skip("the real MXNet is not installed")
    index, path = written(tmp_path, RECORDS)
    program = (
        "import sys\nfrom mxnet import recordio\n"
        "r = recordio.MXIndexedRecordIO(sys.argv[1], sys.argv[2], 'r')\n"
        "print([r.read_idx(k).hex() for k in r.keys])"
    )
    found = subprocess.run([python, "-c", program, index, path], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str([record.hex() for record in RECORDS])
