"""Operations that run in the pushing thread while a worker looks out for work, and takes a part of them."""

import threading

import numpy as np
import pytest

import mxcy as mx

SIZES = [70_001, 100_352, 131_072]  # an operation of one cheap step over so many runs at the call


def have_a_worker_look_out():
    large = mx.np.ones(400_000)
    (large + large).wait_to_read()


@pytest.mark.parametrize("n", SIZES)
def test_results_are_those_of_one_thread(n):
    rng = np.random.default_rng(n)
    a, b = (rng.standard_normal(n).astype("f4") for _ in range(2))
    x, y = mx.nd.array(a), mx.nd.array(b)
    for _ in range(20):
        have_a_worker_look_out()
        total, product = x + y, x * y
        x -= 0.01 * product
        a, expected = a - np.float32(0.01) * (a * b), (a + b, a * b)
        np.testing.assert_array_equal(total.asnumpy(), expected[0])
        np.testing.assert_array_equal(product.asnumpy(), expected[1])
        np.testing.assert_array_equal(x.asnumpy(), a)


@pytest.mark.parametrize("place", [0, -1])
def test_flags_of_either_part_are_told_at_the_call(place):
    values = np.ones(100_000, "f4")
    values[place] = 3e38
    x = mx.np.array(values, dtype="float32")
    for _ in range(5):
        have_a_worker_look_out()
        with pytest.warns(RuntimeWarning, match="overflow encountered in multiply"):
            x * x
        with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
            x * x
        with np.errstate(over="ignore"):
            assert np.isinf((x * x).asnumpy()[place])


def test_an_error_in_place_leaves_what_was_written():
    x = mx.np.array(np.full(100_000, 3e38), dtype="float32")
    have_a_worker_look_out()
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        x *= 2.0
    assert np.isinf(x.asnumpy()).all()


def test_several_threads_push_on_the_same_array():
    x, rounds = mx.nd.zeros(100_000), 100
    failures = []

    def add(amount):
        try:
            for _ in range(rounds):
                x.__iadd__(amount)
        except BaseException as failure:
            failures.append(failure)

    have_a_worker_look_out()
    threads = [threading.Thread(target=add, args=(amount,)) for amount in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    np.testing.assert_array_equal(x.asnumpy(), np.full(100_000, 6 * rounds, "f4"))
