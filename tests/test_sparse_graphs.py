"""Graphs with sparse variables, results and gradients."""

import numpy as np
import pytest

import mxcy as mx

nd, sym = mx.nd, mx.sym
STYPES = ("default", "csr", "row_sparse")
MATRIX = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [0, 2, 0, 3]], np.float32)


def test_variables_carry_their_storage():
    x = sym.Variable("x", stype="csr")
    y = sym.Variable("y", stype="row_sparse")

    assert x.attr("__storage_type__") == "2"
    assert y.attr("__storage_type__") == "1"
    assert sym.load_json((x * 2).tojson()).get_internals()["x"].attr("__storage_type__") == "2"


def linear():
    loss = sym.sum(sym.square(sym.dot(sym.Variable("x", stype="csr"), sym.Variable("w"))))
    return sym.MakeLoss(loss)


def test_a_linear_model_follows_its_data():
    executor = linear().simple_bind(mx.cpu(), x=(3, 4), w=(4, 2), grad_req={"w": "write", "x": "null"})
    weight = np.arange(8.0).reshape(4, 2)
    executor.arg_dict["w"][:] = weight

    for factor in (1, 2, 3):
        executor.arg_dict["x"][:] = MATRIX * factor
        executor.forward(is_train=True)
        executor.backward()

        gradient = executor.grad_dict["w"]
        assert (executor.arg_dict["x"].stype, gradient.stype) == ("csr", "row_sparse")
        assert gradient.indices.asnumpy().tolist() == [0, 1, 3]
        product = factor * MATRIX @ weight
        np.testing.assert_allclose(executor.outputs[0].asnumpy(), [(product**2).sum()])
        np.testing.assert_allclose(gradient.asnumpy(), 2 * factor * MATRIX.T @ product)


@pytest.mark.parametrize("stype", ["default", "row_sparse"])
@pytest.mark.parametrize("req", ["write", "add"])
def test_gradients_are_written_to_arrays_of_any_storage(stype, req):
    gradient = nd.zeros((4, 2), stype=stype)
    executor = linear().bind(
        mx.cpu(), {"x": nd.array(MATRIX).tostype("csr"), "w": nd.ones((4, 2))}, {"w": gradient},
        {"x": "null", "w": req},
    )  # fmt: skip

    for _ in range(2):
        executor.forward(is_train=True)
        executor.backward()

    expected = 2 * MATRIX.T @ MATRIX @ np.ones((4, 2))
    np.testing.assert_allclose(gradient.asnumpy(), expected * (2 if req == "add" else 1))
    assert gradient.stype == stype


def test_an_embedding_in_a_graph():
    i, w = sym.Variable("i"), sym.Variable("w")
    embedded = sym.Embedding(i, w, input_dim=5, output_dim=2, sparse_grad=True)
    loss = sym.MakeLoss(sym.sum(embedded * embedded))
    executor = loss.simple_bind(mx.cpu(), i=(3,), grad_req={"w": "write", "i": "null"})
    executor.arg_dict["w"][:] = 1

    for indices in ([1, 3, 1], [0, 0, 0], [4, 2, 1]):
        executor.forward_backward(i=nd.array(indices))

        gradient = executor.grad_dict["w"]
        assert gradient.stype == "row_sparse"
        assert gradient.indices.asnumpy().tolist() == sorted(set(indices))
        np.testing.assert_array_equal(gradient.asnumpy()[:, 0], 2 * np.bincount(indices, minlength=5))


@pytest.mark.parametrize("attrs", [{"axis": 1, "keepdims": True}, {"axis": 1}, {"axis": 0}], ids=str)
def test_sums_of_squares_have_gradients_in_the_rows_that_are_kept(attrs):
    w = sym.Variable("w", stype="row_sparse")
    loss = sym.MakeLoss(sym.sum(sym._internal._square_sum(w, **attrs)) * 3)
    executor = loss.simple_bind(mx.cpu(), w=(4, 2))
    executor.arg_dict["w"][:] = nd.sparse.row_sparse_array(([[1, 2], [3, -4]], [1, 3]), shape=(4, 2))

    executor.forward_backward()

    gradient = executor.grad_dict["w"]
    assert gradient.stype == "row_sparse"
    assert gradient.indices.asnumpy().tolist() == [1, 3]
    np.testing.assert_array_equal(gradient.data.asnumpy(), [[6, 12], [18, -24]])


