"""Every function, method and operator with all of its keywords, as NumPy: the calls of `numpy_calls.txt`."""

import math
import operator
import re
import warnings
from pathlib import Path

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as onp
import pytest
from hypothesis import given, settings
from test_numpy_properties import DTYPES, Pair, compare, leaves_anything, numbers, outcome, pairs

import mxcy.numpy as np

TABLE_OF_CALLS = Path(__file__).with_name("numpy_calls.txt").read_text()
PARTS = re.split(r"^# (exact|statements|similar).*\n", TABLE_OF_CALLS, flags=re.MULTILINE)
CALLS = {kind: lines.strip().splitlines() for kind, lines in zip(PARTS[1::2], PARTS[2::2], strict=True)}


# --- operands ---------------------------------------------------------------------------------------------
def finite(dtypes=DTYPES, shape=None):
    """Arrays of small numbers in any layout, all of them finite."""
    shape = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3) if shape is None else shape
    numbers_of = {"b": st.booleans(), "i": st.integers(-5, 6), "u": st.integers(0, 6)}
    of_float = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -2.5, 3.25, 1e3, -3.0, 0.125, 1.5])
    of_complex = st.builds(complex, of_float, of_float)

    def arrays(dtype):
        kind = onp.dtype(dtype).kind
        elements = numbers_of.get(kind, of_complex if kind == "c" else of_float)
        return hnp.arrays(dtype, shape, elements=elements)

    layouts = st.sampled_from(["plain", "plain", "reversed axes", "negative", "every second", "a part"])
    return st.builds(Pair, st.sampled_from(dtypes).flatmap(arrays), layouts)


def of(shape, dtypes=DTYPES):
    """Arrays of a shape, of any numbers, without gaps."""

    def arrays(dtype):
        elements = numbers(dtype, {"width": _WIDTHS.get(dtype, 64)}) if dtype[0] in "fc" else None
        return hnp.arrays(dtype, shape, elements=elements)

    return st.builds(Pair, st.sampled_from(dtypes).flatmap(arrays), st.just("plain"))


_WIDTHS = {"float16": 16, "float32": 32}
LINE = hnp.array_shapes(min_dims=1, max_dims=1, min_side=0, max_side=4)
TABLE = hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=4)
REAL = [d for d in DTYPES if d[0] != "c"]
SQUARES = st.sampled_from([(1, 1), (2, 2), (3, 3), (2, 2, 2), (2, 3, 3)])
AXIS = st.sampled_from([None, 0, 1, -1, -2, 2])
SCALARS = st.sampled_from([
    0, 1, 2, -1, 3, 300, -200, 1.5, -0.5, True, 1j, float("nan"), float("inf"), onp.float32(2), onp.int8(3),
    onp.float64(0.5), onp.uint8(2), onp.complex64(1j), onp.bool_(True), onp.int64(-2), onp.float16(1.5),
])  # fmt: skip
WIDTHS = [1, 0, (1, 2), ((1, 0), (2, 1)), ((1, 1),), 2]
METHODS = ["linear", "lower", "higher", "midpoint", "nearest", "hazen", "inverted_cdf", "closest_observation"]
INDICES = st.lists(st.integers(-3, 3), max_size=3)
SMALL = st.lists(st.integers(0, 3), max_size=4)
OPERANDS = {
    "x": pairs(layouts=["plain", "reversed axes", "negative", "every second", "a part"]),
    "X": finite(), "v": pairs(shape=LINE, layouts=["plain", "negative"]), "w": pairs(shape=LINE),
    "V": finite(shape=LINE), "W": finite(shape=LINE), "u": finite(REAL, LINE), "A": finite(shape=TABLE),
    "B": finite(shape=TABLE), "S": finite(["int64", "float32", "float64", "complex128"], SQUARES),
    "f": pairs(["float16", "float32", "float64", "complex64", "complex128"]),
    "n": pairs(["int8", "uint8", "int32", "uint32", "int64", "uint64"]),
    "counts": st.builds(lambda x: Pair(onp.array(x, "int64"), "plain"), SMALL),
    "places": st.builds(lambda x: Pair(onp.array(x, "int64"), "plain"), INDICES),
    "s": SCALARS, "t": SCALARS, "axis": AXIS, "k": st.integers(-2, 3), "count": st.integers(0, 3),
    "axes": st.sampled_from([None, None, 0, 1, -1, 2, (0, 1), (0,), (-1, 0), (), (0, 0)]),
    "flag": st.booleans(), "dtype": st.sampled_from(DTYPES), "maybe_dtype": st.sampled_from([None, *DTYPES]),
    "order": st.sampled_from("CFAK"), "method": st.sampled_from(METHODS),
    "casting": st.sampled_from(["no", "equiv", "safe", "same_kind", "unsafe"]),
    "percent": st.sampled_from([0, 50, 30.5, 100, [10, 90], [[0, 50], [25, 100]], 101, []]),
    "fraction": st.sampled_from([0, 0.5, 0.3, 1, [0.1, 0.9], [], -0.1]),
    "mode": st.sampled_from(["raise", "wrap", "clip"]), "side": st.sampled_from(["left", "right"]),
    "span": st.sampled_from(["full", "same", "valid"]), "widths": st.sampled_from(WIDTHS),
    "shape": st.sampled_from([(-1,), (2, -1), (1, -1), (6,), (3, 2), (), (0,), 5, (2, 3, 1), (2, 2)]),
    "new_shape": st.sampled_from([(3,), (2, 3), (), (0,), 5, (2, 0)]),
    "initial": st.sampled_from([0, 1, 2.5, -1, None, 1j]), "length": st.sampled_from([None, 1, 2, 5, 8]),
    "kind": st.sampled_from([None, "stable", "quicksort", "heapsort"]),
    "norm": st.sampled_from([None, "ortho", "forward", "backward"]),
    "ord_of_norm": st.sampled_from([None, 1, 2, -1, -2, "fro", "nuc", math.inf, -math.inf, 0, 3, 0.5]),
}  # fmt: skip
FOLLOWING = ["y", "z", "Y", "uu", "m", "key", "out"]  # those whose shape follows another operand's
NAME = re.compile(r"(?<![\w.'])(" + "|".join([*OPERANDS, *FOLLOWING]) + r")(?![\w'])(?!=[^=])")


