"""`MXRecordIO` and `MXIndexedRecordIO`: files of records, read in order or by an index."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .._locks import new_lock
from ..errors import ArgumentError, ArgumentTypeError, FormatError, StateError, message, problem, wrap
from ._scan import find_record, scan
from .framing import LONGEST, damaged, framed, record_at
from .sources import fsspec_file, is_remote, open_source, open_to_write

__all__ = ["MXIndexedRecordIO", "MXRecordIO", "read_index"]

TAB = b"\t"


class MXRecordIO:
    """A file of records, open for writing (`flag` "w") or for reading ("r").

    `uri` is a path, or a URL that fsspec opens. `skip_damaged`: a reader leaves out what is no record and
    counts it in `skipped`, instead of raising FormatError, which names the file and the byte.

    A handle belongs to the process that opened it: after a fork the child opens it again by `reset`.
    Threads may share one. Errors of the file system are both OSError and MXNetError. What a writer that is
    killed has given to the file so far reads, up to the last whole record.
    """

    def __init__(self, uri: str | os.PathLike, flag: str, skip_damaged: bool = False):
        self.uri = os.fspath(uri)
        self.flag = flag
        self.skip_damaged = skip_damaged
        self.skipped = 0
        self.is_open = False
        self._lock = new_lock()  # guards the position and, of a writer, the file
        self.open()

    def open(self) -> None:
        """Open the file: empty for writing, at its beginning for reading."""
        if self.flag not in ("r", "w"):
            raise ArgumentError(message("MXRecordIO", "flag", "'r' or 'w'", repr(self.flag)))
        self._file: Any = open_source(self.uri) if self.flag == "r" else open_to_write(self.uri)
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
        if not self._is_of_parent() or (not self.writable and self._file.for_children):
            self._file.close()

    def reset(self) -> None:
        """Go back to the first record; for a file being written, begin again with an empty one."""
        current = not self.writable and self.is_open and self.pid == os.getpid() and self._file.is_current()
        if current:
            self._position = 0
            return
        self.close()
        self.open()

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
        self._lock = new_lock()
        was_open, self.is_open = self.is_open, False
        if was_open:
            self.open()

    def _check(self, writing: bool, operation: str) -> None:
        """Raise unless the file is open, for this, in this process."""
        if not self.is_open:
            raise StateError(problem(operation, None, f"{self.uri} is closed", "open() it again"))
        if self._is_of_parent():
            text = f"{self.uri} was opened in another process"
            raise wrap(RuntimeError(problem(operation, None, text, "call reset() after a fork")))
        if writing != self.writable:
            raise StateError(message(operation, None, f"a file opened for {operation}", repr(self.flag)))

    def _is_of_parent(self) -> bool:
        """Whether the file was opened by another process, from which this one was forked."""
        return self.pid != os.getpid()

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

    def flush(self) -> None:
        """Give what is buffered to the file, so that others can read it."""
        self._check(True, "write")
        with self._lock:
            self._file.flush()

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
        """Return the next record without a copy, if it is in one part: memory of the file itself.

        It changes if the file does; reading it is a bus error if somebody cuts the file short.
        """
        self._check(False, "read")
        with self._lock:
            found = self._next(view=True)
        return None if found is None else memoryview(found)

    def read_at(self, position: int) -> bytes:
        """Return the record at a position; where `read` goes on does not change.

        Children of the process that opened a local file may call this too.
        """
        if not (self.is_open and not self.writable and self._file.for_children):
            self._check(False, "read")
        found = self._file.whole(position) or record_at(self._file, position)
        if found is None:
            raise damaged(self._file, "a record", "the end of the file", position)
        return bytes(found[0])

    def nbytes(self) -> int:
        """Return how many bytes the file has."""
        self._check(False, "read")
        return self._file.size()

    def positions(self, begin: int = 0, end: int | None = None) -> np.ndarray:
        """Return where the records begin that begin from byte `begin` to `end`, from their heads alone.

        `begin` may be in the middle of a record. With `skip_damaged`, what is no record is left out and
        counted; else it is a FormatError.
        """
        self._check(False, "read")
        data, size = self._file.for_scan(), self._file.size()
        end = size if end is None else min(end, size)
        at, found = find_record(data, begin, size) if begin else 0, [np.empty(0, np.int64)]
        while at < end:
            part, stop = scan(data, at, end, size)
            found.append(part)
            if stop < end:
                if not self.skip_damaged:
                    record_at(self._file, stop)  # raises what is wrong
                self.skipped += 1
                stop = find_record(data, stop + 4, size)
            at = stop
        return np.concatenate(found)

    def seek_to(self, position: int) -> None:
        """Go to a position that `tell` has given; anything else is a FormatError at the next read."""
        self._check(False, "read")
        self._position = position

    def __iter__(self) -> Iterator[bytes]:
        while (record := self.read()) is not None:
            yield record

    def _next(self, view: bool = False) -> memoryview | bytes | None:
        """The record at the position, which moves behind it."""
        found: Any = None if view else self._file.whole(self._position)
        if found is not None:
            data, self._position = found
            return data
        while True:
            try:
                found = record_at(self._file, self._position, view)
            except FormatError:
                if not self.skip_damaged:
                    raise
                self.skipped += 1
                size = self._file.size()
                self._position = find_record(self._file.for_scan(), self._position + 4, size)
                continue
            if found is None:
                return None
            self._position = found[1]
            return found[0]


class MXIndexedRecordIO(MXRecordIO):
    """A file of records with an index: a text file of lines "key<tab>position".

    `key_type` makes keys of their texts. After a fork `seek` and `read_idx` open the files again in the
    child: data sets that hold a reader may be used by worker processes.
    """

    def __init__(self, idx_path: str | os.PathLike, uri: str | os.PathLike, flag: str,
                 key_type: Callable = int, skip_damaged: bool = False):  # fmt: skip
        self.idx_path = os.fspath(idx_path)
        self.key_type = key_type
        self.fidx: Any = None
        super().__init__(uri, flag, skip_damaged)

    def open(self) -> None:
        """Open both files; read the index."""
        super().open()
        self._keys: list | None = None
        self._idx: dict | None = None
        self._table: tuple[Any, np.ndarray] | None = None
        try:
            if self.writable:
                self.fidx = io.TextIOWrapper(open_to_write(self.idx_path))
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

    def flush(self) -> None:
        """See `MXRecordIO.flush`; the records come before their lines of the index."""
        super().flush()
        self.fidx.flush()

    def _adopt(self) -> None:
        """Open the files again in a child of the process that opened them, for reading."""
        if self.is_open and not self.writable and self._is_of_parent():
            self.reset()

    def seek(self, idx: Any) -> None:
        """Go to the record of a key; KeyError if there is none."""
        self._adopt()
        self._check(False, "read")
        self._position = self.position_of(idx)

    def position_of(self, key: Any) -> int:
        """Return where the record of a key begins; KeyError if there is none."""
        # Keys that count from 0, the common case, need no dictionary.
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
        self._adopt()
        self._check(False, "read")
        with self._lock:
            self._position = self.position_of(idx)
            found = self._next()
        if found is None:
            expected = f"the record of key {idx!r}"
            raise damaged(self._file, expected, "the end of the file", self._position)
        return bytes(found)

    def write_idx(self, idx: Any, buf: bytes) -> None:
        """Append a record under a key."""
        key, position = self.key_type(idx), self.tell()
        self.write(buf)
        self.fidx.write(f"{key}\t{position}\n")
        self.idx[key] = position
        self.keys.append(key)


def read_index(path: str, key_type: Callable) -> tuple[Any, np.ndarray]:
    """(keys, positions) of an index file: numbers as an array, others as texts."""
    with fsspec_file(path, "rb") if is_remote(path) else open(path, "rb") as stream:
        text = stream.read()
    keys: Any
    try:
        if key_type is int:
            table = whole_numbers(text).reshape(-1, 2)
            if text.count(TAB) != len(table):
                raise ValueError(f"{text.count(TAB)} tabs between {table.size} numbers")
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
