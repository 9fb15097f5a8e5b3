"""The form of operators that update a parameter: a pointwise program that also writes states in place.

    @update(states=("mom",), cases=[...])
    def sgd_mom_update(weight, grad, mom, *, lr: float, momentum: float = 0.0, ...):
        moved = mom * momentum - descend(grad, weight, wd, rescale_grad, clip_gradient) * lr
        return weight + moved, moved

The body is traced like that of an elementwise operator; it returns the new weight and the new states.
`out` is usually the weight itself, which is then updated in place too.  Without `out` the new weight is
returned and the states are written all the same, as in MXNet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

import numpy as np

from .._array import Array
from .._pointwise import Program, invoke
from ..dtypes import DTYPES, code_of
from ..errors import ArgumentError, DTypeError, ShapeError, message
from ._declare import declare
from ._elementwise import check_tensors, rules_of
from ._layer import Op
from ._operator import Cache, Operator, unify_dtypes, unify_shapes
from ._trace import SCALAR, Trace, Value, trace, ufunc

__all__ = ["Update", "Updates", "clipped", "either", "maximum", "minimum", "rounded", "update", "updates"]

SINGLE = Struct("f")

# Numbers of which bodies take the rest to 1.
PARTS = ("beta1", "beta2", "gamma1", "momentum")

# Numbers that switch a step off when they are negative.
BOUNDS = ("clip_gradient", "clip_grad", "clip_weights", "lower_bound", "upper_bound")


def either(name: str) -> Callable:
    """Return a function for bodies that also works on NumPy arrays, for references."""
    traced, plain = getattr(ufunc, name), getattr(np, name)

    def call(*operands: Any) -> Any:
        return (traced if any(isinstance(o, Value) for o in operands) else plain)(*operands)

    return call


minimum, maximum = either("minimum"), either("maximum")


def clipped(x: Any, bound: Any) -> Any:
    """Inside a body: x between -bound and bound, or x itself if there is no bound."""
    return x if bound is None else maximum(minimum(x, bound), -bound)


class Update(Op):
    """An operator whose body is traced, and whose results beyond the first are written to its inputs.

    Parameters besides those of `Op`
    --------------------------------
    states : names of the inputs that are written.
    numbers : function of the attributes that gives the numbers of the body; by default the attributes, with
        None for bounds that are negative.
    full : inputs in float32 whatever the dtype of the weight, for updates in multi-precision.
    widens : whether the result is float32 too.
    single : inputs of one element, which broadcast.
    body : what to trace instead of the declared function, when `numbers` gives others than the attributes.
    """

    def __init__(self, *args: Any, states: Sequence[str] = (), numbers: Callable | None = None,
                 full: Sequence[str] = (), widens: bool = False, single: Sequence[str] = (),
                 body: Callable | None = None, **options: Any):  # fmt: skip
        self.numbers = numbers or plain_numbers
        self.widens = widens
        self.full, self.single = frozenset(full), frozenset(single)
        super().__init__(*args, grad=None, kinds="f", **options)
        self.written = [self.inputs.index(name) for name in states]
        self._programs = Cache()
        self.body = body or self.function
        self.ref = self._reference

    @property
    def writes_inputs(self):
        """See `Operator.writes_inputs`."""
        return bool(self.written)

    def written_inputs(self, attrs):
        """See `Operator.written_inputs`."""
        return self.written

    def _reference(self, *arrays: np.ndarray, **given: Any) -> np.ndarray:
        return self.evaluate(arrays, self.numbers(self.parse_attrs(given)))

    def evaluate(self, arrays: Sequence, numbers: dict) -> np.ndarray:
        """The new weight, by the body over NumPy's arrays."""
        result = self.body(*arrays, **numbers)
        return result[0] if isinstance(result, tuple) else result

    def infer_shape(self, in_shapes, attrs, out_shapes=None):
        """See `Operator.infer_shape`."""
        known = [(n, s) for n, s in zip(self.inputs, in_shapes, strict=True) if n not in self.single]
        out = None if out_shapes is None else out_shapes[0]
        shape = unify_shapes(self.name, [*[n for n, _ in known], "output"], [*[s for _, s in known], out])
        shapes = [s if n in self.single else shape for n, s in zip(self.inputs, in_shapes, strict=True)]
        return shapes, [shape], []

    def infer_dtype(self, in_dtypes, attrs, out_dtypes=None):
        """See `Operator.infer_dtype`."""
        wide = np.dtype(np.float32)
        given = [
            wide if d is None and n in self.full else d for n, d in zip(self.inputs, in_dtypes, strict=True)
        ]
        pairs = [(n, d) for n, d in zip(self.inputs, given, strict=True) if n not in self.full]
        if out_dtypes is not None and not self.widens:
            pairs.append(("output", out_dtypes[0]))
        dtype = unify_dtypes(self.name, [n for n, _ in pairs], [d for _, d in pairs])
        for name, found in zip(self.inputs, given, strict=True):
            if name in self.full and np.dtype(found) != wide:
                raise DTypeError(message(self.name, name, "dtype float32", np.dtype(found)))
        return [wide if n in self.full else dtype for n in self.inputs], [wide if self.widens else dtype], []

    def _check_shapes(self, inputs, attrs):
        return self.infer_shape([x.shape for x in inputs], attrs)[1]

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        check_tensors(self, inputs, attrs)
        self._checked(inputs, attrs)
        out = None if outs is None else outs[0]
        return [self.run(inputs, self.numbers(attrs), out)]

    def run(self, inputs: Sequence, numbers: dict, out: Any) -> Any:
        """Push the update of arrays that were checked, and return the new weight.

        A number may be an array of one element.
        """
        kinds = tuple([code_of(x.dtype) if isinstance(x, Array) else None if x is None else float
                       for x in (*inputs, *numbers.values())])  # fmt: skip
        key = kinds, tuple(numbers)
        found = self._programs.get(key)
        if found is None:
            found = self._programs.add(key, self._compile(kinds, inputs[0], numbers))
        program, traced = found
        running = [x if isinstance(x, Array) else float(x) for x in numbers.values() if x is not None]
        outs = [out, *[inputs[i] for i in self.written]]
        return invoke(program, traced.derive([*inputs, *running]), outs)[0]

    def _compile(self, kinds: tuple, first: Any, numbers: dict) -> tuple[Program, Trace]:
        """Compile the body for inputs and numbers of these kinds; None is a number that there is not."""
        arguments = {k: v if v is None else SCALAR for k, v in numbers.items()}
        given = [kind for kind in kinds if kind is not None]
        traced = trace(self.body, [None if k is float else DTYPES[k] for k in given], arguments, derives=True)
        given += [float] * len(traced.derived)
        result = code_of(np.float32) if self.widens else kinds[0]
        outs = [result, *[kinds[i] for i in self.written]]
        # A mean that only decays would end as the least subnormal number, which no factor above a half makes
        # smaller; subnormal operands take the processor a hundred times as long (decision 23).
        return traced.compile(given, outs, rules_of(first), self.name, flushes=True), traced


