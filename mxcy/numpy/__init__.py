"""`mxcy.numpy`: the namespace of NumPy 2 over the engine.

    import mxcy.numpy as np

Programs written for NumPy run as they are. Arrays are views of one another where NumPy's are, types and
values follow NumPy 2, and large operations run in parallel, in the background, and fused. What comes from
where is in docs/numpy-coverage.md.
"""

# ruff: noqa: F403 (each module lists what it gives in __all__)

import importlib

from . import (
    _array_api,
    _creation,
    _foreign,
    _gradients,
    _products,
    _reductions,
    _shapes,
    _through,
    _ufuncs,
    emath,
    fft,
    linalg,
    random,
)
from ._array_api import *
from ._creation import *
from ._foreign import *
from ._ndarray import ndarray
from ._products import *
from ._recorded import as_other_face
from ._reductions import *
from ._shapes import *
from ._through import *
from ._ufunc import ufunc
from ._ufuncs import *

__all__ = [
    "emath",
    "fft",
    "linalg",
    "ndarray",
    "random",
    "ufunc",
    *_array_api.__all__,
    *_creation.__all__,
    *_foreign.__all__,
    *_products.__all__,
    *_reductions.__all__,
    *_shapes.__all__,
    *_through.__all__,
    *_ufuncs.__all__,
]

_gradients.give_rules()


# Names of MXNet's `mx.np` that NumPy has dropped since.
_OLD = {
    "NAN": "nan", "NaN": "nan", "PINF": "inf", "alltrue": "all", "in1d": "isin", "product": "prod",
    "round_": "round", "sometrue": "any", "trapz": "trapezoid",
}  # fmt: skip
_OLD_NUMBERS = {"NINF": -_foreign.inf, "NZERO": -0.0, "PZERO": 0.0}


def __getattr__(name):
    # numpy.testing takes longer to import than all of this; the others are rarely wanted.
    if name in ("lib", "testing"):
        return importlib.import_module(f".{name}", __name__)
    if name in ("polynomial", "typing"):  # NumPy's own: they take arrays of ours
        return importlib.import_module(f"numpy.{name}")
    if name in _OLD:
        return globals()[_OLD[name]]
    if name in _OLD_NUMBERS:
        return _OLD_NUMBERS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
