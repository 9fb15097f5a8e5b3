"""Sequences of different lengths in one array: masked, reversed, and their last steps."""

# Rules name operators that are declared further down.
# mypy: disable-error-code="has-type"

import numpy as np

from ..errors import ArgumentError, ShapeError, message
from ..kernels import cpu as kernels
from ._cases import case, given, raises, uniform
from ._declare import layer
from ._operator import describe, find

LENGTHS = given([1, 3], "float32")


def steps_first(x, axis):
    return np.moveaxis(x, axis, 0)


def lengths_of(x, length, axis):
    return np.full(x.shape[1 - axis], x.shape[axis]) if length is None else length.astype(int)


def mask_reference(x, length=None, use_sequence_length=False, value=0.0, axis=0):
    y = np.array(x)
    for n, size in enumerate(lengths_of(x, length, axis)):
        steps_first(y, axis)[size:, n] = value
    return y


def reverse_reference(x, length=None, use_sequence_length=False, axis=0):
    y = np.array(x)
    for n, size in enumerate(lengths_of(x, length, axis)):
        y[:size, n] = x[:size, n][::-1]
    return y


def last_reference(x, length=None, use_sequence_length=False, axis=0):
    sizes = lengths_of(x, length, axis)
    return np.stack([steps_first(x, axis)[size - 1, n] for n, size in enumerate(sizes)])


class Sequence:
    """What the three layers share: an array (steps, batch, ...) and perhaps the lengths (batch,)."""

    use_sequence_length: bool = False

    def inputs(self):
        return ("data", "sequence_length") if self.use_sequence_length else ("data",)

    def check(self):
        if self.axis not in (0, 1):
            raise ArgumentError(message(type(self).__name__, "axis", "0 or 1", self.axis))

    def lengths(self, data):
        """The shape of the lengths, as far as it is known."""
        if data is not None and len(data) < 2:
            raise ShapeError(message(type(self).__name__, "data", "at least 2 dimensions", describe(data)))
        return None if data is None else (data[1 - self.axis],)

    def infer(self, out, data, *length):
        data = out if data is None else data
        return (data, *[self.lengths(data) for _ in length]), (data,)


@layer(
    free=("sequence_length",),
    ref=mask_reference,
    cases=[
        case(uniform(4, 2, 3), LENGTHS, use_sequence_length=True),
        case(uniform(2, 4), LENGTHS, use_sequence_length=True, value=7.0, axis=1),
        case(uniform(3, 2)),
        raises(ArgumentError, uniform(2, 2, 2), axis=2, match="SequenceMask(axis): expected 0 or 1, got 2"),
        raises(
            ShapeError,
            uniform(4, 3),
            LENGTHS,
            use_sequence_length=True,
            match="SequenceMask(sequence_length): expected shape (3,)",
        ),
    ],
)
class SequenceMask(Sequence):
    """data with all steps beyond the lengths set to `value`.

    data: (steps, batch, ...), or (batch, steps, ...) with axis=1.  sequence_length: (batch,), with
    `use_sequence_length`; without, data as it is.
    """

    value: float = 0.0
    axis: int = 0

    def forward(self, data, sequence_length=None, *, out):
        return kernels.sequence(data, sequence_length, "mask", self.axis, self.value, out=out)

    def backward(self, g, sequence_length):
        if sequence_length is None:
            return g
        return find("SequenceMask")(g, sequence_length, use_sequence_length=True, axis=self.axis), None


@layer(
    free=("sequence_length",),
    ref=reverse_reference,
    cases=[
        case(uniform(4, 2, 3), LENGTHS, use_sequence_length=True),
        case(uniform(3, 2)),
        raises(ArgumentError, uniform(2, 2), axis=1, match="SequenceReverse(axis): expected 0, got 1"),
    ],
)
class SequenceReverse(Sequence):
    """The steps within the lengths in reverse order, the others as they are.

    data: (steps, batch, ...).  sequence_length: (batch,), with `use_sequence_length`.
    """

    axis: int = 0

    def check(self):
        if self.axis != 0:
            raise ArgumentError(message("SequenceReverse", "axis", "0", self.axis))

    def forward(self, data, sequence_length=None, *, out):
        return kernels.sequence(data, sequence_length, "reverse", out=out)

    def backward(self, g, sequence_length):
        if sequence_length is None:
            return find("SequenceReverse")(g)
        return find("SequenceReverse")(g, sequence_length, use_sequence_length=True), None


@layer(
    free=("sequence_length",),
    ref=last_reference,
    cases=[
        case(uniform(4, 2, 3), LENGTHS, use_sequence_length=True),
        case(uniform(2, 4), LENGTHS, use_sequence_length=True, axis=1),
        case(uniform(3, 2)),
        raises(ShapeError, uniform(3), match="SequenceLast(data): expected at least 2 dimensions, got (3,)"),
    ],
)
class SequenceLast(Sequence):
    """The last step within the length of every sequence.

    data: (steps, batch, ...), or (batch, steps, ...) with axis=1.  sequence_length: (batch,), with
    `use_sequence_length`.  Result: (batch, ...).
    """

    axis: int = 0

    def infer(self, out, data, *length):
        lengths = self.lengths(data)
        shape = None if data is None else (*lengths, *data[2:])
        return (data, *[lengths for _ in length]), (shape,)

    def forward(self, data, sequence_length=None, *, out):
        return kernels.sequence(data, sequence_length, "last", self.axis, out=out)

    def backward(self, g, data, sequence_length):
        if sequence_length is None:
            return _sequence_back(g, data, axis=self.axis)
        return _sequence_back(g, data, sequence_length, use_sequence_length=True, axis=self.axis), None


def back_reference(g, like, length=None, use_sequence_length=False, axis=0):
    total = np.zeros(like.shape, g.dtype)
    for n, size in enumerate(lengths_of(like, length, axis)):
        steps_first(total, axis)[size - 1, n] = g[n]
    return total


@layer(
    free=("like", "sequence_length"),
    shape_only=("like",),
    ref=back_reference,
    cases=[
        case(uniform(2, 3), uniform(4, 2, 3), LENGTHS, use_sequence_length=True),
        case(uniform(2), uniform(2, 4), axis=1),
    ],
)
class _sequence_back(Sequence):
    """Zeros in the shape of like, with data as the last step within the length of every sequence."""

    axis: int = 0

    def inputs(self):
        return ("data", "like", *Sequence.inputs(self)[1:])

    def infer(self, out, data, like, *length):
        like = out if like is None else like
        lengths = self.lengths(like)
        shape = data if like is None else (*lengths, *like[2:])
        return (shape, like, *[lengths for _ in length]), (like,)

    def forward(self, data, like, sequence_length=None, *, out):
        return kernels.sequence(data, sequence_length, "back", self.axis, 0, like.shape[self.axis], out=out)

    def backward(self, g, sequence_length):
        if sequence_length is None:
            return find("SequenceLast")(g, axis=self.axis), None
        return find("SequenceLast")(g, sequence_length, use_sequence_length=True, axis=self.axis), None, None
