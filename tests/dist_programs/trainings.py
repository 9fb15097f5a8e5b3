"""A worker that trains by Module or by Trainer on its part of the data, and writes what it has in the end."""

import sys

import numpy as np

import mxcy as mx

KIND, FOLDER = sys.argv[1], sys.argv[2]
BATCH, EPOCHS = 16, 2

rng = np.random.default_rng(0)
X = rng.normal(size=(128, 10)).astype("f")
Y = (X @ rng.normal(size=(10, 3)).astype("f")).argmax(1).astype("f")


def network():
    out = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    return mx.sym.SoftmaxOutput(out, name="softmax")


def by_module(store):
    part = slice(store.rank, None, store.num_workers)
    iterator = mx.io.NDArrayIter(X[part], Y[part], BATCH)
    module = mx.mod.Module(network())
    module.fit(iterator, num_epoch=EPOCHS, kvstore=store, initializer=mx.init.Xavier(),
               optimizer="sgd", optimizer_params={"learning_rate": 0.5, "momentum": 0.9})  # fmt: skip
    module.save_optimizer_states(f"{FOLDER}/module-{store.rank}.states")
    return {name: x.asnumpy() for name, x in module.get_params()[0].items()}


def by_trainer(store, update_on_kvstore):
    prefix = f"net{int(update_on_kvstore)}_"
    net = mx.gluon.nn.Dense(3, in_units=10, prefix=prefix)
    net.initialize(mx.init.Xavier())
    params = dict(net.collect_params().items())
    trainer = mx.gluon.Trainer(params, "sgd", {"learning_rate": 0.5, "momentum": 0.9}, kvstore=store,
                               update_on_kvstore=update_on_kvstore)  # fmt: skip
    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    part = slice(store.rank, None, store.num_workers)
    for x, y in zip(X[part].reshape(-1, BATCH, 10), Y[part].reshape(-1, BATCH), strict=True):
        with mx.autograd.record():
            value = loss(net(mx.nd.array(x)), mx.nd.array(y))
        value.backward()
        trainer.step(BATCH * store.num_workers)
    trainer.save_states(f"{FOLDER}/trainer{int(update_on_kvstore)}-{store.rank}.states")
    return {name.removeprefix(prefix): p.data().asnumpy() for name, p in net.collect_params().items()}


store = mx.kv.create(KIND)
for how in sys.argv[3:]:
    mx.random.seed(5 + store.rank)  # workers begin with different values: those of rank 0 count
    found = by_module(store) if how == "module" else by_trainer(mx.kv.create(KIND), how == "store")
    np.savez(f"{FOLDER}/{how}-{store.rank}.npz", **found)
    store.barrier()
