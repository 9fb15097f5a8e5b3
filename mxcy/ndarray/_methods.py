"""Operators as methods of arrays."""

from __future__ import annotations

from .. import ops
from .._array import Array
from ..ops.slicing import _split_v2

__all__ = ["OperatorMethods"]


class OperatorMethods(Array):
    """Operators of one array; each is `nd.<name>` with the array as its first argument."""

    __slots__ = ()

    # Exponentials, powers, roots.

    def exp(self, out=None):
        """e to the power of every element."""
        return ops.exp(self, out=out)

    def expm1(self, out=None):
        """exp(x) - 1, accurate near 0."""
        return ops.expm1(self, out=out)

    def log(self, out=None):
        """Natural logarithm of every element."""
        return ops.log(self, out=out)

    def log10(self, out=None):
        """Logarithm to base 10."""
        return ops.log10(self, out=out)

    def log2(self, out=None):
        """Logarithm to base 2."""
        return ops.log2(self, out=out)

    def log1p(self, out=None):
        """log(1 + x), accurate near 0."""
        return ops.log1p(self, out=out)

    def sqrt(self, out=None):
        """Square root of every element."""
        return ops.sqrt(self, out=out)

    def rsqrt(self, out=None):
        """1 / sqrt(x)."""
        return ops.rsqrt(self, out=out)

    def cbrt(self, out=None):
        """Cube root of every element."""
        return ops.cbrt(self, out=out)

    def rcbrt(self, out=None):
        """1 / cbrt(x)."""
        return ops.rcbrt(self, out=out)

    def square(self, out=None):
        """x² of every element."""
        return ops.square(self, out=out)

    def reciprocal(self, out=None):
        """1 / x; integers truncate towards zero."""
        return ops.reciprocal(self, out=out)

    # Trigonometry.

    def sin(self, out=None):
        """Sine of every element, in radians."""
        return ops.sin(self, out=out)

    def cos(self, out=None):
        """Cosine of every element, in radians."""
        return ops.cos(self, out=out)

    def tan(self, out=None):
        """Tangent of every element, in radians."""
        return ops.tan(self, out=out)

    def arcsin(self, out=None):
        """Inverse sine, in [-π/2, π/2]."""
        return ops.arcsin(self, out=out)

    def arccos(self, out=None):
        """Inverse cosine, in [0, π]."""
        return ops.arccos(self, out=out)

    def arctan(self, out=None):
        """Inverse tangent, in [-π/2, π/2]."""
        return ops.arctan(self, out=out)

    def sinh(self, out=None):
        """Hyperbolic sine of every element."""
        return ops.sinh(self, out=out)

    def cosh(self, out=None):
        """Hyperbolic cosine of every element."""
        return ops.cosh(self, out=out)

    def tanh(self, out=None):
        """Hyperbolic tangent of every element."""
        return ops.tanh(self, out=out)

    def arcsinh(self, out=None):
        """Inverse hyperbolic sine."""
        return ops.arcsinh(self, out=out)

    def arccosh(self, out=None):
        """Inverse hyperbolic cosine, of elements from 1 up."""
        return ops.arccosh(self, out=out)

    def arctanh(self, out=None):
        """Inverse hyperbolic tangent, of elements between -1 and 1."""
        return ops.arctanh(self, out=out)

    def degrees(self, out=None):
        """Radians as degrees."""
        return ops.degrees(self, out=out)

    def radians(self, out=None):
        """Degrees as radians."""
        return ops.radians(self, out=out)

    # Rounding and signs.

    def abs(self, out=None):
        """Absolute value of every element."""
        return ops.abs(self, out=out)

    def sign(self, out=None):
        """-1, 0 or 1 by the sign of every element; 0 for NaN."""
        return ops.sign(self, out=out)

    def round(self, out=None):
        """Every element rounded to the nearest integer, halves away from zero."""
        return ops.round(self, out=out)

    def rint(self, out=None):
        """Every element rounded to the nearest integer, halves downwards (as MXNet does)."""
        return ops.rint(self, out=out)

    def fix(self, out=None):
        """Every element rounded towards zero."""
        return ops.fix(self, out=out)

    def floor(self, out=None):
        """The largest integer not above every element."""
        return ops.floor(self, out=out)

    def ceil(self, out=None):
        """The smallest integer not below every element."""
        return ops.ceil(self, out=out)

    def trunc(self, out=None):
        """Every element rounded towards zero."""
        return ops.trunc(self, out=out)

    def clip(self, a_min, a_max, out=None):
        """Every element moved into [a_min, a_max]."""
        return ops.clip(self, a_min=a_min, a_max=a_max, out=out)

    # Activations.

    def relu(self, out=None):
        """max(x, 0) of every element."""
        return ops.relu(self, out=out)

    def sigmoid(self, out=None):
        """1 / (1 + exp(-x)) of every element, without overflow."""
        return ops.sigmoid(self, out=out)

    def softmax(self, length=None, axis=-1, temperature=None, dtype=None, use_length=False, out=None):
        """exp(x / temperature) divided by its sum along an axis."""
        return ops.softmax(
            self, length, axis=axis, temperature=temperature, dtype=dtype, use_length=use_length, out=out
        )

    def log_softmax(self, axis=-1, temperature=None, dtype=None, use_length=False, out=None):
        """Logarithm of softmax, without overflow or loss of accuracy."""
        return ops.log_softmax(
            self, axis=axis, temperature=temperature, dtype=dtype, use_length=use_length, out=out
        )

    def softmin(self, axis=-1, temperature=None, dtype=None, use_length=False, out=None):
        """The softmax of the negated array."""
        return ops.softmin(
            self, axis=axis, temperature=temperature, dtype=dtype, use_length=use_length, out=out
        )

    # Reductions.

    def sum(self, axis=None, keepdims=False, exclude=False, out=None):
        """Sum along axes (all of them by default; those that are not named with `exclude`)."""
        return ops.sum(self, axis=axis, keepdims=keepdims, exclude=exclude, out=out)

    def nansum(self, axis=None, keepdims=False, exclude=False, out=None):
        """Sum along axes of the elements that are not NaN."""
        return ops.nansum(self, axis=axis, keepdims=keepdims, exclude=exclude, out=out)

    def mean(self, axis=None, keepdims=False, exclude=False, out=None):
        """Mean along axes, in the dtype of the data."""
        return ops.mean(self, axis=axis, keepdims=keepdims, exclude=exclude, out=out)

    def prod(self, axis=None, keepdims=False, exclude=False, out=None):
        """Product along axes."""
        return ops.prod(self, axis=axis, keepdims=keepdims, exclude=exclude, out=out)

    def nanprod(self, axis=None, keepdims=False, exclude=False, out=None):
        """Product along axes of the elements that are not NaN."""
        return ops.nanprod(self, axis=axis, keepdims=keepdims, exclude=exclude, out=out)

    def max(self, axis=None, keepdims=False, exclude=False, out=None):
        """Largest element along axes; NaN if there is one."""
        return ops.max(self, axis=axis, keepdims=keepdims, exclude=exclude, out=out)

    def min(self, axis=None, keepdims=False, exclude=False, out=None):
        """Smallest element along axes; NaN if there is one."""
        return ops.min(self, axis=axis, keepdims=keepdims, exclude=exclude, out=out)

    def norm(self, ord=2, axis=None, out_dtype=None, keepdims=False, out=None):
        """Sum of absolute values (`ord=1`) or root of the sum of squares (`ord=2`) along axes."""
        return ops.norm(self, ord=ord, axis=axis, out_dtype=out_dtype, keepdims=keepdims, out=out)

    def argmax(self, axis=None, keepdims=False, out=None):
        """Position of the (first) largest element along an axis, or in the flattened array."""
        return ops.argmax(self, axis=axis, keepdims=keepdims, out=out)

    def argmin(self, axis=None, keepdims=False, out=None):
        """Position of the (first) smallest element along an axis, or in the flattened array."""
        return ops.argmin(self, axis=axis, keepdims=keepdims, out=out)

    def argmax_channel(self, out=None):
        """Position of the largest element along axis 1."""
        return ops.argmax_channel(self, out=out)

    # Order.

    def sort(self, axis=-1, is_ascend=True, out=None):
        """The elements sorted along an axis (flattened for None)."""
        return ops.sort(self, axis=axis, is_ascend=is_ascend, out=out)

    def argsort(self, axis=-1, is_ascend=True, dtype="float32", out=None):
        """Positions that sort the elements along an axis (of the flattened array for None)."""
        return ops.argsort(self, axis=axis, is_ascend=is_ascend, dtype=dtype, out=out)

    def topk(self, axis=-1, k=1, ret_typ="indices", is_ascend=False, dtype="float32", out=None):
        """The k largest (or smallest) elements along an axis: values, positions, both, or a mask."""
        return ops.topk(self, axis=axis, k=k, ret_typ=ret_typ, is_ascend=is_ascend, dtype=dtype, out=out)

    # Indexing.

    def take(self, indices, axis=0, mode="clip", out=None):
        """Entries along an axis; indices outside are clipped, wrapped around, or an error."""
        return ops.take(self, indices, axis=axis, mode=mode, out=out)

    def pick(self, index, axis=-1, keepdims=False, mode="clip", out=None):
        """One entry along an axis for every position on the others."""
        return ops.pick(self, index, axis=axis, keepdims=keepdims, mode=mode, out=out)

    def one_hot(self, depth, on_value=1.0, off_value=0.0, dtype="float32", out=None):
        """Rows of off_value with on_value at each index; all off for indices outside."""
        return ops.one_hot(self, depth=depth, on_value=on_value, off_value=off_value, dtype=dtype, out=out)

    def slice(self, begin, end, step=(), out=None):
        """The part between begin and end on its first axes; None and negative bounds as in Python."""
        return ops.slice(self, begin=begin, end=end, step=step, out=out)

    def slice_axis(self, axis, begin, end, out=None):
        """The part between begin and end along one axis."""
        return ops.slice_axis(self, axis=axis, begin=begin, end=end, out=out)

    def slice_like(self, shape_like, axes=(), out=None):
        """The first part, as large as shape_like (on some axes)."""
        return ops.slice_like(self, shape_like, axes=axes, out=out)

    # Shapes.

    def transpose(self, axes=(), out=None):
        """The array with its axes in another order (reversed by default)."""
        return ops.transpose(self, axes=axes, out=out)

    def swapaxes(self, dim1=0, dim2=0, out=None):
        """The array with two axes exchanged."""
        return ops.swapaxes(self, dim1=dim1, dim2=dim2, out=out)

    def flip(self, axis, out=None):
        """The array with the order of its elements reversed along axes."""
        return ops.flip(self, axis=axis, out=out)

    def tile(self, reps, out=None):
        """The array repeated as a whole along axes."""
        return ops.tile(self, reps=reps, out=out)

    def repeat(self, repeats, axis=None, out=None):
        """Every element (or every entry along an axis) repeated."""
        return ops.repeat(self, repeats=repeats, axis=axis, out=out)

    def pad(self, mode, pad_width, constant_value=0.0, out=None):
        """The array with a border: of one value, of the edge's values, or of what lies within, reflected."""
        return ops.pad(self, mode=mode, pad_width=pad_width, constant_value=constant_value, out=out)

    def split(self, num_outputs, axis=1, squeeze_axis=False, out=None):
        """The array split into equal parts along an axis."""
        return ops.split(self, num_outputs=num_outputs, axis=axis, squeeze_axis=squeeze_axis, out=out)

    def split_v2(self, indices_or_sections, axis=0, squeeze_axis=False):
        """Parts along an axis: so many equal ones for an integer, or cut before each of several positions."""
        if hasattr(indices_or_sections, "__index__"):
            sections, cuts = indices_or_sections, ()
        else:
            sections, cuts = 0, (0, *indices_or_sections)
        return _split_v2(self, indices=cuts, axis=axis, squeeze_axis=squeeze_axis, sections=sections)

    def broadcast_axes(self, axis=(), size=(), out=None):
        """The array repeated along axes of extent 1."""
        return ops.broadcast_axes(self, axis=axis, size=size, out=out)

    def depth_to_space(self, block_size, out=None):
        """Channels moved into blocks of block_size × block_size pixels."""
        return ops.depth_to_space(self, block_size=block_size, out=out)

    def space_to_depth(self, block_size, out=None):
        """Blocks of block_size × block_size pixels moved into channels."""
        return ops.space_to_depth(self, block_size=block_size, out=out)

    def diag(self, k=0, axis1=0, axis2=1, out=None):
        """The diagonal over two axes (as the last axis), or a matrix with a vector as its diagonal."""
        return ops.diag(self, k=k, axis1=axis1, axis2=axis2, out=out)

    def shape_array(self, out=None):
        """The shape, as an array of int64."""
        return ops.shape_array(self, out=out)

    def size_array(self, out=None):
        """The number of elements, as an array of int64."""
        return ops.size_array(self, out=out)

    # Arrays like this one.

    def zeros_like(self, out=None):
        """Zeros of the shape and dtype of the array."""
        return ops.zeros_like(self, out=out)

    def ones_like(self, out=None):
        """Ones of the shape and dtype of the array."""
        return ops.ones_like(self, out=out)
