"""Initializers: which names get which values, their distributions, and their descriptions."""

import json
import logging
import math

import numpy as np
import pytest

import mxcy as mx
from mxcy import init, nd


def filled(initializer, name="a_weight", shape=(2, 3), **attributes):
    array = nd.full(shape, 77.0)
    initializer(init.InitDesc(name, attributes), array)
    return array.asnumpy()


@pytest.mark.parametrize(
    ("name", "value"),
    [("a_weight", 3), ("a_bias", 0), ("a_gamma", 1), ("a_beta", 0), ("a_min", 0), ("a_max", 1),
     ("a_bias_quantize", 0)],
)  # fmt: skip
def test_the_end_of_the_name_decides(name, value):
    assert (filled(init.Constant(3), name) == value).all()


def test_quantized_weights_are_integers():
    values = filled(init.Zero(), "a_weight_quantize", (100,))

    assert (values == values.astype(int)).all()
    assert values.min() >= -127
    assert values.max() < 127
    assert len(set(values)) > 20


@pytest.mark.parametrize("name", ["foo", "bn_moving_mean"])
def test_a_name_that_says_nothing_is_an_error(name):
    with pytest.raises(ValueError, match=f"unknown initialization pattern for '{name}'"):
        filled(init.Uniform(), name)


def test_the_variable_comes_first():
    assert (filled(init.Uniform(), "foo", __init__='["one", {}]') == 1).all()
    assert (filled(init.Uniform(), "a_bias", __init__='["constant", {"value": 5}]') == 5).all()
    assert (filled(init.Uniform(), "a_bias", __init__="ones") == 1).all()

    variable = mx.sym.Variable("w", init=init.Constant(2.5))

    assert (filled(init.Uniform(), "w", **variable.attr_dict()["w"]) == 2.5).all()


@pytest.mark.parametrize(
    ("initializer", "deviation", "bound"),
    [
        (init.Uniform(), 0.07 / math.sqrt(3), 0.07),
        (init.Normal(2), 2.0, None),
        (init.Xavier(), math.sqrt(3 / 2250) / math.sqrt(3), math.sqrt(3 / 2250)),
        (init.Xavier("gaussian", "in", 2), math.sqrt(2 / 1800), None),
        (init.Xavier("uniform", "out", 2.34), math.sqrt(2.34 / 2700) / math.sqrt(3), math.sqrt(2.34 / 2700)),
        (init.MSRAPrelu(), math.sqrt(2 / (1 + 0.25**2) / 2250), None),
        (init.MSRAPrelu("in", 0), math.sqrt(2 / 1800), None),
    ],
    ids=lambda value: value.dumps() if isinstance(value, init.Initializer) else "",
)
def test_distributions(initializer, deviation, bound):
    mx.random.seed(5)
    values = filled(initializer, shape=(300, 200, 3, 3))

    assert values.std() == pytest.approx(deviation, rel=0.01)
    assert abs(values.mean()) < 0.01 * deviation
    if bound is not None:
        assert bound * 0.999 < abs(values).max() <= bound * 1.000001


def test_a_seed_gives_the_same_weights():
    mx.random.seed(9)
    first = filled(init.Xavier())
    mx.random.seed(9)

    assert (filled(init.Xavier()) == first).all()
    assert (filled(init.Xavier()) != first).any()


def test_constant_takes_an_array():
    assert filled(init.Constant(nd.array([1, 2, 3]))).tolist() == [[1, 2, 3]] * 2
    assert filled(init.Constant([1, 2, 3])).tolist() == [[1, 2, 3]] * 2


def test_bilinear_filter():
    expected = [0.0625, 0.1875, 0.1875, 0.0625, 0.1875, 0.5625, 0.5625, 0.1875]

    assert filled(init.Bilinear(), shape=(1, 1, 4, 4)).ravel()[:8].tolist() == expected
    assert filled(init.Bilinear(), shape=(1, 1, 3, 3))[0, 0, 1].tolist() == [0.1875, 0.5625, 0.5625]


@pytest.mark.parametrize(
    ("initializer", "text"),
    [
        (init.Zero(), '["zero", {}]'),
        (init.Normal(), '["normal", {"sigma": 0.01}]'),
        (init.Xavier(), '["xavier", {"rnd_type": "uniform", "factor_type": "avg", "magnitude": 3}]'),
        (init.MSRAPrelu(), '["msraprelu", {"factor_type": "avg", "slope": 0.25}]'),
        (init.Constant(3), '["constant", {"value": 3}]'),
        (init.Constant(nd.array([1, 2])), '["constant", {"value": [1.0, 2.0]}]'),
    ],
)
def test_description_makes_an_equal_one(initializer, text):
    assert initializer.dumps() == text
    assert init.create(text) == initializer
    assert init.create(text).dumps() == text


def test_create_by_name():
    assert init.create("zeros") == init.Zero()
    assert init.create("Xavier", magnitude=2) == init.Xavier(magnitude=2)
    assert init.create("uniform", 0.5) == init.Uniform(0.5) != init.Uniform()
    one = init.One()
    assert init.create(one) is one


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("unifrom",), "did you mean uniform"),
        ((3,), "must be of string type, got int"),
        ((init.One(), 3), "already an instance"),
        (("[1]",), "not a description in JSON"),
        (("[",), "not a description in JSON"),
    ],
)
def test_create_names_what_it_cannot_make(arguments, match):
    for kind in (AssertionError, ValueError, mx.MXNetError):
        with pytest.raises(kind, match=match):
            init.create(*arguments)


