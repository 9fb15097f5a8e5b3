"""Fourier transforms of lines, and their sketches."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from .._launch import push_numpy
from ..errors import ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, given, raises, uniform
from ._declare import op
from ._operator import describe, find
from .attention import eager
from .detection import check_shape


def check_lines(name, shape, even=False):
    if len(shape) not in (2, 4):
        raise ShapeError(message(name, "data", "2 or 4 dimensions (..., n)", describe(shape)))
    if even and shape[-1] % 2:
        raise ShapeError(message(name, "data", "an even last extent", describe(shape)))


def transformed(x):
    """(..., 2 n): real and imaginary parts of the transform, in turn."""
    found = np.fft.fft(x.astype(np.float64))
    return np.stack([found.real, found.imag], -1).reshape(*x.shape[:-1], 2 * x.shape[-1])


def back_transformed(x):
    """The real part of the unscaled inverse transform of (..., 2 n)."""
    pairs = x.astype(np.float64).reshape(*x.shape[:-1], x.shape[-1] // 2, 2)
    return np.fft.ifft(pairs[..., 0] + 1j * pairs[..., 1]).real * pairs.shape[-2]


def computed(function, data, out, name):
    """What a function of NumPy arrays makes, in the dtype of data."""
    dtype = np.dtype(data.dtype)
    made = push_numpy(lambda x: function(x).astype(dtype), [data], None, name)[0]
    return made if out is None else kernels.copy(made, out=out)


def doubled(data):
    check_lines("_contrib_fft", data)
    return (*data[:-1], 2 * data[-1])


def halved(data):
    check_lines("_contrib_ifft", data, even=True)
    return (*data[:-1], data[-1] // 2)


@op(
    grad=lambda g: _contrib_ifft(g),
    kinds="f",
    shape=doubled,
    ref=lambda x, compute_size=128: transformed(x),
    cases=[
        case(uniform(3, 5)),
        case(uniform(2, 1, 3, 4), compute_size=32),
        raises(
            ShapeError, uniform(3), match="_contrib_fft(data): expected 2 or 4 dimensions (..., n), got (3,)"
        ),
    ],
)
def _contrib_fft(data, *, compute_size: int = 128, out):
    """The Fourier transform of lines (..., n): (..., 2 n), real and imaginary parts in turn."""
    return computed(transformed, data, out, "_contrib_fft")


@op(
    grad=lambda g: _contrib_fft(g),
    kinds="f",
    shape=halved,
    ref=lambda x, compute_size=128: back_transformed(x),
    cases=[
        case(uniform(3, 8)),
        case(uniform(2, 1, 3, 4), compute_size=32),
        raises(
            ShapeError, uniform(3, 5), match="_contrib_ifft(data): expected an even last extent, got (3, 5)"
        ),
    ],
)
def _contrib_ifft(data, *, compute_size: int = 128, out):
    """The real part of n times the inverse Fourier transform of lines (..., 2 n) of pairs: (..., n)."""
    return computed(back_transformed, data, out, "_contrib_ifft")


def sketched_shape(data, h, s, out_dim):
    if len(data) not in (2, 4):
        expected = "2 or 4 dimensions (..., n)"
        raise ShapeError(message("_contrib_count_sketch", "data", expected, describe(data)))
    for name, shape in (("h", h), ("s", s)):
        check_shape("_contrib_count_sketch", name, shape, f"(1, {data[-1]})", 1, data[-1])
    return (*data[:-1], out_dim)


def sketch_reference(x, h, s, out_dim, processing_batch_size=32):
    found = np.zeros((*x.shape[:-1], out_dim))
    np.add.at(found, (..., h[0].astype(int)), x * s[0])
    return found


def sketch_gradient(g, h, s):
    taken = find("take")(g, find("Reshape")(h, shape=(-1,)), axis=-1)
    return find("broadcast_mul")(taken, find("Reshape")(s, shape=(-1,)))


@op(
    grad=(sketch_gradient, None, None),
    kinds="f",
    shape=sketched_shape,
    ref=sketch_reference,
    cases=[
        case(uniform(2, 3), given([[0, 3, 0]], constant=True), given([[1, -1, 1]], constant=True), out_dim=5),
        case(uniform(2, 1, 3, 2), given([[1, 0]], constant=True), given([[-1, 1]], constant=True), out_dim=2),
        raises(
            ShapeError,
            uniform(2, 3),
            given([[0, 1]]),
            given([[1, 1, 1]]),
            out_dim=2,
            match="(h): expected shape (1, 3)",
        ),
    ],
)
def _contrib_count_sketch(data, h, s, *, out_dim: int, processing_batch_size: int = 32, out):
    """Lines (..., n) in `out_dim` sums: element i, times the sign s (1, n), is added to number h (1, n).

    (Charikar et al., 2002.)
    """
    columns = np.dtype(data.dtype)
    places = kernels.one_hot(h._reshape_view((h.size,)), out_dim, 1.0, 0.0, columns)
    signs = eager("broadcast_mul", places, s._reshape_view((s.size, 1)))
    flat = find("Reshape").compute([data], find("Reshape").parse_attrs({"shape": (-1, data.shape[-1])}))[0]
    made = eager("dot", flat, signs)._reshape_view((*data.shape[:-1], out_dim))
    return made if out is None else kernels.copy(made, out=out)
