"""Random kernels: known answers, one stream for any number of threads, and the right distributions."""

import os
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_array_equal

from mxcy import _array
from mxcy.context import cpu
from mxcy.errors import ArgumentError, ArgumentTypeError, DTypeError
from mxcy.kernels import cpu as kernels
from mxcy.kernels import philox

FLOATS = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


@pytest.fixture(autouse=True)
def seeded():
    philox.seed(42)
    yield
    philox.seed(0)


def value(x):
    return np.array(x, copy=True)


@pytest.mark.parametrize(("counter", "key", "words"), [
    ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
])  # fmt: skip
def test_philox_gives_the_known_answers(counter, key, words):
    assert kernels.philox(counter, key) == words


def test_words_stand_where_documented():
    philox.seed(2**40 + 5)
    kernels.random_uniform(shape=(3,))
    found = value(kernels.random_randint(0, 2**64, (130,), "uint64"))

    for i in (0, 15, 16, 31, 32, 129):
        group, row, lane = i // 32, i % 32 // 16, i % 16
        words = kernels.philox((group * 16 + lane, 0, 1, 0), (5, 2**8))
        expected = words[2 * row] << 32 | words[2 * row + 1]
        # A range of 2**64 gives the words themselves.
        assert int(found[i]) == expected


def draw_everything():
    """Every distribution once, in sizes that split."""
    philox.seed(7)
    yield kernels.random_uniform(-1, 3, (100003,))
    yield kernels.random_uniform(-1, 3, (50001,), "float64")
    yield kernels.random_normal(1, 2, (333, 301))
    yield kernels.random_normal(1, 2, (70001,), "float64")
    yield kernels.random_normal(0, 1, (70001,), "float16")
    yield kernels.random_exponential(2.0, (70001,))
    yield kernels.random_bernoulli(0.3, (100003,), scale=2.0)
    yield kernels.random_randint(-5, 1000, (70001,))
    yield kernels.shuffle(_array.from_numpy(np.arange(5000)))
    x = kernels.full((100, 3), 0, "float32")
    places, values = kernels.random_randint(0, 100, (50000,)), kernels.random_normal(0, 1, (50000, 3))
    yield kernels.scatter_add(x, places, values)
    x = kernels.full((100, 40), 0, "float32")
    yield kernels.scatter_add(x, places[:5000], kernels.random_normal(0, 1, (5000, 40)))
    yield kernels.softmax(kernels.random_normal(0, 1, (501, 300)), 0)


SCRIPT = """
import hashlib, sys
sys.path.insert(0, {tests!r})
from test_random import draw_everything, value
for drawn in draw_everything():
    print(hashlib.sha256(value(drawn).tobytes()).hexdigest())
"""


def digests(**settings):
    script = SCRIPT.format(tests=os.path.dirname(__file__))
    environment = {**os.environ, **settings}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


def test_one_stream_for_every_number_of_threads():
    one = digests(MXCY_NUM_THREADS="1")

    assert len(one) == 12
    assert digests(MXCY_NUM_THREADS="4") == one
    assert digests(MXCY_ENGINE="serial") == one


def test_one_stream_for_every_instruction_set():
    best = digests()[:9]  # sums and exponentials of the other kernels may differ in the last bit

    assert digests(MXCY_ISA="base")[:9] == best
    assert digests(MXCY_ISA="avx2")[:9] == best


def test_prefixes_agree():
    philox.seed(3)
    long = value(kernels.random_normal(shape=(1000,)))
    philox.seed(3)

    assert_array_equal(value(kernels.random_normal(shape=(37,))), long[:37])


def test_out_may_be_strided_and_gives_the_same_numbers():
    philox.seed(3)
    expected = value(kernels.random_uniform(shape=(20, 30)))
    wide = kernels.full((20, 60), 9, "float32")
    philox.seed(3)

    kernels.random_uniform(out=wide[:, ::2])

    assert_array_equal(value(wide)[:, ::2], expected)
    assert_array_equal(value(wide)[:, 1::2], 9)


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda d: np.dtype(d).name)
def test_uniform_is_uniform(dtype):
    x = value(kernels.random_uniform(-2, 5, (100000,), dtype)).astype("f8")

    assert x.min() >= -2
    assert x.max() < 5
    if np.dtype(dtype).itemsize > 2:
        assert scipy.stats.kstest(x, "uniform", (-2, 7)).pvalue > 1e-3
    assert abs(x.mean() - 1.5) < 0.03


