"""Two faces for the tests of the array core, with NumPy doing what operators do in the real ones."""

import ctypes
import os
import threading

import numpy as np
import pytest
from mxcy._export import operand_view

from mxcy import _array, _engine
from mxcy.dtypes import DTYPES, code_of


class Face(_array.Array):
    """Arrays with 0-d, as NumPy's. Operators wait and compute with NumPy."""

    __slots__ = ()

    def _get_advanced(self, key):
        return make(self.view_numpy()[unwrapped(key)])

    def _set_basic(self, view, value):
        view.view_numpy(writable=True)[...] = unwrapped(value)

    def _set_advanced(self, key, value):
        self.view_numpy(writable=True)[unwrapped(key)] = unwrapped(value)


class Flat(Face):
    """Arrays without 0-d, as MXNet's."""

    __slots__ = ()


class UfuncLayout(ctypes.Structure):
    """The public head of PyUFuncObject (numpy/ufuncobject.h)."""

    _fields_ = [
        ("head", ctypes.c_char * object.__basicsize__),
        ("n_in", ctypes.c_int),
        ("n_out", ctypes.c_int),
        ("n_args", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("n_types", ctypes.c_int),
        ("reserved", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("types", ctypes.POINTER(ctypes.c_char)),
    ]


def unwrapped(value):
    if isinstance(value, tuple):
        return tuple(unwrapped(item) for item in value)
    return value.view_numpy() if isinstance(value, _array.Array) else value


def make(values, face=None):
    return _array.from_numpy(np.asarray(values), FACE if face is None else face)


def operator(ufunc, face):
    """What a face registers for a slot: any operands, NumPy's rules, `out` for the in-place form."""

    def compute(*operands, out=None):
        result = ufunc(*(unwrapped(x) for x in operands))
        if out is None:
            return make(result, face)
        out.view_numpy(writable=True)[...] = result
        return out

    return compute


def inner_loops(ufunc):
    """(dtype code in, dtype code out, function, data) of the loops with one dtype for all inputs."""
    codes = {dtype.num: code for code, dtype in enumerate(DTYPES) if dtype.isbuiltin == 1}
    layout = UfuncLayout.from_address(id(ufunc))
    for i in range(layout.n_types):
        kinds = [layout.types[i * layout.n_args + k][0] for k in range(layout.n_args)]
        if len(set(kinds[:-1])) == 1 and kinds[0] in codes and kinds[-1] in codes and layout.functions[i]:
            yield codes[kinds[0]], codes[kinds[-1]], layout.functions[i], layout.data[i] or 0


def fill(face):
    for slot in _array.SLOTS:
        ufunc = getattr(np, slot)
        _array.set_operator(face, slot, operator(ufunc, face))
        if slot in ("matmul", "divmod"):
            continue
        for code, out, function, data in inner_loops(ufunc):
            if slot != "power" or DTYPES[code].kind == "f":  # integer powers raise
                _array.set_fast_loop(face, slot, code, function, data, out)


FACE = _array.register_face(Face, zero_dim=True)
FLAT = _array.register_face(Flat, zero_dim=False)
fill(FACE)
fill(FLAT)
FLOAT32 = code_of(np.float32)


def ones():
    return make(np.ones(4, np.float32))


class Held:
    """An operation on the IO lane, begun and not finished: it fills `x` (or sums it) after `release`."""

    def __init__(self, x, value=None):
        if os.environ.get("MXCY_ENGINE") == "serial":
            pytest.skip("nothing is ever pending in the serial engine")
        self.started, self.release = threading.Event(), threading.Event()
        self.value, self.total, self.elements = value, None, operand_view(x)
        handles = [x.var_handle()]
        reads, writes = ([], handles) if value is not None else (handles, [])
        _engine.push(self.run, reads=reads, writes=writes, lane="io", name="held")
        self.started.wait()

    def run(self):
        self.started.set()
        self.release.wait()
        if self.value is None:
            self.total = self.elements.sum()
        else:
            self.elements[...] = self.value
        self.elements = None


def in_thread(function):
    """Start a thread; returns a function that joins it and gives its result."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()

    def result():
        thread.join()
        return results[0]

    return result