def test_sparse_results_and_variables_as_outputs():
    x = sym.Variable("x", stype="csr")
    both = sym.Group([sym.sparse.square(x), x, sym.cast_storage(sym.Variable("d"), stype="row_sparse")])
    executor = both.simple_bind(mx.cpu(), x=(3, 4), d=(2, 3), grad_req="null")
    executor.arg_dict["d"][:] = [[0, 0, 0], [1, 2, 3]]

    for _ in range(2):
        executor.arg_dict["x"][:] = executor.arg_dict["x"].asnumpy() + MATRIX
        squares, same, rows = executor.forward()
        values = executor.arg_dict["x"].asnumpy()
        assert [y.stype for y in (squares, same, rows)] == ["csr", "csr", "row_sparse"]
        np.testing.assert_array_equal(squares.asnumpy(), values**2)
        np.testing.assert_array_equal(same.asnumpy(), values)
        assert rows.indices.asnumpy().tolist() == [1]


def test_dense_operators_take_sparse_variables():
    x = sym.Variable("x", stype="csr")
    y = sym.exp(sym.Reshape(x, shape=(-1, 2))) + 1
    executor = y.bind(mx.cpu(), {"x": nd.array(MATRIX).tostype("csr")}, {"x": nd.zeros((3, 4))})

    executor.forward(is_train=True)
    executor.backward(nd.ones((6, 2)))

    np.testing.assert_allclose(executor.outputs[0].asnumpy(), np.exp(MATRIX.reshape(6, 2)) + 1, rtol=1e-6)
    np.testing.assert_allclose(executor.grad_arrays[0].asnumpy(), np.exp(MATRIX), rtol=1e-6)


def test_head_gradients_may_be_sparse():
    x = sym.Variable("x")
    executor = (x * 2).bind(mx.cpu(), {"x": nd.ones((3, 4))}, {"x": nd.zeros((3, 4))})

    executor.forward(is_train=True)
    executor.backward(nd.array(MATRIX).tostype("csr"))

    np.testing.assert_array_equal(executor.grad_arrays[0].asnumpy(), 2 * MATRIX)


def test_a_reshaped_executor_and_monitors():
    executor = linear().simple_bind(mx.cpu(), x=(3, 4), w=(4, 2))
    seen = []
    executor.set_monitor_callback(lambda name, array: seen.append((name, array.stype)))
    executor.forward()
    other = executor.reshape(x=(2, 4), w=(4, 2), partial_shaping=True)

    assert (other.arg_dict["x"].stype, other.arg_dict["x"].shape) == ("csr", (2, 4))
    assert other.forward()[0].asnumpy().tolist() == [0]
    assert [stype for name, stype in seen] == ["default"] * 8  # the reshaped one keeps the monitor


# --- the helpers that check graphs ----------------------------------------------------------------------
UNARY = {
    "square": (np.square, lambda x: 2 * x), "abs": (np.abs, np.sign), "sin": (np.sin, np.cos),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2), "expm1": (np.expm1, np.exp),
    "cos": (np.cos, lambda x: -np.sin(x)),
    "log1p": (np.log1p, lambda x: 1 / (1 + x)), "relu": (lambda x: np.maximum(x, 0), lambda x: x > 0),
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("stype", ["csr", "row_sparse"])
@pytest.mark.parametrize("density", [0.0, 0.5, 1.0])
def test_functions_of_sparse_variables(name, stype, density):
    np.random.seed(5)
    tu = mx.test_utils
    forward, slope = UNARY[name]
    x = tu.rand_ndarray((5, 4), stype, density, shuffle_csr_indices=True)
    y = getattr(sym.sparse, name)(sym.Variable("x", stype=stype))
    values = x.asnumpy()

    (out,) = tu.check_symbolic_forward(y, {"x": x}, [forward(values)])
    assert out.stype == (stype if forward(0.0) == 0 else "default")
    for kind in ("default", stype):
        head = tu.rand_ndarray((5, 4), kind, None if kind == "default" else 0.5)
        expected = [head.asnumpy() * slope(values)]
        found = tu.check_symbolic_backward(y, {"x": x}, [head], expected, grad_stypes={"x": kind})
        assert found["x"].stype == kind


