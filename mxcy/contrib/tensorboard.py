"""Metrics for TensorBoard: a callback, and the writer of event files."""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import Any

__all__ = ["LogMetricsCallback", "SummaryWriter"]

POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), reflected


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def masked_crc(content: bytes) -> int:
    """The checksum of TFRecord files: CRC-32C, rotated by 15 bits, plus a constant."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _bytes_field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


class SummaryWriter:
    """Writes scalars to an event file in a folder, as `tensorboard --logdir` reads them.

    Parameters
    ----------
    logdir : the folder, made if it is not there.

    The file is a series of TFRecords, each an `Event` of TensorFlow's protocol buffers.
    """

    def __init__(self, logdir: str):
        os.makedirs(logdir, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        taken = 0
        while os.path.exists(os.path.join(logdir, f"{name}.{taken}")):
            taken += 1
        self.path = os.path.join(logdir, f"{name}.{taken}")
        self._stream = open(self.path, "xb")  # noqa: SIM115 - closed by `close`
        self._write(_bytes_field(3, b"brain.Event:2"))

    def add_scalar(self, tag: str, value: float, global_step: int = 0) -> None:
        """Write a value of the curve `tag` at a step."""
        point = _bytes_field(1, tag.encode()) + b"\x15" + struct.pack("<f", value)  # tag, simple_value
        self._write(b"\x10" + _varint(int(global_step)) + _bytes_field(5, _bytes_field(1, point)))

    def _write(self, fields: bytes) -> None:
        content = b"\x09" + struct.pack("<d", time.time()) + fields
        size = struct.pack("<Q", len(content))
        check = struct.pack("<I", masked_crc(size)), struct.pack("<I", masked_crc(content))
        self._stream.write(size + check[0] + content + check[1])
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        stream = getattr(self, "_stream", None)
        if stream is not None:
            stream.close()


class LogMetricsCallback:
    """Callback that writes metrics for TensorBoard, of batches or of evaluations.

        train = mx.contrib.tensorboard.LogMetricsCallback("logs/train")
        evaluation = mx.contrib.tensorboard.LogMetricsCallback("logs/evaluation")
        module.fit(..., batch_end_callback=train, eval_end_callback=evaluation)

    Parameters
    ----------
    logging_dir : folder of the event file.
    prefix : put before the names of metrics.

    Values are drawn over epochs: after a batch, the metric of the epoch so far.
    """

    def __init__(self, logging_dir: str, prefix: str | None = None):
        self.prefix = prefix
        self.summary_writer = SummaryWriter(logging_dir)

    def __call__(self, param: Any) -> None:
        """Write each metric."""
        for name, value in param.eval_metric.get_name_value() if param.eval_metric is not None else ():
            tag = name if self.prefix is None else f"{self.prefix}-{name}"
            self.summary_writer.add_scalar(tag, value, global_step=param.epoch)
