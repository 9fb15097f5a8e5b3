"""A residual network, hybridised, exported and imported as a SymbolBlock."""

import mxnet as mx
from command import digits, main
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn

BATCH = 6
X, Y = digits(BATCH * 2, 10, channels=3)


class Residual(gluon.HybridBlock):
    def __init__(self, channels, stride=1, **kwargs):
        super().__init__(**kwargs)
        with self.name_scope():
            self.body = nn.HybridSequential(prefix="")
            self.body.add(
                nn.Conv2D(channels, 3, stride, 1, use_bias=False),
                nn.BatchNorm(),
                nn.Activation("relu"),
                nn.Conv2D(channels, 3, 1, 1, use_bias=False),
                nn.BatchNorm(),
            )
            self.side = nn.Conv2D(channels, 1, stride, use_bias=False) if stride != 1 else None

    def hybrid_forward(self, F, x):
        side = self.side(x) if self.side else x
        return F.relu(self.body(x) + side)


def network():
    net = nn.HybridSequential(prefix="resnet_")
    with net.name_scope():
        net.add(nn.Conv2D(4, 3, padding=1), Residual(4), Residual(6, 2), nn.GlobalAvgPool2D(), nn.Dense(4))
    return net


def make(folder):
    net = network()
    net.initialize(mx.init.MSRAPrelu())
    net(nd.array(X[:1]))
    net.collect_params().save(folder + "/start.params", strip_prefix="resnet_")


def run(folder):
    net = network()
    net.collect_params().load(folder + "/start.params", mx.cpu(), restore_prefix="resnet_")
    net.hybridize(static_alloc=True)
    schedule = mx.lr_scheduler.CosineScheduler(20, base_lr=0.05, final_lr=0.01, warmup_steps=4)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"lr_scheduler": schedule, "momentum": 0.9})
    loss_of = gluon.loss.SoftmaxCELoss()
    losses = []
    for step in range(20):
        part = slice(step % 2 * BATCH, step % 2 * BATCH + BATCH)
        x, y = nd.array(X[part]), nd.array(Y[part])
        with autograd.record():
            loss = loss_of(net(x), y).mean()
        loss.backward()
        trainer.step(1)
        losses.append(float(loss.asscalar()))
    net.export(folder + "/model", epoch=3)
    return {"losses": losses, "outputs": net(nd.array(X)).asnumpy().tolist()}


def read(folder):
    net = gluon.SymbolBlock.imports(folder + "/model-symbol.json", ["data"], folder + "/model-0003.params")
    return {"outputs": net(nd.array(X)).asnumpy().tolist()}


if __name__ == "__main__":
    main(make, run, read)
