"""The functions that run at once through NumPy, on the memory of arrays.

They are rare, depend on values for their shape, or are sequential. One line for each; those that differ from
NumPy in where they read or write are at the end.
"""

import numpy as _np

from . import _small_choices, _small_shapes, _standard
from ._functions import Small, Through, own

__all__ = [
    "allclose",
    "angle",
    "append",
    "apply_along_axis",
    "apply_over_axes",
    "argpartition",
    "argsort",
    "argwhere",
    "around",
    "array2string",
    "array_equal",
    "array_equiv",
    "array_repr",
    "array_split",
    "array_str",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "average",
    "bincount",
    "block",
    "broadcast_arrays",
    "can_cast",
    "choose",
    "column_stack",
    "common_type",
    "compress",
    "concat",
    "concatenate",
    "convolve",
    "copyto",
    "corrcoef",
    "correlate",
    "count_nonzero",
    "cov",
    "cross",
    "cumulative_prod",
    "cumulative_sum",
    "delete",
    "diag",
    "diag_indices_from",
    "diagflat",
    "diagonal",
    "diff",
    "digitize",
    "dsplit",
    "dstack",
    "ediff1d",
    "einsum",
    "einsum_path",
    "extract",
    "fill_diagonal",
    "fix",
    "flatnonzero",
    "flip",
    "fliplr",
    "flipud",
    "gradient",
    "histogram",
    "histogram2d",
    "histogram_bin_edges",
    "histogramdd",
    "hsplit",
    "hstack",
    "i0",
    "imag",
    "inner",
    "insert",
    "interp",
    "intersect1d",
    "isclose",
    "iscomplex",
    "iscomplexobj",
    "isfortran",
    "isin",
    "isneginf",
    "isposinf",
    "isreal",
    "isrealobj",
    "isscalar",
    "iterable",
    "ix_",
    "kron",
    "lexsort",
    "mask_indices",
    "may_share_memory",
    "median",
    "meshgrid",
    "min_scalar_type",
    "nan_to_num",
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmedian",
    "nanmin",
    "nanpercentile",
    "nanprod",
    "nanquantile",
    "nanstd",
    "nansum",
    "nanvar",
    "ndim",
    "nonzero",
    "outer",
    "packbits",
    "pad",
    "partition",
    "percentile",
    "piecewise",
    "place",
    "poly",
    "polyadd",
    "polyder",
    "polydiv",
    "polyfit",
    "polyint",
    "polymul",
    "polysub",
    "polyval",
    "ptp",
    "put",
    "put_along_axis",
    "putmask",
    "quantile",
    "ravel_multi_index",
    "real",
    "real_if_close",
    "repeat",
    "resize",
    "result_type",
    "roll",
    "rollaxis",
    "roots",
    "rot90",
    "round",
    "save",
    "row_stack",
    "savetxt",
    "savez",
    "savez_compressed",
    "searchsorted",
    "select",
    "setdiff1d",
    "setxor1d",
    "shape",
    "shares_memory",
    "sinc",
    "size",
    "sort",
    "sort_complex",
    "split",
    "stack",
    "take",
    "take_along_axis",
    "tensordot",
    "tile",
    "trace",
    "trapezoid",
    "tril",
    "tril_indices_from",
    "trim_zeros",
    "triu",
    "triu_indices_from",
    "union1d",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
    "unpackbits",
    "unravel_index",
    "unstack",
    "unwrap",
    "vander",
    "vdot",
    "vsplit",
    "vstack",
]

# Texts, files.
array2string = Through(_np.array2string)
array_repr = Through(_np.array_repr)
array_str = Through(_np.array_str)
save = Through(_np.save)
savetxt = Through(_np.savetxt)
savez = Through(_np.savez)
savez_compressed = Through(_np.savez_compressed)

