"""Kernels whose threads work together: sorting, running sums, sums at places that coincide, recurrent layers.

Results are those of the CPU, and the same every time.
"""

import numpy as np
import pytest
from mxcy._reduce import accumulate

import mxcy as mx
from mxcy import _gpu, autograd, nd
from mxcy.kernels.cpu import argsort, scatter_add, scatter_nd, sort, topk, topk_mask

pytestmark = pytest.mark.skipif(_gpu.count() == 0, reason="no GPU, and NUMBA_ENABLE_CUDASIM is not 1")
CONTEXTS = (mx.cpu(), mx.gpu(0))


def bits(x):
    """Values as integers, so that zeros of both signs differ and NaN is equal to itself."""
    return np.ascontiguousarray(x).view(f"u{min(x.itemsize, 8)}")


def assert_same(function, *arrays, exactly=True):
    """The function gives on the GPU what it gives on the CPU."""
    found = []
    for context in CONTEXTS:
        made = function(*[x.as_in_context(context) for x in arrays])
        found.append([x.asnumpy() for x in (made if isinstance(made, (list, tuple)) else [made])])
    for expected, given in zip(*found, strict=True):
        assert expected.dtype == given.dtype and expected.shape == given.shape
        if exactly:
            np.testing.assert_array_equal(bits(given), bits(expected))
        else:
            np.testing.assert_allclose(given, expected, rtol=2e-5, atol=1e-5)


def numbers(dtype, *shape):
    """Small numbers with many ties, and the special values that a dtype has."""
    rng = np.random.default_rng(len(shape))
    values = rng.integers(0 if dtype.startswith(("u", "b")) else -5, 6, shape).astype(np.float64)
    if dtype.startswith(("float", "bfloat")):
        values.flat[1:6] = [-0.0, np.nan, np.inf, -np.inf, np.nan]
    if dtype.startswith("complex"):
        values = values + 1j * rng.integers(-2, 3, shape)
        values.flat[2:5] = [complex(np.nan, 1), complex(1, np.nan), complex(np.inf, 0)]
    return nd.array(values, dtype=dtype)


INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS, *FLOATS, "complex64", "complex128"])
def test_sorts_are_stable_for_all_types(dtype):
    x = numbers(dtype, 3, 21)  # longer than a tile of the simulator
    assert_same(sort, x)
    assert_same(lambda x: argsort(x, is_ascend=False, dtype="int64"), x)


