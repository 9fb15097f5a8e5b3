"""NDArray: operators, attributes, conversions, contexts, shapes and methods, as MXNet 1.9.1 has them."""

import copy
import inspect
import operator
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxcy as mx
from mxcy import nd, ops
from mxcy.dtypes import DTYPES
from mxcy.errors import ArgumentTypeError, DTypeError, ShapeError
from mxcy.ops._attributes import REQUIRED

# --- operators ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_computes_or_says_so(dtype):
    x = nd.array([1, 0, 3], dtype=dtype)

    if dtype.kind == "b":
        with pytest.raises(DTypeError):
            x + x
        assert (x + 1).dtype is np.int64
        return
    found = x + x

    assert found.dtype is dtype.type
    np.testing.assert_array_equal(found.asnumpy(), np.array([2, 0, 6]).astype(dtype))
    np.testing.assert_array_equal((x * 2 - 1).asnumpy(), np.array([1, -1, 5]).astype(dtype))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_integers_divided_by_zero_do_not_kill_the_process(dtype):
    x = nd.array([7, 1, 0], dtype=dtype)

    with np.errstate(all="ignore"):
        found = [x / 0, x % 0, x / nd.zeros((3,), dtype=dtype), x % nd.zeros((3,), dtype=dtype), 5 / x, 5 % x]
        nd.waitall()

    assert all(y.dtype is x.dtype for y in found)
    assert found[1].asnumpy().tolist() == [0, 0, 0]


def test_division_by_zero_warns_by_errstate():
    x = nd.array([1.0])

    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        x / nd.zeros((1,))
    with np.errstate(divide="ignore"):
        assert np.isinf((x / nd.zeros((1,))).asscalar())


@pytest.mark.parametrize("other", [None, "a", [1, 2], (1, 2), np.zeros(2), object(), {}, b"x"], ids=repr)
@pytest.mark.parametrize("function", ["add", "mul", "eq", "ne", "lt", "pow"])
def test_other_operands_are_refused(function, other):
    x = nd.zeros((2,))
    function = getattr(operator, function)

    for operands in [(x, other), (other, x)]:
        with pytest.raises(TypeError) as raised:
            function(*operands)
        assert isinstance(raised.value, mx.MXNetError)
        assert "expected an NDArray, a Symbol or a number, got" in str(raised.value)


@pytest.mark.parametrize("missing", ["a//2", "a@a", "~a", "a&1", "a|1", "a^1", "a<<1", "divmod(a,2)", "+a"])
def test_operators_that_mxnet_does_not_have(missing):
    with pytest.raises(TypeError):
        eval(missing, {"a": nd.array([1], dtype="int32")})


def test_arithmetic_shapes_and_dtypes_must_fit():
    with pytest.raises(ValueError, match=r"shapes \(2, 3\) and \(2,\) do not broadcast") as shapes:
        nd.zeros((2, 3)) + nd.zeros((2,))
    with pytest.raises(TypeError, match="expected dtype float32, got int32") as dtypes:
        nd.zeros((2,)) + nd.zeros((2,), dtype="int32")

    assert isinstance(shapes.value, ShapeError)
    assert isinstance(dtypes.value, DTypeError)


def test_in_place_writes_into_the_same_storage():
    x = nd.ones((2, 2))
    alias, part = x, x[1]

    x += 1
    x *= nd.array([1, 3])
    x -= 1
    x /= 2

    assert alias is x
    assert x.asnumpy().tolist() == [[0.5, 2.5], [0.5, 2.5]]
    assert part.asnumpy().tolist() == [0.5, 2.5]


def test_power_in_place_makes_a_new_array_as_in_mxnet():
    x = alias = nd.array([3])
    x **= 2

    assert x.asscalar() == 9
    assert alias.asscalar() == 3


@pytest.mark.parametrize("statement", ["x += y", "x *= y", "x -= y", "x /= y"])
def test_in_place_cannot_grow_or_change_dtype(statement):
    x = nd.ones((2,))
    with pytest.raises(ValueError, match=r"out\): expected shape"):
        exec(statement, {"x": x, "y": nd.ones((2, 2))})
    with pytest.raises(TypeError):
        exec(statement, {"x": x, "y": nd.ones((2,), dtype="float64")})

    assert x.asnumpy().tolist() == [1, 1]


