"""Training with sparse gradients and weights: optimizers, stores, Gluon, modules, iterators."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import sparse_cases

import mxcy as mx
from mxcy import autograd, gluon
from mxcy.errors import ArgumentError, AssertedArgumentError

nd, sparse = mx.nd, mx.nd.sparse
GOLDEN = Path(__file__).parent / "golden"
UPDATES = json.loads((GOLDEN / "sparse_updates.json").read_text())


@pytest.mark.parametrize("row", UPDATES, ids=lambda row: f"{row[0]} {row[1]} {row[2]}")
def test_updates_are_those_of_mxnet(row):
    name, params, stype, kept, values = row

    weight = sparse_cases.updated(mx, name, params, stype)

    assert weight.stype == kept
    np.testing.assert_allclose(weight.asnumpy().ravel(), values, rtol=2e-6, atol=2e-6)


# --- stores ---------------------------------------------------------------------------------------------
def rows(indices, value=1.0, shape=(5, 2), ctx=None):
    data = np.full((len(indices), *shape[1:]), value, np.float32)
    return sparse.row_sparse_array((data, indices), shape=shape, ctx=ctx)


@pytest.mark.parametrize("kind", ["local", "device"])
def test_rows_are_pushed_added_up_and_pulled(kind):
    store = mx.kv.create(kind)
    store.init("w", nd.ones((5, 2)).tostype("row_sparse"))
    out = nd.zeros((5, 2), stype="row_sparse")

    store.row_sparse_pull("w", out=out, row_ids=nd.array([3, 1, 3], dtype="int64"))
    assert out.indices.asnumpy().tolist() == [1, 3]
    np.testing.assert_array_equal(out.asnumpy()[:, 0], [0, 1, 0, 1, 0])

    store.push("w", [rows([0, 1], 2, ctx=mx.cpu(0)), rows([1, 4], 3, ctx=mx.cpu(1))])
    outs = [nd.zeros((5, 2), mx.cpu(i), stype="row_sparse") for i in range(2)]
    store.row_sparse_pull("w", out=outs, row_ids=[nd.array([0, 1]), nd.array([[4, 2]], mx.cpu(1))])
    assert [x.asnumpy()[:, 0].tolist() for x in outs] == [[2, 5, 0, 0, 0], [0, 0, 0, 0, 3]]
    assert [x.context for x in outs] == [mx.cpu(0), mx.cpu(1)]


def test_pull_leaves_sparse_arrays_alone_unless_told():
    store = mx.kv.create()
    store.init(3, rows([1, 2], 4))
    out, dense = nd.zeros((5, 2), stype="row_sparse"), nd.zeros((5, 2))

    store.pull(3, out=[out, dense])
    assert (out.asnumpy().sum(), dense.asnumpy().sum()) == (0, 16)
    store.pull(3, out=out, ignore_sparse=False)
    assert out.indices.asnumpy().tolist() == [1, 2]


def test_a_store_updates_the_rows_that_have_gradients():
    store = mx.kv.create("device")
    store.init(0, nd.ones((5, 2)).tostype("row_sparse"))
    store.set_optimizer(mx.optimizer.SGD(learning_rate=0.5, wd=0.1))
    out = nd.zeros((5, 2), stype="row_sparse")

    store.push(0, [rows([1]), rows([1, 3])])
    store.row_sparse_pull(0, out=out, row_ids=nd.arange(5))

    np.testing.assert_allclose(out.asnumpy()[:, 0], [1, 1 - 0.5 * 2.1, 1, 1 - 0.5 * 1.1, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda s: s.row_sparse_pull("w", row_ids=nd.array([0])), AssertionError, "row_sparse_pull(out)"),
        (lambda s: s.row_sparse_pull("w", out=rows([0])), AssertionError, "row_sparse_pull(row_ids)"),
        (lambda s: s.row_sparse_pull("w", out=nd.ones((5, 2)), row_ids=nd.array([0])), ValueError, "of out"),
        (lambda s: s.row_sparse_pull("d", out=rows([0]), row_ids=nd.array([0])), ArgumentError, "value kept"),
        (lambda s: s.row_sparse_pull("w", out=[rows([0])] * 3, row_ids=[nd.array([0])] * 2),
         AssertedArgumentError, "1 or 3 arrays"),
        (lambda s: s.row_sparse_pull("w", out=rows([0]), row_ids=nd.array([5])), ArgumentError, "0 to 4"),
    ],
)  # fmt: skip
def test_wrong_pulls_are_named(call, error, match):
    store = mx.kv.create()
    store.init(["w", "d"], [rows([0]), nd.ones((5, 2))])

    with pytest.raises(error) as raised:
        call(store)

    assert match in str(raised.value)


# --- Gluon ----------------------------------------------------------------------------------------------
def network(sparse_grad):
    net = gluon.nn.HybridSequential(prefix="net_")
    with net.name_scope():
        net.add(gluon.nn.Embedding(10, 4, sparse_grad=sparse_grad), gluon.nn.Dense(1, flatten=False))
    net.initialize(mx.init.Normal(0.1))
    return net


def trained(net, contexts=(None,), optimizer="sgd", steps=3, **options):
    trainer = gluon.Trainer(net.collect_params(), optimizer, {"learning_rate": 0.1, **options})
    batches = [nd.array([[1, 2], [3, 1]], ctx) for ctx in contexts]
    for _ in range(steps):
        with autograd.record():
            losses = [(net(x) ** 2).sum() for x in batches]
        autograd.backward(losses)
        trainer.step(2)
    return trainer


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_sparse_gradients_train_as_dense_ones(hybrid, optimizer):
    weights = []
    for sparse_grad in (False, True):
        mx.random.seed(3)
        net = network(sparse_grad)
        if hybrid:
            net.hybridize()
        trained(net, optimizer=optimizer)
        weight = net[0].weight
        assert weight.grad().stype == ("row_sparse" if sparse_grad else "default")
        weights.append([p.data().asnumpy() for p in net.collect_params().values()])
    assert weight.grad().indices.asnumpy().tolist() == [1, 2, 3]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_sparse_gradients_of_several_devices_are_added_up():
    weights = []
    for contexts in ([mx.cpu(0)], [mx.cpu(0), mx.cpu(1)]):
        mx.random.seed(3)
        net = network(True)
        net.collect_params().reset_ctx(contexts)
        trained(net, contexts, learning_rate=0.1 * 2 / len(contexts))
        weights.append(net[0].weight.data(mx.cpu(0)).asnumpy())
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-5)


def test_an_embedding_whose_weight_stays_in_the_store(tmp_path):
    mx.random.seed(3)
    net = gluon.contrib.nn.SparseEmbedding(10, 4)
    net.initialize(mx.init.Normal(0.1))
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    before = net.weight.row_sparse_data(nd.arange(10)).asnumpy()
    for _ in range(3):
        with autograd.record():
            loss = (net(nd.array([[1, 2], [3, 1]])) ** 2).sum()
        loss.backward()
        trainer.step(1)
        assert net.weight._data[0].indices.asnumpy().tolist() == [1, 2, 3]

    after = net.weight.list_row_sparse_data(nd.arange(10))[0].asnumpy()
    changed = np.abs(after - before).sum(1) > 0
    assert changed.tolist() == [False, True, True, True] + [False] * 6
    net.save_parameters(str(tmp_path / "net.params"))
    other = gluon.contrib.nn.SparseEmbedding(10, 4)
    other.load_parameters(str(tmp_path / "net.params"))
    gluon.Trainer(other.collect_params(), "sgd")
    np.testing.assert_array_equal(other.weight.row_sparse_data(nd.arange(10)).asnumpy(), after)


class Pulled(gluon.Block):
    """A table of which each batch pulls rows, and a layer whose inputs are not known before the first one."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.table = self.params.get("table", shape=(4, 3), stype="row_sparse", grad_stype="row_sparse")
            self.dense = gluon.nn.Dense(2)

    def forward(self, x):
        return self.dense(nd.Embedding(x, self.table.row_sparse_data(x), 4, 3, sparse_grad=True))


