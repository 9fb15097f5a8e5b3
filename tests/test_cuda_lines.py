"""Kernels whose threads work together on the lines of an array: sorting. Results are those of the CPU."""

import numpy as np
import pytest

import mxcy as mx
from mxcy import _gpu, nd
from mxcy.kernels.cpu import argsort, sort, topk, topk_mask

pytestmark = pytest.mark.skipif(_gpu.count() == 0, reason="no GPU, and NUMBA_ENABLE_CUDASIM is not 1")
CONTEXTS = (mx.cpu(), mx.gpu(0))


def bits(x):
    """Values as integers, so that zeros of both signs differ and NaN is equal to itself."""
    return np.ascontiguousarray(x).view(f"u{min(x.itemsize, 8)}")


def assert_same(function, *arrays, exactly=True):
    """The function gives on the GPU what it gives on the CPU."""
    found = []
    for context in CONTEXTS:
        made = function(*[x.as_in_context(context) for x in arrays])
        found.append([x.asnumpy() for x in (made if isinstance(made, (list, tuple)) else [made])])
    for expected, given in zip(*found, strict=True):
        assert expected.dtype == given.dtype and expected.shape == given.shape
        if exactly:
            np.testing.assert_array_equal(bits(given), bits(expected))
        else:
            np.testing.assert_allclose(given, expected, rtol=2e-5, atol=1e-5)


def numbers(dtype, *shape):
    """Small numbers with many ties, and the special values that a dtype has."""
    rng = np.random.default_rng(len(shape))
    values = rng.integers(0 if dtype.startswith(("u", "b")) else -5, 6, shape).astype(np.float64)
    if dtype.startswith(("float", "bfloat")):
        values.flat[1:6] = [-0.0, np.nan, np.inf, -np.inf, np.nan]
    if dtype.startswith("complex"):
        values = values + 1j * rng.integers(-2, 3, shape)
        values.flat[2:5] = [complex(np.nan, 1), complex(1, np.nan), complex(np.inf, 0)]
    return nd.array(values, dtype=dtype)


INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS, *FLOATS, "complex64", "complex128"])
def test_sorts_are_stable_for_all_types(dtype):
    x = numbers(dtype, 3, 21)  # longer than a tile of the simulator
    for ascending in (True, False):
        assert_same(lambda x, a=ascending: sort(x, is_ascend=a), x)
        assert_same(lambda x, a=ascending: argsort(x, is_ascend=a, dtype="int64"), x)


@pytest.mark.parametrize("length", [1, 2, 7, 16, 17, 32, 33, 70])
def test_sorts_of_all_lengths(length):
    x = numbers("float32", 2, max(length, 6))[:, :length]
    assert_same(lambda x: sort(x, is_ascend=False), x)
    assert_same(lambda x: topk(x, k=length, dtype="int32"), x)
    assert_same(lambda x: topk(x, k=(length + 2) // 3, is_ascend=True, dtype="int32"), x)
    assert_same(lambda x: topk(x, k=1, dtype="int32"), x)


@pytest.mark.parametrize("axis", [0, 1, 2, None])
def test_sorts_along_any_axis_of_views(axis):
    x = numbers("int32", 3, 20, 4)
    assert_same(lambda x: sort(x[:, ::-1], axis=axis), x)
    assert_same(lambda x: argsort(x.T, axis=axis, dtype="int64"), x)
    assert_same(lambda x: topk(x[:, 1::2], k=2, axis=axis, dtype="uint8"), x)
    assert_same(lambda x: topk_mask(x, k=3, axis=axis, dtype="float32"), x)


def test_results_of_a_sort_may_be_views_and_the_array_itself():
    def into(x):
        made = nd.zeros((6, 20), dtype="float32", ctx=x.context)
        sort(x, out=made[::2])
        sort(x, out=x)
        return [made, x]

    assert_same(into, numbers("float32", 3, 20))
