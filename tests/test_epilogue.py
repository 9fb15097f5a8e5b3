"""Products and layers with the pointwise node that follows: which are joined, and that only time changes."""

import numpy as np
import pytest
from engine_parts import threaded
from hypothesis import given, settings
from hypothesis import strategies as st
from mxcy._epilogue import reach

import mxcy as mx
from mxcy.executor import options
from mxcy.executor.options import Options
from mxcy.graph.epilogue import Finished

sym, nd = mx.sym, mx.nd
data = sym.Variable("data")


def dense(x=data, hidden=40, name="fc", **attributes):
    return sym.FullyConnected(x, num_hidden=hidden, name=name, **attributes)


def conv(x=data, filters=6, kernel=(3, 3), name="conv", **attributes):
    return sym.Convolution(x, num_filter=filters, kernel=kernel, name=name, **attributes)


def bound(net, fuse, shapes, dtype="float32", req="write"):
    """An executor with numbers that do not depend on `fuse`."""
    held = options.DEFAULT
    options.DEFAULT = Options(fuse=fuse)
    try:
        types = dict.fromkeys(net.list_arguments(), dtype)
        shapes = {name: shape for name, shape in shapes.items() if name in types}
        executor = net.simple_bind(mx.cpu(), grad_req=req, type_dict=types, **shapes)
    finally:
        options.DEFAULT = held
    rng = np.random.default_rng(0)
    for array in executor.arg_arrays:
        array[:] = rng.standard_normal(array.shape)
    return executor


def steps(executor, which="forward"):
    return [step.op for step in getattr(executor._program, which).steps]


def finished(executor, which="forward"):
    return [op.name for op in steps(executor, which) if isinstance(op, Finished)]


def outcome(executor, train):
    made = executor.forward(is_train=train)
    if train:
        rng = np.random.default_rng(1)
        executor.backward([nd.array(rng.standard_normal(y.shape), dtype=y.dtype) for y in made])
    found = [*made, *(executor.grad_arrays if train else ())]
    return [array.asnumpy().tobytes() for array in found if array is not None]


def check(net, shapes, dtype="float32", req="write"):
    """Bit for bit what separate nodes give; returns the executor."""
    joined, apart = (bound(net, fuse, shapes, dtype, req) for fuse in (True, False))
    assert not finished(apart)
    for train in (False, req != "null"):
        for _ in range(2):  # recorded, then replayed
            assert outcome(joined, train) == outcome(apart, train)
    return joined


other, row, column = sym.Variable("other"), sym.Variable("row"), sym.Variable("column")
lhs, rhs = sym.Variable("lhs"), sym.Variable("rhs")

