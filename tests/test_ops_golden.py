"""Operators against results and gradients that the real MXNet 1.9.1 wrote (tests/golden)."""

import json
from pathlib import Path

import numpy as np
import pytest
from ops_rows import Node, array, backward, numpy_of

from mxcy import ops
from mxcy.errors import MXNetError

GOLDEN = Path(__file__).parent / "golden"
FILES = ("ops", "layers", "convolution", "linalg", "vision", "detection", "images")
CASES = [
    case | {"file": name} for name in FILES for case in json.loads((GOLDEN / f"{name}.json").read_text())
]
ARRAYS = {name: np.load(GOLDEN / f"{name}.npz") for name in FILES}

# Not declared yet.
LATER: set[str] = set()
LOOSE = {"gamma", "gammaln", "erfinv", "rcbrt", "contrib.DeformableConvolution", "image.resize"}


def function_of(name):
    return ops.PUBLIC.get(name) or ops.lookup(name) or ops.lookup("_" + name.replace(".", "_"))


def name_of(case):
    return f"{case['op']}-{'-'.join(f'{k}={v}' for k, v in case['attrs'].items())}"


def attributes_of(case):
    return {k: tuple(v) if isinstance(v, list) else v for k, v in case["attrs"].items()}


# Where mxcy differs on purpose.
ERRORS_OF_MXNET = {
    "SoftmaxOutput-out_grad=True": "multiplies by the output instead of the head gradient",
    "LeakyReLU-act_type=selu": "forgets the scale in the gradient of negative elements",
}
ACCEPTED = {
    "elemwise_add-": "symbols of different shapes broadcast with +, as arrays do",
    "im2col-kernel=[3]-stride=[3]-pad=[3]": "as documented; MXNet reads the shape of two axes",
    "im2col-kernel=[2, 1, 2]": "as documented; MXNet reads the shape of two axes",
    "col2im-kernel=[3]-stride=[3]-pad=[3]-output_size=[7]": "as documented; MXNet reads two axes",
    "moments-": "over all axes, as documented; MXNet refuses its own default",
}

WORKING = [case for case in CASES if "error" not in case and case["op"] not in LATER]
FAILING = [
    case for case in CASES if "error" in case and case["op"] not in LATER and name_of(case) not in ACCEPTED
]


@pytest.fixture
def training(monkeypatch):
    """Nodes compute in training mode while set."""
    return lambda on: monkeypatch.setattr(Node, "is_train", on)


def test_every_operator_is_declared_or_listed():
    assert {case["op"] for case in CASES if function_of(case["op"]) is None} == LATER


def close(actual, expected, case):
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(actual, expected)
        return
    half = any(ARRAYS[case["file"]][key].dtype == np.float16 for key in case["args"])
    rtol = (
        1e-2
        if half or expected.dtype == np.float16
        else 1e-4
        if case["op"] in LOOSE or case["file"] == "linalg"
        else 1e-5
    )
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=max(rtol / 10, 1e-6))


@pytest.mark.parametrize("case", WORKING, ids=name_of)
def test_values_and_gradients_are_those_of_mxnet(case, training):
    training(case.get("train", False))
    arrays = ARRAYS[case["file"]]
    inputs = [Node(array(arrays[key])) for key in case["args"]]
    with np.errstate(all="ignore"):
        made = function_of(case["op"])(*inputs, **attributes_of(case))
        outputs = made if isinstance(made, list) else [made]
        assert isinstance(made, list) == case["list"]
        for output, key in zip(outputs, case["outputs"], strict=True):
            close(numpy_of(output.value), arrays[key], case)
        if case.get("grads") and name_of(case) not in ERRORS_OF_MXNET:
            heads = [Node(array(arrays[key])) for key in case["head"]]
            for g, x, key in zip(backward(outputs, heads, inputs), inputs, case["grads"], strict=True):
                if key is not None:
                    actual = np.zeros_like(numpy_of(x.value)) if g is None else numpy_of(g.value)
                    close(actual, arrays[key], case)
        for x, key in zip(inputs, case.get("after", ()), strict=False):
            if key is not None:
                close(numpy_of(x.value), arrays[key], case)


@pytest.mark.parametrize("case", FAILING, ids=name_of)
def test_what_mxnet_refuses_is_refused(case):
    inputs = [Node(array(ARRAYS[case["file"]][key])) for key in case["args"]]
    with pytest.raises(MXNetError):
        made = function_of(case["op"])(*inputs, **attributes_of(case))
        for output in made if isinstance(made, list) else [made]:
            output.value.wait_to_read()
