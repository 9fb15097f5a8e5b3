"""Names of NumPy that hold no arrays and are the same objects here: types, constants, settings, texts.

And those that wrap a class of NumPy's: index tricks, iterators, `vectorize`.
"""

from __future__ import annotations

from typing import Any

import numpy as _np
from numpy import (
    ScalarType,
    __version__,
    base_repr,
    binary_repr,
    bool,
    bool_,
    broadcast_shapes,
    byte,
    bytes_,
    cdouble,
    character,
    clongdouble,
    complex64,
    complex128,
    complexfloating,
    csingle,
    datetime64,
    double,
    dtype,
    dtypes,
    e,
    errstate,
    euler_gamma,
    exceptions,
    finfo,
    flexible,
    float16,
    float32,
    float64,
    floating,
    format_float_positional,
    format_float_scientific,
    generic,
    get_include,
    get_printoptions,
    getbufsize,
    geterr,
    geterrcall,
    half,
    iinfo,
    index_exp,
    inexact,
    inf,
    info,
    int8,
    int16,
    int32,
    int64,
    int_,
    intc,
    integer,
    intp,
    isdtype,
    issubdtype,
    little_endian,
    long,
    longdouble,
    longlong,
    mintypecode,
    nan,
    ndindex,
    newaxis,
    number,
    object_,
    pi,
    printoptions,
    promote_types,
    s_,
    sctypeDict,
    set_printoptions,
    setbufsize,
    seterr,
    seterrcall,
    short,
    show_config,
    show_runtime,
    signedinteger,
    single,
    str_,
    timedelta64,
    typecodes,
    typename,
    ubyte,
    uint,
    uint8,
    uint16,
    uint32,
    uint64,
    uintc,
    uintp,
    ulong,
    ulonglong,
    unsignedinteger,
    ushort,
    void,
)

from ._calls import unwrap, wrap
from ._flat import ndenumerate, nditer

__all__ = [
    "False_", "ScalarType", "True_", "__version__", "base_repr", "binary_repr", "bool", "bool_", "broadcast",
    "broadcast_shapes", "byte", "bytes_", "c_", "cdouble", "character", "clongdouble", "complex128",
    "complex64", "complexfloating", "csingle", "datetime64", "double", "dtype", "dtypes", "e", "errstate",
    "euler_gamma", "exceptions", "finfo", "flatiter", "flexible", "float16", "float32", "float64", "floating",
    "format_float_positional", "format_float_scientific", "generic", "get_include", "get_printoptions",
    "getbufsize", "geterr", "geterrcall", "half", "iinfo", "index_exp", "inexact", "inf", "info", "int16",
    "int32", "int64", "int8", "int_", "intc", "integer", "intp", "isdtype", "issubdtype", "little_endian",
    "long", "longdouble", "longlong", "mgrid", "mintypecode", "nan", "ndenumerate", "ndindex", "nditer",
    "newaxis", "number", "object_", "ogrid", "pi", "poly1d", "printoptions", "promote_types", "r_", "s_",
    "sctypeDict", "set_printoptions", "setbufsize", "seterr", "seterrcall", "short", "show_config",
    "show_runtime", "signedinteger", "single", "str_", "timedelta64", "typecodes", "typename", "ubyte",
    "uint", "uint16", "uint32", "uint64", "uint8", "uintc", "uintp", "ulong", "ulonglong", "unsignedinteger",
    "ushort", "vectorize", "void",
]  # fmt: skip

True_, False_ = _np.True_, _np.False_


class _Indexed:
    """An object of NumPy's that makes arrays when it is indexed."""

    def __init__(self, made: Any):
        self._made = made
        self.__doc__ = made.__doc__

    def __getitem__(self, key: Any) -> Any:
        return wrap(self._made[unwrap(key)])

    def __len__(self) -> int:
        return 0


c_ = _Indexed(_np.c_)
r_ = _Indexed(_np.r_)
mgrid = _Indexed(_np.mgrid)
ogrid = _Indexed(_np.ogrid)


class flatiter:
    """The class of `x.flat` in NumPy's namespace; here they are `mxcy.numpy._conversions.FlatIterator`."""

    def __new__(cls, array: Any) -> Any:
        return array.flat


class vectorize(_np.vectorize):
    """A function of elements as a function of arrays, as `numpy.vectorize`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        shown = {name: unwrap(x) for name, x in kwargs.items()}
        return wrap(super().__call__(*[unwrap(x) for x in args], **shown))


def broadcast(*args: Any) -> Any:
    """NumPy's object for the common shape of arrays."""
    return _np.broadcast(*[unwrap(x) for x in args])


class OverNumPys(type):
    """The class of a class over one of NumPy's: what NumPy makes of that one is an instance, too."""

    def __instancecheck__(cls, x: Any) -> Any:
        base = cls.__bases__[0]
        return super().__instancecheck__(x) if isinstance(base, OverNumPys) else isinstance(x, base)


class poly1d(_np.poly1d, metaclass=OverNumPys):
    """A polynomial of one variable, as `numpy.poly1d`; values at arrays are arrays."""

    def __init__(self, c_or_r: Any, r: Any = False, variable: Any = None):
        super().__init__(unwrap(c_or_r), r, variable)

    def __call__(self, val: Any) -> Any:
        return wrap(super().__call__(unwrap(val)))
