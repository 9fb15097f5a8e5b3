"""Operators by how they are run with float16. Names that no operator here has are left out."""

from __future__ import annotations

from ....ops import REGISTRY

__all__ = [
    "CONDITIONAL_FP32_FUNCS",
    "FP16_FP32_FUNCS",
    "FP16_FUNCS",
    "FP32_FUNCS",
    "LOSS_OUTPUT_FUNCTIONS",
    "WIDEST_TYPE_CASTS",
]


def known(names: str) -> list[str]:
    """The names in a text that are those of operators."""
    return [name for name in names.split() if name in REGISTRY]


# In float16: products, which gain most.
FP16_FUNCS = known("Convolution Deconvolution FullyConnected RNN")

# In float32, because float16 overflows or is too coarse: powers and exponentials, sums, norms, linear
# algebra, losses, and positions of elements.
FP32_FUNCS = known("""
    arccos arcsin cosh erfinv sinh tan arctanh exp expm1 log log10 log2 log1p broadcast_power square
    reciprocal rsqrt rcbrt _rdiv_scalar _power _power_scalar _rpower_scalar _hypot _hypot_scalar
    broadcast_hypot gamma gammaln
    sum nansum prod nanprod mean norm softmin moments khatri_rao _square_sum softmax log_softmax
    _linalg_gelqf _linalg_gemm _linalg_gemm2 _linalg_potrf _linalg_potri _linalg_sumlogdiag _linalg_syevd
    _linalg_syrk _linalg_trmm _linalg_trsm _linalg_makediag _linalg_extractdiag _linalg_maketrian
    _linalg_extracttrian _linalg_inverse _linalg_det _linalg_slogdet
    InstanceNorm LayerNorm GroupNorm L2Normalization LRN SoftmaxActivation _contrib_SyncBatchNorm
    SoftmaxOutput LinearRegressionOutput LogisticRegressionOutput MAERegressionOutput SVMOutput
    softmax_cross_entropy smooth_l1 MakeLoss make_loss CTCLoss _contrib_hawkesll
    argsort topk Custom Convolution_v1 IdentityAttachKLSparseReg _contrib_MultiBoxDetection
    _contrib_MultiBoxPrior _contrib_MultiBoxTarget _contrib_count_sketch _contrib_fft
    _contrib_DeformableConvolution _contrib_DeformablePSROIPooling
""")

# In float32 for some values of an argument: (operator, argument, values).
CONDITIONAL_FP32_FUNCS = [
    ("Activation", "act_type", ["softrelu"]),
    ("LeakyReLU", "act_type", ["elu", "selu"]),
]

# In the widest dtype of their inputs.
WIDEST_TYPE_CASTS = known("""
    elemwise_add elemwise_sub elemwise_mul elemwise_div _scatter_elemwise_div _grad_add
    broadcast_add broadcast_sub broadcast_mul broadcast_div broadcast_mod broadcast_maximum broadcast_minimum
    broadcast_equal broadcast_not_equal broadcast_greater broadcast_greater_equal broadcast_lesser
    broadcast_lesser_equal broadcast_logical_and broadcast_logical_or broadcast_logical_xor
    _mod _maximum _minimum _equal _not_equal _greater _greater_equal _lesser _lesser_equal _logical_and
    _logical_or _logical_xor
    Concat Correlation add_n ElementWiseSum batch_dot dot stack where
    _contrib_MultiProposal _contrib_PSROIPooling _contrib_Proposal _contrib_ROIAlign _contrib_box_iou
    _contrib_box_nms _contrib_interleaved_matmul_encdec_qk _contrib_interleaved_matmul_encdec_valatt
    _contrib_interleaved_matmul_selfatt_qk _contrib_interleaved_matmul_selfatt_valatt
    _random_pdf_gamma _random_pdf_exponential _random_pdf_uniform _random_pdf_negative_binomial
    _random_pdf_generalized_negative_binomial _random_pdf_dirichlet _random_pdf_normal _random_pdf_poisson
""")

# Losses whose gradient is scaled by `grad_scale`.
LOSS_OUTPUT_FUNCTIONS = known(
    "SoftmaxOutput LinearRegressionOutput LogisticRegressionOutput MAERegressionOutput"
)


def others(*lists: list) -> list[str]:
    """Operators that are in none of the lists."""
    taken = {name if isinstance(name, str) else name[0] for names in lists for name in names}
    return [name for name in REGISTRY if name not in taken]


# In whatever dtype their inputs have.
FP16_FP32_FUNCS = others(FP16_FUNCS, FP32_FUNCS, CONDITIONAL_FP32_FUNCS, WIDEST_TYPE_CASTS)
