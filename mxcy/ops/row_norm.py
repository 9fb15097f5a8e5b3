"""Normalisation within a sample: LayerNorm, GroupNorm, InstanceNorm, L2Normalization, and moments."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Any, Literal

import numpy as np

from .._launch import empty_like
from ..errors import ArgumentError, AxisError, ShapeError, message
from ..kernels import cpu as kernels
from . import reduction
from ._attributes import Axes
from ._cases import case, raises, uniform
from ._declare import layer, op
from ._elementwise import normalize_axes, normalize_axis
from ._operator import describe, find
from .arithmetic import broadcast_div, broadcast_mul, broadcast_sub
from .batch_norm import _channels_along, as_channels, total
from .creation import ones_like
from .exponential import sqrt, square
from .shape import Reshape, product, reshape_like


class Rows:
    """How a layer's data falls into rows, each with a mean and a deviation of its own."""

    @staticmethod
    def geometry(shape, axis, groups):
        """(rows, elements of one, periods, parameters of one, shape of the statistics)."""
        if groups is None:
            a = normalize_axis("LayerNorm", axis, len(shape))
            n, statistics = shape[a], (*shape[:a], 1, *shape[a + 1 :])
            return product(statistics), n, 1, n, statistics
        groups = groups or shape[1]  # 0: every channel is one
        return shape[0] * groups, product(shape[1:]) // groups, groups, 1, (shape[0], groups)


def moved_last(x, axis):
    """x as a new array with this axis last; x itself if it is."""
    axis %= x.ndim
    if axis == x.ndim - 1:
        return x
    return kernels.copy(x._transpose_view([*(a for a in range(x.ndim) if a != axis), axis]))


def back_view(x, axis):
    """A view of x in which its axis is last."""
    axis %= x.ndim
    return x._transpose_view([*(a for a in range(x.ndim) if a != axis), axis])


def normalise_rows(data, gamma, beta, axis, groups, eps, out):
    rows, n, periods, each, statistics = Rows.geometry(data.shape, axis, groups)
    if groups is not None or axis % data.ndim == data.ndim - 1:
        return kernels.row_norm(data, gamma, beta, rows, n, periods, each, eps, statistics, out)
    x = moved_last(data, axis)
    made = kernels.row_norm(x, gamma, beta, rows, n, periods, each, eps, statistics, [None, *out[1:]])
    target = empty_like(data, data.shape) if out[0] is None else out[0]
    kernels.copy(made[0], out=back_view(target, axis))
    return [target, *made[1:]]


def normalised_reference(x, gamma, beta, axis=-1, eps=1e-5, groups=None):
    """[result, mean, deviation] by the definition."""
    shape = x.shape
    _, n, _, _, statistics = Rows.geometry(shape, axis, groups)
    rows = x if groups is not None else np.moveaxis(x, axis, -1)
    rows = rows.reshape(-1, n) if x.size else np.zeros((0, n))
    mean, deviation = rows.mean(1), np.sqrt(rows.var(1) + eps)
    hat = (rows - mean[:, None]) / deviation[:, None]
    if groups is None:
        moved = np.moveaxis(x, axis, -1).shape
        y = np.moveaxis((hat * gamma + beta).reshape(moved), -1, axis)
    else:
        wide = [np.tile(v, shape[0])[:, None] for v in (gamma, beta)]
        y = (hat * wide[0] + wide[1]).reshape(shape)
    return [y, mean.reshape(statistics), deviation.reshape(statistics)]


def reference_of(groups):
    """The reference of a layer: of what a call returns."""

    def reference(x, gamma, beta, axis=-1, eps=1e-5, num_groups=1, output_mean_var=False):
        made = normalised_reference(x, gamma, beta, axis, eps, num_groups if groups is True else groups)
        return made if output_mean_var else made[0]

    return reference