@pytest.mark.parametrize("count", [1, 2])
def test_rows_are_pulled_while_later_layers_are_deferred(count):
    contexts = [mx.cpu(i) for i in range(count)]
    net = Pulled()
    net.initialize(mx.init.One(), contexts)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1})
    with autograd.record():
        losses = [net(x) for x in gluon.utils.split_and_load(nd.array([[0, 2], [1, 2]]), contexts)]
    autograd.backward(losses)
    trainer.step(1)

    rows = net.table.row_sparse_data(nd.arange(4)).asnumpy()
    np.testing.assert_array_equal(rows, np.repeat([[-1], [-1], [-3], [1]], 3, axis=1))
    assert not trainer._params_to_init


def test_misuse_of_sparse_parameters_is_named():
    parameter = gluon.Parameter("w", shape=(4, 2), stype="row_sparse")
    parameter.initialize()
    with pytest.raises(RuntimeError, match="row_sparse_data"):
        parameter.data()
    with pytest.raises(RuntimeError, match="no Trainer"):
        parameter.row_sparse_data(nd.array([1]))
    with pytest.raises(ValueError, match="updated on the store"):
        gluon.Trainer([parameter], "sgd", update_on_kvstore=False).step(1)
    with pytest.raises(RuntimeError, match="has a Trainer already"):
        gluon.Trainer([parameter], "sgd")
    with pytest.raises(TypeError, match="an NDArray"):
        parameter.row_sparse_data([1])
    dense = gluon.Parameter("d", shape=(4, 2))
    dense.initialize()
    with pytest.raises(RuntimeError, match="use data"):
        dense.row_sparse_data(nd.array([1]))


