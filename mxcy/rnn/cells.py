"""Recurrent cells over symbols: one step of a recurrent network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import initializer as init
from .. import ndarray as nd
from .. import symbol as sym
from ..errors import AssertedArgumentError, problem
from ..symbol import Symbol
from .sequences import formatted, zeros_for

__all__ = ["BaseRNNCell", "GRUCell", "LSTMCell", "RNNCell", "RNNParams"]


class RNNParams:
    """Variables by name, which cells share."""

    def __init__(self, prefix: str = ""):
        self._prefix = prefix
        self._params: dict[str, Symbol] = {}

    def get(self, name: str, **kwargs: Any) -> Symbol:
        """Return the variable of a name, made with these arguments if it is new."""
        name = self._prefix + name
        if name not in self._params:
            self._params[name] = sym.Variable(name, **kwargs)
        return self._params[name]


class BaseRNNCell:
    """Base of cells: `output, states = cell(inputs, states)`.

    Parameters
    ----------
    prefix : beginning of the names of variables and nodes.
    params : variables to share, those of another cell.
    """

    _gate_names: tuple[str, ...] = ()
    _num_hidden = 0

    def __init__(self, prefix: str = "", params: RNNParams | None = None):
        self._own_params = params is None
        self._params = RNNParams(prefix) if params is None else params
        self._prefix = prefix
        self._modified = False
        self.reset()

    def reset(self) -> None:
        """Start to count steps, before another sequence."""
        self._init_counter = -1
        self._counter = -1
        for cell in getattr(self, "_cells", ()):
            cell.reset()

    def __call__(self, inputs: Symbol, states: list[Symbol]) -> tuple[Any, list]:
        """Make a step. Subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    @property
    def params(self) -> RNNParams:
        """The variables; who reads them shares them."""
        self._own_params = False
        return self._params

    @property
    def state_info(self) -> list[dict]:
        """Shape and layout of each state; 0 stands for the batch."""
        raise NotImplementedError(f"{type(self).__name__} must define state_info")

    @property
    def state_shape(self) -> list[tuple]:
        """Shape of each state."""
        return [info["shape"] for info in self.state_info]

    def _refuse_modified(self) -> None:
        if self._modified:
            text = "after applying modifier cells the base cell cannot be called directly"
            raise AssertedArgumentError(problem("begin_state", None, text, "call the modifier cell instead"))

    def begin_state(self, func: Callable = sym.zeros, **kwargs: Any) -> list[Symbol]:
        """Return the states before the first step, made by `func(name=..., shape=..., **kwargs)`.

        Shapes have 0 for the batch; give one that is known as `shape=`, or let `unroll` make the states.
        """
        self._refuse_modified()
        states = []
        for info in self.state_info:
            self._init_counter += 1
            options = dict(info) | kwargs
            name = f"{self._prefix}begin_state_{self._init_counter}"
            if func in (sym.zeros, sym.ones):
                options["attr"] = {"__layout__": options.pop("__layout__", "NC")}
            states.append(func(name=name, **options))
        return states

    def unroll(self, length: int, inputs: Any, begin_state: Any = None, layout: str = "NTC",
               merge_outputs: bool | None = None) -> tuple[Any, list]:  # fmt: skip
        """Return (outputs, states) of a whole sequence.

        Parameters
        ----------
        length : number of steps.
        inputs : a symbol in this layout, or a list of steps.
        begin_state : states before the first step; zeros by default.
        merge_outputs : whether outputs are one symbol, or a list of steps (False, None).
        """
        self.reset()
        steps, axis = formatted(length, inputs, layout, False)
        states = self.begin_state(func=zeros_for(steps, axis)) if begin_state is None else begin_state
        outputs = []
        for i in range(length):
            output, states = self(steps[i], states)
            outputs.append(output)
        return formatted(length, outputs, layout, merge_outputs)[0], states

    # -- weights ----------------------------------------------------------------------------------------

    def _parts(self) -> list[tuple[str, str]]:
        """(name of a whole array, name of the array of a gate) for all."""
        return [(f"{self._prefix}{group}_{kind}", f"{self._prefix}{group}{gate}_{kind}")
                for group in ("i2h", "h2h") for kind in ("weight", "bias")
                for gate in self._gate_names]  # fmt: skip

    def unpack_weights(self, args: dict) -> dict:
        """Return parameters with an array for each gate instead of one for all."""
        found, size, count = dict(args), self._num_hidden, len(self._gate_names)
        for i, (whole, part) in enumerate(self._parts()):
            start = (i % count) * size
            found[part] = args[whole][start : start + size].copy()
        for whole, part in self._parts():
            if whole != part:
                found.pop(whole, None)
        return found

    def pack_weights(self, args: dict) -> dict:
        """Return parameters with one array for all gates; the opposite of `unpack_weights`."""
        found = dict(args)
        groups: dict[str, list] = {}
        for whole, part in self._parts():
            groups.setdefault(whole, []).append(found.pop(part))
        return found | {whole: nd.concatenate(parts) for whole, parts in groups.items()}

    def _get_activation(self, inputs: Symbol, activation: Any, **kwargs: Any) -> Symbol:
        """An activation by name, or a function."""
        if isinstance(activation, str):
            return sym.Activation(inputs, act_type=activation, **kwargs)
        return activation(inputs, **kwargs)


