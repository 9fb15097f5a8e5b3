"""All results of operators, by dtype and kind of number, that MXNet 1.9.1 gives."""

import itertools
import json
import operator
from pathlib import Path

import numpy as np
import pytest

import mxcy as mx
from mxcy import nd

GOLDEN = Path(__file__).parent / "golden"
RULES = json.loads((GOLDEN / "dtype_rules.json").read_text())

SCALARS = {"int": int, "float": float, "negative int": int, "bool": bool, "np.float32": np.float32,
           "np.int64": np.int64, "np.float64": np.float64}  # fmt: skip
INPLACE = {"iadd", "isub", "imul", "itruediv"}

# Expressions that MXNet refuses, and whose results here are as NumPy's, or plainly useful.
WORKS = {
    "nd.array([1], dtype=\"int16\")": ("int16", (1,)),
    "nd.array([1], dtype=\"uint32\")": ("uint32", (1,)),
    "nd.array([nd.array([1])])": ("float32", (1, 1)),
    "nd.arange(0)": ("float32", (0,)),
}  # fmt: skip


def check(found, expected, defined=True):
    """A result against that of MXNet; float16 may round differently within a composed operation."""
    found.wait_to_read()
    assert found.dtype is np.dtype(expected["dtype"]).type
    assert found.shape == tuple(expected["shape"])
    tolerance = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-12}.get(expected["dtype"], 0)
    values = np.array(expected["value"], np.dtype(expected["dtype"])).reshape(expected["shape"])
    values = np.where(defined, values, found.asnumpy())
    np.testing.assert_allclose(found.asnumpy(), values, rtol=tolerance, atol=tolerance / 10)


def defined(case):
    """Where MXNet's integer power is right: it is a float's, and undefined out of range, where ours wraps."""
    dtype = np.dtype("int64" if case["dtype"] == "bool" else case["dtype"])
    if dtype.kind not in "iu" or case["op"] not in {"pow", "nd.square"}:
        return True
    array, scalar = np.array(case["data"], float), np.array(case.get("scalar", 2)).astype(dtype).astype(float)
    exact = scalar**array if case.get("reversed") else array**scalar
    return (exact >= np.iinfo(dtype).min) & (exact <= np.iinfo(dtype).max) & (np.abs(exact) < 2**24)


# What MXNet cannot do and mxcy can: (operator, dtype).
MORE = {("eq", "bool"), ("nd.argmax", "bool"), ("nd.argmin", "bool"), ("nd.logical_not", "bool"),
        ("nd.sort", "float16"), ("nd.argsort", "float16")}  # fmt: skip


def refuses(function, case):
    if (case.get("op"), case.get("dtype")) in MORE and case.get("other dtype", "bool") == "bool":
        function().wait_to_read()
        return
    with pytest.raises((mx.MXNetError, TypeError)) as raised:
        function().wait_to_read()
    name = case["error"]["type"]
    known = {cls.__name__ for cls in type(raised.value).__mro__}
    # MXNet's AssertionErrors are about types of arguments.
    assert {"MXNetError": "MXNetError", "AssertionError": "TypeError"}.get(name, name) in known


def with_scalar(case):
    x = nd.array(case["data"], dtype=case["dtype"])
    scalar = SCALARS[case["scalar kind"]](case["scalar"])
    function = getattr(operator, case["op"])
    return function(scalar, x) if case.get("reversed") else function(x, scalar)


def grouped(chosen):
    """Cases in some tens of tests, named by operator and dtype."""
    chosen = sorted(chosen, key=lambda c: (c["op"], c["dtype"]))
    groups = [(key, list(group)) for key, group in itertools.groupby(chosen, lambda c: (c["op"], c["dtype"]))]
    return pytest.mark.parametrize("group", [g for _, g in groups], ids=["-".join(k) for k, _ in groups])


@grouped([c for c in RULES if "scalar kind" in c])
@np.errstate(all="ignore")
def test_array_and_number(group):
    for case in group:
        if "error" in case:
            refuses(lambda case=case: with_scalar(case), case)
        else:
            check(with_scalar(case), case["out"], defined(case))


@grouped([c for c in RULES if "other dtype" in c])
@np.errstate(all="ignore")
def test_array_and_array(group):
    for case in group:
        x = nd.array(case["data"], dtype=case["dtype"])
        other = nd.array(case["other"], dtype=case["other dtype"])
        function = getattr(operator, case["op"])
        if "error" in case:
            refuses(lambda x=x, other=other, function=function: function(x, other), case)
        else:
            check(function(x, other), case["out"])


def alone(case):
    x = nd.array(case["data"], dtype=case["dtype"])
    name = case["op"].removeprefix("nd.")
    function = getattr(nd if case["op"].startswith("nd.") else operator, name)
    return function(x, **case.get("attrs", {}))


@grouped([c for c in RULES if "op" in c and not {"scalar kind", "other dtype"} & set(c)])
@np.errstate(all="ignore")
def test_functions_of_one_array(group):
    for case in group:
        if "error" in case:
            refuses(lambda case=case: alone(case), case)
        else:
            check(alone(case), case["out"], defined(case))


@pytest.mark.parametrize("case", [c for c in RULES if "expr" in c], ids=lambda c: c["expr"])
def test_expressions(case):
    names = {"nd": nd, "np": np, "mx": mx}
    if case["expr"] in WORKS:
        found = eval(case["expr"], names)
        assert (np.dtype(found.dtype).name, found.shape) == WORKS[case["expr"]]
    elif "error" in case:
        refuses(lambda: eval(case["expr"], names), case)
    else:
        check(eval(case["expr"], names), case["out"])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "uint8", "int8", "int64"])
def test_numpy_scalars_are_numbers(dtype):
    element = np.dtype(dtype).type(3)
    number = element.item()
    for size in (3, 40_000):  # in the calling thread, and through the engine
        x = mx.nd.array(np.arange(1, size + 1) % 90 + 1, dtype=dtype)
        for name in ("add", "sub", "mul", "truediv", "mod", "lt", "ge", "eq", "pow"):
            function = getattr(operator, name)
            with np.errstate(all="ignore"):
                pairs = [
                    (function(x, element), function(x, number)),
                    (function(element, x), function(number, x)),
                ]
            for found, expected in pairs:
                assert found.dtype == expected.dtype
                np.testing.assert_array_equal(found.asnumpy(), expected.asnumpy())
