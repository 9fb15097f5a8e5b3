"""`mx.nd.linalg`: linear algebra on matrices, the last two axes of arrays."""

from ..ops import linalg_gemm2 as gemm2

__all__ = ["gemm2"]
