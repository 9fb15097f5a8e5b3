"""The loops of activations (native/activations.cpp) are good to the last places, on each instruction set."""

import os
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from mxcy._pointwise import compile_program, invoke

from mxcy import _array
from mxcy.dtypes import code_of

INPUTS = {"erf": 1, "gelu": 1, "gelu_grad": 2, "elu": 2, "elu_grad": 4}
EXTENDED = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="needs numbers with more digits than float64"
)


def program(name, dtype):
    count = INPUTS[name]
    return compile_program(count, [(name, list(range(count)))], [count], [code_of(dtype)] * count)


def run(name, *operands):
    arrays = [_array.from_numpy(x) for x in operands]
    return np.asarray(invoke(program(name, operands[0].dtype), arrays)[0])


def same(found, expected):
    np.testing.assert_array_equal(np.asarray(found).astype("f8"), np.asarray(expected).astype("f8"))


def exact_erf(x):
    """By the series of positive terms, exp(-x²) 2/√π Σ 2^n x^(2n+1) / (2n+1)!!, in extended precision."""
    term = total = x = x.astype(np.longdouble)
    for n in range(1, 160):
        term = term * 2 * x * x / (2 * n + 1)
        total = total + term
    return total * np.exp(-x * x) * 2 / np.sqrt(np.longdouble("3.14159265358979323846"))


def ulps(found, exact):
    """The largest error in units of the last place."""
    return (np.abs(found - exact) / np.spacing(np.abs(exact).astype(found.dtype))).max()


@EXTENDED
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_results_are_good_to_the_last_places(dtype):
    rng = np.random.default_rng(21)
    spread = rng.uniform(-1, 1, 20_000) * 10.0 ** rng.uniform(-30, 0, 20_000)
    ranges = [rng.uniform(-6.2, 6.2, 20_000), rng.uniform(0.8, 1.1, 20_000), spread]
    x = np.concatenate(ranges).astype(dtype)
    wide, slope, one = x.astype(np.longdouble), np.full_like(x, 0.75), np.ones_like(x)
    assert ulps(run("erf", x), exact_erf(x)) < 1.5
    assert ulps(run("elu", x, one), np.where(wide > 0, wide, np.expm1(np.minimum(wide, 0)))) < 1.5
    same(run("elu_grad", x, x, slope, slope), slope * np.where(x > 0, 1, x + slope).astype(dtype))
    half = (1 + exact_erf(wide / np.sqrt(np.longdouble(2)))) / 2
    density = np.exp(-wide * wide / 2) / np.sqrt(2 * np.longdouble(np.pi))
    error = np.abs(run("gelu", x) - wide * half) / np.maximum(1, np.abs(wide))
    assert error.max() < 2 * np.finfo(dtype).eps
    assert np.abs(run("gelu_grad", x, one) - (half + wide * density)).max() < 2 * np.finfo(dtype).eps


@pytest.mark.parametrize("isa", ["base", "avx2"])
def test_results_are_as_good_on_every_instruction_set(isa):
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{__file__}", "-k", "last_places"],
        env={**os.environ, "MXCY_ISA": isa},
        cwd=Path(__file__).resolve().parent.parent,
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ml_dtypes.bfloat16], ids=str)
def test_special_numbers_and_any_stride_raise_no_flag(dtype):
    dtype = np.dtype(dtype)
    ends = np.array([np.inf, -np.inf, np.nan, 0.0, 3e4, -3e4]).astype(dtype)
    twos = np.full(6, 2).astype(dtype)
    x = np.linspace(-8, 8, 2999).astype(dtype)
    with np.errstate(all="raise", under="ignore"):  # a half number may be too small
        same(run("erf", ends), [1, -1, np.nan, 0, 1, -1])
        same(run("elu", ends, twos), np.array([np.inf, -2, np.nan, 0, 3e4, -2]).astype(dtype))
        for name, count in INPUTS.items():
            mine = _array.from_numpy(x)
            whole = np.asarray(invoke(program(name, dtype), [mine] * count)[0])
            same(invoke(program(name, dtype), [mine[::-3]] * count)[0], whole[::-3])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_number_for_all_elements_is_that_number_in_each(dtype):
    x = np.linspace(-3, 3, 1001).astype(dtype)
    mine, slope = _array.from_numpy(x), np.full_like(x, 0.3)
    weak = compile_program(2, [("elu", [0, 1])], [2], [code_of(dtype), float])
    for step in (1, -2):
        same(invoke(weak, [mine[::step], 0.3])[0], run("elu", x, slope)[::step])
    same(invoke(program("elu", dtype), [mine[:0], mine[:0]])[0], x[:0])
