"""`Operator`: what one declaration becomes, and the one way in which it is called.

An operator knows no array class.  A call finds its first tensor operand and hands over to that
operand's `_apply(op, inputs, attrs, out, name)`: NDArray's computes, Symbol's adds a node.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._locks import new_lock
from ..dtypes import DTYPES, code_of
from ..errors import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    MXNetError,
    OperandTypeError,
    ShapeError,
    message,
    problem,
    unknown_attribute,
)
from ._attributes import REQUIRED, Attribute, Attributes
from ._call import Callee, special
from ._cases import Case, Draw

__all__ = ["REGISTRY", "Cache", "Operator", "Rule", "describe", "register", "unify_shapes"]

REGISTRY: dict[str, "Operator"] = {}
_lock = new_lock()

# Keywords that every call takes besides the attributes: MXNet's symbols carry attributes of their own.
NODE_KEYWORDS = ("attr",)

class Cache(dict):
    """What was found out about uses of an operator; emptied when programs make too many different ones."""

    LIMIT = 2000

    def add(self, key: Any, value: Any) -> Any:
        """Keep a value and return it."""
        if len(self) >= self.LIMIT:
            self.clear()
        self[key] = value
        return value


class Rule:
    """A gradient rule and what it reads, taken from its argument names.

    `g` is the gradient of the first output, `g_<output>` that of another one; other names are inputs,
    outputs (`y` is the first one) and attributes.
    """

    __slots__ = ("function", "names")

    def __init__(self, function: Callable):
        code = function.__code__
        self.function = function
        self.names = code.co_varnames[: code.co_argcount]

    def __call__(self, values: dict) -> Any:
        return self.function(*[values[name] for name in self.names])


class Operator(Callee):
    """One declared operator.  `nd.X` and `sym.X` are this object.

    Attributes (besides those of the constructor)
    ----------
    inputs : names of all tensor inputs; of a variadic operator, the name of the list.
    attributes : `Attribute` by name, in the order of the signature.
    needs : names of the inputs and outputs that the gradient reads (`y`: the first output).
    shape_only : inputs of which only the shape is read.
    """

    def __init__(
        self,
        name: str,
        function: Any,
        inputs: Sequence[str],
        attributes: Sequence[Attribute],
        *,
        grad: Any,
        ref: Callable | None = None,
        cases: Sequence = (),
        dtypes: str = "float",
        grad_check: str | None = None,
        first_order: str | None = None,
        variadic: bool = False,
        shape_only: Sequence[str] = (),
        identity: bool = False,
        view: bool = False,
        in_place: bool = False,
        storage: Sequence = (),
    ):
        self.name = self.__name__ = self.__qualname__ = name
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.function = function
        self.inputs = tuple(inputs)
        self.variadic = variadic
        self.attributes = {a.name: a for a in attributes}
        self.ref = ref
        self.cases = tuple(Case((c,), {}) if isinstance(c, Draw) else c for c in cases)
        self.dtypes = dtypes
        self.grad_check = grad_check
        self.first_order = first_order  # why gradients of its gradient are refused
        self.shape_only = tuple(shape_only)
        self.identity = identity  # the result is the first input when the shapes agree
        self.view = view  # the result has the elements of the first input, in order
        self.in_place = in_place  # the result may be written over any input of its shape and dtype
        self.storage = tuple(storage)  # rules for sparse operands, see _storage.py
        self.aux: tuple[str, ...] = ()
        self.rules = self._rules_of(grad)
        self.needs = frozenset(n for rule in self.rules if rule for n in rule.names if self._is_value(n))
        self.differentiable = any(self.rules)
        self._defaults: Attributes | None = None
        if all(a.default is not REQUIRED for a in attributes):
            self._defaults = Attributes({a.name: a.default for a in attributes})
        plain = -1 if variadic or self._defaults is None else len(self.inputs)
        self._accept(Cache(), sys.maxsize if variadic else len(self.inputs), plain, self._defaults)
        register(self)

    def __repr__(self) -> str:
        return f"<operator {self.name}>"

    def __reduce__(self) -> str | tuple:
        return find, (self.name,)

    # -- what a declaration may make depend on the attributes --------------------------------------

    def input_names(self, attrs: dict) -> tuple[str, ...]:
        """Names of the tensor inputs of a use with these attributes."""
        if self.variadic:
            return tuple([f"arg{i}" for i in range(attrs["num_args"])])
        return self.inputs

    def output_names(self, attrs: dict) -> tuple[str, ...]:
        """Names of all outputs, hidden ones last."""
        return ("output",)

    def num_outputs(self, attrs: dict) -> int:
        """Number of outputs, hidden ones included."""
        return len(self.output_names(attrs))

    def num_visible(self, attrs: dict) -> int:
        """Number of outputs that a call returns."""
        return self.num_outputs(attrs)

    def num_written(self, attrs: dict) -> int:
        """Number of outputs that MXNet's files count: its own hidden ones may be others."""
        return self.num_outputs(attrs)

    def in_place_inputs(self, attrs: dict, output: int) -> Sequence[int]:
        """Positions of the inputs over which an output may be written, if shape and dtype agree."""
        return range(len(self.input_names(attrs))) if self.in_place else ()

    def aux_names(self, attrs: dict) -> tuple[str, ...]:
        """Names of the inputs that are states, written by a forward pass in training."""
        return self.aux

    def written_inputs(self, attrs: dict) -> Sequence[int]:
        """Positions of the inputs that it writes: the states."""
        states = self.aux_names(attrs)
        return [i for i, name in enumerate(self.input_names(attrs)) if name in states] if states else ()

    def is_fixed(self, attrs: dict) -> bool:
        """Whether a use of plain arrays depends on nothing but their shapes, and only makes results."""
        return not self.writes_inputs and not self.written_inputs(attrs)

    # -- storage -------------------------------------------------------------------------------------

    def stored(self, stypes: tuple[str, ...], attrs: dict) -> Any:
        """Return the rule for operands of these storage types; None: dense copies are computed with."""
        for rule in self.storage:
            if rule.fits(stypes, attrs):
                return rule
        return None

    def infer_storage(self, stypes: tuple[str, ...], attrs: dict) -> str:
        """Return the storage type of the outputs."""
        rule = self.stored(stypes, attrs) if self.storage else None
        return "default" if rule is None else rule.out

    # -- arguments -----------------------------------------------------------------------------------

    def _call_unknown(self, operands: tuple, keywords: dict, out: Any, name: str | None) -> tuple:
        """(result, inputs, attributes) of a call unlike earlier ones; takes what nodes keep from keywords."""
        node = {key: keywords.pop(key) for key in NODE_KEYWORDS if key in keywords}
        inputs, attrs = self.bind_arguments(operands, keywords)
        first = special(inputs)
        for operand in inputs if first is None else (first,):
            apply = getattr(operand, "_apply", None)
            if apply is not None:
                return apply(self, inputs, attrs, out, name, **node), inputs, attrs
        got = type(inputs[0]).__name__ if inputs and inputs[0] is not None else "nothing"
        first = self.inputs[0] if self.inputs else None
        raise OperandTypeError(message(self.name, first, "an NDArray or a Symbol", got))

    def bind_arguments(self, operands: Sequence, keywords: dict) -> tuple[tuple, Attributes]:
        """Split the arguments of a call into inputs (None where not given) and typed attributes."""
        if self.variadic:
            return self._bind_variadic(operands, keywords)
        count = len(self.inputs)
        if len(operands) <= count and keywords.keys().isdisjoint(self.inputs):
            attrs = self.parse_attrs(keywords)
            return self._in_use([*operands, *[None] * (count - len(operands))], attrs), attrs
        inputs = list(operands[:count])
        named = dict(zip(self.attributes, operands[count:], strict=False))
        if len(operands) > count + len(self.attributes):
            expected = f"at most {count + len(self.attributes)} arguments"
            raise ArgumentTypeError(message(self.name, None, expected, len(operands)))
        inputs += [None] * (count - len(inputs))
        for key, value in keywords.items():
            if key in self.inputs:
                position = self.inputs.index(key)
                if inputs[position] is not None:
                    raise ArgumentTypeError(problem(self.name, key, "given twice"))
                inputs[position] = value
            elif key in named:
                raise ArgumentTypeError(problem(self.name, key, "given twice"))
            else:
                named[key] = value
        attrs = self.parse_attrs(named)
        return self._in_use(inputs, attrs), attrs

    def _in_use(self, inputs: list, attrs: dict) -> tuple:
        """The inputs that a use with these attributes has; raise if others are given."""
        names = self.input_names(attrs)
        if len(names) == len(inputs):
            return tuple(inputs)
        if all(value is None for value in inputs[len(names) :]):
            return tuple(inputs[: len(names)])
        extra = [n for n, x in zip(self.inputs, inputs, strict=True) if x is not None and n not in names]
        if extra:
            text = f"takes only {', '.join(names)} with {attrs}"
            raise ArgumentTypeError(problem(self.name, extra[0], text))
        return tuple([inputs[self.inputs.index(name)] for name in names])

    def _bind_variadic(self, operands: Sequence, keywords: dict) -> tuple[tuple, Attributes]:
        if self.inputs[0] in keywords:
            operands = keywords.pop(self.inputs[0])
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = operands[0]
        given = {k: v for k, v in keywords.items() if v is not None}
        others = {k: given.pop(k) for k in [*given] if k not in self.attributes}
        attrs = self.parse_attrs({"num_args": len(operands) + len(others)} | given)
        if attrs["num_args"] < len(operands):
            raise ArgumentError(
                message(self.name, "num_args", f"{len(operands)}, the number of inputs", attrs["num_args"])
            )
        names = self.input_names(attrs)
        inputs = [*operands, *[None] * (len(names) - len(operands))]
        for key, value in others.items():
            if key not in names:
                raise unknown_attribute(self.name, key, (*self.inputs, *self.attributes))
            if inputs[names.index(key)] is not None:
                raise ArgumentTypeError(problem(self.name, key, "given twice"))
            inputs[names.index(key)] = value
        return tuple(inputs), attrs

    def parse_attrs(self, given: dict) -> Attributes:
        """Return typed values of all attributes from Python values or MXNet's strings.

        Raises UnknownAttributeError for names that the operator does not have (naming the closest), and
        ArgumentError for values that an attribute does not take or for a missing one. An operator without
        attributes ignores what it is given, as MXNet's do, whose programs write `zeros_like(x, dtype=...)`
        and `log(x, axis=1)`.
        """
        if not given and self._defaults is not None:
            return self._defaults
        for key in given if self.attributes else ():
            if key not in self.attributes:
                raise unknown_attribute(self.name, key, (*self.inputs, *self.attributes))
        values = {}
        for key, attribute in self.attributes.items():
            if key in given:
                values[key] = attribute.parse(self.name, given[key])
            elif attribute.default is REQUIRED:
                raise ArgumentTypeError(
                    problem(self.name, key, "missing", f"pass {key}={attribute.expected}")
                )
            else:
                values[key] = attribute.default
        return Attributes(values, given if values else ())

    def format_attrs(self, attrs: dict, every: bool = False) -> dict[str, str]:
        """Return MXNet's text of the attributes that the caller gave (or of all)."""
        keys = attrs if every else getattr(attrs, "given", attrs)
        return {key: self.attributes[key].format(attrs[key]) for key in keys}

    # -- inference --------------------------------------------------------------------------------------

    def infer_shape(self, in_shapes: Sequence, attrs: dict, out_shapes: Sequence | None = None):
        """Return (input shapes, output shapes, aux shapes), filled in as far as they follow.

        An unknown shape is None, an unknown extent None inside a shape.  Raises ShapeError where they
        contradict each other.
        """
        raise NotImplementedError

    def infer_dtype(self, in_dtypes: Sequence, attrs: dict, out_dtypes: Sequence | None = None):
        """Return (input dtypes, output dtypes, aux dtypes), None where unknown."""
        raise NotImplementedError

    # -- running ----------------------------------------------------------------------------------------

    def compute(
        self,
        inputs: Sequence,
        attrs: dict,
        outs: Sequence | None = None,
        is_train: bool = False,
        face: int | None = None,
    ) -> list:
        """Push the operation to the engine; return its outputs (those given in `outs`, else new ones).

        `face` says what to make where there is no tensor input to follow.
        """
        raise NotImplementedError

    # -- gradient -----------------------------------------------------------------------------------------

    def gradient(
        self,
        g_outputs: Sequence,
        inputs: Sequence,
        outputs: Sequence,
        attrs: dict,
        wanted: Sequence[bool] | None = None,
    ) -> list:
        """Return the gradients of the inputs, made of operators; None where there is none.

        `g_outputs` holds the head gradients, None where nothing flows back.  Values that no rule `needs`
        may be None.
        """
        count = len(inputs)
        if not self.differentiable:
            if self.first_order is not None:
                raise MXNetError(problem(self.name, None, self.first_order))
            return [None] * count
        values = self._values(g_outputs, inputs, outputs, attrs)
        if self.variadic or len(self.rules) != len(self.inputs):
            result = self.rules[0](values)
            result = list(result) if isinstance(result, (tuple, list)) else [result]
            return result + [None] * (count - len(result))
        return [
            rule(values) if rule is not None and (wanted is None or wanted[i]) else None
            for i, rule in enumerate(self.rules[:count])
        ]

    dynamic = False  # whether values decide the shape of its result

    @property
    def writes_inputs(self) -> bool:
        """Whether it writes inputs that are not declared as states."""
        return False

    @property
    def can_replay(self) -> bool:
        """Whether `replay` is there."""
        return False

    def replay(self, inputs: Sequence, outputs: Sequence, attrs: dict) -> list:
        """Return the first outputs once more, made of operators, from inputs and hidden outputs.

        For operators whose computation has side effects, so that it must not run twice.
        """
        raise NotImplementedError

    def needs_head_gradient(self, attrs: dict) -> bool:
        """Whether the gradient reads the gradient of any output (a loss's does not)."""
        return any(n == "g" or n.startswith("g_") for rule in self.rules if rule for n in rule.names)

    def hidden_heads(self, attrs: dict) -> tuple[int, ...]:
        """Positions of the hidden outputs whose gradients the rules read."""
        heads = {name for rule in self.rules if rule for name in rule.names}
        names = self.output_names(attrs)
        return tuple(i for i in range(self.num_visible(attrs), len(names)) if f"g_{names[i]}" in heads)

    def _rules_of(self, grad: Any) -> tuple:
        if grad is None:
            return ()
        if isinstance(grad, tuple):
            return tuple(Rule(f) if f is not None else None for f in grad)
        return (Rule(grad),)

    def _is_value(self, name: str) -> bool:
        reserved = name in ("g", "self", "wanted") or name.startswith("g_")
        return not reserved and name not in self.attributes

    def _values(self, g_outputs: Sequence, inputs: Sequence, outputs: Sequence, attrs: dict) -> dict:
        values = dict(attrs)
        for position, (name, output) in enumerate(zip(self.output_names(attrs), outputs, strict=True)):
            values[name] = output
            g = g_outputs[position] if position < len(g_outputs) else None
            if g is None and output is not None and position < self.num_visible(attrs):
                g = find("zeros_like")(output) if self.num_visible(attrs) > 1 else None
            values["g_" + name] = g
            if not position:
                values["y"], values["g"] = output, g
        values.setdefault("g")
        if self.variadic:
            values[self.inputs[0]] = list(inputs)
            values["g_outputs"] = list(g_outputs)
        else:
            names = self.inputs if len(inputs) == len(self.inputs) else self.input_names(attrs)
            values.update(zip(names, inputs, strict=True))
        if "outputs" not in values:
            values["outputs"] = list(outputs)
            values["g_outputs"] = [values["g_" + n] for n in self.output_names(attrs)]
        return values


