"""Sums of what lies at the corners around places, from which samplers are made.

What a sampler reads at a place is the sum over a few elements of data times weights, the products of one
for the row and one for the column, which change along straight lines between elements.  With a head gradient,
the sum over all places and corners of head * weight * data is linear in each of the three.  The operators
here are its three derivatives, whose own derivatives are they again: so gradients of samplers, which have
kernels of their own, are differentiated by these, any number of times.

Positions and weights are of shape (n, groups, samples, rows, columns, *places); the channels of data (n,
channels, ...) are split into the groups.  A position outside of a plane stands for nothing.
"""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Any, NamedTuple

import numpy as np

from ..errors import ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, integers, raises, uniform
from ._declare import op
from ._operator import describe
from .arithmetic import broadcast_mul
from .reduction import sum as total
from .shape import expand_dims


# --- references ----------------------------------------------------------------------------------------
def parts_of(index, planes, places):
    """(positions (n, groups, 1, corners * places), which are inside, planes and places with groups apart)."""
    n, groups = index.shape[:2]
    flat = index.reshape(n, groups, 1, -1)
    split = None if planes is None else planes.reshape(n, groups, planes.shape[1] // groups, -1)
    apart = None if places is None else places.reshape(n, groups, places.shape[1] // groups, 1, -1)
    return flat, split, apart


def gather_reference(data, index, weight):
    flat, planes, _ = parts_of(index, data, None)
    inside = (flat >= 0) & (flat < planes.shape[-1])
    read = np.take_along_axis(planes, np.where(inside, flat, 0), -1) * inside * weight.reshape(flat.shape)
    corners = int(np.prod(index.shape[2:5]))
    summed = read.reshape(*read.shape[:3], corners, -1).sum(3)
    return summed.reshape(*data.shape[:2], *index.shape[5:])


def products_reference(data, x, index):
    flat, planes, places = parts_of(index, x, data)
    inside = (flat >= 0) & (flat < planes.shape[-1])
    read = np.take_along_axis(planes, np.where(inside, flat, 0), -1) * inside
    corners = int(np.prod(index.shape[2:5]))
    return (read.reshape(*read.shape[:3], corners, -1) * places).sum(2).reshape(index.shape)


def scatter_reference(data, index, weight, like):
    made = np.zeros((*like.shape[:2], int(np.prod(like.shape[2:]))))
    n, groups = index.shape[:2]
    channels = like.shape[1] // groups
    flat, factors = index.reshape(n, groups, -1), weight.reshape(n, groups, -1)
    heads = data.reshape(*like.shape[:2], -1)
    for i, c, k in np.ndindex(n, like.shape[1], flat.shape[-1]):
        at = flat[i, c // channels, k]
        if 0 <= at < made.shape[-1]:
            made[i, c, at] += factors[i, c // channels, k] * heads[i, c, k % heads.shape[-1]]
    return made.reshape(like.shape)


# --- operators -----------------------------------------------------------------------------------------
def checked(name, planes, index, places=None):
    """Raise if channels do not divide into the groups of positions, or places are not those of positions."""
    if len(index) < 5:
        expected = "shape (n, groups, samples, rows, columns, *places)"
        raise ShapeError(message(name, "index", expected, describe(index)))
    if len(planes) < 3 or planes[0] != index[0] or planes[1] % max(index[1], 1):
        expected = f"shape ({index[0]}, channels, ...) with channels in {index[1]} groups"
        raise ShapeError(message(name, "data", expected, describe(planes)))
    if places is not None and places != (*planes[:2], *index[5:]):
        raise ShapeError(message(name, "data", describe((*planes[:2], *index[5:])), describe(places)))


def check_weight(name, index, weight):
    if index != weight:
        raise ShapeError(message(name, "weight", f"shape {describe(index)}", describe(weight)))


def gathered_shape(data, index, weight):
    checked("_gather_corners", data, index)
    check_weight("_gather_corners", index, weight)
    return (*data[:2], *index[5:])


def scattered_shape(data, index, weight, like):
    checked("_scatter_corners", like, index, data)
    check_weight("_scatter_corners", index, weight)
    return like


def products_shape(data, x, index):
    checked("_corner_products", x, index, data)
    return index


INDEX = integers(2, 2, 1, 2, 2, 3, low=-1, high=6, dtype="int64")
WEIGHT = uniform(2, 2, 1, 2, 2, 3)


@op(
    grad=(
        lambda g, index, weight, data: _scatter_corners(g, index, weight, data),
        None,
        lambda g, index, data: _corner_products(g, data, index),
    ),
    kinds="f",
    free=("index",),
    shape=gathered_shape,
    ref=gather_reference,
    cases=[
        case(uniform(2, 4, 2, 3), INDEX, WEIGHT),
        case(uniform(1, 1, 4), integers(1, 1, 3, 2, 2, high=4, dtype="int64"), uniform(1, 1, 3, 2, 2)),
        raises(
            ShapeError,
            uniform(2, 3, 2, 3),
            INDEX,
            WEIGHT,
            match="_gather_corners(data): expected shape (2, channels, ...) with channels in 2 groups",
        ),
    ],
)
def _gather_corners(data, index, weight, *, out):
    """Sums of elements of the planes of data (n, channels, ...) times weights: (n, channels, *places)."""
    made = kernels.gather_corners(data, index, weight)
    return made if out is None else kernels.copy(made, out=out)


@op(
    grad=(
        lambda g, index, weight: _gather_corners(g, index, weight),
        None,
        lambda g, data, index: _corner_products(data, g, index),
        None,
    ),
    kinds="f",
    free=("index",),
    shape=scattered_shape,
    shape_only=("like",),
    ref=scatter_reference,
    cases=[case(uniform(2, 4, 3), INDEX, WEIGHT, uniform(2, 4, 2, 3))],
)
def _scatter_corners(data, index, weight, like, *, out):
    """What `_gather_corners` makes of planes of the shape of `like`, transposed: data (n, channels, *places)
    times weights, added up at the positions.
    """
    made = kernels.scatter_corners(data, index, weight, like.shape)
    return made if out is None else kernels.copy(made, out=out)


@op(
    grad=(
        lambda g, x, index: _gather_corners(x, index, g),
        lambda g, data, index, x: _scatter_corners(data, index, g, x),
        None,
    ),
    kinds="f",
    free=("index",),
    shape=products_shape,
    ref=products_reference,
    cases=[case(uniform(2, 4, 3), uniform(2, 4, 2, 3), INDEX)],
)
def _corner_products(data, x, index, *, out):
    """Sums over the channels of each group of data (n, channels, *places) times what `_gather_corners` reads
    of x for it, without weights: of the shape of the positions.
    """
    made = kernels.corner_products(data, x, index)
    return made if out is None else kernels.copy(made, out=out)


# --- gradients of gradients of samplers ------------------------------------------------------------------
class Corners(NamedTuple):
    """What a sampler reads: positions, weights of rows and of columns, and their slopes."""

    index: Any
    rows: Any
    columns: Any
    row_slopes: Any
    column_slopes: Any


def over_corners(x):
    return total(x, axis=(2, 3, 4))


def at_corners(x):
    """(n, groups, *places) with axes for samples, rows and columns."""
    return expand_dims(expand_dims(expand_dims(x, axis=2), axis=2), axis=2)


def second(corners, head, data, g_data, moves, mask=None, g_mask=None):
    """The gradients of a sampler's gradients: those of (head, data, rows' places, columns' places, mask).

    head, data: what the gradients were computed from.  g_data, moves (of rows' and of columns' places),
    g_mask: the gradients of these gradients; moves and masks are (n, groups, 1, 1, 1, *places).
    """
    index, rows, columns, row_slopes, column_slopes = corners
    times = broadcast_mul
    moved_rows, moved_columns = times(row_slopes, moves[0]), times(column_slopes, moves[1])
    weights = times(rows, columns)
    moved = times(moved_rows, columns) + times(rows, moved_columns)
    masked, masked_moved = weights, moved
    if mask is not None:
        masked, masked_moved = times(weights, mask), times(moved, mask) + times(weights, g_mask)
    by_head = _gather_corners(g_data, index, masked) + _gather_corners(data, index, masked_moved)
    by_data = _scatter_corners(head, index, masked_moved, data)
    # Of the sum of first * masked + other * masked_moved, what the places and the mask change.
    first, other = _corner_products(head, g_data, index), _corner_products(head, data, index)
    by_mask = None
    if mask is not None:
        by_mask = over_corners(first * weights + other * moved)
        first, other = times(first, mask) + times(other, g_mask), times(other, mask)
    by_rows = times(first, columns) + times(other, moved_columns)
    by_columns = times(first, rows) + times(other, moved_rows)
    places = over_corners(times(by_rows, row_slopes)), over_corners(times(by_columns, column_slopes))
    return by_head, by_data, *places, by_mask
