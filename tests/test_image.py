"""`mx.image` makes of pictures what the real MXNet makes (golden/pictures.npz), and survives any bytes."""

import json
import random
import struct
import sys

import numpy as np
import picture_programs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_programs import FOLDER

import mxcy as mx
from mxcy import nd, recordio
from mxcy.errors import ArgumentError, DTypeError, FormatError, MXNetError, ShapeError
from mxcy.image import codec

GOLDEN = np.load(FOLDER.parent / "pictures.npz")
# Versions of OpenCV round their fixed-point cubic interpolation differently, and their sums of floats.
CLOSE = {
    "scaling": 1.0,
    "random_parts": 0.0,
    "reading": 0.0,
    "turning": 2e-3,
    "changes": 0.02,
    "transforming": 1.0,
    "record_pixels": 3.0,
    "record_boxes": 1.0,
}


@pytest.mark.parametrize("name", picture_programs.PROGRAMS)
def test_results_are_those_of_mxnet(name):
    made = picture_programs.run(mx, name)
    expected = {key.split("/", 1)[1]: GOLDEN[key] for key in GOLDEN.files if key.startswith(name)}

    assert made.keys() == expected.keys()
    for key, value in expected.items():
        if value.dtype.kind == "U":
            assert json.loads(str(made[key])) == json.loads(str(value)), key
        else:
            assert (made[key].shape, made[key].dtype) == (value.shape, value.dtype), key
            difference = np.abs(made[key].astype(float) - value).max(initial=0)
            assert difference <= CLOSE[name], key


def test_what_mxnet_cannot_read_is_read():
    assert mx.image.imread(FOLDER / "small.webp").shape == (12, 16, 3)
    assert mx.image.imread(FOLDER / "alpha.png", flag=-1).shape == (48, 64, 4)


def test_sizes_fit_into_others():
    assert mx.image.scale_down((640, 480), (720, 120)) == (640, 106)
    assert mx.image.scale_down((360, 1000), (480, 500)) == (360, 375)
    assert mx.image.scale_down((300, 400), (0, 0)) == (0, 0)


def test_results_can_go_to_an_array():
    out = nd.zeros((48, 64, 3), dtype="uint8")
    found = mx.image.imread(FOLDER / "photo.png", out=out)

    assert found is out
    assert out.asnumpy().any()


def test_pictures_in_records(tmp_path):
    image = codec.decode((FOLDER / "photo.png").read_bytes(), rgb=False)
    header, found = recordio.unpack_img(recordio.pack_img((0, 1.0, 2, 0), image, 3, ".png"))
    assert header.label == 1.0
    np.testing.assert_array_equal(found, image)
    grey = recordio.unpack_img(recordio.pack_img((0, 1.0, 2, 0), image, img_fmt=".png"), 0)[1]
    assert grey.shape == (48, 64)
    assert recordio.unpack_img(recordio.pack_img((0, 1.0, 2, 0), grey, 95, ".jpg"))[1].shape == (48, 64)
    with pytest.raises(FormatError, match="cannot encode"):
        recordio.pack_img((0, 1.0, 2, 0), image, 3, ".none")


def image_of(header, size):
    """A JPEG file that claims another size (height, width)."""
    data = bytearray(header)
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", *size)
    return bytes(data)


def test_a_gigantic_header_is_refused():
    photo = (FOLDER / "photo.jpg").read_bytes()
    with pytest.raises(FormatError, match=f"at most {codec.MOST_PIXELS} pixels, got 65500 x 65500"):
        mx.image.imdecode(image_of(photo, (65500, 65500)))
    with pytest.raises(FormatError, match="fits into 2548 bytes, got 4000 x 4000"):
        mx.image.imdecode(image_of(photo, (4000, 4000)))
    png = bytearray((FOLDER / "photo.png").read_bytes())
    png[16:24] = struct.pack(">II", 60000, 60000)
    with pytest.raises(FormatError):
        mx.image.imdecode(bytes(png))


