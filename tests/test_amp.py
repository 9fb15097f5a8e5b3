"""Mixed precision: conversion as in the real MXNet 1.9.1 (tests/golden/make_amp.py), training, scaling."""

import json
import subprocess
import sys
from pathlib import Path

import amp_programs
import numpy as np
import pytest

import mxcy as mx
from mxcy import gluon, nd
from mxcy.contrib import amp

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = json.loads((ROOT / "tests" / "golden" / "amp.json").read_text())


@pytest.fixture(scope="module")
def converted():
    return amp_programs.converted(mx, amp)


@pytest.mark.parametrize("name", GOLDEN)
def test_casts_are_where_mxnet_puts_them(converted, name):
    assert converted[name] == GOLDEN[name]


def network(hybridize=True):
    nn = gluon.nn
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(4, 3), nn.BatchNorm(), nn.Activation("relu"), nn.Dense(8, activation="tanh"), nn.Dense(3)
    )
    net.initialize(mx.init.Xavier())
    if hybridize:
        net.hybridize()
    return net


def pictures():
    return nd.array(np.random.RandomState(0).rand(4, 3, 8, 8).astype("f"))


@pytest.mark.parametrize("cast", [False, True])
@pytest.mark.parametrize("dtype, error", [("float16", 2e-3), ("bfloat16", 2e-2)])
def test_a_converted_block_predicts_the_same_up_to_rounding(dtype, error, cast):
    net = network()
    expected = net(pictures()).asnumpy()
    low = amp.convert_hybrid_block(net, dtype, cast_optional_params=cast, ctx=mx.cpu())
    found = low(pictures())

    assert found.dtype == np.float32
    np.testing.assert_allclose(found.asnumpy(), expected, atol=error)
    dtypes = {np.dtype(p.dtype).name for name, p in low.collect_params().items() if "weight" in name}
    assert dtypes == {dtype if cast else "float32"}


def test_saved_symbols_have_no_casts_unless_they_are_wanted(tmp_path):
    symbol = amp.convert_symbol(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="fc"))
    symbol.save(str(tmp_path / "without.json"))
    symbol.save(str(tmp_path / "with.json"), remove_amp_cast=False)

    assert "amp_cast" not in symbol.tojson()
    assert mx.sym.load(str(tmp_path / "without.json")).get_internals().list_outputs() == [
        "data", "fc_weight", "fc_bias", "fc_output",
    ]  # fmt: skip
    assert mx.sym.load(str(tmp_path / "with.json")).list_outputs() == symbol.list_outputs()


def test_models_of_modules_and_buckets_are_converted():
    symbol = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3)
    symbol = mx.sym.SoftmaxOutput(symbol, name="softmax")
    module = mx.mod.BucketingModule(lambda key: (symbol, ["data"], ["softmax_label"]), default_bucket_key=4)
    module.bind([("data", (2, 4))], [("softmax_label", (2,))])
    module.init_params(mx.init.Xavier())
    batch = mx.io.DataBatch([nd.array(np.eye(2, 4, dtype="f"))], [nd.array([0, 1])], bucket_key=4,
                            provide_data=[("data", (2, 4))],
                            provide_label=[("softmax_label", (2,))])  # fmt: skip
    module.forward(batch, is_train=False)
    low = amp.convert_bucketing_module(module)
    low.bind([("data", (2, 4))], [("softmax_label", (2,))], for_training=False)
    low.forward(batch, is_train=False)

    assert "amp_cast" in low.symbol.tojson(remove_amp_cast=False)
    for found, expected in zip(low.get_outputs(), module.get_outputs(), strict=True):
        np.testing.assert_allclose(found.asnumpy(), expected.asnumpy(), atol=2e-3)
    args, auxs = module.get_params()
    _, args, _ = amp.convert_model(symbol, args, auxs, cast_optional_params=True)
    assert {x.dtype for x in args.values()} == {np.float16}


def test_every_operator_is_in_exactly_one_list():
    from mxcy.ops import REGISTRY

    for dtype in ("float16", "bfloat16"):
        names = [*amp.list_lp16_ops(dtype), *amp.list_fp32_ops(dtype), *amp.list_lp16_fp32_ops(dtype)]
        names += amp.list_widest_type_cast(dtype) + [row[0] for row in amp.list_conditional_fp32_ops(dtype)]
        assert sorted(names) == sorted(REGISTRY)


