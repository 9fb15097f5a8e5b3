"""Gradients in sparse storage, and of operators on sparse arrays."""

import numpy as np
import pytest

import mxcy as mx
from mxcy import autograd

nd, sparse = mx.nd, mx.nd.sparse
MATRIX = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [0, 2, 0, 3]], np.float32)


def embedding(weight, sparse_grad=True):
    return nd.Embedding(nd.array([1, 3, 1]), weight, input_dim=4, output_dim=2, sparse_grad=sparse_grad)


def lookup(weight):
    return nd.contrib.SparseEmbedding(nd.array([1, 3, 1]), weight, input_dim=4, output_dim=2)


@pytest.mark.parametrize("function", [embedding, lookup])
@pytest.mark.parametrize("stype", ["default", "row_sparse"])
@pytest.mark.parametrize("req", ["write", "add"])
def test_the_gradient_of_an_embedding_has_the_rows_that_were_looked_up(function, stype, req):
    weight = nd.array(np.arange(8).reshape(4, 2))
    weight.attach_grad(req, stype=stype)

    for _ in range(2):
        with autograd.record():
            y = function(weight)
            loss = (y * y).sum()
        loss.backward()

    expected = np.zeros((4, 2))
    np.add.at(expected, [1, 3, 1], 2 * weight.asnumpy()[[1, 3, 1]])
    np.testing.assert_allclose(weight.grad.asnumpy(), expected * (2 if req == "add" else 1))
    assert weight.grad.stype == stype
    if stype == "row_sparse":
        assert weight.grad.indices.asnumpy().tolist() == [1, 3]
        weight.grad.check_format()


def test_gradients_as_new_arrays_keep_their_storage():
    weight = nd.ones((4, 2))
    weight.attach_grad()
    with autograd.record():
        loss = embedding(weight).sum()

    (found,) = autograd.grad(loss, [weight])

    assert found.stype == "row_sparse"
    np.testing.assert_array_equal(found.asnumpy(), [[0, 0], [2, 2], [0, 0], [1, 1]])


def test_a_weight_that_is_row_sparse_itself():
    dense = nd.array(np.arange(8).reshape(4, 2))
    weight = dense.tostype("row_sparse")
    weight.attach_grad()
    with autograd.record():
        loss = (embedding(weight, False) ** 2).sum()
    loss.backward()

    assert weight.grad.stype == "row_sparse"
    np.testing.assert_array_equal(weight.grad.asnumpy()[1], 4 * dense.asnumpy()[1])


def dense_gradients(call, *arrays):
    operands = [nd.array(x) for x in arrays]
    for x in operands:
        x.attach_grad()
    with autograd.record():
        y = call(*operands)
        loss = (y * y).sum() if y.shape != (1,) else y
    loss.backward()
    return [x.grad.asnumpy() for x in operands]


WIDE, TALL = np.arange(8.0).reshape(4, 2), np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize(
    ("call", "other"),
    [
        (lambda x, w: nd.dot(x, w), WIDE),
        (lambda x, w: nd.dot(x, w, transpose_a=True), TALL),
        (lambda x, w: nd.dot(x, w, transpose_b=True), WIDE.T),
        (lambda x, w: nd.dot(x, w, transpose_a=True, transpose_b=True), TALL.T),
        (lambda x, w: nd.dot(w, x), TALL.T),
        (lambda x, w: nd.dot(w, x, transpose_a=True), TALL),
        (lambda x, w: nd.dot(w, x, transpose_b=True), WIDE.T),
        (lambda x, w: nd.broadcast_mul(x, w), np.arange(1.0, 5)),
        (lambda x, w: nd.elemwise_mul(x, w), MATRIX + 1),
        (lambda x, w: x + w, MATRIX + 1),
        (lambda x, w: x * w, MATRIX + 1),
        (lambda x, w: nd.sum(x, axis=0) * w, np.arange(1.0, 5)),
        (lambda x, w: nd.square(x) * w, MATRIX + 1),
        (lambda x, w: nd.mean(x, axis=1) * w, np.arange(1.0, 4)),
        (lambda x, w: nd.norm(x) * w, np.ones(1)),
        (lambda x, w: nd.where(x, w, w * 2), MATRIX + 1),
    ],
)
def test_gradients_are_those_of_dense_arrays(call, other):
    expected = dense_gradients(call, MATRIX, other)
    x, w = nd.array(MATRIX).tostype("csr"), nd.array(other)
    x.attach_grad(stype="default")
    w.attach_grad()

    with autograd.record():
        y = call(x, w)
        loss = (y * y).sum() if y.shape != (1,) else y
    loss.backward()

    np.testing.assert_allclose(x.grad.asnumpy(), expected[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(w.grad.asnumpy(), expected[1], rtol=1e-5, atol=1e-5)


def test_linear_models_have_gradients_of_the_columns_in_use():
    x = sparse.csr_matrix((np.float32([1, 2, 3]), [0, 1, 7], [0, 1, 3]), shape=(2, 9))
    w = nd.ones((9, 2))
    w.attach_grad(stype="row_sparse")
    with autograd.record():
        loss = nd.dot(x, w).sum()
    loss.backward()

    assert w.grad.indices.asnumpy().tolist() == [0, 1, 7]
    np.testing.assert_array_equal(w.grad.data.asnumpy(), [[1, 1], [2, 2], [3, 3]])


def test_sums_of_sparse_gradients_stay_sparse():
    weight = nd.ones((6, 2))
    weight.attach_grad(stype="row_sparse")
    with autograd.record():
        loss = sum(
            nd.Embedding(nd.array([i, 2]), weight, input_dim=6, output_dim=2, sparse_grad=True).sum()
            for i in range(5)
        )
    loss.backward()

    assert weight.grad.indices.asnumpy().tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(weight.grad.asnumpy()[:, 0], [1, 1, 6, 1, 1, 0])


@pytest.mark.parametrize("axis", [0, 1])
def test_sums_of_squares_and_retained_rows_have_gradients(axis):
    x = sparse.row_sparse_array((np.float32([[1, 2], [3, 4]]), [1, 3]), shape=(5, 2))
    x.attach_grad()
    with autograd.record():
        loss = mx.nd._internal._square_sum(x, axis=axis, keepdims=True).sum()
    loss.backward()
    np.testing.assert_array_equal(x.grad.asnumpy(), 2 * x.asnumpy())

    with autograd.record():
        loss = sparse.retain(x, nd.array([3])).sum()
    loss.backward()
    assert x.grad.stype == "row_sparse"
    np.testing.assert_array_equal(x.grad.asnumpy()[:, 0], [0, 0, 0, 1, 0])


def test_casts_carry_gradients_through():
    x = nd.array(MATRIX)
    x.attach_grad()
    with autograd.record():
        loss = (nd.cast_storage(x, stype="csr") * 3).tostype("default").sum()
    loss.backward()

    np.testing.assert_array_equal(x.grad.asnumpy(), np.full((3, 4), 3))


def test_overwriting_a_sparse_array_that_is_needed_raises():
    x, w = nd.array(MATRIX).tostype("csr"), nd.ones((4, 2))
    w.attach_grad()
    with autograd.record():
        y = nd.dot(x, w)
    x[:] = MATRIX

    with pytest.raises(mx.MXNetError, match="was overwritten"):
        y.backward()
