"""Layers with weights, normalisations, softmax, pictures."""

import numpy as np

from ... import symbol as sym
from ..reader import imports
from .pooling import halves


def spatial(n, name, count, default):
    """An attribute with a number for every spatial axis."""
    return tuple(n.get(name) or (default,) * count)


def kernel_of(n):
    """The extents of a kernel."""
    return tuple(n.get("kernel_shape") or n.extents(1)[2:])


@imports("Conv")
def conv(n):
    kernel = kernel_of(n)
    count = len(kernel)
    stride, dilate = spatial(n, "strides", count, 1), spatial(n, "dilations", count, 1)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilate, strict=True)]
    before, behind = halves(n, reach, stride)
    data = n[0] if before == behind else padded(n[0], before, behind)
    pad = before if before == behind else (0,) * count
    inputs = [data, *n.symbols()[1:]]
    return sym.Convolution(
        *inputs,
        kernel=kernel,
        stride=stride,
        dilate=dilate,
        pad=pad,
        name=n.name,
        num_filter=n.shape(1)[0],
        num_group=n.get("group", 1),
        no_bias=not n.has(2),
    )


def padded(x, before, behind, value=0.0):
    """x with a border of one number around its spatial axes."""
    widths = [width for pair in zip(before, behind, strict=True) for width in pair]
    return sym.Pad(x, mode="constant", pad_width=(0, 0, 0, 0, *widths), constant_value=value)


@imports("ConvTranspose")
def conv_transpose(n):
    kernel = kernel_of(n)
    count = len(kernel)
    stride, dilate = spatial(n, "strides", count, 1), spatial(n, "dilations", count, 1)
    adj = spatial(n, "output_padding", count, 0)
    if n.get("output_shape") or n.get("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER"):
        before, behind, adj = transposed_pads(n, kernel, stride, dilate, adj)
    else:
        before, behind = halves(n, kernel, stride)
    even = before == behind
    pad = before if even else (0,) * count
    channels, groups = n.shape(1)[1], n.get("group", 1)
    y = sym.Deconvolution(*n.symbols(), kernel=kernel, stride=stride, dilate=dilate, pad=pad, adj=adj,
                          num_filter=channels * groups, num_group=groups, no_bias=not n.has(2),
                          **({"name": n.name} if even else {}))  # fmt: skip
    if even:
        return y
    for axis, (begin, end) in enumerate(zip(before, behind, strict=True), 2):
        y = sym.slice_axis(y, axis=axis, begin=begin, end=-end or None)
    return y


def transposed_pads(n, kernel, stride, dilate, adj):
    """How much is cut before and behind each axis so that the result has the shape that is asked for,
    and how much is added."""
    extents = n.extents(0)[2:]
    wanted = n.get("output_shape") or [e * s for e, s in zip(extents, stride, strict=True)]
    total = [s * (e - 1) + a + d * (k - 1) + 1 - w for s, e, a, d, k, w in
             zip(stride, extents, adj, dilate, kernel, wanted[-len(kernel) :], strict=True)]  # fmt: skip
    adj = tuple(a + max(-t, 0) for a, t in zip(adj, total, strict=True))
    total = [max(t, 0) for t in total]
    small, large = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    first = n.get("auto_pad", "NOTSET") == "SAME_UPPER"
    return (small, large, adj) if first else (large, small, adj)


@imports("Gemm")
def gemm(n):
    a = sym.transpose(n[0]) if n.get("transA", 0) else n[0]
    alpha, beta, shape = n.get("alpha", 1.0), n.get("beta", 1.0), n.shape(1)
    bias = n.shape(2) if n.has(2) else None
    plain = alpha == beta == 1 and (not n.has(2) or (bias is not None and len(bias) == 1 and bias != (1,)))
    if plain and n.get("transB", 0) and shape is not None and shape[0] is not None:
        return sym.FullyConnected(
            a, *n.symbols()[1:], num_hidden=shape[0], no_bias=not n.has(2), flatten=False, name=n.name
        )
    y = sym.dot(a, n[1], transpose_b=bool(n.get("transB", 0)))
    y = y * alpha if alpha != 1 else y
    if not n.has(2):
        return y
    return sym.broadcast_add(y, n[2] * beta if beta != 1 else n[2], name=n.name)


@imports("MatMul")
def matmul(n):
    a, b = n.rank(0), n.rank(1)
    if b <= 2 or a == 1:
        return sym.dot(n[0], n[1], name=n.name)
    first, second = n.shape(0)[:-2], n.shape(1)[:-2]
    if a == b and first == second:
        return sym.linalg.gemm2(n[0], n[1], name=n.name)
    n.need(None not in (*first, *second), n.inputs[0], "batches with known extents", (first, second))
    batch = np.broadcast_shapes(first, second)
    x, y = (spread(n, i, batch) for i in (0, 1))
    return sym.linalg.gemm2(x, y, name=n.name)


def spread(n, index, batch):
    """A batch of matrices, repeated so that there is one for every place of a larger batch."""
    shape = n.extents(index)
    x = sym.Reshape(n[index], shape=(*[1] * (len(batch) + 2 - len(shape)), *shape))
    return sym.broadcast_to(x, shape=(*batch, *shape[-2:]))


@imports("Dropout")
def dropout(n):
    ratio = n.number(1, "ratio")
    return sym.Dropout(n[0], p=0.5 if ratio is None else ratio, name=n.name)