class RowNorm:
    """What the three layers share."""

    output_mean_var = False
    axis = -1
    overwrites = "data"

    def groups(self):
        return None

    def check(self):
        if self.eps < 0:
            raise ArgumentError(message(type(self).__name__, "eps", "a number from 0 up", self.eps))

    def outputs(self):
        return ("output", "mean", "std")

    def visible(self):
        return 3 if self.output_mean_var else 1

    def infer(self, out, data, gamma, beta):
        data = out if data is None else data
        if data is None:
            return (None, gamma, beta), (None, None, None)
        parameters = (self.parameters(data),)
        if None in data:
            return (data, parameters, parameters), (data, None, None)
        statistics = Rows.geometry(data, self.axis, self.groups())[4]
        return (data, parameters, parameters), (data, statistics, statistics)

    def forward(self, data, gamma, beta, *, out):
        return normalise_rows(data, gamma, beta, self.axis, self.groups(), self.eps, out)

    def backward(self, g, g_mean, g_std, data, gamma, mean, std):
        where = {"axis": self.axis, "groups": self.groups()}
        back = [None, None, None]
        if g is not None:
            back = list(_row_norm_grad(g, data, gamma, mean, std, **where))
        through = through_statistics(g_mean, g_std, data, mean, std, **where)
        if through is not None:
            back[0] = through if back[0] is None else back[0] + through
        return tuple(back)


class Fold:
    """Data, statistics and parameters in shapes that broadcast, for rules over operators."""

    def __init__(self, axis, groups):
        self.codes = None if groups is None else (0, groups, -1)
        self.axis = axis if groups is None else 2
        self.channels = axis if groups is None else 1

    def data(self, x):
        return x if self.codes is None else Reshape(x, shape=self.codes)

    def statistics(self, value):
        return value if self.codes is None else find("expand_dims")(value, axis=2)

    def parameters(self, value, x):
        return _channels_along(value, x, axis=self.channels)

    def sum(self, value):
        return reduction.sum(value, axis=self.axis, keepdims=True)

    def count(self, x):
        return find("_maximum_scalar")(self.sum(ones_like(x)), scalar=1.0)


def through_statistics(g_mean, g_std, data, mean, std, axis, groups):
    """What the gradients of the mean and of the deviation add to that of the data."""
    if g_mean is None and g_std is None:
        return None
    fold = Fold(axis, groups)
    x = fold.data(data)
    count = fold.count(x)
    parts = None
    if g_mean is not None:
        parts = broadcast_mul(ones_like(x), fold.statistics(g_mean) / count)
    if g_std is not None:
        slope = fold.statistics(g_std) / (fold.statistics(std) * count)
        part = broadcast_mul(broadcast_sub(x, fold.statistics(mean)), slope)
        parts = part if parts is None else parts + part
    return reshape_like(parts, data)


PARAMETERS = (uniform(4), uniform(4))
BAD_EPS: dict[str, Any] = {"eps": -1.0, "match": "(eps): expected a number from 0 up"}


@layer(
    kinds="f",
    ref=reference_of(None),
    cases=[
        case(uniform(3, 4), *PARAMETERS),
        case(uniform(2, 4, 3), *PARAMETERS, axis=1, eps=0.1),
        case(uniform(2, 3, 4), *PARAMETERS, output_mean_var=True, axis=-1),
        case(uniform(0, 4), *PARAMETERS),
        raises(ShapeError, uniform(3, 5), *PARAMETERS, match="(gamma): expected shape (5,) from data (3, 5)"),
        raises(AxisError, uniform(3, 4), *PARAMETERS, axis=2, match="LayerNorm(axis): expected an axis"),
        raises(ArgumentError, uniform(3, 4), *PARAMETERS, **BAD_EPS),
    ],
)
class LayerNorm(RowNorm):
    """(x - mean) / sqrt(variance + eps) * gamma + beta, with mean and variance along an axis.

    gamma, beta: (extent of the axis,).  `output_mean_var` returns the mean and sqrt(variance + eps) too,
    with extent 1 along the axis.  (Ba, Kiros and Hinton, 2016.)
    """

    axis: int = -1
    eps: float = 1e-5
    output_mean_var: bool = False

    def parameters(self, data):
        return data[normalize_axis("LayerNorm", self.axis, len(data))]


