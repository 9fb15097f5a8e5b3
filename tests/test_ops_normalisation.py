"""Batch normalisation in training: states, gradients of both orders, layouts, and precision."""

import numpy as np
import pytest
from ops_rows import Node, array, backward, nodes, numpy_of

import mxcy as mx
from mxcy import ops


@pytest.fixture(autouse=True)
def training(monkeypatch):
    monkeypatch.setattr(Node, "is_train", True)


def inputs_of(shape, channels, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    states = [rng.uniform(0.5, 1.5, channels).astype(dtype) for _ in range(4)]
    return [rng.standard_normal(shape).astype(dtype), *states]


def normalised(x, gamma, beta, axis=1, eps=1e-3):
    axes = tuple(a for a in range(x.ndim) if a != axis % x.ndim)
    shape = [n if a == axis % x.ndim else 1 for a, n in enumerate(x.shape)]
    hat = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)
    return hat * gamma.reshape(shape) + beta.reshape(shape)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((4, 3, 2, 5), 1),
        ((6, 3), 1),
        ((2, 5, 3), -1),
        ((3, 40), 0),
        ((2, 70, 9), 1),
        ((40, 130), 1),
        ((9, 300), 1),
    ],
)
def test_training_normalises_by_the_batch_and_moves_the_states(shape, axis):
    x, gamma, beta, mean, var = inputs_of(shape, shape[axis])
    arrays = [array(a) for a in (x, gamma, beta, mean, var)]
    attrs = ops.BatchNorm.parse_attrs({"axis": axis, "fix_gamma": False, "momentum": 0.75})
    y = ops.BatchNorm.compute(arrays, attrs, is_train=True)[0]

    axes = tuple(a for a in range(x.ndim) if a != axis % x.ndim)
    np.testing.assert_allclose(numpy_of(y), normalised(x, gamma, beta, axis), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(numpy_of(arrays[3]), 0.75 * mean + 0.25 * x.mean(axes), rtol=1e-12)
    np.testing.assert_allclose(numpy_of(arrays[4]), 0.75 * var + 0.25 * x.var(axes), rtol=1e-12)


def scalar(values, heads, gradients_of=None):
    """Value and gradients (as nodes) of the sum of head * BatchNorm(values)."""
    variables = nodes(values[:3])
    y = ops.BatchNorm(*variables, *nodes(values[3:]), fix_gamma=False)
    return y, variables, backward([y], nodes([heads]), variables)


def test_gradients_of_both_orders_in_training():
    values = inputs_of((3, 2, 4), 2)
    rng = np.random.default_rng(1)
    heads, probes = rng.standard_normal((3, 2, 4)), [rng.standard_normal(v.shape) for v in values[:3]]

    def slopes(point):
        _, variables, first = scalar([*point, *values[3:]], heads)
        total = ops.add_n(*[ops.sum(g * Node(array(p))) for g, p in zip(first, probes, strict=True)])
        return total, variables

    def first_of(point):
        return float(np.sum(normalised(*point) * heads))

    step = 1e-6
    total, variables = slopes(values[:3])
    ahead, behind = ([v + s * d for v, d in zip(values[:3], probes, strict=True)] for s in (step, -step))
    numeric = (first_of(ahead) - first_of(behind)) / (2 * step)
    np.testing.assert_allclose(numpy_of(total.value), numeric, rtol=1e-7)

    second = backward([total], nodes([np.ones(1)]), variables)  # beta has none
    directions = [rng.standard_normal(v.shape) for v in values[:3]]
    pairs = zip(second, directions, strict=True)
    found = sum(float(np.sum(numpy_of(g.value) * d)) for g, d in pairs if g is not None)
    ahead, behind = ([v + s * d for v, d in zip(values[:3], directions, strict=True)] for s in (step, -step))
    numeric = [float(numpy_of(slopes(point)[0].value).sum()) for point in (ahead, behind)]
    np.testing.assert_allclose(found, (numeric[0] - numeric[1]) / (2 * step), rtol=1e-5)


def test_gradient_remembers_how_the_forward_pass_ran():
    x, gamma, beta, mean, var = (mx.nd.array(a) for a in inputs_of((4, 3), 3, dtype=np.float32))
    x.attach_grad()
    for train_mode in (True, False):
        with mx.autograd.record(train_mode=train_mode):
            y = mx.nd.BatchNorm(x, gamma, beta, mean, var, fix_gamma=False)
        y.backward()
        inert = np.allclose(x.grad.asnumpy(), 0, atol=1e-6)
        assert inert is train_mode  # a sum over the batch does not change when its mean is taken off


def test_variance_does_not_cancel_far_from_zero():
    x = np.random.default_rng(0).standard_normal((64, 2, 100)).astype(np.float32) + np.float32(3000)
    parameters = [np.ones(2, np.float32)] * 4
    y = ops.BatchNorm.compute(
        [array(a) for a in (x, *parameters)], ops.BatchNorm.parse_attrs({}), is_train=True
    )

    expected = normalised(x.astype(np.float64), np.ones(2), np.ones(2))
    np.testing.assert_allclose(numpy_of(y[0]), expected, atol=2e-5)


def test_result_does_not_depend_on_the_layout():
    x, *rest = inputs_of((5, 7, 6, 3), 7, dtype=np.float32)
    first = ops.BatchNorm.compute(
        [array(a) for a in (x, *rest)], ops.BatchNorm.parse_attrs({}), is_train=True
    )
    moved = np.moveaxis(x, 1, -1)
    attrs = ops.BatchNorm.parse_attrs({"axis": -1})
    last = ops.BatchNorm.compute([array(a) for a in (moved, *rest)], attrs, is_train=True)

    np.testing.assert_allclose(np.moveaxis(numpy_of(last[0]), -1, 1), numpy_of(first[0]), atol=2e-6)


def test_executor_updates_states_in_forward_passes_of_training_alone():
    symbol = mx.sym.BatchNorm(mx.sym.Variable("data"), name="norm")
    executor = symbol.simple_bind(mx.cpu(), data=(4, 3))
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    executor.arg_dict["data"][:] = x
    executor.aux_dict["norm_moving_var"][:] = 1
    executor.forward(is_train=False)
    assert executor.aux_dict["norm_moving_mean"].asnumpy().tolist() == [0, 0, 0]

    executor.forward(is_train=True)
    executor.backward([mx.nd.ones((4, 3))])
    np.testing.assert_allclose(executor.aux_dict["norm_moving_mean"].asnumpy(), 0.1 * x.mean(0), rtol=1e-6)


def test_half_types_have_float32_parameters():
    symbol = mx.sym.BatchNorm(mx.sym.Variable("data"), name="norm", output_mean_var=True)
    arguments, outputs, states = symbol.infer_type(data="float16")

    assert [np.dtype(t).name for t in arguments] == ["float16", "float32", "float32"]
    assert [np.dtype(t).name for t in outputs] == ["float16", "float32", "float32"]
    assert [np.dtype(t).name for t in states] == ["float32", "float32"]
    assert symbol.list_outputs() == ["norm_output", "norm_mean", "norm_var"]
