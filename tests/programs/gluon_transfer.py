"""Transfer: the inner layers of a saved symbol as features that learn slowly, and a new layer behind them."""

import mxnet as mx
from command import digits, main
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn

BATCH = 8
X, Y = digits(BATCH * 2, 8, classes=2, seed=4)


def teacher():
    net = mx.sym.Variable("data")
    net = mx.sym.Convolution(net, kernel=(3, 3), num_filter=4, name="conv1")
    net = mx.sym.Activation(net, act_type="relu", name="relu1")
    net = mx.sym.Pooling(net, kernel=(2, 2), stride=(2, 2), pool_type="max", name="pool1")
    net = mx.sym.FullyConnected(net, num_hidden=6, name="fc1")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def make(folder):
    mod = mx.mod.Module(teacher())
    mod.bind([("data", (BATCH, 1, 8, 8))], [("softmax_label", (BATCH,))])
    mod.init_params(mx.init.Xavier())
    mod.save_checkpoint(folder + "/start", 0)
    head = nn.Dense(2, in_units=6, prefix="head_")
    head.initialize(mx.init.Normal(0.1))
    head.save_parameters(folder + "/start-head.params")


def features(symbol_file, params_file):
    symbol = mx.sym.load(symbol_file).get_internals()["fc1_output"]
    net = gluon.SymbolBlock(symbol, mx.sym.var("data"))
    net.collect_params().load(params_file, ctx=mx.cpu(), ignore_extra=True)
    return net


def run(folder):
    net = features(folder + "/start-symbol.json", folder + "/start-0000.params")
    head = nn.Dense(2, in_units=6, prefix="head_")
    head.load_parameters(folder + "/start-head.params")
    net.collect_params().setattr("lr_mult", 0.1)
    net.collect_params("conv1_bias").setattr("grad_req", "null")
    params = gluon.ParameterDict()
    params.update(net.collect_params())
    params.update(head.collect_params())
    trainer = gluon.Trainer(params, "sgd", {"learning_rate": 0.5, "momentum": 0.5, "wd": 1e-3})
    loss_of, losses = gluon.loss.SoftmaxCrossEntropyLoss(), []
    for step in range(20):
        part = slice(step % 2 * BATCH, step % 2 * BATCH + BATCH)
        with autograd.record():
            loss = loss_of(head(nd.relu(net(nd.array(X[part])))), nd.array(Y[part]))
        loss.backward()
        trainer.step(BATCH)
        losses.append(float(loss.mean().asscalar()))
    params.save(folder + "/model.params")
    return {"losses": losses, "outputs": outputs(net, head)}


def outputs(net, head):
    return head(nd.relu(net(nd.array(X[:10])))).asnumpy().tolist()


def read(folder):
    net = features(folder + "/start-symbol.json", folder + "/model.params")
    head = nn.Dense(2, in_units=6, prefix="head_")
    head.collect_params().load(folder + "/model.params", ignore_extra=True)
    return {"outputs": outputs(net, head)}


if __name__ == "__main__":
    main(make, run, read)
