"""Regions of images whose parts read channels of their own and are displaced: DeformablePSROIPooling."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, raises, uniform
from ._declare import layer, op
from ._operator import describe
from .corners import Corners, _gather_corners, _scatter_corners, at_corners, over_corners, second
from .detection import copied
from .positioned import (
    FEATURES,
    POOLED,
    ROIS,
    check_channels,
    check_positive,
    checked_regions,
    group_of,
    transposed,
)
from .regions import half_away, region_of
from .shape import Reshape, expand_dims, reshape_like

DISPLACED = "_contrib_DeformablePSROIPooling"


# --- references ----------------------------------------------------------------------------------------
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


# --- operators -----------------------------------------------------------------------------------------
SHIFTED = POOLED | {"group_size": 2, "trans_std": 0.1, "sample_per_part": 2}


@layer(
    kinds="f",
    ref=displaced_reference,
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
        given = (data, rois) if trans is None else (data, rois, trans)
        names = _displaced_pool_grad.attributes
        made = _displaced_pool_grad(g, *given, **{name: getattr(self, name) for name in names})
        return (made, None) if trans is None else (made[0], None, made[1])


def displaced_grad_reference(head, x, rois, trans=None, **attrs):
    found = [transposed(head, x, lambda v: displaced_reference(v, rois, trans, **attrs))]
    if trans is None:
        return found[0]

    def moved(step):
        return transposed(head, trans, lambda v: displaced_reference(x, rois, trans + step * v, **attrs))

    return [*found, (moved(1e-4) - moved(-1e-4)) / 2e-4]


SMALL = {"spatial_scale": 1.0, "output_dim": 1, "group_size": 2, "pooled_size": 2}
SAMPLED = SMALL | {"sample_per_part": 2, "trans_std": 0.1}


@layer(
    kinds="f",
    ref=displaced_grad_reference,
    cases=[
        case(uniform(5, 1, 2, 2), uniform(2, 4, 3, 4), ROIS, **SMALL, no_trans=True),
        case(uniform(5, 1, 2, 2), uniform(2, 4, 3, 4), ROIS, uniform(5, 2, 2, 2), **SAMPLED),
    ],
)
class _displaced_pool_grad:
    """The gradients of DeformablePSROIPooling's data and trans, from that of its output (`head`)."""

    spatial_scale: float
    output_dim: int
    group_size: int
    pooled_size: int
    part_size: int = 0
    sample_per_part: int = 1
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
        return copied(made, out)

    def backward(self, g_outputs, head, data, rois, trans):
        if trans is None:
            return _contrib_DeformablePSROIPooling(g_outputs[0], rois, **self.__dict__), None, None
        names = _displaced_pool_corners.attributes
        made = _displaced_pool_corners(trans, rois, data, **{name: getattr(self, name) for name in names})
        corners, (row_at, column_at, row_reach, column_reach) = Corners(*made[:5]), made[5:]
        plane = in_line(g_outputs[1])
        pairs = (row_at, row_reach), (column_at, column_reach)
        moves = [at_corners(_gather_corners(plane, *pair)) for pair in pairs]
        heads = expand_dims(expand_dims(head, axis=0), axis=0)
        by_head, by_data, by_rows, by_columns, _ = second(
            corners, heads, in_line(data), in_line(g_outputs[0]), moves
        )
        by_trans = displacements(by_rows, by_columns, made[5:], trans)
        return reshape_like(by_head, head), reshape_like(by_data, data), None, by_trans


def in_line(x):
    """All elements as one plane."""
    return Reshape(x, shape=(1, 1, -1))


def displacements(by_rows, by_columns, moved_by, trans):
    """The gradient of `trans` from those of where all parts lie."""
    row_at, column_at, row_reach, column_reach = moved_by
    plane = in_line(trans)
    moved = _scatter_corners(by_rows, row_at, row_reach, plane)
    return reshape_like(moved + _scatter_corners(by_columns, column_at, column_reach, plane), trans)


