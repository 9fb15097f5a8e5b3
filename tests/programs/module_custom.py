"""An operator in Python, a sequence of modules' worth of losses in one group, and an executor by hand."""

import mxnet as mx
import numpy as np
from command import digits, main

BATCH = 10
X, Y = digits(BATCH, 6)
X = X.reshape(BATCH, -1)


class Softplus(mx.operator.CustomOp):
    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], mx.nd.log(1 + mx.nd.exp(in_data[0])))

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        self.assign(in_grad[0], req[0], out_grad[0] / (1 + mx.nd.exp(-in_data[0])))


@mx.operator.register("softplus_of_the_program")
class SoftplusProp(mx.operator.CustomOpProp):
    def __init__(self):
        super().__init__(need_top_grad=True)

    def infer_shape(self, in_shape):
        return in_shape, [in_shape[0]], []

    def create_operator(self, ctx, shapes, dtypes):
        return Softplus()


def network():
    data, label = mx.sym.Variable("data"), mx.sym.Variable("label")
    hidden = mx.sym.FullyConnected(data, num_hidden=7, name="fc1")
    hidden = mx.sym.Custom(hidden, op_type="softplus_of_the_program", name="softplus")
    scores = mx.sym.FullyConnected(hidden, num_hidden=4, name="fc2")
    logs = mx.sym.log_softmax(scores)
    loss = mx.sym.MakeLoss(-mx.sym.mean(mx.sym.pick(logs, label, axis=1)), name="loss")
    decay = mx.sym.MakeLoss(mx.sym.sum(mx.sym.square(hidden)) * 1e-3, name="decay")
    return mx.sym.Group([loss, decay, mx.sym.BlockGrad(mx.sym.softmax(scores))])


def executor():
    return network().simple_bind(
        mx.cpu(),
        data=X.shape,
        label=Y.shape,
        grad_req={
            "data": "null",
            "label": "null",
            "fc1_weight": "write",
            "fc1_bias": "write",
            "fc2_weight": "write",
            "fc2_bias": "write",
        },
    )


def make(folder):
    exe = executor()
    initializer = mx.init.Uniform(0.4)
    for name, array in exe.arg_dict.items():
        if name.startswith("fc"):
            initializer(mx.init.InitDesc(name), array)
    mx.nd.save(
        folder + "/start.params", {name: x for name, x in exe.arg_dict.items() if name.startswith("fc")}
    )


def run(folder):
    exe = executor()
    exe.copy_params_from(mx.nd.load(folder + "/start.params"))
    optimizer = mx.optimizer.create("adam", learning_rate=0.05, wd=1e-3)
    updater = mx.optimizer.get_updater(optimizer)
    names = sorted(name for name in exe.arg_dict if name.startswith("fc"))
    losses = []
    for _ in range(20):
        loss, decay, _ = exe.forward(is_train=True, data=mx.nd.array(X), label=mx.nd.array(Y))
        losses.append(float(loss.asnumpy().sum() + decay.asnumpy().sum()))
        exe.backward()
        for i, name in enumerate(names):
            updater(i, exe.grad_dict[name], exe.arg_dict[name])
    mx.nd.save(folder + "/model.params", {name: exe.arg_dict[name] for name in names})
    network().save(folder + "/model-symbol.json")
    return {"losses": losses, "outputs": outputs(folder)}


def outputs(folder):
    symbol = mx.sym.load(folder + "/model-symbol.json")[2]
    values = mx.nd.load(folder + "/model.params")
    exe = symbol.bind(mx.cpu(), dict(values, data=mx.nd.array(X)), grad_req="null")
    return np.round(exe.forward()[0].asnumpy(), 7).tolist()


def read(folder):
    return {"outputs": outputs(folder)}


if __name__ == "__main__":
    main(make, run, read)
