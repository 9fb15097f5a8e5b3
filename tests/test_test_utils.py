"""`mx.test_utils`, `mx.viz`, `mx.runtime`, `mx.log` and `mx.util`."""

import inspect
import logging
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import mxcy as mx
from mxcy import nd, sym
from mxcy import test_utils as tu

GOLDEN = Path(__file__).parent / "golden"
sys.path.append(str(GOLDEN))
from summary_networks import summaries  # noqa: E402

X, Y = sym.Variable("x"), sym.Variable("y")


# --- comparing ----------------------------------------------------------------------------------------------
def test_tolerances_follow_the_dtypes():
    one = np.ones(3, np.float32)
    tu.assert_almost_equal(one, one + 5e-4)
    tu.assert_almost_equal(nd.array(one), one + 5e-4)
    tu.assert_almost_equal(one.astype(np.float16), one + 0.05)
    with pytest.raises(AssertionError):
        tu.assert_almost_equal(one.astype(np.float64), one.astype(np.float64) + 5e-4)
    tu.assert_almost_equal(one, one + 0.5, rtol={np.dtype(np.float32): 1})
    assert tu.get_tols(one, 1.0, None, 1e-3) == (1e-4, 1e-3)
    assert tu.almost_equal(one, one + 1e-6) and not tu.almost_equal(one, one + 1e-4)
    assert tu.same(nd.ones(2), np.ones(2)) and not tu.same(np.ones(2), np.ones(3))


def test_errors_name_the_worst_element():
    a, b = np.zeros((2, 3)), np.zeros((2, 3))
    b[1, 2], b[0, 1] = 5, 1
    with pytest.raises(AssertionError, match=r"maximum error: \(1, 2\), left=0.00000000, right=5") as raised:
        tu.assert_almost_equal(a, b, names=("left", "right"))
    assert "(0, 1): 0.0 1.0" in str(raised.value) and "mismatch 33.3" in str(raised.value)
    with pytest.raises(AssertionError, match="not equal"):
        tu.assert_almost_equal(np.zeros(2), np.zeros(3), use_broadcast=False)
    with pytest.raises(AssertionError, match="maximum error"):
        tu.assert_almost_equal(np.array([np.nan, 1]), np.array([np.nan, 1]))
    with pytest.raises(AssertionError, match=r"Error 10{20}\.0+ exceeds .* \(mismatch 50"):
        tu.assert_almost_equal(np.array([1, 2]), np.array([1, 3]))
    tu.assert_almost_equal(np.array([np.nan, np.inf]), np.array([np.nan, np.inf]), equal_nan=True)
    tu.assert_almost_equal_ignore_nan(np.array([np.nan, 1]), np.array([7, 1]))
    tu.assert_almost_equal_with_err(np.arange(10.0), np.arange(10.0) * [*[1] * 9, 2], etol=0.1)
    with pytest.raises(AssertionError):
        tu.assert_almost_equal_with_err(np.arange(10.0), np.arange(10.0) * 2, etol=0.1)
    tu.compare_ndarray_tuple((nd.ones(2), (nd.zeros(1), None)), (nd.ones(2), (nd.zeros(1), nd.ones(1))))
    x = nd.arange(6)
    assert tu.same_array(x, x.reshape(2, 3).reshape(-1)) and not tu.same_array(x, x.copy())


