# cython: cdivision=True
"""`x.flags`: how the elements of an array lie in memory."""

cimport cython
from libc.stdint cimport int64_t, uint8_t

from .._array cimport Array
from .._export cimport read_view

from ..errors import ArgumentError, message, problem

__all__ = ["set_flags"]

cdef extern from "strided.hpp" namespace "mxcy" nogil:
    bint is_f_contiguous(int, const int64_t*, const int64_t*, int64_t)

cdef extern from "dtype.hpp" namespace "mxcy" nogil:
    const uint8_t* ITEMSIZE

cdef enum:  # NumPy's bits
    C_ORDER = 1
    F_ORDER = 2
    OWNS = 4
    ALIGNED = 0x100
    WRITEABLE = 0x400

# The keys, as in NumPy.
cdef dict NAMES = {
    "C_CONTIGUOUS": "c_contiguous", "C": "c_contiguous", "CONTIGUOUS": "c_contiguous",
    "F_CONTIGUOUS": "f_contiguous", "F": "f_contiguous", "FORTRAN": "f_contiguous",
    "OWNDATA": "owndata", "O": "owndata", "WRITEABLE": "writeable", "W": "writeable", "ALIGNED": "aligned",
    "A": "aligned", "WRITEBACKIFCOPY": "writebackifcopy", "X": "writebackifcopy", "FNC": "fnc", "FORC": "forc",
    "BEHAVED": "behaved", "B": "behaved", "CARRAY": "carray", "CA": "carray", "FARRAY": "farray", "FA": "farray",
}


def set_flags(Array a, write, align, uic):
    """Say whether an array may be written."""
    if uic or align is False:
        raise ArgumentError(message("setflags", None, "write=", "align= or uic="))
    if write is not None:
        a.read_only = not write


@cython.final
@cython.freelist(16)
cdef class Flags:
    """How the elements of an array lie in memory; `writeable` can be set."""

    cdef Array array

    cdef int bits(self) noexcept:
        cdef Array x = self.array
        cdef int found = ALIGNED
        if x.c_contiguous:
            found |= C_ORDER
        if is_f_contiguous(x.ndim_, x.dims, x.dims + x.ndim_, ITEMSIZE[x.dtype_code]):
            found |= F_ORDER
        if not x.read_only:
            found |= WRITEABLE
        if x.nbytes == <int64_t>x.var.nbytes and (x.ndim_ == 0 or x.c_contiguous):
            found |= OWNS
        return found

    @property
    def c_contiguous(self):
        """Whether the elements lie in one run in C order."""
        return bool(self.array.c_contiguous)

    @property
    def contiguous(self):
        """Whether the elements lie in one run in C order."""
        return bool(self.array.c_contiguous)

    @property
    def f_contiguous(self):
        """Whether the elements lie in one run in Fortran order."""
        return self.bits() & F_ORDER != 0

    @property
    def fortran(self):
        """Whether the elements lie in one run in Fortran order."""
        return self.bits() & F_ORDER != 0

    @property
    def owndata(self):
        """Whether the memory is this array's alone, and not a part of another's."""
        return self.bits() & OWNS != 0

    @property
    def writeable(self):
        """Whether the array may be written."""
        return self.array.read_only == 0

    @property
    def aligned(self):
        """Whether the elements lie as the processor wants them."""
        return True

    @property
    def writebackifcopy(self):
        """False: no array is a copy that is to be written back."""
        return False

    @property
    def fnc(self):
        """Fortran order and not that of C."""
        return not self.array.c_contiguous and self.bits() & F_ORDER != 0

    @property
    def forc(self):
        """Fortran order or that of C."""
        return bool(self.array.c_contiguous) or self.bits() & F_ORDER != 0

    @property
    def behaved(self):
        """Aligned and writeable."""
        return self.array.read_only == 0

    @property
    def carray(self):
        """Aligned, writeable and in C order."""
        return bool(self.array.c_contiguous) and self.array.read_only == 0

    @property
    def farray(self):
        """Aligned, writeable, in Fortran order and not in that of C."""
        return self.bits() & (C_ORDER | F_ORDER | WRITEABLE) == F_ORDER | WRITEABLE

    @property
    def num(self):
        """All of them as NumPy's bits."""
        return self.bits()

    def __getitem__(self, name):
        found = NAMES.get(name) if type(name) is str else None
        if found is None:
            raise KeyError("Unknown flag")
        return getattr(self, found)

    def __setitem__(self, name, value):
        if name not in ("WRITEABLE", "W"):
            raise KeyError(problem("flags", name, "only WRITEABLE can be set"))
        set_flags(self.array, bool(value), None, None)

    def __setattr__(self, name, value):
        if name != "writeable":
            raise AttributeError(problem("flags", name, "only writeable can be set"))
        set_flags(self.array, bool(value), None, None)

    def __eq__(self, other):
        return isinstance(other, Flags) and self.num == other.num

    __hash__ = None

    def __repr__(self):
        return repr(read_view(self.array).flags).replace("OWNDATA : False", f"OWNDATA : {self.owndata}")


cdef object flags_of(Array x):
    cdef Flags made = Flags.__new__(Flags)
    made.array = x
    return made
