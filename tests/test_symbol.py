"""Symbols: composition, names, attributes, inference in MXNet's words, JSON."""

import copy
import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from symbol_graphs import mlp

import mxcy as mx
from mxcy.errors import (
    ArgumentError,
    ArgumentTypeError,
    ArrayIndexError,
    MXNetError,
    NotImplementedForSymbol,
    UnknownAttributeError,
)

GOLDEN = Path(__file__).parent / "golden"
sym = mx.sym


@pytest.fixture(autouse=True)
def fresh_names():
    with mx.name.NameManager():
        yield


# --- names and lists -----------------------------------------------------------------------------------


def test_lists_are_in_order_of_use():
    net = mlp()

    assert net.list_arguments() == [
        "data",
        "fc1_weight",
        "fc1_bias",
        "fc2_weight",
        "fc2_bias",
        "softmax_label",
    ]
    assert net.list_inputs() == net.list_arguments()
    assert net.list_outputs() == ["softmax_output"]
    assert net.list_auxiliary_states() == []
    assert repr(net) == "<Symbol softmax>"
    assert net.name == "softmax"


def test_automatic_names_count_for_each_hint():
    x = sym.Variable("x")

    names = [
        sym.exp(x).name, sym.exp(x).name, sym.FullyConnected(x, num_hidden=1).name,
        sym.FullyConnected(x, num_hidden=1, name="q").name, sym.FullyConnected(x, num_hidden=1).name,
        (x + 1).name, (x + 2).name, (x + x).name, (x * x).name,
    ]  # fmt: skip
    assert names == [
        "exp0", "exp1", "fullyconnected0", "q", "fullyconnected1", "_plusscalar0", "_plusscalar1", "_plus0",
        "_mul0",
    ]  # fmt: skip


# As printed by MXNet 1.9.1.
ARITHMETIC = [
    (lambda x, y: x + y, "_plus0", "elemwise_add", None),
    (lambda x, y: x - y, "_minus0", "elemwise_sub", None),
    (lambda x, y: x * y, "_mul0", "elemwise_mul", None),
    (lambda x, y: x / y, "_div0", "elemwise_div", None),
    (lambda x, y: x % y, "_mod0", "_mod", None),
    (lambda x, y: x**y, "_power0", "_power", None),
    (lambda x, y: x + 1, "_plusscalar0", "_plus_scalar", "1"),
    (lambda x, y: 1 + x, "_plusscalar0", "_plus_scalar", "1"),
    (lambda x, y: x - 1, "_minusscalar0", "_minus_scalar", "1"),
    (lambda x, y: 1 - x, "_rminusscalar0", "_rminus_scalar", "1"),
    (lambda x, y: x * 2.5, "_mulscalar0", "_mul_scalar", "2.5"),
    (lambda x, y: x / 2, "_divscalar0", "_div_scalar", "2"),
    (lambda x, y: 2 / x, "_rdivscalar0", "_rdiv_scalar", "2"),
    (lambda x, y: x % 2, "_modscalar0", "_mod_scalar", "2"),
    (lambda x, y: 2 % x, "_rmodscalar0", "_rmod_scalar", "2"),
    (lambda x, y: x**2, "_powerscalar0", "_power_scalar", "2"),
    (lambda x, y: 2**x, "_rpower_scalar0", "_rpower_scalar", "2"),
    (lambda x, y: -x, "_mulscalar0", "_mul_scalar", "-1.0"),
    (lambda x, y: x == y, "_equal0", "_equal", None),
    (lambda x, y: x != y, "_not_equal0", "_not_equal", None),
    (lambda x, y: x > y, "_greater0", "_greater", None),
    (lambda x, y: x >= y, "_greater_equal0", "_greater_equal", None),
    (lambda x, y: x < y, "_lesser0", "_lesser", None),
    (lambda x, y: x <= y, "_lesser_equal0", "_lesser_equal", None),
    (lambda x, y: x == 1, "_equal_scalar0", "_equal_scalar", "1"),
    (lambda x, y: x > 1, "_greater_scalar0", "_greater_scalar", "1"),
    (lambda x, y: x > 1, "_greater_scalar0", "_greater_scalar", "1"),
    (lambda x, y: x <= 1, "_lesser_equal_scalar0", "_lesser_equal_scalar", "1"),
    (lambda x, y: abs(x), "abs0", "abs", None),
    (lambda x, y: sym.random.shuffle(x), "_shuffle0", "_shuffle", None),
    (lambda x, y: sym.shuffle(x), "shuffle0", "_shuffle", None),
]


