"""`mx.gluon.loss`: losses. Each gives one number for every sample of a batch.

`weight` is a factor of the loss, `sample_weight` an array of factors that broadcasts against it, and
`batch_axis` the axis of the samples.
"""

from __future__ import annotations

import math
from typing import Any

from .. import ndarray as nd
from ..errors import ArgumentError, AssertedArgumentError, message
from .hybrid import HybridBlock

__all__ = [
    "CTCLoss",
    "CosineEmbeddingLoss",
    "HingeLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "L2Loss",
    "LogisticLoss",
    "Loss",
    "PoissonNLLLoss",
    "SDMLLoss",
    "SigmoidBCELoss",
    "SigmoidBinaryCrossEntropyLoss",
    "SoftmaxCELoss",
    "SoftmaxCrossEntropyLoss",
    "SquaredHingeLoss",
    "TripletLoss",
]


# Losses that people write use this and the next function, under MXNet's names.
def _apply_weighting(F: Any, loss: Any, weight: float | None = None, sample_weight: Any = None) -> Any:
    """A loss times the weights of samples, and times a number."""
    if sample_weight is not None:
        loss = F.broadcast_mul(loss, sample_weight)
    if weight is not None:
        if not isinstance(weight, (int, float)):
            raise AssertedArgumentError(message("Loss", "weight", "a number", type(weight).__name__))
        loss = loss * weight
    return loss


def _reshape_like(F: Any, x: Any, like: Any) -> Any:
    """x in the shape of another one."""
    return x.reshape(like.shape) if F is nd else F.reshape_like(x, like)


def _floating(x: Any) -> Any:
    """Predictions in numbers that have logarithms: `mx.np.array([[0, 2]])` holds integers, as in NumPy."""
    kind = getattr(getattr(x, "dtype", None), "kind", "f")
    return x.astype("float32") if kind in "iu" else x


class Loss(HybridBlock):
    """Base class of losses."""

    def __init__(self, weight: float | None, batch_axis: int, **kwargs: Any):
        super().__init__(**kwargs)
        self._weight = weight
        self._batch_axis = batch_axis

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch_axis={self._batch_axis}, w={self._weight})"

    def _mean(self, F: Any, loss: Any, sample_weight: Any, factor: float = 1) -> Any:
        """The weighted mean over each sample."""
        weight = self._weight if factor == 1 or self._weight is None else self._weight * factor
        return F.mean(_apply_weighting(F, loss, weight, sample_weight), axis=self._batch_axis, exclude=True)


class L2Loss(Loss):
    """Half the mean of (label - pred)^2."""

    def __init__(self, weight: float = 1.0, batch_axis: int = 0, **kwargs: Any):
        super().__init__(weight, batch_axis, **kwargs)

    def hybrid_forward(self, F, pred, label, sample_weight=None):
        """See `HybridBlock.hybrid_forward`."""
        return self._mean(F, F.square(_reshape_like(F, label, pred) - pred), sample_weight, 0.5)


class L1Loss(Loss):
    """The mean of |label - pred|."""

    def __init__(self, weight: float | None = None, batch_axis: int = 0, **kwargs: Any):
        super().__init__(weight, batch_axis, **kwargs)

    def hybrid_forward(self, F, pred, label, sample_weight=None):
        """See `HybridBlock.hybrid_forward`."""
        return self._mean(F, F.abs(_reshape_like(F, label, pred) - pred), sample_weight)


class SigmoidBinaryCrossEntropyLoss(Loss):
    """The cross-entropy of labels between 0 and 1 and sigmoid(pred), or pred with `from_sigmoid`.

    `pos_weight` is a factor of the part of the positive labels.
    """

    def __init__(self, from_sigmoid: bool = False, weight: float | None = None, batch_axis: int = 0,
                 **kwargs: Any):  # fmt: skip
        super().__init__(weight, batch_axis, **kwargs)
        self._from_sigmoid = from_sigmoid

    def hybrid_forward(self, F, pred, label, sample_weight=None, pos_weight=None):
        """See `HybridBlock.hybrid_forward`."""
        label = _reshape_like(F, label, pred)
        if self._from_sigmoid:
            eps = 1e-12
            positive = F.log(pred + eps) * label
            if pos_weight is not None:
                positive = F.broadcast_mul(positive, pos_weight)
            loss = -(positive + F.log(1.0 - pred + eps) * (1.0 - label))
        else:
            tail = F.Activation(-F.abs(pred), act_type="softrelu")
            if pos_weight is None:
                loss = F.relu(pred) - pred * label + tail
            else:
                factor = 1 + F.broadcast_mul(pos_weight - 1, label)
                loss = pred - pred * label + factor * (tail + F.relu(-pred))
        return self._mean(F, loss, sample_weight)


