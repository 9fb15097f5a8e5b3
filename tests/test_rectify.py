"""Convolutions that rectify their results: which do, and that nothing but time changes."""

import numpy as np
import pytest

import mxcy as mx
from mxcy.executor import options
from mxcy.executor.options import Options

sym, nd = mx.sym, mx.nd


def convolution(data, name="conv", **attributes):
    return sym.Convolution(data, num_filter=5, kernel=(3, 3), pad=(1, 1), name=name, **attributes)


def rectified(how, data):
    return sym.relu(data) if how == "relu" else sym.Activation(data, act_type="relu")


def bound(net, fuse, monkeypatch, dtype="float32", req="write"):
    monkeypatch.setattr(options, "DEFAULT", Options(fuse=fuse))
    executor = net.simple_bind(mx.cpu(), grad_req=req, type_dict={"data": dtype}, data=(2, 3, 8, 7))
    rng = np.random.default_rng(0)
    for array in executor.arg_arrays:
        array[:] = rng.standard_normal(array.shape)
    return executor


def operators(executor):
    return "+".join(step.op.name for step in executor._program.forward.steps).split("+")


@pytest.mark.parametrize("how", ["relu", "Activation"])
@pytest.mark.parametrize(
    "attributes", [{}, {"no_bias": True}, {"stride": (2, 2)}, {"layout": "NCHW"}], ids=str
)
def test_results_and_gradients_are_the_same_to_the_last_bit(how, attributes, monkeypatch):
    net = sym.tanh(rectified(how, convolution(sym.Variable("data"), **attributes))) * 2
    joined, apart = (bound(net, fuse, monkeypatch) for fuse in (True, False))
    for executor in (joined, apart):
        executor.arg_dict["data"][0, 0, 0, :3] = [np.nan, -0.0, np.inf]
        with np.errstate(all="ignore"):
            executor.forward(is_train=True)
            executor.backward(nd.ones(executor.outputs[0].shape))
            mx.nd.waitall()

    assert "_convolution_relu" in operators(joined)
    for mine, expected in zip(
        [*joined.outputs, *joined.grad_arrays], [*apart.outputs, *apart.grad_arrays], strict=True
    ):
        assert mine.asnumpy().tobytes() == expected.asnumpy().tobytes()


@pytest.mark.parametrize(
    "window",
    [
        {"kernel": (2, 2), "stride": (2, 2)},
        {"kernel": (3, 3), "stride": (2, 2), "pad": (1, 1)},
        {"kernel": (3, 3), "pad": (1, 1)},
        {"kernel": (3, 2), "stride": (2, 1)},
        {"kernel": (4, 4), "stride": (3, 3)},
    ],
    ids=str,
)
def test_gradients_of_maxima_pass_rectifiers(window, monkeypatch):
    net = sym.Pooling(rectified("Activation", convolution(sym.Variable("data"))), pool_type="max", **window)
    joined, apart = (bound(net, fuse, monkeypatch) for fuse in (True, False))
    for executor in (joined, apart):
        executor.arg_dict["data"][0, 0, 0, :2] = [np.nan, -0.0]
        with np.errstate(all="ignore"):
            executor.forward(is_train=True)
            executor.backward(nd.arange(executor.outputs[0].size).reshape(executor.outputs[0].shape))
            mx.nd.waitall()

    steps = [step.op.name for step in joined._program.backward.steps]
    assert "_pooling_max_relu_grad" in steps and "_greater_scalar" not in " ".join(steps)
    for mine, expected in zip(joined.grad_arrays, apart.grad_arrays, strict=True):
        np.testing.assert_array_equal(mine.asnumpy(), expected.asnumpy())


def test_a_result_that_others_read_is_kept(monkeypatch):
    made = convolution(sym.Variable("data"))
    for net in (sym.Group([made, sym.relu(made)]), sym.relu(made) + made, sym.tanh(made)):
        executor = bound(net, True, monkeypatch)
        executor.forward()

        assert "_convolution_relu" not in operators(executor)


def test_half_types_are_rectified_after_rounding(monkeypatch):
    executor = bound(sym.relu(convolution(sym.Variable("data"))), True, monkeypatch, "float16")
    executor.forward()

    assert "_convolution_relu" not in operators(executor)


def test_prediction_with_a_folded_norm_is_one_node(monkeypatch):
    net = sym.relu(sym.BatchNorm(convolution(sym.Variable("data")), fix_gamma=False))
    executor = bound(net, True, monkeypatch, req="null")
    plain = bound(net, False, monkeypatch, req="null")
    for each in (executor, plain):
        for state in each.aux_arrays:
            state[:] = 0.5

    np.testing.assert_allclose(executor.forward()[0].asnumpy(), plain.forward()[0].asnumpy(), 1e-4, 1e-5)
    assert operators(executor)[-1] == "_convolution_relu"
