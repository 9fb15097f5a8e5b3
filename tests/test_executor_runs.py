"""What runs of a bound graph show and leave behind: errors, names for monitors, second backward passes."""

import ctypes
import inspect

import numpy as np
import pytest

import mxcy as mx
from mxcy.base import NDArrayHandle, py_str
from mxcy.errors import ArgumentError

sym, nd = mx.sym, mx.nd


def raised(executor):
    with pytest.raises(IndexError) as caught:
        executor.forward(is_train=True)
        executor.outputs[0].asnumpy()
    return caught.value


@pytest.mark.parametrize("size", [2, 100_000])
def test_failure_in_a_node_names_it_and_the_line_that_made_it(size):
    index, table = sym.Variable("index"), sym.Variable("table")
    found = sym.take(sym.tanh(table), index, mode="raise", name="lookup")
    line = inspect.currentframe().f_lineno - 1
    executor = sym.exp(found).simple_bind(mx.cpu(), index=(3,), table=(4, size))
    executor.arg_dict["index"][:] = [0, 9, 1]
    error = raised(executor)

    note = next(note for note in error.__notes__ if "node 'lookup'" in note)
    assert f'made by "{__file__}", line {line}' in note


def test_after_a_failure_good_values_give_good_results():
    net = sym.exp(sym.take(sym.tanh(sym.Variable("table")), sym.Variable("index"), mode="raise"))
    executor = net.simple_bind(mx.cpu(), index=(3,), table=(4, 5))
    executor.arg_dict["index"][:] = [0, 9, 1]
    raised(executor)
    executor.arg_dict["index"][:] = [0, 2, 1]
    executor.forward(is_train=True)
    executor.backward(nd.ones((3, 5)))

    assert np.array_equal(executor.outputs[0].asnumpy(), np.ones((3, 5)))
    assert np.array_equal(executor.grad_dict["table"].asnumpy(), [[1] * 5, [1] * 5, [1] * 5, [0] * 5])


@pytest.mark.parametrize(
    "make, names",
    [
        (lambda x: sym.Flatten(x, name="n"), ["x", "n_input0", "n_output"]),
        (lambda x: sym.exp(sym.Reshape(x, shape=(-1,), name="r"), name="n"),
         ["x", "r_input0", "r_output", "n_input0", "n_output"]),
        (lambda x: sym.SoftmaxActivation(x, name="n"), ["x", "n_input0", "n_output"]),
        (lambda x: sym.sum(x, axis=1, name="n"), ["x", "n_input0", "n_output"]),
        (lambda x: sym.softmax(x, name="n"), ["x", "n_data", "n_output"]),
        (lambda x: sym.contrib.quadratic(x, name="n"), ["x", "n_data", "n_output"]),
        (lambda x: sym.squeeze(x, name="n"), ["x", "n_data", "n_output"]),
    ],
)  # fmt: skip
def test_monitor_shows_also_what_only_names_its_operand_anew(make, names):
    executor = make(sym.Variable("x")).simple_bind(mx.cpu(), grad_req="null", x=(2, 3, 2))
    seen = []
    executor.set_monitor_callback(lambda name, array: seen.append(name), monitor_all=True)
    executor.forward()

    assert seen == names  # as MXNet 1.9.1 shows them


def test_monitors_may_cast_arrays_to_handles_and_back():
    executor = sym.exp(sym.Variable("x"), name="n").simple_bind(mx.cpu(), x=(2,))
    seen = {}

    def look(name, array):
        shown = nd.NDArray(ctypes.cast(array, NDArrayHandle), writable=False)
        seen[py_str(name)] = nd.min(shown).asscalar(), shown.writable

    executor.set_monitor_callback(look, monitor_all=True)
    executor.forward()

    assert seen == {"x": (0, False), "n_input0": (0, False), "n_output": (1, False)}
    for handle in (NDArrayHandle(), NDArrayHandle(1)):
        with pytest.raises(ArgumentError, match="expected that of an array"):
            nd.NDArray(handle)
    x = nd.ones(2)
    nd.NDArray(x.handle)[:] = 3
    assert x.asnumpy().tolist() == [3, 3]


def test_monitor_shows_operands_and_results_under_the_names_of_mxnet():
    x, w = sym.Variable("x"), sym.Variable("w")
    act = sym.Activation(sym.FullyConnected(x, w, no_bias=True, num_hidden=3, name="fc"), act_type="relu",
                         name="act")  # fmt: skip
    parts = sym.SliceChannel(act, num_outputs=3, name="sp")
    net = sym.Group([parts[0] + parts[1] * 2, sym.Dropout(act, name="dr")])
    executor = net.simple_bind(mx.cpu(), x=(2, 4))
    names = []
    executor.set_monitor_callback(lambda name, array: names.append(name), monitor_all=True)
    executor.forward(is_train=True)

    times, plus = (next(n for n in names if n.startswith(p)).split("_input0")[0].split("_lhs")[0]
                   for p in ("_mulscalar", "_plus"))  # fmt: skip
    # As MXNet 1.9.1 shows them.
    assert names == [
        "x", "fc_data", "w", "fc_weight", "fc_output", "act_input0", "act_output", "sp_data", "sp_output0",
        "sp_output1", "sp_output2", f"{times}_input0", f"{times}_output", f"{plus}_lhs", f"{plus}_rhs",
        f"{plus}_output", "dr_data", "dr_output", "dr_mask",
    ]  # fmt: skip


