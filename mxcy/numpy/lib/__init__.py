"""`numpy.lib`: what of it works on arrays."""

from . import stride_tricks

__all__ = ["stride_tricks"]
