"""The operators: one list of what `mxcy.nd` and `mxcy.sym` offer, under MXNet's names.

`PUBLIC` maps each public name to its operator (or to the function that chooses one by its operands);
`lookup` finds operators by name, hidden ones and MXNet's aliases included.
"""

from . import (
    attention,
    contrib,
    densities,
    matrices,
    optimizer,
    optimizer_multi,
    places,
    random_sampling,
    rectified,
    together,
    triangles,
)
from ._attributes import Attributes
from ._binary import BinaryFunction
from ._elementwise import Elementwise, wrap_scalar
from ._operator import REGISTRY, Operator
from .activation import (
    Activation,
    hard_sigmoid,
    relu,
    sigmoid,
    smooth_l1,
    softsign,
)
from .activation import (
    Activation as activation,
)
from .aliases import (
    ALIASES,
    lookup,
)
from .arithmetic import (
    add,
    add_n,
    broadcast_add,
    broadcast_div,
    broadcast_hypot,
    broadcast_maximum,
    broadcast_minimum,
    broadcast_mod,
    broadcast_mul,
    broadcast_power,
    broadcast_sub,
    divide,
    hypot,
    maximum,
    minimum,
    modulo,
    multiply,
    power,
    subtract,
)
from .arithmetic import (
    add_n as ElementWiseSum,
)
from .arithmetic import (
    broadcast_add as broadcast_plus,
)
from .arithmetic import (
    broadcast_sub as broadcast_minus,
)
from .batch_norm import BatchNorm, BatchNorm_v1
from .checks import switch_on as check_positions
from .comparison import (
    broadcast_equal,
    broadcast_greater,
    broadcast_greater_equal,
    broadcast_lesser,
    broadcast_lesser_equal,
    broadcast_not_equal,
    equal,
    greater,
    greater_equal,
    lesser,
    lesser_equal,
    not_equal,
)
from .convolution import Convolution, Deconvolution
from .convolution import Convolution as Convolution_v1
from .correlation import Correlation
from .creation import (
    arange_like,
    ones_like,
    zeros_like,
)
from .ctc import CTCLoss
from .ctc import CTCLoss as ctc_loss
from .custom import Custom
from .exponential import (
    cbrt,
    digamma,
    erf,
    erfinv,
    exp,
    expm1,
    gamma,
    gammaln,
    log,
    log1p,
    log2,
    log10,
    rcbrt,
    reciprocal,
    rsqrt,
    sqrt,
    square,
)
from .indexing import (
    Embedding,
    batch_take,
    gather_nd,
    one_hot,
    pick,
    scatter_nd,
    take,
    where,
)
from .indexing import (
    pick as choose_element_0index,
)
from .khatri_rao import khatri_rao
from .leaky import (
    LeakyReLU,
)
from .linalg import (
    batch_dot,
    dot,
    linalg_gemm,
    linalg_gemm2,
)
from .logic import (
    broadcast_logical_and,
    broadcast_logical_or,
    broadcast_logical_xor,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
)
from .losses import (
    BlockGrad,
    LinearRegressionOutput,
    LogisticRegressionOutput,
    MAERegressionOutput,
    MakeLoss,
    SoftmaxOutput,
    make_loss,
    softmax_cross_entropy,
)
from .losses import (
    BlockGrad as stop_gradient,
)
from .losses import (
    SoftmaxOutput as Softmax,
)
from .lrn import LRN
from .nn import (
    Dropout,
    FullyConnected,
)
from .ordering import (
    argsort,
    sort,
    topk,
)
from .padding import (
    Pad,
    depth_to_space,
    diag,
    space_to_depth,
)
from .padding import (
    Pad as pad,
)
from .pooling import Pooling, Pooling_v1
from .random import (
    _random_exponential as exponential,
)
from .random import (
    _random_exponential as random_exponential,
)
from .random import (
    _random_normal as normal,
)
from .random import (
    _random_normal as random_normal,
)
from .random import (
    _random_randint as random_randint,
)
from .random import (
    _random_uniform as random_uniform,
)
from .random import (
    _random_uniform as uniform,
)
from .random import (
    _shuffle as shuffle,
)
from .reduction import (
    _np_cumsum as cumsum,
)
from .reduction import (
    argmax,
    argmax_channel,
    argmin,
    max,
    mean,
    min,
    nanprod,
    nansum,
    norm,
    prod,
    sum,
)
from .reduction import (
    max as max_axis,
)
from .reduction import (
    min as min_axis,
)
from .reduction import (
    sum as sum_axis,
)
from .regions import ROIPooling
from .rnn import RNN
from .rounding import (
    _contrib_isfinite as isfinite,
)
from .rounding import (
    _contrib_isinf as isinf,
)
from .rounding import (
    _contrib_isnan as isnan,
)
from .rounding import (
    abs,
    ceil,
    clip,
    fix,
    floor,
    negative,
    rint,
    round,
    sign,
    trunc,
)
from .row_norm import GroupNorm, InstanceNorm, L2Normalization, LayerNorm, moments
from .sequence import SequenceLast, SequenceMask, SequenceReverse
from .shape import (
    Cast,
    Flatten,
    Reshape,
    SwapAxis,
    broadcast_axis,
    broadcast_like,
    broadcast_to,
    expand_dims,
    reshape_like,
    resolve_reshape,
    reverse,
    shape_array,
    size_array,
    squeeze,
    transpose,
)
from .shape import (
    Cast as cast,
)
from .shape import (
    Flatten as batch_flatten,
)
from .shape import (
    Flatten as flatten,
)
from .shape import (
    Reshape as reshape,
)
from .shape import (
    SwapAxis as swapaxes,
)
from .shape import (
    _copy as identity,
)
from .shape import (
    broadcast_axis as broadcast_axes,
)
from .shape import (
    reverse as flip,
)
from .slicing import (
    Concat,
    SliceChannel,
    repeat,
    slice,
    slice_axis,
    slice_like,
    stack,
    tile,
)
from .slicing import (
    Concat as concat,
)
from .slicing import (
    SliceChannel as split,
)
from .slicing import (
    slice as crop,
)
from .softmax import (
    SoftmaxActivation,
    log_softmax,
    softmax,
    softmin,
)
from .sparse import cast_storage, retain
from .sparseness import IdentityAttachKLSparseReg
from .spatial import BilinearSampler, GridGenerator, SpatialTransformer
from .svm import SVMOutput
from .trigonometric import (
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    cos,
    cosh,
    degrees,
    radians,
    sin,
    sinh,
    tan,
    tanh,
)
from .unfold import col2im, im2col
from .upsampling import Crop, UpSampling

