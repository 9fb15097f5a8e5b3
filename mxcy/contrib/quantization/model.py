"""What programs call: models of Module and networks of Gluon on bytes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ... import autograd, gluon, io
from ... import ndarray as nd
from ... import symbol as sym_module
from ...context import Context, cpu
from ...errors import ArgumentError, ArgumentTypeError, message
from ...module import Module
from ...symbol import Symbol
from .calibration import HistogramCollector, MinMaxCollector, collect, thresholds_of
from .graph import calibrated, calibrated_outputs, quantized

__all__ = [
    "calib_graph",
    "quantize_graph",
    "quantize_model",
    "quantize_model_mkldnn",
    "quantize_net",
    "quantize_net_v2",
]

MODES = ("none", "naive", "entropy", "customize")


def _checked(op: str, **given: Any) -> None:
    """Check the arguments that all functions share."""
    allowed: dict[str, tuple] = {
        "quantized_dtype": ("int8", "uint8", "auto"),
        "quantize_mode": ("full", "smart"),
        "quantize_granularity": ("tensor-wise", "channel-wise"),
        "calib_mode": (None, *MODES),
    }
    for name, value in given.items():
        if name in allowed:
            if value not in allowed[name]:
                expected = ", ".join(str(word) for word in allowed[name] if word)
                raise ArgumentError(message(op, name, expected, repr(value)))
        elif name == "ctx":
            if not isinstance(value, Context):
                raise ArgumentError(message(op, "ctx", "one context", repr(value)))
        elif value is not None and not isinstance(value, list):
            raise ArgumentError(message(op, name, "a list of names", type(value).__name__))


def _parameters(symbol: Symbol, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a quantised symbol reads, weights and biases as int8 with their ends."""
    found: dict[str, Any] = {}
    for name in symbol.list_arguments():
        original = name.removesuffix("_quantize")
        if name in params:
            found[name] = params[name]
        elif name != original and original in params:
            value = params[original]
            triple = nd.contrib.quantize(value, nd.min(value), nd.max(value), out_type="int8")
            found |= zip((name, f"{name}_min", f"{name}_max"), triple, strict=True)
    return found


def _rewritten(symbol: Symbol, params: Mapping[str, Any], settings: Mapping[str, Any],
               thresholds: Mapping[str, tuple[float, float]] | None = None) -> Symbol:  # fmt: skip
    """The symbol on bytes."""
    return Symbol(quantized(symbol._graph, set(params), thresholds=thresholds, **settings))


def quantize_model(sym: Symbol, arg_params: Mapping[str, Any], aux_params: Mapping[str, Any],
                   data_names: Sequence[str] = ("data",), label_names: Sequence[str] = ("softmax_label",),
                   ctx: Context = cpu(), excluded_sym_names: list[str] | None = None,  # noqa: B008
                   excluded_op_names: list[str] | None = None, calib_mode: str | None = "entropy",
                   calib_data: Any = None, num_calib_examples: int | None = None,
                   quantized_dtype: str = "int8", quantize_mode: str = "smart",
                   quantize_granularity: str = "tensor-wise",
                   logger: logging.Logger | None = None) -> tuple[Symbol, dict, Mapping]:  # fmt: skip
    """Return (symbol, parameters, states) of a network on bytes.

    Parameters
    ----------
    excluded_sym_names, excluded_op_names : names of nodes and of operators that stay as they are.
    calib_mode : how bounds of arrays are found: `none` (at each run), `naive` (the lowest and highest number
        of the examples), `entropy` (those that keep most of the information in them).
    calib_data : an iterator over examples, of which `num_calib_examples` are used.
    quantized_dtype : int8, uint8, or auto: uint8 where no number is negative.
    quantize_mode : `full`, or `smart`: layers without weights only where their data are bytes already.
    quantize_granularity : accepted; each weight has one pair of ends.
    """
    _checked("quantize_model", excluded_sym_names=excluded_sym_names, excluded_op_names=excluded_op_names,
             calib_mode=calib_mode, quantized_dtype=quantized_dtype, quantize_mode=quantize_mode,
             quantize_granularity=quantize_granularity)  # fmt: skip
    settings = _settings(quantized_dtype, quantize_mode, excluded_sym_names, excluded_op_names)
    thresholds: dict[str, tuple[float, float]] = {}
    if calib_mode not in (None, "none"):
        _checked("quantize_model", ctx=ctx)
        collector = _collector("quantize_model", sym, arg_params, settings, calib_mode, None)
        if calib_data is None:
            raise ArgumentError(message("quantize_model", "calib_data", f"examples for {calib_mode}", None))
        module = Module(sym, data_names, label_names, context=ctx)
        labels = getattr(calib_data, "provide_label", None) or None
        module.bind(_described(calib_data), labels, for_training=False)
        module.set_params(dict(arg_params), dict(aux_params))
        collect(module, calib_data, collector, num_calib_examples, logger)
        thresholds = thresholds_of(collector, str(calib_mode), quantized_dtype)
    made = _rewritten(sym, arg_params, settings, thresholds)
    return made, _parameters(made, arg_params), aux_params


