"""`mx.gluon.contrib`: what MXNet keeps apart."""

from . import cnn, data, estimator, nn, rnn

__all__ = ["cnn", "data", "estimator", "nn", "rnn"]
