"""Windows of JPEG pictures: as the whole picture there, and nothing happens for broken ones."""

import io
import struct

import numpy as np
import PIL.Image
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from mxcy.kernels.cpu.jpeg import HAS_JPEG, jpeg_head, jpeg_window

from mxcy.errors import FormatError, ShapeError
from mxcy.image import codec

pytestmark = pytest.mark.skipif(not HAS_JPEG, reason="built without libjpeg-turbo")
SAMPLINGS = {"444": 0, "422": 1, "420": 2, "grey": None}
HEIGHT, WIDTH = 75, 101


def encoded(sampling="420", progressive=False, seed=0):
    rng = np.random.default_rng(seed)
    rough = rng.integers(0, 256, (9, 12, 3)).astype(np.uint8)
    picture = PIL.Image.fromarray(rough).resize((WIDTH, HEIGHT), PIL.Image.Resampling.BICUBIC)
    options = {} if sampling == "grey" else {"subsampling": SAMPLINGS[sampling]}
    stream = io.BytesIO()
    picture = picture.convert("L") if sampling == "grey" else picture
    picture.save(stream, "JPEG", quality=85, progressive=progressive, **options)
    return stream.getvalue()


FILES = {(s, p): encoded(s, p) for s in SAMPLINGS for p in (False, True)}


def decoded(data, factor=1, channels=3, rows=None, columns=None):
    height, width = -(-HEIGHT // factor), -(-WIDTH // factor)
    image = np.full((height, width, channels), 7, np.uint8)
    jpeg_window(data, factor, image, rows or (0, height), columns or (0, width))
    return image


@pytest.mark.parametrize("key", FILES, ids=str)
@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("channels", [1, 3])
def test_whole_pictures_are_those_of_simplejpeg(key, factor, channels):
    data = FILES[key]
    least = {"min_height": -(-HEIGHT // factor), "min_width": -(-WIDTH // factor)} if factor > 1 else {}
    kind = "GRAY" if channels == 1 else "RGB"
    expected = simplejpeg.decode_jpeg(data, kind, min_factor=1, **least)

    assert jpeg_head(data) == (HEIGHT, WIDTH, True)
    expected = expected.reshape(*expected.shape[:2], channels)
    np.testing.assert_array_equal(decoded(data, factor, channels), expected)


@given(st.sampled_from(list(FILES)), st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 3]), st.data())
def test_windows_are_parts_of_the_whole(key, factor, channels, data):
    whole = decoded(FILES[key], factor, channels)
    window = []
    for extent in whole.shape[:2]:
        first = data.draw(st.integers(0, extent - 1))
        window.append((first, data.draw(st.integers(first + 1, extent))))
    part = decoded(FILES[key], factor, channels, *window)
    (top, bottom), (left, right) = window
    np.testing.assert_array_equal(part[top:bottom, left:right], whole[top:bottom, left:right])


@given(st.sampled_from(list(FILES)), st.data())
def test_changed_bytes_give_pixels_or_an_error(key, data):
    content = bytearray(FILES[key])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        found, full = codec.open_for(content, 3, data.draw(st.sampled_from([0, 20, 60])), codec.no_memory)
        if isinstance(found, codec.Unread):
            rows, columns = ((extent // 3, extent // 2 + 1) for extent in found.shape[:2])
            found = found.pixels(rows, columns)
    except FormatError:
        return
    assert found.dtype == np.uint8 and found.shape[2] == 3 and found.size <= 3 * full[0] * full[1]


def test_cut_pictures_are_decoded_as_far_as_they_go():
    data = FILES["420", False]
    cut = decoded(data[: len(data) // 2])
    np.testing.assert_array_equal(cut[:8], decoded(data)[:8])
    np.testing.assert_array_equal(decoded(data[: len(data) // 2], rows=(40, 75))[40:], cut[40:])


def test_gigantic_heads_are_refused_before_anything_is_decoded():
    data = bytearray(FILES["420", False])
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65500, 65500)
    with pytest.raises(FormatError, match=f"at most {codec.MOST_PIXELS} pixels, got 65500 x 65500"):
        codec.open_for(bytes(data), 3, 0, codec.no_memory)
    data[at : at + 4] = struct.pack(">HH", 4000, 4000)
    with pytest.raises(FormatError, match="a picture that fits into"):
        codec.open_for(bytes(data), 3, 0, codec.no_memory)


def test_what_makes_no_sense_is_refused():
    data = FILES["420", False]
    for content in (b"", b"no picture", data[:40]):
        with pytest.raises(ValueError):
            jpeg_head(content)
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    for rows, columns in (((-1, 5), (0, 5)), ((0, HEIGHT + 1), (0, 5)), ((0, 5), (5, 5))):
        with pytest.raises(ShapeError, match="rows, columns"):
            jpeg_window(data, 1, image, rows, columns)
    with pytest.raises(ShapeError, match="shrunk by 1, 2, 4 or 8"):
        jpeg_window(data, 3, image, (0, 5), (0, 5))
    with pytest.raises(ValueError, match="another size"):
        jpeg_window(data, 1, image[:-1], (0, 5), (0, 5))
    with pytest.raises(ValueError):
        jpeg_window(b"", 1, image, (0, 5), (0, 5))
