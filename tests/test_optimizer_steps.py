"""Updates that repeat are pushed as one operation; what they compute does not change."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import mxcy as mx
from mxcy.optimizer import steps

SHAPES = ((3, 4), (5,), (2, 2))


def arrays(seed, dtype="float32"):
    rng = np.random.default_rng(seed)
    return [mx.nd.array(rng.standard_normal(shape), dtype=dtype) for shape in SHAPES]


def train(together, name="sgd", steps=8, dtype="float32", **options):
    """Weights after some steps, in which rates change each time, and gradients now and then."""
    rate = mx.lr_scheduler.PolyScheduler(100, base_lr=0.1)
    optimizer = mx.optimizer.create(name, lr_scheduler=rate, wd=0.01, rescale_grad=0.5, **options)
    optimizer.set_wd_mult({1: 0.0})
    updater = mx.optimizer.get_updater(optimizer)
    weights, gradients = arrays(0, dtype), arrays(1, dtype)
    for step in range(steps):
        if step == 4:
            optimizer.rescale_grad = 0.25
        if step == 6:
            gradients = arrays(2, dtype)
        gradients[0][:] = step
        if together:
            updater([0, 1, 2], gradients, weights)
        else:
            for key in range(3):
                updater(key, gradients[key], weights[key])
    return [w.asnumpy() for w in weights]


OPTIMIZERS = [
    ("sgd", {}), ("sgd", {"momentum": 0.9}), ("sgd", {"momentum": 0.9, "clip_gradient": 0.3}),
    ("sgd", {"momentum": 0.9, "dtype": "float16"}), ("sgd", {"dtype": "float64"}),
    ("sgd", {"momentum": 0.9, "multi_precision": True, "dtype": "float16"}),
    ("sgd", {"multi_precision": True, "dtype": "bfloat16"}),
    ("nag", {}), ("nag", {"momentum": 0.9}),
    ("nag", {"momentum": 0.9, "multi_precision": True, "dtype": "float16"}),
    ("signum", {}), ("signum", {"momentum": 0.0, "wd_lh": 0.1}),
    ("adam", {}), ("adam", {"dtype": "float16"}), ("adam", {"dtype": "float64"}),
    ("adam", {"multi_precision": True, "dtype": "float16"}),
    ("adamw", {}), ("adamw", {"correct_bias": False}),
    ("adamw", {"multi_precision": True, "dtype": "float16"}),
    ("rmsprop", {}), ("rmsprop", {"centered": True, "clip_weights": 0.5}),
    ("ftrl", {}), ("ftml", {}), ("lamb", {"upper_bound": 2.0}), ("lamb", {"bias_correction": False}),
    ("lamb", {"multi_precision": True, "dtype": "float16"}),
    ("adagrad", {}), ("adadelta", {}), ("adamax", {}),
    ("nadam", {"clip_gradient": 0.3}), ("lars", {"momentum": 0.9}), ("lbsgd", {"momentum": 0.9}),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Accumulating with:UserWarning")
@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=str)
def test_recorded_steps_are_those_of_the_operators(name, options, monkeypatch):
    together, alone = (train(which, name, **options) for which in (True, False))
    monkeypatch.setattr(steps.Record, "fits", lambda *arguments: False)
    plain = train(True, name, **options)

    for mine, single, expected in zip(together, alone, plain, strict=True):
        np.testing.assert_array_equal(mine, expected)
        if name not in ("nadam", "lars"):  # whose rates depend on the parameters before, or beside
            np.testing.assert_array_equal(single, expected)


def test_an_update_of_many_parameters_is_one_push_whatever_the_rates():
    optimizer = mx.optimizer.Adam(learning_rate=0.1)
    updater = mx.optimizer.get_updater(optimizer)
    weights, gradients = arrays(0), arrays(1)
    for _ in range(3):
        updater([0, 1, 2], gradients, weights)
    (record,) = steps._records[optimizer].values()

    assert len(record.segment) == 3
    assert len(record.values) == 6


CHANGES = [
    ("sgd", "momentum", 0.5), ("sgd", "rescale_grad", 0.1), ("sgd", "clip_gradient", 0.01),
    ("sgd", "lr", 0.5), ("sgd", "wd", 0.5), ("nag", "momentum", 0.5), ("signum", "wd_lh", 0.2),
    ("rmsprop", "gamma1", 0.5), ("adagrad", "float_stable_eps", 0.5), ("adadelta", "rho", 0.5),
    ("ftrl", "lamda1", 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("name", "field", "value"), CHANGES)
def test_a_repeated_step_sees_what_changed(name, field, value):
    def run(always_anew):
        options = {"momentum": 0.9} if name in ("sgd", "nag", "signum") else {}
        optimizer = mx.optimizer.create(name, wd=0.01, **options)
        updater = mx.optimizer.get_updater(optimizer)
        weights, gradients = arrays(0), arrays(1)
        for step in range(9):
            if step == 5:
                setattr(optimizer, field, value)
            if step == 7:
                updater.states[1] = mx.nd.ones(SHAPES[1]) if name in ("sgd", "nag") else updater.states[1]
            updater([0, 1, 2], gradients, weights)
            if always_anew:
                steps._records.clear()
        return [w.asnumpy() for w in weights]

    for mine, expected in zip(run(False), run(True), strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_weights_of_several_dtypes_are_updated_together():
    def run(together):
        optimizer = mx.optimizer.SGD(momentum=0.9, learning_rate=0.1, multi_precision=True)
        updater = mx.optimizer.get_updater(optimizer)
        weights = [w.astype(t) for w, t in zip(arrays(0), ("float32", "float16", "float64"), strict=True)]
        gradients = [g.astype(w.dtype) for g, w in zip(arrays(1), weights, strict=True)]
        for _ in range(4):
            if together:
                updater([0, 1, 2], gradients, weights)
            else:
                for key in range(3):
                    updater(key, gradients[key], weights[key])
        return [w.asnumpy() for w in weights]

    for mine, expected in zip(run(True), run(False), strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_an_optimizer_with_an_update_of_its_own_is_called_one_by_one():
    class Mine(mx.optimizer.Adam):
        def update(self, index, weight, grad, state):
            seen.append(index)
            super().update(index, weight, grad, state)

    seen = []
    updater = mx.optimizer.get_updater(Mine())
    updater([0, 1, 2], arrays(1), arrays(0))

    assert seen == [0, 1, 2]


def test_records_are_no_part_of_the_optimizer_and_end_with_it():
    optimizer = mx.optimizer.SGD(momentum=0.9)
    updater = mx.optimizer.get_updater(optimizer)
    weights, gradients = arrays(0), arrays(1)
    for _ in range(3):
        updater([0, 1, 2], gradients, weights)
    assert pickle.loads(pickle.dumps(optimizer)).momentum == 0.9
    assert copy.deepcopy(optimizer).num_update == 3
    gone = weakref.ref(optimizer)
    del optimizer, updater
    gc.collect()
    assert gone() is None
