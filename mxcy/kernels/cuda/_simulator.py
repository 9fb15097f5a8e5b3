"""The names that kernel sources use, and what runs a kernel, for Numba's simulator.

Threads of a block are threads of Python, so blocks are small there. Every access is checked against the
bounds of the buffer that its address points into.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import ml_dtypes
import numpy as np
from numba import cuda
from scipy import special

from ...dtypes import DTYPES
from ._library import MATH

__all__ = ["names", "run", "simulated"]

_NUMPY = {
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.arctanh, "atan2": np.arctan2, "pow": np.power, "tgamma": special.gamma,
    "lgamma": special.gammaln, "erf": special.erf, "erfc": special.erfc, "erfinv": special.erfinv,
    "fmin": np.fmin, "fmax": np.fmax,
    "round": lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x),
}  # fmt: skip
_TYPES = {
    "b1": np.bool_, "i8": np.int8, "u8": np.uint8, "i16": np.int16, "u16": np.uint16, "i32": np.int32,
    "u32": np.uint32, "i64": np.int64, "u64": np.uint64, "f32": np.float32, "f64": np.float64,
    "c64": np.complex64, "c128": np.complex128,
}  # fmt: skip


_one_kernel = threading.Lock()  # the simulator replaces names of modules while a kernel runs


class Pointer:
    """An address of elements, as kernels use it."""

    __slots__ = ("address", "end", "kind", "low", "size")

    def __init__(self, address: int, low: int, end: int, code: int):
        dtype = DTYPES[code]
        if code in (9, 10):
            dtype = np.dtype(np.uint16)
        elif code == 0:
            dtype = np.dtype(np.uint8)
        elif dtype.kind == "c":
            dtype = np.dtype(f"f{dtype.itemsize // 2}")
        self.address, self.low, self.end = address, low, end
        self.kind, self.size = dtype, dtype.itemsize

    def _at(self, index: Any) -> int:
        at = self.address + int(index) * self.size
        if not self.low <= at <= self.end - self.size:
            raise IndexError(f"a kernel left its buffer: element {index} of {self.kind}")
        return at

    def __getitem__(self, index: Any) -> Any:
        return np.frombuffer(ctypes.string_at(self._at(index), self.size), self.kind)[0]

    def __setitem__(self, index: Any, value: Any) -> None:
        ctypes.memmove(self._at(index), self.kind.type(value).tobytes(), self.size)


def _cast(kind: Any) -> Any:
    return lambda value: np.asarray(value).astype(kind)[()]


def _function(name: str, kind: Any) -> Any:
    function = _NUMPY.get(name) or getattr(np, name)
    return lambda *operands: kind(function(*operands))


def _load(n: int) -> Any:
    def load(pointer: Pointer, index: Any) -> tuple:
        if pointer._at(index) % (n * pointer.size):
            raise IndexError(f"a wide load of {n} elements of {pointer.kind} is not aligned")
        return tuple(pointer[index + k] for k in range(n))

    return load


def _store(n: int) -> Any:
    def store(pointer: Pointer, index: Any, lanes: tuple) -> None:
        if pointer._at(index) % (n * pointer.size):
            raise IndexError(f"a wide store of {n} elements of {pointer.kind} is not aligned")
        for k in range(n):
            pointer[index + k] = lanes[k]

    return store


def _viewed(source: Any, target: Any) -> Any:
    return lambda value: source(value).view(target)


def _f_to_u64(x: Any) -> Any:
    if not np.isfinite(x):
        return np.uint64(0)
    return np.uint64(int(x) & (2**64 - 1))


def names() -> dict[str, Any]:
    """Return the names."""
    made: dict[str, Any] = {name: _cast(kind) for name, kind in _TYPES.items()}
    made.update({f"dt_{name}": kind for name, kind in _TYPES.items()})
    made.update(cuda=cuda, device_function=lambda function: function)
    for kind in ("f32", "f64"):
        for name in MATH:
            made[f"{name}_{kind}"] = _function(name, _TYPES[kind])
        made[f"mul_{kind}"] = lambda a, b: a * b
        made[f"add_{kind}"] = lambda a, b: a + b
    for n in (2, 4, 8, 16):
        made[f"load{n}"], made[f"store{n}"] = _load(n), _store(n)
    made.update(
        div32=lambda a, b: np.uint32(int(a) // int(b)),
        mulhi_u64=lambda a, b: np.uint64(int(a) * int(b) >> 64),
        half_to_f32=lambda x: np.float32(x.view(np.float16)),
        f32_to_half=lambda x: np.float16(x).view(np.uint16),
        f64_to_half=lambda x: np.float16(x).view(np.uint16),
        bits_to_f32=_viewed(np.uint32, np.float32),
        f32_to_bits=_viewed(np.float32, np.uint32),
        bits_to_f64=_viewed(np.uint64, np.float64),
        f64_to_bits=_viewed(np.float64, np.uint64),
        bfloat_to_f32=lambda x: np.float32(np.uint16(x).view(ml_dtypes.bfloat16)),
        f32_to_bfloat=lambda x: np.asarray(x, np.float32).astype(ml_dtypes.bfloat16).view(np.uint16)[()],
        f_to_u64=_f_to_u64,
    )
    return made


# Arithmetic as silent as a GPU's: each thread has NumPy's settings of its own. In the scope of the kernel,
# because the simulator looks there for the module `cuda`, which it replaces while a kernel runs.
QUIET = """
def quiet_kernel(*arguments):
    with errstate(all="ignore"):
        kernel(*arguments)
"""


def simulated(scope: dict[str, Any]) -> Any:
    """Return what runs the function `kernel` of a scope in the simulator."""
    scope["errstate"] = np.errstate
    exec(QUIET, scope)
    return cuda.jit(scope["quiet_kernel"])


def run(function: Any, grid: tuple, block: tuple, arguments: list) -> None:
    """Run a kernel: all threads of all blocks."""
    given = [Pointer(*a) if isinstance(a, tuple) else a for a in arguments]
    with _one_kernel:
        function[grid, block](*given)
