"""The commands `mxcy im2rec` and `mxcy rec`: lists and records as MXNet's im2rec.py makes, damage found."""

import subprocess
import sys

import numpy as np
import pytest
from picture_programs import FOLDER

import mxcy as mx
from mxcy import recordio
from mxcy.command import main
from mxcy.image import codec

TREE = {"b": ["photo.png", "cat.jpg"], "a": ["grey.jpg", "turned.jpg", "cmyk.jpg"], "a/deep": ["photo.jpg"]}


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "root"
    for folder, names in TREE.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            (root / folder / name).write_bytes((FOLDER / name).read_bytes())
    (root / "notes.txt").write_text("")
    return root


def im2rec(tmp_path, tree, *options):
    return main(["im2rec", *options, str(tmp_path / "out"), str(tree)])


def contents(tmp_path):
    """{key: (label, bytes)} of the records."""
    with recordio.MXIndexedRecordIO(tmp_path / "out.idx", tmp_path / "out.rec", "r") as reader:
        found = {}
        for key in reader.keys:
            header, data = recordio.unpack(reader.read_idx(key))
            assert header.id == key
            found[key] = header.label, data
        assert len(list(reader)) == 0
    return found


def test_lists_are_those_of_mxnet(tmp_path, tree, capsys):
    """What tools/im2rec.py of MXNet 1.9.1 writes for such a tree."""
    assert im2rec(tmp_path, tree, "--list", "--recursive", "--no-shuffle") == 0
    assert (tmp_path / "out.lst").read_text().splitlines() == [
        "0\t0.000000\ta/cmyk.jpg", "1\t0.000000\ta/grey.jpg", "2\t0.000000\ta/turned.jpg",
        "3\t1.000000\ta/deep/photo.jpg", "4\t2.000000\tb/cat.jpg", "5\t2.000000\tb/photo.png",
    ]  # fmt: skip
    assert capsys.readouterr().out.splitlines() == ["a 0", "a/deep 1", "b 2"]
    im2rec(tmp_path, tree / "a", "--list", "--exts", ".jpg", "--no-shuffle")
    assert [line[-8:] for line in (tmp_path / "out.lst").read_text().splitlines()] == [
        "cmyk.jpg", "grey.jpg", "rned.jpg",
    ]  # fmt: skip


def test_lists_are_split(tmp_path, tree):
    im2rec(
        tmp_path,
        tree,
        "--list",
        "--recursive",
        "--chunks",
        "2",
        "--train-ratio",
        "0.4",
        "--test-ratio",
        "0.4",
    )
    parts = sorted(path.name for path in tmp_path.glob("*.lst"))
    assert parts == [f"out_{i}_{part}.lst" for i in (0, 1) for part in ("test", "train", "val")]
    lines = [line for path in tmp_path.glob("*.lst") for line in path.read_text().splitlines()]
    assert sorted(int(line.split("\t")[0]) for line in lines) == list(range(6))


def test_records_keep_the_order_of_the_list(tmp_path, tree, capsys):
    im2rec(tmp_path, tree, "--list", "--recursive")
    order = [int(line.split("\t")[0]) for line in (tmp_path / "out.lst").read_text().splitlines()]
    found = {}
    for threads in ("1", "4"):
        assert im2rec(tmp_path, tree, "--resize", "20", "--quality", "90", "--num-thread", threads) == 0
        found[threads] = (tmp_path / "out.rec").read_bytes(), (tmp_path / "out.idx").read_bytes()
    assert found["1"] == found["4"]
    assert list(contents(tmp_path)) == order
    for _, data in contents(tmp_path).values():
        assert min(codec.decode(data).shape[:2]) == 20
    assert "6/6" in capsys.readouterr().err


def test_options_of_records(tmp_path, tree):
    (tmp_path / "out.lst").write_text("7\t1\t2\tb/photo.png\n9\t3\t4\ta/turned.jpg\n")
    im2rec(tmp_path, tree, "--pass-through")
    found = contents(tmp_path)
    assert found[7] == (1, (FOLDER / "photo.png").read_bytes())
    im2rec(
        tmp_path,
        tree,
        "--encoding",
        ".png",
        "--quality",
        "3",
        "--pack-label",
        "--center-crop",
        "--color",
        "0",
    )
    found = contents(tmp_path)
    assert found[9][0].tolist() == [3, 4]
    image = codec.decode(found[7][1], -1)
    grey = codec.decode((FOLDER / "photo.png").read_bytes(), 0)
    np.testing.assert_array_equal(image, grey[:, 8:56])
    im2rec(tmp_path, tree)
    assert codec.decode(contents(tmp_path)[9][1]).shape == (64, 48, 3)  # turned as its EXIF data say


def test_pictures_that_cannot_be_read_are_left_out(tmp_path, tree, capsys):
    (tree / "bad.jpg").write_text("no picture")
    (tmp_path / "out.lst").write_text("0\t1\tb/cat.jpg\n1\t1\tbad.jpg\nx\n2\t1\tnone.jpg\n3\t1\tb/cat.jpg\n")
    assert im2rec(tmp_path, tree) == 0
    error = capsys.readouterr().err
    assert list(contents(tmp_path)) == [0, 3]
    assert "bad.jpg left out" in error and "none.jpg left out" in error
    assert "out.lst:3): expected a key, labels and a path" in error and "2 of 4 pictures left out" in error
    (tmp_path / "out.lst").unlink()
    assert im2rec(tmp_path, tree) == 1
    assert "make one with --list" in capsys.readouterr().err


