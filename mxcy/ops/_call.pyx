"""How an operator is called: the part of `Operator` that runs before any work begins.

A call whose tensors are all in their places and whose attributes are written as in an earlier call finds
the typed attributes of that one, and after a few calls what it did (`_replay`). Everything else goes
through `_call_unknown`.
"""

from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.math cimport signbit

import numpy as np

from .._array cimport Array
from .._invoke cimport is_enabled
from .._replay cimport Replay, replay_of

from .._invoke import signature

__all__ = ["Callee", "set_special", "special"]

cdef enum:
    FEW = 2           # calls before one is kept: many happen only once
    MOST_SHAPES = 64  # of one use
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


cdef class Use:
    """One way to call an operator: the attributes, and what calls with arrays of some shapes do."""

    cdef object attrs
    cdef dict replays   # signature of the arrays -> Replay, number of calls, or False: they go the long way
    cdef Replay last

    def __cinit__(self, attrs):
        self.attrs, self.replays = attrs, {}

    cdef object run(self, object op, tuple tensors):
        """The result if it can be computed at once, else None."""
        if self.last is not None and self.last.fits(tensors):
            return self.last.run(tensors)
        if self.replays is None or not is_enabled() or not isinstance(tensors[0], Array):
            return None
        key = signature(tensors, True)
        found = self.replays.get(key, 0)
        if isinstance(found, Replay):
            if not (<Replay>found).fits(tensors):
                return None
            self.last = found
            return self.last.run(tensors)
        if found is not False and key is not None:
            self.count(op, tensors, key, found)
        return None

    cdef int count(self, object op, tuple tensors, object key, int calls) except -1:
        """Take note of a call; of one that has come a few times, keep what it does."""
        if special(tensors) is not None:
            return 0
        if not op.is_fixed(self.attrs):
            self.replays = None
            return 0
        if len(self.replays) >= MOST_SHAPES:
            self.replays.clear()
        if calls < FEW:
            self.replays[key] = calls + 1
            return 0
        made = replay_of(op, tensors, self.attrs)
        self.replays[key] = False if made is None else made
        return 0


cdef class Callee:
    """An object to call with tensors, then attributes, by position or by name, and `out` and `name`."""

    cdef object _uses        # (number of operands, keywords, values, their kinds) -> Use
    cdef Use _plain_use      # of calls without any
    cdef Py_ssize_t _plain   # number of tensors of a call that needs no attributes, or -1
    cdef Py_ssize_t _most    # number of tensors at most

    def _accept(self, uses, Py_ssize_t most, Py_ssize_t plain, plain_attrs):
        """Say where to keep what calls meant, and what a call with `plain` tensors and no more means."""
        self._uses, self._most, self._plain, self._plain_use = uses, most, plain, Use(plain_attrs)

    def __call__(self, *operands, out=None, name=None, **keywords):
        cdef tuple written = (), key = None
        cdef tuple tensors = operands
        cdef Use use = None
        if not operands:
            return self._call_unknown(operands, keywords, out, name)[0]
        if not keywords and len(operands) == self._plain:
            use = self._plain_use
        else:
            if len(operands) > self._most:
                tensors, written = operands[:self._most], operands[self._most:]
            if keywords:
                written += tuple(keywords.values())
            key = key_of(len(operands), keywords, written)
            try:
                use = self._uses.get(key)
            except TypeError:  # a list
                pass
        if use is None:
            return self._call_first(operands, tensors, written, key, keywords, out, name)
        if out is None:
            result = use.run(self, tensors)
            if result is not None:
                return result
        first = special(tensors)
        apply = getattr(tensors[0] if first is None else first, "_apply", None)
        if apply is None:
            return self._call_unknown(operands, keywords, out, name)[0]
        return apply(self, tensors, use.attrs, out, name)

    def _call_first(self, operands, tensors, written, key, keywords, out, name):
        """A call unlike earlier ones; what it means is kept if that never changes."""
        names = tuple(keywords)
        result, inputs, attrs = self._call_unknown(operands, keywords, out, name)
        if tuple(keywords) == names and same(inputs, tensors) and all([is_constant(v) for v in written]):
            self._uses.add(key, Use(attrs))
        return result


cdef tuple key_of(Py_ssize_t count, dict keywords, tuple written):
    """(number of operands, names of keywords, values, kinds of the values)."""
    cdef Py_ssize_t i = 1, n_names = len(keywords), n_values = len(written)
    cdef tuple key = PyTuple_New(1 + n_names + 2 * n_values)
    put(key, 0, count)
    for name in keywords:
        put(key, i, name)
        i += 1
    for value in written:
        put(key, i, value)
        put(key, i + n_values, kind_of(value))
        i += 1
    return key


cdef inline void put(tuple key, Py_ssize_t i, object value) noexcept:
    Py_INCREF(value)
    PyTuple_SET_ITEM(key, i, value)


cdef bint same(tuple a, tuple b) noexcept:
    cdef Py_ssize_t i
    if len(a) != len(b):
        return False
    for i in range(len(a)):
        if a[i] is not b[i]:
            return False
    return True
