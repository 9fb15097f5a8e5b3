"""Output layers, whose gradient is that of a loss, whatever flows back into them; and BlockGrad."""

from typing import Literal

import numpy as np

from .._launch import empty_like
from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from . import reduction
from ._attributes import Attributes
from ._cases import case, given, integers, raises, special, uniform
from ._declare import ZERO, elementwise, layer, op
from ._operator import describe, find
from ._storage import KEEPS
from ._trace import own
from .shape import product
from .softmax import softmax

LOSS = "the gradient is that of the loss, by definition; checked against its formula"


def may_be(shape, other):
    """Whether two shapes, in which extents may be unknown, may be the same."""
    if other is None or len(shape) != len(other):
        return False
    return all(a is None or b is None or a == b for a, b in zip(shape, other, strict=True))


# --- SoftmaxOutput -------------------------------------------------------------------------------------
def output_reference(x, label, multi_output=False, preserve_shape=False, **attrs):
    if multi_output:
        return special.softmax(x, axis=1)
    if preserve_shape:
        return special.softmax(x, axis=-1)
    return special.softmax(x.reshape(len(x), -1), axis=1).reshape(x.shape)


def output_gradient_reference(
    x,
    label,
    grad_scale=1.0,
    ignore_label=-1.0,
    use_ignore=False,
    multi_output=False,
    normalization="null",
    smooth_alpha=0.0,
    **attrs,
):
    """(softmax - one_hot(label)) * grad_scale / count, for two axes or multi_output."""
    y = output_reference(x, label, multi_output=multi_output)
    axis = 1
    classes = x.shape[axis]
    if label.shape == x.shape:
        return (y - label) * grad_scale / (len(x) if normalization == "batch" else 1)
    hot = np.moveaxis(np.eye(classes)[np.clip(label.astype(int), 0, classes - 1)], -1, axis)
    hot = hot * (1 - smooth_alpha) + (1 - hot) * smooth_alpha / max(classes - 1, 1)
    kept = np.expand_dims(label != ignore_label, axis) if use_ignore else np.ones(y.shape)
    count = {
        "null": 1,
        "batch": len(x),
        "valid": max(np.sum(label != ignore_label), 1) if use_ignore else label.size,
    }
    scale = grad_scale / (y.size / y.shape[0] / classes if multi_output else 1) / count[normalization]
    return (y - hot) * kept * scale


@layer(
    name="SoftmaxOutput",
    ref=output_reference,
    kinds="f",
    grad_check=LOSS,
    cases=[
        case(uniform(4, 3), integers(4, high=3, dtype=None)),
        case(uniform(4, 3), integers(4, high=3, dtype=None), grad_scale=2.0, normalization="batch"),
        case(uniform(2, 3, 4), integers(2, 4, high=3, dtype=None), multi_output=True),
        case(uniform(2, 3), uniform(2, 3)),
        case(
            given(np.zeros((3, 2))),
            given([0.0, 1.0, 1.0]),
            use_ignore=True,
            ignore_label=1.0,
            normalization="valid",
        ),
        raises(
            ShapeError,
            uniform(4, 3),
            uniform(3),
            match="SoftmaxOutput(label): expected shape (4,) from data (4, 3)",
        ),
        raises(ArgumentError, uniform(4, 3), uniform(4), normalization="all", match="expected one of 'null'"),
    ],
    free=("label",),
)
class SoftmaxOutput:
    """Class probabilities; its gradient is that of the cross-entropy with the labels.

    data: (n, classes), or (n, classes, ...) with `multi_output`.  label: (n,) or (n, ...) of class numbers,
    or probabilities in the shape of data.  Forward is softmax.  The gradient of data is
    (softmax - one_hot(label)) * grad_scale, divided by the number of samples (`normalization="batch"`) or of
    labels that are not ignored (`"valid"`); with `use_ignore`, labels equal to `ignore_label` do not count;
    `smooth_alpha` moves so much probability from the label to the other classes.  What flows back into the
    output is ignored unless `out_grad`.
    """

    grad_scale: float = 1.0
    ignore_label: float = -1.0
    multi_output: bool = False
    use_ignore: bool = False
    preserve_shape: bool = False
    normalization: Literal["null", "batch", "valid"] = "null"
    out_grad: bool = False
    smooth_alpha: float = 0.0

    def infer(self, out, data, label):
        data = out if data is None else data
        if data is None:
            return (data, label), (data,)
        classes = 1 if self.multi_output and len(data) > 1 else len(data) - 1
        expected = (*data[:classes], *data[classes + 1 :])
        flat = (data[0], product(data[2:])) if self.multi_output and None not in data[2:] else None
        kept = (*data[:classes], 1, *data[classes + 1 :])
        if label is None and flat is not None:
            expected = flat  # as in MXNet, which takes both
        elif label is not None and not may_be(label, expected):
            if any(may_be(label, other) for other in (data, flat, kept)):
                expected = label
        return (data, expected), (data,)

    def forward(self, data, label, *, out):
        return kernels.softmax_output(data, self.multi_output, self.preserve_shape, out=out)

    def backward(self, g, y, label):
        back = _softmax_output_grad(
            y,
            label,
            grad_scale=self.grad_scale,
            ignore_label=self.ignore_label,
            use_ignore=self.use_ignore,
            multi_output=self.multi_output,
            preserve_shape=self.preserve_shape,
            normalization=self.normalization,
            smooth_alpha=self.smooth_alpha,
        )
        return (back * g if self.out_grad else back), None

    def head_gradient(self):
        return self.out_grad


