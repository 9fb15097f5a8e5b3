"""Kernels for GPUs: what the CPU's modules hand over when the arrays of an operation are on one.

The functions that users of kernels call are those of `_pointwise`, `_reduce`, `_matmul` and `kernels.cpu`:
they check their arguments and make the results. Where they would push an operation over arrays on a GPU,
they call this package instead, with the same operands and parameters. An operation of which there is no
kernel here raises an error that names it; only those in `ON_HOST` are computed by the CPU, at once.
"""

from .dispatch import ON_HOST, launch
from .products import matmul
from .reduction import arg_reduce, reduce
from .scan import accumulate

__all__ = ["ON_HOST", "accumulate", "arg_reduce", "launch", "matmul", "reduce"]
