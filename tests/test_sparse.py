"""Sparse arrays: making, reading, writing and keeping them, and what is wrong."""

import copy
import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

import mxcy as mx
from mxcy.errors import ArgumentError, ArgumentTypeError, FormatError, MXNetError, ShapeError

nd, sparse = mx.nd, mx.nd.sparse
GOLDEN = Path(__file__).parent / "golden"
MATRIX = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [0, 2, 0, 3]], np.float32)


def csr():
    return sparse.csr_matrix((np.float32([1, 2, 3]), [0, 1, 3], [0, 1, 1, 3]), shape=(3, 4))


def rows():
    return sparse.row_sparse_array((np.float32([[1, 2], [3, 4]]), [1, 3]), shape=(5, 2))


@st.composite
def matrices(draw, shape=None):
    shape = shape or (draw(st.integers(0, 5)), draw(st.integers(1, 5)))
    numbers = st.sampled_from([0, 0, 0, 1, -2, 3])
    values = draw(st.lists(numbers, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    return np.array(values, np.float32).reshape(shape)


# --- making ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "source",
    [
        MATRIX,
        MATRIX.tolist(),
        nd.array(MATRIX),
        scipy.sparse.csr_matrix(MATRIX),
        scipy.sparse.coo_matrix(MATRIX),
        ([1, 2, 3], ([0, 2, 2], [0, 1, 3])),
        ([1, 1, 1, 3], ([0, 2, 2, 2], [0, 1, 1, 3])),
        (nd.array([1, 2, 3]), nd.array([0, 1, 3]), nd.array([0, 1, 1, 3])),
    ],
    ids=["numpy", "list", "dense", "csr", "coo", "coordinates", "coordinates twice", "arrays"],
)
def test_csr_matrices_come_from_many_sources(source):
    made = sparse.csr_matrix(source)

    assert isinstance(made, sparse.CSRNDArray)
    assert (made.stype, made.shape, made.dtype) == ("csr", (3, 4), np.float32)
    np.testing.assert_array_equal(made.asnumpy(), MATRIX)
    made.check_format()


@pytest.mark.parametrize("source", [MATRIX.T, MATRIX.T.tolist(), nd.array(MATRIX.T)])
def test_row_sparse_arrays_come_from_dense_ones(source):
    made = sparse.row_sparse_array(source)

    assert made.stype == "row_sparse"
    assert made.indices.asnumpy().tolist() == [0, 1, 3]
    np.testing.assert_array_equal(made.asnumpy(), MATRIX.T)


def test_the_dtype_is_that_of_data_that_has_one():
    assert sparse.csr_matrix(np.eye(2)).dtype == np.float64
    assert sparse.csr_matrix([[1, 0]]).dtype == np.float32
    assert sparse.csr_matrix(np.eye(2), dtype="int32").dtype == np.int32
    assert sparse.array(csr(), dtype="float64").dtype == np.float64


def test_zeros_of_every_storage_type():
    assert nd.zeros((2, 3), stype="csr").asnumpy().tolist() == [[0] * 3] * 2
    assert nd.empty((2, 3), stype="row_sparse").data.shape == (0, 3)
    assert sparse.zeros("default", (2,), dtype="int8").dtype == np.int8
    assert sparse.csr_matrix((2, 3)).indptr.asnumpy().tolist() == [0, 0, 0]
    assert sparse.row_sparse_array((2, 3, 4)).shape == (2, 3, 4)


def test_arrays_know_what_they_are_made_of():
    x, y = csr(), rows()

    assert repr(x) == "\n<CSRNDArray 3x4 @cpu(0)>"
    assert repr(y) == str(y) == "\n<RowSparseNDArray 5x2 @cpu(0)>"
    assert (x._num_aux, y._num_aux, x.indices.dtype) == (2, 1, np.int64)
    assert isinstance(x, nd.NDArray)
    assert x.asscipy().toarray().tolist() == MATRIX.tolist()
    x.indices[:] = 0
    x.data[:] = 0
    np.testing.assert_array_equal(x.asnumpy(), MATRIX)  # both were copies


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: sparse.csr_matrix(([1, 2], [0], [0, 1])), ShapeError, "data with 1 elements"),
        (lambda: sparse.csr_matrix(([1], [0], [0, 1]), shape=(2, 2)), ShapeError, "indptr with 3 elements"),
        (lambda: sparse.csr_matrix(([1], [0], [0, 1]), shape=(1, 2, 3)), ShapeError, "two extents"),
        (lambda: sparse.csr_matrix(MATRIX, shape=(2, 2)), ShapeError, "csr_matrix(shape): expected (3, 4)"),
        (lambda: sparse.csr_matrix(("a", [0], [0, 1])), ArgumentTypeError, "expected numbers"),
        (lambda: sparse.csr_matrix(([], [], [0])), ArgumentError, "a shape, as there is no index"),
        (lambda: sparse.csr_matrix(rows()), ArgumentError, "got a row_sparse array"),
        (lambda: sparse.csr_matrix((1, 2, 3, 4)), ArgumentError, "a tuple of 4"),
        (lambda: sparse.row_sparse_array(([[1]], [0, 1])), ShapeError, "2 rows, one for each index"),
        (lambda: sparse.row_sparse_array(([[1]], [5]), (2, 1)).check_format(), ArgumentError, "from 0 to 1"),
        (lambda: sparse.row_sparse_array(([[1]], [-1]), (2, 1)).check_format(), ArgumentError, "-1 to -1"),
        (lambda: sparse.row_sparse_array(([[1]], [5]), (2, 1)).asnumpy(), IndexError, "index 5"),
        (lambda: sparse.row_sparse_array(([[1]], [0]), shape=(2, 2)), ShapeError, "rows of shape (2,)"),
        (lambda: sparse.array([1, 2]), ArgumentError, "a sparse array or"),
        (lambda: sparse.zeros("dense", (2,)), ArgumentError, "'default', 'csr' or 'row_sparse'"),
        (lambda: sparse.zeros("csr", (2,)), ShapeError, "two extents"),
        (lambda: nd.ones((2,)).tostype("csr"), ArgumentError, "a matrix for 'csr'"),
        (lambda: csr().tostype("row_sparse"), ArgumentError, "'default' or 'csr'"),
        (lambda: csr()[0, 1], ArgumentError, "indexed by rows only"),
        (lambda: csr()[::2], ArgumentError, "a step of 1"),
        (lambda: csr()[3], IndexError, "a row from -3 to 2"),
        (lambda: rows()[1], ArgumentError, "only [:]"),
        (lambda: csr().__setitem__(0, 1), ArgumentError, "only [:]"),
        (lambda: csr().__setitem__(slice(None), 1), ArgumentError, "assign an array"),
        (lambda: csr().__setitem__(slice(None), nd.ones((2, 2))), ShapeError, "expected shape (3, 4)"),
        (lambda: csr().reshape((4, 3)), ArgumentTypeError, "no views of another shape"),
        (lambda: csr()[[0, 1]], ArgumentError, "expected a number of a row, or a slice of rows, got list"),
        (lambda: csr()[1.5], ArgumentError, "expected a number of a row, or a slice of rows, got float"),
        (lambda: iter(csr()), ArgumentTypeError, "no iterator"),
        (lambda: csr() + csr()[1:], ShapeError, "do not broadcast"),
        (lambda: nd.elemwise_add(csr(), csr()[1:]), ShapeError, "expected shape (3, 4), got (2, 4)"),
        (lambda: nd.dot(csr(), nd.ones((3, 2))), ShapeError, "dot(rhs): expected 4"),
        (lambda: nd.broadcast_div(csr(), nd.ones((3, 2))), ShapeError, "a row or a column of it"),
        (lambda: sparse.retain(rows(), nd.array([7])), ArgumentError, "rows from 0 to 4"),
        (lambda: nd.sgd_update(nd.ones((4, 2)), rows(), lr=0.1), ShapeError, "expected shape (4, 2)"),
        (lambda: sparse.add(1, 2), ArgumentTypeError, "at least one NDArray"),
        (lambda: nd.contrib.getnnz(csr(), axis=0), ArgumentError, "None or 1"),
    ],
)
def test_what_is_wrong_is_named(call, error, match):
    with pytest.raises(error) as raised:
        call()

    assert match in str(raised.value)


