"""Pooling and its gradients."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Any, Literal, NamedTuple

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Shape
from ._cases import case, raises, uniform
from ._declare import layer
from ._operator import describe, find
from .padding import Pad, _pad_grad
from .shape import product

Layout = Literal["NCW", "NCHW", "NCDHW", "NWC", "NHWC", "NDHWC", None]
SUM = {"pool_type": "sum"}
# The convention of Pooling_v1 differs from "full" where steps are longer than windows.
Convention = Literal["valid", "full", "same", "v1"]


class Windows(NamedTuple):
    """How windows lie in the pooled axes, as kernels take it."""

    kernel: tuple
    stride: tuple
    pad: tuple
    out: tuple
    channels_last: bool
    mode: str
    power: int
    count_pad: bool


def extent_of(convention, extent, kernel, stride, pad):
    """How many windows there are along an axis."""
    if extent is None:
        return None
    padded = extent + 2 * pad
    if convention == "same":
        return -(-extent // stride)
    if convention == "valid":
        return (padded - kernel) // stride + 1
    return -(-(padded - kernel) // stride) + 1


def per_axis(name, value, count, least, default):
    """A hyper-parameter with a number for every axis."""
    if not value:
        return (default,) * count
    if len(value) != count or min(value) < least:
        expected = f"{count} numbers of at least {least}, one for every pooled axis"
        raise ArgumentError(message("Pooling", name, expected, value))
    return value


def windows_of(
    shape,
    kernel,
    stride,
    pad,
    pool_type="max",
    global_pool=False,
    pooling_convention="valid",
    p_value=None,
    count_include_pad=None,
    layout=None,
    **rest,
):
    """Return the geometry for data of a shape, in which extents may be None."""
    count = len(shape) - 2
    if not 1 <= count <= 3 or (layout is not None and len(layout) != len(shape)):
        expected = f"the {len(layout)} dimensions {layout}" if layout else "3 to 5 dimensions"
        raise ShapeError(message("Pooling", "data", expected, describe(shape)))
    channels_last = layout is not None and layout[-1] == "C"
    extents = shape[1:-1] if channels_last else shape[2:]
    mode, power = power_of(pool_type, p_value)
    counted = count_include_pad is not False
    if global_pool:
        ones, none = (1,) * count, (0,) * count
        return Windows(extents, ones, none, ones, channels_last, mode, power, counted)
    if not kernel:
        expected = f"{count} extents of a window, or global_pool=True"
        raise ArgumentError(message("Pooling", "kernel", expected, kernel))
    kernel = per_axis("kernel", kernel, count, 1, 1)
    stride = per_axis("stride", stride, count, 1, 1)
    if pooling_convention == "same" and not any(pad):
        pad = ()
    pad = per_axis("pad", pad, count, 0, 0)
    if pooling_convention == "same" and any(pad):
        raise ArgumentError(message("Pooling", "pad", "0, as pooling_convention is 'same'", pad))
    for size, extent, width in zip(kernel, extents, pad, strict=True):
        if extent is not None and size > extent + 2 * width and pooling_convention != "same":
            padded = tuple(n and n + 2 * w for n, w in zip(extents, pad, strict=True))
            raise ShapeError(message("Pooling", "kernel", f"at most the padded input {padded}", kernel))
    out = tuple(
        extent_of(pooling_convention, *axis) for axis in zip(extents, kernel, stride, pad, strict=True)
    )
    if pooling_convention == "v1":
        out = tuple(
            n and min(n, (extent + 2 * p - 1) // s + 1)
            for n, extent, p, s in zip(out, extents, pad, stride, strict=True)
        )
    return Windows(kernel, stride, pad, out, channels_last, mode, power, counted)


def power_of(pool_type, p_value):
    if pool_type != "lp":
        return pool_type, 1
    if p_value not in (1, 2, 3):
        raise ArgumentError(message("Pooling", "p_value", "1, 2 or 3, as pool_type is 'lp'", p_value))
    return ("sum", 1) if p_value == 1 else ("lp", p_value)


def pooled(shape, windows):
    """The shape of the result."""
    if windows.channels_last:
        return (shape[0], *windows.out, shape[-1])
    return (*shape[:2], *windows.out)


# --- the reference --------------------------------------------------------------------------------------
def slices(w, index, extents):
    """The part of the input in a window, and how many elements it counts."""
    parts, counted = [], 1
    for i, n, k, s, p in zip(index, extents, w.kernel, w.stride, w.pad, strict=True):
        begin, end = i * s - p, min(i * s - p + k, n + p)
        inside = slice(max(begin, 0), max(min(end, n), max(begin, 0)))
        counted *= end - begin if w.count_pad else inside.stop - inside.start
        parts.append(inside)
    return tuple(parts), max(counted, 1)


def pooling_reference(x, **attrs):
    """Window by window."""
    w = windows_of(x.shape, **{"kernel": (), "stride": (), "pad": (), **attrs})
    moved = np.moveaxis(x, -1, 1) if w.channels_last else x
    y = np.zeros((*moved.shape[:2], *w.out), x.dtype)
    axes = tuple(range(2, x.ndim))
    for index in np.ndindex(*w.out):
        parts, counted = slices(w, index, moved.shape[2:])
        window = moved[(slice(None), slice(None), *parts)]
        if w.mode == "max":
            value = window.max(axes, initial=np.finfo(x.dtype).min)
        else:
            value = (window**w.power).sum(axes)
            value = value / counted if w.mode == "avg" else np.cbrt(value) if w.power == 3 else value
            value = np.sqrt(value) if w.power == 2 else value
        y[(slice(None), slice(None), *index)] = value
    return np.moveaxis(y, 1, -1) if w.channels_last else y


def spread_reference(g, like, **attrs):
    w = windows_of(like.shape, **{"kernel": (), "stride": (), "pad": (), **attrs})
    total = np.zeros(like.shape, g.dtype)
    to, g = (np.moveaxis(a, -1, 1) if w.channels_last else a for a in (total, g))
    for index in np.ndindex(*w.out):
        parts, counted = slices(w, index, to.shape[2:])
        share = g[(slice(None), slice(None), *index)] / (counted if w.mode == "avg" else 1)
        to[(slice(None), slice(None), *parts)] += share[(..., *(None,) * len(parts))]
    return total


def places_reference(x, **attrs):
    """For every window the flat position in x of the first largest element, -1 for none."""
    w = windows_of(x.shape, **{"kernel": (), "stride": (), "pad": (), **attrs})
    flat = np.arange(x.size).reshape(x.shape)
    x, flat = (np.moveaxis(a, -1, 1) if w.channels_last else a for a in (x, flat))
    found = np.full((*x.shape[:2], *w.out), -1)
    for index in np.ndindex(*w.out):
        parts, _ = slices(w, index, x.shape[2:])
        window, places = (a[(slice(None), slice(None), *parts)].reshape(*x.shape[:2], -1) for a in (x, flat))
        if window.shape[-1]:
            best = window.argmax(-1)[..., None]
            found[(slice(None), slice(None), *index)] = np.take_along_axis(places, best, -1)[..., 0]
    return np.moveaxis(found, 1, -1) if w.channels_last else found


def max_grad_reference(g, x, **attrs):
    places = places_reference(x, **attrs)
    total = np.zeros(x.size, g.dtype)
    np.add.at(total, places[places >= 0], g[places >= 0])
    return total.reshape(x.shape)


def max_pick_reference(values, x, **attrs):
    places = places_reference(x, **attrs)
    return np.where(places >= 0, values.ravel()[np.maximum(places, 0)], 0)


# --- the operators ----------------------------------------------------------------------------------------
class Geometry:
    """The attributes that pooling and its gradients share."""

    kernel: Shape = ()
    pool_type: Literal["max", "avg", "sum", "lp"] = "max"
    global_pool: bool = False
    cudnn_off: bool = False
    pooling_convention: Convention = "valid"
    stride: Shape = ()
    pad: Shape = ()
    p_value: int | None = None
    count_include_pad: Literal[True, False, None] = None
    layout: Layout = None

    def windows(self, shape):
        return windows_of(shape, **self.__dict__)


@layer(
    kinds="f",
    ref=pooling_reference,
    cases=[
        case(uniform(2, 2, 5, 6, distinct=True), kernel=(2, 3), stride=(2, 1)),
        case(uniform(1, 2, 7, 7, distinct=True), kernel=(3, 3), stride=(2, 2), pad=(1, 1)),
        case(uniform(2, 5, 6, 3, distinct=True), kernel=(3, 2), stride=(2, 2), pad=(1, 0), layout="NHWC"),
        case(uniform(2, 2, 7), kernel=(3,), stride=(2,), pad=(1,), pool_type="avg"),
        case(uniform(2, 2, 6, 7), kernel=(3, 3), stride=(2, 2), pool_type="avg", pooling_convention="full"),
        case(uniform(1, 2, 4, 7), kernel=(3, 3), pad=(1, 1), pool_type="avg", count_include_pad=False),
        case(uniform(2, 5, 4, 3), kernel=(2, 2), stride=(1, 2), pool_type="avg", layout="NHWC"),
        case(uniform(1, 2, 3, 4, 5), kernel=(2, 2, 3), stride=(1, 2, 2), pad=(1, 0, 1), pool_type="sum"),
        case(uniform(1, 3, 4, 5, 2, distinct=True), kernel=(2, 2, 2), layout="NDHWC"),
        case(uniform(1, 2, 4, 5, low=0.5), kernel=(2, 2), pool_type="lp", p_value=2),
        case(uniform(1, 2, 4, 5, low=0.5), kernel=(2, 2), stride=(2, 3), pool_type="lp", p_value=3),
        case(uniform(2, 3, 4, 5, distinct=True), global_pool=True),
        case(uniform(2, 4, 5, 3), global_pool=True, pool_type="avg", layout="NHWC"),
        case(uniform(2, 2, 7), kernel=(2,), stride=(3,), pool_type="avg", pooling_convention="same"),
        case(uniform(0, 2, 4, 4), kernel=(2, 2)),
        case(uniform(6, 3, 4, 5, distinct=True), kernel=(3, 2), stride=(1, 2), pad=(1, 1)),
        case(uniform(6, 3, 4, 5), kernel=(3, 2), stride=(1, 2), pad=(1, 1), pool_type="avg"),
        case(uniform(3, 7, 4, low=0.5), kernel=(3,), pool_type="lp", p_value=2),
        raises(
            ShapeError,
            uniform(1, 1, 7, 7),
            kernel=(9, 9),
            match="Pooling(kernel): expected at most the padded input (7, 7), got (9, 9)",
        ),
        raises(ArgumentError, uniform(1, 1, 4, 4), match="Pooling(kernel): expected 2 extents of a window"),
        raises(
            ArgumentError,
            uniform(1, 1, 4, 4),
            kernel=(2, 2),
            stride=(0, 1),
            match="Pooling(stride): expected 2 numbers of at least 1",
        ),
        raises(
            ArgumentError,
            uniform(1, 1, 4, 4),
            kernel=(2, 2),
            pool_type="lp",
            match="Pooling(p_value): expected 1, 2 or 3",
        ),
        raises(
            ShapeError,
            uniform(1, 1, 4, 4),
            kernel=(2, 2),
            layout="NWC",
            match="Pooling(data): expected the 3 dimensions NWC",
        ),
    ],
)
class Pooling(Geometry):
    """The largest element, the mean, the sum or the p-th root of the sum of p-th powers of windows.

    data: (n, channels, ...) with one to three pooled axes, or as `layout` says.  Windows of extents `kernel`
    lie `stride` apart from -`pad` on; padding is never the largest element, adds 0, and counts for means
    unless `count_include_pad=False`.  Along an axis of extent x there are (x + 2 pad - kernel) / stride + 1
    windows, rounded down (`valid`) or up (`full`), or x / stride rounded up (`same`, without padding).
    With `global_pool` there is one window over everything.  Of equal elements the first one gets the
    gradient.
    """

    pooling_convention: Literal["valid", "full", "same"] = "valid"

    def written(self):
        is_last = self.layout is not None and self.layout[-1] == "C"
        return 2 if self.pool_type == "max" and self.kernel and not is_last else 1

    def infer(self, out, data):
        return (data,), (None if data is None else pooled(data, self.windows(data)),)

    def forward(self, data, *, out):
        return kernels.pooling(data, self.windows(data.shape), out=out)

    def backward(self, g, data):
        if self.pool_type == "max":
            return _pooling_max_grad(g, data, **self.__dict__)
        if self.pool_type == "lp" and self.p_value > 1:
            return self.power_gradient(g, data)
        return _pooling_spread(g, data, **self.__dict__)

    def power_gradient(self, g, data):
        """The sums' gradient of g / y^(p - 1) times x^(p - 1), and 0 where y is."""
        y = find("Pooling")(data, **self.__dict__)
        below, factor = (y, data) if self.p_value == 2 else (y * y, data * data)
        sums = self.__dict__ | {"pool_type": "sum"}
        return _pooling_spread(g * (y != 0) / (below + (y == 0)), data, **sums) * factor


