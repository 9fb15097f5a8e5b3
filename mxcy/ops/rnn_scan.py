"""One direction of one recurrent layer over a whole sequence, and its gradient."""

from typing import Literal

import numpy as np

from .._launch import empty_like
from .._matmul import matmul
from ..kernels import cpu as kernels
from ._cases import case, uniform
from ._declare import layer
from ._operator import find

Mode = Literal["rnn_relu", "rnn_tanh", "lstm", "gru"]
GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}
FIRST_ORDER = "gradients of recurrent layers are not differentiated again"


def at(x, i):
    """x[i] as a view, of an array in C order or of outer slices of one."""
    return x._strided(i * x.strides[0], x.shape[1:], x.strides[1:])


def wide(arrays):
    """The arrays in C order, half types as float32; None of None."""
    to = np.dtype(np.float32) if arrays[0].itemsize < 4 else arrays[0].dtype
    return [None if a is None else in_order(a, to) for a in arrays]


def in_order(a, dtype):
    if a.dtype != dtype:
        return kernels.astype(a, dtype)
    return a if a._c_contiguous else kernels.copy(a)


def narrowed(made, like, out):
    """Results in the dtype of an array, in their places if they have any."""
    found = []
    for a, place in zip(made, out, strict=True):
        if place is not None:
            found.append(a if a is place else kernels.copy(a, out=place))
        else:
            found.append(a if a.dtype == like.dtype else kernels.astype(a, like.dtype))
    return found


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# --- one direction of one layer ------------------------------------------------------------------------
def scan(x, weights, state, cell, mode, backwards, clip, outs):
    """Run over the steps of x (steps, batch, inputs); return [states of all steps, gates, cells].

    weights: i2h (gates * size, inputs), h2h (gates * size, state), their biases, and h2r (state, size) or
    None.  Gates and cells are what backward needs; None where the mode has none.
    """
    i2h, h2h, i2h_bias, h2h_bias, h2r = weights
    steps, batch, inputs = x.shape
    size = h2h.shape[0] // GATES[mode]
    bias = i2h_bias if mode == "gru" else find("broadcast_add").compute([i2h_bias, h2h_bias], {})[0]
    rows = x._reshape_view((steps * batch, inputs))
    rows = kernels.copy(x)._reshape_view((steps * batch, inputs)) if rows is None else rows
    products = matmul(rows, i2h, False, True, None, bias)._reshape_view((steps, batch, h2h.shape[0]))
    wanted = [(steps, batch, state.shape[1]), (steps, batch, 4 * size), (steps, batch, size)]
    used = (True, mode in ("lstm", "gru"), mode == "lstm")
    made = [
        (empty_like(x, shape) if out is None else out) if use else None
        for shape, out, use in zip(wanted, outs, used, strict=True)
    ]
    recurrent = empty_like(x, (batch, h2h.shape[0]))
    h, c = state, cell
    for t in range(steps - 1, -1, -1) if backwards else range(steps):
        matmul(h, h2h, False, True, recurrent, h2h_bias if mode == "gru" else None)
        raw = at(made[0], t) if h2r is None else empty_like(x, (batch, size))
        before = {"lstm": [c], "gru": [h]}.get(mode, [])
        after = [at(part, t) for part in made[1:] if part is not None]
        kernels.rnn_cell(mode, [at(products, t), recurrent, *before], [raw, *after], clip)
        if h2r is not None:
            matmul(raw, h2r, False, True, at(made[0], t))
        h, c = at(made[0], t), after[-1] if mode == "lstm" else None
    return made


def previous(steps, state, backwards):
    """The state before every step."""
    count = steps.shape[0]
    first = state._reshape_view((1, *state.shape))
    begin = steps.strides[0] if backwards else 0
    rest = steps._strided(begin if count > 1 else 0, (count - 1, *steps.shape[1:]), steps.strides)
    return kernels.concat([rest, first] if backwards else [first, rest], 0)


