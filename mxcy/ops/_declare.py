"""The four forms in which operators are declared.

    @elementwise(grad=lambda g, y: g * (1 - y * y), ref=np.tanh, cases=[uniform(3, 4), uniform()])
    def tanh(data):
        '''Hyperbolic tangent of every element.'''
        return ufunc.tanh(data)

One block holds everything about an operator: body, attributes (keyword-only arguments with types and
defaults), gradient, documentation, reference and test rows.

- `@elementwise`: the body works on tracer values and becomes a pointwise program.
- `@reduction`: the body is the map in front of the reduction, usually just its argument.
- `@op`: the body works on arrays, by kernels, and takes `out`.
- `@layer`: a class; for operators with parameters whose shapes follow from the data.

`grad` is a function, or a tuple with one per input, written over operators, so that gradients have
gradients.  Argument names say what a rule reads (see `Rule`).  `grad=ZERO` declares that the derivative
is zero almost everywhere or that the outputs are positions.  Where the gradient is not the derivative, by
definition, `grad_check` says why.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ._attributes import REQUIRED, Attribute
from ._elementwise import Elementwise, Reduction
from ._layer import RESERVED, Layer, Op
from ._operator import Operator

__all__ = ["ZERO", "elementwise", "layer", "op", "reduction"]

ZERO = None  # no gradient flows: the derivative is zero almost everywhere, or there is none to speak of

VARIADIC = 0x04  # inspect.CO_VARARGS, without importing inspect


def signature(function: Callable) -> tuple[tuple[str, ...], list[Attribute], bool]:
    """Return (input names, attributes, variadic) of a body; faster than inspect.signature."""
    code = function.__code__
    names = code.co_varnames
    positional, total = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    inputs = names[:positional]
    defaults = function.__kwdefaults__ or {}
    attributes = [
        Attribute(name, function.__annotations__[name], defaults.get(name, REQUIRED))
        for name in names[positional:total]
        if name not in RESERVED
    ]
    variadic = bool(code.co_flags & VARIADIC)
    if variadic:
        inputs = (names[total],)
        attributes.append(Attribute("num_args", int))
    return inputs, attributes, variadic


def declare(form: type[Operator], name: str | None, options: dict) -> Callable:
    """Return the decorator that makes an operator of this form from a body."""

    def decorate(function: Callable) -> Any:
        inputs, attributes, variadic = signature(function)
        return form(name or function.__name__, function, inputs, attributes, variadic=variadic, **options)

    return decorate


def elementwise(
    *,
    grad: Any,
    name: str | None = None,
    twin: str | None = None,
    twin_storage: Sequence = (),
    **options: Any,
) -> Callable:
    """Declare an operator that computes every element of its output from those of its inputs.

    Options: `ref`, `cases`, `grad_check`, `kinds` (of dtypes: a string of "b", "i", "u", "f", "c"),
    `storage` (see _storage.py).  Operands broadcast.  `twin` names the same operator as MXNet has it for
    operands of one shape, where an unknown shape is that of the other operand; it becomes the attribute
    `elemwise` of this one, and keeps `twin_storage`.
    """
    if twin is None:
        return declare(Elementwise, name, {"grad": grad, **options})

    def decorate(function: Callable) -> Any:
        made = declare(Elementwise, name, {"grad": grad, **options})(function)
        further = {"shapes": "elemwise", "storage": twin_storage}
        made.elemwise = declare(Elementwise, twin, {"grad": grad, **options, **further})(function)
        return made

    return decorate


def reduction(*, combine: str, grad: Any, name: str | None = None, **options: Any) -> Callable:
    """Declare a reduction by the ufunc `combine`, with attributes `axis`, `keepdims` and `exclude`.

    Options: `finish(total, count)` (traced), `needs_elements`, and those of `elementwise`.
    """
    return declare(Reduction, name, {"combine": combine, "grad": grad, **options})


def op(*, grad: Any, name: str | None = None, form: type[Op] = Op, **options: Any) -> Callable:
    """Declare an operator with a body over arrays and kernels.  Options: see `Op`."""
    return declare(form, name, {"grad": grad, **options})


def layer(*, ref: Callable, cases: Sequence, name: str | None = None, **options: Any) -> Callable:
    """Declare an operator by a class, whose bases may declare attributes too.  See `Layer`."""

    def decorate(cls: type) -> Any:
        forward = cls.forward  # type: ignore[attr-defined]
        code = forward.__code__
        inputs = code.co_varnames[1 : code.co_argcount]
        annotations: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            annotations |= getattr(base, "__annotations__", {})
        attributes = [
            Attribute(key, annotation, getattr(cls, key, REQUIRED)) for key, annotation in annotations.items()
        ]
        return Layer(
            name or cls.__name__, cls, inputs, attributes, grad=None, ref=ref, cases=cases, **options
        )

    return decorate