@pytest.mark.parametrize(
    ("indices", "indptr", "match"),
    [
        ([0, 1, 3], [0, 2, 1, 3], "does not descend"),
        ([0, 1, 3], [0, 1, 1, 2], "indptr from 0 to 3"),
        ([0, 1, 4], [0, 1, 1, 3], "indices from 0 to 3"),
        ([0, 3, 1], [0, 1, 1, 3], "ascend in every row"),
        ([0, -1, 1], [0, 1, 1, 3], "indices from 0 to 3"),
    ],
)
def test_places_that_make_no_sense_never_crash(indices, indptr, match):
    made = sparse.csr_matrix(([1, 2, 3], indices, indptr), shape=(3, 4))

    with pytest.raises(ArgumentError, match=match):
        made.check_format()
    for use in (
        lambda: made.asnumpy(),
        lambda: nd.dot(made, nd.ones((4, 2))).asnumpy(),
        lambda: nd.dot(made, nd.ones((3, 2)), transpose_a=True).asnumpy(),
        lambda: (made + made).asnumpy(),
    ):
        try:
            use()
        except (MXNetError, ValueError, IndexError):
            pass


def test_unordered_places_are_put_in_order():
    x = sparse.csr_matrix(([3, 2], [3, 1], [0, 0, 2]), shape=(2, 4))
    y = sparse.row_sparse_array(([[3, 3], [1, 1]], [3, 1]), shape=(4, 2))

    np.testing.assert_array_equal((x + x).asnumpy(), 2 * x.asnumpy())
    np.testing.assert_array_equal((y + y).asnumpy(), 2 * y.asnumpy())
    (x + x).check_format()
    (y + y).check_format()
    with pytest.raises(ArgumentError, match="ascend"):
        y.check_format()
    y.check_format(full_check=False)


