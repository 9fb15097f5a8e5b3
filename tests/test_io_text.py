"""Rows of text files that are read a block at a time."""

import os
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxcy as mx
from mxcy.errors import FormatError, MXNetError, ShapeError
from mxcy.io import text_rows


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(text_rows, "BLOCK", 16)


def taken(data):
    return [(b.data[0].asnumpy().tolist(), b.label[0].asnumpy().tolist(), b.pad) for b in data]


LINES = st.lists(st.integers(-999, 999), min_size=1, max_size=30)
SEPARATORS = st.sampled_from(["\n", "\r\n", "\n\n", "\n \t\n", " \n"])


@given(LINES, SEPARATORS, st.booleans(), st.integers(1, 40), st.booleans(), st.integers(1, 40))
def test_blocks_join(tmp_path_factory, values, separator, ends, batch_size, mark, block):
    path = tmp_path_factory.mktemp("text") / "a.csv"
    text = separator.join(f"{x},{i}" for i, x in enumerate(values)) + separator * ends
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_rows, "BLOCK", block)
        data = mx.io.CSVIter(path, (2,), batch_size, round_batch=False)
        found = taken(data)
    rows = [row for rows, _, pad in found for row in rows[: batch_size - pad]]
    assert rows == [[x, i] for i, x in enumerate(values)]


@given(st.integers(1, 25), st.integers(1, 4), st.integers(1, 12))
def test_parts_of_blocks_join(tmp_path_factory, count, parts, batch_size):
    path = tmp_path_factory.mktemp("text") / "a.svm"
    path.write_text("# numbers\n" + "".join(f"{i} {i % 7}:{i + 0.5}  # {i}\n" for i in range(count)))
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_rows, "BLOCK", 16)
        for part in range(parts):
            try:
                data = mx.io.LibSVMIter(path, (7,), batch_size, num_parts=parts, part_index=part)
            except FormatError:  # a part without rows
                continue
            for batch in data:
                labels, rows = batch.label[0].asnumpy(), batch.data[0].asnumpy()
                assert (rows[np.arange(batch_size), labels.astype(int) % 7] == labels + 0.5).all()
                found += labels[: batch_size - batch.pad].tolist()
    assert found == list(range(count))


def test_files_are_not_held_in_memory(tmp_path):
    path = tmp_path / "a.csv"
    line = b",".join([b"0.123456789"] * 100) + b"\n"
    path.write_bytes(line * 8_000)
    size = os.path.getsize(path)
    tracemalloc.start()
    try:
        count = sum(len(batch.data[0]) - batch.pad for batch in mx.io.CSVIter(path, (100,), 100))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 8_000 and most < size / 1.5


def test_states_go_on_in_the_middle(tmp_path, small_blocks):
    (tmp_path / "a.csv").write_text("".join(f"{i}\n" for i in range(20)))
    one, other = (mx.io.CSVIter(tmp_path / "a.csv", (1,), 3) for _ in range(2))
    next(one), next(one)
    other.set_state(pickle.loads(pickle.dumps(one.get_state())))
    assert taken(one) == taken(other)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_integers_lose_what_lies_behind_the_point(tmp_path, dtype):
    path = tmp_path / "a.csv"
    path.write_text("1.0,2.9e+01\n3,7\n")
    batch = next(mx.io.CSVIter(path, (2,), 2, dtype=dtype))

    assert np.dtype(batch.data[0].dtype) == dtype and batch.data[0].asnumpy().tolist() == [[1, 29], [3, 7]]


def test_rows_may_end_with_a_comma(tmp_path):
    (tmp_path / "a.csv").write_text("1,2,\n3,4\n")
    rows = [data for data, _, _ in taken(mx.io.CSVIter(tmp_path / "a.csv", (2,), 1))]
    assert rows == [[[1, 2]], [[3, 4]]]
    (tmp_path / "a.csv").write_text("1,,2\n")
    with pytest.raises(FormatError, match=r"a\.csv:1\): expected numbers between commas"):
        mx.io.CSVIter(tmp_path / "a.csv", (3,), 1)