@st.composite
def operands(draw, call):
    """What the names of a call stand for."""
    names = set(NAME.findall(call))
    found = {name: draw(OPERANDS[name]) for name in sorted(names - set(FOLLOWING))}
    shape = next((found[n].theirs.shape for n in ("x", "X", "f", "n", "A", "v", "u") if n in found), (2,))
    shapes = [shape, shape, tuple(min(n, 1) for n in shape), shape[1:]]
    for name in FOLLOWING[:5]:
        if name in names:
            kinds = {"m": ["bool"], "uu": REAL, "Y": ["int64", "float32", "complex128"]}.get(name, DTYPES)
            like = draw(st.sampled_from(shapes[:2] if name == "uu" else shapes))
            found[name] = draw(finite(kinds, like) if name in ("Y", "uu") else of(like, kinds))
    if "key" in names:
        found["key"] = draw(_keys(shape))
    if "out" in names:
        found["out"] = draw(_results(call, found))
    return found


def _keys(shape):
    items = [
        st.one_of(st.integers(-n - 1, n), st.slices(n), st.lists(st.integers(-n, n - 1), max_size=3) if n else
                  st.just([]), st.none(), st.just(...), hnp.arrays("bool", (n,)), st.booleans())
        for n in shape
    ]  # fmt: skip
    some = st.integers(0, len(shape)).flatmap(lambda n: st.tuples(*items[:n]))
    return st.one_of(some, hnp.basic_indices(shape), hnp.arrays("bool", shape))


def _results(call, found):
    """Places for the result of a call: most of its dtype and shape."""
    result = _evaluated(call, found | {"out": None}, onp)
    if not isinstance(result, (onp.ndarray, onp.generic)):
        return st.none()
    dtypes = st.sampled_from([result.dtype.name, result.dtype.name, "float64", "int8", "complex64"])
    shapes = st.sampled_from([result.shape, result.shape, result.shape, (2,)])
    return st.builds(lambda d, n: Pair(onp.zeros(n, d), "plain"), dtypes, shapes)


def _shown(value, namespace):
    if isinstance(value, Pair):
        return value.of(namespace)
    if namespace is np and isinstance(value, onp.ndarray):
        return np.array(value)
    return tuple([_shown(x, namespace) for x in value]) if isinstance(value, tuple) else value


def _evaluated(call, found, namespace, statement=False):
    values = {name: _shown(x, namespace) for name, x in found.items()}
    values |= {"np": namespace, "operator": operator, "math": math}
    if namespace is onp and call in ("float(x)", "int(x)", "complex(x)", "'%g'%x"):
        values["x"] = _number(values["x"], call)
    if statement:
        return outcome(lambda _: exec(call, values) or values.get("R"), namespace)
    return outcome(lambda _: eval(call, values), namespace)


def _number(x, call):
    """What NumPy takes in the place of x: its number if it has one element, as until version 2.3."""
    is_one = onp.size(x) == 1 and onp.ndim(x) > 0
    return x.reshape(-1)[0] if is_one and (x.dtype.kind != "c" or call == "complex(x)") else x


# --- the tests --------------------------------------------------------------------------------------------
def _check(data, call, exact=True, statement=False):
    found = data.draw(operands(call))
    theirs, ours = (_evaluated(call, found, namespace, statement) for namespace in (onp, np))
    _compare(ours, theirs, exact)
    if leaves_anything(theirs):
        return
    for x in found.values():
        if isinstance(x, Pair):
            compare(x.bases[1], x.bases[0], exact, text=False)


def _compare(ours, theirs, exact):
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            _compare(mine, other, exact)
    elif isinstance(theirs, (onp.ndarray, onp.generic)) and theirs.dtype.kind == "c" and exact:
        compare(ours, theirs, exact=False)  # products of complex numbers may be rounded once or twice
    else:
        compare(ours, theirs, exact, text=False)
    if isinstance(theirs, onp.ndarray) and theirs.size > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # NumPy's, of arrays that it has broadcast
            layout = theirs.flags.c_contiguous, theirs.flags.f_contiguous, theirs.flags.writeable
        assert (ours.flags.c_contiguous, ours.flags.f_contiguous, ours.flags.writeable) == layout


@pytest.mark.parametrize("call", CALLS["exact"])
@settings(max_examples=4)
@given(data=st.data())
def test_calls_with_the_same_values(call, data):
    _check(data, call)


@pytest.mark.parametrize("call", CALLS["similar"])
@settings(max_examples=4)
@given(data=st.data())
def test_calls_with_similar_values(call, data):
    _check(data, call, exact=False)


@pytest.mark.parametrize("call", CALLS["statements"])
@settings(max_examples=4)
@given(data=st.data())
def test_statements(call, data):
    _check(data, call, statement=True)
