"""What does a batch of arrays in memory cost?

    python benchmarks/iterators.py [--json FILE]

`NDArrayIter` over 4,000 x 784 numbers with labels, in batches of 64, in order and shuffled; and `CSVIter`
over a file of 4,000 x 20 numbers, from opening it to the end of an epoch.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from _turns import Peer, Table, arguments, finish, serve

ROWS, COLUMNS, BATCH = 4000, 784, 64
TEXT = Path(tempfile.gettempdir()) / "mxcy-benchmark-iterators.csv"


def calls(mx):
    """{row: (function, loops)} of an implementation; one call is an epoch."""
    rng = np.random.default_rng(0)
    x, y = rng.random((ROWS, COLUMNS), np.float32), np.arange(ROWS, dtype=np.float32)

    def epoch(**options):
        data = mx.io.NDArrayIter(x, y, BATCH, **options)

        def run():
            data.reset()
            for _ in data:
                pass
            mx.nd.waitall()

        return run

    def text():
        for _ in mx.io.CSVIter(data_csv=str(TEXT), data_shape=(20,), batch_size=BATCH):
            pass
        mx.nd.waitall()

    return {"in order": (epoch(), 20), "shuffled": (epoch(shuffle=True), 20), "a CSV file": (text, 3)}


def main() -> None:
    options = arguments(__doc__)
    if options.peer:
        import mxnet

        serve(calls(mxnet))
        return
    np.savetxt(TEXT, np.random.default_rng(0).random((ROWS, 20)), delimiter=",", fmt="%.6f")
    import mxcy as mx

    peer = Peer("mxnet", __file__)
    table = Table(f"an epoch of {ROWS} rows in batches of {BATCH}")
    for name, (function, loops) in calls(mx).items():
        # MXNet's threads go on for 0.2 s when they have run.
        contenders = {"mxcy": function, "MXNet": peer.timer(name)}
        seconds = table.row(name, contenders, loops, rest=0.25)
        print(f"    {1e6 * seconds['mxcy'] / -(-ROWS // BATCH):.1f} us a batch")
    peer.close()
    finish(options, table)


if __name__ == "__main__":
    main()
