"""Convolution of 1 to 3 spatial axes and its gradients.

float16 and bfloat16 are stored as such and computed in float32. Arrays are computed with channels first;
others are transposed on the way in and out.
"""

from libc.stdint cimport int64_t, uint8_t

from ..._array cimport Array, new_like, new_view
from ..._device cimport on_gpu
from ..._engine cimport Kernel
from ..._epilogue cimport CEpilogue, Epilogue, Finisher, apart, joined, launch_finished, launch_over
from ..._launch cimport checked_out, contiguous, converted, launch, operand

import os

from ...errors import ArgumentError, message
from .copying import copy
from .pooling import pooling

__all__ = ["convolution", "convolution_by_products", "convolution_data_grad", "convolution_halves"]
__all__ += ["convolution_maxima", "convolution_sums_in_place", "convolution_weight_grad", "convolutions"]
__all__ += ["pack_filters"]


cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    const uint8_t FLOAT32, FLOAT64

cdef extern from "mxcy/kernels/cpu/convolution.hpp" namespace "mxcy" nogil:
    cdef cppclass ConvolutionParams:
        int64_t images, groups, channels, filters
        # named "in" and "out" in C++
        int64_t inside "in"[3]
        int64_t outside "out"[3]
        int64_t kernel[3]
        int64_t stride[3]
        int64_t dilate[3]
        int64_t pad[3]
        bint relu
        bint packed
        bint halved
        bint sums
        int way
        Finisher* finisher
    const int MOST_TOGETHER
    cdef cppclass ConvolutionsParams:
        ConvolutionParams common
        int count
        bint with_bias
        int64_t filters[8]
        bint relu[8]
    Kernel convolution_kernel_of_cpu()
    Kernel convolutions_kernel_of_cpu()
    Kernel convolution_pack_kernel_of_cpu()
    bint convolution_by_products_on_cpu(const ConvolutionParams& p, uint8_t dtype)
    bint convolution_sums_in_place_on_cpu(const ConvolutionParams& p, uint8_t dtype)
    bint convolution_halves_on_cpu(const ConvolutionParams& p, uint8_t dtype)
    Kernel convolution_data_gradient_kernel_of_cpu()
    Kernel convolution_weight_gradient_kernel_of_cpu()

cdef Kernel forward_kernel = convolution_kernel_of_cpu()
cdef Kernel together_kernel = convolutions_kernel_of_cpu()
cdef Kernel pack_kernel = convolution_pack_kernel_of_cpu()
cdef Kernel data_kernel = convolution_data_gradient_kernel_of_cpu()
cdef Kernel weight_kernel = convolution_weight_gradient_kernel_of_cpu()

cdef enum:
    LEAST_COLUMNS = 512  # of a plane whose parts an epilogue follows: of smaller ones, blocks hold short pieces

WAYS = {"auto": 0, "direct": 1, "winograd": 2}


cdef int way_of_environment() except -1:
    wanted = os.environ.get("MXCY_CONV", "auto")
    if wanted not in WAYS:
        raise ArgumentError(message("MXCY_CONV", None, "auto, direct or winograd", repr(wanted)))
    return WAYS[wanted]

cdef int default_way = way_of_environment()


cdef float fill(ConvolutionParams* params, shape, weight, output, stride, dilate, pad, int64_t groups, way,
                bint relu) except -1:
    """Set the parameters from shapes with channels first; return the estimated time in nanoseconds."""
    cdef int count = len(stride), d, to
    cdef double products = 1
    params.images, params.groups = shape[0], groups
    params.channels, params.filters = weight[1], weight[0] // groups
    params.relu, params.packed, params.way = relu, False, default_way if way is None else WAYS[way]
    params.halved = params.sums = False
    params.finisher = NULL
    for d in range(3):
        params.inside[d] = params.outside[d] = params.kernel[d] = params.stride[d] = params.dilate[d] = 1
        params.pad[d] = 0
    for d in range(count):
        to = 3 - count + d
        params.inside[to], params.outside[to], params.kernel[to] = shape[2 + d], output[2 + d], weight[2 + d]
        params.stride[to], params.dilate[to], params.pad[to] = stride[d], dilate[d], pad[d]
        products *= output[2 + d] * weight[2 + d]
    return 1000 + 0.02 * products * shape[0] * weight[0] * weight[1]


