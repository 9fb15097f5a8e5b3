"""Arrays made from nothing but attributes, or in the likeness of another."""

import math
from typing import Any

import numpy as np

from .._array import Array, empty, face_of
from .._launch import empty_like
from ..context import Context, current_context
from ..errors import ArgumentError, message
from ..kernels import cpu as kernels
from ._attributes import Axis, DType, Place, Shape
from ._cases import case, raises, uniform
from ._declare import ZERO, op
from ._elementwise import normalize_axis
from ._sparse import ZEROS

FLOAT32 = np.dtype("float32")
MADE: dict[str, Any] = {"grad": ZERO, "dtype": lambda dtype: FLOAT32 if dtype is None else dtype}


def target(shape, dtype, face, ctx, out):
    """`out`, or a new array on the context to write into."""
    if out is not None:
        return out
    context = current_context() if ctx is None else ctx if isinstance(ctx, Context) else parse_context(ctx)
    return empty(
        shape, FLOAT32 if dtype is None else dtype, face or 0, context.device_typeid << 8 | context.device_id
    )


def parse_context(text):
    """The context of MXNet's text, `cpu(0)`."""
    name, _, number = str(text).partition("(")
    digits = number.rstrip(")")
    return Context(name.strip(), int(digits) if digits.isdigit() else 0)


def made(shape, value, dtype, face, ctx, out):
    """A new array of one value, or `out` filled with it."""
    out = target(shape, dtype, face, ctx, out)
    kernels.fill(out, value)
    return out


@op(
    **MADE,
    shape=lambda shape: shape,
    ref=lambda shape, dtype="float32": np.zeros(shape, dtype),
    cases=[case(shape=(2, 3)), case(shape=3, dtype="int32"), case(shape=(0, 2), dtype="bool")],
)
def _zeros(*, shape: Shape = (), ctx: Place = None, dtype: DType = FLOAT32, out, face):
    """An array of zeros."""
    return made(shape, 0, dtype, face, ctx, out)


@op(
    grad=ZERO,
    dtype=lambda: FLOAT32,
    shape=lambda shape: shape,
    ref=lambda shape: np.zeros(shape),
    cases=[case(shape=(2, 3))],
)
def _zeros_without_dtype(*, shape: Shape = (), ctx: Place = None, dtype: Axis = -1, out, face):
    """An array of zeros of float32."""
    return made(shape, 0, FLOAT32, face, ctx, out)


@op(
    **MADE,
    shape=lambda shape: shape,
    ref=lambda shape, dtype="float32": np.ones(shape, dtype),
    cases=[case(shape=(2, 3)), case(shape=(2,), dtype="float16"), case(shape=(0, 2))],
)
def _ones(*, shape: Shape = (), ctx: Place = None, dtype: DType = FLOAT32, out, face):
    """An array of ones."""
    return made(shape, 1, dtype, face, ctx, out)


@op(
    **MADE,
    shape=lambda shape: shape,
    ref=lambda shape, value, dtype="float32": np.full(shape, value, dtype),
    cases=[case(shape=(2, 3), value=7.5), case(shape=(2,), value=7.5, dtype="int32")],
)
def _full(*, shape: Shape = (), ctx: Place = None, dtype: DType = FLOAT32, value: float, out, face):
    """An array of one value, converted to the dtype as C does."""
    if dtype is not None and dtype.kind in "iu":
        value = int(value)
    return made(shape, value, dtype, face, ctx, out)


def arange_count(start, stop, step, name="_arange"):
    """(first, number of values) of a range."""
    if step == 0:
        raise ArgumentError(message(name, "step", "a number other than 0", step))
    first, last = (0, start) if stop is None else (start, stop)
    if not math.isfinite((last - first) / step):
        raise ArgumentError(message(name, "stop", "a finite range", last))
    count = math.ceil((last - first) / step)
    return first, count if count > 0 else 0


def arange_reference(start, stop=None, step=1.0, repeat=1, dtype="float32", **attrs):
    return np.repeat(np.arange(*((0, start) if stop is None else (start, stop)), step), repeat).astype(dtype)