@op(
    grad=ZERO,
    free=("label",),
    kinds="f",
    dtype=lambda data: data,
    shape=lambda data: data,
    ref=lambda y, label, **attrs: output_gradient_reference(np.log(y), label, **attrs),
    cases=[
        case(given([[0.2, 0.8], [0.5, 0.5]]), given([0.0, 1.0])),
        case(given([[0.2, 0.8], [0.5, 0.5]]), given([0.0, 1.0]), grad_scale=3.0, normalization="batch"),
        case(
            given([[0.2, 0.8], [0.5, 0.5]]),
            given([0.0, 1.0]),
            use_ignore=True,
            ignore_label=0.0,
            normalization="valid",
        ),
        case(given([[0.2, 0.8], [0.5, 0.5]]), given([0.0, 1.0]), smooth_alpha=0.1),
    ],
    grad_check="the gradient of a loss that is a loss by definition is not differentiated again",
)
def _softmax_output_grad(
    data,
    label,
    *,
    grad_scale: float = 1.0,
    ignore_label: float = -1.0,
    multi_output: bool = False,
    use_ignore: bool = False,
    preserve_shape: bool = False,
    normalization: Literal["null", "batch", "valid"] = "null",
    smooth_alpha: float = 0.0,
    out,
):
    """The gradient of SoftmaxOutput's data from its output (`data`) and the labels."""
    return kernels.softmax_output_grad(
        data,
        label,
        grad_scale=grad_scale,
        ignore_label=ignore_label,
        use_ignore=use_ignore,
        multi_output=multi_output,
        preserve_shape=preserve_shape,
        normalization=normalization,
        smooth_alpha=smooth_alpha,
        out=out,
    )


def cross_entropy_reference(x, label):
    return -special.log_softmax(x, axis=1)[np.arange(len(x)), label.astype(int)].sum(keepdims=True)


@op(
    grad=(
        lambda g, data, label: cross_entropy_gradient(g, data, label),
        None,
    ),
    shape=lambda data, label: cross_entropy_shape(data, label),
    free=("label",),
    dtype=lambda data: data,
    ref=cross_entropy_reference,
    kinds="f",
    cases=[
        case(uniform(4, 3), integers(4, high=3, dtype=None)),
        case(uniform(4, 3), given([2.0, 0.0, 1.0, 2.0], constant=True)),
    ],
)
def softmax_cross_entropy(data, label, *, out):
    """The sum over samples of -log softmax(data)[label]."""
    picked = kernels.pick(kernels.log_softmax(data, 1), label, 1)
    total = reduction.sum.compute([picked], reduction.sum._defaults)
    return find("_mul_scalar").compute(
        total, {"scalar": -1.0, "is_int": False}, None if out is None else [out]
    )[0]


def cross_entropy_gradient(g, data, label):
    """softmax(data), less 1 at the label."""
    at_label = find("_pick_grad")(find("broadcast_like")(g, label), label, data, axis=1)
    return find("broadcast_mul")(g, softmax(data)) - at_label


