"""Rows of operators for the tests, arrays for them, and a tape that differentiates any number of times."""

import os
import warnings
import zlib

import ml_dtypes
import numpy as np

from mxcy import _array, ops
from mxcy.context import current_context
from mxcy.graph.control_flow import ControlFlow
from mxcy.kernels import cpu as kernels
from mxcy.ndarray import NDArray
from mxcy.ops import Attributes, BinaryFunction
from mxcy.ops.custom import Programmed

FACE = _array.face_of(NDArray)
ON_CPU = os.environ.get("MXCY_TEST_CONTEXT", "cpu") == "cpu"
ONE_ROW = os.environ.get("MXCY_ROWS") == "one"
# Control flow takes graphs instead of rows of arrays, and what a custom operator does its author says;
# their tests are in test_control_flow.py and test_operator.py.
OPERATORS = sorted(
    (op for op in ops.REGISTRY.values() if not isinstance(op, (ControlFlow, Programmed))),
    key=lambda op: op.name,
)

KINDS = {
    "f": [np.dtype(t) for t in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)],
    "i": [np.dtype(t) for t in (np.int32, np.int64, np.int8)],
    "u": [np.dtype(np.uint8)],
    "b": [np.dtype(np.bool_)],
    "c": [np.dtype(np.complex64), np.dtype(np.complex128)],
}
TOLERANCE = {
    np.dtype(np.float16): (2e-3, 2e-3),
    np.dtype(ml_dtypes.bfloat16): (2e-2, 2e-2),
    np.dtype(np.float32): (2e-5, 2e-6),
    np.dtype(np.complex64): (2e-5, 2e-6),
    np.dtype(np.float64): (1e-11, 1e-12),
    np.dtype(np.complex128): (1e-11, 1e-12),
}


def rows(wanted=lambda op, row: True):
    """(operator, row) for every row that works, or for one of each operator."""
    found = []
    for op in OPERATORS:
        good = [row for row in op.cases if row.error is None and wanted(op, row)]
        found += [(op, row) for row in (good[:1] if ONE_ROW else good)]
    return found


def name_of(value):
    """A name for a parameter of a test."""
    if isinstance(value, ops.Operator):
        return value.name
    attributes = "-".join(f"{key}={item}" for key, item in value.attributes.items())
    return "x".join(str(draw.shape) for draw in value.inputs) + ("-" if attributes else "") + attributes


def dtypes_of(op, row):
    """The dtypes to run a row in; just one if its inputs have their own."""
    if all(draw.dtype for draw in row.inputs):
        return [np.dtype(np.float32)]
    return [dtype for kind in "fiubc" if kind in op.kinds for dtype in KINDS[kind]]


def draw(op, row, dtype):
    """NumPy inputs of a row, the same each time."""
    rng = np.random.default_rng(zlib.crc32(f"{op.name}{row.attributes}".encode()))
    return [item.make(rng, np.dtype(dtype)) for item in row.inputs]


def key_of(op, row, dtype):
    """What names a use of a row in tests/oracle; another one if the row changes."""
    attributes = ",".join(f"{name}={value}" for name, value in row.attributes.items())
    mark = zlib.crc32(repr([(x.shape, x.dtype.str, x.tobytes()) for x in draw(op, row, dtype)]).encode())
    return f"{op.name}({attributes}) {np.dtype(dtype)} {mark:08x}"


def array(values):
    """An NDArray of exactly these values and dtype, on the device that the tests run on."""
    made = _array.from_numpy(np.ascontiguousarray(values).reshape(np.shape(values)), FACE)
    return made if ON_CPU else placed(made)


def placed(x):
    """A copy in the thread's current context."""
    context = current_context()
    code = context.device_typeid << 8 | context.device_id
    return kernels.copy(x, out=_array.overlay(_array.empty(x.shape, x.dtype, FACE, code), x.shape, x.dtype))


def strided(values, step):
    """An NDArray with these values in every other place of a larger one, backwards for a negative step."""
    values = np.asarray(values)
    if values.ndim == 0:
        return array(values)
    wide = np.zeros((*values.shape[:-1], 2 * values.shape[-1]), values.dtype)
    key = (..., slice(None, None, 2)) if step > 0 else (..., slice(None, None, -2))
    wide[key] = values
    return _array.Array.__getitem__(array(wide), key)


def use(op, row):
    """Attributes of a row, typed, for its number of inputs."""
    given = dict(row.attributes)
    if op.variadic and "num_args" not in given:
        given["num_args"] = len(row.inputs)
    return op.parse_attrs(given)


