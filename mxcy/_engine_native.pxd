# native/engine.hpp, pool.hpp and site.hpp for _engine.pyx (what they are for is said there), and the small
# functions around them that need nothing else.
from cpython.exc cimport PyErr_CheckSignals, PyErr_Occurred
from cpython.ref cimport Py_INCREF, PyObject
from libc.stdint cimport int16_t, int64_t, uint64_t
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

from ._engine cimport CVar, FAIL_PYTHON, Failure, Op, Recorder, Runtime, atomic

cdef extern from "site.hpp" namespace "mxcy":
    PyObject* outer_frame(const char* package, size_t length, int* lasti)
    int line_of(PyObject* code, int lasti)

cdef extern from "Python.h":
    int PyGILState_Check() nogil
    int PyContextVar_Get(object var, PyObject* default, PyObject** value) except -1
    void Py_DecRef(PyObject* o) nogil

cdef extern from "engine.hpp" namespace "mxcy" nogil:
    cdef enum:
        OP_CALLABLE, DEFAULT_FP_MASK
    cdef cppclass Site:
        PyObject* code
        int lasti
    cdef cppclass FpState:
        int mask
        PyObject* handler
    cdef cppclass Error:
        atomic[cbool] seen
        int kind
        const char* name
        Site site
        PyObject* exception
        char* text
    cdef cppclass Notice:
        int flags
        const char* name
        Site site
        FpState fp
    cdef cppclass Links:
        Op* op
        Site site
        FpState fp
    cdef cppclass Waiter:
        Waiter()
        Error* error
    cdef cppclass PythonOp(Op):
        PythonOp(PyObject* owned)
        PyObject* callable
    cdef cppclass Event:
        const char* name
        int lane
        uint64_t thread
        int64_t start_ns
        int64_t end_ns

cdef extern from "engine.hpp" namespace "mxcy::engine" nogil:
    atomic[float] inline_limit
    atomic[cbool] hook_on
    atomic[size_t] notice_count
    Links* current
    Recorder recorder
    cppclass Request:
        Op* op
        CVar** reads
        CVar** writes
        int n_reads
        int n_writes
    cdef enum Outcome:
        QUEUED, RUN_HERE, SUSPENDED, NEVER
    cppclass Result:
        Result()
        int status
        Failure failure
        Error* inherited
        PyObject* exception
    bint runs_inline(const Request& r)
    bint share(const Request& r)
    int run_inline(const Request& r, Failure& failure)
    bint has_exports(const Request& r)
    Links* link(const Request& r)
    Outcome submit(Links* links, Waiter& waiter, bint wants_result)
    void enter(Links* links)
    void withdraw(Links* links)
    void dispose(Links* links)
    bint has_room(size_t nbytes)
    bint wait_for_room(size_t nbytes, int milliseconds)
    bint inherits_error(Links* links, Result& result)
    void run_op(Links* links, Result& result)
    int64_t run_begin(Links* links)
    void run_end(Links* links, int64_t begin)
    Error* finish(Links* links, Result& result)
    Outcome wait_begin(Waiter& waiter, CVar* var, bint for_write)
    bint wait_all_begin(Waiter& waiter)
    bint wait_slice(Waiter& waiter, int milliseconds)
    void wait_cancel(Waiter& waiter)
    Error* make_error(const Failure& failure, const char* name, PyObject* exception)
    void fail_inline(const Request& r, Error* error)
    Error* error_of(CVar* var)
    void set_error(CVar* var, Error* error)
    void error_release(Error* error)
    vector[Error*] take_unseen()
    bint leave_unseen(CVar* var)
    cppclass Counters:
        size_t operations
        size_t nbytes
        size_t unseen_errors
    Counters count()
    vector[Notice*] take_notices(CVar* var)
    void sweep()
    void sweep_some()
    vector[Event] take_events(size_t at_least)
    void record_wait(int64_t start_ns)
    int64_t now_ns() nogil
    cppclass Callbacks:
        void (*thread_main)(int lane) noexcept nogil
        void (*run_python)(Links* links) noexcept nogil
        int (*holds_gil)() noexcept nogil
        void (*decref)(PyObject* o) noexcept
    void initialize(const Callbacks& callbacks, bint serial, bint fuses)
    int c_num_workers "mxcy::engine::num_workers" ()
    int io_threads(int)
    const Runtime* c_runtime "mxcy::engine::runtime" ()
    void worker_loop(int lane)
    void start_threads()
    void set_bounds(size_t operations, size_t nbytes)
    bint c_stop "mxcy::engine::stop" (int milliseconds)
    bint drain_for_exit(int milliseconds)
    void exit_threads()
    bint fork_prepare(int milliseconds)
    bint fork_lock()
    void fork_parent()
    void fork_child()

