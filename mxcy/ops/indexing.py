"""Selection by arrays of indices: take, pick, one_hot, where, gather, scatter, embeddings.

Indices may have any dtype, as in MXNet: floating-point ones are truncated.
"""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Literal

import numpy as np

from ..errors import ArgumentError, ArrayIndexError, AxisError, ShapeError, message
from ..kernels import cpu as kernels
from ._attributes import Axis, DType, Shape
from ._cases import case, given, integers, raises, uniform
from ._declare import ZERO, layer, op
from ._elementwise import normalize_axis
from ._layer import known
from ._operator import describe, find, unify_shapes
from ._sparse import TAKE_GRAD, TAKES, TAKES_ROWS, quietly
from ._storage import Maker, rule
from .slicing import apart

FLOAT32 = np.dtype("float32")


def zeros_like(x):
    return find("zeros_like")(x)


# --- where ---------------------------------------------------------------------------------------------
def where_shape(condition, x, y):
    unify_shapes("where", ("x", "y"), (x, y))
    if condition != x and condition != x[:1]:
        expected = f"shape {describe(x)} or {describe(x[:1])}"
        raise ShapeError(message("where", "condition", expected, describe(condition)))
    return x


def where_infer(in_shapes, attrs, out_shapes=None):
    """x, y and the result have one shape, and so has a condition of as many dimensions, in all directions."""
    condition, *choices = in_shapes
    result = None if out_shapes is None else out_shapes[0]
    common = unify_shapes("where", ("x", "y", "output"), (*choices, result))
    if common is None:
        return [condition, common, common], [common], []
    if condition is not None and len(condition) == len(common):
        condition = common = unify_shapes("where", ("x", "condition"), (common, condition))
    if known(condition) and known(common):
        where_shape(condition, common, common)
    return [condition, common, common], [common], []


def where_reference(c, x, y):
    if c.ndim < x.ndim:
        c = c.reshape(c.shape + (1,) * (x.ndim - 1))
    return np.where(c != 0, x, y)


@op(
    grad=(
        None,
        lambda g, condition: where(condition, g, zeros_like(g)),
        lambda g, condition: where(condition, zeros_like(g), g),
    ),
    shape=where_shape,
    infer=where_infer,
    free=("condition",),
    dtype=lambda x: x,
    ref=where_reference,
    storage=[rule("csr, default, default -> default", quietly)],
    cases=[
        case(integers(2, 3, high=2), uniform(2, 3), uniform(2, 3)),
        case(given([1.0, 0.0], "float32"), uniform(2, 3), uniform(2, 3)),
        case(given([True, False], "bool"), uniform(2), uniform(2)),
        case(integers(0, 3), uniform(0, 3), uniform(0, 3)),
        raises(
            ShapeError, integers(2), uniform(1), uniform(2), match="where(y): expected shape (1,), got (2,)"
        ),
        raises(
            ShapeError, integers(3), uniform(2), uniform(2), match="where(condition): expected shape (2,)"
        ),
    ],
)
def where(condition, x, y, *, out):
    """x where the condition is not 0, else y; a condition of one dimension chooses rows."""
    if condition.ndim < x.ndim:
        condition = condition._reshape_view((*condition.shape, *(1,) * (x.ndim - condition.ndim)))
    return kernels.where(condition, x, y, out=out)


# --- take ----------------------------------------------------------------------------------------------
PLACES = {"clip": "clip", "wrap": "wrap", "raise": "strict"}  # modes of the kernels


def take_shape(a, indices, axis, mode):
    at = normalize_axis("take", axis, len(a))
    count = 1
    for extent in indices:
        count *= extent
    if a[at] == 0 and count:
        raise ArrayIndexError(message("take", "a", "at least one element to take", f"shape {describe(a)}"))
    return (*a[:at], *indices, *a[at + 1 :])


def take_reference(x, indices, axis=0, mode="clip"):
    indices = np.trunc(indices).astype(int)
    return np.take(
        x, np.clip(indices, 0, x.shape[axis] - 1) if mode == "clip" else indices, axis=axis, mode=mode
    )


