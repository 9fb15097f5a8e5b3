"""Data sets of pictures read local files, and say where those should be. Against MXNet: test_image.py."""

import gzip
import io
import struct
import tarfile

import numpy as np
import picture_programs
import pytest
from picture_programs import COUNT, FOLDER

import mxcy as mx
from mxcy import nd, recordio
from mxcy.errors import FormatError, MXNetError
from mxcy.gluon.data import DataLoader, RecordFileDataset, vision
from mxcy.gluon.data.vision import transforms

PIXELS = np.random.RandomState(0).randint(0, 256, (5, 28, 28), dtype=np.uint8)
ROWS = np.random.RandomState(1).randint(0, 10, (3, 3074), dtype=np.uint8)


def write_digits(folder, part="train", pack=lambda x: x, suffix=""):
    (folder / f"{part}-images-idx3-ubyte{suffix}").write_bytes(
        pack(struct.pack(">iiii", 2051, 5, 28, 28) + PIXELS.tobytes())
    )
    (folder / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(
        pack(struct.pack(">ii", 2049, 5) + bytes([3, 1, 4, 1, 5]))
    )


@pytest.mark.parametrize("kind", [vision.MNIST, vision.FashionMNIST])
@pytest.mark.parametrize(("pack", "suffix"), [(bytes, ""), (gzip.compress, ".gz")])
def test_digits_are_read(tmp_path, kind, pack, suffix):
    write_digits(tmp_path, "t10k", pack, suffix)
    data = kind(tmp_path, train=False)
    image, label = data[2]

    assert len(data) == 5
    assert (image.shape, image.dtype, label, label.dtype) == ((28, 28, 1), np.uint8, 4, np.int32)
    np.testing.assert_array_equal(image.asnumpy()[..., 0], PIXELS[2])
    changed = kind(tmp_path, False, lambda x, y: (x.astype("float32") / 255, y + 1))
    assert changed[2][1] == 5


def test_the_usual_folder_is_in_mxnet_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="nothing is downloaded: put the files") as missing:
        vision.MNIST()
    assert isinstance(missing.value, MXNetError)
    assert str(tmp_path / "datasets" / "mnist") in str(missing.value)
    (tmp_path / "datasets" / "mnist").mkdir(parents=True)
    write_digits(tmp_path / "datasets" / "mnist")
    assert len(vision.MNIST()) == 5


def archive(names):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        for name, content in names.items():
            info = tarfile.TarInfo(f"cifar/{name}")
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def test_cifar_is_read(tmp_path):
    ten, hundred = ROWS[:, 1:].tobytes(), ROWS.tobytes()
    for number in range(1, 6):
        (tmp_path / f"data_batch_{number}.bin").write_bytes(ten)
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(archive({"test_batch.bin": ten}))
    (tmp_path / "cifar-100-binary.tar.gz").write_bytes(archive({"train.bin": hundred}))
    train, test = vision.CIFAR10(tmp_path), vision.CIFAR10(tmp_path, train=False)

    assert (len(train), len(test)) == (15, 3)
    image, label = train[1]
    assert (image.shape, label) == ((32, 32, 3), ROWS[1, 1])
    np.testing.assert_array_equal(image.asnumpy().transpose(2, 0, 1).ravel(), ROWS[1, 2:])
    np.testing.assert_array_equal(test[0][0].asnumpy(), train[0][0].asnumpy())
    coarse, fine = (vision.CIFAR100(tmp_path, fine_label=fine) for fine in (False, True))
    assert (coarse[2][1], fine[2][1]) == (ROWS[2, 0], ROWS[2, 1])


