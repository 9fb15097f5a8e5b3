"""Convolution and Deconvolution, with the gradients as operators of their own.

A convolution is linear in its data and in its weight.  So three operators (the convolution, its gradients
with respect to data and to weight) are each other's gradients, and derivatives of any order are made of
them.  A deconvolution is the data gradient, run forward.
"""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Literal

import numpy as np

from ..errors import ArgumentError, DTypeError, ShapeError, message
from ..kernels import cpu as kernels
from . import reduction
from ._attributes import Shape
from ._cases import case, raises, uniform
from ._declare import layer, op
from ._window import (
    check_counts,
    check_data,
    convolve,
    convolved,
    extended,
    needed,
    placed,
    shared,
    transposed,
    window_of,
    windows,
)

Layout = Literal[None, "NCW", "NCHW", "NCDHW", "NWC", "NHWC", "NDHWC"]
Tuning = Literal[None, "off", "limited_workspace", "fastest"]


# --- references ----------------------------------------------------------------------------------------
def first(x, window):
    return np.moveaxis(x, -1, 1) if window.channels_last else x


def last(x, window):
    return np.moveaxis(x, 1, -1) if window.channels_last else x


def reference(x, w, b=None, kernel=(), stride=(), dilate=(), pad=(), num_group=1, layout=None, **_):
    window = window_of("Convolution", kernel, stride, dilate, pad, layout)
    y = convolve(first(x, window), first(w, window), *window[1:4], num_group)
    return last(y if b is None else y + b.reshape(-1, *[1] * len(kernel)), window)


def data_grad_reference(g, w, like, kernel, stride=(), dilate=(), pad=(), num_group=1, layout=None):
    window = window_of("Convolution", kernel, stride, dilate, pad, layout)
    spatial = window.split(like.shape)[2]
    return last(transposed(first(g, window), first(w, window), spatial, *window[1:4], num_group), window)


