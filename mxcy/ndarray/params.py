"""MXNet's `.params` files: dense arrays, each with or without a name.

Written exactly as MXNet 1.9.1 writes them. All numbers are little-endian:

    u64 0x112, u64 0
    u64 count, then for each array
        u32 version: 0xF993FAC9
        i32 storage type: 0 for dense
        i32 ndim, i64 extent for each dimension
        i32 device type, i32 device number: 1, 0 for cpu(0)
        i32 type flag, then the elements in C order
    u64 number of names (0 or count), then for each u64 length and UTF-8

In version 0xF993FAC9 an array of no dimensions has no value, and nothing follows. Version 0xF993FACA is
the same but allows 0-d; MXNet reads it under `np_shape` only, and one file has one version, so it is used
for files that hold a 0-d array. Two older versions are read: 0xF993FAC8 lacks the storage type; before,
there was no version but the number of dimensions, and extents were u32.

A file is not trusted: every count is compared with the bytes that are left before anything is allocated,
so reading never allocates more than the size of the file.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable, Sequence
from typing import IO, Any, NamedTuple

import numpy as np

from ..dtypes import code_of, from_mxnet_flag, mxnet_flag_of, numpy_dtype
from ..errors import DTypeError, FormatError, message

__all__ = ["Header", "check", "read", "write"]

FILE_MAGIC = 0x112
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
DENSE = 0
STYPES = {1: "row_sparse", 2: "csr"}
INDEX = np.dtype(np.int64)  # of the places of sparse arrays
CPU = 1
MAX_NDIM = 32
SMALLEST_ARRAY = 20  # bytes of an array in the oldest version, with one dimension of extent 0


class Header(NamedTuple):
    """What a file says of an array before its elements."""

    shape: tuple[int, ...]
    dtype: np.dtype
    device: tuple[int, int] = (CPU, 0)


class Sparse(NamedTuple):
    """A sparse array: its elements, and the arrays of where they belong (of csr: indptr, indices)."""

    stype: str
    shape: tuple[int, ...]
    data: np.ndarray
    places: list[np.ndarray]
    device: tuple[int, int] = (CPU, 0)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the elements."""
        return self.data.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all that is kept."""
        return self.data.nbytes + sum(places.nbytes for places in self.places)

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)


def write(
    stream: IO[bytes],
    arrays: Sequence[np.ndarray | Sparse],
    names: Sequence[str] = (),
    devices: Sequence[tuple[int, int]] | None = None,
) -> None:
    """Write arrays of any strides to a binary stream, with as many names or none.

    `devices` are MXNet's (type, number) of each; cpu(0) without. Raises `DTypeError`, before anything is
    written, for a dtype that MXNet does not have.
    """
    flags = check([array.dtype for array in arrays], names)
    version = V3 if any(array.ndim == 0 for array in arrays) else V2
    stream.write(struct.pack("<QQQ", FILE_MAGIC, 0, len(arrays)))
    for i, array in enumerate(arrays):
        device = devices[i] if devices else (CPU, 0)
        if isinstance(array, Sparse):
            _write_sparse(stream, version, array, device, flags[i])
            continue
        head = struct.pack("<Ii", version, DENSE) + _extents(array.shape)
        stream.write(head + struct.pack("<3i", *device, flags[i]))
        _write_elements(stream, array)
    stream.write(struct.pack("<Q", len(names)))
    for name in names:
        encoded = name.encode()
        stream.write(struct.pack("<Q", len(encoded)) + encoded)


def _extents(shape: Sequence[int]) -> bytes:
    return struct.pack(f"<i{len(shape)}q", len(shape), *shape)


def _write_elements(stream: IO[bytes], array: np.ndarray) -> None:
    flat = np.ascontiguousarray(array).reshape(-1)
    if sys.byteorder == "big":
        flat = flat.byteswap()
    stream.write(flat.view(np.uint8).data)


def _write_sparse(stream: IO[bytes], version: int, array: Sparse, device: tuple, flag: int) -> None:
    kind = next(number for number, stype in STYPES.items() if stype == array.stype)
    head = struct.pack("<Ii", version, kind) + _extents(array.data.shape) + _extents(array.shape)
    head += struct.pack("<3i", *device, flag)
    for places in array.places:
        head += struct.pack("<i", mxnet_flag_of(code_of(INDEX))) + _extents(places.shape)
    stream.write(head)
    for part in (array.data, *array.places):
        _write_elements(stream, part)


def check(dtypes: Sequence[np.dtype], names: Sequence[str] = ()) -> list[int]:
    """Return MXNet's flags of dtypes; raise `DTypeError` for one that it does not have (complex)."""
    flags = []
    for number, dtype in enumerate(dtypes):
        flag = mxnet_flag_of(code_of(dtype))
        if flag is None:
            which = repr(names[number]) if names else number
            hint = "save the real and the imaginary part"
            raise DTypeError(message("save", f"data[{which}]", "a dtype that MXNet has", dtype.name, hint))
        flags.append(flag)
    return flags