@op(
    grad=(lambda g, a, indices, axis, mode: _take_grad(g, indices, a, axis=axis, mode=mode), None),
    shape=take_shape,
    free=("indices",),
    dtype=lambda a: a,
    ref=take_reference,
    storage=TAKES,
    cases=[
        case(uniform(3, 2), given([0, 5, -1], "float32")),
        case(uniform(3, 2), given([[0, 5], [-1, 2]], "int32"), mode="wrap"),
        case(uniform(2, 3, 2), given([0, 2, 2, 1], "int64"), axis=1),
        case(uniform(2, 3), given([1.9], "float64"), axis=-1, mode="raise"),
        case(uniform(0, 2), given([0], "int32"), axis=1),
        case(uniform(3), integers(0)),
        raises(AxisError, uniform(3), integers(2), axis=1, match="take(axis): expected an axis"),
        raises(
            ArgumentError, uniform(3), integers(2), mode="foo", match="take(mode): expected one of 'clip'"
        ),
        raises(IndexError, uniform(3), given([0, 5], "int32"), mode="raise", match="out of bounds"),
        raises(IndexError, uniform(3), given([0, -1], "int32"), mode="raise", match="-1 is out of bounds"),
    ],
)
def take(a, indices, *, axis: int = 0, mode: Literal["clip", "wrap", "raise"] = "clip", out):
    """Entries of `a` along an axis; indices outside are clipped, wrapped around, or an error.

    Negative ones are outside, whatever the mode: unlike NumPy's they do not count from the end.
    """
    return kernels.take(a, indices, normalize_axis("take", axis, a.ndim), PLACES[mode], out=out)


def take_grad_reference(g, indices, like, axis=0, mode="clip"):
    total = np.zeros(like.shape, g.dtype)
    size = like.shape[axis]
    flat = np.trunc(indices).astype(int)
    flat = np.clip(flat, 0, size - 1) if mode == "clip" else flat % size
    np.add.at(total, (slice(None),) * (axis % like.ndim) + (flat,), g)
    return total


@op(
    grad=(lambda g, indices, axis, mode: take(g, indices, axis=axis, mode=mode), None, None),
    shape=lambda data, indices, like: like,
    free=("indices", "like"),
    shape_only=("like",),
    dtype=lambda data: data,
    kinds="iuf",
    ref=take_grad_reference,
    form=Maker, storage=TAKE_GRAD,
    cases=[
        case(uniform(3, 2), given([0, 2, 2], "int32"), uniform(3, 2)),
        case(uniform(2, 4, 2), given([0, 2, 2, -1], "int64"), uniform(2, 3, 2), axis=1, mode="wrap"),
    ],
)
def _take_grad(data, indices, like, *, axis: int = 0, mode: Literal["clip", "wrap", "raise"] = "clip",
               sparse_grad: bool = False, out):  # fmt: skip
    """Zeros of the shape of `like`, with entries of data added where `take` would take them from.

    With `sparse_grad` (of axis 0) in row-sparse storage.
    """
    data, axis = apart(data, out), normalize_axis("take", axis, like.ndim)
    return kernels.take_grad(data, apart(indices, out), like.shape, axis, PLACES[mode], out=out)


@op(
    grad=(lambda g, a, indices: _pick_grad(g, indices, a, axis=1), None),
    free=("indices",),
    dtype=lambda a: a,
    shape=lambda a, indices: indices,
    ref=lambda x, indices: np.take_along_axis(x, indices[:, None].astype(int), 1)[:, 0],
    cases=[case(uniform(3, 2), given([0, 1, 0], "int32"))],
)
def batch_take(a, indices, *, out):
    """One entry of every row of a matrix."""
    return kernels.pick(a, indices, 1, out=out)


# --- pick ----------------------------------------------------------------------------------------------
def pick_shape(data, index, axis, keepdims):
    axis = len(data) - 1 if axis is None else normalize_axis("pick", axis, len(data))
    removed = (*data[:axis], *data[axis + 1 :])
    kept = (*data[:axis], 1, *data[axis + 1 :])
    if index not in (removed, kept) and not (removed == () and index == (1,)):
        raise ShapeError(message("pick", "index", f"shape {describe(removed)}", describe(index)))
    return kept if keepdims else removed


def pick_back(data, index, axis):
    """The shape of an index of which nothing is known."""
    if index is not None or data is None:
        return index
    axis = len(data) - 1 if axis is None else normalize_axis("pick", axis, len(data))
    return (*data[:axis], *data[axis + 1 :]) or (1,)


def pick_reference(x, index, axis=-1, keepdims=False, mode="clip"):
    index = np.trunc(index).astype(int)
    size = x.shape[axis]
    index = np.clip(index, 0, size - 1) if mode == "clip" else index % size
    index = index if index.ndim == x.ndim else np.expand_dims(index, axis)
    picked = np.take_along_axis(x, index, axis)
    return picked if keepdims else picked.squeeze(axis)


