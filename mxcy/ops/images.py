"""Images as arrays (height, width, channels): to tensors, cropped, flipped, in other light."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from .._launch import array_beside, empty_like
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Numbers
from ._cases import case, raises, uniform
from ._declare import layer, op
from ._operator import describe, find
from .attention import eager

FLOAT32 = np.dtype(np.float32)
IMAGE = uniform(4, 6, 3, low=0, high=100)


def check_image(op_name, shape, channels=None, several=False):
    """Raise if a shape is not that of an image (height, width, channels), or of several."""
    expected = "shape (height, width, channels)" + (" or (n, height, width, channels)" if several else "")
    if len(shape) != 3 and not (several and len(shape) == 4):
        raise ShapeError(message(op_name, "data", expected, describe(shape)))
    if channels is not None and shape[-1] not in channels:
        expected += f" with {' or '.join(map(str, channels))} channels"
        raise ShapeError(message(op_name, "data", expected, describe(shape)))


def image_shape(op_name, channels=None):
    """A rule for the shape of what keeps the shape of an image."""

    def shape(data):
        check_image(op_name, data, channels)
        return data

    return shape


# --- tensors -------------------------------------------------------------------------------------------
def tensor_reference(x):
    return np.moveaxis(x, -1, -3).astype(np.float64) / 255


def tensor_shape(data):
    check_image("_image_to_tensor", data, several=True)
    return (*data[:-3], data[-1], *data[-3:-1])


@layer(
    kinds="iuf",
    ref=tensor_reference,
    grad_check="the result is float32, too coarse for differences",
    cases=[
        case(IMAGE),
        case(uniform(2, 4, 5, 1, low=0, high=100)),
        case(uniform(0, 4, 5, 3)),
        raises(
            ShapeError,
            uniform(4, 5),
            match="_image_to_tensor(data): expected shape (height, width, channels)",
        ),
    ],
)
class _image_to_tensor:
    """An image (h, w, channels), or several, of 0 to 255 as a float32 tensor (channels, h, w) of 0 to 1."""

    def dtypes(self, data):
        return (data,), (FLOAT32,)

    def infer(self, out, data):
        return (data,), (None if data is None else tensor_shape(data),)

    def forward(self, data, *, out):
        moved = _channels_first.compute([kernels.astype(data, FLOAT32)], {})[0]
        return find("_div_scalar").compute([moved], {"scalar": 255.0}, None if out is None else [out])[0]

    def backward(self, g, data):
        return find("_cast_like")(_channels_last(g) * (1 / 255), data)


@op(
    grad=lambda g: _channels_last(g),
    shape=lambda data: (*data[:-3], data[-1], *data[-3:-1]),
    ref=lambda x: np.moveaxis(x, -1, -3),
    cases=[case(uniform(4, 5, 3)), case(uniform(2, 4, 5, 1))],
)
def _channels_first(data, *, out):
    """Images (..., h, w, channels) as (..., channels, h, w)."""
    axes = (*range(data.ndim - 3), data.ndim - 1, data.ndim - 3, data.ndim - 2)
    return kernels.copy(data._transpose_view(axes), out=out)


@op(
    grad=lambda g: _channels_first(g),
    shape=lambda data: (*data[:-3], *data[-2:], data[-3]),
    ref=lambda x: np.moveaxis(x, -3, -1),
    cases=[case(uniform(3, 4, 5)), case(uniform(2, 1, 4, 5))],
)
def _channels_last(data, *, out):
    """Images (..., channels, h, w) as (..., h, w, channels)."""
    axes = (*range(data.ndim - 3), data.ndim - 2, data.ndim - 1, data.ndim - 3)
    return kernels.copy(data._transpose_view(axes), out=out)


def channel_numbers(op_name, name, values, channels):
    """One number for each channel, from one for all, one for each, or MXNet's default of four."""
    if len(values) == 1 or len(set(values)) == 1:
        return np.full(channels, values[0])
    if len(values) != channels:
        raise ArgumentError(message(op_name, name, f"1 or {channels} numbers", values))
    return np.array(values)