def scan_grad(g_steps, g_last, g_cells, g_last_cell, x, weights, steps, gates, cells, state, cell, options):
    """Gradients of x, the weights, the state and the cell; see `_rnn_scan_grad`."""
    mode, backwards, clip = options
    i2h, h2h, h2r = weights
    count, batch, inputs = x.shape
    size = h2h.shape[0] // GATES[mode]
    g_input = empty_like(x, (count, batch, h2h.shape[0]))
    g_recurrent = empty_like(x, g_input.shape) if mode == "gru" else g_input
    g_states = g_steps if h2r is None else empty_like(x, g_steps.shape)
    zeros = kernels.fill(empty_like(x, (batch, size)), 0)
    g_h, g_c, by = g_last, g_last_cell, zeros
    cell_before = previous(cells, cell, backwards) if mode == "lstm" else None
    state_before = previous(steps, state, backwards)
    add = find("broadcast_add").compute
    for t in range(count) if backwards else range(count - 1, -1, -1):
        heads = [at(g_steps, t), g_h]
        if h2r is not None:
            add(heads, {}, [at(g_states, t)])
            heads = [matmul(at(g_states, t), h2r), zeros]
        if mode == "lstm":
            own = zeros if g_cells is None else at(g_cells, t)
            g_c_before = empty_like(x, (batch, size))
            saved = [at(gates, t), at(cells, t), at(cell_before, t), g_c, own]
            kernels.rnn_cell_grad(mode, [*heads, *saved], [at(g_input, t), g_c_before], clip)
            g_c = g_c_before
        elif mode == "gru":
            passed = empty_like(x, (batch, size))
            saved = [at(gates, t), at(state_before, t), by]
            kernels.rnn_cell_grad(mode, [*heads, *saved], [at(g_input, t), at(g_recurrent, t), passed])
            by = passed
        else:
            kernels.rnn_cell_grad(mode, [*heads, at(steps, t)], [at(g_input, t)])
        g_h = matmul(at(g_recurrent, t), h2h)
    g_state = add([g_h, by], {})[0] if mode == "gru" else g_h
    flat = [a._reshape_view((count * batch, a.shape[2])) for a in (g_input, g_recurrent, state_before)]
    rows = x._reshape_view((count * batch, inputs))
    sums = [find("sum").compute([a], find("sum").parse_attrs({"axis": 0}))[0] for a in flat[:2]]
    g_x = matmul(flat[0], i2h)._reshape_view(x.shape)
    found = [g_x, matmul(flat[0], rows, True), matmul(flat[1], flat[2], True), *sums, g_state, g_c]
    if h2r is None:
        return [*found, kernels.fill(empty_like(x, (1,)), 0)]
    out_gate = kernels.copy(gates._strided(3 * size * gates.itemsize, cells.shape, gates.strides))
    raw = find("broadcast_mul").compute([out_gate, *find("tanh").compute([cells], {})], {})[0]
    both = [kernels.copy(a)._reshape_view((count * batch, a.shape[2])) for a in (g_states, raw)]
    return [*found, matmul(both[0], both[1], True)]


def cell_grad_reference(mode, g, g_c, saved, before):
    """(gradient of the input's product, of the recurrent one, of the previous cell, what passes by)."""
    gates, cell = saved
    if mode in ("rnn_relu", "rnn_tanh"):
        own = g * (cell > 0) if mode == "rnn_relu" else g * (1 - cell * cell)
        return own, own, g_c, 0
    a, b, c, d = np.split(gates, 4, axis=-1)
    if mode == "gru":
        fresh = g * (1 - b) * (1 - c * c)
        parts = [fresh * d * a * (1 - a), g * (before - c) * b * (1 - b)]
        return np.hstack([*parts, fresh]), np.hstack([*parts, fresh * a]), g_c, g * b
    bent = np.tanh(cell)
    g_c = g_c + g * d * (1 - bent * bent)
    own = np.hstack([
        g_c * c * a * (1 - a), g_c * before * b * (1 - b), g_c * a * (1 - c * c), g * bent * d * (1 - d)
    ])  # fmt: skip
    return own, own, g_c * b, 0


