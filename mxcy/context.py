"""Where arrays live and operations run: `cpu(0)`, `gpu(1)`, and the default of each thread."""

from __future__ import annotations

import ctypes
import functools
import operator
import threading
from typing import ClassVar

from .errors import ArgumentError, ArgumentTypeError, MXNetError, OutOfMemory, message

__all__ = [
    "Context",
    "cpu",
    "cpu_pinned",
    "cpu_shared",
    "current_context",
    "gpu",
    "gpu_memory_info",
    "num_gpus",
]


# Whether any thread has ever had another default than the processor: one element, for compiled code.
_elsewhere = [False]


class _Defaults(threading.local):
    """Contexts entered by this thread, the innermost last."""

    def __init__(self) -> None:
        self.stack: list[Context] = [Context("cpu", 0)]

    @property
    def value(self) -> Context:
        """The default; setting it replaces it."""
        return self.stack[-1]

    @value.setter
    def value(self, context: Context) -> None:
        self.stack[-1] = Context(context)
        _elsewhere[0] = _elsewhere[0] or self.stack[-1].device_typeid != 1


class _ContextType(type):
    """Gives `Context.default_ctx`, which belongs to the class."""

    @property
    def default_ctx(cls) -> Context:
        """The context of this thread where none is given; setting it replaces it."""
        return _defaults.value

    @default_ctx.setter
    def default_ctx(cls, context: Context) -> None:
        _defaults.value = context


class Context(metaclass=_ContextType):
    """A device: its type (`cpu`, `gpu`, `cpu_pinned`, `cpu_shared`) and its number.

    In a `with` statement it is the default of the thread.

    >>> with Context("gpu", 1):
    ...     current_context()
    gpu(1)
    >>> current_context()
    cpu(0)
    """

    devtype2str = {1: "cpu", 2: "gpu", 3: "cpu_pinned", 5: "cpu_shared"}
    devstr2type = {"cpu": 1, "gpu": 2, "cpu_pinned": 3, "cpu_shared": 5}

    __slots__ = ("device_typeid", "device_id")

    _default_ctx: ClassVar[_Defaults]  # programs set its `value`
    device_typeid: int
    device_id: int

    def __init__(self, device_type: str | Context, device_id: int = 0):
        if isinstance(device_type, Context):
            self.device_typeid = device_type.device_typeid
            self.device_id = device_type.device_id
            return
        if not isinstance(device_type, str) or device_type not in self.devstr2type:
            expected = "one of " + ", ".join(self.devstr2type)
            raise ArgumentError(message("Context", "device_type", expected, repr(device_type)))
        try:
            device_id = operator.index(device_id)
        except TypeError:
            text = message("Context", "device_id", "an integer", repr(device_id))
            raise ArgumentTypeError(text) from None
        if device_id < 0:
            raise ArgumentError(message("Context", "device_id", "a number from 0", device_id))
        self.device_typeid = self.devstr2type[device_type]
        self.device_id = device_id

    @property
    def device_type(self) -> str:
        """The name of the type of device."""
        return self.devtype2str[self.device_typeid]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Context):
            return NotImplemented
        return self.device_typeid == other.device_typeid and self.device_id == other.device_id

    def __hash__(self) -> int:
        return hash((self.device_typeid, self.device_id))

    def __repr__(self) -> str:
        return f"{self.device_type}({self.device_id})"

    def __reduce__(self):
        return Context, (self.device_type, self.device_id)

    def empty_cache(self) -> None:
        """Give memory that is kept for later arrays back to the system. What is in use stays."""
        from . import _engine

        if self.device_type != "gpu":
            _engine._pool(trim=True)
        elif self.device_id < num_gpus():
            from . import _gpu

            _gpu.pool(self.device_id, trim=True)  # type: ignore[attr-defined]

    def __enter__(self) -> Context:
        _defaults.stack.append(self)
        _elsewhere[0] = _elsewhere[0] or self.device_typeid != 1
        return self

    def __exit__(self, *error: object) -> None:
        _defaults.stack.pop()


_defaults = Context._default_ctx = _Defaults()


def cpu(device_id: int = 0) -> Context:
    """Return the context of the processor and main memory."""
    return Context("cpu", device_id)


def cpu_pinned(device_id: int = 0) -> Context:
    """Return the context of main memory from which copies to a GPU are fast."""
    return Context("cpu_pinned", device_id)


def cpu_shared(device_id: int = 0) -> Context:
    """Return the context of memory that other processes can map."""
    return Context("cpu_shared", device_id)


def gpu(device_id: int = 0) -> Context:
    """Return the context of a GPU. It need not be there until something is computed on it."""
    return Context("gpu", device_id)


def current_context() -> Context:
    """Return the context of this thread where none is given: that of the innermost `with`, or `cpu(0)`."""
    return _defaults.stack[-1]


@functools.cache
def _driver() -> ctypes.CDLL | None:
    """The CUDA driver, if there is one that works. It is asked directly: importing Numba takes a second."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    return driver if driver.cuInit(0) == 0 else None


def num_gpus() -> int:
    """Return how many GPUs the CUDA driver sees; 0 without a driver."""
    driver = _driver()
    count = ctypes.c_int(0)
    if driver is None or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def gpu_memory_info(device_id: int = 0) -> tuple[int, int]:
    """Return the free and the total bytes of a GPU's memory."""
    count = num_gpus()
    driver = _driver()
    if driver is None or not 0 <= device_id < count:
        expected = f"a number below {count}, the GPUs here"
        raise ArgumentError(message("gpu_memory_info", "device_id", expected, device_id))
    device, context = ctypes.c_int(), ctypes.c_void_p()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()

    def call(name: str, *arguments: object) -> None:
        status = getattr(driver, name)(*arguments)
        if status == 2:  # CUDA_ERROR_OUT_OF_MEMORY
            raise OutOfMemory(f"gpu_memory_info: gpu({device_id}) has no memory left for a CUDA context")
        if status != 0:
            raise MXNetError(f"gpu_memory_info: {name} failed on gpu({device_id}) with CUDA error {status}")

    call("cuDeviceGet", ctypes.byref(device), device_id)
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    try:
        call("cuCtxPushCurrent_v2", context)
        try:
            call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        finally:
            call("cuCtxPopCurrent_v2", ctypes.byref(context))
    finally:
        call("cuDevicePrimaryCtxRelease_v2", device)
    return free.value, total.value
