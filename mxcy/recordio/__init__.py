"""`mx.recordio`: many records of any bytes in one file, in the format of MXNet.

A record is copied once, or not at all (`read_view`, which is memory of the file).
"""

from .files import MXIndexedRecordIO, MXRecordIO
from .packing import IRHeader, pack, pack_img, unpack, unpack_img

__all__ = [
    "IRHeader",
    "MXIndexedRecordIO",
    "MXRecordIO",
    "pack",
    "pack_img",
    "unpack",
    "unpack_img",
]
