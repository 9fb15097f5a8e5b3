"""Boxes, as detectors find them: overlaps, and suppression of all but the best."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Literal

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, given, raises, uniform
from ._declare import ZERO, layer, op
from ._operator import describe

Format = Literal["corner", "center"]
NMS = "_contrib_box_nms"
FIRST_ORDER = "gradients of suppressed boxes are not differentiated again"


# --- references ----------------------------------------------------------------------------------------
def corners(boxes, form):
    if form == "corner":
        return boxes
    return np.concatenate([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1)


def centers(boxes):
    return np.concatenate([(boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]], -1)


def overlap_reference(lhs, rhs, format="corner"):
    shape = lhs.shape[:-1] + rhs.shape[:-1]
    a, b = corners(lhs.reshape(-1, 1, 4), format), corners(rhs.reshape(1, -1, 4), format)
    shared = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.maximum(shared, 0).prod(-1)
    areas = [np.maximum(x[..., 2:] - x[..., :2], 0).prod(-1) for x in (a, b)]
    whole = areas[0] + areas[1] - shared
    return np.where((shared > 0) & (whole > 0), shared / np.where(whole > 0, whole, 1), 0).reshape(shape)


def kept_reference(rows, attrs):
    """Positions of the rows that are kept, best first."""
    defaults = {"overlap_thresh": 0.5, "valid_thresh": 0.0, "topk": -1, "coord_start": 2, "score_index": 1}
    get = defaults | attrs
    score, ids = rows[:, get["score_index"]], None
    if attrs.get("id_index", -1) >= 0:
        ids = rows[:, attrs["id_index"]].astype(int)
    order = [i for i in np.argsort(-score, kind="stable") if score[i] > get["valid_thresh"]]
    if ids is not None:
        order = [i for i in order if ids[i] != attrs.get("background_id", -1)]
    order = order[: get["topk"]] if get["topk"] > 0 else order
    boxes = rows[:, get["coord_start"] : get["coord_start"] + 4]
    overlaps = overlap_reference(boxes, boxes, attrs.get("in_format", "corner"))
    kept: list[int] = []
    for i in order:
        rivals = [k for k in kept if ids is None or attrs.get("force_suppress") or ids[i] == ids[k]]
        if all(overlaps[k, i] <= get["overlap_thresh"] for k in rivals):
            kept.append(i)
    return kept


def suppressed_reference(x, **attrs):
    made = np.full(x.shape, -1.0)
    if attrs.get("topk", -1) == 0:
        return x
    at = attrs.get("coord_start", 2)
    forms = attrs.get("in_format", "corner"), attrs.get("out_format", "corner")
    for n in np.ndindex(*x.shape[:-2]):
        kept = kept_reference(x[n], attrs)
        rows = np.array(x[n][kept], float)
        if forms[0] != forms[1]:
            boxes = rows[:, at : at + 4]
            rows[:, at : at + 4] = centers(boxes) if forms[1] == "center" else corners(boxes, "center")
        made[n][: len(kept)] = rows
    return made


def moved_back(g, positions):
    found = np.zeros(g.shape)
    for n in np.ndindex(*g.shape[:-2]):
        for i, to in enumerate(positions[n].astype(int)):
            if to >= 0:
                found[n][to] = g[n][i]
    return found


# --- overlaps ------------------------------------------------------------------------------------------
def overlap_shape(lhs, rhs):
    for name, shape in (("lhs", lhs), ("rhs", rhs)):
        if len(shape) < 2 or shape[-1] != 4:
            raise ShapeError(message("_contrib_box_iou", name, "shape (..., boxes, 4)", describe(shape)))
    return (*lhs[:-1], *rhs[:-1])


@op(
    grad=ZERO,
    kinds="f",
    shape=overlap_shape,
    ref=overlap_reference,
    cases=[
        case(given([[0.5, 0.5, 1, 1], [0, 0, 0.5, 0.5]]), given([[0.25, 0.25, 0.75, 0.75], [2, 2, 1, 1]])),
        case(uniform(2, 3, 4, low=0, high=1), uniform(5, 4, low=0, high=1), format="center"),
        case(uniform(0, 4), uniform(5, 4)),
        raises(
            ShapeError,
            uniform(2, 5),
            uniform(2, 4),
            match="_contrib_box_iou(lhs): expected shape (..., boxes, 4), got (2, 5)",
        ),
    ],
)
def _contrib_box_iou(lhs, rhs, *, format: Format = "corner", out):
    """Intersection over union of every box of lhs (..., 4) and of rhs (..., 4): axes of lhs, then of rhs.

    A box is (x1, y1, x2, y2), or with `format="center"` (x, y, width, height).
    """
    return kernels.box_overlap(lhs, rhs, format == "center", out=out)


# --- suppression ---------------------------------------------------------------------------------------
BOXES = given(
    [
        [[0, 0.5, 0.1, 0.1, 0.2, 0.2], [1, 0.4, 0.1, 0.1, 0.2, 0.2], [0, 0.3, 0.1, 0.1, 0.14, 0.14]],
        [[2, 0.6, 0.5, 0.5, 0.7, 0.8], [0, -0.2, 0.5, 0.5, 0.7, 0.8], [1, 0.7, 0.5, 0.4, 0.7, 0.8]],
    ]
)
NAMELESS = given([[0, 0.5, 0.1, 0.1, 0.2, 0.2], [1, 0.4, 0.3, 0.1, 0.4, 0.2], [-1, 0.6, 0.5, 0.5, 0.7, 0.8]])


@layer(
    kinds="f",
    ref=suppressed_reference,
    first_order=FIRST_ORDER,
    grad_check="rows keep their gradient wherever they go, whatever is done to coordinates",
    cases=[
        case(BOXES, overlap_thresh=0.1, id_index=0, force_suppress=True),
        case(BOXES, overlap_thresh=0.1, id_index=0, background_id=1),
        case(NAMELESS, overlap_thresh=0.1, id_index=0),  # the usual background is -1
        case(NAMELESS, overlap_thresh=0.1, id_index=0, background_id=0),
        case(NAMELESS, overlap_thresh=0.1),  # nobody asks for ids
        case(BOXES, overlap_thresh=0.1, topk=2, in_format="center", out_format="corner"),
        case(BOXES, overlap_thresh=0.1, out_format="center"),
        case(BOXES, topk=0),
        raises(
            ArgumentError,
            uniform(3, 5),
            match=f"{NMS}(coord_start): expected 4 coordinates within the 5 elements of a box, got 2",
        ),
        raises(ArgumentError, uniform(3, 6), score_index=6, match=f"{NMS}(score_index): expected 0 to 5"),
        raises(ArgumentError, uniform(3, 6), id_index=2, match=f"{NMS}(id_index): expected an element"),
        raises(ShapeError, uniform(6), match=f"{NMS}(data): expected at least 2 dimensions"),
    ],
)
class _contrib_box_nms:
    """Boxes data (..., boxes, width), best first, without those that overlap a better one; -1 in their place.

    Two boxes that overlap (intersection over union) by more than `overlap_thresh` are rivals if their
    element `id_index` is the same, or with `force_suppress`, or without ids.  Boxes whose score is not above
    `valid_thresh` or whose id is `background_id` are left out, and all but the `topk` best ones.
    """

    overlap_thresh: float = 0.5
    valid_thresh: float = 0.0
    topk: int = -1
    coord_start: int = 2
    score_index: int = 1
    id_index: int = -1
    background_id: int = -1
    force_suppress: bool = False
    in_format: Format = "corner"
    out_format: Format = "corner"
    visible = 1

    def outputs(self):
        return ("output0", "output1")

    def dtypes(self, data):
        return (data,), (data, np.dtype(np.int64))

    def check_width(self, width):
        start, taken = self.coord_start, range(self.coord_start, self.coord_start + 4)
        if start < 0 or start + 4 > width:
            expected = f"4 coordinates within the {width} elements of a box"
            raise ArgumentError(message(NMS, "coord_start", expected, start))
        for name, index in (("score_index", self.score_index), ("id_index", self.id_index)):
            if name == "id_index" and index < 0:
                continue
            if not 0 <= index < width:
                raise ArgumentError(message(NMS, name, f"0 to {width - 1}", index))
            if index in taken:
                raise ArgumentError(message(NMS, name, "an element that is no coordinate", index))

    def infer(self, out, data):
        data = out if data is None else data
        if data is None:
            return (None,), (None, None)
        if len(data) < 2:
            expected = "at least 2 dimensions (..., boxes, width)"
            raise ShapeError(message(NMS, "data", expected, describe(data)))
        if data[-1] is not None:
            self.check_width(data[-1])
        return (data,), (data, data[:-1])

    def forward(self, data, *, out):
        made = kernels.suppress(
            data, self.overlap_thresh, self.valid_thresh, self.topk, self.coord_start, self.score_index,
            self.id_index, self.background_id, self.force_suppress, self.in_format == "center",
            self.out_format == "center",
        )  # fmt: skip
        return [a if to is None else kernels.copy(a, out=to) for a, to in zip(made, out, strict=True)]

    def backward(self, g, output1):
        return _box_nms_grad(g, output1)


@op(
    grad=None,
    kinds="f",
    grad_check=FIRST_ORDER,
    first_order=FIRST_ORDER,
    free=("positions",),
    shape=lambda data: data,
    ref=moved_back,
    cases=[case(uniform(2, 3, 6), given([[2, 0, -1], [1, -1, -1]], "int64"))],
)
def _box_nms_grad(data, positions, *, out):
    """Rows of data moved to `positions`; zeros elsewhere."""
    return kernels.suppress_back(data, positions, out=out)
