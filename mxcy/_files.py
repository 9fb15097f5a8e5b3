"""Writing a file so that it is there whole, or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from .errors import wrap

__all__ = ["replacing"]


@contextmanager
def replacing(path: str | bytes | os.PathLike[Any]) -> Iterator[IO[bytes]]:
    """Open a binary file whose content becomes that of `path` when the block ends without an error.

    Until then `path` keeps what it held, whatever happens: an exception, a full disk, a killed process.
    The content goes to a new file in the same folder, is flushed to the device, and takes the place of
    the old one in one step. Permissions of the old file stay; a link stays a link. Pipes and devices,
    which hold nothing, are written directly. Failures raise an `OSError` that is an `MXNetError` too.
    """
    try:
        with _opened(os.fsdecode(path)) as stream:
            yield stream
    except OSError as error:
        raise wrap(error) from None


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        with open(path, "wb") as stream:
            yield stream
        return
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name[:80]}.{os.urandom(6).hex()}.tmp")
    with open(temporary, "xb") as stream:
        try:
            yield stream
            if mode is not None:
                os.chmod(temporary, stat.S_IMODE(mode))
            stream.flush()
            os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    _sync_folder(folder)


def _mode(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _sync_folder(folder: str) -> None:
    """Make the new name durable, where the system can do that for folders."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
