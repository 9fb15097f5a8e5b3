"""The array API standard: what its strict twin takes, `mxcy.numpy` takes, too, and gives the same.

`array_api_strict` accepts only what the standard says, in the standard's own signatures. Each line of
`array_api_calls.txt` is evaluated there and here, over drawn operands: the same dtype, shape and values, or
an exception that the standard names.
"""

import re
from pathlib import Path

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as onp
import pytest
from hypothesis import given, settings

import mxcy.numpy as np

strict = pytest.importorskip("array_api_strict")

BOOLS, FLOATS, COMPLEX = ["bool"], ["float32", "float64"], ["complex64", "complex128"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
# The first letter of an operand is its kind: any, numeric, real, integer, bool, float, complex or either.
KINDS = {
    "x": BOOLS + INTEGERS + FLOATS + COMPLEX, "n": INTEGERS + FLOATS + COMPLEX, "r": INTEGERS + FLOATS,
    "i": INTEGERS, "b": BOOLS, "f": FLOATS, "c": COMPLEX, "z": FLOATS + COMPLEX, "j": BOOLS + INTEGERS,
    "t": BOOLS + INTEGERS + FLOATS,
}  # fmt: skip
OTHERS = {
    "axis": st.sampled_from([0, -1, 1, -2, 2]), "maybe_axis": st.sampled_from([None, 0, -1, 1]),
    "axes": st.sampled_from([None, 0, -1, (0,), (0, 1), (-1, 0), ()]), "keep": st.booleans(),
    "flag": st.booleans(), "k": st.integers(-2, 2), "count": st.integers(0, 4), "more": st.integers(1, 3),
    "shape": st.sampled_from([(-1,), (2, -1), (1, -1), (), (0,), (3, 2)]),
    "size": st.sampled_from([3, (), (2, 0), (2, 3)]),
    "norm": st.sampled_from(["backward", "ortho", "forward"]), "s": st.sampled_from([2, 0, 3, 1]),
    "g": st.sampled_from([0.5, 2.0, -1.5]), "side": st.sampled_from(["left", "right"]),
    "order": st.sampled_from([1, 2, -1, -2, float("inf"), -float("inf"), "fro", "nuc"]),
    "power": st.sampled_from([1, 2, 3, float("inf"), -float("inf"), 0.5, 0]),
    "length": st.sampled_from([None, 1, 2, 5]),
    "dtype": st.sampled_from(KINDS["x"]), "numeric": st.sampled_from(KINDS["n"]),
    "float_type": st.sampled_from(FLOATS), "complex_type": st.sampled_from(COMPLEX),
    "kind": st.sampled_from(["bool", "signed integer", "unsigned integer", "integral", "real floating",
                             "complex floating", "numeric", ("bool", "integral")]),
}  # fmt: skip

TABLE = Path(__file__).with_name("array_api_calls.txt").read_text()
CALLS = [line for line in TABLE.splitlines() if not line.startswith("#")]
# What the standard (or its suite of tests) wants to fail, and how.
ERRORS = {
    "xp.expand_dims(x, axis=7)": IndexError,
    "xp.squeeze(xp.ones((2, 1)), axis=0)": ValueError,
    "xp.asarray(x, dtype=xp.complex128, copy=False)": ValueError,
    "xp.reshape(xp.ones((2, 3)), (4,))": ValueError,
    "xp.broadcast_to(xp.ones(3), (2,))": ValueError,
    "xp.ones((2, 3)) + xp.ones(4)": ValueError,
    "xp.zeros(3)[xp.asarray([True, False])]": IndexError,
    "xp.zeros((2, 2))[0, 0, 0]": IndexError,
    "bool(xp.zeros(2))": ValueError,
    "float(xp.zeros(2))": TypeError,
    "xp.zeros(()).__index__()": TypeError,
    "xp.matmul(xp.ones((2, 3)), xp.ones((2, 3)))": ValueError,
    "xp.sum(x, axis=9)": IndexError,
    "xp.concat([xp.ones((2, 2)), xp.ones(2)])": ValueError,
    "xp.take(xp.ones(3), xp.asarray([7]))": IndexError,
    "xp.reshape(xp.ones((2, 3)).T, (6,), copy=False)": ValueError,
    "xp.stack([xp.ones(2), xp.ones(3)])": ValueError,
    "xp.__array_namespace_info__().dtypes(kind='wrong')": ValueError,
    "xp.broadcast_shapes((2,), (3,))": ValueError,
    "xp.ones(2).__array_namespace__(api_version='1984.01')": ValueError,
    "xp.cumulative_sum(xp.ones((2, 2)))": ValueError,
    "xp.linalg.cross(xp.ones(3), xp.ones(4))": ValueError,
}  # fmt: skip
NAME = re.compile(r"(?<![\w.'\"])([a-z_]+[0-3]?)(?![\w'\"])(?!=[^=])")


# --- operands ---------------------------------------------------------------------------------------------
def elements(dtype):
    """Numbers of a dtype: small ones, and for floats special ones."""
    kind = onp.dtype(dtype).kind
    floats = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -2.5, 3.25, 7.0, onp.inf, -onp.inf, onp.nan])
    if kind == "c":
        return st.builds(complex, floats, floats)
    return {"b": st.booleans(), "i": st.integers(-5, 9), "u": st.integers(0, 9), "f": floats}[kind]


