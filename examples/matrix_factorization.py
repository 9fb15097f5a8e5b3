"""Factor a large sparse matrix: how often words of English prose stand near each other.

    python examples/matrix_factorization.py

The text is the reference of the Python language, which comes with Python. Of its most frequent words the
logarithms of the counts of pairs within five words of each other are approximated by products of two short
vectors and a number for each word (Pennington, Socher and Manning 2014). The vectors are embeddings with
`sparse_grad`: a batch changes only the rows of the words in it. A tenth of the pairs is kept back; the
program ends with an error unless their error is much smaller than that of the best sum of numbers for rows
and columns. Needs no packages and no network.
"""

import os
import re
import time
from collections import Counter

import numpy as np

import mxcy as mx
from mxcy import autograd, gluon, nd

SHORT = os.environ.get("MXCY_EXAMPLE_SHORT", "0") not in ("", "0")
WORDS, DIMENSIONS, EPOCHS = (1000, 16, 3) if SHORT else (5000, 48, 12)
REQUIRED = 0.95 if SHORT else 0.85  # of the error without vectors
BATCH, WINDOW = 4096, 5


def pairs():
    """Return (words, rows, columns, logarithms of counts) of pairs of frequent words in the text."""
    from pydoc_data.topics import topics

    text = " ".join(topics[name] for name in sorted(topics))
    tokens = re.findall(r"[a-z]+", text.lower())
    words = [word for word, _ in Counter(tokens).most_common(WORDS)]
    number = {word: i for i, word in enumerate(words)}
    ids = np.array([number.get(token, -1) for token in tokens])
    found, weights = [], []
    for distance in range(1, WINDOW + 1):
        left, right = ids[:-distance], ids[distance:]
        known = (left >= 0) & (right >= 0)
        found.append(left[known] * WORDS + right[known])
        weights.append(np.full(known.sum(), 1 / distance))
    keys, places = np.unique(np.concatenate(found), return_inverse=True)
    counts = np.bincount(places, np.concatenate(weights))
    rows, columns = np.divmod(keys, WORDS)
    return words, rows, columns, np.log(counts).astype(np.float32)


class Factors(gluon.HybridBlock):
    """Vectors and numbers for the rows and the columns of a matrix; called with places, it gives elements."""

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
        """The elements in these rows and columns."""
        product = F.sum(self.left(row) * self.right(column), axis=1)
        numbers = F.reshape(self.of_row(row) + self.of_column(column), shape=(-1,))
        return product + numbers + self.mean


def error(model, data):
    """The root of the mean squared error."""
    row, column, value = data
    return float(np.sqrt(np.mean((model(nd.array(row), nd.array(column)).asnumpy() - value) ** 2)))


def trained(train, test, dimensions):
    """Return a model, and its error on the pairs that were kept back."""
    mx.random.seed(1)
    model = Factors(WORDS, WORDS, dimensions, float(train[2].mean()))
    model.initialize()
    model.hybridize()
    trainer = gluon.Trainer(model.collect_params(), "adagrad", {"learning_rate": 0.1})
    loss_of = gluon.loss.L2Loss()
    generator = np.random.default_rng(0)
    for epoch in range(EPOCHS):
        start, total = time.perf_counter(), 0.0
        order = generator.permutation(len(train[2]))
        batches = [order[i : i + BATCH] for i in range(0, len(order) - BATCH + 1, BATCH)]
        for batch in batches:
            row, column, value = (nd.array(part[batch]) for part in train)
            with autograd.record():
                loss = loss_of(model(row, column), value)
            loss.backward()
            trainer.step(1)
            total += float(loss.mean().asscalar())
        seconds = time.perf_counter() - start
        print(f"  epoch {epoch + 1:2}: loss {total / len(batches):.4f}, {seconds:.1f} s")
    return model, error(model, test)


def nearest(model, words, word, count=5):
    """The words whose vectors point in the same direction."""
    vectors = model.left.weight.data().asnumpy()
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    order = np.argsort(-vectors @ vectors[words.index(word)])
    return [words[i] for i in order[1 : count + 1]]


def main():
    words, rows, columns, values = pairs()
    order = np.random.default_rng(0).permutation(len(values))
    parts = np.split(order, [len(order) // 10])
    test, train = ((rows[part], columns[part], values[part]) for part in parts)
    filled = 100 * len(values) / WORDS**2
    print(f"{len(values):,} pairs of {WORDS} words: {filled:.2f} % of the matrix")
    print("numbers for rows and columns:")
    _, plain = trained(train, test, 1)
    print(f"vectors of {DIMENSIONS}:")
    model, found = trained(train, test, DIMENSIONS)
    print(f"error of pairs that were kept back: {found:.4f} with vectors, {plain:.4f} with next to none")
    gradient = model.left.weight.grad()
    print(f"rows in the last gradient: {gradient.indices.shape[0]} of {WORDS} ({gradient.stype})")
    for word in ("list", "integer", "class", "raise"):
        print(f"near {word}: {', '.join(nearest(model, words, word))}")
    if found > REQUIRED * plain:
        raise SystemExit(f"the error is more than {REQUIRED} of that without vectors")


if __name__ == "__main__":
    main()
