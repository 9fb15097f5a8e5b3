"""Small Gluon programs that run under the real MXNet and under mxcy: `mx` is the one or the other.

Each returns (net, loss, inputs, labels). `train` gives the parameters values that both sides draw alike.
"""

import numpy as np


def images(size=8, channels=3, n=6, seed=0):
    rs = np.random.RandomState(seed)
    return rs.rand(n, channels, size, size).astype("f"), rs.randint(0, 4, n).astype("f")


def rows(columns=6, n=8, seed=0, classes=4):
    rs = np.random.RandomState(seed)
    return rs.randn(n, columns).astype("f"), rs.randint(0, classes, n).astype("f")


def perceptron(mx):
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(nn.Dense(16, activation="relu"), nn.Dense(8, activation="tanh", use_bias=False), nn.Dense(4))
    return net, mx.gluon.loss.SoftmaxCrossEntropyLoss(), *rows()


def lenet(mx):
    nn = mx.gluon.nn
    net = nn.HybridSequential(prefix="lenet_")
    with net.name_scope():
        net.add(nn.Conv2D(6, 3, padding=1, activation="relu"), nn.MaxPool2D(2, 2), nn.Conv2D(8, 3),
                nn.Activation("sigmoid"), nn.AvgPool2D(2), nn.Flatten(), nn.Dense(4))  # fmt: skip
    return net, mx.gluon.loss.SoftmaxCELoss(), *images()


def residual(mx):
    nn = mx.gluon.nn

    class Unit(mx.gluon.HybridBlock):
        def __init__(self, channels, **kwargs):
            super().__init__(**kwargs)
            with self.name_scope():
                self.body = nn.HybridSequential(prefix="")
                self.body.add(
                    nn.Conv2D(channels, 3, 1, 1, use_bias=False),
                    nn.BatchNorm(),
                    nn.Activation("relu"),
                    nn.Conv2D(channels, 1),
                    nn.BatchNorm(scale=False),
                )
                self.side = nn.Conv2D(channels, 1, in_channels=3)

        def hybrid_forward(self, F, x):
            return F.Activation(self.body(x) + self.side(x), act_type="relu")

    net = nn.HybridSequential()
    with net.name_scope():
        net.add(Unit(6), nn.GlobalAvgPool2D(), nn.Dense(4))
    return net, mx.gluon.loss.SoftmaxCELoss(), *images()


def words(mx):
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(nn.Embedding(20, 5), nn.LayerNorm(), nn.Dense(7, flatten=False), nn.ELU(0.5), nn.Flatten(),
                nn.Dense(2))  # fmt: skip
    rs = np.random.RandomState(1)
    return (
        net,
        mx.gluon.loss.SoftmaxCELoss(),
        rs.randint(0, 20, (6, 4)).astype("f"),
        rs.randint(0, 2, 6).astype("f"),
    )


def activations(mx):
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    with net.name_scope():
        for layer in (nn.PReLU(), nn.LeakyReLU(0.1), nn.GELU(), nn.Swish(2.0)):
            net.add(nn.Dense(6), layer)
        net.add(nn.HybridLambda("tanh"), nn.HybridLambda(lambda F, x: F.sum(x, axis=1)))
    x, _ = rows()
    return net, mx.gluon.loss.L2Loss(), x, x[:, 0] * 0.5


def normalised(mx):
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(nn.Conv2D(4, 3), nn.GroupNorm(2), nn.Conv2D(4, 3), nn.InstanceNorm(scale=True),
                nn.BatchNormReLU(), nn.ReflectionPad2D(1), nn.GlobalMaxPool2D(), nn.Dense(4))  # fmt: skip
    return net, mx.gluon.loss.SoftmaxCELoss(), *images()


def transposed(mx):
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(nn.Conv2D(4, 3, strides=2), nn.Conv2DTranspose(3, 4, strides=2, activation="sigmoid"))
    x, _ = images()
    return net, mx.gluon.loss.L1Loss(), x, x


def one_dimension(mx):
    nn = mx.gluon.nn
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(nn.Conv1D(5, 3, dilation=2), nn.MaxPool1D(), nn.Conv1DTranspose(4, 2), nn.AvgPool1D(2),
                nn.GlobalAvgPool1D(), nn.Dense(4))  # fmt: skip
    rs = np.random.RandomState(2)
    return net, mx.gluon.loss.SoftmaxCELoss(), rs.rand(5, 3, 16).astype("f"), rs.randint(0, 4, 5).astype("f")


