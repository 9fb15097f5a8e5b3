"""Are sums of 10^7 and of (3000, 3000) along either axis at least 1.5x as fast as NumPy's, on two threads?

python benchmarks/reductions.py [--json FILE]
"""

from __future__ import annotations

import numpy as np
from _turns import Peer, Table, arguments, finish, serve

SHAPES = {
    "(10^7,)": ((10_000_000,), None), "(3000, 3000) axis 0": ((3000, 3000), 0),
    "(3000, 3000) axis 1": ((3000, 3000), 1), "(10^6, 3) axis 0": ((1_000_000, 3), 0),
    "(10^6, 3) axis 1": ((1_000_000, 3), 1), "(10^5, 16) axis 1": ((100_000, 16), 1),
    "(200, 300, 100) axis 1": ((200, 300, 100), 1),
}  # fmt: skip

LOOPS = 10  # calls of one contender before the next has its turn


def array(shape):
    return np.random.default_rng(0).random(shape, np.float32)


def peer():
    import torch

    torch.set_num_threads(2)
    functions = {}
    for name, (shape, axis) in SHAPES.items():
        x = torch.from_numpy(array(shape))
        functions[name] = (lambda x=x, axis=axis: x.sum() if axis is None else x.sum(axis), LOOPS)
    serve(functions)


def main():
    options = arguments(__doc__)
    if options.peer:
        peer()
        return
    from mxcy._pointwise import compile_program
    from mxcy._reduce import arg_reduce, reduce

    from mxcy import _array

    torch = Peer("torch", __file__)
    tables = [Table("float32 sums")]
    for name, (shape, axis) in SHAPES.items():
        a = array(shape)
        x = _array.from_numpy(a)
        tables[0].row(name, {
            "mxcy": lambda x=x, axis=axis: reduce(np.add, x, axis).wait_to_read(),
            "numpy": lambda a=a, axis=axis: a.sum(axis), "torch": torch.timer(name),
        }, LOOPS)  # fmt: skip
    torch.close()
    a = array((3000, 3000))
    x = _array.from_numpy(a)
    tables.append(Table("other reductions of (3000, 3000)"))
    square = compile_program(1, [(np.multiply, [0, 0])], [1], [11])
    for axis in (0, 1):
        tables[1].row(f"max, axis {axis}", {
            "mxcy": lambda axis=axis: reduce(np.maximum, x, axis).wait_to_read(),
            "numpy": lambda axis=axis: a.max(axis),
        }, LOOPS)  # fmt: skip
        tables[1].row(f"sum of squares, axis {axis}", {
            "mxcy": lambda axis=axis: reduce(np.add, x, axis, pre=square).wait_to_read(),
            "numpy": lambda axis=axis: (a * a).sum(axis),
        }, LOOPS)  # fmt: skip
        tables[1].row(f"argmax, axis {axis}", {
            "mxcy": lambda axis=axis: arg_reduce("argmax", x, axis).wait_to_read(),
            "numpy": lambda axis=axis: a.argmax(axis),
        }, LOOPS)  # fmt: skip
    finish(options, *tables)


if __name__ == "__main__":
    main()
