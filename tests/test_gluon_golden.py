"""Gluon programs train as under the real MXNet 1.9.1 (tests/golden/make_gluon.py)."""

import json
from pathlib import Path

import gluon_programs
import numpy as np
import pytest

import mxcy as mx

GOLDEN = json.loads((Path(__file__).parent / "golden" / "gluon.json").read_text())


def close(found, expected, rtol=1e-4):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=3e-5)


@pytest.mark.parametrize("hybridize", [False, True], ids=["eager", "hybrid"])
@pytest.mark.parametrize("program", gluon_programs.PROGRAMS, ids=lambda p: p.__name__)
def test_twenty_steps_are_mxnets(program, hybridize):
    expected = GOLDEN[program.__name__]
    shapes, losses, sums = gluon_programs.train(mx, program, hybridize=hybridize)

    assert shapes == expected["shapes"]
    close(losses, expected["losses"])
    for name, value in expected["sums"].items():
        np.testing.assert_allclose(sums[name], value, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("program", gluon_programs.PROGRAMS, ids=lambda p: p.__name__)
def test_networks_describe_themselves_as_in_mxnet(program):
    assert repr(program(mx)[0]) == GOLDEN[program.__name__]["repr"]


@pytest.mark.parametrize("kvstore", ["device", "local"])
def test_two_devices_train_what_one_does(kvstore):
    _, losses, _ = gluon_programs.train(mx, gluon_programs.perceptron, devices=2)

    close(losses, GOLDEN["perceptron"]["losses"])
