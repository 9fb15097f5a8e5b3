"""The check of the entries of a frame (`frames.ENTRY`), without an array for each of its steps."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

__all__ = ["fit"]

cdef packed struct Entry:
    uint64_t unit, round, offset, size, start, length
    uint32_t part, codec


def fit(const unsigned char[::1] body, list lengths, uint32_t shared) -> bool:
    """Return whether each entry of a body lies inside its part; raise IndexError for one without its part.

    Parameters
    ----------
    body : a whole number of entries.
    lengths : of the parts.
    shared : `part` of those that lie elsewhere.
    """
    cdef Entry entry
    cdef uint64_t room
    cdef Py_ssize_t at
    for at in range(0, body.shape[0], sizeof(Entry)):
        memcpy(&entry, &body[at], sizeof(Entry))
        if entry.part == shared or not entry.length:
            continue
        if entry.part >= <uint64_t>len(lengths):
            raise IndexError(entry.part)
        room = lengths[<Py_ssize_t>entry.part]
        if entry.start > room or entry.length > room - entry.start:
            return False
    return True
