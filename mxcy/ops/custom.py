"""`Custom`: operators that programs write in Python (`mx.operator.CustomOp`).

A use has the attributes of its caller as text, as MXNet hands them to the author's `CustomOpProp`, and the
property made of them. The author's operator is made at the first forward pass over given buffers, and the
same one runs the backward pass over them: it may keep values of its own in between.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from .._array import empty
from .._segment import refuse
from ..errors import (
    ArgumentError,
    ArgumentTypeError,
    AssertedArgumentError,
    ShapeError,
    closest,
    message,
    problem,
    wrap,
)
from ..kernels import cpu as kernels
from . import _storage
from ._attributes import Attribute, Attributes
from ._operator import Operator, find
from .creation import target

__all__ = ["Custom", "PROPERTIES", "register"]

PROPERTIES: dict[str, Callable] = {}  # registered name -> class of properties
AROUND: dict[str, Callable] = {}  # registered name -> what the author's code runs in, given is_train

WATCHERS: list[Callable] = []  # what the profiler puts around the author's code, while it runs
KEPT = 64  # operators of one node: those of so many executors


def register(name: str, prop: Callable, around: Callable) -> None:
    """Enter a class of properties; a name that is there is replaced, as in MXNet.

    `around(is_train)` is a context in which the author's code runs: unrecorded.
    """
    PROPERTIES[name] = prop
    AROUND[name] = around


class CustomAttributes(Attributes):
    """The attributes of one use: texts by name, and what was made from them."""

    __slots__ = ("prop", "running")

    def __init__(self, values: dict, given: Sequence, prop: Any):
        super().__init__(values, given)
        self.prop = prop
        self.running: dict[tuple, Any] = {}  # buffer of the first result -> the author's operator

    def __reduce__(self):
        return _attributes, (dict(self),)


def _attributes(values: dict) -> CustomAttributes:
    return find("Custom").parse_attrs(values)  # type: ignore[return-value]


# --- sparse arrays ----------------------------------------------------------------------------------------
def sparse_kinds(stypes: Sequence, infer: Callable, *asked: Any) -> list | None:
    """What the author says of storage types; None, for dense copies, where nothing is sparse, or said."""
    if set(stypes) <= {"default"}:
        return None
    try:
        return [list(kinds) for kinds in infer(*asked)]
    except AssertedArgumentError:  # of the class that authors derive theirs from
        return None


def rule_of(stypes: Sequence, results: Sequence, function: Callable) -> Any:
    """The rule by which arrays of these storage types make such results."""
    out = results[0] if len(set(results)) == 1 else "default"
    return _storage.rule(f"{', '.join(stypes)} -> {out}", function, trains=True)


def as_kinds(parts: Sequence, kinds: Sequence) -> list:
    """Parts in other storage types, as users see them."""
    return [_storage.wrapped(_storage.cast(x, kind)) for x, kind in zip(parts, kinds, strict=True)]


def unfilled(kinds: Sequence, like: Sequence, outs: Sequence | None, near: Any) -> list:
    """Arrays of storage types to fill, of shapes and dtypes: those given that are of their type."""
    near = near if hasattr(near, "_face") else near.data
    made = []
    for kind, (shape, dtype), out in zip(kinds, like, outs or [None] * len(kinds), strict=True):
        if out is not None and kind == (out.stype if _storage.stored(out) else "default"):
            made.append(out)
        elif kind == "default":
            made.append(allocate(shape, dtype, [near]))
        else:
            made.append(_storage.wrapped(_storage.empty(kind, tuple(shape), near, np.dtype(dtype))))
    return made


def delivered(made: Sequence, outs: Sequence | None) -> list:
    """What the author's code has filled, in the results that were given."""
    if outs is None:
        return list(made)
    return [
        x if out is None or out is x else _storage.store(_storage.part_of(x), out)
        for x, out in zip(made, outs, strict=True)
    ]


def forward_of_parts(
    op: Any, parts: Sequence, attrs: CustomAttributes, outs: Sequence | None, is_train: bool
) -> list:
    """The forward pass over arrays of which some are sparse."""
    refuse("it runs Python code")
    ins, kinds, kept = op.kinds(_storage.stypes(parts), attrs)
    _, shapes, _ = op.infer_shape([x.shape for x in parts], attrs)
    _, dtypes, _ = op.infer_dtype([x.dtype for x in parts], attrs)
    inputs = as_kinds(parts, [*ins, *kept])
    results = unfilled(kinds, list(zip(shapes, dtypes, strict=True)), outs, parts[0])
    data, states = inputs[: len(ins)], inputs[len(ins) :]
    with author(attrs["op_type"], is_train, inputs, results), own_errors():
        running(attrs, results[0], data).forward(
            is_train=is_train, req=["write"] * len(results), in_data=data, out_data=results, aux=states
        )
    for given, state in zip(parts[len(ins) :], states, strict=True):
        if _storage.part_of(state) is not given:  # a copy in another storage type
            _storage.store(_storage.part_of(state), given)
    return delivered(results, outs)