def test_bad_data_sets_are_named(tmp_path):
    write_digits(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(struct.pack(">ii", 2049, 1) + b"1")
    with pytest.raises(FormatError, match="n labels"):
        vision.MNIST(tmp_path)
    (tmp_path / "test_batch.bin").write_bytes(b"short")
    with pytest.raises(FormatError, match="rows of 3073 bytes, got 5"):
        vision.CIFAR10(tmp_path, train=False)
    with pytest.raises(FileNotFoundError, match=r"data_batch_1\.bin or cifar-10-binary\.tar\.gz"):
        vision.CIFAR10(tmp_path)
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(archive({"other.bin": b""}))
    with pytest.raises(FormatError, match=r"an archive with data_batch_1\.bin"):
        vision.CIFAR10(tmp_path)
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"no archive")
    with pytest.raises(FormatError, match="a whole archive"):
        vision.CIFAR10(tmp_path)
    with pytest.raises(FileNotFoundError):
        vision.ImageFolderDataset(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        RecordFileDataset(tmp_path / "none.rec")


def test_lists_of_files(tmp_path):
    (tmp_path / "a.lst").write_text("5\t1\tcat.jpg\n6\t2\tphoto.png\n")
    for data in (
        vision.ImageListDataset(FOLDER, tmp_path / "a.lst"),
        vision.ImageListDataset(FOLDER, [[1, "cat.jpg"], [2, "photo.png"]]),
    ):
        assert [(x.shape, float(label)) for x, label in data] == [((60, 45, 3), 1), ((48, 64, 3), 2)]
    wide = vision.ImageListDataset(FOLDER, [[1, 2, "cat.jpg"]], 0, lambda x, label: (x.shape, label.tolist()))
    assert wide[0] == ((60, 45, 1), [1, 2])


def test_other_files_are_left_out_with_a_warning(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "cat.JPG").write_bytes((FOLDER / "cat.jpg").read_bytes())
    (tmp_path / "a" / "notes.txt").write_text("")
    (tmp_path / "readme").write_text("")
    with pytest.warns(UserWarning, match="Ignoring") as seen:
        data = vision.ImageFolderDataset(tmp_path)
    assert len(seen) == 2 and len(data) == 1 and data[0][1] == 0
    assert "notes.txt of type .txt. Only support .jpg" in str(seen[0].message)


@pytest.mark.parametrize("options", [{}, {"num_workers": 2}, {"num_workers": 2, "thread_pool": True}])
def test_loaders_read_records(tmp_path, options):
    picture_programs.write_records(mx, tmp_path)
    change = transforms.Compose([transforms.Resize(8), transforms.ToTensor()])
    data = vision.ImageRecordDataset(tmp_path / "a.rec").transform_first(change)
    batches = list(DataLoader(data, 4, **options))

    assert [x.shape for x, _ in batches] == [(4, 3, 8, 8), (4, 3, 8, 8), (2, 3, 8, 8)]
    assert np.concatenate([y.asnumpy() for _, y in batches]).tolist() == list(range(COUNT))


def test_random_changes_of_colours_and_rotations():
    image = nd.array(np.full((6, 8, 3), 100), dtype="uint8")
    change = transforms.Compose([
        transforms.Resize(30), transforms.Resize(30, keep_ratio=True), transforms.CenterCrop(25),
        transforms.RandomResizedCrop(22), transforms.RandomFlipLeftRight(),
        transforms.RandomColorJitter(0.1, 0.1, 0.1, 0.1), transforms.RandomBrightness(0.1),
        transforms.RandomContrast(0.1), transforms.RandomSaturation(0.1), transforms.RandomHue(0.1),
        transforms.RandomLighting(0.1), transforms.ToTensor(), transforms.RandomRotation((-10, 10)),
        transforms.Normalize([0, 0, 0], [1, 1, 1]),
    ])  # fmt: skip
    assert change(image).shape == (3, 22, 22)
    never = transforms.RandomRotation((-10, 10), rotate_with_proba=0)
    assert never(image) is image


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (TypeError, "float32, got uint8; call it after ToTensor", lambda x: transforms.Rotate(3)(x)),
        (TypeError, "call it after ToTensor", lambda x: transforms.RandomRotation((1, 2))(x)),
        (ValueError, "the smaller one first", lambda x: transforms.RandomRotation((2, 1))),
        (ValueError, "from 0 to 1", lambda x: transforms.RandomRotation((1, 2), rotate_with_proba=3)),
        (MXNetError, "size", lambda x: transforms.Resize(-150, keep_ratio=True)(x)),
        (MXNetError, "size", lambda x: transforms.Resize((9, 9, 9), keep_ratio=True)(x)),
        (MXNetError, "normalize", lambda x: transforms.Normalize((0, 1), (1, 1))(nd.ones((5, 4, 3, 3)))),
    ],
)
def test_bad_arguments_are_named(error, match, call):
    with pytest.raises(error, match=match):
        call(nd.zeros((4, 5, 3), dtype="uint8"))


def test_records_are_the_bytes(tmp_path):
    picture_programs.write_records(mx, tmp_path)
    data = RecordFileDataset(tmp_path / "a.rec")
    header, content = recordio.unpack(data[3])

    assert len(data) == COUNT
    assert (header.label, content) == (3, (FOLDER / "photo.jpg").read_bytes())
