"""Arrays on a GPU: values, transfers, views, errors. Runs on a GPU, or in Numba's simulator."""

import pickle

import numpy as np
import pytest

import mxcy as mx
from mxcy import _gpu, nd
from mxcy.errors import ArgumentError

pytestmark = pytest.mark.skipif(_gpu.count() == 0, reason="no GPU, and NUMBA_ENABLE_CUDASIM is not 1")
GPU = mx.gpu(0)
DTYPES = ["bool", "int8", "uint8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]


def on_gpu(values, dtype=None):
    return nd.array(values, ctx=GPU, dtype=dtype)


def test_transfers_both_ways():
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    x = on_gpu(values)

    assert x.context == GPU
    np.testing.assert_array_equal(x.asnumpy(), values)
    back = x.as_in_context(mx.cpu())
    assert back.context == mx.cpu()
    np.testing.assert_array_equal(back.asnumpy(), values)
    np.testing.assert_array_equal(back.as_in_context(GPU).asnumpy(), values)


def test_views_of_gpu_memory():
    values = np.arange(24, dtype=np.float32).reshape(4, 6)
    x = on_gpu(values)

    np.testing.assert_array_equal(x[1:3, ::-2].asnumpy(), values[1:3, ::-2])
    np.testing.assert_array_equal((x[:, 1:] + x[:, :-1]).asnumpy(), values[:, 1:] + values[:, :-1])
    x[1] = 7
    x[:, 2] = on_gpu([1, 2, 3, 4])
    values[1] = 7
    values[:, 2] = [1, 2, 3, 4]
    np.testing.assert_array_equal(x.asnumpy(), values)
    x[1:] += x[:-1]
    values[1:] = values[1:] + values[:-1]
    np.testing.assert_array_equal(x.asnumpy(), values)


@pytest.mark.parametrize("source", DTYPES)
def test_casts_are_those_of_the_cpu(source):
    values = np.array([[0, 1, 2.0, 3], [100.6, 7.5, 1 / 3, 42]])
    for target in DTYPES:
        x = nd.array(values, dtype=source)
        made = x.as_in_context(GPU).astype(target)
        assert made.dtype == x.astype(target).dtype
        np.testing.assert_array_equal(made.asnumpy(), x.astype(target).asnumpy(), err_msg=target)


SHAPES = [((), ()), ((1,), (5,)), ((3, 4), (4,)), ((2, 1, 8), (2, 3, 1)), ((2, 3, 16), (16,)), ((0, 3), (3,))]


@pytest.mark.parametrize("left, right", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float16", "int32", "uint8"])
def test_broadcasting_and_layouts(left, right, dtype):
    rng = np.random.default_rng(3)
    a, b = (rng.integers(1, 9, shape or (1,)).astype(dtype) for shape in (left, right))
    x, y = on_gpu(a, dtype), on_gpu(b, dtype)

    np.testing.assert_array_equal((x * y + x).asnumpy(), a * b + a)
    np.testing.assert_array_equal((x.T * 2).asnumpy(), a.T * 2)


def test_fresh_arrays():
    assert nd.zeros((2, 3), ctx=GPU).asnumpy().tolist() == [[0, 0, 0], [0, 0, 0]]
    assert nd.full((3,), 2.5, ctx=GPU, dtype="float64").asnumpy().tolist() == [2.5] * 3
    assert nd.arange(2, 8, 2, ctx=GPU).asnumpy().tolist() == [2, 4, 6]
    with GPU:
        made = [nd.ones((2,)), nd.array([1]), nd.empty((2,)), nd.arange(3), nd.eye(2), nd.linspace(0, 1, 5)]
    assert {x.context for x in made} == {GPU}
    np.testing.assert_array_equal(made[4].asnumpy(), np.eye(2))


def test_numbers_and_text():
    x = on_gpu([1.5])

    assert float(x) == 1.5 and x.asscalar() == 1.5 and bool(x)
    assert str(x).endswith("<NDArray 1 @gpu(0)>")
    assert pickle.loads(pickle.dumps(on_gpu([1, 2]))).context == GPU
    assert nd.array(x).context == mx.cpu()


def test_mixed_contexts_are_named():
    with pytest.raises(ArgumentError, match=r"add: .*one device, got gpu\(0\) and cpu\(0\)"):
        on_gpu([1, 2]) + nd.array([1, 2])
    with pytest.raises(ArgumentError, match=r"got gpu\(99\)"):
        nd.zeros((2,), ctx=mx.gpu(99))


def test_memory_is_not_shared_with_the_host():
    x = on_gpu([1, 2])

    with pytest.raises(ArgumentError, match="memory of a GPU; asnumpy"):
        x.view_numpy(writable=True)
    with pytest.raises(ArgumentError, match="memory of a GPU"):
        memoryview(x)
    np.testing.assert_array_equal(np.asarray(x), [1, 2])


class Foreign:
    """Memory of a GPU that another library offers by the two protocols."""

    def __init__(self, array):
        self.array = array
        self.streams = []

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self, *, stream=None, max_version=None, copy=None):
        self.streams.append(stream)
        return self.array.__dlpack__(stream=stream, max_version=max_version, copy=copy)


class Interface:
    def __init__(self, array, **changes):
        self.array = array
        self.__cuda_array_interface__ = {**array.__cuda_array_interface__, **changes}


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "bfloat16"])
def test_memory_of_other_libraries(dtype):
    x = on_gpu([[1, 0, 3], [4, 5, 0]], dtype)
    other = Foreign(x[:, ::2])
    y = nd.from_dlpack(other)
    assert y.context == GPU and y.dtype == x.dtype and other.streams[0] >= 1
    np.testing.assert_array_equal(y.asnumpy(), x.asnumpy()[:, ::2])
    z = nd.array(Interface(x.T), dtype=dtype)
    assert z.context == mx.cpu()  # where new arrays go
    np.testing.assert_array_equal(z.asnumpy(), x.asnumpy().T)
    assert nd.array(Interface(x), ctx=GPU).dtype == np.float32


