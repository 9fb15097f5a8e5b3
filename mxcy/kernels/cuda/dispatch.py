"""Kernels by the name under which the CPU's modules launch theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import ArgumentError, problem
from . import (
    batch_norm,
    convolution,
    copying,
    ctc,
    indexing,
    pooling,
    random,
    rnn_cells,
    row_norm,
    scattering,
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
    **ctc.KERNELS,
    **indexing.KERNELS,
    **pooling.KERNELS,
    **random.KERNELS,
    **rnn_cells.KERNELS,
    **row_norm.KERNELS,
    **scattering.KERNELS,
    **sequence.KERNELS,
    **softmax.KERNELS,
    **sorting.KERNELS,
}


# Rare operations that the host computes, at once, on copies: matrix decompositions, samplers whose numbers of
# draws depend on their values, detection and resampling of images, parts of sparse arrays, what passes make
# for processors alone. `_launch` asks for them.
_RARE = """BilinearSampler BilinearSampler_backward BilinearSampler_corners Correlation Correlation_backward
DeformableConvolution DeformableConvolution_backward DeformableConvolution_corners DeformablePSROIPooling
DeformablePSROIPooling_backward DeformablePSROIPooling_corners MultiBoxDetection MultiBoxTarget PSROIPooling
PSROIPooling_backward Proposal ROIAlign ROIAlign_backward ROIPooling ROIPooling_backward RROIAlign
RROIAlign_backward bipartite_matching box_decode box_encode box_iou box_nms box_nms_backward cholesky col2im
convolutions corner_products csr_back_product csr_count csr_dense csr_fill csr_merge csr_merge_count
csr_product csr_transpose determinant eigh gather_corners gather_rows hawkesll hawkesll_backward
hawkesll_second im2col image_hue image_resize inverse lq multinomial pack_filters resample sample
scatter_corners slogdet solve_triangular"""
ON_HOST = frozenset(_RARE.split())


def launch(name: str, outputs: list, inputs: list, parameters: bytes, updates: bool) -> None:
    """Run a kernel of this name over arrays on a GPU (`copy`: also from and to the CPU)."""
    kernel = KERNELS.get(name)
    if kernel is None:
        text = "the operator has no GPU kernel"
        raise ArgumentError(problem(name, None, text, "copy the arrays to mx.cpu() for it"))
    kernel(outputs, inputs, parameters)