def cross_entropy_shape(data, label):
    if len(data) != 2 or label != data[:1]:
        raise ShapeError(
            message("softmax_cross_entropy", "label", f"shape {describe(data[:1])}", describe(label))
        )
    return (1,)


# --- regression ----------------------------------------------------------------------------------------
@elementwise(
    grad=(lambda g, scale: g * scale, lambda g, scale: g * -scale),
    kinds="f",
    ref=lambda a, b, scale: (a - b) * scale,
    cases=[case(uniform(3, 4), uniform(3, 4), scale=0.5)],
)
def _scaled_difference(lhs, rhs, *, scale: float):
    """(lhs - rhs) * scale."""
    return (lhs - rhs) * scale


@elementwise(
    grad=ZERO,
    kinds="f",
    ref=lambda a, b, scale: np.sign(a - b) * scale,
    cases=[case(uniform(3, 4), uniform(3, 4), scale=0.5)],
)
def _scaled_sign(lhs, rhs, *, scale: float):
    """The sign of lhs - rhs, times scale."""
    return (own.greater(lhs, rhs) - own.less(lhs, rhs)) * scale


def regression_label(data, label):
    """Labels of a column may come without its axis."""
    if data is not None and len(data) == 2 and data[1] in (1, None) and label is not None and len(label) == 1:
        return data[:1]
    return data


@op(
    grad=ZERO,
    kinds="f",
    free=("label",),
    dtype=lambda data: data,
    shape=lambda data: data,
    ref=lambda y, label, kind, grad_scale: (
        (np.sign if kind == "sign" else np.positive)(y - label) * grad_scale * len(y) / y.size
    ),
    cases=[
        case(uniform(3, 4), uniform(3, 4), kind="difference", grad_scale=2.0),
        case(uniform(3, 4), uniform(3, 4), kind="sign", grad_scale=1.0),
    ],
    grad_check="the gradient of a loss that is a loss by definition is not differentiated again",
)
def _regression_grad(data, label, *, kind: Literal["difference", "sign"], grad_scale: float, out):
    """The gradient of a regression output, divided by the number of outputs of one sample."""
    if label.dtype != data.dtype:
        label = kernels.astype(label, data.dtype)
    if label.shape != data.shape:
        label = label._reshape_view(data.shape)
    outputs = product(data.shape[1:])
    body = _scaled_difference if kind == "difference" else _scaled_sign
    scale = Attributes({"scale": grad_scale / outputs if outputs else grad_scale})
    return body.compute([data, label], scale, None if out is None else [out])[0]


class Regression:
    """What the three regression outputs share."""

    def infer(self, out, data, label):
        data = out if data is None else data
        return (data, regression_label(data, label)), (data,)

    def forward(self, data, label, *, out):
        return kernels.copy(data, out=out)


REGRESSION = [
    case(uniform(3, 4), uniform(3, 4)),
    case(uniform(3, 1), uniform(3), grad_scale=2.0),
    raises(
        ShapeError,
        uniform(3, 4),
        uniform(3),
        match="(label): expected shape (3, 4) from data (3, 4), got (3,)",
    ),
]


@layer(ref=lambda x, label, **attrs: x, cases=REGRESSION, kinds="f", free=("label",), grad_check=LOSS)
class LinearRegressionOutput(Regression):
    """data; its gradient is that of the squared error, (data - label) * grad_scale / outputs per sample."""

    grad_scale: float = 1.0

    def forward(self, data, label, *, out):
        return kernels.copy(data, out=out)

    def backward(self, y, label):
        return _regression_grad(y, label, kind="difference", grad_scale=self.grad_scale), None


@layer(
    ref=lambda x, label, **attrs: special.expit(x),
    cases=REGRESSION,
    kinds="f",
    free=("label",),
    grad_check=LOSS,
)
class LogisticRegressionOutput(Regression):
    """sigmoid(data); its gradient is (sigmoid - label) * grad_scale / outputs per sample."""

    grad_scale: float = 1.0

    def forward(self, data, label, *, out):
        return find("sigmoid").compute([data], {}, None if out is None else [out])[0]

    def backward(self, y, label):
        return _regression_grad(y, label, kind="difference", grad_scale=self.grad_scale), None


