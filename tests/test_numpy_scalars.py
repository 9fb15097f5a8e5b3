"""Results without axes where NumPy has scalars: programs use them as numbers, extents, seeds, repetitions."""

import math
import operator
import statistics
import weakref
from fractions import Fraction

import numpy as onp
import pytest

import mxcy as mx
import mxcy.numpy as np

# Expressions over a result of int64 (3), one of float64 (2.5), an array without axes (3) and an array.
AS_EXTENTS = """
np.zeros(c)
np.zeros(n)
np.zeros(np.array([2, 3]))
np.zeros((c, n))
np.zeros(c, int, order='F')
np.ones(shape=c, dtype=int)
np.empty(c).shape
np.full(c, f)
np.full(n, 1)
np.zeros_like(v, shape=c)
np.full_like(v, f, shape=c)
np.reshape(v, n * 2)
v.reshape(c, 2)
np.resize(v, c)
np.broadcast_to(1.0, c)
np.ones((2,) * c)
np.rot90(v.reshape(2, 3), c)
np.fft.fftfreq(c, d=f)
np.convolve(v, np.ones(c) / c)
np.polynomial.legendre.leggauss(c)
np.lib.stride_tricks.as_strided(v, (2, 3))
np.lib.stride_tricks.as_strided(v.reshape(2, 3), (3, 2))
""".strip().splitlines()
AS_SEEDS = """
np.random.default_rng(c).random(2)
np.random.default_rng([c, 1]).random(2)
np.random.Generator(np.random.PCG64(int(c))).random(2)
np.random.RandomState(c).rand(c)
np.random.default_rng(0).permutation(c)
np.random.RandomState(0).permutation(c)
np.random.default_rng(0).integers(c, size=n)
""".strip().splitlines()
AS_REPETITIONS = """
'x' * c
c * 'x'
b'x' * c
[0] * c
c * [0, 1]
(1, v.size) * c
[v[0]] * f
f * (1, 2)
(v[0] > 0) * 'x'
""".strip().splitlines()
AS_NUMBERS = """
np.isscalar(f)
np.isscalar(v)
np.isscalar(np.array(1.0))
math.floor(f), math.ceil(f), math.trunc(f)
f.imag
c.imag
f * Fraction(1, 2)
np.unravel_index(v.argmax(), v.shape)
""".strip().splitlines()
WITH_OWN_MEMORY = """
f[None]
f[..., None]
f[None, None]
f.reshape(1)
f.reshape((1, 1))
f.reshape(1, order='F')
f.ravel()
f.flatten()
np.ravel(f)
np.reshape(f, (1,))
np.atleast_1d(f)
np.atleast_2d(f)
np.expand_dims(f, 0)
np.ascontiguousarray(f)
""".strip().splitlines()