def quantize_model_mkldnn(*args: Any, **kwargs: Any) -> tuple[Symbol, dict, Mapping]:
    """See `quantize_model`: there is one form of layers on bytes."""
    return quantize_model(*args, **kwargs)


def _described(calib_data: Any) -> Any:
    if not isinstance(calib_data, io.DataIter):
        kind = type(calib_data).__name__
        raise ArgumentTypeError(message("quantize_model", "calib_data", "a DataIter", kind))
    return calib_data.provide_data


def _settings(dtype: str, mode: str, names: list[str] | None, kinds: list[str] | None) -> dict[str, Any]:
    excluded = {"excluded": names or [], "excluded_kinds": kinds or []}
    return {"out_type": dtype, "smart": mode == "smart", **excluded}


def _collector(op: str, symbol: Symbol, params: Mapping[str, Any], settings: Mapping[str, Any],
               calib_mode: str | None, custom: Any) -> Any:  # fmt: skip
    """What looks at arrays in calibration."""
    names = calibrated_outputs(symbol._graph, set(params), **settings)
    if calib_mode == "entropy":
        return HistogramCollector(names)
    if calib_mode == "naive":
        return MinMaxCollector(names)
    if custom is None:
        expected = "a collector for calib_mode 'customize'"
        raise ArgumentError(message(op, "LayerOutputCollector", expected, None))
    return custom


def quantize_graph(sym: Symbol, arg_params: Mapping[str, Any], aux_params: Mapping[str, Any],
                   ctx: Context = cpu(), excluded_sym_names: list[str] | None = None,  # noqa: B008
                   excluded_op_names: list[str] | None = None, calib_mode: str | None = "entropy",
                   quantized_dtype: str = "int8", quantize_mode: str = "full",
                   quantize_granularity: str = "tensor-wise", LayerOutputCollector: Any = None,
                   logger: logging.Logger | None = None) -> tuple[Symbol, dict, Mapping, Any]:  # fmt: skip
    """Return (symbol, parameters, states, collector) of a network on bytes that is not calibrated yet.

    The collector is a callback for `set_monitor_callback(collector.collect, monitor_all=True)`; what it has
    seen goes into the symbol by `calib_graph`.
    """
    _checked("quantize_graph", excluded_sym_names=excluded_sym_names, excluded_op_names=excluded_op_names,
             calib_mode=calib_mode, quantized_dtype=quantized_dtype, quantize_mode=quantize_mode,
             quantize_granularity=quantize_granularity, ctx=ctx)  # fmt: skip
    settings = _settings(quantized_dtype, quantize_mode, excluded_sym_names, excluded_op_names)
    made = _rewritten(sym, arg_params, settings)
    collector = None
    if calib_mode not in (None, "none"):
        custom = LayerOutputCollector
        collector = _collector("quantize_graph", sym, arg_params, settings, calib_mode, custom)
    return made, _parameters(made, arg_params), aux_params, collector


def calib_graph(qsym: Symbol, arg_params: Mapping[str, Any], aux_params: Mapping[str, Any], collector: Any,
                calib_mode: str = "entropy", quantized_dtype: str = "int8",
                logger: Any = logging) -> tuple[Symbol, dict, Mapping]:  # fmt: skip
    """Return (symbol, parameters, states) with the bounds of arrays that a collector has seen.

    `qsym` and `collector` are those of `quantize_graph`, `arg_params` those of the network on real numbers.
    """
    _checked("calib_graph", calib_mode=calib_mode, quantized_dtype=quantized_dtype)
    if calib_mode in (None, "none"):
        raise ArgumentError(message("calib_graph", "calib_mode", "naive, entropy or customize", calib_mode))
    thresholds = thresholds_of(collector, calib_mode, quantized_dtype)
    made = Symbol(calibrated(qsym._graph, thresholds))
    return made, _parameters(made, arg_params), aux_params


