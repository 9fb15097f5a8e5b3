"""The records of one or several files by number, of which a part may be this iterator's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, message
from ..recordio import MXIndexedRecordIO, MXRecordIO
from .rounds import part_of_bytes

__all__ = ["Records"]


class Records:
    """Where the records of files begin, and reading them from any thread.

    paths: a file, files between semicolons, or a folder of files. index: that of a single file, which
    saves reading the heads of all records. A part is cut as MXNet cuts it: by the bytes of the files one
    after the other or, with an index, by the count of records.
    """

    def __init__(self, paths: str | os.PathLike, index: Any = None, part_index: int = 0, num_parts: int = 1,
                 skip_damaged: bool = False):  # fmt: skip
        names = listed(os.fspath(paths))
        if index and len(names) > 1:
            expected, got = "one file of records with an index", f"{len(names)} files"
            raise ArgumentError(message("ImageRecordIter", "path_imgidx", expected, got))
        if not 0 <= part_index < num_parts:
            expected = f"a number below num_parts={num_parts}"
            raise ArgumentError(message("ImageRecordIter", "part_index", expected, part_index))
        if index:
            reader = MXIndexedRecordIO(index, names[0], "r")
            positions = np.sort(np.array(list(reader.idx.values()), np.int64))
            step = -(-len(positions) // num_parts)
            positions = positions[step * part_index : step * (part_index + 1)]
            self._readers: list[MXRecordIO] = [reader]
            self._files = np.zeros(len(positions), np.int64)
        else:
            self._readers = [MXRecordIO(name, "r", skip_damaged) for name in names]
            self._files, positions = self._found(part_index, num_parts)
        self._positions = positions
        if not len(positions):
            expected = f"at least one record in part {part_index} of {num_parts}"
            raise ArgumentError(message("ImageRecordIter", os.fspath(paths), expected, "none"))

    def _found(self, part_index: int, num_parts: int) -> tuple[np.ndarray, np.ndarray]:
        """(number of the file, position in it) of the records of a part."""
        ends = np.cumsum([reader.nbytes() for reader in self._readers])
        begin, end = part_of_bytes(int(ends[-1]), part_index, num_parts, 4)
        files, positions = [], []
        for number, reader in enumerate(self._readers):
            before = 0 if number == 0 else int(ends[number - 1])
            found = reader.positions(max(0, begin - before), min(end, int(ends[number])) - before)
            positions.append(found)
            files.append(np.full(len(found), number))
        return np.concatenate(files), np.concatenate(positions)

    def __len__(self) -> int:
        return len(self._positions)

    @property
    def skipped(self) -> int:
        """How many damaged places were left out."""
        return sum(reader.skipped for reader in self._readers)

    def read(self, number: int) -> bytes:
        """Return a record; FormatError that names file and byte if there is none."""
        return self._readers[self._files[number]].read_at(int(self._positions[number]))

    def place(self, number: int) -> str:
        """Return where a record is, for messages."""
        reader = self._readers[self._files[number]]
        return f"{reader.uri} at byte {self._positions[number]}"


def listed(paths: str) -> list[str]:
    """Files of a path as MXNet takes it: several between semicolons, all in a folder."""
    found: list[str] = []
    for path in paths.split(";"):
        if "://" not in path and os.path.isdir(path):
            found += sorted(os.fspath(x) for x in Path(path).iterdir() if x.is_file())
        else:
            found.append(path)
    return found
