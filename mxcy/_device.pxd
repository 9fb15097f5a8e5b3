# Where an operation goes: to the CPU's kernels, or to those of the GPU that holds its arrays.
from libc.stddef cimport size_t
from ._array cimport Array

# Whether any of the arrays is on a GPU.
cdef inline bint on_gpu(list reads, list writes) noexcept:
    cdef Array x
    for x in writes:
        if x.var.on_gpu():
            return True
    for x in reads:
        if x.var.on_gpu():
            return True
    return False

# Raises ArgumentError: the operator has no kernel there.
cdef int refuse_gpu(str name) except -1
# Imports kernels.cuda, which lends its functions to the modules that dispatch.
cdef object load_kernels()
