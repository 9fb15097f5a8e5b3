"""Getting and setting elements of NDArray: MXNet's rules, NumPy's where they agree, views, errors."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import mxcy as mx
from mxcy import nd
from mxcy.dtypes import DTYPES

CASES = json.loads((Path(__file__).parent / "golden" / "reshape_cases.json").read_text())

# Where mxcy does better than MXNet, or as NumPy.
NO_ERROR = {"2:1"}  # an empty slice
NOT_COPIED = {("setitem", "True")}  # MXNet reads row 1 with this key, and writes to all rows
VIEWS = {"::-1", "::2", ":, 1", ":, 1:3", ":, ::-2", "..., 0", "1, ::2", "1, :, 2", ":, :, 1", "..., 1",
         "0, ..., 1", "::-1, 1:, ::2", "0, :, 1:2"}  # fmt: skip


def cases(kind):
    chosen = [case for case in CASES if case["kind"] == kind and (kind, case["key"]) not in NOT_COPIED]
    return pytest.mark.parametrize("case", chosen, ids=[f"{c['shape']}[{c.get('key')}]" for c in chosen])


def counted(shape, dtype="float32"):
    return nd.array(np.arange(np.prod(shape)).reshape(shape), dtype=dtype)


def evaluated(case):
    return eval(f"slot[{case['key']}]", {"nd": nd, "np": np, "slot": np.s_})


def is_error(case, error):
    """Whether the error is of the class that MXNet raises, or, where that is only MXNetError, of ours."""
    name = case["error"]["type"]
    assert isinstance(error, mx.MXNetError)
    return name == "MXNetError" or name in {cls.__name__ for cls in type(error).__mro__}


@cases("getitem")
def test_getting_as_mxnet(case):
    x = counted(case["shape"])
    key = evaluated(case)
    if "error" in case and case["key"] not in NO_ERROR:
        with pytest.raises(mx.MXNetError) as raised:
            x[key].wait_to_read()
        assert is_error(case, raised.value)
        return
    if case["key"] in NO_ERROR:
        assert x[key].shape == np.asarray(x)[key].shape
        return

    found = x[key]

    assert found.shape == tuple(case["out"]["shape"])
    assert found.dtype is np.dtype(case["out"]["dtype"]).type
    assert found.asnumpy().ravel().tolist() == case["out"]["value"]
    if found.size:
        found[:] = -7
        assert bool((x.asnumpy() == -7).any()) == (case["view"] or case["key"] in VIEWS)


@cases("setitem")
def test_setting_as_mxnet(case):
    x = counted(case["shape"])
    key = evaluated(case)
    value = case["assigned"]
    if isinstance(value, dict):
        value = nd.array(np.reshape(value["value"], value["shape"]), dtype=value["dtype"])
    if "error" in case and case["key"] not in NO_ERROR:
        with pytest.raises(mx.MXNetError) as raised:
            x[key] = value
        assert is_error(case, raised.value)
        return

    x[key] = value

    expected = case.get("after", list(range(x.size)))
    assert x.asnumpy().ravel().tolist() == expected


def reshape_cases():
    chosen = [case for case in CASES if case["kind"] == "reshape"]
    return pytest.mark.parametrize("case", chosen, ids=[f"{c['shape']} {c['target']}" for c in chosen])


@reshape_cases()
def test_reshape_codes(case):
    x = counted(case["shape"])
    if "error" in case:
        with pytest.raises(ValueError, match="^reshape") as raised:
            x.reshape(tuple(case["target"]), **case["kwargs"])
        assert isinstance(raised.value, mx.MXNetError)
        return

    found = x.reshape(tuple(case["target"]), **case["kwargs"])

    assert found.shape == tuple(case["result"])
    assert x.reshape(*case["target"], **case["kwargs"]).shape == found.shape
    assert x.reshape(shape=case["target"], **case["kwargs"]).shape == found.shape
    found[:] = -1
    assert x.asnumpy().max() == -1


@pytest.mark.parametrize("case", [c for c in CASES if c["kind"] == "view"], ids=lambda c: c["expr"])
def test_views_and_copies(case):
    a = counted(case["shape"])

    b = eval(case["expr"], {"a": a, "nd": nd, "mx": mx})
    b[:] = -1

    assert (b is a) == case["same_object"]
    assert a.asnumpy().ravel().tolist() == case["after"]


@pytest.mark.parametrize("case", [c for c in CASES if c["kind"] == "repr"], ids=lambda c: c["expr"])
def test_printed_text(case):
    a = eval(case["expr"], {"nd": nd, "mx": mx})

    assert repr(a) == str(a) == case["repr"]


# --- NumPy as the reference ---------------------------------------------------------------------------


@st.composite
def indexed(draw, advanced=False):
    """An array and a key for it that NumPy takes, without its boolean masks."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0 if not advanced else 1, max_side=4))
    if not advanced:
        key = draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
        return shape, key
    kinds = [draw(st.sampled_from(["array", "slice", "int", "none"])) for _ in shape]
    kinds[draw(st.integers(0, len(kinds) - 1))] = "array"
    common = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3))
    key, axis = [], 0
    for kind in kinds:
        extent = shape[axis]
        if kind == "none":
            key.append(None)
            continue
        axis += 1
        if kind == "int":
            key.append(draw(st.integers(-extent, extent - 1)))
        elif kind == "slice":
            key.append(draw(st.slices(extent)))
        else:
            own = draw(st.sampled_from([common, common[1:], (1,) * len(common)]))
            key.append(draw(hnp.arrays(np.int64, own, elements=st.integers(-extent, extent - 1))))
    if draw(st.booleans()):
        # MXNet drops an ellipsis that stands for no axis before it looks which arrays are adjacent;
        # NumPy does it after.
        places = range(len(key) + 1) if axis < len(shape) else (0, len(key))
        key.insert(draw(st.sampled_from(places)), Ellipsis)
    if not any(isinstance(item, np.ndarray) for item in key):
        key.append([0])
    return shape, tuple(key)


def legacy(shape):
    return shape or (1,)


def test_an_ellipsis_for_no_axis_does_not_part_the_arrays():
    x = nd.array(np.arange(6).reshape(3, 2, 1))

    assert x[:, [0, 1], ..., [0]].shape == x[:, [0, 1], [0]].shape == (3, 2)


@given(indexed(), st.sampled_from(DTYPES))
def test_basic_keys_as_numpy(drawn, dtype):
    shape, key = drawn
    expected = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    x = nd.array(expected, dtype=dtype)

    found = x[key]
    x[key] = 3
    expected_part = expected[key]

    assert found.shape == legacy(np.shape(expected_part))
    expected[key] = 3
    np.testing.assert_array_equal(x.asnumpy(), expected)
    np.testing.assert_array_equal(found.asnumpy().ravel(), np.ravel(expected[key]))  # a view: sees the 3


@given(indexed(advanced=True), st.sampled_from(["float32", "uint8", "complex128", "bool"]), st.data())
def test_advanced_keys_as_numpy(drawn, dtype, data):
    shape, key = drawn
    expected = (np.arange(np.prod(shape)).reshape(shape) % 200).astype(dtype)
    x = nd.array(expected, dtype=dtype)
    try:
        part = expected[key]
    except IndexError:
        with pytest.raises(IndexError):
            x[key].wait_to_read()
        return
    ours = tuple(
        nd.array(item, dtype="int32")
        if isinstance(item, np.ndarray) and item.ndim and data.draw(st.booleans())
        else item
        for item in key
    )  # fmt: skip

    found = x[ours]

    assert found.shape == legacy(part.shape)
    np.testing.assert_array_equal(found.asnumpy().reshape(part.shape), part)
    x[ours] = 7
    expected[key] = 7
    np.testing.assert_array_equal(x.asnumpy(), expected)


