"""Random numbers, counter-based: a seed gives one stream, whatever the number of threads."""

from typing import Any

import numpy as np

from .._array import face_of
from ..errors import ArgumentError, message
from ..kernels import cpu as kernels
from ._attributes import DType, Place, Shape
from ._cases import case, raises, uniform
from ._declare import ZERO, op
from .creation import target

FLOAT32 = np.dtype("float32")
# Tests compare shape, dtype and moments instead of values.
DRAWN: dict[str, Any] = {
    "grad": ZERO,
    "ref": None,
    "dtype": lambda dtype: FLOAT32 if dtype is None else dtype,
    "shape": lambda shape: shape or (1,),
}


def place(shape, dtype, ctx, face, out):
    """The keywords that all kernels of this family share."""
    shape = shape or (1,)
    return {"shape": shape, "ctx": ctx, "out": target(shape, dtype, face, ctx, out)}


@op(
    **DRAWN,
    cases=[
        case(shape=(40, 50)),
        case(low=-2, high=5, shape=(2000,), dtype="float64"),
        case(shape=(0, 2)),
        raises(ArgumentError, low=1, high=0, shape=(2,), match="(low): expected at most high"),
    ],
)
def _random_uniform(
    *,
    low: float = 0.0,
    high: float = 1.0,
    shape: Shape = (),
    ctx: Place = None,
    dtype: DType = None,
    out,
    face,
):
    """Numbers drawn evenly from [low, high)."""
    return kernels.random_uniform(low, high, **place(shape, dtype, ctx, face, out))


@op(
    **DRAWN,
    cases=[
        case(shape=(40, 50)),
        case(loc=3, scale=2, shape=(2000,), dtype="float64"),
        case(shape=(0, 2)),
        raises(ArgumentError, scale=-1, shape=(2,), match="(scale): expected at least 0, got -1"),
    ],
)
def _random_normal(
    *,
    loc: float = 0.0,
    scale: float = 1.0,
    shape: Shape = (),
    ctx: Place = None,
    dtype: DType = None,
    out,
    face,
):
    """Numbers from the normal distribution with mean loc and standard deviation scale."""
    return kernels.random_normal(loc, scale, **place(shape, dtype, ctx, face, out))


@op(
    **{**DRAWN, "dtype": lambda dtype: np.dtype("int32") if dtype is None else dtype},
    cases=[
        case(low=0, high=10, shape=(40, 50)),
        case(low=-5, high=5, shape=(2000,), dtype="int64"),
        raises(ArgumentError, low=3, high=3, shape=(2,), match="(low)"),
    ],
)
def _random_randint(
    *, low: int, high: int, shape: Shape = (), ctx: Place = None, dtype: DType = None, out, face
):
    """Integers drawn evenly from [low, high)."""
    return kernels.random_randint(low, high, **place(shape, dtype or np.dtype("int32"), ctx, face, out))


@op(**DRAWN, cases=[case(lam=2.0, shape=(2000,)), case(shape=(0, 2))])
def _random_exponential(
    *, lam: float = 1.0, shape: Shape = (), ctx: Place = None, dtype: DType = None, out, face
):
    """Numbers from the exponential distribution with rate lam (mean 1 / lam)."""
    if not lam > 0:
        raise ArgumentError(message("_random_exponential", "lam", "more than 0", lam))
    return kernels.random_exponential(1 / lam, **place(shape, dtype, ctx, face, out))


LIKE: dict[str, Any] = {"grad": ZERO, "ref": None, "shape_only": ("data",), "kinds": "f"}


@op(**LIKE, cases=[case(uniform(40, 50)), case(uniform(2000), low=-2, high=5)])
def _random_uniform_like(data, *, low: float = 0.0, high: float = 1.0, out):
    """Numbers drawn evenly from [low, high), in the shape and dtype of data."""
    return kernels.random_uniform(low, high, data.shape, data.dtype, face_of(type(data)), out=out)


@op(**LIKE, cases=[case(uniform(40, 50)), case(uniform(2000), loc=3, scale=2)])
def _random_normal_like(data, *, loc: float = 0.0, scale: float = 1.0, out):
    """Numbers from a normal distribution, in the shape and dtype of data."""
    return kernels.random_normal(loc, scale, data.shape, data.dtype, face_of(type(data)), out=out)


@op(grad=ZERO, ref=None, cases=[case(uniform(40, 3))])
def _shuffle(data, *, out):
    """data with its entries along the first axis in random order."""
    return kernels.shuffle(data, out=out)
