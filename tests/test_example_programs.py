"""What MXNet's own examples and tutorials do, besides what the programs of tests/programs use."""

import json

import numpy as np
import pytest

import mxcy as mx
from mxcy import autograd, gluon, nd
from mxcy.gluon import nn


class Chain(nn.Block):
    """Blocks under names of its own, as in a test of MXNet."""

    def add(self, block):
        self._children[f"{block.name}{len(self._children)}"] = block

    def forward(self, x):
        for block in self._children.values():
            x = block(x)
        return x


def chain():
    inner, outer = Chain(), Chain()
    inner.add(nn.Dense(3))
    outer.add(inner)
    outer.add(nn.Dense(2))
    return outer


def test_networks_made_anew_take_the_names_under_which_they_were_saved(tmp_path):
    first, second = chain(), chain()
    first.initialize()
    first.hybridize()
    expected = first(nd.ones((1, 4)))
    first.save(str(tmp_path / "net"))
    second.load(str(tmp_path / "net"))
    form = json.loads((tmp_path / "net-model.json").read_text())

    assert second(nd.ones((1, 4))).asnumpy().tolist() == expected.asnumpy().tolist()
    assert list(second._children) == list(first._children)
    assert list(form) == ["chain0"]
    assert set(form["chain0"]["chain1"]["dense2"]) == {"orig_name", "hybridized", "children"}


@pytest.mark.parametrize("text", ["{}", "[]", '{"chain0": 3}', '{"chain0": {"children": {"a": "b"}}}'])
def test_files_of_other_structures_are_refused(tmp_path, text):
    (tmp_path / "net-model.json").write_text(text)

    with pytest.raises(ValueError, match=r"load\(.*net-model.json\): expected a block of the structure"):
        chain().load(str(tmp_path / "net"))


def test_gradients_read_what_set_data_writes_while_recording():
    """Spectral normalisation keeps its vector that way."""
    u = gluon.Parameter("u", shape=(2,))
    u.initialize(mx.init.Constant(3))
    w = nd.array([1, 2])
    w.attach_grad()
    with autograd.record():
        y = u.data() * w
        u.set_data(nd.array([5, 7]))
        z = u.data() * w
    mx.autograd.backward([y, z])

    assert w.grad.asnumpy().tolist() == [10, 14]
    with autograd.record():
        y = u.data() * w
        u.set_data(nd.array([1, 1]))
    u.data()[:] = 2
    with pytest.raises(mx.MXNetError, match="overwritten"):
        y.backward()


def test_a_trainer_begins_again_with_another_optimizer():
    weight = gluon.Parameter("w", shape=(1,))
    weight.initialize(mx.init.Constant(1))
    trainer = gluon.Trainer([weight], "sgd", {"learning_rate": 1.0, "momentum": 0.9})
    for rate in (1.0, 0.25):
        trainer._init_optimizer("sgd", {"learning_rate": rate})
        with autograd.record():
            weight.data().sum().backward()
        trainer.step(1)

    assert trainer.learning_rate == 0.25
    assert weight.data().asscalar() == -0.25


def test_iterators_yield_what_programs_write_into_their_arrays():
    batches = mx.io.NDArrayIter({"x": np.ones((4, 2))}, {"y": np.zeros((4, 1))}, 2)
    batches.data_list[1][:] = 0.5

    assert [b.label[0].asnumpy().ravel().tolist() for b in batches] == [[0.5, 0.5]] * 2


def test_modules_show_the_arrays_of_their_parameters():
    x = mx.sym.Variable("data", stype="csr")
    w = mx.sym.Variable("w", shape=(3, 1), stype="row_sparse", init=mx.init.Constant(2))
    module = mx.mod.Module(mx.sym.dot(x, w), label_names=None)
    module.bind([("data", (2, 3))])
    module.init_params()

    assert module._arg_params["w"].stype == "row_sparse"
    assert module._arg_params["w"].asnumpy().ravel().tolist() == [2, 2, 2]


