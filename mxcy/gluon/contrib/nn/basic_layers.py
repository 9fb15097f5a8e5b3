"""Layers that MXNet keeps apart."""

from __future__ import annotations

from typing import Any

from .... import ndarray as nd
from ...block import Block
from ...hybrid import HybridBlock
from ...nn import BatchNorm, HybridSequential, Sequential

__all__ = [
    "Concurrent",
    "HybridConcurrent",
    "Identity",
    "PixelShuffle1D",
    "PixelShuffle2D",
    "PixelShuffle3D",
    "SparseEmbedding",
    "SyncBatchNorm",
]


class Concurrent(Sequential):
    """Blocks side by side, whose outputs are joined along an axis."""

    def __init__(self, axis: int = -1, prefix: str | None = None, params: Any = None):
        super().__init__(prefix=prefix, params=params)
        self.axis = axis

    def forward(self, x: Any, *args: Any) -> Any:
        """See `Block.forward`."""
        return nd.concat(*[block(x, *args) for block in self._children.values()], dim=self.axis)


class HybridConcurrent(HybridSequential):
    """Hybrid blocks side by side, whose outputs are joined along an axis."""

    def __init__(self, axis: int = -1, prefix: str | None = None, params: Any = None):
        super().__init__(prefix=prefix, params=params)
        self.axis = axis

    def hybrid_forward(self, F, x, *args):
        """See `HybridBlock.hybrid_forward`."""
        return F.concat(*[block(x, *args) for block in self._children.values()], dim=self.axis)


class Identity(HybridBlock):
    """The input itself."""

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return x


class SparseEmbedding(Block):
    """`Embedding` whose weight and gradient are in row-sparse storage.

    The weight is kept by the store of a `Trainer`, which must be there before the first call: each call
    reads the rows that it looks up.
    """

    def __init__(self, input_dim: int, output_dim: int, dtype: Any = "float32",
                 weight_initializer: Any = None, **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._kwargs = {"input_dim": input_dim, "output_dim": output_dim, "dtype": dtype,
                        "sparse_grad": True}  # fmt: skip
        self.weight = self.params.get("weight", shape=(input_dim, output_dim), init=weight_initializer,
                                      dtype=dtype, grad_stype="row_sparse", stype="row_sparse")  # fmt: skip

    def forward(self, x):
        """See `Block.forward`."""
        return nd.Embedding(x, self.weight.row_sparse_data(x), name="fwd", **self._kwargs)

    def __repr__(self) -> str:
        k = self._kwargs
        return f"{type(self).__name__}({k['input_dim']} -> {k['output_dim']}, {k['dtype']})"


class SyncBatchNorm(BatchNorm):
    """`BatchNorm` for several devices. Each device normalises with its own part of the batch."""

    def __init__(self, in_channels: int = 0, num_devices: int | None = None, momentum: float = 0.9,
                 epsilon: float = 1e-5, center: bool = True, scale: bool = True,
                 use_global_stats: bool = False, **kwargs: Any):  # fmt: skip
        super().__init__(1, momentum, epsilon, center, scale, use_global_stats, in_channels=in_channels,
                         **kwargs)  # fmt: skip
        self.num_devices = num_devices


class PixelShuffle1D(HybridBlock):
    """(N, f C, W) as (N, C, f W)."""

    def __init__(self, factor: int):
        super().__init__()
        self._factor = int(factor)

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        x = F.reshape(x, (0, -4, -1, self._factor, 0))  # (N, C, f, W)
        return F.reshape(F.transpose(x, axes=(0, 1, 3, 2)), (0, 0, -3))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._factor})"


class PixelShuffle2D(HybridBlock):
    """(N, f g C, H, W) as (N, C, f H, g W) (Shi et al. 2016)."""

    def __init__(self, factor: Any):
        super().__init__()
        self._factors = (int(factor),) * 2 if isinstance(factor, int) else tuple(factor)

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        f, g = self._factors
        x = F.reshape(F.reshape(x, (0, -4, -1, f * g, 0, 0)), (0, 0, -4, f, g, 0, 0))
        return F.reshape(F.transpose(x, axes=(0, 1, 4, 2, 5, 3)), (0, 0, -3, -3))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._factors})"


class PixelShuffle3D(HybridBlock):
    """(N, f g h C, D, H, W) as (N, C, f D, g H, h W)."""

    def __init__(self, factor: Any):
        super().__init__()
        self._factors = (int(factor),) * 3 if isinstance(factor, int) else tuple(factor)

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        f, g, h = self._factors
        x = F.reshape(x, (0, -4, -1, f * g * h, 0, 0, 0))
        x = F.reshape(F.swapaxes(x, 2, 3), (0, 0, 0, -4, f, g * h, 0, 0))
        x = F.reshape(x, (0, 0, -3, 0, 0, 0))
        x = F.reshape(F.swapaxes(x, 3, 4), (0, 0, 0, 0, -4, g, h, 0))
        x = F.reshape(F.reshape(x, (0, 0, 0, -3, 0, 0)), (0, 0, 0, 0, 0, 0))
        return F.reshape(F.swapaxes(x, 4, 5), (0, 0, 0, 0, -3))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._factors})"
