"""Factors, triangles and determinants of matrices, the last two axes of arrays (MXNet's `linalg`).

Gradients: Walter, "Structured higher-order algorithmic differentiation", and Giles, "An extended collection
of matrix derivative results" (2008).
"""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Any

import numpy as np

from .._launch import empty_like
from ..errors import ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, raises, uniform
from ._declare import op
from ._operator import describe, find
from .linalg import linalg_gemm2, turned
from .shape import expand_dims
from .triangles import (
    _linalg_scale,
    _linalg_triangle,
    definite,
    flipped,
    linalg_makediag,
    square,
    symmetric_of_lower,
    triangular,
)

__all__ = [
    "linalg_det",
    "linalg_gelqf",
    "linalg_inverse",
    "linalg_potrf",
    "linalg_potri",
    "linalg_slogdet",
    "linalg_syevd",
    "linalg_syrk",
    "linalg_trmm",
    "linalg_trsm",
]

SYMMETRIC = "reads one triangle of a symmetric matrix; the gradient is that of the whole matrix"


# --- products ------------------------------------------------------------------------------------------
@op(
    name="_linalg_syrk",
    grad=lambda g, A, transpose, alpha: (
        linalg_gemm2(A, g + flipped(g), alpha=alpha)
        if transpose
        else linalg_gemm2(g + flipped(g), A, alpha=alpha)
    ),
    shape=lambda A, transpose: (*A[:-2], *((A[-1],) * 2 if transpose else (A[-2],) * 2)),
    ref=lambda a, transpose=False, alpha=1.0: alpha * turned(a, transpose) @ turned(a, not transpose),
    kinds="f",
    cases=[case(uniform(2, 3)), case(uniform(2, 2, 3), transpose=True, alpha=0.5)],
)
def linalg_syrk(A, *, transpose: bool = False, alpha: float = 1.0, out):
    """alpha A Aᵀ, or alpha Aᵀ A with `transpose`."""
    attrs = {"transpose_a": transpose, "transpose_b": not transpose, "alpha": alpha, "axis": -2}
    return linalg_gemm2.compute([A, A], attrs, None if out is None else [out])[0]


def triangle_product_shape(name: str, A: tuple, B: tuple, rightside: bool) -> tuple:
    n = square(name, A)[-1]
    if len(B) != len(A) or A[:-2] != B[:-2] or B[-1 if rightside else -2] != n:
        place = "columns" if rightside else "rows"
        raise ShapeError(
            message(name, "B", f"matrices of {n} {place} in the batch of A {describe(A)}", describe(B))
        )
    return B


def trmm_grad_triangle(g, B, transpose, rightside, lower, alpha):
    left, right = (B, g) if rightside != transpose else (g, B)
    whole = linalg_gemm2(left, right, transpose_a=rightside, transpose_b=not rightside, alpha=alpha)
    return _linalg_triangle(whole, lower=lower)


TRIANGLE_ROWS: list[Any] = [
    case(triangular(3, 3), uniform(3, 2)),
    case(triangular(2, 3, 3), uniform(2, 3, 4), transpose=True, alpha=0.5),
    case(triangular(3, 3), uniform(2, 3), rightside=True),
    case(
        triangular(2, 3, 3, lower=False),
        uniform(2, 2, 3),
        rightside=True,
        transpose=True,
        lower=False,
        alpha=-2.0,
    ),
]


def trmm_reference(a, b, transpose=False, rightside=False, lower=True, alpha=1.0):
    a = turned(np.tril(a) if lower else np.triu(a), transpose)
    return alpha * (b @ a if rightside else a @ b)


@op(
    name="_linalg_trmm",
    grad=(
        trmm_grad_triangle,
        lambda g, A, transpose, rightside, lower, alpha: linalg_trmm(
            A, g, transpose=not transpose, rightside=rightside, lower=lower, alpha=alpha
        ),
    ),
    shape=lambda A, B, rightside: triangle_product_shape("_linalg_trmm", A, B, rightside),
    ref=trmm_reference,
    kinds="f",
    cases=[
        *TRIANGLE_ROWS,
        raises(
            ShapeError, uniform(3, 3), uniform(2, 3), match="_linalg_trmm(B): expected matrices of 3 rows"
        ),
    ],
)
def linalg_trmm(
    A, B, *, transpose: bool = False, rightside: bool = False, lower: bool = True, alpha: float = 1.0, out
):
    """alpha op(A) B, or alpha B op(A) with `rightside`; A is triangular, op may transpose it."""
    triangle = _linalg_triangle.compute([A], {"lower": lower, "offset": 0})[0]
    attrs = {"transpose_a": False, "transpose_b": False, "alpha": alpha, "axis": -2}
    attrs["transpose_b" if rightside else "transpose_a"] = transpose
    operands = [B, triangle] if rightside else [triangle, B]
    return linalg_gemm2.compute(operands, attrs, None if out is None else [out])[0]


def trsm_back(g, A, transpose, rightside, lower, alpha):
    return linalg_trsm(A, g, transpose=not transpose, rightside=rightside, lower=lower, alpha=alpha)