def pool_corners_reference(
    trans, rois, like, spatial_scale, output_dim, group_size, pooled_size, sample_per_part, trans_std
):
    size, samples = like.shape[2:], sample_per_part**2
    places, parts = (len(rois), output_dim, pooled_size, pooled_size), trans.shape[2]
    index = np.full((samples, 2, 2, *places), -1)
    made = [np.zeros((samples, 2, *places)) for _ in range(4)]
    at, reach = np.zeros((2, *places), np.int64), np.zeros((2, *places))
    numbers = np.arange(trans.size).reshape(trans.shape)
    for n, roi in enumerate(rois):
        start = [half_away(v) * spatial_scale - 0.5 for v in (roi[2], roi[1])]
        end = [(half_away(v) + 1) * spatial_scale - 0.5 for v in (roi[4], roi[3])]
        extent = [max(b - a, 0.1) for a, b in zip(start, end, strict=True)]
        for c, i, j in np.ndindex(*places[1:]):
            own, to, ends = (i * parts // pooled_size, j * parts // pooled_size), (n, c, i, j), []
            for d, k in enumerate((i, j)):
                kind = c // (output_dim // (trans.shape[1] // 2)) * 2 + 1 - d
                at[(d, *to)], reach[(d, *to)] = numbers[(n, kind, *own)], trans_std * extent[d]
                first = k * extent[d] / pooled_size + start[d] + trans[(n, kind, *own)] * reach[(d, *to)]
                step = extent[d] / pooled_size / sample_per_part
                ends.append([axis_corners(first + m * step, size[d]) for m in range(sample_per_part)])
            pairs = [(row, column) for row in ends[0] for column in ends[1]]
            share = 1 / max(sum(None not in pair for pair in pairs), 1)
            if region_of(like, roi) is None:
                continue
            gi, gj = group_of(i, j, pooled_size, group_size)
            plane = int(roi[0]) * like.shape[1] + (c * group_size + gi) * group_size + gj
            for s, (row, column) in enumerate(pairs):
                if row is not None and column is not None:
                    index[(s, ..., *to)] = plane * size[0] * size[1] + row[0][:, None] * size[1] + column[0]
                    for k, values in enumerate((row[1] * share, column[1], row[2] * share, column[2])):
                        made[k][(s, slice(None), *to)] = values
    rows, columns, row_slopes, column_slopes = made
    result = [index, rows[:, :, None], columns[:, None], row_slopes[:, :, None], column_slopes[:, None]]
    result += [x[None, None, None] for x in (*at, *reach)]
    return [x[None, None] for x in result]


def axis_corners(place, extent):
    """(two elements, weights, slopes) around a place, None outside."""
    if not -0.5 <= place <= extent - 0.5:
        return None
    inside, place = 0 <= place <= extent - 1, min(max(place, 0), extent - 1)
    ends = np.array([np.floor(place), np.ceil(place)], int)
    slopes = np.array([-1, 1]) * (inside and ends[1] > ends[0])
    return ends, np.array([1 - (place - ends[0]), place - ends[0]]), slopes


def pool_corners_shape(rois, output_dim, pooled_size, sample_per_part):
    both = ((2, 2), (2, 1), (1, 2), (2, 1), (1, 2), *[(1, 1)] * 4)
    places = (rois[0], output_dim, pooled_size, pooled_size)
    counts = [sample_per_part**2] * 5 + [1] * 4
    return [(1, 1, count, *corners, *places) for count, corners in zip(counts, both, strict=True)]


def corners_grad(
    g_rows, g_columns, row_slopes, column_slopes, row_at, column_at, row_reach, column_reach, trans
):
    by_places = over_corners(g_rows * row_slopes), over_corners(g_columns * column_slopes)
    return displacements(*by_places, (row_at, column_at, row_reach, column_reach), trans)


@op(
    grad=(corners_grad, None, None),
    kinds="f",
    shape=pool_corners_shape,
    dtype=lambda trans: [np.int64, *[trans] * 4, np.int64, np.int64, trans, trans],
    outputs=(*Corners._fields, "row_at", "column_at", "row_reach", "column_reach"),
    shape_only=("like",),
    ref=pool_corners_reference,
    cases=[case(uniform(5, 2, 2, 2), ROIS, uniform(2, 4, 3, 4), **SAMPLED)],
)
def _displaced_pool_corners(
    trans, rois, like, *,
    spatial_scale: float, output_dim: int, group_size: int, pooled_size: int, sample_per_part: int,
    trans_std: float, out,
):  # fmt: skip
    """What DeformablePSROIPooling reads of data of the shape of `like`, whose elements are one plane: see
    `Corners`; and which elements of trans move the places of rows and of columns, by what times these.
    """
    options = (spatial_scale, sample_per_part, group_size, output_dim, trans_std)
    made = kernels.displaced_pool_corners(trans, rois, like.shape, (pooled_size, pooled_size), *options)
    return copied(made, out)
