"""What libraries on top of MXNet import from its modules and extend."""

import importlib
import pickle
from multiprocessing.pool import ThreadPool

import pytest

import mxcy as mx
from mxcy import nd
from mxcy.gluon import block, loss, utils
from mxcy.gluon.data import BatchSampler, SequentialSampler, dataloader
from mxcy.gluon.model_zoo import model_store
from mxcy.image.image import _get_interp_method


def pickled(samples, batchify, dataset):
    assert dataset is None
    return pickle.dumps(batchify(samples))


def plain(samples, batchify, dataset):
    return batchify([dataset[i] for i in samples])


@pytest.mark.parametrize(("worker", "dataset"), [(pickled, None), (plain, range(10, 20))])
def test_batches_of_a_pool_come_in_order(worker, dataset):
    batches = BatchSampler(SequentialSampler(5), 2, "keep")
    with ThreadPool(2) as pool:
        found = dataloader._MultiWorkerIter(pool, nd.array, batches, worker_fn=worker, prefetch=2,
                                            dataset=dataset, pin_memory=True)  # fmt: skip
        values = [batch.asnumpy().tolist() for batch in found]

    first = 0 if dataset is None else 10
    assert len(found) == 3
    assert values == [[first, first + 1], [first + 2, first + 3], [first + 4]]


def test_arrays_in_lists_move_to_a_context():
    moved = dataloader._as_in_context([nd.ones(1), (nd.ones(2), "text")], mx.cpu(1))

    assert (moved[0].context, moved[1][0].context, moved[1][1]) == (mx.cpu(1), mx.cpu(1), "text")


def test_losses_that_people_write(monkeypatch):
    x = nd.array([[1, 2], [3, 4]])

    assert loss._reshape_like(nd, nd.ones(4), x).shape == (2, 2)
    assert loss._apply_weighting(nd, x, 2.0, nd.array([[1], [0]])).asnumpy().tolist() == [[2, 4], [0, 0]]
    assert loss._apply_weighting(nd, x) is x


def test_addresses_and_hashes_of_models(monkeypatch):
    monkeypatch.setenv("MXNET_GLUON_REPO", "http://a.example/repo")
    monkeypatch.setitem(model_store._model_sha1, "mine", "0123456789abcdef")

    assert utils._get_repo_file_url("models", "m.zip") == "http://a.example/repo/models/m.zip"
    assert model_store.short_hash("mine") == "01234567"
    with pytest.raises(ValueError, match="a model with a known hash"):
        model_store.short_hash("other")


def test_mixed_precision_is_off_unless_it_was_asked_for():
    from mxcy.contrib.amp import amp

    assert amp._amp_initialized is (amp._scaler is not None)


def test_scopes_of_names_belong_to_a_thread():
    class Named:
        prefix, _empty_prefix = "mine_", False

    with block._BlockScope(Named()):
        inner = mx.name.NameManager.current.get(None, "hello")
    prefix, params = block._BlockScope.create("main_", None, "hi")

    assert (inner, prefix, params.prefix) == ("mine_hello0", "main_", "main_")


def test_operators_of_arrays_declare_what_their_gradient_reads():
    assert mx.operator.NDArrayOp().declare_backward_dependency([0], [1, 2], [3]) == [0, 1, 2, 3]
    assert mx.operator.NDArrayOp(need_top_grad=False).declare_backward_dependency([0], [1], [3]) == [1, 3]


def test_interpolation_is_chosen_by_the_sizes():
    assert [
        _get_interp_method(9, (4, 4, 8, 8)),
        _get_interp_method(9, (8, 8, 4, 4)),
        _get_interp_method(1),
    ] == [2, 3, 1]


