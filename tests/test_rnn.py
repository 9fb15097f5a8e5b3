"""`mx.rnn`: cells over symbols against the real MXNet 1.9.1, weights of gates, sentences in buckets."""

import json
from pathlib import Path

import numpy as np
import pytest
import rnn_programs

import mxcy as mx
from mxcy import nd, rnn

GOLDEN = json.loads((Path(__file__).parent / "golden" / "rnn.json").read_text())


@pytest.mark.parametrize("name", GOLDEN)
def test_unrolled_cells_are_mxnets(name):
    shapes, outputs, gradients = rnn_programs.run(mx, rnn_programs.cells(mx)[name])
    expected = GOLDEN[name]

    assert shapes == expected["shapes"]
    np.testing.assert_allclose(outputs.ravel(), expected["outputs"], rtol=1e-4, atol=1e-5)
    if name != "stack":  # which drops at random
        for key, value in expected["gradients"].items():
            assert gradients[key] == pytest.approx(value, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("mode", ["rnn_relu", "rnn_tanh", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layout", ["NTC", "TNC"])
def test_fused_cells_compute_what_single_ones_do(mode, bidirectional, layout):
    fused = rnn.FusedRNNCell(3, 2, mode, bidirectional, prefix="f_")
    data = mx.sym.Variable("data")
    shape = (2, 4, 5) if layout == "NTC" else (4, 2, 5)
    first = fused.unroll(4, data, layout=layout, merge_outputs=True)[0].simple_bind(mx.cpu(), data=shape)
    other = fused.unfuse().unroll(4, data, layout=layout, merge_outputs=True)[0]
    second = other.simple_bind(mx.cpu(), data=shape)
    values = np.random.default_rng(0).uniform(-0.5, 0.5, first.arg_dict["f_parameters"].shape)
    first.arg_dict["f_parameters"][:] = values
    first.arg_dict["data"][:] = second.arg_dict["data"][:] = np.random.default_rng(1).normal(size=shape)
    unpacked = fused.unpack_weights({"f_parameters": nd.array(values)})
    single = fused.unfuse().pack_weights(unpacked)
    second.copy_params_from(single, allow_extra_params=True)
    outputs = [exe.forward()[0].asnumpy() for exe in (first, second)]

    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-4, atol=1e-6)
    packed = fused.pack_weights(unpacked)["f_parameters"].asnumpy()
    np.testing.assert_allclose(packed, values, rtol=1e-6)


def test_cells_make_single_steps_and_share_variables():
    params = rnn.RNNParams("p_")
    a, b = rnn.LSTMCell(4, params=params), rnn.LSTMCell(4, params=params)
    x = mx.sym.Variable("x")
    states = [mx.sym.Variable(name) for name in "hc"]
    output, after = a(x, states)

    assert len(after) == 2
    assert output.list_arguments() == [
        "x",
        "p_i2h_weight",
        "p_i2h_bias",
        "h",
        "p_h2h_weight",
        "p_h2h_bias",
        "c",
    ]
    assert a.params.get("i2h_weight") is b.params.get("i2h_weight")
    zeros = a.begin_state(shape=(2, 4))
    assert [z.infer_shape()[1] for z in zeros] == [[(2, 4)]] * 2
    assert zeros[0].name == "lstm_begin_state_0"


def test_modified_and_bidirectional_cells_have_rules():
    base = rnn.GRUCell(3)
    zoned = rnn.ZoneoutCell(base, 0.3, 0.3)
    outputs, _ = zoned.unroll(3, mx.sym.Variable("data"), merge_outputs=True)

    assert outputs.infer_shape(data=(2, 3, 3))[1] == [(2, 3, 3)]
    with pytest.raises(AssertionError, match="modifier"):
        base.begin_state()
    both = rnn.BidirectionalCell(rnn.RNNCell(2, prefix="a_"), rnn.RNNCell(2, prefix="b_"))
    with pytest.raises(NotImplementedError):
        both(None, None)
    for wrong in (both, rnn.FusedRNNCell(3)):
        with pytest.raises(AssertionError, match="no steps"):
            rnn.ZoneoutCell(wrong)
    with pytest.raises(AssertionError, match="mode"):
        rnn.FusedRNNCell(3, mode="lst")
    with pytest.raises(AssertionError, match="expected 2 steps"):
        rnn.RNNCell(3).unroll(2, [mx.sym.Variable("x")])
    with pytest.warns(UserWarning, match="deprecated"):
        rnn.rnn_unroll(rnn.RNNCell(3), 1, [mx.sym.Variable("x")])


def test_checkpoints_fit_fused_and_single_cells(tmp_path):
    fused = rnn.FusedRNNCell(3, 1, "lstm", prefix="f_")
    symbol, _ = fused.unroll(2, mx.sym.Variable("data"), merge_outputs=True)
    values = nd.array(np.random.default_rng(0).normal(size=4 * 3 * (5 + 3 + 2)))
    rnn.do_rnn_checkpoint(fused, str(tmp_path / "net"))(0, symbol, {"f_parameters": values}, {})
    _, args, _ = rnn.load_rnn_checkpoint(fused, str(tmp_path / "net"), 1)
    _, single, _ = rnn.load_rnn_checkpoint(fused.unfuse(), str(tmp_path / "net"), 1)

    assert (args["f_parameters"].asnumpy() == values.asnumpy()).all()
    assert single["f_l0_i2h_weight"].shape == (12, 5)


def test_parameters_of_fused_cells_are_initialized():
    fused = rnn.FusedRNNCell(3, 1, "lstm", prefix="f_", forget_bias=2.0)
    net = mx.sym.MakeLoss(fused.unroll(2, mx.sym.Variable("data"), merge_outputs=True)[0])
    module = mx.mod.Module(net, label_names=None)
    module.bind([("data", (2, 2, 5))])
    module.init_params(mx.init.Uniform(0.1))
    parts = fused.unpack_weights(module.get_params()[0])

    assert (parts["f_l0_i2h_f_bias"].asnumpy() == 2).all()
    assert 0 < np.abs(parts["f_l0_i2h_i_weight"].asnumpy()).max() <= 0.1


def test_sentences_become_numbers_and_buckets(caplog):
    sentences = [["a", "b"], ["b", "c", "a"], ["c"], ["a", "a"], ["b", "b", "b"], ["c", "a", "b", "a"]]
    encoded, vocab = rnn.encode_sentences(sentences, invalid_label=0, start_label=1)

    assert vocab == {"\n": 0, "a": 1, "b": 2, "c": 3}
    assert encoded[1] == [2, 3, 1]
    assert rnn.encode_sentences([["a", "x"]], vocab, unknown_token="c")[0] == [[1, 3]]
    with pytest.raises(AssertionError, match="unknown token"):
        rnn.encode_sentences([["y"]], vocab)
    for layout in ("NT", "TN", "NTC", "TNC"):
        batches = rnn.BucketSentenceIter(encoded, 2, buckets=[2, 3], invalid_label=0, layout=layout)
        found = list(batches)

        assert batches.default_bucket_key == 3
        assert sorted(b.bucket_key for b in found) == [2, 3]
        data, label = found[0].data[0].asnumpy(), found[0].label[0].asnumpy()
        if layout.startswith("T"):
            data, label = data.T, label.T
        assert (label[:, :-1] == data[:, 1:]).all()
        assert (label[:, -1] == 0).all()
        assert found[0].provide_data[0].shape == found[0].data[0].shape
    assert "discarded 1 sentences" in caplog.text
    with pytest.raises(ValueError, match="layout"):
        rnn.BucketSentenceIter(encoded, 2, layout="T")
    with pytest.raises(ValueError, match="buckets"):
        rnn.BucketSentenceIter(encoded, 10)


# by the real MXNet 1.9.1: sums of the outputs of three steps, and of the gradient of h2h_weight
CONVOLUTIONAL = {
    "ConvRNNCell": ([50.4378, 74.6128, 109.8074], 3402.7964),
    "ConvLSTMCell": ([4.896, 6.6107, 6.9663], 51.4214),
    "ConvGRUCell": ([10.8802, 13.5403, 13.3838], 104.1823),
}


@pytest.mark.parametrize("kind", CONVOLUTIONAL)
def test_convolutional_cells_are_mxnets(kind):
    cell = getattr(mx.rnn, kind)(input_shape=(1, 3, 6, 5), num_hidden=4, prefix="rnn_")
    names = [f"x_t{i}" for i in range(3)]
    outputs, _ = cell.unroll(3, [mx.sym.Variable(name) for name in names])
    group = mx.sym.Group(outputs)
    executor = group.simple_bind(mx.cpu(), **dict.fromkeys(names, (2, 3, 6, 5)))
    rs = np.random.RandomState(0)
    for name in sorted(executor.arg_dict):
        array = executor.arg_dict[name]
        array[:] = mx.nd.array(rs.uniform(-0.3, 0.3, array.shape))
    executor.forward(is_train=True)
    executor.backward([mx.nd.ones((2, 4, 6, 5))] * 3)
    sums, gradient = CONVOLUTIONAL[kind]

    assert group.list_outputs() == [f"rnn_t{i}_out_output" for i in range(3)]
    np.testing.assert_allclose([out.asnumpy().sum() for out in executor.outputs], sums, rtol=1e-4)
    np.testing.assert_allclose(executor.grad_dict["rnn_h2h_weight"].asnumpy().sum(), gradient, rtol=1e-4)
    weights = {name: x for name, x in executor.arg_dict.items() if name.startswith("rnn")}
    packed = cell.pack_weights(cell.unpack_weights(weights))
    assert all((packed[name].asnumpy() == x.asnumpy()).all() for name, x in weights.items())


def test_convolutional_cells_of_gluon_are_unrolled_over_symbols():
    cell = mx.gluon.contrib.rnn.Conv2DLSTMCell((10, 20, 50), 100, 3, 3, prefix="rnn_")
    outputs, _ = cell.unroll(3, [mx.sym.Variable(f"x{i}") for i in range(3)])
    shapes = mx.sym.Group(outputs).infer_shape(**{f"x{i}": (1, 10, 20, 50) for i in range(3)})[1]

    assert shapes == [(1, 100, 18, 48)] * 3


def test_convolutional_cells_need_odd_kernels():
    with pytest.raises(AssertionError, match="expected odd extents"):
        mx.rnn.ConvRNNCell((1, 3, 6, 5), 4, h2h_kernel=(2, 3))
