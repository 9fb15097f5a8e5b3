"""Sparse storage: what its arrays are made of, and how an operator says which storage it keeps.

A sparse array is a `Csr` or `Rows`: dense arrays of the core (elements, and where they belong), on which all
work is done by operations of the engine like any other. What has a size that depends on values (the rows of
a sum) is found at the call.

An operator names in its block the storage that it keeps, as rules:

    storage=KEEPS                                        # of zero it makes zero: the structure stays
    storage=(rule("csr, default -> default", product),)  # function(op, inputs, attrs)

Where no rule fits, sparse operands are made dense, which is logged once for each operator and storage.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._array import empty as new_array
from .._array import from_numpy
from ..dtypes import DTYPES
from ..errors import ArgumentError, message
from ..kernels import cpu as kernels
from ._elementwise import check_out
from ._layer import Op

__all__ = [
    "KEEPS", "Csr", "Maker", "Part", "Rows", "Rule", "asked", "cast", "compute", "dense", "empty", "host",
    "part_of", "placed", "rule", "set_face", "store", "stored", "stypes", "wrapped",
]  # fmt: skip

Part = Any  # of an operation: a dense array, a Csr or Rows


class Csr:
    """A matrix in compressed sparse rows: row r has data[indptr[r]:indptr[r + 1]] in columns `indices`.

    `ordered` says whether the columns of every row ascend; `version` counts how often it was given other
    contents.
    """

    stype = "csr"
    __slots__ = ("data", "indices", "indptr", "ordered", "shape", "version")

    def __init__(self, shape: tuple, data: Any, indptr: Any, indices: Any, ordered: bool = True):
        self.shape, self.version, self.ordered = tuple(shape), 0, ordered
        self.data, self.indptr, self.indices = data, indptr, indices

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the elements."""
        return DTYPES[self.data._dtype_code]

    def become(self, other: Csr) -> None:
        """Take over the contents of another one of the same shape."""
        self.data, self.indptr, self.indices = other.data, other.indptr, other.indices
        self.ordered = other.ordered
        self.version += 1

    def like(self, data: Any) -> Csr:
        """Other elements in the same places."""
        return Csr(self.shape, data, self.indptr, self.indices, self.ordered)

    def row_of_each(self) -> np.ndarray:
        """The row of every element."""
        return np.repeat(np.arange(self.shape[0]), np.diff(host(self.indptr)))

    def arrays(self) -> tuple:
        """The arrays that it is made of."""
        return self.data, self.indptr, self.indices


class Rows:
    """An array of which only the rows `indices` are kept, in `data`; others are zero. See `Csr`."""

    stype = "row_sparse"
    __slots__ = ("data", "indices", "ordered", "shape", "version")

    def __init__(self, shape: tuple, data: Any, indices: Any, ordered: bool = True):
        self.shape, self.version, self.ordered = tuple(shape), 0, ordered
        self.data, self.indices = data, indices

    dtype = Csr.dtype

    def become(self, other: Rows) -> None:
        """Take over the contents of another one of the same shape."""
        self.data, self.indices, self.ordered = other.data, other.indices, other.ordered
        self.version += 1

    def like(self, data: Any) -> Rows:
        """Other elements in the same places."""
        return Rows(self.shape, data, self.indices, self.ordered)

    def arrays(self) -> tuple:
        """The arrays that it is made of."""
        return self.data, self.indices


STORED = (Csr, Rows)
_faces: dict[str, Callable[[Part], Any]] = {}
_classes: tuple[type, ...] = ()
_told: set[tuple] = set()
_log = logging.getLogger("mxcy")


def set_face(stype: str, cls: type, make: Callable[[Part], Any]) -> None:
    """Say which class users see for a kind of storage, and how one is made of it."""
    global _classes
    _faces[stype] = make
    _classes = (*_classes, cls)


def stored(x: Any) -> bool:
    """Whether x is a sparse array that users see."""
    return isinstance(x, _classes)


def asked(operands: Sequence, out: Any = None) -> Any:
    """The sparse array among operands or results that an operator is to ask, None if there is none."""
    outs = out if isinstance(out, (list, tuple)) else (out,)
    for x in (*operands, *outs):
        if isinstance(x, _classes):
            return x
    return None


def wrapped(part: Part) -> Any:
    """What users see of a result."""
    return _faces[part.stype](part) if isinstance(part, STORED) else part


def part_of(x: Any) -> Part:
    """An array that users see as it is here."""
    return x._stored if isinstance(x, _classes) else x  # type: ignore[attr-defined]


def stypes(parts: Sequence) -> tuple[str, ...]:
    """The storage types of parts."""
    return tuple([x.stype if isinstance(x, STORED) else "default" for x in parts])


