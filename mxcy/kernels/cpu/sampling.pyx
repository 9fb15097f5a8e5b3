"""Random arrays from distributions that reject, or whose parameters are arrays; from Philox4x32-10.

Every element draws from a sequence of its own, so the result depends on the seed and the parameters alone.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from ..._array cimport Array, new_array, new_like, read_shape
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport checked_out, contiguous, converted, launch, operand

from ...dtypes import DTYPES, code_of
from ...errors import ArgumentError, DTypeError, ShapeError, message
from ..philox import reserve
from .copying import copy

__all__ = ["multinomial", "sample"]

cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    enum:
        FLOAT64

cdef extern from "mxcy/kernels/cpu/sampling.hpp" namespace "mxcy" nogil:
    cdef cppclass SamplingParams:
        uint64_t seed, stream
        int distribution
        double a, b
        int64_t each
    cdef cppclass MultinomialParams:
        uint64_t seed, stream
        int64_t classes, each
    int SAMPLED_UNIFORM, SAMPLED_NORMAL, SAMPLED_EXPONENTIAL, SAMPLED_GAMMA, SAMPLED_POISSON
    int SAMPLED_NEGATIVE_BINOMIAL, SAMPLED_GENERALIZED_NEGATIVE_BINOMIAL
    int sampling_kernel(KernelContext&)
    int multinomial_kernel(KernelContext&)

cdef enum:
    MAX_NDIM = 32

DISTRIBUTIONS = {
    "uniform": SAMPLED_UNIFORM,
    "normal": SAMPLED_NORMAL,
    "exponential": SAMPLED_EXPONENTIAL,
    "gamma": SAMPLED_GAMMA,
    "poisson": SAMPLED_POISSON,
    "negative_binomial": SAMPLED_NEGATIVE_BINOMIAL,
    "generalized_negative_binomial": SAMPLED_GENERALIZED_NEGATIVE_BINOMIAL,
}


def sample(distribution, parameters, shape, dtype, int face=0, ctx=None, out=None):
    """Return numbers from a distribution of DISTRIBUTIONS.

    `parameters` are numbers, and `shape` is that of the result; or arrays of one shape, and `shape` is that
    of the numbers drawn for each of their elements, which it follows in the shape of the result.
    """
    cdef SamplingParams params
    cdef int64_t dims[MAX_NDIM]
    cdef int ndim
    cdef uint8_t code = code_of(dtype)
    cdef Array first, target, plain
    cdef list inputs = []
    op = f"sample_{distribution}"
    params.distribution = DISTRIBUTIONS[distribution]
    params.a = params.b = 0
    params.each = 1
    if isinstance(parameters[0], Array):
        first = parameters[0]
        inputs = [parameter_array(op, first, x) for x in parameters]
        for extent in shape:
            params.each *= extent
        ndim = read_shape((*first.shape, *shape), dims)
        target = new_like(first, ndim, dims, code) if out is None else checked_out(op, out, ndim, dims, code)
        ctx = first.context
    else:
        params.a, params.b = parameters[0], parameters[len(parameters) - 1]
        ndim = read_shape(shape, dims)
        target = new_array(face, ndim, dims, code) if out is None else checked_out(op, out, ndim, dims, code)
    plain = target if target.c_contiguous else new_array(0, ndim, dims, code)
    params.seed, params.stream = reserve(ctx)
    launch(sampling_kernel, "sample", [plain], inputs, &params, sizeof(params), 200 + 60.0 * plain.size)
    if plain is not target:
        copy(plain, target)
    return target


cdef Array parameter_array(str op, Array first, object x):
    cdef Array found = operand(op, "parameters", x)
    if found.shape != first.shape:
        raise ShapeError(message(op, "parameters", f"arrays of one shape, as {first.shape}", found.shape))
    if DTYPES[found.dtype_code].kind == "c":
        raise DTypeError(message(op, "parameters", "real numbers", DTYPES[found.dtype_code]))
    return contiguous(converted(found, FLOAT64))


def multinomial(data, shape, dtype, with_logarithms=False):
    """Return classes drawn by the probabilities in the last axis of data, `shape` of them for every row.

    With `with_logarithms` returns also the logarithms of their probabilities, in the dtype of data.
    """
    cdef MultinomialParams params
    cdef Array source = operand("multinomial", "data", data)
    cdef int64_t dims[MAX_NDIM]
    cdef int ndim
    cdef Array classes, logarithms
    if source.ndim_ < 1 or source.dims[source.ndim_ - 1] < 1:
        raise ShapeError(message("multinomial", "data", "probabilities along the last axis", source.shape))
    if DTYPES[source.dtype_code].kind in "biuc":
        expected = "probabilities of a floating-point type"
        raise DTypeError(message("multinomial", "data", expected, DTYPES[source.dtype_code]))
    params.classes = source.dims[source.ndim_ - 1]
    params.each = 1
    for extent in shape:
        if extent < 0:
            raise ArgumentError(message("multinomial", "shape", "extents of at least 0", shape))
        params.each *= extent
    ndim = read_shape((*source.shape[: source.ndim_ - 1], *shape), dims)
    params.seed, params.stream = reserve(source.context)
    classes = new_like(source, ndim, dims, code_of(dtype))
    outputs = [classes]
    if with_logarithms:
        logarithms = new_like(source, ndim, dims, source.dtype_code)
        outputs.append(logarithms)
    launch(multinomial_kernel, "multinomial", outputs, [contiguous(converted(source, FLOAT64))], &params,
           sizeof(params), 200 + 60.0 * classes.size + 2.0 * source.size)
    return outputs
