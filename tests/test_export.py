"""Arrays as NumPy arrays, buffers and pickles, and back; and that nothing races them."""

import contextlib
import copy
import functools
import gc
import hashlib
import pickle
import sys
import threading

import numpy as np
import pytest
from array_faces import FACE, FLAT, FLOAT32, Face, Held, in_thread, make, ones
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mxcy._export import operand_view

from mxcy import _array, _engine, _pointwise
from mxcy.dtypes import DTYPES, bfloat16
from mxcy.errors import ArgumentError, ArgumentTypeError, MXNetError, ShapeError

# --- NumPy --------------------------------------------------------------------------------------


def test_asarray_shares_memory_and_is_writable():
    x = make(np.arange(6, dtype=np.float32).reshape(2, 3))
    a = np.asarray(x)
    a[1, 2] = 50
    x[0, 0] = 70
    assert a[0, 0] == 70
    assert float(x[1, 2]) == 50
    assert a.flags.writeable
    assert not a.flags.owndata
    np.testing.assert_array_equal(np.asarray(x[:, ::-1]), a[:, ::-1])


def test_array_protocol_honours_dtype_and_copy():
    x = ones()
    for found in (
        np.array(x),
        np.asarray(x, copy=True),
        x.__array__(copy=True),
        x.__array__(np.float32, copy=True),
    ):
        found[...] = 9
    assert float(x[0]) == 1
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    assert x.__array__(np.float16).dtype == np.float16
    with pytest.raises(
        ValueError, match=r"__array__\(dtype\): expected dtype float32 with copy=False, got float64"
    ):
        x.__array__(np.float64, copy=False)
    with pytest.raises(ValueError):
        np.asarray(x, dtype=np.float64, copy=False)
    shared = x.__array__(copy=False)
    shared[0] = 3
    assert float(x[0]) == 3


def test_bfloat16_comes_out_as_ml_dtypes():
    x = make(np.arange(3).astype(bfloat16))
    for a in (np.asarray(x), x.view_numpy(), np.array(x)):
        assert a.dtype == bfloat16
    np.asarray(x)[0] = 7
    assert float(x[0]) == 7


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_views_are_aligned_and_typed(dtype):
    a = np.asarray(_array.empty((3, 5), dtype, FACE))
    assert a.flags.aligned
    assert a.dtype == dtype
    assert a.flags.c_contiguous


def test_no_array_interface_is_offered():
    for name in ("__array_interface__", "__array_struct__"):
        assert not hasattr(ones(), name)


@given(st.data())
def test_zero_copy_in_takes_any_strides(data):
    values = np.arange(60.0).reshape(3, 4, 5)
    part = values[data.draw(hnp.basic_indices(values.shape, allow_newaxis=True))]
    if not isinstance(part, np.ndarray):
        return
    x = _array.from_numpy(part, FACE, copy=False)
    assert (x.shape, x.strides) == (part.shape, part.strides)
    np.testing.assert_array_equal(np.asarray(x), part)
    part[...] = 99
    np.testing.assert_array_equal(x.__array__(copy=True), part)


def test_zero_copy_in_keeps_the_source_alive_and_writes_through():
    a = np.arange(5, dtype=np.float32)
    count = sys.getrefcount(a)
    x = _array.from_numpy(a, FACE, copy=False)
    x += 1.0
    np.testing.assert_array_equal(a, [1, 2, 3, 4, 5])
    assert sys.getrefcount(a) == count + 1
    view = x[1:]
    del x
    assert sys.getrefcount(a) == count + 1
    del view
    assert sys.getrefcount(a) == count


def test_read_only_memory_is_not_written():
    a = np.arange(5, dtype=np.float32)
    a.flags.writeable = False
    x = _array.from_numpy(a, FACE, copy=False)
    view = x[1:]
    for write in (
        lambda y: y.__iadd__(y),
        lambda y: y.__setitem__(0, 1),
        lambda y: y.view_numpy(writable=True),
    ):
        for y in (x, view):
            with pytest.raises(ArgumentError, match="read-only view; copy it first"):
                write(y)
    assert not np.asarray(x).flags.writeable
    assert memoryview(x).readonly
    np.testing.assert_array_equal((x + x).view_numpy(), a + a)
    np.testing.assert_array_equal(a, [0, 1, 2, 3, 4])


