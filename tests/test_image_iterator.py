"""`ImageIter` and `ImageDetIter`: epochs, states, bad input. Batches against MXNet: test_image.py."""

import json
import pickle
import random

import numpy as np
import picture_programs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_programs import COUNT, FOLDER

import mxcy as mx
from mxcy import recordio
from mxcy.errors import FormatError, MXNetError, ShapeError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("records")
    picture_programs.write_records(mx, path)
    return path


def iterator(folder, batch_size=4, shape=(3, 6, 8), **options):
    index = {"path_imgidx": folder / "a.idx"} if options.pop("index", True) else {}
    return mx.image.ImageIter(batch_size, shape, path_imgrec=folder / "a.rec", **index, **options)


def seen(batches):
    """Labels without those that only fill a batch."""
    return [
        label
        for batch in batches
        for label in batch.label[0].asnumpy().ravel()[: len(batch.label[0]) - batch.pad].astype(int).tolist()
    ]


@given(
    st.integers(1, COUNT + 3),
    st.booleans(),
    st.integers(1, 3),
    st.sampled_from(["pad", "discard"]),
    st.data(),
)
def test_every_sample_comes_once_in_an_epoch(folder, batch_size, shuffle, parts, last, data):
    found = []
    for part in range(parts):
        options = {"shuffle": shuffle, "num_parts": parts, "part_index": part, "last_batch_handle": last}
        one = seen(iterator(folder, batch_size, **options))
        expected = COUNT // parts
        assert len(one) == (expected if last == "pad" else expected // batch_size * batch_size)
        found += one
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("last", ["pad", "roll_over"])
def test_a_state_goes_on_where_it_was_taken(folder, index, last):
    random.seed(1)
    options = {"index": index, "last_batch_handle": last, "shuffle": index}
    data = iterator(folder, **options)
    seen(data)
    data.reset()
    next(data)
    state = pickle.loads(pickle.dumps(data.get_state()))
    rest = [(batch.label[0].asnumpy().tolist(), batch.pad) for batch in data]
    again = iterator(folder, **options)
    again.set_state(state)

    assert [(batch.label[0].asnumpy().tolist(), batch.pad) for batch in again] == rest
    assert rest


def test_a_subclass_replaces_steps(folder):
    class Halved(mx.image.ImageIter):
        def check_valid_image(self, data):
            if data.shape[0] == 48:
                raise RuntimeError("a photo")

        def postprocess_data(self, datum):
            return super().postprocess_data(datum) / 2

    data = Halved(3, (3, 6, 8), path_imgrec=folder / "a.rec")
    plain = mx.image.ImageIter(3, (3, 6, 8), path_imgrec=folder / "a.rec")
    batch = next(data)

    assert seen([batch]) == [1, 2, 4]
    np.testing.assert_array_equal(batch.data[0].asnumpy()[:2], next(plain).data[0].asnumpy()[1:] / 2)


def test_a_module_trains_from_pictures(folder):
    data = iterator(folder, 5)
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=10), name="softmax")
    module = mx.mod.Module(net)
    module.fit(data, num_epoch=1)
    assert module.score(data, "acc")[0][0] == "accuracy"


def test_batches_are_arrays_of_the_active_kind(folder):
    with mx.util.np_array(True):
        batch = next(iterator(folder))
        image = mx.image.imread(FOLDER / "cat.jpg")
    assert all(isinstance(x, mx.np.ndarray) for x in (batch.data[0], batch.label[0], image))
    np.testing.assert_array_equal(batch.data[0].asnumpy(), next(iterator(folder)).data[0].asnumpy())


def test_pictures_of_files_are_arrays_of_the_active_kind():
    given = [[1.0, "photo.jpg"], [2.0, "cat.jpg"]]
    boxes = [[2, 5, 0, 0.1, 0.1, 0.5, 0.5, "photo.jpg"]] * 2
    with mx.util.np_array(True):
        change = mx.image.ColorNormalizeAug(mx.np.array([1.0, 2, 3]), None)
        label = mx.image.ImageIter(2, (3, 8, 8), imglist=given, path_root=FOLDER).next_sample()[0]
        batch = next(mx.image.ImageIter(2, (3, 8, 8), imglist=given, path_root=FOLDER))
        objects = next(mx.image.ImageDetIter(2, (3, 8, 8), imglist=boxes, path_root=FOLDER))
        picture = mx.image.imread(FOLDER / "cat.jpg").astype("float32")
        made = mx.image.imresize(change(picture), 4, 4)
    assert batch.label[0].asnumpy().tolist() == [1, 2] and objects.label[0].shape == (2, 1, 5)
    assert all(isinstance(x, mx.np.ndarray) for x in (label, batch.label[0], objects.data[0], made))
    assert json.loads(change.dumps())[1] == {"mean": [1, 2, 3], "std": None}


