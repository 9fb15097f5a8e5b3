"""Writes programs.md: the programs that run under MXNet 1.9.1 and here, and how near their losses are.

    python docs/make_programs.py

The losses of the real one are those of tests/golden/programs.
"""

from __future__ import annotations

import ast
import json
import math
import runpy
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np

import mxcy as mx

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests"
SAVED = TESTS / "golden" / "programs"

HEAD = """# Programs that run under both

Made by `docs/make_programs.py`.
Each program of `tests/programs` is written for MXNet 1.9.1 and runs here with its import changed, from the
same saved parameters.
The difference is the largest relative one of the losses of the first 20 steps; 1e-4 is allowed.
Each also reads the files that the other has saved: parameters, symbols, optimizer states.

| Program | What it does | Difference below |
|---|---|---|
"""


def difference(name: str) -> float:
    """The largest relative difference of the losses from the real one's."""
    program = runpy.run_path(str(TESTS / "test_programs.py"))["program"](name)
    expected = json.loads((SAVED / "programs.json").read_text())[name]["losses"]
    with tempfile.TemporaryDirectory() as folder, mx.name.NameManager(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in (SAVED / name).glob("start*"):
            shutil.copy(path, folder)
        found = program["run"](folder)["losses"]
    return float(np.max(np.abs(np.divide(found, expected) - 1)))


def text() -> str:
    """The page."""
    rows = []
    for path in sorted((TESTS / "programs").glob("*_*.py")):
        what = (ast.get_docstring(ast.parse(path.read_text())) or "").rstrip(".")
        bound = 10.0 ** math.ceil(math.log10(max(difference(path.stem), 1e-8)))
        rows.append(f"| `{path.stem}` | {what} | {bound:.0e} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    (HERE / "programs.md").write_text(text())