@layer(
    kinds="f",
    free=("like",),
    shape_only=("like",),
    ref=spread_reference,
    cases=[
        case(uniform(2, 2, 3, 3), uniform(2, 2, 5, 6), kernel=(3, 2), stride=(1, 2), pool_type="avg"),
        case(uniform(1, 3, 3, 2), uniform(1, 5, 6, 2), kernel=(3, 2), stride=(1, 2), layout="NHWC", **SUM),
        case(uniform(1, 2, 4), uniform(1, 2, 7), kernel=(3,), stride=(2,), pad=(1,), pool_type="avg"),
        case(uniform(2, 9, 4, 3), uniform(2, 9, 4, 5), kernel=(3, 3), stride=(1, 2), pad=(1, 1), **SUM),
        case(uniform(1, 2, 1, 1), uniform(1, 2, 3, 4), global_pool=True, pool_type="avg"),
    ],
)
class _pooling_spread(Geometry):
    """The gradient of Pooling with sums or means, from that of its result, for data of the shape of like."""

    def infer(self, out, data, like):
        like = out if like is None else like
        return (None if like is None else pooled(like, self.windows(like)), like), (like,)

    def forward(self, data, like, *, out):
        return kernels.pooling_spread(data, like.shape, self.windows(like.shape), out=out)

    def backward(self, g):
        return _pooling_sum(g, **self.__dict__), None


