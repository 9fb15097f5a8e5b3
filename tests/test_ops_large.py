"""Arrays of more than 2^31 elements: places and extents are 64-bit in every kernel that is tried here."""

from pathlib import Path

import pytest

import mxcy as mx

N = 2**31 + 5
GIB = 2**20  # kilobytes


def available():
    path = Path("/proc/meminfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("MemAvailable")), 0)


pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(available() < 12 * GIB, reason="needs 12 GiB of free memory"),
]


def marked():
    """Zeros of uint8 with a few values on both sides of 2^31."""
    x = mx.nd.zeros(N, dtype="uint8")
    for place, value in ((3, 7), (2**31 - 1, 5), (2**31 + 2, 9), (N - 1, 4)):
        x[place : place + 1] = value
    return x


def test_places_beyond_31_bits_are_written_read_and_sliced():
    x = marked()
    assert (x.size, x.shape, x.dtype.__name__) == (N, (N,), "uint8")
    assert x[2**31 - 2 : 2**31 + 4].asnumpy().tolist() == [0, 5, 0, 0, 9, 0]
    assert x[-3:].asnumpy().tolist() == [9, 0, 4]
    assert x.reshape((1, -1)).shape == (1, N)
    assert mx.nd.slice_axis(x, axis=0, begin=2**31 + 1, end=2**31 + 4).asnumpy().tolist() == [0, 9, 0]


def test_element_by_element_and_copies():
    x = marked()
    x += 1
    assert x[-4:].asnumpy().tolist() == [1, 10, 1, 5]
    y = mx.nd.concat(x[-2:], x[:4], dim=0)
    assert y.asnumpy().tolist() == [1, 5, 1, 1, 1, 8]
    assert (x.copy() == x)[-3:].asnumpy().tolist() == [1, 1, 1]


def test_reductions_and_points():
    x = marked()
    assert mx.nd.max(x).asscalar() == 9
    assert mx.nd.sum(x[2**31 - 8 :]).asscalar() == 18
    points = mx.nd.array([3, 2**31 - 1, 2**31 + 2, N - 1], dtype="int64")
    assert mx.nd.take(x, points).asnumpy().tolist() == [7, 5, 9, 4]
    assert mx.nd.gather_nd(x, points.reshape((1, -1))).asnumpy().tolist() == [7, 5, 9, 4]


def test_rows_of_a_matrix():
    x = marked()[: 2**31].reshape((2**16, 2**15))
    x[2**16 - 1, 5] = 3
    assert mx.nd.max(x, axis=1)[-1].asscalar() == 5
    assert mx.nd.Embedding(mx.nd.array([2**16 - 1], dtype="int64"), x, 2**16, 2**15)[0, 5].asscalar() == 3
    assert x.T[5, 2**16 - 1].asscalar() == 3
