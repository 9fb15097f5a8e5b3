"""Data sets that MXNet's programs download: here the files are there, or an error says which is missing."""

import bz2
import gzip
import struct
import zipfile

import numpy as np
import pytest

import mxcy as mx
from mxcy.errors import FormatError
from mxcy.test_utils import data_files


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def idx(array):
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


def test_files_that_are_there_are_used_and_others_refused(folder):
    (folder / "model.json").write_text("{}")

    assert mx.test_utils.download("http://a.example/model.json") == "model.json"
    assert mx.test_utils.download("http://a.example/b", "model.json", str(folder)) == str(
        folder / "model.json"
    )
    for call in (
        lambda: mx.test_utils.download("http://a.example/model.json", overwrite=True),
        lambda: mx.test_utils.download("http://a.example/other"),
        mx.test_utils.get_mnist_ubyte, mx.test_utils.get_cifar10, mx.test_utils.get_mnist_pkl,
        lambda: mx.test_utils.get_zip_data("data", "http://a.example/b.zip", "b.zip"),
        lambda: mx.test_utils.get_im2rec_path("NO_SUCH_VARIABLE"),
    ):  # fmt: skip
        with pytest.raises(FileNotFoundError) as error:
            call()
        assert isinstance(error.value, mx.MXNetError)


def test_mnist_is_read_from_its_four_files(folder):
    pictures = np.arange(2 * 784).reshape(2, 28, 28) % 256
    for prefix in ("train", "t10k"):
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures)))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.array([7, 2]))))
    found = mx.test_utils.get_mnist()

    assert found["train_label"].tolist() == found["test_label"].tolist() == [7, 2]
    np.testing.assert_allclose(found["test_data"], pictures[:, None].astype(np.float32) / 255)


@pytest.mark.parametrize("damage", [b"", idx(np.zeros((2, 3)))[:-1], b"\0\0\x08\x03\0\0"])
def test_damaged_files_are_errors(folder, damage):
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(damage))

    with pytest.raises(FormatError, match="train-labels-idx1-ubyte.gz"):
        mx.test_utils.get_mnist()


def test_archives_in_the_folder_are_unpacked(folder):
    (folder / "data").mkdir()
    with zipfile.ZipFile(folder / "data" / "mnist.zip", "w") as archive:
        for name in data_files.MNIST:
            archive.writestr(name, "x")
    (folder / "data" / "kdda.bz2").write_bytes(bz2.compress(b"1 2:3"))
    mx.test_utils.get_mnist_ubyte()
    mx.test_utils.get_bz2_data("data", "kdda", "http://a.example/kdda.bz2", "kdda.bz2")

    assert all((folder / "data" / name).read_text() == "x" for name in data_files.MNIST)
    assert (folder / "data" / "kdda").read_bytes() == b"1 2:3"
    assert not (folder / "data" / "kdda.bz2").exists()


def test_models_are_found_in_their_folder(folder):
    for name in ("net-symbol.json", "net-0000.params"):
        (folder / name).write_text("")
    known = {"net": {"symbol": "http://a.example/s", "params": "http://a.example/p"}}

    assert mx.test_utils.download_model("net", ".", known) == ("./net", 0)
    assert mx.test_utils.download_model("other", ".", known) == (None, 0)
