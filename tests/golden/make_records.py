"""Writes records.{rec,idx} and records.json with the RecordIO of the real MXNet 1.9.1.

Run under MXNet 1.9.1 from this folder: python make_records.py
"""

import base64
import json
import struct

from mxnet import recordio

MAGIC = struct.pack('<I', 0xced7230a)
RECORDS = [b'', b'a', b'abcd', MAGIC, b'xx' + MAGIC, b'xxxx' + MAGIC + b'yy', MAGIC + MAGIC,
           b'1234' + MAGIC + b'5678' + MAGIC + MAGIC + b'z', bytes(range(256)),
           recordio.pack(recordio.IRHeader(0, 3.5, 7, 1), b'one label'),
           recordio.pack(recordio.IRHeader(0, [1, 2, 3], 8, 2), b'three labels')]


def main():
    writer = recordio.MXIndexedRecordIO('records.idx', 'records.rec', 'w')
    for key, record in enumerate(RECORDS):
        writer.write_idx(key, record)
    writer.close()
    with open('records.json', 'w') as stream:
        json.dump([base64.b64encode(record).decode() for record in RECORDS], stream, indent=0)


if __name__ == '__main__':
    main()
