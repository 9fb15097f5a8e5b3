"""Matrix products against NumPy, over dtypes, layouts, batches and splits."""

import ctypes
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mxcy._matmul import matmul
from test_pointwise import BF16, F16, F32, F64, I32, arrays, same

from mxcy import _array, _matmul, errors
from mxcy.dtypes import DTYPES, code_of


def numbers(shape, code, seed):
    """Small whole numbers, whose products are exact in every dtype, so that order does not matter."""
    rng = np.random.default_rng(seed)
    low = 0 if DTYPES[code].kind in "bu" else -3
    return rng.integers(low, 4, shape).astype(DTYPES[code])


def exact(a, b):
    if a.dtype.kind in "biuc" and a.dtype == b.dtype:
        return a @ b
    wide = a.astype("f8") @ b.astype("f8")
    return wide.astype(np.result_type(a.dtype, b.dtype))


@pytest.mark.parametrize("code", range(len(DTYPES)), ids=lambda c: DTYPES[c].name)
@pytest.mark.parametrize(
    "shapes", [((1, 1), (1, 1)), ((3, 4), (4, 5)), ((70, 1), (1, 9)), ((300, 70), (70, 260))], ids=str
)
def test_products_of_every_dtype(code, shapes):
    a, b = numbers(shapes[0], code, 0), numbers(shapes[1], code, 1)
    same(matmul(*arrays(a, b)), exact(a, b))


