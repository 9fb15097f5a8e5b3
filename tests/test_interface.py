"""The names, signatures and defaults of MXNet 1.9.1 are there, or a reason why they are not."""

import re

import interface
import pytest

import mxcy as mx

# Differences from the real interface that stay, or that are to come: patterns of paths, and why.
REASONS = (
    (r"(^|\.)(check_call|c_array|c_array_buf|c_handle_array|c_str|c_str_array|ctypes2\w+|MXCallbackList)$",
     "MXNet's C interface"),
    (r"(^|\.)(DL\w+|NDArrayBase|SymbolBase|c2pyerror|get_last_ffi_error|mx_float_p|c_int_p|register_error)$",
     "MXNet's C interface"),
    (r"^base\.(libinfo|data_dir_default|add_fileline_to_docstring|build_param_doc)$", "MXNet's C interface"),
    (r"(^|\.)(profiler_kvstore_handle|set_kvstore_handle)$", "MXNet's C interface"),
    (r"Executor\.__init__$", "MXNet's C interface"),
    (r"(^|\.)(classproperty|with_metaclass|gen_\w+|register|indexing_key_\w+|get_indexing_dispatch_code)$",
     "helpers of MXNet's own code"),
    (r"(^|\.)(check_boolean_array_dimension|get_oshape_of_gather_nd_op|symbol_doc|ndarray_doc|tvmop|api)$",
     "helpers of MXNet's own code"),
    (r"dataloader\.(ConnectionWrapper|\w*Queue|\w+_v1|DataLoaderV1|rebuild\w+|reduce\w+|context|set_np)$",
     "helpers of MXNet's own code"),
    (r"PearsonCorrelation\.\w+$|SequentialRNNCell.hybrid_forward|Features.instance|NDabs|NDnorm",
     "helpers of MXNet's own code"),
    (r"(^|\.)(np|npx|numpy|np_\w+|numpy_\w+|is_np_\w+|set_np\w*|reset_np|use_np\w*|wrap_np\w+)$",
     "mx.np: to come"),
    (r"as_np_ndarray$", "mx.np: to come"),
    (r"[sS]parse|tostype|csr|LibSVM|dgl_|edge_id|getnnz|cast_storage|KLSparse",
     "operators on graphs of nodes and edges, and MXNet's own dispatch: not planned"),
    (r"[qQ]uantiz\w*|calibrate", "quantize_asym, quantized_rnn: the real one ends the process there"),
    (r"^(onnx|contrib\.(onnx|tensorboard|text))", "bridges to other formats: to come"),
    (r"^(th|torch|notebook)$", "refused, and the error says what to use"),
    (r"(^|\.)cv2$", "OpenCV is imported when it is needed"),
    (r"^ndarray\.(ndarray\.)?imdecode$", "fails in MXNet 1.9.1 itself: mx.image.imdecode"),
    (r"vision\.datasets\.(MNIST|FashionMNIST|CIFAR\d+)\.__init__$",
     "the usual folder is looked up when it is called"),
    (r"MXDataIter\.__init__$", "MXNet's C interface"),
    (r"vision\.datasets\.(check_sha1|download|dataset)$|\.recordio$|^io\.utils|\.spsp$",
     "imported there from elsewhere"),
    (r"^test_utils\.(get_cuda\w+|ss|np_symbol|use_np)$", "imported there from elsewhere"),
    (r"^(gluon\.)?contrib\.", "module paths; extents may be one number for all axes"),
    (r"^gluon\.model_zoo", "weights are read from local files, contexts are those of the thread"),
    (r"^(ndarray|symbol)\.(contrib|op\.)|\.(amp_multicast|reset_arrays)$",
     "gradients and states as operators"),
    (r"^kvstore|\.KVStore$|DataParallelExecutor|executor_manager", "distributed training: to come"),
    (r"^rnn\.", "convolutional cells of mx.rnn: to come"),
    (r"^error|NotSupportedForSparse", "helpers of MXNet's own code"),
    (r"^optimizer\.optimizer\.multi", "to come"),
    (r"Module\.__init__$", "None, the default, is the context of the thread"),
    (r"BaseModule\.\w+$", "a module of its own need not have them before it is bound"),
    (r"^symbol\.(symbol\.)?(maximum|minimum|hypot)$", "operands may be named lhs and rhs too"),
    (r"^ndarray\.(ravel_multi_index|unravel_index|broadcast_to)$", "MXNet's default is refused when it runs"),
)  # fmt: skip

# Modules, classes and functions that a module of MXNet imports for itself.
IMPORTED = {
    "AttrScope", "Context", "DataBatch", "DataDesc", "DataIter", "DeferredInitializationError", "Executor",
    "Features", "HookHandle", "HybridBlock", "LogValidationMetricsCallback", "MXNetError", "NDArray",
    "SKLEARN_INSTALLED", "Symbol", "Uniform", "base", "clip", "context", "contrib", "cpu", "ctx",
    "current_context", "get_cuda_compute_capability", "get_updater", "init",
    "initializer", "integer_types", "io", "kvs", "load_checkpoint", "load_json", "mean", "metric",
    "name", "nd", "ndarray", "normal", "numeric_types", "op", "opt", "pi", "py_str", "registry",
    "save_checkpoint", "sqrt", "square", "string_types", "symbol", "tensor_types", "uniform", "zeros",
}  # fmt: skip


