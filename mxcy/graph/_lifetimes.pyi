from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ._nodes import Entry, Node

class Roots:
    def __init__(self, shapes: Mapping[Entry, Any], rigid: Collection[Entry] = ()) -> None: ...
    def __call__(self, entry: Entry) -> Entry: ...

class Slot:
    nbytes: int
    first: int
    making: int
    last: int
    ending: int
    buffer: int
    offset: int

class Walk:
    slots: list[Slot]
    unplanned: int
    largest_live: int
    def __init__(
        self,
        nodes: list[Node],
        shapes: Mapping[Entry, Any],
        dtypes: Mapping[Entry, Any],
        roots: Roots,
        in_place: bool,
        keep: Collection[Entry],
        external: Collection[Entry],
    ) -> None: ...
    def run(self, colours: dict[Node, int]) -> None: ...
    def at(self, entry: Entry) -> tuple[Slot, int] | None: ...
    def made(self, position: int) -> list[Slot]: ...
    def rows(self) -> Iterator[tuple[Entry, Slot, int, int]]: ...
    def consumed(self, early: set[Node]) -> bool: ...

def colours(nodes: list[Node], paths: int) -> dict[Node, int]: ...
