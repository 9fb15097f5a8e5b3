"""`mx.recordio`: many records of any bytes in one file, in the format of MXNet.

A record is copied once, or not at all (`read_view`, which is memory of the file).
"""

from .files import MXIndexedRecordIO, MXRecordIO
from .packing import _IR_FORMAT, _IR_SIZE, HEADER, IRHeader, pack, pack_img, unpack, unpack_img

__all__ = [
    "HEADER",
    "IRHeader",
    "MXIndexedRecordIO",
    "MXRecordIO",
    "pack",
    "pack_img",
    "unpack",
    "unpack_img",
]
__all__ += ["_IR_FORMAT", "_IR_SIZE"]