@pytest.mark.parametrize("error", [TypeError, ValueError, mx.MXNetError])
def test_errors_of_changes_are_raised(error):
    def change(*args):
        raise error("a change that does not work")

    options = {"path_root": FOLDER, "aug_list": [change]}
    with pytest.raises(error, match="a change that"):
        next(mx.image.ImageIter(1, (3, 8, 8), imglist=[[1, "photo.jpg"]], **options))
    boxes = [[2, 5, 0, 0.1, 0.1, 0.5, 0.5, "photo.jpg"]]
    # Where boxes are changed, a RuntimeError says that none is left, as in MXNet.
    left_out = error is mx.MXNetError
    with pytest.raises(StopIteration if left_out else error):
        next(mx.image.ImageDetIter(1, (3, 8, 8), imglist=boxes, **options))


def broken(tmp_path, payload):
    with recordio.MXIndexedRecordIO(tmp_path / "b.idx", tmp_path / "b.rec", "w") as writer:
        writer.write_idx(7, recordio.pack((0, 1.0, 7, 0), payload))
    return {"path_imgrec": tmp_path / "b.rec", "path_imgidx": tmp_path / "b.idx"}


def listed(label, **options):
    return mx.image.ImageDetIter(
        1, (3, 8, 8), imglist=[[np.array(label), "photo.jpg"]], path_root=FOLDER, **options
    )


def test_bad_input_is_named(tmp_path, folder):
    shape = (3, 6, 8)
    with pytest.raises(FormatError, match="Broken image index: 7, imdecode"):
        next(mx.image.ImageIter(1, shape, **broken(tmp_path, b"no picture")))
    with pytest.raises(FormatError, match="Broken image filename: test_image_iterator.py"):
        name = "test_image_iterator.py"
        next(mx.image.ImageIter(1, shape, imglist=[[1, name]], path_root=FOLDER.parent.parent))
    with pytest.raises(FileNotFoundError, match=r"none\.jpg"):
        next(mx.image.ImageIter(1, shape, imglist=[[1, "none.jpg"]], path_root=FOLDER))
    with pytest.raises(FileNotFoundError):
        mx.image.ImageIter(1, shape, path_imglist="none.lst")
    (tmp_path / "bad.lst").write_text("0\t1\tcat.jpg\nx\t1\tcat.jpg\n")
    with pytest.raises(FormatError, match=r"bad\.lst:2"):
        mx.image.ImageIter(1, shape, path_imglist=tmp_path / "bad.lst")
    (tmp_path / "few.lst").write_text("3\t1\tcat.jpg\n")
    with pytest.raises(KeyError, match="a label for the record of key 0"):
        next(iterator(folder, path_imglist=tmp_path / "few.lst"))
    with pytest.raises(ValueError, match=r"pictures \(3, 6, 8\) after all changes, got"):
        next(iterator(folder, aug_list=[]))


@pytest.mark.parametrize(
    ("error", "match", "options"),
    [
        (AssertionError, "path_imgrec, path_imglist or imglist", {"path_imgrec": None}),
        (AssertionError, "int32, int64, float32 or float64, got uint8", {"dtype": "uint8"}),
        (ValueError, "'pad', 'discard', 'roll_over'", {"last_batch_handle": "no"}),
        (ValueError, r"\(3, height, width\)", {"data_shape": (1, 8, 8)}),
        (AssertionError, "the index of the records", {"shuffle": True}),
        (AssertionError, "num_parts=2, got 2", {"num_parts": 2, "part_index": 2}),
        (TypeError, "nonsense", {"nonsense": 1}),
    ],
)
def test_bad_arguments_are_named(folder, error, match, options):
    with pytest.raises(error, match=match):
        mx.image.ImageIter(
            **{"batch_size": 2, "data_shape": (3, 8, 8), "path_imgrec": folder / "a.rec"} | options
        )


def test_bad_boxes_are_named():
    with pytest.raises(MXNetError, match="at least 7 numbers, got 3"):
        listed([1.0, 2, 3])
    with pytest.raises(MXNetError, match="a head of 4 and objects of 5 numbers, got 8 numbers"):
        listed([4.0, 5, 0, 0, 1, 2, 3, 4])
    with pytest.raises(MXNetError, match="a box that is not empty"):
        listed([2.0, 5, 0, 0.5, 0.5, 0.4, 0.4])
    good = listed([2.0, 5, 0, 0.1, 0.1, 0.4, 0.4])
    with pytest.raises(ValueError, match="at least 1 objects of 5 numbers"):
        good.reshape(label_shape=(1, 6))
    with pytest.raises(AssertionError, match="an ImageDetIter"):
        good.sync_label_shape(3)
    with pytest.raises(ShapeError, match="at most 1 objects"):
        good.augmentation_transform = lambda data, label: (data, np.concatenate([label, label]))
        next(good)


def test_boxes_are_drawn():
    data = listed([2.0, 5, 0, 0.25, 0.25, 0.75, 0.75], mean=True, std=True)
    shown = list(data.draw_next((255, 0, 0), 1, True, True, id2labels={0: "face"}))

    assert [x.shape for x in shown] == [(8, 8, 3)]
    assert shown[0][2, 2].tolist() == [0, 0, 255]
