"""New NDArrays: from values, filled, over memory of other libraries, random."""

import numpy as np
import pytest

import mxcy as mx
from mxcy import nd

# --- creation -----------------------------------------------------------------------------------------


def test_array_copies_and_keeps_the_dtype_of_arrays_only():
    source = np.arange(3)
    x = nd.array(source)
    source[:] = 9

    assert x.dtype is np.float32
    assert x.asnumpy().tolist() == [0, 1, 2]
    assert nd.array(nd.array([1], dtype="int8")).dtype is np.int8
    assert nd.array(nd.array([1], dtype="int8"), dtype="float64").dtype is np.float64
    assert nd.array(np.arange(6).reshape(2, 3)[:, ::-1]).asnumpy().tolist() == [[2, 1, 0], [5, 4, 3]]
    assert nd.array([300, -1], dtype="uint8").asnumpy().tolist() == [44, 255]


@pytest.mark.parametrize("source", ["a", ["a"], [[1, 2], [3]], object(), {}, [object()]], ids=repr)
def test_array_refuses_what_is_no_array(source):
    with pytest.raises(TypeError, match=r"^array\(source_array\): expected numbers") as raised:
        nd.array(source)
    assert isinstance(raised.value, mx.MXNetError)


@pytest.mark.parametrize("make", [nd.zeros, nd.ones, nd.empty, lambda *a, **k: nd.full(a[0], 3, **k)])
def test_filled_arrays(make):
    assert make(3).shape == (3,)
    with mx.np_shape():
        assert make((2, 0)).shape == (2, 0)
        assert make(()).shape == ()
    assert make([2, 3], dtype="int8").dtype is np.int8
    assert make((2,), dtype=None).dtype is np.float32
    with pytest.raises(ValueError):
        make((2, -1))
    with pytest.raises(ValueError):
        make((2**40, 2**40))
    with pytest.raises(TypeError):
        make((2.5,))


@pytest.mark.parametrize("shape", [(), 0, (0,), (2, 0), [0, 1, 3, 0]], ids=repr)
@pytest.mark.parametrize("make", [nd.zeros, nd.ones])
def test_zeros_and_ones_of_unknown_shapes_are_refused_without_np_shape(make, shape):
    with pytest.raises(mx.MXNetError, match=rf"^{make.__name__}\(shape\): expected one size.*np_shape"):
        make(shape)
    with mx.np_shape():
        assert make(shape).size == np.zeros(shape).size
    with mx.np_shape(), mx.np_shape(active=False), pytest.raises(mx.MXNetError):
        make(shape=shape)


def test_arrays_without_elements_have_gradients_and_layers_without_np_shape():
    x = nd.array(np.zeros((0, 3)))
    x.attach_grad()
    net = mx.gluon.nn.Dense(2)
    net.initialize()
    with mx.autograd.record():
        y = net(x)
    y.backward()

    assert (y.shape, x.grad.shape, net.weight.grad().shape) == ((0, 2), (0, 3), (2, 3))


def test_filled_arrays_into_out():
    out = nd.empty((2, 3))

    assert nd.full((2, 3), 7, out=out) is out
    assert out.asnumpy().tolist() == [[7] * 3] * 2
    assert nd.zeros((2, 3), out=out) is out
    assert out.asnumpy().sum() == 0
    assert nd.ones((2, 3), out=out).asnumpy().sum() == 6
    assert nd.full_like(out, 2).asnumpy().sum() == 12
    with pytest.raises(ValueError, match=r"expected shape \(2,\), got \(2, 3\)"):
        nd.zeros((2,), out=out)


