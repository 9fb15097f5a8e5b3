"""Convolutions that write only the largest of every 2x2 elements: which do, and that only cost changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxcy as mx
from mxcy import _array
from mxcy.executor import options
from mxcy.executor.options import Options
from mxcy.kernels import cpu as kernels
from mxcy.ops._window import convolved, window_of
from mxcy.ops.pooling import windows_of

sym, nd = mx.sym, mx.nd
NAME = "_convolution_relu_maxima"
TWO = {"kernel": (2, 2), "stride": (2, 2)}


def array(values):
    return _array.from_numpy(np.ascontiguousarray(values))


def both(shape, filters, kernel, stride, dilate, pad, groups, dtype, way, bias=True, seed=0):
    """The bytes of what the one kernel makes and of what two make."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    x[rng.random(shape) < 0.02] = np.nan
    x[rng.random(shape) < 0.1] = -0.0
    x, w = (array(a.astype(dtype)) for a in (x, rng.standard_normal((filters, shape[1] // groups, *kernel))))
    b = array(rng.standard_normal(filters).astype(dtype)) if bias else None
    moves = stride, dilate, pad, groups
    whole = kernels.convolution(x, w, b, *moves, way=way, relu=True)
    windows = windows_of(whole.shape, (2, 2), (2, 2), ())
    apart = kernels.pooling(whole, windows)
    return kernels.convolution_maxima(x, w, b, *moves, windows, way=way), apart


def check(*arguments, **more):
    mine, apart = both(*arguments, **more)
    assert mine.shape == apart.shape
    assert np.array(mine.view_numpy()).tobytes() == np.array(apart.view_numpy()).tobytes()


@st.composite
def problems(draw):
    few = st.integers(1, 3)
    kernel, stride, dilate, pad = (
        (draw(kind), draw(kind)) for kind in (st.sampled_from([1, 2, 3, 5]), few, st.integers(1, 2), few)
    )
    if draw(st.booleans()):  # what Winograd's form takes
        size = draw(st.sampled_from([3, 5]))
        kernel, stride, dilate = (size, size), (1, 1), (1, 1)
    groups = draw(st.integers(1, 2))
    channels, filters = (groups * draw(st.integers(1, most)) for most in (20, 40))
    spatial = [
        draw(st.integers(max(2, d * (k - 1) + 1 + s), 40))
        for k, d, s in zip(kernel, dilate, stride, strict=True)
    ]
    shape = (draw(st.integers(0, 3)), channels, *spatial)
    return shape, filters, kernel, stride, dilate, pad, groups


@given(
    problems(),
    st.sampled_from(["float32", "float32", "float64", "float16"]),
    st.sampled_from(["auto", "direct", "winograd"]),
    st.booleans(),
    st.integers(0, 3),
)
def test_random_convolutions_give_what_two_layers_give(problem, dtype, way, bias, seed):
    with np.errstate(all="ignore"):
        check(*problem, dtype, way, bias, seed)


@pytest.mark.parametrize("way", ["direct", "winograd"])
@pytest.mark.parametrize(
    ("shape", "filters"),
    [((3, 3, 64, 112), 33), ((2, 40, 30, 34), 70), ((2, 24, 29, 31), 20), ((1, 130, 12, 200), 10)],
    ids=str,
)
def test_layers_of_several_blocks(shape, filters, way):
    with np.errstate(all="ignore"):
        check(shape, filters, (3, 3), (1, 1), (1, 1), (1, 1), 1, "float32", way)


def test_which_layers_are_made_at_once():
    def halves(shape, weight, pad=1, dtype="float32", groups=1):
        moves = ((1, 1), (1, 1), (pad, pad), groups)
        window = window_of("test", weight[2:], *moves[:3], None)
        assert min(convolved("test", window, shape[2:])) >= 2
        return kernels.convolution_halves(shape, weight, np.dtype(dtype), *moves)

    assert halves((8, 3, 224, 224), (64, 3, 3, 3))  # pairs of lines in the cache
    assert halves((8, 128, 55, 55), (128, 128, 3, 3))  # Winograd's tiles
    assert not halves((8, 128, 55, 55), (128, 128, 3, 3), dtype="float64")  # lines without a partner
    assert not halves((8, 1024, 56, 56), (64, 1024, 1, 1), 0)  # sums in several parts
    assert not halves((8, 8, 56, 56), (8, 1, 3, 3), groups=8)  # sums of lines


def net(window=TWO, after=lambda y: y, **attributes):
    data = sym.Variable("data")
    attributes = {"kernel": (3, 3), "pad": (1, 1), **attributes}
    made = sym.Activation(sym.Convolution(data, num_filter=20, name="conv", **attributes), act_type="relu")
    return after(sym.Pooling(made, pool_type="max", **window) * 2)


def bound(symbol, fuse, monkeypatch, req="null", dtype="float32", shape=(2, 5, 16, 12)):
    monkeypatch.setattr(options, "DEFAULT", Options(fuse=fuse))
    executor = symbol.simple_bind(mx.cpu(), grad_req=req, type_dict={"data": dtype}, data=shape)
    rng = np.random.default_rng(0)
    for each in executor.arg_arrays:
        each[:] = rng.standard_normal(each.shape)
    return executor


def operators(executor):
    return "+".join(step.op.name for step in executor._program.forward.steps).split("+")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "attributes", [{}, {"no_bias": True}, {"layout": "NCHW"}, {"kernel": (1, 1), "pad": ()}], ids=str
)
def test_predictions_are_the_same_to_the_last_bit(attributes, dtype, monkeypatch):
    joined, apart = (bound(net(**attributes), fuse, monkeypatch, dtype=dtype) for fuse in (True, False))
    for executor in (joined, apart):
        executor.arg_dict["data"][0, 0, 0, :3] = [np.nan, -0.0, np.inf]
        with np.errstate(all="ignore"):
            executor.forward()
            mx.nd.waitall()
    assert NAME in operators(joined) and "Pooling" not in operators(joined)
    assert joined.outputs[0].asnumpy().tobytes() == apart.outputs[0].asnumpy().tobytes()


@pytest.mark.parametrize(
    "window",
    [
        {"kernel": (3, 3), "stride": (2, 2)},
        {"kernel": (2, 2), "stride": (1, 1)},
        {"kernel": (2, 2), "stride": (2, 2), "pad": (1, 1)},
        {"global_pool": True, **TWO},
    ],
    ids=str,
)
def test_other_windows_stay_layers(window, monkeypatch):
    executor = bound(net(window), True, monkeypatch)
    executor.forward()
    assert NAME not in operators(executor) and "Pooling" in operators(executor)


def test_what_others_read_is_kept(monkeypatch):
    data = sym.Variable("data")
    made = sym.relu(sym.Convolution(data, num_filter=20, kernel=(3, 3), pad=(1, 1)))
    pool = sym.Pooling(made, pool_type="max", **TWO)
    for symbol in (sym.Group([made, pool]), sym.Group([pool, sym.tanh(made)])):
        executor = bound(symbol, True, monkeypatch)
        executor.forward()
        assert NAME not in operators(executor)
    half = bound(net(), True, monkeypatch, dtype="float16")
    half.forward()
    assert NAME not in operators(half)


def test_training_keeps_what_gradients_read(monkeypatch):
    joined, apart = (bound(net(), fuse, monkeypatch, "write") for fuse in (True, False))
    for executor in (joined, apart):
        executor.forward(is_train=True)
        executor.backward(nd.ones(executor.outputs[0].shape))
    assert NAME not in operators(joined)
    for mine, expected in zip(joined.grad_arrays, apart.grad_arrays, strict=True):
        np.testing.assert_array_equal(mine.asnumpy(), expected.asnumpy())


def test_the_plan_has_no_place_for_the_whole_result():
    symbol, shapes = net(), {"data": (2, 5, 16, 12)}
    assert symbol.memory(shapes).total < 2 * 20 * 16 * 12 * 4
