"""Regions of images whose parts read channels of their own, are displaced, or turned."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Shape
from ._cases import case, given, raises, uniform
from ._declare import layer, op
from ._operator import describe
from .regions import FIRST_ORDER, axis_weights, check_size, half_away, region_of

POSITIONED, DISPLACED = "_contrib_PSROIPooling", "_contrib_DeformablePSROIPooling"
TURNED = "_contrib_RROIAlign"


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


def shares(place, extent):
    """(extent,): what a place reads of the elements of an axis, None outside."""
    if not -0.5 <= place <= extent - 0.5:
        return None
    place = min(max(place, 0), extent - 1)
    found = np.zeros(extent)
    low = int(place)
    found[low] += 1 - (place - low)
    found[min(low + 1, extent - 1)] += place - low
    return found


def displaced_reference(
    x,
    rois,
    trans=None,
    spatial_scale=1.0,
    output_dim=1,
    group_size=1,
    pooled_size=1,
    part_size=0,
    sample_per_part=1,
    trans_std=0.0,
    no_trans=False,
):
    parts = part_size or pooled_size
    classes = 1 if trans is None else trans.shape[1] // 2
    y = np.zeros((len(rois), output_dim, pooled_size, pooled_size))
    for n, roi in enumerate(rois):
        image = region_of(x, roi)
        if image is None:
            continue
        start = [half_away(v) * spatial_scale - 0.5 for v in (roi[2], roi[1])]
        end = [(half_away(v) + 1) * spatial_scale - 0.5 for v in (roi[4], roi[3])]
        size = [max(b - a, 0.1) for a, b in zip(start, end, strict=True)]
        for c, i, j in np.ndindex(*y.shape[1:]):
            gi, gj = group_of(i, j, pooled_size, group_size)
            plane = image[(c * group_size + gi) * group_size + gj]
            first = []
            for axis, k in enumerate((i, j)):
                shift = 0.0
                if trans is not None:
                    at = (i * parts // pooled_size, j * parts // pooled_size)
                    shift = (
                        trans[(n, c // (output_dim // classes) * 2 + 1 - axis, *at)] * trans_std * size[axis]
                    )
                first.append(k * size[axis] / pooled_size + start[axis] + shift)
            step = [s / pooled_size / sample_per_part for s in size]
            rows, columns = (
                [shares(first[d] + k * step[d], plane.shape[d]) for k in range(sample_per_part)]
                for d in range(2)
            )
            read = [r @ plane @ s for r in rows for s in columns if r is not None and s is not None]
            y[n, c, i, j] = np.mean(read) if read else 0
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
    first_order=FIRST_ORDER,
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
        return _position_pool_grad(g, rois, data, spatial_scale=self.spatial_scale, groups=self.groups), None


@op(
    grad=None,
    kinds="f",
    shape=lambda like: like,
    shape_only=("like",),
    ref=lambda g, rois, like, spatial_scale, groups: transposed(
        g, like, lambda x: position_reference(x, rois, spatial_scale, g.shape[1], g.shape[2], groups)
    ),
    grad_check=FIRST_ORDER,
    first_order=FIRST_ORDER,
    cases=[case(uniform(5, 1, 2, 2), ROIS, uniform(2, 4, 3, 4), spatial_scale=1.0, groups=2)],
)
def _position_pool_grad(data, rois, like, *, spatial_scale: float, groups: int, out):
    """The gradient of PSROIPooling's data, of the shape of `like`, from that of its output (`data`)."""
    return kernels.position_pool_grad(data, rois, like.shape, spatial_scale, groups, out=out)


# --- displaced parts -----------------------------------------------------------------------------------
SHIFTED = POOLED | {"group_size": 2, "trans_std": 0.1, "sample_per_part": 2}


