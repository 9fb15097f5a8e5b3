"""Data sets of MXNet's programs. Nothing is downloaded: files that are there are used, others are refused."""

from __future__ import annotations

import bz2
import gzip
import math
import os
import struct
import zipfile
from typing import Any

import numpy as np

from ..errors import FormatError, message, wrap

__all__ = [
    "download", "download_model", "get_bz2_data", "get_cifar10", "get_im2rec_path", "get_mnist",
    "get_mnist_iterator", "get_mnist_pkl", "get_mnist_ubyte", "get_zip_data",
]  # fmt: skip

MNIST = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
         "t10k-labels-idx1-ubyte")  # fmt: skip


def download(
    url: str, fname: str | None = None, dirname: str | None = None, overwrite: bool = False, retries: int = 5
) -> str:
    """Return the path of a file that MXNet would load from the net; raise FileNotFoundError without it.

    The name is the last part of the address if no `fname` is given, in the folder `dirname`.
    """
    path = url.rpartition("/")[2] if fname is None else fname
    if dirname is not None:
        path = os.path.join(dirname, path)
    if overwrite or not os.path.exists(path):
        hint = f"nothing is downloaded: fetch {url} yourself"
        raise wrap(FileNotFoundError(message("download", "fname", "a file that is there", path, hint)))
    return path


def get_mnist() -> dict[str, np.ndarray]:
    """Return pictures (n, 1, 28, 28), from 0 to 1, and their labels, of the training and the test part.

    The keys are train_data, train_label, test_data and test_label. They are read from the four
    files `train-images-idx3-ubyte.gz` and so on in the current folder.
    """
    base = "http://data.mxnet.io/data/mnist/"
    found: dict[str, np.ndarray] = {}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        labels = _idx(download(f"{base}{prefix}-labels-idx1-ubyte.gz"))
        pictures = _idx(download(f"{base}{prefix}-images-idx3-ubyte.gz"))
        found[f"{part}_data"] = pictures[:, None].astype(np.float32) / 255
        found[f"{part}_label"] = labels.astype(np.int8)
    return found


def _idx(path: str) -> np.ndarray:
    """The array in a compressed file of LeCun's format: a magic number, extents, bytes."""
    with gzip.open(path, "rb") as stream:
        text = stream.read()
    if len(text) < 4 or len(text) < 4 + 4 * (ndim := text[3]):
        raise FormatError(message("get_mnist", path, "a file of pictures or labels", f"{len(text)} bytes"))
    shape = struct.unpack_from(f">{ndim}I", text, 4)
    values = np.frombuffer(text, np.uint8, offset=4 + 4 * ndim)
    if values.size != math.prod(shape):
        raise FormatError(message("get_mnist", path, f"{math.prod(shape)} bytes of data", values.size))
    return values.reshape(shape)


def get_mnist_ubyte() -> None:
    """Take care that the four files of MNIST are in the folder `data`; unpack `data/mnist.zip` for it."""
    _unpacked("http://data.mxnet.io/mxnet/data/mnist.zip", [f"data/{name}" for name in MNIST])


def get_cifar10() -> None:
    """Take care that CIFAR-10's records are in the folder `data/cifar`; unpack `data/cifar10.zip` for it."""
    names = [f"data/cifar/{name}" for name in ("train.rec", "test.rec", "train.lst", "test.lst")]
    _unpacked("http://data.mxnet.io/mxnet/data/cifar10.zip", names)


def _unpacked(url: str, names: list[str]) -> None:
    if not all(map(os.path.exists, names)):
        with zipfile.ZipFile(download(url, dirname="data")) as archive:
            archive.extractall("data")


def get_mnist_iterator(
    batch_size: int, input_shape: tuple, num_parts: int = 1, part_index: int = 0
) -> tuple[Any, Any]:
    """Return iterators over the training and the test part of MNIST in the folder `data`."""
    from .. import io

    get_mnist_ubyte()
    common: dict[str, Any] = {"input_shape": input_shape, "batch_size": batch_size,
                              "flat": len(input_shape) != 3, "num_parts": num_parts,
                              "part_index": part_index}  # fmt: skip
    train, test = (
        io.MNISTIter(image=f"data/{MNIST[i]}", label=f"data/{MNIST[i + 1]}", shuffle=i == 0, **common)
        for i in (0, 2)
    )
    return train, test


def get_mnist_pkl() -> None:
    """Take care that `data/mnist.pkl.gz` is there."""
    download("http://deeplearning.net/data/mnist/mnist.pkl.gz", dirname="data")


def get_bz2_data(data_dir: str, data_name: str, url: str, data_origin_name: str) -> None:
    """Take care that a file is in a folder; unpack it from the file `data_origin_name` there if it is not."""
    target = os.path.join(data_dir, data_name)
    if not os.path.exists(target):
        packed = download(url, fname=data_origin_name, dirname=data_dir)
        with bz2.open(packed, "rb") as source, open(target, "wb") as stream:
            stream.write(source.read())
        os.remove(packed)


def get_zip_data(data_dir: str, url: str, data_origin_name: str) -> None:
    """Take care that an archive is in a folder."""
    download(url, fname=data_origin_name, dirname=data_dir)


def download_model(model_name: str, dst_dir: str = "./", meta_info: dict | None = None) -> tuple:
    """Return the path prefix of a model whose files are in a folder, and its epoch 0.

    `meta_info` maps names of models to the addresses of their `symbol` and `params`; (None, 0) is returned
    for models that it does not have.
    """
    addresses = (meta_info or {}).get(model_name)
    if addresses is None:
        return None, 0
    prefix = os.path.join(dst_dir, model_name)
    download(addresses["symbol"], f"{prefix}-symbol.json")
    download(addresses["params"], f"{prefix}-0000.params")
    return prefix, 0


def get_im2rec_path(home_env: str = "MXNET_HOME") -> str:
    """Return the path of `tools/im2rec.py` in the folder that an environment variable names."""
    path = os.path.join(os.environ.get(home_env, ""), "tools", "im2rec.py")
    if not os.path.isfile(path):
        hint = f"set {home_env} to a folder with tools/im2rec.py"
        raise wrap(
            FileNotFoundError(message("get_im2rec_path", home_env, "a folder with the tool", path, hint))
        )
    return path
