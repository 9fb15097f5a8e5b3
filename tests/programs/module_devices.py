"""A module on two devices with a store, clipped gradients and fixed parameters; FeedForward predicts."""

import mxnet as mx
from command import digits, main

BATCH = 8
X, Y = digits(BATCH * 4, 8)


def network():
    net = mx.sym.Variable("data")
    net = mx.sym.Convolution(net, kernel=(3, 3), num_filter=3, name="conv")
    net = mx.sym.LeakyReLU(net, act_type="elu", slope=0.5)
    net = mx.sym.FullyConnected(mx.sym.Flatten(net), num_hidden=8, name="fc1")
    net = mx.sym.Activation(net, act_type="softrelu")
    net = mx.sym.FullyConnected(net, num_hidden=4, name="fc2")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def module(symbol):
    devices = [mx.cpu(0), mx.cpu(1)]
    mod = mx.mod.Module(symbol, context=devices, fixed_param_names=["conv_bias"])
    mod.bind([("data", (BATCH, 1, 8, 8))], [("softmax_label", (BATCH,))])
    return mod


def make(folder):
    mod = module(network())
    mod.init_params(mx.init.Mixed([".*bias", ".*"], [mx.init.Constant(0.1), mx.init.Normal(0.2)]))
    mod.save_params(folder + "/start.params")


def run(folder):
    mod = module(network())
    mod.load_params(folder + "/start.params")
    mod.init_optimizer(
        kvstore="local",
        optimizer="rmsprop",
        optimizer_params=(("learning_rate", 0.01), ("clip_gradient", 0.5)),
    )
    metric = mx.metric.create(["ce", "acc"])
    data = mx.io.NDArrayIter(X, Y, BATCH)
    losses = []
    for _ in range(5):
        data.reset()
        for batch in data:
            metric.reset()
            mod.forward_backward(batch)
            mod.update()
            mod.update_metric(metric, batch.label)
            losses.append(float(metric.get()[1][0]))
    args, auxs = mod.get_params()
    mx.model.save_checkpoint(folder + "/model", 2, mod.symbol, args, auxs)
    return {"losses": losses, "outputs": outputs(folder)}


def outputs(folder):
    symbol, args, auxs = mx.model.load_checkpoint(folder + "/model", 2)
    model = mx.model.FeedForward(
        symbol, ctx=mx.cpu(), arg_params=args, aux_params=auxs, numpy_batch_size=BATCH
    )
    return model.predict(X)[:10].tolist()


def read(folder):
    return {"outputs": outputs(folder)}


if __name__ == "__main__":
    main(make, run, read)
