"""Look into files of records.

info: what is in a file. verify: whether all of it is whole, by its framing, by a file of checksums (as `mxcy
im2rec --checksum` writes it), by decoding the pictures. extract: write the contents to files. index: make the
index anew.
"""

from __future__ import annotations

import argparse
import os
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

from .._files import replacing
from ..errors import FormatError, message
from ..image import codec
from ..recordio import MXRecordIO, unpack

__all__ = ["add_arguments", "run"]

KINDS = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"GIF8": ".gif", b"BM": ".bmp", b"RIFF": ".webp"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, what in (
        ("info", "what is in a file"),
        ("verify", "whether a file is whole"),
        ("extract", "write the contents to files"),
        ("index", "make the index anew"),
    ):
        action = actions.add_parser(name, help=what, description=what)
        action.add_argument("file", help="the file of records")
        if name == "verify":
            action.add_argument(
                "--checksums", help="the file of checksums; by default FILE.sum if it is there"
            )
            action.add_argument("--decode", action="store_true", help="decode the pictures too")
        if name == "extract":
            action.add_argument("folder", help="where to; also a list, for mxcy im2rec")
            action.add_argument("--ids", type=int, nargs="+", help="only records of these ids")
        if name == "index":
            action.add_argument("--output", help="the index; by default FILE.idx")
            action.add_argument(
                "--count", action="store_true", help="keys 0, 1, …, not the ids of the records"
            )


def run(arguments: argparse.Namespace) -> int:
    """Do one of the actions; return the exit code."""
    return ACTIONS[arguments.action](arguments)


def beside(path: str, ending: str) -> str:
    """The path of a file beside another."""
    return os.path.splitext(path)[0] + ending


def kind_of(data: bytes) -> str:
    """The ending of a file by how its bytes begin."""
    return next((ending for start, ending in KINDS.items() if data.startswith(start)), ".bin")


def headed(record: bytes) -> tuple[Any, bytes]:
    """(header, contents) of a record; (None, record) if it has none."""
    try:
        return unpack(record)
    except FormatError:
        return None, record


def info(arguments: argparse.Namespace) -> int:
    """Print what is in a file."""
    kinds: Counter[str] = Counter()
    labels: Counter[int] = Counter()
    sizes = []
    with MXRecordIO(arguments.file, "r", skip_damaged=True) as reader:
        for record in reader:
            header, data = headed(record)
            kinds[kind_of(data)] += 1
            labels[-1 if header is None else max(1, header.flag)] += 1
            sizes.append(len(record))
        print(f"{arguments.file}: {len(sizes)} records, {reader.nbytes()} bytes")
        if sizes:
            mean = sum(sizes) / len(sizes)
            print(f"  record: {min(sizes)} to {max(sizes)} bytes, {mean:.0f} on average")
        print("  contents: " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
        widths = ", ".join(
            f"{count} without header" if width < 0 else f"{count} of {width}"
            for width, count in labels.items()
        )
        print(f"  labels: {widths}")
        if reader.skipped:
            print(f"  damaged: {reader.skipped} places")
    return 0


def verify(arguments: argparse.Namespace) -> int:
    """Print what is damaged; 1 if anything is."""
    path = arguments.checksums or beside(arguments.file, ".sum")
    sums = read_sums(path) if arguments.checksums or os.path.isfile(path) else None
    count = bad = 0

    def report(text: object) -> None:
        nonlocal bad
        bad += 1
        print(text, file=sys.stderr)

    with MXRecordIO(arguments.file, "r", skip_damaged=True) as finder:
        positions = finder.positions().tolist()
    with MXRecordIO(arguments.file, "r") as reader:
        end = 0
        for position in positions:
            if position != end:
                report(f"{arguments.file} at byte {end}: no record up to byte {position}")
            reader.seek_to(position)
            try:
                record = reader.read() or b""
            except FormatError as error:
                report(error)
                continue
            end = reader.tell()
            count += 1
            place = f"{arguments.file} at byte {position}"
            if sums is not None and sums.pop(position, None) != zlib.crc32(record):
                report(f"{place}: the checksum is another")
            if arguments.decode:
                try:
                    codec.decode(headed(record)[1])
                except FormatError as error:
                    report(f"{place}: {error}")
        if end < reader.nbytes():
            report(f"{arguments.file} at byte {end}: no record up to the end")
    for position in sums or ():
        report(f"{arguments.file} at byte {position}: no record, though there is a checksum")
    print(f"{count} records, {bad} problems" + ("" if sums is None else f", checksums of {path}"))
    return 1 if bad else 0


def read_sums(path: str) -> dict[int, int]:
    """Checksums by position."""
    found = {}
    for number, line in enumerate(Path(path).read_bytes().splitlines(), 1):
        try:
            position, value = line.split(b"\t")
            found[int(position)] = int(value, 16)
        except ValueError:
            expected = "a position, a tab and a checksum"
            raise FormatError(message("verify", f"{path}:{number}", expected, repr(line))) from None
    return found


def extract(arguments: argparse.Namespace) -> int:
    """Write the contents of records to files, and a list of them."""
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = None if arguments.ids is None else set(arguments.ids)
    lines = []
    with MXRecordIO(arguments.file, "r") as reader:
        for number, record in enumerate(reader):
            header, data = headed(record)
            key = number if header is None else header.id
            if wanted is not None and key not in wanted:
                continue
            name = f"{number:08d}_{key}{kind_of(data)}"
            (folder / name).write_bytes(data)
            labels = [0.0] if header is None else header.label if header.flag else [header.label]
            lines.append("\t".join([str(key), *(f"{x:f}" for x in labels), name]) + "\n")
    (folder / "extracted.lst").write_text("".join(lines))
    print(f"{len(lines)} files in {folder}")
    return 0


def index(arguments: argparse.Namespace) -> int:
    """Write the index of a file."""
    with MXRecordIO(arguments.file, "r") as reader:
        positions = reader.positions().tolist()
        keys = list(range(len(positions)))
        if not arguments.count:
            headers = [headed(reader.read_at(position))[0] for position in positions]
            ids = [header.id for header in headers if header is not None]
            if len(set(ids)) == len(positions):
                keys = ids
            elif ids:
                print("ids are missing or not unique: keys count from 0", file=sys.stderr)
    path = arguments.output or beside(arguments.file, ".idx")
    with replacing(path) as stream:
        stream.write("".join(f"{k}\t{p}\n" for k, p in zip(keys, positions, strict=True)).encode())
    print(f"{path}: {len(positions)} records")
    return 0


ACTIONS = {"info": info, "verify": verify, "extract": extract, "index": index}
