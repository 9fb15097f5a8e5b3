"""Is a training step of a small perceptron at least 1.5x as fast as under jax.jit?

    python benchmarks/perceptron.py [--json FILE]

784-128-64-10, batch 64, SGD with momentum 0.9: forward, backward and update of arrays that are there
already. A turn is 200 steps and the wait for the last one. Wanted: 1.5x jax.jit, 2x PyTorch eager, 2.5x
MXNet 1.9.1.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
from _turns import Peer, Table, arguments, finish, seconds, serve

BATCH, WIDTHS = 64, (784, 128, 64, 10)
# A small rate: units that die leave momenta behind that shrink to subnormal numbers, which are slow.
RATE, MOMENTUM = 1e-3, 0.9
STEPS = 200


def data():
    """Images, labels, and for each layer weight and bias."""
    rng = np.random.default_rng(0)
    layers = [
        (rng.standard_normal((n, k)).astype("f4") * 0.05, np.zeros(n, "f4")) for k, n in pairwise(WIDTHS)
    ]
    return rng.random((BATCH, WIDTHS[0]), np.float32), rng.integers(0, 10, BATCH), layers


def symbolic(mx):
    """The step as a bound graph: mxcy and MXNet run the same program."""
    net = mx.sym.Variable("data")
    for width in WIDTHS[1:-1]:
        net = mx.sym.Activation(mx.sym.FullyConnected(net, num_hidden=width), act_type="relu")
    net = mx.sym.FullyConnected(net, num_hidden=WIDTHS[-1])
    net = mx.sym.SoftmaxOutput(net, name="softmax")
    images, labels, layers = data()
    requests = {n: "null" if n in ("data", "softmax_label") else "write" for n in net.list_arguments()}
    shapes = {"data": images.shape, "softmax_label": labels.shape}
    executor = net.simple_bind(mx.cpu(), grad_req=requests, **shapes)
    executor.arg_dict["data"][:] = images
    executor.arg_dict["softmax_label"][:] = labels.astype("f4")
    names = [n for n, request in requests.items() if request == "write"]
    for name, value in zip(names, [x for pair in layers for x in pair], strict=True):
        executor.arg_dict[name][:] = value
    optimizer = mx.optimizer.SGD(learning_rate=RATE, momentum=MOMENTUM, rescale_grad=1 / BATCH)
    updater = mx.optimizer.get_updater(optimizer)
    keys = list(range(len(names)))
    weights = [executor.arg_dict[name] for name in names]
    gradients = [executor.grad_dict[name] for name in names]

    def forward_backward():
        executor.forward(is_train=True)
        executor.backward()

    run = getattr(executor, "forward_backward", forward_backward)  # MXNet has it in Module only

    def steps():
        for _ in range(STEPS):
            run()
            if updater.aggregate_updates:
                updater(keys, gradients, weights)
            else:
                for key, gradient, weight in zip(keys, gradients, weights, strict=True):
                    updater(key, gradient, weight)
        mx.nd.waitall()

    return steps


def jitted():
    import jax
    import jax.numpy as jnp

    def loss(parameters, x, y):
        for weight, bias in parameters[:-1]:
            x = jax.nn.relu(x @ weight.T + bias)
        weight, bias = parameters[-1]
        return -jnp.mean(jax.nn.log_softmax(x @ weight.T + bias)[jnp.arange(BATCH), y])

    @jax.jit
    def step(parameters, moments, x, y):
        gradients = jax.grad(loss)(parameters, x, y)
        moments = jax.tree.map(lambda m, g: MOMENTUM * m - RATE * g, moments, gradients)
        return jax.tree.map(lambda p, m: p + m, parameters, moments), moments

    images, labels, layers = data()
    state = [jax.tree.map(jnp.array, layers), jax.tree.map(jnp.zeros_like, layers)]
    x, y = jnp.array(images), jnp.array(labels)

    def steps():
        for _ in range(STEPS):
            state[:] = step(*state, x, y)
        jax.block_until_ready(state)

    return steps


def eager():
    import torch

    images, labels, layers = data()
    modules = []
    for weight, bias in layers:
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight.data, linear.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
        modules += [linear, torch.nn.ReLU()]
    net = torch.nn.Sequential(*modules[:-1])
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM)
    x, y = torch.from_numpy(images), torch.from_numpy(labels)

    def steps():
        for _ in range(STEPS):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()

    return steps


def mxnet():
    import mxnet

    return symbolic(mxnet)


def peer():
    @cache
    def made(build):
        return build()

    serve({build.__name__: (lambda build=build: made(build)(), 1) for build in (jitted, eager, mxnet)})


def of_one_step(turn):
    """A timer of one step from a timer of a turn."""
    if turn is None:
        return None

    def timer():
        return turn() / STEPS

    timer.is_timer = True
    return timer


def main():
    options = arguments(__doc__)
    if options.peer:
        peer()
        return
    import mxcy

    steps = symbolic(mxcy)
    jax, torch, peer_mxnet = (Peer(name, __file__) for name in ("torch", "torch", "mxnet"))
    table = Table("one training step, 784-128-64-10, batch 64", "us")
    row = table.row("forward, backward, update", {
        "mxcy": of_one_step(lambda: seconds(steps)), "jax.jit": of_one_step(jax.timer("jitted")),
        "torch": of_one_step(torch.timer("eager")), "mxnet": of_one_step(peer_mxnet.timer("mxnet")),
    }, rounds=9, rest=0.25)  # fmt: skip
    print(f"  {BATCH / row['mxcy']:,.0f} samples/s")
    for process in (jax, torch, peer_mxnet):
        process.close()
    finish(options, table)


if __name__ == "__main__":
    main()
