"""The dependency engine for Python: `push`, `wait`, `Var`, and the C interface of `_engine.pxd`.

The engine proper is native/engine.cpp (when an operation may run), native/workers.cpp (where) and
native/pool.cpp (memory); native/engine.hpp opens with the states of a variable and says which lock guards
what.  This file has what needs Python: the pushing thread's half, exceptions, and the one place that
takes the GIL (`run_with_gil`).

The names that Python uses (`push`, `wait`, ...) come from `_engine_threaded`, or, with `MXCY_ENGINE=serial`,
from `_engine_serial`: a twin in plain Python that runs everything in the calling thread.  The variable is
read once, at import.
"""

import os
from contextvars import Context

from numpy._core import umath

from . import _failures
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libcpp.vector cimport vector

from ._engine_native cimport *

cdef bytes PACKAGE = (os.path.dirname(os.path.abspath(__file__)) + os.sep).encode()
cdef const char* package = PACKAGE
cdef size_t package_length = len(PACKAGE)

cdef bint is_serial = False
cdef int sync_depth = 0
cdef object twin                 # _engine_serial
cdef object extobj = umath._extobj_contextvar
cdef PyObject* default_extobj = NULL


# --- variables -----------------------------------------------------------------------------------

cdef CVar* var_new(size_t nbytes, int16_t context) except NULL:
    cdef CVar* var = pool_new(nbytes, context)
    if var == NULL:
        raise _failures.out_of_memory(nbytes)
    return var


cdef CVar* var_import(char* data, size_t nbytes, object owner) except NULL:
    cdef CVar* var = pool_import(data, nbytes, <PyObject*>owner)
    if var == NULL:
        raise _failures.out_of_memory(nbytes)
    Py_INCREF(owner)
    return var


cdef void var_release(CVar* var) noexcept:
    pool_release(var)


cdef char* var_ensure_data(CVar* var) except NULL nogil:
    cdef char* data = pool_ensure_data(var)
    if data == NULL:
        with gil:
            raise _failures.out_of_memory(var.nbytes)
    return data


cdef class Var:
    """A variable: what operations read and write, and in which order.

    `Var(nbytes)` makes one with a buffer of that size; the variable of an array comes from the array.
    """

    def __cinit__(self, size_t nbytes=0):
        self.c = var_new(nbytes, 0)

    def __dealloc__(self):
        if self.c != NULL:
            var_release(self.c)

    # All handles on one variable are equal.
    def __eq__(self, other):
        return isinstance(other, Var) and self.c == (<Var>other).c

    def __hash__(self):
        return hash(<size_t>self.c)

    @property
    def version(self):
        """How many operations that write it have been pushed."""
        return self.c.version

    @property
    def pending(self):
        """Whether any operation that reads or writes it is not complete."""
        return (self.c.state.load() & ~(<uint64_t>1 << 31)) != 0

    @property
    def failed(self):
        """Whether it holds the error of an operation that wrote it."""
        return (self.c.state.load() & (<uint64_t>1 << 31)) != 0

    # The serial twin keeps its records here.
    def _bump(self):
        self.c.version += 1

    def _enter(self, bint write):
        self.c.state.fetch_add(<uint64_t>1 << (0 if write else 32))

    def _leave(self, bint write):
        self.c.state.fetch_sub(<uint64_t>1 << (0 if write else 32))

    def _fail(self, exception, str name):
        set_error(self.c, error_from(exception, static_name(name)))

    def _inherit(self, Var other):
        set_error(self.c, error_of(other.c))

    def _clear(self):
        set_error(self.c, NULL)

    def _raise(self):
        return raise_error_of(self.c)


cdef Var var_handle(CVar* var):
    cdef Var handle = Var.__new__(Var)
    var_release(handle.c)
    pool_hold(var)
    handle.c = var
    return handle

# --- errors --------------------------------------------------------------------------------------

cdef dict names = {}


cdef const char* static_name(str name):
    """The same text with static storage duration.  There are as many as a program has names."""
    cdef bytes known = names.get(name)
    if known is None:
        known = name.encode()
        if len(names) < 10_000:
            names[name] = known
        else:
            known = names.setdefault("operation", b"operation")
    return known


cdef object exception_of(Error* error):
    name = error.name.decode()
    if error.exception != NULL:
        exception, traceback = <object>error.exception
        exception.__traceback__ = traceback
    else:
        exception = _failures.exception(error.kind, error.text.decode("utf-8", "replace"))
    return _failures.with_note(exception, name, place_of(error.site))