cdef Array arranged(str name, object x, uint8_t dtype, bint channels_last):
    """x with channels first, in C order and of this dtype; a copy where it is not."""
    cdef Array found = operand("convolution", name, x)
    if channels_last:
        found = found._transpose_view((0, found.ndim_ - 1, *range(1, found.ndim_ - 1)))
    return contiguous(converted(found, dtype))


cdef list bias_of(object bias, uint8_t dtype):
    return [] if bias is None else [contiguous(converted(operand("convolution", "bias", bias), dtype))]


cdef tuple channels_first(shape, bint channels_last):
    return (shape[0], shape[len(shape) - 1], *shape[1:len(shape) - 1]) if channels_last else tuple(shape)


cdef object run(Kernel kernel, const char* name, Array like, tuple shape, list inputs,
                ConvolutionParams* params, float cost, uint8_t dtype, bint channels_last, object out,
                list epilogues):
    """Launch a kernel whose result has this shape with channels first; return it as the caller wants it."""
    cdef CEpilogue* epilogue
    cdef int64_t extents[8]
    cdef int64_t wanted[8]
    cdef int d, n = len(shape)
    cdef Array target, given
    for d in range(n):
        extents[d] = shape[d]
    for d in range(n):
        wanted[d] = extents[d] if not channels_last or d == 0 else extents[1 if d == n - 1 else d + 1]
    given = None if out is None else checked_out("convolution", out, n, wanted, like.dtype_code)
    if given is not None and given.c_contiguous and given.dtype_code == dtype and not channels_last:
        target = given
    else:
        target = new_like(like, n, extents, dtype)
    if epilogues:
        if target is given and len(epilogues) == 1 and summed(kernel, name, given, inputs, params, cost, epilogues[0]):
            return given
        (<Epilogue>epilogues[0]).keep_addend(target if given is None else given)
    epilogue = joined(epilogues, target, LEAST_COLUMNS) if target is given else NULL
    if epilogue is not NULL:
        params.finisher = epilogue.finisher()
        launch_finished(kernel, name, target, inputs, params, sizeof(params[0]), cost, epilogue, epilogues)
        return given
    launch(kernel, name, [target], inputs, params, sizeof(params[0]), cost)
    view = target._transpose_view((0, *range(2, n), 1)) if channels_last else target
    if given is None:
        return copy(view, new_like(like, n, wanted, like.dtype_code)) if (
            channels_last or dtype != like.dtype_code) else target
    if target is not given:
        copy(view, given)
    apart(epilogues)
    return given


cdef bint summed(Kernel kernel, const char* name, Array result, list inputs, ConvolutionParams* params,
                 float cost, Epilogue epilogue) except -1:
    """Launch a convolution that adds the epilogue's addend as it writes its result; false if it cannot."""
    cdef Array other
    cdef uint8_t dtype = result.dtype_code
    if epilogue.addend < 0 or params.relu:
        return False
    other = epilogue.inputs[epilogue.addend]
    if on_gpu(inputs, [result, other]):
        return False
    if other.dtype_code != dtype or other.shape != result.shape:
        return False
    if not params.packed and not convolution_by_products_on_cpu(params[0], dtype):
        return False
    same = other.c_contiguous and other.var == result.var and other.offset == result.offset
    if not (same and convolution_sums_in_place_on_cpu(params[0], dtype)):
        epilogue.keep_addend(result)
        other = contiguous(epilogue.inputs[epilogue.addend])
    params.sums, params.relu = True, epilogue.rectifies
    launch_over(kernel, name, result, inputs, params, sizeof(params[0]), cost, other)
    return True


cdef uint8_t computing(Array x):
    return FLOAT64 if x.dtype_code == FLOAT64 else FLOAT32


cdef list convolved(shape, weight, stride, dilate, pad):
    """The spatial extents of a convolution from shapes with channels first."""
    return [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, d, p in zip(shape[2:], weight[2:], stride, dilate, pad)
    ]


