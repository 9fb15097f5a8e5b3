"""Passes that make nodes fewer: each on small graphs, and on random ones against the graph as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from symbol_graphs import graphs

import mxcy as mx
from mxcy.executor import options
from mxcy.graph.combine import combine
from mxcy.graph.constants import LARGEST, Constant, fold_constants
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
