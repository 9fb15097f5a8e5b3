"""RNN: dropout between layers, clipped states, and layers bound in a graph."""

import numpy as np
import pytest
from ops_rows import array, numpy_of

import mxcy as mx
from mxcy import ops


def inputs_of(mode, size, layers, steps=4, batch=2, inputs=3, seed=0):
    rng = np.random.default_rng(seed)
    gates = {"lstm": 4, "gru": 3, "rnn_tanh": 1}[mode]
    count = sum(gates * size * ((inputs if k == 0 else size) + size + 2) for k in range(layers))
    states = [rng.standard_normal((layers, batch, size)) for _ in range(2 if mode == "lstm" else 1)]
    arrays = [rng.standard_normal((steps, batch, inputs)), rng.standard_normal(count) / 2, *states]
    return [a.astype(np.float32) for a in arrays]


@pytest.mark.parametrize("mode", ["lstm", "gru", "rnn_tanh"])
def test_dropout_masks_what_the_upper_layer_reads(mode):
    values = inputs_of(mode, 5, 2)
    attrs = ops.RNN.parse_attrs({"mode": mode, "state_size": 5, "num_layers": 2, "p": 0.5})
    names = ops.RNN.output_names(attrs)
    mx.random.seed(3)
    trained = ops.RNN.compute([array(a) for a in values], attrs, is_train=True)
    mask = numpy_of(trained[names.index("mask0")])
    steps = numpy_of(trained[names.index("steps0")])
    assert set(np.unique(mask)) == {0.0, 2.0}

    split = sum(np.prod(s) for s in [(values[1].size,)])
    gates = {"lstm": 4, "gru": 3, "rnn_tanh": 1}[mode] * 5
    first = gates * (3 + 5)
    weights, biases = values[1][first : split - 4 * gates], values[1][split - 2 * gates :]
    upper = [steps * mask, np.concatenate([weights, biases]), *[a[1:] for a in values[2:]]]
    alone = ops.RNN.parse_attrs({"mode": mode, "state_size": 5, "num_layers": 1})
    expected = numpy_of(ops.RNN.compute([array(a) for a in upper], alone)[0])
    np.testing.assert_allclose(numpy_of(trained[0]), expected, rtol=1e-5, atol=1e-6)


def test_dropout_does_nothing_outside_training():
    values = inputs_of("gru", 3, 2)
    made = []
    for p in (0.0, 0.9):
        attrs = ops.RNN.parse_attrs({"mode": "gru", "state_size": 3, "num_layers": 2, "p": p})
        made.append(numpy_of(ops.RNN.compute([array(a) for a in values], attrs)[0]))

    np.testing.assert_array_equal(*made)


def test_clipped_cell_states_stay_within_bounds_and_stop_gradients():
    data, parameters, state, cell = (mx.nd.array(a * 3) for a in inputs_of("lstm", 4, 1))
    cell.attach_grad()
    with mx.autograd.record():
        _, _, last = mx.nd.RNN(
            data, parameters, state, cell, mode="lstm", state_size=4, num_layers=1, state_outputs=True,
            lstm_state_clip_min=-0.01, lstm_state_clip_max=0.01,
        )  # fmt: skip
    last.backward()

    assert np.abs(last.asnumpy()).max() <= np.float32(0.01)
    assert np.count_nonzero(cell.grad.asnumpy()) < cell.size


def test_lengths_may_be_named_without_a_cell():
    data, parameters, state = (mx.nd.array(a) for a in inputs_of("gru", 3, 1))
    lengths = mx.nd.array([1, 4])
    options = {"mode": "gru", "state_size": 3, "num_layers": 1, "use_sequence_length": True}
    y = mx.nd.RNN(data, parameters, state, sequence_length=lengths, **options).asnumpy()

    assert not y[1:, 0].any()
    assert y[:, 1].all()


def test_bound_layer_infers_its_parameters_and_learns():
    symbol = mx.sym.RNN(mx.sym.Variable("data"), mode="lstm", state_size=3, num_layers=2, name="lstm")
    assert symbol.list_arguments() == ["data", "lstm_parameters", "lstm_state", "lstm_state_cell"]
    executor = symbol.simple_bind(mx.cpu(), data=(4, 2, 5))
    rng = np.random.default_rng(0)
    for x in executor.arg_arrays:
        x[:] = rng.standard_normal(x.shape)
    executor.forward(is_train=True)
    executor.backward([mx.nd.ones((4, 2, 3))])

    assert executor.arg_dict["lstm_parameters"].shape == (4 * 3 * (5 + 3 + 2) + 4 * 3 * (3 + 3 + 2),)
    assert all(np.any(g.asnumpy()) for g in executor.grad_arrays)
