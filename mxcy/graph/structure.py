"""Nested lists of arrays or symbols, as control flow takes and returns them: flattened, and nested again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import AssertedArgumentError, message

__all__ = ["flatten", "regroup"]

Form = int | list  # 0: one item; n: n items in a list that came as one; a list: one form for each part


def flatten(op: str, argument: str, given: Any, kind: type, parts: Callable[[Any], list] | None = None):
    """Return (the items in nested lists and tuples, how they were nested).

    An item is an instance of `kind`; `parts` returns what one that stands for several consists of.
    Raises AssertedArgumentError for anything else.
    """
    if isinstance(given, kind):
        items = [given] if parts is None else parts(given)
        return items, len(items) if len(items) != 1 else 0
    if not isinstance(given, (list, tuple)):
        expected = f"{kind.__name__}s or nested lists of them"
        raise AssertedArgumentError(message(op, argument, expected, type(given).__name__))
    flat: list = []
    forms: list[Form] = []
    for part in given:
        items, form = flatten(op, argument, part, kind, parts)
        flat += items
        forms.append(form)
    return flat, forms


def regroup(items: Sequence, form: Form) -> Any:
    """Return the items nested in this way."""
    found, rest = _regrouped(list(items), form)
    assert not rest, "as many items as the form has"
    return found


def _regrouped(items: list, form: Form) -> tuple[Any, list]:
    if isinstance(form, int):
        return (items[:form], items[form:]) if form else (items[0], items[1:])
    nested = []
    for part in form:
        found, items = _regrouped(items, part)
        nested.append(found)
    return nested, items
