"""Diagonals and triangles of matrices, the last two axes of arrays (MXNet's `linalg`)."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from .._launch import array_beside, empty_like
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._cases import Draw, case, given, raises, uniform
from ._declare import op
from ._operator import describe, find
from .shape import SwapAxis

__all__ = [
    "linalg_extractdiag",
    "linalg_extracttrian",
    "linalg_makediag",
    "linalg_maketrian",
    "linalg_sumlogdiag",
]


def definite(*shape: int, seed: int = 0) -> Draw:
    """Symmetric positive definite matrices, far from singular."""
    rng = np.random.default_rng(seed)
    factor = rng.uniform(-1, 1, shape)
    return given(factor @ np.swapaxes(factor, -1, -2) + shape[-1] * np.eye(shape[-1]))


def triangular(*shape: int, lower: bool = True, seed: int = 0) -> Draw:
    """Triangular matrices with a diagonal away from 0."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, shape) + 2 * np.eye(shape[-1])
    return given(np.tril(values) if lower else np.triu(values))


def square(name: str, shape: tuple) -> tuple:
    """The shape, if its last two axes are square matrices."""
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ShapeError(message(name, "A", "square matrices in the last two axes", describe(shape)))
    return shape


def flipped(A):
    return SwapAxis(A, dim1=-2, dim2=-1)


def keep_triangle(x, lower, offset):
    rows, columns = x.shape[-2:]
    return (
        np.tri(rows, columns, offset, dtype=bool) if lower else ~np.tri(rows, columns, offset - 1, dtype=bool)
    )


@op(
    grad=lambda g, lower, offset: _linalg_triangle(g, lower=lower, offset=offset),
    ref=lambda x, lower=True, offset=0: np.where(keep_triangle(x, lower, offset), x, 0),
    kinds="f",
    cases=[case(uniform(3, 3)), case(uniform(2, 3, 4), lower=False, offset=1), case(uniform(0, 2, 2))],
)
def _linalg_triangle(A, *, lower: bool = True, offset: int = 0, out):
    """A with zeros above the diagonal (`lower`) or below it."""
    mask = array_beside(A, keep_triangle(A, lower, offset))
    return kernels.where(mask, A, 0, out=out)


def symmetric_of_lower(A):
    """The symmetric matrix that has the lower triangle of A."""
    return _linalg_triangle(A) + flipped(_linalg_triangle(A, offset=-1))


@op(
    grad=(lambda g, B: _linalg_scale(g, B), lambda g, A: _linalg_inner(g, A)),
    shape=lambda A, B: A,
    free=("B",),
    ref=lambda a, b: a * np.reshape(b, (*a.shape[:-2], 1, 1)),
    kinds="f",
    cases=[
        case(uniform(2, 3), uniform(1)),
        case(uniform(2, 3, 4), uniform(2)),
        case(uniform(0, 2, 2), uniform(0)),
    ],
)
def _linalg_scale(A, B, *, out):
    """Every matrix of A times its number in B."""
    factors = find("Reshape").compute([B], {**find("Reshape").parse_attrs({"shape": (*A.shape[:-2], 1, 1)})})[
        0
    ]
    return find("broadcast_mul").compute([A, factors], {}, None if out is None else [out])[0]


def batch_shape(A):
    return A[:-2]


@op(
    grad=(lambda g, B: _linalg_scale(B, g), lambda g, A: _linalg_scale(A, g)),
    shape=lambda A, B: batch_shape(A),
    ref=lambda a, b: (a * b).sum((-2, -1)),
    kinds="f",
    cases=[case(uniform(2, 3), uniform(2, 3)), case(uniform(2, 3, 4), uniform(2, 3, 4))],
)
def _linalg_inner(A, B, *, out):
    """The sum of the products of the elements of two matrices, for every matrix."""
    product_ = find("broadcast_mul").compute([A, B], {})[0]
    total = find("sum").parse_attrs({"axis": (A.ndim - 2, A.ndim - 1)})
    return find("sum").compute([product_], total, None if out is None else [out])[0]


def diagonal_view(x, offset):
    """The diagonals as a view."""
    rows, columns = x.shape[-2:]
    count = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    row, column = x.strides[-2:]
    start = offset * column if offset >= 0 else -offset * row
    return x._strided(start if count else 0, (*x.shape[:-2], count), (*x.strides[:-2], row + column))


def diagonal_shape(A, offset):
    count = square("_linalg_extractdiag", A)[-1] - abs(offset)
    if count < 1:
        bounds = f"-{A[-1] - 1} to {A[-1] - 1}"
        raise ArgumentError(message("_linalg_extractdiag", "offset", bounds, offset))
    return (*A[:-2], count)


@op(
    name="_linalg_extractdiag",
    grad=lambda g, offset: linalg_makediag(g, offset=offset),
    shape=diagonal_shape,
    ref=lambda a, offset=0: np.diagonal(a, offset, -2, -1),
    cases=[
        case(uniform(3, 3)),
        case(uniform(2, 3, 3), offset=1),
        case(uniform(3, 3), offset=-2),
        raises(
            ArgumentError,
            uniform(2, 2),
            offset=2,
            match="_linalg_extractdiag(offset): expected -1 to 1, got 2",
        ),
        raises(ShapeError, uniform(2, 3), match="_linalg_extractdiag(A): expected square matrices"),
    ],
)
def linalg_extractdiag(A, *, offset: int = 0, out):
    """The diagonal of every matrix; `offset` counts upwards from the main one."""
    return kernels.copy(diagonal_view(A, offset), out=out)


def made_diagonal_shape(A, offset):
    return (*A, A[-1] + abs(offset))[:-2] + (A[-1] + abs(offset),) * 2 if A else A


