"""Convolutions of the same data in one node, packed weights, shared workspaces: nothing but cost changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxcy as mx
from mxcy import _engine, _export
from mxcy.errors import ArgumentError
from mxcy.executor import options
from mxcy.executor.options import Options
from mxcy.kernels import cpu as kernels

sym, nd = mx.sym, mx.nd


def convolution(data, name, filters, kernel=(1, 1), relu=True, **attributes):
    made = sym.Convolution(data, num_filter=filters, kernel=kernel, name=name, **attributes)
    return sym.Activation(made, act_type="relu") if relu else made


def inception(**attributes):
    """Three convolutions of the same data, of which one does not rectify, and others."""
    data = sym.Variable("data")
    first, second, third = (
        convolution(data, f"conv{n}", filters, relu=n != 2, **attributes)
        for n, filters in enumerate((5, 17, 30), 1)
    )
    other = convolution(data, "other", 4, (3, 3), pad=(1, 1))
    return (
        sym.Concat(first, convolution(second, "deeper", 6, (1, 3), pad=(0, 1)), third, other, dim=1)
        if not attributes
        else sym.Concat(first, second, third)
    )


def bound(net, fuse, monkeypatch, req="null", dtype="float32", cache=16 << 20, shape=(2, 3, 8, 7)):
    monkeypatch.setattr(options, "DEFAULT", Options(fuse=fuse, weight_cache=cache))
    executor = net.simple_bind(mx.cpu(), grad_req=req, type_dict={"data": dtype}, data=shape)
    rng = np.random.default_rng(0)
    for array in (*executor.arg_arrays, *executor.aux_arrays):
        array[:] = rng.uniform(0.5, 1.5, array.shape) * rng.choice([-1, 1], array.shape)
    for name, array in executor.aux_dict.items():
        if "var" in name:
            array[:] = array.abs()
    return executor


def operators(executor):
    return [step.op.name for step in executor._program.forward.steps]


def same(left, right):
    return all(a.asnumpy().tobytes() == b.asnumpy().tobytes() for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("attributes", [{"stride": (2, 2)}, {"no_bias": True}, {"pad": (1, 0)}], ids=str)
@pytest.mark.parametrize("req", ["null", "write"])
def test_results_and_gradients_are_the_same_to_the_last_bit(req, attributes, dtype, monkeypatch):
    joined, apart = (bound(inception(**attributes), fuse, monkeypatch, req, dtype) for fuse in (True, False))
    for executor in (joined, apart):
        executor.forward(is_train=req == "write")
        if req == "write":
            executor.backward(nd.ones(executor.outputs[0].shape, dtype=dtype))

    assert operators(joined).count("_convolutions") == 1 and "Convolution" not in operators(joined)
    assert same(joined.outputs, apart.outputs)
    if req == "write":
        assert same(joined.grad_arrays, apart.grad_arrays)


def test_other_convolutions_stay_by_themselves(monkeypatch):
    executor = bound(inception(), True, monkeypatch)
    executor.forward()
    assert operators(executor).count("_convolutions") == 1  # the others have another kernel or other data
    assert operators(executor).count("_convolution_relu") == 2
    half = bound(inception(no_bias=True), True, monkeypatch, dtype="float16")
    half.forward()
    assert "_convolutions" not in operators(half)


def test_more_convolutions_than_one_node_takes(monkeypatch):
    data = sym.Variable("data")
    net = sym.Concat(*[convolution(data, f"conv{n}", 1 + n) for n in range(19)])
    joined, apart = (bound(net, fuse, monkeypatch) for fuse in (True, False))
    joined.forward(), apart.forward()
    assert operators(joined).count("_convolutions") == 3
    assert same(joined.outputs, apart.outputs)


# --- packed weights --------------------------------------------------------------------------------------
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 20), st.integers(1, 40)),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.integers(1, 3),
    st.sampled_from(["float32", "float64", "float16"]),
    st.integers(0, 3),
)
def test_packed_weights_give_the_same_convolution(sizes, kernel, stride, dtype, seed):
    images, groups, channels, filters = sizes
    rng = np.random.default_rng(seed)
    x = nd.array(rng.standard_normal((images, groups * channels, *[5] * len(kernel))), dtype=dtype)
    w = nd.array(rng.standard_normal((groups * filters, channels, *kernel)), dtype=dtype)
    moves = [stride] * len(kernel), [1] * len(kernel), [1] * len(kernel), groups
    packed = kernels.pack_filters(w, groups)
    assert sorted(packed.asnumpy().ravel()) == sorted(w.asnumpy().ravel())
    mine = kernels.convolution(x, packed, None, *moves, packed=True)
    # products have one order, whoever packs; sums of lines of small groups have another
    plain = kernels.convolution(x, w, None, *moves, way="direct").asnumpy().astype(np.float64)
    if groups > 1 and channels <= 8 and filters <= 8:
        scale = np.abs(plain).max(initial=1)
        tolerance = {"float16": 2e-3, "float32": 2e-6, "float64": 1e-13}[dtype]
        np.testing.assert_allclose(mine.asnumpy() / scale, plain / scale, atol=tolerance)
    else:
        assert np.array_equal(mine.asnumpy(), plain)


def residual():
    data = sym.Variable("data")
    net = sym.BatchNorm(convolution(data, "first", 8, relu=False, no_bias=True), name="norm")
    return convolution(sym.Activation(net, act_type="relu") + convolution(data, "second", 8), "third", 3)


def shortcut():
    data = sym.Variable("data")
    net = sym.BatchNorm(convolution(data, "first", 3, relu=False), name="norm", fix_gamma=False)
    return sym.Activation(net + data, act_type="relu")


@pytest.mark.parametrize(
    "net", [inception(), residual(), shortcut()], ids=["inception", "residual", "shortcut"]
)
def test_predictions_notice_new_weights(net, monkeypatch):
    packed, plain = (bound(net, True, monkeypatch, cache=cache) for cache in (1 << 20, 0))
    for number in range(3):
        for executor in (packed, plain):
            executor.forward()
        assert same(packed.outputs, plain.outputs)
        assert any(node.name.endswith("_packed") for node in packed._folding.arrays)
        assert plain._folding is None or not any("_packed" in n.name for n in plain._folding.arrays)
        for executor in (packed, plain):
            for name, array in executor.arg_dict.items():
                if number == 0 and name.endswith("weight"):
                    array[:] = array * 2 + 1
                elif number == 1 and name.endswith("weight"):
                    np.asarray(array)[...] += 1  # an export raises no version


def test_weights_are_computed_again_only_when_they_may_have_changed(monkeypatch):
    executor = bound(residual(), True, monkeypatch)
    executor.forward()
    weights, runs = executor._folding._program, []
    monkeypatch.setattr(weights, "forward", Recorder(weights.forward, runs))
    for _ in range(3):
        executor.forward(data=nd.array(np.ones((2, 3, 8, 7))))
        np.asarray(executor.outputs[0])
        executor.outputs[0].asnumpy()
    assert runs == []
    view = np.asarray(executor.arg_dict["first_weight"])
    for number in range(1, 4):
        executor.forward()
        assert len(runs) == number  # it may be written at any time
    del view
    executor.forward()
    executor.aux_dict["norm_moving_mean"][:] = 2
    executor.forward()
    assert len(runs) == 4


class Recorder:
    def __init__(self, schedule, runs):
        self.schedule, self.runs = schedule, runs

    def run(self, is_train):
        self.runs.append(is_train)
        self.schedule.run(is_train)


def test_exports_are_counted_while_somebody_asks():
    x, other = nd.ones(3), nd.ones(3)
    counts = _export.watch_exports([x, x]) + _export.watch_exports([x])
    np.asarray(x), np.asarray(other), memoryview(x).release(), x.asnumpy()
    assert [count[0] for count in counts] == [2, 2, 2]
    _export.forget_exports([x, x])
    np.asarray(x)
    assert counts[0][0] == 3
    _export.forget_exports([x])
    np.asarray(x)
    assert counts[0][0] == 3


def test_training_and_monitors_read_plain_weights(monkeypatch):
    packed, plain = (bound(residual(), fuse, monkeypatch, req="write") for fuse in (True, False))
    for executor in (packed, plain):
        executor.forward(is_train=False)
    assert not any(step.attrs.get("packed") for step in packed._program.forward.steps)
    watched = bound(residual(), True, monkeypatch)
    seen = []
    watched.set_monitor_callback(lambda name, array: seen.append(name))
    watched.forward()
    assert "first_output" in seen


def test_the_budget_takes_the_smallest_weights_and_those_that_replace_others(monkeypatch):
    def kept(nbytes):
        executor = bound(residual(), True, monkeypatch, cache=nbytes)
        executor.forward()
        return [node.name for node in executor._folding.arrays if node.name.endswith("_packed")]

    first = "norm_folded_weight_packed"
    assert kept(0) == []
    assert kept(1) == [first]  # it replaces the weight into which the norm is folded
    assert kept(8 * 3 * 4) == [first, "second_weight_packed"]
    assert kept(1 << 20) == [first, "second_weight_packed", "third_weight_packed"]


@pytest.mark.parametrize("text", ["", "-1", "many", "1e3", "inf"])
def test_budgets_that_are_no_numbers(text):
    with pytest.raises(ArgumentError, match="MXCY_WEIGHT_CACHE_MB"):
        options.read({"MXCY_WEIGHT_CACHE_MB": text})


def test_budgets_of_the_environment():
    assert options.read({}).weight_cache == 16 << 20
    assert options.read({"MXCY_WEIGHT_CACHE_MB": "0.5"}).weight_cache == 1 << 19


# --- workspaces --------------------------------------------------------------------------------------------
def workspaces(counts):
    """Bytes of free workspaces after convolutions of so many images."""
    held = []
    _engine._pool(trim=True)
    for count in counts:
        x, w = nd.ones((count, 64, 20, 20)), nd.ones((64, 64, 3, 3))
        y = kernels.convolution(x, w, None, (1, 1), (1, 1), (1, 1), 1, way="winograd")
        y.wait_to_read()
        held += [x, w, y]
    nd.waitall()
    return _engine._pool()["cached"]


def test_workspaces_of_many_sizes_share_memory():
    apart = [workspaces([count]) for count in range(2, 13)]
    assert workspaces(range(2, 13)) <= 1.5 * max(apart) < sum(apart) / 2


def test_a_workspace_that_outgrows_its_area_moves_to_a_larger_one():
    _engine._pool(trim=True)
    for classes in (9 << 20, 18 << 20):  # sums in float64: 72 and 144 MiB, beyond what an area begins with
        nd.random.multinomial(nd.zeros(classes)).wait_to_read()
    nd.waitall()

    free = _engine._pool()
    nd.random.multinomial(nd.zeros(18 << 20)).wait_to_read()
    nd.waitall()
    # The thread that computes now holds such an area, or takes the free one of the thread before it.
    area = (18 << 20) * 8
    assert area <= free["cached"]
    assert free["cached"] - area <= _engine._pool()["cached"] <= free["cached"]


def test_workspaces_beyond_the_limit_are_given_back():
    limit = _engine._pool()["limit"]
    try:
        _engine._pool(limit=1)
        assert workspaces([4]) == 0
    finally:
        _engine._pool(limit=limit)