LOSSES = {
    "l2": lambda g: g.L2Loss(weight=2.0),
    "l1": lambda g: g.L1Loss(),
    "huber": lambda g: g.HuberLoss(rho=0.5),
    "bce": lambda g: g.SigmoidBCELoss(),
    "bce_sigmoid": lambda g: g.SigmoidBinaryCrossEntropyLoss(from_sigmoid=True),
    "hinge": lambda g: g.HingeLoss(),
    "squared_hinge": lambda g: g.SquaredHingeLoss(margin=2),
    "logistic": lambda g: g.LogisticLoss(),
    "logistic_binary": lambda g: g.LogisticLoss(label_format="binary"),
    "poisson": lambda g: g.PoissonNLLLoss(),
    "poisson_counts": lambda g: g.PoissonNLLLoss(from_logits=False),
    "kl": lambda g: g.KLDivLoss(from_logits=False),
    "softmax_dense": lambda g: g.SoftmaxCELoss(sparse_label=False, axis=1, weight=0.5),
}


def with_loss(name):
    def program(mx):
        nn = mx.gluon.nn
        net = nn.HybridSequential()
        with net.name_scope():
            net.add(nn.Dense(5))
            if name in ("bce_sigmoid", "poisson_counts"):
                net.add(nn.Activation("sigmoid"))
        x, _ = rows()
        label = np.random.RandomState(4).rand(8, 5).astype("f")
        if "hinge" in name or name == "logistic":
            label = np.sign(label - 0.5)
        if name in ("kl", "softmax_dense"):
            label = label / label.sum(axis=1, keepdims=True)
        return net, LOSSES[name](mx.gluon.loss), x, label

    program.__name__ = f"loss_{name}"
    return program


PROGRAMS = [perceptron, lenet, residual, words, activations, normalised, transposed, one_dimension,
            *[with_loss(name) for name in LOSSES]]  # fmt: skip


def train(mx, program, steps=20, hybridize=False, devices=1, optimizer="sgd", **params):
    """Return (names and shapes of the parameters, loss of every step, sums of the parameters at the end)."""
    with mx.name.NameManager():
        net, loss, data, label = program(mx)
    contexts = [mx.cpu(i) for i in range(devices)]
    net.initialize(ctx=contexts)
    if hybridize:
        net.hybridize()
    split = mx.gluon.utils.split_and_load
    for x in split(mx.nd.array(data), contexts):
        net(x)
    found = net.collect_params()
    rs = np.random.RandomState(9)
    for name, parameter in found.items():
        if not name.endswith(("running_mean", "running_var", "gamma")):
            parameter.set_data(mx.nd.array(rs.uniform(-0.4, 0.4, parameter.shape)))
    trainer = mx.gluon.Trainer(found, optimizer, params or {"learning_rate": 0.1, "momentum": 0.9})
    losses = []
    for _ in range(steps):
        with mx.autograd.record():
            parts = [
                loss(net(x), y)
                for x, y in zip(
                    split(mx.nd.array(data), contexts), split(mx.nd.array(label), contexts), strict=True
                )
            ]
        mx.autograd.backward(parts)
        trainer.step(len(data))
        losses.append(float(sum(part.sum().asscalar() for part in parts)))
    shapes = {name: list(parameter.shape) for name, parameter in found.items()}
    return shapes, losses, {name: float(p.data(contexts[0]).sum().asscalar()) for name, p in found.items()}


def recurrent(kind):
    """A cell unrolled over a sequence, and a dense layer."""

    def program(mx):
        gluon, nn, rnn = mx.gluon, mx.gluon.nn, mx.gluon.rnn
        make = {
            "rnn": lambda: rnn.RNNCell(5, activation="relu"),
            "lstm": lambda: rnn.LSTMCell(5),
            "gru": lambda: rnn.GRUCell(5),
            "residual": lambda: rnn.ResidualCell(rnn.GRUCell(3)),
            "both": lambda: rnn.BidirectionalCell(rnn.LSTMCell(4), rnn.GRUCell(3)),
        }

        class Net(gluon.HybridBlock):
            def __init__(self):
                super().__init__(prefix="net_")
                with self.name_scope():
                    if kind == "stack":
                        self.cell = rnn.HybridSequentialRNNCell()
                        self.cell.add(rnn.LSTMCell(5))
                        self.cell.add(rnn.DropoutCell(0.0))
                        self.cell.add(rnn.RNNCell(4))
                    else:
                        self.cell = make[kind]()
                    self.out = nn.Dense(2)

            def hybrid_forward(self, F, x):
                outputs, _ = self.cell.unroll(4, x, layout="NTC", merge_outputs=True)
                return self.out(outputs)

        rs = np.random.RandomState(6)
        return Net(), gluon.loss.SoftmaxCELoss(), rs.randn(6, 4, 3).astype("f"), \
            rs.randint(0, 2, 6).astype("f")  # fmt: skip

    program.__name__ = f"recurrent_{kind}"
    return program