@layer(
    kinds="f",
    ref=pooling_reference,
    cases=[case(uniform(2, 2, 5), kernel=(2,), stride=(2,), pooling_convention="v1", **SUM)],
)
class _pooling_sum(Geometry):
    """Pooling with sums or means, in any convention."""

    def infer(self, out, data):
        return (data,), (None if data is None else pooled(data, self.windows(data)),)

    def forward(self, data, *, out):
        return kernels.pooling(data, self.windows(data.shape), out=out)

    def backward(self, g, data):
        return _pooling_spread(g, data, **self.__dict__)


MAX_ROWS: list[Any] = [
    ((2, 2, 2, 4), (2, 2, 5, 6), {"kernel": (2, 3), "stride": (2, 1)}),
    ((2, 9, 4, 3), (2, 9, 4, 5), {"kernel": (3, 3), "stride": (1, 2), "pad": (1, 1)}),
    ((1, 2, 4, 4), (1, 2, 7, 7), {"kernel": (3, 3), "stride": (2, 2), "pad": (1, 1)}),
    ((2, 3, 3, 3), (2, 5, 6, 3), {"kernel": (3, 2), "stride": (2, 2), "pad": (1, 0), "layout": "NHWC"}),
]


@layer(
    kinds="f",
    ref=max_grad_reference,
    cases=[case(uniform(*g), uniform(*x, distinct=True), **attrs) for g, x, attrs in MAX_ROWS],
)
class _pooling_max_grad(Geometry):
    """The gradient of Pooling with `max`, from that of its result and its input `x`."""

    def infer(self, out, data, x):
        x = out if x is None else x
        return (None if x is None else pooled(x, self.windows(x)), x), (x,)

    def forward(self, data, x, *, out):
        return kernels.pooling_max_grad(data, x, self.windows(x.shape), out=out)

    def backward(self, g, x):
        return _pooling_max_pick(g, x, **self.__dict__), None


