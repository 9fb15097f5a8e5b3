"""`mx.nd._internal` and `mx.sym._internal`, errors of operands, and values that MXNet's users rely on."""

import numpy as np
import pytest

import mxcy as mx
from mxcy import nd, sym
from mxcy.ndarray import _internal

B = np.array([[1, 2, 3], [4, 5, 6]], np.float32)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda b: _internal._plus_scalar(b, scalar=2), B + 2),
        (lambda b: _internal._rminus_scalar(b, 2.0), 2 - B),
        (lambda b: _internal._maximum(b, b + 1), B + 1),
        (lambda b: _internal._zeros(shape=(2,)), np.zeros(2)),
        (lambda b: _internal._arange(start=1, stop=4, dtype="int32"), np.arange(1, 4)),
        (lambda b: _internal._eye(N=2), np.eye(2)),
        (lambda b: _internal._full(shape=(2,), value=3, out=nd.zeros(2)), np.full(2, 3)),
        (lambda b: _internal._split_v2(b, indices=(0, 1), axis=1)[1], B[:, 1:]),
        (lambda b: _internal._rnn_param_concat(b, b, dim=0), np.concatenate([B, B])),
        (lambda b: _internal._identity_with_attr_like_rhs(b, nd.ones((2, 3))), B),
        (lambda b: _internal._copyto(b, nd.zeros((2, 3))), B),
        (lambda b: _internal._set_value(5, out=b), np.full((2, 3), 5)),
        (lambda b: _internal._scatter_set_nd(b, nd.array([7, 8]), nd.array([[0, 1], [0, 1]])),
         [[7, 2, 3], [4, 8, 6]]),
        (lambda b: _internal._crop_assign_scalar(b, 5, begin=(0, 0), end=(1, 2)), [[5, 5, 3], [4, 5, 6]]),
        (lambda b: _internal._slice_assign(b, nd.zeros((1, 2)), (0, 0), (1, 2)), [[0, 0, 3], [4, 5, 6]]),
    ],
)  # fmt: skip
def test_operators_have_the_names_of_files(call, expected):
    np.testing.assert_array_equal(call(nd.array(B)).asnumpy(), expected)


def test_assignments_are_in_place_where_the_result_is_the_operand():
    b, other = nd.array(B), nd.zeros((2, 3))

    assert _internal._crop_assign_scalar(b, 5, begin=(1, 0), end=(2, 3), out=b) is b
    assert _internal._crop_assign(b, nd.zeros((1, 3)), begin=(0, 0), end=(1, 3), out=other) is other
    assert b.asnumpy().tolist() == [[1, 2, 3], [5, 5, 5]]
    assert other.asnumpy().tolist() == [[0, 0, 0], [5, 5, 5]]


def test_symbols_have_them_too():
    x = sym.Variable("x")
    y = sym._internal._mul_scalar(x, scalar=3) + sym._internal._ones(shape=(2,), name="one")

    assert y.eval(x=nd.array([1, 2]))[0].asnumpy().tolist() == [4, 7]
    assert "one_output" in y.get_internals().list_outputs()


@pytest.mark.parametrize("module", [_internal, sym._internal])
def test_unknown_names_are_missing(module):
    with pytest.raises(AttributeError, match="has no attribute '_no_such_operator'"):
        _ = module._no_such_operator


@pytest.mark.parametrize(
    "call",
    [
        lambda: nd.exp(5), lambda: nd.exp("b"), lambda: nd.broadcast_add(np.ones(2)),
        lambda: nd.take(nd.ones(2), [0]), lambda: nd.ones(3).take([0]),
    ],
)  # fmt: skip
def test_an_operand_that_is_no_array_is_an_assertion_and_a_type_error(call):
    for kind in (AssertionError, TypeError, mx.MXNetError):
        with pytest.raises(kind, match="expected an NDArray"):
            call()


def test_products_without_nan_keep_small_numbers():
    x = nd.array([1e-10, np.nan, 3, 1e8])

    assert nd.nanprod(x).asscalar() == pytest.approx(0.03)
    assert nd.nansum(nd.array([1, -2, 4], dtype="int32")).asscalar() == 3
    assert nd.nanprod(nd.array([1, -2, 4], dtype="int8")).asscalar() == -8


def test_dtypes_and_results_follow_numpy_where_mxnet_asks_it():
    counts, edges = nd.histogram(nd.array([1, 2, 3, 4]), bins=3)

    assert (counts.dtype, counts.asnumpy().tolist(), edges.asnumpy().tolist()) == (
        np.float32, [1, 1, 2], [1, 2, 3, 4],
    )  # fmt: skip
    assert nd.arange(3, dtype=None).dtype == nd.linspace(0, 1, 3, dtype=None).dtype == np.float64
    assert nd.gamma(nd.array([1, 4, 5], dtype="int32")).asnumpy().tolist() == [1, 6, 24]


def test_keywords_that_mxnet_ignores_are_ignored():
    x = nd.array([1, 2], dtype="int32")

    assert nd.zeros_like(x, dtype="float32").dtype == np.int32
    assert nd.ones_like(x, ctx=mx.cpu()).asnumpy().tolist() == [1, 1]
    assert sym.zeros_like(sym.Variable("x"), dtype="int32").eval(x=x)[0].asnumpy().tolist() == [0, 0]
    assert nd.zeros_like(x, nosuch=1).asnumpy().tolist() == [0, 0]


def test_labels_of_nodes_are_text():
    y = sym.FullyConnected(
        sym.Variable("x"), num_hidden=2, name="f", attr={"__k__": 5, "__init__": mx.init.One()}
    )

    assert y.attr("__k__") == "5"
    assert '"attrs": {"dtype": "int32"}' in sym.zeros_like(sym.Variable("x"), dtype="int32").tojson()
    assert y.attr_dict()["f_weight"]["__init__"] == mx.init.One().dumps()
