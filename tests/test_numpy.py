"""`mxcy.numpy`: what NumPy's arrays do, ours do."""

import copy
import math
import operator
import pickle
import subprocess
import sys

import numpy as onp
import pytest
from mxcy._export import is_exported
from scipy import special

import mxcy as mx
import mxcy.numpy as np


def same(ours, theirs):
    """Assert the same shape, dtype, values and text as NumPy's result."""
    assert isinstance(ours, np.ndarray)
    theirs_array = onp.asarray(theirs)
    assert ours.shape == theirs_array.shape
    assert ours.dtype == theirs_array.dtype
    onp.testing.assert_array_equal(ours.asnumpy(), theirs_array)
    assert repr(ours) == repr(theirs)


OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge,
]  # fmt: skip


@pytest.mark.parametrize("function", OPERATORS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "uint8", "complex128"])
def test_operators_are_those_of_numpy(function, dtype):
    theirs = onp.arange(1, 7).reshape(2, 3).astype(dtype)
    ours = np.array(theirs)
    if dtype == "complex128" and function in (operator.floordiv, operator.mod):
        with pytest.raises(TypeError):
            function(ours, ours)
        return
    others = [theirs, theirs[0], 2, 2.0, onp.float32(2), onp.int64(2), [1, 2, 3]]
    for other in others:
        mine = np.array(other) if isinstance(other, onp.ndarray) else other
        same(function(ours, mine), function(theirs, other))
        same(function(mine, ours), function(other, theirs))
        same(function(ours, other), function(theirs, other))


def test_results_without_axes_are_nearly_constants():
    x = np.arange(3.0)
    total = x.sum()
    kept = total
    total += 1

    assert (float(kept), float(total)) == (3.0, 4.0)
    assert {x[1]: "one"}[1.0] == "one"
    kept[...] = 5  # the standard of arrays knows no scalars
    assert float(kept) == 5.0
    assert x.tolist() == [0.0, 1.0, 2.0]


def test_single_numbers_have_the_types_of_numpys():
    ours, theirs = np.random.default_rng(1), onp.random.default_rng(1)
    draws = lambda r: r.random(), lambda r: r.normal(2), lambda r: r.integers(1, 9), lambda r: r.uniform()
    for draw in draws:
        mine, other = draw(ours), draw(theirs)
        assert mine == other and isinstance(mine, float) == (type(other) is float)
    assert np.random.uniform().shape == ()  # as in MXNet

    x = np.array([2.0, 2.5])
    assert x[0].is_integer() and x[1].as_integer_ratio() == (5, 2) and x[1].hex() == (2.5).hex()
    assert np.array([5])[0].bit_count() == 2 and np.array([5])[0].numerator == 5
    assert not hasattr(x, "is_integer")


def test_an_element_is_not_a_view():
    x = np.arange(3.0)
    x[0], x[2] = x[2], x[0]

    assert x.tolist() == [2, 1, 0]


def test_arrays_cannot_be_keys():
    with pytest.raises(TypeError, match="unhashable"):
        hash(np.zeros(2))


def test_views_share_memory_where_those_of_numpy_do():
    x = np.zeros((3, 4))
    views = [x[1:], x.T, x.reshape(4, 3), x.ravel(), x[None], np.swapaxes(x, 0, 1), np.diagonal(x)]

    assert all(np.shares_memory(x, v) for v in views)
    assert not np.shares_memory(x, x.copy())
    views[1][0, 0] = 7
    assert x[0, 0] == 7


def test_pickle_copy_and_files(tmp_path):
    x = np.arange(6.0).reshape(2, 3)[:, ::-1]
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x)

    for found in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), np.load(tmp_path / "x.npy")):
        same(found, x.asnumpy())
    with np.load(tmp_path / "x.npz") as archive:
        same(archive["x"], x.asnumpy())


def test_functions_of_numpy_give_arrays_of_ours():
    x = np.arange(4.0)

    same(onp.exp(x), onp.exp(onp.arange(4.0)))
    same(onp.concatenate([x, x]), onp.concatenate([onp.arange(4.0)] * 2))
    same(onp.arange(4) + x, onp.arange(4) + onp.arange(4.0))
    same(onp.linalg.norm(x), onp.linalg.norm(onp.arange(4.0)))


def test_the_stream_of_a_seed_is_that_of_numpy():
    same(np.random.default_rng(3).normal(size=5), onp.random.default_rng(3).normal(size=5))
    same(np.random.RandomState(3).rand(2, 2), onp.random.RandomState(3).rand(2, 2))


