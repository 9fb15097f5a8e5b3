"""`mx.npx`: what it has besides operators, and the names of MXNet's `mx.np` that NumPy has dropped."""

import numpy as onp
import pytest

import mxcy as mx
import mxcy.numpy as np

X = onp.arange(48.0).reshape(2, 3, 8)


# Shapes that MXNet 1.9.1 gives.
@pytest.mark.parametrize(
    ("codes", "shape"),
    [
        ((-2, -2, 2, -1), (2, 3, 2, 4)), ((-4,), (2, 3, 8)), ((-5, -1), (6, 8)),
        ((-6, 1, -1, -4), (1, 2, 3, 8)), ((-2, -6, -1, 3, 8), (2, 1, 3, 8)),
        (48, (48,)), ((4, -1), (4, 12)), ((-5, -2), (6, 8)),
    ],
)  # fmt: skip
def test_shapes_by_codes(codes, shape):
    x = np.array(X)

    found = mx.npx.reshape(x, codes)
    assert found.shape == shape and np.shares_memory(found, x)
    assert (found.asnumpy().ravel() == X.ravel()).all()


def test_codes_from_the_last_axis():
    x = np.ones((2, 3, 8))
    assert mx.npx.reshape(x, (-1, -2), reverse=True).shape == (6, 8)
    assert mx.npx.reshape(x, (-4, -6, 2, 4), reverse=True).shape == (2, 3, 2, 4)
    assert mx.npx.reshape(np.ones((1, 3)), (-3, -2)).shape == (3,)


@pytest.mark.parametrize("codes", [(-3, -4), (-6, 5, -1, -4), (-7,), (-2, -2, -2, -2), (-5, -5), (-6, 2)])
def test_codes_that_do_not_fit(codes):
    with pytest.raises(mx.MXNetError, match=r"npx.reshape\(newshape\)"):
        mx.npx.reshape(np.ones((2, 3, 8)), codes)


def test_indices_of_elements_that_are_not_zero():
    assert mx.npx.nonzero(np.array([[1, 0, 2], [0, 3, 0]])).tolist() == [[0, 0], [0, 2], [1, 1]]
    assert mx.npx.shape_array(np.ones((2, 3))).tolist() == [2, 3]


def test_operators_on_images_and_all_of_the_module_of_images():
    from mxcy.numpy_extension.image import resize, to_tensor

    image = np.array(onp.arange(24).reshape(2, 4, 3), "uint8")
    found = mx.npx.image.to_tensor(image)
    assert isinstance(found, np.ndarray) and found.shape == (3, 2, 4)
    assert to_tensor is mx.npx.image.to_tensor and resize(image, size=(2, 1)).shape == (1, 2, 3)
    assert mx.npx.image.CreateAugmenter is mx.image.CreateAugmenter

    symbol = mx.sym.npx.image.to_tensor(mx.sym.var("x").as_np_ndarray())
    assert type(symbol) is type(mx.sym.var("x").as_np_ndarray())
    made = symbol.bind(mx.cpu(), {"x": image.as_nd_ndarray()}).forward()[0]
    assert (made.asnumpy() == found.asnumpy()).all()


def test_checks_of_values():
    assert mx.npx.constraint_check(np.array([True, True]), "positive").tolist() is True
    with pytest.raises(ValueError, match=r"npx.constraint_check\(x\): positive"):
        mx.npx.constraint_check(np.array([True, False]), "positive")
    with pytest.raises(mx.MXNetError, match="expected booleans, got float64"):
        mx.npx.constraint_check(np.ones(2), "positive")


class Checked(mx.gluon.HybridBlock):
    def hybrid_forward(self, F, x):
        return x * F.npx.constraint_check(x > 0, "positive")


def test_checks_of_values_in_a_graph():
    net = Checked()
    net.hybridize()
    with mx.np_array(), mx.np_shape():
        assert net(np.ones(3)).tolist() == [1, 1, 1]
        with pytest.raises(ValueError, match="positive"):
            net(np.zeros(3)).asnumpy()


def test_numbers_that_numpy_has_dropped():
    assert -np.inf == np.NINF and np.PZERO == 0
    assert onp.signbit(np.NZERO) and not onp.signbit(np.PZERO)


