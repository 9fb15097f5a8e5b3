"""Passes and memory plans: whatever a graph goes through, its results are those of plain evaluation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from symbol_graphs import graphs, mlp

import mxcy as mx
from mxcy import _array, ops
from mxcy.errors import ArgumentError, ShapeError
from mxcy.executor import options
from mxcy.executor.options import PLAIN, Options
from mxcy.graph import plan_memory as planner
from mxcy.graph import rejoin
from mxcy.graph.effects import in_order, sequence
from mxcy.graph.fuse import STEPS, Fused, fuse
from mxcy.graph.infer import infer_dtypes, infer_shapes
from mxcy.graph.ir import Entry, Graph, Node, variable
from mxcy.graph.pack import ALIGNMENT, pack
from mxcy.graph.plan_memory import STRATEGIES, colours, plan_memory
from mxcy.graph.simplify import simplify
from mxcy.kernels import philox

sym, nd = mx.sym, mx.nd
COMBINATIONS = (
    [
        Options(strategy, simplifies, fuses, paths)
        for strategy in STRATEGIES
        for simplifies, fuses in ((False, False), (True, False), (False, True), (True, True))
        for paths in (1, 3)
    ]
    + [Options(strategy, mirror=True) for strategy in STRATEGIES]
    + [Options("both", fuse=fuses, budget=budget) for fuses in (False, True) for budget in (1, 500)]
)


@pytest.fixture(autouse=True)
def fresh_names():
    with mx.name.NameManager():
        yield


def node(op, *inputs, name="n", **attrs):
    op = ops.lookup(op)
    return Entry(Node(op, name, op.parse_attrs(attrs), inputs), 0)


def facts(graph, **shapes):
    known = {n: shapes.get(n.name, (2, 3)) for n in graph.variables}
    return infer_shapes(graph, known), infer_dtypes(graph, {n: np.dtype("float32") for n in known})


def bound(net, option, monkeypatch, shape=(3, 4), dtype="float32", req="write"):
    monkeypatch.setattr(options, "DEFAULT", option)
    names = net.list_arguments()
    executor = net.simple_bind(
        mx.cpu(), grad_req=req, type_dict=dict.fromkeys(names, dtype), **dict.fromkeys(names, shape)
    )
    rng = np.random.default_rng(3)
    for array in executor.arg_arrays:
        array[:] = rng.normal(size=array.shape)
    return executor


def results(executor, train=True, repeat=1):
    """Outputs and gradients as bytes, after several runs."""
    rng = np.random.default_rng(4)
    for _ in range(repeat):
        executor.forward(is_train=train)
        heads = [nd.array(rng.normal(size=o.shape), dtype=o.dtype) for o in executor.outputs]
        executor.backward(heads)
    return [a.asnumpy().tobytes() for a in (*executor.outputs, *executor.grad_arrays) if a is not None]


# --- any combination -------------------------------------------------------------------------------------


@st.composite
def networks(draw):
    """Random graphs with products, reshapes, transposes, casts, reductions and random numbers."""
    made = [sym.Variable(f"x{i}") for i in range(3)]
    for _ in range(draw(st.integers(1, 14))):
        pick = st.integers(0, len(made) - 1).map(made.__getitem__)
        a, b = draw(pick), draw(pick)
        makers = [
            lambda a, b: sym.tanh(a), lambda a, b: sym.relu(a), lambda a, b: a * 1,
            lambda a, b: (a * -1) * -1,
            lambda a, b: a + b, lambda a, b: a * b - a, lambda a, b: a > b, lambda a, b: sym.identity(a),
            lambda a, b: sym.transpose(sym.transpose(a)),
            lambda a, b: sym.dot(a, sym.dot(b, a, transpose_a=True)),
            lambda a, b: sym.Reshape(sym.Reshape(a, shape=(-1,)), shape=(4, 4)) + b,
            lambda a, b: sym.broadcast_add(a, sym.sum(b, axis=0, keepdims=True)),
            lambda a, b: sym.Cast(sym.Cast(a, dtype="float64"), dtype="float32"),
            lambda a, b: sym.softmax(a), lambda a, b: sym.BlockGrad(a) + sym.add_n(a, b, a),
            lambda a, b: sym.Concat(*sym.SliceChannel(a, num_outputs=2, axis=1), dim=1),
            lambda a, b: sym.exp(a * 0.1, attr={"force_mirroring": "True"}) * b,
            lambda a, b: sym.Dropout(sym.tanh(a), p=0.3),
        ]  # fmt: skip
        made.append(draw(st.sampled_from(makers))(a, b))
    heads = [sym.tanh(draw(st.sampled_from(made))) for _ in range(draw(st.integers(1, 3)))]
    return sym.Group(heads)


@given(
    networks(),
    st.sampled_from(COMBINATIONS),
    st.sampled_from(["write", "add"]),
    st.sampled_from([1, 64, planner.LARGE]),
)
def test_every_combination_equals_plain_evaluation(net, option, req, large):
    with pytest.MonkeyPatch.context() as patch, mx.name.NameManager(), np.errstate(all="ignore"):
        patch.setattr(planner, "LARGE", large)  # so that small results are laid at offsets as well
        patch.setattr(rejoin, "LEAST", large)  # and joined again
        plain = bound(net, PLAIN, patch, (4, 4), req=req)
        planned = bound(net, option, patch, (4, 4), req=req)

        mx.random.seed(8)
        expected = results(plain, repeat=2)
        mx.random.seed(8)
        assert results(planned, repeat=2) == expected
        if option.strategy in ("coshare", "both"):  # what is computed again has memory of its own in others
            assert planned._program.nbytes <= plain._program.nbytes
        plan = planned._program.plan
        assert plan.largest_live <= plan.total <= plan.unplanned


@given(graphs(), st.sampled_from(["float16", "float64", "bfloat16", "float32"]))
def test_fusion_is_exact_for_every_dtype(net, dtype):
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        plain = bound(net, PLAIN, patch, dtype=dtype)
        fused = bound(net, Options(), patch, dtype=dtype)

        assert results(fused) == results(plain)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int64"])
def test_fusion_is_exact_for_integers(dtype, monkeypatch):
    x, y = sym.Variable("x0"), sym.Variable("x1")
    net = sym.abs(x * 3 - y) + (x > y) * 2 + sym.maximum(x, y)
    values = {
        name: nd.array(np.arange(12).reshape(3, 4) * k, dtype=dtype) for name, k in (("x0", 1), ("x1", 5))
    }
    found = []
    for option in (PLAIN, Options()):
        monkeypatch.setattr(options, "DEFAULT", option)
        found.append(net.bind(mx.cpu(), values, grad_req="null").forward()[0].asnumpy().tobytes())

    assert found[0] == found[1]


# --- simplify --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "left"),
    [
        (lambda x: node("_mul_scalar", x, scalar=1.0), 0),
        (lambda x: node("_minus_scalar", x, scalar=0.0), 0),
        (lambda x: node("_plus_scalar", x, scalar=0.0), 1),  # -0 + 0 is 0
        (lambda x: node("_mul_scalar", x, scalar=0.0), 1),
        (lambda x: node("_mul_scalar", node("_mul_scalar", x, scalar=-1), scalar=-1), 0),
        (lambda x: node("transpose", node("transpose", x)), 0),
        (lambda x: node("SwapAxis", node("transpose", x, axes=(1, 0)), dim1=0, dim2=1), 0),
        (lambda x: node("transpose", x), 1),
        (lambda x: node("Reshape", node("Reshape", x, shape=(6,)), shape=(2, 3)), 0),
        (lambda x: node("Cast", node("Cast", x, dtype="float64"), dtype="float32"), 0),
        (lambda x: node("Cast", node("Cast", x, dtype="float16"), dtype="float32"), 2),
        (lambda x: node("elemwise_add", node("exp", x, name="a"), node("exp", x, name="b")), 2),
    ],
)
def test_simplify_leaves_out_what_changes_nothing(make, left):
    graph = Graph([make(variable("x"))])
    new, moved = simplify(graph, *facts(graph))

    assert sum(n.op is not None for n in new.nodes) == left
    assert moved[graph.heads[0]] == new.heads[0]


def test_simplify_keeps_draws_apart_and_in_order():
    x = variable("x")
    first, second = node("Dropout", x, name="first"), node("Dropout", x, name="second")
    graph = Graph([node("elemwise_add", second, first)])
    new, _ = simplify(graph, *facts(graph))

    assert len(sequence(new)) == 2
    order = in_order(new.heads, [first.node, second.node])
    assert order.index(first.node) < order.index(second.node)


def test_random_numbers_do_not_depend_on_the_passes(monkeypatch):
    x = sym.Variable("x0")
    net = sym.Dropout(sym.exp(sym.Dropout(x * 1)) + sym.Dropout(sym.tanh(x)) * 2)
    found = []
    for option in (PLAIN, Options()):
        executor = bound(net, option, monkeypatch, (20, 20))
        mx.random.seed(5)
        found.append(results(executor))

    assert found[0] == found[1]


def test_draws_whose_result_is_not_used_are_still_made(monkeypatch):
    x = sym.Variable("x0")
    net = sym.Dropout(x + sym.zeros_like(sym.Dropout(x)))
    found = []
    for option in (PLAIN, Options()):
        executor = bound(net, option, monkeypatch, (20, 20))
        mx.random.seed(5)
        found.append(results(executor))

    assert found[0] == found[1]


# --- fuse ------------------------------------------------------------------------------------------------


def members(graph):
    return [sorted(m.name for m in n.op.members) for n in graph.nodes if isinstance(n.op, Fused)]


def fused(graph, **shapes):
    return fuse(graph, *facts(graph, **shapes))[0]


def test_fuse_never_closes_a_circle():
    x, w = variable("x"), variable("w")
    a = node("tanh", x, name="a")
    through = node("dot", a, w, name="through")
    graph = fused(Graph([node("elemwise_add", a, through, name="b")]), x=(2, 2), w=(2, 2))

    assert members(graph) == []


def test_fuse_takes_in_what_only_later_nodes_read():
    x, w = variable("x"), variable("w")
    early, product = node("exp", x, name="early"), node("dot", x, w, name="product")
    graph = fused(Graph([node("elemwise_add", product, early, name="sum")]), x=(2, 2), w=(2, 2))

    assert members(graph) == [["early", "sum"]]


def test_fuse_joins_one_shape_and_keeps_broadcast_operands_outside():
    x, row = variable("x"), variable("row")
    small = node("exp", row, name="small")
    graph = fused(Graph([node("tanh", node("broadcast_add", x, small, name="add"), name="t")]), row=(1, 3))

    assert members(graph) == [["add", "t"]]


def test_long_regions_are_cut():
    entry = variable("x")
    for number in range(3 * STEPS):
        entry = node("tanh", entry, name=f"n{number:03}")

    assert [len(names) for names in members(fused(Graph([entry])))] == [STEPS] * 3


# --- plan_memory -----------------------------------------------------------------------------------------


def chain(length, op="tanh"):
    entries = [variable("x")]
    for number in range(length):
        entries.append(node(op, entries[-1], name=f"n{number}"))
    return Graph(entries[-1:])


def planned(graph, strategy, paths=1, **shapes):
    return plan_memory(graph.nodes, *facts(graph, **shapes), keep=graph.heads, strategy=strategy, paths=paths)


@pytest.mark.parametrize(("strategy", "buffers"), [("none", 6), ("inplace", 2), ("coshare", 3), ("both", 2)])
def test_a_chain_needs_few_buffers(strategy, buffers):
    plan = planned(chain(6), strategy)

    assert len(plan.sizes) == buffers
    assert plan.total == 24 * buffers
    assert plan.unplanned == 24 * 6
    assert plan.table().splitlines()[-2] == f"{buffers} buffers: {24 * buffers} bytes"


def test_views_cost_nothing():
    x = variable("x")
    flat = node("Reshape", node("exp", x, name="e"), shape=(-1,), name="flat")
    plan = planned(Graph([node("tanh", flat, name="t")]), "none")

    assert [row.entry.name for row in plan.rows] == ["e_output", "t_output"]


spans = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 20), st.integers(0, 20)), max_size=40)


@given(spans)
def test_packed_results_never_touch(found):
    found = [(size, min(a, b), max(a, b)) for size, a, b in found]
    padded = [-(-size // ALIGNMENT) * ALIGNMENT for size, _, _ in found]
    live = [
        sum(n for n, (_, first, last) in zip(padded, found, strict=True) if first <= t <= last)
        for t in range(21)
    ]
    offsets, total = pack(found, max(live))

    assert max(live) <= total <= sum(padded)
    for i, (size, first, last) in enumerate(found):
        assert offsets[i] % ALIGNMENT == 0
        assert offsets[i] + size <= total
        for j, (other, since, until) in enumerate(found[:i]):
            apart = last < since or until < first or not size or not other
            assert apart or offsets[i] + size <= offsets[j] or offsets[j] + other <= offsets[i]


def test_large_results_of_many_sizes_need_little_more_than_their_live_set():
    """Each is half as large as the one before it, which it reads; whole buffers would be half empty."""
    x = entry = variable("x")
    for number in range(6):
        half = node("slice_axis", entry, axis=0, begin=0, end=2 ** (5 - number), name=f"half{number}")
        entry = node("softmax", half, name=f"s{number}")
    graph = Graph([node("sum", entry, name="total")])
    plan = planned(graph, "coshare", x=(64, 1 << 16))
    whole = max(row.nbytes for row in plan.rows)

    assert x.node.op is None
    assert plan.total <= 1.03 * plan.largest_live == 1.03 * (2 * whole)
    assert {row.offset > 0 for row in plan.rows} == {True, False}
    alone = [row.entry.name for row in plan.rows if plan.place(row.entry).alone]
    assert "half0_output" in alone
    assert "s0_output" not in alone


def test_gradients_are_computed_as_soon_as_they_can_be():
    """Backward goes through the layers once: the plan does not grow with their number."""
    totals = []
    for depth in (4, 8):
        net = sym.Variable("x")
        for number in range(depth):
            net = sym.FullyConnected(net, num_hidden=64, no_bias=True, name=f"fc{number}")
        plan = sym.MakeLoss(net).memory({"x": (2048, 64)}, train=True)
        totals.append(plan.total / (2048 * 64 * 4))

    assert totals == [pytest.approx(depth + 2, abs=0.1) for depth in (4, 8)]


def test_colours_keep_parallel_branches_apart():
    x = variable("x")
    left = right = x
    for number in range(4):
        left, right = node("softmax", left, name=f"l{number}"), node("softmax", right, name=f"r{number}")
    graph = Graph([node("elemwise_add", left, node("softmax", right, name="r4"), name="sum")])
    serial, parallel = planned(graph, "coshare"), planned(graph, "coshare", paths=2)
    found = colours([n for n in graph.nodes if n.op is not None], 2)

    assert {n.name for n, c in found.items() if c == 0} == {"r0", "r1", "r2", "r3", "r4", "sum"}
    side = [{row.buffer for row in parallel.rows if row.entry.name[0] == s} for s in "lr"]
    assert not side[0] & side[1]
    assert serial.total <= parallel.total <= serial.unplanned


@pytest.mark.parametrize("name", ["plan.svg", "plan.png"])
def test_a_plan_can_be_drawn(name, tmp_path):
    pytest.importorskip("matplotlib")
    mlp().memory({"data": (5, 7)}, train=True).picture(tmp_path / name)

    content = (tmp_path / name).read_bytes()
    assert b"fc2_output" in content if name == "plan.svg" else content.startswith(b"\x89PNG")


def test_unknown_strategies_are_refused():
    with pytest.raises(ArgumentError, match="expected none or inplace or coshare or both, got 'all'"):
        planned(chain(2), "all")
    with pytest.raises(ArgumentError, match="MXCY_MEMORY_PLAN"):
        options.read({"MXCY_MEMORY_PLAN": "all"})
    with pytest.raises(ArgumentError, match="MXCY_FUSION"):
        options.read({"MXCY_FUSION": "yes"})
    assert options.read({"MXCY_MEMORY_PLAN": "none", "MXCY_FUSION": "0"}) == Options("none", fuse=False)


# --- executors -------------------------------------------------------------------------------------------


def test_estimates_agree_with_executors(monkeypatch):
    for strategy in STRATEGIES:
        for fusion in (False, True):
            monkeypatch.setattr(options, "DEFAULT", Options(strategy, fuse=fusion, paths=1))
            executor = mlp().simple_bind(mx.cpu(), data=(5, 7))
            plan = mlp().memory({"data": (5, 7)}, train=True, strategy=strategy, fusion=fusion)

            assert plan.total == executor._program.nbytes
    assert mlp().memory({"data": (5, 7)}).total < plan.total
    with pytest.raises(ShapeError, match=r"memory\(shapes\): expected shapes from which all others follow"):
        mlp().memory({})
    with pytest.raises(ArgumentError, match="did you mean data"):
        mlp().memory({"dta": (5, 7)})


def test_backward_may_be_called_again(monkeypatch):
    x = sym.Variable("x0")
    net = sym.exp(sym.dot(sym.tanh(sym.dot(x, x)), x))
    executor = bound(net, Options("both"), monkeypatch, (4, 4))
    executor.forward(is_train=True)
    executor.backward(nd.ones((4, 4)))
    first = executor.grad_arrays[0].asnumpy()
    executor.backward(nd.ones((4, 4)))

    assert executor._program.consumes
    np.testing.assert_array_equal(executor.grad_arrays[0].asnumpy(), first)


def test_a_second_backward_reads_the_mask_of_the_last_forward(monkeypatch):
    x = sym.Variable("x0")
    net = sym.exp(sym.dot(sym.Dropout(sym.tanh(sym.dot(x, x))), x))
    executor = bound(net, Options("both"), monkeypatch, (4, 4))
    executor.forward(is_train=True)
    executor.backward(nd.ones((4, 4)))

    assert executor._program.consumes
    first = executor.grad_arrays[0].asnumpy()
    state = philox.get_state()
    executor.backward(nd.ones((4, 4)))

    assert np.array_equal(executor.grad_arrays[0].asnumpy(), first), "the same mask"
    assert philox.get_state() == state, "what comes next is drawn as if there had been one backward"


def test_monitors_see_every_node_and_outputs_stay(monkeypatch):
    x = sym.Variable("x0")
    executor = bound(sym.exp(sym.tanh(x * 2, name="t"), name="e"), Options(), monkeypatch)
    seen = []
    (output,) = executor.forward(is_train=True)
    expected = output.asnumpy()
    executor.set_monitor_callback(lambda name, value: seen.append(name))
    executor.forward(is_train=True)

    assert seen == ["_mulscalar0_output", "t_output", "e_output"]
    assert executor.outputs[0] is output
    np.testing.assert_array_equal(output.asnumpy(), expected)


def test_an_error_leaves_no_trace_in_shared_buffers(monkeypatch):
    """Results that are smaller than their buffer: the next run must still replace the error there."""
    x, index = sym.Variable("x0"), sym.Variable("x1")
    rows = sym.take(sym.exp(sym.dot(x, x)), index, mode="raise")
    net = sym.softmax(sym.sum(sym.dot(sym.softmax(rows), sym.slice_axis(x, axis=1, begin=0, end=2)), axis=0))
    net = sym.sum(
        sym.FullyConnected(
            sym.tanh(net), sym.slice_axis(x, axis=1, begin=0, end=2), no_bias=True, num_hidden=4
        )
    )
    executor = bound(net, Options("both", paths=1), monkeypatch, (4, 4), req="null")
    for _ in range(2):
        executor.arg_dict["x1"][:] = 9
        with pytest.raises(IndexError):
            executor.forward()[0].asnumpy()
        executor.arg_dict["x1"][:] = 1

        assert np.isfinite(executor.forward()[0].asnumpy()).all()
    plan = executor._program.plan
    assert any(row.nbytes < plan.sizes[row.buffer] for row in plan.rows)


def test_overlay_is_a_typed_view_of_a_buffer():
    buffer = nd.zeros((16,), dtype="uint8")
    view = _array.overlay(buffer, (3,), "float32")
    view[:] = 1

    assert type(view) is nd.NDArray
    assert buffer.asnumpy().view("float32").tolist() == [1, 1, 1, 0]
    assert _array.overlay(buffer, (0, 2), "int64").shape == (0, 2)
    with pytest.raises(ShapeError, match="at most 16 bytes"):
        _array.overlay(buffer, (5,), "float32")
