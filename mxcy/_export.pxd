# Memory of arrays lent out to NumPy, buffers and DLPack, and taken in from NumPy.
from libc.stdint cimport int64_t
from ._array cimport Array
from ._engine cimport CVar

# Waits until nothing writes the buffer (writable: or reads it) and counts an export, so that from here on
# operations that could race with its user complete before their calls return.
cdef int begin_export(CVar* var, bint writable) except -1
cdef void end_export(CVar* var, bint writable) noexcept
# An array over foreign memory, whose reference `owner` keeps. The storage stays in the exported state:
# whoever owns it may use it at any time. `data` is the first element. Takes 0-d as it is.
cdef Array import_memory(char* data, object owner, int face, int ndim, const int64_t* shape,
                         const int64_t* strides, int dtype_code, bint read_only, bint shared=*,
                         int context=*)
# A NumPy array over the memory of an array, an export as long as it lives.
cpdef object view_numpy(Array x, bint writable)
# What `__array__` returns.
cpdef object to_numpy(Array x, dtype, copy)
# A copy in C order, in the same class.
cdef Array copied_array(Array x)
# Tells who watches that a writable export has begun; `own` references to the buffer are its and the array's.
cdef int tell(Array x, int own) except -1
# A NumPy array over the memory of an array, for a function that reads it: see `_export.pyx`.
cpdef object read_view(Array x)
# An array over what a function of NumPy has returned.
cpdef object adopt(a, int face, int held=*)
# A result without axes with the value of one of NumPy's scalars.
cpdef object constant(value, int face)
