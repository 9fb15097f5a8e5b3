"""`NDArray`: an array with the behaviour of MXNet 1.9.1, on the compiled core."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from .. import ops
from .._array import SLOTS, Array, as_face, register_face, set_fast_loop, set_operator
from .._fast_loops import install_fast_loops
from .._paths import also, names_from
from ..base import NDArrayHandle
from ..context import Context
from ..dtypes import DTYPES, code_of
from ..errors import ArgumentError, ArgumentTypeError, ShapeError, message, problem
from ..kernels import cpu as kernels
from ..ops._storage import stored
from . import _backward, _indexing, _recorded, _tape
from ._methods import OperatorMethods
from ._placement import as_shape, context_of, new
from ._tape import OFF, RECORDING, STATE, Session

__all__ = [
    "FACE", "NDArray",
    *also("add arange concatenate divide equal eye from_dlpack from_numpy full greater greater_equal "
          "histogram lesser lesser_equal linspace logical_and logical_or logical_xor maximum minimum modulo "
          "moveaxis multiply not_equal ones onehot_encode power split_v2 subtract to_dlpack_for_read "
          "to_dlpack_for_write true_divide waitall zeros"),
]  # fmt: skip
__getattr__ = names_from(__name__, "mxcy.ndarray", "mxcy.ndarray._codes", "mxcy.context", "mxcy.base")


_handled: WeakValueDictionary[int, Array] = WeakValueDictionary()


class NDArray(OperatorMethods):
    """An n-dimensional array of one element type on one device.

    Operations return at once and run in the background; reading values (`asnumpy`, `asscalar`, printing)
    waits for them. Slices, reshapes and `detach` are views: writing to them writes to the array.

    The rules are MXNet's, not NumPy's, where they differ: the default dtype is float32; two arrays must
    have the same dtype, and a number takes that of the array; comparisons return 0 and 1 in the dtype of
    their operands; a reduction over everything and a single element have shape (1,); booleans in a key
    are the integers 0 and 1. Arrays come from `nd.array`, `nd.zeros` and other functions.
    """

    __slots__ = ()

    _rules = "nd"

    def __floordiv__(self, other: Any) -> Any:
        """Refuse: MXNet has no such operator, and that of a number of NumPy's would take over."""
        text = f"no operator for NDArray and {type(other).__name__}"
        raise ArgumentTypeError(problem("floordiv", None, text, "use nd.floor(a / b)"))

    __rfloordiv__ = __floordiv__

    def __init__(self, handle: Array | NDArrayHandle | None = None, writable: bool = True):
        """The array that `handle` stands for; what is not `writable` cannot be written this way."""
        if isinstance(handle, NDArrayHandle):
            found = _handled.get(handle.value or 0)
            if found is None:
                raise ArgumentError(message("NDArray", "handle", "that of an array", repr(handle)))
            handle = found
        super().__init__(handle, writable)

    @property
    def handle(self) -> NDArrayHandle:
        """What ctypes may pass on in place of the array, while it lives; see `NDArray`."""
        _handled[id(self)] = self
        return NDArrayHandle(id(self))

    _as_parameter_ = handle  # where programs cast what a callback is given

    # Operators.

    def _apply(self, op: Any, inputs: tuple, attrs: Any, out: Any = None, name: Any = None, **node: Any):
        """Compute an operator whose first tensor operand this array is."""
        if STATE.mode != OFF:
            return _tape.apply(op, inputs, attrs, out)
        if out is None:
            results = op.compute(inputs, attrs, is_train=STATE.train)
            return results[0] if len(results) == 1 else _tape.returned(op, attrs, results, None)
        _tape.compute(op, inputs, attrs, out)
        return out

    def __ipow__(self, other: Any):
        return self**other  # MXNet has no power in place

    def __bool__(self) -> bool:
        return self.size != 0 and super().__bool__()

    def __contains__(self, value: object) -> bool:
        return bool((self.view_numpy() == value).any())

    # Indexing: what the core does not do itself.

    def _get_advanced(self, key: Any):
        return _indexing.get_advanced(self, key)

    def _set_basic(self, view: Any, value: Any) -> None:
        _indexing.assign(view, value)
        if Session.count:
            _tape.note_write(self)

    def _set_advanced(self, key: Any, value: Any) -> None:
        _indexing.set_advanced(self, key, value)
        if Session.count:
            _tape.note_write(self)

    # The same where the array, or what is assigned, is on autograd's tape.

    def _get_recorded(self, key: Any):
        return _recorded.get_item(self, key)

    def _set_recorded(self, key: Any, value: Any) -> None:
        _recorded.assign(self, key, value)

    @staticmethod
    def _basic_indexing_slice_is_contiguous(slc_key: tuple, shape: Sequence[int]) -> bool:
        """Whether slices and integers select elements that lie side by side in an array of this shape."""
        return np.lib.stride_tricks.as_strided(  # a view of one number: only its strides are asked for
            np.empty(1, np.int8), shape, np.cumprod([1, *shape[:0:-1]])[::-1]
        )[slc_key].flags.c_contiguous

    def slice_assign(self, rhs: Any, begin: tuple, end: tuple, step: tuple = ()):
        """Write an array to the part that begin, end and step select along the first axes; return self."""
        self[_slices(begin, end, step)] = rhs
        return self

    def slice_assign_scalar(self, value: float, begin: tuple, end: tuple, step: tuple = ()):
        """Write a number to the part that begin, end and step select along the first axes; return self."""
        self[_slices(begin, end, step)] = value
        return self

    # Attributes.

    dtype = Array._element_class

    @property
    def context(self) -> Context:
        """The device that holds the elements."""
        return context_of(self)

    @property
    def ctx(self) -> Context:
        """The device that holds the elements."""
        return context_of(self)

    @property
    def stype(self) -> str:
        """The storage type: "default" for a dense array."""
        return "default"

    @property
    def writable(self) -> bool:
        """Whether the elements may be changed. They may not in read-only memory imported from elsewhere."""
        return not self._readonly

    @property
    def T(self):
        """The array with its axes in reverse order, a new array."""
        return ops.transpose(self)

    # Gradients: `mx.autograd`.

    @property
    def grad(self) -> Any:
        """The buffer for the gradient, None if none is attached."""
        place = self._tape
        buffer = place[0].grad if place is not None and place[2] is None else None
        return buffer if buffer is None or isinstance(buffer, NDArray) else as_face(buffer, FACE)

    @property
    def _fresh_grad(self) -> bool:
        """Whether `backward` computed the gradient since this was set to False, as `Trainer` does."""
        place = self._tape
        return place is not None and place[2] is None and place[0].fresh

    @_fresh_grad.setter
    def _fresh_grad(self, state: bool) -> None:
        place = self._tape
        if place is not None and place[2] is None:
            place[0].fresh = bool(state)

    def attach_grad(self, grad_req: str = "write", stype: str | None = None) -> None:
        """Attach a buffer of zeros that `backward` writes the gradient to ("add": adds it; "null": neither).

        `stype` is its storage type, by default dense.
        An array that was computed under `record` becomes independent of what it was computed from.
        """
        buffer = ops.zeros_like(_tape.alias(self))
        self._attach(buffer if stype is None else buffer.tostype(stype), grad_req)

    def _attach(self, buffer: Any, grad_req: str) -> None:
        if grad_req not in ("write", "add", "null"):
            expected = "'write', 'add' or 'null'"
            raise ArgumentError(message("attach_grad", "grad_req", expected, repr(grad_req)))
        if buffer.shape not in (self.shape, self.shape or (1,)):
            raise ShapeError(message("mark_variables", "gradients", f"shape {self.shape}", buffer.shape))
        self._tape = (_tape.Leaf(buffer, grad_req), 0, None)  # type: ignore[misc]

    def backward(self, out_grad: Any = None, retain_graph: bool = False, train_mode: bool = True) -> None:
        """Compute the gradients of this array, see `autograd.backward`; `out_grad` is its own, or ones."""
        given = None if out_grad is None else [out_grad]
        _backward.backward([self], given, retain_graph, train_mode)

    def detach(self):
        """Return a view of all elements that gradients do not flow through."""
        return as_face(self, FACE)

    # Values.

    def asnumpy(self) -> np.ndarray:
        """Return the elements as a new NumPy array, when all operations that write them are done."""
        return np.array(self.view_numpy())

    def asscalar(self):
        """Return the only element as a NumPy scalar; raise ArgumentError unless there is exactly one."""
        if self.size != 1:
            raise ArgumentError(message("asscalar", None, "an array with one element", f"shape {self.shape}"))
        return self.view_numpy().reshape(1)[0]

    def item(self):
        """Return the only element as a Python number; raise ArgumentError unless there is exactly one."""
        return self.asscalar().item()

    def __repr__(self) -> str:
        extents = "x".join(map(str, self.shape))
        return f"\n{self.view_numpy()!s}\n<NDArray {extents} @{self.context}>"

    def __str__(self) -> str:
        return self.__repr__()

    # Copies, casts, devices.

    def copy(self):
        """Return a new array with the same elements on the same device."""
        return ops.identity(self) if STATE.mode == RECORDING else kernels.copy(self)

    def copyto(self, other: Any):
        """Write the elements to another array of the same shape (cast to its dtype), or to a new one.

        `other` is an array, which is returned, or a context, on which the new array is made.
        """
        if other is self:
            warnings.warn("copyto: the array is copied to itself", RuntimeWarning, stacklevel=2)
            return False
        if isinstance(other, Context):
            return _recorded.cast_into(self, new(self.shape, super().dtype, other, FACE))
        if not isinstance(other, Array):
            got = type(other).__name__
            raise ArgumentTypeError(message("copyto", "other", "an NDArray or a Context", got))
        if other.shape != self.shape:
            raise ShapeError(message("copyto", "other", f"shape {self.shape}", other.shape))
        if stored(other):
            other[:] = self
            return other
        return _recorded.cast_into(self, other)

    def astype(self, dtype: Any, copy: bool = True):
        """Return the elements converted to another dtype (None: float32) as C does.

        `copy=False` gives the array itself if it has this dtype.
        """
        dtype = np.float32 if dtype is None else dtype
        if not copy and code_of(dtype) == code_of(super().dtype):
            return self
        return ops.cast(self, dtype=dtype)

    def as_in_context(self, context: Context):
        """Return the array itself if it is on this device, otherwise a copy there."""
        return self if context == self.context else self.copyto(context)

    def tostype(self, stype: str):
        """Return a copy in another storage: "default", "csr" (of a matrix) or "row_sparse"."""
        return ops.cast_storage(self, stype=stype)

    def as_nd_ndarray(self):
        """Return the array itself: it is of MXNet's own class already."""
        return self

    def as_np_ndarray(self):
        """Return a view of the array in the class of `mx.np`, on the tape if the array is."""
        from ..numpy import as_other_face

        return as_other_face(self, "np")

    def to_dlpack_for_read(self):
        """Return a DLPack capsule for reading the elements, when those that write them are done."""
        self.wait_to_read()
        return self.__dlpack__()

    def to_dlpack_for_write(self):
        """Return a DLPack capsule for writing the elements, when those that use them are done."""
        self.wait_to_write()
        return self.__dlpack__()

    # Shapes.

    def reshape(self, *shape: Any, **kwargs: Any):
        """Return a view with another shape of as many elements (a copy where no view can be).

        `a.reshape(2, 3)`, `a.reshape((2, 3))` or `a.reshape(shape=(2, 3))`. Special extents: 0 keeps that
        of the input, -1 is what remains (once), -2 all remaining ones, -3 the product of the next two,
        -4 splits the next one into the two that follow (one may be -1). With `reverse=True` they are
        matched from the right. Raises ShapeError if the sizes differ.
        """
        reverse = kwargs.pop("reverse", False)
        if not shape:
            shape = kwargs.pop("shape", None)
            if shape is None:
                raise ArgumentTypeError(message("reshape", "shape", "a shape", "nothing"))
        elif len(shape) == 1:
            shape = shape[0]
        if kwargs:
            raise ArgumentTypeError(message("reshape", None, "shape and reverse", ", ".join(kwargs)))
        target = as_shape("reshape", shape)
        if min(target, default=1) <= 0:
            target = ops.resolve_reshape(self.shape, target, bool(reverse))
        return _recorded.reshape(self, target)

    def reshape_like(self, rhs: Any, **attrs: Any):
        """Return a view with the shape of `rhs`; see `nd.reshape_like` for a range of axes."""
        if attrs:
            return ops.reshape_like(self, rhs, **attrs)
        return _recorded.reshape(self, rhs.shape)

    def flatten(self, inplace: bool = False):
        """Return a copy (`inplace`: a view) as a matrix: all axes but the first are joined."""
        return self.reshape((0, -1) if self.ndim > 1 else (-1, 1)) if inplace else ops.Flatten(self)

    def expand_dims(self, axis: int, inplace: bool = False):
        """Return a copy (`inplace`: a view) with a new axis of extent 1 before `axis`."""
        result = ops.expand_dims(self, axis=axis)
        return _recorded.reshape(self, result.shape) if inplace else result

    def squeeze(self, axis: Any = None, inplace: bool = False):
        """Return a copy (`inplace`: a view) without axes of extent 1, all or those given."""
        result = ops.squeeze(self, axis=axis)
        return _recorded.reshape(self, result.shape) if inplace else result

    def broadcast_to(self, shape: Any):
        """Return a copy with a larger shape by NumPy's rules; an extent 0 keeps that of the array."""
        target = as_shape("broadcast_to", shape)
        own = (1,) * (len(target) - self.ndim) + self.shape
        if len(own) == len(target):
            target = tuple(n if t == 0 else t for t, n in zip(target, own, strict=True))
        view = self._broadcast_view(target)  # which checks the shape
        if STATE.mode == RECORDING:
            return ops.broadcast_like(self, view)
        return kernels.copy(view)

    def broadcast_like(self, other: Any):
        """Return a copy with the shape of another array by NumPy's rules."""
        return self.broadcast_to(other.shape)