# --- keeping --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("make", [csr, rows])
def test_copies_are_apart(make):
    x = make()
    views = [pickle.loads(pickle.dumps(x)), copy.copy(x), copy.deepcopy(x), x.copy(), x.copyto(mx.cpu(0)),
             x.astype("float32"), x.tostype(x.stype), sparse.array(x), nd.array(x)]  # fmt: skip
    values = x.asnumpy()

    x[:] = nd.zeros(x.shape)

    assert x.asnumpy().sum() == 0
    for y in views:
        assert type(y) is type(x)
        np.testing.assert_array_equal(y.asnumpy(), values)


def test_other_devices():
    x = rows().copyto(mx.cpu(1))

    assert (x.context, x.data.context, x.as_in_context(mx.cpu(1)) is x) == (mx.cpu(1), mx.cpu(1), True)
    assert sparse.csr_matrix(MATRIX, ctx=mx.cpu(1)).context == mx.cpu(1)
    assert nd.zeros((2, 2), mx.cpu(1), stype="csr").indices.context == mx.cpu(1)
    y = nd.zeros((5, 2), stype="row_sparse")
    y[:] = x
    assert (y.context, y.asnumpy().sum()) == (mx.cpu(0), 10)


@pytest.mark.parametrize("value", [MATRIX + 1, nd.array(MATRIX), csr(), nd.array(MATRIX, dtype="float64")])
def test_all_can_be_written(value):
    x = nd.zeros((3, 4), stype="csr")
    y = nd.zeros((3, 4), stype="row_sparse")
    alias = x.detach()

    x[:] = value
    if not isinstance(value, sparse.CSRNDArray):
        y[:] = value
        np.testing.assert_array_equal(y.asnumpy(), np.asarray(value))

    np.testing.assert_array_equal(x.asnumpy(), np.asarray(value))
    np.testing.assert_array_equal(alias.asnumpy(), x.asnumpy())
    assert x.dtype == np.float32


