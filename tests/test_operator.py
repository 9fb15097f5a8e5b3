"""Operators written in Python: on arrays, recorded, in graphs, in files and in training."""

import numpy as np
import pytest

import mxcy as mx
from mxcy.errors import ArgumentError, ArgumentTypeError


class Softmax(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        x = in_data[0].asnumpy()
        y = np.exp(x - x.max(axis=1, keepdims=True))
        self.assign(out_data[0], req[0], mx.nd.array(y / y.sum(axis=1, keepdims=True)))

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        label = in_data[1].asnumpy().astype(int)
        y = out_data[0].asnumpy()
        y[np.arange(len(label)), label] -= 1
        self.assign(in_grad[0], req[0], mx.nd.array(y))


@mx.operator.register("test_softmax")
class SoftmaxProp(mx.operator.CustomOpProp):
    def __init__(self):
        super().__init__(need_top_grad=False)

    def list_arguments(self):
        return ["data", "label"]

    def infer_shape(self, in_shape):
        return [in_shape[0], (in_shape[0][0],)], [in_shape[0]], []

    def create_operator(self, ctx, shapes, dtypes):
        return Softmax()


class Scaled(mx.operator.CustomOp):
    """k x², which keeps what backward needs itself and counts its calls in a state."""

    def __init__(self, k):
        self.k = k

    def forward(self, is_train, req, in_data, out_data, aux):
        self.twice = 2 * self.k * in_data[0]
        if is_train:
            aux[0][:] += 1
        self.assign(out_data[0], req[0], self.k * in_data[0] * in_data[0])

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        self.assign(in_grad[0], req[0], self.twice * out_grad[0])


@mx.operator.register("test_scaled")
class ScaledProp(mx.operator.CustomOpProp):
    def __init__(self, k="1"):
        super().__init__()
        assert isinstance(k, str)
        self.k = float(k)

    def list_auxiliary_states(self):
        return ["count"]

    def infer_shape(self, in_shape):
        return in_shape, [in_shape[0]], [(1,)]

    def create_operator(self, ctx, shapes, dtypes):
        return Scaled(self.k)


def test_arrays_are_computed_and_recorded():
    x, other, count = mx.nd.array([1, 2, 3]), mx.nd.array([4.0]), mx.nd.zeros(1)
    x.attach_grad()
    other.attach_grad()
    with mx.autograd.record():
        y = mx.nd.Custom(x, count, op_type="test_scaled", k=3)
        z = mx.nd.Custom(other, count, op_type="test_scaled", k=3)
        total = (y * 2).sum() + z.sum()
    total.backward()
    assert y.asnumpy().tolist() == [3, 12, 27]
    assert x.grad.asnumpy().tolist() == [12, 24, 36]
    assert other.grad.asnumpy().tolist() == [24]
    assert count.asnumpy().tolist() == [2]
    assert mx.nd.Custom(x, count, op_type="test_scaled").asnumpy().tolist() == [1, 4, 9]
    assert count.asnumpy().tolist() == [2]


def test_graphs_infer_bind_and_repeat():
    out = mx.sym.Custom(mx.sym.Variable("a"), op_type="test_scaled", k=2, name="q")
    assert (out.list_arguments(), out.list_auxiliary_states()) == (["a"], ["q_count"])
    bound = out.simple_bind(mx.cpu(), a=(3,))
    bound.arg_dict["a"][:] = [1, 2, 3]
    for _ in range(2):
        bound.forward(is_train=True)
        bound.backward(mx.nd.ones(3))
    assert bound.outputs[0].asnumpy().tolist() == [2, 8, 18]
    assert bound.grad_dict["a"].asnumpy().tolist() == [4, 8, 12]
    assert bound.aux_dict["q_count"].asnumpy().tolist() == [2]


def test_two_executors_keep_operators_of_their_own():
    out = mx.sym.Custom(mx.sym.Variable("a"), op_type="test_scaled", name="q")
    bound = [out.simple_bind(mx.cpu(), a=(2,)) for _ in range(2)]
    for value, executor in enumerate(bound, 1):
        executor.arg_dict["a"][:] = value
        executor.forward(is_train=True)
    for executor in bound:
        executor.backward(mx.nd.ones(2))
    assert [executor.grad_dict["a"].asnumpy().tolist() for executor in bound] == [[2, 2], [4, 4]]


def test_losses_train():
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    net = mx.sym.Custom(data=net, name="softmax", op_type="test_softmax")
    assert net.list_arguments() == ["data", "fc_weight", "fc_bias", "softmax_label"]
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    data = np.eye(3)[labels] + rng.normal(0, 0.2, (300, 3))
    batches = mx.io.NDArrayIter(data.astype("f"), labels.astype("f"), 50, label_name="softmax_label")
    module = mx.mod.Module(net, label_names=("softmax_label",))
    mx.random.seed(0)
    module.fit(batches, num_epoch=6, optimizer_params={"learning_rate": 0.05}, eval_metric="acc")
    assert dict(module.score(batches, "acc"))["accuracy"] > 0.95


def test_files_hold_the_attributes():
    out = mx.sym.Custom(mx.sym.Variable("a"), op_type="test_scaled", k=2, name="q")
    again = mx.sym.load_json(out.tojson())
    assert again.tojson() == out.tojson()
    assert '"k": "2"' in out.tojson() and '"op_type": "test_scaled"' in out.tojson()
    with pytest.raises(mx.MXNetError, match="in node 'q': Custom.op_type.: expected a registered operator"):
        mx.sym.load_json(out.tojson().replace("test_scaled", "test_scale"))


def test_errors_name_what_is_wrong():
    x = mx.nd.ones(2)
    with pytest.raises(ArgumentTypeError, match="op_type.: missing"):
        mx.nd.Custom(x)
    with pytest.raises(ArgumentError, match="did you mean test_scaled"):
        mx.nd.Custom(x, op_type="test_scald")
    with pytest.raises(ArgumentTypeError, match="expected the inputs data, count"):
        mx.nd.Custom(x, x, x, op_type="test_scaled")
    with pytest.raises(ArgumentTypeError, match="prop_cls"):
        mx.operator.register("test_wrong")(Scaled)
    with pytest.raises(ArgumentError, match="req"):
        Scaled(1).assign(x, "later", x)
    assert "test_softmax" in mx.operator.get_all_registered_operators()


def test_exceptions_of_the_author_arrive():
    class Broken(mx.operator.CustomOp):
        def forward(self, is_train, req, in_data, out_data, aux):
            raise ZeroDivisionError("by design")

    @mx.operator.register("test_broken")
    class BrokenProp(mx.operator.CustomOpProp):
        def create_operator(self, ctx, shapes, dtypes):
            return Broken()

    with pytest.raises(ZeroDivisionError, match="by design"):
        mx.nd.Custom(mx.nd.ones(2), op_type="test_broken")
    bound = mx.sym.Custom(mx.sym.Variable("a"), op_type="test_broken").simple_bind(mx.cpu(), a=(2,))
    with pytest.raises(ZeroDivisionError, match="by design"):
        bound.forward()
