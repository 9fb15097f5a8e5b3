"""Do chains of imperative operations on 10^7 float32 take at most 0.35x NumPy's time?

    python benchmarks/chains.py [--json FILE]

Operations are pushed one by one; a worker runs in one pass those that are pending when it takes one.
"unfused" is the same in another process with MXCY_FUSION=0. `x` is the array's module (`mx.nd` or NumPy).
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
from _turns import Peer, Table, arguments, finish, seconds, serve

N = 10_000_000


def linear(x, a, b):
    """Five cheap operations."""
    y = a * b
    y = y + a
    y = y * 0.5
    y = y - b
    return y + 1.0


def activations(x, a, b):
    """Eight operations, two of them transcendental."""
    y = a * 0.7
    y = y + b
    y = x.tanh(y)
    y = y * y
    y = 1.0 - y
    y = x.exp(y)
    y = y * a
    return y + b


def in_place(x, a, b):
    """Six operations on one array."""
    y = a + b
    y *= 0.5
    y -= a
    y *= b
    y += 1.0
    y /= 3.0
    return y


def expression(x, a, b):
    """Two branches that meet."""
    return x.sqrt(a * a + b * b) * 0.5 + x.tanh(a)


def kept(x, a, b):
    """Five operations whose results all stay."""
    one = a * b
    two = one + a
    three = two * 0.5
    four = three - b
    return one, two, three, four, four + 1.0


CHAINS = [linear, activations, in_place, expression, kept]


def functions():
    import mxcy as mx

    rng = np.random.default_rng(0)
    a, b = (mx.nd.array(rng.random(N, np.float32)) for _ in range(2))

    def waits(chain):
        def call():
            result = chain(mx.nd, a, b)
            mx.nd.waitall()
            return result

        return call

    return {chain.__name__: waits(chain) for chain in CHAINS}


class Unfused(Peer):
    """This script in a process without fusion."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--peer", "unfused"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "MXCY_FUSION": "0"},
        )  # fmt: skip


def main():
    options = arguments(__doc__)
    ours = functions()
    if options.peer:
        serve({name: (function, 1) for name, function in ours.items()})
        return
    rng = np.random.default_rng(0)
    a, b = (rng.random(N, np.float32) for _ in range(2))
    unfused = Unfused()
    table = Table("chains of operations on 10^7 float32")
    for chain in CHAINS:
        found, expected = ours[chain.__name__](), chain(np, a, b)
        pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
        assert all(np.array_equal(x.asnumpy(), y) for x, y in pairs), "not NumPy's bits"
        del found, expected, pairs
        name = chain.__name__

        def in_numpy(chain=chain):
            return seconds(lambda: chain(np, a, b))

        in_numpy.is_timer = True
        row = table.row(name, {
            "mxcy": ours[name], "numpy": in_numpy, "unfused": unfused.timer(name),
        }, rounds=9)  # fmt: skip
        print(f"    {row['mxcy'] / row['numpy']:.2f} of NumPy's time")
    unfused.close()
    finish(options, table)


if __name__ == "__main__":
    main()