def convolution(x, weight, bias, stride, dilate, pad, groups, channels_last=False, out=None, way=None,
                relu=False, packed=False, epilogue=None):
    """Return the convolution of x (n, c, *spatial) with weight (m, c / groups, *kernel), plus bias (m,).

    With `channels_last` x is (n, *spatial, c), weight (m, *kernel, c / groups) and the result
    (n, *output, m). `way` is "auto", "direct" or "winograd", None what MXCY_CONV says. With `relu`,
    negative results are zero. With `packed`, weight is what `pack_filters` has made of it. Then comes the
    `epilogue`, which reads `out` and what else it names.
    """
    cdef ConvolutionParams params
    cdef uint8_t dtype = computing(x)
    cdef Array data = arranged("x", x, dtype, channels_last)
    cdef Array filters = arranged("weight", weight, dtype, channels_last)
    shape = (data.shape[0], filters.shape[0], *convolved(data.shape, filters.shape, stride, dilate, pad))
    cost = fill(&params, data.shape, filters.shape, shape, stride, dilate, pad, groups, way, relu)
    params.packed = packed
    return run(forward_kernel, "convolution", x, shape, [data, filters, *bias_of(bias, dtype)], &params, cost,
               dtype, channels_last, out, [] if epilogue is None else [epilogue])