cdef int raise_error(Error* error) except -1:
    """Takes over the reference."""
    error.seen.store(True)
    try:
        exception = exception_of(error)
    finally:
        error_release(error)
    raise exception


cdef int raise_error_of(CVar* var) except -1:
    cdef Error* error = error_of(var)
    return raise_error(error) if error != NULL else 0


# --- floating-point flags ------------------------------------------------------------------------

cdef dict fp_known = {}  # numpy's state object (kept alive) -> (mask, handler); a few at most


cdef int fp_state(FpState& fp) except -1:
    """The calling thread's errstate."""
    cdef PyObject* value = NULL
    PyContextVar_Get(extobj, NULL, &value)
    state = <object>value
    Py_DECREF(state)
    if value == default_extobj:
        return 0
    found = fp_known.get(id(state))
    if found is None:
        if len(fp_known) > 8:
            fp_known.clear()
        found = (*_failures.fp_mask(umath._get_extobj_dict()), state)
        fp_known[id(state)] = found
    fp.mask = found[0]
    if found[1] is not None:
        Py_INCREF(found[1])
        fp.handler = <PyObject*>(<object>found[1])
    return 0


cdef int report_fp_flags(const char* name, int flags) except -1:
    cdef FpState fp
    cdef Site site
    fp.mask = DEFAULT_FP_MASK
    fp.handler = NULL
    fp_state(fp)
    handler = taken(fp.handler)
    site.code = outer_frame(package, package_length, &site.lasti)
    place = place_of(site)
    Py_DecRef(site.code)
    _failures.report_fp(name.decode(), flags, fp.mask, handler, place)
    return 0


cdef int deliver_notices(CVar* var) except -1:
    """Tells of the flags of completed operations that wrote `var` (NULL: of all)."""
    for report in take_reports(var): _failures.report_fp(*report)
    return 0


# --- running -------------------------------------------------------------------------------------

cdef void call_python(Links* links, Result& result):
    """Runs a Python callable, or an operation that needs the GIL."""
    cdef int64_t begin
    if not links.op.flags & OP_CALLABLE:
        run_op(links, result)
        if result.status == 0 or result.failure.kind != FAIL_PYTHON:
            return
        exception = fetch_exception()
    else:
        function = <object>(<PythonOp*>links.op).callable
        exception = None
        begin = run_begin(links)
        try:
            function()
        except BaseException as raised:
            exception = raised
        run_end(links, begin)
        if exception is None:
            return
    result.exception = with_traceback(_failures.wrapped(exception))
    result.status = -1
    result.failure.kind = FAIL_PYTHON


cdef void run_with_gil(Links* links) noexcept with gil:
    """What a worker thread calls for operations that need the GIL: the one place that takes it."""
    cdef Result result
    if not inherits_error(links, result):
        call_python(links, result)
    cdef Error* error = finish(links, result)
    if error != NULL:
        error_release(error)


cdef void python_thread(int lane) noexcept with gil:
    """Keeps one Python thread state for as long as the worker lives."""
    with nogil:
        worker_loop(lane)


cdef int run_here(Links* links) except -1:
    """Runs an operation that is ready in the calling thread and raises its error."""
    cdef Result result
    cdef const char* name
    cdef int flags
    if not inherits_error(links, result):
        if links.op.flags & OP_NEEDS_GIL:
            call_python(links, result)
        elif links.op.flags & OP_SHARED or links.op.cost_ns > inline_limit.load():
            with nogil:
                run_op(links, result)
        else:
            run_op(links, result)
    flags, name = result.failure.fp_flags, links.op.name
    result.failure.fp_flags = 0
    cdef bint inherited = result.inherited != NULL
    cdef Error* error = finish(links, result)
    if error != NULL:
        if not inherited:
            return raise_error(error)
        error_release(error)
        return 0
    return report_fp_flags(name, flags) if flags else 0


# --- pushing -------------------------------------------------------------------------------------

cdef int push(Op* op, CVar** reads, int n_reads, CVar** writes, int n_writes) except -1:
    cdef Request r
    cdef Failure failure
    cdef const char* name
    r.op = op
    r.reads = reads
    r.writes = writes
    r.n_reads = n_reads
    r.n_writes = n_writes
    if not runs_inline(r):
        if recorder != NULL and recorder(op, reads, n_reads, writes, n_writes):
            return 0
        return push_serial(r) if is_serial else push_tracked(r)
    if share(r):
        return push_tracked(r)
    cdef int status = run_inline(r, failure)
    name = op.name
    del op
    if status != 0:
        return fail_here(r, failure, name)
    return report_fp_flags(name, failure.fp_flags) if failure.fp_flags else 0


