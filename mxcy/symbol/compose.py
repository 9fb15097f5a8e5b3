"""Makes nodes: names, automatic variables for missing inputs, labels from scopes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import attribute, name
from ..dtypes import code_of, mxnet_flag_of
from ..errors import ArgumentError, ArgumentTypeError, DTypeError, OperandTypeError, message, problem
from ..graph._nodes import this_site
from ..graph.ir import Entry, Graph, Node

__all__ = ["HIDDEN_KEYS", "add_node", "call", "hint_of", "init_labels", "labels_of", "make_variable"]

STYPES = ("default", "row_sparse", "csr")  # in the order of MXNet's numbers

# Labels that may be written without underscores, as `lr_mult`; kept as `__lr_mult__`.
HIDDEN_KEYS = ("ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage", "profiler_scope")

# What the names of nodes begin with where MXNet's arithmetic says something else than the operator.
_HINTS = {
    "elemwise_add": "_plus", "elemwise_sub": "_minus", "elemwise_mul": "_mul", "elemwise_div": "_div",
    "_plus_scalar": "_plusscalar", "_minus_scalar": "_minusscalar", "_rminus_scalar": "_rminusscalar",
    "_mul_scalar": "_mulscalar", "_div_scalar": "_divscalar", "_rdiv_scalar": "_rdivscalar",
    "_mod_scalar": "_modscalar", "_rmod_scalar": "_rmodscalar", "_power_scalar": "_powerscalar",
    "_maximum_scalar": "_maximumscalar", "_minimum_scalar": "_minimumscalar",
    "_hypot_scalar": "_hypotscalar",
}  # fmt: skip

# What MXNet initialises in a way of its own: the input of an operator, and its label.
_INITS = {
    ("BatchNorm", "moving_mean"): '["zero", {}]',
    ("BatchNorm", "moving_var"): '["one", {}]',
    ("UpSampling", "weight"): '["bilinear", {}]',
    ("LeakyReLU", "gamma"): '["Constant", {"value": 0.25}]',
}


def hint_of(op: Any) -> str:
    """Return what automatic names of an operator's nodes begin with."""
    return _HINTS.get(op.name, op.name.lower())


def labels_of(op: Any, given: dict[str, str]) -> dict[str, str]:
    """Return labels under the names that files have; raise for a name that is no label of operators."""
    labels = {}
    for key, value in given.items():
        known = key in HIDDEN_KEYS
        # What has attributes of its own must tell them from labels.
        hidden = key.startswith("__") and key.endswith("__")
        if op is not None and op.attributes and not (known or hidden):
            expected = f"one of {', '.join(HIDDEN_KEYS)}, or a name such as '__{key}__'"
            raise ArgumentError(message(op.name, "attr", expected, repr(key)))
        if op is None and not isinstance(value, str):
            raise ArgumentError(message("attr", key, "a string", repr(value)))
        labels[f"__{key}__" if known else key] = _text_of(value)
    return labels


def _text_of(value: Any) -> str:
    """The text of a label: of an initializer what makes it again."""
    return value if isinstance(value, str) else value.dumps() if hasattr(value, "dumps") else str(value)


