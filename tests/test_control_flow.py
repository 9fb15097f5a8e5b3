"""Loops and branches, of arrays and of symbols, against MXNet's results, each other, and unrolled graphs."""

import copy
import json
import pickle
import re
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxcy as mx
from mxcy.errors import ArgumentError, AssertedArgumentError, BindError, FormatError, ShapeError

nd, sym, autograd = mx.nd, mx.sym, mx.autograd
X, S = sym.Variable("x"), sym.Variable("s")
HERE = Path(__file__).parent / "golden"
sys.path.append(str(HERE))
from control_flow_programs import PROGRAMS  # noqa: E402

GOLDEN = json.loads((HERE / "control_flow.json").read_text())


def made(name):
    with mx.name.NameManager():
        return sym.Group(PROGRAMS[name][0](mx))


def arrays_of(name):
    return {key: nd.array(value) for key, value in PROGRAMS[name][1].items()}


def run(net, values, heads=None):
    """(outputs, gradients of their sum) of a bound graph."""
    grads = {key: nd.zeros_like(value) for key, value in values.items()}
    executor = net.bind(mx.cpu(), values, grads)
    outputs = executor.forward(is_train=True)
    executor.backward(heads or [nd.ones_like(out) for out in outputs])
    return [out.asnumpy() for out in outputs], {key: g.asnumpy() for key, g in grads.items()}


def same_scopes(text):
    """The text of a graph without the numbers of scopes, which count all that a process has opened."""
    document = json.loads(text)

    def strip(graph):
        for node in graph["nodes"]:
            attrs = node.get("attrs", {})
            if "__subgraph_name__" in attrs:
                attrs["__subgraph_name__"] = re.sub(r"\d", "", attrs["__subgraph_name__"])
            for inner in node.get("subgraphs", ()):
                strip(inner)
        return graph

    return strip(document)


@pytest.mark.parametrize("name", PROGRAMS)
def test_results_and_gradients_are_those_of_mxnet(name):
    golden, net = GOLDEN[name], made(name)
    assert net.list_arguments() == golden["arguments"]
    assert net.list_outputs() == golden["outputs"]
    outputs, gradients = run(net, arrays_of(name))
    for found, expected in zip(outputs, golden["values"], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for key, expected in golden.get("gradients", {}).items():
        np.testing.assert_allclose(gradients[key], expected, rtol=1e-5, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", PROGRAMS)
def test_files_are_those_of_mxnet(name):
    """What MXNet wrote loads and is written back byte for byte; what we make is the same graph."""
    text = GOLDEN[name]["json"]
    loaded = sym.load_json(text)
    assert loaded.tojson() == text
    assert same_scopes(made(name).tojson()) == same_scopes(text)
    outputs, _ = run(loaded, arrays_of(name))
    for found, expected in zip(outputs, GOLDEN[name]["values"], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["recurrent", "nested", "while", "cond_lists"])
def test_copies_and_pickles_compute_the_same(name):
    net = made(name)
    values = arrays_of(name)
    expected, gradients = run(net, values)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        found, others = run(other, values)
        for a, b in zip([*found, *others.values()], [*expected, *gradients.values()], strict=True):
            np.testing.assert_array_equal(a, b)


def test_results_do_not_depend_on_passes(monkeypatch):
    for name in ("running", "recurrent", "while"):
        monkeypatch.setenv("MXCY_FUSION", "1")
        fused = run(made(name), arrays_of(name))
        monkeypatch.setenv("MXCY_FUSION", "0")
        plain = run(made(name), arrays_of(name))
        for a, b in zip([*fused[0], *fused[1].values()], [*plain[0], *plain[1].values()], strict=True):
            np.testing.assert_array_equal(a, b)


# --- arrays and symbols ---------------------------------------------------------------------------
def recorded(function, values):
    """(outputs, gradients of their sum) of a function of arrays."""
    for value in values.values():
        value.attach_grad()
    with autograd.record():
        outputs = function(**values)
    autograd.backward(outputs)
    return [out.asnumpy() for out in outputs], {key: value.grad.asnumpy() for key, value in values.items()}


def loop(mx_of, x, s, w):
    outs, states = mx_of.contrib.foreach(
        lambda d, s: ([mx_of.tanh(d * w) + s[0], s[1]], [s[0] * d, s[1] + s[0]]), x, [s, s * 2]
    )
    return [*outs, *states]


def counted(mx_of, x, s, w):
    outs, states = mx_of.contrib.while_loop(
        lambda n, s: n < 2.5, lambda n, s: (s * w, [n + 1, s * w + s]), [x, s], max_iterations=4
    )
    return [outs, *states]


def layers(mx_of, x, s, w):
    weight = mx_of.broadcast_mul(mx_of.reshape(w, shape=(2, 1)), mx_of.reshape(w, shape=(1, 2)))

    def step(row, state):
        made = mx_of.FullyConnected(row, weight, no_bias=True, num_hidden=2)
        new = mx_of.FullyConnected(state, weight, no_bias=True, num_hidden=2)
        return [mx_of.tanh(made), made], mx_of.sigmoid(new)

    outs, state = mx_of.contrib.foreach(step, mx_of.expand_dims(x, axis=1), mx_of.reshape(s, shape=(1, 2)))
    return [*outs, state]


def branch(mx_of, x, s, w):
    return mx_of.contrib.cond(x < 1, lambda: [s * w], lambda: [s + mx_of.sin(w)])


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (loop, np.linspace(-1, 1, 6).reshape(3, 2)), (layers, np.linspace(-1, 1, 6).reshape(3, 2)),
        (counted, [0.5]), (branch, [0.5]), (branch, [1.5]),
    ],
)  # fmt: skip
def test_arrays_and_symbols_agree(function, x):
    values = {"x": nd.array(x), "s": nd.array([0.5, -1.5]), "w": nd.array([1.5, 0.7])}
    net = sym.Group(function(sym, *map(sym.Variable, "xsw")))
    outputs, gradients = run(net, values)
    expected, others = recorded(lambda **v: function(nd, **v), values)
    for a, b in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    for key, g in others.items():
        np.testing.assert_allclose(gradients[key], g, rtol=1e-5, atol=1e-6, err_msg=key)