@layer(
    kinds="f",
    ref=max_pick_reference,
    cases=[case(uniform(*x), uniform(*x, distinct=True), **attrs) for _, x, attrs in MAX_ROWS],
)
class _pooling_max_pick(Geometry):
    """Of every window the value of data where `x` is largest."""

    def infer(self, out, data, x):
        x = data if x is None else x
        return (x, x), (None if x is None else pooled(x, self.windows(x)),)

    def forward(self, data, x, *, out):
        return kernels.pooling_max_pick(data, x, self.windows(x.shape), out=out)

    def backward(self, g, x):
        return _pooling_max_grad(g, x, **self.__dict__), None


# --- the old version ---------------------------------------------------------------------------------------
def old_reference(x, pad=(), pool_type="max", **attrs):
    """Zeros around the data take part, and means count whole windows."""
    pad = pad or (0,) * (x.ndim - 2)
    if attrs.get("global_pool"):
        return pooling_reference(x, pool_type=pool_type, global_pool=True)
    attrs |= {"pooling_convention": "v1" if attrs.get("pooling_convention") == "full" else "valid"}
    x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in pad)))
    if pool_type != "avg":
        return pooling_reference(x, pool_type=pool_type, **attrs)
    return pooling_reference(x, pool_type="sum", **attrs) / product(attrs["kernel"])


