"""Checkpoints with an array for each gate, which fused and single cells read alike."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ..model import load_checkpoint, save_checkpoint
from .cells import BaseRNNCell

__all__ = ["do_rnn_checkpoint", "load_rnn_checkpoint", "rnn_unroll", "save_rnn_checkpoint"]


def as_cells(cells: Any) -> list[BaseRNNCell]:
    """One cell or several as a list."""
    return [cells] if isinstance(cells, BaseRNNCell) else list(cells)


def rnn_unroll(cell: BaseRNNCell, length: int, inputs: Any = None, begin_state: Any = None,
               input_prefix: str = "", layout: str = "NTC") -> tuple[Any, list]:  # fmt: skip
    """Unroll a cell; deprecated in MXNet: call `cell.unroll`."""
    warnings.warn("rnn_unroll is deprecated. Please call cell.unroll directly.", stacklevel=2)
    return cell.unroll(length, inputs, begin_state, layout)


def save_rnn_checkpoint(cells: Any, prefix: str, epoch: int, symbol: Any, arg_params: dict,
                        aux_params: dict) -> None:  # fmt: skip
    """Write a checkpoint with an array for each gate of the cells."""
    for cell in as_cells(cells):
        arg_params = cell.unpack_weights(arg_params)
    save_checkpoint(prefix, epoch, symbol, arg_params, aux_params)


def load_rnn_checkpoint(cells: Any, prefix: str, epoch: int) -> tuple[Any, dict, dict]:
    """Return (symbol, arguments, auxiliary states) of `save_rnn_checkpoint`, packed for the cells."""
    symbol, args, auxs = load_checkpoint(prefix, epoch)
    for cell in as_cells(cells):
        args = cell.pack_weights(args)
    return symbol, args, auxs


def do_rnn_checkpoint(cells: Any, prefix: str, period: int = 1) -> Callable:
    """Return an epoch-end callback that calls `save_rnn_checkpoint` every `period` epochs."""
    period = max(1, int(period))

    def save(iter_no: int, sym: Any = None, arg: Any = None, aux: Any = None) -> None:
        if (iter_no + 1) % period == 0:
            save_rnn_checkpoint(cells, prefix, iter_no + 1, sym, arg, aux)

    return save
