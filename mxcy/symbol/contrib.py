"""`mx.sym.contrib`: operators that MXNet keeps apart, and control flow."""

from ..ops import anchors, boxes, regions, resizing
from ..ops import attention as pairs
from ..ops import contrib as own
from .control_flow import cond, foreach, while_loop
from .function import SymbolFunction
from .op import CTCLoss, arange_like, ctc_loss, isfinite, isinf, isnan

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
MultiBoxPrior = SymbolFunction(anchors._contrib_MultiBoxPrior, "MultiBoxPrior")

__all__ = [
    "MultiBoxPrior",
    "box_nms",
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
