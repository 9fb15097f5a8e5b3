"""MXNet's module paths: `mx.nd.ndarray.array`, `mx.optimizer.optimizer.SGD`.

Programs import names from the modules in which MXNet defines them. Where mxcy defines a name in another
module, the one that MXNet's programs know finds it there when it is asked for it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

__all__ = ["names_from"]


def names_from(module: str, *packages: str) -> Callable[[str], Any]:
    """Return a `__getattr__` that finds a module's missing names among those that other modules list.

    >>> import mxcy.optimizer.optimizer
    >>> mxcy.optimizer.optimizer.SGD is mxcy.optimizer.SGD
    True
    """

    def __getattr__(name: str) -> Any:
        if not name.startswith("__"):  # Python asks for modules before it imports them
            for package in packages:
                found = importlib.import_module(package)
                if name in getattr(found, "__all__", vars(found)):
                    return getattr(found, name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return __getattr__