def weight_grad_reference(g, x, like, kernel, stride=(), dilate=(), pad=(), num_group=1, layout=None):
    window = window_of("Convolution", kernel, stride, dilate, pad, layout)
    g, x = first(g, window), first(x, window)
    columns = windows(x, *window[:4], num_group)
    heads = g.reshape(len(g), num_group, g.shape[1] // num_group, *g.shape[2:])
    letters = "abc"[: len(kernel)], "xyz"[: len(kernel)]
    w = np.einsum("ngi{0}{1},ngm{1}->gmi{0}".format(*letters), columns, heads)
    return last(w.reshape(-1, *w.shape[2:]), window)


def deconvolution_reference(x, w, b=None, kernel=(), layout=None, num_group=1, **attributes):
    names = ("stride", "dilate", "pad", "adj", "target_shape")
    stride, dilate, pad, adj, target = (attributes.get(name, ()) for name in names)
    window = window_of("Deconvolution", kernel, stride, dilate, pad, layout)
    window, adj = placed(window, adj or (0,) * len(kernel), target, window.split(x.shape)[2])
    spatial = extended(window, adj, window.split(x.shape)[2])
    y = transposed(first(x, window), first(w, window), spatial, *window[1:4], num_group)
    return last(y if b is None else y + b.reshape(-1, *[1] * len(kernel)), window)


# --- Convolution ---------------------------------------------------------------------------------------
@layer(
    ref=reference,
    kinds="f",
    cases=[
        case(uniform(2, 3, 5, 6), uniform(4, 3, 3, 2), uniform(4), kernel=(3, 2), num_filter=4),
        case(
            uniform(2, 4, 7, 6), uniform(6, 2, 3, 3), uniform(6), kernel=(3, 3), num_filter=6, num_group=2,
            stride=(2, 1), pad=(1, 2), dilate=(1, 2),
        ),
        case(uniform(2, 3, 4, 4), uniform(2, 3, 1, 1), kernel=(1, 1), num_filter=2, no_bias=True),
        case(uniform(2, 3, 9), uniform(4, 3, 3), uniform(4), kernel=(3,), num_filter=4, stride=(2,)),
        case(
            uniform(1, 2, 4, 5, 4), uniform(3, 2, 2, 3, 2), uniform(3), kernel=(2, 3, 2), num_filter=3,
            pad=(1, 0, 1), stride=(1, 2, 2),
        ),
        case(uniform(2, 3, 6, 5), uniform(3, 1, 3, 3), uniform(3), kernel=(3, 3), num_filter=3, num_group=3),
        case(
            uniform(2, 5, 4, 3), uniform(4, 3, 2, 3), uniform(4), kernel=(3, 2), num_filter=4, layout="NHWC"
        ),
        case(uniform(2, 6, 3), uniform(4, 3, 3), kernel=(3,), num_filter=4, layout="NWC", no_bias=True),
        case(uniform(0, 3, 5, 5), uniform(4, 3, 3, 3), uniform(4), kernel=(3, 3), num_filter=4),
        raises(
            ShapeError, uniform(2, 3, 2, 5), uniform(4, 3, 3, 3), uniform(4), kernel=(3, 3), num_filter=4,
            match="Convolution(kernel): expected a kernel that fits into the padded data, 2 along this axis",
        ),
        raises(
            ArgumentError, uniform(2, 3, 5, 5), uniform(4, 3, 3, 3), uniform(4), kernel=(3, 3), num_filter=4,
            stride=(0, 1), match="Convolution(stride): expected 2 numbers of at least 1",
        ),
        raises(
            ArgumentError, uniform(2, 3, 5, 5), uniform(4, 3, 3, 3), uniform(4), kernel=(3, 3), num_filter=4,
            pad=(-1, 0), match="Convolution(pad): expected 2 numbers of at least 0",
        ),
        raises(
            ArgumentError, uniform(2, 3, 5, 5), uniform(4, 3, 3, 3), uniform(4), kernel=(3, 3), num_filter=4,
            dilate=(1,), match="Convolution(dilate): expected 2 numbers of at least 1",
        ),
        raises(
            ArgumentError, uniform(2, 4, 5, 5), uniform(3, 2, 3, 3), uniform(3), kernel=(3, 3), num_filter=3,
            num_group=2, match="Convolution(num_group): expected a number that divides num_filter, 3, got 2",
        ),
        raises(
            ShapeError, uniform(2, 3, 5, 5), uniform(4, 3, 3, 3), uniform(4), kernel=(3, 3), num_filter=4,
            num_group=2, match="Convolution(data): expected channels divisible by num_group, 2",
        ),
        raises(
            ArgumentError, uniform(2, 3, 5, 5), uniform(4, 3, 3, 3), uniform(4), kernel=(3, 3), num_filter=0,
            match="Convolution(num_filter): expected at least 1, got 0",
        ),
        raises(
            ShapeError, uniform(2, 3, 5), uniform(4, 3, 3, 3), uniform(4), kernel=(3, 3), num_filter=4,
            match="Convolution(data): expected 4 dimensions for kernel (3, 3), got (2, 3, 5)",
        ),
        raises(
            ArgumentError, uniform(2, 3, 5), uniform(4, 3, 3), uniform(4), kernel=(), num_filter=4,
            match="Convolution(kernel): expected 1, 2 or 3 extents",
        ),
        raises(
            ArgumentError, uniform(2, 3, 5, 5), uniform(4, 3, 3, 3), uniform(4), kernel=(3, 3), num_filter=4,
            layout="NCW", match="Convolution(layout): expected one of NCHW, NHWC",
        ),
        raises(
            ShapeError, uniform(2, 3, 5, 5), uniform(4, 2, 3, 3), uniform(4), kernel=(3, 3), num_filter=4,
            match="Convolution(weight): expected shape (4, 3, 3, 3) from data (2, 3, 5, 5), got (4, 2, 3, 3)",
        ),
        raises(
            DTypeError, uniform(2, 3, 5, 5, dtype="float32"), uniform(4, 3, 3, 3, dtype="float64"),
            uniform(4), kernel=(3, 3), num_filter=4, match="expected dtype float32, got float64",
        ),
    ],
)  # fmt: skip
class Convolution:
    """Every output is a weighted sum of a window of the data, which moves by `stride`, over all channels.

    data: (n, c, *spatial) with one to three spatial axes, surrounded by `pad` zeros.  weight: (num_filter,
    c / num_group, *kernel), its elements `dilate` apart in the data.  bias: (num_filter,), unless `no_bias`.
    Result: (n, num_filter, *output) with output = (spatial + 2 pad - dilate (kernel - 1) - 1) // stride + 1.
    With `num_group`, the channels and the filters are split into groups that have nothing to do with each
    other.  `layout` puts the channels last: NWC, NHWC, NDHWC, for weight (num_filter, *kernel, c /
    num_group).  `workspace`, `cudnn_tune` and `cudnn_off` are accepted and change nothing.
    """

    kernel: Shape
    stride: Shape = ()
    dilate: Shape = ()
    pad: Shape = ()
    num_filter: int
    num_group: int = 1
    workspace: int = 1024
    no_bias: bool = False
    cudnn_tune: Tuning = None
    cudnn_off: bool = False
    layout: Layout = None
    packed = False  # whether the weight is what `_packed_filters` makes of one (graph/pack_filters.py)
    rectifies = False

    def check(self):
        self.window = window_of("Convolution", self.kernel, self.stride, self.dilate, self.pad, self.layout)
        check_counts("Convolution", self.num_filter, self.num_group)

    def inputs(self):
        return ("data", "weight") if self.no_bias else ("data", "weight", "bias")

    def infer(self, out, data, weight, bias=None):
        window = self.window
        channels = shape = None
        if weight is not None and len(weight) == len(self.kernel) + 2:
            per_group = window.split(weight)[1]
            channels = None if per_group is None else per_group * self.num_group
        if data is not None:
            check_data("Convolution", window, self.num_group, data)
            n, known, spatial = window.split(data)
            channels = channels if known is None else known
            shape = window.order(n, self.num_filter, convolved("Convolution", window, spatial))
        elif out is not None and len(out) == len(self.kernel) + 2:
            shape = window.order(None, self.num_filter, (None,) * len(self.kernel))
        if shape is not None:
            shape = shared(shape, out)
            n, _, spatial = window.split(shape)
            data = shared(data or window.order(None, channels, (None,) * len(self.kernel)),
                          window.order(n, channels, needed(window, spatial)))  # fmt: skip
        per_group = None if channels is None else channels // self.num_group
        parameters = (window.order(self.num_filter, per_group, self.kernel),)
        return (data, *parameters, *(() if self.no_bias else ((self.num_filter,),))), (shape,)

    def forward(self, data, weight, bias=None, *, out):
        return self.convolve(data, weight, bias, out)

    def convolve(self, data, weight, bias, out, epilogue=None):
        """The result in `out`, or in a new array; then the epilogue, which reads `out`."""
        return kernels.convolution(
            data, weight, bias, *moves(self.window, self.num_group), out=out, relu=self.rectifies,
            packed=self.packed, epilogue=epilogue,
        )

    def backward(self, g, data, weight, wanted):
        attributes = gradient_attributes(self)
        return (
            _convolution_data_grad(g, weight, data, **attributes) if wanted[0] else None,
            _convolution_weight_grad(g, data, weight, **attributes) if wanted[1] else None,
            None if self.no_bias or not wanted[2] else bias_gradient(g, self.window),
        )


def moves(window, num_group):
    """The arguments of the kernels."""
    return *window[1:4], num_group, window.channels_last


def named(kernel, stride, dilate, pad, num_group, layout):
    """The attributes of an operator of this family."""
    names = ("kernel", "stride", "dilate", "pad", "num_group", "layout")
    return dict(zip(names, (kernel, stride, dilate, pad, num_group, layout), strict=True))


def moves_of(data, output, kernel, stride, dilate, pad, num_group, layout):
    """The arguments of the kernels for these shapes.  With pad (-1, ...) the padding follows from them."""
    window = window_of("Convolution", kernel, stride, dilate, () if -1 in pad else pad, layout)
    if -1 in pad:
        spatial = window.split(output)[2]
        window, _ = placed(window, (), window.split(data)[2], spatial)
    return moves(window, num_group)


def gradient_attributes(used):
    """Attributes of the gradient operators from those of a layer."""
    return named(*used.window[:4], used.num_group, used.layout)


def bias_gradient(g, window):
    return reduction.sum(g, axis=len(window.kernel) + 1 if window.channels_last else 1, exclude=True)


GRADIENT_CASES = [
    ((2, 3, 5, 6), (4, 3, 3, 2), (2, 4, 3, 5), {"kernel": (3, 2)}),
    (
        (2, 4, 7, 6), (6, 2, 3, 3), (2, 6, 4, 6),
        {"kernel": (3, 3), "num_group": 2, "stride": (2, 1), "pad": (1, 2), "dilate": (1, 2)},
    ),
    ((2, 3, 6, 5), (4, 3, 1, 1), (2, 4, 3, 2), {"kernel": (1, 1), "stride": (2, 3)}),
    ((1, 2, 9), (3, 2, 3), (1, 3, 4), {"kernel": (3,), "stride": (2,)}),
    ((1, 2, 4, 5, 4), (3, 2, 2, 2, 1), (1, 3, 3, 4, 6), {"kernel": (2, 2, 1), "pad": (0, 0, 1)}),
    ((2, 5, 4, 3), (4, 3, 2, 3), (2, 3, 3, 4), {"kernel": (3, 2), "layout": "NHWC"}),
    ((0, 3, 5, 5), (4, 3, 3, 3), (0, 4, 3, 3), {"kernel": (3, 3)}),
]  # fmt: skip


def gradient_cases(order):
    """Rows of a gradient operator: its inputs by position among (data, weight, output)."""
    return [case(*[uniform(*row[i]) for i in order], **row[3]) for row in GRADIENT_CASES]


# --- the three operators that are each other's gradients -----------------------------------------------
@op(
    grad=(
        lambda g, data, weight, kernel, stride, dilate, pad, num_group, layout: _convolution_data_grad(
            g, weight, data, **named(kernel, stride, dilate, pad, num_group, layout)
        ),
        lambda g, data, weight, kernel, stride, dilate, pad, num_group, layout: _convolution_weight_grad(
            g, data, weight, **named(kernel, stride, dilate, pad, num_group, layout)
        ),
        None,
    ),
    shape=lambda data, weight, like: like,
    free=("like",),
    shape_only=("like",),
    ref=lambda x, w, like, **attributes: reference(x, w, **attributes),
    kinds="f",
    cases=gradient_cases((0, 1, 2)),
)
def _convolution(
    data,
    weight,
    like,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_group: int = 1,
    layout: Layout = None,
    out,
):
    """Convolution without bias, whose result has the shape of `like`."""
    moving = moves_of(data.shape, like.shape, kernel, stride, dilate, pad, num_group, layout)
    return kernels.convolution(data, weight, None, *moving, out=out)


@op(
    grad=(
        lambda g, data, weight, kernel, stride, dilate, pad, num_group, layout: _convolution(
            g, weight, data, **named(kernel, stride, dilate, pad, num_group, layout)
        ),
        lambda g, data, weight, kernel, stride, dilate, pad, num_group, layout: _convolution_weight_grad(
            data, g, weight, **named(kernel, stride, dilate, pad, num_group, layout)
        ),
        None,
    ),
    shape=lambda data, weight, like: like,
    free=("like",),
    shape_only=("like",),
    ref=data_grad_reference,
    kinds="f",
    cases=gradient_cases((2, 1, 0)),
)
def _convolution_data_grad(
    data,
    weight,
    like,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_group: int = 1,
    layout: Layout = None,
    out,
):
    """The gradient of Convolution's data, of the shape of `like`, from that of its output and its weight."""
    moving = moves_of(like.shape, data.shape, kernel, stride, dilate, pad, num_group, layout)
    return kernels.convolution_data_grad(data, weight, like.shape, None, *moving, out=out)


@op(
    grad=(
        lambda g, data, lhs, kernel, stride, dilate, pad, num_group, layout: _convolution(
            lhs, g, data, **named(kernel, stride, dilate, pad, num_group, layout)
        ),
        lambda g, data, lhs, kernel, stride, dilate, pad, num_group, layout: _convolution_data_grad(
            data, g, lhs, **named(kernel, stride, dilate, pad, num_group, layout)
        ),
        None,
    ),
    shape=lambda data, lhs, like: like,
    free=("like",),
    shape_only=("like",),
    ref=weight_grad_reference,
    kinds="f",
    cases=gradient_cases((2, 0, 1)),
)
def _convolution_weight_grad(
    data,
    lhs,
    like,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_group: int = 1,
    layout: Layout = None,
    out,
):
    """The gradient of Convolution's weight, of the shape of `like`, from that of its output and its data."""
    moving = moves_of(lhs.shape, data.shape, kernel, stride, dilate, pad, num_group, layout)
    return kernels.convolution_weight_grad(data, lhs, like.shape, *moving, out=out)


# --- Deconvolution -------------------------------------------------------------------------------------
@layer(
    ref=deconvolution_reference,
    kinds="f",
    cases=[
        case(uniform(2, 3, 4, 5), uniform(3, 4, 3, 2), kernel=(3, 2), num_filter=4),
        case(
            uniform(2, 4, 3, 4), uniform(4, 3, 3, 3), uniform(6), kernel=(3, 3), num_filter=6, num_group=2,
            no_bias=False, stride=(2, 3), pad=(1, 0), adj=(1, 2), dilate=(1, 2),
        ),
        case(
            uniform(1, 3, 4, 4), uniform(3, 2, 3, 3), kernel=(3, 3), num_filter=2, stride=(2, 2),
            target_shape=(8, 9),
        ),
        case(uniform(2, 3, 5), uniform(3, 2, 4), uniform(2), kernel=(4,), num_filter=2, no_bias=False),
        case(
            uniform(1, 2, 2, 3, 2), uniform(2, 3, 2, 2, 2), kernel=(2, 2, 2), num_filter=3, stride=(2, 1, 1)
        ),
        case(uniform(2, 3, 4, 3), uniform(3, 3, 2, 4), kernel=(3, 2), num_filter=4, layout="NHWC"),
        case(uniform(0, 3, 4, 5), uniform(3, 4, 3, 2), kernel=(3, 2), num_filter=4),
        raises(
            ArgumentError, uniform(1, 3, 4, 4), uniform(3, 2, 3, 3), kernel=(3, 3), num_filter=2,
            adj=(1, 0), match="Deconvolution(adj): expected 2 numbers from 0 to below the stride",
        ),
        raises(
            ShapeError, uniform(1, 3, 4, 4), uniform(3, 2, 3, 3), kernel=(3, 3), num_filter=2,
            target_shape=(7, 6), match="Deconvolution(target_shape): expected at most 6 along axis 0, got 7",
        ),
        raises(
            ShapeError, uniform(1, 3, 1, 4), uniform(3, 2, 3, 3), kernel=(3, 3), num_filter=2, pad=(2, 2),
            match="Deconvolution(pad): expected less than is left of 3 elements, got 2",
        ),
        raises(
            ArgumentError, uniform(1, 4, 4, 4), uniform(4, 1, 3, 3), kernel=(3, 3), num_filter=3,
            num_group=2, match="Deconvolution(num_group): expected a number that divides num_filter, 3",
        ),
        raises(
            ShapeError, uniform(1, 3, 4, 4), uniform(2, 3, 3, 3), kernel=(3, 3), num_filter=2,
            match="Deconvolution(weight): expected shape (3, 2, 3, 3) from data (1, 3, 4, 4)",
        ),
        raises(
            ArgumentError, uniform(1, 3, 4, 4), uniform(3, 2, 3, 3), kernel=(3, 3), num_filter=2,
            stride=(0, 0), match="Deconvolution(stride): expected 2 numbers of at least 1",
        ),
    ],
)  # fmt: skip
class Deconvolution:
    """The transpose of a convolution: every element of the data adds a window to the output.

    data: (n, c, *spatial).  weight: (c, num_filter / num_group, *kernel).  bias: (num_filter,), unless
    `no_bias`.  Result: (n, num_filter, *output) with output = stride (spatial - 1) + dilate (kernel - 1) + 1
    - 2 pad + adj.  `target_shape` gives the output instead; pad and adj follow.  Other attributes are those
    of Convolution.
    """

    kernel: Shape
    stride: Shape = ()
    dilate: Shape = ()
    pad: Shape = ()
    adj: Shape = ()
    target_shape: Shape = ()
    num_filter: int
    num_group: int = 1
    workspace: int = 512
    no_bias: bool = True
    cudnn_tune: Tuning = None
    cudnn_off: bool = False
    layout: Layout = None

    def check(self):
        self.window = window_of("Deconvolution", self.kernel, self.stride, self.dilate, self.pad, self.layout)
        check_counts("Deconvolution", self.num_filter, self.num_group)
        self.extra = () if any(self.target_shape) else self.adj
        self.extra = self.extra or (0,) * len(self.kernel)
        pairs = zip(self.extra, self.window.stride, strict=False)
        if len(self.extra) != len(self.kernel) or not all(0 <= a < s for a, s in pairs):
            expected = f"{len(self.kernel)} numbers from 0 to below the stride, {self.window.stride}"
            raise ArgumentError(message("Deconvolution", "adj", expected, self.adj))
        if self.target_shape and (len(self.target_shape) != len(self.kernel) or min(self.target_shape) < 0):
            expected = f"{len(self.kernel)} extents"
            raise ArgumentError(message("Deconvolution", "target_shape", expected, self.target_shape))

    def inputs(self):
        return ("data", "weight") if self.no_bias else ("data", "weight", "bias")

    def placed(self, data):
        """(window, adj) for data of this shape."""
        return placed(self.window, self.extra, self.target_shape, self.window.split(data)[2])

    def infer(self, out, data, weight, bias=None):
        window, rank = self.window, len(self.kernel) + 2
        channels = weight[0] if weight is not None and len(weight) == rank else None
        shape = None
        if data is not None:
            check_data("Deconvolution", window, self.num_group, data)
            n, known, spatial = window.split(data)
            channels = channels if known is None else known
            window, adj = self.placed(data)
            target = tuple(t or None for t in self.target_shape) or (None,) * len(spatial)
            shape = window.order(n, self.num_filter, shared(extended(window, adj, spatial), target))
            if out is not None and len(out) == rank:
                data = shared(data, window.order(window.split(out)[0], channels, spatial))
                shape = shared(shape, out)
            data = shared(data, window.order(None, channels, (None,) * len(spatial)))
        parameters = (window.order(channels, self.num_filter // self.num_group, self.kernel),)
        return (data, *parameters, *(() if self.no_bias else ((self.num_filter,),))), (shape,)

    def forward(self, data, weight, bias=None, *, out):
        window, adj = self.placed(data.shape)
        n, _, spatial = window.split(data.shape)
        shape = window.order(n, self.num_filter, extended(window, adj, spatial))
        return kernels.convolution_data_grad(
            data, weight, shape, bias, *moves(window, self.num_group), out=out
        )

    def backward(self, g, data, weight, wanted):
        attributes = gradient_attributes(self)
        if any(self.target_shape):
            attributes["pad"] = (-1,) * len(self.kernel)
        return (
            _convolution(g, weight, data, **attributes) if wanted[0] else None,
            _convolution_weight_grad(data, g, weight, **attributes) if wanted[1] else None,
            None if self.no_bias or not wanted[2] else bias_gradient(g, self.window),
        )
