"""Passes that make nodes fewer: each on small graphs, and on random ones against the graph as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from symbol_graphs import graphs

import mxcy as mx
from mxcy.executor import options
from mxcy.executor.schedule import Schedule
from mxcy.graph.combine import combine
from mxcy.graph.constants import LARGEST, Constant, fold_constants
from mxcy.graph.fold_norms import fold_norms
from mxcy.graph.infer import infer_dtypes, infer_shapes
from mxcy.graph.ir import Graph

nd, sym = mx.nd, mx.sym
X, Y = sym.Variable("x"), sym.Variable("y")


def after(apply, net, **arrays):
    """The graph of a symbol after a pass."""
    graph = net._graph
    by_name = {node: arrays[node.name] for node in graph.variables}
    shapes = infer_shapes(graph, {node: array.shape for node, array in by_name.items()})
    dtypes = infer_dtypes(graph, {node: np.dtype(array.dtype) for node, array in by_name.items()})
    return apply(graph, shapes, dtypes)[0]


def operators(graph):
    return [node.op.name for node in graph.nodes if node.op is not None]


def run(net, arrays, which=None):
    """Outputs and gradients with the passes on, or with these options."""
    grads = {name: nd.zeros(value.shape, dtype=value.dtype) for name, value in arrays.items()}
    was = options.DEFAULT
    options.DEFAULT = which or was
    try:
        executor = net.bind(mx.cpu(), arrays, grads)
    finally:
        options.DEFAULT = was
    outputs = executor.forward(is_train=True)
    executor.backward([nd.ones_like(out) for out in outputs])
    return [x.asnumpy() for x in (*outputs, *grads.values())]


# --- combine ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("net", "left"),
    [
        (sym.transpose(sym.transpose(X, axes=(1, 2, 0)), axes=(1, 2, 0)), ["transpose"]),
        (sym.transpose(sym.SwapAxis(X, dim1=0, dim2=2), axes=(1, 0, 2)), ["transpose"]),
        (sym.Cast(sym.Cast(X, dtype="float64"), dtype="int32"), ["Cast"]),
        (sym.Cast(sym.Cast(X, dtype="float16"), dtype="float64"), ["Cast", "Cast"]),
        (sym.exp(sym.transpose(sym.transpose(sym.transpose(X)), axes=(0, 2, 1))), ["transpose", "exp"]),
    ],
)
def test_pairs_become_one(net, left):
    x = nd.array(np.arange(24.0).reshape(2, 3, 4) - 11)
    graph = after(combine, net, x=x)
    assert operators(graph) == left
    expected, found = net.eval(x=x)[0], type(net)(graph).eval(x=x)[0]
    assert expected.shape == found.shape and expected.dtype == found.dtype
    np.testing.assert_array_equal(found.asnumpy(), expected.asnumpy())


@st.composite
def moves(draw):
    """A random chain of what `combine` and `simplify` know, over an array with three axes."""
    net = X
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.integers(0, 3))
        if kind == 0:
            net = sym.transpose(net, axes=tuple(draw(st.permutations(range(3)))))
        elif kind == 1:
            axes = st.integers(0, 2)
            net = sym.SwapAxis(net, dim1=draw(axes), dim2=draw(axes))
        elif kind == 2:
            net = sym.Cast(
                net, dtype=draw(st.sampled_from(["float16", "float32", "float64", "int32", "int8"]))
            )
        else:
            net = net * draw(st.sampled_from([1, -1, 3]))
    return net


@given(moves())
def test_chains_of_moves_and_casts_keep_every_bit(net):
    x = nd.array(np.linspace(-3, 9, 24).reshape(2, 3, 4))
    for found, expected in zip(run(net, {"x": x}), run(net, {"x": x}, options.PLAIN), strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


# --- constants --------------------------------------------------------------------------------------------
def test_what_depends_on_no_variable_is_computed_once():
    table = sym.exp(sym.arange(6) * 0.5).reshape((2, 3)) + sym.ones((2, 3))
    net = X * table + sym.zeros_like(X) + sym.ones_like(X)
    x = nd.array(np.arange(6.0).reshape(2, 3))
    graph = after(fold_constants, net, x=x)
    assert operators(graph).count("constant") == 3
    assert set(operators(graph)) == {"constant", "elemwise_mul", "elemwise_add"}
    np.testing.assert_array_equal(type(net)(graph).eval(x=x)[0].asnumpy(), net.eval(x=x)[0].asnumpy())


def test_draws_variables_and_large_results_are_no_constants():
    net = sym.Group([
        sym.random.uniform(shape=(2,)) + 1,
        sym.exp(X),
        sym.zeros((LARGEST + 1,)) + 1,
        sym.Dropout(sym.ones((3,)), p=0.5),
    ])  # fmt: skip
    graph = after(fold_constants, net, x=nd.ones(2))
    assert [type(node.op) is Constant for node in graph.nodes if node.op].count(True) == 1
    executor = net.bind(mx.cpu(), {"x": nd.ones(2)})
    draws = [executor.forward(is_train=True)[0].asnumpy() for _ in range(2)]
    assert (draws[0] != draws[1]).all()


def test_a_constant_may_be_an_output_and_a_gradient():
    net = sym.Group([sym.arange(3), sym.arange(3), X * 0 + 1])
    executor = net.simple_bind(mx.cpu(), x=(2,))
    outputs = executor.forward(is_train=True)
    outputs[0][:] = 7  # an output is the user's
    executor.backward([nd.ones(3), nd.ones(3), nd.ones(2)])
    assert executor.grad_dict["x"].asnumpy().tolist() == [0, 0]
    assert [out.asnumpy().tolist() for out in executor.forward()[:2]] == [[0, 1, 2]] * 2
    linear = (X + Y).simple_bind(mx.cpu(), x=(2,), y=(2,))
    linear.forward(is_train=True)
    for g in (1, 2):
        linear.backward(nd.full(2, g))
        assert linear.grad_dict["x"].asnumpy().tolist() == [g, g]


@given(graphs(), st.lists(st.sampled_from(["ones", "arange", "full"]), min_size=1, max_size=3))
def test_random_graphs_with_constants_keep_every_bit(net, kinds):
    made = {
        "ones": lambda: sym.ones((4, 6)),
        "arange": lambda: sym.sin(sym.arange(24)).reshape((4, 6)),
        "full": lambda: sym.full((4, 6), 0.25) / 3,
    }
    names = net.list_arguments()
    net = sym.Group([*net(**{name: made[kind]() for name, kind in zip(names, kinds, strict=False)}), X * 1])
    rng = np.random.RandomState(0)
    arrays = {name: nd.array(rng.uniform(-1, 1, (4, 6))) for name in net.list_arguments()}
    for found, expected in zip(run(net, arrays), run(net, arrays, options.PLAIN), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_long_chains_of_constants_are_folded():
    net = sym.ones((2,))
    for _ in range(20_000):
        net = net + 1
    graph = after(fold_constants, net)
    assert operators(graph) == ["constant"]
    assert isinstance(graph, Graph) and graph.heads[0].node.op.value.view_numpy().tolist() == [20_001] * 2


# --- BatchNorm in prediction --------------------------------------------------------------------------------
def layer(kind, data, no_bias, name):
    if kind == "dense":
        return sym.FullyConnected(data, num_hidden=6, no_bias=no_bias, name=name)
    if kind == "grouped":
        return sym.Convolution(data, kernel=(3,), num_filter=6, num_group=3, no_bias=no_bias, name=name)
    return sym.Convolution(data, kernel=(3, 3), pad=(1, 1), num_filter=6, no_bias=no_bias, name=name)


SHAPES = {"dense": (40, 6), "grouped": (8, 6, 20), "flat": (4, 6, 9, 9)}


def bound(net, shape, seed=0):
    """An executor without gradients on random parameters."""
    rng = np.random.RandomState(seed)
    shapes, _, states = net.infer_shape(x=shape)
    args = {name: nd.array(rng.normal(0, 1, s)) for name, s in zip(net.list_arguments(), shapes, strict=True)}
    names = net.list_auxiliary_states()
    auxiliary = {name: nd.array(rng.uniform(0.5, 2, s)) for name, s in zip(names, states, strict=True)}
    return net.bind(mx.cpu(), args, grad_req="null", aux_states=auxiliary)


def plain(executor):
    """The outputs for prediction with every node as it is."""
    executor.set_monitor_callback(lambda name, value: None)
    found = [out.asnumpy() for out in executor.forward()]
    executor.set_monitor_callback(None)
    return found


@pytest.mark.parametrize("no_bias", [False, True])
@pytest.mark.parametrize("fix_gamma", [False, True])
@pytest.mark.parametrize("kind", SHAPES)
def test_batch_norm_is_folded_into_the_layer_before_it(kind, fix_gamma, no_bias):
    net = X
    for number in range(2):
        net = sym.BatchNorm(
            layer(kind, net, no_bias, f"layer{number}"), fix_gamma=fix_gamma, name=f"bn{number}"
        )
        net = sym.Activation(net, act_type="relu")
        if kind == "grouped":
            break
    executor = bound(net, SHAPES[kind])
    arrays = {**executor.arg_dict, **executor.aux_dict}
    left = operators(after(fold_norms, net, **arrays))
    assert "BatchNorm" not in left
    for _ in range(2):
        (found,), (expected,) = [out.asnumpy() for out in executor.forward()], plain(executor)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
        executor.aux_dict["bn0_moving_mean"][:] += 1  # what is folded is what the arrays hold now
        executor.arg_dict["layer0_weight"][:] *= 2


def test_training_is_not_folded():
    net = sym.BatchNorm(layer("flat", X, False, "c"), fix_gamma=False, name="bn", momentum=0.5)
    executor = bound(net, SHAPES["flat"])
    predicted = executor.forward()[0].asnumpy()
    before = executor.aux_dict["bn_moving_mean"].asnumpy()
    trained = executor.forward(is_train=True)[0].asnumpy()
    np.testing.assert_allclose(trained.mean((0, 2, 3)), executor.arg_dict["bn_beta"].asnumpy(), atol=1e-4)
    assert (executor.aux_dict["bn_moving_mean"].asnumpy() != before).all()
    again = executor.forward()[0].asnumpy()
    assert not np.allclose(again, predicted)
    np.testing.assert_allclose(again, plain(executor)[0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "net",
    [
        (lambda c: sym.Group([sym.BatchNorm(c, name="bn"), c]))(layer("flat", X, False, "c")),
        (lambda c: sym.BatchNorm(c, name="bn") + c)(layer("flat", X, False, "c")),
        sym.BatchNorm(layer("flat", X, False, "c"), axis=3, name="bn"),
        sym.Group(list(sym.BatchNorm(layer("flat", X, False, "c"), output_mean_var=True, name="bn"))),
        sym.BatchNorm(X, name="bn"),
        sym.BatchNorm(sym.relu(layer("flat", X, False, "c")), name="bn"),
    ],
    ids=["head", "used twice", "other axis", "statistics", "no layer", "between"],
)
def test_what_cannot_be_folded_stays(net):
    executor = bound(net, SHAPES["flat"])
    arrays = {**executor.arg_dict, **executor.aux_dict}
    assert "BatchNorm" in operators(after(fold_norms, net, **arrays))
    for found, expected in zip([out.asnumpy() for out in executor.forward()], plain(executor), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def norm_of_dense():
    net = sym.BatchNorm(layer("dense", X, False, "f"), fix_gamma=False, name="bn")
    return bound(net, SHAPES["dense"])


def test_weights_are_folded_once_until_they_change(monkeypatch):
    executor = norm_of_dense()
    runs = []
    run = Schedule.run
    monkeypatch.setattr(Schedule, "run", lambda self, is_train: (runs.append(self), run(self, is_train)))
    changes = [
        lambda: None,
        lambda: executor.arg_dict["x"].__setitem__(slice(None), 3),
        lambda: executor.arg_dict["f_weight"].__setitem__(0, 3),
        lambda: executor.aux_dict["bn_moving_var"].__imul__(2),
        lambda: np.asarray(executor.arg_dict["bn_gamma"]).__setitem__(0, 5),
    ]
    executor.forward()
    counts = []
    for change in changes:
        change()
        runs.clear()
        found = executor.forward()[0].asnumpy()
        counts.append(len(runs))
        np.testing.assert_allclose(found, plain(executor)[0], rtol=1e-4, atol=1e-4)

    assert counts == [1, 1, 2, 2, 2]


def test_what_is_written_through_a_view_that_stays_is_seen():
    executor = norm_of_dense()
    view = np.asarray(executor.arg_dict["f_weight"])
    for _ in range(3):
        view[:] += 1
        np.testing.assert_allclose(executor.forward()[0].asnumpy(), plain(executor)[0], rtol=1e-4, atol=1e-3)


def test_computed_weights_are_not_folded():
    weight = sym.tanh(sym.Variable("w"))
    made = sym.FullyConnected(X, weight, num_hidden=6, no_bias=True, name="f")
    executor = bound(sym.BatchNorm(made, name="bn"), SHAPES["dense"])
    arrays = {**executor.arg_dict, **executor.aux_dict}

    assert "BatchNorm" in operators(after(fold_norms, executor._symbol, **arrays))
