"""`LibSVMIter`: batches of sparse rows from files in the format of LibSVM."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..errors import ArgumentError, FormatError, ShapeError, message, wrap
from ..ndarray import sparse
from .batch import DataBatch, DataDesc
from .files import check_batch_size
from .rounds import MXDataIter, Rounds, dtype_or, part_of_bytes, without_unknown

__all__ = ["LibSVMIter", "read_libsvm"]


class LibSVMIter(MXDataIter):
    """Batches of csr rows of a file of lines "label index:value index:value …", indices from 0.

    Parameters
    ----------
    data_libsvm : the path.
    data_shape : (columns,) of a row.
    label_libsvm, label_shape : a file of the same format whose rows are the labels, csr too; what stands
        before their first index is left out. Without it, labels are the numbers before the rows.
    batch_size : rows in a batch. round_batch must be True: the last batch is filled by the first rows, which
        the next epoch then leaves out.
    num_parts, part_index : take one of several parts, by the bytes of the file.
    dtype : of the values, float32 by default.

    Raises FormatError that names file and line of what is not in the format.
    """

    def __init__(self, data_libsvm: str | os.PathLike, data_shape: Sequence[int], batch_size: int,
                 label_libsvm: Any = "NULL", label_shape: Sequence[int] = (1,), num_parts: int = 1,
                 part_index: int = 0, round_batch: bool = True, prefetch_buffer: int = 4, ctx: str = "gpu",
                 dtype: Any = None, data_name: str = "data", label_name: str = "softmax_label",
                 **unknown: Any):  # fmt: skip
        check_batch_size("LibSVMIter", batch_size)
        without_unknown("LibSVMIter", unknown, ("data_libsvm", "data_shape", "batch_size", "label_libsvm",
                                                "label_shape", "num_parts", "part_index"))  # fmt: skip
        if not round_batch:
            raise ArgumentError(message("LibSVMIter", "round_batch", "True", round_batch))
        kind = dtype_or(dtype, np.float32)
        part = (part_index, num_parts)
        labels, self._data = read_libsvm(data_libsvm, columns_of("data_shape", data_shape), kind, part)
        self._label: Any = labels
        label = DataDesc(label_name, (batch_size,), kind.type)
        if label_libsvm not in (None, "NULL"):
            width = columns_of("label_shape", label_shape)
            self._label = read_libsvm(label_libsvm, width, kind, part)[1]
            label = DataDesc(label_name, (batch_size, width), kind.type)
        count = self._data.shape[0]
        if self._label.shape[0] != count:
            expected = f"{count} rows, as in {os.fspath(data_libsvm)}"
            raise ShapeError(message("LibSVMIter", "label_libsvm", expected, self._label.shape[0]))
        data = DataDesc(data_name, (batch_size, self._data.shape[1]), kind.type)
        super().__init__(Rounds(count, batch_size), data, label)

    def _batch_of(self, rows: np.ndarray, pad: int) -> DataBatch:
        label = self._label[rows]
        if isinstance(label, np.ndarray):
            made = nd.array(label, dtype=label.dtype)
        else:
            made = sparse.csr_matrix(label)
        return DataBatch([sparse.csr_matrix(self._data[rows])], [made], pad, rows.astype(np.uint64))


def columns_of(argument: str, shape: Any) -> int:
    """How many columns a shape of one axis has."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if len(shape) != 1 or shape[0] < 1:
        raise ArgumentError(message("LibSVMIter", argument, "(columns,)", shape))
    return shape[0]


def read_libsvm(path: Any, columns: int, dtype: np.dtype,
                part: tuple[int, int] = (0, 1)) -> tuple[np.ndarray, Any]:  # fmt: skip
    """Return (labels, csr matrix of SciPy) of the lines of a part of a file."""
    try:
        with open(path, "rb") as stream:
            text = stream.read()
    except OSError as error:
        raise wrap(error) from None
    begin, end = (line_end(text, at) for at in part_of_bytes(len(text), *part))
    lines = [line.split(b"#")[0].strip() for line in text[begin:end].splitlines()]
    numbers = [number for number, line in enumerate(lines) if line]
    lines = [lines[number] for number in numbers]
    if not lines:
        raise FormatError(message("LibSVMIter", os.fspath(path), "at least one row", "none"))
    try:
        return parsed(lines, columns, dtype)
    except (ValueError, OverflowError):
        first = text[:begin].count(b"\n") + 1
        numbered = zip(numbers, lines, strict=True)
        bad = ((n, x) for n, x in numbered if not well_formed(x, columns))
        number, line = next(bad, (numbers[0], lines[0]))
        place = f"{os.fspath(path)}:{first + number}"
        expected = f"a number, then pairs index:value with indices below {columns}"
        raise FormatError(message("LibSVMIter", place, expected, repr(line[:80].decode("latin1")))) from None


def line_end(text: bytes, at: int) -> int:
    """Where the first line begins that begins behind a place; the file's first one begins at 0."""
    if at == 0:
        return 0
    found = text.find(b"\n", at)
    return len(text) if found < 0 else found + 1


def parsed(lines: list[bytes], columns: int, dtype: np.dtype) -> tuple[np.ndarray, Any]:
    """(labels, csr matrix) of lines; ValueError if one is not in the format."""
    pairs = np.array([line.count(b":") for line in lines])
    words = b" ".join(lines).replace(b":", b" : ").split()
    # label, then index ":" value for each pair
    if len(words) != len(lines) + 3 * int(pairs.sum()):
        raise ValueError("something between the pairs")
    starts = np.concatenate([[0], np.cumsum(1 + 3 * pairs)])[:-1]
    is_label = np.zeros(len(words), bool)
    is_label[starts] = True
    rest = np.array(words, dtype=object)[~is_label].reshape(-1, 3)
    if len(rest) and not (rest[:, 1] == b":").all():
        raise ValueError("something between index and value")
    labels = np.array([float(words[start]) for start in starts])
    indices = np.array([int(word) for word in rest[:, 0]], dtype=np.int64)
    values = np.array([float(word) for word in rest[:, 2]], dtype=dtype)
    if len(indices) and (indices.min() < 0 or indices.max() >= columns):
        raise ValueError("an index outside")
    indptr = np.concatenate([[0], np.cumsum(pairs)])
    import scipy.sparse  # with what it imports, longer than the rest of mx.io

    matrix = scipy.sparse.csr_matrix((values, indices, indptr), shape=(len(lines), columns))
    matrix.sort_indices()
    return labels.astype(dtype), matrix


NUMBER = rb"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|inf|nan)"
LINE = re.compile(rb"(%s)((?:\s+\d+:%s)*)" % (NUMBER, NUMBER))


def well_formed(line: bytes, columns: int) -> bool:
    """Whether a line is in the format; used to name the one that is not."""
    found = LINE.fullmatch(line)
    return found is not None and all(int(pair.split(b":")[0]) < columns for pair in found[2].split())
