"""Hypothesis profiles, and the tests that only the full suite runs."""

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

FULL = os.environ.get("MXCY_TEST_FULL", "0") not in ("", "0")

settings.register_profile("ci", max_examples=20, derandomize=True, deadline=None, database=None)
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("full", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_sessionfinish():
    """Leave the kernels that ran in the simulator to test_cuda_ptx.py."""
    path = os.environ.get("MXCY_CUDA_SOURCES")
    compiler = sys.modules.get("mxcy.kernels.cuda._compiler")
    if path and compiler is not None and os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        sources = sorted({(source, signature) for source, signature, _ in compiler._loaded})
        Path(path).write_text(json.dumps(sources))


def pytest_collection_modifyitems(items):
    if not FULL:
        for item in items:
            if item.get_closest_marker("full"):
                item.add_marker(pytest.mark.skip(reason="only with MXCY_TEST_FULL=1"))


@pytest.fixture(autouse=os.environ.get("MXCY_TEST_CONTEXT") == "gpu")
def on_gpu():
    """With MXCY_TEST_CONTEXT=gpu: every test runs with gpu(0) as its default context."""
    from mxcy.context import gpu

    with gpu(0):
        yield


@pytest.fixture(scope="session")
def promised():
    """promised(short, full): how many rounds to run of what is promised for the full count."""
    return lambda short, full: full if FULL else short
