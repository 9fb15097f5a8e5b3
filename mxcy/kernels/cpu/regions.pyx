"""Regions of images pooled, and boxes that overlap."""

from libc.stdint cimport int64_t

from ..._array cimport Array
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport contiguous, launch, operand, result

from ...dtypes import code_of
from .copying import copy, fill

__all__ = [
    "box_overlap", "displaced_pool", "displaced_pool_corners", "displaced_pool_grad", "position_pool",
    "position_pool_grad", "roi_align", "roi_align_grad", "roi_pool", "roi_pool_grad", "suppress", "suppress_back",
    "turned_pool", "turned_pool_grad",
]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/regions.hpp" namespace "mxcy" nogil:
    cdef cppclass RegionParams:
        int64_t images, channels
        int64_t extent[2]
        int64_t regions, outputs
        int64_t pooled[2]
        int64_t samples
        double scale
        bint by_position, aligned
    cdef cppclass PositionedParams:
        int64_t images, channels
        int64_t extent[2]
        int64_t regions, outputs
        int64_t pooled[2]
        int64_t groups, samples
        double scale
        int64_t classes, parts
        double reach
        bint displaced
    cdef cppclass OverlapParams:
        int64_t left, right
        bint centers
    cdef cppclass SuppressParams:
        int64_t batches, boxes, width, most, coordinates, score, id, background
        double overlap, valid
        bint all_classes, centers_in, centers_out
    int roi_pool_kernel(KernelContext&)
    int roi_pool_grad_kernel(KernelContext&)
    int roi_align_kernel(KernelContext&)
    int roi_align_grad_kernel(KernelContext&)
    int position_pool_kernel(KernelContext&)
    int position_pool_grad_kernel(KernelContext&)
    int displaced_pool_kernel(KernelContext&)
    int displaced_pool_grad_kernel(KernelContext&)
    int displaced_pool_shift_grad_kernel(KernelContext&)
    int displaced_pool_corners_kernel(KernelContext&)
    int turned_pool_kernel(KernelContext&)
    int turned_pool_grad_kernel(KernelContext&)
    int box_overlap_kernel(KernelContext&)
    int suppress_kernel(KernelContext&)
    int suppress_back_kernel(KernelContext&)


cdef Array made(const char* name, Array like, tuple shape, object out, int code=-1):
    cdef int64_t dims[32]
    cdef int d
    for d in range(len(shape)):
        dims[d] = shape[d]
    return result(name.decode(), like, out, len(shape), dims, like.dtype_code if code < 0 else code)


cdef object run(Kernel kernel, const char* name, list inputs, tuple shape, const void* params, size_t size,
                double cost, object out):
    """The result of a kernel that writes in C order, with the dtype of its first input."""
    cdef Array target = made(name, inputs[0], shape, out), plain = target
    if not target.c_contiguous:
        plain = made(name, inputs[0], shape, None)
    launch(kernel, name, [plain], [contiguous(x) for x in inputs], params, size, cost)
    return target if plain is target else copy(plain, target)


cdef void set_regions(RegionParams* p, tuple data, int64_t regions, tuple pooled, double scale, int64_t samples,
                      bint by_position, bint aligned):
    cdef int d
    p.images, p.channels, p.regions = data[0], data[1], regions
    for d in range(2):
        p.extent[d], p.pooled[d] = data[2 + d], pooled[d]
    p.outputs = p.channels // (p.pooled[0] * p.pooled[1]) if by_position else p.channels
    p.scale, p.samples, p.by_position, p.aligned = scale, samples, by_position, aligned


def roi_pool(x, rois, pooled, scale, out=None):
    """Return the largest elements (regions, channels, *pooled) of parts of regions (regions, 5) of x."""
    cdef Array data = operand("ROIPooling", "data", x), regions = operand("ROIPooling", "rois", rois)
    cdef RegionParams params
    set_regions(&params, data.shape, regions.dims[0], pooled, scale, 0, False, False)
    return run(roi_pool_kernel, "ROIPooling", [data, regions], (regions.dims[0], data.dims[1], *pooled), &params,
               sizeof(params), 300 + 1.0 * regions.dims[0] * data.dims[1] * data.dims[2] * data.dims[3], out)