def test_rows_take_numbers():
    x = rows()
    x[:] = 0
    assert x.indices.shape == (0,)
    x[:] = 2
    assert x.asnumpy().tolist() == [[2, 2]] * 5


def test_dense_arrays_take_sparse_values():
    x, y = nd.ones((3, 4)), nd.ones((4, 4), dtype="float64")

    x[:] = csr()
    y[1:] = csr()

    np.testing.assert_array_equal(x.asnumpy(), MATRIX)
    np.testing.assert_array_equal(y.asnumpy()[1:], MATRIX)
    np.testing.assert_array_equal(csr().copyto(nd.zeros((3, 4))).asnumpy(), MATRIX)
    z = nd.array(MATRIX).copyto(nd.zeros((3, 4), stype="csr"))
    assert (z.stype, z.asnumpy().tolist()) == ("csr", MATRIX.tolist())


def test_files_of_mxnet_and_back(tmp_path):
    found = nd.load(str(GOLDEN / "sparse.params"))

    nd.save(str(tmp_path / "x.params"), found)

    assert {k: v.stype for k, v in found.items()} == {
        "csr": "csr", "rows": "row_sparse", "dense": "default", "ints": "csr", "no_csr": "csr",
        "no_rows": "row_sparse",
    }  # fmt: skip
    assert found["csr"].asnumpy().tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 2, 3, 0]]
    assert (found["rows"].dtype, found["rows"].asnumpy()[3].sum()) == (np.float64, 51)
    assert (tmp_path / "x.params").read_bytes() == (GOLDEN / "sparse.params").read_bytes()
    nd.save(str(tmp_path / "y.params"), [csr(), rows()])
    first, second = nd.load(str(tmp_path / "y.params"))
    np.testing.assert_array_equal(first.asnumpy(), MATRIX)
    np.testing.assert_array_equal(second.asnumpy(), rows().asnumpy())
    with pytest.raises(ArgumentTypeError, match="a sparse one"):
        nd.save(str(tmp_path / "x.safetensors"), found)


@given(st.data())
def test_damaged_files_are_refused_or_read(data):
    content = bytearray((GOLDEN / "sparse.params").read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255))

    try:
        found = nd.load_frombuffer(bytes(content))
    except (FormatError, MXNetError):
        return
    for x in found.values() if isinstance(found, dict) else found:
        if x.size < 10_000:
            x.asnumpy()


# --- laws -----------------------------------------------------------------------------------------------
@given(
    matrices(),
    st.sampled_from(["csr", "row_sparse"]),
    st.sampled_from(["float16", "float32", "int32", "bool"]),
)
def test_conversion_keeps_everything(values, stype, dtype):
    x = nd.array(values, dtype=dtype)

    y = x.tostype(stype)

    y.check_format()
    np.testing.assert_array_equal(y.asnumpy(), x.asnumpy())
    assert (y.dtype, y.stype) == (x.dtype, stype)
    np.testing.assert_array_equal(y.tostype("default").asnumpy(), x.asnumpy())


@given(st.integers(1, 4).flatmap(lambda n: st.tuples(matrices((n, 3)), matrices((n, 3)))))
def test_sums_and_products_are_those_of_dense_arrays(pair):
    for stype in ("csr", "row_sparse"):
        x, y = (nd.array(values).tostype(stype) for values in pair)
        a, b = pair
        for found, expected in [(x + y, a + b), (x - y, a - b), (x * y, a * b)]:
            assert found.stype == stype
            found.check_format()
            np.testing.assert_array_equal(found.asnumpy(), expected)


