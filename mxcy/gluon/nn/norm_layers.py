"""Layers that normalise their input, then scale it by gamma and add beta."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..hybrid import HybridBlock

__all__ = ["BatchNorm", "BatchNormReLU", "GroupNorm", "InstanceNorm", "LayerNorm"]


def described(block: Any, options: dict, channels: Any = None) -> str:
    """A line about a block."""
    text = ", ".join(f"{key}={value!r}" for key, value in options.items())
    return f"{type(block).__name__}({text}" + ("" if channels is None else f", in_channels={channels}") + ")"


class BatchNorm(HybridBlock):
    """Normalisation by mean and variance of the batch in training, by moving averages otherwise.

    Ioffe and Szegedy 2015.

    Parameters
    ----------
    axis : the axis of channels.
    momentum : part of the moving averages that stays with each batch.
    epsilon : added to the variance.
    center, scale : whether beta and gamma are learned; otherwise they stay 0 and 1.
    use_global_stats : whether training uses the moving averages, too.
    beta_initializer, gamma_initializer, running_mean_initializer, running_variance_initializer : as named.
    in_channels : number of channels; by default it follows from the data.
    """

    fuse_relu = False

    def __init__(self, axis: int = 1, momentum: float = 0.9, epsilon: float = 1e-5, center: bool = True,
                 scale: bool = True, use_global_stats: bool = False, beta_initializer: Any = "zeros",
                 gamma_initializer: Any = "ones", running_mean_initializer: Any = "zeros",
                 running_variance_initializer: Any = "ones", in_channels: int = 0,
                 **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._kwargs = {"axis": axis, "eps": epsilon, "momentum": momentum, "fix_gamma": not scale,
                        "use_global_stats": use_global_stats}  # fmt: skip
        if in_channels != 0:
            self.in_channels = in_channels
        shape = {"shape": (in_channels,), "allow_deferred_init": True}
        self.gamma = self.params.get("gamma", grad_req="write" if scale else "null", init=gamma_initializer,
                                     differentiable=scale, **shape)  # fmt: skip
        self.beta = self.params.get("beta", grad_req="write" if center else "null", init=beta_initializer,
                                    differentiable=center, **shape)  # fmt: skip
        self.running_mean = self.params.get("running_mean", grad_req="null", init=running_mean_initializer,
                                            differentiable=False, **shape)  # fmt: skip
        self.running_var = self.params.get("running_var", grad_req="null", differentiable=False,
                                           init=running_variance_initializer, **shape)  # fmt: skip

    def cast(self, dtype: Any) -> None:
        """See `Block.cast`; parameters stay float32 for data of float16."""
        super().cast("float32" if np.dtype(dtype) == np.float16 else dtype)

    def hybrid_forward(self, F, x, gamma, beta, running_mean, running_var):
        """See `HybridBlock.hybrid_forward`."""
        out = F.BatchNorm(x, gamma, beta, running_mean, running_var, name="fwd", **self._kwargs)
        return F.Activation(out, act_type="relu") if self.fuse_relu else out

    def __repr__(self) -> str:
        return described(self, self._kwargs, self.gamma.shape[0] or "None")  # type: ignore[index]


class BatchNormReLU(BatchNorm):
    """`BatchNorm`, then relu."""

    fuse_relu = True


class LayerNorm(HybridBlock):
    """Normalisation of each row by its own mean and variance (Ba et al. 2016); see `BatchNorm`."""

    def __init__(self, axis: int = -1, epsilon: float = 1e-5, center: bool = True, scale: bool = True,
                 beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", in_channels: int = 0,
                 prefix: str | None = None, params: Any = None):  # fmt: skip
        super().__init__(prefix=prefix, params=params)
        self._kwargs = {"eps": epsilon, "axis": axis, "center": center, "scale": scale}
        self._axis = axis
        self._epsilon = epsilon
        add_scale(self, (in_channels,), center, scale, beta_initializer, gamma_initializer)

    def hybrid_forward(self, F, data, gamma, beta):
        """See `HybridBlock.hybrid_forward`."""
        return F.LayerNorm(data, gamma=gamma, beta=beta, axis=self._axis, eps=self._epsilon)

    def __repr__(self) -> str:
        return described(self, self._kwargs, self.gamma.shape[0])  # type: ignore[attr-defined]


class InstanceNorm(HybridBlock):
    """Normalisation of each channel of each sample (Ulyanov et al. 2016); see `BatchNorm`."""

    def __init__(self, axis: int = 1, epsilon: float = 1e-5, center: bool = True, scale: bool = False,
                 beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", in_channels: int = 0,
                 **kwargs: Any):  # fmt: skip
        super().__init__(**kwargs)
        self._kwargs = {"eps": epsilon, "axis": axis, "center": center, "scale": scale}
        self._axis = axis
        self._epsilon = epsilon
        add_scale(self, (in_channels,), center, scale, beta_initializer, gamma_initializer)

    def hybrid_forward(self, F, x, gamma, beta):
        """See `HybridBlock.hybrid_forward`."""
        if self._axis == 1:
            return F.InstanceNorm(x, gamma, beta, name="fwd", eps=self._epsilon)
        swapped = x.swapaxes(1, self._axis)
        return F.InstanceNorm(swapped, gamma, beta, name="fwd", eps=self._epsilon).swapaxes(1, self._axis)

    def __repr__(self) -> str:
        return described(self, self._kwargs, self.gamma.shape[0])  # type: ignore[attr-defined]


class GroupNorm(HybridBlock):
    """Normalisation of groups of channels of each sample (Wu, He 2018); see `BatchNorm`."""

    def __init__(self, num_groups: int = 1, epsilon: float = 1e-5, center: bool = True, scale: bool = True,
                 beta_initializer: Any = "zeros", gamma_initializer: Any = "ones",
                 prefix: str | None = None, params: Any = None):  # fmt: skip
        super().__init__(prefix=prefix, params=params)
        self._kwargs = {"eps": epsilon, "num_groups": num_groups, "center": center, "scale": scale}
        self._num_groups = num_groups
        self._epsilon = epsilon
        add_scale(self, (num_groups,), center, scale, beta_initializer, gamma_initializer)

    def hybrid_forward(self, F, data, gamma, beta):
        """See `HybridBlock.hybrid_forward`."""
        return F.GroupNorm(data, gamma=gamma, beta=beta, num_groups=self._num_groups, eps=self._epsilon)

    def __repr__(self) -> str:
        return described(self, self._kwargs)


def add_scale(block: Any, shape: tuple, center: bool, scale: bool, beta: Any, gamma: Any) -> None:
    """Give gamma and beta to a block."""
    options = {"shape": shape, "allow_deferred_init": True}
    block.gamma = block.params.get("gamma", grad_req="write" if scale else "null", init=gamma, **options)
    block.beta = block.params.get("beta", grad_req="write" if center else "null", init=beta, **options)
