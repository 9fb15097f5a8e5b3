"""`gluon.data`: data sets, samplers, loaders with threads and processes, transformations."""

import os

import numpy as np
import pytest

import mxcy as mx
from mxcy import gluon, nd
from mxcy.gluon.data.vision import transforms

data = gluon.data


def test_arrays_are_samples():
    pairs = data.ArrayDataset(nd.arange(6).reshape((3, 2)), nd.arange(3))

    assert len(pairs) == 3
    assert pairs[1][0].asnumpy().tolist() == [2, 3]
    assert pairs[1][1] == 1
    assert data.ArrayDataset([5, 6])[1] == 6
    with pytest.raises(AssertionError, match="expected 3 samples"):
        data.ArrayDataset([1, 2, 3], [1])


def test_data_sets_are_changed_lazily_or_at_once():
    calls = []

    def double(x):
        calls.append(x)
        return 2 * x

    base = data.SimpleDataset(list(range(10)))
    lazy = base.transform(double)

    assert (calls, len(lazy)) == ([], 10)
    assert lazy[3] == 6
    assert list(base.transform(double, lazy=False)) == list(range(0, 20, 2))
    pairs = data.SimpleDataset([(1, "a"), (2, "b")]).transform_first(lambda x: -x)
    assert [pairs[i] for i in range(2)] == [(-1, "a"), (-2, "b")]
    assert [base.shard(3, i)._indices for i in range(3)] == [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert list(base.filter(lambda x: x % 4 == 0)) == [0, 4, 8]
    assert (len(base.take(4)), len(base.take(None)), base.sample([7, 1])[0]) == (4, 10, 7)
    with pytest.raises(AssertionError):
        base.shard(2, 2)
    with pytest.raises(TypeError):
        base.sample(3)


def test_samplers():
    assert list(data.SequentialSampler(3, 2)) == [2, 3, 4]
    assert sorted(data.RandomSampler(9)) == list(range(9))
    full = [[0, 1, 2], [3, 4, 5]]
    for kind, expected, length in (("keep", [*full, [6]], 3), ("discard", full, 2)):
        batches = data.BatchSampler(data.SequentialSampler(7), 3, kind)

        assert (list(batches), len(batches)) == (expected, length)
    rolling = data.BatchSampler(data.SequentialSampler(7), 3, "rollover")
    assert list(rolling) == [[0, 1, 2], [3, 4, 5]]
    assert len(rolling) == 2
    assert next(iter(rolling)) == [6, 0, 1]
    with pytest.raises(ValueError, match="last_batch"):
        data.BatchSampler([1], 1, "drop")


WORKERS = [{}, {"num_workers": 2}, {"num_workers": 2, "thread_pool": True}]


@pytest.mark.parametrize("options", WORKERS, ids=["caller", "processes", "threads"])
def test_loaders_give_batches_in_order_every_epoch(options):
    x = np.arange(20, dtype="f").reshape(10, 2)
    dataset = data.ArrayDataset(x, np.arange(10)).transform(lambda a, b: (nd.array(a) * 2, b))
    loader = data.DataLoader(dataset, 4, **options)

    assert len(loader) == 3
    for _ in range(2):
        batches = list(loader)

        assert [b[0].shape for b in batches] == [(4, 2), (4, 2), (2, 2)]
        np.testing.assert_array_equal(np.concatenate([b[0].asnumpy() for b in batches]), 2 * x)
        assert [v for b in batches for v in b[1].asnumpy()] == list(range(10))
        assert batches[0][1].dtype == np.int64


class Faulty(data.Dataset):
    """A data set with one sample that cannot be read."""

    def __init__(self, fault):
        self.fault = fault

    def __len__(self):
        return 8

    def __getitem__(self, i):
        if i == 5:
            self.fault()
        return nd.array([i])


def bad_picture():
    raise KeyError("bad picture")


@pytest.mark.parametrize("options", WORKERS, ids=["caller", "processes", "threads"])
def test_exceptions_of_workers_arrive_with_their_traceback(options):
    with pytest.raises(KeyError, match="bad picture") as caught:
        list(data.DataLoader(Faulty(bad_picture), 2, **options))
    if options == WORKERS[1]:
        assert "in bad_picture" in str(caught.value.__cause__)


def test_a_worker_that_ends_is_an_error():
    with pytest.raises(mx.MXNetError, match="worker process ended"):
        list(data.DataLoader(Faulty(lambda: os._exit(3)), 2, num_workers=1))


@pytest.mark.parametrize("options", WORKERS[1:], ids=["processes", "threads"])
def test_a_loader_may_be_left_in_the_middle(options):
    loader = data.DataLoader(data.SimpleDataset([np.ones(3, "f")] * 50), 2, **options)
    for _ in range(3):
        for i, batch in enumerate(loader):
            assert batch.shape == (2, 3)
            if i == 2:
                break


def test_a_batch_that_does_not_come_is_an_error():
    import threading

    gate = threading.Event()
    loader = data.DataLoader(Faulty(lambda: gate.wait(60)), 8, num_workers=1, thread_pool=True, timeout=0.05)
    with pytest.raises(mx.MXNetError, match="no batch was made in 0.05 seconds"):
        list(loader)
    gate.set()


def test_batches_may_be_made_and_drawn_otherwise():
    loader = data.DataLoader(list(range(6)), batch_sampler=[[5, 0], [1]], batchify_fn=tuple)

    assert list(loader) == [(5, 0), (1,)]
    shuffled = data.DataLoader(list(range(30)), 30, shuffle=True)
    first, second = [next(iter(shuffled)).asnumpy().tolist() for _ in range(2)]
    assert first != second
    assert sorted(first) == list(range(30))


def test_batches_may_be_pinned():
    samples = data.ArrayDataset(np.arange(6.0), np.arange(6))
    for options in ({}, {"num_workers": 2, "thread_pool": True}):
        for x, y in data.DataLoader(samples, 3, pin_memory=True, pin_device_id=0, **options):
            assert x.context == y.context == mx.cpu_pinned(0)
    (batch, _), *_ = data.DataLoader(samples, 3)
    assert batch.context == mx.cpu(0)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 2, "shuffle": True, "sampler": [1]},
        {"batch_size": 2, "batch_sampler": [[1]]},
        {"batch_size": 2, "timeout": 0},
    ],
)
def test_wrong_loaders_are_errors(options):
    with pytest.raises(ValueError, match="DataLoader"):
        data.DataLoader([1, 2], **options)


