"""Data sets of pictures: from local files, records, folders and lists. Nothing is downloaded."""

from __future__ import annotations

import os
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .... import image
from .... import ndarray as nd
from ....base import data_dir
from ....errors import FormatError, message, wrap
from ....image.iterator import read_list
from ....io.idx import read_idx
from ....recordio import unpack
from ..dataset import Dataset, RecordFileDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "FashionMNIST",
    "ImageFolderDataset",
    "ImageListDataset",
    "ImageRecordDataset",
    "MNIST",
]

PICTURES = (".jpg", ".jpeg", ".png")


class LocalDataset(Dataset):
    """Pictures and labels in memory, read from files in a folder.

    A subclass defines `_read()`, which returns (pictures, labels), and the folder's usual name.
    """

    folder = ""

    def __init__(self, root: str | os.PathLike | None, transform: Callable | None):
        self._root = Path(
            root if root is not None else Path(data_dir()) / "datasets" / self.folder
        ).expanduser()
        self._transform = transform
        pictures, self._label = self._read()
        self._data = nd.array(pictures, dtype=np.uint8)

    def _read(self) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError(f"{type(self).__name__} must define _read")

    def _found(self, *names: str) -> Path:
        """The first of these files that is there; an error that says where to put them if none is."""
        for name in names:
            if (self._root / name).is_file():
                return self._root / name
        expected = f"the file {' or '.join(names)} in {self._root}"
        hint = "nothing is downloaded: put the files of the data set there, or give another root"
        text = message(type(self).__name__, "root", expected, "none", hint)
        raise wrap(FileNotFoundError(text))

    def __getitem__(self, idx: int) -> Any:
        sample = self._data[idx], self._label[idx]
        return sample if self._transform is None else self._transform(*sample)

    def __len__(self) -> int:
        return len(self._label)


class MNIST(LocalDataset):
    """Handwritten digits (LeCun et al. 1998): uint8 pictures (28, 28, 1), int32 labels.

    Parameters
    ----------
    root : the folder of `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and of the same of `t10k`, as
        they are or gzipped; by default datasets/mnist in the folder that MXNET_HOME names (~/.mxnet).
    train : the training samples, or those for tests.
    transform : a function of (picture, label), called when a sample is read.
    """

    folder = "mnist"

    def __init__(self, root: str | os.PathLike | None = None, train: bool = True,
                 transform: Callable | None = None):  # fmt: skip
        self._train = train
        super().__init__(root, transform)

    def _read(self) -> tuple[np.ndarray, np.ndarray]:
        part = "train" if self._train else "t10k"
        names = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
        pictures, labels = (read_idx(self._found(f"{name}.gz", name)) for name in names)
        if pictures.ndim != 3 or labels.shape != pictures.shape[:1]:
            expected = "pictures (n, height, width) and n labels"
            got = f"{pictures.shape} and {labels.shape}"
            raise FormatError(message(type(self).__name__, os.fspath(self._root), expected, got))
        return pictures[..., None], labels.astype(np.int32)


class FashionMNIST(MNIST):
    """Clothes in the format of MNIST (Xiao et al. 2017), by default in datasets/fashion-mnist."""

    folder = "fashion-mnist"


class CIFAR10(LocalDataset):
    """Pictures (32, 32, 3) of ten classes (Krizhevsky 2009), int32 labels.

    `root`: the folder of `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, or of the archive
    cifar-10-binary.tar.gz; by default datasets/cifar10. The others are as of `MNIST`.
    """

    folder = "cifar10"
    archive = "cifar-10-binary.tar.gz"
    train_files = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
    test_files: tuple[str, ...] = ("test_batch.bin",)
    label_bytes = 1
    label_at = 0

    def __init__(self, root: str | os.PathLike | None = None, train: bool = True,
                 transform: Callable | None = None):  # fmt: skip
        self._train = train
        super().__init__(root, transform)

    def _read(self) -> tuple[np.ndarray, np.ndarray]:
        parts = [self._rows(name) for name in (self.train_files if self._train else self.test_files)]
        rows = np.concatenate(parts)
        pictures = rows[:, self.label_bytes :].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return pictures, rows[:, self.label_at].astype(np.int32)

    def _rows(self, name: str) -> np.ndarray:
        """The bytes of a file, a row for each picture."""
        path = self._found(name, self.archive)
        data = from_archive(path, name) if path.name == self.archive else path.read_bytes()
        width = 3072 + self.label_bytes
        if not data or len(data) % width:
            expected = f"rows of {width} bytes"
            raise FormatError(message(type(self).__name__, os.fspath(path), expected, f"{len(data)} bytes"))
        return np.frombuffer(data, np.uint8).reshape(-1, width)