def test_own_initializers_are_registered():
    class Five(init.Initializer):
        def _init_weight(self, name, arr):
            arr[:] = 5

    init.register(Five)
    init.alias("cinq", "cinco")(Five)

    assert (filled(init.create("five")) == 5).all()
    assert isinstance(init.create("Cinco"), Five)
    with pytest.warns(UserWarning, match="overriding existing initializer"):
        init.register(Five)
    with pytest.raises(AssertionError, match="subclasses of Initializer"):
        init.register(int)
    with pytest.raises(NotImplementedError):
        filled(init.Initializer())


def test_bad_arguments_are_errors():
    with pytest.raises(ValueError, match="a_weight.*at least 2 dimensions"):
        filled(init.Xavier(), shape=(3,))
    with pytest.raises(ValueError, match="rnd_type.*got 'x'"):
        filled(init.Xavier(rnd_type="x"))
    with pytest.raises(ValueError, match="factor_type.*got 'x'"):
        filled(init.Xavier(factor_type="x"))
    with pytest.raises(TypeError, match="an NDArray, got ndarray"):
        init.One()(init.InitDesc("a_weight"), np.zeros(3))
    with pytest.raises(TypeError, match="an InitDesc, got int"):
        init.One()(3, nd.zeros(3))


@pytest.mark.parametrize(
    ("name", "value"), [("a_weight", 3), ("a_moving_mean", 0), ("a_moving_var", 1), ("stn_loc_weight", 0)]
)
def test_plain_names_work_as_in_old_programs(name, value):
    array = nd.full((2, 2), 77)
    with pytest.warns(DeprecationWarning, match="InitDesc"):
        init.Constant(3)(name, array)

    assert (array.asnumpy() == value).all()


def test_verbosity_logs_each_array(caplog):
    caplog.set_level(logging.INFO)
    one = init.One().set_verbosity(True)
    one(init.InitDesc("a_weight"), nd.zeros((2, 2)))
    one.set_verbosity(True, lambda x: "shown")(init.InitDesc("a_bias"), nd.zeros(2))

    assert caplog.messages == ["Initialized a_weight as weight: 1.0", "Initialized a_bias as bias: shown"]


def test_descriptor_is_a_name_with_attributes():
    one = init.One()
    desc = init.InitDesc("a", {"x": "1"}, one)

    assert (desc, desc.attrs, desc.global_init) == ("a", {"x": "1"}, one)
    assert init.InitDesc("b").attrs == {}
    assert json.dumps(desc) == '"a"'


# -- the rest of MXNet's --------------------------------------------------------------------------------


@pytest.mark.parametrize("rand_type", ["uniform", "normal"])
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 2, 2)])
def test_orthogonal_rows_or_columns(rand_type, shape):
    array = nd.zeros(shape)
    init.Orthogonal(2.0, rand_type)(init.InitDesc("a_weight"), array)
    matrix = array.asnumpy().reshape(shape[0], -1)
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix

    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


def test_forget_gates_of_an_lstm():
    array = nd.ones(8)
    init.create("lstmbias", forget_bias=0.5)._init_weight("lstm_i2h_bias", array)

    assert array.asnumpy().tolist() == [0, 0, 0.5, 0.5, 0, 0, 0, 0]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_fused_parameters_are_initialized_part_by_part(bidirectional):
    ways, inputs, hidden = 1 + bidirectional, 3, 2
    size = ways * 4 * hidden * (inputs + hidden + 2) + ways * 4 * hidden * (ways * hidden + hidden + 2)
    array = nd.zeros(size)
    fused = init.FusedRNN(init.One(), hidden, 2, "lstm", bidirectional, forget_bias=3.0)
    assert init.create(fused.dumps()) == fused
    desc = init.InitDesc("lstm_parameters", {"__init__": fused.dumps()})
    init.Uniform()(desc, array)
    values = array.asnumpy()

    biases = 2 * ways * 2 * 4 * hidden
    assert (values[:-biases] == 1).all()
    assert (values[-biases:].reshape(-1, 4, hidden) == [[[0], [3], [0], [0]]]).all()
    with pytest.raises(ValueError, match="number of parameters"):
        fused._init_weight(desc, nd.zeros(size + 1))


def test_load_and_mixed_choose_by_name(tmp_path):
    nd.save(str(tmp_path / "x.params"), {"arg:a_weight": nd.ones(2), "b": nd.ones(3)})
    load = init.Load(str(tmp_path / "x.params"), init.Zero())
    a, c = nd.zeros(2), nd.ones(2)
    load("a_weight", a)
    load(init.InitDesc("c_weight"), c)

    assert a.asnumpy().tolist() == [1, 1]
    assert c.asnumpy().tolist() == [0, 0]
    with pytest.raises(AssertionError, match="expected shape"):
        load("b", a)
    with pytest.raises(AssertionError, match="not among"):
        init.Load({})("b", a)

    mixed = init.Mixed(["a_.*", ".*"], [init.Constant(3), init.One()])
    mixed(init.InitDesc("a_weight"), a)
    mixed(init.InitDesc("weight"), c)

    assert a.asnumpy().tolist() == [3, 3]
    assert c.asnumpy().tolist() == [1, 1]
    with pytest.raises(ValueError, match="did not match"):
        init.Mixed(["x"], [init.One()])("y", a)
