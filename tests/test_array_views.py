"""Indexing and views against NumPy: values, shapes, strides, aliasing, errors."""

import numpy as np
import pytest
from array_faces import FACE, make
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mxcy import _array, _index
from mxcy.errors import ArgumentError, ArrayIndexError, AxisError, MXNetError, ShapeError


def arrays(max_dims=4, max_side=4, min_side=0):
    """Arrays whose elements are their positions, so that equal values mean equal elements."""
    shapes = hnp.array_shapes(min_dims=0, max_dims=max_dims, min_side=min_side, max_side=max_side)
    return shapes.map(lambda shape: np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape))


def check_view(found, expected, base):
    """A view equals NumPy's in everything that can be seen, aliasing included."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found.view_numpy(), expected)
    assert found._storage_id == base._storage_id
    if expected.size:
        assert found.strides == expected.strides or found.size == 1 or 1 in found.shape


@given(st.data())
def test_basic_keys_select_what_numpy_selects(data):
    values = data.draw(arrays())
    key = data.draw(hnp.basic_indices(values.shape, max_dims=8, allow_newaxis=True))
    x = make(values)
    expected = values[key]
    check_view(x[key], np.asarray(expected), x)


@given(st.data())
def test_views_of_views_alias(data):
    values = data.draw(arrays(min_side=1))
    x = make(values)
    view, expected = x, values
    for _ in range(3):
        key = data.draw(hnp.basic_indices(expected.shape, allow_newaxis=True))
        key = key if isinstance(key, tuple) else (key,)
        key = key if Ellipsis in key else (*key, ...)  # arrays in NumPy, not scalars
        view, expected = view[key], expected[key]
    view.view_numpy(writable=True)[...] = -1
    expected[...] = -1
    np.testing.assert_array_equal(x.view_numpy(), values)


@given(st.data())
def test_assignment_writes_what_numpy_writes(data):
    values = data.draw(arrays(min_side=1))
    key = data.draw(hnp.basic_indices(values.shape, max_dims=6, allow_newaxis=True))
    x = make(values)
    x[key] = -7
    values[key] = -7
    np.testing.assert_array_equal(x.view_numpy(), values)


@pytest.mark.parametrize("key", [4, -5, (0, 3), (0, 0, 0), (..., ...), "a", 1.5, 2**70], ids=str)
def test_wrong_keys_raise_index_errors(key):
    values = np.zeros((4, 3))
    with pytest.raises(IndexError):
        values[key]
    with pytest.raises(IndexError) as caught:
        make(values)[key]
    if key not in ("a", 1.5):  # those are for the face
        assert isinstance(caught.value, MXNetError) or key == 2**70


def test_index_errors_say_which_axis():
    with pytest.raises(
        ArrayIndexError, match=r"getitem\(key\): index 3 is out of bounds for axis 1 with size 3"
    ):
        make(np.zeros((4, 3)))[0, 3]
    with pytest.raises(ArrayIndexError, match="too many indices: array is 2-dimensional, but 3 were indexed"):
        make(np.zeros((4, 3)))[0, 0, 0]


@pytest.mark.parametrize(
    "key",
    [
        True,
        np.True_,
        [0, 2],
        [True, False, True],
        np.array([1, 0]),
        (slice(None), [0, 1]),
        np.array(1),
        (True, 0),
    ],
    ids=str,
)
def test_other_keys_go_to_the_face(key):
    values = np.arange(6).reshape(3, 2)
    np.testing.assert_array_equal(make(values)[key].view_numpy(), values[key])
    x = make(values)
    x[key] = 9
    values[key] = 9
    np.testing.assert_array_equal(x.view_numpy(), values)


def test_numpy_integers_index():
    x = make(np.arange(6).reshape(3, 2))
    for kind in (np.int8, np.uint64, np.intp):
        assert int(x[kind(2), kind(1)]) == 5
    check_view(x[np.int32(1)], np.arange(6).reshape(3, 2)[1], x)


@given(arrays(min_side=0), st.data())
def test_reshape_view_is_numpys_reshape_without_copy(values, data):
    values = values[data.draw(hnp.basic_indices(values.shape, max_dims=6, allow_newaxis=True))]
    values = np.asarray(values).transpose(data.draw(st.permutations(range(np.ndim(values)))))
    factors = [n for n in (1, 2, 3, 4, 6, 8) if values.size % n == 0]
    shape = data.draw(st.lists(st.sampled_from(factors), max_size=4))
    known = int(np.prod(shape))
    assume(known and values.size % known == 0)
    shape.insert(
        data.draw(st.integers(0, len(shape))), data.draw(st.sampled_from([-1, values.size // known]))
    )
    x = _array.from_numpy(values, FACE, copy=False)
    view = x._reshape_view(shape)
    try:
        expected = np.reshape(values, shape, copy=False)
    except ValueError:
        assert view is None
    else:
        check_view(view, expected, x)


@pytest.mark.parametrize("shape", [(4,), (-1, 4), (-1, -1), (-2, 3), (2**40, 2**40), (0, -1)])
def test_reshape_to_another_size_is_refused(shape):
    with pytest.raises(ShapeError, match=r"^reshape\(shape\): "):
        make(np.zeros(6))._reshape_view(shape)


@given(arrays(), st.data())
def test_transpose_view_is_numpys(values, data):
    axes = data.draw(st.one_of(st.none(), st.permutations(range(values.ndim))))
    x = make(values)
    check_view(x._transpose_view(axes), values.transpose(axes), x)
    if axes:
        check_view(x._transpose_view([axis - values.ndim for axis in axes]), values.transpose(axes), x)


def test_transpose_wants_each_axis_once():
    x = make(np.zeros((2, 3)))
    with pytest.raises(ArgumentError):
        x._transpose_view((0,))
    with pytest.raises(ArgumentError):
        x._transpose_view((0, 0))
    with pytest.raises(AxisError):
        x._transpose_view((0, 2))


@given(arrays(max_dims=3), st.data())
def test_broadcast_view_is_numpys_and_is_not_written(values, data):
    shape = data.draw(hnp.broadcastable_shapes(values.shape, max_dims=5, max_side=4, min_side=0))
    try:
        expected = np.broadcast_to(values, shape)
    except ValueError:
        with pytest.raises(ShapeError, match="broadcast"):
            make(values)._broadcast_view(shape)
        return
    x = make(values)
    view = x._broadcast_view(shape)
    np.testing.assert_array_equal(view.view_numpy(), expected)
    assert view.shape == expected.shape
    with pytest.raises(ArgumentError, match="read-only"):
        view += 1


def test_strided_views_stay_inside():
    x = make(np.arange(10.0))
    np.testing.assert_array_equal(x._strided(72, (5,), (-16,)).view_numpy(), np.arange(10.0)[::-2])
    np.testing.assert_array_equal(x._strided(8, (3, 2), (8, 16)).view_numpy(), [[1, 3], [2, 4], [3, 5]])
    part = x[2:5]
    for offset, shape, strides in [
        (0, (11,), (8,)), (8, (10,), (8,)), (-8, (1,), (8,)), (0, (2,), (-8,)), (0, (2,), (2**62,)),
        (0, (2**62, 2), (8, 8)), (2**62, (3,), (2**62,)),
    ]:  # fmt: skip
        with pytest.raises(ShapeError):
            x._strided(offset, shape, strides)
    with pytest.raises(ShapeError):
        part._strided(0, (4,), (8,))
    assert x._strided(0, (0, 5), (8, 8)).shape == (0, 5)


@given(st.data())
def test_overlap_is_never_missed_and_exact_for_single_steps(data):
    values = np.arange(24)
    x = make(values)
    views = []
    for _ in range(2):
        start, stop = sorted([data.draw(st.integers(0, 24)), data.draw(st.integers(0, 24))])
        key = slice(start, stop, data.draw(st.integers(1, 5)))
        views.append((x[key], values[key]))
    (a, first), (b, second) = views
    common = np.shares_memory(first, second)
    assert _index.may_overlap(a, b) or not common
    if first.strides == second.strides or min(first.size, second.size) == 0:
        assert _index.may_overlap(a, b) == common


def test_overlap_of_columns_and_of_other_storage():
    x = make(np.zeros((4, 5)))
    assert not _index.may_overlap(x[:, 0], x[:, 3])
    assert _index.may_overlap(x[:, 0], x[2])
    assert not _index.may_overlap(x, make(np.zeros((4, 5))))
    assert _index.same_view(x, x[:])
    assert not _index.same_view(x, x[::-1])
    assert not _index.same_view(x[0], x[1])


def test_length_and_iteration():
    x = make(np.arange(6).reshape(3, 2))
    assert len(x) == 3
    for row, expected in zip(x, np.arange(6).reshape(3, 2), strict=True):
        check_view(row, expected, x)
    for function in (len, iter):
        with pytest.raises(TypeError, match="0-d"):
            function(make(1))
