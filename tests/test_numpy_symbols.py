"""`mx.sym.np` and `mx.sym.npx`: functions of `mx.np` in graphs, with gradients, files and Gluon."""

import json

import numpy
import pytest

import mxcy as mx
from mxcy import gluon, nd, np, npx, sym
from mxcy.test_utils import check_numeric_gradient


@pytest.fixture(autouse=True)
def arrays_of_numpy():
    npx.set_np()
    yield
    npx.reset_np()


def variable(name):
    return sym.Variable(name).as_np_ndarray()


CALLS = [
    (lambda F, a, b: F.np.tensordot(a, b, 1), (3, 4), (4, 2)),
    (lambda F, a, b: F.np.dot(a, b), (3,), (3,)),
    (lambda F, a, b: F.np.concatenate([a, b], axis=1), (2, 3), (2, 1)),
    (lambda F, a, b: F.np.stack((a, b)), (2, 3), (2, 3)),
    (lambda F, a, b: F.np.split(a, 2, axis=1)[1] * F.np.sum(b), (2, 4), (3,)),
    (lambda F, a, b: a * b + 1 - 2 / (abs(b) + 3) ** 2, (3, 1), (1, 4)),
    (lambda F, a, b: F.np.where(a > 0, a, b), (3, 2), (3, 2)),
    (lambda F, a, b: F.np.einsum("ij,jk->ik", a, b), (3, 2), (2, 4)),
    (lambda F, a, b: a[1:, 0] + b[::-1, ..., None].sum(axis=(1, 2)), (3, 2), (2, 4)),
    (lambda F, a, b: F.npx.relu(a + 2) - b.T.reshape(3, 2), (3, 2), (3, 2)),
    (lambda F, a, b: F.npx.batch_dot(a, b), (2, 3, 4), (2, 4, 1)),
    (lambda F, a, b: F.np.linalg.norm(a) * b.mean() + a.std(), (3, 2), (3, 2)),
    (lambda F, a, b: -a @ b + F.np.ones((3, 2), dtype="float32"), (3, 4), (4, 2)),
    (lambda F, a, b: F.np.tanh(a).astype("float32").flatten().dot(F.np.arange(6.0, dtype="float32")) * b,
     (3, 2), (1,)),
]  # fmt: skip


@pytest.mark.parametrize(("compute", "left", "right"), CALLS)
def test_graphs_compute_what_arrays_do(compute, left, right):
    draw = numpy.random.default_rng(3).uniform
    a, b = [nd.array(draw(0.5, 2, shape), dtype="float32") for shape in (left, right)]
    net = compute(sym, variable("a"), variable("b"))
    expected = compute(nd, a.as_np_ndarray(), b.as_np_ndarray())

    assert isinstance(net, sym.np._Symbol)
    assert net.infer_shape(a=left, b=right)[1] == [expected.shape]
    bound = net.as_nd_ndarray().bind(mx.cpu(), {"a": a, "b": b})
    found = bound.forward()[0]
    assert (type(found), found.shape) == (nd.NDArray, expected.shape)
    numpy.testing.assert_allclose(found.asnumpy(), expected.asnumpy(), rtol=1e-5)
    again = sym.load_json(net.tojson())
    numpy.testing.assert_array_equal(again.bind(mx.cpu(), {"a": a, "b": b}).forward()[0], found)
    check_numeric_gradient(net.as_nd_ndarray(), [a, b], rtol=0.05, atol=0.02, dtype=numpy.float32)


class Net(gluon.HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.dense = gluon.nn.Dense(3)
            self.weight = self.params.get("weight", shape=(3, 2))

    def hybrid_forward(self, F, x, weight):
        hidden = F.npx.relu(self.dense(x[:, 1:]))
        first, second = F.np.split(F.np.dot(hidden, weight), 2, axis=1)
        return (first - second).sum(axis=1)


def test_blocks_are_exported_and_imported(tmp_path):
    net = Net()
    net.initialize()
    net.hybridize()
    x = np.random.uniform(size=(4, 5))
    expected = net(x)
    names = net.export(str(tmp_path / "net"))
    again = gluon.SymbolBlock.imports(names[0], "data", names[1])
    x.attach_grad()
    with mx.autograd.record():
        y = again(x)
    y.backward()
    gradient = x.grad.copy()
    with mx.autograd.record():
        z = net(x)
    z.backward()

    assert type(y) is np.ndarray
    numpy.testing.assert_array_equal(y.asnumpy(), expected.asnumpy())
    numpy.testing.assert_allclose(gradient.asnumpy(), x.grad.asnumpy(), rtol=1e-6)
    assert net(sym.var("data").as_np_ndarray()).list_arguments()[0] == "data"


@pytest.mark.parametrize(
    ("function", "match"),
    [
        ("np.save", "public function"),
        ("np.lib.format.open_memmap", "public function"),
        ("np.ndarray._tape", "public function"),
        ("os.system", "public function"),
        ("ndarray.tofile", "public function"),
    ],
)
def test_files_name_public_functions_only(function, match):
    graph = json.loads((variable("a") + 1).tojson())
    graph["nodes"][-1]["attrs"]["function"] = function

    with pytest.raises(mx.MXNetError, match=match):
        sym.load_json(json.dumps(graph))


def test_what_symbols_do_not_do():
    with pytest.raises(TypeError, match="length"):
        iter(variable("a"))
    with pytest.raises(mx.MXNetError, match="symbols, arrays"):
        sym.np.dot(variable("a"), object())
    with pytest.raises(mx.MXNetError, match="shapes"):
        sym.np.dot(variable("a"), variable("b")).infer_shape(a=(2, 3), b=(2, 3))
    with pytest.raises(AttributeError):
        sym.np.nothing_like_this  # noqa: B018


def test_gradients_of_integers_and_of_conditions():
    numbers = np.array([[1, 2], [3, 4]], dtype="int32")
    numbers.attach_grad()
    choice = np.array([1.0, -2.0])
    choice.attach_grad()
    rests = np.array([[5, 7]], dtype="int32")
    rests.attach_grad()
    with mx.autograd.record():
        y = np.mod(rests, 3)
    y.backward()
    assert rests.grad.tolist() == [[0, 0]]  # as MXNet has it
    with mx.autograd.record():
        y = np.sum(numbers * 2)
        z = np.where(choice, choice * 2, choice * 3).sum()
    y.backward()
    z.backward()

    assert numbers.grad.tolist() == [[2, 2], [2, 2]] and numbers.grad.dtype == "int32"
    assert choice.grad.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda a: np.argmax(a, 3), IndexError),
        (lambda a: np.max(np.ones((0,))), ValueError),
        (lambda a: np.linspace(0, 1, -1), ValueError),
        (lambda a: np.dot(a, np.ones((2, 3))), ValueError),
        (lambda a: np.concatenate([a, np.ones((2, 2))]), ValueError),
        (lambda a: np.linalg.inv(np.zeros((2, 2))), numpy.linalg.LinAlgError),
        (lambda a: np.random.choice(5, 10, replace=False), ValueError),
        (lambda a: np.take(a, np.array([9]), axis=0), IndexError),
        (lambda a: a.__setitem__(0, np.ones(7)), ValueError),
        (lambda a: a.__setitem__([0, 9], 1), IndexError),
        (lambda a: np.flip(a, 4), ValueError),
    ],
)
def test_errors_of_numpy_are_errors_of_mxnet(call, kind):
    with pytest.raises(mx.MXNetError) as caught:
        call(np.ones((5, 4)))

    assert isinstance(caught.value, kind)