def test_second_backward_of_a_graph_with_states_and_random_numbers():
    x = sym.Variable("x")
    net = sym.exp(sym.BatchNorm(sym.Dropout(sym.tanh(x)), fix_gamma=False, name="bn") * 0.5)
    executor = net.simple_bind(mx.cpu(), x=(8, 3))
    rng = np.random.default_rng(0)
    executor.arg_dict["x"][:] = rng.standard_normal((8, 3))
    executor.arg_dict["bn_gamma"][:] = 1
    executor.forward_backward(nd.ones((8, 3)))
    gradients = [g.asnumpy() for g in executor.grad_arrays]
    states = [s.asnumpy() for s in executor.aux_arrays]
    executor.backward(nd.ones((8, 3)))

    for mine, expected in zip(
        [*executor.grad_arrays, *executor.aux_arrays], [*gradients, *states], strict=True
    ):
        assert np.array_equal(mine.asnumpy(), expected)


A, B = sym.Variable("a"), sym.Variable("b")


@pytest.mark.parametrize(
    "net, saved",
    [
        ((A + 1) + (A + 2), 0),
        ((A + B) + (A + B), 1),
        (((A + B) * A) - ((A + B) * A), 2),
        (sym.Group([A * B, A * B]), 0),  # the second output is a copy
        (sym.Group([A * B + A, A * B + A]), 1),
        (sym.Dropout(A) + sym.Dropout(A), 0),  # each draws
    ],
)
def test_equal_nodes_become_one_in_the_optimized_symbol(net, saved, monkeypatch):
    values = {name: nd.array([[1, 2], [3, 4]]) for name in net.list_arguments()}
    found = []
    for wanted in "01":
        monkeypatch.setenv("MXNET_ELIMINATE_COMMON_EXPR", wanted)
        executor = net.bind(mx.cpu(), values)
        made = executor.get_optimized_symbol()
        outputs = [x.asnumpy().tolist() for x in executor.forward()]
        assert outputs == [x.asnumpy().tolist() for x in made.eval(**values)]
        found.append((len(made.get_internals()), outputs))

    (before, plain), (after, merged) = found
    assert before - after == saved
    assert plain == merged


def classifier(drop=False):
    net = sym.BatchNorm(sym.FullyConnected(sym.Variable("x"), num_hidden=6, name="f"), name="bn")
    net = sym.Dropout(net, p=0.5) if drop else sym.tanh(net)
    return sym.SoftmaxOutput(sym.FullyConnected(net, num_hidden=3, name="g"), name="softmax")


def bound_classifier(drop=False, large=1):
    executor = classifier(drop).simple_bind(mx.cpu(), x=(8 * large, 4))
    rng = np.random.default_rng(0)
    for value in executor.arg_arrays:
        value[:] = rng.standard_normal(value.shape)
    return executor


@pytest.mark.parametrize(("drop", "large"), [(False, 1), (False, 4000), (True, 1)])
def test_forward_and_backward_together_are_forward_then_backward(drop, large):
    together, apart = bound_classifier(drop, large), bound_classifier(drop, large)
    for _ in range(3):
        mx.random.seed(5)
        together.forward_backward(x=nd.full((8 * large, 4), 0.5))
        mx.random.seed(5)
        apart.forward(is_train=True, x=nd.full((8 * large, 4), 0.5))
        apart.backward()

    for name in ("outputs", "grad_arrays", "aux_arrays"):
        for mine, expected in zip(getattr(together, name), getattr(apart, name), strict=True):
            assert np.array_equal(mine.asnumpy(), expected.asnumpy())


def test_forward_and_backward_of_a_loss_are_one_push():
    executor = bound_classifier()
    executor.forward_backward()

    assert len(executor._program.both._parts[True]) == 1
    together = [g.asnumpy() for g in executor.grad_arrays]
    executor.backward()
    assert all(np.array_equal(g.asnumpy(), t) for g, t in zip(executor.grad_arrays, together, strict=True))


def test_forward_and_backward_of_what_is_no_loss_ask_for_its_gradient():
    executor = sym.tanh(sym.Variable("x")).simple_bind(mx.cpu(), x=(3,))

    with pytest.raises(ArgumentError, match="the output is no loss"):
        executor.forward_backward()
    executor.forward_backward(nd.ones((3,)))
    assert np.array_equal(executor.grad_arrays[0].asnumpy(), [1, 1, 1])
