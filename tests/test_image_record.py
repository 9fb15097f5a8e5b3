"""The record iterators: every sample once, the same under a seed whatever the threads, bad records named.

Batches against MXNet's: test_image.py.
"""

import gc
import itertools
import os
import pickle
import weakref

import numpy as np
import picture_programs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mxcy.kernels.cpu.pictures import place_picture
from picture_programs import COUNT, FOLDER

import mxcy as mx
from mxcy import _engine, engine, recordio
from mxcy.errors import ArgumentError, FormatError, MXNetError
from mxcy.image import codec
from mxcy.image.codec import opencv

SHAPE = (3, 12, 16)
RANDOM = {
    "rand_crop": True, "rand_mirror": True, "resize": 20, "max_rotate_angle": 10, "max_shear_ratio": 0.1,
    "brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "random_h": 20, "random_s": 20, "random_l": 20,
    "pca_noise": 0.2, "max_random_contrast": 0.2, "max_random_illumination": 10, "inter_method": 10,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("records")
    picture_programs.write_records(mx, path)
    return path


@pytest.fixture(scope="module")
def boxes(tmp_path_factory):
    path = tmp_path_factory.mktemp("boxes")
    picture_programs.write_boxes(mx, path)
    return path


def iterator(folder, batch_size=4, kind=mx.io.ImageRecordIter, **options):
    if options.pop("index", True):
        options["path_imgidx"] = str(folder / "a.idx")
    usual = {"path_imgrec": folder / "a.rec", "data_shape": SHAPE, "batch_size": batch_size, "verbose": False}
    return kind(**{**usual, **options})


def taken(data):
    """(labels, pad, pixels) of the batches of an epoch."""
    return [(b.label[0].asnumpy().tolist(), b.pad, b.data[0].asnumpy()) for b in data]


def same(one, other):
    return len(one) == len(other) and all(
        a[:2] == b[:2] and np.array_equal(a[2], b[2]) for a, b in zip(one, other, strict=True)
    )


@given(st.integers(1, COUNT + 2), st.booleans(), st.integers(1, 3), st.booleans())
def test_every_sample_comes_once_in_an_epoch(folder, batch_size, shuffle, parts, index):
    found = []
    for part in range(parts):
        data = iterator(folder, batch_size, shuffle=shuffle, part_index=part, num_parts=parts, index=index)
        for labels, pad, _ in taken(data):
            found += labels[: batch_size - pad]
    assert sorted(found) == list(range(COUNT))


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_change_what_comes(folder, threads):
    options = {**RANDOM, "shuffle": True, "seed": 5}
    one = iterator(folder, preprocess_threads=2, prefetch_buffer=1, **options)
    other = iterator(folder, preprocess_threads=threads, prefetch_buffer=4, **options)
    for _ in range(3):
        assert same(taken(one), taken(other))
        one.reset()
        other.reset()


def test_windows_of_jpegs_are_those_of_whole_ones(folder, monkeypatch):
    for options in ({}, RANDOM, {"resize": 15, "rand_crop": True, "rand_mirror": True, "shuffle": True}):
        windows = taken(iterator(folder, **options))
        monkeypatch.setattr(codec, "HAS_JPEG", False)
        assert same(windows, taken(iterator(folder, **options)))
        monkeypatch.undo()


def test_seeds_choose_order_and_changes(folder):
    def first(**options):
        return taken(iterator(folder, rand_crop=True, shuffle=True, **options))

    assert same(first(seed=1), first(seed=1))
    assert first(seed=1)[0][0] != first(seed=2)[0][0]
    assert not same(first(seed_aug=1), first(seed_aug=2))
    assert first(seed_aug=1)[0][0] == first(seed_aug=2)[0][0]
    assert same(first(seed_aug=3), first(seed_aug=3))
    data = iterator(folder, rand_crop=True)
    epoch = taken(data)
    data.reset()
    assert not same(epoch, taken(data))


@given(st.integers(0, 9), st.booleans(), st.booleans(), st.integers(1, 12))
def test_a_state_goes_on_where_it_was_taken(folder, steps, shuffle, round_batch, batch_size):
    options = {**RANDOM, "shuffle": shuffle, "round_batch": round_batch}

    def go(data, steps):
        found = []
        for _ in range(steps):
            try:
                batch = next(data)
                found.append((batch.label[0].asnumpy().tolist(), batch.pad, batch.data[0].asnumpy()))
            except StopIteration:
                data.reset()
        return found

    one, other = (iterator(folder, batch_size, **options) for _ in range(2))
    go(one, steps)
    state = pickle.loads(pickle.dumps(one.get_state()))
    other.set_state(state)
    assert same(go(one, 5), go(other, 5))


def test_an_epoch_that_is_cut_short_begins_anew(folder):
    data = iterator(folder)
    next(data)
    data.reset()
    assert taken(data)[0][0] == [0, 1, 2, 3]
    with pytest.raises(StopIteration):
        next(data)


def test_parts_of_several_files_join(folder, tmp_path):
    first, second = tmp_path / "1.rec", tmp_path / "2.rec"
    with recordio.MXRecordIO(folder / "a.rec", "r") as reader:
        records = list(reader)
    for path, part in ((first, records[:4]), (second, records[4:])):
        with recordio.MXRecordIO(path, "w") as writer:
            for record in part:
                writer.write(record)
    for paths, parts in itertools.product((f"{first};{second}", tmp_path), (1, 2, 3)):
        found = []
        for part in range(parts):
            found += [
                label
                for labels, pad, _ in taken(iterator(tmp_path, 2, path_imgrec=paths, index=False,
                                                     num_parts=parts, part_index=part))
                for label in labels[: 2 - pad]
            ]  # fmt: skip
        assert found == list(range(COUNT))


def test_dtypes(folder):
    plain = taken(iterator(folder, dtype="uint8"))[0][2]
    for dtype in ("float32", "float16", "float64", "int32"):
        data = iterator(folder, dtype=dtype)
        assert data.provide_data[0].dtype == np.dtype(dtype).type
        np.testing.assert_array_equal(next(data).data[0].asnumpy(), plain)
    assert iterator(folder, kind=mx.io.ImageRecordUInt8Iter).provide_data[0].dtype == np.uint8
    assert iterator(folder, kind=mx.io.ImageRecordInt8Iter).provide_data[0].dtype == np.int8


def test_text_is_read_as_mxnet_reads_it(folder):
    data = iterator(
        folder, data_shape="(3, 12, 16)", rand_crop="True", shuffle=1, mean_r="3", seed_aug="None"
    )
    assert next(data).data[0].shape == (4, 3, 12, 16)


def test_statistics(folder):
    data = iterator(folder)
    count = sum(4 - b.pad for b in data)
    found = data.stats()
    assert found["images"] == count == COUNT
    assert found["batches"] == 3
    assert 0 <= found["waiting_s"] <= found["seconds"] and found["working_s"] > 0
    assert data.stats()["images"] == 0


def test_ids_of_the_records_come_as_index(folder):
    batch = next(iterator(folder))
    assert batch.index.tolist() == [0, 1, 2, 3]


def test_a_network_trains_while_pictures_are_made(folder):
    data = iterator(folder, 5, scale=1 / 255)
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=10), name="softmax")
    module = mx.mod.Module(net)
    module.fit(data, num_epoch=3)
    assert module.score(data, "acc")[0][1] >= 0