def test_modules_show_what_their_executors_read():
    x, y = mx.sym.Variable("data"), mx.sym.Variable("softmax_label")
    module = mx.mod.Module(mx.sym.SoftmaxOutput(x, y, name="softmax"), context=[mx.cpu(0), mx.cpu(1)])
    module.bind([("data", (4, 3))], [("softmax_label", (4,))], inputs_need_grad=True)
    module.init_params()
    batch = mx.io.DataBatch([nd.arange(12).reshape((4, 3))], [nd.zeros(4)])
    module.forward_backward(batch)
    group = module._exec_group

    assert group.contexts == [mx.cpu(0), mx.cpu(1)]
    assert [part for part, _ in group.data_arrays[0]] == [slice(0, 2), slice(2, 4)]
    assert [x.asnumpy()[0].tolist() for _, x in group.data_arrays[0]] == [[0, 1, 2], [6, 7, 8]]
    assert [x.shape for _, x in group.label_arrays[0]] == [(2,), (2,)]
    assert [g.shape for g in group.input_grad_arrays[0]] == [(2, 3), (2, 3)]
    assert module._total_exec_bytes == 0


def test_data_sets_in_folders_can_be_extended(tmp_path):
    from mxcy.gluon.data.dataset import _DownloadedDataset

    class Squares(_DownloadedDataset):
        def _get_data(self):
            self._data, self._label = [0, 1, 4], [0, 1, 2]

    plain, changed = Squares(tmp_path / "a", None), Squares(tmp_path / "a", lambda x, y: (x + 1, -y))

    assert (len(plain), plain[2], changed[2]) == (3, (4, 2), (5, -2))
    assert (tmp_path / "a").is_dir()
    with pytest.raises(NotImplementedError, match="_get_data"):
        _DownloadedDataset(tmp_path, None)


def test_cells_of_programs_format_their_sequences():
    from mxcy.gluon.rnn.rnn_cell import (
        _format_sequence,
        _get_begin_state,
        _mask_sequence_variable_length,
        _reverse_sequences,
    )

    x = nd.arange(6).reshape((2, 3, 1))  # NTC
    steps, axis, F, size = _format_sequence(3, x, "NTC", False)
    turned = _reverse_sequences(steps, 3, nd.array([2, 3]))
    masked = _mask_sequence_variable_length(F, steps, 3, nd.array([2, 3]), axis, True)
    cell = gluon.rnn.RNNCell(4)

    assert (axis, F, size, len(steps)) == (1, nd, 2, 3)
    assert [step.asnumpy().ravel().tolist() for step in turned] == [[1, 5], [0, 4], [2, 3]]
    assert masked.asnumpy().ravel().tolist() == [0, 1, 0, 3, 4, 5]
    assert [s.shape for s in _get_begin_state(cell, F, None, steps, size)] == [(2, 4)]


@pytest.mark.parametrize(("shape", "label"), [((2, 3, 4, 5), (2, 20)), ((2, 3, 4), (2, 4)), ((2, 3), (2, 1))])
def test_labels_of_several_outputs_lie_flat_where_nothing_else_is_said(shape, label):
    output = mx.sym.SoftmaxOutput(mx.sym.Variable("x"), multi_output=True, name="softmax")
    executor = output.simple_bind(mx.cpu(), x=shape)
    executor.forward(is_train=True)
    executor.backward()

    assert executor.arg_dict["softmax_label"].shape == label
    assert executor.grad_dict["x"].shape == shape
    assert output.infer_shape(x=shape, softmax_label=(shape[0], *shape[2:]))[0][1] == (shape[0], *shape[2:])


def test_rows_of_sparse_weights_are_pulled_while_recording():
    class Linear(gluon.Block):
        def __init__(self):
            super().__init__()
            sparse = {"stype": "row_sparse", "grad_stype": "row_sparse"}
            self.weight = self.params.get("weight", shape=(4, 1), **sparse)
            self.bias = self.params.get("bias", shape=(1,))

        def forward(self, x, y):
            both = [nd.sparse.dot(rows, self.weight.row_sparse_data(rows.indices)) for rows in (x, y)]
            return both[0] + 2 * both[1] + self.bias.data()

    net = Linear()
    net.initialize(mx.init.Constant(1))
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1})
    x = nd.array([[1, 2, 0, 0]]).tostype("csr")
    y = nd.array([[0, 0, 3, 0]]).tostype("csr")
    with autograd.record():
        output = net(x, y)
    output.backward()
    trainer.step(1)
    weight = net.weight.row_sparse_data(nd.arange(4))

    assert output.asscalar() == 10
    assert weight.asnumpy().ravel().tolist() == [0, -1, -5, 1]
    assert net.bias.data().asscalar() == 0


