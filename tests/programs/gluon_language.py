"""A language model: Embedding and LSTM layers of Gluon, states that go on, gradients clipped together."""

import mxnet as mx
import numpy as np
from command import main
from mxnet import autograd, gluon, nd

WORDS, BATCH, STEPS = 11, 3, 5
TEXT = np.array([(i * i + i // 3) % WORDS for i in range(BATCH * STEPS * 4 + BATCH)])
COLUMNS = TEXT[: len(TEXT) // BATCH * BATCH].reshape(BATCH, -1).T.astype("float32")


class Model(gluon.HybridBlock):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.embed = gluon.nn.Embedding(WORDS, 6)
            self.lstm = gluon.rnn.LSTM(7, num_layers=2, input_size=6)
            self.out = gluon.nn.Dense(WORDS, in_units=7, flatten=False)

    def hybrid_forward(self, F, inputs, state_h, state_c):
        outputs, states = self.lstm(self.embed(inputs), [state_h, state_c])
        return self.out(outputs), states


def make(folder):
    net = Model(prefix="model_")
    net.initialize(mx.init.Uniform(0.3))
    net.save_parameters(folder + "/start.params")


def run(folder):
    net = Model(prefix="model_")
    net.load_parameters(folder + "/start.params")
    net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.03})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    losses = []
    for _ in range(5):
        states = net.lstm.begin_state(batch_size=BATCH)
        for i in range(0, STEPS * 4, STEPS):
            x, y = nd.array(COLUMNS[i : i + STEPS]), nd.array(COLUMNS[i + 1 : i + STEPS + 1])
            states = [state.detach() for state in states]
            with autograd.record():
                scores, states = net(x, *states)
                loss = loss_of(scores.reshape((-1, WORDS)), y.reshape((-1,))).mean()
            loss.backward()
            gluon.utils.clip_global_norm([p.grad() for p in net.collect_params().values()], 0.5)
            trainer.step(1)
            losses.append(float(loss.asscalar()))
    net.save_parameters(folder + "/model.params")
    return {"losses": losses, "outputs": outputs(net)}


def outputs(net):
    scores, _ = net(nd.array(COLUMNS[:4]), *net.lstm.begin_state(batch_size=BATCH))
    return scores[-1].asnumpy().tolist()


def read(folder):
    net = Model()
    net.load_parameters(folder + "/model.params")
    return {"outputs": outputs(net)}


if __name__ == "__main__":
    main(make, run, read)