def _split_labels(op: Any, keywords: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the labels among the keywords of a call, as text, and the arguments of the operator.

    Whatever an operator without attributes is given is a label of its node, as in MXNet.
    """
    found = [
        key
        for key, value in keywords.items()
        if key not in op.attributes
        and (
            key in HIDDEN_KEYS
            or (key.startswith("__") and key.endswith("__"))
            or not (op.attributes or op.variadic or key in op.inputs or hasattr(value, "_graph"))
        )
    ]
    if not found:
        return {}, keywords
    return {key: str(keywords[key]) for key in found}, {k: v for k, v in keywords.items() if k not in found}


def call(op: Any, operands: Sequence, keywords: dict[str, Any], hint: str) -> Graph:
    """Return the graph of a new node from the arguments of a call; see `SymbolFunction`."""
    if keywords.pop("out", None) is not None:
        raise ArgumentTypeError(problem(hint, "out", "symbols hold no values to write"))
    given_name, attr = keywords.pop("name", None), keywords.pop("attr", None)
    labels, keywords = _split_labels(op, keywords)
    inputs, attrs = op.bind_arguments(operands, keywords)
    return add_node(op, inputs, attrs, given_name, {**(attr or {}), **labels}, hint)


def init_labels(op: Any, argument: str, labels: dict[str, str]) -> dict[str, str]:
    """Return the labels of a variable that is this input of an operator: with how it begins."""
    init = _INITS.get((op.name, argument))
    return labels if init is None or "__init__" in labels else {**labels, "__init__": init}


def add_node(op: Any, inputs: Sequence, attrs: Any, given_name: str | None, attr: dict | None,
             hint: str | None = None) -> Graph:  # fmt: skip
    """Return the graph of the visible outputs of a new node, named by `hint` if it has no name.

    Inputs that are missing (None, or not there) become variables `<name>_<input>`, which take over the
    attributes and labels of the node, as they do in MXNet.
    """
    labels = labels_of(op, attribute.current().get(attr))
    full_name = name.current().get(given_name, hint or hint_of(op))
    wanted = op.input_names(attrs)
    if len(inputs) > len(wanted):
        expected = f"{len(wanted)} inputs with these attributes, {', '.join(wanted)}"
        raise ArgumentTypeError(message(op.name, None, expected, len(inputs)))
    states = set(op.aux_names(attrs))
    inherited = None
    entries = []
    for position, wanted_name in enumerate(wanted):
        given = inputs[position] if position < len(inputs) else None
        if given is None:
            if inherited is None:
                inherited = {**labels, **op.format_attrs(attrs)}
            entry = Entry(Node(None, f"{full_name}_{wanted_name}", labels=dict(inherited)), 0)
        else:
            entry = _entry(op, wanted_name, given)
        if wanted_name in states and entry.node.op is not None:
            got = f"the output of node '{entry.node.name}'"
            expected = "a variable, as the operator writes it"
            raise ArgumentError(message(op.name, wanted_name, expected, got))
        if entry.node.op is None:
            entry.node.labels.update(init_labels(op, wanted_name, entry.node.labels))
        entries.append(entry)
    node = Node(op, full_name, attrs, entries, labels)
    node.site = this_site()
    return Graph(node.entries())


def _entry(op: Any, argument: str, given: Any) -> Entry:
    """The one entry of a symbol that is an operand."""
    graph = getattr(given, "_graph", None)
    if graph is None:
        hint = "a variable stands for data; bind the data to it"
        raise OperandTypeError(message(op.name, argument, "a Symbol", type(given).__name__, hint))
    if len(graph.heads) != 1:
        hint = "choose one by its number or name"
        got = f"one with {len(graph.heads)} outputs"
        raise ArgumentError(message(op.name, argument, "a symbol with one output", got, hint))
    return graph.heads[0]


def _shape_text(shape: Any) -> str:
    """The text of a shape, of which NumPy may have computed the extents."""
    if not isinstance(shape, (tuple, list)):
        return str(shape)
    return str(type(shape)(int(n) if isinstance(n, np.integer) else n for n in shape))


def make_variable(given_name: str, attr: dict | None, shape: Any, lr_mult: Any, wd_mult: Any, dtype: Any,
                  init: Any, stype: str | None, further: dict[str, Any]) -> Graph:  # fmt: skip
    """Return the graph of a new variable; see `Variable`."""
    if not isinstance(given_name, str):
        raise ArgumentTypeError(message("Variable", "name", "a string", repr(given_name)))
    if stype is not None and stype not in STYPES:
        expected = "'default', 'row_sparse' or 'csr'"
        raise ArgumentError(message("Variable", "stype", expected, repr(stype)))
    labels = labels_of(None, attribute.current().get(attr))
    if shape is not None:
        labels["__shape__"] = _shape_text(shape)
    if lr_mult is not None:
        labels["__lr_mult__"] = str(lr_mult)
    if wd_mult is not None:
        labels["__wd_mult__"] = str(wd_mult)
    if dtype is not None:
        labels["__dtype__"] = _dtype_label(dtype)
    if stype is not None:
        labels["__storage_type__"] = str(STYPES.index(stype))
    if init is not None:
        if not isinstance(init, str) and not hasattr(init, "dumps"):
            expected = "an Initializer, or the text of one"
            raise ArgumentTypeError(message("Variable", "init", expected, repr(init)))
        labels["__init__"] = init if isinstance(init, str) else init.dumps()
    for key, value in further.items():
        if not (key.startswith("__") and key.endswith("__")):
            hint = f"write __{key}__ for a label of your own"
            raise ArgumentError(problem("Variable", key, "unknown keyword", hint))
        labels[key] = str(value)
    return Graph([Entry(Node(None, given_name, labels=labels), 0)])


def _dtype_label(dtype: Any) -> str:
    flag = mxnet_flag_of(code_of(dtype))
    if flag is None:
        raise DTypeError(message("Variable", "dtype", "a dtype that MXNet's files know", np.dtype(dtype)))
    return str(flag)
