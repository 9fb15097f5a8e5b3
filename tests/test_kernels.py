"""Kernels of the CPU against NumPy: copies, casts, fills, selections, joining, sorting, softmax."""

import itertools
import warnings

import ml_dtypes
import numpy as np
import pytest
import scipy.special
from array_faces import FLAT, Flat, make
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from mxcy import _array, _launch
from mxcy.dtypes import DTYPES
from mxcy.errors import ArgumentError, AxisError, DTypeError, MXNetError, ShapeError
from mxcy.kernels import cpu as kernels

FLOATS = [np.dtype(t) for t in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)]
NAMES = [d.name for d in DTYPES]


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def array(x):
    return _array.from_numpy(np.array(x))


def value(x):
    return np.array(x, copy=True)


def sample(rng, shape, dtype):
    """Numbers that every dtype can hold, in an array of that dtype."""
    numbers = rng.integers(0, 100, shape) if dtype.kind in "iu" else rng.normal(0, 20, shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return (numbers > 0 if dtype.kind == "b" else numbers).astype(dtype)


def strided_views(x):
    """The same values behind different strides."""
    wide = array(np.repeat(np.repeat(x, 2, 0), 3, 1))
    rows, columns = wide.strides
    yield wide._strided(0, x.shape, (2 * rows, 3 * columns))
    yield array(np.ascontiguousarray(x.T))._transpose_view((1, 0))
    back = array(np.ascontiguousarray(x[::-1, ::-1]))
    yield back._strided((x.size - 1) * x.itemsize, x.shape, [-s for s in back.strides])


@pytest.mark.parametrize("source", DTYPES, ids=NAMES)
def test_cast_equals_numpy_for_every_pair(source, rng):
    x = sample(rng, (7, 41), source)

    for target in DTYPES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
            expected = x.astype(target)
        for view in (array(x), *strided_views(x)):
            found = value(kernels.astype(view, target))
            assert found.dtype == target
            assert_array_equal(found.view(np.uint8), expected.view(np.uint8))


SPECIAL = [
    0.0, -0.0, 0.5, -1.7, 255.5, 300.0, -300.0, 40000.0, 3e9, -3e9, 1e19, 1.7e19, 3e38,
    np.inf, -np.inf, np.nan,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered")
@pytest.mark.parametrize("source", FLOATS, ids=str)
@pytest.mark.parametrize("target", [d for d in DTYPES if d.kind in "biu"], ids=str)
def test_cast_of_floats_out_of_range_equals_numpy(source, target):
    with np.errstate(all="ignore"):
        numbers = np.array(SPECIAL).astype(source)
        numbers = np.concatenate([numbers] * 5)
        # One at a time: NumPy's vector loops may differ from its scalar ones where C leaves it open.
        expected = np.concatenate([numbers[i : i + 1].astype(target) for i in range(len(numbers))])

    assert_array_equal(value(kernels.astype(array(numbers), target)), expected)


def test_cast_of_nan_to_integer_warns_as_numpy():
    with pytest.warns(RuntimeWarning, match="invalid value"):
        kernels.astype(array([np.nan]), "int32").wait_to_read()


@pytest.mark.parametrize(
    "call",
    [
        lambda x: kernels.copy(x),
        lambda x: kernels.astype(x, "float16"),
        lambda x: kernels.copy(_array.from_numpy(np.ones((2, 3))[:, ::2])),
        lambda x: kernels.fill(x, 2),
        lambda x: kernels.arange(3),
        lambda x: kernels.where(x, x, x),
        lambda x: kernels.sort(x),
        lambda x: kernels.softmax(x),
    ],
)
def test_flags_that_other_code_left_behind_are_not_reported(call):
    x = array([1.0, 2.0])
    assert not np.array(np.nan).item() < 1.0  # sets the processor's flag `invalid`
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(x)


def test_cast_to_half_warns_of_overflow():
    with pytest.warns(RuntimeWarning, match="overflow"):
        kernels.astype(array([1e6]), "float16").wait_to_read()


@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_cast_to_half_rounds_once(rng):
    bits = rng.integers(0, 2**64, 20000, dtype=np.uint64)
    scaled = rng.normal(size=20000) * 2.0 ** rng.integers(-30, 18, 20000)
    numbers = np.concatenate([bits.view(np.float64), scaled])
    ties = np.arange(0, 0x7C00, 7, dtype=np.uint16).view(np.float16).astype(np.float64)
    numbers = np.concatenate([numbers, ties[:-1] + np.diff(ties) / 2, np.nextafter(ties, np.inf)])

    with np.errstate(all="ignore"):
        assert_array_equal(value(kernels.astype(array(numbers), "float16")), numbers.astype(np.float16))
        single = numbers.astype(np.float32)
        assert_array_equal(value(kernels.astype(array(single), "float16")), single.astype(np.float16))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (5, 1, 7), (2, 3, 4, 5)])