GRAPHS = {
    "activation": (sym.tanh(dense()), {"data": (30, 50)}, ["FullyConnected+tanh"]),
    "no bias": (sym.relu(dense(no_bias=True)), {"data": (30, 50)}, ["FullyConnected+relu"]),
    "narrow": (sym.relu(dense(hidden=5)), {"data": (30, 50)}, ["FullyConnected+relu"]),
    "one number": (sym.exp(dense(hidden=1)), {"data": (1, 3)}, ["FullyConnected+exp"]),
    "folded": (sym.relu(dense()), {"data": (6, 5, 4)}, ["FullyConnected+relu"]),
    "not flattened": (
        sym.relu(dense(flatten=False) + other) * 2,
        {"data": (6, 5, 4), "other": (6, 5, 40)},
        ["FullyConnected+elemwise_add+relu+_mul_scalar"],
    ),
    "rows and columns": (
        sym.broadcast_mul(sym.broadcast_add(dense(), row), column) > 0.1,
        {"data": (30, 50), "row": (1, 40), "column": (30, 1)},
        ["FullyConnected+broadcast_add+broadcast_mul+_greater_scalar"],
    ),
    "residual": (sym.relu(dense(hidden=50) + data), {"data": (30, 50)}, ["FullyConnected+elemwise_add+relu"]),
    "two layers": (
        sym.relu(dense(sym.relu(dense()), 20, "fc2")),
        {"data": (30, 50)},
        ["FullyConnected+relu"] * 2,
    ),
    "sum of two": (dense() + dense(other, name="fc2"), {"data": (30, 50), "other": (30, 7)},
                   ["FullyConnected+elemwise_add"]),
    "dot": (
        sym.dot(lhs, rhs, transpose_b=True) * 0.5,
        {"lhs": (33, 20), "rhs": (45, 20)},
        ["dot+_mul_scalar"],
    ),
    "batch_dot": (
        sym.broadcast_add(sym.batch_dot(lhs, rhs), other),
        {"lhs": (3, 10, 20), "rhs": (3, 20, 35), "other": (1, 10, 35)},
        ["batch_dot+broadcast_add"],
    ),
    "gemm2": (
        sym.sigmoid(sym.linalg.gemm2(lhs, rhs)),
        {"lhs": (2, 10, 20), "rhs": (2, 20, 35)},
        ["_linalg_gemm2+sigmoid"],
    ),
    "kept": (sym.Group([dense(), sym.relu(dense())]), {"data": (30, 50)}, ["FullyConnected+relu"] * 2),
    "convolution": (sym.tanh(conv()), {"data": (2, 3, 26, 25)}, ["Convolution+tanh"]),
    "convolution with a shortcut": (
        sym.relu(conv(filters=3, pad=(1, 1)) + data),
        {"data": (2, 3, 26, 25)},
        ["Convolution+elemwise_add+relu"],
    ),
    "by channel": (
        sym.broadcast_mul(conv(), row),
        {"data": (2, 3, 26, 25), "row": (1, 6, 1, 1)},
        ["Convolution+broadcast_mul"],
    ),
    "rectified": (sym.relu(conv()) + 1, {"data": (2, 3, 26, 25)}, ["_convolution_relu+_plus_scalar"]),
    "small planes": (sym.sigmoid(conv()), {"data": (2, 3, 5, 6)}, ["Convolution+sigmoid"]),
}  # fmt: skip