# Shapes, pieces, joining.
append = Through(_np.append)
apply_along_axis = Through(_np.apply_along_axis)
apply_over_axes = Through(_np.apply_over_axes)
array_split = Through(_np.array_split)
atleast_1d = Through(_np.atleast_1d)
atleast_2d = Through(_np.atleast_2d)
atleast_3d = Through(_np.atleast_3d)
block = Through(_np.block)
broadcast_arrays = Through(_np.broadcast_arrays)
column_stack = Through(_np.column_stack)
concatenate = Small(_np.concatenate, _small_choices.concatenate, whole=True)
delete = Through(_np.delete)
diag = Through(_np.diag)
diagflat = Through(_np.diagflat)
diagonal = Through(_np.diagonal)
dsplit = Through(_np.dsplit)
dstack = Through(_np.dstack)
ediff1d = Through(_np.ediff1d)
flip = Through(_np.flip)
fliplr = Through(_np.fliplr)
flipud = Through(_np.flipud)
hsplit = Through(_np.hsplit)
hstack = Through(_np.hstack)
insert = Through(_np.insert)
kron = Through(_np.kron)
meshgrid = Through(_np.meshgrid)
pad = Through(_np.pad)
repeat = Through(_np.repeat)
resize = Through(_np.resize)
roll = Through(_np.roll)
rollaxis = Through(_np.rollaxis)
rot90 = Through(_np.rot90)
split = Through(_np.split)
stack = Small(_np.stack, _small_choices.stack, whole=True)
tile = Through(_np.tile)
trim_zeros = Through(_np.trim_zeros)
unstack = Small(_np.unstack, _small_shapes.unstack, whole=True)
vsplit = Through(_np.vsplit)
vstack = Through(_np.vstack)

# Choosing, ordering, sets.
argpartition = Through(_np.argpartition)
argsort = Small(_standard.argsort, _small_choices.argsort, whole=True)
argwhere = Through(_np.argwhere)
bincount = Through(_np.bincount)
choose = Through(_np.choose)
compress = Through(_np.compress)
count_nonzero = Through(_np.count_nonzero)
diag_indices_from = Through(_np.diag_indices_from)
digitize = Through(_np.digitize)
extract = Through(_np.extract)
flatnonzero = Through(_np.flatnonzero)
intersect1d = Through(_np.intersect1d)
isin = Through(_np.isin)
ix_ = Through(_np.ix_)
lexsort = Through(_np.lexsort)
mask_indices = Through(_np.mask_indices)
nonzero = Through(_np.nonzero)
partition = Through(_np.partition)
piecewise = Through(_np.piecewise)
ravel_multi_index = Small(_np.ravel_multi_index, _small_choices.ravel_multi_index, whole=True)
searchsorted = Through(_np.searchsorted)
select = Through(_np.select)
setdiff1d = Through(_np.setdiff1d)
setxor1d = Through(_np.setxor1d)
sort = Small(_standard.sort, _small_choices.sort, whole=True)
sort_complex = Through(_np.sort_complex)
take = Through(_np.take)
take_along_axis = Through(_np.take_along_axis)
tril = Through(_np.tril)
tril_indices_from = Through(_np.tril_indices_from)
triu = Through(_np.triu)
triu_indices_from = Through(_np.triu_indices_from)
union1d = Through(_np.union1d)
unique = Through(_np.unique)
unique_all = Through(_np.unique_all)
unique_counts = Through(_np.unique_counts)
unique_inverse = Through(_np.unique_inverse)
unique_values = Through(_np.unique_values)
unravel_index = Small(_np.unravel_index, _small_choices.unravel_index, whole=True)

