"""Modules that programs write themselves, out of the parts that MXNet's modules are made of."""

import logging

import numpy as np
import pytest
from module_cases import data, network

import mxcy as mx
from mxcy import nd
from mxcy.base import _as_list
from mxcy.model import BatchEndParam, _multiple_callbacks, _update_params
from mxcy.module.base_module import BaseModule, _check_input_names, _parse_data_desc
from mxcy.module.executor_group import DataParallelExecutorGroup


class OwnModule(BaseModule):
    """Runs on an executor group; updates parameters with an updater."""

    def __init__(self, symbol, context, data_names=("data",), label_names=("softmax_label",), fixed=()):
        super().__init__()
        _check_input_names(symbol, data_names, "data", True)
        _check_input_names(symbol, label_names, "label", False)
        self._symbol, self._context, self._fixed = symbol, _as_list(context), fixed
        self._data_names, self._label_names = data_names, label_names
        self._param_names = [n for n in symbol.list_arguments() if n not in (*data_names, *label_names)]

    def bind(self, data_shapes, label_shapes=None, for_training=True, inputs_need_grad=False, **_):
        shapes = _parse_data_desc(self._data_names, self._label_names, data_shapes, label_shapes)
        self._data_shapes, self._label_shapes = shapes
        self._group = DataParallelExecutorGroup(
            self._symbol, self._context, [1] * len(self._context), *shapes, self._param_names, for_training,
            inputs_need_grad, None, logger=self.logger, fixed_param_names=self._fixed, grad_req="write",
            state_names=None)  # fmt: skip
        self.binded = True
        self.for_training = for_training
        self._args = {n: nd.zeros(x[0].shape) for n, x in zip(self._param_names, self._group.param_arrays)}  # noqa: B905
        self._auxs = {n: nd.zeros(x[0].shape) for n, x in zip(self._group.aux_names, self._group.aux_arrays)}  # noqa: B905

    def init_params(self, initializer=None, **_):
        for name, value in sorted(self._args.items()):
            initializer(mx.init.InitDesc(name), value)
        self._group.set_params(self._args, self._auxs)
        self.params_initialized = True

    def init_optimizer(self, kvstore=None, optimizer="sgd", optimizer_params=(), force_init=False):
        rescale = 1 / self._group.batch_size
        self._updater = mx.optimizer.get_updater(
            mx.optimizer.create(optimizer, rescale_grad=rescale, **dict(optimizer_params)))  # fmt: skip
        self.optimizer_initialized = True

    def forward(self, data_batch, is_train=None):
        self._group.forward(data_batch, is_train)

    def backward(self, out_grads=None):
        self._group.backward(out_grads=out_grads)

    def update(self):
        _update_params(self._group.param_arrays, self._group.grad_arrays, updater=self._updater,
                       num_device=len(self._context), kvstore=None,
                       param_names=self._group.param_names)  # fmt: skip

    def update_metric(self, eval_metric, labels, pre_sliced=False):
        self._group.update_metric(eval_metric, labels, pre_sliced)

    def get_outputs(self, merge_multi_context=True):
        return self._group.get_outputs(merge_multi_context=merge_multi_context)

    def get_params(self):
        self._group.get_params(self._args, self._auxs)
        return self._args, self._auxs

    @property
    def symbol(self):
        return self._symbol


class Numbers(mx.init.Initializer):
    """The same numbers for a parameter in every module."""

    def _init_weight(self, name, array):
        array[:] = np.random.default_rng(array.size).normal(size=array.shape) / 2


@pytest.mark.parametrize("fixed", [(), ("fc1_weight",)])
def test_a_module_out_of_an_executor_group_trains_as_module_does(fixed):
    symbol = network()
    fixed = [n for n in symbol.list_arguments() if n in fixed]
    found = []
    for module in (
        OwnModule(symbol, mx.cpu(), fixed=fixed),
        mx.mod.Module(symbol, fixed_param_names=fixed),
    ):
        module.fit(data(), num_epoch=3, initializer=Numbers(), kvstore=None,
                   optimizer_params={"learning_rate": 0.3})  # fmt: skip
        found.append({n: x.asnumpy() for n, x in module.get_params()[0].items()})

    assert found[0].keys() == found[1].keys()
    for name, value in found[0].items():
        np.testing.assert_allclose(value, found[1][name], rtol=1e-5, atol=1e-7)


