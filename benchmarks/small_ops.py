"""Are operations on small arrays at most 0.4x NumPy's time, and 40x faster than MXNet's push?

python benchmarks/small_ops.py [--json FILE]
"""

from __future__ import annotations

import numpy as np
from _turns import Peer, Table, arguments, finish, serve

LOOPS = 2000
SIZES = (1, 100, 1000)


def cases(array):
    """Yield (name, function, loops) over arrays made by `array`."""
    for size in SIZES:
        values = np.linspace(0, 1, size, dtype="f4")
        a, b = array(values), array(values)
        yield f"a + b, {size}", lambda a=a, b=b: a + b, LOOPS
        c = array(values)

        def add_in_place(c=c, b=b):
            c += b

        yield f"a += b, {size}", add_in_place, LOOPS
        yield f"a * 2.5, {size}", lambda a=a: a * 2.5, LOOPS

    start, step = array(np.zeros(16, "f4")), array(np.full(16, 0.5, "f4"))

    def chain():
        x = start
        for _ in range(1000):
            x = x + step

    yield "chain of 1000 adds, 16", chain, 3
    a, b = array(np.ones((4, 3), "f4")), array(np.ones(3, "f4"))
    yield "a + b, (4, 3) and (3,)", lambda: a + b, LOOPS


def peer():
    import mxnet

    serve({name: (function, loops) for name, function, loops in cases(mxnet.nd.array)})


def main():
    options = arguments(__doc__)
    if options.peer:
        peer()
        return
    import mxcy

    table = Table("small operations, result ready; MXNet's time is that of the push alone", "us")
    mxnet = Peer("mxnet", __file__)
    ours, numpys = cases(mxcy.nd.array), cases(np.array)
    for (name, function, loops), (_, theirs, _) in zip(ours, numpys, strict=True):
        table.row(name, {"mxcy": function, "numpy": theirs, "mxnet": mxnet.timer(name)}, loops)
    mxnet.close()
    finish(options, table)


if __name__ == "__main__":
    main()
