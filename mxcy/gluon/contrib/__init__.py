"""`mx.gluon.contrib`: what MXNet keeps apart."""

from . import nn

__all__ = ["nn"]
