"""Operators with a body of their own: plain functions over kernels (`Op`) and classes (`Layer`)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._invoke import signature
from ..dtypes import DTYPES, code_of
from ..errors import DTypeError, MXNetError, ShapeError, message
from ..switches import is_np_shape
from ._elementwise import check_out, check_tensors, kind_of, rules_of
from ._operator import Cache, Operator, Rule, describe, unify_dtypes, unify_shapes

__all__ = ["RESERVED", "Layer", "Op", "equal_shapes", "named"]

RESERVED = ("out", "is_train", "face")  # keywords of bodies that are no attributes
PROBES = (1, 5040, 55440)  # extents to try for unknown ones: 1 broadcasts, the others have many divisors


def named(function: Callable | None) -> Rule | None:
    """Return a function that takes its arguments by name from a dict of inputs and attributes."""
    return None if function is None else Rule(function)


def listed(value: Any) -> list:
    """A rule for one output gives a shape or a dtype; one for several gives a list."""
    return value if isinstance(value, list) else [value]


def known(shape: Any) -> bool:
    return shape is not None and None not in shape


def common_extents(shapes: Sequence) -> tuple | None:
    """The extents in which these shapes agree, None for others; None if the ranks differ."""
    if len({len(shape) for shape in shapes}) > 1:
        return None
    return tuple(n[0] if len({*n}) == 1 else None for n in zip(*shapes, strict=True))


def equal_shapes(op: str, in_shapes: Sequence, out_shapes: Sequence | None) -> tuple[list, list, list]:
    """The inference of an operator whose inputs and output have one shape."""
    shapes = [*in_shapes, *(out_shapes or ())]
    shape = unify_shapes(op, [f"arg{i}" for i in range(len(shapes))], shapes)
    return [shape] * len(in_shapes), [_legacy(shape)], []


class Op(Operator):
    """An operator whose body is a function of arrays, attributes and `out`.

    Parameters besides those of `Operator`
    --------------------------------------
    shape : function of input shapes and attributes by name; a shape, or a list of them for several
        outputs.  None: the shape of the first input, known in both directions.
    dtype : the same for dtypes.  None: the dtype that all inputs share.
    free : inputs whose dtype is their own; the inputs of a variadic operator have one each.
    outputs : names of the outputs, or a function of attributes; hidden ones come last.
    visible : number of outputs that are not hidden, or a function of attributes.
    optional : function of attributes that gives the names of the inputs in use.
    back : function of input shapes, attributes and `y`, the output's shape, by name (None where unknown);
        the input shapes as far as they follow.
    infer : replaces `infer_shape` (same signature, without self).
    kinds : kinds of dtypes that the inputs may have.
    """

    def __init__(
        self,
        *args: Any,
        shape: Callable | None = None,
        dtype: Callable | None = None,
        free: Sequence[str] = (),
        outputs: Any = ("output",),
        visible: Any = None,
        optional: Callable | None = None,
        back: Callable | None = None,
        infer: Callable | None = None,
        kinds: str = "biufc",
        **options: Any,
    ):
        self._outputs: Any = outputs if isinstance(outputs, tuple) else named(outputs)
        self._visible = visible if visible is None or isinstance(visible, int) else named(visible)
        self._optional = named(optional)
        super().__init__(*args, **options)
        self._shape = named(shape)
        self._dtype = named(dtype)
        self._back = named(back)
        self._infer = infer
        self._plans = Cache()
        self._named = Cache()
        self.free = frozenset(free)
        self._each_free = self.variadic and self.inputs[0] in self.free
        self.kinds = kinds
        code = self.function.__code__
        keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        self._reserved = tuple(name for name in RESERVED if name in keywords)
        self._single = isinstance(outputs, tuple) and len(outputs) == 1
        self._direct = self._single and not self.variadic and self._reserved == ("out",)

    def input_names(self, attrs):
        """See `Operator.input_names`."""
        return super().input_names(attrs) if self._optional is None else self._optional(attrs)

    def output_names(self, attrs):
        """See `Operator.output_names`."""
        if isinstance(self._outputs, tuple):
            return self._outputs
        key = tuple(attrs.values())
        found = self._named.get(key)
        return self._named.add(key, self._outputs(attrs)) if found is None else found

    def num_visible(self, attrs):
        """See `Operator.num_visible`."""
        if self._visible is None:
            return self.num_outputs(attrs)
        return self._visible if isinstance(self._visible, int) else self._visible(attrs)

    def is_fixed(self, attrs):
        """See `Operator.is_fixed`."""
        return "is_train" not in self._reserved and super().is_fixed(attrs)

    def values(self, inputs: Sequence, attrs: dict) -> dict:
        """Inputs (or their shapes or dtypes) and attributes by name, None for inputs not in use."""
        if self.variadic:
            return {**attrs, self.inputs[0]: list(inputs)}
        return {**attrs, **dict.fromkeys(self.inputs), **dict(zip(self.inputs, inputs, strict=False))}

    def infer_shape(self, in_shapes, attrs, out_shapes=None):
        """See `Operator.infer_shape`."""
        if self._infer is not None:
            return self._infer(in_shapes, attrs, out_shapes)
        if self._shape is None:
            out = None if out_shapes is None else out_shapes[0]
            first = unify_shapes(self.name, (self.inputs[0], "output"), (in_shapes[0], out))
            return [first, *in_shapes[1:]], [_legacy(first)] * self.num_outputs(attrs), []
        if self._back is not None and not all(known(s) for s in in_shapes):
            in_shapes = self._shapes_back(in_shapes, attrs, out_shapes)
        if not all(known(s) for s in in_shapes):
            return list(in_shapes), self._partial_shapes(self._shape, in_shapes, attrs), []
        shapes = listed(self._shape(self.values(in_shapes, attrs)))
        if out_shapes is not None:
            unify_shapes(self.name, ("output", "output"), (_legacy(shapes[0]), out_shapes[0]))
        return list(in_shapes), [_legacy(s) for s in shapes], []

    def _shapes_back(self, in_shapes: Sequence, attrs: dict, out_shapes: Sequence | None) -> list:
        """The input shapes with what follows of them from each other and from the output's."""
        values = self.values(in_shapes, attrs) | {"y": out_shapes[0] if out_shapes is not None else None}
        found = listed(self._back(values))  # type: ignore[misc]
        names = self.input_names(attrs)
        return [
            unify_shapes(self.name, (name, name), pair)
            for name, *pair in zip(names, found, in_shapes, strict=True)
        ]

    def _partial_shapes(self, rule: Rule, in_shapes: Sequence, attrs: dict) -> list:
        """What is known of the outputs while extents of inputs are not: extents that depend on none of
        these.  Found by trying some numbers for them; a number that the rule refuses tells nothing.
        """
        unknown = [None] * self.num_outputs(attrs)
        if any(shape is None for shape in in_shapes):
            return unknown
        tried = []
        for extent in PROBES:
            filled = [tuple(extent if n is None else n for n in shape) for shape in in_shapes]
            try:
                tried.append([_legacy(s) for s in listed(rule(self.values(filled, attrs)))])
            except MXNetError:
                continue
        if len(tried) < 2:
            return unknown
        return [common_extents(shapes) for shapes in zip(*tried, strict=True)]

    def infer_dtype(self, in_dtypes, attrs, out_dtypes=None):
        """See `Operator.infer_dtype`."""
        names = self.input_names(attrs)
        free = names if self._each_free else self.free
        typed = [(n, d) for n, d in zip(names, in_dtypes, strict=True) if n not in free]
        extra = ()
        if self._dtype is None and out_dtypes is not None:
            extra = (("output", out_dtypes[0]),)
        pairs = (*typed, *extra)
        dtype = unify_dtypes(self.name, [n for n, _ in pairs], [d for _, d in pairs])
        filled = [
            dtype if d is None or n not in free else d for n, d in zip(names, in_dtypes, strict=True)
        ]
        filled = [d if d is None else DTYPES[code_of(d)] for d in filled]
        return filled, self._result_dtypes(filled, dtype, attrs), []

    def _result_dtypes(self, in_dtypes: Sequence, common: Any, attrs: dict) -> list:
        if self._dtype is None:
            return [common] * self.num_outputs(attrs)
        values = {**attrs, **dict.fromkeys(self.inputs), **dict(zip(self.inputs, in_dtypes, strict=False))}
        if self.variadic:
            values[self.inputs[0]] = list(in_dtypes) if self._each_free else common
        return [d if d is None else np.dtype(d) for d in listed(self._dtype(values))]

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        shapes, dtypes = self._checked(inputs, attrs)
        if outs is None and self._direct:
            return [self.function(*inputs, **attrs, out=None)]
        keywords = dict(attrs)
        if self.variadic:
            del keywords["num_args"]
        for name in self._reserved:
            keywords[name] = is_train if name == "is_train" else face
        if outs is None:
            keywords["out"] = None if self._single else [None] * len(shapes)
        else:
            check_out(self, outs, shapes, dtypes)
            out = outs[0]
            if self._single and out is not None and out.shape != shapes[0]:
                out = out._reshape_view(shapes[0])
            keywords["out"] = out if self._single else outs
        result = self.function(*inputs, **keywords)
        if self._single and outs is not None and outs[0] is not None:
            return [outs[0]]
        return list(result) if isinstance(result, (list, tuple)) else [result]

    def _checked(self, inputs: Sequence, attrs: dict) -> tuple:
        """(output shapes, output dtypes) for arrays, after all checks of shapes, dtypes and attributes."""
        key = (signature(inputs, True), *attrs.values())
        found = self._plans.get(key)
        if found is None:
            check_tensors(self, inputs, attrs)
            found = self._plans.add(key, self._check(inputs, attrs))
        return found

    def _check(self, inputs: Sequence, attrs: dict) -> tuple:
        shapes = self._check_shapes(inputs, attrs)
        for name, x in zip(self.input_names(attrs), inputs, strict=True):
            if name not in self.free and kind_of(x.dtype) not in self.kinds:
                expected = "a floating-point dtype" if self.kinds == "f" else f"a dtype of kind {self.kinds}"
                raise DTypeError(message(self.name, name, expected, np.dtype(x.dtype)))
        if inputs and rules_of(inputs[0]) != "nd" and self._dtype is None:
            return shapes, [None] * len(shapes)
        return shapes, self.infer_dtype([x.dtype for x in inputs], attrs)[1]

    def _check_shapes(self, inputs: Sequence, attrs: dict) -> list:
        in_shapes = [x.shape for x in inputs]
        if self._infer is not None:
            return self._infer(in_shapes, attrs, None)[1]
        if self._shape is None:
            return [in_shapes[0]] * self.num_outputs(attrs)
        return listed(self._shape(self.values(in_shapes, attrs)))