def trsm_grad_triangle(g, A, y, transpose, rightside, lower, alpha):
    back = trsm_back(g, A, transpose, rightside, lower, 1.0)
    left, right = (back, y) if rightside == transpose else (y, back)
    whole = linalg_gemm2(left, right, transpose_a=rightside, transpose_b=not rightside, alpha=-1.0)
    return _linalg_triangle(whole, lower=lower)


def trsm_reference(a, b, transpose=False, rightside=False, lower=True, alpha=1.0):
    a = turned(np.tril(a) if lower else np.triu(a), transpose)
    if rightside:
        return alpha * turned(np.linalg.solve(turned(a, True), turned(b, True)), True)
    return alpha * np.linalg.solve(a, b)


@op(
    name="_linalg_trsm",
    grad=(trsm_grad_triangle, trsm_back),
    shape=lambda A, B, rightside: triangle_product_shape("_linalg_trsm", A, B, rightside),
    ref=trsm_reference,
    kinds="f",
    cases=[
        *TRIANGLE_ROWS,
        raises(ShapeError, uniform(3, 2), uniform(3, 3), match="_linalg_trsm(A): expected square matrices"),
    ],
)
def linalg_trsm(
    A, B, *, transpose: bool = False, rightside: bool = False, lower: bool = True, alpha: float = 1.0, out
):
    """The solution X of op(A) X = alpha B, or of X op(A) = alpha B with `rightside`; A is triangular."""
    if rightside:
        solved = kernels.solve_triangular(A, flip_view(B), lower, not transpose)
        result = kernels.copy(flip_view(solved), out=out)
    else:
        result = kernels.solve_triangular(A, B, lower, transpose, out=out)
    return scaled(result, alpha)