# --- Gluon ------------------------------------------------------------------------------------------------
def quantize_net_v2(network: gluon.HybridBlock, quantized_dtype: str = "auto", quantize_mode: str = "full",
                    quantize_granularity: str = "tensor-wise", exclude_layers: list[str] | None = None,
                    exclude_layers_match: list[str] | None = None,
                    exclude_operators: list[str] | None = None, calib_data: Any = None,
                    data_shapes: Any = None, calib_mode: str | None = "none",
                    num_calib_examples: int | None = None, ctx: Context = cpu(),  # noqa: B008
                    LayerOutputCollector: Any = None,
                    logger: logging.Logger | None = None) -> gluon.SymbolBlock:  # fmt: skip
    """Return a network of Gluon on bytes.

    Parameters
    ----------
    exclude_layers, exclude_layers_match, exclude_operators : names of nodes, parts of such names, and names
        of operators that stay as they are.
    calib_data : a loader or an iterator over examples; of what it gives the network takes as many arrays as
        it has inputs.
    data_shapes : descriptions (`io.DataDesc`) of the inputs, if there is no `calib_data`.
    calib_mode, quantized_dtype, quantize_mode, quantize_granularity : see `quantize_model`.
    LayerOutputCollector : with calib_mode "customize", an object whose `collect(name, array)` fills its
        `min_max_dict`.
    """
    op = "quantize_net"
    _checked(op, exclude_layers=exclude_layers, exclude_layers_match=exclude_layers_match,
             exclude_operators=exclude_operators, calib_mode=calib_mode, quantized_dtype=quantized_dtype,
             quantize_mode=quantize_mode, quantize_granularity=quantize_granularity, ctx=ctx)  # fmt: skip
    if calib_data is None and calib_mode not in (None, "none"):
        raise ArgumentError(message(op, "calib_data", f"examples for {calib_mode}", None))
    batches = None if calib_data is None else _Batches(calib_data)
    shapes = data_shapes or (batches.provide_data if batches is not None else None)
    if not shapes:
        raise ArgumentError(message(op, "data_shapes", "shapes of the inputs, or calib_data", None))
    names, symbol = _traced(network, [shape[1] for shape in shapes], ctx)
    params = {name: p.data(ctx) for name, p in network.collect_params().items()}
    args = {name: params[name] for name in symbol.list_arguments() if name in params}
    states = {name: params[name] for name in symbol.list_auxiliary_states()}
    excluded = list(exclude_layers or [])
    for part in exclude_layers_match or []:
        excluded += [node.name for node in symbol._graph.nodes if part in node.name]
    settings = _settings(quantized_dtype, quantize_mode, excluded, exclude_operators)
    thresholds: dict[str, tuple[float, float]] = {}
    if batches is not None and calib_mode not in (None, "none"):
        collector = _collector(op, symbol, args, settings, calib_mode, LayerOutputCollector)
        module = Module(symbol, names, None, context=ctx)
        module.bind(list(zip(names, [shape[1] for shape in shapes], strict=False)), for_training=False)
        module.set_params(args, states)
        batches.names = names
        collect(module, batches, collector, num_calib_examples, logger)
        thresholds = thresholds_of(collector, str(calib_mode), quantized_dtype)
    made = _rewritten(symbol, args, settings, thresholds)
    block = gluon.SymbolBlock(made, [sym_module.Variable(name) for name in names])
    own = block.collect_params()
    for name, value in (_parameters(made, args) | states).items():
        if name in own:
            own[name]._load_init(value, ctx, cast_dtype=True, dtype_source="saved")
    return block


def quantize_net(network: gluon.HybridBlock, quantized_dtype: str = "auto", quantize_mode: str = "full",
                 exclude_layers: list[str] | None = None, exclude_layers_match: list[str] | None = None,
                 exclude_operators: list[str] | None = None, calib_data: Any = None, data_shapes: Any = None,
                 calib_mode: str | None = "none", num_calib_examples: int | None = None,
                 ctx: Context = cpu(), logger: logging.Logger | None = None) -> gluon.SymbolBlock:  # noqa: B008
    """See `quantize_net_v2`."""
    return quantize_net_v2(network, quantized_dtype, quantize_mode, "tensor-wise", exclude_layers,
                           exclude_layers_match, exclude_operators, calib_data, data_shapes, calib_mode,
                           num_calib_examples, ctx, None, logger)  # fmt: skip


def _traced(network: gluon.HybridBlock, shapes: Sequence[Sequence[int]],
            ctx: Context) -> tuple[list[str], Symbol]:  # fmt: skip
    """Return the inputs' names and the symbol of a network that takes the first of arrays of these shapes."""
    with autograd.pause():
        for count in range(len(shapes), 0, -1):  # loaders give labels too
            try:
                network(*(nd.zeros(shape, ctx=ctx) for shape in shapes[:count]))
                break
            except TypeError:
                if count == 1:
                    raise
    names = ["data"] if count == 1 else [f"data{i}" for i in range(count)]
    return names, network(*(sym_module.Variable(name) for name in names))


class _Batches(io.DataIter):
    """Examples of a loader or of an iterator, as batches under the names of the inputs."""

    def __init__(self, source: Any):
        first = next(iter(source))
        if isinstance(source, io.DataIter):
            source.reset()
        self.source, self.iterator = source, iter(source)
        arrays = self._arrays(first)
        super().__init__(arrays[0].shape[0])
        self.names = [f"data{i}" for i in range(len(arrays))]
        self.provide_data = [io.DataDesc(name, x.shape) for name, x in zip(self.names, arrays, strict=True)]
        self.provide_label: list = []

    @staticmethod
    def _arrays(batch: Any) -> list:
        if isinstance(batch, io.DataBatch):
            return list(batch.data)
        return list(batch) if isinstance(batch, (list, tuple)) else [batch]

    def next(self) -> io.DataBatch:
        """Return the next batch."""
        arrays = self._arrays(next(self.iterator))
        return io.DataBatch(arrays[: len(self.names)])
