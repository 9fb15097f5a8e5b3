"""Iterators over files, and over others: the batches that MXNet 1.9.1 gives, measured there."""

import gzip
import itertools
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxcy as mx
from mxcy.errors import FormatError, ShapeError
from mxcy.io.rounds import Rounds, part_of_bytes

ROUND = {
    4: [
        [([0, 1, 2, 3], 0), ([4, 5, 6, 7], 0), ([8, 9, 0, 1], 2)],
        [([2, 3, 4, 5], 0), ([6, 7, 8, 9], 0)],
        [([0, 1, 2, 3], 0), ([4, 5, 6, 7], 0), ([8, 9, 0, 1], 2)],
    ],
    5: [[([0, 1, 2, 3, 4], 0), ([5, 6, 7, 8, 9], 0)]] * 3,
    12: [
        [([*range(10), 0, 1], 2)],
        [([*range(2, 10), 0, 1, 2, 3], 4)],
        [([*range(4, 10), 0, 1, 2, 3, 4, 5], 6)],
    ],
}
NOT_ROUND = {
    4: [[([0, 1, 2, 3], 0), ([4, 5, 6, 7], 0), ([8, 9, 6, 7], 2)]] * 3,
    5: ROUND[5],
    12: [[([*range(10), 0, 0], 2)]] * 3,
}


@pytest.fixture
def csv(tmp_path):
    np.savetxt(tmp_path / "data.csv", np.arange(20).reshape(10, 2), delimiter=",", fmt="%g")
    np.savetxt(tmp_path / "label.csv", np.arange(10), fmt="%g")
    return {"data_csv": tmp_path / "data.csv", "data_shape": (2,), "label_csv": tmp_path / "label.csv"}


def epoch(data):
    """Labels and pad of each batch of the epoch."""
    return [(batch.label[0].asnumpy().astype(int).tolist(), batch.pad) for batch in data]


def epochs(data, count):
    found = []
    for _ in range(count):
        found.append(epoch(data))
        data.reset()
    return found


@pytest.mark.parametrize("size", ROUND)
def test_last_batches_are_filled_as_by_mxnet(csv, size):
    assert epochs(mx.io.CSVIter(**csv, batch_size=size), 3) == ROUND[size]
    assert epochs(mx.io.CSVIter(**csv, batch_size=size, round_batch=False), 3) == NOT_ROUND[size]


@given(st.integers(1, 30), st.integers(1, 12), st.booleans(), st.integers(0, 5))
def test_every_sample_comes_once_in_a_pass(count, batch_size, shuffle, seed):
    """With round_batch an epoch goes on where the last one ended: all together are whole passes."""

    def order(number):
        return np.random.default_rng([seed, number]).permutation(count) if shuffle else np.arange(count)

    rounds = Rounds(count, batch_size, order=order)
    stream, fillers = [], 0
    for _ in range(4):
        fresh = 0
        while (found := rounds.next()) is not None:
            rows, pad = found
            assert len(rows) == batch_size
            stream += rows.tolist()
            fresh += batch_size - pad
            fillers = pad
        assert fresh <= count
        rounds.reset()
    whole = len(stream) // count * count
    for begin in range(0, whole, count):
        assert sorted(stream[begin : begin + count]) == list(range(count))
    assert len(set(stream[whole:])) == len(stream) - whole
    assert fillers < batch_size


@given(st.integers(1, 12), st.integers(1, 6), st.booleans(), st.integers(0, 12))
def test_a_state_goes_on_where_it_was_taken(count, batch_size, round_batch, steps):
    one, other = (Rounds(count, batch_size, round_batch) for _ in range(2))

    def go(rounds, steps):
        found = []
        for _ in range(steps):
            batch = rounds.next()
            if batch is None:
                rounds.reset()
            found.append(batch and (batch[0].tolist(), batch[1]))
        return found

    go(one, steps)
    other.set_state(pickle.loads(pickle.dumps(one.get_state())))
    assert go(one, 8) == go(other, 8)


@given(st.integers(0, 1000), st.integers(1, 9), st.sampled_from([1, 4]))
def test_parts_of_a_file_join(size, parts, align):
    size *= align
    cuts = [part_of_bytes(size, part, parts, align) for part in range(parts)]
    assert cuts[0][0] == 0 and cuts[-1][1] == size
    assert all(a[1] == b[0] for a, b in itertools.pairwise(cuts))


