"""Graphs as JSON in the format of MXNet 1.9.1, written and read.

A file lists nodes, each after its inputs, which it names by number. Reading trusts nothing: every field
has its type checked, inputs and heads must be there before they are named (which leaves no room for
cycles), operators must exist with that many inputs, attributes are parsed by their operator and never
evaluated, and no step recurses.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from .. import ops
from .._files import replacing
from ..errors import ArgumentTypeError, FormatError, MXNetError, closest, message, wrap
from ..graph.infer import with_unknown_zeros
from ..graph.ir import Entry, Graph, Node
from ..switches import is_np_shape
from .compose import HIDDEN_KEYS, init_labels
from .layout import write_graph

__all__ = ["dumps", "from_text", "loads", "read", "save"]

VERSION = 10901  # of the MXNet whose format this is
FIRST_VERSION = 800  # taken for files that do not say theirs
WHOLE_BY_DEFAULT = 905  # until then axis=-1 of argmax and argmin meant the flattened array
DEPTH = 32  # of graphs inside graphs


def dumps(graph: Graph) -> str:
    """Return the text of a graph. It says whether an extent 0 is one, as with NumPy's shapes, or unknown."""
    return write_graph(**_parts(graph), version=VERSION, np_shape=is_np_shape())


def _parts(graph: Graph) -> dict[str, list]:
    """What the text of a graph holds."""
    numbers = {node: number for number, node in enumerate(graph.nodes)}
    versions: dict[Node, int] = {}  # how often a state has been written so far
    nodes, row_ptr = [], [0]
    for node in graph.nodes:
        for state in node.states:
            versions[state.node] = versions.get(state.node, 0) + 1
        inputs = [(numbers[e.node], e.index, versions.get(e.node, 0)) for e in node.inputs]
        attrs = dict(node.labels)
        if node.op is not None:
            attrs.update(node.op.format_attrs(node.attrs))
        name = node.op.name if node.op else "null"
        bodies = [_parts(body.graph) for body in node.attrs.get("bodies", ())]
        fields = {"op": name, "name": node.name, "attrs": attrs, "inputs": inputs, "subgraphs": bodies}
        nodes.append(fields)
        # MXNet counts hidden outputs, and has none of control flow.
        row_ptr.append(row_ptr[-1] + (node.num_visible if bodies else _written(node)))
    arguments = [numbers[node] for node in graph.variables]
    heads = [(numbers[head.node], head.index, 0) for head in graph.heads]
    return {"nodes": nodes, "arg_nodes": arguments, "node_row_ptr": row_ptr, "heads": heads}


def _written(node: Node) -> int:
    return node.op.num_written(node.attrs) if node.op else 1


def save(graph: Graph, path: str) -> None:
    """Write a graph to a file."""
    with replacing(path) as stream:
        stream.write(dumps(graph).encode())


def read(path: str) -> Graph:
    """Return the graph in a file."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise wrap(error) from None
    try:
        return loads(data.decode(), str(path))
    except UnicodeDecodeError:
        raise FormatError(message("load", str(path), "JSON in UTF-8", "other bytes")) from None


def from_text(make: Callable, text: str) -> Any:
    """Return what `make` makes of the graph in a text; symbols are pickled as a call of this."""
    return make(loads(text))


def loads(text: str, source: str | None = None) -> Graph:
    """Return the graph in a text. Raises FormatError, naming the place, for anything that is not one."""
    return _Reader(source).graph(text)


def label_of_input(op: Any, key: str) -> tuple[str, str]:
    """Split `weight_lr_mult`, as MXNet wrote labels of an operator's inputs before 0.9."""
    for label in HIDDEN_KEYS:
        argument = key.removesuffix(f"_{label}")
        if argument != key and argument in op.inputs and key not in op.attributes:
            return argument, label
    return key, ""


