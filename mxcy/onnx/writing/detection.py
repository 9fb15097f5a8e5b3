"""Regions and boxes."""

import numpy as np

from ..writer import exports


@exports("ROIPooling")
def roi_pooling(g, attrs, x, rois):
    return g(
        "MaxRoiPool", x, rois, pooled_shape=attrs["pooled_size"], spatial_scale=float(attrs["spatial_scale"])
    )


@exports("_contrib_ROIAlign")
def roi_align(g, attrs, x, rois):
    g.need(not attrs["position_sensitive"], "position_sensitive", "False", True)
    g.need(not attrs["aligned"], "aligned", "False in operator set 13", True)
    picture = g.cast(g("Squeeze", part(g, rois, 0, 1), g.ints(1)), "int64")
    height, width = attrs["pooled_size"]
    return g(
        "RoiAlign",
        x,
        part(g, rois, 1, 5),
        picture,
        output_height=height,
        output_width=width,
        sampling_ratio=max(attrs["sample_ratio"], 0),
        spatial_scale=float(attrs["spatial_scale"]),
    )


def part(g, x, begin, end):
    """Columns of the last axis."""
    return g("Slice", x, g.ints(begin), g.ints(end), g.ints(-1))


def corners(g, boxes, into):
    """Boxes as corners, or as centres and sizes: a product with a matrix."""
    half = np.array([[1, 0, -0.5, 0], [0, 1, 0, -0.5], [1, 0, 0.5, 0], [0, 1, 0, 0.5]], "float32")
    matrix = half if into == "corner" else np.linalg.inv(half)
    return g("MatMul", boxes, g.constant(matrix.T, g.results[0].dtype))


@exports("_contrib_box_decode")
def box_decode(g, attrs, x, anchors):
    dtype = x.dtype
    centres = corners(g, anchors, "center") if attrs["format"] == "corner" else anchors
    place, size = part(g, centres, 0, 2), part(g, centres, 2, 4)
    scale = [attrs[f"std{n}"] for n in range(4)]
    moved = g("Mul", part(g, x, 0, 2), g.constant(scale[:2], dtype))
    grown = g("Mul", part(g, x, 2, 4), g.constant(scale[2:], dtype))
    if attrs["clip"] > 0:
        grown = g("Min", grown, g.constant(attrs["clip"], dtype))
    middle = g("Add", g("Mul", moved, size), place)
    half = g("Mul", g("Mul", g("Exp", grown), size), g.constant(0.5, dtype))
    return g("Concat", g("Sub", middle, half), g("Add", middle, half), axis=-1)
