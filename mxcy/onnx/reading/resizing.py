"""Pictures in other sizes.

MXNet has two operators for that; what neither does is a product with a matrix for each axis.
"""

import numpy as np

from ... import symbol as sym
from ..reader import imports

PLACES = {
    "half_pixel": lambda i, scale, extent, count: (i + 0.5) / scale - 0.5,
    "pytorch_half_pixel": lambda i, scale, extent, count: (i + 0.5) / scale - 0.5 if count > 1 else i * 0,
    "align_corners": lambda i, scale, extent, count: i * (extent - 1) / max(scale * extent - 1, 1),
    "asymmetric": lambda i, scale, extent, count: i / scale,
}
ROUNDED = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
}


@imports("Resize", "Upsample")
def resize(n):
    for name, usual in (("antialias", 0), ("axes", None), ("exclude_outside", 0)):
        n.need(n.get(name, usual) == usual, name, str(usual), n.get(name))
    mode = n.get("mode", "nearest").replace("bilinear", "linear")
    n.need(mode in ("nearest", "linear"), "mode", "nearest or linear", mode)
    scales, sizes = wanted(n)
    place = n.get("coordinate_transformation_mode", "half_pixel" if n.opset >= 11 else "asymmetric")
    n.need(place in PLACES, "coordinate_transformation_mode", " or ".join(PLACES), place)
    step = int(scales[0])
    kind = n.get("nearest_mode", "round_prefer_floor" if n.opset >= 11 else "floor")
    repeated = (place, kind) in (("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"))
    if mode == "nearest" and scales[0] == scales[1] == step and repeated:
        return sym.UpSampling(n[0], scale=step, sample_type="nearest", num_args=1, name=n.name)
    extents = n.extents(0)[2:]
    if sizes is None:
        sizes = [int(np.floor(scale * extent)) for scale, extent in zip(scales, extents, strict=True)]
    exact = all(size == scale * extent for size, scale, extent in zip(sizes, scales, extents, strict=True))
    if mode == "linear" and exact and place in ("align_corners", "half_pixel") and min(scales) >= 1:
        return sym.contrib.BilinearResize2D(n[0], height=sizes[0], width=sizes[1], name=n.name,
                                            align_corners=place == "align_corners")  # fmt: skip
    rows, columns = (
        matrix(extent, size, scale, PLACES[place], ROUNDED[kind] if mode == "nearest" else None)
        for extent, size, scale in zip(extents, sizes, scales, strict=True)
    )
    wide = sym.dot(n[0], n.parameter("columns", columns.T))
    tall = sym.dot(sym.SwapAxis(wide, dim1=2, dim2=3), n.parameter("rows", rows.T))
    return sym.SwapAxis(tall, dim1=2, dim2=3, name=n.name)


def wanted(n):
    """Return (scales, sizes) of the two spatial axes; sizes are None where scales are given."""
    old = n.kind == "Upsample" or n.opset < 11
    scales = n.get("scales")
    index = 1 if old else 2
    if scales is None and n.has(index) and n.values(index).size:
        scales = n.values(index).tolist()
    sizes = None
    if scales is None:
        kept = n.get("keep_aspect_ratio_policy", "stretch")
        n.need(kept == "stretch", "keep_aspect_ratio_policy", "stretch", kept)
        sizes = [int(size) for size in n.values(3)]
        n.need(len(sizes) == 4, "sizes", "four", sizes)
        scales = [size / extent for size, extent in zip(sizes, n.extents(0), strict=True)]
    n.need(len(scales) == 4 and scales[0] == scales[1] == 1, "scales", "two spatial axes of four", scales)
    return scales[2:], sizes and sizes[2:]


def matrix(extent, count, scale, place, rounded):
    """The matrix that makes `count` elements of `extent` ones."""
    found = np.zeros((count, extent), "float32")
    at = np.clip([place(np.float64(i), scale, extent, count) for i in range(count)], 0, extent - 1)
    rows = np.arange(count)
    if rounded is not None:
        found[rows, np.clip(rounded(at), 0, extent - 1).astype(int)] = 1
        return found
    low = np.floor(at).astype(int)
    np.add.at(found, (rows, low), 1 - (at - low))
    np.add.at(found, (rows, np.minimum(low + 1, extent - 1)), at - low)
    return found