@given(indexed(advanced=True), st.data())
def test_assigned_arrays_broadcast_as_numpy(drawn, data):
    shape, key = drawn
    expected = np.zeros(shape, np.float32)
    try:
        part = expected[key].shape
    except IndexError:
        return
    own = tuple(n if data.draw(st.booleans()) else 1 for n in part)[data.draw(st.integers(0, len(part))) :]
    value = data.draw(st.integers(-9, 9)) + np.arange(np.prod(own)).reshape(own)
    flat = np.arange(expected.size).reshape(shape)[key].ravel()
    if len(set(flat.tolist())) < flat.size:
        return  # which of several values stays is not promised
    x = nd.array(expected)

    x[key] = nd.array(value) if data.draw(st.booleans()) else value
    expected[key] = value

    np.testing.assert_array_equal(x.asnumpy(), expected)


# --- values -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value, expected", [
    (1.7, [1] * 3), (-1, [255] * 3), (300, [44] * 3), (True, [1] * 3), (np.float64(2.5), [2] * 3),
    ([1, 2, 3], [1, 2, 3]), ((4.9, 5, 6), [4, 5, 6]), (np.array([[7, 8, 9]]), [7, 8, 9]),
    (range(3), [0, 1, 2]),
])  # fmt: skip
def test_values_are_cast_to_the_dtype(value, expected):
    x = nd.zeros((3,), dtype="uint8")

    x[:] = value

    assert x.asnumpy().tolist() == expected


@pytest.mark.parametrize("source", DTYPES, ids=str)
@pytest.mark.parametrize("target", DTYPES, ids=str)
def test_arrays_of_every_dtype_are_assigned(source, target):
    if source.kind == "c" and target.kind != "c":
        return
    x = nd.zeros((2, 2), dtype=target)

    x[:, 1] = nd.array([1, 0], dtype=source)
    x[[0], [0]] = nd.array([1], dtype=source)

    np.testing.assert_array_equal(x.asnumpy(), np.array([[1, 1], [0, 0]]).astype(target))


@pytest.mark.parametrize("value", [None, "x", object(), [1, "a"], [[1], [2, 3]], b"x", 1j, [None]])
@pytest.mark.parametrize("key", [slice(None), 0, [0, 1]])
def test_values_that_are_no_numbers(value, key):
    x = nd.zeros((2, 3))

    with pytest.raises(TypeError, match=r"^setitem\(value\): expected") as raised:
        x[key] = value
    assert isinstance(raised.value, mx.MXNetError)
    assert x.asnumpy().sum() == 0


@pytest.mark.parametrize("key, shape", [
    (0, (3,)), ((slice(None), 1), (3, 1)), ([0, 1], (3, 4)), (..., (2, 3, 4)),
])  # fmt: skip
def test_values_that_do_not_fit(key, shape):
    x = nd.zeros((3, 4))

    with pytest.raises(ValueError, match="expected|does not broadcast") as raised:
        x[key] = nd.ones(shape)
    assert isinstance(raised.value, mx.MXNetError)


def test_of_duplicates_the_last_value_stays():
    x = nd.zeros((3,))

    x[[1, 1, 1]] = [5, 6, 7]

    assert x.asnumpy().tolist() == [0, 7, 0]


def test_overlapping_assignments():
    x = nd.arange(6)
    x[1:] = x[:-1]
    y = nd.arange(6)
    y[::-1] = y
    z = nd.arange(6)
    z[[0, 1, 2]] = z[[2, 1, 0]]

    assert x.asnumpy().tolist() == [0, 0, 1, 2, 3, 4]
    assert y.asnumpy().tolist() == [5, 4, 3, 2, 1, 0]
    assert z.asnumpy().tolist() == [2, 1, 0, 3, 4, 5]


def test_in_place_through_a_view():
    x = nd.zeros((3, 4))

    x[0] += 1
    x[:, 1] *= 5
    x[0:2][1][2] = 3
    row = x[2]
    row -= nd.ones((4,))

    expected = np.zeros((3, 4), "f")
    expected[0] += 1
    expected[:, 1] *= 5
    expected[1, 2] = 3
    expected[2] -= 1
    np.testing.assert_array_equal(x.asnumpy(), expected)