def convolution_maxima(x, weight, bias, stride, dilate, pad, groups, windows, out=None, way=None, packed=False):
    """Return the largest of every 2x2 elements of a convolution whose negative results are zero.

    Arrays have two spatial axes and channels first; `windows` says how `pooling` makes the same of the whole
    result. Where the kernel can, only what is returned is written to memory.
    """
    cdef ConvolutionParams params
    cdef Array data = operand("convolution", "x", x)
    cdef Array filters = operand("convolution", "weight", weight)
    spatial = convolved(data.shape, filters.shape, stride, dilate, pad)
    shape = (data.shape[0], filters.shape[0], *spatial)
    cost = fill(&params, data.shape, filters.shape, shape, stride, dilate, pad, groups, way, True)
    params.packed = packed
    if (data.dtype_code != computing(data) or on_gpu([data], [])
            or not convolution_halves_on_cpu(params, data.dtype_code)):
        whole = convolution(x, weight, bias, stride, dilate, pad, groups, False, None, way, True, packed)
        return pooling(whole, windows, out)
    params.halved = True
    inputs = [contiguous(data), contiguous(converted(filters, data.dtype_code)), *bias_of(bias, data.dtype_code)]
    return run(forward_kernel, "convolution", data, (*shape[:2], *[n // 2 for n in spatial]), inputs, &params,
               cost, data.dtype_code, False, out, [])


cdef uint8_t described(ConvolutionParams* params, shape, weight, dtype, stride, dilate, pad, groups,
                       bint packed=False, bint relu=False) except 255:
    """Fill the parameters of a convolution that is asked about; return the dtype that it computes in."""
    output = (shape[0], weight[0], *convolved(shape, weight, stride, dilate, pad))
    fill(params, shape, weight, output, stride, dilate, pad, groups, None, relu)
    params.packed = packed
    return FLOAT64 if dtype == "float64" else FLOAT32


def convolution_sums_in_place(shape, weight, dtype, stride, dilate, pad, groups, packed=False):
    """Whether an epilogue of `convolution` that only adds an array may find it where the result is written."""
    cdef ConvolutionParams params
    cdef uint8_t code = described(&params, shape, weight, dtype, stride, dilate, pad, groups, packed)
    return convolution_sums_in_place_on_cpu(params, code)


def convolution_halves(shape, weight, dtype, stride, dilate, pad, groups, packed=False):
    """Whether `convolution_maxima` of data and weight of these shapes makes no more than it returns."""
    cdef ConvolutionParams params
    cdef uint8_t code = described(&params, shape, weight, dtype, stride, dilate, pad, groups, packed, True)
    return convolution_halves_on_cpu(params, code)


def convolution_by_products(shape, weight, dtype, stride, dilate, pad, groups):
    """Whether a convolution of data and weight of these shapes, channels first, can take packed weights."""
    cdef ConvolutionParams params
    cdef uint8_t code = described(&params, shape, weight, dtype, stride, dilate, pad, groups)
    return convolution_by_products_on_cpu(params, code)


def pack_filters(weight, groups, out=None):
    """Return the elements of the weight (m, c / groups, *kernel) of convolutions, channels first, in the
    order in which products read them, which depends on the instruction set."""
    cdef ConvolutionParams params
    cdef Array filters = arranged("weight", weight, computing(weight), False)
    ones = (1,) * (len(filters.shape) - 2)
    zeros = (0,) * len(ones)
    inside = (1, filters.shape[1] * groups, *filters.shape[2:])
    output = (1, filters.shape[0], *ones)
    cost = fill(&params, inside, filters.shape, output, ones, ones, zeros, groups, None, False)
    return run(pack_kernel, "pack_filters", weight, filters.shape, [filters], &params, cost,
               filters.dtype_code, False, out, [])


def convolutions(x, weights, biases, stride, dilate, pad, relu, outs, packed=False):
    """Return the convolutions of x with each of up to 8 weights, by products that share the copies of x.

    `biases` has one for each weight, or is empty; `relu` says for each whether negative results are zero.
    Kernels are of one shape, channels first, all arrays of one of float32 and float64.
    """
    cdef ConvolutionsParams params
    cdef Array data = arranged("x", x, computing(x), False), made
    cdef int64_t extents[8]
    cdef int i, d
    cdef list inputs = [data], outputs = []
    if (<Array>x).dtype_code != data.dtype_code:  # half types
        return [
            convolution(x, weight, biases[i] if biases else None, stride, dilate, pad, 1, False, outs[i],
                        "direct", relu[i], packed)
            for i, weight in enumerate(weights)
        ]
    params.count, params.with_bias = len(weights), len(biases) > 0
    spatial = convolved(data.shape, weights[0].shape, stride, dilate, pad)
    cost = 0.0
    for i, weight in enumerate(weights):
        shape = (data.shape[0], weight.shape[0], *spatial)
        cost += fill(&params.common, data.shape, weight.shape, shape, stride, dilate, pad, 1, "direct", False)
        params.filters[i], params.relu[i] = weight.shape[0], relu[i]
        inputs.append(arranged("weight", weight, data.dtype_code, False))
        for d, extent in enumerate(shape):
            extents[d] = extent
        made = None if outs[i] is None else checked_out("convolution", outs[i], len(shape), extents,
                                                         data.dtype_code)
        if made is None or not made.c_contiguous:
            made = new_like(data, len(shape), extents, data.dtype_code)
        outputs.append(made)
    for bias in biases:
        inputs += bias_of(bias, data.dtype_code)
    params.common.packed = packed
    launch(together_kernel, "convolutions", outputs, inputs, &params, sizeof(params), cost)
    return [made if out is None or made is out else copy(made, out) for made, out in zip(outputs, outs)]


def convolution_data_grad(g, weight, shape, bias, stride, dilate, pad, groups, channels_last=False, out=None,
                          way=None):
    """Return the gradient of `convolution` with respect to x, which has this shape, from that of its result.

    It is a convolution of its own (a deconvolution), to which `bias` (c,) may be added.
    """
    cdef ConvolutionParams params
    cdef uint8_t dtype = computing(g)
    cdef Array heads = arranged("g", g, dtype, channels_last)
    cdef Array filters = arranged("weight", weight, dtype, channels_last)
    inside = channels_first(shape, channels_last)
    cost = fill(&params, inside, filters.shape, heads.shape, stride, dilate, pad, groups, way, False)
    return run(data_kernel, "convolution_data_grad", g, inside, [heads, filters, *bias_of(bias, dtype)],
               &params, cost, dtype, channels_last, out, [])


def convolution_weight_grad(g, x, shape, stride, dilate, pad, groups, channels_last=False, out=None,
                            way=None):
    """Return the gradient of `convolution` with respect to weight, which has this shape."""
    cdef ConvolutionParams params
    cdef uint8_t dtype = computing(g)
    cdef Array heads = arranged("g", g, dtype, channels_last), data = arranged("x", x, dtype, channels_last)
    kernel = channels_first(shape, channels_last)
    cost = fill(&params, data.shape, kernel, heads.shape, stride, dilate, pad, groups, way, False)
    return run(weight_kernel, "convolution_weight_grad", g, kernel, [heads, data], &params, cost, dtype,
               channels_last, out, [])
