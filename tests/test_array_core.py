"""Storage, faces, the fast path of operators, and the life of the objects."""

import gc
import operator
import os
import subprocess
import sys
import weakref

import numpy as np
import pytest
from array_faces import FACE, FLAT, FLOAT32, Face, Flat, Held, fill, in_thread, make

from mxcy import _array, _engine, _index, _invoke
from mxcy.dtypes import DTYPES
from mxcy.errors import (
    ArgumentError,
    ArgumentTypeError,
    DTypeError,
    MXNetError,
    ShapeError,
)

TESTS = os.path.dirname(os.path.abspath(__file__))
BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge,
]  # fmt: skip
BITWISE = [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]


# --- creation -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4), (1,) * 32])
def test_values_survive_the_way_in_and_out(dtype, shape):
    values = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    x = make(values)
    assert (x.shape, x.ndim, x.size) == (shape, len(shape), values.size)
    assert x.size == 0 or x.strides == values.strides
    assert (x.dtype, x.itemsize, x.nbytes) == (dtype, values.itemsize, values.nbytes)
    found = x.__array__(copy=True)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(x.view_numpy(), values)


@pytest.mark.parametrize(
    "source",
    [
        np.arange(24.0).reshape(2, 3, 4)[:, ::-1, ::2],
        np.arange(12, dtype=">i4").reshape(3, 4).T,
        np.frombuffer(b"\0" + np.arange(5, dtype=np.float32).tobytes(), np.uint8)[1:].view(np.float32),
        np.broadcast_to(np.float32(3), (2, 3)),
        np.arange(6, dtype=np.longlong),
    ],
    ids=["strided", "byte order", "unaligned", "broadcast", "longlong"],
)
def test_copy_takes_any_layout(source):
    x = make(source)
    np.testing.assert_array_equal(x.view_numpy(), source)
    assert x._c_contiguous
    assert x.dtype.isnative


@pytest.mark.parametrize("dtype", ["U3", object, "M8[s]", np.longdouble, [("a", "i4")]])
def test_unknown_dtypes_are_refused(dtype):
    with pytest.raises(DTypeError):
        make(np.zeros(3, dtype))


@pytest.mark.parametrize("shape", [(-1,), (2, -3), (2**62, 2), (2**62, 2**62, 0), (2**63 - 1,), (1 << 70,)])
def test_impossible_shapes_are_refused_before_any_allocation(shape):
    with pytest.raises(ShapeError, match=r"^empty\(shape\): "):
        _array.empty(shape, "float64")


def test_shapes_are_integers_and_not_too_many():
    with pytest.raises(ShapeError, match="at most 32 dimensions, got 33"):
        _array.empty((1,) * 33, "int8")
    with pytest.raises(ArgumentTypeError, match="expected integers, got 1.5"):
        _array.empty((1, 1.5), "int8")
    assert _array.empty(np.int64(3), "int8").shape == (3,)
    assert _array.empty([2, True], "int8").shape == (2, 1)


def test_more_memory_than_there_is_is_a_memory_error():
    x = _array.empty(2**60, "int8")  # buffers are made when they are written
    with pytest.raises(MemoryError) as caught:
        x.view_numpy(writable=True)
    assert isinstance(caught.value, MXNetError)


def test_faces_decide_about_zero_dimensions():
    assert _array.empty((), "float32", FACE).shape == ()
    assert _array.empty((), "float32", FLAT).shape == (1,)
    assert make([1, 2], FLAT)[0].shape == (1,)
    assert make([1, 2], FACE)[0].shape == ()
    assert [item.shape for item in make([1, 2], FLAT)] == [(1,), (1,)]
    assert _array.as_face(make(3.0), FLAT).shape == (1,)
    assert make(3.0, FLAT).shape == ()  # what comes in is taken as it is


def test_faces_are_views_of_the_same_storage():
    x = make([1.0, 2.0])
    y = _array.as_face(x, FLAT)
    assert type(y) is Flat
    assert _index.same_view(x, y)
    y.view_numpy(writable=True)[0] = 5
    assert float(x[0]) == 5
    assert type(y + y) is Flat
    assert type(x + y) is Face  # of the first operand


