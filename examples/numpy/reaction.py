"""Gray and Scott's reaction of two substances that diffuse (Pearson 1993), on a torus.

    python examples/numpy/reaction.py [size] [steps]
"""

import sys

import mxcy.numpy as np


def laplacian(field):
    """Five-point stencil with periodic borders."""
    return (
        np.roll(field, 1, axis=0)
        + np.roll(field, -1, axis=0)
        + np.roll(field, 1, axis=1)
        + np.roll(field, -1, axis=1)
        - 4 * field
    )


def main(size=256, steps=100, feed=0.0367, kill=0.0649, diffusion=(0.16, 0.08)):
    """Return the two concentrations after the steps."""
    rng = np.random.default_rng(3)
    u = np.ones((size, size), dtype=np.float32)
    v = np.zeros((size, size), dtype=np.float32)
    middle = slice(size // 2 - size // 16, size // 2 + size // 16)
    u[middle, middle] = 0.5
    v[middle, middle] = 0.25
    u += 0.02 * rng.random((size, size), dtype=np.float32)
    for _ in range(steps):
        reaction = u * v * v
        u += diffusion[0] * laplacian(u) - reaction + feed * (1 - u)
        v += diffusion[1] * laplacian(v) + reaction - (feed + kill) * v
    return u, v


if __name__ == "__main__":
    u, v = main(*(int(text) for text in sys.argv[1:]))
    print(f"u {float(u.mean()):.6f}, v {float(v.mean()):.6f}, cells with v > 0.2: {int(np.sum(v > 0.2))}")
