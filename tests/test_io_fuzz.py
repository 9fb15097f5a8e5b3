"""Small formats with changed bytes: what is read, or an error of the package that names the file."""

import pickle
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxcy as mx
from mxcy import recordio
from mxcy.errors import MXNetError
from mxcy.image.iterator import read_list
from mxcy.recordio.files import read_index
from mxcy.tools import im2rec, rec

LIST = b"0\t1.0\ta.jpg\n1\t2.0\t3.5\tb c.jpg\n2\t0\td.jpg\n"
FORMATS = {
    "index": (b"0\t0\n1\t40\n2\t128\n", lambda path: read_index(str(path), int)),
    "index of texts": (b"a\t0\nb\t40\n", lambda path: read_index(str(path), str)),
    "list": (LIST, read_list),
    "checksums": (b"0\tdeadbeef\n40\t00000001\n", rec.read_sums),
    "header": (recordio.pack((0, [1.0, 2.0], 3, 4), b"x"), lambda path: recordio.unpack(path.read_bytes())),
}


def changed(content, data):
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.one_of(st.sampled_from(b"\t\n -.019\0\xff"), st.integers(0, 255)))
    return bytes(content[: data.draw(st.integers(0, len(content)))])


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_changed_bytes_give_something_or_an_error(tmp_path_factory, name, data):
    content, read = FORMATS[name]
    path = tmp_path_factory.mktemp("fuzz") / "file.txt"
    path.write_bytes(changed(content, data))
    try:
        read(path)
    except MXNetError as error:
        assert name == "header" or "file.txt" in str(error)


@given(data=st.data())
def test_changed_lists_are_packed_without_their_bad_lines(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "file.lst"
    path.write_bytes(changed(LIST, data))
    for key, name, labels in im2rec.read_items(path):
        assert isinstance(key, int) and name and labels


@given(data=st.data())
def test_an_index_that_does_not_match_is_an_error(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    paths = folder / "a.idx", folder / "a.rec"
    with recordio.MXIndexedRecordIO(*paths, "w") as writer:
        for key in range(5):
            writer.write_idx(key, bytes([key]) * 9)
    places = data.draw(st.lists(st.integers(0, 200), min_size=1, max_size=5))
    paths[0].write_text("".join(f"{key}\t{place}\n" for key, place in enumerate(places)))
    with recordio.MXIndexedRecordIO(*paths, "r") as reader:
        for key, place in enumerate(places):
            try:
                assert place % 20 == 0 and reader.read_idx(key) == bytes([place // 20]) * 9
            except MXNetError as error:
                assert "a.rec" in str(error)
            except AssertionError:
                with pytest.raises(MXNetError, match=r"a\.rec"):
                    reader.read_idx(key)


def test_buckets_of_sentences_go_on_where_a_state_was_taken():
    rng = np.random.default_rng(0)
    sentences = [rng.integers(1, 9, rng.integers(2, 5)).tolist() for _ in range(40)]
    one, other = (mx.rnn.BucketSentenceIter(sentences, 3, invalid_label=0) for _ in range(2))
    one.reset()
    next(one), next(one)
    state = pickle.loads(pickle.dumps(one.get_state()))
    other.set_state(state)

    def rest(data):
        random.seed(1)
        np.random.seed(1)
        found = []
        for _ in range(2):
            found += [[b.bucket_key, *(x[0].asnumpy().tolist() for x in (b.data, b.label))] for b in data]
            data.reset()
        return found

    assert rest(one) == rest(other)
    with pytest.raises(ValueError, match="the state of an iterator over"):
        mx.rnn.BucketSentenceIter(sentences[:20], 3, invalid_label=0).set_state(state)


def test_messages_of_lists_name_the_line(tmp_path):
    path = Path(tmp_path / "a.lst")
    for bad in ("alone", "x\t1\ta.jpg", "1\tx\ta.jpg"):
        path.write_text(f"0\t1\ta.jpg\n{bad}\n")
        with pytest.raises(MXNetError, match=r"a\.lst:2.*a key, labels and a path"):
            read_list(path)
