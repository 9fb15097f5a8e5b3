"""Graphs on several contexts: where arrays are, and that results do not depend on it."""

import numpy as np
import pytest
from symbol_graphs import mlp

import mxcy as mx
from mxcy.errors import BindError

sym = mx.sym
GROUPS = {"first": mx.cpu(1), "second": mx.cpu(2)}


def network():
    """Two layers, each in a group; its loss is in none."""
    with mx.AttrScope(ctx_group="first"):
        data = sym.Variable("data")
        hidden = sym.Activation(sym.FullyConnected(data, num_hidden=6, name="fc1"), act_type="tanh")
        norm = sym.BatchNorm(hidden, name="bn", fix_gamma=False)
    with mx.AttrScope(ctx_group="second"):
        top = sym.FullyConnected(norm + hidden, num_hidden=3, name="fc2")
    return sym.SoftmaxOutput(top, name="softmax")


def run(groups):
    executor = network().simple_bind(mx.cpu(), group2ctx=groups, data=(4, 5), softmax_label=(4,))
    rng = np.random.default_rng(0)
    for name, array in executor.arg_dict.items():
        array[:] = rng.standard_normal(array.shape) if name != "softmax_label" else [0, 1, 2, 1]
    for _ in range(3):
        executor.forward(is_train=True)
        executor.backward()
    return executor


@pytest.fixture(scope="module")
def placed():
    return run(GROUPS)


def test_arrays_are_where_their_groups_are(placed):
    places = {name: array.context for name, array in placed.arg_dict.items()}

    assert places == {
        "data": mx.cpu(1), "fc1_weight": mx.cpu(1), "fc1_bias": mx.cpu(1), "bn_gamma": mx.cpu(1),
        "bn_beta": mx.cpu(1), "fc2_weight": mx.cpu(2), "fc2_bias": mx.cpu(2), "softmax_label": mx.cpu(2),
    }  # fmt: skip
    assert {name: array.context for name, array in placed.grad_dict.items()} == places
    assert {array.context for array in placed.aux_arrays} == {mx.cpu(1)}
    assert placed.outputs[0].context == mx.cpu(2)


def test_results_do_not_depend_on_the_place(placed):
    plain = run(None)

    for mine, expected in (
        (placed.outputs, plain.outputs),
        (placed.grad_arrays, plain.grad_arrays),
        (placed.aux_arrays, plain.aux_arrays),
    ):
        for a, b in zip(mine, expected, strict=True):
            assert np.array_equal(a.asnumpy(), b.asnumpy())


def test_values_are_copied_at_the_border_and_gradients_back(placed):
    text = placed.debug_str()

    assert text.count("Op:_CrossDeviceCopy") == 4, "two results pass, and two gradients"


def test_a_reshaped_executor_stays_where_it_was(placed):
    smaller = placed.reshape(data=(2, 5), softmax_label=(2,))

    assert smaller.arg_dict["fc2_weight"].context == mx.cpu(2)
    assert smaller.forward()[0].context == mx.cpu(2)


def test_monitor_sees_a_placed_graph():
    names = []
    executor = run(GROUPS)
    executor.set_monitor_callback(lambda name, array: names.append(name))
    executor.forward()

    assert "fc1_output" in names
    assert "softmax_output" in names


def test_what_is_in_no_group_goes_to_its_neighbours_or_to_the_default():
    with mx.AttrScope(ctx_group="first"):
        x = sym.Variable("x") * 2
    net = sym.Group([x + sym.Variable("y"), sym.Variable("z") * 3])
    executor = net.simple_bind(mx.cpu(), group2ctx=GROUPS, x=(2,), y=(2,), z=(2,))

    assert [array.context for array in executor.arg_arrays] == [mx.cpu(1), mx.cpu(1), mx.cpu(0)]
    assert [array.context for array in executor.outputs] == [mx.cpu(1), mx.cpu(0)]


def test_a_group_without_context_and_an_array_elsewhere_are_errors():
    with pytest.raises(BindError, match="group2ctx expected a context for 'second'"):
        network().simple_bind(mx.cpu(), group2ctx={"first": mx.cpu(1)}, data=(4, 5))
    arguments = {"x": mx.nd.ones(2, ctx=mx.cpu(1)), "y": mx.nd.ones(2)}
    with pytest.raises(BindError, match=r"'x' expected to be on cpu\(0\), got cpu\(1\)"):
        (sym.Variable("x") + sym.Variable("y")).bind(mx.cpu(), arguments)


def test_a_graph_without_groups_ignores_them():
    executor = mlp().simple_bind(mx.cpu(), group2ctx=GROUPS, data=(2, 5))

    assert {array.context for array in executor.arg_arrays} == {mx.cpu(0)}
