"""Matrix products."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Literal

import numpy as np

from .._matmul import matmul
from ..errors import DTypeError, ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, raises, uniform
from ._declare import op
from ._operator import describe, find
from ._sparse import DOT, DOT_GRAD_LHS, DOT_GRAD_RHS
from ._storage import Maker
from .shape import SwapAxis, product, reshaped

Storage = Literal[None, "default", "csr", "row_sparse"]


def as_matrix(x, contracted_first):
    """x with the contracted axis and the product of all others as a matrix of two axes."""
    if x.ndim == 2:
        return x
    shape = x.shape
    if contracted_first:
        return fold(x, (shape[0], product(shape[1:])))
    return fold(x, (product(shape[:-1]), shape[-1]))


def fold(x, shape):
    if x.shape == shape:
        return x
    view = x._reshape_view(shape)
    return reshaped(x, shape, None) if view is None else view


def product_into(shape, a, b, transpose_a, transpose_b, out, add_to=None, epilogue=None):
    """a @ b + add_to (each perhaps transposed), of two matrices, in a shape of its size; then an epilogue."""
    rows = a.shape[1] if transpose_a else a.shape[0]
    columns = b.shape[0] if transpose_b else b.shape[1]
    slot = None if out is None else out._reshape_view((rows, columns))
    if slot is not None or out is None:
        result = matmul(a, b, transpose_a, transpose_b, slot, add_to, epilogue=epilogue)
        return fold(result, shape) if out is None else out
    result = matmul(a, b, transpose_a, transpose_b, None, add_to)
    kernels.copy(fold(result, shape), out=out)
    if epilogue is not None:
        epilogue.run()
    return out


# --- dot -----------------------------------------------------------------------------------------------
def dot_shape(lhs, rhs, transpose_a, transpose_b):
    for name, shape in (("lhs", lhs), ("rhs", rhs)):
        if not shape:
            raise ShapeError(message("dot", name, "at least one dimension", describe(shape)))
    left, right = lhs[0] if transpose_a else lhs[-1], rhs[-1] if transpose_b else rhs[0]
    if left != right:
        where = "last" if transpose_b else "first"
        raise ShapeError(
            message("dot", "rhs", f"{left} as its {where} extent, from lhs {describe(lhs)}", describe(rhs))
        )
    return (*(lhs[1:] if transpose_a else lhs[:-1]), *(rhs[:-1] if transpose_b else rhs[1:]))


def dot_reference(a, b, transpose_a=False, transpose_b=False):
    return np.tensordot(a, b, (0 if transpose_a else a.ndim - 1, b.ndim - 1 if transpose_b else 0))


@op(
    grad=(
        lambda g, lhs, rhs, transpose_a, transpose_b: _dot_grad_lhs(
            g, rhs, lhs, transpose_a=transpose_a, transpose_b=transpose_b
        ),
        lambda g, lhs, rhs, transpose_a, transpose_b: _dot_grad_rhs(
            g, lhs, rhs, transpose_a=transpose_a, transpose_b=transpose_b
        ),
    ),
    shape=dot_shape,
    ref=dot_reference,
    kinds="fc",
    form=Maker, storage=DOT,
    cases=[
        case(uniform(2, 3), uniform(3, 4)),
        case(uniform(3, 2), uniform(4, 3), transpose_a=True, transpose_b=True),
        case(uniform(3), uniform(3)),
        case(uniform(2, 3), uniform(3)),
        case(uniform(3), uniform(3, 2)),
        case(uniform(2, 3, 4), uniform(4, 5, 2)),
        case(uniform(4, 2, 3), uniform(5, 4), transpose_a=True, transpose_b=True),
        case(uniform(0, 3), uniform(3, 2)),
        case(uniform(2, 0), uniform(0, 3)),
        raises(
            ShapeError,
            uniform(2, 3),
            uniform(2, 3),
            match="dot(rhs): expected 3 as its first extent, from lhs (2, 3), got (2, 3)",
        ),
        raises(
            DTypeError,
            uniform(2, 2, dtype="int32"),
            uniform(2, 2, dtype="int32"),
            match="dot(lhs): expected a dtype",
        ),
    ],
)
def dot(
    lhs, rhs, *, transpose_a: bool = False, transpose_b: bool = False, forward_stype: Storage = None, out
):
    """Product of the last axis of lhs with the first axis of rhs.

    With `transpose_a` the first axis of lhs, with `transpose_b` the last of rhs.  The result has the other
    axes of lhs, then those of rhs; two vectors give one number, of shape (1,).
    """
    if out is None and lhs.ndim == rhs.ndim == 2:
        return matmul(lhs, rhs, transpose_a, transpose_b)
    shape = dot_shape(lhs.shape, rhs.shape, transpose_a, transpose_b)
    a, b = as_matrix(lhs, transpose_a), as_matrix(rhs, not transpose_b)
    return product_into(shape, a, b, transpose_a, transpose_b, out)


def grad_lhs_reference(g, rhs, like, transpose_a=False, transpose_b=False):
    others = tuple(range(rhs.ndim - 1)) if transpose_b else tuple(range(1, rhs.ndim))
    result = np.tensordot(g, rhs, (tuple(range(g.ndim - len(others), g.ndim)), others))
    return np.moveaxis(result, -1, 0) if transpose_a else result


@op(
    grad=(
        lambda g, rhs, transpose_a, transpose_b: dot(
            g, rhs, transpose_a=transpose_a, transpose_b=transpose_b
        ),
        lambda g, data, rhs, transpose_a, transpose_b: _dot_grad_rhs(
            data, g, rhs, transpose_a=transpose_a, transpose_b=transpose_b
        ),
        None,
    ),
    shape=lambda data, rhs, like: like,
    free=("like",),
    shape_only=("like",),
    ref=grad_lhs_reference,
    kinds="fc",
    storage=DOT_GRAD_LHS,
    cases=[
        case(uniform(2, 4), uniform(3, 4), uniform(2, 3)),
        case(uniform(2, 3, 5), uniform(5, 4), uniform(4, 2, 3), transpose_a=True, transpose_b=True),
    ],
)
def _dot_grad_lhs(data, rhs, like, *, transpose_a: bool = False, transpose_b: bool = False, out):
    """The gradient of lhs in `dot`, from that of the result and from rhs; it has the shape of `like`."""
    b = as_matrix(rhs, not transpose_b)
    columns = b.shape[0] if transpose_b else b.shape[1]
    g = fold(data, (product(data.shape[: data.ndim - rhs.ndim + 1]), columns))
    if transpose_a:
        return product_into(like.shape, b, g, transpose_b, True, out)
    return product_into(like.shape, g, b, False, not transpose_b, out)


def grad_rhs_reference(g, lhs, like, transpose_a=False, transpose_b=False):
    others = tuple(range(1, lhs.ndim)) if transpose_a else tuple(range(lhs.ndim - 1))
    result = np.tensordot(lhs, g, (others, tuple(range(len(others)))))
    return np.moveaxis(result, 0, -1) if transpose_b else result


@op(
    grad=(
        lambda g, lhs, transpose_a, transpose_b: dot(
            lhs, g, transpose_a=transpose_a, transpose_b=transpose_b
        ),
        lambda g, data, lhs, transpose_a, transpose_b: _dot_grad_lhs(
            data, g, lhs, transpose_a=transpose_a, transpose_b=transpose_b
        ),
        None,
    ),
    shape=lambda data, lhs, like: like,
    free=("like",),
    shape_only=("like",),
    ref=grad_rhs_reference,
    kinds="fc",
    storage=DOT_GRAD_RHS,
    cases=[
        case(uniform(2, 4), uniform(2, 3), uniform(3, 4)),
        case(uniform(2, 3, 5), uniform(4, 2, 3), uniform(5, 4), transpose_a=True, transpose_b=True),
    ],
)
def _dot_grad_rhs(data, lhs, like, *, transpose_a: bool = False, transpose_b: bool = False, out):
    """The gradient of rhs in `dot`, from that of the result and from lhs; it has the shape of `like`."""
    a = as_matrix(lhs, transpose_a)
    rows = a.shape[1] if transpose_a else a.shape[0]
    g = fold(data, (rows, product(data.shape[lhs.ndim - 1 :])))
    if transpose_b:
        return product_into(like.shape, g, a, True, transpose_a, out)
    return product_into(like.shape, a, g, not transpose_a, False, out)


# --- products of many matrices -------------------------------------------------------------------------
def batch_dot_shape(lhs, rhs, transpose_a, transpose_b):
    if len(lhs) < 3 or len(lhs) != len(rhs) or lhs[:-2] != rhs[:-2]:
        expected = f"batches of matrices as lhs {describe(lhs)} has, of 3 dimensions or more"
        raise ShapeError(message("batch_dot", "rhs", expected, describe(rhs)))
    rows, left = (lhs[-1], lhs[-2]) if transpose_a else (lhs[-2], lhs[-1])
    right, columns = (rhs[-1], rhs[-2]) if transpose_b else (rhs[-2], rhs[-1])
    if left != right:
        raise ShapeError(
            message("batch_dot", "rhs", f"matrices that multiply those of {describe(lhs)}", describe(rhs))
        )
    return (*lhs[:-2], rows, columns)


def batch_grad_lhs(g, rhs, transpose_a, transpose_b):
    if transpose_a:
        return batch_dot(rhs, g, transpose_a=transpose_b, transpose_b=True)
    return batch_dot(g, rhs, transpose_b=not transpose_b)


def batch_grad_rhs(g, lhs, transpose_a, transpose_b):
    if transpose_b:
        return batch_dot(g, lhs, transpose_a=True, transpose_b=transpose_a)
    return batch_dot(lhs, g, transpose_a=not transpose_a)


def turned(x, transpose):
    return np.swapaxes(x, -1, -2) if transpose else x


@op(
    grad=(batch_grad_lhs, batch_grad_rhs),
    shape=batch_dot_shape,
    kinds="fc",
    ref=lambda a, b, transpose_a=False, transpose_b=False: turned(a, transpose_a) @ turned(b, transpose_b),
    cases=[
        case(uniform(2, 3, 4), uniform(2, 4, 5)),
        case(uniform(2, 4, 3), uniform(2, 5, 4), transpose_a=True, transpose_b=True),
        case(uniform(2, 4, 3), uniform(2, 4, 5), transpose_a=True),
        case(uniform(2, 2, 3, 4), uniform(2, 2, 5, 4), transpose_b=True),
        case(uniform(0, 2, 3), uniform(0, 3, 2)),
        raises(
            ShapeError, uniform(3, 4), uniform(4, 5), match="batch_dot(rhs): expected batches of matrices"
        ),
    ],
)
def batch_dot(
    lhs, rhs, *, transpose_a: bool = False, transpose_b: bool = False, forward_stype: Storage = None, out
):
    """Products of the matrices in the last two axes, one for every entry of the axes before."""
    return matmul(lhs, rhs, transpose_a=transpose_a, transpose_b=transpose_b, out=out)


@op(
    name="_linalg_gemm2",
    kinds="fc",
    grad=(
        lambda g, A, B, transpose_a, transpose_b, alpha, axis: turn(
            gemm2_grad_lhs(turn(g, axis), turn(B, axis), transpose_a, transpose_b, alpha), axis
        ),
        lambda g, A, B, transpose_a, transpose_b, alpha, axis: turn(
            gemm2_grad_rhs(turn(g, axis), turn(A, axis), transpose_a, transpose_b, alpha), axis
        ),
    ),
    shape=lambda A, B, transpose_a, transpose_b, axis: product_shape(
        "_linalg_gemm2", {"A": A, "B": B}, transpose_a, transpose_b, axis
    ),
    ref=lambda a, b, transpose_a=False, transpose_b=False, alpha=1.0, axis=-2: (
        alpha
        * np.swapaxes(
            turned(np.swapaxes(a, axis, -2), transpose_a) @ turned(np.swapaxes(b, axis, -2), transpose_b),
            axis,
            -2,
        )
    ),
    cases=[
        case(uniform(2, 3), uniform(3, 4)),
        case(uniform(2, 4, 3), uniform(2, 5, 4), transpose_a=True, transpose_b=True, alpha=2.0),
        case(uniform(3, 2, 4), uniform(4, 2, 5), axis=0, alpha=0.5),
        case(uniform(4, 2, 3), uniform(5, 2, 4), axis=-3, transpose_a=True, transpose_b=True),
        raises(
            ShapeError,
            uniform(2, 3),
            uniform(3, 4),
            axis=-1,
            match="_linalg_gemm2(A): expected matrices with their rows along axis -1, got (2, 3)",
        ),
    ],
)
def linalg_gemm2(
    A, B, *, transpose_a: bool = False, transpose_b: bool = False, alpha: float = 1.0, axis: int = -2, out
):
    """alpha times the product of matrices, whose rows lie along `axis` and columns along the last axis."""
    if axis % A.ndim != A.ndim - 2:
        attrs = {"transpose_a": transpose_a, "transpose_b": transpose_b, "alpha": alpha, "axis": -2}
        (product,) = linalg_gemm2.compute([rows_last(A, axis), rows_last(B, axis)], attrs)
        return SwapAxis.compute([product], {"dim1": axis, "dim2": -2}, [out])[0]
    result = matmul(A, B, transpose_a=transpose_a, transpose_b=transpose_b, out=out)
    if alpha != 1.0:
        find("_mul_scalar").compute([result], {"scalar": alpha, "is_int": False}, [result])
    return result


def gemm2_shape(A, B, transpose_a, transpose_b):
    added = len(A) == 2
    left, right = ((1, *A), (1, *B)) if added else (A, B)
    shape = batch_dot_shape(left, right, transpose_a, transpose_b)
    return shape[1:] if added else shape


def gemm2_grad_lhs(g, B, transpose_a, transpose_b, alpha):
    if transpose_a:
        return linalg_gemm2(B, g, transpose_a=transpose_b, transpose_b=True, alpha=alpha)
    return linalg_gemm2(g, B, transpose_b=not transpose_b, alpha=alpha)


def gemm2_grad_rhs(g, A, transpose_a, transpose_b, alpha):
    if transpose_b:
        return linalg_gemm2(g, A, transpose_a=True, transpose_b=transpose_a, alpha=alpha)
    return linalg_gemm2(A, g, transpose_a=not transpose_a, alpha=alpha)


# --- gemm: the product added to a matrix -----------------------------------------------------------------
def rows_last(x, axis):
    """x with the axis of the rows in front of that of the columns, its place in MXNet's `axis`."""
    return x if axis % x.ndim == x.ndim - 2 else SwapAxis.compute([x], {"dim1": axis, "dim2": -2})[0]


