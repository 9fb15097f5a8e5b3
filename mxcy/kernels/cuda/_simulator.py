"""The names that kernel sources use, and what runs a kernel, where GPUs are simulated.

The threads of a block are generators that stop at barriers: one thread of Python runs them in turn, so that
a run is quick and the same every time. MXCY_CUDA_THREADS=1 has Numba's simulator run them instead, as threads
of Python. Every access is checked against the bounds of the buffer that its address points into.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections import namedtuple
from collections.abc import Iterator
from itertools import product
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


_one_kernel = threading.Lock()  # what a kernel knows as `cuda` belongs to one run


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


# --- running ------------------------------------------------------------------------------------------------

Extent = namedtuple("Extent", "x y z")
BARRIER = "cuda.syncthreads()"


class Block:
    """What a kernel knows as `cuda`: the thread that runs, and the block's shared arrays."""

    def __init__(self):
        self.blockDim = self.gridDim = self.blockIdx = self.threadIdx = Extent(0, 0, 0)
        self.shared = self

    def array(self, shape: Any, dtype: Any) -> np.ndarray:
        """Return the shared array that the block's threads ask for at the same place of the kernel."""
        number = self._asked.get(self.threadIdx, 0)
        self._asked[self.threadIdx] = number + 1
        if number == len(self._arrays):
            made = np.empty(shape, dtype)
            made.view(np.uint8).fill(0xA5)  # what was never written must not look like zeros
            self._arrays.append(made)
        return self._arrays[number]

    def run(self, kernel: Any, place: Extent, arguments: list) -> None:
        """Run all threads of one block, each up to the next barrier."""
        self.blockIdx = place
        self._asked: dict[Extent, int] = {}
        self._arrays: list[np.ndarray] = []
        waiting = []
        for thread in _places(self.blockDim):
            self.threadIdx = thread
            begun = kernel(*arguments)
            if begun is not None and next(begun, begun) is not begun:
                waiting.append((thread, begun))
        while waiting:
            at_barrier = []
            for thread, begun in waiting:
                self.threadIdx = thread
                if next(begun, begun) is not begun:
                    at_barrier.append((thread, begun))
            waiting = at_barrier


def _places(extent: Extent) -> Iterator[Extent]:
    for z, y, x in product(range(extent.z), range(extent.y), range(extent.x)):
        yield Extent(x, y, z)


# For Numba's simulator, whose threads have NumPy's settings of their own. In the scope of the kernel, because
# the simulator looks there for the module `cuda`, which it replaces while a kernel runs.
QUIET = """
def quiet_kernel(*arguments):
    with errstate(all="ignore"):
        kernel(*arguments)
"""


def simulated(source: str, scope: dict[str, Any]) -> Any:
    """Return what `run` takes for the function `kernel` of a source."""
    if os.environ.get("MXCY_CUDA_THREADS") == "1":
        scope["errstate"] = np.errstate
        exec(compile(source, "<kernel>", "exec"), scope)
        exec(QUIET, scope)
        return cuda.jit(scope["quiet_kernel"]), None
    exec(compile(source.replace(BARRIER, "yield True"), "<kernel>", "exec"), scope)
    block = scope["cuda"] = Block()
    return scope["kernel"], block


def run(function: Any, grid: tuple, block: tuple, arguments: list) -> None:
    """Run a kernel: all threads of all blocks."""
    kernel, threads = function
    given = [Pointer(*a) if isinstance(a, tuple) else a for a in arguments]
    with _one_kernel, np.errstate(all="ignore"):  # as silent as a GPU
        if threads is None:
            kernel[grid, block](*given)
            return
        threads.gridDim, threads.blockDim = Extent(*grid), Extent(*block)
        for place in _places(threads.gridDim):
            threads.run(kernel, place, given)
