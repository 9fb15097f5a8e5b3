"""`mx.npx`: what neural networks need beyond NumPy, on arrays of `mx.np`; and MXNet's switches for them."""

from __future__ import annotations

from . import ops
from ._engine import waitall
from .context import cpu, cpu_pinned, current_context, gpu, gpu_memory_info, num_gpus
from .ops import anchors
from .switches import (
    is_np_array,
    is_np_shape,
    np_array,
    np_shape,
    reset_np,
    set_np,
    set_np_shape,
    use_np,
    use_np_array,
    use_np_shape,
)

__all__ = [
    "activation", "arange_like", "batch_dot", "batch_flatten", "batch_norm", "cast", "convolution", "cpu",
    "cpu_pinned", "ctc_loss", "current_context", "deconvolution", "dropout", "embedding", "erf", "erfinv",
    "fully_connected", "gamma", "gammaln", "gather_nd", "gpu", "gpu_memory_info", "group_norm",
    "instance_norm", "is_np_array", "is_np_shape", "l2_normalization", "layer_norm", "leaky_relu",
    "log_softmax", "multibox_prior", "np_array", "np_shape", "num_gpus", "one_hot", "pick", "pooling",
    "relu", "reset_np", "reshape_like", "rnn", "roi_pooling", "sequence_last", "sequence_mask",
    "sequence_reverse", "set_np", "set_np_shape", "sigmoid", "slice", "smooth_l1", "softmax", "softmin",
    "stop_gradient", "topk", "use_np", "use_np_array", "use_np_shape", "waitall",
]  # fmt: skip


# Layers.
activation = ops.Activation
batch_norm = ops.BatchNorm
convolution = ops.Convolution
ctc_loss = ops.CTCLoss
deconvolution = ops.Deconvolution
dropout = ops.Dropout
embedding = ops.Embedding
fully_connected = ops.FullyConnected
group_norm = ops.GroupNorm
instance_norm = ops.InstanceNorm
l2_normalization = ops.L2Normalization
layer_norm = ops.LayerNorm
leaky_relu = ops.LeakyReLU
pooling = ops.Pooling
rnn = ops.RNN
roi_pooling = ops.ROIPooling
multibox_prior = anchors._contrib_MultiBoxPrior

# Elements.
cast = ops.cast
erf = ops.erf
erfinv = ops.erfinv
gamma = ops.gamma
gammaln = ops.gammaln
log_softmax = ops.log_softmax
relu = ops.relu
sigmoid = ops.sigmoid
smooth_l1 = ops.smooth_l1
softmax = ops.softmax
softmin = ops.softmin
stop_gradient = ops.BlockGrad

# Choice and shapes.
arange_like = ops.arange_like
batch_dot = ops.batch_dot
batch_flatten = ops.Flatten
gather_nd = ops.gather_nd
one_hot = ops.one_hot
pick = ops.pick
reshape_like = ops.reshape_like
sequence_last = ops.SequenceLast
sequence_mask = ops.SequenceMask
sequence_reverse = ops.SequenceReverse
slice = ops.slice
topk = ops.topk
