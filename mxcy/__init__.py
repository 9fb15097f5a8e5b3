"""mxcy: the arrays, graphs and training of MXNet on a small Cython engine.

    import mxcy as mx

Submodules are imported when they are first used, so `import mxcy` costs little more than `import numpy`.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from ._paths import find_moved
from .base import MXNetError
from .context import (
    Context,
    cpu,
    cpu_pinned,
    current_context,
    gpu,
    gpu_memory_info,
    num_gpus,
)

if TYPE_CHECKING:
    from . import (
        attribute,
        autograd,
        base,
        callback,
        context,
        contrib,
        engine,
        error,
        executor,
        gluon,
        image,
        initializer,
        io,
        kvstore,
        libinfo,
        library,
        log,
        lr_scheduler,
        metric,
        model,
        module,
        monitor,
        name,
        ndarray,
        ndarray_doc,
        numpy,
        numpy_extension,
        onnx,
        optimizer,
        profiler,
        random,
        registry,
        rnn,
        rtc,
        runtime,
        symbol,
        symbol_doc,
        test_utils,
        util,
        visualization,
    )
    from . import image as img
    from . import initializer as init
    from . import kvstore as kv
    from . import module as mod
    from . import monitor as mon
    from . import ndarray as nd
    from . import numpy as np
    from . import numpy_extension as npx
    from . import random as rnd
    from . import symbol as sym
    from . import visualization as viz
    from .attribute import AttrScope
    from .numpy._gradients import register_ufunc

# The version of MXNet whose interface this is: programs compare it to find out what they can use.
__version__ = "1.9.1"
__release__ = "0.1.0"  # the version of the package

# Public name -> (module, attribute of it or None for the module itself).
_LAZY: dict[str, tuple[str, str | None]] = {
    "attribute": ("attribute", None),
    "autograd": ("autograd", None),
    "callback": ("callback", None),
    "contrib": ("contrib", None),
    "engine": ("engine", None),
    "error": ("error", None),
    "executor": ("executor", None),
    "executor_manager": ("executor_manager", None),
    "gluon": ("gluon", None),
    "image": ("image", None),
    "img": ("image", None),
    "init": ("initializer", None),
    "initializer": ("initializer", None),
    "io": ("io", None),
    "kv": ("kvstore", None),
    "kvstore": ("kvstore", None),
    "libinfo": ("libinfo", None),
    "library": ("library", None),
    "log": ("log", None),
    "lr_scheduler": ("lr_scheduler", None),
    "metric": ("metric", None),
    "mod": ("module", None),
    "model": ("model", None),
    "module": ("module", None),
    "mon": ("monitor", None),
    "monitor": ("monitor", None),
    "name": ("name", None),
    "nd": ("ndarray", None),
    "ndarray": ("ndarray", None),
    "ndarray_doc": ("ndarray_doc", None),
    "np": ("numpy", None),
    "npx": ("numpy_extension", None),
    "numpy": ("numpy", None),
    "numpy_extension": ("numpy_extension", None),
    "onnx": ("onnx", None),
    "operator": ("operator", None),
    "opt": ("optimizer", None),
    "optimizer": ("optimizer", None),
    "profiler": ("profiler", None),
    "random": ("random", None),
    "recordio": ("recordio", None),
    "registry": ("registry", None),
    "rnd": ("random", None),
    "rnn": ("rnn", None),
    "rtc": ("rtc", None),
    "runtime": ("runtime", None),
    "sym": ("symbol", None),
    "symbol": ("symbol", None),
    "symbol_doc": ("symbol_doc", None),
    "test_utils": ("test_utils", None),
    "util": ("util", None),
    "visualization": ("visualization", None),
    "viz": ("visualization", None),
    "AttrScope": ("attribute", "AttrScope"),
    "register_ufunc": ("numpy._gradients", "register_ufunc"),
    "is_np_array": ("util", "is_np_array"),
    "is_np_shape": ("util", "is_np_shape"),
    "np_array": ("util", "np_array"),
    "np_shape": ("util", "np_shape"),
    "set_np_shape": ("util", "set_np_shape"),
    "use_np": ("util", "use_np"),
    "use_np_array": ("util", "use_np_array"),
    "use_np_shape": ("util", "use_np_shape"),
}

# Modules of MXNet that have no place here, and what to use instead.
_REFUSED = {
    "notebook": "charts come from mx.contrib.tensorboard, tables from your own callbacks",
    "th": "Torch 7 is gone: pass arrays to PyTorch by DLPack",
    "torch": "Torch 7 is gone: pass arrays to PyTorch by DLPack",
}

__all__ = [
    "Context",
    "MXNetError",
    "base",
    "context",
    "cpu",
    "cpu_pinned",
    "current_context",
    "gpu",
    "gpu_memory_info",
    "num_gpus",
    *_LAZY,
]

find_moved(__name__)
if os.environ.get("MXNET_PROFILER_AUTOSTART") == "1":
    importlib.import_module(".profiler", __name__).autostart()


def __getattr__(name: str) -> object:
    try:
        module, attribute = _LAZY[name]
    except KeyError:
        if name.startswith("_"):  # Python asks for modules before it imports them
            raise AttributeError(f"module 'mxcy' has no attribute {name!r}") from None
        from .errors import closest

        if name in _REFUSED:
            text = f"module 'mxcy' has no attribute {name!r}; {_REFUSED[name]}"
            raise AttributeError(text) from None
        near = closest(name, __all__)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise AttributeError(f"module 'mxcy' has no attribute {name!r}{hint}") from None
    value = importlib.import_module(f".{module}", __name__)
    if attribute is not None:
        value = getattr(value, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
