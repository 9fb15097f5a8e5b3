"""Segments: the operations that some calls push, recorded once, to be pushed again as one operation.

    recording = Recording()
    recording.add(function, note)   # its pushes are kept, not run
    segment = recording.finish()
    segment.run()                   # all of them, as one operation

What a segment keeps are operations with their arrays and parameters, so nothing is checked or chosen again
when it runs. A call can only be recorded if it always pushes the same: one that reads what an array
holds, draws random numbers or runs Python cannot, and `add` says so (native/segment.hpp).
"""

from libc.stdint cimport int64_t
from libcpp.vector cimport vector

from ._array cimport Array
from ._engine cimport CVar, OP_HERE, OP_NEEDS_GIL, Op, Runtime, Var, push, runtime, set_recorder, var_handle

import gc
import os

from ._engine import _leave_unseen
from ._invoke import set_fast_path
from ._locks import new_lock

__all__ = ["NotFixed", "Recording", "Segment", "refuse"]

cdef extern from "Python.h":
    unsigned long PyThread_get_thread_ident() nogil

cdef extern from "segment.hpp" namespace "mxcy" nogil:
    cdef cppclass SegmentOp(Op):
        pass
    SegmentOp* new_segment_op "new mxcy::SegmentOp"(CSegment*, const Runtime*, const char*)


class NotFixed(Exception):
    """What a call pushes depends on more than its arguments, so that it cannot be recorded."""


cdef struct Pushed:
    Op* op
    int n_reads
    int n_writes

# What the call that is being recorded has pushed so far; guarded by `lock`, used by its holder alone.
cdef object lock = new_lock()
cdef unsigned long recording_thread
cdef vector[Pushed] pushed
cdef vector[CVar*] pushed_vars


cdef int record(Op* op, CVar** reads, int n_reads, CVar** writes, int n_writes) except -1:
    """The engine's recorder: see _engine.pxd."""
    cdef Pushed entry
    cdef int i
    if PyThread_get_thread_ident() != recording_thread:
        return 0
    if op == NULL:
        raise NotFixed("it reads what an array holds")
    if op.flags & OP_NEEDS_GIL:
        del op
        raise NotFixed("it runs Python")
    entry.op, entry.n_reads, entry.n_writes = op, n_reads, n_writes
    pushed.push_back(entry)
    for i in range(n_reads):
        reads[i].refs.fetch_add(1)
        pushed_vars.push_back(reads[i])
    for i in range(n_writes):
        writes[i].refs.fetch_add(1)
        pushed_vars.push_back(writes[i])
    return 1


def refuse(str why):
    """Raise NotFixed if this thread records: for what must happen anew at each call."""
    if recording and PyThread_get_thread_ident() == recording_thread:
        raise NotFixed(why)


cdef bint recording = False
cdef bint was_fast, was_collecting  # before the recording


cdef int begin_recording() except -1:
    global recording, recording_thread, was_fast, was_collecting
    recording_thread = PyThread_get_thread_ident()
    was_fast, was_collecting = set_fast_path(False), gc.isenabled()
    gc.disable()  # what destructors of unreachable objects push belongs to no graph
    set_recorder(record)
    recording = True
    return 0


cdef int end_recording() except -1:
    global recording
    recording = False
    set_recorder(NULL)
    if was_collecting:
        gc.enable()
    set_fast_path(was_fast)
    return 0


def _in_child():
    """In a forked process: another thread may have been recording, which is not there."""
    if recording and PyThread_get_thread_ident() != recording_thread:
        end_recording()
        Recording().take(False, b"")


os.register_at_fork(after_in_child=_in_child)


cdef class Segment:
    """Recorded operations. `run` pushes all of them as one."""

    cdef CSegment* c
    cdef vector[CVar*] reads, writes
    cdef list held  # handles of the variables
    cdef public bint here  # whether it runs in the thread that pushes it, if it can run at once
    cdef object __weakref__

    def __dealloc__(self):
        if self.c != NULL:
            self.c.release()

    def __len__(self):
        return self.c.size()

    @property
    def cost_ns(self):
        """The estimated time of all its operations in one thread."""
        return self.c.cost_ns()

    def run(self):
        """Push the operations. Values that they refuse are told where a result is read, wherever they run."""
        cdef Op* op = <Op*>new_segment_op(self.c, runtime(), "graph")
        if self.here:
            op.flags |= OP_HERE
        try:
            push(op, self.reads.data(), <int>self.reads.size(), self.writes.data(), <int>self.writes.size())
        except (IndexError, ValueError):
            if not self.keeps_error():
                raise

    cdef bint keeps_error(self) except -1:
        """Whether something that it writes holds an error, which is then for who reads it."""
        for i in range(self.writes.size()):
            handle = var_handle(self.writes[i])
            if handle.failed:
                _leave_unseen(handle)
                return True
        return False


cdef class Recording:
    """Collects the operations that calls push."""

    def __cinit__(self):
        self.c = new CSegment()
        self.held = {}

    def __dealloc__(self):
        if self.c != NULL:
            self.c.release()

    def __len__(self):
        return self.c.size()

    @property
    def cost_ns(self):
        """The estimated time of all operations in one thread."""
        return self.c.cost_ns()

    def add(self, function, str note=""):
        """Record what `function()` pushes; nothing runs. Return whether that can be recorded.

        Exceptions of the function come out, and then nothing is recorded of it. `note` becomes a note of
        exceptions that its operations raise when they run.
        """
        cdef bint good = False
        refuse("it records segments of its own")
        with lock:
            begin_recording()
            try:
                function()
                good = True
            except NotFixed:
                pass
            finally:
                end_recording()
                self.take(good, note.encode())
        return good

    cdef int take(self, bint keep, bytes note) except -1:
        """Move what was pushed into the segment, or drop it."""
        cdef size_t i, at = 0
        cdef int k
        cdef Pushed entry
        for i in range(pushed.size()):
            entry = pushed[i]
            for k in range(entry.n_reads + entry.n_writes):
                self.hold(pushed_vars[at + k], keep)
            if keep:
                self.c.add(entry.op, &pushed_vars[at], entry.n_reads, &pushed_vars[at + entry.n_reads],
                           entry.n_writes, note)
            else:
                del entry.op
            at += entry.n_reads + entry.n_writes
        pushed.clear()
        pushed_vars.clear()
        return 0

    cdef int hold(self, CVar* var, bint keep) except -1:
        """Exchange the reference that was taken at the push for one handle on each variable."""
        cdef Var handle = var_handle(var)
        var.refs.fetch_sub(1)  # the handle holds it
        if keep:
            self.held[<size_t>var] = handle
        return 0

    cdef list take_ops(self, vector[Op*]& ops):
        """Give the operations away; return handles of their variables. The recording is used up."""
        ops = self.c.take()
        return list(self.held.values())

    def finish(self, forgotten=()):
        """Return what was recorded as a segment; the recording is used up.

        Arrays that are `forgotten` count as overwritten, with the errors of earlier runs that they hold.
        """
        cdef Segment made
        cdef Array x
        for x in forgotten:
            self.c.forget(x.var)
            self.held[<size_t>x.var] = var_handle(x.var)
        made = Segment.__new__(Segment)
        self.c.finish()
        made.reads, made.writes = self.c.inputs(), self.c.outputs()
        made.held = list(self.held.values())
        made.c = self.c
        self.c = NULL
        return made