def _new(header: Header) -> tuple[Any, np.ndarray]:
    array = np.empty(header.shape, header.dtype)
    return array, array


def read(
    stream: IO[bytes],
    size: int,
    source: str,
    allocate: Callable[[Header], tuple[Any, np.ndarray]] = _new,
) -> tuple[list[Any], list[str]]:
    """Read all arrays and names of a binary stream of `size` bytes; no names if the file has none.

    `allocate` returns a new array and a writable NumPy view of it in C order, which is filled. Sparse arrays
    come as `Sparse`, with places that have not been checked.
    `source` names the file in errors. Raises `FormatError` for anything but a whole file.
    """
    reader = _Reader(stream, size, source)
    magic, reserved = reader.numbers("<QQ", "the head of the file")
    if magic != FILE_MAGIC or reserved != 0:
        got = f"{struct.pack('<QQ', magic, reserved).hex()} at byte 0"
        raise reader.error("the mark of an MXNet .params file", got, "is this another kind of file?")
    count = reader.count("arrays", SMALLEST_ARRAY)
    arrays = []
    for number in range(count):
        header = reader.header(number)
        if isinstance(header, Sparse):
            for part in (header.data, *header.places):
                reader.fill(part, f"the elements of array {number}")
            arrays.append(header)
            continue
        array, view = allocate(header)
        reader.fill(view, f"the elements of array {number}")
        arrays.append(array)
    n_names = reader.count("names", 8)
    if n_names not in (0, count):
        raise reader.error(f"{count} names or none", n_names)
    names = [reader.text(f"name {number}") for number in range(n_names)]
    if reader.left:
        raise reader.error(f"the end at byte {reader.position}", f"{reader.left} more bytes")
    return arrays, names