@pytest.mark.parametrize(
    ("function", "x"), [(loop, np.linspace(-1, 1, 6).reshape(3, 2)), (counted, [0.5]), (branch, [0.5])]
)
def test_second_derivatives_are_those_of_finite_differences(function, x):
    """The gradient graph, differentiated again, against differences of the gradient."""
    net = sym.Group(function(sym, *map(sym.Variable, "xsw")))
    names = [name for name in net.list_arguments() if name != "x" or function is loop]
    values = {key: np.array(v, "float64") for key, v in (("x", x), ("s", [0.5, -1.5]), ("w", [1.5, 0.7]))}
    first = net.gradient(names)

    def gradient(at):
        made = first.bind(mx.cpu(), {k: nd.array(v, dtype="float64") for k, v in at.items()}, grad_req="null")
        return np.concatenate([out.asnumpy().ravel() for out in made.forward()])

    arrays = {key: nd.array(v, dtype="float64") for key, v in values.items()}
    _, second = run(first, arrays)
    for key in names:
        for index in np.ndindex(values[key].shape):
            up, down = ({**values, key: values[key].copy()} for _ in range(2))
            up[key][index] += 1e-6
            down[key][index] -= 1e-6
            slope = (gradient(up) - gradient(down)).sum() / 2e-6
            np.testing.assert_allclose(second[key][index], slope, rtol=1e-5, atol=1e-6)


