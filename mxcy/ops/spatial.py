"""Images sampled at other places: BilinearSampler, GridGenerator and SpatialTransformer."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Literal

import numpy as np

from .._launch import array_beside
from .._matmul import matmul
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Shape
from ._cases import case, raises, uniform
from ._declare import layer, op
from ._operator import describe, find
from .corners import Corners, at_corners, over_corners, second
from .detection import copied
from .slicing import Concat, slice_axis


# --- sampling ------------------------------------------------------------------------------------------
def corners_reference(size, place):
    """[(pixel, weight)] along one axis; pixels outside have weight 0."""
    at = (place + 1) * (size - 1) / 2
    low = int(np.floor(at))
    both = ((low, low + 1 - at), (low + 1, at - low))
    return [(min(max(i, 0), size - 1), w * (0 <= i < size)) for i, w in both]


def sampler_reference(x, grid):
    y = np.zeros((*x.shape[:2], *grid.shape[2:]))
    for n, i, j in np.ndindex(x.shape[0], *grid.shape[2:]):
        for row, a in corners_reference(x.shape[2], grid[n, 1, i, j]):
            for column, b in corners_reference(x.shape[3], grid[n, 0, i, j]):
                y[n, :, i, j] += a * b * x[n, :, row, column]
    return y


def sampler_grad_reference(g, x, grid):
    """By the weights, and by the differences of neighbours."""
    g_x, g_grid = np.zeros(x.shape), np.zeros(grid.shape)
    h, w = x.shape[2:]
    for n, i, j in np.ndindex(x.shape[0], *grid.shape[2:]):
        rows = corners_reference(h, grid[n, 1, i, j])
        columns = corners_reference(w, grid[n, 0, i, j])
        ends = ((grid[n, 1, i, j], h), (grid[n, 0, i, j], w))
        inside = [(np.floor((p + 1) * (size - 1) / 2), size) for p, size in ends]
        ok = [[0 <= low + k < size for k in (0, 1)] for low, size in inside]
        for a, (row, u) in enumerate(rows):
            for b, (column, v) in enumerate(columns):
                g_x[n, :, row, column] += g[n, :, i, j] * u * v
                value = (g[n, :, i, j] * x[n, :, row, column]).sum() * ok[0][a] * ok[1][b]
                g_grid[n, 0, i, j] += value * u * (1 if b else -1) * (w - 1) / 2
                g_grid[n, 1, i, j] += value * v * (1 if a else -1) * (h - 1) / 2
    return [g_x, g_grid]


def sampled_shape(data, grid):
    if len(data) != 4:
        expected = "4 dimensions (n, channels, height, width)"
        raise ShapeError(message("BilinearSampler", "data", expected, describe(data)))
    differ = len(grid) == 4 and None not in (grid[0], data[0]) and grid[0] != data[0]
    if len(grid) != 4 or differ or grid[1] not in (2, None):
        expected = f"({data[0]}, 2, height, width)"
        raise ShapeError(message("BilinearSampler", "grid", expected, describe(grid)))
    return (*data[:2], *grid[2:])


GRID = uniform(2, 2, 2, 3, low=-1.3, high=1.3)


@layer(
    kinds="f",
    ref=sampler_reference,
    cases=[
        case(uniform(2, 3, 4, 5), GRID),
        raises(
            ShapeError,
            uniform(2, 3, 4, 5),
            uniform(2, 3, 2, 2),
            match="BilinearSampler(grid): expected (2, 2, height, width)",
        ),
    ],
)
class BilinearSampler:
    """data (n, channels, h, w) at the points of grid (n, 2, h', w'): x and y from -1 to 1, between pixels by
    bilinear interpolation, 0 outside.
    """

    cudnn_off: bool = False

    def written(self):
        return 2

    def infer(self, out, data, grid):
        known = None not in (data, grid)
        return (data, grid), (sampled_shape(data, grid) if known else None,)

    def forward(self, data, grid, *, out):
        return kernels.bilinear_sample(data, grid, out=out)

    def backward(self, g, data, grid):
        return tuple(_bilinear_grad(g, data, grid))


def sampler_second(g_g_data, g_g_grid, data, x, grid):
    """The gradients of the gradients' head gradient, data and grid."""
    move_x, move_y = (at_corners(slice_axis(g_g_grid, axis=1, begin=k, end=k + 1)) for k in range(2))
    corners = Corners(*_bilinear_corners(grid, x))
    g_head, g_x, by_y, by_x, _ = second(corners, data, x, g_g_data, (move_y, move_x))
    return g_head, g_x, Concat(by_x, by_y, dim=1)


@op(
    grad=sampler_second,
    kinds="f",
    shape=lambda x, grid: [x, grid],
    outputs=("g_data", "g_grid"),
    ref=sampler_grad_reference,
    cases=[case(uniform(2, 3, 2, 3), uniform(2, 3, 4, 5), GRID)],
)
def _bilinear_grad(data, x, grid, *, out):
    """The gradients of BilinearSampler's data x and grid from that of its output (`data`)."""
    return copied(kernels.bilinear_sample_grad(data, x, grid), out)


