"""Make lists of pictures, and files of records from the lists.

With --list: write PREFIX.lst, a line "key, label, path" for each picture below ROOT. Without: write a file
of records, with its index, for each list whose path begins with PREFIX. The options are those of MXNet's
im2rec.py.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError, MXNetError, message
from ..image import codec
from ..recordio import MXRecordIO, pack, unpack
from ..recordio.framing import framed

__all__ = ["add_arguments", "run"]

Item = tuple[int, str, list[float]]  # key, path, labels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("prefix", help="beginning of the paths of lists and records")
    parser.add_argument("root", help="folder of the pictures")
    lists = parser.add_argument_group("lists")
    lists.add_argument("--list", action="store_true", help="make lists, not records")
    lists.add_argument("--exts", nargs="+", default=[".jpeg", ".jpg", ".png"], help="endings of pictures")
    lists.add_argument("--chunks", type=int, default=1, help="number of lists")
    lists.add_argument("--train-ratio", type=float, default=1.0, help="share of pictures for training")
    lists.add_argument("--test-ratio", type=float, default=0.0, help="share of pictures for tests")
    lists.add_argument("--recursive", action="store_true", help="a label for each folder below ROOT")
    lists.add_argument("--no-shuffle", dest="shuffle", action="store_false", help="in the order of paths")
    records = parser.add_argument_group("records")
    records.add_argument("--pass-through", action="store_true", help="keep the files as they are")
    records.add_argument("--resize", type=int, default=0, help="length of the shorter edge")
    records.add_argument("--center-crop", action="store_true", help="cut out the middle square")
    records.add_argument("--quality", type=int, default=95, help="of JPEG, 1 to 100; of PNG, 0 to 9")
    records.add_argument("--num-thread", type=int, default=1, help="threads that encode")
    records.add_argument(
        "--color", type=int, default=1, choices=[-1, 0, 1], help="1 colour, 0 grey, -1 as it is"
    )
    records.add_argument("--encoding", default=".jpg", choices=[".jpg", ".png"], help="of the pictures")
    records.add_argument("--pack-label", action="store_true", help="pack all labels of a line, not the first")
    records.add_argument("--resume", action="store_true", help="go on with records that were interrupted")
    records.add_argument("--checksum", action="store_true", help="write PREFIX.sum, for mxcy rec verify")


def run(arguments: argparse.Namespace) -> int:
    """Make lists or records; return the exit code."""
    prefix = os.path.abspath(arguments.prefix)
    if arguments.list:
        make_lists(arguments, prefix)
        return 0
    folder = prefix if os.path.isdir(prefix) else os.path.dirname(prefix)
    lists = sorted(path for path in Path(folder).glob("*.lst") if os.fspath(path).startswith(prefix))
    if not lists:
        print(f"mxcy im2rec: no list begins with {prefix}; make one with --list", file=sys.stderr)
        return 1
    for path in lists:
        print(f"Creating {path.with_suffix('.rec')} from {path.name}")
        Packing(arguments, path).run()
    return 0


# --- lists --------------------------------------------------------------------------------------------
def make_lists(arguments: argparse.Namespace, prefix: str) -> None:
    """Write the lists."""
    items = list(found(os.path.abspath(arguments.root), arguments.recursive, arguments.exts))
    if arguments.shuffle:
        random.Random(100).shuffle(items)
    size = -(-len(items) // arguments.chunks)
    for number in range(arguments.chunks):
        chunk = items[number * size : (number + 1) * size]
        name = prefix + (f"_{number}" if arguments.chunks > 1 else "")
        train, test = int(size * arguments.train_ratio), int(size * arguments.test_ratio)
        if arguments.train_ratio == 1.0:
            write_list(f"{name}.lst", chunk)
            continue
        if arguments.test_ratio:
            write_list(f"{name}_test.lst", chunk[:test])
        if arguments.train_ratio + arguments.test_ratio < 1.0:
            write_list(f"{name}_val.lst", chunk[test + train :])
        write_list(f"{name}_train.lst", chunk[test : test + train])


def found(root: str, recursive: bool, endings: list[str]) -> Iterator[Item]:
    """The pictures below a folder; the labels count the folders that hold some."""
    labels: dict[str, int] = {}
    count = 0
    for path, folders, files in os.walk(root, followlinks=True):
        folders[:] = sorted(folders) if recursive else []
        for name in sorted(files):
            if os.path.splitext(name)[1].lower() not in endings:
                continue
            label = labels.setdefault(path, len(labels)) if recursive else 0
            yield count, os.path.relpath(os.path.join(path, name), root), [float(label)]
            count += 1
    for path, label in labels.items():
        print(os.path.relpath(path, root), label)


def write_list(path: str, items: list[Item]) -> None:
    """Write a list."""
    lines = ("\t".join([str(key), *(f"{x:f}" for x in labels), name]) + "\n" for key, name, labels in items)
    Path(path).write_text("".join(lines))


def read_items(path: Path) -> Iterator[Item]:
    """The items of a list; lines that are none are named and left out."""
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            parts = [part.strip() for part in line.decode().strip().split("\t")]
            if len(parts) < 3:
                raise ValueError(f"{len(parts)} parts")
            yield int(parts[0]), parts[-1], [float(x) for x in parts[1:-1]]
        except ValueError as error:
            expected = "a key, labels and a path between tabs"
            print(message("im2rec", f"{path}:{number}", expected, error, "left out"), file=sys.stderr)


# --- records ------------------------------------------------------------------------------------------
class Packing:
    """A file of records, with its index, from a list."""

    def __init__(self, arguments: argparse.Namespace, path: Path):
        self._arguments = arguments
        self._root = os.path.abspath(arguments.root)
        self._list = path
        self._records, self._index, self._sums = (path.with_suffix(x) for x in (".rec", ".idx", ".sum"))
        self._left_out = 0

    def run(self) -> None:
        """Write the files. Records come in the order of the list, whatever the number of threads."""
        items = list(read_items(self._list))
        done = self._recovered() if self._arguments.resume else set()
        mode = "a" if done else "w"
        todo = [item for item in items if item[0] not in done]
        with (
            open(self._records, f"{mode}b") as records,
            open(self._index, mode) as index,
            open(self._sums, mode) if self._arguments.checksum else open(os.devnull, "w") as sums,
        ):
            progress = Progress(len(items), len(done))
            for key, record in self._encoded(todo):
                position = records.tell()
                records.write(framed(record))
                index.write(f"{key}\t{position}\n")
                sums.write(f"{position}\t{zlib.crc32(record):08x}\n")
                progress.step()
            progress.end()
        if self._left_out:
            print(f"mxcy im2rec: {self._left_out} of {len(items)} pictures left out", file=sys.stderr)

    def _encoded(self, items: list[Item]) -> Iterator[tuple[int, bytes]]:
        """(key, record) of the items that can be packed."""
        waiting: deque[tuple[Item, Future]] = deque()
        with ThreadPoolExecutor(max(1, self._arguments.num_thread)) as pool:
            for item in items:
                waiting.append((item, pool.submit(self._record, item)))
                if len(waiting) > 4 * self._arguments.num_thread:
                    yield from self._finished(*waiting.popleft())
            while waiting:
                yield from self._finished(*waiting.popleft())

    def _finished(self, item: Item, future: Future) -> Iterator[tuple[int, bytes]]:
        try:
            yield item[0], future.result()
        except (OSError, MXNetError) as error:
            self._left_out += 1
            print(f"mxcy im2rec: {item[1]} left out: {error}", file=sys.stderr)

    def _record(self, item: Item) -> bytes:
        """The record of an item."""
        options = self._arguments
        key, name, labels = item
        several = len(labels) > 1 and options.pack_label
        header: Any = (0, labels if several else labels[0], key, 0)
        with open(os.path.join(self._root, name), "rb") as stream:
            data = stream.read()
        if not options.pass_through:
            image = self._changed(codec.decode(data, options.color, rgb=False, upright=True))
            data = codec.encode(image, options.quality, options.encoding)
        return pack(header, data)

    def _changed(self, image: np.ndarray) -> np.ndarray:
        """A picture cut and scaled as wanted."""
        height, width = image.shape[:2]
        if self._arguments.center_crop:
            edge = min(height, width)
            top, left = (height - edge) // 2, (width - edge) // 2
            image = image[top : top + edge, left : left + edge]
            height = width = edge
        short = self._arguments.resize
        if short:
            size = (short, height * short // width) if height > width else (width * short // height, short)
            image = codec.opencv().resize(np.ascontiguousarray(image), size)
        return np.ascontiguousarray(image)

    def _recovered(self) -> set[int]:
        """Keys of the whole records of an interrupted run, whose files end behind the last of them."""
        if not self._records.is_file():
            return set()
        keys, lines, sums = [], [], []
        end = 0
        with MXRecordIO(self._records, "r") as reader:
            while True:
                try:
                    record = reader.read()
                    if record is None:
                        break
                    keys.append(unpack(record)[0].id)
                except FormatError:
                    break
                lines.append(f"{keys[-1]}\t{end}\n")
                sums.append(f"{end}\t{zlib.crc32(record):08x}\n")
                end = reader.tell()
        with open(self._records, "r+b") as records:
            records.truncate(end)
        self._index.write_text("".join(lines))
        if self._arguments.checksum:
            self._sums.write_text("".join(sums))
        return set(keys)


class Progress:
    """A line on the terminal with how far it is."""

    def __init__(self, total: int, done: int):
        self._total, self._done = total, done
        self._begin = self._shown = time.monotonic()
        self._first = done
        self._live = sys.stderr.isatty()

    def step(self) -> None:
        """Count one."""
        self._done += 1
        now = time.monotonic()
        if self._live and now - self._shown > 0.2:
            self._shown = now
            print(f"\r{self._text()}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Show the last count."""
        print(f"\r{self._text()}" if self._live else self._text(), file=sys.stderr)

    def _text(self) -> str:
        seconds = max(time.monotonic() - self._begin, 1e-9)
        share = self._done / self._total if self._total else 1.0
        bar = "#" * int(30 * share)
        return f"[{bar:30}] {self._done}/{self._total}  {(self._done - self._first) / seconds:.0f}/s"
