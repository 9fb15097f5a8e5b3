"""What the record iterators do to pictures: scaling, turning, cutting, colours; and normalising into a batch.

Where nothing but scaling by bilinear interpolation, cutting, mirroring and normalising is wanted, which is
the usual case, a picture is read once and written once, by `kernels.cpu.pictures`; else OpenCV makes the
steps between. The steps and their order are MXNet's (ImageRecordIter).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import FormatError, message
from ..image.augment import COLOR_VALUES, COLOR_VECTORS
from ..image.codec import Unread, opencv
from ..image.image import AREA, AUTOMATIC, BILINEAR, CUBIC, RANDOM
from ..kernels.cpu.pictures import place_picture
from .draws import Draws
from .parameters import Colors, Normalisation, PictureChanges

__all__ = ["Normaliser", "Picture", "change_colors", "cut_picture", "method_of"]


class Picture:
    """A picture on its way: `part` of it is to be scaled to `grid`, from which a `window` will be cut.

    Scaling waits until its result is needed; most pictures never need it whole.
    """

    def __init__(self, image: np.ndarray | Unread, interp: int):
        self._image = image
        self.interp = interp
        self.part = (0, 0, *image.shape[:2])
        self.grid: tuple[int, int] = image.shape[:2]  # type: ignore[assignment]
        self.window = (0, 0)

    def settle(self, shape: tuple[int, int] | None = None) -> np.ndarray:
        """Make the picture in its new size, or the window of it of a shape; return it."""
        top, left, height, width = self.part
        image = self.pixels()[top : top + height, left : left + width]
        if self.grid != (height, width):
            image = scaled(image, self.grid, self.interp)
        if shape is not None:
            y, x = self.window
            image = image[y : y + shape[0], x : x + shape[1]]
        self.replace(image)
        return image

    def pixels(self, shape: tuple[int, int] | None = None) -> np.ndarray:
        """Return the picture as it is now; with a shape, what its window needs of it is enough."""
        if isinstance(self._image, np.ndarray):
            return self._image
        if shape is None:
            self._image = self._image.pixels()
            return self._image
        wanted = []
        for axis in (0, 1):
            start, extent = self.part[axis], self.part[axis + 2]
            scale, first = extent / self.grid[axis], self.window[axis]
            low = int(first * scale) - 2
            high = int((first + shape[axis]) * scale) + 3
            wanted.append((start + max(0, low), start + min(extent, high)))
        return self._image.pixels(*wanted)

    def replace(self, image: np.ndarray) -> None:
        """Go on with another picture."""
        self.__init__(np.ascontiguousarray(image), self.interp)  # type: ignore[misc]


def scaled(image: np.ndarray, size: tuple[int, int], interp: int) -> np.ndarray:
    """A picture scaled to (height, width)."""
    height, width = size
    found = opencv().resize(np.ascontiguousarray(image), (width, height), interpolation=interp)
    return found.reshape(height, width, image.shape[2])


def method_of(interp: int, old: tuple[int, int], new: tuple[int, int], draws: Draws) -> int:
    """Which of OpenCV's methods is meant, for scaling from one (height, width) to another."""
    if interp == AUTOMATIC:
        if new[0] > old[0] and new[1] > old[1]:
            return CUBIC
        return AREA if new[0] < old[0] and new[1] < old[1] else BILINEAR
    return draws.whole(0, 4) if interp == RANDOM else interp


def cut_picture(image: np.ndarray | Unread, size: tuple[int, int], p: PictureChanges, draws: Draws,
                full: tuple[int, int]) -> Picture:  # fmt: skip
    """Return a picture after scaling, turning and cutting, of which a window of `size` is to be placed.

    `full`: (height, width) of the picture before it was shrunk by the decoder.
    """
    picture = Picture(image, BILINEAR)
    if p.resize > 0:
        picture.grid = shorter(full, p.resize)
        picture.interp = method_of(p.inter_method, full, picture.grid, draws)
    if p.turns():
        picture.replace(turned(picture.settle(), p, draws))
    if p.pad > 0:
        filling = (p.fill_value,) * 4
        border = opencv().copyMakeBorder(picture.settle(), *[p.pad] * 4, 0, value=filling)
        picture.replace(border.reshape(*border.shape[:2], image.shape[2]))
    if p.random_resized_crop:
        random_part(picture, size, p, draws)
    elif p.max_crop_size > 0 or p.min_crop_size > 0:
        square_part(picture, size, p, draws)
    cut_window(picture, size, p, draws)
    return picture