def test_copy_keeps_shape_and_values(shape, rng):
    x = rng.normal(size=shape)

    found = kernels.copy(array(x))

    assert found.shape == shape
    assert_array_equal(value(found), x)


@given(st.data())
def test_copy_equals_numpy_for_any_view(data):
    shape = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=4))
    dtype = data.draw(st.sampled_from(["u1", "f4", "f8", "c16"]))
    base = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
    axes = data.draw(st.permutations(range(len(shape))))
    slices = st.sampled_from([slice(None), slice(None, None, -1), slice(1, None, 2)])
    key = tuple(data.draw(slices) for _ in axes)
    kept = array(base)

    assert_array_equal(value(kernels.copy(kept._transpose_view(tuple(axes))[key])), base.transpose(axes)[key])


@pytest.mark.parametrize("shape", [(1000, 700), (65, 31, 47), (3, 2000, 9)])
@pytest.mark.parametrize("dtype", ["u1", "f2", "f4", "f8", "c16"])
def test_copy_of_transposed_equals_numpy(shape, dtype, rng):
    x = rng.integers(0, 200, shape).astype(dtype)

    for axes in itertools.permutations(range(len(shape))):
        assert_array_equal(value(kernels.copy(array(x)._transpose_view(axes))), x.transpose(axes))


def test_copy_broadcasts_and_converts_into_out():
    out = kernels.full((2, 3), 0, "float64")

    assert kernels.copy(array(np.arange(3, dtype=np.int8)), out) is out
    assert_array_equal(value(out), [[0, 1, 2]] * 2)
    with pytest.raises(ShapeError, match=r"shape \(2,\) does not broadcast to \(2, 3\)"):
        kernels.copy(array([1.0, 2.0]), out)


@pytest.mark.parametrize(("to", "source"), [((1, 9), (0, 8)), ((0, 8), (1, 9)), ((8, None, -1), (0, 9))])
def test_copy_onto_itself_equals_numpy(to, source):
    x = np.arange(20.0)
    kept = array(x)

    kernels.copy(kept[slice(*source)], kept[slice(*to)])

    x[slice(*to)] = x[slice(*source)].copy()
    assert_array_equal(value(kept), x)


@pytest.mark.parametrize("dtype", DTYPES, ids=NAMES)
def test_fill_converts_as_numpy(dtype):
    x = kernels.full((3, 50), 0, dtype)
    kernels.fill(x[:, ::7], 1.75 if dtype.kind in "fcV" else 1)

    expected = np.zeros((3, 50), dtype)
    expected[:, ::7] = 1.75 if dtype.kind in "fcV" else 1
    assert_array_equal(value(x), expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=NAMES)
