"""Random graphs of all operators: rows of the registry, joined where a row takes any numbers.

A row says with which shapes and attributes an operator works. An operand of such a row is an array of its
own, or a result of another row, brought to the shape and the range that the row asks for.
"""

import hashlib
import sys

import numpy as np
import ops_rows

import mxcy as mx

sym = mx.sym
FLOAT = np.dtype(np.float32)


def usable(op, row):
    """Whether a row can be a part of a graph on float32."""
    if op.first_order is not None and not op.differentiable:  # a gradient that refuses to be differentiated
        return False
    if op.dynamic:  # executors know all shapes before they run
        return False
    return bool(row.inputs) and all(item.shape for item in row.inputs) and "f" in op.kinds


ROWS = [(op, row) for op in ops_rows.OPERATORS for row in op.cases if row.error is None and usable(op, row)]


class Builder:
    """Makes a graph; `pick(options)` chooses one of a list."""

    def __init__(self, pick):
        self.pick = pick
        self.arrays = {}  # by name of variable
        self.made = []  # (symbol, shape) of float32 results
        self.unused = {}

    def add(self, op, row):
        """Add one use of an operator."""
        values = ops_rows.draw(op, row, FLOAT)
        states = len(op.aux_names(ops_rows.use(op, row)))
        own = range(0 if op.writes_inputs else len(values) - states, len(values))  # is written to
        operands = [
            self.operand(*pair, i in own) for i, pair in enumerate(zip(row.inputs, values, strict=True))
        ]
        symbol = op(*operands, **row.attributes)
        outputs = list(symbol) if len(symbol.list_outputs()) > 1 else [symbol]
        if op.first_order is not None:  # its gradient would raise
            outputs = [sym.BlockGrad(output) for output in outputs]
        known = {name: value.shape for name, value in self.arrays.items()}
        types = {name: value.dtype for name, value in self.arrays.items()}
        _, shapes, _ = symbol.infer_shape_partial(**{n: known[n] for n in symbol.list_inputs()})
        _, dtypes, _ = symbol.infer_type(**{n: types[n] for n in symbol.list_arguments()})
        for output, shape, dtype in zip(outputs, shapes, dtypes, strict=True):
            self.unused[id(output)] = output
            # An extent of 0 is an unknown one to inference, and what it says may not be what comes out.
            if np.dtype(dtype) == FLOAT and shape and np.prod(shape) > 0 and all(v.size for v in values):
                self.made.append((output, shape))

    def operand(self, item, value, own):
        """A variable with the row's values, or an earlier result made to fit."""
        free = item.dtype is None and item.values is None and value.dtype == FLOAT and value.size and not own
        if not (free and self.made and self.pick([True, True, False])):
            name = f"x{len(self.arrays)}"
            self.arrays[name] = value
            return sym.Variable(name)
        source, shape = self.pick(self.made)
        self.unused.pop(id(source), None)
        if shape != value.shape:
            source = resized(source, int(np.prod(shape)), value.shape)
        return sym.sigmoid(source) * float(item.high - item.low) + float(item.low)

    def symbol(self):
        """Everything that nothing reads."""
        return sym.Group(list(self.unused.values()))


def resized(source, size, shape):
    """The elements of a symbol again and again, as many as a shape has."""
    wanted = int(np.prod(shape))
    flat = sym.Reshape(source, shape=(-1,))
    if size < wanted:
        flat = sym.tile(flat, reps=(-(-wanted // size),))
    return sym.Reshape(sym.slice_axis(flat, axis=0, begin=0, end=wanted), shape=shape)


def build(pick, count):
    """Return a symbol and the values of its variables."""
    builder = Builder(pick)
    with mx.name.NameManager():
        for _ in range(count):
            builder.add(*pick(ROWS))
        return builder.symbol(), builder.arrays


def join(rows, rng):
    """The same for these rows."""
    builder = Builder(lambda options: options[rng.integers(len(options))])
    with mx.name.NameManager():
        for op, row in rows:
            builder.add(op, row)
        return builder.symbol(), builder.arrays


def results(symbol, arrays, req="write", repeat=1):
    """Outputs, gradients and states after training steps, as bytes; and the executor."""
    inputs = {name: ops_rows.array(value) for name, value in arrays.items()}
    states = symbol.list_auxiliary_states()
    args = {name: inputs[name] for name in symbol.list_arguments()}
    grads = {
        n: ops_rows.array(np.ones_like(arrays[n])) for n in args if arrays[n].dtype.kind == "f"
    }  # fmt: skip
    executor = symbol.bind(mx.cpu(), args, grads, req, {name: inputs[name] for name in states})
    rng = np.random.default_rng(6)
    mx.random.seed(7)
    for _ in range(repeat):
        executor.forward(is_train=True)
        executor.backward([head(output, rng) for output in executor.outputs])
    arrays = [*executor.outputs, *grads.values(), *executor.aux_arrays]
    return [array.asnumpy().tobytes() for array in arrays], executor


def head(output, rng):
    return ops_rows.array(rng.integers(-3, 4, output.shape).astype(output.dtype))


def digest(seeds):
    """One number for the results of these graphs: the same whatever runs them."""
    found = hashlib.sha256()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        symbol, arrays = build(lambda options, rng=rng: options[rng.integers(len(options))], 6)
        with np.errstate(all="ignore"):
            for part in results(symbol, arrays)[0]:
                found.update(part)
    return found.hexdigest()


if __name__ == "__main__":
    print(digest(range(int(sys.argv[1]))))