@layer(
    kinds="f",
    ref=old_reference,
    cases=[
        case(uniform(2, 2, 5, 6, distinct=True), kernel=(2, 3), stride=(2, 1)),
        case(uniform(1, 2, 7, 7, distinct=True), kernel=(3, 2), stride=(2, 2), pad=(1, 1)),
        case(uniform(2, 2, 6, 7), kernel=(3, 3), stride=(2, 2), pool_type="avg", pooling_convention="full"),
        case(uniform(2, 2, 6, 7), kernel=(2, 2), stride=(3, 3), pad=(1, 1), pool_type="sum"),
        case(uniform(2, 2, 3, 4), global_pool=True, pool_type="avg"),
        raises(ShapeError, uniform(1, 1, 4, 4), kernel=(9, 9), match="Pooling(kernel): expected at most"),
    ],
)
class Pooling_v1:
    """Pooling as MXNet had it first: padding is zeros that take part, and means count whole windows."""

    kernel: Shape = ()
    pool_type: Literal["max", "avg", "sum"] = "max"
    global_pool: bool = False
    pooling_convention: Literal["valid", "full"] = "valid"
    stride: Shape = ()
    pad: Shape = ()

    def parts(self, ndim):
        """(attributes of pooling, of padding or None, what to divide by)."""
        if self.global_pool:
            return {"pool_type": self.pool_type, "global_pool": True}, None, 1
        convention = "v1" if self.pooling_convention == "full" else "valid"
        mode = "max" if self.pool_type == "max" else "sum"
        where = {"kernel": self.kernel, "stride": self.stride, "pool_type": mode}
        pad = {"mode": "constant", "pad_width": (0, 0, 0, 0, *(p for n in self.pad for p in (n, n)))}
        whole = product(self.kernel) if self.pool_type == "avg" else 1
        return where | {"pooling_convention": convention}, pad if any(self.pad) else None, whole

    def infer(self, out, data):
        if data is None:
            return (None,), (None,)
        windows = windows_of(data, **self.__dict__ | self.parts(len(data))[0] | {"pad": self.pad})
        return (data,), (pooled(data, windows),)

    def forward(self, data, *, out):
        where, pad, whole = self.parts(data.ndim)
        if pad is not None:
            data = Pad.compute([data], pad)[0]
        windows = windows_of(data.shape, **{"kernel": (), "stride": (), "pad": (), **where})
        y = kernels.pooling(data, windows, out=out)
        outs = None if out is None else [out]
        return y if whole == 1 else find("_div_scalar").compute([y], {"scalar": float(whole)}, outs)[0]

    def backward(self, g, data):
        where, pad, whole = self.parts(None)
        x = data if pad is None else Pad(data, **pad)
        if whole != 1:
            g = g / whole
        back = _pooling_max_grad if self.pool_type == "max" else _pooling_spread
        g = back(g, x, **where)
        return g if pad is None else _pad_grad(g, **pad)