@pytest.mark.parametrize(("build", "name", "op", "scalar"), ARITHMETIC, ids=lambda value: str(value)[:24])
def test_arithmetic_has_the_names_of_mxnet(build, name, op, scalar):
    result = build(sym.Variable("x"), sym.Variable("y"))
    node = json.loads(result.tojson())["nodes"][-1]

    assert (result.name, node["op"], node.get("attrs", {}).get("scalar")) == (name, op, scalar)


def test_prefix_and_given_names():
    x = sym.Variable("x")
    with mx.name.Prefix("pre_"):
        assert sym.exp(x).name == "pre_exp0"
        assert sym.exp(x, name="e").name == "pre_e"
        assert sym.FullyConnected(x, num_hidden=1).list_arguments() == [
            "x", "pre_fullyconnected0_weight", "pre_fullyconnected0_bias",
        ]  # fmt: skip


def test_missing_inputs_become_variables():
    x, y = sym.Variable("x"), sym.Variable("y")

    assert sym.FullyConnected(num_hidden=3).list_arguments() == [
        "fullyconnected0_data", "fullyconnected0_weight", "fullyconnected0_bias",
    ]  # fmt: skip
    assert sym.exp().list_arguments() == ["exp0_data"]
    assert sym.FullyConnected(x, None, y, num_hidden=3, name="k").list_arguments() == ["x", "k_weight", "y"]
    assert sym.FullyConnected(data=x, bias=y, num_hidden=3, name="k").list_arguments() == [
        "x",
        "k_weight",
        "y",
    ]
    assert sym.FullyConnected(x, num_hidden=3, no_bias=True, name="k").list_arguments() == ["x", "k_weight"]
    assert sym.Concat(num_args=3, name="c").list_arguments() == ["c_arg0", "c_arg1", "c_arg2"]
    assert sym.broadcast_mul(x).list_arguments() == ["x", "broadcast_mul0_rhs"]


def test_several_outputs_by_number_and_name():
    parts = sym.SliceChannel(sym.Variable("x"), num_outputs=3, name="sp")

    assert len(parts) == 3
    assert parts.list_outputs() == ["sp_output0", "sp_output1", "sp_output2"]
    assert parts[1].list_outputs() == ["sp_output1"]
    assert parts["sp_output2"].list_outputs() == ["sp_output2"]
    assert [part.list_outputs()[0] for part in parts] == parts.list_outputs()
    assert parts[1:].list_outputs() == ["sp_output1", "sp_output2"]
    assert (parts[1] + parts[2]).list_arguments() == ["x"]


def test_hidden_outputs_stay_hidden():
    drop = sym.Dropout(sym.Variable("x"), p=0.5)

    assert drop.list_outputs() == ["dropout0_output"]
    assert drop.get_internals().list_outputs() == ["x", "dropout0_output"]


