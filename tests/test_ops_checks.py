"""`MXCY_CHECK=1`: bad positions and labels are errors; without it they do what they do in MXNet."""

import os
import subprocess
import sys

import numpy as np
import pytest

import mxcy as mx
from mxcy import ops
from mxcy.errors import ArrayIndexError
from mxcy.ops import checks

X = np.arange(6, dtype=np.float32).reshape(2, 3)
SEQUENCES, LENGTHS = np.ones((2, 3, 4), np.float32), {"use_sequence_length": True}
PLANES, REGION = np.ones((1, 1, 4, 4), np.float32), {"pooled_size": (1, 1), "spatial_scale": 1.0}
BAD = [
    ("Embedding", [[0, 7], X], {"input_dim": 2, "output_dim": 3}, r"\(data\): .* got 7 at \(1,\)"),
    ("take", [X, [[0, -1]]], {}, r"\(indices\): expected positions from 0 to 1, got -1 at \(0, 1\)"),
    ("take", [X, [3]], {"axis": 1}, "from 0 to 2, got 3"),
    ("pick", [X, [0, np.nan]], {"axis": 1}, r"\(index\): .* got nan at \(1,\)"),
    ("one_hot", [[5]], {"depth": 5}, r"\(indices\): .* from 0 to 4, got 5"),
    ("batch_take", [X, [0, 3]], {}, "got 3"),
    ("SoftmaxOutput", [X, [0, 3]], {}, r"\(label\): .* from 0 to 2, got 3"),
    ("SVMOutput", [X, [-1, 0]], {}, "got -1"),
    ("softmax_cross_entropy", [X, [0, 3]], {}, "got 3"),
    ("CTCLoss", [SEQUENCES, [[1, 7], [1, 2], [1, -1]]], {}, r"\(label\): .* from -1 to 3, got 7 at \(0, 1\)"),
    ("SequenceLast", [SEQUENCES, [1, 0, 2]], LENGTHS, "from 1 to 2, got 0"),
    ("SequenceMask", [SEQUENCES, [0, 1, 3]], LENGTHS, r"\(sequence_length\): .* got 3 at \(2,\)"),
    ("SequenceMask", [SEQUENCES, [4, 1]], {**LENGTHS, "axis": 1}, "from 0 to 3, got 4"),
    ("SequenceReverse", [SEQUENCES, [2, 9, 0]], LENGTHS, "from 0 to 2, got 9"),
    ("ROIPooling", [PLANES, [[0, 0, 0, 2, 2], [1, 0, 0, 2, 2]]], REGION, r"\(rois\): .* from 0 to 0, got 1"),
    ("_contrib_ROIAlign", [PLANES, [[-1, 0, 0, 2, 2]]], REGION, "got -1"),
    ("_contrib_SparseEmbedding", [[0, 2], X], {"input_dim": 2, "output_dim": 3}, "got 2"),
    ("_unravel_index", [[5, 6]], {"shape": (2, 3)}, "from 0 to 5, got 6"),
]  # fmt: skip
GOOD = [
    ("take", [X, [-1, 5]], {"mode": "wrap"}),
    ("take", [X, [0, 1.5]], {}),
    ("SoftmaxOutput", [X, [0, -1]], {"use_ignore": True, "ignore_label": -1}),
    ("SoftmaxOutput", [X, X / 15], {}),
    ("SequenceMask", [SEQUENCES], {}),
]


def use(name, inputs, attributes):
    op = ops.lookup(name)
    return op, [mx.nd.array(x) for x in inputs], op.parse_attrs(attributes)


@pytest.mark.parametrize(("name", "inputs", "attributes", "match"), BAD)
def test_a_bad_position_is_named(name, inputs, attributes, match):
    op, arrays, attrs = use(name, inputs, attributes)
    with pytest.raises(ArrayIndexError, match=f"{name}.*{match}"):
        checks.check_values(op, arrays, attrs)

    op.compute(arrays, attrs)[0].wait_to_read()  # is no error otherwise


@pytest.mark.parametrize(("name", "inputs", "attributes"), GOOD)
def test_a_good_position_passes(name, inputs, attributes):
    checks.check_values(*use(name, inputs, attributes))


def test_the_environment_switches_the_check_on():
    program = """
import mxcy as mx
x = mx.sym.Variable("x")
for take in (lambda: mx.nd.take(mx.nd.ones((2, 3)), mx.nd.array([5])),
             lambda: mx.sym.one_hot(x, depth=3).bind(mx.cpu(), [mx.nd.array([7])]).forward()):
    try:
        take()
    except IndexError as error:
        print(error)
"""
    environment = {**os.environ, "MXCY_CHECK": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )

    assert "take(indices): expected positions from 0 to 1, got 5 at (0,); MXCY_CHECK is on" in done.stdout
    assert "one_hot(indices): expected positions from 0 to 2, got 7 at (0,)" in done.stdout
