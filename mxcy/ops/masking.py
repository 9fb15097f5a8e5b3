"""`boolean_mask`: an operator whose result has a shape that values decide, so that it waits for them."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from .._launch import array_beside
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, given, raises, uniform
from ._declare import op
from ._layer import Op

__all__ = ["_contrib_boolean_mask"]


class Dynamic(Op):
    """The form of such an operator."""

    dynamic = True

    def compute(self, inputs, attrs, outs=None, is_train=False, face=None):
        """See `Operator.compute`."""
        self._checked(inputs, attrs)
        return [self.function(*inputs, **attrs, out=None if outs is None else outs[0])]


def mask_shape(data, index, axis):
    if axis:
        raise ArgumentError(message("boolean_mask", "axis", "0", axis))
    if len(index) != 1 or not data or data[0] != index[0]:
        expected = f"shape ({data[0] if data else 1},), one number for every row of data"
        raise ShapeError(message("boolean_mask", "index", expected, index))
    return (None, *data[1:])


def chosen(index):
    """The positions of what is not zero."""
    return array_beside(index, np.flatnonzero(index.view_numpy()))


@op(
    form=Dynamic,
    grad=(lambda g, data, index: _boolean_mask_grad(g, index, data), None),
    shape=mask_shape,
    free=("index",),
    dtype=lambda data: data,
    ref=lambda data, index, axis=0: data[index != 0],
    cases=[
        case(uniform(4, 3), given([0, 1, 2, 0], "float32")),
        case(uniform(3), given([0, 0, 0], "int32")),
        raises(
            ShapeError, uniform(3, 2), given([0, 1], "float32"),
            match="boolean_mask(index): expected shape (3,), one number for every row of data, got (2,)",
        ),
        raises(
            ArgumentError, uniform(3, 2), given([0, 1, 1], "float32"), axis=1,
            match="boolean_mask(axis): expected 0, got 1",
        ),
    ],
)  # fmt: skip
def _contrib_boolean_mask(data, index, *, axis: int = 0, out):
    """The rows of data at which index (rows,) is not zero; the gradient of the others is zero."""
    return kernels.take(data, chosen(index), 0, "clip", out=out)


@op(
    form=Dynamic,  # as its gradient is
    grad=(lambda g, index: _contrib_boolean_mask(g, index), None, None),
    shape=lambda like: like,
    free=("index", "like"),
    shape_only=("like",),
    dtype=lambda data: data,
    ref=lambda data, index, like: np.matmul(np.eye(len(index))[:, index != 0], data).astype(data.dtype),
    cases=[case(uniform(2, 3), given([0, 1, 2, 0], "float32"), uniform(4, 3))],
)
def _boolean_mask_grad(data, index, like, *, out):
    """Zeros of the shape of `like`, with the rows of data where index is not zero."""
    return kernels.take_grad(data, chosen(index), like.shape, 0, "clip", out=out)