def test_errors_are_those_of_numpy():
    x = np.zeros((2, 3))
    for bad, kind in [
        (lambda: x + np.zeros(4), ValueError),
        (lambda: x[2], IndexError),
        (lambda: x[0, 0, 0], IndexError),
        (lambda: x.reshape(4), ValueError),
        (lambda: x.sum(axis=2), onp.exceptions.AxisError),
        (lambda: np.linalg.inv(np.zeros((2, 2))), onp.linalg.LinAlgError),
        (lambda: np.arange(3) ** -1, ValueError),
        (lambda: np.array([1], "uint8") + 300, OverflowError),
        (lambda: np.array([object()]), TypeError),
    ]:
        with pytest.raises(kind):
            bad()


def test_mxnet_programs():
    x = mx.np.array([1.0, 2.0], ctx=mx.cpu())
    x.attach_grad()
    with mx.autograd.record():
        y = (mx.npx.relu(x) * x).sum()
    y.backward()

    assert x.grad.tolist() == [2, 4]
    assert isinstance(x.as_nd_ndarray(), mx.nd.NDArray)
    assert x.as_nd_ndarray().as_np_ndarray().shape == (2,)
    assert x.item(1) == 2.0 and mx.np.sum(x).item() == 3.0
    one = mx.np.array([[3.5]])  # NumPy takes its number until version 2.3
    assert (float(one), int(one), complex(one), math.sqrt(one * 2 + 2)) == (3.5, 3, 3.5 + 0j, 3)
    with pytest.raises(TypeError, match="one element"):
        float(x)
    drawn = mx.np.random.uniform(0, 1, size=(2, 3), dtype="float32", ctx=mx.cpu())
    assert drawn.shape == (2, 3) and drawn.dtype == "float32" and drawn.ctx == mx.cpu()


def test_switches_are_accepted():
    mx.npx.set_np()
    assert mx.util.is_np_array() and mx.npx.is_np_shape()
    mx.npx.reset_np()
    assert not mx.util.is_np_array()


def test_second_derivatives():
    x = np.array([0.5, 1.0])
    x.attach_grad()
    with mx.autograd.record():
        (first,) = mx.autograd.grad(np.sin(x).sum(), [x], create_graph=True)
        total = first.sum()
    total.backward()

    onp.testing.assert_allclose(x.grad.asnumpy(), -onp.sin(x.asnumpy()))


def test_foreign_universal_functions_may_be_given_gradients():
    erf = mx.register_ufunc(special.erf, lambda g, y, x: g * (2 / np.pi**0.5) * np.exp(-x * x))
    x = np.array([0.1, 0.7])
    x.attach_grad()
    with mx.autograd.record():
        total = (special.erf(x) * erf(x)).sum()
    total.backward()

    expected = 2 * special.erf(x.asnumpy()) * 2 / onp.pi**0.5 * onp.exp(-(x.asnumpy() ** 2))
    onp.testing.assert_allclose(x.grad.asnumpy(), expected)
    with pytest.raises(ValueError, match="expected 2 gradients, got 1"):
        mx.register_ufunc(special.xlogy, lambda g, y, x1, x2: g)


def test_gradients_of_foreign_functions_are_summed_where_operands_were_repeated():
    product = mx.register_ufunc(
        special.xlogy, lambda g, y, x1, x2: g * np.log(x2), lambda g, y, x1, x2: g * x1 / x2
    )
    a, b = np.ones((2, 1)), np.array([2.0, 3.0])
    for x in (a, b):
        x.attach_grad()
    with mx.autograd.record():
        total = product(a, b).sum()
    total.backward()

    onp.testing.assert_allclose(a.grad.asnumpy(), [[onp.log(6)]] * 2)
    onp.testing.assert_allclose(b.grad.asnumpy(), [1, 2 / 3])


def test_functions_compiled_by_numba_run_on_the_engine():
    numba = pytest.importorskip("numba")
    half = numba.vectorize(["float64(float64)"])(lambda x: x / 2)
    x = np.arange(5.0)

    same(half(x) + 1, onp.arange(5.0) / 2 + 1)
    same(special.expit(x), special.expit(onp.arange(5.0)))


def test_floating_point_errors_follow_errstate():
    x = np.zeros(3)
    with onp.errstate(all="ignore"):
        assert np.isnan(x / x).all()
    with onp.errstate(divide="raise"), pytest.raises(FloatingPointError):
        1 / x
    with pytest.warns(RuntimeWarning, match="invalid value"):
        np.sqrt(x - 1)