def roi_pool_grad(g, x, rois, pooled, scale, out=None):
    """Return the gradient of x from that of the result."""
    cdef Array data = operand("ROIPooling", "data", x), regions = operand("ROIPooling", "rois", rois)
    cdef RegionParams params
    set_regions(&params, data.shape, regions.dims[0], pooled, scale, 0, False, False)
    return run(roi_pool_grad_kernel, "ROIPooling_backward", [g, data, regions], data.shape, &params,
               sizeof(params), 300 + 1.0 * regions.dims[0] * data.dims[1] * data.dims[2] * data.dims[3], out)


def roi_align(x, rois, pooled, scale, samples, by_position, aligned, out=None):
    """Return means of bilinear samples (regions, channels, *pooled) of regions (regions, 5) of x.

    samples: along each axis of a part, as many as it has elements if not positive. by_position: every part
    has channels of its own.
    """
    cdef Array data = operand("ROIAlign", "data", x), regions = operand("ROIAlign", "rois", rois)
    cdef RegionParams params
    set_regions(&params, data.shape, regions.dims[0], pooled, scale, samples, by_position, aligned)
    return run(roi_align_kernel, "ROIAlign", [data, regions], (regions.dims[0], params.outputs, *pooled), &params,
               sizeof(params), 300 + 4.0 * regions.dims[0] * data.dims[1] * data.dims[2] * data.dims[3], out)


def roi_align_grad(g, rois, shape, scale, samples, by_position, aligned, out=None):
    """Return the gradient of data of this shape from that of the result."""
    cdef Array head = operand("ROIAlign", "data", g), regions = operand("ROIAlign", "rois", rois)
    cdef RegionParams params
    set_regions(&params, shape, regions.dims[0], head.shape[2:], scale, samples, by_position, aligned)
    return run(roi_align_grad_kernel, "ROIAlign_backward", [head, regions], shape, &params, sizeof(params),
               300 + 4.0 * regions.dims[0] * shape[1] * shape[2] * shape[3], out)


cdef void set_positioned(PositionedParams* p, tuple data, int64_t regions, tuple pooled, double scale,
                         int64_t samples, int64_t groups, int64_t outputs):
    cdef int d
    p.images, p.channels, p.regions = data[0], data[1], regions
    for d in range(2):
        p.extent[d], p.pooled[d] = data[2 + d], pooled[d]
    p.scale, p.samples, p.groups, p.outputs = scale, samples, groups, outputs
    p.classes, p.parts, p.reach, p.displaced = 1, 1, 0, False


cdef double work(PositionedParams* p):
    return 500 + 20.0 * p.regions * p.outputs * p.pooled[0] * p.pooled[1] * max(p.samples, 4)


def position_pool(x, rois, pooled, scale, groups, outputs, out=None):
    """Return means (regions, outputs, *pooled) of parts of regions (regions, 5), each of channels of its own."""
    cdef Array data = operand("PSROIPooling", "data", x), regions = operand("PSROIPooling", "rois", rois)
    cdef PositionedParams p
    set_positioned(&p, data.shape, regions.dims[0], pooled, scale, 0, groups, outputs)
    return run(position_pool_kernel, "PSROIPooling", [data, regions], (p.regions, outputs, *pooled), &p, sizeof(p),
               work(&p), out)


def position_pool_grad(g, rois, shape, scale, groups, out=None):
    """Return the gradient of data of this shape."""
    cdef Array head = operand("PSROIPooling", "data", g), regions = operand("PSROIPooling", "rois", rois)
    cdef PositionedParams p
    set_positioned(&p, shape, regions.dims[0], head.shape[2:], scale, 0, groups, head.dims[1])
    return run(position_pool_grad_kernel, "PSROIPooling_backward", [head, regions], shape, &p, sizeof(p),
               shape[1] * work(&p), out)


