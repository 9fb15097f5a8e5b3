"""Regions of images whose parts read channels of their own, or are turned."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Shape
from ._cases import case, given, raises, uniform
from ._declare import layer, op
from ._operator import describe
from .regions import axis_weights, check_size, half_away, region_of

POSITIONED, TURNED = "_contrib_PSROIPooling", "_contrib_RROIAlign"


def checked_regions(name, data, rois, width):
    if len(data) != 4:
        expected = "4 dimensions (n, channels, height, width)"
        raise ShapeError(message(name, "data", expected, describe(data)))
    if len(rois) != 2 or rois[1] != width:
        raise ShapeError(message(name, "rois", f"shape (regions, {width})", describe(rois)))


def check_positive(name, **values):
    for key, value in values.items():
        if value < 1:
            raise ArgumentError(message(name, key, "at least 1", value))


def check_channels(name, data, output_dim, group_size):
    needed = output_dim * group_size**2
    if data[1] < needed:
        expected = f"at least {needed} channels, output_dim * group_size²"
        raise ShapeError(message(name, "data", expected, describe(data)))


# --- references ----------------------------------------------------------------------------------------
def group_of(i, j, count, groups):
    return [min(k * groups // count, groups - 1) for k in (i, j)]


def position_weights(shape, roi, count, scale):
    """(rows, columns): (count, extent) shares of the elements of the parts of a region."""
    found = []
    for axis, (low, high) in enumerate(((roi[2], roi[4]), (roi[1], roi[3]))):
        extent = shape[2 + axis]
        start, end = half_away(low) * scale, (half_away(high) + 1) * scale
        part = max(end - start, 0.1) / count
        weights = np.zeros((count, extent))
        for i in range(count):
            first, last = int(np.floor(i * part + start)), int(np.ceil((i + 1) * part + start))
            first, last = min(max(first, 0), extent), min(max(last, 0), extent)
            weights[i, first:last] = 1 / max(last - first, 1)
        found.append(weights)
    return found


def position_reference(x, rois, spatial_scale, output_dim, pooled_size, group_size=0):
    groups = group_size or pooled_size
    y = np.zeros((len(rois), output_dim, pooled_size, pooled_size))
    for n, roi in enumerate(rois):
        image = region_of(x, roi)
        if image is None:
            continue
        rows, columns = position_weights(x.shape, roi, pooled_size, spatial_scale)
        for c, i, j in np.ndindex(*y.shape[1:]):
            gi, gj = group_of(i, j, pooled_size, groups)
            y[n, c, i, j] = rows[i] @ image[(c * groups + gi) * groups + gj] @ columns[j]
    return y


def turned_reference(x, rois, pooled_size, spatial_scale, sampling_ratio=-1):
    y = np.zeros((len(rois), x.shape[1], *pooled_size))
    for n, roi in enumerate(rois):
        image = region_of(x, roi)
        if image is None:
            continue
        center = roi[2] * spatial_scale, roi[1] * spatial_scale
        size = [max(v * spatial_scale, 1) for v in (roi[4], roi[3])]
        part = [s / count for s, count in zip(size, pooled_size, strict=True)]
        samples = [sampling_ratio if sampling_ratio > 0 else int(np.ceil(p)) for p in part]
        cosine, sine = np.cos(np.deg2rad(roi[5])), np.sin(np.deg2rad(roi[5]))
        for i, j, k, m in np.ndindex(*pooled_size, *samples):
            v = -size[0] / 2 + i * part[0] + (k + 0.5) * part[0] / samples[0]
            u = -size[1] / 2 + j * part[1] + (m + 0.5) * part[1] / samples[1]
            place = v * cosine - u * sine + center[0], v * sine + u * cosine + center[1]
            pairs = zip(place, x.shape[2:], strict=True)
            rows, columns = (axis_weights(p - 0.5, p + 0.5, 1, extent, 1, True)[0] for p, extent in pairs)
            y[n, :, i, j] += np.einsum("h,chw,w->c", rows, image, columns) / np.prod(samples)
    return y


def transposed(g, like, function):
    """The products of g with what a linear function makes of every unit array."""
    found = np.zeros(like.shape)
    for at in np.ndindex(*like.shape):
        unit = np.zeros(like.shape)
        unit[at] = 1
        found[at] = np.sum(g * function(unit))
    return found


# --- channels of their own -----------------------------------------------------------------------------
ROIS = given(
    [[0, 0.3, 0.2, 4.4, 3.6], [1, 1, 1, 3, 2], [-1, 0, 0, 2, 2], [0, 3, 3, 1, 1], [1, -2, -3, 9, 9]],
    constant=True,
)
FEATURES = uniform(2, 8, 5, 6)
POOLED = {"spatial_scale": 1.0, "output_dim": 2, "pooled_size": 2}


@layer(
    kinds="f",
    ref=position_reference,
    cases=[
        case(FEATURES, ROIS, **POOLED),
        case(FEATURES, ROIS, spatial_scale=0.5, output_dim=2, pooled_size=3, group_size=2),
        raises(
            ShapeError,
            uniform(2, 7, 5, 6),
            ROIS,
            **POOLED,
            match=f"{POSITIONED}(data): expected at least 8 channels",
        ),
        raises(
            ShapeError,
            FEATURES,
            uniform(2, 4),
            **POOLED,
            match=f"{POSITIONED}(rois): expected shape (regions, 5)",
        ),
        raises(
            ArgumentError,
            FEATURES,
            ROIS,
            spatial_scale=1.0,
            output_dim=0,
            pooled_size=2,
            match=f"{POSITIONED}(output_dim): expected at least 1, got 0",
        ),
    ],
)
class _contrib_PSROIPooling:
    """Means of the parts of regions, each of channels of its own: (regions, output_dim, size, size).

    data: (n, output_dim * group_size², h, w).  rois: (regions, 5), the number of an image (0 comes out for
    one that is not there) and corners, which are rounded, then multiplied by `spatial_scale`.  group_size 0
    stands for `pooled_size`.  (Dai et al., 2016.)
    """

    spatial_scale: float
    output_dim: int
    pooled_size: int
    group_size: int = 0

    def check(self):
        check_positive(POSITIONED, output_dim=self.output_dim, pooled_size=self.pooled_size)
        if self.group_size < 0:
            raise ArgumentError(message(POSITIONED, "group_size", "at least 0", self.group_size))
        self.groups = self.group_size or self.pooled_size

    def infer(self, out, data, rois):
        if data is None or rois is None or None in data or None in rois:
            return (data, rois), (None,)
        checked_regions(POSITIONED, data, rois, 5)
        check_channels(POSITIONED, data, self.output_dim, self.groups)
        return (data, rois), ((rois[0], self.output_dim, self.pooled_size, self.pooled_size),)

    def forward(self, data, rois, *, out):
        size = (self.pooled_size, self.pooled_size)
        return kernels.position_pool(
            data, rois, size, self.spatial_scale, self.groups, self.output_dim, out=out
        )

    def backward(self, g, data, rois):
        names = ("spatial_scale", "output_dim", "pooled_size", "group_size")
        return _position_pool_grad(g, rois, data, **{name: getattr(self, name) for name in names}), None


@op(
    grad=(
        lambda g, rois, spatial_scale, output_dim, pooled_size, group_size: _contrib_PSROIPooling(  # type: ignore[call-arg]
            g,
            rois,
            spatial_scale=spatial_scale,
            output_dim=output_dim,
            pooled_size=pooled_size,
            group_size=group_size,
        ),
        None,
        None,
    ),
    kinds="f",
    shape=lambda like: like,
    shape_only=("like",),
    ref=lambda g, rois, like, **attrs: transposed(g, like, lambda x: position_reference(x, rois, **attrs)),
    cases=[
        case(uniform(5, 1, 2, 2), ROIS, uniform(2, 4, 3, 4), spatial_scale=1.0, output_dim=1, pooled_size=2)
    ],
)
def _position_pool_grad(
    data, rois, like, *, spatial_scale: float, output_dim: int, pooled_size: int, group_size: int = 0, out
):
    """The gradient of PSROIPooling's data, of the shape of `like`, from that of its output (`data`)."""
    groups = group_size or pooled_size
    return kernels.position_pool_grad(data, rois, like.shape, spatial_scale, groups, out=out)


