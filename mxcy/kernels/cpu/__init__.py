"""The kernels of the CPU, by name.

Each takes arrays first and options by name, checks shapes and dtypes at the call, returns a new array with
the face of its first operand or writes into `out`, and runs without the GIL. All take every dtype that
makes sense, any strides, and arrays without elements or dimensions; operands may overlap.
"""

from .batch_norm import batch_norm, batch_norm_again, batch_norm_grad
from .bilinear import bilinear_sample, bilinear_sample_grad
from .convolution import convolution, convolution_data_grad, convolution_weight_grad
from .copying import (
    arange,
    astype,
    concat,
    copy,
    eye,
    fill,
    flip,
    full,
    linspace,
    repeat,
    split,
    stack,
    tile,
    where,
)
from .ctc import ctc_loss, ctc_loss_grad
from .indexing import (
    gather_nd,
    index_get,
    index_get_grad,
    index_put,
    nonzero,
    one_hot,
    pick,
    pick_grad,
    scatter_add,
    scatter_nd,
    take,
    take_grad,
)
from .matrices import cholesky, determinant, eigh, inverse, lq, slogdet, solve_triangular
from .padding import pad, pad_grad
from .planes import fold, resample, unfold
from .pooling import pooling, pooling_max_grad, pooling_max_pick, pooling_spread
from .random import (
    philox,
    random_bernoulli,
    random_exponential,
    random_normal,
    random_randint,
    random_uniform,
    shuffle,
)
from .regions import (
    box_overlap,
    roi_align,
    roi_align_grad,
    roi_pool,
    roi_pool_grad,
    suppress,
    suppress_back,
)
from .rnn_cells import rnn_cell, rnn_cell_grad
from .row_norm import channel_sum, lrn, lrn_grad, row_norm, row_norm_grad
from .sampling import multinomial, sample
from .sequence import sequence
from .softmax import (
    log_softmax,
    log_softmax_grad,
    softmax,
    softmax_grad,
    softmax_output,
    softmax_output_grad,
)
from .sorting import argsort, sort, topk, topk_mask

__all__ = [
    "box_overlap",
    "roi_align",
    "roi_align_grad",
    "roi_pool",
    "roi_pool_grad",
    "suppress",
    "suppress_back",
    "unfold",
    "resample",
    "fold",
    "arange",
    "argsort",
    "astype",
    "batch_norm",
    "batch_norm_again",
    "batch_norm_grad",
    "bilinear_sample",
    "bilinear_sample_grad",
    "channel_sum",
    "cholesky",
    "concat",
    "convolution",
    "convolution_data_grad",
    "convolution_weight_grad",
    "copy",
    "ctc_loss",
    "ctc_loss_grad",
    "determinant",
    "eigh",
    "eye",
    "fill",
    "flip",
    "full",
    "gather_nd",
    "index_get",
    "index_get_grad",
    "index_put",
    "inverse",
    "linspace",
    "log_softmax",
    "log_softmax_grad",
    "lq",
    "lrn",
    "lrn_grad",
    "multinomial",
    "nonzero",
    "one_hot",
    "pad",
    "pad_grad",
    "philox",
    "pick",
    "pick_grad",
    "pooling",
    "pooling_max_grad",
    "pooling_max_pick",
    "pooling_spread",
    "random_bernoulli",
    "random_exponential",
    "random_normal",
    "random_randint",
    "random_uniform",
    "repeat",
    "rnn_cell",
    "rnn_cell_grad",
    "row_norm",
    "row_norm_grad",
    "sample",
    "scatter_add",
    "scatter_nd",
    "sequence",
    "shuffle",
    "slogdet",
    "softmax",
    "softmax_grad",
    "softmax_output",
    "softmax_output_grad",
    "solve_triangular",
    "sort",
    "split",
    "stack",
    "take",
    "take_grad",
    "tile",
    "topk",
    "topk_mask",
    "where",
]