class _Reader:
    """A stream of known size that knows where it is and never reads past what is left."""

    def __init__(self, stream: IO[bytes], size: int, source: str):
        self.stream = stream
        self.size = size
        self.source = source
        self.position = 0

    @property
    def left(self) -> int:
        return self.size - self.position

    def error(self, expected: object, got: object, hint: str = "the file is damaged") -> FormatError:
        return FormatError(message("load", self.source, expected, got, hint))

    def require(self, nbytes: int, what: str) -> None:
        if nbytes > self.left:
            expected = f"{nbytes} bytes for {what} at byte {self.position}"
            raise self.error(expected, f"{self.left} left", "the file is truncated or damaged")

    def fill(self, array: np.ndarray, what: str) -> None:
        """Read the elements of a whole array in C order."""
        self.require(array.nbytes, what)
        raw = array.reshape(-1).view(np.uint8)
        found = self.stream.readinto(raw.data) if raw.size else 0  # type: ignore[attr-defined]
        if found != raw.size:
            got = self.position + (found or 0)
            raise self.error(f"{self.size} bytes", got, "the file was cut while reading")
        self.position += raw.size
        if array.dtype == np.bool_:  # any other byte than 0 and 1 would make an invalid element
            np.not_equal(raw, 0, out=raw.view(np.bool_))
        elif sys.byteorder == "big":
            array.byteswap(inplace=True)

    def bytes(self, nbytes: int, what: str) -> bytes:
        self.require(nbytes, what)
        block = np.empty(nbytes, np.uint8)
        self.fill(block, what)
        return block.tobytes()

    def numbers(self, layout: str, what: str) -> tuple[int, ...]:
        return struct.unpack(layout, self.bytes(struct.calcsize(layout), what))

    def count(self, things: str, smallest: int) -> int:
        """How many things follow, each of at least `smallest` bytes."""
        (count,) = self.numbers("<Q", f"the number of {things}")
        if count * smallest > self.left:
            where = f"at byte {self.position - 8}"
            expected = f"at most {self.left // smallest} {things} {where}"
            raise self.error(expected, count, "the file is truncated or damaged")
        return count

    def text(self, what: str) -> str:
        start = self.position
        (length,) = self.numbers("<Q", f"the length of {what}")
        encoded = self.bytes(length, what)
        try:
            return encoded.decode()
        except UnicodeDecodeError:
            raise self.error(f"{what} in UTF-8 at byte {start + 8}", encoded[:40]) from None

    def header(self, number: int) -> Header | Sparse:
        """Read all of an array but its elements; of a sparse one with room for them."""
        what = f"array {number}"
        start = self.position
        (version,) = self.numbers("<I", f"the version of {what}")
        extent = "q"
        if version in (V2, V3):
            storage, ndim = self.numbers("<ii", f"the head of {what}")
            if storage in STYPES:
                return self.sparse(STYPES[storage], ndim, what, start)
            if storage != DENSE:
                expected = f"{what} at byte {start} to be dense, row_sparse or csr"
                raise self.error(expected, f"storage type {storage}")
        elif version == V1:
            (ndim,) = self.numbers("<i", f"the head of {what}")
        else:
            ndim, extent = version, "I"
        shape = self.extents(ndim, what, start, extent, least=version != V3)
        place, device = self.numbers("<2i", f"the device of {what}")
        header = Header(shape, self.dtype(what), (place, device))
        self.check_extents(header, what, start)
        return header

    def extents(self, ndim: int, what: str, start: int, extent: str = "q", least: int = 1) -> tuple:
        """Read a shape whose length was read."""
        if not least <= ndim <= MAX_NDIM:
            expected = f"1 to {MAX_NDIM} dimensions for {what} at byte {start}"
            hint = "MXNet saves so what has no value" if ndim == 0 or ndim == -1 else "the file is damaged"
            raise self.error(expected, ndim, hint)
        return self.numbers(f"<{ndim}{extent}", f"the shape of {what}")

    def dtype(self, what: str) -> np.dtype:
        """Read a type flag."""
        (flag,) = self.numbers("<i", f"the type of {what}")
        code = from_mxnet_flag(flag)
        if code is None:
            raise self.error(f"a type flag of MXNet for {what} at byte {self.position - 4}", flag)
        return numpy_dtype(code)

    def sparse(self, stype: str, ndim: int, what: str, start: int) -> Sparse:
        """Read the head of a sparse array from the shape of its elements on."""
        kept = self.extents(ndim, what, start)
        (ndim,) = self.numbers("<i", f"the dimensions of {what}")
        shape = self.extents(ndim, what, start)
        place, device = self.numbers("<2i", f"the device of {what}")
        parts = [Header(kept, self.dtype(what))]
        for name in ("indices",) if stype == "row_sparse" else ("indptr", "indices"):
            dtype = self.dtype(f"the {name} of {what}")
            if dtype != INDEX:
                raise self.error(f"{name} of {what} at byte {start} of {INDEX}", dtype)
            (ndim,) = self.numbers("<i", f"the dimensions of {what}")
            parts.append(Header(self.extents(ndim, what, start), dtype))
        self.check_extents(Header(shape, np.dtype(np.int8)), what, start, held=False)
        for part in parts:
            self.check_extents(part, what, start)
        self.require(sum(math.prod(x.shape) * x.dtype.itemsize for x in parts), f"the elements of {what}")
        data, *places = [np.empty(x.shape, x.dtype) for x in parts]
        return Sparse(stype, shape, data, places, (place, device))

    def check_extents(self, header: Header, what: str, start: int, held: bool = True) -> None:
        """Refuse shapes that no array can have, and those whose elements cannot be in the file (`held`)."""
        itemsize = header.dtype.itemsize
        shape = header.shape
        if min(shape, default=0) < 0 or math.prod(max(1, n) for n in shape) * itemsize >= 2**63:
            raise self.error(f"extents of an array for {what} at byte {start}", shape)
        if held:
            self.require(math.prod(shape) * itemsize, f"the elements of {what} of shape {shape}")
