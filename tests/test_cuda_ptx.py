"""Every kernel that the tests in the simulator made compiles to PTX, without a GPU (make test-ptx)."""

import json
import os
import re
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


@pytest.mark.parametrize("generation", GENERATIONS, ids="sm_{0[0]}{0[1]}".format)
def test_kernels_compile(generation, promised):
    from mxcy.kernels.cuda._compiler import compile_ptx, entry_of

    found = kernels()
    assert len(found) > 50
    step = 1 if generation == GENERATIONS[-1] else promised(4, 1)
    for source, signature in found[::step]:
        ptx = compile_ptx(source, signature, generation)
        assert f".target sm_{generation[0]}{generation[1]}" in ptx and entry_of(ptx)
        assert not re.search(r"\.extern \.func", ptx), f"a call that nothing resolves, in\n{source}"


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