def tame(dtype):
    """Finite numbers."""
    floats = st.sampled_from([0.0, 1.0, -1.0, 2.0, 0.5, -2.5, 3.25])
    return (
        floats
        if dtype[0] == "f"
        else st.builds(complex, floats, floats)
        if dtype[0] == "c"
        else elements(dtype)
    )


SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
SQUARES = st.sampled_from([(1, 1), (2, 2), (3, 3), (2, 2, 2)])


@st.composite
def operand(draw, name, shape):
    """An array of NumPy for a name in a call."""
    special = {
        "m": (KINDS["n"], SQUARES),
        "q": (FLOATS, SQUARES),
        "p": (FLOATS, SQUARES),
        "v": (KINDS["n"], shape),
    }
    dtypes, shapes = special.get(name[0], (KINDS.get(name[0]), st.just(shape)))
    dtype = draw(st.sampled_from(dtypes))
    if name[1:]:
        shapes = {"0": st.just(()), "1": st.tuples(st.integers(1, 4)), "3": st.sampled_from([(3,), (2, 3)])}[
            name[1]
        ]
    shape = draw(shapes if isinstance(shapes, st.SearchStrategy) else st.just(shapes))
    if name[0] == "q":
        return draw(hnp.arrays(dtype, shape, elements=tame(dtype))) + 5 * onp.eye(shape[-1], dtype=dtype)
    return draw(hnp.arrays(dtype, shape, elements=tame(dtype) if name[0] in "pm" else elements(dtype)))


@st.composite
def operands(draw, call):
    names = {n for n in NAME.findall(call) if n in OTHERS or re.fullmatch("[xnribfczjtmqpv][013]?", n)}
    shape = draw(SHAPES)
    return {n: draw(OTHERS[n] if n in OTHERS else operand(n, shape)) for n in sorted(names)}


def evaluated(call, found, xp):
    """What a call gives in a namespace, or the exception."""
    values = {"xp": xp}
    for name, x in found.items():
        is_dtype = name in ("dtype", "numeric", "float_type", "complex_type")
        values[name] = xp.asarray(x) if isinstance(x, onp.ndarray) else getattr(xp, x) if is_dtype else x
    with onp.errstate(all="ignore"):
        try:
            return eval(call, values)
        except Exception as error:
            return error


def plain(x):
    """An array of either as one of NumPy; other things as they are."""
    if isinstance(x, np.ndarray):
        return x.asnumpy()
    return (
        onp.asarray(x._array)
        if type(x).__module__.startswith("array_api_strict") and hasattr(x, "_array")
        else x
    )


def compare(ours, theirs):
    assert not isinstance(ours, Exception), f"{ours!r} for {theirs!r}"
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            compare(mine, other)
        for name in getattr(theirs, "_fields", ()):
            compare(getattr(ours, name), getattr(theirs, name))
        return
    mine, other = plain(ours), plain(theirs)
    if not isinstance(other, onp.ndarray):
        if hasattr(other, "_np_dtype"):
            other = other._np_dtype
        assert mine == other or mine != mine, f"{ours!r} for {theirs!r}"
        return
    assert isinstance(ours, np.ndarray)
    assert (ours.dtype, ours.shape) == (other.dtype, other.shape)
    tolerance = {4: 1e-5, 8: 1e-12}.get(other.real.dtype.itemsize, 0) if other.dtype.kind in "fc" else 0
    onp.testing.assert_allclose(mine, other, tolerance, tolerance)


# --- tests ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=4)
@given(data=st.data())
def test_calls_of_the_standard(call, data):
    found = data.draw(operands(call))
    theirs = evaluated(call, found, strict)
    if call == "xp.sign(n)" and onp.isinf(found["n"]).any():
        return  # of complex infinities NumPy takes the direction, the twin gives NaN
    if not isinstance(theirs, Exception):
        compare(evaluated(call, found, np), theirs)


@pytest.mark.parametrize("call", ERRORS)
def test_errors_of_the_standard(call):
    found = evaluated(call, {"x": onp.ones((2, 3))}, np)

    assert isinstance(found, ERRORS[call]), repr(found)


def test_every_name_of_the_standard_is_there_and_called():
    for prefix in ("", "linalg", "fft"):
        theirs = getattr(strict, prefix) if prefix else strict
        ours = getattr(np, prefix) if prefix else np
        for name in theirs.__all__:
            if "strict" in name.lower() or name in ("Device", "__version__"):
                continue
            assert hasattr(ours, name), name
            if callable(getattr(theirs, name)) and not name.startswith("__"):
                whole = f"xp.{prefix}.{name}(" if prefix else f"xp.{name}("
                assert any(whole in call for call in CALLS), f"{whole} in no call"


def test_namespace_info():
    ours, theirs = np.__array_namespace_info__(), strict.__array_namespace_info__()

    assert set(ours.capabilities()) >= set(theirs.capabilities())
    assert ours.default_device() in ours.devices()
    found = np.isin(np.asarray([1, 2, 3]), 2, invert=True)  # which the twin does not invert
    assert found.tolist() == [True, False, True]
    for kind in [
        "bool",
        "integral",
        "numeric",
        "real floating",
        "complex floating",
        ("bool", "integral"),
        None,
    ]:
        expected = {name: dtype._np_dtype for name, dtype in theirs.dtypes(kind=kind).items()}
        assert ours.dtypes(kind=kind) == expected
    defaults = {name: dtype._np_dtype for name, dtype in theirs.default_dtypes().items()}
    assert ours.default_dtypes() == defaults