def shorter(old: tuple[int, int], edge: int) -> tuple[int, int]:
    """The (height, width) of a picture whose shorter edge is scaled to a length."""
    height, width = old
    return (edge * height // width, edge) if height > width else (edge, edge * width // height)


def turned(image: np.ndarray, p: PictureChanges, draws: Draws) -> np.ndarray:
    """A picture turned, sheared and scaled at random."""
    cv2 = opencv()
    shear = draws.between(-p.max_shear_ratio, p.max_shear_ratio)
    angle = draws.whole(-p.max_rotate_angle, p.max_rotate_angle)
    if p.rotate > 0:
        angle = p.rotate
    scale = draws.between(p.min_random_scale, p.max_random_scale)
    ratio = 1.0 if p.random_resized_crop else draws.between(*p.ratios())
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    high = 2 * scale / (1 + ratio)
    wide = ratio * high
    matrix = np.array([
        [high * cos - shear * sin * wide, high * sin + shear * cos * wide, 0],
        [-sin * wide, cos * wide, 0],
    ])  # fmt: skip
    rows, columns = image.shape[:2]
    new_width, new_height = (
        max(p.min_img_size, min(p.max_img_size, scale * extent)) for extent in (columns, rows)
    )
    # The middle stays the middle.
    matrix[:, 2] = (np.array([new_width, new_height]) - matrix[:, :2] @ [columns, rows]) / 2
    size = (max(1, int(new_width)), max(1, int(new_height)))
    method = method_of(p.inter_method, (rows, columns), size[::-1], draws)
    method = BILINEAR if method == AREA else method  # which OpenCV has for scaling only
    filling = (p.fill_value,) * 4
    found = cv2.warpAffine(image, matrix, size, flags=method, borderMode=0, borderValue=filling)
    return found.reshape(*found.shape[:2], image.shape[2])


def random_part(picture: Picture, size: tuple[int, int], p: PictureChanges, draws: Draws) -> None:
    """Scale a part of random area and proportions to `size`; if ten do not fit, leave the picture."""
    least, most = p.ratios()
    if (p.min_random_area, p.max_random_area, least, most) == (1, 1, 1, 1):
        return
    image = picture.settle()
    rows, columns = image.shape[:2]
    for _ in range(10):
        area = rows * columns * draws.between(p.min_random_area, p.max_random_area)
        ratio = draws.between(least, most)
        if ratio <= 0:
            continue
        height, width = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
        if draws.happens(0.5):
            height, width = width, height
        if 0 < height <= rows and 0 < width <= columns:
            top, left = draws.whole(0, rows - height), draws.whole(0, columns - width)
            scale_part(picture, (top, left, height, width), size, p, draws)
            return


def square_part(picture: Picture, size: tuple[int, int], p: PictureChanges, draws: Draws) -> None:
    """Scale a square part of random size to `size`."""
    image = picture.settle()
    rows, columns = image.shape[:2]
    if not 0 < p.min_crop_size <= p.max_crop_size <= min(rows, columns):
        expected = f"a size of at most {min(rows, columns)}, as the picture has"
        got = f"{p.min_crop_size} to {p.max_crop_size}"
        raise FormatError(message("ImageRecordIter", "max_crop_size, min_crop_size", expected, got))
    edge = draws.whole(p.min_crop_size, p.max_crop_size)
    top, left = rows - edge, columns - edge
    if p.rand_crop:
        top, left = draws.whole(0, top), draws.whole(0, left)
    else:
        top, left = top // 2, left // 2
    scale_part(picture, (top, left, edge, edge), size, p, draws)


def scale_part(picture: Picture, part: tuple, size: tuple[int, int], p: PictureChanges, draws: Draws) -> None:
    """Have a part of a picture scaled to `size`."""
    picture.part, picture.grid = part, size
    picture.interp = method_of(p.inter_method, part[2:], size, draws)


def cut_window(picture: Picture, size: tuple[int, int], p: PictureChanges, draws: Draws) -> None:
    """Choose the window of `size`; a picture that is too small is enlarged first."""
    for axis in (0, 1):
        if picture.grid[axis] < size[axis]:
            rows, columns = picture.settle().shape[:2]
            if axis == 0:
                # In the precision of MXNet, which decides where this rounds.
                ratio = np.float32(size[0]) / np.float32(rows)
                grid = (size[0], max(1, int(ratio * np.float32(columns))))
            else:
                ratio = np.float32(size[1]) / np.float32(columns)
                grid = (max(1, int(ratio * np.float32(rows))), size[1])
            picture.interp = method_of(p.inter_method, (rows, columns), grid, draws)
            picture.grid = grid
    room = [have - want for have, want in zip(picture.grid, size, strict=True)]
    if p.rand_crop:
        picture.window = (draws.whole(0, room[0]), draws.whole(0, room[1]))
    else:
        picture.window = (room[0] // 2, room[1] // 2)


# --- colours ------------------------------------------------------------------------------------------
def change_colors(image: np.ndarray, p: Colors, draws: Draws) -> np.ndarray:
    """Return a picture (RGB) after random changes of its colours."""
    if p.brightness > 0 or p.contrast > 0 or p.saturation > 0:
        image = jittered(image, p, draws)
    if p.random_h or p.random_s or p.random_l:
        limits = (p.random_h, p.random_s, p.random_l)
        image = shifted(image, [int(draws.between(-limit, limit)) for limit in limits])
    if p.pca_noise > 0:
        drawn = np.array([draws.normal(p.pca_noise) for _ in range(3)]) * COLOR_VALUES
        image = limited(image + COLOR_VECTORS @ drawn)
    return image


def limited(values: np.ndarray) -> np.ndarray:
    """Values as bytes."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def grey_of(image: np.ndarray) -> np.ndarray:
    """How bright each pixel is, (height, width)."""
    return image[:, :, 0] if image.shape[2] == 1 else opencv().cvtColor(image, opencv().COLOR_RGB2GRAY)


def jittered(image: np.ndarray, p: Colors, draws: Draws) -> np.ndarray:
    """A picture after brightness, contrast and saturation, in a random order."""
    factors = {name: 1 + draws.between(-x, x) for name, x in (
        ("brightness", p.brightness), ("contrast", p.contrast), ("saturation", p.saturation))}  # fmt: skip
    for name in draws.order(list(factors)):
        factor = np.float32(factors[name])
        if name == "brightness":
            image = limited(image * factor)
        elif name == "contrast":
            image = limited(image * factor + (1 - factor) * np.float32(grey_of(image).mean()))
        else:
            image = limited(image * factor + (1 - factor) * grey_of(image)[:, :, None].astype(np.float32))
    return image


def shifted(image: np.ndarray, by: list[int]) -> np.ndarray:
    """A picture with something added to hue, saturation and lightness."""
    if image.shape[2] != 3:
        return image
    cv2 = opencv()
    planes = cv2.cvtColor(image, cv2.COLOR_RGB2HLS).astype(np.int16)
    hue, saturation, lightness = by
    moved = planes + np.array([hue, lightness, saturation], np.int16)
    limits = np.array([180, 255, 255], np.int16)
    return cv2.cvtColor(np.clip(moved, 0, limits).astype(np.uint8), cv2.COLOR_HLS2RGB)


# --- into the batch -----------------------------------------------------------------------------------
class Normaliser:
    """Writes pictures to batches: cut, mirrored and normalised."""

    def __init__(self, p: Normalisation, channels: int):
        order = "rgba"[:channels]
        self._p = p
        self._mean = np.array([getattr(p, f"mean_{c}") for c in order], np.float32)
        self._std = np.array([getattr(p, f"std_{c}") or 1.0 for c in order], np.float32)
        self.mean_picture: np.ndarray | None = None
        self._fixed = p.max_random_contrast == 0 and p.max_random_illumination == 0
        self._usual = self._factors(1.0, 0.0)

    def _factors(self, contrast: float, light: float) -> tuple[list[float], list[float]]:
        """What to multiply with and what to add, of each channel."""
        factor = np.float32(contrast * self._p.scale) / self._std
        shift = np.float32(light * self._p.scale) / self._std - self._mean * factor
        return factor.tolist(), shift.tolist()

    def place(self, picture: Picture, out: np.ndarray, draws: Draws) -> None:
        """Write the window of a picture to a row of a batch (channels, height, width)."""
        p = self._p
        if picture.interp != BILINEAR and picture.grid != picture.part[2:]:
            picture.settle(out.shape[1:])  # type: ignore[arg-type]
        mirror = p.mirror or (p.rand_mirror and draws.happens(0.5))
        scale, shift = self._usual
        if not self._fixed:
            contrast = 1 + draws.between(-p.max_random_contrast, p.max_random_contrast)
            light = draws.between(-p.max_random_illumination, p.max_random_illumination)
            scale, shift = self._factors(contrast, light)
        image = picture.pixels(out.shape[1:])  # type: ignore[arg-type]
        arguments: tuple[Any, ...] = (image, out, picture.part, picture.grid, picture.window, mirror)
        if self.mean_picture is None or out.dtype == np.uint8:
            place_picture(*arguments, scale, shift)
            return
        # The mean of each pixel comes instead of that of its channel.
        values = np.empty(out.shape, np.float32)
        place_picture(image, values, *arguments[2:])
        values -= self.mean_picture
        values *= np.reshape(scale, (-1, 1, 1))
        values += np.reshape(np.add(shift, self._mean * scale), (-1, 1, 1))
        out[:] = values if out.dtype == np.float32 else np.clip(np.rint(values), -128, 127)
