"""Lloyd's k-means (1982) with the starts of k-means++ (Arthur and Vassilvitskii 2007).

    python examples/numpy/kmeans.py [points] [clusters]
"""

import sys

import mxcy.numpy as np


def squared_distances(points, centres):
    """(points, centres) squared distances by |x|^2 - 2xy + |y|^2."""
    cross = points @ centres.T
    return (points**2).sum(axis=1)[:, None] - 2 * cross + (centres**2).sum(axis=1)


def starts(points, clusters, rng):
    """Points far from each other, drawn by their squared distance to those there are."""
    centres = points[rng.integers(len(points), size=1)]
    for _ in range(clusters - 1):
        nearest = np.maximum(squared_distances(points, centres).min(axis=1), 0)
        chosen = np.searchsorted(np.cumsum(nearest), rng.random() * nearest.sum())
        centres = np.concatenate([centres, points[chosen][None]])
    return centres


def main(number=20000, clusters=8, rounds=20):
    """Return centres, labels and the sum of squared distances."""
    rng = np.random.default_rng(5)
    true = rng.uniform(-10, 10, (clusters, 8))
    points = true[rng.integers(clusters, size=number)] + rng.standard_normal((number, 8))
    centres = starts(points, clusters, rng)
    for _ in range(rounds):
        labels = squared_distances(points, centres).argmin(axis=1)
        counts = np.bincount(labels, minlength=clusters)
        sums = np.zeros_like(centres)
        np.add.at(sums, labels, points)
        moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres)
        if np.allclose(moved, centres):
            break
        centres = moved
    distances = squared_distances(points, centres)
    labels = distances.argmin(axis=1)
    return centres, labels, float(np.take_along_axis(distances, labels[:, None], axis=1).sum())


if __name__ == "__main__":
    centres, labels, inertia = main(*(int(text) for text in sys.argv[1:]))
    print(f"sizes {np.sort(np.bincount(labels))}, sum of squared distances {inertia:.2f}")
