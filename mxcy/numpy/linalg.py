"""`mxcy.numpy.linalg`: linear algebra, by NumPy over our memory, so that its errors come at the call."""

import numpy as _np

from . import _standard
from ._functions import Small, Through
from ._products import matmul, vecdot
from ._shapes import matrix_transpose
from ._small_methods import norm as _norm
from ._through import tensordot

LinAlgError = _np.linalg.LinAlgError

cholesky = Through(_np.linalg.cholesky)
cond = Through(_np.linalg.cond)
cross = Through(_np.linalg.cross)
det = Through(_np.linalg.det)
diagonal = Through(_np.linalg.diagonal)
eig = Through(_np.linalg.eig)
eigh = Through(_np.linalg.eigh)
eigvals = Through(_np.linalg.eigvals)
eigvalsh = Through(_np.linalg.eigvalsh)
inv = Through(_np.linalg.inv)
lstsq = Through(_standard.lstsq)
matrix_norm = Through(_np.linalg.matrix_norm)
matrix_power = Through(_np.linalg.matrix_power)
matrix_rank = Through(_standard.matrix_rank)
multi_dot = Through(_np.linalg.multi_dot)
norm = Small(_standard.norm, _norm, 1)
outer = Through(_np.linalg.outer)
pinv = Through(_np.linalg.pinv)
qr = Through(_np.linalg.qr)
slogdet = Through(_np.linalg.slogdet)
solve = Through(_np.linalg.solve)
svd = Through(_np.linalg.svd)
svdvals = Through(_np.linalg.svdvals)
tensorinv = Through(_np.linalg.tensorinv)
tensorsolve = Through(_np.linalg.tensorsolve)
trace = Through(_np.linalg.trace)
vector_norm = Through(_np.linalg.vector_norm)

__all__ = [
    "LinAlgError",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]
