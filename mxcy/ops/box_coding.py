"""Boxes as offsets from anchors, and rows matched with columns."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, given, raises, uniform
from ._declare import ZERO, op
from ._operator import describe
from .boxes import Format, centers
from .detection import check_shape, copied, moved_reference

ENCODE, DECODE, MATCHING = "_contrib_box_encode", "_contrib_box_decode", "_contrib_bipartite_matching"


# --- offsets -------------------------------------------------------------------------------------------
def encode_reference(samples, matches, anchors, refs, means, stds):
    own = centers(anchors)
    found = centers(np.take_along_axis(refs, matches.astype(int)[..., None], 1))
    moved = [(found[..., :2] - own[..., :2]) / own[..., 2:], np.log(found[..., 2:] / own[..., 2:])]
    taken = samples[..., None] > 0.5
    offsets = (np.concatenate(moved, -1) - means) / stds
    return [np.where(taken, offsets, 0), np.broadcast_to(taken, anchors.shape).astype(anchors.dtype)]


def encode_shape(samples, matches, anchors, refs, means, stds):
    check_shape(ENCODE, "samples", samples, "(n, boxes)", None, None)
    check_shape(ENCODE, "matches", matches, describe(samples), *samples)
    check_shape(ENCODE, "anchors", anchors, describe((*samples, 4)), *samples, 4)
    check_shape(ENCODE, "refs", refs, f"({samples[0]}, references, 4)", samples[0], None, 4)
    check_shape(ENCODE, "means", means, "(4,)", 4)
    check_shape(ENCODE, "stds", stds, "(4,)", 4)
    return [anchors, anchors]


BOXES = given(
    [
        [[0.1, 0.1, 0.3, 0.4], [0.2, 0.2, 0.6, 0.5], [0.5, 0.5, 0.9, 1.5]],
        [[0, 0, 2, 1], [0.7, 0.1, 0.9, 0.3], [1, 2, 3, 5]],
    ]
)
REFERENCES = given(
    [[[0.2, 0.1, 0.4, 0.3], [0.3, 0.2, 0.9, 0.6]], [[0.25, 0.5, 0.75, 1], [0.1, 0.2, 1.1, 0.4]]]
)


@op(
    grad=ZERO,
    kinds="f",
    outputs=("output0", "output1"),
    shape=encode_shape,
    ref=encode_reference,
    cases=[
        case(
            given([[1, -1, 1], [0, 1, 1]]),
            given([[0, 1, 1], [1, 0, 1]]),
            BOXES,
            REFERENCES,
            uniform(4),
            uniform(4, low=0.5, high=2.0),
        ),
        raises(
            ShapeError,
            uniform(2, 3),
            uniform(2, 4),
            BOXES,
            REFERENCES,
            uniform(4),
            uniform(4),
            match=f"{ENCODE}(matches): expected shape (2, 3)",
        ),
    ],
)
def _contrib_box_encode(samples, matches, anchors, refs, means, stds, *, out):
    """Offsets (n, boxes, 4) from anchors to the boxes that they match, and a mask; 0 for what is no sample.

    samples: (n, boxes), 1 for those that count.  matches: (n, boxes), rows of refs (n, references, 4).
    Anchors and refs are corners.  Offsets of the centre are in extents of the anchor, those of the extents
    logarithms; then `means` (4,) are subtracted and `stds` (4,) divide.
    """
    return copied(kernels.box_encode(samples, matches, anchors, refs, means, stds), out)


def decode_reference(x, anchors, std0=1.0, std1=1.0, std2=1.0, std3=1.0, clip=-1.0, format="center"):
    own = anchors[0] if format == "corner" else corners_of(anchors[0])
    scaled = x * np.array([std0, std1, std2, std3])
    if clip > 0:
        scaled[..., 2:] = np.minimum(scaled[..., 2:], clip)
    return np.stack([moved_reference(own, rows, np.ones(4)) for rows in scaled])


def corners_of(boxes):
    return np.concatenate([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1)


def decode_shape(data, anchors):
    check_shape(DECODE, "data", data, "(n, boxes, 4)", None, None, 4)
    check_shape(DECODE, "anchors", anchors, f"(1, {data[1]}, 4)", 1, data[1], 4)
    return data


@op(
    grad=ZERO,
    kinds="f",
    shape=decode_shape,
    ref=decode_reference,
    cases=[
        case(uniform(2, 3, 4), uniform(1, 3, 4, low=0.5), std0=0.5, std3=0.25),
        case(
            uniform(1, 3, 4), given([[[0, 0, 1, 2], [1, 1, 2, 2], [0.5, 0, 1, 3]]]), format="corner", clip=0.5
        ),
        raises(
            ShapeError,
            uniform(2, 3, 4),
            uniform(2, 3, 4),
            match=f"{DECODE}(anchors): expected shape (1, 3, 4)",
        ),
    ],
)
def _contrib_box_decode(
    data,
    anchors,
    *,
    std0: float = 1.0,
    std1: float = 1.0,
    std2: float = 1.0,
    std3: float = 1.0,
    clip: float = -1.0,
    format: Format = "center",
    out,
):
    """The corners of boxes that lie by offsets data (n, boxes, 4) from anchors (1, boxes, 4).

    Offsets are those of `box_encode`, without its means; `clip` above 0 bounds the logarithms of extents.
    """
    made = kernels.box_decode(data, anchors, (std0, std1, std2, std3), clip, format == "corner")
    return made if out is None else kernels.copy(made, out=out)


# --- matching ------------------------------------------------------------------------------------------
def matching_reference(x, threshold, is_ascend=False, topk=-1):
    rows, columns = np.full(x.shape[:-1], -1.0), np.full((*x.shape[:-2], x.shape[-1]), -1.0)
    for n in np.ndindex(*x.shape[:-2]):
        count = 0
        for i in np.argsort(x[n].ravel() * (1 if is_ascend else -1), kind="stable"):
            row, column = divmod(i, x.shape[-1])
            if rows[n][row] >= 0 or columns[n][column] >= 0:
                continue
            value = x[n][row, column]
            if not (value < threshold if is_ascend else value > threshold) or 0 < topk < count:
                break
            rows[n][row], columns[n][column] = column, row
            count += 1
    return [rows, columns]


def matching_shape(data):
    if len(data) < 2:
        expected = "at least 2 dimensions (..., rows, columns)"
        raise ShapeError(message(MATCHING, "data", expected, describe(data)))
    return [data[:-1], (*data[:-2], data[-1])]


@op(
    grad=ZERO,
    kinds="f",
    outputs=("output0", "output1"),
    shape=matching_shape,
    ref=matching_reference,
    cases=[
        case(given([[[0.5, 0.6], [0.1, 0.2], [0.3, 0.4]]]), threshold=0.0),
        case(uniform(2, 2, 4, 3, distinct=True), threshold=-0.5, topk=1),
        case(uniform(3, 4, distinct=True), threshold=0.5, is_ascend=True),
        case(uniform(2, 0, 3), threshold=0.0),
        raises(
            ShapeError, uniform(3), threshold=0.0, match=f"{MATCHING}(data): expected at least 2 dimensions"
        ),
    ],
)
def _contrib_bipartite_matching(data, *, is_ascend: bool = False, threshold: float, topk: int = -1, out):
    """Rows matched with columns of scores (..., rows, columns), best pairs first: each at most once.

    Returns the column of every row and the row of every column, -1 for none.  Pairs whose score is not
    above `threshold` (below it with `is_ascend`) stay apart.  As in MXNet `topk` above 0 lets one pair more
    than that many match.
    """
    return copied(kernels.matching(data, is_ascend, threshold, topk), out)
