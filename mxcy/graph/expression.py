"""What gradient rules compute with while a graph is being made: an entry with number operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .arithmetic import Arithmetic
from .ir import Entry, Node

__all__ = ["Expression", "Names"]


class Names:
    """Gives the nodes that a pass makes names of their own: a prefix and a number."""

    __slots__ = ("_counts", "prefix")

    def __init__(self, prefix: str):
        self.prefix = prefix
        self._counts: dict[str, int] = {}

    def next(self) -> str:
        """Return the next name with this prefix: the prefix alone, then with 1, 2, …"""
        count = self._counts.get(self.prefix, 0)
        self._counts[self.prefix] = count + 1
        return f"{self.prefix}{count}" if count else self.prefix


class Expression(Arithmetic):
    """An entry; operators called on it make nodes."""

    __slots__ = ("entry", "names")

    def __init__(self, entry: Entry, names: Names):
        self.entry = entry
        self.names = names

    def _apply(
        self, op: Any, inputs: Sequence, attrs: Any, out: Any = None, name: str | None = None, attr=None
    ):
        """Make a node; return its output, or the list of its outputs if it shows several."""
        entries = [operand.entry for operand in inputs]
        node = Node(op, name or self.names.next(), attrs, entries)
        if node.num_outputs == 1:
            return Expression(Entry(node, 0), self.names)
        made = [Expression(entry, self.names) for entry in node.entries()]
        return made[0] if len(made) == 1 else made