def _legacy(shape: tuple | None) -> tuple | None:
    """MXNet's arrays have at least one dimension, unless NumPy's shapes are on."""
    return (1,) if shape == () and not is_np_shape() else shape


class Layer(Op):
    """An operator written as a class whose annotated attributes are the hyper-parameters.

    The class has `forward(self, <inputs>, *, out)` and `infer(self, <output shape>, <input shapes>)` that
    returns (input shapes, output shapes), and may have `inputs(self)`, `outputs(self)`, `visible` (how many
    outputs a call returns, or a method that says so), `dtypes(self, <input dtypes>)` that returns (input
    dtypes, output dtypes), `backward(self, g, ...)` over operators (an argument `wanted` says for each input
    whether its gradient is used), `head_gradient(self)` (whether that reads g), `check(self)` of the
    hyper-parameters, `written(self)`, the number of outputs that MXNet's files count, where its hidden ones
    are others, `aux`, the names of states: the last inputs, `overwrites`, the input over which the first
    output may be written, and `replay(self, ...)` over operators, which computes the first output once more
    from inputs and hidden outputs, where `forward` must not run twice.
    """

    def __init__(self, name: str, cls: Any, inputs: Sequence[str], attributes: Sequence, **options: Any):
        self.layer_class = cls
        self._layers = Cache()
        self._backward = named(cls.backward) if hasattr(cls, "backward") else None
        self._replay = named(cls.replay) if hasattr(cls, "replay") else None
        forward = cls.forward
        forward.__doc__ = cls.__doc__
        super().__init__(name, forward, inputs, attributes, **options)
        self.__module__ = cls.__module__
        self.aux = tuple(getattr(cls, "aux", ()))
        self.inputs = tuple(n for n in self.inputs if n != "self")
        self._single = not hasattr(cls, "outputs")

    def _rules_of(self, grad):
        return (self._backward,) if self._backward is not None else ()

    def layer(self, attrs: dict) -> Any:
        """Return the layer object of these hyper-parameters."""
        key = tuple(attrs.values())
        found = self._layers.get(key)
        if found is None:
            found = self.layer_class()
            found.__dict__.update(attrs)
            if hasattr(found, "check"):
                found.check()
            self._layers.add(key, found)
        return found

    def input_names(self, attrs):
        """See `Operator.input_names`."""
        return self.layer(attrs).inputs() if hasattr(self.layer_class, "inputs") else self.inputs

    def output_names(self, attrs):
        """See `Operator.output_names`."""
        return self.layer(attrs).outputs() if hasattr(self.layer_class, "outputs") else ("output",)

    def num_visible(self, attrs):
        """See `Operator.num_visible`."""
        visible = getattr(self.layer_class, "visible", None)
        if visible is None:
            return self.num_outputs(attrs)
        return self.layer(attrs).visible() if callable(visible) else visible

    def num_written(self, attrs):
        """See `Operator.num_written`."""
        if hasattr(self.layer_class, "written"):
            return self.layer(attrs).written()
        return super().num_written(attrs)

    def needs_head_gradient(self, attrs):
        """See `Operator.needs_head_gradient`."""
        if hasattr(self.layer_class, "head_gradient"):
            return self.layer(attrs).head_gradient()
        return super().needs_head_gradient(attrs)

    def infer_shape(self, in_shapes, attrs, out_shapes=None):
        """See `Operator.infer_shape`."""
        return self._infer_layer(list(in_shapes), attrs, out_shapes)

    def infer_dtype(self, in_dtypes, attrs, out_dtypes=None):
        """See `Operator.infer_dtype`."""
        if hasattr(self.layer_class, "dtypes"):
            given = [d if d is None else DTYPES[code_of(d)] for d in in_dtypes]
            if given[0] is None and out_dtypes is not None:
                given[0] = out_dtypes[0]
            return *self.layer(attrs).dtypes(*given), []
        found = super().infer_dtype(in_dtypes, attrs, out_dtypes)
        if not hasattr(self.layer_class, "assumed_dtype") or None not in found[0]:
            return found
        assumed = self.layer(attrs).assumed_dtype()
        names = self.input_names(attrs)
        filled = [
            assumed if dtype is None and name not in self.free else dtype
            for name, dtype in zip(names, found[0], strict=True)
        ]
        return super().infer_dtype(filled, attrs, out_dtypes)

    def _infer_layer(self, in_shapes: list, attrs: dict, out_shapes: Sequence | None) -> tuple:
        names = self.input_names(attrs)
        layer = self.layer(attrs)
        out = out_shapes[0] if out_shapes is not None else None
        filled, outs = layer.infer(out, *in_shapes)
        merged = []
        for name, given, expected in zip(names, in_shapes, filled, strict=True):
            merged.append(self._merge(names[0], in_shapes[0], name, given, expected))
        if out is not None and outs[0] is not None:
            unify_shapes(self.name, ("output", "output"), (outs[0], out))
        return merged, [_legacy(s) for s in outs], []

    def _merge(self, data: str, data_shape: Any, name: str, given: Any, expected: Any) -> Any:
        try:
            return unify_shapes(self.name, (name, name), (expected, given))
        except ShapeError:
            hint = "transpose it" if tuple(given) == tuple(expected[::-1]) else None
            source = f"shape {describe(expected)}"
            if name != data:
                source += f" from {data} {describe(data_shape)}"
            text = message(self.name, name, source, describe(given), hint)
            raise ShapeError(text) from None

    def _check_shapes(self, inputs, attrs):
        return self._infer_layer([x.shape for x in inputs], attrs, None)[1]

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        shapes, dtypes = self._checked(inputs, attrs)
        if outs is not None:
            check_out(self, outs, shapes, dtypes)
        layer = self.layer(attrs)
        keywords = {"is_train": is_train} if "is_train" in self._reserved else {}
        if self._single:
            result = layer.forward(*inputs, out=None if outs is None else outs[0], **keywords)
            return [result]
        blank = [None] * len(shapes)
        return list(layer.forward(*inputs, out=blank if outs is None else list(outs), **keywords))

    def in_place_inputs(self, attrs, output):
        """See `Operator.in_place_inputs`."""
        over = getattr(self.layer_class, "overwrites", None)
        return (self.inputs.index(over),) if over is not None and output == 0 else ()

    @property
    def can_replay(self):
        """See `Operator.can_replay`."""
        return self._replay is not None

    def replay(self, inputs, outputs, attrs):
        """See `Operator.replay`."""
        values = self._values((), inputs, outputs, attrs) | {"self": self.layer(attrs)}
        return [self._replay(values)]

    def gradient(self, g_outputs, inputs, outputs, attrs, wanted=None):
        """See `Operator.gradient`."""
        if self._backward is None:
            return super().gradient(g_outputs, inputs, outputs, attrs, wanted)
        values = self._values(g_outputs, inputs, outputs, attrs) | {"self": self.layer(attrs)}
        values["wanted"] = [True] * len(inputs) if wanted is None else wanted
        for name in self.inputs:
            values.setdefault(name)
        result = self._backward(values)
        result = list(result) if isinstance(result, tuple) else [result]
        return (result + [None] * len(inputs))[: len(inputs)]
