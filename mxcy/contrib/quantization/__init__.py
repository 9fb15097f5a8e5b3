"""`mx.contrib.quantization`: networks on bytes of networks on real numbers.

    qsym, qarg_params, aux_params = quantize_model(sym, arg_params, aux_params, calib_mode="naive",
                                                   calib_data=batches)
    qnet = quantize_net(net, calib_mode="entropy", calib_data=loader)
"""

from ...context import Context, cpu
from .model import (
    calib_graph,
    quantize_graph,
    quantize_model,
    quantize_model_mkldnn,
    quantize_net,
    quantize_net_v2,
)

__all__ = [
    "Context",
    "calib_graph",
    "cpu",
    "quantize_graph",
    "quantize_model",
    "quantize_model_mkldnn",
    "quantize_net",
    "quantize_net_v2",
]
