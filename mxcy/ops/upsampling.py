"""Images made larger and smaller: UpSampling and Crop."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Any, Literal

import numpy as np

from .._launch import empty_like
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Shape
from ._cases import case, raises, uniform
from ._declare import op
from ._operator import describe, find

LIKE: dict[str, Any] = {"shape_only": ("like",), "free": ("like",), "dtype": lambda data: data}


# --- nearest neighbours ---------------------------------------------------------------------------------
def factors(small, large, name="UpSampling"):
    """How many times larger an image is than another, in both directions."""
    if len(small) != 4 or any(b % max(a, 1) for a, b in zip(small[2:], large[2:], strict=True)):
        expected = f"(n, channels, height, width) that divide {describe(large[2:])}"
        raise ShapeError(message(name, "data", expected, describe(small)))
    return large[2] // small[2], large[3] // small[3]


def enlarged(x, times, out=None):
    """x with every pixel repeated."""
    n, c, h, w = x.shape
    view = x._reshape_view((n, c, h, 1, w, 1))
    view = kernels.copy(x)._reshape_view((n, c, h, 1, w, 1)) if view is None else view
    wide = kernels.copy(view._broadcast_view((n, c, h, times[0], w, times[1])))
    wide = wide._reshape_view((n, c, h * times[0], w * times[1]))
    return wide if out is None else kernels.copy(wide, out=out)


def enlarged_reference(x, like):
    times = factors(x.shape, like.shape)
    return x.repeat(times[0], 2).repeat(times[1], 3)


@op(
    grad=(lambda g, data: _upsample_back(g, data), None),
    shape=lambda data, like: (*data[:2], *like[2:]),
    ref=enlarged_reference,
    cases=[case(uniform(1, 2, 2, 3), uniform(1, 1, 4, 6))],
    **LIKE,
)
def _upsample_to(data, like, *, out):
    """Every pixel repeated, to the height and width of like."""
    return enlarged(data, factors(data.shape, like.shape), out)


def summed_reference(g, like):
    n, c, h, w = like.shape
    return g.reshape(n, c, h, g.shape[2] // h, w, g.shape[3] // w).sum((3, 5))


@op(
    grad=(lambda g, data: _upsample_to(g, data), None),
    shape=lambda like: like,
    kinds="iuf",
    ref=summed_reference,
    cases=[case(uniform(1, 2, 4, 6), uniform(1, 2, 2, 3))],
    **LIKE,
)
def _upsample_back(data, like, *, out):
    """Sums over the pixels that came from one pixel of like."""
    n, c, h, w = like.shape
    times = factors(like.shape, data.shape)
    total = find("sum")
    view = kernels.copy(data)._reshape_view((n, c, h, times[0], w, times[1]))
    made = total.compute([view], total.parse_attrs({"axis": (3, 5)}))[0]._reshape_view(like.shape)
    return made if out is None else kernels.copy(made, out=out)


def deconvolution_of(scale, num_filter):
    """The attributes with which Deconvolution interpolates."""
    kernel, pad = 2 * scale - scale % 2, scale // 2
    return find("Deconvolution").parse_attrs({
        "kernel": (kernel, kernel), "stride": (scale, scale), "pad": (pad, pad), "num_filter": num_filter,
        "num_group": num_filter, "no_bias": True,
    })  # fmt: skip


def upsampling_shape(args, scale, num_filter, sample_type, multi_input_mode):
    first = args[0]
    if scale < 1:
        raise ArgumentError(message("UpSampling", "scale", "at least 1", scale))
    if len(first) != 4:
        expected = "4 dimensions (n, channels, height, width)"
        raise ShapeError(message("UpSampling", "data", expected, describe(first)))
    shape = (*first[:2], first[2] * scale, first[3] * scale)
    if sample_type == "bilinear":
        return find("Deconvolution").infer_shape([*args], deconvolution_of(scale, num_filter))[1][0]
    for other in args[1:]:
        factors(other, shape)
    channels = [x[1] for x in args]
    if multi_input_mode == "sum":
        if len({*channels}) > 1:
            raise ShapeError(message("UpSampling", "args", f"{channels[0]} channels in all", channels))
        return shape
    return (shape[0], sum(channels), *shape[2:])


def upsampling_back(args, scale, num_filter, sample_type):
    """The weight that belongs to the image."""
    if sample_type != "bilinear" or len(args) != 2 or scale < 1:
        return args
    kernel = 2 * scale - scale % 2
    weight = (None if args[0] is None else args[0][1], 1, kernel, kernel)
    return [args[0], weight if args[1] is None else args[1]]


def upsampling_names(sample_type, num_args):
    return ("data", "weight") if sample_type == "bilinear" else tuple([f"arg{i}" for i in range(num_args)])


def upsampling_gradient(g, args, scale, num_filter, sample_type, multi_input_mode):
    if sample_type == "bilinear":
        return find("Deconvolution").gradient([g], args, [None], deconvolution_of(scale, num_filter))
    if len(args) == 1 or multi_input_mode == "sum":
        return [_upsample_back(g, x) for x in args]
    concat = find("Concat")
    parts = [_upsample_to(x, g) for x in args]
    attrs = concat.parse_attrs({"dim": 1, "num_args": len(args)})
    return [
        _upsample_back(h, x) for h, x in zip(concat.gradient([g], parts, [None], attrs), args, strict=True)
    ]


def upsampling_reference(*args, scale, sample_type, multi_input_mode="concat", **rest):
    large = np.empty((1, 1, args[0].shape[2] * scale, args[0].shape[3] * scale))
    parts = [enlarged_reference(x, large) for x in args]
    return sum(parts) if multi_input_mode == "sum" else np.concatenate(parts, 1)


NEAREST = {"sample_type": "nearest"}


@op(
    grad=upsampling_gradient,
    shape=upsampling_shape,
    back=upsampling_back,
    optional=upsampling_names,
    kinds="f",
    ref=upsampling_reference,
    cases=[
        case(uniform(2, 3, 2, 3), scale=2, **NEAREST),
        case(uniform(1, 2, 2, 2), uniform(1, 1, 4, 4), scale=4, **NEAREST),
        case(uniform(1, 2, 2, 2), uniform(1, 2, 4, 4), scale=4, multi_input_mode="sum", **NEAREST),
        raises(
            ShapeError, uniform(2, 3), scale=2, match="UpSampling(data): expected 4 dimensions", **NEAREST
        ),
        raises(ArgumentError, uniform(1, 1, 2, 2), scale=0, match="(scale): expected at least 1", **NEAREST),
    ],
)
def UpSampling(
    *args,
    scale: int,
    num_filter: int = 0,
    sample_type: Literal["nearest", "bilinear"],
    multi_input_mode: Literal["concat", "sum"] = "concat",
    workspace: int = 512,
    out,
):
    """Images (n, channels, height, width) made `scale` times as large.

    `nearest` repeats pixels; several images are brought to the size of the first one's result and put
    together or added.  `bilinear` takes an image and the weight of a Deconvolution, (num_filter, 1, k, k)
    with k = 2 scale - scale % 2, which `initializer.Bilinear` fills.
    """
    if sample_type == "bilinear":
        attrs = deconvolution_of(scale, num_filter)
        return find("Deconvolution").compute(list(args), attrs, None if out is None else [out])[0]
    large = (1, 1, args[0].shape[2] * scale, args[0].shape[3] * scale)
    parts = [enlarged(x, factors(x.shape, large)) for x in args]
    if multi_input_mode == "sum" and len(parts) > 1:
        attrs = {"num_args": len(parts)}
        return find("add_n").compute(parts, attrs, None if out is None else [out])[0]
    return kernels.concat(parts, 1, out=out)


# --- crop -------------------------------------------------------------------------------------------------
def corner(name, shape, size, offset, center_crop):
    """Where a cut of a size begins."""
    if len(shape) != 4:
        expected = "4 dimensions (n, channels, height, width)"
        raise ShapeError(message(name, "data", expected, describe(shape)))
    at = tuple((n - m) // 2 for n, m in zip(shape[2:], size, strict=True)) if center_crop else tuple(offset)
    if any(a < 0 or m < 1 or a + m > n for n, m, a in zip(shape[2:], size, at, strict=True)):
        expected = f"a cut of {describe(size)} at {describe(at)} inside of height and width"
        raise ShapeError(message(name, "data", expected, describe(shape[2:])))
    return at


def cut(x, size, at):
    return x._strided(
        at[0] * x.strides[2] + at[1] * x.strides[3], (*x.shape[:2], *size), x.strides
    )  # fmt: skip


def crop_size(args, h_w):
    return tuple(args[1][2:]) if len(args) > 1 else tuple(h_w)


def crop_shape(args, offset, h_w, center_crop):
    size = crop_size(args, h_w)
    corner("Crop", args[0], size, offset, center_crop)
    return (*args[0][:2], *size)


def crop_reference(x, *like, offset=(0, 0), h_w=(0, 0), center_crop=False):
    h, w = like[0].shape[2:] if like else h_w
    y, z = corner("Crop", x.shape, (h, w), offset, center_crop)
    return x[:, :, y : y + h, z : z + w]


def crop_gradient(g, args, offset, center_crop):
    back = _crop_back(g, args[0], offset=offset, center_crop=center_crop)
    return [back, None] if len(args) > 1 else [back]


@op(
    grad=crop_gradient,
    shape=crop_shape,
    kinds="iuf",
    ref=crop_reference,
    cases=[
        case(uniform(2, 2, 4, 5), h_w=(2, 3), offset=(1, 2)),
        case(uniform(1, 2, 5, 5), h_w=(2, 3), center_crop=True),
        case(uniform(1, 2, 4, 5), uniform(1, 1, 3, 2), offset=(1, 0)),
        raises(ShapeError, uniform(1, 1, 3, 3), h_w=(4, 2), match="Crop(data): expected a cut of (4, 2) at"),
    ],
)
def Crop(*args, offset: Shape = (0, 0), h_w: Shape = (0, 0), center_crop: bool = False, out):
    """A part of images (n, channels, height, width): `h_w` large, or as a second image is, at an offset or
    in the middle.
    """
    size = crop_size([x.shape for x in args], h_w)
    return kernels.copy(cut(args[0], size, corner("Crop", args[0].shape, size, offset, center_crop)), out=out)


def crop_back_reference(g, like, offset=(0, 0), center_crop=False):
    total = np.zeros(like.shape, g.dtype)
    y, x = corner("Crop", like.shape, g.shape[2:], offset, center_crop)
    total[:, :, y : y + g.shape[2], x : x + g.shape[3]] = g
    return total


def crop_again(g, data, offset, center_crop):
    return find("Crop")(g, data, offset=offset, center_crop=center_crop)


@op(
    grad=(crop_again, None),
    shape=lambda like: like,
    kinds="iuf",
    ref=crop_back_reference,
    cases=[case(uniform(1, 2, 2, 3), uniform(1, 2, 4, 5), offset=(1, 2))],
    **LIKE,
)
def _crop_back(data, like, *, offset: Shape = (0, 0), center_crop: bool = False, out):
    """Zeros in the shape of like with data where Crop would cut it out."""
    data = kernels.copy(data)
    out = empty_like(data, like.shape) if out is None else out
    kernels.fill(out, 0)
    size = data.shape[2:]
    kernels.copy(data, out=cut(out, size, corner("Crop", like.shape, size, offset, center_crop)))
    return out
