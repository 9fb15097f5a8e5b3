"""Files of trained parameters on this machine; nothing is downloaded."""

from __future__ import annotations

import glob
import os
from typing import Any

from ...errors import ArgumentError, message, problem, wrap

__all__ = ["get_model_file", "short_hash", "with_parameters"]

# Hashes of the files of models by name: libraries that were written for MXNet add theirs.
_model_sha1: dict[str, str] = {}


def short_hash(name: str) -> str:
    """Return the first eight digits of the hash of a model's file; raise ArgumentError if none is known."""
    if name not in _model_sha1:
        raise ArgumentError(message("short_hash", "name", "a model with a known hash", repr(name)))
    return _model_sha1[name][:8]


def get_model_file(name: str, root: str | None = None) -> str:
    """Return the path of `name.params`, or `name-<hash>.params` as MXNet calls it, in a folder.

    The folder is `~/.mxnet/models` by default. Raises FileNotFoundError, which is an MXNetError too, if
    there is no such file.
    """
    folder = os.path.expanduser(root or os.path.join("~", ".mxnet", "models"))
    found = sorted(glob.glob(os.path.join(glob.escape(folder), f"{glob.escape(name)}.params")))
    found += sorted(glob.glob(os.path.join(glob.escape(folder), f"{glob.escape(name)}-*.params")))
    if not found:
        text = f"there is no file {name}.params in {folder!r}, and nothing is downloaded"
        told = problem("model_zoo", "pretrained", text, "put the file there, or set root")
        raise wrap(FileNotFoundError(told))
    return found[0]


def with_parameters(net: Any, name: str, pretrained: bool = False, ctx: Any = None,
                    root: str | None = None) -> Any:  # fmt: skip
    """Return a network, with trained parameters if wanted."""
    if pretrained:
        net.load_parameters(get_model_file(name, root), ctx=ctx)
    return net
