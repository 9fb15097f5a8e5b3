"""Containers of blocks, and layers without structure."""

from __future__ import annotations

import warnings
from typing import Any

from ... import ndarray as nd
from ... import symbol as sym
from ..._paths import also, names_from
from ...errors import ArgumentError, AssertedArgumentError, message
from ..block import Block, indented
from ..hybrid import HybridBlock
from .activations import Activation

__all__ = [
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "HybridLambda",
    "HybridSequential",
    "Lambda",
    "Sequential",
    *also("BatchNorm BatchNormReLU GroupNorm InstanceNorm LayerNorm"),
]
__getattr__ = names_from(__name__, "mxcy.gluon.nn", "mxcy.base")


class Row:
    """What `Sequential` and `HybridSequential` share."""

    _children: dict[str, Any]

    def add(self, *blocks: Block) -> None:
        """Put blocks at the end."""
        for block in blocks:
            self.register_child(block)  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        inner = [f"  ({key}): {indented(repr(block), 2)}" for key, block in self._children.items()]
        return f"{type(self).__name__}(\n" + "\n".join(inner) + "\n)"

    def __getitem__(self, key: Any) -> Any:
        layers = list(self._children.values())[key]
        if not isinstance(layers, list):
            return layers
        net = type(self)(prefix=self._prefix)  # type: ignore[call-arg, attr-defined]
        with net.name_scope():  # type: ignore[attr-defined]
            net.add(*layers)
        return net

    def __len__(self) -> int:
        return len(self._children)

    def __iter__(self):
        return iter(self._children.values())


class Sequential(Row, Block):
    """Blocks one after the other."""

    def forward(self, x: Any, *args: Any) -> Any:
        """See `Block.forward`."""
        for block in self._children.values():
            x = block(x, *args)
            args = ()
        return x

    def hybridize(self, active: bool = True, **kwargs: Any) -> None:
        """See `Block.hybridize`."""
        if self._children and all(isinstance(c, HybridBlock) for c in self._children.values()):
            warnings.warn(
                f"All children of this Sequential layer '{self.prefix}' are HybridBlocks. Consider using "
                "HybridSequential for the best performance.", stacklevel=2,
            )  # fmt: skip
        super().hybridize(active, **kwargs)


class HybridSequential(Row, HybridBlock):
    """Hybrid blocks one after the other."""

    def hybrid_forward(self, F, x, *args):
        """See `HybridBlock.hybrid_forward`."""
        for block in self._children.values():
            x = block(x, *args)
            args = ()
        return x


class Dense(HybridBlock):
    """act(x weight^T + bias).

    Parameters
    ----------
    units : outputs of a row.
    activation : name of an activation, or None.
    use_bias : whether there is a bias.
    flatten : whether all axes of x but the first are one; otherwise the last one is transformed.
    dtype, weight_initializer, bias_initializer : of the parameters.
    in_units : inputs of a row; by default they follow from the data.
    """

    def __init__(self, units: int, activation: str | None = None, use_bias: bool = True,
                 flatten: bool = True, dtype: Any = "float32", weight_initializer: Any = None,
                 bias_initializer: Any = "zeros", in_units: int = 0, **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._flatten = flatten
        with self.name_scope():
            self._units = units
            self._in_units = in_units
            self.weight = self.params.get("weight", shape=(units, in_units), init=weight_initializer,
                                          dtype=dtype, allow_deferred_init=True)  # fmt: skip
            self.bias = None
            if use_bias:
                self.bias = self.params.get("bias", shape=(units,), init=bias_initializer, dtype=dtype,
                                            allow_deferred_init=True)  # fmt: skip
            self.act = None if activation is None else Activation(activation, prefix=activation + "_")

    def hybrid_forward(self, F, x, weight, bias=None):
        """See `HybridBlock.hybrid_forward`."""
        given = (x, weight) if bias is None else (x, weight, bias)
        out = F.FullyConnected(*given, no_bias=bias is None, num_hidden=self._units, flatten=self._flatten,
                               name="fwd")  # fmt: skip
        return out if self.act is None else self.act(out)

    def __repr__(self) -> str:
        units, inputs = self.weight.shape  # type: ignore[misc]
        return f"{type(self).__name__}({inputs or None} -> {units}, {self.act or 'linear'})"


class Dropout(HybridBlock):
    """In training sets a part `rate` of the elements to 0, and scales the others to keep their mean.

    `axes` are those along which elements share their fate.
    """

    def __init__(self, rate: float, axes: Any = (), **kwargs: Any):
        super().__init__(**kwargs)
        self._rate = rate
        self._axes = axes

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        if self._rate > 0:
            return F.Dropout(x, p=self._rate, axes=self._axes, name="fwd", cudnn_off=False)
        return F.identity(x)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p = {self._rate}, axes={self._axes})"


class Embedding(HybridBlock):
    """Rows of a matrix by their numbers: (input_dim, output_dim).

    With `sparse_grad` the gradient is in row-sparse storage: the rows that were looked up.
    """

    def __init__(self, input_dim: int, output_dim: int, dtype: Any = "float32",
                 weight_initializer: Any = None, sparse_grad: bool = False, **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._kwargs = {"input_dim": input_dim, "output_dim": output_dim, "dtype": dtype,
                        "sparse_grad": sparse_grad}  # fmt: skip
        self.weight = self.params.get("weight", shape=(input_dim, output_dim), init=weight_initializer,
                                      dtype=dtype, allow_deferred_init=True,
                                      grad_stype="row_sparse" if sparse_grad else "default")  # fmt: skip

    def hybrid_forward(self, F, x, weight):
        """See `HybridBlock.hybrid_forward`."""
        return F.Embedding(x, weight, name="fwd", **self._kwargs)

    def __repr__(self) -> str:
        k = self._kwargs
        return f"{type(self).__name__}({k['input_dim']} -> {k['output_dim']}, {k['dtype']})"


class Flatten(HybridBlock):
    """Joins all axes but the first."""

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.flatten(x)

    def __repr__(self) -> str:
        return type(self).__name__


class Lambda(Block):
    """A function of arrays as a block: a name in mx.nd, or a callable."""

    def __init__(self, function: Any, prefix: str | None = None):
        super().__init__(prefix=prefix)
        if isinstance(function, str):
            if not hasattr(nd, function):
                expected = "the name of a function of mx.nd"
                raise AssertedArgumentError(message("Lambda", "function", expected, repr(function)))
            function = getattr(nd, function)
        if not callable(function):
            got = type(function).__name__
            raise ArgumentError(message("Lambda", "function", "a name or a callable", got))
        self._func_impl = function

    def forward(self, *args: Any) -> Any:
        """See `Block.forward`."""
        return self._func_impl(*args)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._func_impl.__name__})"


class HybridLambda(HybridBlock):
    """A function `(F, x, ...)` as a hybrid block, or the name of one in mx.nd and mx.sym."""

    def __init__(self, function: Any, prefix: str | None = None):
        super().__init__(prefix=prefix)
        if isinstance(function, str):
            if not (hasattr(nd, function) and hasattr(sym, function)):
                expected = "the name of a function of mx.nd and mx.sym"
                raise AssertedArgumentError(message("HybridLambda", "function", expected, repr(function)))
            self._func = lambda F, *args: getattr(F, function)(*args)
            self._func_name = function
        elif callable(function):
            self._func = function
            self._func_name = function.__name__
        else:
            got = type(function).__name__
            raise ArgumentError(message("HybridLambda", "function", "a name or a callable", got))

    def hybrid_forward(self, F, x, *args):
        """See `HybridBlock.hybrid_forward`."""
        return self._func(F, x, *args)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._func_name})"
