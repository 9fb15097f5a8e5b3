"""Tell brick, grass and gravel from pieces of three photos, with augmentation.

    python examples/textures.py

Pieces to train with come from the upper parts of the photos, pieces to test with from the lower parts, so
that nothing is seen twice; those to train with are flipped, and made lighter or darker, at random. Ends with
an error if too few pieces are told. Needs the package scikit-image, which holds the photos; no network.
MXCY_EXAMPLE_SHORT=1 trains for less.
"""

import os
import sys
import time

import numpy as np

import mxcy as mx
from mxcy import autograd, gluon
from mxcy.gluon import nn
from mxcy.gluon.data.vision import transforms

SHORT = os.environ.get("MXCY_EXAMPLE_SHORT", "0") not in ("", "0")
EPOCHS = 3 if SHORT else 10
PIECES = 150 if SHORT else 600  # of each photo
REQUIRED = 0.7 if SHORT else 0.9
SIZE, BATCH = 32, 50
NAMES = ("brick", "grass", "gravel")


def pieces(count, rows, seed):
    """Return (pieces, numbers of their photos): `count` squares of each photo, between two rows."""
    from skimage import data

    generator = np.random.default_rng(seed)
    found, labels = [], []
    for label, name in enumerate(NAMES):
        photo = getattr(data, name)()
        for _ in range(count):
            y = generator.integers(rows[0], rows[1] - SIZE)
            x = generator.integers(0, photo.shape[1] - SIZE)
            piece = photo[y : y + SIZE, x : x + SIZE].astype(np.float32)
            piece = (piece - piece.mean()) / (piece.std() + 1)  # not by how light a photo is
            found.append(np.clip(128 + 40 * piece, 0, 255)[:, :, None].astype(np.uint8))
            labels.append(label)
    return np.array(found), np.array(labels, np.float32)


def loader(pictures, labels, augment):
    """Return a loader of batches of (piece, label)."""
    steps = [transforms.ToTensor(), transforms.Normalize(0.5, 0.15)]
    if augment:
        steps = [transforms.RandomFlipLeftRight(), transforms.RandomFlipTopBottom(),
                 transforms.RandomBrightness(0.2), *steps]  # fmt: skip
    data = gluon.data.ArrayDataset(mx.nd.array(pictures, dtype="uint8"), labels)
    data = data.transform_first(transforms.Compose(steps))
    return gluon.data.DataLoader(data, BATCH, shuffle=augment)


def network():
    """Return a small convolutional network."""
    net = nn.HybridSequential()
    for channels in (16, 32, 64):
        net.add(nn.Conv2D(channels, 3, padding=1, use_bias=False), nn.BatchNorm(momentum=0.8))
        net.add(nn.Activation("relu"), nn.MaxPool2D(2))
    net.add(nn.GlobalAvgPool2D(), nn.Dense(len(NAMES)))
    return net


def accuracy(net, batches):
    """Return the share of pieces that are told."""
    metric = mx.metric.Accuracy()
    for x, y in batches:
        metric.update([y], [net(x)])
    return metric.get()[1]


def main():
    """Run the example; return the exit status."""
    mx.random.seed(1)
    np.random.seed(1)
    start = time.perf_counter()
    train = loader(*pieces(PIECES, (0, 352), 0), augment=True)
    test = loader(*pieces(100, (352, 512), 1), augment=False)
    net = network()
    net.initialize(mx.init.Xavier())
    net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.003})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    for epoch in range(EPOCHS):
        for x, y in train:
            with autograd.record():
                loss = loss_of(net(x), y)
            loss.backward()
            trainer.step(len(x))
        found = accuracy(net, test)
        print(f"epoch {epoch + 1:2d}   test {found:7.2%}   {time.perf_counter() - start:5.1f} s")
    if found < REQUIRED:
        print(f"textures: expected at least {REQUIRED:.0%} of the pieces, got {found:.2%}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
