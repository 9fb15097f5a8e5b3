"""New arrays: from values, filled with a number, evenly spaced, or over memory of other libraries."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from .._array import Array
from .._array import from_dlpack as import_dlpack
from .._array import from_numpy as import_numpy
from .._dlpack import from_cuda
from ..context import current_context
from ..dtypes import DTYPES, code_of
from ..errors import ArgumentError, ArgumentTypeError, AxisError, ShapeError, message
from ..kernels import cpu as kernels
from ..ops import _storage
from ..switches import is_np_shape
from . import _sparse_creation
from ._indexing import assign
from ._placement import as_shape, context_code, new
from .ndarray import FACE, NDArray

__all__ = [
    "arange",
    "array",
    "concatenate",
    "empty",
    "eye",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "linspace",
    "moveaxis",
    "onehot_encode",
    "ones",
    "to_dlpack_for_read",
    "to_dlpack_for_write",
    "zeros",
]


def array(source_array: Any, ctx: Any = None, dtype: Any = None) -> NDArray:
    """Return a new array with the values of an array, a nested list or a number.

    Without `dtype` it is float32 whatever the source, unless that is an NDArray, whose dtype it keeps. Of a
    sparse array or matrix the new array is sparse, and has its dtype.
    Raises an error that is a TypeError for what is not like an array.
    """
    if _storage.stored(source_array) or _sparse_creation.is_scipy(source_array):
        return _sparse_creation.array(source_array, ctx, dtype)
    if isinstance(source_array, Array):
        dtype = source_array.dtype if dtype is None else dtype
        if source_array.ndim == 0:
            return array(np.asarray(source_array), ctx, dtype)
        return kernels.copy(source_array, out=new(source_array.shape, dtype, ctx, FACE))
    dtype = DTYPES[code_of(np.float32 if dtype is None else dtype)]
    if hasattr(source_array, "__cuda_array_interface__"):
        return array(from_cuda(source_array, FACE), ctx, dtype)
    values = _values(source_array, dtype)
    if values.ndim == 0:  # which `new` would not take as it is
        return _placed(import_numpy(values.astype(dtype, copy=False), FACE), ctx)
    result = new(values.shape, dtype, ctx, FACE)
    if result.context.device_type == "gpu":
        return kernels.copy(import_numpy(values.astype(dtype, copy=False), FACE), out=result)
    np.copyto(result.view_numpy(writable=True), values, casting="unsafe")
    return result


def _values(source: Any, dtype: np.dtype) -> np.ndarray:
    """The source as a NumPy array: of its own dtype, which is then cast as C does, if it has one."""
    if hasattr(source, "__array__") or hasattr(source, "__array_interface__"):
        values = np.asarray(source)
        if values.dtype.kind in "biufc" or values.dtype in DTYPES:
            return values
    try:
        return np.array(source, dtype=dtype)
    except OverflowError:  # a Python integer out of range wraps, as in C
        return np.array(source)
    except (TypeError, ValueError) as error:
        expected = f"numbers, an array or nested lists of numbers for {dtype}"
        got = type(source).__name__
        raise ArgumentTypeError(message("array", "source_array", expected, got, str(error))) from None


def empty(shape: Any, ctx: Any = None, dtype: Any = None, stype: str | None = None) -> NDArray:
    """Return a new array whose contents are undefined; float32 without `dtype`.

    `stype` is its storage type; sparse ones keep no element, so that they are all zeros.
    """
    if stype not in (None, "default"):
        return _sparse_creation.zeros(stype, shape, ctx, dtype)
    return new(shape, np.float32 if dtype is None else dtype, ctx, FACE)


def full(shape: Any, val: Any, ctx: Any = None, dtype: Any = np.float32, out: Any = None) -> NDArray:
    """Return a new array (or `out`) filled with a number, converted to the dtype as C does."""
    if out is not None:
        _check_out("full", out, shape)
    else:
        out = empty(shape, ctx, dtype)
    assign(out, val)
    return out


def _check_out(op: str, out: Any, shape: Any) -> None:
    shape = as_shape(op, shape)
    if not isinstance(out, Array):
        raise ArgumentTypeError(message(op, "out", "an NDArray", type(out).__name__))
    if out.shape != shape:
        raise ShapeError(message(op, "out", f"shape {shape}", out.shape))


def zeros(
    shape: Any, ctx: Any = None, dtype: Any = None, stype: str | None = None, out: Any = None
) -> NDArray:
    """Return a new array (or `out`) filled with 0; float32 without `dtype`. `stype` is its storage type."""
    if out is not None:
        return full(shape, 0, ctx, dtype, out)
    _check_known("zeros", shape)
    return blank(shape, ctx, dtype, stype)


def ones(shape: Any, ctx: Any = None, dtype: Any = None, out: Any = None) -> NDArray:
    """Return a new array (or `out`) filled with 1; float32 without `dtype`."""
    if out is not None:
        return full(shape, 1, ctx, dtype, out)
    _check_known("ones", shape)
    return _filled(empty(shape, ctx, dtype), 1)


def blank(shape: Any, ctx: Any = None, dtype: Any = None, stype: str | None = None) -> NDArray:
    """Return zeros of the shape of an array that there is: one that is known, even if a size of it is 0."""
    made = empty(shape, ctx, dtype, stype)
    return made if stype not in (None, "default") else _filled(made, 0)


def _check_known(op: str, shape: Any) -> None:
    """Refuse shapes that are not known, as MXNet reads them: without axes, or with a size of 0."""
    if is_np_shape():
        return
    shape = as_shape(op, shape)
    if not shape or 0 in shape:
        do = "use `with mx.np_shape():` for arrays without elements or axes"
        raise ShapeError(message(op, "shape", "one size or more, none of them 0", shape, do))


def _filled(x: NDArray, value: int) -> NDArray:
    kernels.fill(x, value, True)
    return x


def full_like(data: Any, fill_value: Any, dtype: Any = None) -> NDArray:
    """Return a new array with the shape, dtype (unless given) and device of another, filled with a number."""
    return full(data.shape, fill_value, data.context, data.dtype if dtype is None else dtype)


def arange(start: float, stop: float | None = None, step: float = 1.0, repeat: int = 1,
           infer_range: bool | None = None, ctx: Any = None, dtype: Any = np.float32) -> NDArray:  # fmt: skip
    """Return start, start + step, ... below stop, each `repeat` times; from 0 if only one bound is given.

    Unlike in MXNet an empty range is an empty array. `dtype=None` is float64.
    """
    dtype = np.float64 if dtype is None else dtype
    return _placed(kernels.arange(start, stop, step, repeat, dtype=dtype, face=FACE), ctx)


def linspace(start: float, stop: float, num: int, endpoint: bool = True, ctx: Any = None,
             dtype: Any = np.float32) -> NDArray:  # fmt: skip
    """Return `num` evenly spaced numbers from start to stop, which is the last one if `endpoint`."""
    dtype = np.float64 if dtype is None else dtype
    return _placed(kernels.linspace(start, stop, num, endpoint, dtype=dtype, face=FACE), ctx)


def eye(N: int, M: int = 0, k: int = 0, ctx: Any = None, dtype: Any = None) -> NDArray:
    """Return an N x M matrix (M = 0: square) with ones on the k-th diagonal and zeros elsewhere."""
    dtype = np.float32 if dtype is None else dtype
    return _placed(kernels.eye(N, M or N, k, dtype=dtype, face=FACE), ctx)


def _placed(x: NDArray, ctx: Any) -> NDArray:
    """An array made on cpu(0), where it is wanted."""
    return x if context_code(ctx) == x._context_code else x.copyto(current_context() if ctx is None else ctx)


def from_numpy(ndarray: np.ndarray, zero_copy: bool = True, array_cls: type = NDArray) -> NDArray:
    """Return an array over the memory of a NumPy array (`zero_copy`), or with its values and dtype.

    Zero copies are for C-contiguous arrays, and make the NumPy array read-only: from then on the memory
    is the new array's, whose writes show in the NumPy array. Every operation on the result is complete
    when its call returns. Zero copies are arrays of `mx.np` where `array_cls` is its class.
    """
    if not zero_copy:
        return import_numpy(ndarray, FACE)
    if isinstance(ndarray, np.ndarray):
        if not ndarray.flags.c_contiguous:
            expected, got = "a C-contiguous array for a zero copy", f"strides {ndarray.strides}"
            remedy = "; pass zero_copy=False, or np.ascontiguousarray(ndarray)"
            raise ArgumentError(message("from_numpy", "ndarray", expected, got) + remedy)
        _thaw(ndarray)
    x = import_numpy(ndarray, FACE, copy=False)
    ndarray.flags.writeable = False
    return x if array_cls is NDArray else x.as_np_ndarray()


def _thaw(array: np.ndarray) -> None:
    """Make an array writable again that an earlier `from_numpy` has made read-only; constants stay."""
    with contextlib.suppress(ValueError):  # bytes, say, or a view of an array that is read-only
        array.flags.writeable = True


def from_dlpack(dlpack: Any) -> NDArray:
    """Return an array over the memory of a DLPack capsule, or of any object with `__dlpack__`."""
    return import_dlpack(dlpack, FACE)


def to_dlpack_for_read(data: NDArray) -> Any:
    """Return a DLPack capsule for reading the array, when the operations that write it are done."""
    return data.to_dlpack_for_read()


def to_dlpack_for_write(data: NDArray) -> Any:
    """Return a DLPack capsule for writing the array, when the operations that use it are done."""
    return data.to_dlpack_for_write()


def concatenate(arrays: Sequence[NDArray], axis: int = 0, always_copy: bool = True) -> NDArray:
    """Join arrays along an existing axis; `nd.concat` with a list, and axis 0 if not given."""
    if not arrays:
        raise ShapeError(message("concatenate", "arrays", "at least one array", "none"))
    if len(arrays) == 1 and not always_copy:
        return arrays[0]
    return ops.concat(*arrays, dim=axis)


def moveaxis(tensor: NDArray, source: Any, destination: Any) -> NDArray:
    """Return a copy with axes moved to other positions; the rest stay in order."""
    source = _axes(tensor.ndim, "source", source)
    destination = _axes(tensor.ndim, "destination", destination)
    if len(source) != len(destination):
        raise ArgumentError(message("moveaxis", "destination", f"{len(source)} axes", len(destination)))
    order = [axis for axis in range(tensor.ndim) if axis not in source]
    for to, axis in sorted(zip(destination, source, strict=True)):
        order.insert(to, axis)
    return ops.transpose(tensor, axes=tuple(order))


def _axes(ndim: int, argument: str, axes: Any) -> list[int]:
    axes = [axes] if hasattr(axes, "__index__") else list(axes)
    for axis in axes:
        if not -ndim <= axis < ndim:
            raise AxisError(message("moveaxis", argument, f"axes in [{-ndim}, {ndim})", axis), axis, ndim)
    axes = [axis % ndim for axis in axes]
    if len(set(axes)) < len(axes):
        raise ArgumentError(message("moveaxis", argument, "each axis once", tuple(axes)))
    return axes


def onehot_encode(indices: NDArray, out: NDArray) -> NDArray:
    """Write one-hot rows for the indices into the matrix `out`, and return it."""
    return ops.one_hot(indices, depth=out.shape[1], dtype=out.dtype, out=out)