def test_an_executor_group_on_two_devices():
    x = mx.sym.Variable("data")
    state = mx.sym.Variable("state", shape=(4, 3))
    weight = mx.sym.Variable("weight", shape=(3,))
    symbol = mx.sym.BatchNorm(mx.sym.broadcast_mul(x + state, weight), name="norm")
    group = DataParallelExecutorGroup(symbol, [mx.cpu(0), mx.cpu(1)], [1, 1], [("data", (8, 3))], None,
                                      ["weight", "norm_gamma", "norm_beta"], True, True, None,
                                      state_names=["state"])  # fmt: skip
    group.set_params({"weight": nd.array([1, 2, 3]), "norm_gamma": nd.ones(3)},
                     {"norm_moving_var": nd.ones(3)})  # fmt: skip
    group.set_states(value=2.0)
    group.forward(mx.io.DataBatch([nd.ones((8, 3))], None), is_train=False)

    assert group.get_output_shapes() == [("norm_output", (8, 3))]
    assert [out.shape for out in group.get_outputs()] == [(8, 3)]
    assert [part.shape for part in group.get_outputs(merge_multi_context=False)[0]] == [(4, 3)] * 2
    np.testing.assert_allclose(group.get_outputs()[0][7].asnumpy(), [3, 6, 9], rtol=1e-2)
    group.backward([nd.ones((8, 3))])
    assert group.get_input_grads()[0].shape == (8, 3)
    assert group.grad_req["weight"] == "write"
    assert group.grad_req.get("state", "null") == "null"
    assert [s.shape for s in group.get_states(merge_multi_context=False)[0]] == [(4, 3)] * 2
    group.param_arrays[0][1][:] = 3
    group.get_params(args := {n: nd.zeros(3, dtype="float64") for n in group.param_names},
                     auxs := {n: nd.zeros(3) for n in group.aux_names})  # fmt: skip
    assert args["weight"].asnumpy().tolist() == [2, 2.5, 3]
    assert set(auxs) == {"norm_moving_mean", "norm_moving_var"}
    group.reshape([("data", (8, 3))], None)
    with pytest.raises(mx.MXNetError, match="wait"):
        group.set_params({"wait": nd.ones(3)}, {})
    group.set_params({"wait": nd.ones(3)}, {}, allow_extra=True)
    with pytest.raises(AssertionError):
        group.set_states()


def test_an_executor_group_for_prediction():
    group = DataParallelExecutorGroup(network(), [mx.cpu()], [1], [("data", (2, 5))], None,
                                      [n for n in network().list_arguments() if "_" in n], False,
                                      False)  # fmt: skip

    assert set(group.grad_req.values()) == {"null"}
    with pytest.raises(AssertionError, match="for_training"):
        group.backward()
    with pytest.raises(AssertionError, match="inputs_need_grad"):
        group.get_input_grads()


def test_what_modules_that_derive_from_module_read():
    seen = []

    class Own(mx.mod.Module):
        def update(self):
            self._params_dirty = True
            _update_params(self._exec_group.param_arrays, self._exec_group.grad_arrays, self._updater,
                           len(self._context), None, self._exec_group.param_names)  # fmt: skip
            seen.append({k: v.shape for k, v in zip(self._output_names, self.get_outputs(), strict=True)})

    module = Own(network())
    for callback in _as_list(lambda param: seen.append(param.nbatch)):
        _multiple_callbacks([callback, callback], BatchEndParam(0, 7, None, None))
    _multiple_callbacks(None, 3)
    module.fit(data(), num_epoch=1)
    module._sync_params_from_devices()

    assert seen[:2] == [7, 7]
    assert set(seen[2]) == {"softmax_output"}
    assert (module._arg_params["fc1_weight"] == module.get_params()[0]["fc1_weight"]).asnumpy().all()
    assert module._exec_group.grad_req["fc1_weight"] == "write"
    assert module._exec_group.aux_names == []


def test_a_metric_without_totals_of_the_epoch_is_logged_before_the_last_callback_resets_it(caplog):
    class Count(mx.metric.EvalMetric):
        def __init__(self):
            super().__init__("count")

        def update(self, labels, preds):
            self.sum_metric += len(labels[0])
            self.num_inst += 1

    caplog.set_level(logging.INFO)
    seen = []
    speed = mx.callback.Speedometer(8, 2)  # logs after the third of three batches

    mx.mod.Module(network()).fit(
        data(), num_epoch=1, eval_metric=Count(),
        batch_end_callback=[speed, lambda param: seen.append(param.eval_metric.get()[1])])  # fmt: skip

    assert seen[:2] == [8, 8]
    assert np.isnan(seen[2])
    assert "Epoch[0] Train-count=8.000000" in [record.getMessage() for record in caplog.records]


def test_groups_with_shared_parameters_have_one_list_of_other_arrays():
    def group(layers, shared=None):
        x = mx.sym.Variable("data")
        for i in range(layers):
            x = mx.sym.FullyConnected(x, num_hidden=3, name=f"fc{i}")
        symbol = mx.sym.SoftmaxOutput(x, name="softmax")
        return DataParallelExecutorGroup(symbol, [mx.cpu(0), mx.cpu(1)], [1, 1], [("data", (8, 3))],
                                         [("softmax_label", (8,))], ["fc0_weight", "fc0_bias"], True, False,
                                         shared)  # fmt: skip

    first = group(1)
    assert [sorted(arrays) for arrays in first.shared_data_arrays] == [["data", "softmax_label"]] * 2
    assert first.shared_data_arrays[1]["data"].shape == (4, 3)
    second = group(2, first)

    assert second.shared_data_arrays is first.shared_data_arrays
    names = ["data", "fc1_bias", "fc1_weight", "softmax_label"]
    assert [sorted(arrays) for arrays in first.shared_data_arrays] == [names] * 2
    assert mx.test_utils.same_array(*[g.execs[0].arg_dict["fc0_weight"] for g in (first, second)])
