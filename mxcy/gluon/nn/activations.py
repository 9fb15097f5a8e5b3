"""Activations as layers."""

from __future__ import annotations

from typing import Any

from ... import initializer
from ...errors import AssertedArgumentError, message
from ..hybrid import HybridBlock

__all__ = ["ELU", "GELU", "SELU", "Activation", "LeakyReLU", "PReLU", "Swish"]


class Activation(HybridBlock):
    """relu, sigmoid, tanh, softrelu or softsign of every element."""

    def __init__(self, activation: str, **kwargs: Any):
        self._act_type = activation
        super().__init__(**kwargs)

    def _alias(self) -> str:
        return self._act_type

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.Activation(x, act_type=self._act_type, name="fwd")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._act_type})"


class LeakyReLU(HybridBlock):
    """x, or alpha x where it is negative."""

    def __init__(self, alpha: float, **kwargs: Any):
        if alpha < 0:
            raise AssertedArgumentError(message("LeakyReLU", "alpha", "0 or more", alpha))
        super().__init__(**kwargs)
        self._alpha = alpha

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.LeakyReLU(x, act_type="leaky", slope=self._alpha, name="fwd")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._alpha})"


class PReLU(HybridBlock):
    """`LeakyReLU` with a slope that is learned, one for all or one for each channel (He et al. 2015)."""

    def __init__(self, alpha_initializer: Any = None, in_channels: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        init = initializer.Constant(0.25) if alpha_initializer is None else alpha_initializer
        with self.name_scope():
            self.alpha = self.params.get("alpha", shape=(in_channels,), init=init)

    def hybrid_forward(self, F, x, alpha):
        """See `HybridBlock.hybrid_forward`."""
        return F.LeakyReLU(x, gamma=alpha, act_type="prelu", name="fwd")


class ELU(HybridBlock):
    """x, or alpha (exp(x) - 1) where it is negative (Clevert et al. 2015)."""

    def __init__(self, alpha: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self._alpha = alpha

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.LeakyReLU(x, act_type="elu", slope=self._alpha)


class SELU(HybridBlock):
    """`ELU` scaled so that activations keep mean and variance (Klambauer et al. 2017)."""

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.LeakyReLU(x, act_type="selu", name="fwd")


class GELU(HybridBlock):
    """x times the normal distribution's probability below x (Hendrycks, Gimpel 2016)."""

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return F.LeakyReLU(x, act_type="gelu", name="fwd")


class Swish(HybridBlock):
    """x sigmoid(beta x) (Ramachandran et al. 2017)."""

    def __init__(self, beta: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self._beta = beta

    def hybrid_forward(self, F, x):
        """See `HybridBlock.hybrid_forward`."""
        return x * F.sigmoid(self._beta * x, name="fwd")
