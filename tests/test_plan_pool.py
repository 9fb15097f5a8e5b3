"""Executors of different shapes share the memory of their results."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxcy as mx
from mxcy.errors import BindError
from mxcy.executor.pool import Pool

sym, nd = mx.sym, mx.nd


def network(dropout=False):
    net = sym.Variable("data")
    with mx.name.NameManager():
        for number, width in enumerate((32, 64, 16, 8)):
            net = sym.FullyConnected(net, num_hidden=width, name=f"fc{number}")
            net = sym.Activation(net, act_type="tanh")
            net = sym.Dropout(net) if dropout else net
        return sym.SoftmaxOutput(net, name="softmax")


def bound(net, batch, shared=None):
    """An executor with parameters that do not depend on the batch."""
    executor = net.simple_bind(mx.cpu(), data=(batch, 10), shared_exec=shared)
    rng = np.random.default_rng(0)
    for name, array in sorted(executor.arg_dict.items()):
        array[:] = 1 if "label" in name else rng.normal(0, 0.4, array.shape)
    return executor


def step(executor, between=lambda: None):
    executor.forward(is_train=True)
    between()
    executor.backward()
    return [array.asnumpy().tobytes() for array in (*executor.outputs, *executor.grad_arrays)]


def buffers(executor):
    """Those of its program that it shares."""
    program = executor._planned
    return {a._storage_id for number, a in enumerate(program._shared) if number not in program.plan.own}


def test_a_pool_takes_what_its_largest_member_takes():
    net = network()
    alone = {batch: bound(net, batch) for batch in (4, 16, 8)}
    first = bound(net, 16)
    members = {16: first, 4: bound(net, 4, first), 8: bound(net, 8, first)}

    assert {member._pool for member in members.values()} == {first._pool}
    assert first._pool.nbytes == alone[16]._pool.nbytes > alone[8]._pool.nbytes
    for batch, member in members.items():
        assert step(member) == step(alone[batch])
        assert member.debug_str().splitlines()[-2] == alone[batch].debug_str().splitlines()[-2]


def test_a_pool_that_grows_is_taken_up_by_its_older_members():
    net = network()
    small = bound(net, 4)
    before, outputs = step(small), list(small.outputs)
    large = bound(net, 16, small)
    expected = step(large)

    assert small._pool.nbytes == bound(net, 16)._pool.nbytes
    assert step(small) == before
    assert step(large) == expected
    assert all(a is b for a, b in zip(small.outputs, outputs, strict=True))
    assert buffers(small) <= buffers(large)


@given(st.lists(st.sampled_from([1, 3, 5, 8]), min_size=1, max_size=6))
def test_members_run_in_any_order(batches):
    net = network()
    first = bound(net, 4)
    made = {}
    for batch in batches:
        member = made.setdefault(batch, None) or bound(net, batch, first)
        made[batch] = member

        assert step(member) == step(bound(net, batch))
    assert step(first) == step(bound(net, 4))


def test_backward_runs_forward_again_if_another_member_has_run():
    net = network()
    first = bound(net, 8)
    second = bound(net, 4, first)
    expected = step(bound(net, 8))

    assert step(first, between=lambda: second.forward(is_train=True)) == expected
    output = first.outputs[0].asnumpy()
    second.forward(is_train=True)
    np.testing.assert_array_equal(first.outputs[0].asnumpy(), output)


def test_what_runs_again_for_another_member_draws_the_same_numbers():
    net = network(dropout=True)
    first = bound(net, 8)
    second = bound(net, 4, first)
    mx.random.seed(4)
    expected = step(bound(net, 8))
    mx.random.seed(4)

    assert step(first, between=lambda: second.forward(is_train=True)) == expected


def test_reshaped_executors_share_their_memory():
    first = bound(network(), 8)
    other = first.reshape(data=(4, 10), softmax_label=(4,))

    assert other._pool is first._pool
    assert other.arg_dict["fc0_weight"] is first.arg_dict["fc0_weight"]
    alone = bound(network(), 4)
    alone.copy_params_from(other.arg_dict)
    assert step(other) == step(alone)
    assert step(first) == step(bound(network(), 8))


def test_shared_exec_is_an_executor():
    with pytest.raises(BindError, match="shared_exec expected an Executor, got int"):
        network().simple_bind(mx.cpu(), data=(4, 10), shared_exec=3)


@given(st.lists(st.lists(st.integers(1, 100), max_size=6), max_size=5))
def test_buffers_of_a_pool_are_as_large_as_the_largest_that_lies_in_each(programs):
    pool = Pool(mx.cpu())
    for sizes in programs:
        taken = pool.take(sizes)

        assert len({array._storage_id for array in taken}) == len(sizes)
        assert all(array.size >= size for array, size in zip(taken, sizes, strict=True))
    ranked = [sorted(sizes, reverse=True) for sizes in programs]
    most = [max(s[k] for s in ranked if len(s) > k) for k in range(max(map(len, ranked), default=0))]
    assert pool.nbytes == sum(most)