def backward_of_parts(
    op: Any, parts: Sequence, attrs: CustomAttributes, outs: Sequence | None, is_train: bool
) -> list:
    """The backward pass over arrays of which some are sparse."""
    refuse("it runs Python code")
    heads, data, states, results = op._split(parts, attrs)
    of_heads, ins, kinds, grads, kept = op.kinds(_storage.stypes(parts), attrs)
    heads = as_kinds(heads, of_heads) if heads else [nothing(_storage.cast(y, "default")) for y in results]
    made = unfilled(grads, [(x.shape, x.dtype) for x in data], outs, data[0])
    data, results, states = as_kinds(data, ins), as_kinds(results, kinds), as_kinds(states, kept)
    request = ["write"] * len(made)
    with author(attrs["op_type"], is_train, [*heads, *data], made, "_backward_"), own_errors():
        running(attrs, results[0], data).backward(
            req=request, out_grad=heads, in_data=data, out_data=results, in_grad=made, aux=states
        )
    return delivered(made, outs)


class Programmed(Operator):
    """An operator whose code is its author's: what forward and backward have in common."""

    _reserved = ("is_train",)

    def __init__(self, name: str, doc: Any):
        super().__init__(name, doc, ("data",), [Attribute("op_type", str)], grad=None, variadic=True)

    def draws(self, attrs: CustomAttributes) -> bool:
        """What the author does may differ from call to call."""
        return True

    def infer_storage(self, stypes, attrs):
        """See `Operator.infer_storage`."""
        found = self.stored(stypes, attrs)
        return "default" if found is None else found.out


