"""What a bound graph takes really: buffers of the pool, against the plan."""

import pytest

import mxcy as mx
from mxcy import _engine

sym, nd = mx.sym, mx.nd


def test_running_a_graph_takes_the_buffers_of_its_plan_and_workspaces():
    with mx.name.NameManager():
        net = sym.Variable("data")
        for number in range(4):
            net = sym.tanh(sym.FullyConnected(net, num_hidden=512, name=f"fc{number}"))
        net = sym.SoftmaxOutput(net, name="softmax")
    executor = net.simple_bind(mx.cpu(), data=(512, 512))
    for array in (*executor.arg_arrays, *executor.grad_arrays):
        array[:] = 0.01
    nd.waitall()
    before = _engine._pool(trim=True, peak=True)["held"]
    executor.forward(is_train=True)
    executor.backward()
    nd.waitall()
    after = _engine._pool(peak=True)
    plan = executor._program.plan

    assert plan.total == pytest.approx(plan.largest_live, rel=0.03)
    assert after["held"] - before == pytest.approx(plan.total, rel=1 / 8)  # the pool's classes of sizes
    assert after["held"] <= after["peak"]
    assert _engine._pool(peak=True)["peak"] == after["held"]
