"""Kernels that read and write places named by index arrays, against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from mxcy import _array
from mxcy.dtypes import DTYPES
from mxcy.errors import ArgumentError, ArrayIndexError, DTypeError, MXNetError, ShapeError
from mxcy.kernels import cpu as kernels

NAMES = [d.name for d in DTYPES]


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def array(x):
    return _array.from_numpy(np.array(x))


def value(x):
    return np.array(x, copy=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=NAMES)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_take_equals_numpy(dtype, axis, rng):
    x = rng.integers(0, 2, (4, 7, 5)).astype(dtype)
    for kind in ("i8", "i2", "u1", "f4"):
        indices = rng.integers(0, 12, (3, 2)).astype(kind)
        for mode in ("clip", "wrap"):
            expected = np.take(x, indices.astype("i8"), axis, mode=mode)
            assert_array_equal(value(kernels.take(array(x), array(indices), axis, mode)), expected)


def test_take_of_views_and_large_arrays(rng):
    x, indices = rng.normal(size=(300, 200)), rng.integers(-300, 300, 4000)

    transposed = array(np.ascontiguousarray(x.T))._transpose_view((1, 0))
    assert_array_equal(value(kernels.take(transposed, array(indices), 0, "raise")), x[indices])
    assert_array_equal(value(kernels.take(array(x), array(indices), 0, "raise")), x[indices])
    assert_array_equal(value(kernels.take(array(x), array(indices % 200), 1)), x[:, indices % 200])
    flat = array(x.ravel())
    assert_array_equal(value(kernels.take(flat, array(indices[::-1])[::-1], 0, "wrap")), x.ravel()[indices])
    assert_array_equal(value(kernels.take(flat[::-1], array(indices), 0, "raise")), x.ravel()[::-1][indices])


def test_take_clips_negative_indices_to_zero_and_cuts_fractions():
    x = array([10.0, 20.0, 30.0])

    assert_array_equal(value(kernels.take(x, array([-1, 0, 9, 1]))), [10, 10, 30, 20])
    assert_array_equal(value(kernels.take(x, array([1.9, np.nan]))), [20, 10])
    assert kernels.take(x, array(np.zeros((0, 2), "i4"))).shape == (0, 2)


def test_take_names_the_index_out_of_range():
    with pytest.raises(IndexError, match="index 3 is out of bounds for axis 1 with size 2") as caught:
        kernels.take(array(np.ones((2, 2))), array([0, 3]), 1, "raise").wait_to_read()
    assert isinstance(caught.value, MXNetError)
    with pytest.raises(IndexError, match="index -1 is out of bounds for axis 0 with size 2"):
        kernels.take(array(np.ones((2, 2))), array([0, -1]), 0, "strict").wait_to_read()
    with pytest.raises(ArrayIndexError, match="axis 0 has length 0"):
        kernels.take(array(np.ones((0, 2))), array([0]))
    with pytest.raises(ArgumentError, match=r"take\(mode\): expected clip, wrap, raise or strict, got 'no'"):
        kernels.take(array([1.0]), array([0]), mode="no")
    with pytest.raises(DTypeError, match=r"take\(indices\): expected integers, got complex128"):
        kernels.take(array([1.0]), array([1j]))


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.kind != "b"], ids=str)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_take_gradient_adds_in_the_order_of_indices(dtype, axis, rng):
    indices = rng.integers(-2, 9, (6, 50))
    g = rng.integers(0, 4, np.insert(np.delete((4, 7, 5), axis), axis, indices.shape)).astype(dtype)
    wide = np.float64 if dtype.kind in "V" else dtype
    expected = np.zeros((4, 7, 5), wide)
    key = (*[slice(None)] * axis, np.clip(indices, 0, (4, 7, 5)[axis] - 1))
    np.add.at(expected, key, g.astype(wide))

    found = kernels.take_grad(array(g), array(indices), (4, 7, 5), axis)
    assert_array_equal(value(found).astype(wide), expected.astype(dtype).astype(wide))


@pytest.mark.parametrize("shape", [(1000,), (50, 3), (5, 700)])
@pytest.mark.parametrize("count", [10, 5000])
def test_scatter_add_is_bit_identical_to_serial_addition(shape, count, rng):
    x, indices = rng.normal(size=shape).astype("f4"), rng.integers(0, shape[0], count)
    updates = rng.normal(size=(count, *shape[1:])).astype("f4")
    kept = array(x)

    kernels.scatter_add(kept, array(indices), array(updates))

    np.add.at(x, indices, updates)
    assert_array_equal(value(kept), x)


def test_scatter_add_sums_halves_in_single_precision():
    x = array(np.zeros(1, "f2"))

    kernels.scatter_add(x, array(np.zeros(4096, "i8")), array(np.ones(4096, "f2")))

    assert_array_equal(value(x), [4096])  # adding ones in half precision stops at 2048


def test_scatter_add_takes_updates_that_overlap():
    x = array(np.arange(6.0))

    kernels.scatter_add(x[:3], array([0, 1, 2]), x[1:4])

    assert_array_equal(value(x), [1, 3, 5, 3, 4, 5])


KEYS = [
    [np.array([0, 2, -1])],
    [None, np.array([[0, 3], [1, 1]])],
    [np.array([0, 1]), None, np.array([2, -1])],
    [np.array([[0], [1]]), np.array([0, 1, 2])],
    [None, np.array([1, 2]), np.array([[0], [3]])],
    [np.array([1]), None, None, np.array([0, 1, 2])],
    [np.array(2), np.array([1, 0])],
    [np.array([], int)],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("dtype", ["u1", "f2", "f4", "f8", "c16"])
def test_advanced_indexing_equals_numpy(key, dtype, rng):
    x = rng.integers(0, 99, (3, 4, 5, 2)).astype(dtype)
    key = [None if k is None else k % n for k, n in zip(key, x.shape, strict=False)]
    plain = tuple(slice(None) if k is None else k for k in key)
    backwards = array(x[:, ::-1])[:, ::-1]

    assert_array_equal(value(kernels.index_get(array(x), key)), x[plain])
    assert_array_equal(value(kernels.index_get(backwards, key)), x[plain])
    values = rng.integers(0, 99, x[plain].shape).astype("f4")
    for source in (values, values[..., :1], np.float32(7)):
        expected, found = x.copy(), kernels.copy(backwards)
        expected[plain] = source.astype(dtype)
        kernels.index_put(found, key, array(source))
        assert_array_equal(value(found), expected)
    expected, found = x.copy(), array(x)
    np.add.at(expected, plain, values.astype(dtype))
    kernels.index_put(found, key, array(values), accumulate=True)
    assert_array_equal(value(found), expected)
    g = rng.integers(0, 9, x[plain].shape).astype(dtype)
    expected = np.zeros_like(x)
    np.add.at(expected, plain, g)
    assert_array_equal(value(kernels.index_get_grad(array(g), key, x.shape)), expected)


@given(st.data())
def test_index_put_keeps_the_last_of_duplicates(data):
    rows = data.draw(st.integers(1, 50))
    width = data.draw(st.sampled_from([1, 3, 2000]))
    indices = np.array(data.draw(st.lists(st.integers(-rows, rows - 1), max_size=60)), int)
    values = np.arange(len(indices) * width, dtype="f8").reshape(len(indices), width)
    expected, found = np.full((rows, width), -1.0), kernels.full((rows, width), -1, "float64")

    expected[indices] = values
    kernels.index_put(found, [indices], array(values))

    assert_array_equal(value(found), expected)


def test_index_put_checks():
    x = array(np.zeros((2, 3)))
    with pytest.raises(ShapeError, match=r"shape \(3,\) does not broadcast to \(2, 2\)"):
        kernels.index_put(x, [None, np.array([0, 1])], array([1.0, 2, 3]))
    with pytest.raises(ArrayIndexError, match="too many indices"):
        kernels.index_get(x, [None, None, np.array([0])])
    with pytest.raises(ArrayIndexError, match="do not broadcast"):
        kernels.index_get(x, [np.array([0, 1]), np.array([0, 1, 2])])
    with pytest.raises(IndexError, match="index -3 is out of bounds for axis 0 with size 2"):
        kernels.index_put(x, [np.array([0, -3])], 1.0)
        x.wait_to_read()


def test_gather_and_scatter_by_rows_of_indices(rng):
    x = rng.normal(size=(3, 4, 5))
    indices = np.array([[0, 2, -1], [1, 3, 0]])

    assert_array_equal(value(kernels.gather_nd(array(x), array(indices))), x[tuple(indices)])
    assert_array_equal(value(kernels.gather_nd(array(x), array(indices.astype("f4"))[:1])), x[indices[0]])
    data = rng.normal(size=(3, 5))
    expected = np.zeros((3, 4, 5))
    expected[tuple(indices)] = data
    assert_array_equal(value(kernels.scatter_nd(array(data), array(indices), (3, 4, 5))), expected)
    twice = np.concatenate([indices, indices], 1)
    found = kernels.scatter_nd(array(np.concatenate([data, data])), array(twice), (3, 4, 5), accumulate=True)
    assert_array_equal(value(found), 2 * expected)
    with pytest.raises(ShapeError, match="1 to 3 rows"):
        kernels.gather_nd(array(x), array(np.zeros((4, 2))))


def test_nonzero_equals_numpy(rng):
    x = rng.integers(0, 2, (5, 6)).astype("f4")

    for found, expected in zip(kernels.nonzero(array(x)), np.nonzero(x), strict=True):
        assert found.dtype == np.int64
        assert_array_equal(value(found), expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=NAMES)
def test_one_hot_leaves_rows_out_of_range_off(dtype):
    found = value(kernels.one_hot(array([[0.0, 2.9], [3, -1]]), 3, 1, 0, dtype))

    expected = np.zeros((2, 2, 3))
    expected[0, 0, 0] = expected[0, 1, 2] = 1
    assert found.dtype == dtype
    assert_array_equal(found.astype("f8" if dtype.kind != "c" else dtype), expected)


def test_one_hot_values_and_empty_depth():
    assert_array_equal(value(kernels.one_hot(array([1]), 2, 5, -1, "int32")), [[-1, 5]])
    assert kernels.one_hot(array([1, 2]), 0).shape == (2, 0)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_pick_and_its_gradient(axis, rng):
    x = rng.normal(size=(5, 400, 3))
    index = rng.integers(-9, 500, np.delete(x.shape, axis))
    clipped = np.expand_dims(np.clip(index, 0, x.shape[axis] - 1), axis)

    expected = np.take_along_axis(x, clipped, axis)
    assert_array_equal(value(kernels.pick(array(x), array(index), axis)), expected.squeeze(axis))
    found = kernels.pick(array(x), array(np.expand_dims(index, axis).astype("f4")), axis, keepdims=True)
    assert_array_equal(value(found), expected)
    wrapped = np.take_along_axis(x, np.expand_dims(index % x.shape[axis], axis), axis)
    assert_array_equal(value(kernels.pick(array(x), array(index), axis, "wrap")), wrapped.squeeze(axis))
    g = np.zeros_like(x)
    np.put_along_axis(g, clipped, expected, axis)
    assert_array_equal(value(kernels.pick_grad(array(expected), array(index), x.shape, axis)), g)


def test_pick_of_one_axis_and_its_errors():
    assert value(kernels.pick(array([1.0, 2.0]), array(1))).item() == 2
    with pytest.raises(ShapeError, match=r"pick\(index\): expected shape \(2,\) or \(2, 1\), got \(3,\)"):
        kernels.pick(array(np.ones((2, 4))), array([0, 1, 2]))
    with pytest.raises(IndexError, match="out of bounds for axis 1"):
        kernels.pick(array(np.ones((2, 4))), array([0, 4]), mode="raise").wait_to_read()
