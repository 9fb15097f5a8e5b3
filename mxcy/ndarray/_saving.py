"""`nd.save` and `nd.load`: arrays in files as MXNet 1.9.1 writes them, and in safetensors files."""

from __future__ import annotations

import io
import os
import stat
from typing import Any

import numpy as np

from .._array import Array, from_numpy
from .._files import replacing
from ..context import cpu
from ..errors import ArgumentError, ArgumentTypeError, FormatError, message, problem, wrap
from ..ops._storage import Csr, Rows, stored, wrapped
from . import _pickles, _safetensors, params
from ._placement import GPU, new
from .ndarray import FACE, NDArray

__all__ = ["load", "load_frombuffer", "save"]


def save(fname: Any, data: Any) -> None:
    """Write an array, a list of arrays, or a dict of str to arrays to a file.

    `fname` is a path, or a file open for writing bytes. A file appears whole or not at all: the old one
    stays until the new one is on the disk. The bytes are those of MXNet 1.9.1; complex dtypes, which it
    does not have, raise DTypeError. 0-d arrays make a file that MXNet reads under `np_shape` only.

    A path that ends in ".safetensors" makes a file of that format, for which all arrays need names.
    """
    names, arrays = _named(data)
    views = [_values(x) for x in arrays]
    if isinstance(fname, (str, os.PathLike)) and os.fspath(fname).endswith(_safetensors.SUFFIX):
        _save_named(fname, data, names, views)
        return
    params.check([x.dtype for x in views], names)
    devices = [(x.context.device_typeid, x.context.device_id) for x in arrays]
    if hasattr(fname, "write"):
        params.write(fname, views, names, devices)
        return
    with replacing(_path("save", fname)) as stream:
        params.write(stream, views, names, devices)


def _save_named(fname: Any, data: Any, names: list[str], views: list[np.ndarray]) -> None:
    """Write a safetensors file."""
    if not isinstance(data, dict):
        expected = "a dict, as the format has names"
        raise ArgumentTypeError(message("save", "data", expected, type(data).__name__))
    sparse = [name for name, x in zip(names, views, strict=True) if isinstance(x, params.Sparse)]
    if sparse:
        hint = "convert them with tostype('default')"
        expected = "dense arrays, as the format has no others"
        raise ArgumentTypeError(message("save", "data", expected, f"a sparse one, {sparse[0]!r}", hint))
    content = io.BytesIO()
    _safetensors.write(content, dict(zip(names, views, strict=True)))
    with replacing(fname) as stream:
        stream.write(content.getbuffer())


def _values(x: NDArray) -> Any:
    """The elements of an array as they are written."""
    if not stored(x):
        return x.view_numpy()
    data, *places = [np.array(part.view_numpy()) for part in x._stored.arrays()]
    return params.Sparse(x.stype, x.shape, data, places)


def _named(data: Any) -> tuple[list[str], list[NDArray]]:
    expected = "an NDArray, a list of them, or a dict of str to NDArray"
    if isinstance(data, NDArray):
        data = [data]
    if isinstance(data, dict):
        names, arrays = list(data.keys()), list(data.values())
    else:
        if not isinstance(data, (list, tuple)):
            raise ArgumentError(message("save", "data", expected, type(data).__name__))
        names, arrays = [], list(data)
    wrong = [x for x in arrays if not isinstance(x, Array)]
    wrong += [name for name in names if not isinstance(name, str)]
    if wrong:
        raise ArgumentTypeError(message("save", "data", expected, type(wrong[0]).__name__))
    return names, arrays