def test_two_argument_functions_take_numbers_on_either_side():
    x = nd.array([1, 5])

    assert nd.maximum(3, x).asnumpy().tolist() == [3, 5]
    assert nd.minimum(x, 3).asnumpy().tolist() == [1, 3]
    assert nd.power(2, x).asnumpy().tolist() == [2, 32]
    assert nd.subtract(7, x).asnumpy().tolist() == [6, 2]
    assert nd.true_divide(10, x).asnumpy().tolist() == [10, 2]
    assert nd.modulo(7, x).asnumpy().tolist() == [0, 2]
    assert nd.lesser(2, x).asnumpy().tolist() == [0, 1]
    assert nd.logical_and(x, 0).asnumpy().tolist() == [0, 0]
    assert (nd.add(1, 2), nd.maximum(3, 4), nd.equal(1, 1)) == (3, 4, 1)


@given(st.lists(st.integers(-100, 100), min_size=1, max_size=5), st.integers(-100, 100))
def test_integer_arithmetic_against_c(values, number):
    x = nd.array(values, dtype="int32")
    y = np.array(values, np.int32)

    np.testing.assert_array_equal((x + number).asnumpy(), y + number)
    np.testing.assert_array_equal((number - x).asnumpy(), number - y)
    if number:
        np.testing.assert_array_equal((x / number).asnumpy(), np.trunc(y / number).astype(np.int32))
        np.testing.assert_array_equal((x % number).asnumpy(), y % number)


def test_out_is_written_and_returned():
    x, out = nd.array([0, 1]), nd.zeros((2,))

    assert nd.exp(x, out=out) is out
    np.testing.assert_allclose(out.asnumpy(), np.exp([0, 1]), rtol=1e-6)
    assert nd.exp(x, out=x[:]).shape == (2,)
    np.testing.assert_allclose(x.asnumpy(), np.exp([0, 1]), rtol=1e-6)


@pytest.mark.parametrize("out, text", [
    (np.zeros(2), "exp(out): expected an NDArray, got ndarray"),
    (1, "exp(out): expected an NDArray, got int"),
])  # fmt: skip
def test_out_must_be_an_array(out, text):
    with pytest.raises(ArgumentTypeError) as raised:
        nd.exp(nd.ones((2,)), out=out)

    assert text in str(raised.value)


def test_out_must_fit():
    with pytest.raises(ValueError, match=r"exp\(out\): expected shape \(2,\), got \(3,\)"):
        nd.exp(nd.ones((2,)), out=nd.zeros((3,)))
    with pytest.raises(TypeError, match=r"exp\(out\): expected dtype float32, got int32"):
        nd.exp(nd.ones((2,)), out=nd.zeros((2,), dtype="int32"))
    with pytest.raises(ValueError, match="read-only"):
        nd.exp(nd.ones((2,)), out=nd.from_numpy(np.frombuffer(bytes(8), "f")))


def test_an_unknown_attribute_names_the_closest():
    with pytest.raises(TypeError, match="keepdim.*did you mean keepdims"):
        nd.sum(nd.ones((2,)), keepdim=True)


def test_operators_without_attributes_ignore_them_as_in_mxnet():
    x = nd.ones((2,))

    assert nd.log(x, axis=1).asnumpy().tolist() == nd.elemwise_sub(x, x, axis=0).asnumpy().tolist() == [0, 0]
    assert nd.zeros_like(x, dtype="int32").dtype == np.float32
    with pytest.raises(TypeError, match="foo"):
        nd.add_n(x, x, foo=1)


# --- attributes and values ----------------------------------------------------------------------------


def test_attributes():
    x = nd.ones((2, 3), dtype="int8")

    assert (x.shape, x.ndim, x.size, x.dtype, x.itemsize, x.nbytes) == ((2, 3), 2, 6, np.int8, 1, 6)
    assert (x.context, x.ctx, x.stype, x.writable) == (mx.cpu(0), mx.cpu(0), "default", True)
    assert x.T.shape == (3, 2)
    assert x.as_nd_ndarray() is x
    assert isinstance(x.dtype, type)


@pytest.mark.parametrize("name", ["foo", "shape", "dtype", "context", "T"])
def test_attributes_cannot_be_set(name):
    with pytest.raises(AttributeError):
        setattr(nd.ones((2,)), name, 3)


