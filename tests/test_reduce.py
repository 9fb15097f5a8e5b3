"""Reductions, running results and arg-reductions against NumPy, over dtypes, axes, strides and sizes."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mxcy._pointwise import Const, compile_program
from mxcy._reduce import accumulate, arg_reduce, reduce
from test_pointwise import BF16, F16, F32, F64, I32, I64, U8, arrays, broadcast_case, same, strided, values

from mxcy import _array, errors
from mxcy.dtypes import DTYPES, code_of

EXACT = [np.maximum, np.minimum, np.fmax, np.logical_and, np.logical_or, np.bitwise_xor, np.gcd]
HALVES = (F16, BF16)


def close(found, expected, code):
    found = np.asarray(found)
    assert found.shape == np.shape(expected)
    kind = DTYPES[code]
    if kind.kind in "biu":
        np.testing.assert_array_equal(found, expected)
    else:
        tolerance = {2: 1e-2, 4: 1e-5, 8: 1e-12, 16: 1e-12}[8 if kind == np.complex64 else kind.itemsize]
        tolerance = 1e-5 if kind == np.complex64 else tolerance
        wide = "c16" if kind.kind == "c" else "f8"
        np.testing.assert_allclose(
            found.astype(wide), np.asarray(expected).astype(wide), rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize("code", range(len(DTYPES)), ids=lambda c: DTYPES[c].name)
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), ()], ids=str)
def test_sums_have_numpys_dtype_and_value(code, axis):
    x = np.nan_to_num(values((5, 70, 3), code, 0).astype("f8" if code in HALVES else DTYPES[code])).clip(
        -50, 50
    )
    x = x.astype(DTYPES[code])
    found = reduce(np.add, *arrays(x), axis)
    expected = (x.astype("f8") if code in HALVES else x).sum(axis=axis)
    assert found.dtype == (x.dtype if code in HALVES else expected.dtype)
    close(found, expected, code_of(found.dtype))


@pytest.mark.parametrize("ufunc", EXACT, ids=lambda u: u.__name__)
@pytest.mark.parametrize(
    "code", [0, U8, I32, I64, F16, F32, F64, code_of("c8")], ids=lambda c: DTYPES[c].name
)
@pytest.mark.parametrize("shape", [(4000,), (3, 700), (700, 3), (40, 5, 33)], ids=str)
def test_exact_reductions_are_numpys(ufunc, code, shape):
    x = values(shape, code, 1)
    for axis in (None, 0, -1):
        try:
            with np.errstate(all="ignore"):
                expected = np.asarray(ufunc.reduce(x, axis=axis))
        except TypeError:
            with pytest.raises(errors.DTypeError):
                reduce(ufunc, *arrays(x), axis)
            continue
        same(reduce(ufunc, *arrays(x), axis), expected)


@given(broadcast_case(), st.data())
def test_any_axes_and_strides(case, data):
    view, mine = strided(*case[0], I64, 2)
    ndim = view.ndim
    axis = data.draw(
        st.none() | st.lists(st.integers(0, max(0, ndim - 1)), max_size=ndim, unique=True).map(tuple)
    )
    keepdims = data.draw(st.booleans())
    same(reduce(np.add, mine, axis, keepdims), np.asarray(view.sum(axis=axis, keepdims=keepdims)))
    if view.size:
        same(reduce(np.maximum, mine, axis, keepdims), np.asarray(view.max(axis=axis, keepdims=keepdims)))
    same(
        reduce(np.add, [mine], axis, keepdims, pre=SQUARE),
        np.asarray((view * view).sum(axis=axis, keepdims=keepdims)),
    )


SQUARE = compile_program(1, [(np.multiply, [0, 0])], [1], [I64])


@pytest.mark.parametrize("n", [1, 7, 8, 4095, 4096, 4097, 100_000, 1_000_003])
def test_large_sums_are_more_exact_than_numpys(n):
    x = (np.random.default_rng(n).random(n) + 0.1).astype("f4")
    exact = x.astype("f8").sum()
    found = float(np.asarray(reduce(np.add, *arrays(x))))
    assert abs(found - exact) <= max(2 * abs(float(x.sum()) - exact), 2e-7 * exact)


def test_sum_of_rows_does_not_drift():
    x = np.full((1_000_000, 2), 0.1, "f4")
    np.testing.assert_allclose(np.asarray(reduce(np.add, *arrays(x), 0)), 1e5, rtol=1e-6)
    wide = np.full((100_000, 40), 0.1, "f4")
    np.testing.assert_allclose(np.asarray(reduce(np.add, *arrays(wide), 0)), 1e4, rtol=1e-6)


@pytest.mark.parametrize("code", HALVES, ids=lambda c: DTYPES[c].name)
def test_half_types_accumulate_in_float32(code):
    x = np.ones(5000, DTYPES[code])
    assert float(np.asarray(reduce(np.add, *arrays(x))).astype("f4")) == np.float32(5000).astype(DTYPES[code])
    big = np.full(300, 250.0, DTYPES[code])  # squares overflow float16, their mean root does not
    square = compile_program(1, [(np.multiply, [0, 0])], [1], [code])
    root = compile_program(2, [(np.divide, [0, 1]), (np.sqrt, [2])], [3], [code, float])
    found = reduce(np.add, arrays(big), pre=square, post=root, post_scalars=(300.0,))
    assert float(np.asarray(found).astype("f4")) == 250


def test_programs_in_front_and_behind_are_fused():
    a, b = np.random.default_rng(3).normal(size=(2, 37, 1500))
    difference = compile_program(2, [(np.subtract, [0, 1]), (np.multiply, [2, 2])], [3], [F64, F64])
    mean = compile_program(2, [(np.divide, [0, 1])], [2], [F64, int])
    for axis, count in ((0, 37), (1, 1500), (None, 37 * 1500)):
        found = reduce(np.add, arrays(a, b[:1]), axis, pre=difference, post=mean, post_scalars=(count,))
        np.testing.assert_allclose(np.asarray(found), ((a - b[:1]) ** 2).mean(axis), rtol=1e-12)
    with_constant = compile_program(2, [(np.add, [0, 1]), (np.multiply, [2, Const(2)])], [3], [F64, float])
    found = reduce(np.maximum, [*arrays(a), 1.5], 0, pre=with_constant)
    same(found, ((a + 1.5) * 2).max(0))


def test_dtype_is_that_of_the_accumulation():
    x = np.full(1000, 200, np.uint8)
    same(reduce(np.add, *arrays(x), dtype=np.uint8), np.asarray(x.sum(dtype=np.uint8)))
    same(reduce(np.add, *arrays(x), dtype=np.float32), np.asarray(x.sum(dtype=np.float32)))
    same(reduce(np.multiply, *arrays(x[:3]), dtype="i4"), np.asarray(x[:3].prod(dtype="i4")))


def test_initial_starts_the_reduction():
    x = values((6, 50), I64, 4)
    same(reduce(np.add, *arrays(x), 1, initial=7), x.sum(1, initial=7))
    same(reduce(np.minimum, *arrays(x), 0, initial=-3), x.min(0, initial=-3))
    same(reduce(np.maximum, *arrays(np.zeros((0, 3))), 0, initial=-1.0), np.full(3, -1.0))


def test_empty_reductions_have_the_identity_or_fail():
    x = np.zeros((0, 3))
    same(reduce(np.add, *arrays(x), 0), np.zeros(3))
    same(reduce(np.multiply, *arrays(x)), np.array(1.0))
    same(reduce(np.maximum, *arrays(x), 1), np.zeros(0))
    with pytest.raises(ValueError, match="zero-size array to a reduction which has no identity"):
        reduce(np.maximum, *arrays(x), 0)


def test_nan_goes_through_maximum_and_is_skipped_by_fmax():
    x = np.random.default_rng(5).random((50, 300))
    x[7, 9] = np.nan
    with np.errstate(all="ignore"):
        for ufunc in (np.maximum, np.minimum, np.fmax, np.fmin):
            for axis in (None, 0, 1):
                same(reduce(ufunc, *arrays(x), axis), np.asarray(ufunc.reduce(x, axis=axis)))


def test_ufuncs_whose_order_matters_go_in_order():
    x = np.random.default_rng(6).random((9, 5000)) + 0.5
    same(reduce(np.subtract, *arrays(x), 1), np.subtract.reduce(x, axis=1))
    same(reduce(np.divide, *arrays(x), 0), np.divide.reduce(x, axis=0))
    with pytest.raises(errors.ArgumentError, match="order matters"):
        reduce(np.subtract, *arrays(x))


def test_results_go_to_any_out():
    x = np.arange(12.0).reshape(3, 4)
    mine = _array.from_numpy(x)
    out = _array.empty((8,), np.float64)[::2]
    assert reduce(np.add, mine, 0, out=out) is out
    same(out, x.sum(0))
    reduce(np.add, mine, 0, out=mine[1])  # overlaps its input
    same(mine[1], x.sum(0))
    with pytest.raises(errors.ShapeError, match=r"add\(out\)"):
        reduce(np.add, mine, 1, out=_array.empty((4,), np.float64))


def test_bad_axes_raise_numpys_error():
    (x,) = arrays(np.zeros((2, 3)))
    with pytest.raises(
        np.exceptions.AxisError, match=r"add\(axis\): expected an axis of an array with 2 dimensions, got 2"
    ):
        reduce(np.add, x, 2)
    with pytest.raises(ValueError, match="each axis once"):
        reduce(np.add, x, (0, -2))
    with pytest.raises(TypeError):
        reduce(np.add, x, 1.5)


def test_overflow_is_reported_as_by_numpy():
    x = np.full(10, 3e38, "f4")
    with pytest.warns(RuntimeWarning, match="overflow encountered in add"):
        reduce(np.add, *arrays(x))
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        reduce(np.add, *arrays(np.full(1_000_000, 3e38, "f4"))).wait_to_read()


# --- arg_reduce -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("code", range(len(DTYPES)), ids=lambda c: DTYPES[c].name)
@pytest.mark.parametrize("kind", ["argmax", "argmin"])
def test_positions_are_those_of_numpy(kind, code):
    for shape in [(1,), (300,), (200_000,), (30, 40), (20, 3, 17)]:
        x = values(shape, code, 7)
        wide = x.astype("f4") if code == BF16 else x
        for axis in (None, *range(len(shape))):
            with np.errstate(all="ignore"):
                same(arg_reduce(kind, *arrays(x), axis), np.asarray(getattr(np, kind)(wide, axis=axis)))


@given(broadcast_case())
def test_positions_of_any_strides(case):
    view, mine = strided(*case[0], F32, 8)
    for axis in (None, *range(view.ndim)):
        if view.size == 0:
            continue
        same(arg_reduce("argmax", mine, axis, keepdims=True), np.asarray(view.argmax(axis, keepdims=True)))


def test_positions_in_another_dtype_and_of_nothing():
    x = values((5, 6), F64, 9)
    same(arg_reduce("argmin", *arrays(x), 1, dtype="f4"), x.argmin(1).astype("f4"))
    with pytest.raises(ValueError, match="empty sequence"):
        arg_reduce("argmax", *arrays(np.zeros((0, 2))))


# --- accumulate -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("code", [0, U8, I32, F16, F32, F64, code_of("c8")], ids=lambda c: DTYPES[c].name)
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_running_sums_are_numpys(code, axis):
    x = np.nan_to_num(values((6, 40, 5), code, 10), posinf=3, neginf=3)
    found = accumulate(np.add, *arrays(x), axis)
    if code == F16:
        expected = x.astype("f4").cumsum(axis).astype("f2")
    else:
        expected = x.cumsum(axis)
    same(found, expected)


@given(broadcast_case())
def test_running_maxima_of_any_strides(case):
    view, mine = strided(*case[0], F64, 11)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        for axis in range(view.ndim):
            same(accumulate(np.maximum, mine, axis), np.maximum.accumulate(view, axis))


def test_running_sums_in_place_and_with_another_dtype():
    x = np.arange(2000, dtype="i4").reshape(50, 40)
    mine = _array.from_numpy(x)
    same(accumulate(np.add, mine, 0, dtype="f8"), x.cumsum(0, dtype="f8"))
    accumulate(np.add, mine, 1, dtype="i4", out=mine)
    same(mine, x.cumsum(1, dtype="i4"))


@pytest.mark.parametrize("code", [F32, F64], ids=lambda c: DTYPES[c].name)
@pytest.mark.parametrize("kind", ["argmax", "argmin"])
def test_positions_of_ties_and_nans_are_the_first(kind, code):
    rng = np.random.default_rng(7)
    for n in (1, 15, 64, 65, 127, 128, 1000, 65_536, 70_001):
        x = rng.integers(-3, 3, (4, n)).astype(DTYPES[code])
        x[1, rng.integers(0, n, 3)] = np.nan
        x[2, rng.integers(0, n, 3)] = np.inf if kind == "argmax" else -np.inf
        x[3] = -0.0
        x[3, n // 2 :] = 0.0
        found = np.asarray(arg_reduce(kind, *arrays(x), 1))
        np.testing.assert_array_equal(found, getattr(x, kind)(1))


@pytest.mark.parametrize("code", [F32, F64], ids=lambda c: DTYPES[c].name)
def test_sums_are_the_same_for_any_number_of_rows_at_once(code):
    x = np.random.default_rng(8).normal(size=(77, 333)).astype(DTYPES[code])
    whole = np.asarray(reduce(np.add, *arrays(x), 0))
    for column in (slice(0, 12), slice(3, 20), slice(100, 333)):
        # A column's sum does not depend on its neighbours, nor on where the array begins.
        np.testing.assert_array_equal(
            np.asarray(reduce(np.add, *arrays(x[:, column].copy()), 0)), whole[column]
        )
