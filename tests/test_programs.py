"""Programs written for MXNet 1.9.1 run with the import changed (tests/golden/make_programs.py).

They start from the same saved parameters, and their losses are MXNet's for 20 steps. What MXNet has saved is
read here; with MXCY_TEST_FULL=1 the real one runs them again and reads what was saved here.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mxcy as mx

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "tests" / "programs"
SAVED = ROOT / "tests" / "golden" / "programs"
PEER = ROOT / ".peers" / "mxnet" / "bin" / "python"
GOLDEN = json.loads((SAVED / "programs.json").read_text())
pytestmark = [
    pytest.mark.filterwarnings("ignore:learning rate from"),
    pytest.mark.filterwarnings("ignore:.*FeedForward has been deprecated"),
]
NAMES = sorted(path.stem for path in PROGRAMS.glob("*_*.py"))


def program(name):
    """The functions of a program, whose import is changed."""
    text = (PROGRAMS / f"{name}.py").read_text()
    assert text.count("import mxnet as mx") == 1
    text = text.replace("import mxnet as mx", "import mxcy as mx").replace("from mxnet", "from mxcy")
    functions = {"__name__": name}
    sys.path.insert(0, str(PROGRAMS))
    try:
        exec(compile(text, f"{name}.py", "exec"), functions)
    finally:
        sys.path.remove(str(PROGRAMS))
    return functions


def close(found, expected):
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=1e-4)
    np.testing.assert_allclose(found["outputs"], expected["outputs"], rtol=1e-3, atol=1e-4)


@pytest.fixture
def folder(tmp_path, request):
    """A folder with the parameters to start from."""
    for path in (SAVED / request.getfixturevalue("name")).glob("start*"):
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def names():
    """Names of layers that are numbered start from 0, as in a new process."""
    with mx.name.NameManager():
        yield


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_mxnets(name, folder):
    found = program(name)["run"](str(folder))

    assert len(found["losses"]) == 20
    close(found, GOLDEN[name])


@pytest.mark.parametrize("name", NAMES)
def test_what_mxnet_has_saved_is_read(name):
    found = program(name)["read"](str(SAVED / name))

    np.testing.assert_allclose(found["outputs"], GOLDEN[name]["outputs"], rtol=1e-4, atol=1e-5)


def test_the_table_has_all_programs():
    text = (ROOT / "docs" / "programs.md").read_text()

    assert all(f"| `{name}` |" in text for name in NAMES) and len(NAMES) == 10


def test_optimizer_states_of_mxnet_are_read():
    mod = mx.mod.Module.load(str(SAVED / "module_perceptron" / "model"), 1, load_optimizer_states=True)
    mod.bind([("data", (8, 36))], [("softmax_label", (8,))])
    mod.init_optimizer(optimizer="sgd", optimizer_params={"momentum": 0.9})
    momenta = mod._updater.states
    assert len(momenta) == 4 and all(np.abs(m.asnumpy()).max() > 0 for m in momenta.values())

    net = program("gluon_perceptron")["Net"](prefix="net_")
    net.load_parameters(str(SAVED / "gluon_perceptron" / "model.params"))
    trainer = mx.gluon.Trainer(net.collect_params(), "nag", {"momentum": 0.8})
    trainer.load_states(str(SAVED / "gluon_perceptron" / "model.states"))
    momenta = trainer._updaters[0].states
    assert len(momenta) == 6 and all(np.abs(m.asnumpy()).max() > 0 for m in momenta.values())


def ask(name, action, folder):
    """What a program prints under the real MXNet."""
    command = [PEER, "-W", "ignore", PROGRAMS / f"{name}.py", action, folder]
    environment = os.environ | {"OMP_NUM_THREADS": "2", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.full
@pytest.mark.skipif(not PEER.is_file(), reason="needs MXNet 1.9.1 in .peers/mxnet")
@pytest.mark.parametrize("name", NAMES)
def test_the_real_one_agrees_and_reads_what_was_saved_here(name, folder, tmp_path):
    theirs = tmp_path / "theirs"
    shutil.copytree(folder, theirs, ignore=shutil.ignore_patterns("theirs"))
    found = program(name)["run"](str(folder))

    close(found, ask(name, "run", theirs))
    read = ask(name, "read", folder)["outputs"]
    np.testing.assert_allclose(read, found["outputs"], rtol=1e-4, atol=1e-5)
