"""Batch normalisation, whose moving statistics are states that a forward pass in training writes."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ArgumentError, AxisError, DTypeError, ShapeError, message
from ..kernels import cpu as kernels
from . import reduction
from ._cases import case, given, raises, uniform
from ._declare import layer, op
from ._elementwise import normalize_axis
from ._operator import describe, find, unify_dtypes
from ._sparse import ANY
from ._storage import rule
from .creation import ones_like
from .losses import BlockGrad
from .shape import _cast_like

HALVES = ("float16", "bfloat16")


def as_channels(values, shape, axis):
    """One number per channel, in a shape that broadcasts with data."""
    return np.reshape(values, [n if a == axis % len(shape) else 1 for a, n in enumerate(shape)])


def batch_norm_reference(x, gamma, beta, mean, variance, eps=1e-3, fix_gamma=True, axis=1, **rest):
    """Outside training: by the moving statistics."""
    scale = (1 if fix_gamma else gamma) / np.sqrt(variance + eps)
    y = (x - as_channels(mean, x.shape, axis)) * as_channels(
        np.broadcast_to(scale, mean.shape), x.shape, axis
    )
    y = y + as_channels(beta, x.shape, axis)
    return [y, mean, 1 / np.sqrt(variance + eps)] if rest.get("output_mean_var") else y


def parameter_dtype(data):
    """The dtype of the parameters where nothing else says it: MXNet keeps float32 beside half types."""
    return np.dtype(np.float32) if data is not None and data.name in HALVES else data


class ChannelNorm:
    """What both versions of the layer share."""

    aux = ("moving_mean", "moving_var")
    overwrites = "data"
    axis = 1

    def outputs(self):
        return ("output", "mean", "var", "trained")

    def written(self):
        return 3

    def visible(self):
        return 3 if self.output_mean_var else 1

    def check(self):
        if self.eps < 0:
            raise ArgumentError(message("BatchNorm", "eps", "a number from 0 up", self.eps))

    def infer(self, out, data, gamma, beta, moving_mean, moving_var):
        data = out if data is None else data
        if data is None:
            return (data, *(gamma,) * 4), (data, gamma, gamma, (1,))
        if len(data) < 2 and self.axis not in (0, -1):
            raise ShapeError(message("BatchNorm", "data", "at least 2 dimensions", describe(data)))
        channels = (data[normalize_axis("BatchNorm", self.axis, len(data))],)
        return (data, *(channels,) * 4), (data, channels, channels, (1,))

    def dtypes(self, data, *parameters):
        own = unify_dtypes("BatchNorm", ("gamma", "beta", *self.aux), parameters)
        own = parameter_dtype(data) if own is None else own
        allowed = data if data is None else {data, parameter_dtype(data)}
        if data is not None and (data.kind not in "fV" or own not in allowed):
            name, got = ("data", data) if data.kind not in "fV" else ("gamma", own)
            expected = "a floating-point dtype" if name == "data" else f"dtype {parameter_dtype(data)}"
            raise DTypeError(message("BatchNorm", name, expected, got))
        return [data, *(own,) * 4], [data, own, own, own]

    def forward(self, data, gamma, beta, moving_mean, moving_var, *, out, is_train):
        axis = normalize_axis("BatchNorm", self.axis, data.ndim)
        by_batch = is_train and not self.use_global_stats
        return kernels.batch_norm(
            data,
            gamma,
            beta,
            moving_mean,
            moving_var,
            axis,
            self.eps,
            self.momentum,
            self.fix_gamma,
            by_batch,
            out,
        )

    def replay(self, data, gamma, beta, mean, var, trained):
        options = {"axis": self.axis, "eps": self.eps, "fix_gamma": self.fix_gamma}
        return _batch_norm_again(data, gamma, beta, mean, var, trained, **options)

    def backward(self, g, g_mean, g_var, data, gamma, mean, var, trained):
        options = {"axis": self.axis, "fix_gamma": self.fix_gamma}
        back = [None, None, None]
        if g is not None:
            back = list(_batch_norm_grad(g, data, gamma, mean, var, trained, **options))
        through = through_statistics(g_mean, g_var, data, mean, var, trained, self.axis)
        if through is not None:
            back[0] = through if back[0] is None else back[0] + through
        return (*back, None, None)


def along(values, x, axis):
    return _channels_along(values, x, axis=axis)


def total(value, axis):
    return reduction.sum(value, axis=axis, exclude=True)


def elements_per_channel(data, axis):
    """How many there are, for every channel; 1 where there are none."""
    return find("_maximum_scalar")(total(ones_like(data), axis), scalar=1.0)


def through_statistics(g_mean, g_var, data, mean, var, trained, axis):
    """What the gradients of the mean and of the inverse deviation add to that of the data."""
    if g_mean is None and g_var is None:
        return None
    count = _cast_like(elements_per_channel(data, axis), mean)
    parts = None if g_mean is None else along(g_mean / count, data, axis)
    if g_var is not None:
        factor = along(-g_var * var * var * var / count, data, axis)
        part = factor * (data - along(mean, data, axis))
        parts = part if parts is None else parts + part
    return parts * along(BlockGrad(trained), data, axis)


PARAMETERS = (uniform(3), uniform(3), uniform(3), uniform(3, low=0.5))
NORM_ROWS = [
    case(uniform(4, 3, 2, 5), *PARAMETERS),
    case(uniform(2, 3, 4), *PARAMETERS, fix_gamma=False, eps=1e-2),
    case(uniform(5, 3), *PARAMETERS, fix_gamma=False),
    case(uniform(2, 3, 2), *PARAMETERS, output_mean_var=True, use_global_stats=True, fix_gamma=False),
    case(uniform(0, 3, 2), *PARAMETERS),
    raises(
        ShapeError,
        uniform(2, 3),
        uniform(2),
        *PARAMETERS[1:],
        match="(gamma): expected shape (3,) from data (2, 3), got (2,)",
    ),
]


def refuse_sparse(op, inputs, attrs):
    """MXNet's limit: gamma is written with ones there."""
    raise ArgumentError(message(op.name, "fix_gamma", "False with sparse arrays", attrs["fix_gamma"]))