# Statistics and sums.
average = Through(_np.average)
corrcoef = Through(_np.corrcoef)
cov = Through(_np.cov)
cumulative_prod = Through(_np.cumulative_prod)
cumulative_sum = Through(_np.cumulative_sum)
diff = Through(_np.diff)
gradient = Through(_np.gradient)
histogram = Through(_np.histogram)
histogram2d = Through(_np.histogram2d)
histogram_bin_edges = Through(_np.histogram_bin_edges)
histogramdd = Through(_np.histogramdd)
median = Through(_np.median)
nanargmax = Through(_np.nanargmax)
nanargmin = Through(_np.nanargmin)
nancumprod = Through(_np.nancumprod)
nancumsum = Through(_np.nancumsum)
nanmax = Through(_np.nanmax)
nanmean = Through(_np.nanmean)
nanmedian = Through(_np.nanmedian)
nanmin = Through(_np.nanmin)
nanpercentile = Through(_np.nanpercentile)
nanprod = Through(_np.nanprod)
nanquantile = Through(_np.nanquantile)
nanstd = Through(_np.nanstd)
nansum = Through(_np.nansum)
nanvar = Through(_np.nanvar)
percentile = Through(_standard.percentile)
ptp = Through(_np.ptp)
quantile = Through(_standard.quantile)
trapezoid = Through(_np.trapezoid)

# Products, polynomials, signals.
convolve = Through(_np.convolve)
correlate = Through(_np.correlate)
cross = Through(_np.cross)
einsum = Through(_np.einsum)
einsum_path = Through(_np.einsum_path)
i0 = Through(_np.i0)
inner = Through(_np.inner)
interp = Through(_np.interp)
outer = Through(_np.outer)
poly = Through(_np.poly)
polyadd = Through(_np.polyadd)
polyder = Through(_np.polyder)
polydiv = Through(_np.polydiv)
polyfit = Through(_np.polyfit)
polyint = Through(_np.polyint)
polymul = Through(_np.polymul)
polysub = Through(_np.polysub)
polyval = Through(_np.polyval)
roots = Through(_np.roots)
sinc = Through(_np.sinc)
tensordot = Through(_np.tensordot)
trace = Through(_np.trace)
unwrap = Through(_np.unwrap)
vander = Through(_np.vander)
vdot = Through(_np.vdot)

# Elements.
allclose = Through(_np.allclose)
angle = Through(_np.angle)
around = Through(_np.around)
array_equal = Through(_np.array_equal)
array_equiv = Through(_np.array_equiv)
fix = Through(_np.fix)
imag = Through(_np.imag)
isclose = Through(_np.isclose)
iscomplex = Through(_np.iscomplex)
iscomplexobj = Through(_np.iscomplexobj)
isneginf = Through(_np.isneginf)
isposinf = Through(_np.isposinf)
isreal = Through(_np.isreal)
isrealobj = Through(_np.isrealobj)
packbits = Through(_np.packbits)
real = Through(_np.real)
real_if_close = Through(_np.real_if_close)
round = Through(_np.round)
unpackbits = Through(_np.unpackbits)

# Questions about arrays and types.
can_cast = Through(_np.can_cast)
common_type = Small(_np.common_type, _small_shapes.common_type, whole=True)
isfortran = Small(_np.isfortran, _small_shapes.isfortran)
isscalar = Small(_np.isscalar, _small_shapes.isscalar)
iterable = Small(_np.iterable, _small_shapes.iterable)
may_share_memory = Through(_np.may_share_memory)
min_scalar_type = Through(_np.min_scalar_type)
ndim = Small(_np.ndim, _small_shapes.ndim)
result_type = Small(_np.result_type, _small_shapes.result_type, whole=True)
shape = Small(_np.shape, _small_shapes.shape)
shares_memory = Through(_np.shares_memory)
size = Small(_np.size, _small_shapes.size)

# Functions that write into their argument.
copyto = Through(_np.copyto, writes=(0, "dst"))
fill_diagonal = Through(_np.fill_diagonal, writes=(0, "a"))
place = Through(_np.place, writes=(0, "arr"))
put = Through(_np.put, writes=(0, "a"))
put_along_axis = Through(_np.put_along_axis, writes=(0, "arr"))
putmask = Through(_np.putmask, writes=(0, "a"))
_filled = Through(_np.nan_to_num)
_filled_in_place = Through(_np.nan_to_num, writes=(0, "x"))


@own
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    """The elements with numbers in the place of NaN and infinities; `copy=False`: written there."""
    return (_filled if copy else _filled_in_place)(x, copy, nan, posinf, neginf)


# Other names.
concat = concatenate
row_stack = vstack
