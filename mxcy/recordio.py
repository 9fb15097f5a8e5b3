"""RecordIO: many records of any bytes in one file, read in order or by an index; the format of MXNet.

A record is a magic number, a word that holds its length (29 bits) and its kind (3 bits), its bytes, and
zeros up to a multiple of four. Where the payload has the magic number at a multiple of four bytes, it is cut
there into parts (kinds 1, 2, .. 2, 3 instead of 0), and the number is put back by the reader: so the magic
number in a file always starts a record, and a reader can begin anywhere.

Files are read through a map of the memory: a record is copied once, or not at all (`read_view`).
"""

from __future__ import annotations

import io
import mmap
import numbers
import os
import struct
import threading
import warnings
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .errors import ArgumentError, ArgumentTypeError, FormatError, StateError, message, problem, wrap

__all__ = [
    "IRHeader",
    "MXIndexedRecordIO",
    "MXRecordIO",
    "pack",
    "pack_img",
    "unpack",
    "unpack_img",
]

MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack("<I", MAGIC)
HEAD = struct.Struct("<II")
LENGTH_BITS = 29
LONGEST = (1 << LENGTH_BITS) - 1
WHOLE, FIRST, MIDDLE, LAST = 0, 1, 2, 3


class MXRecordIO:
    """A file of records, open for writing (`flag` "w") or for reading ("r").

    A file handle belongs to the process that opened it: after a fork the child opens it again by `reset`.
    Threads may share one. Errors of the file system are both OSError and MXNetError; a damaged file raises
    FormatError, which names the file and the byte.
    """

    def __init__(self, uri: str | os.PathLike, flag: str):
        self.uri = os.fspath(uri)
        self.flag = flag
        self.is_open = False
        self._lock = threading.Lock()  # guards the position and the file
        self.open()

    def open(self) -> None:
        """Open the file: empty for writing, at its beginning for reading."""
        if self.flag not in ("r", "w"):
            raise ArgumentError(message("MXRecordIO", "flag", "'r' or 'w'", repr(self.flag)))
        try:
            self._file: Any = open(self.uri, "rb" if self.flag == "r" else "wb")  # noqa: SIM115
        except OSError as error:
            raise wrap(error) from None
        self._map: Any = None
        self._position = 0
        self.pid = os.getpid()
        self.is_open = True

    @property
    def writable(self) -> bool:
        """Whether the file is open for writing."""
        return self.flag == "w"

    def close(self) -> None:
        """Write what is buffered and close the file; closing twice does nothing."""
        if not self.is_open:
            return
        self.is_open = False
        if self.pid == os.getpid():
            self._map = None
            self._file.close()

    def reset(self) -> None:
        """Go back to the first record; for a file being written, begin again with an empty one."""
        if self._unchanged():
            self._position = 0
            return
        self.close()
        self.open()

    def _unchanged(self) -> bool:
        """Whether this process reads the file that is there now, so that its map can stay."""
        if self.writable or not self.is_open or self.pid != os.getpid():
            return False
        try:
            now, then = os.stat(self.uri), os.fstat(self._file.fileno())
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == (then.st_dev, then.st_ino)

    def __enter__(self) -> MXRecordIO:
        return self

    def __exit__(self, *raised: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "is_open", False):
            self.close()

    def __getstate__(self) -> dict[str, Any]:
        state = {key: value for key, value in self.__dict__.items() if not key.startswith("_")}
        if self.is_open and self.writable:
            text = "a file that is being written cannot be pickled"
            raise StateError(problem("MXRecordIO", None, text, "close it first"))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()
        was_open, self.is_open = self.is_open, False
        if was_open:
            self.open()

    def _check(self, writing: bool, operation: str) -> None:
        """Raise unless the file is open, for this, in this process."""
        if not self.is_open:
            raise StateError(problem(operation, None, f"{self.uri} is closed", "open() it again"))
        if self.pid != os.getpid():
            text = f"{self.uri} was opened in another process"
            raise wrap(RuntimeError(problem(operation, None, text, "call reset() after a fork")))
        if writing != self.writable:
            raise StateError(message(operation, None, f"a file opened for {operation}", repr(self.flag)))

    # -- writing ---------------------------------------------------------------------------------------

    def write(self, buf: bytes) -> None:
        """Append a record. Raises ArgumentError for one of 2^29 bytes or more."""
        self._check(True, "write")
        try:
            data = bytes(memoryview(buf).cast("B")) if not isinstance(buf, bytes) else buf
        except TypeError:
            raise ArgumentTypeError(message("write", "buf", "bytes", type(buf).__name__)) from None
        if len(data) > LONGEST:
            raise ArgumentError(message("write", "buf", f"at most {LONGEST} bytes", len(data)))
        with self._lock:
            self._file.write(framed(data))

    def tell(self) -> int:
        """Return the position where the next record will be written (or, for a reader, read)."""
        return self._file.tell() if self.writable else self._position

    # -- reading ---------------------------------------------------------------------------------------

    def read(self) -> bytes | None:
        """Return the next record, None after the last one."""
        self._check(False, "read")
        with self._lock:
            found = self._next()
        return None if found is None else bytes(found)

    def read_view(self) -> memoryview | None:
        """Return the next record without a copy, if it is in one part; it keeps the map of the file alive."""
        self._check(False, "read")
        with self._lock:
            found = self._next()
        return None if found is None else memoryview(found)

    def seek_to(self, position: int) -> None:
        """Go to a position that `tell` has given; anything else is a FormatError at the next read."""
        self._check(False, "read")
        self._position = position

    def __iter__(self) -> Iterator[bytes]:
        while (record := self.read()) is not None:
            yield record

    def _next(self) -> memoryview | bytes | None:
        """The record at the position, which moves behind it."""
        begin = self._position
        found = self._part(begin)
        if found is None:
            return None
        kind, part, end = found
        payload: memoryview | bytes = part
        if kind != WHOLE:
            payload, end = self._joined(begin, kind, payload, end)
        self._position = end
        return payload

    def _joined(self, begin: int, kind: int, payload: Any, end: int) -> tuple[bytes, int]:
        """(record of several parts, its end)."""
        if kind != FIRST:
            raise self._damaged("the beginning of a record", f"a part of kind {kind}", begin)
        parts = [payload]
        while kind != LAST:
            at = end
            found = self._part(at)
            if found is None:
                raise self._damaged("the next part of a record", "the end of the file", at)
            kind, payload, end = found
            if kind not in (MIDDLE, LAST):
                raise self._damaged("the next part of a record", f"a part of kind {kind}", at)
            parts.append(payload)
        return MAGIC_BYTES.join(parts), end

    def _part(self, at: int) -> tuple[int, memoryview, int] | None:
        """(kind, bytes, end) of the part at a position, None at the end of the file."""
        data = self._bytes(at + HEAD.size)
        if at >= len(data):
            return None
        if at + HEAD.size > len(data):
            raise self._damaged("the head of a record", f"{len(data) - at} bytes to the end of the file", at)
        magic, word = HEAD.unpack_from(data, at)
        if magic != MAGIC:
            raise self._damaged(f"the magic number {MAGIC:#x}", f"{magic:#x}", at)
        begin, length = at + HEAD.size, word & LONGEST
        end = begin + (length + 3) // 4 * 4
        if end > len(data):
            data = self._bytes(end)
        if begin + length > len(data):
            got = f"{len(data) - begin} to the end of the file, which is cut short"
            raise self._damaged(f"a record of {length} bytes", got, at)
        return word >> LENGTH_BITS, data[begin : begin + length], end

    def _bytes(self, needed: int) -> memoryview:
        """The file as memory; mapped again if it has grown and more of it is needed."""
        if self._map is None or (
            needed > len(self._map) and os.fstat(self._file.fileno()).st_size > len(self._map)
        ):
            size = os.fstat(self._file.fileno()).st_size
            mapped = mmap.mmap(self._file.fileno(), size, access=mmap.ACCESS_READ) if size else b""
            self._map = memoryview(mapped)
        return self._map

    def _damaged(self, expected: str, got: str, at: int) -> FormatError:
        return FormatError(message("read", f"{self.uri} at byte {at}", expected, got, "the file is damaged"))