def names(np):
    v = np.array([1.0, 2.5, 4.0, 5.0, 6.0, 7.0])
    operands = {"v": v, "f": v[1], "c": np.arange(4).sum() // 2, "n": np.array(3)}
    return {"np": np, "math": math, "Fraction": Fraction, **operands}


def plain(x):
    """What can be compared: the classes of containers and what arrays hold."""
    if isinstance(x, (list, tuple)):
        return type(x), [plain(item) for item in x]
    if isinstance(x, (onp.ndarray, onp.generic, np.ndarray)):
        shown = onp.asarray(x)
        return shown.dtype, shown.shape, shown.tolist()
    return type(x), x


def outcome(expression, np):
    try:
        return plain(eval(expression, names(np)))
    except Exception as error:
        return next(cls for cls in type(error).__mro__ if cls.__module__ == "builtins")


@pytest.mark.parametrize("expression", AS_EXTENTS + AS_SEEDS + AS_REPETITIONS + AS_NUMBERS)
def test_results_without_axes_are_numbers_to_programs(expression):
    assert outcome(expression, np) == outcome(expression, onp)


@pytest.mark.parametrize("expression", WITH_OWN_MEMORY)
def test_what_gives_a_result_axes_is_an_array_of_its_own(expression):
    own = names(np)
    made, expected = eval(expression, own), eval(expression, names(onp))
    assert made.flags.writeable and plain(made) == plain(expected)
    made[...] = 9
    assert own["f"] == 2.5 and own["v"][1] == 2.5


def test_statistics_takes_results():
    v = np.array([1.0, 2.5, 4.0])
    assert statistics.mean(v) == statistics.mean([v[0], v[1], v[2]]) == 2.5
    assert statistics.variance(list(v)) == 2.25 and statistics.median(v) == 2.5
    assert isinstance(statistics.mean(v), np.ndarray)
    assert np.ndarray(Fraction(1, 4)) == 0.25
    with pytest.raises(TypeError):
        np.ndarray(2.5)
    with pytest.raises(TypeError, match="trunc"):
        math.trunc(np.array(2.5))


# --- with arrays of NumPy that hold no numbers ------------------------------------------------------------
DATES = onp.array(["2020-01-01", "2020-01-02", "2020-01-05"], "M8[D]")
OBJECTS = onp.array([1, 2.5, Fraction(1)], object)


@pytest.mark.parametrize("function", [
    lambda v, i: OBJECTS * v,
    lambda v, i: v + OBJECTS,
    lambda v, i: DATES + i,
    lambda v, i: i * onp.timedelta64(1, "D"),
    lambda v, i: onp.add(OBJECTS, v),
    lambda v, i: onp.equal(OBJECTS, v, dtype=object),
    lambda v, i: onp.where(v > 1, OBJECTS, DATES),
    lambda v, i: onp.concatenate([OBJECTS, v]),
    lambda v, i: onp.take(DATES, i),
    lambda v, i: onp.zeros_like(v, dtype=object),
    lambda v, i: DATES[v > 2],
])  # fmt: skip
def test_operands_of_numpy_without_numbers_stay_numpys(function):
    """Libraries for plots and tables mix them with ours; here are none, so results are NumPy's."""
    v, i = onp.array([1.5, 2.5, 4.0]), onp.array([0, 1, 2])
    result = function(np.array(v), np.array(i))
    assert type(result) is onp.ndarray
    expected = function(v, i)
    assert result.dtype == expected.dtype and result.tolist() == expected.tolist()


def test_parts_with_numbers_are_ours():
    texts, numbers = onp.broadcast_arrays(onp.array("x", object), np.array([1, 2]))
    assert type(texts) is onp.ndarray and texts.tolist() == ["x", "x"]
    assert type(numbers) is np.ndarray and numbers.tolist() == [1, 2]
    with pytest.raises(TypeError, match="a type of numbers"):
        np.broadcast_arrays(onp.array("x", object), np.array([1, 2]))
    with pytest.raises(TypeError, match="a type of numbers"):
        np.array([1.5]) * Fraction(1, 2)


# --- who asks where the elements are ----------------------------------------------------------------------
@pytest.mark.parametrize("key", [(), (slice(None, None, -1),), (slice(None), slice(1, 3)), (None, 1)])
def test_the_array_interface_is_numpys(key):
    x = np.arange(12, dtype="uint8").reshape(3, 4)[key]
    interface, expected = x.__array_interface__, onp.asarray(x).__array_interface__
    assert interface == expected
    assert interface["shape"] == x.shape and not interface["data"][1]
    with pytest.raises(AttributeError):
        np.zeros(2, "bfloat16").__array_interface__  # noqa: B018 (asking is the test)


def test_pillow_takes_arrays():
    image = pytest.importorskip("PIL.Image")
    x = np.arange(48, dtype="uint8").reshape(4, 4, 3)
    assert onp.asarray(image.fromarray(x)).tolist() == x.tolist()
    assert onp.asarray(image.fromarray(x[::-1, :, 0])).tolist() == x[::-1, :, 0].tolist()
    assert np.array(image.fromarray(x)).tolist() == x.tolist()


def test_matplotlib_takes_tables_of_ours_by_columns():
    """It asks for `to_numpy`; without, it would take the rows for the data."""
    cbook = pytest.importorskip("matplotlib.cbook")
    x = np.arange(6.0).reshape(3, 2)
    assert [list(column) for column in cbook._reshape_2D(x, "x")] == [[0, 2, 4], [1, 3, 5]]
    assert type(x.to_numpy()) is onp.ndarray and onp.shares_memory(x.to_numpy(), onp.asarray(x))


# --- sums of few elements ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "shape", [(1,), (2,), (3,), (7,), (8,), (9,), (129,), (1000,), (4000,), (5, 3), (40, 9)]
)
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
def test_sums_of_few_elements_are_numpys_to_the_last_bit(shape, dtype):
    rng = onp.random.default_rng(len(shape) + shape[0])
    values = [(rng.normal(size=shape) * 10 + 1j * rng.normal(size=shape)) for _ in range(5)]
    for value in values:
        x = (value if dtype == "complex128" else value.real).astype(dtype)
        for name in ("sum", "mean", "var", "std")[: 1 if dtype == "complex128" else 4]:
            for axis in (None, 0, -1):
                mine, expected = getattr(np.array(x), name)(axis), getattr(x, name)(axis)
                assert onp.asarray(mine).tobytes() == expected.tobytes(), (name, axis)


