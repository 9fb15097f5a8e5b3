"""Automatic mixed precision: products in half precision, what is delicate in float32."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...errors import ArgumentTypeError, StateError, message, problem
from ...gluon import Trainer
from .convert import low_dtype, rules_of
from .loss_scaler import LossScaler
from .wrap import wrap_functions

__all__ = [
    "init",
    "init_trainer",
    "list_conditional_fp32_ops",
    "list_fp32_ops",
    "list_loss_output_functions",
    "list_lp16_fp32_ops",
    "list_lp16_ops",
    "list_lp16_use_fp32_params",
    "list_widest_type_cast",
    "scale_loss",
    "unscale",
]

_scaler: LossScaler | None = None  # set by `init`; given to the first trainer
_given = False
_amp_initialized = False  # libraries on top of MXNet ask for it


def init(target_dtype: Any = "float16", target_precision_ops: list | None = None,
         conditional_fp32_ops: list | None = None, fp32_ops: list | None = None) -> None:  # fmt: skip
    """Switch mixed precision on, for the rest of the process; before networks are made.

        amp.init()
        trainer = gluon.Trainer(...)
        amp.init_trainer(trainer)
        with autograd.record():
            loss = ...
            with amp.scale_loss(loss, trainer) as scaled:
                autograd.backward(scaled)
        trainer.step(batch_size)

    Parameters
    ----------
    target_dtype : "float16", for GPUs, or "bfloat16", for processors. Arrays are cast where the device is
        of that kind; graphs are cast in any case.
    target_precision_ops, conditional_fp32_ops, fp32_ops : see `convert_symbol`.
    """
    global _scaler, _amp_initialized
    dtype = low_dtype("init", target_dtype)
    if _scaler is not None:
        return
    logging.info("Using AMP")
    rules = rules_of(dtype)
    rules = rules._replace(
        low=rules.low if target_precision_ops is None else target_precision_ops,
        single=rules.single if fp32_ops is None else fp32_ops,
        conditional=rules.conditional if conditional_fp32_ops is None else conditional_fp32_ops,
    )
    _scaler, _amp_initialized = LossScaler(), True
    wrap_functions(rules, dtype, _scaler)


def init_trainer(optimizer_or_trainer: Any) -> None:
    """Let a Trainer scale losses, and leave out steps whose gradients are not finite."""
    global _given
    if _scaler is None:
        raise StateError(problem("init_trainer", None, "AMP is not initialized", "call amp.init() before"))
    _check_trainer("init_trainer", optimizer_or_trainer)
    optimizer_or_trainer._amp_loss_scaler = LossScaler() if _given else _scaler
    optimizer_or_trainer._amp_original_scale = optimizer_or_trainer._scale
    _given = True


def _check_trainer(call: str, trainer: Any) -> None:
    if not isinstance(trainer, Trainer):
        got = type(trainer).__name__
        raise ArgumentTypeError(message(call, "optimizer_or_trainer", "a gluon.Trainer", got))


@contextmanager
def scale_loss(loss: Any, optimizer_or_trainer: Any) -> Iterator[Any]:
    """In a `with` statement: the loss, or a list of losses, times the factor by which the step divides."""
    trainer = optimizer_or_trainer
    scaler = getattr(trainer, "_amp_loss_scaler", None)
    if scaler is None:
        hint = "call amp.init_trainer() before"
        raise StateError(problem("scale_loss", None, "the loss scaler is not initialized", hint))
    trainer._scale = trainer._amp_original_scale / scaler.loss_scale
    if isinstance(loss, (list, tuple)):
        yield [part * scaler.loss_scale for part in loss]
    else:
        yield loss * scaler.loss_scale


def unscale(optimizer_or_trainer: Any) -> None:
    """Divide the gradients by the factor now, to look at them or to clip them before the step."""
    _check_trainer("unscale", optimizer_or_trainer)
    for parameter in optimizer_or_trainer._params:
        if parameter.grad_req != "null":
            for gradient in parameter.list_grad():
                gradient *= optimizer_or_trainer._scale
    optimizer_or_trainer._scale = 1.0


def list_lp16_ops(target_dtype: Any) -> list[str]:
    """Return the operators that run in half precision."""
    return rules_of(target_dtype).low


def list_fp32_ops(target_dtype: Any) -> list[str]:
    """Return the operators that run in float32."""
    return rules_of(target_dtype).single


def list_lp16_fp32_ops(target_dtype: Any) -> list[str]:
    """Return the operators that run in the dtype of their inputs."""
    return rules_of(target_dtype).either


def list_conditional_fp32_ops(target_dtype: Any) -> list[tuple[str, str, list[str]]]:
    """Return (operator, argument, values) of those that run in float32 for these values."""
    return rules_of(target_dtype).conditional


def list_widest_type_cast(target_dtype: Any) -> list[str]:
    """Return the operators that run in the widest dtype of their inputs."""
    return rules_of(target_dtype).widest


def list_loss_output_functions(target_dtype: Any) -> list[str]:
    """Return the losses whose gradient is scaled by `grad_scale`."""
    return rules_of(target_dtype).losses


def list_lp16_use_fp32_params(target_dtype: Any) -> dict[str, list[str]] | None:
    """Return the names of inputs that stay float32, by operator; None if there are none."""
    return rules_of(target_dtype).single_params or None