def test_a_timeout_is_asserted():
    with pytest.raises(AssertionError, match="more than 0 seconds"):
        data.DataLoader([1, 2], 2, timeout=0)


def test_loaders_begin_the_next_epoch_when_asked():
    read = []

    class Counting(gluon.data.Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, idx):
            read.append(idx)
            return np.float32(idx)

    options = {"num_workers": 1, "thread_pool": True, "prefetch": 1, "auto_reload": True}
    loader = gluon.data.DataLoader(Counting(), 2, **options)
    for epoch in (1, 2):
        assert [x.asnumpy().tolist() for x in loader] == [[0, 1], [2, 3], [4, 5]]
        loader._pool.submit(int).result()  # the one thread has come to the end
        assert len(read) == 6 * epoch + 2
    loader.clean()
    loader.refresh()
    assert len(list(loader)) == 3


# -- transformations ------------------------------------------------------------------------------------


def picture():
    return nd.array(np.random.default_rng(0).integers(0, 256, (4, 6, 3)), dtype="uint8")


def test_pictures_become_tensors():
    x = picture()
    values = x.asnumpy().astype("f").transpose(2, 0, 1) / 255
    tensor = transforms.ToTensor()(x)

    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor.asnumpy(), values, rtol=1e-6)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    both = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])
    expected = (values - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    graph = transforms.HybridCompose([transforms.ToTensor(), transforms.Normalize(mean, std)])
    for made in (both(x), graph(x)):
        np.testing.assert_allclose(made.asnumpy(), expected, rtol=1e-5, atol=1e-6)
    batch = transforms.ToTensor()(nd.stack(x, x))
    assert batch.shape == (2, 3, 4, 6)
    assert transforms.Cast("float16")(x).dtype == np.float16


def test_pictures_are_cut_and_turned():
    x = picture()
    values = x.asnumpy()

    assert (transforms.CenterCrop((2, 4))(x).asnumpy() == values[:, 2:4]).all()
    assert (transforms.CropResize(1, 2, 3, 2)(x).asnumpy() == values[2:4, 1:4]).all()
    assert transforms.RandomCrop(4, pad=1)(x).shape == (4, 4, 3)
    for flip, turned in ((transforms.RandomFlipLeftRight(), values[:, ::-1]),
                         (transforms.RandomFlipTopBottom(), values[::-1])):  # fmt: skip
        seen = {flip(x).asnumpy().tobytes() for _ in range(40)}
        assert seen == {values.tobytes(), turned.tobytes()}
    assert transforms.RandomApply(transforms.Cast("float16"), 1)(x).dtype == np.float16
    assert transforms.CenterCrop(10)(x).shape == (10, 10, 3)
    assert transforms.CenterCrop(2)(nd.stack(x, x)).shape == (2, 2, 2, 3)


def test_colours_change_within_bounds():
    x = nd.ones((2, 2, 3)) * nd.array([10.0, 20.0, 30.0])
    gray = x.asnumpy() @ np.array([0.299, 0.587, 0.114])
    bright = transforms.RandomBrightness(0.5)(x).asnumpy() / x.asnumpy()

    assert 0.5 <= bright.min() <= bright.max() <= 1.5
    weak = transforms.RandomSaturation(0.9)(x).asnumpy()
    np.testing.assert_allclose(weak @ np.array([0.299, 0.587, 0.114]), gray, rtol=1e-5)
    shown = transforms.RandomGray(1)(x).asnumpy()
    np.testing.assert_allclose(shown, np.full((2, 2, 3), 0.21 * 10 + 0.72 * 20 + 0.07 * 30), rtol=1e-5)
    assert transforms.RandomColorJitter(0.1, 0.1, 0.1)(x).shape == x.shape
    assert transforms.RandomLighting(0.1)(x).shape == transforms.RandomContrast(0.3)(x).shape == x.shape