class CIFAR100(CIFAR10):
    """Pictures (32, 32, 3) of a hundred classes, or of twenty without `fine_label`.

    `root`: the folder of `train.bin` and `test.bin`, or of cifar-100-binary.tar.gz; by default
    datasets/cifar100.
    """

    folder = "cifar100"
    archive = "cifar-100-binary.tar.gz"
    train_files = ("train.bin",)
    test_files = ("test.bin",)
    label_bytes = 2

    def __init__(self, root: str | os.PathLike | None = None, fine_label: bool = False, train: bool = True,
                 transform: Callable | None = None):  # fmt: skip
        self.label_at = int(fine_label)
        super().__init__(root, train, transform)


def from_archive(path: Path, name: str) -> bytes:
    """The bytes of a file in an archive, whatever its folder there; nothing is written."""
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                stream = archive.extractfile(member) if os.path.basename(member.name) == name else None
                if stream is not None:
                    return stream.read()
    except (OSError, EOFError, tarfile.TarError) as error:
        raise FormatError(message("CIFAR10", os.fspath(path), "a whole archive", str(error))) from None
    raise FormatError(message("CIFAR10", os.fspath(path), f"an archive with {name}", "none"))


class ImageRecordDataset(RecordFileDataset):
    """(picture, label) of the records in a file with an index, as `im2rec` makes them.

    `flag`: 1 for colour, 0 for grey. `transform`: a function of (picture, label).
    """

    def __init__(self, filename: str | os.PathLike, flag: int = 1, transform: Callable | None = None):
        super().__init__(filename)
        self._flag = flag
        self._transform = transform

    def __getitem__(self, idx: int) -> Any:
        header, data = unpack(super().__getitem__(idx))
        sample = image.imdecode(data, self._flag), header.label
        return sample if self._transform is None else self._transform(*sample)


class FileDataset(Dataset):
    """(picture, label) of files: `items` are pairs of path and label."""

    items: list[tuple[str, Any]]

    def __init__(self, flag: int, transform: Callable | None):
        self._flag = flag
        self._transform = transform

    def __getitem__(self, idx: int) -> Any:
        path, label = self.items[idx]
        sample = image.imread(path, self._flag), label
        return sample if self._transform is None else self._transform(*sample)

    def __len__(self) -> int:
        return len(self.items)


class ImageFolderDataset(FileDataset):
    """(picture, number of its folder) of the JPEG and PNG files in the folders of a folder.

    `synsets` are the names of the folders, in their order; `items` the paths with their labels. Other files
    are left out with a warning. `flag`, `transform`: see `ImageRecordDataset`.
    """

    def __init__(self, root: str | os.PathLike, flag: int = 1, transform: Callable | None = None):
        super().__init__(flag, transform)
        self.synsets: list[str] = []
        self.items = []
        root = os.path.expanduser(os.fspath(root))
        try:
            folders = sorted(os.listdir(root))
        except OSError as error:
            raise wrap(error) from None
        for folder in folders:
            path = os.path.join(root, folder)
            if not os.path.isdir(path):
                warnings.warn(f"Ignoring {path}, which is not a directory.", stacklevel=2)
                continue
            label = len(self.synsets)
            self.synsets.append(folder)
            for name in sorted(os.listdir(path)):
                kind = os.path.splitext(name)[1]
                if kind.lower() in PICTURES:
                    self.items.append((os.path.join(path, name), label))
                    continue
                kinds = ", ".join(PICTURES)
                text = f"Ignoring {os.path.join(path, name)} of type {kind}. Only support {kinds}"
                warnings.warn(text, stacklevel=2)


class ImageListDataset(FileDataset):
    """(picture, label) of the files in a list.

    `imglist`: a path to a file of lines "key<tab>label…<tab>path", or a list of [label…, path]; paths are in
    `root`. `flag`, `transform`: see `ImageRecordDataset`.
    """

    def __init__(self, root: str | os.PathLike = ".", imglist: Any = None, flag: int = 1,
                 transform: Callable | None = None):  # fmt: skip
        super().__init__(flag, transform)
        root = os.path.expanduser(os.fspath(root))
        if isinstance(imglist, (str, os.PathLike)):
            pairs = [(label.asnumpy(), name) for label, name in read_list(imglist).values()]
        else:
            pairs = [(np.asarray(label, np.float32).ravel(), name) for *label, name in imglist or ()]
        self.items = [
            (os.path.join(root, name), label[0] if label.size == 1 else label) for label, name in pairs
        ]
