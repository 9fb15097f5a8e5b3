"""Numbers on the wire: as they are, in half the bytes, in two bits with a residual, or as rows.

Two bits are those of MXNet: four elements a byte, the first in the highest bits, 3 for `threshold`, 2 for
`-threshold`, 0 for neither. What is cut off stays in the residual of the sender and is added next time, so
that residual + sum of what was sent = sum of the gradients (Seide et al. 2014).
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from ...errors import ArgumentError, FormatError, message, problem
from ..compression import size_of
from . import _streams
from .frames import Codec

__all__ = ["SCALE", "Compression", "aligned", "decode_into", "rows_decoded", "rows_encoded"]

HALVES = {Codec.FP16: np.dtype(np.float16), Codec.BF16: np.dtype(ml_dtypes.bfloat16)}
SCALE: dict[int, int] = {
    Codec.PLAIN: 1,
    Codec.FP16: 2,
    Codec.BF16: 2,
    Codec.TWO_BIT: 16,
}  # bytes for each sent
TYPES = {"none": Codec.PLAIN, "fp16": Codec.FP16, "bf16": Codec.BF16, "2bit": Codec.TWO_BIT}


class Compression:
    """What `set_gradient_compression` chose. Only float32 is compressed.

    Parameters
    ----------
    type : "2bit", "fp16", "bf16" or "none".
    threshold : of "2bit": the size of what is sent; greater than 0.
    """

    def __init__(self, type: str = "2bit", threshold: float = 0.5):
        if type not in TYPES:
            expected = "'2bit', 'fp16', 'bf16' or 'none'"
            raise ArgumentError(message("set_gradient_compression", "type", expected, repr(type)))
        self.type = type
        self.codec = TYPES[type]
        self.threshold = size_of(threshold)
        self.residuals: dict[int, np.ndarray] = {}

    def encode(self, unit: int, values: np.ndarray) -> tuple[Codec, np.ndarray]:
        """Return how a flat gradient is written, and its bytes; the residual of the unit moves on."""
        if values.dtype != np.float32 or self.codec == Codec.PLAIN:
            return Codec.PLAIN, values.view(np.uint8)
        if self.codec in HALVES:
            with np.errstate(over="ignore"):
                return self.codec, values.astype(HALVES[self.codec]).view(np.uint8)
        residual = self.residuals.get(unit)
        if residual is None:
            residual = self.residuals[unit] = np.zeros_like(values)
        return Codec.TWO_BIT, two_bits(residual, values, np.float32(self.threshold))


def two_bits(residual: np.ndarray, values: np.ndarray, threshold: np.float32) -> np.ndarray:
    """The codes of residual + values; the residual keeps the rest. Groups of 16, as in MXNet."""
    residual += values
    above, below = residual >= threshold, residual <= -threshold
    codes = np.zeros(-(-len(values) // 16) * 16, np.uint8)
    codes[: len(values)] = above * np.uint8(3) + below * np.uint8(2)
    np.subtract(residual, threshold, out=residual, where=above)
    np.add(residual, threshold, out=residual, where=below)
    quads = codes.reshape(-1, 4)
    return quads[:, 0] << 6 | quads[:, 1] << 4 | quads[:, 2] << 2 | quads[:, 3]


TWO_BIT_VALUES = np.array(
    [[(0, 0, -1, 1)[byte >> shift & 3] for shift in (6, 4, 2, 0)] for byte in range(256)], np.float32
)  # code 1 is never written


def decode_into(out: np.ndarray, codec: int, data: Any, threshold: float, add: bool) -> None:
    """Write what is encoded to a flat array, or add it. Raises FormatError if the lengths do not fit."""
    raw = np.frombuffer(data, np.uint8)
    expected = encoded_length(codec, out)
    if len(raw) != expected:
        text = f"{len(raw)} bytes for {out.size} elements, {expected} expected"
        raise FormatError(problem("KVStore", "frame", text))
    if codec == Codec.PLAIN:
        values = aligned(raw, out.dtype)
    elif codec == Codec.TWO_BIT:
        values = TWO_BIT_VALUES[raw].reshape(-1)[: out.size] * np.float32(threshold)
    else:
        values = aligned(raw, HALVES[Codec(codec)])
    if add:
        _streams.add(out, out, values)
    elif values.dtype == out.dtype:
        _streams.copy(out.view(np.uint8), values.view(np.uint8))
    else:
        out[...] = values


def encoded_length(codec: int, out: np.ndarray) -> int:
    if codec == Codec.PLAIN:
        return out.nbytes
    if codec == Codec.TWO_BIT and out.dtype == np.float32:
        return -(-out.size // 16) * 4
    if codec in HALVES and out.dtype == np.float32:
        return out.size * 2
    raise FormatError(problem("KVStore", "frame", f"codec {codec} for {out.dtype}"))


def aligned(raw: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Bytes as numbers; parts of a message may begin anywhere."""
    if raw.ctypes.data % dtype.itemsize:
        raw = raw.copy()
    return raw.view(dtype)


def rows_encoded(indices: np.ndarray, rows: np.ndarray) -> bytes:
    """Rows and which they are, as bytes."""
    indices = np.ascontiguousarray(indices, np.int64)
    return np.int64(len(indices)).tobytes() + indices.tobytes() + np.ascontiguousarray(rows).tobytes()


def rows_decoded(data: Any, dtype: np.dtype, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """(indices, rows) of bytes; FormatError unless they fit an array of `height` rows of `width`."""
    raw = np.frombuffer(data, np.uint8)
    count = int(aligned(raw[:8], np.dtype(np.int64))[0]) if len(raw) >= 8 else -1
    if not 0 <= count <= height or len(raw) != 8 + count * (8 + width * dtype.itemsize):
        raise FormatError(problem("KVStore", "frame", f"{len(raw)} bytes are not {count} rows of {width}"))
    indices = aligned(raw[8 : 8 + 8 * count], np.dtype(np.int64))
    if count and (indices.min() < 0 or indices.max() >= height or (np.diff(indices) <= 0).any()):
        raise FormatError(problem("KVStore", "frame", f"rows outside 0 to {height - 1}, or not in order"))
    return indices, aligned(raw[8 + 8 * count :], dtype).reshape(count, width)