@pytest.mark.parametrize(
    ("build", "error", "match"),
    [
        (
            lambda x: sym.SliceChannel(x, num_outputs=3)[3],
            ArrayIndexError,
            "expected an output below 3, got 3",
        ),
        (lambda x: sym.exp(x)["exp0_outptu"], ArgumentError, "did you mean exp0_output"),
        (lambda x: x[1.5], ArgumentTypeError, "expected an int, a slice or the name of an output, got 1.5"),
        (
            lambda x: sym.exp(sym.SliceChannel(x, num_outputs=2)),
            ArgumentError,
            "got one with 2 outputs; choose",
        ),
        (lambda x: sym.exp(mx.nd.ones((2,))), ArgumentTypeError, "exp(data): expected a Symbol, got NDArray"),
        (lambda x: x + mx.nd.ones((2,)), ArgumentTypeError, "expected a Symbol, got NDArray"),
        (
            lambda x: sym.FullyConnected(x, mx.nd.ones((2,)), num_hidden=2),
            ArgumentTypeError,
            "(weight): expected",
        ),
        (lambda x: sym.FullyConnected(x, num_hiden=2), MXNetError, "num_hidden"),
        (lambda x: sym.FullyConnected(x, num_hidden=2, foo=1), UnknownAttributeError, "'foo'"),
        (lambda x: sym.sum(x, attr={"a": "b"}), ArgumentError, "a name such as '__a__', got 'a'"),
        (lambda x: exec("x += 1", {"x": x}), NotImplementedError, "not implemented for Symbol"),
        (lambda x: sym.Variable("w", attr={"__a__": 1}), ArgumentError, "expected a string, got 1"),
        (lambda x: sym.exp(x, out=x), ArgumentTypeError, "exp(out): symbols hold no values to write"),
        (lambda x: x + "a", TypeError, "str"),
        (lambda x: x + None, TypeError, "NoneType"),
        (lambda x: x == None, TypeError, "NoneType"),  # noqa: E711
        (lambda x: x + np.ones(2), TypeError, "ndarray"),
        (lambda x: np.ones(2) + x, TypeError, "ndarray"),
        (bool, NotImplementedForSymbol, "not implemented for Symbol"),
        (lambda x: x.asnumpy(), NotImplementedForSymbol, "asnumpy: not implemented for Symbol"),
        (hash, TypeError, "unhashable"),
        (lambda x: sym.Variable(3), ArgumentTypeError, "Variable(name): expected a string, got 3"),
        (
            lambda x: sym.Variable("w", foo="x"),
            ArgumentError,
            "Variable(foo): unknown keyword; write __foo__",
        ),
        (lambda x: sym.Variable("w", stype="coo"), ArgumentError, "'row_sparse' or 'csr', got 'coo'"),
        (lambda x: sym.Group([]), ArgumentTypeError, "expected a list of symbols, got an empty list"),
        (lambda x: sym.Group([x, 3]), ArgumentTypeError, "got one with a int"),
        (lambda x: mx.AttrScope(a=1), ArgumentError, "AttrScope(a): expected a string, got 1"),
    ],
)
def test_misuse_is_named(build, error, match):
    with pytest.raises(error) as raised:
        build(sym.Variable("x"))

    assert match in str(raised.value)


def test_group_internals_and_children():
    net = mlp()
    internals = net.get_internals()
    group = sym.Group([net, internals["relu1_output"]])

    assert internals.list_outputs() == [
        "data", "fc1_weight", "fc1_bias", "fc1_output", "relu1_output", "fc2_weight", "fc2_bias",
        "fc2_output", "softmax_label", "softmax_output",
    ]  # fmt: skip
    assert internals.name is None
    assert repr(group) == "<Symbol group [softmax, relu1]>"
    assert group.list_outputs() == ["softmax_output", "relu1_output"]
    assert repr(net.get_children()) == "<Symbol group [fc2, softmax_label]>"
    assert sym.Variable("x").get_children() is None
    assert internals["fc1_output"].list_arguments() == ["data", "fc1_weight", "fc1_bias"]


# --- attributes ----------------------------------------------------------------------------------------


def test_variable_keeps_labels():
    w = sym.Variable("w", shape=(2, 3), lr_mult=2.0, wd_mult=0.5, dtype="float32", init='["one", {}]',
                     attr={"foo": "bar"}, __mine__=3)  # fmt: skip

    assert w.list_attr() == {
        "foo": "bar", "__shape__": "(2, 3)", "__lr_mult__": "2.0", "lr_mult": "2.0", "__wd_mult__": "0.5",
        "wd_mult": "0.5", "__dtype__": "0", "__init__": '["one", {}]', "__mine__": "3",
    }  # fmt: skip
    assert w.attr("__shape__") == "(2, 3)"
    assert w.attr("nope") is None
    assert w.infer_shape() == ([(2, 3)], [(2, 3)], [])
    assert w.infer_type() == ([np.float32], [np.float32], [])


def test_the_initializer_of_a_variable_is_checked():
    with pytest.raises(ArgumentTypeError, match="expected an Initializer, or the text of one, got 3"):
        sym.Variable("w", init=3)


def test_scopes_label_nodes_and_their_automatic_variables():
    with mx.AttrScope(ctx_group="dev1"), mx.AttrScope(__lr_mult__="3"):
        net = sym.FullyConnected(sym.Variable("d"), num_hidden=3, name="f", attr={"__lr_mult__": "4"})
    attributes = net.attr_dict()

    assert attributes["d"] == {
        "__lr_mult__": "3",
        "lr_mult": "3",
        "__ctx_group__": "dev1",
        "ctx_group": "dev1",
    }
    expected = {
        "num_hidden": "3",
        "__lr_mult__": "4",
        "lr_mult": "4",
        "__ctx_group__": "dev1",
        "ctx_group": "dev1",
    }
    assert attributes["f"] == attributes["f_weight"] == attributes["f_bias"] == expected
    assert sym.exp(net).list_attr() == {}


