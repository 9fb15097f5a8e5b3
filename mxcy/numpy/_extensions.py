"""What `mx.npx` has besides operators: shapes by codes, indices, files, softmax over a part."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ArgumentError, DTypeError, ShapeError, message, problem
from ..ndarray import _saving
from . import _creation, _reductions, _shapes, _through
from . import _ufuncs as u
from ._calls import as_array
from ._ndarray import ndarray
from ._recorded import as_other_face

__all__ = ["constraint_check", "load", "masked_log_softmax", "masked_softmax", "nonzero", "reshape", "save"]

r = _reductions


def constraint_check(x: ndarray, msg: str) -> ndarray:
    """array(True) if all elements of an array of booleans are true, else an ArgumentError that says `msg`.

    In a graph the result has to be part of what is computed (`y * constraint_check(x > 0, "…")`).
    """
    if x.dtype != bool:
        raise DTypeError(message("npx.constraint_check", "x", "booleans", x.dtype))
    if not _reductions.all(x):
        raise ArgumentError(problem("npx.constraint_check", "x", msg))
    return _creation.array(True)


def nonzero(a: ndarray) -> ndarray:
    """The indices of elements that are not zero: a row of int64 for each."""
    return _through.argwhere(a)


def reshape(a: Any, newshape: Any, reverse: bool = False, order: str = "C") -> Any:
    """The elements in another shape, a view where that can be. Negative extents are codes.

    -1 is what is left, -2 the extent of the axis, -3 leaves out an axis of extent 1, -4 is all axes that are
    left, -5 joins two axes, and -6 splits one into the two extents that follow, one of which may be -1. With
    `reverse` codes go from the last axis. Raises ShapeError if the codes do not fit the shape.
    """
    wanted = [newshape] if isinstance(newshape, int) else list(newshape)
    if reverse:
        wanted = _shape_of(a.shape[::-1], _turned(wanted), newshape)[::-1]
    else:
        wanted = _shape_of(a.shape, wanted, newshape)
    return _shapes.reshape(a, tuple(wanted), order)


def _turned(codes: list) -> list:
    """The codes from the last one on; a split keeps its code before its two extents."""
    groups, i = [], 0
    while i < len(codes):
        length = 3 if codes[i] == -6 else 1
        groups.append([codes[i], *reversed(codes[i + 1 : i + length])])
        i += length
    return [code for group in reversed(groups) for code in group]


def _shape_of(shape: tuple, codes: list, given: Any) -> list:
    """The shape that codes mean; -1 is still in it."""
    found: list[int] = []
    at = i = 0

    def refuse() -> ShapeError:
        return ShapeError(message("npx.reshape", "newshape", f"codes for the shape {shape}", given))

    while i < len(codes):
        code = codes[i]
        taken = {-4: len(shape) - at, -5: 2}.get(code, 1)
        if code != -1 and code < 0 and (at + taken > len(shape) or code < -6):
            raise refuse()
        if code == -2 or code == -4:
            found += shape[at : at + taken]
        elif code == -3:
            if shape[at] != 1:
                raise refuse()
        elif code == -5:
            found.append(shape[at] * shape[at + 1])
        elif code == -6:
            found += _split(shape[at], codes[i + 1 : i + 3], refuse)
            i += 2
        else:
            found.append(code)
        at += taken
        i += 1
    return found


def _split(extent: int, parts: list, refuse: Any) -> list:
    """The two extents of an axis that is split."""
    if len(parts) == 2 and parts.count(-1) == 1:
        known = max(parts)
        parts = [extent // known if n == -1 else n for n in parts] if known else parts
    if len(parts) != 2 or math.prod(parts) != extent:
        raise refuse()
    return parts


def save(file: Any, arr: Any) -> None:
    """Write an array, a list of arrays or a mapping from names to arrays to a file, as `mx.nd.save`."""
    if isinstance(arr, dict):
        arr = {name: as_other_face(x, "nd") for name, x in arr.items()}
    elif isinstance(arr, (list, tuple)):
        arr = [as_other_face(x, "nd") for x in arr]
    else:
        arr = as_other_face(arr, "nd")
    _saving.save(file, arr)


def load(file: Any) -> Any:
    """Read what `save` or `mx.nd.save` has written: a list, or a mapping from names to arrays."""
    found = _saving.load(file)
    if isinstance(found, dict):
        return {name: as_other_face(x, "np") for name, x in found.items()}
    return [as_other_face(x, "np") for x in found]


# --- softmax over a part ------------------------------------------------------------------------------------
def masked_softmax(data: Any, mask: Any, axis: int = -1, temperature: float = 1.0) -> Any:
    """exp(data) over its sum along an axis, of the elements where a mask holds; 0 elsewhere."""
    lowered, chosen = _lowered(data, mask, axis, temperature)
    powers = u.exp(lowered) * chosen
    total = r.sum(powers, axis, keepdims=True)
    return powers / (total + (total == 0))


def masked_log_softmax(data: Any, mask: Any, axis: int = -1, temperature: float = 1.0) -> Any:
    """The logarithm of `masked_softmax`: -inf where the mask does not hold."""
    lowered, chosen = _lowered(data, mask, axis, temperature)
    total = r.sum(u.exp(lowered) * chosen, axis, keepdims=True)
    return u.where(chosen, lowered - u.log(total + (total == 0)), -math.inf)


def _lowered(data: Any, mask: Any, axis: int, temperature: float) -> tuple:
    """Data less the largest that is chosen (0 where none is), and the mask in its shape."""
    chosen = _shapes.broadcast_to(as_array(mask), data.shape).astype(bool)
    scaled = data / temperature
    top = r.max(u.where(chosen, scaled.detach(), -math.inf), axis, keepdims=True)
    return u.where(chosen, scaled - u.where(top == -math.inf, 0.0, top), 0.0), chosen