cdef list set_shifts(PositionedParams* p, object shifts, double reach):
    """The inputs that say how parts are displaced."""
    cdef Array moves
    if shifts is None:
        return []
    moves = operand("DeformablePSROIPooling", "trans", shifts)
    p.classes, p.parts, p.reach, p.displaced = moves.dims[1] // 2, moves.dims[2], reach, True
    return [moves]


def displaced_pool(x, rois, shifts, pooled, scale, samples, groups, outputs, reach):
    """Return [means (regions, outputs, *pooled) of samples of displaced parts, how many each part has].

    shifts: None, or (regions, 2 classes, parts, parts).
    """
    cdef Array data = operand("DeformablePSROIPooling", "data", x)
    cdef Array regions = operand("DeformablePSROIPooling", "rois", rois)
    cdef PositionedParams p
    set_positioned(&p, data.shape, regions.dims[0], pooled, scale, samples, groups, outputs)
    cdef list moves = set_shifts(&p, shifts, reach)
    cdef tuple shape = (p.regions, outputs, *pooled)
    cdef list made_ = [made("DeformablePSROIPooling", data, shape, None) for _ in range(2)]
    launch(displaced_pool_kernel, "DeformablePSROIPooling", made_, [contiguous(a) for a in [data, regions] + moves],
           &p, sizeof(p), work(&p))
    return made_


def displaced_pool_grad(g, x, rois, shifts, scale, samples, groups, reach):
    """Return the gradients of x and, if there are some, of the shifts."""
    cdef Array data = operand("DeformablePSROIPooling", "data", x), head = operand("DeformablePSROIPooling", "data", g)
    cdef Array regions = operand("DeformablePSROIPooling", "rois", rois)
    cdef PositionedParams p
    set_positioned(&p, data.shape, regions.dims[0], head.shape[2:], scale, samples, groups, head.dims[1])
    cdef list moves = set_shifts(&p, shifts, reach)
    found = [run(displaced_pool_grad_kernel, "DeformablePSROIPooling_backward", [head, regions] + moves, data.shape,
                 &p, sizeof(p), p.channels * work(&p), None)]
    if moves:
        found.append(run(displaced_pool_shift_grad_kernel, "DeformablePSROIPooling_backward",
                         [head, data, regions] + moves, shifts.shape, &p, sizeof(p), work(&p), None))
    return found


def displaced_pool_corners(shifts, rois, shape, pooled, scale, samples, groups, outputs, reach):
    """Return what samples of displaced parts of data of this shape read: [positions in data (1, 1, samples, 2, 2,
    *places) of int64, weights of rows (1, 1, samples, 2, 1, *places), of columns (1, 1, samples, 1, 2, *places),
    slopes of both, positions in shifts of the rows' (1, 1, 1, 1, 1, *places) of int64, of the columns', and
    by how much they move].  places: (regions, outputs, *pooled); samples: those along an axis, squared.
    """
    cdef Array moves = operand("DeformablePSROIPooling", "trans", shifts)
    cdef Array regions = operand("DeformablePSROIPooling", "rois", rois)
    cdef PositionedParams p
    set_positioned(&p, shape, regions.dims[0], pooled, scale, samples, groups, outputs)
    set_shifts(&p, moves, reach)
    cdef list made_ = []
    for i, corners in enumerate(((2, 2), (2, 1), (1, 2), (2, 1), (1, 2), (1, 1), (1, 1), (1, 1), (1, 1))):
        count = samples * samples if i < 5 else 1
        full = (1, 1, count, *corners, p.regions, outputs, *pooled)
        code = code_of("int64") if i in (0, 5, 6) else moves.dtype_code
        made_.append(made("DeformablePSROIPooling", moves, full, None, code))
    launch(displaced_pool_corners_kernel, "DeformablePSROIPooling_corners", made_,
           [contiguous(moves), contiguous(regions)], &p, sizeof(p), samples * work(&p))
    return made_