@pytest.mark.parametrize("n", [3, 100_000])
def test_arrays_are_written_although_floating_point_errors_are_raised(n):
    for into in ("operator", "number", "out"):
        kept = []
        for namespace in (onp, np):
            x = namespace.ones(n)
            with onp.errstate(divide="raise"), pytest.raises(FloatingPointError, match="divide by zero"):
                if into == "operator":
                    x /= namespace.zeros(n)
                elif into == "number":
                    x /= 0.0
                else:
                    namespace.divide(x, namespace.zeros(n), out=x)
            kept.append(x + 1)
        same(kept[1], kept[0])


def test_protocols():
    x = np.arange(4.0)

    assert onp.asarray(x).base is not None and onp.shares_memory(onp.asarray(x), onp.asarray(x))
    with pytest.raises(ValueError, match="copy"):
        onp.asarray(x, dtype="float32", copy=False)
    assert not np.shares_memory(onp.array(x, copy=True), x)
    assert memoryview(x).tolist() == [0, 1, 2, 3]
    same(np.from_dlpack(onp.arange(3.0)), onp.arange(3.0))
    assert onp.from_dlpack(x).tolist() == [0, 1, 2, 3]
    assert x.__array_namespace__() is np and x.device == "cpu" and x.to_device("cpu") is x
    assert math.sqrt(x[1]) == 1 and [10, 20][np.array(1)] == 20 and f"{x[3]:.1f}" == "3.0"
    assert onp.float64(1) < x[2] and (onp.float64(1) < x).tolist() == [False, False, True, True]


def test_import_of_the_package_does_not_import_the_namespace():
    code = "import sys, mxcy; sys.exit('mxcy.numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_functions_without_gradient_say_so():
    x = np.array([0.5, 1.0])
    x.attach_grad()
    with mx.autograd.record():
        y = np.unwrap(x) * x
    with pytest.raises(mx.MXNetError, match="unwrap: the function has no gradient"):
        y.backward()
    with mx.autograd.record(), pytest.raises(mx.MXNetError, match="put: the function has no gradient"):
        np.put(x * 2, [0], [1.0])


def test_assertions_of_numpy_take_arrays():
    x = np.arange(6.0).reshape(2, 3)

    np.testing.assert_equal({"x": [x, 1]}, {"x": [onp.arange(6.0).reshape(2, 3), 1]})
    np.testing.assert_allclose(x, x.asnumpy() * (1 + 1e-9))
    for wrong in (np.testing.assert_equal, np.testing.assert_array_equal, np.testing.assert_allclose):
        with pytest.raises(AssertionError, match="Mismatched elements: 1 / 6"):
            wrong(x, np.where(x == 5, 0, x))


def test_assertions_of_numpy_take_classes_too():
    np.testing.assert_equal(type(np.zeros(2)), np.ndarray)
    np.testing.assert_equal([type(np.zeros(2).sum())], [np.ndarray])
    with pytest.raises(AssertionError):
        np.testing.assert_equal(np.ndarray, onp.ndarray)


@pytest.mark.parametrize("name", ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"])
def test_bit_generators_take_seeds_in_arrays(name):
    ours, theirs = getattr(np.random, name), getattr(onp.random, name)
    for seed in ([3], [3, 4]):
        made, wanted = ours(np.array(seed)), theirs(onp.array(seed))
        assert (made.random_raw(3) == wanted.random_raw(3)).all()
        assert isinstance(made, ours) and isinstance(wanted, ours)
        assert isinstance(made, np.random.BitGenerator)
        assert not isinstance(np.random.SeedSequence(np.array(seed)), ours)
        again = pickle.loads(pickle.dumps(made))
        assert isinstance(again, ours) and (again.random_raw(3) == wanted.random_raw(3)).all()
    drawn = np.random.default_rng(1).integers(9)
    assert ours(drawn).random_raw() == theirs(int(drawn)).random_raw()
    assert np.random.SeedSequence(drawn).entropy == int(drawn)
    assert isinstance(onp.random.SeedSequence(1).spawn(1)[0], np.random.SeedSequence)


def test_the_most_axes_of_an_array_may_be_given():
    assert np.array([[1, 2]], ndmax=2).shape == (1, 2)
    with pytest.raises(ValueError, match="maximum number of dimension"):
        np.array([[1, 2]], ndmax=1)
    with pytest.raises(ValueError, match="ndmin"):
        np.array([1], ndmin=2, ndmax=1)


def test_what_an_array_is_may_be_set():
    x = np.arange(4.0)

    x.dtype = "uint8"
    assert x.shape == (32,) and x.dtype == np.uint8
    x.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        x[0] = 1
    assert x.flags.owndata and not x[1:].flags.owndata and "OWNDATA : True" in repr(x.flags)
    with pytest.raises(ValueError, match="cannot delete array elements"):
        del x[0]
    with pytest.raises(AttributeError):
        mx.nd.ones(3).dtype = "int32"


def test_results_go_to_arrays_of_numpy_too():
    out = onp.zeros(3)

    np.add(np.ones(3), 1, out)
    assert out.tolist() == [2, 2, 2]


def test_lists_that_hold_themselves_are_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError):
        np.array(endless)


