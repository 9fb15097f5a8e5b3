"""A small network, data and modules that several test files train."""

from pathlib import Path

import numpy as np

import mxcy as mx
from mxcy import nd
from mxcy.io import DataBatch, NDArrayIter

GOLDEN = Path(__file__).parent / "golden"
MLP = np.load(GOLDEN / "mlp.npz")
PARAMS = ("fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias")


def network(hidden=8):
    x = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=hidden, name="fc1")
    x = mx.sym.Activation(x, act_type="relu", name="relu1")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(x, num_hidden=3, name="fc2"), name="softmax")


def data(rows=20, batch_size=8, columns=5, **options):
    """Rows whose class is where the first three columns are largest."""
    values = np.random.default_rng(3).random((rows, columns), np.float32)
    return NDArrayIter(values, values[:, :3].argmax(axis=1), batch_size, **options)


def bound_module():
    """A module that is bound and has parameters."""
    module = mx.mod.Module(network())
    module.bind(data().provide_data, data().provide_label)
    module.init_params(mx.init.Xavier())
    return module


def golden_module():
    """The module of the golden checkpoint, and its batch."""
    module = mx.mod.Module.load(str(GOLDEN / "mlp"), 1)
    module.bind([("data", (4, 5))], [("softmax_label", (4,))], inputs_need_grad=True)
    return module, DataBatch([nd.array(MLP["data"])], [nd.array(MLP["label"])])
