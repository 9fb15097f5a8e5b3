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
    np_shape: bool = False,
) -> str:
    """Return the text of a graph; `np_shape`: its shapes are NumPy's.

    A node has op, name, attrs (strings), inputs (triples) and subgraphs, each as `parts` of a graph.
    """
    graph = {"nodes": nodes, "arg_nodes": arg_nodes, "node_row_ptr": node_row_ptr, "heads": heads}
    told = f'"mxnet_version": ["int", {version}]'
    attrs = _lines(['"is_np_shape": ["int", 1]', told], "{}", 2) if np_shape else f"{{{told}}}"
    fields = [*_graph(graph, 2), ("attrs", attrs)]
    return _lines([f"{_text(name)}: {value}" for name, value in fields], "{}", 0)


def _graph(graph: dict, indent: int) -> list[tuple[str, str]]:
    """The fields of a graph, which stand `indent` columns in."""
    return [
        ("nodes", _lines([_node(node, indent + 2) for node in graph["nodes"]], "[]", indent)),
        ("arg_nodes", _list(list(map(str, graph["arg_nodes"])), indent)),
        ("node_row_ptr", _list(list(map(str, graph["node_row_ptr"])), indent)),
        ("heads", _list(list(map(_triple, graph["heads"])), indent)),
    ]


def _node(node: dict, indent: int) -> str:
    fields = [("op", _text(node["op"])), ("name", _text(node["name"]))]
    if node["attrs"]:
        pairs = [f"{_text(key)}: {_text(value)}" for key, value in sorted(node["attrs"].items())]
        fields.append(("attrs", f"{{{pairs[0]}}}" if len(pairs) == 1 else _lines(pairs, "{}", indent + 2)))
    fields.append(("inputs", _list(list(map(_triple, node["inputs"])), indent + 2)))
    if node["subgraphs"]:
        texts = [_subgraph(graph, indent + 4) for graph in node["subgraphs"]]
        fields.append(("subgraphs", _lines(texts, "[]", indent + 2)))
    return _lines([f"{_text(name)}: {value}" for name, value in fields], "{}", indent)


def _subgraph(graph: dict, indent: int) -> str:
    return _lines([f"{_text(name)}: {value}" for name, value in _graph(graph, indent + 2)], "{}", indent)


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