@op(
    grad=(
        lambda g, data, index, axis, keepdims, mode: _pick_grad(
            g, index, data, axis=axis, keepdims=keepdims, mode=mode
        ),
        None,
    ),
    shape=pick_shape,
    back=lambda data, index, axis: [data, pick_back(data, index, axis)],
    free=("index",),
    dtype=lambda data: data,
    ref=pick_reference,
    cases=[
        case(uniform(2, 3), given([0, 7], "float32")),
        case(uniform(2, 3), given([0, 1, 1], "int32"), axis=0),
        case(uniform(2, 3), given([[0], [-1]], "int32"), keepdims=True, mode="wrap"),
        case(uniform(2, 3, 4), integers(2, 4, high=3), axis=1),
        raises(ShapeError, uniform(2, 3), integers(4), match="pick(index): expected shape (2,), got (4,)"),
    ],
)
def pick(
    data, index, *, axis: Axis = -1, keepdims: bool = False, mode: Literal["clip", "wrap"] = "clip", out
):
    """One entry along an axis for every position on the others."""
    return kernels.pick(data, index, -1 if axis is None else axis, mode, keepdims, out=out)


@op(
    grad=(
        lambda g, index, axis, keepdims, mode: pick(g, index, axis=axis, keepdims=keepdims, mode=mode),
        None,
        None,
    ),
    shape=lambda data, index, like: like,
    free=("index", "like"),
    shape_only=("like",),
    dtype=lambda data: data,
    kinds="iuf",
    ref=lambda g, index, like, axis=-1, keepdims=False, mode="clip": pick_grad_reference(
        g, index, like, axis, keepdims, mode
    ),
    cases=[
        case(uniform(2), given([0, 7], "float32"), uniform(2, 3)),
        case(uniform(2, 1, 4), integers(2, 4, high=3), uniform(2, 3, 4), axis=1, keepdims=True, mode="wrap"),
    ],
)
def _pick_grad(
    data, index, like, *, axis: Axis = -1, keepdims: bool = False, mode: Literal["clip", "wrap"] = "clip", out
):
    """Zeros of the shape of `like`, with data in the places that `pick` would read."""
    data, index = apart(data, out), apart(index, out)
    return kernels.pick_grad(data, index, like.shape, -1 if axis is None else axis, mode, out=out)


def pick_grad_reference(g, index, like, axis, keepdims, mode):
    index = np.trunc(index).astype(int)
    size = like.shape[axis]
    index = np.clip(index, 0, size - 1) if mode == "clip" else index % size
    index = index if index.ndim == like.ndim else np.expand_dims(index, axis)
    total = np.zeros(like.shape, g.dtype)
    np.put_along_axis(total, index, g if keepdims else np.expand_dims(g, axis), axis)
    return total


# --- one_hot -------------------------------------------------------------------------------------------
def one_hot_reference(x, depth, on_value=1.0, off_value=0.0, dtype="float32"):
    return np.where(np.trunc(x)[..., None] == np.arange(depth), on_value, off_value).astype(dtype)


@op(
    grad=ZERO,
    shape=lambda indices, depth: (*indices, depth),
    dtype=lambda dtype: dtype,
    kinds="iuf",
    ref=one_hot_reference,
    cases=[
        case(given([0, 2, 5, -1]), depth=3),
        case(integers(2, 3), depth=4, on_value=5, off_value=-1, dtype="int32"),
        case(given([1.7], "float32"), depth=3, dtype="float64"),
        case(uniform(0), depth=3),
        raises(ArgumentError, integers(2), depth=-1, match="one_hot(depth): expected at least 0, got -1"),
    ],
)
def one_hot(
    indices,
    *,
    depth: int,
    on_value: float = 1.0,
    off_value: float = 0.0,
    dtype: DType = FLOAT32,
    out,
):
    """Rows of off_value with on_value at each index; all off for indices outside."""
    if depth < 0:
        raise ArgumentError(message("one_hot", "depth", "at least 0", depth))
    return kernels.one_hot(indices, depth, on_value, off_value, dtype, out=out)


# --- gather and scatter --------------------------------------------------------------------------------
def gather_shape(data, indices):
    if not indices or indices[0] > len(data):
        expected = f"at most {len(data)} rows, one per axis of data"
        raise ShapeError(message("gather_nd", "indices", expected, f"shape {describe(indices)}"))
    return (*indices[1:], *data[indices[0] :])


@op(
    grad=(lambda g, data, indices: _gather_grad(g, indices, data), None),
    shape=gather_shape,
    free=("indices",),
    dtype=lambda data: data,
    ref=lambda x, i: x[tuple(np.trunc(i).astype(int))],
    cases=[
        case(uniform(2, 3), given([[0, 1], [1, 0]], "int32")),
        case(uniform(2, 3, 4), given([[0, 1, 1]], "float32")),
        raises(ShapeError, uniform(2), integers(2, 3), match="gather_nd(indices): expected at most 1 rows"),
    ],
)
def gather_nd(data, indices, *, out):
    """Entries of data at the columns of `indices`, which has one row per leading axis."""
    return kernels.gather_nd(data, indices, out=out)


