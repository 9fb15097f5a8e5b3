"""Shared memory: one file a process under /dev/shm, which grows; others of the machine map it.

The file outlives its process, so that a server that was killed comes back with what it held. Names begin
with `mxcy-<pid>-`, where pid is that of the process that began the job: `sweep` removes what is left of
jobs whose process is gone.
"""

from __future__ import annotations

import mmap
import os
import platform
import re
import tempfile
from pathlib import Path

import numpy as np

from ...errors import FormatError, OutOfMemory, message, problem

__all__ = ["Arena", "View", "folder", "memory", "remove_job", "sweep"]

NAME = re.compile(r"mxcy-(\d+)-[0-9a-f]{8}-[a-z]+\d+(\.journal)?")
ALIGN = 64
STEP = 16 << 20


def folder() -> Path:
    """Where shared memory is: /dev/shm, or the folder of temporary files where there is none."""
    shm = Path("/dev/shm")
    return shm if shm.is_dir() and os.access(shm, os.W_OK) else Path(tempfile.gettempdir())


def memory() -> str:
    """Return a name of the shared memory that this process reaches: who has the same maps the same files."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = platform.node()
    place = folder().stat()
    return f"{boot}-{place.st_dev}-{place.st_ino}-{os.getuid()}"


class Arena:
    """A file of shared memory that this process writes. `take` gives out bytes; nothing is given back.

    Parameters
    ----------
    name : of the file; an existing one is mapped as it is.
    """

    def __init__(self, name: str):
        if not NAME.fullmatch(name):
            raise FormatError(message("Arena", "name", NAME.pattern, repr(name)))
        self.name = name
        self.path = folder() / name
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        self._maps: list[np.ndarray] = []  # one for each growth: arrays given out stay where they are
        self._bounds = [0]
        self.used = 0
        size = os.fstat(self._file).st_size
        if size:
            self._map(0, size)

    @classmethod
    def anew(cls, name: str) -> Arena:
        """Return an empty one. Who still maps one of this name, which another process left, keeps that."""
        (folder() / name).unlink(missing_ok=True)
        return cls(name)

    def _map(self, start: int, size: int) -> None:
        view = np.frombuffer(mmap.mmap(self._file, size, offset=start), np.uint8)
        self._maps.append(view)
        self._bounds.append(start + size)

    @property
    def size(self) -> int:
        """Bytes that are mapped."""
        return self._bounds[-1]

    def take(self, nbytes: int) -> int:
        """Return the offset of bytes that nobody has."""
        nbytes = -(-max(nbytes, 1) // ALIGN) * ALIGN
        if self.used + nbytes > self._bounds[-1]:
            size = -(-max(nbytes, STEP) // STEP) * STEP
            self.used = self._bounds[-1]
            try:
                os.posix_fallocate(self._file, self.used, size)
            except OSError as error:
                text = f"no {size >> 20} MB of shared memory in {self.path.parent}: {error.strerror}"
                raise OutOfMemory(problem("KVStore", None, text, "make it larger")) from None
            self._map(self.used, size)
        start, self.used = self.used, self.used + nbytes
        return start

    def bytes(self, start: int, length: int) -> np.ndarray:
        """Return bytes that were taken, as a writable array."""
        for i, view in enumerate(self._maps):
            if start < self._bounds[i + 1]:
                inside = start - self._bounds[i]
                return view[inside : inside + length]
        raise FormatError(problem("Arena", "start", f"{start} is outside of {self.name}"))

    def close(self) -> None:
        """Remove the file. Arrays given out stay usable until they are gone."""
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Let go of the file, and leave it where it is."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._maps.clear()


class View:
    """The shared memory of another process, to read."""

    def __init__(self, name: str):
        if not NAME.fullmatch(name):
            raise FormatError(message("KVStore", "shared memory", NAME.pattern, repr(name)))
        self._path = folder() / name
        self._bytes = np.empty(0, np.uint8)

    def bytes(self, start: int, length: int) -> np.ndarray:
        """Return bytes as a read-only array; FormatError for what the file does not have."""
        if start + length > len(self._bytes):
            try:
                with open(self._path, "rb") as stream:
                    size = os.fstat(stream.fileno()).st_size
                    if start + length > size:
                        text = f"{length} bytes at {start} of {size}"
                        raise FormatError(problem("KVStore", "shared memory", text))
                    self._bytes = np.frombuffer(
                        mmap.mmap(stream.fileno(), size, prot=mmap.PROT_READ), np.uint8
                    )
            except (OSError, ValueError) as error:
                raise FormatError(
                    problem("KVStore", "shared memory", f"{self._path.name}: {error}")
                ) from None
        return self._bytes[start : start + length]


def remove_job(job: str) -> None:
    """Remove all shared memory of a job."""
    for path in folder().glob(f"mxcy-{job}-*"):
        path.unlink(missing_ok=True)


def sweep() -> None:
    """Remove shared memory of jobs whose process is gone."""
    for path in folder().glob("mxcy-*"):
        found = NAME.fullmatch(path.name)
        if found and not Path(f"/proc/{found[1]}").exists():
            path.unlink(missing_ok=True)
