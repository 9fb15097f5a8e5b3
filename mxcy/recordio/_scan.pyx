"""Where records begin in a file, from their heads alone.

A file is given by its descriptor, or as bytes. Descriptors are read, not mapped: another process may cut the
file short meanwhile.
"""

from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcpy
from libcpp.vector cimport vector
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from posix.types cimport off_t

import numpy as np

__all__ = ["find_record", "read_whole", "scan"]

cdef extern from "unistd.h" nogil:
    ssize_t pread(int fd, void* to, size_t count, off_t at)

DEF MAGIC = 0xCED7230A
DEF LENGTH_BITS = 29
DEF BLOCK = 4096
DEF USUAL = 1 << 22  # bytes that are asked for at once; a damaged head may say any length


cdef class Window:
    """Bytes around a place of a file."""

    cdef int fd
    cdef const unsigned char* bytes_
    cdef const unsigned char[::1] held
    cdef int64_t begin, end
    cdef unsigned char block[BLOCK]

    def __cinit__(self, source):
        self.begin = self.end = 0
        if isinstance(source, int):
            self.fd, self.bytes_ = source, self.block
            return
        self.fd = -1
        self.held = source
        self.end = self.held.shape[0]
        self.bytes_ = &self.held[0] if self.end else NULL

    cdef bint head(self, int64_t at, uint32_t* words) noexcept nogil:
        """Read the two words at a place; False if the file ends before."""
        cdef ssize_t got
        if at < self.begin or at + 8 > self.end:
            if self.fd < 0:
                return False
            got = pread(self.fd, self.block, BLOCK, at)
            self.begin, self.end = at, at + (got if got > 0 else 0)
            if self.end < at + 8:
                return False
        memcpy(words, self.bytes_ + (at - self.begin), 8)
        return True


def find_record(source, int64_t at, int64_t size):
    """The first place from `at` on, a multiple of four, where a record may begin; `size` if there is none."""
    cdef Window window = Window(source)
    cdef uint32_t words[2]
    at = (at + 3) // 4 * 4
    with nogil:
        while window.head(at, words):
            if words[0] == <uint32_t>MAGIC and (words[1] >> LENGTH_BITS) <= 1:
                break
            at += 4
        else:
            at = size
    return at


def scan(source, int64_t begin, int64_t end, int64_t size):
    """(positions, stop): where the records begin that begin from `begin` to `end`, and where that went on.

    `stop` is `end` or behind it (where the last of the records ends) if all is well, else the position of
    what is no record. `size`: of the file.
    """
    cdef Window window = Window(source)
    cdef uint32_t words[2]
    cdef int64_t at = begin, length, i, first = begin
    cdef vector[int64_t] found
    cdef int kind, before = 0  # kinds: 0 whole, 1 first, 2 middle, 3 last
    with nogil:
        while at < end or (before != 0 and at < size):
            if not window.head(at, words) or words[0] != <uint32_t>MAGIC:
                break
            kind, length = words[1] >> LENGTH_BITS, words[1] & ((1 << LENGTH_BITS) - 1)
            if at + 8 + length > size or kind > 3 or (kind > 1) != (before != 0):
                break
            if kind <= 1:
                found.push_back(at)
                first = at
            before = 1 if kind == 1 or kind == 2 else 0
            at += 8 + (length + 3) // 4 * 4
    if before:  # a record without its last part
        found.pop_back()
        at = first
    positions = np.empty(found.size(), np.int64)
    cdef int64_t[::1] to = positions
    for i in range(<int64_t>found.size()):
        to[i] = found[i]
    return positions, at


def read_whole(int fd, int64_t at):
    """(record, its end) at a place of a file, if there is one in one part that is whole and not very long."""
    cdef uint32_t words[2]
    cdef ssize_t length, got, done = 0
    cdef char* to
    with nogil:
        got = pread(fd, words, 8, at)
    if got < 8 or words[0] != <uint32_t>MAGIC or words[1] > USUAL:  # longer, or of another kind
        return None
    length = words[1]
    data = PyBytes_FromStringAndSize(NULL, length)
    to = PyBytes_AS_STRING(data)
    with nogil:
        while done < length:
            got = pread(fd, to + done, length - done, at + 8 + done)
            if got <= 0:
                break
            done += got
    return (data, at + 8 + (length + 3) // 4 * 4) if done == length else None
