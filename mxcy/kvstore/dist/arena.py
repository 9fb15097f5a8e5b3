"""Shared memory: one file a process under /dev/shm, which grows; others of the machine map it.

The file outlives its process, so that a server that was killed comes back with what it held. Names begin
with `mxcy-<pid>-<tag>`, for the process that began the job and its machine: `sweep` removes what is left of
jobs whose process is gone.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import platform
import re
import secrets
import tempfile
import time
import zlib
from pathlib import Path
from string import ascii_lowercase

import numpy as np

from ...errors import FormatError, OutOfMemory, message, problem

__all__ = ["Arena", "View", "folder", "memory", "new_name", "remove_job", "sweep"]

NAME = re.compile(r"mxcy-((\d+)-([0-9a-f]{4})[0-9a-f]{8})-[a-z]+\d+(\.journal)?")
OLD_SECONDS = 3600.0  # after which what nobody has open, of a job begun on another machine, is left over
ALIGN = 64
STEP = 16 << 20


def folder() -> Path:
    """Where shared memory is: /dev/shm, or the folder of temporary files where there is none."""
    shm = Path("/dev/shm")
    return shm if shm.is_dir() and os.access(shm, os.W_OK) else Path(tempfile.gettempdir())


def boot() -> str:
    """A name of this machine, until it starts again."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()


def new_name() -> str:
    """Return a name for a job: the process that begins it, where that is, and a random part."""
    return f"{os.getpid()}-{tag()}{secrets.token_hex(4)}"


def tag() -> str:
    """Four digits for where numbers of processes mean the same: this machine, or this container of it."""
    space = Path("/proc/self/ns/pid")
    where = (boot(), platform.node(), space.stat().st_ino if space.exists() else 0)
    return f"{zlib.crc32(repr(where).encode()) & 0xFFFF:04x}"


def memory() -> str:
    """Return a name of the shared memory that this process reaches: who has the same maps the same files."""
    place = folder().stat()
    return f"{boot()}-{place.st_dev}-{place.st_ino}-{os.getuid()}"


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
        fcntl.flock(self._file, fcntl.LOCK_SH)  # somebody has it open: see `sweep`
        self._maps: list[np.ndarray] = []  # one for each growth: arrays given out stay where they are
        self._bounds = [0]
        self.used = 0
        size = os.fstat(self._file).st_size
        if size:
            self._map(0, size)

    @classmethod
    def anew(cls, stem: str, number: int) -> Arena:
        """Return an empty one, with letters of its own in its name; remove those that processes before left.

        A server that gets late what a killed process sent must not find other numbers where they lay.
        """
        for path in folder().glob(f"{stem}*{number}"):
            if re.fullmatch(f"{re.escape(stem)}[a-z]*{number}", path.name):
                path.unlink(missing_ok=True)
        return cls(stem + "".join(secrets.choice(ascii_lowercase) for _ in range(8)) + str(number))

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
    """Remove shared memory of jobs whose process is gone.

    The process of a job that was begun on another machine cannot be seen from here. What is left of such a
    job is old, and nobody has it open; its servers come back within seconds.
    """
    jobs: dict[str, list[Path]] = {}
    for path in folder().glob("mxcy-*"):
        found = NAME.fullmatch(path.name)
        if found:
            jobs.setdefault(found[1], []).append(path)
    here = tag()
    for job, paths in jobs.items():
        pid, _, rest = job.partition("-")
        alive = Path(f"/proc/{pid}").exists() if rest.startswith(here) else not all(map(left_over, paths))
        if not alive:
            remove_job(job)


def left_over(path: Path) -> bool:
    """Whether a file is old, and nobody has it open."""
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return time.time() - os.fstat(stream.fileno()).st_mtime > OLD_SECONDS
    except OSError:
        return False
