"""The block machine computes what NumPy computes, bit for bit, for every dtype, stride and split."""

import pickle
import warnings

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mxcy._pointwise import Const, compile_program, invoke

from mxcy import _array, _engine, errors
from mxcy.dtypes import DTYPES, code_of

F32, F64, I32, I64, U8, BOOL = (code_of(t) for t in ("f4", "f8", "i4", "i8", "u1", "?"))
F16, BF16 = code_of("f2"), code_of(ml_dtypes.bfloat16)

UNARY = [
    np.negative,
    np.absolute,
    np.sqrt,
    np.exp,
    np.tanh,
    np.floor,
    np.sign,
    np.isnan,
    np.logical_not,
    np.square,
]
BINARY = [
    np.add,
    np.subtract,
    np.multiply,
    np.divide,
    np.maximum,
    np.less,
    np.equal,
    np.logical_and,
    np.power,
]
BINARY += [np.floor_divide, np.remainder, np.bitwise_and, np.left_shift, np.arctan2, np.copysign, np.fmin]


def values(shape, code, seed):
    """Small numbers of every kind that the dtype has: signs, zeros, NaN and infinities."""
    rng = np.random.default_rng(seed)
    dtype = DTYPES[code]
    whole = rng.integers(0 if dtype.kind in "bu" else -5, 6, shape)
    if dtype.kind in "biu":
        return whole.astype(dtype)
    found = np.where(rng.random(shape) < 0.7, rng.normal(size=shape) * 3, whole)
    found = np.where(rng.random(shape) < 0.05, rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], shape), found)
    if dtype.kind == "c":
        found = found + 1j * np.where(rng.random(shape) < 0.9, rng.normal(size=shape), np.nan)
    with np.errstate(all="ignore"):
        return found.astype(dtype)


def arrays(*given):
    return [_array.from_numpy(np.asarray(a)) for a in given]


def same(found, expected):
    found = np.asarray(found)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(
        found.astype("f4") if found.dtype == DTYPES[BF16] else found,
        expected.astype("f4") if expected.dtype == DTYPES[BF16] else expected,
    )


def expected_of(ufunc, *operands):
    """NumPy's result; half types as NumPy computes the same function in float32, rounded once."""
    with np.errstate(all="ignore"):
        plain = ufunc(*operands)
        if plain.dtype != np.float16 or any(o.dtype != np.float16 for o in operands):
            return plain
        return ufunc(*(o.astype("f4") for o in operands)).astype("f2")


def run(ufunc, *operands):
    program = compile_program(
        len(operands), [(ufunc, range(len(operands)))], [len(operands)], [code_of(o.dtype) for o in operands]
    )
    with np.errstate(all="ignore"):
        return invoke(program, arrays(*operands))[0]


# --- one function -----------------------------------------------------------------------------------
@pytest.mark.parametrize("ufunc", UNARY, ids=lambda u: u.__name__)
@pytest.mark.parametrize("code", range(len(DTYPES)), ids=lambda c: DTYPES[c].name)
def test_unary_function_is_that_of_numpy_for_every_dtype(ufunc, code):
    x = values((7, 11), code, 0)
    try:
        expected = expected_of(ufunc, x)
    except TypeError:
        with pytest.raises(errors.DTypeError):
            run(ufunc, x)
        return
    same(run(ufunc, x), expected)


@pytest.mark.parametrize("ufunc", BINARY, ids=lambda u: u.__name__)
@pytest.mark.parametrize("code", range(len(DTYPES)), ids=lambda c: DTYPES[c].name)
def test_binary_function_is_that_of_numpy_for_every_dtype(ufunc, code):
    a, b = values((5, 1, 6), code, 1), values((4, 1), code, 2)
    if ufunc is np.power and DTYPES[code].kind == "i":
        b = np.abs(b)
    try:
        expected = expected_of(ufunc, a, b)
    except TypeError:
        with pytest.raises(errors.DTypeError):
            run(ufunc, a, b)
        return
    same(run(ufunc, a, b), expected)


