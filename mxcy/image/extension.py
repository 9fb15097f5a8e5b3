"""`mx.npx.image`: the operators on images, of arrays of `mx.np`, and all that `mx.image` has."""

from .._paths import names_from

__getattr__ = names_from(__name__, "mxcy.ndarray.image", "mxcy.image")
