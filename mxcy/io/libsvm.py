"""`LibSVMIter`: batches of sparse rows from files in the format of LibSVM."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..errors import ArgumentError, ShapeError, message
from ..ndarray import sparse
from .batch import DataBatch, DataDesc
from .files import check_batch_size
from .rounds import MXDataIter, Rounds, dtype_or, part_of_bytes, without_unknown
from .text_rows import BadLine, TextRows

__all__ = ["LibSVMIter"]


class LibSVMIter(MXDataIter):
    """Batches of csr rows of a file of lines "label index:value index:value …", indices from 0.

    A weight behind the label ("label:weight") and the query of a row ("qid:number") are left out.

    Parameters
    ----------
    data_libsvm : the path, or a URL that fsspec opens; the file may be larger than memory.
    data_shape : (columns,) of a row.
    label_libsvm, label_shape : a file of the same format whose rows are the labels, csr too; what stands
        before their first index is left out. Without it, labels are the numbers before the rows.
    batch_size : rows in a batch. round_batch must be True: the last batch is filled by the first rows, which
        the next epoch then leaves out.
    num_parts, part_index : take one of several parts, by the bytes of the file.
    dtype : of the values, float32 by default.

    Raises FormatError that names file and line of what is not in the format, when its rows are wanted.
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
        columns = columns_of("data_shape", data_shape)
        self._data = libsvm_rows(data_libsvm, columns, kind, part)
        self._label: TextRows | None = None
        label = DataDesc(label_name, (batch_size,), kind.type)
        count = len(self._data)
        if label_libsvm not in (None, "NULL"):
            width = columns_of("label_shape", label_shape)
            self._label = libsvm_rows(label_libsvm, width, kind, part)
            label = DataDesc(label_name, (batch_size, width), kind.type)
            if len(self._label) != count:
                expected = f"{count} rows, as in {os.fspath(data_libsvm)}"
                raise ShapeError(message("LibSVMIter", "label_libsvm", expected, len(self._label)))
        data = DataDesc(data_name, (batch_size, columns), kind.type)
        super().__init__(Rounds(count, batch_size), data, label)

    def _batch_of(self, rows: np.ndarray, pad: int) -> DataBatch:
        labels, data = self._data.take(rows)
        if self._label is None:
            made = nd.array(labels, dtype=labels.dtype)
        else:
            made = sparse.csr_matrix(self._label.take(rows)[1])
        return DataBatch([sparse.csr_matrix(data)], [made], pad, rows.astype(np.uint64))


def columns_of(argument: str, shape: Any) -> int:
    """How many columns a shape of one axis has."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if len(shape) != 1 or shape[0] < 1:
        raise ArgumentError(message("LibSVMIter", argument, "(columns,)", shape))
    return shape[0]


def libsvm_rows(path: Any, columns: int, dtype: np.dtype, part: tuple[int, int]) -> TextRows:
    """Return the (labels, csr matrix of SciPy) of the lines of a part of a file."""

    def parse(lines: list[bytes]) -> tuple[np.ndarray, Any]:
        try:
            return parsed(lines, columns, dtype)
        except (ValueError, OverflowError):
            lines = [EXTRAS.sub(rb"\1", line) for line in lines]
        try:
            return parsed(lines, columns, dtype)
        except (ValueError, OverflowError):
            bad = (number for number, line in enumerate(lines) if not well_formed(line, columns))
            expected = f"a number, then pairs index:value with indices below {columns}"
            raise BadLine(next(bad, 0), expected) from None

    rows = TextRows("LibSVMIter", os.fspath(path), parse, picked, joined, b"#",
                    lambda size: part_of_bytes(size, *part))  # fmt: skip
    rows.take(np.zeros(1, np.int64))  # what is no such file is refused at once
    return rows


def picked(block: tuple[np.ndarray, Any], rows: np.ndarray) -> tuple[np.ndarray, Any]:
    """Rows of a block."""
    return block[0][rows], block[1][rows]


def joined(parts: list[tuple[np.ndarray, Any]]) -> tuple[np.ndarray, Any]:
    """Rows of blocks, one after the other."""
    if len(parts) == 1:
        return parts[0]
    import scipy.sparse

    return np.concatenate([x for x, _ in parts]), scipy.sparse.vstack([x for _, x in parts], "csr")


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

EXTRAS = re.compile(rb"^(%s)(?::%s)?(?:\s+qid:\d+)?(?=\s|$)" % (NUMBER, NUMBER))


def well_formed(line: bytes, columns: int) -> bool:
    """Whether a line is in the format; used to name the one that is not."""
    found = LINE.fullmatch(line)
    return found is not None and all(int(pair.split(b":")[0]) < columns for pair in found[2].split())
