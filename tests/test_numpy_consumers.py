"""Real libraries on arrays of mxcy.numpy, and programs in which only the import is another."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as onp
import pytest

import mxcy.numpy as np

ROOT = Path(__file__).resolve().parent.parent


def test_libraries_give_what_they_give_on_numpy():
    script = ROOT / "tests" / "numpy_consumers.py"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert len(found) > 55
    assert {name: text for name, text in found.items() if text} == {}


@pytest.mark.parametrize(
    ("name", "sizes", "exact"),
    [("nbody", (40, 10), False), ("reaction", (48, 30), True), ("kmeans", (2000, 5, 10), False)],
)
def test_programs_give_what_they_give_on_numpy(name, sizes, exact, tmp_path):
    path = ROOT / "examples" / "numpy" / f"{name}.py"
    other = tmp_path / path.name
    other.write_text(path.read_text().replace("import mxcy.numpy as np", "import numpy as np"))

    ours = runpy.run_path(str(path))["main"](*sizes)
    theirs = runpy.run_path(str(other))["main"](*sizes)

    for mine, its in zip(ours, theirs, strict=True):
        assert isinstance(mine, np.ndarray) or isinstance(its, float)
        if exact:
            onp.testing.assert_array_equal(onp.asarray(mine), its)
        else:
            onp.testing.assert_allclose(onp.asarray(mine), its, rtol=1e-9, atol=1e-12)