def test_a_face_is_a_class_without_fields():
    class Fat(_array.Array):
        pass

    for wrong in (Fat, int):
        with pytest.raises(ArgumentTypeError, match="__slots__"):
            _array.register_face(wrong, zero_dim=True)
    for face in (-1, 99):
        with pytest.raises(ArgumentError, match="a number below"):
            _array.empty(3, "int8", face)
        with pytest.raises(ArgumentError, match="a number below"):
            _array.as_face(make([1.0]), face)
    with pytest.raises(ArgumentError, match="expected one of add, "):
        _array.set_operator(FACE, "plus", None)


# --- the fast path ------------------------------------------------------------------------------


def operands(dtype, shape, seed=0):
    draw = np.random.default_rng(seed)
    if dtype.kind == "b":
        return draw.integers(0, 2, shape).astype(dtype), draw.integers(0, 2, shape).astype(dtype)
    return tuple((draw.integers(1, 100, shape)).astype(dtype) for _ in range(2))


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.isbuiltin == 1 and d.kind in "biuf"], ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (16,), (3, 1, 5), (2, 1, 2, 1, 3)])
@pytest.mark.parametrize("fast", [True, False])
def test_operators_are_numpys_bit_for_bit(dtype, shape, fast):
    a, b = operands(dtype, shape)
    x, y = make(a), make(b)
    was = _invoke.set_fast_path(fast)
    try:
        for function in BINARY + (BITWISE if dtype.kind in "iu" else []):
            if dtype.kind == "b" and function in (
                operator.sub,
                operator.truediv,
                operator.floordiv,
                operator.mod,
            ):
                continue
            expected = function(a, b)
            found = function(x, y)
            assert (found.dtype, found.shape, type(found)) == (expected.dtype, expected.shape, Face)
            assert found.view_numpy().tobytes() == expected.tobytes()
        if dtype.kind != "b":
            assert (-x).view_numpy().tobytes() == np.asarray(-a).tobytes()
        assert abs(x).view_numpy().tobytes() == np.asarray(abs(a)).tobytes()
    finally:
        _invoke.set_fast_path(was)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint8", "int32", "int64", "uint64"])
@pytest.mark.parametrize(
    "scalar", [2, 3, 1.5, -1, 0.1, 1e300, 2**24 + 1, 2**53 + 1, 300, True, 1e-320, float("inf")]
)
def test_python_numbers_convert_as_in_numpy(dtype, scalar):
    a = np.arange(1, 7, dtype=dtype)
    x = make(a)
    for function in (operator.add, operator.mul, operator.truediv, operator.lt, operator.pow):
        for left, right in [(0, 1), (1, 0)]:
            with np.errstate(all="ignore"):
                try:
                    expected = function(*((a, scalar)[i] for i in (left, right)))
                except (OverflowError, ValueError) as error:
                    with pytest.raises(type(error)):
                        function(*((x, scalar)[i] for i in (left, right)))
                    continue
                found = function(*((x, scalar)[i] for i in (left, right)))
            assert found.dtype == expected.dtype
            assert found.view_numpy().tobytes() == expected.tobytes()


def test_in_place_writes_the_same_storage():
    a = np.arange(6, dtype=np.float32)
    x = make(a)
    y = x
    version = x.var_handle().version
    x += make(a)
    x *= 2.0
    x -= 1
    assert x is y
    np.testing.assert_array_equal(x.view_numpy(), (a + a) * 2 - 1)
    assert x.var_handle().version == version + 3
    x[1:4] += 10
    np.testing.assert_array_equal(x.view_numpy(), (a + a) * 2 - 1 + [0, 10, 10, 10, 0, 0])


def test_in_place_on_shifted_views_is_numpys():
    a = np.arange(8, dtype=np.float64)
    x = make(a)
    x[1:] += x[:-1]
    a[1:] += a[:-1]
    np.testing.assert_array_equal(x.view_numpy(), a)
    x += x
    np.testing.assert_array_equal(x.view_numpy(), a + a)


