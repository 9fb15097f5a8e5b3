"""Are convolutions as fast as those of PyTorch and MXNet (oneDNN), forward and both gradients?

    python benchmarks/convolution.py [--layers TEXT] [--passes forward,dx,dw] [--json FILE]

`--layers` picks the rows whose name contains the text. Two threads each. The last columns of a row are
our rate in GFLOP/s, by the operations of the direct form, and the accuracy: the largest error over the
largest value, against float64.
"""

from __future__ import annotations

import numpy as np
from _turns import Peer, Table, arguments, finish, serve

PASSES = ("forward", "dx", "dw")

# name: batch, channels, filters, size, kernel, stride, pad, groups
LAYERS = {
    "3->64@224 (VGG 1)": (8, 3, 64, 224, 3, 1, 1, 1),
    "64->128@112": (8, 64, 128, 112, 3, 1, 1, 1),
    "256->256@56": (8, 256, 256, 56, 3, 1, 1, 1),
    "512->512@28": (8, 512, 512, 28, 3, 1, 1, 1),
    "512->512@14": (16, 512, 512, 14, 3, 1, 1, 1),
    "512->512@7": (16, 512, 512, 7, 3, 1, 1, 1),
    "256->256@13 (AlexNet 4)": (16, 256, 256, 13, 3, 1, 1, 1),
    "64->192@27 5x5 (AlexNet 2)": (16, 64, 192, 27, 5, 1, 2, 1),
    "16->32@28 5x5 (GoogLeNet)": (16, 16, 32, 28, 5, 1, 2, 1),
    "256->64@56 1x1": (8, 256, 64, 56, 1, 1, 0, 1),
    "512->128@28 1x1": (16, 512, 128, 28, 1, 1, 0, 1),
    "2048->512@7 1x1": (16, 2048, 512, 7, 1, 1, 0, 1),
    "256->512@56 1x1/2": (8, 256, 512, 56, 1, 2, 0, 1),
    "128->128@56 3x3/2": (16, 128, 128, 56, 3, 2, 1, 1),
    "3->64@224 7x7/2 (ResNet)": (16, 3, 64, 224, 7, 2, 3, 1),
    "3->64@224 11x11/4 (AlexNet 1)": (16, 3, 64, 224, 11, 4, 2, 1),
    "128@56 depthwise": (16, 128, 128, 56, 3, 1, 1, 128),
    "128@56 32 groups": (8, 128, 128, 56, 3, 1, 1, 32),
    "512->512@14 one image": (1, 512, 512, 14, 3, 1, 1, 1),
}