class SoftmaxCrossEntropyLoss(Loss):
    """The cross-entropy of labels and softmax(pred) along `axis`.

    Labels are numbers of classes, or with `sparse_label=False` probabilities in the shape of pred;
    `from_logits` says that pred holds logarithms of probabilities.
    """

    def __init__(self, axis: int = -1, sparse_label: bool = True, from_logits: bool = False,
                 weight: float | None = None, batch_axis: int = 0, **kwargs: Any):  # fmt: skip
        super().__init__(weight, batch_axis, **kwargs)
        self._axis = axis
        self._sparse_label = sparse_label
        self._from_logits = from_logits

    def hybrid_forward(self, F, pred, label, sample_weight=None):
        """See `HybridBlock.hybrid_forward`."""
        logits = pred if self._from_logits else F.log_softmax(_floating(pred), axis=self._axis)
        if self._sparse_label:
            loss = -F.pick(logits, label, axis=self._axis, keepdims=True)
        else:
            loss = -F.sum(logits * _reshape_like(F, label, logits), axis=self._axis, keepdims=True)
        return self._mean(F, loss, sample_weight)


class KLDivLoss(Loss):
    """The sum of label (log(label) - pred), for logarithms of probabilities, or softmax otherwise."""

    def __init__(self, from_logits: bool = True, axis: int = -1, weight: float | None = None,
                 batch_axis: int = 0, **kwargs: Any):  # fmt: skip
        super().__init__(weight, batch_axis, **kwargs)
        self._from_logits = from_logits
        self._axis = axis

    def hybrid_forward(self, F, pred, label, sample_weight=None):
        """See `HybridBlock.hybrid_forward`."""
        logits = pred if self._from_logits else F.log_softmax(_floating(pred), axis=self._axis)
        loss = _apply_weighting(F, label * (F.log(label + 1e-12) - logits), self._weight, sample_weight)
        return F.sum(loss, axis=self._batch_axis, exclude=True)


class CTCLoss(Loss):
    """Connectionist temporal classification (Graves et al. 2006); the last class is the blank.

    `layout` is that of pred, "NTC" or "TNC", and `label_layout` "NT" or "TN".
    """

    def __init__(self, layout: str = "NTC", label_layout: str = "NT", weight: float | None = None,
                 **kwargs: Any):  # fmt: skip
        for argument, value, known in (("layout", layout, ("NTC", "TNC")),
                                       ("label_layout", label_layout, ("NT", "TN"))):  # fmt: skip
            if value not in known:
                raise AssertedArgumentError(message("CTCLoss", argument, " or ".join(known), repr(value)))
        self._layout = layout
        self._label_layout = label_layout
        super().__init__(weight, label_layout.find("N"), **kwargs)

    def hybrid_forward(self, F, pred, label, pred_lengths=None, label_lengths=None,
                       sample_weight=None):  # fmt: skip
        """See `HybridBlock.hybrid_forward`."""
        pred = F.swapaxes(pred, 0, 1) if self._layout == "NTC" else pred
        label = F.swapaxes(label, 0, 1) if self._batch_axis == 1 else label
        loss = F.CTCLoss(pred, label, pred_lengths, label_lengths, use_data_lengths=pred_lengths is not None,
                         use_label_lengths=label_lengths is not None, blank_label="last")  # fmt: skip
        return _apply_weighting(F, loss, self._weight, sample_weight)


class HuberLoss(Loss):
    """Half the square of the error over rho, or where it is larger than rho, the error less rho / 2."""

    def __init__(self, rho: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any):
        super().__init__(weight, batch_axis, **kwargs)
        self._rho = rho

    def hybrid_forward(self, F, pred, label, sample_weight=None):
        """See `HybridBlock.hybrid_forward`."""
        error = F.abs(_reshape_like(F, label, pred) - pred)
        small = (0.5 / self._rho) * F.square(error)
        return self._mean(F, F.where(error > self._rho, error - 0.5 * self._rho, small), sample_weight)


class HingeLoss(Loss):
    """The mean of max(0, margin - pred label), for labels -1 and 1."""

    def __init__(self, margin: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any):
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(self, F, pred, label, sample_weight=None):
        """See `HybridBlock.hybrid_forward`."""
        return self._mean(F, F.relu(self._margin - pred * _reshape_like(F, label, pred)), sample_weight)


class SquaredHingeLoss(HingeLoss):
    """The mean of max(0, margin - pred label)^2, for labels -1 and 1."""

    def hybrid_forward(self, F, pred, label, sample_weight=None):
        """See `HybridBlock.hybrid_forward`."""
        return self._mean(
            F, F.square(F.relu(self._margin - pred * _reshape_like(F, label, pred))), sample_weight
        )