elemwise_add = broadcast_add.elemwise
elemwise_sub = broadcast_sub.elemwise
elemwise_mul = broadcast_mul.elemwise
elemwise_div = broadcast_div.elemwise

PUBLIC = {
    "Correlation": Correlation,
    "IdentityAttachKLSparseReg": IdentityAttachKLSparseReg,
    "ROIPooling": ROIPooling,
    "col2im": col2im,
    "im2col": im2col,
    "BilinearSampler": BilinearSampler,
    "CTCLoss": CTCLoss,
    "Crop": Crop,
    "Custom": Custom,
    "Activation": Activation,
    "BatchNorm": BatchNorm,
    "BatchNorm_v1": BatchNorm_v1,
    "BlockGrad": BlockGrad,
    "Cast": Cast,
    "Concat": Concat,
    "Convolution": Convolution,
    "Convolution_v1": Convolution_v1,
    "Deconvolution": Deconvolution,
    "Dropout": Dropout,
    "ElementWiseSum": ElementWiseSum,
    "Embedding": Embedding,
    "Flatten": Flatten,
    "FullyConnected": FullyConnected,
    "GridGenerator": GridGenerator,
    "GroupNorm": GroupNorm,
    "InstanceNorm": InstanceNorm,
    "L2Normalization": L2Normalization,
    "LRN": LRN,
    "LayerNorm": LayerNorm,
    "LeakyReLU": LeakyReLU,
    "LinearRegressionOutput": LinearRegressionOutput,
    "LogisticRegressionOutput": LogisticRegressionOutput,
    "MAERegressionOutput": MAERegressionOutput,
    "MakeLoss": MakeLoss,
    "Pad": Pad,
    "Pooling": Pooling,
    "Pooling_v1": Pooling_v1,
    "RNN": RNN,
    "Reshape": Reshape,
    "SVMOutput": SVMOutput,
    "SequenceLast": SequenceLast,
    "SequenceMask": SequenceMask,
    "SequenceReverse": SequenceReverse,
    "SliceChannel": SliceChannel,
    "Softmax": Softmax,
    "SoftmaxActivation": SoftmaxActivation,
    "SoftmaxOutput": SoftmaxOutput,
    "SpatialTransformer": SpatialTransformer,
    "SwapAxis": SwapAxis,
    "UpSampling": UpSampling,
    "abs": abs,
    "activation": activation,
    "add": add,
    "add_n": add_n,
    "arange_like": arange_like,
    "arccos": arccos,
    "arccosh": arccosh,
    "arcsin": arcsin,
    "arcsinh": arcsinh,
    "arctan": arctan,
    "arctanh": arctanh,
    "argmax": argmax,
    "argmax_channel": argmax_channel,
    "argmin": argmin,
    "argsort": argsort,
    "batch_dot": batch_dot,
    "batch_flatten": batch_flatten,
    "batch_take": batch_take,
    "broadcast_add": broadcast_add,
    "broadcast_axes": broadcast_axes,
    "broadcast_axis": broadcast_axis,
    "broadcast_div": broadcast_div,
    "broadcast_equal": broadcast_equal,
    "broadcast_greater": broadcast_greater,
    "broadcast_greater_equal": broadcast_greater_equal,
    "broadcast_hypot": broadcast_hypot,
    "broadcast_lesser": broadcast_lesser,
    "broadcast_lesser_equal": broadcast_lesser_equal,
    "broadcast_like": broadcast_like,
    "broadcast_logical_and": broadcast_logical_and,
    "broadcast_logical_or": broadcast_logical_or,
    "broadcast_logical_xor": broadcast_logical_xor,
    "broadcast_maximum": broadcast_maximum,
    "broadcast_minimum": broadcast_minimum,
    "broadcast_minus": broadcast_minus,
    "broadcast_mod": broadcast_mod,
    "broadcast_mul": broadcast_mul,
    "broadcast_not_equal": broadcast_not_equal,
    "broadcast_plus": broadcast_plus,
    "broadcast_power": broadcast_power,
    "broadcast_sub": broadcast_sub,
    "broadcast_to": broadcast_to,
    "cast": cast,
    "cast_storage": cast_storage,
    "cbrt": cbrt,
    "ceil": ceil,
    "choose_element_0index": choose_element_0index,
    "clip": clip,
    "concat": concat,
    "cos": cos,
    "cosh": cosh,
    "crop": crop,
    "ctc_loss": ctc_loss,
    "cumsum": cumsum,
    "degrees": degrees,
    "depth_to_space": depth_to_space,
    "diag": diag,
    "digamma": digamma,
    "divide": divide,
    "dot": dot,
    "elemwise_add": elemwise_add,
    "elemwise_div": elemwise_div,
    "elemwise_mul": elemwise_mul,
    "elemwise_sub": elemwise_sub,
    "equal": equal,
    "erf": erf,
    "erfinv": erfinv,
    "exp": exp,
    "expand_dims": expand_dims,
    "expm1": expm1,
    "exponential": exponential,
    "fix": fix,
    "flatten": flatten,
    "flip": flip,
    "floor": floor,
    "gamma": gamma,
    "gammaln": gammaln,
    "gather_nd": gather_nd,
    "greater": greater,
    "greater_equal": greater_equal,
    "hard_sigmoid": hard_sigmoid,
    "hypot": hypot,
    "identity": identity,
    "isfinite": isfinite,
    "isinf": isinf,
    "isnan": isnan,
    "khatri_rao": khatri_rao,
    "lesser": lesser,
    "lesser_equal": lesser_equal,
    "linalg_gemm": linalg_gemm,
    "linalg_gemm2": linalg_gemm2,
    "log": log,
    "log10": log10,
    "log1p": log1p,
    "log2": log2,
    "log_softmax": log_softmax,
    "logical_and": logical_and,
    "logical_not": logical_not,
    "logical_or": logical_or,
    "logical_xor": logical_xor,
    "make_loss": make_loss,
    "max": max,
    "max_axis": max_axis,
    "maximum": maximum,
    "mean": mean,
    "min": min,
    "min_axis": min_axis,
    "minimum": minimum,
    "modulo": modulo,
    "moments": moments,
    "multiply": multiply,
    "nanprod": nanprod,
    "nansum": nansum,
    "negative": negative,
    "norm": norm,
    "normal": normal,
    "not_equal": not_equal,
    "one_hot": one_hot,
    "ones_like": ones_like,
    "pad": pad,
    "pick": pick,
    "power": power,
    "prod": prod,
    "radians": radians,
    "random_exponential": random_exponential,
    "random_normal": random_normal,
    "random_randint": random_randint,
    "random_uniform": random_uniform,
    "rcbrt": rcbrt,
    "reciprocal": reciprocal,
    "relu": relu,
    "repeat": repeat,
    "reshape": reshape,
    "reshape_like": reshape_like,
    "reverse": reverse,
    "rint": rint,
    "round": round,
    "rsqrt": rsqrt,
    "scatter_nd": scatter_nd,
    "shape_array": shape_array,
    "shuffle": shuffle,
    "sigmoid": sigmoid,
    "sign": sign,
    "sin": sin,
    "sinh": sinh,
    "size_array": size_array,
    "slice": slice,
    "slice_axis": slice_axis,
    "slice_like": slice_like,
    "smooth_l1": smooth_l1,
    "softmax": softmax,
    "softmax_cross_entropy": softmax_cross_entropy,
    "softmin": softmin,
    "softsign": softsign,
    "sort": sort,
    "space_to_depth": space_to_depth,
    "split": split,
    "sqrt": sqrt,
    "square": square,
    "squeeze": squeeze,
    "stack": stack,
    "stop_gradient": stop_gradient,
    "subtract": subtract,
    "sum": sum,
    "sum_axis": sum_axis,
    "swapaxes": swapaxes,
    "take": take,
    "tan": tan,
    "tanh": tanh,
    "tile": tile,
    "topk": topk,
    "transpose": transpose,
    "trunc": trunc,
    "uniform": uniform,
    "where": where,
    "zeros_like": zeros_like,
}

__all__ = [
    "ALIASES",
    "PUBLIC",
    "REGISTRY",
    "Attributes",
    "BinaryFunction",
    "Elementwise",
    "Operator",
    "lookup",
    "resolve_reshape",
    "retain",
    "wrap_scalar",
    *PUBLIC,
]

# Factors of matrices and updates of optimizers are listed where they are declared.
LISTED = (densities, matrices, optimizer, optimizer_multi, places, random_sampling, triangles)
PUBLIC |= {name: vars(file)[name] for file in LISTED for name in file.__all__}

check_positions()
