"""Training gives the same weights bit for bit, whatever the number of threads and with both engines.

What a run of training ends with: checkpoints that are whole, errors that name what was wrong.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mxcy as mx
from mxcy import gluon, nd

ROOT = Path(__file__).resolve().parent.parent

TRAIN = """
import hashlib
import logging
import numpy as np
import mxcy as mx
from mxcy import autograd, gluon, nd
from mxcy.gluon import nn

logging.disable(logging.CRITICAL)
seen = hashlib.sha256()


def note(params):
    for name in sorted(params):
        seen.update(params[name].asnumpy().tobytes())


mx.random.seed(11)
np.random.seed(11)
x = np.random.rand(60, 3, 12, 12).astype("f")
y = np.random.randint(0, 4, 60).astype("f")
net = mx.sym.Variable("data")
net = mx.sym.Convolution(net, kernel=(3, 3), num_filter=8, name="conv")
net = mx.sym.Activation(mx.sym.BatchNorm(net, name="norm"), act_type="relu")
net = mx.sym.Dropout(mx.sym.Pooling(net, kernel=(2, 2), stride=(2, 2), pool_type="max"), p=0.3)
net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=4, name="fc"), name="softmax")
for devices in (1, 2):
    module = mx.mod.Module(net, context=[mx.cpu(i) for i in range(devices)])
    module.fit(mx.io.NDArrayIter(x, y, 20, shuffle=True), num_epoch=2, initializer=mx.init.Xavier(),
               optimizer="adam", kvstore="local")
    args, states = module.get_params()
    note(args | states)


class Words(gluon.HybridBlock):
    def __init__(self):
        super().__init__(prefix="words_")
        with self.name_scope():
            self.embed = nn.Embedding(30, 16)
            self.lstm = gluon.rnn.LSTM(24, 2, dropout=0.2)
            self.out = nn.Dense(30, flatten=False)

    def hybrid_forward(self, F, x):
        return self.out(self.lstm(self.embed(x)))


for hybridize in (False, True):
    words = Words()
    words.initialize(mx.init.Xavier())
    if hybridize:
        words.hybridize()
    text = nd.random.randint(0, 30, (40, 16)).astype("float32")
    trainer = gluon.Trainer(words.collect_params(), "sgd", {"learning_rate": 0.3, "momentum": 0.9})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    for _ in range(4):
        with autograd.record():
            loss = loss_of(words(text[:-1]), text[1:])
        loss.backward()
        trainer.step(16)
    note({name: p.data() for name, p in words.collect_params().items()})
print(seen.hexdigest())
"""


def run(code, folder, **environment):
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True,
                          text=True, timeout=300)  # fmt: skip


def test_one_seed_gives_one_result(tmp_path):
    ways = [
        {"MXCY_NUM_THREADS": "1"},
        {"MXCY_NUM_THREADS": "2"},
        {"MXCY_NUM_THREADS": "5"},
        {"MXCY_ENGINE": "serial"},
    ]
    found = set()
    for way in ways:
        done = run(TRAIN, tmp_path, **way)
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)

    assert len(found) == 1


STOPPED = """
import os
import signal
import numpy as np
import mxcy as mx

signal.signal(signal.SIGINT, signal.default_int_handler)
net = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=300), name="softmax")
module = mx.mod.Module(net)
x = np.random.rand(64, 500).astype("f")


def after_batch(param):
    if param.epoch == 3:
        os.kill(os.getpid(), signal.SIGINT)  # while work is in flight


module.fit(mx.io.NDArrayIter(x, np.zeros(64), 16), num_epoch=1000, batch_end_callback=after_batch,
           epoch_end_callback=mx.callback.do_checkpoint("run"))
"""


def test_an_interrupt_leaves_the_last_checkpoint_whole(tmp_path):
    done = run(STOPPED, tmp_path)

    assert done.returncode != 0 and "KeyboardInterrupt" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "run-0001.params", "run-0002.params", "run-0003.params", "run-symbol.json",
    ]  # fmt: skip
    _, args, _ = mx.model.load_checkpoint(str(tmp_path / "run"), 3)
    assert args["fullyconnected0_weight"].shape == (300, 500)


KILLED = """
import itertools
import sys
import mxcy as mx

values = {"w": mx.nd.ones((3000, 1000))}
mx.nd.save("run-0001.params", values)
print("saved", flush=True)
for number in itertools.count(2):
    mx.nd.save("run-0001.params", {"w": values["w"] * number})
"""


def test_a_killed_save_leaves_a_whole_file(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", KILLED], cwd=tmp_path, env=environment,
                               stdout=subprocess.PIPE)  # fmt: skip
    assert process.stdout.readline() == b"saved\n"
    temporary = []
    while not temporary:  # until a save is under way
        temporary = [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    found = nd.load(str(tmp_path / "run-0001.params"))["w"].asnumpy()

    assert found.shape == (3000, 1000) and (found == found[0, 0]).all()


class Faulty(gluon.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        if i == 5:
            return self.divide(i)
        return np.float32(i)

    def divide(self, i):
        return 1 / (i - 5)


@pytest.mark.parametrize("threads", [False, True], ids=["processes", "threads"])
def test_an_exception_of_a_worker_arrives_with_its_traceback(threads):
    loader = gluon.data.DataLoader(Faulty(), 2, num_workers=2, thread_pool=threads)
    with pytest.raises(ZeroDivisionError) as caught:
        list(loader)
    error, text = caught.value, []
    while error is not None:
        text.append(str(error))
        step = error.__traceback__
        while step is not None:
            text.append(step.tb_frame.f_code.co_name)
            step = step.tb_next
        error = error.__cause__

    assert "divide" in " ".join(text)
    good = gluon.data.DataLoader(list(range(4)), 2, num_workers=2)
    assert [batch.asnumpy().tolist() for batch in good] == [[0, 1], [2, 3]]


def test_training_stops_at_the_first_array_that_is_not_finite():
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="fc")
    net = mx.sym.SoftmaxOutput(mx.sym.log(net, name="logs"), name="softmax")
    data = mx.io.NDArrayIter(np.ones((8, 3)), np.zeros(8), 4)
    for options, match in (
        (
            {"monitor": mx.mon.FiniteMonitor()},
            "logs_output is the first array that is not finite, in batch 0",
        ),
        ({"batch_end_callback": mx.callback.StopOnNaN()}, "softmax_output is not finite in epoch 0, batch 0"),
    ):
        module = mx.mod.Module(net)
        with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match=match):
            module.fit(data, num_epoch=1, initializer=mx.init.Constant(-1), **options)
        data.reset()