def test_modules_are_found_where_programs_import_them_from():
    from mxcy.contrib.ndarray import MultiBoxPrior
    from mxcy.contrib.symbol import box_nms

    from mxcy import metric
    from mxcy.base import NDArrayHandle

    assert (metric.ndarray, metric.registry) == (nd, mx.registry)
    assert MultiBoxPrior(nd.zeros((1, 3, 2, 2))).shape == (1, 4, 4)
    assert box_nms(mx.sym.Variable("x"), name="n").list_arguments() == ["x"]
    assert NDArrayHandle().value is None


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("contrib.onnx.onnx2mx.import_model", ["import_model", "get_model_metadata"]),
        ("contrib.onnx.onnx2mx.import_to_gluon", ["import_to_gluon"]),
        ("contrib.quantization", ["Context", "cpu", "quantize_model"]),
        ("error", ["MXNetError", "register"]),
        ("gluon.contrib.cnn.conv_layers", ["DeformableConvolution"]),
        ("gluon.nn.basic_layers", ["BatchNorm", "Dense"]),
        ("gluon.nn.conv_layers", ["MaxPool2D", "Conv2D"]),
        ("gluon.rnn.rnn_cell", ["SequentialRNNCell", "LSTMCell"]),
        ("image.detection", ["ImageDetIter"]),
        ("image.image", ["ImageIter", "imread"]),
        ("io.io", ["NDArrayIter", "DataBatch"]),
        ("kvstore.kvstore", ["KVStore"]),
        ("ndarray.gen_linalg", ["gemm2"]),
        ("ndarray.gen_op", ["FullyConnected"]),
        ("ndarray.ndarray", ["NDArray", "concatenate", "waitall"]),
        ("ndarray.numpy", ["abs", "zeros"]),
        ("ndarray.numpy.linalg", ["svd"]),
        ("ndarray.numpy.random", ["uniform"]),
        ("ndarray.utils", ["load", "save"]),
        ("ndarray_doc", ["NDArrayDoc"]),
        ("numpy.multiarray", ["ndarray", "array"]),
        ("numpy_extension.utils", ["load", "save"]),
        ("onnx.mx2onnx", ["export_model"]),
        ("operator", ["CustomOp", "NDArray", "NDArrayHandle", "collections", "context", "ctypes", "py_str",
                      "symbol", "traceback", "warnings"]),
        ("optimizer.optimizer", ["Optimizer", "SGD", "get_updater"]),
        ("rnn.rnn", ["save_rnn_checkpoint"]),
        ("rnn.rnn_cell", ["LSTMCell", "RNNParams"]),
        ("symbol.gen_contrib", ["MultiBoxPrior"]),
        ("symbol.symbol", ["Symbol", "arange"]),
        ("symbol_doc", ["SymbolDoc"]),
    ],
)  # fmt: skip
def test_star_imports_from_modules_of_mxnet(module, names):
    found = {}
    exec(f"from mxcy.{module} import *", found)

    assert [name for name in names if name not in found] == []


def test_modules_under_other_names_are_not_made_twice():
    symbols = importlib.import_module("mxcy.symbol.numpy.random")
    arrays = importlib.import_module("mxcy.ndarray.numpy.random")

    assert arrays.uniform is mx.np.random.uniform
    assert mx.numpy.__spec__.name == "mxcy.numpy"
    assert arrays is mx.np.random
    assert symbols.uniform(size=(2,)).list_outputs()
    assert importlib.import_module("mxcy.ndarray.gen_op") is mx.nd.op
    with pytest.raises(ImportError):
        importlib.import_module("mxcy.ndarray.numpy.no_such_module")


def test_shapes_of_outputs_by_name():
    x = mx.sym.Variable("x")

    assert mx.symbol_doc.SymbolDoc.get_output_shape(mx.sym.Flatten(x, name="f"), x=(2, 3, 4)) == {
        "f_output": (2, 12)
    }


def test_errors_of_programs_have_names():
    @mx.error.register
    class OwnError(mx.MXNetError):
        pass

    assert mx.error.register("Other", KeyError) is KeyError
    assert mx.error.ERRORS["OwnError"] is OwnError
    assert mx.error.ERRORS["ValueError"] is ValueError
    assert issubclass(mx.error.InternalError, mx.MXNetError)


def test_source_of_cuda_and_native_libraries_are_refused_at_the_call(tmp_path):
    library = tmp_path / "ops.so"
    library.write_bytes(b"")
    (tmp_path / "ops.txt").write_bytes(b"")
    cases = [(tmp_path / "none.so", "NOT exist"), (tmp_path / "ops.txt", "a library"), (library, "CustomOp")]
    for path, text in cases:
        with pytest.raises(mx.MXNetError, match=text):
            mx.library.load(str(path))
    with pytest.raises(mx.MXNetError, match="an absolute path"):
        mx.library.load("setup.py")
    with pytest.raises(mx.MXNetError, match=r"CudaModule\(source\): CUDA source is not compiled; write"):
        mx.rtc.CudaModule("extern __global__ void f() {}", exports=["f"])
    with pytest.raises(mx.MXNetError, match="not compiled"):
        mx.rtc.CudaKernel(None, "f", [], []).launch([], mx.cpu(), (1, 1, 1), (1, 1, 1))


def test_what_has_a_dtype_stands_for_it():
    x, y = nd.ones(2), nd.ones(2, dtype="int32")

    assert x.astype(y).dtype is nd.zeros(2, dtype=y).dtype is nd.cast(x, y).dtype is y.dtype
    assert x.astype(nd.zeros(1), copy=False) is x
    with pytest.raises(mx.MXNetError, match="expected a dtype"):
        x.astype(y.asnumpy())


