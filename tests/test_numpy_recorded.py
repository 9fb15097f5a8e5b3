"""What MXNet's `mx.np` does while it records, beyond derivatives: draws, padding, booleans, names."""

import numpy as onp
import pytest

import mxcy as mx
from mxcy import np, npx
from mxcy.gluon import HybridBlock, loss


@pytest.mark.parametrize("extents", [(2, 3), (3, 2)])
def test_cross_products_of_two_and_three_numbers(extents):
    rng = onp.random.default_rng(3)
    x, y = [np.array(rng.uniform(-1, 1, (4, n))) for n in extents]
    whole = [np.array(onp.pad(v.asnumpy(), ((0, 0), (0, 3 - v.shape[1])))) for v in (x, y)]
    for array in (x, y, *whole):
        array.attach_grad()
    with mx.autograd.record():
        found, expected = np.cross(x, y), np.cross(*whole)
    mx.autograd.backward([found, expected])
    onp.testing.assert_allclose(found, expected)
    for array, other in zip((x, y), whole, strict=True):
        onp.testing.assert_allclose(array.grad, other.grad[:, : array.shape[1]])


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "edge", "minimum"])
def test_gradients_of_padded_arrays_are_those_of_the_middle(mode):
    x = np.arange(6.0).reshape(2, 3)
    x.attach_grad()
    with mx.autograd.record():
        y = np.pad(x, ((1, 1), (2, 0)), mode=mode)
    y.backward()
    assert x.grad.tolist() == onp.ones((2, 3)).tolist()


def test_filling_nan_while_recording_leaves_the_operand():
    x = np.array([1.0, onp.nan, onp.inf])
    x.attach_grad()
    with mx.autograd.record():
        y = np.nan_to_num(x, copy=False, nan=5.0)
    y.backward()
    assert y[:2].tolist() == [1, 5] and x.grad.tolist() == [1, 0, 0] and onp.isnan(x[1])


def test_results_of_booleans_are_recorded():
    x = np.array([True, False])
    x.attach_grad()
    with mx.autograd.record():
        y = np.expand_dims(x, 0)
    y.backward()
    assert x.grad.tolist() == [True, True]


# Gradients of random numbers y with respect to a parameter, where the parameters are those given.
DRAWS = {
    "normal": ({"loc": 0.5, "scale": 2.0}, {"loc": lambda y: 1, "scale": lambda y: (y - 0.5) / 2}),
    "logistic": ({"loc": 0.5, "scale": 2.0}, {"loc": lambda y: 1, "scale": lambda y: (y - 0.5) / 2}),
    "gumbel": ({"loc": 0.5, "scale": 2.0}, {"scale": lambda y: (y - 0.5) / 2}),
    "laplace": ({"loc": 0.5, "scale": 2.0}, {"loc": lambda y: 1}),
    "lognormal": (
        {"mean": 0.5, "sigma": 2.0},
        {"mean": lambda y: y, "sigma": lambda y: y * (onp.log(y) - 0.5) / 2},
    ),
    "uniform": (
        {"low": 1.0, "high": 3.0},
        {"low": lambda y: (3 - y) / 2, "high": lambda y: (y - 1) / 2},
    ),
    "rayleigh": ({"scale": 2.0}, {"scale": lambda y: y / 2}),
    "exponential": ({"scale": 2.0}, {"scale": lambda y: y / 2}),
    "weibull": ({"a": 2.0}, {"a": lambda y: -y * onp.log(y) / 2}),
    "power": ({"a": 2.0}, {"a": lambda y: -y * onp.log(y) / 2}),
    "pareto": ({"a": 2.0}, {"a": lambda y: -(y + 1) * onp.log(y + 1) / 2}),
}


