"""`MXCY_CHECK=1`: bad values are errors that name the operator, the place and the value.

Without it operators do with them what MXNet does: positions out of range are cut off, or give zeros. The
check waits for the positions before every call, so it is for finding mistakes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._segment import refuse
from ..errors import ArrayIndexError, message
from ._operator import Operator, find

__all__ = ["RULES", "check_values", "switch_on"]


class Rule(NamedTuple):
    """Which input holds positions, and how many there are to choose from (None: nothing to check).

    They begin at `first`; of regions the first of five numbers is one, the image.
    """

    operand: str
    limit: Callable[[dict, dict], int | None]
    first: int = 0
    of_region: bool = False


def along_axis(values: dict, attrs: dict, name: str) -> int | None:
    if attrs["mode"] == "wrap" or attrs.get("axis", 0) is None:
        return None
    return values[name].shape[attrs["axis"]]


def classes_of(values: dict, attrs: dict) -> int | None:
    """How many classes a label chooses from; None if labels are probabilities."""
    data, label = values["data"], values["label"]
    if label.shape == data.shape:
        return None
    return data.shape[-1] if attrs.get("preserve_shape") else data.shape[1]


def lengths(values: dict, attrs: dict, axis: int = 0) -> int | None:
    """The longest sequence, and one more, as a length is no position."""
    return values["data"].shape[attrs.get("axis", axis)] + 1 if attrs["use_sequence_length"] else None


REGIONS = Rule("rois", lambda values, attrs: values["data"].shape[0], of_region=True)
RULES = {
    "CTCLoss": Rule("label", lambda values, attrs: values["data"].shape[2], first=-1),
    "Embedding": Rule("data", lambda values, attrs: attrs["input_dim"]),
    "ROIPooling": REGIONS,
    "SequenceLast": Rule("sequence_length", lengths, first=1),
    "SequenceMask": Rule("sequence_length", lengths),
    "SequenceReverse": Rule("sequence_length", lengths),
    "SoftmaxOutput": Rule("label", classes_of),
    "SVMOutput": Rule("label", classes_of),
    "_contrib_ROIAlign": REGIONS,
    "_contrib_SparseEmbedding": Rule("data", lambda values, attrs: attrs["input_dim"]),
    "_unravel_index": Rule("data", lambda values, attrs: math.prod(attrs["shape"])),
    "batch_take": Rule("indices", lambda values, attrs: values["a"].shape[-1]),
    "one_hot": Rule("indices", lambda values, attrs: attrs["depth"]),
    "pick": Rule("index", lambda values, attrs: along_axis(values, attrs, "data")),
    "softmax_cross_entropy": Rule("label", classes_of),
    "take": Rule("indices", lambda values, attrs: along_axis(values, attrs, "a")),
}


def check_values(op: Operator, inputs: Sequence, attrs: dict) -> None:
    """Raise ArrayIndexError at the first position that is not a number within its range."""
    rule = RULES[op.name]
    values = dict(zip(op.input_names(attrs), inputs, strict=True))
    count = rule.limit(values, attrs)
    if count is None:
        return
    refuse("MXCY_CHECK reads its inputs")
    found = np.trunc(np.asarray(values[rule.operand].view_numpy(False), np.float64))
    found = found[..., 0] if rule.of_region else found
    bad = ~((found >= rule.first) & (found < count))  # NaN is neither
    if attrs.get("use_ignore"):
        bad &= found != attrs["ignore_label"]
    if bad.any():
        place = tuple([int(i) for i in np.argwhere(bad)[0]])
        expected = f"positions from {rule.first} to {count - 1}"
        got = f"{found[place]:g} at {place}"
        raise ArrayIndexError(message(op.name, rule.operand, expected, got, "MXCY_CHECK is on"))


def checked(op: Operator) -> Callable:
    """The computation of an operator after a look at its positions."""
    compute = op.compute

    def look_and_compute(inputs: Sequence, attrs: dict, *rest: Any, **options: Any) -> list:
        check_values(op, inputs, attrs)
        return compute(inputs, attrs, *rest, **options)

    return look_and_compute


def switch_on() -> None:
    """Check positions if the environment asks for it."""
    if os.environ.get("MXCY_CHECK", "0") not in ("", "0"):
        for name in RULES:
            op: Any = find(name)
            op.compute = checked(op)
