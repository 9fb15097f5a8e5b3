"""Operators that learn or draw numbers: what they do in training, against numbers of the real MXNet."""

import numpy as np
import pytest

import mxcy as mx
from mxcy.errors import ShapeError


def test_rrelu_draws_a_slope_for_every_element_in_training():
    mx.random.seed(3)
    x = mx.nd.random.uniform(-1, 1, shape=(50, 40))
    x.attach_grad()
    with mx.autograd.record():
        y, slopes = mx.nd.LeakyReLU(x, act_type="rrelu", lower_bound=0.3, upper_bound=0.5)
    y.backward()

    drawn, values = slopes.asnumpy(), x.asnumpy()
    assert 0.3 <= drawn.min() < 0.32 < 0.48 < drawn.max() <= 0.5
    np.testing.assert_allclose(y.asnumpy(), np.where(values > 0, values, drawn * values))
    np.testing.assert_array_equal(x.grad.asnumpy(), np.where(values > 0, 1, drawn))


def test_rrelu_predicts_with_the_mean_slope():
    y, _ = mx.nd.LeakyReLU(mx.nd.array([-1, -2, 3]), act_type="rrelu", lower_bound=0.3, upper_bound=0.5)

    np.testing.assert_allclose(y.asnumpy(), [-0.4, -0.8, 3], rtol=1e-6)
    assert mx.sym.LeakyReLU(mx.sym.Variable("x"), act_type="rrelu", name="r").list_outputs() == [
        "r_output", "r_mask",
    ]  # fmt: skip


def test_penalty_on_activity_moves_the_gradient_and_the_averages():
    data = mx.sym.Variable("data")
    symbol = mx.sym.IdentityAttachKLSparseReg(
        data, name="k", penalty=0.1, sparseness_target=0.2, momentum=0.5
    )
    executor = symbol.simple_bind(mx.cpu(), data=(2, 3))
    x = np.array([[0.5488135, 0.71518934, 0.60276335], [0.5448832, 0.4236548, 0.6458941]], np.float32)
    executor.arg_dict["data"][:] = x
    expected = [
        ([0.27342418, 0.28471103, 0.31216437], [1.036959, 1.0415963, 1.052238]),
        ([0.41013628, 0.42706656, 0.46824655], [1.0868603, 1.0928012, 1.1077331]),
    ]
    for average, gradient in expected:
        output = executor.forward(is_train=True)[0]
        executor.backward(mx.nd.ones((2, 3)))
        np.testing.assert_array_equal(output.asnumpy(), x)
        np.testing.assert_allclose(executor.aux_dict["k_moving_avg"].asnumpy(), average, rtol=1e-5)
        np.testing.assert_allclose(executor.grad_dict["data"].asnumpy(), [gradient] * 2, rtol=1e-5)


@pytest.mark.parametrize("name", ["SyncBatchNorm", "BatchNormWithReLU"])
def test_forms_of_batch_norm_train_as_it_does(name):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((4, 3, 5)).astype(np.float32)
    numbers = [rng.uniform(0.5, 1, 3).astype(np.float32) for _ in range(4)]

    def trained(function, activation=lambda y: y, **attrs):
        inputs = [mx.nd.array(v) for v in (x, *numbers)]
        for value in inputs[:3]:
            value.attach_grad()
        with mx.autograd.record():
            y = activation(function(*inputs, fix_gamma=False, **attrs))
        y.backward(mx.nd.array(x))
        return [y, *inputs[3:], *[value.grad for value in inputs[:3]]]

    attrs = {"key": "a"} if name == "SyncBatchNorm" else {}
    form = trained(getattr(mx.nd.contrib, name), **attrs)
    plain_form = trained(mx.nd.BatchNorm) if attrs else trained(mx.nd.BatchNorm, mx.nd.relu)
    for made, plain in zip(form, plain_form, strict=True):
        np.testing.assert_allclose(made.asnumpy(), plain.asnumpy(), rtol=1e-5, atol=1e-6)


