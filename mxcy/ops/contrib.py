"""Small operators that MXNet keeps in `contrib`."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Any

import numpy as np

from .._launch import array_beside
from ..errors import ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Axes
from ._cases import case, given, raises, uniform
from ._declare import ZERO, elementwise, op
from ._elementwise import normalize_axes
from ._operator import describe, find
from ._sparse import keeps_csr
from .attention import eager

STRAIGHT = "the gradient passes straight through, by definition"


@elementwise(
    grad=lambda g, data, a, b: g * (data * (2 * a) + b),
    ref=lambda x, a=0.0, b=0.0, c=0.0: a * x * x + b * x + c,
    numbers=float,
    storage=keeps_csr(lambda attrs: attrs["c"] == 0),
    cases=[case(uniform(3, 4), a=1.5, b=-2.0, c=0.5), uniform(0, 2)],
)
def _contrib_quadratic(data, *, a: float = 0.0, b: float = 0.0, c: float = 0.0):
    """a x² + b x + c of every element."""
    return data * data * a + data * b + c


@op(
    grad=lambda g, scalar: g * scalar,
    kinds="iuf",
    ref=lambda x, scalar=1.0, is_int=True: x,
    cases=[case(uniform(3, 4), scalar=-0.5)],
    grad_check="the gradient is multiplied by a number, by definition",
)
def _contrib_gradientmultiplier(data, *, scalar: float = 1.0, is_int: bool = True, out):
    """data as it is; its gradient is multiplied by `scalar` (-1 reverses it)."""
    return kernels.copy(data, out=out)


def away_from_zero(x):
    return np.copysign(np.floor(np.abs(x) + 0.5), x)


@op(grad=lambda g: g, kinds="iuf", ref=away_from_zero, cases=[uniform(3, 4)], grad_check=STRAIGHT)
def _contrib_round_ste(data, *, out):
    """data rounded, halves away from zero; the gradient passes straight through (Bengio et al., 2013)."""
    return find("round").compute([data], {}, None if out is None else [out])[0]


@op(grad=lambda g: g, kinds="iuf", ref=np.sign, cases=[uniform(3, 4)], grad_check=STRAIGHT)
def _contrib_sign_ste(data, *, out):
    """The sign of data; the gradient passes straight through."""
    return find("sign").compute([data], {}, None if out is None else [out])[0]


# --- comparison ----------------------------------------------------------------------------------------
def same_shapes(a, b):
    if a != b:
        raise ShapeError(message("allclose", "b", f"shape {describe(a)}", describe(b)))
    return (1,)


@op(
    grad=ZERO,
    kinds="biuf",
    shape=same_shapes,
    dtype=lambda: np.uint8,
    ref=lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=True: np.array(
        [np.allclose(a, b, rtol, atol, equal_nan)], np.uint8
    ),
    cases=[
        case(given([1.0, 2.0]), given([1.0, 2.0])),
        case(given([1.0, 2.0]), given([1.0, 2.5]), atol=0.1),
        raises(ShapeError, uniform(2), uniform(3), match="allclose(b): expected shape (2,), got (3,)"),
    ],
)
def _contrib_allclose(
    a, b, *, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = True, out
):  # fmt: skip
    """1 if all elements of a and b are |a - b| <= atol + rtol |b|, or both NaN with `equal_nan`; else 0."""
    wide = [kernels.astype(x, np.float64) for x in (a, b)]
    apart = eager("abs", eager("broadcast_sub", *wide))
    bound = eager("_plus_scalar", eager("_mul_scalar", eager("abs", wide[1]), scalar=rtol), scalar=atol)
    near = eager("broadcast_lesser_equal", apart, bound)
    same = eager("broadcast_equal", *wide)
    near = eager("broadcast_maximum", near, same)
    if equal_nan:
        nans = [eager("broadcast_not_equal", x, x) for x in wide]
        near = eager("broadcast_maximum", near, eager("broadcast_mul", *nans))
    least = eager("min", near)
    return kernels.astype(least, np.uint8) if out is None else kernels.copy(least, out=out)


# --- positions -----------------------------------------------------------------------------------------
def index_array_shape(data, axes):
    count = len(data) if axes is None else len(normalize_axes("index_array", axes, len(data), "axes"))
    return (*data, count)


def index_array_reference(x, axes=None):
    axes = range(x.ndim) if axes is None else axes
    return np.stack([np.indices(x.shape)[a] for a in axes], -1).astype(np.int64)


@op(
    grad=ZERO,
    shape=index_array_shape,
    dtype=lambda: np.int64,
    ref=index_array_reference,
    cases=[case(uniform(2, 3)), case(uniform(2, 3, 2), axes=(1, -1)), case(uniform(3), axes=(0,))],
)
def _contrib_index_array(data, *, axes: Axes = None, out):
    """For every element its position: int64, with one more axis for the axes (all, or those given)."""
    made = []
    wanted: Any = range(data.ndim) if axes is None else axes
    if not wanted:
        none = kernels.fill(array_beside(data, np.empty((*data.shape, 0), np.int64)), 0)
        return none if out is None else kernels.copy(none, out=out)
    for axis in wanted:
        line = array_beside(data, np.arange(data.shape[axis]))
        shape = [1] * data.ndim
        shape[axis] = data.shape[axis]
        made.append(kernels.copy(line._reshape_view(tuple(shape))._broadcast_view(data.shape)))
    return kernels.stack(made, -1, out=out)


def index_copy_shape(old_tensor, index_vector, new_tensor):
    expected = (*index_vector, *old_tensor[1:])
    if len(index_vector) != 1 or new_tensor != expected:
        raise ShapeError(
            message("index_copy", "new_tensor", f"shape {describe(expected)}", describe(new_tensor))
        )
    return old_tensor


def index_copy_reference(old, index, new):
    y = np.array(old)
    y[index.astype(int)] = new
    return y


def index_copy_gradient(g, index_vector, new_tensor):
    zeros = find("zeros_like")(new_tensor)
    kept = _contrib_index_copy(g, index_vector, zeros)
    return kept, None, find("take")(g, index_vector, axis=0)


@op(
    grad=index_copy_gradient,
    shape=index_copy_shape,
    free=("index_vector",),
    dtype=lambda old_tensor: old_tensor,
    kinds="biuf",
    ref=index_copy_reference,
    cases=[
        case(uniform(4, 2), given([2, 0], "int64"), uniform(2, 2)),
        raises(
            ShapeError, uniform(4, 2), given([2, 0], "int64"), uniform(3, 2), match="(new_tensor): expected"
        ),
    ],
)
def _contrib_index_copy(old_tensor, index_vector, new_tensor, *, out):
    """old_tensor with the rows that index_vector names replaced by those of new_tensor."""
    values = kernels.copy(new_tensor)
    y = kernels.copy(old_tensor, out=out)
    kernels.index_put(y, (kernels.astype(index_vector, np.int64),), values)
    return y