class LogisticLoss(Loss):
    """The mean of log(1 + exp(-pred label)), for labels -1 and 1 ("signed"), or 0 and 1 ("binary")."""

    def __init__(self, weight: float | None = None, batch_axis: int = 0, label_format: str = "signed",
                 **kwargs: Any):  # fmt: skip
        super().__init__(weight, batch_axis, **kwargs)
        if label_format not in ("signed", "binary"):
            expected = "'signed' or 'binary'"
            raise ArgumentError(message("LogisticLoss", "label_format", expected, repr(label_format)))
        self._label_format = label_format

    def hybrid_forward(self, F, pred, label, sample_weight=None):
        """See `HybridBlock.hybrid_forward`."""
        label = _reshape_like(F, label, pred)
        if self._label_format == "signed":
            label = (label + 1.0) / 2.0
        loss = F.relu(pred) - pred * label + F.Activation(-F.abs(pred), act_type="softrelu")
        return self._mean(F, loss, sample_weight)


class TripletLoss(Loss):
    """max(0, |positive - pred|^2 - |negative - pred|^2 + margin)."""

    def __init__(self, margin: float = 1, weight: float | None = None, batch_axis: int = 0, **kwargs: Any):
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(self, F, pred, positive, negative, sample_weight=None):
        """See `HybridBlock.hybrid_forward`."""
        near, far = [F.square(_reshape_like(F, x, pred) - pred) for x in (positive, negative)]
        loss = F.sum(near - far, axis=self._batch_axis, exclude=True)
        return _apply_weighting(F, F.relu(loss + self._margin), self._weight, sample_weight)


class PoissonNLLLoss(Loss):
    """The mean, over all samples, of the negative log-likelihood of counts.

    pred is the expected count, or with `from_logits` its logarithm; `compute_full` adds Stirling's formula.
    """

    def __init__(self, weight: float | None = None, from_logits: bool = True, batch_axis: int = 0,
                 compute_full: bool = False, **kwargs: Any):  # fmt: skip
        super().__init__(weight, batch_axis, **kwargs)
        self._from_logits = from_logits
        self._compute_full = compute_full

    def hybrid_forward(self, F, pred, target, sample_weight=None, epsilon=1e-08):
        """See `HybridBlock.hybrid_forward`."""
        target = _reshape_like(F, target, pred)
        if self._from_logits:
            loss = F.exp(pred) - target * pred
        else:
            loss = pred - target * F.log(pred + epsilon)
        if self._compute_full:
            stirling = target * F.log(target) - target + 0.5 * F.log(2 * target * math.pi)
            loss = loss + stirling * (target > 1)
        return F.mean(_apply_weighting(F, loss, self._weight, sample_weight))


class CosineEmbeddingLoss(Loss):
    """1 - cosine of the vectors for label 1, max(0, cosine - margin) for label -1."""

    def __init__(self, weight: float | None = None, batch_axis: int = 0, margin: float = 0, **kwargs: Any):
        super().__init__(weight, batch_axis, **kwargs)
        self._margin = margin

    def hybrid_forward(self, F, input1, input2, label, sample_weight=None):
        """See `HybridBlock.hybrid_forward`."""
        input1 = _reshape_like(F, input1, input2)
        label = label.reshape((-1, 1))
        product = F.sum(input1 * input2, axis=-1).reshape((-1, 1))
        norms = F.norm(input1, axis=-1).reshape((-1, 1)) * F.norm(input2, axis=-1).reshape((-1, 1))
        cosine = product / F.maximum(norms, 1e-12)
        alike, different = label == 1, label == -1
        loss = (1 - cosine) * alike + F.maximum(different * (cosine - self._margin), 0)
        return _apply_weighting(F, loss, self._weight, sample_weight)


class SDMLLoss(Loss):
    """Smoothed deep metric learning: which row of the other batch belongs to each (Bonadiman et al. 2019)."""

    def __init__(self, smoothing_parameter: float = 0.3, weight: float = 1.0, batch_axis: int = 0,
                 **kwargs: Any):  # fmt: skip
        super().__init__(weight, batch_axis, **kwargs)
        self.kl_loss = KLDivLoss(from_logits=True)
        self.smoothing_parameter = smoothing_parameter

    def hybrid_forward(self, F, x1, x2):
        """See `HybridBlock.hybrid_forward`. Works on arrays: it reads their shapes."""
        rows, columns = x1.shape
        first = x1.expand_dims(1).broadcast_to((rows, rows, columns))
        second = x2.expand_dims(0).broadcast_to((rows, rows, columns))
        distances = F.square(first - second).sum(axis=2)
        hot = F.eye(rows)
        labels = hot * (1 - self.smoothing_parameter)
        labels = labels + (1 - hot) * (self.smoothing_parameter / (rows - 1))
        return self.kl_loss(F.log_softmax(-distances, axis=1), labels.as_in_context(distances.context))


SigmoidBCELoss = SigmoidBinaryCrossEntropyLoss
SoftmaxCELoss = SoftmaxCrossEntropyLoss
