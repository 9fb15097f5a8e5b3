"""MXNet's oldest training loop, and the parts of it that programs use by themselves."""

import logging

import numpy as np
import pytest
from module_cases import network

import mxcy as mx
from mxcy import nd

pytestmark = pytest.mark.filterwarnings("ignore:.*FeedForward has been deprecated")


def pictures(count=40):
    values = np.random.default_rng(3).random((count, 5), np.float32)
    return values, values[:, :3].argmax(axis=1).astype("f")


def feed_forward(symbol=None, **options):
    return mx.model.FeedForward(symbol or network(), learning_rate=0.5, numpy_batch_size=10, **options)


def test_an_epoch_is_logged_as_by_mxnet(caplog):
    caplog.set_level(logging.INFO)
    seen = []
    model = feed_forward(num_epoch=1)

    model.fit(*pictures(), eval_data=pictures(), batch_end_callback=lambda p: seen.append(p.nbatch),
              eval_batch_end_callback=lambda p: seen.append(-p.nbatch))  # fmt: skip

    assert seen == [1, 2, 3, 4, 0, -1, -2, -3]
    first, reset, time, value = [record.getMessage() for record in caplog.records]
    assert first == "Start training with [cpu(0)]"
    assert reset == "Epoch[0] Resetting Data Iterator"
    assert time.startswith("Epoch[0] Time cost=")
    assert value.startswith("Epoch[0] Validation-accuracy=0.")
    assert model.ctx == [mx.cpu(0)]


def test_epochs_of_a_given_size_go_on_where_the_last_one_ended(caplog):
    caplog.set_level(logging.INFO)
    data = mx.io.NDArrayIter(np.arange(20.0).reshape(4, 5), np.zeros(4), 1, label_name="softmax_label")
    seen = []

    def look(param):
        row = int(param.locals["data_batch"].data[0][0, 0].asscalar()) // 5
        seen.append((param.epoch, param.nbatch, row))

    feed_forward(num_epoch=3, epoch_size=3).fit(data, batch_end_callback=look)

    rows = [(0, 0), (0, 1), (0, 2), (1, 3), (1, 0), (1, 1), (2, 2), (2, 3), (2, 0)]
    assert seen == [(epoch, i % 3 + 1, row) for i, (epoch, row) in enumerate(rows)]
    resets = [r.getMessage() for r in caplog.records if "Resetting" in r.getMessage()]
    assert resets == ["Epoch[1] Resetting Data Iterator", "Epoch[2] Resetting Data Iterator"]


def test_data_that_do_not_start_again_are_an_error():
    class Once(mx.io.NDArrayIter):
        def reset(self):
            if self.cursor < 0:
                super().reset()

    model = feed_forward(num_epoch=1, epoch_size=5)

    with pytest.raises(ValueError, match="start again after reset"):
        model.fit(Once(np.ones((4, 5)), np.zeros(4), 2, label_name="softmax_label"))


def steps_of(length):
    """A network whose inputs have a name for each step, as in the first examples with buckets."""
    weight, bias = mx.sym.Variable("fc_weight"), mx.sym.Variable("fc_bias")
    steps = [mx.sym.FullyConnected(mx.sym.Variable(f"t{i}"), weight, bias, num_hidden=4)
             for i in range(length)]  # fmt: skip
    out = mx.sym.FullyConnected(mx.sym.add_n(*steps), num_hidden=2, name="out")
    return mx.sym.SoftmaxOutput(out, mx.sym.Variable("label"), name="softmax")