class _Reader:
    """Reads one text. Errors read `load_json(nodes[3].inputs): expected …, got …`."""

    def __init__(self, source: str | None):
        self.operation = "load" if source else "load_json"
        self.source = source
        self.version = FIRST_VERSION
        self.zeros_unknown = False  # in the file, but not here

    def graph(self, text: str) -> Graph:
        document = self.parse(text)
        attributes = document.get("attrs") if isinstance(document, dict) else None
        if isinstance(attributes, dict) and "mxnet_version" in attributes:
            self.version = self.number_of_version(attributes["mxnet_version"])
        told = isinstance(attributes, dict) and attributes.get("is_np_shape") == ["int", 1]
        self.zeros_unknown = is_np_shape() and not told
        return self.parts(document, "")

    def number_of_version(self, pair: Any) -> int:
        """The version of MXNet that wrote the file: 904 is 0.9.4."""
        if not isinstance(pair, list) or len(pair) != 2 or type(pair[1]) is not int:
            self.fail("attrs.mxnet_version", '["int", version]', pair)
        return pair[1]

    def parts(self, document: Any, within: str, depth: int = 0) -> Graph:
        """The graph of an object; `within` is the place of a subgraph, with a dot."""
        if not isinstance(document, dict) or not {"nodes", "arg_nodes", "heads"} <= set(document):
            self.fail(within[:-1], "an object with nodes, arg_nodes and heads", document)
        nodes: list[Node] = []
        for number, fields in enumerate(self.items(document["nodes"], f"{within}nodes")):
            nodes.append(self.node(fields, f"{within}nodes[{number}]", nodes, depth))
        for number, listed in enumerate(self.items(document["arg_nodes"], f"{within}arg_nodes")):
            place = f"{within}arg_nodes[{number}]"
            if nodes[self.integer(listed, place, len(nodes))].op is not None:
                self.fail(place, "the number of a variable", listed)
        heads = self.items(document["heads"], f"{within}heads")
        if not heads:
            self.fail(f"{within}heads", "at least one", heads)
        return Graph([self.entry(head, f"{within}heads[{i}]", nodes) for i, head in enumerate(heads)])

    def parse(self, text: str) -> Any:
        if not isinstance(text, str):
            raise ArgumentTypeError(message(self.operation, "json_str", "a str", type(text).__name__))

        def constant(name: str) -> None:
            raise ValueError(f"{name} is no JSON")

        try:
            return json.loads(text, strict=False, parse_constant=constant)
        except RecursionError:
            self.fail("", "JSON", "brackets nested too deeply")
        except ValueError as error:
            self.fail("", "JSON", f"text that is not ({error})")

    def subgraphs(self, given: Any, place: str, depth: int) -> list[Graph]:
        """The graphs that a node runs."""
        if given and depth == DEPTH:
            self.fail(place, f"graphs inside each other at most {DEPTH} deep", "more")
        listed = enumerate(self.items(given, place))
        return [self.parts(graph, f"{place}[{number}].", depth + 1) for number, graph in listed]

    def node(self, fields: Any, place: str, before: list[Node], depth: int) -> Node:
        if not isinstance(fields, dict):
            self.fail(place, "an object", fields)
        kind = self.string(fields.get("op"), f"{place}.op")
        name = self.string(fields.get("name"), f"{place}.name")
        graphs = self.subgraphs(fields.get("subgraphs", []), f"{place}.subgraphs", depth)
        given = {}
        for key in ("param", "attr", "attrs"):  # the two others are from before MXNet 1.0
            given.update(self.attributes(fields.get(key, {}), f"{place}.{key}"))
        sources = self.items(fields.get("inputs", []), f"{place}.inputs")
        inputs = [self.entry(pair, f"{place}.inputs[{i}]", before) for i, pair in enumerate(sources)]
        if kind == "null":
            if graphs:
                self.fail(f"{place}.subgraphs", f"none, as '{name}' is a variable", f"{len(graphs)} graphs")
            if inputs:
                self.fail(f"{place}.inputs", f"none, as '{name}' is a variable", f"{len(inputs)} inputs")
            labels = {f"__{key}__" if key in HIDDEN_KEYS else key: value for key, value in given.items()}
            if self.zeros_unknown and "__shape__" in labels:
                labels["__shape__"] = with_unknown_zeros(labels["__shape__"])
            return Node(None, name, None, (), labels)
        return self.operation_node(kind, name, given, inputs, graphs, place)

    def operation_node(self, kind: str, name: str, given: dict, inputs: list[Entry], graphs: list[Graph],
                       place: str) -> Node:  # fmt: skip
        if kind == "_numpy_call":  # which the functions of mx.np enter, above this file
            importlib.import_module("mxcy.numpy._graph_calls")
        op = ops.lookup(kind)
        if op is None:
            near = closest(kind, [*ops.REGISTRY, *ops.ALIASES])
            hint = f"did you mean {' or '.join(near)}?" if near else None
            self.fail(f"{place}.op", f"an operator that mxcy has, for node '{name}'", kind, hint)
        labels, own, passed_on = {}, {}, {}
        for key, value in given.items():
            argument, label = label_of_input(op, key)
            if key.startswith("__") and key.endswith("__"):
                labels[key] = value
            elif key in HIDDEN_KEYS and key not in op.attributes:
                labels[f"__{key}__"] = value
            elif not op.attributes:  # which MXNet does not read where there are none
                labels[key] = value
            elif label:
                passed_on[argument, f"__{label}__"] = value
            else:
                own[key] = value
        if self.version < WHOLE_BY_DEFAULT and kind in ("argmax", "argmin") and own.get("axis") == "-1":
            del own["axis"]
        try:
            attrs = op.parse_attrs(own)
            if hasattr(op, "with_bodies"):
                attrs = op.with_bodies(attrs, graphs)
            elif graphs:
                self.fail(f"{place}.subgraphs", f"none, as {kind} runs no graphs", f"{len(graphs)} graphs")
            wanted = op.input_names(attrs)
            states = op.aux_names(attrs)
        except MXNetError as error:
            raise self.located(error, f"{place}.attrs", name) from None
        if states and len(inputs) == len(wanted) - len(states):  # so wrote MXNet before 0.9
            for state in states:
                inherited = init_labels(op, state, {**labels, **own})
                variable = Node(None, f"{name}_{state}", labels=inherited)
                inputs.append(Entry(variable, 0))
        if len(inputs) != len(wanted):
            expected = f"{len(wanted)} inputs of {kind} '{name}' ({', '.join(wanted[:8])})"
            self.fail(f"{place}.inputs", expected, len(inputs))
        for (argument, label), value in passed_on.items():
            if argument in wanted and inputs[wanted.index(argument)].node.op is None:
                inputs[wanted.index(argument)].node.labels[label] = value
        node = Node(op, name, attrs, inputs, labels)
        for entry in node.states:
            if entry.node.op is not None:
                self.fail(f"{place}.inputs", "a variable for each state", f"node '{entry.node.name}'")
        return node

    def attributes(self, given: Any, place: str) -> dict[str, str]:
        if not isinstance(given, dict):
            self.fail(place, "an object of strings", given)
        return {key: self.string(value, f"{place}.{key}") for key, value in given.items()}

    def entry(self, pair: Any, place: str, before: list[Node]) -> Entry:
        """[node, output, version]; the version says nothing that the order of nodes does not."""
        if not isinstance(pair, list) or len(pair) not in (2, 3):
            self.fail(place, "[node, output, version]", pair)
        node = before[self.integer(pair[0], place, len(before))]
        return Entry(node, self.integer(pair[1], place, node.num_outputs))

    def integer(self, value: Any, place: str, bound: int) -> int:
        if type(value) is not int or not 0 <= value < bound:
            self.fail(place, f"an integer from 0 to {bound - 1}" if bound else "nothing to name yet", value)
        return value

    def string(self, value: Any, place: str) -> str:
        if not isinstance(value, str):
            self.fail(place, "a string", value)
        return value

    def items(self, value: Any, place: str) -> list:
        if not isinstance(value, list):
            self.fail(place, "a list", value)
        return value

    def fail(self, place: str, expected: str, got: Any, hint: str | None = None) -> NoReturn:
        shown = got if isinstance(got, str) else repr(got)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        raise FormatError(message(self.operation, self.within(place), expected, shown, hint))

    def within(self, place: str) -> str | None:
        return " ".join(part for part in (self.source, place) if part) or None

    def located(self, error: MXNetError, place: str, name: str) -> FormatError:
        return FormatError(f"{self.operation}({self.within(place)}): in node '{name}': {error}")