def test_in_place_keeps_the_dtype_or_lets_the_face_decide():
    x = make(np.array([7, 8], np.int32))
    x /= make(np.array([2, 2], np.int32))  # the loop gives float64
    np.testing.assert_array_equal(x.view_numpy(), np.array([3, 4], np.int32))
    assert x.dtype == np.int32


def test_different_dtypes_shapes_and_layouts_go_to_the_operator():
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    x = make(a)
    for b in (a.astype(np.float64), a[0], a[:, :1], np.float32(2)):
        np.testing.assert_array_equal((x + make(b)).view_numpy(), a + b)
    np.testing.assert_array_equal((x[:, ::2] + x[:, ::-2]).view_numpy(), a[:, ::2] + a[:, ::-2])
    np.testing.assert_array_equal((x + a).view_numpy(), a + a)
    np.testing.assert_array_equal((a + x).view_numpy(), a + a)
    np.testing.assert_array_equal((np.float32(2) * x).view_numpy(), 2 * a)


def test_without_an_operator_python_decides():
    core = _array.from_numpy(np.zeros(3, np.float32))
    with pytest.raises(TypeError):
        core + core
    with pytest.raises(TypeError):
        core += 1.0
    with pytest.raises(TypeError, match=r"negative: bad operand type: Array of float32"):
        operator.neg(core)
    assert (core == None) is False  # noqa: E711
    assert (core != 1) is True
    _array.set_operator(FACE, "matmul", lambda a, b: NotImplemented)
    try:
        with pytest.raises(TypeError, match="unsupported operand"):
            make([1.0]) @ make([1.0])
    finally:
        fill(FACE)


def test_floating_point_errors_are_reported_as_by_numpy():
    zero, one = make(np.zeros(3, np.float32)), make(np.ones(3, np.float32))
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in"):
        one / zero
    with pytest.warns(RuntimeWarning, match="invalid value encountered in"):
        zero / zero
    with pytest.warns(RuntimeWarning, match="overflow encountered in"):
        make(np.full(3, 3e38, np.float32)) * 10.0
    with pytest.warns(RuntimeWarning, match="overflow encountered in square"):
        make(np.full(3, 3e38, np.float32)) ** 2
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in"):
        make(np.ones(3, np.int32)) // make(np.zeros(3, np.int32))
    with pytest.warns(RuntimeWarning, match="overflow encountered in"):
        make(np.full(3, 60000, np.float16)) + make(np.full(3, 60000, np.float16))
    with np.errstate(all="raise"):
        with pytest.raises(FloatingPointError):
            one / zero
        with pytest.raises(FloatingPointError):
            one /= zero
    with np.errstate(all="ignore"):
        assert np.isinf((one / zero).view_numpy()).all()


def test_quiet_nans_compare_quietly():
    a = np.array([np.nan, 1, np.nan], np.float32)
    b = np.array([1, np.nan, np.nan], np.float32)
    for compare in (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge):
        np.testing.assert_array_equal(compare(make(a), make(b)).view_numpy(), compare(a, b))


def test_flags_of_other_code_are_not_reported():
    one = make(np.ones(3, np.float32))
    assert np.isinf(1e308 * float(10))  # leaves the overflow flag behind
    np.testing.assert_array_equal((one + one).view_numpy(), [2, 2, 2])


def test_operators_see_pending_writes():
    x, y = make(np.zeros(4, np.float32)), make(np.ones(4, np.float32))
    held = Held(x, 5)
    total, product = in_thread(lambda: x + y), in_thread(lambda: 2.0 * x)
    held.release.set()
    np.testing.assert_array_equal(total().view_numpy(), [6, 6, 6, 6])
    np.testing.assert_array_equal(product().view_numpy(), [10, 10, 10, 10])


def test_in_place_operators_see_pending_reads():
    x = make(np.ones(4, np.float32))
    held = Held(x)
    joined = in_thread(lambda: operator.iadd(x, x))
    held.release.set()
    assert joined() is x
    np.testing.assert_array_equal(x.view_numpy(), [2, 2, 2, 2])
    assert held.total == 4


