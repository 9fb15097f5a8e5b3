"""`ndarray`: an array with the behaviour of NumPy 2, on the compiled core."""

from __future__ import annotations

import operator
from numbers import Rational
from typing import Any

import numpy as _np

from .._array import Array, as_face, register_face, set_operator
from .._fast_loops import install_fast_loops
from .._index import become, is_result
from ..context import Context
from ..errors import ArgumentError, ArgumentTypeError, ShapeError, message, problem
from ..kernels import cpu as kernels
from ..ndarray import _backward, _tape
from ..ndarray._placement import context_of, new
from ..ndarray._tape import OFF, STATE, Session
from . import _products, _protocols, _recorded, _shapes, _ufuncs
from ._assigned import set_advanced, set_element, set_slowly
from ._calls import as_array, set_hooks, unwrap, wrap
from ._methods import Methods
from ._operators import operator_of
from ._small_methods import Slow
from ._ufunc import set_face

__all__ = ["FACE", "ndarray"]


class ndarray(Methods):
    """An n-dimensional array of numbers, as `numpy.ndarray`.

    Operations on large arrays return at once and run in the background; reading values waits for them.
    Results without axes are arrays, too, but nearly constants, as NumPy's scalars are: `+=` gives the name
    another value, and they can be keys of a dictionary. Only assignment to an index changes them, because
    the standard of arrays, which knows no scalars, says so.

    `ndarray(shape, dtype, buffer, offset, strides, order)` is an array with undefined contents, or over a
    buffer; programs use `array`, `zeros` and other functions.
    """

    __slots__ = ()
    _rules = "np"

    def __init__(self, shape: Any = None, dtype: Any = float, buffer: Any = None, offset: int = 0,
                 strides: Any = None, order: Any = None):  # fmt: skip
        if isinstance(shape, Array):
            super().__init__(shape)
        elif isinstance(shape, Rational) and not hasattr(shape, "__index__"):  # `statistics` asks
            super().__init__(wrap(_np.float64(shape)))
        elif shape is not None:
            super().__init__(as_array(_np.ndarray(shape, dtype, buffer, offset, strides, order)))

    # Operators.

    def _apply(self, op: Any, inputs: tuple, attrs: Any, out: Any = None, name: Any = None, **node: Any):
        """Compute an operator of `mxcy.ops` whose first tensor operand this array is."""
        if STATE.mode != OFF:
            return _tape.apply(op, inputs, attrs, out)
        if out is None:
            results = op.compute(inputs, attrs, is_train=STATE.train)
            return results[0] if len(results) == 1 else _tape.returned(op, attrs, results, None)
        _tape.compute(op, inputs, attrs, out)
        return out

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any):
        return _protocols.array_ufunc(self, ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any):
        return _protocols.array_function(function, types, args, kwargs)

    def __array_namespace__(self, *, api_version: str | None = None):
        return _protocols.array_namespace(api_version)

    def __contains__(self, value: object) -> bool:
        return value in unwrap(self)

    def __hash__(self) -> int:  # type: ignore[override]
        if self._is_constant():
            return hash(self.item())
        raise ArgumentTypeError("unhashable type: 'ndarray'")

    def __format__(self, spec: str) -> str:
        return format(self._shown(), spec)

    def __round__(self, ndigits: int | None = None):
        return wrap(round(self._shown(), ndigits))

    def __trunc__(self) -> int:
        if not self._is_constant():
            raise ArgumentTypeError("trunc: expected a number, got an array; use np.trunc")
        return int(self)

    def __repr__(self) -> str:
        text = repr(self._shown())
        return text if type(self) is ndarray or self._is_constant() else type(self).__name__ + text[5:]

    def __str__(self) -> str:
        return str(self._shown())

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state)

    def _is_constant(self) -> bool:
        return is_result(self)

    def _shown(self) -> Any:
        """What NumPy has in the place of this array: an array, or a scalar."""
        view = self.view_numpy()
        return view[()] if self._is_constant() else view

    # Indexing: what the core does not do itself.

    def _copy_to(self, out: Any) -> None:
        kernels.copy(self, out=out)

    def _copied(self) -> Any:
        return kernels.copy(self)

    def _wrote(self) -> None:
        """Tell autograd that all of the array may have been written."""
        if Session.count:
            _tape.note_write(self)

    _set_slowly, _set_element, _set_advanced = set_slowly, set_element, set_advanced

    def _get_recorded(self, key: Any):
        return _recorded.get_item(self, key)

    def _set_recorded(self, key: Any, value: Any) -> None:
        _recorded.set_item(self, key, value)

    def _set_dtype(self, dtype: Any) -> None:
        become(self, self.view(dtype))

    # Devices and MXNet's methods.

    def to_device(self, device: Any, /, *, stream: Any = None):
        """Return the array itself if it is on a device ("cpu", "gpu(0)", a context), else a copy there."""
        if type(device) is str and device == self.device:
            return self
        return self.as_in_context(_protocols.context_named(device))

    @property
    def context(self) -> Context:
        """The context that holds the elements."""
        return context_of(self)

    @property
    def ctx(self) -> Context:
        """The context that holds the elements."""
        return context_of(self)

    @property
    def stype(self) -> str:
        """The storage type: "default" for a dense array."""
        return "default"

    def as_in_context(self, context: Context):
        """Return the array itself if it is on this context, otherwise a copy there."""
        return self if context == self.context else self.copyto(context)

    as_in_ctx = as_in_context

    def copyto(self, other: Any):
        """Write the elements to another array of the same shape, or to a new one on a context."""
        target = new(self.shape, self.dtype, other, FACE) if isinstance(other, Context) else other
        kernels.copy(_tape.alias(self), out=target)
        return target

    def as_np_ndarray(self):
        """Return the array itself: it is one of `mx.np` already."""
        return self

    def as_nd_ndarray(self):
        """Return a view of the array in the class of `mx.nd`, on the tape if the array is."""
        return _recorded.as_other_face(self, "nd")

    def broadcast_to(self, shape: Any):
        """Return the elements in a larger shape, as a view that repeats them."""
        return _shapes.broadcast_to(self, shape)

    def reshape_view(self, *shape: Any):
        """Return a view of the elements in another shape."""
        return _shapes.reshape(self, shape[0] if len(shape) == 1 else shape)

    def slice_assign(self, rhs: Any, begin: tuple, end: tuple, step: tuple = ()):
        """Write an array to the part that begin, end and step select along the first axes; return self."""
        self.as_nd_ndarray().slice_assign(rhs, begin, end, step)
        return self

    def slice_assign_scalar(self, value: float, begin: tuple, end: tuple, step: tuple = ()):
        """Write a number to the part that begin, end and step select along the first axes; return self."""
        self.as_nd_ndarray().slice_assign_scalar(value, begin, end, step)
        return self

    def to_dlpack_for_read(self):
        """Return a DLPack capsule for reading the elements, when those that write them are done."""
        self.wait_to_read()
        return self.__dlpack__()

    def to_dlpack_for_write(self):
        """Return a DLPack capsule for writing the elements, when those that use them are done."""
        self.wait_to_write()
        return self.__dlpack__()

    def asnumpy(self) -> _np.ndarray:
        """Return the elements as a new NumPy array, when all operations that write them are done."""
        return _np.array(self.view_numpy())

    # Gradients: `mx.autograd`.

    @property
    def grad(self) -> Any:
        """The buffer for the gradient, None if none is attached."""
        place = self._tape
        buffer = place[0].grad if place is not None and place[2] is None else None
        return buffer if buffer is None or isinstance(buffer, ndarray) else as_face(buffer, FACE)

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

        An array that was computed under `record` becomes independent of what it was computed from.
        """
        if stype not in (None, "default"):
            raise ArgumentError(message("attach_grad", "stype", "'default'", repr(stype)))
        self._attach(kernels.full(self.shape, 0, self.dtype, FACE), grad_req)

    def _attach(self, buffer: Any, grad_req: str) -> None:
        if grad_req not in ("write", "add", "null"):
            expected = "'write', 'add' or 'null'"
            raise ArgumentError(message("attach_grad", "grad_req", expected, repr(grad_req)))
        if buffer.shape != self.shape:
            raise ShapeError(message("mark_variables", "gradients", f"shape {self.shape}", buffer.shape))
        self._tape = (_tape.Leaf(buffer, grad_req), 0, None)  # type: ignore[misc]

    def backward(self, out_grad: Any = None, retain_graph: bool = False, train_mode: bool = True) -> None:
        """Compute the gradients of this array, see `autograd.backward`; `out_grad` is its own, or ones."""
        given = None if out_grad is None else [out_grad]
        _backward.backward([self], given, retain_graph, train_mode)

    def detach(self):
        """Return a view of all elements that gradients do not flow through."""
        return as_face(self, FACE)


def _power(a: Any, b: Any, out: Any = None) -> Any:
    """a ** b: for some exponents other functions, as in NumPy.

    Those of real numbers give what powers give; those of complex ones keep signs of zero, so only the
    exponents that NumPy writes so count; and squares of bools are int8 in NumPy, other powers int64.
    """
    if type(b) in (int, float) and isinstance(a, ndarray):
        kind = a.dtype.kind
        exact = kind == "f" or (type(b), b) in _AS_WRITTEN.get(kind, ())
        shortcut = _POWERS.get(b) if exact else None
        if shortcut is not None:
            return shortcut(a) if out is None else shortcut(a, out=out)
    return _ufuncs.power(a, b) if out is None else _ufuncs.power(a, b, out=out)


def _matmul_into(a: Any, b: Any, out: Any) -> Any:
    """a @= b."""
    if getattr(b, "ndim", 2) == 1:
        raise ArgumentError(problem("matmul", "b", "b in a @= b has one axis", "it must have two or more"))
    return _products.matmul(a, b, out=out)


_POWERS = {1: _ufuncs.positive, -1: _ufuncs.reciprocal, 0.5: _ufuncs.sqrt, 2: _ufuncs.square}
_AS_WRITTEN: dict[str, set[tuple[type, float]]] = {"b": {(int, 2)}, "c": {(int, -1), (int, 2), (float, 0.5)}}


def _device(x: Any) -> str:
    """The name of the place of an array that is not on cpu(0)."""
    context = context_of(x)
    return "cpu" if context.device_type == "cpu" else str(context)


FACE = register_face(ndarray, zero_dim=True, scalars=True)
set_hooks(FACE, _recorded.is_recording, _recorded.record, _recorded.wrote)
set_face(FACE)
Slow.device = staticmethod(_device)
ndarray.__module__ = "mxcy.numpy"

OPERATORS = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "power": operator.pow,
    "divmod": divmod,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
    "left_shift": operator.lshift,
    "right_shift": operator.rshift,
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "negative": operator.neg,
    "positive": operator.pos,
    "absolute": operator.abs,
    "invert": operator.invert,
    "matmul": operator.matmul,
}

for _slot, _python in OPERATORS.items():
    _function = {"matmul": _products.matmul, "power": _power}.get(_slot) or _ufuncs.BY_SLOT[_slot]
    _into = _matmul_into if _slot == "matmul" else None
    set_operator(FACE, _slot, operator_of(_function, _python, _into))
install_fast_loops(FACE, "np")
