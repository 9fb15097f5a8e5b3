"""MXNet's numbers for dtypes, storage types and requests, under the names that programs import from
`mxnet.ndarray.ndarray`.
"""

from __future__ import annotations

from ..dtypes import MXNET_FLAGS, numpy_dtype

__all__ = [
    "_DTYPE_MX_TO_NP", "_DTYPE_NP_TO_MX", "_GRAD_REQ_MAP", "_STORAGE_TYPE_CSR", "_STORAGE_TYPE_DEFAULT",
    "_STORAGE_TYPE_ID_TO_STR", "_STORAGE_TYPE_ROW_SPARSE", "_STORAGE_TYPE_STR_TO_ID",
    "_STORAGE_TYPE_UNDEFINED", "py_slice",
]  # fmt: skip

_DTYPE_MX_TO_NP = {-1: None} | {flag: numpy_dtype(code).type for code, flag in MXNET_FLAGS.items()}
_DTYPE_NP_TO_MX = {dtype: flag for flag, dtype in _DTYPE_MX_TO_NP.items()}
_GRAD_REQ_MAP = {"null": 0, "write": 1, "add": 3}
_STORAGE_TYPE_UNDEFINED = -1
_STORAGE_TYPE_DEFAULT = 0
_STORAGE_TYPE_ROW_SPARSE = 1
_STORAGE_TYPE_CSR = 2
_STORAGE_TYPE_STR_TO_ID = {"undefined": -1, "default": 0, "row_sparse": 1, "csr": 2}
_STORAGE_TYPE_ID_TO_STR = {number: name for name, number in _STORAGE_TYPE_STR_TO_ID.items()}
py_slice = slice  # `slice` is an operator there
