"""Data iterators give the batches that MXNet 1.9.1 gives; the numbers here are measured there."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxcy as mx
from mxcy import nd
from mxcy.io import DataBatch, DataDesc, DataIter, NDArrayIter

X = np.arange(20).reshape(10, 2)
Y = np.arange(10)


def epoch(data):
    """Labels and pad of each batch of the epoch."""
    return [(batch.label[0].asnumpy().astype(int).tolist(), batch.pad) for batch in data]


def epochs(count, *args, **kwargs):
    data = NDArrayIter(*args, **kwargs)
    found = []
    for _ in range(count):
        found.append(epoch(data))
        data.reset()
    return found


def test_pad_fills_the_last_batch_from_the_start():
    expected = [([0, 1, 2, 3], 0), ([4, 5, 6, 7], 0), ([8, 9, 0, 1], 2)]

    assert epochs(2, X, Y, 4) == [expected, expected]


def test_pad_repeats_rows_for_a_batch_larger_than_the_data():
    rows = [*range(10), *range(10), *range(5)]

    assert epochs(1, X, Y, 25) == [[(rows, 15)]]


def test_discard_leaves_out_what_does_not_fill_a_batch():
    expected = [([0, 1, 2, 3], 0), ([4, 5, 6, 7], 0)]

    assert epochs(2, X, Y, 4, last_batch_handle="discard") == [expected, expected]
    assert epochs(1, X, Y, 25, last_batch_handle="discard") == [[]]


def test_roll_over_begins_the_next_epoch_with_what_is_left():
    expected = [
        [([0, 1, 2], 0), ([3, 4, 5], 0), ([6, 7, 8], 0)],
        [([9, 0, 1], 1), ([2, 3, 4], 0), ([5, 6, 7], 0)],
        [([8, 9, 0], 2), ([1, 2, 3], 0), ([4, 5, 6], 0), ([7, 8, 9], 0)],
        [([0, 1, 2], 0), ([3, 4, 5], 0), ([6, 7, 8], 0)],
    ]

    assert epochs(4, X, Y, 3, last_batch_handle="roll_over") == expected


def test_roll_over_carries_nothing_from_an_epoch_that_was_cut_short():
    data = NDArrayIter(X, Y, 3, last_batch_handle="roll_over")
    next(data)
    data.reset()

    assert epoch(data)[0] == ([0, 1, 2], 0)


def test_hard_reset_drops_what_is_left():
    data = NDArrayIter(X, Y, 3, last_batch_handle="roll_over")
    epoch(data)
    data.hard_reset()

    assert epoch(data)[0] == ([0, 1, 2], 0)


SHUFFLED = {
    "pad": [
        [([5, 4, 1, 2], 0), ([9, 6, 7, 0], 0), ([3, 8, 5, 4], 2)],
        [([1, 2, 4, 9], 0), ([3, 8, 6, 0], 0), ([5, 7, 1, 2], 2)],
        [([4, 7, 1, 3], 0), ([6, 5, 0, 2], 0), ([8, 9, 4, 7], 2)],
    ],
    "roll_over": [
        [([5, 4, 1, 2], 0), ([9, 6, 7, 0], 0)],
        [([3, 8, 1, 2], 2), ([4, 9, 3, 8], 0), ([6, 0, 5, 7], 0)],
        [([4, 7, 1, 3], 0), ([6, 5, 0, 2], 0)],
    ],
    "discard": [
        [([5, 4, 1, 2], 0), ([9, 6, 7, 0], 0)],
        [([1, 2, 4, 9], 0), ([3, 8, 6, 0], 0)],
        [([4, 7, 1, 3], 0), ([6, 5, 0, 2], 0)],
    ],
}


@pytest.mark.parametrize("last", SHUFFLED)
def test_shuffle_draws_the_orders_that_mxnet_draws(last):
    np.random.seed(3)

    assert epochs(3, X, Y, 4, shuffle=True, last_batch_handle=last) == SHUFFLED[last]


@given(st.integers(1, 30), st.integers(1, 12), st.booleans(), st.sampled_from(sorted(SHUFFLED)))
def test_rows_stay_together_and_epochs_are_complete(rows, batch_size, shuffle, last):
    data = NDArrayIter(np.arange(rows * 2).reshape(rows, 2), np.arange(rows), batch_size, shuffle, last)
    seen = []
    for _ in range(3):
        for batch in data:
            values, labels = batch.data[0].asnumpy(), batch.label[0].asnumpy()

            assert values.shape == (batch_size, 2)
            assert (values[:, 0] == 2 * labels).all()

            fresh = batch_size - batch.pad if last == "pad" else batch_size
            seen += labels[:fresh].astype(int).tolist()
        data.reset()
    counts = np.bincount(seen, minlength=rows)

    if last == "pad":
        assert (counts == 3).all()
    elif last == "discard":
        assert len(seen) == 3 * (rows // batch_size * batch_size)
        assert counts.max(initial=0) <= 3
    else:
        assert len(seen) == 3 * rows // batch_size * batch_size


def test_names_and_dtypes_follow_the_input():
    def described(*args, **kwargs):
        data = NDArrayIter(*args, batch_size=5, **kwargs)
        return [(d.name, d.shape, d.dtype) for d in [*data.provide_data, *data.provide_label]]

    half = nd.array(X, dtype="float16")

    assert described(X, Y) == [("data", (5, 2), np.float32), ("softmax_label", (5,), np.float32)]
    assert described(half) == [("data", (5, 2), np.float16)]
    assert described([X, half]) == [("_0_data", (5, 2), np.float32), ("_1_data", (5, 2), np.float16)]
    assert described({"b": X, "a": X}, {"l": Y}) == [
        ("a", (5, 2), np.float32), ("b", (5, 2), np.float32), ("l", (5,), np.float32),
    ]  # fmt: skip
    assert described(X, Y, data_name="d", label_name="l")[1][0] == "l"


def test_batches_are_copies_and_the_source_is_read_when_they_are_made():
    source = nd.array(X)
    data = NDArrayIter(source, batch_size=5)
    next(data).data[0][:] = -1
    source[5:] = 7

    assert (source.asnumpy()[:5] == X[:5]).all()
    assert (next(data).data[0].asnumpy() == 7).all()


def test_parts_of_a_batch_can_be_asked_for_one_by_one():
    data = NDArrayIter(X, Y, 4)

    with pytest.raises(mx.MXNetError, match="call next"):
        data.getdata()
    assert data.iter_next()
    assert data.getdata()[0].shape == (4, 2)
    assert data.getlabel()[0].asnumpy().tolist() == [0, 1, 2, 3]
    assert (data.getpad(), data.getindex()) == (0, None)


def test_an_epoch_that_has_ended_gives_no_parts():
    data = mx.io.NDArrayIter(np.arange(5), np.arange(5), 2)
    assert data.num_source == 2 and len(list(data)) == 3
    with pytest.raises(AssertionError, match="the epoch has ended; call reset first"):
        data.getdata()
    data.reset()
    assert data.next().label[0].asnumpy().tolist() == [0, 1]


def test_data_of_a_shuffled_epoch_is_in_its_order():
    data = NDArrayIter(X, Y, 5, shuffle=True)
    (name, values), (_, labels) = data.data[0], data.label[0]

    assert name == "data"
    assert (values.asnumpy()[:, 0] == 2 * labels.asnumpy()).all()
    assert next(data).label[0].asnumpy().tolist() == labels.asnumpy()[:5].tolist()


@pytest.mark.parametrize(
    ("error", "match", "arguments"),
    [
        (TypeError, "expected an NDArray, an array of NumPy, or a list or dict", {"data": "x"}),
        (TypeError, "for 'a'", {"data": {"a": "x"}}),
        (AssertionError, "at least one array", {"data": []}),
        (AssertionError, "at least one array", {"data": None, "label": Y}),
        (ValueError, "10 in 'data', 5 in 'softmax_label'", {"data": X, "label": Y[:5]}),
        (ValueError, "at least one row", {"data": X[:0]}),
        (ValueError, "rows along the first axis", {"data": nd.array(3)}),
        (ValueError, "at least 1, got 0", {"data": X, "batch_size": 0}),
        (ValueError, "one of 'pad', 'discard', 'roll_over'", {"data": X, "last_batch_handle": "foo"}),
    ],
)
def test_bad_arguments_are_named(error, match, arguments):
    with pytest.raises(error, match=match) as caught:
        NDArrayIter(**arguments)
    assert isinstance(caught.value, mx.MXNetError)


def test_description_is_a_pair_with_dtype_and_layout():
    desc = DataDesc("x", (3, 4), np.int32, "NC")

    assert tuple(desc) == ("x", (3, 4))
    assert desc == DataDesc("x", (3, 4)) == ("x", (3, 4))
    assert repr(DataDesc("x", (3, 4))) == "DataDesc[x,(3, 4),<class 'numpy.float32'>,NCHW]"
    assert [DataDesc.get_batch_axis(layout) for layout in (None, "NCHW", "TNC", "TC")] == [0, 0, 1, -1]
    assert DataDesc.get_list([("a", (2, 3))], [("a", np.int32)])[0].dtype is np.int32
    assert DataDesc.get_list([("a", (2, 3))], None)[0].dtype is np.float32

    loaded = pickle.loads(pickle.dumps(desc))

    assert (loaded, loaded.dtype, loaded.layout) == (desc, np.int32, "NC")


def test_batch_says_its_shapes():
    both = DataBatch([nd.ones((3, 2))], [nd.ones(3)])

    assert str(both) == "DataBatch: data shapes: [(3, 2)] label shapes: [(3,)]"
    assert str(DataBatch([nd.ones(3)])) == "DataBatch: data shapes: [(3,)] label shapes: None"
    for arguments in ({"data": nd.ones(3)}, {"data": [nd.ones(3)], "label": nd.ones(3)}):
        with pytest.raises(AssertionError, match="a list of NDArrays"):
            DataBatch(**arguments)


def test_iterators_of_users_need_only_the_parts():
    class Three(DataIter):
        count = 0

        def iter_next(self):
            self.count += 1
            return self.count <= 3

        def getdata(self):
            return [nd.full((self.batch_size,), self.count)]

    assert [batch.data[0].asnumpy().tolist() for batch in Three(2)] == [[1, 1], [2, 2], [3, 3]]
    with pytest.raises(StopIteration):
        DataIter().next()
