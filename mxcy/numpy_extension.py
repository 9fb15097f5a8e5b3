"""`mx.npx`: what neural networks need beyond NumPy, on arrays of `mx.np`; and MXNet's switches for them."""

from __future__ import annotations

import importlib

from . import ops
from ._engine import waitall
from .context import cpu, cpu_pinned, current_context, gpu, gpu_memory_info, num_gpus
from .numpy import _extension_random as random
from .numpy._extensions import (
    constraint_check,
    load,
    masked_log_softmax,
    masked_softmax,
    nonzero,
    reshape,
    save,
)
from .ops import anchors, detection
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

__path__: list[str] = []  # MXNet has modules inside, which are found elsewhere
__all__ = [
    "activation", "arange_like", "batch_dot", "batch_flatten", "batch_norm", "cast", "constraint_check",
    "convolution", "cpu", "cpu_pinned", "ctc_loss", "current_context", "deconvolution", "dropout",
    "embedding", "erf", "erfinv", "fully_connected", "gamma", "gammaln", "gather_nd", "gpu",
    "gpu_memory_info", "group_norm", "instance_norm", "is_np_array", "is_np_shape", "l2_normalization",
    "layer_norm", "leaky_relu", "load", "log_softmax", "masked_log_softmax", "masked_softmax",
    "multibox_detection", "multibox_prior", "multibox_target", "nonzero", "np_array", "np_shape",
    "num_gpus", "one_hot", "pick", "pooling", "random", "relu", "reset_np", "reshape", "reshape_like",
    "rnn", "roi_pooling", "save", "sequence_last", "sequence_mask", "sequence_reverse", "set_np",
    "set_np_shape", "shape_array", "sigmoid", "slice", "smooth_l1", "softmax", "softmin", "stop_gradient",
    "topk", "use_np", "use_np_array", "use_np_shape", "waitall",
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
multibox_detection = detection._contrib_MultiBoxDetection
multibox_prior = anchors._contrib_MultiBoxPrior
multibox_target = detection._contrib_MultiBoxTarget

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
shape_array = ops.shape_array
slice = ops.slice
topk = ops.topk


def __getattr__(name):
    if name == "image":  # it takes long to import, and is above this module
        return importlib.import_module("mxcy.image.extension")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