class Steps(mx.io.DataIter):
    """Batches of sequences of two lengths; the labels say whether their sum is positive."""

    default_bucket_key = 4

    def __init__(self):
        super().__init__(6)
        self.reset()

    def shapes(self, length):
        return [(f"t{i}", (6, 3)) for i in range(length)]

    @property
    def provide_data(self):
        return self.shapes(self.default_bucket_key)

    provide_label = [("label", (6,))]

    def reset(self):
        self.lengths = iter([4, 2, 4, 2, 2, 4])
        self.draws = np.random.default_rng(1)

    def next(self):
        length = next(self.lengths)
        values = self.draws.normal(size=(length, 6, 3)).astype("f")
        label = nd.array(values.sum(axis=(0, 2)) > 0)
        data = [nd.array(x) for x in values]
        return mx.io.DataBatch(data, [label], pad=0, bucket_key=length,
                               provide_data=self.shapes(length),
                               provide_label=self.provide_label)  # fmt: skip


@pytest.mark.parametrize("ctx", [None, [mx.cpu(0), mx.cpu(1)]])
def test_a_function_of_the_bucket_makes_the_networks(ctx):
    values = []
    mx.random.seed(2)
    model = feed_forward(steps_of, num_epoch=15, ctx=ctx, initializer=mx.init.Xavier())

    model.fit(Steps(), epoch_end_callback=lambda *_: values.append(measure.get()[1]),
              eval_metric=(measure := mx.metric.create("acc")))  # fmt: skip

    assert values[0] < 0.8 < 0.9 < values[-1]
    assert sorted(model.arg_params) == ["fc_bias", "fc_weight", "out_bias", "out_weight"]


@pytest.mark.parametrize("devices", [1, 2])
def test_a_written_out_loop_with_the_executor_manager(devices):
    values, labels = pictures()
    data = mx.io.NDArrayIter(values, labels, 10, label_name="softmax_label")
    symbol = network()
    ctx = [mx.cpu(i) for i in range(devices)]
    shapes, _, _ = symbol.infer_shape(data=(10, 5))
    inputs = ("data", "softmax_label")
    names = symbol.list_arguments()
    params = {n: nd.array(np.random.default_rng(0).normal(size=s) / 3)
              for n, s in zip(names, shapes, strict=True) if n not in inputs}  # fmt: skip
    begin = {n: x.copy() for n, x in params.items()}
    manager = mx.executor_manager.DataParallelExecutorManager(
        symbol=symbol, ctx=ctx, train_data=data, arg_names=names, param_names=list(params),
        aux_names=[], work_load_list=[1] * devices)  # fmt: skip
    manager.set_params(params, {})
    updater = mx.optimizer.get_updater(mx.optimizer.SGD(learning_rate=0.5, rescale_grad=0.1))
    measure = mx.metric.create("ce")
    found = []
    for _ in range(20):
        data.reset()
        measure.reset()
        for batch in data:
            manager.load_data_batch(batch)
            manager.forward(is_train=True)
            manager.backward()
            mx.model._update_params(manager.param_arrays, manager.grad_arrays, updater, devices,
                                    kvstore=None)  # fmt: skip
            manager.update_metric(measure, batch.label)
        found.append(measure.get()[1])
    manager.copy_to(params, {})

    assert found[-1] < 0.9 * found[0]
    assert [len(copies) for copies in manager.param_arrays] == [devices] * len(params)
    assert manager.aux_arrays == []
    assert all((params[n] != begin[n]).sum().asscalar() > 0 for n in params)


def test_the_executor_manager_trains_what_is_named():
    data = mx.io.NDArrayIter(*pictures(), 10, label_name="softmax_label")
    symbol = network()
    names = [n for n in symbol.list_arguments() if n.endswith("weight")]
    manager = mx.model.DataParallelExecutorManager(symbol, mx.cpu(), data, symbol.list_arguments(), names, [])

    trained = [gradients[0] is not None for gradients in manager.grad_arrays]
    assert trained == [n in names for n in symbol.list_arguments() if n not in ("data", "softmax_label")]
    with pytest.raises(AssertionError, match="load_data_batch"):
        manager.forward()
    with pytest.raises(AssertionError, match="work_load_list"):
        mx.model.DataParallelExecutorManager(symbol, mx.cpu(), data, work_load_list=3)