def test_operators_take_labels_as_keywords():
    data = sym.Variable("d")
    net = sym.FullyConnected(data, num_hidden=3, name="f", lr_mult=0, ctx_group="g", __mine__=2)

    labels = {"__lr_mult__": "0", "__ctx_group__": "g", "__mine__": "2"}
    for name in ("f", "f_weight", "f_bias"):
        assert labels.items() <= net.attr_dict()[name].items()
    assert sym.exp(data, attr={"__mine__": "1"}, wd_mult=0.5).list_attr()["__wd_mult__"] == "0.5"
    assert data.sum(axis=0, __layout__="NC").list_attr()["__layout__"] == "NC"
    with pytest.raises(UnknownAttributeError, match="layout_"):
        sym.sum(data, layout_="NC")


def test_operators_without_attributes_keep_them_as_labels_as_in_mxnet():
    net = sym.log(sym.Variable("d"), axis=1, name="l")

    assert net.list_attr() == {"axis": "1"}
    assert json.loads(net.tojson())["nodes"][1]["attrs"] == {"axis": "1"}
    assert sym.load_json(net.tojson()).tojson() == net.tojson()
    assert sym.elemwise_add(net, rhs=net, foo=None).list_attr() == {"foo": "None"}
    with pytest.raises(UnknownAttributeError, match="foo"):
        sym.add_n(net, net, foo=1)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("flip", {"axis": 0}),
        ("split", {"num_outputs": 2}),
        ("swapaxes", {"dim1": 0, "dim2": 1}),
        ("broadcast_axes", {"axis": 0, "size": 3}),
        ("sum", {}),
    ],
)
def test_methods_name_nodes_as_the_functions_do(method, arguments):
    data = sym.Variable("d")
    with mx.name.NameManager():
        by_method = getattr(data, method)(**arguments)
    with mx.name.NameManager():
        by_function = getattr(sym, method)(data, **arguments)

    assert by_method.tojson() == by_function.tojson()
    assert by_method.name == f"{method}0"


def test_labels_can_be_set_later():
    x = sym.Variable("x")
    y = sym.exp(x)
    x._set_attr(lr_mult="2")

    assert y.attr_dict()["x"] == {"__lr_mult__": "2", "lr_mult": "2"}
    with pytest.raises(ArgumentError, match="expected a string"):
        x._set_attr(lr_mult=2)


def test_a_copy_can_have_another_name():
    x = sym.Variable("x")
    other = copy.copy(x)
    other._set_attr(name="y")

    assert (x.name, other.name) == ("x", "y")
    assert (x + other).list_arguments() == ["x", "y"]


def test_the_last_operator_alone():
    x = sym.Variable("x")
    made = sym.RNN(x, state_size=2, num_layers=1, mode="lstm", state_outputs=True)._gen_atomic_symbol()

    assert made.list_arguments() == []
    assert len(made.list_outputs()) == 3
    with pytest.raises(ArgumentError, match="no operator makes the variable x"):
        x._gen_atomic_symbol()


# --- composition ---------------------------------------------------------------------------------------


def test_call_replaces_variables():
    f = sym.FullyConnected(sym.Variable("a"), num_hidden=2, name="fc")
    h = f(a=sym.Variable("b") * 2, fc_bias=sym.Variable("c"), name="new")

    assert h.list_arguments() == ["b", "fc_weight", "c"]
    assert (h.name, f.name) == ("new", "fc")
    assert f.list_arguments() == ["a", "fc_weight", "fc_bias"]


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda f, x: f(zz=x),
            ArgumentError,
            "compose: expected a variable, got 'zz'; there are a, fc_weight",
        ),
        (lambda f, x: f(fc_wieght=x), ArgumentError, "did you mean fc_weight"),
        (lambda f, x: f(x), ArgumentTypeError, "give them by name: a, fc_weight"),
        (lambda f, x: f(a=3), ArgumentTypeError, "compose(a): expected a Symbol, got int"),
        (lambda f, x: f(a=sym.Group([x, x])), ArgumentError, "expected a symbol with one output"),
    ],
)
def test_call_names_what_does_not_fit(call, error, match):
    f = sym.FullyConnected(sym.Variable("a"), num_hidden=2, name="fc")
    with pytest.raises(error) as raised:
        call(f, sym.Variable("x"))

    assert match in str(raised.value)


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_copies_are_equal_and_independent(clone):
    net = mlp()
    other = clone(net)

    assert other.tojson() == net.tojson()
    other._set_attr(lr_mult="7")
    assert net.attr("lr_mult") is None