@layer(
    kinds="f",
    ref=displaced_reference,
    first_order=FIRST_ORDER,
    cases=[
        case(FEATURES, ROIS, uniform(5, 4, 2, 2), **SHIFTED),
        case(FEATURES, ROIS, uniform(5, 2, 3, 3), **SHIFTED, part_size=3),
        case(FEATURES, ROIS, **SHIFTED, no_trans=True),
        raises(
            ShapeError,
            FEATURES,
            ROIS,
            uniform(5, 3, 2, 2),
            **SHIFTED,
            match=f"{DISPLACED}(trans): expected shape (5, 2 * classes, 2, 2)",
        ),
        raises(
            ArgumentError,
            FEATURES,
            ROIS,
            uniform(5, 2, 2, 2),
            **POOLED,
            group_size=2,
            sample_per_part=0,
            match=f"{DISPLACED}(sample_per_part): expected at least 1, got 0",
        ),
    ],
)
class _contrib_DeformablePSROIPooling:
    """`PSROIPooling` of samples whose parts are displaced: (regions, output_dim, size, size).

    trans: (regions, 2 * classes, part_size, part_size), by how many extents of the region times `trans_std`
    a part lies further to the right and further down, for each of `classes` equal groups of outputs; none
    with `no_trans`.  A part has `sample_per_part` bilinear samples along each axis.  (Dai et al., 2017.)
    """

    spatial_scale: float
    output_dim: int
    group_size: int
    pooled_size: int
    part_size: int = 0
    sample_per_part: int = 1
    trans_std: float = 0.0
    no_trans: bool = False
    visible = 1

    def check(self):
        names = ("output_dim", "group_size", "pooled_size", "sample_per_part")
        check_positive(DISPLACED, **{name: getattr(self, name) for name in names})
        self.parts = self.part_size if self.part_size > 0 else self.pooled_size

    def inputs(self):
        return ("data", "rois") if self.no_trans else ("data", "rois", "trans")

    def outputs(self):
        return ("output", "top_count")

    def infer(self, out, data, rois, trans=None):
        shapes = (data, rois) if self.no_trans else (data, rois, trans)
        if any(shape is None or None in shape for shape in shapes):
            return shapes, (None, None)
        checked_regions(DISPLACED, data, rois, 5)
        check_channels(DISPLACED, data, self.output_dim, self.group_size)
        if not self.no_trans:
            size = (self.parts, self.parts)
            classes = trans[1] // 2 if len(trans) == 4 else 0
            if classes < 1 or trans != (rois[0], 2 * classes, *size) or self.output_dim % classes:
                expected = f"shape ({rois[0]}, 2 * classes, {self.parts}, {self.parts})"
                hint = "the number of classes divides output_dim"
                raise ShapeError(message(DISPLACED, "trans", expected, describe(trans), hint))
        shape = (rois[0], self.output_dim, self.pooled_size, self.pooled_size)
        return shapes, (shape, shape)

    def forward(self, data, rois, trans=None, *, out):
        size = (self.pooled_size, self.pooled_size)
        made = kernels.displaced_pool(
            data,
            rois,
            trans,
            size,
            self.spatial_scale,
            self.sample_per_part,
            self.group_size,
            self.output_dim,
            self.trans_std,
        )
        return [a if to is None else kernels.copy(a, out=to) for a, to in zip(made, out, strict=True)]

    def backward(self, g, data, rois, trans):
        names = ("spatial_scale", "sample_per_part", "group_size", "trans_std", "no_trans")
        given = (data, rois) if trans is None else (data, rois, trans)
        made = _displaced_pool_grad(g, *given, **{name: getattr(self, name) for name in names})
        return (made, None) if trans is None else (made[0], None, made[1])


def displaced_grad_reference(head, x, rois, trans=None, **attrs):
    options = attrs | {"output_dim": head.shape[1], "pooled_size": head.shape[2]}
    if trans is not None:
        options["part_size"] = trans.shape[2]
    found = [transposed(head, x, lambda v: displaced_reference(v, rois, trans, **options))]
    if trans is None:
        return found[0]

    def moved(step):
        return transposed(head, trans, lambda v: displaced_reference(x, rois, trans + step * v, **options))

    return [*found, (moved(1e-4) - moved(-1e-4)) / 2e-4]


@layer(
    kinds="f",
    grad_check=FIRST_ORDER,
    first_order=FIRST_ORDER,
    ref=displaced_grad_reference,
    cases=[
        case(uniform(5, 1, 2, 2), uniform(2, 4, 3, 4), ROIS, spatial_scale=1.0, group_size=2, no_trans=True)
    ],
)
class _displaced_pool_grad:
    """The gradients of DeformablePSROIPooling's data and trans, from that of its output (`head`)."""

    spatial_scale: float
    sample_per_part: int = 1
    group_size: int
    trans_std: float = 0.0
    no_trans: bool = False

    def inputs(self):
        return ("head", "data", "rois") if self.no_trans else ("head", "data", "rois", "trans")

    def outputs(self):
        return ("output",) if self.no_trans else ("output", "g_shifts")

    def infer(self, out, head, data, rois, trans=None):
        shapes = (head, data, rois) if self.no_trans else (head, data, rois, trans)
        return shapes, (data,) if self.no_trans else (data, trans)

    def forward(self, head, data, rois, trans=None, *, out):
        made = kernels.displaced_pool_grad(
            head, data, rois, trans, self.spatial_scale, self.sample_per_part, self.group_size, self.trans_std
        )
        return [a if to is None else kernels.copy(a, out=to) for a, to in zip(made, out, strict=True)]


# --- turned regions ------------------------------------------------------------------------------------
TURNED_ROIS = given(
    [[0, 2.5, 2, 4, 2, 30], [1, 3, 2, 2, 3, -75], [-1, 1, 1, 2, 2, 0], [1, 3, 3, 0.5, 0.25, 10]],
    constant=True,
)


@layer(
    kinds="f",
    ref=turned_reference,
    first_order=FIRST_ORDER,
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
        options = {"spatial_scale": self.spatial_scale, "sampling_ratio": self.sampling_ratio}
        return _turned_pool_grad(g, rois, data, **options), None


@op(
    grad=None,
    kinds="f",
    shape=lambda like: like,
    shape_only=("like",),
    ref=lambda g, rois, like, spatial_scale, sampling_ratio=-1: transposed(
        g, like, lambda x: turned_reference(x, rois, g.shape[2:], spatial_scale, sampling_ratio)
    ),
    grad_check=FIRST_ORDER,
    first_order=FIRST_ORDER,
    cases=[case(uniform(4, 2, 2, 2), TURNED_ROIS, uniform(2, 2, 3, 4), spatial_scale=1.0)],
)
def _turned_pool_grad(data, rois, like, *, spatial_scale: float, sampling_ratio: int = -1, out):
    """The gradient of RROIAlign's data, of the shape of `like`, from that of its output (`data`)."""
    return kernels.turned_pool_grad(data, rois, like.shape, spatial_scale, sampling_ratio, out=out)