def test_csv_gives_names_shapes_and_dtypes(csv):
    data = mx.io.CSVIter(**csv, batch_size=4)
    assert [(d.name, d.shape, d.dtype) for d in (*data.provide_data, *data.provide_label)] == [
        ("data", (4, 2), np.float32), ("softmax_label", (4,), np.float32),
    ]  # fmt: skip
    batch = next(data)
    assert batch.data[0].asnumpy().tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert batch.index.tolist() == [0, 1, 2, 3]
    assert data.getdata().shape == (4, 2) and data.getlabel().shape == (4,) and data.getpad() == 0
    del csv["label_csv"]
    data = mx.io.CSVIter(**csv | {"data_shape": (2, 1)}, batch_size=4, dtype="int32", label_shape=(3,))
    batch = next(data)
    assert (batch.data[0].dtype, batch.data[0].shape) == (np.int32, (4, 2, 1))
    assert batch.label[0].asnumpy().tolist() == [[0] * 3] * 4


def test_the_first_batch_can_stay(csv):
    data = mx.io.CSVIter(**csv, batch_size=4)
    data.debug_skip_load()
    assert [next(data).label[0].asnumpy()[0] for _ in range(9)] == [0.0] * 9


def test_unknown_parameters_are_left_out_with_a_message(csv, caplog):
    mx.io.CSVIter(**csv, batch_size=4, batchsize=3)
    assert "unknown parameter 'batchsize'; did you mean batch_size" in caplog.text


PIXELS = np.random.RandomState(0).randint(0, 256, (11, 4, 3), dtype=np.uint8)


def write_mnist(folder, pack=lambda x: x):
    """A small data set in the format of MNIST."""
    (folder / "images").write_bytes(pack(struct.pack(">iiii", 2051, 11, 4, 3) + PIXELS.tobytes()))
    (folder / "labels").write_bytes(pack(struct.pack(">ii", 2049, 11) + bytes(range(11))))
    return {"image": folder / "images", "label": folder / "labels", "batch_size": 3}


@pytest.mark.parametrize("pack", [lambda x: x, gzip.compress], ids=["plain", "gzip"])
def test_mnist_is_read(tmp_path, pack):
    files = write_mnist(tmp_path, pack)
    data = mx.io.MNISTIter(**files, shuffle=False)
    assert epochs(data, 2) == [[([0, 1, 2], 0), ([3, 4, 5], 0), ([6, 7, 8], 0)]] * 2
    batch = next(data)
    np.testing.assert_array_equal(batch.data[0].asnumpy()[:, 0] * 256, PIXELS[:3])
    assert data.provide_data[0].shape == (3, 1, 4, 3)
    assert mx.io.MNISTIter(**files, flat=True).provide_data[0].shape == (3, 12)
    part = mx.io.MNISTIter(**files, shuffle=False, num_parts=2, part_index=1)
    assert epoch(part) == [([5, 6, 7], 0)]


def test_mnist_is_shuffled_by_the_seed(tmp_path):
    files = write_mnist(tmp_path) | {"batch_size": 11}
    one, same, other = (mx.io.MNISTIter(**files, seed=seed) for seed in (1, 1, 2))
    first = epoch(one)
    assert first == epoch(same) != epoch(other)
    assert sorted(first[0][0]) == list(range(11))
    one.reset()
    assert epoch(one) == first


@given(st.data())
def test_changed_bytes_of_idx_files_give_an_array_or_an_error(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("idx")
    path = write_mnist(folder, data.draw(st.sampled_from([bytes, gzip.compress])))["image"]
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, min(20, len(content) - 1)))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        mx.io.MNISTIter(path, folder / "labels", 3)
    except FormatError as error:
        assert str(path) in str(error) or "labels" in str(error)


def test_bad_files_are_named(tmp_path, csv):
    with pytest.raises(FileNotFoundError, match="none"):
        mx.io.CSVIter(tmp_path / "none", (2,), 1)
    with pytest.raises(FileNotFoundError, match="none"):
        mx.io.MNISTIter(tmp_path / "none")
    with pytest.raises(ShapeError, match="rows of 3 numbers, as shape .3,. needs, got 10 rows of 2"):
        mx.io.CSVIter(**csv | {"data_shape": (3,)}, batch_size=1)
    with pytest.raises(ShapeError, match="10 rows, as in"):
        (tmp_path / "few.csv").write_text("1\n2\n")
        mx.io.CSVIter(**csv | {"label_csv": tmp_path / "few.csv"}, batch_size=1)
    for text in ("1,2\n3,x\n", "1,2\n3\n"):
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises(FormatError, match=r"bad\.csv:2\): expected numbers between commas"):
            mx.io.CSVIter(tmp_path / "bad.csv", (2,), 1)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        mx.io.CSVIter(**csv, batch_size=0)
    files = write_mnist(tmp_path)
    with pytest.raises(FormatError, match="11 labels"):
        mx.io.MNISTIter(files["image"], files["image"])
    with pytest.raises(FormatError, match="uint8 .pictures"):
        mx.io.MNISTIter(files["label"], files["label"])
    with pytest.raises(ValueError, match="num_parts=2"):
        mx.io.MNISTIter(**files, num_parts=2, part_index=2)


