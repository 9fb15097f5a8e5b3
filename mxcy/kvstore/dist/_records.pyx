"""Records of a `Channel`, sealed and sent, received and opened, with little of Python for each of them.

A record is up to `CHUNK` bytes and a tag, under a nonce of direction and count. What is sealed is sent while
it is in the caches, and so is what comes opened: right where it is wanted, or, where that lies far from the
caches, next to it and copied from there past them.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memcpy

import os
import struct
from collections import deque

from ._streams import copy

__all__ = ["CHUNK", "TAG", "Opener", "Sealer"]

TAG = 16
CHUNK = 256 << 10
LENGTH = struct.Struct("<I")
cdef Py_ssize_t _TAG = TAG, _CHUNK = CHUNK, _ROOM = CHUNK + 4096  # a record, with the head before it


cdef extern from "<sys/socket.h>" nogil:
    ssize_t c_send "send"(int descriptor, const void* data, size_t bytes, int flags)
    ssize_t c_recv "recv"(int descriptor, void* data, size_t bytes, int flags)
    int MSG_DONTWAIT, MSG_NOSIGNAL


cdef bytes nonce_of(unsigned int direction, unsigned long long count):
    """Four bytes of the direction and eight of the count, as they lie in memory."""
    cdef char raw[12]
    memcpy(raw, &direction, 4)
    memcpy(raw + 4, &count, 8)
    return PyBytes_FromStringAndSize(raw, 12)


cdef int failed(int code) except -1:
    """Raise what the system said."""
    raise OSError(code, os.strerror(code))


cdef class Sealer:
    """What one end sends.

    Parameters
    ----------
    direction : in the nonces.
    first : bytes that go before all records, in the clear.
    """

    cdef object _encrypt, _queue
    cdef bytearray _memory
    cdef Py_ssize_t _start, _end
    cdef unsigned int _direction
    cdef unsigned long long _count

    def __init__(self, unsigned int direction, bytes first):
        self._memory = bytearray(_ROOM)
        self._memory[: len(first)] = first
        self._start, self._end, self._direction, self._count = 0, len(first), direction, 0
        self._queue = deque()  # [what is to be sealed, bytes that are, whether it is a head]
        self._encrypt = None

    def key(self, cipher) -> None:
        """Seal with it from now on; nothing goes out before."""
        self._encrypt = cipher.encrypt_into

    def put(self, view, bint head) -> None:
        """Queue memory; a head has its length before it."""
        self._queue.append([view, 0, head])

    def settle(self) -> None:
        """Copy what is queued, except heads."""
        for item in self._queue:
            if not item[2]:
                item[0] = memoryview(bytes(item[0]))

    def clear(self) -> None:
        """Forget what is queued."""
        self._queue.clear()

    def pending(self) -> bool:
        """Whether something waits to be sent."""
        return self._start < self._end or bool(self._queue)

    def send(self, int descriptor, Py_ssize_t limit) -> int:
        """Send about so many bytes, or what the socket takes; return how many were."""
        cdef Py_ssize_t moved = 0, count
        cdef int code = 0
        cdef const char* data = PyByteArray_AS_STRING(self._memory)
        while moved < limit:
            if self._start == self._end:
                self._fill()
                if not self._end:
                    break
            with nogil:
                count = c_send(descriptor, data + self._start, self._end - self._start,
                               MSG_DONTWAIT | MSG_NOSIGNAL)
                if count < 0:
                    code = errno
            if count >= 0:
                self._start += count
                moved += count
            elif code == EAGAIN:
                break
            elif code != EINTR:
                failed(code)
        return moved

    cdef _fill(self):
        """Seal as many records as there is room for."""
        cdef Py_ssize_t at, size, total
        cdef list item
        self._start = self._end = 0
        if self._encrypt is None:
            return
        room = memoryview(self._memory)
        while self._queue:
            item = self._queue[0]
            data, at = item[0], item[1]
            total = len(data)
            size = min(total - at, _CHUNK)
            if self._end + LENGTH.size + size + _TAG > _ROOM:
                return
            if item[2] and not at:
                LENGTH.pack_into(room, self._end, total)
                self._end += LENGTH.size
            record = data if size == total else data[at : at + size]
            nonce = nonce_of(self._direction, self._count)
            self._encrypt(nonce, record, None, room[self._end : self._end + size + _TAG])
            self._count += 1
            self._end += size + _TAG
            if at + size == total:
                self._queue.popleft()
            else:
                item[1] = at + size


cdef class Opener:
    """What one end receives: whatever is wanted next, a record at a time.

    Parameters
    ----------
    direction : in the nonces.

    Attributes
    ----------
    full : whether all that is wanted is there.
    """

    cdef readonly bint full
    cdef object _decrypt, _target
    cdef bytearray _memory, _near
    cdef Py_ssize_t _got, _record, _at, _total
    cdef bint _sealed, _far
    cdef unsigned int _direction
    cdef unsigned long long _count

    def __init__(self, unsigned int direction):
        self._memory = bytearray(_CHUNK + _TAG)
        self._near = bytearray(_CHUNK)
        self._direction, self._count, self._decrypt = direction, 0, None
        self.want(bytearray(), False, False)

    def key(self, cipher) -> None:
        """Open with it from now on."""
        self._decrypt = cipher.decrypt_into

    def want(self, target, bint sealed, bint far) -> None:
        """Fill memory next: in the clear, or with what records hold; `far` from the caches if it is."""
        self._target = memoryview(target)
        self._sealed, self._far, self._at, self._total = sealed, far, 0, len(target)
        self._next()
        self.full = self._record == 0

    cdef _next(self):
        self._got = 0
        self._record = min(self._total - self._at, _CHUNK) + (_TAG if self._sealed else 0)

    def receive(self, int descriptor, Py_ssize_t limit) -> int:
        """Receive about so many bytes, or until it is full; return how many came.

        Raises OSError when the connection is broken, InvalidTag for a record that is not sealed with the key.
        """
        cdef Py_ssize_t moved = 0, count
        cdef int code = 0
        cdef char* data = PyByteArray_AS_STRING(self._memory)
        while moved < limit and not self.full:
            with nogil:
                count = c_recv(descriptor, data + self._got, self._record - self._got, MSG_DONTWAIT)
                if count < 0:
                    code = errno
            if count > 0:
                moved += count
                self._got += count
                if self._got == self._record:
                    self._take()
            elif not count:
                raise ConnectionResetError("closed by the other side")
            elif code == EAGAIN:
                break
            elif code != EINTR:
                failed(code)
        return moved

    cdef _take(self):
        """Open a record that is there."""
        cdef Py_ssize_t size = self._record - (_TAG if self._sealed else 0)
        record = memoryview(self._memory)
        if self._record < len(record):
            record = record[: self._record]
        target = self._target if size == self._total else self._target[self._at : self._at + size]
        if not self._sealed:
            target[:] = record
        else:
            far = self._far and size == _CHUNK
            nonce = nonce_of(self._direction, self._count)
            self._decrypt(nonce, record, None, self._near if far else target)
            if far:
                copy(target, self._near)
            self._count += 1
        self._at += size
        self.full = self._at == self._total
        if self.full:
            self._target = None  # which its owner may use again
        else:
            self._next()
