"""The networks of the model zoo against the real MXNet 1.9.1 (tests/golden/make_model_zoo.py)."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import mxcy as mx
from mxcy import nd
from mxcy.gluon import contrib
from mxcy.gluon.model_zoo import vision

GOLDEN = json.loads((Path(__file__).parent / "golden" / "model_zoo.json").read_text())
QUICK = ["resnet18_v1", "resnet18_v2", "squeezenet1.1", "mobilenet0.25", "mobilenetv2_0.5"]


def made(name):
    """A network and its picture, with shapes that follow from it, and nothing computed yet."""
    with mx.name.NameManager():
        net = vision.get_model(name, classes=10)
    size = 299 if "inception" in name else 224
    rs = np.random.RandomState(0)
    x = nd.array(rs.rand(1, 3, size, size).astype("f"))
    net.infer_shape(x)
    return net, x, rs


@pytest.mark.parametrize("name", GOLDEN)
def test_parameters_are_called_and_shaped_as_in_mxnet(name):
    net, _, _ = made(name)
    params = net.collect_params()
    listing = json.dumps([[key, list(p.shape)] for key, p in params.items()])

    assert len(params) == GOLDEN[name]["count"]
    assert hashlib.sha1(listing.encode()).hexdigest() == GOLDEN[name]["parameters"]


@pytest.mark.parametrize("name", QUICK)
def test_outputs_are_mxnets(name):
    net, x, rs = made(name)
    net.initialize()
    net.hybridize()
    for key, p in net.collect_params().items():
        if key.endswith("weight"):
            scale = (2.0 / np.prod(p.shape[1:])) ** 0.5
            p.set_data(nd.array(rs.standard_normal(p.shape).astype("f") * scale))

    np.testing.assert_allclose(net(x).asnumpy()[0], GOLDEN[name]["output"], rtol=1e-3, atol=1e-3)


def test_trained_parameters_come_from_a_local_file(tmp_path):
    net = vision.mobilenet0_25(classes=4)
    net.initialize()
    x = nd.ones((1, 3, 64, 64))
    expected = net(x).asnumpy()
    net.save_parameters(str(tmp_path / "mobilenet0.25-0123abcd.params"))
    again = vision.get_model("MobileNet0.25", classes=4, pretrained=True, root=str(tmp_path))

    np.testing.assert_allclose(again(x).asnumpy(), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(mx.MXNetError, match="nothing is downloaded"):
        vision.resnet18_v1(pretrained=True, root=str(tmp_path))
    with pytest.raises(ValueError, match="resnet50_v1"):
        vision.get_model("resnet50")
    with pytest.raises(AssertionError, match="num_layers"):
        vision.get_resnet(1, 20)


def test_thumbnails_and_every_name():
    small = vision.get_resnet(2, 18, classes=3, thumbnail=True)
    small.initialize()

    assert small(nd.ones((1, 3, 16, 16))).shape == (1, 3)
    assert len(vision.MODELS) == 34
    assert all(callable(function) for function in vision.MODELS.values())


def test_blocks_side_by_side():
    for kind in (contrib.nn.Concurrent, contrib.nn.HybridConcurrent):
        both = kind(axis=1)
        both.add(contrib.nn.Identity(), contrib.nn.Identity())

        assert both(nd.ones((2, 3))).shape == (2, 6)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_pixels_are_shuffled(dimensions):
    factors = (2, 3, 2)[:dimensions]
    shape = (2, 3 * int(np.prod(factors)), *(4, 5, 2)[:dimensions])
    x = np.arange(np.prod(shape), dtype="f").reshape(shape)
    block = getattr(contrib.nn, f"PixelShuffle{dimensions}D")(factors[0] if dimensions == 1 else factors)
    order = [0, 1]
    for i in range(dimensions):
        order += [2 + dimensions + i, 2 + i]
    expected = x.reshape(2, 3, *factors, *shape[2:]).transpose(order)
    expected = expected.reshape(2, 3, *[f * n for f, n in zip(factors, shape[2:], strict=True)])

    np.testing.assert_array_equal(block(nd.array(x)).asnumpy(), expected)
