"""Checkpoints: files that are MXNet's, and training that goes on from them."""

import os
import subprocess
import sys

import numpy as np
import pytest
from module_cases import GOLDEN, bound_module, data, network

import mxcy as mx
from mxcy import nd


@pytest.fixture
def bound():
    return bound_module()


def test_checkpoint_files_are_mxnets_byte_for_byte(tmp_path):
    symbol, args, auxs = mx.model.load_checkpoint(str(GOLDEN / "mlp"), 1)
    mx.model.save_checkpoint(str(tmp_path / "mlp"), 1, symbol, args, auxs)
    module = mx.mod.Module.load(str(GOLDEN / "mlp"), 1)
    module.bind([("data", (4, 5))], [("softmax_label", (4,))])
    module.save_checkpoint(str(tmp_path / "module"), 1)

    for name in ("mlp", "module"):
        for end in ("symbol.json", "0001.params"):
            assert (tmp_path / f"{name}-{end}").read_bytes() == (GOLDEN / f"mlp-{end}").read_bytes()


def test_training_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(tmp_path):
    prefix, options = str(tmp_path / "m"), {"learning_rate": 0.1, "momentum": 0.9}

    def step(module, batches):
        for batch in batches:
            module.forward_backward(batch)
            module.update()

    first = mx.mod.Module(network())
    first.bind(data().provide_data, data().provide_label)
    first.init_params(mx.init.Xavier())
    first.init_optimizer(optimizer_params=options)
    step(first, data())
    first.save_checkpoint(prefix, 3, save_optimizer_states=True)

    second = mx.mod.Module.load(prefix, 3, load_optimizer_states=True)
    assert second.params_initialized
    second.bind(data().provide_data, data().provide_label)
    second.init_optimizer(optimizer_params=options)
    for module in (first, second):
        step(module, data())

    for name, value in first.get_params()[0].items():
        assert (second.get_params()[0][name].asnumpy() == value.asnumpy()).all()

    first.save_optimizer_states(prefix)
    second.load_optimizer_states(prefix)
    with pytest.raises(OSError) as caught:
        second.load_optimizer_states(prefix + "-none")
    assert isinstance(caught.value, mx.MXNetError)


def test_a_new_process_predicts_the_same(bound, tmp_path):
    prefix = str(tmp_path / "m")
    bound.save_checkpoint(prefix, 1)
    values = nd.array(np.random.default_rng(0).random((8, 5)))
    nd.save(str(tmp_path / "x"), values)
    code = (
        "import sys, mxcy as mx\n"
        "prefix, x, out = sys.argv[1:]\n"
        "module = mx.mod.Module.load(prefix, 1)\n"
        "module.bind([('data', (8, 5))], for_training=False)\n"
        "mx.nd.save(out, module.predict(mx.nd.load(x)[0]))\n"
    )
    command = [sys.executable, "-c", code, prefix, str(tmp_path / "x"), str(tmp_path / "y")]
    environment = os.environ | {"PYTHONPATH": str(GOLDEN.parent.parent)}
    subprocess.run(command, check=True, env=environment, timeout=120)

    assert (nd.load(str(tmp_path / "y"))[0].asnumpy() == bound.predict(values).asnumpy()).all()


def test_parameters_in_a_file(bound, tmp_path):
    path = str(tmp_path / "p")
    bound.save_params(path)
    before = bound.get_params()[0]
    bound.init_params(mx.init.One(), force_init=True)
    bound.load_params(path)

    for name, value in before.items():
        assert (bound.get_params()[0][name].asnumpy() == value.asnumpy()).all()


@pytest.mark.parametrize("content", [{"foo": nd.ones(3)}, {"arg:": nd.ones(3)}, [nd.ones(2)]])
def test_files_that_are_no_checkpoints_are_refused(bound, tmp_path, content):
    nd.save(str(tmp_path / "m-0001.params"), content)
    with pytest.raises(ValueError, match="expected names that begin with 'arg:' or 'aux:'") as caught:
        mx.model.load_params(str(tmp_path / "m"), 1)
    assert isinstance(caught.value, mx.MXNetError)
    with pytest.raises(ValueError):
        bound.load_params(str(tmp_path / "m-0001.params"))


def test_checkpoints_that_are_not_there_or_empty(tmp_path, caplog):
    with pytest.raises(FileNotFoundError) as caught:
        mx.mod.Module.load(str(tmp_path / "m"), 1)
    assert isinstance(caught.value, mx.MXNetError)

    nd.save(str(tmp_path / "m-0001.params"), [])

    assert mx.model.load_params(str(tmp_path / "m"), 1) == ({}, {})
    assert "is empty" in caplog.text
