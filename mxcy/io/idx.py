"""Files of the IDX format, as those of MNIST: an array of bytes behind its shape; as they are or gzipped."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib

import numpy as np

from ..errors import FormatError, message, wrap

__all__ = ["read_idx"]

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP = b"\x1f\x8b"
MOST_DIMENSIONS = 8


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """Return the array in an IDX file. FormatError for what is none, or is not of its size."""
    data = content(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in TYPES or not 1 <= data[3] <= MOST_DIMENSIONS:
        got = f"{data[:4]!r}"
        raise FormatError(message("read_idx", os.fspath(path), "the magic number of an IDX file", got))
    dtype, dimensions = np.dtype(TYPES[data[2]]), data[3]
    head = 4 + 4 * dimensions
    if len(data) < head:
        expected = f"the {head} bytes of a head"
        raise FormatError(message("read_idx", os.fspath(path), expected, f"{len(data)} bytes"))
    shape = struct.unpack_from(f">{dimensions}I", data, 4)
    wanted = math.prod(shape) * dtype.itemsize
    if len(data) - head != wanted:
        expected = f"{wanted} bytes for shape {shape}"
        raise FormatError(message("read_idx", os.fspath(path), expected, f"{len(data) - head} bytes"))
    return np.frombuffer(data, dtype, offset=head).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def content(path: str | os.PathLike) -> bytes:
    """The bytes of a file, unpacked if it is gzipped."""
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except OSError as error:
        raise wrap(error) from None
    if data[:2] != GZIP:
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(message("read_idx", os.fspath(path), "a whole gzip file", str(error))) from None
