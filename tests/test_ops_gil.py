"""Which operators hold the GIL while they compute: those on this list, and no others."""

import sys
import warnings

import numpy as np
import ops_rows
import pytest
from ops_rows import FACE, OPERATORS, array, draw, use

from mxcy import _launch, _loops, ops
from mxcy.ops._trace import resolve

QUANTIZED = "the steps between exact products run in NumPy"
UNDER_THE_GIL = {
    "_contrib_calibrate_entropy": "once for each layer that is quantized",
    "_contrib_dequantize": QUANTIZED,
    "_contrib_fft": "NumPy's transform",
    "_contrib_ifft": "NumPy's transform",
    "_contrib_quantize": QUANTIZED,
    "_contrib_quantize_v2": QUANTIZED,
    "_contrib_quantized_batch_norm": QUANTIZED,
    "_contrib_quantized_concat": QUANTIZED,
    "_contrib_quantized_conv": QUANTIZED,
    "_contrib_quantized_elemwise_add": QUANTIZED,
    "_contrib_quantized_elemwise_mul": QUANTIZED,
    "_contrib_quantized_fully_connected": QUANTIZED,
    "_contrib_quantized_pooling": QUANTIZED,
    "_contrib_requantize": QUANTIZED,
    "_histogram": "NumPy's histogram",
    "_polygamma": "SciPy's function of two arguments, for gradients of gammaln of second order",
    "_ravel_multi_index": "positions only",
    "_sample_unique_zipfian": "NumPy finds what is new among the numbers drawn",
    "_unravel_index": "positions only",
}


@pytest.fixture
def called(monkeypatch):
    """Names of operators that came through push_numpy; the first entry is the one that runs."""
    found, real = [None, set()], _launch.push_numpy

    def watched(*args):
        found[1].add(found[0])
        return real(*args)

    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("mxcy.") and vars(module).get("push_numpy") is real:
            monkeypatch.setattr(module, "push_numpy", watched)
    return found


def test_only_these_run_numpy_in_python(called, capsys):
    with capsys.disabled():
        print("", *[f"  {name}: {why}" for name, why in UNDER_THE_GIL.items()], sep="\n")
    for op, row in ops_rows.rows():
        called[0] = op.name
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            op.compute([array(x) for x in draw(op, row, np.float32)], use(op, row), face=FACE)
    assert called[1] == set(UNDER_THE_GIL)


@pytest.mark.parametrize(
    "op", [op for op in OPERATORS if isinstance(op, ops.Elementwise)], ids=ops_rows.name_of
)
def test_the_loops_of_pointwise_operators_need_no_gil(op):
    row = next(row for row in op.cases if row.error is None)
    for kind in set("fi") & set(op.kinds):
        dtypes = [ops_rows.KINDS[kind][0]] * len(row.inputs)
        for step in op.trace(dtypes, use(op, row)).steps:
            function = resolve(step.function)
            if isinstance(function, np.ufunc):
                assert _loops._is_trusted(function), step.function
