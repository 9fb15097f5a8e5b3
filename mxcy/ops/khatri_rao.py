"""Khatri-Rao product: the Kronecker products of columns."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from ..errors import ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, raises, uniform
from ._declare import op
from ._operator import describe
from .attention import eager


def as_view(x, shape):
    view = x._reshape_view(shape)
    return kernels.copy(x)._reshape_view(shape) if view is None else view


def pair_shape(data, other):
    if len(data) != 2 or len(other) != 2 or data[1] != other[1]:
        expected = f"matrices with as many columns as {describe(data)}"
        raise ShapeError(message("khatri_rao", "args", expected, describe(other)))
    return (data[0] * other[0], data[1])


def pair_reference(a, b):
    return (a[:, None] * b[None]).reshape(-1, a.shape[1])


@op(
    grad=(
        lambda g, data, other: _khatri_rao_back(g, other, data, inner=True),
        lambda g, data, other: _khatri_rao_back(g, data, other, inner=False),
    ),
    shape=pair_shape,
    kinds="f",
    ref=pair_reference,
    cases=[case(uniform(2, 3), uniform(4, 3))],
)
def _khatri_rao_pair(data, other, *, out):
    """The products of all rows of data with all rows of other."""
    (m, c), n = data.shape, other.shape[0]
    made = eager("broadcast_mul", as_view(data, (m, 1, c)), as_view(other, (1, n, c)))
    return kernels.copy(made._reshape_view((m * n, c)), out=out)


def back_reference(g, other, like, inner=True):
    folded = (len(like), len(other), -1) if inner else (len(other), len(like), -1)
    return (g.reshape(folded) * (other[None] if inner else other[:, None])).sum(1 if inner else 0)


def back_of_data(g, other, inner):
    return _khatri_rao_pair(g, other) if inner else _khatri_rao_pair(other, g)


def back_of_other(g, data, other, inner):
    return _khatri_rao_back(data, g, other, inner=not inner)


@op(
    grad=(back_of_data, back_of_other, None),
    shape=lambda like: like,
    shape_only=("like",),
    kinds="f",
    ref=back_reference,
    cases=[
        case(uniform(8, 3), uniform(4, 3), uniform(2, 3)),
        case(uniform(8, 3), uniform(2, 3), uniform(4, 3), inner=False),
    ],
)
def _khatri_rao_back(data, other, like, *, inner: bool = True, out):
    """data times the rows of other, summed over them: they change fastest in data if `inner`."""
    (m, c), n = like.shape, other.shape[0]
    folded, wide = ((m, n, c), (1, n, c)) if inner else ((n, m, c), (n, 1, c))
    made = eager("broadcast_mul", as_view(data, folded), as_view(other, wide))
    return kernels.copy(eager("sum", made, axis=1 if inner else 0), out=out)


def product_shape(args):
    shape = args[0]
    for other in args[1:]:
        shape = pair_shape(shape, other)
    return shape


def product_gradient(g, args):
    """Along the chain of products, from its end."""
    made = [args[0]]
    for other in args[1:-1]:
        made.append(_khatri_rao_pair(made[-1], other))
    found = []
    for before, other in zip(reversed(made[: len(args) - 1]), reversed(args[1:]), strict=True):
        found.append(_khatri_rao_back(g, before, other, inner=False))
        g = _khatri_rao_back(g, other, before, inner=True)
    return [g, *reversed(found)]


def product_reference(first, *others):
    for other in others:
        first = pair_reference(first, other)
    return first


@op(
    grad=product_gradient,
    shape=product_shape,
    kinds="f",
    ref=product_reference,
    cases=[
        case(uniform(2, 3), uniform(4, 3)),
        case(uniform(2, 2), uniform(3, 2), uniform(2, 2)),
        case(uniform(2, 2)),
        raises(
            ShapeError, uniform(2, 3), uniform(2, 2), match="khatri_rao(args): expected matrices with as many"
        ),
    ],
)
def khatri_rao(*args, out):
    """The column-wise Kronecker product of matrices (n_i, columns): (product of the n_i, columns)."""
    made = args[0]
    for other in args[1:]:
        made = eager("_khatri_rao_pair", made, other)
    return kernels.copy(made, out=out)
