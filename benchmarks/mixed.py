"""Do imperative updates between runs of a graph cost at most 1.05x of the update inside the graph?

    python benchmarks/mixed.py [--json FILE]

A perceptron, 784-width-64-10. *Inside*: sgd_update is an output of the graph for each parameter. *Mixed*:
`w -= eta * g` on the bound arrays after backward. A turn is many steps and the wait for the last one.
"""

from __future__ import annotations

import numpy as np
from _turns import Table, arguments, finish, seconds

import mxcy as mx

ETA = 1e-3
STEPS = 50


def network(width):
    net = mx.sym.Variable("data")
    for size in (width, 64):
        net = mx.sym.Activation(mx.sym.FullyConnected(net, num_hidden=size), act_type="relu")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=10), name="softmax")


def bound(batch, width):
    """An executor with gradients of the parameters, and their names."""
    net = network(width)
    names = [name for name in net.list_arguments() if name not in ("data", "softmax_label")]
    requests = {name: "write" if name in names else "null" for name in net.list_arguments()}
    executor = net.simple_bind(mx.cpu(), grad_req=requests, data=(batch, 784), softmax_label=(batch,))
    rng = np.random.default_rng(0)
    for name, array in executor.arg_dict.items():
        if name == "softmax_label":
            array[:] = rng.integers(0, 10, batch)
        else:
            array[:] = rng.standard_normal(array.shape) * 0.05
    return executor, names


def updates(names):
    """A graph of the updates of all parameters."""
    pairs = [(mx.sym.Variable(name), mx.sym.Variable(f"{name}_grad")) for name in names]
    return mx.sym.Group([mx.sym.sgd_update(weight, gradient, lr=ETA) for weight, gradient in pairs])


def inside(batch, width):
    executor, names = bound(batch, width)
    arrays = {name: executor.arg_dict[name] for name in names}
    arrays |= {f"{name}_grad": executor.grad_dict[name] for name in names}
    update = updates(names).bind(mx.cpu(), arrays)
    weights = [executor.arg_dict[name] for name in names]

    def steps():
        for _ in range(STEPS):
            executor.forward_backward()
            for weight, new in zip(weights, update.forward(), strict=True):
                new.copyto(weight)
        mx.nd.waitall()

    return steps


def mixed(batch, width):
    executor, names = bound(batch, width)
    pairs = [(executor.arg_dict[name], executor.grad_dict[name]) for name in names]

    def steps():
        for _ in range(STEPS):
            executor.forward_backward()
            for weight, gradient in pairs:
                weight -= ETA * gradient
        mx.nd.waitall()

    return steps


def main():
    options = arguments(__doc__)
    table = Table(f"{STEPS} training steps of a perceptron 784-width-64-10")
    for batch, width in ((64, 128), (256, 512), (512, 1024)):
        programs = {"mixed": mixed(batch, width), "inside": inside(batch, width)}
        timers = {name: (lambda steps=steps: seconds(steps)) for name, steps in programs.items()}
        for timer in timers.values():
            timer.is_timer = True
        table.row(f"batch {batch}, width {width}", timers, rounds=9)
    finish(options, table)


if __name__ == "__main__":
    main()