@given(matrices(), st.integers(1, 40), st.sampled_from(["float16", "float32", "float64", "int32", "int8"]))
def test_products_are_those_of_dense_matrices(values, n, dtype):
    x = nd.array(values, dtype=dtype).tostype("csr")
    wide = nd.array(np.arange(values.shape[1] * n).reshape(-1, n) % 5 - 2, dtype=dtype)
    tall = nd.array(np.arange(values.shape[0] * n).reshape(-1, n) % 5 - 2, dtype=dtype)

    forward, back = nd.dot(x, wide), nd.dot(x, tall, transpose_a=True)

    assert (forward.stype, back.stype, forward.dtype) == ("default", "row_sparse", x.dtype)
    np.testing.assert_array_equal(forward.asnumpy(), values.astype(dtype) @ wide.asnumpy())
    np.testing.assert_array_equal(back.asnumpy(), values.astype(dtype).T @ tall.asnumpy())
    back.check_format()


def test_products_do_not_depend_on_the_number_of_threads():
    rng = np.random.RandomState(0)
    values = scipy.sparse.random(3000, 500, 0.05, format="csr", dtype=np.float32, random_state=rng)
    x, w, g = sparse.array(values), rng.randn(500, 70).astype("f"), rng.randn(3000, 70).astype("f")
    expected = values.astype(float) @ w, values.astype(float).T @ g

    found = nd.dot(x, nd.array(w)).asnumpy(), nd.dot(x, nd.array(g), transpose_a=True).asnumpy()
    again = nd.dot(x, nd.array(w)).asnumpy(), nd.dot(x, nd.array(g), transpose_a=True).asnumpy()

    for a, b, c in zip(found, again, expected, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c, rtol=1e-4, atol=1e-4)


def test_arithmetic_in_place_keeps_the_storage():
    x, y = rows(), nd.ones((5, 2))
    alias = x.detach()

    x += rows()
    x *= 2
    y += rows()

    assert (x.stype, y.stype) == ("row_sparse", "default")
    np.testing.assert_array_equal(alias.asnumpy(), 4 * rows().asnumpy())
    np.testing.assert_array_equal(y.asnumpy(), rows().asnumpy() + 1)


def test_results_are_written_to_any_storage():
    out, dense = nd.zeros((3, 4), stype="csr"), nd.zeros((3, 4))

    nd.elemwise_add(csr(), csr(), out=out)
    nd.elemwise_add(csr(), csr(), out=dense)
    np.testing.assert_array_equal(out.asnumpy(), 2 * MATRIX)
    np.testing.assert_array_equal(dense.asnumpy(), 2 * MATRIX)
    nd.exp(nd.array(MATRIX), out=out)
    np.testing.assert_allclose(out.asnumpy(), np.exp(MATRIX), rtol=1e-6)
    mx.random.normal(shape=(3, 4), out=out)
    assert (out.asnumpy() != 0).all()
    with pytest.raises(ShapeError, match="expected shape"):
        nd.square(csr(), out=nd.zeros((2, 2), stype="csr"))


def test_what_no_rule_covers_is_computed_densely_and_told_once(caplog, monkeypatch):
    monkeypatch.setattr(mx.ops._storage, "_told", set())
    with caplog.at_level(logging.WARNING, "mxcy"):
        for _ in range(2):
            nd.log1p(csr())
            np.testing.assert_allclose(nd.cos(csr()).asnumpy(), np.cos(MATRIX), rtol=1e-6)
    assert [r.getMessage() for r in caplog.records if "operator = cos" in r.getMessage()] != []
    assert len(caplog.records) == 1

    monkeypatch.setenv("MXNET_STORAGE_FALLBACK_LOG_VERBOSE", "0")
    nd.cosh(csr())
    assert len(caplog.records) == 1


def test_code_for_dense_arrays_never_reads_a_sparse_one():
    hidden = mx.kernels.cpu.copy
    with pytest.raises(MXNetError, match="a sparse array is used where only a dense one can be"):
        hidden(csr()).asnumpy()
