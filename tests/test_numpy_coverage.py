"""The table of NumPy's names is as the script makes it, and 95 % of the functions are there."""

import importlib.util
import re
import warnings
from pathlib import Path

import numpy
import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"


@pytest.fixture(scope="module")
def page():
    spec = importlib.util.spec_from_file_location("make_numpy_coverage", DOCS / "make_numpy_coverage.py")
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
        return module.page()


def test_at_least_95_percent_of_the_functions_are_there(page):
    shares = [float(share) for share in re.findall(r"\(([\d.]+) %\)", page)]

    assert len(shares) == 4 and min(shares) >= 95


@pytest.mark.skipif(not numpy.__version__.startswith("2.4."), reason="the page is made with NumPy 2.4")
def test_page_is_current(page):
    assert (DOCS / "numpy-coverage.md").read_text() == page
