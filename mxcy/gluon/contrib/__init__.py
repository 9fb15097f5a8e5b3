"""`mx.gluon.contrib`: what MXNet keeps apart."""

from . import data, estimator, nn, rnn

__all__ = ["data", "estimator", "nn", "rnn"]