def test_gradients_in_rows_are_clipped():
    net = network(True)
    with autograd.record():
        loss = (net(nd.array([[1, 2]])) ** 2).sum() * 1e4
    loss.backward()
    gradients = [p.grad() for p in net.collect_params().values()]

    before = np.sqrt(sum((g.asnumpy() ** 2).sum() for g in gradients))
    norm = gluon.utils.clip_global_norm(gradients, 0.5)

    np.testing.assert_allclose(norm, before, rtol=1e-5)
    np.testing.assert_allclose(np.sqrt(sum((g.asnumpy() ** 2).sum() for g in gradients)), 0.5, rtol=1e-4)
    assert gradients[0].stype == "row_sparse"


# --- modules and iterators ------------------------------------------------------------------------------
DATA = scipy.sparse.random(24, 30, 0.1, "csr", np.float32, np.random.RandomState(1))
LABELS = (DATA.sum(1) > DATA.sum() / 24).astype(np.float32)


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_of_csr_matrices(shuffle):
    iterator = mx.io.NDArrayIter({"data": nd.sparse.array(DATA)}, np.asarray(LABELS), 7, shuffle, "discard")
    seen = []
    for batch in iterator:
        assert batch.data[0].stype == "csr"
        values, labels = batch.data[0].asnumpy(), batch.label[0].asnumpy()
        np.testing.assert_array_equal(values.sum(1) > DATA.sum() / 24, labels[:, 0])
        seen.append(values)
    assert np.concatenate(seen).shape == (21, 30)
    if not shuffle:
        np.testing.assert_array_equal(np.concatenate(seen), DATA.toarray()[:21])


def logistic(stype):
    x, w = mx.sym.Variable("data", stype="csr"), mx.sym.Variable("weight", stype=stype, shape=(30, 1))
    return mx.sym.LogisticRegressionOutput(mx.sym.dot(x, w), mx.sym.Variable("label"), name="out")


@pytest.mark.parametrize("stype", ["default", "row_sparse"])
@pytest.mark.parametrize("contexts", [1, 2])
def test_a_linear_model_of_csr_batches_is_fitted(stype, contexts):
    data, labels = nd.sparse.array(DATA), np.asarray(LABELS)
    iterator = mx.io.NDArrayIter(data, labels, 8, last_batch_handle="discard", label_name="label")
    devices = [mx.cpu(i) for i in range(contexts)]
    module = mx.mod.Module(logistic(stype), label_names=["label"], context=devices)
    module.bind(iterator.provide_data, iterator.provide_label)
    module.init_params(mx.init.Normal(0.01))
    module.init_optimizer("device", "sgd", {"learning_rate": 20.0})
    metric = mx.metric.create("mse")
    every = {"weight": nd.arange(30, dtype="int64")}
    losses = []
    for _ in range(30):
        iterator.reset()
        metric.reset()
        for batch in iterator:
            if contexts > 1 and stype == "row_sparse":
                module.prepare(batch, sparse_row_id_fn=lambda batch: every)
            module.forward_backward(batch)
            module.update()
            module.update_metric(metric, batch.label)
        losses.append(metric.get()[1])

    assert losses[-1] < 0.6 * losses[0]
    weight = module.get_params()[0]["weight"]
    assert weight.stype == stype
    assert np.abs(weight.asnumpy()).sum() > 1
