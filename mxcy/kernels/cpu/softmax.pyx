"""Softmax along an axis, its logarithm, their gradients, and the loss layer SoftmaxOutput.

float16, bfloat16 and integers are computed in float32; exp is within one unit in the last place; sums are
added in two levels, so the error does not grow with the axis.
"""

from libc.stdint cimport int64_t, uint8_t

from ..._array cimport Array, new_view
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport LAUNCH_ELEMENTWISE, contiguous, launch, normal_axis, operand, result

from ...dtypes import DTYPES, code_of
from ...errors import ArgumentError, DTypeError, ShapeError, message
from .copying import copy

__all__ = [
    "log_softmax", "log_softmax_grad", "softmax", "softmax_grad", "softmax_output", "softmax_output_grad",
]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    const uint8_t UINT64, FLOAT32, COMPLEX64

cdef extern from "mxcy/kernels/cpu/softmax.hpp" namespace "mxcy" nogil:
    cdef cppclass SoftmaxParams:
        int axis
        bint logarithm, negate, has_length
        double inverse_temperature
    cdef cppclass SoftmaxOutputParams:
        int64_t count, classes, inner
        double scale, smooth_alpha
        int64_t ignore_label
        bint use_ignore, by_valid, has_head_gradient, label_is_probability
    Kernel softmax_kernel_of_cpu()
    Kernel softmax_gradient_kernel_of_cpu()
    int softmax_output_gradient_kernel(KernelContext&)

cdef Kernel softmax_kernel = softmax_kernel_of_cpu()
cdef Kernel softmax_gradient_kernel = softmax_gradient_kernel_of_cpu()


cdef object run(str op, const char* name, Kernel kernel, Array x, Array g, object axis, object temperature,
                object length, bint negate, bint logarithm, object dtype, object out):
    cdef SoftmaxParams params
    cdef uint8_t code
    if x.ndim_ == 0:  # a line of one
        made = run(op, name, kernel, x._reshape_view((1,)), None if g is None else g._reshape_view((1,)), axis,
                   temperature, length, negate, logarithm, dtype, None)._reshape_view(())
        return made if out is None else copy(made, out)
    params.axis = normal_axis(op, axis, x.ndim_)
    params.logarithm, params.negate = logarithm, negate
    params.has_length = length is not None
    params.inverse_temperature = 1.0
    if temperature is not None:
        if temperature == 0:
            raise ArgumentError(message(op, "temperature", "a number other than 0", temperature))
        params.inverse_temperature = 1.0 / temperature
    if dtype is not None:
        code = code_of(dtype)
    else:
        code = x.dtype_code if x.dtype_code > UINT64 else FLOAT32
    if not UINT64 < code < COMPLEX64 or x.dtype_code >= COMPLEX64:
        raise DTypeError(message(op, "dtype", "a floating-point type", DTYPES[code]))
    cdef Array target = result(op, x, out, x.ndim_, x.dims, code)
    inputs = [x] if g is None else [x, g]
    if length is not None:
        rows = (*x.shape[:params.axis], *x.shape[params.axis + 1:])
        if operand(op, "length", length).shape not in (rows, rows or (1,)):
            raise ShapeError(message(op, "length", f"shape {rows}", length.shape))
        inputs.append(length)
    launch(kernel, name, [target], inputs, &params, sizeof(params), 100 + 2.0 * x.size, LAUNCH_ELEMENTWISE)
    return target


def softmax(x, axis=-1, temperature=None, length=None, negate=False, dtype=None, out=None):
    """Return exp(x / temperature) divided by its sum along the axis.

    `length` (the shape of x without the axis) gives how many leading elements of every line take part;
    the others become 0. With `negate` computes the softmax of -x. Integers give float32.
    """
    return run("softmax", "softmax", softmax_kernel, operand("softmax", "x", x), None, axis, temperature,
               length, negate, False, dtype, out)


def log_softmax(x, axis=-1, temperature=None, length=None, negate=False, dtype=None, out=None):
    """Return the logarithm of `softmax`, without the loss of accuracy; 0 beyond `length`."""
    return run("log_softmax", "log_softmax", softmax_kernel, operand("log_softmax", "x", x), None, axis,
               temperature, length, negate, True, dtype, out)


cdef object run_gradient(str op, const char* name, object y, object g, object axis, object temperature,
                         object length, bint negate, bint logarithm, object dtype, object out):
    cdef Array value = operand(op, "y", y), head = operand(op, "g", g)
    if value.shape != head.shape:
        raise ShapeError(message(op, "g", f"shape {value.shape}", head.shape))
    return run(op, name, softmax_gradient_kernel, value, head, axis, temperature, length, negate, logarithm,
               dtype, out)


def softmax_grad(y, g, axis=-1, temperature=None, length=None, negate=False, dtype=None, out=None):
    """Return the gradient of `softmax` from its result y and the gradient of that."""
    return run_gradient("softmax_grad", "softmax_grad", y, g, axis, temperature, length, negate, False,
                        dtype, out)