def plain_numbers(attrs: dict) -> dict:
    """The attributes as the numbers of a body."""
    numbers = {}
    for name, value in attrs.items():
        if name in BOUNDS:
            numbers[name] = None if value < 0 else value
        elif name in PARTS:
            numbers[name] = rounded(value)
        elif name != "lazy_update":
            numbers[name] = value
    return numbers


def rounded(part: float) -> float:
    """A number in float32: MXNet's attributes are, and it shows in 1 - beta2."""
    return SINGLE.unpack(SINGLE.pack(part))[0]


def update(*, name: str | None = None, form: type[Update] = Update, **options: Any) -> Callable:
    """Declare an update of a parameter.  Options: see `Update`."""
    return declare(form, name, options)


class Updates(Operator):
    """An operator that does an update for each of several parameters: the arrays of the first, then of the
    second, and so on, then those that all share.

    Parameters besides those of `Operator`
    --------------------------------------
    one : the update of a single parameter.
    lists : attribute of this operator, with a number for each parameter -> attribute of `one`.
    count : the attribute that says how many parameters there are.
    shared : the last inputs of `one` that come once, at the end.
    preloaded : attributes of `one` whose numbers come as arrays at the end, one element for each parameter.
    """

    def __init__(self, *args: Any, one: Update, lists: dict[str, str], count: str = "num_weights",
                 shared: int = 0, preloaded: Sequence[str] = (), **options: Any):  # fmt: skip
        super().__init__(*args, grad=None, **options)
        self.one, self.lists, self.count = one, lists, count
        self.shared, self.preloaded = shared, preloaded
        self.group = len(one.inputs) - shared
        self.kinds = one.kinds
        self.ref = self._reference

    def output_names(self, attrs):
        """See `Operator.output_names`."""
        count = attrs[self.count]
        return ("output",) if count == 1 else tuple([f"output{i}" for i in range(count)])

    @property
    def writes_inputs(self):
        """See `Operator.writes_inputs`."""
        return self.one.writes_inputs

    def split(self, values: Sequence, attrs: dict) -> list:
        """The inputs (or their shapes or dtypes) of each single update."""
        count, tail = attrs[self.count], self.shared + len(self.preloaded)
        expected = count * self.group + tail
        if len(values) != expected:
            hint = f"{self.count}={count}"
            raise ArgumentError(message(self.name, None, f"{expected} arrays", len(values), hint))
        for name in self.lists:
            if len(attrs[name]) != count:
                raise ArgumentError(message(self.name, name, f"{count} numbers", len(attrs[name])))
        shared = values[count * self.group : count * self.group + self.shared]
        return [[*values[i * self.group : (i + 1) * self.group], *shared] for i in range(count)]

    def attributes_of(self, attrs: dict, i: int) -> dict:
        """The attributes of the update of parameter i."""
        found = {inner: attrs[name][i] for name, inner in self.lists.items()}
        found |= {name: attrs[name] for name in self.one.attributes if name in attrs}
        found |= dict.fromkeys(self.preloaded, 0.0)
        return self.one.parse_attrs(found)

    def _each(self, infer: Callable, values: Sequence, attrs: dict, outs: Sequence | None) -> tuple:
        found, results, shared = [], [], []
        for i, group in enumerate(self.split(values, attrs)):
            out = None if outs is None else outs[i : i + 1]
            inputs, result, _ = infer(group, self.attributes_of(attrs, i), out)
            found += inputs[: self.group]
            shared = inputs[self.group :]
            results += result
        tail = values[len(values) - len(self.preloaded) :] if self.preloaded else ()
        return [*found, *shared, *tail], results, []

    def infer_shape(self, in_shapes, attrs, out_shapes=None):
        """See `Operator.infer_shape`."""
        return self._each(self.one.infer_shape, in_shapes, attrs, out_shapes)

    def infer_dtype(self, in_dtypes, attrs, out_dtypes=None):
        """See `Operator.infer_dtype`."""
        return self._each(self.one.infer_dtype, in_dtypes, attrs, out_dtypes)

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        check_tensors(self, inputs, attrs)
        groups = self.split(inputs, attrs)
        tables = inputs[len(inputs) - len(self.preloaded) :] if self.preloaded else ()
        for name, table in zip(self.preloaded, tables, strict=True):
            if table.shape != (len(groups),):
                raise ShapeError(message(self.name, f"{name}s", f"shape ({len(groups)},)", table.shape))
        results = []
        for i, group in enumerate(groups):
            single = self.attributes_of(attrs, i)
            self.one._checked(group, single)
            numbers = self.one.numbers(single)
            numbers |= {k: row(t, i) for k, t in zip(self.preloaded, tables, strict=True)}
            results.append(self.one.run(group, numbers, None if outs is None else outs[i]))
        return results

    def _reference(self, *arrays: np.ndarray, **given: Any) -> list:
        """The single updates over NumPy's arrays."""
        attrs = self.parse_attrs({"num_args": len(arrays)} | given)
        results = []
        for i, group in enumerate(self.split(arrays, attrs)):
            numbers = self.one.numbers(self.attributes_of(attrs, i))
            for k, table in zip(self.preloaded, arrays[len(arrays) - len(self.preloaded) :], strict=True):
                numbers[k] = table[i]
            results.append(self.one.evaluate(group, numbers))
        return results


def row(table: Any, i: int) -> Any:
    """A view of one element."""
    return Array.__getitem__(table, slice(i, i + 1))


def updates(*, name: str | None = None, **options: Any) -> Callable:
    """Declare the update of several parameters.  Options: see `Updates`."""
    return declare(Updates, name, options)