@layer(
    kinds="f",
    ref=batch_norm_reference,
    storage=[rule(", ".join([ANY] * 5) + " -> default", refuse_sparse, lambda attrs: attrs["fix_gamma"])],
    cases=[
        *NORM_ROWS,
        case(uniform(2, 2, 4, 3), *PARAMETERS, fix_gamma=False, axis=3),
        case(uniform(2, 3, 2), *PARAMETERS, axis=-2),
        raises(
            ArgumentError, uniform(2, 3), *PARAMETERS, eps=-1.0, match="BatchNorm(eps): expected a number"
        ),
        raises(AxisError, uniform(2, 3), *PARAMETERS, axis=5, match="BatchNorm(axis): expected an axis"),
        raises(
            DTypeError,
            uniform(2, 3, dtype="float32"),
            *(uniform(3, dtype="float64") for _ in range(4)),
            match="BatchNorm(gamma): expected dtype float32, got float64",
        ),
    ],
)
class BatchNorm(ChannelNorm):
    """(data - mean) / sqrt(variance + eps) * gamma + beta for every channel.

    data: any shape with the channels along `axis`; gamma, beta, moving_mean, moving_var: (channels,).  In
    training mean and variance are those of the channel in this batch, and the moving ones become
    moving * momentum + own * (1 - momentum); otherwise, and with `use_global_stats`, they are the moving
    ones.  With `fix_gamma` gamma counts as 1 and has gradient 0.  `output_mean_var` returns the mean and
    1 / sqrt(variance + eps) as well.  Half types have float32 parameters.  (Ioffe and Szegedy, 2015.)
    """

    eps: float = 1e-3
    momentum: float = 0.9
    fix_gamma: bool = True
    use_global_stats: bool = False
    output_mean_var: bool = False
    axis: int = 1
    cudnn_off: bool = False
    min_calib_range: float | None = None
    max_calib_range: float | None = None


