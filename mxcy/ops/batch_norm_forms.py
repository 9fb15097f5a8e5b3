"""Batch normalisation under other names: of batches on several devices, and with an activation."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..kernels import cpu as kernels
from ._cases import case, uniform
from ._declare import layer
from .activation import relu
from .attention import eager
from .batch_norm import NORM_ROWS, PARAMETERS, ChannelNorm, batch_norm_reference


def relu_reference(*inputs, **attrs):
    found = batch_norm_reference(*inputs, **attrs)
    return [np.maximum(found[0], 0), *found[1:]] if isinstance(found, list) else np.maximum(found, 0)


def synchronised_reference(*inputs, **attrs):
    found = batch_norm_reference(*inputs, **attrs)
    return [*found[:2], inputs[4]] if isinstance(found, list) else found


@layer(
    kinds="f",
    ref=lambda *inputs, key, ndev=1, **attrs: synchronised_reference(*inputs, **attrs),
    cases=[
        case(uniform(2, 3, 4), *PARAMETERS, key="a", output_mean_var=True, use_global_stats=True),
        case(uniform(4, 3, 2, 5), *PARAMETERS, key="a"),
        case(uniform(2, 3, 4), *PARAMETERS, key="a", fix_gamma=False, eps=1e-2, use_global_stats=True),
    ],
)
class _contrib_SyncBatchNorm(ChannelNorm):
    """`BatchNorm` along axis 1; `output_mean_var` returns the mean and the variance.

    `key` and `ndev` are accepted: statistics are those of one device's batch.  MXNet shares them between the
    GPUs of a process; on one device both agree.  (Zhang et al., 2018.)
    """

    eps: float = 1e-3
    momentum: float = 0.9
    fix_gamma: bool = True
    use_global_stats: bool = False
    output_mean_var: bool = False
    ndev: int = 1
    key: str

    def outputs(self):
        return ("output", "mean", "var", "deviation", "trained")

    def infer(self, out, data, *parameters):
        found, (y, mean, deviation, trained) = super().infer(out, data, *parameters)
        return found, (y, mean, deviation, deviation, trained)

    def dtypes(self, data, *parameters):
        found, (y, *own) = super().dtypes(data, *parameters)
        return found, [y, own[0], *own]

    def forward(self, data, gamma, beta, moving_mean, moving_var, *, out, is_train):
        inputs = (data, gamma, beta, moving_mean, moving_var)
        y, mean, deviation, trained = super().forward(*inputs, out=[*out[:2], *out[3:]], is_train=is_train)
        square = eager("square", eager("reciprocal", deviation))
        variance = eager("_minus_scalar", square, scalar=self.eps)
        variance = variance if out[2] is None else kernels.copy(variance, out=out[2])
        return [y, mean, variance, deviation, trained]

    def replay(self, data, gamma, beta, mean, deviation, trained):
        return super().replay(data, gamma, beta, mean, deviation, trained)

    def backward(self, g, g_mean, g_var, data, gamma, mean, deviation, trained):
        if g_var is not None:
            g_var = g_var * -2 / (deviation * deviation * deviation)
        return super().backward(g, g_mean, g_var, data, gamma, mean, deviation, trained)


@layer(kinds="f", ref=relu_reference, cases=[row for row in NORM_ROWS if row.error is None])
class _contrib_BatchNormWithReLU(ChannelNorm):
    """max(BatchNorm, 0): normalised for every channel, then negative elements become 0."""

    eps: float = 1e-3
    momentum: float = 0.9
    fix_gamma: bool = True
    use_global_stats: bool = False
    output_mean_var: bool = False
    axis: int = 1
    cudnn_off: bool = False
    min_calib_range: float | None = None
    max_calib_range: float | None = None

    def forward(self, data, gamma, beta, moving_mean, moving_var, *, out, is_train):
        made = super().forward(data, gamma, beta, moving_mean, moving_var, out=out, is_train=is_train)
        return [relu.compute([made[0]], {}, made[:1])[0], *made[1:]]

    def replay(self, data, gamma, beta, mean, var, trained):
        return relu(super().replay(data, gamma, beta, mean, var, trained))

    def backward(self, g, g_mean, g_var, data, gamma, mean, var, trained, y):
        g = None if g is None else g * (y > 0)
        return super().backward(g, g_mean, g_var, data, gamma, mean, var, trained)
