"""Samplers: distributions against SciPy, shapes and dtypes as MXNet has them, one stream for a seed."""

import numpy as np
import pytest
import scipy.stats as stats

import mxcy as mx
from mxcy import nd
from mxcy.errors import ArgumentError

SIZE = 40_000
FAMILIES = [
    ("gamma", {"alpha": 0.4, "beta": 2.0}, stats.gamma(0.4, scale=2.0)),
    ("gamma", {"alpha": 5.0, "beta": 0.5}, stats.gamma(5.0, scale=0.5)),
    ("poisson", {"lam": 2.5}, stats.poisson(2.5)),
    ("poisson", {"lam": 60.0}, stats.poisson(60.0)),
    ("negative_binomial", {"k": 3, "p": 0.4}, stats.nbinom(3, 0.4)),
    ("generalized_negative_binomial", {"mu": 4.0, "alpha": 0.5}, stats.nbinom(2.0, 1 / 3)),
]


def agrees(values, distribution):
    """Compare with the distribution at its quantiles: five standard errors of a binomial count."""
    points = np.unique(distribution.ppf(np.linspace(0.05, 0.95, 10)))
    expected = distribution.cdf(points)
    found = np.array([(values <= point).mean() for point in points])
    assert (np.abs(found - expected) < 5 * np.sqrt(expected * (1 - expected) / values.size)).all()


