"""The way to the GPU's kernels, which are loaded when the first array on a GPU needs one."""

from .errors import ArgumentError, problem

cdef object kernels = None


cdef int refuse_gpu(str name) except -1:
    text = "the operator has no GPU kernel"
    raise ArgumentError(problem(name, None, text, "copy the arrays to mx.cpu() for it"))


cdef object load_kernels():
    """Return the module `kernels.cuda`."""
    global kernels
    if kernels is None:
        from .kernels import cuda
        kernels = cuda
    return kernels
