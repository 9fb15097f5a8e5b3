"""`mx.sym.contrib`: operators that MXNet keeps apart, and control flow."""

from ..ops import (
    anchors,
    batch_norm_forms,
    box_coding,
    boxes,
    deformable,
    detection,
    displaced_parts,
    hawkes,
    indexing,
    masking,
    positioned,
    proposals,
    quantization,
    quantized,
    quantized_pairs,
    regions,
    resizing,
    sparse,
    spectra,
)
from ..ops import attention as pairs
from ..ops import contrib as own
from .control_flow import cond, foreach, while_loop
from .function import SymbolFunction
from .op import CTCLoss, arange_like, ctc_loss, isfinite, isinf, isnan
from .zipfian import rand_zipfian

interleaved_matmul_selfatt_qk = SymbolFunction(
    pairs._contrib_interleaved_matmul_selfatt_qk, "interleaved_matmul_selfatt_qk"
)
interleaved_matmul_selfatt_valatt = SymbolFunction(
    pairs._contrib_interleaved_matmul_selfatt_valatt, "interleaved_matmul_selfatt_valatt"
)
interleaved_matmul_encdec_qk = SymbolFunction(
    pairs._contrib_interleaved_matmul_encdec_qk, "interleaved_matmul_encdec_qk"
)
interleaved_matmul_encdec_valatt = SymbolFunction(
    pairs._contrib_interleaved_matmul_encdec_valatt, "interleaved_matmul_encdec_valatt"
)
div_sqrt_dim = SymbolFunction(pairs._contrib_div_sqrt_dim, "div_sqrt_dim")
allclose = SymbolFunction(own._contrib_allclose, "allclose")
gradientmultiplier = SymbolFunction(own._contrib_gradientmultiplier, "gradientmultiplier")
index_array = SymbolFunction(own._contrib_index_array, "index_array")
index_copy = SymbolFunction(own._contrib_index_copy, "index_copy")
quadratic = SymbolFunction(own._contrib_quadratic, "quadratic")
round_ste = SymbolFunction(own._contrib_round_ste, "round_ste")
sign_ste = SymbolFunction(own._contrib_sign_ste, "sign_ste")
AdaptiveAvgPooling2D = SymbolFunction(resizing._contrib_AdaptiveAvgPooling2D, "AdaptiveAvgPooling2D")
BilinearResize2D = SymbolFunction(resizing._contrib_BilinearResize2D, "BilinearResize2D")
ROIAlign = SymbolFunction(regions._contrib_ROIAlign, "ROIAlign")
box_iou = SymbolFunction(boxes._contrib_box_iou, "box_iou")
box_nms = SymbolFunction(boxes._contrib_box_nms, "box_nms")
box_non_maximum_suppression = SymbolFunction(boxes._contrib_box_nms, "box_non_maximum_suppression")
DeformableConvolution = SymbolFunction(deformable._contrib_DeformableConvolution, "DeformableConvolution")
ModulatedDeformableConvolution = SymbolFunction(
    deformable._contrib_ModulatedDeformableConvolution, "ModulatedDeformableConvolution"
)
MultiBoxDetection = SymbolFunction(detection._contrib_MultiBoxDetection, "MultiBoxDetection")
MultiBoxTarget = SymbolFunction(detection._contrib_MultiBoxTarget, "MultiBoxTarget")
bipartite_matching = SymbolFunction(box_coding._contrib_bipartite_matching, "bipartite_matching")
box_decode = SymbolFunction(box_coding._contrib_box_decode, "box_decode")
box_encode = SymbolFunction(box_coding._contrib_box_encode, "box_encode")
Proposal = SymbolFunction(proposals._contrib_Proposal, "Proposal")
MultiProposal = SymbolFunction(proposals._contrib_MultiProposal, "MultiProposal")
PSROIPooling = SymbolFunction(positioned._contrib_PSROIPooling, "PSROIPooling")
DeformablePSROIPooling = SymbolFunction(
    displaced_parts._contrib_DeformablePSROIPooling, "DeformablePSROIPooling"
)
RROIAlign = SymbolFunction(positioned._contrib_RROIAlign, "RROIAlign")
hawkesll = SymbolFunction(hawkes._contrib_hawkesll, "hawkesll")
fft = SymbolFunction(spectra._contrib_fft, "fft")
ifft = SymbolFunction(spectra._contrib_ifft, "ifft")
count_sketch = SymbolFunction(spectra._contrib_count_sketch, "count_sketch")
SyncBatchNorm = SymbolFunction(batch_norm_forms._contrib_SyncBatchNorm, "SyncBatchNorm")
BatchNormWithReLU = SymbolFunction(batch_norm_forms._contrib_BatchNormWithReLU, "BatchNormWithReLU")
quantize = SymbolFunction(quantization._contrib_quantize, "quantize")
quantize_v2 = SymbolFunction(quantization._contrib_quantize_v2, "quantize_v2")
dequantize = SymbolFunction(quantization._contrib_dequantize, "dequantize")
requantize = SymbolFunction(quantization._contrib_requantize, "requantize")
calibrate_entropy = SymbolFunction(quantized_pairs._contrib_calibrate_entropy, "calibrate_entropy")
quantized_act = SymbolFunction(quantized._contrib_quantized_act, "quantized_act")
quantized_batch_norm = SymbolFunction(quantized_pairs._contrib_quantized_batch_norm, "quantized_batch_norm")
quantized_concat = SymbolFunction(quantized_pairs._contrib_quantized_concat, "quantized_concat")
quantized_conv = SymbolFunction(quantized._contrib_quantized_conv, "quantized_conv")
quantized_elemwise_add = SymbolFunction(
    quantized_pairs._contrib_quantized_elemwise_add, "quantized_elemwise_add"
)
quantized_elemwise_mul = SymbolFunction(
    quantized_pairs._contrib_quantized_elemwise_mul, "quantized_elemwise_mul"
)
quantized_embedding = SymbolFunction(quantized._contrib_quantized_embedding, "quantized_embedding")
quantized_flatten = SymbolFunction(quantized._contrib_quantized_flatten, "quantized_flatten")
quantized_fully_connected = SymbolFunction(
    quantized._contrib_quantized_fully_connected, "quantized_fully_connected"
)
quantized_pooling = SymbolFunction(quantized._contrib_quantized_pooling, "quantized_pooling")
MultiBoxPrior = SymbolFunction(anchors._contrib_MultiBoxPrior, "MultiBoxPrior")

SparseEmbedding = SymbolFunction(indexing._contrib_SparseEmbedding, "SparseEmbedding")
edge_id = SymbolFunction(sparse.edge_id, "edge_id")
getnnz = SymbolFunction(sparse.getnnz, "getnnz")
group_adagrad_update = SymbolFunction(sparse.group_adagrad_update, "group_adagrad_update")

boolean_mask = SymbolFunction(masking._contrib_boolean_mask, "boolean_mask")

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
    "boolean_mask",
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
    "box_nms",
    "box_non_maximum_suppression",
    "box_iou",
    "ROIAlign",
    "BilinearResize2D",
    "AdaptiveAvgPooling2D",
    "CTCLoss",
    "allclose",
    "arange_like",
    "cond",
    "ctc_loss",
    "div_sqrt_dim",
    "foreach",
    "gradientmultiplier",
    "index_array",
    "index_copy",
    "interleaved_matmul_encdec_qk",
    "interleaved_matmul_encdec_valatt",
    "interleaved_matmul_selfatt_qk",
    "interleaved_matmul_selfatt_valatt",
    "isfinite",
    "isinf",
    "isnan",
    "quadratic",
    "round_ste",
    "sign_ste",
    "while_loop",
]