def flip_view(x):
    return x._transpose_view((*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def scaled(x, alpha):
    """x times a number, in place."""
    if alpha != 1.0:
        find("_mul_scalar").compute([x], {"scalar": alpha, "is_int": False}, [x])
    return x


# --- factors -------------------------------------------------------------------------------------------
def potrf_gradient(g, y, lower):
    factor, g = (y, g) if lower else (flipped(y), flipped(g))
    middle = symmetric_of_lower(linalg_gemm2(factor, g, transpose_a=True))
    left = linalg_trsm(factor, middle, transpose=True, alpha=0.5)
    return linalg_trsm(factor, left, rightside=True)


@op(
    name="_linalg_potrf",
    grad=potrf_gradient,
    grad_check=SYMMETRIC,
    shape=lambda A: square("_linalg_potrf", A),
    ref=lambda a, lower=True: turned(np.linalg.cholesky(a), not lower),
    kinds="f",
    cases=[
        case(definite(3, 3)),
        case(definite(2, 3, 3), lower=False),
        raises(ShapeError, uniform(2, 3), match="_linalg_potrf(A): expected square matrices"),
    ],
)
def linalg_potrf(A, *, lower: bool = True, out):
    """The Cholesky factor L of symmetric positive definite matrices A = L Lᵀ; its transpose if not `lower`.

    Raises `ValueError` when the result is read if a matrix is not positive definite.
    """
    if lower:
        return kernels.cholesky(A, out=out)
    return kernels.copy(flip_view(kernels.cholesky(A)), out=out)


def potri_gradient(g, A, y, lower):
    whole = g + flipped(g)
    if lower:
        back = linalg_trsm(A, linalg_gemm2(y, whole), transpose=True, rightside=True, alpha=-1.0)
    else:
        back = linalg_trsm(A, linalg_gemm2(whole, y), transpose=True, lower=False, alpha=-1.0)
    return _linalg_triangle(back, lower=lower)


def potri_reference(a, lower=True):
    factor = np.tril(a) if lower else np.triu(a)
    return np.linalg.inv(turned(factor, not lower) @ turned(factor, lower))


@op(
    name="_linalg_potri",
    grad=potri_gradient,
    shape=lambda A: square("_linalg_potri", A),
    ref=potri_reference,
    kinds="f",
    cases=[case(triangular(3, 3)), case(triangular(2, 3, 3, lower=False), lower=False)],
)
def linalg_potri(A, *, lower: bool = True, out):
    """The inverse of the matrix whose Cholesky factor is A."""
    n = A.shape[-1]
    identity = kernels.eye(n, n, 0, A.dtype, out=empty_like(A, (n, n)))._broadcast_view(A.shape)
    inverted = kernels.solve_triangular(A, identity, lower, False)
    attrs = {"transpose": lower, "alpha": 1.0}
    return linalg_syrk.compute([inverted], attrs, None if out is None else [out])[0]


def gelqf_gradient(g_outputs, output0, output1):
    g_q, g_l = g_outputs
    terms = []
    if g_l is not None:
        terms.append(linalg_gemm2(output1, g_l, transpose_a=True))
    if g_q is not None:
        terms.append(linalg_gemm2(g_q, output0, transpose_b=True, alpha=-1.0))
    inner = linalg_gemm2(symmetric_of_lower(sum(terms[1:], terms[0])), output0)
    return linalg_trsm(output1, inner if g_q is None else g_q + inner, transpose=True)


def gelqf_reference(a):
    q, r = np.linalg.qr(np.swapaxes(a, -1, -2))
    return [np.swapaxes(q, -1, -2), np.swapaxes(r, -1, -2)]


def gelqf_shape(A):
    if len(A) < 2 or A[-2] > A[-1]:
        raise ShapeError(
            message("_linalg_gelqf", "A", "matrices with no more rows than columns", describe(A))
        )
    return [A, (*A[:-1], A[-2])]


@op(
    name="_linalg_gelqf",
    grad=gelqf_gradient,
    shape=gelqf_shape,
    outputs=("output0", "output1"),
    ref=gelqf_reference,
    kinds="f",
    cases=[
        case(uniform(2, 3)),
        case(uniform(2, 2, 2)),
        raises(ShapeError, uniform(3, 2), match="_linalg_gelqf(A): expected matrices with no more rows"),
    ],
)
def linalg_gelqf(A, *, out):
    """The factors Q, with orthonormal rows, and L, lower triangular, of A = L Q."""
    return kernels.lq(A, out=out)


def syevd_gradient(g_outputs, output0, output1):
    g_vectors, g_values = g_outputs
    middle = None if g_values is None else linalg_makediag(g_values)
    if g_vectors is not None:
        turn = linalg_gemm2(g_vectors, output0, transpose_b=True)
        gaps = find("broadcast_sub")(expand_dims(output1, axis=-1), expand_dims(output1, axis=-2))
        identity = linalg_makediag(find("ones_like")(output1))
        rotation = 0.5 * (turn - flipped(turn)) / (gaps + identity)
        middle = rotation if middle is None else middle + rotation
    return linalg_gemm2(linalg_gemm2(output0, middle, transpose_a=True), output0)


def upright(vectors, out):
    """Rows with their element of largest magnitude positive: the sign of an eigenvector is free."""
    place = find("argmax").parse_attrs({"axis": -1})
    largest = find("argmax").compute([find("abs").compute([vectors], {})[0]], place)[0]
    chosen = find("pick").compute(
        [vectors, largest], find("pick").parse_attrs({"axis": -1, "keepdims": True})
    )
    signs = find("sign").compute(chosen, {})[0]
    return find("broadcast_mul").compute([vectors, signs], {}, None if out is None else [out])[0]


def syevd_reference(a):
    values, vectors = np.linalg.eigh(a)
    rows = np.swapaxes(vectors, -1, -2)
    largest = np.take_along_axis(rows, np.abs(rows).argmax(-1)[..., None], -1)
    return [rows * np.sign(largest), values]


def eigenvalue_shapes(A):
    return [square("_linalg_syevd", A), A[:-1]]


@op(
    name="_linalg_syevd",
    grad=syevd_gradient,
    grad_check=SYMMETRIC,
    shape=eigenvalue_shapes,
    outputs=("output0", "output1"),
    ref=syevd_reference,
    kinds="f",
    cases=[case(definite(3, 3)), case(definite(2, 3, 3))],
)
def linalg_syevd(A, *, out):
    """Eigenvectors U, as rows, and ascending eigenvalues L of symmetric matrices: U A = diag(L) U.

    The element of largest magnitude of an eigenvector is positive.
    """
    values, vectors = kernels.eigh(A, out=(out[1], None))
    return [upright(flip_view(vectors), out[0]), values]


# --- inverse and determinants --------------------------------------------------------------------------
def inverse_gradient(g, y):
    back = linalg_gemm2(y, g, transpose_a=True)
    return linalg_gemm2(back, y, transpose_b=True, alpha=-1.0)


@op(
    name="_linalg_inverse",
    grad=inverse_gradient,
    shape=lambda A: square("_linalg_inverse", A),
    ref=np.linalg.inv,
    kinds="f",
    cases=[case(definite(3, 3)), case(triangular(2, 3, 3))],
)
def linalg_inverse(A, *, out):
    """The inverse of every matrix; `ValueError` when the result is read if one is singular."""
    return kernels.inverse(A, out=out)


@op(
    name="_linalg_det",
    grad=lambda g, A, y: _linalg_scale(flipped(linalg_inverse(A)), g * y),
    shape=lambda A: square("_linalg_det", A)[:-2],
    ref=np.linalg.det,
    kinds="f",
    outputs=("output0",),
    cases=[case(definite(3, 3)), case(triangular(2, 3, 3))],
)
def linalg_det(A, *, out):
    """The determinant of every matrix."""
    return kernels.determinant(A, out=out)


@op(
    name="_linalg_slogdet",
    grad=lambda g_output1, A: (
        None if g_output1 is None else _linalg_scale(flipped(linalg_inverse(A)), g_output1)
    ),
    shape=lambda A: [square("_linalg_slogdet", A)[:-2]] * 2,
    ref=lambda a: [*np.linalg.slogdet(a)],
    kinds="f",
    outputs=("output0", "output1"),
    cases=[case(definite(3, 3)), case(triangular(2, 3, 3))],
)
def linalg_slogdet(A, *, out):
    """The sign and the logarithm of the absolute value of the determinant of every matrix."""
    return kernels.slogdet(A, out=out)