def sampler_corners_reference(grid, like):
    index, both, slopes = [], [], []
    for d in range(2):
        at = (grid[:, 1 - d] + 1) * (like.shape[2 + d] - 1) / 2
        low = np.floor(at)
        index.append(np.stack([low, low + 1], 1))
        both.append(np.stack([low + 1 - at, at - low], 1))
        half = np.full(at.shape, (like.shape[2 + d] - 1) / 2)
        slopes.append(np.stack([-half, half], 1))
    pairs = [(a[:, None, None, :, None], b[:, None, None, None]) for a, b in (index, both, slopes)]
    row, column = pairs[0]
    inside = (row >= 0) & (row < like.shape[2]) & (column >= 0) & (column < like.shape[3])
    positions = np.where(inside, row * like.shape[3] + column, -1).astype(np.int64)
    return [positions, *pairs[1], *pairs[2]]


def sampler_corners_shape(grid, like):
    sampled_shape(like, grid)
    both = ((2, 2), (2, 1), (1, 2), (2, 1), (1, 2))
    return [(grid[0], 1, 1, *corners, *grid[2:]) for corners in both]


@op(
    grad=(
        lambda g_rows, g_columns, row_slopes, column_slopes: Concat(
            over_corners(g_columns * column_slopes), over_corners(g_rows * row_slopes), dim=1
        ),
        None,
    ),
    kinds="f",
    shape=sampler_corners_shape,
    dtype=lambda grid: [np.int64, grid, grid, grid, grid],
    outputs=Corners._fields,
    shape_only=("like",),
    ref=sampler_corners_reference,
    cases=[case(GRID, uniform(2, 3, 4, 5))],
)
def _bilinear_corners(grid, like, *, out):
    """What BilinearSampler reads of images of the shape of `like`: see `Corners`."""
    return copied(kernels.bilinear_corners(grid, like.shape), out)


# --- grids ---------------------------------------------------------------------------------------------
def places(size):
    """The pixels of an axis from -1 to 1."""
    return -1 + 2 * np.arange(size) / max(size - 1, 1)


def affine_base(target_shape):
    """x, y and 1 of all points: (3, height * width)."""
    y, x = np.meshgrid(*map(places, target_shape), indexing="ij")
    return np.stack([x.ravel(), y.ravel(), np.ones(x.size)])


def of_constant(like, values):
    """An array of constant values with the face, dtype and context of another."""
    return array_beside(like, np.ascontiguousarray(values, dtype=like.dtype))


def folded(x, shape):
    view = x._reshape_view(shape)
    return kernels.copy(x)._reshape_view(shape) if view is None else view


def affine_shape(data, target_shape):
    if len(data) != 2 or data[1] not in (6, None):
        raise ShapeError(message("GridGenerator", "data", "shape (n, 6)", describe(data)))
    return (data[0], 2, *target_shape)


@op(
    grad=lambda g, target_shape: _affine_grid_back(g, target_shape=target_shape),
    shape=affine_shape,
    kinds="f",
    ref=lambda x, target_shape: (x.reshape(-1, 3) @ affine_base(target_shape)).reshape(
        len(x), 2, *target_shape
    ),
    cases=[case(uniform(2, 6), target_shape=(2, 3))],
)
def _affine_grid(data, *, target_shape: Shape, out):
    """The points (x, y, 1) of a grid, times the matrices (n, 2, 3) of data."""
    base = of_constant(data, affine_base(target_shape))
    made = matmul(folded(data, (2 * data.shape[0], 3)), base)
    return kernels.copy(made._reshape_view((data.shape[0], 2, *target_shape)), out=out)


@op(
    grad=lambda g, target_shape: _affine_grid(g, target_shape=target_shape),
    shape=lambda data: (data[0], 6),
    kinds="f",
    ref=lambda g, target_shape: (g.reshape(2 * len(g), -1) @ affine_base(target_shape).T).reshape(-1, 6),
    cases=[case(uniform(2, 2, 2, 3), target_shape=(2, 3))],
)
def _affine_grid_back(data, *, target_shape: Shape, out):
    """The gradient of the matrices from that of the grid."""
    base = of_constant(data, affine_base(target_shape))
    n = data.shape[0]
    made = matmul(folded(data, (2 * n, base.shape[1])), base, False, True)
    return kernels.copy(made._reshape_view((n, 6)), out=out)


def warp_factors(shape):
    """From pixels to the range from -1 to 1: (2, 1, 1)."""
    return np.array([2 / max(n - 1, 1) for n in (shape[3], shape[2])]).reshape(2, 1, 1)