cdef int fail_here(Request& r, Failure& failure, const char* name) except -1:
    """An operation failed inline: the error stays on what it writes, and is raised."""
    cdef Error* error
    if failure.kind == FAIL_PYTHON:
        exception = fetch_exception()  # before anything else happens in Python
        error = error_from(_failures.wrapped(exception), name)
    else:
        error = make_error(failure, name, NULL)
    fail_inline(r, error)
    return raise_error(error)


cdef int push_tracked(Request& r) except -1:
    """The full path: accesses are queued, and the operation too if it is not ready or not small."""
    cdef Waiter waiter
    cdef Links* links
    cdef bint wants_result = sync_depth > 0 or has_exports(r)
    cdef Op* op = r.op
    sweep_some()
    try:
        if not has_room(op.bytes):
            make_room(op.bytes)
        links = link(r)
        if links == NULL:
            raise _failures.out_of_memory(0)
    except:
        del op
        raise
    links.site.code = outer_frame(package, package_length, &links.site.lasti)
    try:
        fp_state(links.fp)
    except:
        dispose(links)
        raise
    cdef Outcome outcome = submit(links, waiter, wants_result)
    if outcome == RUN_HERE:
        return run_here(links)
    if outcome == QUEUED:
        if wants_result:
            sleep_on(waiter)
        return raise_error(waiter.error) if waiter.error != NULL else 0
    if outcome == SUSPENDED:
        return run_suspended(links, waiter)
    name = op.name.decode()
    dispose(links)
    raise _failures.refused(name, outcome)


cdef int run_suspended(Links* links, Waiter& waiter) except -1:
    """From inside an operation, on its variables and others: waits for the others and runs at once."""
    try:
        sleep_on(waiter)
    except:
        withdraw(links)
        raise
    enter(links)
    return run_here(links)


# --- the serial twin -----------------------------------------------------------------------------

cdef class OpHandle:
    """An operation as a callable, for the twin."""
    cdef Op* op
    cdef int fp_flags

    def __dealloc__(self):
        del self.op

    def __call__(self):
        cdef Failure failure
        cdef int status
        if self.op.flags & OP_NEEDS_GIL:
            status = run_single(self.op, failure)
        else:
            with nogil:
                status = run_single(self.op, failure)
        if status != 0 and failure.kind == FAIL_PYTHON: raise fetch_exception()
        if status != 0:
            raise _failures.exception(failure.kind, failure.text.decode("utf-8", "replace"))
        self.fp_flags = failure.fp_flags


cdef int push_serial(Request& r) except -1:
    cdef OpHandle handle = OpHandle.__new__(OpHandle)
    handle.op = r.op
    cdef const char* name = r.op.name
    cdef int i
    reads = [var_handle(r.reads[i]) for i in range(r.n_reads)]
    writes = [var_handle(r.writes[i]) for i in range(r.n_writes)]
    twin.push(handle, reads, writes, name=name.decode(), overwrites=bool(r.op.flags & OP_OVERWRITES),
              skip_errors=bool(r.op.flags & OP_SKIP_ERRORS))
    return report_fp_flags(name, handle.fp_flags) if handle.fp_flags else 0


# --- waiting -------------------------------------------------------------------------------------

cdef int wait(CVar* var, bint for_write) except -1:
    if recorder != NULL:
        recorder(NULL, NULL, 0, NULL, 0)
    if not (var.idle() if for_write else var.readable()) or notice_count.load() != 0:
        wait_tracked(var, for_write)
    return wait_for_gpu(var) if var.on_gpu() else 0


cdef int wait_tracked(CVar* var, bint for_write) except -1:
    cdef Waiter waiter
    cdef Outcome outcome
    sweep()
    if is_serial:
        twin.wait(var_handle(var), for_write)
        return 0
    pool_hold(var)
    try:
        outcome = wait_begin(waiter, var, for_write)
        if outcome == NEVER:
            raise _failures.refused("wait", outcome)
        if outcome == QUEUED:
            sleep_on(waiter)
        if hook_on.load():
            _engine_threaded.deliver_events()
        deliver_notices(var)
        return raise_error_of(var)
    finally:
        pool_release(var)


cdef int wait_all() except -1:
    cdef Waiter waiter
    sweep()
    if is_serial:
        twin.waitall()
        return wait_for_gpu(NULL)
    if current != NULL:
        raise _failures.refused("waitall", NEVER)
    if not wait_all_begin(waiter):
        sleep_on(waiter)
    if hook_on.load():
        _engine_threaded.deliver_events()
    deliver_notices(NULL)
    unseen = _take_unseen()
    if unseen:
        raise _failures.first_of(unseen)
    return wait_for_gpu(NULL)


