"""`CSRNDArray` and `RowSparseNDArray`: arrays that keep only some of their elements.

The array of the core behind one has its shape and dtype, but no elements: reading it anywhere raises. What
is kept is in `_stored`, which views of the array share. Operators find sparse operands and hand over to
`_apply` here, which asks the operator's rules (ops/_storage.py).
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from .. import ops
from .._array import Array, from_numpy
from .._array import empty as new_array
from ..context import Context
from ..dtypes import DTYPES, code_of
from ..errors import (
    ArgumentError,
    ArgumentTypeError,
    ArrayIndexError,
    MXNetError,
    ShapeError,
    message,
    problem,
)
from ..kernels import cpu as kernels
from ..ops import _storage
from ..ops._call import set_special
from ..ops._storage import Csr, Rows
from . import _tape
from .ndarray import FACE, NDArray

__all__ = ["BaseSparseNDArray", "CSRNDArray", "RowSparseNDArray", "as_stored", "moved"]

NUMBERS = (int, float, np.number)


@cache
def _without_elements(code: int, context: int) -> NDArray:
    """An array of one element that raises when it is read: what sparse arrays are to the core."""
    made = new_array((1,), DTYPES[code], FACE, context)
    text = "a sparse array is used where only a dense one can be"
    error = MXNetError(problem("NDArray", None, text, "convert it with tostype('default')"))
    made.var_handle()._fail(error, "sparse storage")
    return made


def moved(part: Any, context: int) -> Any:
    """A copy of what is kept, on a device given by its number."""

    def there(x: Any) -> Any:
        return kernels.copy(x, out=new_array(x.shape, DTYPES[x._dtype_code], FACE, context))

    if isinstance(part, Csr):
        return Csr(part.shape, there(part.data), there(part.indptr), there(part.indices), part.ordered)
    return Rows(part.shape, there(part.data), there(part.indices), part.ordered)


def as_stored(x: NDArray, stype: str, dtype: np.dtype) -> Any:
    """What is kept of an array of any storage in another storage and dtype, as arrays of its own."""
    part = _storage.cast(x._stored if isinstance(x, BaseSparseNDArray) else x, stype)
    if part.data._dtype_code == code_of(dtype):
        return _storage.fresh(part)
    return part.like(kernels.astype(part.data, dtype))


def _arithmetic(name: str) -> tuple[Any, Any, Any]:
    """The methods of an operator, its reflection, and in place."""
    function = getattr(ops, name)

    def forward(self, other):
        if isinstance(other, NDArray) and other.shape == self.shape:
            return function.elemwise(self, other)
        return function(self, other)

    def reflected(self, other):
        return function(other, self)

    def inplace(self, other):
        self[:] = forward(self, other)
        return self

    return forward, reflected, inplace


def _plain(name: str) -> tuple[Any, Any]:
    """The methods of an operator without sparse results, and its reflection."""
    function = getattr(ops, name)
    return lambda self, other: function(self, other), lambda self, other: function(other, self)


class BaseSparseNDArray(NDArray):
    """What `CSRNDArray` and `RowSparseNDArray` share.

    An operator that makes zero of zero, and others listed in the documentation, keep sparse storage; the
    rest compute with dense copies, which is logged once.
    """

    __slots__ = ("_stored",)

    def __init__(self, part: Any):
        context = part.data._context_code
        super().__init__(_without_elements(part.data._dtype_code, context)._broadcast_view(part.shape))
        self._stored = part

    def _apply(self, op: Any, inputs: tuple, attrs: Any, out: Any = None, name: Any = None, **node: Any):
        return _tape.apply(op, inputs, attrs, out, partial(_storage.compute, op))

    __add__, __radd__, __iadd__ = _arithmetic("add")
    __sub__, __rsub__, __isub__ = _arithmetic("subtract")
    __mul__, __rmul__, __imul__ = _arithmetic("multiply")
    __truediv__, __rtruediv__, __itruediv__ = _arithmetic("divide")
    __mod__, __rmod__ = _plain("modulo")
    __pow__, __rpow__ = _plain("power")
    __eq__, _ = _plain("equal")
    __ne__, _ = _plain("not_equal")
    __lt__, _ = _plain("lesser")
    __le__, _ = _plain("lesser_equal")
    __gt__, _ = _plain("greater")
    __ge__, _ = _plain("greater_equal")
    __hash__ = NDArray.__hash__

    def __neg__(self):
        return ops.negative(self)

    def __abs__(self):
        return ops.abs(self)

    def __bool__(self) -> bool:
        return bool(self.asscalar())

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self):
        text = "sparse arrays have no iterator"
        raise ArgumentTypeError(problem("iter", None, text, "use tostype('default')"))

    def __contains__(self, value: object) -> bool:
        return bool((self.asnumpy() == value).any())

    # Attributes.

    @property
    def stype(self) -> str:
        """The storage type: "csr" or "row_sparse"."""
        return self._stored.stype

    @property
    def data(self) -> NDArray:
        """A copy of the elements that are kept."""
        return kernels.copy(self._stored.data)

    @property
    def indices(self) -> NDArray:
        """A copy of where they belong, as int64: columns of a matrix, or rows."""
        return kernels.copy(self._stored.indices)

    @property
    def _num_aux(self) -> int:
        return len(self._aux_types)

    @property
    def _aux_types(self) -> list[type]:
        return [np.int64] * (len(self._stored.arrays()) - 1)

    def _aux_type(self, i: int) -> type:
        return self._aux_types[i]

    def _aux_data(self, i: int) -> NDArray:
        return kernels.copy(self._stored.arrays()[1 + i])

    def _data(self) -> NDArray:
        return self.data

    @property
    def _version(self) -> int:
        return self._stored.version + self._stored.data._version

    @property
    def _storage_id(self) -> int:
        return id(self._stored)

    def _reshape_view(self, shape: Any) -> NDArray:
        """A view of a dense copy."""
        return self._dense()._reshape_view(shape)

    def _broadcast_view(self, shape: Any) -> NDArray:
        """A view of a dense copy."""
        return self._dense()._broadcast_view(shape)

    def _dense(self) -> NDArray:
        return _storage.dense(self._stored)

    def attach_grad(self, grad_req: str = "write", stype: str | None = None) -> None:
        """Attach a buffer for the gradient, of this storage type or of another one."""
        part = self._stored
        stype = self.stype if stype is None else stype
        if stype == "default":
            self._attach(kernels.fill(_storage.part_like(part, part.shape), 0), grad_req)
        else:
            self._attach(_storage.wrapped(_storage.empty(stype, part.shape, part.data)), grad_req)

    def detach(self):
        """Return the same array, but gradients do not flow through it."""
        return type(self)(self._stored)

    # Values.

    def asnumpy(self) -> np.ndarray:
        """Return all elements as a dense NumPy array, when all operations that write them are done."""
        return np.array(self._dense().view_numpy())

    def view_numpy(self, writable: bool = False) -> np.ndarray:
        """Return the elements as a dense NumPy array of their own; there is none to share or to write."""
        if writable:
            raise ArgumentError(problem("view_numpy", "writable", "a sparse array has no dense elements"))
        return self.asnumpy()

    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.asnumpy(), dtype)

    def asscalar(self):
        """Return the only element as a NumPy scalar."""
        return self._dense().asscalar()

    def __repr__(self) -> str:
        extents = "x".join(map(str, self.shape))
        return f"\n<{type(self).__name__} {extents} @{self.context}>"

    def wait_to_read(self) -> None:
        """Wait until every write pushed so far is done; raise the error of the one that failed."""
        for x in self._stored.arrays():
            x.wait_to_read()

    def wait_to_write(self) -> None:
        """Wait until every read and write pushed so far is done."""
        for x in self._stored.arrays():
            x.wait_to_write()

    # Copies, casts, devices.

    def copy(self):
        """Return a new array with the same elements on the same device."""
        return ops.identity(self)

    def copyto(self, other: Any):
        """Write the elements to another array of this shape and any storage, or to a new one on a context."""
        if isinstance(other, Context):
            return type(self)(moved(self._stored, other.device_typeid << 8 | other.device_id))
        if not isinstance(other, Array):
            got = type(other).__name__
            raise ArgumentTypeError(message("copyto", "other", "an NDArray or a Context", got))
        if other.shape != self.shape:
            raise ShapeError(message("copyto", "other", f"shape {self.shape}", other.shape))
        if isinstance(other, BaseSparseNDArray):
            other._take_over(self)
        else:
            _storage.dense(self._stored, other)
        _tape.note_write(other)
        return other

    def _take_over(self, other: NDArray) -> None:
        """Become another array of this shape, of any storage, dtype and device."""
        part = as_stored(other, self.stype, DTYPES[self._stored.data._dtype_code])
        if part.data._context_code != self._context_code:
            part = moved(part, self._context_code)
        self._stored.become(part)

    def astype(self, dtype: Any, copy: bool = True):
        """Return the elements converted to another dtype (None: float32) as C does."""
        dtype = np.float32 if dtype is None else dtype
        if not copy and code_of(dtype) == self._stored.data._dtype_code:
            return self
        return type(self)(as_stored(self, self.stype, DTYPES[code_of(dtype)]))

    def tostype(self, stype: str):
        """Return the array in another storage: "default", or a copy in its own."""
        return ops.cast_storage(self, stype=stype)

    def todense(self) -> NDArray:
        """Return the array in dense storage."""
        return self.tostype("default")

    def check_format(self, full_check: bool = True) -> None:
        """Raise ArgumentError if the places of the elements contradict each other.

        With `full_check` all of them are looked at, otherwise only how many there are.
        """
        found = self._fault(full_check)
        if not found and full_check and not self._ascends():
            found = "expected indices that ascend" + (" in every row" if self.stype == "csr" else "")
        if found:
            raise ArgumentError(problem("check_format", None, found))

    def reshape(self, *shape: Any, **kwargs: Any):
        """Sparse arrays cannot be reshaped: raises ArgumentTypeError."""
        text = "sparse arrays have no views of another shape"
        raise ArgumentTypeError(problem("reshape", None, text, "use tostype('default')"))

    def slice_assign(self, rhs: Any, begin: tuple, end: tuple, step: tuple = ()):
        """Parts of sparse arrays cannot be written: raises ArgumentTypeError."""
        raise ArgumentTypeError(problem("slice_assign", None, "parts of sparse arrays cannot be written"))

    def slice_assign_scalar(self, value: float, begin: tuple, end: tuple, step: tuple = ()):
        """Parts of sparse arrays cannot be written: raises ArgumentTypeError."""
        self.slice_assign(value, begin, end, step)

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, slice) or key not in (slice(None), slice(0, self.shape[0])):
            text = f"only [:] of a {type(self).__name__} can be written"
            raise ArgumentError(problem("setitem", "key", text, "use tostype('default')"))
        if isinstance(value, NDArray):
            if value is not self:
                if value.shape != self.shape:
                    raise ShapeError(message("setitem", "value", f"shape {self.shape}", value.shape))
                self._take_over(value)
        elif isinstance(value, NUMBERS):
            self._fill(value)
        else:
            values = np.asarray(value, self.dtype)
            dense = new_array(self.shape, self.dtype, FACE, self._context_code)
            dense[:] = values
            self._take_over(dense)
        _tape.note_write(self)

    def _fill(self, number: Any) -> None:
        part = _storage.empty(self.stype, self.shape, self._stored.data)
        if number != 0:
            dense = kernels.fill(_storage.part_like(self._stored, self.shape), number)
            part = _storage.cast(dense, self.stype)
        self._stored.become(part)

    # Pickle.

    def __reduce_ex__(self, protocol: Any) -> tuple:
        part = self._stored
        values = [np.array(x.view_numpy()) for x in part.arrays()]
        return _rebuild, (part.stype, part.shape, values, part.ordered, self.context)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo: Any):
        return self.copy()


def _rebuild(stype: str, shape: tuple, values: list, ordered: bool, context: Context) -> BaseSparseNDArray:
    """The array that a pickle describes."""
    made: Any = (Csr if stype == "csr" else Rows)(shape, *[from_numpy(x, FACE) for x in values])
    made.ordered = ordered
    return _storage.wrapped(made).as_in_context(context)


class CSRNDArray(BaseSparseNDArray):
    """A matrix in compressed sparse rows.

    Row r has the elements `data[indptr[r]:indptr[r + 1]]` in the columns `indices[indptr[r]:indptr[r + 1]]`,
    which ascend. Made by `nd.sparse.csr_matrix`, or by `tostype("csr")`.
    """

    __slots__ = ()

    @property
    def indptr(self) -> NDArray:
        """A copy of where rows begin among the elements, as int64."""
        return kernels.copy(self._stored.indptr)

    def asscipy(self) -> Any:
        """Return a `scipy.sparse.csr_matrix` with the same elements."""
        from scipy.sparse import csr_matrix

        part = self._stored
        values = [np.array(x.view_numpy()) for x in (part.data, part.indices, part.indptr)]
        return csr_matrix(tuple(values), shape=self.shape, dtype=self.dtype)

    def __getitem__(self, key: Any):
        n = self.shape[0]
        if isinstance(key, tuple):
            raise ArgumentError(problem("getitem", "key", "a CSRNDArray is indexed by rows only"))
        if isinstance(key, slice):
            if key.step not in (None, 1):
                raise ArgumentError(message("getitem", "key", "a step of 1", key.step))
            if key.start is None and key.stop is None:
                return self
            begin, end, _ = key.indices(n)
            return ops.slice(self, begin=(begin,), end=(max(begin, end),))
        if not isinstance(key, (int, np.integer)):
            expected = "a number of a row, or a slice of rows"
            raise ArgumentError(message("getitem", "key", expected, type(key).__name__))
        row = int(key)
        if not -n <= row < n:
            raise ArrayIndexError(message("getitem", "key", f"a row from {-n} to {n - 1}", row))
        row %= n
        return ops.slice(self, begin=(row,), end=(row + 1,))

    def _fill(self, number: Any) -> None:
        text = "numbers cannot be assigned to a CSRNDArray"
        raise ArgumentError(problem("setitem", "value", text, "assign an array"))

    def _fault(self, full: bool) -> str | None:
        part = self._stored
        starts, columns = _storage.host(part.indptr), _storage.host(part.indices)
        if starts.size != self.shape[0] + 1:
            return f"expected {self.shape[0] + 1} elements of indptr, got {starts.size}"
        if columns.size != part.data.size:
            return f"expected as many indices as elements, {part.data.size}, got {columns.size}"
        if starts[0] != 0 or starts[-1] != columns.size:
            return f"expected indptr from 0 to {columns.size}, got {starts[0]} to {starts[-1]}"
        if not full:
            return None
        if (np.diff(starts) < 0).any():
            return "expected indptr that does not descend"
        if columns.size and not (columns.min() >= 0 and columns.max() < self.shape[1]):
            return f"expected indices from 0 to {self.shape[1] - 1}, got {columns.min()} to {columns.max()}"
        return None

    def _ascends(self) -> bool:
        keys = self._stored.row_of_each() * self.shape[1] + _storage.host(self._stored.indices)
        return bool((np.diff(keys) > 0).all())


class RowSparseNDArray(BaseSparseNDArray):
    """An array of which only some rows are kept: row `indices[i]` is `data[i]`, all others are zero.

    Made by `nd.sparse.row_sparse_array`, by `tostype("row_sparse")`, or as the gradient of an embedding.
    """

    __slots__ = ()

    def __getitem__(self, key: Any):
        if isinstance(key, slice) and key == slice(None):
            return self
        text = "only [:] of a RowSparseNDArray can be read"
        raise ArgumentError(problem("getitem", "key", text, "use tostype('default')"))

    def retain(self, *args: Any, **kwargs: Any):
        """Return an array that keeps only the rows whose numbers are given."""
        return ops.retain(self, *args, **kwargs)

    def _fault(self, full: bool) -> str | None:
        part = self._stored
        rows = _storage.host(part.indices)
        if rows.ndim != 1 or part.data.shape != (rows.size, *self.shape[1:]):
            return f"expected data of shape {(rows.size, *self.shape[1:])}, got {part.data.shape}"
        if not full or not rows.size:
            return None
        if not (rows.min() >= 0 and rows.max() < self.shape[0]):
            return f"expected indices from 0 to {self.shape[0] - 1}, got {rows.min()} to {rows.max()}"
        return None

    def _ascends(self) -> bool:
        return bool((np.diff(_storage.host(self._stored.indices)) > 0).all())


_storage.set_face("csr", CSRNDArray, CSRNDArray)
_storage.set_face("row_sparse", RowSparseNDArray, RowSparseNDArray)
set_special(CSRNDArray, RowSparseNDArray)
