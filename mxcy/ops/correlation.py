"""Patches of two images compared."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, raises, uniform
from ._declare import layer, op
from ._operator import describe

FIRST_ORDER = "gradients of compared patches are not differentiated again"


# --- references ----------------------------------------------------------------------------------------
def pairs_of(a, b, kernel_size=1, max_displacement=1, stride1=1, stride2=1, pad_size=0, is_multiply=True):
    """(place of the result, slices of both padded images) of all pairs of patches."""
    radius = max_displacement // stride2
    steps = range(-radius * stride2, radius * stride2 + 1, stride2)
    size = result_size(a.shape, kernel_size, max_displacement, stride1, pad_size)
    for k, (dy, dx) in enumerate((y, x) for y in steps for x in steps):
        for i, j in np.ndindex(*size):
            y, x = i * stride1 + max_displacement, j * stride1 + max_displacement
            first = (slice(None), slice(None), slice(y, y + kernel_size), slice(x, x + kernel_size))
            second = (*first[:2], slice(y + dy, y + dy + kernel_size), slice(x + dx, x + dx + kernel_size))
            yield (slice(None), k, i, j), first, second


def padded(x, pad_size, kernel_size, **rest):
    """Padded, and with room behind for kernels that are read beyond the border."""
    return np.pad(x, [(0, 0), (0, 0), *[(pad_size, pad_size + kernel_size)] * 2])


def correlation_reference(a, b, is_multiply=True, **attrs):
    attrs = {"kernel_size": 1, "max_displacement": 1, "stride1": 1, "stride2": 1, "pad_size": 0} | attrs
    size = result_size(
        a.shape, *[attrs[n] for n in ("kernel_size", "max_displacement", "stride1", "pad_size")]
    )
    y = np.zeros((len(a), (2 * (attrs["max_displacement"] // attrs["stride2"]) + 1) ** 2, *size))
    u, v = padded(a, **attrs), padded(b, **attrs)
    for to, first, second in pairs_of(a, b, **attrs):
        found = u[first] * v[second] if is_multiply else np.abs(u[first] - v[second])
        y[to] = found.mean((1, 2, 3))
    return y


def correlation_grad_reference(g, a, b, is_multiply=True, **attrs):
    attrs = {"kernel_size": 1, "max_displacement": 1, "stride1": 1, "stride2": 1, "pad_size": 0} | attrs
    u, v = padded(a, **attrs), padded(b, **attrs)
    found = np.zeros(u.shape), np.zeros(v.shape)
    count = attrs["kernel_size"] ** 2 * a.shape[1]
    for to, first, second in pairs_of(a, b, **attrs):
        head = g[to][:, None, None, None] / count
        sign = np.where(u[first] >= v[second], 1, -1)
        found[0][first] += head * (v[second] if is_multiply else sign)
        found[1][second] += head * (u[first] if is_multiply else -sign)
    pad = attrs["pad_size"]
    return [x[:, :, pad : pad + a.shape[2], pad : pad + a.shape[3]] for x in found]


# --- operators -----------------------------------------------------------------------------------------
def result_size(shape, kernel_size, max_displacement, stride1, pad_size):
    border = 2 * (max_displacement + (kernel_size - 1) // 2)
    return tuple(-(-(n + 2 * pad_size - border) // stride1) for n in shape[2:])


IMAGES = (uniform(2, 3, 5, 6), uniform(2, 3, 5, 6))
WIDE = {"kernel_size": 3, "max_displacement": 2, "stride1": 2, "stride2": 2, "pad_size": 3}


@layer(
    kinds="f",
    ref=correlation_reference,
    first_order=FIRST_ORDER,
    cases=[
        case(*IMAGES),
        case(*IMAGES, **WIDE),
        case(*IMAGES, max_displacement=3, stride2=2, pad_size=3, is_multiply=False),
        case(uniform(0, 3, 5, 6), uniform(0, 3, 5, 6)),
        raises(
            ArgumentError, *IMAGES, kernel_size=2, match="Correlation(kernel_size): expected an odd number"
        ),
        raises(ArgumentError, *IMAGES, stride2=0, match="Correlation(stride2): expected at least 1, got 0"),
        raises(ShapeError, *IMAGES, max_displacement=9, match="Correlation(max_displacement): expected less"),
        raises(
            ShapeError, uniform(2, 3, 5), uniform(2, 3, 5), match="Correlation(data1): expected 4 dimensions"
        ),
        raises(
            ShapeError,
            IMAGES[0],
            uniform(2, 2, 5, 6),
            match="Correlation(data2): expected shape (2, 3, 5, 6)",
        ),
    ],
)
class Correlation:
    """How patches of data1 (n, c, h, w) agree with displaced ones of data2: (n, displacements, *places).

    Patches have `kernel_size` (odd) elements along both axes and lie `stride1` apart.  Each is compared with
    those at up to `max_displacement` rows and columns from it, in steps of `stride2`: the mean of the
    products of elements, or of distances without `is_multiply`.  Both images have `pad_size` zeros around.
    (Fischer et al., 2015.)
    """

    kernel_size: int = 1
    max_displacement: int = 1
    stride1: int = 1
    stride2: int = 1
    pad_size: int = 0
    is_multiply: bool = True

    def check(self):
        if self.kernel_size < 1 or self.kernel_size % 2 == 0:
            raise ArgumentError(message("Correlation", "kernel_size", "an odd number", self.kernel_size))
        least = {"max_displacement": 0, "stride1": 1, "stride2": 1, "pad_size": 0}
        for name, low in least.items():
            value = getattr(self, name)
            if value < low:
                raise ArgumentError(message("Correlation", name, f"at least {low}", value))

    def written(self):
        return 3

    def infer(self, out, data1, data2):
        data = data2 if data1 is None else data1
        if data is None:
            return (data, data), (None,)
        if len(data) != 4:
            expected = "4 dimensions (n, channels, height, width)"
            raise ShapeError(message("Correlation", "data1", expected, describe(data)))
        if None in data[2:]:
            return (data, data), (None,)
        size = result_size(data, self.kernel_size, self.max_displacement, self.stride1, self.pad_size)
        if min(size) < 1:
            expected = "less: neighbourhood and kernel do not fit into the padded data"
            raise ShapeError(message("Correlation", "max_displacement", expected, self.max_displacement))
        return (data, data), ((data[0], (2 * (self.max_displacement // self.stride2) + 1) ** 2, *size),)

    def options(self):
        """The options of the kernels."""
        steps = self.kernel_size, self.max_displacement, self.stride1, self.stride2
        return (*steps, self.pad_size, self.is_multiply)

    def forward(self, data1, data2, *, out):
        size = result_size(data1.shape, self.kernel_size, self.max_displacement, self.stride1, self.pad_size)
        made = kernels.correlation(data1, data2, size, self.options())
        return made if out is None else kernels.copy(made, out=out)

    def backward(self, g, data1, data2):
        return tuple(_correlation_grad(g, data1, data2, **self.__dict__))


@op(
    grad=None,
    kinds="f",
    outputs=("output", "g_second"),
    shape=lambda first, second: [first, second],
    ref=correlation_grad_reference,
    grad_check=FIRST_ORDER,
    first_order=FIRST_ORDER,
    cases=[
        case(uniform(2, 9, 3, 4), *IMAGES),
        case(uniform(2, 9, 4, 3), uniform(2, 2, 7, 5), uniform(2, 2, 7, 5), is_multiply=False, **WIDE),
    ],
)
def _correlation_grad(
    data,
    first,
    second,
    *,
    kernel_size: int = 1,
    max_displacement: int = 1,
    stride1: int = 1,
    stride2: int = 1,
    pad_size: int = 0,
    is_multiply: bool = True,
    out,
):
    """The gradients of both images of Correlation, from that of its output (`data`)."""
    options = (kernel_size, max_displacement, stride1, stride2, pad_size, is_multiply)
    made = kernels.correlation_grad(data, first, second, options)
    return [a if to is None else kernels.copy(a, out=to) for a, to in zip(made, out, strict=True)]
