from collections.abc import Callable
from typing import Any

from ._nodes import Entry, Node

def sweep(
    nodes: list[Node],
    values: dict[Entry, Any],
    within: Any,
    apply: Callable[[Node], tuple],
    learned: Callable[[int, list[Entry], bool], None],
) -> None: ...
