"""How an operator is called: the part of `Operator` that runs before any work begins.

A call whose tensors are all in their places and whose attributes are written as in an earlier call finds
the typed attributes of that one. Everything else goes through `_call_unknown`.
"""

from libc.math cimport signbit

import numpy as np

__all__ = ["Callee", "set_special", "special"]

CONSTANTS = (int, float, str, type(None), type, np.dtype, np.generic)

NEGATIVE_ZERO = object()


cdef bint is_constant(value) except -1:
    """Whether an attribute as written never changes: unlike a list, or an array of one element."""
    if isinstance(value, tuple):
        return all([is_constant(item) for item in value])
    return isinstance(value, CONSTANTS)


cdef object kind_of(value):
    """What tells a constant from others that equal it: 1 from True and 1.0, 0.0 from -0.0."""
    kind = type(value)
    if kind is int or kind is str:
        return kind
    if kind is float:
        return NEGATIVE_ZERO if value == 0.0 and signbit(<double>value) else kind
    if kind is tuple:
        for item in <tuple>value:
            if type(item) is not int:
                return tuple([kind_of(item) for item in <tuple>value])
    elif isinstance(value, np.generic):
        return kind, value.tobytes()
    return kind


cdef tuple classes = ()  # of operands that are asked before others: sparse arrays


def set_special(*given):
    """Say which classes of operands are asked first how a call is computed."""
    global classes
    classes = given


cpdef object special(tuple operands):
    """Return the operand that is asked first, None if they are all alike."""
    cdef object x, kind
    for x in operands:
        for kind in classes:
            if type(x) is kind:
                return x
    return None


cdef class Callee:
    """An object to call with tensors, then attributes, by position or by name, and `out` and `name`."""

    cdef object _uses        # (number of operands, keywords, values, their kinds) -> attributes
    cdef object _plain_attrs # of calls without any
    cdef Py_ssize_t _plain   # number of tensors of a call that needs no attributes, or -1
    cdef Py_ssize_t _most    # number of tensors at most

    def _accept(self, uses, Py_ssize_t most, Py_ssize_t plain, plain_attrs):
        """Say where to keep what calls meant, and what a call with `plain` tensors and no more means."""
        self._uses, self._most, self._plain, self._plain_attrs = uses, most, plain, plain_attrs

    def __call__(self, *operands, out=None, name=None, **keywords):
        cdef tuple written = (), key
        if not operands:
            return self._call_unknown(operands, keywords, out, name)[0]
        first = special(operands)
        apply = getattr(operands[0] if first is None else first, "_apply", None)
        if apply is None:
            return self._call_unknown(operands, keywords, out, name)[0]
        if not keywords and len(operands) == self._plain:
            return apply(self, operands, self._plain_attrs, out, name)
        tensors = operands
        if len(operands) > self._most:
            tensors, written = operands[:self._most], operands[self._most:]
        if keywords:
            written += tuple(keywords.values())
        key = (len(operands), *keywords, *written, *[kind_of(value) for value in written])
        try:
            attrs = self._uses.get(key)
        except TypeError:  # a list
            attrs = None
        if attrs is not None:
            return apply(self, tensors, attrs, out, name)
        names = tuple(keywords)
        result, inputs, attrs = self._call_unknown(operands, keywords, out, name)
        if tuple(keywords) == names and same(inputs, tensors) and all([is_constant(v) for v in written]):
            self._uses.add(key, attrs)
        return result


cdef bint same(tuple a, tuple b) noexcept:
    cdef Py_ssize_t i
    if len(a) != len(b):
        return False
    for i in range(len(a)):
        if a[i] is not b[i]:
            return False
    return True