def test_zipfian_candidates_and_their_expected_counts():
    mx.random.seed(1)
    samples, true, expected = mx.nd.contrib.rand_zipfian(mx.nd.array([3, 0]), 4000, 50)

    assert samples.dtype == np.int64
    drawn = samples.asnumpy()
    assert drawn.min() >= 0
    assert drawn.max() < 50
    np.testing.assert_allclose(true.asnumpy(), 4000 * np.log([5 / 4, 2]) / np.log(51))
    np.testing.assert_allclose(expected.asnumpy(), 4000 * np.log((drawn + 2) / (drawn + 1)) / np.log(51))
    assert abs((drawn == 0).sum() - true.asnumpy()[1]) < 120
    symbols = mx.sym.contrib.rand_zipfian(mx.sym.Variable("t"), 10, 50)
    outputs = mx.sym.Group(symbols).bind(mx.cpu(), {"t": mx.nd.array([3, 0])}).forward()
    assert [tuple(y.shape) for y in outputs] == [(10,), (2,), (10,)]


class Doubled(mx.operator.NumpyOp):
    """Twice the input, in NumPy."""

    def forward(self, in_data, out_data):
        out_data[0][:] = 2 * in_data[0]

    def backward(self, out_grad, in_data, out_data, in_grad):
        in_grad[0][:] = 2 * out_grad[0]


@pytest.mark.parametrize(("operator", "factor"), [(Doubled(), 2), (mx.operator.NDArrayOp(), 1)])
def test_operators_in_one_python_class_run_in_graphs(operator, factor):
    symbol = operator.get_symbol(mx.sym.Variable("x"), name="made")
    x, gradient = mx.nd.array([1, 2, 3]), mx.nd.zeros(3)
    executor = symbol.bind(mx.cpu(), [x], {"x": gradient})
    executor.forward(is_train=True)
    executor.backward(mx.nd.ones(3))

    assert symbol.list_outputs() == ["made_output"]
    np.testing.assert_array_equal(executor.outputs[0].asnumpy(), factor * x.asnumpy())
    np.testing.assert_array_equal(gradient.asnumpy(), [factor] * 3)


def test_errors_of_custom_operators_are_also_ours():
    class Failing(mx.operator.PythonOp):
        def forward(self, in_data, out_data):
            raise KeyError("nosuch")

    executor = Failing()(mx.sym.Variable("x")).bind(mx.cpu(), [mx.nd.ones(2)])
    with pytest.raises(mx.MXNetError, match="nosuch") as caught:
        executor.forward()

    assert isinstance(caught.value, KeyError)


def test_remainders_of_integers_pass_no_gradient():
    a, b = mx.nd.array([5, 7]), mx.nd.array([2, 4])
    for x in (a, b):
        x.attach_grad()
    with mx.autograd.record():
        y = a.astype("int32") % b.astype("int32")
    y.backward()

    np.testing.assert_array_equal([a.grad.asnumpy(), b.grad.asnumpy()], np.zeros((2, 2)))


def test_a_reshape_tells_the_extent_that_was_not_known():
    x = mx.sym.Variable("x")
    sum_of_both = mx.sym.elemwise_add(x.reshape((0, -1)), mx.sym.Variable("y"))

    assert sum_of_both.infer_shape(x=(0, 3, 5), y=(2, 15))[0] == [(2, 3, 5), (2, 15)]


def test_a_target_shape_makes_pad_and_adj_of_deconvolution_irrelevant():
    made = mx.sym.Deconvolution(
        mx.sym.Variable("x"), kernel=(3, 3), stride=(2, 2), pad=(99, 99), adj=(101, 101), num_filter=5,
        target_shape=(8, 8),
    )  # fmt: skip

    assert made.infer_shape(x=(2, 3, 4, 4))[1] == [(2, 5, 8, 8)]


def test_bilinear_upsampling_knows_the_shape_of_its_weight():
    x, weight = mx.sym.Variable("x"), mx.sym.Variable("weight")
    made = mx.sym.UpSampling(x, weight, sample_type="bilinear", scale=2, num_filter=3, num_args=2)

    assert made.infer_shape(x=(1, 3, 4, 5))[0] == [(1, 3, 4, 5), (3, 1, 4, 4)]


BILINEAR = {"sample_type": "bilinear", "scale": 2}


@pytest.mark.parametrize(
    "make, arguments",
    [
        (lambda x: mx.sym.UpSampling(x, num_filter=3, name="u", **BILINEAR), ["x", "u_weight"]),
        (lambda x: mx.sym.UpSampling(data=x, num_args=2, name="u", **BILINEAR), ["x", "u_weight"]),
        (lambda x: mx.sym.UpSampling(num_args=1, name="u", **BILINEAR), ["u_data", "u_weight"]),
        (lambda x: mx.sym.UpSampling(x, sample_type="nearest", scale=2, num_args=2, name="u"),
         ["x", "u_arg1"]),
        (lambda x: mx.sym.Concat(x, num_args=3, name="c"), ["x", "c_arg1", "c_arg2"]),
        (lambda x: mx.sym.add_n(arg1=x, num_args=2, name="a"), ["a_arg0", "x"]),
    ],
)  # fmt: skip
def test_inputs_that_are_missing_become_variables(make, arguments):
    assert make(mx.sym.Variable("x")).list_arguments() == arguments


