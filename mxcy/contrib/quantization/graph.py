"""The pass that makes layers on bytes of layers on real numbers.

A layer that can be is replaced by its form on int8 or uint8, which takes each array with the two real
numbers that its ends stand for. Where a result is of 32 bits `_contrib_requantize` brings it back to eight;
where bytes meet a layer of real numbers, or the end, `_contrib_dequantize` stands between; real numbers
that enter go through `_contrib_quantize_v2`. Weights and biases are variables of bytes, `w_quantize`, with
their ends `w_quantize_min` and `w_quantize_max`. Names are those of MXNet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ... import ops
from ...graph.ir import Entry, Graph, Node, variable

__all__ = ["Thresholds", "calibrated", "calibrated_outputs", "quantized"]

Thresholds = Mapping[str, tuple[float, float]]

FORMS = {
    "Activation": "_contrib_quantized_act",
    "BatchNorm": "_contrib_quantized_batch_norm",
    "Concat": "_contrib_quantized_concat",
    "Convolution": "_contrib_quantized_conv",
    "Flatten": "_contrib_quantized_flatten",
    "FullyConnected": "_contrib_quantized_fully_connected",
    "Pooling": "_contrib_quantized_pooling",
    "elemwise_add": "_contrib_quantized_elemwise_add",
}
WIDE = {"Convolution", "FullyConnected", "elemwise_add"}  # results of 32 bits
WEIGHTED = {"Convolution", "FullyConnected"}


def operator(name: str) -> Any:
    """The operator of a name that is known to be there."""
    return ops.lookup(name)


def output_name(entry: Entry) -> str:
    """The name of an array in calibration: that of the variable, or of the result."""
    return entry.node.name if entry.node.op is None else entry.name


class Asked(dict):
    """Thresholds that are there for every array, and note which were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return True

    def __getitem__(self, name: str) -> tuple[float, float]:
        return -1.0, 1.0


def calibrated_outputs(graph: Graph, parameters: Collection[str], **settings: Any) -> set[str]:
    """Names of the arrays whose bounds `quantized` reads with the same arguments."""
    asked = Asked()
    quantized(graph, parameters, thresholds=asked, **settings)
    return asked.names


def fits(node: Node, parameters: Collection[str], thresholds: Thresholds) -> bool:
    """Whether there is a form on bytes of a layer."""
    kind, attrs = node.op.name, node.attrs
    if kind in WEIGHTED:
        own = all(entry.node.op is None and entry.node.name in parameters for entry in node.inputs[1:])
        return own and attrs.get("layout") in (None, "NCHW")
    if kind == "Pooling":
        return attrs["pool_type"] in ("max", "avg") and attrs["layout"] in (None, "NCHW")
    if kind == "Activation":
        return attrs["act_type"] == "relu"
    if kind == "BatchNorm":  # its bounds are those of calibration only
        return output_name(Entry(node, 0)) in thresholds and not attrs["output_mean_var"]
    return kind in FORMS


