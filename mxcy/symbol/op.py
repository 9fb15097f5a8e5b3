"""Every operator as a function of symbols, under the names of MXNet.

The list is `ops.PUBLIC`; a test compares them. Functions of two operands, each a symbol or a number, are
those of `ops` themselves.
"""

from .. import ops
from ..ops import densities, matrices, places, random_sampling, triangles
from ..ops import optimizer as one
from ..ops import optimizer_multi as several
from .function import SymbolFunction

Activation = SymbolFunction(ops.Activation, "Activation")
BatchNorm = SymbolFunction(ops.BatchNorm, "BatchNorm")
BatchNorm_v1 = SymbolFunction(ops.BatchNorm_v1, "BatchNorm_v1")
BlockGrad = SymbolFunction(ops.BlockGrad, "BlockGrad")
Cast = SymbolFunction(ops.Cast, "Cast")
Concat = SymbolFunction(ops.Concat, "Concat")
Convolution = SymbolFunction(ops.Convolution, "Convolution")
Convolution_v1 = SymbolFunction(ops.Convolution_v1, "Convolution_v1")
Deconvolution = SymbolFunction(ops.Deconvolution, "Deconvolution")
Dropout = SymbolFunction(ops.Dropout, "Dropout")
ElementWiseSum = SymbolFunction(ops.ElementWiseSum, "ElementWiseSum")
Embedding = SymbolFunction(ops.Embedding, "Embedding")
Flatten = SymbolFunction(ops.Flatten, "Flatten")
FullyConnected = SymbolFunction(ops.FullyConnected, "FullyConnected")
GroupNorm = SymbolFunction(ops.GroupNorm, "GroupNorm")
InstanceNorm = SymbolFunction(ops.InstanceNorm, "InstanceNorm")
L2Normalization = SymbolFunction(ops.L2Normalization, "L2Normalization")
LRN = SymbolFunction(ops.LRN, "LRN")
LayerNorm = SymbolFunction(ops.LayerNorm, "LayerNorm")
LeakyReLU = SymbolFunction(ops.LeakyReLU, "LeakyReLU")
LinearRegressionOutput = SymbolFunction(ops.LinearRegressionOutput, "LinearRegressionOutput")
LogisticRegressionOutput = SymbolFunction(ops.LogisticRegressionOutput, "LogisticRegressionOutput")
MAERegressionOutput = SymbolFunction(ops.MAERegressionOutput, "MAERegressionOutput")
MakeLoss = SymbolFunction(ops.MakeLoss, "MakeLoss")
Pad = SymbolFunction(ops.Pad, "Pad")
Pooling = SymbolFunction(ops.Pooling, "Pooling")
Pooling_v1 = SymbolFunction(ops.Pooling_v1, "Pooling_v1")
RNN = SymbolFunction(ops.RNN, "RNN")
Reshape = SymbolFunction(ops.Reshape, "Reshape")
SequenceLast = SymbolFunction(ops.SequenceLast, "SequenceLast")
SequenceMask = SymbolFunction(ops.SequenceMask, "SequenceMask")
SequenceReverse = SymbolFunction(ops.SequenceReverse, "SequenceReverse")
SliceChannel = SymbolFunction(ops.SliceChannel, "SliceChannel")
Softmax = SymbolFunction(ops.Softmax, "Softmax")
SoftmaxActivation = SymbolFunction(ops.SoftmaxActivation, "SoftmaxActivation")
SoftmaxOutput = SymbolFunction(ops.SoftmaxOutput, "SoftmaxOutput")
SwapAxis = SymbolFunction(ops.SwapAxis, "SwapAxis")
abs = SymbolFunction(ops.abs, "abs")
activation = SymbolFunction(ops.activation, "activation")
add = ops.add
add_n = SymbolFunction(ops.add_n, "add_n")
arange_like = SymbolFunction(ops.arange_like, "arange_like")
arccos = SymbolFunction(ops.arccos, "arccos")
arccosh = SymbolFunction(ops.arccosh, "arccosh")
arcsin = SymbolFunction(ops.arcsin, "arcsin")
arcsinh = SymbolFunction(ops.arcsinh, "arcsinh")
arctan = SymbolFunction(ops.arctan, "arctan")
arctanh = SymbolFunction(ops.arctanh, "arctanh")
argmax = SymbolFunction(ops.argmax, "argmax")
argmax_channel = SymbolFunction(ops.argmax_channel, "argmax_channel")
argmin = SymbolFunction(ops.argmin, "argmin")
argsort = SymbolFunction(ops.argsort, "argsort")
batch_dot = SymbolFunction(ops.batch_dot, "batch_dot")
batch_flatten = SymbolFunction(ops.batch_flatten, "batch_flatten")
batch_take = SymbolFunction(ops.batch_take, "batch_take")
broadcast_add = SymbolFunction(ops.broadcast_add, "broadcast_add")
broadcast_axes = SymbolFunction(ops.broadcast_axes, "broadcast_axes")
broadcast_axis = SymbolFunction(ops.broadcast_axis, "broadcast_axis")
broadcast_div = SymbolFunction(ops.broadcast_div, "broadcast_div")
broadcast_equal = SymbolFunction(ops.broadcast_equal, "broadcast_equal")
broadcast_greater = SymbolFunction(ops.broadcast_greater, "broadcast_greater")
broadcast_greater_equal = SymbolFunction(ops.broadcast_greater_equal, "broadcast_greater_equal")
broadcast_hypot = SymbolFunction(ops.broadcast_hypot, "broadcast_hypot")
broadcast_lesser = SymbolFunction(ops.broadcast_lesser, "broadcast_lesser")
broadcast_lesser_equal = SymbolFunction(ops.broadcast_lesser_equal, "broadcast_lesser_equal")
broadcast_like = SymbolFunction(ops.broadcast_like, "broadcast_like")
broadcast_logical_and = SymbolFunction(ops.broadcast_logical_and, "broadcast_logical_and")
broadcast_logical_or = SymbolFunction(ops.broadcast_logical_or, "broadcast_logical_or")
broadcast_logical_xor = SymbolFunction(ops.broadcast_logical_xor, "broadcast_logical_xor")
broadcast_maximum = SymbolFunction(ops.broadcast_maximum, "broadcast_maximum")
broadcast_minimum = SymbolFunction(ops.broadcast_minimum, "broadcast_minimum")
broadcast_minus = SymbolFunction(ops.broadcast_minus, "broadcast_minus")
broadcast_mod = SymbolFunction(ops.broadcast_mod, "broadcast_mod")
broadcast_mul = SymbolFunction(ops.broadcast_mul, "broadcast_mul")
broadcast_not_equal = SymbolFunction(ops.broadcast_not_equal, "broadcast_not_equal")
broadcast_plus = SymbolFunction(ops.broadcast_plus, "broadcast_plus")
broadcast_power = SymbolFunction(ops.broadcast_power, "broadcast_power")
broadcast_sub = SymbolFunction(ops.broadcast_sub, "broadcast_sub")
broadcast_to = SymbolFunction(ops.broadcast_to, "broadcast_to")
cast = SymbolFunction(ops.cast, "cast")
cbrt = SymbolFunction(ops.cbrt, "cbrt")
ceil = SymbolFunction(ops.ceil, "ceil")
choose_element_0index = SymbolFunction(ops.choose_element_0index, "choose_element_0index")
clip = SymbolFunction(ops.clip, "clip")
concat = SymbolFunction(ops.concat, "concat")
cos = SymbolFunction(ops.cos, "cos")
cosh = SymbolFunction(ops.cosh, "cosh")
crop = SymbolFunction(ops.crop, "crop")
cumsum = SymbolFunction(ops.cumsum, "cumsum")
degrees = SymbolFunction(ops.degrees, "degrees")
depth_to_space = SymbolFunction(ops.depth_to_space, "depth_to_space")
diag = SymbolFunction(ops.diag, "diag")
digamma = SymbolFunction(ops.digamma, "digamma")
divide = ops.divide
dot = SymbolFunction(ops.dot, "dot")
elemwise_add = SymbolFunction(ops.elemwise_add, "elemwise_add")
elemwise_div = SymbolFunction(ops.elemwise_div, "elemwise_div")
elemwise_mul = SymbolFunction(ops.elemwise_mul, "elemwise_mul")
elemwise_sub = SymbolFunction(ops.elemwise_sub, "elemwise_sub")
equal = ops.equal
erf = SymbolFunction(ops.erf, "erf")
erfinv = SymbolFunction(ops.erfinv, "erfinv")
exp = SymbolFunction(ops.exp, "exp")
expand_dims = SymbolFunction(ops.expand_dims, "expand_dims")
expm1 = SymbolFunction(ops.expm1, "expm1")
exponential = SymbolFunction(ops.exponential, "exponential")
fix = SymbolFunction(ops.fix, "fix")
flatten = SymbolFunction(ops.flatten, "flatten")
flip = SymbolFunction(ops.flip, "flip")
floor = SymbolFunction(ops.floor, "floor")
gamma = SymbolFunction(ops.gamma, "gamma")
gammaln = SymbolFunction(ops.gammaln, "gammaln")
gather_nd = SymbolFunction(ops.gather_nd, "gather_nd")
greater = ops.greater
greater_equal = ops.greater_equal
hard_sigmoid = SymbolFunction(ops.hard_sigmoid, "hard_sigmoid")
hypot = ops.hypot
identity = SymbolFunction(ops.identity, "identity")
isfinite = SymbolFunction(ops.isfinite, "isfinite")
isinf = SymbolFunction(ops.isinf, "isinf")
isnan = SymbolFunction(ops.isnan, "isnan")
lesser = ops.lesser
lesser_equal = ops.lesser_equal
linalg_det = SymbolFunction(matrices.linalg_det, "linalg_det")
linalg_extractdiag = SymbolFunction(triangles.linalg_extractdiag, "linalg_extractdiag")
linalg_extracttrian = SymbolFunction(triangles.linalg_extracttrian, "linalg_extracttrian")
linalg_gelqf = SymbolFunction(matrices.linalg_gelqf, "linalg_gelqf")
linalg_gemm = SymbolFunction(ops.linalg_gemm, "linalg_gemm")
linalg_gemm2 = SymbolFunction(ops.linalg_gemm2, "linalg_gemm2")
linalg_inverse = SymbolFunction(matrices.linalg_inverse, "linalg_inverse")
linalg_makediag = SymbolFunction(triangles.linalg_makediag, "linalg_makediag")
linalg_maketrian = SymbolFunction(triangles.linalg_maketrian, "linalg_maketrian")
linalg_potrf = SymbolFunction(matrices.linalg_potrf, "linalg_potrf")
linalg_potri = SymbolFunction(matrices.linalg_potri, "linalg_potri")
linalg_slogdet = SymbolFunction(matrices.linalg_slogdet, "linalg_slogdet")
linalg_sumlogdiag = SymbolFunction(triangles.linalg_sumlogdiag, "linalg_sumlogdiag")
linalg_syevd = SymbolFunction(matrices.linalg_syevd, "linalg_syevd")
linalg_syrk = SymbolFunction(matrices.linalg_syrk, "linalg_syrk")
linalg_trmm = SymbolFunction(matrices.linalg_trmm, "linalg_trmm")
linalg_trsm = SymbolFunction(matrices.linalg_trsm, "linalg_trsm")
log = SymbolFunction(ops.log, "log")
log10 = SymbolFunction(ops.log10, "log10")
log1p = SymbolFunction(ops.log1p, "log1p")
log2 = SymbolFunction(ops.log2, "log2")
log_softmax = SymbolFunction(ops.log_softmax, "log_softmax")
logical_and = ops.logical_and
logical_not = SymbolFunction(ops.logical_not, "logical_not")
logical_or = ops.logical_or
logical_xor = ops.logical_xor
make_loss = SymbolFunction(ops.make_loss, "make_loss")
max = SymbolFunction(ops.max, "max")
max_axis = SymbolFunction(ops.max_axis, "max_axis")
maximum = ops.maximum
mean = SymbolFunction(ops.mean, "mean")
min = SymbolFunction(ops.min, "min")
min_axis = SymbolFunction(ops.min_axis, "min_axis")
minimum = ops.minimum
modulo = ops.modulo
moments = SymbolFunction(ops.moments, "moments")
multiply = ops.multiply
nanprod = SymbolFunction(ops.nanprod, "nanprod")
nansum = SymbolFunction(ops.nansum, "nansum")
negative = SymbolFunction(ops.negative, "negative")
norm = SymbolFunction(ops.norm, "norm")
normal = SymbolFunction(ops.normal, "normal")
not_equal = ops.not_equal
one_hot = SymbolFunction(ops.one_hot, "one_hot")
ones_like = SymbolFunction(ops.ones_like, "ones_like")
pad = SymbolFunction(ops.pad, "pad")
pick = SymbolFunction(ops.pick, "pick")
power = ops.power
prod = SymbolFunction(ops.prod, "prod")
radians = SymbolFunction(ops.radians, "radians")
random_exponential = SymbolFunction(ops.random_exponential, "random_exponential")
random_normal = SymbolFunction(ops.random_normal, "random_normal")
random_randint = SymbolFunction(ops.random_randint, "random_randint")
random_uniform = SymbolFunction(ops.random_uniform, "random_uniform")
rcbrt = SymbolFunction(ops.rcbrt, "rcbrt")
reciprocal = SymbolFunction(ops.reciprocal, "reciprocal")
relu = SymbolFunction(ops.relu, "relu")
repeat = SymbolFunction(ops.repeat, "repeat")
reshape = SymbolFunction(ops.reshape, "reshape")
reshape_like = SymbolFunction(ops.reshape_like, "reshape_like")
reverse = SymbolFunction(ops.reverse, "reverse")
rint = SymbolFunction(ops.rint, "rint")
round = SymbolFunction(ops.round, "round")
rsqrt = SymbolFunction(ops.rsqrt, "rsqrt")
scatter_nd = SymbolFunction(ops.scatter_nd, "scatter_nd")
adam_update = SymbolFunction(one.adam_update, "adam_update")
all_finite = SymbolFunction(several.all_finite, "all_finite")
ftml_update = SymbolFunction(one.ftml_update, "ftml_update")
ftrl_update = SymbolFunction(one.ftrl_update, "ftrl_update")
lamb_update_phase1 = SymbolFunction(one.lamb_update_phase1, "lamb_update_phase1")
lamb_update_phase2 = SymbolFunction(one.lamb_update_phase2, "lamb_update_phase2")
mp_lamb_update_phase1 = SymbolFunction(one.mp_lamb_update_phase1, "mp_lamb_update_phase1")
mp_lamb_update_phase2 = SymbolFunction(one.mp_lamb_update_phase2, "mp_lamb_update_phase2")
mp_nag_mom_update = SymbolFunction(one.mp_nag_mom_update, "mp_nag_mom_update")
mp_sgd_mom_update = SymbolFunction(one.mp_sgd_mom_update, "mp_sgd_mom_update")
mp_sgd_update = SymbolFunction(one.mp_sgd_update, "mp_sgd_update")
multi_all_finite = SymbolFunction(several.multi_all_finite, "multi_all_finite")
multi_lars = SymbolFunction(several.multi_lars, "multi_lars")
multi_mp_sgd_mom_update = SymbolFunction(several.multi_mp_sgd_mom_update, "multi_mp_sgd_mom_update")
multi_mp_sgd_update = SymbolFunction(several.multi_mp_sgd_update, "multi_mp_sgd_update")
multi_sgd_mom_update = SymbolFunction(several.multi_sgd_mom_update, "multi_sgd_mom_update")
multi_sgd_update = SymbolFunction(several.multi_sgd_update, "multi_sgd_update")
multi_sum_sq = SymbolFunction(several.multi_sum_sq, "multi_sum_sq")
nag_mom_update = SymbolFunction(one.nag_mom_update, "nag_mom_update")
preloaded_multi_mp_sgd_mom_update = SymbolFunction(
    several.preloaded_multi_mp_sgd_mom_update, "preloaded_multi_mp_sgd_mom_update"
)
preloaded_multi_mp_sgd_update = SymbolFunction(
    several.preloaded_multi_mp_sgd_update, "preloaded_multi_mp_sgd_update"
)
preloaded_multi_sgd_mom_update = SymbolFunction(
    several.preloaded_multi_sgd_mom_update, "preloaded_multi_sgd_mom_update"
)
preloaded_multi_sgd_update = SymbolFunction(several.preloaded_multi_sgd_update, "preloaded_multi_sgd_update")
rmsprop_update = SymbolFunction(one.rmsprop_update, "rmsprop_update")
rmspropalex_update = SymbolFunction(one.rmspropalex_update, "rmspropalex_update")
sgd_mom_update = SymbolFunction(one.sgd_mom_update, "sgd_mom_update")
sgd_update = SymbolFunction(one.sgd_update, "sgd_update")
signsgd_update = SymbolFunction(one.signsgd_update, "signsgd_update")
signum_update = SymbolFunction(one.signum_update, "signum_update")
shape_array = SymbolFunction(ops.shape_array, "shape_array")
shuffle = SymbolFunction(ops.shuffle, "shuffle")
sigmoid = SymbolFunction(ops.sigmoid, "sigmoid")
sign = SymbolFunction(ops.sign, "sign")
sin = SymbolFunction(ops.sin, "sin")
sinh = SymbolFunction(ops.sinh, "sinh")
size_array = SymbolFunction(ops.size_array, "size_array")
slice = SymbolFunction(ops.slice, "slice")
slice_axis = SymbolFunction(ops.slice_axis, "slice_axis")
slice_like = SymbolFunction(ops.slice_like, "slice_like")
smooth_l1 = SymbolFunction(ops.smooth_l1, "smooth_l1")
softmax = SymbolFunction(ops.softmax, "softmax")
softmax_cross_entropy = SymbolFunction(ops.softmax_cross_entropy, "softmax_cross_entropy")
softmin = SymbolFunction(ops.softmin, "softmin")
softsign = SymbolFunction(ops.softsign, "softsign")
sort = SymbolFunction(ops.sort, "sort")
space_to_depth = SymbolFunction(ops.space_to_depth, "space_to_depth")
split = SymbolFunction(ops.split, "split")
sqrt = SymbolFunction(ops.sqrt, "sqrt")
square = SymbolFunction(ops.square, "square")
squeeze = SymbolFunction(ops.squeeze, "squeeze")
stack = SymbolFunction(ops.stack, "stack")
stop_gradient = SymbolFunction(ops.stop_gradient, "stop_gradient")
subtract = ops.subtract
sum = SymbolFunction(ops.sum, "sum")
sum_axis = SymbolFunction(ops.sum_axis, "sum_axis")
swapaxes = SymbolFunction(ops.swapaxes, "swapaxes")
take = SymbolFunction(ops.take, "take")
tan = SymbolFunction(ops.tan, "tan")
tanh = SymbolFunction(ops.tanh, "tanh")
tile = SymbolFunction(ops.tile, "tile")
topk = SymbolFunction(ops.topk, "topk")
transpose = SymbolFunction(ops.transpose, "transpose")
trunc = SymbolFunction(ops.trunc, "trunc")
uniform = SymbolFunction(ops.uniform, "uniform")
where = SymbolFunction(ops.where, "where")
zeros_like = SymbolFunction(ops.zeros_like, "zeros_like")

