"""The five networks of the memory and speed figures, as symbols of mxcy or of MXNet (the same code).

AlexNet (one tower), GoogLeNet, VGG-A and OverFeat ("fast") are those of the convnet-benchmarks: without
dropout and without local response normalisation. ResNet-50 is that of He et al. 2015 with the stride in
the 3 x 3 convolution of a bottleneck, where most implementations have it. All end in `SoftmaxOutput`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["CLASSES", "NETWORKS", "alexnet", "googlenet", "overfeat", "resnet50", "shapes", "vgg_a"]

CLASSES = 1000


def _convolution(sym: Any, data: Any, name: str, filters: int, kernel: int, stride: int = 1, pad: int = 0):
    """A convolution with a bias, and a rectifier."""
    made = sym.Convolution(
        data, num_filter=filters, kernel=(kernel, kernel), stride=(stride, stride), pad=(pad, pad), name=name
    )
    return sym.Activation(made, act_type="relu", name=f"relu_{name}")


def _pool(sym: Any, data: Any, name: str, kernel: int, stride: int, kind: str = "max", pad: int = 0, **more):
    more.update(kernel=(kernel, kernel), stride=(stride, stride), pad=(pad, pad))
    return sym.Pooling(data, pool_type=kind, name=name, **more)


def _perceptron(sym: Any, data: Any, widths: tuple[int, ...]):
    """Fully connected layers with rectifiers, the last one into the classes."""
    net = sym.Flatten(data, name="flatten")
    for number, width in enumerate(widths, 1):
        net = sym.FullyConnected(net, num_hidden=width, name=f"fc{number}")
        net = sym.Activation(net, act_type="relu", name=f"relu_fc{number}")
    return _classes(sym, net)


def _classes(sym: Any, data: Any):
    net = sym.FullyConnected(data, num_hidden=CLASSES, name="fc")
    return sym.SoftmaxOutput(net, name="softmax")


def alexnet(sym: Any) -> Any:
    """Krizhevsky 2014, "One weird trick": five convolutions, in one tower."""
    net = _convolution(sym, sym.Variable("data"), "conv1", 64, 11, 4, 2)
    net = _pool(sym, net, "pool1", 3, 2)
    net = _convolution(sym, net, "conv2", 192, 5, 1, 2)
    net = _pool(sym, net, "pool2", 3, 2)
    for number, filters in ((3, 384), (4, 256), (5, 256)):
        net = _convolution(sym, net, f"conv{number}", filters, 3, 1, 1)
    return _perceptron(sym, _pool(sym, net, "pool5", 3, 2), (4096, 4096))


def overfeat(sym: Any) -> Any:
    """Sermanet et al. 2013, the fast network."""
    net = _convolution(sym, sym.Variable("data"), "conv1", 96, 11, 4)
    net = _pool(sym, net, "pool1", 2, 2)
    net = _convolution(sym, net, "conv2", 256, 5)
    net = _pool(sym, net, "pool2", 2, 2)
    for number, filters in ((3, 512), (4, 1024), (5, 1024)):
        net = _convolution(sym, net, f"conv{number}", filters, 3, 1, 1)
    return _perceptron(sym, _pool(sym, net, "pool5", 2, 2), (3072, 4096))


def vgg_a(sym: Any) -> Any:
    """Simonyan and Zisserman 2014, configuration A: eight convolutions of 3 x 3."""
    net = sym.Variable("data")
    for block, filters in enumerate(((64,), (128,), (256, 256), (512, 512), (512, 512)), 1):
        for number, count in enumerate(filters, 1):
            net = _convolution(sym, net, f"conv{block}_{number}", count, 3, 1, 1)
        net = _pool(sym, net, f"pool{block}", 2, 2)
    return _perceptron(sym, net, (4096, 4096))


def _inception(sym: Any, data: Any, name: str, sizes: tuple[int, ...]) -> Any:
    """Four branches: 1 x 1, 3 x 3 and 5 x 5 behind 1 x 1, and 1 x 1 behind a maximum."""
    one, reduce3, three, reduce5, five, project = sizes
    branch1 = _convolution(sym, data, f"{name}_1x1", one, 1)
    branch3 = _convolution(sym, data, f"{name}_3x3_reduce", reduce3, 1)
    branch3 = _convolution(sym, branch3, f"{name}_3x3", three, 3, 1, 1)
    branch5 = _convolution(sym, data, f"{name}_5x5_reduce", reduce5, 1)
    branch5 = _convolution(sym, branch5, f"{name}_5x5", five, 5, 1, 2)
    pooled = _pool(sym, data, f"{name}_pool", 3, 1, pad=1)
    pooled = _convolution(sym, pooled, f"{name}_project", project, 1)
    return sym.Concat(branch1, branch3, branch5, pooled, name=f"{name}_concat")


_INCEPTIONS = (
    ("3a", (64, 96, 128, 16, 32, 32)), ("3b", (128, 128, 192, 32, 96, 64)), "pool3",
    ("4a", (192, 96, 208, 16, 48, 64)), ("4b", (160, 112, 224, 24, 64, 64)),
    ("4c", (128, 128, 256, 24, 64, 64)), ("4d", (112, 144, 288, 32, 64, 64)),
    ("4e", (256, 160, 320, 32, 128, 128)), "pool4",
    ("5a", (256, 160, 320, 32, 128, 128)), ("5b", (384, 192, 384, 48, 128, 128)),
)  # fmt: skip


def googlenet(sym: Any) -> Any:
    """Szegedy et al. 2014, without the two classifiers on the side."""
    net = _convolution(sym, sym.Variable("data"), "conv1", 64, 7, 2, 3)
    net = _pool(sym, net, "pool1", 3, 2, pooling_convention="full")  # 112 becomes 56
    net = _convolution(sym, net, "conv2_reduce", 64, 1)
    net = _convolution(sym, net, "conv2", 192, 3, 1, 1)
    net = _pool(sym, net, "pool2", 3, 2, pooling_convention="full")
    for found in _INCEPTIONS:
        if isinstance(found, str):
            net = _pool(sym, net, found, 3, 2, pooling_convention="full")
        else:
            net = _inception(sym, net, *found)
    net = _pool(sym, net, "pool5", 7, 1, "avg")
    return _classes(sym, sym.Flatten(net, name="flatten"))


def _normalised(sym: Any, data: Any, name: str, filters: int, kernel: int, stride: int, pad: int) -> Any:
    """A convolution without a bias, and batch normalisation."""
    sizes = {"kernel": (kernel, kernel), "stride": (stride, stride), "pad": (pad, pad)}
    made = sym.Convolution(data, num_filter=filters, no_bias=True, name=f"{name}_conv", **sizes)
    return sym.BatchNorm(made, fix_gamma=False, eps=2e-5, momentum=0.9, name=f"{name}_bn")


def _relu(sym: Any, data: Any, name: str) -> Any:
    return sym.Activation(data, act_type="relu", name=f"{name}_relu")


def _bottleneck(sym: Any, data: Any, name: str, filters: int, stride: int, same: bool) -> Any:
    inner = filters // 4
    net = _relu(sym, _normalised(sym, data, f"{name}_1", inner, 1, 1, 0), f"{name}_1")
    net = _relu(sym, _normalised(sym, net, f"{name}_2", inner, 3, stride, 1), f"{name}_2")
    net = _normalised(sym, net, f"{name}_3", filters, 1, 1, 0)
    shortcut = data if same else _normalised(sym, data, f"{name}_shortcut", filters, 1, stride, 0)
    return _relu(sym, net + shortcut, name)


def resnet50(sym: Any) -> Any:
    """He et al. 2015: 3, 4, 6 and 3 bottlenecks."""
    net = _relu(sym, _normalised(sym, sym.Variable("data"), "stage0", 64, 7, 2, 3), "stage0")
    net = _pool(sym, net, "pool0", 3, 2, pad=1)
    for stage, (count, filters) in enumerate(((3, 256), (4, 512), (6, 1024), (3, 2048)), 1):
        for unit in range(count):
            stride = 2 if stage > 1 and unit == 0 else 1
            net = _bottleneck(sym, net, f"stage{stage}_unit{unit + 1}", filters, stride, unit > 0)
    net = _pool(sym, net, "pool1", 7, 1, "avg", global_pool=True)
    return _classes(sym, sym.Flatten(net, name="flatten"))


NETWORKS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "AlexNet": (alexnet, 224),
    "GoogLeNet": (googlenet, 224),
    "VGG-A": (vgg_a, 224),
    "OverFeat": (overfeat, 231),
    "ResNet-50": (resnet50, 224),
}


def shapes(name: str, batch: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the data and of the labels of a network."""
    side = NETWORKS[name][1]
    return {"data": (batch, 3, side, side), "softmax_label": (batch,)}
