"""Operators that are pointwise programs, and reductions with a pointwise map before or after."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .._array import Array
from .._invoke import signature
from .._pointwise import invoke
from .._reduce import plan_reduction, reduce_planned
from ..dtypes import DTYPES, bfloat16, code_of
from ..errors import ArgumentTypeError, AxisError, DTypeError, OperandTypeError, ShapeError, message, problem
from ..switches import is_np_shape
from ._operator import Cache, Operator, describe, unify_dtypes, unify_shapes
from ._trace import SCALAR, Trace, cast, resolve, trace

__all__ = [
    "Elementwise",
    "Reduction",
    "broadcast_shapes",
    "check_out",
    "check_tensors",
    "kind_of",
    "rules_of",
    "saturated_scalar",
]

INT64 = code_of(np.int64)


def kind_of(dtype: Any) -> str:
    """The kind of a dtype: b, i, u, f or c (bfloat16 is a float)."""
    found = _kinds.get(dtype)
    if found is None:
        found = _kinds[dtype] = "f" if np.dtype(dtype) == bfloat16 else np.dtype(dtype).kind
    return found


_kinds: dict[Any, str] = {}


def rules_of(array: Any) -> str:
    """Whose dtype rules an array follows: "nd" (MXNet's) or "np" (NumPy's)."""
    return getattr(type(array), "_rules", "nd")


def check_tensors(op: Operator, inputs: Sequence, attrs: dict) -> None:
    """Raise OperandTypeError unless all inputs are arrays."""
    for name, value in zip(op.input_names(attrs), inputs, strict=False):
        if not isinstance(value, Array):
            got = "nothing" if value is None else type(value).__name__
            raise OperandTypeError(message(op.name, name, "an NDArray", got))
    expected = len(op.input_names(attrs))
    if len(inputs) != expected:
        raise ArgumentTypeError(message(op.name, None, f"{expected} arrays", len(inputs)))


def check_out(op: Operator, outs: Sequence, shapes: Sequence, dtypes: Sequence) -> None:
    """Raise unless the arrays to write have the shapes and dtypes of the results."""
    for out, shape, dtype in zip(outs, shapes, dtypes, strict=False):
        if out is None:
            continue
        if out.shape != shape and not (shape == () and out.shape == (1,)):
            raise ShapeError(message(op.name, "out", f"shape {describe(shape)}", describe(out.shape)))
        if dtype is not None and DTYPES[out._dtype_code] != dtype:
            raise DTypeError(message(op.name, "out", f"dtype {dtype}", np.dtype(out.dtype)))


def broadcast_shapes(op: str, names: Sequence[str], shapes: Sequence) -> tuple:
    """Return the shape that these (known, perhaps in part) broadcast to; raise ShapeError if they do not."""
    ndim = max(len(shape) for shape in shapes)
    result: list = [1] * ndim
    for shape in shapes:
        for axis, extent in enumerate(shape, ndim - len(shape)):
            if extent == 1 or extent == result[axis]:
                continue
            if result[axis] == 1 or (result[axis] is None and extent is not None):
                result[axis] = extent
            elif extent is not None:
                text = " and ".join(describe(shape) for shape in shapes)
                raise ShapeError(problem(op, names[-1], f"shapes {text} do not broadcast"))
    return tuple(result)


def wrap_scalar(value: Any, dtype: np.dtype) -> Any:
    """Convert a Python number as C converts a double to an element of this dtype."""
    kind = kind_of(dtype)
    if kind == "f":
        return float(value)
    if kind == "c":
        return complex(value)
    if not math.isfinite(value):
        return 0
    if kind == "b":
        return int(value)
    bits = 8 * dtype.itemsize
    value = int(value) & ((1 << bits) - 1)
    return value - (1 << bits) if kind == "i" and value >> (bits - 1) else value


def saturated_scalar(value: Any, dtype: np.dtype) -> Any:
    """Convert a Python number to the nearest one that an element of this dtype can be."""
    if kind_of(dtype) not in "iu" or math.isnan(value):
        return wrap_scalar(value, dtype)
    bounds = np.iinfo(dtype)
    return int(min(max(value, bounds.min), bounds.max))


class Elementwise(Operator):
    """An operator whose body is traced into a pointwise program, one per combination of dtypes.

    `numbers` says what becomes of numeric attributes beside integers: a function such as `wrap_scalar`, or
    `float`, with which a body computes in float64.  `shapes` says how inputs relate: "broadcast", or
    "elemwise" where an unknown shape is that of the other operand (as MXNet infers), and known ones
    broadcast.
    """

    def __init__(
        self,
        *args: Any,
        kinds: str = "iuf",
        shapes: str = "broadcast",
        numbers: Callable = wrap_scalar,
        **options: Any,
    ):
        super().__init__(*args, in_place=True, **options)
        self.numbers = numbers
        self.kinds = kinds
        self.shapes = shapes
        self._programs = Cache()
        # MXNet's `is_int` is an attribute that nothing reads.
        self._read = frozenset(self.attributes) - {"is_int"}
        self._scalars = tuple(a.name for a in self.attributes.values() if a.is_scalar)
        self._static = tuple(
            a.name for a in self.attributes.values() if not a.is_scalar and a.name in self._read
        )

    def trace(self, dtypes: Sequence, attrs: dict) -> Trace:
        """Return the steps of the body for inputs of these dtypes."""
        arguments = dict.fromkeys(self._scalars, SCALAR) | {n: attrs[n] for n in self._static}
        body = self.function
        if self._scalars and dtypes[0].kind == "b":  # MXNet computes bool with a number in int64
            body = lambda data, **options: self.function(cast(data, DTYPES[INT64]), **options)
        return trace(body, [*dtypes, *[None] * len(self._scalars)], arguments)

    def constants(self, dtype: np.dtype, attrs: dict) -> list:
        """The numbers that a program takes after its arrays, for data of this dtype."""
        convert = self._conversion(dtype)
        return [convert(attrs[name]) for name in self._scalars]

    def _conversion(self, dtype: np.dtype) -> Callable:
        """What makes of an attribute the number that a program for data of this dtype takes."""
        weak = {"f": float, "c": complex}.get(kind_of(dtype))
        if weak is not None or self.numbers is float:
            return weak or float
        return partial(self.numbers, dtype=dtype)

    def static(self, attrs: dict) -> tuple:
        """The attributes on which the trace depends, as pairs."""
        return tuple([(name, attrs[name]) for name in self._static])

    def infer_shape(self, in_shapes, attrs, out_shapes=None):
        """See `Operator.infer_shape`."""
        out = None if out_shapes is None else out_shapes[0]
        if len(self.inputs) == 1:
            shape = unify_shapes(self.name, (*self.inputs, "output"), (*in_shapes, out))
            return [shape], [_at_least_1d(shape)], []
        shapes = list(in_shapes)
        if self.shapes == "elemwise" and any(s is None or None in s for s in shapes):
            shapes = _fill_in(self, shapes, out)
        if any(s is None for s in shapes):
            return shapes, [out], []
        shape = broadcast_shapes(self.name, self.inputs, shapes)
        return shapes, [_at_least_1d(unify_shapes(self.name, ("output", "output"), (shape, out)))], []

    def infer_dtype(self, in_dtypes, attrs, out_dtypes=None):
        """See `Operator.infer_dtype`."""
        known = [d for d in (out_dtypes or ()) if d is not None]
        if self._promotes() and any(d is not None and np.dtype(d).kind == "b" for d in in_dtypes):
            known = []  # what is computed of bools is int64
        dtype = unify_dtypes(self.name, (*self.inputs, "output"), (*in_dtypes, *known))
        if dtype is not None:
            self._check_kind(dtype)
        out = DTYPES[INT64] if dtype is not None and dtype.kind == "b" and self._promotes() else dtype
        return [dtype] * len(in_dtypes), [out], []

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        key = signature(inputs)
        if self._static:
            key = (key, *[attrs[name] for name in self._static])
        found = self._programs.get(key)
        program, convert, dtype = self._compile(key, inputs, attrs) if found is None else found
        operands = inputs
        if convert is not None:
            operands = [*inputs, *[convert(attrs[name]) for name in self._scalars]]
        try:
            return invoke(program, operands, outs)
        except (ShapeError, DTypeError):  # say so in the operator's words
            shape = broadcast_shapes(self.name, self.inputs, [x.shape for x in inputs])
            if outs is not None:
                check_out(self, outs, (shape,), (dtype,))
            raise

    def _compile(self, key: Any, inputs: Sequence, attrs: dict) -> tuple:
        """(program, conversion of scalars if there are any, dtype of the result) for arrays like these."""
        check_tensors(self, inputs, attrs)
        dtypes = [np.dtype(x.dtype) for x in inputs]
        dtype = dtypes[0]
        rules = rules_of(inputs[0])
        out = None
        if rules == "nd":
            unify_dtypes(self.name, self.inputs, dtypes)
            self._check_kind(dtype)
            out = [INT64 if self._promotes() and dtype.kind == "b" else code_of(dtype)]
        weak = {"f": float, "c": complex}.get(kind_of(dtype), float if self.numbers is float else int)
        codes = [code_of(d) for d in dtypes] + [weak] * len(self._scalars)
        program = self.trace(dtypes, attrs).compile(codes, out, rules, self.name)
        convert = self._conversion(dtype) if self._scalars else None
        return self._programs.add(key, (program, convert, DTYPES[program.out_dtypes[0]]))

    def _promotes(self) -> bool:
        """MXNet's operators with a scalar turn bool into int64."""
        return bool(self._scalars)

    def _check_kind(self, dtype: np.dtype) -> None:
        kind = kind_of(dtype)
        if kind not in self.kinds and not (kind == "b" and self._promotes()):
            names = {"b": "bool", "i": "integer", "u": "unsigned", "f": "float", "c": "complex"}
            expected = " or ".join(names[k] for k in self.kinds)
            raise DTypeError(message(self.name, self.inputs[0], f"a dtype that is {expected}", dtype))


