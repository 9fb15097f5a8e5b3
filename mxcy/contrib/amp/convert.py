"""Models in mixed precision: casts where operators want another dtype."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ...context import cpu, gpu, num_gpus
from ...dtypes import code_of, mxnet_flag_of, numpy_dtype
from ...errors import ArgumentError, AssertedArgumentError, StateError, message, problem
from ...gluon import HybridBlock, SymbolBlock
from ...graph.infer import infer_dtypes, label_dtype
from ...graph.ir import Entry, Graph, Node
from ...module import BucketingModule
from ...ndarray import NDArray
from ...ops import REGISTRY
from ...symbol import Symbol
from . import lists

__all__ = [
    "Rules",
    "convert_bucketing_module",
    "convert_hybrid_block",
    "convert_model",
    "convert_symbol",
    "low_dtype",
    "rules_of",
]

SINGLE = np.dtype("float32")


class Rules(NamedTuple):
    """Names of operators by how they are run."""

    low: list[str]
    single: list[str]
    either: list[str]
    conditional: list[tuple[str, str, list[str]]]
    widest: list[str]
    single_params: dict[str, list[str]]
    losses: list[str]


def rules_of(target_dtype: Any) -> Rules:
    """The lists for float16 or bfloat16."""
    name = low_dtype("amp", target_dtype).name
    if name == "float16":
        f = lists.symbol_fp16
        return Rules(f.FP16_FUNCS, f.FP32_FUNCS, f.FP16_FP32_FUNCS, f.CONDITIONAL_FP32_FUNCS,
                     f.WIDEST_TYPE_CASTS, {}, f.LOSS_OUTPUT_FUNCTIONS)  # fmt: skip
    b = lists.symbol_bf16
    return Rules(b.BF16_FUNCS, b.FP32_FUNCS, b.BF16_FP32_FUNCS, b.CONDITIONAL_FP32_FUNCS,
                 b.WIDEST_TYPE_CASTS, b.BF16_USE_FP32_PARAMS, b.LOSS_OUTPUT_FUNCTIONS)  # fmt: skip


def low_dtype(call: str, target_dtype: Any) -> np.dtype:
    """The dtype of half precision that is meant."""
    try:
        dtype = numpy_dtype(code_of(target_dtype))
    except (TypeError, ValueError):
        dtype = None
    if dtype is None or dtype.name not in ("float16", "bfloat16"):
        expected = "'float16' or 'bfloat16'"
        raise AssertedArgumentError(message(call, "target_dtype", expected, repr(target_dtype)))
    return dtype


def is_conditional(rules: Iterable, node: Node) -> bool:
    """Whether an operator runs in float32 for the sake of one of its arguments."""
    return any(name == node.op.name and str(node.attrs.get(argument)) in values
               for name, argument, values in rules)  # fmt: skip


class Conversion:
    """Builds the graph with casts, node by node."""

    def __init__(self, graph: Graph, dtype: np.dtype, rules: Rules, excluded: set[str], data_names: set[str],
                 cast_params: bool):  # fmt: skip
        self.dtype = dtype
        self.rules = rules
        self.excluded = excluded
        self.made: dict[Entry, Entry] = {}  # of the old graph: of the new one
        self.dtypes: dict[Entry, np.dtype | None] = {}  # of the new one; None where it depends
        self.casts: dict[tuple[Entry, np.dtype], Entry] = {}
        low = self._only_low(graph) - data_names if cast_params else set()
        params = {node.name for node in graph.variables} - data_names
        for node in graph.nodes:
            if node.op is None:
                self._variable(node, node.name in low, node.name in params)
            else:
                self._operator(node)
        self.graph = Graph(self.cast(self.made[head], SINGLE) for head in graph.heads)

    def _only_low(self, graph: Graph) -> set[str]:
        """Names of variables that only operators in half precision read."""
        return {node.name for node in graph.arguments
                if all(user.op.name in self.rules.low and user.name not in self.excluded
                       for user in graph.users.get(Entry(node, 0), []))}  # fmt: skip

    def _variable(self, node: Node, low: bool, parameter: bool) -> None:
        labels = dict(node.labels)
        given = label_dtype(node)
        dtype = self.dtype if low else given or SINGLE
        if parameter and (low or given is None):
            labels["__dtype__"] = str(mxnet_flag_of(code_of(dtype)))
        new = Entry(Node(None, node.name, labels=labels), 0)
        self.made[Entry(node, 0)] = new
        self.dtypes[new] = dtype

    def _operator(self, node: Node) -> None:
        inputs = [self.made[source] for source in node.inputs]
        count = len(inputs) - len(node.states)
        operands = self._wanted(node, inputs[:count])
        new = Node(node.op, node.name, node.attrs, [*operands, *inputs[count:]], node.labels)
        found = self._outputs(new)
        for i in range(node.num_outputs):
            self.made[Entry(node, i)] = Entry(new, i)
            self.dtypes[Entry(new, i)] = found[i]

    def _wanted(self, node: Node, operands: list[Entry]) -> list[Entry]:
        name = node.op.name
        if (
            node.name in self.excluded
            or name in self.rules.single
            or is_conditional(self.rules.conditional, node)
        ):
            return [self.cast(operand, SINGLE) for operand in operands]
        if name in self.rules.low:
            kept = self.rules.single_params.get(name, [])
            return [operand if i < len(kept) and kept[i] else self.cast(operand, self.dtype)
                    for i, operand in enumerate(operands)]  # fmt: skip
        if name in self.rules.widest and len(operands) > 1:
            return self._widest(operands)
        return operands

    def _widest(self, operands: list[Entry]) -> list[Entry]:
        found = {self.dtypes[operand] for operand in operands}
        if found <= {self.dtype} or found == {SINGLE}:
            return operands
        if any(operand.node.op is None for operand in operands):
            name = f"{operands[0].name}_amp_multicast"
            several = Node(REGISTRY["amp_multicast"], name, {"num_outputs": len(operands)}, operands)
            for i in range(len(operands)):
                self.dtypes[Entry(several, i)] = None
            return [Entry(several, i) for i in range(len(operands))]
        return [self.cast(operand, SINGLE) for operand in operands]

    def cast(self, entry: Entry, dtype: np.dtype) -> Entry:
        """The entry in another dtype; every cast is made once. What is no float stays what it is."""
        before = self.dtypes[entry]
        if before == dtype or (before is not None and before not in (SINGLE, self.dtype)):
            return entry
        if (entry, dtype) not in self.casts:
            name = f"{entry.name}_amp_cast_{dtype.name}"
            node = Node(REGISTRY["amp_cast"], name, {"dtype": dtype}, [entry])
            self.casts[entry, dtype] = made = Entry(node, 0)
            self.dtypes[made] = dtype
        return self.casts[entry, dtype]

    def _outputs(self, node: Node) -> list[np.dtype | None]:
        """The dtypes of the outputs of an operator, by its own rule."""
        stands = [Node(None, f"x{i}") for i in range(len(node.inputs))]
        known = {stand: self.dtypes[source] for stand, source in zip(stands, node.inputs, strict=True)}
        alone = Node(node.op, node.name, node.attrs, [Entry(stand, 0) for stand in stands])
        heads = [Entry(alone, i) for i in range(node.num_outputs)]
        found = infer_dtypes(Graph(heads), known)
        return [found.get(head) for head in heads]


def _checked_rules(dtype: np.dtype, low: list | None, single: list | None, conditional: list | None) -> Rules:
    """The lists of a call, each by default that of the dtype."""
    rules = rules_of(dtype)
    for name, given in (
        ("target_dtype_ops", low),
        ("fp32_ops", single),
        ("conditional_fp32_ops", conditional),
    ):
        if given is not None and not isinstance(given, list):
            raise AssertedArgumentError(message("convert_symbol", name, "a list", type(given).__name__))
    chosen = rules._replace(
        low=rules.low if low is None else low,
        single=rules.single if single is None else single,
        conditional=rules.conditional if conditional is None else conditional,
    )
    for entry in chosen.conditional:
        if len(entry) != 3 or not isinstance(entry[2], list):
            expected = "a list of (operator, argument, list of values)"
            raise AssertedArgumentError(message("convert_symbol", "conditional_fp32_ops", expected, entry))
    names = [set(chosen.low), set(chosen.single), {entry[0] for entry in chosen.conditional}]
    common = (names[0] & names[1]) | (names[0] & names[2]) | (names[1] & names[2])
    if common:
        text = f"operators are in more than one list: {', '.join(sorted(common))}"
        raise AssertedArgumentError(problem("convert_symbol", None, text))
    free = {*rules.low, *rules.single, *rules.either, *[entry[0] for entry in rules.conditional]}
    illegal = set().union(*names) - free
    if illegal:
        text = f"these can not be chosen: {', '.join(sorted(illegal))}"
        raise AssertedArgumentError(problem("convert_symbol", None, text, "see amp.list_lp16_fp32_ops"))
    return chosen


def convert_symbol(sym: Symbol, target_dtype: Any = "float16", target_dtype_ops: list | None = None,
                   fp32_ops: list | None = None, conditional_fp32_ops: list | None = None,
                   excluded_sym_names: list | None = None, data_names: list | None = None,
                   cast_optional_params: bool = False) -> Symbol:  # fmt: skip
    """Return a symbol of float32 with casts, so that products run in half precision. Outputs are float32.

    Parameters
    ----------
    target_dtype : "float16" or "bfloat16".
    target_dtype_ops, fp32_ops, conditional_fp32_ops : names of operators that run in half precision, in
        float32, and in float32 for some values of an argument, in place of those of `amp.lists`.
    excluded_sym_names : names of nodes that stay as they are.
    data_names : variables that are not parameters; by default those without a dtype of their own.
    cast_optional_params : whether parameters that only operators in half precision read get that dtype,
        rather than a cast.
    """
    if not isinstance(sym, Symbol):
        expected = "a Symbol"
        raise AssertedArgumentError(message("convert_symbol", "sym", expected, type(sym).__name__))
    dtype = low_dtype("convert_symbol", target_dtype)
    rules = _checked_rules(dtype, target_dtype_ops, fp32_ops, conditional_fp32_ops)
    if excluded_sym_names is not None and not isinstance(excluded_sym_names, list):
        got = type(excluded_sym_names).__name__
        raise AssertedArgumentError(message("convert_symbol", "excluded_sym_names", "a list of names", got))
    graph = sym._graph
    if data_names is None:
        data_names = [node.name for node in graph.variables if "__dtype__" not in node.labels]
    done = Conversion(
        graph, dtype, rules, set(excluded_sym_names or ()), set(data_names), cast_optional_params
    )
    return Symbol(done.graph)


def _cast_params(sym: Symbol, params: dict[str, NDArray]) -> dict[str, NDArray]:
    """Parameters in the dtypes of their variables."""
    wanted = {node.name: label_dtype(node) for node in sym._graph.variables}
    return {name: x if wanted.get(name) is None else x.astype(wanted[name], copy=False)
            for name, x in params.items()}  # fmt: skip


def convert_model(sym: Symbol, arg_params: dict, aux_params: dict, target_dtype: Any = "float16",
                  target_dtype_ops: list | None = None, fp32_ops: list | None = None,
                  conditional_fp32_ops: list | None = None, excluded_sym_names: list | None = None,
                  cast_optional_params: bool = False) -> tuple[Symbol, dict, dict]:  # fmt: skip
    """Return symbol, parameters and auxiliary states in mixed precision; see `convert_symbol`."""
    for name, given in (("arg_params", arg_params), ("aux_params", aux_params)):
        if not isinstance(given, dict):
            raise AssertedArgumentError(message("convert_model", name, "a dict", type(given).__name__))
    if not isinstance(sym, Symbol):
        raise AssertedArgumentError(message("convert_model", "sym", "a Symbol", type(sym).__name__))
    data_names = [name for name in sym.list_inputs() if name not in arg_params and name not in aux_params]
    converted = convert_symbol(sym, target_dtype, target_dtype_ops, fp32_ops, conditional_fp32_ops,
                               excluded_sym_names, data_names, cast_optional_params)  # fmt: skip
    return converted, _cast_params(converted, arg_params), _cast_params(converted, aux_params)


def convert_hybrid_block(block: HybridBlock, target_dtype: Any = "float16",
                         target_dtype_ops: list | None = None, fp32_ops: list | None = None,
                         conditional_fp32_ops: list | None = None, excluded_sym_names: list | None = None,
                         ctx: Any = None, cast_optional_params: bool = False) -> SymbolBlock:  # fmt: skip
    """Return a block in mixed precision of one that was hybridized and has run; see `convert_symbol`.

    `ctx` is where its parameters are: gpu(0) by default, or cpu() if there is none.
    """
    if not isinstance(block, HybridBlock):
        expected = "a HybridBlock"
        raise AssertedArgumentError(message("convert_hybrid_block", "block", expected, type(block).__name__))
    if not block._cached_graph:
        hint = "call hybridize() and then run forward once before"
        raise StateError(problem("convert_hybrid_block", "block", "there is no graph", hint))
    inputs, out = block._cached_graph
    names = [x.name for x in inputs]
    converted = convert_symbol(out, target_dtype, target_dtype_ops, fp32_ops, conditional_fp32_ops,
                               excluded_sym_names, names, cast_optional_params)  # fmt: skip
    states = set(converted.list_auxiliary_states())
    used = {*converted.list_arguments(), *states}
    values = _cast_params(converted, {name: p._reduce() for name, p in block.collect_params().items()
                                      if name in used})  # fmt: skip
    made = SymbolBlock(converted, inputs)
    for name, parameter in made.collect_params().items():
        if parameter.dtype != values[name].dtype:
            parameter.cast(values[name].dtype)
    named = {f"{'aux' if name in states else 'arg'}:{name}": x for name, x in values.items()}
    made.collect_params().load_dict(named, ctx=ctx or (gpu(0) if num_gpus() else cpu()))
    return made


def convert_bucketing_module(bucketing_mod: BucketingModule, target_dtype: Any = "float16",
                             target_dtype_ops: list | None = None, fp32_ops: list | None = None,
                             conditional_fp32_ops: list | None = None,
                             excluded_sym_names: list | None = None,
                             cast_optional_params: bool = False) -> BucketingModule:  # fmt: skip
    """Return a module in mixed precision of one whose parameters are set; see `convert_symbol`."""
    if not isinstance(bucketing_mod, BucketingModule) or not bucketing_mod.params_initialized:
        text = "expected a BucketingModule with parameters"
        raise ArgumentError(problem("convert_bucketing_module", "bucketing_mod", text))
    args, auxs = bucketing_mod.get_params()
    symbols: dict = {}
    params: list = [args, auxs]
    for key, module in bucketing_mod._buckets.items():
        symbols[key], *params = convert_model(module.symbol, args, auxs, target_dtype, target_dtype_ops,
                                              fp32_ops, conditional_fp32_ops, excluded_sym_names,
                                              cast_optional_params)  # fmt: skip
    made, default = bucketing_mod._sym_gen, bucketing_mod._default_bucket_key
    return BucketingModule.load_dict(symbols, made, default, *params, **bucketing_mod._options)