def framed(data: bytes) -> bytes:
    """A record as it stands in a file."""
    cuts = aligned_magics(data)
    if not cuts:
        return b"".join((HEAD.pack(MAGIC, len(data)), data, bytes(-len(data) % 4)))
    parts, begin = [], 0
    for number, cut in enumerate(cuts):
        kind = FIRST if number == 0 else MIDDLE
        parts += [HEAD.pack(MAGIC, kind << LENGTH_BITS | cut - begin), data[begin:cut]]
        begin = cut + 4
    rest = data[begin:]
    parts += [HEAD.pack(MAGIC, LAST << LENGTH_BITS | len(rest)), rest, bytes(-len(rest) % 4)]
    return b"".join(parts)


def aligned_magics(data: bytes) -> list[int]:
    """Where the magic number stands in a payload, at multiples of four bytes."""
    found, at = [], data.find(MAGIC_BYTES)
    while at >= 0:
        aligned = at % 4 == 0
        if aligned:
            found.append(at)
        at = data.find(MAGIC_BYTES, at + (4 if aligned else 1))
    return found


class MXIndexedRecordIO(MXRecordIO):
    """A file of records with an index: a text file of lines "key<tab>position".

    `key_type` makes keys of their texts.
    """

    def __init__(
        self, idx_path: str | os.PathLike, uri: str | os.PathLike, flag: str, key_type: Callable = int
    ):
        self.idx_path = os.fspath(idx_path)
        self.key_type = key_type
        self.fidx: io.TextIOBase | None = None
        super().__init__(uri, flag)

    def open(self) -> None:
        """Open both files; read the index."""
        super().open()
        self._keys: list | None = None
        self._idx: dict | None = None
        self._table: tuple[Any, np.ndarray] | None = None
        try:
            if self.writable:
                self.fidx = open(self.idx_path, "w")  # noqa: SIM115
            else:
                self._table = read_index(self.idx_path, self.key_type)
        except OSError as error:
            super().close()
            raise wrap(error) from None

    @property
    def keys(self) -> list:
        """The keys in the order of the file."""
        if self._keys is None:
            self._keys = [] if self._table is None else list(map(self.key_type, self._table[0]))
        return self._keys

    @property
    def idx(self) -> dict:
        """The position of each key."""
        if self._idx is None:
            positions = [] if self._table is None else self._table[1].tolist()
            self._idx = dict(zip(self.keys, positions, strict=True))
        return self._idx

    def close(self) -> None:
        """Close both files."""
        if self.is_open and self.fidx is not None and self.pid == os.getpid():
            self.fidx.close()
            self.fidx = None
        super().close()

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "fidx": None}

    def seek(self, idx: Any) -> None:
        """Go to the record of a key; KeyError if there is none."""
        self._check(False, "read")
        self._position = self._position_of(idx)

    def _position_of(self, key: Any) -> int:
        """The position of a key. Keys that count from 0, the common case, need no dictionary."""
        if self._idx is None and self._table is not None and isinstance(key, (int, np.integer)):
            numbers_, positions = self._table
            if isinstance(numbers_, np.ndarray) and 0 <= key < len(numbers_) and numbers_[key] == key:
                return int(positions[key])
        try:
            return self.idx[key]
        except KeyError:
            raise wrap(KeyError(message("read_idx", "idx", f"a key of {self.idx_path}", repr(key)))) from None

    def read_idx(self, idx: Any) -> bytes:
        """Return the record of a key; KeyError if there is none."""
        self._check(False, "read")
        with self._lock:
            self._position = self._position_of(idx)
            found = self._next()
        if found is None:
            expected = f"the record of key {idx!r}"
            raise self._damaged(expected, "the end of the file", self._position)
        return bytes(found)

    def write_idx(self, idx: Any, buf: bytes) -> None:
        """Append a record under a key."""
        key, position = self.key_type(idx), self.tell()
        self.write(buf)
        assert self.fidx is not None, "open for writing"
        self.fidx.write(f"{key}\t{position}\n")
        self.idx[key] = position
        self.keys.append(key)


