"""Pooling of any geometry against its definition, by every way through the kernels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ops_rows import array, numpy_of

from mxcy import ops
from mxcy.ops import pooling

KINDS = {"max": "_pooling_max_grad", "avg": "_pooling_spread", "sum": "_pooling_spread"}


@st.composite
def geometries(draw):
    """(shape, attributes) with windows that fit."""
    count = draw(st.integers(1, 3))
    extents = draw(st.lists(st.integers(1, 9 if count < 3 else 5), min_size=count, max_size=count))
    pad = tuple(draw(st.integers(0, 2)) for _ in extents)
    kernel = tuple(draw(st.integers(1, min(n + 2 * p, 4))) for n, p in zip(extents, pad, strict=True))
    attrs = {
        "kernel": kernel,
        "pad": pad,
        "stride": tuple(draw(st.integers(1, 3)) for _ in extents),
        "pool_type": draw(st.sampled_from(sorted(KINDS))),
        "pooling_convention": draw(st.sampled_from(["valid", "full"])),
        "count_include_pad": draw(st.booleans()),
    }
    batch, channels = draw(st.sampled_from([(1, 1), (2, 3), (5, 7), (1, 33), (16, 2)]))
    if draw(st.booleans()):
        return (batch, *extents, channels), attrs | {"layout": ["NWC", "NHWC", "NDHWC"][count - 1]}
    return (batch, channels, *extents), attrs


@settings(deadline=None)
@given(geometries(), st.sampled_from(["float32", "float64", "float16"]), st.integers(0, 99))
def test_pooling_and_its_gradient_follow_the_definition(geometry, dtype, seed):
    shape, attrs = geometry
    rng = np.random.default_rng(seed)
    x = rng.permutation(int(np.prod(shape))).reshape(shape) % 97 / 32 - 1
    x = x.astype(dtype)
    y = numpy_of(ops.Pooling.compute([array(x)], ops.Pooling.parse_attrs(attrs))[0])
    expected = pooling.pooling_reference(x.astype(np.float64), **attrs)
    inside = expected > -1e300  # no element is in a window: the lowest number of the dtype
    atol = 2e-2 if dtype == "float16" else 1e-5
    np.testing.assert_allclose(y[inside], expected[inside], atol=atol)

    g = rng.integers(-3, 4, y.shape).astype(dtype)
    back = ops.lookup(KINDS[attrs["pool_type"]])
    found = numpy_of(back.compute([array(g), array(x)], back.parse_attrs(attrs))[0])
    reference = pooling.max_grad_reference if attrs["pool_type"] == "max" else pooling.spread_reference
    np.testing.assert_allclose(
        found, reference(g.astype(np.float64), x.astype(np.float64), **attrs), atol=atol
    )


@pytest.mark.parametrize("layout", [None, "NHWC"])
def test_large_planes_take_the_way_by_rows(layout):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 2, 80, 75) if layout is None else (1, 80, 75, 2)).astype(np.float32)
    attrs = {"kernel": (3, 2), "stride": (2, 3), "pad": (1, 0), "layout": layout}
    for kind in KINDS:
        y = ops.Pooling.compute([array(x)], ops.Pooling.parse_attrs(attrs | {"pool_type": kind}))[0]
        expected = pooling.pooling_reference(x.astype(np.float64), pool_type=kind, **attrs)
        np.testing.assert_allclose(numpy_of(y), expected, rtol=1e-5, atol=1e-6)


def test_nan_is_never_the_largest():
    x = array(np.array([[[[np.nan, 1.0], [2.0, 3.0]]]]))
    attrs = ops.Pooling.parse_attrs({"kernel": (2, 2)})

    assert numpy_of(ops.Pooling.compute([x], attrs)[0]).tolist() == [[[[3.0]]]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(3, 2, 28, 28), (2, 3, 8, 36), (1, 1, 2, 2), (1, 5, 6, 70), (2, 2, 7, 33)])
@pytest.mark.parametrize("extent, stride", [(2, 2), (2, 1), (3, 2), (3, 1)])
def test_means_of_small_windows_by_strips_and_tiles(shape, extent, stride, dtype):
    rng = np.random.default_rng(1)
    x = rng.standard_normal(shape).astype(dtype)
    for pad in (0, 1):
        if extent > shape[2] + 2 * pad:
            continue
        for kind, counts in (("avg", True), ("avg", False), ("sum", True)):
            attrs = {"kernel": (extent,) * 2, "stride": (stride,) * 2, "pad": (pad,) * 2, "pool_type": kind}
            attrs |= {"count_include_pad": counts, "pooling_convention": "full"}
            y = numpy_of(ops.Pooling.compute([array(x)], ops.Pooling.parse_attrs(attrs))[0])
            expected = pooling.pooling_reference(x.astype(np.float64), **attrs)
            np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)

            g = rng.standard_normal(y.shape).astype(dtype)
            back = ops.lookup("_pooling_spread")
            found = numpy_of(back.compute([array(g), array(x)], back.parse_attrs(attrs))[0])
            reference = pooling.spread_reference(g.astype(np.float64), x.astype(np.float64), **attrs)
            np.testing.assert_allclose(found, reference, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1, 1), (1, 1, 1, 5), (2, 3, 4, 1), (3, 50, 7, 7), (2, 40, 14, 14), (2, 9, 28, 28), (1, 700, 2, 3),
     (2, 3, 31, 33), (1, 2, 32, 32)],
    ids=str,
)  # fmt: skip
def test_maxima_around_elements_of_small_planes(shape, dtype):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(dtype)
    x[rng.random(shape) < 0.1] = np.nan
    attrs = {"kernel": (3, 3), "stride": (1, 1), "pad": (1, 1), "pool_type": "max"}
    with np.errstate(all="ignore"):
        y = numpy_of(ops.Pooling.compute([array(x)], ops.Pooling.parse_attrs(attrs))[0])
    lowest = np.finfo(dtype).min
    edges = [(0, 0), (0, 0), (1, 1), (1, 1)]
    padded = np.pad(np.where(np.isnan(x), lowest, x), edges, constant_values=lowest)
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    np.testing.assert_array_equal(y, around.max((4, 5)))