@pytest.mark.parametrize("first", range(len(DTYPES)), ids=lambda c: DTYPES[c].name)
def test_dtypes_are_promoted_as_by_numpy(first):
    for second in range(len(DTYPES)):
        a, b = values((9,), first, 3), values((9,), second, 4)
        try:
            expected = expected_of(np.add, a, b)
        except TypeError:
            with pytest.raises(errors.DTypeError):
                run(np.add, a, b)
            continue
        if expected.dtype not in (DTYPES[F16], DTYPES[BF16]):  # rounded once here, after each cast there
            same(run(np.add, a, b), expected)
        else:
            assert run(np.add, a, b).dtype == expected.dtype


def test_functions_of_several_results_and_of_scipy_are_steps():
    special = pytest.importorskip("scipy.special")
    x = values((3, 50), F64, 5)
    program = compile_program(
        1, [(np.frexp, [0]), (special.erf, [1]), (np.divmod, [3, Const(0.3)])], [1, 2, 4, 5], [F64]
    )
    with np.errstate(all="ignore"):
        mantissa, exponent = np.frexp(x)
        whole, rest = np.divmod(special.erf(mantissa), 0.3)
        found = invoke(program, arrays(x))
    for result, expected in zip(found, (mantissa, exponent, whole, rest), strict=True):
        same(result, expected)


def test_python_objects_are_no_elements():
    with pytest.raises(errors.DTypeError):
        compile_program(1, [(np.frompyfunc(abs, 1, 1), [0])], [1], [F64])


@pytest.mark.parametrize("n", [3, 200_000])
def test_a_ufunc_itself_is_called_with_the_gil(n):
    x, y = values((n,), F64, 5), values((n,), F64, 6)
    program = compile_program(2, [(("call", np.hypot), [0, 1]), (np.add, [2, 0])], [3], [F64, F64])
    with np.errstate(all="ignore"):
        same(invoke(program, arrays(x, y))[0], np.hypot(x, y) + x)
    power = compile_program(2, [(("call", np.power), [0, 1])], [2], [I64, I64])
    with pytest.raises(ValueError, match="Integers to negative integer powers"):
        invoke(power, arrays(np.ones(n, "i8"), np.full(n, -1)))[0].wait_to_read()


@pytest.mark.parametrize("n", [3, 200_000])
def test_loops_that_nobody_vouches_for_run_with_the_gil(n):
    ufuncs = pytest.importorskip("scipy.special._ufuncs")
    x = values((n,), F64, 7)
    program = compile_program(1, [(ufuncs._cosine_cdf, [0])], [1], [F64])
    with np.errstate(all="ignore"):
        same(invoke(program, arrays(x))[0], ufuncs._cosine_cdf(x))


def test_flags_survive_a_step_that_clears_the_status():
    program = compile_program(2, [(np.divide, [0, 1]), (np.less, [2, 0])], [3], [F64, F64])
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        invoke(program, arrays(np.ones(4), np.zeros(4)))


# --- spaces -----------------------------------------------------------------------------------------
@st.composite
def broadcast_case(draw):
    ndim = draw(st.integers(0, 4))
    shape = draw(st.lists(st.sampled_from([0, 1, 2, 3, 5, 33, 40]), min_size=ndim, max_size=ndim))
    operands = []
    for _ in range(draw(st.integers(1, 3))):
        own = [1 if draw(st.integers(0, 3)) == 0 else n for n in shape][
            draw(st.integers(0, ndim)) if ndim else 0 :
        ]
        keys = [draw(st.sampled_from([1, 1, 2, -1, -3])) for _ in own]
        order = draw(st.permutations(range(len(own))))
        operands.append((tuple(own), tuple(keys), tuple(order)))
    return operands


