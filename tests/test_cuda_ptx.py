"""Every kernel that the tests in the simulator made compiles to PTX, without a GPU (make test-ptx)."""

import json
import multiprocessing
import os
import re
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import pytest

from mxcy import _gpu

SOURCES = Path(os.environ.get("MXCY_CUDA_SOURCES", "build/cuda-sources.json"))
GENERATIONS = [(8, 0), (9, 0)]
WHOLE = os.environ.get("MXCY_TEST_PTX") == "1"

pytestmark = pytest.mark.skipif(
    _gpu.SIMULATED or not (WHOLE and SOURCES.is_file()), reason="make test-ptx sets this up"
)


def kernels():
    return json.loads(SOURCES.read_text()) if WHOLE and SOURCES.is_file() else []


def refusal(kernel, generation):
    """What is wrong with a kernel, or nothing."""
    from mxcy.kernels.cuda._compiler import compile_ptx, entry_of

    source, signature = kernel
    try:
        ptx = compile_ptx(source, signature, generation)
    except Exception as error:
        return f"{error}, in\n{source}"
    if f".target sm_{generation[0]}{generation[1]}" not in ptx or not entry_of(ptx):
        return f"no kernel for this generation, in\n{source}"
    if re.search(r"\.extern \.func", ptx):
        return f"a call that nothing resolves, in\n{source}"
    return None


@pytest.mark.parametrize("generation", GENERATIONS, ids="sm_{0[0]}{0[1]}".format)
def test_kernels_compile(generation, promised):
    """In the short suite each kernel for one of the generations, in the full suite for all."""
    found = kernels()
    assert len(found) > 50
    number = GENERATIONS.index(generation)
    chosen = promised(found[number :: len(GENERATIONS)], found)
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as workers:
        refused = [text for text in workers.map(refusal, chosen, repeat(generation), chunksize=8) if text]
    assert not refused, refused[0]


def test_dense_float32_is_read_and_written_16_bytes_at_a_time():
    from mxcy.kernels.cuda._compiler import compile_ptx

    dense = [
        (source, signature)
        for source, signature in kernels()
        if signature == "qqPfPfPf" and "load4(p0" in source and "load4(p1" in source
    ]
    assert dense
    for source, signature in dense:
        ptx = compile_ptx(source, signature, GENERATIONS[1])
        assert "ld.global.v4.f32" in ptx and "st.global.v4.f32" in ptx
