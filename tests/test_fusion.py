"""Pending pointwise operations run in one pass, and nobody can tell by the results."""

import json
import operator
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fusion_cases import Held, joined

import mxcy as mx
from mxcy import _engine
from mxcy.errors import MXNetError

CASES = Path(__file__).with_name("fusion_cases.py")
threaded = pytest.mark.skipif(_engine.engine() == "serial", reason="the serial twin runs each at its call")


@pytest.fixture
def events():
    found = []
    _engine.set_hook(found.extend)
    yield found
    _engine.set_hook(None)


def outcomes(count, **environment):
    env = {
        **os.environ,
        "MXCY_ENGINE": "threaded",
        "PYTHONPATH": os.fspath(CASES.parent.parent),
        **environment,
    }
    done = subprocess.run(
        [sys.executable, CASES, "0", str(count)], env=env, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_random_programs_give_the_same_bits_fused_unfused_and_serial(promised):
    count = promised(250, 20_000)
    settings = [{}, {"MXCY_NUM_THREADS": "4"}, {"MXCY_FUSION": "0"}, {"MXCY_ENGINE": "serial"}]
    with ThreadPoolExecutor(2) as pool:
        fused, four, unfused, serial = pool.map(lambda env: outcomes(count, **env), settings)

    assert fused["joined"] > count and unfused["joined"] == 0
    for seed, expected in enumerate(unfused["outcomes"]):
        assert fused["outcomes"][seed] == expected, f"seed {seed}"
        assert four["outcomes"][seed] == expected, f"seed {seed}, four threads"
        if seed % 4:  # the others raise at the call in the twin
            assert serial["outcomes"][seed]["slots"] == expected["slots"], f"seed {seed}, serial"


@threaded
def test_chain_runs_in_one_pass_and_keeps_only_what_is_reachable(events):
    x = mx.nd.array(np.arange(1_000_000) % 97)
    mx.nd.waitall()
    _engine._pool(trim=True)
    before = _engine._pool()["held"]
    held = Held([x])
    y = x
    for _ in range(5):
        y = mx.nd.sqrt(y + 1.0)
    events.clear()
    held.release()
    mx.nd.waitall()

    expected = np.arange(1_000_000, dtype=np.float32) % 97
    for _ in range(5):
        expected = np.sqrt(expected + np.float32(1))
    assert np.array_equal(y.asnumpy(), expected)
    assert joined(events) == 9
    usage = _engine._pool()
    assert usage["held"] + usage["cached"] - before < 2 * x.size * 4


@threaded
def test_branches_join_with_what_is_ready(events):
    x, y = mx.nd.array(np.linspace(0, 1, 300_000)), mx.nd.array(np.linspace(1, 3, 300_000))
    held = Held([x, y])
    z = (x * x + 1.0) * mx.nd.tanh(y)
    events.clear()
    held.release()
    mx.nd.waitall()

    assert joined(events) >= 2
    a, b = x.asnumpy(), y.asnumpy()
    assert np.array_equal(z.asnumpy(), (a * a + np.float32(1)) * np.tanh(b))


@threaded
def test_error_stays_with_its_operation_in_a_pass():
    x = mx.nd.array(np.arange(100_000) - 5.0)
    held = Held([x])
    with np.errstate(all="ignore"):
        first = x * 2.0
    with np.errstate(invalid="raise"):
        second = mx.nd.sqrt(first)
    with np.errstate(all="ignore"):
        third = second + first
        fourth = first + 1.0
    held.release()

    assert np.array_equal(fourth.asnumpy(), x.asnumpy() * 2 + 1)
    for failed in (second, third):
        with pytest.raises(MXNetError, match="invalid value encountered") as caught:
            failed.asnumpy()
        assert any("sqrt" in note for note in caught.value.__notes__)
    with pytest.raises(FloatingPointError):
        third.wait_to_read()


@threaded
def test_flags_of_a_pass_are_told_operation_by_operation():
    x = mx.nd.array(np.zeros(100_000))
    held = Held([x])
    with np.errstate(divide="warn", invalid="ignore"):
        one = 1.0 / x
    with np.errstate(all="ignore"):
        two = one - one
    held.release()

    with pytest.warns(RuntimeWarning, match="divide by zero"):
        one.wait_to_read()
    assert np.isnan(two.asnumpy()).all()


@threaded
def test_reader_in_between_sees_the_value_before():
    x = mx.nd.array(np.ones(200_000))
    held = Held([x])
    y = x + 1.0
    before = y.copy()
    y *= 3.0
    part = y[:100_000]
    part += 1.0
    held.release()

    assert (before.asnumpy() == 2).all()
    assert (y.asnumpy() == np.repeat([7, 6], 100_000)).all()


IN_PLACE = {operator.add: operator.iadd, operator.sub: operator.isub, operator.mul: operator.imul}


@pytest.mark.parametrize("seed", range(40))
def test_operators_on_pending_arrays_are_numpys(seed):
    """Broadcast, strided, large and small operands; results kept, dropped or overwritten."""
    rng = random.Random(seed)
    rows, columns = rng.choice([(3, 4), (200, 300), (1, 50_000), (500, 8)])
    numbers = np.random.default_rng(seed)
    plain = [numbers.random(shape, np.float32) for shape in [(rows, columns)] * 3 + [(columns,), (rows, 1)]]
    ours = [mx.nd.array(x) for x in plain]
    held = Held(ours)
    for _ in range(20):
        function, i, j, k = rng.choice(list(IN_PLACE)), rng.randrange(3), rng.randrange(5), rng.randrange(3)
        number = rng.choice([None, None, 0.5, np.float32(1.5)])
        x, y = ours[i], ours[j] if number is None else number
        a, b = plain[i], plain[j] if number is None else np.float32(number)
        if rng.random() < 0.3:
            in_place = IN_PLACE[function]
            ours[i], plain[i] = in_place(x, y), in_place(a.copy(), b)
        elif rng.random() < 0.2:
            ours[k], plain[k] = function(x[:, ::-1], x), function(a[:, ::-1], a)
        else:
            ours[k], plain[k] = function(x, y), function(a, b)
    held.release()

    for x, a in zip(ours, plain, strict=True):
        np.testing.assert_array_equal(x.asnumpy(), a)