@op(
    **MADE,
    shape=lambda start, stop, step, repeat: (arange_count(start, stop, step)[1] * repeat,),
    ref=arange_reference,
    cases=[
        case(start=5),
        case(start=1, stop=5, step=2),
        case(start=0, stop=3, step=0.5),
        case(start=5, stop=0, step=-1),
        case(start=3, repeat=2),
        case(start=5, dtype="int32"),
        case(start=0),
        raises(
            ArgumentError,
            start=1,
            stop=2,
            step=0,
            match="_arange(step): expected a number other than 0, got 0",
        ),
    ],
)
def _arange(
    *,
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool = False,
    ctx: Place = None,
    dtype: DType = FLOAT32,
    out,
    face,
):
    """Numbers from start (or 0) up to stop in equal steps, each `repeat` times."""
    first, _ = arange_count(start, stop, step)
    last = start if stop is None else stop
    count = arange_count(start, stop, step)[1] * repeat
    return kernels.arange(
        first, last, step, repeat, dtype or FLOAT32, out=target((count,), dtype, face, ctx, out)
    )


@op(
    **MADE,
    shape=lambda num: (num,),
    cases=[case(start=0, stop=1, num=5), case(start=0, stop=1, num=4, endpoint=False)],
    ref=lambda start, stop, num, endpoint=True, dtype="float32": np.linspace(
        start, stop, num, endpoint, dtype=dtype
    ),
)
def _linspace(
    *,
    start: float,
    stop: float,
    num: int = 50,
    endpoint: bool = True,
    ctx: Place = None,
    dtype: DType = FLOAT32,
    out,
    face,
):
    """`num` numbers at equal distances from start to stop."""
    return kernels.linspace(
        start, stop, num, endpoint, dtype or FLOAT32, out=target((num,), dtype, face, ctx, out)
    )


@op(
    **MADE,
    shape=lambda N, M: (N, M or N),
    ref=lambda N, M=0, k=0, dtype="float32": np.eye(N, M or None, k, dtype),
    cases=[
        case(N=2), case(N=2, M=3, k=1), case(N=3, M=2, k=-1, dtype="int32"), case(N=0),
        raises(ArgumentError, N=-3, match="_eye(N): expected at least 0, got -3"),
    ],
)
def _eye(*, N: int, M: int = 0, k: int = 0, ctx: Place = None, dtype: DType = FLOAT32, out, face):
    """Zeros with ones on a diagonal."""
    for name, extent in (("N", N), ("M", M)):
        if extent < 0:
            raise ArgumentError(message("_eye", name, "at least 0", extent))
    return kernels.eye(N, M or N, k, dtype or FLOAT32, out=target((N, M or N), dtype, face, ctx, out))


def alike(data, value, out):
    out = empty_like(data, data.shape) if out is None else out
    kernels.fill(out, value)
    return out


@op(
    grad=ZERO, shape_only=("data",), ref=np.zeros_like,
    storage=ZEROS,
    cases=[uniform(2, 3), uniform(0, 2), uniform()],
)
def zeros_like(data, *, out):
    """Zeros of the shape and dtype of data."""
    return alike(data, 0, out)


@op(grad=ZERO, shape_only=("data",), ref=np.ones_like, cases=[uniform(2, 3), uniform(0, 2)])
def ones_like(data, *, out):
    """Ones of the shape and dtype of data."""
    return alike(data, 1, out)


def arange_like_shape(data, axis, repeat):
    return (*data,) if axis is None else (data[normalize_axis("arange_like", axis, len(data))],)


@op(
    grad=ZERO,
    name="_contrib_arange_like",
    shape=arange_like_shape,
    shape_only=("data",),
    kinds="iuf",
    ref=lambda x, start=0.0, step=1.0, repeat=1, axis=None: arange_like_reference(
        x, start, step, repeat, axis
    ),
    cases=[case(uniform(2, 3)), case(uniform(2, 3), axis=1, start=1.0, step=2.0), case(uniform(4), repeat=2)],
)
def arange_like(
    data, *, start: float = 0.0, step: float = 1.0, repeat: int = 1, ctx: Place = None, axis: Axis = None, out
):
    """Numbers in equal steps, as many as data has elements (in its shape) or entries along an axis."""
    shape = arange_like_shape(data.shape, axis, repeat)
    count = math.prod(shape)
    steps = math.ceil(count / repeat)
    face = face_of(type(data))
    values = kernels.arange(start, start + steps * step, step, repeat, data.dtype, face=face)
    values = Array.__getitem__(values, slice(0, count))._reshape_view(shape)
    return kernels.copy(values, out=empty_like(data, shape) if out is None else out)


def arange_like_reference(x, start, step, repeat, axis):
    shape = arange_like_shape(x.shape, axis, repeat)
    return (start + step * (np.arange(math.prod(shape)) // repeat)).reshape(shape)