@pytest.mark.parametrize("length", [1, 2, 7, 16, 17, 32, 33, 70])
def test_sorts_of_all_lengths(length):
    x = numbers("float32", 2, max(length, 6))[:, :length]
    assert_same(lambda x: sort(x, is_ascend=False), x)
    assert_same(lambda x: topk(x, k=length, dtype="int32"), x)
    assert_same(lambda x: topk(x, k=(length + 2) // 3, is_ascend=True, dtype="int32"), x)
    assert_same(lambda x: topk(x, k=1, dtype="int32"), x)


@pytest.mark.parametrize("axis", [0, 1, 2, None])
def test_sorts_along_any_axis_of_views(axis):
    x = numbers("int32", 3, 20, 4)
    assert_same(lambda x: sort(x[:, ::-1], axis=axis), x)
    assert_same(lambda x: argsort(x.T, axis=axis, dtype="int64"), x)
    assert_same(lambda x: topk(x[:, 1::2], k=2, axis=axis, dtype="uint8"), x)
    assert_same(lambda x: topk_mask(x, k=3, axis=axis, dtype="float32"), x)


def test_results_of_a_sort_may_be_views_and_the_array_itself():
    def into(x):
        made = nd.zeros((6, 20), dtype="float32", ctx=x.context)
        sort(x, out=made[::2])
        sort(x, out=x)
        return [made, x]

    assert_same(into, numbers("float32", 3, 20))


# --- transposing copies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bool", "float16", "float32", "complex128"])
@pytest.mark.parametrize(
    "shape, axes", [((6, 9), (1, 0)), ((3, 5, 7), (0, 2, 1)), ((2, 4, 3, 5), (3, 1, 0, 2))]
)
def test_transposing_copies(shape, axes, dtype):
    x = nd.array(np.arange(np.prod(shape)).reshape(shape) % 200, dtype=dtype)
    assert_same(lambda x: nd.transpose(x, axes=axes).copy(), x)
    assert_same(lambda x: x[:, 1:]._transpose_view(axes).copy(), x)
    assert_same(lambda x: x._transpose_view(axes).astype("float64"), x)


def test_an_array_may_be_transposed_into_itself():
    def turned(x):
        made = x.copy()
        made[:] = made._transpose_view((1, 0))
        return made

    assert_same(turned, nd.array(np.arange(81).reshape(9, 9)))


# --- running results ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape, axis", [((1,), 0), ((600,), 0), ((3, 40), 1), ((40, 70), 0), ((2, 33, 3), 1)]
)
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_running_sums(shape, axis, dtype):
    x = nd.array(np.random.default_rng(1).integers(-4, 5, shape), dtype=dtype)
    assert_same(lambda x: accumulate(np.add, x, axis), x)  # exact, whatever the order of these additions


@pytest.mark.parametrize("dtype", ["bool", "int8", "float64", "complex64", "float16"])
def test_running_results_of_all_types_and_functions(dtype):
    x = nd.array(np.random.default_rng(1).integers(0, 3, (5, 90)), dtype=dtype)
    assert_same(lambda x: accumulate(np.add, x, 1), x)
    if dtype != "bool":
        exactly = dtype != "complex64"  # there the signs of zeros depend on the order
        assert_same(lambda x: accumulate(np.multiply, x[:, 1::2] - 1, 1), x, exactly=exactly)
    if dtype != "complex64":
        assert_same(lambda x: accumulate(np.maximum, x.T, 0), x)


def test_running_sums_of_any_numbers_repeat():
    x = nd.array(np.random.default_rng(1).standard_normal((2, 700)), dtype="float32")
    assert_same(lambda x: accumulate(np.add, x, 1), x, exactly=False)
    x = x.as_in_context(CONTEXTS[1])
    first, second = (accumulate(np.add, x, 1).asnumpy() for _ in range(2))
    np.testing.assert_array_equal(bits(first), bits(second))


# --- places that coincide -----------------------------------------------------------------------------------

# points, places, elements of a place: in one piece; in several; all points in one place
SPREADS = [(5, 4, 3), (100, 7, 2), (90, 2, 5), (70, 1, 1)]


@pytest.mark.parametrize("points, places, inner", SPREADS)
@pytest.mark.parametrize("dtype", ["bool", "int8", "bfloat16", "float32", "complex64"])
def test_additions_to_places(points, places, inner, dtype):
    rng = np.random.default_rng(points)
    values = nd.array(rng.integers(0 if dtype == "bool" else -3, 4, (points, inner)), dtype=dtype)
    where = nd.array(rng.integers(0, places, points), dtype="int32")
    start = nd.array(rng.integers(0, 3, (places, inner)), dtype=dtype)

    def spread(x, values, where):
        turned = scatter_add(x.T.copy(), where - 1, values.T, axis=1, mode="wrap")
        put = x.copy()
        put[where] = values  # the last one stays
        return [scatter_add(x.copy(), where, values), turned, put]

    assert_same(spread, start, values, where)


def test_additions_of_any_numbers_repeat():
    rng = np.random.default_rng(3)
    values = nd.array(rng.standard_normal((300,)), dtype="float32")
    where = nd.array(np.stack([rng.integers(0, 3, 300), rng.integers(0, 2, 300)]), dtype="int64")

    def spread(values, where):
        return scatter_nd(values, where, (3, 2), accumulate=True)

    assert_same(spread, values, where, exactly=False)
    given = [x.as_in_context(CONTEXTS[1]) for x in (values, where)]
    np.testing.assert_array_equal(bits(spread(*given).asnumpy()), bits(spread(*given).asnumpy()))


def test_a_place_out_of_range_is_reported():
    x = nd.zeros((3, 2), ctx=CONTEXTS[1])
    where = nd.array([0, 5], ctx=CONTEXTS[1], dtype="int32")
    x[where] = 1
    with pytest.raises(IndexError, match=r"scatter: an index is out of bounds \(on gpu\(0\)\)"):
        x.asnumpy()
    assert nd.sum(nd.ones((2,), ctx=CONTEXTS[1])).asscalar() == 2


# --- sequences ----------------------------------------------------------------------------------------------


def recurrent(mode, **attributes):
    def run(x, parameters, state, cell):
        states = [state, cell] if mode == "lstm" else [state]
        for leaf in (x, parameters, state):
            leaf.attach_grad()
        with autograd.record():
            made = nd.RNN(x, parameters, *states, mode=mode, state_size=5, num_layers=2, **attributes)
            total = nd.sum(made * made)
        total.backward()
        return [made, x.grad, parameters.grad, state.grad]

    return run


@pytest.mark.parametrize("mode, gates", [("rnn_relu", 1), ("rnn_tanh", 1), ("lstm", 4), ("gru", 3)])
def test_recurrent_layers(mode, gates):
    rng = np.random.default_rng(2)
    count = gates * (5 * 3 + 5 * 5 + 2 * 5) + gates * (5 * 5 + 5 * 5 + 2 * 5)
    shapes = [(4, 2, 3), (count,), (2, 2, 5), (2, 2, 5)]
    arrays = [nd.array(rng.uniform(-0.6, 0.6, shape)) for shape in shapes]
    assert_same(recurrent(mode), *arrays, exactly=False)
    if mode == "lstm":
        assert_same(
            recurrent(mode, lstm_state_clip_min=-0.1, lstm_state_clip_max=0.2), *arrays, exactly=False
        )


@pytest.mark.parametrize("blank", ["first", "last"])
@pytest.mark.parametrize("lengths", [False, True])
def test_ctc_loss(blank, lengths):
    rng = np.random.default_rng(4)
    values = nd.array(rng.standard_normal((7, 4, 5)))
    padding = 0 if blank == "first" else -1
    labels = nd.array([[1, 2, 2], [3, padding, padding], [1, 1, 1], [2, 3, 1]])
    data_lengths, label_lengths = nd.array([7, 5, 4, 6]), nd.array([3, 1, 3, 2])  # the third does not fit

    def loss(x, labels, *given):
        x.attach_grad()
        with autograd.record():
            options = {"use_data_lengths": lengths, "use_label_lengths": lengths, "blank_label": blank}
            made = nd.CTCLoss(x, labels, *given, **options)
        made.backward()
        return [made, x.grad]

    assert_same(loss, values, labels, *((data_lengths, label_lengths) if lengths else ()), exactly=False)