def normalize_shape(data, mean, std):
    if len(data) not in (3, 4) or data[-3] not in (1, 3):
        expected = "shape (1 or 3, height, width), perhaps with the number of tensors before it"
        raise ShapeError(message("_image_normalize", "data", expected, describe(data)))
    for name, values in (("mean", mean), ("std", std)):
        if not values:
            raise ArgumentError(message("_image_normalize", name, "at least one number", values))
        channel_numbers("_image_normalize", name, values, data[-3])
    return data


def normalize_reference(x, mean=(0.0,) * 4, std=(1.0,) * 4):
    mean, std = (channel_numbers("", "", v, x.shape[-3])[:, None, None] for v in (mean, std))
    found = (x - mean) / std
    return found if x.dtype.kind == "f" else found.astype(x.dtype)


@op(
    grad=lambda g, mean, std: _image_normalize(g, mean=(0.0,), std=std),
    kinds="iuf",
    shape=normalize_shape,
    ref=normalize_reference,
    cases=[
        case(uniform(3, 4, 5), mean=(0.5, -0.5, 1.0), std=(1.0, 2.0, 0.5)),
        case(uniform(2, 1, 4, 5), mean=(0.5,), std=(0.25,)),
        case(uniform(3, 2, 2)),
        raises(
            ArgumentError, uniform(3, 2, 2), mean=(1.0, 2.0), match="_image_normalize(mean): expected 1 or 3"
        ),
        raises(
            ShapeError,
            uniform(2, 2, 2),
            match="_image_normalize(data): expected shape (1 or 3, height, width)",
        ),
    ],
)
def _image_normalize(data, *, mean: Numbers = (0.0, 0.0, 0.0, 0.0), std: Numbers = (1.0, 1.0, 1.0, 1.0), out):
    """(data - mean) / std of a tensor (channels, h, w), or of several; a number for all channels or each."""
    wide = np.float64 if data.dtype == np.float64 else FLOAT32
    numbers = [
        array_beside(data, channel_numbers("", "", v, data.shape[-3]).astype(wide)[:, None, None])
        for v in (mean, std)
    ]
    found = eager("broadcast_div", eager("broadcast_sub", kernels.astype(data, wide), numbers[0]), numbers[1])
    return kernels.astype(found, data.dtype) if out is None else kernels.astype(found, data.dtype, out=out)


# --- places --------------------------------------------------------------------------------------------
CROP = "_image_crop"


def cropped_shape(data, x, y, width, height):
    check_image(CROP, data, several=True)
    for name, first, size, extent in (("width", x, width, data[-2]), ("height", y, height, data[-3])):
        start = "x" if name == "width" else "y"
        if first < 0:
            raise ArgumentError(message(CROP, start, "at least 0", first))
        if size < 1 or first + size > extent:
            raise ArgumentError(message(CROP, name, f"1 to {extent - first} from {start} {first} on", size))
    return (*data[:-3], height, width, data[-1])


@layer(
    ref=lambda a, x, y, width, height: a[..., y : y + height, x : x + width, :],
    cases=[
        case(IMAGE, x=1, y=2, width=3, height=2),
        case(uniform(2, 4, 5, 1), x=0, y=0, width=5, height=1),
        raises(
            ArgumentError,
            IMAGE,
            x=-1,
            y=0,
            width=3,
            height=2,
            match=f"{CROP}(x): expected at least 0, got -1",
        ),
        raises(
            ArgumentError,
            IMAGE,
            x=4,
            y=0,
            width=3,
            height=2,
            match=f"{CROP}(width): expected 1 to 2 from x 4",
        ),
        raises(ShapeError, uniform(4, 5), x=0, y=0, width=1, height=1, match=f"{CROP}(data): expected shape"),
    ],
)
class _image_crop:
    """The part of an image (h, w, channels), or of several, from row y and column x on."""

    x: int
    y: int
    width: int
    height: int

    def infer(self, out, data):
        if data is None or None in data:
            return (data,), (None,)
        return (data,), (cropped_shape(data, self.x, self.y, self.width, self.height),)

    def forward(self, data, *, out):
        part = data[..., self.y : self.y + self.height, self.x : self.x + self.width, :]
        return kernels.copy(part, out=out)

    def backward(self, g, data):
        options = {"row": self.y, "column": self.x, "width": self.width, "height": self.height}
        return _image_crop_grad(g, data, **options)


