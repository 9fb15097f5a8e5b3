"""Modules on several devices: parts of batches, stores, and the same training as on one."""

import numpy as np
import pytest
from module_cases import data, network

import mxcy as mx
from mxcy import nd
from mxcy.io import DataBatch, DataDesc

START = {
    "fc1_weight": np.linspace(-1, 1, 40).reshape(8, 5),
    "fc1_bias": np.zeros(8),
    "fc2_weight": np.linspace(1, -1, 24).reshape(3, 8),
    "fc2_bias": np.zeros(3),
}


def module_on(devices, **options):
    module = mx.mod.Module(network(), context=[mx.cpu(i) for i in range(devices)], **options)
    module.bind(data().provide_data, data().provide_label)
    module.init_params(arg_params={name: nd.array(value) for name, value in START.items()})
    return module


def trained(module, kvstore, steps=2, optimizer="sgd", **options):
    params = {"learning_rate": 0.5} | options
    module.init_optimizer(kvstore=kvstore, optimizer=optimizer, optimizer_params=params)
    for _ in range(steps):
        for batch in data():
            module.forward_backward(batch)
            module.update()
    return {name: value.asnumpy() for name, value in module.get_params()[0].items()}


@pytest.mark.parametrize("kvstore", ["local", "device", None])
@pytest.mark.parametrize("options", [{"momentum": 0.9}, {"optimizer": "adam", "learning_rate": 0.01}])
@pytest.mark.parametrize("devices", [2, 3])
def test_several_devices_learn_what_one_learns(devices, kvstore, options):
    store = mx.kv.create("device") if kvstore is None else kvstore
    one = trained(module_on(1), None, **options)
    several = trained(module_on(devices), store, **options)

    for name, value in one.items():
        np.testing.assert_allclose(several[name], value, rtol=1e-4, atol=1e-5)


def test_updates_on_devices_are_those_of_the_store(monkeypatch):
    on_store = trained(module_on(2), "device", momentum=0.9)
    monkeypatch.setenv("MXNET_UPDATE_ON_KVSTORE", "0")
    module = module_on(2)
    on_devices = trained(module, "device", momentum=0.9)

    assert module._updater is not None
    assert len(module._updater.states) == 8
    for name, value in on_store.items():
        np.testing.assert_allclose(on_devices[name], value, rtol=1e-5, atol=1e-6)


def test_batches_are_split_by_work_and_outputs_merged():
    module = module_on(2, work_load_list=[3, 1])
    batch = next(data())
    module.forward(batch, is_train=False)
    outputs = module.get_outputs(merge_multi_context=False)
    single = module_on(1)
    single.forward(batch, is_train=False)

    assert [[x.shape for x in parts] for parts in outputs] == [[(6, 3), (2, 3)]]
    assert module.output_shapes == [("softmax_output", (8, 3))]
    merged, whole = [m.get_outputs()[0].asnumpy() for m in (module, single)]
    np.testing.assert_allclose(merged, whole, rtol=1e-5)


def test_batches_of_other_sizes_and_metrics():
    module = module_on(2)
    batch = DataBatch([nd.ones((4, 5))], [nd.zeros(4)])
    module.forward(batch, is_train=False)

    assert module.get_outputs()[0].shape == (4, 3)
    assert module.data_shapes == [DataDesc("data", (4, 5))]
    measure = mx.metric.create("acc")
    module.update_metric(measure, batch.label)

    assert measure.num_inst == 4
    found = module.score(data(), "acc")

    assert found[0][1] == module_on(1).score(data(), "acc")[0][1]
    assert module.predict(data()).shape == (20, 3)


def test_gradients_of_data_and_of_outputs_are_split():
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, no_bias=True, name="fc")
    found = []
    for devices in (1, 2):
        module = mx.mod.Module(net, label_names=None, context=[mx.cpu(i) for i in range(devices)])
        module.bind([("data", (4, 3))], inputs_need_grad=True)
        module.init_params(mx.init.One())
        module.forward(DataBatch([nd.ones((4, 3))]), is_train=True)
        module.backward([nd.arange(8).reshape((4, 2))])
        found.append(module.get_input_grads()[0].asnumpy())

    np.testing.assert_array_equal(found[0], found[1])


def test_optimizer_states_of_a_store_are_in_checkpoints(tmp_path):
    module = module_on(2)
    trained(module, "device", momentum=0.9)
    module.save_checkpoint(str(tmp_path / "net"), 1, save_optimizer_states=True)
    loaded = mx.mod.Module.load(str(tmp_path / "net"), 1, True, context=[mx.cpu(0), mx.cpu(1)])
    loaded.bind(data().provide_data, data().provide_label)
    again, before = trained(loaded, "device", momentum=0.9), trained(module, "device", momentum=0.9)

    for name, value in before.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-5, atol=1e-6)


def test_group2ctxs_and_shares_have_an_entry_for_each_device():
    devices = [mx.cpu(0), mx.cpu(1)]
    for given in ([{"a": mx.cpu(2)}, {"a": mx.cpu(3)}], {"a": [mx.cpu(2), mx.cpu(3)]}):
        module = mx.mod.Module(network(), context=devices, group2ctxs=given)

        assert module._group2ctxs == [{"a": mx.cpu(2)}, {"a": mx.cpu(3)}]
    with pytest.raises(AssertionError, match="one for each device"):
        mx.mod.Module(network(), context=devices, group2ctxs=[{}])
    with pytest.raises(AssertionError, match="one for each device"):
        mx.mod.Module(network(), context=devices, work_load_list=[1])
    with pytest.raises(ValueError, match="for 2 devices"):
        mx.mod.Module(network(), context=devices).bind([("data", (1, 5))], [("softmax_label", (1,))])


def test_compression_reaches_the_store():
    module = module_on(2, compression_params={"type": "2bit", "threshold": 0.5})
    trained(module, "device", steps=1)

    assert module._kvstore._compression.threshold == 0.5