# --- iterators over iterators -------------------------------------------------------------------------
def rows(count=10, size=4, **options):
    return mx.io.NDArrayIter(np.arange(count * 2).reshape(count, 2), np.arange(count), size, **options)


def test_resized_epochs():
    data = mx.io.ResizeIter(rows(), 2)
    assert epochs(data, 2) == [[([0, 1, 2, 3], 0), ([4, 5, 6, 7], 0)]] * 2
    longer = mx.io.ResizeIter(rows(), 4, reset_internal=False)
    assert [pad for _, pad in epoch(longer)] == [0, 0, 2, 0]
    longer.reset()
    assert epoch(longer)[0] == ([4, 5, 6, 7], 0)
    assert longer.getdata()[0].shape == (4, 2) and longer.getpad() == 0 and longer.getindex() is None
    assert longer.provide_label == rows().provide_label


def test_batches_are_made_ahead():
    plain = epochs(rows(), 2)
    data = mx.io.PrefetchingIter(rows())
    assert epochs(data, 2) == plain
    both = mx.io.PrefetchingIter(
        [rows(), rows()], [{"data": "a"}, {"data": "b"}], [{"softmax_label": "l"}, {"softmax_label": "m"}]
    )
    assert [d.name for d in (*both.provide_data, *both.provide_label)] == ["a", "b", "l", "m"]
    batch = next(both)
    assert len(batch.data) == len(batch.label) == 2 and both.getlabel()[1].shape == (4,)


def test_errors_of_other_threads_are_raised():
    class Failing(mx.io.DataIter):
        provide_data = [mx.io.DataDesc("data", (2, 3))]
        provide_label = []

        def next(self):
            raise KeyError("lost")

    data = mx.io.PrefetchingIter(Failing(2))
    with pytest.raises(KeyError, match="lost"):
        next(data)
    with pytest.raises(AssertionError, match="the same number of rows, got the end, pad 0"):
        list(mx.io.PrefetchingIter([rows(4), rows(8)]))
    with pytest.raises(AssertionError, match="at least one iterator"):
        mx.io.PrefetchingIter([])
    with pytest.raises(mx.MXNetError, match="no batch yet"):
        mx.io.ResizeIter(rows(), 2).getdata()


@pytest.mark.parametrize("last", ["pad", "discard", "roll_over"])
@pytest.mark.parametrize("wrap", [lambda x: x, mx.io.PrefetchingIter, lambda x: mx.io.ResizeIter(x, 5)],
                         ids=["plain", "prefetched", "resized"])  # fmt: skip
def test_states_of_iterators_go_on(wrap, last):
    np.random.seed(4)
    one, other = (wrap(rows(11, 3, shuffle=True, last_batch_handle=last)) for _ in range(2))
    epoch(one)
    one.reset()
    next(one)
    state = pickle.loads(pickle.dumps(one.get_state()))
    np.random.seed(5)
    rest = epochs(one, 2)
    np.random.seed(5)
    other.set_state(state)
    if wrap is not mx.io.PrefetchingIter:  # whose next epoch is drawn ahead
        assert epochs(other, 2) == rest
    else:
        assert epoch(other) == rest[0]