cdef float inline_limit_ns() noexcept:
    return -1 if hook_on.load() else inline_limit.load()


cdef const Runtime* runtime() noexcept nogil:
    return c_runtime()


cdef void set_recorder(Recorder function) noexcept:
    global recorder
    recorder = function


# --- what _engine_threaded builds the Python interface on ---------------------------------------

def _push(fn, reads, writes, int priority, int lane, str name, size_t nbytes, int flags):
    cdef vector[CVar*] c_reads, c_writes
    for var in reads:
        c_reads.push_back((<Var?>var).c)
    for var in writes:
        c_writes.push_back((<Var?>var).c)
    Py_INCREF(fn)
    cdef PythonOp* op = new PythonOp(<PyObject*>fn)
    op.name = static_name(name)
    op.priority = priority
    op.lane = <uint8_t>lane
    op.bytes = nbytes
    op.flags |= <uint8_t>flags
    push(op, c_reads.data(), <int>c_reads.size(), c_writes.data(), <int>c_writes.size())


def _wait(Var var, bint for_write):
    if var is None:
        wait_all()
    else:
        wait(var.c, for_write)


def _workers(bint start):
    if start:
        start_threads()
    return c_num_workers()


def _io_threads(int at_least): return io_threads(at_least)
def _set_bounds(size_t operations, size_t nbytes): set_bounds(operations, nbytes)
def _leave_unseen(Var var): return False if is_serial else leave_unseen(var.c)  # for waitall, not the twin's


def _counters():
    cdef Counters counters = count()
    return counters.operations, counters.nbytes, counters.unseen_errors


def _take_events(bint go_on):
    hook_on.store(go_on)
    cdef vector[Event] events = take_events(0)
    cdef Event event
    return [(event.name.decode(), event.lane, event.thread, event.start_ns, event.end_ns) for event in events]


def _take_unseen():
    """The exceptions of all errors that nobody has been told of, in the order of their operations."""
    cdef vector[Error*] errors = take_unseen()
    cdef Error* error
    found = []
    for error in errors:
        error.seen.store(True)
        found.append(exception_of(error))
        error_release(error)
    return found


def _set_sync(bint on):
    """Count one more, or one fewer, reason to complete every operation before its push returns."""
    global sync_depth
    sync_depth += 1 if on else -1


def _pool(limit=None, bint trim=False, bint peak=False):
    """Bytes of large buffers: handed out, kept, the most to keep; most handed out since the last `peak`."""
    if limit is not None:
        pool_set_limit(limit)
    if trim: pool_trim()
    cdef Usage usage = pool_usage(peak)
    most = {"peak": usage.peak} if peak else {}
    return {"held": usage.held, "cached": usage.cached, "limit": usage.limit, **most}


def _stop(int milliseconds):
    with nogil: c_stop(milliseconds)


def _drain_for_exit(int milliseconds):
    cdef bint done
    with nogil: done = drain_for_exit(milliseconds)
    return done


def _exit_threads():
    with nogil: exit_threads()


def _fork(int milliseconds):
    """Keeps everything from running and locks the engine; False: something has started meanwhile."""
    with nogil: fork_prepare(milliseconds)
    return fork_lock()


def _forked(bint in_child):
    if in_child:
        fork_child()
    else:
        fork_parent()


# --- selection -----------------------------------------------------------------------------------

cdef int set_up() except -1:
    global is_serial, default_extobj
    cdef Callbacks callbacks
    is_serial = _failures.selected_engine() == "serial"
    state = Context().run(extobj.get)
    Py_INCREF(state)
    default_extobj = <PyObject*>state
    callbacks.thread_main = python_thread
    callbacks.run_python = run_with_gil
    callbacks.holds_gil = PyGILState_Check
    callbacks.decref = Py_DecRef
    initialize(callbacks, is_serial, os.environ.get("MXCY_FUSION", "1") != "0")
    return 0


def engine():
    """The name of the engine that runs: "threaded" or "serial"."""
    return "serial" if is_serial else "threaded"


set_up()

from . import _engine_serial, _engine_threaded

twin = _engine_serial
# Python's push, wait, ... have the names of the C functions above, which Cython keeps apart.
for _name in _engine_threaded.__all__:
    globals()[_name] = getattr(_engine_serial if is_serial else _engine_threaded, _name)
