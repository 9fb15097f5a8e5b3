"""A worker that uses what programs for MXNet's distributed stores use, and checks what it gets."""

import sys

import numpy as np

import mxcy as mx
from mxcy import nd

RATE, SHAPE, BIG = 2, (2, 3), (1200, 1200)
store = mx.kv.create("dist_sync")
rank, n = store.rank, store.num_workers


def same(array, value):
    assert (array.asnumpy() == value).all(), (rank, array.asnumpy(), value)


assert (store.type, n, rank in range(n), store.num_dead_node()) == ("dist_sync", 2, True, 0)
assert isinstance(store, mx.kv.KVStore)
assert store.is_capable("optimizer")
for i, key in enumerate(["300", "301"]):  # the value of rank 0 counts
    store.init(key, nd.full(BIG if i else SHAPE, i + 7 + 100 * rank, dtype="float16" if i else "float32"))
    value = nd.zeros(BIG if i else SHAPE, dtype="float16" if i else "float32")
    store.pull(key, out=value)
    same(value, i + 7)
store.init(["3", "99"], [nd.ones(SHAPE), nd.ones(BIG)])
store.init(["4", "100"], [nd.ones(SHAPE, dtype="float16"), nd.ones(BIG, dtype="float16")])
store.init(["9", "97"], [nd.ones(SHAPE).tostype("row_sparse"), nd.ones(BIG).tostype("row_sparse")])
store.set_optimizer(mx.optimizer.create("test", rescale_grad=RATE))
store.barrier()
for key, shape, dtype in [("3", SHAPE, "float32"), ("99", BIG, "float32"), ("4", SHAPE, "float16")]:
    for i in range(3):
        store.push(key, nd.ones(shape, dtype=dtype) * (rank + 1))
        value = nd.zeros(shape, dtype=dtype)
        store.pull(key, out=value)
        same(value, (n + 1) * n * RATE / 2 * (i + 1) + 1)
devices = [nd.ones(SHAPE, ctx=mx.cpu(i)) for i in range(2)]
values = [nd.zeros(SHAPE) for _ in range(2)]
store.pushpull("3", devices, out=values)
same(values[0], 3 * 6 + 1 + 2 * n * RATE)
same(values[1], values[0].asnumpy())

for key, shape in [("9", SHAPE), ("97", BIG)]:
    gradient = nd.zeros(shape)
    gradient[rank % shape[0]] = rank + 1
    store.push(key, gradient.tostype("row_sparse"))
    ids = np.array([shape[0] - 1, 0, 0])
    value = nd.sparse.zeros("row_sparse", shape)
    store.row_sparse_pull(key, out=value, row_ids=nd.array(ids))
    expected = np.zeros(shape)
    expected[ids] = 1
    for other in range(n):
        if other % shape[0] in ids:
            expected[other % shape[0]] += (other + 1) * RATE
    same(value, expected)
    store.row_sparse_pull(key, out=value, row_ids=nd.array([]))
    same(value, 0)

store.save_optimizer_states(f"{sys.argv[1]}/{rank}.states")
store.load_optimizer_states(f"{sys.argv[1]}/{rank}.states")
store.set_gradient_compression({"type": "2bit", "threshold": 0.5})
store.init(["1000", "1300"], [nd.zeros(SHAPE), nd.zeros(BIG)])
for key, shape in [("1000", SHAPE), ("1300", BIG)]:
    value = nd.ones(shape)
    for sent, total in [(0.4, 0), (0.1, 1), (0.2, 1), (0.3, 2)]:
        store.push(key, nd.ones(shape) * sent)
        store.pull(key, out=value)
        same(value, total * 0.5 * RATE * n)
for wrong in [lambda: store.push("nosuch", nd.ones(1)), lambda: store.pull("3", out=nd.ones(1)),
              lambda: store.init("3", nd.ones(SHAPE)),
              lambda: store.pull("9", out=nd.zeros(SHAPE).tostype("row_sparse"), ignore_sparse=False),
              lambda: store.set_updater(print),
              lambda: store.set_gradient_compression({"type": "none of these"})]:  # fmt: skip
    try:
        wrong()
    except mx.MXNetError:
        continue
    raise AssertionError("no error")
assert store.dashboard().count("\n") == 1
store.barrier()
print(f"worker {rank} is done", flush=True)
