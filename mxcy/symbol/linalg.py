"""`mx.sym.linalg`: linear algebra on matrices, the last two axes of arrays."""

from .. import ops
from .function import SymbolFunction

__all__ = [
    "det",
    "extractdiag",
    "extracttrian",
    "gelqf",
    "gemm",
    "gemm2",
    "inverse",
    "makediag",
    "maketrian",
    "potrf",
    "potri",
    "slogdet",
    "sumlogdiag",
    "syevd",
    "syrk",
    "trmm",
    "trsm",
]

det = SymbolFunction(ops.lookup("_linalg_det"), "det")
extractdiag = SymbolFunction(ops.lookup("_linalg_extractdiag"), "extractdiag")
extracttrian = SymbolFunction(ops.lookup("_linalg_extracttrian"), "extracttrian")
gelqf = SymbolFunction(ops.lookup("_linalg_gelqf"), "gelqf")
gemm = SymbolFunction(ops.lookup("_linalg_gemm"), "gemm")
gemm2 = SymbolFunction(ops.lookup("_linalg_gemm2"), "gemm2")
inverse = SymbolFunction(ops.lookup("_linalg_inverse"), "inverse")
makediag = SymbolFunction(ops.lookup("_linalg_makediag"), "makediag")
maketrian = SymbolFunction(ops.lookup("_linalg_maketrian"), "maketrian")
potrf = SymbolFunction(ops.lookup("_linalg_potrf"), "potrf")
potri = SymbolFunction(ops.lookup("_linalg_potri"), "potri")
slogdet = SymbolFunction(ops.lookup("_linalg_slogdet"), "slogdet")
sumlogdiag = SymbolFunction(ops.lookup("_linalg_sumlogdiag"), "sumlogdiag")
syevd = SymbolFunction(ops.lookup("_linalg_syevd"), "syevd")
syrk = SymbolFunction(ops.lookup("_linalg_syrk"), "syrk")
trmm = SymbolFunction(ops.lookup("_linalg_trmm"), "trmm")
trsm = SymbolFunction(ops.lookup("_linalg_trsm"), "trsm")
