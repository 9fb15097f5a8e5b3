"""`mx.gluon.data.vision`: what is made of pictures."""

from . import transforms

__all__ = ["transforms"]
