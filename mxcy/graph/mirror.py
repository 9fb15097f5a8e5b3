"""Lets backward compute results of forward once more instead of keeping them (Chen et al. 2016).

A node that is mirrored has a copy, which backward reads instead; the copy reads the copies of mirrored
nodes and the results of all others, which stay in memory until then. Each result is computed once more
at most, just before backward needs it.

A second run must give the same results and change nothing. So an operator that draws random numbers or
writes states takes part only if it can compute its result again from what it has saved (`again` of its
declaration: Dropout from its mask, BatchNorm from the mean and the deviation of the batch).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..errors import ArgumentError, message
from .effects import sequence
from .expression import Expression, Names
from .ir import Entry, Graph, Node

__all__ = ["marked", "may_repeat", "mirror"]

# What takes long to compute for the memory that it needs, or saves as much as it makes.
_EXPENSIVE = {
    "Convolution", "Deconvolution", "FullyConnected", "Concat", "SoftmaxOutput", "Embedding", "Dropout",
}  # fmt: skip
_TRUTH = {"True": True, "true": True, "1": True, "False": False, "false": False, "0": False}


def may_repeat(graph: Graph) -> set[Node]:
    """Return the operations that can run once more with the same result and without a side effect."""
    fixed = set(sequence(graph))
    return {node for node in graph.nodes if node.op is not None and (node not in fixed or node.op.can_replay)}


def marked(graph: Graph, everything: bool = False) -> set[Node]:
    """Return the nodes to mirror: those with the label `__force_mirroring__`, and with `everything` all
    that are quick to compute and do not say otherwise.
    """
    found = set()
    for node in may_repeat(graph):
        text = node.labels.get("__force_mirroring__")
        if text is None:
            wanted = everything and node.op.name not in _EXPENSIVE
        elif text in _TRUTH:
            wanted = _TRUTH[text]
        else:
            raise ArgumentError(message("attr", "force_mirroring", "True or False", repr(text)))
        if wanted:
            found.add(node)
    return found


def mirror(graph: Graph, targets: Sequence[Entry], chosen: Collection[Node]) -> list[Entry]:
    """Return the gradients `targets` of a graph, computed from copies of the nodes chosen.

    `chosen` are among `may_repeat(graph)`.
    """
    forward = set(graph.nodes)
    backward = [node for node in Graph(targets).nodes if node not in forward]
    needed = {source.node for node in backward for source in node.inputs} & forward
    for node in reversed(graph.nodes):
        if node in needed and node in chosen:
            needed.update(source.node for source in node.inputs)
    moved: dict[Entry, Entry] = {}
    for node in graph.nodes:
        if node in needed and node in chosen:
            again = _again(node, [moved.get(source, source) for source in node.inputs])
            moved.update((Entry(node, index), new) for index, new in enumerate(again))
    for node in backward:
        inputs = tuple(moved.get(source, source) for source in node.inputs)
        if inputs != node.inputs:
            new = Node(node.op, node.name, node.attrs, inputs, node.labels)
            moved.update((Entry(node, index), Entry(new, index)) for index in range(node.num_outputs))
    return [target if target.node in forward else moved.get(target, target) for target in targets]


def _again(node: Node, inputs: list[Entry]) -> list[Entry]:
    """The outputs of a copy of a node; those that are missing at the end need none."""
    if not node.op.can_replay:
        new = Node(node.op, f"{node.name}_mirror", node.attrs, inputs, node.labels)
        return [Entry(new, index) for index in range(node.num_outputs)]
    names = Names(f"{node.name}_mirror")
    saved = [Expression(Entry(node, index), names) for index in range(node.num_outputs)]
    made = node.op.replay([Expression(source, names) for source in inputs], saved, node.attrs)
    return [expression.entry for expression in made]