# --- gradient, eval ------------------------------------------------------------------------------------


def test_gradient_is_a_symbol_and_has_a_gradient():
    x = sym.Variable("x")
    first = (x * x * x).gradient(["x"])
    second = first.gradient("x")
    value = mx.nd.array([1.0, 2.0, -3.0])

    np.testing.assert_allclose(first.eval(x=value)[0].asnumpy(), [3, 12, 27])
    np.testing.assert_allclose(second.eval(x=value)[0].asnumpy(), [6, 12, -18])
    with pytest.raises(ArgumentError, match="expected an argument, got 'y'"):
        x.gradient(["y"])


def test_eval_takes_arrays_by_name():
    x, y = sym.Variable("x"), sym.Variable("y")
    (result,) = (x * 2 + y).eval(x=mx.nd.ones((2,)), y=mx.nd.ones((2,)))

    np.testing.assert_array_equal(result.asnumpy(), [3, 3])
    with pytest.raises(ValueError, match="missing array in args for 'y'"):
        (x + y).eval(x=mx.nd.ones((2,)))


# --- against MXNet 1.9.1 ---------------------------------------------------------------------------------

# What mxcy says differently, on purpose.
DIFFERENT = {
    "sym.Reshape(x,shape=(1,))": "MXNet does not check the number of elements",
    "sym.reshape(x,shape=(1,))": "MXNet does not check the number of elements",
    "x+True": "MXNet refuses booleans as numbers",
    "sym.pow(2,x)": "the same operator is called _rpower_scalar0 by 2**x",
}


def cases():
    for case in json.loads((GOLDEN / "sym_cases.json").read_text()):
        called = re.match(r"sym\.(\w+)", case["expr"])
        if case["expr"] not in DIFFERENT and (called is None or hasattr(sym, called[1])):
            yield pytest.param(case, id=case["expr"])


@pytest.mark.filterwarnings("ignore:infer_shape")
@pytest.mark.parametrize("case", list(cases()))
def test_symbols_are_those_of_mxnet(case):
    scope = {"sym": sym, "mx": mx, "x": sym.Variable("x"), "y": sym.Variable("y")}
    if "error" in case:
        with pytest.raises((MXNetError, TypeError)):
            eval(case["expr"], scope)
        return
    found = eval(case["expr"], scope)
    known = {name: tuple(shape) for name, shape in case["shapes"].items() if name in found.list_arguments()}

    assert found.name == case["name"]
    assert repr(found) == case["repr"]
    assert found.list_arguments() == case["arguments"]
    assert found.list_outputs() == case["outputs"]
    assert found.list_auxiliary_states() == case["aux"]
    assert json.loads(found.tojson()) == case["json"]
    if "infer_shape" in case:
        assert json.loads(json.dumps(found.infer_shape(**known))) == case["infer_shape"]
    else:
        with pytest.raises(MXNetError):
            found.infer_shape(**known)


# --- exports ---------------------------------------------------------------------------------------------


def test_every_public_operator_is_exported():
    from mxcy.ops import PUBLIC
    from mxcy.symbol import op

    assert sorted(op.__all__) == sorted(PUBLIC)
    for name in PUBLIC:
        exported = getattr(sym, name)
        assert getattr(exported, "op", exported) is PUBLIC[name]
        assert exported.__doc__


def test_methods_are_operators():
    x = sym.Variable("x")

    assert x.sum(axis=1).tojson().replace("sum0", "") == sym.sum(x, axis=1).tojson().replace("sum1", "")
    assert x.reshape(2, -1).attr("shape") == x.reshape((2, -1)).attr("shape") == "(2, -1)"
    assert x.astype("int32").attr("dtype") == "int32"
    for name in dir(x):
        if name in sym.op.__all__:
            assert callable(getattr(x, name))