def test_uniform_never_reaches_the_upper_bound():
    one = np.float32(1)
    for low, high in ((one, np.nextafter(one, 2 * one)), (2.0**24, 2.0**24 + 4), (0.0, 1e-45)):
        x = value(kernels.random_uniform(low, high, (100000,)))
        assert np.all((x >= low) & (x < high))
    assert_array_equal(value(kernels.random_uniform(3, 3, (2,))), [3, 3])


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda d: np.dtype(d).name)
def test_normal_is_normal(dtype):
    x = value(kernels.random_normal(3, 2, (200000,), dtype)).astype("f8")

    standard = (x - 3) / 2
    if np.dtype(dtype).itemsize > 2:
        assert scipy.stats.kstest(standard, "norm").pvalue > 1e-3
    assert abs(standard.mean()) < 0.02
    assert abs(standard.var() - 1) < 0.02
    assert abs(np.mean(standard**3)) < 0.05
    assert abs(np.mean(standard**4) - 3) < 0.15
    assert abs(np.corrcoef(standard[::2], standard[1::2])[0, 1]) < 0.02
    assert np.isfinite(x).all()


def test_exponential_and_bernoulli():
    x = value(kernels.random_exponential(2.0, (100000,), "float64"))
    assert scipy.stats.kstest(x, "expon", (0, 2)).pvalue > 1e-3
    mask = value(kernels.random_bernoulli(0.25, (100000,), scale=4.0))
    assert set(np.unique(mask)) == {0, 4}
    assert abs(mask.mean() - 1) < 0.03
    assert value(kernels.random_bernoulli(1.0, (1000,), dtype="bool")).all()
    assert not value(kernels.random_bernoulli(0.0, (1000,), dtype="int8")).any()


@pytest.mark.parametrize(
    ("low", "high", "dtype"), [(-3, 4, "int8"), (0, 256, "uint8"), (-(2**63), 2**63, "int64")]
)
def test_integers_are_even(low, high, dtype):
    x = value(kernels.random_randint(low, high, (70000,), dtype))

    assert x.dtype == dtype
    buckets = min(high - low, 64)
    counts = np.bincount(((x.astype(object) - low) * buckets // (high - low)).astype(int), minlength=buckets)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_shuffle_permutes_the_first_axis():
    x = np.arange(3000).reshape(1000, 3)

    found = value(kernels.shuffle(_array.from_numpy(x)))

    assert_array_equal(np.sort(found[:, 0]), x[:, 0])
    assert_array_equal(found[:, 1], found[:, 0] + 1)
    assert (found != x).any()


def test_seeds_and_devices():
    first = value(kernels.random_uniform(shape=(5,)))
    assert (value(kernels.random_uniform(shape=(5,))) != first).any()
    assert (value(kernels.random_uniform(shape=(5,), ctx=cpu(1))) != first).any()
    philox.seed(42)
    assert_array_equal(value(kernels.random_uniform(shape=(5,))), first)
    philox.seed(9, cpu(0))
    mine = value(kernels.random_uniform(shape=(5,)))
    philox.seed(9, cpu(1))
    assert_array_equal(value(kernels.random_uniform(shape=(5,), ctx=cpu(1))), mine)
    state = philox.get_state()
    again = value(kernels.random_normal(shape=(3,)))
    philox.set_state(state)
    assert_array_equal(value(kernels.random_normal(shape=(3,))), again)


def test_arguments_are_checked():
    with pytest.raises(ArgumentError, match=r"random_uniform\(low\): expected at most high = 1"):
        kernels.random_uniform(2, 1, (3,))
    with pytest.raises(ArgumentError, match=r"random_normal\(scale\)"):
        kernels.random_normal(0, -1, (3,))
    with pytest.raises(ArgumentError, match=r"random_bernoulli\(p\): expected a number from 0 to 1, got 1.5"):
        kernels.random_bernoulli(1.5, (3,))
    with pytest.raises(ArgumentError, match=r"random_randint\(low\): expected less than high = 2, got 2"):
        kernels.random_randint(2, 2, (3,))
    with pytest.raises(ArgumentError, match="bounds within uint8"):
        kernels.random_randint(0, 257, (3,), "uint8")
    with pytest.raises(DTypeError, match="floating-point"):
        kernels.random_normal(0, 1, (3,), "int32")
    with pytest.raises(ArgumentTypeError, match=r"seed\(seed_state\): expected an int, got str"):
        philox.seed("one")
    with pytest.raises(ArgumentError, match="a context or 'all'"):
        philox.seed(1, "cpu")
