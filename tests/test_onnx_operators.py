"""Operators written as ONNX compute in its runtime what they compute here, and come back as they were."""

import numpy as np
import onnxruntime
import pytest
from onnx_rows import ROWS, graph, ours, theirs

import mxcy as mx

onnxruntime.set_default_logger_severity(3)


def assert_alike(found, wanted):
    assert len(found) == len(wanted)
    for own, other in zip(found, wanted, strict=True):
        assert own.shape == other.shape
        np.testing.assert_allclose(own, other, rtol=2e-4, atol=2e-5)


def returned(path, arrays):
    """The results of a file that was read again."""
    symbol, args, states = mx.contrib.onnx.import_model(path)
    params = {name: value.asnumpy() for name, value in (args | states).items()}
    return ours(symbol, {name: arrays[name] for name in symbol.list_inputs() if name not in params} | params)


# What is written in operators that MXNet has no match for.
ONE_WAY = {"scatter_nd", "contrib.index_copy"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_operator_computes_the_same_in_the_runtime_and_comes_back(row, tmp_path):
    symbol, arrays = graph(row)
    wanted = ours(symbol, arrays)
    path = str(tmp_path / "model.onnx")
    weights = {name: mx.nd.array(array, dtype=array.dtype) for name, array in arrays.items() if name != "x0"}
    x = arrays["x0"]
    mx.onnx.export_model(symbol, weights, [x.shape], x.dtype, path)

    assert_alike(theirs(path, arrays), wanted)
    if row[0].split(" ")[0] not in ONE_WAY:
        assert_alike(returned(path, arrays), wanted)


# Other inputs, or the operator itself, fix the number of rows.
FIXED = {
    "elemwise_add", "elemwise_sub", "elemwise_mul", "elemwise_div", "add_n", "where", "softmax use_length",
    "dot {'transpose_a': True}", "batch_dot", "linalg.gemm2", "linalg.gemm", "Reshape {'shape': (4, 6)}",
    "reshape_like", "squeeze", "concat", "stack", "broadcast_to", "broadcast_axis", "broadcast_like {}",
    "batch_take", "pick", "SequenceMask {'use_sequence_length': True, 'axis': 1}", "zeros and ones",
    "contrib.interleaved_matmul_selfatt_valatt", "contrib.interleaved_matmul_encdec_valatt",
}  # fmt: skip
FREE = [row for row in ROWS if row[2].ndim > 1 and not FIXED.intersection((row[0], row[0].split(" {")[0]))]


@pytest.mark.parametrize("row", FREE, ids=lambda row: row[0])
def test_operator_takes_inputs_of_other_lengths_and_weights_as_inputs(row, tmp_path):
    symbol, arrays = graph(row)
    x, path = arrays["x0"], str(tmp_path / "model.onnx")
    larger = arrays | {"x0": np.concatenate([x, x])}
    names = [name for name in symbol.list_inputs() if name in arrays]
    shapes = [arrays[name].shape for name in names]
    varying = [
        (None, *shape[1:]) if name == "x0" else shape for name, shape in zip(names, shapes, strict=True)
    ]
    mx.onnx.export_model(symbol, {}, shapes, [arrays[name].dtype for name in names], path, dynamic=True,
                         dynamic_input_shapes=varying)  # fmt: skip

    assert_alike(theirs(path, larger), ours(symbol, larger))