def read_index(path: str, key_type: Callable) -> tuple[Any, np.ndarray]:
    """(keys, positions) of an index file: numbers as an array, others as texts."""
    with open(path, "rb") as stream:
        text = stream.read()
    keys: Any
    try:
        if key_type is int:
            table = whole_numbers(text).reshape(-1, 2)
            keys, positions = table[:, 0], table[:, 1]
        else:
            lines = [line.rsplit(b"\t", 1) for line in text.splitlines()]
            keys = [key.decode() for key, _ in lines]
            positions = np.array([int(position) for _, position in lines], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        expected = "lines of a key, a tab and a position"
        raise FormatError(message("MXIndexedRecordIO", path, expected, str(error))) from None
    if positions.size and positions.min() < 0:
        raise FormatError(message("MXIndexedRecordIO", path, "positions of at least 0", positions.min()))
    return keys, positions


def whole_numbers(text: bytes) -> np.ndarray:
    """The integers in a text; ValueError for anything else."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(text, np.int64, sep=" ")
        except DeprecationWarning:
            raise ValueError("something that is no number") from None


# --- what is in a record: a header with a label, then the data -------------------------------------------
IRHeader = namedtuple("IRHeader", ["flag", "label", "id", "id2"])
IRHeader.__doc__ = """The head of a record: flag (the number of labels, 0 for one), label, id, id2."""

IR_HEAD = struct.Struct("<IfQQ")


def pack(header: Any, s: bytes) -> bytes:
    """Return a record of a header (an `IRHeader` or four values) and data; label: a number or several."""
    header = IRHeader(*header)
    if isinstance(header.label, numbers.Number):
        header = header._replace(flag=0)
    else:
        labels = np.asarray(header.label, dtype=np.float32)
        header = header._replace(flag=labels.size, label=0)
        s = labels.tobytes() + s
    try:
        return IR_HEAD.pack(*header) + s
    except struct.error as error:
        raise ArgumentError(
            message("pack", "header", "flag, label, id and id2 that fit", str(error))
        ) from None


def unpack(s: bytes) -> tuple[Any, bytes]:
    """Return (header, data) of a record; several labels as a float32 array."""
    if len(s) < IR_HEAD.size:
        raise FormatError(message("unpack", "s", f"at least the {IR_HEAD.size} bytes of a header", len(s)))
    header = IRHeader(*IR_HEAD.unpack_from(s))
    s = s[IR_HEAD.size :]
    if header.flag > 0:
        if len(s) < 4 * header.flag:
            raise FormatError(message("unpack", "s", f"{header.flag} labels of 4 bytes", f"{len(s)} bytes"))
        header = header._replace(label=np.frombuffer(s, np.float32, header.flag))
        s = s[4 * header.flag :]
    return header, s


def pack_img(header: Any, img: np.ndarray, quality: int = 95, img_fmt: str = ".jpg") -> bytes:
    """Return a record of a header and an encoded image (height, width[, channels: BGR]).

    `quality` is that of JPEG (1 to 100), or the compression of PNG (0 to 9).
    """
    from .image import codec

    return pack(header, codec.encode(img, quality, img_fmt))


def unpack_img(s: bytes, iscolor: int = -1) -> tuple[Any, np.ndarray]:
    """Return (header, image) of a record; `iscolor`: 1 for colour (BGR), 0 for grey, -1 as it is.

    Grey images are (height, width).
    """
    from .image import codec

    header, data = unpack(s)
    image = codec.decode(data, iscolor, rgb=False)
    return header, image[:, :, 0] if image.shape[2] == 1 else image