@given(
    steps=st.integers(0, 5),
    kinds=st.lists(st.sampled_from(["add", "mul", "tanh", "max", "swap"]), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
)
def test_a_loop_is_its_unrolled_graph(steps, kinds, seed):
    def body(d, states):
        a, b = states
        out = d
        for kind in kinds:
            if kind == "add":
                out, a = out + a, a * 0.5 + d
            elif kind == "mul":
                out, b = out * b, b + d * w
            elif kind == "tanh":
                out = sym.tanh(out)
            elif kind == "max":
                out = sym.broadcast_maximum(out, a * b)
            else:
                a, b = b, a
        return out + a * 0 + b * 0, [a, b]

    x, a, b, w = map(sym.Variable, "xabw")
    rng = np.random.RandomState(seed)
    values = {key: nd.array(rng.uniform(-1, 1, 2)) for key in "abw"}
    values["x"] = nd.array(rng.uniform(-1, 1, (steps, 2)))
    outs, states = sym.contrib.foreach(body, x, [a, b])
    looped = run(sym.Group([outs, *states, w * 1]), values)
    rows, unrolled = [], [a * 1, b * 1]
    for number in range(steps):
        row = sym.Reshape(sym.slice_axis(x, axis=0, begin=number, end=number + 1), shape=(2,))
        out, unrolled = body(row, unrolled)
        rows.append(out)
    stacked = sym.stack(*rows) if rows else x * 1
    plain = run(sym.Group([stacked, *unrolled, w * 1]), values)
    everything = [[*outputs, *gradients.values()] for outputs, gradients in (looped, plain)]
    for found, expected in zip(*everything, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_random_numbers_in_a_body_are_drawn_once():
    """The gradient of a step reads the mask that its forward pass drew."""
    x, s = sym.Variable("x"), sym.Variable("s")
    outs, states = sym.contrib.foreach(lambda d, s: (sym.Dropout(d, p=0.5) + s, s + 1), x, s)
    values = {"x": nd.ones((20, 50)), "s": nd.zeros(50)}
    (out, _), gradients = run(sym.Group([outs, states]), values)
    mask = out - np.arange(20)[:, None]
    assert set(np.unique(mask)) == {0, 2}
    np.testing.assert_array_equal(gradients["x"], mask)


def test_bodies_behave_as_the_run_does():
    outs, states = sym.contrib.foreach(lambda d, s: (sym.Dropout(d, p=0.5), s + d), X, S)
    net = sym.Group([outs, states])
    executor = net.bind(mx.cpu(), {"x": nd.ones((3, 40)), "s": nd.zeros(40)})
    for is_train in (True, False, True):
        dropped = executor.forward(is_train=is_train)[0].asnumpy()
        assert (dropped == 1).all() != is_train
    executor.arg_dict["x"][:] = 2
    assert (executor.forward()[1].asnumpy() == 6).all()


def test_memory_of_a_loop_is_planned_and_repeated_runs_agree():
    net = made("recurrent")
    values = arrays_of("recurrent")
    executor = net.bind(mx.cpu(), values, {key: nd.zeros_like(v) for key, v in values.items()})
    results = []
    for _ in range(3):
        outputs = executor.forward(is_train=True)
        executor.backward([nd.ones_like(out) for out in outputs])
        results.append([x.asnumpy() for x in (*outputs, *executor.grad_arrays)])
    for again in results[1:]:
        for a, b in zip(again, results[0], strict=True):
            np.testing.assert_array_equal(a, b)


def test_monitors_see_what_mxnet_shows():
    executor = made("recurrent").bind(mx.cpu(), arrays_of("recurrent"))
    seen = []
    executor.set_monitor_callback(lambda name, value: seen.append(name))
    executor.forward()
    assert seen == ["_foreach0_output0", "_foreach0_output1"]


def test_shapes_and_dtypes_are_inferred_through_bodies():
    net = made("recurrent")
    arguments, outputs, _ = net.infer_shape(x=(4, 2, 5))
    assert dict(zip(net.list_arguments(), arguments, strict=True))["weight"] == (3, 5)
    assert outputs == [(4, 2, 3), (2, 3)]
    arguments, outputs, _ = net.infer_type(x="float64")
    assert {*arguments, *outputs} == {np.float64}
    partial = net.infer_shape_partial(x=(4, 0, 5))
    assert partial[1][0] == (4, 0, 3)


# --- errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: sym.contrib.foreach(lambda d, s: (s + 1, s), X, S), AssertedArgumentError, "a slice"),
        (lambda: sym.contrib.foreach(lambda d, s: (d, d), X, S), AssertionError, "a state is not used"),
        (lambda: sym.contrib.foreach(lambda d, s: (d, [s]), X, S), AssertionError, "nested in another"),
        (lambda: sym.contrib.foreach(lambda d, s: d, X, S), AssertedArgumentError, "(outputs, states)"),
        (lambda: sym.contrib.foreach(lambda d, s: (1, s), X, S), AssertedArgumentError, "got int"),
        (lambda: sym.contrib.while_loop(lambda s: s, lambda s: (s, s), S), ArgumentError, "max_iterations"),
        (lambda: sym.contrib.while_loop(lambda: S, lambda: (S, S), [], 3), ArgumentError, "at least one"),
        (
            lambda: sym.contrib.while_loop(lambda a: a, lambda a: (a, [a, a]), [S], 3),
            ArgumentError,
            "expected 1 new variables, got 2",
        ),
        (
            lambda: sym.contrib.while_loop(lambda a, b: a, lambda a, b: (a, [a, a]), [S, X], 3),
            ArgumentError,
            "variable number 2 is not used",
        ),
        (lambda: sym.contrib.cond(X, lambda: [X, S], lambda: S), ArgumentError, "got 2 and 1"),
        (lambda: nd.contrib.foreach(lambda d, s: (1, s), nd.ones(2), nd.ones(1)), AssertionError, "got int"),
        (lambda: nd.contrib.while_loop(lambda a: a, lambda a: (a, a), nd.ones(1)), ValueError, "integer"),
        (lambda: nd.contrib.while_loop(lambda: 1, lambda: (1, 1), [], 3), ValueError, "at least one"),
        (lambda: nd.contrib.while_loop(lambda a: 1, lambda a: (a, [a, a]), [S], 3), ValueError, "got 2"),
        (lambda: nd.contrib.cond(nd.ones(2), lambda: 1, lambda: 2), ValueError, "one element"),
        (
            lambda: nd.contrib.foreach(lambda d, s: (d[0], s), [nd.ones(2), nd.ones(3)], nd.ones(1)),
            ShapeError,
            "got 2 and 3",
        ),
    ],
)  # fmt: skip
def test_wrong_uses_say_what_is_wrong(call, error, match):
    with pytest.raises(error, match=match.replace("(", r"\(").replace(")", r"\)")):
        call()