def reason(path, text):
    last = path.rpartition(".")[2]
    if text == "missing" and last in IMPORTED and "." in path:
        return "imported there from elsewhere"
    return next((why for pattern, why in REASONS if re.search(pattern, path)), None)


def test_every_difference_from_the_real_interface_has_a_reason():
    found = [f"{path}: {text}" for path, text in interface.differences() if reason(path, text) is None]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("ndarray.ndarray", "array"), ("ndarray.ndarray", "waitall"), ("symbol.symbol", "zeros"),
        ("optimizer.optimizer", "SGD"), ("optimizer.optimizer", "sgd_update"),
        ("gluon.nn.basic_layers", "BatchNorm"),
        ("gluon.nn.conv_layers", "MaxPool2D"), ("gluon.rnn.rnn_cell", "ZoneoutCell"), ("autograd", "NDArray"),
    ],
)  # fmt: skip
def test_modules_have_the_names_that_programs_import_from_them(path, name):
    module = interface.module_of(f"mxnet.{path}")

    assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = module.no_such_name


def test_refused_modules_say_what_to_use():
    with pytest.raises(AttributeError, match="DLPack"):
        _ = mx.th


def test_the_version_is_that_of_the_interface():
    assert (mx.__version__, mx.libinfo.__version__) == ("1.9.1", "1.9.1")
    assert mx.libinfo.find_lib_path()


def test_comparing_finds_what_differs():
    differences = list(interface.compare("f", "(a, b=2, *c, **d)", lambda a, b=3: None))
    differences += interface.compare("g", "(a, b)", lambda b, a: None)
    differences += interface.compare("h", "(a, shape=(1, 2))", lambda b, shape=(1, 2): None)
    differences += interface.compare("topk", {"k": "1", "axis": "0", "ties": "1"}, mx.nd.topk)

    assert differences == [
        ("f", "b=3, not 2"), ("g", "b is elsewhere"), ("h", "no argument a"),
        ("topk", "axis=-1.0, not 0.0"), ("topk", "no argument ties"),
    ]  # fmt: skip


def test_cached_op_is_a_symbol_as_a_function_of_arrays():
    x, w = mx.sym.Variable("x"), mx.sym.Variable("w")
    product = mx.nd.CachedOp(mx.sym.dot(x, w) + 1)
    a, b = mx.nd.array([[1, 2]]), mx.nd.array([[3], [4]])
    out = mx.nd.zeros((1, 1))

    assert product(a, b).asscalar() == 12
    assert product(a, b, out=out) is out
    b[:] = 1
    b.attach_grad()
    with mx.autograd.record():
        y = product(a * 2, b)
    y.backward()
    assert (out.asscalar(), y.asscalar(), b.grad.asnumpy().tolist()) == (12, 7, [[2], [4]])
    with pytest.raises(mx.MXNetError, match="expected 2 arrays: x, w, got 1"):
        product(a)
    with pytest.raises(TypeError, match="expected NDArrays, got int"):
        product(a, 3)


def test_scopes_of_names_and_attributes_can_be_replaced():
    names, scope = mx.name.NameManager.current, mx.AttrScope.current
    try:
        mx.name.NameManager.current = mx.name.Prefix("p_")
        mx.AttrScope.current = mx.AttrScope(__mood__="calm")
        y = mx.sym.exp(mx.sym.Variable("x"))
    finally:
        mx.name.NameManager.current, mx.AttrScope.current = names, scope

    assert (y.name, y.attr("__mood__")) == ("p_exp0", "calm")


def test_operands_have_the_names_of_either_front_end():
    x = mx.sym.Variable("x")
    results = mx.sym.Group([mx.sym.maximum(left=x, right=2), mx.sym.pow(base=x, exp=2)]).eval(
        x=mx.nd.array([3])
    )

    assert [y.asscalar() for y in results] == [3, 9]
    assert mx.nd.power(base=mx.nd.array([3]), exp=2).asscalar() == 9
    assert mx.nd.maximum(lhs=mx.nd.array([3]), rhs=4).asscalar() == 4


def test_custom_operators_infer_storage_types():
    prop = mx.operator.CustomOpProp()

    assert prop.infer_storage_type(["default", "default"]) == (["default"] * 2, ["default"], [])
    assert prop.infer_storage_type_backward(["default"], ["default"], ["default"], ["undefined"], []) == (
        ["default"], ["default"], ["default"], ["default"], [],
    )  # fmt: skip
    with pytest.raises(AssertionError, match="expected 'default', got csr"):
        prop.infer_storage_type(["csr"])


@pytest.mark.parametrize(
    "call",
    [
        lambda: mx.sym.Variable("x").list_attr(recursive=True),
        lambda: mx.optimizer.create("sgd").set_lr_scale({}),
    ],
)
def test_what_mxnet_has_deprecated_is_refused_as_there(call):
    with pytest.raises(DeprecationWarning):
        call()
