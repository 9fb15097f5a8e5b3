"""`Channel`: frames between machines on one TCP connection, sealed by AES-GCM. See decision 21.

The server draws the key of each connection and its name, and gives them to a worker by CURVE. A connection
begins with its name in the clear; then both sides send records, each sealed with the key and a count, so
what is altered, repeated, left out or comes from others ends the connection. A frame is

    4 bytes   length of the head
    head      what `encode` gives before the payload, with the lengths of its parts
    parts     the payload

where head and parts are cut into records of at most `CHUNK` bytes, each with a tag of 16 bytes. Sealing and
opening work in buffers that stay in the caches of the processor; a part is opened where it is wanted.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ...errors import FormatError, problem
from ._records import CHUNK, Opener, Sealer
from .frames import HEADER, MAX_BODY, PART

__all__ = ["CHUNK", "KEY_BYTES", "NAME_BYTES", "Channel", "Pool"]

NAME_BYTES, KEY_BYTES = 16, 32
TURN = 4 << 20  # bytes that one connection moves before others get their turn
LENGTH = struct.Struct("<I")
COUNTS = struct.Struct("<II")  # bytes of the body, number of parts
MAX_PART = 1 << 30


class Pool:
    """Buffers of `PART` bytes, each used again as soon as nobody refers to it."""

    def __init__(self) -> None:
        self._buffers: list[np.ndarray] = []

    def take(self, nbytes: int) -> memoryview:
        """Return writable memory."""
        if not PART // 16 < nbytes <= PART:
            return memoryview(bytearray(nbytes))
        for i in range(len(self._buffers)):
            if sys.getrefcount(self._buffers[i]) == 2:  # the list's, and that of the call
                return self._buffers[i][:nbytes].data
        self._buffers.append(np.empty(PART, np.uint8))
        return self._buffers[-1][:nbytes].data


POOL = Pool()
Place = Callable[[Any, Any, list[int]], list[Any] | None]


class Channel:
    """One end of a connection. Nothing here blocks.

    Parameters
    ----------
    connection : a socket; of a worker it may still be connecting.
    name, key : what the server gave; None at the server, which looks the key up.
    find : at the server: returns the key of a name, or raises FormatError.
    place : called with (header, body, lengths) of a frame; may return where its parts are to be put.

    Attributes
    ----------
    moved : when bytes last went out or came in.
    """

    def __init__(self, connection: socket.socket, name: bytes = b"", key: bytes = b"",
                 find: Callable[[bytes], bytes] | None = None, place: Place | None = None):  # fmt: skip
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.moved = time.monotonic()
        self._find, self._place = find, place
        received, sent = (0, 1) if find is not None else (1, 0)  # directions, as in the nonces
        self._sealer, self._opener = Sealer(sent, name), Opener(received)
        self._known = False
        if key:
            self._use(key)
        self._arrived: list[list[Any]] = []
        self._reader = self._read()
        self._opener.want(*next(self._reader))

    def _use(self, key: bytes) -> None:
        cipher = AESGCM(key)
        self._sealer.key(cipher)
        self._opener.key(cipher)
        self._known = True

    def fileno(self) -> int:
        """The descriptor, for pollers."""
        return self.socket.fileno()

    def close(self) -> None:
        """End the connection."""
        self.socket.close()
        self._sealer.clear()

    def known(self) -> bool:
        """Whether the other side has named the connection."""
        return self._known

    # -- out --------------------------------------------------------------------------------------------

    def put(self, message: list[Any]) -> None:
        """Queue a frame as `encode` gives it. Its parts stay as they are until they are sent, or `settle`."""
        header, body, *parts = message
        views = [memoryview(part).cast("B") for part in parts]
        lengths = struct.pack(f"<{len(views)}Q", *map(len, views))
        head = b"".join((header, COUNTS.pack(len(body), len(views)), lengths, body))
        self._sealer.put(memoryview(head), True)
        for view in views:
            self._sealer.put(view, False)

    def settle(self) -> None:
        """Copy what is queued: its memory is about to change."""
        self._sealer.settle()

    def flush(self) -> bool:
        """Send what the socket takes; return whether all is sent. Raises OSError when it is broken."""
        if self._sealer.send(self.socket.fileno(), TURN):
            self.moved = time.monotonic()
        return not self._sealer.pending()

    def pending(self) -> bool:
        """Whether something waits to be sent."""
        return self._sealer.pending()

    # -- in ---------------------------------------------------------------------------------------------

    def receive(self) -> list[list[Any]]:
        """Return the frames that have come, as `decode` takes them.

        Raises OSError when the connection is broken, FormatError for what nobody with the key has sent.
        """
        moved = 0
        try:
            while moved < TURN:
                moved += self._opener.receive(self.socket.fileno(), TURN - moved)
                if not self._opener.full:
                    break
                self._opener.want(*next(self._reader))
        except InvalidTag:
            raise FormatError(
                problem("KVStore", "channel", "a record that is not sealed with its key")
            ) from None
        if moved:
            self.moved = time.monotonic()
        found, self._arrived = self._arrived, []
        return found

    def _read(self) -> Generator[tuple[Any, bool, bool], None, None]:
        """Frame after frame: yields the memory to fill next, whether from records, and whether it is far."""
        if self._find is not None:
            name = bytearray(NAME_BYTES)
            yield name, False, False
            self._use(self._find(bytes(name)))
        while True:
            before = bytearray(LENGTH.size)
            yield before, False, False
            (length,) = LENGTH.unpack(before)
            if not HEADER.size + COUNTS.size <= length <= 2 * MAX_BODY:
                raise FormatError(problem("KVStore", "channel", f"a head of {length} bytes"))
            head = memoryview(bytearray(length))
            yield head, True, False
            header, rest = head[: HEADER.size], head[HEADER.size :]
            bodies, count = COUNTS.unpack_from(rest)
            if COUNTS.size + 8 * count + bodies != len(rest):
                raise FormatError(problem("KVStore", "channel", f"{count} parts in a head of {length} bytes"))
            lengths = list(struct.unpack_from(f"<{count}Q", rest, COUNTS.size))
            if any(one > MAX_PART for one in lengths):
                raise FormatError(problem("KVStore", "channel", f"a part of {max(lengths)} bytes"))
            body = rest[COUNTS.size + 8 * count :]
            placed = self._place(header, body, lengths) if self._place is not None else None
            parts = [POOL.take(one) for one in lengths] if placed is None else placed
            for part in parts:
                yield part, True, placed is not None
            self._arrived.append([header, body, *parts])
