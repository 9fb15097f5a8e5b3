"""Python's operators where the fast path does not do them (`_invoke`)."""

import operator

import numpy as np

from .._array cimport Array, is_constant
from ._calls cimport face, given, given_numbers, number_of, taken
from ._small_shapes cimport filled

from ._calls import holds_no_numbers

__all__ = ["operator_of"]

cdef object _missing = object()
cdef object _multiply = operator.mul


cdef class Operator:
    """What Python's operator does where the fast path does not: a universal function, or what NumPy says."""

    cdef object function
    cdef object python
    cdef object into  # called instead of the function for `a += b` and its like

    def __init__(self, function, python, into):
        self.function, self.python, self.into = function, python, into

    def __call__(self, a, b=_missing, out=None):
        if b is _missing:
            return self.function(a)
        if self.python is _multiply and out is None and (is_repeated(a, b) or is_repeated(b, a)):
            return a * number_of(<Array>b) if is_repeated(a, b) else number_of(<Array>a) * b
        if not (is_usual(a) and is_usual(b)):
            return self.unusual(a, b, out)
        return self.function(a, b) if out is None else self.into(a, b, out=out)

    cdef unusual(self, a, b, out):
        """Ask NumPy's operator, which knows when to leave the operation to the other operand."""
        cdef list seen = []
        if b is None and out is None:
            made = self.compared_with_none(a)
            if made is not None:
                return made
        other = b if isinstance(a, Array) else a
        if isinstance(other, Array) or getattr(other, "__array_ufunc__", self) is None:
            return NotImplemented
        result = self.python(taken(a, seen), taken(b, seen))
        if out is None:
            return given_numbers(result) if holds_no_numbers(other) else given(result, seen)
        out[...] = result
        return out

    cdef compared_with_none(self, a):
        """Truth values for a small array: no number is None."""
        if self.python is not operator.eq and self.python is not operator.ne or not isinstance(a, Array):
            return None
        cdef Array x = <Array>a
        if x.face != face() or x.ndim_ == 0 or not x.c_contiguous or not x.var.readable() or x.var.on_gpu():
            return None
        return filled(x.shape, None, self.python is operator.ne)


cdef bint is_usual(x) except -1:
    if isinstance(x, Array):
        return (<Array>x).face == face()
    if isinstance(x, (int, float, complex, list, tuple)):
        return True
    return (isinstance(x, np.generic) or type(x) is np.ndarray) and not holds_no_numbers(x)


cdef bint is_repeated(sequence, times) except -1:
    """Whether `sequence * times` repeats, as with NumPy's scalars: the second is a result without axes."""
    if not isinstance(sequence, (list, tuple, str, bytes, bytearray)) or not isinstance(times, Array):
        return False
    return (<Array>times).face == face() and (<Array>times).grad_info is NULL and is_constant(<Array>times)


def operator_of(function, python, into=None):
    """Return what to register for an operator: see `_invoke.set_operator`."""
    return Operator(function, python, function if into is None else into)
