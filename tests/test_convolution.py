"""Convolution kernels: every way of computing equals the plain sum, whatever the shape and the layout."""

import ctypes
import hashlib
import json
import mmap
import os
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxcy import _array
from mxcy.kernels import cpu
from mxcy.ops._window import convolve, convolved, transposed, window_of
from mxcy.ops.convolution import weight_grad_reference
from mxcy.ops.pooling import windows_of

WAYS = ("direct", "winograd", "auto")
# The largest error over the largest value of the same sums without signs; Winograd's is that of its points.
BOUND = {"float32": 3e-6, "float64": 1e-14, "float16": 2e-3, "bfloat16": 1.6e-2}


def array(values):
    return _array.from_numpy(np.ascontiguousarray(values))


def values(x):
    return np.array(x.view_numpy())


def channels_last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


class Problem:
    """A convolution with its operands, results in float64 and magnitudes of the results."""

    def __init__(self, shape, filters, kernel, stride, dilate, pad, groups=1, dtype="float32", seed=0):
        rng = np.random.default_rng(seed)
        self.dtype = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
        window = window_of("test", kernel, stride, dilate, pad, None)
        self.x = rng.standard_normal(shape).astype(self.dtype)
        self.w = rng.standard_normal((filters, shape[1] // groups, *kernel)).astype(self.dtype)
        out = (shape[0], filters, *convolved("test", window, shape[2:]))
        self.g = rng.standard_normal(out).astype(self.dtype)
        self.bias = rng.standard_normal(filters).astype(self.dtype)
        self.back_bias = rng.standard_normal(shape[1]).astype(self.dtype)
        self.rest = (stride, dilate, pad, groups)

    def computed(self, way, last=False):
        put = channels_last if last else np.asarray
        x, w, g = (array(put(a)) for a in (self.x, self.w, self.g))
        found = [
            cpu.convolution(x, w, array(self.bias), *self.rest, last, way=way),
            cpu.convolution_data_grad(g, w, x.shape, array(self.back_bias), *self.rest, last, way=way),
            cpu.convolution_weight_grad(g, x, w.shape, *self.rest, last, way=way),
        ]
        return [np.moveaxis(values(a), -1, 1) if last else values(a) for a in found]

    def expected(self, absolute=False):
        x, w, g, b, c = (
            (np.abs(a) if absolute else a).astype(np.float64)
            for a in (self.x, self.w, self.g, self.bias, self.back_bias)
        )
        each = (-1, *[1] * (x.ndim - 2))
        return [
            convolve(x, w, *self.rest) + b.reshape(each),
            transposed(g, w, x.shape[2:], *self.rest) + c.reshape(each),
            weight_grad_reference(g, x, w, w.shape[2:], *self.rest),
        ]

    def check(self, way, last=False):
        for found, exact, size in zip(
            self.computed(way, last), self.expected(), self.expected(absolute=True), strict=True
        ):
            assert (found.shape, found.dtype) == (exact.shape, self.dtype)
            bound = BOUND[self.dtype.name] * (1 + size.max(initial=0))
            np.testing.assert_allclose(found.astype(np.float64), exact, rtol=0, atol=bound)


@st.composite
def problems(draw):
    count = draw(st.integers(1, 3))
    sizes = {1: 70, 2: 20, 3: 8}[count]

    def each(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(count))

    kernel = draw(st.sampled_from([(1,) * count, (3,) * count, (5,) * count, None])) or each(1, 4)
    stride = draw(st.sampled_from([(1,) * count, (1,) * count, None])) or each(1, 3)
    dilate = draw(st.sampled_from([(1,) * count, (1,) * count, None])) or each(1, 3)
    pad = each(0, 3)
    least = [max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(kernel, dilate, pad, strict=True)]
    spatial = tuple(draw(st.integers(n, n + sizes)) for n in least)
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    channels, filters = groups * draw(st.integers(1, 20)), groups * draw(st.integers(1, 20))
    shape = (draw(st.integers(0, 3)), channels, *spatial)
    dtype = draw(st.sampled_from(["float32", "float32", "float64", "float16", "bfloat16"]))
    return Problem(shape, filters, kernel, stride, dilate, pad, groups, dtype, draw(st.integers(0, 99)))


@given(problems(), st.sampled_from(WAYS), st.booleans())
def test_every_way_equals_the_plain_sum(problem, way, last):
    problem.check(way, last)


LARGE = {
    "3x3": ((2, 40, 30, 33), 50, (3, 3), (1, 1), (1, 1), (1, 1)),
    "3x3 of many channels": ((2, 200, 9, 8), 150, (3, 3), (1, 1), (1, 1), (1, 1)),
    "3x3 of a large weight": ((2, 264, 9, 8), 270, (3, 3), (1, 1), (1, 1), (1, 1)),
    "3x3 of few filters": ((1, 600, 9, 8), 90, (3, 3), (1, 1), (1, 1), (1, 1)),
    "3x3 by 2": ((3, 20, 31, 30), 70, (3, 3), (2, 2), (1, 1), (1, 1)),
    "1x1": ((3, 600, 7, 7), 70, (1, 1), (1, 1), (1, 1), (0, 0)),
    "1x1 by 2": ((3, 60, 14, 14), 70, (1, 1), (2, 2), (1, 1), (0, 0)),
    "11x11 by 4": ((2, 3, 60, 60), 20, (11, 11), (4, 4), (1, 1), (2, 2)),
    "3x3 in tiles of 5x5": ((12, 40, 14, 15), 70, (3, 3), (1, 1), (1, 1), (1, 1)),
    "3x3 in tiles of 5x5, large weight": ((8, 136, 13, 14), 270, (3, 3), (1, 1), (1, 1), (1, 1)),
    "5x5": ((2, 33, 27, 27), 20, (5, 5), (1, 1), (1, 1), (2, 2)),
    "5x5 in pairs of lines": ((3, 20, 24, 22), 40, (5, 5), (1, 1), (1, 1), (2, 2)),
    "5x5 in tiles of 2x2": ((1, 70, 8, 8), 70, (5, 5), (1, 1), (1, 1), (2, 2)),
    "dilated": ((1, 20, 30, 30), 20, (3, 3), (1, 1), (4, 3), (4, 3)),
    "depthwise": ((2, 20, 30, 30), 20, (3, 3), (1, 1), (1, 1), (1, 1), 20),
    "depthwise by 2": ((2, 20, 31, 30), 40, (5, 3), (2, 2), (1, 1), (2, 1), 20),
    "groups": ((2, 32, 15, 15), 64, (3, 3), (1, 1), (1, 1), (1, 1), 8),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("way", WAYS)
def test_layers_of_several_blocks(name, way):
    Problem(*LARGE[name]).check(way)


def maxima(name):
    """The largest of every 2x2 elements of a large layer."""
    problem = Problem(*LARGE[name])
    operands = array(problem.x), array(problem.w), array(problem.bias)
    windows = windows_of(problem.g.shape, (2, 2), (2, 2), ())
    return values(cpu.convolution_maxima(*operands, *problem.rest, windows))


HALVED = ("3x3", "3x3 in tiles of 5x5", "3x3 in tiles of 5x5, large weight", "5x5", "5x5 in pairs of lines")


@pytest.mark.parametrize("name", HALVED)
def test_maxima_are_those_of_the_whole_result(name):
    problem = Problem(*LARGE[name])
    operands = array(problem.x), array(problem.w), array(problem.bias)
    whole = np.maximum(values(cpu.convolution(*operands, *problem.rest)), 0)
    height, width = (n // 2 * 2 for n in whole.shape[2:])
    pairs = whole[:, :, :height, :width].reshape(*whole.shape[:2], height // 2, 2, width // 2, 2)

    np.testing.assert_array_equal(maxima(name), pairs.max((3, 5)))


def tiles_of_many_channels(filters):
    """What Winograd's form makes of the last filters, where it takes row panels two at a time."""
    rng = np.random.default_rng(0)
    x = array(rng.standard_normal((4, 256, 32, 36), dtype=np.float32))
    w = array(rng.standard_normal((530, 256, 3, 3), dtype=np.float32)[-filters:])
    return values(cpu.convolution(x, w, None, (1, 1), (1, 1), (1, 1), 1, way="winograd"))


def digests():
    """A digest of all results of every large layer, by name."""
    found = {name: Problem(*LARGE[name]).computed("auto") for name in LARGE}
    found |= {f"maxima of {name}": [maxima(name)] for name in (*HALVED, "11x11 by 4")}
    found["panels"] = [tiles_of_many_channels(530)]
    return {name: [hashlib.sha256(a.tobytes()).hexdigest() for a in arrays] for name, arrays in found.items()}


def test_filters_do_not_depend_on_those_beside_them():
    np.testing.assert_array_equal(tiles_of_many_channels(530)[:, -50:], tiles_of_many_channels(50))


@pytest.mark.parametrize("threads", ["1", "3"])
def test_results_do_not_depend_on_the_number_of_threads(threads):
    program = "import json, test_convolution; print(json.dumps(test_convolution.digests()))"
    environment = {**os.environ, "MXCY_NUM_THREADS": threads, "PYTHONPATH": os.pathsep.join(sys.path)}
    made = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)

    assert json.loads(made.stdout) == digests()


def test_relu_is_the_last_step():
    problem = Problem((2, 200, 9, 8), 30, (3, 3), (1, 1), (1, 1), (1, 1))
    operands = (array(problem.x), array(problem.w), array(problem.bias), *problem.rest)
    for way in WAYS:
        plain, cut = cpu.convolution(*operands, way=way), cpu.convolution(*operands, way=way, relu=True)
        np.testing.assert_array_equal(values(cut), np.maximum(values(plain), 0))


@pytest.mark.parametrize("last", [False, True])
def test_result_goes_where_it_is_asked_for(last):
    problem = Problem((2, 3, 9, 8), 4, (3, 3), (1, 1), (1, 1), (1, 1))
    put = channels_last if last else np.asarray
    x, w, b = array(put(problem.x)), array(put(problem.w)), array(problem.bias)
    plain = cpu.convolution(x, w, b, *problem.rest, last)
    wide = _array.from_numpy(np.zeros((*plain.shape[:-1], 2 * plain.shape[-1]), np.float32))
    out = wide[..., ::2]

    assert cpu.convolution(x, w, b, *problem.rest, last, out=out) is out
    np.testing.assert_array_equal(values(out), values(plain))
    assert not np.any(values(wide)[..., 1::2])


# --- accuracy and memory ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kernel", "shape"),
    [(3, (1, 300, 26, 27)), (3, (8, 300, 15, 15)), (5, (1, 300, 26, 27)), (5, (1, 300, 8, 8))],
    ids=["4x4", "5x5", "3x3", "2x2"],
)
def test_error_of_winograd_is_below_what_the_documentation_says(kernel, shape):
    sizes = (kernel, kernel), (1, 1), (1, 1), (kernel // 2, kernel // 2)
    single, double = (Problem(shape, 70, *sizes, dtype=dtype) for dtype in ("float32", "float64"))
    for name in ("x", "w", "g", "bias", "back_bias"):
        setattr(double, name, getattr(single, name).astype(np.float64))
    exact = double.computed("direct")

    for way, bound in (("direct", 1e-6), ("winograd", 5e-6)):
        for found, value in zip(single.computed(way), exact, strict=True):
            assert np.abs(found - value).max() < bound * np.abs(value).max()


PAGE = mmap.PAGESIZE


def at_the_end_of_memory(array):
    """The same array in front of a page that must not be touched."""
    size = -(-max(array.nbytes, 1) // PAGE) * PAGE
    region = mmap.mmap(-1, size + PAGE)
    fence = ctypes.addressof(ctypes.c_char.from_buffer(region)) + size
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(fence), PAGE, 0) == 0
    copy = np.frombuffer(region, array.dtype, array.size, size - array.nbytes).reshape(array.shape)
    copy[...] = array
    return _array.from_numpy(copy, copy=False)


@pytest.mark.skipif(sys.platform != "linux", reason="uses mprotect")
@pytest.mark.parametrize("name", LARGE)
def test_nothing_beyond_the_operands_is_touched(name):
    problem = Problem(*LARGE[name])
    x, w, g = (at_the_end_of_memory(a) for a in (problem.x, problem.w, problem.g))
    for way in WAYS:
        plain = problem.computed(way)
        outs = [at_the_end_of_memory(np.full_like(a, np.nan)) for a in plain]
        bias = at_the_end_of_memory(problem.bias), at_the_end_of_memory(problem.back_bias)
        cpu.convolution(x, w, bias[0], *problem.rest, way=way, out=outs[0])
        cpu.convolution_data_grad(g, w, x.shape, bias[1], *problem.rest, way=way, out=outs[1])
        cpu.convolution_weight_grad(g, x, w.shape, *problem.rest, way=way, out=outs[2])

        for out, a in zip(outs, plain, strict=True):
            np.testing.assert_array_equal(values(out), a)
