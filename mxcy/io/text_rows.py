"""Rows of a text file by number, of which a few blocks are in memory.

A file is read once to find where blocks of rows begin; a block is parsed when one of its rows is wanted.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import FormatError, message
from ..recordio.sources import open_source

__all__ = ["BadLine", "TextRows"]

BLOCK = 1 << 20  # bytes of text that are parsed at a time, if lines are not longer
KEPT = 3  # parsed blocks: the one of now, and those of a batch that goes over the end
LONGEST = 1 << 28  # bytes of a line; a longer one is no text
MARK = b"\xef\xbb\xbf"  # of UTF-8, before the first line


class BadLine(Exception):
    """What a parser raises for a line: its number in the block, and what is wrong."""

    def __init__(self, line: int, text: str):
        super().__init__(line, text)
        self.line = line
        self.text = text


class TextRows:
    """Rows of the lines of a file that begin in a part of it, but for empty ones.

    `parse(lines)` makes a block of a list of lines, of which `pick(block, numbers)` takes rows and
    `join(blocks)` puts them together. `comment`: what begins one, up to the end of the line.
    """

    def __init__(self, name: str, path: str, parse: Callable[[list[bytes]], Any], pick: Callable,
                 join: Callable, comment: bytes = b"", part: Callable | None = None):  # fmt: skip
        self._name = name
        self._path = path
        self._parse = parse
        self._pick = pick
        self._join = join
        self._comment = comment
        self._file = open_source(path)
        self._size = self._file.size()
        begin, end = map(self._line_after, (0, self._size) if part is None else part(self._size))
        self._places, counts = [begin], []  # where blocks begin; last, where the part ends
        while begin < end:
            text, begin = self._text(begin, end)
            counts.append(self._count(text))
            self._places.append(begin)
        self._first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._blocks: OrderedDict[int, Any] = OrderedDict()
        if not len(self):
            raise FormatError(message(name, path, "at least one row", "none"))

    def __len__(self) -> int:
        return int(self._first[-1])

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def take(self, numbers: np.ndarray) -> Any:
        """Return rows, in this order."""
        blocks = np.searchsorted(self._first, numbers, "right") - 1
        cuts = np.flatnonzero(np.diff(blocks)) + 1
        parts = np.split(numbers, cuts)
        firsts = blocks[np.concatenate([[0], cuts])].tolist()
        return self._join([self._rows(number, part) for number, part in zip(firsts, parts, strict=True)])

    def _rows(self, number: int, rows: np.ndarray) -> Any:
        block = self._blocks.get(number)
        if block is None:
            block = self._parsed(number)
            self._blocks[number] = block
            if len(self._blocks) > KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._pick(block, rows - self._first[number])

    def _parsed(self, number: int) -> Any:
        begin, end = self._places[number : number + 2]
        text = self._text(begin, end)[0]
        lines = [words for words in map(self._words, text.split(b"\n")) if words]
        if len(lines) != self._first[number + 1] - self._first[number]:
            raise self._changed()
        try:
            return self._parse(lines)
        except BadLine as bad:
            ends = (at for at, line in enumerate(text.split(b"\n"), 1) if self._words(line))
            before = sum(piece.count(b"\n") for piece in self._pieces(0, begin))
            place = f"{self._path}:{before + next(itertools.islice(ends, bad.line, None))}"
            got = repr(lines[bad.line][:80].decode("latin1"))
            raise FormatError(message(self._name, place, bad.text, got)) from None

    def _text(self, begin: int, end: int) -> tuple[bytes, int]:
        """(the text of a block that begins at a place, where it ends)."""
        stop = end if begin + BLOCK >= end else min(self._line_after(begin + BLOCK), end)
        return bytes(self._file.piece(begin, stop - begin)), stop

    def _words(self, line: bytes) -> bytes:
        """A line without its comment and the blanks around; empty if it is no row."""
        return (line.split(self._comment, 1)[0] if self._comment else line).strip()

    def _count(self, text: bytes) -> int:
        """How many rows there are."""
        usual = text[:1] > b" " and not any(x in text for x in (b"\n\n", b"\n ", b"\n\t", b"\r"))
        if usual and not (self._comment and self._comment in text):
            return text.count(b"\n") + (not text.endswith(b"\n"))
        return sum(1 for line in text.split(b"\n") if self._words(line))

    def _line_after(self, at: int) -> int:
        """Where the first line begins that begins behind a place; the file's first one begins at 0."""
        if at == 0:
            return len(MARK) if bytes(self._file.piece(0, len(MARK))) == MARK else 0
        for piece in self._pieces(at, min(at + LONGEST, self._size)):
            found = piece.find(b"\n")
            if found >= 0:
                return at + found + 1
            if not piece:
                raise self._changed()
            at += len(piece)
        if at < self._size:
            expected = f"lines of at most {LONGEST} bytes"
            raise FormatError(message(self._name, self._path, expected, "a longer one"))
        return self._size

    def _changed(self) -> FormatError:
        """The error for a file that is shorter, or has other rows, than when it was opened."""
        return FormatError(message(self._name, self._path, "a file that does not change", "another one"))

    def _pieces(self, begin: int, end: int) -> Iterator[bytes]:
        """The bytes of a part of the file, some at a time."""
        for at in range(begin, end, 1 << 16):
            yield bytes(self._file.piece(at, min(1 << 16, end - at)))