# --- rules ----------------------------------------------------------------------------------------------
class Rule:
    """What an operator does with operands of some storage types, and the storage of its results."""

    __slots__ = ("accepts", "function", "into", "many", "out", "trains", "when")

    def __init__(
        self, text: str, function: Callable, when: Callable | None, into: bool, trains: bool = False
    ):
        given, self.out = (side.strip() for side in text.split("->"))
        self.many = given.endswith("*")  # of an operator that takes any number of operands
        self.accepts = tuple(frozenset(kind.strip(" *").split("|")) for kind in given.split(","))
        self.function, self.when, self.into, self.trains = function, when, into, trains

    def fits(self, kinds: tuple[str, ...], attrs: dict) -> bool:
        """Whether it applies to operands of these storage types."""
        accepts = self.accepts * len(kinds) if self.many else self.accepts
        if len(kinds) != len(accepts) or (self.when is not None and not self.when(attrs)):
            return False
        return all(kind in accepted for kind, accepted in zip(kinds, accepts, strict=True))


def rule(
    text: str, function: Callable, when: Callable[[dict], bool] | None = None, into: bool = False,
    trains: bool = False,
) -> Rule:
    """Return a rule, such as "csr, default|row_sparse -> default".

    `function(op, inputs, attrs)` takes dense arrays, `Csr` and `Rows`, and returns one of them, or a list
    for several results. `when(attrs)` restricts it to some attributes. With `into` the function also takes
    the list of results to write (or None); with `trains` it takes that list and whether it runs in training,
    and returns what users see.
    """
    return Rule(text, function, when, into, trains)


def on_elements(op: Any, inputs: Sequence, attrs: dict) -> Part:
    """The operator applied to the elements that are kept."""
    return inputs[0].like(op.compute([inputs[0].data], attrs)[0])


KEEPS = (rule("csr -> csr", on_elements), rule("row_sparse -> row_sparse", on_elements))


class Maker(Op):
    """An operator that can make sparse arrays of dense ones: rules with dense operands apply too."""

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        found = self.stored(("default",) * len(inputs), attrs)
        if found is None:
            return super().compute(inputs, attrs, outs, is_train, face)
        self._checked(inputs, attrs)
        return finished(self, found.function(self, inputs, attrs), outs)


# --- running --------------------------------------------------------------------------------------------
def compute(
    op: Any, inputs: Sequence, attrs: dict, outs: Sequence | None = None, is_train: bool = False
) -> list:
    """Compute an operator some of whose operands or results are sparse. See `Operator.compute`."""
    parts = [part_of(x) for x in inputs]
    found = op.stored(stypes(parts), attrs)
    if found is None:
        return fall_back(op, parts, attrs, outs, is_train)
    if found.trains:
        return found.function(op, parts, attrs, outs, is_train)
    if not found.into:
        return finished(op, found.function(op, parts, attrs), outs)
    result = found.function(op, parts, attrs, None if outs is None else [part_of(y) for y in outs])
    return [wrapped(result)] if outs is None else list(outs)


def finished(op: Any, results: Any, outs: Sequence | None) -> list:
    """Results as users see them, or written to `outs`."""
    results = results if isinstance(results, list) else [results]
    if outs is None:
        return [wrapped(x) for x in results]
    targets = [*outs, *[None] * (len(results) - len(outs))]
    check_out(op, targets, [x.shape for x in results], [x.dtype for x in results])
    return [
        wrapped(x) if out is None else store(x, out) for x, out in zip(results, targets, strict=True)
    ]


def store(part: Part, out: Any) -> Any:
    """Write a result to an array of any storage, as users see it or as it is here; return it."""
    target = part_of(out)
    if isinstance(target, STORED):
        target.become(fresh(cast(part, target.stype)))
    elif isinstance(part, STORED):
        dense(part, out)
    else:
        kernels.copy(part if part.shape == out.shape else part._reshape_view(out.shape), out=out)
    return out


def fresh(part: Part) -> Part:
    """The same with elements of its own: they may be written, the places never are."""
    return part.like(kernels.copy(part.data))


def fall_back(
    op: Any, parts: Sequence, attrs: dict, outs: Sequence | None, is_train: bool
) -> list:
    """Compute with dense copies of sparse operands; states among them and results are written back."""
    tell(op, stypes(parts), attrs)
    names = op.input_names(attrs)
    filled = []
    for position, part in enumerate(parts):
        if not isinstance(part, STORED):
            filled.append(part)
        elif position < len(names) and names[position] in op.shape_only:
            one = kernels.fill(part_like(part, (1,) * len(part.shape)), 0)
            filled.append(one._broadcast_view(part.shape))
        else:
            filled.append(dense(part))
    targets = None if outs is None else [None if isinstance(y, _classes) else y for y in outs]
    if targets is not None and all(y is None for y in targets):
        targets = None
    results = op.compute(filled, attrs, targets, is_train)
    for position in op.written_inputs(attrs):
        if position < len(parts) and isinstance(parts[position], STORED):
            parts[position].become(cast(filled[position], parts[position].stype))
    for y, result in zip(outs or (), results, strict=False):
        if isinstance(y, _classes):
            check_out(op, [y], [result.shape], [DTYPES[result._dtype_code]])
            store(part_of(result), y)
    return results if outs is None else [*outs, *results[len(outs) :]]