def strided(own, keys, order, code, seed):
    """(base, view of it) with the shape `own`, steps `keys` and memory order `order`, and its twin."""
    base_shape = [own[i] * abs(keys[i]) for i in order]
    base = np.asarray(values(tuple(base_shape), code, seed))
    index = tuple(slice(None, None, keys[i]) for i in order)
    back = tuple(np.argsort(order)) if order else ()
    mine = _array.from_numpy(base)
    view, mine = base[index], mine[index] if index else mine
    return view.transpose(back), mine._transpose_view(back)


@given(broadcast_case(), st.sampled_from([F32, F64, I64, U8, F16, code_of("c16")]))
def test_any_strides_and_broadcasting(case, code):
    pairs = [strided(*operand, code, seed) for seed, operand in enumerate(case)]
    steps, last = [(np.multiply, [0, 0])], len(pairs)
    for i in range(1, len(pairs)):
        steps.append((np.add, [last, i]))
        last += 1
    program = compile_program(len(pairs), steps, [last], [code] * len(pairs))
    with np.errstate(all="ignore"):
        wide = [p[0].astype("f4") if code == F16 else p[0] for p in pairs]
        expected = wide[0] * wide[0]
        for other in wide[1:]:
            expected = expected + other
        expected = np.asarray(expected).astype(DTYPES[code])
        (found,) = invoke(program, [p[1] for p in pairs])
    same(found, expected)


@given(broadcast_case())
def test_results_go_to_any_strides(case):
    own, keys, order = case[0]
    x = values(own, F32, 7)
    mine = strided(own, keys, order, F32, 8)[1]
    program = compile_program(1, [(np.negative, [0]), (np.floor, [1])], [1, 2], [F32])
    other = _array.empty(own, np.float32)
    found = invoke(program, [*arrays(x)], [mine, other])
    assert found[0] is mine
    same(mine, -x)
    same(other, np.floor(-x))


@pytest.mark.parametrize(
    "shape", [(100_003,), (1000, 3), (70_000, 3), (3, 70_001), (517, 40), (2, 3, 5, 7, 2)]
)
def test_large_and_thin_shapes(shape):
    a, b = values(shape, F32, 9), values(shape[-1:], F32, 10)
    program = compile_program(2, [(np.add, [0, 1]), (np.multiply, [2, 0])], [3], [F32, F32])
    with np.errstate(all="ignore"):
        same(invoke(program, arrays(a, b))[0], (a + b) * a)


def test_no_dimensions_and_no_elements():
    program = compile_program(2, [(np.add, [0, 1])], [2], [F32, F32])
    same(invoke(program, arrays(np.float32(2), np.float32(3)))[0], np.array(5, "f4"))
    same(invoke(program, arrays(np.zeros((0, 3), "f4"), np.zeros((1,), "f4")))[0], np.zeros((0, 3), "f4"))


def test_loops_see_the_arrays_own_strides():
    """NumPy's loops take other code for negative strides, and so must we."""
    x = np.random.default_rng(0).random(3000) + 0.1
    mine = _array.from_numpy(x)[::-1]
    program = compile_program(1, [(np.exp, [0])], [1], [F64])
    same(invoke(program, [mine])[0], np.exp(x[::-1]))


# --- overlap ------------------------------------------------------------------------------------------
OVERLAPS = [
    (np.s_[1:], np.s_[:-1]),
    (np.s_[:-1], np.s_[1:]),
    (np.s_[:], np.s_[::-1]),
    (np.s_[:], np.s_[:]),
    (np.s_[::2], np.s_[1::2]),
    (np.s_[:50], np.s_[::2]),
]


