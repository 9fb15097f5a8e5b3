"""Operators by how they are run with bfloat16: more of them in float32, as it has 8 bits of mantissa."""

from __future__ import annotations

from .symbol_fp16 import CONDITIONAL_FP32_FUNCS, LOSS_OUTPUT_FUNCTIONS, known, others
from .symbol_fp16 import WIDEST_TYPE_CASTS as WIDEST_FP16

__all__ = [
    "BF16_FP32_FUNCS",
    "BF16_FUNCS",
    "BF16_USE_FP32_PARAMS",
    "CONDITIONAL_FP32_FUNCS",
    "FP32_FUNCS",
    "LOSS_OUTPUT_FUNCTIONS",
    "WIDEST_TYPE_CASTS",
]

# In bfloat16.
BF16_FUNCS = known("Convolution FullyConnected")

# In whatever dtype their inputs have.
BF16_FP32_FUNCS = known(
    "abs BatchNorm _contrib_BatchNormWithReLU clip Concat LRN Pooling relu _shuffle sqrt square tanh"
    " amp_cast amp_multicast"
)

# Inputs that stay float32, at the places of those that have a name.
BF16_USE_FP32_PARAMS = {
    name: ["", "gamma", "beta", "moving_mean", "moving_var"] for name in ("BatchNormWithReLU", "BatchNorm")
}

# In the widest dtype of their inputs.
WIDEST_TYPE_CASTS = [name for name in WIDEST_FP16
                     if name not in ("Concat", "broadcast_mul") and "_interleaved_" not in name]  # fmt: skip

# In float32.
FP32_FUNCS = others(BF16_FUNCS, BF16_FP32_FUNCS, WIDEST_TYPE_CASTS, CONDITIONAL_FP32_FUNCS)
