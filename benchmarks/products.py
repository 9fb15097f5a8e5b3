"""Are products at least 0.95x as fast as NumPy's, and two independent ones 1.7x as fast as with one worker?

    python benchmarks/products.py [--json FILE]

NumPy uses its own threads, of which one spins for about a tenth of a second after each product. So the large
products of NumPy are made in a process of their own, and each contender rests for longer than that before its
turn; a row of its own shows what a product of ours takes while that thread spins. The comparison with one
worker starts this script again, too.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
from _turns import Peer, Table, arguments, finish, serve

SIZES = (256, 512, 1024, 2048)


def matrices(n):
    rng = np.random.default_rng(n)
    return rng.random((n, n), np.float32), rng.random((n, n), np.float32)


def run(x, y):
    from mxcy._matmul import matmul

    matmul(x, y).wait_to_read()


def two_products(x, y):
    """Two products of 1024^3 that do not depend on each other."""
    from mxcy._matmul import matmul

    first, second = matmul(x, y), matmul(y, x)
    first.wait_to_read()
    second.wait_to_read()


def peer(kind):
    if kind == "torch":
        import torch

        torch.set_num_threads(2)
        pairs = {str(n): tuple(torch.from_numpy(m) for m in matrices(n)) for n in SIZES}
        return serve({name: (lambda p=p: p[0] @ p[1], 1) for name, p in pairs.items()})
    if kind == "numpy":
        made = {str(n): (*matrices(n), np.empty((n, n), np.float32)) for n in SIZES}
        return serve({name: (lambda p=p: np.matmul(p[0], p[1], out=p[2]), 1) for name, p in made.items()})
    from mxcy import _array

    x, y = (_array.from_numpy(m) for m in matrices(1024))
    return serve({"two products": (lambda: two_products(x, y), 1)})


def main():
    options = arguments(__doc__)
    if options.peer:
        peer(options.peer)
        return
    from mxcy._matmul import matmul

    from mxcy import _array

    torch, numpy = Peer("torch", __file__), Again("numpy")
    table = Table("square float32 products")
    for n in SIZES:
        a, b = matrices(n)
        x, y = _array.from_numpy(a), _array.from_numpy(b)
        result = _array.empty((n, n), np.float32)
        table.row(f"{n}^3", {
            "mxcy": lambda x=x, y=y, result=result: matmul(x, y, out=result).wait_to_read(),
            "numpy": numpy.timer(str(n)),
            "torch": torch.timer(str(n)),
        }, rest=0.2)  # fmt: skip
    torch.close()
    numpy.close()
    a, b = matrices(1024)
    x, y = _array.from_numpy(a), _array.from_numpy(b)
    table.row("1024^3 in one process", {"mxcy": lambda: run(x, y), "numpy": lambda: a @ b}, rest=0.05)
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-9, 9, (400, 400), np.int32) for _ in range(2))
    x, y = _array.from_numpy(a), _array.from_numpy(b)
    table.row("int32 400^3", {"mxcy": lambda: matmul(x, y).wait_to_read(), "numpy": lambda: a @ b}, rounds=5)
    half = rng.random((300, 300)).astype("f2")
    h = _array.from_numpy(half)
    table.row(
        "float16 300^3", {"mxcy": lambda: matmul(h, h).wait_to_read(), "numpy": lambda: half @ half}, rounds=3
    )
    small = rng.random((1000, 8, 8), np.float32)
    s = _array.from_numpy(small)
    table.row("1000 of 8^3", {"mxcy": lambda: matmul(s, s).wait_to_read(), "numpy": lambda: small @ small})

    x, y = (_array.from_numpy(m) for m in matrices(1024))
    alone = Again("one", MXCY_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    table.row(
        "two products 1024^3",
        {"two workers": lambda: two_products(x, y), "one worker": alone.timer("two products")},
        rest=0.05,
    )
    alone.close()
    finish(options, table)


class Again(Peer):
    """This interpreter again, as another contender."""

    def __init__(self, kind, **environment):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--peer", kind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment},
        )  # fmt: skip


if __name__ == "__main__":
    main()
