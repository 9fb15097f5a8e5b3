"""Are products at least 0.95x as fast as NumPy's, and two independent ones 1.7x as fast as with one worker?

    python benchmarks/products.py [--json FILE]

NumPy uses its own threads. The comparison with one worker starts this script again for that.
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

    torch = Peer("torch", __file__)
    table = Table("square float32 products")
    for n in SIZES:
        a, b = matrices(n)
        x, y = _array.from_numpy(a), _array.from_numpy(b)
        result, target = _array.empty((n, n), np.float32), np.empty((n, n), np.float32)
        table.row(f"{n}^3", {
            "mxcy": lambda x=x, y=y, result=result: matmul(x, y, out=result).wait_to_read(),
            "numpy": lambda a=a, b=b, target=target: np.matmul(a, b, out=target),
            "torch": torch.timer(str(n)),
        }, rest=0.05)  # fmt: skip
    torch.close()
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
    alone = OneWorker()
    table.row(
        "two products 1024^3",
        {"two workers": lambda: two_products(x, y), "one worker": alone.timer("two products")},
        rest=0.05,
    )
    alone.close()
    finish(options, table)


class OneWorker(Peer):
    """This interpreter again, with one worker."""

    def __init__(self):
        environment = {**os.environ, "MXCY_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--peer", "one"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip


if __name__ == "__main__":
    main()
