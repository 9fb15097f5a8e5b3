from collections.abc import Iterator
from typing import Any

class Entry:
    node: Any
    index: int
    def __init__(self, node: Any, index: int) -> None: ...
    def __iter__(self) -> Iterator[Any]: ...
    @property
    def name(self) -> str: ...
