"""Executors: forward, backward, requests, errors that name everything, reshape, monitors."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from symbol_graphs import graphs

import mxcy as mx
from mxcy.errors import ArgumentError, ArgumentTypeError, BindError, ShapeError

sym, nd = mx.sym, mx.nd


@pytest.fixture(autouse=True)
def fresh_names():
    with mx.name.NameManager():
        yield


def arr(*values, dtype="float32"):
    return nd.array(np.array(values), dtype=dtype)


def linear():
    return sym.FullyConnected(sym.Variable("x"), num_hidden=2, name="f")


# --- forward and backward --------------------------------------------------------------------------------


def test_forward_reads_arguments_as_they_are_now():
    x = nd.ones((3,))
    executor = (sym.Variable("x") * 2).bind(mx.cpu(), {"x": x})

    (output,) = executor.forward()
    np.testing.assert_array_equal(output.asnumpy(), [2, 2, 2])
    x += 1
    np.testing.assert_array_equal(executor.forward()[0].asnumpy(), [4, 4, 4])
    np.testing.assert_array_equal(executor.forward(x=arr(5, 6, 7))[0].asnumpy(), [10, 12, 14])
    np.testing.assert_array_equal(executor.forward(x=np.zeros(3))[0].asnumpy(), [0, 0, 0])
    assert executor.outputs[0] is output
    assert list(executor.output_dict) == ["_mulscalar0_output"]


def test_requests_write_add_and_null():
    x, y, z = (sym.Variable(name) for name in "xyz")
    values = {name: arr(1, 2) for name in "xyz"}
    grads = {name: arr(100, 100) for name in "xyz"}
    executor = (x * y * z).bind(mx.cpu(), values, grads, {"x": "write", "y": "add", "z": "null"})
    for _ in range(2):
        executor.forward(is_train=True)
        executor.backward(nd.ones((2,)))

    np.testing.assert_array_equal(grads["x"].asnumpy(), [1, 4])
    np.testing.assert_array_equal(grads["y"].asnumpy(), [102, 108])
    np.testing.assert_array_equal(grads["z"].asnumpy(), [100, 100])
    assert executor.grad_dict["z"] is None


@pytest.mark.parametrize("req", ["write", "add"])
def test_gradients_that_are_head_gradients_or_shared(req):
    x, y, unused = sym.Variable("x"), sym.Variable("y"), sym.Variable("unused")
    net = sym.Group([x + y, sym.BlockGrad(unused), x])
    grads = {name: nd.ones((2,)) for name in ("x", "y", "unused")}
    executor = net.bind(mx.cpu(), {name: nd.ones((2,)) for name in grads}, grads, req)
    executor.forward(is_train=True)
    executor.backward([arr(1, 10), None, arr(100, 1000)])
    old = 1 if req == "add" else 0

    np.testing.assert_array_equal(grads["x"].asnumpy(), np.array([101, 1010]) + old)
    np.testing.assert_array_equal(grads["y"].asnumpy(), np.array([1, 10]) + old)
    np.testing.assert_array_equal(grads["unused"].asnumpy(), [old, old])


def test_outputs_that_are_arguments_are_copies():
    x = nd.ones((2,))
    (output,) = sym.Variable("x").bind(mx.cpu(), [x]).forward()
    x += 1

    np.testing.assert_array_equal(output.asnumpy(), [1, 1])


def test_losses_need_no_head_gradient():
    x = sym.Variable("x")
    net = sym.Group([sym.SoftmaxOutput(x, name="sm"), sym.BlockGrad(x * 2)])
    executor = net.simple_bind(mx.cpu(), x=(2, 3))
    executor.forward(is_train=True)
    executor.backward()

    expected = [[-2 / 3, 1 / 3, 1 / 3]] * 2
    np.testing.assert_allclose(executor.grad_dict["x"].asnumpy(), expected, rtol=1e-6)
    executor.backward([nd.ones((2, 3)) * 9])
    np.testing.assert_allclose(executor.grad_dict["x"].asnumpy(), expected, rtol=1e-6)


def test_head_gradients_by_order_name_and_type():
    x = sym.Variable("x")
    net = sym.Group([sym.identity(x * 2, name="a"), sym.identity(x * 3, name="b")])
    grad = nd.zeros((2,))
    executor = net.bind(mx.cpu(), {"x": nd.ones((2,))}, {"x": grad})
    executor.forward(is_train=True)
    for heads in (
        [nd.ones((2,)), nd.ones((2,)) * 10],
        {"b_output": np.full(2, 10.0), "a_output": nd.ones((2,))},
    ):
        grad[:] = 0
        executor.backward(heads)
        np.testing.assert_array_equal(grad.asnumpy(), [32, 32])

    single = (x * 2).bind(mx.cpu(), [nd.ones((2,))], [grad])
    single.forward(is_train=True)
    single.backward(arr(1, 2, dtype="float64"))
    np.testing.assert_array_equal(grad.asnumpy(), [2, 4])


def test_training_and_prediction_differ_where_operators_say_so():
    executor = sym.Dropout(sym.Variable("x"), p=0.5).simple_bind(mx.cpu(), x=(1000,))
    executor.arg_dict["x"][:] = 1
    executor.forward(is_train=True)
    executor.backward(nd.ones((1000,)))
    kept = executor.outputs[0].asnumpy()

    assert set(kept) == {0.0, 2.0}
    np.testing.assert_array_equal(executor.grad_dict["x"].asnumpy(), kept)
    np.testing.assert_array_equal(executor.forward()[0].asnumpy(), np.ones(1000))


def test_gradients_of_a_perceptron_are_right():
    """Central differences along a random direction, in float64."""
    net = sym.FullyConnected(sym.Variable("x"), num_hidden=4, name="f1")
    net = sym.FullyConnected(sym.Activation(net, act_type="tanh"), num_hidden=3, name="f2")
    net = sym.sum(sym.log_softmax(net) * sym.Variable("t"))
    executor = net.simple_bind(mx.cpu(), x=(5, 6), t=(5, 3), type_dict={"x": "float64"})
    rng = np.random.default_rng(0)
    values = {name: rng.normal(size=array.shape) for name, array in executor.arg_dict.items()}
    directions = {name: rng.normal(size=array.shape) for name, array in executor.arg_dict.items()}

    def at(step):
        moved = {name: values[name] + step * directions[name] for name in values}
        return float(executor.forward(is_train=True, **moved)[0].asscalar())

    numeric = (at(1e-5) - at(-1e-5)) / 2e-5
    at(0)
    executor.backward(nd.ones((1,), dtype="float64"))
    analytic = sum((executor.grad_dict[n].asnumpy() * directions[n]).sum() for n in values)
    assert analytic == pytest.approx(numeric, rel=1e-6)


def eager(net, values):
    """Evaluate a symbol node by node on arrays, without an executor."""
    arrays = {}
    for node in net._graph.nodes:
        if node.op is None:
            arrays[node, 0] = values[node.name]
        else:
            inputs = [arrays[source.node, source.index] for source in node.inputs]
            for index, out in enumerate(node.op.compute(inputs, node.attrs)):
                arrays[node, index] = out
    return [arrays[head.node, head.index].asnumpy() for head in net._graph.heads]


@given(graphs(), st.integers(0, 2**32 - 1))
def test_bound_equals_eager_and_gradients_match_differences(net, seed):
    rng = np.random.default_rng(seed)
    names = net.list_arguments()
    values = {name: rng.uniform(-1, 1, (2, 4)) for name in names}
    arrays = {name: nd.array(value, dtype="float64") for name, value in values.items()}
    grads = {name: nd.ones((2, 4), dtype="float64") for name in names}
    executor = net.bind(mx.cpu(), arrays, grads, "add")
    outputs = [out.asnumpy() for out in executor.forward(is_train=True)]

    for bound, plain in zip(outputs, eager(net, arrays), strict=True):
        np.testing.assert_array_equal(bound, plain)

    heads = [rng.uniform(-1, 1, out.shape) for out in outputs]
    executor.backward([nd.array(head, dtype="float64") for head in heads])
    directions = {name: rng.uniform(-1, 1, (2, 4)) for name in names}

    def at(step):
        moved = {n: nd.array(values[n] + step * directions[n], dtype="float64") for n in names}
        return sum((head * out).sum() for head, out in zip(heads, eager(net, moved), strict=True))

    step = 1e-6
    numeric = (at(step) - at(-step)) / (2 * step)
    analytic = sum(((grads[n].asnumpy() - 1) * directions[n]).sum() for n in names)
    scale = 1 + sum(np.abs(grads[n].asnumpy()).sum() for n in names)
    assume(scale < 1e6)  # products of products may explode
    assert abs(analytic - numeric) < 1e-4 * scale


def test_results_do_not_depend_on_the_order_of_dicts():
    x, y = sym.Variable("x"), sym.Variable("y")
    net = sym.exp(x) * y + sym.tanh(y) * x
    values = {"x": nd.array([0.1, 0.7]), "y": nd.array([1.3, -0.2])}
    results = []
    for names in (["x", "y"], ["y", "x"]):
        grads = {name: nd.zeros((2,)) for name in names}
        executor = net.bind(mx.cpu(), {name: values[name] for name in names}, grads)
        executor.forward(is_train=True)
        executor.backward(nd.ones((2,)))
        results.append([grads["x"].asnumpy().tobytes(), grads["y"].asnumpy().tobytes()])

    assert results[0] == results[1]


# --- arrays ----------------------------------------------------------------------------------------------


def test_simple_bind_makes_what_is_asked():
    executor = linear().simple_bind(
        mx.cpu(), x=(2, 3), grad_req={"f_weight": "write"}, type_dict={"x": "float64"}
    )

    assert [a.shape for a in executor.arg_arrays] == [(2, 3), (2, 3), (2,)]
    assert {a.dtype for a in executor.arg_arrays} == {np.float64}
    assert executor.grad_arrays[0] is executor.grad_arrays[2] is None
    assert executor.grad_dict["f_weight"].shape == (2, 3)
    assert executor.aux_dict == {}
    assert not executor.arg_dict["f_weight"].asnumpy().any()


def test_simple_bind_shares_arrays():
    buffer = {}
    first = linear().simple_bind(mx.cpu(), x=(2, 3), shared_buffer=buffer)
    second = linear().simple_bind(mx.cpu(), x=(5, 3), shared_buffer=buffer)
    third = linear().simple_bind(mx.cpu(), x=(7, 3), shared_exec=first, shared_arg_names=["f_weight"])

    assert second.arg_dict["f_weight"] is first.arg_dict["f_weight"] is third.arg_dict["f_weight"]
    assert second.arg_dict["x"].shape == (5, 3)
    assert third.arg_dict["f_bias"] is not first.arg_dict["f_bias"]


def test_copy_params_from():
    executor = linear().simple_bind(mx.cpu(), x=(2, 3))
    executor.copy_params_from({"f_bias": arr(1, 2)})

    np.testing.assert_array_equal(executor.arg_dict["f_bias"].asnumpy(), [1, 2])
    executor.copy_params_from({"f_bais": arr(1, 2)}, allow_extra_params=True)
    with pytest.raises(ArgumentError, match="did you mean f_bias"):
        executor.copy_params_from({"f_bais": arr(1, 2)})
    with pytest.raises(ShapeError, match=r"expected shape \(2,\) for 'f_bias', got \(3,\)"):
        executor.copy_params_from({"f_bias": nd.ones((3,))})


def test_reshape_shares_what_keeps_its_shape():
    executor = linear().simple_bind(mx.cpu(), x=(4, 3))
    executor.arg_dict["f_weight"][:] = 1
    small = executor.reshape(x=(2, 3))

    assert small.arg_dict["f_weight"] is executor.arg_dict["f_weight"]
    np.testing.assert_array_equal(small.forward(x=nd.ones((2, 3)))[0].asnumpy(), np.full((2, 2), 3))
    assert executor.reshape(x=(9, 3), allow_up_sizing=True).outputs[0].shape == (9, 2)
    with pytest.raises(BindError, match="'x' would grow.*allow_up_sizing") as raised:
        executor.reshape(x=(9, 3))
    assert str(raised.value).count("'x' would grow") == 1
    with pytest.raises(
        BindError, match=r"'f_weight' would become \(2, 2\) instead of \(2, 3\).*partial_shaping"
    ):
        executor.reshape(x=(4, 2))
    assert executor.reshape(x=(4, 2), partial_shaping=True).arg_dict["f_weight"].shape == (2, 2)


def test_an_executor_reshaped_to_a_smaller_shape_writes_into_the_outputs_of_the_old_one():
    executor = linear().simple_bind(mx.cpu(), x=(5, 3))
    executor.arg_dict["f_weight"][:] = 1
    small = executor.reshape(x=(3, 3))
    small.forward(x=nd.ones((3, 3)))

    np.testing.assert_array_equal(executor.outputs[0].asnumpy()[:3], np.full((3, 2), 3))
    executor.forward(x=nd.ones((5, 3)) * 2)
    np.testing.assert_array_equal(small.outputs[0].asnumpy(), np.full((3, 2), 6))
    large = executor.reshape(x=(6, 3), allow_up_sizing=True)
    large.forward(x=nd.zeros((6, 3)))
    np.testing.assert_array_equal(executor.outputs[0].asnumpy(), np.full((5, 2), 6))


def test_reshape_to_a_smaller_shape_keeps_the_first_elements_and_a_larger_one_is_new():
    executor = linear().simple_bind(mx.cpu(), x=(3, 2), grad_req={"x": "write"})
    executor.arg_dict["x"][:] = arr([1, 2], [3, 4], [5, 6])
    small = executor.reshape(x=(2, 2))
    large = executor.reshape(x=(4, 2), allow_up_sizing=True)

    np.testing.assert_array_equal(small.arg_dict["x"].asnumpy(), [[1, 2], [3, 4]])
    small.arg_dict["x"][:] = 0
    small.grad_dict["x"][:] = 7
    np.testing.assert_array_equal(executor.arg_dict["x"].asnumpy(), [[0, 0], [0, 0], [5, 6]])
    np.testing.assert_array_equal(executor.grad_dict["x"].asnumpy(), [[7, 7], [7, 7], [0, 0]])
    large.arg_dict["x"][:] = 9
    np.testing.assert_array_equal(executor.arg_dict["x"].asnumpy(), [[0, 0], [0, 0], [5, 6]])


# --- errors ----------------------------------------------------------------------------------------------


def good():
    return {"x": nd.ones((2, 3)), "f_weight": nd.ones((2, 3)), "f_bias": nd.ones((2,))}


def bind(args=None, **keywords):
    return linear().bind(mx.cpu(), good() if args is None else args, **keywords)


def shared_gradient():
    args = good()
    return bind(args, args_grad={"f_weight": args["f_weight"]})


def twice():
    grad = nd.ones((2, 3))
    return bind(args_grad={"x": grad, "f_weight": grad})


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: bind({"x": nd.ones((2, 3))}), "missing arrays in args for 'f_weight', 'f_bias'; arg"),
        (lambda: bind([nd.ones((2, 3))]), "expected 3 arrays in args, got 1"),
        (lambda: bind({"x": nd.ones((2, 3)), "f_wieght": nd.ones((2,))}), "surplus 'f_wieght' in args (did"),
        (lambda: bind(good() | {"f_bias": 3}), "args 'f_bias' expected an NDArray, got int"),
        (lambda: bind(good() | {"f_weight": nd.ones((2, 4))}), "'f_weight' expected shape (2, 3), got (2"),
        (lambda: bind(good() | {"f_weight": nd.ones((2, 4)), "f_bias": nd.ones((5,))}), "; 'f_bias' "),
        (lambda: bind(good() | {"f_bias": nd.ones((2,), dtype="int32")}), "'f_bias' expected dtype float32"),
        (lambda: bind(args_grad={"x": nd.ones((3, 2))}), "gradient of 'x' expected shape (2, 3), got (3, 2)"),
        (lambda: bind(args_grad={"x": nd.ones((2, 3), dtype="int8")}), "'x' expected dtype float32"),
        (lambda: bind(grad_req="foo"), "expected grad_req among write, add, null, got 'foo'"),
        (lambda: bind(grad_req=["write"]), "expected one grad_req, 3 in a list, or a dict"),
        (lambda: bind(group2ctx={"a": mx.gpu()}), "group2ctx 'a' expected a context of type cpu, got gpu(0)"),
        (lambda: bind(group2ctx={"a": "cpu"}), "group2ctx 'a' expected a Context, got str"),
        (shared_gradient, "gradient of 'f_weight' shares memory with 'f_weight'"),
        (twice, "gradient of 'f_weight' shares memory with the gradient of 'x'"),
        (lambda: linear().simple_bind(mx.cpu()), "not those of 'x' (unknown), 'f_weight'"),
        (lambda: linear().simple_bind(mx.cpu(), X=(2, 3)), "surplus 'X' in shapes"),
        (lambda: linear().simple_bind(mx.cpu(), x=(2, 3), stype_dict={"x": "coo"}),
         "stype_dict 'x' expected 'default', 'csr' or 'row_sparse', got 'coo'"),
        (lambda: (sym.Variable("a") + sym.Variable("a")).bind(mx.cpu(), {"a": nd.ones((2,))}),
         "2 variables have the name 'a'; give args in order"),
    ],
)  # fmt: skip
def test_binding_names_everything_at_once(call, match):
    with pytest.raises(BindError) as raised:
        call()

    assert match in str(raised.value)


def test_binding_collects_all_problems():
    with pytest.raises(BindError) as raised:
        bind({"x": nd.ones((2, 3)), "zz": nd.ones((1,)), "f_bias": nd.ones((5,))}, grad_req="foo")

    for part in (
        "missing array in args for 'f_weight'",
        "surplus 'zz'",
        "'f_bias' expected shape (2,)",
        "'foo'",
    ):
        assert part in str(raised.value)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: bind(good() | {"f_wieght": nd.ones((2,))}), r"'f_wieght' in args \(did you mean f_w"),
        (lambda: bind(args_grad={"zz": nd.ones((2,))}), "ignored surplus 'zz' in args_grad; arguments are x"),
        (lambda: bind(grad_req={"zz": "write"}), "surplus 'zz' in grad_req"),
        (lambda: linear().simple_bind(mx.cpu(), x=(2, 3), zz=(2,)), "surplus 'zz' in shapes"),
        (lambda: linear().simple_bind(mx.cpu(), x=(2, 3), type_dict={"zz": "int8"}), "'zz' in type_dict"),
    ],
)
def test_names_that_a_symbol_does_not_have_are_ignored_with_a_warning(call, match):
    with pytest.warns(UserWarning, match=match) as warned:
        executor = call()

    assert executor.forward()[0].shape == (2, 2)
    assert warned[0].filename == __file__


def test_variables_of_one_name_are_bound_in_order_and_have_one_shape():
    twice = sym.Variable("a") + sym.Variable("a")
    (output,) = twice.bind(mx.cpu(), [arr(1, 2), arr(3, 4)]).forward()

    np.testing.assert_array_equal(output.asnumpy(), [4, 6])
    assert [x.shape for x in twice.simple_bind(mx.cpu(), a=(5,)).arg_arrays] == [(5,), (5,)]


def test_binding_to_something_else_than_arrays_is_a_type_error():
    with pytest.raises(ArgumentTypeError, match="expected a list or a dict of arrays, got int"):
        bind(3)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda e: e.forward(foo=nd.ones((1,))),
            ArgumentTypeError,
            "forward: expected an argument, got 'foo'",
        ),
        (
            lambda e: e.forward(x=nd.ones((3, 3))),
            ShapeError,
            "forward(x): expected shape (2, 3), got (3, 3); reshape",
        ),
        (lambda e: e.forward(x=3), ArgumentError, "forward(x): expected an array, got int"),
        (lambda e: e.backward(), ArgumentError, "expected the gradient of 'f_output', got none"),
        (
            lambda e: e.backward(nd.ones((3, 2))),
            ShapeError,
            "expected shape (2, 2) for 'f_output', got (3, 2)",
        ),
        (lambda e: e.backward(3), ArgumentTypeError, "expected an NDArray for 'f_output', got int"),
        (lambda e: e.backward({"f": nd.ones((2, 2))}), ArgumentError, "expected an output, got 'f'"),
    ],
)
def test_runs_name_what_does_not_fit(call, error, match):
    executor = linear().simple_bind(mx.cpu(), x=(2, 3))
    executor.forward(is_train=True)
    with pytest.raises(error) as raised:
        call(executor)

    assert match in str(raised.value)


def test_backward_runs_forward_if_nobody_has():
    first, second = (linear().simple_bind(mx.cpu(), x=(2, 3)) for _ in range(2))
    for executor in (first, second):
        for name, value in executor.arg_dict.items():
            value[:] = len(name)
    first.forward(is_train=True)
    for executor in (first, second):
        executor.backward(nd.ones((2, 2)))

    for name, gradient in first.grad_dict.items():
        np.testing.assert_array_equal(second.grad_dict[name].asnumpy(), gradient.asnumpy())


def test_context_is_checked():
    with pytest.raises(ArgumentTypeError, match=r"bind\(ctx\): expected a Context, got str"):
        linear().bind("cpu", {})


# --- looking in ------------------------------------------------------------------------------------------


def test_monitor_sees_every_result():
    executor = sym.exp(sym.Variable("x") * 2, name="e").simple_bind(mx.cpu(), x=(2,))
    seen = []
    executor.set_monitor_callback(lambda name, value: seen.append((name, value.shape)))
    executor.forward()
    assert seen == [("_mulscalar0_output", (2,)), ("e_output", (2,))]

    seen.clear()
    executor.set_monitor_callback(lambda name, value: seen.append((name, value.asnumpy().tolist())), True)
    executor.forward()
    assert seen[0] == ("x", [0, 0])
    executor.backward(nd.ones((2,)))
    executor.set_monitor_callback(None)
    executor.forward()


def test_debug_str_ends_with_the_memory():
    text = linear().simple_bind(mx.cpu(), x=(2, 3)).debug_str()

    assert "Op:FullyConnected, Name=f" in text
    assert text.splitlines()[-1].endswith(" MB allocated")


def test_long_chains_bind_and_run():
    net = sym.Variable("x")
    for _ in range(20_000):
        net = net + 1
    executor = net.simple_bind(mx.cpu(), x=(2,))
    executor.forward(is_train=True)
    executor.backward(nd.ones((2,)))

    np.testing.assert_array_equal(executor.outputs[0].asnumpy(), [20_000, 20_000])
    np.testing.assert_array_equal(executor.grad_arrays[0].asnumpy(), [1, 1])


def test_every_backward_reads_the_gradient_it_is_given():
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc", no_bias=True)
    exe = net.simple_bind(mx.cpu(), data=(2, 4))
    exe.arg_dict["data"][:] = 1
    for value in range(4):
        exe.forward(is_train=True)
        exe.backward(mx.nd.full((2, 3), value))

        assert (exe.grad_dict["fc_weight"].asnumpy() == 2 * value).all()
