"""Operators whose gradient is not the derivative: each against its rule."""

import numpy as np
import pytest
from ops_rows import Node, array, backward, computed, convert, draw, name_of, nodes, numpy_of, rows, use

import mxcy as mx
from mxcy import nd, ops
from mxcy.ops.losses import output_gradient_reference


def gradient(op, inputs, attrs, head=None, is_train=False):
    """The gradient of the first input as NumPy array, None where there is none."""
    operands = [array(x) for x in inputs]
    outputs = op.compute(operands, attrs, is_train=is_train)
    heads = [None if head is None else array(head)] + [None] * (len(outputs) - 1)
    return numpy_of(op.gradient(heads, operands, outputs, attrs)[0])


@pytest.mark.parametrize("op, row", rows(lambda op, row: op.name == "SoftmaxOutput"), ids=name_of)
def test_softmax_output_gives_the_gradient_of_cross_entropy(op, row):
    inputs, attrs = draw(op, row, np.float64), use(op, row)
    expected = output_gradient_reference(*inputs, **row.attributes)

    np.testing.assert_allclose(gradient(op, inputs, attrs), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        gradient(op, inputs, attrs, np.full(inputs[0].shape, 9.0)), expected, rtol=1e-10
    )


def test_softmax_output_multiplies_what_flows_back_on_request():
    x, label = np.array([[0.1, 0.9], [2.0, -1.0]]), np.array([0.0, 1.0])
    plain = gradient(ops.SoftmaxOutput, [x, label], ops.SoftmaxOutput.parse_attrs({}))
    head = np.array([[1.0, 2.0], [3.0, 4.0]])
    attrs = ops.SoftmaxOutput.parse_attrs({"out_grad": True})

    np.testing.assert_allclose(gradient(ops.SoftmaxOutput, [x, label], attrs, head), plain * head)
    assert ops.SoftmaxOutput.needs_head_gradient(attrs)
    assert not ops.SoftmaxOutput.needs_head_gradient(ops.SoftmaxOutput.parse_attrs({}))


@pytest.mark.parametrize(
    "op, slope",
    [
        (ops.LinearRegressionOutput, lambda x, label: x - label),
        (ops.LogisticRegressionOutput, lambda x, label: 1 / (1 + np.exp(-x)) - label),
        (ops.MAERegressionOutput, lambda x, label: np.sign(x - label)),
    ],
    ids=["linear", "logistic", "absolute"],
)
def test_regression_outputs_give_the_gradient_per_output(op, slope):
    rng = np.random.default_rng(0)
    x, label = rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    attrs = op.parse_attrs({"grad_scale": 2.0})

    np.testing.assert_allclose(gradient(op, [x, label], attrs), slope(x, label) * 2 / 4, rtol=1e-12)


def test_regression_accepts_labels_of_a_column():
    x, label = np.array([[1.0], [2.0]]), np.array([0.0, 4.0])
    attrs = ops.LinearRegressionOutput.parse_attrs({})

    np.testing.assert_array_equal(gradient(ops.LinearRegressionOutput, [x, label], attrs), [[1.0], [-2.0]])


@pytest.mark.parametrize(
    "attributes, value",
    [({"grad_scale": 3.0}, 3.0), ({"normalization": "batch"}, 0.5)],
    ids=["scale", "batch"],
)
def test_make_loss_gives_its_scale(attributes, value):
    attrs = ops.MakeLoss.parse_attrs(attributes)

    np.testing.assert_allclose(gradient(ops.MakeLoss, [np.ones((2, 3))], attrs), np.full((2, 3), value))


def test_make_loss_counts_elements_above_a_threshold():
    attrs = ops.MakeLoss.parse_attrs({"normalization": "valid", "valid_thresh": 0.5})
    x = np.array([[0.1, 0.7], [0.9, 0.2]])

    np.testing.assert_allclose(gradient(ops.MakeLoss, [x], attrs), np.full((2, 2), 0.5))


def test_small_make_loss_has_gradient_one():
    np.testing.assert_array_equal(gradient(ops.make_loss, [np.ones((2, 3))], {}), np.ones((2, 3)))


def test_block_grad_stops_gradients():
    assert gradient(ops.BlockGrad, [np.ones(3)], {}, np.ones(3)) is None


def test_cast_back_gives_the_gradient_in_the_dtype_of_the_data():
    (x,) = nodes([np.ones((2, 3), np.float32)])
    y = ops.cast(x, dtype="float64")
    (g,) = backward([y], [Node(array(np.full((2, 3), 2.0)))], [x])

    assert g.value.dtype == np.float32
    np.testing.assert_array_equal(numpy_of(g.value), np.full((2, 3), 2.0, np.float32))


def test_gradient_of_softmax_cross_entropy_is_that_of_softmax_output():
    x, label = np.array([[0.1, 0.9, 0.3], [2.0, -1.0, 0.0]]), np.array([2.0, 0.0])
    slope = gradient(ops.softmax_cross_entropy, [x, label], {}, np.array([2.0]))

    np.testing.assert_allclose(slope, 2 * output_gradient_reference(x, label), rtol=1e-10)


# --- dropout --------------------------------------------------------------------------------------
def dropped(shape, is_train=True, **attributes):
    mx.random.seed(3)
    attrs = ops.Dropout.parse_attrs(attributes)
    return computed(ops.Dropout, [np.ones(shape, np.float32)], attrs, is_train=is_train)


def test_dropout_keeps_the_mean_and_gives_the_mask():
    output, mask = dropped((200, 100), p=0.25)

    assert set(np.unique(output)) == {np.float32(0), np.float32(1 / 0.75)}
    np.testing.assert_array_equal(output, mask)
    assert abs((output == 0).mean() - 0.25) < 0.01


def test_dropout_is_the_identity_outside_training():
    assert dropped((4, 5), is_train=False)[0].all()
    assert not dropped((40, 50), is_train=False, mode="always")[0].all()


def test_dropout_along_axes_draws_once():
    output, mask = dropped((50, 6), axes=(1,))

    assert mask.shape == (50, 1)
    np.testing.assert_array_equal(output, np.broadcast_to(mask, output.shape))


def test_dropout_gives_gradients_where_it_let_values_through():
    mx.random.seed(5)
    operands = [array(np.ones((30, 4)))]
    attrs = ops.Dropout.parse_attrs({})
    outputs = ops.Dropout.compute(operands, attrs, is_train=True)
    head = array(np.full((30, 4), 3.0))
    g = numpy_of(ops.Dropout.gradient([head, None], operands, outputs, attrs)[0])

    np.testing.assert_array_equal(g, 3 * numpy_of(outputs[1]))


# --- what the rows do not reach -------------------------------------------------------------------
def test_operators_work_on_the_array_class():
    x = nd.array([[1.0, -2.0]])

    assert nd.relu(x).asnumpy().tolist() == [[1.0, 0.0]]
    assert convert(np.array([-1.7]), np.dtype(np.int32)).tolist() == [-1]