def test_weights_and_queries_are_left_out(tmp_path):
    (tmp_path / "a.svm").write_text("3:0.5 0:1.5\n-1e1 qid:7 1:2 2:3\n4:1 qid:12\n")
    batch = next(mx.io.LibSVMIter(tmp_path / "a.svm", (3,), 3))
    assert batch.label[0].asnumpy().tolist() == [3, -10, 4]
    assert batch.data[0].asnumpy().tolist() == [[1.5, 0, 0], [0, 2, 3], [0, 0, 0]]


@pytest.mark.parametrize("number", ["1e30", "nan", "-inf"])
def test_numbers_that_are_no_integers_are_named(tmp_path, number):
    path = tmp_path / "a.csv"
    path.write_text(f"1,2\n3,{number}\n")
    with pytest.raises(FormatError, match=r"a\.csv:2\).*not in the range of int32"):
        mx.io.CSVIter(path, (2,), 2, dtype="int32")


def test_bad_lines_are_named_when_their_rows_are_wanted(tmp_path, small_blocks):
    path = tmp_path / "a.csv"
    path.write_text("".join(f"{i}\r\n\n" for i in range(20)) + "x\n")
    data = mx.io.CSVIter(path, (1,), 5)
    for _ in range(3):
        next(data)
    with pytest.raises(FormatError, match=r"a\.csv:41\): expected numbers between commas.*got 'x'"):
        next(data), next(data)
    path.write_text("1 0:1\n" * 20 + "1 0:1 # of 3:4\n1 7:1\n")
    data = mx.io.LibSVMIter(path, (3,), 21)
    assert next(data).data[0].asnumpy()[:, 0].tolist() == [1] * 21
    with pytest.raises(FormatError, match=r"a\.csv:22\)"):
        next(data)
    path.write_text("1,2\n" * 10 + "1,2,3\n" * 10)
    data = mx.io.CSVIter(path, (2,), 11)
    with pytest.raises(ShapeError, match="rows of 2 numbers"):
        next(data)


def test_files_that_change_are_refused(tmp_path, small_blocks):
    path = tmp_path / "a.csv"
    path.write_text("1\n" * 100)
    data = mx.io.CSVIter(path, (1,), 10)
    path.write_text("1\n" * 20)
    with pytest.raises(FormatError, match="a file that does not change"):
        list(data)


def test_lines_without_end_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text_rows, "BLOCK", 1 << 10)
    monkeypatch.setattr(text_rows, "LONGEST", 1 << 17)
    (tmp_path / "a.csv").write_bytes(b"1" * (1 << 18))
    with pytest.raises(FormatError, match="lines of at most 131072 bytes"):
        mx.io.CSVIter(tmp_path / "a.csv", (1,), 1)


def test_paths_may_be_urls():
    import fsspec

    fsspec.filesystem("memory").pipe("/text/a.csv", b"1,2\n3,4\n")
    assert taken(mx.io.CSVIter("memory://text/a.csv", (2,), 2)) == [([[1, 2], [3, 4]], [0, 0], 0)]


def test_lines_that_are_blank_but_for_a_comma_are_errors(tmp_path):
    (tmp_path / "a.csv").write_bytes(b" , \n3,4.5\n-5e3,6\n")

    with pytest.raises(MXNetError, match=r"a\.csv:1\): .*nothing before a comma"):
        list(mx.io.CSVIter(tmp_path / "a.csv", (2,), 2))


@given(st.data())
def test_changed_text_gives_rows_or_an_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    content = bytearray(b"1,2\n3,4.5\n-5e3,6\n")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.sampled_from(b" ,-.014\n\r\0xe\xff#"))
    path.write_bytes(content)
    try:
        for batch in mx.io.CSVIter(path, (2,), 2):
            assert batch.data[0].shape == (2, 2)
    except MXNetError as error:
        assert "a.csv" in str(error)
