"""Recurrent networks over symbols that the real MXNet and mxcy run alike; `mx` is the one or the other."""

import numpy as np

LENGTH, BATCH, INPUTS = 4, 3, 5


def cells(mx):
    """Cells by name."""
    rnn = mx.rnn
    stack = rnn.SequentialRNNCell()
    stack.add(rnn.LSTMCell(4, prefix="one_"))
    stack.add(rnn.DropoutCell(0.5))
    stack.add(rnn.ResidualCell(rnn.RNNCell(4, prefix="two_")))
    return {
        "rnn": rnn.RNNCell(4, activation="relu"),
        "lstm": rnn.LSTMCell(4),
        "gru": rnn.GRUCell(4),
        "stack": stack,
        "both": rnn.BidirectionalCell(rnn.LSTMCell(4, prefix="l_"), rnn.GRUCell(3, prefix="r_")),
        "fused_lstm": rnn.FusedRNNCell(4, 2, "lstm", True, prefix="f_"),
        "fused_gru": rnn.FusedRNNCell(4, 2, "gru", get_next_state=True),
        "fused_rnn": rnn.FusedRNNCell(4, 1, "rnn_tanh"),
    }


def run(mx, cell, layout="NTC"):
    """Return (shapes of the arguments, outputs, gradients) for values that both sides draw alike."""
    outputs, _ = cell.unroll(LENGTH, mx.sym.Variable("data"), layout=layout, merge_outputs=True)
    shape = (BATCH, LENGTH, INPUTS) if layout == "NTC" else (LENGTH, BATCH, INPUTS)
    exe = outputs.simple_bind(mx.cpu(), data=shape)
    rs = np.random.RandomState(5)
    for name in sorted(exe.arg_dict):
        exe.arg_dict[name][:] = rs.uniform(-0.5, 0.5, exe.arg_dict[name].shape)
    exe.forward(is_train=False)
    found = exe.outputs[0].asnumpy()
    exe.forward(is_train=True)
    exe.backward(mx.nd.ones(found.shape))
    gradients = {name: float(g.sum().asscalar()) for name, g in exe.grad_dict.items()}
    return {name: list(x.shape) for name, x in exe.arg_dict.items()}, found, gradients