FACE = register_face(NDArray, zero_dim=False)


def _negated(x: NDArray) -> NDArray:
    """-x, which MXNet computes as x * -1: of bool it is int64."""
    return ops.multiply(x, -1) if x.dtype is np.bool_ else ops.negative(x)


OPERATORS = {
    "add": ops.add,
    "subtract": ops.subtract,
    "multiply": ops.multiply,
    "divide": ops.divide,
    "remainder": ops.modulo,
    "power": ops.power,
    "equal": ops.equal,
    "not_equal": ops.not_equal,
    "less": ops.lesser,
    "less_equal": ops.lesser_equal,
    "greater": ops.greater,
    "greater_equal": ops.greater_equal,
    "negative": _negated,
    "absolute": ops.abs,
}

for _slot, _operator in OPERATORS.items():
    set_operator(FACE, _slot, _operator)
install_fast_loops(FACE, "nd")
for _slot in set(SLOTS) - set(OPERATORS):  # MXNet has no //, &, @, ~ of arrays
    for _code in range(len(DTYPES)):
        set_fast_loop(FACE, _slot, _code, 0, 0, _code)


def _slices(begin: Any, end: Any, step: Any) -> tuple:
    begin, end = tuple(begin), tuple(end)
    step = tuple(step) if step else (None,) * len(begin)
    if not len(begin) == len(end) == len(step):
        got = f"{len(begin)}, {len(end)} and {len(step)}"
        raise ArgumentError(message("slice_assign", None, "begin, end and step of one length", got))
    return tuple(slice(*bounds) for bounds in zip(begin, end, step, strict=True))