def exchange(shape, axis):
    order = list(shape)
    order[axis], order[-2] = order[-2], order[axis]
    return tuple(order)


def product_shape(op, shapes, transpose_a, transpose_b, axis):
    """The shape of the product of the first two of these matrices, by name."""
    for name, shape in shapes.items():
        if len(shape) < 2 or not -len(shape) <= axis < len(shape) - 1 or axis == -1:
            expected = f"matrices with their rows along axis {axis}"
            raise ShapeError(message(op, name, expected, describe(shape)))
    left, right = exchange(shapes["A"], axis), exchange(shapes["B"], axis)
    return exchange(gemm2_shape(left, right, transpose_a, transpose_b), axis)


def gemm_shape(A, B, C, transpose_a, transpose_b, axis):
    found = product_shape("_linalg_gemm", {"A": A, "B": B, "C": C}, transpose_a, transpose_b, axis)
    if found != C:
        raise ShapeError(message("_linalg_gemm", "C", f"shape {describe(found)} of the product", describe(C)))
    return C


def turn(x, axis):
    """x with the axis of the rows exchanged with the one before the last."""
    return x if axis == -2 else SwapAxis(x, dim1=axis, dim2=-2)


def gemm_grad(g, A, B, transpose_a, transpose_b, alpha, beta, axis):
    left, right, head = turn(A, axis), turn(B, axis), turn(g, axis)
    return (
        turn(gemm2_grad_lhs(head, right, transpose_a, transpose_b, alpha), axis),
        turn(gemm2_grad_rhs(head, left, transpose_a, transpose_b, alpha), axis),
        g * beta,
    )


