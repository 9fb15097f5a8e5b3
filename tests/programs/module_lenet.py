"""A convolutional network by Module.fit, with a metric, a schedule of the learning rate and callbacks."""

import mxnet as mx
from command import digits, main

BATCH = 6
X, Y = digits(BATCH * 5, 12, channels=2)


def network():
    net = mx.sym.Variable("data")
    net = mx.sym.Convolution(net, kernel=(3, 3), num_filter=4, pad=(1, 1), name="conv1")
    net = mx.sym.BatchNorm(net, fix_gamma=False, name="bn1")
    net = mx.sym.Activation(net, act_type="relu")
    net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2))
    net = mx.sym.Convolution(net, kernel=(3, 3), num_filter=6, no_bias=True, name="conv2")
    net = mx.sym.Pooling(net, pool_type="avg", kernel=(2, 2), stride=(2, 2))
    net = mx.sym.Flatten(net)
    net = mx.sym.FullyConnected(net, num_hidden=4, name="fc")
    return mx.sym.SoftmaxOutput(net, normalization="batch", name="softmax")


def make(folder):
    mod = mx.mod.Module(network())
    mod.bind([("data", (BATCH, *X.shape[1:]))], [("softmax_label", (BATCH,))])
    mod.init_params(mx.init.Xavier(factor_type="in", magnitude=2.0))
    mod.save_params(folder + "/start.params")


def run(folder):
    args, auxs = split(folder + "/start.params")
    losses = []

    def after_batch(param):
        losses.append(float(param.eval_metric.get()[1]))
        param.eval_metric.reset()

    mod = mx.mod.Module(network())
    mod.fit(
        mx.io.NDArrayIter(X, Y, BATCH),
        eval_metric="ce",
        optimizer="sgd",
        optimizer_params={
            "learning_rate": 0.03,
            "momentum": 0.9,
            "rescale_grad": 1.0,
            "lr_scheduler": mx.lr_scheduler.FactorScheduler(step=5, factor=0.8),
        },
        arg_params=args,
        aux_params=auxs,
        num_epoch=4,
        batch_end_callback=after_batch,
        epoch_end_callback=mx.callback.do_checkpoint(folder + "/model", period=4),
    )
    return {"losses": losses, "outputs": outputs(mod)}


def split(path):
    values = mx.nd.load(path)
    args = {name[4:]: x for name, x in values.items() if name.startswith("arg:")}
    return args, {name[4:]: x for name, x in values.items() if name.startswith("aux:")}


def outputs(mod):
    return mod.predict(mx.io.NDArrayIter(X, batch_size=BATCH)).asnumpy()[:10].tolist()


def read(folder):
    symbol, args, auxs = mx.model.load_checkpoint(folder + "/model", 4)
    mod = mx.mod.Module(symbol)
    mod.bind([("data", (BATCH, *X.shape[1:]))], for_training=False)
    mod.set_params(args, auxs)
    return {"outputs": outputs(mod)}


if __name__ == "__main__":
    main(make, run, read)
