"""`mx.kv`: sums over devices, updaters, optimizer states, keys and errors."""

import numpy as np
import pytest

import mxcy as mx
from mxcy import nd

DEVICES = [mx.cpu(i) for i in range(4)]


def values(x):
    return x.asnumpy().tolist()


@pytest.mark.parametrize("kind", ["local", "device", "local_allreduce_cpu", "local_allreduce", "LOCAL"])
@pytest.mark.parametrize("key", [3, "w"])
def test_push_adds_up_devices_and_pull_copies_to_all(kind, key):
    store = mx.kv.create(kind)
    store.init(key, nd.ones((2,)))
    out = [nd.zeros((2,), ctx=d) for d in DEVICES]
    store.pull(key, out=out)

    assert [values(x) for x in out] == [[1, 1]] * 4

    store.push(key, [nd.full((2,), i, ctx=d) for i, d in enumerate(DEVICES)])
    store.pull(key, out=out)

    assert [values(x) for x in out] == [[6, 6]] * 4
    assert [x.context for x in out] == DEVICES

    store.push(key, nd.full((2,), 5))
    store.pull(key, out=out[0])

    assert values(out[0]) == [5, 5]


def test_lists_of_keys_and_pushpull():
    store = mx.kv.create()
    store.init([1, 2], [nd.ones(1), nd.zeros(1)])
    grads = [[nd.full(1, k + i) for i in range(2)] for k in (10, 20)]
    out = [nd.zeros(1), nd.zeros(1)]
    store.pushpull([1, 2], grads, out=out)

    assert [values(x) for x in out] == [[21], [41]]

    store.pushpull([1, 2], grads)

    assert [[values(x) for x in g] for g in grads] == [[[21], [21]], [[41], [41]]]
    store.push([1, 1], [nd.ones(1), nd.ones(1)])
    store.pull(1, out=out[0])

    assert values(out[0]) == [2]
    store.broadcast(7, nd.full(1, 9), out=out)

    assert [values(x) for x in out] == [[9], [9]]


def test_arrays_of_numpy_are_pushed_and_pulled():
    store = mx.kv.create("device")
    ones = mx.np.ones((2, 3), dtype="float32")
    store.init("w", ones)
    out = [mx.np.zeros((2, 3)), nd.zeros((2, 3))]
    store.pushpull("w", [ones * 2, nd.ones((2, 3))], out=out)

    assert [values(x) for x in out] == [[[3, 3, 3]] * 2] * 2
    assert type(out[0]) is mx.np.ndarray


def test_sums_do_not_depend_on_the_order_of_work():
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=100_000).astype("f") for _ in DEVICES]
    store = mx.kv.create("device")
    store.init("a", nd.zeros(100_000))
    out = nd.zeros(100_000)
    for _ in range(3):
        store.push("a", [nd.array(p, ctx=d) for p, d in zip(parts, DEVICES, strict=True)])
        store.pull("a", out=out)

        assert (out.asnumpy() == ((parts[0] + parts[1]) + parts[2]) + parts[3]).all()


def test_updaters_and_optimizers_change_what_is_kept(tmp_path):
    store = mx.kv.create()
    store.init("w", nd.ones(2))
    seen = []

    def add(key, grad, stored):
        seen.append(key)
        stored += grad

    store._set_updater(add)
    store.push("w", [nd.ones(2), nd.ones(2)])
    out = nd.zeros(2)
    store.pull("w", out=out)

    assert values(out) == [3, 3]
    assert seen == ["w"]

    store.set_optimizer(mx.optimizer.SGD(learning_rate=0.5, momentum=0.9))
    store.push("w", nd.ones(2))
    store.pull("w", out=out)

    assert values(out) == [2.5, 2.5]
    path = str(tmp_path / "x.states")
    store.save_optimizer_states(path)
    store.load_optimizer_states(path)
    store.push("w", nd.ones(2))
    store.pull("w", out=out)

    np.testing.assert_allclose(out.asnumpy(), 2.5 - 0.95, rtol=1e-6)
    with pytest.raises(mx.MXNetError):
        store.load_optimizer_states(str(tmp_path / "none"))


