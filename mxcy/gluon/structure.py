"""The file `-model.json` of `Block.save`, in MXNet's form: blocks in order, by class and number.

    {"net0": {"orig_name": "net0", "hybridized": false, "children": {"dense0": "output"},
              "dense1": {"orig_name": "dense0", ...}}}

`children` has for the name of each block inside the one under which its parent knows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from ..errors import ArgumentError, message

__all__ = ["saved_form", "take_names"]


def saved_form(block: Any) -> dict:
    """What is written of a block and of those inside it; graphs are made again when they are needed."""
    form: dict = {}
    _add(block, form, count())
    return form


def _add(block: Any, form: dict, numbers: Iterator[int]) -> None:
    children = {child.name: key for key, child in block._children.items()}
    own: dict = {"orig_name": block.name, "hybridized": False, "children": children}
    form[_key(block, next(numbers))] = own
    for child in block._children.values():
        _add(child, own, numbers)


def _key(block: Any, number: int) -> str:
    return f"{type(block).__name__.lower()}{number}"


def take_names(block: Any, form: Any, path: str) -> None:
    """Let blocks know those inside them by the names that were saved. Raises ArgumentError for others."""
    _take(block, form, count(), path)


def _take(block: Any, form: Any, numbers: Iterator[int], path: str) -> dict:
    key = _key(block, next(numbers))
    own = form.get(key) if isinstance(form, dict) else None
    names = own.get("children") if isinstance(own, dict) else None
    if not isinstance(names, dict) or len(names) != len(block._children):
        expected = f"a block of the structure that was saved, with {key} of {len(block._children)} blocks"
        raise ArgumentError(message("load", path, expected, f"{type(block).__name__}, saved otherwise"))
    found = {}
    for child in block._children.values():
        saved = _take(child, own, numbers, path)
        name = names.get(saved.get("orig_name"))
        if name is None:
            raise ArgumentError(message("load", path, f"a name for {saved.get('orig_name')}", "none"))
        found[name] = child
    block._children.clear()
    block._children.update(found)
    return own  # type: ignore[return-value]