@pytest.mark.parametrize(
    "source",
    [np.arange(3, dtype=">f4"), np.zeros(17, np.uint8)[1:].view(np.float64)],
    ids=["byte order", "unaligned"],
)
def test_zero_copy_in_refuses_what_loops_cannot_read(source):
    with pytest.raises(ArgumentError, match="copy=False, got .*; copy it"):
        _array.from_numpy(source, FACE, copy=False)


def test_from_numpy_takes_arrays_only():
    with pytest.raises(ArgumentTypeError, match=r"from_numpy\(a\): expected a NumPy array, got list"):
        _array.from_numpy([1, 2], FACE)
    with pytest.raises(ShapeError, match="at most 32 dimensions, got 33"):
        _array.from_numpy(np.zeros((1,) * 33), FACE)


def test_our_own_memory_comes_back_as_the_same_storage():
    x = make(np.arange(8.0))
    for a in (np.asarray(x), x.view_numpy(writable=True), np.asarray(x)[2:][::2].view()):
        back = _array.from_numpy(a, FACE, copy=False)
        assert back._storage_id == x._storage_id
        np.testing.assert_array_equal(np.asarray(back), a)


# --- no view is raced ---------------------------------------------------------------------------


def test_a_view_waits_for_queued_writes():
    x = ones()
    held = Held(x, 5)
    views = [
        in_thread(f)
        for f in (x.view_numpy, lambda: np.asarray(x), lambda: memoryview(x), lambda: float(x[0]))
    ]
    held.release.set()
    for view in views:
        assert np.ravel(view())[0] == 5


def test_a_writable_view_waits_for_queued_reads():
    x = ones()
    held = Held(x)

    def write():
        x.view_numpy(writable=True)[...] = 100

    joined = in_thread(write)
    held.release.set()
    joined()
    _engine.waitall()
    assert held.total == 4


def test_a_read_only_view_does_not_wait_for_reads():
    x = ones()
    held = Held(x)
    assert x.view_numpy()[0] == 1  # would never return if it waited
    held.release.set()
    _engine.waitall()


@pytest.mark.parametrize("lane", ["io", "python"])
@pytest.mark.parametrize(
    "export",
    [
        lambda x: x.view_numpy(writable=True),
        np.asarray,
        memoryview,
        lambda x: x.__dlpack__(),
        lambda x: x.__dlpack__(max_version=(1, 0)),
        lambda x: _array.from_dlpack(x, FACE),
        np.from_dlpack,
    ],
    ids=["view", "asarray", "memoryview", "dlpack 0", "dlpack 1", "from_dlpack", "numpy.from_dlpack"],
)
def test_operations_complete_before_the_call_while_an_export_lives(export, lane):
    x = ones()
    view = export(x)
    done = []
    for i in range(20):
        _engine.push(functools.partial(done.append, i), writes=[x.var_handle()], lane=lane)
        assert len(done) == 2 * i + 1
        _engine.push(functools.partial(done.append, i), reads=[x.var_handle()], lane=lane)
        assert len(done) == 2 * i + 2
    del view
    held = Held(x, 7)  # the export has ended: operations are queued again
    held.release.set()
    assert float(x[0]) == 7


def test_a_read_only_export_lets_reads_be_queued_but_not_writes():
    x = ones()
    view = x.view_numpy()
    held = Held(x)  # would never return if it were completed by the push
    done = []
    joined = in_thread(lambda: _engine.push(lambda: done.append(view[0]), writes=[x.var_handle()], lane="io"))
    held.release.set()
    joined()
    assert done == [1]


def test_imported_storage_stays_synchronous():
    x = _array.from_numpy(np.zeros(3, np.float32), FACE, copy=False)
    done = []
    for i in range(20):
        _engine.push(functools.partial(done.append, i), writes=[x.var_handle()], lane="io")
        assert len(done) == i + 1


