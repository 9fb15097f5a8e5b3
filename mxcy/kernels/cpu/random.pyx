"""Random arrays from Philox4x32-10; the same for every number of threads and every instruction set."""

from libc.math cimport ldexp
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

import functools

import numpy as np

from ..._array cimport Array, new_array, new_like, read_shape
from ..._cast cimport CastLoop, cast_loop
from ..._engine cimport Kernel, KernelContext
from ..._launch cimport checked_out, contiguous, launch, operand

from ...context import Context
from ...dtypes import DTYPES, code_of
from ...errors import ArgumentError, DTypeError, message
from ..philox import reserve
from .copying import copy
from .indexing import take
from .sorting import argsort

__all__ = [
    "philox", "random_bernoulli", "random_exponential", "random_normal", "random_randint", "random_uniform",
    "shuffle",
]


cdef extern from "mxcy/kernels/cpu/casts.hpp" namespace "mxcy" nogil:
    void set_cast_lookup(CastLoop (*)(int, int) noexcept nogil)

set_cast_lookup(cast_loop)

cdef extern from "mxcy/kernels/cpu/random.hpp" namespace "mxcy" nogil:
    cdef cppclass RandomParams:
        uint64_t seed, stream
        int distribution
        double a, b, below
        uint64_t limit
        int64_t first
    int UNIFORM, NORMAL, EXPONENTIAL, BERNOULLI, INTEGERS
    Kernel random_kernel_of_cpu()
    void philox_block(const uint32_t* counter, const uint32_t* key, uint32_t* words)

cdef enum:
    MAX_NDIM = 32

cdef Kernel random_kernel = random_kernel_of_cpu()


def philox(counter, key):
    """Return the block of four 32-bit words at a counter (four words) under a key (two words)."""
    cdef uint32_t inputs[6]
    cdef uint32_t words[4]
    for i, word in enumerate((*counter, *key)):
        inputs[i] = word
    philox_block(inputs, inputs + 4, words)
    return tuple([words[i] for i in range(4)])


cdef Array draw(str op, RandomParams* params, object shape, object dtype, int face, object ctx, object out):
    cdef int64_t dims[MAX_NDIM]
    cdef int ndim
    cdef uint8_t code
    cdef Array target, plain
    if out is not None:
        target = operand(op, "out", out)
        shape = target.shape if shape is None else shape
        dtype = DTYPES[target.dtype_code] if dtype is None else dtype
    code = code_of("float32" if dtype is None else dtype)
    ndim = read_shape(() if shape is None else shape, dims)
    target = new_array(face, ndim, dims, code) if out is None else checked_out(op, out, ndim, dims, code)
    plain = target if target.c_contiguous else new_like(target, ndim, dims, code)
    if ctx is None and target.var.on_gpu():  # the generator of the device that holds the numbers
        ctx = Context("gpu", target.var.context & 0xFF)
    params.seed, params.stream = reserve(ctx)
    launch(random_kernel, "random", [plain], [], params, sizeof(RandomParams), 100 + 3.0 * target.size)
    if plain is not target:
        copy(plain, target)
    return target


cdef object real_dtype(str op, object dtype, object out):
    """Return the dtype of a result that must be real."""
    dtype = DTYPES[code_of((out.dtype if out is not None else "float32") if dtype is None else dtype)]
    if dtype.kind in "biuc":
        raise DTypeError(message(op, "dtype", "a floating-point type", dtype))
    return dtype


def random_uniform(low=0.0, high=1.0, shape=None, dtype=None, int face=0, ctx=None, out=None):
    """Return numbers drawn evenly from [low, high)."""
    cdef RandomParams params
    dtype = real_dtype("random_uniform", dtype, out)
    if not low <= high:
        raise ArgumentError(message("random_uniform", "low", f"at most high = {high}", low))
    params.distribution, params.a, params.b = UNIFORM, low, high
    params.below = below_limit(low, high, dtype)
    return draw("random_uniform", &params, shape, dtype, face, ctx, out)


@functools.lru_cache(maxsize=256)
def below_limit(low, high, dtype):
    """Return the largest number of a type below `high`, but at least `low`: rounding may not reach `high`."""
    with np.errstate(over="ignore"):
        low, limit = dtype.type(low), dtype.type(high)
    while float(limit) >= high and limit > low:
        limit = np.nextafter(limit, low)
    return float(limit)


def random_normal(loc=0.0, scale=1.0, shape=None, dtype=None, int face=0, ctx=None, out=None):
    """Return numbers from the normal distribution (by the Box-Muller transformation)."""
    cdef RandomParams params
    dtype = real_dtype("random_normal", dtype, out)
    if not scale >= 0:
        raise ArgumentError(message("random_normal", "scale", "at least 0", scale))
    params.distribution, params.a, params.b = NORMAL, loc, scale
    return draw("random_normal", &params, shape, dtype, face, ctx, out)


def random_exponential(scale=1.0, shape=None, dtype=None, int face=0, ctx=None, out=None):
    """Return numbers from the exponential distribution with mean `scale`."""
    cdef RandomParams params
    dtype = real_dtype("random_exponential", dtype, out)
    if not scale >= 0:
        raise ArgumentError(message("random_exponential", "scale", "at least 0", scale))
    params.distribution, params.a = EXPONENTIAL, scale
    return draw("random_exponential", &params, shape, dtype, face, ctx, out)


def random_bernoulli(p=0.5, shape=None, scale=1.0, dtype=None, int face=0, ctx=None, out=None):
    """Return `scale` with probability p, else 0; a dropout mask has p = keep and scale = 1 / keep."""
    cdef RandomParams params
    if not 0 <= p <= 1:
        raise ArgumentError(message("random_bernoulli", "p", "a number from 0 to 1", p))
    params.distribution, params.a = BERNOULLI, scale
    params.limit = <uint64_t>(ldexp(p, 32) + 0.5)
    return draw("random_bernoulli", &params, shape, dtype, face, ctx, out)


def random_randint(low, high, shape=None, dtype=None, int face=0, ctx=None, out=None):
    """Return integers drawn evenly from [low, high), by default as int64."""
    cdef RandomParams params
    if dtype is None:
        dtype = out.dtype if out is not None else np.int64
    low, high = int(low), int(high)
    dtype = DTYPES[code_of(dtype)]
    if not low < high:
        raise ArgumentError(message("random_randint", "low", f"less than high = {high}", low))
    if dtype.kind in "iu" and not np.iinfo(dtype).min <= low < high <= np.iinfo(dtype).max + 1:
        got = f"{low}, {high}"
        raise ArgumentError(message("random_randint", "low and high", f"bounds within {dtype}", got))
    params.distribution = INTEGERS
    params.limit = (high - low) & (2**64 - 1)
    params.first = low - 2**64 if low >= 2**63 else low
    return draw("random_randint", &params, shape, dtype, face, ctx, out)


def shuffle(x, ctx=None, out=None):
    """Return x with its entries along the first axis in random order."""
    cdef Array source = operand("shuffle", "x", x)
    if source.ndim_ == 0:
        return copy(source, out)
    keys = random_randint(-2**63, 2**63, ctx=ctx, out=new_like(source, 1, source.dims, code_of("int64")))
    return take(source, argsort(keys, dtype=np.int64), axis=0, out=out)