@layer(
    kinds="f",
    ref=reference_of(True),
    cases=[
        case(uniform(2, 4, 3), uniform(2), uniform(2), num_groups=2),
        case(uniform(2, 6, 3, 2), uniform(3), uniform(3), num_groups=3, output_mean_var=True, eps=0.1),
        case(uniform(2, 4), uniform(1), uniform(1)),
        raises(
            ShapeError,
            uniform(2, 4, 3),
            uniform(3),
            uniform(3),
            num_groups=3,
            match="GroupNorm(data): expected channels on axis 1 divisible by 3, got (2, 4, 3)",
        ),
        raises(
            ArgumentError, uniform(2, 4), *PARAMETERS, num_groups=0, match="(num_groups): expected at least 1"
        ),
    ],
)
class GroupNorm(RowNorm):
    """(x - mean) / sqrt(variance + eps) * gamma + beta, with mean and variance of groups of channels.

    data: (n, channels, ...); gamma, beta: (num_groups,), as MXNet 1.9.1 has it.  `output_mean_var` returns
    the mean and sqrt(variance + eps), (n, num_groups), too.  (Wu and He, 2018.)
    """

    num_groups: int = 1
    eps: float = 1e-5
    output_mean_var: bool = False

    def groups(self):
        return self.num_groups

    def check(self):
        RowNorm.check(self)
        if self.num_groups < 1:
            raise ArgumentError(message("GroupNorm", "num_groups", "at least 1", self.num_groups))

    def parameters(self, data):
        if len(data) < 2 or (data[1] is not None and data[1] % self.num_groups):
            expected = f"channels on axis 1 divisible by {self.num_groups}"
            raise ShapeError(message("GroupNorm", "data", expected, describe(data)))
        return self.num_groups


@layer(
    kinds="f",
    ref=lambda x, gamma, beta, eps=1e-3: normalised_reference(x, gamma, beta, -1, eps, x.shape[1])[0],
    cases=[
        case(uniform(2, 4, 3), *PARAMETERS),
        case(uniform(2, 4, 3, 2), *PARAMETERS, eps=0.1),
        raises(
            ShapeError, uniform(4), *PARAMETERS, match="InstanceNorm(data): expected at least 3 dimensions"
        ),
    ],
)
class InstanceNorm(RowNorm):
    """(x - mean) / sqrt(variance + eps) * gamma + beta, with mean and variance of one channel of one sample.

    data: (n, channels, ...); gamma, beta: (channels,).  (Ulyanov, Vedaldi and Lempitsky, 2016.)
    """

    eps: float = 1e-3

    def groups(self):
        return 0

    def parameters(self, data):
        if len(data) < 3:
            raise ShapeError(message("InstanceNorm", "data", "at least 3 dimensions", describe(data)))
        return data[1]


def row_grad_reference(g, x, gamma, mean, std, axis=-1, groups=None):
    shape = x.shape
    if groups is None:
        wide, over = as_channels(gamma, x.shape, axis), axis
        others = tuple(a for a in range(x.ndim) if a != axis % x.ndim)
    else:
        folded = (len(x), groups or x.shape[1], -1)
        g, x = g.reshape(folded), x.reshape(folded)
        wide, over, others = gamma.reshape(1, -1, 1), 2, (0, 2)
        mean, std = mean[..., None], std[..., None]
    hat, own = (x - mean) / std, g * wide
    back = own - own.mean(over, keepdims=True) - hat * (own * hat).mean(over, keepdims=True)
    return [(back / std).reshape(shape), (g * hat).sum(others), g.sum(others)]