def scan_grad_reference(
    g,
    g_last,
    g_cells,
    g_last_cell,
    x,
    i2h,
    h2h,
    h2r,
    steps,
    gates,
    cells,
    h,
    c,
    mode,
    backwards=False,
    **rest,
):
    """Step by step, without projection and gradients of single cells."""
    g_h, g_c = g_last, g_last_cell
    total = [np.zeros_like(a) for a in (x, i2h, h2h)] + [np.zeros(len(i2h))] * 2
    order = range(len(x)) if backwards else range(len(x) - 1, -1, -1)
    last = len(x) - 1 if backwards else 0
    for t in order:
        step = 1 if backwards else -1
        h_before, c_before = (h, c) if t == last else (steps[t + step], cells[t + step])
        saved = (gates[t], cells[t] if mode == "lstm" else steps[t])
        own, recurrent, g_c, by = cell_grad_reference(
            mode, g[t] + g_h, g_c, saved, c_before if mode == "lstm" else h_before
        )
        g_h = recurrent @ h2h + by
        total[0][t] = own @ i2h
        total[1] = total[1] + own.T @ x[t]
        total[2] = total[2] + recurrent.T @ h_before
        total[3], total[4] = total[3] + own.sum(0), total[4] + recurrent.sum(0)
    return [*total, g_h, g_c, np.zeros(1)]


def scan_rows(mode):
    gates, wide = GATES[mode], (3, 2, 8)
    big = [uniform(3, 2, 2)] * 2
    shapes = [
        uniform(3, 2, 2), uniform(2, 2), big[0], uniform(2, 2), uniform(3, 2, 5), uniform(2 * gates, 5),
        uniform(2 * gates, 2), uniform(1), uniform(3, 2, 2, low=-0.9, high=0.9),
        uniform(*wide, low=0.1, high=0.9), big[1], uniform(2, 2), uniform(2, 2),
    ]  # fmt: skip
    return [case(*shapes, mode=mode), case(*shapes, mode=mode, backwards=True)]


@layer(
    kinds="f",
    ref=scan_grad_reference,
    cases=[row for mode in GATES for row in scan_rows(mode)],
    grad_check=FIRST_ORDER,
    first_order=FIRST_ORDER,
)
class _rnn_scan_grad:
    """Gradients of one direction of one recurrent layer: of its inputs, weights, state and cell.

    data: the gradient of the states of all steps.  What a mode does not have is there but not read;
    `g_cells` is read if `ragged`, `h2r` if `projected`.
    """

    mode: Mode
    backwards: bool = False
    projected: bool = False
    ragged: bool = False
    clip_low: float | None = None
    clip_high: float | None = None

    def outputs(self):
        return ("g_x", "g_i2h", "g_h2h", "g_i2h_bias", "g_h2h_bias", "g_state", "g_cell", "g_h2r")

    def infer(self, out, data, *shapes):
        x, i2h, h2h, h2r, _, _, _, state, cell = shapes[3:]
        bias = None if i2h is None else (i2h[0],)
        last = h2r if self.projected else (1,)
        cell = state if self.mode != "lstm" else cell
        return (data, *shapes), (x, i2h, h2h, bias, bias, state, cell, last)

    def forward(
        self, data, g_last, g_cells, g_last_cell, x, i2h, h2h, h2r, steps, gates, cells, state, cell, *, out
    ):  # fmt: skip
        like = data
        data, g_last, g_cells, g_last_cell, x, i2h, h2h, h2r, steps, gates, cells, state, cell = wide(
            [data, g_last, g_cells, g_last_cell, x, i2h, h2h, h2r, steps, gates, cells, state, cell]
        )
        clip = None if self.clip_low is None else (self.clip_low, self.clip_high, False)
        made = scan_grad(
            data, g_last, g_cells if self.ragged else None, g_last_cell, x,
            (i2h, h2h, h2r if self.projected else None), steps, gates, cells, state, cell,
            (self.mode, self.backwards, clip),
        )  # fmt: skip
        return narrowed(made, like, out)