def makediag_reference(a, offset=0):
    return (
        np.apply_along_axis(np.diag, -1, a, offset)
        if a.size
        else np.zeros(made_diagonal_shape(a.shape, offset))
    )


@op(
    name="_linalg_makediag",
    grad=lambda g, offset: linalg_extractdiag(g, offset=offset),
    shape=made_diagonal_shape,
    ref=makediag_reference,
    cases=[case(uniform(3)), case(uniform(2, 3), offset=-1), case(uniform(2, 2), offset=2)],
)
def linalg_makediag(A, *, offset: int = 0, out):
    """Square matrices with the last axis of A on a diagonal, 0 elsewhere."""
    shape = made_diagonal_shape(A.shape, offset)
    made = kernels.fill(empty_like(A, shape), 0) if out is None else kernels.fill(out, 0)
    kernels.copy(A, out=diagonal_view(made, offset))
    return made


def triangle_places(n, offset, lower):
    """Positions of a triangle in a flat matrix of n rows: above the diagonal for offset > 0.

    A lower triangle is read row by row, an upper one column by column.
    """
    far, near = np.tril_indices(n, -abs(offset))
    is_lower = lower if offset == 0 else offset < 0
    return far * n + near if is_lower else near * n + far


def triangle_count(n, offset):
    m = n - abs(offset)
    return m * (m + 1) // 2


def extracted_shape(A, offset):
    n = square("_linalg_extracttrian", A)[-1]
    if abs(offset) >= n:
        raise ArgumentError(message("_linalg_extracttrian", "offset", f"-{n - 1} to {n - 1}", offset))
    return (*A[:-2], triangle_count(n, offset))


def extracttrian_reference(a, offset=0, lower=True):
    flat = a.reshape(*a.shape[:-2], a.shape[-1] ** 2)
    return flat[..., triangle_places(a.shape[-1], offset, lower)]


@op(
    name="_linalg_extracttrian",
    grad=lambda g, offset, lower: linalg_maketrian(g, offset=offset, lower=lower),
    shape=extracted_shape,
    ref=extracttrian_reference,
    cases=[
        case(uniform(3, 3)),
        case(uniform(2, 3, 3), lower=False),
        case(uniform(2, 3, 3), offset=1),
        case(uniform(3, 3), offset=-1, lower=False),
    ],
)
def linalg_extracttrian(A, *, offset: int = 0, lower: bool = True, out):
    """The elements of a triangle of every matrix as one axis: a lower one by rows, an upper one by columns.

    An `offset` above 0 means the upper triangle from that diagonal on, below 0 the lower one; `lower` chooses
    for 0.
    """
    n = A.shape[-1]
    flat = find("Reshape").compute([A], find("Reshape").parse_attrs({"shape": (*A.shape[:-2], n * n)}))[0]
    places = array_beside(A, triangle_places(n, offset, lower))
    return kernels.take(flat, places, axis=-1, out=out)


def rows_of_triangle(count, offset):
    m = int(((8 * count + 1) ** 0.5 - 1) / 2)
    if m * (m + 1) // 2 != count:
        raise ShapeError(message("_linalg_maketrian", "A", "n (n + 1) / 2 elements in the last axis", count))
    return m + abs(offset)


def made_triangle_shape(A, offset):
    n = rows_of_triangle(A[-1], offset)
    return (*A[:-1], n, n)


def maketrian_reference(a, offset=0, lower=True):
    shape = made_triangle_shape(a.shape, offset)
    flat = np.zeros((*a.shape[:-1], shape[-1] ** 2), a.dtype)
    flat[..., triangle_places(shape[-1], offset, lower)] = a
    return flat.reshape(shape)


@op(
    name="_linalg_maketrian",
    grad=lambda g, offset, lower: linalg_extracttrian(g, offset=offset, lower=lower),
    shape=made_triangle_shape,
    ref=maketrian_reference,
    cases=[
        case(uniform(6)),
        case(uniform(2, 3), lower=False),
        case(uniform(2, 3), offset=1),
        case(uniform(3), offset=-1),
        raises(ShapeError, uniform(4), match="_linalg_maketrian(A): expected n (n + 1) / 2 elements"),
    ],
)
def linalg_maketrian(A, *, offset: int = 0, lower: bool = True, out):
    """Square matrices with the last axis of A as a triangle; the inverse of `extracttrian`."""
    shape = made_triangle_shape(A.shape, offset)
    places = triangle_places(shape[-1], offset, lower)
    sources = np.full(shape[-1] ** 2, A.shape[-1])  # one behind the last: a zero
    sources[places] = np.arange(len(places))
    padded = kernels.fill(empty_like(A, (*A.shape[:-1], A.shape[-1] + 1)), 0)
    kernels.copy(A, out=padded[..., :-1] if A.ndim > 1 else padded[:-1])
    flat = kernels.take(padded, array_beside(A, sources), axis=-1)
    return kernels.copy(flat._reshape_view(shape), out=out)


@op(
    name="_linalg_sumlogdiag",
    grad=lambda g, A: _linalg_scale(linalg_makediag(1 / linalg_extractdiag(A)), g),
    shape=lambda A: square("_linalg_sumlogdiag", A)[:-2],
    ref=lambda a: np.log(np.diagonal(a, 0, -2, -1)).sum(-1),
    kinds="f",
    cases=[case(definite(3, 3)), case(definite(2, 3, 3))],
)
def linalg_sumlogdiag(A, *, out):
    """The sum of the logarithms of the diagonal of every matrix."""
    logarithms = find("log").compute([kernels.copy(diagonal_view(A, 0))], {})[0]
    attrs = find("sum").parse_attrs({"axis": -1})
    return find("sum").compute([logarithms], attrs, None if out is None else [out])[0]