@pytest.mark.parametrize(("to", "source"), OVERLAPS)
@pytest.mark.parametrize("n", [100, 100_000])
def test_overlapping_operands_give_the_result_of_separate_ones(to, source, n):
    base = values((n,), F32, 11)
    if to == np.s_[:50]:
        to, source = np.s_[: n // 2], np.s_[::2]
    mine = _array.from_numpy(base)
    program = compile_program(2, [(np.add, [0, 1]), (np.multiply, [2, 1])], [3], [F32, F32])
    with np.errstate(all="ignore"):
        invoke(program, [mine[to], mine[source]], [mine[to]])
        base[to] = (base[to] + base[source]) * base[source].copy()
    same(mine, base)


def test_a_result_written_before_its_input_is_last_read_does_not_disturb():
    base = values((5000,), F64, 12)
    mine = _array.from_numpy(base)
    program = compile_program(1, [(np.negative, [0]), (np.multiply, [1, 0])], [1, 2], [F64])
    with np.errstate(all="ignore"):
        first, second = invoke(program, [mine], [mine, None])
        same(second, -base * base)
    same(first, -base)


def test_two_imports_of_one_memory_overlap():
    base = np.arange(10.0)
    whole = _array.from_numpy(base, copy=False)
    tail = _array.from_numpy(base[1:], copy=False)
    program = compile_program(2, [(np.add, [0, 1])], [2], [F64, F64])
    invoke(program, [tail, whole[:-1]], [tail])
    expected = np.arange(10.0)
    expected[1:] += np.arange(9.0)
    np.testing.assert_array_equal(base, expected)


def test_unaligned_views_are_buffered():
    base = np.arange(20, dtype="f8")
    mine = _array.from_numpy(base)
    odd = np.ndarray((9,), "f8", buffer=base.data, offset=4, strides=(16,))
    mine_odd = mine._strided(4, (9,), (16,))
    program = compile_program(1, [(np.multiply, [0, Const(2)])], [1], [F64])
    same(invoke(program, [mine_odd])[0], odd * 2)
    invoke(program, arrays(np.ones(9)), [mine_odd])
    odd[:] = 2
    same(mine, base)


# --- scalars ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("code", range(len(DTYPES)), ids=lambda c: DTYPES[c].name)
@pytest.mark.parametrize("scalar", [2, 2.5, True, 1 - 2j], ids=str)
def test_python_scalars_are_weak(code, scalar):
    x = values((40,), code, 13)
    if code == BF16 and isinstance(scalar, complex):
        return
    given_at_call = compile_program(2, [(np.add, [0, 1])], [2], [code, type(scalar)])
    constant = compile_program(1, [(np.add, [0, Const(scalar)])], [1], [code])
    with np.errstate(all="ignore"):
        if code == BF16:
            expected = (x.astype("f4") + np.float32(scalar)).astype(DTYPES[BF16])
        else:
            expected = x + scalar
        same(invoke(given_at_call, [*arrays(x), scalar])[0], expected)
        same(invoke(constant, arrays(x))[0], expected)


def test_numpy_scalars_keep_their_dtype():
    x = values((4,), F32, 14)
    program = compile_program(1, [(np.add, [0, Const(np.float64(0.1))])], [1], [F32])
    same(invoke(program, arrays(x))[0], x + np.float64(0.1))


@pytest.mark.parametrize("ufunc", [np.less, np.less_equal, np.equal, np.not_equal, np.greater])
@pytest.mark.parametrize("scalar", [300, -1, 2**70, 255])
def test_integers_out_of_range_compare(ufunc, scalar):
    x = np.array([0, 5, 255], np.uint8)
    at_call = compile_program(2, [(ufunc, [0, 1])], [2], [U8, int])
    constant = compile_program(1, [(ufunc, [0, Const(scalar)])], [1], [U8])
    same(invoke(at_call, [*arrays(x), scalar])[0], ufunc(x, scalar))
    same(invoke(constant, arrays(x))[0], ufunc(x, scalar))


def test_integers_out_of_range_do_not_add():
    program = compile_program(2, [(np.add, [0, 1])], [2], [U8, int])
    with pytest.raises(OverflowError, match="300 out of bounds for uint8"):
        invoke(program, [*arrays(np.ones(3, np.uint8)), 300])
    with pytest.raises(OverflowError):
        compile_program(1, [(np.add, [0, Const(-1)])], [1], [U8])


# --- programs -----------------------------------------------------------------------------------------
def test_half_types_round_once():
    x = values((300,), F16, 15)
    program = compile_program(
        1, [(np.multiply, [0, 0]), (np.sqrt, [1]), (np.add, [2, Const(0.1)])], [3], [F16]
    )
    with np.errstate(all="ignore"):
        wide = x.astype("f4")
        expected = (np.sqrt(wide * wide) + np.float32(np.float16(0.1))).astype("f2")
        same(invoke(program, arrays(x))[0], expected)


def test_results_are_cast_to_the_dtypes_asked_for():
    x = values((300,), F32, 16)
    program = compile_program(1, [(np.isnan, [0]), ("relu", [0])], [1, 2, 0], [F32], [F32, F64, I32])
    with np.errstate(all="ignore"):
        found = invoke(program, arrays(x))
        same(found[0], np.isnan(x).astype("f4"))
        same(found[1], np.where(x < 0, 0, x).astype("f8"))
        same(found[2], x.astype("i4"))


def test_a_value_may_be_returned_twice_and_an_input_once():
    x = values((2000,), I64, 17)
    program = compile_program(1, [(np.negative, [0])], [1, 1, 0], [I64])
    for result, expected in zip(invoke(program, arrays(x)), (-x, -x, x), strict=True):
        same(result, expected)


@given(st.data())
def test_random_programs_equal_numpy_step_by_step(data):
    n_inputs = data.draw(st.integers(1, 3))
    expected = [values((data.draw(st.sampled_from([1, 1025])),), F64, s) for s in range(n_inputs)]
    mine = arrays(*expected)
    steps = []
    with np.errstate(all="ignore"):
        for _ in range(data.draw(st.integers(1, 12))):
            ufunc = data.draw(
                st.sampled_from([np.add, np.multiply, np.maximum, np.absolute, np.less, np.logical_not])
            )
            operands = [data.draw(st.integers(0, len(expected) - 1)) for _ in range(ufunc.nin)]
            steps.append((ufunc, operands))
            expected.append(ufunc(*(expected[o] for o in operands)))
        outputs = data.draw(st.lists(st.integers(0, len(expected) - 1), min_size=1, max_size=4))
        program = compile_program(n_inputs, steps, outputs, [F64] * n_inputs)
        shape = np.broadcast_shapes(*(e.shape for e in expected[:n_inputs]))
        for number, result in zip(outputs, invoke(program, mine), strict=True):
            same(result, np.broadcast_to(expected[number], shape))


def test_programs_are_pickled_and_printed():
    program = compile_program(2, [(np.add, [0, 1])], [2], [F32, int])
    again = pickle.loads(pickle.dumps(program))
    assert repr(again) == repr(program) == "<Program add: (float32, int) -> (float32), 1 steps>"
    same(invoke(again, [*arrays(np.ones(3, "f4")), 1])[0], np.full(3, 2, "f4"))


def test_results_do_not_depend_on_the_number_of_threads(tmp_path):
    import subprocess
    import sys

    script = """
import sys, numpy as np
from mxcy import _array
from mxcy._pointwise import compile_program, invoke
from mxcy._reduce import reduce
x = _array.from_numpy(np.random.default_rng(0).normal(size=(1500, 1201)).astype("f4"))
p = compile_program(1, [(np.exp, [0]), (np.tanh, [1]), (np.add, [2, 0])], [3], [11])
y = invoke(p, [x])[0]
found = [y, reduce(np.add, y), reduce(np.add, y, 0), reduce(np.add, y, 1), reduce(np.add, [x], 0, pre=p)]
np.savez(sys.argv[1], *map(np.asarray, found))
"""
    import os

    results = []
    for threads in ("1", "2", "5"):
        path = tmp_path / f"{threads}.npz"
        subprocess.run(
            [sys.executable, "-c", script, path], check=True, env={**os.environ, "MXCY_NUM_THREADS": threads}
        )
        with np.load(path) as held:
            results.append([held[name] for name in held.files])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


# --- our own loops --------------------------------------------------------------------------------------
COMPARISONS = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
LOGIC = ["logical_and", "logical_or", "logical_xor"]
REAL = [c for c in range(len(DTYPES)) if DTYPES[c].kind != "c"]


@pytest.mark.parametrize("name", COMPARISONS + LOGIC)
@pytest.mark.parametrize("code", REAL, ids=lambda c: DTYPES[c].name)
def test_own_comparisons_and_logic_have_the_operands_dtype(name, code):
    a, b = values((300,), code, 18), values((300,), code, 19)
    with np.errstate(invalid="ignore"):  # ml_dtypes warns of NaN
        expected = getattr(np, name)(a, b), getattr(np, name)(a[::-2], DTYPES[code].type(1))
    same(run(name, a, b), expected[0].astype(DTYPES[code]))
    (mine,) = arrays(a)
    program = compile_program(2, [(name, [0, 1])], [2], [code, int])
    same(invoke(program, [mine[::-2], 1])[0], expected[1].astype(DTYPES[code]))


@pytest.mark.parametrize("code", [F32, F64, F16, BF16], ids=lambda c: DTYPES[c].name)
def test_own_functions_of_one_float(code):
    x = values((700,), code, 20)
    wide = x.astype("f8")
    with np.errstate(all="ignore"):
        tolerance = {F64: 1e-15, F32: 3e-7, F16: 1e-3, BF16: 8e-3}[code]
        found = np.asarray(run("sigmoid", x)).astype("f8")
        np.testing.assert_allclose(found, 1 / (1 + np.exp(-wide)), rtol=tolerance, atol=1e-7)
        same(run("relu", x), np.where(wide < 0, 0, wide).astype(x.dtype))
        same(run("logical_not", x), (wide == 0).astype(x.dtype))
        away = np.where(np.isfinite(wide), np.copysign(np.floor(np.abs(wide) + 0.5), wide), wide)
        same(run("round_away", x), away.astype(x.dtype))
    halves = np.array(
        [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999997, 8388609.0], DTYPES[code] if code == F64 else "f4"
    )
    same(run("rint_down", halves), np.array([-3, -2, -1, 0, 1, 2, 0, 8388609], halves.dtype))


def test_sigmoid_of_any_stride_raises_no_flag():
    x = np.linspace(-1000, 1000, 4001, dtype="f4")
    mine = _array.from_numpy(x)
    program = compile_program(1, [("sigmoid", [0])], [1], [F32])
    with np.errstate(all="raise", under="ignore"):
        whole = np.asarray(invoke(program, [mine])[0])
        same(invoke(program, [mine[::-3]])[0], whole[::-3])
    assert whole[0] == 0
    assert whole[2000] == 0.5
    assert whole[-1] == 1


@pytest.mark.parametrize("code", [1, U8, I32, I64, F32, F64], ids=lambda c: DTYPES[c].name)
def test_modulo_has_the_divisors_sign_and_no_error(code):
    a, b = np.array([7, -7, 7, -7, 0, 5]), np.array([3, 3, -3, -3, 4, 0])
    if code == U8:
        a, b = np.abs(a), np.abs(b)
    with np.errstate(all="ignore"):
        expected = np.where(b == 0, 0, a % b)
    same(run("modulo", a.astype(DTYPES[code]), b.astype(DTYPES[code])), expected.astype(DTYPES[code]))


def test_truncating_powers_of_integers():
    a, b = np.array([2, 3, -1, -1, 1, 5, 0], np.int32), np.array([10, -1, -3, -2, -9, 0, 3], np.int32)
    same(run("truncate_power", a, b), np.array([1024, 0, -1, 1, 1, 1, 0], np.int32))


def test_truncating_division_of_integers():
    a = np.array([7, -7, 7, -7, -128, 5], np.int8)
    b = np.array([2, 2, -2, -2, -1, 0], np.int8)
    with np.errstate(all="ignore"):
        same(run("truncate_divide", a, b), np.array([3, -3, -3, 3, -128, 0], np.int8))
    program = compile_program(2, [("truncate_divide", [0, 1])], [2], [code_of("i1")] * 2)
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in truncate_divide"):
        invoke(program, arrays(a, b))


# --- floating-point status and errors -----------------------------------------------------------------
def test_errstate_is_that_of_the_call():
    program = compile_program(2, [(np.divide, [0, 1])], [2], [F64, F64])
    one, zero = arrays(np.ones(4), np.zeros(4))
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in divide"):
        invoke(program, [one, zero])
    with (
        np.errstate(divide="raise"),
        pytest.raises(FloatingPointError, match="divide by zero encountered in divide"),
    ):
        invoke(program, [one, zero])
    with np.errstate(divide="ignore"):
        invoke(program, [one, zero])


def test_errstate_of_the_push_holds_for_queued_operations():
    program = compile_program(2, [(np.divide, [0, 1])], [2], [F64, F64])
    one, zero = arrays(np.ones(1_000_000), np.zeros(1_000_000))
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError, match="divide by zero"):
        invoke(program, [one, zero])[0].wait_to_read()
    with np.errstate(divide="ignore"):
        result = invoke(program, [one, zero])[0]
    result.wait_to_read()
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in divide"):
        invoke(program, [one, zero])[0].wait_to_read()
    _engine.waitall()