def load(fname: Any) -> list[NDArray] | dict[str, NDArray]:
    """Read what `save` or MXNet wrote: a list of arrays, or a dict if they have names.

    The content tells a safetensors file, whatever its name, and a pickle of an array, a list of arrays or a
    dict of them that MXNet's users wrote; nothing in a pickle is run. `fname` is a path, or a file open for
    reading bytes. Raises FormatError for a file that is not whole or not of this kind, and a
    FileNotFoundError that is an MXNetError if there is none.
    """
    if hasattr(fname, "read"):
        return load_frombuffer(fname.read(), str(getattr(fname, "name", "file")))
    path = _path("load", fname)
    try:
        with open(path, "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):  # a pipe does not say how much is in it
                return load_frombuffer(stream.read(), os.fsdecode(path))
            head = stream.read(9)
            stream.seek(0)
            if _safetensors.begins(head) or _pickles.begins(head):
                return load_frombuffer(stream.read(), os.fsdecode(path))
            return _loaded(stream, status.st_size, os.fsdecode(path))
    except OSError as error:
        raise wrap(error) from None


def load_frombuffer(buf: Any, name: str = "buffer") -> list[NDArray] | dict[str, NDArray]:
    """Read arrays from the bytes of a file that `save` or MXNet wrote; see `load`."""
    try:
        content = memoryview(buf).cast("B")
    except TypeError:
        raise ArgumentTypeError(message("load_frombuffer", "buf", "bytes", type(buf).__name__)) from None
    if _safetensors.begins(bytes(content[:9])):
        return _from_safetensors(bytes(content), name)
    if _pickles.begins(bytes(content[:2])):
        return _from_pickle(bytes(content), name)
    return _loaded(io.BytesIO(content), content.nbytes, name)


def _from_safetensors(content: bytes, source: str) -> dict[str, NDArray]:
    found = _safetensors.read(content, source)
    return {name: from_numpy(value, FACE) for name, value in found.items()}


def _from_pickle(content: bytes, source: str) -> list[NDArray] | dict[str, NDArray]:
    def array(framed: bytes) -> NDArray:
        return _loaded(io.BytesIO(framed), len(framed), source)[0]  # type: ignore[index]

    try:
        found = _pickles.plain(_pickles.Reader(content).load(), array)
        found = [found] if isinstance(found, NDArray) else found
        names, arrays = _named(found)
        return dict(zip(names, arrays, strict=True)) if isinstance(found, dict) else arrays
    except FormatError:
        raise
    except Exception as error:
        # A damaged pickle raises nearly anything.
        text = f"a pickle, but not of an array, a list of arrays or a dict of them by names: {error}"
        raise FormatError(problem("load", source, text)) from None


def _loaded(stream: Any, size: int, source: str) -> list[NDArray] | dict[str, NDArray]:
    found, names = params.read(stream, size, source, _allocate)
    arrays = [_sparse(x, source) if isinstance(x, params.Sparse) else x for x in found]
    return dict(zip(names, arrays, strict=True)) if names else arrays


def _sparse(found: params.Sparse, source: str) -> NDArray:
    """A sparse array from its parts, which are checked first."""
    kind = Csr if found.stype == "csr" else Rows
    parts = [from_numpy(x, FACE) for x in (found.data, *found.places)]
    made = wrapped(kind(found.shape, *parts))
    fault = "expected two dimensions" if found.stype == "csr" and found.ndim != 2 else made._fault(True)
    if fault:
        raise FormatError(problem("load", source, fault, "the file is damaged"))
    made._stored.ordered = made._ascends()
    return made.as_in_context(_context(found.device))


def _context(device: tuple[int, int]) -> Any:
    kind, number = device
    return cpu(number if kind != GPU and 0 <= number < 256 else 0)


def _allocate(header: params.Header) -> tuple[NDArray, np.ndarray]:
    context = _context(header.device)
    if header.shape:
        array = new(header.shape, header.dtype, context, FACE)
    else:
        array = from_numpy(np.empty((), header.dtype), FACE)
    return array, array.view_numpy(writable=True)


def _path(op: str, fname: Any) -> Any:
    if isinstance(fname, (str, bytes, os.PathLike)):
        return fname
    raise ArgumentTypeError(message(op, "fname", "a path or a file", type(fname).__name__))
