"""Is sqrt(a*a+b*b)*0.5+tanh(a) on 10^7 floats as a Symbol at most 0.75x jax.jit and 0.5x torch.compile?

    python benchmarks/chain.py [--json FILE]

Two threads each. Also the first call against the second: there is no pause for compilation.
"""

from __future__ import annotations

import time
from functools import cache

import numpy as np
from _turns import Peer, Table, arguments, finish, serve

N = 10_000_000


def inputs():
    rng = np.random.default_rng(0)
    return rng.random(N, np.float32), rng.random(N, np.float32)


def jitted():
    import jax
    import jax.numpy as jnp

    a, b = map(jnp.array, inputs())
    function = jax.jit(lambda a, b: jnp.sqrt(a * a + b * b) * 0.5 + jnp.tanh(a))
    return lambda: function(a, b).block_until_ready()


def compiled():
    import torch

    torch.set_num_threads(2)
    a, b = map(torch.from_numpy, inputs())
    function = torch.compile(lambda a, b: torch.sqrt(a * a + b * b) * 0.5 + torch.tanh(a))
    return lambda: function(a, b)


def peer():
    made = cache(lambda build: build())
    serve({build.__name__: (lambda build=build: made(build)(), 1) for build in (jitted, compiled)})


def bound():
    """The chain on arrays, and the times of its first two calls."""
    import mxcy as mx

    a, b = mx.sym.Variable("a"), mx.sym.Variable("b")
    net = mx.sym.sqrt(a * a + b * b) * 0.5 + mx.sym.tanh(a)
    x, y = map(mx.nd.array, inputs())
    begin = time.perf_counter()
    executor = net.bind(mx.cpu(), {"a": x, "b": y})
    times = [time.perf_counter() - begin]

    def call():
        executor.forward()[0].wait_to_read()

    for _ in range(2):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return call, times


def main():
    options = arguments(__doc__)
    if options.peer:
        peer()
        return
    call, times = bound()
    print("bind {:.2f} ms, first call {:.2f} ms, second {:.2f} ms".format(*[t * 1e3 for t in times]))
    jax, torch = Peer("torch", __file__), Peer("torch", __file__)
    table = Table(f"sqrt(a*a+b*b)*0.5+tanh(a), {N:,} float32, two threads")
    row = {"mxcy": call, "jax.jit": jax.timer("jitted"), "torch.compile": torch.timer("compiled")}
    table.row("as a Symbol", row, rest=0.02)
    for process in (jax, torch):
        process.close()
    finish(options, table)


if __name__ == "__main__":
    main()
