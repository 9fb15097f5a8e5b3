"""What MXNet's own tests ask for, each behaviour by itself."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import mxcy as mx
from mxcy import _engine, nd, sym
from mxcy.gluon import nn


def test_backward_takes_more_head_gradients_than_there_are_outputs():
    grad = nd.zeros(3)
    executor = (sym.Variable("a") * 2).bind(mx.cpu(), [nd.ones(3)], args_grad=[grad])
    executor.forward(is_train=True)
    executor.backward([nd.ones(3), nd.ones(5)])

    np.testing.assert_array_equal(grad.asnumpy(), [2, 2, 2])


def test_an_executor_for_other_shapes_keeps_the_monitor():
    seen = []
    net = sym.FullyConnected(sym.Variable("data"), num_hidden=2, name="fc")
    module = mx.mod.Module(net, label_names=None)
    module.bind(data_shapes=[("data", (2, 3))], for_training=False)
    module.init_params()
    module._exec_group.execs[0].set_monitor_callback(lambda name, value: seen.append((name, value.shape)))
    module.forward(mx.io.DataBatch([nd.ones((5, 3))]), is_train=False)
    mx.nd.waitall()

    assert seen == [("fc_output", (5, 2))]


@pytest.mark.parametrize(
    ("shape", "codes", "reverse", "result"),
    [
        ((2, 3, 5, 5), (0, -1), False, (2, 75)),
        ((64, 1, 2, 3), (-4, 16, -1, -2), False, (16, 4, 1, 2, 3)),
        ((1, 2, 3, 64), (-2, -1, 16, -4), True, (1, 2, 3, 4, 16)),
    ],
)
def test_one_extent_of_a_reshaped_array_follows_from_the_result(shape, codes, reverse, result):
    net = sym.elemwise_add(sym.Variable("x").reshape(codes, reverse=reverse), sym.ones(shape=result))
    for axis in range(len(shape)):
        known = (*shape[:axis], 0, *shape[axis + 1 :])

        assert net.infer_shape(x=known)[:2] == ([shape], [result])


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (lambda: sym.arange(0, None, infer_range=True) + sym.zeros(shape=(4,)), np.arange(4)),
        (lambda: sym.arange(3, step=2, repeat=2, infer_range=True) + sym.zeros(shape=(4,)), [3, 3, 5, 5]),
        (lambda: sym.ones(shape=(2, 3)) + sym.transpose(sym.ones(shape=(-1, -1))), np.full((2, 3), 2)),
        (lambda: sym.ones(shape=(2, -1)) + sym.transpose(sym.ones(shape=(3, -1))), np.full((2, 3), 2)),
    ],
    ids=["range", "repeated range", "-1", "-1 on both sides"],
)
def test_what_uses_a_new_array_decides_its_open_extents(net, expected):
    result = net().bind(mx.cpu(), args={}).forward()[0]

    np.testing.assert_array_equal(result.asnumpy(), expected)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int64"])
def test_ranges_of_integers_have_integer_steps(dtype):
    np.testing.assert_array_equal(
        nd.arange(1.3, 100.6, 1.3, dtype=dtype).asnumpy(), np.arange(1.3, 100.6, 1.3, dtype=dtype)
    )


@pytest.mark.parametrize(("axis", "expected"), [(0, (5, 0)), (1, (10, 0))])
def test_a_slice_of_an_unknown_extent_is_unknown(axis, expected):
    net = sym.slice_axis(sym.Variable("x", shape=(10, 0)), axis=axis, begin=0, end=5)

    assert net.infer_shape_partial()[1] == [expected]


class Table(mx.operator.CustomOp):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], nd.ones(self.shape) * 3)


@mx.operator.register("conformity_table")
class TableProp(mx.operator.CustomOpProp):
    def __init__(self, rows):
        super().__init__()
        self.rows = int(rows)

    def list_arguments(self):
        return []

    def infer_shape(self, in_shape):
        return [], [(self.rows, 2)], []

    def infer_type(self, in_type):
        return [], [np.float32], []

    def create_operator(self, ctx, shapes, dtypes):
        return Table((self.rows, 2))


def test_a_custom_operator_may_have_no_inputs():
    with mx.autograd.record():
        made = nd.Custom(rows=4, op_type="conformity_table")
    bound = sym.Custom(rows=4, op_type="conformity_table").bind(mx.cpu(), {})

    np.testing.assert_array_equal(made.asnumpy(), np.full((4, 2), 3))
    np.testing.assert_array_equal(bound.forward()[0].asnumpy(), np.full((4, 2), 3))


def test_a_custom_operator_asks_for_missing_inputs():
    with pytest.raises(mx.MXNetError, match="missing"):
        nd.Custom(rows=4)


@pytest.mark.parametrize("name", ["radians", "abs", "floor"])
def test_gradients_that_are_constants_can_be_differentiated(name):
    x = nd.array([1.5, 2])
    x.attach_grad()
    with mx.autograd.record():
        y = getattr(nd, name)(x)
        first = mx.autograd.grad(y, x, head_grads=nd.array([3, 4]), create_graph=True, retain_graph=True)[0]
    first.backward(nd.ones(2))

    np.testing.assert_array_equal(x.grad.asnumpy(), [0, 0])


def test_rows_are_pulled_into_lists_of_lists():
    store, wanted = mx.kv.create(), nd.array([1, 3], dtype="int64")
    store.init(["a", "b"], [nd.ones((4, 2)).tostype("row_sparse")] * 2)
    out = [[nd.zeros((4, 2), mx.cpu(i), stype="row_sparse") for i in range(2)] for _ in "ab"]
    store.row_sparse_pull(["a", "b"], out=out, row_ids=[[wanted] * 2] * 2)

    for x in [*out[0], *out[1]]:
        np.testing.assert_array_equal(x.asnumpy()[:, 0], [0, 1, 0, 1])


def dense(prefix=None):
    net = nn.HybridSequential(prefix=prefix)
    with net.name_scope():
        net.add(nn.Dense(4, activation="relu"), nn.Dense(2))
    return net


def test_hybridized_networks_are_compared_with_themselves():
    check = mx.test_utils.check_gluon_hybridize_consistency
    x = nd.random.normal(shape=(3, 5))
    check(dense, [x])
    check(lambda prefix: nn.HybridLambda("exp", prefix=prefix), [x], numpy_func=np.exp)

    with pytest.raises(AssertionError):
        check(lambda prefix: nn.HybridLambda("exp", prefix=prefix), [x], numpy_func=np.sin)


def test_decorated_functions_and_classes_run_with_the_switches():
    @mx.util.use_np
    class Seen:
        @property
        def switches(self):
            return self.of_a_method()

        def of_a_method(self):
            return mx.is_np_shape(), mx.util.is_np_array()

        @staticmethod
        def of_nothing():
            return mx.is_np_shape(), mx.util.is_np_array()

    @mx.use_np_shape
    def asked():
        """What is said."""
        return mx.is_np_shape(), mx.util.is_np_array()

    assert (asked.__name__, asked.__doc__) == ("asked", "What is said.")
    assert asked() == (True, False)
    assert Seen().switches == Seen().of_a_method() == Seen.of_nothing() == (True, True)
    assert not mx.is_np_shape()
    with pytest.raises(TypeError, match="a class or a function"):
        mx.use_np_shape(3)


def test_layers_defer_their_shapes_with_numpy_shapes_too():
    with mx.np_shape():
        net = nn.HybridSequential()
        net.add(nn.Conv2D(3, 2), nn.BatchNorm(), nn.Flatten(), nn.Dense(2))
        net.initialize()
        net.hybridize()

        assert net[0].weight.shape == (3, -1, 2, 2)
        assert net(nd.ones((2, 5, 4, 4))).shape == (2, 2)
        assert net[0].weight.shape == (3, 5, 2, 2)


def test_slices_know_whether_they_are_contiguous():
    shape, contiguous = (3, 4, 5), nd.NDArray._basic_indexing_slice_is_contiguous
    keys = (slice(None), slice(1, 3), slice(0, 1), slice(None, None, -1), slice(None, None, 9))
    for key in [(a, b, c) for a in keys for b in keys for c in keys]:
        assert contiguous(key, shape) == np.empty(shape)[key].flags.contiguous


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("base", "_as_list"),
        ("gluon.block", "_flatten _regroup HybridBlock SymbolBlock _BlockScope"),
        ("gluon.contrib.nn.basic_layers", "HybridConcurrent Identity PixelShuffle2D SyncBatchNorm"),
        ("io.io", "NDArrayIter _init_data"),
        ("kvstore.kvstore", "KVStore create"),
        ("ndarray.utils", "load save zeros"),
        ("util", "_NumpyArrayScope use_np"),
        ("ndarray.ndarray", "_DTYPE_NP_TO_MX _GRAD_REQ_MAP _STORAGE_TYPE_STR_TO_ID array py_slice"),
        ("test_utils", "OrderedDict logging np npt os rnd sys use_np"),
    ],
)
def test_modules_have_what_test_files_import(module, names):
    found = __import__(f"mxcy.{module}", fromlist=names.split())

    assert all(hasattr(found, name) for name in names.split())


def test_the_gradient_of_relu_shows_what_is_not_a_number():
    x = nd.array([np.nan, -1, 2, 0])
    x.attach_grad()
    with mx.autograd.record():
        y = nd.relu(x)
    y.backward()

    np.testing.assert_array_equal(x.grad.asnumpy(), [np.nan, 0, 1, 0])


def test_the_store_for_tests_adds_up_and_keeps_nothing():
    store = mx.kv.create("teststore")
    a, b, out = nd.ones(3), nd.ones(3) * 2, nd.zeros(3)

    assert (store.type, store.rank, store.num_workers) == ("teststore", 0, 1)
    assert not store.is_capable(mx.kv.KVStoreBase.OPTIMIZER)
    with pytest.raises(mx.MXNetError, match="capability"):
        store.is_capable("flying")

    store.broadcast("w", b, out=[out, a])
    np.testing.assert_array_equal(a.asnumpy(), out.asnumpy())
    store.pushpull("w", [a, b], out=out)
    np.testing.assert_array_equal(out.asnumpy(), [4, 4, 4])
    store.pushpull("w", [a, b])
    np.testing.assert_array_equal([a.asnumpy(), b.asnumpy()], np.full((2, 3), 4))


def test_data_of_iterators_becomes_named_arrays():
    init = mx.io.utils._init_data

    assert [name for name, _ in init(np.ones(2), False, "data")] == ["data"]
    assert [name for name, _ in init([np.ones(2), nd.ones(3)], False, "data")] == ["_0_data", "_1_data"]
    assert [name for name, _ in init({"b": np.ones(2), "a": nd.ones(3)}, False, "data")] == ["a", "b"]
    assert init(None, True, "data") == []
    with pytest.raises(AssertionError, match="at least one array"):
        init([], False, "data")


def test_shapes_are_known_by_the_switch_of_shapes():
    known = mx.gluon.utils.shape_is_known

    assert [known(shape) for shape in (None, (), (2, 0), (2, 3))] == [False, False, False, True]
    with pytest.raises(AssertionError, match="extents"):
        known((2, -1))
    with mx.np_shape():
        assert [known(shape) for shape in (None, (), (2, 0), (2, -1))] == [False, True, True, False]


def test_pictures_of_repeated_names_warn():
    pytest.importorskip("graphviz")
    x = mx.sym.var("x")
    out = mx.sym.FullyConnected(mx.sym.FullyConnected(x, num_hidden=2, name="fc"), num_hidden=2, name="fc")

    with pytest.warns(RuntimeWarning, match="multiple variables with the same name in your graph.*fc"):
        mx.viz.plot_network(out)


def test_a_number_is_the_shape_of_a_vector():
    assert mx.sym.var("x", shape=5).infer_shape()[0] == [(5,)]
    with pytest.warns(UserWarning, match="infer_shape_partial"):
        assert mx.sym.var("x", shape=0).infer_shape() == (None, None, None)


def test_older_training_loops_spread_batches():
    manager = mx.executor_manager
    batch = mx.io.DataBatch([nd.arange(10).reshape((5, 2))], [nd.arange(5)])
    halves, whole = [nd.zeros((2, 2)), nd.zeros((3, 2), mx.cpu(1))], nd.zeros(5)
    # by the real MXNet 1.9.1
    parts = {
        (5, (1, 1)): [(0, 2), (2, 5)],
        (10, (1, 2)): [(0, 3), (3, 10)],
        (7, (1, 1, 1, 1)): [(0, 2), (2, 4), (4, 6), (6, 7)],
        (9, (0.5, 1.5)): [(0, 2), (2, 9)],
    }

    for (size, loads), expected in parts.items():
        assert manager._split_input_slice(size, loads) == [slice(*ends) for ends in expected]
    with pytest.raises(ValueError, match="3 devices"):
        manager._split_input_slice(2, [1, 1, 1])
    manager._load_data(batch, [list(zip(manager._split_input_slice(5, [1, 1]), halves, strict=True))])
    manager._load_label(batch, [whole])
    np.testing.assert_array_equal(halves[1].asnumpy(), [[4, 5], [6, 7], [8, 9]])
    np.testing.assert_array_equal(whole.asnumpy(), range(5))
    x = mx.sym.var("x")
    manager._check_arguments(mx.sym.FullyConnected(x, num_hidden=2))
    with pytest.raises(ValueError, match="several called x"):
        manager._check_arguments(mx.sym.FullyConnected(x, mx.sym.var("x"), num_hidden=2))


@pytest.mark.parametrize(
    ("compute", "shape"),
    [
        (lambda: nd.ones(()), ()),
        (lambda: nd.exp(nd.full((), 2)), ()),
        (lambda: nd.array([1, 2])[0], ()),
        (lambda: nd.ones(()) + nd.ones(3), (3,)),
        (lambda: nd.ones(1).reshape(()), ()),
        (lambda: nd.take(nd.ones(3), nd.ones(())), ()),
        (lambda: nd.stack(nd.ones(()), nd.ones(())), (2,)),
        (lambda: nd.ones(()).expand_dims(0), (1,)),
        (lambda: nd.random.uniform(shape=()), ()),
        (lambda: mx.test_utils.rand_ndarray(()).as_np_ndarray(), ()),
        (lambda: (sym.Variable("x") * 2).bind(mx.cpu(), [nd.ones(())]).forward()[0], ()),
    ],
)
def test_arrays_may_have_no_axes_with_numpy_shapes(compute, shape):
    with mx.np_shape():
        assert compute().shape == shape


def test_arrays_without_axes_are_written_and_differentiated():
    with mx.np_shape():
        x = nd.ones(())
        x[:] = 3
        x.attach_grad()
        with mx.autograd.record():
            y = x * x
        y.backward()

        assert (float(x.asnumpy()), x.grad.shape, float(x.grad.asnumpy())) == (3, (), 6)
        assert (sym.Variable("x") * 2).infer_shape(x=()) == ([()], [()], [])
    assert nd.full((), 1).shape == (1,)


def test_numpy_shapes_of_all_threads():
    def asked():
        return ThreadPoolExecutor(1).submit(mx.is_np_shape).result()

    mx.util.set_np_shape(2)
    try:
        assert asked()
    finally:
        mx.util.set_np_shape(0)
    assert not asked()


def test_blocks_are_optimised_for_any_backend(tmp_path, caplog):
    net = nn.HybridSequential()
    net.add(nn.Dense(3), nn.BatchNorm())
    net.initialize()
    x = nd.ones((2, 4))
    net.optimize_for(x, backend="MKLDNN")

    assert "no backend 'MKLDNN'" in caplog.text
    assert net.export(str(tmp_path / "net"))[0].endswith("-symbol.json")
    assert net(x).shape == (2, 3)
    net.hybridize(backend="another")
    assert net(x).shape == (2, 3)
    with pytest.raises(ValueError, match="backend"):
        net.optimize_for(x)


@pytest.mark.parametrize("name", ["_maximum", "_minimum", "_hypot"])
@pytest.mark.parametrize("stype", ["csr", "row_sparse"])
def test_pairs_of_one_storage_keep_it(name, stype):
    a, b = [mx.test_utils.rand_ndarray((6, 4), stype, density=0.4) for _ in "ab"]
    found = getattr(nd._internal, name)(a, b)
    net = getattr(sym._internal, name)(sym.Variable("a", stype=stype), sym.Variable("b", stype=stype))
    bound = net.bind(mx.cpu(), [a, b]).forward()[0]
    numpy_function = {"_maximum": np.maximum, "_minimum": np.minimum, "_hypot": np.hypot}[name]

    assert found.stype == bound.stype == stype
    np.testing.assert_allclose(found.asnumpy(), numpy_function(a.asnumpy(), b.asnumpy()), rtol=1e-6)
    np.testing.assert_array_equal(bound.asnumpy(), found.asnumpy())


def test_tests_are_repeated_at_least_once():
    with pytest.raises(AssertionError, match="at least 1"):
        mx.test_utils.retry(0)


@pytest.mark.parametrize("index", [[5], [-1]])
def test_values_that_a_graph_refuses_are_told_where_its_results_are_read(index):
    net = sym.take(sym.Variable("a"), sym.BlockGrad(sym.Variable("i")), mode="raise")
    executor = net.simple_bind(mx.cpu(), a=(3,), i=(1,))
    executor.arg_dict["i"][:] = index
    executor.forward(is_train=True)
    with pytest.raises(mx.MXNetError, match="out of bounds"):
        executor.outputs[0].asnumpy()

    mx.nd.waitall()  # it was told
    executor.forward(is_train=True)
    if _engine.engine() == "threaded":  # the serial twin tells at the read only
        with pytest.raises(mx.MXNetError, match="out of bounds"):
            mx.nd.waitall()
    mx.nd.waitall()

    executor.arg_dict["i"][:] = 2
    executor.forward(is_train=True)
    executor.backward([nd.ones(1)])
    np.testing.assert_array_equal(executor.grad_dict["a"].asnumpy(), [0, 0, 1])


def test_slices_without_steps():
    x = nd.array(np.arange(24).reshape(2, 3, 4))
    graph = sym.slice(sym.Variable("x"), begin=(0, 1), end=(1, 3), step=None, name="part")

    part = nd.slice(x, begin=(0, 1), end=(1, 3), step=None)
    np.testing.assert_array_equal(part.asnumpy(), x[:1, 1:].asnumpy())
    assert graph.attr_dict()["part"] == {"begin": "(0, 1)", "end": "(1, 3)", "step": "None"}
    assert sym.load_json(graph.tojson()).infer_shape(x=(2, 3, 4))[1] == [(1, 2, 4)]