def numpy_of(x):
    return None if x is None else np.array(x.view_numpy())


def computed(op, inputs, attrs, **options):
    """NumPy results of an operator on NumPy arrays."""
    return [numpy_of(x) for x in op.compute([array(x) for x in inputs], attrs, **options)]


def expected(op, row, inputs):
    """Results of the reference, in float64 for floating-point inputs."""
    attributes = dict(row.attributes)
    values = inputs
    if any(x.dtype.kind in "iu" for x in inputs[:1]) and isinstance(op, ops.Elementwise):
        scalars = [name for name, attribute in op.attributes.items() if attribute.is_scalar]
        numbers = dict(zip(scalars, op.constants(inputs[0].dtype, use(op, row)), strict=True))
        attributes |= {name: number for name, number in numbers.items() if name in attributes}
    if not any(x.dtype.kind in "biu" for x in inputs):
        values = [x if x.dtype.kind == "c" else x.astype(np.float64) for x in inputs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        result = op.ref(*values, **attributes)
    single = not isinstance(result, list)
    if single and np.asarray(result).dtype.kind == "f" and inputs and inputs[0].dtype.kind in "iu":
        result = op.ref(*[x.astype(np.float64) for x in inputs], **attributes)
    return [np.asarray(r) for r in (result if not single else [result])]


def legacy(shape):
    """MXNet's arrays have at least one dimension."""
    return shape or (1,)


def convert(values, dtype):
    """Cast as C does."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        if dtype.kind in "iu" and values.dtype.kind == "f":
            return np.trunc(values).astype(np.int64).astype(dtype)
        return values.astype(dtype)


# --- a tape --------------------------------------------------------------------------------------------
def _binary(function, reflected=False):
    if reflected:
        return lambda self, other: function(other, self)
    return lambda self, other: function(self, other)


class Node:
    """A value on the tape: operators apply to it as to any tensor."""

    __slots__ = ("call", "position", "value")
    count = 0
    is_train = False

    def __init__(self, value, call=None):
        self.value, self.call = value, call

    def _apply(self, op, inputs, attrs, out=None, name=None):
        values = op.compute([n and n.value for n in inputs], attrs, is_train=Node.is_train)
        call = [op, inputs, attrs, Node.count]
        Node.count += 1
        call.append([None if value is None else Node(value, call) for value in values])
        visible = call[-1][: op.num_visible(attrs)]
        return visible[0] if len(visible) == 1 else visible

    __add__, __radd__ = _binary(ops.add), _binary(ops.add, True)
    __sub__, __rsub__ = _binary(ops.subtract), _binary(ops.subtract, True)
    __mul__, __rmul__ = _binary(ops.multiply), _binary(ops.multiply, True)
    __truediv__, __rtruediv__ = _binary(ops.divide), _binary(ops.divide, True)
    __pow__ = _binary(ops.power)
    __eq__, __ne__ = _binary(ops.equal), _binary(ops.not_equal)
    __lt__, __le__ = _binary(ops.lesser), _binary(ops.lesser_equal)
    __gt__, __ge__ = _binary(ops.greater), _binary(ops.greater_equal)
    __hash__ = object.__hash__

    def __bool__(self):
        return True

    def __neg__(self):
        return ops.negative(self)


def backward(outputs, heads, variables):
    """Gradients of nodes, as nodes (None where nothing flows)."""
    found = {}
    for output, head in zip(outputs, heads, strict=True):
        _accumulate(found, output, head)
    pending = {output.call[3]: output.call for output in outputs if output.call}
    while pending:
        op, inputs, attrs, _, made = pending.pop(max(pending))
        flowing = [found.get(id(node)) if node is not None else None for node in made]
        gradients = op.gradient(flowing, inputs, made, attrs)
        for node, g in zip(inputs, gradients, strict=True):
            if g is not None:
                _accumulate(found, node, g)
                if node.call:
                    pending[node.call[3]] = node.call
    return [found.get(id(variable)) for variable in variables]


def _accumulate(found, node, g):
    found[id(node)] = found[id(node)] + g if id(node) in found else g


def nodes(values):
    return [Node(array(value)) for value in values]


__all__ = [
    "Attributes",
    "BinaryFunction",
    "FACE",
    "KINDS",
    "Node",
    "OPERATORS",
    "TOLERANCE",
    "array",
    "backward",
    "computed",
    "convert",
    "draw",
    "dtypes_of",
    "expected",
    "legacy",
    "name_of",
    "nodes",
    "numpy_of",
    "rows",
    "strided",
    "use",
]