def test_blocks_that_are_traced_may_be_given_numbers():
    class Scaled(mx.gluon.HybridBlock):
        def hybrid_forward(self, F, x, factor, more):
            return x * factor + more["shift"]

    class Net(mx.gluon.HybridBlock):
        def __init__(self):
            super().__init__()
            self.scaled = Scaled()

        def hybrid_forward(self, F, x):
            return self.scaled(x, 3, {"shift": 1})

    net = Net()
    net.hybridize()

    assert net(nd.ones(2)).asnumpy().tolist() == [4, 4]


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("mxcy.model", ["FeedForward", "_create_kvstore", "_initialize_kvstore", "_update_params"]),
        ("mxcy.gluon.rnn.rnn_layer", ["_RNNLayer", "LSTM"]),
        ("mxcy.gluon.nn.conv_layers", ["_Conv", "MaxPool2D"]),
    ],
)
def test_names_with_underscores_that_programs_import(module, names):
    found = importlib.import_module(module)

    assert [name for name in names if not hasattr(found, name)] == []
    assert not hasattr(found, "_no_such_name")


@pytest.mark.parametrize("store", [None, "local", "device"])
@pytest.mark.parametrize("on_store", ["0", "1"])
def test_loops_of_programs_update_parameters(monkeypatch, store, on_store):
    monkeypatch.setenv("MXNET_UPDATE_ON_KVSTORE", on_store)
    devices = [mx.cpu(0), mx.cpu(1)]
    weights = {"a": nd.ones(2), "b": nd.ones(3), "fixed": nd.ones(1)}
    copies = [[value.copyto(device) for device in devices] for value in weights.values()]
    gradients = [[nd.full(value.shape, k + 1, ctx=device) for k, device in enumerate(devices)]
                 for value in weights.values()]  # fmt: skip
    gradients[2] = [None, None]
    kv, updates = mx.model._create_kvstore(store, len(devices), weights)
    optimizer = mx.optimizer.SGD(learning_rate=0.5)
    if kv is not None:
        mx.model._initialize_kvstore(kv, copies, weights, list(weights), updates)
    if updates:
        kv.set_optimizer(optimizer)
        mx.model._update_params_on_kvstore(copies, gradients, kv, list(weights))
    else:
        updater = mx.optimizer.get_updater(optimizer)
        mx.model._update_params(copies, gradients, updater, len(devices), kv, list(weights))

    assert updates == (store is not None and on_store == "1")
    expected = [[0.5, 0.0]] * 2 if store is None else [[-0.5, -0.5]] * 2
    assert [[float(x.mean().asscalar()) for x in of] for of in copies] == [*expected, [1, 1]]


@pytest.mark.parametrize("kind", ["SGD", "Adam", "LBSGD"])
def test_an_optimizer_may_define_the_rate_of_one_parameter(kind):
    class Own(getattr(mx.optimizer, kind)):
        def _get_lr(self, index):
            return 0.0 if index == 0 else super()._get_lr(index)

        def _get_wd(self, index):
            return 0.0

    update = mx.optimizer.get_updater(Own(learning_rate=0.5))
    weights = [nd.ones(2), nd.ones(2)]
    update([0, 1], [nd.ones(2), nd.ones(2)], weights)

    assert weights[0].asnumpy().tolist() == [1, 1]
    assert (weights[1] < 1).asnumpy().all()


def test_parameters_of_deformable_convolutions_are_in_mxnets_order():
    from mxcy.gluon.contrib import cnn

    names = ["offset_weight", "offset_bias", "deformable_conv_weight", "deformable_conv_bias"]
    plain = cnn.DeformableConvolution(2, prefix="")
    modulated = cnn.ModulatedDeformableConvolution(2, prefix="")

    assert list(plain.collect_params()) == names
    assert list(modulated.collect_params()) == names[2:] + names[:2]


@pytest.mark.parametrize("count", [4, 4.0, mx.np.array([1, 3]).sum(), nd.array([4])])
@pytest.mark.parametrize(("kind", "expected"), [("adam", 0.0), ("sgd", 0.5)])
def test_the_size_of_a_batch_may_be_an_array_of_one_number(kind, expected, count):
    weight = mx.gluon.Parameter("weight", shape=(2,), init="ones")
    weight.initialize()
    with mx.autograd.record():
        loss = (weight.data() * 2).sum()
    loss.backward()
    mx.gluon.Trainer([weight], kind, {"learning_rate": 1.0}).step(count)

    assert weight.data().asnumpy().tolist() == pytest.approx([expected] * 2, abs=1e-5)


def test_defaults_of_a_thread_are_set_as_mxnets_programs_do():
    manager, scope, context = mx.name.NameManager._current, mx.AttrScope._current, mx.Context._default_ctx
    with mx.name.NameManager(), mx.AttrScope(), mx.Context(mx.current_context()):
        first = (mx.sym.Variable("a") + 1).name
        manager.value = mx.name.NameManager()
        scope.value = mx.AttrScope(ctx_group="2")
        context.value = mx.cpu(3)
        symbol = mx.sym.Variable("a") + 1

        assert symbol.name == first
        assert symbol.attr("ctx_group") == "2"
        assert mx.nd.ones(1).context == mx.current_context() == context.value == mx.cpu(3)
        assert manager.value is mx.name.NameManager.current
        assert scope.value is mx.AttrScope.current
    assert mx.current_context() == mx.cpu(0)
    assert mx.sym.Variable("a").attr("ctx_group") is None
