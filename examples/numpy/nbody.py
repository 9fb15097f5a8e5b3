"""Bodies that attract each other: leapfrog steps (Verlet 1967) and how well energy is kept.

    python examples/numpy/nbody.py [bodies] [steps]
"""

import sys

import mxcy.numpy as np

SOFTENING = 0.05


def accelerations(position, mass):
    """Accelerations of (n, 3) positions, with G = 1."""
    offset = position[None, :, :] - position[:, None, :]
    inverse = (np.sum(offset * offset, axis=2) + SOFTENING**2) ** -1.5
    np.fill_diagonal(inverse, 0.0)
    return np.einsum("ijk,ij->ik", offset, inverse * mass)


def energy(position, velocity, mass):
    """Kinetic plus potential energy."""
    offset = position[None, :, :] - position[:, None, :]
    distance = np.sqrt(np.sum(offset * offset, axis=2) + SOFTENING**2)
    pairs = np.triu(mass[:, None] * mass / distance, 1)
    return 0.5 * np.sum(mass[:, None] * velocity**2) - pairs.sum()


def main(bodies=200, steps=50, dt=0.002):
    """Return the last positions and the relative change of the energy."""
    rng = np.random.default_rng(7)
    mass = rng.uniform(0.5, 1.5, bodies) / bodies
    position = rng.standard_normal((bodies, 3))
    velocity = 0.3 * rng.standard_normal((bodies, 3))
    velocity -= np.average(velocity, axis=0, weights=mass)
    start = energy(position, velocity, mass)
    acceleration = accelerations(position, mass)
    for _ in range(steps):
        velocity += 0.5 * dt * acceleration
        position += dt * velocity
        acceleration = accelerations(position, mass)
        velocity += 0.5 * dt * acceleration
    return position, float(abs(energy(position, velocity, mass) / start - 1))


if __name__ == "__main__":
    position, drift = main(*(int(text) for text in sys.argv[1:]))
    print(f"centre {np.round(position.mean(axis=0), 6)}, energy changed by {drift:.1e}")