class CustomOperator(Programmed):
    """The operator `Custom`."""

    def __init__(self):
        super().__init__("Custom", CustomOperator)
        self.differentiable = True
        self.needs = frozenset({"data", "y"})
        self.grad_check = "whatever its author says"

    def __call__(self, *operands: Any, out: Any = None, name: str | None = None, **keywords: Any) -> Any:
        """Use a registered operator: `op_type` names it; other attributes go to its properties."""
        return self._call_unknown(operands, keywords, out, name)[0]

    def parse_attrs(self, given):
        """See `Operator.parse_attrs`."""
        texts = {key: str(value) for key, value in given.items()}
        kind = texts.get("op_type")
        if kind is None:
            raise ArgumentTypeError(problem(self.name, "op_type", "missing", "name a registered operator"))
        if kind not in PROPERTIES:
            near = closest(kind, PROPERTIES)
            hint = f"did you mean {' or '.join(near)}?" if near else "register it by mx.operator.register"
            raise ArgumentError(message(self.name, "op_type", "a registered operator", repr(kind), hint))
        options = {k: v for k, v in texts.items() if k not in ("op_type", "num_args")}
        return CustomAttributes(texts, tuple(texts), PROPERTIES[kind](**options))

    def bind_arguments(self, operands, keywords):
        """See `Operator.bind_arguments`."""
        tensors = {key: keywords[key] for key in keywords if hasattr(keywords[key], "_apply")}
        attrs = self.parse_attrs({k: v for k, v in keywords.items() if k not in tensors and v is not None})
        names = self.input_names(attrs)
        unknown = tensors.keys() - set(names)
        if unknown or len(operands) > len(names):
            expected = f"the inputs {', '.join(names)}"
            raise ArgumentTypeError(message(self.name, None, expected, sorted(unknown) or len(operands)))
        inputs = [*operands, *[None] * (len(names) - len(operands))]
        for key, value in tensors.items():
            position = names.index(key)
            if inputs[position] is not None:
                raise ArgumentTypeError(problem(self.name, key, "given twice"))
            inputs[position] = value
        return tuple(inputs), attrs

    def format_attrs(self, attrs, every=False):
        """See `Operator.format_attrs`."""
        return dict(attrs)

    def input_names(self, attrs):
        """See `Operator.input_names`."""
        return (*attrs.prop.list_arguments(), *attrs.prop.list_auxiliary_states())

    def aux_names(self, attrs):
        """See `Operator.aux_names`."""
        return tuple(attrs.prop.list_auxiliary_states())

    def output_names(self, attrs):
        """See `Operator.output_names`."""
        return tuple(attrs.prop.list_outputs())

    def needs_head_gradient(self, attrs):
        """See `Operator.needs_head_gradient`."""
        return attrs.prop.need_top_grad_

    def infer_shape(self, in_shapes, attrs, out_shapes=None):
        """See `Operator.infer_shape`."""
        count = len(attrs.prop.list_arguments())
        states = [None] * (len(in_shapes) - count)
        results = list(out_shapes or [None] * self.num_outputs(attrs))
        known = [shape is not None and None not in shape for shape in in_shapes[:count]]
        try:
            found = attrs.prop.infer_shape(
                [list(s) if k else [] for s, k in zip(in_shapes, known, strict=False)]
            )
        except Exception:
            if all(known):
                raise
            return list(in_shapes[:count]), results, states
        inputs, outputs, *rest = [[tuple(shape) for shape in part] for part in found]
        if not all(known):  # what was made from nothing is not known
            inputs = [made or None for made in inputs]
            outputs = [made or None for made in outputs] if any(known) else results
        for name, given, made in zip(self.input_names(attrs), in_shapes, inputs, strict=False):
            if made is not None and given is not None and None not in given and tuple(given) != made:
                raise ShapeError(message("Custom", name, f"shape {made}", tuple(given)))
        return inputs, outputs, rest[0] if rest else []

    def kinds(self, stypes, attrs):
        """The storage types of inputs, results and states that the author wants; None: all dense."""
        count = len(attrs.prop.list_arguments())
        return sparse_kinds(stypes, attrs.prop.infer_storage_type, list(stypes[:count]))

    def stored(self, stypes, attrs):
        """See `Operator.stored`."""
        wanted = self.kinds(stypes, attrs)
        return None if wanted is None else rule_of(stypes, wanted[1], forward_of_parts)

    def infer_dtype(self, in_dtypes, attrs, out_dtypes=None):
        """See `Operator.infer_dtype`."""
        count = len(attrs.prop.list_arguments())
        given = [d if d is None else np.dtype(d) for d in in_dtypes[:count]]
        if given and given[0] is None:
            return (
                given,
                list(out_dtypes or [None] * self.num_outputs(attrs)),
                [None] * (len(in_dtypes) - count),
            )
        filled = [given[0].type if d is None else d.type for d in given]
        parts = attrs.prop.infer_type(filled)
        inputs, outputs, *rest = [[np.dtype(d) for d in part] for part in parts]
        return inputs, outputs, rest[0] if rest else []

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        refuse("it runs Python code")
        count = len(attrs.prop.list_arguments())
        shapes = [x.shape for x in inputs]
        _, made, _ = self.infer_shape(shapes, attrs)
        _, dtypes, _ = self.infer_dtype([x.dtype for x in inputs], attrs)
        outs = [None] * len(made) if outs is None else list(outs)
        results = [
            allocate(shape, dtype, inputs, face) if out is None else out
            for out, shape, dtype in zip(outs, made, dtypes, strict=True)
        ]
        data, states = list(inputs[:count]), list(inputs[count:])
        request = ["write"] * len(results)
        with author(attrs["op_type"], is_train, inputs, results):
            operator = running(attrs, results[0], data)
            with own_errors():
                operator.forward(
                    is_train=is_train, req=request, in_data=data, out_data=results, aux=states
                )
        return results

    def gradient(self, g_outputs, inputs, outputs, attrs, wanted=None):
        """See `Operator.gradient`."""
        count = len(attrs.prop.list_arguments())
        zeros, heads = find("zeros_like"), []
        if attrs.prop.need_top_grad_:
            heads = [zeros(y) if g is None else g for g, y in zip(g_outputs, outputs, strict=True)]
        made = outputs[0]._apply(BACKWARD, (*heads, *inputs, *outputs), attrs)
        made = made if isinstance(made, list) else [made]
        return [*made, *[None] * (len(inputs) - count)]


