"""Connectionist temporal classification."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

from typing import Any, Literal

import numpy as np

from ..errors import ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, given, raises, uniform
from ._declare import layer
from ._operator import describe

FIRST_ORDER = "the gradient of CTC is not differentiated again"


class Alignment:
    """The attributes and inputs that the loss and its gradient share."""

    use_data_lengths: bool = False
    use_label_lengths: bool = False
    blank_label: Literal["first", "last"] = "first"

    def lengths(self):
        names = ["data_lengths"] if self.use_data_lengths else []
        return (*names, *(["label_lengths"] if self.use_label_lengths else []))

    def lengths_of(self, first, second):
        """(data lengths, label lengths): inputs in use come without gaps."""
        return (first, second) if self.use_data_lengths else (None, first)

    def checked(self, data, label):
        """Shapes of all inputs and the losses, as far as they are known."""
        if data is None:
            return None, label, None
        if len(data) != 3:
            expected = "3 dimensions (steps, batch, classes)"
            raise ShapeError(message("CTCLoss", "data", expected, describe(data)))
        label = (data[1], None) if label is None else label
        if None not in (data[0], label[-1]) and label[-1] > data[0]:
            expected = f"at most {data[0]} labels, as there are steps"
            raise ShapeError(message("CTCLoss", "label", expected, describe(label)))
        return data, (data[1], *label[1:]), (data[1],)


def samples(x, label, data_lengths, label_lengths, blank_label):
    """(scores, labels, blank) of every sample."""
    for n in range(x.shape[1]):
        row = list(label[n].astype(int))
        padding = 0 if blank_label == "first" else -1
        end = row.index(padding) if padding in row else len(row)
        end = end if label_lengths is None else int(label_lengths[n])
        steps = len(x) if data_lengths is None else int(data_lengths[n])
        yield x[:steps, n], row[:end], 0 if blank_label == "first" else x.shape[2] - 1


def probability(scores, labels, blank):
    """Of all alignments, added up step by step; works for complex scores."""
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    states = [blank] + [s for label in labels for s in (label, blank)]
    alpha = [p[0, s] if i < 2 else 0 for i, s in enumerate(states)]
    for row in p[1:]:
        alpha = [
            row[s] * (
                alpha[i] + (alpha[i - 1] if i else 0)
                + (alpha[i - 2] if i > 1 and s not in (blank, states[i - 2]) else 0)
            )
            for i, s in enumerate(states)
        ]  # fmt: skip
    return sum(alpha[-2:])


def by_name(rest, use_data_lengths=False, use_label_lengths=False, blank_label="first"):
    rest = list(rest)
    data_lengths = rest.pop(0) if use_data_lengths else None
    return data_lengths, rest.pop(0) if use_label_lengths else None, blank_label


def ctc_reference(x, label, *rest, **attrs):
    return np.array([-np.log(probability(*s)) for s in samples(x, label, *by_name(rest, **attrs))])


def ctc_grad_reference(g, x, label, *rest, **attrs):
    """By complex steps, which do not cancel."""
    found, step = np.zeros(x.shape), 1e-30
    for n, (scores, labels, blank) in enumerate(samples(x, label, *by_name(rest, **attrs))):
        for place in np.ndindex(scores.shape):
            moved = scores.astype(complex)
            moved[place] += 1j * step
            found[place[0], n, place[1]] = g[n] * -np.log(probability(moved, labels, blank)).imag / step
    return found


LABELS = given([[1, 2, 0], [3, 1, 1]], "float32")
LAST = given([[1, 2, -1], [0, 1, 1]], "float32")
BOTH = (given([4, 5], "float32"), given([1, 2], "float32"))
ROWS: list[Any] = [
    ((5, 2, 4), (LABELS,), {}),
    ((5, 2, 4), (LAST,), {"blank_label": "last"}),
    ((5, 2, 4), (LABELS, *BOTH), {"use_data_lengths": True, "use_label_lengths": True}),
    ((5, 2, 4), (LABELS, BOTH[1]), {"use_label_lengths": True}),
]


@layer(
    kinds="f",
    free=("label", "data_lengths", "label_lengths"),
    ref=ctc_reference,
    first_order=FIRST_ORDER,
    cases=[
        *(case(uniform(*shape), *targets, **attrs) for shape, targets, attrs in ROWS),
        raises(
            ShapeError,
            uniform(2, 2, 4),
            LABELS,
            match="CTCLoss(label): expected at most 2 labels, as there are steps",
        ),
    ],
)
class CTCLoss(Alignment):
    """Minus the logarithm of the probability of a label sequence, whatever its alignment with the steps.

    data: (steps, batch, classes), before softmax.  label: (batch, room).  Class 0 is the blank and labels
    end at the first 0; with `blank_label="last"` the last class is it, and labels end at the first -1.
    data_lengths, label_lengths: (batch,), where sequences end, with `use_data_lengths`,
    `use_label_lengths`.  Result: (batch,).  (Graves et al., 2006.)
    """

    def inputs(self):
        return ("data", "label", *self.lengths())

    def outputs(self):
        return ("output0",)

    def written(self):
        return 2

    def infer(self, out, data, label, *lengths):
        data, label, losses = self.checked(data, label)
        return (data, label, *[losses] * len(lengths)), (losses,)

    def forward(self, data, label, data_lengths=None, label_lengths=None, *, out):
        where = self.lengths_of(data_lengths, label_lengths)
        return [kernels.ctc_loss(data, label, *where, self.blank_label == "last", out=out[0])]

    def backward(self, g, data, label, data_lengths, label_lengths):
        lengths = [x for x in (data_lengths, label_lengths) if x is not None]
        return _ctc_loss_grad(g, data, label, *lengths, **self.__dict__)


@layer(
    kinds="f",
    free=("label", "data_lengths", "label_lengths"),
    ref=ctc_grad_reference,
    grad_check=FIRST_ORDER,
    first_order=FIRST_ORDER,
    cases=[case(uniform(shape[1]), uniform(*shape), *targets, **attrs) for shape, targets, attrs in ROWS],
)
class _ctc_loss_grad(Alignment):
    """The gradient of CTCLoss's data x from that of the losses (`data`)."""

    def inputs(self):
        return ("data", "x", "label", *self.lengths())

    def infer(self, out, data, x, label, *lengths):
        x, label, losses = self.checked(x, label)
        return (losses, x, label, *[losses] * len(lengths)), (x,)

    def forward(self, data, x, label, data_lengths=None, label_lengths=None, *, out):
        where = self.lengths_of(data_lengths, label_lengths)
        return kernels.ctc_loss_grad(data, x, label, *where, self.blank_label == "last", out=out)