# --- drawing ------------------------------------------------------------------------------------------------
def test_draws_have_the_shapes_asked_for():
    np.random.seed(3)
    assert tu.random_arrays((2, 3)).dtype == np.float32
    assert [a.shape for a in tu.random_arrays((2,), ())] == [(2,), ()]
    (uniform,) = tu.random_uniform_arrays((50,), low=2, high=3)
    assert uniform.min() >= 2 and uniform.max() <= 3
    shapes = (*tu.rand_shape_2d(4, 4), *tu.rand_shape_3d(4, 4, 4), *tu.rand_shape_nd(5, 4))
    assert all(1 <= n <= 4 for n in shapes)
    assert tu.rand_ndarray((2, 3), dtype="float64").dtype == np.float64
    assert tu.rand_ndarray((2, 3), "csr", 0.5).stype == "csr"
    assert tu.rand_ndarray((2, 3), "csr", 0.5, "float16").dtype == np.float16
    assert sorted(tu.random_sample([1, 2, 3], 2))[0] in (1, 2)
    x = np.random.randn(2, 3, 4)
    for axis in (None, 1, (0, 2), (0, -1)):
        np.testing.assert_allclose(tu.np_reduce(x, axis, True, np.sum), np.sum(x, axis, keepdims=True))
    np.testing.assert_allclose(tu.collapse_sum_like(x, (3, 1)), x.sum((0, 2))[:, None])
    np.testing.assert_array_equal(tu.assign_each2(x, -x, lambda a, b: a + b), 0)
    assert tu.create_2d_tensor(2, 3).asnumpy().tolist() == [[0] * 3, [1] * 3]
    assert np.linalg.eigvals(tu.new_matrix_with_real_eigvals_2d(5)).dtype == np.float64
    symmetric = tu.new_sym_matrix_with_real_eigvals_nd((2, 4, 4))
    np.testing.assert_allclose(symmetric, symmetric.transpose(0, 2, 1))
    basis = tu.new_orthonormal_matrix_2d(4)
    np.testing.assert_allclose(basis @ basis.T, np.eye(4), atol=1e-12)


def test_generators_are_judged():
    rng = np.random.RandomState(0)
    buckets, probs = tu.gen_buckets_probs_with_ppf(lambda q: q, 5)
    tu.verify_generator(lambda n: rng.uniform(size=n), buckets, probs, nsamples=10_000)
    tu.verify_generator(lambda n: rng.randint(0, 4, n), [0, 1, 2, 3], [0.25] * 4, nsamples=10_000)
    with pytest.raises(AssertionError, match="chi-square"):
        tu.verify_generator(lambda n: rng.uniform(size=n) ** 2, buckets, probs, nsamples=10_000)
    assert tu.mean_check(lambda n: rng.normal(1, 2, n), 1, 2, 10_000)
    assert tu.var_check(lambda n: rng.normal(1, 2, n), 2, 10_000)
    assert not tu.mean_check(lambda n: rng.normal(2, 2, n), 1, 2, 10_000)


# --- checking -----------------------------------------------------------------------------------------------
def test_checks_accept_what_is_right():
    x, y = tu.random_arrays((2, 3), (2, 3))
    tu.check_symbolic_forward(X * Y, [x, y], [x * y])
    product = X * Y
    tu.check_symbolic_forward(product, {"x": x, "y": y}, {product.list_outputs()[0]: x * y})
    for request in ("write", "add", "null"):
        tu.check_symbolic_backward(X * Y, [x, y], [np.ones((2, 3))], [y, x], grad_req=request)
    requests = {"x": "write", "y": "null"}
    tu.check_symbolic_backward(X * Y, [x, y], [np.ones((2, 3))], {"x": y}, grad_req=requests)
    tu.check_numeric_gradient(sym.tanh(X) * Y, [x, y])
    tu.check_numeric_gradient(sym.FullyConnected(X, num_hidden=2, name="f"),
                              {"x": x, "f_weight": np.ones((2, 3)), "f_bias": np.zeros(2)},
                              grad_nodes=["f_weight"], dtype=np.float64)  # fmt: skip
    np.testing.assert_allclose(tu.simple_forward(X + 1, x=x), x + 1)
    both = [{"ctx": mx.cpu(i), "x": (2, 3), "y": (2, 3), "type_dict": {"x": t, "y": t}}
            for i, t in enumerate(("float32", "float64"))]  # fmt: skip
    tu.check_consistency(X * Y + 1, both)
    assert tu.check_speed(X * Y, N=2, x=(2, 3), y=(2, 3)) > 0
    assert tu.check_speed(X * Y, {"x": x, "y": y}, N=2, typ="forward") > 0
    tu.compare_optimizer(mx.optimizer.SGD(momentum=0.9), mx.optimizer.SGD(momentum=0.9), (3, 4), "float32")
    assert tu.same_symbol_structure(X * Y, X * 2 * Y) is False and tu.same_symbol_structure(X * Y, Y * X)