def test_exports_end_in_any_order():
    x = ones()
    a, b, c = np.asarray(x), x.view_numpy(), np.asarray(x)[1:]
    m = memoryview(x)
    del a
    m.release()
    done = []
    _engine.push(lambda: done.append(1), writes=[x.var_handle()], lane="io")
    assert done == [1]
    del b, c
    held = Held(x, 3)
    held.release.set()
    assert float(x[0]) == 3


def test_views_outlive_their_arrays():
    a = np.asarray(make(np.arange(1000.0)))
    m = memoryview(make(np.arange(3.0)))
    gc.collect()
    for _ in range(100):
        make(np.zeros(1000))
    np.testing.assert_array_equal(a, np.arange(1000.0))
    assert m.tolist() == [0, 1, 2]


def test_a_view_is_never_torn_by_queued_operations(promised):
    """Fills of the whole array, queued while other threads look: each look sees one fill, all of it."""
    x = make(np.zeros(20_000, np.float32))
    elements = operand_view(x)
    rounds = promised(200, 5000)
    stop = threading.Event()
    own = threading.Lock()  # what two threads do through NumPy alone is theirs to keep in order

    def look():
        torn = 0
        while not stop.is_set():
            with own:
                seen = x.__array__(copy=True)
            torn += len(np.unique(seen)) != 1
        return torn

    lookers = [in_thread(look) for _ in range(2)]

    def fill(value):
        for part in np.array_split(elements, 7):
            part[...] = value

    for value in range(rounds):
        _engine.push(lambda value=value: fill(value), writes=[x.var_handle()], lane="io")
        if value % 10 == 0:
            view = np.asarray(x)
            assert (view == value).all()
            with own:
                view[...] = -1
            assert (x + x).view_numpy()[-1] == -2
            del view
    stop.set()
    assert [result() for result in lookers] == [0, 0]


def test_large_operations_and_views_take_turns(promised):
    """Additions over the worker pool, queued in bursts; a view sees all of a burst and delays the next."""
    add = _pointwise.compile_program(2, [(np.add, [0, 1])], [2], [FLOAT32, FLOAT32])
    x, one = make(np.zeros(300_000, np.float32)), make(np.ones(300_000, np.float32))
    total = 0
    for burst in range(promised(30, 1000)):
        for _ in range(burst % 5):
            _pointwise.invoke(add, [x, one], outs=[x])
        total += burst % 5
        view = np.asarray(x)
        assert (view == total).all()
        view += 1  # NumPy writes, and the next operation reads what it wrote
        _pointwise.invoke(add, [x, one], outs=[x])
        total += 2
        assert (view == total).all()
        reads = _pointwise.invoke(add, [x, one])[0]
        view[...] = total  # the operation that read the old values is complete
        del view
        assert (reads.view_numpy() == total + 1).all()


def test_errors_of_operations_are_raised_by_exports():
    x = ones()

    def fail():
        raise ZeroDivisionError("in the operation")

    for export in (
        x.view_numpy,
        x.__array__,
        lambda: memoryview(x),
        lambda: np.asarray(x),
        x.__dlpack__,
        x.wait_to_read,
    ):
        with contextlib.suppress(ZeroDivisionError):  # the serial engine raises it here as well
            _engine.push(fail, writes=[x.var_handle()], lane="io")
        with pytest.raises(ZeroDivisionError, match="in the operation"):
            export()


# --- buffers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != bfloat16], ids=str)
def test_buffers_describe_the_array(dtype):
    values = np.arange(6).reshape(2, 3).astype(dtype)
    m = memoryview(make(values))
    expected = memoryview(values)
    assert (m.format, m.shape, m.strides, m.itemsize, m.nbytes, m.ndim, m.readonly) == (
        expected.format, expected.shape, expected.strides, expected.itemsize, expected.nbytes, 2, False,
    )  # fmt: skip
    assert m.tobytes() == values.tobytes()


def test_buffers_of_views_have_strides():
    x = make(np.arange(6, dtype=np.int32).reshape(2, 3))
    m = memoryview(x._transpose_view())
    assert m.strides == (4, 12)
    assert m.f_contiguous
    assert m.tolist() == [[0, 3], [1, 4], [2, 5]]
    with pytest.raises(BufferError, match="not contiguous"):
        hashlib.sha1(x[:, ::2])  # asks for a plain buffer, as most functions in C do


