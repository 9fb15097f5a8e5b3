"""`mx.viz`: networks as a table and as a picture."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import ArgumentError, ArgumentTypeError, message, wrap
from .graph.ir import Entry, Node
from .symbol import Symbol

__all__ = ["plot_history", "plot_network", "print_summary"]

_COLUMNS = ("Layer (type)", "Output Shape", "Param #", "Previous Layer")


def _checked(op: str, symbol: Any) -> Symbol:
    if not isinstance(symbol, Symbol):
        raise ArgumentTypeError(message(op, "symbol", "a Symbol", type(symbol).__name__))
    return symbol


def _inferred(op: str, symbol: Symbol, what: str, given: Mapping[str, Any] | None) -> dict[Entry, Any]:
    """Shapes (or dtypes) of the outputs of all nodes, nothing if none are given."""
    if given is None:
        return {}
    internals = symbol.get_internals()
    infer = internals.infer_shape if what == "shape" else internals.infer_type
    found = infer(**given)[1]
    if found is None:
        text = f"enough to decide every {what}"
        raise ArgumentError(message(op, what, text, f"that of {', '.join(given) or 'nothing'}"))
    return dict(zip(internals._graph.heads, found, strict=True))


def _extents(shape: Sequence[int] | None) -> str:
    """The extents of one example: the first axis is the batch."""
    return "x".join(map(str, (shape or ())[1:]))


def _numbers(text: Any) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(text))]


# --- table ------------------------------------------------------------------------------------------------
def print_summary(symbol: Symbol, shape: Mapping[str, Sequence[int]] | None = None, line_length: int = 120,
                  positions: Sequence[float] = (0.44, 0.64, 0.74, 1.0)) -> None:  # fmt: skip
    """Print a table of the layers of a network, as MXNet prints it.

    Parameters
    ----------
    shape : shapes of arguments by name. Without them shapes, and numbers of parameters that depend on
        shapes, are not known.
    line_length, positions : the width of the table, and the right ends of the columns, as shares of it
        or in characters.
    """
    shapes = _inferred("print_summary", _checked("print_summary", symbol), "shape", shape)
    ends = [int(line_length * p) for p in positions] if positions[-1] <= 1 else [int(p) for p in positions]
    nodes = symbol._graph.nodes
    # MXNet shows the input of a network because it takes all three numbers of a head for nodes.
    shown = {symbol._graph.heads[0].node, nodes[min(symbol._graph.heads[0].index, len(nodes) - 1)], nodes[0]}
    print("_" * line_length)
    _print_row(_COLUMNS, ends)
    print("=" * line_length)
    total = 0
    for number, node in enumerate(nodes):
        if node.op is None and number > 0:
            continue
        sources = [
            source.node for source in node.inputs if source.node.op is not None or source.node in shown
        ]
        count = _parameters(node, shapes, sources)
        total += count
        named = node in shown if node.op is None else node.num_visible == 1
        extents = _extents(shapes.get(Entry(node, 0))) if named else ""
        kind = node.op.name if node.op is not None else "null"
        before = [source.name for source in sources] or [""]
        _print_row((f"{node.name}({kind})", extents, count, before[0]), ends)
        for name in before[1:]:
            _print_row(("", "", "", name), ends)
        print(("=" if number == len(nodes) - 1 else "_") * line_length)
    print(f"Total params: {total}")
    print("_" * line_length)


def _print_row(fields: Sequence[Any], ends: Sequence[int]) -> None:
    line = ""
    for field, end in zip(fields, ends, strict=True):
        line = (line + str(field))[:end].ljust(end)
    print(line)


def _parameters(node: Node, shapes: Mapping[Entry, Any], sources: Sequence[Node]) -> int:
    """How many parameters a layer has, as far as shapes are known."""
    if node.op is None:
        return 0
    attrs, kind = node.attrs, node.op.name
    known = [shapes[Entry(source, 0)] for source in sources if Entry(source, 0) in shapes]
    channels = sum(shape[1] for shape in known if len(shape) > 1)
    if kind == "Convolution":
        count = channels * attrs["num_filter"] // attrs["num_group"]
        for extent in _numbers(attrs["kernel"]):
            count *= extent
        return count + (0 if attrs["no_bias"] else attrs["num_filter"])
    if kind == "FullyConnected":
        return (channels + (not attrs["no_bias"])) * attrs["num_hidden"]
    if kind == "BatchNorm" and Entry(node, 0) in shapes:
        return shapes[Entry(node, 0)][1] * 2
    if kind == "Embedding":
        return attrs["input_dim"] * attrs["output_dim"]
    return 0


# --- picture ----------------------------------------------------------------------------------------------
_PARAMETERS = (
    "_weight", "_bias", "_beta", "_gamma", "_moving_var", "_moving_mean", "_running_var", "_running_mean",
)  # fmt: skip

_COLOURS = {
    None: "#8dd3c7", "Convolution": "#fb8072", "FullyConnected": "#fb8072", "Activation": "#ffffb3",
    "LeakyReLU": "#ffffb3", "BatchNorm": "#bebada", "Pooling": "#80b1d3", "Concat": "#fdb462",
    "Flatten": "#fdb462", "Reshape": "#fdb462", "Softmax": "#b3de69",
}  # fmt: skip
_OTHER = "#fccde5"


def plot_network(symbol: Symbol, title: str = "plot", save_format: str = "pdf",
                 shape: Mapping[str, Sequence[int]] | None = None, dtype: Mapping[str, Any] | None = None,
                 node_attrs: Mapping[str, str] = {}, hide_weights: bool = True) -> Any:  # fmt: skip
    """Return a `graphviz.Digraph` of a network; `.render()` writes it, notebooks show it.

    Parameters
    ----------
    shape, dtype : shapes and dtypes of arguments by name, to be written at the edges.
    node_attrs : attributes of the nodes in the words of graphviz.
    hide_weights : whether parameters are left out.

    Raises ModuleNotFoundError without the package graphviz (`pip install mxcy[viz]`).
    """
    _checked("plot_network", symbol)
    try:
        from graphviz import Digraph
    except ImportError as error:
        error.add_note("pictures of networks need graphviz: pip install mxcy[viz]")
        raise wrap(error) from None
    shapes = _inferred("plot_network", symbol, "shape", shape)
    dtypes = _inferred("plot_network", symbol, "dtype", dtype)
    nodes = symbol._graph.nodes
    _warn_repeated([node.name for node in nodes])
    look = {"shape": "box", "fixedsize": "true", "width": "1.3", "height": "0.8034", "style": "filled"}
    look |= node_attrs
    dot = Digraph(name=title, format=save_format)
    hidden = set()
    for node in nodes:
        own = dict(look)
        if node.op is None:
            if node.name.endswith(_PARAMETERS):
                hidden.update([node] if hide_weights else [])
                continue
            own["shape"] = "oval"
        own["fillcolor"] = _COLOURS.get(None if node.op is None else node.op.name, _OTHER)
        dot.node(name=node.name, label=_label(node), **own)
    for node in nodes:
        for source in node.inputs:
            if source.node in hidden:
                continue
            label = _extents(shapes.get(source))
            label += f"({dtypes[source].__name__})" if source in dtypes else ""
            dot.edge(node.name, source.node.name, dir="back", arrowtail="open", label=label)
    return dot


def _warn_repeated(names: list[str]) -> None:
    if len({*names}) < len(names):
        repeated = ", ".join(sorted({name for name in names if names.count(name) > 1}))
        text = (
            "There are multiple variables with the same name in your graph, this may result in cyclic graph. "
            f"Repeated names: {repeated}"
        )
        warnings.warn(text, RuntimeWarning, stacklevel=3)


def _label(node: Node) -> str:
    """What stands in a node: its name, or what a layer is and its size."""
    if node.op is None:
        return node.name
    kind, attrs = node.op.name, node.attrs

    def sides(name: str, otherwise: str) -> str:
        return "x".join(map(str, _numbers(attrs.get(name)))) or otherwise

    if kind == "Convolution":
        return f"Convolution\n{sides('kernel', '')}/{sides('stride', '1')}, {attrs['num_filter']}"
    if kind == "Pooling":
        return f"Pooling\n{attrs['pool_type']}, {sides('kernel', '[]')}/{sides('stride', '1')}"
    if kind == "FullyConnected":
        return f"FullyConnected\n{attrs['num_hidden']}"
    if kind in ("Activation", "LeakyReLU"):
        return f"{kind}\n{attrs['act_type']}"
    return node.name


def plot_history(history: Any, metrics: Sequence[str] | None = None) -> Any:
    """Draw metrics over the batches trained, and return the figure of matplotlib.

    Parameters
    ----------
    history : a `mx.callback.History`, or a dict of name to values or to (batch, value) pairs.
    metrics : names of metrics to draw, without `train-` and `validation-`; by default all of them.

    Each metric has axes of its own, with a curve for training and one for validation.
    """
    records = getattr(history, "records", history)
    if not isinstance(records, Mapping) or not records:
        got = type(history).__name__ if not isinstance(records, Mapping) else "nothing recorded"
        raise ArgumentError(message("plot_history", "history", "a History or a dict with values", got))
    curves: dict[str, dict[str, Any]] = {}
    for name, values in records.items():
        kind, dash, metric = name.partition("-")
        if not dash or kind not in ("train", "validation"):
            kind, metric = "train", name
        curves.setdefault(metric, {})[kind] = values
    chosen = list(curves) if metrics is None else list(metrics)
    missing = [name for name in chosen if name not in curves]
    if missing or not chosen:
        expected = f"some of {', '.join(curves)}"
        raise ArgumentError(message("plot_history", "metrics", expected, ", ".join(missing) or "none"))
    figures = importlib.import_module("matplotlib.figure")
    figure = figures.Figure(figsize=(5 * len(chosen), 4), layout="constrained")
    for place, metric in enumerate(chosen, start=1):
        axes = figure.add_subplot(1, len(chosen), place)
        for kind, values in curves[metric].items():
            pairs = [value if isinstance(value, tuple) else (n, value) for n, value in enumerate(values)]
            axes.plot(*zip(*pairs, strict=True), label=kind)
        axes.set(xlabel="batches", ylabel=metric)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure
