"""Copies and sums of values on their way to other processes, written past the caches, without the GIL."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

import numpy as np

from ...errors import ShapeError, message

__all__ = ["add", "copy"]


cdef extern from "mxcy/native/streams.hpp" namespace "mxcy" nogil:
    void copy_bytes "MXCY_PICK(stream_copy)"(char* out, const char* data, size_t bytes)
    void add_floats "MXCY_PICK(stream_add_floats)"(float* out, const float* a, const float* b, size_t count)
    void add_doubles "MXCY_PICK(stream_add_doubles)"(double* out, const double* a, const double* b,
                                                     size_t count)


cdef class Memory:
    """The memory of an object, in C order, as long as this lives."""

    cdef Py_buffer view

    def __cinit__(self, given, bint writable):
        PyObject_GetBuffer(given, &self.view, PyBUF_WRITABLE if writable else PyBUF_SIMPLE)

    def __dealloc__(self):
        PyBuffer_Release(&self.view)


def copy(out, data) -> None:
    """Copy bytes to memory of the same length, which does not overlap with theirs."""
    cdef Memory target = Memory(out, True), source = Memory(data, False)
    if target.view.len != source.view.len:
        raise ShapeError(message("copy", "data", f"{target.view.len} bytes", source.view.len))
    with nogil:
        copy_bytes(<char*>target.view.buf, <const char*>source.view.buf, target.view.len)


def add(out, a, b) -> None:
    """out = a + b for flat arrays of one dtype; `out` may be one of them, and does not overlap otherwise."""
    cdef Memory target, first, second
    cdef size_t count
    if not out.shape == a.shape == b.shape:
        raise ShapeError(message("add", "out", f"the shape of a and b, {a.shape} and {b.shape}", out.shape))
    if not out.dtype == a.dtype == b.dtype or out.dtype not in (np.float32, np.float64):
        np.add(a, b, out=out, casting="same_kind")
        return
    target, first, second = Memory(out, True), Memory(a, False), Memory(b, False)
    count = out.size
    if out.dtype == np.float32:
        with nogil:
            add_floats(<float*>target.view.buf, <const float*>first.view.buf, <const float*>second.view.buf,
                       count)
    else:
        with nogil:
            add_doubles(<double*>target.view.buf, <const double*>first.view.buf,
                        <const double*>second.view.buf, count)
