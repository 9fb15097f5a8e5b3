"""Checkpoints: a symbol and its parameters in files that MXNet reads and writes too."""

from __future__ import annotations

import importlib
import logging
import os
from typing import Any, NamedTuple

from . import ndarray as nd
from . import symbol as sym
from .errors import ArgumentError, FormatError, message
from .ndarray import NDArray
from .symbol import Symbol

__all__ = ["BatchEndParam", "load_checkpoint", "load_params", "save_checkpoint"]

FORMATS = ("params", "safetensors")


class BatchEndParam(NamedTuple):
    """What a callback at the end of a batch is given.

    `locals` holds the variables of the loop that called it.
    """

    epoch: int
    nbatch: int
    eval_metric: Any
    locals: dict[str, Any] | None


def save_checkpoint(prefix: str, epoch: int, symbol: Symbol | None, arg_params: dict[str, NDArray],
                    aux_params: dict[str, NDArray], remove_amp_cast: bool = True,
                    format: str = "params") -> None:  # fmt: skip
    """Write `prefix-symbol.json` and `prefix-0001.params` (for epoch 1).

    With `format="safetensors"` parameters go to `prefix-0001.safetensors` instead. Each file appears whole
    or not at all; the parameters, whose name a reader waits for, come last.
    """
    if format not in FORMATS:
        raise ArgumentError(message("save_checkpoint", "format", " or ".join(FORMATS), repr(format)))
    path = params_path(prefix, epoch, format)
    if symbol is not None:
        symbol.save(f"{prefix}-symbol.json", remove_amp_cast=remove_amp_cast)
    named = {f"arg:{name}": value for name, value in arg_params.items()}
    named |= {f"aux:{name}": value for name, value in aux_params.items()}
    nd.save(path, named)
    logging.info('Saved checkpoint to "%s"', path)


def load_params(prefix: str, epoch: int) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Return the (arguments, auxiliary states) of `prefix-0001.params` (for epoch 1), by name.

    If there is no such file, those of `prefix-0001.safetensors`.
    """
    path = params_path(prefix, epoch)
    other = params_path(prefix, epoch, "safetensors")
    if not os.path.exists(path) and os.path.exists(other):
        path = other
    loaded = nd.load(path)
    if not loaded:
        logging.warning("Params file '%s' is empty", path)
        return {}, {}
    return split_params(loaded, path)


def load_checkpoint(prefix: str, epoch: int) -> tuple[Symbol, dict[str, NDArray], dict[str, NDArray]]:
    """Return the (symbol, arguments, auxiliary states) of a checkpoint of `save_checkpoint` or of MXNet."""
    symbol = sym.load(f"{prefix}-symbol.json")
    return symbol, *load_params(prefix, epoch)


def __getattr__(name: str) -> Any:
    """`FeedForward` and steps of training loops are of modules, which know this file."""
    if not name.startswith("__"):
        for module in ("feed_forward", "older_loops"):
            found = importlib.import_module(f"mxcy.module.{module}")
            if name in found.__all__:
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def params_path(prefix: str, epoch: int, format: str = "params") -> str:
    return f"{prefix}-{epoch:04d}.{format}"


def split_params(loaded: Any, path: str) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Return arguments and states from arrays named `arg:weight` and `aux:mean`."""
    params: dict[str, dict[str, NDArray]] = {"arg": {}, "aux": {}}
    named: dict[str, Any] = loaded if isinstance(loaded, dict) else {"": None}
    for key, value in named.items():
        kind, _, name = key.partition(":")
        if kind not in params or not name:
            got = f"{key!r}" if key else "arrays without names"
            raise FormatError(message("load_params", path, "names that begin with 'arg:' or 'aux:'", got))
        params[kind][name] = value
    return params["arg"], params["aux"]
