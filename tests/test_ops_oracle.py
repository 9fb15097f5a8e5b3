"""Rows of operators against what the real MXNet 1.9.1 makes of the same inputs (tests/oracle)."""

import json
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import ops_rows
import pytest
from ops_rows import FACE, OPERATORS, Node, array, backward, draw, numpy_of, use
from oracle.differences import DIFFERS, ONLY_ELSEWHERE
from oracle.write_rows import uses, written

ORACLE = Path(__file__).parent / "oracle"
LINES = {line["key"]: line for line in json.loads((ORACLE / "oracle.json").read_text())}
ARRAYS = np.load(ORACLE / "oracle.npz")
TOLERANCE = {"float16": (1e-2, 1e-3), "float32": (2e-5, 2e-6), "float64": (1e-6, 1e-7)}


def reason(key, dtype):
    """Why a use differs, or None."""
    dtype = str(np.dtype(dtype))
    return next((why for start, kind, why in DIFFERS if key.startswith(start) and kind in dtype), None)


def by_operator():
    """The uses of each operator that MXNet computed and that do not differ."""
    found = defaultdict(list)
    for op, row, dtype in uses():
        key = ops_rows.key_of(op, row, dtype)
        line = LINES.get(key, {"refused": "not computed"})
        if "refused" not in line and reason(key, dtype) is None:
            found[op.name].append((op, row, dtype, line))
    return found


with warnings.catch_warnings():
    warnings.simplefilter("ignore", RuntimeWarning)  # NaN among integers, in rows of special numbers
    USES = by_operator()


def test_every_operator_has_data_of_mxnet_or_says_why_not(capsys):
    there = {line["key"].partition("(")[0] for line in LINES.values()}
    computed = {key.partition("(")[0] for key, line in LINES.items() if "refused" not in line}
    with capsys.disabled():
        print()
        for name, why in ONLY_ELSEWHERE.items():
            print(f"  {name}: {why}")
        for start, kind, why in DIFFERS:
            print(f"  {start} {kind}: {why}")
    assert there - computed == set(ONLY_ELSEWHERE)
    assert computed - set(USES) <= {start.partition("(")[0] for start, _, _ in DIFFERS}


def test_nearly_all_rows_are_those_that_mxnet_computed(capsys):
    """New rows are printed until the data is made again: `tests/oracle/README.md` says how."""
    known = {key.partition("(")[0] for key in LINES}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        keys = [
            ops_rows.key_of(op, row, dtype)
            for op, row, dtype in uses()
            if op.name in known and dtype == np.float32
        ]
    missing = [key for key in keys if key not in LINES]
    with capsys.disabled():
        print("", *[f"  {key}: not computed yet" for key in missing], sep="\n")
    assert len(missing) < 0.05 * len(keys)


def result_of(op, row, nodes):
    """Outputs of a use as nodes."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outs = written(op, row)
        if not nodes:
            return [Node(value) for value in op.compute([], use(op, row), face=FACE)]
        if outs is not None:
            op.compute([node.value for node in nodes], use(op, row), [nodes[i].value for i in outs])
            return [nodes[i] for i in outs]
        made = op(*nodes, **row.attributes)
        return made if isinstance(made, list) else [made]


def close(actual, expected, dtype):
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(actual, expected)
        return
    rtol, atol = max(TOLERANCE[str(expected.dtype)], TOLERANCE.get(str(dtype), (0, 0)))
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def head_of(key):
    """What flowed back there, as `make_oracle.py` has it."""
    like = ARRAYS[key]
    return np.cos(np.arange(1, like.size + 1)).reshape(like.shape).astype(like.dtype)


def check_gradients(outputs, nodes, line, dtype):
    floats = [i for i, key in enumerate(line["outputs"]) if ARRAYS[key].dtype.kind == "f"]
    heads = [Node(array(head_of(line["outputs"][i]))) for i in floats]
    with np.errstate(all="ignore"):
        found = backward([outputs[i] for i in floats], heads, nodes)
    for g, node, key in zip(found, nodes, line["grads"], strict=True):
        if key is not None:
            actual = np.zeros_like(numpy_of(node.value)) if g is None else numpy_of(g.value)
            close(actual, ARRAYS[key], dtype)


@pytest.mark.parametrize("name", [op.name for op in OPERATORS if op.name in USES])
def test_values_gradients_and_states_are_those_of_mxnet(name):
    for op, row, dtype, line in USES[name]:
        nodes = [Node(array(values)) for values in draw(op, row, dtype)]
        outputs = result_of(op, row, nodes)
        if "drawn" in line:
            drawn = [numpy_of(y.value) for y in outputs]
            assert [[str(values.dtype), list(values.shape)] for values in drawn] == line["drawn"]
            continue
        for output, key in zip(outputs, line["outputs"], strict=True):
            close(numpy_of(output.value), ARRAYS[key], dtype)
        for node, key in zip(nodes, line.get("after", ()), strict=False):
            if key is not None:
                close(numpy_of(node.value), ARRAYS[key], dtype)
        if "grads" in line:
            check_gradients(outputs, nodes, line, dtype)
