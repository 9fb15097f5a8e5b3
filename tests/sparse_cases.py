"""Expressions of sparse arrays, evaluated by MXNet 1.9.1 (golden/make_sparse.py) and here.

In an expression `x` and `y` are arrays of the storage types that the row names, `d` a dense one, and `nd` and
`sparse` the modules. Each has a result, whose storage type and elements are compared.
"""

import numpy as np

ZERO_TO_ZERO = [
    "abs", "sign", "round", "rint", "ceil", "floor", "trunc", "fix", "square", "sqrt", "cbrt", "expm1",
    "log1p", "sin", "tan", "arcsin", "arctan", "degrees", "radians", "sinh", "tanh", "arcsinh", "arctanh",
    "relu", "negative", "identity", "BlockGrad", "make_loss", "zeros_like",
]  # fmt: skip
OTHERS = [
    "ones_like", "exp", "cos", "arccos", "sigmoid", "erf", "softsign", "softmax", "transpose", "Flatten",
    "max", "argmax",
]  # fmt: skip

ONE = [
    *[f"nd.{name}(x)" for name in ZERO_TO_ZERO + OTHERS],
    "nd.clip(x, -1, 0.4)", "nd.clip(x, 0, 1)",
    "x * 2", "2 * x", "x / 2", "x + 2", "x + 0", "x - 2", "x - 0", "2 - x", "x ** 2", "2 ** x", "x % 2", "-x",
    "nd.maximum(x, 0)", "nd.minimum(x, 0)", "x == 0", "x != 0", "x > 0", "x >= 1", "x < 0", "0 < x", "1 >= x",
    "nd.sum(x)", "nd.sum(x, axis=0)", "nd.sum(x, axis=1)", "nd.sum(x, axis=1, keepdims=True)",
    "nd.sum(x, axis=(0, 1))", "nd.sum(x, axis=-1)", "nd.sum(x, axis=0, exclude=True)", "nd.mean(x)",
    "nd.mean(x, axis=0)", "nd.mean(x, axis=1, keepdims=True)", "nd.norm(x)", "nd.norm(x, ord=1)",
    "nd.norm(x, axis=0)", "nd.prod(x, axis=0)",
    "nd.cast_storage(x, 'default')", "x.tostype('default')", "x.copy()", "x.astype('float64')", "x.T",
    "nd.cast(x, dtype='float64')", "nd.slice(x, begin=(1, 0), end=(3, 2))",
    "nd.slice(x, begin=(1,), end=(3,))",
    "nd.slice(x, begin=(0, 0), end=(3, 2), step=(1, 2))", "nd.slice_axis(x, axis=1, begin=0, end=2)",
    "nd.take(x, nd.array([0, 2, 2]))", "nd.take(x, nd.array([-1, 2, 9]), mode='wrap')",
    "nd.where(x, d, d * 2)", "nd.add_n(x, x, x)", "nd.stack(x, x)", "nd.concat(x, x, dim=0)",
    "nd.concat(x, x, dim=1)", "nd.contrib.quadratic(x, a=1, b=2, c=0)", "nd.contrib.quadratic(x, a=1, c=1)",
    "nd.broadcast_add(x, d[0:1])", "nd.broadcast_mul(x, d[0:1])", "nd.broadcast_mul(x, d[0])",
    "nd.broadcast_mul(x, d[:, 0:1])", "nd.broadcast_div(x, d[0:1])", "nd.broadcast_mul(x, d[0, 0:1])",
    "nd.broadcast_mul(d[0:1], x)", "nd.smooth_l1(x, scalar=1)",
    "nd.FullyConnected(x, d, no_bias=True, num_hidden=4)",
    "nd.LinearRegressionOutput(d, x)", "nd.elemwise_mul(x, d)", "nd.elemwise_mul(d, x)",
    "nd.elemwise_add(d, x)",
    "nd.elemwise_sub(x, d)", "nd.elemwise_div(x, d)", "nd._internal._scatter_plus_scalar(x, scalar=2)",
]  # fmt: skip
CSR = [
    "x[1:3]", "x[1]", "x[-1]", "x[:2]", "x[2:]", "nd.contrib.getnnz(x)", "nd.contrib.getnnz(x, axis=1)",
    "nd.contrib.edge_id(x, nd.array([0, 1, 2]), nd.array([0, 1, 2]))",
]  # fmt: skip
ROWS = [
    "sparse.retain(x, nd.array([0, 3]))", "sparse.retain(x, nd.array([1]))", "x.retain(nd.array([2, 3]))",
    "nd._internal._square_sum(x, axis=1)", "nd._internal._square_sum(x, axis=1, keepdims=True)",
    "nd._internal._square_sum(x, axis=0)", "nd._internal._square_sum(x, axis=0, keepdims=True)",
    "nd.Embedding(nd.array([[0, 3], [2, 1]]), x, input_dim=4, output_dim=3)",
]  # fmt: skip
TWO = [
    *[f"nd.elemwise_{name}(x, y)" for name in ("add", "sub", "mul")],
    *[f"nd.broadcast_{name}(x, y)" for name in ("add", "sub", "maximum", "power", "equal")],
    *[f"sparse.{name}(x, y)" for name in ("add", "subtract", "multiply")],
    "x + y", "x - y", "x ** y", "x == y", "x > y", "nd.add_n(x, y)", "nd.add_n(x, y, x)",
    "nd._internal._grad_add(x, y)",
    "nd.where(d > 0.3, x, y)",
]  # fmt: skip
FLAGS = [
    f"nd.dot(x, y, transpose_a={a}, transpose_b={b}{stype})"
    for a in (False, True)
    for b in (False, True)
    for stype in ("", ", forward_stype='default'", ", forward_stype='csr'", ", forward_stype='row_sparse'")
]
STYPES = ("default", "csr", "row_sparse")


