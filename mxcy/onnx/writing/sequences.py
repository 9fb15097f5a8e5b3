"""Sequences of several lengths in one array."""

from ..writer import exports
from .indexing import at
from .normalisation import steps_below
from .shapes import flipped


@exports("SequenceMask")
def sequence_mask(g, attrs, x, *length):
    if not attrs["use_sequence_length"]:
        return g("Identity", x)
    axis = attrs["axis"]
    lengths = g.cast(length[0], "int64")
    if axis == 0:
        kept = steps_below(g, lengths, g.extent(x, 0), 2, 0)
    else:
        kept = steps_below(g, g("Unsqueeze", lengths, g.ints(1)), g.extent(x, 1), 2, 1)
    if x.rank > 2:
        kept = g("Unsqueeze", kept, g.ints(*range(2, x.rank)))
    return g("Where", kept, x, g.constant(attrs["value"], x.dtype))


@exports("SequenceReverse")
def sequence_reverse(g, attrs, x, *length):
    if not attrs["use_sequence_length"]:
        return flipped(g, x, 0)
    return g("ReverseSequence", x, g.cast(length[0], "int64"), time_axis=0, batch_axis=1)


@exports("SequenceLast")
def sequence_last(g, attrs, x, *length):
    axis = attrs["axis"]
    if not attrs["use_sequence_length"]:
        return g("Gather", x, g.constant(-1, "int64"), axis=axis)
    order = (1, 0, *range(2, x.rank))
    rows = g("Transpose", x, perm=order) if axis == 0 else x
    last = g("Sub", g.cast(length[0], "int64"), at(g, 1))
    return g("GatherND", rows, g("Unsqueeze", last, g.ints(1)), batch_dims=1)