def test_the_weight_of_bilinear_upsampling_begins_as_it_interpolates():
    net = mx.sym.UpSampling(mx.sym.Variable("x"), scale=2, sample_type="bilinear", num_filter=1, name="up")
    module = mx.mod.Module(net, data_names=["x"], label_names=None)
    module.bind([("x", (1, 1, 3, 3))], for_training=False)
    module.init_params(mx.init.Xavier())
    module.forward(mx.io.DataBatch([mx.nd.ones((1, 1, 3, 3))]))

    assert net.attr_dict()["up_weight"]["__init__"] == '["bilinear", {}]'
    assert module.get_outputs()[0].asnumpy()[0, 0, 2].tolist() == [0.75, 1, 1, 1, 1, 0.75]


@pytest.mark.parametrize("name, value", [("softmax", 1.0), ("log_softmax", 0.0), ("softmin", 1.0)])
def test_a_number_is_a_line_of_one_for_softmax(name, value):
    with mx.np_shape():
        x = mx.nd.array([2.5]).reshape(())
        x.attach_grad()
        with mx.autograd.record():
            y = getattr(mx.nd, name)(x)
        y.backward()

        assert (y.shape, y.asscalar()) == ((), value)
        assert (x.grad.shape, x.grad.asscalar()) == ((), 0.0)


def test_a_number_has_no_axis_for_dot():
    with mx.np_shape():
        x = mx.nd.array([2.5]).reshape(())

        with pytest.raises(ShapeError, match=r"dot\(lhs\): expected at least one dimension, got \(\)"):
            mx.nd.dot(x, x)


def test_gradients_of_attention_over_no_samples_keep_their_shapes():
    inputs = [mx.nd.empty((4, 0, 12)), mx.nd.empty((0, 4, 4))]
    for x in inputs:
        x.attach_grad()
    with mx.autograd.record():
        y = mx.nd.contrib.interleaved_matmul_selfatt_valatt(*inputs, heads=2)
    y.backward()

    assert [x.grad.shape for x in inputs] == [(4, 0, 12), (0, 4, 4)]


def test_rint_keeps_the_sign_of_what_it_rounds():
    values = [0.0, 0.3, -0.3, -0.0, 0.5, -0.5, 2.5, 8388609.0]
    rounded = mx.nd.rint(mx.nd.array(values)).asnumpy()

    assert rounded.tolist() == [0, 0, 0, 0, 0, -1, 2, 8388609]
    assert np.signbit(rounded).tolist() == [False, False, True, True, False, True, False, False]


def test_unique_zipfian_classes_and_how_many_were_drawn():
    mx.random.seed(3)
    classes, tries = mx.nd._internal._sample_unique_zipfian(793472, shape=(4, 8192))

    assert (classes.shape, classes.dtype, tries.shape, tries.dtype) == ((4, 8192), np.int64, (4,), np.int64)
    for row, count in zip(classes.asnumpy(), tries.asnumpy(), strict=True):
        assert np.unique(row).size == 8192
        assert row.min() == 0 and row.max() < 793472
        assert 14500 < count < 17000  # the same as by drawing one after the other


def test_unique_zipfian_classes_are_new_in_every_forward_pass():
    executor = mx.sym._internal._sample_unique_zipfian(range_max=10**6, shape=(2, 5)).bind(mx.cpu(), {})
    drawn = [[x.asnumpy().tolist() for x in executor.forward()] for _ in range(3)]

    assert drawn[0] != drawn[1] != drawn[2]


@pytest.mark.parametrize("stype", ["row_sparse", "csr"])
def test_batch_norm_of_sparse_arrays_has_a_gamma(stype):
    inputs = [mx.nd.ones((2, 3)).tostype(stype), mx.nd.ones(3), mx.nd.zeros(3), mx.nd.zeros(3), mx.nd.ones(3)]

    assert mx.nd.BatchNorm(*inputs, fix_gamma=False).shape == (2, 3)
    with pytest.raises(mx.MXNetError, match=r"BatchNorm\(fix_gamma\): expected False with sparse arrays"):
        mx.nd.BatchNorm(*inputs)