@pytest.mark.parametrize("arguments, match", [
    ({"target_dtype": "int8"}, "expected 'float16' or 'bfloat16'"),
    ({"target_dtype_ops": ["exp"]}, "more than one list: exp"),
    ({"fp32_ops": ["elemwise_add"]}, "can not be chosen: elemwise_add"),
    ({"fp32_ops": "exp"}, "expected a list"),
    ({"conditional_fp32_ops": [("Activation", "act_type")]}, r"\(operator, argument, list of values\)"),
    ({"excluded_sym_names": "fc"}, "expected a list of names"),
])  # fmt: skip
def test_mistakes_in_conversion(arguments, match):
    with pytest.raises(AssertionError, match=match):
        amp.convert_symbol(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2), **arguments)


def test_a_block_without_a_graph_is_not_converted():
    with pytest.raises(RuntimeError, match="call hybridize"):
        amp.convert_hybrid_block(network(hybridize=False))


def test_steps_with_gradients_that_are_not_finite_are_left_out():
    net = gluon.nn.Dense(1, in_units=2)
    net.initialize()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    trainer._amp_loss_scaler = scaler = amp.LossScaler()
    trainer._amp_original_scale = trainer._scale
    before = net.weight.data().asnumpy()
    for scale, moved in ((np.inf, False), (1.0, True)):
        with np.errstate(all="ignore"), mx.autograd.record():
            loss = net(nd.ones((1, 2))) * scale
            with amp.scale_loss(loss, trainer) as scaled:
                scaled.backward()
        trainer.step(1)
        assert (net.weight.data().asnumpy() != before).any() == moved

    np.testing.assert_allclose(net.weight.data().asnumpy(), before - 0.1, rtol=1e-5)
    assert scaler.loss_scale == 2.0**15


SWITCHED_ON = """
import numpy as np, mxcy as mx
from mxcy import autograd, gluon, nd
from mxcy.contrib import amp
amp.init("bfloat16")
product = nd.FullyConnected(nd.ones((2, 3)), nd.ones((4, 3)), no_bias=True, num_hidden=4)
assert np.dtype(product.dtype).name == "bfloat16"
assert nd.op.exp(nd.ones(2, dtype="bfloat16")).dtype == np.float32
assert nd.add_n(nd.ones(2, dtype="bfloat16"), nd.ones(2)).dtype == np.float32
assert np.dtype(nd.add_n(nd.ones(2, dtype="bfloat16"), nd.ones(2, dtype="bfloat16")).dtype).name == "bfloat16"
names = mx.sym.FullyConnected(mx.sym.var("a"), num_hidden=2, name="f").get_internals().list_outputs()
assert "f_weight_amp_cast_bfloat16_output" in names, names
out = nd.SoftmaxOutput(nd.ones((1, 2)), nd.zeros(1))
nn = gluon.nn
for hybridize in (False, True):
    mx.random.seed(1)
    net = nn.HybridSequential()
    net.add(nn.Conv2D(4, 3), nn.BatchNorm(), nn.Activation("relu"), nn.Dense(8), nn.Dense(3))
    net.initialize(mx.init.Xavier())
    if hybridize:
        net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    amp.init_trainer(trainer)
    lossf = gluon.loss.SoftmaxCrossEntropyLoss()
    x, y = nd.random.uniform(shape=(4, 3, 8, 8)), nd.array([0, 1, 2, 0])
    losses = []
    for _ in range(10):
        with autograd.record():
            loss = lossf(net(x), y)
            with amp.scale_loss(loss, trainer) as scaled:
                scaled.backward()
        amp.unscale(trainer)
        assert float(net[4].weight.grad().abs().max().asscalar()) < 100
        trainer.step(4)
        losses.append(float(loss.mean().asscalar()))
    assert losses[-1] < losses[0] / 2, losses
"""


def test_mixed_precision_switched_on_for_a_process():
    done = subprocess.run([sys.executable, "-c", SWITCHED_ON], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_what_needs_initialization_says_so():
    net = gluon.nn.Dense(1, in_units=1)
    net.initialize()
    trainer = gluon.Trainer(net.collect_params(), "sgd")
    with pytest.raises(AssertionError, match=r"call amp.init\(\) before"):
        amp.init_trainer(trainer)
    with pytest.raises(AssertionError, match="init_trainer"), amp.scale_loss(nd.ones(1), trainer):
        pass
    with pytest.raises(TypeError, match=r"expected a gluon.Trainer, got Adam"):
        amp.unscale(mx.optimizer.create("adam"))
