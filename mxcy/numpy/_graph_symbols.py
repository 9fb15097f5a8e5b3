"""`mx.sym.np`, `mx.sym.npx`: the functions of `mx.np` on symbols."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

from ..ops import PUBLIC
from ..symbol import Symbol, compose, image
from ..symbol import op as symbols
from ._graph_calls import CALL, encoded, resolve

__all__ = ["Namespace", "NumpySymbol", "call"]

PARTS = ("split", "array_split", "hsplit", "vsplit", "dsplit")
EACH = ("meshgrid", "broadcast_arrays")
# Functions with several results, by their names.
COUNTS = {"frexp": 2, "modf": 2, "divmod": 2, "svd": 3, "qr": 2, "eig": 2, "eigh": 2, "slogdet": 2}


def count_of(name: str, args: tuple, kwargs: dict) -> int | None:
    """How many results a call has, None for one that is not in a list."""
    last = name.rpartition(".")[2]
    if last in PARTS:
        parts = args[1] if len(args) > 1 else kwargs["indices_or_sections"]
        return parts if isinstance(parts, int) else len(parts) + 1
    if last in EACH or (last.startswith("atleast_") and len(args) > 1):
        return len(args)
    if last == "unique":
        flags = ("return_index", "return_inverse", "return_counts")
        given = [*args[1:4], *[kwargs.get(flag, False) for flag in flags]]
        return 1 + sum(map(bool, given)) if any(given) else None
    if last in ("linspace", "average"):
        return 2 if kwargs.get("retstep") or kwargs.get("returned") else None
    return COUNTS.get(last)


def call(function: str, *args: Any, name: str | None = None, **kwargs: Any) -> Any:
    """Return the node of a function on symbols, or a list of its results."""
    kwargs = {key: value for key, value in kwargs.items() if key not in ("out", "ctx") or value is not None}
    inputs: list = []
    told = encoded((args, list(kwargs.items())), inputs)
    count = count_of(function, args, kwargs)
    attrs = CALL.parse_attrs(
        {"function": function, "arguments": json.dumps(told), "outputs": count or 1, "num_args": len(inputs)}
    )
    hint = function.rpartition(".")[2].strip("_")
    graph = compose.add_node(CALL, inputs, attrs, name, None, hint)
    heads = graph.heads
    return NumpySymbol(graph) if count is None else [NumpySymbol._of(head) for head in heads]


class NumpySymbol(Symbol):
    """A symbol that behaves as an array of `mx.np`: operators broadcast, methods are those of arrays.

    >>> import mxcy as mx
    >>> x = mx.sym.var("x").as_np_ndarray()
    >>> (x.sum() + x[0]).list_arguments()
    ['x']
    """

    __slots__ = ()

    def as_np_ndarray(self) -> NumpySymbol:
        """Return the symbol itself."""
        return self

    def as_nd_ndarray(self) -> Symbol:
        """Return the same graph as a symbol of `mx.sym`."""
        return Symbol(self._graph)

    def __getitem__(self, key: Any) -> Any:
        """Return an element or a part, as of an array; of several outputs, one or a list."""
        if len(self._graph.heads) > 1 or isinstance(key, str):
            return super().__getitem__(key)
        return call("ndarray.__getitem__", self, key)

    def __iter__(self):
        if len(self._graph.heads) > 1:
            return super().__iter__()
        raise TypeError("a symbol has no known length to iterate over")

    @property
    def T(self) -> NumpySymbol:
        """The array with its axes in opposite order."""
        return call("np.transpose", self)

    def __neg__(self) -> NumpySymbol:
        return call("np.negative", self)

    def __abs__(self) -> NumpySymbol:
        return call("np.absolute", self)

    def __matmul__(self, other: Any) -> NumpySymbol:
        return call("np.matmul", self, other)

    def reshape(self, *shape: Any, **kwargs: Any) -> NumpySymbol:
        """Return the values in another shape."""
        return call("ndarray.reshape", self, *shape, **kwargs)

    def astype(self, dtype: Any, **kwargs: Any) -> NumpySymbol:
        """Return the values converted to another dtype."""
        return call("ndarray.astype", self, dtype, **kwargs)


def _operator(function: str, turned: bool) -> Callable:
    def operate(self: NumpySymbol, other: Any) -> NumpySymbol:
        return call(function, other, self) if turned else call(function, self, other)

    return operate


def _method(name: str) -> Callable:
    def method(self: NumpySymbol, *args: Any, **kwargs: Any) -> Any:
        return call(f"ndarray.{name}", self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"Return what the method `{name}` of an array returns."
    return method


for _name, _function in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "mod": "remainder",
    "pow": "power", "floordiv": "floor_divide",
}.items():  # fmt: skip
    setattr(NumpySymbol, f"__{_name}__", _operator(f"np.{_function}", False))
    setattr(NumpySymbol, f"__r{_name}__", _operator(f"np.{_function}", True))
for _name, _function in {
    "eq": "equal", "ne": "not_equal", "gt": "greater", "ge": "greater_equal", "lt": "less",
    "le": "less_equal",
}.items():  # fmt: skip
    setattr(NumpySymbol, f"__{_name}__", _operator(f"np.{_function}", False))
for _name in (
    "all", "any", "argmax", "argmin", "argsort", "clip", "copy", "cumsum", "diagonal", "dot", "flatten",
    "max", "mean", "min", "prod", "ravel", "repeat", "round", "sort", "squeeze", "std", "sum", "swapaxes",
    "take", "trace", "transpose", "var",
):  # fmt: skip
    setattr(NumpySymbol, _name, _method(_name))


class Namespace:
    """The functions of a module of arrays, on symbols; constants and types are those of the module."""

    def __init__(self, prefix: str, module: str):
        self._prefix = prefix
        self._module = module
        self._Symbol = NumpySymbol

    def __repr__(self) -> str:
        return f"<namespace mxcy.symbol.{self._prefix}>"

    def __dir__(self) -> list[str]:
        return dir(importlib.import_module(self._module))

    def __getattr__(self, name: str) -> Any:
        module = importlib.import_module(self._module)
        found = getattr(module, name)
        if name == "image":
            value: Any = _Images()
        elif name in ("linalg", "random", "fft"):
            value = Namespace(f"{self._prefix}.{name}", found.__name__)
        elif isinstance(found, type) or not callable(found):
            value = found
        else:
            value = self._function(name)
        setattr(self, name, value)
        return value

    def _function(self, name: str) -> Callable:
        path = f"{self._prefix}.{name}"
        target = resolve(path)
        layer = getattr(target, "name", None) if self._prefix == "npx" else None
        known = getattr(symbols, layer, None) if layer in PUBLIC else None

        def function(*args: Any, **kwargs: Any) -> Any:
            if known is not None:  # an operator of `mx.sym`
                made = known(*args, **kwargs)
                return NumpySymbol(made._graph)
            return call(path, *args, **kwargs)

        function.__name__ = function.__qualname__ = name
        function.__doc__ = getattr(target, "__doc__", None)
        return function


class _Images:
    """The operators of `mx.sym.image`, whose results are symbols of `mx.np`."""

    def __dir__(self) -> list[str]:
        return [name for name in vars(image) if not name.startswith("_")]

    def __getattr__(self, name: str) -> Callable:
        known = getattr(image, name)

        def function(*args: Any, **kwargs: Any) -> NumpySymbol:
            return NumpySymbol(known(*args, **kwargs)._graph)

        function.__name__ = function.__qualname__ = name
        function.__doc__ = known.__doc__
        return function


np = Namespace("np", "mxcy.numpy")
npx = Namespace("npx", "mxcy.numpy_extension")