def test_checks_refuse_what_is_wrong():
    x, y = tu.random_arrays((2, 3), (2, 3))
    with pytest.raises(AssertionError, match="EXPECTED_.*FORWARD_"):
        tu.check_symbolic_forward(X * Y, [x, y], [x * y + 1])
    with pytest.raises(AssertionError, match="EXPECTED_x.*BACKWARD_x"):
        tu.check_symbolic_backward(X * Y, [x, y], [np.ones((2, 3))], [x, y])
    with pytest.raises(AssertionError, match="NUMERICAL_x.*BACKWARD_x"):
        tu.check_numeric_gradient(sym.BlockGrad(X) * Y, [x, y])
    with pytest.raises(ValueError, match="location"):
        tu.check_symbolic_forward(X * Y, {"x": x, "z": y}, [x])
    half = [{"ctx": mx.cpu(), "x": (2, 3), "type_dict": {"x": t}} for t in ("float32", "float32")]
    with pytest.raises(AssertionError):
        tu.check_consistency([X * 2, X * 2 + sym.BlockGrad(X)], half)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: tu.check_symbolic_forward(X + 1, [x], [x + 1], dtype="float32"),
        lambda x: tu.check_symbolic_forward(X + 1, [x], [x + 1], dtype=np.int32),
        lambda x: tu.check_numeric_gradient(X + 1, [x], dtype="asnumpy"),
        lambda x: tu.check_consistency(X, [{"ctx": mx.cpu(), "x": (2,)}]),
        lambda x: tu.check_consistency([X], [{"ctx": mx.cpu(), "x": (2,)}] * 2),
        lambda x: tu.check_consistency([X, Y], [{"ctx": mx.cpu(), "x": (2,)}] * 2),
        lambda x: tu.compare_optimizer(mx.optimizer.SGD(), mx.optimizer.SGD(), (2,), "float32", ntensors=2),
        lambda x: tu.random_sample([1], 2),
        lambda x: tu.collapse_sum_like(np.ones((2, 3)), (2, 2)),
        lambda x: tu.collapse_sum_like(np.ones(3), (2, 3)),
        lambda x: tu.assign_each2(np.ones(2), np.ones(3), max),
        lambda x: tu.rand_ndarray((2, 3, 4), "csr"),
        lambda x: tu.rand_sparse_ndarray((2, 3), "row_sparse", rsp_indices=np.array([0, 1, 1])),
        lambda x: tu.environment("A").__enter__(),
    ],
)
def test_what_mxnet_asserts_is_an_assertion(call):
    with pytest.raises(AssertionError):
        call(np.ones(2))


def test_consistency_is_judged_by_given_values():
    given = {"x": np.ones(2), "y": np.full(2, 2)}
    net = sym.elemwise_mul(X, Y, name="m")
    right = {"m_output": np.full(2, 2.0), "x": np.full(2, 4.0), "y": np.full(2, 2.0)}
    where = [
        {"ctx": mx.cpu(), "x": (2,), "y": (2,), "type_dict": {"x": t, "y": t}} for t in ("float32", "float64")
    ]
    assert tu.check_consistency(net, where, arg_params=dict(given), ground_truth=right) == right
    found = tu.check_consistency(net, where, grad_req={"x": "write", "y": "null"})
    assert found["y"] is None and found["x"].shape == (2,)
    with pytest.raises(AssertionError):
        tu.check_consistency(net, where, arg_params=given, ground_truth=right | {"m_output": np.zeros(2)})


class RowByRow(mx.optimizer.Optimizer):
    """Steps of the rows that have a gradient: a reference, for dense arrays."""

    def create_state(self, index, weight):
        return None

    def update(self, index, weight, grad, state):
        for row in range(weight.shape[0]):
            if grad[row].asnumpy().any():
                weight[row] = weight[row] - self.learning_rate * grad[row]


@pytest.mark.parametrize("w_stype", ["default", "row_sparse"])
def test_a_reference_gets_dense_arrays(w_stype):
    reference, found = RowByRow(learning_rate=0.1), mx.optimizer.SGD(learning_rate=0.1)
    tu.compare_optimizer(reference, found, (5, 3), "float32", w_stype, "row_sparse", compare_states=False)