def test_a_child_process_goes_on(folder):
    data = iterator(folder)
    next(data)
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(send, str([b.label[0].asnumpy().tolist() for b in data]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(receive, 1000) == b"[[4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 0.0, 1.0]]"
    assert [labels for labels, _, _ in taken(data)] == [[4, 5, 6, 7], [8, 9, 0, 1]]
    os.close(receive)
    os.close(send)


def test_nothing_stays_behind(folder):
    data = iterator(folder)
    next(data)
    del data
    gc.collect()
    engine.waitall()
    assert engine.counters()["operations"] == 0


def test_batches_go_when_nobody_has_them(folder):
    def take(**options):
        return [weakref.ref(batch) for batch in iterator(folder, batch_size=2, **options)]

    gc.collect()
    gc.disable()
    try:
        assert [x() for x in take()] == [None] * 5
        before = _engine._pool()["held"]
        take(data_shape=(3, 300, 300))
        engine.waitall()
        # What an operation held goes a moment after it is done.
        assert _engine._pool()["held"] - before <= 2 * 2359296
    finally:
        gc.enable()


def test_waits_are_seen_by_the_profiler(folder, tmp_path):
    mx.profiler.set_config(filename=str(tmp_path / "trace.json"), profile_all=True)
    mx.profiler.set_state("run")
    try:
        list(iterator(folder, preprocess_threads=7))
        engine.waitall()
    finally:
        mx.profiler.set_state("stop")
        mx.profiler.set_config(profile_all=False)
        mx.profiler.dump()
    trace = (tmp_path / "trace.json").read_text()
    assert "wait_for_batch" in trace and "make_batch" in trace


# --- bad input ----------------------------------------------------------------------------------------
def records_of(tmp_path, payloads):
    with recordio.MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "w") as writer:
        for key, payload in enumerate(payloads):
            writer.write_idx(key, payload)
    return tmp_path


def test_broken_records_are_named(tmp_path):
    photo = (FOLDER / "photo.jpg").read_bytes()
    good = recordio.pack((0, 1.0, 0, 0), photo)
    for bad, match in (
        (recordio.pack((0, 1.0, 1, 0), b"no picture"), "the bytes of a picture file"),
        (b"short", "24 bytes of a header"),
        (recordio.pack((0, [1.0, 2.0], 1, 0), photo), "labels of 1 numbers, as label_width says, got 2"),
        (recordio.pack((0, 1.0, 1, 0), b""), "got 0 bytes"),
    ):
        data = iterator(records_of(tmp_path, [good, bad, good]), 1)
        assert next(data).label[0].asnumpy()[0] == 1
        with pytest.raises(FormatError, match=rf"{match}.*record .*a\.rec at byte \d+"):
            next(data)
        assert next(data).label[0].asnumpy()[0] == 1
    (tmp_path / "few.lst").write_text("3\t1\tcat.jpg\n")
    with pytest.raises(FormatError, match="a label for the record of id 0"):
        next(iterator(records_of(tmp_path, [good]), 1, path_imglist=tmp_path / "few.lst"))
    with pytest.raises(FormatError, match="a picture of 4 channels, got 3"):
        next(iterator(tmp_path, 1, data_shape=(4, 8, 8)))
    with pytest.raises(FormatError, match="at most 48, as the picture has"):
        next(iterator(tmp_path, 1, max_crop_size=60, min_crop_size=50))


def test_damage_of_the_framing_is_skipped_if_asked(folder, tmp_path):
    content = bytearray((folder / "a.rec").read_bytes())
    with recordio.MXRecordIO(folder / "a.rec", "r") as reader:
        content[reader.positions()[3]] ^= 1
    (tmp_path / "a.rec").write_bytes(content)
    with pytest.raises(FormatError, match="at byte"):
        iterator(tmp_path, index=False)
    data = iterator(tmp_path, 9, index=False, skip_damaged=True)
    assert [labels for labels, _, _ in taken(data)] == [[0, 1, 2, 4, 5, 6, 7, 8, 9]]
    assert data.stats()["skipped"] == 1


@given(st.data())
def test_changed_bytes_give_pictures_or_errors(folder, tmp_path_factory, data):
    content = bytearray((folder / "a.rec").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("changed")
    (path / "a.rec").write_bytes(content)
    (path / "a.idx").write_bytes((folder / "a.idx").read_bytes())
    for index in (True, False):
        try:
            batches = iterator(path, index=index)
        except FormatError as error:
            assert "a.rec at byte" in str(error)
            continue
        for _ in range(4):
            try:
                next(batches)
            except StopIteration:
                break
            except FormatError as error:
                assert "a.rec at byte" in str(error)


@pytest.mark.parametrize(
    ("error", "match", "options"),
    [
        (ArgumentError, "path_imgrec", {"path_imgrec": ""}),
        (FileNotFoundError, "none", {"path_imgrec": "none", "index": False}),
        (FileNotFoundError, "none", {"path_imgidx": "none", "index": False}),
        (ArgumentError, "1, 3 or 4 channels", {"data_shape": (2, 8, 8)}),
        (ArgumentError, "1, 3 or 4 channels", {"data_shape": (3, 8)}),
        (ArgumentError, "at least 1, got 0", {"batch_size": 0}),
        (ArgumentError, "num_parts=2", {"num_parts": 2, "part_index": 2}),
        (ArgumentError, "at least one record in part 10 of 11", {"num_parts": 11, "part_index": 10}),
        (ArgumentError, "0 to 4, 9 or 10", {"inter_method": 7}),
        (ArgumentError, "aug_seq", {"aug_seq": "mine"}),
        (ArgumentError, "preprocess_threads", {"preprocess_threads": 0}),
        (MXNetError, "resize", {"resize": "large"}),
        (TypeError, "dtype", {"dtype": "float7"}),
        (ArgumentError, "one file of records with an index", {"path_imgrec": "a;b"}),
    ],
)
def test_bad_arguments_are_named(folder, error, match, options):
    with pytest.raises(error, match=match):
        iterator(folder, **options)


def test_bad_boxes_are_named(boxes, tmp_path):
    kind = mx.io.ImageDetRecordIter
    with pytest.raises(ArgumentError, match="at least 17, the length of the longest label, got 4"):
        iterator(boxes, kind=kind, label_pad_width=4)
    with pytest.raises(FormatError, match="labels of 12 numbers"):
        next(iterator(boxes, kind=kind, label_width=12))
    with pytest.raises(ArgumentError, match="1 or num_crop_sampler=2 values"):
        iterator(boxes, kind=kind, num_crop_sampler=2, min_crop_scales=(0.1, 0.2, 0.3))
    with pytest.raises(ArgumentError, match="min_crop_scales.*at most 0.1"):
        iterator(boxes, kind=kind, rand_crop_prob=1, min_crop_scales=(0.5,), max_crop_scales=(0.1,))
    photo = (FOLDER / "photo.jpg").read_bytes()
    bad = recordio.pack((0, [4.0, 3, 0, 0, 1, 2, 3, 4], 0, 0), photo)
    with pytest.raises(FormatError, match="a head of 4 and objects of 3 numbers"):
        next(iterator(records_of(tmp_path, [bad]), 1, kind=kind))


@given(st.integers(0, 2**31))
def test_boxes_stay_in_the_picture(boxes, seed):
    options = {
        "rand_crop_prob": 0.9, "min_crop_scales": (0.3, 0.5), "max_crop_scales": (0.9, 1.0),
        "min_crop_aspect_ratios": (0.5,), "max_crop_aspect_ratios": (2.0,), "num_crop_sampler": 2,
        "min_crop_object_coverages": (0.1,), "rand_pad_prob": 0.5, "max_pad_scale": 2,
        "rand_mirror_prob": 0.5,
        "max_random_hue": 20, "random_hue_prob": 0.5, "max_random_contrast": 0.3, "random_contrast_prob": 0.5,
        "crop_emit_mode": "overlap", "inter_method": 10, "resize": 30,
    }  # fmt: skip
    one, other = (
        iterator(boxes, kind=mx.io.ImageDetRecordIter, seed_aug=seed, preprocess_threads=n, **options)
        for n in (1, 4)
    )
    for batch, again in zip(one, other, strict=True):
        labels = batch.label[0].asnumpy()
        np.testing.assert_array_equal(labels, again.label[0].asnumpy())
        np.testing.assert_array_equal(batch.data[0].asnumpy(), again.data[0].asnumpy())
        for row in labels:
            length = int(row[3])
            found = row[6 : 4 + length].reshape(-1, 5)
            assert len(found) and (row[4 + length :] == -1).all()
            assert ((found[:, 1:] >= -1e-6) & (found[:, 1:] <= 1 + 1e-6)).all()


# --- the kernel ---------------------------------------------------------------------------------------
@given(st.data())
def test_parts_are_scaled_as_by_opencv(data):
    def whole(low, high):
        return data.draw(st.integers(low, high))

    height, width, channels = whole(1, 40), whole(1, 40), data.draw(st.sampled_from([1, 3, 4]))
    image = np.random.default_rng(whole(0, 99)).integers(0, 256, (height, width, channels), np.uint8)
    top, left = whole(0, height - 1), whole(0, width - 1)
    part = (top, left, whole(1, height - top), whole(1, width - left))
    grid = (whole(1, 60), whole(1, 60))
    size = (whole(1, grid[0]), whole(1, grid[1]))
    window = (whole(0, grid[0] - size[0]), whole(0, grid[1] - size[1]))
    mirror = data.draw(st.booleans())
    cut = np.ascontiguousarray(image[top : top + part[2], left : left + part[3]])
    expected = opencv().resize(cut, grid[::-1], interpolation=1).reshape(*grid, channels)
    expected = expected[window[0] :, window[1] :][: size[0], : size[1]].transpose(2, 0, 1)
    expected = expected[:, :, ::-1] if mirror else expected
    found = {t: np.empty((channels, *size), t) for t in (np.float32, np.uint8, np.int8)}
    place_picture(image, found[np.uint8], part, grid, window, mirror)
    assert np.abs(found[np.uint8].astype(int) - expected).max() <= 1
    scale, shift = [0.5, 1, 2, 3][:channels], [-3, 1, 0.25, 0][:channels]
    place_picture(image, found[np.float32], part, grid, window, mirror, scale, shift)
    factors = [np.reshape(x, (-1, 1, 1)).astype(np.float32) for x in (scale, shift)]
    np.testing.assert_allclose(found[np.float32], found[np.uint8] * factors[0] + factors[1], rtol=1e-6)
    place_picture(image, found[np.int8], part, grid, window, mirror, [1] * channels, [-128] * channels)
    np.testing.assert_array_equal(found[np.int8], found[np.uint8].astype(int) - 128)


@pytest.mark.parametrize(
    ("match", "changed"),
    [
        ("pixels in image and out", {"image": np.zeros((0, 4, 3), np.uint8)}),
        ("3 channels", {"image": np.zeros((4, 4, 1), np.uint8)}),
        ("pixels next to each other", {"image": np.zeros((4, 8, 3), np.uint8)[:, ::2]}),
        ("a part of 4 x 4 pixels", {"part": (1, 0, 4, 4)}),
        ("a place for", {"window": (3, 0)}),
    ],
)
def test_the_kernel_refuses_what_is_outside(match, changed):
    usual = {"image": np.zeros((4, 4, 3), np.uint8), "part": (0, 0, 4, 4), "grid": (4, 4), "window": (0, 0)}
    arguments = usual | changed
    with pytest.raises(ValueError, match=match):
        place_picture(arguments["image"], np.zeros((3, 2, 2), np.float32), *list(arguments.values())[1:])
