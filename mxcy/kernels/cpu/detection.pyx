"""Boxes of detectors: training targets, detections, offsets, matches and proposals."""

from libc.stdint cimport int64_t

from ..._array cimport Array
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport contiguous, launch, operand, result

__all__ = ["box_decode", "box_detection", "box_encode", "box_target", "matching", "propose"]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/detection.hpp" namespace "mxcy" nogil:
    cdef cppclass TargetParams:
        int64_t batches, anchors, labels, width, classes
        double overlap, ignored, mining_ratio, mining_overlap
        double variances[4]
    cdef cppclass DetectionParams:
        int64_t batches, anchors, classes, most
        double threshold, overlap
        double variances[4]
        bint clips, all_classes
    cdef cppclass CodingParams:
        int64_t batches, boxes, references
        double deviations[4]
        double most
        bint corners
    cdef cppclass MatchingParams:
        int64_t batches, rows, columns, most
        double threshold
        bint ascends
    cdef cppclass ProposalParams:
        int64_t batches, kinds, height, width, stride, before, after, least
        double overlap
        bint by_corners, numbered
    int box_target_kernel(KernelContext&)
    int box_detection_kernel(KernelContext&)
    int box_encode_kernel(KernelContext&)
    int box_decode_kernel(KernelContext&)
    int matching_kernel(KernelContext&)
    int proposal_kernel(KernelContext&)


cdef Array made(const char* name, Array like, tuple shape):
    cdef int64_t dims[32]
    cdef int d
    for d in range(len(shape)):
        dims[d] = shape[d]
    return result(name.decode(), like, None, len(shape), dims, like.dtype_code)


cdef list run(Kernel kernel, const char* name, list inputs, list shapes, const void* params, size_t size,
              double cost):
    """The results of these shapes, with the dtype of the first input."""
    cdef Array first = operand(name.decode(), None, inputs[0])
    cdef list outputs = [made(name, first, shape) for shape in shapes]
    launch(kernel, name, outputs, [contiguous(x) for x in inputs], params, size, cost)
    return outputs


def box_target(anchors, labels, predictions, overlap, ignored, mining_ratio, mining_overlap, variances):
    """Return [offsets (n, 4 a), their mask, classes (n, a)] for anchors (1, a, 4) and labels (n, m, width)."""
    cdef Array boxes = operand("MultiBoxTarget", "anchor", anchors), truth = operand("MultiBoxTarget", "label", labels)
    cdef Array scores = operand("MultiBoxTarget", "cls_pred", predictions)
    cdef TargetParams p
    cdef int i
    p.batches, p.labels, p.width, p.classes = truth.dims[0], truth.dims[1], truth.dims[2], scores.dims[1]
    p.anchors = boxes.size // 4
    p.overlap, p.ignored = overlap, ignored
    p.mining_ratio, p.mining_overlap = mining_ratio, mining_overlap
    for i in range(4):
        p.variances[i] = variances[i]
    return run(box_target_kernel, "MultiBoxTarget", [boxes, truth, scores],
               [(p.batches, p.anchors * 4), (p.batches, p.anchors * 4), (p.batches, p.anchors)], &p, sizeof(p),
               1000 + 20.0 * p.batches * p.anchors * (p.labels + p.classes))


def box_detection(probabilities, offsets, anchors, clips, threshold, overlap, all_classes, variances, most):
    """Return rows (n, a, 6) of class, score and box, best first; the class of what is none is -1."""
    cdef Array scores = operand("MultiBoxDetection", "cls_prob", probabilities)
    cdef DetectionParams p
    cdef int i
    p.batches, p.classes, p.anchors = scores.dims[0], scores.dims[1], scores.dims[2]
    p.clips, p.all_classes, p.threshold, p.overlap, p.most = clips, all_classes, threshold, overlap, most
    for i in range(4):
        p.variances[i] = variances[i]
    return run(box_detection_kernel, "MultiBoxDetection", [scores, offsets, anchors],
               [(p.batches, p.anchors, 6)], &p, sizeof(p),
               1000 + 20.0 * p.batches * p.anchors * (p.classes + p.anchors))[0]


def box_encode(samples, matches, anchors, references, means, deviations):
    """Return [offsets (n, boxes, 4) from anchors to their matches, mask]; 0 for what is no sample."""
    cdef Array boxes = operand("box_encode", "anchors", anchors), others = operand("box_encode", "refs", references)
    cdef CodingParams p
    p.batches, p.boxes, p.references = boxes.dims[0], boxes.dims[1], others.dims[1]
    return run(box_encode_kernel, "box_encode", [samples, matches, boxes, others, means, deviations],
               [boxes.shape, boxes.shape], &p, sizeof(p), 500 + 20.0 * boxes.size)


def box_decode(offsets, anchors, deviations, most, corners):
    """Return the boxes (n, boxes, 4) that lie by these offsets from anchors (1, boxes, 4)."""
    cdef Array moves = operand("box_decode", "data", offsets)
    cdef CodingParams p
    cdef int i
    p.batches, p.boxes, p.most, p.corners = moves.dims[0], moves.dims[1], most, corners
    for i in range(4):
        p.deviations[i] = deviations[i]
    return run(box_decode_kernel, "box_decode", [moves, anchors], [moves.shape], &p, sizeof(p),
               500 + 10.0 * moves.size)[0]


def matching(x, ascends, threshold, most):
    """Return [column of every row, row of every column] of scores (..., rows, columns), best pairs first."""
    cdef Array scores = operand("bipartite_matching", "data", x)
    cdef MatchingParams p
    cdef tuple shape = scores.shape
    p.rows, p.columns, p.most = shape[len(shape) - 2], shape[len(shape) - 1], most
    p.batches = 1
    for n in shape[:len(shape) - 2]:
        p.batches *= n
    p.ascends, p.threshold = ascends, threshold
    return run(matching_kernel, "bipartite_matching", [scores],
               [shape[:len(shape) - 1], (*shape[:len(shape) - 2], p.columns)], &p, sizeof(p),
               1000 + 100.0 * scores.size)


def propose(scores, offsets, images, boxes, stride, before, after, overlap, least, by_corners, numbered):
    """Return [regions (n * after, 5), their scores (n * after, 1)] of maps (n, 2 kinds, h, w)."""
    cdef Array maps = operand("Proposal", "cls_prob", scores), kinds = operand("Proposal", "scales", boxes)
    cdef ProposalParams p
    p.batches, p.kinds, p.height, p.width = maps.dims[0], kinds.dims[0], maps.dims[2], maps.dims[3]
    p.stride, p.before, p.after, p.overlap, p.least = stride, before, after, overlap, least
    p.by_corners, p.numbered = by_corners, numbered
    return run(proposal_kernel, "Proposal", [maps, offsets, images, kinds],
               [(p.batches * after, 5), (p.batches * after, 1)], &p, sizeof(p),
               1000 + 200.0 * maps.size * max(after, 1))