def test_keywords_of_the_standard_that_numpy_lacks():
    x = np.array([[2.0, 1.0, 2.0], [0.0, 3.0, 0.0]])

    assert np.sort(x, descending=True).tolist() == [[2, 2, 1], [3, 0, 0]]
    assert np.argsort(x, descending=True, stable=True).tolist() == [[0, 2, 1], [1, 0, 2]]
    assert np.argsort(x, axis=0, descending=True).tolist() == [[0, 1, 0], [1, 0, 1]]
    assert np.argsort(x, axis=None, descending=True).tolist() == [4, 0, 2, 1, 3, 5]
    assert np.fft.fftfreq(4, d=0.5, dtype=np.float32).dtype == np.float32
    same(np.fft.rfftfreq(4), onp.fft.rfftfreq(4))


def test_full_converts_as_astype():
    same(np.full_like(np.zeros((0, 4), "uint64"), np.nan), onp.zeros((0, 4), "uint64"))
    assert np.full(2, 2.7, "int8").tolist() == [2, 2]
    with pytest.raises(OverflowError):
        np.full(2, 300, "uint8")


def test_a_power_that_fails_in_place_leaves_an_array_to_read():
    x = np.array([2, 3], "int8")

    with pytest.raises(ValueError, match="negative integer powers"):
        x **= np.array([1, -1], "int8")

    assert x.tolist() == [2, 3]
    with pytest.raises(ValueError, match="negative integer powers"):
        x **= -1
    assert (x + 1).tolist() == [3, 4]


@pytest.mark.parametrize("exponent", [2, 2.0, 1, 1.0, -1, -1.0, 0.5, 0, 3])
@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128"])
def test_powers_of_zeros_have_the_signs_of_numpy(dtype, exponent):
    values = onp.array([0.0, -0.0, 1.0, -2.0, onp.inf], dtype)
    if values.dtype.kind == "c":
        values = onp.concatenate([values, values.conj(), -values.conj()])

    with onp.errstate(all="ignore"):
        assert repr(np.array(values) ** exponent) == repr(values**exponent)


@pytest.mark.parametrize(
    "make",
    [
        lambda a: np.array(a),
        lambda a: np.array(a.copy()),
        lambda a: np.array(a, dtype="float32"),
        lambda a: np.array(a.tolist()),
        lambda a: np.asarray(a.tolist()),
        lambda a: np.copy(a),
        lambda a: np.require(a, "float32"),
        lambda a: np.asarray(a.tolist()).astype("float16", order="F"),
    ],
)
def test_memory_that_nobody_else_has_is_not_shared(make):
    """Operations on memory that others may read are complete at the call."""
    made = make(onp.arange(10000.0))

    assert not is_exported(made)


def test_memory_that_others_hold_is_shared():
    a = onp.arange(10000.0)

    assert is_exported(np.asarray(a))
    b = np.asarray(a)
    b += 1
    assert a[0] == 1


NARROW = [("float32", "uint8"), ("float32", "int16"), ("float16", "int8"), ("int8", "float32")]
PAIRS = [*NARROW, ("float64", "int64")]
SHAPES = [((5,), ()), ((), ()), ((1,), (1,)), ((3, 40), (1, 1)), ((2000,), ())]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("dtypes", PAIRS, ids=str)
@pytest.mark.parametrize("function", ["add", "power", "arctan2", "divide", "less"])
def test_one_element_that_is_converted_gives_numpys_bits(function, dtypes, shapes):
    many = onp.linspace(1.3, 120.7, math.prod(shapes[0])).astype(dtypes[0]).reshape(shapes[0])
    one = onp.full(shapes[1], 2, dtypes[1])

    found = onp.asarray(getattr(np, function)(np.array(many), np.array(one)))

    expected = onp.asarray(getattr(onp, function)(many, one))
    assert found.dtype == expected.dtype
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("shape", [(), (1,), (2,)], ids=str)
def test_products_of_complex_infinities_begin_with_one(shape):
    x = onp.full(shape, complex(0, onp.inf), "complex64")
    with onp.errstate(invalid="ignore"):
        onp.testing.assert_array_equal(np.array(x).prod(), x.prod())