def test_methods_of_arrays_that_numpy_has_not():
    x = np.ones((2, 2))
    assert x.broadcast_to((3, 2, 2)).shape == (3, 2, 2)
    assert x.reshape_view(4).shape == x.reshape_view((4,)).shape == (4,)
    assert x.slice_assign_scalar(7, (0, None), (1, None), (1, 1)) is x
    x.slice_assign(np.zeros((1, 2)), (1, None), (2, None))
    assert x.tolist() == [[7, 7], [0, 0]]
    assert mx.nd.from_dlpack(x.to_dlpack_for_read()).asnumpy().tolist() == x.tolist()
    mx.nd.from_dlpack(x.to_dlpack_for_write())[:] = 3
    assert x.tolist() == [[3, 3], [3, 3]]


def test_functions_by_the_names_of_operators():
    from mxcy.numpy_op_signature import _get_builtin_op as find

    assert find("_np_sum") is np.sum and find("_npx_relu") is mx.npx.relu
    assert find("_npx__image_resize") is mx.npx.image.resize and find("_npi_add") is None
    with pytest.raises(ValueError, match="expected a function of mxcy.numpy, got _np_nothing"):
        find("_np_nothing")


def test_files_of_arrays(tmp_path):
    path = str(tmp_path / "arrays")
    mx.npx.save(path, {"a": np.arange(3.0), "b": np.ones((2, 1), "int32")})

    found = mx.npx.load(path)
    assert isinstance(found["a"], np.ndarray) and found["b"].dtype == np.int32
    assert found["a"].tolist() == [0, 1, 2] and mx.nd.load(path)["b"].shape == (2, 1)
    mx.npx.save(path, [np.zeros(2)])
    assert mx.npx.load(path)[0].tolist() == [0, 0]


def test_softmax_over_a_part():
    x, mask = np.array([[1.0, 2, 3], [4, 5, 6]]), np.array([[True, False, True], [False, False, False]])
    x.attach_grad()
    with mx.autograd.record():
        y = mx.npx.masked_softmax(x, mask, temperature=2.0)
        (y[:, 0] * 3).sum().backward()
    p = 1 / (1 + onp.exp(1))
    onp.testing.assert_allclose(y.asnumpy(), [[p, 0, 1 - p], [0, 0, 0]])
    slope = 1.5 * p * (1 - p)
    onp.testing.assert_allclose(x.grad.asnumpy(), [[slope, 0, -slope], [0, 0, 0]], atol=1e-12)
    found = mx.npx.masked_log_softmax(x, mask, temperature=2.0).asnumpy()
    onp.testing.assert_allclose(found, [[onp.log(p), -onp.inf, onp.log(1 - p)], [-onp.inf] * 3])


def test_one_seed_for_both_streams():
    state = onp.random.get_state()
    mx.random.seed(3)
    assert (onp.random.get_state()[1] == state[1]).all()  # only programs that use mx.np ask for this
    mx.npx.set_np()
    try:
        mx.random.seed(3)
        first = np.random.normal(size=4)
        mx.random.seed(3)
        assert (np.random.normal(size=4) == first).all()
    finally:
        mx.npx.reset_np()
    assert (first.asnumpy() == onp.random.RandomState(3).normal(size=4)).all()
    mx.npx.random.seed(3)
    assert (np.random.normal(size=4) == first).all()


def test_numbers_with_arrays_of_parameters():
    random = mx.npx.random
    assert random.normal_n(np.zeros(3), 1.0, batch_shape=(2,)).shape == (2, 3)
    drawn = random.uniform_n(np.array([0.0, 10.0]), np.array([1.0, 11.0]), 100)
    assert drawn.dtype == np.float32 and 0 < drawn[:, 0].max() < 1 and drawn[:, 1].min() > 10
    assert random.bernoulli(np.array([0.0, 1.0])).tolist() == [0, 1]
    assert random.bernoulli(logit=100.0, size=(2,)).tolist() == [1, 1]
    with pytest.raises(ValueError, match="either prob or logit"):
        random.bernoulli()


def test_old_names():
    assert np.NAN != np.NAN and np.product is np.prod and np.trapz is np.trapezoid
    with pytest.raises(AttributeError, match="no attribute 'float_'"):
        _ = np.float_
