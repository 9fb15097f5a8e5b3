"""Training for many epochs takes no more memory than for few."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

COMMON = """
import gc
import numpy as np
import psutil
import mxcy as mx

mx.random.seed(0)
x = np.random.rand(256, 1, 12, 12).astype("f")
y = np.random.randint(0, 4, 256).astype("f")
seen = []


def measured():
    gc.collect()
    mx.nd.waitall()
    seen.append(psutil.Process().memory_info().rss)
"""

MODULE = """
net = mx.sym.Convolution(mx.sym.Variable("data"), kernel=(3, 3), num_filter=8)
net = mx.sym.Activation(mx.sym.BatchNorm(net), act_type="relu")
net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=4), name="softmax")
module = mx.mod.Module(net)
module.fit(mx.io.NDArrayIter(x, y, 32, shuffle=True), mx.io.NDArrayIter(x, y, 32), num_epoch=40,
           optimizer="adam", epoch_end_callback=lambda *_: measured())
"""

GLUON = """
net = mx.gluon.nn.HybridSequential()
net.add(mx.gluon.nn.Conv2D(8, 3), mx.gluon.nn.BatchNorm())
net.add(mx.gluon.nn.Activation("relu"), mx.gluon.nn.Dense(4))
net.initialize()
if HYBRID:
    net.hybridize()
trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1, "momentum": 0.9})
loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()
loader = mx.gluon.data.DataLoader(mx.gluon.data.ArrayDataset(x, y), 32, shuffle=True, num_workers=2,
                                  thread_pool=True)
metric = mx.metric.Accuracy()
for _ in range(40):
    metric.reset()
    for images, labels in loader:
        with mx.autograd.record():
            scores = net(images)
            loss = loss_of(scores, labels)
        loss.backward()
        trainer.step(32)
        metric.update([labels], [scores])
    measured()
"""

PROGRAMS = {"module": MODULE, "gluon": "HYBRID = False" + GLUON, "hybrid": "HYBRID = True" + GLUON}
EPOCH = 256 * 12 * 12 * 8 * 4  # bytes of one activation of all examples


@pytest.mark.parametrize("name", PROGRAMS)
def test_memory_of_epochs_does_not_grow(name):
    code = COMMON + PROGRAMS[name] + "print(*seen)\n"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True,
                          timeout=200)  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = [int(number) for number in done.stdout.split()]

    assert len(seen) == 40
    assert seen[39] - seen[9] < EPOCH, [number >> 10 for number in seen]  # thirty epochs, less than one