def log_softmax_grad(y, g, axis=-1, temperature=None, length=None, negate=False, dtype=None, out=None):
    """Return the gradient of `log_softmax` from its result y and the gradient of that."""
    return run_gradient("log_softmax_grad", "log_softmax_grad", y, g, axis, temperature, length, negate, True,
                        dtype, out)


cdef Array reshaped(Array x, int64_t a, int64_t b, int64_t c):
    """Return an array in C order as a view of three axes."""
    cdef int64_t dims[6]
    cdef int64_t item = x.itemsize
    dims[0], dims[1], dims[2] = a, b, c
    dims[3], dims[4], dims[5] = b * c * item, c * item, item
    return new_view(x, x.offset, 3, dims, dims + 3)


cdef tuple sides(str op, Array data, bint multi_output, bint preserve_shape):
    """Return (samples, classes, positions): how SoftmaxOutput reads the shape of its data."""
    if data.ndim_ == 0:
        raise ShapeError(message(op, "data", "at least one dimension", data.shape))
    if multi_output:
        if data.ndim_ < 2:
            raise ShapeError(message(op, "data", "at least two dimensions", data.shape))
        return data.dims[0], data.dims[1], product(data.dims + 2, data.ndim_ - 2)
    if preserve_shape:
        return product(data.dims, data.ndim_ - 1), data.dims[data.ndim_ - 1], 1
    return data.dims[0], product(data.dims + 1, data.ndim_ - 1), 1


cdef int64_t product(const int64_t* extents, int n) noexcept:
    cdef int64_t total = 1
    cdef int d
    for d in range(n):
        total *= extents[d]
    return total


def softmax_output(data, multi_output=False, preserve_shape=False, out=None):
    """Return class probabilities: the softmax over all axes but the first one, over axis 1
    (`multi_output`), or over the last axis (`preserve_shape`)."""
    cdef Array x = operand("softmax_output", "data", data), target
    cdef bint in_place
    count, classes, inner = sides("softmax_output", x, multi_output, preserve_shape)
    target = result("softmax_output", x, out, x.ndim_, x.dims, x.dtype_code)
    if not target.c_contiguous:
        return copy(softmax_output(x, multi_output, preserve_shape), target)
    view = reshaped(target, count, classes, inner)
    softmax(reshaped(contiguous(x), count, classes, inner), axis=1, out=view)
    return target


def softmax_output_grad(
    y, label, g=None, grad_scale=1.0, ignore_label=-1.0, use_ignore=False, multi_output=False,
    preserve_shape=False, normalization="null", smooth_alpha=0.0, out=None,
):
    """Return the gradient that SoftmaxOutput gives its data: (y - one_hot(label)) * grad_scale / count.

    y: the probabilities from `softmax_output`. label: one class for each sample (and position), or
    probabilities in the shape of y. count: 1, the samples ("batch") or the labels other than
    `ignore_label` ("valid"); with `multi_output` and not "valid" also the positions of a sample. Labels
    equal to `ignore_label` give zeros with `use_ignore`. `smooth_alpha` of the label's probability is
    spread over the other classes. A head gradient `g` multiplies the result.
    """
    cdef Array probability = operand("softmax_output_grad", "y", y)
    cdef Array target = operand("softmax_output_grad", "label", label)
    cdef SoftmaxOutputParams params
    op = "softmax_output_grad"
    if normalization not in ("null", "batch", "valid"):
        raise ArgumentError(message(op, "normalization", "null, batch or valid", repr(normalization)))
    params.count, params.classes, params.inner = sides(op, probability, multi_output, preserve_shape)
    params.label_is_probability = target.shape == probability.shape
    labels = params.count * params.inner
    if not params.label_is_probability and target.size != labels:
        shape = (probability.shape[0], *probability.shape[2:]) if multi_output else (labels,)
        raise ShapeError(message(op, "label", f"shape {shape} or {probability.shape}", target.shape))
    params.scale, params.smooth_alpha = grad_scale, smooth_alpha
    params.use_ignore, params.ignore_label = use_ignore, int(ignore_label)
    params.by_valid = normalization == "valid" and not params.label_is_probability
    if not params.label_is_probability:
        if multi_output and normalization != "valid":
            params.scale /= max(params.inner, 1)
        if normalization == "batch":
            params.scale /= max(params.count, 1)
    params.has_head_gradient = g is not None
    inputs = [contiguous(probability), contiguous(target)]
    if g is not None:
        head = operand(op, "g", g)
        if head.shape != probability.shape:
            raise ShapeError(message(op, "g", f"shape {probability.shape}", head.shape))
        inputs.append(contiguous(head))
    cdef Array gradient = result(op, probability, out, probability.ndim_, probability.dims,
                                 probability.dtype_code)
    cdef Array plain = gradient
    if not gradient.c_contiguous:
        plain = result(op, gradient, None, gradient.ndim_, gradient.dims, gradient.dtype_code)
    launch(softmax_output_gradient_kernel, "SoftmaxOutput_backward", [plain], inputs, &params, sizeof(params),
           100 + 1.0 * plain.size)
    if plain is not gradient:
        copy(plain, gradient)
    return gradient
