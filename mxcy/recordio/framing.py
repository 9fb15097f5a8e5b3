"""How records stand in a file.

A record is a magic number, a word that holds its length (29 bits) and its kind (3 bits), its bytes, and
zeros up to a multiple of four. Where the payload has the magic number at a multiple of four bytes, it is cut
there into parts (kinds 1, 2, .. 2, 3 instead of 0), and the number is put back by the reader: so the magic
number in a file always starts a record, and a reader can begin anywhere.
"""

from __future__ import annotations

import struct
from typing import Any

from ..errors import FormatError, message

__all__ = ["LONGEST", "MAGIC", "MAGIC_BYTES", "aligned_magics", "framed", "record_at"]

MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack("<I", MAGIC)
HEAD = struct.Struct("<II")
LENGTH_BITS = 29
LONGEST = (1 << LENGTH_BITS) - 1
WHOLE, FIRST, MIDDLE, LAST = 0, 1, 2, 3


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


def record_at(source: Any, at: int, view: bool = False) -> tuple[memoryview | bytes, int] | None:
    """(record, its end) at a position of a source (see `sources`), None at the end of the file.

    `view`: a record in one part is memory of the source. FormatError that names file and position of what
    is no record.
    """
    found = part_at(source, at, view)
    if found is None:
        return None
    kind, part, end = found
    if kind == WHOLE:
        return part, end
    if kind != FIRST:
        raise damaged(source, "the beginning of a record", f"a part of kind {kind}", at)
    parts = [part]
    while kind != LAST:
        at = end
        found = part_at(source, at, view)
        if found is None:
            raise damaged(source, "the next part of a record", "the end of the file", at)
        kind, part, end = found
        if kind not in (MIDDLE, LAST):
            raise damaged(source, "the next part of a record", f"a part of kind {kind}", at)
        parts.append(part)
    return MAGIC_BYTES.join(parts), end


def part_at(source: Any, at: int, view: bool) -> tuple[int, memoryview | bytes, int] | None:
    """(kind, bytes, end) of the part at a position, None at the end of the file."""
    piece = source.view if view else source.piece
    head = piece(at, HEAD.size)
    if not len(head):
        return None
    if len(head) < HEAD.size:
        raise damaged(source, "the head of a record", f"{len(head)} bytes to the end of the file", at)
    magic, word = HEAD.unpack(head)
    if magic != MAGIC:
        raise damaged(source, f"the magic number {MAGIC:#x}", f"{magic:#x}", at)
    length = word & LONGEST
    data = piece(at + HEAD.size, length)
    if len(data) < length:
        got = f"{len(data)} to the end of the file, which is cut short"
        raise damaged(source, f"a record of {length} bytes", got, at)
    return word >> LENGTH_BITS, data, at + HEAD.size + (length + 3) // 4 * 4


def damaged(source: Any, expected: str, got: str, at: int) -> FormatError:
    """The error for a position of a file where something else stands."""
    return FormatError(message("read", f"{source.name} at byte {at}", expected, got, "the file is damaged"))