@pytest.mark.parametrize("n", [4, 1_000_000])
def test_a_line_warns_once_under_the_default_filters(n):
    program = compile_program(2, [(np.divide, [0, 1])], [2], [F64, F64])
    one, zero = arrays(np.ones(n), np.zeros(n))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for _ in range(3):
            invoke(program, [one, zero])[0].wait_to_read()
        invoke(program, [one, zero])[0].wait_to_read()

    assert len(told) == 2  # one for each line


def test_a_scalar_too_large_for_the_dtype_warns_as_numpy():
    program = compile_program(2, [(np.add, [0, 1])], [2], [F32, float])
    with pytest.warns(RuntimeWarning, match="overflow encountered in cast"):
        invoke(program, [*arrays(np.ones(2, "f4")), 1e300])


@pytest.mark.parametrize("n", [5, 300_000])
def test_negative_powers_of_integers_fail_as_in_numpy(n):
    program = compile_program(2, [(np.power, [0, 1])], [2], [I64, I64])
    a, b = np.full(n, 3), np.zeros(n, "i8")
    b[n // 2] = -1
    with pytest.raises(ValueError, match="Integers to negative integer powers are not allowed"):
        invoke(program, arrays(a, b))[0].wait_to_read()
    same(invoke(program, arrays(a, np.abs(b)))[0], a ** np.abs(b))


def test_shapes_and_dtypes_that_do_not_fit_raise_at_the_call():
    program = compile_program(2, [(np.add, [0, 1])], [2], [F32, F32])
    a, b = arrays(np.zeros((2, 3), "f4"), np.zeros(4, "f4"))
    with pytest.raises(errors.ShapeError, match=r"add: shapes \(2, 3\) and \(4,\) do not broadcast"):
        invoke(program, [a, b])
    with pytest.raises(errors.DTypeError, match="expected dtype float32, got float64"):
        invoke(program, [a, *arrays(np.zeros(3))])
    with pytest.raises(errors.ShapeError, match=r"add\(out\): expected shape \(2, 3\), got \(3, 2\)"):
        invoke(program, [a, a], [_array.empty((3, 2), np.float32)])
    with pytest.raises(errors.DTypeError, match=r"add\(out\)"):
        invoke(program, [a, a], [_array.empty((2, 3), np.float64)])
    with pytest.raises(errors.ArgumentError):
        invoke(program, [a])
    with pytest.raises(errors.DTypeError, match="bitwise_and: no loop for operands of dtype"):
        compile_program(2, [(np.bitwise_and, [0, 1])], [2], [F32, F32])
    with pytest.raises(errors.DTypeError):
        compile_program(2, [(np.matmul, [0, 1])], [2], [F32, F32])