def part_like(part: Part, shape: tuple) -> Any:
    """A new dense array of the dtype of a sparse one, beside it."""
    return new_array(shape, part.dtype, part.data._face, part.data._context_code)


def tell(op: Any, kinds: tuple[str, ...], attrs: dict) -> None:
    """Say once that an operator makes its operands dense."""
    key = (op.name, kinds)
    if key in _told or set(kinds) <= {"default"}:
        return
    _told.add(key)
    if os.environ.get("MXNET_STORAGE_FALLBACK_LOG_VERBOSE", "1") not in ("", "0"):
        given = ", ".join(kinds)
        text = (
            "Storage type fallback detected: operator = %s, input storage types = [%s], params = {%s}. "
            "The operands are converted to dense arrays, which takes memory and time. Convert them with "
            "tostype, or set MXNET_STORAGE_FALLBACK_LOG_VERBOSE=0 to hide this"
        )
        _log.warning(text, op.name, given, ", ".join(f"{k}: {v}" for k, v in op.format_attrs(attrs).items()))


# --- conversions ------------------------------------------------------------------------------------------
def host(x: Any) -> np.ndarray:
    """The values of an array of places, when they are there."""
    return x.view_numpy()


def placed(values: Any, like: Any) -> Any:
    """An array of places, as int64, beside another one."""
    made = from_numpy(np.ascontiguousarray(values, np.int64), like._face)
    if made._context_code == like._context_code:
        return made
    return kernels.copy(made, out=new_array(made.shape, np.int64, like._face, like._context_code))


def empty(stype: str, shape: tuple, like: Any, dtype: Any = None) -> Part:
    """A sparse array of zeros, with the face and on the device of `like`, and by default its dtype."""
    dtype = DTYPES[like._dtype_code] if dtype is None else dtype
    kept = (0,) if stype == "csr" else (0, *shape[1:])
    data = new_array(kept, dtype, like._face, like._context_code)
    if stype == "csr":
        return Csr(shape, data, placed(np.zeros(shape[0] + 1), like), placed((), like))
    return Rows(shape, data, placed((), like))


def dense(part: Part, out: Any = None) -> Any:
    """A sparse array as a dense one: `out`, whose dtype may be another one, or a new one."""
    if out is not None and out._dtype_code != part.data._dtype_code:
        return kernels.copy(dense(part), out=out)
    if isinstance(part, Csr):
        return kernels.csr_dense(part.data, part.indices, part.indptr, part.shape[1], out=out)
    out = part_like(part, part.shape) if out is None else out
    kernels.fill(out, 0)
    return kernels.index_put(out, (part.indices,), part.data) if len(host(part.indices)) else out


def cast(part: Part, stype: str) -> Part:
    """An array of any storage in another one; itself if it is that."""
    if getattr(part, "stype", "default") == stype and (stype == "default" or isinstance(part, STORED)):
        return part
    whole = dense(part) if isinstance(part, STORED) else part
    if stype == "default":
        return whole
    if stype == "csr":
        if whole.ndim != 2:
            raise ArgumentError(message("tostype", "stype", "a matrix for 'csr'", f"shape {whole.shape}"))
        counts = host(kernels.csr_count(whole))
        indptr = placed(np.concatenate([[0], np.cumsum(counts)]), whole)
        data, indices = kernels.csr_fill(whole, indptr, int(counts.sum()))
        return Csr(whole.shape, data, indptr, indices)
    return rows_of(whole, np.flatnonzero(touched(whole)))


def touched(whole: Any) -> np.ndarray:
    """Which rows of an array have an element that is not zero."""
    if not whole.size:
        return np.zeros(whole.shape[0], bool)
    shape = whole.shape[0], whole.size // whole.shape[0]
    flat = whole._reshape_view(shape)
    return host(kernels.csr_count(kernels.copy(whole)._reshape_view(shape) if flat is None else flat)) > 0


def rows_of(whole: Any, indices: np.ndarray) -> Rows:
    """Some rows of a dense array."""
    where = placed(indices, whole)
    return Rows(whole.shape, kernels.gather_rows(whole, where), where)
