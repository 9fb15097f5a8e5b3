"""Gluon: blocks as graphs, their gradients, hooks and inputs."""

import numpy as np
import pytest
from gluon_nets import X, dense_net, ready

import mxcy as mx
from mxcy import autograd, gluon, nd
from mxcy.gluon import nn


def gradients(net, x):
    x.attach_grad()
    with autograd.record():
        y = net(x)
        loss = (y * y).sum()
    loss.backward()
    return [x.grad.asnumpy(), *[p.grad().asnumpy() for p in net.collect_params().values()]]


def test_graphs_compute_and_differentiate_what_blocks_do():
    net, x = ready(dense_net(), X), X.copy()
    eager = gradients(net, x)
    net.hybridize(static_alloc=True, static_shape=True)
    for _ in range(2):
        for a, b in zip(eager, gradients(net, x), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_several_calls_may_wait_for_their_gradients():
    net = ready(dense_net(), X)
    net.hybridize()
    inputs = [X * k for k in (1, 2, 3)]
    with autograd.record():
        outputs = [net(x) for x in inputs]
        loss = nd.add_n(*[y.sum() for y in outputs])
    loss.backward()
    found = [p.grad().asnumpy() for p in net.collect_params().values()]
    net.hybridize(False)
    with autograd.record():
        loss = nd.add_n(*[net(x).sum() for x in inputs])
    loss.backward()
    for p, g in zip(net.collect_params().values(), found, strict=True):
        np.testing.assert_allclose(p.grad().asnumpy(), g, rtol=1e-5, atol=1e-5)
    net.hybridize()
    with autograd.record():
        first, second = net(inputs[0]), net(inputs[1])

    assert not np.allclose(first.asnumpy(), second.asnumpy())


def test_gradients_of_graphs_can_be_differentiated_and_kept():
    class Cube(gluon.HybridBlock):
        def hybrid_forward(self, F, x):
            return x * x * x

    net = Cube()
    net.hybridize()
    x = nd.array([2.0])
    x.attach_grad()
    with autograd.record():
        (g,) = autograd.grad(net(x), [x], create_graph=True)
        (h,) = autograd.grad(g, [x], create_graph=True)
    h.backward()

    assert (g.asscalar(), h.asscalar(), x.grad.asscalar()) == (12, 12, 6)
    with autograd.record():
        y = net(x)
    kept = autograd.grad(y, [x], retain_graph=True)[0]
    y.backward()
    net(x * 5)

    assert kept.asscalar() == x.grad.asscalar() == 12


def test_graphs_take_nested_inputs_and_states():
    class Pair(gluon.HybridBlock):
        def hybrid_forward(self, F, x, pair, extra=None):
            a, (b,) = pair
            y = x + a * 2 + b * 3
            return (y if extra is None else y + extra), [x, (a,)]

    net = Pair()
    net.hybridize()
    one, two, three = nd.ones(1), nd.ones(1) * 2, nd.ones(1) * 3
    y, (x, (a,)) = net(one, [two, [three]], None)

    assert (y.asscalar(), x.asscalar(), a.asscalar()) == (14, 1, 2)
    assert net(one, [two, [three]])[0].asscalar() == 14
    with pytest.raises(ValueError, match="structure"):
        net(one, [two, three])


def test_training_mode_reaches_graphs():
    net = nn.HybridSequential()
    net.add(nn.BatchNorm(), nn.Dropout(0.5))
    net.initialize()
    net.hybridize()
    x = nd.array(np.random.default_rng(0).normal(3, 2, (50, 4)), dtype="float32")
    still = net(x).asnumpy()
    with autograd.record():
        noisy = net(x).asnumpy()

    assert (still != 0).all()
    assert 0.3 < (noisy == 0).mean() < 0.7
    np.testing.assert_allclose(net[0].running_mean.data().asnumpy(), 0.1 * x.asnumpy().mean(0), rtol=1e-4)


def test_graphs_show_their_operators():
    net = ready(dense_net(prefix="n_"), X)
    net.hybridize()
    seen = []
    net.register_op_hook(lambda name, op, x: seen.append((name, op, x.shape)))
    net(X)

    assert ("n_dense0_fwd_output", "FullyConnected", (5, 4)) in seen


def test_unused_inputs_and_parameters_are_named():
    class Odd(gluon.HybridBlock):
        def __init__(self):
            super().__init__(prefix="odd_")
            self.w = self.params.get("w", shape=(1,))

        def hybrid_forward(self, F, x, y, w):
            return x + 1

    net = Odd()
    net.initialize()
    net.hybridize()
    with pytest.warns(UserWarning) as caught:
        net(nd.ones(1), nd.ones(1))

    assert {str(w.message).split(" is not")[0] for w in caught} == {
        "The 1-th input to HybridBlock", "Parameter odd_w",
    }  # fmt: skip


def test_hooks_and_summary(capsys):
    net = ready(dense_net(), X)
    calls = []
    before = net.register_forward_pre_hook(lambda block, x: calls.append("before"))
    with net.register_forward_hook(lambda block, x, y: calls.append(y.shape)):
        net(X)
    before.detach()
    net(X)

    assert calls == ["before", (5, 3)]
    net.summary(X)
    shown = capsys.readouterr().out
    assert "Dense-3" in shown
    assert "Total params: 43" in shown
    assert net.apply(lambda block: calls.append(type(block).__name__)) is net
    assert calls[2:] == ["Activation", "Dense", "Dense", "HybridSequential"]


def test_inputs_must_be_alike():
    net = ready(dense_net(), X)
    with pytest.raises(ValueError, match="one kind"):
        gluon.HybridBlock.forward(net, X, mx.sym.var("x"))
    with pytest.raises(ValueError, match="at least one NDArray"):
        net(3)
    with pytest.raises(NotImplementedError):
        gluon.HybridBlock()(X)


def test_hooks_of_operators_see_inputs_and_outputs_under_mxnets_names():
    net = nn.HybridSequential(prefix="net_")
    with net.name_scope():
        net.add(nn.Dense(2, activation="relu", prefix="d_"))
    net.initialize()
    net.hybridize()
    net(nd.ones((1, 3)))
    seen = []
    net.register_op_hook(lambda node, op, x: seen.append((node, op)), monitor_all=True)
    net(nd.ones((1, 3)))

    dense, relu = "FullyConnected", "Activation"
    assert seen == [
        ("net_d_fwd_data", dense), ("net_d_fwd_weight", dense), ("net_d_fwd_bias", dense),
        ("net_d_fwd_output", dense), ("net_d_relu_fwd_input0", relu), ("net_d_relu_fwd_output", relu),
    ]  # fmt: skip


def test_a_recorded_graph_is_a_symbol():
    net = nn.Dense(2, in_units=3)
    net.initialize()
    net.hybridize()
    with mx.autograd.record():
        y = net(nd.ones((1, 3))) * 2
    symbol = mx.autograd.get_symbol(y)

    assert [node.op.name for node in symbol._graph.nodes if node.op] == ["FullyConnected", "_mul_scalar"]


def shared_twice():
    """A hybrid block that is called twice in one record, and a parameter that is used outside it too."""
    net = nn.Dense(2, in_units=2, use_bias=False, weight_initializer=mx.init.Constant(0.5))
    net.initialize()
    return net


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_gradients_of_several_calls_of_a_graph_add_up(outside, order):
    found = []
    for hybridize in (False, True):
        net = shared_twice()
        if hybridize:
            net.hybridize()
        inputs = [nd.array([[1, 2]]), nd.array([[3, 4]])]
        with autograd.record():
            total = sum((net(inputs[i]) * (i + 1)).sum() for i in order)
            if outside:
                total = total + (net.weight.data() * net.weight.data()).sum()
        total.backward()
        found.append(net.weight.grad().asnumpy())

    assert (found[0] == found[1]).all()


def test_grad_leaves_the_buffers_of_parameters_alone():
    net = shared_twice()
    net.hybridize()
    x = nd.array([[1, 2]])
    weight = net.weight.data()
    with autograd.record():
        y = net(x).sum()
    y.backward()
    before = net.weight.grad().asnumpy()
    with autograd.record():
        y = (net(x) * 3).sum()
    (found,) = autograd.grad([y], [weight])

    assert (net.weight.grad().asnumpy() == before).all()
    assert (found.asnumpy() == 3 * before).all()


def test_gradients_are_written_added_or_left_out_as_the_parameter_says():
    net = shared_twice()
    net.hybridize()
    x, found = nd.array([[1, 2]]), []
    for req in ("write", "add", "add", "null", "write"):
        net.weight.grad_req = req
        x.attach_grad()
        with autograd.record():
            y = net(x).sum()
        y.backward()
        found.append(None if req == "null" else net.weight.grad().asnumpy()[0].tolist())

    assert found == [[1, 2], [1, 2], [2, 4], None, [1, 2]]
    assert x.grad.asnumpy().tolist() == [[1, 1]]


def test_outputs_without_a_gradient_of_their_own():
    class Two(gluon.HybridBlock):
        def hybrid_forward(self, F, x):
            return x * 2, F.argmax(x, axis=1), x * x

    net = Two()
    net.hybridize()
    x = nd.array([[1, 2]])
    x.attach_grad()
    for _ in range(2):
        with autograd.record():
            double, _, square = net(x)
            (square * 3).backward(retain_graph=True)
        assert x.grad.asnumpy().tolist() == [[6, 12]]
        double.backward()
        assert x.grad.asnumpy().tolist() == [[2, 2]]