@pytest.mark.parametrize("shapes", [
    ((2, 3, 4), (4, 5)), ((3, 4), (6, 4, 5)), ((2, 1, 3, 4), (7, 4, 2)), ((5, 3, 4), (5, 4, 3)),
    ((0, 3, 4), (4, 5)), ((3, 0), (0, 5)), ((2, 3, 0), (2, 0, 5)), ((0, 3), (3, 5)), ((3, 4), (4, 0)),
    ((100, 2, 2), (100, 2, 2)),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("code", [F32, F16, I32], ids=lambda c: DTYPES[c].name)
def test_leading_axes_broadcast_and_empty_products_are_zero(shapes, code):
    a, b = numbers(shapes[0], code, 2), numbers(shapes[1], code, 3)
    same(matmul(*arrays(a, b)), exact(a, b))


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("code", [F64, I32], ids=lambda c: DTYPES[c].name)
def test_transposed_operands(transpose_a, transpose_b, code):
    a, b = numbers((2, 40, 30), code, 4), numbers((2, 30, 50), code, 5)
    x, y = arrays(
        a.swapaxes(1, 2).copy() if transpose_a else a, b.swapaxes(1, 2).copy() if transpose_b else b
    )
    same(matmul(x, y, transpose_a, transpose_b), a @ b)


@given(st.data())
def test_operands_and_results_of_any_strides(data):
    steps = st.sampled_from([1, 2, -1])
    m, n, p = (data.draw(st.sampled_from([1, 2, 5, 33])) for _ in range(3))

    def operand(rows, columns, seed):
        base = numbers((2 * rows, 2 * columns), F32, seed)
        index = (slice(None, None, data.draw(steps)), slice(None, None, data.draw(steps)))
        cut = (slice(0, rows), slice(0, columns))
        view, mine = base[index][cut], _array.from_numpy(base)[index][cut]
        return (view.T.copy().T, mine) if data.draw(st.booleans()) else (view, mine)

    a, x = operand(m, n, 6)
    b, y = operand(n, p, 7)
    same(matmul(x, y), exact(a, b))
    target = operand(m, p, 8)[1]
    assert matmul(x, y, out=target) is target
    same(target, exact(a, b))


def test_large_products_are_those_of_numpy():
    rng = np.random.default_rng(9)
    for m, n, p in [(1000, 700, 900), (2500, 600, 70), (70, 600, 2500)]:
        a, b = rng.random((m, n), np.float32), rng.random((n, p), np.float32)
        np.testing.assert_allclose(np.asarray(matmul(*arrays(a, b))), a @ b, rtol=1e-4)


def test_a_product_may_replace_its_operand():
    a = numbers((20, 20), F64, 10)
    x = _array.from_numpy(a)
    matmul(x, x, out=x)
    same(x, a @ a)


def test_a_bias_is_added():
    a, b, bias = numbers((6, 5), F32, 11), numbers((4, 5), F32, 12), numbers((4,), F32, 13)
    same(matmul(*arrays(a, b), transpose_b=True, add_to=arrays(bias)[0]), a @ b.T + bias)


def test_dtypes_are_promoted():
    a, b = numbers((3, 4), I32, 14), numbers((4, 5), F32, 15)
    same(matmul(*arrays(a, b)), a @ b)
    half = numbers((4, 5), BF16, 16)
    same(matmul(*arrays(half, b.T.copy())), (half.astype("f4") @ b.T))


def test_half_types_are_summed_in_float32():
    a = np.full((2, 3000), 1.0, np.float16)
    same(matmul(*arrays(a, a), transpose_b=True), np.full((2, 2), 3000, np.float16))


def test_shapes_and_dtypes_that_do_not_fit_raise_at_the_call():
    x, y = arrays(np.zeros((2, 3), "f4"), np.zeros((2, 3), "f4"))
    with pytest.raises(errors.ShapeError, match=r"matmul\(b\): expected 3 rows"):
        matmul(x, y)
    with pytest.raises(errors.ShapeError, match="at least 2 axes"):
        matmul(x, x[0])
    with pytest.raises(errors.ShapeError, match="leading axes"):
        matmul(*arrays(np.zeros((2, 3, 3)), np.zeros((4, 3, 3))))
    with pytest.raises(errors.ShapeError, match=r"matmul\(out\)"):
        matmul(x, y, transpose_b=True, out=_array.empty((2, 3), np.float32))
    with pytest.raises(errors.DTypeError, match=r"matmul\(out\)"):
        matmul(x, y, transpose_b=True, out=_array.empty((2, 2), np.float64))


@pytest.mark.skipif(
    not _matmul.HAS_BLAS_THREADS, reason="NumPy here has no OpenBLAS whose threads can be set"
)
def test_numpy_keeps_its_threads():
    library = ctypes.CDLL(np._core._multiarray_umath.__file__)
    prefix = "scipy_openblas_" if hasattr(library, "scipy_openblas_get_num_threads64_") else "openblas_"
    threads = getattr(library, f"{prefix}get_num_threads64_")
    before = threads()
    a = numbers((600, 600), F32, 17)
    x = _array.from_numpy(a)
    results = []

    def multiply():
        results.extend(matmul(x, x) for _ in range(5))

    pushers = [threading.Thread(target=multiply) for _ in range(3)]
    for pusher in pushers:
        pusher.start()
    for pusher in pushers:
        pusher.join()
    for result in results:
        np.testing.assert_array_equal(np.asarray(result), exact(a, a))
    assert threads() == before


def test_integer_products_wrap_like_numpys():
    rng = np.random.default_rng(18)
    for code in (code_of("i1"), code_of("u2"), code_of("i8"), code_of("u8")):
        limits = np.iinfo(DTYPES[code])
        a, b = (rng.integers(limits.min, limits.max, (30, 30), DTYPES[code]) for _ in range(2))
        same(matmul(*arrays(a, b)), a @ b)


@pytest.mark.parametrize("code", [F32, F64], ids=lambda c: DTYPES[c].name)
@pytest.mark.parametrize(
    "m, n, p",
    [
        (8, 8, 8),
        (5, 64, 17),
        (13, 40, 7),
        (113, 257, 95),
        (230, 300, 161),
        (64, 17, 1100),
        (450, 90, 33),
        (2, 1100, 1003),
        (33, 1030, 1101),
        (64, 70, 16390),
        (1030, 37, 1033),
        (1027, 2, 1027),
        (2100, 512, 9),
    ],
)
def test_blocks_and_their_edges(m, n, p, code):
    """Sizes that leave rests in rows, columns and depth; any layout of operands and result."""
    rng = np.random.default_rng(m)
    a, b = rng.normal(size=(m, n)).astype(DTYPES[code]), rng.normal(size=(n, p)).astype(DTYPES[code])
    expected = a.astype("f8") @ b.astype("f8")
    tolerance = {"rtol": 0, "atol": 1e-4 if code == F32 else 1e-12}
    found = []
    for x, y in ((a, b), (a.T.copy().T, b), (a, b.T.copy().T), (a.T.copy().T, b.T.copy().T)):
        left, right = (_array.from_numpy(z, copy=False) for z in (x, y))
        found.append(np.asarray(matmul(left, right)))
        np.testing.assert_allclose(found[-1], expected, **tolerance)
        turned = _array.from_numpy(np.zeros((p, m), DTYPES[code]))._transpose_view((1, 0))
        np.testing.assert_allclose(np.asarray(matmul(left, right, out=turned)), expected, **tolerance)


def test_products_do_not_depend_on_the_number_of_workers():
    code = "import sys, numpy as np; from mxcy import _array; from mxcy._matmul import matmul; " \
        "new = np.random.default_rng(0).normal; " \
        "draw = lambda *shape: _array.from_numpy(new(size=shape).astype('f4')); " \
        "pairs = [(draw(400, 400), draw(400, 400)), (draw(30, 1100), draw(1100, 1003)), " \
        "(draw(30, 1100), draw(1003, 1100)._transpose_view((1, 0))), (draw(1030, 30), draw(30, 1033))]; " \
        "found = b''.join(np.asarray(matmul(*pair)).tobytes() for pair in pairs); " \
        "sys.stdout.write(str(hash(found)))"  # fmt: skip
    env = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env=env | {"MXCY_NUM_THREADS": n}, capture_output=True, check=True
        ).stdout
        for n in "124"
    }
    assert len(found) == 1