@op(
    name="_linalg_gemm",
    kinds="f",
    grad=gemm_grad,
    shape=gemm_shape,
    ref=lambda a, b, c, transpose_a=False, transpose_b=False, alpha=1.0, beta=1.0, axis=-2: (
        alpha
        * np.swapaxes(
            turned(np.swapaxes(a, axis, -2), transpose_a) @ turned(np.swapaxes(b, axis, -2), transpose_b),
            axis,
            -2,
        )
        + beta * c
    ),
    cases=[
        case(uniform(2, 3), uniform(3, 4), uniform(2, 4)),
        case(
            uniform(2, 4, 3),
            uniform(2, 5, 4),
            uniform(2, 3, 5),
            transpose_a=True,
            transpose_b=True,
            alpha=2.0,
            beta=-0.5,
        ),
        case(uniform(3, 2, 4), uniform(4, 2, 5), uniform(3, 2, 5), axis=0),
        raises(
            ShapeError,
            uniform(2, 3),
            uniform(3, 4),
            uniform(4, 2),
            match="_linalg_gemm(C): expected shape (2, 4) of the product, got (4, 2)",
        ),
    ],
)
def linalg_gemm(
    A,
    B,
    C,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    alpha: float = 1.0,
    beta: float = 1.0,
    axis: int = -2,
    out,
):
    """alpha op(A) op(B) + beta C; the rows of the matrices lie along `axis`, the columns along the last."""
    attrs = {"transpose_a": transpose_a, "transpose_b": transpose_b, "alpha": alpha, "axis": -2}
    product = linalg_gemm2.compute([rows_last(A, axis), rows_last(B, axis)], attrs)[0]
    term = C if beta == 1.0 else find("_mul_scalar").compute([C], {"scalar": beta, "is_int": False})[0]
    target = None if out is None else [out]
    return find("elemwise_add").compute([rows_last(product, axis), term], {}, target)[0]