class GatedCell(BaseRNNCell):
    """Base of cells with products of the inputs and of the hidden state for each gate."""

    def _build(self, num_hidden: int, bias_init: Any = None) -> None:
        self._num_hidden = num_hidden
        self._weights = {
            "i2h": (self.params.get("i2h_weight"), self.params.get("i2h_bias", init=bias_init)),
            "h2h": (self.params.get("h2h_weight"), self.params.get("h2h_bias")),
        }

    @property
    def state_info(self) -> list[dict]:
        """See `BaseRNNCell.state_info`."""
        return [{"shape": (0, self._num_hidden), "__layout__": "NC"}]

    def _product(self, which: str, data: Symbol, name: str) -> Symbol:
        weight, bias = self._weights[which]
        rows = self._num_hidden * len(self._gate_names)
        return sym.FullyConnected(data=data, weight=weight, bias=bias, num_hidden=rows, name=name + which)


class RNNCell(GatedCell):
    """Elman's cell: act(W x + b + V h + c)."""

    _gate_names = ("",)

    def __init__(self, num_hidden: int, activation: Any = "tanh", prefix: str = "rnn_",
                 params: RNNParams | None = None):  # fmt: skip
        super().__init__(prefix=prefix, params=params)
        self._activation = activation
        self._build(num_hidden)

    def __call__(self, inputs: Symbol, states: list[Symbol]) -> tuple[Any, list]:
        """Make a step."""
        self._counter += 1
        name = f"{self._prefix}t{self._counter}_"
        total = self._product("i2h", inputs, name) + self._product("h2h", states[0], name)
        output = self._get_activation(total, self._activation, name=name + "out")
        return output, [output]


class LSTMCell(GatedCell):
    """Long short-term memory; states are the hidden state and the memory."""

    _gate_names = ("_i", "_f", "_c", "_o")

    def __init__(self, num_hidden: int, prefix: str = "lstm_", params: RNNParams | None = None,
                 forget_bias: float = 1.0):  # fmt: skip
        super().__init__(prefix=prefix, params=params)
        self._build(num_hidden, init.LSTMBias(forget_bias=forget_bias))

    @property
    def state_info(self) -> list[dict]:
        """See `BaseRNNCell.state_info`."""
        return [{"shape": (0, self._num_hidden), "__layout__": "NC"} for _ in range(2)]

    def __call__(self, inputs: Symbol, states: list[Symbol]) -> tuple[Any, list]:
        """Make a step."""
        self._counter += 1
        name = f"{self._prefix}t{self._counter}_"
        total = self._product("i2h", inputs, name) + self._product("h2h", states[0], name)
        gates = sym.SliceChannel(total, num_outputs=4, name=name + "slice")
        i, f, c, o = [
            sym.Activation(gates[k], act_type="tanh" if k == 2 else "sigmoid", name=name + "ifco"[k])
            for k in range(4)
        ]
        memory = sym.elemwise_add(f * states[1], i * c, name=name + "state")
        output = sym.elemwise_mul(o, sym.Activation(memory, act_type="tanh"), name=name + "out")
        return output, [output, memory]


class GRUCell(GatedCell):
    """Gated recurrent unit, with the reset gate behind the product as in cuDNN."""

    _gate_names = ("_r", "_z", "_o")

    def __init__(self, num_hidden: int, prefix: str = "gru_", params: RNNParams | None = None):
        super().__init__(prefix=prefix, params=params)
        self._build(num_hidden)

    def __call__(self, inputs: Symbol, states: list[Symbol]) -> tuple[Any, list]:
        """Make a step."""
        self._counter += 1
        name = f"{self._prefix}t{self._counter}_"
        i2h, h2h = [
            sym.SliceChannel(
                self._product(which, data, name + "_"), num_outputs=3, name=f"{name}_{which}_slice"
            )
            for which, data in (("i2h", inputs), ("h2h", states[0]))
        ]
        reset, update = [
            sym.Activation(i2h[k] + h2h[k], act_type="sigmoid", name=f"{name}_{'rz'[k]}_act")
            for k in range(2)
        ]
        new = sym.Activation(i2h[2] + reset * h2h[2], act_type="tanh", name=name + "_h_act")
        output = sym.elemwise_add((1.0 - update) * new, update * states[0], name=name + "out")
        return output, [output]