def register(op: Operator) -> None:
    """Enter an operator under its name; a name is declared once."""
    with _lock:
        if op.name in REGISTRY:
            raise ArgumentError(problem("declare", op.name, "an operator of this name is declared already"))
        REGISTRY[op.name] = op


def find(name: str) -> Operator:
    """Return the operator of a name of its own (not of an alias)."""
    return REGISTRY[name]


def describe(shape: Sequence | None) -> str:
    """A shape for error texts, with ? for what is unknown."""
    if shape is None:
        return "unknown"
    text = ", ".join("?" if extent is None else str(extent) for extent in shape)
    return f"({text},)" if len(shape) == 1 else f"({text})"


def unify_shapes(op: str, names: Sequence[str], shapes: Sequence) -> tuple | None:
    """Return the one shape that all of these are, as far as known; raise ShapeError if they differ."""
    result = None
    for name, shape in zip(names, shapes, strict=False):
        if shape is None:
            continue
        if result is None:
            result = list(shape)
            continue
        if len(shape) != len(result) or any(
            a is not None and b is not None and a != b for a, b in zip(shape, result, strict=True)
        ):
            raise ShapeError(message(op, name, f"shape {describe(result)}", describe(shape)))
        result = [b if a is None else a for a, b in zip(result, shape, strict=True)]
    return None if result is None else tuple(result)


def unify_dtypes(op: str, names: Sequence[str], dtypes: Sequence) -> np.dtype | None:
    """Return the one dtype that all of these are, if any is known; raise DTypeError if they differ."""
    result = None
    for name, dtype in zip(names, dtypes, strict=False):
        if dtype is None:
            continue
        dtype = DTYPES[code_of(dtype)]
        if result is None:
            result = dtype
        elif dtype != result:
            raise DTypeError(
                message(op, name, f"dtype {result}", dtype, f"convert it with .astype({result.name!r})")
            )
    return result
