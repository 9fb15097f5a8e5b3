"""Recurrent layers: their weights become the one array that MXNet's operator reads."""

import numpy as np

from ... import symbol as sym
from ..reader import imports

# The gates of ONNX in the order of MXNet: i, o, f, g -> i, f, g, o; z, r, n -> r, z, n.
GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}


def moved(array, kind):
    """The gates along the first axis in the order of MXNet."""
    blocks = np.split(array, len(GATES[kind]))
    return np.concatenate([blocks[gate] for gate in GATES[kind]])


def mode_of(n, directions):
    """MXNet's mode; activations other than the usual ones are refused."""
    usual = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}[n.kind]
    given = n.get("activations") or usual * directions
    if n.kind == "RNN" and given == ["Relu"] * directions:
        return "rnn_relu"
    n.need(given == usual * directions, "activations", f"{usual} for each direction", given)
    if n.kind == "GRU":
        n.need(
            n.get("linear_before_reset", 0) == 1, "linear_before_reset", "1", n.get("linear_before_reset", 0)
        )
    return {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn_tanh"}[n.kind]


def parameters(n, size):
    """All weights and then all biases of the directions."""
    inputs, hidden = n.values(1, "constant weights"), n.values(2, "constant weights")
    rows = inputs.shape[1]
    biases = n.values(3, "constant biases") if n.has(3) else np.zeros((len(inputs), 2 * rows), inputs.dtype)
    parts = [moved(w, n.kind).ravel() for pair in zip(inputs, hidden, strict=True) for w in pair]
    parts += [moved(bias, n.kind) for pair in biases for bias in (pair[:rows], pair[rows:])]
    return np.concatenate(parts)


def zeros(x, directions, size):
    """States of zeros for a batch of sequences."""
    one = sym.slice_axis(sym.slice_axis(x, axis=0, begin=0, end=1), axis=2, begin=0, end=1)
    return sym.broadcast_axis(sym.zeros_like(one), axis=(0, 2), size=(directions, size))


@imports("LSTM", "GRU", "RNN")
def rnn(n):
    direction, size = n.get("direction", "forward"), n.get("hidden_size")
    n.need(not n.get("layout", 0), "layout", "0", 1)
    n.need(n.get("clip") is None and not n.get("input_forget", 0), "clip", "none", n.get("clip"))
    n.need(not n.has(7), "P", "no peepholes", n.inputs[7:])
    directions = 2 if direction == "bidirectional" else 1
    mode, x = mode_of(n, directions), n[0]
    lengths = [sym.Cast(n[4], dtype="float32")] if n.has(4) else []
    turned = direction == "reverse"
    several = {"use_sequence_length": bool(lengths)}
    if turned:
        x = sym.SequenceReverse(x, *lengths, **several)
    states = [n[i] if n.has(i) else zeros(x, directions, size) for i in ((5, 6) if mode == "lstm" else (5,))]
    weights = n.parameter("parameters", parameters(n, size))
    y, *last = sym.RNN(x, weights, *states, *lengths, state_size=size, num_layers=1, mode=mode,
                       bidirectional=directions == 2, state_outputs=True, name=n.name, **several)  # fmt: skip
    if turned:
        y = sym.SequenceReverse(y, *lengths, **several)
    apart = sym.Reshape(y, shape=(0, 0, -4, directions, -1))
    return [sym.transpose(apart, axes=(0, 2, 1, 3)), *last]