def test_compression_keeps_what_it_cuts_off():
    store = mx.kv.create("device")
    store.set_gradient_compression({"type": "2bit", "threshold": 0.5})
    store.init(0, nd.zeros(3))
    out = nd.zeros(3)
    grads = [nd.array([0.3, 0.6, -2.0]), nd.array([0.0, 0.2, -0.4])]
    expected = [[0, 0.5, -0.5], [0.5, 0.5, -1.0]]
    for sums in expected:
        store.push(0, grads)
        store.pull(0, out=out)

        np.testing.assert_allclose(out.asnumpy(), sums)
    with pytest.raises(mx.MXNetError, match="not supported"):
        mx.kv.create("local").set_gradient_compression({"type": "2bit"})
    with pytest.raises(ValueError, match="2bit"):
        store.set_gradient_compression({"type": "3bit"})
    with pytest.raises(mx.MXNetError, match="'type'"):
        store.set_gradient_compression({"threshold": 0.5})
    with pytest.raises(mx.MXNetError, match="more than 0"):
        store.set_gradient_compression({"type": "2bit", "threshold": "much"})
    with pytest.raises(AssertionError, match="a dict"):
        store.set_gradient_compression(None)
    store.set_gradient_compression({"type": "2bit", "threshold": "0.25", "other": 1})


def test_workers():
    store = mx.kv.create("device")
    store.barrier()
    store._barrier()

    assert (store.rank, store.num_workers, store.type) == (0, 1, "device")
    assert store.is_capable("optimizer")
    with pytest.raises(ValueError, match="capability"):
        store.is_capable("speed")


@pytest.mark.parametrize(
    ("error", "use"),
    [
        (mx.MXNetError, lambda s: s.init("w", nd.ones(2)) or s.init("w", nd.ones(2))),
        (ValueError, lambda s: s.init("w", nd.ones(2)) or s.init(3, nd.ones(2))),
        (ValueError, lambda s: s.push("x", nd.ones(2))),
        (ValueError, lambda s: s.init("w", nd.ones(2)) or s.push("w", nd.ones(3))),
        (AssertionError, lambda s: s.init("w", nd.ones(2)) or s.pull("w")),
        (AssertionError, lambda s: s.init(["w", "v"], [nd.ones(2)])),
        (TypeError, lambda s: s.init(1.5, nd.ones(2))),
        (AssertionError, lambda s: s.init(1.5, nd.ones(2))),
        (AssertionError, lambda s: s.init("w", np.ones(2))),
        (AssertionError, lambda s: s.init("w", mx.sym.var("w"))),
        (AssertionError, lambda s: s.init(["w", 3], [nd.ones(2), nd.ones(2)])),
        (mx.MXNetError, lambda s: s.init("w", [nd.ones(2), nd.ones(2)])),
        (mx.MXNetError, lambda s: s.init(["w", "w"], [nd.ones(2), nd.ones(2)])),
        (TypeError, lambda s: s.init("w", np.ones(2))),
        (ValueError, lambda s: s.row_sparse_pull("w", nd.ones(2), row_ids=nd.ones(1))),
        (AssertionError, lambda s: s.save_optimizer_states("x")),
        (ValueError, lambda s: mx.kv.create("nosuch")),
        (TypeError, lambda s: mx.kv.create(3)),
        (AssertionError, lambda s: mx.kv.KVStoreBase.register("Mine")),
    ],
)
def test_wrong_uses_are_errors(error, use):
    with pytest.raises(error) as caught:
        use(mx.kv.create())

    assert isinstance(caught.value, mx.MXNetError)


def test_stores_of_others_can_be_registered():
    @mx.kv.KVStoreBase.register
    class Mine(mx.kv.KVStoreBase):
        """A store."""

    assert isinstance(mx.kv.create("mine"), Mine)
    with pytest.warns(UserWarning, match="is overriding existing kvstore"):
        mx.kv.KVStoreBase.register(Mine)
    del mx.kv.KVStoreBase.kv_registry["mine"]


@pytest.mark.parametrize(("grad_stype", "on_store"), [("default", True), ("row_sparse", None)])
def test_trainers_refuse_what_a_store_cannot_do(grad_stype, on_store):
    weight = mx.gluon.Parameter("w", shape=(3,), grad_stype=grad_stype)
    weight.initialize(ctx=DEVICES[:2])
    trainer = mx.gluon.Trainer([weight], "sgd", kvstore=mx.kv.create("teststore"), update_on_kvstore=on_store)
    with pytest.raises(ValueError, match="TestStore"):
        trainer._init_kvstore()
