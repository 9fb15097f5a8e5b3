"""Graphs that several test files use."""

from hypothesis import strategies as st

import mxcy as mx

sym = mx.sym


def mlp():
    net = sym.FullyConnected(sym.Variable("data"), num_hidden=8, name="fc1")
    net = sym.Activation(net, act_type="relu", name="relu1")
    net = sym.FullyConnected(net, num_hidden=3, name="fc2")
    return sym.SoftmaxOutput(net, name="softmax")


UNARY = ["exp", "tanh", "sigmoid", "expm1", "square"]


@st.composite
def graphs(draw, arguments=3, most=12):
    """A random graph of simple operators over a few variables of one shape."""
    made = [sym.Variable(f"x{i}") for i in range(arguments)]
    for _ in range(draw(st.integers(1, most))):
        pick = st.integers(0, len(made) - 1).map(made.__getitem__)
        kind = draw(st.integers(0, 5))
        a, b = draw(pick), draw(pick)
        if kind == 0:
            made.append(getattr(sym, draw(st.sampled_from(UNARY)))(sym.tanh(a)))
        elif kind == 1:
            made.append(a * draw(st.floats(-2, 2, width=32)) + draw(st.integers(-3, 3)) * 0.5)
        elif kind == 2:
            made.extend(sym.SliceChannel(sym.Concat(a, b, dim=1), num_outputs=2, axis=1))
        else:
            made.append([a + b, a - b, a * b][kind - 3])
    count = draw(st.integers(1, 3))
    return sym.Group([draw(st.sampled_from(made[arguments:])) for _ in range(count)])