def test_shared_memory_shows_what_both_sides_write():
    x = on_gpu([1, 2, 3, 4])
    y = nd.from_dlpack(x.__dlpack__())
    y[1:3] = 7
    x += 1
    np.testing.assert_array_equal(y.asnumpy(), [2, 8, 8, 5])
    del x
    np.testing.assert_array_equal((y * 2).asnumpy(), [4, 16, 16, 10])


def test_shared_memory_need_not_be_aligned():
    """Wide loads ask for 16 bytes; the simulator refuses them elsewhere."""
    x = on_gpu(np.arange(40))
    y = nd.from_dlpack(x[1:33].__dlpack__())
    np.testing.assert_array_equal((y + y).asnumpy(), 2 * np.arange(1, 33))


def test_interface_of_gpu_memory():
    x = on_gpu(np.ones((2, 3)))
    found = mx.np.ones((2, 3), dtype="float32", ctx=GPU).T.__cuda_array_interface__
    assert (found["shape"], found["strides"], found["typestr"]) == ((3, 2), (4, 12), "<f4")
    assert found["version"] == 3 and x.__cuda_array_interface__["strides"] is None
    assert not hasattr(nd.ones((2,)), "__cuda_array_interface__")
    assert not hasattr(on_gpu([1], "bfloat16"), "__cuda_array_interface__")


@pytest.mark.parametrize(
    "changes, match",
    [
        ({"shape": (-1,)}, "no shape"),
        ({"strides": (4,)}, "dimensions"),
        ({"mask": object()}, "masked"),
        ({"data": (3, False)}, "the address of elements"),
        ({"typestr": "<U3"}, "dtype"),
    ],
)
def test_interfaces_that_are_refused(changes, match):
    with pytest.raises((ValueError, TypeError), match=match):
        nd.array(Interface(on_gpu(np.ones((2, 3))), **changes))


def test_pool_takes_memory_back():
    nd.waitall()  # operations hold the arrays that they use
    held = _gpu.pool(0)["held"]
    x = nd.zeros((1000, 1000), ctx=GPU)
    nd.waitall()
    assert _gpu.pool(0)["held"] >= held + 4_000_000
    del x
    assert _gpu.pool(0)["held"] == held
    _gpu.pool(0, trim=True)
    assert nd.ones((10,), ctx=GPU).asnumpy().sum() == 10
