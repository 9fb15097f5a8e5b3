"""Regions that a network proposes, from scores and offsets of anchors."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from .._launch import array_beside
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Numbers
from ._cases import case, given, raises, uniform
from ._declare import layer
from .detection import check_shape, copied


def anchor_boxes(stride, scales, ratios):
    """(kinds, 4): corners of boxes around the first element, all scales of one ratio after the other."""
    found = []
    for ratio in ratios:
        width = np.floor(np.sqrt(np.floor(stride * stride / ratio)) + 0.5)
        height = np.floor(width * ratio + 0.5)
        for scale in scales:
            half = (width * scale - 1) / 2, (height * scale - 1) / 2
            center = (stride - 1) / 2
            found.append([center - half[0], center - half[1], center + half[0], center + half[1]])
    return np.array(found)


# --- reference -----------------------------------------------------------------------------------------
def overlaps_with(box, boxes):
    shared = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]) + 1
    shared = np.maximum(shared, 0).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2] + 1).prod(1)
    return shared / (areas + (box[2:] - box[:2] + 1).prod() - shared)


def proposed(scores, offsets, image, kinds, attrs):
    """(boxes, scores) of one image."""
    count, stride = len(kinds), attrs["feature_stride"]
    height, width = scores.shape[1:]
    shift = np.stack(np.broadcast_arrays(np.arange(width), np.arange(height)[:, None]), -1) * stride
    boxes = (kinds + np.tile(shift, 2)[:, :, None]).reshape(-1, 4)
    moves = offsets.reshape(count, 4, height, width).transpose(2, 3, 0, 1).reshape(-1, 4)
    if attrs["iou_loss"]:
        boxes = boxes + moves
    else:
        extent = boxes[:, 2:] - boxes[:, :2] + 1
        center = boxes[:, :2] + (extent - 1) / 2 + moves[:, :2] * extent
        half = (np.exp(moves[:, 2:]) * extent - 1) / 2
        boxes = np.concatenate([center - half, center + half], 1)
    boxes = np.clip(boxes, 0, np.tile(image[1::-1] - 1, 2))
    score = np.array(scores[count:].transpose(1, 2, 0))
    score[int(image[0] / stride) :], score[:, int(image[1] / stride) :] = -1, -1
    score = score.ravel()
    least = attrs["rpn_min_size"] * image[2]
    small = (boxes[:, 2:] - boxes[:, :2] + 1 < least).any(1)
    boxes[small] += np.array([-1, -1, 1, 1]) * least / 2
    score[small] = -1
    return boxes, score


def proposal_reference(numbered):
    def reference(cls_prob, bbox_pred, im_info, **given_attrs):
        attrs = {
            "rpn_pre_nms_top_n": 6000,
            "rpn_post_nms_top_n": 300,
            "threshold": 0.7,
            "rpn_min_size": 16,
            "scales": (4.0, 8.0, 16.0, 32.0),
            "ratios": (0.5, 1.0, 2.0),
            "feature_stride": 16,
            "output_score": False,
            "iou_loss": False,
        } | given_attrs
        kinds = anchor_boxes(attrs["feature_stride"], attrs["scales"], attrs["ratios"])
        regions, likely = [], []
        for n, image in enumerate(im_info):
            boxes, score = proposed(cls_prob[n], bbox_pred[n], image, kinds, attrs)
            order = np.argsort(-score, kind="stable")
            order = order[: attrs["rpn_pre_nms_top_n"]] if attrs["rpn_pre_nms_top_n"] > 0 else order
            kept: list[int] = []
            for i in order:
                if not kept or (overlaps_with(boxes[i], boxes[kept]) <= attrs["threshold"]).all():
                    kept.append(i)
            rows = [kept[i % len(kept)] for i in range(attrs["rpn_post_nms_top_n"])]
            number = np.full((len(rows), 1), n * numbered)
            regions.append(np.concatenate([number, boxes[rows]], 1))
            likely.append(score[rows][:, None])
        made = np.concatenate(regions), np.concatenate(likely)
        return list(made) if attrs["output_score"] else made[0]

    return reference


# --- operators -----------------------------------------------------------------------------------------
class Proposed:
    """What both operators share."""

    def check(self):
        for name in ("rpn_post_nms_top_n", "feature_stride"):
            if getattr(self, name) < 1:
                raise ArgumentError(message(self.label, name, "at least 1", getattr(self, name)))
        for name in ("scales", "ratios"):
            if not getattr(self, name) or min(getattr(self, name)) <= 0:
                expected = "at least one number above 0"
                raise ArgumentError(message(self.label, name, expected, getattr(self, name)))

    def outputs(self):
        return ("output", "score")

    def visible(self):
        return 2 if self.output_score else 1

    def infer(self, out, cls_prob, bbox_pred, im_info):
        if cls_prob is None or None in cls_prob:
            return (cls_prob, bbox_pred, im_info), (None, None)
        kinds = len(self.scales) * len(self.ratios)
        check_shape(
            self.label, "cls_prob", cls_prob, f"(n, {2 * kinds}, height, width)", None, 2 * kinds, None, None
        )
        n, _, height, width = cls_prob
        if n > 1 and not self.numbered:
            expected = "one image; MultiProposal takes several"
            raise ShapeError(message(self.label, "cls_prob", expected, n))
        rows = n * self.rpn_post_nms_top_n
        return (cls_prob, (n, 4 * kinds, height, width), (n, 3)), ((rows, 5), (rows, 1))

    def forward(self, cls_prob, bbox_pred, im_info, *, out):
        kinds = anchor_boxes(self.feature_stride, self.scales, self.ratios).astype(np.float32)
        made = kernels.propose(
            cls_prob,
            bbox_pred,
            im_info,
            array_beside(cls_prob, kinds),
            self.feature_stride,
            self.rpn_pre_nms_top_n,
            self.rpn_post_nms_top_n,
            self.threshold,
            self.rpn_min_size,
            self.iou_loss,
            self.numbered,
        )
        return copied(made, out)


# Scores that do not depend on how exactly offsets are computed: boxes are far apart, or equal.
SCORES = uniform(1, 24, 2, 3, low=0.05, high=1.0, distinct=True)
MOVES = uniform(1, 48, 2, 3, low=-0.5, high=0.5)
SMALL = {"rpn_post_nms_top_n": 6, "rpn_min_size": 4}
KINDS = {"scales": (2.0, 4.0), "ratios": (0.5, 2.0)}
ROWS = [
    case(SCORES, MOVES, given([[40, 52, 1.0]]), **SMALL),
    case(
        SCORES, MOVES, given([[32, 48, 2.0]]), **SMALL, output_score=True, iou_loss=True, rpn_pre_nms_top_n=20
    ),
    case(
        uniform(1, 8, 3, 2, low=0.05, high=1.0, distinct=True),
        uniform(1, 16, 3, 2, low=-0.5, high=0.5),
        given([[24, 16, 0.5]]),
        **SMALL,
        **KINDS,
        feature_stride=8,
        threshold=0.3,
    ),
]


def error_rows(label):
    return [
        raises(
            ShapeError,
            SCORES,
            uniform(1, 44, 2, 3),
            given([[40, 52, 1.0]]),
            match=f"{label}(bbox_pred): expected shape (1, 48, 2, 3)",
        ),
        raises(
            ShapeError,
            uniform(1, 20, 2, 3),
            MOVES,
            given([[40, 52, 1.0]]),
            match=f"{label}(cls_prob): expected shape (n, 24, height, width)",
        ),
        raises(
            ArgumentError,
            SCORES,
            MOVES,
            given([[40, 52, 1.0]]),
            scales=(),
            match="(scales): expected at least",
        ),
    ]


@layer(
    kinds="f",
    ref=proposal_reference(False),
    cases=[
        *ROWS,
        raises(
            ShapeError,
            uniform(2, 24, 2, 3),
            uniform(2, 48, 2, 3),
            uniform(2, 3),
            match="_contrib_Proposal(cls_prob): expected one image; MultiProposal takes several",
        ),
        *error_rows("_contrib_Proposal"),
    ],
)
class _contrib_Proposal(Proposed):
    """The regions (rpn_post_nms_top_n, 5) that are most likely objects: an image's number and corners.

    cls_prob: (n, 2 kinds, h, w), the second half says how likely a box is an object.  bbox_pred: (n, 4 kinds,
    h, w), how boxes differ from anchors: centre and logarithm of the extents, or corners with `iou_loss`.
    im_info: (n, 3), height, width and scale.  Anchors have the area of `feature_stride` squared times
    `scales` squared and the ratios of height to width `ratios`.  Boxes are clipped; those smaller than
    `rpn_min_size` times scale come last; the `rpn_pre_nms_top_n` best are looked at, and those that overlap a
    better one by more than `threshold` left out.  If there are too few, they repeat.  With `output_score`
    their scores too.  (Ren et al., 2015.)
    """

    label = "_contrib_Proposal"
    numbered = False
    rpn_pre_nms_top_n: int = 6000
    rpn_post_nms_top_n: int = 300
    threshold: float = 0.7
    rpn_min_size: int = 16
    scales: Numbers = (4.0, 8.0, 16.0, 32.0)
    ratios: Numbers = (0.5, 1.0, 2.0)
    feature_stride: int = 16
    output_score: bool = False
    iou_loss: bool = False


@layer(
    kinds="f",
    ref=proposal_reference(True),
    cases=[
        *ROWS,
        case(
            uniform(2, 24, 2, 3, low=0.05, high=1.0, distinct=True),
            uniform(2, 48, 2, 3, low=-0.5, high=0.5),
            given([[40, 52, 1.0], [32, 48, 1.0]]),
            **SMALL,
        ),
        *error_rows("_contrib_MultiProposal"),
    ],
)
class _contrib_MultiProposal(Proposed):
    """`Proposal` of several images, (n * rpn_post_nms_top_n, 5)."""

    label = "_contrib_MultiProposal"
    numbered = True
    rpn_pre_nms_top_n: int = 6000
    rpn_post_nms_top_n: int = 300
    threshold: float = 0.7
    rpn_min_size: int = 16
    scales: Numbers = (4.0, 8.0, 16.0, 32.0)
    ratios: Numbers = (0.5, 1.0, 2.0)
    feature_stride: int = 16
    output_score: bool = False
    iou_loss: bool = False