def row_grad_gradient(g, g_g_gamma, g_g_beta, data, x, gamma, mean, std, axis, groups):
    """Of all inputs, with u the normalised x and G = data gamma:

    g_x = (G - mean(G) - u mean(G u)) / std, g_gamma = sum(data u), g_beta = sum(data).
    """
    fold = Fold(axis, groups)
    like, kept = x, data
    g, data, x = (fold.data(value) for value in (g, data, x))
    mean, std = fold.statistics(mean), fold.statistics(std)
    wide, along_gamma, along_beta = (fold.parameters(v, x) for v in (gamma, g_g_gamma, g_g_beta))
    count = fold.count(x)

    def average(value):
        return fold.sum(value) / count

    def centred(value):
        """What turns G into g_x, which is symmetric."""
        left = broadcast_sub(value, average(value)) - broadcast_mul(hat, average(value * hat))
        return broadcast_div(left, std)

    hat = broadcast_div(broadcast_sub(x, mean), std)
    own = data * wide
    head = centred(g)
    of_data = head * wide + along_gamma * hat + along_beta
    of_hat = broadcast_mul(g, average(own * hat)) + broadcast_mul(own, average(g * hat))
    of_hat = along_gamma * data - broadcast_div(of_hat, std)
    of_x = broadcast_div(of_hat, std)
    of_std = -(fold.sum(g * centred(own)) + fold.sum(of_hat * hat)) / std
    of_gamma = total(head * data, fold.channels)
    of_mean = -fold.sum(of_x)
    if groups is not None:
        of_mean, of_std = (find("Reshape")(v, shape=(0, 0)) for v in (of_mean, of_std))
    return reshape_like(of_data, kept), reshape_like(of_x, like), of_gamma, of_mean, of_std


@op(
    grad=row_grad_gradient,
    kinds="f",
    in_place=True,
    outputs=("output", "g_gamma", "g_beta"),
    shape=lambda data, gamma: [data, gamma, gamma],
    ref=row_grad_reference,
    cases=[
        case(uniform(3, 4), uniform(3, 4), uniform(4), uniform(3, 1), uniform(3, 1, low=0.5)),
        case(
            uniform(2, 4, 3),
            uniform(2, 4, 3),
            uniform(4),
            uniform(2, 1, 3),
            uniform(2, 1, 3, low=0.5),
            axis=1,
        ),
        case(uniform(2, 4, 3), uniform(2, 4, 3), uniform(2), uniform(2, 2), uniform(2, 2, low=0.5), groups=2),
        case(uniform(2, 4, 3), uniform(2, 4, 3), uniform(4), uniform(2, 4), uniform(2, 4, low=0.5), groups=0),
    ],
)
def _row_norm_grad(data, x, gamma, mean, std, *, axis: int = -1, groups: int | None = None, out):
    """The gradients of a row norm's data, gamma and beta, from that of its output (`data`).

    Rows lie along `axis`, or are `groups` of channels (0: every channel).
    """
    rows, n, periods, each, _ = Rows.geometry(x.shape, axis, groups)
    if groups is not None or axis % x.ndim == x.ndim - 1:
        return kernels.row_norm_grad(data, x, gamma, mean, std, rows, n, periods, each, out)
    moved = [moved_last(value, axis) for value in (data, x)]
    made = kernels.row_norm_grad(*moved, gamma, mean, std, rows, n, periods, each, [None, *out[1:]])
    target = empty_like(data, data.shape) if out[0] is None else out[0]
    kernels.copy(made[0], out=back_view(target, axis))
    return [target, *made[1:]]


# --- lengths of vectors -------------------------------------------------------------------------------------
def axes_of(mode, ndim):
    """The axes of a vector that is brought to length 1."""
    return {"instance": tuple(range(1, ndim)), "channel": (1,), "spatial": tuple(range(2, ndim))}[mode]


def l2_reference(x, eps=1e-10, mode="instance"):
    return x / np.sqrt((x * x).sum(axes_of(mode, x.ndim), keepdims=True) + eps)


