"""Calls that repeat: what a call of an operator pushed, kept to be done at once for other arrays.

Checking operands, inferring shapes, choosing loops and laying out blocks take a microsecond or two; the work
on a small array takes a tenth of that. All of it follows from the operator, its attributes, and the shapes and
dtypes of its operands. So the operations that such a call pushes are recorded for stand-ins, and a later
call with arrays like these makes its results, puts the arrays in the places of the stand-ins, and runs the
operations in its thread. It needs arrays in C order that nobody writes to, and operations that are small,
always the same, and run no Python (see _segment.pyx); other calls go the long way.
"""

from functools import partial

from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.object cimport PyObject
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from ._array cimport Array, allocate, decref, faces, incref, new_like, steal, type_of
from ._engine cimport inline_limit_ns, report_fp_flags, var_ensure_data, var_new, var_release
from ._invoke cimport readable_data
from ._segment cimport Recording

cdef extern from "Python.h":
    PyObject* item "PyTuple_GET_ITEM"(PyObject* items, Py_ssize_t i)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    const uint8_t* ITEMSIZE


cdef class Replay:
    """Recorded operations and the shapes of what they read and write."""

    def __cinit__(self):
        self.c = new CReplay()

    def __dealloc__(self):
        del self.c

    cdef bint fits(self, tuple inputs) noexcept:
        cdef int i, d
        cdef PyObject* p
        cdef Shape* shape = self.shapes.data()
        if <int>len(inputs) != self.n_inputs:
            return False
        for i in range(self.n_inputs):
            p = item(<PyObject*>inputs, i)
            if type_of(p) is not faces[shape.face].type:
                return False
            if (<Array>p).dtype_code != shape.dtype_code or (<Array>p).ndim_ != shape.ndim:
                return False
            for d in range(shape.ndim):
                if (<Array>p).dims[d] != shape.dims[d]:
                    return False
            shape += 1
        return True

    cdef object run(self, tuple inputs):
        cdef int i
        cdef int n_results = <int>self.shapes.size() - self.n_inputs
        cdef PyObject* p
        cdef PyObject* result
        if self.c.cost_ns() > inline_limit_ns():
            return None
        for i in range(self.n_inputs):
            p = item(<PyObject*>inputs, i)
            if readable_data(p) is NULL or (<Array>p).var.context != self.context:
                return None
        if not self.is_list:
            result = made(&self.shapes[self.n_inputs], self.context)
            return self.compute(inputs, &result, 1, steal(result))
        results = PyList_New(n_results)
        for i in range(n_results):
            one = steal(made(&self.shapes[self.n_inputs + i], self.context))
            incref(<PyObject*>one)
            PyList_SET_ITEM(results, i, one)
        return self.compute(inputs, NULL, n_results, results)

    cdef object compute(self, tuple inputs, PyObject** single, int n_results, object returned):
        """Nothing below runs Python, or another replay, until the operations are done."""
        cdef int i
        cdef PyObject* p
        cdef Failure failure
        cdef const char* name = NULL
        for i in range(self.n_inputs):
            p = item(<PyObject*>inputs, i)
            self.vars[i] = (<Array>p).var
            self.offsets[i] = (<Array>p).offset
        for i in range(n_results):
            p = single[0] if single is not NULL else <PyObject*>(<list>returned)[i]
            self.vars[self.n_inputs + i] = (<Array>p).var
            (<Array>p).var.version += 1
        if self.c.run(self.vars.data(), self.offsets.data(), failure, name):
            return None  # the long way raises what went wrong
        if failure.fp_flags:
            report_fp_flags(name, <int>failure.fp_flags)
        return returned


cdef PyObject* made(Shape* shape, int16_t context) except NULL:
    """A new array with its buffer present."""
    cdef CVar* var = var_new(shape.size * ITEMSIZE[shape.dtype_code], context)
    cdef PyObject* p
    try:
        p = allocate(shape.face)
    except BaseException:
        var_release(var)
        raise
    (<Array>p).var = var
    (<Array>p).grad_info = NULL
    (<Array>p).offset = 0
    (<Array>p).size = shape.size
    (<Array>p).dims = (<Array>p).inline_dims
    (<Array>p).ndim_ = shape.ndim
    (<Array>p).dtype_code = shape.dtype_code
    (<Array>p).c_contiguous = (<Array>p).whole = True
    (<Array>p).face = shape.face
    (<Array>p).read_only = shape.read_only
    memcpy((<Array>p).inline_dims, shape.dims, 2 * shape.ndim * sizeof(int64_t))
    if var.data.load() is NULL:
        try:
            var_ensure_data(var)
        except BaseException:
            decref(p)
            raise
    return p


cdef Replay replay_of(object op, tuple inputs, object attrs):
    cdef Replay replay = Replay.__new__(Replay)
    cdef Recording recording = Recording()
    cdef vector[Op*] ops
    cdef Array x
    cdef list results = []
    cdef tuple stand_ins
    if not inputs or not all([is_plain(x) for x in inputs]):
        return None
    stand_ins = tuple([new_like(x, (<Array>x).ndim_, (<Array>x).dims, (<Array>x).dtype_code) for x in inputs])
    try:
        recorded = recording.add(partial(_compute, op, stand_ins, attrs, results))
    except Exception:  # of a call that raises
        return None
    visible = op.num_visible(attrs)
    if not recorded or not all([is_plain(x) for x in results[:visible]]):
        return None
    replay.context = (<Array>inputs[0]).var.context
    replay.n_inputs = <int>len(inputs)
    replay.is_list = visible != 1 and len(results) != 1
    for x in (*stand_ins, *results[:visible]):
        if x.offset != 0 or not x.whole or holds(replay.vars, x.var):
            return None
        replay.vars.push_back(x.var)
        replay.offsets.push_back(0)
        replay.shapes.push_back(shape_of(x))
    replay.held = recording.take_ops(ops)
    if not replay.c.keep(ops, replay.vars, replay.n_inputs) or replay.c.cost_ns() > inline_limit_ns():
        return None
    return replay


def _compute(op, inputs, attrs, results):
    results += op.compute(inputs, attrs)


cdef bint holds(const vector[CVar*]& vars, CVar* var) noexcept:
    cdef size_t i
    for i in range(vars.size()):
        if vars[i] == var:
            return True
    return False


cdef bint is_plain(object given):
    """Whether this is an array of exactly the class that its face has, in C order, of a few dimensions.

    Not without axes in `mx.nd`: whether its results have one depends on `np_shape` at the call.
    """
    cdef Array x
    if not isinstance(given, Array):
        return False
    x = <Array>given
    if x.ndim_ == 0 and not faces[x.face].zero_dim:
        return False
    plain = type_of(<PyObject*>x) is faces[x.face].type and x.c_contiguous and x.ndim_ <= 4 and x.size > 0
    return plain and not x.var.on_gpu()


cdef Shape shape_of(Array x):
    cdef Shape shape
    shape.face, shape.dtype_code, shape.read_only = x.face, x.dtype_code, x.read_only
    shape.ndim, shape.size = x.ndim_, x.size
    memcpy(shape.dims, x.dims, 2 * x.ndim_ * sizeof(int64_t))
    return shape