PROGRAMS += [recurrent(kind) for kind in ("rnn", "lstm", "gru", "residual", "both", "stack")]


def layer(kind):
    """A recurrent layer over a sequence, and a dense layer."""

    def program(mx):
        gluon, nn, rnn = mx.gluon, mx.gluon.nn, mx.gluon.rnn
        make = {
            "lstm": lambda: rnn.LSTM(5, 2, "NTC", bidirectional=True),
            "gru": lambda: rnn.GRU(4, layout="NTC"),
            "rnn": lambda: rnn.RNN(4, 2, "tanh", "NTC", input_size=3),
        }

        class Net(gluon.HybridBlock):
            def __init__(self):
                super().__init__(prefix="net_")
                with self.name_scope():
                    self.layer = make[kind]()
                    self.out = nn.Dense(2)

            def hybrid_forward(self, F, x):
                return self.out(self.layer(x))

        rs = np.random.RandomState(6)
        x, y = rs.randn(6, 4, 3).astype("f"), rs.randint(0, 2, 6).astype("f")
        return Net(), gluon.loss.SoftmaxCELoss(), x, y

    program.__name__ = f"layer_{kind}"
    return program


PROGRAMS += [layer(kind) for kind in ("lstm", "gru", "rnn")]


def convolutional(kind, dims):
    """A convolutional cell unrolled over a sequence, and a dense layer."""

    def program(mx):
        gluon, nn, rnn = mx.gluon, mx.gluon.nn, mx.gluon.contrib.rnn
        extents = (7, 6, 5)[:dims]

        class Net(gluon.HybridBlock):
            def __init__(self):
                super().__init__(prefix="net_")
                with self.name_scope():
                    cell = getattr(rnn, f"Conv{dims}D{kind}Cell")
                    self.cell = cell((2, *extents), 3, 3, 3, i2h_pad=1, h2h_dilate=(2,) + (1,) * (dims - 1))
                    self.out = nn.Dense(2)

            def hybrid_forward(self, F, x):
                state = F.zeros((5, 3, *extents))
                states = [state] * (2 if kind == "LSTM" else 1)
                outputs, _ = self.cell.unroll(3, x, states, layout="NTC", merge_outputs=False)
                return self.out(outputs[-1])

        rs = np.random.RandomState(8)
        x = rs.randn(5, 3, 2, *extents).astype("f")
        return Net(), gluon.loss.SoftmaxCELoss(), x, rs.randint(0, 2, 5).astype("f")

    program.__name__ = f"convolutional_{kind.lower()}{dims}"
    return program


PROGRAMS += [convolutional(*kind) for kind in (("RNN", 1), ("LSTM", 2), ("GRU", 2), ("LSTM", 3))]


def projected(mx):
    gluon, nn, rnn = mx.gluon, mx.gluon.nn, mx.gluon.contrib.rnn

    class Net(gluon.HybridBlock):
        def __init__(self):
            super().__init__(prefix="net_")
            with self.name_scope():
                self.cell = rnn.VariationalDropoutCell(rnn.LSTMPCell(6, 4))
                self.out = nn.Dense(2)

        def hybrid_forward(self, F, x):
            outputs, _ = self.cell.unroll(4, x, layout="NTC", merge_outputs=True)
            return self.out(outputs)

    rs = np.random.RandomState(6)
    x, y = rs.randn(6, 4, 3).astype("f"), rs.randint(0, 2, 6).astype("f")
    return Net(), gluon.loss.SoftmaxCELoss(), x, y


PROGRAMS.append(projected)


def deformed(mx):
    """Convolutions that are displaced by what they learn."""
    nn, layer = mx.gluon.nn, mx.gluon.contrib.cnn.DeformableConvolution
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(layer(4, 3, padding=1, in_channels=3, activation="relu"),
                layer(3, (3, 3), 2, use_bias=False, in_channels=4), nn.Dense(4))  # fmt: skip
    return net, mx.gluon.loss.SoftmaxCELoss(), *images()


PROGRAMS.append(deformed)
