"""From the source of a kernel to something that can be launched.

A kernel is a text that defines the function `kernel`. It is compiled once for each generation of GPU to
PTX, which is kept on disk under a hash of everything that it depends on: a program that runs again imports
no Numba at all. MXCY_CUDA_CACHE names the folder (empty: nothing is kept).
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import threading
from pathlib import Path

from ..._files import replacing
from ..._gpu import SIMULATED, DeviceKernel, attribute, load_kernel, set_simulator

__all__ = ["compile_ptx", "get_kernel"]

_MAJOR, _MINOR = 75, 76  # attributes of a device: its compute capability
SEPARATOR = "# kernel\n"  # between the functions that a kernel calls and the kernel
_ENTRY = re.compile(r"\.visible \.entry (\S+?)\(")
_lock = threading.Lock()  # guards `_loaded` and the compiler, which keeps state
_loaded: dict[tuple, DeviceKernel] = {}


def get_kernel(name: str, source: str, signature: str, device: int, functions: str = "") -> DeviceKernel:
    """Return the kernel that a source defines, ready to be launched on a GPU.

    `functions` is source of functions that it calls.
    """
    source = functions + SEPARATOR + source
    key = (source, signature, device)
    found = _loaded.get(key)
    if found is None:
        with _lock:
            found = _loaded.get(key)
            if found is None:
                found = _loaded[key] = _make(name, source, signature, device)
    return found


def _make(name: str, source: str, signature: str, device: int) -> DeviceKernel:
    if SIMULATED:
        return _simulated(name, source, signature)
    ptx = _cached_ptx(source, signature, _generation(device))
    return load_kernel(device, name, signature, ptx.encode(), entry_of(ptx))


def entry_of(ptx: str) -> str:
    """Return the name of the only entry of a module."""
    found = _ENTRY.search(ptx)
    assert found is not None, "a compiled kernel has an entry"
    return found[1]


@functools.cache
def _generation(device: int) -> tuple[int, int]:
    return attribute(device, _MAJOR), attribute(device, _MINOR)


def _simulated(name: str, source: str, signature: str) -> DeviceKernel:
    from ._simulator import run, simulated

    set_simulator(run)
    kernel, scope = _scope(source)
    return DeviceKernel(name, signature, simulated(kernel, scope))


def _scope(source: str) -> tuple[str, dict]:
    """The kernel's own text, and the names that it uses."""
    from ._library import define, namespace

    scope = dict(namespace())
    functions, _, kernel = source.partition(SEPARATOR)
    if functions:
        define(scope, functions)
    return kernel, scope


def compile_ptx(source: str, signature: str, generation: tuple[int, int]) -> str:
    """Return the PTX of a kernel for a compute capability; needs no GPU and no driver."""
    from numba import cuda

    from ._library import signature_types

    types = signature_types(signature)
    kernel, scope = _scope(source)
    exec(compile(kernel, "<kernel>", "exec"), scope)
    ptx, _ = cuda.compile(scope["kernel"], types, device=False, abi="numba", cc=generation, output="ptx")
    return ptx


# --- the cache on disk ----------------------------------------------------------------------------------


def cache_folder() -> Path | None:
    """Return where compiled kernels are kept, None if nowhere."""
    given = os.environ.get("MXCY_CUDA_CACHE")
    if given is not None:
        return Path(given) if given else None
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "mxcy" / "cuda"


def _cached_ptx(source: str, signature: str, generation: tuple[int, int]) -> str:
    from ._library import version

    folder = cache_folder()
    if folder is None:
        return compile_ptx(source, signature, generation)
    digest = hashlib.sha256(f"{version()}\0{source}\0{signature}\0{generation}".encode()).hexdigest()
    path = folder / f"{digest[:32]}.ptx"
    try:
        return path.read_text()
    except OSError:
        pass
    ptx = compile_ptx(source, signature, generation)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as stream:
            stream.write(ptx.encode())
    except OSError:
        pass  # a cache that cannot be written costs time, nothing else
    return ptx
