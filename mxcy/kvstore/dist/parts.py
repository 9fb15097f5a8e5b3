"""How a unit that is pushed is cut into frames of about a megabyte."""

from __future__ import annotations

import numpy as np

from .codecs import SCALE
from .frames import PART, Codec, Frame, Kind, entries

__all__ = ["push_frames"]


def push_frames(unit: int, round_: int, size: int, codec: Codec, data: np.ndarray) -> list[Frame]:
    """Return frames whose parts are pieces of `data`, which stays as it is until the round is applied.

    Parameters
    ----------
    size : bytes of the plain values. Pieces begin at whole `PART`s of these; rows are not cut.
    codec, data : the encoded values.
    """
    frames = []
    step = PART // SCALE[codec] if codec in SCALE else max(len(data), 1)
    for at in range(0, len(data), step):
        piece = data[at : at + step].data
        offset = at // step * PART
        covered = min(PART, size - offset) if codec in SCALE else size
        body = entries(1)
        body[0] = (unit, round_, offset, covered, 0, len(piece), 0, codec)
        frames.append(Frame(Kind.PUSH, body=body, parts=[piece]))
    return frames
