"""Networks as files of ONNX: written, run by its runtime, read again; and what is refused."""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx_rows import ours, theirs

import mxcy as mx
from mxcy.gluon.model_zoo import vision

onnxruntime.set_default_logger_severity(3)

ZOO = {"alexnet": 64, "vgg11_bn": 32, "resnet18_v1": 32, "resnet18_v2": 32, "inception_v3": 299,
       "mobilenet0_25": 32, "mobilenet_v2_0_25": 32, "squeezenet1_1": 224, "densenet121": 224}  # fmt: skip


def network(net, x, prefix):
    """Write a network of Gluon as MXNet does; return the paths of its files and its result."""
    net.initialize(mx.init.Xavier())
    net.hybridize()
    y = net(x)
    net.export(prefix)
    return f"{prefix}-symbol.json", f"{prefix}-0000.params", y.asnumpy()


LARGE = {"alexnet", "vgg11_bn", "inception_v3", "densenet121"}
NETWORKS = [pytest.param(name, marks=[pytest.mark.full] if name in LARGE else []) for name in ZOO]


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_the_zoo_run_in_the_runtime_and_come_back(name, tmp_path):
    mx.random.seed(1)
    size = ZOO[name]
    x = mx.nd.random.uniform(-1, 1, shape=(2, 3, size, size))
    symbol, params, y = network(getattr(vision, name)(classes=10), x, str(tmp_path / "net"))
    path = str(tmp_path / "net.onnx")
    one = (1, 3, size, size)
    mx.onnx.export_model(symbol, params, [one], np.float32, path, dynamic=True,
                         dynamic_input_shapes=[(None, *one[1:])])  # fmt: skip

    found = theirs(path, {"data": x.asnumpy()})[0]
    block = mx.contrib.onnx.import_to_gluon(path, mx.cpu())
    scale = abs(y).max()
    assert abs(found - y).max() < 1e-4 * scale
    assert abs(block(x).asnumpy() - y).max() < 1e-4 * scale


def test_a_network_of_recurrent_layers_takes_batches_of_other_sizes(tmp_path):
    class Tagger(mx.gluon.HybridBlock):
        def __init__(self):
            super().__init__()
            with self.name_scope():
                self.embedding = mx.gluon.nn.Embedding(20, 6)
                self.cell = mx.gluon.rnn.GRU(5, 2, bidirectional=True)
                self.scores = mx.gluon.nn.Dense(4, flatten=False)

        def hybrid_forward(self, F, words, state):
            hidden, state = self.cell(self.embedding(words), state)
            return F.log_softmax(self.scores(hidden)), *state

    net, path = Tagger(), str(tmp_path / "net.onnx")
    net.initialize()
    net.hybridize()
    random = np.random.default_rng(0)
    words = random.integers(0, 20, (7, 3)).astype("float32")
    states = random.standard_normal((4, 3, 5)).astype("float32")
    wanted = net(mx.nd.array(words), [mx.nd.array(states)])
    net.export(str(tmp_path / "net"))
    mx.onnx.export_model(str(tmp_path / "net-symbol.json"), str(tmp_path / "net-0000.params"),
                         [(4, 2), (4, 2, 5)], np.float32, path, dynamic=True,
                         dynamic_input_shapes=[(None, None), (4, None, 5)])  # fmt: skip

    found = theirs(path, {"data0": words, "data1": states})
    for own, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(own, other.asnumpy(), rtol=1e-4, atol=1e-5)


