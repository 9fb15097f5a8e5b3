"""How long do calls of operators on small arrays take, beside NumPy's and MXNet's?

python benchmarks/operator_calls.py [--json FILE] [--rows TEXT]

Arrays have 4 to 16 elements, so that what is measured is the way to the work and not the work. MXNet's time
is that of the push alone. NumPy's contender copies where ours does, and is left out where it has no such
function.
"""

from __future__ import annotations

import sys

import numpy as np
from _turns import Peer, Table, arguments, finish, serve

LOOPS = 1000
ROUNDS = 15

# name: (what an mxnet-like library does, what NumPy does or None)
ROWS = {
    "elementwise": {
        "x + y, (4, 4) and (4,)": ("m + y", "m + y"),
        "x > y, (4, 4) and (4,)": ("m > y", "m > y"),
        "x + 2.5": ("x + 2.5", "x + f(2.5)"),
        "x + numpy.float32": ("x + f(2.5)", "x + f(2.5)"),
        "maximum(x, 2.0)": ("nd.maximum(x, 2.0)", "np.maximum(x, f(2))"),
        "add(x, y, out=z)": ("nd.broadcast_add(m, y, out=z)", "np.add(m, y, out=z)"),
        "exp": ("nd.exp(x)", "np.exp(x)"),
        "relu": ("nd.relu(x)", "np.maximum(x, f(0))"),
        "clip": ("nd.clip(x, 0.0, 1.0)", "np.clip(x, f(0), f(1))"),
        "where": ("nd.where(m, m, m)", "np.where(m, m, m)"),
    },
    "reductions": {
        "sum()": ("m.sum()", "m.sum()"),
        "sum(axis=1)": ("m.sum(axis=1)", "m.sum(axis=1)"),
        "mean(axis=1)": ("m.mean(axis=1)", "m.mean(axis=1)"),
        "max()": ("m.max()", "m.max()"),
        "norm()": ("m.norm()", "np.linalg.norm(m)"),
        "argmax(axis=1)": ("m.argmax(axis=1)", "m.argmax(axis=1)"),
    },
    "shapes and types": {
        "x.T": ("m.T", "m.T.copy()"),
        "x.reshape": ("m.reshape((2, 8))", "m.reshape((2, 8))"),
        "nd.reshape": ("nd.reshape(m, shape=(2, 8))", "m.reshape((2, 8)).copy()"),
        "expand_dims": ("m.expand_dims(axis=0)", "np.expand_dims(m, 0).copy()"),
        "flatten": ("m.flatten()", "m.flatten()"),
        "slice_axis": ("m.slice_axis(axis=0, begin=1, end=3)", "m[1:3].copy()"),
        "astype": ("m.astype('float64')", "m.astype('float64')"),
        "concat": ("nd.concat(m, m, dim=0)", "np.concatenate((m, m))"),
        "stack": ("nd.stack(m, m, axis=0)", "np.stack((m, m))"),
        "split": ("nd.split(m, num_outputs=2, axis=0)", "[part.copy() for part in np.split(m, 2)]"),
        "asnumpy": ("m.asnumpy()", "m.copy()"),
    },
    "products and layers": {
        "dot": ("nd.dot(m, m)", "np.dot(m, m)"),
        "batch_dot": ("nd.batch_dot(b, b)", "np.matmul(b, b)"),
        "FullyConnected": ("nd.FullyConnected(m, m, y, num_hidden=4)", "m @ m.T + y"),
        "Activation": ("nd.Activation(m, act_type='relu')", "np.maximum(m, f(0))"),
        "softmax": ("nd.softmax(m)", "softmax(m)"),
        "SoftmaxOutput": ("nd.SoftmaxOutput(m, rows)", "softmax(m)"),
        "sgd_mom_update": ("nd.sgd_mom_update(m, m, z, lr=0.001, momentum=0.9, out=w)", None),
    },
    "indexing": {
        "x[1]": ("m[1]", "m[1]"),
        "x[[1, 2, 3]]": ("m[[1, 2, 3]]", "m[[1, 2, 3]]"),
        "x[i]": ("m[i]", "m[i]"),
        "x[1] = 2.0": ("m.__setitem__(1, 2.0)", "m.__setitem__(1, 2.0)"),
        "x[[1, 2]] = 2.0": ("m.__setitem__([1, 2], 2.0)", "m.__setitem__([1, 2], 2.0)"),
        "take": ("nd.take(m, i)", "np.take(m, i, axis=0)"),
        "one_hot": ("nd.one_hot(rows, depth=4)", None),
        "pick": ("nd.pick(m, rows)", None),
    },
    "new arrays": {
        "zeros": ("nd.zeros((4, 4))", "np.zeros((4, 4), 'f')"),
        "ones": ("nd.ones((4, 4))", "np.ones((4, 4), 'f')"),
        "full": ("nd.full((4, 4), 2.0)", "np.full((4, 4), 2.0, 'f')"),
        "array of a list": ("nd.array([1, 2, 3])", "np.array([1, 2, 3], 'f')"),
        "random.uniform": ("nd.random.uniform(0, 1, (4, 4))", "np.random.uniform(0, 1, (4, 4))"),
    },
}  # fmt: skip


def softmax(x):
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def operands(array):
    """The names that rows use, as arrays made by `array`."""
    square = np.linspace(0.5, 1, 16, dtype="f4").reshape(4, 4)
    return {
        "np": np,
        "f": np.float32,
        "softmax": softmax,
        "x": array(np.linspace(0.5, 1, 16, dtype="f4")),
        "m": array(square),
        "y": array(square[0].copy()),
        "b": array(square.reshape(1, 4, 4).copy()),
        "z": array(np.zeros((4, 4), "f4")),
        "w": array(np.zeros((4, 4), "f4")),
        "rows": array(np.arange(4, dtype="f4")),
    }


def function(expression, names):
    return eval("lambda: " + expression, names)  # the rows above are all that comes here


def of_library(library):
    """Functions of an MXNet-like library by the names of rows."""
    names = operands(library.nd.array) | {"nd": library.nd, "i": library.nd.array([1, 2, 3], dtype="int64")}
    return {name: function(row[0], names) for rows in ROWS.values() for name, row in rows.items()}


def of_numpy():
    names = operands(np.array) | {"i": np.array([1, 2, 3])}
    return {
        name: function(row[1], names) if row[1] else None
        for rows in ROWS.values()
        for name, row in rows.items()
    }


def peer():
    import mxnet

    serve({name: (call, LOOPS) for name, call in of_library(mxnet).items()})


def main():
    wanted = ""
    if "--rows" in sys.argv:
        at = sys.argv.index("--rows")
        wanted = sys.argv[at + 1]
        del sys.argv[at : at + 2]
    options = arguments(__doc__)
    if options.peer:
        peer()
        return
    import mxcy

    mxnet = Peer("mxnet", __file__)
    ours, numpys, tables = of_library(mxcy), of_numpy(), []
    for title, rows in ROWS.items():
        chosen = [name for name in rows if wanted in name]
        if chosen:
            tables.append(Table(title, "us"))
        for name in chosen:
            contenders = {"mxcy": ours[name], "numpy": numpys[name], "mxnet": mxnet.timer(name)}
            tables[-1].row(name, contenders, LOOPS, ROUNDS)
    mxnet.close()
    finish(options, *tables)


if __name__ == "__main__":
    main()
