"""Helpers for training: parts of batches for several devices, clipping, checks of files."""

from __future__ import annotations

import hashlib
import os
import warnings
from typing import Any

import numpy as np

from .. import ndarray as nd
from .._array import Array
from ..context import Context
from ..errors import ArgumentError, AssertedArgumentError, message, problem, wrap
from ..ndarray import NDArray
from ..switches import is_np_array, is_np_shape
from .nesting import converted

__all__ = [
    "check_sha1", "clip_global_norm", "download", "replace_file", "shape_is_known", "split_and_load",
    "split_data",
]  # fmt: skip


def _get_repo_url() -> str:
    """Return the address of MXNet's data sets and models, or MXNET_GLUON_REPO; nothing is downloaded."""
    default = "https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/"
    return os.environ.get("MXNET_GLUON_REPO", default).rstrip("/") + "/"


def _get_repo_file_url(namespace: str, filename: str) -> str:
    """Return the address of a file among them."""
    return f"{_get_repo_url()}{namespace}/{filename}"


def split_data(data: NDArray, num_slice: int, batch_axis: int = 0, even_split: bool = True) -> list[NDArray]:
    """Return `num_slice` parts of an array along an axis.

    Raises ArgumentError if they would not be equally large, unless `even_split=False`.
    """
    size = data.shape[batch_axis]
    if even_split and size % num_slice != 0:
        text = f"data with shape {data.shape} cannot be evenly split into {num_slice} slices along axis "
        hint = f"use a batch size that is a multiple of {num_slice}, or set even_split=False"
        raise ArgumentError(problem("split_data", "data", text + str(batch_axis), hint))
    step, more = divmod(size, num_slice)
    ends = np.cumsum([step + 1] * more + [step] * (num_slice - more)).tolist()
    parts = list(zip([0, *ends[:-1]], ends, strict=True))
    if batch_axis == 0:
        return [data[begin:end] for begin, end in parts]
    return [nd.slice_axis(data, axis=batch_axis, begin=begin, end=end) for begin, end in parts]


def split_and_load(data: Any, ctx_list: list[Context], batch_axis: int = 0,
                   even_split: bool = True) -> list[NDArray]:  # fmt: skip
    """Return parts of an array, one on each device. See `split_data`."""
    array = data if isinstance(data, Array) else converted(nd.array(data, ctx=ctx_list[0]), is_np_array())
    if len(ctx_list) == 1:
        return [array.as_in_context(ctx_list[0])]
    parts = split_data(array, len(ctx_list), batch_axis, even_split)
    return [part.as_in_context(ctx) for part, ctx in zip(parts, ctx_list, strict=True)]


def clip_global_norm(arrays: list[NDArray], max_norm: float, check_isfinite: bool = True) -> Any:
    """Scale arrays in place so that their norm, of all together, is at most `max_norm`; return the norm.

    With `check_isfinite` the norm is a number, and a warning says if it is not finite; without, an NDArray,
    and nothing waits for it.
    """
    if not arrays:
        raise AssertedArgumentError(message("clip_global_norm", "arrays", "at least one array", "none"))
    arrays = converted(arrays, False)
    context = arrays[0].context
    squares = [nd.square(nd.norm(x)) if x.stype != "default" else nd.sum(nd.square(x)) for x in arrays]
    squares = [x.astype(np.float32).as_in_context(context) for x in squares]
    norm = nd.sqrt(nd.add_n(*squares))
    if check_isfinite and not np.isfinite(norm.asscalar()):
        text = "nan or inf is detected. Clipping results will be undefined."
        warnings.warn(text, UserWarning, stacklevel=2)
    scale = nd.minimum(max_norm / (norm + 1e-8), 1.0)
    for x in arrays:
        x *= scale.as_in_context(x.context).astype(x.dtype)
    return norm.asscalar() if check_isfinite else norm


def shape_is_known(shape: tuple[int, ...] | None) -> bool:
    """Return whether all extents of a shape are known: 0 is an unknown one, -1 is with NumPy's shapes.

    Raises an AssertionError for extents below these.
    """
    unknown = -1 if is_np_shape() else 0
    if shape is None or any(extent == unknown for extent in shape):
        return False
    if min(shape, default=0) < unknown:
        raise AssertedArgumentError(message("shape_is_known", "shape", f"extents from {unknown} on", shape))
    return bool(shape) or is_np_shape()


def check_sha1(filename: str, sha1_hash: str) -> bool:
    """Return whether a file has this SHA-1 hash, in hexadecimal digits."""
    with open(filename, "rb") as stream:
        return hashlib.file_digest(stream, "sha1").hexdigest() == sha1_hash


def replace_file(src: str, dst: str) -> None:
    """Rename a file, in place of one that is there."""
    os.replace(src, dst)


def download(url: str, path: str | None = None, overwrite: bool = False, sha1_hash: str | None = None,
             retries: int = 5, verify_ssl: bool = True) -> str:  # fmt: skip
    """Return the path of a file that is there already; nothing is downloaded.

    Raises FileNotFoundError, which is an MXNetError too, if the file is not there or does not have the hash.
    """
    if retries < 0:
        raise AssertedArgumentError(message("download", "retries", "a number from 0 on", str(retries)))
    name = url.split("/")[-1]
    target = os.path.expanduser(path) if path is not None else name
    target = os.path.join(target, name) if os.path.isdir(target) else target
    if os.path.exists(target) and not overwrite and (not sha1_hash or check_sha1(target, sha1_hash)):
        return target
    text = f"{target!r} is not there, and nothing is downloaded"
    told = problem("download", "url", text, f"fetch {url} to {target!r} yourself")
    raise wrap(FileNotFoundError(told))  # as downloads that fail are errors of the system