# --- surroundings -------------------------------------------------------------------------------------------
def test_surroundings():
    with tu.environment("MXCY_OF_THIS_TEST", "1"), tu.environment({"MXCY_OF_THIS_TEST": None, "MXCY_B": "2"}):
        assert os.environ.get("MXCY_OF_THIS_TEST") is None and mx.util.getenv("MXCY_B") == "2"
    assert "MXCY_B" not in os.environ
    tu.assert_exception(lambda: nd.ones(2) + nd.ones(3), mx.MXNetError)
    with pytest.raises(AssertionError, match="did not raise ValueError"):
        tu.assert_exception(lambda: None, ValueError)
    calls = []

    @tu.retry(3)
    def passes_at_last():
        calls.append(1)
        assert len(calls) == 3

    passes_at_last()
    with pytest.raises(AssertionError):
        tu.retry(2)(lambda: tu.assert_almost_equal(np.ones(1), np.zeros(1)))()
    was = tu.default_context()
    tu.set_default_context(mx.cpu(1))
    assert nd.ones(1).context == mx.cpu(1)
    tu.set_default_context(was)
    batch = tu.DummyIter(mx.io.NDArrayIter(np.ones((4, 2)), batch_size=2))
    assert batch.next() is batch.next()


def test_stderr_is_discarded(capfd):
    with tu.discard_stderr():
        os.write(2, b"lost")
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"


def test_names_and_arguments_are_mxnets():
    """Arguments in the order of 1.9.1."""
    found = list(inspect.signature(tu.check_symbolic_backward).parameters)
    assert found[:7] == ["sym", "location", "out_grads", "expected", "rtol", "atol", "aux_states"]
    assert found[7:] == ["grad_req", "ctx", "grad_stypes", "equal_nan", "dtype"]


# --- viz, runtime, log, util --------------------------------------------------------------------------------
def test_tables_are_mxnets_byte_for_byte(capsys):
    with mx.name.NameManager():
        summaries(mx)
    assert capsys.readouterr().out == (GOLDEN / "summary.txt").read_text()
    with pytest.raises(TypeError, match="a Symbol"):
        mx.viz.print_summary(3)


def test_networks_are_drawn():
    pytest.importorskip("graphviz")
    net = sym.Activation(sym.FullyConnected(X, num_hidden=3, name="fc"), act_type="relu", name="act")
    source = mx.viz.plot_network(net, shape={"x": (2, 5)}, dtype={"x": "float32"}).source
    assert "FullyConnected\n3" in source and "act -> fc" in source and '"5(float32)"' in source
    assert "fc_weight" not in source
    assert "fc_weight" in mx.viz.plot_network(net, hide_weights=False).source
    with pytest.warns(RuntimeWarning, match="same name"):
        mx.viz.plot_network(sym.Variable("a") + sym.Variable("a"))


def test_features():
    features = mx.runtime.Features()
    assert features.is_enabled("lapack") and not features.is_enabled("MKLDNN")
    assert "✖ MKLDNN" in repr(features) and len(features) == len(mx.runtime.feature_list())
    with pytest.raises(RuntimeError, match="unknown"):
        features.is_enabled("nothing")


def test_loggers(tmp_path, capsys):
    logger = mx.log.get_logger("mxcy.of_this_test", str(tmp_path / "log"), level=mx.log.INFO)
    logger.info("seen")
    logger.debug("not seen")
    assert mx.log.get_logger("mxcy.of_this_test") is logger
    for handler in logger.handlers:
        handler.close()
    assert (tmp_path / "log").read_text() == "seen\n"
    other = mx.log.get_logger("mxcy.in_colour", level=mx.log.DEBUG)
    record = other.makeRecord("n", logging.WARNING, "f.py", 3, "text", (), None, "g")
    line = other.handlers[0].format(record)
    assert line.startswith("\x1b[31mW") and line.endswith("f.py:g:3]\x1b[0m text")
    with pytest.warns(DeprecationWarning, match="get_logger"):
        mx.log.getLogger("mxcy.in_colour")


def test_util():
    mx.util.setenv("MXCY_OF_THIS_TEST", "1")
    assert os.environ["MXCY_OF_THIS_TEST"] == "1"
    mx.util.setenv("MXCY_OF_THIS_TEST", None)
    assert mx.util.getenv("MXCY_OF_THIS_TEST") is None
    assert mx.util.get_gpu_count() == mx.num_gpus()
    assert not mx.util.is_np_array() and not mx.util.is_np_shape()