def test_plain_buffers():
    x = make(np.arange(4).astype(bfloat16))
    assert hashlib.sha1(x).digest() == hashlib.sha1(x.view_numpy().tobytes()).digest()
    with pytest.raises(BufferError, match="no format for bfloat16; use view_numpy"):
        memoryview(x)


def test_a_memoryview_writes_through():
    x = ones()
    with memoryview(x) as m:
        m[2] = 8.0
    assert float(x[2]) == 8


# --- copies and pickles -------------------------------------------------------------------------


class Named(Face):
    """A user's subclass."""


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_come_back(dtype, protocol):
    for values in (np.arange(6).reshape(2, 3).astype(dtype), np.ones((), dtype), np.ones((0, 3), dtype)):
        for x in (make(values), make(values, FLAT), make(values)._transpose_view()):
            y = pickle.loads(pickle.dumps(x, protocol))
            assert (type(y), y.shape, y.dtype) == (type(x), x.shape, x.dtype)
            np.testing.assert_array_equal(np.asarray(y), np.asarray(x))


def test_pickles_go_out_of_band():
    x = make(np.arange(10_000.0))
    buffers = []
    data = pickle.dumps(x, 5, buffer_callback=buffers.append)
    assert len(data) < 1000
    y = pickle.loads(data, buffers=buffers)
    x += 1.0
    np.testing.assert_array_equal(np.asarray(y), np.arange(10_000.0))
    for buffer in buffers:
        buffer.release()


def test_pickle_and_copy_keep_a_subclass_and_its_fields():
    x = Named(make([1.0, 2.0]))
    x.label = ["a"]
    for y in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x)):
        assert type(y) is Named
        assert y.label == ["a"]
        assert y.label is not x.label
    shallow = copy.copy(x)
    assert shallow.label is x.label
    shallow += 1.0
    assert float(x[0]) == 1


def test_a_damaged_pickle_is_an_error():
    function, (cls, data, dtype, shape, context), _ = ones().__reduce_ex__(4)
    for arguments in (
        (cls, data[:-1], dtype, shape, context),
        (cls, data, dtype, (5,), context),
        (cls, data, "object", shape, context),
        (int, data, dtype, shape, context),
    ):
        with pytest.raises((ValueError, TypeError)):
            function(*arguments)


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
def test_copies_have_their_own_storage_and_c_order(copier):
    x = make(np.arange(6).reshape(2, 3))[:, ::-1]
    y = copier(x)
    assert y._storage_id != x._storage_id
    assert y._c_contiguous
    np.testing.assert_array_equal(np.asarray(y), np.asarray(x))


def test_sizeof_counts_the_buffer_once():
    x = make(np.zeros(1000))
    assert sys.getsizeof(x) >= 8000
    assert sys.getsizeof(x[1:]) < 1000


# --- nothing is left behind ---------------------------------------------------------------------


def test_thousands_of_exports_leave_nothing_behind():
    def cycle():
        x = make(np.ones(2000, np.float32))
        np.asarray(x)[1:][::2]
        x.view_numpy(writable=True)
        hashlib.sha1(x)
        np.from_dlpack(x)
        _array.from_dlpack(x, FACE)
        x.__dlpack__(max_version=(1, 0))
        pickle.loads(pickle.dumps(x, 5))
        copy.copy(x)
        _array.from_numpy(np.asarray(x), FACE, copy=False)
        _array.from_numpy(np.ones(20), FACE, copy=False)

    for _ in range(50):
        cycle()
    gc.collect()
    blocks, pool = sys.getallocatedblocks(), _engine._pool()
    for _ in range(1500):
        cycle()
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 300
    assert _engine._pool() == pool


def test_refused_exports_leave_nothing_behind():
    x = make(np.arange(6, dtype=np.int32).reshape(2, 3))[:, ::2]
    for _ in range(100):
        with pytest.raises(BufferError):
            hashlib.sha1(x)
        with pytest.raises(ArgumentError):
            x.__dlpack__(stream=3)
        with pytest.raises(MXNetError):
            x.__array__(np.float64, copy=False)
    held = Held(x, 2)
    held.release.set()
    assert int(x[0, 0]) == 2