def draw(name):
    """(x, weight, head gradient) of a layer."""
    batch, channels, filters, size, kernel, stride, pad, groups = LAYERS[name]
    out = (size + 2 * pad - kernel) // stride + 1
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, channels, size, size), np.float32)
    w = rng.standard_normal((filters, channels // groups, kernel, kernel), np.float32)
    return x, w, rng.standard_normal((batch, filters, out, out), np.float32)


def operations(name):
    """Multiplications and additions of one pass in its direct form."""
    batch, channels, filters, size, kernel, stride, pad, groups = LAYERS[name]
    out = (size + 2 * pad - kernel) // stride + 1
    return 2 * batch * filters * channels // groups * kernel**2 * out**2


class Functions(dict):
    """Makes the functions of a row when it is asked for, and forgets those of the row before."""

    def __init__(self, make):
        self.make = make

    def __missing__(self, key):
        name = key.rsplit("|", 1)[0]
        self.clear()
        self.update({f"{name}|{way}": (f, 1) for way, f in self.make(name).items()})
        return self[key]


def of_torch(name):
    import torch

    torch.set_num_threads(2)
    stride, pad, groups = LAYERS[name][5:]
    x, w, g = (torch.from_numpy(a) for a in draw(name))

    def back(mask):
        torch.ops.aten.convolution_backward(
            g, x, w, None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], groups, mask
        )

    return {
        "forward": lambda: torch.nn.functional.conv2d(x, w, None, stride, pad, 1, groups),
        "dx": lambda: back([True, False, False]),
        "dw": lambda: back([False, True, False]),
    }


def of_mxnet(name):
    import mxnet as mx

    _, _, filters, _, kernel, stride, pad, groups = LAYERS[name]
    x, w, g = (mx.nd.array(a) for a in draw(name))
    net = mx.sym.Convolution(
        mx.sym.Variable("x"), mx.sym.Variable("w"), no_bias=True, kernel=(kernel,) * 2, num_filter=filters,
        stride=(stride,) * 2, pad=(pad,) * 2, num_group=groups,
    )  # fmt: skip

    def bound(wanted):
        grads = {n: mx.nd.zeros(a.shape) for n, a in (("x", x), ("w", w)) if n == wanted}
        kinds = {n: "write" if n == wanted else "null" for n in "xw"}
        executor = net.bind(mx.cpu(), {"x": x, "w": w}, grads, kinds)
        executor.forward(is_train=wanted is not None)
        return executor, grads.get(wanted)

    plain, (by_x, dx), (by_w, dw) = bound(None)[0], bound("x"), bound("w")

    def forward():
        plain.forward()[0].wait_to_read()

    def back(executor, result):
        executor.backward(g)
        result.wait_to_read()

    return {"forward": forward, "dx": lambda: back(by_x, dx), "dw": lambda: back(by_w, dw)}


def of_mxcy(name):
    from mxcy import _array
    from mxcy.kernels import cpu

    stride, pad, groups = LAYERS[name][5:]
    x, w, g = (_array.from_numpy(a) for a in draw(name))
    rest = ((stride,) * 2, (1, 1), (pad,) * 2, groups)
    return {
        "forward": lambda: cpu.convolution(x, w, None, *rest),
        "dx": lambda: cpu.convolution_data_grad(g, w, x.shape, None, *rest),
        "dw": lambda: cpu.convolution_weight_grad(g, x, w.shape, *rest),
    }


def accuracy(name, way, result):
    """The largest error of some results over the largest value, against float64."""
    from mxcy import _array
    from mxcy.kernels import cpu

    stride, pad, groups = LAYERS[name][5:]
    x, w, g = (_array.from_numpy(a.astype(np.float64)) for a in draw(name))
    rest = ((stride,) * 2, (1, 1), (pad,) * 2, groups)
    exact = {
        "forward": lambda: cpu.convolution(x, w, None, *rest, way="direct"),
        "dx": lambda: cpu.convolution_data_grad(g, w, x.shape, None, *rest, way="direct"),
        "dw": lambda: cpu.convolution_weight_grad(g, x, w.shape, *rest, way="direct"),
    }[way]()
    exact = np.array(exact.view_numpy())
    return np.abs(np.array(result.view_numpy()) - exact).max() / np.abs(exact).max()


def main():
    options = arguments(__doc__, "layers", "passes", "rounds")
    if options.peer:
        serve(Functions(of_torch if options.peer == "torch" else of_mxnet))
        return
    torch, mxnet = Peer("torch", __file__), Peer("mxnet", __file__)
    passes = options.passes.split(",") if options.passes else PASSES
    table = Table("convolutions, float32")
    for name in LAYERS:
        if options.layers and options.layers not in name:
            continue
        ours = of_mxcy(name)
        for way in passes:
            if way == "dx" and LAYERS[name][1] == 3:
                continue  # nobody asks for the gradient of an image
            medians = table.row(f"{name} {way}", {
                "mxcy": lambda f=ours[way]: f().wait_to_read(),
                "torch": torch.timer(f"{name}|{way}"),
                "mxnet": mxnet.timer(f"{name}|{way}"),
            }, rounds=int(options.rounds or 7), rest=0.01)  # fmt: skip
            rate = operations(name) / medians["mxcy"] * 1e-9
            print(f"  {'':34s} {rate:.0f} GFLOP/s, error {accuracy(name, way, ours[way]()):.1e}", flush=True)
    torch.close()
    mxnet.close()
    finish(options, table)


if __name__ == "__main__":
    main()
