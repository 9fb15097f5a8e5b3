"""How JPEG files say that their pictures are to be turned (Exif 2.3, tag 0x0112)."""

from __future__ import annotations

import struct

import numpy as np

__all__ = ["TRANSPOSED", "orientation", "turned"]

TRANSPOSED = 5  # from this orientation on, rows and columns are exchanged
ORIENTATION = 0x0112
JPEG_START = b"\xff\xd8"
APP1, APP2, APP15, COMMENT = 0xE1, 0xE2, 0xEF, 0xFE
EXIF_MARK = 6  # bytes before the tags: "Exif" and two zeros
ORDERS = {b"II": "<", b"MM": ">"}


def orientation(data: memoryview) -> int:
    """Return the orientation (1 to 8) of a picture file for which MXNet turns it, 1 for all others.

    Those are JPEG files with EXIF data before any head of JFIF: of cameras, but not of most programs, which
    put that head first.
    """
    if data[:2] != JPEG_START:
        return 1
    at = 2
    while len(data) >= at + 4 and data[at] == 0xFF:
        kind, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == APP1:
            return of_tags(bytes(data[at + 4 + EXIF_MARK : at + 2 + size]))
        if kind != COMMENT and not APP2 <= kind <= APP15:
            return 1
        at += 2 + size
    return 1


def of_tags(tags: bytes) -> int:
    """The orientation in a table of tags; 1 if there is none, or the table is damaged."""
    order = ORDERS.get(tags[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", tags, 4)
        (count,) = struct.unpack_from(order + "H", tags, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, value = struct.unpack_from(order + "H6xH", tags, at)
            if tag == ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def turned(image: np.ndarray, way: int) -> np.ndarray:
    """Return a picture (height, width, channels) as it is to be seen if its file says this orientation."""
    if way == 1:
        return image
    if way >= TRANSPOSED:
        image = image.swapaxes(0, 1)
    left_right, upside_down = way in (2, 3, 6, 7), way in (3, 4, 7, 8)
    return np.ascontiguousarray(image[:: -1 if upside_down else 1, :: -1 if left_right else 1])
