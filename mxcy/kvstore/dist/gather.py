"""`Gather`: what senders pushed for one round of one unit, added up in the order of the senders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import FormatError, problem
from . import _streams
from .codecs import SCALE, aligned, decode_into, rows_decoded
from .frames import PART, Codec

__all__ = ["Gather"]


class Piece:
    """A megabyte of the unit: contributions wait until all senders before theirs are added."""

    __slots__ = ("added", "bytes", "first", "waiting")

    def __init__(self, nbytes: int):
        self.bytes = nbytes
        self.waiting: dict[int, tuple[int, Any]] = {}
        self.added = 0
        self.first: tuple[int, Any] | None = None  # the first contribution, until there is one to add


class Gather:
    """The sum of one round. It is the same bit for bit whatever order contributions arrive in.

    Parameters
    ----------
    order : who contributes, in the order of addition.
    size, dtype : of the flat unit.
    threshold : of two-bit codes.
    width : elements of a row; 0 if the unit has no whole rows.
    place : returns the memory for the sum; new memory by default.
    """

    def __init__(self, order: Sequence[int], size: int, dtype: np.dtype, threshold: float, width: int,
                 place: Callable[[], np.ndarray] | None = None):  # fmt: skip
        self.order = list(order)
        self.size, self.dtype, self.threshold, self.width = size, dtype, threshold, width
        self.nbytes = size * dtype.itemsize
        self.left = self.nbytes
        self._pieces: dict[int, Piece] = {}
        self._rows: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._single: Any = None  # all of it, from the only sender
        self._sum: np.ndarray | None = None
        self._place = place or (lambda: np.empty(size, dtype))

    def add(self, sender: int, offset: int, size: int, codec: int, data: Any) -> bool:
        """Take a contribution; return whether the sum is complete. One that is there already is ignored."""
        if not self.left or sender not in self.order:
            return not self.left
        if codec == Codec.ROWS:
            self._add_rows(sender, data)
            return not self.left
        if len(self.order) == 1 and size == self.nbytes and codec == Codec.PLAIN and not self._pieces:
            self._check(size, codec, data)
            self._single, self.left = data, 0
            return True
        if self._rows:
            self._densify()
        if offset % PART or (size > PART and size + offset != self.nbytes):
            raise FormatError(problem("KVStore", "push", f"{size} bytes at {offset} are not on the grid"))
        self._check(size, codec, data)
        scale = SCALE[Codec(codec)]
        for at in range(0, size, PART):
            part = data[at // scale : (at + PART) // scale] if size > PART else data
            self._add_piece(sender, offset + at, min(PART, size - at), codec, part)
        return not self.left

    def _check(self, size: int, codec: int, data: Any) -> None:
        scale = SCALE.get(codec)
        count = size // self.dtype.itemsize
        if scale is None or (scale > 1 and self.dtype != np.float32):
            raise FormatError(problem("KVStore", "push", f"codec {codec} for {self.dtype}"))
        expected = -(-count // 16) * 4 if codec == Codec.TWO_BIT else size // scale
        if len(data) != expected:
            raise FormatError(problem("KVStore", "push", f"{len(data)} bytes, {expected} expected"))

    def _add_piece(self, sender: int, offset: int, nbytes: int, codec: int, data: Any) -> None:
        piece = self._pieces.get(offset)
        if piece is None:
            piece = self._pieces[offset] = Piece(min(PART, self.nbytes - offset))
        if sender in piece.waiting or sender in self.order[: piece.added] or nbytes != piece.bytes:
            return
        piece.waiting[sender] = (codec, data)
        while piece.added < len(self.order) and self.order[piece.added] in piece.waiting:
            self._fold(piece, offset, *piece.waiting.pop(self.order[piece.added]))
            piece.added += 1
            if piece.added == len(self.order):
                self.left -= nbytes

    def _fold(self, piece: Piece, offset: int, codec: int, data: Any) -> None:
        if piece.added == 0:
            piece.first = (codec, data)
            return
        out = self._target(piece, offset)
        if piece.first is not None:
            (first_codec, first), piece.first = piece.first, None
            if first_codec == codec == Codec.PLAIN:
                _streams.add(out, self._plain(first), self._plain(data))
                return
            decode_into(out, first_codec, first, self.threshold, add=False)
        decode_into(out, codec, data, self.threshold, add=True)

    def _target(self, piece: Piece, offset: int) -> np.ndarray:
        if self._sum is None:
            self._sum = self._place()
        start = offset // self.dtype.itemsize
        return self._sum[start : start + piece.bytes // self.dtype.itemsize]

    def _plain(self, data: Any) -> np.ndarray:
        return aligned(np.frombuffer(data, np.uint8), self.dtype)

    # -- rows -------------------------------------------------------------------------------------------

    def _add_rows(self, sender: int, data: Any) -> None:
        if sender in self._rows:
            return
        self._rows[sender] = rows_decoded(bytes(data), self.dtype, self.width, self.size // self.width)
        if self._pieces:
            self._densify()
        elif len(self._rows) == len(self.order):
            self.left = 0

    def _densify(self) -> None:
        """Somebody sent the whole array, so rows become whole arrays too."""
        rows, self._rows = self._rows, {}
        for sender, (indices, values) in rows.items():
            dense = np.zeros((self.size // self.width, self.width), self.dtype)
            dense[indices] = values
            raw = dense.reshape(-1).view(np.uint8)
            for at in range(0, self.nbytes, PART):
                part = raw[at : at + PART]
                self._add_piece(sender, at, len(part), Codec.PLAIN, part)

    def rows(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return (indices, rows) of the complete sum if all sent rows."""
        if not self._rows:
            return None
        indices = np.unique(np.concatenate([found for found, _ in self._rows.values()]))
        total = np.zeros((len(indices), self.width), self.dtype)
        for sender in self.order:
            found, values = self._rows[sender]
            total[np.searchsorted(indices, found)] += values  # indices of one sender are unique
        return indices, total

    def total(self) -> np.ndarray:
        """Return the complete sum, flat; it may lie where a single sender has it."""
        if self._single is not None:
            return self._plain(self._single)
        found = self.rows()
        if found is not None:
            dense = np.zeros((self.size // self.width, self.width), self.dtype)
            dense[found[0]] = found[1]
            return dense.reshape(-1)
        for offset, piece in self._pieces.items():
            if piece.first is not None:
                codec, data = piece.first
                decode_into(self._target(piece, offset), codec, data, self.threshold, add=False)
        assert self._sum is not None
        return self._sum
