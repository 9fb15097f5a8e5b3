"""`mx.contrib.quantization`: networks on bytes are near those on real numbers, and are made as in MXNet."""

import json

import numpy as np
import pytest

import mxcy as mx
from mxcy.contrib import quantization as q
from mxcy.contrib.quantization.calibration import HistogramCollector, thresholds_of
from mxcy.gluon import nn

RANDOM = np.random.default_rng(5)
X = RANDOM.uniform(-1, 1, (8, 3, 10, 10)).astype("float32")


def network():
    """A network with every layer that has a form on bytes."""
    x = mx.sym.Variable("data")
    x = mx.sym.Convolution(x, kernel=(3, 3), num_filter=4, name="conv0")
    x = mx.sym.Activation(x, act_type="relu", name="relu0")
    pooled = mx.sym.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="max", name="pool0")
    x = mx.sym.Convolution(pooled, kernel=(3, 3), num_filter=4, pad=(1, 1), name="conv1", no_bias=True)
    x = mx.sym.BatchNorm(x, name="bn", fix_gamma=False)
    x = mx.sym.Concat(mx.sym.elemwise_add(x, pooled, name="add0"), pooled, name="both")
    x = mx.sym.FullyConnected(mx.sym.Flatten(x, name="flat"), num_hidden=5, name="fc0")
    return mx.sym.SoftmaxOutput(x, name="softmax")


def parameters(symbol):
    """Random parameters and states."""
    given = {"data": (2, 3, 10, 10), "softmax_label": (2,)}
    shapes, _, states = symbol.infer_shape(**given)
    known = zip(symbol.list_arguments(), shapes, strict=True)
    args = {name: mx.nd.array(RANDOM.uniform(-0.5, 0.5, s)) for name, s in known if name not in given}
    names = symbol.list_auxiliary_states()
    return args, {n: mx.nd.array(RANDOM.uniform(0.5, 1, s)) for n, s in zip(names, states, strict=True)}


def batches():
    return mx.io.NDArrayIter(X, np.zeros(8), 2)


def scores(symbol, args, states):
    """What a network says of the examples."""
    module = mx.mod.Module(symbol)
    found = batches()
    module.bind(found.provide_data, found.provide_label, for_training=False)
    module.set_params(args, states)
    return module.predict(found).asnumpy()


SYMBOL = network()
ARGS, STATES = parameters(SYMBOL)


def kinds(symbol):
    return [node["op"] for node in json.loads(symbol.tojson())["nodes"] if node["op"] != "null"]


WAYS = [("none", "int8"), ("naive", "int8"), ("naive", "auto")]
WAYS += [pytest.param("entropy", "auto", marks=pytest.mark.full)]  # thousands of divergences for each array


@pytest.mark.parametrize(("mode", "dtype"), WAYS)
def test_a_network_on_bytes_says_nearly_the_same(mode, dtype):
    made, args, states = q.quantize_model(SYMBOL, ARGS, STATES, calib_mode=mode, calib_data=batches(),
                                          quantized_dtype=dtype, quantize_mode="full")  # fmt: skip

    assert abs(scores(made, args, states) - scores(SYMBOL, ARGS, STATES)).max() < 0.05
    assert args["conv0_weight_quantize"].dtype == np.int8
    assert sorted(args)[:3] == ["bn_beta", "bn_gamma", "conv0_bias_quantize"]
    assert ("_contrib_quantized_batch_norm" in kinds(made)) == (mode != "none")


def test_the_graph_is_that_of_mxnet():
    made, _, _ = q.quantize_model(SYMBOL, ARGS, STATES, calib_mode="naive", calib_data=batches())
    nodes = json.loads(made.tojson())["nodes"]

    assert [node["name"] for node in nodes if node["op"] != "null"] == [
        "data_quantize", "quantized_conv0", "requantize_conv0", "quantized_relu0", "quantized_pool0",
        "quantized_conv1", "requantize_conv1", "quantized_bn", "quantized_add0", "requantize_add0",
        "quantized_both", "quantized_flat", "quantized_fc0", "requantize_fc0", "fc0_dequantize", "softmax",
    ]  # fmt: skip
    conv = next(node for node in nodes if node["name"] == "quantized_conv0")
    assert [nodes[i]["name"] for i, *_ in conv["inputs"]] == [
        "data_quantize", "conv0_weight_quantize", "conv0_bias_quantize", "data_quantize", "data_quantize",
        "conv0_weight_quantize_min", "conv0_weight_quantize_max", "conv0_bias_quantize_min",
        "conv0_bias_quantize_max",
    ]  # fmt: skip
    assert conv["attrs"] == {"kernel": "(3, 3)", "num_filter": "4"}


