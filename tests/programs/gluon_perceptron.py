"""A Gluon network that runs operator by operator, with a DataLoader, a Trainer and its states."""

import mxnet as mx
from command import digits, main
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn

BATCH = 8
X, Y = digits(BATCH * 5, 6)


class Net(gluon.Block):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.flatten = nn.Flatten()
            self.hidden = nn.Sequential()
            with self.hidden.name_scope():
                self.hidden.add(nn.Dense(12, activation="relu"), nn.Dropout(0.0), nn.Dense(8))
            self.out = nn.Dense(4, in_units=8)

    def forward(self, x):
        x = self.hidden(self.flatten(x))
        return self.out(nd.tanh(x))


def make(folder):
    net = Net(prefix="net_")
    net.initialize(mx.init.Xavier())
    net(nd.array(X[:1]))
    net.save_parameters(folder + "/start.params")


def run(folder):
    net = Net(prefix="net_")
    net.load_parameters(folder + "/start.params", ctx=mx.cpu())
    trainer = gluon.Trainer(net.collect_params(), "nag", {"learning_rate": 0.1, "momentum": 0.8, "wd": 1e-3})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    data = gluon.data.DataLoader(gluon.data.ArrayDataset(X, Y), batch_size=BATCH)
    losses = []
    for _ in range(4):
        for x, y in data:
            with autograd.record():
                loss = loss_of(net(x), y)
            loss.backward()
            trainer.step(BATCH)
            losses.append(float(loss.mean().asscalar()))
        trainer.set_learning_rate(trainer.learning_rate * 0.9)
    net.save_parameters(folder + "/model.params")
    trainer.save_states(folder + "/model.states")
    return {"losses": losses, "outputs": net(nd.array(X[:10])).asnumpy().tolist()}


def read(folder):
    net = Net()
    net.load_parameters(folder + "/model.params")
    return {"outputs": net(nd.array(X[:10])).asnumpy().tolist()}


if __name__ == "__main__":
    main(make, run, read)
