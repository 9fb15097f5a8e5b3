"""Recurrent layers: MXNet's layers in one operator become one operator of ONNX each."""

import numpy as np

from ...ops.rnn import RNN, Plan
from ...ops.shape import product
from ..writer import exports

KINDS = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}
# The gates of MXNet in the order of ONNX: i, f, g, o -> i, o, f, g; r, z, n -> z, r, n.
GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn_tanh": (0,), "rnn_relu": (0,)}


def ordered(g, parameters, begin, shape, gates):
    """Return a part of the flat parameters with its gates in the order of ONNX, with one axis in front."""
    end = begin + product(shape)
    values = g.array(parameters)
    if values is not None:
        blocks = np.split(values[begin:end].reshape(shape), len(gates))
        return g.constant(np.concatenate([blocks[gate] for gate in gates])[None])
    flat = g("Slice", parameters, g.ints(begin), g.ints(end), g.ints(0))
    blocks = g.reshape(flat, 1, len(gates), shape[0] // len(gates), *shape[1:])
    moved = g("Gather", blocks, g.ints(*gates), axis=1)
    return g.reshape(moved, 1, *shape)


def weights(g, parameters, places, gates):
    """Return (i2h, h2h, biases) of the directions of a layer."""
    names = ("i2h", "h2h", "i2h_bias", "h2h_bias")
    parts = {name: [ordered(g, parameters, *place.parts[name], gates) for place in places] for name in names}
    both = [g("Concat", *pair, axis=1) for pair in zip(parts["i2h_bias"], parts["h2h_bias"], strict=True)]
    return [together(g, found) for found in (parts["i2h"], parts["h2h"], both)]


def together(g, parts, axis=0):
    """Join arrays, if there are several."""
    return g("Concat", *parts, axis=axis) if len(parts) > 1 else parts[0]


def shares(g, state, layers, directions):
    """Return the first states of each layer."""
    if layers == 1:
        return [state]
    return g("Split", state, g.ints(*[directions] * layers), axis=0, outputs=layers)


@exports("RNN")
def rnn(g, attrs, x, parameters, state, *rest):
    mode, size, layers = attrs["mode"], attrs["state_size"], attrs["num_layers"]
    g.need(attrs["projection_size"] is None, "projection_size", "None", attrs["projection_size"])
    g.need(attrs["lstm_state_clip_min"] is None, "lstm_state_clip_min", "None", attrs["lstm_state_clip_min"])
    layer = RNN.layer(attrs)
    others = list(rest)
    cells = shares(g, others.pop(0), layers, layer.directions) if mode == "lstm" else [""] * layers
    states = shares(g, state, layers, layer.directions)
    lengths = g.cast(others[0], "int32") if attrs["use_sequence_length"] else ""
    plan = Plan(layer, x.extents[2])
    data, last = x, []
    for depth in range(layers):
        places = plan.places[depth * layer.directions : (depth + 1) * layer.directions]
        given = [data, *weights(g, parameters, places, GATES[mode]), lengths, states[depth], cells[depth]]
        found = g(KINDS[mode], *(given if mode == "lstm" else given[:-1]), outputs=3 if mode == "lstm" else 2,
                  hidden_size=size, direction="bidirectional" if attrs["bidirectional"] else "forward",
                  linear_before_reset=1 if mode == "gru" else None,
                  activations=["Relu"] * layer.directions if mode == "rnn_relu" else None)  # fmt: skip
        last.append(found[1:])
        data = g.reshape(g("Transpose", found[0], perm=(0, 2, 1, 3)), 0, 0, -1)
    if not attrs["state_outputs"]:
        return data
    return [data, *(together(g, parts) for parts in zip(*last, strict=True))]