amp_cast = SymbolFunction(places.amp_cast, "amp_cast")
fill_element_0index = SymbolFunction(places.fill_element_0index, "fill_element_0index")
Custom = SymbolFunction(ops.Custom, "Custom")
random_gamma = SymbolFunction(random_sampling.random_gamma, "random_gamma")
random_generalized_negative_binomial = SymbolFunction(
    random_sampling.random_generalized_negative_binomial, "random_generalized_negative_binomial"
)
random_negative_binomial = SymbolFunction(
    random_sampling.random_negative_binomial, "random_negative_binomial"
)
random_pdf_dirichlet = SymbolFunction(densities.random_pdf_dirichlet, "random_pdf_dirichlet")
random_pdf_exponential = SymbolFunction(densities.random_pdf_exponential, "random_pdf_exponential")
random_pdf_gamma = SymbolFunction(densities.random_pdf_gamma, "random_pdf_gamma")
random_pdf_generalized_negative_binomial = SymbolFunction(
    densities.random_pdf_generalized_negative_binomial, "random_pdf_generalized_negative_binomial"
)
random_pdf_negative_binomial = SymbolFunction(
    densities.random_pdf_negative_binomial, "random_pdf_negative_binomial"
)
random_pdf_normal = SymbolFunction(densities.random_pdf_normal, "random_pdf_normal")
random_pdf_poisson = SymbolFunction(densities.random_pdf_poisson, "random_pdf_poisson")
random_pdf_uniform = SymbolFunction(densities.random_pdf_uniform, "random_pdf_uniform")
random_poisson = SymbolFunction(random_sampling.random_poisson, "random_poisson")
ravel_multi_index = SymbolFunction(places.ravel_multi_index, "ravel_multi_index")
sample_exponential = SymbolFunction(random_sampling.sample_exponential, "sample_exponential")
sample_gamma = SymbolFunction(random_sampling.sample_gamma, "sample_gamma")
sample_generalized_negative_binomial = SymbolFunction(
    random_sampling.sample_generalized_negative_binomial, "sample_generalized_negative_binomial"
)
sample_multinomial = SymbolFunction(random_sampling.sample_multinomial, "sample_multinomial")
sample_negative_binomial = SymbolFunction(
    random_sampling.sample_negative_binomial, "sample_negative_binomial"
)
sample_normal = SymbolFunction(random_sampling.sample_normal, "sample_normal")
sample_poisson = SymbolFunction(random_sampling.sample_poisson, "sample_poisson")
sample_uniform = SymbolFunction(random_sampling.sample_uniform, "sample_uniform")
unravel_index = SymbolFunction(places.unravel_index, "unravel_index")

