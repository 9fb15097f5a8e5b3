"""Calls that repeat are computed at once from what an earlier call pushed; nothing else changes."""

import threading

import numpy as np
import ops_rows
import pytest
from ops_rows import OPERATORS, array, name_of

import mxcy as mx
from mxcy import autograd, nd
from mxcy.errors import MXNetError

CALLS = 5


def called(op, inputs, row):
    """The visible results of a call with new arrays of these values."""
    found = op(*map(array, inputs), **row.attributes)
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("op", OPERATORS, ids=name_of)
def test_later_calls_give_what_compute_gives(op):
    for row in op.cases:
        if row.error is not None or not row.inputs or op.ref is None:
            continue
        dtype = ops_rows.dtypes_of(op, row)[0]
        inputs = ops_rows.draw(op, row, dtype)
        rng = np.random.default_rng(1)
        others = [item.make(rng, dtype) for item in row.inputs]
        attrs = ops_rows.use(op, row)
        try:
            for _ in range(CALLS):
                called(op, inputs, row)
        except MXNetError:  # its inputs are not given in order
            continue
        found = called(op, others, row)
        expected = op.compute(tuple(map(array, others)), attrs)[: op.num_visible(attrs)]

        assert len(found) == len(expected)
        for x, y in zip(found, expected, strict=True):
            assert (x.shape, x.dtype, type(x)) == (y.shape, y.dtype, type(y))
            np.testing.assert_array_equal(x.asnumpy(), y.asnumpy())


def repeated(function, *given):
    for _ in range(CALLS):
        found = function(*given)
    return found


def test_results_are_new_arrays_and_operands_views_and_their_order():
    whole = nd.array(np.arange(24.0).reshape(4, 6))
    first = repeated(nd.exp, whole[1:3])
    second = nd.exp(whole[2:4])
    across = nd.exp(whole[:2, 1:])

    first[:] = 0
    np.testing.assert_array_equal(second.asnumpy(), np.exp(whole.asnumpy()[2:4]))
    np.testing.assert_array_equal(across.asnumpy(), np.exp(whole.asnumpy()[:2, 1:]))


def test_an_operand_may_be_given_twice():
    x, y = nd.array([1.0, 2.0]), nd.array([3.0, 4.0])
    repeated(nd.broadcast_hypot, x, y)

    np.testing.assert_array_equal(nd.broadcast_hypot(y, y).asnumpy(), np.hypot([3, 4], [3, 4]).astype("f4"))


def test_operands_of_other_kinds_go_the_long_way():
    x = nd.array([[1.0, 4.0]])
    repeated(nd.sqrt, x)

    assert nd.sqrt(x.astype("float64")).dtype == np.float64
    assert nd.sqrt(nd.array([[1.0, 4.0, 9.0]])).shape == (1, 3)
    assert nd.sqrt(x.tostype("csr")).stype == "csr"
    assert isinstance(mx.sym.sqrt(mx.sym.Variable("x")), mx.sym.Symbol)
    assert type(nd.sqrt(x.as_np_ndarray())) is mx.np.ndarray
    with pytest.raises(MXNetError):
        nd.sqrt(x, 3, 4)


def test_recording_sees_every_call():
    x = nd.array([1.0, 2.0])
    repeated(nd.square, x)
    x.attach_grad()
    with autograd.record():
        y = nd.square(x)
    y.backward()

    np.testing.assert_array_equal(x.grad.asnumpy(), [2, 4])


def test_training_is_not_forgotten():
    x = nd.ones((8, 8))
    for _ in range(CALLS):
        assert nd.Dropout(x, p=0.5).asnumpy().all()
    with autograd.train_mode():
        assert not nd.Dropout(x, p=0.5).asnumpy().all()


def test_what_depends_on_values_or_writes_its_operands_stays_a_call():
    x, mask = nd.array([[1.0], [2.0]]), nd.array([0.0, 1.0])
    repeated(nd.contrib.boolean_mask, x, mask)
    assert nd.contrib.boolean_mask(x, nd.array([1.0, 1.0])).shape == (2, 1)

    weight, momentum = nd.zeros((2,)), nd.zeros((2,))
    for _ in range(CALLS):
        nd.sgd_mom_update(weight, nd.ones((2,)), momentum, lr=1.0, momentum=1.0, out=weight)
    np.testing.assert_array_equal(momentum.asnumpy(), [-5, -5])
    mx.random.seed(3)
    drawn = {float(nd.random.uniform_like(x).asnumpy()[0, 0]) for _ in range(CALLS)}
    assert len(drawn) == CALLS


def test_errors_and_floating_point_flags_are_those_of_the_long_way():
    good, bad = nd.array([1.0, 2.0]), nd.array([-1.0, 2.0])
    repeated(nd.log, good)
    with np.errstate(invalid="raise"), pytest.raises(FloatingPointError, match="log"):
        nd.log(bad)
    with np.errstate(invalid="ignore"):
        assert np.isnan(nd.log(bad).asnumpy()[0])

    place = nd.array([0, 1], dtype="int32")
    x = nd.array([[1.0], [2.0]])
    repeated(lambda i: nd.take(x, i, mode="raise"), place)
    with pytest.raises(MXNetError):
        nd.take(x, nd.array([0, 5], dtype="int32"), mode="raise").wait_to_read()


def test_pending_operands_are_waited_for_in_order():
    x = nd.ones((4,))
    repeated(nd.exp, x)
    large = nd.ones((2000, 2000))
    for _ in range(3):
        large = nd.dot(large, large) * 0
    part = nd.exp(large[0, :4])

    np.testing.assert_array_equal(part.asnumpy(), np.ones(4))


def test_threads_may_call_one_operator():
    def work(seed):
        x = nd.array(given[seed])
        for _ in range(300):
            if not np.array_equal(nd.softmax(x).asnumpy(), expected[seed]):
                wrong.append(seed)

    wrong = []
    given = [np.random.default_rng(seed).random(16).astype("f4") for seed in range(3)]
    expected = [nd.softmax(nd.array(values)).asnumpy() for values in given]
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_profiler_sees_every_call(tmp_path):
    x = nd.ones((4,))
    repeated(nd.exp, x)
    mx.profiler.set_config(filename=str(tmp_path / "profile.json"), aggregate_stats=True, profile_all=True)
    mx.profiler.set_state("run")
    try:
        for _ in range(3):
            nd.exp(x)
    finally:
        mx.profiler.set_state("stop")

    assert "exp" in mx.profiler.dumps(reset=True)


def test_shapes_without_axes_follow_the_scope_of_the_call():
    x = mx.nd.array(np.array(3.0))
    with mx.util.np_shape(True):
        assert repeated(mx.nd.zeros_like, x).shape == ()

    assert repeated(mx.nd.zeros_like, x).shape == (1,)
