"""What the documents show runs, and what is public is documented."""

import ast
import doctest
import importlib
import os
import pkgutil
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mxcy

ROOT = Path(__file__).resolve().parent.parent
OPTIONAL = ("mxcy.kernels.cuda",)  # needs an extra


def public_modules():
    names = ["mxcy"]
    for found in pkgutil.walk_packages(mxcy.__path__, "mxcy."):
        private = any(part.startswith("_") for part in found.name.split("."))
        if not private and not found.name.startswith(OPTIONAL):
            names.append(found.name)
    return names


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["README.md"])
def test_python_blocks_run_one_after_the_other(page, tmp_path):
    assert blocks(page)
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "\n".join(blocks(page))]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", public_modules())
def test_doctests(name):
    module = importlib.import_module(name)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

    assert doctest.testmod(module, optionflags=flags).failed == 0


@pytest.mark.parametrize("name", public_modules())
def test_public_names_have_docstrings(name):
    module = importlib.import_module(name)
    values = {key: getattr(module, key) for key in getattr(module, "__all__", ())}

    assert module.__doc__
    assert [key for key, value in values.items() if callable(value) and not value.__doc__] == []


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert mxcy.__release__ == project["version"]


def test_environment_variables_are_in_the_table():
    """Every variable of ours or MXNet's that the package reads is in docs/environment.md."""
    table = set(re.findall(r"(?:MXCY|MXNET)_[A-Z_]+", (ROOT / "docs/environment.md").read_text()))
    read = set()
    for path in (ROOT / "mxcy").rglob("*"):
        if path.suffix == ".py":
            strings = (n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant))
            ours = re.compile(r"MXCY_[A-Z_]+|MXNET_(?!FLAGS)[A-Z_]+")
            read |= {s for s in strings if isinstance(s, str) and ours.fullmatch(s)}
        elif path.suffix in (".pyx", ".hpp", ".cpp"):
            read |= set(re.findall(r"""["'](MXCY_[A-Z_]+)["']""", path.read_text()))

    assert read <= table


def test_page_of_names_is_up_to_date():
    made = runpy.run_path(str(ROOT / "docs" / "make_coverage.py"))

    assert (ROOT / "docs" / "coverage.md").read_text() == made["text"](), "run docs/make_coverage.py"