def test_asnumpy_is_a_copy_that_can_be_written():
    x = nd.zeros((2,))
    values = x.asnumpy()
    values[:] = 5
    x += 1

    assert values.tolist() == [5, 5]
    assert x.asnumpy().tolist() == [1, 1]
    assert x[::-1].asnumpy().flags.c_contiguous


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_asscalar(shape):
    x = nd.array(np.full(shape, 3), dtype="int32")

    assert x.asscalar() == 3
    assert type(x.asscalar()) is np.int32
    assert type(x.item()) is int


@pytest.mark.parametrize("shape", [(2,), (0,), (1, 2)])
def test_asscalar_of_more_or_less_than_one(shape):
    for method in ["asscalar", "item"]:
        with pytest.raises(ValueError, match="asscalar: expected an array with one element, got shape"):
            getattr(nd.empty(shape), method)()


def test_truth():
    assert not nd.zeros((1,))
    assert nd.ones((1, 1))
    assert not nd.array([])
    assert not nd.empty((0, 3))
    with pytest.raises(ValueError, match="ambiguous"):
        bool(nd.zeros((2,)))


def test_iteration_length_and_membership():
    x = nd.array([[1, 2], [3, 4]])

    assert len(x) == 2
    assert [row.asnumpy().tolist() for row in x] == [[1, 2], [3, 4]]
    assert [item.shape for item in x[0]] == [(1,), (1,)]
    assert 3 in x
    assert 5 not in x
    for row in x:
        row[:] = 0
    assert x.asnumpy().sum() == 0
    for function in [len, iter, list]:
        with pytest.raises(TypeError):
            function(nd.array(3))


def test_python_functions_on_arrays():
    x = nd.array([3, 1, 2])

    assert sum([x, x]).asnumpy().tolist() == [6, 2, 4]
    assert max(x).asscalar() == 3
    assert [y.asscalar() for y in sorted(x)] == [1, 2, 3]
    assert float(x[0]) == 3.0
    assert int(x[1]) == 1
    assert {x: 1}[x] == 1
    assert abs(-x).asnumpy().tolist() == [3, 1, 2]


# --- copies, casts, contexts ----------------------------------------------------------------------------


