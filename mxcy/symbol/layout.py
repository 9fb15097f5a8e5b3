"""Writes JSON with the white space of MXNet 1.9.1, so that files can be compared as text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["write_graph"]

# The only escapes that MXNet's reader knows; every other character stands for itself.
_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_LONG = 10  # longer lists of numbers have a line for each element


def write_graph(
    nodes: Sequence[dict],
    arg_nodes: Sequence[int],
    node_row_ptr: Sequence[int],
    heads: Sequence[tuple[int, int, int]],
    version: int,
) -> str:
    """Return the text of a graph; a node has op, name, attrs (strings) and inputs (triples)."""
    fields = [
        ("nodes", _lines([_node(node) for node in nodes], "[]", 2)),
        ("arg_nodes", _list(list(map(str, arg_nodes)), 2)),
        ("node_row_ptr", _list(list(map(str, node_row_ptr)), 2)),
        ("heads", _list(list(map(_triple, heads)), 2)),
        ("attrs", f'{{"mxnet_version": ["int", {version}]}}'),
    ]
    return _lines([f"{_text(name)}: {value}" for name, value in fields], "{}", 0)


def _node(node: dict) -> str:
    fields = [("op", _text(node["op"])), ("name", _text(node["name"]))]
    if node["attrs"]:
        pairs = [f"{_text(key)}: {_text(value)}" for key, value in sorted(node["attrs"].items())]
        fields.append(("attrs", f"{{{pairs[0]}}}" if len(pairs) == 1 else _lines(pairs, "{}", 6)))
    fields.append(("inputs", _list(list(map(_triple, node["inputs"])), 6)))
    return _lines([f"{_text(name)}: {value}" for name, value in fields], "{}", 4)


def _triple(numbers: Sequence[int]) -> str:
    return f"[{', '.join(map(str, numbers))}]"


def _text(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def _list(items: list[str], indent: int) -> str:
    return _lines(items, "[]", indent) if len(items) > _LONG else f"[{', '.join(items)}]"


def _lines(items: list[str], brackets: str, indent: int) -> str:
    """Items, each on its own line, in brackets that stand `indent` columns in."""
    space = "\n" + " " * (indent + 2)
    return brackets[0] + ", ".join(space + item for item in items) + "\n" + " " * indent + brackets[1]