@op(
    grad=lambda g: _warp_scale(g),
    kinds="f",
    ref=lambda x: x * warp_factors(x.shape),
    cases=[uniform(2, 2, 3, 4)],
)
def _warp_scale(data, *, out):
    """Distances in pixels as distances on a grid from -1 to 1."""
    factor = of_constant(data, warp_factors(data.shape))
    return find("broadcast_mul").compute([data, factor], {}, None if out is None else [out])[0]


class Transform:
    """What makers of grids share."""

    def check(self):
        if self.transform_type == "affine" and (len(self.target_shape) != 2 or min(self.target_shape) < 1):
            expected = "(height, width) of at least 1"
            raise ArgumentError(message(type(self).__name__, "target_shape", expected, self.target_shape))


def grid_reference(x, transform_type, target_shape=(0, 0)):
    if transform_type == "affine":
        return (x.reshape(-1, 3) @ affine_base(target_shape)).reshape(len(x), 2, *target_shape)
    base = affine_base(x.shape[2:])[:2].reshape(2, *x.shape[2:])
    return x * warp_factors(x.shape) + base


@layer(
    kinds="f",
    ref=grid_reference,
    cases=[
        case(uniform(2, 6), transform_type="affine", target_shape=(2, 3)),
        case(uniform(2, 2, 3, 4), transform_type="warp"),
        raises(
            ShapeError,
            uniform(2, 5),
            transform_type="affine",
            target_shape=(2, 3),
            match="GridGenerator(data): expected shape (n, 6), got (2, 5)",
        ),
        raises(
            ArgumentError,
            uniform(2, 6),
            transform_type="affine",
            match="GridGenerator(target_shape): expected (height, width)",
        ),
    ],
)
class GridGenerator(Transform):
    """The points at which BilinearSampler samples, (n, 2, height, width), x and y from -1 to 1.

    `affine`: data (n, 6) holds matrices that map (x, y, 1).  `warp`: data (n, 2, height, width) says by how
    many pixels each point moves.
    """

    transform_type: Literal["affine", "warp"]
    target_shape: Shape = (0, 0)

    def written(self):
        return 2

    def infer(self, out, data):
        if self.transform_type == "affine":
            return (data,), (None if data is None else affine_shape(data, self.target_shape),)
        data = out if data is None else data
        if data is not None and (len(data) != 4 or data[1] not in (2, None)):
            raise ShapeError(message("GridGenerator", "data", "shape (n, 2, height, width)", describe(data)))
        return (data,), (data,)

    def forward(self, data, *, out):
        if self.transform_type == "affine":
            return _affine_grid.function(data, target_shape=self.target_shape, out=out)
        base = of_constant(data, affine_base(data.shape[2:])[:2].reshape(2, *data.shape[2:]))
        outs = None if out is None else [out]
        return find("broadcast_add").compute([*_warp_scale.compute([data], {}), base], {}, outs)[0]

    def backward(self, g):
        if self.transform_type == "affine":
            return _affine_grid_back(g, target_shape=self.target_shape)
        return _warp_scale(g)


def transformer_reference(x, loc, target_shape, **rest):
    return sampler_reference(x, grid_reference(loc, "affine", target_shape))


@layer(
    kinds="f",
    ref=transformer_reference,
    cases=[
        case(
            uniform(2, 3, 4, 5),
            uniform(2, 6, low=-0.7, high=0.7),
            target_shape=(2, 3),
            transform_type="affine",
            sampler_type="bilinear",
        ),
        raises(
            ShapeError,
            uniform(2, 3, 4, 5),
            uniform(2, 5),
            target_shape=(2, 3),
            transform_type="affine",
            sampler_type="bilinear",
            match="SpatialTransformer(loc): expected shape (2, 6)",
        ),
    ],
)
class SpatialTransformer(Transform):
    """data (n, channels, h, w) sampled at the grid (n, 2, *target_shape) of the affine maps loc (n, 6).

    (Jaderberg et al., 2015.)
    """

    target_shape: Shape = (0, 0)
    transform_type: Literal["affine"]
    sampler_type: Literal["bilinear"]
    cudnn_off: bool = False

    def written(self):
        return 3

    def infer(self, out, data, loc):
        if data is None:
            return (data, loc), (None,)
        if len(data) != 4:
            expected = "4 dimensions (n, channels, height, width)"
            raise ShapeError(message("SpatialTransformer", "data", expected, describe(data)))
        return (data, (data[0], 6)), ((*data[:2], *self.target_shape),)

    def forward(self, data, loc, *, out):
        grid = _affine_grid.function(loc, target_shape=self.target_shape, out=None)
        return kernels.bilinear_sample(data, grid, out=out)

    def backward(self, g, data, loc):
        grid = _affine_grid(loc, target_shape=self.target_shape)
        g_data, g_grid = _bilinear_grad(g, data, grid)
        return g_data, _affine_grid_back(g_grid, target_shape=self.target_shape)
