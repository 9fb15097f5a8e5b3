"""Twenty steps of every optimizer against the real MXNet 1.9.1 (tests/golden/make_optimizers.py)."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from mxcy import lr_scheduler, nd, optimizer

GOLDEN = Path(__file__).parent / "golden"
CASES = json.loads((GOLDEN / "trajectories.json").read_text())
WEIGHTS = np.load(GOLDEN / "trajectories.npz")
NAMES = {0: "fc_weight", 1: "fc_bias", 2: "bn_gamma"}


def start(name, dtype, steps):
    """The weights and the gradients of every step, as the script draws them."""
    rs = np.random.RandomState(11)
    shapes = [(3, 2)] * 3 if name == "groupadagrad" else [(3, 2), (4,), (2,)]
    weights = [rs.randn(*s).astype(dtype) for s in shapes]
    return weights, [[(rs.randn(*s) * 2).astype(dtype) for s in shapes] for _ in range(steps)]


def numbered(factors):
    return {int(key) if key.isdigit() else key: value for key, value in factors.items()}


def made(name, attrs):
    """The optimizer of a case, and the dtype of its weights."""
    attrs = dict(attrs)
    dtype = attrs.pop("dtype", "float32")
    mults = attrs.pop("mults", None)
    scheduler = attrs.pop("scheduler", None)
    if scheduler:
        attrs["lr_scheduler"] = getattr(lr_scheduler, scheduler[0])(base_lr=0.1, **scheduler[1])
    elif name != "adadelta":
        attrs["learning_rate"] = 0.1
    result = optimizer.create(name, param_idx2name=NAMES, **attrs)
    if mults:
        result.set_lr_mult(numbered(mults[0]))
        result.set_wd_mult(numbered(mults[1]))
    return result, dtype


@pytest.mark.parametrize("i", range(len(CASES)), ids=lambda i: f"{CASES[i][0]}-{CASES[i][1]}")
def test_twenty_steps_are_mxnets(i):
    name, attrs = CASES[i]
    opt, dtype = made(name, attrs)
    updater = optimizer.get_updater(opt)
    expected = WEIGHTS[str(i)]
    values, grads = start(name, dtype, len(expected))
    weights = [nd.array(w, dtype=dtype) for w in values]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for step, after in zip(grads, expected, strict=True):
            updater([0, 1, 2], [nd.array(g, dtype=dtype) for g in step], weights)
            found = np.concatenate([w.asnumpy().ravel() for w in weights])
            tolerance = 2e-3 if dtype == "float16" else 2e-5
            np.testing.assert_allclose(found, after, rtol=tolerance, atol=tolerance)


def test_every_optimizer_has_a_trajectory():
    covered = {name for name, _ in CASES}

    # SGLD draws random numbers; AdamW is not in MXNet 1.9.1; names with _ are parts of modules in `contrib`.
    registered = {name for name in optimizer.Optimizer.opt_registry if not name.startswith("_")}
    assert registered - covered == {"sgld", "adamw"}