# --- normalisation ----------------------------------------------------------------------------------------
@imports("BatchNormalization", "SpatialBN")
def batch_norm(n):
    return sym.BatchNorm(*n.symbols(), eps=n.get("epsilon", 1e-5), momentum=n.get("momentum", 0.9),
                         fix_gamma=False, name=n.name)  # fmt: skip


@imports("InstanceNormalization")
def instance_norm(n):
    return sym.InstanceNorm(*n.symbols(), eps=n.get("epsilon", 1e-5), name=n.name)


@imports("LayerNormalization")
def layer_norm(n):
    axis, eps = n.get("axis", -1), n.get("epsilon", 1e-5)
    x, gamma = n[0], n[1]
    if axis == -1 or axis == n.rank() - 1:
        return sym.LayerNorm(
            x, gamma, n[2] if n.has(2) else sym.zeros_like(gamma), axis=-1, eps=eps, name=n.name
        )
    y = sym.broadcast_mul(standardised(x, tuple(range(axis % n.rank(), n.rank())), eps), gamma)
    return sym.broadcast_add(y, n[2], name=n.name) if n.has(2) else y


def standardised(x, axes, eps):
    """x without its mean, over its standard deviation."""
    centred = sym.broadcast_sub(x, sym.mean(x, axis=axes, keepdims=True))
    variance = sym.mean(sym.square(centred), axis=axes, keepdims=True)
    return sym.broadcast_div(centred, sym.sqrt(variance + eps))


@imports("LRN")
def lrn(n):
    return sym.LRN(n[0], alpha=n.get("alpha", 1e-4), beta=n.get("beta", 0.75), knorm=n.get("bias", 1.0),
                   nsize=n.get("size"), name=n.name)  # fmt: skip


@imports("LpNormalization")
def lp_normalization(n):
    length = sym.norm(n[0], ord=n.get("p", 2), axis=n.get("axis", -1), keepdims=True)
    return sym.broadcast_div(n[0], length + (length == 0), name=n.name)


@imports("MeanVarianceNormalization")
def mean_variance(n):
    return standardised(n[0], tuple(n.get("axes") or (0, 2, 3)), 1e-9)


@imports("Softmax", "LogSoftmax", "Hardmax")
def softmax(n):
    kind = {"Softmax": sym.softmax, "LogSoftmax": sym.log_softmax, "Hardmax": hardmax}[n.kind]
    if n.opset >= 13:
        return kind(n[0], axis=n.get("axis", -1), name=n.name)
    axis, rank = n.get("axis", 1), n.rank()
    if axis in (-1, rank - 1):
        return kind(n[0], axis=-1, name=n.name)
    rows = sym.Reshape(n[0], shape=(*[0] * axis, -1)) if axis else sym.Reshape(n[0], shape=(1, -1))
    return sym.reshape_like(kind(rows, axis=-1), n[0], name=n.name)


def hardmax(x, axis, name=None):
    """1 at the first largest element, else 0."""
    places = sym.argmax(x, axis=axis, keepdims=True)
    steps = sym.contrib.arange_like(x, axis=axis)
    return sym.broadcast_equal(along(x, steps, axis), places, name=name)


def along(x, steps, axis):
    """Numbers along an axis, in the shape of x."""
    last = sym.SwapAxis(x * 0, dim1=axis, dim2=-1)
    return sym.SwapAxis(sym.broadcast_add(last, steps), dim1=axis, dim2=-1)


# --- pictures ---------------------------------------------------------------------------------------------
@imports("DepthToSpace")
def depth_to_space(n):
    size = n.get("blocksize")
    if n.get("mode", "DCR") == "DCR":
        return sym.depth_to_space(n[0], block_size=size, name=n.name)
    blocks = sym.Reshape(
        sym.Reshape(n[0], shape=(0, -4, -1, size * size, 0, 0)), shape=(0, 0, -4, size, size, 0, 0)
    )
    return sym.Reshape(sym.transpose(blocks, axes=(0, 1, 4, 2, 5, 3)), shape=(0, 0, -3, -3), name=n.name)


@imports("SpaceToDepth")
def space_to_depth(n):
    n.need(n.get("mode", "DCR") == "DCR", "mode", "DCR", n.get("mode"))
    return sym.space_to_depth(n[0], block_size=n.get("blocksize"), name=n.name)


@imports("MaxRoiPool")
def max_roi_pool(n):
    return sym.ROIPooling(n[0], n[1], pooled_size=tuple(n.get("pooled_shape")),
                          spatial_scale=n.get("spatial_scale", 1.0), name=n.name)  # fmt: skip


@imports("RoiAlign")
def roi_align(n):
    n.need(n.get("mode", "avg") == "avg", "mode", "avg", n.get("mode"))
    default = "half_pixel" if n.opset >= 16 else "output_half_pixel"
    picture = sym.expand_dims(sym.Cast(n[2], dtype="float32"), axis=1)
    rois = sym.concat(picture, n[1], dim=1)
    return sym.contrib.ROIAlign(
        n[0],
        rois,
        pooled_size=(n.get("output_height", 1), n.get("output_width", 1)),
        spatial_scale=n.get("spatial_scale", 1.0),
        sample_ratio=n.get("sampling_ratio", 0) or -1,
        name=n.name,
        aligned=n.get("coordinate_transformation_mode", default) == "half_pixel",
    )