@pytest.mark.parametrize("duplicate", [
    lambda x: x.copy(), copy.copy, copy.deepcopy, nd.array, lambda x: x.copyto(mx.cpu(0)),
    *[lambda x, p=p: pickle.loads(pickle.dumps(x, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)],
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "bool", "complex128"])
def test_duplicates(duplicate, dtype):
    x = nd.array([[1, 0, 1], [0, 1, 1]], dtype=dtype)[:, ::2]

    y = duplicate(x)

    assert type(y) is nd.NDArray
    assert y.dtype is x.dtype
    np.testing.assert_array_equal(y.asnumpy(), x.asnumpy())
    y[:] = 0
    assert x.asnumpy().any()


def test_copyto():
    x = nd.array([1.7, 2])
    y = nd.zeros((2,), dtype="int32")

    assert x.copyto(y) is y
    assert y.asnumpy().tolist() == [1, 2]
    assert x.copyto(mx.cpu(1)).context == mx.cpu(1)
    with pytest.warns(RuntimeWarning, match="to itself"):
        assert x.copyto(x) is False
    with pytest.raises(ValueError, match=r"copyto\(other\): expected shape \(2,\), got \(3,\)"):
        x.copyto(nd.zeros((3,)))
    with pytest.raises(TypeError, match="expected an NDArray or a Context, got str"):
        x.copyto("x")


def test_arrays_of_one_integer_are_indices():
    assert "abc"[nd.array([1], dtype="int32")] == "b"
    for wrong in (nd.array([1]), nd.array([1, 2], dtype="int32"), nd.array([[1]], dtype="int32")):
        with pytest.raises(TypeError, match="expected an integer array with one element"):
            operator.index(wrong)


def test_astype():
    x = nd.array([1.7, -1.7, 300])

    assert x.astype("uint8").asnumpy().tolist() == [1, 255, 44]
    assert x.astype("float64").astype(None).dtype is np.float32
    assert x.astype(np.float32) is not x
    assert x.astype("float32", copy=False) is x
    assert x.astype("int16", copy=False).dtype is np.int16
    with pytest.raises(TypeError, match="expected one of bool, int8"):
        x.astype("datetime64")


def test_contexts():
    x = nd.zeros((2,), ctx=mx.cpu(2))

    assert x.context == mx.cpu(2)
    assert x.as_in_context(mx.cpu(2)) is x
    assert x.as_in_context(mx.cpu(0)).context == mx.cpu(0)
    with mx.cpu(1):
        made = [nd.ones((2,)), nd.array([1]), nd.full((2,), 3), nd.empty((2,)), nd.arange(3), nd.eye(2)]
    assert {y.context for y in made} == {mx.cpu(1)}
    with pytest.raises(mx.MXNetError, match=r"expected a .* GPU.*, got gpu\(99\)"):
        nd.zeros((2,), ctx=mx.gpu(99))
    with pytest.raises(TypeError, match="expected a Context, got 'cpu'"):
        nd.zeros((2,), ctx="cpu")


@pytest.mark.parametrize("expression", [
    "x + 1", "x + x", "-x", "x == x", "x.sum()", "x.exp()", "x[0]", "x[[0, 1]]", "x.T", "x.astype('int8')",
    "x.copy()", "x.reshape((-1,))", "x.softmax()", "x.one_hot(3)", "x.broadcast_to((2, 2, 3))",
    "nd.dot(x, x.T)", "nd.concat(x, x)", "nd.stack(x, x)", "x.split(num_outputs=3)[2]", "nd.full_like(x, 2)",
    "x.sort()",
])  # fmt: skip
def test_results_are_where_their_operands_are(expression):
    x = nd.ones((2, 3), ctx=mx.cpu(1))

    assert eval(expression, {"nd": nd, "x": x}).context == mx.cpu(1)


# --- shapes -------------------------------------------------------------------------------------------


def test_reshape_of_strided_views_copies():
    x = nd.arange(6).reshape((2, 3))

    flat = x[:, ::2].reshape((4,))
    flat[:] = -1

    assert x.asnumpy().ravel().tolist() == list(range(6))


@pytest.mark.parametrize("arguments, keywords", [((), {}), ((2,), {"foo": 1}), (("a",), {}), ((2.5,), {})])
def test_reshape_refuses(arguments, keywords):
    with pytest.raises(mx.MXNetError):
        nd.zeros((2, 1)).reshape(*arguments, **keywords)


def test_shape_methods():
    x = nd.zeros((2, 1, 3))

    assert x.reshape_like(nd.zeros((3, 2))).shape == (3, 2)
    assert x.flatten().shape == (2, 3)
    assert nd.zeros((2,)).flatten().shape == (2, 1)
    assert x.squeeze().shape == (2, 3)
    assert x.squeeze(1, inplace=True).shape == (2, 3)
    assert x.expand_dims(-1).shape == (2, 1, 3, 1)
    assert x.broadcast_to((4, 2, 5, 3)).shape == (4, 2, 5, 3)
    assert x.broadcast_to((0, 5, 0)).shape == (2, 5, 3)
    assert x.broadcast_like(nd.zeros((2, 4, 3))).shape == (2, 4, 3)
    with pytest.raises(ValueError, match="broadcast"):
        nd.ones((2, 3)).broadcast_to((4, 3))
    with pytest.raises(ValueError, match="extent 1"):
        x.squeeze(0)


@pytest.mark.parametrize("view", [
    lambda x: x.flatten(inplace=True), lambda x: x.expand_dims(1, inplace=True), lambda x: x.detach(),
    lambda x: x.expand_dims(-1, inplace=True), lambda x: x.squeeze(inplace=True), lambda x: x.reshape((-1,)),
])  # fmt: skip
def test_views(view):
    x = nd.zeros((2, 3))

    y = view(x)
    y[:] = 1

    assert type(y) is nd.NDArray
    assert x.asnumpy().sum() == 6


METHODS = """
abs arccos arccosh arcsin arcsinh arctan arctanh argmax argmax_channel argmin argsort broadcast_axes cbrt ceil
clip cos cosh degrees depth_to_space diag exp expm1 fix flip floor log log10 log1p log2 log_softmax max mean
min nanprod nansum norm one_hot ones_like pad pick prod radians rcbrt reciprocal relu repeat rint round rsqrt
shape_array sigmoid sign sin sinh size_array slice slice_axis slice_like softmax softmin sort space_to_depth
split sqrt square sum swapaxes take tan tanh tile topk transpose trunc zeros_like
"""


@pytest.mark.parametrize("name", METHODS.split())
def test_methods_take_what_the_operators_take(name):
    op = ops.PUBLIC[name]
    method = inspect.signature(getattr(nd.NDArray, name)).parameters

    assert set(method) == {"self", "out", *op.inputs[1:], *op.attributes}
    for attribute in op.attributes.values():
        if attribute.default is not REQUIRED:
            default = method[attribute.name].default
            assert default == attribute.default or np.dtype(default) == attribute.default


def test_methods_compute():
    x = nd.array([[1, 2, 3], [4, 5, 6]])

    assert x.sum(1).asnumpy().tolist() == [6, 15]
    assert x.take(nd.array([1])).shape == (1, 3)
    assert [part.shape for part in x.split(num_outputs=3)] == [(2, 1)] * 3
    assert [part.shape for part in x.split_v2(3, axis=1)] == [(2, 1)] * 3
    assert [part.shape for part in nd.split_v2(x, (1,), axis=1)] == [(2, 1), (2, 2)]
    assert x.topk(k=2).asnumpy().tolist() == [[2, 1], [2, 1]]
    assert x.clip(2, 4).asnumpy().tolist() == [[2, 2, 3], [4, 4, 4]]
    out = nd.zeros((2, 3))
    assert x.square(out=out) is out


def test_the_operators_are_those_that_symbols_have():
    drawn = {"exponential", "normal", "uniform", *[name for name in ops.PUBLIC if name.startswith("random_")]}
    shared = {name for name in nd.contrib.__all__ if name in ops.PUBLIC}

    assert {*nd.op.__all__, *shared, *drawn} == set(ops.PUBLIC)
    own = {"Custom"}  # may be called without arrays, and then takes a context
    assert all(getattr(nd.op, name) is ops.PUBLIC[name] for name in {*nd.op.__all__} - own)
    assert sorted(set(nd.__all__)) == sorted(nd.__all__)
    assert all(hasattr(nd, name) for name in nd.__all__)
    assert nd.linalg.gemm2 is ops.PUBLIC["linalg_gemm2"]


def test_docstrings():
    public = [name for name in dir(nd.NDArray) if not name.startswith("_") and name != "size"]
    assert [name for name in public if not getattr(nd.NDArray, name).__doc__] == []
    assert [name for name in nd.__all__ if not getattr(nd, name).__doc__] == []


def test_nd_is_quick_to_import():
    heavy = "import sys, mxcy; mxcy.nd; print([m for m in ('scipy', 'numba', 'pandas') if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, timeout=60)

    assert done.stdout.strip() == "[]", done.stderr


UFUNCS = {  # what NumPy's functions make of our arrays: arrays of NumPy
    "exp": (lambda x: np.exp(x), np.exp([[1, 2, 3], [4, 5, 6]])),
    "maximum of an array of NumPy": (lambda x: np.maximum(np.full(3, 3, "f"), x), [[3, 3, 3], [4, 5, 6]]),
    "all of a comparison": (lambda x: np.all(x == x), True),
    "abs of a difference": (lambda x: np.abs(x - 7).max(), 6),
    "reduce": (lambda x: np.add.reduce(x), [5, 7, 9]),
}


@pytest.mark.parametrize("name", UFUNCS)
def test_functions_of_numpy_take_arrays(name):
    call, expected = UFUNCS[name]
    made = call(nd.array([[1, 2, 3], [4, 5, 6]]))
    assert isinstance(made, (np.ndarray, np.generic))
    np.testing.assert_allclose(made, expected, rtol=1e-6)


def test_operators_of_numpy_leave_arrays_to_us():
    x = nd.array([1, 2])
    assert type(np.float32(2) * x) is type(np.int64(2) / x) is type(np.float64(2) < x) is nd.NDArray
    for call in (lambda a: a + x, lambda a: a == x, operator.iadd):
        with pytest.raises(TypeError, match="expected an NDArray, a Symbol or a number, got ndarray"):
            call(*[np.ones(2, "f"), x][: 1 + (call is operator.iadd)])
    for call in (lambda: x // 2, lambda: np.float32(2) // x, lambda: x // np.float32(2)):
        with pytest.raises(TypeError, match="floordiv: no operator for NDArray and .*; use nd.floor"):
            call()
