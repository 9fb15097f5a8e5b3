"""The output layer of support vector machines."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, given, raises, uniform
from ._declare import ZERO, layer, op
from ._operator import describe
from .attention import eager
from .losses import LOSS

LABELS = given([0.0, 2.0, 1.0], "float32")


@layer(
    kinds="f",
    free=("label",),
    grad_check=LOSS,
    ref=lambda x, label, **attrs: x,
    cases=[
        case(uniform(3, 4), LABELS),
        case(uniform(3, 4), LABELS, use_linear=True, margin=0.5),
        raises(ShapeError, uniform(3, 4), uniform(4), match="SVMOutput(label): expected shape (3,)"),
    ],
)
class SVMOutput:
    """Scores as they are; the gradient is that of the squared hinge loss (`use_linear`: of the hinge loss).

    data: (n, classes).  label: (n,).  With s = 1 for the class of the label and -1 for others, the loss is
    regularization_coefficient * max(0, margin - s x)², whatever flows back into the output.
    """

    margin: float = 1.0
    regularization_coefficient: float = 1.0
    use_linear: bool = False

    def infer(self, out, data, label):
        data = out if data is None else data
        if data is None:
            return (None, label), (None,)
        if len(data) != 2:
            expected = "2 dimensions (n, classes)"
            raise ShapeError(message("SVMOutput", "data", expected, describe(data)))
        return (data, data[:1]), (data,)

    def forward(self, data, label, *, out):
        return kernels.copy(data, out=out)

    def backward(self, data, label):
        return _svm_grad(data, label, **self.__dict__), None

    def head_gradient(self):
        return False


def svm_grad_reference(x, label, margin=1.0, regularization_coefficient=1.0, use_linear=False):
    s = 2 * np.eye(x.shape[1])[label.astype(int)] - 1
    inside = margin - s * x
    slope = (inside > 0) if use_linear else 2 * np.maximum(inside, 0)
    return -s * regularization_coefficient * slope


@op(
    grad=ZERO,
    kinds="f",
    free=("label",),
    dtype=lambda data: data,
    shape=lambda data: data,
    grad_check="the gradient of a loss that is a loss by definition is not differentiated again",
    ref=svm_grad_reference,
    cases=[case(uniform(3, 4), LABELS), case(uniform(3, 4), LABELS, use_linear=True, margin=0.5)],
)
def _svm_grad(
    data,
    label,
    *,
    margin: float = 1.0,
    regularization_coefficient: float = 1.0,
    use_linear: bool = False,
    out,
):
    """The gradient of SVMOutput's scores."""
    s = kernels.one_hot(label, data.shape[1], 1, -1, dtype=data.dtype)
    inside = eager("_rminus_scalar", eager("broadcast_mul", s, data), scalar=margin)
    if use_linear:
        slope = eager("_greater_scalar", inside, scalar=0.0)
    else:
        slope = eager("_mul_scalar", eager("relu", inside), scalar=2.0)
    slope = eager("_mul_scalar", slope, scalar=-regularization_coefficient)
    return kernels.copy(eager("broadcast_mul", slope, s), out=out)