def test_names_metadata_and_the_two_ways_to_give_parameters(tmp_path):
    x = mx.sym.Variable("data")
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(x, num_hidden=3, name="fc"), name="softmax")
    args = {"fc_weight": mx.nd.ones((3, 4)), "fc_bias": mx.nd.zeros((3,)), "unused": mx.nd.ones((2,))}
    path = str(tmp_path / "m.onnx")

    assert mx.onnx.export_model(net, [args, {}], [(2, 4)], np.float32, path) == path
    metadata = mx.contrib.onnx.get_model_metadata(path)
    symbol, again, states = mx.contrib.onnx.import_model(path)
    mx.contrib.onnx.export_model(
        net,
        {f"arg:{name}": value for name, value in args.items()},
        input_shape=[(2, 4)],
        input_type=[np.float32],
        onnx_file_path=path,
    )

    assert metadata == {"input_tensor_data": [("data", (2, 4))], "output_tensor_data": [("softmax", (2, 3))]}
    assert symbol.list_arguments() == ["data", "fc_weight", "fc_bias"]
    assert sorted(again) == ["fc_bias", "fc_weight"]
    assert states == {}
    assert onnx.load(path).opset_import[0].version == 13


def test_get_operator_support_lists_what_is_written():
    known = mx.onnx.get_operator_support()

    assert {"Convolution", "RNN", "elemwise_add"} <= set(known)
    assert mx.onnx.get_operator_support(13) == known
    assert mx.onnx.get_operator_support(9) == []


def test_shape_inference_is_written_on_demand(tmp_path):
    x, path = mx.sym.Variable("data"), str(tmp_path / "m.onnx")
    mx.onnx.export_model(mx.sym.relu(mx.sym.exp(x)), {}, [(2, 3)], np.float32, path, run_shape_inference=True)

    assert len(onnx.load(path).graph.value_info) == 1


X = mx.sym.Variable("data")
FULLY = mx.sym.FullyConnected(X, num_hidden=3, name="fc")
WEIGHTS = {"fc_weight": mx.nd.ones((3, 4)), "fc_bias": mx.nd.zeros((3,))}
REFUSED = [
    (
        (FULLY, {}),
        {"in_shapes": [(2, 4)]},
        mx.base.MXNetError,
        "shapes of data, fc_weight, fc_bias, got 1 shapes",
    ),
    (
        (FULLY, WEIGHTS),
        {},
        mx.base.MXNetError,
        "export_model(in_shapes): expected shapes of data, got nothing",
    ),
    ((3, WEIGHTS), {"in_shapes": [(2, 4)]}, TypeError, "export_model(sym): expected a Symbol"),
    ((FULLY, 3), {"in_shapes": [(2, 4)]}, TypeError, "export_model(params): expected parameters by name"),
    (
        (FULLY, WEIGHTS),
        {"in_shapes": [(2, 4)], "dynamic_input_shapes": [(None, 4)]},
        ValueError,
        "None without dynamic=True",
    ),
    (
        (FULLY, WEIGHTS),
        {"in_shapes": [(2, 4)], "dynamic": True, "dynamic_input_shapes": [(None,)]},
        ValueError,
        "as many extents as in [(2, 4)]",
    ),
    (
        (mx.sym.linalg.potrf(X, name="root"), {}),
        {"in_shapes": [(2, 2)]},
        mx.base.MXNetError,
        "node root): expected an operator that ONNX can express",
    ),
    (
        (mx.sym.contrib.AdaptiveAvgPooling2D(X, output_size=3), {}),
        {"in_shapes": [(1, 1, 9, 9)], "dynamic": True},
        mx.base.MXNetError,
        "expected fixed extents of 'data'",
    ),
]


@pytest.mark.parametrize(("given", "options", "kind", "text"), REFUSED, ids=lambda value: str(value)[:20])
def test_exports_that_cannot_be_are_refused_by_name(given, options, kind, text, tmp_path):
    path = tmp_path / "m.onnx"
    with pytest.raises(kind) as caught:
        mx.onnx.export_model(*given, onnx_file_path=str(path), **options)

    assert text in str(caught.value)
    assert not path.exists()