@layer(kinds="f", ref=batch_norm_reference, cases=NORM_ROWS)
class BatchNorm_v1(ChannelNorm):
    """BatchNorm along axis 1, under the name that old files hold."""

    eps: float = 1e-3
    momentum: float = 0.9
    fix_gamma: bool = True
    use_global_stats: bool = False
    output_mean_var: bool = False


# --- the result once more ---------------------------------------------------------------------------------
def again_reference(x, gamma, beta, mean, var, trained, axis=1, eps=1e-3, fix_gamma=True):
    axes = tuple(a for a in range(x.ndim) if a != axis % x.ndim)
    if trained[0]:
        mean, var = x.mean(axes), 1 / np.sqrt(x.var(axes) + eps)
    scale = var if fix_gamma else var * gamma
    wide = [as_channels(v, x.shape, axis) for v in (mean, scale, beta)]
    return (x - wide[0]) * wide[1] + wide[2]


def again_gradient(g, data, gamma, mean, var, trained, axis, fix_gamma):
    back = _batch_norm_grad(g, data, gamma, mean, var, trained, axis=axis, fix_gamma=fix_gamma)
    return (*back, None, None, None)


@op(
    grad=again_gradient,
    grad_check="mean and deviation are those of data, or do not depend on it: checked as that of BatchNorm",
    kinds="f",
    free=("gamma", "beta", "mean", "var", "trained"),
    ref=again_reference,
    cases=[
        case(uniform(4, 3, 5), *PARAMETERS, given([1.0], "float32")),
        case(uniform(4, 3), *PARAMETERS, given([0.0], "float32"), axis=-1, fix_gamma=False),
        case(uniform(2, 3, 2, 2), *PARAMETERS, given([1.0], "float32"), eps=0.1, fix_gamma=False),
    ],
)
def _batch_norm_again(
    data, gamma, beta, mean, var, trained, *, axis: int = 1, eps: float = 1e-3, fix_gamma: bool = True, out
):
    """The output of BatchNorm again, bit by bit, from what it has saved; it changes no states."""
    axis = normalize_axis("BatchNorm", axis, data.ndim)
    return kernels.batch_norm_again(data, gamma, beta, mean, var, trained, axis, eps, fix_gamma, out)


# --- the gradient -----------------------------------------------------------------------------------------
def norm_grad_reference(g, x, gamma, mean, var, trained, axis=1, fix_gamma=True):
    axes = tuple(a for a in range(x.ndim) if a != axis % x.ndim)
    wide = {
        name: as_channels(v, x.shape, axis) for name, v in (("mean", mean), ("var", var), ("gamma", gamma))
    }
    hat = (x - wide["mean"]) * wide["var"]
    scale = wide["var"] * (1 if fix_gamma else wide["gamma"])
    means = g.mean(axes, keepdims=True), (g * hat).mean(axes, keepdims=True)
    back = scale * (g - trained[0] * (means[0] + hat * means[1]))
    return [back, np.zeros_like(gamma) if fix_gamma else (g * hat).sum(axes), g.sum(axes)]