__all__ = [
    "Activation",
    "BatchNorm",
    "BatchNorm_v1",
    "BlockGrad",
    "Cast",
    "Concat",
    "Convolution",
    "Custom",
    "Convolution_v1",
    "Deconvolution",
    "Dropout",
    "ElementWiseSum",
    "Embedding",
    "Flatten",
    "FullyConnected",
    "GroupNorm",
    "InstanceNorm",
    "L2Normalization",
    "LRN",
    "LayerNorm",
    "LeakyReLU",
    "LinearRegressionOutput",
    "LogisticRegressionOutput",
    "MAERegressionOutput",
    "MakeLoss",
    "Pad",
    "Pooling",
    "Pooling_v1",
    "RNN",
    "Reshape",
    "SequenceLast",
    "SequenceMask",
    "SequenceReverse",
    "SliceChannel",
    "Softmax",
    "SoftmaxActivation",
    "SoftmaxOutput",
    "SwapAxis",
    "abs",
    "activation",
    "adam_update",
    "add",
    "add_n",
    "all_finite",
    "amp_cast",
    "arange_like",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "argmax",
    "argmax_channel",
    "argmin",
    "argsort",
    "batch_dot",
    "batch_flatten",
    "batch_take",
    "broadcast_add",
    "broadcast_axes",
    "broadcast_axis",
    "broadcast_div",
    "broadcast_equal",
    "broadcast_greater",
    "broadcast_greater_equal",
    "broadcast_hypot",
    "broadcast_lesser",
    "broadcast_lesser_equal",
    "broadcast_like",
    "broadcast_logical_and",
    "broadcast_logical_or",
    "broadcast_logical_xor",
    "broadcast_maximum",
    "broadcast_minimum",
    "broadcast_minus",
    "broadcast_mod",
    "broadcast_mul",
    "broadcast_not_equal",
    "broadcast_plus",
    "broadcast_power",
    "broadcast_sub",
    "broadcast_to",
    "cast",
    "cbrt",
    "ceil",
    "choose_element_0index",
    "clip",
    "concat",
    "cos",
    "cosh",
    "crop",
    "cumsum",
    "degrees",
    "depth_to_space",
    "diag",
    "digamma",
    "divide",
    "dot",
    "elemwise_add",
    "elemwise_div",
    "elemwise_mul",
    "elemwise_sub",
    "equal",
    "erf",
    "erfinv",
    "exp",
    "expand_dims",
    "expm1",
    "exponential",
    "fill_element_0index",
    "fix",
    "flatten",
    "flip",
    "floor",
    "ftml_update",
    "ftrl_update",
    "gamma",
    "gammaln",
    "gather_nd",
    "greater",
    "greater_equal",
    "hard_sigmoid",
    "hypot",
    "identity",
    "isfinite",
    "isinf",
    "isnan",
    "lamb_update_phase1",
    "lamb_update_phase2",
    "lesser",
    "lesser_equal",
    "linalg_det",
    "linalg_extractdiag",
    "linalg_extracttrian",
    "linalg_gelqf",
    "linalg_gemm",
    "linalg_gemm2",
    "linalg_inverse",
    "linalg_makediag",
    "linalg_maketrian",
    "linalg_potrf",
    "linalg_potri",
    "linalg_slogdet",
    "linalg_sumlogdiag",
    "linalg_syevd",
    "linalg_syrk",
    "linalg_trmm",
    "linalg_trsm",
    "log",
    "log10",
    "log1p",
    "log2",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "make_loss",
    "max",
    "max_axis",
    "maximum",
    "mean",
    "min",
    "min_axis",
    "minimum",
    "modulo",
    "moments",
    "mp_lamb_update_phase1",
    "mp_lamb_update_phase2",
    "mp_nag_mom_update",
    "mp_sgd_mom_update",
    "mp_sgd_update",
    "multi_all_finite",
    "multi_lars",
    "multi_mp_sgd_mom_update",
    "multi_mp_sgd_update",
    "multi_sgd_mom_update",
    "multi_sgd_update",
    "multi_sum_sq",
    "multiply",
    "nag_mom_update",
    "nanprod",
    "nansum",
    "negative",
    "norm",
    "normal",
    "not_equal",
    "one_hot",
    "ones_like",
    "pad",
    "pick",
    "power",
    "preloaded_multi_mp_sgd_mom_update",
    "preloaded_multi_mp_sgd_update",
    "preloaded_multi_sgd_mom_update",
    "preloaded_multi_sgd_update",
    "prod",
    "radians",
    "random_exponential",
    "random_gamma",
    "random_generalized_negative_binomial",
    "random_negative_binomial",
    "random_normal",
    "random_pdf_dirichlet",
    "random_pdf_exponential",
    "random_pdf_gamma",
    "random_pdf_generalized_negative_binomial",
    "random_pdf_negative_binomial",
    "random_pdf_normal",
    "random_pdf_poisson",
    "random_pdf_uniform",
    "random_poisson",
    "random_randint",
    "random_uniform",
    "ravel_multi_index",
    "rcbrt",
    "reciprocal",
    "relu",
    "repeat",
    "reshape",
    "reshape_like",
    "reverse",
    "rint",
    "rmsprop_update",
    "rmspropalex_update",
    "round",
    "rsqrt",
    "sample_exponential",
    "sample_gamma",
    "sample_generalized_negative_binomial",
    "sample_multinomial",
    "sample_negative_binomial",
    "sample_normal",
    "sample_poisson",
    "sample_uniform",
    "scatter_nd",
    "sgd_mom_update",
    "sgd_update",
    "shape_array",
    "shuffle",
    "sigmoid",
    "sign",
    "signsgd_update",
    "signum_update",
    "sin",
    "sinh",
    "size_array",
    "slice",
    "slice_axis",
    "slice_like",
    "smooth_l1",
    "softmax",
    "softmax_cross_entropy",
    "softmin",
    "softsign",
    "sort",
    "space_to_depth",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "stop_gradient",
    "subtract",
    "sum",
    "sum_axis",
    "swapaxes",
    "take",
    "tan",
    "tanh",
    "tile",
    "topk",
    "transpose",
    "trunc",
    "uniform",
    "unravel_index",
    "where",
    "zeros_like",
]
