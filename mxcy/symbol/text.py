"""Nodes as text: attributes, listings, and the errors that name what there is."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import closest, message
from ..graph.ir import Graph, Node
from .compose import HIDDEN_KEYS

__all__ = ["attributes", "listing", "unknown_name"]

_MANY = 12  # names that an error lists


def attributes(node: Node) -> dict[str, str]:
    """Return attributes and labels of a node; hidden labels also without their underscores."""
    found = dict(node.labels)
    for key in HIDDEN_KEYS:
        if f"__{key}__" in found:
            found[key] = found[f"__{key}__"]
    if node.op is not None:
        found.update(node.op.format_attrs(node.attrs))
    return found


def unknown_name(op: str, argument: str | None, expected: str, name: str, known: Sequence[str]) -> str:
    """Return the text of the error for a name that is not among those known."""
    near = closest(name, known)
    listed = ", ".join(known[:_MANY]) + (f" and {len(known) - _MANY} more" if len(known) > _MANY else "")
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {listed}"
    return message(op, argument, expected, repr(name), hint)


def listing(graph: Graph) -> str:
    """Return all nodes of a graph, as MXNet lists them."""
    lines = ["Symbol Outputs:"]
    lines += [f"\toutput[{i}]={head.node.name}({head.index})" for i, head in enumerate(graph.heads)]
    for node in graph.nodes:
        if node.op is None:
            lines.append(f"Variable:{node.name}")
            continue
        lines += ["--------------------", f"Op:{node.op.name}, Name={node.name}", "Inputs:"]
        for position, source in enumerate(node.inputs):
            version = " version=0" if source.node.op is None else ""
            lines.append(f"\targ[{position}]={source.node.name}({source.index}){version}")
        own = node.op.format_attrs(node.attrs) | node.labels
        if own:
            lines.append("Attrs:")
            lines += [f"\t{key}={value}" for key, value in sorted(own.items())]
    return "\n".join(lines) + "\n"