def norm_grad_gradient(g, g_g_gamma, g_g_beta, data, x, gamma, mean, var, trained, axis, fix_gamma):
    """Of all inputs, with u = x̂ the normalised x, s the inverse deviation, t whether by batch:

    g_x = γ s (data - t (mean(data) + u mean(data u))), g_γ = sum(data u), g_β = sum(data).
    """

    zeros = find("zeros_like")
    g = zeros(x) if g is None else g
    g_g_gamma = zeros(gamma) if g_g_gamma is None else g_g_gamma
    g_g_beta = zeros(gamma) if g_g_beta is None else g_g_beta
    count = elements_per_channel(x, axis)

    def average(value):
        return along(total(value, axis) / count, x, axis)

    unscaled = {"axis": axis, "fix_gamma": True}
    deviation = along(var, x, axis)
    hat = (x - along(mean, x, axis)) * deviation
    head = _batch_norm_grad(g, x, gamma, mean, var, trained, **unscaled)[0]
    plain = _batch_norm_grad(data, x, gamma, mean, var, trained, **unscaled)[0]
    of_hat = g * average(data * hat) + data * average(g * hat)
    of_hat = -of_hat * along(BlockGrad(trained), x, axis) * deviation
    of_gamma = _cast_like(total(g * plain, axis), gamma)
    of_scale = of_gamma
    of_data = head + along(g_g_beta, x, axis)
    if not fix_gamma:
        wide = along(gamma, x, axis)
        of_data = head * wide + along(g_g_beta, x, axis) + along(g_g_gamma, x, axis) * hat
        of_hat = of_hat * wide + along(g_g_gamma, x, axis) * data
        of_scale = of_gamma * gamma
    of_x = of_hat * deviation
    of_deviation = (of_scale + _cast_like(total(of_hat * hat, axis), var)) / var
    of_mean = -_cast_like(total(of_x, axis), mean)
    return of_data, of_x, None if fix_gamma else of_gamma, of_mean, of_deviation, None


def norm_grad_dtypes(data, gamma):
    return [data, gamma, gamma]


@op(
    grad=norm_grad_gradient,
    in_place=True,
    kinds="f",
    outputs=("output", "g_gamma", "g_beta"),
    shape=lambda data, gamma: [data, gamma, gamma],
    dtype=norm_grad_dtypes,
    free=("gamma", "mean", "var", "trained"),
    ref=norm_grad_reference,
    cases=[
        case(
            uniform(4, 3, 5), uniform(4, 3, 5), *PARAMETERS[:2], uniform(3, low=0.5), given([1.0], "float32")
        ),
        case(
            uniform(4, 3),
            uniform(4, 3),
            *PARAMETERS[:2],
            uniform(3, low=0.5),
            given([1.0], "float32"),
            fix_gamma=False,
            axis=-1,
        ),
        case(
            uniform(2, 3, 2, 2),
            uniform(2, 3, 2, 2),
            *PARAMETERS[:2],
            uniform(3, low=0.5),
            given([0.0], "float32"),
            fix_gamma=False,
        ),
    ],
)
def _batch_norm_grad(data, x, gamma, mean, var, trained, *, axis: int = 1, fix_gamma: bool = True, out):
    """The gradients of BatchNorm's data, gamma and beta, from that of its output (`data`)."""
    axis = normalize_axis("BatchNorm", axis, x.ndim)
    return kernels.batch_norm_grad(data, x, gamma, mean, var, trained, axis, fix_gamma, out)


@op(
    grad=(lambda g, data, axis: _cast_like(total(g, axis), data), None),
    shape=lambda data, like: like,
    shape_only=("like",),
    free=("data", "like"),
    dtype=lambda like: like,
    ref=lambda values, like, axis=1: np.broadcast_to(as_channels(values, like.shape, axis), like.shape),
    kinds="f",
    cases=[case(uniform(3), uniform(2, 3, 2)), case(uniform(2), uniform(2, 3), axis=-2)],
)
def _channels_along(data, like, *, axis: int = 1, out):
    """One number per channel (or one for all), in the shape and dtype of like, whose channels are `axis`."""
    shape = [1] * like.ndim
    shape[axis] = data.size
    wide = kernels.copy(data)._reshape_view(tuple(shape))._broadcast_view(like.shape)
    return kernels.astype(wide, like.dtype) if out is None else kernels.copy(wide, out=out)
