"""Is training through Module and Gluon at least 2.5x as fast as MXNet's, and the store 1.2x?

    python benchmarks/training.py [--json FILE]

784-128-64-10, batch 64, SGD with momentum 0.9. Module.fit is an epoch of 100 batches with the metric; Gluon
is 100 steps, hybridised and eager (wanted: 1.3x PyTorch eager). The store adds up 25 million floats of four
devices and copies the sum to one (wanted: level with PyTorch's sums in one process, 1.2x MXNet's "local").
A step of a perceptron 784-512-512-10 with pull and push of all parameters is to take at most 1.1x the step
alone; a two-layer LSTM (hidden 256, sequence 35, batch 32) forward and backward at most 1.5x MXNet's time.
"""

from __future__ import annotations

import logging
from itertools import pairwise

import numpy as np
from _turns import Peer, Table, arguments, finish, serve

BATCH, WIDTHS = 64, (784, 128, 64, 10)
STEPS = 100
RATE = {"learning_rate": 1e-3, "momentum": 0.9}
FLOATS, DEVICES = 25_000_000, 4


def data(batches=1):
    rng = np.random.default_rng(0)
    return rng.random((BATCH * batches, WIDTHS[0]), np.float32), rng.integers(0, 10, BATCH * batches)


def fitted(mx):
    """An epoch of Module.fit."""
    logging.disable(logging.CRITICAL)
    net = mx.sym.Variable("data")
    for width in WIDTHS[1:-1]:
        net = mx.sym.Activation(mx.sym.FullyConnected(net, num_hidden=width), act_type="relu")
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=WIDTHS[-1]), name="softmax")
    images, labels = data(STEPS)
    batches = mx.io.NDArrayIter(images, labels.astype("f4"), BATCH)
    module = mx.mod.Module(net)

    def epoch():
        module.fit(batches, num_epoch=1, optimizer="sgd", optimizer_params=tuple(RATE.items()))
        mx.nd.waitall()

    return epoch


def gluon(mx, hybridize):
    """Steps of a Trainer."""
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    net.add(*[nn.Dense(width, activation="relu") for width in WIDTHS[1:-1]], nn.Dense(WIDTHS[-1]))
    net.initialize()
    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    if hybridize:
        net.hybridize(static_alloc=True, static_shape=True)
        loss.hybridize(static_alloc=True, static_shape=True)
    images, labels = data()
    x, y = mx.nd.array(images), mx.nd.array(labels)
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", dict(RATE))

    def steps():
        for _ in range(STEPS):
            with mx.autograd.record():
                value = loss(net(x), y)
            value.backward()
            trainer.step(BATCH)
        mx.nd.waitall()

    return steps


def store(mx):
    """A push of all devices and a pull."""
    kv = mx.kv.create("local")
    kv.init("w", mx.nd.zeros((FLOATS,)))
    parts = [mx.nd.ones((FLOATS,), ctx=mx.cpu(i)) for i in range(DEVICES)]
    out = mx.nd.zeros((FLOATS,))

    def exchange():
        kv.push("w", parts)
        kv.pull("w", out=out)
        mx.nd.waitall()

    return exchange


def step(mx, stored):
    """Forward and backward of a perceptron, with pull and push of every parameter if wanted."""
    net = mx.sym.Variable("data")
    for width in (512, 512):
        net = mx.sym.Activation(mx.sym.FullyConnected(net, num_hidden=width), act_type="relu")
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=WIDTHS[-1]), name="softmax")
    executor = net.simple_bind(mx.cpu(), data=(256, WIDTHS[0]), softmax_label=(256,))
    names = [name for name in net.list_arguments() if name not in ("data", "softmax_label")]
    weights, gradients = [[dict_[n] for n in names] for dict_ in (executor.arg_dict, executor.grad_dict)]
    kv = mx.kv.create("local")
    kv.init(names, weights)

    def run():
        for _ in range(10):
            if stored:
                for i, (name, weight) in enumerate(zip(names, weights, strict=True)):
                    kv.pull(name, out=weight, priority=-i)
            executor.forward(is_train=True)
            executor.backward()
            if stored:
                for i, (name, gradient) in enumerate(zip(names, gradients, strict=True)):
                    kv.push(name, gradient, priority=-i)
        mx.nd.waitall()

    return run


def recurrent(mx):
    """A two-layer LSTM, forward and backward."""
    layer = mx.gluon.rnn.LSTM(256, 2, input_size=256)
    layer.initialize()
    layer.hybridize()
    x = mx.nd.random.uniform(shape=(35, 32, 256))
    x.attach_grad()

    def run():
        with mx.autograd.record():
            y = layer(x)
        y.backward()
        mx.nd.waitall()

    return run


def programs(mx):
    return {
        "Module.fit": (fitted(mx), 1),
        "Gluon, hybridised": (gluon(mx, True), 1),
        "Gluon, eager": (gluon(mx, False), 1),
        "push and pull": (store(mx), 1),
        "LSTM": (recurrent(mx), 1),
        "10 steps": (step(mx, False), 1),
        "10 steps with a store": (step(mx, True), 1),
    }


def torch_programs():
    import torch

    torch.set_num_threads(2)
    layers = []
    for inputs, outputs in pairwise(WIDTHS):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    images, labels = data()
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE["learning_rate"], momentum=RATE["momentum"])
    loss = torch.nn.CrossEntropyLoss()

    def steps():
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss(net(x), y).backward()
            optimizer.step()

    parts = [torch.ones(FLOATS) for _ in range(DEVICES)]
    out = torch.zeros(FLOATS)

    def exchange():
        out.copy_(parts[0])
        for part in parts[1:]:
            out.add_(part)

    layer = torch.nn.LSTM(256, 256, 2)
    sequence = torch.rand(35, 32, 256, requires_grad=True)

    def lstm():
        layer.zero_grad()
        layer(sequence)[0].sum().backward()

    return {"Gluon, eager": (steps, 1), "push and pull": (exchange, 1), "LSTM": (lstm, 1)}


def main():
    options = arguments(__doc__)
    if options.peer == "torch":
        serve(torch_programs())
        return
    if options.peer:
        import mxnet

        serve(programs(mxnet))
        return
    import mxcy

    mxnet, torch = Peer("mxnet", __file__), Peer("torch", __file__)
    table = Table(f"{STEPS} steps of a perceptron; {FLOATS} floats from {DEVICES} devices")
    for name, (run, _) in programs(mxcy).items():
        others = {"mxnet": mxnet.timer(name)}
        if name in ("Gluon, eager", "push and pull", "LSTM"):
            others["torch"] = torch.timer(name)
        table.row(name, {"mxcy": run, **others}, rounds=7)
    alone, stored = [row["seconds"]["mxcy"] for row in table.rows[-2:]]
    print(f"  a step with the store takes {stored / alone:.2f}x the step alone")
    mxnet.close()
    torch.close()
    finish(options, table)


if __name__ == "__main__":
    main()