class CustomBackward(Programmed):
    """The gradients of `Custom`: of its inputs, from those of its results, its inputs and its results."""

    def __init__(self):
        super().__init__("_backward_Custom", CustomBackward)

    def _split(self, values, attrs):
        """(gradients of results, if they are read; inputs, states, results) of a list of inputs."""
        results, inputs = len(attrs.prop.list_outputs()), len(attrs.prop.list_arguments())
        states = len(attrs.prop.list_auxiliary_states())
        heads = results if attrs.prop.need_top_grad_ else 0
        counts = (heads, inputs, states, results)
        ends = np.cumsum(counts)
        return [list(values[end - count : end]) for end, count in zip(ends, counts, strict=True)]

    def input_names(self, attrs):
        """See `Operator.input_names`."""
        results = len(attrs.prop.list_outputs()) * (2 if attrs.prop.need_top_grad_ else 1)
        count = results + len(Custom.input_names(attrs))
        return tuple([f"arg{i}" for i in range(count)])

    def output_names(self, attrs):
        """See `Operator.output_names`."""
        return tuple([f"g_{name}" for name in attrs.prop.list_arguments()])

    def format_attrs(self, attrs, every=False):
        """See `Operator.format_attrs`."""
        return dict(attrs)

    def infer_shape(self, in_shapes, attrs, out_shapes=None):
        """See `Operator.infer_shape`."""
        return list(in_shapes), self._split(in_shapes, attrs)[1], []

    def kinds(self, stypes, attrs):
        """What the author wants of head gradients, inputs, results, gradients and states."""
        heads, data, states, results = self._split(stypes, attrs)
        grads, prop = ["undefined"] * len(data), attrs.prop
        return sparse_kinds(
            stypes, prop.infer_storage_type_backward, heads or list(results), data, results, grads, states
        )

    def stored(self, stypes, attrs):
        """See `Operator.stored`."""
        wanted = self.kinds(stypes, attrs)
        return None if wanted is None else rule_of(stypes, wanted[3], backward_of_parts)

    def infer_dtype(self, in_dtypes, attrs, out_dtypes=None):
        """See `Operator.infer_dtype`."""
        return list(in_dtypes), self._split(in_dtypes, attrs)[1], []

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        refuse("it runs Python code")
        heads, data, states, results = self._split(inputs, attrs)
        heads = heads or [nothing(y) for y in results]
        outs = [None] * len(data) if outs is None else list(outs)
        made = [
            allocate(x.shape, x.dtype, data) if out is None else out
            for out, x in zip(outs, data, strict=True)
        ]
        request = ["write"] * len(made)
        with author(attrs["op_type"], is_train, inputs, made, "_backward_"):
            operator = running(attrs, results[0], data)
            with own_errors():
                operator.backward(
                    req=request, out_grad=heads, in_data=data, out_data=results, in_grad=made, aux=states
                )
        return made


@contextmanager
def author(
    name: str, is_train: bool, inputs: Sequence, results: Sequence, prefix: str = ""
) -> Iterator[None]:
    """Where the author's code runs, which reads these inputs and fills these results."""
    with AROUND[name](is_train), ExitStack() as around:
        for watch in WATCHERS:
            around.enter_context(watch(prefix + name, inputs, results))
        yield


@contextmanager
def own_errors() -> Iterator[None]:
    """What the author's code raises comes out as an MXNetError too."""
    try:
        yield
    except Exception as error:
        raise wrap(error) from None


def allocate(shape: Sequence[int], dtype: Any, inputs: Sequence, face: int | None = None) -> Any:
    """A new array beside the inputs; without any, of this face in the current context."""
    if not inputs:
        return target(tuple(shape), np.dtype(dtype), face, None, None)
    first = inputs[0]
    return empty(tuple(shape), np.dtype(dtype), first._face, first._context_code)


def nothing(like: Any) -> Any:
    """Zeros in the shape of an array, of which one is stored: the gradients that are not read."""
    one = kernels.fill(empty((1,) * like.ndim, like.dtype, like._face, like._context_code), 0)
    return one._broadcast_view(like.shape)


def running(attrs: CustomAttributes, result: Any, data: Sequence) -> Any:
    """The author's operator over these buffers, made if there is none yet."""
    key = (id(result._stored), result.shape) if _storage.stored(result) else (result._storage_id, result.size)
    found = attrs.running.get(key)
    if found is None:
        shapes, dtypes = [x.shape for x in data], [x.dtype for x in data]
        found = attrs.prop.create_operator(result.context, shapes, dtypes)
        while len(attrs.running) >= KEPT:
            attrs.running.pop(next(iter(attrs.running)))
        attrs.running[key] = found
    return found


Custom = CustomOperator()
BACKWARD = CustomBackward()
