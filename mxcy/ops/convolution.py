"""Convolution and Deconvolution, with the gradients as operators of their own.

A convolution is linear in its data and in its weight.  So three operators (the convolution, its gradients
with respect to data and to weight) are each other's gradients, and derivatives of any order are made of
them.  A deconvolution is the data gradient, run forward.
"""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np

from ..errors import ArgumentError, DTypeError, ShapeError, message
from ..kernels import cpu as kernels
from . import reduction
from ._attributes import Shape
from ._cases import case, raises, uniform
from ._declare import layer, op
from ._operator import describe

LAYOUTS = {1: ("NCW", "NWC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}
Layout = Literal[None, "NCW", "NCHW", "NCDHW", "NWC", "NHWC", "NDHWC"]
Tuning = Literal[None, "off", "limited_workspace", "fastest"]


class Window(NamedTuple):
    """How a kernel moves over the data: a number for every spatial axis."""

    kernel: tuple
    stride: tuple
    dilate: tuple
    pad: tuple
    channels_last: bool

    @property
    def spread(self) -> tuple:
        """From the first to the last element that one use of the kernel reads."""
        return tuple(d * (k - 1) for k, d in zip(self.kernel, self.dilate, strict=True))

    def order(self, first: Any, channels: Any, spatial: tuple) -> tuple:
        """A shape in this layout."""
        return (first, *spatial, channels) if self.channels_last else (first, channels, *spatial)

    def split(self, shape: tuple) -> tuple:
        """(first extent, channels, spatial extents) of a shape in this layout."""
        if self.channels_last:
            return shape[0], shape[-1], shape[1:-1]
        return shape[0], shape[1], shape[2:]


@lru_cache(1024)
def window_of(op: str, kernel, stride, dilate, pad, layout) -> Window:
    """Return the window that attributes describe, after checking them."""
    count = len(kernel)
    if not 1 <= count <= 3:
        raise ArgumentError(message(op, "kernel", "1, 2 or 3 extents", kernel))
    found = []
    for name, value, default, least in (
        ("kernel", kernel, 1, 1), ("stride", stride, 1, 1), ("dilate", dilate, 1, 1), ("pad", pad, 0, 0),
    ):  # fmt: skip
        value = value or (default,) * count
        if len(value) != count or min(value) < least:
            expected = f"{count} numbers of at least {least}, one for each extent of kernel {kernel}"
            raise ArgumentError(message(op, name, expected, value))
        found.append(value)
    if layout is not None and layout not in LAYOUTS[count]:
        expected = f"one of {', '.join(LAYOUTS[count])} for {count} spatial axes"
        raise ArgumentError(message(op, "layout", expected, repr(layout)))
    return Window(*found, layout is not None and layout[-1] == "C")


def check_counts(op: str, num_filter: int, num_group: int) -> None:
    if num_filter < 1:
        raise ArgumentError(message(op, "num_filter", "at least 1", num_filter))
    if num_group < 1 or num_filter % num_group:
        expected = f"a number that divides num_filter, {num_filter}"
        raise ArgumentError(message(op, "num_group", expected, num_group))


def check_data(op: str, window: Window, num_group: int, data: tuple) -> None:
    """Raise if data has another rank than the window needs, or channels that do not form the groups."""
    rank = len(window.kernel) + 2
    if len(data) != rank:
        expected = f"{rank} dimensions for kernel {window.kernel}"
        raise ShapeError(message(op, "data", expected, describe(data)))
    channels = window.split(data)[1]
    if channels is not None and channels % num_group:
        expected = f"channels divisible by num_group, {num_group}"
        raise ShapeError(message(op, "data", expected, describe(data)))


def convolved(op: str, window: Window, spatial: tuple) -> tuple:
    """The spatial extents of a convolution's output from those of its data, None where unknown."""
    extents = []
    for axis, n in enumerate(spatial):
        if n is None:
            extents.append(None)
            continue
        room = n + 2 * window.pad[axis] - window.spread[axis] - 1
        if room < 0:
            expected = f"a kernel that fits into the padded data, {n + 2 * window.pad[axis]} along this axis"
            raise ShapeError(message(op, "kernel", expected, window.spread[axis] + 1))
        extents.append(room // window.stride[axis] + 1)
    return tuple(extents)


def needed(window: Window, spatial: tuple) -> tuple:
    """The spatial extents of data from those of a convolution's output; known where the stride is 1."""
    axes = zip(spatial, window.stride, window.spread, window.pad, strict=True)
    return tuple(None if n is None or s != 1 else n + e - 2 * p for n, s, e, p in axes)


def shared(a: tuple, b: tuple | None) -> tuple:
    """What two shapes of one rank know together; where they contradict, the first one."""
    if b is None or len(a) != len(b):
        return a
    return tuple(y if x is None else x for x, y in zip(a, b, strict=True))


# --- references ----------------------------------------------------------------------------------------
def windows(x, kernel, stride, dilate, pad, groups):
    """(n, groups, c / groups, *kernel, *output) of x (n, c, *spatial)."""
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in pad)])
    spread = [d * (k - 1) + 1 for k, d in zip(kernel, dilate, strict=True)]
    axes = tuple(range(2, x.ndim))
    view = np.lib.stride_tricks.sliding_window_view(x, spread, axes)
    view = view[(slice(None), slice(None), *(slice(None, None, s) for s in stride))]
    view = view[(..., *(slice(None, None, d) for d in dilate))]
    count = len(kernel)
    view = np.moveaxis(view, range(2 + count, 2 + 2 * count), range(2, 2 + count))
    return view.reshape(len(x), groups, x.shape[1] // groups, *view.shape[2:])


def convolve(x, w, stride, dilate, pad, groups):
    """The convolution of NumPy arrays with channels first."""
    count = w.ndim - 2
    columns = windows(x, w.shape[2:], stride, dilate, pad, groups)
    filters = w.reshape(groups, len(w) // groups, *w.shape[1:])
    letters = "abc"[:count], "xyz"[:count]
    y = np.einsum("ngi{0}{1},gmi{0}->ngm{1}".format(*letters), columns, filters)
    return y.reshape(len(x), len(w), *y.shape[3:])


def transposed(g, w, spatial, stride, dilate, pad, groups):
    """The gradient of `convolve` with respect to x, of these spatial extents: a sum of shifted products."""
    padded = np.zeros(
        (len(g), w.shape[1] * groups, *(n + 2 * p for n, p in zip(spatial, pad, strict=True)))
    )
    heads = g.reshape(len(g), groups, len(w) // groups, *g.shape[2:])
    filters = w.reshape(groups, len(w) // groups, *w.shape[1:])
    for position in np.ndindex(*w.shape[2:]):
        term = np.einsum("ngm...,gmi->ngi...", heads, filters[(..., *position)])
        place = zip(position, dilate, stride, g.shape[2:], strict=True)
        inside = tuple(slice(i * d, i * d + s * (n - 1) + 1, s) for i, d, s, n in place)
        padded[(slice(None), slice(None), *inside)] += term.reshape(*padded.shape[:2], *g.shape[2:])
    inner = tuple(slice(p, p + n) for p, n in zip(pad, spatial, strict=True))
    return padded[(slice(None), slice(None), *inner)]


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

    def check(self):
        self.window = window_of(
            "Convolution", self.kernel, self.stride, self.dilate, self.pad, self.layout
        )
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
        return kernels.convolution(data, weight, bias, *moves(self.window, self.num_group), out=out)

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
def placed(window, adj, target_shape, spatial):
    """(window, adj) as a target shape sets them: what it lacks is cut off evenly, the odd element behind."""
    if not any(target_shape):
        return window, adj
    pads, adds = [], []
    for axis, (n, target) in enumerate(zip(spatial, target_shape, strict=True)):
        surplus = 0 if n is None else window.stride[axis] * (n - 1) + window.spread[axis] + 1 - target
        if surplus < 0:
            expected = f"at most {target + surplus} along axis {axis}"
            raise ShapeError(message("Deconvolution", "target_shape", expected, target))
        adds.append(surplus % 2)
        pads.append((surplus + 1) // 2)
    return window._replace(pad=tuple(pads)), tuple(adds)


def extended(window, adj, spatial):
    """The spatial extents of a deconvolution's output from those of its data, None where unknown."""
    extents = []
    for n, s, e, p, a in zip(spatial, window.stride, window.spread, window.pad, adj, strict=True):
        extent = None if n is None else s * (n - 1) + e + 1 - 2 * p + a
        if extent is not None and extent < 1:
            raise ShapeError(
                message("Deconvolution", "pad", f"less than is left of {extent + 2 * p} elements", p)
            )
        extents.append(extent)
    return tuple(extents)


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
        self.window = window_of(
            "Deconvolution", self.kernel, self.stride, self.dilate, self.pad, self.layout
        )
        check_counts("Deconvolution", self.num_filter, self.num_group)
        self.extra = self.adj or (0,) * len(self.kernel)
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
