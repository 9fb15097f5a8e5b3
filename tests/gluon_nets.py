"""Small networks that the tests of Gluon share."""

import numpy as np

import mxcy as mx
from mxcy import nd
from mxcy.gluon import nn


def dense_net(prefix=None, units=3, **options):
    net = nn.HybridSequential(prefix=prefix)
    with net.name_scope():
        net.add(nn.Dense(4, activation="relu", **options), nn.Dense(units))
    return net


def ready(net, x):
    net.initialize(mx.init.Xavier())
    net(x)
    return net


X = nd.array(np.random.default_rng(0).normal(size=(5, 6)), dtype="float32")