@pytest.mark.parametrize("stypes", [(a, b) for a in STYPES for b in STYPES], ids=",".join)
@pytest.mark.parametrize("name", ["elemwise_add", "elemwise_sub", "elemwise_mul", "broadcast_add"])
def test_functions_of_two_variables(name, stypes):
    np.random.seed(6)
    tu = mx.test_utils
    a, b = (sym.Variable(name, stype=stype) for name, stype in zip("ab", stypes, strict=True))
    where = {name: tu.rand_ndarray((4, 3), stype) for name, stype in zip("ab", stypes, strict=True)}

    kinds = dict(zip("ab", stypes, strict=True))
    tu.check_numeric_gradient(getattr(sym, name)(a, b), where, grad_stype_dict=kinds)


def test_random_sparse_arrays():
    np.random.seed(7)
    tu = mx.test_utils
    powers, (indptr, indices, data) = tu.rand_sparse_ndarray((8, 1000), "csr", 0.05, distribution="powerlaw")
    counts = np.diff(powers.indptr.asnumpy())
    assert counts[:7].tolist() == [2, 4, 8, 16, 32, 64, 128]
    assert len(data) == len(indices) == indptr.asnumpy()[-1] == 400
    rows, (values, kept) = tu.rand_sparse_ndarray((6, 2), "row_sparse", 0.5, data_init=3)
    assert rows.indices.asnumpy().tolist() == kept.tolist()
    assert (values == 3).all()
    made = tu.create_sparse_array((6, 2), "row_sparse", rsp_indices=[4, 1], modifier_func=lambda x: x + 5)
    assert made.indices.asnumpy().tolist() == [1, 4]
    assert made.asnumpy()[[1, 4]].min() >= 5
    assert tu.create_sparse_array_zd((6, 2), "row_sparse", density=1).indices.shape == (0,)
    tu.compare_optimizer(mx.optimizer.SGD(), mx.optimizer.SGD(), (5, 3), np.float32, "default", "row_sparse")
    with pytest.raises(ValueError, match="at least"):
        tu.rand_sparse_ndarray((8, 10), "csr", 0.1, distribution="powerlaw")
    tu.rand_sparse_ndarray((1100, 20), "csr", 0.5, distribution="powerlaw")  # 2 ** 1100 is no number
    with pytest.raises(AssertionError, match="distribution"):
        tu.rand_sparse_ndarray((8, 10), "row_sparse", distribution="powerlaw")


def stored(name, stype):
    return mx.sym.Variable(name, stype=stype, attr={"stype": stype})


@pytest.mark.parametrize("stype", ["row_sparse", "csr"])
@pytest.mark.parametrize(
    "made, slope",
    [
        (lambda x: x * 5, 5),
        (lambda x: x + stored("y", x.attr("stype")), 1),
        (lambda x: -x, -1),
        (mx.sym.identity, 1),
        (lambda x: mx.sym.cast_storage(x, stype="default"), 1),
    ],
    ids=["times", "sum", "negative", "identity", "dense"],
)
def test_gradients_are_stored_as_their_results_lead_to(made, slope, stype):
    executor = made(stored("x", stype)).simple_bind(mx.cpu(), x=(3, 4))
    executor.forward(is_train=True)
    head = np.arange(12, dtype="float32").reshape(3, 4)
    executor.backward(mx.nd.array(head))

    assert executor.grad_dict["x"].stype == executor.outputs[0].stype
    np.testing.assert_array_equal(executor.grad_dict["x"].asnumpy(), head * slope)


@pytest.mark.parametrize("made", [mx.nd.Embedding, mx.nd.contrib.SparseEmbedding])
@pytest.mark.parametrize("row", [-1, 3, np.nan])
def test_a_row_sparse_weight_refuses_numbers_of_other_rows(made, row):
    weight = mx.nd.ones((3, 2)).tostype("row_sparse")

    with pytest.raises(mx.MXNetError, match=r"Embedding\(data\): expected numbers of rows from 0 to 2"):
        made(mx.nd.array([0, row]), weight, input_dim=3, output_dim=2)
