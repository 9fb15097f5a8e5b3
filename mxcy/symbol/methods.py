"""Operators as methods of symbols: `x.sum(axis=1)` is `sym.sum(x, axis=1)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..errors import ArgumentError, NotImplementedForSymbol, message

__all__ = ["Methods"]


class Methods:
    """Each method is the operator of its name, called with the symbol as its first input."""

    __slots__ = ()
    _call: Callable

    def astype(self, dtype: Any, **kwargs: Any):
        """Return the values converted to another dtype."""
        return ops.cast(self, dtype=dtype, **kwargs)

    def reshape(self, *shape: Any, **kwargs: Any):
        """Return the values in another shape; 0, -1, -2, -3 and -4 have MXNet's meanings."""
        if shape:
            kwargs["shape"] = shape[0] if len(shape) == 1 else shape
        return ops.reshape(self, **kwargs)

    def abs(self, *args: Any, **kwargs: Any):
        """Return `sym.abs` of the symbol."""
        return self._call("abs", args, kwargs)

    def arccos(self, *args: Any, **kwargs: Any):
        """Return `sym.arccos` of the symbol."""
        return self._call("arccos", args, kwargs)

    def arccosh(self, *args: Any, **kwargs: Any):
        """Return `sym.arccosh` of the symbol."""
        return self._call("arccosh", args, kwargs)

    def arcsin(self, *args: Any, **kwargs: Any):
        """Return `sym.arcsin` of the symbol."""
        return self._call("arcsin", args, kwargs)

    def arcsinh(self, *args: Any, **kwargs: Any):
        """Return `sym.arcsinh` of the symbol."""
        return self._call("arcsinh", args, kwargs)

    def arctan(self, *args: Any, **kwargs: Any):
        """Return `sym.arctan` of the symbol."""
        return self._call("arctan", args, kwargs)

    def arctanh(self, *args: Any, **kwargs: Any):
        """Return `sym.arctanh` of the symbol."""
        return self._call("arctanh", args, kwargs)

    def argmax(self, *args: Any, **kwargs: Any):
        """Return `sym.argmax` of the symbol."""
        return self._call("argmax", args, kwargs)

    def argmax_channel(self, *args: Any, **kwargs: Any):
        """Return `sym.argmax_channel` of the symbol."""
        return self._call("argmax_channel", args, kwargs)

    def argmin(self, *args: Any, **kwargs: Any):
        """Return `sym.argmin` of the symbol."""
        return self._call("argmin", args, kwargs)

    def argsort(self, *args: Any, **kwargs: Any):
        """Return `sym.argsort` of the symbol."""
        return self._call("argsort", args, kwargs)

    def broadcast_axes(self, *args: Any, **kwargs: Any):
        """Return `sym.broadcast_axes` of the symbol."""
        return self._call("broadcast_axes", args, kwargs)

    def broadcast_like(self, *args: Any, **kwargs: Any):
        """Return `sym.broadcast_like` of the symbol."""
        return self._call("broadcast_like", args, kwargs)

    def broadcast_to(self, *args: Any, **kwargs: Any):
        """Return `sym.broadcast_to` of the symbol."""
        return self._call("broadcast_to", args, kwargs)

    def cbrt(self, *args: Any, **kwargs: Any):
        """Return `sym.cbrt` of the symbol."""
        return self._call("cbrt", args, kwargs)

    def ceil(self, *args: Any, **kwargs: Any):
        """Return `sym.ceil` of the symbol."""
        return self._call("ceil", args, kwargs)

    def clip(self, *args: Any, **kwargs: Any):
        """Return `sym.clip` of the symbol."""
        return self._call("clip", args, kwargs)

    def cos(self, *args: Any, **kwargs: Any):
        """Return `sym.cos` of the symbol."""
        return self._call("cos", args, kwargs)

    def cosh(self, *args: Any, **kwargs: Any):
        """Return `sym.cosh` of the symbol."""
        return self._call("cosh", args, kwargs)

    def degrees(self, *args: Any, **kwargs: Any):
        """Return `sym.degrees` of the symbol."""
        return self._call("degrees", args, kwargs)

    def depth_to_space(self, *args: Any, **kwargs: Any):
        """Return `sym.depth_to_space` of the symbol."""
        return self._call("depth_to_space", args, kwargs)

    def diag(self, *args: Any, **kwargs: Any):
        """Return `sym.diag` of the symbol."""
        return self._call("diag", args, kwargs)

    def exp(self, *args: Any, **kwargs: Any):
        """Return `sym.exp` of the symbol."""
        return self._call("exp", args, kwargs)

    def expand_dims(self, *args: Any, **kwargs: Any):
        """Return `sym.expand_dims` of the symbol."""
        return self._call("expand_dims", args, kwargs)

    def expm1(self, *args: Any, **kwargs: Any):
        """Return `sym.expm1` of the symbol."""
        return self._call("expm1", args, kwargs)

    def fix(self, *args: Any, **kwargs: Any):
        """Return `sym.fix` of the symbol."""
        return self._call("fix", args, kwargs)

    def flatten(self, *args: Any, **kwargs: Any):
        """Return `sym.flatten` of the symbol."""
        return self._call("flatten", args, kwargs)

    def flip(self, *args: Any, **kwargs: Any):
        """Return `sym.flip` of the symbol."""
        return self._call("flip", args, kwargs)

    def floor(self, *args: Any, **kwargs: Any):
        """Return `sym.floor` of the symbol."""
        return self._call("floor", args, kwargs)

    def log(self, *args: Any, **kwargs: Any):
        """Return `sym.log` of the symbol."""
        return self._call("log", args, kwargs)

    def log10(self, *args: Any, **kwargs: Any):
        """Return `sym.log10` of the symbol."""
        return self._call("log10", args, kwargs)

    def log1p(self, *args: Any, **kwargs: Any):
        """Return `sym.log1p` of the symbol."""
        return self._call("log1p", args, kwargs)

    def log2(self, *args: Any, **kwargs: Any):
        """Return `sym.log2` of the symbol."""
        return self._call("log2", args, kwargs)

    def log_softmax(self, *args: Any, **kwargs: Any):
        """Return `sym.log_softmax` of the symbol."""
        return self._call("log_softmax", args, kwargs)

    def max(self, *args: Any, **kwargs: Any):
        """Return `sym.max` of the symbol."""
        return self._call("max", args, kwargs)

    def mean(self, *args: Any, **kwargs: Any):
        """Return `sym.mean` of the symbol."""
        return self._call("mean", args, kwargs)

    def min(self, *args: Any, **kwargs: Any):
        """Return `sym.min` of the symbol."""
        return self._call("min", args, kwargs)

    def nanprod(self, *args: Any, **kwargs: Any):
        """Return `sym.nanprod` of the symbol."""
        return self._call("nanprod", args, kwargs)

    def nansum(self, *args: Any, **kwargs: Any):
        """Return `sym.nansum` of the symbol."""
        return self._call("nansum", args, kwargs)

    def norm(self, *args: Any, **kwargs: Any):
        """Return `sym.norm` of the symbol."""
        return self._call("norm", args, kwargs)

    def one_hot(self, *args: Any, **kwargs: Any):
        """Return `sym.one_hot` of the symbol."""
        return self._call("one_hot", args, kwargs)

    def ones_like(self, *args: Any, **kwargs: Any):
        """Return `sym.ones_like` of the symbol."""
        return self._call("ones_like", args, kwargs)

    def pad(self, *args: Any, **kwargs: Any):
        """Return `sym.pad` of the symbol."""
        return self._call("pad", args, kwargs)

    def pick(self, *args: Any, **kwargs: Any):
        """Return `sym.pick` of the symbol."""
        return self._call("pick", args, kwargs)

    def prod(self, *args: Any, **kwargs: Any):
        """Return `sym.prod` of the symbol."""
        return self._call("prod", args, kwargs)

    def radians(self, *args: Any, **kwargs: Any):
        """Return `sym.radians` of the symbol."""
        return self._call("radians", args, kwargs)

    def rcbrt(self, *args: Any, **kwargs: Any):
        """Return `sym.rcbrt` of the symbol."""
        return self._call("rcbrt", args, kwargs)

    def reciprocal(self, *args: Any, **kwargs: Any):
        """Return `sym.reciprocal` of the symbol."""
        return self._call("reciprocal", args, kwargs)

    def relu(self, *args: Any, **kwargs: Any):
        """Return `sym.relu` of the symbol."""
        return self._call("relu", args, kwargs)

    def repeat(self, *args: Any, **kwargs: Any):
        """Return `sym.repeat` of the symbol."""
        return self._call("repeat", args, kwargs)

    def reshape_like(self, *args: Any, **kwargs: Any):
        """Return `sym.reshape_like` of the symbol."""
        return self._call("reshape_like", args, kwargs)

    def rint(self, *args: Any, **kwargs: Any):
        """Return `sym.rint` of the symbol."""
        return self._call("rint", args, kwargs)

    def round(self, *args: Any, **kwargs: Any):
        """Return `sym.round` of the symbol."""
        return self._call("round", args, kwargs)

    def rsqrt(self, *args: Any, **kwargs: Any):
        """Return `sym.rsqrt` of the symbol."""
        return self._call("rsqrt", args, kwargs)

    def shape_array(self, *args: Any, **kwargs: Any):
        """Return `sym.shape_array` of the symbol."""
        return self._call("shape_array", args, kwargs)

    def sigmoid(self, *args: Any, **kwargs: Any):
        """Return `sym.sigmoid` of the symbol."""
        return self._call("sigmoid", args, kwargs)

    def sign(self, *args: Any, **kwargs: Any):
        """Return `sym.sign` of the symbol."""
        return self._call("sign", args, kwargs)

    def sin(self, *args: Any, **kwargs: Any):
        """Return `sym.sin` of the symbol."""
        return self._call("sin", args, kwargs)

    def sinh(self, *args: Any, **kwargs: Any):
        """Return `sym.sinh` of the symbol."""
        return self._call("sinh", args, kwargs)

    def size_array(self, *args: Any, **kwargs: Any):
        """Return `sym.size_array` of the symbol."""
        return self._call("size_array", args, kwargs)

    def slice(self, *args: Any, **kwargs: Any):
        """Return `sym.slice` of the symbol."""
        return self._call("slice", args, kwargs)

    def slice_axis(self, *args: Any, **kwargs: Any):
        """Return `sym.slice_axis` of the symbol."""
        return self._call("slice_axis", args, kwargs)

    def slice_like(self, *args: Any, **kwargs: Any):
        """Return `sym.slice_like` of the symbol."""
        return self._call("slice_like", args, kwargs)

    def softmax(self, *args: Any, **kwargs: Any):
        """Return `sym.softmax` of the symbol."""
        return self._call("softmax", args, kwargs)

    def softmin(self, *args: Any, **kwargs: Any):
        """Return `sym.softmin` of the symbol."""
        return self._call("softmin", args, kwargs)

    def sort(self, *args: Any, **kwargs: Any):
        """Return `sym.sort` of the symbol."""
        return self._call("sort", args, kwargs)

    def space_to_depth(self, *args: Any, **kwargs: Any):
        """Return `sym.space_to_depth` of the symbol."""
        return self._call("space_to_depth", args, kwargs)

    def split(self, *args: Any, **kwargs: Any):
        """Return `sym.split` of the symbol."""
        return self._call("split", args, kwargs)

    def split_v2(self, indices_or_sections: Any, axis: int = 0, squeeze_axis: bool = False):
        """Return `sym.split_v2` of the symbol."""
        if not isinstance(indices_or_sections, (int, tuple)):
            got = type(indices_or_sections).__name__
            raise ArgumentError(message("split_v2", "indices_or_sections", "an int or a tuple of ints", got))
        parts: dict[str, Any] = {"sections": indices_or_sections}
        if isinstance(indices_or_sections, tuple):
            parts = {"indices": (0, *indices_or_sections)}
        given = {"indices": (), "sections": 0, "axis": axis, "squeeze_axis": squeeze_axis, **parts}
        return self._call("_split_v2", (), given)

    def sqrt(self, *args: Any, **kwargs: Any):
        """Return `sym.sqrt` of the symbol."""
        return self._call("sqrt", args, kwargs)

    def square(self, *args: Any, **kwargs: Any):
        """Return `sym.square` of the symbol."""
        return self._call("square", args, kwargs)

    def squeeze(self, *args: Any, **kwargs: Any):
        """Return `sym.squeeze` of the symbol."""
        return self._call("squeeze", args, kwargs)

    def sum(self, *args: Any, **kwargs: Any):
        """Return `sym.sum` of the symbol."""
        return self._call("sum", args, kwargs)

    def swapaxes(self, *args: Any, **kwargs: Any):
        """Return `sym.swapaxes` of the symbol."""
        return self._call("swapaxes", args, kwargs)

    def take(self, *args: Any, **kwargs: Any):
        """Return `sym.take` of the symbol."""
        return self._call("take", args, kwargs)

    def tan(self, *args: Any, **kwargs: Any):
        """Return `sym.tan` of the symbol."""
        return self._call("tan", args, kwargs)

    def tanh(self, *args: Any, **kwargs: Any):
        """Return `sym.tanh` of the symbol."""
        return self._call("tanh", args, kwargs)

    def tile(self, *args: Any, **kwargs: Any):
        """Return `sym.tile` of the symbol."""
        return self._call("tile", args, kwargs)

    def topk(self, *args: Any, **kwargs: Any):
        """Return `sym.topk` of the symbol."""
        return self._call("topk", args, kwargs)

    def transpose(self, *args: Any, **kwargs: Any):
        """Return `sym.transpose` of the symbol."""
        return self._call("transpose", args, kwargs)

    def trunc(self, *args: Any, **kwargs: Any):
        """Return `sym.trunc` of the symbol."""
        return self._call("trunc", args, kwargs)

    def zeros_like(self, *args: Any, **kwargs: Any):
        """Return `sym.zeros_like` of the symbol."""
        return self._call("zeros_like", args, kwargs)

    def asnumpy(self, *args: Any, **kwargs: Any):
        """Raise `NotImplementedForSymbol`: a symbol holds no values."""
        raise NotImplementedForSymbol(self.asnumpy)

    def asscalar(self, *args: Any, **kwargs: Any):
        """Raise `NotImplementedForSymbol`: a symbol holds no values."""
        raise NotImplementedForSymbol(self.asscalar)

    def wait_to_read(self, *args: Any, **kwargs: Any):
        """Raise `NotImplementedForSymbol`: a symbol holds no values."""
        raise NotImplementedForSymbol(self.wait_to_read)

    def copy(self, *args: Any, **kwargs: Any):
        """Raise `NotImplementedForSymbol`: a symbol holds no values."""
        raise NotImplementedForSymbol(self.copy)

    def as_in_context(self, *args: Any, **kwargs: Any):
        """Raise `NotImplementedForSymbol`: a symbol holds no values."""
        raise NotImplementedForSymbol(self.as_in_context)

    def detach(self, *args: Any, **kwargs: Any):
        """Raise `NotImplementedForSymbol`: a symbol holds no values."""
        raise NotImplementedForSymbol(self.detach)

    def backward(self, *args: Any, **kwargs: Any):
        """Raise `NotImplementedForSymbol`: a symbol holds no values."""
        raise NotImplementedForSymbol(self.backward)