@layer(ref=lambda x, label, **attrs: x, cases=REGRESSION, kinds="f", free=("label",), grad_check=LOSS)
class MAERegressionOutput(Regression):
    """data; its gradient is sign(data - label) * grad_scale / outputs per sample, of the absolute error."""

    grad_scale: float = 1.0

    def forward(self, data, label, *, out):
        return kernels.copy(data, out=out)

    def backward(self, y, label):
        return _regression_grad(y, label, kind="sign", grad_scale=self.grad_scale), None


# --- losses of the user's own, and no gradient at all --------------------------------------------------
@op(
    grad=ZERO,
    ref=lambda x: x,
    storage=KEEPS,
    cases=[uniform(2, 3), uniform(0, 2)],
    grad_check="stops gradients, by definition",
)
def BlockGrad(data, *, out):
    """data; no gradient flows back through it."""
    return kernels.copy(data, out=out)


@op(
    grad=(lambda grad: grad, ZERO),
    ref=lambda data, grad: data,
    free=("grad",),
    cases=[case(uniform(2, 3), uniform(2, 3))],
    grad_check="the gradient is the second operand, whatever flows back",
)
def _with_gradient(data, grad, *, out):
    """data; its gradient is the array `grad`, which may be written until it is read."""
    return kernels.copy(data, out=out)


@op(
    grad=lambda data: find("ones_like")(data),
    ref=lambda x: x,
    storage=KEEPS,
    cases=[uniform(2, 3), uniform(0, 2)],
    outputs=("loss",),
    grad_check="the data is a loss: its gradient is 1, whatever flows back",
)
def make_loss(data, *, out):
    """data as a loss: its gradient is 1."""
    return kernels.copy(data, out=out)


@layer(
    ref=lambda x, **attrs: x,
    kinds="f",
    grad_check="the data is a loss: its gradient is grad_scale, normalised",
    cases=[case(uniform(3, 4)), case(uniform(3, 4), grad_scale=2.0, normalization="batch")],
)
class MakeLoss:
    """data as a loss: its gradient is grad_scale, divided by the number of samples (`batch`) or of elements
    above valid_thresh (`valid`)."""

    grad_scale: float = 1.0
    valid_thresh: float = 0.0
    normalization: Literal["null", "batch", "valid"] = "null"

    def infer(self, out, data):
        data = out if data is None else data
        return (data,), (data,)

    def forward(self, data, *, out):
        return kernels.copy(data, out=out)

    def backward(self, data):
        return _make_loss_grad(
            data, grad_scale=self.grad_scale, valid_thresh=self.valid_thresh, normalization=self.normalization
        )


def make_loss_grad_reference(x, grad_scale=1.0, valid_thresh=0.0, normalization="null"):
    count = {"null": 1, "batch": len(x), "valid": max(np.sum(x > valid_thresh), 1)}[normalization]
    return np.full(x.shape, grad_scale / count)


@op(
    grad=ZERO,
    kinds="f",
    ref=make_loss_grad_reference,
    cases=[case(uniform(3, 4), grad_scale=2.0), case(uniform(3, 4), normalization="valid", valid_thresh=0.5)],
)
def _make_loss_grad(
    data,
    *,
    grad_scale: float = 1.0,
    valid_thresh: float = 0.0,
    normalization: Literal["null", "batch", "valid"] = "null",
    out,
):
    """The gradient of MakeLoss."""
    if normalization != "valid":
        count = data.shape[0] if normalization == "batch" else 1
        if out is None:
            return kernels.fill(empty_like(data, data.shape), grad_scale / count)
        kernels.fill(out, grad_scale / count)
        return out
    above = find("_greater_scalar").compute([data], {"scalar": valid_thresh, "is_int": False})
    count = find("_maximum_scalar").compute(
        reduction.sum.compute(above, reduction.sum._defaults), {"scalar": 1, "is_int": True}
    )
    value = find("_rdiv_scalar").compute(count, {"scalar": grad_scale, "is_int": False})[0]
    full = value._reshape_view((1,) * data.ndim)._broadcast_view(data.shape)
    return kernels.copy(full, out=out)