class Pass:
    """One run over a graph: what each entry has become, as real numbers and as bytes."""

    def __init__(self, parameters: Collection[str], out_type: str, thresholds: Thresholds):
        self.parameters, self.out_type, self.thresholds = parameters, out_type, thresholds
        self.real: dict[Entry, Entry] = {}
        self.bytes: dict[Entry, tuple[Entry, Entry, Entry]] = {}

    def node(self, kind: str, name: str, inputs: Any, attrs: Mapping[str, Any]) -> tuple[Entry, ...]:
        """Add a node."""
        op = operator(kind)
        return Node(op, name, op.parse_attrs(dict(attrs)), inputs).entries()

    def bounds(self, name: str) -> dict[str, float]:
        """What calibration found out about an array."""
        if name not in self.thresholds:
            return {}
        low, high = self.thresholds[name]
        return {"min_calib_range": float(low), "max_calib_range": float(high)}

    def as_real(self, entry: Entry) -> Entry:
        """The new entry of real numbers."""
        if entry not in self.real:
            self.real[entry] = self.node("_contrib_dequantize", f"{entry.node.name}_dequantize",
                                         self.bytes[entry], {})[0]  # fmt: skip
        return self.real[entry]

    def as_bytes(self, entry: Entry) -> tuple[Entry, Entry, Entry]:
        """The new entries of bytes, of the lowest and of the highest number."""
        if entry not in self.bytes:
            attrs = {"out_type": self.out_type} | self.bounds(output_name(entry))
            name = f"{entry.node.name}_quantize"
            made = self.node("_contrib_quantize_v2", name, [self.as_real(entry)], attrs)
            self.bytes[entry] = made[0], made[1], made[2]
        return self.bytes[entry]

    def parameter(self, entry: Entry) -> tuple[Entry, Entry, Entry]:
        """A weight or bias that is quantised beforehand."""
        if entry not in self.bytes:
            name = f"{entry.node.name}_quantize"
            self.bytes[entry] = variable(name), variable(f"{name}_min"), variable(f"{name}_max")
        return self.bytes[entry]

    def layer(self, node: Node) -> None:
        """Add the form on bytes of a layer."""
        kind, name = node.op.name, node.name
        form = FORMS[kind]
        own = operator(form).attributes
        attrs = {key: value for key, value in node.attrs.items() if key in own and value != own[key].default}
        if kind == "BatchNorm":
            attrs |= self.bounds(output_name(Entry(node, 0)))
            data, low, high = self.as_bytes(node.inputs[0])
            inputs = [data, *(self.as_real(entry) for entry in node.inputs[1:]), low, high]
        else:
            first = self.as_bytes(node.inputs[0])
            others = self.parameter if kind in WEIGHTED else self.as_bytes
            triples = [first, *(others(entry) for entry in node.inputs[1:])]
            inputs = [triple[0] for triple in triples]
            inputs += [bound for triple in triples for bound in triple[1:]]
        made = self.node(form, f"quantized_{name}", inputs, attrs)
        if kind in WIDE:
            options = {"out_type": self.out_type} | self.bounds(output_name(Entry(node, 0)))
            made = self.node("_contrib_requantize", f"requantize_{name}", made, options)
        self.bytes[Entry(node, 0)] = made[0], made[1], made[2]


def quantized(graph: Graph, parameters: Collection[str], out_type: str = "int8",
              excluded: Collection[str] = (), excluded_kinds: Collection[str] = (),
              smart: bool = False, thresholds: Thresholds | None = None) -> Graph:  # fmt: skip
    """Return the graph with layers on bytes.

    Parameters
    ----------
    parameters : names of arrays that are known beforehand.
    out_type : int8, uint8, or auto: uint8 where calibration saw no negative number.
    excluded, excluded_kinds : nodes and operators that stay as they are.
    smart : layers without weights stay real unless their data are bytes already.
    thresholds : lowest and highest number of arrays by name; what is not in there is found at each run.
    """
    made = Pass(parameters, out_type, {} if thresholds is None else thresholds)
    for node in graph.nodes:
        if node.op is None:
            made.real[Entry(node, 0)] = Entry(node, 0)
            continue
        kept = node.name in excluded or node.op.name in excluded_kinds
        if smart and node.op.name not in WEIGHTED:
            kept = kept or not all(entry in made.bytes for entry in node.inputs if entry.node.op is not None)
        if not kept and fits(node, parameters, made.thresholds):
            made.layer(node)
            continue
        inputs = [made.as_real(entry) for entry in node.inputs]
        new = Node(node.op, node.name, node.attrs, inputs, node.labels)
        made.real.update(zip(node.entries(), new.entries(), strict=True))
    return Graph([made.as_real(head) for head in graph.heads])


def calibrated(graph: Graph, thresholds: Thresholds) -> Graph:
    """Return a graph on bytes with the bounds of arrays; names are those of the graph on real numbers."""
    moved: dict[Entry, Entry] = {}
    for node in graph.nodes:
        if node.op is None:
            moved[Entry(node, 0)] = Entry(node, 0)
            continue
        attrs = node.attrs
        if node.op.name == "_contrib_requantize":
            name = f"{node.name.removeprefix('requantize_')}_output"
        else:
            name = output_name(node.inputs[0]) if node.inputs else ""
        if node.op.name in ("_contrib_quantize_v2", "_contrib_requantize") and name in thresholds:
            low, high = thresholds[name]
            bounds = {"min_calib_range": float(low), "max_calib_range": float(high)}
            attrs = node.op.parse_attrs(dict(attrs) | bounds)
        new = Node(node.op, node.name, attrs, [moved[entry] for entry in node.inputs], node.labels)
        moved.update(zip(node.entries(), new.entries(), strict=True))
    return Graph([moved[head] for head in graph.heads])