def test_ranges():
    assert nd.arange(2, 8, 3, repeat=2).asnumpy().tolist() == [2, 2, 5, 5]
    assert nd.arange(3, dtype="uint8").dtype is np.uint8
    for stop in (float("nan"), float("inf"), 2**62, 2**61):
        with pytest.raises(mx.MXNetError, match="a finite range of fewer"):
            nd.arange(0, stop, repeat=2)
    assert nd.linspace(0, 1, 3).asnumpy().tolist() == [0, 0.5, 1]
    assert nd.linspace(0, 1, 2, endpoint=False).asnumpy().tolist() == [0, 0.5]
    assert nd.eye(2, 3, -1).asnumpy().tolist() == [[0, 0, 0], [1, 0, 0]]


def test_from_numpy_shares_memory():
    source = np.zeros(4, "f")
    y = nd.from_numpy(source, zero_copy=False)
    assert source.flags.writeable
    x = nd.from_numpy(source)
    again = nd.from_numpy(source)

    x[1] = 7
    again[2] = 8

    assert source.tolist() == x.asnumpy().tolist() == again.asnumpy().tolist() == [0, 7, 8, 0]
    assert y.asnumpy().tolist() == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="read-only"):
        source[0] = 1


def test_from_numpy_without_a_copy_wants_contiguous_arrays():
    source = np.zeros((3, 4), "f")
    for part in (source.T, source[:, ::2], source[:, 1:]):
        with pytest.raises(ValueError, match="C-contiguous array for a zero copy, got strides"):
            nd.from_numpy(part)
        assert part.flags.writeable
        assert nd.from_numpy(part, zero_copy=False).shape == part.shape
    assert nd.from_numpy(source[1:]).shape == (2, 4)
    assert source.flags.writeable  # only the part is the array's
    assert nd.from_numpy(np.zeros((1, 0, 2))).shape == (1, 0, 2)
    assert nd.from_numpy(np.frombuffer(bytes(8), "f")).asnumpy().tolist() == [0, 0]


def test_from_numpy_makes_the_class_asked_for():
    assert type(nd.from_numpy(np.zeros(2, "f"), array_cls=mx.np.ndarray)) is mx.np.ndarray
    assert type(nd.from_numpy(np.zeros(2, "f"))) is nd.NDArray


def test_dlpack_shares_memory():
    x = nd.zeros((2, 3))
    y = nd.from_dlpack(x.to_dlpack_for_write())
    z = nd.from_dlpack(nd.to_dlpack_for_read(x))
    n = np.from_dlpack(x)

    y[0] = 5

    assert z.asnumpy()[0].tolist() == [5, 5, 5]
    assert n[0].tolist() == [5, 5, 5]
    assert nd.from_dlpack(np.ones(3)).asnumpy().tolist() == [1, 1, 1]


def test_numpy_reads_arrays_without_a_copy():
    x = nd.array([1, 2, 3])

    np.asarray(x)[0] = 7

    assert np.array(x).tolist() == [7, 2, 3]
    assert np.sum(x).asscalar() == 12
    assert np.add(x, 1).tolist() == [8, 3, 4]


def test_joining_and_moving():
    x, y = nd.ones((2, 2)), nd.zeros((1, 2))

    assert nd.concatenate([x, y]).shape == (3, 2)
    assert nd.concatenate([x, x], axis=1).shape == (2, 4)
    assert nd.concatenate([x], always_copy=False) is x
    assert nd.moveaxis(nd.zeros((2, 3, 4)), 0, 2).shape == (3, 4, 2)
    assert nd.moveaxis(nd.zeros((2, 3, 4)), [0, 1], [-1, -2]).shape == (4, 3, 2)
    out = nd.zeros((2, 3))
    assert nd.onehot_encode(nd.array([2, 0]), out) is out
    assert out.asnumpy().tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(ValueError):
        nd.concatenate([])
    with pytest.raises(IndexError):
        nd.moveaxis(x, 0, 2)
    with pytest.raises(ValueError):
        nd.moveaxis(x, [0, 0], [0, 1])