def test_entropy_leaves_out_what_is_rare():
    collector = HistogramCollector({"x", "positive", "zero"}, num_bins=1001)
    x = RANDOM.standard_normal(20000).astype("float32")
    for name, values in (
        ("x", x),
        ("x", np.append(x, 30)),
        ("positive", abs(x)),
        ("zero", x * 0),
        ("other", x),
    ):
        collector.collect(name, mx.nd.array(values))
    found = thresholds_of(collector, "entropy", "auto")

    assert sorted(found) == ["positive", "x", "zero"]
    assert collector.hist_dict["x"][0].sum() == 40001 and len(collector.hist_dict["x"][0]) % 2
    assert found["x"][0] == -found["x"][1] and 2 < found["x"][1] < 15
    assert found["positive"][0] == 0 and 2 < found["positive"][1] <= abs(x).max() * 1.01
    assert found["zero"] == (0, 0)


def test_nodes_and_operators_may_be_left_as_they_are():
    made, args, _ = q.quantize_model(SYMBOL, ARGS, STATES, calib_mode="none", excluded_sym_names=["conv0"],
                                     excluded_op_names=["FullyConnected"])  # fmt: skip

    assert {"Convolution", "FullyConnected", "_contrib_quantized_conv"} <= set(kinds(made))
    assert {"conv0_weight", "fc0_weight", "conv1_weight_quantize"} <= set(args)


def test_a_graph_may_be_calibrated_later():
    made, _, _, collector = q.quantize_graph(SYMBOL, ARGS, STATES, calib_mode="naive")
    module = mx.mod.Module(SYMBOL)
    found = batches()
    module.bind(found.provide_data, found.provide_label, for_training=False)
    module.set_params(ARGS, STATES)
    module._exec_group.execs[0].set_monitor_callback(collector.collect, monitor_all=True)
    module.predict(found)
    calibrated, args, states = q.calib_graph(made, ARGS, STATES, collector, calib_mode="naive")

    assert sorted(collector.min_max_dict)[:3] == ["add0_output", "bn_output", "conv0_output"]
    nodes = {node["name"]: node.get("attrs", {}) for node in json.loads(calibrated.tojson())["nodes"]}
    assert float(nodes["data_quantize"]["max_calib_range"]) == pytest.approx(X.max())
    assert "min_calib_range" in nodes["requantize_conv1"]
    assert abs(scores(calibrated, args, states) - scores(SYMBOL, ARGS, STATES)).max() < 0.05


@pytest.mark.parametrize("mode", ["none", "naive"])
def test_networks_of_gluon(mode, tmp_path):
    mx.random.seed(3)
    net = nn.HybridSequential()
    net.add(nn.Conv2D(8, 3, activation="relu"), nn.BatchNorm(), nn.MaxPool2D(), nn.Conv2D(8, 3))
    net.add(nn.GlobalAvgPool2D(), nn.Flatten(), nn.Dense(4))
    net.initialize(mx.init.Xavier())
    x = mx.nd.array(X)
    wanted = net(x).asnumpy()
    loader = mx.gluon.data.DataLoader(mx.gluon.data.ArrayDataset(x, mx.nd.zeros((8,))), 4)
    made = q.quantize_net(net, calib_mode=mode, calib_data=loader)
    made.hybridize()
    made(x)
    made.export(str(tmp_path / "bytes"))
    again = mx.gluon.SymbolBlock.imports(str(tmp_path / "bytes-symbol.json"), ["data"],
                                         str(tmp_path / "bytes-0000.params"))  # fmt: skip

    assert abs(made(x).asnumpy() - wanted).max() < 0.05 * abs(wanted).max()
    assert np.array_equal(again(x).asnumpy(), made(x).asnumpy())


def test_a_collector_of_ones_own_finds_bounds():
    class Wide:
        def __init__(self):
            self.min_max_dict = {}

        def collect(self, name, arr):
            self.min_max_dict[name] = (-9.0, 9.0)

    net = nn.Dense(3, in_units=4)
    net.initialize()
    loader = mx.gluon.data.DataLoader(mx.gluon.data.ArrayDataset(mx.nd.ones((4, 4))), 2)
    made = q.quantize_net_v2(net, "int8", calib_data=loader, calib_mode="customize",
                             LayerOutputCollector=Wide())  # fmt: skip

    assert '"max_calib_range": "9.0"' in made(mx.sym.Variable("data")).tojson()


WRONG = [
    ({"calib_mode": "other"}, "calib_mode"), ({"quantized_dtype": "int4"}, "quantized_dtype"),
    ({"quantize_mode": "some"}, "quantize_mode"), ({"quantize_granularity": "x"}, "quantize_granularity"),
    ({"excluded_sym_names": "conv0"}, "excluded_sym_names"), ({"calib_mode": "naive"}, "calib_data"),
    ({"calib_mode": "naive", "calib_data": [X]}, "calib_data"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "name"), WRONG)
def test_mistakes_are_named(options, name):
    with pytest.raises((ValueError, TypeError), match=rf"quantize_model\({name}\)|calibration\({name}\)"):
        q.quantize_model(SYMBOL, ARGS, STATES, **options)