# --- turned regions ------------------------------------------------------------------------------------
TURNED_ROIS = given(
    [[0, 2.5, 2, 4, 2, 30], [1, 3, 2, 2, 3, -75], [-1, 1, 1, 2, 2, 0], [1, 3, 3, 0.5, 0.25, 10]],
    constant=True,
)


@layer(
    kinds="f",
    ref=turned_reference,
    cases=[
        case(uniform(2, 3, 5, 6), TURNED_ROIS, pooled_size=(2, 2), spatial_scale=1.0),
        case(uniform(2, 3, 5, 6), TURNED_ROIS, pooled_size=(3, 1), spatial_scale=0.5, sampling_ratio=2),
        raises(
            ShapeError,
            uniform(2, 3, 5, 6),
            ROIS,
            pooled_size=(2, 2),
            spatial_scale=1.0,
            match=f"{TURNED}(rois): expected shape (regions, 6), got (5, 5)",
        ),
        raises(
            ArgumentError,
            uniform(2, 3, 5, 6),
            TURNED_ROIS,
            pooled_size=(2,),
            spatial_scale=1.0,
            match=f"{TURNED}(pooled_size): expected (height, width)",
        ),
    ],
)
class _contrib_RROIAlign:
    """Means of bilinear samples in the parts of turned regions: (regions, channels, *pooled_size).

    data: (n, channels, h, w).  rois: (regions, 6), the number of an image, the centre x, y, width, height,
    and an angle in degrees.  A part has `sampling_ratio` samples along each axis, or if that is not positive
    as many as it has elements.  (Ma et al., 2018.)
    """

    pooled_size: Shape
    spatial_scale: float
    sampling_ratio: int = -1

    def check(self):
        check_size(TURNED, self.pooled_size)

    def infer(self, out, data, rois):
        if data is None or rois is None or None in data or None in rois:
            return (data, rois), (None,)
        checked_regions(TURNED, data, rois, 6)
        return (data, rois), ((rois[0], data[1], *self.pooled_size),)

    def forward(self, data, rois, *, out):
        options = (self.pooled_size, self.spatial_scale, self.sampling_ratio)
        return kernels.turned_pool(data, rois, *options, out=out)

    def backward(self, g, data, rois):
        return _turned_pool_grad(g, rois, data, **self.__dict__), None


@op(
    grad=(
        lambda g, rois, pooled_size, spatial_scale, sampling_ratio: _contrib_RROIAlign(  # type: ignore[call-arg]
            g, rois, pooled_size=pooled_size, spatial_scale=spatial_scale, sampling_ratio=sampling_ratio
        ),
        None,
        None,
    ),
    kinds="f",
    shape=lambda like: like,
    shape_only=("like",),
    ref=lambda g, rois, like, **attrs: transposed(g, like, lambda x: turned_reference(x, rois, **attrs)),
    cases=[
        case(uniform(4, 2, 2, 2), TURNED_ROIS, uniform(2, 2, 3, 4), pooled_size=(2, 2), spatial_scale=1.0)
    ],
)
def _turned_pool_grad(
    data, rois, like, *, pooled_size: Shape, spatial_scale: float, sampling_ratio: int = -1, out
):
    """The gradient of RROIAlign's data, of the shape of `like`, from that of its output (`data`)."""
    return kernels.turned_pool_grad(data, rois, like.shape, spatial_scale, sampling_ratio, out=out)