def test_running_with_wrong_values_says_what_is_wrong():
    grows = sym.contrib.foreach(lambda d, s: (d, sym.Concat(s, d, dim=0)), X, S)[1]
    with pytest.raises(BindError, match=r"'s' expected shape \(None,\), got \(2,\)"):
        grows.eval(x=nd.ones((3, 2)), s=nd.ones(2))
    y = sym.contrib.cond(X, lambda: S, lambda: S * 2)
    with pytest.raises(ArgumentError, match="one element, got shape"):
        y.eval(x=nd.ones(2), s=nd.ones(2))
    y = sym.contrib.cond(X, lambda: S, lambda: sym.Concat(S, S, dim=0))
    with pytest.raises(BindError, match="both branches"):
        y.eval(x=nd.ones(1), s=nd.ones(2))


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("running", {"in_data_locs": "[7]"}, "in_data_locs"),
        ("running", {"in_data_locs": "[1]"}, "in_data_locs"),
        ("running", {"num_outputs": "1"}, "num_outputs"),
        ("running", {"num_out_data": "0"}, "num_out_data"),
        ("running", {"num_args": "9"}, "num_args"),
        ("running", {"remain_locs": "__import__('os')"}, "remain_locs"),
        ("while", {"cond_input_locs": "[100]"}, "cond_input_locs"),
        ("while", {"func_var_locs": "[0, 0]"}, "func_var_locs"),
        ("while", {"max_iterations": "-1"}, "max_iterations"),
        ("cond_then", {"num_outputs": "2"}, "num_outputs"),
        ("cond_then", {"else_input_locs": "[-1, 0]"}, "else_input_locs"),
    ],
)
def test_damaged_files_say_where(name, change, match):
    document = json.loads(GOLDEN[name]["json"])
    node = next(node for node in document["nodes"] if "subgraphs" in node)
    node["attrs"].update(change)
    with pytest.raises(FormatError, match=rf"in node '_\w+0': \w+\({match}\)"):
        sym.load_json(json.dumps(document))


def test_scopes_are_counted_where_programs_look(monkeypatch):
    monkeypatch.setattr(mx.AttrScope, "_subgraph_names", defaultdict(int))
    for _ in range(2):
        x = sym.Variable("x")
        sym.contrib.cond(x > 0.5, lambda x=x: x * 2, lambda x=x: x * 3, name="mine")

    assert mx.AttrScope._subgraph_names == {"mine_pred": 2, "mine_then": 2, "mine_else": 2}


def test_damaged_subgraphs_say_where():
    document = json.loads(GOLDEN["running"]["json"])
    node = next(node for node in document["nodes"] if "subgraphs" in node)
    graphs = node["subgraphs"]
    for broken, match in (
        ([], "subgraphs"),
        (3, "a list"),
        ([{}], r"subgraphs\[0\]"),
        ([{**graphs[0], "heads": [[99, 0, 0]]}], r"subgraphs\[0\].heads\[0\]"),
    ):
        node["subgraphs"] = broken
        with pytest.raises(FormatError, match=match):
            sym.load_json(json.dumps(document))
    node["subgraphs"] = graphs
    node["op"], node["attrs"] = "Flatten", {}
    with pytest.raises(FormatError, match="Flatten runs no graphs"):
        sym.load_json(json.dumps(document))
    inner = graphs[0]
    for _ in range(40):
        inner = {"nodes": [{"op": "_cond", "name": "c", "inputs": [], "subgraphs": [inner]}],
                 "arg_nodes": [], "heads": [[0, 0, 0]]}  # fmt: skip
    with pytest.raises(FormatError, match="32 deep"):
        sym.load_json(json.dumps(inner))
