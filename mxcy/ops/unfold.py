"""Windows of images as columns of a matrix, and back."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from math import prod

import numpy as np

from ..errors import ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Shape
from ._cases import case, raises, uniform
from ._declare import layer, op
from ._operator import describe, find
from ._window import check_data, convolved, window_of, windows


class Sliding:
    """The window that im2col and col2im share."""

    kernel: Shape
    stride: Shape = ()
    dilate: Shape = ()
    pad: Shape = ()

    def check(self):
        self.window()

    def window(self):
        return window_of(type(self).__name__, self.kernel, self.stride, self.dilate, self.pad, None)

    def attributes(self):
        return {"kernel": self.kernel, "stride": self.stride, "dilate": self.dilate, "pad": self.pad}


def columns_shape(name, window, data):
    check_data(name, window, 1, data)
    places = convolved(name, window, data[2:])
    rows = None if data[1] is None else data[1] * prod(window.kernel)
    return data[0], rows, None if None in places else prod(places)


def columns_reference(x, kernel, stride=(), dilate=(), pad=()):
    ones = (1,) * len(kernel)
    found = windows(x, kernel, stride or ones, dilate or ones, pad or (0,) * len(kernel), 1)
    return found.reshape(len(x), x.shape[1] * prod(kernel), -1)


def folded_reference(x, inner, kernel, **window):
    """By the columns of planes that number their elements."""
    channels = x.shape[1] // prod(kernel)
    numbers = 1 + np.arange(prod(inner), dtype=float).reshape(1, 1, *inner)
    places = np.rint(columns_reference(numbers, kernel, **window)[0]).astype(int)
    y = np.zeros((len(x), channels, prod(inner) + 1), x.dtype)
    for n, c in np.ndindex(len(x), channels):
        np.add.at(y[n, c], places, x[n].reshape(channels, *places.shape)[c])
    return y[..., 1:].reshape(len(x), channels, *inner)


PADDED = {"kernel": (3, 2), "stride": (2, 1), "dilate": (1, 2), "pad": (1, 2)}


@layer(
    kinds="f",
    ref=columns_reference,
    cases=[
        case(uniform(2, 3, 4, 5), kernel=(2, 2)),
        case(uniform(2, 2, 5, 4), **PADDED),
        case(uniform(2, 2, 7), kernel=(3,), stride=(3,), pad=(3,)),
        case(uniform(1, 2, 3, 2, 4), kernel=(2, 1, 2)),
        raises(
            ShapeError,
            uniform(1, 1, 3, 3),
            kernel=(5, 5),
            match="im2col(kernel): expected a kernel that fits into the padded data, 3 along this axis",
        ),
        raises(ShapeError, uniform(3, 3), kernel=(2, 2), match="im2col(data): expected 4 dimensions"),
    ],
)
class im2col(Sliding):
    """The windows of data (n, channels, *spatial) as columns: (n, channels * kernel, windows).

    One to three spatial axes; windows lie as those of a convolution with the same arguments.
    """

    def infer(self, out, data):
        return (data,), (None if data is None else columns_shape("im2col", self.window(), data),)

    def forward(self, data, *, out):
        window = self.window()
        return kernels.unfold(data, window, convolved("im2col", window, data.shape[2:]), out=out)

    def backward(self, g, data):
        return _col2im_like(g, data, **self.attributes())


def image_shape(name, window, data, output_size):
    """The shape of the planes that columns of shape `data` add up to."""
    places = convolved(name, window, output_size)
    expected = (data[0], f"channels * {prod(window.kernel)}", prod(places))
    if len(data) != 3 or data[1] % prod(window.kernel) or data[2] != expected[2]:
        text = f"shape ({expected[0]}, {expected[1]}, {expected[2]})"
        raise ShapeError(message(name, "data", text, describe(data)))
    return (data[0], data[1] // prod(window.kernel), *output_size)


class Sized:
    """The attribute that comes before those of the window."""

    output_size: Shape


@layer(
    kinds="f",
    ref=lambda x, output_size, **window: folded_reference(x, output_size, **window),
    cases=[
        case(uniform(2, 12, 12), kernel=(2, 2), output_size=(4, 5)),
        case(uniform(2, 12, 18), output_size=(5, 4), **PADDED),
        case(uniform(2, 6, 4), kernel=(3,), stride=(3,), pad=(3,), output_size=(7,)),
        raises(
            ShapeError,
            uniform(2, 12, 12),
            kernel=(2, 2),
            output_size=(4, 4),
            match="col2im(data): expected shape (2, channels * 4, 9)",
        ),
        raises(
            ShapeError,
            uniform(2, 12, 12),
            kernel=(2, 2),
            output_size=(4,),
            match="col2im(output_size): expected 2 extents",
        ),
    ],
)
class col2im(Sliding, Sized):
    """Columns (n, channels * kernel, windows) added up to planes (n, channels, *output_size), see im2col."""

    def infer(self, out, data):
        window = self.window()
        if len(self.output_size) != len(self.kernel):
            expected = f"{len(self.kernel)} extents, one for each of kernel {self.kernel}"
            raise ShapeError(message("col2im", "output_size", expected, self.output_size))
        if data is None or None in data:
            return (data,), (None,)
        return (data,), (image_shape("col2im", window, data, self.output_size),)

    def forward(self, data, *, out):
        window = self.window()
        places = convolved("col2im", window, self.output_size)
        return kernels.fold(data, window, self.output_size, places, out=out)

    def backward(self, g):
        return im2col(g, **self.attributes())


@op(
    grad=(lambda g, kernel, stride, dilate, pad: find("im2col")(
        g, kernel=kernel, stride=stride, dilate=dilate, pad=pad), None),
    kinds="f",
    shape=lambda like: like,
    shape_only=("like",),
    ref=lambda x, like, **window: folded_reference(x, like.shape[2:], **window),
    cases=[case(uniform(2, 12, 12), uniform(2, 3, 4, 5), kernel=(2, 2))],
)  # fmt: skip
def _col2im_like(data, like, *, kernel: Shape, stride: Shape = (), dilate: Shape = (), pad: Shape = (), out):
    """col2im to the shape of `like`: the gradient of im2col."""
    window = window_of("im2col", kernel, stride, dilate, pad, None)
    inner = like.shape[2:]
    return kernels.fold(data, window, inner, convolved("im2col", window, inner), out=out)
