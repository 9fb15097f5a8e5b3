"""Single-shot detectors: what anchors should predict, and the boxes that they do predict."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Numbers
from ._cases import case, given, raises, uniform
from ._declare import ZERO, op
from ._operator import describe
from .boxes import centers, overlap_reference

TARGET, DETECTION = "_contrib_MultiBoxTarget", "_contrib_MultiBoxDetection"
VARIANCES = (0.1, 0.1, 0.2, 0.2)


def copied(made, out):
    """Results as they are, or in the arrays that were given for them."""
    return [a if to is None else kernels.copy(a, out=to) for a, to in zip(made, out, strict=True)]


def check_shape(op_name, name, shape, expected, *sizes):
    """Raise if a shape is not of these extents (None: any)."""
    if len(shape) != len(sizes) or any(n not in (None, m) for n, m in zip(sizes, shape, strict=True)):
        raise ShapeError(message(op_name, name, f"shape {expected}", describe(shape)))


def check_variances(op_name, variances):
    if len(variances) != 4:
        raise ArgumentError(message(op_name, "variances", "four numbers", variances))


# --- targets -------------------------------------------------------------------------------------------
def matched(overlaps, threshold):
    """For every anchor the truth that it has to find, -1 for none, and its overlap with the best one."""
    match = np.full(len(overlaps), -1)
    left = np.array(overlaps)
    for _ in range(overlaps.shape[1]):
        anchor, truth = np.unravel_index(np.argmax(left), left.shape)
        if left[anchor, truth] <= 1e-6:
            break
        match[anchor] = truth
        left[anchor], left[:, truth] = -1, -1
    best = overlaps.max(1)
    others = (match < 0) & (best > threshold) & (threshold > 0)
    return np.where(others, overlaps.argmax(1), match), best


def mined(predictions, positive, best, ratio, threshold):
    """The anchors that count as negatives: those that look least like background."""
    odds = np.exp(predictions - predictions.max(0))
    background = odds[0] / odds.sum(0)
    order = [i for i in np.argsort(background, kind="stable") if not positive[i] and best[i] < threshold]
    return order[: int(positive.sum() * ratio)]


def target_reference(
    anchor,
    label,
    cls_pred,
    overlap_threshold=0.5,
    ignore_label=-1.0,
    negative_mining_ratio=-1.0,
    negative_mining_thresh=0.5,
    minimum_negative_samples=0,
    variances=VARIANCES,
):
    n, count = len(label), anchor.shape[1]
    offsets, mask = np.zeros((n, count, 4)), np.zeros((n, count, 4))
    classes = np.full((n, count), float(ignore_label))
    for i, rows in enumerate(label):
        none = np.flatnonzero(rows[:, 0] == -1)
        truths = rows[: none[0] if len(none) else len(rows)]
        if not len(truths):
            continue
        match, best = matched(overlap_reference(anchor[0], truths[:, 1:5]), overlap_threshold)
        positive = match >= 0
        if negative_mining_ratio > 0:
            args = (best, negative_mining_ratio, negative_mining_thresh)
            classes[i, mined(cls_pred[i], positive, *args)] = 0
        else:
            classes[i] = 0
        own, found = centers(anchor[0][positive]), centers(truths[match[positive], 1:5])
        moved = np.concatenate(
            [(found[:, :2] - own[:, :2]) / own[:, 2:], np.log(found[:, 2:] / own[:, 2:])], 1
        )
        offsets[i, positive] = moved / variances
        mask[i, positive] = 1
        classes[i, positive] = truths[match[positive], 0] + 1
    return [offsets.reshape(n, 4 * count), mask.reshape(n, 4 * count), classes]


def target_shape(anchor, label, cls_pred, variances):
    check_variances(TARGET, variances)
    check_shape(TARGET, "anchor", anchor, "(1, anchors, 4)", 1, None, 4)
    if len(label) != 3 or label[2] < 5:
        raise ShapeError(message(TARGET, "label", "shape (n, labels, at least 5)", describe(label)))
    expected = f"({label[0]}, classes, {anchor[1]})"
    check_shape(TARGET, "cls_pred", cls_pred, expected, label[0], None, anchor[1])
    return [(label[0], anchor[1] * 4), (label[0], anchor[1] * 4), (label[0], anchor[1])]


ANCHORS = given(
    [[[0.1, 0.1, 0.3, 0.3], [0.2, 0.2, 0.6, 0.6], [0.5, 0.5, 0.9, 0.9], [0, 0, 1, 1], [0.7, 0.1, 0.9, 0.3]]]
)
LABELS = given(
    [
        [[1, 0.1, 0.1, 0.3125, 0.325], [0, 0.5, 0.55, 0.9, 0.9], [-1] * 5],
        [[-1] * 5] * 3,
        [[2, 0.2, 0.25, 0.6, 0.6], [1, 0.05, 0.1, 0.95, 0.9], [0, 0.7, 0.15, 0.9, 0.3]],
    ]
)
PREDICTED = given(np.linspace(-1, 1, 60).reshape(3, 4, 5)[:, ::-1] ** 3)


@op(
    grad=ZERO,
    kinds="f",
    outputs=("loc_target", "loc_mask", "cls_target"),
    shape=target_shape,
    ref=target_reference,
    cases=[
        case(ANCHORS, LABELS, PREDICTED),
        case(ANCHORS, LABELS, PREDICTED, negative_mining_ratio=1.0, ignore_label=-3.0),
        case(ANCHORS, LABELS, PREDICTED, overlap_threshold=-1.0, variances=(1.0, 1.0, 1.0, 1.0)),
        case(ANCHORS, uniform(0, 2, 5), uniform(0, 3, 5)),
        raises(ShapeError, ANCHORS, uniform(1, 2, 4), PREDICTED, match="(label): expected shape (n, labels"),
        raises(
            ShapeError,
            ANCHORS,
            LABELS,
            uniform(3, 2, 4),
            match=f"{TARGET}(cls_pred): expected shape (3, classes, 5)",
        ),
        raises(
            ShapeError, uniform(2, 5, 4), LABELS, PREDICTED, match="(anchor): expected shape (1, anchors, 4)"
        ),
        raises(
            ArgumentError, ANCHORS, LABELS, PREDICTED, variances=(1.0,), match="(variances): expected four"
        ),
    ],
)
def _contrib_MultiBoxTarget(
    anchor,
    label,
    cls_pred,
    *,
    overlap_threshold: float = 0.5,
    ignore_label: float = -1.0,
    negative_mining_ratio: float = -1.0,
    negative_mining_thresh: float = 0.5,
    minimum_negative_samples: int = 0,
    variances: Numbers = VARIANCES,
    out,
):
    """Offsets (n, 4 anchors), the mask of those that count, and classes (n, anchors), 0 for background.

    anchor: (1, anchors, 4) corners.  label: (n, labels, width), rows of a class and a box, -1 behind the
    last one.  cls_pred: (n, classes, anchors).  Every box gets the anchor that overlaps it most; others
    that overlap by more than `overlap_threshold` join.  With `negative_mining_ratio` that many times as many
    anchors are background, those whose prediction is worst among overlaps below `negative_mining_thresh`,
    and the rest is `ignore_label`.  `minimum_negative_samples` has no effect, as in MXNet.
    (Liu et al., 2016.)
    """
    made = kernels.box_target(
        anchor,
        label,
        cls_pred,
        overlap_threshold,
        ignore_label,
        negative_mining_ratio,
        negative_mining_thresh,
        variances,
    )
    return copied(made, out)


# --- detections ----------------------------------------------------------------------------------------
def moved_reference(anchors, offsets, variances):
    """Corners of anchors moved by offsets."""
    own = centers(anchors)
    middle = offsets[:, :2] * variances[:2] * own[:, 2:] + own[:, :2]
    half = np.exp(offsets[:, 2:] * variances[2:]) * own[:, 2:] / 2
    return np.concatenate([middle - half, middle + half], 1)


def detection_reference(
    cls_prob,
    loc_pred,
    anchor,
    clip=True,
    threshold=0.01,
    background_id=0,
    nms_threshold=0.5,
    force_suppress=False,
    variances=VARIANCES,
    nms_topk=-1,
):
    made = np.full((len(cls_prob), anchor.shape[1], 6), -1.0)
    for n, scores in enumerate(cls_prob):
        boxes = moved_reference(anchor[0], loc_pred[n].reshape(-1, 4), np.array(variances))
        boxes = np.clip(boxes, 0, 1) if clip else boxes
        best = scores[1:].argmax(0)
        rows = np.concatenate([best[:, None], scores[1:].max(0)[:, None], boxes], 1)
        rows = rows[rows[:, 1] >= threshold]
        if not 0 < nms_threshold <= 1:
            made[n, : len(rows)] = rows
            continue
        order = np.argsort(-rows[:, 1], kind="stable")
        count = min(len(rows), nms_topk) if nms_topk > 0 else len(rows)
        found = np.concatenate([rows[order[:count]], rows[count:]])
        found[count:, 0] = -1
        overlaps = overlap_reference(found[:count, 2:], found[:count, 2:])
        for i in range(count):
            rivals = (found[:count, 0] == found[i, 0]) | force_suppress
            if found[i, 0] >= 0:
                found[:count][rivals & (overlaps[i] >= nms_threshold) & (np.arange(count) > i), 0] = -1
        made[n, : len(rows)] = found
    return made


def detection_shape(cls_prob, loc_pred, anchor, variances):
    check_variances(DETECTION, variances)
    check_shape(DETECTION, "cls_prob", cls_prob, "(n, classes, anchors)", None, None, None)
    n, _, count = cls_prob
    check_shape(DETECTION, "anchor", anchor, f"(1, {count}, 4)", 1, count, 4)
    check_shape(DETECTION, "loc_pred", loc_pred, f"({n}, {4 * count})", n, 4 * count)
    return (n, count, 6)


PROBABLE = uniform(2, 3, 5, low=0.05, high=1.0, distinct=True)
OFFSETS = uniform(2, 20, low=-0.5, high=0.5)


@op(
    grad=ZERO,
    kinds="f",
    shape=detection_shape,
    ref=detection_reference,
    cases=[
        case(PROBABLE, OFFSETS, ANCHORS),
        case(PROBABLE, OFFSETS, ANCHORS, threshold=0.5, clip=False, variances=(1.0, 1.0, 1.0, 1.0)),
        case(PROBABLE, OFFSETS, ANCHORS, nms_threshold=0.1, force_suppress=True),
        case(PROBABLE, OFFSETS, ANCHORS, nms_topk=2),
        case(PROBABLE, OFFSETS, ANCHORS, nms_threshold=-1.0),
        case(uniform(0, 3, 5), uniform(0, 20), ANCHORS),
        raises(
            ShapeError,
            PROBABLE,
            uniform(2, 19),
            ANCHORS,
            match=f"{DETECTION}(loc_pred): expected shape (2, 20)",
        ),
        raises(
            ShapeError, uniform(2, 5), OFFSETS, ANCHORS, match=f"{DETECTION}(cls_prob): expected shape (n,"
        ),
        raises(
            ArgumentError, PROBABLE, OFFSETS, ANCHORS, variances=(1.0,), match="(variances): expected four"
        ),
    ],
)
def _contrib_MultiBoxDetection(
    cls_prob,
    loc_pred,
    anchor,
    *,
    clip: bool = True,
    threshold: float = 0.01,
    background_id: int = 0,
    nms_threshold: float = 0.5,
    force_suppress: bool = False,
    variances: Numbers = VARIANCES,
    nms_topk: int = -1,
    out,
):
    """Rows (n, anchors, 6) of class, score and corners, best first; class -1 where there is nothing.

    cls_prob: (n, classes, anchors), class 0 is background (`background_id` has no effect, as in MXNet).
    loc_pred: (n, 4 anchors), as `MultiBoxTarget` makes them.  A row less likely than `threshold` is left
    out; one that overlaps a better one of its class (of any with `force_suppress`) by `nms_threshold` loses
    its class, and so do all but the `nms_topk` best.
    """
    made = kernels.box_detection(
        cls_prob, loc_pred, anchor, clip, threshold, nms_threshold, force_suppress, variances, nms_topk
    )
    return made if out is None else kernels.copy(made, out=out)
