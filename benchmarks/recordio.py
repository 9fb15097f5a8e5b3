"""Are records read as fast as by the real MXNet?

    python benchmarks/recordio.py [--json FILE]

Records of 100 kB from the page cache, in order and at random by the index; and opening an index of 10^6
records.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from _turns import Peer, Table, arguments, finish, serve

COUNT, SIZE, MANY = 500, 100_000, 1_000_000
FOLDER = Path(tempfile.gettempdir()) / "mxcy-benchmark-recordio"


def prepare() -> None:
    """Write the files that both read."""
    from mxcy import recordio

    FOLDER.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    with recordio.MXIndexedRecordIO(FOLDER / "a.idx", FOLDER / "a.rec", "w") as writer:
        for key in range(COUNT):
            writer.write_idx(key, rng.bytes(SIZE))
    with recordio.MXIndexedRecordIO(FOLDER / "many.idx", FOLDER / "many.rec", "w") as writer:
        for key in range(MANY):
            writer.write_idx(key, b"x")


def calls(recordio):
    """{row: (function, loops)} of an implementation."""
    sequential = recordio.MXRecordIO(str(FOLDER / "a.rec"), "r")
    indexed = recordio.MXIndexedRecordIO(str(FOLDER / "a.idx"), str(FOLDER / "a.rec"), "r")
    order = np.random.default_rng(1).permutation(COUNT).tolist()

    def in_order():
        sequential.reset()
        while sequential.read() is not None:
            pass

    def at_random():
        for key in order:
            indexed.read_idx(key)

    def opened():
        reader = recordio.MXIndexedRecordIO(str(FOLDER / "many.idx"), str(FOLDER / "many.rec"), "r")
        reader.read_idx(MANY // 2)
        reader.close()

    return {"in order": (in_order, 1), "at random": (at_random, 1), "open, read one": (opened, 1)}


def main() -> None:
    options = arguments(__doc__)
    if options.peer:
        from mxnet import recordio

        serve(calls(recordio))
        return
    prepare()
    from mxcy import recordio

    peer = Peer("mxnet", __file__)
    table = Table(f"{COUNT} records of {SIZE} bytes; an index of {MANY}")
    for name, (function, loops) in calls(recordio).items():
        table.row(name, {"mxcy": function, "MXNet": peer.timer(name)}, loops)
    peer.close()
    finish(options, table)


if __name__ == "__main__":
    main()
