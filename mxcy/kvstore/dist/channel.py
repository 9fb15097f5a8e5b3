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
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ...errors import FormatError, problem
from .frames import HEADER, MAX_BODY, PART

__all__ = ["KEY_BYTES", "NAME_BYTES", "Channel", "Pool"]

NAME_BYTES, KEY_BYTES, TAG = 16, 32, 16
CHUNK = 256 << 10
TURN = 4 << 20  # bytes that one connection moves before others get their turn
NONCE = struct.Struct("<IQ")
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
        self._cipher = AESGCM(key) if key else None
        self._from, self._to = (0, 1) if find is not None else (1, 0)  # directions, as in the nonces
        self._sealed = self._opened = 0
        self._queue: deque[list[Any]] = (
            deque()
        )  # [what is to be sealed, bytes that are, whether it is a head]
        self._out = memoryview(bytearray(CHUNK + 4096))
        self._start, self._end = 0, len(name)
        self._out[: self._end] = name
        self._in = memoryview(bytearray(CHUNK + TAG))
        self._got = 0
        self._arrived: list[list[Any]] = []
        self._reader = self._read()
        self._wanted = next(self._reader)

    def fileno(self) -> int:
        """The descriptor, for pollers."""
        return self.socket.fileno()

    def close(self) -> None:
        """End the connection."""
        self.socket.close()
        self._queue.clear()

    def known(self) -> bool:
        """Whether the other side has named the connection."""
        return self._cipher is not None

    # -- out --------------------------------------------------------------------------------------------

    def put(self, message: list[Any]) -> None:
        """Queue a frame as `encode` gives it. Its parts stay as they are until they are sent, or `settle`."""
        header, body, *parts = message
        views = [memoryview(part).cast("B") for part in parts]
        lengths = struct.pack(f"<{len(views)}Q", *map(len, views))
        head = b"".join((header, COUNTS.pack(len(body), len(views)), lengths, body))
        self._queue.append([memoryview(head), 0, True])
        self._queue.extend([view, 0, False] for view in views)

    def settle(self) -> None:
        """Copy what is queued: its memory is about to change."""
        for item in self._queue:
            if not item[2]:
                item[0] = memoryview(bytes(item[0]))

    def flush(self) -> bool:
        """Send what the socket takes; return whether all is sent. Raises OSError when it is broken."""
        for _ in range(TURN // CHUNK):
            if self._start == self._end:
                self._fill()
                if not self._end:
                    return True
            try:
                while self._start < self._end:
                    self._start += self.socket.send(self._out[self._start : self._end])
                    self.moved = time.monotonic()
            except BlockingIOError:
                return False
        return False

    def pending(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._queue) or self._start < self._end

    def _fill(self) -> None:
        """Seal as many records as there is room for."""
        self._start = self._end = 0
        while self._queue and self._cipher is not None:
            item = self._queue[0]
            data, at, head = item
            record = data[at : at + CHUNK]
            if self._end + LENGTH.size + len(record) + TAG > len(self._out):
                return
            if head and not at:
                LENGTH.pack_into(self._out, self._end, len(data))
                self._end += LENGTH.size
            end = self._end + len(record) + TAG
            nonce = NONCE.pack(self._to, self._sealed)
            self._cipher.encrypt_into(nonce, record, None, self._out[self._end : end])
            self._sealed += 1
            self._end = end
            item[1] = at + len(record)
            if item[1] == len(data):
                self._queue.popleft()

    # -- in ---------------------------------------------------------------------------------------------

    def receive(self) -> list[list[Any]]:
        """Return the frames that have come, as `decode` takes them.

        Raises OSError when the connection is broken, FormatError for what nobody with the key has sent.
        """
        moved = 0
        try:
            while moved < TURN:
                count = self.socket.recv_into(self._in[self._got : self._wanted])
                if not count:
                    raise ConnectionResetError("closed by the other side")
                moved += count
                self._got += count
                if self._got == self._wanted:
                    self._got = 0
                    self._wanted = self._reader.send(self._in[: self._wanted])
        except BlockingIOError:
            pass
        except InvalidTag:
            raise FormatError(
                problem("KVStore", "channel", "a record that is not sealed with its key")
            ) from None
        if moved:
            self.moved = time.monotonic()
        found, self._arrived = self._arrived, []
        return found

    def _read(self) -> Generator[int, memoryview, None]:
        """Frame after frame: yields how many bytes it needs, and gets them."""
        if self._find is not None:
            self._cipher = AESGCM(self._find(bytes((yield NAME_BYTES))))
        while True:
            (length,) = LENGTH.unpack((yield LENGTH.size))
            if not HEADER.size + COUNTS.size <= length <= 2 * MAX_BODY:
                raise FormatError(problem("KVStore", "channel", f"a head of {length} bytes"))
            head = memoryview(bytearray(length))
            yield from self._open(head)
            header, rest = head[: HEADER.size], head[HEADER.size :]
            bodies, count = COUNTS.unpack_from(rest)
            if COUNTS.size + 8 * count + bodies != len(rest):
                raise FormatError(problem("KVStore", "channel", f"{count} parts in a head of {length} bytes"))
            lengths = list(struct.unpack_from(f"<{count}Q", rest, COUNTS.size))
            if any(one > MAX_PART for one in lengths):
                raise FormatError(problem("KVStore", "channel", f"a part of {max(lengths)} bytes"))
            body = rest[COUNTS.size + 8 * count :]
            parts = self._place(header, body, lengths) if self._place is not None else None
            if parts is None:
                parts = [POOL.take(one) for one in lengths]
            for part in parts:
                yield from self._open(part)
            self._arrived.append([header, body, *parts])

    def _open(self, out: Any) -> Generator[int, memoryview, None]:
        """Fill memory with what the records of it hold."""
        at = 0
        assert self._cipher is not None
        while True:
            size = min(CHUNK, len(out) - at)
            record = yield size + TAG
            nonce = NONCE.pack(self._from, self._opened)
            self._cipher.decrypt_into(nonce, record, None, out[at : at + size])
            self._opened += 1
            at += size
            if at == len(out):
                return