@pytest.mark.parametrize("name, parameters, distribution", FAMILIES)
def test_numbers_have_the_distribution(name, parameters, distribution):
    mx.random.seed(11)
    agrees(getattr(nd.random, name)(shape=SIZE, **parameters).asnumpy(), distribution)
    arrays = {key: nd.array([value, value]) for key, value in parameters.items()}
    drawn = getattr(nd.random, name)(shape=SIZE // 2, **arrays)
    assert drawn.shape == (2, SIZE // 2)
    agrees(drawn.asnumpy().ravel(), distribution)


def test_single_numbers_arrays_and_likes():
    assert nd.random.gamma().shape == (1,)
    assert nd.random.poisson(3, shape=(2, 3), dtype="float64").dtype == np.float64
    assert nd.random.poisson_like(nd.ones((2, 3)), lam=4).shape == (2, 3)
    assert nd.random_exponential(lam=4.0, shape=(SIZE,)).asnumpy().mean() == pytest.approx(0.25, rel=0.05)
    out = nd.zeros((3, 4))
    assert nd.random.negative_binomial(5, 0.5, out=out) is out
    assert nd.sample_gamma(nd.array([1, 2]), nd.array([1, 2]), shape=3).shape == (2, 3)
    assert nd.sample_normal(nd.array([[1, 2]]), nd.array([[1, 2]])).shape == (1, 2)
    with pytest.raises(ArgumentError, match="lam"):
        nd.random.poisson(-1).wait_to_read()


def test_seed_gives_one_stream_whatever_the_split():
    parameters = nd.array(np.linspace(0.3, 30, 5000))
    drawn = []
    for _ in range(2):
        mx.random.seed(3)
        drawn.append([nd.random.poisson(parameters).asnumpy(), nd.random.gamma(2, 3, shape=20_000).asnumpy()])
    np.testing.assert_array_equal(drawn[0][0], drawn[1][0])
    np.testing.assert_array_equal(drawn[0][1], drawn[1][1])
    assert not np.array_equal(drawn[0][0], nd.random.poisson(parameters).asnumpy())


def test_multinomial_shapes_frequencies_and_likelihood_gradient():
    data = nd.array([[0.1, 0.2, 0.7], [1.0, 0.0, 0.0]])
    assert nd.random.multinomial(data).shape == (2,)
    assert nd.random.multinomial(data[0]).shape == (1,)
    assert nd.random.multinomial(data, shape=(2, 3)).shape == (2, 2, 3)
    classes = nd.random.multinomial(data, shape=SIZE).asnumpy()
    assert classes.dtype == np.int32
    np.testing.assert_allclose(np.bincount(classes[0]) / SIZE, [0.1, 0.2, 0.7], atol=0.02)
    assert not classes[1].any()
    data.attach_grad()
    with mx.autograd.record():
        classes, logs = nd.random.multinomial(data, shape=5, get_prob=True)
        logs.sum().backward()
    chosen, found = classes.asnumpy(), data.grad.asnumpy()
    np.testing.assert_allclose(logs.asnumpy()[1], 0)
    expected = [np.bincount(row, minlength=3) for row in chosen] / np.where(
        data.asnumpy() > 0, data.asnumpy(), 1
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_symbols_draw_in_every_forward_pass():
    lam = mx.sym.Variable("lam")
    made = mx.sym.Group([mx.sym.random.poisson(lam, shape=4), mx.sym.random.gamma(2, 3, shape=(5,))])
    bound = made.bind(mx.cpu(), {"lam": nd.array([1.0, 100.0])})
    first = [x.asnumpy() for x in bound.forward()]
    second = [x.asnumpy() for x in bound.forward()]
    assert [x.shape for x in first] == [(2, 4), (5,)]
    assert not np.array_equal(first[1], second[1])
    assert mx.sym.random.multinomial(mx.sym.Variable("p")).list_outputs() == [
        "_sample_multinomial0_output0",
        "_sample_multinomial0_output1",
    ]


def test_densities_are_those_of_mxnet():
    """Values that MXNet 1.9.1 printed."""
    x = nd.array([[1, 2, 3]])
    rows = {
        "poisson": ([1.0], [0.36787945, 0.18393973, 0.06131324]),
        "negative_binomial": ([2.0, 0.3], [0.126, 0.1323, 0.12348001]),
        "generalized_negative_binomial": ([2.0, 0.3], [0.26092154, 0.21199873, 0.14133248]),
        "gamma": ([2.0, 0.3], [0.06667364, 0.09878608, 0.1097738]),
        "uniform": ([1.5, 3.0], [0.6666667, 0.6666667, 0.6666667]),
    }
    for name, (parameters, expected) in rows.items():
        found = getattr(nd, f"random_pdf_{name}")(x, *[nd.array([p]) for p in parameters])
        np.testing.assert_allclose(found.asnumpy(), [expected], rtol=1e-5)
    two = nd.array([[[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]]])
    found = nd.random_pdf_dirichlet(two, nd.array([[1, 2, 3]]))
    np.testing.assert_allclose(found.asnumpy(), [[4.5, 3.84]], rtol=1e-5)


def test_histograms_positions_and_elements():
    counts, edges = nd.histogram(nd.array([1, 2, 3, 4]), bins=3, range=(0, 5))
    assert counts.asnumpy().tolist() == [1, 2, 1] and counts.dtype == np.int64
    np.testing.assert_allclose(edges.asnumpy(), [0, 5 / 3, 10 / 3, 5], rtol=1e-6)
    assert nd.histogram(nd.array([1, 2, 3, 4]), nd.array([0, 2, 5]))[0].asnumpy().tolist() == [1, 3]
    assert nd.histogram(nd.array([1, 2, 3, 4]), bins=3)[0].asnumpy().tolist() == [1, 1, 2]
    assert nd.ravel_multi_index(nd.array([[0, 1], [1, 2]]), shape=(2, 3)).asnumpy().tolist() == [1, 5]
    assert nd.unravel_index(nd.array([1, 5, 13]), shape=(-1, 6)).asnumpy().tolist() == [[0, 0, 2], [1, 5, 1]]
    filled = nd.fill_element_0index(nd.array([[1, 2], [3, 4]]), nd.array([9, 8]), nd.array([0, 1]))
    assert filled.asnumpy().tolist() == [[9, 2], [3, 8]]


def test_distributions_that_tend_to_zero_are_zero():
    assert (
        nd.random.gamma(nd.array([0.0, 2.5]), nd.array([1.0, 0.7]), shape=4)[0].asnumpy().tolist() == [0] * 4
    )
    assert nd.random.negative_binomial(0, 0.5, shape=3).asnumpy().tolist() == [0] * 3


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("uniform", ([0, 10], [1, 12])), ("normal", ([0, 5], [1, 2])), ("exponential", ([1, 0.25],)),
        ("gamma", ([0, 2.5], [1, 0.7])), ("poisson", ([25, 8.5],)),
        ("negative_binomial", ([3, 4], [0.4, 0.8])),
    ],
)  # fmt: skip
def test_symbols_as_parameters_are_those_of_arrays(name, parameters):
    variables = [mx.sym.Variable(f"v{i}") for i in range(len(parameters))]
    arrays = [nd.array(values) for values in parameters]
    drawn = getattr(mx.sym.random, name)(*variables, shape=(200, 200), dtype="float64")
    found = drawn.eval(**dict(zip(drawn.list_arguments(), arrays, strict=True)))[0]
    expected = getattr(nd.random, name)(*arrays, shape=(200, 200))

    assert (found.shape, found.dtype) == ((2, 200, 200), np.float64)
    np.testing.assert_allclose(
        found.asnumpy().mean(axis=(1, 2)), expected.asnumpy().mean(axis=(1, 2)), atol=0.1
    )
    with pytest.raises(TypeError, match="expected numbers or symbols, got both"):
        mx.sym.random.uniform(variables[0], 1)