def test_datasets_on_disk(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["x"], f["y"] = np.arange(20.0).reshape(10, 2), np.arange(10)
        for shuffle in (False, True):
            found = []
            for make in (lambda **o: mx.io.NDArrayIter({"data": f["x"]}, f["y"], 4, **o), rows):
                np.random.seed(1)
                data = make(shuffle=shuffle)
                found.append([data.provide_data, epochs(data, 2), next(data).data[0].asnumpy().tolist()])
            assert found[0] == found[1]


def test_rows_along_another_axis():
    x = np.arange(24.0).reshape(3, 4, 2)
    data = mx.io.NDArrayIter(x, batch_size=2, layout="TNC")
    assert data.provide_data[0].shape == (3, 2, 2)
    np.testing.assert_array_equal(next(data).data[0].asnumpy(), x[:, :2])
    with pytest.raises(ShapeError, match="rows along axis 1, got 1 axes"):
        mx.io.NDArrayIter(np.arange(3), batch_size=2, layout="TN")


# --- sparse rows --------------------------------------------------------------------------------------
LINES = "1.0 0:0.5 2:1.2\n-2.0\n-3.0 0:0.6 1:2.4 2:1.2\n4 2:-1.2\n7 1:3\n"
DENSE = np.array([[0.5, 0, 1.2], [0, 0, 0], [0.6, 2.4, 1.2], [0, 0, -1.2], [0, 3, 0]], np.float32)
SVM_LABELS = [1, -2, -3, 4, 7]


@pytest.fixture
def svm(tmp_path):
    (tmp_path / "a.svm").write_text(LINES)
    return {"data_libsvm": tmp_path / "a.svm", "data_shape": (3,)}


def sparse_epoch(data):
    found = []
    for batch in data:
        rows = batch.index.astype(int)
        assert batch.data[0].stype == "csr"
        batch.data[0].check_format(True)
        np.testing.assert_array_equal(batch.data[0].asnumpy(), DENSE[rows])
        np.testing.assert_array_equal(batch.label[0].asnumpy(), np.array(SVM_LABELS)[rows])
        found.append((rows.tolist(), batch.pad))
    return found


def test_sparse_rows_are_those_of_mxnet(svm):
    data = mx.io.LibSVMIter(**svm, batch_size=2)
    assert [(d.name, d.shape) for d in (*data.provide_data, *data.provide_label)] == [
        ("data", (2, 3)), ("softmax_label", (2,)),
    ]  # fmt: skip
    epochs = []
    for _ in range(3):
        epochs.append(sparse_epoch(data))
        data.reset()
    assert epochs == [
        [([0, 1], 0), ([2, 3], 0), ([4, 0], 1)],
        [([1, 2], 0), ([3, 4], 0)],
        [([0, 1], 0), ([2, 3], 0), ([4, 0], 1)],
    ]
    parts = [mx.io.LibSVMIter(**svm, batch_size=2, num_parts=2, part_index=p) for p in (0, 1)]
    assert [[b.label[0].asnumpy().tolist() for b in part] for part in parts] == [
        [[1, -2], [-3, 1]], [[4, 7]],
    ]  # fmt: skip


def test_sparse_labels(svm, tmp_path):
    (tmp_path / "l.svm").write_text("1.0\n-2.0 0:0.125\n-3.0 2:1.2\n4 1:1.0 2:-1.2 # last\n\n7 0:1\n")
    data = mx.io.LibSVMIter(**svm, label_libsvm=tmp_path / "l.svm", label_shape=(3,), batch_size=5)
    label = next(data).label[0]
    assert label.stype == "csr"
    np.testing.assert_allclose(
        label.asnumpy(), [[0, 0, 0], [0.125, 0, 0], [0, 0, 1.2], [0, 1, -1.2], [1, 0, 0]], rtol=1e-6
    )


@pytest.mark.parametrize("line", ["x 0:1", "1 3:1", "1 0:1 2", "1 0:", "1 a:1", "1 -1:2", "1 0:1:2",
                                  "1 99999999999999999999:1"])  # fmt: skip
def test_bad_lines_are_named(tmp_path, line):
    (tmp_path / "bad.svm").write_text(f"1 0:1\n{line}\n")
    with pytest.raises(FormatError, match=r"bad\.svm:2.*pairs index:value with indices below 3"):
        mx.io.LibSVMIter(tmp_path / "bad.svm", (3,), 1)


def test_bad_sparse_arguments_are_named(svm, tmp_path):
    with pytest.raises(ValueError, match="expected True, got False"):
        mx.io.LibSVMIter(**svm, batch_size=2, round_batch=False)
    with pytest.raises(ValueError, match=r"\(columns,\), got \(3, 2\)"):
        mx.io.LibSVMIter(**svm | {"data_shape": (3, 2)}, batch_size=2)
    (tmp_path / "few.svm").write_text("1 0:1\n")
    with pytest.raises(ShapeError, match="5 rows, as in"):
        mx.io.LibSVMIter(**svm, label_libsvm=tmp_path / "few.svm", batch_size=2)
    (tmp_path / "empty.svm").write_text("\n")
    with pytest.raises(FormatError, match="at least one row"):
        mx.io.LibSVMIter(tmp_path / "empty.svm", (3,), 2)
    with pytest.raises(FileNotFoundError):
        mx.io.LibSVMIter(tmp_path / "none", (3,), 2)


@given(st.data())
def test_changed_text_gives_rows_or_an_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("svm") / "a.svm"
    content = bytearray(LINES.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.sampled_from(b" :-.0149\nxe"))
    path.write_bytes(content)
    try:
        mx.io.LibSVMIter(path, (3,), 2)
    except FormatError as error:
        assert "a.svm" in str(error)


@pytest.mark.parametrize("shuffle", [False, True])
def test_sparse_arrays_give_sparse_batches(shuffle):
    csr = mx.nd.sparse.csr_matrix(DENSE)
    data = mx.io.NDArrayIter({"a": csr, "b": DENSE}, csr, 2, shuffle, "discard")
    batches = list(data)
    assert len(batches) == 2
    for batch in batches:
        assert batch.data[0].stype == batch.label[0].stype == "csr"
        np.testing.assert_array_equal(batch.data[0].asnumpy(), batch.data[1].asnumpy())
    with pytest.raises(NotImplementedError, match="'discard' for csr arrays, got 'pad'"):
        mx.io.NDArrayIter(csr, batch_size=2)
