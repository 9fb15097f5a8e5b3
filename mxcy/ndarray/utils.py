"""`mx.nd.utils`: where MXNet keeps `load`, `save` and functions for any storage."""

from .._paths import names_from

__getattr__ = names_from(__name__, "mxcy.ndarray")