def turned_pool(x, rois, pooled, scale, samples, out=None):
    """Return means of bilinear samples (regions, channels, *pooled) of turned regions (regions, 6) of x."""
    cdef Array data = operand("RROIAlign", "data", x), regions = operand("RROIAlign", "rois", rois)
    cdef PositionedParams p
    set_positioned(&p, data.shape, regions.dims[0], pooled, scale, samples, 1, data.dims[1])
    return run(turned_pool_kernel, "RROIAlign", [data, regions], (p.regions, p.channels, *pooled), &p, sizeof(p),
               work(&p), out)


def turned_pool_grad(g, rois, shape, scale, samples, out=None):
    """Return the gradient of data of this shape."""
    cdef Array head = operand("RROIAlign", "data", g), regions = operand("RROIAlign", "rois", rois)
    cdef PositionedParams p
    set_positioned(&p, shape, regions.dims[0], head.shape[2:], scale, samples, 1, shape[1])
    return run(turned_pool_grad_kernel, "RROIAlign_backward", [head, regions], shape, &p, sizeof(p), work(&p), out)


def box_overlap(lhs, rhs, centers, out=None):
    """Return intersection over union of all boxes of lhs (..., 4) and of rhs: (lhs boxes, rhs boxes)."""
    cdef Array left = operand("box_iou", "lhs", lhs), right = operand("box_iou", "rhs", rhs)
    cdef OverlapParams params
    params.left, params.right, params.centers = left.size // 4, right.size // 4, centers
    return run(box_overlap_kernel, "box_iou", [left, right], (*left.shape[:left.ndim - 1], *right.shape[:right.ndim - 1]), &params,
               sizeof(params), 300 + 10.0 * params.left * params.right, out)


cdef void set_boxes(SuppressParams* p, Array data):
    p.boxes, p.width = data.dims[data.ndim - 2], data.dims[data.ndim - 1]
    p.batches = data.size // max(p.boxes * p.width, 1)


def suppress(x, overlap, valid, most, coordinates, score, id, background, all_classes, centers_in, centers_out):
    """Return (rows, positions): the rows of x (..., boxes, width) that are kept, best first, and where they
    were (int64, -1 behind the last one).
    """
    cdef Array data = operand("box_nms", "data", x)
    cdef SuppressParams params
    cdef Array rows = made("box_nms", data, data.shape, None)
    cdef int64_t dims[32]
    cdef int d
    for d in range(data.ndim - 1):
        dims[d] = data.dims[d]
    cdef Array positions = result("box_nms", data, None, data.ndim - 1, dims, code_of("int64"))
    set_boxes(&params, data)
    params.overlap, params.valid, params.most = overlap, valid, most
    params.coordinates, params.score, params.id, params.background = coordinates, score, id, background
    params.all_classes, params.centers_in, params.centers_out = all_classes, centers_in, centers_out
    if data.size == 0:
        return [fill(rows, 0), fill(positions, -1)]
    launch(suppress_kernel, "box_nms", [rows, positions], [contiguous(data)], &params, sizeof(params),
           500 + 10.0 * data.size * max(params.boxes, 1))
    return [rows, positions]


def suppress_back(g, positions, out=None):
    """Return the rows of g at the places that `suppress` took them from, zeros elsewhere."""
    cdef Array data = operand("box_nms", "data", g)
    cdef SuppressParams params
    set_boxes(&params, data)
    return run(suppress_back_kernel, "box_nms_backward", [data, operand("box_nms", "positions", positions)],
               data.shape, &params, sizeof(params), 300 + 2.0 * data.size, out)