def written(path, nodes, inputs, initializers=()):
    """A file of ONNX made by hand."""
    helper = onnx.helper
    values = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in inputs.items()
    ]
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in initializers]
    graph = helper.make_graph(nodes, "g", values, [result], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
    return path


def test_imports_that_cannot_be_are_refused_by_name(tmp_path):
    path = str(tmp_path / "m.onnx")
    node = onnx.helper.make_node
    damaged, missing = tmp_path / "damaged.onnx", str(tmp_path / "missing.onnx")
    damaged.write_bytes(b"no such file\xff")

    with pytest.raises(
        mx.base.MXNetError, match=r"node there\): expected an operator that can be translated"
    ):
        mx.contrib.onnx.import_model(written(path, [node("Det", ["x"], ["y"], "there")], {"x": [2, 2]}))
    with pytest.raises(mx.base.MXNetError, match="select_last_index"):
        both = [node("ArgMax", ["x"], ["i"], select_last_index=1), node("Cast", ["i"], ["y"], to=1)]
        mx.contrib.onnx.import_model(written(path, both, {"x": [2, 2]}))
    with pytest.raises(ValueError, match="expected a file of ONNX"):
        mx.contrib.onnx.import_model(damaged)
    with pytest.raises(FileNotFoundError):
        mx.contrib.onnx.get_model_metadata(missing)


def test_what_nothing_reads_is_not_translated(tmp_path):
    nodes = [onnx.helper.make_node("Det", ["x"], ["unread"]), onnx.helper.make_node("Relu", ["x"], ["y"])]
    path = written(str(tmp_path / "m.onnx"), nodes, {"x": [2, 2]})
    symbol, _, _ = mx.contrib.onnx.import_model(path)

    assert symbol.list_arguments() == ["x"]


def test_shapes_that_exporters_compute_are_computed_at_once(tmp_path):
    node = onnx.helper.make_node
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "first"], ["batch"]),
        node("Concat", ["batch", "rest"], ["wanted"], axis=0),
        node("Reshape", ["x", "wanted"], ["y"]),
    ]
    constants = [("first", np.array([0], np.int64)), ("rest", np.array([-1], np.int64))]
    symbol, params, _ = mx.contrib.onnx.import_model(
        written(str(tmp_path / "m.onnx"), nodes, {"x": [2, 3, 4]}, constants)
    )

    assert params == {}
    assert symbol.infer_shape(x=(2, 3, 4))[1] == [(2, 12)]


def test_the_error_without_the_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        mx.onnx.export_model(FULLY, WEIGHTS, [(2, 4)])

    assert "pip install mxcy[onnx]" in "".join(caught.value.__notes__)


# --- networks that PyTorch wrote, with their inputs and results: the package onnx holds them ---------------
DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
DILATED = {"test_MaxPool1d_stride_padding_dilation", "test_MaxPool2d_stride_padding_dilation"}  # not in MXNet
FOLDERS = [*sorted((DATA / "pytorch-converted").iterdir()), *sorted((DATA / "pytorch-operator").iterdir())]
WRITTEN = [folder for folder in FOLDERS if folder.name not in DILATED]


def tensors(folder, kind):
    """The tensors of one kind that lie beside a network."""
    paths = sorted(folder.glob(f"{kind}_*.pb"))
    return [onnx.numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes())) for path in paths]


@pytest.mark.filterwarnings("ignore:invalid value")  # roots of negative numbers
@pytest.mark.parametrize("folder", WRITTEN, ids=lambda folder: folder.name)
def test_networks_of_pytorch_are_read(folder):
    symbol, args, states = mx.contrib.onnx.import_model(folder / "model.onnx")
    params = {name: value.asnumpy() for name, value in (args | states).items()}
    names = [
        name for name, _ in mx.contrib.onnx.get_model_metadata(folder / "model.onnx")["input_tensor_data"]
    ]
    data = folder / "test_data_set_0"
    inputs = dict(zip(names, tensors(data, "input"), strict=True))
    wanted = tensors(data, "output")

    found = ours(symbol, {name: inputs[name] for name in inputs if name in symbol.list_inputs()} | params)

    for own, other in zip(found, wanted, strict=True):
        assert own.shape == (other.shape or (1,))
        np.testing.assert_allclose(own, other.reshape(own.shape), rtol=1e-3, atol=1e-5)