def test_sums_of_zeros_have_the_sign_of_numpys():
    zeros = onp.full((2, 3), -0.0)
    for axis in (None, 0, 1):
        mine = onp.asarray(np.array(zeros).sum(axis))
        assert (onp.signbit(mine) == onp.signbit(zeros.sum(axis))).all()
    assert not onp.signbit(float(np.array([-0.0]).sum()))


@pytest.mark.parametrize("slot", ["iadd", "isub", "imul", "imatmul"])
def test_operations_in_place_that_nobody_can_do_are_errors(slot):
    class Foreign:
        __array_ufunc__ = None

    for other in (mx.nd.ones(3), Foreign()):
        with pytest.raises(TypeError, match="unsupported operand"):
            getattr(operator, slot)(np.ones(3), other)


def as_bytes(truth):
    return truth.view(np.int8)


# What a program may do to the result of a comparison, of which it keeps only what this returns, and what
# that is when later comparisons have been made.
KEPT_OF_COMPARISONS = {
    "nothing": (lambda truth: None, None),
    "itself": (lambda truth: truth, True),
    "a view": (lambda truth: truth[...], True),
    "a view with an axis": (lambda truth: truth.reshape(1), True),
    "its bytes": (as_bytes, 1),
    "a view of NumPy's": (lambda truth: truth.view_numpy(), True),
    "a buffer": (memoryview, True),
    "a capsule": (onp.from_dlpack, True),
    "itself, assigned to": (lambda truth: truth.__setitem__((), False) or truth, False),
    "a weak reference": (weakref.ref, None),
}


@pytest.mark.parametrize("name", KEPT_OF_COMPARISONS)
def test_later_comparisons_leave_results_alone(name):
    keep, expected = KEPT_OF_COMPARISONS[name]
    v = np.array([1.0, 2.0])
    kept = keep(v[0] < v[1])
    assert [bool(v[0] > v[1]) for _ in range(3)] == [False] * 3
    assert [bool(v[0] != v[1]) for _ in range(3)] == [True] * 3
    assert [bool(v[0] == v[1]) for _ in range(3)] == [False] * 3
    value = kept() if name == "a weak reference" else kept
    assert value is None if expected is None else onp.asarray(value).item() == expected


@pytest.mark.parametrize("change", ["shape = (1,)", "dtype = 'int8'", "attach_grad()"])
def test_comparisons_are_new_ones_after_results_were_changed(change):
    v = np.array([1.0, 2.0])
    truth = v[0] < v[1]
    exec(f"truth.{change}")
    del truth
    later = v[0] < v[1]
    assert (later.shape, later.dtype, later.grad, bool(later)) == ((), onp.dtype(bool), None, True)


@pytest.mark.parametrize("function", [sorted, max, min])
@pytest.mark.parametrize("dtype", ["float64", "int64", "float32"])
def test_loops_of_python_over_elements_give_numpys(function, dtype):
    values = (onp.random.default_rng(0).random(200) * 50).astype(dtype)
    assert onp.array_equal(function(np.array(values)), function(values))


@pytest.mark.parametrize("slot", ["lt", "le", "eq", "ne", "gt", "ge"])
@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_comparisons_of_elements_are_numpys(slot, dtype):
    values = onp.array([0.0, 1.0, -1.0, *([math.nan, math.inf, -0.0] if dtype == "float64" else [])], dtype)
    ours = np.array(values)
    compare = getattr(operator, slot)
    for i in range(len(values)):
        for j in range(len(values)):
            made, expected = compare(ours[i], ours[j]), compare(values[i], values[j])
            assert (type(made), made.dtype, bool(made)) == (np.ndarray, bool, bool(expected))
