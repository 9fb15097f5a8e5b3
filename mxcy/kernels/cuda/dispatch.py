"""Kernels by the name under which the CPU's modules launch theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import ArgumentError, problem
from . import (
    batch_norm,
    convolution,
    copying,
    indexing,
    pooling,
    random,
    row_norm,
    sequence,
    softmax,
    sorting,
)

__all__ = ["ON_HOST", "launch"]

# name -> function(outputs, inputs, parameters): `parameters` are the bytes of the structure that the CPU's
# kernel takes.
KERNELS: dict[str, Callable[[list, list, bytes], Any]] = {
    **batch_norm.KERNELS,
    **convolution.KERNELS,
    **copying.KERNELS,
    **indexing.KERNELS,
    **pooling.KERNELS,
    **random.KERNELS,
    **row_norm.KERNELS,
    **sequence.KERNELS,
    **softmax.KERNELS,
    **sorting.KERNELS,
}


# Rare operations that the host computes, at once, on copies: matrix decompositions, and samplers whose
# numbers of draws depend on their values. `_launch` asks for them.
ON_HOST = frozenset(
    (
        "cholesky",
        "determinant",
        "eigh",
        "inverse",
        "lq",
        "multinomial",
        "sample",
        "slogdet",
        "solve_triangular",
    )
)


def launch(name: str, outputs: list, inputs: list, parameters: bytes, updates: bool) -> None:
    """Run a kernel of this name over arrays on a GPU (`copy`: also from and to the CPU)."""
    kernel = KERNELS.get(name)
    if kernel is None:
        text = "the operator has no GPU kernel"
        raise ArgumentError(problem(name, None, text, "copy the arrays to mx.cpu() for it"))
    kernel(outputs, inputs, parameters)