def crop_grad_reference(g, like, row, column, width, height):
    found = np.zeros(like.shape, g.dtype)
    found[..., row : row + height, column : column + width, :] = g
    return found


@op(
    grad=(
        lambda g, row, column, width, height: find("_image_crop")(
            g, x=column, y=row, width=width, height=height
        ),
        None,
    ),
    shape=lambda like: like,
    shape_only=("like", "data"),
    free=("like",),
    dtype=lambda data: data,
    ref=crop_grad_reference,
    cases=[case(uniform(2, 3, 1), uniform(4, 5, 1), row=2, column=1, width=3, height=2)],
)
def _image_crop_grad(data, like, *, row: int, column: int, width: int, height: int, out):
    """data at a row and column of zeros in the shape of `like`."""
    given = kernels.copy(data)
    made = kernels.fill(empty_like(data, like.shape) if out is None else out, 0)
    kernels.copy(given, out=made[..., row : row + height, column : column + width, :])
    return made


@op(
    grad=lambda g: _image_flip_left_right(g),
    shape=image_shape("_image_flip_left_right"),
    ref=lambda x: x[:, ::-1],
    cases=[
        case(IMAGE),
        raises(ShapeError, uniform(4, 5), match="_image_flip_left_right(data): expected shape"),
    ],
)
def _image_flip_left_right(data, *, out):
    """An image (h, w, channels) seen in a mirror."""
    return kernels.flip(data, (1,), out=out)


@op(
    grad=lambda g: _image_flip_top_bottom(g),
    shape=image_shape("_image_flip_top_bottom"),
    ref=lambda x: x[::-1],
    cases=[
        case(IMAGE),
        raises(ShapeError, uniform(4, 5), match="_image_flip_top_bottom(data): expected shape"),
    ],
)
def _image_flip_top_bottom(data, *, out):
    """An image (h, w, channels) upside down."""
    return kernels.flip(data, (0,), out=out)


# --- light ---------------------------------------------------------------------------------------------
# Principal components of the colours of ImageNet, as columns (Krizhevsky et al., 2012).
COMPONENTS = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
) * np.array([55.46, 4.794, 1.148])


def widened(data):
    """An image in a dtype for computations."""
    return kernels.astype(data, np.float64 if data.dtype == np.float64 else FLOAT32)


def narrowed(found, dtype, out):
    """Back in the dtype of the image; integers are cut off at its bounds and at the point."""
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        found = eager("clip", found, a_min=float(limits.min), a_max=float(limits.max))
    return kernels.astype(found, dtype, out=out)


def lit(data, alpha, out):
    """An image with these multiples of the principal components added."""
    if data.shape[-1] == 1:
        return kernels.copy(data, out=out)
    wide = widened(data)
    shift = array_beside(data, (COMPONENTS @ alpha).astype(wide.dtype))
    return narrowed(eager("broadcast_add", wide, shift), data.dtype, out)


def lighting_reference(x, alpha):
    found = x + COMPONENTS @ np.array(alpha)
    if x.dtype.kind == "f":
        return found
    limits = np.iinfo(x.dtype)
    return np.clip(found, limits.min, limits.max).astype(x.dtype)


def lighting_shape(data, alpha):
    check_image("_image_adjust_lighting", data, (1, 3))
    if len(alpha) != 3:
        raise ArgumentError(message("_image_adjust_lighting", "alpha", "three numbers", alpha))
    return data


@op(
    grad=lambda g: g,
    kinds="iuf",
    shape=lighting_shape,
    ref=lighting_reference,
    cases=[
        case(IMAGE, alpha=(0.1, 0.2, -0.3)),
        raises(
            ArgumentError, IMAGE, alpha=(1.0,), match="_image_adjust_lighting(alpha): expected three numbers"
        ),
        raises(
            ShapeError, uniform(4, 5, 2), alpha=(0.1, 0.2, 0.3), match="with 1 or 3 channels, got (4, 5, 2)"
        ),
    ],
)
def _image_adjust_lighting(data, *, alpha: Numbers, out):
    """An image (h, w, 3) with `alpha` times the principal components of colours added."""
    return lit(data, np.array(alpha), out)
