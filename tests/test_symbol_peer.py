"""Files, shapes, values and gradients against the real MXNet 1.9.1, where it is installed."""

import json
import os
import random
import subprocess
from pathlib import Path

import numpy as np
import pytest

import mxcy as mx

sym = mx.sym
PEER = Path(__file__).parent.parent / ".peers" / "mxnet" / "bin" / "python"

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not PEER.exists(), reason="benchmarks/peers/setup.sh has not installed MXNet"),
]

# Runs in MXNet's own environment: loads every graph, binds it, writes what it finds.
PROGRAM = """
import json, sys
import mxnet as mx
import numpy as np
folder = sys.argv[1]
found = {}
for name, text in json.load(open(folder + "/graphs.json")).items():
    net = mx.sym.load_json(text)
    values = {key: mx.nd.array(value) for key, value in np.load(folder + "/" + name + ".npz").items()}
    executor = net.simple_bind(mx.cpu(), **{key: value.shape for key, value in values.items()})
    outputs = executor.forward(is_train=True, **values)
    executor.backward([mx.nd.ones(out.shape) for out in outputs])
    found[name] = {
        "json": net.tojson(),
        "arguments": net.list_arguments(),
        "outputs": net.list_outputs(),
        "shapes": net.infer_shape(**{key: value.shape for key, value in values.items()}),
        "values": [out.asnumpy().tolist() for out in outputs],
        "gradients": {key: grad.asnumpy().tolist() for key, grad in executor.grad_dict.items()},
    }
json.dump(found, open(folder + "/found.json", "w"))
"""


def step(rng, made):
    """One more node over arrays of shape (4, 6)."""
    a, b = rng.choice(made), rng.choice(made)
    kind = rng.randrange(12)
    if kind == 0:
        return [getattr(sym, rng.choice(["sigmoid", "tanh", "relu", "sin", "arctan", "erf", "softsign"]))(a)]
    if kind == 1:
        return [sym.Activation(a, act_type=rng.choice(["relu", "sigmoid", "tanh", "softrelu", "softsign"]))]
    if kind == 2:
        return [sym.FullyConnected(a, num_hidden=6, no_bias=rng.random() < 0.5)]
    if kind == 3:
        return list(sym.SliceChannel(sym.Concat(a, b, dim=1), num_outputs=2, axis=1))
    if kind == 4:
        return [sym.softmax(a, axis=rng.choice([-1, 0]))]
    if kind == 5:
        return [sym.broadcast_mul(a, sym.mean(b, axis=rng.choice([0, 1]), keepdims=True))]
    if kind == 6:
        return [sym.transpose(sym.reshape(sym.transpose(a), shape=(6, 4)))]
    if kind == 7:
        sums = sym.dot(a, b, transpose_b=True).sum(axis=1, keepdims=True)
        return [sym.broadcast_add(sums * 0.1, a)]
    if kind == 8:
        return [a * round(rng.uniform(-2, 2), 3) - round(rng.uniform(-2, 2), 3)]
    if kind == 9:
        return [sym.LeakyReLU(a, act_type="elu", slope=0.3)]
    return [
        rng.choice(
            [lambda: a + b, lambda: a - b, lambda: a * b, lambda: sym.maximum(a, b), lambda: 1.5 - a]
        )()
    ]


def network(seed):
    """A random graph and values for the arguments whose shape does not follow."""
    rng = random.Random(seed)
    made = [sym.Variable(f"x{i}") for i in range(3)]
    with mx.name.NameManager():
        for _ in range(rng.randrange(2, 14)):
            made += step(rng, made)
        heads = rng.sample(made[3:], min(2, len(made) - 3))
    net = sym.Group(heads)
    known = dict.fromkeys((n for n in net.list_arguments() if n[0] == "x"), (4, 6))
    shapes, _, _ = net.infer_shape(**known)
    draw = np.random.default_rng(seed)
    values = {
        n: draw.normal(size=s).astype(np.float32) for n, s in zip(net.list_arguments(), shapes, strict=True)
    }
    return net, values


def test_mxnet_agrees(tmp_path):
    nets = {f"net{seed}": network(seed) for seed in range(150)}
    (tmp_path / "graphs.json").write_text(json.dumps({name: net.tojson() for name, (net, _) in nets.items()}))
    for name, (_, values) in nets.items():
        np.savez(tmp_path / f"{name}.npz", **values)
    environment = {"PATH": os.environ.get("PATH", ""), "MXNET_SUBGRAPH_VERBOSE": "0"}
    command = [PEER, "-W", "ignore", "-c", PROGRAM, tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr

    for name, found in json.loads((tmp_path / "found.json").read_text()).items():
        net, values = nets[name]
        assert found["json"] == net.tojson(), name
        assert sym.load_json(found["json"]).tojson() == net.tojson(), name
        assert found["arguments"] == net.list_arguments()
        assert found["outputs"] == net.list_outputs()
        known = {key: value.shape for key, value in values.items()}
        assert found["shapes"] == json.loads(json.dumps(net.infer_shape(**known)))
        executor = net.simple_bind(mx.cpu(), **known)
        outputs = executor.forward(is_train=True, **values)
        executor.backward([mx.nd.ones(out.shape) for out in outputs])
        for ours, theirs in zip(outputs, found["values"], strict=True):
            np.testing.assert_allclose(ours.asnumpy(), theirs, rtol=1e-4, atol=1e-5, err_msg=name)
        for key, theirs in found["gradients"].items():
            scale = 1e-4 * (1 + np.abs(theirs).max())
            np.testing.assert_allclose(
                executor.grad_dict[key].asnumpy(), theirs, rtol=1e-3, atol=scale, err_msg=name
            )