@pytest.mark.parametrize("cut", [0, 1, 3000, 4500])
def test_an_interrupted_run_goes_on(tmp_path, tree, cut):
    im2rec(tmp_path, tree, "--list", "--recursive")
    im2rec(tmp_path, tree, "--checksum")
    files = [tmp_path / f"out.{ending}" for ending in ("rec", "idx", "sum")]
    whole = [path.read_bytes() for path in files]
    files[0].write_bytes(whole[0][:cut])
    files[1].write_bytes(whole[1][:9])
    im2rec(tmp_path, tree, "--checksum", "--resume")
    assert [path.read_bytes() for path in files] == whole


def test_damage_is_found(tmp_path, tree, capsys):
    im2rec(tmp_path, tree, "--list", "--recursive", "--no-shuffle")
    im2rec(tmp_path, tree, "--checksum", "--pass-through")
    path = tmp_path / "out.rec"
    assert main(["rec", "verify", "--decode", str(path)]) == 0
    assert "6 records, 0 problems, checksums of" in capsys.readouterr().out
    content = bytearray(path.read_bytes())
    with recordio.MXRecordIO(path, "r") as reader:
        positions = reader.positions().tolist()
    changed = content.copy()
    changed[positions[1] + 500] ^= 1  # in a payload: only the checksum tells
    changed[positions[2]] ^= 1  # in the framing
    path.write_bytes(changed)
    assert main(["rec", "verify", str(path)]) == 1
    out, error = capsys.readouterr()
    assert f"at byte {positions[1]}: the checksum is another" in error
    assert f"at byte {positions[2]}: no record up to byte {positions[3]}" in error
    assert f"at byte {positions[2]}: no record, though there is a checksum" in error
    assert "5 records, 3 problems" in out
    path.write_bytes(content[:-5])
    (tmp_path / "out.sum").unlink()
    assert main(["rec", "verify", str(path)]) == 1
    assert f"at byte {positions[-1]}: no record up to the end" in capsys.readouterr().err


def test_what_is_in_a_file(tmp_path, tree, capsys):
    im2rec(tmp_path, tree, "--list", "--recursive")
    im2rec(tmp_path, tree, "--pass-through")
    capsys.readouterr()
    assert main(["rec", "info", str(tmp_path / "out.rec")]) == 0
    out = capsys.readouterr().out
    assert "6 records" in out and "5 .jpg, 1 .png" in out and "6 of 1" in out


def test_contents_come_out_and_go_in_again(tmp_path, tree):
    im2rec(tmp_path, tree, "--list", "--recursive")
    im2rec(tmp_path, tree, "--pass-through")
    before = contents(tmp_path)
    assert main(["rec", "extract", str(tmp_path / "out.rec"), str(tmp_path / "files")]) == 0
    (tmp_path / "out.lst").write_bytes((tmp_path / "files" / "extracted.lst").read_bytes())
    im2rec(tmp_path, tmp_path / "files", "--pass-through")
    assert contents(tmp_path) == before
    main(["rec", "extract", str(tmp_path / "out.rec"), str(tmp_path / "one"), "--ids", "3"])
    assert len(list((tmp_path / "one").iterdir())) == 2


def test_an_index_is_made_anew(tmp_path, tree, capsys):
    im2rec(tmp_path, tree, "--list", "--recursive")
    im2rec(tmp_path, tree)
    index = (tmp_path / "out.idx").read_text()
    (tmp_path / "out.idx").unlink()
    assert main(["rec", "index", str(tmp_path / "out.rec")]) == 0
    assert (tmp_path / "out.idx").read_text() == index
    main(["rec", "index", "--count", "--output", str(tmp_path / "n.idx"), str(tmp_path / "out.rec")])
    lines = (tmp_path / "n.idx").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == list("012345")
    with recordio.MXRecordIO(tmp_path / "same.rec", "w") as writer:
        for _ in range(2):
            writer.write(recordio.pack((0, 1.0, 5, 0), b"x"))
    main(["rec", "index", str(tmp_path / "same.rec")])
    assert "not unique" in capsys.readouterr().err
    assert main(["rec", "index", str(tmp_path / "none.rec")]) == 1
    assert "mxcy rec: " in capsys.readouterr().err


def test_records_feed_a_network(tmp_path, tree):
    im2rec(tmp_path, tree, "--list", "--recursive")
    im2rec(tmp_path, tree, "--resize", "24")
    data = mx.io.ImageRecordIter(str(tmp_path / "out.rec"), (3, 16, 16), 2, verbose=False)
    net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3), name="softmax")
    mx.mod.Module(net).fit(data, num_epoch=1)


def test_the_command_is_there():
    found = subprocess.run([sys.executable, "-m", "mxcy", "rec", "--help"], capture_output=True, text=True)
    assert found.returncode == 0 and "verify" in found.stdout