def test_where_chooses_and_broadcasts(dtype, rng):
    a, b = sample(rng, (4, 1, 30), dtype), sample(rng, (5, 30), dtype)
    for condition in (rng.random((4, 5, 30)) > 0.5, rng.integers(-1, 2, (5, 1)), rng.normal(size=30) // 1):
        expected = np.where(condition, a, b)
        assert_array_equal(value(kernels.where(array(condition), array(a), array(b))), expected)


def test_where_takes_numbers_and_promotes():
    found = kernels.where(array([1, 0]), array([1, 2]), 0.5)

    assert found.dtype == np.float64
    assert_array_equal(value(found), [1, 0.5])
    with pytest.raises(ShapeError, match="do not broadcast"):
        kernels.where(array([1, 0]), array([1.0, 2, 3]), 0.0)


def test_where_may_write_over_its_operands():
    x = array(np.arange(10.0))
    kernels.where(array([True, False] * 4 + [True]), x[1:], x[:-1], out=x[1:])

    assert_array_equal(value(x), [0, 1, 1, 3, 3, 5, 5, 7, 7, 9])


def test_sequences_equal_numpy():
    assert_array_equal(value(kernels.arange(2, 11, 3, dtype="int32")), np.arange(2, 11, 3))
    assert_array_equal(value(kernels.arange(5, 0, -0.5, dtype="float64")), np.arange(5, 0, -0.5))
    assert_array_equal(value(kernels.arange(3, repeat=2)), [0, 0, 1, 1, 2, 2])
    assert kernels.arange(0).shape == (0,)
    assert_array_equal(value(kernels.linspace(0, 1, 7, dtype="float64")), np.linspace(0, 1, 7))
    expected = np.linspace(0, 1, 5, False, dtype="f4")
    assert_array_equal(value(kernels.linspace(0, 1, 5, endpoint=False)), expected)
    assert_array_equal(value(kernels.linspace(3, 4, 1)), [3])
    for k in (-9, -1, 0, 2, 9):
        assert_array_equal(value(kernels.eye(4, 3, k)), np.eye(4, 3, k))
    with pytest.raises(ArgumentError, match=r"arange\(step\): expected a number other than zero"):
        kernels.arange(0, 1, 0)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_joining_and_splitting_equal_numpy(axis, rng):
    parts = [rng.normal(size=[n if d == axis % 3 else 4 for d in range(3)]) for n in (3, 0, 5)]
    joined = np.concatenate(parts, axis)

    assert_array_equal(value(kernels.concat([array(p) for p in parts], axis)), joined)
    assert_array_equal(value(kernels.stack([array(parts[0])] * 3, axis)), np.stack([parts[0]] * 3, axis))
    found = kernels.split(array(joined), [3, 3], axis)
    for part, expected in zip(found, parts, strict=True):
        assert_array_equal(value(part), expected)
    for part, expected in zip(kernels.split(array(joined), 4, axis), np.split(joined, 4, axis), strict=True):
        assert_array_equal(value(part), expected)


def test_joining_promotes_and_checks():
    found = kernels.concat([array(np.array([1], "int8")), array(np.array([2.5], "f4"))], 0)
    assert found.dtype == np.float32
    parts = kernels.split(array(np.ones((2, 3))), 2, 0, squeeze_axis=True)
    assert [part.shape for part in parts] == [(3,), (3,)]
    with pytest.raises(ShapeError, match=r"concat\(arrays\): expected shape \(2,\) except along axis 0"):
        kernels.concat([array([1.0, 2.0]), array([[1.0]])], 0)
    with pytest.raises(ShapeError, match=r"split\(sections\): expected a divisor"):
        kernels.split(array(np.ones(5)), 2, 0)
    with pytest.raises(AxisError):
        kernels.stack([array([1.0])], 3)


@pytest.mark.parametrize("reps", [2, (3,), (2, 1, 3), (2, 0), (2, 2, 1, 2)])
def test_repetition_equals_numpy(reps, rng):
    x = rng.normal(size=(3, 4, 2))
    view = array(np.ascontiguousarray(x.T))._transpose_view((2, 1, 0))

    assert_array_equal(value(kernels.tile(view, reps)), np.tile(x, reps))
    for axis in (None, 0, 1, -1):
        assert_array_equal(value(kernels.repeat(view, 3, axis)), np.repeat(x, 3, axis))
    assert_array_equal(value(kernels.flip(view, (0, -1))), np.flip(x, (0, -1)))


@pytest.mark.parametrize("count", [2**61, 2**63, 2**70])
def test_copies_of_more_elements_than_there_are_numbers(count):
    x = array(np.ones(3, "f4"))
    for copies in (lambda: kernels.tile(x, [count]), lambda: kernels.repeat(x, count)):
        with pytest.raises(ShapeError):
            copies()


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
def test_padding_and_its_gradient(mode, rng):
    x, widths = rng.normal(size=(2, 5, 4)), [(0, 0), (4, 1), (0, 3)]
    padded = np.pad(x, widths, mode)

    assert_array_equal(value(kernels.pad(array(x), widths, mode)), padded)
    g = rng.normal(size=padded.shape)
    expected = np.sum(value(kernels.pad_grad(array(g), widths, mode)) * x)
    assert np.isclose(np.sum(g * padded), expected)


def test_padding_checks_widths():
    with pytest.raises(ShapeError, match="at most 1 for an axis of length 2"):
        kernels.pad(array([1.0, 2.0]), [(2, 0)], "reflect")
    with pytest.raises(ArgumentError, match="expected 1 pairs"):
        kernels.pad(array([1.0, 2.0]), [(2, 0), (0, 0)])


@pytest.mark.parametrize("dtype", DTYPES, ids=NAMES)
def test_sorting_equals_stable_sorting(dtype, rng):
    for shape, axis in (((3, 1500), 1), ((20, 7), 0), ((2, 3, 11), 1)):
        x = sample(rng, shape, dtype)
        wide = x.astype(np.float64) if dtype.kind == "V" else x
        order = np.argsort(wide, axis, kind="stable")
        assert_array_equal(value(kernels.argsort(array(x), axis, dtype="int64")), order)
        assert_array_equal(value(kernels.sort(array(x), axis)), np.take_along_axis(x, order, axis))
        if dtype.kind in "iufV":
            down = np.argsort(-wide.astype(np.float64), axis, kind="stable")
            assert_array_equal(value(kernels.argsort(array(x), axis, False, "int64")), down)


def test_sorting_puts_nan_last():
    x = array([2.0, np.nan, -np.inf, -np.nan, -0.0, 0.0])

    assert_array_equal(value(kernels.argsort(x, dtype="int8")), [2, 4, 5, 0, 1, 3])
    assert_array_equal(value(kernels.sort(array([[3, 1], [0, 2]]), None)), [0, 1, 2, 3])


def test_topk_gives_values_positions_and_mask(rng):
    x = rng.permutation(600).reshape(2, 300).astype("f4")
    for k, axis, ascending in ((5, 1, False), (250, 1, True), (1, 0, False)):
        values, positions = kernels.topk(array(x), k, axis, ascending)
        order = np.take(np.argsort(x if ascending else -x, axis, kind="stable"), np.arange(k), axis)
        assert positions.dtype == np.float32
        assert_array_equal(value(positions), order)
        assert_array_equal(value(values), np.take_along_axis(x, order, axis))
        mask = np.zeros_like(x)
        np.put_along_axis(mask, order, 1, axis)
        assert_array_equal(value(kernels.topk_mask(array(x), k, axis, ascending)), mask)
    with pytest.raises(ArgumentError, match=r"topk\(k\): expected a number from 0 to 300"):
        kernels.topk(array(x), 301)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize(
    ("shape", "axis"), [((5, 1000), 1), ((37, 70), 0), ((2, 5, 300), 1), ((3, 4), -1), ((9,), 0)]
)
def test_softmax_and_gradients(dtype, shape, axis, rng):
    x = rng.normal(0, 5, shape).astype(dtype)
    exact = scipy.special.softmax(x.astype(np.float64), axis)
    g = rng.normal(size=shape).astype(dtype)
    tolerance = 8 * float(ml_dtypes.finfo(dtype).eps)

    y = kernels.softmax(array(x), axis)
    assert y.dtype == dtype
    np.testing.assert_allclose(value(y).astype("f8"), exact, rtol=tolerance, atol=tolerance * 1e-2)
    logarithm = kernels.log_softmax(array(x), axis)
    np.testing.assert_allclose(value(logarithm).astype("f8"), np.log(exact), rtol=tolerance, atol=tolerance)
    wide, head = value(y).astype("f8"), g.astype("f8")
    expected = wide * (head - np.sum(wide * head, axis, keepdims=True))
    found = value(kernels.softmax_grad(y, array(g), axis)).astype("f8")
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    wide = np.exp(value(logarithm).astype("f8"))
    found = value(kernels.log_softmax_grad(logarithm, array(g), axis)).astype("f8")
    total = np.sum(head, axis, keepdims=True)
    largest = np.max(np.abs(total))
    np.testing.assert_allclose(found, head - wide * total, rtol=tolerance, atol=tolerance * largest)


def test_softmax_of_views_equals_that_of_copies(rng):
    x = rng.normal(size=(40, 60)).astype("f4")

    for axis in (0, 1):
        expected = value(kernels.softmax(array(x), axis))
        for view in strided_views(x):
            np.testing.assert_allclose(value(kernels.softmax(view, axis)), expected, rtol=3e-7)
    kept = array(x)
    assert_array_equal(value(kernels.softmax(kept, 1, out=kept)), expected)


def test_softmax_of_extremes():
    assert_array_equal(value(kernels.softmax(array([[1e30, 0.0], [-1e30, -1e30]]))), [[1, 0], [0.5, 0.5]])
    found = value(kernels.softmax(array([[np.inf, 0.0], [np.nan, 0.0], [-np.inf, -np.inf], [-np.inf, 3.0]])))
    assert_array_equal(np.isnan(found).all(1), [True, True, True, False])
    assert_array_equal(found[3], [0, 1])
    steps = array(np.linspace(0, -104, 10001, dtype="f4")[None])
    exact = scipy.special.softmax(value(steps).astype("f8"), 1)
    np.testing.assert_allclose(value(kernels.softmax(steps)), exact, rtol=3e-7, atol=3e-45)


def test_softmax_options(rng):
    x, length = rng.normal(size=(4, 6)), np.array([6, 3, 0, 1], "i4")
    mask = np.arange(6) < length[:, None]
    expected = np.where(mask, np.exp(x / 2), 0)
    expected /= np.maximum(expected.sum(1, keepdims=True), 1e-300)

    y = kernels.softmax(array(x), temperature=2, length=array(length))
    np.testing.assert_allclose(value(y), expected, rtol=1e-14)
    negated = value(kernels.softmax(array(x), negate=True))
    np.testing.assert_allclose(negated, scipy.special.softmax(-x, 1), rtol=1e-14)
    assert kernels.softmax(array([[1, 2]])).dtype == np.float32
    with pytest.raises(ShapeError, match=r"softmax\(length\): expected shape \(4,\)"):
        kernels.softmax(array(x), length=array([1, 2]))
    with pytest.raises(DTypeError, match="floating-point"):
        kernels.softmax(array(x), dtype="int32")


@pytest.mark.parametrize("normalization", ["null", "batch", "valid"])
@pytest.mark.parametrize("use_ignore", [False, True])
@pytest.mark.parametrize(("shape", "multi_output", "preserve_shape"), [
    ((4, 5), False, False), ((4, 3, 5), False, True), ((2, 5, 300), True, False),
])  # fmt: skip
def test_softmax_output_gradient_by_its_rule(
    normalization, use_ignore, shape, multi_output, preserve_shape, rng
):
    axis = 1 if multi_output else -1
    label_shape = (shape[0], *shape[2:]) if multi_output else shape[:-1]
    x, label = rng.normal(size=shape), rng.integers(0, 5, label_shape)

    y = kernels.softmax_output(array(x), multi_output, preserve_shape)
    np.testing.assert_allclose(value(y), scipy.special.softmax(x, axis), rtol=1e-14)
    found = kernels.softmax_output_grad(
        y, array(label.astype("f4")), grad_scale=3.0, ignore_label=2, use_ignore=use_ignore, smooth_alpha=0.1,
        multi_output=multi_output, preserve_shape=preserve_shape, normalization=normalization,
    )  # fmt: skip

    target = np.moveaxis(np.where(np.eye(5, dtype=bool)[label], 0.9, 0.1 / 4), -1, axis)
    expected = (value(y) - target) * 3
    if use_ignore:
        expected = np.where(np.expand_dims(label == 2, axis), 0, expected)
    samples = label.shape[0] if multi_output else label.size
    expected /= {"null": 1, "batch": samples, "valid": max(1, np.sum(label != 2))}[normalization]
    if multi_output and normalization != "valid":
        expected /= shape[2]
    np.testing.assert_allclose(value(found), expected, rtol=1e-12, atol=1e-16)


def test_softmax_output_takes_probabilities_as_label(rng):
    x, label, g = rng.normal(size=(3, 3, 4))
    y = kernels.softmax_output(array(x))

    found = value(kernels.softmax_output_grad(y, array(label), array(g), grad_scale=2.0))

    np.testing.assert_allclose(found, 2 * (value(y) - label) * g, rtol=1e-12)
    with pytest.raises(ShapeError, match=r"softmax_output_grad\(label\): expected shape \(3,\) or \(3, 4\)"):
        kernels.softmax_output_grad(y, array([1.0]))


def test_out_is_checked():
    x = array(np.ones((2, 3)))

    with pytest.raises(ShapeError, match=r"sort\(out\): expected shape \(2, 3\), got \(3, 2\)"):
        kernels.sort(x, out=array(np.ones((3, 2))))
    with pytest.raises(DTypeError, match=r"sort\(out\): expected dtype float64, got float32"):
        kernels.sort(x, out=array(np.ones((2, 3), "f4")))
    with pytest.raises(MXNetError, match=r"copy\(x\): expected an array, got list"):
        kernels.copy([1.0])


def test_results_have_the_face_and_dimensions_of_their_operand():
    def flat(x):
        return make(np.array(x), FLAT)  # a face without 0-d arrays

    assert kernels.pick(flat([1.0, 2.0]), flat([1])).shape == (1,)
    assert [type(part) for part in kernels.split(flat([1.0, 2.0]), 2, 0, squeeze_axis=True)] == [Flat, Flat]
    assert kernels.gather_nd(flat([[1, 2], [3, 4]]), flat([0, 1])).shape == (1,)
    assert kernels.index_get(flat([1.0, 2.0]), [np.array(1)]).shape == (1,)
    values, positions = kernels.topk(flat([3.0, 1.0]), 1, None)
    assert (value(values), value(positions), type(values)) == ([3], [0], Flat)


def test_errors_of_queued_kernels_follow_the_data():
    x = kernels.full((2000, 2000), 0, "float32")
    indices = array([0] * 3000 + [5000])

    with pytest.raises(IndexError, match="index 5000 is out of bounds for axis 0 with size 2000"):
        kernels.softmax(kernels.take(x, indices, 0, "raise")).wait_to_read()


def test_push_numpy_runs_a_function_and_wraps_its_errors():
    x, out = array([1.0, 2.0]), array([0.0, 0.0])

    assert_array_equal(value(_launch.push_numpy(np.cumsum, [x], None, "cumsum")[0]), [1, 3])
    _launch.push_numpy(lambda a, b: np.add(a, 1, out=b), [x], [out], "add")
    assert_array_equal(value(out), [2, 3])
    with pytest.raises(ValueError, match="cannot reshape") as caught:
        _launch.push_numpy(lambda a: a.reshape(3), [x], None, "reshape")
    assert isinstance(caught.value, MXNetError)
