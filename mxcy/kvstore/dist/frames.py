"""The wire format: what a frame is, and the checks that every frame from outside passes before it is used.

A frame is a ZeroMQ message of two or more parts:

    header    40 bytes, see `HEADER`: magic, version, kind, sender, stream, number in the stream, request,
              count of entries, CRC-32 of the body
    body      kinds that control: one JSON object; kinds that carry data: `count` entries, see `ENTRY`
    payload   kinds that carry data: parts of at most `PART` bytes, which entries point into

Frames of a stream are numbered 1, 2, 3, …: a receiver takes them in order and drops all others, so a
repeated, delayed or reordered frame does nothing. Who sees a gap opens a new stream and sends again what
has not been answered (`connection.py`). Integrity of the payload is the business of what carries it:
CURVE authenticates every message of ZeroMQ, AES-GCM every record of a `Channel`.
"""

from __future__ import annotations

import enum
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import FormatError, problem
from . import _entries

__all__ = ["ENTRY", "PART", "PROTOCOL", "SHARED", "Codec", "Frame", "Kind", "decode", "encode", "entries"]

MAGIC = b"MXcy"
PROTOCOL = 2
HEADER = struct.Struct("<4sBBHIIQQII")
PART = 1 << 20
MAX_BODY = 64 << 20
SHARED = 0xFFFFFFFF  # `part` of an entry whose bytes lie in the shared memory of the sender


class Kind(enum.IntEnum):
    """What a frame asks or answers. Those from PUSH on carry data."""

    HELLO = 1
    WELCOME = 2
    PING = 3
    PONG = 4
    CALL = 5
    RESULT = 6
    ERROR = 7
    PUSH = 16
    PULL = 17
    DONE = 18
    VALUE = 19


class Codec(enum.IntEnum):
    """How the numbers of an entry are written."""

    PLAIN = 0
    FP16 = 1
    BF16 = 2
    TWO_BIT = 3
    ROWS = 4  # int64 count, int64 indices, then rows


# What one entry says about one unit: `offset` and `size` are bytes of the plain value; the encoded bytes are
# `length` bytes at `start` of payload part number `part`, or of shared memory.
ENTRY = np.dtype(
    [
        ("unit", "<u8"),
        ("round", "<u8"),
        ("offset", "<u8"),
        ("size", "<u8"),
        ("start", "<u8"),
        ("length", "<u8"),
        ("part", "<u4"),
        ("codec", "<u4"),
    ]
)


@dataclass(slots=True)
class Frame:
    """One message, decoded. `body` is a dict, or an array of `ENTRY`."""

    kind: Kind
    sender: int = 0
    stream: int = 0
    number: int = 0
    request: int = 0
    body: Any = None
    parts: Sequence[Any] = field(default_factory=list)


def entries(count: int) -> np.ndarray:
    """Return `count` entries of zeros."""
    return np.zeros(count, ENTRY)


def encode(frame: Frame) -> list[Any]:
    """Return the parts of a message."""
    if frame.kind >= Kind.PUSH:
        body, count = frame.body.tobytes(), len(frame.body)
    else:
        body, count = json.dumps(frame.body or {}).encode(), 0
    header = HEADER.pack(
        MAGIC, PROTOCOL, frame.kind, 0, frame.sender, frame.stream, frame.number, frame.request,
        count, zlib.crc32(body),
    )  # fmt: skip
    return [header, body, *frame.parts]


def decode(message: Sequence[Any]) -> Frame:
    """Return the frame of a message; raise FormatError for anything that is not one."""
    if len(message) < 2:
        raise bad(f"{len(message)} parts")
    header, body, *parts = message
    if len(header) != HEADER.size:
        raise bad(f"a header of {len(header)} bytes")
    magic, version, kind, _, sender, stream, number, request, count, crc = HEADER.unpack(header)
    if magic != MAGIC:
        raise bad("another magic")
    if version != PROTOCOL:
        raise bad(f"protocol {version}, this is {PROTOCOL}; use one version of mxcy everywhere")
    if len(body) > MAX_BODY or zlib.crc32(body) != crc:
        raise bad("a body that is too long or damaged")
    try:
        kind = Kind(kind)
    except ValueError:
        raise bad(f"kind {kind}") from None
    if kind >= Kind.PUSH:
        return Frame(kind, sender, stream, number, request, checked(body, count, parts), parts)
    return Frame(kind, sender, stream, number, request, fields(body), parts)


def fields(body: Any) -> dict:
    try:
        found = json.loads(bytes(body))
    except (ValueError, RecursionError):
        raise bad("a body that is no JSON") from None
    if not isinstance(found, dict):
        raise bad("a body that is no object")
    return found


def checked(body: Any, count: int, parts: Sequence[Any]) -> np.ndarray:
    """The entries of a body, of which each lies inside its part."""
    if len(body) != count * ENTRY.itemsize:
        raise bad(f"{len(body)} bytes for {count} entries")
    try:
        inside = _entries.fit(body, [len(part) for part in parts], SHARED)
    except IndexError:
        raise bad("an entry without its part") from None
    if not inside:
        raise bad("an entry that ends after its part")
    return np.frombuffer(body, ENTRY)


def bad(what: str) -> FormatError:
    return FormatError(problem("KVStore", "frame", f"dropped a frame with {what}"))
