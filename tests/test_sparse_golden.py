"""Results of operators on sparse arrays are those of MXNet 1.9.1, in elements and storage."""

import json
from pathlib import Path

import numpy as np
import pytest
import sparse_cases

import mxcy as mx

GOLDEN = Path(__file__).parent / "golden"
ROWS = json.loads((GOLDEN / "sparse.json").read_text())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {','.join(row[1])}")
def test_results_and_their_storage_are_those_of_mxnet(row):
    text, stypes, stype, shape, dtype, values = row

    result = sparse_cases.evaluate(mx, text, stypes)

    assert (result.stype, list(result.shape), str(np.dtype(result.dtype))) == (stype, shape, dtype)
    np.testing.assert_allclose(result.asnumpy().ravel(), values, rtol=2e-6, atol=1e-6)
    if stype != "default":
        result.check_format()
