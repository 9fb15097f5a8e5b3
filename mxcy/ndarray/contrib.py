"""`mx.nd.contrib`: operators that MXNet keeps apart, and control flow."""

from ..ops import (
    CTCLoss,
    arange_like,
    ctc_loss,
    isfinite,
    isinf,
    isnan,
)
from ..ops.anchors import _contrib_MultiBoxPrior as MultiBoxPrior
from ..ops.attention import _contrib_div_sqrt_dim as div_sqrt_dim
from ..ops.attention import _contrib_interleaved_matmul_encdec_qk as interleaved_matmul_encdec_qk
from ..ops.attention import _contrib_interleaved_matmul_encdec_valatt as interleaved_matmul_encdec_valatt
from ..ops.attention import _contrib_interleaved_matmul_selfatt_qk as interleaved_matmul_selfatt_qk
from ..ops.attention import _contrib_interleaved_matmul_selfatt_valatt as interleaved_matmul_selfatt_valatt
from ..ops.batch_norm_forms import _contrib_BatchNormWithReLU as BatchNormWithReLU
from ..ops.batch_norm_forms import _contrib_SyncBatchNorm as SyncBatchNorm
from ..ops.box_coding import _contrib_bipartite_matching as bipartite_matching
from ..ops.box_coding import _contrib_box_decode as box_decode
from ..ops.box_coding import _contrib_box_encode as box_encode
from ..ops.boxes import _contrib_box_iou as box_iou
from ..ops.boxes import _contrib_box_nms as box_nms
from ..ops.boxes import _contrib_box_nms as box_non_maximum_suppression
from ..ops.contrib import _contrib_allclose as allclose
from ..ops.contrib import _contrib_gradientmultiplier as gradientmultiplier
from ..ops.contrib import _contrib_index_array as index_array
from ..ops.contrib import _contrib_index_copy as index_copy
from ..ops.contrib import _contrib_quadratic as quadratic
from ..ops.contrib import _contrib_round_ste as round_ste
from ..ops.contrib import _contrib_sign_ste as sign_ste
from ..ops.deformable import _contrib_DeformableConvolution as DeformableConvolution
from ..ops.deformable import _contrib_ModulatedDeformableConvolution as ModulatedDeformableConvolution
from ..ops.detection import _contrib_MultiBoxDetection as MultiBoxDetection
from ..ops.detection import _contrib_MultiBoxTarget as MultiBoxTarget
from ..ops.displaced_parts import _contrib_DeformablePSROIPooling as DeformablePSROIPooling
from ..ops.hawkes import _contrib_hawkesll as hawkesll
from ..ops.indexing import _contrib_SparseEmbedding as SparseEmbedding
from ..ops.masking import _contrib_boolean_mask as boolean_mask
from ..ops.positioned import _contrib_PSROIPooling as PSROIPooling
from ..ops.positioned import _contrib_RROIAlign as RROIAlign
from ..ops.proposals import _contrib_MultiProposal as MultiProposal
from ..ops.proposals import _contrib_Proposal as Proposal
from ..ops.quantization import _contrib_dequantize as dequantize
from ..ops.quantization import _contrib_quantize as quantize
from ..ops.quantization import _contrib_quantize_v2 as quantize_v2
from ..ops.quantization import _contrib_requantize as requantize
from ..ops.quantized import _contrib_quantized_act as quantized_act
from ..ops.quantized import _contrib_quantized_conv as quantized_conv
from ..ops.quantized import _contrib_quantized_embedding as quantized_embedding
from ..ops.quantized import _contrib_quantized_flatten as quantized_flatten
from ..ops.quantized import _contrib_quantized_fully_connected as quantized_fully_connected
from ..ops.quantized import _contrib_quantized_pooling as quantized_pooling
from ..ops.quantized_pairs import _contrib_calibrate_entropy as calibrate_entropy
from ..ops.quantized_pairs import _contrib_quantized_batch_norm as quantized_batch_norm
from ..ops.quantized_pairs import _contrib_quantized_concat as quantized_concat
from ..ops.quantized_pairs import _contrib_quantized_elemwise_add as quantized_elemwise_add
from ..ops.quantized_pairs import _contrib_quantized_elemwise_mul as quantized_elemwise_mul
from ..ops.regions import _contrib_ROIAlign as ROIAlign
from ..ops.resizing import _contrib_AdaptiveAvgPooling2D as AdaptiveAvgPooling2D
from ..ops.resizing import _contrib_BilinearResize2D as BilinearResize2D
from ..ops.sparse import edge_id, getnnz, group_adagrad_update
from ..ops.spectra import _contrib_count_sketch as count_sketch
from ..ops.spectra import _contrib_fft as fft
from ..ops.spectra import _contrib_ifft as ifft
from ._updates import (
    adamw_update,
    mp_adamw_update,
    multi_adamw_update,
    multi_lamb_update,
    multi_mp_adamw_update,
    multi_mp_lamb_update,
)
from .control_flow import cond, foreach, while_loop
from .zipfian import rand_zipfian

__all__ = [
    "calibrate_entropy",
    "quantized_act",
    "quantized_batch_norm",
    "quantized_concat",
    "quantized_conv",
    "quantized_elemwise_add",
    "quantized_elemwise_mul",
    "quantized_embedding",
    "quantized_flatten",
    "quantized_fully_connected",
    "quantized_pooling",
    "quantize",
    "quantize_v2",
    "dequantize",
    "requantize",
    "SparseEmbedding",
    "edge_id",
    "getnnz",
    "rand_zipfian",
    "group_adagrad_update",
    "hawkesll",
    "fft",
    "ifft",
    "count_sketch",
    "SyncBatchNorm",
    "BatchNormWithReLU",
    "Proposal",
    "MultiProposal",
    "PSROIPooling",
    "DeformablePSROIPooling",
    "RROIAlign",
    "DeformableConvolution",
    "ModulatedDeformableConvolution",
    "MultiBoxDetection",
    "MultiBoxPrior",
    "MultiBoxTarget",
    "bipartite_matching",
    "box_decode",
    "box_encode",
    "boolean_mask",
    "box_nms",
    "box_non_maximum_suppression",
    "box_iou",
    "ROIAlign",
    "BilinearResize2D",
    "AdaptiveAvgPooling2D",
    "CTCLoss",
    "ctc_loss",
    "allclose",
    "div_sqrt_dim",
    "gradientmultiplier",
    "index_array",
    "index_copy",
    "interleaved_matmul_encdec_qk",
    "interleaved_matmul_encdec_valatt",
    "interleaved_matmul_selfatt_qk",
    "interleaved_matmul_selfatt_valatt",
    "quadratic",
    "round_ste",
    "sign_ste",
    "arange_like",
    "isfinite",
    "isinf",
    "isnan",
    "cond",
    "foreach",
    "while_loop",
    "adamw_update",
    "mp_adamw_update",
    "multi_adamw_update",
    "multi_lamb_update",
    "multi_mp_adamw_update",
    "multi_mp_lamb_update",
]