@layer(
    kinds="f",
    ref=l2_reference,
    cases=[
        case(uniform(3, 4)),
        case(uniform(2, 3, 4), mode="channel", eps=0.1),
        case(uniform(2, 3, 2, 2), mode="spatial"),
        case(uniform(2, 3, 2), mode="instance", eps=0.5),
        raises(ShapeError, uniform(2, 3), mode="spatial", match="(data): expected at least 3 dimensions"),
    ],
)
class L2Normalization:
    """x / sqrt(sum of squares + eps), the sum over a sample, over channels (axis 1) or over positions.

    `instance`: over all axes but the first; `channel`: over axis 1; `spatial`: over axes 2 and up.
    """

    eps: float = 1e-10
    mode: Literal["instance", "channel", "spatial"] = "instance"

    def written(self):
        return 2

    def infer(self, out, data):
        data = out if data is None else data
        least = 2 if self.mode == "instance" else 3
        if data is not None and len(data) < least:
            expected = f"at least {least} dimensions"
            raise ShapeError(message("L2Normalization", "data", expected, describe(data)))
        return (data,), (data,)

    def over(self):
        """Attributes of the sum: of axes that are known without the rank."""
        if self.mode == "channel":
            return {"axis": 1, "keepdims": True}
        kept = 0 if self.mode == "instance" else (0, 1)
        return {"axis": kept, "exclude": True, "keepdims": True}

    def forward(self, data, *, out):
        total = find("_square_sum")
        squares = total.compute([data], total.parse_attrs(self.over()))
        length = sqrt.compute(
            find("_plus_scalar").compute(squares, {"scalar": self.eps, "is_int": False}), {}
        )
        return broadcast_div.compute([data, *length], {}, None if out is None else [out])[0]

    def backward(self, g, data):
        squares = reduction.sum(square(data), **self.over()) + self.eps
        along = reduction.sum(g * data, **self.over())
        part = broadcast_sub(g, broadcast_mul(data, along / squares))
        return broadcast_div(part, sqrt(squares))


# --- moments ------------------------------------------------------------------------------------------------
def moments_shape(data, axes, keepdims):
    over = normalize_axes("moments", axes, len(data), "axes")
    shape = tuple(1 if a in over else n for a, n in enumerate(data) if keepdims or a not in over)
    return [shape, shape]


def moments_gradient(g_output0, g_output1, data, axes, keepdims):
    over = {"axis": axes, "keepdims": True}
    mean = reduction.mean(data, **over)
    ones = ones_like(data)
    count = reduction.sum(ones, **over)
    back = None
    for g, slope in ((g_output0, ones), (g_output1, broadcast_sub(data, mean) * 2)):
        if g is not None:
            part = broadcast_mul(slope, reshape_like(g, mean) / count)
            back = part if back is None else back + part
    return back


def moments_reference(x, axes=None, keepdims=False):
    axes = axes if axes is None else tuple(axes)
    if x.dtype.kind in "iu":
        mean = np.trunc(x.mean(axes, keepdims=True))
        return [
            mean.reshape(x.mean(axes, keepdims=keepdims).shape),
            np.square(x - mean).mean(axes, keepdims=keepdims),
        ]
    return [x.mean(axes, keepdims=keepdims), x.var(axes, keepdims=keepdims)]


@op(
    grad=moments_gradient,
    kinds="iuf",
    outputs=("output0", "output1"),
    shape=moments_shape,
    ref=moments_reference,
    cases=[
        case(uniform(2, 3, 4), axes=(0, 2)),
        case(uniform(2, 3), axes=(1,), keepdims=True),
        case(uniform(2, 3)),
        raises(AxisError, uniform(2, 3), axes=(2,), match="moments(axes): expected an axis"),
    ],
)
def moments(data, *, axes: Axes = None, keepdims: bool = False, out):
    """The mean and the variance of the elements along axes (all of them if None)."""
    attrs = reduction.mean.parse_attrs({"axis": axes, "keepdims": True})
    mean = reduction.mean.compute([data], attrs)
    squares = square.compute(broadcast_sub.compute([data, *mean], {}), {})
    variance = reduction.mean.compute(squares, attrs)
    shape = moments_shape(data.shape, axes, keepdims)[0]
    found = [x[0]._reshape_view(shape or (1,)) for x in (mean, variance)]
    return [x if to is None else kernels.copy(x, out=to) for x, to in zip(found, out, strict=True)]