cdef extern from "pool.hpp" namespace "mxcy::pool" nogil:
    CVar* pool_new "mxcy::pool::new_var" (size_t nbytes, int16_t context)
    CVar* pool_import "mxcy::pool::import_var" (char* data, size_t nbytes, PyObject* owner)
    void pool_release "mxcy::pool::release" (CVar* var)
    void pool_hold "mxcy::pool::hold" (CVar* var)
    char* pool_ensure_data "mxcy::pool::ensure_data" (CVar* var)
    void pool_set_limit "mxcy::pool::set_limit" (size_t nbytes)
    void pool_trim "mxcy::pool::trim" ()
    cppclass Usage:
        size_t held
        size_t cached
        size_t limit
        size_t peak
    Usage pool_usage "mxcy::pool::usage" (bint new_peak)


cdef inline object place_of(Site& site):
    """(file, line, function) of a push site, or None."""
    if site.code == NULL:
        return None
    code = <object>site.code
    return code.co_filename, line_of(site.code, site.lasti), code.co_qualname


cdef inline object fetch_exception():
    """The exception that a C function has left set in this thread."""
    if PyErr_Occurred() == NULL:
        return RuntimeError("an operation failed without saying why")
    try:
        leave_raised()
    except BaseException as exception:
        return exception


cdef inline int leave_raised() except? -1:
    return -1


cdef inline int make_room(size_t nbytes) except -1:
    cdef bint there = False
    while not there:
        with nogil:
            there = wait_for_room(nbytes, 50)
        PyErr_CheckSignals()
        if not there:
            there = has_room(nbytes)
    return 0


cdef inline int sleep_on(Waiter& waiter) except -1:
    cdef bint done = False
    cdef int64_t begin = now_ns()
    while True:
        with nogil:
            done = wait_slice(waiter, 50)
        if done:
            if hook_on.load():
                record_wait(begin)
            return 0
        try:
            PyErr_CheckSignals()
        except:
            wait_cancel(waiter)
            raise


cdef inline int run_single(Op* op, Failure& failure) noexcept nogil:
    cdef Request r
    r.op = op
    r.n_reads = r.n_writes = 0
    return run_inline(r, failure)


cdef inline int wait_for_gpu(CVar* var) except -1:
    """Waits for what is enqueued on the GPU of a variable (NULL: on all GPUs)."""
    cdef Failure failure
    cdef int status
    if c_runtime().device.wait == NULL:
        return 0
    with nogil:
        status = c_runtime().device.wait(var, failure)
    if status != 0:
        from mxcy import _failures
        raise _failures.exception(failure.kind, failure.text.decode("utf-8", "replace"))
    return 0


cdef inline object taken(PyObject* owned):
    """The object of a reference that is given up; None for NULL."""
    if owned == NULL:
        return None
    found = <object>owned
    Py_DecRef(owned)
    return found


cdef inline list take_reports(CVar* var):
    """What _failures.report_fp needs of each notice for `var` (NULL: of all)."""
    cdef vector[Notice*] notices = take_notices(var)
    cdef Notice* notice
    reports = []
    for notice in notices:
        handler = taken(notice.fp.handler)
        reports.append((notice.name.decode(), notice.flags, notice.fp.mask, handler, place_of(notice.site)))
        Py_DecRef(notice.site.code)
        del notice
    return reports


cdef inline PyObject* with_traceback(exception):
    """What Error.exception holds: an exception and the traceback that it has now (a new reference)."""
    pair = (exception, exception.__traceback__)
    Py_INCREF(pair)
    return <PyObject*>pair


cdef inline Error* error_from(exception, const char* name):
    """An error that raises this exception."""
    cdef Failure failure
    failure.kind = FAIL_PYTHON
    return make_error(failure, name, with_traceback(exception))
