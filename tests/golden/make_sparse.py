"""Evaluate the rows of sparse_cases.py under MXNet 1.9.1: storage type and elements of each result.

    python tests/golden/make_sparse.py
"""

import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
os.environ["MXNET_STORAGE_FALLBACK_LOG_VERBOSE"] = "0"
sys.path.insert(0, str(HERE.parent))

import mxnet as mx  # noqa: E402
import numpy as np  # noqa: E402
import sparse_cases  # noqa: E402


def main():
    """Write sparse.json, and files of both kinds of arrays."""
    found = []
    for text, stypes in sparse_cases.rows():
        try:
            result = sparse_cases.evaluate(mx, text, stypes)
            if isinstance(result, (tuple, list)):
                print("several", text)
                continue
            values = result.asnumpy().astype("float64")
        except (mx.base.MXNetError, ValueError, TypeError):
            continue  # MXNet refuses it
        shown = [float("%.7g" % value) for value in values.ravel()]
        found.append([text, stypes, result.stype, list(values.shape), str(np.dtype(result.dtype)), shown])
    with open(HERE / "sparse.json", "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(row) for row in found) + "\n]\n")
    weights = []
    for name, params in sparse_cases.OPTIMIZERS:
        for stype in ("default", "row_sparse"):
            try:
                weight = sparse_cases.updated(mx, name, params, stype)
                values = [float("%.7g" % value) for value in weight.asnumpy().ravel()]
            except (mx.base.MXNetError, ValueError, TypeError) as error:
                print(name, params, stype, str(error).strip().splitlines()[-1])
                continue
            weights.append([name, params, stype, weight.stype, values])
    with open(HERE / "sparse_updates.json", "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(row) for row in weights) + "\n]\n")
    csr = mx.nd.sparse.csr_matrix((np.float32([1, 2, 3]), [0, 1, 2], [0, 1, 1, 3]), shape=(3, 4))
    rows = mx.nd.sparse.row_sparse_array((np.arange(12.0).reshape(2, 3, 2), [1, 3]), shape=(5, 3, 2))
    mx.nd.save(str(HERE / "sparse.params"), {
        "csr": csr, "rows": rows, "dense": mx.nd.ones((2, 3)), "ints": csr.astype("int64"),
        "no_csr": mx.nd.zeros((2, 3), stype="csr"), "no_rows": mx.nd.zeros((2, 3), stype="row_sparse"),
    })  # fmt: skip


if __name__ == "__main__":
    main()
