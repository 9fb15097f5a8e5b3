"""`mx.nd.utils`: where MXNet keeps `load`, `save` and functions for any storage."""

from .._paths import also, names_from

__all__ = also("array empty load load_frombuffer save zeros")
__getattr__ = names_from(__name__, "mxcy.ndarray")