def _at_least_1d(shape: tuple | None) -> tuple | None:
    """MXNet's arrays have at least one dimension, unless NumPy's shapes are on."""
    return (1,) if shape == () and not is_np_shape() else shape


def _fill_in(op: Operator, shapes: list, out: tuple | None) -> list:
    """Fill unknown shapes and extents of elementwise operands from each other and from the output."""
    known = [s for s in shapes if s is not None]
    if out is not None and (not known or all(len(s) == len(out) for s in known)):
        known.append(out)
    if not known:
        return shapes
    merged = list(broadcast_shapes(op.name, op.inputs, known))
    filled = []
    for shape in shapes:
        if shape is None:
            filled.append(tuple(merged))
            continue
        offset = len(merged) - len(shape)
        filled.append(tuple([merged[offset + i] if d is None else d for i, d in enumerate(shape)]))
    return filled


class Reduction(Operator):
    """A reduction by a ufunc, with the body as the map in front of it and `finish` behind it.

    `finish(total, count, **attributes)` is traced too; count is the number of elements that make one
    result, given at run time.
    """

    def __init__(
        self,
        *args: Any,
        combine: str,
        finish: Callable | None = None,
        kinds: str = "iuf",
        needs_elements: bool = False,
        **options: Any,
    ):
        super().__init__(*args, **options)
        self.combine = combine
        self._ufunc = resolve(combine)
        self._plans = Cache()
        self.finish = finish
        self.kinds = kinds
        self.needs_elements = needs_elements
        self._static = tuple(n for n in self.attributes if n not in ("axis", "keepdims", "exclude"))
        self._programs: dict = {}

    def axes(self, attrs: dict, ndim: int) -> tuple[int, ...]:
        """Return the axes to reduce over; raise AxisError for those that are not there or come twice."""
        axis = attrs["axis"]
        axes = normalize_axes(self.name, axis, ndim)
        if axis == ():
            return tuple(range(ndim))
        if attrs.get("exclude") and axis is not None:
            axes = tuple(a for a in range(ndim) if a not in axes)
        return axes

    def infer_shape(self, in_shapes, attrs, out_shapes=None):
        """See `Operator.infer_shape`."""
        (shape,) = in_shapes
        if shape is None:
            return [None], [None if out_shapes is None else out_shapes[0]], []
        return [shape], [_at_least_1d(self._out_shape(shape, attrs))], []

    def _out_shape(self, shape: tuple, attrs: dict) -> tuple:
        axes = self.axes(attrs, len(shape))
        if self.needs_elements and any(shape[a] == 0 for a in axes):
            raise ShapeError(message(self.name, "data", "at least one element", f"shape {describe(shape)}"))
        if attrs["keepdims"]:
            return tuple(1 if a in axes else extent for a, extent in enumerate(shape))
        return tuple(extent for a, extent in enumerate(shape) if a not in axes)

    def infer_dtype(self, in_dtypes, attrs, out_dtypes=None):
        """See `Operator.infer_dtype`."""
        known = () if out_dtypes is None else out_dtypes
        dtype = unify_dtypes(self.name, ("data", "output"), (*in_dtypes, *known))
        return [dtype], [dtype], []

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        key = (signature(inputs, True), *attrs.values())
        found = self._plans.get(key)
        axes, expected, plan, count = self._plan(key, inputs, attrs) if found is None else found
        (x,) = inputs
        out = outs[0] if outs is not None else None
        if out is not None:
            check_out(self, outs, (expected,), (x.dtype,))
            if out.shape != expected:
                out = out._reshape_view(expected)
        result = reduce_planned(plan, x, axes, attrs["keepdims"], out, self.name, count)
        return [result] if out is None else list(outs)

    def _plan(self, key: tuple, inputs: Sequence, attrs: dict) -> tuple:
        """(axes, shape, plan for `reduce_planned`, scalars of its end) for data like this."""
        check_tensors(self, inputs, attrs)
        shape, dtype = inputs[0].shape, inputs[0].dtype
        axes = self.axes(attrs, len(shape))
        expected = self._out_shape(shape, attrs)
        typed = (dtype, *[attrs[name] for name in self._static])
        plan = self._programs.get(typed) or self._compile(typed, attrs)
        count = (float(math.prod([shape[a] for a in axes])),) if self.finish is not None else ()
        return self._plans.add(key, (axes, expected, plan, count))

    def _compile(self, key: tuple, attrs: dict) -> Any:
        """The plan of the reduction for data of a dtype."""
        code = code_of(key[0])
        kind = kind_of(DTYPES[code])
        if kind not in self.kinds:
            raise DTypeError(message(self.name, "data", f"a dtype of kind {self.kinds}", DTYPES[code]))
        static = {name: attrs[name] for name in self._static}
        before = after = None
        if kind != "b":
            body = trace(self.function, [DTYPES[code]], {name: attrs[name] for name in self.attributes})
            if body.steps[0].function != "positive":
                before = body.compile([code], name=self.name)
        if self.finish is not None:
            wanted = self.finish.__code__.co_varnames
            static = {name: value for name, value in static.items() if name in wanted}
            finish = trace(self.finish, [DTYPES[code], None], {"count": SCALAR, **static})
            after = finish.compile([code, float], [code], name=self.name)
        self._programs[key] = plan_reduction(self._ufunc, code, before, after)
        return self._programs[key]


def normalize_axes(op: str, axis: Any, ndim: int, name: str = "axis") -> tuple[int, ...]:
    """Return axes as sorted numbers from 0; None stands for all."""
    if axis is None:
        return tuple(range(ndim))
    axes = []
    for a in (axis,) if isinstance(axis, int) else axis:
        axes.append(normalize_axis(op, a, ndim, name))
    if len(set(axes)) < len(axes):
        raise AxisError(message(op, name, "each axis once", axis))
    return tuple(sorted(axes))


def normalize_axis(op: str, axis: int, ndim: int, name: str = "axis") -> int:
    """Return an axis as a number from 0; raise AxisError if the array has no such axis."""
    if not -ndim <= axis < ndim:
        raise AxisError(message(op, name, f"an axis of an array of {ndim} dimensions", axis), axis, ndim)
    return axis + ndim if axis < 0 else axis
