"""Operations for the tests and the measurements of the engine.  Nothing else uses this module."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from ._engine cimport (
    CVar, LANE_CPU, LANE_IO, OP_OVERWRITES, OP_SKIP_ERRORS, Op, Runtime, Var, push, runtime,
    var_ensure_data, var_new, var_release, wait,
)

cdef extern from "testing.hpp" namespace "mxcy::testing" nogil:
    cdef cppclass Mix(Op):
        const Runtime* runtime
        CVar** writes
        CVar** reads
        int n_writes
        int n_reads
        uint64_t k
        int64_t grain
        int64_t spin_ns
        int failure_kind
        int fp_flags
    enum:
        MOST "mxcy::testing::Mix::MOST"


def mix(writes, reads=(), uint64_t k=0, *, double cost_ns=1e9, int64_t spin_ns=0, int64_t grain=0,
        int fail=0, int fp_flags=0, int priority=0, str lane="cpu", bint overwrites=False,
        bint skip_errors=False, size_t nbytes=0):
    """Push `w = 3 * w + k + sum(reads)` for every w of `writes`, on 64-bit words.

    `fail`: a FailureKind to fail with.  `grain`: run by parallel_for.
    """
    cdef CVar* c_reads[MOST]
    cdef CVar* c_writes[MOST]
    cdef int n_reads = 0, n_writes = 0
    if len(reads) > MOST or len(writes) > MOST:
        raise ValueError(f"mix: at most {MOST} variables of a kind")
    for var in reads:
        c_reads[n_reads] = (<Var?>var).c
        n_reads += 1
    for var in writes:
        c_writes[n_writes] = (<Var?>var).c
        n_writes += 1
    cdef Mix* op = new Mix()
    op.name = "mix"
    op.runtime = runtime()
    op.cost_ns = cost_ns
    op.spin_ns = spin_ns
    op.grain = grain
    op.k = k
    op.failure_kind = fail
    op.fp_flags = fp_flags
    op.priority = priority
    op.lane = LANE_IO if lane == "io" else LANE_CPU
    op.bytes = nbytes
    op.flags = (OP_OVERWRITES if overwrites else 0) | (OP_SKIP_ERRORS if skip_errors else 0)
    op.n_reads = n_reads
    op.n_writes = n_writes
    for i in range(n_reads):
        op.reads[i] = c_reads[i]
    for i in range(n_writes):
        op.writes[i] = c_writes[i]
    push(op, c_reads, n_reads, c_writes, n_writes)


def compute(writes, reads=(), uint64_t k=0, *, bint overwrites=False):
    """Do what `mix` pushes, at once and whatever the engine is doing: the body of Python operations."""
    cdef uint64_t total
    cdef uint64_t* data
    for var in writes:
        var_ensure_data((<Var?>var).c)
    for i in range(min((<Var?>var).c.nbytes for var in [*writes, *reads]) // 8):
        total = k
        for var in reads:
            total += (<uint64_t*>var_ensure_data((<Var?>var).c))[i]
        for var in writes:
            data = <uint64_t*>var_ensure_data((<Var>var).c)
            data[i] = (0 if overwrites else 3 * data[i]) + total


def zero(Var var):
    """Set all bytes to 0, when nothing uses the variable any more."""
    wait(var.c, True)
    memset(var_ensure_data(var.c), 0, var.c.nbytes)


def words(Var var):
    """The contents as a list of integers, after the pending writes.  Raises the stored error."""
    wait(var.c, False)
    cdef uint64_t* data = <uint64_t*>var_ensure_data(var.c)
    return [data[i] for i in range(var.c.nbytes // 8)]


def export(Var var, int count, bint writable):
    """Add to the number of live exports, as a NumPy view does."""
    if writable:
        var.c.exports_write.fetch_add(count)
    else:
        var.c.exports_read.fetch_add(count)


def push_times(Var a, Var b, Var c, int n, double cost_ns):
    """Push n operations that read a and b and write c, with nothing of Python between."""
    cdef CVar* reads[2]
    cdef CVar* writes[1]
    cdef Mix* op
    reads[0] = a.c
    reads[1] = b.c
    writes[0] = c.c
    for _ in range(n):
        op = new Mix()
        op.name = "mix"
        op.runtime = runtime()
        op.cost_ns = cost_ns
        op.n_reads = 2
        op.n_writes = 1
        op.reads[0] = a.c
        op.reads[1] = b.c
        op.writes[0] = c.c
        push(op, reads, 2, writes, 1)


def round_trips(Var a, Var b, Var c, int n):
    """Push one queued operation and wait for it, n times."""
    for _ in range(n):
        push_times(a, b, c, 1, 1e9)
        wait(c.c, False)


def make_variables(size_t nbytes, int n):
    """Make and drop n variables, one after the other."""
    for _ in range(n):
        var_release(var_new(nbytes, 0))