def test_a_picture_that_is_cut_short_has_grey_at_its_end():
    whole = (FOLDER / "photo.jpg").read_bytes()
    full, cut = mx.image.imdecode(whole).asnumpy(), mx.image.imdecode(whole[: len(whole) // 2]).asnumpy()

    np.testing.assert_array_equal(full[:8], cut[:8])
    assert (full[-8:] != cut[-8:]).any()


def test_pictures_shrink_while_they_are_decoded():
    data = (FOLDER / "photo.jpg").read_bytes()
    shapes = [codec.decode_for(data, 3, short)[0].shape[0] for short in (0, 48, 24, 13, 12, 6, 1)]
    assert shapes == [48, 48, 24, 24, 12, 6, 6]
    assert codec.decode_for((FOLDER / "photo.png").read_bytes(), 1, 1)[0].shape == (48, 64, 1)
    assert codec.decode_for(data, 1, 24)[0].shape == (24, 32, 1)
    half, size = codec.decode_for(data, 3, 24)
    assert size == (48, 64)
    half = half.astype(int)
    whole = codec.decode(data).astype(int)
    means = whole.reshape(24, 2, 32, 2, 3).mean(axis=(1, 3))
    assert half.shape == (24, 32, 3)
    assert np.abs(half - means).mean() < 3


def tags(order, *entries, mark=b"Exif\0\0"):
    table = struct.pack(f"{order}H", len(entries)) + b"".join(
        struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in entries
    )
    data = mark + {">": b"MM", "<": b"II"}[order] + struct.pack(f"{order}HI", 42, 8) + table + bytes(4)
    return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data


# What the real one does with each orientation, as transposing, then mirroring (measured there).
TURNS = {
    0: lambda x: x,
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
    8: lambda x: np.rot90(x),
    9: lambda x: x,
}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("way", TURNS)
def test_pictures_of_cameras_are_turned(tmp_path, way, order):
    plain = (FOLDER / "photo.jpg").read_bytes()
    content = plain[:2] + tags(order, (0x0100, 3), (0x0112, way)) + plain[2:]
    expected = TURNS[way](mx.image.imdecode(plain).asnumpy())
    (tmp_path / "a.jpg").write_bytes(content)
    for found in (mx.image.imdecode(content), mx.image.imread(tmp_path / "a.jpg")):
        np.testing.assert_array_equal(found.asnumpy(), expected)
    grey = TURNS[way](mx.image.imdecode(plain, flag=0).asnumpy())
    np.testing.assert_array_equal(mx.image.imdecode(content, flag=0).asnumpy(), grey)
    with recordio.MXRecordIO(tmp_path / "a.rec", "w") as writer:
        writer.write(recordio.pack((0, 1, 0, 0), content))
    records = mx.io.ImageRecordUInt8Iter(tmp_path / "a.rec", data_shape=(3, 48, 48), batch_size=1)
    batch = next(records).data[0].asnumpy()[0].transpose(1, 2, 0)
    np.testing.assert_array_equal(batch, mx.image.center_crop(nd.array(expected), (48, 48))[0].asnumpy())


@pytest.mark.parametrize("before, found", [
    (tags("<", (0x0112, 6)), True),
    (b"\xff\xfe\0\5abc" + tags(">", (0x0112, 6)), True),  # a comment first
    (b"\xff\xe2\0\5abc" + tags(">", (0x0112, 6)), True),
    (b"\xff\xe0\0\4ab" + tags(">", (0x0112, 6)), False),  # a head of JFIF first
    (tags(">", (0x0112, 6), mark=b"http://ns.adobe.com/xap/1.0/\0"), False),
    (tags(">", (0x0112, 60)), False),
    (tags(">", (0x0113, 6)), False),
    (tags(">"), False),
    (b"\xff\xe1\0\2", False),
    (b"\xff\xe1\0\16Exif\0\0MM\0*", False),
    (b"\xff\xe1\0\20Exif\0\0MM\0*\xff\xff\xff\xff", False),
])  # fmt: skip
def test_which_pictures_are_turned(before, found):
    plain = (FOLDER / "photo.jpg").read_bytes()
    shape = mx.image.imdecode(plain[:2] + before + plain[2:]).shape
    assert shape == ((64, 48, 3) if found else (48, 64, 3))


def test_scaling_rounds_as_in_mxnet():
    def nearest(count, size):
        rows = nd.arange(count).reshape((count, 1, 1))
        both = nd.image.resize(rows, (1, size), False, 0), mx.image.imresize(rows, 1, size, 0)
        assert np.array_equal(*(x.asnumpy() for x in both))
        return both[0].asnumpy().ravel().tolist()

    # Measured there: places that are whole numbers but for the rounding of the scale.
    assert nearest(26, 10) == [0, 2, 5, 7, 10, 12, 15, 18, 20, 23]
    assert nearest(30, 22)[9:17] == [12, 13, 15, 16, 17, 19, 20, 21]
    bytes_ = np.random.RandomState(3).randint(0, 256, (12, 9, 1)).astype("uint8")
    cubic = mx.image.imresize(nd.array(bytes_, dtype="uint8"), 6, 8, 2).asnumpy().ravel()
    assert cubic[:12].tolist() == [123, 211, 162, 202, 11, 194, 198, 164, 145, 142, 204, 75]
    assert cubic[-6:].tolist() == [134, 161, 104, 62, 112, 240]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32", "float64"])
@pytest.mark.parametrize("interp", [1, 2])
def test_operators_and_functions_scale_alike(dtype, interp):
    picture = nd.random.uniform(0, 127, (30, 21, 3)).astype(dtype)
    for width, height in ((20, 20), (20, 10), (15, 22), (41, 60)):
        one = nd.image.resize(picture, (width, height), False, interp)
        other = mx.image.imresize(picture, width, height, interp)
        np.testing.assert_array_equal(one.asnumpy(), other.asnumpy())


FILES = sorted(path.name for path in FOLDER.iterdir())


@given(st.sampled_from(FILES), st.data())
def test_changed_bytes_give_a_picture_or_an_error(name, data):
    content = bytearray((FOLDER / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    try:
        found = mx.image.imdecode(bytes(content))
    except MXNetError:
        return
    assert found.shape[0] * found.shape[1] <= codec.MOST_PIXELS and found.shape[2] == 3


PHOTO = picture_programs.photo(mx)
FLOATS = PHOTO.astype("float32")
ERRORS = [
    (FormatError, "the bytes of a picture file, got 0 bytes", lambda: mx.image.imdecode(b"")),
    (FormatError, "begin with b'no pict", lambda: mx.image.imdecode(b"no picture")),
    (ValueError, "expected bytes", lambda: mx.image.imdecode("text")),
    (FileNotFoundError, "none.jpg", lambda: mx.image.imread("none.jpg")),
    (FormatError, "test_image.py", lambda: mx.image.imread(__file__)),
    (ArgumentError, "0 to 4, 9 or 10, got 7", lambda: mx.image.imresize(PHOTO, 3, 3, 7)),
    (ArgumentError, "at least 1", lambda: mx.image.imresize(PHOTO, 0, 3)),
    (ArgumentError, "cannot scale int64", lambda: mx.image.imresize(PHOTO.astype("int64"), 3, 3, 2)),
    (ShapeError, "a picture", lambda: mx.image.imresize(PHOTO[:0], 3, 3)),
    (ArgumentError, "w, h.: expected at least 1", lambda: mx.image.center_crop(PHOTO, (-5, 3))),
    (ArgumentError, "border", lambda: mx.image.copyMakeBorder(PHOTO, -1, 0, 0, 0)),
    (ArgumentError, "one of them, got both", lambda: mx.image.imrotate(FLOATS, 3, True, True)),
    (AssertionError, "an NDArray, got ndarray", lambda: mx.image.imresize(PHOTO.asnumpy(), 3, 3)),
    (DTypeError, "float32, got uint8", lambda: mx.image.imrotate(PHOTO, 3)),
    (ShapeError, "3 or 4 dimensions", lambda: mx.image.imrotate(FLOATS[0], 3)),
    (TypeError, "a number for one picture", lambda: mx.image.imrotate(FLOATS, nd.ones(3))),
    (ShapeError, "1 angles, got 3", lambda: mx.image.imrotate(FLOATS.expand_dims(0), nd.ones(3))),
    (AssertionError, "min_size", lambda: mx.image.random_size_crop(PHOTO, (3, 3), 0.1, (1, 1), min_size=1)),
    (AssertionError, "rand_crop", lambda: mx.image.CreateAugmenter((3, 8, 8), rand_resize=True)),
    (AssertionError, "1 or 3 numbers", lambda: mx.image.CreateAugmenter((3, 8, 8), mean=3)),
    (NotImplementedError, "must define", lambda: mx.image.Augmenter()(PHOTO)),
    (NotImplementedError, "must define", lambda: mx.image.DetAugmenter()(PHOTO, None)),
    (TypeError, "an Augmenter", lambda: mx.image.DetBorrowAug(3)),
    (ValueError, "DetAugmenters", lambda: mx.image.DetRandomSelectAug([mx.image.CastAug()])),
    (
        AssertionError,
        "1 or 3 values",
        lambda: mx.image.CreateMultiRandCropAugmenter(max_attempts=[1, 2, 3], area_range=[(0, 1), (1, 2)]),
    ),
    (AssertionError, "a number or two", lambda: mx.image.DetRandomCropAug(area_range="all")),
]


@pytest.mark.parametrize(("error", "match", "call"), ERRORS)
def test_bad_arguments_are_named(error, match, call):
    with pytest.raises(error, match=match):
        call()


def test_senseless_ranges_are_skipped_with_a_warning():
    with pytest.warns(UserWarning, match="DetRandomCropAug due to invalid area_range"):
        skipped = mx.image.DetRandomCropAug(area_range=(0.5, 0.1))
    with pytest.warns(UserWarning, match="DetRandomPadAug due to invalid aspect_ratio_range"):
        mx.image.DetRandomPadAug(aspect_ratio_range=(2, 1))
    label = picture_programs.BOXES
    assert skipped(PHOTO, label) == (PHOTO, label)
    assert mx.image.DetRandomPadAug(1.0, 2.0, pad_val=9).pad_val == (9, 9, 9)


def test_deprecated_names_warn():
    with pytest.warns(DeprecationWarning, match="min_area is deprecated"):
        mx.image.RandomSizedCropAug((3, 3), None, (1, 1), min_area=0.5)


@given(st.integers(0, 2**32), st.integers(20, 60), st.integers(20, 60))
def test_boxes_stay_in_the_picture(seed, height, width):
    random.seed(seed)
    image = nd.zeros((height, width, 3), dtype="uint8")
    for augmenter in mx.image.CreateDetAugmenter((3, 16, 16), rand_crop=1, rand_pad=1, rand_mirror=True):
        if isinstance(augmenter, mx.image.DetBorrowAug):
            continue
        image, label = augmenter(image, picture_programs.BOXES.copy())
        assert label.shape[0] >= 1
        assert ((label[:, 1:] >= -1e-9) & (label[:, 1:] <= 1 + 1e-9)).all()
        assert (label[:, 1] < label[:, 3]).all() and (label[:, 2] < label[:, 4]).all()


def test_packages_that_are_missing(monkeypatch):
    data = (FOLDER / "photo.jpg").read_bytes()
    usual = mx.image.imdecode(data).asnumpy()
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    for cache in (codec._simplejpeg, codec.opencv):
        cache.cache_clear()
    try:
        np.testing.assert_array_equal(mx.image.imdecode(data).asnumpy(), usual)
        codec.opencv.cache_clear()
        monkeypatch.setitem(sys.modules, "cv2", None)
        with pytest.raises(
            MXNetError, match=r"needs OpenCV, which is not installed; pip install mxcy\[image\]"
        ):
            mx.image.imdecode(data)
    finally:
        for cache in (codec._simplejpeg, codec.opencv):
            cache.cache_clear()
