"""MXNet's module paths: `mx.nd.ndarray.array`, `mx.optimizer.optimizer.SGD`, `mxnet.symbol.gen_op`.

Programs import names from the modules in which MXNet defines them. Where mxcy defines a name in another
module, the one that MXNet's programs know finds it there when it is asked for it; and modules that mxcy
has under other names are found under MXNet's, too.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

__all__ = ["also", "find_moved", "names_from"]

# MXNet's module -> ours, or an object in one of ours (`module:attribute`).
MOVED = {
    "contrib.onnx.onnx2mx": "contrib.onnx",
    "contrib.onnx.onnx2mx.import_model": "contrib.onnx",
    "contrib.onnx.onnx2mx.import_to_gluon": "contrib.onnx",
    "gluon.contrib.cnn.conv_layers": "gluon.contrib.cnn",
    "ndarray.numpy": "numpy",
    "ndarray.numpy.linalg": "numpy.linalg",
    "ndarray.numpy.random": "numpy.random",
    "ndarray.numpy_extension": "numpy_extension",
    "ndarray.numpy_extension.image": "ndarray.image",
    "ndarray.numpy_extension.random": "numpy._extension_random",
    "numpy.fallback": "numpy",
    "numpy.function_base": "numpy",
    "numpy.io": "numpy",
    "numpy.multiarray": "numpy",
    "numpy.stride_tricks": "numpy",
    "numpy_extension.image": "image.extension",
    "numpy_extension.random": "numpy._extension_random",
    "numpy_extension.utils": "numpy_extension",
    "onnx.mx2onnx": "onnx",
    "onnx.mx2onnx._export_model": "onnx",
    "symbol.numpy": "numpy._graph_symbols:np",
    "symbol.numpy.linalg": "numpy._graph_symbols:np.linalg",
    "symbol.numpy.random": "numpy._graph_symbols:np.random",
    "symbol.numpy_extension": "numpy._graph_symbols:npx",
    "symbol.numpy_extension.image": "numpy._graph_symbols:npx.image",
    "symbol.numpy_extension.random": "numpy._graph_symbols:npx.random",
}
GENERATED = {"_internal": "_internal", "contrib": "contrib", "image": "image", "linalg": "linalg", "op": "op"}
GENERATED |= {"random": "random", "sparse": "sparse"}
MOVED |= {f"{face}.gen_{made}": f"{face}.{ours}" for face in ("ndarray", "symbol")
          for made, ours in GENERATED.items()}  # fmt: skip


def also(names: str) -> list[str]:
    """Names that a module finds elsewhere, for its `__all__`."""
    return names.split()


def names_from(module: str, *packages: str) -> Callable[[str], Any]:
    """Return a `__getattr__` that finds a module's missing names among those that other modules list.

    A module without `__all__` gives to `from … import *` what the first of them lists.

    >>> import mxcy.optimizer.optimizer
    >>> mxcy.optimizer.optimizer.SGD is mxcy.optimizer.SGD
    True
    """

    def __getattr__(name: str) -> Any:
        if name == "__all__":
            return importlib.import_module(packages[0]).__all__
        if not name.startswith("__"):  # Python asks for modules before it imports them
            for package in packages:
                found = importlib.import_module(package)
                if name in getattr(found, "__all__", vars(found)):
                    return getattr(found, name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return __getattr__


def _seen_in(name: str, found: Any) -> Callable[[str], Any]:
    def __getattr__(attribute: str) -> Any:
        if attribute.startswith("__") and not isinstance(found, ModuleType):
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        return getattr(found, attribute)

    return __getattr__


class _Moved(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules under the names that MXNet has for them; asked after all other finders."""

    def __init__(self, package: str):
        self.prefix = package + "."
        self.specs: dict[str, Any] = {}  # of the modules themselves, which keep theirs

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """See `importlib.abc.MetaPathFinder`."""
        if not name.startswith(self.prefix) or name.removeprefix(self.prefix) not in MOVED:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """See `importlib.abc.Loader`."""
        short = spec.name.removeprefix(self.prefix)
        module, _, attributes = MOVED[short].partition(":")
        found: Any = importlib.import_module(self.prefix + module)
        # Modules inside of it become its attributes, which must not hide ours of the same name.
        is_package = any(name.startswith(short + ".") for name in MOVED)
        if not attributes and not is_package and not getattr(found, "__path__", None):
            self.specs[spec.name] = found.__spec__
            return found
        for attribute in attributes.split(".") if attributes else ():
            found = getattr(found, attribute)
        made = ModuleType(spec.name, f"MXNet's name for {found!r}.")
        made.__getattr__ = _seen_in(spec.name, found)  # type: ignore[method-assign]
        made.__path__ = []  # so that modules inside are not made a second time
        return made

    def exec_module(self, module: ModuleType) -> None:
        """Give a module that was there before its own description back."""
        name = module.__spec__.name  # type: ignore[union-attr]
        module.__spec__ = self.specs.pop(name, module.__spec__)


def find_moved(package: str) -> None:
    """Let modules of a package be imported under MXNet's names for them, too."""
    if not any(type(finder).__name__ == "_Moved" for finder in sys.meta_path):
        sys.meta_path.append(_Moved(package))
