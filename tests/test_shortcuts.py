"""Sums that convolutions make as they write their results: which do, where, and that only time changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mxcy._epilogue import Epilogue

import mxcy as mx
from mxcy import _array
from mxcy.executor import options
from mxcy.executor.options import Options
from mxcy.graph.epilogue import Finished
from mxcy.kernels import cpu as kernels

sym = mx.sym
data, other = sym.Variable("data"), sym.Variable("other")


def array(values):
    return _array.from_numpy(np.ascontiguousarray(values))


def conv(x=data, filters=6, kernel=(1, 1), name="conv", **attributes):
    return sym.Convolution(x, num_filter=filters, kernel=kernel, name=name, **attributes)


def bound(net, fuse=True, req="null", dtype="float32", **shapes):
    held, options.DEFAULT = options.DEFAULT, Options(fuse=fuse)
    try:
        types = dict.fromkeys(net.list_arguments(), dtype)
        executor = net.simple_bind(mx.cpu(), grad_req=req, type_dict=types, **shapes)
    finally:
        options.DEFAULT = held
    rng = np.random.default_rng(0)
    for each in executor.arg_arrays:
        values = rng.standard_normal(each.shape)
        values[rng.random(each.shape) < 0.1] = -0.0
        each[:] = values
    return executor


def sums(executor):
    """By node that makes a sum as it writes a result: whether it rectifies, and whether it writes over it."""
    found = [step.op.parts.sum for step in executor._program.forward.steps if isinstance(step.op, Finished)]
    return [tuple(one) for one in found if one is not None]


def same_place(*arrays):
    return len({x.view_numpy().__array_interface__["data"][0] for x in arrays}) == 1


def check(net, dtype="float32", **shapes):
    """Bit for bit what separate nodes give, also when the operations are replayed; returns the executor."""
    joined, apart = (bound(net, fuse, dtype=dtype, **shapes) for fuse in (True, False))
    assert not sums(apart)
    for _ in range(2):
        mine, expected = (executor.forward()[0].asnumpy() for executor in (joined, apart))
        assert mine.tobytes() == expected.tobytes()
    return joined


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rectified", [True, False])
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ((2, 30, 7, 7), {}),
        ((3, 20, 14, 14), {"no_bias": True}),
        ((2, 17, 32, 33), {}),
        ((3, 20, 15, 13), {"stride": (2, 2)}),
        ((2, 12, 9, 11), {"kernel": (3, 3), "stride": (2, 2), "pad": (1, 1)}),
        ((2, 32, 9, 11), {"num_group": 2}),
    ],
    ids=str,
)
def test_what_is_added_is_written_over(shape, attributes, side, rectified, dtype):
    layer = conv(filters=40, **{"kernel": (1, 1), **attributes})
    _, (result,), _ = layer.infer_shape(data=shape)
    made = sym.elemwise_add(*[layer, sym.softmax(other)][::side])
    made = sym.relu(made) if rectified else made
    # A layer is last, so that the sum is not among the results, which have places of their own.
    executor = check(sym.FullyConnected(made, num_hidden=3, name="fc"), dtype, data=shape, other=result)
    assert sums(executor) == [(rectified, True)]
    step = next(step for step in executor._program.forward.steps if isinstance(step.op, Finished))
    assert same_place(step.inputs[-1], step.outs[0])


def test_long_sums_read_it_from_its_own_place():
    net = sym.FullyConnected(sym.relu(conv(filters=20) + sym.softmax(other)), num_hidden=3, name="fc")
    executor = check(net, data=(2, 700, 6, 6), other=(2, 20, 6, 6))
    assert sums(executor) == [(True, False)]


def test_data_that_is_added_is_not_written_over():
    x = sym.softmax(data)
    net = sym.FullyConnected(sym.relu(conv(x, filters=20) + x), num_hidden=3, name="fc")
    executor = check(net, data=(2, 20, 33, 17))
    assert sums(executor) == [(True, False)]


def test_variables_and_what_others_read_stay_as_they_are():
    executor = bound(sym.relu(conv(filters=20) + other), data=(2, 4, 6, 6), other=(2, 20, 6, 6))
    assert sums(executor) == [(True, True)]
    before = executor.arg_dict["other"].asnumpy()
    executor.forward()[0].asnumpy()
    assert before.tobytes() == executor.arg_dict["other"].asnumpy().tobytes()
    kept = sym.softmax(other)
    net = sym.Group([conv(filters=20) + kept, kept])
    executor = bound(net, data=(2, 4, 6, 6), other=(2, 20, 6, 6))
    expected = mx.nd.softmax(executor.arg_dict["other"]).asnumpy()
    np.testing.assert_array_equal(executor.forward()[1].asnumpy(), expected)


@pytest.mark.parametrize(
    "net",
    [
        conv(filters=64, kernel=(3, 3), pad=(1, 1)) + other,  # Winograd's form
        conv(filters=64, kernel=(3, 3), pad=(1, 1), num_group=64) + other,  # sums of lines
        sym.relu(conv(filters=64)) + other,
        conv(filters=64) * other,
        sym.tanh(conv(filters=64) + other),
        conv(filters=64) + other + other,
    ],
    ids=range(6),
)
def test_other_epilogues_run_their_program(net):
    executor = check(net, data=(2, 64, 24, 24), other=(2, 64, 24, 24))
    assert not sums(executor)


def test_gradients_are_the_same():
    net = sym.FullyConnected(sym.relu(conv(filters=20) + sym.softmax(other)), num_hidden=3, name="fc")
    shapes = {"data": (2, 4, 6, 6), "other": (2, 20, 6, 6)}
    joined, apart = (bound(net, fuse, "write", **shapes) for fuse in (True, False))
    for executor in (joined, apart):
        executor.forward(is_train=True)
        executor.backward(mx.nd.ones((2, 3)))
    for mine, expected in zip(joined.grad_arrays, apart.grad_arrays, strict=True):
        assert mine.asnumpy().tobytes() == expected.asnumpy().tobytes()


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 600), st.integers(1, 30), st.integers(1, 30)),
    st.integers(1, 70),
    st.integers(1, 3),
    st.booleans(),
)
def test_random_layers_add_what_nodes_add(shape, filters, stride, bias):
    layer = conv(filters=filters, stride=(stride, stride), no_bias=not bias)
    _, (result,), _ = layer.infer_shape(data=shape)
    check(sym.relu(layer + sym.softmax(other)), data=shape, other=result)


def test_which_layers_may_write_over_what_they_add():
    def in_place(shape, weight, groups=1, packed=False, pad=0):
        moves = ((1, 1), (1, 1), (pad, pad), groups)
        return kernels.convolution_sums_in_place(shape, weight, np.dtype("float32"), *moves, packed)

    assert in_place((8, 512, 7, 7), (2048, 512, 1, 1))
    assert in_place((8, 512, 7, 7), (2048, 512, 1, 1), packed=True)
    assert not in_place((8, 1024, 7, 7), (2048, 1024, 1, 1))  # sums in two parts
    assert not in_place((8, 64, 56, 56), (64, 64, 3, 3), pad=1)  # Winograd's form
    assert not in_place((8, 8, 56, 56), (8, 1, 3, 3), 8, pad=1)  # sums of lines


def test_arrays_that_overlap_are_added_as_they_were():
    """What the kernel cannot write over is copied before."""
    rng = np.random.default_rng(0)
    weight, x = (array(rng.standard_normal(s).astype(np.float32)) for s in ((20, 700, 1, 1), (2, 700, 5, 5)))
    held = array(rng.standard_normal((2, 20, 5, 5)).astype(np.float32))
    expected = np.array(held.view_numpy())
    apart = kernels.convolution(x, weight, None, (1, 1), (1, 1), (0, 0), 1)
    expected += apart.view_numpy()
    executor = bound(conv(filters=20, no_bias=True) + other, data=(2, 700, 5, 5), other=(2, 20, 5, 5))
    op = next(step.op for step in executor._program.forward.steps if isinstance(step.op, Finished))
    place = op.parts.place
    epilogue = Epilogue(op.program, [held, held], [held], held.shape, 2, 1 - place)
    kernels.convolution(x, weight, None, (1, 1), (1, 1), (0, 0), 1, out=held, epilogue=epilogue)
    assert np.array(held.view_numpy()).tobytes() == expected.tobytes()
