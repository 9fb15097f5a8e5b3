"""What is in a record of a data set: a header with labels, then the data, perhaps an image."""

from __future__ import annotations

import numbers
import struct
from collections import namedtuple
from typing import Any

import numpy as np

from ..errors import ArgumentError, FormatError, message

__all__ = ["HEADER", "IRHeader", "pack", "pack_img", "unpack", "unpack_img"]
__all__ += ["_IR_FORMAT", "_IR_SIZE"]  # which programs take to read heads themselves

# MXNet's headers print themselves as HEADER; pickles look for that name here.
HEADER = namedtuple("HEADER", ["flag", "label", "id", "id2"])
IRHeader = HEADER
IRHeader.__doc__ = """The head of a record: flag (the number of labels, 0 for one), label, id, id2."""

_IR_FORMAT = "<IfQQ"
IR_HEAD = struct.Struct(_IR_FORMAT)
_IR_SIZE = IR_HEAD.size


def pack(header: Any, s: bytes) -> bytes:
    """Return a record of a header (an `IRHeader` or four values) and data; label: a number or several."""
    header = IRHeader(*header)
    if isinstance(header.label, numbers.Number):
        header = header._replace(flag=0)
    else:
        labels = np.asarray(header.label, dtype=np.float32)
        header = header._replace(flag=labels.size, label=0)
        s = labels.tobytes() + s
    try:
        return IR_HEAD.pack(*header) + s
    except struct.error as error:
        raise ArgumentError(
            message("pack", "header", "flag, label, id and id2 that fit", str(error))
        ) from None


def unpack(s: bytes) -> tuple[Any, bytes]:
    """Return (header, data) of a record; several labels as a float32 array."""
    if len(s) < IR_HEAD.size:
        raise FormatError(message("unpack", "s", f"at least the {IR_HEAD.size} bytes of a header", len(s)))
    header = IRHeader(*IR_HEAD.unpack_from(s))
    s = s[IR_HEAD.size :]
    if header.flag > 0:
        if len(s) < 4 * header.flag:
            raise FormatError(message("unpack", "s", f"{header.flag} labels of 4 bytes", f"{len(s)} bytes"))
        header = header._replace(label=np.frombuffer(s, np.float32, header.flag))
        s = s[4 * header.flag :]
    return header, s


def pack_img(header: Any, img: np.ndarray, quality: int = 95, img_fmt: str = ".jpg") -> bytes:
    """Return a record of a header and an encoded image (height, width[, channels: BGR]).

    `quality` is that of JPEG (1 to 100), or the compression of PNG (0 to 9).
    """
    from ..image import codec

    return pack(header, codec.encode(img, quality, img_fmt))


def unpack_img(s: bytes, iscolor: int = -1) -> tuple[Any, np.ndarray]:
    """Return (header, image) of a record; `iscolor`: 1 for colour (BGR), 0 for grey, -1 as it is.

    Grey images are (height, width). Those of cameras are turned as their EXIF data say, but for -1.
    """
    from ..image import codec

    header, data = unpack(s)
    image = codec.decode(data, iscolor, rgb=False, upright=iscolor >= 0)
    return header, image[:, :, 0] if image.shape[2] == 1 else image
