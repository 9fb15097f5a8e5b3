"""safetensors files, by the library of that name, which is audited and checks headers before it reads.

The format (https://huggingface.co/docs/safetensors): the length of a header, the header in JSON with dtype,
shape and place of every array, then the elements of all. It has names for all arrays, no contexts, and no
complex128.
"""

from __future__ import annotations

from typing import IO, Any

import numpy as np

from ..dtypes import bfloat16
from ..errors import DTypeError, FormatError, message, wrap

__all__ = ["SUFFIX", "begins", "read", "write"]

SUFFIX = ".safetensors"

_DTYPES = {
    "BOOL": np.bool_, "I8": np.int8, "U8": np.uint8, "I16": np.int16, "U16": np.uint16, "I32": np.int32,
    "U32": np.uint32, "I64": np.int64, "U64": np.uint64, "F16": np.float16, "BF16": bfloat16,
    "F32": np.float32, "F64": np.float64, "C64": np.complex64,
}  # fmt: skip
_KNOWN = {np.dtype(dtype) for dtype in _DTYPES.values()}


def begins(head: bytes) -> bool:
    """Whether a file that begins with these nine bytes can be of this format: its header is an object."""
    return head[8:9] == b"{"


def _library() -> Any:
    try:
        import safetensors
    except ImportError as error:
        error.add_note("safetensors files need the library: pip install mxcy[safetensors]")
        raise wrap(error) from None
    return safetensors


def read(content: bytes, source: str) -> dict[str, np.ndarray]:
    """Return the arrays of a file by name. Raises FormatError for anything but a whole file."""
    library = _library()
    try:
        found = library.deserialize(content)
    except library.SafetensorError as error:
        raise FormatError(message("load", source, "a safetensors file", f"another one ({error})")) from None
    arrays = {}
    for name, tensor in found:
        dtype = _DTYPES.get(tensor["dtype"])
        if dtype is None:
            expected = f"a dtype that mxcy has for array {name!r}"
            raise FormatError(message("load", source, expected, tensor["dtype"]))
        raw = np.frombuffer(tensor["data"], np.uint8)
        if dtype is np.bool_:  # any other byte than 0 and 1 would make an invalid element
            raw = (raw != 0).view(np.uint8)
        arrays[name] = raw.view(np.dtype(dtype).newbyteorder("<")).reshape(tensor["shape"])
    return arrays


def write(stream: IO[bytes], arrays: dict[str, np.ndarray]) -> None:
    """Write arrays to a binary stream. Raises DTypeError for a dtype that the format does not have."""
    library = _library()
    kept, specs = [], {}  # what the specs point to
    for name, array in arrays.items():
        if array.dtype not in _KNOWN:
            hint = "save the real and the imaginary part"
            raise DTypeError(message("save", name, "a dtype of safetensors", array.dtype.name, hint))
        flat = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1)
        kept.append(flat)
        specs[name] = library.TensorSpec(
            dtype=array.dtype.name, shape=list(array.shape), data_ptr=flat.ctypes.data, data_len=flat.nbytes
        )
    stream.write(library.serialize(specs))