def rows():
    """(expression, storage types of x and y) of all rows."""
    found = [(text, (stype,)) for stype in ("csr", "row_sparse") for text in ONE]
    found += [(text, ("csr",)) for text in CSR] + [(text, ("row_sparse",)) for text in ROWS]
    pairs = [(a, b) for a in STYPES for b in STYPES]
    found += [(text, pair) for text in TWO for pair in pairs]
    found += [(text, pair) for text in FLAGS for pair in pairs]
    return found


def operand(nd, stype, seed, shape=(4, 3)):
    """An array with zeros, and one row of them."""
    rng = np.random.RandomState(seed)
    values = rng.uniform(0.1, 0.9, shape) * (rng.uniform(size=shape) < 0.6)
    values[1] = 0
    return nd.array(values.astype(np.float32)).tostype(stype)


def evaluate(mx, text, stypes):
    """The result of a row."""
    shapes = [(4, 3), (4, 3)]
    if text.startswith("nd.dot"):
        flips = "transpose_a=True" in text, "transpose_b=True" in text
        shapes = [(3, 4) if flips[0] else (4, 3), (5, 3) if flips[1] else (3, 5)]
    names = {"nd": mx.nd, "sparse": mx.nd.sparse, "d": mx.nd.array(np.linspace(0.2, 1.3, 12).reshape(4, 3))}
    for name, stype, shape, seed in zip("xy", stypes, shapes, (1, 2), strict=False):
        names[name] = operand(mx.nd, stype, seed, shape)
    return eval(text, names)


# --- updates --------------------------------------------------------------------------------------------
OPTIMIZERS = [
    ("sgd", {}), ("sgd", {"momentum": 0.9}), ("sgd", {"momentum": 0.9, "lazy_update": False}),
    ("sgd", {"lazy_update": False}), ("sgd", {"momentum": 0.9, "clip_gradient": 0.3}), ("adam", {}),
    ("adam", {"lazy_update": False}), ("adam", {"clip_gradient": 0.3}), ("adagrad", {"wd": 0.0}),
    ("adagrad", {"wd": 0.0, "clip_gradient": 0.3}), ("ftrl", {}), ("ftrl", {"lamda1": 0.1}),
    ("groupadagrad", {"wd": 0.0}), ("rmsprop", {}), ("rmsprop", {"centered": True}),
    ("adadelta", {}), ("signum", {}), ("ftml", {}),
]  # fmt: skip


def updated(mx, name, params, stype):
    """A weight after three updates by gradients of some rows."""
    options = {"learning_rate": 0.1, "wd": 0.01, "rescale_grad": 0.5, **params}
    updater = mx.optimizer.get_updater(mx.optimizer.create(name, **options))
    weight = mx.nd.array(np.linspace(-1, 1, 15).reshape(5, 3)).tostype(stype)
    for step, rows in enumerate(([1, 3], [0, 3], [])):
        values = np.float32([[1, -2, 0.5]] * len(rows)).reshape(-1, 3) * (step + 1)
        grad = mx.nd.zeros((5, 3), stype="row_sparse")
        if rows:
            grad = mx.nd.sparse.row_sparse_array((values, rows), shape=(5, 3))
        updater(0, grad, weight)
    return weight
