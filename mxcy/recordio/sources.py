"""Files as pieces of bytes, local or through fsspec."""

from __future__ import annotations

import mmap
import os
from typing import Any

from .._locks import new_lock
from ..errors import StateError, problem, wrap
from ._scan import read_whole

__all__ = ["Local", "Remote", "is_remote", "open_source", "open_to_write"]


def is_remote(path: str) -> bool:
    """Whether a path is a URL, for fsspec."""
    return "://" in path


def fsspec_file(path: str, mode: str) -> Any:
    """Open a URL by fsspec. StateError if that is not installed."""
    try:
        import fsspec
    except ImportError:
        text = f"{path} needs fsspec, which is not installed"
        raise StateError(problem("open", None, text, "pip install mxcy[remote]")) from None
    return fsspec.open(path, mode).open()


def open_to_write(path: str) -> Any:
    """Return an empty file, open for writing bytes."""
    try:
        return fsspec_file(path, "wb") if is_remote(path) else open(path, "wb")
    except OSError as error:
        raise wrap(error) from None


def open_source(path: str) -> Any:
    """Return a `Local` or a `Remote` file."""
    try:
        return Remote(path) if is_remote(path) else Local(path)
    except OSError as error:
        raise wrap(error) from None


class Local:
    """A local file. Threads may share it; so may a process and its children.

    Pieces are copied, so that nothing happens if the file is cut short meanwhile; `view` is the memory of the
    file itself.
    """

    for_children = True

    def __init__(self, path: str):
        self.name = path
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        self._fd = self._file.fileno()
        self._memory = memoryview(b"")

    def size(self) -> int:
        """How many bytes the file has now."""
        return os.fstat(self._fd).st_size

    def piece(self, at: int, length: int) -> bytes:
        """Return bytes of the file; fewer than `length` at its end."""
        return os.pread(self._fd, length, at)

    def whole(self, at: int) -> tuple[bytes, int] | None:
        """Return (record, its end) at a position, the usual way; None where `record_at` must look."""
        return read_whole(self._fd, at)

    def view(self, at: int, length: int) -> memoryview:
        """Return bytes of the file without a copy; fewer than `length` at its end.

        They change if the file does; reading them is a bus error if it is cut short later.
        """
        if at + length > len(self._memory) or self.size() < len(self._memory):
            size = self.size()
            mapped = mmap.mmap(self._fd, size, access=mmap.ACCESS_READ) if size else b""
            self._memory = memoryview(mapped)
        return self._memory[at : at + length]

    def for_scan(self) -> Any:
        """What `scan` reads: the descriptor."""
        return self._fd

    def is_current(self) -> bool:
        """Whether the path still leads to this file."""
        try:
            now, then = os.stat(self.name), os.fstat(self._fd)
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == (then.st_dev, then.st_ino)

    def close(self) -> None:
        """Close the file. Memory that somebody holds stays."""
        self._memory = memoryview(b"")
        self._file.close()


class Remote:
    """A file of fsspec; what is read is copied. Threads may share it."""

    for_children = False

    AHEAD = 1 << 20  # bytes that are read at a time, for records in order

    def __init__(self, path: str):
        self.name = path
        self._file = fsspec_file(path, "rb")
        self._lock = new_lock()  # guards the position of the file, and the block
        self._block, self._begin = b"", 0

    def size(self) -> int:
        """How many bytes the file has."""
        with self._lock:
            return self._file.seek(0, os.SEEK_END)

    def piece(self, at: int, length: int) -> memoryview:
        """Return bytes of the file; fewer than `length` at its end."""
        with self._lock:
            first = at - self._begin
            if first < 0 or first + length > len(self._block):
                self._file.seek(at)
                self._block = self._file.read(max(length, self.AHEAD))
                self._begin, first = at, 0
            return memoryview(self._block)[first : first + length]

    view = piece

    def whole(self, at: int) -> None:
        """Return None: `record_at` must look."""

    def for_scan(self) -> Any:
        """What `scan` reads: all bytes."""
        return self.piece(0, self.size())

    def is_current(self) -> bool:
        """Whether the path still leads to this file: unknown."""
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