@pytest.mark.parametrize("case", GRAPHS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_follows_a_product_or_a_layer_is_part_of_it(case, dtype):
    net, shapes, expected = GRAPHS[case]
    if case == "kept":  # one layer that is read twice
        layer = dense()
        net, expected = sym.Group([layer, sym.relu(layer)]), expected[:1]
    executor = check(net, shapes, dtype)

    assert finished(executor) == expected


def test_a_result_that_the_gradient_reads_is_kept_beside():
    layer = dense(no_bias=True)
    executor = check(sym.sin(layer), {"data": (30, 50)})

    assert finished(executor) == ["FullyConnected+sin"]
    assert [len(step.outs) for step in executor._program.forward.steps] == [2]


def test_gradients_of_products_have_epilogues():
    executor = check(dense(sym.relu(dense()), 20, "fc2"), {"data": (30, 50)})

    assert [name for name in finished(executor, "backward") if name.startswith("dot+")]


APART = {
    "another reads it first": (lambda y: sym.relu(y) + sym.sum(sym.exp(y)), {}),
    "a larger result": (lambda y: sym.broadcast_add(y, other), {"other": (3, 30, 40)}),
    "no pointwise node": (lambda y: sym.sum(y), {}),
    "a draw of numbers": (lambda y: sym.Dropout(y, mode="always"), {}),
}


@pytest.mark.parametrize("case", APART, ids=str)
def test_what_does_not_fit_stays_apart(case):
    follow, shapes = APART[case]
    executor = bound(follow(dense()), True, {"data": (30, 50), **shapes}, req="null")
    executor.forward()

    assert "FullyConnected" in [op.name for op in steps(executor)] or case == "another reads it first"


def test_half_types_stay_apart():
    executor = bound(sym.relu(dense()), True, {"data": (30, 50)}, "float16")

    assert not finished(executor)


def test_channels_last_stay_apart():
    net = sym.tanh(conv(layout="NHWC"))
    executor = check(net, {"data": (2, 26, 25, 3)})

    assert not finished(executor)


PRODUCTS = [(3, 7, 33), (64, 128, 64), (40, 300, 130), (17, 260, 600), (5, 1200, 900), (1000, 1100, 40),
            (1100, 20, 1000), (130, 64, 513), (1, 90, 200)]  # fmt: skip

CONVOLUTIONS = [  # with planes large enough for parts, and small ones
    ((2, 5, 30, 19), {"kernel": (1, 1), "num_filter": 20}),
    ((3, 9, 27, 20), {"kernel": (3, 3), "num_filter": 17, "pad": (1, 1)}),
    ((2, 40, 27, 25), {"kernel": (3, 3), "num_filter": 33}),
    ((2, 6, 50, 51), {"kernel": (5, 5), "num_filter": 8, "stride": (2, 2)}),
    ((2, 8, 24, 22), {"kernel": (3, 3), "num_filter": 8, "num_group": 8, "pad": (1, 1)}),
    ((2, 8, 24, 22), {"kernel": (3, 3), "num_filter": 40, "num_group": 2, "pad": (1, 1)}),
    ((1, 70, 24, 22), {"kernel": (3, 3), "num_filter": 160, "pad": (1, 1)}),
    ((2, 4, 600), {"kernel": (3,), "num_filter": 7}),
    ((1, 3, 11, 10, 9), {"kernel": (2, 2, 2), "num_filter": 5}),
    ((1, 600, 23, 23), {"kernel": (1, 1), "num_filter": 24}),
    ((2, 20, 12, 12), {"kernel": (3, 3), "num_filter": 24}),
]


@st.composite
def epilogues(draw, shape, layer, inner):
    """A random region over the result of a layer, and the shapes of what else it reads."""
    cut = len(shape) - inner
    forms = [shape, (*[1] * (len(shape) - 1), shape[-1]) if inner == 1 else shape,
             (*shape[:cut], *[1] * inner), (1, *shape[1:cut], *[1] * inner)]  # fmt: skip
    made, shapes = [layer], {}
    for number in range(draw(st.integers(1, 5))):
        x = made[draw(st.integers(0, len(made) - 1))] if draw(st.booleans()) else made[-1]
        kind = draw(st.integers(0, 4))
        if kind < 2:
            made.append(getattr(sym, draw(st.sampled_from(["tanh", "relu", "sigmoid", "sin", "square"])))(x))
        elif kind == 2:
            made.append(x * draw(st.sampled_from([0.5, -1.5])) + 1)
        elif kind == 3:
            made.append(sym.broadcast_mul(x, made[draw(st.integers(0, len(made) - 1))]))
        else:
            name = f"more{number}"
            shapes[name] = draw(st.sampled_from(forms))
            how = draw(st.sampled_from([sym.broadcast_add, sym.broadcast_maximum, sym.broadcast_lesser]))
            made.append(how(sym.Variable(name), x) if draw(st.booleans()) else how(x, sym.Variable(name)))
    net = made[-1]
    return (sym.Group([net, draw(st.sampled_from(made))]) if draw(st.integers(0, 3)) == 0 else net), shapes


@settings(deadline=None)
@given(st.data())
def test_random_epilogues_of_products_change_nothing(choices):
    m, n, p = choices.draw(st.sampled_from(PRODUCTS))
    kind = choices.draw(st.sampled_from(["dense", "dot", "batch_dot"]))
    if kind == "dense":
        layer, shapes, shape = dense(hidden=p), {"data": (m, n)}, (m, p)
    elif kind == "dot":
        layer, shapes, shape = sym.dot(lhs, rhs), {"lhs": (m, n), "rhs": (n, p)}, (m, p)
    else:
        batch = 2
        layer = sym.batch_dot(lhs, rhs, transpose_b=True)
        shapes, shape = {"lhs": (batch, m, n), "rhs": (batch, p, n)}, (batch, m, p)
    net, more = choices.draw(epilogues(shape, layer, 1))
    dtype = choices.draw(st.sampled_from(["float32", "float32", "float64"]))
    train = choices.draw(st.booleans())
    with np.errstate(all="ignore"):
        check(net, {**shapes, **more}, dtype, "write" if train else "null")


@settings(deadline=None)
@given(st.data())
def test_random_epilogues_of_convolutions_change_nothing(choices):
    shape, attributes = choices.draw(st.sampled_from(CONVOLUTIONS))
    layer = sym.Convolution(data, name="conv", no_bias=choices.draw(st.booleans()), **attributes)
    _, (result,), _ = layer.infer_shape(data=shape)
    net, more = choices.draw(epilogues(result, layer, len(attributes["kernel"])))
    train = choices.draw(st.booleans())
    with np.errstate(all="ignore"):
        check(net, {"data": shape, **more}, "float32", "write" if train else "null")


@pytest.mark.parametrize(
    ("shape", "other", "inner", "expected"),
    [
        ((4, 5), (4, 5), 1, (5, 1, 4)),
        ((4, 5), (5,), 1, (0, 1, 1)),
        ((4, 5), (1, 5), 1, (0, 1, 1)),
        ((4, 5), (4, 1), 1, (1, 0, 4)),
        ((4, 5), (1, 1), 1, (0, 0, 1)),
        ((4, 5), (), 1, (0, 0, 1)),
        ((3, 4, 5), (1, 4, 5), 1, (5, 1, 4)),
        ((3, 4, 5), (3, 1, 5), 1, None),
        ((3, 4, 5), (3, 1, 1), 1, None),
        ((2, 6, 4, 5), (1, 6, 1, 1), 2, (1, 0, 6)),
        ((2, 6, 4, 5), (2, 6, 1, 1), 2, (1, 0, 12)),
        ((2, 6, 4, 5), (1, 1, 4, 5), 2, (0, 1, 1)),
        ((2, 6, 4, 5), (2, 6, 4, 1), 2, None),
        ((5,), (3, 5), 1, None),
    ],
)
def test_how_operands_repeat(shape, other, inner, expected):
    assert reach(shape, other, inner) == expected


def test_a_bias_is_added_in_the_same_operation():
    with mx.engine.bulk(0):
        x, w, b = nd.ones((64, 32)), nd.ones((50, 32)), nd.arange(50)
        y = nd.FullyConnected(x, w, b, num_hidden=50)

    assert np.array_equal(y.asnumpy(), np.full((64, 50), 32.0) + np.arange(50))


def test_a_bias_that_is_part_of_the_result_is_read_before():
    memory = nd.arange(40 * 40).reshape((40, 40))
    bias = memory[3]
    expected = bias.asnumpy() + 5
    nd.FullyConnected(nd.ones((40, 5)), nd.ones((40, 5)), bias, num_hidden=40, out=memory)

    assert np.array_equal(memory.asnumpy(), np.tile(expected, (40, 1)))


@pytest.mark.parametrize("stype", ["row_sparse", "csr"])
@pytest.mark.parametrize("net", [dense(sym.relu(dense()), 33, "fc2"), sym.tanh(dense(hidden=33))])
def test_sparse_head_gradients_reach_joined_nodes(net, stype, monkeypatch):
    monkeypatch.setenv("MXNET_STORAGE_FALLBACK_LOG_VERBOSE", "0")
    executor = bound(net, True, {"data": (30, 50)})
    head = nd.array(np.eye(30, 33))
    found = []
    for one in (head, head.tostype(stype)):
        executor.forward(is_train=True)
        executor.backward(one)
        found.append([gradient.asnumpy().tobytes() for gradient in executor.grad_arrays])

    assert found[0] == found[1]


@threaded
@pytest.mark.parametrize("hidden", [40, 5])
def test_warnings_name_what_raises_them(hidden):
    product = dense(hidden=hidden, no_bias=True)
    for net, name in ((sym.exp(product), "exp"), (sym.sqrt(sym.square(product * 1e30)), "square")):
        executor = net.simple_bind(mx.cpu(), data=(30, 50))
        for array in executor.arg_arrays:
            array[:] = 10
        with pytest.warns(RuntimeWarning, match=f"overflow encountered in .*{name}"):
            executor.forward()[0].asnumpy()
