"""What binding a graph costs per node, and the memory that each strategy plans.

    python benchmarks/planning.py [--nodes 1000 10000 100000]

Memory is that of results: arguments and their gradients are the user's arrays, and not counted.
"""

from __future__ import annotations

import argparse
import time

import mxcy as mx

sym = mx.sym
STRATEGIES = ("none", "inplace", "coshare", "both")


def chain(length: int) -> mx.sym.Symbol:
    """Alternating nodes that can be fused and nodes that cannot."""
    net = sym.Variable("x")
    for number in range(length // 2):
        net = sym.softmax(sym.tanh(net, name=f"t{number}"), name=f"s{number}")
    return net


def perceptron(batch: int) -> tuple[mx.sym.Symbol, dict]:
    net = sym.Variable("data")
    for width in (128, 64):
        net = sym.Activation(sym.FullyConnected(net, num_hidden=width), act_type="relu")
    net = sym.FullyConnected(net, num_hidden=10)
    return sym.SoftmaxOutput(net, name="softmax"), {"data": (batch, 784)}


def deep(batch: int, blocks: int = 32) -> tuple[mx.sym.Symbol, dict]:
    """Residual blocks of a product and several elementwise operators."""
    net = sym.Variable("data")
    for _ in range(blocks):
        branch = sym.FullyConnected(net, num_hidden=256)
        gate = sym.sigmoid(sym.FullyConnected(net, num_hidden=256))
        net = sym.tanh(branch * gate) + net * 0.5
    return sym.MakeLoss(sym.sum(sym.square(net), axis=1)), {"data": (batch, 256)}


def memory() -> None:
    print(f"{'MiB':<28}" + "".join(f"{name:>10}" for name in STRATEGIES) + f"{'live set':>10}")
    for label, (net, shapes) in (("perceptron", perceptron(64)), ("32 residual blocks", deep(64))):
        for train in (False, True):
            for fusion in (False, True):
                plans = [net.memory(shapes, train, strategy=name, fusion=fusion) for name in STRATEGIES]
                sizes = [plan.total / 2**20 for plan in plans] + [plans[-1].largest_live / 2**20]
                kind = f"{label}, {'training' if train else 'prediction'}{', fused' if fusion else ''}"
                print(f"{kind:<28}\n{'':<28}" + "".join(f"{size:>10.3f}" for size in sizes))


def linear(lengths: list[int]) -> None:
    small = chain(100)  # what a process does once, such as importing passes, is no part of the cost of a node
    small.memory({"x": (2, 3)})
    small.simple_bind(mx.cpu(), x=(2, 3))
    print(f"\n{'nodes':>8} {'plan µs/node':>14} {'bind forward':>14} {'bind with gradient':>20}")
    for length in lengths:
        net = chain(length)
        costs = []
        for call in (
            lambda net=net: net.memory({"x": (2, 3)}),
            lambda net=net: net.simple_bind(mx.cpu(), grad_req="null", x=(2, 3)),
            lambda net=net: net.simple_bind(mx.cpu(), x=(2, 3)),
        ):
            begin = time.perf_counter()
            call()
            costs.append((time.perf_counter() - begin) / length * 1e6)
        print(f"{length:>8} {costs[0]:>14.1f} {costs[1]:>14.1f} {costs[2]:>20.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1000, 10_000, 100_000])
    arguments = parser.parse_args()
    memory()
    linear(arguments.nodes)


if __name__ == "__main__":
    main()
