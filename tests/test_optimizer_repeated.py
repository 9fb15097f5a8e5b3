"""Updates that repeat are pushed as one operation; what they compute does not change."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import mxcy as mx

SHAPES = ((3, 4), (5,), (2, 2))


def arrays(seed, dtype="float32"):
    rng = np.random.default_rng(seed)
    return [mx.nd.array(rng.standard_normal(shape), dtype=dtype) for shape in SHAPES]


def train(together, steps=8, dtype="float32", **options):
    """Weights after some steps, in which rates and gradients change now and then."""
    optimizer = mx.optimizer.SGD(learning_rate=0.1, wd=0.01, rescale_grad=0.5, **options)
    updater = mx.optimizer.get_updater(optimizer)
    weights, gradients = arrays(0, dtype), arrays(1, dtype)
    for step in range(steps):
        if step == 4:
            optimizer.set_learning_rate(0.05)
        if step == 6:
            gradients = arrays(2, dtype)
        gradients[0][:] = step
        if together:
            updater([0, 1, 2], gradients, weights)
        else:
            for key in range(3):
                updater(key, gradients[key], weights[key])
    return [w.asnumpy() for w in weights]


@pytest.mark.parametrize(
    "options",
    [{}, {"momentum": 0.9}, {"momentum": 0.9, "clip_gradient": 0.3},
     {"momentum": 0.9, "multi_precision": True, "dtype": "float16"}],
    ids=str,
)  # fmt: skip
def test_lists_of_parameters_are_updated_as_one_by_one(options):
    for mine, expected in zip(train(True, **options), train(False, **options), strict=True):
        assert np.array_equal(mine, expected)


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
