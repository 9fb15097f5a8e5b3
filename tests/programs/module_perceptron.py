"""A perceptron with the calls that Module.fit makes, written out."""

import mxnet as mx
import numpy as np
from command import digits, main

BATCH = 8
X, Y = digits(BATCH * 5, 6)
X = X.reshape(len(X), -1)


def module():
    net = mx.sym.Variable("data")
    net = mx.sym.FullyConnected(net, num_hidden=12, name="fc1")
    net = mx.sym.Activation(net, act_type="tanh", name="tanh1")
    net = mx.sym.FullyConnected(net, num_hidden=4, name="fc2")
    net = mx.sym.SoftmaxOutput(net, name="softmax")
    mod = mx.mod.Module(net, context=mx.cpu())
    mod.bind([("data", (BATCH, X.shape[1]))], [("softmax_label", (BATCH,))])
    return mod


def make(folder):
    mod = module()
    mod.init_params(mx.init.Xavier())
    mod.save_params(folder + "/start.params")


def run(folder):
    mod = module()
    mod.load_params(folder + "/start.params")
    mod.init_optimizer(optimizer="sgd", optimizer_params={"learning_rate": 0.3, "momentum": 0.9, "wd": 1e-3})
    data = mx.io.NDArrayIter(X, Y, BATCH)
    losses = []
    for _ in range(4):
        data.reset()
        for batch in data:
            mod.forward(batch, is_train=True)
            probabilities = mod.get_outputs()[0].asnumpy()
            labels = batch.label[0].asnumpy().astype(int)
            losses.append(float(-np.log(probabilities[np.arange(BATCH), labels]).mean()))
            mod.backward()
            mod.update()
    mod.save_checkpoint(folder + "/model", 1, save_optimizer_states=True)
    return {"losses": losses, "outputs": outputs(mod)}


def outputs(mod):
    return mod.predict(mx.io.NDArrayIter(X, batch_size=BATCH)).asnumpy()[:10].tolist()


def read(folder):
    mod = mx.mod.Module.load(folder + "/model", 1)
    mod.bind([("data", (BATCH, X.shape[1]))], for_training=False)
    return {"outputs": outputs(mod)}


if __name__ == "__main__":
    main(make, run, read)