def test_slice_assign():
    x = nd.zeros((3, 4))

    assert x.slice_assign_scalar(2, (0, 1), (2, 3)) is x
    assert x.slice_assign(nd.ones((1, 4)), (2,), (3,), (1,)) is x

    assert x.asnumpy().tolist() == [[0, 2, 2, 0], [0, 2, 2, 0], [1, 1, 1, 1]]
    with pytest.raises(ValueError, match="of one length, got 1, 2 and 1"):
        x.slice_assign_scalar(2, (0,), (2, 3), (1,))


# --- errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key, text", [
    (5, "index 5 is out of bounds for axis 0 with size 3"),
    ((0, -5), "index -5 is out of bounds for axis 1 with size 4"),
    ([0, 3], "index 3 is out of bounds for axis 0 with size 3"),
    ((slice(None), [-5]), "index -5 is out of bounds for axis 1 with size 4"),
    ((0, 0, 0), "but 3 were indexed"),
    (([0], 0, 0), "expected at most 2 indices, got 3"),
    ((..., ...), "ellipsis"),
    ((..., [0], ...), "ellipsis"),
])  # fmt: skip
def test_constant_indices_are_checked_at_the_call(key, text):
    x = nd.zeros((3, 4))

    with pytest.raises(IndexError, match=text) as raised:
        x[key]
    assert isinstance(raised.value, mx.MXNetError)
    with pytest.raises(IndexError, match=text):
        x[key] = 1


@pytest.mark.parametrize("index", [3, -4])
def test_indices_in_an_array_are_checked_when_it_is_read(index):
    x = nd.arange(3)
    wrong = nd.array([0, index], dtype="int64")

    with pytest.raises(IndexError, match=f"index {index} is out of bounds"):
        x[wrong].asnumpy()
    assert x.asnumpy().tolist() == [0, 1, 2]


@pytest.mark.parametrize("key", ["x", 1.0, [1.5, "a"], object(), [[0], [0, 1]], 1j, [None], {0: 1}])
def test_keys_that_do_not_index(key):
    x = nd.zeros((3, 4))

    with pytest.raises(ValueError, match=r"^getitem\(key\): expected integers") as raised:
        x[key]
    assert isinstance(raised.value, mx.MXNetError)


@pytest.mark.parametrize(
    ("key", "error"), [(slice("a", None), TypeError), (slice(None, None, 0), ValueError), (2**70, IndexError)]
)
def test_errors_of_python_in_a_key_are_ours_too(key, error):
    with pytest.raises(error) as raised:
        nd.zeros((3, 4))[key]
    assert isinstance(raised.value, mx.MXNetError)


def test_deeply_nested_lists_are_refused():
    nested = [1.0]
    for _ in range(5000):
        nested = [nested]
    x = nd.zeros((3,))

    with pytest.raises(ValueError, match="expected integers"):
        x[nested]
    with pytest.raises(TypeError, match="expected a number or an array of numbers"):
        x[:] = nested


def test_arrays_of_bool_are_refused_and_lists_of_bool_are_integers():
    x = nd.arange(3)

    with pytest.raises(ValueError, match="an array of bool, which would not be a mask; use contrib"):
        x[nd.array([1, 0, 1], dtype="bool")]

    x[True] = 5
    assert x.asnumpy().tolist() == [0, 5, 2]
    assert x[True].asscalar() == 5
    x = nd.arange(3)
    assert x[[True, False]].asnumpy().tolist() == [1, 0]
    assert x[np.array([False])].asnumpy().tolist() == [0]


def test_empty_lists_and_empty_arrays():
    x = nd.zeros((3, 4))

    assert x[[]].shape == (0, 4)
    assert x[:, []].shape == (3, 0)
    assert x[nd.empty((0, 2), dtype="int32")].shape == (0, 2, 4)
    assert nd.empty((0, 4))[:, [1, 2]].shape == (0, 2)
    x[[]] = 5
    assert x.asnumpy().sum() == 0


def test_zero_dimensional_arrays():
    x = nd.array(3)

    assert x.shape == ()
    assert x[()].asscalar() == 3
    x[()] = 4
    x[...] = nd.array([5])
    assert x.asscalar() == 5
    with pytest.raises(IndexError):
        x[0]
