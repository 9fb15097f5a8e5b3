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


class Kept(mx.operator.CustomOp):
    """x² of the elements that a sparse array keeps; it counts its calls in a state, and keeps a value."""

    def forward(self, is_train, req, in_data, out_data, aux):
        (x,), (y,) = in_data, out_data
        seen.append((is_train, x.stype, y.stype, aux[0].stype))
        self.twice = 2 * x
        aux[0][:] += 1
        if x.stype == "csr":
            y_ = mx.nd.sparse.csr_matrix((x.data * x.data, x.indices, x.indptr), shape=x.shape)
        elif x.stype == "row_sparse":
            y_ = mx.nd.sparse.row_sparse_array((x.data * x.data, x.indices), shape=x.shape)
        else:
            y_ = x * x
        self.assign(y, req[0], y_)

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        seen.append((out_grad[0].stype, in_data[0].stype, out_data[0].stype, in_grad[0].stype))
        self.assign(in_grad[0], req[0], mx.nd.sparse.elemwise_mul(self.twice, out_grad[0]))


seen = []


@mx.operator.register("test_kept")
class KeptProp(mx.operator.CustomOpProp):
    def list_auxiliary_states(self):
        return ["count"]

    def infer_shape(self, in_shape):
        return in_shape, in_shape, [(1,)]

    def infer_storage_type(self, in_stype):
        return in_stype, in_stype, ["default"]

    def infer_storage_type_backward(self, ograd_stype, in_stype, out_stype, igrad_stype, aux_stype):
        return ["default"], in_stype, out_stype, in_stype, aux_stype

    def create_operator(self, ctx, shapes, dtypes):
        return Kept()


@pytest.mark.parametrize("stype", ["csr", "row_sparse", "default"])
def test_sparse_arrays_are_of_the_types_that_the_author_infers(stype):
    values = np.array([[0, 0, 3], [0, 0, 0], [-2, 0, 1]], np.float32)
    seen.clear()
    x, count = mx.nd.array(values).tostype(stype), mx.nd.zeros(1)
    x.attach_grad()
    with mx.autograd.record():
        y = mx.nd.Custom(x, count, op_type="test_kept")
    y.backward()

    assert seen == [(True, stype, stype, "default"), ("default", stype, stype, stype)]
    assert (y.stype, x.grad.stype, count.asscalar()) == (stype, stype, 1)
    np.testing.assert_array_equal(y.asnumpy(), values**2)
    np.testing.assert_array_equal(x.grad.asnumpy(), 2 * values)

    seen.clear()
    net = mx.sym.Custom(mx.sym.Variable("x", stype=stype), mx.sym.Variable("count"), op_type="test_kept")
    exe = net.bind(mx.cpu(), [x], [mx.nd.zeros_like(x)], aux_states=[count])
    (z,) = exe.forward(is_train=True)
    exe.backward(mx.nd.ones((3, 3)))

    assert seen == [(True, stype, stype, "default"), ("default", stype, stype, stype)]
    assert (z.stype, exe.grad_arrays[0].stype, count.asscalar()) == (stype, stype, 2)
    np.testing.assert_array_equal(z.asnumpy(), values**2)
    np.testing.assert_array_equal(exe.grad_arrays[0].asnumpy(), 2 * values)


def test_operators_that_say_nothing_of_storage_are_given_dense_copies():
    x = mx.nd.array([[0, 2.0]]).tostype("csr")

    y = mx.nd.Custom(x, mx.nd.zeros(1), op_type="test_scaled", k=3)

    assert y.stype == "default"
    assert y.asnumpy().tolist() == [[0, 12]]


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