# --- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_single_elements_convert(dtype):
    x = make(np.array([[1]]).astype(dtype))
    assert bool(x) is True
    assert complex(x) == 1
    if dtype.kind != "c":
        assert int(x) == 1
        assert float(x) == 1.0
    if dtype.kind in "iu":
        assert operator.index(x.__class__(x)[0, 0]) == 1
    else:
        with pytest.raises(TypeError):
            operator.index(x[0, 0])


def test_other_sizes_do_not_convert():
    for shape in [(0,), (2,), (1, 2)]:
        x = make(np.zeros(shape))
        with pytest.raises(ValueError, match="ambiguous"):
            bool(x)
        for convert in (int, float, complex, operator.index):
            with pytest.raises(TypeError):
                convert(x)


# --- life of the objects ------------------------------------------------------------------------


def test_objects_come_back_from_the_pool_clean():
    x = make(np.ones((2, 3, 4, 5, 6), np.float32))
    for _ in range(5000):
        y = (x + x)[0, :, ::2]
        z = y[0]
        del y
        assert z.shape == (2, 5, 6)
    assert float(z[0, 0, 0]) == 2


def test_weak_references_die_with_the_array():
    x = make([1.0])
    died = []
    reference = weakref.ref(x, died.append)
    assert reference() is x
    del x
    assert died == [reference]
    again = make([2.0])  # the same memory, most likely
    assert reference() is None
    assert weakref.ref(again)() is again


def test_subclasses_of_a_face_have_fields_and_operators():
    class Named(Face):
        def __init__(self, source, name):
            super().__init__(source)
            self.name = name

        def __radd__(self, other):
            return "radd"

    created = sys.getrefcount(Named)
    for i in range(1000):
        x = Named(make([1.0, 2.0]), str(i))
        assert type(x + x) is Face
        assert 1.0 + x == "radd"
        assert float((x * 2)[1]) == 4
        assert x.name == str(i)
    x.me = x  # a cycle through the dictionary
    reference = weakref.ref(x)
    del x
    gc.collect()
    assert reference() is None
    assert sys.getrefcount(Named) == created


def test_an_array_is_initialised_once():
    x = Face()
    assert x.shape == (0,)
    x.__init__(make(np.zeros((2, 1, 2, 1, 2))))
    assert x.shape == (2, 1, 2, 1, 2)
    with pytest.raises(ArgumentError, match="initialised already"):
        x.__init__(make([1]))
    with pytest.raises(TypeError):
        Face(3)


def test_hash_is_identity():
    x, y = make([1.0]), make([1.0])
    assert hash(x) == hash(x)
    assert len({x, y}) == 2
    assert {x: 1}[x] == 1


def test_ten_thousand_arrays_leave_nothing_behind():
    def cycle():
        x = make(np.ones(1000, np.float32))
        y = x + x
        y += x
        y[10:20].view_numpy()
        memoryview(y).release()
        return y._reshape_view((10, 100))._transpose_view()

    for _ in range(200):
        cycle()
    before = _engine._pool()
    blocks = sys.getallocatedblocks()
    for _ in range(10_000):
        cycle()
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 500
    assert _engine._pool() == before


def test_references_of_classes_are_balanced():
    before = sys.getrefcount(Face)
    kept = [make([1.0]) for _ in range(1000)]
    assert sys.getrefcount(Face) == before + 1000
    del kept
    assert sys.getrefcount(Face) == before


def test_arrays_work_in_a_forked_child():
    program = """
import os, sys, numpy as np
from array_faces import make
x = make(np.arange(5, dtype=np.float32))
pid = os.fork()
if pid == 0:
    y = x + x
    y += 1.0
    os._exit(0 if y.view_numpy().tolist() == [1, 3, 5, 7, 9] else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([TESTS, os.path.dirname(TESTS)])}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, timeout=60)


def test_fast_loops_can_be_removed():
    x = make(np.ones(3, np.float32))
    _array.set_fast_loop(FACE, "add", FLOAT32, 0, 0, 0)
    np.testing.assert_array_equal((x + x).view_numpy(), [2, 2, 2])
    fill(FACE)
    with pytest.raises(ArgumentError, match="codes below"):
        _array.set_fast_loop(FACE, "add", 99, 0, 0, 0)
