"""Recorded operations: a segment does what the calls did, as often as it runs, and as one operation."""

import gc
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mxcy._segment import Recording

import mxcy as mx
from mxcy.kernels import cpu as kernels

nd = mx.nd


def recorded(*functions):
    recording = Recording()
    for function in functions:
        assert recording.add(function)
    return recording.finish()


def test_segment_reads_what_its_arrays_hold_when_it_runs():
    a, b = nd.array([1.0, 2.0]), nd.zeros(2)
    segment = recorded(lambda: nd.broadcast_add(a, a, out=b))
    assert np.array_equal(b.asnumpy(), [0, 0]), "recording runs nothing"
    for value in (3.0, 5.0):
        a[:] = value
        segment.run()
        assert np.array_equal(b.asnumpy(), [2 * value] * 2)


OPERATIONS = (
    lambda x, y, out: nd.broadcast_add(x, y, out=out),
    lambda x, y, out: nd.broadcast_mul(x, y, out=out),
    lambda x, y, out: nd.dot(x, y, out=out),
    lambda x, y, out: nd.softmax(x, out=out),
    lambda x, y, out: nd.transpose(y, out=out),
    lambda x, y, out: nd.broadcast_sub(out, x, out=out),
)


@given(
    st.lists(
        st.tuples(st.integers(0, len(OPERATIONS) - 1), *[st.integers(0, 4)] * 3), min_size=1, max_size=30
    ),
    st.integers(1, 70),
    st.integers(1, 3),
)
def test_segment_equals_its_calls_in_order(program, n, runs):
    rng = np.random.default_rng(n)
    start = [rng.standard_normal((n, n)).astype("f4") / n for _ in range(5)]
    plain = [nd.array(x) for x in start]
    arrays = [nd.array(x) for x in start]
    with np.errstate(all="ignore"):
        segment = recorded(*[
            lambda op=op, i=i, j=j, k=k: OPERATIONS[op](arrays[i], arrays[j], arrays[k])
            for op, i, j, k in program
        ])  # fmt: skip
        for _ in range(runs):
            segment.run()
            for op, i, j, k in program:
                OPERATIONS[op](plain[i], plain[j], plain[k])
        for mine, expected in zip(arrays, plain, strict=True):
            assert np.array_equal(mine.asnumpy(), expected.asnumpy(), equal_nan=True)


def test_segment_keeps_its_order_among_other_operations():
    a, b, total = nd.ones(1000), nd.zeros(1000), nd.zeros(1000)
    segment = recorded(lambda: nd.broadcast_add(a, a, out=b))
    expected = 0.0
    for step in range(50):
        a *= 1.01
        segment.run()
        total += b
        expected += 2 * 1.01 ** (step + 1)
    assert np.allclose(total.asnumpy(), expected, rtol=1e-4)


@pytest.mark.parametrize(
    "function",
    [
        lambda: nd.random.normal(shape=(2,)),
        lambda: nd.ones(2).asnumpy(),
        lambda: nd.ones(1).asscalar(),
        lambda: Recording().add(lambda: None),
    ],
    ids=["random", "asnumpy", "asscalar", "nested"],
)
def test_call_that_depends_on_more_than_its_arrays_is_not_recorded(function):
    recording = Recording()
    assert not recording.add(function)
    assert len(recording) == 0
    function()


def test_exception_while_recording_comes_out_and_leaves_nothing():
    recording = Recording()
    a = nd.ones(3)

    def fail():
        nd.broadcast_add(a, a, out=a)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        recording.add(fail)
    assert len(recording) == 0
    assert np.array_equal((a + a).asnumpy(), [2, 2, 2])
    assert np.array_equal(a.asnumpy(), [1, 1, 1])


def test_destructors_of_garbage_are_not_recorded():
    class Counts:
        def __init__(self):
            self.me = self

        def __del__(self):
            count[:] += 1

    def function():
        Counts()
        for _ in range(100):  # with a threshold of 1 any of them would collect
            kept.append([])
        nd.broadcast_add(a, a, out=b)

    kept, count, a, b = [], nd.zeros(1), nd.ones(2), nd.zeros(2)
    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        segment = recorded(function)
    finally:
        gc.set_threshold(*thresholds)
    assert gc.isenabled()
    assert len(segment) == 1
    gc.collect()
    segment.run()
    segment.run()
    assert count.asscalar() == 1


def test_other_threads_are_not_recorded():
    a, b = nd.ones(5), nd.zeros(5)
    result = []

    def elsewhere():
        result.append((a + b).asnumpy())

    def call():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        nd.broadcast_add(a, a, out=b)

    segment = recorded(call)
    assert np.array_equal(result[0], np.ones(5))
    segment.run()
    assert np.array_equal(b.asnumpy(), np.full(5, 2))


@pytest.mark.parametrize("size", [3, 100_000])
def test_failure_says_where_it_comes_from_and_heals(size):
    index, x, out = nd.array([0.0]), nd.array(np.zeros((2, size))), nd.zeros((1, size))
    recording = Recording()
    recording.add(lambda: kernels.take(x, index, axis=0, mode="raise", out=out), "from a test")
    segment = recording.finish()
    index[:] = 9
    with pytest.raises(IndexError) as caught:
        segment.run()
        out.asnumpy()
    assert "from a test" in caught.value.__notes__
    index[:] = 1
    segment.run()
    assert np.array_equal(out.asnumpy(), np.zeros((1, size)))


def test_segment_outlives_the_names_of_its_arrays():
    out = nd.zeros(4)

    def call():
        nd.broadcast_add(nd.ones(4) + 1, nd.ones(4), out=out)

    segment = recorded(call)
    segment.run()
    segment.run()
    assert np.array_equal(out.asnumpy(), np.full(4, 3))
