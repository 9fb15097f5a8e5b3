"""`mx.rtc`: kernels from CUDA source, which is not compiled here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import MXNetError, problem

__all__ = ["CudaKernel", "CudaModule"]


class CudaModule:
    """CUDA source. Raises MXNetError: write kernels with Numba, or operators with `mx.operator.CustomOp`."""

    def __init__(self, source: str, options: str | Sequence[str] = (), exports: str | Sequence[str] = ()):
        hint = "write kernels with numba.cuda, or operators with mx.operator.CustomOp"
        raise MXNetError(problem("CudaModule", "source", "CUDA source is not compiled", hint))

    def get_kernel(self, name: str, signature: str) -> CudaKernel:
        """Return a function of the source."""
        return CudaKernel(self, name, [], [])


class CudaKernel:
    """A function of a `CudaModule`, from its `get_kernel`."""

    def __init__(self, handle: Any, name: str, is_ndarray: Sequence[bool], dtypes: Sequence[Any]):
        self._name = name

    def launch(self, args: Sequence[Any], ctx: Any, grid_dims: Sequence[int], block_dims: Sequence[int],
               shared_mem: int = 0) -> None:  # fmt: skip
        """Raises MXNetError, as `CudaModule`."""
        raise MXNetError(problem("CudaKernel", self._name, "CUDA source is not compiled"))
