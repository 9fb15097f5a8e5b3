"""`mx.io.io`: where MXNet keeps its iterators; programs import them from here."""

from .._paths import names_from

__getattr__ = names_from(__name__, "mxcy.io", "mxcy.io.utils", "mxcy.ndarray")