@pytest.mark.parametrize("name", sorted(DRAWS))
def test_random_numbers_have_gradients_by_their_parameters(name):
    values, expected = DRAWS[name]
    given = {key: np.full((2, 1), x) for key, x in values.items()}
    for x in given.values():
        x.attach_grad()
    with mx.autograd.record():
        y = getattr(np.random, name)(**given, size=(2, 3), dtype="float64", ctx=mx.cpu())
    y.backward()
    for key, of in expected.items():
        wanted = onp.broadcast_to(of(y.asnumpy()), (2, 3)).sum(axis=1, keepdims=True)
        onp.testing.assert_allclose(given[key].grad, wanted, rtol=1e-6)
    with mx.autograd.record():
        drawn = np.random.gamma(given[next(iter(given))])
    with pytest.raises(mx.MXNetError, match="gamma: the function has no gradient"):
        drawn.backward()


def test_names_and_keywords_of_mxnet():
    x = np.arange(6.0).reshape(2, 3)
    for name in ("hanning", "hamming", "blackman"):
        found = getattr(np, name)(M=5, dtype="float32", ctx=mx.cpu())
        assert found.dtype == "float32" and found.tolist() == getattr(onp, name)(5).astype("float32").tolist()
    assert np.quantile(x, 0.5, axis=1, interpolation="lower").tolist() == [1, 4]
    assert np.percentile(x, 50, interpolation="higher").item() == 3
    assert np.linalg.norm(x, ord="inf", axis=1).tolist() == [2, 5]
    assert np.linalg.matrix_rank(np.array(3.0)).shape == ()
    assert np.linalg.lstsq(x, np.ones(2), rcond="warn")[0].shape == (3,)
    assert np.empty((2, 0), "float32", "C", mx.cpu()).shape == (2, 0)


def test_batches_of_multivariate_normal_numbers():
    mean, cov = np.array([[0.0, 1], [50, 90], [7, 7]]), np.array([[2.0, 1], [1, 3]])
    assert np.random.multivariate_normal(mean, cov, (4, 5)).shape == (4, 5, 3, 2)
    assert np.random.multivariate_normal(mean[0], np.stack([cov] * 3)).shape == (3, 2)
    drawn = np.random.multivariate_normal(mean, cov, 4000, dtype="float64").asnumpy()
    onp.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.2)
    onp.testing.assert_allclose(onp.cov(drawn[:, 1].T), cov, atol=0.4)


def test_bernoulli_refuses_what_is_no_probability():
    for prob in (1.5, -0.5):
        with pytest.raises(ValueError, match="probabilities from 0 to 1"):
            npx.random.bernoulli(prob=np.array([0.5, prob]))


class Product(HybridBlock):
    """The product with a weight whose rows follow from the data."""

    def __init__(self):
        super().__init__()
        self.w = self.params.get("w", shape=(0, 3), allow_deferred_init=True)

    def hybrid_forward(self, F, x, w):
        return x.dot(w)


@pytest.mark.parametrize("hybridize", [False, True])
def test_rows_of_a_weight_follow_from_a_product(hybridize):
    with npx.np_shape(True), npx.np_array(True):
        net = Product()
        net.initialize()
        if hybridize:
            net.hybridize()
        assert net(np.ones((2, 5))).shape == (2, 3) and net.w.shape == (5, 3)


def test_losses_take_predictions_that_are_integers():
    found = loss.SoftmaxCrossEntropyLoss()(np.array([[0, 2], [1, 4]]), np.array([0, 1]))
    onp.testing.assert_allclose(found, [2.12692809, 0.04858733], rtol=1e-5)


def test_blocks_refuse_mixtures_where_arrays_are_numpys():
    class Mixed(HybridBlock):
        def hybrid_forward(self, F, x):
            return x.as_nd_ndarray() + 1, x * 2

    x = np.ones(3)
    assert len(Mixed()(x)) == 2
    with npx.np_array(True), pytest.raises(TypeError, match="arrays of mx.np alone"):
        Mixed()(x)


def test_optimizers_say_which_arrays_they_take():
    optimizer = mx.optimizer.SGD()
    assert optimizer.allow_np_array is False
    del optimizer.allow_np_array
    updater = mx.optimizer.Updater(optimizer)
    updater(0, np.ones((0, 0)), np.zeros((0, 0)))
    assert mx.optimizer.get_updater(mx.optimizer.SGD()).set_states(updater.get_states()) is None