def add_at(values, indices, shape):
    total = np.zeros(shape, values.dtype)
    np.add.at(total, tuple(np.trunc(indices).astype(int)), values)
    return total


@op(
    grad=(lambda g, indices: gather_nd(g, indices), None, None),
    shape=lambda data, indices, like: like,
    free=("indices", "like"),
    shape_only=("like",),
    dtype=lambda data: data,
    kinds="iuf",
    ref=lambda x, i, like: add_at(x, i, like.shape),
    cases=[case(uniform(3), given([[0, 1, 0], [1, 0, 1]], "int32"), uniform(2, 3))],
)
def _gather_grad(data, indices, like, *, out):
    """Zeros of the shape of `like`, with data added where `gather_nd` would read."""
    return kernels.scatter_nd(apart(data, out), apart(indices, out), like.shape, accumulate=True, out=out)


def set_at(values, indices, shape):
    total = np.zeros(shape, values.dtype)
    total[tuple(np.trunc(indices).astype(int))] = values
    return total


@op(
    grad=(lambda g, indices: gather_nd(g, indices), None),
    shape=lambda data, indices, shape: shape,
    free=("indices",),
    dtype=lambda data: data,
    ref=set_at,
    cases=[
        case(uniform(2), given([[0, 1], [1, 0]], "int32"), shape=(2, 2)),
        case(uniform(2, 3), given([[2, 0]], "float32"), shape=(4, 3)),
    ],
)
def scatter_nd(data, indices, *, shape: Shape, out):
    """Zeros of a shape with data at the columns of `indices`; of equal columns one wins."""
    return kernels.scatter_nd(apart(data, out), apart(indices, out), shape, out=out)


@layer(
    free=("data",),
    kinds="biuf",
    ref=lambda x, w, **attrs: w[np.clip(np.trunc(x).astype(int), 0, len(w) - 1)],
    storage=TAKES_ROWS,
    cases=[
        case(given([0.0, 2.0, 9.0], "float32"), uniform(3, 2), input_dim=3, output_dim=2),
        case(integers(2, 3, high=4), uniform(4, 2), input_dim=4, output_dim=2),
        raises(
            ShapeError,
            integers(2),
            uniform(3, 4),
            input_dim=4,
            output_dim=3,
            match="Embedding(weight): expected shape (4, 3) from data (2,), got (3, 4); transpose it",
        ),
        raises(
            ArgumentError,
            integers(2),
            uniform(3, 4),
            input_dim=-3,
            output_dim=4,
            match="Embedding(input_dim): expected at least 1, got -3",
        ),
    ],
)
class Embedding:
    """Rows of a weight matrix (input_dim, output_dim) chosen by indices; those outside are clipped.

    With `sparse_grad` the gradient of the weight is in row-sparse storage.
    """

    input_dim: int
    output_dim: int
    dtype: DType = np.dtype("float32")
    sparse_grad: bool = False

    def check(self):
        for name in ("input_dim", "output_dim"):
            if getattr(self, name) < 1:
                raise ArgumentError(message("Embedding", name, "at least 1", getattr(self, name)))

    def assumed_dtype(self):
        return self.dtype

    def infer(self, out, data, weight):
        shape = None if data is None else (*data, self.output_dim)
        return (data, (self.input_dim, self.output_dim)), (shape,)

    def forward(self, data, weight, *, out):
        return kernels.take(weight, data, 0, "clip", out=out)

    def backward(self, g, data, weight):
        return None, _take_grad(g, data, weight, axis=0, mode="clip", sparse_grad=self.sparse_grad)


@layer(
    name="_contrib_SparseEmbedding",
    grad_check="the gradient has row-sparse storage; see tests/test_sparse_autograd.py",
    free=("data",),
    kinds="f",
    ref=lambda x, w, **attrs: w[np.clip(np.trunc(x).astype(int), 0, len(w) - 1)],
    storage=TAKES_ROWS,
    cases=[case(given([0.0, 2.0, 9.0], "float32"), uniform(3, 2), input_dim=3, output_dim=2)],
)
class _contrib_SparseEmbedding(Embedding.layer_class):  # type: ignore[name-defined]
    """`Embedding` whose weight has a gradient in row-sparse storage, always deterministic."""

    sparse_grad = True
    deterministic: bool = False
