from ._nodes import Entry, Node

def depths(
    nodes: list[Node], users: dict[Entry, list[Node]], kinds: dict[Node, int], fixed: set[Node]
) -> dict[Node, int]: ...