def test_summaries_leave_the_shapes_of_several_results_out(capsys):
    x = mx.sym.SliceChannel(mx.sym.Variable("x"), num_outputs=2, name="two")
    mx.viz.print_summary(mx.sym.Group([x, mx.sym.exp(x[0], name="e")]), {"x": (2, 4)})
    rows = {line.split("(")[0]: line.split() for line in capsys.readouterr().out.splitlines() if "(" in line}

    assert rows["two"] == ["two(SliceChannel)", "0", "x"]
    assert rows["e"] == ["e(exp)", "2", "0", "two"]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("last", ["pad", "discard", "roll_over"])
def test_rows_beyond_those_of_the_first_array_are_left_out(shuffle, last):
    data = {"a": np.arange(5.0), "b": np.arange(8.0).reshape(8, 1)}
    batches = mx.io.NDArrayIter(data, {"y": np.arange(6.0)}, 2, shuffle, last_batch_handle=last)
    seen = [(*(x.asnumpy().ravel().tolist() for x in batch.data), batch.label[0].asnumpy().tolist())
            for batch in batches]  # fmt: skip

    assert len(seen) == (3 if last == "pad" else 2)
    assert all(a == b == y for a, b, y in seen)
    with pytest.raises(ValueError, match="got 5 in 'data', 4 in 'softmax_label'"):
        mx.io.NDArrayIter(np.ones(5), np.ones(4), 2)


def test_values_that_a_library_puts_into_a_parameter_are_read():
    """A library of Bayesian networks computes the weights of layers."""
    layer = nn.Dense(1, in_units=2, use_bias=False)
    layer.initialize(ctx=[mx.cpu(0), mx.cpu(2)])
    weight = nd.array([[2, 3]])
    weight.attach_grad()
    places = layer.weight._ctx_map
    with autograd.record():
        layer.weight._data[places[mx.cpu(0).device_typeid & 1][0]] = weight * 2
        result = layer(nd.ones((1, 2)))
    result.backward()

    assert places == [[], [0, None, 1]]
    assert result.asscalar() == 10
    assert weight.grad.asnumpy().tolist() == [[2, 2]]


class Mean(autograd.Function):
    """The mean of two arrays, with a gradient that goes to the first."""

    def forward(self, a, b):
        return (a + b) * 0.5, a

    def backward(self, mean, same):
        return mean * 2, same * 0


def test_hybridised_blocks_use_functions_with_gradients_of_their_own():
    """Outside `record` they are given symbols, as by networks with shaken branches."""

    class Half(nn.HybridBlock):
        def hybrid_forward(self, F, x):
            return Mean()(x, F.square(x))[0]

    x = nd.array([1, 2])
    x.attach_grad()
    block = Half()
    expected = block(x).asnumpy().tolist()
    with autograd.record():
        pair = Mean()(x, x)
        y = block(x)
    y.backward()
    block.hybridize()

    assert block(x).asnumpy().tolist() == expected == [1, 3]
    assert x.grad.asnumpy().tolist() == [2, 2]
    assert type(pair) is type(Mean()(x, x)) is tuple


def test_libraries_build_their_networks_of_the_zoos_convolution():
    layer = gluon.model_zoo.vision.resnet._conv3x3(4, stride=2, in_channels=3)
    layer.initialize()

    assert layer(nd.ones((1, 3, 8, 8))).shape == (1, 4, 4, 4)
    assert layer.bias is None


def test_extents_may_be_numbers_of_numpy():
    """Networks compute their numbers of channels."""
    extents = np.array([4, 3, 2])
    layer = nn.Conv2D(extents[0], extents[1], strides=extents[2], in_channels=extents[2])
    layer.initialize()
    layer.hybridize()

    assert layer(nd.ones((1, 2, 5, 5))).shape == (1, 4, 2, 2)
    assert mx.sym.var("a", shape=(extents[0], -1)).attr_dict() == {"a": {"__shape__": "(4, -1)"}}
    assert mx.sym.var("a", shape=[extents[0], 1]).attr_dict() == {"a": {"__shape__": "[4, 1]"}}
