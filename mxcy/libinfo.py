"""`mx.libinfo`: the version, where MXNet's programs look for it."""

from __future__ import annotations

from pathlib import Path

from . import __version__

__all__ = ["__version__", "find_include_path", "find_lib_path"]


def find_lib_path(prefix: str = "_engine") -> list[str]:
    """Return the paths of the compiled modules whose names begin with a prefix."""
    return sorted(map(str, Path(__file__).parent.glob(f"{prefix}*.so")))


def find_include_path() -> str:
    """Return the folder of the engine's C++ headers."""
    return str(Path(__file__).parent / "native")