# --- random numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("draw, shape, dtype", [
    (lambda: nd.random.uniform(), (1,), np.float32),
    (lambda: nd.random.uniform(-1, 1, 3, "float64"), (3,), np.float64),
    (lambda: nd.random.normal(5, 2, shape=(2, 3)), (2, 3), np.float32),
    (lambda: nd.random.randn(2, 3, loc=5), (2, 3), np.float32),
    (lambda: nd.random.exponential(2.0, shape=(4,)), (4,), np.float32),
    (lambda: nd.random.randint(0, 5, shape=(2, 2)), (2, 2), np.int32),
    (lambda: nd.random.randint(0, 5, dtype="int64"), (1,), np.int64),
    (lambda: nd.random.uniform_like(nd.empty((2, 0), dtype="float16")), (2, 0), np.float16),
    (lambda: nd.random.normal_like(nd.zeros((2, 2))), (2, 2), np.float32),
    (lambda: nd.random.exponential_like(nd.zeros((2,), dtype="float64"), 3), (2,), np.float64),
    (lambda: nd.random.uniform(nd.zeros((2, 3)), nd.ones((2, 3)), shape=4), (2, 3, 4), np.float32),
    (lambda: nd.random.normal(nd.zeros((2,)), nd.ones((2,))), (2,), np.float32),
    (lambda: nd.random.exponential(nd.ones((2,)), shape=(1, 3)), (2, 1, 3), np.float32),
])  # fmt: skip
def test_random_arrays(draw, shape, dtype):
    mx.random.seed(7)
    x = draw()
    mx.random.seed(7)
    again = draw()

    assert type(x) is nd.NDArray
    assert (x.shape, x.dtype) == (shape, dtype)
    assert x.asnumpy().tobytes() == again.asnumpy().tobytes()
    if x.size > 2:
        assert x.asnumpy().tobytes() != draw().asnumpy().tobytes()


def test_random_parameters_that_are_arrays_scale_their_own_numbers():
    low, high = nd.array([0, 10]), nd.array([1, 30])

    values = nd.random.uniform(low, high, shape=(1000,)).asnumpy()

    assert 0 <= values[0].min() < 0.05 < 0.95 < values[0].max() < 1
    assert 10 <= values[1].min() < 11 < 29 < values[1].max() < 30


def test_random_numbers_into_out():
    out = nd.zeros((2, 3))

    assert nd.random.uniform(1, 2, out=out) is out
    assert out.asnumpy().min() >= 1
    assert nd.random.normal(shape=(2, 3), ctx=mx.cpu(1)).context == mx.cpu(1)
    with pytest.raises(ValueError):
        nd.random.uniform(shape=(3,), out=out)
    with pytest.raises(TypeError, match="expected an NDArray, got int"):
        nd.random.uniform(out=3)


def test_shuffle_keeps_the_entries():
    x = nd.arange(100).reshape((50, 2))

    shuffled = nd.random.shuffle(x).asnumpy()

    assert shuffled.tolist() != x.asnumpy().tolist()
    assert sorted(shuffled.tolist()) == x.asnumpy().tolist()


@pytest.mark.parametrize("draw, text", [
    (lambda: nd.random.uniform("a", 1), r"uniform\(low\): expected a number or an NDArray, got 'a'"),
    (lambda: nd.random.uniform(nd.ones((1,)), 1), r"low and high\): expected numbers or arrays, got both"),
    (lambda: nd.random.randint(0.5, 3), r"randint\(low\): expected an integer, got 0.5"),
    (lambda: nd.random.randint(3, 3), "expected less than high"),
    (lambda: nd.random.uniform(2, 1), "expected at most high"),
    (lambda: nd.random.normal(0, -1), "expected at least 0"),
    (lambda: nd.random.uniform(dtype="int32"), "floating-point"),
    (lambda: nd.random.uniform(shape="ab"), "expected an integer or integers, got 'ab'"),
])  # fmt: skip
def test_random_refuses(draw, text):
    with pytest.raises(mx.MXNetError, match=text):
        draw().wait_to_read()
