"""Graphs with control flow, made by whichever library is given: MXNet for the golden file, mxcy in tests.

Each entry is (function of the library that returns a list of symbols, values of the arguments).
"""


def _running(mx):
    sym = mx.sym
    x, s, w = sym.Variable("x"), sym.Variable("s"), sym.Variable("w")
    scaled = w * 3  # computed outside, used inside
    outs, states = sym.contrib.foreach(
        lambda d, s: (sym.broadcast_mul(d, scaled) + s[0], [s[0] * 0.5 + d]), x, [s])
    return [outs, states[0]]


def _closure(mx):
    sym = mx.sym
    x, s, w = sym.Variable("x"), sym.Variable("s"), sym.Variable("w")
    outs, state = sym.contrib.foreach(lambda d, s: (d * w, s + sym.tanh(d * w)), x, s, name="loop")
    return [outs * 2, state]


def _lists(mx):
    sym = mx.sym
    x, y, s, t = (sym.Variable(name) for name in "xyst")

    def body(data, states):
        a = data[0] * states[1]
        return [a, data[1]], [states[1] + a, states[0] * data[1]]

    outs, states = sym.contrib.foreach(body, [x, y], [s, t])
    return outs + states


def _only_outputs(mx):
    sym = mx.sym
    outs, _ = sym.contrib.foreach(lambda d, s: (sym.exp(d), []), sym.Variable("x"), [])
    return [outs]


def _only_states(mx):
    sym = mx.sym
    _, states = sym.contrib.foreach(lambda d, s: ([], [s[0] + d]), sym.Variable("x"), [sym.Variable("s")])
    return states


def _recurrent(mx):
    sym = mx.sym
    x, h = sym.Variable("x"), sym.Variable("h")
    weight = sym.Variable("weight")

    def body(d, h):
        new = sym.tanh(sym.FullyConnected(d, weight, num_hidden=3, no_bias=True, name="i2h")
                       + sym.FullyConnected(h, num_hidden=3, name="h2h"))
        return new, new

    outs, h = sym.contrib.foreach(body, x, h)
    return [outs, h]


def _nested(mx):
    sym = mx.sym
    x, s = sym.Variable("x"), sym.Variable("s")

    def outer(d, s):
        inner, last = sym.contrib.foreach(lambda e, t: (e * t, t + e), d, s, name="inner")
        return inner, last * 0.5

    outs, last = sym.contrib.foreach(outer, x, s, name="outer")
    return [outs, last]


def _while(mx):
    sym = mx.sym
    i, s, w = sym.Variable("i"), sym.Variable("s"), sym.Variable("w")
    outs, states = sym.contrib.while_loop(
        lambda i, s: i < 3,
        lambda i, s: ([sym.broadcast_add(s, i), s * w], [i + 1, s * w]), [i, s], max_iterations=3)
    return outs + states


def _cond(mx):
    sym = mx.sym
    a, b = sym.Variable("a"), sym.Variable("b")
    return [sym.contrib.cond(a * b < 5, lambda: (a + 5) * (b + 5), lambda: (a - 5) * (b - 5))]


def _cond_lists(mx):
    sym = mx.sym
    p, a, b = sym.Variable("p"), sym.Variable("a"), sym.Variable("b")
    return sym.contrib.cond(p > 0, lambda: [a * b, b], lambda: [a, sym.exp(a)], name="branch")


def _ramp(*shape, first=-0.5, last=1.0):
    """Numbers from first to last, as nested lists."""
    count = 1
    for extent in shape:
        count *= extent
    flat = [first + (last - first) * k / max(1, count - 1) for k in range(count)]
    for extent in shape[:0:-1]:
        flat = [flat[k:k + extent] for k in range(0, len(flat), extent)]
    return flat


PROGRAMS = {
    "running": (_running, {"x": _ramp(4, 3), "s": _ramp(3), "w": _ramp(3)}),
    "closure": (_closure, {"x": _ramp(3, 2), "s": _ramp(2), "w": _ramp(2)}),
    "vector": (_closure, {"x": _ramp(4), "s": [0.5], "w": [2.0]}),
    "lists": (_lists, {"x": _ramp(3, 2), "y": _ramp(3, 2, first=1.5), "s": _ramp(2), "t": _ramp(2)}),
    "only_outputs": (_only_outputs, {"x": _ramp(3, 2)}),
    "only_states": (_only_states, {"x": _ramp(3, 2), "s": _ramp(2)}),
    "recurrent": (_recurrent, {"x": _ramp(4, 2, 3), "h": _ramp(2, 3), "weight": _ramp(3, 3),
                               "h2h_weight": _ramp(3, 3, first=0.2), "h2h_bias": _ramp(3)}),
    "nested": (_nested, {"x": _ramp(2, 3, 2), "s": _ramp(2)}),
    "while": (_while, {"i": [0.0], "s": _ramp(2), "w": _ramp(2)}),
    "cond_then": (_cond, {"a": [1.0], "b": [2.0]}),
    "cond_else": (_cond, {"a": [3.0], "b": [2.0]}),
    "cond_lists": (_cond_lists, {"p": [1.0], "a": _ramp(3), "b": _ramp(3, first=2.0)}),
}
